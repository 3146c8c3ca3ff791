//! What the workers of a story do.

use proto::temporal::api::common::v1::WorkerVersionStamp;
use proto::temporal::api::workflowservice::v1::RespondWorkflowTaskFailedRequest;

use super::deployment::say_version;
use super::script::{Fault, Played, Script};
use super::words::Words;
use super::{commands, requests};
use crate::deployment::Version;
use crate::workflow::input::{
    ActivityCompleted, ActivityFailed, ActivityTarget, Input, StartActivityTask, StartWorkflowTask,
    WorkflowTaskCompleted,
};
use crate::workflow::token::{self, WorkflowTaskToken};

impl Script {
    pub(super) fn worker(&mut self, words: &mut Words) -> Played {
        let what = words.verb()?;
        if what == "polls" {
            let run = self.target(words)?;
            let name = words.text("as");
            let version = words.version("version");
            let input = self.claim(run, words, version)?;
            let text = self.step(run, input)?;
            if let (Some(name), Some(task)) = (name, &self.world.runs[run].task) {
                self.workflow_tasks.insert(name, (run, task.token.clone()));
            }
            return Ok(text);
        }
        let version = words.version("version");
        let (run, token) = self.workflow_task(words, version.as_ref())?;
        let input = match what.as_str() {
            "completes" => Input::WorkflowTaskCompleted(Box::new(WorkflowTaskCompleted {
                token,
                request: {
                    let mut request = commands::completion(words);
                    say_version(version.as_ref(), words, &mut request);
                    request
                },
                nexus_endpoints: [("ep".to_owned(), "ep-id".to_owned())].into(),
            })),
            "fails" => {
                let cause = words.text_or("cause", "WorkflowWorkerUnhandledFailure");
                let request = RespondWorkflowTaskFailedRequest {
                    cause: requests::task_failed_cause(&cause),
                    failure: words.text("failure").map(|t| requests::failure_of(&t)),
                    identity: "worker".to_owned(),
                    ..RespondWorkflowTaskFailedRequest::default()
                };
                Input::WorkflowTaskFailed(token, Box::new(request))
            }
            _ => return Err(format!("no verb worker {what}").into()),
        };
        self.step(run, input)
    }

    /// A poller's claim of the last offer, or of what the words say.
    fn claim(
        &mut self,
        run: usize,
        words: &mut Words,
        version: Option<Version>,
    ) -> Result<Input, Fault> {
        let offer = self.world.runs[run].workflow_offer.as_ref();
        let scheduled = words.number("scheduled");
        let attempt = words.number("attempt");
        let normal = words.flag("normal");
        let sticky = words.flag("sticky");
        self.claims += 1;
        let request_id = words.text_or("request", &format!("claim-{}", self.claims));
        Ok(Input::StartWorkflowTask(StartWorkflowTask {
            scheduled_event_id: scheduled
                .or(offer.map(|o| o.scheduled_event_id))
                .ok_or("no workflow task was offered")?,
            attempt: attempt.map_or_else(|| offer.map_or(1, |o| o.attempt), |a| a as i32),
            request_id,
            identity: "worker".to_owned(),
            sticky: sticky || (!normal && offer.is_some_and(|o| o.sticky_queue.is_some())),
            version,
            build: words.text("build").map(build_of),
            directive: offer.map(|o| o.directive.clone()),
        }))
    }

    /// A named task; else the one that is started, which may mean to claim it first.
    fn workflow_task(
        &mut self,
        words: &mut Words,
        version: Option<&Version>,
    ) -> Result<(usize, WorkflowTaskToken), Fault> {
        if let Some(name) = words.text("token") {
            let named = self.workflow_tasks.get(&name).cloned();
            return named.ok_or_else(|| format!("no task {name}").into());
        }
        let run = self.target(words)?;
        let state = &self.world.runs[run].state;
        if state.is_open() && state.started_workflow_task().is_none() {
            let claim = self.claim(run, &mut Words::default(), version.cloned())?;
            if let Err(rejection) = self.world.step(run, claim).map_err(Fault::Broken)? {
                return Err(format!("the claim was refused: {rejection}").into());
            }
        }
        let task = self.world.runs[run].task.as_ref();
        let task = task.ok_or("no task was handed out")?;
        Ok((run, task.token.clone()))
    }

