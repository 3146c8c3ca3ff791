//! Raw gRPC to one server: nothing is retried, nothing hidden.

use std::time::Duration;

use bytes::{Buf, BufMut, Bytes};
use http::uri::PathAndQuery;
use tonic::client::Grpc;
use tonic::codec::{Codec, DecodeBuf, Decoder, EncodeBuf, Encoder};
use tonic::metadata::MetadataValue;
use tonic::transport::{Channel, Endpoint};
use tonic::{Code, Request, Status};
use tonic_prost::ProstCodec;

use crate::error::Error;

/// The longest message that is taken.
const MESSAGE_BYTES_MAX: usize = 128 << 20;

/// One method of a service.
#[derive(Debug, Clone, Copy)]
pub struct Method {
    /// For messages.
    pub name: &'static str,
    /// For the wire.
    pub path: &'static str,
}

/// A connection to one server process.
#[derive(Debug, Clone)]
pub struct Client {
    channel: Channel,
}

impl Client {
    /// Connects to `host:port`.
    ///
    /// # Errors
    /// When nobody listens there.
    pub async fn connect(address: &str) -> Result<Self, Error> {
        let failed = |error: tonic::transport::Error| Error::Io {
            what: "connect to the server",
            source: std::io::Error::other(error),
        };
        let endpoint = Endpoint::from_shared(format!("http://{address}"))
            .map_err(failed)?
            .tcp_nodelay(true)
            .connect_timeout(Duration::from_secs(10));
        Ok(Self {
            channel: endpoint.connect().await.map_err(failed)?,
        })
    }

    /// Makes one call.
    ///
    /// # Errors
    /// The server's answer, or that there was none: [`is_answer`] tells them apart.
    pub async fn call<Req, Resp>(
        &self,
        method: Method,
        message: Req,
        deadline: Duration,
    ) -> Result<Resp, Status>
    where
        Req: prost::Message + 'static,
        Resp: prost::Message + Default + 'static,
    {
        self.exchange(method.path, message, deadline, ProstCodec::default())
            .await
    }

    /// Sends these bytes as the message of a request, whatever they are.
    ///
    /// # Errors
    /// As [`Self::call`].
    pub async fn send_raw(
        &self,
        path: &'static str,
        message: Bytes,
        deadline: Duration,
    ) -> Result<Bytes, Status> {
        self.exchange(path, message, deadline, RawCodec).await
    }

    async fn exchange<C: Codec>(
        &self,
        path: &'static str,
        message: C::Encode,
        deadline: Duration,
        codec: C,
    ) -> Result<C::Decode, Status>
    where
        C::Encode: Sync,
        C::Decode: Sync,
    {
        let mut grpc = Grpc::new(self.channel.clone()).max_decoding_message_size(MESSAGE_BYTES_MAX);
        grpc.ready()
            .await
            .map_err(|error| Status::unavailable(error.to_string()))?;
        let mut request = Request::new(message);
        request.set_timeout(deadline);
        // Without it a server hides from the close-event filter that a run was followed by another.
        let features = MetadataValue::from_static("follows-next-run-id");
        request
            .metadata_mut()
            .insert("supported-features", features);
        let answer = grpc
            .unary(request, PathAndQuery::from_static(path), codec)
            .await?;
        Ok(answer.into_inner())
    }
}

/// Whether the server decided this, so that asking again would be answered the same. Otherwise nobody
/// knows what became of the request.
pub fn is_answer(status: &Status) -> bool {
    use std::error::Error as _;
    let broke = status
        .source()
        .is_some_and(|source| source.is::<tonic::transport::Error>());
    !broke
        && !matches!(
            status.code(),
            Code::Unavailable
                | Code::Cancelled
                | Code::Unknown
                | Code::Internal
                | Code::DeadlineExceeded
        )
}

/// Bytes as they are.
#[derive(Debug, Clone, Copy, Default)]
struct RawCodec;

impl Codec for RawCodec {
    type Encode = Bytes;
    type Decode = Bytes;
    type Encoder = Self;
    type Decoder = Self;

    fn encoder(&mut self) -> Self {
        Self
    }

    fn decoder(&mut self) -> Self {
        Self
    }
}

impl Encoder for RawCodec {
    type Item = Bytes;
    type Error = Status;

    fn encode(&mut self, item: Bytes, buffer: &mut EncodeBuf<'_>) -> Result<(), Status> {
        buffer.put(item);
        Ok(())
    }
}

impl Decoder for RawCodec {
    type Item = Bytes;
    type Error = Status;

    fn decode(&mut self, buffer: &mut DecodeBuf<'_>) -> Result<Option<Bytes>, Status> {
        Ok(Some(buffer.copy_to_bytes(buffer.remaining())))
    }
}
