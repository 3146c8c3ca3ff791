"""Nexus operations of workflows, raw: the caller's workflow and the handler's worker are both the test."""

import json

import commands as c
import history
import nexus
import pytest
from client import eventually, refused, seconds, value_of
from scene import Scene

HEAD = """
    1 WorkflowExecutionStarted
    2 WorkflowTaskScheduled
    3 WorkflowTaskStarted
    4 WorkflowTaskCompleted
"""


@pytest.fixture
def ep(w):
    return nexus.endpoint(w)


def fields(scene, name):
    """The attributes of the only event of that type."""
    return history.attributes(scene.wait_for(name))


def test_the_request_and_its_immediate_result(w, ep):
    timeout = seconds(60)
    w.begin(nexus.schedule(ep, nexus_header={"Foo": "bar"}, schedule_to_close_timeout=timeout))
    scheduled = fields(w, "NexusOperationScheduled")
    assert scheduled.endpoint_id == w.endpoints[ep].id and scheduled.nexus_header == {"foo": "bar"}
    task = nexus.poll(w)
    request = task.request
    assert request.endpoint == ep and request.HasField("scheduled_time")
    assert request.capabilities.temporal_failure_responses
    header = dict(request.header)
    assert header["foo"] == "bar" and header["user-agent"] == "temporalio/server"
    assert header["request-timeout"].endswith("s") and "Request-Timeout" in header
    assert 50_000 < int(header["operation-timeout"].removesuffix("ms")) <= 60_000
    start = request.start_operation
    assert (start.service, start.operation, value_of(start.payload)) == ("svc", "op", "in")
    assert start.request_id == scheduled.request_id == header["nexus-request-id"]
    assert start.callback == "temporal://system"
    assert json.loads(start.callback_header["temporal-callback-token"])["v"] == 1
    (link,) = start.links
    assert link.type == "temporal.api.common.v1.Link.WorkflowEvent"
    path = f"/namespaces/default/workflows/{w.id}/{w.run_id}/history"
    query = "eventID=5&eventType=NexusOperationScheduled&referenceType=EventReference"
    assert link.url == f"temporal://{path}?{query}"
    nexus.succeed(w, task)
    w.wait_for("NexusOperationCompleted")
    w.expect(
        HEAD
        + f"""
        5 NexusOperationScheduled endpoint={ep} service=svc operation=op input='"in"' \
schedule_to_close_timeout=60s workflow_task_completed_event_id=4
        6 NexusOperationCompleted scheduled_event_id=5 result='"out"' \
request_id={scheduled.request_id}
        7 WorkflowTaskScheduled
    """
    )
    with refused("NOT_FOUND", "Nexus task not found or already expired", "NotFoundFailure"):
        nexus.succeed(w, task)


def closing(kind):
    return {
        "completed": c.complete("done"),
        "failed": c.fail("boom", type_="T"),
        "canceled": c.cancel("why"),
    }[kind]


def test_no_input_is_a_payload_of_nothing(w, ep):
    w.begin(nexus.schedule(ep, input=None))
    start = nexus.poll(w).request.start_operation
    assert start.HasField("payload")
    assert (dict(start.payload.metadata), start.payload.data) == ({"encoding": b"binary/null"}, b"")


