"""Updates: accepted, completed, rejected, refused, polled, cut off; their speculative workflow tasks."""

import commands as c
import grpc
import history
import pytest
import updates as u
from client import eventually, refused, seconds, values_of

FAILED_BY_CLOSE = (
    "Workflow Update failed because the Workflow completed before the Update completed."
)


def sent(w, *ids, **options):
    """A workflow task that brings these updates, in this order."""
    task = w.poll(**options)
    assert [m.protocol_instance_id for m in task.messages] == list(ids)
    return task


def tail(w, text):
    """The history must end as the text says."""
    events = w.events()
    count = len(text.strip().splitlines())
    history.check(text, events[-count:])


def test_accepted_and_completed_in_one_task(w):
    w.begin()
    waiting = u.send(w, "u1", "COMPLETED", "add", 1)
    task = sent(w, "u1")
    (message,) = task.messages
    assert message.id == "u1/request"
    assert message.event_id == task.started_event_id - 1
    assert message.body.type_url == "type.googleapis.com/temporal.api.update.v1.Request"
    assert [e.event_id for e in task.history.events] == [1, 2, 3, 4, 5, 6]
    assert (task.previous_started_event_id, task.started_event_id) == (3, 6)
    accept, done = u.accept(task, "u1"), u.respond("u1", 2)
    u.complete(w, task, accept, done)
    answer = waiting.result()
    assert u.stage_of(answer) == "COMPLETED"
    assert values_of(answer.outcome.success) == [2]
    assert answer.update_ref.update_id == "u1"
    assert answer.update_ref.workflow_execution.run_id == w.run_id
    assert answer.link.workflow_event.run_id == w.run_id
    events = w.expect(
        """
        1 WorkflowExecutionStarted
        2 WorkflowTaskScheduled
        3 WorkflowTaskStarted
        4 WorkflowTaskCompleted
        5 WorkflowTaskScheduled
        6 WorkflowTaskStarted
        7 WorkflowTaskCompleted
        8 WorkflowExecutionUpdateAccepted protocol_instance_id=u1
        9 WorkflowExecutionUpdateCompleted accepted_event_id=8
        """
    )
    accepted = events[7].workflow_execution_update_accepted_event_attributes
    assert accepted.accepted_request_message_id == "u1/request"
    assert accepted.accepted_request_sequencing_event_id == 5
    assert accepted.accepted_request.input.name == "add"
    assert accepted.accepted_request.meta.identity == "client"
    completed = events[8].workflow_execution_update_completed_event_attributes
    assert completed.meta.update_id == "u1"
    assert values_of(completed.outcome.success) == [2]


def test_failed_update(w):
    w.begin()
    waiting = u.send(w, "u1")
    task = sent(w, "u1")
    u.complete(w, task, u.accept(task, "u1"), u.respond("u1", failure="boom"))
    answer = waiting.result()
    assert answer.outcome.failure.message == "boom"
    assert answer.link.HasField("workflow")


def test_wait_for_acceptance_then_poll(w):
    w.begin()
    waiting = u.send(w, "u1", "ACCEPTED")
    task = sent(w, "u1")
    u.complete(w, task, u.accept(task, "u1"), commands=[c.timer(after=0)])
    answer = waiting.result()
    assert u.stage_of(answer) == "ACCEPTED"
    assert not answer.HasField("outcome")
    looked = u.poll(w, "u1")
    assert (u.stage_of(looked), looked.HasField("outcome")) == ("ACCEPTED", False)
    ref = {"workflow_execution": w.execution(run_id=""), "update_id": "u1"}
    polled = w.client.future(
        "PollWorkflowExecutionUpdate",
        update_ref=ref,
        wait_policy={"lifecycle_stage": u.STAGE + "COMPLETED"},
    )
    u.complete(w, w.poll(), u.respond("u1", "late"))
    assert values_of(polled.result().outcome.success) == ["late"]
    assert u.stage_of(polled.result()) == "COMPLETED"
    assert polled.result().update_ref.workflow_execution.run_id == w.run_id


