"""What the loan does to the outside world."""

from temporalio import activity

from outside_world import note


@activity.defn(name="notifyApplicant")
async def notify_applicant(applicant: str, state: str) -> None:
    """Tells the applicant how it went."""
    note(applicant, f"told that the loan is {state}")
