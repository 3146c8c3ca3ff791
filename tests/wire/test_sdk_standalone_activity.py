"""Standalone activities through the Python SDK's own client: the job queue without workflows."""

import asyncio
from datetime import timedelta

import pytest
import sdk
from temporalio import activity
from temporalio.api.enums.v1 import PendingActivityState
from temporalio.client import (
    ActivityExecutionStatus,
    ActivityFailureError,
    ActivityOptionsKeys,
)
from temporalio.common import ActivityIDConflictPolicy, Priority, RetryPolicy
from temporalio.exceptions import (
    ActivityAlreadyStartedError,
    ApplicationError,
    CancelledError,
    TerminatedError,
    TimeoutError,
)

pytestmark = pytest.mark.asyncio

QUICK = RetryPolicy(initial_interval=timedelta(milliseconds=50))


@activity.defn
async def greet(name: str) -> str:
    return f"hello {name}"


@activity.defn
async def third_time(name: str) -> str:
    """Fails twice, and hands its progress over."""
    info = activity.info()
    before = list(info.heartbeat_details)
    activity.heartbeat(*before, info.attempt)
    if info.attempt < 3:
        raise ApplicationError(f"attempt {info.attempt}", type="NotYet")
    return f"{name} {before}"


@activity.defn
async def refuse() -> None:
    raise ApplicationError("never", "why", type="Never", non_retryable=True)


@activity.defn
async def wait() -> str:
    try:
        while True:
            activity.heartbeat()
            await asyncio.sleep(0.1)
    except asyncio.CancelledError:
        if activity.cancellation_details().paused:
            raise ApplicationError("paused") from None
        raise


@pytest.fixture
async def s():
    return await sdk.connect()


def worker(s, **options):
    return s.worker(activities=[greet, third_time, refuse, wait], **options)


async def start(s, function, *args, **options):
    options.setdefault("id", s.id())
    options.setdefault("task_queue", s.queue)
    options.setdefault("start_to_close_timeout", timedelta(seconds=30))
    return await s.client.start_activity(function, args=args, **options)


async def failure(handle):
    with pytest.raises(ActivityFailureError) as caught:
        await handle.result()
    return caught.value.cause


async def test_result(s):
    async with worker(s):
        handle = await start(s, greet, "you", summary="a greeting")
        assert await handle.result() == "hello you"
    described = await handle.describe()
    assert described.status == ActivityExecutionStatus.COMPLETED
    assert (described.activity_type, described.task_queue) == ("greet", s.queue)
    again = s.client.get_activity_handle(handle.id, run_id=handle.run_id, result_type=str)
    assert await again.result() == "hello you"


async def test_it_waits_for_a_worker(s):
    handle = await start(s, greet, "you")
    waiting = asyncio.ensure_future(handle.result())
    assert (await handle.describe()).status == ActivityExecutionStatus.RUNNING
    async with worker(s):
        assert await waiting == "hello you"


async def test_retries_hand_progress_over(s):
    async with worker(s):
        handle = await start(s, third_time, "x", retry_policy=QUICK)
        assert await handle.result() == "x [1, 2]"
    assert (await handle.describe()).attempt == 3


async def test_failure(s):
    async with worker(s):
        cause = await failure(await start(s, refuse))
    assert isinstance(cause, ApplicationError)
    assert (cause.message, cause.type, list(cause.details)) == ("never", "Never", ["why"])


async def test_timeout(s):
    cause = await failure(
        await start(s, greet, "you", schedule_to_start_timeout=timedelta(milliseconds=100))
    )
    assert isinstance(cause, TimeoutError)


async def test_cancel(s):
    async with worker(s):
        handle = await start(s, wait, heartbeat_timeout=timedelta(seconds=2))
        await until_heartbeat(handle)
        await handle.cancel(reason="enough")
        assert isinstance(await failure(handle), CancelledError)
    assert (await handle.describe()).status == ActivityExecutionStatus.CANCELED


async def test_terminate(s):
    async with worker(s):
        handle = await start(s, wait, heartbeat_timeout=timedelta(seconds=2))
        await until_heartbeat(handle)
        await handle.terminate(reason="enough")
        cause = await failure(handle)
    assert isinstance(cause, TerminatedError) and "enough" in str(cause)


async def test_an_id_in_use(s):
    handle = await start(s, greet, "you")
    with pytest.raises(ActivityAlreadyStartedError):
        await start(s, greet, "me", id=handle.id)
    same = await start(
        s, greet, "me", id=handle.id, id_conflict_policy=ActivityIDConflictPolicy.USE_EXISTING
    )
    assert same.run_id == handle.run_id
    async with worker(s):
        assert await same.result() == "hello you"


async def test_completed_from_outside(s):
    handle = await start(s, wait)
    outside = s.client.get_async_activity_handle(activity_id=handle.id, run_id=handle.run_id)
    await outside.complete("done elsewhere")
    assert await handle.result() == "done elsewhere"


async def test_list_and_count(s):
    async with worker(s):
        handles = [await start(s, greet, str(n)) for n in range(3)]
        for handle in handles:
            await handle.result()
    query = f"TaskQueue = '{s.queue}' AND ExecutionStatus = 'Completed'"

    async def all_listed():
        found = [one.activity_id async for one in s.client.list_activities(query)]
        return sorted(found) == sorted(handle.id for handle in handles)

    await sdk.eventually(all_listed)
    assert (await s.client.count_activities(query)).count == 3


async def test_priority_reaches_the_worker(s):
    @activity.defn
    async def priority() -> str:
        known = activity.info().priority
        return f"{known.priority_key} {known.fairness_key} {known.fairness_weight}"

    async with s.worker(activities=[priority]):
        wish = Priority(priority_key=2, fairness_key="me", fairness_weight=1.5)
        assert await (await start(s, priority, priority=wish)).result() == "2 me 1.5"


async def until_heartbeat(handle):
    async def beats():
        return (await handle.describe()).last_heartbeat_time

    await sdk.eventually(beats)


async def test_pause_and_unpause(s):
    async with worker(s):
        handle = await start(
            s, wait, heartbeat_timeout=timedelta(seconds=2), retry_policy=QUICK
        )
        await until_heartbeat(handle)
        await handle.pause(reason="look")

        async def parked():
            state = (await handle.describe()).raw_info.run_state
            return state == PendingActivityState.PENDING_ACTIVITY_STATE_PAUSED

        await sdk.eventually(parked)
        await handle.unpause()

        async def second():
            return (await handle.describe()).attempt == 2

        await sdk.eventually(second)
        await handle.terminate()


async def test_options_are_changed_and_restored(s):
    handle = await start(s, greet, "you", task_queue=s.queue + "-nobody")
    options = await handle.update_options(
        [
            ActivityOptionsKeys.task_queue.value_set(s.queue),
            ActivityOptionsKeys.start_to_close_timeout.value_set(timedelta(seconds=7)),
        ]
    )
    assert options.start_to_close_timeout == timedelta(seconds=7)
    restored = await handle.restore_original_options()
    assert restored.start_to_close_timeout == timedelta(seconds=30)
    await handle.update_options([ActivityOptionsKeys.task_queue.value_set(s.queue)])
    async with worker(s):
        assert await handle.result() == "hello you"
