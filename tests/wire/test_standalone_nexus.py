"""Standalone Nexus operations: operations without a workflow around them."""

import uuid

import grpc
import pytest
from temporalio.api.enums.v1 import common_pb2, nexus_pb2

import commands as c
import nexus
from client import eventually, payload, refused, seconds, value_of

STATUS = nexus_pb2.NexusOperationExecutionStatus.Name
STAGE = nexus_pb2.NexusOperationWaitStage.Name
STATE = common_pb2.PendingNexusOperationState.Name
CANCELLATION = common_pb2.NexusOperationCancellationState.Name
CLOSED = "NEXUS_OPERATION_WAIT_STAGE_CLOSED"
STARTED = "NEXUS_OPERATION_WAIT_STAGE_STARTED"
RUNNING = "NEXUS_OPERATION_EXECUTION_STATUS_RUNNING"


class Operation:
    """One operation id at an endpoint of its own, and the calls of its clients and handlers."""

    def __init__(self, scene):
        self.scene = scene
        self.call = scene.call
        self.id = f"op-{uuid.uuid4().hex[:12]}"
        self.endpoint = nexus.endpoint(scene)
        self.run_id = ""

    def start(self, **fields):
        fields.setdefault("operation_id", self.id)
        fields.setdefault("endpoint", self.endpoint)
        fields.setdefault("service", "svc")
        fields.setdefault("operation", "op")
        fields.setdefault("request_id", uuid.uuid4().hex)
        answer = self.call("StartNexusOperationExecution", **fields)
        self.run_id = self.run_id or answer.run_id
        return answer

    def ask(self, name, **fields):
        fields.setdefault("operation_id", self.id)
        return self.call(name, **fields)

    def describe(self, **fields):
        return self.ask("DescribeNexusOperationExecution", **fields)

    def info(self, **fields):
        return self.describe(**fields).info

    def poll(self, stage=CLOSED, **fields):
        return self.ask("PollNexusOperationExecution", wait_stage=stage, **fields)

    def cancel(self, **fields):
        return self.ask("RequestCancelNexusOperationExecution", **fields)

    def terminate(self, **fields):
        return self.ask("TerminateNexusOperationExecution", **fields)

    def delete(self, **fields):
        return self.ask("DeleteNexusOperationExecution", **fields)

    def list(self, query):
        return self.call("ListNexusOperationExecutions", query=query).operations

    def count(self, query):
        return self.call("CountNexusOperationExecutions", query=query)

    def status(self, status):
        """Waits until the operation has this status."""
        wanted = f"NEXUS_OPERATION_EXECUTION_STATUS_{status}"

        def look():
            info = self.info()
            assert STATUS(info.status) == wanted, info
            return info

        return eventually(look)

    def task(self):
        return nexus.poll(self.scene)


@pytest.fixture
def op(w):
    return Operation(w)


