use temporalio_sdk::activities::{ActivityContext, ActivityError, activities};

use super::workflow::State;
use crate::outside_world::World;

/// What the loan does to the outside world.
pub struct LoanActivities;

#[activities]
impl LoanActivities {
    /// Tells the applicant how it went.
    #[activity(name = "notifyApplicant")]
    pub async fn notify_applicant(
        ctx: ActivityContext,
        (applicant, state): (String, State),
    ) -> Result<(), ActivityError> {
        let text = format!("told that the loan is {state:?}").to_lowercase();
        World::from_env().note(&ctx, &applicant, &text)?;
        Ok(())
    }
}
