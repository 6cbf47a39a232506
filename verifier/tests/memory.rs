//! Verification's memory is bounded by its input: measured with a counting allocator, which is this binary's own. One test,
//! because the count is the process's.

#[path = "presentation/format.rs"]
#[allow(dead_code, reason = "a part of it is used here")]
mod format;

use std::path::PathBuf;

use bauta_statement::presentation::{MAX_TEXT, Opening, Presentation};
use bauta_statement::verifying_key::VerifyingKey;
use bauta_verifier::batch::verify_batch;
use bauta_verifier::presentation::{Item, verify_bytes};
use peak_alloc::PeakAlloc;

use format::{Vector, unhex};

#[global_allocator]
static ALLOCATOR: PeakAlloc = PeakAlloc;

const KIB: usize = 1024;
/// What the bases of the keys may take, whatever the batch.
const FIXED: usize = 512 * KIB;
/// What each presentation of a batch may take besides: the points of its sums lie side by side, to share inversions.
const EACH: usize = 128 * KIB;

/// The most that was allocated at once while this ran, beyond what was before.
fn peak<T>(run: impl FnOnce() -> T) -> usize {
    let before = ALLOCATOR.current_usage();
    ALLOCATOR.reset_peak_usage();
    drop(run());
    ALLOCATOR.peak_usage().saturating_sub(before)
}

fn vector(name: &str) -> Vector {
    let path = PathBuf::from(env!("CARGO_MANIFEST_DIR"))
        .join("../vectors/presentation")
        .join(format!("{name}.json"));
    serde_json::from_str(&std::fs::read_to_string(path).unwrap()).unwrap()
}

#[test]
fn memory_is_bounded_by_the_input() {
    let scoped = vector("good_scope_one_disclosure");
    let prepared = scoped.prepare().unwrap();
    let good = unhex(&scoped.presentation);

    // A count that is not there: refused before anything is set aside for it.
    for (at, declared) in [(3, 11), (3, 255), (2, 0), (2, 1)] {
        for length in [4, 5, good.len() - 1, good.len()] {
            let mut bytes = good[..length].to_vec();
            bytes[at] = declared;
            if bytes != good {
                let used = peak(|| Presentation::decode(&bytes).unwrap_err());
                assert_eq!(used, 0, "{declared} at {at}, {length} bytes");
            }
        }
    }
    let mut key = unhex(&scoped.keys.nullifier);
    key[192..194].copy_from_slice(&u16::MAX.to_be_bytes());
    assert_eq!(peak(|| VerifyingKey::decode(&key).unwrap_err()), 0);
    assert_eq!(peak(|| Opening::decode_list(&[255]).unwrap_err()), 0);
    let used = peak(|| Opening::decode_list(&[11]).unwrap_err());
    assert!(
        used < 2 * KIB,
        "eleven openings declared, none there: {used}"
    );
    let mut long = vec![1, 5, 2];
    long.extend((MAX_TEXT as u16 + 1).to_be_bytes());
    long.resize(100_000, b'x');
    let used = peak(|| Opening::decode_list(&long).unwrap_err());
    assert!(used < 2 * KIB, "a text that is too long: {used}");
    let junk = vec![1; 10_000_000];
    assert_eq!(
        peak(|| Presentation::decode(&junk).unwrap_err()),
        0,
        "10 MB"
    );
    assert_eq!(
        peak(|| VerifyingKey::decode(&junk).unwrap_err()),
        0,
        "10 MB"
    );

    // What decodes takes no more than it says.
    let open = vector("good_all_disclosed");
    for text in [&scoped.presentation, &open.presentation] {
        let bytes = unhex(text);
        let used = peak(|| Presentation::decode(&bytes).unwrap());
        assert!(used < 2 * bytes.len(), "{used} for {} bytes", bytes.len());
    }

    // One presentation, good or bad, and batches: so much for each item, whatever is in them.
    let mut bad = good.clone();
    let last = bad.len() - 1;
    bad[last - 31] ^= 1;
    let mut one = 0;
    for bytes in [&good, &bad] {
        let run = || verify_bytes(&prepared.verifier, &prepared.context, bytes, prepared.usage);
        // The first run makes what is made once per process.
        let _ = run();
        let used = peak(run);
        assert!(used < FIXED, "one presentation: {used}");
        one = one.max(used);
    }
    let shown = [&good, &bad].map(|bytes| Presentation::decode(bytes).unwrap());
    for count in [4, 16, 64] {
        let items: Vec<Item<'_>> = (0..count)
            .map(|index| Item {
                policy: &prepared.verifier,
                context: &prepared.context,
                presentation: &shown[usize::from(index == 3)],
                usage: prepared.usage,
            })
            .collect();
        let used = peak(|| verify_batch(&items));
        println!("{count} presentations: {} KiB at most", used / KIB);
        assert!(used < FIXED + count * EACH, "{count}: {used}");
    }
    println!("one presentation: {} KiB at most", one / KIB);
}
