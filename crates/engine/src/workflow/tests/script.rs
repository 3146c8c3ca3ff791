//! Carries out the inputs of a story and says what happened. The verbs are those of [`Script::play`].

use std::collections::BTreeMap;

use proto::temporal::api::workflowservice::v1::{
    SignalWorkflowExecutionRequest, TerminateWorkflowExecutionRequest,
};

use super::show::{Line, Show};
use super::show_event;
use super::words::{Words, span};
use super::world::{Broken, Delivered, Mail, World};
use super::{operator, requests, updates};
use crate::rejection::Rejection;
use crate::time::Timestamp;
use crate::workflow::input::{Input, RequestCancel};
use crate::workflow::token::WorkflowTaskToken;
use crate::workflow::transition::{Reply, WorkflowTaskCompletedReply};
use crate::workflow::{StartInput, StartReply, describe, query, unstored_events};

/// One story under way.
pub(super) struct Script {
    pub(super) world: World,
    /// Tasks and tokens that the story gave a name.
    pub(super) workflow_tasks: BTreeMap<String, (usize, WorkflowTaskToken)>,
    pub(super) activity_tasks: BTreeMap<String, (usize, bytes::Bytes)>,
    last_delivered: Option<Mail>,
    /// Nobody reads what happened.
    pub(super) quiet: bool,
    pub(super) claims: u32,
}

/// What an input did, as text.
pub(super) type Played = Result<String, Fault>;

/// Why an input was not carried out.
#[derive(Debug)]
pub(super) enum Fault {
    /// The line makes no sense here.
    Line(String),
    /// An invariant does not hold.
    Broken(Broken),
}

impl From<String> for Fault {
    fn from(text: String) -> Self {
        Self::Line(text)
    }
}

impl From<&str> for Fault {
    fn from(text: &str) -> Self {
        Self::Line(text.to_owned())
    }
}

impl std::fmt::Display for Fault {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Line(text) => write!(f, "{text}"),
            Self::Broken(text) => write!(f, "broken: {text}"),
        }
    }
}

impl Script {
    pub(super) fn new() -> Self {
        Self {
            world: World::new(7),
            workflow_tasks: BTreeMap::new(),
            activity_tasks: BTreeMap::new(),
            last_delivered: None,
            quiet: false,
            claims: 0,
        }
    }

    /// Carries out one line.
    pub(super) fn play(&mut self, line: &str) -> Played {
        let mut words = Words::parse(line)?;
        let verb = words.verb()?;
        let out = match verb.as_str() {
            "limits" => {
                requests::limits(&mut words, &mut self.world.limits);
                Ok(String::new())
            }
            "start" => self.start(&mut words),
            "start-scheduled" => self.start_scheduled(&mut words),
            "stop-action" => self.stop_action(&mut words),
            "signal-with-start" => self.signal_with_start(&mut words),
            "signal" => self.signal(&mut words),
            "update" => self.update(&mut words),
            "update-with-start" => self.update_with_start(&mut words),
            "stage" => self.stage(&mut words),
            "readmit" => self.readmit(&mut words),
            "cancel" => self.cancel(&mut words),
            "terminate" => self.terminate(&mut words),
            "delete" => {
                let run = self.target(&mut words)?;
                self.step(run, Input::Delete)
            }
            "reset-sticky" => {
                let run = self.target(&mut words)?;
                self.step(run, Input::ResetStickyTaskQueue)
            }
            "worker" => self.worker(&mut words),
            "activity" => self.activity(&mut words),
            "reset" => {
                let run = self.target(&mut words)?;
                let request = operator::reset(&mut words);
                let outcome = self.world.reset(run, request).map_err(Fault::Broken)?;
                Ok(outcome.map_or_else(|rejection| self.rejected(&rejection), |_| String::new()))
            }
            "update-options" | "pause" | "unpause" | "pause-activity" | "unpause-activity"
            | "reset-activity" | "update-activity" => {
                let run = self.target(&mut words)?;
                let input = operator::input(&verb, &mut words);
                self.step(run, input)
            }
            "deployment" => self.deployment(&mut words),
            "nexus" => self.nexus(&mut words),
            "callback" => self.callback(&mut words),
            "clock" => self.clock(&mut words),
            "deadline" => {
                let run = self.target(&mut words)?;
                self.step(run, Input::Deadline)
            }
            "crash" => {
                let back = words.span("back").unwrap_or_default();
                let crashed = self.world.crash(back).map_err(Fault::Broken);
                crashed.map(|()| String::new())
            }
            "deliver" => self.deliver(&mut words),
            "lose" => self
                .world
                .mail
                .pop_front()
                .map(|_| String::new())
                .ok_or("no mail".into()),
            "resend" => {
                self.world.resend();
                Ok(String::new())
            }
            "describe" => self.describe(&mut words),
            "unstored" => self.unstored(&mut words),
            "query" => self.query(&mut words),
            _ => Err(format!("no verb {verb}").into()),
        }?;
        words.end()?;
        Ok(self.drain() + &out)
    }

