//! Checks that several RPCs share, with the wire's own texts (behaviour, sections 3.1 and 3.2).

use engine::Namespace;
use engine::limits::Limits;
use engine::search_attributes::{self, SearchAttributeType};
use engine::{cron, retry};
use prost::Message;
use proto::temporal::api::common::v1::link::workflow_event::Reference;
use proto::temporal::api::common::v1::{
    Callback, Link, Memo, Payloads, Priority, RetryPolicy, SearchAttributes, WorkflowExecution,
    WorkflowType, link,
};
use proto::temporal::api::enums::v1::{
    TaskQueueKind, WorkflowIdConflictPolicy as Conflict, WorkflowIdReusePolicy as Reuse,
};
use proto::temporal::api::taskqueue::v1::TaskQueue;
use uuid::Uuid;

use crate::error::WireError;

/// Names below this prefix are partitions of other queues.
pub(super) const RESERVED_PREFIX: &str = "/_sys/";
/// A queue of the server's own.
const PER_NAMESPACE_QUEUE: &str = "temporal-sys-per-ns-tq";
const FAIRNESS_KEY_MAX: usize = 64;
const LINKS_MAX: usize = 10;
const LINK_SIZE_MAX: usize = 4000;

/// A valid reference to an execution. Without a run id it means the current run.
pub(super) struct Execution {
    pub(super) workflow_id: String,
    pub(super) run_id: Option<Uuid>,
}

/// The execution that a request is about.
pub(super) fn execution(execution: Option<&WorkflowExecution>) -> Result<Execution, WireError> {
    let Some(execution) = execution else {
        return Err(WireError::invalid("Execution is not set on request."));
    };
    if execution.workflow_id.is_empty() {
        return Err(WireError::invalid("WorkflowId is not set on request."));
    }
    Ok(Execution {
        workflow_id: execution.workflow_id.clone(),
        run_id: run_id(&execution.run_id, "Invalid RunId.")?,
    })
}

/// A run id; empty is none.
pub(super) fn run_id(text: &str, refusal: &str) -> Result<Option<Uuid>, WireError> {
    match text {
        "" => Ok(None),
        _ => Uuid::parse_str(text)
            .map(Some)
            .map_err(|_| WireError::invalid(refusal)),
    }
}

/// The id of a workflow to start.
pub(super) fn workflow_id(id: &str, limits: &Limits) -> Result<(), WireError> {
    if id.is_empty() {
        return Err(WireError::invalid("WorkflowId is not set on request."));
    }
    let (length, max) = (id.len(), limits.id_length_max);
    if length > max {
        let text = format!("WorkflowId exceeds maximum allowed length ({length}/{max})");
        return Err(WireError::invalid(text));
    }
    Ok(())
}

pub(super) fn workflow_type(kind: Option<&WorkflowType>, limits: &Limits) -> Result<(), WireError> {
    let name = kind.map_or("", |kind| kind.name.as_str());
    if name.is_empty() {
        return Err(WireError::invalid("WorkflowType is not set on request."));
    }
    length(name, limits, "WorkflowType length exceeds limit.")
}

/// Refuses what is longer than ids may be.
pub(super) fn length(text: &str, limits: &Limits, refusal: &str) -> Result<(), WireError> {
    if text.len() > limits.id_length_max {
        Err(WireError::invalid(refusal))
    } else {
        Ok(())
    }
}

pub(super) fn request_id(id: &str, limits: &Limits) -> Result<(), WireError> {
    length(id, limits, "RequestId length exceeds limit.")
}

pub(super) fn identity(identity: &str, limits: &Limits) -> Result<(), WireError> {
    length(identity, limits, "Identity length exceeds limit.")
}

/// A task queue of a user, and whether it is a sticky one.
pub(super) fn task_queue<'a>(
    queue: Option<&'a TaskQueue>,
    limits: &Limits,
) -> Result<(&'a str, bool), WireError> {
    let Some(queue) = queue else {
        return Err(WireError::invalid("taskQueue is not set"));
    };
    task_queue_name(&queue.name, limits)?;
    Ok((&queue.name, queue.kind() == TaskQueueKind::Sticky))
}

