//! GetWorkflowExecutionHistory: pages, the wait for new events, and the wait for the close event
//! (behaviour, section 4.9).

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use engine::Namespace;
use prost::Message;
use proto::temporal::api::enums::v1::{EventType, HistoryEventFilterType};
use proto::temporal::api::failure::v1::Failure;
use proto::temporal::api::history::v1::history_event::Attributes;
use proto::temporal::api::history::v1::{
    History, HistoryEvent, WorkflowExecutionContinuedAsNewEventAttributes,
};
use proto::temporal::api::workflowservice::v1::{
    GetWorkflowExecutionHistoryRequest, GetWorkflowExecutionHistoryResponse,
};
use tokio::time::Instant;
use uuid::Uuid;

use super::call::{Metadata, NamespaceCall};
use super::history_page::{Kind, cursor, page_size, token};
use super::validate::Execution;
use super::{Server, validate};
use crate::error::WireError;
use crate::shard::{HistoryCursor, HistoryRequest, When};
use crate::wire::Reply;

/// The response's field for the history.
const HISTORY: u32 = 1;
/// An answer must be on its way before the client gives up.
const DEADLINE_MARGIN: Duration = Duration::from_secs(1);

pub(super) async fn handle(
    server: Server,
    call: NamespaceCall<GetWorkflowExecutionHistoryRequest>,
) -> Result<Reply<GetWorkflowExecutionHistoryResponse>, WireError> {
    let execution = validate::execution(call.request.execution.as_ref())?;
    let from = cursor(&call.request.next_page_token, execution.run_id, false)?;
    if call.request.history_event_filter_type() == HistoryEventFilterType::CloseEvent {
        return close_event(server, call, execution, from).await;
    }
    let NamespaceCall {
        request,
        metadata,
        namespace,
    } = call;
    let wait = request.wait_new_event;
    let wait_until = (wait && from.is_some()).then(|| waits_until(&server, &metadata));
    let read = HistoryRequest {
        run_id: execution.run_id,
        from,
        page_size: page_size(request.maximum_page_size),
        reverse: false,
        transient: !metadata.shows_stored_events_only(),
        wait_until,
    };
    let page = server
        .node
        .shards
        .history(&namespace, execution.workflow_id, read)
        .await?;
    let goes_on = page.more || (wait && page.open);
    let next_page_token = if goes_on {
        token(&page.next, Kind::Forward)
    } else {
        Bytes::new()
    };
    let response = GetWorkflowExecutionHistoryResponse {
        next_page_token,
        ..Default::default()
    };
    Ok(Reply::with(response, HISTORY, page.fragments))
}

fn waits_until(server: &Server, metadata: &Metadata) -> Instant {
    let until = Instant::now() + server.history_wait;
    // Saturates where a client gives no time at all: then there is no wait.
    let client = metadata
        .deadline
        .map(|at| at.checked_sub(DEADLINE_MARGIN).unwrap_or(at));
    client.map_or(until, |client| client.min(until))
}

async fn close_event(
    server: Server,
    call: NamespaceCall<GetWorkflowExecutionHistoryRequest>,
    execution: Execution,
    from: Option<HistoryCursor>,
) -> Result<Reply<GetWorkflowExecutionHistoryResponse>, WireError> {
    let NamespaceCall {
        request,
        metadata,
        namespace,
    } = call;
    let shards = &server.node.shards;
    let workflow_id = execution.workflow_id;
    let run_id = from.map(|from| from.run_id).or(execution.run_id);
    // The token of a first answer pins the run, so a wait stays with the run that it began with.
    let look = |state: &engine::workflow::state::State| {
        let core = &state.core;
        (state.run_id, core.close.clone(), core.pause.is_some())
    };
    let (run_id, close, paused) = shards
        .read(&namespace, workflow_id.as_str(), run_id, look)
        .await?;
    // The reference waits here whether or not the client asks for it. Only of a paused run it gives the newest
    // event, which is what the command line describes such a run with.
    let close = match close {
        Some(close) => Some(close),
        None if paused && !request.wait_new_event => {
            newest_event(&server, &namespace, workflow_id, run_id)
                .await?
                .map(Arc::new)
        }
        None => {
            let until = waits_until(&server, &metadata);
            let closed = shards.read_when(
                &namespace,
                workflow_id.as_str(),
                Some(run_id),
                When::Closed,
                until,
                |state| state.core.close.clone(),
            );
            closed.await?.flatten()
        }
    };
    let goes_on = close.is_none() && request.wait_new_event;
    let next_page_token = match goes_on {
        true => token(
            &HistoryCursor {
                run_id,
                seq: 1,
                event_id: 1,
            },
            Kind::CloseEvent,
        ),
        false => Bytes::new(),
    };
    let events = close
        .into_iter()
        .map(|close| match metadata.follows_next_run_id {
            true => (*close).clone(),
            false => as_continued(&close),
        });
    let history = Some(History {
        events: events.collect(),
    });
    let response = GetWorkflowExecutionHistoryResponse {
        history,
        next_page_token,
        ..Default::default()
    };
    Ok(response.into())
}

