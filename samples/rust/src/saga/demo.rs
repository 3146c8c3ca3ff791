use anyhow::Result;

use super::workflow::{BookingSaga, Part, Trip, TripResult};
use crate::harness::stage::Stage;

/// A trip that fails at its last step, on a worker that dies while it undoes the others.
pub async fn demo(stage: &mut Stage) -> Result<()> {
    let good = stage.id("trip-1");
    let bad = stage.id("trip-2");
    let mut first = stage.start_worker(&format!("cancelled-hotel:{bad}")).await?;
    let trip = Trip { id: good.clone(), cars: 1 };
    let booked = stage.start(BookingSaga::run, trip, &good).await?;
    let booked = booked.get_result(Default::default()).await?;
    let expected = TripResult { booked: true, undone: vec![] };
    stage.equal("a trip with all three", &booked, &expected);

    let trip = Trip { id: bad.clone(), cars: 0 };
    let failing = stage.start(BookingSaga::run, trip, &bad).await?;
    first.printed(&format!("holding at cancelled-hotel:{bad}")).await?;
    stage.say("the hotel is cancelled, but nobody heard of it; the flight is still booked");
    stage.kill(&mut first).await?;

    let second = stage.start_worker("").await?;
    stage.say("the second worker goes on with what is left to undo");
    let result = failing.get_result(Default::default()).await?;
    let undone = vec![Part::Car, Part::Hotel, Part::Flight];
    stage.equal("a trip without a car", &result, &TripResult { booked: false, undone });
    let calls = stage.calls(&bad, None)?;
    let effects: Vec<&str> = calls
        .iter()
        .map(|call| call.text.as_str())
        .filter(|text| text.starts_with("booked ") || text.starts_with("cancelled "))
        .collect();
    let expected = vec![
        "booked the flight",
        "booked the hotel",
        "cancelled the hotel",
        "cancelled the flight",
    ];
    stage.equal("what happened outside: each once, undone in reverse", &effects, &expected);
    let (attempt, identity) = stage.attempts(&bad, "cancelHotel").await?;
    stage.equal("the interrupted compensation ran again", &attempt, &2);
    stage.equal("on the second worker", &identity, &second.identity);
    Ok(())
}
