//! The sender's side of messages between executions: their answers, and sending them again.

use std::sync::Arc;

use engine::Namespace;
use engine::execution::{Effect, Input, PeerAnswer};
use store::ExecutionKey;
use uuid::Uuid;

use super::release::Release;
use super::writer::{RESEND_AFTER, Shard};

impl Shard {
    /// A message of this run was answered.
    pub(super) fn peer_answer(
        &mut self,
        namespace: &Arc<Namespace>,
        run_id: Uuid,
        seq: u64,
        answer: PeerAnswer,
    ) {
        self.step_alone(namespace, run_id, Input::PeerAnswer(seq, answer));
    }

    /// A message of this run could not be taken.
    pub(super) fn peer_failed(&mut self, run_id: Uuid, seq: u64) {
        let at = self.now().after(RESEND_AFTER);
        if let Some(key) = self.cache.get_mut(run_id).map(|cell| cell.key.clone()) {
            self.resend.push_back((at, key, seq));
        }
    }

    /// Sends a message again, if it was not answered meanwhile.
    pub(super) fn send_again(&mut self, key: ExecutionKey, seq: u64) {
        let now = self.now();
        // A run with messages under way stays in memory; one that was dropped sends when it is loaded.
        let Some(cell) = self.cache.get_mut(key.run_id) else {
            return;
        };
        let commit = cell.last_commit;
        let mut effects = cell.state.ready(now);
        effects.retain(|effect| matches!(effect, Effect::Send(sent) if sent.seq == seq));
        self.hold(commit, Release::Effects(key, effects));
    }
}
