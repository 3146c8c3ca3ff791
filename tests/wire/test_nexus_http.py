"""The Nexus protocol over HTTP: requests to handlers, completions, and endpoints elsewhere."""

import json
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import quote

import commands as c
import history
import nexus
import pytest
from client import value_of
from http_api import request

TYPED = {"Content-Type": "application/json"}
WHOLE = {**TYPED, "Temporal-Nexus-Failure-Support": "true"}
UNKNOWN = "11111111-1111-4111-8111-111111111111"


class Call:
    """A request under way, made by a thread: the test itself is the worker that answers it."""

    def __init__(self, path, body=b'"in"', headers=WHOLE, method="POST", **query):
        def run():
            self.reply = request(method, path, body, headers=headers, **query)

        self.thread = threading.Thread(target=run)
        self.thread.start()

    def result(self):
        self.thread.join()
        return self.reply


@pytest.fixture(params=["endpoint", "task queue"])
def base(request, w):
    """The two ways to the same handler."""
    if request.param == "endpoint":
        return f"/nexus/endpoints/{w.endpoints[nexus.endpoint(w)].id}/services"
    return f"/namespaces/default/task-queues/{w.queue}/nexus-services"


def test_an_immediate_result(w, base):
    headers = {
        **WHOLE,
        "Nexus-Request-Id": "r1",
        "Nexus-Callback-A": "b",
        "Foo": "bar",
        "Request-Timeout": "20s",
    }
    call = Call(f"{base}/my%20svc/op", headers=headers, callback="http://c/d?e=f")
    task = nexus.poll(w)
    start = task.request.start_operation
    assert (start.service, start.operation, start.request_id) == ("my svc", "op", "r1")
    assert value_of(start.payload) == "in"
    assert start.callback == "http://c/d?e=f" and dict(start.callback_header) == {"a": "b"}
    assert task.request.header["foo"] == "bar"
    nexus.succeed(w, task)
    reply = call.result()
    assert (reply.status, reply.json) == (200, "out")
    assert reply.headers["Content-Type"] == "application/json"


def test_a_started_operation_and_its_cancellation(w, base):
    call = Call(f"{base}/svc/op")
    nexus.start(w, nexus.poll(w))
    reply = call.result()
    assert (reply.status, reply.json) == (201, {"token": "tok", "state": "running"})
    call = Call(f"{base}/svc/op/cancel", b"", {"Nexus-Operation-Token": "tok"})
    task = nexus.poll(w)
    cancel = task.request.cancel_operation
    assert (cancel.service, cancel.operation, cancel.operation_token) == ("svc", "op", "tok")
    nexus.complete(w, task, cancel_operation={})
    assert call.result().status == 202


@pytest.mark.parametrize("kind, state", [("application", "failed"), ("canceled", "canceled")])
def test_an_operation_that_fails(w, base, kind, state):
    call = Call(f"{base}/svc/op")
    failure = {"message": "no", f"{kind}_failure_info": {}}
    nexus.complete(w, nexus.poll(w), start_operation={"failure": failure})
    reply = call.result()
    assert reply.status == 424 and reply.headers["Nexus-Operation-State"] == state
    body = reply.json
    assert body["metadata"]["type"] == "nexus.OperationError"
    assert body["details"] == {"state": state}
    cause = body["cause"]
    assert cause["message"] == "no"
    assert cause["metadata"] == {"type": "temporal.api.failure.v1.Failure"}
    assert f"{kind}FailureInfo" in cause["details"]


@pytest.mark.parametrize(
    "type_, status",
    [("BAD_REQUEST", 400), ("NOT_FOUND", 404), ("INTERNAL", 500), ("UNAVAILABLE", 503)],
)
def test_a_handler_that_refuses(w, base, type_, status):
    call = Call(f"{base}/svc/op")
    nexus.refuse(w, nexus.poll(w), type_)
    reply = call.result()
    assert reply.status == status
    assert reply.headers["Temporal-Nexus-Failure-Source"] == "worker"
    expected = {
        "message": "no",
        "metadata": {"type": "nexus.HandlerError"},
        "details": {"type": type_},
    }
    assert reply.json == expected


