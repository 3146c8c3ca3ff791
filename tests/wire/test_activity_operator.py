"""Operators' commands on activities: pause, unpause, reset, change of options."""

import commands as c
import history
import pytest
from client import application_failure, eventually, refused, seconds

MISSING = (
    "Can't find pending activity with such ID. Invalid activityID or activity already completed"
)
STALE = "invalid activityID or activity already timed out or invoking workflow is completed"
SLOW_RETRY = {"initial_interval": seconds(60)}


def pause(w, activity_id="a", **fields):
    fields.setdefault("workflow_id", w.id)
    return w.call("PauseActivityExecution", activity_id=activity_id, **fields)


def unpause(w, activity_id="a", **fields):
    return w.call("UnpauseActivityExecution", workflow_id=w.id, activity_id=activity_id, **fields)


def reset(w, activity_id="a", **fields):
    return w.call("ResetActivityExecution", workflow_id=w.id, activity_id=activity_id, **fields)


def update(w, options, *paths, activity_id="a", **fields):
    answer = w.call(
        "UpdateActivityExecutionOptions",
        workflow_id=w.id,
        activity_id=activity_id,
        activity_options=options,
        update_mask={"paths": paths} if paths else None,
        **fields,
    )
    return answer.activity_options


def state(w, activity_id="a"):
    return history.show(w.pending_activity(activity_id), "state")


def test_a_waiting_activity_is_paused_and_goes_on(w):
    w.begin(c.activity("a", type_="Pay"))
    pause(w, identity="ops", reason="broken")
    pending = w.pending_activity()
    assert (history.show(pending, "state"), pending.paused) == ("PAUSED", True)
    assert pending.pause_info.manual.identity == "ops"
    assert pending.pause_info.manual.reason == "broken"
    assert pending.pause_info.HasField("pause_time")
    fields = w.describe().workflow_execution_info.search_attributes.indexed_fields
    assert fields["TemporalPauseInfo"].data == b'["property:activityType=Pay"]'
    w.no_task(kind="Activity")
    with refused("FAILED_PRECONDITION", "activity is already paused"):
        pause(w)
    unpause(w)
    pending = w.pending_activity()
    assert (history.show(pending, "state"), pending.paused) == ("SCHEDULED", False)
    assert not pending.HasField("pause_info")
    w.complete_activity(w.poll_activity())
    assert "ActivityTaskCompleted" in history.names(w.events())


def test_a_repeated_request_is_the_same_pause(w):
    w.begin(c.activity("a"))
    pause(w, request_id="one")
    pause(w, request_id="one")
    with refused("FAILED_PRECONDITION", "activity is already paused"):
        pause(w, request_id="two")


def test_paused_activities_are_listed(w):
    w.begin(c.activity("a", type_="Pay"))
    pause(w)
    query = f"WorkflowId = '{w.id}' AND TemporalPauseInfo = 'property:activityType=Pay'"

    def listed():
        return w.call("ListWorkflowExecutions", query=query).executions or None

    assert len(eventually(listed)) == 1


def test_a_running_attempt_may_finish(w):
    w.begin(c.activity("a", retry_policy=SLOW_RETRY))
    task = w.poll_activity()
    pause(w)
    assert state(w) == "PAUSE_REQUESTED"
    assert w.heartbeat(task).activity_paused
    w.complete_activity(task, 1)
    assert "ActivityTaskCompleted" in history.names(w.events())


def test_a_failing_attempt_is_parked(w):
    w.begin(c.activity("a", retry_policy={"maximum_attempts": 1}))
    task = w.poll_activity()
    pause(w)
    w.fail_activity(task, application_failure())
    pending = w.pending_activity()
    assert (history.show(pending, "state"), pending.attempt) == ("PAUSED", 2)
    assert pending.last_failure.message == "boom"
    unpause(w)
    assert w.poll_activity().attempt == 2


def test_by_type_and_all_at_once(w):
    w.begin(c.activity("a", type_="Pay"), c.activity("b", type_="Pay"), c.activity("c"))
    execution = w.execution()
    w.call("PauseActivity", execution=execution, type="Pay", request_id="p")
    assert [state(w, i) for i in "abc"] == ["PAUSED", "PAUSED", "SCHEDULED"]
    w.call("UnpauseActivity", execution=execution, unpause_all=True)
    assert [state(w, i) for i in "abc"] == ["SCHEDULED"] * 3
    w.call("PauseActivity", execution=execution, id="c", request_id="p")
    w.call("ResetActivity", execution=execution, match_all=True)
    assert [state(w, i) for i in "abc"] == ["SCHEDULED"] * 3
    with refused("NOT_FOUND", MISSING, detail="NotFoundFailure"):
        w.call("UnpauseActivity", execution=execution, type="Nope")


