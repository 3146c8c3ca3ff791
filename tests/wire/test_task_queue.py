"""Polls and DescribeTaskQueue: waiting, expiry, pollers, backlog, partitions."""

import time

import commands as c
import pytest
from client import eventually, refused, seconds


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


def test_enhanced_mode_by_version(w):
    def versions(**fields):
        answer = w.call(
            "DescribeTaskQueue",
            task_queue={"name": w.queue},
            api_mode="DESCRIBE_TASK_QUEUE_MODE_ENHANCED",
            **fields,
        )
        return {name: list(info.types_info) for name, info in answer.versions_info.items()}

    assert versions() == {"": [1, 2]}
    assert versions(task_queue_types=["TASK_QUEUE_TYPE_NEXUS"]) == {"": [3]}
    assert versions(versions={"build_ids": ["x"]}) == {"x": [1, 2]}
    assert versions(versions={"build_ids": ["x"], "unversioned": True}) == {
        "": [1, 2],
        "x": [1, 2],
    }


@pytest.mark.parametrize(
    "fields, message",
    [
        ({"task_queue": {"name": ""}}, "missing task queue name"),
        ({"task_queue": {"name": "x" * 1001}}, "taskQueue length exceeds limit"),
        ({"task_queue": {"name": "/_sys/x"}}, "invalid task queue partition name /_sys/x"),
        (
            {
                "task_queue": {"name": "/_sys/x/1"},
                "api_mode": "DESCRIBE_TASK_QUEUE_MODE_ENHANCED",
            },
            "task queue name cannot start with reserved prefix /_sys/",
        ),
        (
            {
                "task_queue": {"name": "x", "kind": "TASK_QUEUE_KIND_STICKY", "normal_name": "y"},
                "api_mode": "DESCRIBE_TASK_QUEUE_MODE_ENHANCED",
            },
            "Enhanced DescribeTaskQueue is not valid for a sticky queue, "
            "use api_mode=UNSPECIFIED or a normal queue.",
        ),
        (
            {
                "task_queue": {"name": "x"},
                "api_mode": "DESCRIBE_TASK_QUEUE_MODE_ENHANCED",
                "versions": {"build_ids": list("abcdef")},
                "report_task_reachability": True,
            },
            "Too many build ids queried at once with ReportTaskReachability==true, limit: 5",
        ),
    ],
)
def test_bad_description(client, fields, message):
    with refused("INVALID_ARGUMENT", message):
        client("DescribeTaskQueue", **fields)


def test_other_partitions_can_be_described(w):
    answer = w.call("DescribeTaskQueue", task_queue={"name": f"/_sys/{w.queue}/1"})
    assert not answer.pollers


def test_workers_rate_limit_is_in_force(w):
    w.call(
        "PollActivityTaskQueue",
        timeout=3,
        task_queue={"name": w.queue},
        identity="me",
        task_queue_metadata={"max_tasks_per_second": {"value": 8}},
    )

    def look():
        answer = describe(w, "ACTIVITY")
        limit = answer.effective_rate_limit
        # Each partition has its share.
        return (
            answer.pollers
            and answer.pollers[0].rate_per_second == 8
            and limit.rate_limit_source == 2
            and limit.requests_per_second <= 8
        ) or None

    eventually(look)


def test_workers_rate_limit_holds_tasks_back(w):
    def poll(timeout):
        return w.call(
            "PollActivityTaskQueue",
            timeout=timeout,
            task_queue={"name": w.queue},
            task_queue_metadata={"max_tasks_per_second": {"value": 0}},
        )

    poll(3)
    w.begin(c.activity("a"))
    assert not poll(3).task_token
    assert w.poll_activity(task_queue_metadata={"max_tasks_per_second": {"value": 1000}})


def test_terminated_workflow_leaves_the_backlog(w):
    w.start()
    w.start(workflow_id=w.id + "-2")
    eventually(lambda: backlog(w) == 2 or None)
    w.terminate()
    eventually(lambda: len(partitions(w)) > 1 or backlog(w) == 1 or None)


def backlog(w, kind="WORKFLOW"):
    return describe(w, kind, report_stats=True).stats.approximate_backlog_count


def test_timed_out_activity_leaves_the_backlog(w):
    w.begin(c.activity("a", schedule_to_start_timeout=seconds(1)), c.activity("b"))
    eventually(lambda: len(partitions(w)) > 1 or backlog(w, "ACTIVITY") == 2 or None)
    w.wait_for("ActivityTaskTimedOut")
    eventually(lambda: len(partitions(w)) > 1 or backlog(w, "ACTIVITY") == 1 or None)


