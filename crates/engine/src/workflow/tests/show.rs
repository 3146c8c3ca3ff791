//! What happened, as the lines of a story: ids, references, and what a rule decided. Ids of runs are shown
//! as their labels.

use std::fmt::{Display, Write as _};

use prost::Message as _;
use proto::temporal::api::common::v1::{Payload, Payloads, WorkflowExecution};
use proto::temporal::api::deployment::v1::WorkerDeploymentVersion;
use proto::temporal::api::enums::v1::{RetryState, TimeoutType, VersioningBehavior};
use proto::temporal::api::failure::v1::Failure;
use proto::temporal::api::failure::v1::failure::FailureInfo;
use proto::temporal::api::history::v1::{History, HistoryEvent};
use proto::temporal::api::workflow::v1::callback_info::trigger::Variant as Trigger;
use proto::temporal::api::workflow::v1::pending_activity_info::pause_info::PausedBy;
use proto::temporal::api::workflowservice::v1::{
    DescribeWorkflowExecutionResponse, PollActivityTaskQueueResponse,
};
use uuid::Uuid;

use super::script::since;
use super::world::{Happened, Run};
use super::{show_event, updates};
use crate::deployment::{Directive, Version};
use crate::time::{Timestamp, duration};
use crate::workflow::command::camel;
use crate::workflow::input::Peer;
use crate::workflow::record::ChangeKind;
use crate::workflow::transition::{Effect, Priority, Send, WorkflowTask};

/// Shows things of one moment.
pub(super) struct Show<'a> {
    runs: &'a [Run],
    now: Timestamp,
}

/// A line under construction: empty values and zeros are left out.
pub(super) struct Line(pub(super) String);

impl<'a> Show<'a> {
    pub(super) fn new(runs: &'a [Run], now: Timestamp) -> Self {
        Self { runs, now }
    }

    /// Events and changes in their order, then effects.
    pub(super) fn step(&self, step: &Happened) -> String {
        let mut out = String::new();
        if let Some(record) = &step.record {
            let history = History::decode(record.history.clone()).expect("it was just written");
            let mut changes = record.changes.iter().peekable();
            for (index, event) in history.events.iter().enumerate() {
                while let Some(change) = changes.next_if(|c| c.position as usize <= index) {
                    out.push_str(&self.change(change.kind.as_ref()));
                }
                let _ = writeln!(out, "{}", self.event(event));
            }
            for change in changes {
                out.push_str(&self.change(change.kind.as_ref()));
            }
        }
        // What is withdrawn follows from the events above it.
        let shown = |effect: &&Effect| !matches!(effect, Effect::Withdraw(_) | Effect::WithdrawAll);
        for effect in step.effects.iter().filter(shown) {
            let _ = writeln!(out, "{}", self.effect(effect));
        }
        for news in &step.updates {
            let stage = updates::stage(&news.stage);
            let _ = writeln!(out, "tell {} {stage}", news.update_id);
        }
        self.masked(&out)
    }

    /// One event: its id, its type, what matters of it.
    pub(super) fn event(&self, event: &HistoryEvent) -> String {
        let name = camel(event.event_type().as_str_name(), "EVENT_TYPE_");
        let mut line = Line(format!("{} {name}", event.event_id));
        show_event::attributes(&mut line, event);
        let time = event.event_time.as_ref().map(Timestamp::from_proto);
        if let Some(time) = time.filter(|time| *time != self.now) {
            line.text("at", &since(self.now, time));
        }
        self.masked(&line.0)
    }

