//! **loadgen pushes**: a load generator for any server of Temporal's API.
//!
//! It speaks raw gRPC without an SDK, so that the server is the bottleneck and not the client. It is
//! starter and worker in one process, checks every result, and reports throughput, latency and what the
//! server's process spent (CPU, memory, bytes written).
//!
//! May depend on: `proto` for the messages, and public crates. Nothing of the server: what it
//! measures it must not know.
//!
//! - `scenario/`: one file per kind of load; `floor/`: what the same calls cost with no server behind.
//! - `script.rs`, `progress.rs`, `stats.rs`: the pure parts.
//! - `worker.rs`, `updates.rs`, `starter.rs`, `client.rs`, `api.rs`: the two sides of the client.
//! - `usage.rs`, `meter.rs`, `report.rs`: what was spent, and how it is told.

#![cfg_attr(test, allow(clippy::expect_used))]

mod api;
mod cli;
mod client;
mod commands;
mod context;
mod error;
mod floor;
mod ledger;
mod meter;
mod payload;
mod progress;
mod report;
mod scenario;
mod script;
mod starter;
mod stats;
mod updates;
mod usage;
mod worker;

use std::io::Write;
use std::process::ExitCode;

use clap::Parser;

use crate::cli::Options;
use crate::error::Error;
use crate::report::Report;

/// Exit code 0: all results right. 1: the run could not be made. 2: anomalies were found.
fn main() -> ExitCode {
    let options = Options::parse();
    let json = options.json;
    match run(options) {
        Ok(None) => ExitCode::SUCCESS,
        Ok(Some(report)) => {
            let text = if json { report.json() } else { report.text() };
            // A closed pipe is the reader's choice, not a failure of the run.
            let _ = writeln!(std::io::stdout(), "{text}");
            if report.is_clean() {
                ExitCode::SUCCESS
            } else {
                ExitCode::from(2)
            }
        }
        Err(error) => {
            let _ = writeln!(std::io::stderr(), "steadfast-loadgen: {error}");
            ExitCode::FAILURE
        }
    }
}

fn run(options: Options) -> Result<Option<Report>, Error> {
    // Two threads are enough to keep a server busy, and leave the cores to it.
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()
        .map_err(|source| Error::Io {
            what: "start the runtime",
            source,
        })?;
    runtime.block_on(scenario::run(options))
}