@pytest.mark.parametrize("kind", ["completed", "failed", "canceled", "terminated"])
def test_the_handler_is_a_workflow(w, w2, ep, kind):
    w.begin(nexus.schedule(ep))
    task = nexus.poll(w)
    request_id = task.request.start_operation.request_id
    w2.start(completion_callbacks=[nexus.callback(task)], request_id=request_id)
    (info,) = w2.describe().callbacks
    assert info.callback.nexus.url == "temporal://system" and info.trigger.HasField("workflow_closed")
    assert info.HasField("registration_time") and info.attempt == 0
    nexus.start(w, task, w2.id)
    started = fields(w, "NexusOperationStarted")
    assert (started.operation_token, started.operation_id) == (w2.id, w2.id)
    operation = nexus.pending(w)
    assert operation.operation_token == w2.id and operation.attempt == 1
    w.step()
    if kind == "terminated":
        w2.terminate()
    else:
        w2.step(closing(kind))

    def delivered():
        (info,) = w2.describe().callbacks
        name = info.DESCRIPTOR.fields_by_name["state"].enum_type
        return history.enum_name(name, info.state) == "SUCCEEDED" and info.attempt == 1 or None

    eventually(delivered)
    if kind == "completed":
        result = fields(w, "NexusOperationCompleted")
        assert value_of(result.result) == "done"
    elif kind == "canceled":
        failure = fields(w, "NexusOperationCanceled").failure
        assert failure.cause.HasField("canceled_failure_info")
        assert failure.cause.message == "operation canceled"
    else:
        failure = fields(w, "NexusOperationFailed").failure
        assert failure.message == "nexus operation completed unsuccessfully"
        info = failure.nexus_operation_execution_failure_info
        assert (info.operation_token, info.endpoint, info.operation) == (w2.id, ep, "op")
        expected = "boom" if kind == "failed" else "operation terminated"
        assert failure.cause.message == expected
    assert not w.describe().pending_nexus_operations


def test_the_result_overtakes_the_start(w, w2, ep):
    w.begin(nexus.schedule(ep))
    task = nexus.poll(w)
    w2.start(completion_callbacks=[nexus.callback(task)])
    w2.step(c.complete("early"))
    w.wait_for("NexusOperationCompleted")
    events = w.events()
    names = history.names(events)
    assert names.index("NexusOperationStarted") < names.index("NexusOperationCompleted")
    (link,) = events[names.index("NexusOperationStarted")].links
    assert link.workflow_event.workflow_id == w2.id
    nexus.start(w, task)
    assert history.names(w.events()).count("NexusOperationStarted") == 1


def test_the_chain_s_end_counts(w, w2, ep):
    w.begin(nexus.schedule(ep))
    task = nexus.poll(w)
    w2.start(completion_callbacks=[nexus.callback(task)])
    nexus.start(w, task)
    w2.step(c.continue_as_new(task_queue={"name": w2.queue}))
    (info,) = w2.describe(run_id=w2.run_id).callbacks
    assert info.attempt == 0
    w2.step(c.complete("last"))
    assert value_of(fields(w, "NexusOperationCompleted").result) == "last"


def test_callbacks_are_attached_to_a_running_workflow(w, w2, ep):
    w.begin(nexus.schedule(ep))
    task = nexus.poll(w)
    w2.start()
    again = {
        "workflow_id_conflict_policy": "WORKFLOW_ID_CONFLICT_POLICY_USE_EXISTING",
        "completion_callbacks": [nexus.callback(task)],
        "request_id": task.request.start_operation.request_id,
    }
    options = {"attach_request_id": True, "attach_completion_callbacks": True}
    w2.start(on_conflict_options=options, **again)
    w2.start(on_conflict_options=options, **again)
    attached = fields(w2, "WorkflowExecutionOptionsUpdated")
    assert len(attached.attached_completion_callbacks) == 1
    assert len(w2.describe().callbacks) == 1
    w2.step(c.complete("x"))
    w.wait_for("NexusOperationCompleted")


def test_refused_callbacks(w):
    def given(url, **fields):
        return {"completion_callbacks": [{"nexus": {"url": url}}], **fields}

    unknown = "invalid url: url does not match any configured callback address: http://example.com"
    for url, text in [
        ("http://example.com", unknown),
        ("ftp://x", "invalid url: unknown scheme: ftp://x"),
        ("http://", "invalid url: missing host"),
        (
            "http://" + "x" * 1000,
            "invalid url: url length longer than max length allowed of 1000",
        ),
    ]:
        with refused("INVALID_ARGUMENT", text):
            w.start(**given(url))
    text = "attaching request ID is required for attaching completion callbacks"
    with refused("INVALID_ARGUMENT", text):
        w.start(on_conflict_options={"attach_completion_callbacks": True})


