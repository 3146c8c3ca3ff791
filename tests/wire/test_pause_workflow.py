"""A paused workflow takes what comes and gives nothing to workers."""

import commands as c
import history
from client import eventually, refused


def pause(w, **fields):
    fields.setdefault("identity", "ops")
    return w.call("PauseWorkflowExecution", workflow_id=w.id, **fields)


def unpause(w, **fields):
    fields.setdefault("identity", "ops")
    return w.call("UnpauseWorkflowExecution", workflow_id=w.id, **fields)


def test_pause_before_a_task_is_taken(w):
    w.start()
    pause(w, reason="why", request_id="p")
    w.signal("s", 1)
    w.no_task()
    w.expect(
        """
        1 WorkflowExecutionStarted
        2 WorkflowTaskScheduled
        3 WorkflowTaskFailed scheduled_event_id=2 started_event_id=- \
cause=WORKFLOW_PAUSE_REQUESTED_BEFORE_TASK_STARTED identity=history-service
        4 WorkflowExecutionPaused identity=ops reason=why request_id=p
        5 WorkflowExecutionSignaled
        """
    )
    described = w.describe()
    assert w.status() == "PAUSED"
    assert not described.HasField("pending_workflow_task")
    info = described.workflow_extended_info.pause_info
    assert (info.identity, info.reason, info.HasField("paused_time")) == ("ops", "why", True)
    fields = described.workflow_execution_info.search_attributes.indexed_fields
    shown = f'["Workflow:{w.id}","Reason:why"]'
    assert fields["TemporalPauseInfo"].data.decode() == shown
    unpause(w, reason="go", request_id="u")
    w.expect(
        """
        1 WorkflowExecutionStarted
        2 WorkflowTaskScheduled
        3 WorkflowTaskFailed
        4 WorkflowExecutionPaused
        5 WorkflowExecutionSignaled
        6 WorkflowExecutionUnpaused identity=ops reason=go request_id=u
        7 WorkflowTaskScheduled attempt=1
        """
    )
    # A worker that does not know these events goes on.
    assert [e.worker_may_ignore for e in w.events()] == [False] * 3 + [True, False, True, False]
    assert w.status() == "RUNNING"
    assert not w.describe().workflow_extended_info.HasField("pause_info")
    w.complete(w.poll(), c.complete())
    assert w.status() == "COMPLETED"


def test_pause_while_a_worker_has_a_task(w):
    w.start()
    task = w.poll()
    pause(w)
    w.signal("s", 1)
    assert w.status() == "PAUSED"
    message = "Workflow is paused and force create new workflow task is not allowed."
    with refused("FAILED_PRECONDITION", message):
        w.complete(task, force_create_new_workflow_task=True)
    w.complete(task, c.activity("a"))
    w.no_task(kind="Activity")
    w.no_task()
    w.expect(
        """
        1 WorkflowExecutionStarted
        2 WorkflowTaskScheduled
        3 WorkflowTaskStarted
        4 WorkflowTaskCompleted
        5 ActivityTaskScheduled
        6 WorkflowExecutionPaused
        7 WorkflowExecutionSignaled
        """
    )
    unpause(w)
    assert w.poll_activity().activity_id == "a"
    assert w.poll().attempt == 1


def test_activities_wait_for_the_end_of_the_pause(w):
    w.begin(c.activity("a"), c.activity("b"))
    task = w.poll_activity()
    pause(w)
    w.no_task(kind="Activity")
    # What a worker has already, it may finish.
    w.complete_activity(task, 1)
    w.no_task()
    unpause(w)
    other = w.poll_activity()
    assert {task.activity_id, other.activity_id} == {"a", "b"}
    w.complete(w.poll())


def test_timers_fire_meanwhile(w):
    w.begin(c.timer("t", 1))
    pause(w)
    w.wait_for("TimerFired")
    w.no_task()
    unpause(w)
    w.complete(w.poll(), c.complete())


def test_queries_are_rejected(w):
    w.begin()
    pause(w)
    answer = w.query()
    assert history.show(answer, "query_rejected.status") == "PAUSED"


def test_pause_and_unpause_once(w):
    w.start()
    with refused("FAILED_PRECONDITION", "workflow is not paused."):
        unpause(w)
    pause(w, request_id="p")
    pause(w, request_id="p")
    with refused("FAILED_PRECONDITION", "workflow is already paused."):
        pause(w, request_id="q")
    w.terminate()
    assert w.status() == "TERMINATED"
    for call in (pause, unpause):
        with refused("NOT_FOUND", "workflow execution already completed", "NotFoundFailure"):
            call(w)


def test_paused_workflows_are_listed(w):
    w.start()
    pause(w)

    def listed():
        query = f"WorkflowId = '{w.id}' AND ExecutionStatus = 'Paused'"
        return w.call("ListWorkflowExecutions", query=query).executions or None

    found = eventually(listed)
    assert [e.execution.workflow_id for e in found] == [w.id]


def test_what_is_checked(w):
    w.start()
    for rpc in ("PauseWorkflowExecution", "UnpauseWorkflowExecution"):
        with refused("INVALID_ARGUMENT", "Can't load workflow execution.  WorkflowId not set."):
            w.call(rpc)
        with refused("INVALID_ARGUMENT", "RunId is not valid UUID."):
            w.call(rpc, workflow_id=w.id, run_id="x")
        with refused("NOT_FOUND", "workflow not found for ID: nope", "NotFoundFailure"):
            w.call(rpc, workflow_id="nope")
        for field, name in (
            ("reason", "reason"),
            ("request_id", "request id"),
            ("identity", "identity"),
        ):
            with refused("INVALID_ARGUMENT", f"{name} is too long."):
                w.call(rpc, workflow_id=w.id, **{field: "x" * 1001})


def test_the_namespace_says_that_it_can(w):
    info = w.call("DescribeNamespace").namespace_info
    assert info.capabilities.workflow_pause


def test_close_event_of_a_paused_workflow_is_its_newest_event(w):
    """The command line describes a paused workflow with it."""
    w.begin()
    pause(w)
    page = w.call(
        "GetWorkflowExecutionHistory",
        execution=w.execution(),
        history_event_filter_type="HISTORY_EVENT_FILTER_TYPE_CLOSE_EVENT",
    )
    assert history.names(page.history.events) == ["WorkflowExecutionPaused"]


def test_a_start_that_uses_a_paused_run_is_told_that_it_runs(w):
    w.start()
    pause(w)
    answer = w.start(workflow_id_conflict_policy="WORKFLOW_ID_CONFLICT_POLICY_USE_EXISTING")
    assert not answer.started and answer.run_id == w.run_id
    field = answer.DESCRIPTOR.fields_by_name["status"]
    assert history.enum_name(field.enum_type, answer.status) == "RUNNING"
