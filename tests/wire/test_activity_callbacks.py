"""Completion callbacks of standalone activities: a Nexus operation that is a job. They are behind a switch, so these
tests start a server of their own, of ours or of the reference."""

import queue
import threading
import uuid
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import history
import nexus
import pytest
from client import Client, application_failure, eventually, payloads, refused, value_of
from own_server import serving
from scene import Scene
from temporalio.api.enums.v1 import common_pb2

from test_standalone_activity import Job

STATE = common_pb2.CallbackState.Name
ACTIVITY_LINK = "temporal.api.common.v1.Link.Activity"
SETTINGS = [
    "nexusoperation.enableStandalone=true",
    "activity.enableCallbacks=true",
    'callback.allowedAddresses=[{"Pattern":"localhost:*","AllowInsecure":true}]',
]


@pytest.fixture(scope="module")
def address():
    with serving(SETTINGS) as address:
        yield address


@pytest.fixture
def w(address):
    scene = Scene(Client(address))
    yield scene
    scene.close()


@pytest.fixture
def job(w):
    return Job(w.call)


@pytest.fixture
def task(w):
    """An operation that a workflow waits for, with its handler."""
    endpoint = nexus.endpoint(w)
    w.begin(nexus.schedule(endpoint))
    return nexus.poll(w)


class Elsewhere:
    """An address elsewhere that refuses the first call, and takes the rest."""

    def __init__(self):
        came = self.came = queue.Queue()
        answers = iter([503])

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self):
                body = self.rfile.read(int(self.headers["content-length"] or 0))
                came.put((dict(self.headers), body))
                self.send_response(next(answers, 200))
                self.send_header("content-length", "0")
                self.end_headers()

            def log_message(self, *_):
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        threading.Thread(target=self.server.serve_forever, daemon=True).start()
        self.url = f"http://localhost:{self.server.server_port}/done"


@pytest.fixture
def elsewhere():
    here = Elsewhere()
    yield here
    here.server.shutdown()
    here.server.server_close()


def callbacks(job, state):
    """The job's callbacks, once all are in this state."""

    def look():
        found = job.call("DescribeActivityExecution", activity_id=job.id).callbacks
        states = {STATE(callback.info.state) for callback in found}
        return found if states == {f"CALLBACK_STATE_{state}"} else None

    return eventually(look)


def outcome(w, name):
    return history.attributes(w.wait_for(name))


def activity_url(job):
    return f"temporal:///namespaces/default/activities/{job.id}/{job.run_id}/details"


def test_an_operation_that_is_a_job(w, job, task):
    job.start(completion_callbacks=[nexus.callback(task)])
    (callback,) = callbacks(job, "STANDBY")
    assert callback.trigger.HasField("activity_closed")
    assert callback.info.callback.nexus.url == task.request.start_operation.callback
    assert callback.info.HasField("registration_time") and not callback.info.attempt
    link = {"url": activity_url(job), "type": ACTIVITY_LINK}
    nexus.start(w, task, token="job", links=[link])
    (started,) = w.wait_for("NexusOperationStarted").links
    assert started.activity.activity_id == job.id and started.activity.run_id == job.run_id
    job.complete(job.poll_task(), "done")
    assert value_of(outcome(w, "NexusOperationCompleted").result) == "done"
    (callback,) = callbacks(job, "SUCCEEDED")
    assert callback.info.attempt == 1 and callback.info.HasField("last_attempt_complete_time")


def test_a_job_that_fails(w, job, task):
    job.start(completion_callbacks=[nexus.callback(task)], retry_policy={"maximum_attempts": 1})
    nexus.start(w, task)
    job.fail(job.poll_task(), application_failure("boom"))
    cause = outcome(w, "NexusOperationFailed").failure.cause
    assert cause.message == "boom" and cause.HasField("application_failure_info")


def test_a_job_that_is_canceled(w, job, task):
    job.start(completion_callbacks=[nexus.callback(task)])
    nexus.start(w, task)
    held = job.poll_task()
    job.call("RequestCancelActivityExecution", activity_id=job.id, request_id=uuid.uuid4().hex)
    job.call("RespondActivityTaskCanceled", task_token=held.task_token, details=payloads("d"))
    cause = outcome(w, "NexusOperationCanceled").failure.cause
    assert cause.HasField("canceled_failure_info")


def test_a_job_that_is_terminated(w, job, task):
    job.start(completion_callbacks=[nexus.callback(task)])
    nexus.start(w, task)
    job.call("TerminateActivityExecution", activity_id=job.id, reason="enough")
    cause = outcome(w, "NexusOperationFailed").failure.cause
    assert cause.HasField("terminated_failure_info") and cause.message == "enough"


def test_a_callback_is_attached_to_a_running_job(w, job, task):
    job.start()
    again = job.start_fields(
        id_conflict_policy="ACTIVITY_ID_CONFLICT_POLICY_USE_EXISTING",
        completion_callbacks=[nexus.callback(task)],
    )
    job.call("StartActivityExecution", **again)
    assert not job.call("DescribeActivityExecution", activity_id=job.id).callbacks
    options = {"attach_request_id": True, "attach_completion_callbacks": True}
    again["request_id"] = uuid.uuid4().hex
    for _ in range(2):
        answer = job.call("StartActivityExecution", on_conflict_options=options, **again)
        assert answer.run_id == job.run_id and not answer.started
    assert len(callbacks(job, "STANDBY")) == 1
    nexus.start(w, task)
    job.complete(job.poll_task(), "x")
    w.wait_for("NexusOperationCompleted")
    assert len(callbacks(job, "SUCCEEDED")) == 1


def test_an_address_elsewhere(job, elsewhere):
    job.start(completion_callbacks=[{"nexus": {"url": elsewhere.url, "header": {"A": "b"}}}])
    job.complete(job.poll_task(), "x")
    # The first is refused, and it is called again.
    for _ in range(2):
        headers, body = elsewhere.came.get(timeout=20)
        headers = {name.lower(): value for name, value in headers.items()}
        assert body == b'"x"' and headers["nexus-operation-state"] == "succeeded"
        assert headers["a"] == "b"
        assert headers["nexus-link"] == f'<{activity_url(job)}>; type="{ACTIVITY_LINK}"'
    (callback,) = callbacks(job, "SUCCEEDED")
    assert callback.info.attempt == 2


def test_refused_callbacks(job):
    text = "invalid url: url does not match any configured callback address: http://example.com"
    with refused("INVALID_ARGUMENT", text):
        job.start(completion_callbacks=[{"nexus": {"url": "http://example.com"}}])


def test_a_standalone_operation_links_to_its_job(w, job):
    endpoint = nexus.endpoint(w)
    id_ = f"op-{uuid.uuid4().hex[:12]}"
    started = w.call(
        "StartNexusOperationExecution",
        operation_id=id_,
        endpoint=endpoint,
        service="svc",
        operation="op",
        request_id=uuid.uuid4().hex,
    )
    assert started.run_id
    task = nexus.poll(w)
    job.start()
    link = {"url": activity_url(job), "type": ACTIVITY_LINK}
    nexus.complete(w, task, start_operation={"sync_success": {"links": [link]}})
    described = w.call("PollNexusOperationExecution", operation_id=id_)
    assert described.run_id == started.run_id
    (link,) = w.call("DescribeNexusOperationExecution", operation_id=id_).info.links
    assert link.activity.namespace == "default" and link.activity.activity_id == job.id
    assert link.activity.run_id == job.run_id