    fn change(&self, kind: Option<&ChangeKind>) -> String {
        let Some(kind) = kind else {
            return "* nothing\n".to_owned();
        };
        let ago = |nanos: i64| since(self.now, Timestamp(nanos));
        let mut line = Line("*".to_owned());
        match kind {
            ChangeKind::Created(created) => {
                if !created.awaits_parent {
                    return String::new();
                }
                line.word("created awaits-parent");
            }
            ChangeKind::WorkflowTaskAttempt(a) => {
                line.word("workflow task");
                line.text("attempt", &a.attempt.to_string());
                let timeout = std::time::Duration::from_nanos(a.timeout.unsigned_abs());
                if timeout != std::time::Duration::from_secs(10) {
                    line.text("timeout", &format!("{:.1}s", timeout.as_secs_f64()));
                }
            }
            ChangeKind::WorkflowTaskOriginalScheduledTime(time) => {
                line.word("workflow task prolonged");
                line.text("scheduled", &ago(*time));
            }
            ChangeKind::Sticky(sticky) if sticky.queue.is_empty() => line.word("sticky cleared"),
            ChangeKind::Sticky(sticky) => {
                line.word("sticky");
                line.text("queue", &sticky.queue);
                line.text("timeout", &ago(self.now.0 + sticky.timeout)[1..]);
            }
            ChangeKind::ActivityStarted(a) => {
                line.word("activity started");
                line.id("scheduled", a.scheduled_event_id);
            }
            ChangeKind::ActivityRetried(a) => {
                line.word("activity retried");
                line.id("scheduled", a.scheduled_event_id);
                line.text("attempt", &a.attempt.to_string());
                line.text("due", &ago(a.scheduled_time));
                line.failure("failure", a.failure.as_ref());
                line.payloads("heartbeat", a.heartbeat_details.as_ref());
            }
            ChangeKind::ActivityHeartbeat(a) => {
                line.word("activity heartbeat");
                line.id("scheduled", a.scheduled_event_id);
                line.payloads("details", a.details.as_ref());
            }
            ChangeKind::Buffered(event) => {
                let text = self.event(event);
                line.word("buffered");
                line.word(text.trim_start_matches("0 "));
            }
            ChangeKind::BufferFlushed(_) => line.word("buffer flushed"),
            ChangeKind::BufferedTimerDropped(id) => {
                line.word("buffered timer dropped");
                line.text("id", id);
            }
            ChangeKind::Acknowledged(seq) => {
                line.word("acknowledged");
                line.text("seq", &seq.to_string());
            }
            ChangeKind::InternalSearchAttributes(_) => line.word("internal search attributes"),
            ChangeKind::ParentReady(_) => line.word("parent ready"),
            ChangeKind::UpdateRejected(id) => {
                line.word("update rejected");
                line.text("id", id);
            }
            ChangeKind::UpdateRefused(refused) => {
                line.word("update rejected");
                line.text("id", &refused.update_id);
            }
            ChangeKind::VersionTransition(a) => {
                line.word("version transition");
                line.text("to", &version(a.version.as_ref()));
            }
            ChangeKind::ParentAsked(_) => line.word("parent asked"),
            ChangeKind::ResetTo(_) => line.word("reset"),
            ChangeKind::EndedByReset(_) => line.word("ended by reset"),
            ChangeKind::Deleting(_) => line.word("deleting"),
            ChangeKind::ActivitiesRescheduled(_) => line.word("activities rescheduled"),
            ChangeKind::WorkflowTaskDropped(_) => line.word("workflow task dropped"),
            ChangeKind::ActivityPaused(a) => {
                line.word("activity paused");
                line.id("scheduled", a.scheduled_event_id);
                line.text("by", &a.identity);
                line.text("reason", &a.reason);
            }
            ChangeKind::ActivityUnpaused(a) => {
                line.word("activity unpaused");
                line.id("scheduled", a.scheduled_event_id);
                line.text("due", &ago(a.scheduled_time));
                line.flag("reset-attempts", a.reset_attempts);
                line.flag("reset-heartbeat", a.reset_heartbeat);
            }
            ChangeKind::ActivityReset(a) => {
                line.word("activity reset");
                line.id("scheduled", a.scheduled_event_id);
                line.text("due", &ago(a.scheduled_time));
                line.flag("reset-heartbeat", a.reset_heartbeat);
                line.flag("keep-paused", a.keep_paused);
                line.flag("restore", a.restore_original_options);
            }
            ChangeKind::ActivityOptionsUpdated(a) => {
                line.word("activity options updated");
                line.id("scheduled", a.scheduled_event_id);
                line.text("due", &ago(a.scheduled_time));
                if let Some(options) = &a.options {
                    show_event::options(&mut line, options);
                }
            }
            ChangeKind::NexusAttemptFailed(a) => {
                line.word(if a.cancel {
                    "nexus cancel failed"
                } else {
                    "nexus start failed"
                });
                line.id("scheduled", a.scheduled_event_id);
                line.failure("failure", a.failure.as_ref());
            }
            ChangeKind::CallbackAttempted(a) => {
                line.word("callback");
                line.text("index", &a.index.to_string());
                let how = match (a.succeeded, a.next_time) {
                    (true, _) => "succeeded",
                    (false, 0) => "failed",
                    (false, _) => "again",
                };
                line.word(how);
                line.failure("failure", a.failure.as_ref());
            }
            ChangeKind::LateChildStarted(a) => {
                line.word("late child started");
                line.id("initiated", a.initiated_event_id);
            }
        }
        line.0 + "\n"
    }

