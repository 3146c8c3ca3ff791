//! The Nexus protocol on the HTTP port (behaviour, sections 10.3 and 11): requests to handlers, by endpoint or
//! by task queue, and completions of operations that run elsewhere. May depend on `grpc`.

mod completion;
mod operation;
mod respond;

use std::sync::Arc;

use axum::Router;
use axum::extract::DefaultBodyLimit;
use axum::routing::any;

use crate::grpc::Frontend;

/// Bytes of a request's body.
const BODY_MAX: usize = 4 << 20;

/// The paths of the protocol.
pub(super) fn routes(frontend: Arc<Frontend>) -> Router {
    Router::new()
        .route(
            "/nexus/endpoints/{endpoint}/services/{*rest}",
            any(operation::by_endpoint),
        )
        .route(
            "/namespaces/{namespace}/task-queues/{queue}/nexus-services/{*rest}",
            any(operation::by_task_queue),
        )
        .route(
            "/namespaces/{namespace}/nexus/callback",
            any(completion::named),
        )
        .route("/nexus/callback", any(completion::unnamed))
        .layer(DefaultBodyLimit::max(BODY_MAX))
        .with_state(frontend)
}
