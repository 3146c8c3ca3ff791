"""Standalone activities: jobs without a workflow around them."""

import uuid

import grpc
import pytest
from temporalio.api.enums.v1 import activity_pb2, workflow_pb2

from client import (
    application_failure,
    eventually,
    payload,
    payloads,
    refused,
    seconds,
    value_of,
    values_of,
)

STATUS = activity_pb2.ActivityExecutionStatus.Name
RETRY_STATE = workflow_pb2.RetryState.Name


class Job:
    """One activity id on a queue of its own, and the calls of its clients and workers."""

    def __init__(self, client):
        unique = uuid.uuid4().hex[:12]
        self.call = client
        self.id = f"job-{unique}"
        self.queue = f"tq-{unique}"
        self.run_id = ""

    def start_fields(self, **fields):
        fields.setdefault("activity_id", self.id)
        fields.setdefault("activity_type", {"name": "A"})
        fields.setdefault("task_queue", {"name": self.queue})
        fields.setdefault("start_to_close_timeout", seconds(30))
        fields.setdefault("request_id", uuid.uuid4().hex)
        return fields

    def start(self, **fields):
        answer = self.call("StartActivityExecution", **self.start_fields(**fields))
        self.run_id = self.run_id or answer.run_id
        return answer

    def poll_task(self, identity="worker", timeout=10):
        return self.call(
            "PollActivityTaskQueue",
            timeout=timeout,
            task_queue={"name": self.queue},
            identity=identity,
        )

    def complete(self, task, *values, **fields):
        result = payloads(*values) if values else None
        self.call("RespondActivityTaskCompleted", task_token=task.task_token, result=result, **fields)

    def fail(self, task, failure=None, **fields):
        self.call("RespondActivityTaskFailed", task_token=task.task_token, failure=failure, **fields)

    def heartbeat(self, task, *values):
        details = payloads(*values) if values else None
        return self.call("RecordActivityTaskHeartbeat", task_token=task.task_token, details=details)

    def describe(self, **fields):
        return self.call("DescribeActivityExecution", activity_id=self.id, **fields)

    def info(self, **fields):
        return self.describe(**fields).info

    def status(self):
        return STATUS(self.info().status).removeprefix("ACTIVITY_EXECUTION_STATUS_")

    def outcome(self, timeout=10, **fields):
        answer = self.call("PollActivityExecution", timeout=timeout, activity_id=self.id, **fields)
        return answer.outcome

    def cancel(self, **fields):
        return self.call("RequestCancelActivityExecution", activity_id=self.id, **fields)

    def terminate(self, **fields):
        return self.call("TerminateActivityExecution", activity_id=self.id, **fields)


@pytest.fixture
def job(client):
    job = Job(client)
    yield job
    try:
        job.terminate()
    except grpc.RpcError:
        pass  # closed or never started


# -- a job that goes well --------------------------------------------------------------------------


def test_a_job(job):
    started = job.start(input=payloads(1, "two"), header={"fields": {"h": payload("x")}})
    assert started.started
    assert started.link.activity.activity_id == job.id
    assert started.link.activity.run_id == started.run_id
    assert started.link.activity.namespace == "default"
    task = job.poll_task()
    assert (task.workflow_execution.workflow_id, task.workflow_execution.run_id) == ("", "")
    assert task.workflow_type.name == ""
    assert (task.activity_id, task.activity_run_id) == (job.id, started.run_id)
    assert (task.activity_type.name, task.attempt) == ("A", 1)
    assert values_of(task.input) == [1, "two"]
    assert value_of(task.header.fields["h"]) == "x"
    assert task.start_to_close_timeout.seconds == 30
    assert task.retry_policy.initial_interval.seconds == 1
    assert task.HasField("scheduled_time") and task.HasField("started_time")
    job.complete(task, "done")
    outcome = job.outcome()
    assert values_of(outcome.result) == ["done"]
    with refused("NOT_FOUND", f"activity not found for ID: {job.id}", "NotFoundFailure"):
        job.complete(task, "again")