    fn effect(&self, effect: &Effect) -> String {
        let mut line = Line(String::new());
        match effect {
            Effect::OfferWorkflowTask(offer) => {
                line.0.push_str("ready WorkflowTask");
                line.text("queue", &offer.task_queue);
                line.text("sticky", offer.sticky_queue.as_deref().unwrap_or(""));
                line.id("scheduled", offer.scheduled_event_id);
                line.attempt(offer.attempt);
                line.priority(&offer.priority);
                line.directive(&offer.directive);
            }
            Effect::OfferActivityTask(offer) => {
                line.0.push_str("ready ActivityTask");
                line.text("queue", &offer.task_queue);
                line.id("scheduled", offer.scheduled_event_id);
                line.attempt(offer.attempt);
                line.priority(&offer.priority);
                line.directive(&offer.directive);
            }
            Effect::Withdraw(_) | Effect::WithdrawAll => {}
            Effect::Send(send) => message(&mut line, send),
            Effect::NexusCall(call) => {
                use proto::temporal::api::nexus::v1::request::Variant;
                let start = matches!(call.request.variant, Some(Variant::StartOperation(_)));
                line.0.push_str(if start {
                    "ask NexusStart"
                } else {
                    "ask NexusCancel"
                });
                line.text("endpoint", &call.endpoint);
                line.id("scheduled", call.scheduled_event_id);
                line.attempt(call.attempt + 1);
                line.text("timeout", &super::script::spelled(call.timeout));
                for (name, value) in &call.request.header {
                    line.text(name, value);
                }
            }
            Effect::CallbackCall(call) => {
                line.0.push_str("call");
                line.text("url", &call.url);
                line.text("index", &call.index.to_string());
                line.attempt(call.attempt + 1);
            }
        }
        line.0
    }

    /// A workflow task as its worker gets it.
    pub(super) fn workflow_task(&self, task: &WorkflowTask) -> String {
        let mut line = Line("task WorkflowTask".to_owned());
        line.id("scheduled", task.token.scheduled_event_id);
        line.id("started", task.started_event_id);
        line.attempt(task.attempt);
        line.id("previous", task.previous_started_event_id);
        if task.history_to >= task.history_from {
            line.text(
                "history",
                &format!("{}..{}", task.history_from, task.history_to),
            );
        } else {
            line.text("history", "none");
        }
        let mut out = line.0 + "\n";
        for event in &task.unstored {
            let _ = writeln!(out, "  {}", self.event(event));
        }
        for message in &task.messages {
            let _ = writeln!(out, "  {}", updates::sent(message));
        }
        self.masked(&out)
    }

    /// An activity task as its worker gets it.
    pub(super) fn activity_task(&self, task: &PollActivityTaskQueueResponse) -> String {
        let mut line = Line("task ActivityTask".to_owned());
        line.text("id", &task.activity_id);
        line.text("attempt", &task.attempt.to_string());
        line.payloads("heartbeat", task.heartbeat_details.as_ref());
        let at = |time: &Option<proto::Timestamp>| {
            time.as_ref()
                .map_or(String::new(), |t| since(self.now, Timestamp::from_proto(t)))
        };
        if task.scheduled_time != task.current_attempt_scheduled_time {
            line.text("scheduled", &at(&task.scheduled_time));
            line.text("this-attempt", &at(&task.current_attempt_scheduled_time));
        }
        self.masked(&(line.0 + "\n"))
    }

