"""The API over HTTP with JSON: paths, parameters, payloads in both forms, errors, documents."""

import base64
import json
import urllib.parse

import pytest
from client import eventually
from http_api import get, post, request

BOTH_FORMS = pytest.mark.parametrize("prefix", ["/api/v1", ""])
TYPED = {"_protoMessageType": "x.Y", "z": 2}
BINARY = {"metadata": {"encoding": "YmluYXJ5L3BsYWlu"}, "data": "AAEC"}
NULL = {"metadata": {"encoding": "YmluYXJ5L251bGw="}}


def workflow(w, prefix="/api/v1"):
    return f"{prefix}/namespaces/default/workflows/{w.id}"


def start(w, prefix="/api/v1", headers=None, **fields):
    fields = w.start_fields(**fields)
    fields.pop("workflow_id")
    answer = post(workflow(w, prefix), fields, headers=headers)
    assert answer.status == 200, answer.text
    w.run_id = answer.json["runId"]
    return answer


def started_input(w, **query):
    events = get(workflow(w) + "/history", **query).json["history"]["events"]
    return events[0]["workflowExecutionStartedEventAttributes"].get("input")


@BOTH_FORMS
def test_start_and_describe(w, prefix):
    answer = start(w, prefix, input=[1, "two"])
    assert answer.json["started"] is True
    assert answer.headers["Content-Type"] == "*"
    described = get(workflow(w, prefix))
    info = described.json["workflowExecutionInfo"]
    assert info["execution"] == {"workflowId": w.id, "runId": w.run_id}
    assert info["status"] == "WORKFLOW_EXECUTION_STATUS_RUNNING"
    assert info["historyLength"] == "2"
    assert described.json["executionConfig"]["defaultWorkflowTaskTimeout"] == "10s"


@BOTH_FORMS
def test_the_path_overrides_the_body(w, prefix):
    w.begin()
    answer = post(
        workflow(w, prefix) + "/signal/go",
        {
            "workflowExecution": {"workflowId": "other"},
            "signalName": "other",
            "input": [7],
            "requestId": "r",
        },
    )
    assert answer.status == 200, answer.text
    w.expect("""
        1 WorkflowExecutionStarted
        2 WorkflowTaskScheduled
        3 WorkflowTaskStarted
        4 WorkflowTaskCompleted
        5 WorkflowExecutionSignaled signal_name=go input='7' identity=- header=- request_id=r \
external_workflow_execution=-
        6 WorkflowTaskScheduled attempt=1
    """)


def test_names_in_the_definition_and_short_enum_values_are_taken(w):
    start(w)
    again = post(
        workflow(w),
        {
            "workflow_type": {"name": "T"},
            "taskQueue": {"name": w.queue},
            "workflowIdConflictPolicy": "UseExisting",
        },
    )
    assert (again.status, again.json["runId"]) == (200, w.run_id)
    assert "started" not in again.json


def test_payloads_in_both_forms_in_one_list(w):
    long_one = {"metadata": {"encoding": "anNvbi9wbGFpbg=="}, "data": "MQ=="}
    start(w, input=[long_one, {"a": 1}, TYPED, BINARY, None, "x"])
    given = [1, {"a": 1}, TYPED, BINARY, NULL, "x"]
    assert started_input(w) == {"payloads": given}
    stored = w.events()[0].workflow_execution_started_event_attributes.input.payloads
    assert [dict(one.metadata) for one in stored] == [
        {"encoding": b"json/plain"},
        {"encoding": b"json/plain"},
        {"encoding": b"json/protobuf", "messageType": b"x.Y"},
        {"encoding": b"binary/plain"},
        {"encoding": b"binary/null"},
        {"encoding": b"json/plain"},
    ]
    assert json.loads(stored[2].data) == {"z": 2}


def test_payloads_that_all_have_a_short_form_are_a_list(w):
    start(w, input={"payloads": [1, TYPED, None]})
    assert started_input(w) == [1, TYPED, NULL]


