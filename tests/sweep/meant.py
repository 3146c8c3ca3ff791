"""Differences from the reference that are meant, each with its reason.

An entry is where (`WHAT: PATH`), what the reference says and what we say (all patterns), and why. What is not here is a
bug of ours.
"""

MEANT = [
    (
        r".*(GET|POST|PUT|PATCH|DELETE) /.*: message",
        r"'temporalproto: .*|'unexpected EOF'|\"invalid character .*",
        r".*",
        "what is wrong with JSON, each parser says in its own words",
    ),
    (
        r"GET /api/v1(//system-info|/namespaces//workflows): .*",
        r".*",
        r"404|5|\[\]|None|'Not Found'",
        "a path with an empty part is not taken for another",
    ),
    (
        r"GET /api/v1/namespaces/default/workflows/(a%2Fb|%zz): .*",
        r".*",
        r"404|5|\[.*\]|'\*'|None|'type.*NotFoundFailure'|'workflow not found for ID: (a/b|%zz)'",
        "an id may hold a slash, or anything else",
    ),
    (
        r".*: message",
        r"'workflow not found for ID: temporal-sys-worker-deployment:.*",
        r"\"no Worker Deployment found with name .*",
        "no workflow of the server's own keeps a deployment",
    ),
    (
        r"UpdateWorkerDeploymentVersionMetadata: remove_entries too long: .*",
        r"'NOT_FOUND'|'NotFoundFailure'|'workflow not found for ID: temporal-sys-worker-deployment-version::'",
        r"'INVALID_ARGUMENT'|None|'invalid version string \"\", .*",
        "no workflow of the server's own keeps a version",
    ),
    (
        r"StartWorkflowExecution: completion_callbacks.nexus_handler.* too long: message",
        r"'unknown callback variant: <nil>'",
        r"'this kind of callback is not served'",
        "a kind of callback that is newer than the reference",
    ),
    (
        r"StartBatchOperation: job_id too long: message",
        r"'must provide required parameters: .*",
        r"'WorkflowId exceeds maximum allowed length .*",
        "of two things that are wrong, either may be said",
    ),
    (
        r"(AddOrUpdateRemoteCluster|RemoveRemoteCluster|.*remote-cluster.*|.*clusters.*): .*",
        r".*",
        r"'UNIMPLEMENTED'|12|501|\[\]|None|'.* is not served by this version of Steadfast'",
        "there is one cluster",
    ),
    (
        r"(CreateSchedule|UpdateSchedule): schedule.spec.timezone_name too long: message",
        r"'Invalid schedule spec: file name too long'",
        r"'Invalid schedule spec: unknown time zone x*'",
        "no file is looked for",
    ),
    (
        r"DescribeNamespace: id too long: .*",
        r"'UNKNOWN'|'something went wrong, please retry .*",
        r"'INVALID_ARGUMENT'|'GetNamespace operation failed.  Both ID and Name specified in request.'",
        "whose mistake it is, is said; the reference hides it as one of its own",
    ),
    (
        r"ResetWorkflowExecution: reset_reapply_type no value: .*",
        r"'INTERNAL'|None|'something went wrong, please retry .*",
        r"'NOT_FOUND'|'NotFoundFailure'|'workflow not found for ID: .*",
        "a way to apply again that nobody knows is no error of the server's",
    ),
    (
        r".*: links.workflow\..* too long: .*",
        r"'unsupported link variant'",
        r"'workflow link must not have an empty .*",
        "links to workflows are taken, as by newer versions of the API",
    ),
]
