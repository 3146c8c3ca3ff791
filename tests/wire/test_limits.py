"""Limits that can be reached quickly: counts of pending things, history sizes, pages of tasks."""

import commands as c
import history
import pytest
from client import payload, payloads, refused, seconds

HEAD = """
    1 WorkflowExecutionStarted
    2 WorkflowTaskScheduled
    3 WorkflowTaskStarted
"""


@pytest.mark.parametrize(
    "command, cause, what",
    [
        (lambda n: c.activity(f"a{n}"), "PENDING_ACTIVITIES_LIMIT_EXCEEDED", "activities"),
        (
            lambda n: c.child(f"never-started-{n}"),
            "PENDING_CHILD_WORKFLOWS_LIMIT_EXCEEDED",
            "child workflow executions",
        ),
        (
            lambda n: c.cancel_external(f"nobody-{n}"),
            "PENDING_REQUEST_CANCEL_LIMIT_EXCEEDED",
            "requests to cancel external workflows",
        ),
        (
            lambda n: c.signal_external(f"nobody-{n}"),
            "PENDING_SIGNALS_LIMIT_EXCEEDED",
            "signals to external workflows",
        ),
    ],
    ids=["activities", "children", "cancels", "signals"],
)
def test_two_thousand_pending(w, command, cause, what):
    w.start(workflow_task_timeout=seconds(60))
    message = (
        f"{history.camel(cause)}: the number of pending {what}, 2000, has reached the "
        "per-workflow limit of 2000"
    )
    with refused("INVALID_ARGUMENT", message):
        w.complete(w.poll(), *[command(n) for n in range(2001)])
    w.expect(
        HEAD
        + f"""
        4 WorkflowTaskFailed cause={cause} failure.message="{message}"
        5 WorkflowTaskScheduled attempt=2
    """
    )


def test_timers_have_no_limit(w):
    w.start(workflow_task_timeout=seconds(60))
    w.complete(w.poll(), *[c.timer(f"t{n}") for n in range(2500)])
    assert w.describe().workflow_execution_info.history_length == 2504


def test_many_events_suggest_to_continue_as_new(w):
    w.start(workflow_task_timeout=seconds(60))
    w.complete(
        w.poll(), *[c.marker(f"m{n}") for n in range(4200)], force_create_new_workflow_task=True
    )
    task = w.poll()
    started = history.attributes(w.events()[-1])
    assert history.show(started, "suggest_continue_as_new") == "true"
    reasons = history.show(started, "suggest_continue_as_new_reasons")
    assert reasons == '["TOO_MANY_HISTORY_EVENTS"]'
    w.complete(task, c.continue_as_new())


def test_big_history_suggests_to_continue_as_new(w):
    w.start(workflow_task_timeout=seconds(60))
    for _ in range(3):
        blob = c.marker("m", k="x" * 1_800_000)
        w.complete(w.poll(), blob, force_create_new_workflow_task=True)
    w.poll()
    started = history.attributes(
        [e for e in w.events() if history.event_name(e) == "WorkflowTaskStarted"][-1]
    )
    assert history.show(started, "suggest_continue_as_new_reasons") == '["HISTORY_SIZE_TOO_LARGE"]'
    assert started.history_size_bytes > 4 * 1024 * 1024


def test_long_history_comes_in_pages_with_the_task(w):
    """A task brings one page; the token fetches the rest."""
    w.begin()
    for _ in range(300):
        w.signal("s")
    task = w.poll()
    events = list(task.history.events)
    assert task.next_page_token and 0 < len(events) < 306
    token = task.next_page_token
    while token:
        page = w.call("GetWorkflowExecutionHistory", execution=w.execution(), next_page_token=token)
        events += page.history.events
        token = page.next_page_token
    assert [e.event_id for e in events] == list(range(1, 307))
    assert history.names(events)[-1] == "WorkflowTaskStarted"
    w.complete(task, c.complete())


def test_oversized_memo_of_a_command(w):
    w.start()
    with refused("INVALID_ARGUMENT", contains="exceeds size limit"):
        w.complete(w.poll(), c.modify_memo(m=payload("x" * (2 * 1024 * 1024 + 1))))
    names = history.names(w.events())
    assert names[3:] == ["WorkflowTaskFailed", "WorkflowExecutionTerminated"]


def test_almost_four_mebibytes_in_one_completion(w):
    blob = "x" * 1_300_000
    w.begin(*[c.activity(f"a{n}", input=payloads(blob)) for n in range(3)])
    assert len(w.events()) == 7


def test_history_of_too_many_events(w):
    w.start(workflow_task_timeout=seconds(120))
    markers = [c.marker("m") for _ in range(10_000)]
    for _ in range(5):
        w.complete(w.poll(), *markers, force_create_new_workflow_task=True, timeout=60)
    before = w.describe().workflow_execution_info.history_length
    assert 50_000 < before < 51_200
    message = "Workflow history count exceeds limit."
    with refused("INVALID_ARGUMENT", message):
        w.complete(w.poll(), *markers, timeout=60)
    last = w.events()[-1]
    assert history.event_name(last) == "WorkflowExecutionTerminated"
    attributes = history.attributes(last)
    assert (attributes.reason, attributes.identity) == (message, "history-service")
