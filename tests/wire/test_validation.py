"""Requests that are refused: lengths, missing fields, sizes, and the texts that say so."""

import uuid

import grpc
import pytest
from client import WORKFLOW_SERVICE, Error, payload, payloads, refused, seconds

LONG = "x" * 1001


@pytest.mark.parametrize(
    "fields, message",
    [
        ({"workflow_id": ""}, "WorkflowId is not set on request."),
        ({"workflow_id": LONG}, "WorkflowId exceeds maximum allowed length (1001/1000)"),
        ({"workflow_type": None}, "WorkflowType is not set on request."),
        ({"workflow_type": {"name": LONG}}, "WorkflowType length exceeds limit."),
        ({"task_queue": None}, "taskQueue is not set"),
        ({"task_queue": {"name": ""}}, "missing task queue name"),
        ({"task_queue": {"name": LONG}}, "taskQueue length exceeds limit"),
        (
            {"task_queue": {"name": "/_sys/tq/1"}},
            "task queue name cannot start with reserved prefix /_sys/",
        ),
        (
            {"task_queue": {"name": "temporal-sys-per-ns-tq"}},
            "cannot use internal per-namespace task queue:temporal-sys-per-ns-tq",
        ),
        ({"request_id": LONG}, "RequestId length exceeds limit."),
        (
            {"workflow_run_timeout": seconds(-1)},
            "An invalid WorkflowRunTimeoutSeconds is set on request. cause: negative duration",
        ),
        (
            {"workflow_execution_timeout": seconds(-1)},
            "An invalid WorkflowExecutionTimeoutSeconds is set on request. "
            "cause: negative duration",
        ),
        (
            {"workflow_task_timeout": seconds(-1)},
            "An invalid WorkflowTaskTimeoutSeconds is set on request. cause: negative duration",
        ),
        (
            {"workflow_start_delay": seconds(-1)},
            "An invalid WorkflowStartDelaySeconds is set on request. cause: negative duration",
        ),
        (
            {"retry_policy": {"backoff_coefficient": 0.5}},
            "BackoffCoefficient cannot be less than 1 on retry policy.",
        ),
        (
            {"retry_policy": {"initial_interval": seconds(5), "maximum_interval": seconds(1)}},
            "MaximumInterval cannot be less than InitialInterval on retry policy.",
        ),
        (
            {"retry_policy": {"maximum_attempts": -1}},
            "MaximumAttempts cannot be negative on retry policy.",
        ),
        (
            {"retry_policy": {"initial_interval": seconds(-1)}},
            "invalid InitialInterval set on retry policy: negative duration",
        ),
        (
            {"retry_policy": {"non_retryable_error_types": ["TemporalTimeout:X"]}},
            "Invalid timeout type value: X.",
        ),
        ({"priority": {"priority_key": -1}}, "priority key can't be negative"),
        ({"priority": {"fairness_key": "k" * 65}}, "fairness key length exceeds limit"),
        (
            {"search_attributes": {"indexed_fields": {"Nope": payload("x")}}},
            "Namespace default has no mapping defined for search attribute Nope",
        ),
        (
            {"search_attributes": {"indexed_fields": {"ExecutionStatus": payload("x")}}},
            "ExecutionStatus attribute can't be set in SearchAttributes",
        ),
    ],
)
def test_bad_start(w, fields, message):
    with refused("INVALID_ARGUMENT", message):
        w.start(**fields)


@pytest.mark.parametrize(
    "fields",
    [
        {"workflow_id": "x" * 1000},
        {"workflow_type": {"name": "x" * 1000}},
        {"request_id": "x" * 1000},
        {"identity": "x" * 5000},
        {"priority": {"priority_key": 9}},
        {"priority": {"fairness_key": "k" * 64}},
        {"retry_policy": {"maximum_attempts": 1, "backoff_coefficient": 0.5}},
    ],
    ids=lambda fields: next(iter(fields)),
)
def test_allowed_start(w, fields):
    if "workflow_id" in fields:
        fields = {"workflow_id": w.id.ljust(1000, "x")}
    assert w.start(**fields).started


def test_lengths_count_bytes(w):
    with refused("INVALID_ARGUMENT", "WorkflowId exceeds maximum allowed length (1002/1000)"):
        w.start(workflow_id="é" * 501)


