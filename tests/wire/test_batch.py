"""Batch operations: what is taken, what is done to the targets, how jobs are described, listed and stopped."""

import uuid

import commands as c
import grpc
import history
import pytest
from client import Error, application_failure, eventually, payloads, seconds
from scene import Scene

TERMINATE = {"termination_operation": {"identity": "me"}}


def refused(client, name, **fields):
    """The error of a call, or None if it was taken."""
    try:
        client(name, **fields)
    except grpc.RpcError as error:
        return Error(error)
    return None


@pytest.fixture
def job(client):
    return Job(client)


class Job:
    """One batch operation. The reference allows one at a time, so a start waits for its turn."""

    def __init__(self, client):
        self.client = client
        self.id = f"job-{uuid.uuid4().hex[:12]}"

    def start(self, **fields):
        fields = {"job_id": self.id, "reason": "why"} | fields

        def started():
            error = refused(self.client, "StartBatchOperation", **fields)
            return True if error is None else _not_its_turn(error)

        eventually(started, timeout=30)

    def describe(self):
        return self.client("DescribeBatchOperation", job_id=self.id)

    def finished(self):
        def done():
            described = self.describe()
            return described if described.HasField("close_time") else None

        return eventually(done, timeout=30)


def _not_its_turn(error):
    assert error.code == "RESOURCE_EXHAUSTED", error.message
    assert error.message == "Max concurrent batch operations is reached"


def type_of(w):
    return f"T-{w.id}"


def targets(client, w, count=3):
    """Workflows of a type of their own, all listed."""
    scenes = [Scene(client) for _ in range(count)]
    for scene in scenes:
        scene.queue = w.queue
        scene.start(workflow_type={"name": type_of(w)})

    def listed():
        query = f"WorkflowType = '{type_of(w)}'"
        found = client("CountWorkflowExecutions", query=query).count
        return True if found == count else None

    eventually(listed)
    return scenes


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        (
            {"visibility_query": ""},
            "must provide required parameters: BatchType,Reason,Namespace, "
            "AND one of (Query OR Executions OR TargetExecutions)",
        ),
        (
            {"reason": ""},
            "must provide required parameters: BatchType,Reason,Namespace, "
            "AND one of (Query OR Executions OR TargetExecutions)",
        ),
        ({"job_id": ""}, "JobId is not set on request."),
        (
            {"executions": [{"workflow_id": "w"}]},
            "visibility query, executions, and target executions are mutually exclusive",
        ),
        (
            {
                "visibility_query": "",
                "target_executions": [{"type": "EXECUTION_TYPE_ACTIVITY", "business_id": "a"}],
            },
            "target_executions[0] has type Activity, but operation "
            "*workflowservice.StartBatchOperationRequest_TerminationOperation requires Workflow",
        ),
        ({"signal_operation": {}}, "must provide signal name"),
        ({"reset_operation": {}}, "unknown batch reset type Unspecified"),
        ({"reset_operation": {"options": {}}}, "batch reset missing target"),
        ({"update_workflow_options_operation": {}}, "must provide UpdateOptions"),
        ({"unpause_activities_operation": {}}, "activity filter must be set"),
        ({"reset_activities_operation": {}}, "must provide ActivityType or MatchAll"),
    ],
)
def test_requests_that_are_refused(client, job, fields, message):
    operation = {} if any(name.endswith("_operation") for name in fields) else TERMINATE
    given = {"job_id": job.id, "reason": "why", "visibility_query": "WorkflowId = 'none'"}
    error = refused(client, "StartBatchOperation", **(given | operation | fields))
    assert (error.code, error.message) == ("INVALID_ARGUMENT", message)
    assert refused(client, "DescribeBatchOperation", job_id=job.id).code == "NOT_FOUND"


def test_a_query_that_cannot_be_read(client, job):
    error = refused(
        client,
        "StartBatchOperation",
        job_id=job.id,
        reason="why",
        visibility_query="()",
        **TERMINATE,
    )
    assert error.code == "INVALID_ARGUMENT"
    assert error.message.startswith("invalid visibility query: ")


def test_terminate_by_query(client, w, job):
    scenes = targets(client, w)
    job.start(visibility_query=f"WorkflowType = '{type_of(w)}'", **TERMINATE)
    done = job.finished()
    assert done.state == done.DESCRIPTOR.fields_by_name["state"].enum_type.values_by_name[
        "BATCH_OPERATION_STATE_COMPLETED"
    ].number
    assert done.operation_type == 13  # BATCH_OPERATION_TYPE_TERMINATE_WORKFLOW
    counts = (
        done.total_operation_count,
        done.complete_operation_count,
        done.failure_operation_count,
    )
    assert counts == (3, 3, 0)
    assert (done.identity, done.reason) == ("me", "why")
    assert done.query == f"WorkflowType = '{type_of(w)}'"
    for scene in scenes:
        last = scene.events()[-1].workflow_execution_terminated_event_attributes
        assert last.reason == "why"


