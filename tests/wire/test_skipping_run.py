"""Runs that skip time on their own. Behind a setting: `frontend.WorkflowTimeSkippingEnabled`."""

from datetime import timedelta

import pytest

import commands as c
import history
from client import application_failure, refused, seconds

HOUR = timedelta(hours=1)
ON = {"enabled": True}


def forward(id_, duration):
    return {"enabled": True, "fast_forward_config": {"id": id_, "duration": seconds(duration)}}


def time_of(event):
    return event.event_time.ToDatetime()


def transitions(w, run_id=None):
    name = "WorkflowExecutionTimeSkippingTransitioned"
    events = [event for event in w.events(run_id=run_id) if history.event_name(event) == name]
    assert all(event.worker_may_ignore for event in events)
    return [history.attributes(event) for event in events]


def info(w):
    return w.describe(run_id="").workflow_extended_info.time_skipping_info


def poll(w, id_, **fields):
    fields.setdefault("workflow_execution", w.execution(run_id=""))
    return w.call("PollWorkflowExecutionTimeSkipping", fast_forward_id=id_, **fields)


def result(polled):
    name = polled.DESCRIPTOR.fields_by_name["fast_forward_polling_result"].enum_type
    name = name.values_by_number[polled.fast_forward_polling_result].name
    return name.removeprefix("FAST_FORWARD_POLLING_RESULT_")


def update(w, config, mask="time_skipping_config"):
    return w.call(
        "UpdateWorkflowExecutionOptions",
        workflow_execution=w.execution(run_id=""),
        workflow_execution_options={"time_skipping_config": config} if config else {},
        update_mask={"paths": [mask]},
    )


def test_a_timer_is_skipped(w):
    w.start(time_skipping_config=ON)
    w.step(c.timer("t", 3600))
    w.step(c.complete())
    events = w.events()
    assert history.names(events) == [
        "WorkflowExecutionStarted",
        "WorkflowTaskScheduled",
        "WorkflowTaskStarted",
        "WorkflowTaskCompleted",
        "TimerStarted",
        "WorkflowExecutionTimeSkippingTransitioned",
        "TimerFired",
        "WorkflowTaskScheduled",
        "WorkflowTaskStarted",
        "WorkflowTaskCompleted",
        "WorkflowExecutionCompleted",
    ]
    started, skipped, fired = events[4], events[5], events[6]
    target = history.attributes(skipped).target_time.ToDatetime()
    assert target - time_of(started) == HOUR
    assert time_of(fired) >= target
    assert not history.attributes(skipped).disabled_after_fast_forward
    assert w.describe().workflow_execution_info.close_time == events[-1].event_time
    assert info(w).effective_config.enabled
    assert info(w).effective_config.max_session_skip_count == 200


def test_a_start_delay_is_skipped(w):
    w.start(time_skipping_config=ON, workflow_start_delay=seconds(3600))
    w.step(c.complete())
    assert len(transitions(w)) == 1


def test_the_interval_of_a_retry_is_skipped(w):
    w.start(time_skipping_config=ON)
    w.step(c.activity("a", w.queue, retry_policy={"initial_interval": seconds(3600)}))
    assert transitions(w) == []
    w.fail_activity(w.poll_activity(), application_failure("once"))
    task = w.poll_activity()
    assert task.attempt == 2
    waited = task.current_attempt_scheduled_time.ToDatetime() - task.scheduled_time.ToDatetime()
    assert waited >= HOUR
    assert len(transitions(w)) == 1


def test_a_fast_forward_is_waited_for(w):
    w.start(time_skipping_config=forward("f", 100))
    waiting = w.client.future(
        "PollWorkflowExecutionTimeSkipping",
        timeout=30,
        workflow_execution=w.execution(),
        fast_forward_id="f",
    )
    w.step(c.timer("t", 3600))
    polled = waiting.result()
    assert result(polled) == "FAST_FORWARD_COMPLETED"
    assert polled.fast_forward_info.has_completed
    assert polled.fast_forward_info.fast_forward_id == "f"
    assert polled.fast_forward_info.fast_forward_duration.seconds == 100
    (skipped,) = transitions(w)
    assert skipped.disabled_after_fast_forward
    assert skipped.target_time == polled.fast_forward_info.target_time
    assert not info(w).effective_config.enabled
    assert result(poll(w, "f")) == "FAST_FORWARD_COMPLETED"
    other = poll(w, "g")
    assert result(other) == "FAST_FORWARD_FAILED"
    assert other.failed_reason == (
        "the requested fast_forward_id does not match the execution's current fast-forward"
    )


