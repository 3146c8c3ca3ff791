"""Differences from the reference that are meant, each with its reason.

An entry is where (`AREA: COMMAND: PATH`), what is printed with the reference and with ours (all patterns),
and why. What is not here is a bug of ours.
"""

MEANT = [
    (
        r"(activity: activity|nexus: nexus operation) list .*searchAttributes\.indexedFields",
        r"{'TemporalNamespaceDivision': .*}",
        r"None",
        "the number of the reference's own division is nobody's search attribute",
    ),
    (
        r"activity_workflow: workflow describe .*pendingActivities\.0\.lastFailure",
        r"None",
        r"{.*}",
        "what an activity failed with last is known also after an operator's command",
    ),
    (
        r"activity_workflow: workflow describe .*pendingActivities\.0\.currentRetryInterval",
        r"'180s'",
        r"'120s'",
        "changed options give the wait of this retry; the reference takes that of the one after it",
    ),
    (
        r"workflow_look: workflow show -w say .*",
        r"'workerVersion.buildId: .*'|{'buildId': .*}",
        r"''|None",
        "the build of an activity's worker, a field that is on its way out, is not recorded",
    ),
    (
        r"nexus: operator nexus endpoint get .*",
        r"None|'CreatedTime <nil>'",
        r"'TIME'|'CreatedTime \"TIME\"'",
        "the reference forgets when an endpoint was made as soon as it is updated",
    ),
    (
        r"operator: operator cluster (remove|upsert) .*: stderr",
        r".*",
        r".*is not served by this version of Steadfast'",
        "there is one cluster",
    ),
    (
        r"operator: operator cluster system .*\.serverScaledDeployments",
        r"True",
        r"None",
        "what is not served is not claimed",
    ),
    (
        r"operator: operator namespace describe .*\.(workerPollCompleteOnShutdown|workflowUpdateCallbacks)",
        r"None",
        r"True",
        "served here; the reference has these behind settings",
    ),
    (
        r"task_queue: task-queue describe .*--partitions-legacy 2: stdout",
        r"'worker MOMENT 100000'",
        r"''",
        "a task queue has one partition",
    ),
    (
        r"task_queue: task-queue list-partition .*",
        r".*/_sys/work/.*",
        r".*",
        "a task queue has one partition",
    ),
    (
        r"task_queue: task-queue describe .*--legacy-mode -o json: "
        r".*(task_id_block.*|ack_level|read_level|versioning_info.update_time)",
        r".*",
        r"None",
        "there are no blocks of task ids; a time that is not known is not given",
    ),
    (
        r"workflow_start: workflow execute .*--detailed: stdout",
        r"'taskId: N'",
        r"''",
        "the start of a workflow task is written with its end, and has no task id before",
    ),
    (
        r"worker: worker deployment update-version-metadata .*: stderr",
        r".*workflow not found for ID: temporal-sys-worker-deployment-version:.*",
        r".*build ID '9' not found in Worker Deployment 'shop'.*",
        "no workflow of the server's own keeps a version",
    ),
    (
        r"workflow_batch: workflow terminate -q 'Nonsense = 1' --yes: .*",
        r"0|''|'Started batch for job ID: #\d+'|.*Max concurrent batch operations is reached'",
        r"1|''|'Error: .*invalid search attribute: Nonsense'",
        "a batch whose query makes no sense is refused when it is asked for, not forgotten when it runs",
    ),
]
