"""Activities through the Python SDK: results, retries, failures, heartbeats, cancels, async."""

import asyncio
from datetime import timedelta
from typing import Any

import pytest
import sdk
from temporalio import activity, workflow
from temporalio.client import WorkflowFailureError
from temporalio.common import RetryPolicy
from temporalio.exceptions import (
    ActivityError,
    ApplicationError,
    CancelledError,
    TimeoutError,
    TimeoutType,
)

TEN = timedelta(seconds=10)
ONCE = RetryPolicy(maximum_attempts=1)
FAST = RetryPolicy(initial_interval=timedelta(milliseconds=10), maximum_attempts=3)


@activity.defn
async def greet(name: str) -> str:
    return f"Hello, {name}!"


@activity.defn
async def fail_until_third() -> int:
    attempt = activity.info().attempt
    if attempt < 3:
        raise ApplicationError(f"attempt {attempt}", type="Early")
    return attempt


@activity.defn
async def always_fail() -> None:
    raise ApplicationError("boom", "detail", 7, type="Boom")


@activity.defn
async def fail_for_good() -> None:
    raise ApplicationError("for good", non_retryable=True)


@activity.defn
async def count_up() -> list:
    """Heartbeats its progress, fails once, and goes on from where it was."""
    details = list(activity.info().heartbeat_details)
    start = details[0] if details else 0
    for number in range(start, 5):
        activity.heartbeat(number + 1)
        if number == 2 and activity.info().attempt == 1:
            raise ApplicationError("half way")
    return [start, activity.info().attempt]


@activity.defn
async def sleep_and_heartbeat() -> None:
    while True:
        activity.heartbeat()
        await asyncio.sleep(0.05)


@activity.defn
async def sleep_long() -> None:
    await asyncio.sleep(30)


@activity.defn
async def complete_later() -> str:
    activity.raise_complete_async()


ALL = [
    greet,
    fail_until_third,
    always_fail,
    fail_for_good,
    count_up,
    sleep_and_heartbeat,
    sleep_long,
    complete_later,
]


@workflow.defn
class OneActivity:
    """Runs one activity by name."""

    @workflow.run
    async def run(self, name: str, args: list, options: dict) -> Any:
        timeouts = {k: timedelta(seconds=v) for k, v in options.get("timeouts", {}).items()}
        timeouts = timeouts or {"start_to_close_timeout": TEN}
        policy = {"fast": FAST, "once": ONCE}.get(options.get("retry"))
        return await workflow.execute_activity(name, args=args, retry_policy=policy, **timeouts)


@workflow.defn
class ManyActivities:
    @workflow.run
    async def run(self, count: int) -> list[str]:
        calls = [
            workflow.execute_activity(greet, str(n), start_to_close_timeout=TEN)
            for n in range(count)
        ]
        return await asyncio.gather(*calls)


@workflow.defn
class LocalActivities:
    @workflow.run
    async def run(self) -> list:
        first = await workflow.execute_local_activity(greet, "local", schedule_to_close_timeout=TEN)
        second = await workflow.execute_local_activity(
            fail_until_third, schedule_to_close_timeout=TEN, retry_policy=FAST
        )
        return [first, second]


@workflow.defn
class CancelActivity:
    @workflow.run
    async def run(self, started: bool) -> str:
        handle = workflow.start_activity(
            sleep_and_heartbeat,
            task_queue=None if started else "nobody-polls-here",
            start_to_close_timeout=TEN,
            heartbeat_timeout=TEN,
            cancellation_type=workflow.ActivityCancellationType.WAIT_CANCELLATION_COMPLETED,
        )
        await workflow.sleep(0.3)
        handle.cancel()
        try:
            await handle
        except ActivityError as error:
            assert isinstance(error.cause, CancelledError), error.cause
            return "cancelled"
        return "not cancelled"


WORKFLOWS = [OneActivity, ManyActivities, LocalActivities, CancelActivity]


@pytest.fixture
async def s():
    return await sdk.connect()


def worker(s, **options):
    return s.worker(*WORKFLOWS, activities=ALL, **options)


async def cause_of(handle_result):
    """The cause below the activity error that failed the workflow."""
    with pytest.raises(WorkflowFailureError) as caught:
        await handle_result
    error = caught.value.cause
    assert isinstance(error, ActivityError), error
    return error.cause


async def test_result(s):
    async with worker(s):
        assert await s.run(OneActivity.run, "greet", ["you"], {}) == "Hello, you!"


