"""Workflows through the Python SDK: timers, messages, children, chains, patches, caches."""

import asyncio
from datetime import timedelta
from typing import Any

import pytest
import sdk
from temporalio import workflow
from temporalio.client import (
    WorkflowExecutionStatus,
    WorkflowFailureError,
    WorkflowQueryFailedError,
    WorkflowQueryRejectedError,
)
from temporalio.common import QueryRejectCondition, RetryPolicy, WorkflowIDConflictPolicy
from temporalio.exceptions import (
    ApplicationError,
    CancelledError,
    ChildWorkflowError,
    TerminatedError,
    TimeoutError,
    WorkflowAlreadyStartedError,
)
from temporalio.service import RPCError, RPCStatusCode
from temporalio.worker import Replayer, UnsandboxedWorkflowRunner


@workflow.defn
class Echo:
    @workflow.run
    async def run(self, value: Any) -> Any:
        return value


@workflow.defn
class Sleep:
    @workflow.run
    async def run(self, seconds: float) -> str:
        await workflow.sleep(seconds)
        return "slept"


@workflow.defn
class Fail:
    @workflow.run
    async def run(self, until_attempt: int) -> int:
        attempt = workflow.info().attempt
        if attempt < until_attempt:
            raise ApplicationError(f"attempt {attempt}", "detail", type="Early")
        return attempt


@workflow.defn
class Ledger:
    """Adds up signals until it is told to finish; answers queries."""

    def __init__(self) -> None:
        self.values: list[int] = []
        self.done = False

    @workflow.run
    async def run(self) -> list[int]:
        await workflow.wait_condition(lambda: self.done)
        return self.values

    @workflow.signal
    def add(self, value: int) -> None:
        self.values.append(value)

    @workflow.signal
    async def finish(self) -> None:
        self.done = True

    @workflow.query
    def total(self) -> int:
        return sum(self.values)

    @workflow.query
    def broken(self) -> int:
        raise ApplicationError("no total")


@workflow.defn
class CleanUp:
    """Catches its cancellation, cleans up, and ends as cancelled or not."""

    @workflow.run
    async def run(self, obey: bool) -> str:
        try:
            await workflow.sleep(60)
        except asyncio.CancelledError:
            await workflow.sleep(0.1)
            if obey:
                raise
            return "cleaned up"
        return "never"


@workflow.defn
class Loop:
    @workflow.run
    async def run(self, left: int, trail: list[str]) -> list[str]:
        trail = [*trail, workflow.info().run_id]
        if left:
            workflow.continue_as_new(args=[left - 1, trail])
        return trail


@workflow.defn
class Parent:
    @workflow.run
    async def run(self, kind: str) -> Any:
        id_ = workflow.info().workflow_id + "-child"
        if kind == "result":
            return await workflow.execute_child_workflow(Echo.run, "from child", id=id_)
        if kind == "chain":
            trail = await workflow.execute_child_workflow(Loop.run, args=[2, []], id=id_)
            return len(trail)
        if kind == "failure":
            try:
                await workflow.execute_child_workflow(Fail.run, 99, id=id_)
            except ChildWorkflowError as error:
                return error.cause.message
        if kind == "signal":
            child = await workflow.start_child_workflow(Ledger.run, id=id_)
            for number in range(3):
                await child.signal(Ledger.add, number)
            await child.signal(Ledger.finish)
            return await child
        if kind == "cancel":
            child = await workflow.start_child_workflow(
                CleanUp.run,
                True,
                id=id_,
                cancellation_type=workflow.ChildWorkflowCancellationType.WAIT_CANCELLATION_COMPLETED,
            )
            child.cancel()
            try:
                await child
            except ChildWorkflowError as error:
                return type(error.cause).__name__
        if kind == "abandon":
            await workflow.start_child_workflow(
                Sleep.run, 0.2, id=id_, parent_close_policy=workflow.ParentClosePolicy.ABANDON
            )
            return id_
        if kind == "leave":
            await workflow.start_child_workflow(Sleep.run, 60, id=id_)
            return id_
        if kind == "many":
            children = [
                workflow.execute_child_workflow(Echo.run, n, id=f"{id_}-{n}") for n in range(10)
            ]
            return await asyncio.gather(*children)
        if kind == "duplicate":
            await workflow.start_child_workflow(Sleep.run, 60, id=id_)
            try:
                await workflow.start_child_workflow(Sleep.run, 60, id=id_)
            except WorkflowAlreadyStartedError:
                return "already started"
        return "nothing"


