"""Polls and DescribeTaskQueue: waiting, expiry, pollers, backlog, partitions."""

import time

import commands as c
import pytest
from client import eventually, refused


@pytest.mark.parametrize("kind", ["Workflow", "Activity"])
def test_poll_that_finds_nothing_ends_before_the_deadline(w, kind):
    answer = w.call(f"Poll{kind}TaskQueue", timeout=4, task_queue={"name": w.queue})
    assert answer == type(answer)()


@pytest.mark.parametrize("kind", ["Workflow", "Activity"])
def test_too_short_a_deadline(w, kind):
    with refused("FAILED_PRECONDITION", "Context timeout is too short."):
        w.call(f"Poll{kind}TaskQueue", timeout=1, task_queue={"name": w.queue})


@pytest.mark.parametrize("kind", ["Workflow", "Activity"])
def test_no_deadline(w, kind):
    with refused("INVALID_ARGUMENT", "Context timeout is not set."):
        w.call(f"Poll{kind}TaskQueue", timeout=None, task_queue={"name": w.queue})


@pytest.mark.parametrize("kind", ["Workflow", "Activity"])
@pytest.mark.parametrize(
    "fields, message",
    [
        ({"task_queue": {"name": ""}}, "missing task queue name"),
        ({"task_queue": {"name": "x" * 1001}}, "taskQueue length exceeds limit"),
        ({"task_queue": {"name": "q"}, "identity": "x" * 1001}, "Identity length exceeds limit."),
    ],
)
def test_bad_poll(client, kind, fields, message):
    with refused("INVALID_ARGUMENT", message):
        client(f"Poll{kind}TaskQueue", timeout=5, **fields)


@pytest.mark.slow
@pytest.mark.timeout(300)
def test_long_poll_ends_after_a_minute(w):
    started = time.monotonic()
    answer = w.poll_once(timeout=75)
    assert not answer.task_token
    assert 40 < time.monotonic() - started < 70


def test_waiting_poller_gets_the_task_at_once(w):
    waiting = w.waiting_poll()
    w.start()
    assert waiting.result().workflow_execution.workflow_id == w.id


def test_waiting_activity_poller(w):
    waiting = w.waiting_poll(kind="Activity")
    w.begin(c.activity("a"))
    assert waiting.result().activity_id == "a"


def test_cancelled_poll_takes_no_task(w):
    waiting = w.waiting_poll()
    waiting.cancel()
    w.start()
    assert w.poll().workflow_execution.workflow_id == w.id


def test_one_task_for_one_of_many_pollers(w):
    polls = [w.waiting_poll(timeout=4) for _ in range(3)]
    w.start()
    tasks = [poll.result() for poll in polls]
    assert sorted(bool(task.task_token) for task in tasks) == [False, False, True]


def test_backlog_is_worked_off(w):
    ids = {f"{w.id}-{n}" for n in range(20)}
    for id_ in ids:
        w.start(workflow_id=id_)
    assert {w.poll().workflow_execution.workflow_id for _ in ids} == ids


def describe(w, kind="WORKFLOW", **fields):
    return w.call(
        "DescribeTaskQueue",
        task_queue={"name": w.queue},
        task_queue_type="TASK_QUEUE_TYPE_" + kind,
        **fields,
    )


def test_pollers(w):
    w.poll_once(timeout=3, identity="me")
    (poller,) = describe(w).pollers
    assert poller.identity == "me"
    assert poller.last_access_time.seconds
    assert not describe(w, "ACTIVITY").pollers


def test_unknown_queue_has_no_pollers(w):
    assert not describe(w).pollers


def test_backlog_stats(w):
    for number in range(3):
        w.start(workflow_id=f"{w.id}-{number}")
    stats = eventually(
        lambda: (
            (s := describe(w, report_stats=True).stats).approximate_backlog_count == 3 and s or None
        )
    )
    assert stats.HasField("approximate_backlog_age")
    by_priority = describe(w, report_stats=True).stats_by_priority_key
    assert sum(s.approximate_backlog_count for s in by_priority.values()) == 3


def test_backlog_by_priority(w):
    w.start(priority={"priority_key": 1})
    w.start(workflow_id=w.id + "-2", priority={"priority_key": 5})

    def look():
        by_key = describe(w, report_stats=True).stats_by_priority_key
        counts = {k: s.approximate_backlog_count for k, s in by_key.items()}
        return (counts.get(1), counts.get(5)) == (1, 1) or None

    eventually(look)


def test_urgent_tasks_come_first(w):
    for key in (5, 3, 1, 4, 2):
        w.start(workflow_id=f"{w.id}-{key}", priority={"priority_key": key})
    eventually(lambda: describe(w, report_stats=True).stats.approximate_backlog_count == 5 or None)
    order = [w.poll().workflow_execution.workflow_id[-1] for _ in range(5)]
    assert sorted(order) == ["1", "2", "3", "4", "5"]
    # Each partition orders its own tasks, so only the most and least urgent are certain enough.
    assert order.index("1") < order.index("5") or len(partitions(w)) > 1


def partitions(w):
    answer = w.call("ListTaskQueuePartitions", task_queue={"name": w.queue})
    return answer.workflow_task_queue_partitions


def test_partitions(w):
    assert partitions(w)[0].key == w.queue


@pytest.mark.quirk
def test_four_partitions(w):
    assert [p.key for p in partitions(w)] == [w.queue] + [f"/_sys/{w.queue}/{n}" for n in (1, 2, 3)]


def test_unknown_type_of_queue(w):
    describe(w, "UNSPECIFIED")


def test_description(w):
    w.start()
    w.poll_once(timeout=3)
    answer = describe(w, report_stats=True, report_config=True, include_task_queue_status=True)
    assert answer.pollers[0].rate_per_second == 100_000
    assert answer.versioning_info.current_version == "__unversioned__"
    assert answer.stats.approximate_backlog_count == 0
    assert list(answer.stats_by_priority_key) == [3]
    assert answer.HasField("task_queue_status")


def test_rates_need_stats(w):
    assert not describe(w).HasField("stats")


def test_enhanced_mode(w):
    w.poll_once(timeout=3, identity="me")
    answer = w.call(
        "DescribeTaskQueue",
        task_queue={"name": w.queue},
        api_mode="DESCRIBE_TASK_QUEUE_MODE_ENHANCED",
        report_pollers=True,
        report_stats=True,
        task_queue_types=["TASK_QUEUE_TYPE_WORKFLOW", "TASK_QUEUE_TYPE_ACTIVITY"],
    )
    types = answer.versions_info[""].types_info
    assert [p.identity for p in types[1].pollers] == ["me"]
    assert not types[2].pollers
    assert types[1].HasField("stats")
