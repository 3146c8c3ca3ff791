//! Many open workflows that sleep or wait for a signal; then random ones are signalled, and the time
//! until the worker sees the signal is measured.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use super::{closed_loop, reach};
use crate::cli::{OpenBy, seconds_of};
use crate::context::Context;
use crate::error::Error;
use crate::meter::{Meter, Phase};
use crate::script::{Plan, Script};
use crate::stats::Latencies;
use crate::worker::Worker;

/// Open workflows, without being asked for another number.
const DEFAULT_COUNT: u64 = 10_000;
/// Signals, without being asked for another number.
const DEFAULT_SIGNALS: u64 = 1_000;
/// How long the server is watched while all workflows sleep.
const QUIET_SECONDS: f64 = 5.0;

/// Measures creation, quiet, and signals.
pub(crate) async fn run(context: &Arc<Context>) -> Result<Vec<Phase>, Error> {
    let _worker = Worker::start(context);
    let count = context.options.workflows.unwrap_or(DEFAULT_COUNT);
    let (opened, creation) = create(context, count).await?;
    let mut phases = vec![creation];

    if context.options.pid.is_some() {
        let meter = Meter::start(context.options.pid, None)?;
        tokio::time::sleep(seconds_of(QUIET_SECONDS)).await;
        let seconds = meter.elapsed().as_secs();
        phases.push(meter.stop(None)?.on("all asleep", "second", seconds));
    }

    let signals = context.options.size.unwrap_or(DEFAULT_SIGNALS);
    let meter = context.meter()?;
    let latencies = signal_some(context, opened, signals).await;
    phases.push(context.finish(meter, "signal to worker", "signal", &latencies)?);
    Ok(phases)
}

/// Opens workflows and waits until each has had its first workflow task.
pub(super) async fn create(
    context: &Arc<Context>,
    count: u64,
) -> Result<(Vec<(String, Plan)>, Phase), Error> {
    let script = Script::Open {
        timer: context.options.open_by == OpenBy::Timer,
    };
    let opened = Arc::new(Mutex::new(Vec::new()));
    let meter = context.meter()?;
    let (shared, list) = (Arc::clone(context), Arc::clone(&opened));
    let latencies = closed_loop(context.options.concurrency, count, move |_| {
        let (context, list) = (Arc::clone(&shared), Arc::clone(&list));
        async move {
            let (workflow_id, plan) = context.new_workflow(script);
            let begun = Instant::now();
            if let Err(error) = context
                .client
                .start(&context.queue, &workflow_id, &plan)
                .await
            {
                context.ledger.anomaly(format!("{workflow_id}: {error}"));
                return None;
            }
            let latency = begun.elapsed();
            list.lock()
                .unwrap_or_else(PoisonError::into_inner)
                .push((workflow_id, plan));
            Some(latency)
        }
    })
    .await;
    let patience = Duration::from_secs(context.options.result_timeout);
    let goal = latencies.count();
    reach(
        &context.ledger.first_tasks,
        goal,
        patience,
        "the next first workflow task",
    )
    .await?;
    let phase = context.finish(meter, "open", "workflow", &latencies)?;
    let opened = std::mem::take(&mut *opened.lock().unwrap_or_else(PoisonError::into_inner));
    if opened.is_empty() {
        return Err(Error::Unusable(String::from("no workflow could be opened")));
    }
    Ok((opened, phase))
}

async fn signal_some(
    context: &Arc<Context>,
    opened: Vec<(String, Plan)>,
    signals: u64,
) -> Latencies {
    let (shared, opened) = (Arc::clone(context), Arc::new(opened));
    closed_loop(context.options.concurrency, signals, move |number| {
        let (context, opened) = (Arc::clone(&shared), Arc::clone(&opened));
        async move {
            let (workflow_id, _) = opened.get(scatter(number, opened.len() as u64) as usize)?;
            signal(&context, workflow_id, number).await
        }
    })
    .await
}

async fn signal(context: &Context, workflow_id: &str, number: u64) -> Option<Duration> {
    let patience = Duration::from_secs(context.options.result_timeout);
    let seen = context.ledger.await_signal(workflow_id, number);
    let begun = Instant::now();
    let problem = match context.client.signal(workflow_id, number).await {
        Err(error) => error.to_string(),
        Ok(()) => match tokio::time::timeout(patience, seen).await {
            Ok(Ok(at)) => return Some(at.duration_since(begun)),
            _ => format!("the worker never saw signal {number}"),
        },
    };
    context.ledger.anomaly(format!("{workflow_id}: {problem}"));
    None
}

/// A number below `count` that looks random, and is the same in each run.
fn scatter(number: u64, count: u64) -> u64 {
    let mixed = (number + 1).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    (mixed ^ (mixed >> 31)) % count.max(1)
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn scattered_numbers_stay_in_range_and_spread() {
        let drawn = (0..1_000)
            .map(|number| scatter(number, 100))
            .collect::<BTreeSet<_>>();
        assert!(drawn.iter().all(|number| *number < 100));
        assert!(drawn.len() > 90, "only {} of 100 were drawn", drawn.len());
    }
}