@workflow.defn
class External:
    @workflow.run
    async def run(self, target: str, what: str) -> str:
        handle = workflow.get_external_workflow_handle(target)
        try:
            if what == "signal":
                await handle.signal("add", 5)
                await handle.signal("finish")
            else:
                await handle.cancel()
        except ApplicationError as error:
            return error.message
        return "done"


@workflow.defn
class Race:
    """The first of several timers wins and the others are cancelled."""

    @workflow.run
    async def run(self) -> str:
        async def after(seconds: float, name: str) -> str:
            await workflow.sleep(seconds)
            return name

        tasks = [asyncio.create_task(after(s, n)) for s, n in ((60, "slow"), (0.1, "fast"))]
        done, pending = await workflow.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
        for task in pending:
            task.cancel()
        return (await next(iter(done))) if done else "none"


@workflow.defn(name="Versioned")
class WithPatch:
    @workflow.run
    async def run(self) -> bool:
        patched = workflow.patched("a-change")
        await workflow.sleep(0.05)
        return patched


@workflow.defn
class Facts:
    """Deterministic time and chance, memo, and info."""

    @workflow.run
    async def run(self) -> dict:
        workflow.upsert_memo({"written": 1})
        before = workflow.now()
        await workflow.sleep(0.1)
        info = workflow.info()
        return {
            "waited": (workflow.now() - before).total_seconds(),
            "uuid": str(workflow.uuid4()),
            "random": workflow.random().random(),
            "memo": workflow.memo(),
            "type": info.workflow_type,
            "attempt": info.attempt,
            "queue": info.task_queue,
            "history": info.get_current_history_length(),
        }


@workflow.defn
class Unstable:
    """Fails its first workflow tasks, not its run."""

    failures = 0

    @workflow.run
    async def run(self) -> str:
        if Unstable.failures < 2:
            Unstable.failures += 1
            raise RuntimeError("a bug that is being fixed")
        return "fixed"


WORKFLOWS = [
    Echo,
    Sleep,
    Fail,
    Ledger,
    CleanUp,
    Loop,
    Parent,
    External,
    Race,
    WithPatch,
    Facts,
    Unstable,
]


@pytest.fixture
async def s():
    return await sdk.connect()


def worker(s, **options):
    return s.worker(*WORKFLOWS, **options)


async def failure_of(result):
    with pytest.raises(WorkflowFailureError) as caught:
        await result
    return caught.value.cause


# -- results ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("value", ["text", 7, None, [1, {"a": "ü漢🦀"}], "x" * 200_000])
async def test_result(s, value):
    async with worker(s):
        assert await s.run(Echo.run, value) == value


async def test_result_is_waited_for(s):
    async with worker(s):
        assert await s.run(Sleep.run, 1) == "slept"


async def test_failure(s):
    async with worker(s):
        cause = await failure_of(s.run(Fail.run, 99))
    assert (cause.message, cause.type, list(cause.details)) == ("attempt 1", "Early", ["detail"])


async def test_retry(s):
    policy = RetryPolicy(initial_interval=timedelta(milliseconds=50), maximum_attempts=3)
    async with worker(s):
        assert await s.run(Fail.run, 2, retry_policy=policy) == 2


async def test_run_timeout(s):
    async with worker(s):
        cause = await failure_of(s.run(Sleep.run, 60, run_timeout=sdk.SECOND))
    assert isinstance(cause, TimeoutError)


async def test_terminate(s):
    async with worker(s):
        handle = await s.start(Sleep.run, 60)
        await handle.terminate(reason="why")
        cause = await failure_of(handle.result())
    assert isinstance(cause, TerminatedError) and cause.message == "why"


async def test_workflow_task_failure_is_not_the_end(s):
    async with worker(s):
        handle = await s.start(Unstable.run, task_timeout=sdk.SECOND)
        assert await handle.result() == "fixed"
        names = await sdk.event_names(handle)
    assert names.count("WorkflowTaskFailed") == 1


