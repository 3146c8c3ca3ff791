"""Completions of workflow tasks that come in pages. They are behind a switch, so most of these tests start a server of
their own, of ours or of the reference."""

import commands as c
import pytest
from client import Client, payloads, refused
from own_server import serving
from scene import Scene

SETTINGS = [
    "history.enableWorkflowTaskCompletionPagination=true",
    "history.workflowTaskCompletionBufferSizeLimit=6000000",
    "system.transactionSizeLimit=33554432",
]
LOST = "WorkflowTaskCompletionBufferLostFailure"


@pytest.fixture(scope="module")
def address():
    with serving(SETTINGS) as address:
        yield address


@pytest.fixture
def paged(address):
    scene = Scene(Client(address))
    yield scene
    scene.close()


def capability(w):
    info = w.call("DescribeNamespace", namespace="default").namespace_info
    return info.capabilities.workflow_task_completion_pagination


def test_off_by_default(w):
    w.start()
    task = w.poll()
    assert not capability(w)
    text = "workflow task completion pagination is disabled for this namespace default"
    with refused("FAILED_PRECONDITION", text):
        w.complete(task, c.timer("a"), page_number=0, intermediate_page=True)
    with refused("FAILED_PRECONDITION", text):
        w.complete(task, c.timer("a"), page_number=1)
    w.complete(task, c.complete())


def test_a_completion_of_several_requests(paged):
    w = paged
    assert capability(w)
    w.start()
    task = w.poll()
    # Together more than one request may have.
    large = payloads("x" * 1_000_000)
    for page, id_ in ((1, "b"), (0, "a"), (0, "again"), (2, "c"), (3, "d")):
        activity = c.activity(id_, input=large)
        answer = w.complete(task, activity, page_number=page, intermediate_page=True)
        assert not answer.HasField("workflow_task")
    w.complete(task, c.timer("t"), page_number=4, sdk_metadata={"sdk_name": "s"})
    w.expect("""
        1 WorkflowExecutionStarted
        2 WorkflowTaskScheduled
        3 WorkflowTaskStarted
        4 WorkflowTaskCompleted sdk_metadata.sdk_name=s
        5 ActivityTaskScheduled activity_id=a
        6 ActivityTaskScheduled activity_id=b
        7 ActivityTaskScheduled activity_id=c
        8 ActivityTaskScheduled activity_id=d
        9 TimerStarted timer_id=t
    """)


def test_pages_that_are_not_there(paged):
    w = paged
    w.start()
    task = w.poll()
    lost = "workflow task completion buffer lost for scheduled event 2 attempt 1"
    with refused("ABORTED", lost, LOST):
        w.complete(task, c.complete(), page_number=1)
    w.complete(task, c.timer("b"), page_number=1, intermediate_page=True)
    with refused("ABORTED", "workflow task completion buffer missing page 0 of 2", LOST):
        w.complete(task, c.complete(), page_number=2)
    # All of them again.
    w.complete(task, c.timer("a"), page_number=0, intermediate_page=True)
    w.complete(task, c.timer("b"), page_number=1, intermediate_page=True)
    w.complete(task, c.complete(), page_number=2)
    assert w.status() == "COMPLETED"


def test_pages_end_with_their_task(paged):
    w = paged
    w.start()
    task = w.poll()
    w.complete(task, c.timer("a"), page_number=0, intermediate_page=True)
    w.fail_task(task)
    with refused("NOT_FOUND", "Workflow task not found.", "NotFoundFailure"):
        w.complete(task, c.complete(), page_number=1)
    with refused("NOT_FOUND", "Workflow task not found.", "NotFoundFailure"):
        w.complete(task, c.timer("a"), page_number=0, intermediate_page=True)
    task = w.poll()
    with refused("ABORTED", detail=LOST, prefix="workflow task completion buffer lost for"):
        w.complete(task, c.complete(), page_number=1)


@pytest.mark.parametrize(
    "fields, text",
    [
        (
            {"page_number": -1, "intermediate_page": True},
            "workflow task completion pagination page number must be non-negative",
        ),
        (
            {"page_number": 1024, "intermediate_page": True},
            "workflow task completion pagination supports at most 1024 pages",
        ),
        (
            {"page_number": 1024},
            "workflow task completion pagination supports at most 1024 pages",
        ),
    ],
)
def test_a_page_that_makes_no_sense(paged, fields, text):
    w = paged
    w.start()
    task = w.poll()
    with refused("INVALID_ARGUMENT", text):
        w.complete(task, c.timer("a"), **fields)
    w.complete(task, c.complete())


def test_an_empty_page(paged):
    w = paged
    w.start()
    task = w.poll()
    text = "intermediate workflow task page must carry at least one command"
    with refused("INVALID_ARGUMENT", text):
        w.complete(task, page_number=0, intermediate_page=True)
    w.complete(task, c.complete())


def test_pages_that_are_too_large_together_end_the_workflow(paged):
    w = paged
    w.start()
    task = w.poll()
    large = payloads("x" * 1_900_000)
    for page in range(3):
        activity = c.activity(f"a{page}", input=large)
        w.complete(task, activity, page_number=page, intermediate_page=True)
    with refused(
        "INVALID_ARGUMENT",
        "RequestTooLarge: workflow task completion buffer size exceeds the per-workflow limit",
    ):
        w.complete(task, c.activity("b", input=large), page_number=3, intermediate_page=True)
    w.expect("""
        1 WorkflowExecutionStarted
        2 WorkflowTaskScheduled
        3 WorkflowTaskStarted
        4 WorkflowTaskFailed cause=REQUEST_TOO_LARGE
        5 WorkflowExecutionTerminated \
reason="RequestTooLarge: workflow task completion buffer size exceeds the per-workflow limit"
    """)