def test_a_result_at_once(op):
    timeout = seconds(60)
    fields = {
        "input": payload("in"),
        "nexus_header": {"Foo": "bar"},
        "schedule_to_close_timeout": timeout,
        "schedule_to_start_timeout": seconds(90),
        "identity": "me",
        "user_metadata": {"summary": payload("sum")},
    }
    answer = op.start(**fields)
    assert answer.started and answer.run_id
    info = op.info()
    assert STATUS(info.status) == RUNNING
    assert STATE(info.state) == "PENDING_NEXUS_OPERATION_STATE_SCHEDULED"
    assert (info.operation_id, info.run_id, info.endpoint) == (op.id, op.run_id, op.endpoint)
    assert (info.service, info.operation, info.attempt) == ("svc", "op", 1)
    assert info.schedule_to_close_timeout == info.schedule_to_start_timeout == timeout
    assert not info.HasField("start_to_close_timeout")
    assert info.identity == "me" and info.nexus_header == {"foo": "bar"}
    assert value_of(info.user_metadata.summary) == "sum"
    assert info.request_id and info.state_transition_count == 1
    expires = info.expiration_time.ToNanoseconds() - info.schedule_time.ToNanoseconds()
    assert expires == 60_000_000_000
    assert not info.HasField("close_time") and not info.HasField("cancellation_info")
    assert info.HasField("execution_duration") and info.HasField("search_attributes")
    assert value_of(op.describe(include_input=True).input) == "in"

    task = op.task()
    request = task.request
    assert request.endpoint == op.endpoint and request.HasField("scheduled_time")
    assert request.capabilities.temporal_failure_responses
    header = dict(request.header)
    assert header["foo"] == "bar" and header["user-agent"] == "temporalio/server"
    assert header["nexus-request-id"] == info.request_id
    assert 40_000 < int(header["operation-timeout"].removesuffix("ms")) <= 60_000
    start = request.start_operation
    assert (start.service, start.operation, value_of(start.payload)) == ("svc", "op", "in")
    assert start.request_id == info.request_id and start.callback == "temporal://system"
    (link,) = start.links
    assert link.type == "temporal.api.common.v1.Link.NexusOperation"
    path = f"/namespaces/default/nexus-operations/{op.id}/{op.run_id}/details"
    assert link.url == f"temporal://{path}"

    event = "/namespaces/default/workflows/h/r/history"
    event += "?eventID=7&eventType=WorkflowExecutionStarted&referenceType=EventReference"
    link = {"url": f"temporal://{event}", "type": "temporal.api.common.v1.Link.WorkflowEvent"}
    success = {"payload": payload("out"), "links": [link]}
    nexus.complete(op.scene, task, start_operation={"sync_success": success})
    polled = op.poll()
    assert STAGE(polled.wait_stage) == CLOSED and polled.run_id == op.run_id
    assert value_of(polled.result) == "out" and polled.operation_token == ""
    described = op.describe(include_outcome=True)
    info = described.info
    assert value_of(described.result) == "out"
    assert STATUS(info.status) == "NEXUS_OPERATION_EXECUTION_STATUS_COMPLETED"
    assert STATE(info.state) == "PENDING_NEXUS_OPERATION_STATE_UNSPECIFIED"
    assert info.attempt == 1 and info.HasField("close_time")
    assert not info.HasField("last_attempt_failure")
    (link,) = info.links
    assert link.workflow_event.workflow_id == "h" and link.workflow_event.event_ref.event_id == 7
    assert not op.describe().HasField("result")


def test_a_result_later(op, w2):
    op.start()
    task = op.task()
    nexus.start(op.scene, task)
    polled = op.poll(STARTED)
    assert STAGE(polled.wait_stage) == STARTED and polled.operation_token == "tok"
    assert not polled.HasField("result") and not polled.HasField("failure")
    info = op.info()
    assert STATE(info.state) == "PENDING_NEXUS_OPERATION_STATE_STARTED"
    assert info.operation_token == "tok" and info.attempt == 1
    assert info.HasField("last_attempt_complete_time")
    # The handler's workflow brings the result.
    w2.start(completion_callbacks=[nexus.callback(task)])
    w2.complete(w2.poll(), c.complete("done"))
    assert value_of(op.poll().result) == "done"
    info = op.status("COMPLETED")
    assert info.operation_token == "tok"
    callbacks = eventually(lambda: settled(w2))
    assert callbacks[0].attempt == 1


def settled(scene):
    callbacks = scene.describe().callbacks
    assert callbacks[0].state == 5, callbacks
    return callbacks


@pytest.mark.parametrize("kind", ["failed", "canceled", "terminated"])
def test_the_handler_s_workflow_ends_badly(op, w2, kind):
    op.start()
    task = op.task()
    # The result may overtake the answer that the operation has started.
    w2.start(completion_callbacks=[nexus.callback(task)])
    if kind == "terminated":
        w2.terminate()
    else:
        closing = {"failed": c.fail("boom", type_="T"), "canceled": c.cancel("why")}
        w2.complete(w2.poll(), closing[kind])
    polled = op.poll()
    status = "CANCELED" if kind == "canceled" else "FAILED"
    info = op.status(status)
    failure = op.describe(include_outcome=True).failure
    assert failure == polled.failure and not info.HasField("last_attempt_failure")
    if kind == "failed":
        assert failure.message == "boom" and failure.application_failure_info.type == "T"
    elif kind == "canceled":
        assert failure.HasField("canceled_failure_info")
    else:
        assert failure.message == "operation terminated"


