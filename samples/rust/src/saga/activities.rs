use temporalio_sdk::ApplicationFailure;
use temporalio_sdk::activities::{ActivityContext, ActivityError, activities};

use super::workflow::Trip;
use crate::outside_world::{World, hold};

/// What the trip does to the outside world.
pub struct TripActivities;

#[activities]
impl TripActivities {
    #[activity(name = "bookFlight")]
    pub async fn book_flight(ctx: ActivityContext, trip: Trip) -> Result<(), ActivityError> {
        book(&ctx, "flight", &trip)
    }

    #[activity(name = "bookHotel")]
    pub async fn book_hotel(ctx: ActivityContext, trip: Trip) -> Result<(), ActivityError> {
        book(&ctx, "hotel", &trip)
    }

    #[activity(name = "bookCar")]
    pub async fn book_car(ctx: ActivityContext, trip: Trip) -> Result<(), ActivityError> {
        if trip.cars == 0 {
            World::from_env().note(&ctx, &trip.id, "no car is left")?;
            let failure = ApplicationFailure::non_retryable("no car is left");
            return Err(ActivityError::application(failure));
        }
        book(&ctx, "car", &trip)
    }

    #[activity(name = "cancelFlight")]
    pub async fn cancel_flight(ctx: ActivityContext, trip: Trip) -> Result<(), ActivityError> {
        cancel(&ctx, "flight", &trip).await
    }

    #[activity(name = "cancelHotel")]
    pub async fn cancel_hotel(ctx: ActivityContext, trip: Trip) -> Result<(), ActivityError> {
        cancel(&ctx, "hotel", &trip).await
    }

    #[activity(name = "cancelCar")]
    pub async fn cancel_car(ctx: ActivityContext, trip: Trip) -> Result<(), ActivityError> {
        cancel(&ctx, "car", &trip).await
    }
}

fn book(ctx: &ActivityContext, what: &str, trip: &Trip) -> Result<(), ActivityError> {
    let world = World::from_env();
    let text = if world.once(&format!("{what}-{}", trip.id))? {
        format!("booked the {what}")
    } else {
        format!("the {what} was booked already")
    };
    world.note(ctx, &trip.id, &text)?;
    Ok(())
}

async fn cancel(ctx: &ActivityContext, what: &str, trip: &Trip) -> Result<(), ActivityError> {
    let world = World::from_env();
    if !world.done(&format!("{what}-{}", trip.id)) {
        world.note(ctx, &trip.id, &format!("no {what} was booked, nothing to cancel"))?;
        return Ok(());
    }
    let text = if world.once(&format!("cancelled-{what}-{}", trip.id))? {
        format!("cancelled the {what}")
    } else {
        format!("the {what} was cancelled already")
    };
    world.note(ctx, &trip.id, &text)?;
    hold(&format!("cancelled-{what}:{}", trip.id)).await;
    Ok(())
}
