"""Retries of workflows, and cron: the chain of runs that one start makes."""

import re

import commands as c
import history
import pytest
from client import payload, payloads, refused, seconds
from test_continue_as_new import successor

FAST = {"initial_interval": seconds(0.1), "maximum_attempts": 2}


def test_retry(w):
    w.begin(
        c.fail("boom", type_="X"),
        retry_policy={"initial_interval": seconds(30)},
        input=payloads("in"),
        memo={"fields": {"m": payload(1)}},
        header={"fields": {"h": payload(1)}},
        priority={"priority_key": 2},
    )
    new = successor(w)
    w.expect(f"""
        1 WorkflowExecutionStarted
        2 WorkflowTaskScheduled
        3 WorkflowTaskStarted
        4 WorkflowTaskCompleted
        5 WorkflowExecutionFailed failure.message=boom retry_state=IN_PROGRESS \
new_execution_run_id={new}
    """)
    w.expect(
        f"""
        1 WorkflowExecutionStarted attempt=2 initiator=RETRY input='"in"' memo.fields.m=1 \
header.fields.h=1 continued_execution_run_id={w.run_id} first_execution_run_id={w.run_id} \
original_execution_run_id={new} first_workflow_task_backoff=30s continued_failure.message=boom \
continued_failure.application_failure_info.type=X retry_policy.initial_interval=30s \
priority.priority_key=2 last_completion_result=-
    """,
        run_id=new,
    )
    assert w.status(w.run_id) == "FAILED"
    assert w.status() == "RUNNING"


def test_last_attempt(w):
    w.begin(c.fail("first"), retry_policy=FAST)
    new = successor(w)
    w.step(c.fail("second"))
    failed = w.wait_for("WorkflowExecutionFailed", run_id=new)
    attributes = history.attributes(failed)
    assert attributes.failure.message == "second"
    assert not attributes.new_execution_run_id
    assert history.show(attributes, "retry_state") == "MAXIMUM_ATTEMPTS_REACHED"


@pytest.mark.parametrize(
    "policy, command",
    [
        ({}, c.fail(non_retryable=True)),
        ({"non_retryable_error_types": ["X"]}, c.fail(type_="X")),
    ],
)
def test_not_retryable(w, policy, command):
    w.begin(command, retry_policy=policy)
    failed = history.attributes(w.events()[4])
    assert history.show(failed, "retry_state") == "NON_RETRYABLE_FAILURE"
    assert not failed.new_execution_run_id


def test_run_timeout_is_retried(w):
    w.start(workflow_run_timeout=seconds(1), retry_policy={"initial_interval": seconds(30)})
    timed_out = history.attributes(w.wait_for("WorkflowExecutionTimedOut", run_id=w.run_id))
    assert history.show(timed_out, "retry_state") == "IN_PROGRESS"
    new = timed_out.new_execution_run_id
    w.expect(
        """
        1 WorkflowExecutionStarted attempt=2 initiator=RETRY \
continued_failure.message="workflow timeout" \
continued_failure.timeout_failure_info.timeout_type=START_TO_CLOSE
    """,
        run_id=new,
    )


def test_cancelled_run_is_not_retried(w):
    w.begin(c.cancel(), retry_policy=FAST)
    assert w.status() == "CANCELED"


def test_terminated_run_is_not_retried(w):
    w.start(retry_policy=FAST)
    w.terminate()
    assert w.status() == "TERMINATED"


def test_completed_run_is_not_retried(w):
    w.begin(c.complete(), retry_policy=FAST)
    assert w.status() == "COMPLETED"


def test_next_retry_delay(w):
    policy = {"initial_interval": seconds(1), "maximum_interval": seconds(50)}
    w.begin(c.fail(next_retry_delay=20), retry_policy=policy)
    w.expect(
        "1 WorkflowExecutionStarted attempt=2 first_workflow_task_backoff=20s", run_id=successor(w)
    )


def test_intervals_grow(w):
    policy = {"initial_interval": seconds(1), "backoff_coefficient": 3}
    w.begin(c.fail("1"), retry_policy=policy)
    w.step(c.fail("2"))
    run_id = successor(w)
    w.expect("1 WorkflowExecutionStarted attempt=3 first_workflow_task_backoff=3s", run_id=run_id)


def test_execution_timeout_leaves_no_room_for_a_retry(w):
    w.begin(
        c.fail(),
        retry_policy={"initial_interval": seconds(60)},
        workflow_execution_timeout=seconds(20),
    )
    failed = history.attributes(w.events()[4])
    assert history.show(failed, "retry_state") == "TIMEOUT"


