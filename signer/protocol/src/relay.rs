//! Starts and welcomes, the coordinator's side: it passes on what nodes say to each other. It can withhold, which costs
//! liveness; what it could alter or invent is signed, or proves itself.

use crate::{
    boot::Boot,
    coordinator::{Coordinator, CoordinatorOutput},
    messages::{BootId, Stage, ToNode},
};

impl Coordinator {
    /// A node has started: the others are asked about it.
    pub(crate) fn started(
        &mut self,
        now: u64,
        node: &str,
        boot: Boot,
        output: &mut CoordinatorOutput,
    ) {
        if boot.name != node {
            return output.culprit(node, format!("speaks for {}", boot.name));
        }
        // What a process before this one said comes late. Said again, it is asked about again in its time.
        if self.present(node) == Some(boot.boot) && self.boots.get(node) != Some(&boot) {
            self.boots.insert(node.into(), boot);
            self.relay(now, node, output);
        }
    }

    /// The start under which a node is connected.
    fn present(&self, node: &str) -> Option<BootId> {
        let hello = self.peers.get(node)?.hello.as_ref()?;
        Some(hello.boot)
    }

    /// To the one whom it concerns, if it is there.
    pub(crate) fn pass_on(&self, to: &str, message: ToNode, output: &mut CoordinatorOutput) {
        if self.peers.contains_key(to) {
            output.to(to, message);
        }
    }

    fn waits(&self, node: &str) -> bool {
        self.stage(node) == Some(Stage::Waiting)
    }

    /// A node said where it is: it is told who waits to be welcomed, and of a start under its name that is not its own.
    pub(crate) fn introduce(&mut self, now: u64, node: &str, output: &mut CoordinatorOutput) {
        let again = now.saturating_add(self.patience.share);
        let waits = self.waits(node);
        let Some(peer) = self.peers.get_mut(node) else {
            return;
        };
        peer.greet = waits.then_some(again);
        let own = peer.hello.as_ref().map(|hello| hello.boot);
        for (name, boot) in &self.boots {
            let another = name == node && Some(boot.boot) != own;
            if another || (name != node && self.waits(name)) {
                output.to(node, ToNode::Boot(boot.clone()));
            }
        }
    }

    /// Asks all others about a node that waits, and it about those that wait.
    pub(crate) fn relay(&mut self, now: u64, node: &str, output: &mut CoordinatorOutput) {
        self.introduce(now, node, output);
        if !self.waits(node) {
            return;
        }
        let present = self.present(node);
        let Some(boot) = self
            .boots
            .get(node)
            .filter(|boot| Some(boot.boot) == present)
        else {
            // What it said of its start was lost.
            return output.to(node, ToNode::Ping);
        };
        for name in self.peers.keys().filter(|name| *name != node) {
            output.to(name, ToNode::Boot(boot.clone()));
        }
    }

    /// Whoever still waits is asked about again.
    pub(crate) fn tick_relay(&mut self, now: u64, output: &mut CoordinatorOutput) {
        let late: Vec<String> = self
            .peers
            .iter()
            .filter(|(_, peer)| peer.greet.is_some_and(|at| at <= now))
            .map(|(name, _)| name.clone())
            .collect();
        for node in late {
            self.relay(now, &node, output);
        }
    }
}
