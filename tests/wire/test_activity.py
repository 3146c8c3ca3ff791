"""Activities without retries: timeouts as stored, tasks as delivered, results, by-id calls."""

import commands as c
import history
import pytest
from client import application_failure, payload, payloads, refused, seconds, values_of

HEAD = """
    1 WorkflowExecutionStarted
    2 WorkflowTaskScheduled
    3 WorkflowTaskStarted
    4 WorkflowTaskCompleted
"""
STALE = "invalid activityID or activity already timed out or invoking workflow is completed"


# -- timeouts as stored ----------------------------------------------------------------------------

S2C, S2S, STC, HB = (
    "schedule_to_close_timeout",
    "schedule_to_start_timeout",
    "start_to_close_timeout",
    "heartbeat_timeout",
)


@pytest.mark.parametrize(
    "run_timeout, given, stored",
    [
        (None, {STC: 5}, {S2C: 0, S2S: 0, STC: 5, HB: 0}),
        (None, {S2C: 5}, {S2C: 5, S2S: 5, STC: 5, HB: 0}),
        (None, {S2C: 5, STC: 9}, {S2C: 5, S2S: 5, STC: 5, HB: 0}),
        (None, {S2C: 9, STC: 5, S2S: 3}, {S2C: 9, S2S: 3, STC: 5, HB: 0}),
        (None, {S2C: 5, S2S: 9}, {S2C: 5, S2S: 5, STC: 5, HB: 0}),
        (None, {STC: 5, HB: 9}, {S2C: 0, S2S: 0, STC: 5, HB: 5}),
        (None, {STC: 5, HB: 2}, {S2C: 0, S2S: 0, STC: 5, HB: 2}),
        (None, {STC: 5, S2S: 7}, {S2C: 0, S2S: 7, STC: 5, HB: 0}),
        (100, {STC: 5}, {S2C: 100, S2S: 100, STC: 5, HB: 0}),
        (100, {STC: 500, HB: 400}, {S2C: 100, S2S: 100, STC: 100, HB: 100}),
        (100, {S2C: 500, S2S: 400}, {S2C: 100, S2S: 100, STC: 100, HB: 0}),
    ],
    ids=str,
)
def test_timeouts_are_normalised(w, run_timeout, given, stored):
    fields = {"workflow_run_timeout": seconds(run_timeout)} if run_timeout else {}
    timeouts = {name: seconds(value) for name, value in given.items()}
    w.begin(c.activity("a", start_to_close=None, **timeouts), **fields)
    pairs = " ".join(f"{name}={value}s" for name, value in stored.items())
    w.expect(HEAD + f"5 ActivityTaskScheduled {pairs}")


def test_scheduled_event(w):
    w.begin(
        c.activity(
            "a",
            input=payloads(1, "two"),
            header={"fields": {"h": payload("x")}},
            priority={"priority_key": 4},
        )
    )
    w.expect(
        HEAD
        + f"""
        5 ActivityTaskScheduled activity_id=a activity_type.name=A task_queue.name={w.queue} \
task_queue.kind=NORMAL input='1,"two"' header.fields.h='"x"' workflow_task_completed_event_id=4 \
priority.priority_key=4 retry_policy.initial_interval=1s retry_policy.backoff_coefficient=2.0 \
retry_policy.maximum_interval=100s retry_policy.maximum_attempts=-
    """
    )


def test_given_retry_policy_is_filled(w):
    policy = {"initial_interval": seconds(3), "non_retryable_error_types": ["X"]}
    w.begin(c.activity("a", retry_policy=policy))
    w.expect(
        HEAD
        + """
        5 ActivityTaskScheduled retry_policy.initial_interval=3s \
retry_policy.backoff_coefficient=2.0 retry_policy.maximum_interval=300s \
retry_policy.non_retryable_error_types='["X"]'
    """
    )


# -- the task --------------------------------------------------------------------------------------