async def test_many_at_once(s):
    async with worker(s):
        assert await s.run(ManyActivities.run, 30) == [f"Hello, {n}!" for n in range(30)]


async def test_without_eager_dispatch(s):
    async with worker(s, disable_eager_activity_execution=True):
        assert await s.run(OneActivity.run, "greet", ["you"], {}) == "Hello, you!"


async def test_retries(s):
    async with worker(s):
        assert await s.run(OneActivity.run, "fail_until_third", [], {"retry": "fast"}) == 3


async def test_exhausted_retries(s):
    async with worker(s):
        cause = await cause_of(s.run(OneActivity.run, "always_fail", [], {"retry": "fast"}))
    assert isinstance(cause, ApplicationError)
    assert (cause.message, cause.type, list(cause.details)) == ("boom", "Boom", ["detail", 7])


async def test_non_retryable(s):
    async with worker(s):
        cause = await cause_of(s.run(OneActivity.run, "fail_for_good", [], {}))
    assert cause.non_retryable and cause.message == "for good"


async def test_unknown_activity_is_retried(s):
    options = {"retry": "fast"}
    async with worker(s):
        cause = await cause_of(s.run(OneActivity.run, "no_such_activity", [], options))
    assert cause.type == "NotFoundError"


async def test_heartbeat_details_on_the_next_attempt(s):
    async with worker(s):
        options = {
            "retry": "fast",
            "timeouts": {"start_to_close_timeout": 10, "heartbeat_timeout": 5},
        }
        start, attempt = await s.run(OneActivity.run, "count_up", [], options)
    assert (start, attempt) == (3, 2)


@pytest.mark.parametrize(
    "timeouts, expected",
    [
        ({"start_to_close_timeout": 1}, TimeoutType.START_TO_CLOSE),
        ({"start_to_close_timeout": 10, "heartbeat_timeout": 1}, TimeoutType.HEARTBEAT),
        ({"schedule_to_close_timeout": 1}, TimeoutType.SCHEDULE_TO_CLOSE),
    ],
)
async def test_timeouts(s, timeouts, expected):
    options = {"retry": "once", "timeouts": timeouts}
    async with worker(s):
        cause = await cause_of(s.run(OneActivity.run, "sleep_long", [], options))
    assert isinstance(cause, TimeoutError)
    assert cause.type == expected


async def test_an_activity_that_nobody_starts(s):
    """It has waited for a worker all its time, and says so."""
    options = {"timeouts": {"schedule_to_close_timeout": 1}}
    async with worker(s, no_remote_activities=True):
        cause = await cause_of(s.run(OneActivity.run, "sleep_long", [], options))
    assert isinstance(cause, TimeoutError)
    assert cause.type == TimeoutType.SCHEDULE_TO_START


@pytest.mark.parametrize("started", [True, False])
async def test_cancel(s, started):
    async with worker(s, max_heartbeat_throttle_interval=timedelta(milliseconds=50)):
        assert await s.run(CancelActivity.run, started) == "cancelled"


async def test_async_completion_by_id(s):
    async with worker(s):
        handle = await s.start(OneActivity.run, "complete_later", [], {})
        later = s.client.get_async_activity_handle(
            workflow_id=handle.id, run_id=None, activity_id="1"
        )
        await until_started(handle)
        await later.heartbeat("working")
        await later.complete("from outside")
        assert await handle.result() == "from outside"


async def test_async_failure_by_id(s):
    async with worker(s):
        handle = await s.start(OneActivity.run, "complete_later", [], {"retry": "once"})
        await until_started(handle)
        later = s.client.get_async_activity_handle(
            workflow_id=handle.id, run_id=handle.result_run_id, activity_id="1"
        )
        await later.fail(ApplicationError("outside"))
        cause = await cause_of(handle.result())
    assert cause.message == "outside"


async def until_started(handle):
    async def started():
        pending = (await handle.describe()).raw_description.pending_activities
        return pending and pending[0].state == 2  # STARTED

    await sdk.eventually(started)


async def test_local_activities_are_markers(s):
    async with worker(s):
        handle = await s.start(LocalActivities.run)
        assert await handle.result() == ["Hello, local!", 3]
        names = await sdk.event_names(handle)
    assert names.count("MarkerRecorded") == 2
    assert "ActivityTaskScheduled" not in names


async def test_activities_on_a_worker_of_their_own(s):
    async with s.worker(OneActivity):
        async with s.worker(activities=ALL):
            assert await s.run(OneActivity.run, "greet", ["far"], {}) == "Hello, far!"
