"""When schedules are due: the table that the engine's own tests read, asked of a server.

UPDATE=1 rewrites the table from what the server answers; meant for the reference, with its diff read.
"""

import os
import uuid
from datetime import datetime, timedelta
from fractions import Fraction
from pathlib import Path

import pytest
from google.protobuf.timestamp_pb2 import Timestamp

from client import refused

TABLE = (
    Path(__file__).parents[2] / "crates" / "engine" / "testdata" / "schedule" / "spec.txt"
)


def cases():
    """(line, lines of the spec, range of times, expected lines) of each case."""
    blocks = []
    spec, expected = None, None
    for number, line in enumerate(TABLE.read_text().splitlines(), 1):
        if line == "spec":
            spec, expected = [], None
        elif line == "----":
            expected = []
            times = spec.pop().split(" ")[1:]
            blocks.append((number, spec, times, expected))
        elif not line or line.startswith("#"):
            continue
        elif expected is None:
            spec.append(line)
        else:
            expected.append(line)
    return blocks


def stamp(text):
    """A time as RFC 3339, perhaps with a fraction of a second."""
    out = Timestamp()
    out.FromJsonString(text)
    return out


def span(text):
    from google.protobuf.duration_pb2 import Duration

    out = Duration()
    out.FromNanoseconds(int(Fraction(text) * 1_000_000_000))
    return out


def a_range(text):
    values, _, step = text.partition("/")
    start, _, end = values.partition("-") if not values.startswith("-") else (values, "", "")
    return {"start": int(start), "end": int(end or 0), "step": int(step or 0)}


def spec_of(lines):
    spec = {}
    for line in lines:
        word, _, rest = line.partition(" ")
        if word == "differs":
            continue
        elif word == "cron":
            spec.setdefault("cron_string", []).append(rest)
        elif word == "zone":
            spec["timezone_name"] = rest
        elif word == "interval":
            interval, _, phase = rest.partition(" ")
            entry = {"interval": span(interval)}
            if phase:
                entry["phase"] = span(phase)
            spec.setdefault("interval", []).append(entry)
        elif word in ("calendar", "exclude"):
            fields = dict(field.split("=", 1) for field in rest.split())
            name = "calendar" if word == "calendar" else "exclude_calendar"
            spec.setdefault(name, []).append(fields)
        elif word == "structured":
            fields = (field.split("=", 1) for field in rest.split())
            fields = {name: [a_range(r) for r in ranges.split(",")] for name, ranges in fields}
            spec.setdefault("structured_calendar", []).append(fields)
        elif word in ("start", "end"):
            spec[word + "_time"] = stamp(rest)
        else:
            raise AssertionError(line)
    return spec


def create(client, spec):
    schedule_id = "spec-" + uuid.uuid4().hex
    action = {
        "start_workflow": {
            "workflow_id": schedule_id,
            "workflow_type": {"name": "W"},
            "task_queue": {"name": "q-" + schedule_id},
        }
    }
    client(
        "CreateSchedule",
        schedule_id=schedule_id,
        request_id=uuid.uuid4().hex,
        schedule={"spec": spec, "action": action, "state": {"paused": True}},
    )
    return schedule_id


def answer(client, spec, times):
    schedule_id = create(client, spec)
    try:
        listed = client(
            "ListScheduleMatchingTimes",
            schedule_id=schedule_id,
            start_time=stamp(times[0]),
            end_time=stamp(times[1]),
        )
        return [time.ToJsonString() for time in listed.start_time]
    finally:
        client("DeleteSchedule", schedule_id=schedule_id)


UPDATING = bool(os.environ.get("UPDATE"))


def parameters():
    for number, spec, times, expected in cases():
        marks = [pytest.mark.quirk] if "differs" in spec else []
        yield pytest.param(spec, times, expected, id=f"line{number}", marks=marks)


@pytest.mark.parametrize("spec, times, expected", list(parameters()))
@pytest.mark.skipif(UPDATING, reason="the table is being rewritten")
def test_times(client, spec, times, expected):
    if expected and expected[0].startswith("refused "):
        message = "Invalid schedule spec: " + expected[0].removeprefix("refused ")
        with refused("INVALID_ARGUMENT", message):
            create(client, spec_of(spec))
    else:
        assert answer(client, spec_of(spec), times) == expected


@pytest.mark.skipif(not UPDATING, reason="only when asked to")
def test_rewrite(client):
    import grpc

    lines, spec, skipping = [], None, False
    for line in TABLE.read_text().splitlines():
        if line == "spec":
            spec = []
        elif line == "----":
            times = spec.pop().split(" ")[1:]
            lines.append(line)
            if "differs" in spec:
                spec = None
                continue
            try:
                lines += answer(client, spec_of(spec), times)
            except grpc.RpcError as error:
                lines.append("refused " + error.details().removeprefix("Invalid schedule spec: "))
            lines.append("")
            spec, skipping = None, True
            continue
        elif spec is not None and line:
            spec.append(line)
        if skipping and (not line or not (line.startswith("#") or line == "spec")):
            continue
        skipping = False
        lines.append(line)
    TABLE.write_text("\n".join(lines).rstrip("\n") + "\n")


def test_jitter_is_below_its_bound_and_always_the_same(client):
    spec = {"interval": [{"interval": span("3600")}], "jitter": span("1800")}
    schedule_id = create(client, spec)
    try:
        window = {"start_time": stamp("2026-11-22T00:00:00Z"), "end_time": stamp("2026-11-24T00:00:00Z")}
        ask = lambda: client("ListScheduleMatchingTimes", schedule_id=schedule_id, **window).start_time
        times = [time.ToDatetime() for time in ask()]
        assert len(times) in (47, 48)
        assert times == [time.ToDatetime() for time in ask()]
        offsets = [(time - datetime(2026, 11, 22)) % timedelta(hours=1) for time in times]
        assert max(offsets) < timedelta(seconds=1800)
        assert len(set(offsets)) > 40
    finally:
        client("DeleteSchedule", schedule_id=schedule_id)
