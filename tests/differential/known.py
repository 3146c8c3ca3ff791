"""Differences from the reference that are meant, each with its reason.

An entry is the path of a difference (a pattern), what the reference says and what we say (patterns too), and
why. Keep it short: what is not here is a bug of ours.
"""

import re

KNOWN = [
    (
        r".*: described\.pendingWorkflowTask.*|\d+ poll",
        r"{'attempt'.*|'none came'",
        r"None|'none'",
        "a closed run has no pending workflow task here; the reference shows the one that termination left",
    ),
    (
        r".*\.workflowExecutionSignaledEventAttributes\.requestId",
        r"'#\d+'",
        r"'#\d+:\d+:0'",
        "a signal from another workflow has a request id that is the same at every delivery",
    ),
    (
        r".*: described\.workflowExecutionInfo\.autoResetPoints\.points\.\d+\.expireTime",
        r"'TIME'",
        r"None",
        "only the next run's reset points expire; the reference's old run shares the list in memory",
    ),
]


def reason(path, reference, ours, known=KNOWN):
    """Why a difference is as it is, or None."""
    for where, theirs, mine, why in known:
        if (
            re.fullmatch(where, path)
            and re.fullmatch(theirs, repr(reference), re.S)
            and re.fullmatch(mine, repr(ours), re.S)
        ):
            return why
    return None
