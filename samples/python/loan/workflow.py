"""Waits up to 14 days for a person to decide.

While it waits it costs nothing: no worker has to run, and the decision may arrive while none does.
"""

import asyncio
from dataclasses import dataclass
from datetime import timedelta

from temporalio import workflow

with workflow.unsafe.imports_passed_through():
    from loan.activities import notify_applicant


@dataclass
class LoanApplication:
    """Who wants how much."""

    applicant: str
    cents: int
    patience: float | None = None
    """How many seconds to wait for a decision; 14 days if left out."""


@dataclass
class Decision:
    """What a person decided."""

    approved: bool
    by: str


@dataclass
class LoanStatus:
    """`state` is waiting, approved, rejected or expired."""

    state: str
    by: str | None = None


@workflow.defn(name="loanApproval")
class LoanApproval:
    """One loan, from the application to the decision."""

    def __init__(self) -> None:
        self._status = LoanStatus("waiting")

    @workflow.run
    async def run(self, application: LoanApplication) -> LoanStatus:
        if application.patience is None:
            wait = timedelta(days=14)
        else:
            wait = timedelta(seconds=application.patience)
        try:
            await workflow.wait_condition(lambda: self._status.state != "waiting", timeout=wait)
        except asyncio.TimeoutError:
            self._status = LoanStatus("expired")
        await workflow.execute_activity(
            notify_applicant,
            args=[application.applicant, self._status.state],
            start_to_close_timeout=timedelta(seconds=10),
        )
        return self._status

    @workflow.signal
    def decide(self, decision: Decision) -> None:
        """Approves or rejects. The first decision counts."""
        if self._status.state == "waiting":
            state = "approved" if decision.approved else "rejected"
            self._status = LoanStatus(state, decision.by)

    @workflow.query
    def status(self) -> LoanStatus:
        """How it stands."""
        return self._status
