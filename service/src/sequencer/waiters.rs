//! Who waits for what to be done with. It is the one piece of the service whose locking is ours and whose waking is not a
//! channel's: `service/tests/models` compiles this very file over shuttle's mutex, and tries schedules.
//!
//! Whoever waits registers *before* looking whether it is done already, so that what happens in between wakes them.

use std::collections::BTreeMap;

use tokio::sync::oneshot;

use super::sync::{Arc, Mutex, PoisonError};

/// The senders to those who wait, by what they wait for.
#[derive(Debug)]
pub(super) struct Waiters<K>(Mutex<BTreeMap<K, Vec<oneshot::Sender<()>>>>);

impl<K> Default for Waiters<K> {
    fn default() -> Self {
        Self(Mutex::new(BTreeMap::new()))
    }
}

impl<K: Ord + Copy> Waiters<K> {
    /// Registers one who will wait.
    pub(super) fn wait(self: &Arc<Self>, id: K) -> Waiting<K> {
        let (sender, receiver) = oneshot::channel();
        let mut waiting = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let senders = waiting.entry(id).or_default();
        senders.retain(|sender| !sender.is_closed());
        senders.push(sender);
        Waiting {
            waiters: Arc::clone(self),
            id,
            done: Some(receiver),
        }
    }

    /// Forgets those who wait no more. What ends before its waiter looks would else stay for ever.
    fn forget(&self, id: K) {
        let mut waiting = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(senders) = waiting.get_mut(&id) {
            senders.retain(|sender| !sender.is_closed());
            if senders.is_empty() {
                waiting.remove(&id);
            }
        }
    }

    /// Wakes all who wait for it.
    pub(super) fn done(&self, id: K) {
        let senders = self
            .0
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .remove(&id);
        for sender in senders.into_iter().flatten() {
            // Whoever waited may be gone.
            let _ = sender.send(());
        }
    }

    /// Whether nobody waits for anything.
    #[cfg(test)]
    pub(super) fn is_empty(&self) -> bool {
        self.0
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .is_empty()
    }
}

/// One who waits; dropping it leaves nothing behind.
pub(super) struct Waiting<K: Ord + Copy> {
    waiters: Arc<Waiters<K>>,
    id: K,
    done: Option<oneshot::Receiver<()>>,
}

impl<K: Ord + Copy> Waiting<K> {
    /// Waits. A channel that somebody else's failure closed counts as done: looking again is right in any case.
    pub(super) async fn done(mut self) {
        if let Some(done) = self.done.as_mut() {
            let _ = done.await;
        }
    }
}

impl<K: Ord + Copy> Drop for Waiting<K> {
    fn drop(&mut self) {
        self.done = None;
        self.waiters.forget(self.id);
    }
}
