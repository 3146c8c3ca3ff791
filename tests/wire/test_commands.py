"""Every command and the event that it becomes."""

import time

import commands as c
import pytest
from client import payload, payloads, seconds


def first_four():
    return """
        1 WorkflowExecutionStarted
        2 WorkflowTaskScheduled
        3 WorkflowTaskStarted
        4 WorkflowTaskCompleted
    """


def test_no_command_order_is_lost(w):
    w.begin(c.timer("1"), c.marker("m"), c.activity("a"), c.timer("2"), c.modify_memo(k=payload(1)))
    w.expect(
        first_four()
        + """
        5 TimerStarted timer_id=1
        6 MarkerRecorded
        7 ActivityTaskScheduled
        8 TimerStarted timer_id=2
        9 WorkflowPropertiesModified
    """
    )


# -- timers ----------------------------------------------------------------------------------------


def test_timer(w):
    w.begin(c.timer("t", after=1))
    w.wait_for("TimerFired")
    w.expect(
        first_four()
        + """
        5 TimerStarted timer_id=t start_to_fire_timeout=1s workflow_task_completed_event_id=4
        6 TimerFired timer_id=t started_event_id=5
        7 WorkflowTaskScheduled
    """
    )


def test_timer_of_zero_seconds(w):
    w.begin(c.timer("t", after=0))
    w.expect(
        first_four()
        + """
        5 TimerStarted start_to_fire_timeout=0s
        6 TimerFired
        7 WorkflowTaskScheduled
    """,
        within=5,
    )


def test_timers_fire_in_the_order_of_their_time(w):
    w.begin(c.timer("late", after=4), c.timer("early", after=1))
    w.wait_for("TimerFired")
    w.step()
    w.wait_for("TimerFired", count=2)
    w.expect(
        first_four()
        + """
        5 TimerStarted timer_id=late
        6 TimerStarted timer_id=early
        7 TimerFired timer_id=early started_event_id=6
        8 WorkflowTaskScheduled
        9 WorkflowTaskStarted
        10 WorkflowTaskCompleted
        11 TimerFired timer_id=late started_event_id=5
        12 WorkflowTaskScheduled
    """
    )


def test_cancel_timer(w):
    w.begin(c.timer("t"))
    w.signal("s")
    w.step(c.cancel_timer("t"))
    w.expect(
        first_four()
        + """
        5 TimerStarted
        6 WorkflowExecutionSignaled
        7 WorkflowTaskScheduled
        8 WorkflowTaskStarted
        9 WorkflowTaskCompleted
        10 TimerCanceled timer_id=t started_event_id=5 workflow_task_completed_event_id=9 \
identity=worker
    """
    )


def test_cancelled_timer_does_not_fire(w):
    w.begin(c.timer("t", after=1), c.cancel_timer("t"), c.timer("u", after=2))
    w.wait_for("TimerFired")
    w.expect(
        first_four()
        + """
        5 TimerStarted timer_id=t
        6 TimerCanceled timer_id=t
        7 TimerStarted timer_id=u
        8 TimerFired timer_id=u
        9 WorkflowTaskScheduled
    """
    )


def test_cancelled_timer_id_may_be_used_again(w):
    w.begin(c.timer("t"), c.cancel_timer("t"), c.timer("t"))
    w.expect(
        first_four()
        + """
        5 TimerStarted timer_id=t
        6 TimerCanceled timer_id=t
        7 TimerStarted timer_id=t
    """
    )


def test_fired_timer_id_may_be_used_again(w):
    w.begin(c.timer("t", after=0))
    w.wait_for("TimerFired")
    w.step(c.timer("t"))
    assert w.events()[-1].timer_started_event_attributes.timer_id == "t"


def test_timer_that_fired_during_the_task_may_be_cancelled(w):
    """The buffered TimerFired gives way: the worker decided before it knew."""
    w.begin(c.timer("t", after=1))
    w.signal("s")
    task = w.poll()
    time.sleep(1.5)  # nothing shows that a timer has fired into the buffer
    w.complete(task, c.cancel_timer("t"))
    w.expect(
        first_four()
        + """
        5 TimerStarted
        6 WorkflowExecutionSignaled
        7 WorkflowTaskScheduled
        8 WorkflowTaskStarted
        9 WorkflowTaskCompleted
        10 TimerCanceled started_event_id=5
    """
    )


# -- markers, memo, search attributes --------------------------------------------------------------


