use anyhow::Result;
use temporalio_common::protos::temporal::api::enums::v1::EventType;

use super::workflow::{Batch, Input, State, Status};
use crate::harness::stage::Stage;

const TOTAL: u32 = 24;
const PER_RUN: u32 = 7;

/// One batch that is paused and resumed, and one that is cancelled while it is paused.
pub async fn demo(stage: &mut Stage) -> Result<()> {
    let _worker = stage.start_worker("").await?;
    let id = stage.id("batch-1");
    let batch = stage.start(Batch::run, input(&id), &id).await?;
    stage.until_called(&id, "processItem", 4).await?;
    batch.signal(Batch::pause, (), Default::default()).await?;
    let at = stage
        .until("it is paused", async || {
            let status = batch.query(Batch::status, (), Default::default()).await?;
            Ok((status.state == State::Paused).then_some(status))
        })
        .await?;
    stage.say(&format!("paused at {} of {}, in run {}", at.processed, at.total, at.run));
    stage.check("it paused before the end", (4..TOTAL).contains(&at.processed));
    let events = stage.history(&id).await?;
    let count =
        |kind: EventType| events.iter().filter(|event| event.event_type == i32::from(kind)).count();
    let open = count(EventType::ActivityTaskScheduled) - count(EventType::ActivityTaskCompleted);
    stage.equal("no item is under way", &open, &0);
    let done = stage.calls(&id, Some("processItem"))?.len();
    stage.equal("the outside agrees", &done, &(at.processed as usize));

    batch.signal(Batch::resume, (), Default::default()).await?;
    stage.say("resumed");
    let result = batch.get_result(Default::default()).await?;
    let run = TOTAL.div_ceil(PER_RUN);
    let completed = Status { state: State::Completed, processed: TOTAL, total: TOTAL, run };
    stage.equal("it completed", &result, &completed);
    let calls = stage.calls(&id, Some("processItem"))?;
    let texts: Vec<String> = calls.into_iter().map(|call| call.text).collect();
    let expected: Vec<String> = (0..TOTAL).map(|item| format!("item {item} is done")).collect();
    stage.equal("every item once, in order, over all runs", &texts, &expected);

    let id = stage.id("batch-2");
    let doomed = stage.start(Batch::run, input(&id), &id).await?;
    stage.until_called(&id, "processItem", 2).await?;
    doomed.signal(Batch::pause, (), Default::default()).await?;
    doomed.signal(Batch::cancel, (), Default::default()).await?;
    let cancelled = doomed.get_result(Default::default()).await?;
    stage.say(&format!("cancelled at {} of {}", cancelled.processed, cancelled.total));
    stage.equal("it was cancelled", &cancelled.state, &State::Cancelled);
    stage.check("it was cancelled before the end", cancelled.processed < TOTAL);
    let done = stage.calls(&id, Some("processItem"))?.len();
    let what = "what it says it did is what was done";
    stage.equal(what, &done, &(cancelled.processed as usize));
    let after = doomed.query(Batch::status, (), Default::default()).await?;
    stage.equal("the closed batch still answers", &after.state, &State::Cancelled);
    Ok(())
}

fn input(id: &str) -> Input {
    Input { id: id.to_owned(), total: TOTAL, chunk: PER_RUN, processed: 0, paused: false, run: 1 }
}
