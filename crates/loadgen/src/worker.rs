//! The worker side: long-polls for tasks and answers them by the script.

use std::collections::{BTreeMap, HashMap};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use proto::temporal::api::common::v1::WorkflowExecution;
use proto::temporal::api::enums::v1::QueryResultType;
use proto::temporal::api::history::v1::HistoryEvent;
use proto::temporal::api::query::v1::{WorkflowQuery, WorkflowQueryResult};
use proto::temporal::api::taskqueue::v1::TaskQueue;
use proto::temporal::api::workflowservice::v1::{
    PollActivityTaskQueueResponse, PollWorkflowTaskQueueResponse,
};
use tokio::task::JoinHandle;

use crate::api::{self, completion};
use crate::commands::command;
use crate::context::Context;
use crate::error::Error;
use crate::payload;
use crate::progress::{Progress, signals_after};
use crate::script::{Plan, Step, decide};
use crate::updates;

/// How long a poller rests after a poll that failed.
const REST: Duration = Duration::from_millis(100);

/// Pollers, which stop when this is dropped.
pub(crate) struct Worker {
    pollers: Vec<JoinHandle<()>>,
}

/// What the pollers of one worker share.
struct Shared {
    context: Arc<Context>,
    /// The worker's own queue, if it asks for one.
    sticky: Option<TaskQueue>,
    /// Progress of workflows whose tasks come on the sticky queue, by run id.
    cache: Mutex<HashMap<String, Progress>>,
}

impl Worker {
    /// Starts pollers for workflow and activity tasks.
    pub(crate) fn start(context: &Arc<Context>) -> Self {
        let queue = api::normal_queue(&context.queue);
        let sticky_name = format!("{}-sticky-{}", context.queue, uuid::Uuid::new_v4().simple());
        let sticky = context
            .options
            .sticky
            .then(|| api::sticky_queue(&sticky_name, &context.queue));
        let shared = Arc::new(Shared {
            context: Arc::clone(context),
            sticky: sticky.clone(),
            cache: Mutex::default(),
        });
        let mut pollers = Vec::new();
        for _ in 0..context.options.poller_count() {
            pollers.push(tokio::spawn(
                Arc::clone(&shared).poll_workflow_tasks(queue.clone()),
            ));
            pollers.push(tokio::spawn(Arc::clone(&shared).poll_activity_tasks()));
            if let Some(sticky) = sticky.clone() {
                pollers.push(tokio::spawn(
                    Arc::clone(&shared).poll_workflow_tasks(sticky),
                ));
            }
        }
        Self { pollers }
    }
}

impl Drop for Worker {
    fn drop(&mut self) {
        for poller in &self.pollers {
            poller.abort();
        }
    }
}

impl Shared {
    async fn poll_workflow_tasks(self: Arc<Self>, queue: TaskQueue) {
        loop {
            let handled = match self.context.client.poll_workflow_task(queue.clone()).await {
                Ok(task) if task.task_token.is_empty() => Ok(()),
                Ok(task) => self.handle_workflow_task(task).await,
                Err(error) => {
                    tokio::time::sleep(REST).await;
                    Err(error)
                }
            };
            if let Err(error) = handled {
                self.context.ledger.worker_error(&error);
            }
        }
    }

    async fn poll_activity_tasks(self: Arc<Self>) {
        loop {
            let context = &self.context;
            let handled = match context.client.poll_activity_task(&context.queue).await {
                Ok(task) if task.task_token.is_empty() => Ok(()),
                Ok(task) => self.handle_activity_task(task).await,
                Err(error) => {
                    tokio::time::sleep(REST).await;
                    Err(error)
                }
            };
            if let Err(error) = handled {
                context.ledger.worker_error(&error);
            }
        }
    }

    async fn handle_activity_task(&self, task: PollActivityTaskQueueResponse) -> Result<(), Error> {
        let execution = task.workflow_execution.unwrap_or_default();
        // A job is its own workflow.
        let id = match execution.workflow_id.as_str() {
            "" => task.activity_id.as_str(),
            id => id,
        };
        self.context.ledger.executed(id);
        self.context
            .client
            .complete_activity_task(task.task_token, task.input)
            .await
    }

