"""The HTTP API beside a worker of the Python SDK: what one starts, signals and asks, the other does."""

import asyncio

import http_api
import pytest
import sdk
from temporalio import workflow

pytestmark = pytest.mark.asyncio


@workflow.defn
class Basket:
    def __init__(self):
        self.things = []
        self.closed = False

    @workflow.run
    async def run(self, owner: str) -> dict:
        await workflow.wait_condition(lambda: self.closed)
        return {"owner": owner, "things": self.things}

    @workflow.signal
    def put(self, thing: str):
        self.things.append(thing)

    @workflow.update
    def take(self, thing: str) -> int:
        self.things.remove(thing)
        return len(self.things)

    @workflow.query
    def count(self) -> int:
        return len(self.things)

    @workflow.signal
    def close(self):
        self.closed = True


async def post(path, body):
    reply = await asyncio.to_thread(http_api.post, path, body)
    assert reply.status == 200, reply.text
    return reply.json


async def test_a_workflow_over_http():
    s = await sdk.connect()
    path = f"/api/v1/namespaces/default/workflows/{s.id()}"
    start = {
        "workflowType": {"name": "Basket"},
        "taskQueue": {"name": s.queue},
        "input": ["me"],
    }
    async with s.worker(Basket):
        run_id = (await post(path, start))["runId"]
        for thing in ("apple", "pear"):
            await post(f"{path}/signal/put", {"input": [thing]})
        answer = await post(f"{path}/query/count", {})
        assert answer["queryResult"] == [2]
        update = {"request": {"meta": {}, "input": {"args": ["pear"]}}}
        answer = await post(f"{path}/update/take", update)
        assert answer["outcome"]["success"] == [1]
        await post(f"{path}/signal/close", {})
        handle = s.client.get_workflow_handle(path.rsplit("/", 1)[1], run_id=run_id)
        assert await handle.result() == {"owner": "me", "things": ["apple"]}
    history = await asyncio.to_thread(http_api.get, f"{path}/history")
    last = history.json["history"]["events"][-1]
    result = last["workflowExecutionCompletedEventAttributes"]["result"]
    assert result == [{"owner": "me", "things": ["apple"]}]
