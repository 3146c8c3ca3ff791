//! Questions to workflows, as far as the shard has to do with them: where they must go, and the one
//! that waits for a workflow task.

use engine::rejection::Rejection;
use engine::workflow::query::{Route, route};
use uuid::Uuid;

use super::CallError;
use super::cell::BufferedQuery;
use super::message::{QueryAnswer, QueryCall};
use super::release::Release;
use super::writer::Shard;

/// The wire's text when a run has a question that waits already (behaviour, section 3.6).
const BUFFER_FULL: &str = "consistent query buffer is full, this may be caused by too many queries and workflow \
                           not able to process query fast enough";

impl Shard {
    /// Routes a question, or lets it wait for the next workflow task.
    pub(super) fn query(&mut self, run_id: Uuid, call: QueryCall) {
        let Some(cell) = self.cache.get_mut(run_id) else {
            return;
        };
        let commit = cell.last_commit;
        let Some(state) = cell.state.workflow() else {
            // Questions are addressed to workflows.
            return;
        };
        let answer = match route(state, call.reject_condition, call.deadline) {
            Err(rejection) => Err(CallError::Rejected(rejection)),
            Ok(Route::Rejected(status)) => Ok(QueryAnswer::Rejected(status)),
            Ok(Route::Direct {
                task_queue,
                sticky,
                directive,
            }) => Ok(QueryAnswer::Direct {
                run_id,
                task_queue,
                sticky,
                directive,
            }),
            Ok(Route::WithWorkflowTask) => {
                let waiting = cell.waiting_mut();
                if waiting.query.is_none() {
                    waiting.query = Some(BufferedQuery {
                        id: call.id,
                        query: call.query,
                        answer: call.answer,
                    });
                    return;
                }
                Err(CallError::Rejected(Rejection::BusyWorkflow(
                    BUFFER_FULL.to_owned(),
                )))
            }
        };
        self.hold(commit, Release::Query(call.answer, answer));
    }
}
