"""The worker that scripts talk to, from the Python SDK: few workflows, each for what commands look at.

`Wait` is the one to talk to: it ends with what `finish` brings, answers the query `state` and the update
`add`. May depend on the SDK and on the wire suite's `sdk`.
"""

import asyncio
import logging
import threading
from datetime import timedelta

from temporalio import activity, workflow
from temporalio.client import Client
from temporalio.common import RetryPolicy, VersioningBehavior, WorkerDeploymentVersion
from temporalio.exceptions import ApplicationError
from temporalio.runtime import Runtime, TelemetryConfig
from temporalio.worker import UnsandboxedWorkflowRunner, Worker, WorkerDeploymentConfig

LONG = timedelta(hours=1)
# What workflows are made to do wrong is no news.
logging.disable()


@activity.defn(name="say")
async def say(word: str) -> str:
    return f"said {word}"


@activity.defn(name="break")
async def break_(word: str) -> None:
    """Fails, and is tried again in an hour."""
    raise ApplicationError(word, {"detail": word}, type="Broken", next_retry_delay=LONG)


@activity.defn(name="later")
async def later(_word: str) -> None:
    """Somebody else completes it."""
    activity.raise_complete_async()


@workflow.defn(name="Echo")
class Echo:
    @workflow.run
    async def run(self, *words):
        return words[0] if len(words) == 1 else list(words) or None


@workflow.defn(name="Fail")
class Fail:
    @workflow.run
    async def run(self, message: str):
        raise ApplicationError(message, {"detail": 1}, type="Refused", non_retryable=True)


@workflow.defn(name="Wait")
class Wait:
    def __init__(self):
        self.words = []
        self.total = 0
        self.ended = False

    @workflow.run
    async def run(self, *_input):
        await workflow.wait_condition(lambda: self.ended)
        return self.words

    @workflow.signal(description="Ends the workflow")
    def finish(self):
        self.ended = True

    @workflow.signal
    def hear(self, word: str):
        self.words.append(word)

    @workflow.query(description="What it heard")
    def state(self) -> list:
        return self.words

    @workflow.query
    def fail_query(self) -> None:
        raise ApplicationError("no such answer")

    @workflow.update
    async def add(self, number: int) -> int:
        self.total += number
        return self.total

    @add.validator
    def check(self, number: int):
        if number < 0:
            raise ApplicationError("only what is positive", type="Negative")

    @workflow.update
    async def fail_update(self) -> None:
        raise ApplicationError("it does not work", type="Refused")

    @workflow.update
    async def slow(self) -> str:
        await workflow.wait_condition(lambda: self.ended)
        return "at last"


@workflow.defn(name="Sleep")
class Sleep:
    @workflow.run
    async def run(self, seconds: float) -> str:
        await asyncio.sleep(seconds)
        return "slept"


@workflow.defn(name="Work")
class Work:
    """One activity, by name and id."""

    @workflow.run
    async def run(self, name: str, word: str = "hello"):
        return await workflow.execute_activity(
            name,
            word,
            activity_id="one",
            schedule_to_close_timeout=2 * LONG,
            start_to_close_timeout=LONG,
            retry_policy=RetryPolicy(initial_interval=LONG),
            cancellation_type=workflow.ActivityCancellationType.WAIT_CANCELLATION_COMPLETED,
        )


@workflow.defn(name="Parent")
class Parent:
    @workflow.run
    async def run(self, child: str, *arguments):
        return await workflow.execute_child_workflow(
            child, args=arguments, id=workflow.info().workflow_id + "-child", result_type=str
        )


@workflow.defn(name="Again")
class Again:
    @workflow.run
    async def run(self, rounds: int):
        if rounds > 0:
            workflow.continue_as_new(rounds - 1)
        return "done"


WORKFLOWS = [Echo, Fail, Wait, Sleep, Work, Parent, Again]


class Workers:
    """The workers of one script, on a thread of their own."""

    def __init__(self, address, namespace):
        self.address = address
        self.namespace = namespace
        self.loop = None
        # Of its own: a runtime sends the heartbeats of workers in one namespace to one server only.
        # Its workers tell of themselves often enough to be waited for.
        self.runtime = Runtime(
            telemetry=TelemetryConfig(logging=None), worker_heartbeat_interval=timedelta(seconds=1)
        )
        self.stops = []

    def start(self, queue="work", deployment=None, build=None):
        if self.loop is None:
            self.loop = asyncio.new_event_loop()
            threading.Thread(target=self.loop.run_forever, daemon=True).start()
        self.wait(self.serve(queue, deployment, build))

    def stop(self):
        if self.stops:
            self.wait(self.end())

    def wait(self, work):
        return asyncio.run_coroutine_threadsafe(work, self.loop).result(timeout=30)

    async def serve(self, queue, deployment, build):
        client = await Client.connect(self.address, namespace=self.namespace, identity="worker", runtime=self.runtime)
        options = {}
        if deployment:
            options["deployment_config"] = WorkerDeploymentConfig(
                version=WorkerDeploymentVersion(deployment_name=deployment, build_id=build),
                use_worker_versioning=True,
                default_versioning_behavior=VersioningBehavior.PINNED,
            )
        worker = Worker(
            client,
            task_queue=queue,
            workflows=WORKFLOWS,
            activities=[say, break_, later],
            workflow_runner=UnsandboxedWorkflowRunner(),
            graceful_shutdown_timeout=timedelta(seconds=0),
            identity="worker",
            **options,
        )
        self.stops.append((worker, asyncio.create_task(worker.run())))

    async def end(self):
        for worker, running in self.stops:
            await worker.shutdown()
            await asyncio.wait([running])
        self.stops.clear()
