//! The command line.

use std::path::PathBuf;
use std::time::Duration;

use clap::{Parser, ValueEnum};

/// A load generator for any server of Temporal's API.
#[derive(Debug, Clone, Parser)]
#[command(name = "steadfast-loadgen", version)]
pub(crate) struct Options {
    /// Address of the server's gRPC port.
    #[arg(long, default_value = "127.0.0.1:7233")]
    pub(crate) target: String,
    /// Namespace; it must exist.
    #[arg(long, default_value = "default")]
    pub(crate) namespace: String,
    /// What to do.
    #[arg(long, value_enum)]
    pub(crate) scenario: Scenario,
    /// How many things are in flight at once.
    #[arg(long, default_value_t = 10)]
    pub(crate) concurrency: usize,
    /// Stop after this many workflows (query: queries; wide: rounds; floor: workflows).
    #[arg(long, conflicts_with = "seconds")]
    pub(crate) workflows: Option<u64>,
    /// Count what is completed in this many seconds. Without either: 10 seconds.
    #[arg(long)]
    pub(crate) seconds: Option<f64>,
    /// Seconds of the same load that are run first and not counted.
    #[arg(long, default_value_t = 1.0)]
    pub(crate) warmup: f64,
    /// Size of one workflow: activities, signals, milliseconds of a timer; open: signals in all;
    /// wide: activities in flight; schedules: how many.
    #[arg(long)]
    pub(crate) size: Option<u64>,
    /// Wide: history events of the long workflow.
    #[arg(long, default_value_t = 20_000)]
    pub(crate) events: u64,
    /// Extra bytes in each workflow's input and result.
    #[arg(long, default_value_t = 0)]
    pub(crate) payload_bytes: usize,
    /// The server's process: its CPU, memory and written bytes are reported.
    #[arg(long)]
    pub(crate) pid: Option<u32>,
    /// gRPC connections.
    #[arg(long, default_value_t = 4)]
    pub(crate) connections: usize,
    /// Pollers for each kind of task. Without it: the concurrency, but 4 to 64.
    #[arg(long)]
    pub(crate) pollers: Option<usize>,
    /// Use a sticky queue, as SDK workers do. Without it every workflow task carries its history.
    #[arg(long)]
    pub(crate) sticky: bool,
    /// Seconds after which a workflow without a result counts as lost.
    #[arg(long, default_value_t = 60)]
    pub(crate) result_timeout: u64,
    /// Open: how the workflows wait.
    #[arg(long, value_enum, default_value_t = OpenBy::Timer)]
    pub(crate) open_by: OpenBy,
    /// Floor: which scenario's calls are made.
    #[arg(long, value_enum, default_value_t = Scenario::One)]
    pub(crate) floor_of: Scenario,
    /// Floor: bytes that each durable call commits. A durable step adds 160 to 270 bytes of history.
    #[arg(long, default_value_t = 250)]
    pub(crate) floor_bytes: usize,
    /// Floor: database file; its disk is what is measured.
    #[arg(long)]
    pub(crate) floor_db: Option<PathBuf>,
    /// Print one JSON object instead of a table.
    #[arg(long)]
    pub(crate) json: bool,
}

/// The kinds of load.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Scenario {
    /// Workflows that complete in their first workflow task.
    Zero,
    /// Workflows with one activity.
    One,
    /// Workflows with 10 activities (`--size`), one after the other.
    Sequential,
    /// Workflows with 20 activities (`--size`) at once.
    Parallel,
    /// Workflows that complete when they have 10 signals (`--size`).
    Signals,
    /// Workflows that complete when they have 10 updates (`--size`), sent one after the other.
    Updates,
    /// Workflows with one timer of 100 ms (`--size`).
    Timer,
    /// Standalone activities: jobs without a workflow.
    Jobs,
    /// 100 schedules (`--size`) that each start a workflow every second.
    Schedules,
    /// Start workflows with no worker, then drain them.
    Backlog,
    /// Queries against open workflows.
    Query,
    /// Many open workflows, a few of which are signalled.
    Open,
    /// Workflows with thousands of pending activities and of events, compared with a fresh one.
    Wide,
    /// What a process spends while nobody calls it.
    Idle,
    /// The same calls against a server that does nothing but commit.
    Floor,
    /// The server of `floor`, in a child process.
    #[value(hide = true)]
    FloorServer,
}

/// How an open workflow waits.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum OpenBy {
    /// It sleeps on a timer of a day, and hears signals.
    Timer,
    /// It waits for signals only.
    Signal,
}

impl Scenario {
    /// The name on the command line and in reports.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Zero => "zero",
            Self::One => "one",
            Self::Sequential => "sequential",
            Self::Parallel => "parallel",
            Self::Signals => "signals",
            Self::Updates => "updates",
            Self::Timer => "timer",
            Self::Jobs => "jobs",
            Self::Schedules => "schedules",
            Self::Backlog => "backlog",
            Self::Query => "query",
            Self::Open => "open",
            Self::Wide => "wide",
            Self::Idle => "idle",
            Self::Floor => "floor",
            Self::FloorServer => "floor-server",
        }
    }
}

/// When a phase of a run ends.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Limit {
    /// After so many.
    Count(u64),
    /// After so long.
    Time(Duration),
}

impl Options {
    /// When the measured phase ends.
    pub(crate) fn limit(&self) -> Limit {
        match (self.workflows, self.seconds) {
            (Some(count), _) => Limit::Count(count),
            (None, seconds) => Limit::Time(seconds_of(seconds.unwrap_or(10.0))),
        }
    }

    /// How long the load runs before it is counted.
    pub(crate) fn warmup(&self) -> Duration {
        seconds_of(self.warmup)
    }

    /// Pollers of each kind.
    pub(crate) fn poller_count(&self) -> usize {
        self.pollers
            .unwrap_or_else(|| self.concurrency.clamp(4, 64))
    }
}

/// A duration from the command line; what makes no sense becomes zero.
pub(crate) fn seconds_of(seconds: f64) -> Duration {
    Duration::try_from_secs_f64(seconds).unwrap_or_default()
}
