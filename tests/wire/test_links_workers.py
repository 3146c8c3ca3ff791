"""Links on events, and the heartbeats of workers."""

import uuid

import commands as c
import pytest
from client import refused
from google.protobuf import timestamp_pb2
from temporalio.api.enums.v1 import common_pb2 as enums

LINK = {
    "workflow_event": {
        "namespace": "default",
        "workflow_id": "other",
        "run_id": "11111111-1111-4111-8111-111111111111",
        "event_ref": {"event_id": 1, "event_type": "EVENT_TYPE_WORKFLOW_EXECUTION_STARTED"},
    }
}


def links(event):
    return [link.workflow_event.workflow_id for link in event.links]


def test_links_go_to_the_events(w):
    w.start(links=[LINK])
    w.signal(links=[LINK])
    w.cancel(links=[LINK])
    w.terminate(links=[LINK])
    events = w.events()
    assert [links(e) for e in events] == [["other"], [], ["other"], ["other"], ["other"]]


def test_link_of_a_signal_with_start(w):
    w.signal_with_start(links=[LINK])
    assert links(w.events()[0]) == ["other"]


def test_more_than_ten_links(w):
    with refused("INVALID_ARGUMENT", "cannot attach more than 10 links per request, got 11"):
        w.start(links=[LINK] * 11)


def workflow_event(**fields):
    return {"workflow_event": {"namespace": "n", "workflow_id": "w", "run_id": "r", **fields}}


@pytest.mark.parametrize(
    "link, message",
    [
        ({}, "unsupported link variant"),
        (workflow_event(namespace=""), "workflow event link must not have an empty namespace field"),
        (
            workflow_event(workflow_id=""),
            "workflow event link must not have an empty workflow ID field",
        ),
        (workflow_event(run_id=""), "workflow event link must not have an empty run ID field"),
        (
            workflow_event(event_ref={"event_id": 3}),
            "workflow event link ref cannot have an unspecified event type and a non-zero event ID",
        ),
        ({"batch_job": {}}, "batch job link must not have an empty job ID"),
        ({"activity": {}}, "activity link must not have an empty namespace field"),
        (
            {"activity": {"namespace": "n"}},
            "activity link must not have an empty activity ID field",
        ),
        (
            {"activity": {"namespace": "n", "activity_id": "a"}},
            "activity link must not have an empty run ID field",
        ),
        ({"nexus_operation": {}}, "nexus operation link must not have an empty namespace field"),
        (
            {"nexus_operation": {"namespace": "n"}},
            "nexus operation link must not have an empty operation ID field",
        ),
        (
            {"nexus_operation": {"namespace": "n", "operation_id": "o"}},
            "nexus operation link must not have an empty run ID field",
        ),
    ],
)
def test_links_that_are_refused(w, link, message):
    with refused("INVALID_ARGUMENT", message):
        w.start(links=[link])
    callback = {"nexus": {"url": "temporal://system"}, "links": [link]}
    with refused("INVALID_ARGUMENT", message):
        w.start(completion_callbacks=[callback])


def test_the_links_of_callbacks_count(w):
    callback = {"nexus": {"url": "temporal://system"}, "links": [LINK] * 5}
    with refused("INVALID_ARGUMENT", "cannot attach more than 10 links per request, got 11"):
        w.start(links=[workflow_event()], completion_callbacks=[callback, callback])


def test_worker_heartbeats(w):
    key = uuid.uuid4().hex
    now = timestamp_pb2.Timestamp()
    now.GetCurrentTime()
    beat = {
        "worker_instance_key": key,
        "worker_identity": "me",
        "task_queue": w.queue,
        "sdk_name": "temporal-wire",
        "sdk_version": "1.0.0",
        "status": "WORKER_STATUS_RUNNING",
        "start_time": now,
        "heartbeat_time": now,
    }
    w.call("RecordWorkerHeartbeat", identity="me", worker_heartbeat=[beat])
    answer = w.call("ListWorkers", query=f"TaskQueue = '{w.queue}'")
    assert [i.worker_heartbeat.worker_instance_key for i in answer.workers_info] == [key]
    assert w.call("CountWorkers", query=f"TaskQueue = '{w.queue}'").count == 1
    found = w.call("DescribeWorker", worker_instance_key=key).worker_info.worker_heartbeat
    assert (found.worker_identity, found.task_queue) == ("me", w.queue)
    # A worker that is leaving stays in the list until it has left, or is silent for long.
    for status, listed in [("SHUTTING_DOWN", [key]), ("SHUTDOWN", [])]:
        last = {**beat, "status": f"WORKER_STATUS_{status}"}
        w.call("ShutdownWorker", worker_instance_key=key, task_queue=w.queue, worker_heartbeat=last)
        answer = w.call("ListWorkers", query=f"TaskQueue = '{w.queue}'")
        assert [i.worker_heartbeat.worker_instance_key for i in answer.workers_info] == listed


def test_the_last_words_of_a_worker(w):
    def beat(key, status):
        return {"worker_instance_key": key, "task_queue": w.queue, "status": status}

    def known(key):
        listed = w.call("ListWorkers", query=f"WorkerInstanceKey = '{key}'").workers_info
        return [info.worker_heartbeat.status for info in listed]

    key, other = uuid.uuid4().hex, uuid.uuid4().hex
    for of in (key, other):
        running = beat(of, "WORKER_STATUS_RUNNING")
        w.call("RecordWorkerHeartbeat", identity="me", worker_heartbeat=[running])
        # It says nothing of itself: it is as it was.
        w.call("ShutdownWorker", identity="me", worker_instance_key=of, task_queue=w.queue)
        assert known(of) == [enums.WORKER_STATUS_RUNNING]
    for status, left in [
        ("WORKER_STATUS_SHUTTING_DOWN", [enums.WORKER_STATUS_SHUTTING_DOWN]),
        ("WORKER_STATUS_SHUTDOWN", []),
    ]:
        w.call(
            "ShutdownWorker",
            identity="me",
            worker_instance_key=key,
            worker_heartbeat=beat(key, status),
        )
        assert known(key) == left
    last = beat(other, "WORKER_STATUS_SHUTDOWN")
    w.call("RecordWorkerHeartbeat", identity="me", worker_heartbeat=[last])
    assert known(other) == []


def test_unknown_worker(client):
    with refused("NOT_FOUND", "Worker nobody not found", "any"):
        client("DescribeWorker", worker_instance_key="nobody")


def test_no_workers(w):
    assert not w.call("ListWorkers", query=f"TaskQueue = '{w.queue}'").workers_info


@pytest.mark.parametrize("field", ["sdk_name", "sdk_version"])
def test_sdk_metadata_is_kept(w, field):
    w.start()
    w.complete(w.poll(), c.timer(), sdk_metadata={field: "value"})
    completed = w.events()[3].workflow_task_completed_event_attributes
    assert getattr(completed.sdk_metadata, field) == "value"


@pytest.mark.parametrize("rpc", ["ListWorkers", "CountWorkers"])
def test_query_for_workers_that_is_no_sql(client, rpc):
    with refused("INVALID_ARGUMENT", "malformed query: syntax error at position 38"):
        client(rpc, query="Nonsense =")
