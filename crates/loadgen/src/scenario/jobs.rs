//! Jobs: standalone activities in a closed loop, each started, executed and verified. No workflow is involved.

use std::sync::Arc;
use std::time::{Duration, Instant};

use super::measure;
use crate::context::Context;
use crate::error::Error;
use crate::meter::Phase;
use crate::payload;
use crate::script::Script;
use crate::worker::Worker;

/// Warms up, then measures.
pub(crate) async fn run(context: &Arc<Context>) -> Result<Vec<Phase>, Error> {
    let _worker = Worker::start(context);
    let shared = Arc::clone(context);
    let once = move |_| {
        let context = Arc::clone(&shared);
        async move { run_job(&context).await }
    };
    let options = &context.options;
    let (spent, latencies) = measure(options, options.pid, &context.client, once).await?;
    Ok(vec![spent.on_each("start to result", "job", &latencies)])
}

/// One job from its start to its verified result; nothing if there was no right one, which the ledger then knows.
async fn run_job(context: &Context) -> Option<Duration> {
    let (id, plan) = context.new_workflow(Script::Sequential { activities: 1 });
    let begun = Instant::now();
    let outcome = async {
        let run_id = context.client.start_job(&context.queue, &id, &plan).await?;
        await_outcome(context, &id, &run_id).await
    };
    let outcome = outcome.await;
    let latency = begun.elapsed();
    context.ledger.settle(&id, 1);
    // The worker gives back what it was given.
    let problem = match outcome {
        Ok(result) if result == payload::of_json(&plan) => return Some(latency),
        Ok(result) => format!("the result is {result:?}"),
        Err(error) => error.to_string(),
    };
    context.ledger.anomaly(format!("{id}: {problem}"));
    None
}

async fn await_outcome(
    context: &Context,
    id: &str,
    run_id: &str,
) -> Result<proto::temporal::api::common::v1::Payloads, Error> {
    let patience = Duration::from_secs(context.options.result_timeout);
    let wait = async {
        loop {
            match context.client.await_job(id, run_id).await {
                Ok(Some(result)) => return Ok(result),
                Ok(None) => {}
                // The long poll's own deadline: ask again.
                Err(error) if error.code() == Some(tonic::Code::DeadlineExceeded) => {}
                Err(error) => return Err(error),
            }
        }
    };
    let timeout = |_| Error::Timeout {
        what: format!("the outcome of {id}"),
        waited: patience,
    };
    tokio::time::timeout(patience, wait)
        .await
        .map_err(timeout)?
}