def test_the_outcome_is_waited_for(job):
    job.start()
    waiting = job.call.future("PollActivityExecution", timeout=15, activity_id=job.id)
    job.complete(job.poll_task(), 7)
    answer = waiting.result()
    assert values_of(answer.outcome.result) == [7]
    assert answer.run_id == job.run_id


def test_a_wait_without_news_is_answered_with_nothing(job):
    job.start()
    answer = job.call("PollActivityExecution", timeout=3, activity_id=job.id)
    assert (answer.run_id, answer.outcome.WhichOneof("value")) == ("", None)


# -- ids and requests ------------------------------------------------------------------------------


def test_an_id_is_in_use(job):
    first = job.start(request_id="first")
    with refused(
        "ALREADY_EXISTS",
        "activity execution already started",
        "ActivityExecutionAlreadyStartedFailure",
    ) as error:
        job.start()
    assert error.detail.run_id == first.run_id
    assert error.detail.start_request_id == "first"


def test_a_request_is_recognised(job):
    first = job.start(request_id="same")
    again = job.start(request_id="same")
    assert (again.run_id, again.started) == (first.run_id, False)


def test_the_existing_one_will_do(job):
    first = job.start()
    second = job.start(id_conflict_policy="ACTIVITY_ID_CONFLICT_POLICY_USE_EXISTING")
    assert (second.run_id, second.started) == (first.run_id, False)


@pytest.mark.parametrize(
    "policy, after_success, after_failure",
    [
        ("ALLOW_DUPLICATE", True, True),
        ("ALLOW_DUPLICATE_FAILED_ONLY", False, True),
        ("REJECT_DUPLICATE", False, False),
    ],
)
def test_an_id_is_used_again(client, policy, after_success, after_failure):
    for failed, allowed in ((False, after_success), (True, after_failure)):
        job = Job(client)
        first = job.start(retry_policy={"maximum_attempts": 1})
        task = job.poll_task()
        if failed:
            job.fail(task, application_failure())
        else:
            job.complete(task)
        again = {"id_reuse_policy": f"ACTIVITY_ID_REUSE_POLICY_{policy}"}
        if allowed:
            assert job.start(**again).run_id != first.run_id
            job.terminate()
        else:
            with refused(
                "ALREADY_EXISTS",
                "activity execution already started",
                "ActivityExecutionAlreadyStartedFailure",
            ):
                job.start(**again)


def test_a_workflow_of_the_same_id_is_another_thing(job, w):
    w.id = job.id
    w.start()
    job.start()
    assert job.status() == "RUNNING"
    job.complete(job.poll_task())
    assert w.status() == "RUNNING"
    listed = w.call("ListWorkflowExecutions", query=f"WorkflowId = '{job.id}'")
    assert len(listed.executions) == 1


# -- what is refused -------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "fields, message",
    [
        ({"task_queue": None}, "taskQueue is not set"),
        ({"task_queue": {"name": ""}}, "missing task queue name"),
        ({"activity_id": ""}, "activityId is not set"),
        ({"activity_type": None}, "activityType is not set"),
        ({"activity_id": "x" * 1001}, "activityId exceeds length limit. Length=1001 Limit=1000"),
        ({"request_id": "x" * 1001}, "request ID exceeds length limit. Length=1001 Limit=1000"),
        ({"identity": "x" * 1001}, "identity exceeds length limit. Length=1001 Limit=1000"),
        (
            {"start_to_close_timeout": None, "activity_id": "job"},
            "a valid StartToCloseTimeout or ScheduleToCloseTimeout must be set on the activity. "
            "ActivityId=job ActivityType=A",
        ),
        ({"start_to_close_timeout": seconds(-1)}, "invalid StartToCloseTimeout: negative duration"),
        ({"start_delay": seconds(-1)}, "invalid StartDelay: negative duration"),
        (
            {"retry_policy": {"backoff_coefficient": 0.5}},
            "BackoffCoefficient cannot be less than 1 on retry policy.",
        ),
        ({"priority": {"priority_key": -1}}, "invalid priorities: priority key can't be negative"),
        (
            {"user_metadata": {"summary": payload("x" * 400)}},
            "user_metadata.summary exceeds size limit. Length=429 Limit=400",
        ),
        (
            {"user_metadata": {"details": payload("x" * 20_000)}},
            "user_metadata.details exceeds size limit. Length=20030 Limit=20000",
        ),
        ({"input": payloads("x" * (2 << 20))}, "input exceeds length limit"),
        (
            {"on_conflict_options": {"attach_completion_callbacks": True}},
            "on_conflict_options: attach_completion_callbacks requires attach_request_id to be set",
        ),
        (
            {"on_conflict_options": {"attach_request_id": True}},
            "on_conflict_options: attach_request_id requires at least one completion callback "
            "or link",
        ),
        (
            {"completion_callbacks": [{"nexus": {"url": "http://localhost/"}}]},
            "completion callbacks are not enabled for this namespace",
        ),
    ],
    ids=lambda value: "-".join(value) if isinstance(value, dict) else "",
)
def test_starts_that_are_refused(job, fields, message):
    with refused("INVALID_ARGUMENT", message):
        job.start(**fields)