def test_fairness_keys_take_turns(w):
    """Fairness is on by default here; elsewhere it is a setting, and tasks come in their order."""
    for key in "aaabbc":
        w.start(workflow_id=f"{w.id}-{key}-{time.monotonic_ns()}", priority={"fairness_key": key})
    eventually(lambda: backlog(w) == 6 or None)
    keys = [w.poll().workflow_execution.workflow_id.split("-")[2] for _ in range(6)]
    assert sorted(keys) == list("aaabbc")
    assert keys == list("abcaba") or len(partitions(w)) > 1


def test_weights_share_the_turns(w):
    for number in range(6):
        for key, weight in (("heavy", 2), ("light", 1)):
            w.start(
                workflow_id=f"{w.id}-{key}-{number}",
                priority={"fairness_key": key, "fairness_weight": weight},
            )
    eventually(lambda: backlog(w) == 12 or None)
    keys = [w.poll().workflow_execution.workflow_id.split("-")[2] for _ in range(6)]
    assert keys.count("heavy") == 4 or len(partitions(w)) > 1


# -- UpdateTaskQueueConfig ------------------------------------------------------------------------


def configure(w, kind="ACTIVITY", **fields):
    answer = w.call(
        "UpdateTaskQueueConfig",
        task_queue=w.queue,
        task_queue_type="TASK_QUEUE_TYPE_" + kind,
        **fields,
    )
    return answer.config


def rate(number, reason=""):
    return {"rate_limit": {"requests_per_second": number}, "reason": reason}


@pytest.mark.parametrize("kind", ["ACTIVITY", "NEXUS"])
def test_config_is_kept_and_shown(w, kind):
    config = configure(
        w,
        kind,
        identity="me",
        update_queue_rate_limit=rate(10, "slow down"),
        update_fairness_key_rate_limit_default=rate(2),
        set_fairness_weight_overrides={"a": 2.5},
    )
    assert config.queue_rate_limit.rate_limit.requests_per_second == 10
    assert config.queue_rate_limit.metadata.reason == "slow down"
    assert config.queue_rate_limit.metadata.update_identity == "me"
    assert config.queue_rate_limit.metadata.update_time.seconds
    assert config.fairness_keys_rate_limit_default.rate_limit.requests_per_second == 2
    assert dict(config.fairness_weight_overrides) == {"a": 2.5}
    eventually(lambda: describe(w, kind, report_config=True).config == config or None)
    assert not describe(w, kind).HasField("config")
    assert not describe(w, report_config=True).config.HasField("queue_rate_limit")


def test_what_a_change_does_not_name_stays(w):
    configure(w, update_queue_rate_limit=rate(10), set_fairness_weight_overrides={"a": 2, "b": 3})
    config = configure(
        w, set_fairness_weight_overrides={"a": 4}, unset_fairness_weight_overrides=["b", "other"]
    )
    assert config.queue_rate_limit.rate_limit.requests_per_second == 10
    assert dict(config.fairness_weight_overrides) == {"a": 4}
    config = configure(w, update_queue_rate_limit={"reason": "off"})
    assert not config.queue_rate_limit.HasField("rate_limit")
    assert config.queue_rate_limit.metadata.reason == "off"


def test_weights_of_a_workflow_queue(w):
    config = configure(w, "WORKFLOW", set_fairness_weight_overrides={"a": 2})
    assert dict(config.fairness_weight_overrides) == {"a": 2}


def test_rate_limit_of_the_config_goes_before_the_workers(w):
    w.call(
        "PollActivityTaskQueue",
        timeout=3,
        task_queue={"name": w.queue},
        task_queue_metadata={"max_tasks_per_second": {"value": 100}},
    )
    configure(w, update_queue_rate_limit=rate(0))

    def limit():
        return describe(w, "ACTIVITY").effective_rate_limit

    eventually(lambda: limit().rate_limit_source == 1 or None)
    assert limit().requests_per_second == 0
    w.begin(c.activity("a"))
    w.no_task(kind="Activity")
    configure(w, update_queue_rate_limit=rate(1000))
    assert w.poll_activity().activity_id == "a"
    configure(w, update_queue_rate_limit={})
    eventually(lambda: limit().rate_limit_source != 1 or None)


def test_a_raised_rate_limit_lets_go_what_waits(w):
    configure(w, update_queue_rate_limit=rate(0.01))
    w.begin(*(c.activity(name) for name in "abc"))
    # At most one goes at once; the others would wait for minutes.
    polls = [w.waiting_poll(kind="Activity") for _ in "abc"]
    configure(w, update_queue_rate_limit=rate(50))
    assert {poll.result().activity_id for poll in polls} == set("abc")


