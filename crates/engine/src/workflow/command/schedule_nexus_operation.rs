//! SCHEDULE_NEXUS_OPERATION (behaviour, sections 4.2, 4.3 and 10.3).

use std::collections::BTreeMap;

use prost::Message;
use proto::temporal::api::command::v1::ScheduleNexusOperationCommandAttributes;
use proto::temporal::api::enums::v1::WorkflowTaskFailedCause as Cause;
use proto::temporal::api::history::v1::NexusOperationScheduledEventAttributes;
use proto::temporal::api::history::v1::history_event::Attributes;

use super::{BadCommand, Context};
use crate::nexus::asking::{HEADER_MAX, NAME_MAX, RESERVED_HEADERS};
use crate::time::{duration, is_negative, wire};
use crate::workflow::nexus;
use crate::workflow::step::{Extras, Step};

pub(super) fn carry_out(
    step: &mut Step<'_>,
    context: &mut Context,
    attributes: Option<ScheduleNexusOperationCommandAttributes>,
    extras: Extras,
) -> Result<(), BadCommand> {
    let cause = Cause::BadScheduleNexusOperationAttributes;
    let bad = |message: String| BadCommand::new(cause, message);
    let Some(a) = attributes else {
        return Err(bad("empty ScheduleNexusOperationCommandAttributes".into()));
    };
    let Some(endpoint_id) = context.nexus_endpoints.get(&a.endpoint).cloned() else {
        return Err(bad(format!("endpoint {:?} not found", a.endpoint)));
    };
    check_fields(&a).map_err(bad)?;
    if a.input.as_ref().map_or(0, Message::encoded_len) > step.env.limits.blob_size_error {
        return Err(BadCommand::ending_workflow(
            cause,
            "ScheduleNexusOperationCommandAttributes.Input exceeds size limit",
        ));
    }
    let nexus_header = header(&a.nexus_header).map_err(bad)?;
    let limit = step.env.limits.pending_nexus_operations_max;
    if step.state.nexus_operations.len() >= limit {
        return Err(BadCommand::new(
            Cause::PendingNexusOperationsLimitExceeded,
            format!(
                "workflow has reached the pending nexus operation limit of {limit} for this namespace"
            ),
        ));
    }
    let [to_close, to_start, start_to_close] = timeouts(step, &a);
    let request_id = step.now.uuid().to_string();
    let scheduled_event_id = step.write_with(
        Attributes::NexusOperationScheduledEventAttributes(
            NexusOperationScheduledEventAttributes {
                endpoint: a.endpoint,
                service: a.service,
                operation: a.operation,
                input: a.input,
                schedule_to_close_timeout: to_close,
                nexus_header,
                workflow_task_completed_event_id: context.completed_event_id,
                request_id,
                endpoint_id,
                schedule_to_start_timeout: to_start,
                start_to_close_timeout: start_to_close,
            },
        ),
        extras,
    );
    nexus::ask_to_start(step, scheduled_event_id);
    Ok(())
}

fn check_fields(a: &ScheduleNexusOperationCommandAttributes) -> Result<(), String> {
    let field = |name: &str| format!("ScheduleNexusOperationCommandAttributes.{name}");
    for (name, text) in [("Service", &a.service), ("Operation", &a.operation)] {
        if text.len() > NAME_MAX {
            let field = field(name);
            return Err(format!("{field} exceeds length limit of {NAME_MAX}"));
        }
    }
    for (name, span) in [
        ("ScheduleToCloseTimeout", &a.schedule_to_close_timeout),
        ("ScheduleToStartTimeout", &a.schedule_to_start_timeout),
        ("StartToCloseTimeout", &a.start_to_close_timeout),
    ] {
        if is_negative(span.as_ref()) {
            return Err(format!("{} is invalid: negative duration", field(name)));
        }
    }
    Ok(())
}

/// The headers with their names in lower case.
fn header(given: &BTreeMap<String, String>) -> Result<BTreeMap<String, String>, String> {
    let field = "ScheduleNexusOperationCommandAttributes.NexusHeader";
    let mut header = BTreeMap::new();
    let mut size = 0;
    for (name, value) in given {
        let lower = name.to_lowercase();
        if RESERVED_HEADERS.contains(&lower.as_str()) {
            return Err(format!(
                "{field} contains a disallowed header key: {name:?}"
            ));
        }
        size += lower.len() + value.len();
        header.insert(lower, value.clone());
    }
    if size > HEADER_MAX {
        return Err(format!("{field} exceeds size limit"));
    }
    Ok(header)
}

/// Schedule-to-close is bounded by the run's own timeout, and bounds the others.
fn timeouts(
    step: &Step<'_>,
    a: &ScheduleNexusOperationCommandAttributes,
) -> [Option<proto::Duration>; 3] {
    let run = step.state.core.start.run_timeout;
    let mut to_close = a.schedule_to_close_timeout;
    let asked = duration(to_close.as_ref());
    if !run.is_zero() && (asked.is_zero() || asked > run) {
        to_close = Some(wire(run));
    }
    let bound = duration(to_close.as_ref());
    let bounded = |span: Option<proto::Duration>| {
        let over = !bound.is_zero() && duration(span.as_ref()) > bound;
        if over { to_close } else { span }
    };
    [
        to_close,
        bounded(a.schedule_to_start_timeout),
        bounded(a.start_to_close_timeout),
    ]
}