@pytest.mark.parametrize(
    ("query", "headers", "content_type"),
    [
        ({"noPayloadShorthand": ""}, {}, "application/json+no-payload-shorthand"),
        (
            {},
            {"Accept": "application/json+no-payload-shorthand"},
            "application/json+no-payload-shorthand",
        ),
        (
            {"pretty": "", "noPayloadShorthand": "1"},
            {},
            "application/json+pretty+no-payload-shorthand",
        ),
    ],
)
def test_payloads_in_the_long_form(w, query, headers, content_type):
    start(w, input=[1])
    answer = request("GET", workflow(w) + "/history", headers=headers, **query)
    assert answer.headers["Content-Type"] == content_type
    attributes = answer.json["history"]["events"][0]["workflowExecutionStartedEventAttributes"]
    plain = {"metadata": {"encoding": "anNvbi9wbGFpbg=="}, "data": "MQ=="}
    assert attributes["input"] == {"payloads": [plain]}


def test_without_the_short_form_a_body_must_have_the_long_one(w):
    headers = {"Content-Type": "application/json+no-payload-shorthand"}
    fields = w.start_fields(input=[1])
    assert post(workflow(w), fields, headers=headers).status == 400
    fields["input"] = {"payloads": [BINARY]}
    answer = post(workflow(w), fields, headers=headers)
    assert answer.status == 200
    # Without a wish for the answer, it comes as the question did.
    assert answer.headers["Content-Type"] == "application/json+no-payload-shorthand"


def test_pretty(w):
    start(w)
    answer = get(workflow(w), pretty="")
    assert answer.text.startswith('{\n  "executionConfig": {\n')
    assert answer.headers["Content-Type"] == "application/json+pretty"


def test_query_parameters(w):
    start(w)
    path = workflow(w) + "/history"
    assert get(workflow(w), **{"execution.runId": "zz"}).json["message"] == "Invalid RunId."
    assert get(workflow(w), **{"execution.run_id": w.run_id}).status == 200
    w.signal("s", 1)
    first = get(path, maximumPageSize=1).json
    assert base64.b64decode(first["nextPageToken"])
    w.terminate()
    only = get(path, historyEventFilterType="HISTORY_EVENT_FILTER_TYPE_CLOSE_EVENT")
    assert len(only.json["history"]["events"]) == 1
    assert get(path, unknown=1, pretty="").status == 200
    refused = get(path, maximumPageSize="x")
    assert (refused.status, refused.json["code"]) == (400, 3)
    assert 'parsing field "maximum_page_size"' in refused.json["message"]


def test_list_and_count(w):
    start(w)
    query = f'WorkflowId = "{w.id}"'

    def listed():
        answer = get("/api/v1/namespaces/default/workflows", query=query).json
        return [one["execution"]["runId"] for one in answer.get("executions", [])] or None

    assert eventually(listed) == [w.run_id]
    assert get("/namespaces/default/workflow-count", query=query).json == {"count": "1"}


def test_long_poll(w):
    start(w)
    path = workflow(w) + "/history"
    token = get(path, waitNewEvent="true").json["nextPageToken"]
    # The wait ends before the time that the client gives.
    headers = {"Grpc-Timeout": "2S"}
    answer = request(
        "GET", path, headers=headers, waitNewEvent="true", nextPageToken=token
    )
    assert answer.status == 200
    assert "events" not in answer.json["history"]
    w.signal("s", 1)
    answer = get(path, waitNewEvent="true", nextPageToken=answer.json["nextPageToken"])
    assert answer.json["history"]["events"][0]["eventType"] == (
        "EVENT_TYPE_WORKFLOW_EXECUTION_SIGNALED"
    )