def test_the_same_update_again(w):
    """It attaches to the one under way, and finds the outcome, also after the close."""
    w.begin()
    first, second = u.send(w, "u1"), None
    task = sent(w, "u1")
    second = u.send(w, "u1", "ACCEPTED")
    u.complete(w, task, u.accept(task, "u1"), u.respond("u1", 7))
    assert values_of(first.result().outcome.success) == [7]
    assert values_of(second.result().outcome.success) == [7]
    assert values_of(u.send(w, "u1").result().outcome.success) == [7]
    w.terminate()
    assert values_of(u.send(w, "u1").result().outcome.success) == [7]
    assert values_of(u.poll(w, "u1", "COMPLETED").outcome.success) == [7]
    with refused("NOT_FOUND", "workflow execution already completed", "NotFoundFailure"):
        u.send(w, "u2").result()
    assert len(w.events()) == 10


def test_rejection_leaves_no_trace(w):
    w.begin()
    waiting = u.send(w, "u1", "ACCEPTED")
    task = sent(w, "u1")
    answer = u.complete(w, task, u.reject("u1", "not now"))
    assert answer.reset_history_event_id == 3
    answer = waiting.result()
    assert u.stage_of(answer) == "COMPLETED"
    assert answer.outcome.failure.message == "not now"
    assert answer.link.workflow.reason == "Update rejected"
    assert len(w.events()) == 4
    with refused("NOT_FOUND", 'update "u1" not found', "NotFoundFailure"):
        u.poll(w, "u1")


def test_rejection_with_news_is_stored(w):
    w.begin()
    w.signal("s")
    waiting = u.send(w, "u1")
    _until_admitted(w, "u1")
    task = sent(w, "u1")
    answer = u.complete(w, task, u.reject("u1"))
    assert answer.reset_history_event_id == 0
    assert waiting.result().outcome.failure.message == "no"
    tail(
        w,
        """
        5 WorkflowExecutionSignaled
        6 WorkflowTaskScheduled
        7 WorkflowTaskStarted
        8 WorkflowTaskCompleted
        """
    )


@pytest.mark.parametrize("takes_again", [False, True], ids=["stored", "vanishes"])
def test_a_task_with_earlier_events_is_stored_unless_the_worker_takes_them_again(w, takes_again):
    w.begin(c.timer("t", 60), c.marker("m"))
    waiting = u.send(w, "u1")
    task = sent(w, "u1")
    answer = u.complete(
        w,
        task,
        u.reject("u1"),
        capabilities={"discard_speculative_workflow_task_with_events": takes_again},
    )
    waiting.result()
    assert answer.reset_history_event_id == (3 if takes_again else 0)
    assert len(w.events()) == (6 if takes_again else 9)


def test_an_update_that_the_worker_ignores_is_rejected(w):
    w.begin()
    waiting = u.send(w, "u1")
    answer = w.complete(sent(w, "u1"))
    assert answer.reset_history_event_id == 3
    failure = waiting.result().outcome.failure
    assert failure.message == (
        "Workflow Update is rejected because it wasn't processed by worker. "
        "Probably, Workflow Update is not supported by the worker."
    )
    assert failure.source == "Server"
    assert failure.application_failure_info.type == "UnprocessedUpdate"
    assert failure.application_failure_info.non_retryable


def test_a_heartbeat_does_not_reject(w):
    w.begin()
    waiting = u.send(w, "u1", "ACCEPTED")
    task = sent(w, "u1")
    accept = u.accept(task, "u1")
    answer = w.complete(
        task, force_create_new_workflow_task=True, return_new_workflow_task=True
    )
    assert not answer.workflow_task.messages
    u.complete(w, answer.workflow_task, accept)
    assert u.stage_of(waiting.result()) == "ACCEPTED"


