"""What arrives while a workflow task is started waits for its end, and then in which order."""

import time

import commands as c
import history
from client import payloads, seconds

HEAD = """
    1 WorkflowExecutionStarted
    2 WorkflowTaskScheduled
    3 WorkflowTaskStarted
    4 WorkflowTaskCompleted
"""


def test_signal_waits_for_the_end_of_the_task(w):
    w.start()
    task = w.poll()
    w.signal("s")
    w.expect("""
        1 WorkflowExecutionStarted
        2 WorkflowTaskScheduled
        3 WorkflowTaskStarted
    """)
    w.complete(task)
    w.expect(
        HEAD
        + """
        5 WorkflowExecutionSignaled
        6 WorkflowTaskScheduled
    """
    )


def test_cancel_request_waits(w):
    w.start()
    task = w.poll()
    w.cancel()
    assert w.describe().workflow_extended_info.cancel_requested
    w.complete(task)
    w.expect(
        HEAD
        + """
        5 WorkflowExecutionCancelRequested
        6 WorkflowTaskScheduled
    """
    )


def test_activity_result_goes_behind_a_later_signal(w):
    w.begin(c.activity("a"))
    activity = w.poll_activity()
    w.signal("first")
    task = w.poll()
    w.complete_activity(activity, "result")
    w.signal("second")
    w.complete(task, c.timer())
    w.expect(
        HEAD
        + """
        5 ActivityTaskScheduled
        6 WorkflowExecutionSignaled signal_name=first
        7 WorkflowTaskScheduled
        8 WorkflowTaskStarted
        9 WorkflowTaskCompleted
        10 TimerStarted
        11 ActivityTaskStarted scheduled_event_id=5
        12 WorkflowExecutionSignaled signal_name=second
        13 ActivityTaskCompleted scheduled_event_id=5 started_event_id=11 result='"result"'
        14 WorkflowTaskScheduled
    """
    )


def test_results_of_two_activities_keep_their_order(w):
    w.begin(c.activity("a"), c.activity("b"))
    first, second = w.poll_activity(), w.poll_activity()
    by_id = {task.activity_id: task for task in (first, second)}
    w.signal("s")
    task = w.poll()
    w.complete_activity(by_id["b"])
    w.complete_activity(by_id["a"])
    w.complete(task)
    events = w.events()[10:]
    assert history.names(events) == [
        "ActivityTaskStarted",
        "ActivityTaskStarted",
        "ActivityTaskCompleted",
        "ActivityTaskCompleted",
        "WorkflowTaskScheduled",
    ]
    started_b, started_a, completed_b, completed_a = [history.attributes(e) for e in events[:4]]
    assert [started_b.scheduled_event_id, started_a.scheduled_event_id] == [6, 5]
    assert (completed_b.scheduled_event_id, completed_b.started_event_id) == (6, 11)
    assert (completed_a.scheduled_event_id, completed_a.started_event_id) == (5, 12)


def test_timer_fires_into_the_buffer(w):
    w.begin(c.timer("t", after=1))
    w.signal("s")
    task = w.poll()
    time.sleep(1.5)  # nothing shows that a timer has fired into the buffer
    w.signal("after it")
    w.complete(task)
    w.expect(
        HEAD
        + """
        5 TimerStarted
        6 WorkflowExecutionSignaled
        7 WorkflowTaskScheduled
        8 WorkflowTaskStarted
        9 WorkflowTaskCompleted
        10 TimerFired timer_id=t started_event_id=5
        11 WorkflowExecutionSignaled
        12 WorkflowTaskScheduled
    """
    )


def test_buffered_event_dropped_with_a_terminated_run_is_kept(w):
    w.start()
    w.poll()
    w.signal("s", "kept")
    w.terminate()
    w.expect("""
        1 WorkflowExecutionStarted
        2 WorkflowTaskScheduled
        3 WorkflowTaskStarted
        4 WorkflowTaskFailed
        5 WorkflowExecutionSignaled input='"kept"'
        6 WorkflowExecutionTerminated
    """)


def test_unstarted_activity_cancelled_by_command(w):
    """Its CANCELED is a result: it stands behind the command's own event and the signals."""
    w.begin(c.activity("a"))
    w.signal("s")
    task = w.poll()
    w.signal("during")
    w.complete(task, c.cancel_activity(5), c.timer())
    w.expect(
        HEAD
        + """
        5 ActivityTaskScheduled
        6 WorkflowExecutionSignaled
        7 WorkflowTaskScheduled
        8 WorkflowTaskStarted
        9 WorkflowTaskCompleted
        10 ActivityTaskCancelRequested scheduled_event_id=5 workflow_task_completed_event_id=9
        11 TimerStarted
        12 WorkflowExecutionSignaled signal_name=during
        13 ActivityTaskCanceled scheduled_event_id=5 started_event_id=- \
latest_cancel_requested_event_id=10 details='"ACTIVITY_ID_NOT_STARTED"'
        14 WorkflowTaskScheduled
    """
    )


def test_activity_that_finished_in_the_buffer_can_be_cancelled(w):
    w.begin(c.activity("a"))
    activity = w.poll_activity()
    w.signal("s")
    task = w.poll()
    w.complete_activity(activity)
    w.complete(task, c.cancel_activity(5))
    w.expect(
        HEAD
        + """
        5 ActivityTaskScheduled
        6 WorkflowExecutionSignaled
        7 WorkflowTaskScheduled
        8 WorkflowTaskStarted
        9 WorkflowTaskCompleted
        10 ActivityTaskCancelRequested scheduled_event_id=5
        11 ActivityTaskStarted
        12 ActivityTaskCompleted
        13 WorkflowTaskScheduled
    """
    )


def test_child_start_goes_behind_nothing(w):
    """A child's start is an answer, not a result: it keeps its place."""
    child = w.id + "-child"
    w.begin(c.child(child), c.timer("t", after=0))
    w.wait_for("ChildWorkflowExecutionStarted")
    names = history.names(w.events())
    assert names[4:6] == ["StartChildWorkflowExecutionInitiated", "TimerStarted"]


def test_long_workflow_task_with_many_signals(w):
    w.start(workflow_task_timeout=seconds(30))
    task = w.poll()
    for number in range(50):
        w.signal(f"s{number}", number)
    w.complete(task)
    events = w.events()
    assert [e.event_id for e in events] == list(range(1, 56))
    signals = [history.attributes(e).signal_name for e in events[4:54]]
    assert signals == [f"s{number}" for number in range(50)]


def test_hundred_and_one_buffered_events_fail_the_task(w):
    w.start(workflow_task_timeout=seconds(60))
    w.poll()
    for number in range(101):
        w.signal(f"s{number}")
    events = w.events()
    history.check(
        """
        1 WorkflowExecutionStarted
        2 WorkflowTaskScheduled
        3 WorkflowTaskStarted
        4 WorkflowTaskFailed cause=FORCE_CLOSE_COMMAND
        5 WorkflowExecutionSignaled
        ...
        """,
        events,
    )
    assert history.names(events)[-1] == "WorkflowTaskScheduled"
    assert len(events) == 4 + 101 + 1


def test_input_of_a_buffered_signal_is_kept(w):
    w.start()
    task = w.poll()
    w.signal("s", input=payloads("a", "b"), identity="me")
    w.complete(task)
    w.expect(
        HEAD
        + """
        5 WorkflowExecutionSignaled signal_name=s input='"a","b"' identity=me
        6 WorkflowTaskScheduled
    """
    )