    /// What Describe says of pending things.
    pub(super) fn described(&self, described: &DescribeWorkflowExecutionResponse) -> String {
        let mut out = String::new();
        if let Some(info) = &described.workflow_execution_info {
            let mut line = Line(format!(
                "{:?} history={}",
                info.status(),
                info.history_length
            ));
            let attributes = info
                .search_attributes
                .iter()
                .flat_map(|a| &a.indexed_fields);
            for (name, payload) in attributes {
                line.text(name, &payload_text(payload));
            }
            let memo = info.memo.iter().flat_map(|memo| &memo.fields);
            for (name, payload) in memo {
                line.text(&format!("memo.{name}"), &payload_text(payload));
            }
            out += &(line.0 + "\n");
            if let Some(versioning) = &info.versioning_info {
                let mut line = Line("versioning".to_owned());
                line.behavior(versioning.behavior);
                line.text("version", &version(versioning.deployment_version.as_ref()));
                if let Some(transition) = &versioning.version_transition {
                    let to = version(transition.deployment_version.as_ref());
                    line.text("moves-to", &to);
                }
                line.flag("overridden", versioning.versioning_override.is_some());
                line.text("revision", &versioning.revision_number.to_string());
                out += &(line.0 + "\n");
            }
        }
        let extended = described.workflow_extended_info.as_ref();
        if let Some(skipping) = extended.and_then(|it| it.time_skipping_info.as_ref()) {
            let mut line = Line("time".to_owned());
            let time = skipping.current_time.as_ref().map(Timestamp::from_proto);
            line.text("now", &since(self.now, time.unwrap_or_default()));
            let config = skipping.effective_config.as_ref();
            line.flag("skips", config.is_some_and(|config| config.enabled));
            line.id("skipped", i64::from(skipping.current_session_skip_count));
            if let Some(forward) = &skipping.fast_forward_info {
                let target = forward.target_time.as_ref().map(Timestamp::from_proto);
                line.text("forward-to", &since(self.now, target.unwrap_or_default()));
                line.flag("completed", forward.has_completed);
            }
            out += &(line.0 + "\n");
        }
        if let Some(task) = &described.pending_workflow_task {
            let _ = writeln!(
                out,
                "workflow task {:?} attempt={}",
                task.state(),
                task.attempt
            );
        }
        for a in &described.pending_activities {
            let mut line = Line(format!(
                "activity {} {:?} attempt={}",
                a.activity_id,
                a.state(),
                a.attempt
            ));
            line.failure("last_failure", a.last_failure.as_ref());
            line.text("last_worker", &a.last_worker_identity);
            line.span("interval", a.current_retry_interval.as_ref());
            let time = a
                .next_attempt_schedule_time
                .as_ref()
                .map(Timestamp::from_proto);
            line.text("next", &time.map_or(String::new(), |t| since(self.now, t)));
            line.payloads("heartbeat", a.heartbeat_details.as_ref());
            line.flag("paused", a.paused);
            let paused_by = a
                .pause_info
                .as_ref()
                .and_then(|info| info.paused_by.as_ref());
            if let Some(PausedBy::Manual(manual)) = paused_by {
                line.text("by", &manual.identity);
                line.text("reason", &manual.reason);
            }
            out += &(line.0 + "\n");
        }
        for c in &described.pending_children {
            let mut line = Line(format!("child {}", c.workflow_id));
            line.text("run", &c.run_id);
            line.id("initiated", c.initiated_id);
            out += &(line.0 + "\n");
        }
        for o in &described.pending_nexus_operations {
            let mut line = Line(format!(
                "nexus {} {:?} attempt={}",
                o.scheduled_event_id,
                o.state(),
                o.attempt
            ));
            line.text("token", &o.operation_token);
            line.failure("last_failure", o.last_attempt_failure.as_ref());
            if let Some(c) = &o.cancellation_info {
                line.text("cancellation", &format!("{:?}", c.state()));
                line.failure("cancel_failure", c.last_attempt_failure.as_ref());
            }
            out += &(line.0 + "\n");
        }
        for c in &described.callbacks {
            let mut line = Line(format!("callback {:?} attempt={}", c.state(), c.attempt));
            let trigger = c.trigger.as_ref().and_then(|t| t.variant.as_ref());
            if let Some(Trigger::UpdateWorkflowExecutionCompleted(completed)) = trigger {
                line.text("update", &completed.update_id);
            }
            line.failure("last_failure", c.last_attempt_failure.as_ref());
            out += &(line.0 + "\n");
        }
        let extended = described.workflow_extended_info.iter();
        for extended in extended.clone() {
            let mut line = Line("reset".to_owned());
            line.text("to", &extended.reset_run_id);
            let time = extended.last_reset_time.as_ref().map(Timestamp::from_proto);
            line.text("at", &time.map_or(String::new(), |t| since(self.now, t)));
            if line.0 != "reset" {
                out += &(line.0 + "\n");
            }
        }
        for pause in extended.clone().flat_map(|e| &e.pause_info) {
            let mut line = Line("paused".to_owned());
            line.text("by", &pause.identity);
            line.text("reason", &pause.reason);
            out += &(line.0 + "\n");
        }
        for (id, info) in extended.flat_map(|e| &e.request_id_infos) {
            if Uuid::parse_str(id).is_err() && !id.contains(':') {
                let _ = writeln!(
                    out,
                    "request {id} {:?} event={} buffered={}",
                    info.event_type(),
                    info.event_id,
                    info.buffered
                );
            }
        }
        self.masked(&out)
    }

