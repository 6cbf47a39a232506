//! Models: the synchronisation that is our own, compiled over shuttle's mutex and threads, which runs it under many
//! schedules and stops at one in which nobody can go on. What else threads share in Bauta is a channel of tokio's, a
//! database, or one value behind one lock that is held for one read or write.

use shuttle::sync::{Arc, Mutex};
use shuttle::{future, thread};

/// What the service takes from std, here from shuttle; a poisoned lock is read on in both.
mod sync {
    pub(super) use shuttle::sync::{Arc, Mutex};
    pub(super) use std::sync::PoisonError;
}

#[path = "../../src/sequencer/waiters.rs"]
mod waiters;

use waiters::Waiters;

/// Schedules of each model.
const SCHEDULES: usize = 2_000;
const ENTRY: u64 = 7;

#[derive(Default)]
struct Shared {
    waiters: Arc<Waiters<u64>>,
    /// The store's word on the entry.
    finished: Mutex<bool>,
}

impl Shared {
    fn finished(&self) -> bool {
        self.finished.lock().is_ok_and(|finished| *finished)
    }

    /// As the driver does: durable first, then those who wait are woken.
    fn finish(&self) {
        if let Ok(mut finished) = self.finished.lock() {
            *finished = true;
        }
        self.waiters.done(ENTRY);
    }

    /// As `Handle::outcome` does: register, look, wait.
    async fn outcome(&self) {
        loop {
            let done = self.waiters.wait(ENTRY);
            if self.finished() {
                return;
            }
            done.done().await;
        }
    }

    /// The mistake that the order above avoids.
    async fn looks_first(&self) {
        while !self.finished() {
            let done = self.waiters.wait(ENTRY);
            done.done().await;
        }
    }
}

fn two_wait<F: Future>(wait: impl Fn(Arc<Shared>) -> F + Clone + Send + Sync + 'static) {
    let shared = Arc::new(Shared::default());
    let waiting: Vec<_> = (0..2)
        .map(|_| {
            let (shared, wait) = (Arc::clone(&shared), wait.clone());
            thread::spawn(move || {
                future::block_on(wait(shared));
            })
        })
        .collect();
    shared.finish();
    for thread in waiting {
        thread.join().expect("it ends");
    }
    assert!(shared.waiters.is_empty(), "somebody was left behind");
}

#[test]
fn nobody_sleeps_through_the_end() {
    shuttle::check_random(
        || two_wait(|shared| async move { shared.outcome().await }),
        SCHEDULES,
    );
}

#[test]
#[should_panic(expected = "deadlock")]
fn who_looks_before_registering_may_sleep_for_ever() {
    shuttle::check_random(
        || two_wait(|shared| async move { shared.looks_first().await }),
        SCHEDULES,
    );
}

/// One who gives up, between two who wait and the end: the others are woken, and nothing stays in the map.
#[test]
fn who_gives_up_takes_nobody_along() {
    shuttle::check_random(
        || {
            let shared = Arc::new(Shared::default());
            let gives_up = {
                let shared = Arc::clone(&shared);
                thread::spawn(move || drop(shared.waiters.wait(ENTRY)))
            };
            let waits = {
                let shared = Arc::clone(&shared);
                thread::spawn(move || future::block_on(shared.outcome()))
            };
            shared.finish();
            gives_up.join().expect("it ends");
            waits.join().expect("it ends");
            assert!(shared.waiters.is_empty(), "somebody was left behind");
        },
        SCHEDULES,
    );
}
