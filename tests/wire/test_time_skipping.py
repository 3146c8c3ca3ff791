"""A server that SDK test environments start: time jumps to the next deadline when nobody is at work.

Ours alone: the reference has no such server; another one of its makers has.
"""

import asyncio
import os
import time
import uuid
from datetime import timedelta
from pathlib import Path

import pytest
from temporalio import activity, workflow
from temporalio.client import WorkflowFailureError
from temporalio.common import RetryPolicy
from temporalio.exceptions import TimeoutType
from temporalio.service import RPCError, RPCStatusCode
from temporalio.testing import WorkflowEnvironment
from temporalio.worker import UnsandboxedWorkflowRunner, Worker

pytestmark = pytest.mark.own_server
TARGET = Path(__file__).resolve().parents[2] / "target"
FORTNIGHT = timedelta(days=14)


def binary():
    named = os.environ.get("STEADFAST_BINARY")
    built = [TARGET / profile / "steadfast" for profile in ("release", "debug")]
    built = sorted((path for path in built if path.exists()), key=lambda path: path.stat().st_mtime)
    return named or str(built[-1])


@workflow.defn
class Approval:
    """Waits two weeks for a yes, and then decides for itself."""

    def __init__(self):
        self.approved = False

    @workflow.signal
    def approve(self):
        self.approved = True

    @workflow.run
    async def run(self) -> str:
        try:
            await workflow.wait_condition(lambda: self.approved, timeout=FORTNIGHT)
        except asyncio.TimeoutError:
            return await workflow.execute_activity(
                escalate,
                start_to_close_timeout=timedelta(minutes=1),
                retry_policy=RetryPolicy(initial_interval=timedelta(hours=1)),
            )
        return "approved"


@workflow.defn
class Parent:
    @workflow.run
    async def run(self) -> str:
        return await workflow.execute_child_workflow(Approval.run, id=f"child-{uuid.uuid4().hex}")


@workflow.defn
class Sleepy:
    """Starts an activity that sleeps on the test's clock, and expects heartbeats from it."""

    @workflow.run
    async def run(self, heartbeat_s: int) -> str:
        return await workflow.execute_activity_method(
            Sleeper.sleep,
            schedule_to_close_timeout=timedelta(hours=1),
            heartbeat_timeout=timedelta(seconds=heartbeat_s),
            retry_policy=RetryPolicy(maximum_attempts=1),
        )


class Sleeper:
    def __init__(self, env):
        self.env = env

    @activity.defn
    async def sleep(self) -> str:
        await self.env.sleep(40)
        return "slept"


attempts = 0


@activity.defn
async def escalate() -> str:
    """Fails once, so that an hour of waiting lies between its attempts."""
    global attempts
    attempts += 1
    if attempts % 2:
        raise RuntimeError("not now")
    return "escalated"


@pytest.fixture
async def env():
    async with await WorkflowEnvironment.start_time_skipping(
        test_server_existing_path=binary()
    ) as env:
        yield env


@pytest.fixture
async def queue(env):
    name = f"tq-{uuid.uuid4().hex[:12]}"
    async with Worker(
        env.client,
        task_queue=name,
        workflows=[Approval, Parent, Sleepy],
        activities=[escalate, Sleeper(env).sleep],
        workflow_runner=UnsandboxedWorkflowRunner(),
    ):
        yield name


async def start(env, queue, kind=Approval, **options):
    return await env.client.start_workflow(
        kind.run, id=f"wf-{uuid.uuid4().hex[:12]}", task_queue=queue, **options
    )


async def test_two_weeks_pass_at_once(env, queue):
    before = await env.get_current_time()
    began = time.monotonic()
    handle = await start(env, queue)
    assert await handle.result() == "escalated"
    took = time.monotonic() - began
    passed = await env.get_current_time() - before
    assert FORTNIGHT + timedelta(hours=1) <= passed < FORTNIGHT + timedelta(hours=2)
    # Generous: it takes milliseconds; two weeks are more.
    assert took < 30
    events = [event async for event in handle.fetch_history_events()]
    waited = events[-1].event_time.ToDatetime() - events[0].event_time.ToDatetime()
    assert waited >= FORTNIGHT