    /// The text with labels in the place of run ids, and without other random ids.
    pub(super) fn masked(&self, text: &str) -> String {
        let mut text = text.to_owned();
        for run in self.runs {
            let label = if run.label.contains('/') {
                run.label.clone()
            } else {
                format!("{}/1", run.label)
            };
            text = text.replace(&run.state.run_id.to_string(), &label);
        }
        let mut out = String::with_capacity(text.len());
        let mut rest = text.as_str();
        while !rest.is_empty() {
            let uuid = rest.get(..36).filter(|id| id.as_bytes()[8] == b'-');
            if uuid.is_some_and(|id| Uuid::parse_str(id).is_ok()) {
                out.push_str("<id>");
                rest = &rest[36..];
            } else {
                let next = rest.char_indices().nth(1).map_or(rest.len(), |(at, _)| at);
                out.push_str(&rest[..next]);
                rest = &rest[next..];
            }
        }
        out
    }
}

fn message(line: &mut Line, send: &Send) {
    let name = match &send.message {
        Peer::StartChild(_) => "StartChild",
        Peer::ParentReady => "ParentReady",
        Peer::Signal { .. } => "Signal",
        Peer::RequestCancel { .. } => "RequestCancel",
        Peer::ParentClosedTerminate(_) => "ParentClosedTerminate",
        Peer::ParentClosedRequestCancel(_) => "ParentClosedRequestCancel",
        Peer::ChildClosed(_) => "ChildClosed",
        Peer::ChildAwaits { .. } => "ChildAwaits",
        Peer::StartScheduled(_) => "StartScheduled",
        Peer::StopAction(_) => "StopAction",
        Peer::ActionClosed(_) => "ActionClosed",
        Peer::NexusOperationCompleted(_) => "NexusOperationCompleted",
    };
    line.0 = format!("send {name}");
    line.text("seq", &send.seq.to_string());
    line.text("to", &send.workflow_id);
    line.text(
        "run",
        &send.run_id.map_or(String::new(), |id| id.to_string()),
    );
}

/// A version in the newer spelling; empty for none.
pub(super) fn version(wire: Option<&WorkerDeploymentVersion>) -> String {
    Version::from_wire(wire).map_or_else(String::new, |version| version.to_string())
}

impl Line {
    pub(super) fn directive(&mut self, directive: &Directive) {
        self.behavior(directive.behavior.into());
        let version = directive.version.as_ref();
        self.text(
            "version",
            &version.map_or_else(String::new, ToString::to_string),
        );
        self.flag("use-ramping", directive.use_ramping_version);
    }

