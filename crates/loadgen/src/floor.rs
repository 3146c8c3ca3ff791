//! The floor: what the same calls cost if the server does nothing but answer, and commit what must be
//! durable. No server can be faster over this transport, on this disk, with this client.
//!
//! The server of the floor runs in a child process, so that its CPU is measured apart.

mod child;
mod commit;
mod server;
mod shape;

use std::sync::Arc;
use std::time::{Duration, Instant};

use bytes::Bytes;
use futures_util::future::try_join_all;

pub(crate) use server::serve;

use self::child::Child;
use self::shape::{Call, Stage, stages};
use crate::cli::Options;
use crate::client::{Client, Method};
use crate::error::Error;
use crate::ledger::Ledger;
use crate::report::Report;
use crate::scenario::{measure, script_of};

/// Answers at once.
const EMPTY: Method = Method {
    name: "Empty",
    path: "/steadfast.loadgen.Floor/Empty",
};
/// Answers when its bytes are durable.
const COMMIT: Method = Method {
    name: "Commit",
    path: "/steadfast.loadgen.Floor/Commit",
};

const DEADLINE: Duration = Duration::from_secs(30);

/// What the lanes share.
struct Floor {
    client: Client,
    ledger: Ledger,
    stages: Vec<Stage>,
    bytes: Bytes,
}

/// Makes the calls of `--floor-of` against a server of its own.
pub(crate) async fn run(options: &Options) -> Result<Report, Error> {
    let Some(script) = script_of(options.floor_of, options.size) else {
        let name = options.floor_of.name();
        return Err(Error::Unusable(format!("there is no floor of {name}")));
    };
    let child = Child::start(options)?;
    let floor = Arc::new(Floor {
        client: Client::connect(child.target(), "", options.connections).await?,
        ledger: Ledger::default(),
        stages: stages(script),
        bytes: vec![b'x'; options.floor_bytes].into(),
    });
    let shared = Arc::clone(&floor);
    let once = move |_| {
        let floor = Arc::clone(&shared);
        async move { timed(&floor).await }
    };
    let (spent, latencies) = measure(options, Some(child.pid()), &floor.client, once).await?;
    let name = format!("floor of {}", options.floor_of.name());
    let phase = spent.on_each(name, "workflow", &latencies);
    let retries = floor.client.traffic().retries;
    let findings = floor.ledger.findings();
    Ok(Report::new(
        options.scenario.name(),
        options.concurrency,
        vec![phase],
        findings,
        retries,
    ))
}

/// One workflow; a failure is the ledger's.
async fn timed(floor: &Floor) -> Option<Duration> {
    let begun = Instant::now();
    match workflow(floor).await {
        Ok(()) => Some(begun.elapsed()),
        Err(error) => {
            floor.ledger.anomaly(error.to_string());
            None
        }
    }
}

/// The calls of one workflow: stage after stage, the lanes of a stage side by side.
async fn workflow(floor: &Floor) -> Result<(), Error> {
    for stage in &floor.stages {
        let lane = || async move {
            for call in stage.calls {
                let (method, message) = match call {
                    Call::Empty => (EMPTY, Bytes::new()),
                    Call::Commit => (COMMIT, floor.bytes.clone()),
                };
                let () = floor.client.call(method, message, DEADLINE).await?;
            }
            Ok::<(), Error>(())
        };
        try_join_all((0..stage.width).map(|_| lane())).await?;
    }
    Ok(())
}
