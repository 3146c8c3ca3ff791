use anyhow::Result;

use super::workflow::{Order, Payment};
use crate::harness::stage::Stage;
use crate::outside_world::Call;

/// One kill, two orders: each is caught at a different place, and neither is charged twice.
pub async fn demo(stage: &mut Stage) -> Result<()> {
    let between = stage.id("order-1");
    let during = stage.id("order-2");
    let mut first = stage.start_worker(&format!("updating:{between},charged:{during}")).await?;
    let mut orders = Vec::new();
    for id in [&between, &during] {
        let order = Order { id: id.clone(), cents: 4200 };
        orders.push(stage.start(Payment::run, order, id).await?);
    }
    first.printed(&format!("holding at updating:{between}")).await?;
    first.printed(&format!("holding at charged:{during}")).await?;
    stage.say("order-1 is charged but not yet updated; order-2 is charged, but nobody heard of it");
    stage.kill(&mut first).await?;

    let second = stage.start_worker("").await?;
    stage.say("the second worker gets what the first one held, 3 s after that was handed out");
    let mut receipts = Vec::new();
    for order in &orders {
        receipts.push(order.get_result(Default::default()).await?);
    }

    let took = |calls: &[Call]| {
        calls.iter().filter(|call| call.text.starts_with("the provider took")).count()
    };
    let charges = stage.calls(&between, Some("chargeCard"))?;
    stage.equal("order-1: charged exactly once", &took(&charges), &1);
    stage.equal("order-1: the provider was asked exactly once", &charges.len(), &1);
    let charges = stage.calls(&during, Some("chargeCard"))?;
    stage.equal("order-2: charged exactly once", &took(&charges), &1);
    stage.equal("order-2: the provider was asked again, with the same key", &charges.len(), &2);
    for (name, order, receipt) in
        [("order-1", &between, &receipts[0]), ("order-2", &during, &receipts[1])]
    {
        let updates = stage.calls(order, Some("updateOrder"))?;
        stage.equal(&format!("{name}: updated once"), &updates.len(), &1);
        let charge = format!("charge-{order}");
        stage.equal(&format!("{name}: receipt"), &receipt.charge, &charge);
    }
    let (attempt, identity) = stage.attempts(&between, "updateOrder").await?;
    stage.equal("order-1: the update that counts is attempt 2", &attempt, &2);
    stage.equal("order-1: it ran on the second worker", &identity, &second.identity);
    Ok(())
}