def test_signal_named_executions(client, w, job):
    first, second = targets(client, w, count=2)
    job.start(
        executions=[{"workflow_id": first.id}, {"workflow_id": second.id}, {"workflow_id": "no"}],
        signal_operation={"signal": "go", "input": payloads(1), "identity": "me"},
    )
    done = job.finished()
    # One that is not there needs no signal.
    assert (done.total_operation_count, done.complete_operation_count) == (3, 3)
    assert [one.business_id for one in done.executions] == [first.id, second.id, "no"]
    for scene in (first, second):
        signaled = scene.events()[-1].workflow_execution_signaled_event_attributes
        assert (signaled.signal_name, signaled.identity) == ("go", "me")
        assert [one.data for one in signaled.input.payloads] == [b"1"]
        scene.close()


def test_cancel_target_executions(client, w, job):
    (scene,) = targets(client, w, count=1)
    target = {"type": "EXECUTION_TYPE_WORKFLOW", "business_id": scene.id, "run_id": scene.run_id}
    job.start(target_executions=[target], cancellation_operation={"identity": "me"})
    assert job.finished().complete_operation_count == 1
    scene.wait_for("WorkflowExecutionCancelRequested")
    scene.close()


def test_delete(client, w, job):
    scenes = targets(client, w, count=2)
    job.start(visibility_query=f"WorkflowType = '{type_of(w)}'", deletion_operation={})
    assert job.finished().complete_operation_count == 2

    def gone():
        query = f"WorkflowType = '{type_of(w)}'"
        return True if client("CountWorkflowExecutions", query=query).count == 0 else None

    eventually(gone)
    for scene in scenes:
        scene._opened.clear()


def test_a_job_id_is_used_once(client, w, job):
    (scene,) = targets(client, w, count=1)
    job.start(executions=[{"workflow_id": scene.id}], **TERMINATE)
    job.finished()

    def again():
        error = refused(
            client,
            "StartBatchOperation",
            job_id=job.id,
            reason="why",
            executions=[{"workflow_id": scene.id}],
            **TERMINATE,
        )
        return error if error.code != "RESOURCE_EXHAUSTED" else None

    error = eventually(again)
    assert error.code == "ALREADY_EXISTS"
    assert error.message.startswith(f"Workflow execution already finished. WorkflowId: {job.id}")
    assert error.message.endswith("Workflow Id reuse policy: reject duplicate workflow Id.")


def test_stop(client, w, job):
    for fields, code, message in [
        ({}, "INVALID_ARGUMENT", "JobId is not set on request."),
        ({"job_id": job.id}, "INVALID_ARGUMENT", "Reason is not set on request."),
        (
            {"job_id": job.id, "reason": "r"},
            "NOT_FOUND",
            f"workflow not found for ID: {job.id}",
        ),
    ]:
        error = refused(client, "StopBatchOperation", **fields)
        assert (error.code, error.message) == (code, message)
    (scene,) = targets(client, w, count=1)
    job.start(executions=[{"workflow_id": scene.id}], **TERMINATE)
    job.finished()
    error = refused(client, "StopBatchOperation", job_id=job.id, reason="r")
    assert (error.code, error.message) == ("NOT_FOUND", "workflow execution already completed")


def test_stop_while_it_runs(client, w, job):
    # At 50 calls a second these take some seconds, which is time enough to stop it.
    named = [{"workflow_id": f"{w.id}-{number}"} for number in range(500)]
    job.start(executions=named, signal_operation={"signal": "s"})
    client("StopBatchOperation", job_id=job.id, reason="enough", identity="me")
    done = job.finished()
    assert done.state == 3  # BATCH_OPERATION_STATE_FAILED
    assert done.complete_operation_count < 500


def test_list(client, w, job):
    (scene,) = targets(client, w, count=1)
    job.start(executions=[{"workflow_id": scene.id}], **TERMINATE)
    job.finished()

    def listed():
        jobs, token = [], b""
        while True:
            page = client("ListBatchOperations", page_size=2, next_page_token=token)
            jobs += [one for one in page.operation_info if one.job_id == job.id]
            token = page.next_page_token
            if not token:
                return jobs or None

    (one,) = eventually(listed)
    assert one.operation_type == 13
    eventually(lambda: listed()[0].state == 2 or None)  # BATCH_OPERATION_STATE_COMPLETED