def test_sdk_reads_speculative_events_and_the_command_line_does_not(w):
    w.begin()
    waiting = u.send(w, "u1")
    task = sent(w, "u1")
    assert len(w.events()) == 6
    assert len(w.events(metadata=(("client-name", "temporal-cli"),))) == 4
    u.complete(w, task, u.reject("u1"))
    waiting.result()
    assert len(w.events()) == 4


def test_a_signal_makes_the_task_a_real_one(w):
    w.begin()
    waiting = u.send(w, "u1")
    task = sent(w, "u1")
    w.signal("s")
    u.complete(w, task, u.reject("u1"))
    waiting.result()
    tail(
        w,
        """
        5 WorkflowTaskScheduled
        6 WorkflowTaskStarted
        7 WorkflowTaskCompleted
        8 WorkflowExecutionSignaled
        9 WorkflowTaskScheduled
        """
    )


def test_a_signal_comes_after_the_schedule_of_a_waiting_speculative_task(w):
    w.begin()
    waiting = u.send(w, "u1")
    _until_task_pending(w)
    w.signal("s")
    task = sent(w, "u1")
    u.complete(w, task, u.accept(task, "u1"), u.respond("u1", 1))
    waiting.result()
    tail(
        w,
        """
        5 WorkflowTaskScheduled
        6 WorkflowExecutionSignaled
        7 WorkflowTaskStarted
        8 WorkflowTaskCompleted
        9 WorkflowExecutionUpdateAccepted
        10 WorkflowExecutionUpdateCompleted
        """
    )


def _until_task_pending(w):
    eventually(lambda: w.describe().HasField("pending_workflow_task") or None)


def test_updates_during_a_task_come_with_the_next(w):
    w.start()
    task = w.poll()
    waiting = u.send(w, "u1")
    _until_admitted(w, "u1")
    answer = w.complete(task, return_new_workflow_task=True)
    inline = answer.workflow_task
    assert [m.protocol_instance_id for m in inline.messages] == ["u1"]
    assert [e.event_id for e in inline.history.events] == [4, 5, 6]
    u.complete(w, inline, u.accept(inline, "u1"), u.respond("u1", 1))
    assert values_of(waiting.result().outcome.success) == [1]
    assert len(w.events()) == 9


def _until_admitted(w, id_):
    def look():
        try:
            return u.poll(w, id_)
        except grpc.RpcError as error:
            assert error.code() == grpc.StatusCode.NOT_FOUND
            return None

    return eventually(look)


def test_redelivered_after_a_failed_task(w):
    w.begin()
    waiting = u.send(w, "u1")
    w.fail_task(sent(w, "u1"))
    task = sent(w, "u1")
    assert task.attempt == 2
    u.complete(w, task, u.accept(task, "u1"), u.respond("u1", 1))
    assert values_of(waiting.result().outcome.success) == [1]
    tail(
        w,
        """
        5 WorkflowTaskScheduled
        6 WorkflowTaskStarted
        7 WorkflowTaskFailed
        8 WorkflowTaskScheduled attempt=2
        9 WorkflowTaskStarted
        10 WorkflowTaskCompleted
        11 WorkflowExecutionUpdateAccepted
        12 WorkflowExecutionUpdateCompleted
        """
    )


def test_no_worker_for_a_speculative_task(w):
    """After five seconds it times out, and a real one follows."""
    w.begin()
    waiting = u.send(w, "u1", timeout=30)
    w.wait_for("WorkflowTaskTimedOut")
    tail(
        w,
        """
        5 WorkflowTaskScheduled
        6 WorkflowTaskTimedOut scheduled_event_id=5 timeout_type=SCHEDULE_TO_START
        7 WorkflowTaskScheduled
        """
    )
    task = sent(w, "u1")
    u.complete(w, task, u.accept(task, "u1"), u.respond("u1", 1))
    waiting.result()


def test_refused_while_the_workflow_task_keeps_failing(w):
    w.start()
    w.fail_task(w.poll())
    w.fail_task(w.poll())
    with refused(
        "FAILED_PRECONDITION",
        "Unable to perform workflow execution update due to Workflow Task in failed state.",
        "WorkflowNotReadyFailure",
    ):
        u.send(w, "u1").result()