def refusal(reply):
    details = reply.json["details"]
    return reply.status, details["type"], reply.json["message"]


def test_refused_requests(w):
    queue = f"/namespaces/default/task-queues/{w.queue}/nexus-services"
    unknown = f"/nexus/endpoints/{UNKNOWN}/services/svc/op"
    reply = request("POST", unknown, b"", headers=WHOLE)
    assert refusal(reply) == (404, "NOT_FOUND", "nexus endpoint not found")
    reply = request("GET", f"{queue}/svc/op", headers=WHOLE)
    text = 'invalid request method: expected POST, got "GET"'
    assert refusal(reply) == (400, "BAD_REQUEST", text)
    reply = request("POST", f"{queue}/svc/op/cancel", b"", headers=WHOLE)
    assert refusal(reply) == (400, "BAD_REQUEST", "missing operation token")
    reply = request("POST", f"{queue}/svc/op/a/b/c", b"", headers=WHOLE)
    assert refusal(reply) == (404, "NOT_FOUND", "not found")
    headers = {**WHOLE, "Request-Timeout": "soon"}
    reply = request("POST", f"{queue}/svc/op", b"1", headers=headers)
    assert refusal(reply) == (400, "BAD_REQUEST", "invalid request timeout header")
    elsewhere = "/namespaces/nope/task-queues/q/nexus-services/svc/op"
    reply = request("POST", elsewhere, b"1", headers=WHOLE)
    assert refusal(reply) == (404, "NOT_FOUND", 'namespace not found: "nope"')


def test_nobody_answers_in_time(w):
    path = f"/namespaces/default/task-queues/{w.queue}/nexus-services/svc/op"
    reply = request("POST", path, b"1", headers={**WHOLE, "Request-Timeout": "3s"})
    assert refusal(reply) == (520, "UPSTREAM_TIMEOUT", "upstream timeout")


def completion(task, state="succeeded", **headers):
    token = task.request.start_operation.callback_header["temporal-callback-token"]
    return {
        **TYPED,
        "Nexus-Operation-State": state,
        "Temporal-Callback-Token": token,
        **headers,
    }


CALLBACK = "/namespaces/default/nexus/callback"


@pytest.mark.parametrize("path", [CALLBACK, "/nexus/callback"])
def test_a_completion(w, path):
    w.begin(nexus.schedule(nexus.endpoint(w)))
    task = nexus.poll(w)
    headers = completion(task, **{"Nexus-Operation-Token": "tok"})
    assert request("POST", path, b'"done"', headers=headers).status == 200
    w.wait_for("NexusOperationCompleted")
    names = history.names(w.events())
    assert names.index("NexusOperationStarted") < names.index("NexusOperationCompleted")
    started = history.attributes(w.wait_for("NexusOperationStarted"))
    assert started.operation_token == "tok"
    completed = history.attributes(w.wait_for("NexusOperationCompleted"))
    assert value_of(completed.result) == "done"


@pytest.mark.parametrize(
    "state, event", [("failed", "NexusOperationFailed"), ("canceled", "NexusOperationCanceled")]
)
def test_a_completion_without_a_result(w, state, event):
    w.begin(nexus.schedule(nexus.endpoint(w)))
    task = nexus.poll(w)
    body = json.dumps({"message": "no"}).encode()
    reply = request("POST", CALLBACK, body, headers=completion(task, state))
    assert reply.status == 200, reply.text
    failure = history.attributes(w.wait_for(event)).failure
    assert failure.cause.message == "no"