RPCS = [
    "DescribeActivityExecution",
    "PollActivityExecution",
    "RequestCancelActivityExecution",
    "TerminateActivityExecution",
    "DeleteActivityExecution",
]


@pytest.mark.parametrize("rpc", RPCS)
def test_requests_about_one_that_are_refused(client, rpc):
    with refused("INVALID_ARGUMENT", "activity ID is required"):
        client(rpc)
    with refused(
        "INVALID_ARGUMENT", "activity ID exceeds length limit. Length=1001 Limit=1000"
    ):
        client(rpc, activity_id="x" * 1001)
    with refused("INVALID_ARGUMENT", "invalid run id: must be a valid UUID"):
        client(rpc, activity_id="a", run_id="x")


@pytest.mark.parametrize("rpc", RPCS)
def test_unknown_ones(client, rpc):
    with refused("NOT_FOUND", "activity not found for ID: nope", "NotFoundFailure"):
        client(rpc, activity_id="nope")
    with refused("NOT_FOUND", "activity not found for ID: nope", "NotFoundFailure"):
        client(rpc, activity_id="nope", run_id=str(uuid.uuid4()))


# -- timeouts as stored, and description -----------------------------------------------------------

S2C, S2S, STC, HB = (
    "schedule_to_close_timeout",
    "schedule_to_start_timeout",
    "start_to_close_timeout",
    "heartbeat_timeout",
)


@pytest.mark.parametrize(
    "given, stored",
    [
        ({STC: 5}, {S2C: 0, S2S: 0, STC: 5, HB: 0}),
        ({S2C: 5}, {S2C: 5, S2S: 5, STC: 5, HB: 0}),
        ({S2C: 5, STC: 9}, {S2C: 5, S2S: 5, STC: 5, HB: 0}),
        ({S2C: 9, STC: 5, S2S: 3}, {S2C: 9, S2S: 3, STC: 5, HB: 0}),
        ({STC: 5, HB: 9}, {S2C: 0, S2S: 0, STC: 5, HB: 5}),
    ],
    ids=str,
)
def test_timeouts_are_normalised(job, given, stored):
    timeouts = {name: seconds(value) for name, value in given.items()}
    job.start(**{STC: None, **timeouts})
    info = job.info()
    assert {name: getattr(info, name).seconds for name in stored} == stored


