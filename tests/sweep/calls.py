"""Bad requests to every RPC, made from its definition.

Each is the RPC's plain request with one thing wrong. May depend on the suite's client.
"""

import grpc
from google.protobuf.descriptor import FieldDescriptor as Field

from client import _METHODS, Error, eventually
from normal import Names

# Longer than any id, name or reason may be.
TOO_LONG = "x" * 1001
NO_VALUE = 99
DEPTH = 3
PATIENCE = 15
# A poll waits for work, which there is none of.
POLL = 1
# Their insides are the caller's own.
CLOSED = {
    "temporal.api.common.v1.Payload",
    "temporal.api.common.v1.Payloads",
    "temporal.api.failure.v1.Failure",
    "temporal.api.history.v1.HistoryEvent",
}
# What a plain request says, by the name of the field.
PLAIN_TEXTS = {
    "identity": "sweep",
    "reason": "why",
    "request_id": "request",
    "task_queue": "queue",
    "signal_name": "signal",
    "query": 'WorkflowId = "w"',
    "build_id": "build",
    "worker_instance_key": "worker",
    "endpoint": "endpoint",
    "service": "service",
    "operation": "operation",
    "name": "name",
}
SHARED = {"run_id", "request_id", "build_id"}
# What they do to a namespace, the others must not see.
OF_ITS_OWN = {"RegisterNamespace", "DeprecateNamespace", "DeleteNamespace"}
PLAIN_MESSAGES = {
    "task_queue": {"name": "queue"},
    "workflow_type": {"name": "Type"},
    "activity_type": {"name": "Type"},
    "start_to_close_timeout": {"seconds": 10},
    "workflow_execution_retention_period": {"seconds": 86400},
}


def methods():
    return sorted(_METHODS)


def plain(name, namespace, number):
    """The request of an RPC as it is usually sent, about things of its own."""
    path, messages = _METHODS[name]
    request = getattr(messages, name + "Request")()
    own = f"{name}-{number}"
    for field in request.DESCRIPTOR.fields:
        if field.is_repeated or field.containing_oneof:
            continue
        if field.type == Field.TYPE_STRING:
            value = PLAIN_TEXTS.get(field.name)
            if field.name == "namespace":
                value = {"UpdateNamespace": f"{namespace}-other"}.get(name, namespace)
                value = f"{namespace}-{own}" if name in OF_ITS_OWN else value
            elif field.name == "deployment_name" or field.name.endswith("_id") and field.name not in SHARED:
                value = own
            if value:
                setattr(request, field.name, value)
        elif field.type == Field.TYPE_MESSAGE and field.name in ("execution", "workflow_execution"):
            getattr(request, field.name).workflow_id = own
        elif field.type == Field.TYPE_MESSAGE and field.name in PLAIN_MESSAGES:
            for key, value in PLAIN_MESSAGES[field.name].items():
                setattr(getattr(request, field.name), key, value)
    return request


def paths(descriptor, depth=DEPTH):
    """The fields of a message and of those in it, each as a path."""
    for field in descriptor.fields:
        if field.type != Field.TYPE_MESSAGE:
            yield [field]
        elif field.message_type.full_name == "google.protobuf.Duration":
            yield [field]
        elif field.message_type.GetOptions().map_entry or field.message_type.full_name in CLOSED:
            continue
        elif depth > 1 and not field.message_type.full_name.startswith("google."):
            for path in paths(field.message_type, depth - 1):
                yield [field, *path]


def put(message, path, value):
    *holders, field = path
    for holder in holders:
        inner = getattr(message, holder.name)
        message = inner.add() if holder.is_repeated else inner
    if field.is_repeated:
        getattr(message, field.name).append(value)
    elif field.type == Field.TYPE_MESSAGE:
        getattr(message, field.name).CopyFrom(value)
    else:
        setattr(message, field.name, value)


def wrong_values(field):
    if field.type == Field.TYPE_STRING:
        return [("too long", TOO_LONG)]
    if field.type == Field.TYPE_ENUM:
        return [("no value", NO_VALUE)]
    if field.type == Field.TYPE_MESSAGE and not field.is_repeated:
        return [("negative", field.message_type._concrete_class(seconds=-1))]
    return []


def cases(name, namespace):
    """What an RPC is asked: (what is wrong, bytes)."""
    request = plain(name, namespace, 0)
    descriptor = request.DESCRIPTOR
    yield "empty", b""
    yield "plain", request.SerializeToString()
    # Field 9999, a number.
    yield "unknown field", plain(name, namespace, 1).SerializeToString() + b"\xf8\xf0\x04\x01"
    yield "cut off", plain(name, namespace, 2).SerializeToString() + b"\x0a"
    texts = [field for field in descriptor.fields if field.type == Field.TYPE_STRING]
    for field in texts[:1]:
        tag = field.number << 3 | 2
        key = bytes([tag]) if tag < 128 else bytes([tag & 127 | 128, tag >> 7])
        yield f"{field.name} not UTF-8", key + b"\x01\xff"
    if "namespace" in descriptor.fields_by_name and name not in OF_ITS_OWN:
        yield "no such namespace", plain(name, "gone", 3).SerializeToString()
    number = 3
    for path in paths(descriptor):
        for what, value in wrong_values(path[-1]):
            number += 1
            request = plain(name, namespace, number)
            try:
                put(request, path, value)
            except ValueError:
                # The library knows the values of this enum to be all there are.
                continue
            yield f"{'.'.join(field.name for field in path)} {what}", request.SerializeToString()


def ask(client, name, sent):
    """The answer, comparable; the reference wants a breather now and then."""
    return eventually(
        lambda: None if (answer := once(client, name, sent))["code"] == "RESOURCE_EXHAUSTED" else answer
    )


def once(client, name, sent):
    path, _ = _METHODS[name]
    try:
        client.raw(path, sent, name, timeout=POLL if name.endswith("TaskQueue") else PATIENCE).result()
    except grpc.RpcError as error:
        error = Error(error)
        if error.code == "DEADLINE_EXCEEDED":
            return {"code": "waits"}
        names = Names("\0")
        return {
            "code": error.code,
            "message": names.text(error.message),
            "details": [type(detail).__name__ for detail in error.details],
        }
    return {"code": "waits" if name.startswith("Poll") and name.endswith("TaskQueue") else "OK"}