def test_unpausing_forgets_what_it_is_asked_to(w):
    w.begin(c.activity("a", retry_policy=SLOW_RETRY))
    task = w.poll_activity()
    w.heartbeat(task, 7)
    w.fail_activity(task, application_failure())
    execution = w.execution()
    w.call("PauseActivity", execution=execution, id="a")
    w.call(
        "UnpauseActivity", execution=execution, id="a", reset_attempts=True, reset_heartbeat=True
    )
    task = w.poll_activity()
    assert (task.attempt, task.HasField("heartbeat_details")) == (1, False)


def test_reset_of_a_waiting_retry(w):
    w.begin(c.activity("a", retry_policy=SLOW_RETRY))
    task = w.poll_activity()
    w.heartbeat(task, 7)
    w.fail_activity(task, application_failure())
    assert w.pending_activity().attempt == 2
    reset(w)
    task = w.poll_activity()
    assert (task.attempt, task.HasField("heartbeat_details")) == (1, True)


def test_reset_of_a_running_first_attempt(w):
    w.begin(c.activity("a", retry_policy=SLOW_RETRY))
    task = w.poll_activity()
    w.heartbeat(task, 7)
    assert not w.heartbeat(task, 7).activity_reset
    reset(w, reset_heartbeat=True)
    answer = w.heartbeat(task, 8)
    assert answer.activity_reset
    assert not answer.activity_paused
    w.fail_activity(task, application_failure())
    pending = w.pending_activity()
    assert (pending.attempt, pending.HasField("heartbeat_details")) == (2, False)


def test_reset_of_a_later_attempt_makes_its_worker_a_stranger(w):
    w.begin(c.activity("a", retry_policy={"initial_interval": seconds(0.1)}))
    w.fail_activity(w.poll_activity(), application_failure())
    task = w.poll_activity()
    assert task.attempt == 2
    reset(w)
    with refused("NOT_FOUND", STALE, detail="NotFoundFailure"):
        w.heartbeat(task)


def test_reset_keeps_a_pause_or_ends_it(w):
    w.begin(c.activity("a"))
    pause(w)
    reset(w, keep_paused=True)
    assert state(w) == "PAUSED"
    reset(w)
    assert state(w) == "SCHEDULED"
    assert w.poll_activity().attempt == 1


def test_options_change_field_by_field(w):
    policy = {"initial_interval": seconds(5), "non_retryable_error_types": ["Fatal"]}
    w.begin(c.activity("a", start_to_close=60, retry_policy=policy))
    options = update(
        w,
        {
            "start_to_close_timeout": seconds(30),
            "heartbeat_timeout": seconds(9),
            "retry_policy": {"maximum_attempts": 7},
            "priority": {"priority_key": 2},
        },
        "start_to_close_timeout",
        "retry_policy.maximum_attempts",
        "priority.priority_key",
    )
    assert options.start_to_close_timeout.seconds == 30
    assert options.heartbeat_timeout.seconds == 0
    assert options.retry_policy.maximum_attempts == 7
    assert options.retry_policy.initial_interval.seconds == 5
    assert not options.retry_policy.non_retryable_error_types
    assert options.priority.priority_key == 2
    assert options.task_queue.name == w.queue
    pending = w.pending_activity()
    assert pending.activity_options.start_to_close_timeout.seconds == 30
    assert pending.maximum_attempts == 7
    assert pending.priority.priority_key == 2


def test_options_are_restored(w):
    w.begin(c.activity("a", start_to_close=60))
    update(w, {"start_to_close_timeout": seconds(30)}, "startToCloseTimeout")
    options = update(w, None, restore_original=True)
    assert options.start_to_close_timeout.seconds == 60
    assert w.pending_activity().activity_options.start_to_close_timeout.seconds == 60


def test_another_queue_takes_the_task_along(w, w2):
    w.begin(c.activity("a"))
    update(w, {"task_queue": {"name": w2.queue}}, "task_queue.name")
    task = w.poll_activity(queue={"name": w2.queue})
    assert task.activity_id == "a"
    w.no_task(kind="Activity")


