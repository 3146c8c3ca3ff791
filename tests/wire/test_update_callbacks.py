"""Completion callbacks of updates: a Nexus operation that is an update of a workflow. The reference has them behind
switches."""

import commands as c
import history
import nexus
import pytest
import updates as u
from client import eventually, refused, value_of

pytestmark = pytest.mark.ours


@pytest.fixture
def operations(w2):
    """Tasks of operations that a caller's workflow waits for."""
    endpoint = nexus.endpoint(w2)
    w2.begin(*[nexus.schedule(endpoint) for _ in range(3)])
    return [nexus.poll(w2) for _ in range(3)]


def send(w, task, id_="u", request_id=None, stage="ACCEPTED", **more):
    request = u.request(id_)
    request["completion_callbacks"] = [nexus.callback(task)]
    request["request_id"] = request_id or task.request.start_operation.request_id
    return w.client.future(
        "UpdateWorkflowExecution",
        request=request,
        workflow_execution=w.execution(run_id=""),
        wait_policy={"lifecycle_stage": u.STAGE + stage},
        **more,
    )


def callbacks(w, state):
    """The callbacks, once all are in this state."""

    def look():
        found = w.describe().callbacks
        names = {callback.DESCRIPTOR.fields_by_name["state"].enum_type for callback in found}
        (enum,) = names
        wanted = enum.values_by_name[f"CALLBACK_STATE_{state}"].number
        assert all(callback.state == wanted for callback in found), found
        return found

    return eventually(look)


def results(w2):
    """How the caller's operations ended, by what was scheduled."""
    found = {}
    for event in w2.events():
        attributes = history.attributes(event)
        name = history.event_name(event)
        if name == "NexusOperationCompleted":
            found[attributes.request_id] = value_of(attributes.result)
        elif name == "NexusOperationFailed":
            found[attributes.request_id] = attributes.failure.cause
    return found


def request_id(task):
    return task.request.start_operation.request_id


def test_everybody_who_waits_hears_the_end(w, w2, operations):
    first, second, third = operations
    w.begin()
    sent = send(w, first)
    task = w.poll()
    again = send(w, second)
    u.complete(w, task, u.accept(task, "u"))
    assert u.stage_of(sent.result()) == u.stage_of(again.result()) == "ACCEPTED"
    assert u.stage_of(send(w, third).result()) == "ACCEPTED"
    assert u.stage_of(send(w, third).result()) == "ACCEPTED"
    found = callbacks(w, "STANDBY")
    assert [cb.trigger.update_workflow_execution_completed.update_id for cb in found] == ["u"] * 3
    options = [
        history.attributes(event).workflow_update_options
        for event in w.events()
        if history.event_name(event) == "WorkflowExecutionOptionsUpdated"
    ]
    attached = [update.attached_request_id for (update,) in options]
    assert attached == [request_id(second), request_id(third)]
    w.signal("s")
    u.complete(w, w.poll(), u.respond("u", "done"))
    eventually(lambda: len(results(w2)) == 3 or None)
    assert set(results(w2).values()) == {"done"}
    callbacks(w, "SUCCEEDED")
    # The workflow goes on, and closes like any other.
    w.signal("s")
    w.complete(w.poll(), c.complete("end"))
    callbacks(w, "SUCCEEDED")


def test_a_failure(w, w2, operations):
    w.begin()
    sent = send(w, operations[0])
    task = w.poll()
    u.complete(w, task, u.accept(task, "u"), u.respond("u", failure="boom"))
    sent.result()
    eventually(lambda: results(w2) or None)
    assert results(w2)[request_id(operations[0])].message == "boom"


def test_the_end_of_the_run_cuts_it_off(w, w2, operations):
    w.begin()
    sent = send(w, operations[0])
    task = w.poll()
    u.complete(w, task, u.accept(task, "u"))
    sent.result()
    w.terminate()
    eventually(lambda: results(w2) or None)
    cause = results(w2)[request_id(operations[0])]
    assert cause.application_failure_info.type == "AcceptedUpdateCompletedWorkflow"


def test_a_reset_carries_it_over(w, w2, operations):
    w.begin()
    sent = send(w, operations[0])
    task = w.poll()
    u.complete(w, task, u.accept(task, "u"))
    sent.result()
    new = w.call(
        "ResetWorkflowExecution",
        workflow_execution=w.execution(),
        workflow_task_finish_event_id=4,
        request_id="reset",
        reason="why",
    ).run_id
    assert len(w.describe(run_id=new).callbacks) == 1
    task = w.poll()
    body = u.update.Acceptance(
        accepted_request_message_id="u/request",
        accepted_request_sequencing_event_id=task.started_event_id - 1,
    )
    accept = u.said("u", "accept", body)
    u.complete(w, task, accept, u.respond("u", "later"))
    eventually(lambda: results(w2) or None)
    assert results(w2) == {request_id(operations[0]): "later"}


def test_what_is_refused(w, operations):
    w.begin()
    sent = send(w, operations[0])
    task = w.poll()
    u.complete(w, task, u.accept(task, "u"))
    sent.result()
    request = u.request("u")
    request["completion_callbacks"] = [nexus.callback(operations[1])]
    text = "invalid *update.Request: request_id is required when completion_callbacks are set"
    execution = w.execution(run_id="")
    with refused("INVALID_ARGUMENT", text):
        w.call("UpdateWorkflowExecution", request=request, workflow_execution=execution)
    request["request_id"] = "r"
    request["completion_callbacks"] = [{"nexus": {"url": "ftp://example.com"}}]
    with refused("INVALID_ARGUMENT", prefix="invalid url: unknown scheme"):
        w.call("UpdateWorkflowExecution", request=request, workflow_execution=execution)
