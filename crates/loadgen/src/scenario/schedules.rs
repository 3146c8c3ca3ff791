//! Schedules that each start a workflow every second. What is measured is what an action costs, from the
//! schedule that is due to the workflow that is completed, and how late actions are; each must be there, none twice.

use std::sync::Arc;
use std::time::{Duration, Instant};

use super::{closed_loop, reach};
use crate::cli::Limit;
use crate::context::Context;
use crate::error::Error;
use crate::meter::Phase;
use crate::script::Script;
use crate::stats::Latencies;
use crate::worker::Worker;

/// Schedules, without being asked for another number.
const DEFAULT_COUNT: u64 = 100;

/// Measures creation, then the actions of so many seconds.
pub(crate) async fn run(context: &Arc<Context>) -> Result<Vec<Phase>, Error> {
    let worker = Worker::start(context);
    let options = &context.options;
    let count = options.size.unwrap_or(DEFAULT_COUNT);
    let Limit::Time(time) = options.limit() else {
        return Err(Error::Unusable(String::from(
            "schedules are watched for --seconds, their number is --size",
        )));
    };

    let meter = context.meter()?;
    let shared = Arc::clone(context);
    let latencies = closed_loop(options.concurrency, count, move |number| {
        let context = Arc::clone(&shared);
        async move { create(&context, number).await }
    })
    .await;
    let created = context.finish(meter, "create", "schedule", &latencies)?;

    // Begun is what every schedule has done once.
    let patience = Duration::from_secs(options.result_timeout);
    let completions = &context.ledger.completions;
    reach(completions, count, patience, "the next scheduled workflow").await?;
    let (meter, before) = (context.meter()?, *completions.borrow());
    tokio::time::sleep(time).await;
    let done = *completions.borrow() - before;
    let spent = meter.stop(Some(&context.client))?;
    let actions = spent.on("action to result", "action", done);

    let mut late = Latencies::default();
    for number in 0..count {
        if let Err(problem) = settle(context, number, &mut late).await {
            context
                .ledger
                .anomaly(format!("schedule {number}: {problem}"));
        }
    }
    drop(worker);
    Ok(vec![created, actions.with(&late)])
}

fn id(context: &Context, number: u64) -> String {
    format!("{}-schedule-{number}", context.queue)
}

async fn create(context: &Context, number: u64) -> Option<Duration> {
    let (_, plan) = context.new_workflow(Script::Sequential { activities: 0 });
    let id = id(context, number);
    let begun = Instant::now();
    let outcome = context
        .client
        .create_schedule(&context.queue, &id, &plan)
        .await;
    match outcome {
        Ok(()) => Some(begun.elapsed()),
        Err(error) => {
            context.ledger.anomaly(format!("{id}: {error}"));
            None
        }
    }
}

/// Reads how late the last actions were, and that none was missed; then deletes the schedule.
async fn settle(context: &Context, number: u64, late: &mut Latencies) -> Result<(), String> {
    let id = id(context, number);
    let info = context.client.describe_schedule(&id).await;
    let info = info.map_err(|error| error.to_string())?;
    let mut seconds = Vec::new();
    for action in &info.recent_actions {
        let (Some(due), Some(done)) = (&action.schedule_time, &action.actual_time) else {
            return Err(String::from("an action without its times"));
        };
        seconds.push(due.seconds);
        late.record(between(due, done));
    }
    context
        .client
        .delete_schedule(&id)
        .await
        .map_err(|error| error.to_string())?;
    if info.missed_catchup_window > 0 || info.overlap_skipped > 0 {
        return Err(format!(
            "{} actions missed, {} skipped",
            info.missed_catchup_window, info.overlap_skipped
        ));
    }
    if !seconds.is_sorted_by(|a, b| a + 1 == *b) {
        return Err(format!("not one action each second: {seconds:?}"));
    }
    Ok(())
}

fn between(from: &proto::Timestamp, to: &proto::Timestamp) -> Duration {
    let nanos =
        |at: &proto::Timestamp| i128::from(at.seconds) * 1_000_000_000 + i128::from(at.nanos);
    let between = u64::try_from(nanos(to) - nanos(from));
    Duration::from_nanos(between.unwrap_or(0))
}
