"""Sticky queues: what they bring, how stickiness is lost, queries through them."""

import commands as c
import history
from client import payloads, refused, seconds, values_of
from scene import sticky_attributes
from test_query import answer


def stick(w, *commands, schedule_to_start=10):
    """A started workflow that sticks to the queue whose name is returned."""
    name = w.queue + "-sticky"
    w.start()
    attributes = sticky_attributes(name, schedule_to_start)
    w.complete(w.poll(), *commands, sticky_attributes=attributes)
    return name


def test_next_task_comes_on_the_sticky_queue_with_the_rest_of_the_history(w):
    name = stick(w)
    task = sticky_task(w, name)
    history.check(
        f"""
        4 WorkflowTaskCompleted
        5 WorkflowExecutionSignaled
        6 WorkflowTaskScheduled task_queue.name={name} task_queue.kind=STICKY \
task_queue.normal_name={w.queue}
        7 WorkflowTaskStarted
        """,
        task.history.events,
    )
    assert (task.previous_started_event_id, task.started_event_id) == (3, 7)
    assert task.workflow_execution_task_queue.name == w.queue


def sticky_task(w, name):
    """The task that a signal makes, taken by a poller that waits on the sticky queue."""
    waiting = w.waiting_poll(w.sticky(name))
    w.signal("s")
    task = waiting.result()
    assert task.task_token, "the task did not come on the sticky queue"
    return task


def test_completion_without_attributes_ends_stickiness(w):
    name = stick(w)
    w.complete(sticky_task(w, name))
    w.signal("s")
    task = w.poll()
    assert task.history.events[0].event_id == 1
    scheduled = history.attributes(w.events()[9])
    assert (scheduled.task_queue.name, scheduled.task_queue.kind) == (w.queue, 1)


def test_schedule_to_start_timeout_falls_back_to_the_normal_queue(w):
    name = stick(w, schedule_to_start=1)
    warm = w.client.future(
        "PollWorkflowTaskQueue", task_queue=w.sticky(name), identity="worker", timeout=3
    )
    warm.result()  # the queue had a poller of late, so the task waits for it
    w.signal("s")
    w.wait_for("WorkflowTaskTimedOut")
    w.expect(f"""
        1 WorkflowExecutionStarted
        2 WorkflowTaskScheduled
        3 WorkflowTaskStarted
        4 WorkflowTaskCompleted
        5 WorkflowExecutionSignaled
        6 WorkflowTaskScheduled task_queue.name={name} start_to_close_timeout=10s
        7 WorkflowTaskTimedOut scheduled_event_id=6 started_event_id=- \
timeout_type=SCHEDULE_TO_START
        8 WorkflowTaskScheduled task_queue.name={w.queue} task_queue.kind=NORMAL attempt=1
    """)
    task = w.poll()
    assert task.history.events[0].event_id == 1
    assert task.attempt == 1


def test_failed_sticky_task_goes_to_the_normal_queue(w):
    name = stick(w)
    w.fail_task(sticky_task(w, name))
    task = w.poll()
    assert task.attempt == 1
    assert task.history.events[0].event_id == 1
    assert history.names(task.history.events)[6:] == [
        "WorkflowTaskStarted",
        "WorkflowTaskFailed",
        "WorkflowTaskScheduled",
        "WorkflowTaskStarted",
    ]


def test_sticky_task_that_times_out_goes_to_the_normal_queue(w):
    name = w.queue + "-sticky"
    w.start(workflow_task_timeout=seconds(1))
    w.complete(w.poll(), sticky_attributes=sticky_attributes(name))
    sticky_task(w, name)
    task = w.poll()
    assert task.history.events[0].event_id == 1
    assert history.names(task.history.events)[6:] == [
        "WorkflowTaskStarted",
        "WorkflowTaskTimedOut",
        "WorkflowTaskScheduled",
        "WorkflowTaskStarted",
    ]
    assert task.attempt == 1


def test_task_of_a_dead_sticky_queue_is_offered_on_the_normal_queue(w):
    """No poller ever came to the sticky queue."""
    stick(w, schedule_to_start=60)
    w.signal("s")
    task = w.poll()
    assert task.history.events[0].event_id == 1
    assert history.names(task.history.events)[-2:] == [
        "WorkflowTaskScheduled",
        "WorkflowTaskStarted",
    ]


def test_reset_stickiness(w):
    name = stick(w, schedule_to_start=60)
    w.poll_once(w.sticky(name), timeout=3)
    w.call("ResetStickyTaskQueue", execution=w.execution())
    w.signal("s")
    assert w.poll().history.events[0].event_id == 1
    scheduled = history.attributes(w.events()[5])
    assert scheduled.task_queue.name == w.queue


def test_reset_stickiness_of_a_closed_run(w):
    w.begin(c.complete())
    with refused("NOT_FOUND", "workflow execution already completed", "NotFoundFailure"):
        w.call("ResetStickyTaskQueue", execution=w.execution())


def test_query_through_the_sticky_queue(w):
    name = stick(w, c.timer())
    poll = w.waiting_poll(w.sticky(name))
    waiting = w.query_future()
    task = poll.result()
    assert task.query.query_type == "q"
    assert not task.history.events
    answer(w, task, "sticky")
    assert values_of(waiting.result().query_result) == ["sticky"]


def test_query_falls_back_to_the_normal_queue(w):
    """A dead sticky worker does not stand in the way of a query."""
    stick(w, schedule_to_start=1)
    waiting = w.query_future()
    task = w.poll()
    assert task.query.query_type == "q"
    assert task.history.events[0].event_id == 1
    answer(w, task, "normal")
    assert values_of(waiting.result().query_result) == ["normal"]


def test_return_new_workflow_task_on_a_sticky_queue(w):
    w.start()
    answer_ = w.complete(
        w.poll(),
        sticky_attributes=sticky_attributes(w.queue + "-sticky"),
        return_new_workflow_task=True,
        force_create_new_workflow_task=True,
    )
    history.check(
        """
        4 WorkflowTaskCompleted
        5 WorkflowTaskScheduled task_queue.kind=STICKY
        6 WorkflowTaskStarted
        """,
        answer_.workflow_task.history.events,
    )


def test_shutdown_of_a_worker_frees_its_tasks(w):
    name = stick(w, schedule_to_start=60)
    w.poll_once(w.sticky(name), timeout=3)
    w.call("ShutdownWorker", sticky_task_queue=name, identity="worker", reason="done")
    w.signal("s")
    assert w.poll().history.events[0].event_id == 1


def test_activities_are_not_sticky(w):
    stick(w, c.activity("a", input=payloads(1)))
    assert w.poll_activity().activity_id == "a"
