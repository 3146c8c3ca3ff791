"""Nexus as SDK users have it: a caller's workflow, and a service whose operations are functions and
workflows."""

import asyncio

import nexus
import pytest
import sdk
from client import Client
from nexusrpc import (
    HandlerError,
    HandlerErrorType,
    Operation,
    OperationError,
    OperationErrorState,
    service,
)
from nexusrpc.handler import StartOperationContext, service_handler, sync_operation
from scene import Scene
from temporalio import nexus as temporal_nexus
from temporalio import workflow
from temporalio.client import WorkflowFailureError
from temporalio.exceptions import ApplicationError, CancelledError, NexusOperationError

TIMEOUT = sdk.SECOND * 30


@service(name="Greeter")
class Greeter:
    greet: Operation[str, str]
    refuse: Operation[str, str]
    fail: Operation[str, str]
    work: Operation[str, str]


@workflow.defn
class Work:
    @workflow.run
    async def run(self, what: str) -> str:
        if what == "fail":
            raise ApplicationError("no luck", type="Luck")
        if what == "wait":
            await asyncio.Event().wait()
        return f"done {what}"


@service_handler(service=Greeter)
class GreeterHandler:
    @sync_operation
    async def greet(self, ctx: StartOperationContext, name: str) -> str:
        return f"hello {name}"

    @sync_operation
    async def refuse(self, ctx: StartOperationContext, name: str) -> str:
        raise HandlerError("never", type=HandlerErrorType.BAD_REQUEST)

    @sync_operation
    async def fail(self, ctx: StartOperationContext, name: str) -> str:
        raise OperationError("not today", state=OperationErrorState.FAILED)

    @temporal_nexus.workflow_run_operation
    async def work(
        self, ctx: temporal_nexus.WorkflowRunOperationContext, what: str
    ) -> temporal_nexus.WorkflowHandle[str]:
        return await ctx.start_workflow(Work.run, what, id=f"work-{ctx.request_id}")


@workflow.defn
class Caller:
    @workflow.run
    async def run(self, endpoint: str, operation: str, what: str) -> str:
        client = workflow.create_nexus_client(service=Greeter, endpoint=endpoint)
        handle = await client.start_operation(
            getattr(Greeter, operation), what, schedule_to_close_timeout=TIMEOUT
        )
        if what == "wait":
            handle.cancel()
        return await handle


@pytest.fixture
async def called():
    """Runs the caller's workflow beside a worker of the service."""
    own = await sdk.connect()
    scene = Scene(Client())
    endpoint = nexus.endpoint(scene, queue=own.queue)
    handlers = [GreeterHandler()]
    async with own.worker(Caller, Work, nexus_service_handlers=handlers):
        yield lambda operation, what: own.run(Caller.run, endpoint, operation, what)
    scene.close()


async def test_a_function(called):
    assert await called("greet", "you") == "hello you"


async def test_a_workflow(called):
    assert await called("work", "it") == "done it"


async def cause_of(awaitable):
    """Why an operation failed, as the caller's workflow failed with it."""
    with pytest.raises(WorkflowFailureError) as caught:
        await awaitable
    failure = caught.value.cause
    assert isinstance(failure, NexusOperationError), failure
    assert failure.service == "Greeter"
    return failure.cause


async def test_a_workflow_that_fails(called):
    cause = await cause_of(called("work", "fail"))
    assert isinstance(cause, ApplicationError)
    assert (cause.message, cause.type) == ("no luck", "Luck")


async def test_a_workflow_that_is_cancelled(called):
    cause = await cause_of(called("work", "wait"))
    assert isinstance(cause, CancelledError)


async def test_a_refusal(called):
    cause = await cause_of(called("refuse", "x"))
    assert isinstance(cause, HandlerError) and cause.type == HandlerErrorType.BAD_REQUEST
    assert "never" in str(cause)


async def test_an_operation_that_fails(called):
    cause = await cause_of(called("fail", "x"))
    assert isinstance(cause, ApplicationError) and "not today" in str(cause)