def test_marker(w):
    marker = c.command(
        "record_marker",
        marker_name="m",
        details={"k": payloads(1)},
        header={"fields": {"h": payload("x")}},
        failure={"message": "f"},
    )
    w.begin(marker)
    event = w.expect(
        first_four()
        + """
        5 MarkerRecorded marker_name=m details.k=1 header.fields.h='"x"' failure.message=f \
workflow_task_completed_event_id=4
    """
    )[4]
    assert set(event.marker_recorded_event_attributes.details) == {"k"}


def test_modify_memo(w):
    w.begin(
        c.modify_memo(a=payload(1), b=payload(2)),
        memo={"fields": {"b": payload("old"), "c": payload("kept")}},
    )
    w.expect(
        first_four()
        + """
        5 WorkflowPropertiesModified upserted_memo.fields.a=1 workflow_task_completed_event_id=4
    """
    )
    fields = w.describe().workflow_execution_info.memo.fields
    assert {k: v.data for k, v in fields.items()} == {"a": b"1", "b": b"2", "c": b'"kept"'}


def test_null_removes_a_memo_field(w):
    null = {"metadata": {"encoding": b"binary/null"}}
    w.begin(c.modify_memo(a=null), memo={"fields": {"a": payload(1), "b": payload(2)}})
    assert set(w.describe().workflow_execution_info.memo.fields) == {"b"}


def test_upsert_of_a_predefined_search_attribute(w):
    w.begin(c.upsert(TemporalChangeVersion=payload(["a-1"], type="KeywordList")))
    w.expect(
        first_four()
        + """
        5 UpsertWorkflowSearchAttributes \
search_attributes.indexed_fields.TemporalChangeVersion='["a-1"]' workflow_task_completed_event_id=4
    """
    )
    attributes = w.describe().workflow_execution_info.search_attributes.indexed_fields
    assert attributes["TemporalChangeVersion"].data == b'["a-1"]'


# -- closing ---------------------------------------------------------------------------------------


def test_complete(w):
    w.begin(c.complete(1, "two"))
    w.expect(
        first_four()
        + """
        5 WorkflowExecutionCompleted result='1,"two"' workflow_task_completed_event_id=4
    """
    )
    assert w.status() == "COMPLETED"


def test_complete_without_a_result(w):
    w.begin(c.complete())
    w.expect(first_four() + "5 WorkflowExecutionCompleted result=-")


def test_fail(w):
    w.begin(c.fail("boom", type_="X", non_retryable=True))
    w.expect(
        first_four()
        + """
        5 WorkflowExecutionFailed failure.message=boom failure.application_failure_info.type=X \
retry_state=RETRY_POLICY_NOT_SET workflow_task_completed_event_id=4 new_execution_run_id=-
    """
    )
    assert w.status() == "FAILED"


def test_cancel(w):
    w.begin(c.cancel("details"))
    w.expect(
        first_four()
        + """
        5 WorkflowExecutionCanceled details='"details"' workflow_task_completed_event_id=4
    """
    )
    assert w.status() == "CANCELED"


def test_commands_before_a_close_are_recorded(w):
    w.begin(c.timer("t"), c.activity("a"), c.complete())
    w.expect(
        first_four()
        + """
        5 TimerStarted
        6 ActivityTaskScheduled
        7 WorkflowExecutionCompleted
    """
    )
    w.no_task(kind="Activity")


# -- metadata --------------------------------------------------------------------------------------


def with_summary(command):
    return {**command, "user_metadata": {"summary": payload("sum"), "details": payload("det")}}


@pytest.mark.parametrize(
    "name, command",
    [
        ("TimerStarted", c.timer()),
        ("ActivityTaskScheduled", c.activity()),
        ("MarkerRecorded", c.marker()),
        ("StartChildWorkflowExecutionInitiated", c.child("wire-child-summary")),
        ("WorkflowExecutionCompleted", c.complete()),
    ],
)
def test_user_metadata_goes_to_the_event(w, name, command):
    if name.startswith("StartChild"):
        command = c.child(w.id + "-child")
    w.begin(with_summary(command))
    events = w.expect(
        first_four()
        + f"""
        5 {name} user_metadata.summary='"sum"' user_metadata.details='"det"'
        ...
    """
    )
    assert events[4].event_id == 5


def test_activity_summary_is_not_limited(w):
    w.begin({**c.timer(after=30), "user_metadata": {"summary": payload("x" * 1000)}})
    w.expect(first_four() + "5 TimerStarted")


def test_run_timeout_bounds_nothing_of_a_timer(w):
    w.begin(c.timer("t", after=100), workflow_run_timeout=seconds(50))
    w.expect(first_four() + "5 TimerStarted start_to_fire_timeout=100s")