def test_ids_may_hold_any_characters(w):
    odd = w.id + "/ ?#%\n\tü漢字🦀"
    w.start(workflow_id=odd)
    assert w.status(workflow_id=odd) == "RUNNING"


# -- requests with nothing in them -----------------------------------------------------------------


@pytest.mark.parametrize(
    "rpc, message",
    [
        ("StartWorkflowExecution", "WorkflowId is not set on request."),
        ("SignalWithStartWorkflowExecution", "WorkflowId is not set on request."),
        ("GetWorkflowExecutionHistory", "Execution is not set on request."),
        ("GetWorkflowExecutionHistoryReverse", "Execution is not set on request."),
        ("PollWorkflowTaskQueue", "taskQueue is not set"),
        ("PollActivityTaskQueue", "taskQueue is not set"),
        ("RespondWorkflowTaskCompleted", "Task token not set on request."),
        ("RespondWorkflowTaskFailed", "Task token not set on request."),
        ("RespondQueryTaskCompleted", "Task token not set on request."),
        ("RecordActivityTaskHeartbeat", "Task token not set on request."),
        ("RespondActivityTaskCompleted", "Task token not set on request."),
        ("RespondActivityTaskFailed", "Task token not set on request."),
        ("RespondActivityTaskCanceled", "Task token not set on request."),
        ("RecordActivityTaskHeartbeatById", "ActivityId is not set on request."),
        ("RespondActivityTaskCompletedById", "ActivityId is not set on request."),
        ("RespondActivityTaskFailedById", "ActivityId is not set on request."),
        ("RespondActivityTaskCanceledById", "ActivityId is not set on request."),
        ("RequestCancelWorkflowExecution", "Execution is not set on request."),
        ("SignalWorkflowExecution", "Execution is not set on request."),
        ("TerminateWorkflowExecution", "Execution is not set on request."),
        ("DeleteWorkflowExecution", "Execution is not set on request."),
        ("ResetStickyTaskQueue", "Execution is not set on request."),
        ("QueryWorkflow", "Execution is not set on request."),
        ("DescribeWorkflowExecution", "Execution is not set on request."),
        ("DescribeTaskQueue", "taskQueue is not set"),
        ("ListTaskQueuePartitions", "taskQueue is not set"),
        ("AddSearchAttributes", "SearchAttributes are not set on request."),
        ("RemoveSearchAttributes", "SearchAttributes are not set on request."),
        ("ListArchivedWorkflowExecutions", "Cluster is not configured for visibility archival."),
    ],
)
def test_empty_request(client, rpc, message):
    with refused("INVALID_ARGUMENT", message):
        client(rpc)


@pytest.mark.parametrize(
    "rpc",
    [
        "ListOpenWorkflowExecutions",
        "ListClosedWorkflowExecutions",
        "ListWorkflowExecutions",
        "ScanWorkflowExecutions",
        "CountWorkflowExecutions",
        "GetSearchAttributes",
        "ShutdownWorker",
        "GetClusterInfo",
        "GetSystemInfo",
        "ListNamespaces",
        "ListSearchAttributes",
        "ListClusters",
    ],
)
def test_empty_request_that_is_allowed(client, rpc):
    client(rpc)


@pytest.mark.parametrize(
    "rpc, message",
    [
        ("CreateWorkflowRule", "method CreateWorkflowRule not supported"),
        ("ListWorkflowRules", "method ListWorkflowRules not supported"),
        ("FetchWorkerConfig", "FetchWorkerConfig command is not enabled."),
        (
            "ListDeployments",
            "Deployments are deprecated and no longer supported, use Worker Deployments instead",
        ),
    ],
)
def test_methods_that_are_off(client, rpc, message):
    with refused("UNIMPLEMENTED", message, "any"):
        client(rpc)


# -- tokens ----------------------------------------------------------------------------------------

TOKEN_CALLS = [
    "RespondWorkflowTaskCompleted",
    "RespondWorkflowTaskFailed",
    "RespondQueryTaskCompleted",
    "RecordActivityTaskHeartbeat",
    "RespondActivityTaskCompleted",
    "RespondActivityTaskFailed",
    "RespondActivityTaskCanceled",
]


@pytest.mark.parametrize("rpc", TOKEN_CALLS)
@pytest.mark.parametrize("token", [b"garbage", b"\xff" * 40, b"\x00"])
def test_garbage_token(client, rpc, token):
    with refused("INVALID_ARGUMENT", "Error deserializing task token."):
        client(rpc, task_token=token)