def test_task(w):
    w.begin(
        c.activity(
            "a",
            start_to_close=7,
            schedule_to_close_timeout=seconds(20),
            heartbeat_timeout=seconds(3),
            input=payloads("in"),
            header={"fields": {"h": payload("x")}},
        )
    )
    task = w.poll_activity()
    assert (task.activity_id, task.activity_type.name, task.attempt) == ("a", "A", 1)
    assert task.workflow_execution.workflow_id == w.id
    assert task.workflow_execution.run_id == w.run_id
    assert (task.workflow_type.name, task.workflow_namespace) == ("T", "default")
    assert values_of(task.input) == ["in"]
    assert task.header.fields["h"].data == b'"x"'
    assert task.start_to_close_timeout.seconds == 7
    assert task.schedule_to_close_timeout.seconds == 20
    assert task.heartbeat_timeout.seconds == 3
    assert task.retry_policy.initial_interval.seconds == 1
    assert not task.heartbeat_details.payloads
    times = [task.scheduled_time, task.current_attempt_scheduled_time, task.started_time]
    assert times == sorted(times, key=lambda t: t.ToNanoseconds())
    assert all(t.seconds for t in times)


def test_workflow_priority_is_inherited(w):
    w.begin(c.activity("a"), priority={"priority_key": 2, "fairness_key": "f"})
    task = w.poll_activity()
    assert (task.priority.priority_key, task.priority.fairness_key) == (2, "f")


def test_activity_on_another_queue(w, w2):
    w.begin(c.activity("a", queue=w2.queue))
    assert w2.poll_activity().activity_id == "a"


def test_pending_activity(w):
    w.begin(c.activity("a", retry_policy={"maximum_attempts": 3}, heartbeat_timeout=seconds(30)))
    pending = w.pending_activity()
    assert history.show(pending, "state") == "SCHEDULED"
    assert (pending.attempt, pending.maximum_attempts) == (1, 3)
    assert pending.activity_type.name == "A"
    assert not pending.HasField("last_started_time")
    assert pending.HasField("scheduled_time")
    task = w.poll_activity()
    pending = w.pending_activity()
    assert history.show(pending, "state") == "STARTED"
    assert pending.last_worker_identity == "worker"
    assert pending.HasField("last_started_time")
    w.heartbeat(task, "half")
    pending = w.pending_activity()
    assert values_of(pending.heartbeat_details) == ["half"]
    assert pending.HasField("last_heartbeat_time")
    w.complete_activity(task)
    assert w.pending_activity() is None


# -- results ---------------------------------------------------------------------------------------


def test_started_event_is_written_with_the_close(w):
    w.begin(c.activity("a"))
    task = w.poll_activity(identity="activity worker")
    w.expect(HEAD + "5 ActivityTaskScheduled")
    w.complete_activity(task, "out", identity="finisher")
    w.expect(
        HEAD
        + """
        5 ActivityTaskScheduled
        6 ActivityTaskStarted scheduled_event_id=5 identity="activity worker" attempt=1 \
last_failure=-
        7 ActivityTaskCompleted scheduled_event_id=5 started_event_id=6 result='"out"' \
identity=finisher
        8 WorkflowTaskScheduled
    """
    )


def test_completed_without_a_result(w):
    w.begin(c.activity("a"))
    w.complete_activity(w.poll_activity())
    assert history.attributes(w.events()[6]).result.payloads == []


def test_failed(w):
    w.begin(c.activity("a", retry_policy={"maximum_attempts": 1}))
    failure = application_failure("boom", "X", source="src", stack_trace="trace")
    w.fail_activity(w.poll_activity(), failure)
    w.expect(
        HEAD
        + """
        5 ActivityTaskScheduled
        6 ActivityTaskStarted scheduled_event_id=5 attempt=1
        7 ActivityTaskFailed scheduled_event_id=5 started_event_id=6 identity=worker \
failure.message=boom failure.source=src failure.stack_trace=trace \
failure.application_failure_info.type=X retry_state=MAXIMUM_ATTEMPTS_REACHED
        8 WorkflowTaskScheduled
    """
    )


