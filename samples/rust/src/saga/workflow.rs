//! Book a flight, a hotel and a car, or nothing at all: when a step fails, what was done before is undone
//! in reverse order. The list of what to undo is an ordinary variable. It survives a crash because the
//! workflow does.

use std::time::Duration;

use serde::{Deserialize, Serialize};
use temporalio_common::RetryPolicy;
use temporalio_sdk::workflows::{workflow, workflow_methods};
use temporalio_sdk::{
    ActivityExecutionError, ActivityOptions, WorkflowCancellationToken, WorkflowContext,
    WorkflowResult,
};

use super::activities::TripActivities;

/// A trip to book.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Trip {
    pub id: String,
    /// How many cars the rental has left.
    pub cars: u32,
}

/// What came of a trip.
#[derive(Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct TripResult {
    pub booked: bool,
    /// What was undone, in the order in which it was.
    pub undone: Vec<Part>,
}

/// What a trip is made of.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Part {
    Flight,
    Hotel,
    Car,
}

/// One trip, all of it or nothing.
#[workflow]
#[derive(Default)]
pub struct BookingSaga;

#[workflow_methods]
impl BookingSaga {
    #[run(name = "bookingSaga")]
    pub async fn run(ctx: &mut WorkflowContext<Self>, trip: Trip) -> WorkflowResult<TripResult> {
        let mut compensations = Vec::new();
        for part in [Part::Flight, Part::Hotel, Part::Car] {
            // Noted before the step runs: a step that failed may still have had its effect (a timeout
            // does not tell), and undoing what was never done does no harm.
            compensations.push(part);
            if book(ctx, part, &trip).await.is_err() {
                let mut undone = Vec::new();
                for part in compensations.into_iter().rev() {
                    cancel(ctx, part, &trip).await?;
                    undone.push(part);
                }
                return Ok(TripResult { booked: false, undone });
            }
        }
        Ok(TripResult { booked: true, undone: Vec::new() })
    }
}

async fn book(
    ctx: &WorkflowContext<BookingSaga>,
    part: Part,
    trip: &Trip,
) -> Result<(), ActivityExecutionError> {
    let (trip, options) = (trip.clone(), options(None));
    match part {
        Part::Flight => ctx.execute_activity(TripActivities::book_flight, trip, options).await,
        Part::Hotel => ctx.execute_activity(TripActivities::book_hotel, trip, options).await,
        Part::Car => ctx.execute_activity(TripActivities::book_car, trip, options).await,
    }
}

async fn cancel(
    ctx: &WorkflowContext<BookingSaga>,
    part: Part,
    trip: &Trip,
) -> Result<(), ActivityExecutionError> {
    // A token of its own: whoever cancels the workflow now must not cancel the cleaning up.
    let (trip, options) = (trip.clone(), options(Some(WorkflowCancellationToken::new())));
    match part {
        Part::Flight => ctx.execute_activity(TripActivities::cancel_flight, trip, options).await,
        Part::Hotel => ctx.execute_activity(TripActivities::cancel_hotel, trip, options).await,
        Part::Car => ctx.execute_activity(TripActivities::cancel_car, trip, options).await,
    }
}

fn options(token: Option<WorkflowCancellationToken>) -> ActivityOptions {
    let retry = RetryPolicy::builder().initial_interval(Duration::from_millis(200)).build();
    ActivityOptions::with_start_to_close_timeout(Duration::from_secs(3))
        .retry_policy(retry)
        .maybe_cancellation_token(token)
        .build()
}
