//! The server of the floor: two methods, one that answers and one that commits and answers.

use std::convert::Infallible;
use std::io::Write as _;
use std::net::{Ipv4Addr, SocketAddr};
use std::task::{Context, Poll};

use bytes::Bytes;
use http::StatusCode;
use tokio::sync::{mpsc, oneshot};
use tonic::body::Body;
use tonic::codegen::{BoxFuture, Service};
use tonic::server::{Grpc, UnaryService};
use tonic::transport::Server;
use tonic::transport::server::TcpIncoming;
use tonic::{Request, Response, Status};
use tonic_prost::ProstCodec;

use super::commit::{self, Write};
use super::{COMMIT, EMPTY};
use crate::cli::Options;
use crate::error::Error;

/// Serves until the process is killed. The port is the first line of its output.
pub(crate) async fn serve(options: &Options) -> Result<(), Error> {
    let Some(path) = &options.floor_db else {
        return Err(Error::Unusable(String::from(
            "floor-server needs --floor-db",
        )));
    };
    let writes = commit::start(path)?;
    let port = |source| Error::Io {
        what: "open a port",
        source,
    };
    let anywhere = SocketAddr::from((Ipv4Addr::LOCALHOST, 0));
    let incoming = TcpIncoming::bind(anywhere)
        .map_err(port)?
        .with_nodelay(Some(true));
    let address = incoming.local_addr().map_err(port)?;
    writeln!(std::io::stdout(), "{}", address.port()).map_err(port)?;
    Server::builder()
        .serve_with_incoming(Floor { writes }, incoming)
        .await?;
    Ok(())
}

#[derive(Clone)]
struct Floor {
    writes: mpsc::Sender<Write>,
}

impl Service<http::Request<Body>> for Floor {
    type Response = http::Response<Body>;
    type Error = Infallible;
    type Future = BoxFuture<Self::Response, Self::Error>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Self::Error>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: http::Request<Body>) -> Self::Future {
        let floor = self.clone();
        Box::pin(async move {
            let mut grpc = Grpc::new(ProstCodec::default());
            let path = request.uri().path();
            let response = if path == EMPTY.path {
                grpc.unary(Empty, request).await
            } else if path == COMMIT.path {
                grpc.unary(Commit(floor.writes), request).await
            } else {
                let mut response = http::Response::new(Body::empty());
                *response.status_mut() = StatusCode::NOT_FOUND;
                response
            };
            Ok(response)
        })
    }
}

struct Empty;

impl UnaryService<Bytes> for Empty {
    type Response = ();
    type Future = BoxFuture<Response<()>, Status>;

    fn call(&mut self, _: Request<Bytes>) -> Self::Future {
        Box::pin(async { Ok(Response::new(())) })
    }
}

struct Commit(mpsc::Sender<Write>);

impl UnaryService<Bytes> for Commit {
    type Response = ();
    type Future = BoxFuture<Response<()>, Status>;

    fn call(&mut self, request: Request<Bytes>) -> Self::Future {
        let writes = self.0.clone();
        Box::pin(async move {
            let (sender, durable) = oneshot::channel();
            let gone = |()| Status::unavailable("the database failed");
            let write = (request.into_inner(), sender);
            writes.send(write).await.map_err(|_| gone(()))?;
            match durable.await {
                Ok(true) => Ok(Response::new(())),
                _ => Err(gone(())),
            }
        })
    }
}
