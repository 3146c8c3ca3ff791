//! The samples in Rust: `samples demo` runs them all, `samples worker` is one worker.

mod batch;
mod demo;
mod harness;
mod loan;
mod outside_world;
mod payment;
mod retries;
mod saga;
mod worker;

use std::process::ExitCode;

use anyhow::Result;
use clap::{Parser, Subcommand};
use tokio::signal::unix::{SignalKind, signal};

/// Sample workflows with the official Rust SDK.
#[derive(Parser)]
struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Run the samples against a server, and fail if anything is not as it should be.
    Demo {
        #[arg(long, default_value = "127.0.0.1:7233")]
        address: String,
        #[arg(long, default_value = "default")]
        namespace: String,
        /// Some samples instead of all, with commas.
        #[arg(long)]
        only: Option<String>,
        /// Print only the summary.
        #[arg(long)]
        quiet: bool,
    },
    /// Run one worker with all workflows and activities.
    Worker {
        #[arg(long, default_value = "127.0.0.1:7233")]
        address: String,
        #[arg(long, default_value = "default")]
        namespace: String,
        #[arg(long, default_value = "samples")]
        task_queue: String,
        #[arg(long, default_value_t = format!("worker-{}", std::process::id()))]
        identity: String,
    },
}

#[tokio::main]
async fn main() -> Result<ExitCode> {
    match Arguments::parse().command {
        Command::Demo { address, namespace, only, quiet } => {
            let mut terminated = signal(SignalKind::terminate())?;
            // Returning drops the demo, and with it its workers.
            tokio::select! {
                passed = demo::run(address, namespace, only, quiet) => {
                    Ok(if passed? { ExitCode::SUCCESS } else { ExitCode::FAILURE })
                }
                _ = terminated.recv() => Ok(ExitCode::from(130)),
                _ = tokio::signal::ctrl_c() => Ok(ExitCode::from(130)),
            }
        }
        Command::Worker { address, namespace, task_queue, identity } => {
            worker::run(&address, &namespace, &task_queue, identity).await?;
            Ok(ExitCode::SUCCESS)
        }
    }
}