def test_one_at_a_time(client, w, job):
    named = [{"workflow_id": f"{w.id}-{number}"} for number in range(500)]
    job.start(executions=named, signal_operation={"signal": "s"})

    def full():
        return refused(
            client,
            "StartBatchOperation",
            job_id=uuid.uuid4().hex,
            reason="why",
            executions=[{"workflow_id": "none"}],
            signal_operation={"signal": "s"},
        )

    error = eventually(full)
    assert error.code == "RESOURCE_EXHAUSTED"
    assert error.message == "Max concurrent batch operations is reached"
    client("StopBatchOperation", job_id=job.id, reason="enough")


def paused_activity(w):
    """A workflow with an activity that an operator has paused, and which is listed so."""
    w.begin(c.activity("a", type_=type_of(w)))
    w.call("PauseActivityExecution", workflow_id=w.id, activity_id="a")
    query = f"TemporalPauseInfo = 'property:activityType={type_of(w)}'"

    def listed():
        return w.call("ListWorkflowExecutions", query=query).executions or None

    eventually(listed)
    return {"visibility_query": f"WorkflowId = '{w.id}'"}


@pytest.mark.parametrize("by", ["type", "match_all"])
def test_unpause_activities(w, job, by):
    query = paused_activity(w)
    which = {"match_all": True} if by == "match_all" else {"type": type_of(w)}
    job.start(**query, unpause_activities_operation=which | {"identity": "me"})
    assert job.finished().complete_operation_count == 1
    assert not w.pending_activity().paused
    w.complete_activity(w.poll_activity())


def test_change_options_of_activities(w, job):
    query = paused_activity(w)
    job.start(
        **query,
        update_activity_options_operation={
            "match_all": True,
            "activity_options": {"start_to_close_timeout": seconds(7)},
            "update_mask": {"paths": ["start_to_close_timeout"]},
        },
    )
    assert job.finished().complete_operation_count == 1
    assert w.pending_activity().activity_options.start_to_close_timeout.seconds == 7


def test_reset_activities(w, job):
    w.begin(c.activity("a", type_=type_of(w), retry_policy={"initial_interval": seconds(60)}))
    w.fail_activity(w.poll_activity(), application_failure("not now"))

    def failed():
        return True if w.pending_activity().attempt == 2 else None

    eventually(failed)
    job.start(
        visibility_query=f"WorkflowId = '{w.id}'",
        reset_activities_operation={"match_all": True, "reset_attempts": True},
    )
    assert job.finished().complete_operation_count == 1
    assert w.pending_activity().attempt == 1


@pytest.mark.parametrize(
    "reset",
    [
        {"options": {"last_workflow_task": {}}},
        {"options": {"workflow_task_id": 4}},
        {"reset_type": "RESET_TYPE_FIRST_WORKFLOW_TASK"},
    ],
)
def test_reset_workflows(w, job, reset):
    w.begin()
    job.start(executions=[{"workflow_id": w.id}], reset_operation=reset | {"identity": "me"})
    assert job.finished().complete_operation_count == 1
    assert history.event_name(w.events()[-1]) == "WorkflowExecutionTerminated"
    (again,) = w.events(run_id="")[-2:-1]
    assert again.workflow_task_failed_event_attributes.base_run_id == w.run_id


def test_reset_workflows_to_where_a_build_began(w, job):
    """Of two builds: what the second did is done again; a run that it never saw cannot be."""
    w.start()
    for build in ("one", "two", "two"):
        task = w.poll()
        w.complete(task, worker_version_stamp={"build_id": build})
        w.signal()
    other, queue = w.id + "-other", {"name": w.queue + "-other"}
    w.call("StartWorkflowExecution", **w.start_fields(workflow_id=other, task_queue=queue))
    w.complete(w.poll(queue), worker_version_stamp={"build_id": "one"})
    executions = [{"workflow_id": w.id}, {"workflow_id": other}]
    reset = {"options": {"build_id": "two"}, "identity": "me"}
    job.start(executions=executions, reset_operation=reset)
    described = eventually(lambda: job.describe() if job.describe().HasField("close_time") else None)
    assert (described.complete_operation_count, described.failure_operation_count) == (1, 1)
    failed = [event for event in w.events(run_id="") if event.HasField("workflow_task_failed_event_attributes")]
    # Behind the first task of the second build, which is the second one.
    assert [event.event_id for event in failed] == [8]


def test_targets_that_cannot_be_reset_are_counted(w, job):
    w.start()
    reset = {"options": {"workflow_task_id": 1}}
    job.start(executions=[{"workflow_id": w.id}], reset_operation=reset)
    described = eventually(lambda: job.describe() if job.describe().HasField("close_time") else None)
    assert (described.complete_operation_count, described.failure_operation_count) == (0, 1)