/// A task queue to poll or to look at: only a sticky one stands beside another.
pub(super) fn served_queue<'a>(
    queue: Option<&'a TaskQueue>,
    limits: &Limits,
) -> Result<(&'a str, bool), WireError> {
    let (name, sticky) = task_queue(queue, limits)?;
    let beside = queue.map_or("", |queue| queue.normal_name.as_str());
    if !sticky && !beside.is_empty() {
        return Err(WireError::invalid(format!(
            "only sticky queues can have normal name. tq: {name}, normal name: {beside}"
        )));
    }
    Ok((name, sticky))
}

/// The name of a task queue of a user.
pub(super) fn task_queue_name(name: &str, limits: &Limits) -> Result<(), WireError> {
    if name.is_empty() {
        return Err(WireError::invalid("missing task queue name"));
    }
    length(name, limits, "taskQueue length exceeds limit")?;
    if name.starts_with(RESERVED_PREFIX) {
        return Err(WireError::invalid(
            "task queue name cannot start with reserved prefix /_sys/",
        ));
    }
    if name == PER_NAMESPACE_QUEUE {
        return Err(WireError::invalid(format!(
            "cannot use internal per-namespace task queue:{PER_NAMESPACE_QUEUE}"
        )));
    }
    Ok(())
}

/// A timeout of a request: `name` is how the text calls it.
pub(super) fn timeout(value: Option<&proto::Duration>, name: &str) -> Result<(), WireError> {
    retry::timeouts::capped(value).map(drop).map_err(|cause| {
        WireError::invalid(format!(
            "An invalid {name} is set on request. cause: {cause}"
        ))
    })
}

/// Fills in what a retry policy leaves open, and checks it.
pub(super) fn retry_policy(policy: &mut Option<RetryPolicy>) -> Result<(), WireError> {
    if let Some(given) = policy {
        *given = retry::completed(given).map_err(|e| WireError::invalid(e.to_string()))?;
    }
    Ok(())
}

/// A cron schedule and a start delay, which exclude each other.
pub(super) fn first_task_delay(
    cron_schedule: &str,
    delay: Option<&proto::Duration>,
    now_ns: i64,
) -> Result<(), WireError> {
    timeout(delay, "WorkflowStartDelaySeconds")?;
    if cron_schedule.is_empty() {
        return Ok(());
    }
    if delay.is_some_and(|delay| delay.seconds != 0 || delay.nanos != 0) {
        return Err(WireError::invalid(
            "CronSchedule and WorkflowStartDelay may not be used together.",
        ));
    }
    cron::Cron::validate(cron_schedule, now_ns).map_err(|e| WireError::invalid(e.to_string()))?;
    Ok(())
}

/// One payload field of a request.
pub(super) fn blob(payloads: Option<&Payloads>, limits: &Limits) -> Result<(), WireError> {
    blob_size(payloads.map_or(0, Message::encoded_len), limits)
}

pub(super) fn blob_size(size: usize, limits: &Limits) -> Result<(), WireError> {
    if size > limits.blob_size_error {
        return Err(WireError::invalid("Blob data size exceeds limit."));
    }
    Ok(())
}

pub(super) fn memo(memo: Option<&Memo>, limits: &Limits) -> Result<(), WireError> {
    if memo.map_or(0, Message::encoded_len) > limits.memo_size_error {
        return Err(WireError::invalid("Memo size exceeds limit."));
    }
    Ok(())
}

/// Checks search attributes and gives them the form in which they are kept.
pub(super) fn search_attributes(
    attributes: &mut Option<SearchAttributes>,
    namespace: &Namespace,
    limits: &Limits,
) -> Result<(), WireError> {
    let Some(given) = attributes else {
        return Ok(());
    };
    let custom = |name: &str| -> Option<SearchAttributeType> {
        namespace.search_attributes.get(name).copied()
    };
    let limits = search_attributes::Limits {
        key_count_max: limits.search_attributes_keys_max,
        value_bytes_max: limits.search_attribute_value_max,
        total_bytes_max: limits.search_attributes_total_max,
    };
    search_attributes::validate(given, &namespace.name, &custom, limits)
        .map_err(|e| WireError::invalid(e.to_string()))?;
    *given = search_attributes::normalise(given, &custom);
    Ok(())
}

