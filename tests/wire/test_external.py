"""Signals and cancel requests from one workflow to another."""

import commands as c
import history
import pytest
from client import payload, payloads

HEAD = """
    1 WorkflowExecutionStarted
    2 WorkflowTaskScheduled
    3 WorkflowTaskStarted
    4 WorkflowTaskCompleted
"""
UNKNOWN_RUN = "11111111-1111-4111-8111-111111111111"


@pytest.mark.parametrize("run", ["named", "current"])
def test_signal(w, w2, run):
    w2.start()
    run_id = w2.run_id if run == "named" else ""
    w.begin(
        c.signal_external(
            w2.id,
            "go",
            run_id=run_id,
            input=payloads("x"),
            control="ctl",
            header={"fields": {"h": payload(1)}},
        )
    )
    w.wait_for("ExternalWorkflowExecutionSignaled")
    w.expect(
        HEAD
        + f"""
        5 SignalExternalWorkflowExecutionInitiated workflow_execution.workflow_id={w2.id} \
workflow_execution.run_id={run_id or "-"} signal_name=go input='"x"' control=ctl \
workflow_task_completed_event_id=4 child_workflow_only=- namespace=-
        6 ExternalWorkflowExecutionSignaled initiated_event_id=5 namespace=default control=ctl \
workflow_execution.workflow_id={w2.id} workflow_execution.run_id={run_id or "-"}
        7 WorkflowTaskScheduled
    """
    )
    w2.expect(f"""
        1 WorkflowExecutionStarted
        2 WorkflowTaskScheduled
        3 WorkflowExecutionSignaled signal_name=go input='"x"' header.fields.h=1 \
external_workflow_execution.workflow_id={w.id} external_workflow_execution.run_id={w.run_id}
    """)


def target(w, w2, kind):
    """A command's target that cannot be reached."""
    if kind == "self":
        return {"id_": w.id}
    if kind == "closed":
        w2.start()
        w2.terminate()
        return {"id_": w2.id, "run_id": w2.run_id}
    if kind == "unknown run":
        w2.start()
        return {"id_": w2.id, "run_id": UNKNOWN_RUN}
    return {"id_": w2.id}


@pytest.mark.parametrize("kind", ["unknown", "unknown run", "closed", "self"])
def test_signal_fails(w, w2, kind):
    where = target(w, w2, kind)
    w.begin(c.signal_external(control="ctl", **where))
    w.wait_for("SignalExternalWorkflowExecutionFailed")
    w.expect(
        HEAD
        + f"""
        5 SignalExternalWorkflowExecutionInitiated
        6 SignalExternalWorkflowExecutionFailed initiated_event_id=5 \
cause=EXTERNAL_WORKFLOW_EXECUTION_NOT_FOUND workflow_execution.workflow_id={where["id_"]} \
control=ctl workflow_task_completed_event_id=- namespace=default
        7 WorkflowTaskScheduled
    """
    )


def test_signal_for_children_only(w, w2):
    w2.start()
    w.begin(c.signal_external(w2.id, child_workflow_only=True))
    w.wait_for("SignalExternalWorkflowExecutionFailed")
    w2.expect("""
        1 WorkflowExecutionStarted
        2 WorkflowTaskScheduled
    """)


def test_signal_to_a_child(w):
    child = w.id + "-child"
    w.begin(c.child(child))
    w.wait_for("ChildWorkflowExecutionStarted")
    task = w.poll()
    while task.workflow_execution.workflow_id != w.id:
        task = w.poll()
    w.complete(task, c.signal_external(child, child_workflow_only=True))
    w.wait_for("ExternalWorkflowExecutionSignaled")


def test_two_signals_to_one_target_keep_their_order(w, w2):
    w2.start()
    w.begin(*[c.signal_external(w2.id, f"s{n}") for n in range(5)])
    w2.wait_for("WorkflowExecutionSignaled", count=5)
    names = [history.attributes(e).signal_name for e in w2.events()[2:]]
    assert sorted(names) == [f"s{n}" for n in range(5)]


@pytest.mark.parametrize("run", ["named", "current"])
def test_cancel(w, w2, run):
    w2.start()
    run_id = w2.run_id if run == "named" else ""
    w.begin(c.cancel_external(w2.id, run_id=run_id, reason="why", control="ctl"))
    w.wait_for("ExternalWorkflowExecutionCancelRequested")
    w.expect(
        HEAD
        + f"""
        5 RequestCancelExternalWorkflowExecutionInitiated workflow_execution.workflow_id={w2.id} \
reason=why control=ctl workflow_task_completed_event_id=4 namespace=-
        6 ExternalWorkflowExecutionCancelRequested initiated_event_id=5 namespace=default \
workflow_execution.workflow_id={w2.id} workflow_execution.run_id={run_id or "-"}
        7 WorkflowTaskScheduled
    """
    )
    w2.expect(f"""
        1 WorkflowExecutionStarted
        2 WorkflowTaskScheduled
        3 WorkflowExecutionCancelRequested cause=why external_initiated_event_id=5 \
external_workflow_execution.workflow_id={w.id} external_workflow_execution.run_id={w.run_id}
    """)


@pytest.mark.parametrize("kind", ["unknown", "unknown run", "self"])
def test_cancel_fails(w, w2, kind):
    where = target(w, w2, kind)
    w.begin(c.cancel_external(control="ctl", **where))
    w.wait_for("RequestCancelExternalWorkflowExecutionFailed")
    w.expect(
        HEAD
        + f"""
        5 RequestCancelExternalWorkflowExecutionInitiated
        6 RequestCancelExternalWorkflowExecutionFailed initiated_event_id=5 \
cause=EXTERNAL_WORKFLOW_EXECUTION_NOT_FOUND workflow_execution.workflow_id={where["id_"]} \
control=- workflow_task_completed_event_id=- namespace=default
        7 WorkflowTaskScheduled
    """
    )


def test_cancel_of_a_closed_workflow_succeeds(w, w2):
    w.begin(c.cancel_external(**target(w, w2, "closed")))
    w.wait_for("ExternalWorkflowExecutionCancelRequested")
    assert len(w2.events()) == 3


def test_cancel_of_a_cancelled_workflow_succeeds(w, w2):
    w2.start()
    w2.cancel()
    w.begin(c.cancel_external(w2.id))
    w.wait_for("ExternalWorkflowExecutionCancelRequested")
    assert len(w2.events()) == 3


def test_cancel_for_children_only(w, w2):
    w2.start()
    w.begin(c.cancel_external(w2.id, child_workflow_only=True))
    w.wait_for("RequestCancelExternalWorkflowExecutionFailed")