@pytest.mark.parametrize(
    "type_, behavior, final",
    [
        ("BAD_REQUEST", 0, True),
        ("NOT_FOUND", 0, True),
        ("INTERNAL", 0, False),
        ("UNAVAILABLE", 0, False),
        ("INTERNAL", 2, True),
        ("BAD_REQUEST", 1, False),
    ],
)
def test_a_handler_refuses(w, ep, type_, behavior, final):
    w.begin(nexus.schedule(ep))
    nexus.refuse(w, nexus.poll(w), type_, retry_behavior=behavior)
    if final:
        failure = fields(w, "NexusOperationFailed").failure.cause
    else:

        def refused_once():
            operation = nexus.pending(w)
            return operation if operation.attempt else None

        operation = eventually(refused_once)
        assert operation.HasField("last_attempt_complete_time")
        failure = operation.last_attempt_failure
        # It is made again.
        nexus.succeed(w, nexus.poll(w))
        w.wait_for("NexusOperationCompleted")
    assert failure.message == "no"
    assert failure.nexus_handler_failure_info.type == type_


def older(state):
    failure = {"message": "old", "metadata": {"k": "v"}, "details": b'"d"'}
    return {"operation_error": {"operation_state": state, "failure": failure}}


@pytest.mark.parametrize(
    "response, event",
    [
        ({"failure": {"message": "old", "application_failure_info": {}}}, "NexusOperationFailed"),
        ({"failure": {"message": "old", "canceled_failure_info": {}}}, "NexusOperationCanceled"),
        (older("failed"), "NexusOperationFailed"),
        (older("canceled"), "NexusOperationCanceled"),
    ],
)
def test_an_operation_fails_at_once(w, ep, response, event):
    w.begin(nexus.schedule(ep))
    nexus.complete(w, nexus.poll(w), start_operation=response)
    cause = fields(w, event).failure.cause
    assert cause.message == "old"
    kind = "canceled" if event.endswith("Canceled") else "application"
    assert cause.HasField(f"{kind}_failure_info")


def test_an_older_worker_s_error(w, ep):
    w.begin(nexus.schedule(ep))
    task = nexus.poll(w)
    failure = {"message": "old", "metadata": {"a": "b"}, "details": b'"d"'}
    error = {"error_type": "NOT_FOUND", "failure": failure}
    w.call("RespondNexusTaskFailed", task_token=task.task_token, error=error)
    cause = fields(w, "NexusOperationFailed").failure.cause
    assert cause.nexus_handler_failure_info.type == "NOT_FOUND"
    assert cause.cause.message == "old"
    (details,) = cause.cause.application_failure_info.details.payloads
    assert value_of(details) == {"metadata": {"a": "b"}, "details": "d"}


def test_cancellation_waits_for_the_start(w, ep):
    w.begin(nexus.schedule(ep), nexus.cancel(5))
    task = nexus.poll(w)
    assert nexus.pending(w).HasField("cancellation_info")
    nexus.start(w, task)
    task = nexus.poll(w)
    request = task.request.cancel_operation
    assert (request.service, request.operation, request.operation_token) == ("svc", "op", "tok")
    nexus.complete(w, task, cancel_operation={})
    completed = w.wait_for("NexusOperationCancelRequestCompleted")
    assert completed.worker_may_ignore
    assert history.attributes(completed).requested_event_id == 6
    info = nexus.pending(w).cancellation_info
    assert info.attempt == 1 and info.HasField("requested_time")


def test_a_cancellation_is_refused(w, ep):
    w.begin(nexus.schedule(ep))
    nexus.start(w, nexus.poll(w))
    w.wait_for("NexusOperationStarted")
    w.step(nexus.cancel(5))
    nexus.refuse(w, nexus.poll(w), "NOT_FOUND")
    failed = fields(w, "NexusOperationCancelRequestFailed")
    assert failed.failure.nexus_handler_failure_info.type == "NOT_FOUND"
    assert nexus.pending(w).cancellation_info.last_attempt_failure.message == "no"


