"""SignalWorkflowExecution and SignalWithStartWorkflowExecution."""

import uuid

import commands as c
import pytest

import history
from client import payload, payloads, refused, seconds

UNKNOWN_RUN = "11111111-1111-4111-8111-111111111111"


def test_signal(w):
    w.begin()
    answer = w.signal(
        "go",
        input=payloads(1, "two"),
        identity="me",
        request_id="r",
        header={"fields": {"h": payload("x")}},
    )
    w.expect("""
        1 WorkflowExecutionStarted
        2 WorkflowTaskScheduled
        3 WorkflowTaskStarted
        4 WorkflowTaskCompleted
        5 WorkflowExecutionSignaled signal_name=go input='1,"two"' identity=me \
header.fields.h='"x"' request_id=r external_workflow_execution=-
        6 WorkflowTaskScheduled attempt=1
    """)
    link = answer.link.workflow_event
    assert (link.workflow_id, link.run_id) == (w.id, w.run_id)
    assert link.request_id_ref.request_id == "r"


def test_signals_share_a_workflow_task(w):
    w.begin()
    w.signal("a")
    w.signal("b")
    w.expect("""
        1 WorkflowExecutionStarted
        2 WorkflowTaskScheduled
        3 WorkflowTaskStarted
        4 WorkflowTaskCompleted
        5 WorkflowExecutionSignaled signal_name=a
        6 WorkflowTaskScheduled
        7 WorkflowExecutionSignaled signal_name=b
    """)


def test_same_request_id_signals_once(w):
    w.start()
    w.signal("s", request_id="r")
    w.signal("s", request_id="r")
    assert len(w.events()) == 3


def test_same_request_id_of_a_buffered_signal(w):
    w.start()
    task = w.poll()
    w.signal("s", request_id="r")
    w.signal("s", request_id="r")
    w.complete(task)
    w.signal("s", request_id="r")
    assert len(w.events()) == 6


def test_signal_of_a_closed_run(w):
    w.start()
    w.signal("s", request_id="r")
    w.terminate()
    with refused("NOT_FOUND", "workflow execution already completed", "NotFoundFailure"):
        w.signal("s", request_id="other")


def test_same_request_id_on_a_closed_run(w):
    w.start()
    w.signal("s", request_id="r")
    w.terminate()
    w.signal("s", request_id="r")
    assert len(w.events()) == 4


def test_signal_of_an_unknown_workflow(w):
    with refused("NOT_FOUND", f"workflow not found for ID: {w.id}", "NotFoundFailure"):
        w.signal()


def test_signal_of_an_unknown_run(w):
    w.start()
    message = f'workflow execution not found for workflow ID "{w.id}" and run ID "{UNKNOWN_RUN}"'
    with refused("NOT_FOUND", message, "NotFoundFailure"):
        w.signal(workflow_execution=w.execution(run_id=UNKNOWN_RUN))


@pytest.mark.parametrize(
    "fields, message",
    [
        ({"workflow_execution": None}, "Execution is not set on request."),
        ({"workflow_execution": {"workflow_id": ""}}, "WorkflowId is not set on request."),
        ({"workflow_execution": {"workflow_id": "x", "run_id": "no"}}, "Invalid RunId."),
        ({"name": ""}, "SignalName is not set on request."),
        ({"name": "x" * 1001}, "SignalName length exceeds limit."),
        ({"request_id": "x" * 1001}, "RequestId length exceeds limit."),
        ({"input": payloads("x" * (2 * 1024 * 1024))}, "Blob data size exceeds limit."),
    ],
)
def test_bad_signal(w, fields, message):
    w.start()
    with refused("INVALID_ARGUMENT", message):
        w.signal(**fields)
    assert len(w.events()) == 2


# -- signal with start -----------------------------------------------------------------------------


def test_signal_with_start_starts(w):
    answer = w.signal_with_start(
        "go", "arg", input=payloads("in"), identity="me", header={"fields": {"h": payload("x")}}
    )
    assert answer.started
    assert uuid.UUID(answer.run_id)
    w.expect(f"""
        1 WorkflowExecutionStarted input='"in"' identity=me header.fields.h='"x"' attempt=1 \
first_execution_run_id={answer.run_id} first_workflow_task_backoff=0s
        2 WorkflowExecutionSignaled signal_name=go input='"arg"' identity=me header.fields.h='"x"'
        3 WorkflowTaskScheduled
    """)