def test_non_retryable_failure(w):
    w.begin(c.activity("a"))
    w.fail_activity(w.poll_activity(), application_failure(non_retryable=True))
    failed = history.attributes(w.events()[6])
    assert history.show(failed, "retry_state") == "NON_RETRYABLE_FAILURE"


def test_failure_of_a_non_retryable_type(w):
    w.begin(c.activity("a", retry_policy={"non_retryable_error_types": ["X", "Y"]}))
    w.fail_activity(w.poll_activity(), application_failure(type_="Y"))
    failed = history.attributes(w.events()[6])
    assert history.show(failed, "retry_state") == "NON_RETRYABLE_FAILURE"


def test_failure_needs_application_info(w):
    w.begin(c.activity("a"))
    task = w.poll_activity()
    with refused("INVALID_ARGUMENT", "Failure must have ApplicationFailureInfo."):
        w.fail_activity(task, {"message": "no info"})
    w.complete_activity(task)


def test_failure_may_be_absent(w):
    w.begin(c.activity("a", retry_policy={"maximum_attempts": 1}))
    w.fail_activity(w.poll_activity(), None)
    assert history.names(w.events())[6] == "ActivityTaskFailed"


# -- late and double -------------------------------------------------------------------------------


@pytest.mark.parametrize("again", ["complete", "fail", "cancel", "heartbeat"])
def test_finished_activity_takes_nothing_more(w, again):
    w.begin(c.activity("a"))
    task = w.poll_activity()
    w.complete_activity(task)
    with refused("NOT_FOUND", STALE, "NotFoundFailure"):
        respond(w, task, again)


@pytest.mark.parametrize("call", ["complete", "fail", "cancel", "heartbeat"])
def test_activity_of_a_closed_workflow_takes_nothing_more(w, call):
    w.begin(c.activity("a"))
    task = w.poll_activity()
    w.terminate()
    message = "workflow execution already completed"
    with refused("NOT_FOUND", message, "NotFoundFailure"):
        respond(w, task, call)


def respond(w, task, how):
    if how == "complete":
        w.complete_activity(task)
    elif how == "fail":
        w.fail_activity(task, application_failure())
    elif how == "cancel":
        w.cancel_activity(task)
    else:
        w.heartbeat(task)


def test_activity_of_a_closed_workflow_is_not_handed_out(w):
    w.begin(c.activity("a"))
    w.terminate()
    w.no_task(kind="Activity")


# -- by id -----------------------------------------------------------------------------------------


def by_id(w, rpc, activity_id="a", **fields):
    fields.setdefault("run_id", w.run_id)
    return w.call(rpc, workflow_id=w.id, activity_id=activity_id, identity="by id", **fields)


@pytest.mark.parametrize("run", ["named", "current"])
def test_complete_by_id(w, run):
    w.begin(c.activity("a"))
    w.poll_activity()
    run_id = w.run_id if run == "named" else ""
    by_id(w, "RespondActivityTaskCompletedById", run_id=run_id, result=payloads("out"))
    w.expect(
        HEAD
        + """
        5 ActivityTaskScheduled
        6 ActivityTaskStarted identity=worker
        7 ActivityTaskCompleted result='"out"' identity="by id" started_event_id=6
        8 WorkflowTaskScheduled
    """
    )


def test_complete_by_id_before_the_start(w):
    w.begin(c.activity("a"))
    by_id(w, "RespondActivityTaskCompletedById", result=payloads("out"))
    w.expect(
        HEAD
        + """
        5 ActivityTaskScheduled
        6 ActivityTaskStarted scheduled_event_id=5
        7 ActivityTaskCompleted scheduled_event_id=5 started_event_id=6 result='"out"'
        8 WorkflowTaskScheduled
    """
    )
    w.no_task(kind="Activity")


