//! Who waits in memory: queries for their answers, updates for their outcomes. All of it may be forgotten in a crash: whoever asked
//! asks again.
//!
//! - [`query`]: the way of a query, from the caller's side.
//! - [`update`]: the way of an update.

mod query;
mod update;

use std::sync::{Arc, Weak};

use engine::deployment::Directive;
use engine::rejection::Rejection;
use hashbrown::HashMap;
use proto::temporal::api::query::v1::{WorkflowQuery, WorkflowQueryResult};
use store::ExecutionKey;
use tokio::sync::oneshot;
use uuid::Uuid;

use crate::matching::Matching;
use crate::sync::{Mutex, lock};

pub(crate) use self::query::query;
pub use self::update::{UpdateWait, UpdateWithStartError, Updated};

/// A query that a worker is to answer on its own, without a workflow task.
#[derive(Debug)]
pub struct QueryTask {
    /// The server's number for it; the task's token carries it.
    pub id: Uuid,
    /// The execution.
    pub key: ExecutionKey,
    /// The question.
    pub query: WorkflowQuery,
    /// The version of worker that can answer.
    pub directive: Directive,
    answer: Mutex<Option<oneshot::Sender<WorkflowQueryResult>>>,
}

impl QueryTask {
    /// Whether the caller still waits, so that a worker's effort is not for nothing.
    pub fn is_awaited(&self) -> bool {
        lock(&self.answer)
            .as_ref()
            .is_some_and(|answer| !answer.is_closed())
    }
}

/// Queries that wait for a worker's answer. Cheap to clone.
#[derive(Debug, Clone, Default)]
pub struct Queries {
    under_way: Arc<Mutex<HashMap<Uuid, Weak<QueryTask>>>>,
}

impl Queries {
    /// Waits for the answer to a query; until the place is dropped.
    fn wait(
        &self,
        key: ExecutionKey,
        query: WorkflowQuery,
        directive: Directive,
        matching: &Matching,
    ) -> (Place, oneshot::Receiver<WorkflowQueryResult>) {
        let (answer, receiver) = oneshot::channel();
        let id = Uuid::new_v4();
        let task = Arc::new(QueryTask {
            id,
            key,
            query,
            directive,
            answer: Mutex::new(Some(answer)),
        });
        lock(&self.under_way).insert(id, Arc::downgrade(&task));
        (
            Place {
                task,
                queries: self.clone(),
                matching: matching.clone(),
            },
            receiver,
        )
    }

    /// A worker's answer.
    ///
    /// # Errors
    /// [`Rejection::NotFound`] when nobody waits for it any more.
    pub fn answer(&self, id: Uuid, result: WorkflowQueryResult) -> Result<(), Rejection> {
        let task = lock(&self.under_way).get(&id).and_then(Weak::upgrade);
        let answer = task.and_then(|task| lock(&task.answer).take());
        answer
            .and_then(|answer| answer.send(result).ok())
            .ok_or_else(|| {
                Rejection::NotFound("query task not found, or already expired".to_owned())
            })
    }
}

/// The place of one that waits.
struct Place {
    task: Arc<QueryTask>,
    queries: Queries,
    matching: Matching,
}

impl Drop for Place {
    fn drop(&mut self) {
        lock(&self.queries.under_way).remove(&self.task.id);
        self.matching.withdraw(self.task.id, 0);
    }
}