def test_signal_with_start_of_a_running_workflow(w):
    first = w.start()
    answer = w.signal_with_start("go", "arg")
    assert (answer.run_id, answer.started) == (first.run_id, False)
    w.expect("""
        1 WorkflowExecutionStarted
        2 WorkflowTaskScheduled
        3 WorkflowExecutionSignaled signal_name=go input='"arg"'
    """)


def test_signal_with_start_of_a_closed_workflow(w):
    w.start()
    w.terminate()
    answer = w.signal_with_start("go")
    assert answer.started and answer.run_id != w.run_id
    w.expect(
        """
        1 WorkflowExecutionStarted
        2 WorkflowExecutionSignaled
        3 WorkflowTaskScheduled
    """,
        run_id=answer.run_id,
    )


def test_signal_with_start_is_deduplicated(w):
    first = w.signal_with_start("go", request_id="r")
    second = w.signal_with_start("go", request_id="r")
    assert second.run_id == first.run_id
    assert len(w.events()) == 3


def test_signal_with_start_may_restart(w):
    w.start()
    answer = w.signal_with_start(
        "go", workflow_id_conflict_policy="WORKFLOW_ID_CONFLICT_POLICY_TERMINATE_EXISTING"
    )
    assert answer.started and answer.run_id != w.run_id
    assert w.status(w.run_id) == "TERMINATED"
    w.expect(
        """
        1 WorkflowExecutionStarted
        2 WorkflowExecutionSignaled
        3 WorkflowTaskScheduled
    """,
        run_id=answer.run_id,
    )


def test_signal_with_start_cannot_fail_on_a_conflict(w):
    message = (
        "Invalid WorkflowIDConflictPolicy: WORKFLOW_ID_CONFLICT_POLICY_FAIL is not supported "
        "for this operation."
    )
    with refused("INVALID_ARGUMENT", message):
        w.signal_with_start(workflow_id_conflict_policy="WORKFLOW_ID_CONFLICT_POLICY_FAIL")


def test_signal_with_start_obeys_the_reuse_policy(w):
    w.begin(c.complete())
    message = (
        f"Workflow execution already finished. WorkflowId: {w.id}, RunId: {w.run_id}. "
        "Workflow Id reuse policy: reject duplicate workflow Id."
    )
    with refused("ALREADY_EXISTS", message, "WorkflowExecutionAlreadyStartedFailure"):
        w.signal_with_start(workflow_id_reuse_policy="WORKFLOW_ID_REUSE_POLICY_REJECT_DUPLICATE")


def test_signal_with_start_with_a_delay(w):
    w.signal_with_start("go", workflow_start_delay=seconds(60))
    w.expect("""
        1 WorkflowExecutionStarted first_workflow_task_backoff=60s
        2 WorkflowExecutionSignaled
    """)


@pytest.mark.parametrize(
    "fields, message",
    [
        ({"workflow_id": ""}, "WorkflowId is not set on request."),
        ({"name": ""}, "signal not set"),
        ({"name": "x" * 1001}, "signal name exceeds maximum allowed length (1001/1000)"),
        ({"workflow_type": None}, "workflow type not set"),
        ({"task_queue": None}, "taskQueue is not set"),
    ],
)
def test_bad_signal_with_start(w, fields, message):
    with refused("INVALID_ARGUMENT", message):
        w.signal_with_start(**fields)


@pytest.mark.slow
@pytest.mark.timeout(300)
def test_ten_thousand_signals(w):
    w.start(workflow_task_timeout=seconds(120))
    for _ in range(200):
        calls = [
            w.client.future(
                "SignalWorkflowExecution",
                workflow_execution=w.execution(),
                signal_name="s",
                timeout=60,
            )
            for _ in range(50)
        ]
        for call in calls:
            call.result()
    with refused("INVALID_ARGUMENT", "exceeded workflow execution limit for signal events"):
        w.signal()


def test_a_signal_without_a_request_id_gets_none(w):
    w.start()
    answer = w.signal("s")
    assert answer.link.workflow_event.request_id_ref.request_id == ""
    signaled = history.attributes(w.events()[-1])
    assert (signaled.signal_name, signaled.request_id) == ("s", "")
