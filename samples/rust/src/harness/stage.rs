//! What one sample's demo has at hand: workers to start and kill, workflows to start, checks.

use std::fmt::Debug;
use std::time::{Duration, Instant};

use anyhow::{Result, bail};
use temporalio_client::{
    Client, UntypedWorkflow, WorkflowExecutionStatus, WorkflowHandle, WorkflowStartOptions,
    WorkflowTerminateOptions,
};
use temporalio_common::HasWorkflowDefinition;
use temporalio_common::protos::temporal::api::history::v1::HistoryEvent;
use temporalio_common::protos::temporal::api::history::v1::history_event::Attributes;

use super::printer::{Colour, Printer};
use super::worker_process::WorkerProcess;
use crate::outside_world::{Call, World};

/// What all samples of one demo share.
#[derive(Clone)]
pub struct Setting {
    pub client: Client,
    pub address: String,
    pub namespace: String,
    /// Makes ids and task queues unique, so the demo can run again on the same server.
    pub tag: String,
}

/// One sample at work.
pub struct Stage {
    pub checks: usize,
    pub kills: usize,
    pub failures: Vec<String>,
    name: &'static str,
    setting: Setting,
    printer: Printer,
    world: World,
    workers: usize,
    started: Vec<String>,
}

impl Stage {
    pub fn new(name: &'static str, setting: Setting, printer: Printer, world: World) -> Self {
        Self {
            checks: 0,
            kills: 0,
            failures: Vec::new(),
            name,
            setting,
            printer,
            world,
            workers: 0,
            started: Vec::new(),
        }
    }

    /// A workflow id that no other run of the demo uses.
    pub fn id(&self, name: &str) -> String {
        format!("{name}-{}", self.setting.tag)
    }

    /// Tells the reader something.
    pub fn say(&self, text: &str) {
        self.printer.line("demo", text, Some(Colour::Cyan));
    }

    /// Notes whether something holds. The sample goes on either way, and fails at its end.
    pub fn check(&mut self, what: &str, holds: bool) {
        self.checks += 1;
        if holds {
            self.printer.line("ok", what, Some(Colour::Green));
        } else {
            self.printer.line("FAILED", what, Some(Colour::Red));
            self.failures.push(what.to_owned());
        }
    }

    /// Checks that two values are the same.
    pub fn equal<T: PartialEq + Debug>(&mut self, what: &str, actual: &T, expected: &T) {
        if actual == expected {
            self.check(what, true);
        } else {
            self.check(&format!("{what}: expected {expected:?}, found {actual:?}"), false);
        }
    }

    /// Starts a worker process and waits until it polls. `hold_at` is where it stops for good.
    pub async fn start_worker(&mut self, hold_at: &str) -> Result<WorkerProcess> {
        self.workers += 1;
        let identity = format!("worker {}", self.workers);
        let (printer, who, tag) =
            (self.printer, identity.clone(), format!("-{}", self.setting.tag));
        let on_line = move |line: &str| {
            if line != "ready" {
                let retried = line.contains("attempt ") && !line.contains("attempt 1:");
                printer.line(&who, &line.replace(&tag, ""), retried.then_some(Colour::Yellow));
            }
        };
        let task_queue = self.id(self.name);
        let options = [
            ("address", self.setting.address.as_str()),
            ("namespace", &self.setting.namespace),
            ("task-queue", &task_queue),
        ];
        let world = self.world.folder().to_string_lossy();
        let variables = [("SAMPLES_HOLD_AT", hold_at), (World::VARIABLE, &world)];
        let worker = WorkerProcess::start(&identity, &options, &variables, on_line).await?;
        self.printer.line(&identity, &format!("started, process {}", worker.pid), None);
        Ok(worker)
    }

    /// Ends a worker as a crash would.
    pub async fn kill(&mut self, worker: &mut WorkerProcess) -> Result<()> {
        worker.kill().await?;
        self.kills += 1;
        let text = format!("KILLED (kill -9 {})", worker.pid);
        self.printer.line(&worker.identity, &text, Some(Colour::Red));
        Ok(())
    }

