//! Four ways in which a failing activity ends: it works in the end, its error is not worth retrying (the
//! caller says so, or the activity itself does), or its attempts run out. The server keeps the retries:
//! no worker has to remember them.

use std::time::Duration;

use serde::{Deserialize, Serialize};
use temporalio_common::RetryPolicy;
use temporalio_common::error::IncomingError;
use temporalio_sdk::workflows::{workflow, workflow_methods};
use temporalio_sdk::{ActivityExecutionError, ActivityOptions, WorkflowContext, WorkflowResult};

use super::activities::FailingActivities;

/// How each activity ended.
#[derive(Debug, Serialize, Deserialize)]
pub struct Outcomes {
    /// The answer of the activity that fails twice and then works.
    pub rates: String,
    /// For each of the others the error type that it ended with.
    pub payout: String,
    pub mail: String,
    pub partner: String,
}

/// Runs the four, one after the other.
#[workflow]
#[derive(Default)]
pub struct Retries;

#[workflow_methods]
impl Retries {
    #[run(name = "retries")]
    pub async fn run(ctx: &mut WorkflowContext<Self>, subject: String) -> WorkflowResult<Outcomes> {
        let doubling = RetryPolicy::builder()
            .initial_interval(Duration::from_millis(500))
            .backoff_coefficient(2.0)
            .maximum_interval(Duration::from_secs(10))
            .build();
        let rates = ctx
            .execute_activity(FailingActivities::fetch_rates, subject.clone(), options(doubling))
            .await?;

        let picky = RetryPolicy::builder()
            .initial_interval(Duration::from_millis(500))
            .non_retryable_error_types(["AccountClosed"])
            .build();
        let payout =
            ctx.execute_activity(FailingActivities::pay_out, subject.clone(), options(picky)).await;

        let mail = ctx
            .execute_activity(
                FailingActivities::send_mail,
                subject.clone(),
                options(RetryPolicy::default()),
            )
            .await;

        let short = RetryPolicy::builder()
            .initial_interval(Duration::from_millis(100))
            .maximum_attempts(2)
            .build();
        let partner =
            ctx.execute_activity(FailingActivities::ask_partner, subject, options(short)).await;

        Ok(Outcomes {
            rates,
            payout: error_type(payout),
            mail: error_type(mail),
            partner: error_type(partner),
        })
    }
}

fn options(retry: RetryPolicy) -> ActivityOptions {
    ActivityOptions::with_start_to_close_timeout(Duration::from_secs(10))
        .retry_policy(retry)
        .build()
}

/// The type of the error that an activity failed with for good.
fn error_type(outcome: Result<(), ActivityExecutionError>) -> String {
    let name = match &outcome {
        Ok(()) => Some("no error"),
        Err(ActivityExecutionError::Failed(failed)) => match failed.cause() {
            Some(IncomingError::Application(failure)) => failure.type_name(),
            _ => None,
        },
        Err(_) => None,
    };
    name.unwrap_or("no type").to_owned()
}
