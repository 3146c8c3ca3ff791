//! Whether the cost of a transition grows with what is pending or past: the same rounds are made on a
//! fresh workflow, on one with thousands of activities in flight, and on one with a long history.
//!
//! One round after the other, each with the same calls, so that the server's CPU per round can be
//! compared. Workflow tasks come on a sticky queue, as an SDK's worker gets them.

use std::sync::Arc;
use std::time::{Duration, Instant};

use bytes::Bytes;
use proto::temporal::api::command::v1::Command;
use proto::temporal::api::taskqueue::v1::TaskQueue;
use proto::temporal::api::workflowservice::v1::PollWorkflowTaskQueueResponse;
use tokio::sync::mpsc;
use tokio::task::JoinHandle;

use crate::api::{completion, normal_queue, sticky_queue};
use crate::commands::{command, marker};
use crate::context::Context;
use crate::error::Error;
use crate::meter::Phase;
use crate::script::{Script, Step};
use crate::stats::Latencies;

/// Rounds, without being asked for another number.
const DEFAULT_ROUNDS: u64 = 500;
/// Activities in flight, without being asked for another number: as many as Temporal allows.
const DEFAULT_PENDING: u64 = 2_000;
/// Events in one completion of a workflow task.
const MARKERS_AT_ONCE: u64 = 1_000;

/// Measures each workflow in turn.
pub(crate) async fn run(context: &Arc<Context>) -> Result<Vec<Phase>, Error> {
    let rounds = context.options.workflows.unwrap_or(DEFAULT_ROUNDS);
    let pending = context.options.size.unwrap_or(DEFAULT_PENDING);
    let events = context.options.events;
    let mut phases = Vec::new();
    for (name, pending, events) in [
        (String::from("fresh"), 1, 0),
        (format!("{pending} activities"), pending, 0),
        (format!("{events} events"), 1, events),
    ] {
        // Every workflow has a task queue of its own, so that none takes another's tasks.
        let mut desk = Desk::open(context, &format!("{}-{pending}-{events}", context.queue));
        desk.set_up(pending, events).await?;
        let rounds = rounds.max(1);
        phases.push(desk.measure(Round::Signal, &name, rounds).await?);
        phases.push(desk.measure(Round::Activity, &name, rounds).await?);
    }
    Ok(phases)
}

/// What one round does. Either way a workflow task follows, and is completed.
#[derive(Clone, Copy)]
enum Round {
    /// A signal.
    Signal,
    /// An activity is taken and completed; the workflow task schedules another.
    Activity,
}

/// One workflow, and all its tasks.
struct Desk {
    context: Arc<Context>,
    workflow_id: String,
    queue: String,
    sticky: TaskQueue,
    tasks: mpsc::Receiver<PollWorkflowTaskQueueResponse>,
    pollers: Vec<JoinHandle<()>>,
    next_activity: u64,
    next_signal: u64,
}

impl Desk {
    fn open(context: &Arc<Context>, queue: &str) -> Self {
        let (sender, tasks) = mpsc::channel(1);
        let sticky = sticky_queue(&format!("{queue}-sticky"), queue);
        let pollers = [normal_queue(queue), sticky.clone()]
            .map(|queue| tokio::spawn(poll(Arc::clone(context), queue, sender.clone())));
        Self {
            context: Arc::clone(context),
            workflow_id: String::new(),
            queue: queue.to_owned(),
            sticky,
            tasks,
            pollers: pollers.into(),
            next_activity: 0,
            next_signal: 0,
        }
    }

    /// Starts the workflow and makes it as wide and as long as asked.
    async fn set_up(&mut self, pending: u64, events: u64) -> Result<(), Error> {
        let (workflow_id, plan) = self.context.new_workflow(Script::Open { timer: false });
        self.context
            .client
            .start(&self.queue, &workflow_id, &plan)
            .await?;
        self.workflow_id = workflow_id;
        let mut left = events;
        while left > 0 {
            let count = left.min(MARKERS_AT_ONCE);
            let token = self.next_task().await?;
            self.complete(token, (0..count).map(|_| marker()).collect(), true)
                .await?;
            left -= count;
        }
        let token = self.next_task().await?;
        let activities = (0..pending).map(|_| self.activity()).collect();
        self.complete(token, activities, false).await
    }

    async fn measure(&mut self, round: Round, name: &str, rounds: u64) -> Result<Phase, Error> {
        // The first rounds fill caches and bring the sticky queue to life.
        for _ in 0..rounds.div_ceil(10) {
            self.round(round).await?;
        }
        let meter = self.context.meter()?;
        let mut latencies = Latencies::default();
        for _ in 0..rounds {
            let begun = Instant::now();
            self.round(round).await?;
            latencies.record(begun.elapsed());
        }
        let what = match round {
            Round::Signal => "signal",
            Round::Activity => "activity",
        };
        self.context
            .finish(meter, format!("{name}: {what}"), "round", &latencies)
    }

    async fn round(&mut self, round: Round) -> Result<(), Error> {
        let client = &self.context.client;
        let commands = match round {
            Round::Signal => {
                client.signal(&self.workflow_id, self.next_signal).await?;
                self.next_signal += 1;
                vec![]
            }
            Round::Activity => {
                let task = client.poll_activity_task(&self.queue).await?;
                if task.task_token.is_empty() {
                    return Err(Error::Unusable(String::from("no activity task came")));
                }
                client
                    .complete_activity_task(task.task_token, task.input)
                    .await?;
                vec![self.activity()]
            }
        };
        let token = self.next_task().await?;
        self.complete(token, commands, false).await
    }

    fn activity(&mut self) -> Command {
        let step = Step::Schedule(self.next_activity);
        self.next_activity += 1;
        command(&step, &self.queue)
    }

    async fn next_task(&mut self) -> Result<Bytes, Error> {
        let patience = Duration::from_secs(self.context.options.result_timeout);
        let task = tokio::time::timeout(patience, self.tasks.recv()).await;
        match task {
            Ok(Some(task)) => Ok(task.task_token),
            Ok(None) => Err(Error::Unusable(String::from("the pollers are gone"))),
            Err(_) => {
                let what = format!("a workflow task of {}", self.workflow_id);
                Err(Error::Timeout {
                    what,
                    waited: patience,
                })
            }
        }
    }

    async fn complete(
        &self,
        token: Bytes,
        commands: Vec<Command>,
        and_again: bool,
    ) -> Result<(), Error> {
        let mut request = completion(token, commands, Some(self.sticky.clone()));
        request.force_create_new_workflow_task = and_again;
        self.context.client.complete_workflow_task(request).await
    }
}

impl Drop for Desk {
    fn drop(&mut self) {
        for poller in &self.pollers {
            poller.abort();
        }
    }
}

async fn poll(
    context: Arc<Context>,
    queue: TaskQueue,
    tasks: mpsc::Sender<PollWorkflowTaskQueueResponse>,
) {
    loop {
        match context.client.poll_workflow_task(queue.clone()).await {
            Ok(task) if task.task_token.is_empty() => {}
            Ok(task) => {
                if tasks.send(task).await.is_err() {
                    return;
                }
            }
            Err(error) => {
                context.ledger.worker_error(&error);
                tokio::time::sleep(Duration::from_millis(100)).await;
            }
        }
    }
}