def test_failures_of_the_first_attempt(op):
    op.start()
    failure = {"message": "final", "application_failure_info": {"type": "T"}}
    nexus.complete(op.scene, op.task(), start_operation={"failure": failure})
    polled = op.poll()
    assert polled.failure.message == "final"
    assert polled.failure.application_failure_info.type == "T"
    info = op.status("FAILED")
    assert info.last_attempt_failure == polled.failure and info.attempt == 1
    assert info.HasField("last_attempt_complete_time")


def test_a_cancelled_start(op):
    op.start()
    failure = {"message": "gone", "canceled_failure_info": {}}
    nexus.complete(op.scene, op.task(), start_operation={"failure": failure})
    polled = op.poll()
    assert polled.failure.HasField("canceled_failure_info")
    assert op.status("CANCELED").last_attempt_failure == polled.failure


def test_it_is_asked_again(op):
    op.start()
    nexus.refuse(op.scene, op.task(), "INTERNAL", "not now")

    def backing_off():
        info = op.info()
        assert info.HasField("next_attempt_schedule_time"), info
        return info

    info = eventually(backing_off)
    assert STATE(info.state) == "PENDING_NEXUS_OPERATION_STATE_BACKING_OFF"
    assert info.attempt == 1 and info.HasField("last_attempt_complete_time")
    assert info.last_attempt_failure.nexus_handler_failure_info.type == "INTERNAL"
    nexus.succeed(op.scene, op.task())
    assert value_of(op.poll().result) == "out"
    info = op.status("COMPLETED")
    assert info.attempt == 2 and not info.HasField("next_attempt_schedule_time")
    assert info.last_attempt_failure.nexus_handler_failure_info.type == "INTERNAL"


def test_a_refusal_for_good(op):
    op.start()
    nexus.refuse(op.scene, op.task(), "BAD_REQUEST", "never")
    failure = op.poll().failure
    assert failure.message == "never"
    assert failure.nexus_handler_failure_info.type == "BAD_REQUEST"
    op.status("FAILED")


@pytest.mark.parametrize("which", ["schedule_to_close", "schedule_to_start", "start_to_close"])
def test_timeouts(op, which):
    op.start(**{f"{which}_timeout": seconds(2)})
    if which == "start_to_close":
        nexus.start(op.scene, op.task())
    failure = op.poll().failure
    assert failure.message == "operation timed out"
    kinds = {"schedule_to_close": 3, "schedule_to_start": 2, "start_to_close": 1}
    assert failure.timeout_failure_info.timeout_type == kinds[which]
    op.status("TIMED_OUT")


def test_no_time_for_a_request(op):
    op.start(schedule_to_close_timeout=seconds(1))
    failure = op.poll().failure
    assert failure.message == "operation timed out"
    info = op.status("TIMED_OUT")
    assert info.last_attempt_failure == failure
    took = info.close_time.ToNanoseconds() - info.schedule_time.ToNanoseconds()
    assert took < 900_000_000


def test_cancel(op):
    op.start(nexus_header={"k": "v"})
    op.cancel(reason="why", request_id="c1")
    info = op.info().cancellation_info
    assert info.reason == "why" and info.attempt == 0
    assert CANCELLATION(info.state) == "NEXUS_OPERATION_CANCELLATION_STATE_UNSPECIFIED"
    op.cancel(reason="again", request_id="c1")
    with refused(
        "FAILED_PRECONDITION", "cancellation already requested with request ID c1", "any"
    ):
        op.cancel(request_id="c2")
    nexus.start(op.scene, op.task())
    task = op.task()
    request = task.request.cancel_operation
    assert (request.service, request.operation) == ("svc", "op")
    assert request.operation_token == "tok" and task.request.header["k"] == "v"
    info = op.info().cancellation_info
    assert CANCELLATION(info.state) == "NEXUS_OPERATION_CANCELLATION_STATE_SCHEDULED"
    assert info.attempt == 1 and info.reason == "why"
    nexus.complete(op.scene, task, cancel_operation={})

    def taken():
        info = op.info()
        cancellation = info.cancellation_info
        state = CANCELLATION(cancellation.state)
        assert state == "NEXUS_OPERATION_CANCELLATION_STATE_SUCCEEDED", info
        return info

    info = eventually(taken)
    assert STATUS(info.status) == RUNNING
    assert info.cancellation_info.attempt == 1
    assert info.cancellation_info.HasField("last_attempt_complete_time")