@pytest.mark.parametrize(
    "timeout", ["schedule_to_close_timeout", "schedule_to_start_timeout", "start_to_close_timeout"]
)
def test_timeouts(w, ep, timeout):
    w.begin(nexus.schedule(ep, **{timeout: seconds(1)}))
    if timeout == "start_to_close_timeout":
        nexus.start(w, nexus.poll(w))
    failure = fields(w, "NexusOperationTimedOut").failure.cause
    assert failure.message == "operation timed out"
    expected = "TIMEOUT_TYPE_" + timeout.removesuffix("_timeout").upper()
    kind = failure.timeout_failure_info
    enum = kind.DESCRIPTOR.fields_by_name["timeout_type"].enum_type
    assert enum.values_by_number[kind.timeout_type].name == expected


@pytest.mark.slow
def test_nobody_polls(w, ep):
    w.begin(nexus.schedule(ep))

    def tried():
        operation = nexus.pending(w)
        return operation if operation.attempt else None

    failure = eventually(tried, timeout=20).last_attempt_failure
    assert failure.message == "upstream timeout"
    assert failure.nexus_handler_failure_info.type == "UPSTREAM_TIMEOUT"


LONG = "x" * 1001
SCHEDULE = "BadScheduleNexusOperationAttributes: "
FIELD = SCHEDULE + "ScheduleNexusOperationCommandAttributes."


@pytest.mark.parametrize(
    "given, message",
    [
        ({"endpoint": "nope"}, SCHEDULE + 'endpoint "nope" not found'),
        ({"service": LONG}, FIELD + "Service exceeds length limit of 1000"),
        ({"operation": LONG}, FIELD + "Operation exceeds length limit of 1000"),
        (
            {"schedule_to_close_timeout": seconds(-1)},
            FIELD + "ScheduleToCloseTimeout is invalid: negative duration",
        ),
        (
            {"nexus_header": {"Request-Timeout": "1s"}},
            FIELD + 'NexusHeader contains a disallowed header key: "Request-Timeout"',
        ),
        ({"nexus_header": {"a": "x" * 8192}}, FIELD + "NexusHeader exceeds size limit"),
    ],
)
def test_bad_schedule_commands(w, ep, given, message):
    command = nexus.schedule(ep)
    command["schedule_nexus_operation_command_attributes"].update(given)
    w.start()
    task = w.poll()
    with refused("INVALID_ARGUMENT", message):
        w.complete(task, command)
    failed = fields(w, "WorkflowTaskFailed")
    assert failed.failure.message == message


CANCEL = "BadRequestCancelNexusOperationAttributes: "


def test_bad_cancel_commands(w, ep):
    unknown = (
        "requested cancelation for a non-existing or already completed operation "
        "with scheduled event ID of 5"
    )
    twice = "cancelation was already requested for an operation with scheduled event ID 5"
    for commands, message in [
        ([c.command("request_cancel_nexus_operation")], None),
        ([nexus.cancel(5)], unknown),
        ([nexus.schedule(ep), nexus.cancel(5), nexus.cancel(5)], twice),
    ]:
        scene = Scene(w.client)
        scene.start()
        task = scene.poll()
        text = CANCEL + message if message else None
        with refused("INVALID_ARGUMENT", text, prefix=CANCEL):
            scene.complete(task, *commands)
        scene.close()


def test_refused_answers(w, ep):
    w.begin(nexus.schedule(ep))
    task = nexus.poll(w)

    def failed(**given):
        return w.call("RespondNexusTaskFailed", task_token=task.task_token, **given)

    with refused("INVALID_ARGUMENT", "request must contain error or failure"):
        failed()
    text = "request Failure must contain error or failure with NexusHandlerFailureInfo"
    with refused("INVALID_ARGUMENT", text):
        failed(failure={"message": "x"})
    text = "failure details must be JSON serializable"
    with refused("INVALID_ARGUMENT", text):
        failed(error={"error_type": "INTERNAL", "failure": {"details": b"no json"}})
    with refused("INVALID_ARGUMENT", "missing opration token in response"):
        nexus.start(w, task, "")
    text = "operation token length exceeds allowed limit (4097/4096)"
    with refused("INVALID_ARGUMENT", text):
        nexus.start(w, task, "x" * 4097)
    for rpc in ("RespondNexusTaskCompleted", "RespondNexusTaskFailed"):
        with refused("INVALID_ARGUMENT", "Task token not set on request."):
            w.call(rpc)