def test_refused_completions(w):
    w.begin(nexus.schedule(nexus.endpoint(w)))
    task = nexus.poll(w)
    for headers, text in [
        (
            completion(task, **{"Temporal-Callback-Token": "x"}),
            "invalid callback token",
        ),
        (completion(task, "nope"), 'invalid request operation state: "nope"'),
        (
            completion(task, "failed", **{"Content-Type": "text/plain"}),
            'invalid request content type: "text/plain"',
        ),
        (
            completion(task, **{"Nexus-Operation-Start-Time": "soon"}),
            "failed to parse operation start time header",
        ),
    ]:
        reply = request("POST", CALLBACK, b"1", headers=headers)
        assert refusal(reply) == (400, "BAD_REQUEST", text)
    other = f"/namespaces/{quote('temporal-system')}/nexus/callback"
    reply = request("POST", other, b"1", headers=completion(task))
    assert refusal(reply) == (400, "BAD_REQUEST", "invalid callback token")
    w.terminate()
    reply = request("POST", CALLBACK, b"1", headers=completion(task))
    assert refusal(reply)[:2] == (404, "NOT_FOUND")


@pytest.fixture
def elsewhere():
    """A handler that is no worker: `answers` are given in turn, `asked` is what came."""

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self):
            length = int(self.headers.get("Content-Length", 0))
            server.asked.append((self.path, dict(self.headers), self.rfile.read(length)))
            status, headers, body = server.answers.pop(0)
            self.send_response(status)
            for name, value in headers.items():
                self.send_header(name, value)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_):
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.asked, server.answers = [], []
    server.url = f"http://127.0.0.1:{server.server_port}/base"
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield server
    server.shutdown()


def test_an_endpoint_elsewhere_answers_at_once(w, elsewhere):
    elsewhere.answers.append((200, TYPED, b'"far"'))
    w.begin(nexus.schedule(nexus.endpoint(w, external={"url": elsewhere.url}), operation="o p"))
    completed = history.attributes(w.wait_for("NexusOperationCompleted"))
    assert value_of(completed.result) == "far"
    ((path, headers, body),) = elsewhere.asked
    assert path.startswith("/base/svc/o%20p?callback=http") and body == b'"in"'
    headers = {name.lower(): value for name, value in headers.items()}
    assert headers["content-type"] == "application/json"
    assert headers["nexus-request-id"] == completed.request_id
    assert "nexus-callback-temporal-callback-token" in headers
    assert headers["nexus-link"].startswith("<temporal:///namespaces/default/workflows/")


def test_an_endpoint_elsewhere_takes_its_time(w, elsewhere):
    started = json.dumps({"token": "far", "state": "running"}).encode()
    elsewhere.answers += [(201, TYPED, started), (202, {}, b"")]
    w.begin(nexus.schedule(nexus.endpoint(w, external={"url": elsewhere.url})))
    w.wait_for("NexusOperationStarted")
    w.step(nexus.cancel(5))
    w.wait_for("NexusOperationCancelRequestCompleted")
    (_, first, _), (path, second, _) = elsewhere.asked
    assert path == "/base/svc/op/cancel"
    assert {name.lower(): v for name, v in second.items()}["nexus-operation-token"] == "far"
    first = {name.lower(): value for name, value in first.items()}
    headers = {
        **TYPED,
        "Nexus-Operation-State": "succeeded",
        "Temporal-Callback-Token": first["nexus-callback-temporal-callback-token"],
    }
    assert request("POST", CALLBACK, b'"late"', headers=headers).status == 200
    completed = history.attributes(w.wait_for("NexusOperationCompleted"))
    assert value_of(completed.result) == "late"


def test_an_endpoint_elsewhere_refuses(w, elsewhere):
    body = json.dumps({"message": "no such thing"}).encode()
    elsewhere.answers.append((404, TYPED, body))
    w.begin(nexus.schedule(nexus.endpoint(w, external={"url": elsewhere.url})), c.timer())
    failure = history.attributes(w.wait_for("NexusOperationFailed")).failure.cause
    assert failure.cause.message == "no such thing"
    assert failure.nexus_handler_failure_info.type == "NOT_FOUND"
