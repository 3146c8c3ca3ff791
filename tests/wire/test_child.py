"""Child workflows: both histories, closes, start failures, parent close policies."""

import commands as c
import history
import pytest
from client import eventually, payload, payloads, seconds

HEAD = """
    1 WorkflowExecutionStarted
    2 WorkflowTaskScheduled
    3 WorkflowTaskStarted
    4 WorkflowTaskCompleted
"""


class Family:
    """A parent that has started a child on the second scene's queue, and seen it started."""

    def __init__(self, parent, child, **fields):
        self.parent, self.child = parent, child
        fields.setdefault("task_queue", {"name": child.queue})
        parent.begin(c.child(child.id, **fields))
        child._opened.add(child.id)
        started = parent.wait_for("ChildWorkflowExecutionStarted")
        child.run_id = history.attributes(started).workflow_execution.run_id

    def settle(self):
        """Lets the parent take note of the child's start."""
        self.parent.step()

    def close_child(self, *commands):
        self.settle()
        self.child.step(*commands)


def test_start(w, w2):
    Family(w, w2, input=payloads("in"), memo={"fields": {"m": payload(1)}})
    w.expect(
        HEAD
        + f"""
        5 StartChildWorkflowExecutionInitiated workflow_id={w2.id} workflow_type.name=T \
namespace=default task_queue.name={w2.queue} input='"in"' parent_close_policy=TERMINATE \
workflow_id_reuse_policy=ALLOW_DUPLICATE workflow_task_completed_event_id=4 \
workflow_run_timeout=0s workflow_execution_timeout=- workflow_task_timeout=10s
        6 ChildWorkflowExecutionStarted initiated_event_id=5 \
workflow_execution.workflow_id={w2.id} workflow_execution.run_id={w2.run_id} workflow_type.name=T
        7 WorkflowTaskScheduled
    """
    )
    w2.expect(
        f"""
        1 WorkflowExecutionStarted input='"in"' parent_workflow_namespace=default \
parent_workflow_execution.workflow_id={w.id} parent_workflow_execution.run_id={w.run_id} \
parent_initiated_event_id=5 root_workflow_execution.workflow_id={w.id} \
root_workflow_execution.run_id={w.run_id} first_execution_run_id={w2.run_id} \
original_execution_run_id={w2.run_id} workflow_run_timeout=0s workflow_execution_timeout=- \
memo.fields.m=1 attempt=1
        2 WorkflowTaskScheduled
    """,
        within=5,
    )


def test_ids_of_the_namespace(w, w2):
    Family(w, w2)
    initiated = history.attributes(w.events()[4])
    started = history.attributes(w2.events()[0])
    assert initiated.namespace_id
    assert started.parent_workflow_namespace_id == initiated.namespace_id


def test_child_inherits_the_queue_of_its_parent(w):
    child = w.id + "-child"
    w.begin(c.child(child))
    w.wait_for("ChildWorkflowExecutionStarted")
    initiated = history.attributes(w.events()[4])
    assert initiated.task_queue.name == w.queue
    task = eventually(lambda: task_of(w, child))
    assert task.workflow_execution.workflow_id == child


def task_of(w, workflow_id):
    task = w.poll()
    return task if task.workflow_execution.workflow_id == workflow_id else None


def test_describe(w, w2):
    Family(w, w2)
    (pending,) = w.describe().pending_children
    assert (pending.workflow_id, pending.run_id) == (w2.id, w2.run_id)
    assert (pending.workflow_type_name, pending.initiated_id) == ("T", 5)
    assert history.show(pending, "parent_close_policy") == "TERMINATE"
    info = w2.describe().workflow_execution_info
    assert info.parent_execution.workflow_id == w.id
    assert info.root_execution.workflow_id == w.id


def test_grandchild_knows_its_root(w, w2):
    Family(w, w2)
    grandchild = w2.id + "-grand"
    w2.step(c.child(grandchild))
    w2.wait_for("ChildWorkflowExecutionStarted")
    started = history.attributes(w2.events(workflow_id=grandchild)[0])
    assert started.parent_workflow_execution.workflow_id == w2.id
    assert started.root_workflow_execution.workflow_id == w.id


def test_priority_is_inherited(w, w2):
    w.begin(
        c.child(w2.id, task_queue={"name": w2.queue}),
        priority={"priority_key": 2, "fairness_key": "f"},
    )
    w.wait_for("ChildWorkflowExecutionStarted")
    started = history.attributes(w2.events(workflow_id=w2.id)[0])
    assert (started.priority.priority_key, started.priority.fairness_key) == (2, "f")


# -- closes ----------------------------------------------------------------------------------------

UNTIL_CLOSE = (
    HEAD
    + """
    5 StartChildWorkflowExecutionInitiated
    6 ChildWorkflowExecutionStarted
    7 WorkflowTaskScheduled
    8 WorkflowTaskStarted
    9 WorkflowTaskCompleted
"""
)


