//! What each command of a completed workflow task does: one file a command. A bad one fails the task
//! with the cause and the text of behaviour section 4.3.

mod cancel_timer;
mod cancel_workflow;
mod complete_workflow;
mod continue_as_new;
mod fail_workflow;
mod modify_properties;
pub(crate) mod protocol_message;
mod record_marker;
mod request_cancel_activity;
mod request_cancel_external;
mod request_cancel_nexus_operation;
mod schedule_activity;
mod schedule_nexus_operation;
mod signal_external;
mod start_child;
mod start_timer;
mod upsert_search_attributes;

use std::collections::BTreeMap;

use proto::temporal::api::command::v1::Command;
use proto::temporal::api::command::v1::command::Attributes as A;
use proto::temporal::api::common::v1::Payloads;
use proto::temporal::api::enums::v1::{CommandType, WorkflowTaskFailedCause as Cause};
use proto::temporal::api::failure::v1::failure::FailureInfo;
use proto::temporal::api::failure::v1::{Failure, ServerFailureInfo};
use proto::temporal::api::protocol::v1::Message;

use super::step::{Extras, Step};
use crate::ids::EventId;

/// What the commands of one completion share.
pub(crate) struct Context {
    pub(crate) completed_event_id: EventId,
    pub(crate) identity: String,
    /// Activities that the worker wants to run itself, at once.
    pub(crate) eager: Vec<EventId>,
    /// The ids of the Nexus endpoints that the commands name, by name.
    pub(crate) nexus_endpoints: BTreeMap<String, String>,
    /// Something waited in the buffer when the worker completed its task.
    pub(crate) unhandled: bool,
    /// What the worker says of updates, as far as no command has given it its place yet.
    pub(crate) messages: Vec<Message>,
}

/// Why a command fails its workflow task.
#[derive(Debug)]
pub(crate) struct BadCommand {
    pub(crate) cause: Cause,
    pub(crate) message: String,
    /// The workflow cannot go on at all.
    pub(crate) ends_workflow: bool,
}

impl BadCommand {
    pub(crate) fn new(cause: Cause, message: impl Into<String>) -> Self {
        Self {
            cause,
            message: message.into(),
            ends_workflow: false,
        }
    }

    pub(crate) fn ending_workflow(cause: Cause, message: impl Into<String>) -> Self {
        Self {
            cause,
            message: message.into(),
            ends_workflow: true,
        }
    }

    /// The text of the error and of the failure on the event: the cause's short name, then why.
    pub(crate) fn wire_message(&self) -> String {
        if self.message.is_empty() {
            return short_name(self.cause);
        }
        format!("{}: {}", short_name(self.cause), self.message)
    }

    pub(crate) fn failure(&self) -> Failure {
        server_failure(&self.wire_message(), false)
    }
}

/// A failure of the server's own making.
pub(crate) fn server_failure(message: &str, non_retryable: bool) -> Failure {
    Failure {
        message: message.to_owned(),
        failure_info: Some(FailureInfo::ServerFailureInfo(ServerFailureInfo {
            non_retryable,
        })),
        ..Failure::default()
    }
}

/// A cause's name without its prefix, in camel case: `BadStartTimerAttributes`.
fn short_name(cause: Cause) -> String {
    camel(cause.as_str_name(), "WORKFLOW_TASK_FAILED_CAUSE_")
}

/// `A_B_CD` as `ABCd` with the prefix taken off.
pub(crate) fn camel(name: &str, prefix: &str) -> String {
    let mut text = String::with_capacity(name.len());
    for word in name.strip_prefix(prefix).unwrap_or(name).split('_') {
        let mut letters = word.chars();
        text.extend(letters.next());
        text.extend(letters.flat_map(char::to_lowercase));
    }
    text
}

/// A command type's name as error texts show it: `CompleteWorkflowExecution`.
pub(crate) fn name(command_type: i32) -> &'static str {
    match CommandType::try_from(command_type).unwrap_or(CommandType::Unspecified) {
        CommandType::Unspecified => "Unspecified",
        CommandType::ScheduleActivityTask => "ScheduleActivityTask",
        CommandType::RequestCancelActivityTask => "RequestCancelActivityTask",
        CommandType::StartTimer => "StartTimer",
        CommandType::CompleteWorkflowExecution => "CompleteWorkflowExecution",
        CommandType::FailWorkflowExecution => "FailWorkflowExecution",
        CommandType::CancelTimer => "CancelTimer",
        CommandType::CancelWorkflowExecution => "CancelWorkflowExecution",
        CommandType::RequestCancelExternalWorkflowExecution => {
            "RequestCancelExternalWorkflowExecution"
        }
        CommandType::RecordMarker => "RecordMarker",
        CommandType::ContinueAsNewWorkflowExecution => "ContinueAsNewWorkflowExecution",
        CommandType::StartChildWorkflowExecution => "StartChildWorkflowExecution",
        CommandType::SignalExternalWorkflowExecution => "SignalExternalWorkflowExecution",
        CommandType::UpsertWorkflowSearchAttributes => "UpsertWorkflowSearchAttributes",
        CommandType::ProtocolMessage => "ProtocolMessage",
        CommandType::ModifyWorkflowProperties => "ModifyWorkflowProperties",
        CommandType::ScheduleNexusOperation => "ScheduleNexusOperation",
        CommandType::RequestCancelNexusOperation => "RequestCancelNexusOperation",
    }
}

