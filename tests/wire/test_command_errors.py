"""Commands that are refused: which fail the workflow task and which leave it started."""

import commands as c
import history
import pytest
from client import payload, payloads, refused, seconds

STARTED = """
    1 WorkflowExecutionStarted
    2 WorkflowTaskScheduled
    3 WorkflowTaskStarted
"""


def refuse(w, cause, message, *commands, detail=None):
    """The completion is refused, and the failure is in the history with the same text."""
    w.start()
    task = w.poll()
    with refused("INVALID_ARGUMENT", message, detail):
        w.complete(task, *commands)
    failed = w.expect(
        STARTED
        + f"""
        4 WorkflowTaskFailed cause={cause} scheduled_event_id=2 started_event_id=3 identity=worker
        5 WorkflowTaskScheduled attempt=2
    """
    )[3]
    failure = history.attributes(failed).failure
    assert failure.message == message
    assert failure.HasField("server_failure_info")
    assert w.poll().attempt == 2


# -- activities ------------------------------------------------------------------------------------

BAD_ACTIVITY = "BAD_SCHEDULE_ACTIVITY_ATTRIBUTES"


@pytest.mark.parametrize(
    "command, message",
    [
        (
            c.activity("a", start_to_close=None),
            "BadScheduleActivityAttributes: a valid StartToCloseTimeout or ScheduleToCloseTimeout "
            "must be set on the activity. ActivityId=a ActivityType=A",
        ),
        (c.activity(""), "BadScheduleActivityAttributes: activityId is not set"),
        (
            c.activity("a", type_=""),
            "BadScheduleActivityAttributes: activityType is not set",
        ),
        (
            c.activity("x" * 1001),
            "BadScheduleActivityAttributes: activityId exceeds length limit. "
            "Length=1001 Limit=1000",
        ),
        (
            c.activity("a", retry_policy={"backoff_coefficient": 0.5}),
            "BadScheduleActivityAttributes: BackoffCoefficient cannot be less than 1 on "
            "retry policy.",
        ),
        (
            c.activity("a", retry_policy={"maximum_attempts": -1}),
            "BadScheduleActivityAttributes: MaximumAttempts cannot be negative on retry policy.",
        ),
        (
            c.activity(
                "a",
                retry_policy={
                    "initial_interval": seconds(10),
                    "maximum_interval": seconds(5),
                },
            ),
            "BadScheduleActivityAttributes: MaximumInterval cannot be less than InitialInterval "
            "on retry policy.",
        ),
        (
            c.activity("a", retry_policy={"non_retryable_error_types": ["TemporalTimeout:X"]}),
            "BadScheduleActivityAttributes: Invalid timeout type value: X.",
        ),
        (
            c.activity("a", start_to_close=-1),
            "BadScheduleActivityAttributes: invalid StartToCloseTimeout: negative duration",
        ),
        (
            c.activity("a", heartbeat_timeout=seconds(-1)),
            "BadScheduleActivityAttributes: invalid HeartbeatTimeout: negative duration",
        ),
        (
            c.activity("a", priority={"priority_key": -1}),
            "BadScheduleActivityAttributes: invalid priorities: priority key can't be negative",
        ),
        (
            c.activity("a", priority={"fairness_key": "k" * 65}),
            "BadScheduleActivityAttributes: invalid priorities: fairness key length exceeds limit",
        ),
    ],
)
def test_bad_activity(w, command, message):
    refuse(w, BAD_ACTIVITY, message, command)


def test_activity_without_a_queue(w):
    refuse(
        w,
        BAD_ACTIVITY,
        "BadScheduleActivityAttributes: missing task queue name",
        c.activity("a", queue=""),
    )


def test_activity_on_a_long_queue(w):
    refuse(
        w,
        BAD_ACTIVITY,
        "BadScheduleActivityAttributes: taskQueue length exceeds limit",
        c.activity("a", queue="q" * 1001),
    )


def test_activity_without_attributes(w):
    refuse(
        w,
        BAD_ACTIVITY,
        "BadScheduleActivityAttributes: ScheduleActivityTaskCommandAttributes is not set on "
        "ScheduleActivityTaskCommand.",
        {"command_type": "COMMAND_TYPE_SCHEDULE_ACTIVITY_TASK"},
    )


def test_duplicate_activity_id(w):
    refuse(
        w,
        "SCHEDULE_ACTIVITY_DUPLICATE_ID",
        "ScheduleActivityDuplicateId: invalid history builder state for action: "
        "add-activitytask-scheduled-event, ActivityID: a",
        c.activity("a"),
        c.activity("a"),
    )