    pub(super) fn behavior(&mut self, behavior: i32) {
        let behavior = VersioningBehavior::try_from(behavior).unwrap_or_default();
        if behavior != VersioningBehavior::Unspecified {
            self.text(
                "behavior",
                &camel(behavior.as_str_name(), "VERSIONING_BEHAVIOR_"),
            );
        }
    }
}

impl Line {
    pub(super) fn word(&mut self, word: &str) {
        let _ = write!(self.0, " {word}");
    }

    pub(super) fn text(&mut self, key: &str, value: &str) {
        if value.contains(' ') && !value.starts_with('"') {
            let _ = write!(self.0, " {key}=\"{value}\"");
        } else if !value.is_empty() {
            let _ = write!(self.0, " {key}={value}");
        }
    }

    pub(super) fn id(&mut self, key: &str, value: i64) {
        if value != 0 {
            let _ = write!(self.0, " {key}={value}");
        }
    }

    pub(super) fn attempt(&mut self, attempt: impl Display + PartialOrd + From<u8>) {
        if attempt > 1.into() {
            let _ = write!(self.0, " attempt={attempt}");
        }
    }

    pub(super) fn flag(&mut self, key: &str, value: bool) {
        if value {
            self.word(key);
        }
    }

    pub(super) fn span(&mut self, key: &str, value: Option<&proto::Duration>) {
        let span = duration(value);
        if !span.is_zero() {
            self.text(key, &format!("{span:?}"));
        }
    }

    pub(super) fn payloads(&mut self, key: &str, value: Option<&Payloads>) {
        let Some(payloads) = value else { return };
        let texts: Vec<String> = payloads.payloads.iter().map(payload_text).collect();
        self.text(key, &texts.join(" "));
    }

    pub(super) fn execution(&mut self, key: &str, value: Option<&WorkflowExecution>) {
        if let Some(execution) = value {
            self.text(
                key,
                &format!("{}:{}", execution.workflow_id, execution.run_id),
            );
        }
    }

    pub(super) fn failure(&mut self, key: &str, value: Option<&Failure>) {
        if let Some(failure) = value {
            let _ = write!(self.0, " {key}={}", failure_text(failure));
        }
    }

    pub(super) fn retry_state(&mut self, state: i32) {
        let state = RetryState::try_from(state).unwrap_or_default();
        self.text("retry", &camel(state.as_str_name(), "RETRY_STATE_"));
    }

    fn priority(&mut self, priority: &Priority) {
        self.id("priority", i64::from(priority.key));
        self.text("fairness", &priority.fairness_key);
    }
}

pub(super) fn payload_text(payload: &Payload) -> String {
    if payload.data.len() > 100 {
        return format!("<{} bytes>", payload.data.len());
    }
    String::from_utf8_lossy(&payload.data).into_owned()
}

fn failure_text(failure: &Failure) -> String {
    let mut text = format!("({:?}", failure.message);
    match &failure.failure_info {
        Some(FailureInfo::ApplicationFailureInfo(a)) => {
            if !a.r#type.is_empty() {
                let _ = write!(text, " type={}", a.r#type);
            }
            if a.non_retryable {
                text.push_str(" final");
            }
        }
        Some(FailureInfo::ServerFailureInfo(a)) => {
            text.push_str(if a.non_retryable {
                " server final"
            } else {
                " server"
            });
        }
        Some(FailureInfo::TimeoutFailureInfo(a)) => {
            let kind = TimeoutType::try_from(a.timeout_type).unwrap_or_default();
            let _ = write!(
                text,
                " timeout={}",
                camel(kind.as_str_name(), "TIMEOUT_TYPE_")
            );
            if let Some(details) = &a.last_heartbeat_details {
                let details: Vec<_> = details.payloads.iter().map(payload_text).collect();
                let _ = write!(text, " heartbeat={}", details.join(" "));
            }
        }
        Some(FailureInfo::NexusHandlerFailureInfo(a)) => {
            let _ = write!(text, " handler={}", a.r#type);
        }
        Some(FailureInfo::NexusOperationExecutionFailureInfo(a)) => {
            let _ = write!(text, " operation={}", a.operation);
        }
        _ => {}
    }
    if let Some(cause) = &failure.cause {
        let _ = write!(text, " cause={}", failure_text(cause));
    }
    text + ")"
}
