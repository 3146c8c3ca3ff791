//! A worker's poll for requests to Nexus handlers.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use engine::Namespace;
use engine::workflow::token::NexusTaskToken;
use prost::Message as _;
use proto::temporal::api::workflowservice::v1::PollNexusTaskQueueResponse;
use tokio::time::Instant;

use super::Node;
use crate::matching::{self, QueueKind, Task};
use crate::nexus::NexusTask;

impl Node {
    /// A poll for requests to Nexus handlers; `None` when nothing came (answer with an empty message).
    pub async fn poll_nexus_task(
        &self,
        namespace: &Arc<Namespace>,
        poll: impl Into<matching::Poll>,
    ) -> Option<Box<PollNexusTaskQueueResponse>> {
        let poll = poll.into();
        loop {
            let delivery = self
                .matching
                .poll(namespace.id, QueueKind::Nexus, &poll)
                .await?;
            let task = match delivery.task() {
                Some(Task::Nexus(task)) => task.upgrade().filter(|task| task.is_awaited()),
                Some(Task::Execution(_) | Task::Query(_)) | None => None,
            };
            match task {
                Some(task) => {
                    delivery.accept();
                    return Some(Box::new(shown(namespace, &task)));
                }
                None => delivery.gone(),
            }
        }
    }
}

fn shown(namespace: &Namespace, task: &NexusTask) -> PollNexusTaskQueueResponse {
    let token = NexusTaskToken {
        namespace_id: Bytes::copy_from_slice(namespace.id.as_bytes()),
        task_id: Bytes::copy_from_slice(task.id.as_bytes()),
    };
    let left = task.deadline.saturating_duration_since(Instant::now());
    let mut request = task.request.clone();
    // Both spellings are read by workers.
    for name in ["request-timeout", "Request-Timeout"] {
        request.header.insert(name.to_owned(), seconds(left));
    }
    PollNexusTaskQueueResponse {
        task_token: token.encode_to_vec().into(),
        request: Some(request),
        ..PollNexusTaskQueueResponse::default()
    }
}

/// A span as the protocol's readers take it: `7.5s`.
fn seconds(span: Duration) -> String {
    format!("{}s", span.as_secs_f64())
}