def test_cancel_of_an_unknown_activity(w):
    refuse(
        w,
        "BAD_REQUEST_CANCEL_ACTIVITY_ATTRIBUTES",
        "BadRequestCancelActivityAttributes: invalid history builder state for action: "
        "add-activitytask-cancel-requested-event, ScheduledEventID: 77",
        c.cancel_activity(77),
    )


def test_cancel_of_no_activity(w):
    refuse(
        w,
        "BAD_REQUEST_CANCEL_ACTIVITY_ATTRIBUTES",
        "BadRequestCancelActivityAttributes: ScheduledEventId is not set on "
        "RequestCancelActivityTaskCommand.",
        c.cancel_activity(0),
    )


def test_second_cancel_of_an_activity(w):
    w.begin(c.activity("a"))
    w.poll_activity()
    w.signal("s")
    w.step(c.cancel_activity(5))
    w.signal("s")
    with refused("INVALID_ARGUMENT", prefix="BadRequestCancelActivityAttributes: "):
        w.complete(w.poll(), c.cancel_activity(5))


# -- timers and markers ----------------------------------------------------------------------------


@pytest.mark.parametrize(
    "command, message",
    [
        (c.timer("", after=1), "BadStartTimerAttributes: TimerId is not set on StartTimerCommand."),
        (
            c.timer("x" * 1001),
            "BadStartTimerAttributes: TimerId on StartTimerCommand exceeds length limit. "
            f"TimerId={'x' * 1001} Length=1001 Limit=1000",
        ),
        (
            c.timer("t", after=-1),
            "BadStartTimerAttributes: An invalid StartToFireTimeout is set on StartTimerCommand: "
            "negative duration. TimerId=t",
        ),
        (
            {"command_type": "COMMAND_TYPE_START_TIMER"},
            "BadStartTimerAttributes: StartTimerCommandAttributes is not set on StartTimerCommand.",
        ),
    ],
)
def test_bad_timer(w, command, message):
    refuse(w, "BAD_START_TIMER_ATTRIBUTES", message, command)


def test_duplicate_timer_id(w):
    refuse(
        w,
        "START_TIMER_DUPLICATE_ID",
        "StartTimerDuplicateId: invalid history builder state for action: "
        "add-timer-started-event, TimerID: t",
        c.timer("t"),
        c.timer("t"),
    )


def test_cancel_of_an_unknown_timer(w):
    refuse(
        w,
        "BAD_CANCEL_TIMER_ATTRIBUTES",
        "BadCancelTimerAttributes: invalid history builder state for action: "
        "add-timer-canceled-event, TimerID: t",
        c.cancel_timer("t"),
    )


def test_cancel_timer_without_an_id(w):
    refuse(
        w,
        "BAD_CANCEL_TIMER_ATTRIBUTES",
        "BadCancelTimerAttributes: TimerId is not set on CancelTimerCommand.",
        c.cancel_timer(""),
    )


def test_marker_with_a_long_name(w):
    refuse(
        w,
        "BAD_RECORD_MARKER_ATTRIBUTES",
        "BadRecordMarkerAttributes: MarkerName on RecordMarkerCommand exceeds length limit. "
        f"MarkerName={'m' * 1001} Length=1001 Limit=1000",
        c.marker("m" * 1001),
    )


def test_marker_without_a_name(w):
    refuse(
        w,
        "BAD_RECORD_MARKER_ATTRIBUTES",
        "BadRecordMarkerAttributes: MarkerName is not set on RecordMarkerCommand.",
        c.marker(""),
    )


# -- closing commands ------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "type_, cause",
    [
        ("COMPLETE_WORKFLOW_EXECUTION", "BAD_COMPLETE_WORKFLOW_EXECUTION_ATTRIBUTES"),
        ("FAIL_WORKFLOW_EXECUTION", "BAD_FAIL_WORKFLOW_EXECUTION_ATTRIBUTES"),
        ("CANCEL_WORKFLOW_EXECUTION", "BAD_CANCEL_WORKFLOW_EXECUTION_ATTRIBUTES"),
        ("CONTINUE_AS_NEW_WORKFLOW_EXECUTION", "BAD_CONTINUE_AS_NEW_ATTRIBUTES"),
    ],
)
def test_closing_command_without_attributes(w, type_, cause):
    words = history.camel(type_)
    short = history.camel(cause)
    refuse(
        w,
        cause,
        f"{short}: {words}CommandAttributes is not set on {words}Command.",
        {"command_type": "COMMAND_TYPE_" + type_},
    )