    /// Everything that happened and was not shown, and the deadlines that moved.
    fn drain(&mut self) -> String {
        let mut out = String::new();
        let world = &mut self.world;
        let happened = std::mem::take(&mut world.happened);
        if self.quiet {
            return String::new();
        }
        let mut shown = 0;
        for step in happened {
            let show = Show::new(&world.runs, world.now);
            let text = show.step(&step);
            if !text.is_empty() && step.run != shown {
                out.push_str(&format!("in {}:\n", world.runs[step.run].label));
                shown = step.run;
            }
            out.push_str(&text);
        }
        for run in 0..world.runs.len() {
            let text = deadline(world, run);
            if !text.is_empty() && run != shown {
                out.push_str(&format!("in {}:\n", world.runs[run].label));
                shown = run;
            }
            out.push_str(&text);
        }
        out
    }

    /// The run that is meant: `wf=` a workflow id, or a run's label; without it the first workflow.
    pub(super) fn target(&mut self, words: &mut Words) -> Result<usize, Fault> {
        let runs = &self.world.runs;
        let Some(name) = words.text("wf") else {
            let first = runs.first().ok_or("no run")?.state.workflow_id.clone();
            return self.world.current(&first).ok_or_else(|| "no run".into());
        };
        let first_run = name.strip_suffix("/1");
        let labelled = runs.iter().position(|run| {
            first_run.map_or(run.label == name && name.contains('/'), |id| {
                run.label == id
            })
        });
        labelled
            .or_else(|| self.world.current(&name))
            .ok_or_else(|| format!("no run {name}").into())
    }

    pub(super) fn step(&mut self, run: usize, input: Input) -> Played {
        let outcome = self.world.step(run, input).map_err(Fault::Broken)?;
        Ok(match outcome {
            Ok(reply) => self.reply(&reply),
            Err(rejection) => self.rejected(&rejection),
        })
    }

