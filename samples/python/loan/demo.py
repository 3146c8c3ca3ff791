"""A decision that arrives while no worker runs, and one that never arrives."""

from harness.stage import Stage
from loan.workflow import Decision, LoanApplication, LoanApproval, LoanStatus


async def demo(stage: Stage) -> None:
    """Drives the sample."""
    first = await stage.start_worker()
    applicant = stage.id("loan-1")
    loan = await stage.start(LoanApproval.run, LoanApplication(applicant, 2_500_000), applicant)
    before = await loan.query(LoanApproval.status)
    stage.equal("status before the decision", before.state, "waiting")
    timers = [
        event.timer_started_event_attributes.start_to_fire_timeout.seconds
        for event in await stage.history(applicant)
        if event.HasField("timer_started_event_attributes")
    ]
    stage.equal("the timer in the history is 14 days, in seconds", timers, [14 * 24 * 60 * 60])

    await stage.stop(first)
    stage.say("nobody runs now; the decision arrives all the same")
    await loan.signal(LoanApproval.decide, Decision(approved=True, by="Ms Ito"))

    await stage.start_worker()
    stage.equal("the decision", await loan.result(), LoanStatus("approved", "Ms Ito"))
    after = await loan.query(LoanApproval.status)
    stage.equal("status of the closed loan", after.state, "approved")
    told = stage.calls(applicant, "notifyApplicant")
    stage.equal("the applicant was told once", len(told), 1)

    forgotten = stage.id("loan-2")
    application = LoanApplication(forgotten, 100_000, patience=1)
    expiring = await stage.start(LoanApproval.run, application, forgotten)
    stage.say("loan-2 waits for 1 second instead of 14 days, and nobody decides")
    stage.equal("without a decision it expires", (await expiring.result()).state, "expired")