def test_fail_without_a_failure(w):
    refuse(
        w,
        "BAD_FAIL_WORKFLOW_EXECUTION_ATTRIBUTES",
        "BadFailWorkflowExecutionAttributes: Failure is not set on FailWorkflowExecutionCommand.",
        {
            "command_type": "COMMAND_TYPE_FAIL_WORKFLOW_EXECUTION",
            "fail_workflow_execution_command_attributes": {},
        },
    )


@pytest.mark.parametrize(
    "fields, message",
    [
        (
            {"workflow_run_timeout": seconds(-1)},
            "Invalid WorkflowRunTimeout on ContinueAsNewWorkflowExecutionCommand: negative "
            'duration. WorkflowType=T TaskQueue=name:"QUEUE"',
        ),
        (
            {"workflow_task_timeout": seconds(-1)},
            "Invalid WorkflowTaskTimeout on ContinueAsNewWorkflowExecutionCommand: negative "
            'duration. WorkflowType=T TaskQueue=name:"QUEUE"',
        ),
        (
            {"retry_policy": {"maximum_attempts": -1}},
            "invalid WorkflowRetryPolicy on ContinueAsNewWorkflowExecutionCommand: "
            "MaximumAttempts cannot be negative on retry policy.. WorkflowType=T "
            'TaskQueue=name:"QUEUE"',
        ),
        (
            {"type_": "T" * 1001},
            "WorkflowType on ContinueAsNewWorkflowExecutionCommand exceeds length limit. "
            f"WorkflowType={'T' * 1001} Length=1001 Limit=1000",
        ),
        (
            {"task_queue": {"name": "q" * 1001}},
            "error validating ContinueAsNewWorkflowExecutionCommand TaskQueue: "
            "taskQueue length exceeds limit.",
        ),
    ],
)
def test_bad_continue_as_new(w, fields, message):
    w.start()
    message = message.replace("QUEUE", w.queue)
    with refused("INVALID_ARGUMENT", prefix="BadContinueAsNewAttributes: " + message) as error:
        w.complete(w.poll(), c.continue_as_new(**fields))
    failed = w.events()[3].workflow_task_failed_event_attributes
    assert history.show(failed, "cause") == "BAD_CONTINUE_AS_NEW_ATTRIBUTES"
    assert failed.failure.message == error.message


# -- children and external workflows ---------------------------------------------------------------

BAD_CHILD = "BAD_START_CHILD_EXECUTION_ATTRIBUTES"
BAD_SIGNAL = "BAD_SIGNAL_WORKFLOW_EXECUTION_ATTRIBUTES"
BAD_CANCEL = "BAD_REQUEST_CANCEL_EXTERNAL_WORKFLOW_EXECUTION_ATTRIBUTES"
LONG = "x" * 1001


@pytest.mark.parametrize(
    "command, message",
    [
        (
            c.child(""),
            "Required field WorkflowId is not set on StartChildWorkflowExecutionCommand. "
            "WorkflowType=T Namespace=default",
        ),
        (
            c.child("x", type_=""),
            "Required field WorkflowType is not set on StartChildWorkflowExecutionCommand. "
            "WorkflowId=x Namespace=default",
        ),
        (
            c.child(LONG),
            "WorkflowId on StartChildWorkflowExecutionCommand exceeds length limit. "
            f"WorkflowId={LONG} Length=1001 Limit=1000 WorkflowType=T Namespace=default",
        ),
        (
            c.child("x", type_=LONG),
            "WorkflowType on StartChildWorkflowExecutionCommand exceeds length limit. "
            f"WorkflowId=x WorkflowType={LONG} Length=1001 Limit=1000 Namespace=default",
        ),
        (
            c.child("x", cron_schedule="zz"),
            "invalid CronSchedule on StartChildWorkflowExecutionCommand: invalid CronSchedule.. "
            "WorkflowId=x WorkflowType=T Namespace=default",
        ),
        (
            c.child("x", retry_policy={"maximum_attempts": -1}),
            "invalid WorkflowRetryPolicy on StartChildWorkflowExecutionCommand: MaximumAttempts "
            "cannot be negative on retry policy.. WorkflowId=x WorkflowType=T Namespace=default",
        ),
        (
            c.child("x", workflow_run_timeout=seconds(-1)),
            "Invalid WorkflowRunTimeout on StartChildWorkflowExecutionCommand: negative duration. "
            "WorkflowId=x WorkflowType=T Namespace=default",
        ),
        (c.child("x", priority={"priority_key": -1}), "priority key can't be negative"),
        (c.child("x", namespace="temporal-system"), "cross namespace commands are not allowed"),
        (
            c.child("x", versioning_override={"pinned": {}}),
            "must provide version if override is pinned.",
        ),
        (c.child("x", versioning_override={}), "override behavior is required"),
    ],
)
def test_bad_child(w, command, message):
    refuse(w, BAD_CHILD, "BadStartChildExecutionAttributes: " + message, command)


