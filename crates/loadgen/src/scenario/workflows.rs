//! Workflows of one script in a closed loop, each started, worked and verified.

use std::sync::Arc;

use super::measure;
use crate::context::Context;
use crate::error::Error;
use crate::meter::Phase;
use crate::script::Script;
use crate::starter::run_workflow;
use crate::worker::Worker;

/// Warms up, then measures.
pub(crate) async fn run(context: &Arc<Context>, script: Script) -> Result<Vec<Phase>, Error> {
    let _worker = Worker::start(context);
    let shared = Arc::clone(context);
    let once = move |_| {
        let context = Arc::clone(&shared);
        async move { run_workflow(&context, script).await }
    };
    let options = &context.options;
    let (spent, latencies) = measure(options, options.pid, &context.client, once).await?;
    Ok(vec![spent.on_each(
        "start to result",
        "workflow",
        &latencies,
    )])
}