def test_description(job):
    job.start(
        input=payloads("in"),
        user_metadata={"summary": payload("s")},
        priority={"priority_key": 2},
        heartbeat_timeout=seconds(20),
    )
    plain = job.describe()
    info = plain.info
    assert (plain.run_id, info.run_id, info.activity_id) == (job.run_id, job.run_id, job.id)
    assert job.status() == "RUNNING"
    assert info.run_state == common_pb2_state("SCHEDULED")
    assert (info.attempt, info.task_queue, info.activity_type.name) == (1, job.queue, "A")
    assert value_of(info.user_metadata.summary) == "s"
    assert info.priority.priority_key == 2
    assert info.retry_policy.maximum_interval.seconds == 100
    assert info.execution_time == info.schedule_time
    assert info.state_transition_count == 1
    assert info.state_size_bytes > 0
    assert not info.HasField("last_started_time") and not info.HasField("close_time")
    assert not plain.HasField("input") and not plain.HasField("outcome")
    task = job.poll_task("me")
    job.heartbeat(task, "half")
    info = job.info(include_heartbeat_details=True)
    assert info.run_state == common_pb2_state("STARTED")
    assert info.last_worker_identity == "me"
    assert (info.total_heartbeat_count, values_of(info.heartbeat_details)) == (1, ["half"])
    assert info.HasField("last_heartbeat_time") and info.HasField("last_started_time")
    job.complete(task, "out")
    whole = job.describe(include_input=True, include_outcome=True)
    assert job.status() == "COMPLETED"
    assert values_of(whole.input) == ["in"]
    assert values_of(whole.outcome.result) == ["out"]
    assert whole.info.run_state == common_pb2_state("UNSPECIFIED")
    assert whole.info.HasField("close_time") and whole.info.HasField("execution_duration")


def common_pb2_state(name):
    return workflow_pb2.PendingActivityState.Value(f"PENDING_ACTIVITY_STATE_{name}")


def test_a_description_can_be_waited_for(job):
    job.start()
    seen = job.describe()
    with refused(
        "INVALID_ARGUMENT", "run id is required when long poll token is provided"
    ):
        job.describe(long_poll_token=seen.long_poll_token)
    waiting = job.call.future(
        "DescribeActivityExecution",
        timeout=15,
        activity_id=job.id,
        run_id=job.run_id,
        long_poll_token=seen.long_poll_token,
    )
    job.poll_task()
    changed = waiting.result()
    assert changed.info.run_state == common_pb2_state("STARTED")
    quiet = job.describe(
        timeout=3, run_id=job.run_id, long_poll_token=changed.long_poll_token
    )
    assert (quiet.run_id, quiet.HasField("info")) == ("", False)


def test_a_token_that_means_nothing(job):
    job.start()
    with refused("INVALID_ARGUMENT", "invalid long poll token"):
        job.describe(run_id=job.run_id, long_poll_token=b"nonsense")


def test_a_token_of_another_run(job, client):
    other = Job(client)
    other.start()
    token = other.describe().long_poll_token
    other.terminate()
    job.start()
    with refused("INVALID_ARGUMENT", "long poll token does not match execution"):
        job.describe(run_id=job.run_id, long_poll_token=token)


# -- attempts --------------------------------------------------------------------------------------


def test_a_failure_is_tried_again(job):
    job.start(retry_policy={"initial_interval": seconds(0.1)})
    first = job.poll_task()
    job.fail(first, application_failure("boom", "X"), last_heartbeat_details=payloads("half"))
    second = job.poll_task()
    assert second.attempt == 2
    assert values_of(second.heartbeat_details) == ["half"]
    info = job.info(include_last_failure=True)
    assert info.last_failure.message == "boom"
    assert info.HasField("last_attempt_complete_time")
    with refused("NOT_FOUND", f"activity not found for ID: {job.id}", "NotFoundFailure"):
        job.complete(first)
    job.complete(second, "late")
    assert values_of(job.outcome().result) == ["late"]


def test_a_wait_between_attempts_shows(job):
    job.start(retry_policy={"initial_interval": seconds(20)})
    job.fail(job.poll_task(), application_failure())
    info = job.info()
    assert info.run_state == common_pb2_state("SCHEDULED")
    assert (info.attempt, info.current_retry_interval.seconds) == (2, 20)
    assert info.HasField("next_attempt_schedule_time")


@pytest.mark.parametrize(
    "policy, failure, retry_state",
    [
        ({"maximum_attempts": 1}, application_failure(), "MAXIMUM_ATTEMPTS_REACHED"),
        ({}, application_failure(non_retryable=True), "NON_RETRYABLE_FAILURE"),
        (
            {"non_retryable_error_types": ["X"]},
            application_failure(type_="X"),
            "NON_RETRYABLE_FAILURE",
        ),
        ({"initial_interval": seconds(100)}, application_failure(), "TIMEOUT"),
    ],
)
def test_a_failure_that_is_final(job, policy, failure, retry_state):
    job.start(retry_policy=policy, schedule_to_close_timeout=seconds(60))
    job.fail(job.poll_task(), failure)
    outcome = job.outcome()
    assert outcome.failure.message == "boom"
    assert RETRY_STATE(outcome.retry_state) == f"RETRY_STATE_{retry_state}"
    assert job.status() == "FAILED"