@pytest.mark.parametrize(
    "command, message",
    [
        (
            c.signal_external(""),
            "WorkflowId is not set on SignalExternalWorkflowExecutionCommand. Namespace= RunId= "
            "SignalName=s",
        ),
        (
            c.signal_external("x", name=""),
            "SignalName is not set on SignalExternalWorkflowExecutionCommand. WorkflowId=x "
            "Namespace= RunId=",
        ),
        (
            c.signal_external("x", run_id="no"),
            "Invalid RunId set on SignalExternalWorkflowExecutionCommand. WorkflowId=x Namespace= "
            "RunId=no SignalName=s",
        ),
        (
            c.signal_external(LONG),
            "WorkflowId on SignalExternalWorkflowExecutionCommand exceeds length limit. "
            f"WorkflowId={LONG} Length=1001 Limit=1000 Namespace= RunId= SignalName=s",
        ),
        (
            c.signal_external("x", namespace="temporal-system"),
            "cross namespace commands are not allowed",
        ),
    ],
)
def test_bad_external_signal(w, command, message):
    refuse(w, BAD_SIGNAL, "BadSignalWorkflowExecutionAttributes: " + message, command)


@pytest.mark.parametrize(
    "command, message",
    [
        (
            c.cancel_external(""),
            "WorkflowId is not set on RequestCancelExternalWorkflowExecutionCommand. "
            "Namespace= RunId=",
        ),
        (
            c.cancel_external("x", run_id="no"),
            "Invalid RunId set on RequestCancelExternalWorkflowExecutionCommand. WorkflowId=x "
            "RunId=no Namespace=",
        ),
        (
            c.cancel_external("x", namespace="temporal-system"),
            "cross namespace commands are not allowed",
        ),
    ],
)
def test_bad_external_cancel(w, command, message):
    message = "BadRequestCancelExternalWorkflowExecutionAttributes: " + message
    refuse(w, BAD_CANCEL, message, command)


def test_start_and_cancel_of_one_child_in_one_task(w):
    w.start()
    child = w.id + "-child"
    with refused("INVALID_ARGUMENT", contains=child):
        w.complete(w.poll(), c.child(child), c.cancel_external(child, child_workflow_only=True))
    failed = w.events()[3].workflow_task_failed_event_attributes
    assert history.show(failed, "cause") == BAD_CANCEL


# -- search attributes -----------------------------------------------------------------------------


UNKNOWN = {"search_attributes": {"indexed_fields": {"Nope": payload("x")}}}


@pytest.mark.parametrize(
    "command, message",
    [
        (
            c.upsert(Nope=payload("x")),
            "Namespace default has no mapping defined for search attribute Nope",
        ),
        (
            c.upsert(ExecutionStatus=payload("x")),
            "ExecutionStatus attribute can't be set in SearchAttributes",
        ),
        (c.upsert(), "IndexedFields is not set on UpsertWorkflowSearchAttributesCommand."),
        (
            c.continue_as_new(**UNKNOWN),
            "Namespace default has no mapping defined for search attribute Nope",
        ),
        (
            c.child("x", **UNKNOWN),
            "Namespace default has no mapping defined for search attribute Nope",
        ),
    ],
)
def test_bad_search_attributes(w, command, message):
    refuse(w, "BAD_SEARCH_ATTRIBUTES", "BadSearchAttributes: " + message, command)


def test_memo_change_of_nothing(w):
    refuse(
        w,
        "BAD_MODIFY_WORKFLOW_PROPERTIES_ATTRIBUTES",
        "BadModifyWorkflowPropertiesAttributes: UpsertedMemo.Fields is not set on "
        "ModifyWorkflowPropertiesCommand.",
        c.modify_memo(),
    )


# -- what leaves the task started ------------------------------------------------------------------


def left_started(w, task):
    """The refusal wrote nothing, and the worker may complete the task after all."""
    w.expect(STARTED)
    w.complete(task, c.complete())
    assert w.status() == "COMPLETED"


def test_command_after_a_close(w):
    w.start()
    task = w.poll()
    message = (
        "invalid command sequence: [CompleteWorkflowExecution, StartTimer], "
        "command CompleteWorkflowExecution must be the last command."
    )
    with refused("INVALID_ARGUMENT", message):
        w.complete(task, c.complete(), c.timer())
    left_started(w, task)