def test_results_wait_for_the_started_task(w, ep):
    w.begin(nexus.schedule(ep))
    request = nexus.poll(w)
    w.signal("a")
    task = w.poll()
    nexus.succeed(w, request)
    w.signal("b")

    def recorded():
        return not w.describe().pending_nexus_operations or None

    eventually(recorded)
    assert "NexusOperationCompleted" not in history.names(w.events())
    w.complete(task, c.marker())
    names = history.names(w.events())
    assert names[-4:] == [
        "MarkerRecorded",
        "WorkflowExecutionSignaled",
        "NexusOperationCompleted",
        "WorkflowTaskScheduled",
    ]


def test_links_of_the_handler(w, ep):
    w.begin(nexus.schedule(ep))
    path = "/namespaces/default/workflows/other/run/history"
    query = "eventID=1&eventType=WorkflowExecutionStarted&referenceType=EventReference"
    link = {
        "url": f"temporal://{path}?{query}",
        "type": "temporal.api.common.v1.Link.WorkflowEvent",
    }
    nexus.start(w, nexus.poll(w), links=[link])
    (found,) = w.wait_for("NexusOperationStarted").links
    assert found.workflow_event.workflow_id == "other"
    assert found.workflow_event.event_ref.event_id == 1


def test_thirty_operations_at_a_time(w, ep):
    limit = "workflow has reached the pending nexus operation limit of 30 for this namespace"
    w.start()
    task = w.poll()
    with refused("INVALID_ARGUMENT", f"PendingNexusOperationsLimitExceeded: {limit}"):
        w.complete(task, *[nexus.schedule(ep) for _ in range(31)])
    w.complete(w.poll(), *[nexus.schedule(ep) for _ in range(30)])
    assert len(w.describe().pending_nexus_operations) == 30


@pytest.mark.parametrize("excluded", [False, True])
def test_a_reset_takes_over_what_handlers_said(w, ep, excluded):
    w.begin(nexus.schedule(ep), nexus.schedule(ep))
    w.signal("s")
    w.step()
    first = nexus.poll(w)
    nexus.start(w, first)
    w.wait_for("NexusOperationStarted")
    second = nexus.poll(w)
    nexus.succeed(w, second)
    w.wait_for("NexusOperationCompleted")
    base = w.run_id
    events = w.events()
    names = [history.event_name(event) for event in events]
    point = names.index("WorkflowTaskCompleted", 5) + 1
    types = ["RESET_REAPPLY_EXCLUDE_TYPE_NEXUS"] if excluded else []
    new = w.call(
        "ResetWorkflowExecution",
        workflow_execution=w.execution(run_id=base),
        workflow_task_finish_event_id=point,
        request_id="reset",
        reason="why",
        reset_reapply_exclude_types=types,
    ).run_id
    again = [history.event_name(event) for event in w.events(run_id=new)[point:]]
    pending = w.describe(run_id=new).pending_nexus_operations
    if excluded:
        assert again == ["WorkflowTaskScheduled"] and len(pending) == 2
        # They are asked for again, under the same request ids.
        ids = {task.request.start_operation.request_id for task in (first, second)}
        asked = {nexus.poll(w).request.start_operation.request_id for _ in range(2)}
        assert asked == ids
    else:
        assert sorted(again) == [
            "NexusOperationCompleted",
            "NexusOperationStarted",
            "WorkflowTaskScheduled",
        ]
        (left,) = pending
        assert left.operation_token == "tok"
