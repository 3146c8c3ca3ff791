"""ResetWorkflowExecution: a run goes on from an earlier workflow task of another."""

import json
import subprocess
import sys
import uuid
from pathlib import Path

import commands as c
import history
import pytest
from client import ADDRESS, eventually, payloads, refused, seconds

HEAD = """
    1 WorkflowExecutionStarted
    2 WorkflowTaskScheduled
    3 WorkflowTaskStarted
"""


def reset(w, event_id, run_id=None, **fields):
    fields.setdefault("request_id", uuid.uuid4().hex)
    fields.setdefault("reason", "why")
    return w.call(
        "ResetWorkflowExecution",
        workflow_execution=w.execution(run_id=run_id),
        workflow_task_finish_event_id=event_id,
        **fields,
    ).run_id


def two_tasks(w):
    """Two completed workflow tasks (3..4 and 9..10), a signal before and one after the second."""
    w.begin(c.activity("a"), c.timer("t"))
    w.signal("one", 1)
    w.step()
    w.signal("two", 2)


def test_back_to_the_first_task(w):
    two_tasks(w)
    new = reset(w, 4)
    w.expect(
        HEAD
        + f"""
        4 WorkflowTaskFailed scheduled_event_id=2 started_event_id=3 cause=RESET_WORKFLOW \
failure.message=why identity=history-service base_run_id={w.run_id} new_run_id={new}
        5 WorkflowExecutionSignaled signal_name=one input=1
        6 WorkflowExecutionSignaled signal_name=two input=2
        7 WorkflowTaskScheduled attempt=1
        """,
        run_id=new,
    )
    base = w.events()
    assert history.event_name(base[-1]) == "WorkflowExecutionTerminated"
    ended = history.attributes(base[-1])
    assert (ended.reason, ended.identity) == ("why", "history-resetter")
    copied = w.events(new)[:3]
    assert [e.SerializeToString() for e in copied] == [e.SerializeToString() for e in base[:3]]
    task = w.poll()
    assert task.workflow_execution.run_id == new
    w.complete(task, c.complete(1))
    assert w.status(new) == "COMPLETED"


def test_what_describe_says(w):
    two_tasks(w)
    before = w.describe(w.run_id).workflow_execution_info
    new = reset(w, 4)
    base = w.describe(w.run_id)
    assert base.workflow_extended_info.reset_run_id == new
    described = w.describe()
    info, extended = described.workflow_execution_info, described.workflow_extended_info
    assert info.execution.run_id == new
    assert info.first_run_id == w.run_id
    assert info.start_time == extended.last_reset_time == info.execution_time
    assert extended.original_start_time == before.start_time
    assert info.start_time.ToNanoseconds() > before.start_time.ToNanoseconds()
    assert not extended.reset_run_id


def test_what_was_pending_is_pending_again(w):
    two_tasks(w)
    task = w.poll_activity()
    new = reset(w, 10)
    pending = w.pending_activity()
    assert (history.show(pending, "state"), pending.attempt) == ("SCHEDULED", 1)
    again = w.poll_activity()
    assert (again.workflow_execution.run_id, again.activity_id) == (new, "a")
    closed = "workflow execution already completed"
    with refused("NOT_FOUND", closed, detail="NotFoundFailure"):
        w.complete_activity(task, 1)
    w.complete_activity(again, 2)
    assert "ActivityTaskCompleted" in history.names(w.events(new))


def test_a_timer_keeps_its_time(w):
    w.begin(c.timer("t", 2))
    w.signal()
    w.step()
    new = reset(w, 9)
    fired = w.wait_for("TimerFired", run_id=new)
    assert history.attributes(fired).timer_id == "t"


def test_a_task_that_nobody_took(w):
    w.start()
    w.signal()
    new = reset(w, 3)
    w.expect(
        """
        1 WorkflowExecutionStarted
        2 WorkflowTaskScheduled
        3 WorkflowTaskStarted identity=history-service
        4 WorkflowTaskFailed cause=RESET_WORKFLOW
        5 WorkflowExecutionSignaled
        6 WorkflowTaskScheduled
        """,
        run_id=new,
    )


def test_a_closed_run_is_left_as_it_is(w):
    w.begin()
    w.signal("one", 1)
    w.step(c.complete(1))
    before = w.events()
    new = reset(w, 4)
    assert w.events() == before
    assert w.status(w.run_id) == "COMPLETED"
    assert w.status(new) == "RUNNING"
    assert w.describe(w.run_id).workflow_extended_info.reset_run_id == new
    assert "WorkflowExecutionSignaled" in history.names(w.events(new))


