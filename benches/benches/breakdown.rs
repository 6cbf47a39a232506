//! Where the time of a show and of a verification goes, measured part by part; prints a table and, with `-- --svg`, draws it
//! (`benches/breakdown.svg`).

#![allow(missing_docs, reason = "a program")]

// The same holder's story as in the prover's tests.
#[path = "../../prover/tests/common/mod.rs"]
#[allow(dead_code, reason = "the tests use parts that the benches do not")]
mod common;

use std::fmt::Write as _;
use std::hint::black_box;
use std::time::{Duration, Instant};

use ark_bn254::{Fr, G1Affine, G2Affine, g1, g2};
use ark_ec::AffineRepr;
use ark_ff::UniformRand;
use bauta_statement::additions::Lists;
use bauta_statement::group::{FixedG1, FixedG2};
use bauta_statement::presentation::Presentation;
use bauta_verifier::batch::{Part, check_all_in_parts};
use bauta_verifier::presentation::Item;
use common::{context, rng, story};

/// A bar: its name, and name and microseconds of each part.
struct Bar {
    name: &'static str,
    parts: Vec<(&'static str, f64)>,
}

fn main() {
    let bars = [
        show(),
        verify("verify one", 1, 60),
        verify("verify, each of 64", 64, 15),
    ];
    for bar in &bars {
        let total: f64 = bar.parts.iter().map(|(_, time)| time).sum();
        println!("{}: {total:.0} µs", bar.name);
        for (part, time) in &bar.parts {
            println!("    {part:38} {time:7.0} µs {:4.0} %", 100.0 * time / total);
        }
    }
    if std::env::args().any(|argument| argument == "--svg") {
        let path = concat!(env!("CARGO_MANIFEST_DIR"), "/breakdown.svg");
        std::fs::write(path, svg(&bars)).unwrap();
        println!("drawn: benches/breakdown.svg");
    }
}

/// The median of some runs, in microseconds.
fn median(mut times: Vec<Duration>) -> f64 {
    times.sort_unstable();
    times[times.len() / 2].as_secs_f64() * 1e6
}

fn time(runs: usize, mut work: impl FnMut()) -> f64 {
    work();
    let run = |_| {
        let start = Instant::now();
        work();
        start.elapsed()
    };
    median((0..runs).map(run).collect())
}

fn verify(name: &'static str, count: usize, runs: usize) -> Bar {
    let story = story();
    let (mut rng, context) = (rng(3), context());
    let shown: Vec<_> = (0..count)
        .map(|_| {
            let shown = story.prepared.show(&mut rng, &story.holder_keys, &context);
            shown.unwrap().0.encode()
        })
        .collect();
    let decode = |bytes: &Vec<u8>| Presentation::decode_for_verifier(black_box(bytes)).unwrap();
    let decoding = time(runs, || shown.iter().for_each(|bytes| drop(decode(bytes))));
    let presentations: Vec<_> = shown.iter().map(decode).collect();
    let items: Vec<_> = presentations
        .iter()
        .map(|presentation| Item {
            policy: &story.policy,
            context: &context,
            presentation,
            usage: Some(story.usage),
        })
        .collect();
    let names = [
        (Part::Transcripts, "transcript"),
        (Part::Sums, "weights, sums in G1"),
        (Part::MillerLoop, "Miller loop, subgroup tests"),
        (Part::FinalExponentiation, "final exponentiation"),
    ];
    let mut times = vec![Vec::new(); names.len()];
    for _ in 0..runs {
        let mut last = Instant::now();
        let holds = check_all_in_parts(&items, &mut |part| {
            let now = Instant::now();
            let index = names.iter().position(|(known, _)| *known == part).unwrap();
            times[index].push(now - last);
            last = now;
        });
        assert!(holds);
    }
    let each = |time: f64| time / count as f64;
    let mut parts = vec![("decode: square roots", each(decoding))];
    for ((_, name), times) in names.into_iter().zip(times) {
        parts.push((name, each(median(times))));
    }
    Bar { name, parts }
}

/// The sums of a show by themselves, each as often as three proofs and one disclosure need it, with tables like the holder's;
/// the rest is what a whole show takes beyond them.
fn show() -> Bar {
    let story = story();
    let (mut rng, context) = (rng(2), context());
    let whole = time(300, || {
        let shown = story.prepared.show(&mut rng, &story.holder_keys, &context);
        drop(black_box(shown.unwrap()));
    });
    let base = FixedG1::with_table(G1Affine::generator(), 6);
    let base_g2 = FixedG2::with_table(G2Affine::generator(), 6);
    // (sums, products in each), for A', C'', V, T, D and T_D.
    let mut in_g1 = |sums: &[usize]| {
        time(300, || {
            let mut lists = Lists::<g1::Config>::with_capacity(2500);
            for products in sums {
                for _ in 0..*products {
                    base.push_multiple(&mut lists, &Fr::rand(&mut rng));
                }
                lists.close();
            }
            black_box(lists.sums());
        })
    };
    let used = story.operands.iter().flatten().count();
    let mut parts = vec![
        ("A'", in_g1(&[1, 1, 1])),
        ("C''", in_g1(&[2, 2, 2])),
        ("V", in_g1(&[1, 1, 1])),
        ("T", in_g1(&[17, 5 + used, 2])),
        ("commitment D, and T_D", in_g1(&[2, 2])),
    ];
    let b = time(300, || {
        let mut lists = Lists::<g2::Config>::with_capacity(300);
        for _ in 0..3 {
            for _ in 0..2 {
                base_g2.push_multiple(&mut lists, &Fr::rand(&mut rng));
            }
            lists.close();
        }
        black_box(lists.sums());
    });
    parts.insert(1, ("B' (in G2)", b));
    let sums: f64 = parts.iter().map(|(_, time)| time).sum();
    parts.push(("transcript, randomness, responses", (whole - sums).max(0.0)));
    Bar {
        name: "show, small tables",
        parts,
    }
}

const COLOURS: [&str; 7] = [
    "#1b4965", "#5fa8d3", "#bee9e8", "#ca6702", "#e9b872", "#7a7a7a", "#c8c8c8",
];

/// Stacked bars on one scale, with every part written beside.
fn svg(bars: &[Bar]) -> String {
    let total = |bar: &Bar| bar.parts.iter().map(|(_, time)| time).sum::<f64>();
    let longest = bars.iter().map(total).fold(1.0, f64::max);
    let mut body = String::new();
    let mut y = 10.0;
    for bar in bars {
        writeln!(
            body,
            r#"<text x="10" y="{:.0}" font-weight="bold">{}: {:.2} ms</text>"#,
            y + 12.0,
            bar.name,
            total(bar) / 1000.0
        )
        .unwrap();
        let mut x = 10.0;
        for ((_, time), colour) in bar.parts.iter().zip(COLOURS) {
            let width = 700.0 * time / longest;
            writeln!(
                body,
                r#"<rect x="{x:.1}" y="{:.0}" width="{width:.1}" height="22" fill="{colour}"/>"#,
                y + 20.0
            )
            .unwrap();
            x += width;
        }
        y += 50.0;
        for (index, ((part, time), colour)) in bar.parts.iter().zip(COLOURS).enumerate() {
            let x = 10.0 + 240.0 * (index % 3) as f64;
            let y = y + 18.0 * (index / 3) as f64;
            writeln!(
                body,
                r#"<rect x="{x}" y="{y}" width="10" height="10" fill="{colour}"/><text x="{}" y="{}">{part} {time:.0} µs</text>"#,
                x + 15.0,
                y + 9.0
            )
            .unwrap();
        }
        y += 18.0 * bar.parts.len().div_ceil(3) as f64 + 20.0;
    }
    format!(
        r##"<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 740 {y:.0}" font-family="sans-serif" font-size="12">
<title>Where the time of a show and of a verification goes</title>
<rect width="740" height="{y:.0}" fill="#ffffff"/>
{body}</svg>
"##
    )
}