/// Which policies for used workflow ids go together (behaviour, section 6.1).
pub(super) fn id_policies(reuse: i32, conflict: i32) -> Result<(), WireError> {
    let unset = conflict == Conflict::Unspecified as i32;
    // The legacy policy is a name of its own in this enumeration only.
    #[allow(deprecated)]
    let terminate_if_running = Reuse::TerminateIfRunning as i32;
    if reuse == terminate_if_running && !unset {
        return Err(WireError::invalid(
            "Invalid WorkflowIDReusePolicy: WORKFLOW_ID_REUSE_POLICY_TERMINATE_IF_RUNNING cannot \
             be used together with a WorkflowIDConflictPolicy",
        ));
    }
    if reuse == Reuse::RejectDuplicate as i32 && conflict == Conflict::TerminateExisting as i32 {
        return Err(WireError::invalid(
            "Invalid WorkflowIDReusePolicy: WORKFLOW_ID_REUSE_POLICY_REJECT_DUPLICATE cannot be \
             used together with WorkflowIdConflictPolicy WORKFLOW_ID_CONFLICT_POLICY_TERMINATE_EXISTING",
        ));
    }
    Ok(())
}

pub(super) fn priority(priority: Option<&Priority>) -> Result<(), WireError> {
    let Some(priority) = priority else {
        return Ok(());
    };
    if priority.priority_key < 0 {
        return Err(WireError::invalid("priority key can't be negative"));
    }
    if priority.fairness_key.len() > FAIRNESS_KEY_MAX {
        return Err(WireError::invalid("fairness key length exceeds limit"));
    }
    if priority.fairness_weight < 0.0 {
        return Err(WireError::invalid("must be greater than zero"));
    }
    Ok(())
}

/// The links of a request that brings no callbacks.
pub(super) fn links(links: &[Link]) -> Result<(), WireError> {
    all_links(links, &[])
}

/// The links of a request and of the callbacks that it brings: they count together.
pub(super) fn all_links(links: &[Link], callbacks: &[Callback]) -> Result<(), WireError> {
    let of_callbacks = callbacks.iter().flat_map(|callback| &callback.links);
    let count = links.len() + of_callbacks.clone().count();
    if count > LINKS_MAX {
        return Err(WireError::invalid(format!(
            "cannot attach more than {LINKS_MAX} links per request, got {count}"
        )));
    }
    links.iter().chain(of_callbacks).try_for_each(one_link)
}