def test_a_bad_message_fails_the_task_and_the_updates_that_were_sent(w):
    w.begin()
    waiting = u.send(w, "u1")
    task = sent(w, "u1")
    text = (
        "BadUpdateWorkflowExecutionMessage: invalid state transition attempted for Update u1: "
        "received *update.Response message while in state Sent"
    )
    with refused("INVALID_ARGUMENT", text):
        u.complete(w, task, u.respond("u1"))
    with refused(
        "FAILED_PRECONDITION",
        "Unable to perform workflow execution update due to unexpected workflow task failure.",
        "WorkflowNotReadyFailure",
    ):
        waiting.result()
    failed = w.wait_for("WorkflowTaskFailed")
    assert failed.event_id == 7
    assert history.show(failed.workflow_task_failed_event_attributes, "cause") == (
        "BAD_UPDATE_WORKFLOW_EXECUTION_MESSAGE"
    )


def test_command_without_its_message(w):
    w.begin()
    w.signal("s")
    message = {"id": "x/accept"}
    with refused(
        "INVALID_ARGUMENT",
        "BadUpdateWorkflowExecutionMessage: "
        "ProtocolMessageCommand referenced absent message ID x/accept",
    ):
        w.complete(w.poll(), u.place(message))


def test_unknown_update_in_a_message(w):
    w.begin()
    w.signal("s")
    with refused(
        "INVALID_ARGUMENT",
        "BadUpdateWorkflowExecutionMessage: update nope wasn't found on the server. "
        "This is most likely a transient error which will be resolved automatically by retries",
    ):
        u.complete(w, w.poll(), u.respond("nope"))


def test_message_without_a_body(w):
    w.begin()
    w.signal("s")
    task = w.poll()
    with refused("INVALID_ARGUMENT", "nil message body"):
        w.complete(task, messages=[{"id": "x", "protocol_instance_id": "u1"}])
    w.complete(task)


# -- closing -------------------------------------------------------------------------------------


def test_closing_before_acceptance(w):
    w.begin()
    waiting = u.send(w, "u1")
    w.complete(sent(w, "u1"), c.complete())
    with refused(
        "NOT_FOUND", "workflow update was aborted by closing workflow", "NotFoundFailure"
    ):
        waiting.result()


def test_terminated_before_acceptance(w):
    w.begin()
    waiting = u.send(w, "u1")
    sent(w, "u1")
    w.terminate()
    with refused(
        "NOT_FOUND", "workflow update was aborted by closing workflow", "NotFoundFailure"
    ):
        waiting.result()
    tail(
        w,
        """
        5 WorkflowTaskScheduled
        6 WorkflowTaskStarted
        7 WorkflowTaskFailed cause=FORCE_CLOSE_COMMAND
        8 WorkflowExecutionTerminated
        """
    )


def test_closing_after_acceptance(w):
    w.begin()
    waiting = u.send(w, "u1")
    task = sent(w, "u1")
    u.complete(w, task, u.accept(task, "u1"), commands=[c.complete()])
    failure = waiting.result().outcome.failure
    assert failure.message == FAILED_BY_CLOSE
    assert failure.application_failure_info.type == "AcceptedUpdateCompletedWorkflow"
    again = u.send(w, "u1").result()
    assert again.outcome.failure.message == FAILED_BY_CLOSE
    assert u.stage_of(u.poll(w, "u1", "COMPLETED")) == "COMPLETED"


def test_completed_with_the_workflow(w):
    w.begin()
    waiting = u.send(w, "u1")
    task = sent(w, "u1")
    u.complete(w, task, u.accept(task, "u1"), u.respond("u1", 1), commands=[c.complete(2)])
    assert values_of(waiting.result().outcome.success) == [1]
    assert w.status() == "COMPLETED"