@pytest.mark.parametrize("rpc", [call for call in TOKEN_CALLS if "Activity" in call])
def test_token_of_a_task_of_nobody(client, rpc):
    """A token that the reference made elsewhere: texts under the tags 1, 2 and 3, then an event's id, an attempt,
    and the activity's id."""
    namespace = client("DescribeNamespace").namespace_info.id
    texts = [namespace, f"wf-{uuid.uuid4()}", str(uuid.uuid4())]
    fields = [bytes([tag << 3 | 2, len(text)]) + text.encode() for tag, text in enumerate(texts, 1)]
    token = b"".join(fields) + bytes([4 << 3, 5, 5 << 3, 1, 6 << 3 | 2, 1]) + b"1"
    with refused("NOT_FOUND", detail="NotFoundFailure"):
        client(rpc, task_token=token)


@pytest.mark.parametrize("rpc", ["RespondWorkflowTaskCompleted", "RespondWorkflowTaskFailed"])
def test_token_of_another_namespace(w, rpc):
    w.start()
    task = w.poll()
    message = "Operation requested with a token from a different namespace."
    with refused("INVALID_ARGUMENT", message):
        w.call(rpc, namespace="temporal-system", task_token=task.task_token)


# -- sizes -----------------------------------------------------------------------------------------

BIG = "x" * (2 * 1024 * 1024 + 1)


@pytest.mark.parametrize(
    "fields, message",
    [
        ({"input": payloads(BIG)}, "Blob data size exceeds limit."),
        ({"memo": {"fields": {"m": payload(BIG)}}}, "Memo size exceeds limit."),
        ({"header": {"fields": {"h": payload(BIG)}}}, None),
    ],
    ids=["input", "memo", "header"],
)
def test_oversized_start(w, fields, message):
    if message is None:
        w.start(**fields)  # headers have no limit of their own
    else:
        with refused("INVALID_ARGUMENT", message):
            w.start(**fields)


def test_largest_input(w):
    # Two quotes, the payload's metadata and the message around it stay below 2 MiB.
    w.start(input=payloads("x" * (2 * 1024 * 1024 - 100)))
    assert w.poll().history.events[0].ByteSize() > 2 * 1024 * 1024 - 200


def test_oversized_message(w):
    with pytest.raises(grpc.RpcError) as caught:
        w.start(input=payloads("x" * 5 * 1024 * 1024))
    error = Error(caught.value)
    assert error.code == "RESOURCE_EXHAUSTED"
    head, _, tail = error.message.partition("(")
    assert head == "grpc: received message larger than max "
    sizes = tail.rstrip(")").split(" vs. ")
    assert int(sizes[0]) > 5 * 1024 * 1024 and sizes[1] == "4194304"
    assert error.details == []


def test_query_arguments_are_limited(w):
    w.begin()
    with refused("INVALID_ARGUMENT", "Blob data size exceeds limit."):
        w.query("q", BIG)


# -- bytes that are no request ---------------------------------------------------------------------


@pytest.mark.parametrize(
    "bytes_",
    [b"\xff\xff\xff\xff", b"\x0a\xff", b"\x0a\x04\xff\xfe\xfd\xfc"],
    ids=["no message", "cut off", "invalid utf-8"],
)
def test_malformed_request(client, bytes_):
    with pytest.raises(grpc.RpcError) as caught:
        client.raw(f"/{WORKFLOW_SERVICE}/StartWorkflowExecution", bytes_).result()
    assert caught.value.code() == grpc.StatusCode.INTERNAL
    client("GetSystemInfo")  # the connection lives on


def test_unknown_fields_are_ignored(client):
    client.raw(f"/{WORKFLOW_SERVICE}/GetSystemInfo", b"\xfa\x7f\x03abc").result()


def test_deeply_nested_failure(w):
    """Within the usual recursion limit of 100 levels."""
    failure = {"message": "0"}
    for depth in range(40):
        failure = {"message": str(depth), "cause": failure}
    w.start()
    w.fail_task(w.poll(), failure=failure)
    depth, cause = 0, w.events()[3].workflow_task_failed_event_attributes.failure
    while cause.HasField("cause"):
        depth, cause = depth + 1, cause.cause
    assert depth == 40
