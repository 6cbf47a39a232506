use super::*;
use crate::seal::PassphraseSeal;
use bauta_log::{Checkpoint, LogSigner};
use zeroize::Zeroizing;

fn open(folder: &Path) -> DiskStore {
    let keys = folder.join("keys");
    let seal = PassphraseSeal::new("p", 2);
    std::fs::create_dir_all(&keys).unwrap();
    let vault = Vault::open(&keys, &seal)
        .or_else(|_| Vault::create(&keys, &seal))
        .unwrap();
    DiskStore::open(&folder.join("data"), vault).unwrap()
}

/// A log of `size` entries: entries, head with its note, tiles from `old` on.
fn log(old: u64, size: u64) -> (Vec<Vec<u8>>, DurableHead, Vec<TileFile>) {
    let entries: Vec<Vec<u8>> = (0..size)
        .map(|index| index.to_be_bytes().to_vec())
        .collect();
    let (edge, _) = Edge::new().extend(&entries[..old as usize]).unwrap();
    let (edge, tiles) = edge.extend(&entries[old as usize..]).unwrap();
    let signer = LogSigner::from_seed("log.example", &[1; 32]).unwrap();
    let note = signer
        .sign(Checkpoint::new("log.example", edge.head()).unwrap())
        .unwrap();
    (
        entries,
        DurableHead {
            head: edge.head(),
            checkpoint: note.to_bytes(),
        },
        tiles,
    )
}

fn append(store: &mut DiskStore, old: u64, size: u64, publish: bool) {
    let (entries, durable, tiles) = log(old, size);
    let records = [
        Record::Entries {
            first: old,
            entries: entries[old as usize..].to_vec(),
        },
        Record::Head(durable.clone()),
    ];
    store.persist(&records).unwrap();
    if publish {
        store
            .publisher()
            .publish(&tiles, size, &durable.checkpoint)
            .unwrap();
    }
}

#[test]
fn a_crash_before_the_tiles_loses_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let mut store = open(folder.path());
    append(&mut store, 0, 300, true);
    append(&mut store, 300, 600, false);
    drop(store);
    let mut store = open(folder.path());
    assert_eq!(store.head().unwrap().unwrap(), log(0, 600).1);
    assert_eq!(store.published(), 600);
    for index in [0, 299, 300, 599] {
        assert_eq!(store.entry(index).unwrap(), index.to_be_bytes());
    }
    assert_eq!(store.entry(600), None);
    // What the folder holds is dropped from the database with the next output.
    append(&mut store, 600, 601, true);
    assert_eq!(store.pending(599).unwrap(), None);
    assert_eq!(store.entry(599).unwrap(), 599u64.to_be_bytes());
    assert!(Edge::load(&store.folder, &log(0, 601).1.head).is_ok());
}

#[test]
fn entries_that_do_not_give_the_head_stop_the_signer() {
    let folder = tempfile::tempdir().unwrap();
    let mut store = open(folder.path());
    let (entries, mut durable, _) = log(0, 3);
    durable.head.root[0] ^= 1;
    store
        .persist(&[Record::Entries { first: 0, entries }, Record::Head(durable)])
        .unwrap();
    drop(store);
    let vault = Vault::open(&folder.path().join("keys"), &PassphraseSeal::new("p", 2)).unwrap();
    assert!(matches!(
        DiskStore::open(&folder.path().join("data"), vault),
        Err(StoreError::Incomplete(TreeError::WrongRoot { size: 3 }))
    ));
}

#[test]
fn a_nonce_is_spent_once_and_an_entry_bound_once_across_restarts() {
    let folder = tempfile::tempdir().unwrap();
    let mut store = open(folder.path());
    let key = SharedKey {
        group_key: [1; 32],
        sharing: [4; 32],
    };
    let burnt = || Record::Burnt {
        key,
        slot: Slot {
            boot: [2; 16],
            number: 3,
        },
    };
    let bound = |digest| Record::Bound {
        index: 9,
        tbs_digest: [digest; 32],
    };
    store.persist(&[bound(1), burnt()]).unwrap();
    drop(store);
    let mut store = open(folder.path());
    let slot = |number| Slot {
        boot: [2; 16],
        number,
    };
    let of_another_sharing = SharedKey {
        sharing: [5; 32],
        ..key
    };
    assert!(store.burnt(&key, &slot(3)));
    assert!(!store.burnt(&key, &slot(4)));
    assert!(!store.burnt(&of_another_sharing, &slot(3)));
    assert_eq!(store.bound(9), Some([1; 32]));
    assert!(matches!(store.persist(&[burnt()]), Err(StoreError::Burnt)));
    store.persist(&[bound(1)]).unwrap();
    assert!(matches!(
        store.persist(&[bound(2)]),
        Err(StoreError::Bound(9))
    ));
    // Refused as a whole: the digest is still the first.
    assert_eq!(store.bound(9), Some([1; 32]));
}