# -- requests ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "fields, text",
    [
        ({}, "Execution is not set on request."),
        ({"workflow_execution": {}}, "WorkflowId is not set on request."),
        ({"workflow_execution": {"workflow_id": "w", "run_id": "x"}}, "Invalid RunId."),
        ({"workflow_execution": {"workflow_id": "w"}}, "Update meta is not set on request."),
        (
            {
                "workflow_execution": {"workflow_id": "w"},
                "request": {"meta": {"update_id": "x" * 1001}},
            },
            "UpdateId length exceeds limit.",
        ),
        (
            {"workflow_execution": {"workflow_id": "w"}, "request": {"meta": {}}},
            "Update input is not set on request.",
        ),
        (
            {"workflow_execution": {"workflow_id": "w"}, "request": {"meta": {}, "input": {}}},
            "Update name is not set on request.",
        ),
    ],
    ids=["execution", "workflow", "run", "meta", "id", "input", "name"],
)
def test_invalid_requests(client, fields, text):
    with refused("INVALID_ARGUMENT", text):
        client("UpdateWorkflowExecution", **fields)


def test_waiting_for_admission_is_refused(w):
    w.start()
    with refused(
        "PERMISSION_DENIED",
        "UpdateWorkflowExecution issued asynchronously and waiting on update admitted is not supported.",
        "PermissionDeniedFailure",
    ):
        u.send(w, "u1", "ADMITTED").result()


def test_unknown_executions(w):
    with refused("NOT_FOUND", f"workflow not found for ID: {w.id}", "NotFoundFailure"):
        u.send(w, "u1").result()
    with refused("INVALID_ARGUMENT", "UpdateRef is not set on request."):
        w.call("PollWorkflowExecutionUpdate")
    w.start()
    with refused("NOT_FOUND", "workflow execution not found", "NotFoundFailure"):
        u.send(w, "u1", first_execution_run_id="11111111-1111-4111-8111-111111111111").result()
    with refused("NOT_FOUND", 'update "u1" not found', "NotFoundFailure"):
        u.poll(w, "u1", "COMPLETED")


def test_an_update_without_an_id_gets_one(w):
    w.begin()
    request = u.request("")
    waiting = w.client.future(
        "UpdateWorkflowExecution", request=request, workflow_execution=w.execution(run_id="")
    )
    task = w.poll()
    (message,) = task.messages
    id_ = message.protocol_instance_id
    assert len(id_) == 36
    u.complete(w, task, u.accept(task, id_), u.respond(id_, 1))
    answer = waiting.result()
    assert (answer.update_ref.update_id, u.stage_of(answer)) == (id_, "COMPLETED")


def test_ten_updates_in_flight(w):
    w.begin()
    waiting = [u.send(w, f"u{n}") for n in range(10)]
    for n in range(10):
        _until_admitted(w, f"u{n}")
    with refused(
        "RESOURCE_EXHAUSTED",
        "limit on number of concurrent in-flight updates has been reached (10)",
        "ResourceExhaustedFailure",
    ) as error:
        u.send(w, "u10").result()
    assert (error.detail.cause, error.detail.scope) == (2, 1)
    brought = set()
    while len(brought) < 10:
        task = w.poll()
        ids = [m.protocol_instance_id for m in task.messages]
        assert not brought.intersection(ids)
        brought.update(ids)
        u.complete(w, task, *[u.reject(id_) for id_ in ids])
    for call in waiting:
        assert call.result().outcome.failure.message == "no"


def test_the_caller_s_deadline(w):
    w.begin()
    with refused("DEADLINE_EXCEEDED", detail="any"):
        u.send(w, "u1", timeout=1).result()


def test_delayed_start(w):
    """An update does not wait for the delay."""
    w.start(workflow_start_delay=seconds(3600))
    waiting = u.send(w, "u1")
    task = sent(w, "u1")
    assert task.started_event_id == 3
    u.complete(w, task, u.accept(task, "u1"), u.respond("u1", 1))
    assert values_of(waiting.result().outcome.success) == [1]


