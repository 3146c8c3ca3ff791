"""Attempts of an activity: retries, timeouts, heartbeat details, cancellation."""

import commands as c
import history
import pytest
from client import application_failure, eventually, payloads, refused, seconds, values_of
from test_activity import HEAD, STALE

FAST = {"initial_interval": seconds(0.1), "maximum_attempts": 2}


def test_second_attempt(w):
    w.begin(c.activity("a", retry_policy=FAST))
    first = w.poll_activity(identity="one")
    w.fail_activity(first, application_failure("boom", "X"))
    second = w.poll_activity(identity="two")
    assert (second.activity_id, second.attempt) == ("a", 2)
    assert second.scheduled_time == first.scheduled_time
    assert (
        second.current_attempt_scheduled_time.ToNanoseconds()
        > first.current_attempt_scheduled_time.ToNanoseconds()
    )
    w.expect(HEAD + "5 ActivityTaskScheduled")
    w.complete_activity(second)
    w.expect(
        HEAD
        + """
        5 ActivityTaskScheduled
        6 ActivityTaskStarted identity=two attempt=2 last_failure.message=boom \
last_failure.application_failure_info.type=X
        7 ActivityTaskCompleted
        8 WorkflowTaskScheduled
    """
    )


def test_last_attempt(w):
    w.begin(c.activity("a", retry_policy=FAST))
    w.fail_activity(w.poll_activity(), application_failure("first"))
    w.fail_activity(w.poll_activity(), application_failure("second"))
    w.expect(
        HEAD
        + """
        5 ActivityTaskScheduled
        6 ActivityTaskStarted attempt=2 last_failure.message=first
        7 ActivityTaskFailed failure.message=second retry_state=MAXIMUM_ATTEMPTS_REACHED
        8 WorkflowTaskScheduled
    """
    )


def test_retries_have_no_limit_by_default(w):
    w.begin(c.activity("a", retry_policy={"initial_interval": seconds(0.01)}))
    for attempt in range(1, 6):
        task = w.poll_activity()
        assert task.attempt == attempt
        w.fail_activity(task, application_failure())
    assert w.pending_activity().attempt == 6


def test_waiting_for_a_retry(w):
    w.begin(c.activity("a", retry_policy={"initial_interval": seconds(20)}))
    w.fail_activity(w.poll_activity(), application_failure("boom"))
    pending = w.pending_activity()
    assert history.show(pending, "state") == "SCHEDULED"
    assert pending.attempt == 2
    assert pending.last_failure.message == "boom"
    assert pending.last_worker_identity == "worker"
    assert pending.current_retry_interval.seconds == 20
    assert pending.HasField("last_attempt_complete_time")
    wait = (
        pending.next_attempt_schedule_time.ToSeconds()
        - pending.last_attempt_complete_time.ToSeconds()
    )
    assert wait in (19, 20, 21)


@pytest.mark.parametrize(
    "policy, intervals",
    [
        ({"initial_interval": seconds(0.1), "backoff_coefficient": 3}, [0.1, 0.3, 0.9]),
        (
            {
                "initial_interval": seconds(0.1),
                "backoff_coefficient": 3,
                "maximum_interval": seconds(0.2),
            },
            [0.1, 0.2, 0.2],
        ),
        ({"initial_interval": seconds(0.1), "backoff_coefficient": 1}, [0.1, 0.1, 0.1]),
    ],
    ids=["growing", "capped", "even"],
)
def test_intervals(w, policy, intervals):
    w.begin(c.activity("a", retry_policy=policy))
    task = w.poll_activity()
    for interval in intervals:
        w.fail_activity(task, application_failure())
        task = w.poll_activity()
        failed = w.pending_activity().last_attempt_complete_time.ToNanoseconds()
        planned = task.current_attempt_scheduled_time.ToNanoseconds()
        assert abs((planned - failed) / 1e9 - interval) < 0.02


def test_next_retry_delay_overrides_interval_and_cap(w):
    policy = {"initial_interval": seconds(1), "maximum_interval": seconds(2)}
    w.begin(c.activity("a", retry_policy=policy))
    w.fail_activity(w.poll_activity(), application_failure(next_retry_delay=50))
    assert w.pending_activity().current_retry_interval.seconds == 50


def test_short_next_retry_delay(w):
    w.begin(c.activity("a", retry_policy={"initial_interval": seconds(60)}))
    w.fail_activity(w.poll_activity(), application_failure(next_retry_delay=0.1))
    assert w.poll_activity().attempt == 2


