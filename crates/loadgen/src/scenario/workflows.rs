//! Workflows of one script in a closed loop, each started, worked and verified.

use std::sync::Arc;

use super::closed_loop;
use crate::cli::Limit;
use crate::context::Context;
use crate::error::Error;
use crate::meter::Phase;
use crate::script::Script;
use crate::starter::run_workflow;
use crate::stats::Latencies;
use crate::worker::Worker;

/// Warms up, then measures.
pub(crate) async fn run(context: &Arc<Context>, script: Script) -> Result<Vec<Phase>, Error> {
    let _worker = Worker::start(context);
    drive(context, script, context.options.warmup_limit()).await;
    let meter = context.meter()?;
    let latencies = drive(context, script, context.options.limit()).await;
    Ok(vec![context.finish(
        meter,
        "start to result",
        "workflow",
        &latencies,
    )?])
}

async fn drive(context: &Arc<Context>, script: Script, limit: Limit) -> Latencies {
    let shared = Arc::clone(context);
    closed_loop(context.options.concurrency, limit, move |_| {
        let context = Arc::clone(&shared);
        async move { run_workflow(&context, script).await }
    })
    .await
}