def test_unknown_command_type(w):
    w.start()
    task = w.poll()
    with refused("INVALID_ARGUMENT", "unknown command type: Unspecified"):
        w.complete(task, {"command_type": 0})
    left_started(w, task)


@pytest.mark.parametrize(
    "command",
    [
        c.child("x", namespace="no-such-namespace"),
        c.signal_external("x", namespace="no-such-namespace"),
        c.cancel_external("x", namespace="no-such-namespace"),
    ],
)
def test_command_to_an_unknown_namespace(w, command):
    w.start()
    task = w.poll()
    message = "Namespace no-such-namespace is not found."
    with refused("NOT_FOUND", message, "NamespaceNotFoundFailure"):
        w.complete(task, command)
    left_started(w, task)


def test_bad_command_on_a_second_attempt(w):
    """Nothing is written: the task stays started until it times out."""
    w.start(workflow_task_timeout=seconds(1))
    w.fail_task(w.poll())
    task = w.poll()
    with refused("INVALID_ARGUMENT", prefix="BadStartTimerAttributes: "):
        w.complete(task, c.timer(""))
    assert w.describe().workflow_execution_info.history_length == 4
    assert w.poll().attempt == 3


def test_one_bad_command_undoes_the_good_ones(w):
    w.start()
    with refused("INVALID_ARGUMENT", prefix="BadCancelTimerAttributes: "):
        w.complete(w.poll(), c.timer("t"), c.activity("a"), c.cancel_timer("zz"))
    w.expect(
        STARTED
        + """
        4 WorkflowTaskFailed
        5 WorkflowTaskScheduled
    """
    )
    w.no_task(kind="Activity")
    w.step(c.timer("t"), c.activity("a"))


# -- closing with something buffered ---------------------------------------------------------------


@pytest.mark.parametrize(
    "command",
    [c.complete(), c.fail(), c.cancel(), c.continue_as_new()],
    ids=lambda x: x["command_type"],
)
def test_close_with_a_buffered_event(w, command):
    w.start()
    task = w.poll()
    w.signal("s")
    with refused("INVALID_ARGUMENT", "UnhandledCommand"):
        w.complete(task, command)
    w.expect(
        STARTED
        + """
        4 WorkflowTaskFailed cause=UNHANDLED_COMMAND failure.message=UnhandledCommand
        5 WorkflowExecutionSignaled
        6 WorkflowTaskScheduled attempt=1
    """
    )
    w.step(c.complete())
    assert w.status() == "COMPLETED"


def test_buffered_signal_after_a_failed_close_does_not_starve_it(w):
    """While the retry of a failed close is started, new signals wait."""
    w.start()
    task = w.poll()
    w.signal("s")
    with refused("INVALID_ARGUMENT", "UnhandledCommand"):
        w.complete(task, c.complete())
    task = w.poll()
    message = "workflow operation can not be applied because workflow is closing"
    with refused("RESOURCE_EXHAUSTED", message, "ResourceExhaustedFailure") as error:
        w.signal("late", timeout=3)
    assert history.show(error.detail, "cause") == "BUSY_WORKFLOW"
    w.complete(task, c.complete())


# -- sizes -----------------------------------------------------------------------------------------

BIG = "x" * (2 * 1024 * 1024 + 1)


@pytest.mark.parametrize(
    "command, cause, message",
    [
        (
            c.activity("a", input=payloads(BIG)),
            BAD_ACTIVITY,
            "BadScheduleActivityAttributes: ScheduleActivityTaskCommandAttributes.Input exceeds "
            "size limit.",
        ),
        (
            c.marker("m", k=BIG),
            "BAD_RECORD_MARKER_ATTRIBUTES",
            "BadRecordMarkerAttributes: RecordMarkerCommandAttributes.Details exceeds size limit.",
        ),
        (
            c.complete(BIG),
            BAD_ACTIVITY,
            "BadScheduleActivityAttributes: CompleteWorkflowExecutionCommandAttributes.Result "
            "exceeds size limit.",
        ),
    ],
    ids=["activity", "marker", "complete"],
)
def test_oversized_blob_ends_the_workflow(w, command, cause, message):
    w.start()
    with refused("INVALID_ARGUMENT", message):
        w.complete(w.poll(), command)
    w.expect(
        STARTED
        + f"""
        4 WorkflowTaskFailed cause={cause} failure.message="{message}"
        5 WorkflowExecutionTerminated reason="{message}" identity=history-service
    """
    )


def test_two_blobs_below_the_limit(w):
    blob = "x" * 1_900_000
    w.begin(c.activity("a", input=payloads(blob)), c.activity("b", input=payloads(blob)))
    assert len(w.events()) == 6