def test_token_of_an_earlier_attempt_is_stale(w):
    w.begin(c.activity("a", retry_policy={"initial_interval": seconds(0.01)}))
    first = w.poll_activity()
    w.fail_activity(first, application_failure())
    second = w.poll_activity()
    with refused("NOT_FOUND", STALE, "NotFoundFailure"):
        w.complete_activity(first)
    with refused("NOT_FOUND", STALE, "NotFoundFailure"):
        w.heartbeat(first)
    w.complete_activity(second)


def test_big_failure_is_cut_in_the_retry_state(w):
    w.begin(c.activity("a", retry_policy={"initial_interval": seconds(0.01)}))
    w.fail_activity(w.poll_activity(), application_failure("x" * 10_000))
    failure = w.pending_activity().last_failure
    assert failure.message == "Failure exceeds size limit."
    assert failure.HasField("server_failure_info")
    assert 0 < len(failure.cause.message) < 5000


# -- heartbeats ------------------------------------------------------------------------------------


def test_heartbeat_details_survive_a_retry(w):
    w.begin(c.activity("a", retry_policy={"initial_interval": seconds(0.01)}))
    task = w.poll_activity()
    answer = w.heartbeat(task, "progress", 7)
    assert not (answer.cancel_requested or answer.activity_paused or answer.activity_reset)
    w.fail_activity(task, application_failure())
    assert values_of(w.poll_activity().heartbeat_details) == ["progress", 7]


def test_last_heartbeat_details_of_a_failure_are_kept(w):
    w.begin(c.activity("a", retry_policy={"initial_interval": seconds(0.01)}))
    task = w.poll_activity()
    w.heartbeat(task, "old")
    w.fail_activity(task, application_failure(), last_heartbeat_details=payloads("new"))
    assert values_of(w.poll_activity().heartbeat_details) == ["new"]


def test_heartbeat_details_survive_two_retries(w):
    w.begin(c.activity("a", retry_policy={"initial_interval": seconds(0.01)}))
    task = w.poll_activity()
    w.heartbeat(task, "kept")
    w.fail_activity(task, application_failure())
    w.fail_activity(w.poll_activity(), application_failure())
    assert values_of(w.poll_activity().heartbeat_details) == ["kept"]


def test_heartbeats_keep_an_activity_alive(w):
    w.begin(c.activity("a", heartbeat_timeout=seconds(1), retry_policy={"maximum_attempts": 1}))
    task = w.poll_activity()
    started = task.started_time.ToNanoseconds()
    last = None
    while last is None or last - started < 2e9:
        w.heartbeat(task)
        last = w.pending_activity().last_heartbeat_time.ToNanoseconds()
    w.complete_activity(task)
    assert history.names(w.events())[6] == "ActivityTaskCompleted"


# -- timeouts --------------------------------------------------------------------------------------


def test_schedule_to_start(w):
    w.begin(c.activity("a", schedule_to_start_timeout=seconds(1)))
    w.wait_for("ActivityTaskTimedOut")
    w.expect(
        HEAD
        + """
        5 ActivityTaskScheduled
        6 ActivityTaskTimedOut scheduled_event_id=5 started_event_id=- retry_state=TIMEOUT \
failure.message="activity ScheduleToStart timeout" failure.source=Server \
failure.timeout_failure_info.timeout_type=SCHEDULE_TO_START failure.cause=-
        7 WorkflowTaskScheduled
    """
    )
    w.no_task(kind="Activity")


def test_start_to_close_of_the_last_attempt(w):
    w.begin(c.activity("a", start_to_close=1, retry_policy={"maximum_attempts": 1}))
    w.poll_activity()
    w.wait_for("ActivityTaskTimedOut")
    w.expect(
        HEAD
        + """
        5 ActivityTaskScheduled
        6 ActivityTaskStarted attempt=1
        7 ActivityTaskTimedOut scheduled_event_id=5 started_event_id=6 \
retry_state=MAXIMUM_ATTEMPTS_REACHED failure.message="activity StartToClose timeout" \
failure.source=Server failure.timeout_failure_info.timeout_type=START_TO_CLOSE failure.cause=-
        8 WorkflowTaskScheduled
    """
    )


def test_start_to_close_is_retried(w):
    w.begin(c.activity("a", start_to_close=1, retry_policy=FAST))
    first = w.poll_activity()
    second = w.poll_activity()
    assert second.attempt == 2
    assert w.pending_activity().last_failure.message == "activity StartToClose timeout"
    with refused("NOT_FOUND", STALE, "NotFoundFailure"):
        w.complete_activity(first)
    w.wait_for("ActivityTaskTimedOut")
    w.expect(
        HEAD
        + """
        5 ActivityTaskScheduled
        6 ActivityTaskStarted attempt=2 last_failure.message="activity StartToClose timeout"
        7 ActivityTaskTimedOut retry_state=MAXIMUM_ATTEMPTS_REACHED \
failure.message="activity StartToClose timeout" \
failure.cause.message="activity StartToClose timeout"
        8 WorkflowTaskScheduled
    """
    )