def test_a_refused_cancel(op):
    op.start()
    nexus.start(op.scene, op.task())
    op.poll(STARTED)
    op.cancel()
    nexus.refuse(op.scene, op.task(), "BAD_REQUEST", "never")

    def refused_for_good():
        info = op.info().cancellation_info
        state = CANCELLATION(info.state)
        assert state == "NEXUS_OPERATION_CANCELLATION_STATE_FAILED", info
        return info

    info = eventually(refused_for_good)
    assert info.last_attempt_failure.message == "never"
    assert STATUS(op.info().status) == RUNNING


def test_terminate(op):
    op.start()
    op.cancel(request_id="c1")
    op.terminate(reason="enough", identity="me", request_id="t1")
    described = op.describe(include_outcome=True)
    assert described.failure.message == "enough"
    assert described.failure.terminated_failure_info.identity == "me"
    info = described.info
    assert STATUS(info.status) == "NEXUS_OPERATION_EXECUTION_STATUS_TERMINATED"
    assert info.attempt == 1 and not info.HasField("last_attempt_failure")
    assert op.poll().failure == described.failure
    op.terminate(reason="again", request_id="t1")
    with refused("FAILED_PRECONDITION", "already terminated with request ID t1"):
        op.terminate(request_id="t2")
    op.cancel(request_id="c1")
    with refused("FAILED_PRECONDITION", "operation already completed"):
        op.cancel(request_id="c2")


def test_what_has_ended_is_not_terminated(op):
    op.start()
    nexus.succeed(op.scene, op.task())
    op.poll()
    with refused("FAILED_PRECONDITION", contains="invalid transition from", detail="any"):
        op.terminate()
    with refused("FAILED_PRECONDITION", "operation already completed"):
        op.cancel()


def test_ids(op):
    first = op.start(request_id="r1")
    again = op.start(request_id="r1")
    assert again.run_id == first.run_id and not again.started
    text = f"nexus operation execution already started: request_id=r1, run_id={first.run_id}"
    detail = "NexusOperationExecutionAlreadyStartedFailure"
    with refused("ALREADY_EXISTS", detail=detail) as error:
        op.start(request_id="r2")
    assert error.detail.start_request_id == "r1" and error.detail.run_id == first.run_id
    assert error.message in (text, "nexus operation execution already started")
    use = "NEXUS_OPERATION_ID_CONFLICT_POLICY_USE_EXISTING"
    used = op.start(request_id="r3", id_conflict_policy=use)
    assert used.run_id == first.run_id and not used.started
    op.terminate()
    failed_only = "NEXUS_OPERATION_ID_REUSE_POLICY_ALLOW_DUPLICATE_FAILED_ONLY"
    reject = "NEXUS_OPERATION_ID_REUSE_POLICY_REJECT_DUPLICATE"
    with refused("ALREADY_EXISTS", detail=detail):
        op.start(id_reuse_policy=reject)
    second = op.start(id_reuse_policy=failed_only)
    assert second.started and second.run_id != first.run_id
    assert op.info(run_id=first.run_id).run_id == first.run_id
    assert op.info().run_id == second.run_id
    nexus.succeed(op.scene, op.task())
    nexus.succeed(op.scene, op.task())
    op.poll(run_id=second.run_id)
    with refused("ALREADY_EXISTS", detail=detail):
        op.start(id_reuse_policy=failed_only)
    assert op.start().started


def test_news_are_waited_for(op):
    op.start()
    described = op.describe()
    token = described.long_poll_token
    assert token
    with refused("INVALID_ARGUMENT", "run_id is required when long_poll_token is provided"):
        op.describe(long_poll_token=token)
    with refused("INVALID_ARGUMENT", "invalid long poll token"):
        op.describe(long_poll_token=b"nonsense", run_id=op.run_id)
    waiting = op.call.future(
        "DescribeNexusOperationExecution",
        operation_id=op.id,
        run_id=op.run_id,
        long_poll_token=token,
        include_outcome=True,
    )
    op.terminate(reason="news")
    news = waiting.result()
    count = described.info.state_transition_count
    assert news.info.state_transition_count > count and news.failure.message == "news"
    token = news.long_poll_token
    silent = op.describe(long_poll_token=token, run_id=op.run_id, timeout=3)
    assert not silent.run_id and not silent.HasField("info")