def test_a_waiting_retry_follows_the_new_policy(w):
    w.begin(c.activity("a", retry_policy=SLOW_RETRY))
    w.fail_activity(w.poll_activity(), application_failure())
    options = {"retry_policy": {"initial_interval": seconds(0.1)}}
    update(w, options, "retry_policy.initial_interval")
    assert w.poll_activity().attempt == 2


@pytest.mark.parametrize(
    "options, paths, message",
    [
        (None, ["priority"], "ActivityOptions are not provided"),
        ({}, None, "UpdateMask is not provided"),
        ({}, [], "UpdateMask must specify at least one path"),
        ({}, ["nope"], 'unsupported update_mask path: "nope"'),
        (
            {"start_to_close_timeout": seconds(-1)},
            ["start_to_close_timeout"],
            "invalid StartToCloseTimeout: negative duration",
        ),
        (
            {"priority": {"priority_key": -1}},
            ["priority.priority_key"],
            "priority key can't be negative",
        ),
        (
            {"retry_policy": {"maximum_attempts": -1}},
            ["retry_policy.maximum_attempts"],
            "MaximumAttempts cannot be negative on retry policy.",
        ),
        (
            {"retry_policy": {"backoff_coefficient": 0.5}},
            ["retry_policy.backoff_coefficient"],
            "BackoffCoefficient cannot be less than 1 on retry policy.",
        ),
        ({"task_queue": {}}, ["task_queue.name"], "missing task queue name"),
    ],
)
def test_options_that_are_refused(w, options, paths, message):
    w.begin(c.activity("a"))
    with refused("INVALID_ARGUMENT", message):
        w.call(
            "UpdateActivityExecutionOptions",
            workflow_id=w.id,
            activity_id="a",
            activity_options=options,
            update_mask=None if paths is None else {"paths": paths},
        )


@pytest.mark.parametrize(
    "rpc",
    [
        "PauseActivityExecution",
        "UnpauseActivityExecution",
        "ResetActivityExecution",
        "UpdateActivityExecutionOptions",
    ],
)
def test_what_all_commands_check(w, rpc):
    w.begin(c.activity("a"))
    more = {"restore_original": True} if rpc.startswith("Update") else {}
    with refused("INVALID_ARGUMENT", "activity ID is required"):
        w.call(rpc, workflow_id=w.id, **more)
    with refused("INVALID_ARGUMENT", "activity ID exceeds length limit. Length=1001 Limit=1000"):
        w.call(rpc, workflow_id=w.id, activity_id="a" * 1001, **more)
    with refused("INVALID_ARGUMENT", "invalid run id: must be a valid UUID"):
        w.call(rpc, workflow_id=w.id, activity_id="a", run_id="x", **more)
    with refused("NOT_FOUND", MISSING, detail="NotFoundFailure"):
        w.call(rpc, workflow_id=w.id, activity_id="none", **more)
    with refused("NOT_FOUND", "workflow not found for ID: nope", detail="NotFoundFailure"):
        w.call(rpc, workflow_id="nope", activity_id="a", **more)
    w.terminate()
    if not more:
        closed = "workflow execution already completed"
        with refused("NOT_FOUND", closed, detail="NotFoundFailure"):
            w.call(rpc, workflow_id=w.id, activity_id="a", run_id=w.run_id)


def test_options_by_type(w):
    """The older call changes all activities of a type."""
    w.begin(c.activity("a", type_="Pay"), c.activity("b", type_="Pay"), c.activity("c", type_="Ship"))
    w.call(
        "UpdateActivityOptions",
        execution=w.execution(),
        type="Pay",
        activity_options={"start_to_close_timeout": seconds(7)},
        update_mask={"paths": ["start_to_close_timeout"]},
    )
    changed = {
        activity.activity_id: activity.activity_options.start_to_close_timeout.seconds
        for activity in w.describe().pending_activities
    }
    assert changed == {"a": 7, "b": 7, "c": 60}


@pytest.mark.parametrize("rpc", ["PauseActivity", "UnpauseActivity", "ResetActivity"])
def test_what_the_older_commands_check(w, rpc):
    w.begin(c.activity("a"))
    with refused("INVALID_ARGUMENT", "WorkflowId is not set on request."):
        w.call(rpc, id="a")
    message = "Either Activity.Id or Activity.Type should be set on request."
    with refused("INVALID_ARGUMENT", message):
        w.call(rpc, execution=w.execution())
    with refused("NOT_FOUND", MISSING, detail="NotFoundFailure"):
        w.call(rpc, execution=w.execution(), id="none")
