"""ExecuteMultiOperation: a start and an update in one."""

import uuid

import commands as c
import pytest
import updates as u
from client import refused, seconds, values_of

ABORTED = (10, "Operation was aborted.", "MultiOperationExecutionAborted")


def operations(w, id_="u1", stage="COMPLETED", start=(), update=()):
    policy = {"workflow_id_conflict_policy": "WORKFLOW_ID_CONFLICT_POLICY_USE_EXISTING"}
    start = w.start_fields(**{**policy, "namespace": "default", **dict(start)})
    fields = u.fields(w, id_, stage, workflow_execution={"workflow_id": w.id})
    update = {"namespace": "default", **fields, **dict(update)}
    return [{"start_workflow": start}, {"update_workflow": update}]


def send(w, *args, timeout=15, **kwargs):
    return w.client.future(
        "ExecuteMultiOperation", timeout=timeout, operations=operations(w, *args, **kwargs)
    )


def parts(answer):
    start, update = answer.responses
    return start.start_workflow, update.update_workflow


def statuses(error):
    """Code, text and detail of each operation."""
    return [
        (s.code, s.message, s.details[0].type_url.rsplit(".", 1)[1] if s.details else None)
        for s in error.detail.statuses
    ]


def conflict(policy):
    return {"workflow_id_conflict_policy": "WORKFLOW_ID_CONFLICT_POLICY_" + policy}


def test_starts_and_updates(w):
    waiting = send(w)
    task = w.poll()
    (message,) = task.messages
    assert (message.protocol_instance_id, message.event_id) == ("u1", 2)
    u.complete(w, task, u.accept(task, "u1"), u.respond("u1", 5))
    start, update = parts(waiting.result())
    assert start.started
    assert start.run_id == update.update_ref.workflow_execution.run_id
    assert values_of(update.outcome.success) == [5]
    w.expect(
        """
        1 WorkflowExecutionStarted
        2 WorkflowTaskScheduled
        3 WorkflowTaskStarted
        4 WorkflowTaskCompleted
        5 WorkflowExecutionUpdateAccepted accepted_request_sequencing_event_id=2
        6 WorkflowExecutionUpdateCompleted
        """,
        run_id=start.run_id,
    )


def test_updates_the_run_that_is_there(w):
    w.begin()
    waiting = send(w)
    task = w.poll()
    assert task.workflow_execution.run_id == w.run_id
    u.complete(w, task, u.accept(task, "u1"), u.respond("u1", 5))
    start, update = parts(waiting.result())
    assert (start.started, start.run_id, start.first_execution_run_id) == (False, w.run_id, "")
    assert values_of(update.outcome.success) == [5]


def test_a_run_in_the_way(w):
    w.begin()
    with refused(
        "ALREADY_EXISTS",
        "Update-with-Start could not be executed.",
        "MultiOperationExecutionFailure",
    ) as error:
        send(w, start=conflict("FAIL")).result()
    first, second = statuses(error)
    assert (first[0], first[2]) == (6, "WorkflowExecutionAlreadyStartedFailure")
    assert second == ABORTED
    # An update that the run knows is found all the same.
    waiting = u.send(w, "u1")
    task = w.poll()
    u.complete(w, task, u.accept(task, "u1"), u.respond("u1", 5))
    waiting.result()
    start, update = parts(send(w, start=conflict("FAIL")).result())
    assert not start.started
    assert values_of(update.outcome.success) == [5]


def test_takes_the_place_of_a_run(w):
    w.begin()
    waiting = send(w, start=conflict("TERMINATE_EXISTING"))
    task = w.poll()
    assert task.workflow_execution.run_id != w.run_id
    u.complete(w, task, u.accept(task, "u1"), u.respond("u1", 5))
    start, _ = parts(waiting.result())
    assert start.started
    assert w.status(w.run_id) == "TERMINATED"