def test_a_failure_without_a_word(job):
    job.start(retry_policy={"maximum_attempts": 1})
    job.fail(job.poll_task())
    assert job.outcome().failure.message == "activity task failed without failure details"


@pytest.mark.parametrize(
    "timeouts, started, type_, message",
    [
        ({STC: 1}, True, "START_TO_CLOSE", "activity StartToClose timeout"),
        ({STC: 30, HB: 1}, True, "HEARTBEAT", "activity Heartbeat timeout"),
        ({STC: 30, S2S: 1}, False, "SCHEDULE_TO_START", "activity ScheduleToStart timeout"),
        ({STC: 30, S2C: 1}, False, "SCHEDULE_TO_START", "activity ScheduleToStart timeout"),
        ({S2C: 1, STC: 1, S2S: 1}, True, "SCHEDULE_TO_CLOSE", None),
    ],
)
def test_timeouts(job, timeouts, started, type_, message):
    given = {name: seconds(value) for name, value in timeouts.items()}
    job.start(retry_policy={"maximum_attempts": 1}, **given)
    if started:
        job.poll_task()
    outcome = job.outcome()
    failure = outcome.failure
    kind = common_pb2_timeout(failure.timeout_failure_info.timeout_type)
    if message is None:
        # Several come at the same time; any of them ends it.
        assert job.status() == "TIMED_OUT"
        return
    # Both waits for a worker may come first when they are equally long.
    assert kind in (type_, "SCHEDULE_TO_CLOSE" if S2C in timeouts else type_)
    if kind == type_:
        assert failure.message == message
    assert failure.source == ""
    assert job.status() == "TIMED_OUT"


def common_pb2_timeout(number):
    return workflow_pb2.TimeoutType.Name(number).removeprefix("TIMEOUT_TYPE_")


def test_a_timeout_is_tried_again(job):
    job.start(start_to_close_timeout=seconds(1), retry_policy={"initial_interval": seconds(0.1)})
    first = job.poll_task()
    second = job.poll_task()
    assert (first.attempt, second.attempt) == (1, 2)
    job.complete(second)
    assert job.outcome().HasField("result")


def test_a_start_delay(job):
    job.start(start_delay=seconds(1))
    info = job.info()
    assert info.start_delay.seconds == 1
    delay = info.execution_time.ToNanoseconds() - info.schedule_time.ToNanoseconds()
    assert delay == 1_000_000_000
    assert info.HasField("next_attempt_schedule_time")
    task = job.poll_task()
    assert task.started_time.ToNanoseconds() >= info.execution_time.ToNanoseconds()
    job.complete(task)


# -- cancel, terminate, delete ---------------------------------------------------------------------


def test_cancel_before_a_worker_has_it(job):
    job.start()
    job.cancel(reason="why", identity="me", request_id="r")
    outcome = job.outcome()
    assert outcome.failure.message == "Activity canceled"
    info = outcome.failure.canceled_failure_info
    assert (values_of(info.details), info.identity) == (["why"], "me")
    assert job.status() == "CANCELED"
    assert job.info().canceled_reason == "why"
    job.cancel(request_id="r")


def test_cancel_shows_with_the_next_heartbeat(job):
    job.start(heartbeat_timeout=seconds(20))
    task = job.poll_task()
    with refused(
        "INVALID_ARGUMENT",
        "unable to mark activity as canceled without activity being request canceled first",
    ):
        job.call("RespondActivityTaskCanceled", task_token=task.task_token)
    assert not job.heartbeat(task).cancel_requested
    job.cancel(request_id="r")
    job.cancel(request_id="r")
    with refused(
        "FAILED_PRECONDITION", "cancellation already requested with request ID r"
    ):
        job.cancel(request_id="other")
    assert job.info().run_state == common_pb2_state("CANCEL_REQUESTED")
    assert job.heartbeat(task).cancel_requested
    job.call("RespondActivityTaskCanceled", task_token=task.task_token, details=payloads("d"))
    outcome = job.outcome()
    assert values_of(outcome.failure.canceled_failure_info.details) == ["d"]
    assert job.status() == "CANCELED"


