use anyhow::{Context as _, Result};

use super::workflow::Retries;
use crate::harness::stage::Stage;

/// Backoff that doubles, and errors that end at once.
pub async fn demo(stage: &mut Stage) -> Result<()> {
    let _worker = stage.start_worker("").await?;
    let subject = stage.id("transfer");
    let handle = stage.start(Retries::run, subject.clone(), &subject).await?;

    // The server itself can tell which attempt is pending, and why the last one failed.
    let pending = stage
        .until("a retry is pending", async || {
            let description = handle.describe(Default::default()).await?;
            let mut pending = description.into_raw().pending_activities.into_iter();
            Ok(pending.find(|activity| activity.attempt > 1))
        })
        .await?;
    let failure = pending.last_failure.map(|failure| failure.message).unwrap_or_default();
    let attempt = pending.attempt;
    stage.say(&format!(
        "the server says: attempt {attempt} of fetchRates is pending; last failure: {failure}"
    ));

    let outcomes = handle.get_result(Default::default()).await?;
    let rates = stage.calls(&subject, Some("fetchRates"))?;
    let attempts: Vec<u32> = rates.iter().map(|call| call.attempt).collect();
    stage.equal("fetchRates: worked at the third attempt", &attempts, &vec![1, 2, 3]);
    stage.equal("fetchRates: its answer", &outcomes.rates.as_str(), &"1 EUR = 1.08 USD");
    let [first, second, third] = rates.as_slice() else {
        anyhow::bail!("fetchRates has {} attempts", rates.len());
    };
    let wait = |from: u64, to: u64| to.checked_sub(from).context("the clock went back");
    let waits = (wait(first.at, second.at)?, wait(second.at, third.at)?);
    stage.check("fetchRates: waited 500 ms or more before attempt 2", waits.0 >= 500);
    stage.check("fetchRates: waited 1000 ms or more before attempt 3", waits.1 >= 1000);
    for (activity, attempts, error_type, found) in [
        ("payOut", 1, "AccountClosed", &outcomes.payout),
        ("sendMail", 1, "BadAddress", &outcomes.mail),
        ("askPartner", 2, "Refused", &outcomes.partner),
    ] {
        let calls = stage.calls(&subject, Some(activity))?;
        stage.equal(&format!("{activity}: number of attempts"), &calls.len(), &attempts);
        stage.equal(&format!("{activity}: its error type"), &found.as_str(), &error_type);
    }
    let expected = "the rates service does not answer";
    stage.equal("the server told the last failure", &failure.as_str(), &expected);
    Ok(())
}
