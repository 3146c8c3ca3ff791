"""RequestCancel, Terminate and Delete of a workflow execution."""

import commands as c
import grpc
import pytest
from client import eventually, payloads, refused

UNKNOWN_RUN = "11111111-1111-4111-8111-111111111111"
CALLS = ["RequestCancelWorkflowExecution", "TerminateWorkflowExecution", "DeleteWorkflowExecution"]


# -- cancel ----------------------------------------------------------------------------------------


def test_cancel(w):
    w.begin()
    w.cancel(reason="why", identity="me", request_id="r")
    w.expect("""
        1 WorkflowExecutionStarted
        2 WorkflowTaskScheduled
        3 WorkflowTaskStarted
        4 WorkflowTaskCompleted
        5 WorkflowExecutionCancelRequested cause=why identity=me external_workflow_execution=- \
external_initiated_event_id=-
        6 WorkflowTaskScheduled
    """)
    assert w.describe().workflow_extended_info.cancel_requested


def test_second_cancel_is_silent(w):
    w.start()
    w.cancel(request_id="r1")
    w.cancel(request_id="r2")
    assert len(w.events()) == 3


def test_cancel_of_a_closed_run_is_silent(w):
    w.begin(c.complete())
    w.cancel()
    assert len(w.events()) == 5


def test_cancelled_workflow_may_complete(w):
    w.start()
    w.cancel()
    w.step(c.complete("anyway"))
    assert w.status() == "COMPLETED"


def test_first_execution_run_id_is_checked(w):
    w.start()
    with refused("NOT_FOUND", "workflow execution not found", "NotFoundFailure"):
        w.cancel(first_execution_run_id=UNKNOWN_RUN)
    with refused("NOT_FOUND", "workflow execution not found", "NotFoundFailure"):
        w.terminate(first_execution_run_id=UNKNOWN_RUN)
    w.terminate(first_execution_run_id=w.run_id)


def test_first_execution_run_id_covers_the_chain(w):
    w.begin(c.continue_as_new())
    w.terminate(first_execution_run_id=w.run_id)
    assert w.status() == "TERMINATED"


# -- terminate -------------------------------------------------------------------------------------


def test_terminate(w):
    w.begin(c.timer(), c.activity())
    w.terminate(reason="why", identity="me", details=payloads("d"))
    w.expect("""
        1 WorkflowExecutionStarted
        2 WorkflowTaskScheduled
        3 WorkflowTaskStarted
        4 WorkflowTaskCompleted
        5 TimerStarted
        6 ActivityTaskScheduled
        7 WorkflowExecutionTerminated reason=why identity=me details='"d"'
    """)
    answer = w.describe()
    assert answer.workflow_execution_info.status == 5
    assert not answer.HasField("pending_workflow_task")


def test_terminate_defaults(w):
    w.start()
    w.terminate()
    w.expect("""
        1 WorkflowExecutionStarted
        2 WorkflowTaskScheduled
        3 WorkflowExecutionTerminated reason="terminated by user via frontend" \
identity=frontend-service details=-
    """)


def test_terminate_of_a_closed_run(w):
    w.begin(c.complete())
    with refused("NOT_FOUND", "workflow execution already completed", "NotFoundFailure"):
        w.terminate()


# -- common ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("rpc", CALLS)
def test_unknown_workflow(w, rpc):
    with refused("NOT_FOUND", f"workflow not found for ID: {w.id}", "NotFoundFailure"):
        w.call(rpc, workflow_execution=w.execution(run_id=""))


@pytest.mark.parametrize("rpc", CALLS)
def test_unknown_run(w, rpc):
    w.start()
    message = f'workflow execution not found for workflow ID "{w.id}" and run ID "{UNKNOWN_RUN}"'
    with refused("NOT_FOUND", message, "NotFoundFailure"):
        w.call(rpc, workflow_execution=w.execution(run_id=UNKNOWN_RUN))


@pytest.mark.parametrize("rpc", CALLS)
@pytest.mark.parametrize(
    "execution, message",
    [
        (None, "Execution is not set on request."),
        ({"workflow_id": ""}, "WorkflowId is not set on request."),
        ({"workflow_id": "x", "run_id": "no"}, "Invalid RunId."),
    ],
)
def test_bad_execution(client, rpc, execution, message):
    with refused("INVALID_ARGUMENT", message):
        client(rpc, workflow_execution=execution)


# -- delete ----------------------------------------------------------------------------------------


def gone(w, run_id=""):
    try:
        w.describe(run_id)
    except grpc.RpcError as error:
        return error.code() == grpc.StatusCode.NOT_FOUND or None
    return None


def test_delete_an_open_run(w):
    w.start()
    w.call("DeleteWorkflowExecution", workflow_execution=w.execution())
    eventually(lambda: gone(w), timeout=30)
    with refused("NOT_FOUND", detail="NotFoundFailure"):
        w.events()
    w.no_task()


@pytest.mark.slow
@pytest.mark.timeout(300)
def test_delete_a_closed_run(w):
    w.begin(c.complete())
    w.call("DeleteWorkflowExecution", workflow_execution=w.execution())
    eventually(lambda: gone(w), timeout=60)


def test_deleted_id_can_be_started_again(w):
    w.start()
    w.call("DeleteWorkflowExecution", workflow_execution=w.execution())
    eventually(lambda: gone(w), timeout=30)
    assert w.start().started


def test_delete_leaves_the_other_runs(w):
    w.start()
    w.terminate()
    second = w.start().run_id
    w.call("DeleteWorkflowExecution", workflow_execution=w.execution(run_id=second))
    eventually(lambda: gone(w, second), timeout=30)
    assert w.status(w.run_id) == "TERMINATED"
