//! The HTTP port: the API as JSON, its documents, the Nexus protocol, health, readiness, metrics. May depend on `grpc`.

mod api;
mod metrics;
mod nexus;

use std::future::IntoFuture;
use std::sync::Arc;

use axum::Router;
use axum::body::Body;
use axum::extract::State;
use axum::http::{Request, StatusCode, header};
use axum::response::IntoResponse;
use axum::routing::get;
use engine::nexus::callback::is_like;
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

/// What a request with another `Host` than those that are allowed hears.
const HOST_NOT_ALLOWED: &str = r#"{"code": 7, "message": "Host not allowed"}"#;

/// Whether the API may be served to a request.
fn is_allowed(request: &Request<Body>, allowed: Option<&[String]>) -> bool {
    let Some(allowed) = allowed else { return true };
    let named = request.headers().get(header::HOST);
    let host = named.and_then(|host| host.to_str().ok()).unwrap_or("");
    allowed.iter().any(|pattern| is_like(host, pattern))
}

/// Serves until `stopping` turns true.
pub async fn serve(
    listener: TcpListener,
    frontend: Arc<Frontend>,
    metrics: Metrics,
    allowed_hosts: Option<Arc<[String]>>,
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
        .fallback(move |request: Request<Body>| {
            let (frontend, allowed) = (
                frontend.clone(),
                is_allowed(&request, allowed_hosts.as_deref()),
            );
            async move {
                if allowed {
                    api::serve(frontend, request).await
                } else {
                    (StatusCode::FORBIDDEN, HOST_NOT_ALLOWED).into_response()
                }
            }
        });
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hosts_are_allowed_by_pattern() {
        let allowed = ["localhost:*".to_owned(), "*.example.com".to_owned()];
        for (host, all, listed) in [
            (Some("localhost:7233"), true, true),
            (Some("api.example.com"), true, true),
            (Some("example.org"), true, false),
            (None, true, false),
        ] {
            let mut request = Request::builder().uri("/api/v1/system-info");
            if let Some(host) = host {
                request = request.header(header::HOST, host);
            }
            let request = request.body(Body::empty()).unwrap();
            assert_eq!(is_allowed(&request, None), all, "{host:?}");
            assert_eq!(is_allowed(&request, Some(&allowed)), listed, "{host:?}");
        }
    }
}