def test_a_failure_after_a_cancel_is_final(job):
    job.start()
    task = job.poll_task()
    job.cancel()
    job.fail(task, application_failure("boom"))
    outcome = job.outcome()
    assert RETRY_STATE(outcome.retry_state) == "RETRY_STATE_CANCEL_REQUESTED"
    assert job.status() == "FAILED"


def test_terminate(job):
    job.start()
    task = job.poll_task()
    job.terminate(reason="enough", identity="me", request_id="r")
    outcome = job.outcome()
    assert outcome.failure.message == "enough"
    assert outcome.failure.terminated_failure_info.identity == "me"
    assert job.status() == "TERMINATED"
    with refused("NOT_FOUND", f"activity not found for ID: {job.id}", "NotFoundFailure"):
        job.complete(task)
    job.terminate(request_id="r")
    with refused("FAILED_PRECONDITION", "already terminated with request ID r"):
        job.terminate(request_id="other")


def test_a_closed_one_is_not_ended_again(job):
    job.start()
    job.complete(job.poll_task())
    with refused("FAILED_PRECONDITION", "activity is in terminal state Completed"):
        job.cancel()
    with refused("FAILED_PRECONDITION", "invalid transition from Completed"):
        job.terminate()


@pytest.mark.parametrize("closed", [True, False])
def test_delete(job, closed):
    job.start()
    if closed:
        job.complete(job.poll_task())
    job.call("DeleteActivityExecution", activity_id=job.id)

    def gone():
        with refused("NOT_FOUND", f"activity not found for ID: {job.id}", "NotFoundFailure"):
            job.describe()
        return True

    eventually(gone)


# -- by id -----------------------------------------------------------------------------------------


def test_by_id(job):
    job.start()
    with refused("NOT_FOUND", f"activity not found for ID: {job.id}", "NotFoundFailure"):
        job.call("RecordActivityTaskHeartbeatById", activity_id=job.id)
    job.poll_task()
    job.call("RecordActivityTaskHeartbeatById", activity_id=job.id, details=payloads("half"))
    assert values_of(job.info(include_heartbeat_details=True).heartbeat_details) == ["half"]
    job.call(
        "RespondActivityTaskCompletedById",
        activity_id=job.id,
        run_id=job.run_id,
        result=payloads("x"),
    )
    assert values_of(job.outcome().result) == ["x"]


def test_completed_by_id_before_a_worker_has_it(job):
    job.start()
    job.call("RespondActivityTaskCompletedById", activity_id=job.id, result=payloads("x"))
    assert values_of(job.outcome().result) == ["x"]
    assert job.info().HasField("last_started_time")


def test_failed_by_id(job):
    job.start(retry_policy={"maximum_attempts": 1})
    job.poll_task()
    failure = application_failure("boom")
    job.call("RespondActivityTaskFailedById", activity_id=job.id, failure=failure)
    assert job.outcome().failure.message == "boom"


def test_by_an_unknown_id(client):
    with refused("NOT_FOUND", "activity not found for ID: nope", "NotFoundFailure"):
        client("RespondActivityTaskCompletedById", activity_id="nope")


# -- lists -----------------------------------------------------------------------------------------


def listed(client, query):
    return client("ListActivityExecutions", query=query).executions


