//! What a process spends while nobody calls it.

use crate::cli::{Options, seconds_of};
use crate::error::Error;
use crate::ledger::Findings;
use crate::meter::Meter;
use crate::report::Report;

/// Lets the process settle for `--warmup`, then watches it for `--seconds`.
pub(crate) async fn run(options: &Options) -> Result<Report, Error> {
    let Some(pid) = options.pid else {
        return Err(Error::Unusable(String::from("idle needs --pid")));
    };
    tokio::time::sleep(seconds_of(options.warmup)).await;
    let meter = Meter::start(Some(pid), None)?;
    tokio::time::sleep(seconds_of(options.seconds.unwrap_or(10.0))).await;
    // Shares are per second, rounded to whole ones.
    let seconds = meter.elapsed().as_secs().max(1);
    let phase = meter.stop(None)?.on("idle", "second", seconds);
    Ok(Report::new(
        options.scenario.name(),
        0,
        vec![phase],
        Findings::default(),
        0,
    ))
}
