use anyhow::Result;
use temporalio_common::protos::temporal::api::history::v1::history_event::Attributes;

use super::workflow::{Application, Decision, Loan, State, Status};
use crate::harness::stage::Stage;

/// A decision that arrives while no worker runs, and one that never arrives.
pub async fn demo(stage: &mut Stage) -> Result<()> {
    let mut first = stage.start_worker("").await?;
    let applicant = stage.id("loan-1");
    let application =
        Application { applicant: applicant.clone(), cents: 2_500_000, patience: None };
    let loan = stage.start(Loan::run, application, &applicant).await?;
    let before = loan.query(Loan::status, (), Default::default()).await?;
    stage.equal("status before the decision", &before.state, &State::Waiting);

    let events = stage.history(&applicant).await?;
    let timer = events.into_iter().find_map(|event| match event.attributes {
        Some(Attributes::TimerStartedEventAttributes(timer)) => timer.start_to_fire_timeout,
        _ => None,
    });
    let seconds = timer.map(|timer| timer.seconds);
    let what = "the timer in the history is 14 days, in seconds";
    stage.equal(what, &seconds, &Some(14 * 24 * 60 * 60));

    stage.stop(&mut first).await?;
    stage.say("nobody runs now; the decision arrives all the same");
    let decision = Decision { approved: true, by: "Ms Ito".to_owned() };
    loan.signal(Loan::decide, decision, Default::default()).await?;

    let _second = stage.start_worker("").await?;
    let decided = loan.get_result(Default::default()).await?;
    let expected = Status { state: State::Approved, by: Some("Ms Ito".to_owned()) };
    stage.equal("the decision", &decided, &expected);
    let after = loan.query(Loan::status, (), Default::default()).await?;
    stage.equal("status of the closed loan", &after.state, &State::Approved);
    let told = stage.calls(&applicant, Some("notifyApplicant"))?;
    stage.equal("the applicant was told once", &told.len(), &1);

    let forgotten = stage.id("loan-2");
    let application =
        Application { applicant: forgotten.clone(), cents: 100_000, patience: Some(1) };
    let expiring = stage.start(Loan::run, application, &forgotten).await?;
    stage.say("loan-2 waits for 1 second instead of 14 days, and nobody decides");
    let expired = expiring.get_result(Default::default()).await?;
    stage.equal("without a decision it expires", &expired.state, &State::Expired);
    Ok(())
}