# -- cron ------------------------------------------------------------------------------------------


def test_cron_waits_for_its_first_time(w):
    w.start(cron_schedule="0 0 1 1 *", input=payloads("in"))
    (first,) = w.events()
    attributes = history.attributes(first)
    assert history.show(attributes, "initiator") == "CRON_SCHEDULE"
    assert attributes.cron_schedule == "0 0 1 1 *"
    assert attributes.first_workflow_task_backoff.seconds > 3600
    info = w.describe().workflow_execution_info
    due = info.execution_time.ToDatetime()
    assert (due.month, due.day, due.hour, due.minute, due.second) == (1, 1, 0, 0, 0)


@pytest.mark.parametrize("schedule", ["@every 1h", "@hourly", "CRON_TZ=Europe/Berlin 30 4 * * *"])
def test_forms_of_cron(w, schedule):
    w.start(cron_schedule=schedule)
    attributes = history.attributes(w.events()[0])
    assert attributes.cron_schedule == schedule
    assert 0 < attributes.first_workflow_task_backoff.seconds <= 86_400


@pytest.mark.parametrize("schedule", ["nope", "* * * *", "61 * * * *"])
def test_bad_cron(w, schedule):
    with refused("INVALID_ARGUMENT", "invalid CronSchedule."):
        w.start(cron_schedule=schedule)


def test_cron_continues_after_a_success(w):
    w.start(cron_schedule="@every 2s", memo={"fields": {"m": payload(1)}}, input=payloads("in"))
    w.step(c.complete("one"))
    new = successor(w)
    completed = history.attributes(w.wait_for("WorkflowExecutionCompleted", run_id=w.run_id))
    assert completed.new_execution_run_id == new
    assert w.status(w.run_id) == "COMPLETED"
    (first,) = w.expect(
        f"""
        1 WorkflowExecutionStarted initiator=CRON_SCHEDULE last_completion_result='"one"' \
cron_schedule="@every 2s" attempt=1 memo.fields.m=1 input='"in"' continued_failure=- \
first_execution_run_id={w.run_id} continued_execution_run_id={w.run_id}
    """,
        run_id=new,
    )
    assert history.attributes(first).first_workflow_task_backoff.ToNanoseconds() > 0


def test_cron_continues_after_a_failure(w):
    w.start(cron_schedule="@every 2s")
    w.step(c.complete("one"))
    w.step(c.fail("boom"))
    w.wait_for("WorkflowExecutionStarted", run_id=successor(w))
    w.expect(
        """
        1 WorkflowExecutionStarted initiator=CRON_SCHEDULE last_completion_result='"one"' \
continued_failure.message=boom
    """,
        run_id=successor(w),
    )


def test_cancel_ends_a_cron_chain(w):
    w.start(cron_schedule="0 0 1 1 *")
    w.cancel()
    w.expect("""
        1 WorkflowExecutionStarted
        2 WorkflowExecutionCancelRequested
        3 WorkflowTaskScheduled
    """)
    w.step(c.cancel())
    assert w.status() == "CANCELED"


def test_terminate_ends_a_cron_chain(w):
    w.start(cron_schedule="0 0 1 1 *")
    w.terminate()
    assert w.status() == "TERMINATED"


def test_cron_after_a_run_timeout(w):
    w.start(cron_schedule="@every 1s", workflow_run_timeout=seconds(1))
    timed_out = history.attributes(w.wait_for("WorkflowExecutionTimedOut", run_id=w.run_id))
    assert timed_out.new_execution_run_id


def test_retry_comes_before_cron(w):
    policy = {"initial_interval": seconds(0.1), "maximum_attempts": 2}
    w.start(cron_schedule="@every 1s", retry_policy=policy)
    w.step(c.fail("first"))
    new = successor(w)
    retry = history.attributes(w.events(run_id=new)[0])
    assert (history.show(retry, "initiator"), retry.attempt) == ("RETRY", 2)
    w.step(c.fail("second"))
    w.wait_for("WorkflowExecutionFailed", run_id=new)
    last = history.attributes(w.events(run_id=successor(w))[0])
    assert (history.show(last, "initiator"), last.attempt) == ("CRON_SCHEDULE", 1)


def test_cron_run_ids_are_uuids(w):
    w.start(cron_schedule="@every 1s")
    w.step(c.complete())
    assert re.fullmatch(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}", successor(w))