@pytest.mark.parametrize(
    ("path", "status", "code", "message", "detail"),
    [
        (
            "/namespaces/default/workflows/none",
            404,
            5,
            "workflow not found for ID: none",
            "NotFoundFailure",
        ),
        (
            "/namespaces/nowhere/workflows",
            404,
            5,
            "Namespace nowhere is not found.",
            "NamespaceNotFoundFailure",
        ),
        ("/nothing", 404, 5, "Not Found", None),
        ("/system-info/", 404, 5, "Not Found", None),
        ("/namespaces/default/workflows/w/signal/s", 501, 12, "Method Not Allowed", None),
    ],
)
def test_errors(path, status, code, message, detail):
    answer = get("/api/v1" + path)
    assert (answer.status, answer.json["code"]) == (status, code)
    assert answer.json["message"] == message
    assert answer.headers["Content-Type"] == "*"
    kinds = [one["@type"] for one in answer.json.get("details", [])]
    prefix = "type.googleapis.com/temporal.api.errordetails.v1."
    assert kinds == ([prefix + detail] if detail else [])


def test_already_started_is_a_conflict(w):
    start(w)
    answer = post(workflow(w), w.start_fields() | {"workflow_id": w.id})
    assert (answer.status, answer.json["code"]) == (409, 6)
    assert answer.json["details"][0]["runId"] == w.run_id


@pytest.mark.parametrize("body", [b"{bad", b"[]", b'{"unknown": 1}', b'{"workflowType": 7}'])
def test_bad_bodies(w, body):
    answer = post(workflow(w), body)
    assert (answer.status, answer.json["code"]) == (400, 3)


def test_an_empty_body_is_an_empty_message(w):
    answer = post(workflow(w))
    assert answer.json["message"] == "WorkflowType is not set on request."


def test_bodies_have_a_limit(w):
    big = b'"' + b"a" * (4 << 20) + b'"'
    answer = post(workflow(w), big)
    assert (answer.status, answer.json["code"]) == (400, 3)
    assert answer.json["message"] == "http: request body too large"


def test_headers_are_forwarded():
    headers = {"client-name": "temporal-go", "client-version": "9.0.0"}
    answer = request("GET", "/api/v1/namespaces", headers=headers)
    assert (answer.status, answer.json["code"]) == (400, 9)
    assert answer.json["details"][0]["clientVersion"] == "9.0.0"
    headers = {"Grpc-Metadata-Supported-Server-Versions": ">=9.0.0"}
    answer = request("GET", "/api/v1/namespaces", headers=headers)
    assert "Server version" in answer.json["message"]


def test_task_tokens_travel_in_bodies(w):
    w.begin()
    w.signal("s", 1)
    answer = post("/api/v1/namespaces/default/activity-complete", {"taskToken": "AAAA"})
    assert (answer.status, answer.json["code"]) == (400, 3)


def test_signal_with_start(w):
    path = workflow(w) + "/signal-with-start/s"
    fields = w.start_fields()
    answer = post(path, fields | {"signalInput": [1], "memo": {"fields": {"m": {"a": 1}}}})
    assert answer.status == 200, answer.text
    assert get(workflow(w)).json["workflowExecutionInfo"]["memo"] == {"fields": {"m": {"a": 1}}}
    memo = w.events()[0].workflow_execution_started_event_attributes.memo
    assert json.loads(memo.fields["m"].data) == {"a": 1}


def test_terminate_and_cancel(w):
    start(w)
    assert post(workflow(w) + "/cancel", {}).json == {}
    assert post(workflow(w) + "/terminate", {"reason": "r"}).json == {}
    gone = post(workflow(w) + "/terminate", {})
    assert (gone.status, gone.json["message"]) == (404, "workflow execution already completed")


def test_documents():
    document = get("/swagger.json")
    assert document.status == 200
    paths = document.json["paths"]
    assert "/api/v1/cluster-info" in paths
    ids = {"post": "StartWorkflowExecution", "get": "DescribeWorkflowExecution"}
    start_path = "/api/v1/namespaces/{namespace}/workflows/{workflowId}"
    assert ids["post"] in paths[start_path]["post"]["operationId"]
    text = get("/openapi.yaml").text
    assert start_path in text
    assert "openapi: 3" in text.replace('"', "")


@pytest.mark.quirk
def test_ids_with_a_slash_have_no_path():
    """Ours decodes the parts of a path one by one, and finds them."""
    path = "/api/v1/namespaces/default/workflows/" + urllib.parse.quote("a/b", safe="")
    assert get(path).json["message"] == "Not Found"