def test_a_poll_ends_without_an_answer(op):
    op.start()
    polled = op.poll(timeout=3)
    assert not polled.run_id and polled.wait_stage == 0


def test_lists(op):
    op.start()
    other = Operation(op.scene)
    other.endpoint = op.endpoint
    other.start(service="svc2", operation="op2")
    other.terminate()

    def listed(query):
        return {found.operation_id for found in op.list(query)}

    both = {op.id, other.id}
    at = f"Endpoint = '{op.endpoint}'"
    eventually(lambda: listed(f"{at} AND ExecutionStatus = 'Terminated'") == {other.id} or None)
    eventually(lambda: listed(at) == both or None)
    request_id = op.info().request_id
    for query, expected in (
        (f"{at} AND OperationId = '{op.id}'", {op.id}),
        (f"{at} AND RunId = '{op.run_id}'", {op.id}),
        (f"{at} AND RequestId = '{request_id}'", {op.id}),
        (f"{at} AND Service = 'svc2'", {other.id}),
        (f"{at} AND Operation = 'op'", {op.id}),
        (f"{at} AND Operation IN ('op', 'op2')", both),
        (f"{at} AND ExecutionStatus = 'Running'", {op.id}),
        (f"{at} AND ExecutionStatus != 'Running'", {other.id}),
        (f"{at} AND ExecutionStatus = 'Nonsense'", set()),
        (f"{at} AND StartTime > '2020-01-01T00:00:00Z'", both),
        (f"{at} AND ExecutionTime > '2020-01-01T00:00:00Z'", both),
        (f"{at} AND CloseTime > '2020-01-01T00:00:00Z'", {other.id}),
        (f"{at} AND ExecutionDuration > '0s'", {other.id}),
        (f"{at} AND StateTransitionCount > 0 AND OperationId = '{other.id}'", {other.id}),
    ):
        assert listed(query) == expected, query
    (shown,) = op.list(f"OperationId = '{other.id}'")
    assert (shown.endpoint, shown.service, shown.operation) == (op.endpoint, "svc2", "op2")
    assert shown.run_id == other.run_id and shown.HasField("schedule_time")
    assert STATUS(shown.status) == "NEXUS_OPERATION_EXECUTION_STATUS_TERMINATED"
    assert shown.HasField("close_time") and shown.HasField("execution_duration")
    assert shown.state_transition_count > 0
    assert op.count(at).count == 2
    counted = op.count(f"{at} GROUP BY ExecutionStatus")
    groups = {value_of(group.group_values[0]): group.count for group in counted.groups}
    assert counted.count == 2 and groups == {"Running": 1, "Terminated": 1}
    with refused("INVALID_ARGUMENT", contains="'GROUP BY' clause is not supported"):
        op.count("GROUP BY Endpoint")
    with refused("INVALID_ARGUMENT", contains="NonExistent"):
        op.list("NonExistent = 'x'")
    # They are no workflows.
    assert op.call("CountWorkflowExecutions", query=f"WorkflowId = '{op.id}'").count == 0


def test_pages(op):
    for _ in range(3):
        Operation.start(op, operation_id=f"op-{uuid.uuid4().hex[:12]}")
    query = f"Endpoint = '{op.endpoint}'"
    eventually(lambda: op.count(query).count == 3 or None)
    found, token = set(), b""
    while True:
        page = op.call(
            "ListNexusOperationExecutions", query=query, page_size=1, next_page_token=token
        )
        found.update(shown.operation_id for shown in page.operations)
        token = page.next_page_token
        if not token:
            break
    assert len(found) == 3


def test_search_attributes(op):
    name = f"K{uuid.uuid4().hex[:8]}"
    attributes = {name: "INDEXED_VALUE_TYPE_KEYWORD"}
    op.call("AddSearchAttributes", search_attributes=attributes)
    value = payload("v", type="Keyword")
    given = {"indexed_fields": {name: value}}

    def started():
        try:
            return op.start(search_attributes=given)
        except grpc.RpcError:
            return None

    eventually(started)
    found = eventually(lambda: op.list(f"{name} = 'v'") or None)
    assert found[0].operation_id == op.id
    assert value_of(found[0].search_attributes.indexed_fields[name]) == "v"
    assert value_of(op.info().search_attributes.indexed_fields[name]) == "v"