/// A share by a dealer, for the store alone.
fn share(seed: u64) -> Zeroizing<Vec<u8>> {
    use rand::SeedableRng as _;
    let mut rng = rand::rngs::StdRng::seed_from_u64(seed);
    let ids = frost_ed25519::keys::IdentifierList::Default;
    let (shares, _) = frost_ed25519::keys::generate_with_dealer(3, 2, ids, &mut rng).unwrap();
    let package: frost_ed25519::keys::KeyPackage =
        shares.into_values().next().unwrap().try_into().unwrap();
    Zeroizing::new(package.serialize().unwrap())
}

#[test]
fn two_sharings_of_a_key_lie_side_by_side_until_one_is_erased() {
    let folder = tempfile::tempdir().unwrap();
    let mut store = open(folder.path());
    let secret = share(1);
    let group_key = KeyShare::from_bytes(&secret).unwrap().group_key();
    let key = |sharing| SharedKey {
        group_key,
        sharing: [sharing; 32],
    };
    let record = |sharing| Record::KeyShare {
        key: key(sharing),
        born: 7 + u64::from(sharing),
        secret: secret.clone(),
    };
    store.persist(&[record(1), record(2)]).unwrap();
    let held = |store: &DiskStore| {
        let shares = store.shares().unwrap().into_iter();
        shares.map(|one| (one.key, one.born)).collect::<Vec<_>>()
    };
    assert_eq!(held(&store), [(key(1), 8), (key(2), 9)]);
    store.persist(&[Record::Erased(key(1))]).unwrap();
    // Erasing again, after a crash between the two, is no failure.
    store.persist(&[Record::Erased(key(1))]).unwrap();
    assert_eq!(held(&store), [(key(2), 9)]);
    drop(store);
    let store = open(folder.path());
    assert_eq!(held(&store), [(key(2), 9)]);
    // One that was moved to another place is of no use there: the seal names the place.
    let transaction = store.database.begin_write().unwrap();
    {
        let mut shares = transaction.open_table(SHARES).unwrap();
        let sealed = shares
            .remove(share_key(&key(2)).as_slice())
            .unwrap()
            .unwrap()
            .value()
            .to_vec();
        shares
            .insert(share_key(&key(3)).as_slice(), sealed.as_slice())
            .unwrap();
    }
    transaction.commit().unwrap();
    assert!(matches!(store.shares(), Err(StoreError::Seal(_))));
}

/// As a process leaves it that is killed while it makes its database: redb's file is none before its header is written.
#[test]
fn a_database_that_was_not_made_to_its_end_is_made_anew() {
    let folder = tempfile::tempdir().unwrap();
    let data = folder.path().join("data");
    std::fs::create_dir_all(&data).unwrap();
    std::fs::write(data.join("state.redb.new-7"), [0; 4096]).unwrap();
    drop(open(folder.path()));
    let names = || {
        let entries = std::fs::read_dir(&data).unwrap().flatten();
        let names = entries.map(|entry| entry.file_name().into_string().unwrap());
        names
            .filter(|name| name.contains("redb"))
            .collect::<Vec<_>>()
    };
    assert_eq!(names(), ["state.redb"]);
    // Between the two names.
    std::fs::hard_link(data.join("state.redb"), data.join("state.redb.new-7")).unwrap();
    drop(open(folder.path()));
    assert_eq!(names(), ["state.redb"]);
    // What is there and cannot be opened is no fresh start.
    std::fs::write(data.join("state.redb"), [0; 4096]).unwrap();
    let vault = Vault::open(&folder.path().join("keys"), &PassphraseSeal::new("p", 2)).unwrap();
    assert!(matches!(
        DiskStore::open(&data, vault),
        Err(StoreError::Database(_))
    ));
    assert_eq!(std::fs::read(data.join("state.redb")).unwrap(), [0; 4096]);
}

#[test]
fn a_second_process_on_the_same_folder_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let store = open(folder.path());
    let vault = Vault::open(&folder.path().join("keys"), &PassphraseSeal::new("p", 2)).unwrap();
    assert!(matches!(
        DiskStore::open(&folder.path().join("data"), vault),
        Err(StoreError::Database(_))
    ));
    drop(store);
}
