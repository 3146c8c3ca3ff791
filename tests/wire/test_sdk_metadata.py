"""What users write about their workflows for other users: summaries and details, as the Python SDK
writes and reads them."""

from datetime import timedelta

import pytest
import sdk
from history import event_name
from temporalio import activity, workflow

pytestmark = pytest.mark.asyncio

TIMEOUT = timedelta(seconds=30)


@activity.defn
async def fetch() -> str:
    return "fetched"


@workflow.defn
class Child:
    @workflow.run
    async def run(self) -> str:
        return "child"


@workflow.defn
class Annotated:
    def __init__(self):
        self.ended = False

    @workflow.signal
    def end(self):
        self.ended = True

    @workflow.run
    async def run(self) -> str:
        workflow.set_current_details("at the beginning")
        await workflow.sleep(0.01, summary="a nap")
        await workflow.execute_activity(
            fetch, start_to_close_timeout=TIMEOUT, summary="fetches it"
        )
        await workflow.execute_child_workflow(
            Child.run,
            id=workflow.info().workflow_id + "-child",
            static_summary="a child",
            static_details="with details",
        )
        workflow.set_current_details("at the end")
        await workflow.wait_condition(lambda: self.ended)
        return "done"


async def test_summaries_and_details():
    s = await sdk.connect()
    async with s.worker(Annotated, Child, activities=[fetch]):
        handle = await s.start(
            Annotated.run, static_summary="a workflow", static_details="all about *it*"
        )
        await sdk.until_event(handle, "ChildWorkflowExecutionCompleted")
        described = await handle.describe()
        assert await described.static_summary() == "a workflow"
        assert await described.static_details() == "all about *it*"
        child = await s.client.get_workflow_handle(handle.id + "-child").describe()
        assert await child.static_summary() == "a child"
        assert await child.static_details() == "with details"

        async def details():
            shown = await handle.query("__temporal_workflow_metadata")
            return shown.current_details == "at the end"

        await sdk.eventually(details)
        await handle.signal(Annotated.end)
        assert await handle.result() == "done"
    shown = {
        event_name(event): event.user_metadata.summary.data
        async for event in handle.fetch_history_events()
        if event.HasField("user_metadata")
    }
    assert shown == {
        "WorkflowExecutionStarted": b'"a workflow"',
        "TimerStarted": b'"a nap"',
        "ActivityTaskScheduled": b'"fetches it"',
        "StartChildWorkflowExecutionInitiated": b'"a child"',
    }
