use temporalio_sdk::ApplicationFailure;
use temporalio_sdk::activities::{ActivityContext, ActivityError, activities};

use crate::outside_world::World;

/// Activities that fail in different ways.
pub struct FailingActivities;

#[activities]
impl FailingActivities {
    /// Fails twice, then works.
    #[activity(name = "fetchRates")]
    pub async fn fetch_rates(
        ctx: ActivityContext,
        subject: String,
    ) -> Result<String, ActivityError> {
        if ctx.info().attempt < 3 {
            World::from_env().note(&ctx, &subject, "no answer")?;
            return Err(failure("the rates service does not answer", "Unavailable", false));
        }
        World::from_env().note(&ctx, &subject, "the rates arrived")?;
        Ok("1 EUR = 1.08 USD".to_owned())
    }

    /// Fails with a type that the caller lists as not worth retrying.
    #[activity(name = "payOut")]
    pub async fn pay_out(ctx: ActivityContext, subject: String) -> Result<(), ActivityError> {
        World::from_env().note(&ctx, &subject, "the account is closed")?;
        Err(failure("the account is closed", "AccountClosed", false))
    }

    /// Knows by itself that another attempt would not help.
    #[activity(name = "sendMail")]
    pub async fn send_mail(ctx: ActivityContext, subject: String) -> Result<(), ActivityError> {
        World::from_env().note(&ctx, &subject, "this is no mail address")?;
        Err(failure("this is no mail address", "BadAddress", true))
    }

    /// Never works.
    #[activity(name = "askPartner")]
    pub async fn ask_partner(ctx: ActivityContext, subject: String) -> Result<(), ActivityError> {
        World::from_env().note(&ctx, &subject, "refused")?;
        Err(failure("the partner refuses", "Refused", false))
    }
}

fn failure(message: &str, type_name: &str, non_retryable: bool) -> ActivityError {
    let failure = ApplicationFailure::builder(message)
        .type_name(type_name.to_owned())
        .non_retryable(non_retryable)
        .build();
    ActivityError::application(failure)
}
