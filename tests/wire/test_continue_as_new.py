"""Continue-as-new: the old run's close, the new run's first event, what goes over and what not."""

import uuid

import commands as c
import history
import pytest
from client import payload, payloads, seconds, value_of


def successor(w):
    """The run id of the current run, which is not the first."""
    run_id = w.describe().workflow_execution_info.execution.run_id
    assert run_id != w.run_id
    return run_id


def test_continue(w):
    w.begin(
        c.continue_as_new(
            "T2",
            input=payloads("in"),
            header={"fields": {"h": payload(1)}},
            memo={"fields": {"m": payload(2)}},
            workflow_run_timeout=seconds(77),
            workflow_task_timeout=seconds(7),
            last_completion_result=payloads("last"),
        )
    )
    new = successor(w)
    w.expect(f"""
        1 WorkflowExecutionStarted
        2 WorkflowTaskScheduled
        3 WorkflowTaskStarted
        4 WorkflowTaskCompleted
        5 WorkflowExecutionContinuedAsNew new_execution_run_id={new} workflow_type.name=T2 \
input='"in"' workflow_task_completed_event_id=4 workflow_run_timeout=77s workflow_task_timeout=7s \
header.fields.h=1 memo.fields.m=2 last_completion_result='"last"' task_queue.name={w.queue}
    """)
    assert w.status(w.run_id) == "CONTINUED_AS_NEW"
    w.expect(
        f"""
        1 WorkflowExecutionStarted workflow_type.name=T2 input='"in"' initiator=WORKFLOW \
continued_execution_run_id={w.run_id} first_execution_run_id={w.run_id} \
original_execution_run_id={new} attempt=1 workflow_run_timeout=77s workflow_task_timeout=7s \
header.fields.h=1 memo.fields.m=2 last_completion_result='"last"' workflow_id={w.id}
        2 WorkflowTaskScheduled
    """,
        run_id=new,
        within=5,
    )
    assert uuid.UUID(new)


def test_defaults_are_those_of_the_old_run(w):
    w.begin(
        c.continue_as_new(""),
        workflow_run_timeout=seconds(77),
        workflow_task_timeout=seconds(7),
        workflow_execution_timeout=seconds(300),
    )
    new = successor(w)
    w.expect(
        f"""
        1 WorkflowExecutionStarted workflow_type.name=T task_queue.name={w.queue} \
workflow_run_timeout=77s workflow_task_timeout=7s workflow_execution_timeout=300s
        ...
    """,
        run_id=new,
    )


def test_what_comes_only_from_the_command(w):
    w.begin(
        c.continue_as_new(),
        input=payloads("old"),
        memo={"fields": {"m": payload(1)}},
        header={"fields": {"h": payload(1)}},
        retry_policy={"maximum_attempts": 5},
    )
    w.expect(
        """
        1 WorkflowExecutionStarted input=- memo=- header=- retry_policy=- cron_schedule=-
        ...
    """,
        run_id=successor(w),
    )


def test_priority_goes_over(w):
    w.begin(c.continue_as_new(), priority={"priority_key": 2, "fairness_key": "f"})
    started = history.attributes(w.events(run_id=successor(w))[0])
    assert (started.priority.priority_key, started.priority.fairness_key) == (2, "f")


def test_execution_timeout_spans_the_chain(w):
    w.begin(c.continue_as_new(), workflow_execution_timeout=seconds(300))
    new = successor(w)
    first = w.describe(w.run_id).workflow_extended_info.execution_expiration_time
    second = w.describe(new).workflow_extended_info.execution_expiration_time
    assert abs(first.ToNanoseconds() - second.ToNanoseconds()) < 1e9


def test_execution_timeout_ends_the_chain(w):
    w.begin(c.continue_as_new(), workflow_execution_timeout=seconds(2))
    new = successor(w)
    w.wait_for("WorkflowExecutionTimedOut", run_id=new)
    assert w.status() == "TIMED_OUT"
    assert successor(w) == new


def test_starts_are_a_second_apart(w):
    task = w.start(request_eager_execution=True).eager_workflow_task
    w.complete(task, c.continue_as_new())
    new = successor(w)
    first = history.attributes(w.events(run_id=new)[0])
    backoff = first.first_workflow_task_backoff.ToNanoseconds() / 1e9
    assert 0 < backoff < 1
    assert history.show(first, "initiator") == "WORKFLOW"
    assert w.poll().workflow_execution.run_id == new


@pytest.mark.quirk
def test_signal_wakes_a_continued_run_in_its_backoff_not(w):
    w.begin(c.continue_as_new())
    new = successor(w)
    w.signal("s")
    assert history.names(w.events(run_id=new))[:2] == [
        "WorkflowExecutionStarted",
        "WorkflowExecutionSignaled",
    ]


def test_another_queue(w, w2):
    w.begin(c.continue_as_new(task_queue={"name": w2.queue}))
    task = w2.poll()
    assert task.workflow_execution.workflow_id == w.id
    assert w.describe().execution_config.task_queue.name == w2.queue


def test_backoff_start_interval(w):
    w.begin(c.continue_as_new(backoff_start_interval=seconds(60)))
    new = successor(w)
    w.expect("1 WorkflowExecutionStarted first_workflow_task_backoff=60s", run_id=new)
    closed = w.events(run_id=w.run_id)[-1].workflow_execution_continued_as_new_event_attributes
    assert closed.backoff_start_interval.seconds == 60


def test_a_pause_that_nobody_asked_for_is_shown_by_the_new_run_alone(w):
    w.begin(c.continue_as_new())
    started = w.events(run_id=successor(w))[0].workflow_execution_started_event_attributes
    assert started.first_workflow_task_backoff.nanos
    closed = w.events(run_id=w.run_id)[-1].workflow_execution_continued_as_new_event_attributes
    assert not closed.HasField("backoff_start_interval")


def test_timers_and_activities_do_not_go_over(w):
    w.begin(c.timer("t", after=1), c.activity("a"), c.continue_as_new())
    new = successor(w)
    assert not w.describe().pending_activities
    w.no_task(kind="Activity")
    assert "TimerFired" not in history.names(w.events(run_id=new))


def test_a_long_chain(w):
    w.start()
    runs = [w.run_id]
    for number in range(3):
        w.step(c.continue_as_new(input=payloads(number)))
        runs.append(successor(w))
    w.step(c.complete())
    started = history.attributes(w.events(run_id=runs[-1])[0])
    assert started.first_execution_run_id == runs[0]
    assert started.continued_execution_run_id == runs[-2]
    assert [value_of(p) for p in started.input.payloads] == [2]
    assert [w.status(run) for run in runs] == ["CONTINUED_AS_NEW"] * 3 + ["COMPLETED"]
    info = w.describe().workflow_execution_info
    assert info.first_run_id == runs[0]


def test_reuse_policy_looks_at_the_last_run(w):
    w.begin(c.continue_as_new())
    w.step(c.fail())
    policy = "WORKFLOW_ID_REUSE_POLICY_ALLOW_DUPLICATE_FAILED_ONLY"
    assert w.start(workflow_id_reuse_policy=policy).started


def test_failure_in_the_command_is_kept(w):
    w.begin(c.continue_as_new(failure={"message": "boom"}))
    w.expect(
        """
        1 WorkflowExecutionStarted continued_failure.message=boom
        ...
    """,
        run_id=successor(w),
    )


def test_the_event_shows_the_backoff_that_was_asked_for(w):
    """Not the one that keeps the runs of a chain apart."""
    w.begin(c.continue_as_new())
    assert not history.attributes(w.events()[-1]).HasField("backoff_start_interval")
