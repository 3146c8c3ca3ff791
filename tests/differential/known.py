"""Differences from the reference that are meant, each with its reason.

An entry is the path of a difference (a pattern), what the reference says and what we say (patterns too), and
why. Keep it short: what is not here is a bug of ours.
"""

import re

KNOWN = [
    (
        r"[ab], run \d+: (event \d+|described\.workflowExecutionInfo\.historyLength)",
        r".*TASK_TIMED_OUT'.*TIMEOUT_TYPE_SCHEDULE_TO_START'.*|.*WORKFLOW_TASK_SCHEDULED'.*KIND_NORMAL'.*|'\d+'",
        r"None|'\d+'",
        "a speculative task that became a real one lies in the normal queue here; the reference makes it anew after 5 s",
    ),
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
    (
        r".*: described\.pendingActivities\.\d+\.(currentRetryInterval|lastAttemptCompleteTime|lastStartedTime)",
        r"'\d{9,}s'|None",
        r"'\d+s'|'TIME'",
        "the reference forgets when an attempt that timed out began and ended",
    ),
    (
        r"update u\d of [ab]\.(code|message|details\..*)",
        r"'RESOURCE_EXHAUSTED'|'ResourceExhaustedFailure'|'RESOURCE_EXHAUSTED_.*|'workflow operation can not be applied.*",
        r"'NOT_FOUND'|'NotFoundFailure'|None|'workflow update was aborted by closing workflow'",
        "an update that a continued run did not take is tried with the next one, here by the server",
    ),
    (
        r"update u\d of [ab]\.(code|message|details\..*)",
        r"'UNAVAILABLE'|14|None|10|'Workflow was not started: StartDeduped'|'Operation was aborted.*|'.*ExecutionAborted'",
        r"'NOT_FOUND'|10|5|\[.*\]|None|'Operation was aborted\.'|'workflow .*|'.*NotFoundFailure'",
        "the start of a repeated update-with-start is recognised, and its update goes to the run",
    ),
    (
        r"a, run \d: .*(TemporalPauseInfo|pauseInfo)|b, run \d: .*(TemporalPauseInfo|pauseInfo)",
        r"'\[\"Workflow.*|\{.*\}",
        r"None",
        "a closed run is not paused here",
    ),
    (
        r"update u\d of [ab]\..*",
        r"'FAILED_PRECONDITION'|\[\]|'Workflow is paused. Cannot update the workflow.'|None",
        r"None|'UPDATE_WORKFLOW_EXECUTION_LIFECYCLE_STAGE_ADMITTED'|\{'updateId.*",
        "an update that waits when its run is paused waits on; the reference forgets it",
    ),
    (
        r"\d+ poll",
        r"'none'",
        r"'none came'",
        "an update that waits when its run is paused waits on; the reference forgets it, and its task",
    ),
    (
        r"update u\d of [ab]\.(details|message|responses)",
        r"None|\[.*'UPDATE_WORKFLOW_EXECUTION_LIFECYCLE_STAGE_ADMITTED'.*\]",
        r"None|\[\('MultiOperationExecutionFailure'.*aborted by closing workflow.*\]|'Update-with-Start could not be executed\.'",
        "the update of a run that is deleted is aborted; the reference lets its caller wait",
    ),
    (
        r"\d+ options\.updateTime",
        r"None",
        r"'TIME'",
        "the API tells when options changed; the reference of this version does not",
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
