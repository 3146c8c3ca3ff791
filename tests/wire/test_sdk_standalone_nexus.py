"""Standalone Nexus operations as SDK users have them: a client calls a service, no workflow in between."""

import nexus
import pytest
import sdk
from client import Client
from nexusrpc import HandlerError
from scene import Scene
from temporalio.client import NexusOperationFailureError
from temporalio.common import NexusOperationExecutionStatus as Status
from temporalio.common import NexusOperationIDConflictPolicy as Conflict
from temporalio.exceptions import (
    ApplicationError,
    CancelledError,
    NexusOperationAlreadyStartedError,
    TerminatedError,
)
from test_sdk_nexus import TIMEOUT, Greeter, GreeterHandler, Work


class Service:
    """A client of the service, and what it needs to look at operations."""

    def __init__(self, own, endpoint):
        self.own, self.endpoint = own, endpoint
        self.client = own.client.create_nexus_client(service=Greeter, endpoint=endpoint)

    async def start(self, operation, what, **options):
        options.setdefault("id", self.own.id())
        options.setdefault("schedule_to_close_timeout", TIMEOUT)
        return await self.client.start_operation(getattr(Greeter, operation), what, **options)

    async def failure(self, operation, what):
        handle = await self.start(operation, what)
        return await cause_of(handle)


async def cause_of(handle):
    with pytest.raises(NexusOperationFailureError) as caught:
        await handle.result()
    return caught.value.__cause__


@pytest.fixture
async def service():
    """A client of the service, beside a worker that has it."""
    own = await sdk.connect()
    scene = Scene(Client())
    endpoint = nexus.endpoint(scene, queue=own.queue)
    async with own.worker(Work, nexus_service_handlers=[GreeterHandler()]):
        yield Service(own, endpoint)
    scene.close()


async def test_a_function(service):
    handle = await service.start("greet", "you", summary="sum")
    assert await handle.result() == "hello you"
    described = await handle.describe()
    assert described.status == Status.COMPLETED and described.attempt == 1
    assert await described.static_summary() == "sum"


async def test_a_workflow(service):
    handle = await service.start("work", "it")
    assert await handle.result() == "done it"
    again = service.own.client.get_nexus_operation_handle(
        handle.operation_id, operation=Greeter.work
    )
    assert await again.result() == "done it"

    # Each leads to the other.
    described = await handle.describe()
    (link,) = described.raw_description.links
    started = service.own.client.get_workflow_handle(link.workflow_event.workflow_id)
    assert link.workflow_event.run_id == (await started.describe()).run_id
    async for event in started.fetch_history_events():
        attributes = event.workflow_execution_started_event_attributes
        links = [*event.links]
        for callback in attributes.completion_callbacks:
            links += callback.links
        assert [link.nexus_operation.operation_id for link in links] == [handle.operation_id]
        assert links[0].nexus_operation.run_id == handle.run_id
        break
    callbacks = (await started.describe()).raw_description.callbacks
    assert callbacks[0].callback.nexus.header["nexus-operation-token"]


async def test_failures(service):
    cause = await service.failure("refuse", "x")
    assert isinstance(cause, HandlerError)
    cause = await service.failure("fail", "x")
    assert isinstance(cause, ApplicationError) and "not today" in str(cause)
    cause = await service.failure("work", "fail")
    assert isinstance(cause, ApplicationError) and cause.type == "Luck"


async def test_it_is_cancelled(service):
    handle = await service.start("work", "wait")
    await handle.cancel()
    assert isinstance(await cause_of(handle), CancelledError)


async def test_it_is_terminated(service):
    handle = await service.start("work", "wait")
    await handle.terminate(reason="enough")
    cause = await cause_of(handle)
    assert isinstance(cause, TerminatedError) and "enough" in str(cause)


async def test_lists_and_counts(service):
    handles = [await service.start("greet", str(number)) for number in range(3)]
    for handle in handles:
        await handle.result()
    client, query = service.own.client, f'Endpoint = "{service.endpoint}"'
    done = f"{query} AND ExecutionStatus = 'Completed'"

    async def counted():
        return (await client.count_nexus_operations(done)).count == 3

    await sdk.eventually(counted)
    listed = {operation.operation_id async for operation in client.list_nexus_operations(query)}
    assert listed == {handle.operation_id for handle in handles}


async def test_an_id_in_use(service):
    handle = await service.start("work", "wait")
    with pytest.raises(NexusOperationAlreadyStartedError) as caught:
        await service.start("work", "wait", id=handle.operation_id)
    assert caught.value.run_id == handle.run_id
    other = await service.start(
        "work", "wait", id=handle.operation_id, id_conflict_policy=Conflict.USE_EXISTING
    )
    assert other.run_id == handle.run_id
    await handle.terminate()
