"""User metadata, priorities and links: on which events they are, and what takes them over."""

import commands as c
import history
import pytest
from client import payload, refused, seconds
from test_links_workers import LINK, links


def metadata(text):
    return {"summary": payload(text)}


def summary(event):
    return event.user_metadata.summary.data.decode()


def test_metadata_is_on_the_events_of_commands(w, w2):
    w.start(user_metadata=metadata("start"))
    commands = [
        c.activity("a"),
        c.timer("t"),
        c.marker("m"),
        c.child(w2.id, task_queue={"name": w2.queue}),
    ]
    for command, text in zip(commands, ["act", "tim", "mar", "kid"], strict=True):
        command["user_metadata"] = metadata(text)
    w.step(*commands)
    events = w.events()
    shown = {history.event_name(e): summary(e) for e in events if e.HasField("user_metadata")}
    assert shown == {
        "WorkflowExecutionStarted": '"start"',
        "ActivityTaskScheduled": '"act"',
        "TimerStarted": '"tim"',
        "MarkerRecorded": '"mar"',
        "StartChildWorkflowExecutionInitiated": '"kid"',
    }
    config = w.describe().execution_config
    assert config.user_metadata.summary.data == b'"start"'
    w.wait_for("ChildWorkflowExecutionStarted")
    config = w2.describe().execution_config
    assert config.user_metadata.summary.data == b'"kid"'
    first = w2.events(run_id="")[0]
    assert summary(first) == '"kid"'
    w2.terminate()


def test_metadata_stays_with_the_chain(w):
    w.start(user_metadata=metadata("start"))
    w.step(c.continue_as_new())
    config = w.describe().execution_config
    shown = config.user_metadata.summary.data
    assert shown == summary(w.events(run_id="")[0]).encode()


def test_metadata_of_a_close(w):
    w.start()
    command = c.complete(1)
    command["user_metadata"] = metadata("end")
    w.step(command)
    assert summary(w.events()[-1]) == '"end"'


def test_priorities_meet_where_they_take_effect(w, w2):
    w.start(priority={"priority_key": 2, "fairness_key": "tenant"})
    assert w.describe().workflow_execution_info.priority.priority_key == 2
    child = c.child(w2.id, task_queue={"name": w2.queue}, priority={"priority_key": 5})
    w.step(c.activity("a", priority={"priority_key": 4}), c.activity("b"), child)
    first, second = w.poll_activity(), w.poll_activity()
    shown = {
        task.activity_id: (task.priority.priority_key, task.priority.fairness_key)
        for task in (first, second)
    }
    assert shown == {"a": (4, "tenant"), "b": (2, "tenant")}
    w.wait_for("ChildWorkflowExecutionStarted")
    priority = w2.describe().workflow_execution_info.priority
    assert (priority.priority_key, priority.fairness_key) == (5, "tenant")
    w2.terminate()


def test_the_next_run_of_a_chain_has_the_priority(w):
    w.start(priority={"priority_key": 2})
    w.step(c.continue_as_new())
    assert w.describe().workflow_execution_info.priority.priority_key == 2


@pytest.mark.parametrize(
    "priority, message",
    [
        ({"priority_key": -1}, "priority key can't be negative"),
        ({"fairness_key": "k" * 65}, "fairness key length exceeds limit"),
        ({"fairness_weight": -1.0}, "must be greater than zero"),
    ],
)
def test_priorities_that_are_refused(w, priority, message):
    with refused("INVALID_ARGUMENT", contains=message):
        w.start(priority=priority)
    w.start()
    task = w.poll()
    with refused("INVALID_ARGUMENT", contains=message):
        w.complete(task, c.activity("a", priority=priority))
    task = w.poll()
    with refused("INVALID_ARGUMENT", contains=message):
        w.complete(task, c.child(w.id + "-kid", priority=priority))


def test_links_of_signal_with_start(w):
    w.signal_with_start(links=[LINK])
    w.signal_with_start(links=[LINK])
    signaled = [e for e in w.events() if history.event_name(e) == "WorkflowExecutionSignaled"]
    assert [links(e) for e in signaled] == [["other"], ["other"]]


def test_links_of_a_buffered_signal(w):
    w.start()
    task = w.poll()
    w.signal(links=[LINK])
    w.complete(task)
    signaled = [e for e in w.events() if history.event_name(e) == "WorkflowExecutionSignaled"]
    assert links(signaled[0]) == ["other"]


def test_summary_of_any_length(w):
    w.start(user_metadata=metadata("s" * 5000), workflow_run_timeout=seconds(60))
    assert len(w.describe().execution_config.user_metadata.summary.data) == 5002


def test_event_groups_are_on_the_events_of_commands(w):
    marker = {"label": {"id": "group", "label": payload("A group")}}
    w.start()
    w.step({**c.activity("a"), "event_group_markers": [marker]}, c.timer("t"))
    shown = {history.event_name(e): e.event_group_markers for e in w.events()}
    (found,) = shown["ActivityTaskScheduled"]
    assert found.label.id == "group" and found.label.label.data == b'"A group"'
    assert not shown["TimerStarted"] and not shown["WorkflowTaskCompleted"]