async fn newest_event(
    server: &Server,
    namespace: &Arc<Namespace>,
    workflow_id: String,
    run_id: Uuid,
) -> Result<Option<HistoryEvent>, WireError> {
    let read = HistoryRequest {
        run_id: Some(run_id),
        from: None,
        page_size: 1,
        reverse: true,
        transient: false,
        wait_until: None,
    };
    let page = server
        .node
        .shards
        .history(namespace, workflow_id, read)
        .await?;
    let newest = page.fragments.first().cloned().unwrap_or_default();
    let history = History::decode(newest)
        .map_err(|error| WireError::internal(format!("stored history: {error}")))?;
    Ok(history.events.into_iter().next())
}

/// The close event as clients expect it that do not know that a completed, failed or timed out run
/// can have a successor: they follow a continue-as-new only.
fn as_continued(close: &HistoryEvent) -> HistoryEvent {
    let mut shown = close.clone();
    let (next_run_id, failure): (&str, Option<&Failure>) = match &close.attributes {
        Some(Attributes::WorkflowExecutionCompletedEventAttributes(a)) => {
            (&a.new_execution_run_id, None)
        }
        Some(Attributes::WorkflowExecutionFailedEventAttributes(a)) => {
            (&a.new_execution_run_id, a.failure.as_ref())
        }
        Some(Attributes::WorkflowExecutionTimedOutEventAttributes(a)) => {
            (&a.new_execution_run_id, None)
        }
        _ => return shown,
    };
    if next_run_id.is_empty() {
        return shown;
    }
    let attributes = WorkflowExecutionContinuedAsNewEventAttributes {
        new_execution_run_id: next_run_id.to_owned(),
        failure: failure.cloned(),
        ..Default::default()
    };
    shown.set_event_type(EventType::WorkflowExecutionContinuedAsNew);
    shown.attributes = Some(Attributes::WorkflowExecutionContinuedAsNewEventAttributes(
        attributes,
    ));
    shown
}

#[cfg(test)]
mod tests {
    use proto::temporal::api::history::v1::WorkflowExecutionFailedEventAttributes;

    use super::*;

    fn failed(next: &str) -> HistoryEvent {
        let attributes = WorkflowExecutionFailedEventAttributes {
            failure: Some(Failure {
                message: "m".into(),
                ..Default::default()
            }),
            new_execution_run_id: next.into(),
            ..Default::default()
        };
        let mut event = HistoryEvent {
            event_id: 5,
            ..Default::default()
        };
        event.set_event_type(EventType::WorkflowExecutionFailed);
        event.attributes = Some(Attributes::WorkflowExecutionFailedEventAttributes(
            attributes,
        ));
        event
    }

    #[test]
    fn a_close_event_with_a_successor_is_shown_as_continued() {
        let shown = as_continued(&failed("next"));
        assert_eq!(
            shown.event_type(),
            EventType::WorkflowExecutionContinuedAsNew
        );
        assert_eq!(shown.event_id, 5);
        let Some(Attributes::WorkflowExecutionContinuedAsNewEventAttributes(a)) = shown.attributes
        else {
            panic!("other attributes");
        };
        assert_eq!(a.new_execution_run_id, "next");
        assert_eq!(a.failure.unwrap().message, "m");
        assert_eq!(as_continued(&failed("")), failed(""));
    }
}
