"""Queries: direct, carried by a workflow task, rejected, failed, of closed runs."""

import commands as c
import grpc
import history
import pytest
from client import eventually, payload, payloads, refused, seconds, values_of

REJECT = "QUERY_REJECT_CONDITION_"
ANSWERED, FAILED = "QUERY_RESULT_TYPE_ANSWERED", "QUERY_RESULT_TYPE_FAILED"


def answer(w, task, *values, **fields):
    """Answers a query-only task."""
    fields.setdefault("completed_type", ANSWERED)
    if values:
        fields["query_result"] = payloads(*values)
    return w.call("RespondQueryTaskCompleted", task_token=task.task_token, **fields)


def test_direct_query(w):
    w.begin(c.timer())
    waiting = w.query_future("state", 1, "two")
    task = w.poll()
    assert task.query.query_type == "state"
    assert values_of(task.query.query_args) == [1, "two"]
    assert not task.queries
    assert (task.started_event_id, task.previous_started_event_id) == (0, 3)
    assert task.attempt == 1
    assert task.workflow_execution.run_id == w.run_id
    assert [e.event_id for e in task.history.events] == [1, 2, 3, 4, 5]
    answer(w, task, "fine")
    result = waiting.result()
    assert values_of(result.query_result) == ["fine"]
    assert not result.HasField("query_rejected")


def test_query_leaves_no_event(w):
    w.begin(c.timer())
    waiting = w.query_future()
    answer(w, w.poll(), "x")
    waiting.result()
    assert len(w.events()) == 5


def test_query_header_is_delivered(w):
    w.begin()
    query = {"query_type": "q", "header": {"fields": {"h": payload(1)}}}
    waiting = w.client.future("QueryWorkflow", execution=w.execution(), query=query)
    task = w.poll()
    assert task.query.header.fields["h"].data == b"1"
    answer(w, task)
    waiting.result()


def test_query_of_a_named_run(w):
    w.begin()
    waiting = w.query_future(execution=w.execution())
    answer(w, w.poll(), "named")
    assert values_of(waiting.result().query_result) == ["named"]


def test_failed_query(w):
    w.begin()
    waiting = w.query_future()
    failure = {"message": "boom", "application_failure_info": {"type": "X"}}
    answer(w, w.poll(), completed_type=FAILED, error_message="the worker's text", failure=failure)
    with refused("INVALID_ARGUMENT", "the worker's text", "QueryFailedFailure") as error:
        waiting.result()
    assert error.detail.failure.message == "boom"
    assert error.detail.failure.application_failure_info.type == "X"


def test_query_waits_for_the_pending_workflow_task(w):
    """It is carried by the task and answered with its completion."""
    w.begin()
    w.signal("s")
    waiting = w.query_future("state", "arg")
    task = eventually(lambda: poll_with_query(w))
    ((query_id, query),) = task.queries.items()
    assert query.query_type == "state"
    assert values_of(query.query_args) == ["arg"]
    assert not task.HasField("query")
    result = {"result_type": ANSWERED, "answer": payloads("carried")}
    w.complete(task, query_results={query_id: result})
    assert values_of(waiting.result().query_result) == ["carried"]


def poll_with_query(w):
    """A workflow task that carries a query; one that came too early is given back."""
    task = w.poll()
    if task.queries:
        return task
    w.fail_task(task)
    return None


def test_failed_answer_of_a_carried_query(w):
    w.begin()
    w.signal("s")
    waiting = w.query_future()
    task = eventually(lambda: poll_with_query(w))
    (query_id,) = task.queries
    result = {"result_type": FAILED, "error_message": "no", "failure": {"message": "boom"}}
    w.complete(task, query_results={query_id: result})
    with refused("INVALID_ARGUMENT", "no", "QueryFailedFailure") as error:
        waiting.result()
    assert error.detail.failure.message == "boom"


