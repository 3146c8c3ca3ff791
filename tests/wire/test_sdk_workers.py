"""What the Python SDK's workers tell the server of themselves, and how the queues that they poll are
set up: builds, heartbeats, priorities, rate limits."""

import asyncio
from datetime import timedelta

import pytest
import sdk
from client import ADDRESS
from temporalio import activity, workflow
from temporalio.api.enums.v1 import RateLimitSource, TaskQueueType
from temporalio.api.taskqueue.v1 import RateLimit, TaskQueue
from temporalio.api.workflowservice.v1 import (
    DescribeTaskQueueRequest,
    ListWorkersRequest,
    ResetStickyTaskQueueRequest,
    UpdateTaskQueueConfigRequest,
)
from temporalio.client import Client
from temporalio.common import Priority
from temporalio.runtime import Runtime, TelemetryConfig

pytestmark = pytest.mark.asyncio


@workflow.defn
class Build:
    """Tells which build has carried it on, and ends when told."""

    def __init__(self):
        self.ended = False

    @workflow.run
    async def run(self) -> str:
        await workflow.wait_condition(lambda: self.ended)
        return workflow.info().get_current_build_id()

    @workflow.signal
    def end(self):
        self.ended = True

    @workflow.query
    def build(self) -> str:
        return workflow.info().get_current_build_id()


@activity.defn
async def noted(key: str) -> str:
    return f"{key} {activity.info().priority.priority_key}"


@workflow.defn
class Urgent:
    @workflow.run
    async def run(self) -> list[str]:
        """Activities have the workflow's priority unless they have their own."""
        own = Priority(priority_key=1, fairness_key="own")
        return [
            str(workflow.info().priority.priority_key),
            await workflow.execute_activity(noted, "as it is", start_to_close_timeout=TIMEOUT),
            await workflow.execute_activity(
                noted, "its own", start_to_close_timeout=TIMEOUT, priority=own
            ),
        ]


@workflow.defn
class Many:
    @workflow.run
    async def run(self) -> int:
        results = await asyncio.gather(
            *(
                workflow.execute_activity(noted, str(n), start_to_close_timeout=TIMEOUT)
                for n in range(3)
            )
        )
        return len(results)


TIMEOUT = timedelta(seconds=30)


async def test_health():
    """The SDK asks with a compressed message."""
    s = await sdk.connect()
    assert await s.client.service_client.check_health()


async def test_a_build_is_in_history():
    s = await sdk.connect()
    async with s.worker(Build, build_id="1.0"):
        handle = await s.start(Build.run)
        assert await handle.query(Build.build) == "1.0"
    await s.client.workflow_service.reset_sticky_task_queue(
        ResetStickyTaskQueueRequest(
            namespace="default", execution={"workflow_id": handle.id}
        )
    )
    async with s.worker(Build, build_id="1.1"):
        # What the other build did is replayed as the other build's.
        assert await handle.query(Build.build) == "1.0"
        await handle.signal(Build.end)
        assert await handle.result() == "1.1"
    stamps = [
        getattr(event, event.WhichOneof("attributes")).worker_version.build_id
        async for event in handle.fetch_history_events()
        if event.HasField("workflow_task_started_event_attributes")
        or event.HasField("workflow_task_completed_event_attributes")
    ]
    assert stamps == ["1.0", "1.0", "1.1", "1.1"]
    found = (await handle.describe()).raw_description.workflow_execution_info
    assert found.most_recent_worker_version_stamp.build_id == "1.1"


async def test_heartbeats():
    runtime = Runtime(telemetry=TelemetryConfig(), worker_heartbeat_interval=timedelta(seconds=1))
    s = sdk.Sdk(await Client.connect(ADDRESS, runtime=runtime))
    query = f"TaskQueue = '{s.queue}'"

    async def beats():
        request = ListWorkersRequest(namespace="default", query=query)
        answer = await s.client.workflow_service.list_workers(request)
        return [info.worker_heartbeat for info in answer.workers_info]

    async with s.worker(Build):
        found = (await sdk.eventually(beats))[0]
        assert found.sdk_name == "temporal-python"
        assert found.task_queue == s.queue
        assert found.worker_identity == s.client.service_client.config.identity


async def test_priorities_reach_workers():
    s = await sdk.connect()
    # Not with eager dispatch: then the reference leaves out what is inherited.
    async with s.worker(Urgent, activities=[noted], disable_eager_activity_execution=True):
        handle = await s.start(Urgent.run, priority=Priority(priority_key=4))
        assert await handle.result() == ["4", "as it is 4", "its own 1"]


async def test_a_queue_that_is_held_back():
    """A rate limit of the queue's configuration holds activities back until it is lifted."""
    s = await sdk.connect()
    service = s.client.workflow_service

    async def limit(rate):
        change = UpdateTaskQueueConfigRequest.RateLimitUpdate()
        if rate is not None:
            change.rate_limit.CopyFrom(RateLimit(requests_per_second=rate))
        await service.update_task_queue_config(
            UpdateTaskQueueConfigRequest(
                namespace="default",
                task_queue=s.queue,
                task_queue_type=TaskQueueType.TASK_QUEUE_TYPE_ACTIVITY,
                update_queue_rate_limit=change,
            )
        )

    async def in_force():
        answer = await service.describe_task_queue(
            DescribeTaskQueueRequest(
                namespace="default",
                task_queue=TaskQueue(name=s.queue),
                task_queue_type=TaskQueueType.TASK_QUEUE_TYPE_ACTIVITY,
            )
        )
        source = answer.effective_rate_limit.rate_limit_source
        return source == RateLimitSource.RATE_LIMIT_SOURCE_API

    # Without eager dispatch: that would go past the queue.
    async with s.worker(
        Many, activities=[noted], disable_eager_activity_execution=True
    ):
        await limit(0)
        await sdk.eventually(in_force)
        handle = await s.start(Many.run)
        await sdk.until_event(handle, "ActivityTaskScheduled")
        pending = (await handle.describe()).raw_description.pending_activities
        assert len(pending) == 3
        await limit(None)
        assert await handle.result() == 3