def test_fail_by_id(w):
    w.begin(c.activity("a", retry_policy={"maximum_attempts": 1}))
    w.poll_activity()
    by_id(w, "RespondActivityTaskFailedById", failure=application_failure("boom"))
    assert history.names(w.events())[6] == "ActivityTaskFailed"


def test_fail_by_id_is_retried(w):
    w.begin(c.activity("a", retry_policy={"initial_interval": seconds(0.1)}))
    w.poll_activity()
    by_id(w, "RespondActivityTaskFailedById", failure=application_failure("boom"))
    assert w.poll_activity().attempt == 2


def test_heartbeat_by_id(w):
    w.begin(c.activity("a"))
    task = w.poll_activity()
    answer = by_id(w, "RecordActivityTaskHeartbeatById", details=payloads("beat"))
    assert not answer.cancel_requested
    assert values_of(w.pending_activity().heartbeat_details) == ["beat"]
    w.complete_activity(task)


def test_heartbeat_by_id_before_the_start(w):
    w.begin(c.activity("a"))
    with refused("NOT_FOUND", STALE, "NotFoundFailure"):
        by_id(w, "RecordActivityTaskHeartbeatById")


@pytest.mark.parametrize(
    "rpc",
    [
        "RespondActivityTaskCompletedById",
        "RespondActivityTaskFailedById",
        "RespondActivityTaskCanceledById",
        "RecordActivityTaskHeartbeatById",
    ],
)
def test_unknown_activity_id(w, rpc):
    w.begin(c.activity("a"))
    message = (
        "cannot find pending activity with ActivityID zz, "
        "check workflow execution history for more details"
    )
    with refused("NOT_FOUND", message, "NotFoundFailure"):
        by_id(w, rpc, activity_id="zz")


@pytest.mark.parametrize(
    "rpc",
    [
        "RespondActivityTaskCompletedById",
        "RespondActivityTaskFailedById",
        "RespondActivityTaskCanceledById",
        "RecordActivityTaskHeartbeatById",
    ],
)
def test_by_id_needs_its_ids(w, rpc):
    with refused("INVALID_ARGUMENT", "ActivityId is not set on request."):
        by_id(w, rpc, activity_id="")
    with refused("NOT_FOUND", f"workflow not found for ID: {w.id}", "NotFoundFailure"):
        by_id(w, rpc, run_id="")


# -- sizes -----------------------------------------------------------------------------------------

BIG = "x" * (2 * 1024 * 1024 + 1)


def test_oversized_result_fails_the_activity(w):
    w.begin(c.activity("a"))
    w.complete_activity(w.poll_activity(), BIG)
    w.expect(
        HEAD
        + """
        5 ActivityTaskScheduled
        6 ActivityTaskStarted
        7 ActivityTaskFailed failure.message="Complete result exceeds size limit." \
failure.server_failure_info.non_retryable=true retry_state=NON_RETRYABLE_FAILURE
        8 WorkflowTaskScheduled
    """
    )


def test_oversized_heartbeat_fails_the_activity(w):
    w.begin(c.activity("a"))
    assert w.heartbeat(w.poll_activity(), BIG).cancel_requested
    w.expect(
        HEAD
        + """
        5 ActivityTaskScheduled
        6 ActivityTaskStarted
        7 ActivityTaskFailed failure.message="Heartbeat details exceed size limit." \
failure.server_failure_info.non_retryable=true retry_state=NON_RETRYABLE_FAILURE
        8 WorkflowTaskScheduled
    """
    )


def test_oversized_failure_is_replaced(w):
    w.begin(c.activity("a", retry_policy={"maximum_attempts": 1}))
    answer = w.fail_activity(w.poll_activity(), application_failure(BIG))
    assert [f.message for f in answer.failures] == ["Failure exceeds size limit."]
    failed = history.attributes(w.events()[6]).failure
    assert failed.message == "Failure exceeds size limit."
    assert failed.server_failure_info.non_retryable


def test_oversized_input_of_a_start(w):
    with refused("INVALID_ARGUMENT", "Blob data size exceeds limit."):
        w.start(input=payloads(BIG))