def test_too_large_an_answer_of_a_carried_query(w):
    w.begin()
    w.signal("s")
    waiting = w.query_future()
    task = eventually(lambda: poll_with_query(w))
    (query_id,) = task.queries
    result = {"result_type": ANSWERED, "answer": payloads("x" * (2 << 20))}
    w.complete(task, query_results={query_id: result})
    with refused("INVALID_ARGUMENT", "Blob data size exceeds limit."):
        waiting.result()


def test_query_during_a_started_task(w):
    """It goes with the next task, or alone when the completion makes none."""
    w.start()
    task = w.poll()
    waiting = w.query_future()
    assert not waiting.done()
    w.complete(task, c.timer())
    alone = w.poll()
    assert alone.query.query_type == "q"
    answer(w, alone, "after")
    assert values_of(waiting.result().query_result) == ["after"]


def test_query_before_the_first_task(w):
    w.start()
    waiting = w.query_future()
    task = eventually(lambda: poll_with_query(w))
    (query_id,) = task.queries
    w.complete(
        task, query_results={query_id: {"result_type": ANSWERED, "answer": payloads("first")}}
    )
    assert values_of(waiting.result().query_result) == ["first"]


def test_carried_query_without_an_answer_goes_alone(w):
    w.begin()
    w.signal("s")
    waiting = w.query_future()
    task = eventually(lambda: poll_with_query(w))
    w.complete(task)
    answer(w, w.poll(), "alone")
    assert values_of(waiting.result().query_result) == ["alone"]


def test_second_waiting_query_is_refused(w):
    """Of two queries that wait for a started task, one is refused: whichever comes later."""
    w.start()
    task = w.poll()
    queries = [w.query_future(), w.query_future()]
    late = eventually(lambda: next((q for q in queries if q.done()), None))
    message = (
        "consistent query buffer is full, this may be caused by too many queries and workflow "
        "not able to process query fast enough"
    )
    with refused("RESOURCE_EXHAUSTED", message, "ResourceExhaustedFailure") as error:
        late.result()
    assert history.show(error.detail, "cause") == "BUSY_WORKFLOW"
    assert history.show(error.detail, "scope") == "NAMESPACE"
    w.complete(task)
    answer(w, w.poll(), "x")
    queries.remove(late)
    assert values_of(queries[0].result().query_result) == ["x"]


# -- closed runs -----------------------------------------------------------------------------------


def test_query_of_a_closed_run(w):
    w.begin(c.complete())
    waiting = w.query_future()
    task = w.poll()
    assert (task.started_event_id, task.previous_started_event_id) == (0, 3)
    assert [e.event_id for e in task.history.events] == [1, 2, 3, 4, 5]
    answer(w, task, "was")
    assert values_of(waiting.result().query_result) == ["was"]


@pytest.mark.parametrize(
    "condition, command, rejected",
    [
        ("NOT_OPEN", c.complete(), "COMPLETED"),
        ("NOT_OPEN", c.fail(), "FAILED"),
        ("NOT_COMPLETED_CLEANLY", c.fail(), "FAILED"),
        ("NOT_COMPLETED_CLEANLY", c.cancel(), "CANCELED"),
        ("NOT_COMPLETED_CLEANLY", c.complete(), None),
        ("NONE", c.fail(), None),
    ],
)
def test_reject_conditions(w, condition, command, rejected):
    w.begin(command)
    waiting = w.query_future(query_reject_condition=REJECT + condition)
    if rejected is None:
        answer(w, w.poll(), "answered")
        assert values_of(waiting.result().query_result) == ["answered"]
    else:
        result = waiting.result()
        assert history.show(result.query_rejected, "status") == rejected
        assert not result.HasField("query_result")


def test_open_runs_are_not_rejected(w):
    w.begin()
    waiting = w.query_future(query_reject_condition=REJECT + "NOT_OPEN")
    answer(w, w.poll(), "open")
    assert values_of(waiting.result().query_result) == ["open"]


