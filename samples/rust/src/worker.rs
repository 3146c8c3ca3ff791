//! One worker process with all workflows and activities of the samples.

use std::time::Duration;

use anyhow::Result;
use temporalio_sdk::{Runtime, Worker, WorkerOptions};
use tokio::signal::unix::{SignalKind, signal};

use crate::batch::activities::BatchActivities;
use crate::batch::workflow::Batch;
use crate::harness::connect::connect;
use crate::loan::activities::LoanActivities;
use crate::loan::workflow::Loan;
use crate::payment::activities::PaymentActivities;
use crate::payment::workflow::Payment;
use crate::retries::activities::FailingActivities;
use crate::retries::workflow::Retries;
use crate::saga::activities::TripActivities;
use crate::saga::workflow::BookingSaga;

/// Polls until it is told to stop. Prints `ready` first, then a line for each request of an activity.
pub async fn run(address: &str, namespace: &str, task_queue: &str, identity: String) -> Result<()> {
    let runtime = Runtime::from_current_tokio(Default::default())?;
    let client = connect(address, namespace).await?;
    let options = WorkerOptions::new(task_queue)
        .register_workflow::<Payment>()?
        .register_workflow::<Retries>()?
        .register_workflow::<Loan>()?
        .register_workflow::<BookingSaga>()?
        .register_workflow::<Batch>()?
        .register_activities(PaymentActivities)
        .register_activities(FailingActivities)
        .register_activities(LoanActivities)
        .register_activities(TripActivities)
        .register_activities(BatchActivities)
        .client_identity_override(identity)
        // A workflow task for a worker that died goes to another one after this time. The default of ten
        // seconds is right for a real network; here it would only make the demo slow.
        .sticky_queue_schedule_to_start_timeout(Duration::from_secs(1))
        .graceful_shutdown_period(Duration::from_secs(1))
        .build();
    let mut worker = Worker::new(&runtime, client, options)?;
    let shut_down = worker.shutdown_handle();
    let mut terminated = signal(SignalKind::terminate())?;
    tokio::spawn(async move {
        tokio::select! {
            _ = terminated.recv() => {}
            _ = tokio::signal::ctrl_c() => {}
        }
        shut_down();
    });
    println!("ready");
    Ok(worker.run().await?)
}