def test_a_fast_forward_goes_on_with_the_next_run(w):
    w.start(time_skipping_config=forward("f", 4000))
    w.step(c.timer("t", 3600))
    w.step(c.continue_as_new(task_queue={"name": w.queue}))
    assert info(w).effective_config.enabled
    assert len(transitions(w)) == 1
    w.step(c.timer("t", 3600))
    assert result(poll(w, "f")) == "FAST_FORWARD_COMPLETED"
    (skipped,) = transitions(w, run_id="")
    went = skipped.target_time.ToDatetime() - time_of(w.events()[0])
    assert timedelta(0) <= went - timedelta(seconds=4000) < timedelta(seconds=10)


def test_the_end_of_a_run_ends_the_wait(w):
    w.start(time_skipping_config=forward("f", 4000))
    w.step(c.complete())
    polled = poll(w, "f")
    assert result(polled) == "FAST_FORWARD_FAILED"
    assert polled.failed_reason == "the execution ended before the fast-forward completed"


def test_options_turn_it_on_and_off(w):
    w.start()
    w.step(c.timer("t", 3600))
    assert not w.describe().workflow_extended_info.HasField("time_skipping_info")
    answer = update(w, forward("f", 60))
    config = answer.workflow_execution_options.time_skipping_config
    assert config.max_session_skip_count == 200
    (skipped,) = transitions(w)
    assert skipped.disabled_after_fast_forward
    # The same once more leads as far again.
    update(w, forward("f", 60))
    assert len(transitions(w)) == 2
    update(w, None)
    (updated,) = [
        history.attributes(event)
        for event in w.events()[-1:]
        if history.event_name(event) == "WorkflowExecutionOptionsUpdated"
    ]
    assert updated.time_skipping_config_updated
    assert not updated.HasField("time_skipping_config")
    assert not info(w).HasField("effective_config")
    with refused(
        "INVALID_ARGUMENT",
        contains="time_skipping_config doesn't support partial update",
    ):
        update(w, ON, mask="time_skipping_config.enabled")


def test_so_many_skips_and_no_more(w):
    w.start(time_skipping_config={"enabled": True, "max_session_skip_count": 1})
    w.step(c.timer("t", 3600))
    w.step(c.timer("u", 3600))
    assert len(transitions(w)) == 1
    assert not info(w).effective_config.enabled


@pytest.mark.parametrize("alone", [False, True])
def test_a_child_has_its_parents_time(w, w2, alone):
    w.start(time_skipping_config={"enabled": True, "disable_propagation": alone})
    w.step(c.timer("t", 3600))
    w.step(c.child(w2.id, task_queue={"name": w2.queue}))
    task = w2.poll()
    assert task.workflow_execution.workflow_id == w2.id
    started = history.attributes(w2.events(run_id="")[0])
    assert started.time_skipping_config.enabled != alone
    ahead = started.time_skipping_state_propagation.initial_skipped_duration
    assert ahead.ToTimedelta() > HOUR - timedelta(minutes=1)
    begun = time_of(w2.events(run_id="")[1]) - time_of(w.events()[0])
    assert begun > HOUR - timedelta(minutes=1)


@pytest.mark.parametrize(
    "config, message",
    [
        (
            {"enabled": False, "fast_forward_config": {"id": "f", "duration": seconds(1)}},
            "time_skipping_config: cannot set fast_forward when enabled is false",
        ),
        (
            {"enabled": True, "fast_forward_config": {"id": "f"}},
            "Time skipping config invalid: fast_forward duration must be positive",
        ),
        (
            {"enabled": True, "fast_forward_config": {"id": " ", "duration": seconds(1)}},
            "Time skipping config invalid: fast_forward_id must be set",
        ),
    ],
)
def test_bad_configurations(w, config, message):
    with refused("INVALID_ARGUMENT", message):
        w.start(time_skipping_config=config)
    with refused("INVALID_ARGUMENT", message):
        w.signal_with_start(time_skipping_config=config)
    w.start()
    with refused("INVALID_ARGUMENT", message):
        update(w, config)


def test_bad_polls(w):
    with refused("INVALID_ARGUMENT", "WorkflowId is not set on request."):
        poll(w, "f", workflow_execution={"workflow_id": ""})
    with refused("INVALID_ARGUMENT", "Invalid RunId."):
        poll(w, "f", workflow_execution={"workflow_id": w.id, "run_id": "x"})
    with refused("INVALID_ARGUMENT", "Time skipping config invalid: fast_forward_id must be set"):
        poll(w, " ")
    with refused("NOT_FOUND", prefix="workflow not found for ID", detail="any"):
        poll(w, "f")
