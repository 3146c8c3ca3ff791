"""Updates through the Python SDK: validators, async handlers, restarts, starts with updates."""

import asyncio

import pytest
import sdk
from temporalio import activity, workflow
from temporalio.client import (
    RPCError,
    WithStartWorkflowOperation,
    WorkflowUpdateFailedError,
    WorkflowUpdateStage,
)
from temporalio.common import WorkflowIDConflictPolicy
from temporalio.exceptions import ApplicationError


def run(test):
    asyncio.run(test)


@activity.defn
async def double(number: int) -> int:
    return 2 * number


@workflow.defn
class Counter:
    """Adds numbers until it is told to stop."""

    def __init__(self):
        self.total = 0
        self.stopped = False

    @workflow.run
    async def run(self) -> int:
        await workflow.wait_condition(lambda: self.stopped and workflow.all_handlers_finished())
        return self.total

    @workflow.update
    def add(self, number: int) -> int:
        self.total += number
        return self.total

    @add.validator
    def add_validator(self, number: int):
        if number < 0:
            raise ApplicationError("negative", type="Refused")

    @workflow.update
    async def add_doubled(self, number: int) -> int:
        self.total += await workflow.execute_activity(
            double, number, start_to_close_timeout=10 * sdk.SECOND
        )
        return self.total

    @workflow.update
    async def add_later(self, number: int) -> int:
        await workflow.sleep(0.2)
        self.total += number
        return self.total

    @workflow.update
    async def fail(self) -> None:
        raise ApplicationError("boom", type="Boom")

    @workflow.update
    async def wait_for_stop(self) -> int:
        await workflow.wait_condition(lambda: self.stopped)
        return self.total

    @workflow.signal
    def stop(self):
        self.stopped = True

    @workflow.query
    def current(self) -> int:
        return self.total


def test_handlers_and_validators():
    async def scene():
        w = await sdk.connect()
        async with w.worker(Counter, activities=[double]):
            handle = await w.start(Counter.run)
            assert await handle.execute_update(Counter.add, 1) == 1
            assert await handle.execute_update(Counter.add_doubled, 2) == 5
            assert await handle.execute_update(Counter.add_later, 3) == 8
            with pytest.raises(WorkflowUpdateFailedError) as refused:
                await handle.execute_update(Counter.add, -1)
            assert refused.value.cause.type == "Refused"
            with pytest.raises(WorkflowUpdateFailedError) as failed:
                await handle.execute_update(Counter.fail)
            assert failed.value.cause.type == "Boom"
            assert await handle.query(Counter.current) == 8
            await handle.signal(Counter.stop)
            assert await handle.result() == 8

    run(scene())


def test_many_updates_of_a_cached_workflow():
    """Rejected ones between accepted ones: the worker's history pointer goes back each time."""

    async def scene():
        w = await sdk.connect()
        async with w.worker(Counter):
            handle = await w.start(Counter.run)
            for number in range(5):
                assert await handle.execute_update(Counter.add, 1) == number + 1
                with pytest.raises(WorkflowUpdateFailedError):
                    await handle.execute_update(Counter.add, -1)
            results = [handle.execute_update(Counter.add, 1) for _ in range(5)]
            assert sorted(await asyncio.gather(*results)) == [6, 7, 8, 9, 10]
            await handle.signal(Counter.stop)
            assert await handle.result() == 10
        names = await sdk.event_names(handle)
        assert names.count("WorkflowExecutionUpdateAccepted") == 10

    run(scene())


def test_start_an_update_and_ask_later():
    async def scene():
        w = await sdk.connect()
        async with w.worker(Counter):
            handle = await w.start(Counter.run)
            update = await handle.start_update(
                Counter.wait_for_stop, wait_for_stage=WorkflowUpdateStage.ACCEPTED, id="later"
            )
            await handle.execute_update(Counter.add, 4)
            await handle.signal(Counter.stop)
            assert await update.result() == 4
            assert await handle.result() == 4
            again = handle.get_update_handle("later", result_type=int)
            assert await again.result() == 4

    run(scene())


