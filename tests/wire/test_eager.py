"""Eager dispatch: the first workflow task with the start, activities with the completion."""

import commands as c
import history
from client import seconds


def test_eager_start(w):
    answer = w.start(request_eager_execution=True)
    task = answer.eager_workflow_task
    assert (task.started_event_id, task.previous_started_event_id, task.attempt) == (3, 0, 1)
    assert task.workflow_execution.workflow_id == w.id
    assert task.workflow_type.name == "T"
    history.check(
        """
        1 WorkflowExecutionStarted eager_execution_accepted=true
        2 WorkflowTaskScheduled
        3 WorkflowTaskStarted scheduled_event_id=2
        """,
        task.history.events,
    )
    w.complete(task, c.complete())
    assert w.status() == "COMPLETED"


def test_eager_task_is_not_on_the_queue(w):
    w.start(request_eager_execution=True)
    w.no_task()


def test_eager_start_again_gives_the_same_task(w):
    first = w.start(request_eager_execution=True, request_id="r")
    second = w.start(request_eager_execution=True, request_id="r")
    assert second.run_id == first.run_id
    assert second.eager_workflow_task.started_event_id == 3
    w.complete(second.eager_workflow_task, c.complete())
    assert w.status() == "COMPLETED"


def test_eager_start_with_a_delay(w):
    answer = w.start(request_eager_execution=True, workflow_start_delay=seconds(60))
    assert not answer.HasField("eager_workflow_task")
    w.expect("1 WorkflowExecutionStarted eager_execution_accepted=-")


def test_eager_start_of_a_running_workflow(w):
    w.start()
    answer = w.start(
        request_eager_execution=True,
        workflow_id_conflict_policy="WORKFLOW_ID_CONFLICT_POLICY_USE_EXISTING",
    )
    assert not answer.HasField("eager_workflow_task")


def test_eager_task_that_times_out(w):
    w.start(request_eager_execution=True, workflow_task_timeout=seconds(1))
    assert w.poll().attempt == 2


def test_eager_activity(w):
    w.start()
    answer = w.complete(
        w.poll(), c.activity("a", request_eager_execution=True), c.activity("b"), identity="both"
    )
    (task,) = answer.activity_tasks
    assert (task.activity_id, task.activity_type.name, task.attempt) == ("a", "A", 1)
    assert task.workflow_execution.run_id == w.run_id
    assert task.start_to_close_timeout.seconds == 60
    assert history.show(w.pending_activity("a"), "state") == "STARTED"
    assert history.show(w.pending_activity("b"), "state") == "SCHEDULED"
    assert w.poll_activity().activity_id == "b"
    w.complete_activity(task, "out")
    w.expect("""
        1 WorkflowExecutionStarted
        2 WorkflowTaskScheduled
        3 WorkflowTaskStarted
        4 WorkflowTaskCompleted
        5 ActivityTaskScheduled
        6 ActivityTaskScheduled
        7 ActivityTaskStarted scheduled_event_id=5 identity=both
        8 ActivityTaskCompleted scheduled_event_id=5
        9 WorkflowTaskScheduled
    """)


def test_eager_activity_on_another_queue_is_also_given(w, w2):
    w.start()
    answer = w.complete(w.poll(), c.activity("a", queue=w2.queue, request_eager_execution=True))
    assert [task.activity_id for task in answer.activity_tasks] == ["a"]


def test_eager_activity_retries_over_the_queue(w):
    policy = {"initial_interval": seconds(0.1)}
    w.start()
    answer = w.complete(
        w.poll(), c.activity("a", request_eager_execution=True, retry_policy=policy)
    )
    (task,) = answer.activity_tasks
    w.fail_activity(task, {"message": "boom", "application_failure_info": {}})
    assert w.poll_activity().attempt == 2


def test_no_eager_activity_for_a_closing_workflow(w):
    w.start()
    answer = w.complete(w.poll(), c.activity("a", request_eager_execution=True), c.complete())
    assert not answer.activity_tasks