async def test_start_delay(s):
    async with worker(s):
        assert await s.run(Echo.run, 1, start_delay=timedelta(milliseconds=500)) == 1


async def test_id_in_use(s):
    async with worker(s):
        handle = await s.start(Sleep.run, 60)
        with pytest.raises(WorkflowAlreadyStartedError):
            await s.start(Sleep.run, 60, id=handle.id)
        again = await s.start(
            Sleep.run,
            60,
            id=handle.id,
            id_conflict_policy=WorkflowIDConflictPolicy.USE_EXISTING,
        )
        assert again.first_execution_run_id == handle.first_execution_run_id
        await handle.terminate()


async def test_eager_start(s):
    async with worker(s):
        handle = await s.start(Echo.run, 1, request_eager_start=True)
        assert await handle.result() == 1


# -- signals and queries ---------------------------------------------------------------------------


async def test_signals_and_queries(s):
    async with worker(s):
        handle = await s.start(Ledger.run)
        for number in range(1, 11):
            await handle.signal(Ledger.add, number)
        assert await handle.query(Ledger.total) == 55
        await handle.signal(Ledger.finish)
        assert await handle.result() == list(range(1, 11))
        assert await handle.query(Ledger.total) == 55  # of a closed run


async def test_signal_with_start(s):
    async with worker(s):
        handle = await s.start(Ledger.run, start_signal="add", start_signal_args=[5])
        await s.start(Ledger.run, id=handle.id, start_signal="add", start_signal_args=[6])
        await handle.signal(Ledger.finish)
        assert await handle.result() == [5, 6]


async def test_failed_query(s):
    async with worker(s):
        handle = await s.start(Ledger.run)
        with pytest.raises(WorkflowQueryFailedError, match="no total"):
            await handle.query(Ledger.broken)
        with pytest.raises(WorkflowQueryFailedError, match="not found|unknown|expected"):
            await handle.query("no_such_query")
        await handle.terminate()


async def test_rejected_query(s):
    async with worker(s):
        handle = await s.start(Echo.run, 1)
        await handle.result()
        with pytest.raises(WorkflowQueryRejectedError) as caught:
            await handle.query("any", reject_condition=QueryRejectCondition.NOT_OPEN)
    assert caught.value.status == WorkflowExecutionStatus.COMPLETED


async def test_signal_to_nobody(s):
    with pytest.raises(RPCError) as caught:
        await s.client.get_workflow_handle(s.id()).signal("add", 1)
    assert caught.value.status == RPCStatusCode.NOT_FOUND


async def test_queries_side_by_side(s):
    async with worker(s):
        handle = await s.start(Ledger.run)
        await handle.signal(Ledger.add, 3)
        await handle.query(Ledger.total)
        answers = await asyncio.gather(*[handle.query(Ledger.total) for _ in range(10)])
        assert answers == [3] * 10
        await handle.terminate()


# -- cancellation ----------------------------------------------------------------------------------


async def test_cancel(s):
    async with worker(s):
        handle = await s.start(CleanUp.run, True)
        await handle.cancel()
        assert isinstance(await failure_of(handle.result()), CancelledError)
        assert (await handle.describe()).status == WorkflowExecutionStatus.CANCELED


async def test_cancel_may_be_answered_with_a_result(s):
    async with worker(s):
        handle = await s.start(CleanUp.run, False)
        await sdk.until_event(handle, "TimerStarted")
        await handle.cancel()
        assert await handle.result() == "cleaned up"


async def test_first_timer_wins(s):
    async with worker(s):
        handle = await s.start(Race.run)
        assert await handle.result() == "fast"
        assert "TimerFired" in await sdk.event_names(handle)


# -- chains and children ---------------------------------------------------------------------------


async def test_continue_as_new(s):
    async with worker(s):
        handle = await s.start(Loop.run, 2, [])
        trail = await handle.result()
    assert len(set(trail)) == 3
    assert trail[0] == handle.first_execution_run_id


async def test_result_of_one_run_of_a_chain(s):
    async with worker(s):
        handle = await s.start(Loop.run, 1, [])
        await handle.result()
        description = await s.client.get_workflow_handle(
            handle.id, run_id=handle.first_execution_run_id
        ).describe()
    assert description.status == WorkflowExecutionStatus.CONTINUED_AS_NEW


