"""Schedules through the Python SDK's client, and through the command line."""

import asyncio
import json
import subprocess
import sys
import uuid
from datetime import datetime, timedelta, timezone
from pathlib import Path

import pytest
import sdk
from client import ADDRESS, Client as RawClient
from temporalio import workflow
from temporalio.client import (
    Schedule,
    ScheduleActionStartWorkflow,
    ScheduleAlreadyRunningError,
    ScheduleBackfill,
    ScheduleIntervalSpec,
    ScheduleOverlapPolicy,
    SchedulePolicy,
    ScheduleSpec,
    ScheduleState,
    ScheduleUpdate,
)
from temporalio.service import RPCError


@workflow.defn
class Count:
    """Counts the runs before it by what they leave."""

    @workflow.run
    async def run(self, name: str) -> int:
        before = workflow.get_last_completion_result(int) if workflow.has_last_completion_result() else 0
        return before + 1


async def until(check, timeout=20):
    """Waits for a condition."""
    end = asyncio.get_running_loop().time() + timeout
    while True:
        value = await check()
        if value:
            return value
        assert asyncio.get_running_loop().time() < end, "the condition did not come true in time"
        await asyncio.sleep(0.1)


def a_schedule(s, spec=None, **more):
    return Schedule(
        action=ScheduleActionStartWorkflow(
            Count.run, "x", id="wf-" + s.queue, task_queue=s.queue
        ),
        spec=spec or ScheduleSpec(intervals=[ScheduleIntervalSpec(every=timedelta(days=9))]),
        **more,
    )


async def test_life_of_a_schedule():
    s = await sdk.connect()
    schedule_id = "sdk-" + uuid.uuid4().hex
    handle = await s.client.create_schedule(schedule_id, a_schedule(s), trigger_immediately=True)
    with pytest.raises(ScheduleAlreadyRunningError):
        await s.client.create_schedule(schedule_id, a_schedule(s))
    try:
        async with s.worker(Count):

            async def done(count):
                info = (await handle.describe()).info
                actions = info.recent_actions
                return len(actions) == count and not info.running_actions and actions

            actions = await until(lambda: done(1))
            first = s.client.get_workflow_handle(actions[0].action.workflow_id)
            assert await first.result() == 1

            await handle.trigger()
            actions = await until(lambda: done(2))
            # In the same second it has the first one's workflow id.
            action = actions[1].action
            second = s.client.get_workflow_handle(
                action.workflow_id, run_id=action.first_execution_run_id
            )
            assert await second.result() == 2
        await handle.pause(note="enough")
        described = await until(lambda: paused(handle, True))
        assert described.schedule.state.note == "enough"
        await handle.unpause(note="more")
        await until(lambda: paused(handle, False))

        async def change(given):
            schedule = given.description.schedule
            schedule.policy = SchedulePolicy(overlap=ScheduleOverlapPolicy.BUFFER_ALL)
            schedule.state.note = "changed"
            return ScheduleUpdate(schedule)

        await handle.update(change)

        async def changed():
            schedule = (await handle.describe()).schedule
            return schedule.state.note == "changed" and schedule

        schedule = await until(changed)
        assert schedule.policy.overlap == ScheduleOverlapPolicy.BUFFER_ALL

        async def in_list():
            async for entry in await s.client.list_schedules():
                if entry.id == schedule_id:
                    return entry
            return None

        entry = await until(in_list)
        assert entry.schedule.action.workflow == "Count"
    finally:
        await handle.delete()
    with pytest.raises(RPCError, match="schedule not found"):
        await handle.describe()


async def paused(handle, wanted):
    described = await handle.describe()
    return described.schedule.state.paused == wanted and described


async def test_backfill():
    s = await sdk.connect()
    every = ScheduleSpec(intervals=[ScheduleIntervalSpec(every=timedelta(hours=1))])
    schedule_id = "sdk-" + uuid.uuid4().hex
    state = ScheduleState(paused=True)
    handle = await s.client.create_schedule(schedule_id, a_schedule(s, spec=every, state=state))
    try:
        async with s.worker(Count):
            start = datetime(2026, 11, 1, tzinfo=timezone.utc)
            await handle.backfill(
                ScheduleBackfill(
                    start_at=start,
                    end_at=start + timedelta(hours=3),
                    overlap=ScheduleOverlapPolicy.BUFFER_ALL,
                )
            )

            async def done():
                info = (await handle.describe()).info
                return info.num_actions == 4 and not info.running_actions and info

            info = await until(done)
            last = info.recent_actions[-1].action.workflow_id
            # Each saw what the one before it left.
            assert await s.client.get_workflow_handle(last).result() == 4
    finally:
        await handle.delete()


# -- the command line ------------------------------------------------------------------------------

COMMAND = Path(sys.executable).parent / "temporal"


def temporal(*arguments):
    command = [COMMAND, "schedule", *arguments, "--address", ADDRESS, "-o", "json"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=30)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout) if done.stdout.strip().startswith(("{", "[")) else done.stdout


@pytest.mark.skipif(not COMMAND.exists(), reason="the suite's environment has no command line")
async def test_command_line():
    schedule_id = "cli-" + uuid.uuid4().hex
    the_one = ("--schedule-id", schedule_id)
    action = ("--workflow-id", "wf-" + schedule_id, "--type", "T", "--task-queue", schedule_id)
    temporal("create", *the_one, *action, "--interval", "5h/15m", "--overlap-policy", "BufferAll")

    def described():
        return temporal("describe", *the_one)

    assert described()["schedule"]["policies"]["overlapPolicy"].endswith("BUFFER_ALL")
    temporal("trigger", *the_one)

    async def acted(count):
        return described()["info"].get("actionCount") == str(count)

    await until(lambda: acted(1))
    backfill = ("--start-time", "2026-11-01T00:00:00Z", "--end-time", "2026-11-01T09:00:00Z")
    temporal("backfill", *the_one, *backfill, "--overlap-policy", "AllowAll")

    async def backfilled():
        return int(described()["info"].get("actionCount", 0)) >= 2

    await until(backfilled)
    temporal("toggle", *the_one, "--pause", "--reason", "why")

    async def is_paused():
        return described()["schedule"]["state"].get("paused")

    await until(is_paused)
    temporal("update", *the_one, *action, "--cron", "0 0 * * *")

    async def updated():
        return described()["schedule"]["spec"].get("structuredCalendar")

    await until(updated)

    async def in_list():
        entries = temporal("list")
        return any(entry["scheduleId"] == schedule_id for entry in entries)

    await until(in_list)
    actions = described()["info"]["recentActions"]
    temporal("delete", *the_one)
    call = RawClient()
    for action in actions:
        result = action["startWorkflowResult"]
        execution = {"workflow_id": result["workflowId"], "run_id": result["runId"]}
        call("TerminateWorkflowExecution", workflow_execution=execution)