def test_a_started_task_fails_and_what_waited_is_taken_over(w):
    w.begin()
    w.signal("one", 1)
    w.poll()
    w.signal("two", 2)
    new = reset(w, 4)
    names = history.names(w.events())
    assert names[-3:] == [
        "WorkflowTaskFailed",
        "WorkflowExecutionSignaled",
        "WorkflowExecutionTerminated",
    ]
    again = [history.attributes(e).signal_name for e in w.events(new)[4:6]]
    assert again == ["one", "two"]


@pytest.mark.parametrize(
    "fields, expected",
    [
        ({}, ["WorkflowExecutionSignaled", "WorkflowExecutionOptionsUpdated"]),
        (
            {"reset_reapply_exclude_types": ["RESET_REAPPLY_EXCLUDE_TYPE_SIGNAL"]},
            ["WorkflowExecutionOptionsUpdated"],
        ),
        (
            {"reset_reapply_type": "RESET_REAPPLY_TYPE_SIGNAL"},
            ["WorkflowExecutionSignaled", "WorkflowExecutionOptionsUpdated"],
        ),
        (
            {"reset_reapply_type": "RESET_REAPPLY_TYPE_NONE"},
            ["WorkflowExecutionOptionsUpdated"],
        ),
    ],
    ids=["all", "no signals", "older: signals", "older: none"],
)
def test_what_is_taken_over(w, fields, expected):
    w.begin()
    w.signal()
    w.cancel()
    options(w, {"priority": {"priority_key": 2}}, "priority")
    new = reset(w, 4, **fields)
    assert history.names(w.events(new))[4:-1] == expected


def test_signals_of_the_runs_that_followed(w):
    w.begin()
    w.signal("one", 1)
    w.step(c.continue_as_new())
    w.signal("two", 2)
    new = reset(w, 4)
    events = w.events(new)
    assert [history.attributes(e).signal_name for e in events[4:6]] == ["one", "two"]
    assert w.status(new) == "RUNNING"
    w.complete(w.poll(), c.complete())


def test_options_for_afterwards(w):
    w.begin()
    operation = {
        "update_workflow_options": {
            "workflow_execution_options": {
                "priority": {"priority_key": 4},
                "versioning_override": {"auto_upgrade": True},
            },
            "update_mask": {"paths": ["priority", "versioning_override"]},
        }
    }
    new = reset(w, 4, post_reset_operations=[operation])
    w.expect(
        HEAD
        + """
        4 WorkflowTaskFailed
        5 WorkflowExecutionOptionsUpdated priority.priority_key=4 \
versioning_override.auto_upgrade=true
        6 WorkflowTaskScheduled
        """,
        run_id=new,
    )
    assert w.describe().workflow_execution_info.priority.priority_key == 4


@pytest.mark.parametrize(
    "event_id, message",
    [
        (0, "Workflow task finish ID must be > 1 && <= workflow last event ID."),
        (1, "Workflow task finish ID must be > 1 && <= workflow last event ID."),
        (13, "Workflow task finish ID must be > 1 && <= workflow last event ID."),
        (
            2,
            "StateRebuilder unable to Rebuild mutable state to event ID: 1, version: 0, "
            "this event must be at the boundary",
        ),
        (
            6,
            "StateRebuilder unable to Rebuild mutable state to event ID: 5, version: 0, "
            "this event must be at the boundary",
        ),
        (
            7,
            "Can only reset workflow to event ID in range "
            "[WorkflowTaskScheduled +1, WorkflowTaskStarted + 1]: 7",
        ),
    ],
)
def test_points_that_are_refused(w, event_id, message):
    two_tasks(w)
    before = w.events()
    with refused("INVALID_ARGUMENT", message):
        reset(w, event_id)
    assert w.events() == before


def test_what_is_checked(w):
    w.begin()
    with refused("INVALID_ARGUMENT", "RequestId is not set on request."):
        reset(w, 4, request_id="")
    with refused("INVALID_ARGUMENT", "RequestId length exceeds limit."):
        reset(w, 4, request_id="r" * 1001)
    with refused("INVALID_ARGUMENT", "Execution is not set on request."):
        w.call("ResetWorkflowExecution", request_id="r")
    with refused("INVALID_ARGUMENT", "Invalid RunId."):
        reset(w, 4, run_id="x")
    with refused("INVALID_ARGUMENT", "unsupported post reset operation: <nil>"):
        reset(w, 4, post_reset_operations=[{}])
    unknown = {"workflow_id": "nope"}
    with refused("NOT_FOUND", "workflow not found for ID: nope", detail="NotFoundFailure"):
        w.call(
            "ResetWorkflowExecution",
            request_id="r",
            workflow_execution=unknown,
            workflow_task_finish_event_id=4,
        )