@pytest.mark.parametrize(
    "command, event",
    [
        (c.complete("out"), """ChildWorkflowExecutionCompleted result='"out"'"""),
        (
            c.fail("boom", type_="X"),
            "ChildWorkflowExecutionFailed failure.message=boom "
            "failure.application_failure_info.type=X retry_state=RETRY_POLICY_NOT_SET",
        ),
        (c.cancel("why"), """ChildWorkflowExecutionCanceled details='"why"'"""),
    ],
)
def test_close(w, w2, command, event):
    family = Family(w, w2)
    family.close_child(command)
    w.wait_for(event.split()[0])
    w.expect(
        UNTIL_CLOSE
        + f"""
        10 {event} initiated_event_id=5 started_event_id=6 namespace=default \
workflow_execution.workflow_id={w2.id} workflow_execution.run_id={w2.run_id} workflow_type.name=T
        11 WorkflowTaskScheduled
    """
    )
    assert not w.describe().pending_children


def test_terminated_child(w, w2):
    family = Family(w, w2)
    family.settle()
    w2.terminate()
    w.wait_for("ChildWorkflowExecutionTerminated")
    w.expect(
        UNTIL_CLOSE
        + """
        10 ChildWorkflowExecutionTerminated initiated_event_id=5 started_event_id=6
        11 WorkflowTaskScheduled
    """
    )


def test_timed_out_child(w, w2):
    family = Family(w, w2, workflow_run_timeout=seconds(1))
    family.settle()
    w.wait_for("ChildWorkflowExecutionTimedOut")
    w.expect(
        UNTIL_CLOSE
        + """
        10 ChildWorkflowExecutionTimedOut initiated_event_id=5 started_event_id=6 \
retry_state=RETRY_POLICY_NOT_SET
        11 WorkflowTaskScheduled
    """
    )


def test_chain_reports_its_last_run(w, w2):
    family = Family(w, w2)
    family.close_child(c.continue_as_new())
    w2.step(c.complete("last"))
    w.wait_for("ChildWorkflowExecutionCompleted")
    completed = history.attributes(w.events()[9])
    last = w2.describe().workflow_execution_info.execution.run_id
    assert completed.workflow_execution.run_id == last != w2.run_id


def test_retried_child_reports_its_last_failure(w, w2):
    policy = {"initial_interval": seconds(0.1), "maximum_attempts": 2}
    family = Family(w, w2, retry_policy=policy)
    family.close_child(c.fail("first"))
    w2.step(c.fail("second"))
    failed = history.attributes(w.wait_for("ChildWorkflowExecutionFailed"))
    assert failed.failure.message == "second"
    assert history.show(failed, "retry_state") == "MAXIMUM_ATTEMPTS_REACHED"
    assert history.names(w.events()).count("ChildWorkflowExecutionFailed") == 1


def test_close_of_the_child_while_the_parent_is_busy(w, w2):
    """The result goes behind the signal that came later."""
    Family(w, w2)
    task = w.poll()
    w2.step(c.complete("out"))
    eventually(lambda: w2.status() == "COMPLETED" or None)
    w.complete(task, force_create_new_workflow_task=True)
    w.wait_for("ChildWorkflowExecutionCompleted")


def test_child_that_closes_before_the_parent_polls(w, w2):
    Family(w, w2)
    w2.step(c.complete("out"))
    w.wait_for("ChildWorkflowExecutionCompleted")
    w.expect(
        HEAD
        + """
        5 StartChildWorkflowExecutionInitiated
        6 ChildWorkflowExecutionStarted
        7 WorkflowTaskScheduled
        8 ChildWorkflowExecutionCompleted
    """
    )


# -- start failures --------------------------------------------------------------------------------


def test_id_in_use(w, w2):
    w2.start()
    w.begin(c.child(w2.id))
    w.wait_for("StartChildWorkflowExecutionFailed")
    w.expect(
        HEAD
        + f"""
        5 StartChildWorkflowExecutionInitiated
        6 StartChildWorkflowExecutionFailed initiated_event_id=5 cause=WORKFLOW_ALREADY_EXISTS \
workflow_id={w2.id} workflow_type.name=T namespace=default workflow_task_completed_event_id=-
        7 WorkflowTaskScheduled
    """
    )
    assert not w.describe().pending_children


def test_rejected_duplicate(w, w2):
    w2.start()
    w2.terminate()
    policy = "WORKFLOW_ID_REUSE_POLICY_REJECT_DUPLICATE"
    w.begin(c.child(w2.id, workflow_id_reuse_policy=policy))
    failed = history.attributes(w.wait_for("StartChildWorkflowExecutionFailed"))
    assert history.show(failed, "cause") == "WORKFLOW_ALREADY_EXISTS"


