"""What the SDK tests share: a connection, and a worker around a test's workflows and activities."""

import asyncio
import uuid
from contextlib import asynccontextmanager
from datetime import timedelta

from client import ADDRESS
from history import event_name
from temporalio.client import Client
from temporalio.worker import UnsandboxedWorkflowRunner, Worker

SECOND = timedelta(seconds=1)


class Sdk:
    """A client, a task queue of its own, and ids that no other test has."""

    def __init__(self, client):
        self.client = client
        self.queue = "sdk-" + uuid.uuid4().hex[:12]
        self.count = 0

    def id(self):
        self.count += 1
        return f"{self.queue}-{self.count}"

    @asynccontextmanager
    async def worker(self, *workflows, activities=(), **options):
        # The sandbox imports everything again for each workflow class, which tests no server.
        options.setdefault("workflow_runner", UnsandboxedWorkflowRunner())
        options.setdefault("graceful_shutdown_timeout", timedelta(seconds=0))
        worker = Worker(
            self.client,
            task_queue=options.pop("queue", self.queue),
            workflows=workflows,
            activities=activities,
            **options,
        )
        async with worker:
            yield worker

    async def start(self, workflow, *args, **options):
        options.setdefault("id", self.id())
        options.setdefault("task_queue", self.queue)
        return await self.client.start_workflow(workflow, args=args, **options)

    async def run(self, workflow, *args, **options):
        return await (await self.start(workflow, *args, **options)).result()


async def connect(namespace="default"):
    return Sdk(await Client.connect(ADDRESS, namespace=namespace))


async def event_names(handle):
    """The types of the events of a workflow's history, in order."""
    return [event_name(event) async for event in handle.fetch_history_events()]


async def eventually(look):
    """Calls `look` until what it gives is true."""
    for _ in range(200):
        found = await look()
        if found:
            return found
        await asyncio.sleep(0.05)
    raise AssertionError("the condition did not come true in time")


async def until_event(handle, name):
    async def look():
        return name in await event_names(handle)

    await eventually(look)