def test_a_child_reports_to_the_new_run(w, w2):
    w.begin(c.child(w2.id, task_queue={"name": w2.queue}))
    w.wait_for("ChildWorkflowExecutionStarted")
    w.step()
    w.signal()
    w.step()
    finish = [e for e in w.events() if history.event_name(e) == "WorkflowTaskCompleted"][1]
    new = reset(w, finish.event_id)
    w2.complete(w2.poll(), c.complete(7))
    done = w.wait_for("ChildWorkflowExecutionCompleted", run_id=new)
    assert history.show(history.attributes(done), "result") == "7"


def test_the_result_of_a_child_is_taken_over(w, w2):
    w.begin(c.child(w2.id, task_queue={"name": w2.queue}))
    w.wait_for("ChildWorkflowExecutionStarted")
    w.step()
    w2.complete(w2.poll(), c.complete(7))
    w.wait_for("ChildWorkflowExecutionCompleted")
    w.step(c.complete())
    finish = [e for e in w.events() if history.event_name(e) == "WorkflowTaskCompleted"][1]
    new = reset(w, finish.event_id)
    names = history.names(w.events(new))
    assert names.count("ChildWorkflowExecutionCompleted") == 1


def test_children_go_on_when_their_parent_is_reset(w, w2):
    w.begin(c.child(w2.id, task_queue={"name": w2.queue}))
    w.wait_for("ChildWorkflowExecutionStarted")
    w.step()
    reset(w, 4)
    assert w2.status() == "RUNNING"
    w2.terminate()


def test_the_new_run_is_the_current_one(w):
    w.begin()
    new = reset(w, 4)
    w.signal("s")
    assert "WorkflowExecutionSignaled" in history.names(w.events(new))

    def listed():
        query = f"WorkflowId = '{w.id}'"
        found = w.call("ListWorkflowExecutions", query=query).executions
        return len(found) == 2 or None

    eventually(listed)
    second = reset(w, 4, run_id=w.run_id)
    assert w.status(new) == "TERMINATED"
    assert w.status() == "RUNNING"
    assert w.describe().workflow_execution_info.execution.run_id == second


def test_reset_points(w):
    w.start()
    w.complete(w.poll(), binary_checksum="build-1")
    w.signal()
    w.complete(w.poll(), binary_checksum="build-2")
    points = w.describe().workflow_execution_info.auto_reset_points.points
    found = [(p.binary_checksum, p.first_workflow_task_completed_id) for p in points]
    assert found == [("build-1", 4), ("build-2", 8)]
    new = reset(w, points[1].first_workflow_task_completed_id)
    points = w.describe(new).workflow_execution_info.auto_reset_points.points
    assert [p.binary_checksum for p in points] == ["build-1"]


def cli(*arguments):
    """The command line's answer, as JSON."""
    temporal = Path(sys.executable).parent / "temporal"
    run = subprocess.run(
        [temporal, *arguments, "--address", ADDRESS, "-o", "json"],
        capture_output=True,
        text=True,
        timeout=30,
    )
    assert run.returncode == 0, run.stderr
    return json.loads(run.stdout or "{}")


@pytest.mark.parametrize(
    "kind, events",
    [("LastWorkflowTask", 10), ("FirstWorkflowTask", 4), ("LastContinuedAsNew", None)],
)
def test_command_line(w, kind, events):
    two_tasks(w)
    if events is None:
        w.step(c.continue_as_new())
        w.step()
    cli("workflow", "reset", "-w", w.id, "-t", kind, "--reason", "by hand")
    new = w.describe().workflow_execution_info.execution.run_id
    assert new != w.run_id
    names = history.names(w.events(new))
    assert "WorkflowTaskFailed" in names
    if events is not None:
        assert names.index("WorkflowTaskFailed") == events - 1


# -- options ---------------------------------------------------------------------------------------


def options(w, given, *paths, **fields):
    return w.call(
        "UpdateWorkflowExecutionOptions",
        workflow_execution=w.execution(),
        workflow_execution_options=given,
        update_mask={"paths": paths},
        **fields,
    )


def test_an_override_is_set_and_taken_back(w):
    w.begin()
    answer = options(w, {"versioning_override": {"auto_upgrade": True}}, "versioning_override")
    assert answer.workflow_execution_options.versioning_override.auto_upgrade
    info = w.describe().workflow_execution_info
    assert info.versioning_info.versioning_override.auto_upgrade
    options(w, {}, "versioning_override")
    info = w.describe().workflow_execution_info
    assert not info.versioning_info.HasField("versioning_override")
    w.no_task()
    w.expect(
        HEAD
        + """
        4 WorkflowTaskCompleted
        5 WorkflowExecutionOptionsUpdated versioning_override.auto_upgrade=true \
unset_versioning_override=-
        6 WorkflowExecutionOptionsUpdated unset_versioning_override=true
        """
    )


