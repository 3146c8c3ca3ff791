"""What the command line printed, made comparable: JSON as values, tables as lines without their widths.

Ids become `#1`, `#2` in the order in which they are met; moments, addresses and sizes go. May depend on
the differential suite's `normal`.
"""

import json
import re
from datetime import UTC, datetime

from normal import Names

TIME = re.compile(r"(\d{4})-\d\d-\d\d[T ]\d\d:\d\d:\d\d(\.\d+)?(Z| ?[+-]\d\d:?\d\d( UTC)?)?")
# A moment of another year than these is what the script asked for.
YEARS = {str(datetime.now(UTC).year + more) for more in (0, 1)}
# What a line says of the moment, of the machine, or of how the one server counts: pattern and what stays.
ROUGH = [
    (
        r"\b(\d+|an?|a few|about an?) (second|minute|hour|day|week|month|year)s? (ago|from now)\b|\bnow\b",
        "MOMENT",
    ),
    (
        r"\b(StateTransitionCount|HistorySize|RunTime|Total Duration|ExecutionDuration|LongPollToken|"
        r"taskId:|historySizeBytes:) +\S+",
        r"\1 N",
    ),
    # A set in an order of its own.
    (r"(\.(?:core|lang)UsedFlags\[)\d+\]: \d+", r"\1]"),
    (r"\b[A-Za-z0-9+/_-]{60,}={0,2}", "TOKEN"),
    (r"127\.0\.0\.1:\d{2,}", "ADDRESS"),
    (r"\bworker-[0-9a-f]{32}\b", "STICKY"),
    (r'"(stateSizeBytes|stateTransitionCount|executionDuration)":"[^"]*"', r'"\1":"N"'),
    # How long it took, in a trace.
    (r"\(\d+m?s\)", "(N)"),
    # Age and rates of a backlog; a long age goes on in the next line of its cell.
    (r"( (?:workflow|activity|nexus) \d+) [\d.hmsµn ]+s( -?[\d.e-]+){3}$", r"\1 AGE RATES"),
    # Of a worker's last sign of life.
    (r"MOMENT [\d.]+m?s$", "MOMENT"),
    (r"(ElapsedSinceLastHeartbeat) +\S+", r"\1 N"),
    (r'("CurrentHost(?:CPU|Mem)Usage"):[\d.e-]+', r"\1:N"),
    # The command line's own values, in an order that changes.
    (r"(allowed values are:) .*", r"\1 VALUES"),
    # How far it has come when it looks, written over itself.
    (r"Processing HistoryEvents \(\d+/\d+\)|\x1b\[\d*[A-Z]", ""),
]
ROUGH = [(re.compile(pattern), stays) for pattern, stays in ROUGH]
SETS = {"coreUsedFlags", "langUsedFlags"}
# Whether a task came with the answer to another, or was polled for, depends on what was ready when,
# and how long a run that continues another waits, on how long that one took.
OF_THE_MOMENT = {
    "workflowTaskStartedEventAttributes": "requestId",
    "workflowExecutionStartedEventAttributes": "firstWorkflowTaskBackoff",
}
LEFT_OUT = {
    "approximateBacklogAge",
    "backlogIncreaseRate",
    "currentHostCpuUsage",
    "currentHostMemUsage",
    "durationMillis",
    "elapsedSinceLastHeartbeat",
    "lastAccessTime",
    "last_access_time",
    "longPollToken",
    "tasksAddRate",
    "tasksDispatchRate",
}


class Printed:
    """What one player calls what it met."""

    def __init__(self, namespace, address, folder):
        self.own = {str(folder): "FOLDER", namespace: "NAMESPACE", address: "ADDRESS"}
        self.names = Names("\0")

    def output(self, text, arguments, step):
        """JSON where it was asked for and came, text otherwise."""
        if step.lines is None and {"json", "jsonl"} & set(arguments):
            try:
                values = [self.words(self.names.value(lasting(value))) for value in json_values(text)]
            except ValueError:
                return self.text(text, step)
            return in_order(values) if step.sorted else values
        return self.text(text, step)

    def text(self, text, step):
        found = (self.own_names(re.sub(r"\s+", " ", line).strip()) for line in text.splitlines())
        # Ids in lines that nobody looks at get no number.
        kept = [line for line in found if line and (step.lines is None or re.search(step.lines, line))]
        kept = [line for line in (self.word(line).strip() for line in kept) if line]
        return sorted(kept) if step.sorted else kept

    def own_names(self, text):
        for own, name in self.own.items():
            text = text.replace(own, name)
        return text

    def word(self, text):
        text = self.own_names(text)
        text = TIME.sub(lambda at: "TIME" if at[1] in YEARS else at[0], text)
        for pattern, stays in ROUGH:
            text = pattern.sub(stays, text)
        return self.names.text(text)

    def words(self, value):
        if isinstance(value, dict):
            kept = ((key, item) for key, item in value.items() if key not in LEFT_OUT)
            return {self.word(key): sorted(item) if key in SETS else self.words(item) for key, item in kept}
        if isinstance(value, list):
            return [self.words(item) for item in value]
        return self.word(value) if isinstance(value, str) else value


def lasting(value):
    """The value without what is of the moment: before ids are counted."""
    if isinstance(value, list):
        return [lasting(item) for item in value]
    if not isinstance(value, dict):
        return value
    kept = {}
    for name, item in value.items():
        kept[name] = lasting(item)
        if name in OF_THE_MOMENT and isinstance(item, dict):
            kept[name].pop(OF_THE_MOMENT[name], None)
    return kept


def in_order(value):
    """The value with its lists sorted, for what comes in any order."""
    if isinstance(value, dict):
        return {key: in_order(item) for key, item in value.items()}
    if isinstance(value, list):
        return sorted((in_order(item) for item in value), key=lambda item: json.dumps(item, sort_keys=True))
    return value


def json_values(text):
    """The values of a text of one or more of them."""
    decoder, at = json.JSONDecoder(), 0
    while text[at:].strip():
        at += len(text[at:]) - len(text[at:].lstrip())
        value, at = decoder.raw_decode(text, at)
        yield value