    fn show(&self) -> Show<'_> {
        Show::new(&self.world.runs, self.world.now)
    }

    fn rejected(&self, rejection: &Rejection) -> String {
        let name = format!("{rejection:?}");
        let end = name
            .find(|c: char| !c.is_alphanumeric())
            .unwrap_or(name.len());
        let mut text = format!("rejected {}: {rejection}\n", &name[..end]);
        if let Rejection::AlreadyStarted {
            start_request_id,
            run_id,
            first_execution_run_id,
            ..
        } = rejection
        {
            text.push_str(&format!(
                "  start_request={start_request_id} run={run_id} first={first_execution_run_id}\n"
            ));
        }
        self.show().masked(&text)
    }

    fn reply(&self, reply: &Reply) -> String {
        match reply {
            Reply::Done | Reply::Signaled | Reply::ActivityTaskFailed | Reply::PeerAnswer(_) => {
                String::new()
            }
            Reply::Update(stage) => format!("update {}\n", updates::stage(stage)),
            Reply::WorkflowTask(task) => self.show().workflow_task(task),
            Reply::ActivityTask(task) => self.show().activity_task(task),
            Reply::WorkflowTaskCompleted(reply) => self.completed_reply(reply),
            Reply::Heartbeat {
                cancel_requested,
                activity_paused,
                activity_reset,
            } => {
                let mut line = Line(format!("reply cancel_requested={cancel_requested}"));
                line.flag("paused", *activity_paused);
                line.flag("reset", *activity_reset);
                line.0 + "\n"
            }
            Reply::WorkflowOptions(options, changed) => {
                let mut line = Line("reply".to_owned());
                show_event::workflow_options(
                    &mut line,
                    options.versioning_override.as_ref(),
                    options.priority.as_ref(),
                );
                line.flag("unchanged", changed.is_none());
                line.0 + "\n"
            }
            Reply::ActivityOptions(options) => {
                let mut line = Line("reply".to_owned());
                show_event::options(&mut line, options);
                line.0 + "\n"
            }
        }
    }

    fn completed_reply(&self, reply: &WorkflowTaskCompletedReply) -> String {
        let task = reply.workflow_task.as_ref();
        let mut text = task.map_or_else(String::new, |task| self.show().workflow_task(task));
        for task in &reply.activity_tasks {
            text.push_str(&self.show().activity_task(task));
        }
        if reply.reset_history_event_id > 0 {
            text += &format!("reply reset={}\n", reply.reset_history_event_id);
        }
        text
    }

    pub(super) fn started(&self, reply: Result<StartReply, Rejection>) -> String {
        let reply = match reply {
            Ok(reply) => reply,
            Err(rejection) => return self.rejected(&rejection),
        };
        let mut text = String::new();
        let last = self.world.runs.last();
        let new = self.world.happened.iter().any(|step| {
            step.record
                .as_ref()
                .is_some_and(|_| step.run + 1 == self.world.runs.len())
                && self.world.runs[step.run].journal.len() == 1
        });
        if !(new && last.is_some_and(|run| run.state.run_id == reply.run_id) && reply.started) {
            text = format!(
                "reply started={} run={} first={} status={:?}\n",
                reply.started, reply.run_id, reply.first_execution_run_id, reply.status
            );
        }
        if let Some(task) = &reply.eager_workflow_task {
            text.push_str(&self.show().workflow_task(task));
        }
        self.show().masked(&text)
    }

    fn start(&mut self, words: &mut Words) -> Played {
        let callbacks = self.callbacks(words)?;
        let mut request = requests::start(words);
        request.completion_callbacks = callbacks;
        let id = request.workflow_id.clone();
        let reply = self
            .world
            .start(&id, StartInput::Start(Box::new(request)))
            .map_err(Fault::Broken)?;
        if let (Ok(reply), Some(run)) = (&reply, self.world.current(&id))
            && reply.eager_workflow_task.is_some()
        {
            self.world.runs[run]
                .task
                .clone_from(&reply.eager_workflow_task);
        }
        Ok(self.started(reply))
    }

    fn signal_with_start(&mut self, words: &mut Words) -> Played {
        let request = requests::signal_with_start(words);
        let id = request.workflow_id.clone();
        let input = StartInput::SignalWithStart(Box::new(request));
        let reply = self.world.start(&id, input).map_err(Fault::Broken)?;
        Ok(self.started(reply))
    }

    fn signal(&mut self, words: &mut Words) -> Played {
        let run = self.target(words)?;
        let request = SignalWorkflowExecutionRequest {
            signal_name: words.text_or("name", "s"),
            input: words.text("input").map(|text| requests::payloads(&text)),
            request_id: words.text_or("request", ""),
            ..SignalWorkflowExecutionRequest::default()
        };
        self.step(run, Input::Signal(Box::new(request)))
    }

    fn cancel(&mut self, words: &mut Words) -> Played {
        let run = self.target(words)?;
        let request = RequestCancel {
            reason: words.text_or("reason", ""),
            ..RequestCancel::default()
        };
        self.step(run, Input::RequestCancel(request))
    }

    fn terminate(&mut self, words: &mut Words) -> Played {
        let run = self.target(words)?;
        let request = TerminateWorkflowExecutionRequest {
            reason: words.text_or("reason", ""),
            ..TerminateWorkflowExecutionRequest::default()
        };
        self.step(run, Input::Terminate(Box::new(request)))
    }

    /// Time passes; every deadline on the way fires when it is due, or once, late, after a `jump`.
    fn clock(&mut self, words: &mut Words) -> Played {
        let from = self.world.now;
        let to = from.after(span(&words.verb()?));
        let jump = words.flag("jumps");
        let mut out = String::new();
        let mut guard = 0;
        while let Some((at, run)) = self.world.next_deadline().filter(|(at, _)| *at <= to) {
            self.world.now = if jump { to } else { at.max(self.world.now) };
            let reply = self.step(run, Input::Deadline)?;
            let text = self.drain() + &reply;
            if self.world.now != to {
                out.push_str(&format!("at {}:\n", since(from, self.world.now)));
            }
            out.push_str(&text);
            guard += 1;
            if guard > 1000 {
                return Err(Fault::Broken("the deadline does not move".to_owned()));
            }
        }
        self.world.now = to;
        for run in &mut self.world.runs {
            // Deadlines are shown relative to now, and only when they move.
            run.shown_deadline = run.state.next_deadline();
        }
        Ok(out)
    }

    /// Brings the first thing under way to where it goes, or the `nth`; `keep` leaves it under way too;
    /// `again` brings the last one once more; `all` goes on until nothing is under way.
    fn deliver(&mut self, words: &mut Words) -> Played {
        let all = words.flag("all");
        let again = words.flag("again");
        let keep = words.flag("keep");
        let nth = words.number("nth").map_or(0, |nth| nth as usize);
        let mut out = String::new();
        loop {
            let mail = if again {
                self.last_delivered.clone()
            } else if keep {
                self.world.mail.get(nth).cloned()
            } else {
                self.world.mail.remove(nth)
            };
            let Some(mail) = mail else {
                return if all {
                    Ok(out)
                } else {
                    Err("nothing is under way".into())
                };
            };
            self.last_delivered = Some(mail.clone());
            let delivered = self.world.deliver(mail).map_err(Fault::Broken)?;
            let text = self.drain();
            out.push_str(&text);
            if let Delivered::Message(answer) = delivered {
                out.push_str(&self.show().masked(&format!("answers {answer:?}\n")));
            }
            if !all {
                return Ok(out);
            }
        }
    }

    fn describe(&mut self, words: &mut Words) -> Played {
        let run = self.target(words)?;
        let described = describe(&self.world.runs[run].state, self.world.now);
        Ok(self.show().described(&described))
    }

    fn unstored(&mut self, words: &mut Words) -> Played {
        let run = self.target(words)?;
        let events = unstored_events(&self.world.runs[run].state);
        let mut out = String::new();
        for event in &events.certain {
            out.push_str(&format!("certain {}\n", self.show().event(event)));
        }
        for event in &events.transient {
            out.push_str(&format!("transient {}\n", self.show().event(event)));
        }
        Ok(out)
    }

    fn query(&mut self, words: &mut Words) -> Played {
        let run = self.target(words)?;
        let condition = requests::reject_condition(&words.text_or("reject", "None"));
        let wait = words.span("wait").unwrap_or_default();
        let deadline = self.world.now.after(wait);
        let state = &self.world.runs[run].state;
        Ok(match query::route(state, condition, deadline) {
            Ok(route) => format!("route {route:?}\n"),
            Err(rejection) => self.rejected(&rejection),
        })
    }
}

/// A run's deadline, if it moved since it was last shown.
fn deadline(world: &mut World, run: usize) -> String {
    let now = world.now;
    let run = &mut world.runs[run];
    let deadline = run.state.next_deadline();
    if deadline == std::mem::replace(&mut run.shown_deadline, deadline) {
        return String::new();
    }
    match deadline {
        Some(at) => format!("deadline {}\n", since(now, at)),
        None => "deadline none\n".to_owned(),
    }
}

/// `+30s`, from one instant to another.
pub(super) fn since(from: Timestamp, to: Timestamp) -> String {
    let nanos = to.0 - from.0;
    let sign = if nanos < 0 { '-' } else { '+' };
    let span = std::time::Duration::from_nanos(nanos.unsigned_abs());
    format!("{sign}{}", spelled(span))
}

/// A span, `0s` for none.
pub(super) fn spelled(span: std::time::Duration) -> String {
    if span.is_zero() {
        return "0s".to_owned();
    }
    format!("{span:?}")
}
