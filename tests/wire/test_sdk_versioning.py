"""Worker versioning through the Python SDK, and a deployment rolled out with the command line."""

import asyncio
import json
import os
import subprocess
import sys
import uuid
from datetime import timedelta

import sdk
from client import ADDRESS
from google.protobuf.json_format import ParseDict
from temporalio import activity, workflow
from temporalio.api.workflowservice.v1 import UpdateWorkflowExecutionOptionsRequest
from temporalio.common import VersioningBehavior, WorkerDeploymentVersion
from temporalio.worker import WorkerDeploymentConfig


@activity.defn
async def build() -> str:
    """The build of the worker that runs this."""
    return activity.info().task_queue


class Waits:
    """Answers with the builds that it ran on before and after a signal."""

    def __init__(self) -> None:
        self.go_on = False

    @workflow.run
    async def run(self) -> list[str]:
        builds = [self.here()]
        await workflow.execute_activity(build, start_to_close_timeout=timedelta(seconds=10))
        await workflow.wait_condition(lambda: self.go_on)
        return builds + [self.here()]

    @workflow.signal
    def go(self) -> None:
        self.go_on = True

    @workflow.query
    def here(self) -> str:
        version = workflow.info().get_current_deployment_version()
        return version.build_id if version else ""


@workflow.defn(versioning_behavior=VersioningBehavior.PINNED)
class Pinned(Waits):
    @workflow.run
    async def run(self) -> list[str]:
        return await super().run()


@workflow.defn(versioning_behavior=VersioningBehavior.AUTO_UPGRADE)
class Upgrades(Waits):
    @workflow.run
    async def run(self) -> list[str]:
        return await super().run()


def command_line(*arguments):
    """What `temporal` answers, as JSON."""
    temporal = os.path.join(os.path.dirname(sys.executable), "temporal")
    fixed = ["--address", ADDRESS, "--output", "json"]
    done = subprocess.run(
        [temporal, *arguments, *fixed], capture_output=True, text=True, timeout=60, check=False
    )
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout) if done.stdout.strip() else None


class Rollout:
    def __init__(self, s):
        self.s = s
        self.name = "dep-" + uuid.uuid4().hex[:8]

    def worker(self, build_id):
        version = WorkerDeploymentVersion(deployment_name=self.name, build_id=build_id)
        return self.s.worker(
            Pinned,
            Upgrades,
            activities=[build],
            deployment_config=WorkerDeploymentConfig(version=version, use_worker_versioning=True),
        )

    async def deployment(self, *arguments):
        arguments = ["worker", "deployment", *arguments]
        return await asyncio.to_thread(command_line, *arguments)

    async def set_current(self, build_id):
        """As soon as the version's workers have polled."""

        async def described():
            try:
                version = ["--deployment-name", self.name, "--build-id", build_id]
                shown = await self.deployment("describe-version", *version)
            except AssertionError:
                return False
            return len(shown.get("taskQueuesInfos") or []) >= 2

        await sdk.eventually(described)
        version = ["--deployment-name", self.name, "--build-id", build_id]
        await self.deployment("set-current-version", *version, "--yes")


async def here(handle, waits):
    async def look():
        return await handle.query(waits.here)

    return await sdk.eventually(look)


async def test_a_rollout():
    s = await sdk.connect()
    r = Rollout(s)
    async with r.worker("1.0"):
        await r.set_current("1.0")
        pinned = await s.start(Pinned.run)
        upgrades = await s.start(Upgrades.run)
        assert await here(pinned, Pinned) == "1.0"
        assert await here(upgrades, Upgrades) == "1.0"
        async with r.worker("2.0"):
            await r.set_current("2.0")
            fresh = await s.start(Pinned.run)
            assert await here(fresh, Pinned) == "2.0"
            for handle in (pinned, upgrades, fresh):
                await handle.signal(Waits.go)
            assert await pinned.result() == ["1.0", "1.0"]
            assert await fresh.result() == ["2.0", "2.0"]
            assert (await upgrades.result())[1] == "2.0"
    shown = await r.deployment("describe", "--name", r.name)
    assert shown["routingConfig"]["currentVersionBuildID"] == "2.0"
    listed = await r.deployment("list")
    assert r.name in [entry["name"] for entry in listed]


async def test_a_ramp():
    s = await sdk.connect()
    r = Rollout(s)
    async with r.worker("1.0"), r.worker("2.0"):
        await r.set_current("1.0")
        await r.set_current("2.0")
        await r.set_current("1.0")
        version = ["--deployment-name", r.name, "--build-id", "2.0"]
        await r.deployment("set-ramping-version", *version, "--percentage", "50", "--yes")
        handles = [await s.start(Pinned.run) for _ in range(24)]
        builds = [await here(handle, Pinned) for handle in handles]
        assert set(builds) == {"1.0", "2.0"}
        for handle in handles:
            await handle.signal(Waits.go)
            first, second = await handle.result()
            assert first == second


async def test_a_run_is_pinned_and_let_go_by_its_options():
    s = await sdk.connect()
    r = Rollout(s)
    async with r.worker("1.0"), r.worker("2.0"):
        await r.set_current("2.0")
        await r.set_current("1.0")
        handle = await s.start(Upgrades.run)
        assert await here(handle, Upgrades) == "1.0"

        async def idle():
            history = await sdk.event_names(handle)
            description = (await handle.describe()).raw_description
            return "ActivityTaskCompleted" in history and not description.HasField(
                "pending_workflow_task"
            )

        await sdk.eventually(idle)
        version = {"deployment_name": r.name, "build_id": "2.0"}
        pin = {"version": version, "behavior": "PINNED_OVERRIDE_BEHAVIOR_PINNED"}
        request = UpdateWorkflowExecutionOptionsRequest(
            namespace="default",
            workflow_execution={"workflow_id": handle.id},
            update_mask={"paths": ["versioning_override"]},
        )
        ParseDict({"versioning_override": {"pinned": pin}}, request.workflow_execution_options)
        service = s.client.workflow_service
        answer = await service.update_workflow_execution_options(request)
        override = answer.workflow_execution_options.versioning_override
        assert override.pinned.version.build_id == "2.0"
        await handle.signal(Waits.go)
        assert await handle.result() == ["1.0", "2.0"]