def test_lists_and_counts(client):
    jobs = [Job(client) for _ in range(3)]
    kind = f"A-{uuid.uuid4().hex[:12]}"
    for job in jobs:
        job.start(activity_type={"name": kind}, retry_policy={"maximum_attempts": 1})
    jobs[0].complete(jobs[0].poll_task())
    jobs[1].fail(jobs[1].poll_task(), application_failure())
    query = f"ActivityType = '{kind}'"

    def closed():
        rows = {row.activity_id: row for row in listed(client, query)}
        states = [STATUS(rows[job.id].status) for job in jobs if job.id in rows]
        wanted = ["COMPLETED", "FAILED", "RUNNING"]
        assert states == [f"ACTIVITY_EXECUTION_STATUS_{name}" for name in wanted]
        return rows

    rows = eventually(closed)
    row = rows[jobs[0].id]
    assert (row.run_id, row.task_queue) == (jobs[0].run_id, jobs[0].queue)
    assert row.activity_type.name == kind
    assert row.HasField("close_time") and row.HasField("execution_duration")
    assert row.HasField("execution_time") and row.HasField("schedule_time")
    assert not rows[jobs[2].id].HasField("close_time")
    for condition, found in [
        (f"ActivityId = '{jobs[1].id}'", 1),
        (f"{query} AND ExecutionStatus = 'Running'", 1),
        (f"{query} AND ExecutionStatus != 'Running'", 2),
        (f"{query} AND TaskQueue = '{jobs[2].queue}'", 1),
        (f"{query} AND CloseTime IS NULL", 1),
        (f"{query} AND StartTime < '2020-01-01T00:00:00Z'", 0),
    ]:
        assert len(listed(client, condition)) == found, condition
        assert client("CountActivityExecutions", query=condition).count == found, condition
    counted = client("CountActivityExecutions", query=f"{query} GROUP BY ExecutionStatus")
    groups = {value_of(group.group_values[0]): group.count for group in counted.groups}
    assert (counted.count, groups) == (3, {"Completed": 1, "Failed": 1, "Running": 1})
    page = client("ListActivityExecutions", query=query, page_size=2)
    rest = client(
        "ListActivityExecutions", query=query, page_size=2, next_page_token=page.next_page_token
    )
    assert (len(page.executions), len(rest.executions)) == (2, 1)
    jobs[2].terminate()


def test_a_list_by_what_is_unknown(client):
    with refused("INVALID_ARGUMENT", contains="invalid search attribute: Nope", detail="any"):
        listed(client, "Nope = 1")


# -- operators' commands ---------------------------------------------------------------------------


def operate(job, rpc, **fields):
    return job.call(rpc, activity_id=job.id, **fields)


def test_pause_and_unpause(job):
    job.start()
    operate(job, "PauseActivityExecution", reason="lunch", request_id="p")
    operate(job, "PauseActivityExecution", request_id="p")
    assert job.status() == "PAUSED"
    assert job.info().run_state == common_pb2_state("PAUSED")
    with refused("FAILED_PRECONDITION", "activity is in non-pausable state Paused"):
        operate(job, "PauseActivityExecution")
    operate(job, "UnpauseActivityExecution", request_id="u")
    operate(job, "UnpauseActivityExecution", request_id="u")
    with refused("FAILED_PRECONDITION", "activity is in non-unpausable state Scheduled"):
        operate(job, "UnpauseActivityExecution")
    task = job.poll_task()
    operate(job, "PauseActivityExecution")
    assert job.heartbeat(task).activity_paused
    assert job.info().run_state == common_pb2_state("PAUSE_REQUESTED")
    job.complete(task)
    with refused("FAILED_PRECONDITION", "activity is in non-pausable state Completed"):
        operate(job, "PauseActivityExecution")
    with refused("FAILED_PRECONDITION", "activity is in terminal state Completed"):
        operate(job, "UnpauseActivityExecution")


def test_a_paused_one_is_not_tried_again(job):
    job.start(retry_policy={"initial_interval": seconds(0.1)})
    task = job.poll_task()
    operate(job, "PauseActivityExecution")
    job.fail(task, application_failure())
    assert job.status() == "PAUSED"
    assert job.info().attempt == 2
    operate(job, "UnpauseActivityExecution")
    job.complete(job.poll_task())