def test_terminate_if_running(w, w2):
    w2.start()
    policy = "WORKFLOW_ID_REUSE_POLICY_TERMINATE_IF_RUNNING"
    w.begin(c.child(w2.id, workflow_id_reuse_policy=policy))
    w.wait_for("ChildWorkflowExecutionStarted")
    assert w2.status(w2.run_id) == "TERMINATED"


def test_a_child_s_own_choice_of_version(w, w2):
    Family(w, w2, versioning_override={"auto_upgrade": True})
    initiated = history.attributes(w.wait_for("StartChildWorkflowExecutionInitiated"))
    assert initiated.versioning_override.auto_upgrade
    assert history.attributes(w2.wait_for("WorkflowExecutionStarted")).versioning_override.auto_upgrade


def test_a_version_that_does_not_serve_the_queue(w, w2):
    version = {"deployment_name": "nobody", "build_id": "1"}
    pinned = {"behavior": "PINNED_OVERRIDE_BEHAVIOR_PINNED", "version": version}
    w.begin(c.child(w2.id, versioning_override={"pinned": pinned}))
    failed = history.attributes(w.wait_for("StartChildWorkflowExecutionFailed"))
    assert history.show(failed, "cause") == "INVALID_VERSIONING_OVERRIDE"


def test_workflow_cannot_be_its_own_child(w):
    w.begin(c.child(w.id))
    failed = history.attributes(w.wait_for("StartChildWorkflowExecutionFailed"))
    assert history.show(failed, "cause") == "WORKFLOW_ALREADY_EXISTS"


def test_two_children(w, w2):
    w.begin(c.child(w2.id + "-1"), c.child(w2.id + "-2"))
    w.wait_for("ChildWorkflowExecutionStarted", count=2)
    events = w.events()
    assert history.names(events)[4:6] == ["StartChildWorkflowExecutionInitiated"] * 2
    started = {
        history.attributes(e).initiated_event_id: history.attributes(
            e
        ).workflow_execution.workflow_id
        for e in events
        if history.event_name(e) == "ChildWorkflowExecutionStarted"
    }
    assert started == {5: w2.id + "-1", 6: w2.id + "-2"}


# -- parent close policies -------------------------------------------------------------------------

POLICY = "PARENT_CLOSE_POLICY_"


@pytest.mark.parametrize("how", ["complete", "fail", "cancel", "terminate", "timeout", "continue"])
def test_child_is_terminated_with_its_parent(w, w2, how):
    if how == "timeout":
        w.begin(c.child(w2.id), workflow_run_timeout=seconds(2))
        w.wait_for("ChildWorkflowExecutionStarted")
    else:
        Family(w, w2)
    if how == "terminate":
        w.terminate()
    elif how == "continue":
        w.step(c.continue_as_new())
    elif how != "timeout":
        w.step({"complete": c.complete(), "fail": c.fail(), "cancel": c.cancel()}[how])
    terminated = w2.wait_for("WorkflowExecutionTerminated", workflow_id=w2.id)
    attributes = history.attributes(terminated)
    assert attributes.reason == "by parent close policy"


def test_child_is_asked_to_cancel(w, w2):
    Family(w, w2, parent_close_policy=POLICY + "REQUEST_CANCEL")
    w.step(c.complete())
    w2.wait_for("WorkflowExecutionCancelRequested")
    w2.expect(f"""
        1 WorkflowExecutionStarted
        2 WorkflowTaskScheduled
        3 WorkflowExecutionCancelRequested cause=- external_workflow_execution.workflow_id={w.id} \
external_workflow_execution.run_id={w.run_id}
    """)
    assert w2.status() == "RUNNING"


@pytest.mark.parametrize("close", [c.complete(), c.continue_as_new()])
def test_a_child_of_the_last_completion_is_not_started(w, w2, close):
    """Not even one that was to be left to itself."""
    asked = c.child(w2.id, task_queue={"name": w2.queue}, parent_close_policy=POLICY + "ABANDON")
    w.begin(asked, close)
    w2.no_task()
    assert history.event_name(w.events()[4]) == "StartChildWorkflowExecutionInitiated"


def test_child_is_abandoned(w, w2):
    Family(w, w2, parent_close_policy=POLICY + "ABANDON")
    w.step(c.complete())
    w2.step(c.complete("alone"))
    assert w2.status() == "COMPLETED"
    assert history.names(w.events())[-1] == "WorkflowExecutionCompleted"


@pytest.mark.slow
@pytest.mark.timeout(300)
def test_many_children_are_terminated(w, w2):
    ids = [f"{w2.id}-{n}" for n in range(15)]
    w.begin(*[c.child(id_, task_queue={"name": w2.queue}) for id_ in ids])
    w.wait_for("ChildWorkflowExecutionStarted", count=15)
    w.terminate()
    eventually(
        lambda: {w.status(workflow_id=id_) for id_ in ids} == {"TERMINATED"} or None, timeout=30
    )
