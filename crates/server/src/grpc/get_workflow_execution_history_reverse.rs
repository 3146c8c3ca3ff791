//! GetWorkflowExecutionHistoryReverse: newest first, no waiting.

use bytes::Bytes;
use proto::temporal::api::workflowservice::v1::{
    GetWorkflowExecutionHistoryReverseRequest, GetWorkflowExecutionHistoryReverseResponse,
};

use super::call::NamespaceCall;
use super::history_page::{Kind, cursor, page_size, token};
use super::{Server, validate};
use crate::error::WireError;
use crate::shard::HistoryRequest;
use crate::wire::Reply;

/// The response's field for the history.
const HISTORY: u32 = 1;

pub(super) async fn handle(
    server: Server,
    call: NamespaceCall<GetWorkflowExecutionHistoryReverseRequest>,
) -> Result<Reply<GetWorkflowExecutionHistoryReverseResponse>, WireError> {
    let NamespaceCall {
        request, namespace, ..
    } = call;
    let execution = validate::execution(request.execution.as_ref())?;
    let from = cursor(&request.next_page_token, execution.run_id, true)?;
    let read = HistoryRequest {
        run_id: execution.run_id,
        from,
        page_size: page_size(request.maximum_page_size),
        reverse: true,
        transient: false,
        wait_until: None,
    };
    let page = server
        .node
        .shards
        .history(&namespace, execution.workflow_id, read)
        .await?;
    let next_page_token = if page.more {
        token(&page.next, Kind::Reverse)
    } else {
        Bytes::new()
    };
    let response = GetWorkflowExecutionHistoryReverseResponse {
        next_page_token,
        ..Default::default()
    };
    Ok(Reply::with(response, HISTORY, page.fragments))
}
