//! A backlog: workflows are started while no worker polls, then a worker drains them.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use super::{closed_loop, reach};
use crate::context::Context;
use crate::error::Error;
use crate::meter::Phase;
use crate::script::{Plan, Script};
use crate::starter::{await_result, check};
use crate::worker::Worker;

/// A backlog that is worth draining, without being asked for another.
const DEFAULT_COUNT: u64 = 2_000;

/// A workflow that waits for its result to be verified.
#[derive(Clone)]
struct Started {
    workflow_id: String,
    run_id: String,
    plan: Plan,
}

/// Measures the starts and the drain; verifies afterwards. Each workflow has one activity (`--size`).
pub(crate) async fn run(context: &Arc<Context>) -> Result<Vec<Phase>, Error> {
    let count = context.options.workflows.unwrap_or(DEFAULT_COUNT);
    let script = Script::Sequential {
        activities: context.options.size.unwrap_or(1),
    };
    let started = Arc::new(Mutex::new(Vec::new()));

    let meter = context.meter()?;
    let (shared, list) = (Arc::clone(context), Arc::clone(&started));
    let once = move |_| start(Arc::clone(&shared), script, Arc::clone(&list));
    let latencies = closed_loop(context.options.concurrency, count, once).await;
    let starting = context.finish(meter, "start without a worker", "workflow", &latencies)?;

    let started = std::mem::take(&mut *started.lock().unwrap_or_else(PoisonError::into_inner));
    let goal = started.len() as u64;
    let meter = context.meter()?;
    let _worker = Worker::start(context);
    let patience = Duration::from_secs(context.options.result_timeout);
    let drained = reach(
        &context.ledger.completions,
        goal,
        patience,
        "the next completion",
    )
    .await;
    if let Err(error) = drained {
        context.ledger.anomaly(error.to_string());
    }
    let done = *context.ledger.completions.borrow();
    let draining = meter
        .stop(Some(&context.client))?
        .on("drain", "workflow", done);
    verify(context, started).await;
    Ok(vec![starting, draining])
}

async fn start(
    context: Arc<Context>,
    script: Script,
    list: Arc<Mutex<Vec<Started>>>,
) -> Option<Duration> {
    let (workflow_id, plan) = context.new_workflow(script);
    let begun = Instant::now();
    match context
        .client
        .start(&context.queue, &workflow_id, &plan)
        .await
    {
        Ok(run_id) => {
            let started = Started {
                workflow_id,
                run_id,
                plan,
            };
            list.lock()
                .unwrap_or_else(PoisonError::into_inner)
                .push(started);
            Some(begun.elapsed())
        }
        Err(error) => {
            context.ledger.anomaly(format!("{workflow_id}: {error}"));
            None
        }
    }
}

async fn verify(context: &Arc<Context>, started: Vec<Started>) {
    let count = started.len() as u64;
    let (shared, started) = (Arc::clone(context), Arc::new(started));
    closed_loop(context.options.concurrency, count, move |number| {
        let (context, started) = (Arc::clone(&shared), Arc::clone(&started));
        async move {
            let Started {
                workflow_id,
                run_id,
                plan,
            } = started.get(number as usize)?;
            let outcome = await_result(&context, workflow_id, run_id).await;
            check(&context, workflow_id, plan, outcome).then_some(Duration::ZERO)
        }
    })
    .await;
}
