//! Queries against open workflows, one for each that is in flight.

use std::sync::Arc;
use std::time::{Duration, Instant};

use super::{measure, open};
use crate::context::Context;
use crate::error::Error;
use crate::meter::Phase;
use crate::payload;
use crate::script::Plan;
use crate::worker::Worker;

/// Opens workflows, warms up, then measures.
pub(crate) async fn run(context: &Arc<Context>) -> Result<Vec<Phase>, Error> {
    let _worker = Worker::start(context);
    let count = context.options.concurrency as u64;
    let (opened, _) = open::create(context, count).await?;
    let (shared, opened) = (Arc::clone(context), Arc::new(opened));
    let once = move |number| {
        let (context, opened) = (Arc::clone(&shared), Arc::clone(&opened));
        async move {
            let (workflow_id, plan) = opened.get(number as usize % opened.len())?;
            query(&context, workflow_id, plan, number).await
        }
    };
    let options = &context.options;
    let (spent, latencies) = measure(options, options.pid, &context.client, once).await?;
    Ok(vec![spent.on_each("query to answer", "query", &latencies)])
}

async fn query(context: &Context, workflow_id: &str, plan: &Plan, number: u64) -> Option<Duration> {
    let argument = format!("question-{number}");
    let expected = format!("{}/{argument}", plan.echo);
    let begun = Instant::now();
    let answer = context.client.query(workflow_id, &argument).await;
    let latency = begun.elapsed();
    let problem = match answer {
        Ok(answer) => {
            let answer: Option<String> = payload::to_json(answer.as_ref());
            if answer.as_deref() == Some(expected.as_str()) {
                return Some(latency);
            }
            format!("the answer is {answer:?} instead of {expected:?}")
        }
        Err(error) => error.to_string(),
    };
    context.ledger.anomaly(format!("{workflow_id}: {problem}"));
    None
}
