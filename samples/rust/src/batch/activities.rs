use std::time::Duration;

use temporalio_sdk::activities::{ActivityContext, ActivityError, activities};

use crate::outside_world::World;

/// What the batch does to the outside world.
pub struct BatchActivities;

#[activities]
impl BatchActivities {
    /// Works on one item for a little while.
    #[activity(name = "processItem")]
    pub async fn process_item(
        ctx: ActivityContext,
        (batch, item): (String, u32),
    ) -> Result<(), ActivityError> {
        tokio::time::sleep(Duration::from_millis(100)).await;
        let world = World::from_env();
        world.once(&format!("item-{batch}-{item}"))?;
        world.note(&ctx, &batch, &format!("item {item} is done"))?;
        Ok(())
    }
}