def test_query_beside_a_speculative_task(w):
    """It goes with the task; when that vanishes unanswered, it goes on its own."""
    w.begin()
    waiting = u.send(w, "u1")
    task = sent(w, "u1")
    query = w.query_future()
    u.complete(w, task, u.reject("u1"))
    waiting.result()
    alone = w.poll()
    assert alone.query.query_type == "q"
    answer = {"completed_type": "QUERY_RESULT_TYPE_ANSWERED"}
    w.call("RespondQueryTaskCompleted", task_token=alone.task_token, **answer)
    query.result()


@pytest.mark.slow
def test_soft_timeout(w):
    """After twenty seconds the caller hears how far it is."""
    w.begin()
    answer = u.send(w, "u1", timeout=40).result()
    assert (u.stage_of(answer), answer.HasField("outcome")) == ("ADMITTED", False)
    assert answer.update_ref.workflow_execution.run_id == w.run_id


def test_invalid_polls(w):
    text = "Can't load workflow execution.  WorkflowId not set."
    with refused("INVALID_ARGUMENT", text):
        w.call("PollWorkflowExecutionUpdate", update_ref={"update_id": "u1"})
    ref = {"workflow_execution": w.execution(run_id="x"), "update_id": "u1"}
    with refused("INVALID_ARGUMENT", "RunId is not valid UUID."):
        w.call("PollWorkflowExecutionUpdate", update_ref=ref)
    with refused("NOT_FOUND", f"workflow not found for ID: {w.id}", "NotFoundFailure"):
        u.poll(w, "u1")


def test_a_request_id_leads_to_the_accepted_event(w):
    w.begin()
    request = {**u.request("u1"), "request_id": f"request-{w.id}"}
    waiting = w.client.future(
        "UpdateWorkflowExecution", request=request, workflow_execution=w.execution(run_id="")
    )
    task = sent(w, "u1")
    u.complete(w, task, u.accept(task, "u1"), u.respond("u1", 1))
    assert waiting.result().link.workflow_event.request_id_ref.request_id == request["request_id"]
    info = w.describe().workflow_extended_info.request_id_infos[request["request_id"]]
    assert (info.event_id, history.show(info, "event_type")) == (
        8,
        "WORKFLOW_EXECUTION_UPDATE_ACCEPTED",
    )


def test_a_reset_carries_an_accepted_update_over(w):
    """The new run's history admits it with its request; its worker answers without a message."""
    w.begin()
    waiting = u.send(w, "u1")
    task = sent(w, "u1")
    u.complete(w, task, u.accept(task, "u1"), u.respond("u1", 1))
    waiting.result()
    new_run = w.call(
        "ResetWorkflowExecution",
        workflow_execution=w.execution(),
        workflow_task_finish_event_id=4,
        request_id=f"reset-{w.id}",
        reason="again",
    ).run_id
    admitted = w.wait_for("WorkflowExecutionUpdateAdmitted", run_id=new_run)
    attributes = admitted.workflow_execution_update_admitted_event_attributes
    assert attributes.request.meta.update_id == "u1"
    assert history.show(attributes, "origin").endswith("REAPPLY")
    task = w.poll()
    assert not task.messages
    body = u.update.Acceptance(
        accepted_request_message_id="u1/request",
        accepted_request_sequencing_event_id=task.started_event_id - 1,
    )
    accept, done = u.said("u1", "accept", body), u.respond("u1", 2)
    u.complete(w, task, accept, done)
    assert values_of(u.poll(w, "u1", "COMPLETED", run_id=new_run).outcome.success) == [2]
    accepted = w.wait_for("WorkflowExecutionUpdateAccepted", run_id=new_run)
    attributes = accepted.workflow_execution_update_accepted_event_attributes
    assert not attributes.HasField("accepted_request")
    assert values_of(u.poll(w, "u1", "COMPLETED", run_id=w.run_id).outcome.success) == [1]