def test_query_of_a_run_that_closed_before_its_first_task(w):
    w.start()
    w.terminate()
    message = "Workflow execution closed before WorkflowTaskStarted event"
    with refused("FAILED_PRECONDITION", message, "WorkflowNotReadyFailure"):
        w.query()


def test_query_before_a_delayed_start(w):
    w.start(workflow_start_delay=seconds(60))
    with refused(
        "FAILED_PRECONDITION", "Workflow task is not scheduled yet.", "WorkflowNotReadyFailure"
    ):
        w.query(timeout=5)


def test_query_of_a_workflow_whose_tasks_fail(w):
    w.start()
    for _ in range(2):
        w.fail_task(w.poll())
    w.poll()  # the third attempt
    message = "Unable to query workflow due to Workflow Task in failed state."
    with refused("FAILED_PRECONDITION", message, "WorkflowNotReadyFailure"):
        w.query(timeout=5)


def test_query_without_a_worker(w):
    w.begin()
    with refused("DEADLINE_EXCEEDED", detail="any"):
        w.query(timeout=2)


@pytest.mark.slow
@pytest.mark.timeout(300)
def test_query_long_after_the_last_worker(w):
    w.begin()
    message = "no poller seen for task queue recently, worker may be down"

    def look():
        with refused("FAILED_PRECONDITION", message, "any"):
            w.query(timeout=5)
        return True

    eventually(look, timeout=60)


@pytest.mark.parametrize(
    "fields, message",
    [
        ({"execution": None, "query": {"query_type": "q"}}, "Execution is not set on request."),
        (
            {"execution": {"workflow_id": ""}, "query": {"query_type": "q"}},
            "WorkflowId is not set on request.",
        ),
        (
            {"execution": {"workflow_id": "x"}, "query": None},
            "WorkflowQuery is not set on request.",
        ),
        ({"execution": {"workflow_id": "x"}, "query": {}}, "QueryType is not set on request."),
        (
            {"execution": {"workflow_id": "x", "run_id": "no"}, "query": {"query_type": "q"}},
            "Invalid RunId.",
        ),
    ],
)
def test_bad_query(client, fields, message):
    with refused("INVALID_ARGUMENT", message):
        client("QueryWorkflow", **fields)


def test_query_of_an_unknown_workflow(w):
    with refused("NOT_FOUND", f"workflow not found for ID: {w.id}", "NotFoundFailure"):
        w.query()


def test_answer_that_comes_too_late(w):
    w.begin()
    waiting = w.query_future(timeout=2)
    task = w.poll()
    with refused("DEADLINE_EXCEEDED", detail="any"):
        waiting.result()
    try:
        answer(w, task, "late")
    except grpc.RpcError as error:  # the reference takes it, and throws it away
        assert error.code() == grpc.StatusCode.NOT_FOUND
    w.signal("s")
    w.step(c.complete())


def test_several_direct_queries(w):
    w.begin()
    waiting = {n: w.query_future(f"q{n}") for n in range(3)}
    for _ in waiting:
        task = w.poll()
        answer(w, task, task.query.query_type)
    for n, future in waiting.items():
        assert values_of(future.result().query_result) == [f"q{n}"]


def test_an_answer_that_is_too_large_fails(w):
    w.begin()
    waiting = w.query_future()
    large = {"payloads": [{"data": b"x" * (2 * 1024 * 1024 + 1)}]}
    answer(w, w.poll(), query_result=large)
    with refused("INVALID_ARGUMENT", "Blob data size exceeds limit.", "QueryFailedFailure"):
        waiting.result()


def test_query_waits_for_a_delayed_first_task(w):
    """When its caller has the time."""
    w.start(workflow_start_delay=seconds(1))
    waiting = w.query_future()
    task = w.poll()
    (query_id,) = task.queries
    result = {"result_type": ANSWERED, "answer": payloads("first")}
    w.complete(task, query_results={query_id: result})
    assert values_of(waiting.result().query_result) == ["first"]