def test_heartbeat_timeout(w):
    w.begin(c.activity("a", heartbeat_timeout=seconds(1), retry_policy={"maximum_attempts": 1}))
    w.heartbeat(w.poll_activity(), "last words")
    w.wait_for("ActivityTaskTimedOut")
    w.expect(
        HEAD
        + """
        5 ActivityTaskScheduled
        6 ActivityTaskStarted attempt=1
        7 ActivityTaskTimedOut retry_state=MAXIMUM_ATTEMPTS_REACHED \
failure.message="activity Heartbeat timeout" failure.source=Server \
failure.timeout_failure_info.timeout_type=HEARTBEAT \
failure.timeout_failure_info.last_heartbeat_details='"last words"'
        8 WorkflowTaskScheduled
    """
    )


def test_heartbeat_timeout_is_retried(w):
    w.begin(c.activity("a", heartbeat_timeout=seconds(1), retry_policy=FAST))
    w.heartbeat(w.poll_activity(), "kept")
    second = w.poll_activity()
    assert (second.attempt, values_of(second.heartbeat_details)) == (2, ["kept"])


NO_TIME = (
    "Not enough time to schedule next retry before activity ScheduleToClose timeout, "
    "giving up retrying"
)


def test_schedule_to_close_while_running(w):
    w.begin(c.activity("a", start_to_close=None, schedule_to_close_timeout=seconds(1)))
    w.poll_activity()
    w.wait_for("ActivityTaskTimedOut")
    w.expect(
        HEAD
        + f"""
        5 ActivityTaskScheduled
        6 ActivityTaskStarted attempt=1
        7 ActivityTaskTimedOut started_event_id=6 retry_state=TIMEOUT failure.message="{NO_TIME}" \
failure.timeout_failure_info.timeout_type=SCHEDULE_TO_CLOSE
        8 WorkflowTaskScheduled
    """
    )


def test_schedule_to_close_between_attempts(w):
    w.begin(
        c.activity(
            "a",
            schedule_to_close_timeout=seconds(2),
            retry_policy={"initial_interval": seconds(0.5), "backoff_coefficient": 1},
        )
    )
    w.fail_activity(w.poll_activity(), application_failure("boom"))
    w.wait_for("ActivityTaskTimedOut")  # nobody takes the second attempt
    w.expect(
        HEAD
        + f"""
        5 ActivityTaskScheduled
        6 ActivityTaskTimedOut started_event_id=- retry_state=TIMEOUT failure.message="{NO_TIME}" \
failure.timeout_failure_info.timeout_type=SCHEDULE_TO_CLOSE failure.cause.message=boom
        7 WorkflowTaskScheduled
    """
    )


def test_failure_without_room_for_a_retry(w):
    w.begin(
        c.activity(
            "a",
            schedule_to_close_timeout=seconds(5),
            retry_policy={"initial_interval": seconds(30)},
        )
    )
    w.fail_activity(w.poll_activity(), application_failure("boom"))
    w.expect(
        HEAD
        + """
        5 ActivityTaskScheduled
        6 ActivityTaskStarted
        7 ActivityTaskFailed retry_state=TIMEOUT failure.message=boom
        8 WorkflowTaskScheduled
    """
    )


def test_timeout_without_room_for_a_retry(w):
    w.begin(
        c.activity(
            "a",
            start_to_close=1,
            schedule_to_close_timeout=seconds(5),
            retry_policy={"initial_interval": seconds(30)},
        )
    )
    w.poll_activity()
    w.wait_for("ActivityTaskTimedOut")
    w.expect(
        HEAD
        + f"""
        5 ActivityTaskScheduled
        6 ActivityTaskStarted
        7 ActivityTaskTimedOut retry_state=TIMEOUT failure.message="{NO_TIME}" \
failure.timeout_failure_info.timeout_type=SCHEDULE_TO_CLOSE failure.cause=-
        8 WorkflowTaskScheduled
    """
    )


@pytest.mark.parametrize(
    "entry, timeouts",
    [
        ("TemporalTimeout:StartToClose", {"start_to_close": 1}),
        ("TemporalTimeout:Heartbeat", {"heartbeat_timeout": seconds(1)}),
    ],
)
def test_timeouts_can_be_non_retryable(w, entry, timeouts):
    w.begin(c.activity("a", retry_policy={"non_retryable_error_types": [entry]}, **timeouts))
    w.poll_activity()
    timed_out = w.wait_for("ActivityTaskTimedOut")
    assert history.show(history.attributes(timed_out), "retry_state") == "NON_RETRYABLE_FAILURE"


