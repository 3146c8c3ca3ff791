//! The gRPC port: accepts connections and serves HTTP/2 on them until the server stops.

use std::convert::Infallible;
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{mpsc, watch};

use super::Frontend;

/// Clients that live long come back now and then, so that they spread over replicas.
const CONNECTION_AGE_MAX: Duration = Duration::from_secs(5 * 60);
/// How long open calls of such a connection may go on: longer than any poll.
const CONNECTION_AGE_GRACE: Duration = Duration::from_secs(70);
const PING_EVERY: Duration = Duration::from_secs(60);
const PING_TIMEOUT: Duration = Duration::from_secs(10);
/// A worker holds a stream for every poll; one connection may carry thousands of them.
const STREAMS_MAX: u32 = 100_000;
/// Requests of up to 4 MiB come in without waiting for the receiver at every step.
const STREAM_WINDOW: u32 = 1 << 20;
const CONNECTION_WINDOW: u32 = 8 << 20;
/// How long calls may go on when the server stops.
const STOP_GRACE: Duration = Duration::from_secs(5);

/// Serves until `stopping` turns true; then ends open connections in good order.
pub async fn serve(
    listener: TcpListener,
    frontend: Arc<Frontend>,
    mut stopping: watch::Receiver<bool>,
) {
    // Closed when the last connection's task has dropped its sender.
    let (alive, mut all_gone) = mpsc::channel::<()>(1);
    loop {
        let accepted = tokio::select! {
            accepted = listener.accept() => accepted,
            _ = stopping.wait_for(|stopping| *stopping) => break,
        };
        match accepted {
            Ok((stream, _)) => {
                let connection = connection(stream, frontend.clone(), stopping.clone());
                let alive = alive.clone();
                tokio::spawn(async move {
                    connection.await;
                    drop(alive);
                });
            }
            Err(error) => {
                // Out of file descriptors, most likely: the connections that end make room.
                tracing::warn!(%error, "a connection could not be accepted");
                tokio::time::sleep(Duration::from_millis(50)).await;
            }
        }
    }
    drop((listener, alive));
    let _ = tokio::time::timeout(STOP_GRACE, all_gone.recv()).await;
}

async fn connection(
    stream: TcpStream,
    frontend: Arc<Frontend>,
    mut stopping: watch::Receiver<bool>,
) {
    // Answers are small and wanted at once.
    let _ = stream.set_nodelay(true);
    let mut builder = hyper::server::conn::http2::Builder::new(TokioExecutor::new());
    builder
        .timer(TokioTimer::new())
        .auto_date_header(false)
        .max_concurrent_streams(STREAMS_MAX)
        .initial_stream_window_size(STREAM_WINDOW)
        .initial_connection_window_size(CONNECTION_WINDOW)
        .keep_alive_interval(PING_EVERY)
        .keep_alive_timeout(PING_TIMEOUT)
        // A worker that stops cancels all its polls at once, which is no attack.
        .max_pending_accept_reset_streams(10_000)
        .max_local_error_reset_streams(None);
    let service = hyper::service::service_fn(move |request| {
        let frontend = frontend.clone();
        async move { Ok::<_, Infallible>(super::service::serve(frontend, request).await) }
    });
    let mut connection = pin!(builder.serve_connection(TokioIo::new(stream), service));
    // A little chance keeps connections that were opened together from all ending together.
    let spread = Duration::from_millis((uuid::Uuid::new_v4().as_u128() % 60_000) as u64);
    let grace = tokio::select! {
        ended = connection.as_mut() => {
            // Peers that vanish are no news.
            if let Err(error) = ended {
                tracing::debug!(%error, "a connection ended badly");
            }
            return;
        }
        _ = stopping.wait_for(|stopping| *stopping) => STOP_GRACE,
        () = tokio::time::sleep(CONNECTION_AGE_MAX + spread) => CONNECTION_AGE_GRACE,
    };
    connection.as_mut().graceful_shutdown();
    tokio::select! {
        _ = connection.as_mut() => {}
        () = tokio::time::sleep(grace) => {}
        _ = async {
            let _ = stopping.wait_for(|stopping| *stopping).await;
            tokio::time::sleep(STOP_GRACE).await;
        } => {}
    }
}
