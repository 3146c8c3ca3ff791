"""Answers made comparable: what two right servers may say differently is replaced or left out.

Run ids and other UUIDs become `#1`, `#2` in the order in which they are met; times, tokens, sizes and names of
the one server or the other go. May depend on the generated messages only.
"""

import base64
import re

from google.protobuf.json_format import MessageToDict

UUID = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}")
ACTION = re.compile(r"-\d{4}-\d\d-\d\dT[\d:]+Z$")
TIME = re.compile(r"^\d{4}-\d\d-\d\dT[\d:.]+Z$")

# Fields that tell a moment, a size, or something that only the one server counts.
LEFT_OUT = {
    "taskId",
    "eventTime",
    "taskToken",
    "backlogCountHint",
    "nextPageToken",
    "historySizeBytes",
    "stateTransitionCount",
    "externalPayloadStats",
    "externalPayloadSizeBytes",
    "externalPayloadCount",
    "executionDuration",
    "stateSizeBytes",
    # What waits, and for how long, is the machine's matter.
    "pollerScalingDecision",
    "longPollToken",
    "conflictToken",
}
# Lists whose order the reference draws.
SORTED = {"pendingActivities": "activityId", "pendingChildren": "workflowId"}
# A remainder of a second that depends on when exactly the run before it began.
ROUGH = {"firstWorkflowTaskBackoff", "currentRetryInterval", "startToCloseTimeout"}


class Names:
    """What one player calls the ids it met."""

    def __init__(self, unique):
        self.unique = unique
        self.known = {}

    def text(self, text):
        # The library that says what is wrong with a field mask varies its words on purpose.
        text = text.replace(self.unique, "").replace("\u00a0", " ")
        text = ACTION.sub("-TIME", text)
        if TIME.match(text):
            return "TIME" if not text.startswith("0001") else text
        return UUID.sub(lambda found: self.known.setdefault(found[0], f"#{len(self.known) + 1}"), text)

    def message(self, message):
        return self.value(MessageToDict(message))

    def value(self, value, field=""):
        if isinstance(value, dict) and value.keys() == {"data", "metadata"}:
            return self.text(base64.b64decode(value["data"]).decode(errors="replace"))
        if isinstance(value, dict):
            kept = ((key, item) for key, item in sorted(value.items()) if key not in LEFT_OUT)
            # Nothing, and an empty list of them.
            kept = ((key, item) for key, item in kept if (key, item) != ("autoResetPoints", {}))
            return {self.text(key): self.value(item, key) for key, item in kept}
        if isinstance(value, list):
            if field in SORTED:
                value = sorted(value, key=lambda item: item.get(SORTED[field], ""))
            return [self.value(item) for item in value]
        if isinstance(value, str):
            if field in ROUGH and value.endswith("s"):
                return f"{round(float(value[:-1]))}s"
            return self.text(value)
        return value
