"""What one sample's demo has at hand: workers to start and kill, workflows to start, checks."""

import asyncio
import re
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from temporalio.client import Client, WorkflowExecutionStatus, WorkflowHandle
from temporalio.types import MethodAsyncSingleParam, ParamType, ReturnType, SelfType

import outside_world
from harness.printer import Printer
from harness.worker_process import WorkerProcess


@dataclass
class Setting:
    """What all samples of one demo share."""

    client: Client
    address: str
    namespace: str
    tag: str
    """Makes ids and task queues unique, so the demo can run again on the same server."""


class Stage:
    """One sample at work."""

    def __init__(self, name: str, setting: Setting, printer: Printer) -> None:
        self.checks = 0
        self.kills = 0
        self.failures: list[str] = []
        self._name = name
        self._setting = setting
        self._printer = printer
        self._workers: list[WorkerProcess] = []
        self._handles: list[WorkflowHandle[Any, Any]] = []

    def id(self, name: str) -> str:
        """A workflow id that no other run of the demo uses."""
        return f"{name}-{self._setting.tag}"

    def say(self, text: str) -> None:
        """Tells the reader something."""
        self._printer.line("demo", text, "cyan")

    def check(self, what: str, holds: bool, detail: str = "") -> None:
        """Notes whether something holds. The sample goes on either way, and fails at its end."""
        self.checks += 1
        if holds:
            self._printer.line("ok", what, "green")
        else:
            self.failures.append(f"{what}: {detail}")
            self._printer.line("FAILED", f"{what}: {detail}", "red")

    def equal(self, what: str, actual: object, expected: object) -> None:
        """Checks that two values are the same."""
        self.check(what, actual == expected, f"expected {expected!r}, found {actual!r}")

    async def start_worker(self, hold_at: str = "") -> WorkerProcess:
        """Starts a worker process and waits until it polls. `hold_at` is where it stops for good."""
        identity = f"worker {len(self._workers) + 1}"

        def on_line(line: str) -> None:
            if line != "ready":
                retried = re.search(r"attempt ([2-9]|\d\d)", line)
                text = line.replace(f"-{self._setting.tag}", "")
                self._printer.line(identity, text, "yellow" if retried else None)

        options = {
            "address": self._setting.address,
            "namespace": self._setting.namespace,
            "task-queue": self.id(self._name),
            "identity": identity,
        }
        worker = await WorkerProcess.start(options, {"SAMPLES_HOLD_AT": hold_at}, on_line)
        self._workers.append(worker)
        self._printer.line(identity, f"started, process {worker.pid}")
        return worker

    async def kill(self, worker: WorkerProcess) -> None:
        """Ends a worker as a crash would."""
        await worker.kill()
        self.kills += 1
        self._printer.line(worker.identity, f"KILLED (kill -9 {worker.pid})", "red")

    async def stop(self, worker: WorkerProcess) -> None:
        """Lets a worker end in peace."""
        await worker.stop()
        self._printer.line(worker.identity, "stopped")

    async def start(
        self,
        workflow: MethodAsyncSingleParam[SelfType, ParamType, ReturnType],
        arg: ParamType,
        workflow_id: str,
    ) -> WorkflowHandle[SelfType, ReturnType]:
        """Starts a workflow on this sample's task queue."""
        handle = await self._setting.client.start_workflow(
            workflow,
            arg,
            id=workflow_id,
            task_queue=self.id(self._name),
            execution_timeout=timedelta(hours=1),
        )
        self._handles.append(handle)
        self.say(f"started a workflow as {workflow_id}")
        return handle

    def calls(self, subject: str, activity: str | None = None) -> list[dict[str, Any]]:
        """The requests that activities made about a subject."""
        return [
            call
            for call in outside_world.calls()
            if call["subject"] == subject and activity in (None, call["activity"])
        ]

    @property
    def retries(self) -> int:
        """How many attempts of this sample's activities were repetitions."""
        return sum(call["attempt"] > 1 for call in outside_world.calls())

    async def history(self, workflow_id: str) -> list[Any]:
        """The events of a workflow's newest run."""
        handle = self._setting.client.get_workflow_handle(workflow_id)
        return list((await handle.fetch_history()).events)

    async def attempts(self, workflow_id: str, activity: str) -> tuple[int, str]:
        """The attempt that an activity ended with, and who made it, as the workflow's history tells it."""
        events = await self.history(workflow_id)
        scheduled = {
            event.event_id
            for event in events
            if event.activity_task_scheduled_event_attributes.activity_type.name == activity
        }
        for event in events:
            started = event.activity_task_started_event_attributes
            if started.scheduled_event_id in scheduled:
                return started.attempt, started.identity
        return 0, ""

    async def clear(self) -> None:
        """Leaves nothing behind: ends this sample's workers, and its workflows that are still open."""
        await asyncio.gather(*(worker.kill() for worker in self._workers))
        for handle in self._handles:
            if (await handle.describe()).status == WorkflowExecutionStatus.RUNNING:
                await handle.terminate("the demo is over")
