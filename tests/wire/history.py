"""Histories as text: one event a line, `<id> <Type> field=value ...`, and their comparison.

Values: enums without their prefix, durations as `5s`, payloads as JSON, bytes and strings as
they are, `-` for a field that is unset (or has its default value). Paths go into messages with
dots: `failure.message="boom"`. A last line `...` allows further events.
"""

import json
import re
import shlex

from google.protobuf.descriptor import FieldDescriptor
from temporalio.api.enums.v1 import event_type_pb2


def event_name(event):
    name = event_type_pb2.EventType.Name(event.event_type)
    return camel(name.removeprefix("EVENT_TYPE_"))


def camel(upper_snake):
    return "".join(word.capitalize() for word in upper_snake.split("_"))


def upper_snake(camel_name):
    return re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "_", camel_name).upper()


def attributes(event):
    return getattr(event, event.WhichOneof("attributes"))


def names(events):
    return [event_name(event) for event in events]


def lines(events):
    """The events as `<id> <Type>` lines."""
    return "\n".join(f"{event.event_id} {event_name(event)}" for event in events)


def enum_name(enum_descriptor, number):
    value = enum_descriptor.values_by_number.get(number)
    if value is None:
        return str(number)
    return value.name.removeprefix(upper_snake(enum_descriptor.name) + "_")


def show(message, path):
    """The text of the field at `path` of `message`; `-` when unset."""
    head, _, rest = path.partition(".")
    if head.isdigit():  # an index into a repeated field
        return show(message[int(head)], rest) if rest else scalar(message[int(head)], None)
    field = message.DESCRIPTOR.fields_by_name[head]
    value = getattr(message, head)
    if rest and field.message_type is not None and field.message_type.GetOptions().map_entry:
        return scalar(value[rest], None) if rest in value else "-"
    if rest:
        return show(value, rest)
    if field.type == FieldDescriptor.TYPE_MESSAGE and not field.is_repeated:
        return scalar(value, field) if message.HasField(head) else "-"
    if field.is_repeated:
        return json.dumps([scalar(item, field) for item in value]) if value else "-"
    if value == field.default_value:
        return "-"
    return scalar(value, field)


def scalar(value, field):
    if field is not None and field.type == FieldDescriptor.TYPE_ENUM:
        return enum_name(field.enum_type, value)
    kind = getattr(getattr(value, "DESCRIPTOR", None), "full_name", "")
    if kind == "google.protobuf.Duration":
        return f"{value.ToNanoseconds() / 1e9:g}s"
    if kind == "google.protobuf.Timestamp":
        return value.ToJsonString()
    if kind == "temporal.api.common.v1.Payloads":
        return ",".join(p.data.decode() for p in value.payloads)
    if kind == "temporal.api.common.v1.Payload":
        return value.data.decode()
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, bytes):
        return value.decode()
    if kind:
        return str(value).strip().replace("\n", " ")
    return str(value)


def check(expected, events):
    """Asserts that `events` are the expected lines."""
    wanted = [line.strip() for line in expected.strip().splitlines() if line.strip()]
    open_end = bool(wanted) and wanted[-1] == "..."
    if open_end:
        wanted.pop()
    problems = []
    if len(events) < len(wanted) or (len(events) > len(wanted) and not open_end):
        problems.append(f"{len(wanted)} events expected, {len(events)} found")
    for line, event in zip(wanted, events, strict=False):
        number, name, *pairs = shlex.split(line)
        if (int(number), name) != (event.event_id, event_name(event)):
            problems.append(f"expected {number} {name}, found {event.event_id} {event_name(event)}")
            continue
        for pair in pairs:
            path, _, value = pair.partition("=")
            root = (
                event
                if path.split(".")[0] in event.DESCRIPTOR.fields_by_name
                else attributes(event)
            )
            found = show(root, path)
            if found != value:
                problems.append(f"{number} {name}: {path} is {found!r}, expected {value!r}")
    assert not problems, "\n".join(problems + ["found:", lines(events)])