def test_priority_changes_by_its_parts(w):
    w.begin(priority={"priority_key": 3})
    given = {"priority": {"priority_key": 1, "fairness_key": "k", "fairness_weight": 2.0}}
    answer = options(w, given, "priority.fairness_key", identity="ops")
    merged = answer.workflow_execution_options.priority
    assert (merged.priority_key, merged.fairness_key, merged.fairness_weight) == (3, "k", 0)
    options(w, given, "priority")
    shown = w.describe().workflow_execution_info.priority
    assert (shown.priority_key, shown.fairness_key, shown.fairness_weight) == (1, "k", 2)
    w.signal()
    w.step(c.activity("a"))
    assert w.poll_activity().priority.fairness_key == "k"


def test_no_change_no_event(w):
    w.begin(priority={"priority_key": 3})
    answer = options(w, {"priority": {"priority_key": 3}}, "priority.priority_key")
    assert answer.workflow_execution_options.priority.priority_key == 3
    assert not answer.HasField("update_time")
    assert len(w.events()) == 4


def test_options_that_are_refused(w):
    w.begin()
    with refused("INVALID_ARGUMENT", "WorkflowId is not set on request."):
        w.call("UpdateWorkflowExecutionOptions")
    with refused("INVALID_ARGUMENT", "UpdateMask is required"):
        w.call("UpdateWorkflowExecutionOptions", workflow_execution=w.execution())
    with refused("INVALID_ARGUMENT", "WorkflowExecutionOptions is required"):
        w.call(
            "UpdateWorkflowExecutionOptions",
            workflow_execution=w.execution(),
            update_mask={"paths": ["priority"]},
        )
    with refused("INVALID_ARGUMENT", prefix="error parsing UpdateMask: "):
        options(w, {}, "nope")
    with refused("INVALID_ARGUMENT", "priority key can't be negative"):
        options(w, {"priority": {"priority_key": -1}}, "priority")
    legacy = "versioning_override.behavior"
    with refused("INVALID_ARGUMENT", contains="fields must be updated together"):
        behavior = {"behavior": "VERSIONING_BEHAVIOR_AUTO_UPGRADE"}
        options(w, {"versioning_override": behavior}, legacy)
    with refused("INVALID_ARGUMENT", "auto-upgrade override must be true"):
        options(w, {"versioning_override": {"auto_upgrade": False}}, "versioning_override")
    with refused("INVALID_ARGUMENT", "override behavior is required"):
        options(w, {"versioning_override": {}}, "versioning_override")
    w.terminate()
    closed = "workflow execution already completed"
    with refused("NOT_FOUND", closed, detail="NotFoundFailure"):
        options(w, {}, "priority")


def test_links_and_callbacks_of_a_second_start_are_attached(w):
    w.start()
    link = {"workflow_event": {"namespace": "n", "workflow_id": "x", "run_id": str(uuid.uuid4())}}
    w.start(
        workflow_id_conflict_policy="WORKFLOW_ID_CONFLICT_POLICY_USE_EXISTING",
        on_conflict_options={"attach_request_id": True, "attach_links": True},
        links=[link],
        input=payloads(1),
        workflow_run_timeout=seconds(100),
    )
    updated = w.events()[-1]
    assert history.event_name(updated) == "WorkflowExecutionOptionsUpdated"
    assert updated.links[0].workflow_event.workflow_id == "x"


def test_the_request_of_the_start_is_answered_with_the_run(w):
    """Nothing is reset: it is taken for a repeat of what opened the run, also of one that was reset before."""
    request = uuid.uuid4().hex
    w.begin(request_id=request)
    assert reset(w, 4, request_id=request) == w.run_id
    new = reset(w, 4)
    assert new != w.run_id
    assert reset(w, 4, run_id="", request_id=request) == new
    assert reset(w, 4, request_id=request) == new


def test_a_child_that_ended_with_its_parent_stays_pending(w, w2):
    """It told a run that had closed; the one that a later reset makes is not told again."""
    w.begin(c.child(w2.id, task_queue={"name": w2.queue}))
    w.wait_for("ChildWorkflowExecutionStarted")
    w.step()
    w.terminate()
    eventually(lambda: w2.status() == "TERMINATED" or None)
    new = reset(w, 9)
    w.step()
    assert [child.workflow_id for child in w.describe(new).pending_children] == [w2.id]
    assert "Child" not in history.event_name(w.events(new)[-1])
