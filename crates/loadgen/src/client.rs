//! Raw gRPC calls over a few shared connections.

use std::error::Error as _;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use http::uri::PathAndQuery;
use tonic::client::Grpc;
use tonic::metadata::MetadataValue;
use tonic::transport::{Channel, Endpoint};
use tonic::{Code, Request, Status};
use tonic_prost::ProstCodec;

use crate::error::Error;

/// How long a call that the server refuses for the time being is made again.
const RETRY_FOR: Duration = Duration::from_secs(30);
/// The longest message that is taken.
const MESSAGE_BYTES_MAX: usize = 128 << 20;

/// One method of a service.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Method {
    /// For messages.
    pub(crate) name: &'static str,
    /// For the wire.
    pub(crate) path: &'static str,
}

/// How many calls were made.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Traffic {
    /// Calls, retries included.
    pub(crate) calls: u64,
    /// Calls that were a retry.
    pub(crate) retries: u64,
}

/// Connections to one server.
pub(crate) struct Client {
    channels: Vec<Channel>,
    next: AtomicUsize,
    calls: AtomicU64,
    retries: AtomicU64,
    /// The namespace that typed calls name.
    pub(crate) namespace: String,
    /// The identity that typed calls name.
    pub(crate) identity: String,
}

impl Client {
    /// Connects to `target`, `host:port` or a URL.
    pub(crate) async fn connect(
        target: &str,
        namespace: &str,
        connections: usize,
    ) -> Result<Self, Error> {
        let url = if target.contains("://") {
            target.to_owned()
        } else {
            format!("http://{target}")
        };
        let endpoint = Endpoint::from_shared(url)
            .map_err(|_| Error::Target {
                target: target.to_owned(),
            })?
            .tcp_nodelay(true)
            .initial_stream_window_size(1 << 20)
            .initial_connection_window_size(16 << 20)
            .connect_timeout(Duration::from_secs(5));
        let mut channels = Vec::new();
        for _ in 0..connections.max(1) {
            channels.push(endpoint.connect().await?);
        }
        Ok(Self {
            channels,
            next: AtomicUsize::new(0),
            calls: AtomicU64::new(0),
            retries: AtomicU64::new(0),
            namespace: namespace.to_owned(),
            identity: format!("steadfast-loadgen@{}", std::process::id()),
        })
    }

    /// Calls so far.
    pub(crate) fn traffic(&self) -> Traffic {
        Traffic {
            calls: self.calls.load(Ordering::Relaxed),
            retries: self.retries.load(Ordering::Relaxed),
        }
    }

    /// Makes a call, and makes it again for a while if the server is busy or away. Every request of
    /// ours is safe to repeat: it carries a request id or a task token, or only reads.
    pub(crate) async fn call<Req, Resp>(
        &self,
        method: Method,
        request: Req,
        deadline: Duration,
    ) -> Result<Resp, Error>
    where
        Req: prost::Message + Clone + 'static,
        Resp: prost::Message + Default + 'static,
    {
        let begun = Instant::now();
        let mut pause = Duration::from_millis(20);
        loop {
            let status = match self.once(method, request.clone(), deadline).await {
                Ok(response) => return Ok(response),
                Err(status) => status,
            };
            if !may_pass(&status) || begun.elapsed() > RETRY_FOR {
                return Err(Error::Call {
                    method: method.name,
                    status,
                });
            }
            self.retries.fetch_add(1, Ordering::Relaxed);
            tokio::time::sleep(pause).await;
            pause = (pause * 2).min(Duration::from_secs(1));
        }
    }

    async fn once<Req, Resp>(
        &self,
        method: Method,
        message: Req,
        deadline: Duration,
    ) -> Result<Resp, Status>
    where
        Req: prost::Message + 'static,
        Resp: prost::Message + Default + 'static,
    {
        self.calls.fetch_add(1, Ordering::Relaxed);
        let turn = self.next.fetch_add(1, Ordering::Relaxed) % self.channels.len();
        let mut grpc =
            Grpc::new(self.channels[turn].clone()).max_decoding_message_size(MESSAGE_BYTES_MAX);
        grpc.ready()
            .await
            .map_err(|error| Status::unavailable(error.to_string()))?;
        let mut request = Request::new(message);
        request.set_timeout(deadline);
        // Without it a server hides from the history filter that a run was followed by another.
        let features = MetadataValue::from_static("follows-next-run-id");
        request
            .metadata_mut()
            .insert("supported-features", features);
        let path = PathAndQuery::from_static(method.path);
        Ok(grpc
            .unary(request, path, ProstCodec::default())
            .await?
            .into_inner())
    }
}

/// Whether the same call may succeed later: the server is busy, or the connection broke.
fn may_pass(status: &Status) -> bool {
    let broke = status
        .source()
        .is_some_and(|source| source.is::<tonic::transport::Error>());
    broke || matches!(status.code(), Code::Unavailable | Code::ResourceExhausted)
}
