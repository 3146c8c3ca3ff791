//! The HTTP port: the API as JSON, its documents, the Nexus protocol, health, readiness, metrics. May depend on `grpc`.

mod api;
mod metrics;
mod nexus;

use std::future::IntoFuture;
use std::sync::Arc;

use axum::Router;
use axum::extract::State;
use axum::http::{StatusCode, header};
use axum::response::IntoResponse;
use axum::routing::get;
use tokio::net::TcpListener;
use tokio::sync::watch;

pub use metrics::Metrics;

use crate::grpc::Frontend;

/// What the pages show.
#[derive(Clone)]
struct Shown {
    frontend: Arc<Frontend>,
    metrics: Metrics,
    stopping: watch::Receiver<bool>,
}

/// Serves until `stopping` turns true.
pub async fn serve(
    listener: TcpListener,
    frontend: Arc<Frontend>,
    metrics: Metrics,
    stopping: watch::Receiver<bool>,
) {
    let shown = Shown {
        frontend: frontend.clone(),
        metrics,
        stopping: stopping.clone(),
    };
    let router = Router::new()
        .route("/health", get(health))
        .route("/healthz", get(health))
        .route("/readyz", get(ready))
        .route("/metrics", get(metrics_text))
        .with_state(shown)
        .route("/openapi.yaml", get(api::openapi_v3))
        .route("/swagger.json", get(api::openapi_v2))
        .merge(nexus::routes(frontend.clone()))
        .fallback(move |request| api::serve(frontend.clone(), request));
    let mut stops = stopping.clone();
    let served = axum::serve(listener, router).with_graceful_shutdown(async move {
        let _ = stops.wait_for(|stopping| *stopping).await;
    });
    if let Err(error) = served.into_future().await {
        tracing::error!(%error, "HTTP is no longer served");
    }
}

/// The process runs and answers.
async fn health() -> &'static str {
    "ok\n"
}

/// The server takes work: it is not about to stop, and its store answers.
async fn ready(State(shown): State<Shown>) -> impl IntoResponse {
    if *shown.stopping.borrow() {
        return (StatusCode::SERVICE_UNAVAILABLE, "stopping\n".to_owned());
    }
    match shown.frontend.node.store.meta_get("cluster/id").await {
        Ok(_) => (StatusCode::OK, "ok\n".to_owned()),
        Err(error) => (StatusCode::SERVICE_UNAVAILABLE, format!("{error}\n")),
    }
}

async fn metrics_text(State(shown): State<Shown>) -> impl IntoResponse {
    let text = shown.metrics.text(shown.frontend.node.store.stats());
    (
        [(
            header::CONTENT_TYPE,
            "text/plain; version=0.0.4; charset=utf-8",
        )],
        text,
    )
}
