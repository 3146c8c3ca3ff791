"""The suite's one way to the server: raw gRPC calls by name, and errors as values.

May depend on the generated message types and on grpc, on nothing else of the suite.
"""

import json
import os
import time
from contextlib import contextmanager

import grpc
from google.protobuf.duration_pb2 import Duration
from grpc_status import rpc_status
from temporalio.api.errordetails.v1 import message_pb2 as errordetails
from temporalio.api.failure.v1 import message_pb2 as failures
from temporalio.api.operatorservice.v1 import request_response_pb2 as operator_messages
from temporalio.api.operatorservice.v1 import service_pb2 as operator_service
from temporalio.api.workflowservice.v1 import request_response_pb2 as workflow_messages
from temporalio.api.workflowservice.v1 import service_pb2 as workflow_service

ADDRESS = os.environ.get("STEADFAST_ADDRESS", "127.0.0.1:7233")
WORKFLOW_SERVICE = "temporal.api.workflowservice.v1.WorkflowService"
OPERATOR_SERVICE = "temporal.api.operatorservice.v1.OperatorService"
CALL_TIMEOUT = 15  # seconds; generous, so that a busy machine does not decide a test

_METHODS = {
    name: (f"/{service}/{name}", messages)
    for service, descriptor, messages in (
        (WORKFLOW_SERVICE, workflow_service.DESCRIPTOR, workflow_messages),
        (OPERATOR_SERVICE, operator_service.DESCRIPTOR, operator_messages),
    )
    for name in descriptor.services_by_name[service.rsplit(".", 1)[1]].methods_by_name
}


class Client:
    """A connection. `client("SignalWorkflowExecution", signal_name="s", ...)` makes a call.

    Fields are given as keywords; messages as dicts, enums by name. `namespace` is filled in.
    """

    def __init__(self, address=ADDRESS, namespace="default"):
        # An own connection for each client: a channel for the whole process would be shared.
        options = [
            ("grpc.max_send_message_length", -1),
            ("grpc.max_receive_message_length", -1),
            ("grpc.use_local_subchannel_pool", 1),
        ]
        self.channel = grpc.insecure_channel(address, options=options)
        self.namespace = namespace

    def __call__(self, name, timeout=CALL_TIMEOUT, metadata=(), **fields):
        return self.future(name, timeout, metadata, **fields).result()

    def future(self, name, timeout=CALL_TIMEOUT, metadata=(), **fields):
        """Starts the call and returns its future: for long polls beside other calls."""
        path, messages = _METHODS[name]
        request_type = getattr(messages, name + "Request")
        if "namespace" in request_type.DESCRIPTOR.fields_by_name:
            fields.setdefault("namespace", self.namespace)
        return self.raw(path, request_type(**fields).SerializeToString(), name, timeout, metadata)

    def raw(self, path, request_bytes, response_name=None, timeout=CALL_TIMEOUT, metadata=()):
        """Sends bytes as they are to a method path; called alone for what no client sends."""
        decode = None
        if response_name is not None:
            decode = getattr(_METHODS[response_name][1], response_name + "Response").FromString
        call = self.channel.unary_unary(path, response_deserializer=decode)
        return call.future(request_bytes, timeout=timeout, metadata=metadata)


class Error:
    """A refused call: `code` by name, `message`, `details` as messages, `detail` the only one."""

    def __init__(self, error):
        self.code = error.code().name
        self.message = error.details()
        status = rpc_status.from_call(error)
        self.details = [unpack(any_) for any_ in status.details] if status else []

    @property
    def detail(self):
        assert len(self.details) == 1, f"one detail expected: {self}"
        return self.details[0]

    def __str__(self):
        names = [type(detail).__name__ for detail in self.details]
        return f"{self.code} {self.message[:400]!r} {names}"


def unpack(any_):
    """The message inside an `Any`, by its type name."""
    name = any_.type_url.rsplit(".", 1)[1]
    module = errordetails if hasattr(errordetails, name) else failures
    message = getattr(module, name)()
    assert any_.Unpack(message), any_.type_url
    return message


@contextmanager
def refused(code, message=None, detail=None, contains=None, prefix=None):
    """The block must be refused with this code, this text and this type of detail (None: no
    detail, "any": not looked at). Gives the `Error`."""
    caught = {}

    class Later:
        def __getattr__(self, name):
            return getattr(caught["error"], name)

    problem = None
    try:
        yield Later()
        problem = f"not refused; expected {code} {message or contains or prefix!r}"
    except grpc.RpcError as rpc_error:
        error = caught["error"] = Error(rpc_error)
        wanted_details = None if detail == "any" else [detail] if detail else []
        if not (
            error.code == code
            and (message is None or error.message == message)
            and (contains is None or contains in error.message)
            and (prefix is None or error.message.startswith(prefix))
            and wanted_details in (None, [type(d).__name__ for d in error.details])
        ):
            problem = f"{error}\n expected {code} {message or contains or prefix!r} {detail}"
    if problem:
        raise AssertionError(problem) from None


def eventually(check, timeout=10, every=0.05):
    """Calls `check` until it neither raises AssertionError nor returns None; returns its value."""
    deadline = time.monotonic() + timeout
    while True:
        try:
            value = check()
            if value is not None or time.monotonic() > deadline:
                assert value is not None, "the condition did not come true in time"
                return value
        except AssertionError:
            if time.monotonic() > deadline:
                raise
        time.sleep(every)


def payload(value, **metadata):
    encoded = {"encoding": b"json/plain", **{k: v.encode() for k, v in metadata.items()}}
    return {"metadata": encoded, "data": json.dumps(value).encode()}


def payloads(*values):
    return {"payloads": [payload(value) for value in values]}


def value_of(payload_):
    return json.loads(payload_.data) if payload_.data else None


def values_of(payloads_):
    return [value_of(p) for p in payloads_.payloads]


def seconds(number):
    duration = Duration()
    duration.FromNanoseconds(round(number * 1_000_000_000))
    return duration


def application_failure(
    message="boom", type_="", non_retryable=False, next_retry_delay=None, **more
):
    info = {"type": type_, "non_retryable": non_retryable}
    if next_retry_delay is not None:
        info["next_retry_delay"] = seconds(next_retry_delay)
    return {"message": message, "application_failure_info": info, **more}