fn one_link(link: &Link) -> Result<(), WireError> {
    let size = link.encoded_len();
    if size > LINK_SIZE_MAX {
        return Err(WireError::invalid(format!(
            "link exceeds allowed size of {LINK_SIZE_MAX}, got {size}"
        )));
    }
    let missing = |kind: &str, fields: &[(&str, &String)]| {
        let empty = fields.iter().find(|(_, value)| value.is_empty());
        empty.map_or(Ok(()), |(name, _)| {
            Err(WireError::invalid(format!(
                "{kind} link must not have an empty {name} field"
            )))
        })
    };
    let execution = |kind, namespace, name, id, run_id| {
        let fields = [("namespace", namespace), (name, id), ("run ID", run_id)];
        missing(kind, &fields)
    };
    match &link.variant {
        None | Some(link::Variant::Callback(_)) => {
            Err(WireError::invalid("unsupported link variant"))
        }
        Some(link::Variant::WorkflowEvent(event)) => {
            let (id, run_id) = (&event.workflow_id, &event.run_id);
            let kind = "workflow event";
            execution(kind, &event.namespace, "workflow ID", id, run_id)?;
            match &event.reference {
                Some(Reference::EventRef(event))
                    if event.event_type == 0 && event.event_id != 0 =>
                {
                    Err(WireError::invalid(
                        "workflow event link ref cannot have an unspecified event type and a \
                         non-zero event ID",
                    ))
                }
                _ => Ok(()),
            }
        }
        Some(link::Variant::BatchJob(job)) if job.job_id.is_empty() => Err(WireError::invalid(
            "batch job link must not have an empty job ID",
        )),
        Some(link::Variant::BatchJob(_)) => Ok(()),
        Some(link::Variant::NexusOperation(to)) => {
            let (id, run_id) = (&to.operation_id, &to.run_id);
            let kind = "nexus operation";
            execution(kind, &to.namespace, "operation ID", id, run_id)
        }
        Some(link::Variant::Activity(to)) => {
            let (id, run_id) = (&to.activity_id, &to.run_id);
            execution("activity", &to.namespace, "activity ID", id, run_id)
        }
        Some(link::Variant::Workflow(to)) => {
            let (id, run_id) = (&to.workflow_id, &to.run_id);
            execution("workflow", &to.namespace, "workflow ID", id, run_id)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn message<T>(result: Result<T, WireError>) -> Option<String> {
        result.err().map(|error| error.message)
    }

    fn text(expected: &str) -> Option<String> {
        (!expected.is_empty()).then(|| expected.to_owned())
    }

    #[test]
    fn executions() {
        for (workflow_id, run_id, expected) in [
            ("w", "", ""),
            ("w", "32049b68-7872-4094-8e63-d0dd59896a83", ""),
            ("", "", "WorkflowId is not set on request."),
            ("w", "x", "Invalid RunId."),
        ] {
            let given = WorkflowExecution {
                workflow_id: workflow_id.into(),
                run_id: run_id.into(),
            };
            assert_eq!(message(execution(Some(&given))), text(expected));
        }
        assert_eq!(
            message(execution(None)),
            text("Execution is not set on request.")
        );
    }

    #[test]
    fn task_queues() {
        let limits = Limits::default();
        let long = "q".repeat(1001);
        for (name, expected) in [
            ("q", ""),
            ("", "missing task queue name"),
            (long.as_str(), "taskQueue length exceeds limit"),
            (
                "/_sys/q/1",
                "task queue name cannot start with reserved prefix /_sys/",
            ),
            (
                "temporal-sys-per-ns-tq",
                "cannot use internal per-namespace task queue:temporal-sys-per-ns-tq",
            ),
        ] {
            let queue = TaskQueue {
                name: name.into(),
                ..Default::default()
            };
            assert_eq!(
                message(task_queue(Some(&queue), &limits)),
                text(expected),
                "{name}"
            );
        }
        assert_eq!(
            message(task_queue(None, &limits)),
            text("taskQueue is not set")
        );
    }

    #[test]
    fn delays_and_timeouts() {
        let seconds = |seconds, nanos| proto::Duration { seconds, nanos };
        let check = |cron: &str, delay: Option<proto::Duration>| {
            message(first_task_delay(cron, delay.as_ref(), 0))
        };
        assert_eq!(check("", None), None);
        assert_eq!(check("* * * * *", None), None);
        assert_eq!(check("bad", None), text("invalid CronSchedule."));
        assert_eq!(
            check("* * * * *", Some(seconds(1, 0))),
            text("CronSchedule and WorkflowStartDelay may not be used together.")
        );
        assert_eq!(
            check("", Some(seconds(-1, 0))),
            text(
                "An invalid WorkflowStartDelaySeconds is set on request. cause: negative duration"
            )
        );
        assert_eq!(
            message(timeout(Some(&seconds(1, -1)), "X")),
            text(
                "An invalid X is set on request. \
                 cause: duration has seconds and nanos with different signs"
            )
        );
    }

    #[test]
    fn policies() {
        for (reuse, conflict, refused) in [
            (0, 0, false),
            (4, 0, false),
            (4, 1, true),
            (3, 3, true),
            (3, 2, false),
            (1, 3, false),
        ] {
            assert_eq!(
                id_policies(reuse, conflict).is_err(),
                refused,
                "{reuse} {conflict}"
            );
        }
    }

    #[test]
    fn priorities_and_links() {
        let check = |priority_key, fairness_key: &str, fairness_weight| {
            let fairness_key = fairness_key.into();
            message(priority(Some(&Priority {
                priority_key,
                fairness_key,
                fairness_weight,
            })))
        };
        assert_eq!(check(6, "k", 1.0), None);
        assert_eq!(check(-1, "", 0.0), text("priority key can't be negative"));
        assert_eq!(
            check(0, &"k".repeat(65), 0.0),
            text("fairness key length exceeds limit")
        );
        assert_eq!(check(0, "", -1.0), text("must be greater than zero"));
        let many = vec![Link::default(); 11];
        assert_eq!(
            message(links(&many)),
            text("cannot attach more than 10 links per request, got 11")
        );
        assert_eq!(message(links(&many[..1])), text("unsupported link variant"));
        let named = Link {
            variant: Some(link::Variant::Activity(link::Activity {
                namespace: "n".into(),
                ..Default::default()
            })),
        };
        assert_eq!(
            message(links(&[named])),
            text("activity link must not have an empty activity ID field")
        );
    }
}
