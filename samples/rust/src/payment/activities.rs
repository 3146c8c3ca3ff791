use temporalio_sdk::activities::{ActivityContext, ActivityError, activities};

use super::workflow::Order;
use crate::outside_world::{World, hold};

/// What the payment does to the outside world.
pub struct PaymentActivities;

#[activities]
impl PaymentActivities {
    /// Asks the payment provider for the money. The provider takes it once for each idempotency key.
    #[activity(name = "chargeCard")]
    pub async fn charge_card(
        ctx: ActivityContext,
        (idempotency_key, order): (String, Order),
    ) -> Result<String, ActivityError> {
        let world = World::from_env();
        let text = if world.once(&idempotency_key)? {
            format!("the provider took {}.{:02}", order.cents / 100, order.cents % 100)
        } else {
            "the provider knows this key, took nothing".to_owned()
        };
        world.note(&ctx, &order.id, &text)?;
        hold(&format!("charged:{}", order.id)).await;
        Ok(idempotency_key)
    }

    /// Marks the order as paid.
    #[activity(name = "updateOrder")]
    pub async fn update_order(
        ctx: ActivityContext,
        (order, charge): (String, String),
    ) -> Result<(), ActivityError> {
        hold(&format!("updating:{order}")).await;
        let world = World::from_env();
        world.once(&format!("paid-{order}"))?;
        world.note(&ctx, &order, &format!("marked as paid by {charge}"))?;
        Ok(())
    }
}