    async fn handle_workflow_task(&self, task: PollWorkflowTaskQueueResponse) -> Result<(), Error> {
        let ledger = &self.context.ledger;
        let execution = task.workflow_execution.clone().unwrap_or_default();
        let (mut progress, seen_before) = self.progress(&task, &execution).await?;
        for problem in &progress.problems {
            ledger.anomaly(format!("{}: {problem}", execution.workflow_id));
        }
        let Some(plan) = progress.plan.clone() else {
            return Err(Error::Unusable(String::from(
                "a task without the workflow's input",
            )));
        };
        if let Some(query) = &task.query {
            self.remember(&execution, progress);
            let answer = answer(&plan, query);
            return self
                .context
                .client
                .answer_query(task.task_token, answer)
                .await;
        }
        let events = task
            .history
            .as_ref()
            .map_or(&[][..], |history| &history.events);
        for number in signals_after(events, seen_before) {
            ledger.saw_signal(&execution.workflow_id, number);
        }
        let updates = updates::answer(&plan, &task.messages).map_err(Error::Unusable)?;
        let before = progress.updates.clone();
        for number in &updates.numbers {
            if !progress.updates.insert(*number) {
                ledger.anomaly(format!(
                    "{}: update {number} came twice",
                    execution.workflow_id
                ));
            }
        }
        let steps = decide(&plan, &progress);
        // The history will tell of them.
        progress.updates = before;
        let completes = steps.iter().any(|step| matches!(step, Step::Complete(_)));
        if !completes {
            // Before the answer: the next task may be here before the call returns.
            self.remember(&execution, progress);
        }
        let steps = steps.iter().map(|step| command(step, &self.context.queue));
        let commands = updates.commands.into_iter().chain(steps).collect();
        let mut request = completion(task.task_token, commands, self.sticky.clone());
        request.messages = updates.messages;
        request.query_results = answers(&plan, &task.queries);
        self.context.client.complete_workflow_task(request).await?;
        if seen_before == 0 {
            ledger.first_tasks.send_modify(|count| *count += 1);
        }
        if completes {
            ledger.completions.send_modify(|count| *count += 1);
        }
        Ok(())
    }

    /// How far the workflow came, and the event up to which an earlier task saw it.
    async fn progress(
        &self,
        task: &PollWorkflowTaskQueueResponse,
        execution: &WorkflowExecution,
    ) -> Result<(Progress, i64), Error> {
        let seen_before = task.previous_started_event_id;
        let events = task
            .history
            .as_ref()
            .map_or(&[][..], |history| &history.events);
        let cached = self.recall(execution).filter(|cached| {
            events
                .first()
                .is_none_or(|first| first.event_id == cached.last_event_id + 1)
        });
        let from_start = events.first().is_some_and(|first| first.event_id == 1);
        let mut progress = Progress::default();
        if from_start {
            fold(&mut progress, events);
            self.fold_pages(&mut progress, execution, task.next_page_token.clone())
                .await?;
        } else if let Some(cached) = cached {
            progress = cached;
            fold(&mut progress, events);
        } else {
            // The worker knows nothing of the run: it reads the history from its start.
            let (events, token) = self
                .context
                .client
                .history_page(execution, "".into())
                .await?;
            fold(&mut progress, &events);
            self.fold_pages(&mut progress, execution, token).await?;
        }
        Ok((progress, seen_before))
    }

    async fn fold_pages(
        &self,
        progress: &mut Progress,
        execution: &WorkflowExecution,
        mut token: bytes::Bytes,
    ) -> Result<(), Error> {
        while !token.is_empty() {
            let (events, next) = self.context.client.history_page(execution, token).await?;
            fold(progress, &events);
            token = next;
        }
        Ok(())
    }

    fn recall(&self, execution: &WorkflowExecution) -> Option<Progress> {
        self.sticky.as_ref()?;
        self.cache
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .remove(&execution.run_id)
    }

    fn remember(&self, execution: &WorkflowExecution, progress: Progress) {
        if self.sticky.is_some() {
            let mut cache = self.cache.lock().unwrap_or_else(PoisonError::into_inner);
            cache.insert(execution.run_id.clone(), progress);
        }
    }
}

fn fold(progress: &mut Progress, events: &[HistoryEvent]) {
    for event in events {
        progress.apply(event);
    }
}

/// The answer to a query: the workflow's echo and the query's argument.
fn answer(plan: &Plan, query: &WorkflowQuery) -> proto::temporal::api::common::v1::Payloads {
    let argument: Option<String> = payload::to_json(query.query_args.as_ref());
    payload::of_json(&format!("{}/{}", plan.echo, argument.unwrap_or_default()))
}

fn answers(
    plan: &Plan,
    queries: &BTreeMap<String, WorkflowQuery>,
) -> BTreeMap<String, WorkflowQueryResult> {
    let result = |query| WorkflowQueryResult {
        result_type: QueryResultType::Answered.into(),
        answer: Some(answer(plan, query)),
        ..Default::default()
    };
    queries
        .iter()
        .map(|(id, query)| (id.clone(), result(query)))
        .collect()
}