def test_a_worker_that_comes_back():
    """An accepted update goes on with another worker, which replays the history; a new one is taken."""

    async def scene():
        w = await sdk.connect()
        async with w.worker(Counter):
            handle = await w.start(Counter.run)
            assert await handle.execute_update(Counter.add, 1) == 1
            with pytest.raises(WorkflowUpdateFailedError):
                await handle.execute_update(Counter.add, -1)
            update = await handle.start_update(
                Counter.wait_for_stop, wait_for_stage=WorkflowUpdateStage.ACCEPTED
            )
        async with w.worker(Counter):
            assert await handle.execute_update(Counter.add, 2) == 3
            await handle.signal(Counter.stop)
            assert await update.result() == 3
            assert await handle.result() == 3

    run(scene())


def test_no_cache():
    """Every task replays all of history."""

    async def scene():
        w = await sdk.connect()
        async with w.worker(Counter, activities=[double], max_cached_workflows=0):
            handle = await w.start(Counter.run)
            assert await handle.execute_update(Counter.add, 1) == 1
            with pytest.raises(WorkflowUpdateFailedError):
                await handle.execute_update(Counter.add, -1)
            assert await handle.execute_update(Counter.add_doubled, 2) == 5
            await handle.signal(Counter.stop)
            assert await handle.result() == 5

    run(scene())


def test_update_with_start():
    async def scene():
        w = await sdk.connect()
        id_ = w.id()

        def start():
            return WithStartWorkflowOperation(
                Counter.run,
                id=id_,
                task_queue=w.queue,
                id_conflict_policy=WorkflowIDConflictPolicy.USE_EXISTING,
            )

        async with w.worker(Counter):
            first, second = start(), start()
            update = w.client.execute_update_with_start_workflow
            assert await update(Counter.add, 1, start_workflow_operation=first) == 1
            assert await update(Counter.add, 2, start_workflow_operation=second) == 3
            handle = await first.workflow_handle()
            assert (await second.workflow_handle()).first_execution_run_id in (
                None,
                handle.first_execution_run_id,
            )
            with pytest.raises(WorkflowUpdateFailedError):
                await update(Counter.add, -1, start_workflow_operation=start())
            await handle.signal(Counter.stop)
            assert await handle.result() == 3

    run(scene())


def test_an_update_of_a_closed_workflow():
    async def scene():
        w = await sdk.connect()
        async with w.worker(Counter):
            handle = await w.start(Counter.run)
            await handle.signal(Counter.stop)
            await handle.result()
            with pytest.raises(RPCError, match="workflow execution already completed"):
                await handle.execute_update(Counter.add, 1)

    run(scene())


@workflow.defn
class Chain:
    """Goes on as new when it is told to; the update that comes meanwhile finds the next run."""

    def __init__(self):
        self.turned = False

    @workflow.run
    async def run(self, turns: int) -> int:
        await workflow.wait_condition(lambda: self.turned)
        if turns > 0:
            workflow.continue_as_new(turns - 1)
        return turns

    @workflow.signal
    def turn(self):
        self.turned = True

    @workflow.update
    async def finish(self) -> str:
        self.turned = True
        return workflow.info().run_id


def test_an_update_finds_the_current_run():
    async def scene():
        w = await sdk.connect()
        async with w.worker(Chain):
            started = await w.start(Chain.run, 1)
            handle = w.client.get_workflow_handle_for(Chain.run, started.id)
            await handle.signal(Chain.turn)
            first = w.client.get_workflow_handle(
                started.id, run_id=started.first_execution_run_id
            )
            await sdk.until_event(first, "WorkflowExecutionContinuedAsNew")
            run_id = await handle.execute_update(Chain.finish)
            assert run_id != started.first_execution_run_id
            assert await started.result() == 0

    run(scene())