@pytest.mark.parametrize(
    "kind, expected",
    [
        ("result", "from child"),
        ("chain", 3),
        ("failure", "attempt 1"),
        ("signal", [0, 1, 2]),
        ("cancel", "CancelledError"),
        ("many", list(range(10))),
        ("duplicate", "already started"),
    ],
)
async def test_children(s, kind, expected):
    async with worker(s):
        assert await s.run(Parent.run, kind) == expected


async def test_abandoned_child(s):
    async with worker(s):
        child = await s.run(Parent.run, "abandon")
        assert await s.client.get_workflow_handle(child).result() == "slept"


async def test_child_ends_with_its_parent(s):
    async with worker(s):
        child = await s.run(Parent.run, "leave")
        cause = await failure_of(s.client.get_workflow_handle(child).result())
    assert isinstance(cause, TerminatedError)


async def test_signal_to_another_workflow(s):
    async with worker(s):
        target = await s.start(Ledger.run)
        assert await s.run(External.run, target.id, "signal") == "done"
        assert await target.result() == [5]


async def test_cancel_of_another_workflow(s):
    async with worker(s):
        target = await s.start(CleanUp.run, False)
        await sdk.until_event(target, "TimerStarted")
        assert await s.run(External.run, target.id, "cancel") == "done"
        assert await target.result() == "cleaned up"


@pytest.mark.parametrize("what", ["signal", "cancel"])
async def test_message_to_nobody(s, what):
    async with worker(s):
        answer = await s.run(External.run, s.id(), what)
    assert "not found" in answer


# -- determinism -----------------------------------------------------------------------------------


async def test_facts_are_the_same_in_a_replay(s):
    async with worker(s):
        handle = await s.start(Facts.run)
        facts = await handle.result()
        history = await handle.fetch_history()
        memo = await (await handle.describe()).memo()
    assert facts["waited"] >= 0.1
    assert facts["memo"] == memo == {"written": 1}
    assert (facts["type"], facts["attempt"], facts["queue"]) == ("Facts", 1, s.queue)
    replayer = Replayer(workflows=WORKFLOWS, workflow_runner=UnsandboxedWorkflowRunner())
    await replayer.replay_workflow(history)


async def test_without_a_cache_every_task_replays(s):
    async with worker(s, max_cached_workflows=0):
        handle = await s.start(Ledger.run)
        for number in range(5):
            await handle.signal(Ledger.add, number)
            assert await handle.query(Ledger.total) == sum(range(number + 1))
        await handle.signal(Ledger.finish)
        assert await handle.result() == list(range(5))


async def test_another_worker_takes_over(s):
    """The second worker has no cache: the sticky queue of the first must not hold the workflow."""
    async with worker(s):
        handle = await s.start(Ledger.run)
        await handle.signal(Ledger.add, 1)
        assert await handle.query(Ledger.total) == 1
    async with worker(s):
        await handle.signal(Ledger.add, 2)
        assert await handle.query(Ledger.total) == 3
        await handle.signal(Ledger.finish)
        assert await handle.result() == [1, 2]


async def test_small_cache(s):
    """More open workflows than the cache holds: evicted ones come back by a replay."""
    async with worker(s, max_cached_workflows=2, max_concurrent_workflow_tasks=2):
        handles = [await s.start(Ledger.run) for _ in range(6)]
        for number in (1, 2):
            await asyncio.gather(*[h.signal(Ledger.add, number) for h in handles])
        await asyncio.gather(*[h.signal(Ledger.finish) for h in handles])
        assert await asyncio.gather(*[h.result() for h in handles]) == [[1, 2]] * 6


async def test_patch(s):
    async with worker(s):
        handle = await s.start("Versioned")
        assert await handle.result() is True
        names = await sdk.event_names(handle)
        description = await handle.describe()
    assert "MarkerRecorded" in names and "UpsertWorkflowSearchAttributes" in names
    attributes = description.raw_description.workflow_execution_info.search_attributes
    assert b"a-change" in attributes.indexed_fields["TemporalChangeVersion"].data


async def test_fifty_at_once(s):
    async with worker(s):
        handles = await asyncio.gather(*[s.start(Sleep.run, 0.2) for _ in range(50)])
        assert await asyncio.gather(*[h.result() for h in handles]) == ["slept"] * 50
