//! Charge a card, then mark the order as paid. What is done stays done: if the worker dies between the
//! two, another one goes on with the second step and never repeats the first.

use std::time::Duration;

use serde::{Deserialize, Serialize};
use temporalio_common::RetryPolicy;
use temporalio_sdk::workflows::{workflow, workflow_methods};
use temporalio_sdk::{ActivityOptions, WorkflowContext, WorkflowResult};

use super::activities::PaymentActivities;

/// An order to be paid.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Order {
    pub id: String,
    pub cents: u64,
}

/// A paid order.
#[derive(Debug, Serialize, Deserialize)]
pub struct Receipt {
    pub order: String,
    pub charge: String,
}

/// Charges an order's card once.
#[workflow]
#[derive(Default)]
pub struct Payment;

#[workflow_methods]
impl Payment {
    #[run(name = "payment")]
    pub async fn run(ctx: &mut WorkflowContext<Self>, order: Order) -> WorkflowResult<Receipt> {
        // The key comes from the order, so every attempt sends the same one.
        let key = format!("charge-{}", order.id);
        let charge = ctx
            .execute_activity(PaymentActivities::charge_card, (key, order.clone()), options())
            .await?;
        let paid = (order.id.clone(), charge.clone());
        ctx.execute_activity(PaymentActivities::update_order, paid, options()).await?;
        Ok(Receipt { order: order.id, charge })
    }
}

/// A dead worker is noticed when this timeout has passed. Seconds keep the demo quick.
fn options() -> ActivityOptions {
    let retry = RetryPolicy::builder().initial_interval(Duration::from_millis(200)).build();
    ActivityOptions::with_start_to_close_timeout(Duration::from_secs(3)).retry_policy(retry).build()
}