async def test_children_are_waited_for(env, queue):
    assert await (await start(env, queue, Parent)).result() == "escalated"


async def test_time_stands_while_nobody_waits_for_a_result(env, queue):
    before = await env.get_current_time()
    handle = await start(env, queue)
    await handle.signal(Approval.approve)
    assert await handle.result() == "approved"
    assert await env.get_current_time() - before < timedelta(days=1)


async def test_sleep_skips_time(env, queue):
    before = await env.get_current_time()
    handle = await start(env, queue)
    await env.sleep(timedelta(days=13))
    assert timedelta(days=13) <= await env.get_current_time() - before < timedelta(days=14)
    # Asleep for thirteen days, it still waits.
    await handle.signal(Approval.approve)
    assert await handle.result() == "approved"


async def test_a_run_times_out_when_its_time_has_passed(env, queue):
    handle = await start(env, queue, run_timeout=timedelta(days=2))
    with pytest.raises(WorkflowFailureError) as failed:
        await handle.result()
    assert "timed out" in str(failed.value.cause)


async def test_nothing_grows_old_while_time_is_skipped(env, queue):
    handle = await start(env, queue)
    await handle.signal(Approval.approve)
    assert await handle.result() == "approved"
    await env.sleep(timedelta(days=1000))
    assert await handle.result() == "approved"


async def test_locks_are_counted(env):
    service = env.client.test_service
    from google.protobuf.empty_pb2 import Empty
    from temporalio.api.testservice.v1 import (
        LockTimeSkippingRequest,
        SleepRequest,
        SleepUntilRequest,
        UnlockTimeSkippingRequest,
    )

    # It begins with one lock, as the environment expects.
    await service.unlock_time_skipping(UnlockTimeSkippingRequest())
    with pytest.raises(RPCError) as refused:
        await service.unlock_time_skipping(UnlockTimeSkippingRequest())
    assert refused.value.status == RPCStatusCode.FAILED_PRECONDITION
    with pytest.raises(RPCError):
        await service.unlock_time_skipping_with_sleep(SleepRequest())

    # Unlocked, whoever sleeps is woken at once.
    request = SleepRequest()
    request.duration.FromTimedelta(timedelta(days=3))
    before = (await service.get_current_time(Empty())).time.ToDatetime()
    await service.sleep(request)
    after = (await service.get_current_time(Empty())).time.ToDatetime()
    assert timedelta(days=3) <= after - before < timedelta(days=4)
    until = SleepUntilRequest()
    until.timestamp.FromDatetime(after + timedelta(days=1))
    await service.sleep_until(until)
    until.timestamp.FromDatetime(before)
    await service.sleep_until(until)
    await service.lock_time_skipping(LockTimeSkippingRequest())
    await service.unlock_time_skipping_with_sleep(request)
    with pytest.raises(RPCError):
        await asyncio.wait_for(service.sleep(request, timeout=timedelta(seconds=1)), timeout=10)


async def test_an_activity_may_sleep_on_the_clock(env, queue):
    handle = await env.client.start_workflow(
        Sleepy.run, 60, id=f"wf-{uuid.uuid4().hex[:12]}", task_queue=queue
    )
    before = await env.get_current_time()
    assert await handle.result() == "slept"
    assert await env.get_current_time() - before >= timedelta(seconds=40)


async def test_an_activity_that_sleeps_misses_its_heartbeats(env, queue):
    handle = await env.client.start_workflow(
        Sleepy.run, 20, id=f"wf-{uuid.uuid4().hex[:12]}", task_queue=queue
    )
    with pytest.raises(WorkflowFailureError) as caught:
        await handle.result()
    assert caught.value.cause.cause.type == TimeoutType.HEARTBEAT