@pytest.mark.parametrize("open_", [True, False])
def test_delete(op, open_):
    op.start()
    if not open_:
        op.terminate()
    op.delete()

    def deleted():
        with refused("NOT_FOUND", f"operation not found for ID: {op.id}", "NotFoundFailure"):
            op.describe(run_id=op.run_id)
        return True

    eventually(deleted)
    with refused("NOT_FOUND", detail="any"):
        op.delete(run_id=op.run_id)


UNKNOWN = (
    ("DescribeNexusOperationExecution", {}),
    ("PollNexusOperationExecution", {}),
    ("RequestCancelNexusOperationExecution", {}),
    ("TerminateNexusOperationExecution", {}),
    ("DeleteNexusOperationExecution", {}),
)


@pytest.mark.parametrize("name,fields", UNKNOWN)
def test_unknown_ids_and_bad_requests(client, name, fields):
    def call(**more):
        return client(name, **{**fields, **more})

    with refused("NOT_FOUND", "operation not found for ID: nope", "NotFoundFailure"):
        call(operation_id="nope")
    with refused("INVALID_ARGUMENT", "operation_id is required"):
        call()
    text = "operation_id exceeds length limit. Length=1001 Limit=1000"
    with refused("INVALID_ARGUMENT", text):
        call(operation_id="x" * 1001)
    with refused("INVALID_ARGUMENT", contains="valid UUID"):
        call(operation_id="o", run_id="nonsense")
    if "Cancel" in name or "Terminate" in name:
        text = "reason exceeds length limit. Length=1001 Limit=1000"
        with refused("INVALID_ARGUMENT", text):
            call(operation_id="o", reason="x" * 1001)
        text = "identity exceeds length limit. Length=1001 Limit=1000"
        with refused("INVALID_ARGUMENT", text):
            call(operation_id="o", identity="x" * 1001)
    if "Poll" in name:
        with refused("INVALID_ARGUMENT", "unsupported wait_stage: 9"):
            call(operation_id="o", wait_stage=9)


NEGATIVE = seconds(-1)
LONG = "x" * 1001


@pytest.mark.parametrize(
    "fields,text",
    [
        ({"operation_id": ""}, "operation_id is required"),
        ({"endpoint": ""}, "endpoint is required"),
        ({"service": ""}, "service is required"),
        ({"operation": ""}, "operation is required"),
        ({"service": LONG}, "service exceeds length limit. Length=1001 Limit=1000"),
        ({"operation": LONG}, "operation exceeds length limit. Length=1001 Limit=1000"),
        ({"request_id": LONG}, "request_id exceeds length limit. Length=1001 Limit=1000"),
        ({"identity": LONG}, "identity exceeds length limit. Length=1001 Limit=1000"),
        (
            {"schedule_to_close_timeout": NEGATIVE},
            "schedule_to_close_timeout is invalid: negative duration",
        ),
        (
            {"start_to_close_timeout": NEGATIVE},
            "start_to_close_timeout is invalid: negative duration",
        ),
        (
            {"nexus_header": {"Request-Timeout": "1s"}},
            'nexus_header contains a disallowed key: "Request-Timeout"',
        ),
        ({"nexus_header": {"a": "x" * 8192}}, "nexus_header exceeds size limit"),
    ],
    ids=lambda value: next(iter(value)) if isinstance(value, dict) else "",
)
def test_bad_starts(op, fields, text):
    with refused("INVALID_ARGUMENT", text):
        op.start(**fields)


def test_an_unknown_endpoint(op):
    with refused("NOT_FOUND", "could not find Nexus endpoint by name: nope", "NotFoundFailure"):
        op.start(endpoint="nope")
    with refused("NOT_FOUND", contains="nope", detail="NamespaceNotFoundFailure"):
        op.start(namespace="nope")


def test_the_endpoint_goes_away(op):
    op.start()
    endpoint = op.scene.endpoints.pop(op.endpoint)
    nexus.refuse(op.scene, op.task(), "INTERNAL", "later")
    op.call("DeleteNexusEndpoint", id=endpoint.id, version=endpoint.version)
    failure = op.poll().failure
    assert failure.nexus_handler_failure_info.type == "NOT_FOUND"
    assert failure.message == "endpoint not registered"
    assert op.status("FAILED").attempt == 2