def test_unstarted_activity_has_no_start_to_close(w):
    w.begin(c.activity("a", start_to_close=1), c.timer("t", after=2))
    w.wait_for("TimerFired")
    assert w.pending_activity().attempt == 1


# -- cancellation ----------------------------------------------------------------------------------


def start_and_cancel(w, **fields):
    """A started activity whose workflow has requested its cancellation."""
    w.begin(c.activity("a", **fields))
    task = w.poll_activity()
    w.signal("s")
    w.step(c.cancel_activity(5))
    return task


UNTIL_CANCEL = (
    HEAD
    + """
    5 ActivityTaskScheduled
    6 WorkflowExecutionSignaled
    7 WorkflowTaskScheduled
    8 WorkflowTaskStarted
    9 WorkflowTaskCompleted
    10 ActivityTaskCancelRequested scheduled_event_id=5 workflow_task_completed_event_id=9
"""
)


def test_cancel_a_started_activity(w):
    task = start_and_cancel(w)
    w.expect(UNTIL_CANCEL)
    assert history.show(w.pending_activity(), "state") == "CANCEL_REQUESTED"
    assert w.heartbeat(task).cancel_requested
    w.cancel_activity(task, "why")
    w.expect(
        UNTIL_CANCEL
        + """
        11 ActivityTaskStarted scheduled_event_id=5
        12 ActivityTaskCanceled scheduled_event_id=5 started_event_id=11 \
latest_cancel_requested_event_id=10 details='"why"' identity=worker
        13 WorkflowTaskScheduled
    """
    )


def test_cancel_by_id(w):
    start_and_cancel(w)
    w.call(
        "RespondActivityTaskCanceledById",
        workflow_id=w.id,
        activity_id="a",
        details=payloads("why"),
    )
    assert history.names(w.events())[11] == "ActivityTaskCanceled"


def test_heartbeat_by_id_tells_of_the_cancel(w):
    start_and_cancel(w)
    answer = w.call("RecordActivityTaskHeartbeatById", workflow_id=w.id, activity_id="a")
    assert answer.cancel_requested


def test_cancelled_activity_may_complete(w):
    task = start_and_cancel(w)
    w.complete_activity(task, "done")
    w.expect(
        UNTIL_CANCEL
        + """
        11 ActivityTaskStarted
        12 ActivityTaskCompleted result='"done"'
        13 WorkflowTaskScheduled
    """
    )


def test_cancelled_activity_is_not_retried(w):
    task = start_and_cancel(w)
    w.fail_activity(task, application_failure("boom"))
    w.expect(
        UNTIL_CANCEL
        + """
        11 ActivityTaskStarted
        12 ActivityTaskFailed failure.message=boom retry_state=CANCEL_REQUESTED
        13 WorkflowTaskScheduled
    """
    )


def test_cancelled_activity_that_times_out(w):
    start_and_cancel(w, start_to_close=1)
    timed_out = history.attributes(w.wait_for("ActivityTaskTimedOut"))
    assert history.show(timed_out, "retry_state") == "CANCEL_REQUESTED"


def test_cancelled_without_a_request(w):
    w.begin(c.activity("a"))
    task = w.poll_activity()
    message = "unable to mark activity as canceled without activity being request canceled first"
    with refused("INVALID_ARGUMENT", message):
        w.cancel_activity(task)
    w.complete_activity(task)


def test_cancel_an_unstarted_activity(w):
    w.begin(c.activity("a"))
    w.signal("s")
    w.step(c.cancel_activity(5))
    w.expect(
        UNTIL_CANCEL
        + """
        11 ActivityTaskCanceled scheduled_event_id=5 started_event_id=- \
latest_cancel_requested_event_id=10 details='"ACTIVITY_ID_NOT_STARTED"'
        12 WorkflowTaskScheduled
    """
    )
    w.no_task(kind="Activity")


def test_cancel_an_activity_that_waits_for_its_retry(w):
    w.begin(c.activity("a", retry_policy={"initial_interval": seconds(60)}))
    w.fail_activity(w.poll_activity(), application_failure())
    w.signal("s")
    w.step(c.cancel_activity(5))
    w.expect(
        UNTIL_CANCEL
        + """
        11 ActivityTaskCanceled started_event_id=- details='"ACTIVITY_ID_NOT_STARTED"'
        12 WorkflowTaskScheduled
    """
    )


def test_activity_id_is_free_after_the_close(w):
    w.begin(c.activity("a"))
    w.complete_activity(w.poll_activity())
    w.step(c.activity("a"))
    assert eventually(w.pending_activity).attempt == 1