def test_a_closed_run(w):
    """Its outcome is found; another update starts another run."""
    w.begin()
    waiting = u.send(w, "u1")
    task = w.poll()
    u.complete(w, task, u.accept(task, "u1"), u.respond("u1", 5), commands=[c.complete()])
    waiting.result()
    start, update = parts(send(w).result())
    assert (start.started, start.run_id) == (False, w.run_id)
    assert values_of(update.outcome.success) == [5]
    waiting = send(w, "u2")
    task = w.poll()
    u.complete(w, task, u.reject("u2"))
    start, update = parts(waiting.result())
    assert start.started and start.run_id != w.run_id
    assert update.outcome.failure.message == "no"


def test_the_same_request_again(w):
    fields = {"request_id": uuid.uuid4().hex}
    first = send(w, start=fields)
    task = w.poll()
    second = send(w, start={**fields, **conflict("FAIL")})
    u.complete(w, task, u.accept(task, "u1"), u.respond("u1", 5))
    for waiting in (first, second):
        _, update = parts(waiting.result())
        assert values_of(update.outcome.success) == [5]


def test_a_run_that_closes_before_it_accepts(w):
    """The update is tried once more, with another run."""
    w.begin()
    waiting = send(w, timeout=20)
    task = w.poll()
    w.complete(task, c.complete())
    task = w.poll()
    assert task.workflow_execution.run_id != w.run_id
    assert [m.protocol_instance_id for m in task.messages] == ["u1"]
    u.complete(w, task, u.accept(task, "u1"), u.respond("u1", 5))
    start, update = parts(waiting.result())
    assert start.started
    assert values_of(update.outcome.success) == [5]


def test_a_new_run_that_closes_before_it_accepts(w):
    waiting = send(w)
    w.complete(w.poll(), c.complete())
    with refused(
        "NOT_FOUND",
        "Update-with-Start could not be executed.",
        "MultiOperationExecutionFailure",
    ) as error:
        waiting.result()
    assert statuses(error) == [
        (0, "", None),
        (5, "workflow update was aborted by closing workflow", "NotFoundFailure"),
    ]


def test_only_a_start_and_an_update(w):
    text = "Operations have to be exactly [Start, Update]."
    start, update = operations(w)
    for wrong in ([], [start], [update, start], [start, update, update], [start, {}]):
        with refused("INVALID_ARGUMENT", text):
            w.call("ExecuteMultiOperation", operations=wrong)


@pytest.mark.parametrize(
    "start, update, faults",
    [
        ({"cron_schedule": "* * * * *"}, {}, ("CronSchedule is not allowed.", None)),
        (
            {"request_eager_execution": True},
            {},
            ("RequestEagerExecution is not supported.", None),
        ),
        (
            {"workflow_start_delay": seconds(5)},
            {},
            ("WorkflowStartDelay is not supported.", None),
        ),
        (
            {"namespace": "other"},
            {},
            ("Operation namespace did not match request's namespace.", None),
        ),
        ({}, {"namespace": "other"}, (None, "Operation namespace did not match request's namespace.")),
        ({}, {"first_execution_run_id": "x"}, (None, "FirstExecutionRunId is not allowed.")),
        (
            {},
            {"workflow_execution": {"workflow_id": "other"}},
            (None, "WorkflowId is not consistent with previous operation(s)."),
        ),
        (
            {"workflow_type": {}},
            {"request": {}},
            ("WorkflowType is not set on request.", "Update meta is not set on request."),
        ),
    ],
    ids=["cron", "eager", "delay", "namespace", "other", "chain", "id", "both"],
)
def test_invalid_operations(w, start, update, faults):
    with refused(
        "INVALID_ARGUMENT",
        "Update-with-Start could not be executed.",
        "MultiOperationExecutionFailure",
    ) as error:
        send(w, start=start, update=update).result()
    for status, fault in zip(statuses(error), faults, strict=True):
        assert status == (ABORTED if fault is None else (3, fault, None))


def test_run_id_of_the_update(w):
    run_id = str(uuid.uuid4())
    with refused("INVALID_ARGUMENT", detail="MultiOperationExecutionFailure") as error:
        send(w, update={"workflow_execution": {"workflow_id": w.id, "run_id": run_id}}).result()
    assert statuses(error)[1] == (3, "RunId is not allowed.", None)
