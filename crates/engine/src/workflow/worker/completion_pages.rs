//! A completion of a workflow task that is too large for one request comes in pages, the last of which brings all but
//! the other pages' commands. Pages are kept with the started task, in memory as that is: whatever ends the task
//! forgets them.

use std::collections::BTreeMap;

use proto::temporal::api::command::v1::Command;
use proto::temporal::api::enums::v1::WorkflowTaskFailedCause as Cause;
use proto::temporal::api::workflowservice::v1::RespondWorkflowTaskCompletedRequest;

use crate::rejection::Rejection;
use crate::workflow::command::BadCommand;
use crate::workflow::step::Step;

/// Pages of one completion: no honest worker needs more.
const PAGES_MAX: i32 = 1024;

/// What a request is.
pub(super) enum Paged {
    /// A whole completion, with the commands of its earlier pages.
    Whole(
        Box<RespondWorkflowTaskCompletedRequest>,
        BTreeMap<String, String>,
    ),
    /// A page; others follow.
    Kept,
    /// A page that makes the completion larger than it may be.
    TooLarge(BadCommand),
}

/// Keeps a page, or puts the last one together with those before it.
pub(super) fn receive(
    step: &mut Step<'_>,
    mut request: RespondWorkflowTaskCompletedRequest,
    mut nexus_endpoints: BTreeMap<String, String>,
) -> Result<Paged, Rejection> {
    let number = request.page_number;
    if !request.intermediate_page && number == 0 {
        return Ok(Paged::Whole(Box::new(request), nexus_endpoints));
    }
    if !step.env.limits.completion_pages_enabled {
        return Err(Rejection::FailedPrecondition(format!(
            "workflow task completion pagination is disabled for this namespace {}",
            step.env.namespace.name
        )));
    }
    check(&request)?;
    let size_max = step.env.limits.completion_size_max;
    let Some(task) = &mut step.state.core.workflow_task else {
        return Err(Rejection::WorkflowTaskNotFound);
    };
    let (scheduled_event_id, attempt) = (task.scheduled_event_id, task.attempt);
    let Some(started) = &mut task.started else {
        return Err(Rejection::WorkflowTaskNotFound);
    };
    if request.intermediate_page {
        let pages = started.pages.get_or_insert_default();
        let fits = pages.keep(number, request.commands, nexus_endpoints, size_max);
        return Ok(if fits {
            Paged::Kept
        } else {
            Paged::TooLarge(BadCommand::ending_workflow(
                Cause::RequestTooLarge,
                "workflow task completion buffer size exceeds the per-workflow limit",
            ))
        });
    }
    let Some(pages) = &started.pages else {
        return Err(Rejection::CompletionPagesLost(format!(
            "workflow task completion buffer lost for scheduled event {scheduled_event_id} attempt {attempt}"
        )));
    };
    if let Some(gap) = (0..number).find(|page| !pages.commands.contains_key(page)) {
        return Err(Rejection::CompletionPagesLost(format!(
            "workflow task completion buffer missing page {gap} of {number}"
        )));
    }
    // Copied: should the whole be refused, nothing has changed.
    let before = pages.commands.range(..number);
    let mut all: Vec<Command> = before.flat_map(|(_, commands)| commands).cloned().collect();
    all.append(&mut request.commands);
    request.commands = all;
    nexus_endpoints.extend(pages.nexus_endpoints.clone());
    Ok(Paged::Whole(Box::new(request), nexus_endpoints))
}

fn check(request: &RespondWorkflowTaskCompletedRequest) -> Result<(), Rejection> {
    let refused = |text: &str| Err(Rejection::invalid(text));
    if request.page_number < 0 {
        return refused("workflow task completion pagination page number must be non-negative");
    }
    if request.page_number >= PAGES_MAX {
        return refused(&format!(
            "workflow task completion pagination supports at most {PAGES_MAX} pages"
        ));
    }
    if request.intermediate_page && request.commands.is_empty() {
        return refused("intermediate workflow task page must carry at least one command");
    }
    Ok(())
}