/// Carries out one command: records its event, or says why the task fails.
pub(crate) fn carry_out(
    step: &mut Step<'_>,
    context: &mut Context,
    command: Command,
) -> Result<(), BadCommand> {
    let kind = CommandType::try_from(command.command_type).unwrap_or(CommandType::Unspecified);
    let extras = Extras {
        user_metadata: command.user_metadata,
        event_group_markers: command.event_group_markers,
        ..Extras::default()
    };
    macro_rules! attributes {
        ($variant:ident) => {
            match command.attributes {
                Some(A::$variant(attributes)) => Some(attributes),
                _ => None,
            }
        };
    }
    match kind {
        CommandType::ScheduleActivityTask => {
            let a = attributes!(ScheduleActivityTaskCommandAttributes);
            schedule_activity::carry_out(step, context, a, extras)
        }
        CommandType::RequestCancelActivityTask => {
            let a = attributes!(RequestCancelActivityTaskCommandAttributes);
            request_cancel_activity::carry_out(step, context, a, extras)
        }
        CommandType::StartTimer => start_timer::carry_out(
            step,
            context,
            attributes!(StartTimerCommandAttributes),
            extras,
        ),
        CommandType::CancelTimer => cancel_timer::carry_out(
            step,
            context,
            attributes!(CancelTimerCommandAttributes),
            extras,
        ),
        CommandType::RecordMarker => record_marker::carry_out(
            step,
            context,
            attributes!(RecordMarkerCommandAttributes),
            extras,
        ),
        CommandType::UpsertWorkflowSearchAttributes => {
            let a = attributes!(UpsertWorkflowSearchAttributesCommandAttributes);
            upsert_search_attributes::carry_out(step, context, a, extras)
        }
        CommandType::ModifyWorkflowProperties => {
            let a = attributes!(ModifyWorkflowPropertiesCommandAttributes);
            modify_properties::carry_out(step, context, a, extras)
        }
        CommandType::StartChildWorkflowExecution => {
            let a = attributes!(StartChildWorkflowExecutionCommandAttributes);
            start_child::carry_out(step, context, a, extras)
        }
        CommandType::SignalExternalWorkflowExecution => {
            let a = attributes!(SignalExternalWorkflowExecutionCommandAttributes);
            signal_external::carry_out(step, context, a, extras)
        }
        CommandType::RequestCancelExternalWorkflowExecution => {
            let a = attributes!(RequestCancelExternalWorkflowExecutionCommandAttributes);
            request_cancel_external::carry_out(step, context, a, extras)
        }
        CommandType::CompleteWorkflowExecution => {
            let a = attributes!(CompleteWorkflowExecutionCommandAttributes);
            complete_workflow::carry_out(step, context, a, extras)
        }
        CommandType::FailWorkflowExecution => {
            let a = attributes!(FailWorkflowExecutionCommandAttributes);
            fail_workflow::carry_out(step, context, a, extras)
        }
        CommandType::CancelWorkflowExecution => {
            let a = attributes!(CancelWorkflowExecutionCommandAttributes);
            cancel_workflow::carry_out(step, context, a, extras)
        }
        CommandType::ContinueAsNewWorkflowExecution => {
            let a = attributes!(ContinueAsNewWorkflowExecutionCommandAttributes);
            continue_as_new::carry_out(step, context, a, extras)
        }
        CommandType::ProtocolMessage => {
            let a = attributes!(ProtocolMessageCommandAttributes);
            protocol_message::carry_out(step, context, a)
        }
        CommandType::ScheduleNexusOperation => {
            let a = attributes!(ScheduleNexusOperationCommandAttributes);
            schedule_nexus_operation::carry_out(step, context, a, extras)
        }
        CommandType::RequestCancelNexusOperation => {
            let a = attributes!(RequestCancelNexusOperationCommandAttributes);
            request_cancel_nexus_operation::carry_out(step, context, a, extras)
        }
        CommandType::Unspecified => Err(BadCommand::new(
            Cause::FeatureDisabled,
            format!(
                "command {} is not supported by this server",
                name(command.command_type)
            ),
        )),
    }
}

/// A close command must see everything: with events waiting it fails, so that the workflow can look at
/// them first (behaviour, section 4.4).
fn refuse_unhandled(context: &Context) -> Result<(), BadCommand> {
    if !context.unhandled {
        return Ok(());
    }
    Err(BadCommand::new(Cause::UnhandledCommand, ""))
}

/// An oversized blob fails the task and ends the workflow (behaviour, section 4.3).
fn check_blob(step: &Step<'_>, cause: Cause, size: usize, field: &str) -> Result<(), BadCommand> {
    if size > step.env.limits.blob_size_error {
        return Err(BadCommand::ending_workflow(
            cause,
            format!("{field} exceeds size limit."),
        ));
    }
    Ok(())
}

/// Bytes of a payload field.
fn size(payloads: Option<&Payloads>) -> usize {
    payloads.map_or(0, prost::Message::encoded_len)
}