    /// Lets a worker end in peace.
    pub async fn stop(&mut self, worker: &mut WorkerProcess) -> Result<()> {
        worker.stop().await?;
        self.printer.line(&worker.identity, "stopped", None);
        Ok(())
    }

    /// Starts a workflow on this sample's task queue.
    pub async fn start<W>(
        &mut self,
        workflow: W,
        input: W::Input,
        id: &str,
    ) -> Result<WorkflowHandle<Client, W>>
    where
        W: HasWorkflowDefinition,
        W::Input: Send,
    {
        let name = workflow.name().to_owned();
        let options = WorkflowStartOptions::new(self.id(self.name), id)
            .execution_timeout(Duration::from_secs(60 * 60))
            .build();
        let handle = self.setting.client.start_workflow(workflow, input, options).await?;
        self.started.push(id.to_owned());
        self.say(&format!("started the workflow {name} as {id}"));
        Ok(handle)
    }

    /// Asks until there is an answer; fails after 20 seconds.
    pub async fn until<T>(
        &self,
        what: &str,
        mut ask: impl AsyncFnMut() -> Result<Option<T>>,
    ) -> Result<T> {
        let began = Instant::now();
        loop {
            if let Some(answer) = ask().await? {
                return Ok(answer);
            }
            if began.elapsed() > Duration::from_secs(20) {
                bail!("waited in vain until {what}");
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    }

    /// Waits until an activity has made this many requests about a subject.
    pub async fn until_called(&self, subject: &str, activity: &str, count: usize) -> Result<()> {
        let what = format!("there are {count} calls of {activity}");
        self.until(&what, async || {
            let calls = self.calls(subject, Some(activity))?;
            Ok((calls.len() >= count).then_some(()))
        })
        .await
    }

    /// The requests that activities made about a subject.
    pub fn calls(&self, subject: &str, activity: Option<&str>) -> Result<Vec<Call>> {
        let mut calls = self.world.calls()?;
        calls.retain(|call| {
            call.subject == subject && activity.is_none_or(|activity| call.activity == activity)
        });
        Ok(calls)
    }

    /// How many attempts of this sample's activities were repetitions.
    pub fn retries(&self) -> usize {
        let calls = self.world.calls().unwrap_or_default();
        calls.iter().filter(|call| call.attempt > 1).count()
    }

    /// The events of a workflow's newest run.
    pub async fn history(&self, id: &str) -> Result<Vec<HistoryEvent>> {
        let handle = self.setting.client.get_workflow_handle::<UntypedWorkflow>(id);
        Ok(handle.fetch_history(Default::default()).into_events().await?)
    }

    /// The attempt that an activity ended with, and who made it, as the workflow's history tells it.
    pub async fn attempts(&self, id: &str, activity: &str) -> Result<(i32, String)> {
        let mut scheduled = 0;
        for event in self.history(id).await? {
            match event.attributes {
                Some(Attributes::ActivityTaskScheduledEventAttributes(attributes))
                    if attributes
                        .activity_type
                        .as_ref()
                        .is_some_and(|kind| kind.name == activity) =>
                {
                    scheduled = event.event_id;
                }
                Some(Attributes::ActivityTaskStartedEventAttributes(started))
                    if scheduled != 0 && started.scheduled_event_id == scheduled =>
                {
                    return Ok((started.attempt, started.identity));
                }
                _ => {}
            }
        }
        bail!("{id} has not started {activity}")
    }

    /// Leaves nothing behind: ends this sample's workflows that are still open.
    pub async fn clear(&self) -> Result<()> {
        for id in &self.started {
            let handle = self.setting.client.get_workflow_handle::<UntypedWorkflow>(id);
            let description = handle.describe(Default::default()).await?;
            if description.status() == WorkflowExecutionStatus::Running {
                let options =
                    WorkflowTerminateOptions::builder().reason("the demo is over").build();
                handle.terminate(options).await?;
            }
        }
        Ok(())
    }
}