    pub(super) fn activity(&mut self, words: &mut Words) -> Played {
        let what = words.verb()?;
        if what == "starts" {
            let run = self.target(words)?;
            let id = words.text_or("id", "a");
            let name = words.text("as");
            let input = self.activity_claim(run, &id, words)?;
            let text = self.step(run, input)?;
            if let Some(name) = name {
                let token = self.world.runs[run].activity_tokens.get(&id);
                let token = token.ok_or("no token")?.clone();
                self.activity_tasks.insert(name, (run, token));
            }
            return Ok(text);
        }
        let (run, target) = self.activity_task(words)?;
        let identity = "worker".to_owned();
        let worker_version = words.text("build").map(build_of);
        let details = |words: &mut Words| words.text("details").map(|t| requests::payloads(&t));
        let input = match what.as_str() {
            "completes" => {
                let result = words.text("result").map(|text| requests::payloads(&text));
                let completed = ActivityCompleted {
                    result,
                    identity,
                    worker_version,
                };
                Input::ActivityTaskCompleted(target, Box::new(completed))
            }
            "fails" => {
                let failed = ActivityFailed {
                    last_heartbeat_details: details(words),
                    failure: Some(requests::failure(words)),
                    identity,
                    worker_version,
                };
                Input::ActivityTaskFailed(target, Box::new(failed))
            }
            "heartbeats" => Input::ActivityTaskHeartbeat(target, details(words), identity),
            "cancels" => Input::ActivityTaskCanceled(target, details(words), identity),
            _ => return Err(format!("no verb activity {what}").into()),
        };
        self.step(run, input)
    }

    fn activity_claim(&mut self, run: usize, id: &str, words: &mut Words) -> Result<Input, Fault> {
        let run = &self.world.runs[run];
        let known = run.state.activity_ids.get(id).map(|found| found.0);
        let scheduled = words.number("scheduled").or(known);
        let scheduled = scheduled.ok_or("no such activity")?;
        let offer = run.activity_offers.get(&scheduled);
        let offered = offer.map(|offer| i64::from(offer.attempt));
        let attempt = words.number("attempt").or(offered);
        self.claims += 1;
        Ok(Input::StartActivityTask(StartActivityTask {
            scheduled_event_id: scheduled,
            attempt: attempt.ok_or("it was not offered")? as i32,
            stamp: words.number("stamp").map_or_else(
                || offer.map_or(0, |offer| offer.stamp),
                |stamp| stamp as i32,
            ),
            request_id: words.text_or("request", &format!("claim-{}", self.claims)),
            identity: "worker".to_owned(),
            version: words.version("version"),
            directive: offer.map(|offer| offer.directive.clone()),
            sdk: Default::default(),
        }))
    }

    /// By id, by a named token, or by the token of the last start; the attempt is claimed if nobody has it.
    fn activity_task(&mut self, words: &mut Words) -> Result<(usize, ActivityTarget), Fault> {
        let decode = |bytes: &bytes::Bytes| -> Result<ActivityTarget, Fault> {
            let token = token::activity_task(bytes).map_err(|error| error.to_string())?;
            Ok(ActivityTarget::Token(token))
        };
        if let Some(name) = words.text("token") {
            let (run, bytes) = self.activity_tasks.get(&name).ok_or("no such token")?;
            return Ok((*run, decode(bytes)?));
        }
        let run = self.target(words)?;
        let id = words.text_or("id", "a");
        if words.flag("by-id") {
            return Ok((run, ActivityTarget::Id(id)));
        }
        let state = &self.world.runs[run].state;
        let scheduled = state.activity_ids.get(id.as_str());
        let pending = scheduled.and_then(|at| state.activities.get(&at.0));
        if state.is_open() && pending.is_some_and(|a| a.started.is_none()) {
            let claim = self.activity_claim(run, &id, &mut Words::default())?;
            if let Err(rejection) = self.world.step(run, claim).map_err(Fault::Broken)? {
                return Err(format!("the claim was refused: {rejection}").into());
            }
        }
        let token = self.world.runs[run].activity_tokens.get(&id);
        Ok((run, decode(token.ok_or("it was never started")?)?))
    }
}

fn build_of(build_id: String) -> WorkerVersionStamp {
    WorkerVersionStamp {
        build_id,
        use_versioning: false,
    }
}
