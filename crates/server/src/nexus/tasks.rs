//! Requests to Nexus handlers that wait for a worker's answer. All of it may be forgotten in a crash: who
//! asked asks again.

use std::sync::{Arc, Weak};

use engine::nexus::answer::Answer;
use engine::rejection::Rejection;
use hashbrown::HashMap;
use proto::temporal::api::nexus::v1::Request;
use tokio::sync::oneshot;
use tokio::time::{Instant, timeout_at};
use uuid::Uuid;

use crate::matching::Matching;
use crate::sync::{Mutex, lock};

/// A request that a worker is to carry out.
#[derive(Debug)]
pub struct NexusTask {
    /// The server's number for it; the task's token carries it.
    pub id: Uuid,
    /// Whose workers it is for.
    pub namespace: Uuid,
    /// The queue that they poll.
    pub task_queue: Arc<str>,
    /// What is asked for.
    pub request: Request,
    /// The answer must be there by then.
    pub deadline: Instant,
    answer: Mutex<Option<oneshot::Sender<Answer>>>,
}

impl NexusTask {
    /// Whether the caller still waits, so that a worker's effort is not for nothing.
    pub fn is_awaited(&self) -> bool {
        let waits = lock(&self.answer)
            .as_ref()
            .is_some_and(|answer| !answer.is_closed());
        waits && Instant::now() < self.deadline
    }
}

/// Requests that wait for a worker's answer. Cheap to clone.
#[derive(Debug, Clone, Default)]
pub struct NexusTasks {
    under_way: Arc<Mutex<HashMap<Uuid, Weak<NexusTask>>>>,
}

impl NexusTasks {
    /// Has a worker carry out a request, and waits for its answer until the deadline.
    pub async fn dispatch(
        &self,
        matching: &Matching,
        namespace: Uuid,
        task_queue: &str,
        request: Request,
        deadline: Instant,
    ) -> Answer {
        let (answer, receiver) = oneshot::channel();
        let task = Arc::new(NexusTask {
            id: Uuid::new_v4(),
            namespace,
            task_queue: task_queue.into(),
            request,
            deadline,
            answer: Mutex::new(Some(answer)),
        });
        lock(&self.under_way).insert(task.id, Arc::downgrade(&task));
        let place = Place {
            task,
            tasks: self,
            matching,
        };
        matching.offer_nexus_task(&place.task);
        match timeout_at(deadline, receiver).await {
            Ok(Ok(answer)) => answer,
            // The place holds the other end as long as this waits.
            Ok(Err(_)) | Err(_) => Answer::TimedOut,
        }
    }

    /// A worker's answer.
    ///
    /// # Errors
    /// [`Rejection::NotFound`] when nobody waits for it any more.
    pub fn answer(&self, id: Uuid, answer: Answer) -> Result<(), Rejection> {
        let task = lock(&self.under_way).get(&id).and_then(Weak::upgrade);
        let to = task.and_then(|task| lock(&task.answer).take());
        to.and_then(|to| to.send(answer).ok()).ok_or_else(|| {
            Rejection::NotFound("Nexus task not found or already expired".to_owned())
        })
    }
}

/// The place of one that waits.
struct Place<'a> {
    task: Arc<NexusTask>,
    tasks: &'a NexusTasks,
    matching: &'a Matching,
}

impl Drop for Place<'_> {
    fn drop(&mut self) {
        lock(&self.tasks.under_way).remove(&self.task.id);
        self.matching.withdraw(self.task.id, 0);
    }
}
