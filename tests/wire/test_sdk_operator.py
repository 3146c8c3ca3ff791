"""Operators' commands as the SDK's workflows and activities see them."""

import asyncio
import uuid
from datetime import timedelta

import pytest
import sdk
from history import event_name
from temporalio import activity, workflow
from temporalio.api.common.v1 import WorkflowExecution
from temporalio.api.batch.v1 import BatchOperationReset, BatchOperationSignal
from temporalio.api.enums.v1 import BatchOperationState, ResetType
from temporalio.api.workflowservice.v1 import (
    DescribeBatchOperationRequest,
    PauseActivityExecutionRequest,
    PauseWorkflowExecutionRequest,
    ResetActivityExecutionRequest,
    ResetWorkflowExecutionRequest,
    StartBatchOperationRequest,
    UnpauseActivityExecutionRequest,
    UnpauseWorkflowExecutionRequest,
)
from temporalio.common import RetryPolicy
from temporalio.exceptions import ApplicationError
from temporalio.service import RPCError, RPCStatusCode

pytestmark = pytest.mark.asyncio

calls = {}


@activity.defn
async def count(key: str) -> int:
    calls[key] = calls.get(key, 0) + 1
    return calls[key]


@workflow.defn
class Adder:
    """Adds what an activity gives to what signals bring, until it is told to stop."""

    def __init__(self):
        self.sum = 0
        self.stopped = False

    @workflow.signal
    def add(self, number: int):
        self.sum += number

    @workflow.signal
    def stop(self):
        self.stopped = True

    @workflow.run
    async def run(self, key: str) -> int:
        first = await workflow.execute_activity(
            count, key, start_to_close_timeout=timedelta(seconds=20)
        )
        self.sum += first
        await workflow.wait_condition(lambda: self.stopped)
        return self.sum


@activity.defn
async def patient(key: str) -> str:
    """Heartbeats until it is told why to stop; once told, it has done its work."""
    calls[key] = calls.get(key, 0) + 1
    if calls[key] > 1:
        return f"attempt {activity.info().attempt}"
    try:
        while True:
            activity.heartbeat()
            await asyncio.sleep(0.1)
    except asyncio.CancelledError:
        details = activity.cancellation_details()
        why = "paused" if details.paused else "reset" if details.reset else "cancelled"
        raise ApplicationError(why) from None


@workflow.defn
class Patient:
    @workflow.run
    async def run(self, key: str) -> str:
        return await workflow.execute_activity(
            patient,
            key,
            activity_id="a",
            start_to_close_timeout=timedelta(seconds=30),
            heartbeat_timeout=timedelta(seconds=2),
            retry_policy=RetryPolicy(initial_interval=timedelta(milliseconds=100)),
        )


async def described(handle):
    return (await handle.describe()).raw_description


async def test_a_reset_workflow_runs_again():
    s = await sdk.connect()
    async with s.worker(Adder, activities=[count]):
        handle = await s.start(Adder.run, s.id())
        await handle.signal(Adder.add, 10)
        await sdk.until_event(handle, "ActivityTaskCompleted")
        await handle.signal(Adder.stop)
        assert await handle.result() == 11
        history = [event async for event in handle.fetch_history_events()]
        first = next(e for e in history if event_name(e) == "WorkflowTaskCompleted")
        answer = await s.client.workflow_service.reset_workflow_execution(
            ResetWorkflowExecutionRequest(
                namespace="default",
                workflow_execution=WorkflowExecution(
                    workflow_id=handle.id, run_id=handle.result_run_id
                ),
                reason="once more",
                workflow_task_finish_event_id=first.event_id,
                request_id=uuid.uuid4().hex,
            )
        )
        # The activity is carried out again; the signals are there already.
        again = s.client.get_workflow_handle(handle.id, run_id=answer.run_id)
        assert await again.result() == 12


async def test_a_paused_workflow_goes_on():
    s = await sdk.connect()
    async with s.worker(Adder, activities=[count]):
        handle = await s.start(Adder.run, s.id())
        await sdk.until_event(handle, "ActivityTaskCompleted")
        service = s.client.workflow_service
        await service.pause_workflow_execution(
            PauseWorkflowExecutionRequest(namespace="default", workflow_id=handle.id)
        )
        await handle.signal(Adder.add, 10)
        await handle.signal(Adder.stop)
        # This SDK has no name for the status yet, so its own `describe` does not read it.
        await service.unpause_workflow_execution(
            UnpauseWorkflowExecutionRequest(namespace="default", workflow_id=handle.id)
        )
        assert await handle.result() == 11


@pytest.mark.parametrize("why", ["paused", "reset"])
async def test_an_activity_learns_why_it_is_to_stop(why):
    s = await sdk.connect()
    key = s.id()
    async with s.worker(Patient, activities=[patient]):
        handle = await s.start(Patient.run, key)

        async def beats():
            pending = (await described(handle)).pending_activities
            return pending and pending[0].HasField("last_heartbeat_time")

        await sdk.eventually(beats)
        service = s.client.workflow_service
        fields = {"namespace": "default", "workflow_id": handle.id, "activity_id": "a"}
        if why == "reset":
            await service.reset_activity_execution(ResetActivityExecutionRequest(**fields))
        else:
            await service.pause_activity_execution(PauseActivityExecutionRequest(**fields))

            async def parked():
                pending = (await described(handle)).pending_activities[0]
                return pending.attempt == 2 and pending.last_failure.message == "paused"

            await sdk.eventually(parked)
            await service.unpause_activity_execution(UnpauseActivityExecutionRequest(**fields))
        assert await handle.result() == "attempt 2"


async def batch(client, **fields):
    """Carries out a batch operation to its end."""
    job_id = uuid.uuid4().hex
    service = client.workflow_service
    asked = StartBatchOperationRequest(namespace="default", job_id=job_id, reason="all", **fields)

    async def begun():
        # One at a time in a namespace; other tests have batches too.
        try:
            await service.start_batch_operation(asked)
        except RPCError as error:
            assert error.status == RPCStatusCode.RESOURCE_EXHAUSTED, error
            return False
        return True

    await sdk.eventually(begun)

    async def ended():
        asked = DescribeBatchOperationRequest(namespace="default", job_id=job_id)
        job = await service.describe_batch_operation(asked)
        return job if job.state == BatchOperationState.BATCH_OPERATION_STATE_COMPLETED else None

    return await sdk.eventually(ended)


async def test_a_batch_of_signals_and_one_of_resets():
    s = await sdk.connect()
    async with s.worker(Adder, activities=[count]):
        handles = [await s.start(Adder.run, s.id()) for _ in range(3)]
        for handle in handles:
            await sdk.until_event(handle, "ActivityTaskCompleted")
        query = f"TaskQueue = '{s.queue}' AND ExecutionStatus = 'Running'"

        async def all_listed():
            return (await s.client.count_workflows(query)).count == 3

        await sdk.eventually(all_listed)
        signal = BatchOperationSignal(signal="stop")
        job = await batch(s.client, visibility_query=query, signal_operation=signal)
        assert job.complete_operation_count == 3
        assert [await handle.result() for handle in handles] == [1, 1, 1]
        executions = [WorkflowExecution(workflow_id=handle.id) for handle in handles]
        reset = BatchOperationReset(reset_type=ResetType.RESET_TYPE_FIRST_WORKFLOW_TASK)
        job = await batch(s.client, executions=executions, reset_operation=reset)
        assert job.complete_operation_count == 3
        current = [s.client.get_workflow_handle(handle.id) for handle in handles]
        assert [await handle.result() for handle in current] == [2, 2, 2]