def test_overridden_weights_share_the_turns(w):
    configure(w, set_fairness_weight_overrides={"x": 3})
    activities = [
        c.activity(f"{key}{number}", priority={"fairness_key": key})
        for number in range(6)
        for key in "xy"
    ]
    w.begin(*activities)
    eventually(lambda: backlog(w, "ACTIVITY") == 12 or None)
    keys = [w.poll_activity().activity_id[0] for _ in range(8)]
    assert keys.count("x") == 6 or len(partitions(w)) > 1


@pytest.mark.parametrize(
    "kind, fields, message",
    [
        (
            "WORKFLOW",
            {"update_queue_rate_limit": rate(1)},
            "Setting rate limit on workflow task queues is not allowed.",
        ),
        (
            "WORKFLOW",
            {"update_fairness_key_rate_limit_default": rate(1)},
            "Setting fairness key rate limit on workflow task queues is not allowed.",
        ),
        (
            "ACTIVITY",
            {"update_queue_rate_limit": rate(-1)},
            "RequestsPerSecond for UpdateQueueRateLimit rate limit must be non-negative.",
        ),
        (
            "ACTIVITY",
            {"update_fairness_key_rate_limit_default": rate(-1)},
            "RequestsPerSecond for UpdateFairnessKeyRateLimitDefault rate limit must be "
            "non-negative.",
        ),
        (
            "ACTIVITY",
            {"update_queue_rate_limit": rate(1, "x" * 1001)},
            "UpdateQueueRateLimit.Reason field too long (max 1000 characters).",
        ),
        ("ACTIVITY", {"identity": "x" * 1001}, "Identity field too long (max 1000 characters)."),
        (
            "ACTIVITY",
            {"set_fairness_weight_overrides": {"": 1}},
            "fairness weight override key must not be empty",
        ),
        (
            "ACTIVITY",
            {"set_fairness_weight_overrides": {"k" * 65: 1}},
            "fairness key length exceeds limit",
        ),
        (
            "ACTIVITY",
            {"set_fairness_weight_overrides": {"k": 0}},
            'invalid fairness weight weight for key "k": must be greater than zero',
        ),
        (
            "ACTIVITY",
            {"unset_fairness_weight_overrides": [""]},
            "fairness weight override key must not be empty",
        ),
        (
            "ACTIVITY",
            {"set_fairness_weight_overrides": {"k": 1}, "unset_fairness_weight_overrides": ["k"]},
            'fairness weight override key "k" present in both set and unset lists',
        ),
        (
            "ACTIVITY",
            {"unset_fairness_weight_overrides": [f"k{n}" for n in range(1001)]},
            "too many fairness weight overrides in request: got 1001, maximum 1000",
        ),
    ],
)
def test_bad_config(w, kind, fields, message):
    with refused("INVALID_ARGUMENT", message):
        configure(w, kind, **fields)
    assert not describe(w, kind, report_config=True).config.ListFields()


def test_too_many_weights_in_all(w):
    configure(w, set_fairness_weight_overrides={f"k{n}": 1 for n in range(1000)})
    message = "fairness weight overrides update rejected: exceeding maximum key size"
    with refused("INVALID_ARGUMENT", message):
        configure(w, set_fairness_weight_overrides={"more": 1})


# -- ShutdownWorker -------------------------------------------------------------------------------


@pytest.mark.ours
@pytest.mark.parametrize("kind", ["Workflow", "Activity"])
def test_shutdown_ends_the_polls_of_a_worker(w, kind):
    def poll(instance, timeout=20):
        return w.client.future(
            f"Poll{kind}TaskQueue",
            timeout=timeout,
            task_queue={"name": w.queue},
            identity=instance,
            worker_instance_key=instance,
        )

    # Workers look here, and wait for their polls to end then.
    namespace = w.call("DescribeNamespace").namespace_info
    assert namespace.capabilities.worker_poll_complete_on_shutdown
    ours, theirs = f"{w.id}-1", f"{w.id}-2"
    leaving, staying = poll(ours), poll(theirs)
    identities = {ours, theirs}
    eventually(
        lambda: {p.identity for p in describe(w, kind.upper()).pollers} == identities or None
    )
    w.call("ShutdownWorker", task_queue=w.queue, worker_instance_key=ours, identity=ours)
    assert leaving.result() == type(leaving.result())()
    assert not staying.done()
    # What it sent before and arrives late ends as well.
    late = poll(ours, timeout=10).result()
    assert late == type(late)()
    if kind == "Workflow":
        w.start()
    else:
        w.begin(c.activity("a"))
    assert staying.result().task_token