def test_reset(job):
    job.start(retry_policy={"initial_interval": seconds(100)})
    job.fail(job.poll_task(), application_failure())
    assert job.info().attempt == 2
    operate(job, "ResetActivityExecution")
    task = job.poll_task()
    assert task.attempt == 1
    operate(job, "ResetActivityExecution", reset_heartbeat=True, request_id="r")
    operate(job, "ResetActivityExecution", request_id="r")
    with refused("FAILED_PRECONDITION", "cannot reset an activity with a pending reset"):
        operate(job, "ResetActivityExecution")
    assert job.heartbeat(task, "x").activity_reset
    job.fail(task, application_failure())
    again = job.poll_task()
    assert (again.attempt, len(again.heartbeat_details.payloads)) == (1, 0)
    job.cancel()
    with refused("FAILED_PRECONDITION", "cannot reset an activity with a pending cancellation"):
        operate(job, "ResetActivityExecution")
    job.complete(again)
    with refused("FAILED_PRECONDITION", "activity execution is not running"):
        operate(job, "ResetActivityExecution")


def update(job, paths, options, **fields):
    return operate(
        job,
        "UpdateActivityExecutionOptions",
        update_mask={"paths": paths},
        activity_options=options,
        **fields,
    ).activity_options


def test_update_options(job, client):
    other = f"{job.queue}-other"
    job.start(schedule_to_close_timeout=seconds(50))
    options = update(
        job,
        ["task_queue.name", "startToCloseTimeout", "retry_policy.maximum_attempts", "priority"],
        {
            "task_queue": {"name": other},
            "start_to_close_timeout": seconds(20),
            "retry_policy": {"maximum_attempts": 4},
            "priority": {"priority_key": 2},
        },
    )
    assert (options.task_queue.name, options.start_to_close_timeout.seconds) == (other, 20)
    assert (options.retry_policy.maximum_attempts, options.priority.priority_key) == (4, 2)
    assert options.schedule_to_close_timeout.seconds == 50
    info = job.info()
    assert (info.task_queue, info.start_to_close_timeout.seconds) == (other, 20)
    queue, job.queue = job.queue, other
    job.complete(job.poll_task())
    job.queue = queue
    with refused(
        "FAILED_PRECONDITION", "Cannot update options for activity in state Completed"
    ):
        update(job, ["heartbeat_timeout"], {"heartbeat_timeout": seconds(1)})


def test_original_options(job):
    job.start()
    update(job, ["start_to_close_timeout"], {"start_to_close_timeout": seconds(20)})
    operate(job, "UpdateActivityExecutionOptions", restore_original=True)
    assert job.info().start_to_close_timeout.seconds == 30


def test_a_delay_is_changed(job):
    job.start(start_delay=seconds(100))
    options = update(job, ["start_delay"], {"start_delay": seconds(0.5)})
    assert options.start_delay.nanos == 500_000_000
    task = job.poll_task()
    with refused(
        "FAILED_PRECONDITION",
        "cannot update start_delay: the first activity attempt has already been dispatched",
    ):
        update(job, ["start_delay"], {"start_delay": seconds(9)})
    job.complete(task)


@pytest.mark.parametrize(
    "rpc, fields",
    [
        ("PauseActivityExecution", {}),
        ("UnpauseActivityExecution", {}),
        ("ResetActivityExecution", {}),
        ("UpdateActivityExecutionOptions", {"restore_original": True}),
    ],
)
def test_operators_commands_on_unknown_ones(client, rpc, fields):
    with refused("NOT_FOUND", "activity not found for ID: nope", "NotFoundFailure"):
        client(rpc, activity_id="nope", **fields)


def test_completing_by_id_what_is_over(job):
    job.start()
    job.complete(job.poll_task())
    with refused("FAILED_PRECONDITION", "invalid transition from Completed", detail="any"):
        job.call("RespondActivityTaskCompletedById", activity_id=job.id)


def test_the_sdk_of_the_worker_is_shown(job):
    job.start()
    says = (("client-name", "temporal-python"), ("client-version", "1.35.0"))
    queue = {"name": job.queue}
    task = job.call("PollActivityTaskQueue", timeout=10, metadata=says, task_queue=queue)
    assert task.task_token
    assert (job.info().sdk_name, job.info().sdk_version) == ("temporal-python", "1.35.0")
