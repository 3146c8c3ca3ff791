"""GetWorkflowExecutionHistory and its reverse: pages, tokens, long polls, the close event."""

import threading

import commands as c
import history
import pytest
from client import refused, seconds

CLOSE = "HISTORY_EVENT_FILTER_TYPE_CLOSE_EVENT"
FOLLOWS = (("supported-features", "follows-next-run-id"),)


def read(w, run_id=None, timeout=15, **fields):
    execution = {"workflow_id": w.id, "run_id": w.run_id if run_id is None else run_id}
    return w.call("GetWorkflowExecutionHistory", execution=execution, timeout=timeout, **fields)


def pages(w, rpc="GetWorkflowExecutionHistory", **fields):
    """All pages as lists of event ids."""
    found, token = [], b""
    while True:
        page = w.call(rpc, execution=w.execution(), next_page_token=token, **fields)
        found.append([event.event_id for event in page.history.events])
        token = page.next_page_token
        if not token:
            return found


def long_history(w, signals=6):
    w.begin(c.timer("a"), c.timer("b"))
    for number in range(signals):
        w.signal(f"s{number}")
    return 4 + 2 + signals + 1  # one workflow task is scheduled by the first signal


def test_everything_on_one_page(w):
    w.begin(c.complete())
    page = read(w)
    assert len(page.history.events) == 5
    assert not page.next_page_token and not page.archived and not page.raw_history


def test_pages_hold_whole_batches(w):
    last = long_history(w)
    found = pages(w, maximum_page_size=2)
    assert sum(found, []) == list(range(1, last + 1))
    assert len(found) > 2
    for page in found:  # 4, 5 and 6 were written in one transaction
        assert len({4, 5, 6} & set(page)) in (0, 3)


def test_first_batch_may_exceed_the_page_size(w):
    w.begin(c.timer("a"), c.timer("b"), c.timer("c"))
    page = read(w, maximum_page_size=1)
    assert [e.event_id for e in page.history.events] == [1, 2]
    assert page.next_page_token


@pytest.mark.parametrize("size", [1, 2, 3, 1000, 0])
def test_every_page_size_gives_the_same_events(w, size):
    last = long_history(w)
    assert sum(pages(w, maximum_page_size=size), []) == list(range(1, last + 1))


def test_pages_go_on_while_the_history_grows(w):
    last = long_history(w)
    first = read(w, maximum_page_size=1)
    w.signal("later")
    found, token = [], first.next_page_token
    while token:
        page = read(w, maximum_page_size=1, next_page_token=token)
        found += [event.event_id for event in page.history.events]
        token = page.next_page_token
    assert found[: last - 2] == list(range(3, last + 1))
    assert found == list(range(3, found[-1] + 1))


def test_reverse(w):
    last = long_history(w)
    found = pages(w, "GetWorkflowExecutionHistoryReverse")
    assert sum(found, []) == list(range(last, 0, -1))


@pytest.mark.parametrize("size", [1, 2, 3])
def test_reverse_in_pages(w, size):
    last = long_history(w)
    found = pages(w, "GetWorkflowExecutionHistoryReverse", maximum_page_size=size)
    assert sum(found, []) == list(range(last, 0, -1))
    assert len(found) > 2


def test_run_id_selects_the_run(w):
    w.start()
    w.terminate()
    second = w.start().run_id
    assert len(read(w).history.events) == 3
    assert len(read(w, run_id=second).history.events) == 2
    assert len(read(w, run_id="").history.events) == 2


# -- waiting ---------------------------------------------------------------------------------------


def test_wait_without_token_answers_at_once(w):
    w.start()
    page = read(w, wait_new_event=True)
    assert [e.event_id for e in page.history.events] == [1, 2]
    assert page.next_page_token


def test_wait_brings_new_events(w):
    w.start()
    token = read(w, wait_new_event=True).next_page_token
    waiting = w.client.future(
        "GetWorkflowExecutionHistory",
        execution=w.execution(),
        next_page_token=token,
        wait_new_event=True,
    )
    w.signal("s")
    page = waiting.result()
    assert history.names(page.history.events) == ["WorkflowExecutionSignaled"]
    assert page.next_page_token


def test_wait_ends_with_the_close(w):
    w.start()
    token = read(w, wait_new_event=True).next_page_token
    waiting = w.client.future(
        "GetWorkflowExecutionHistory",
        execution=w.execution(),
        next_page_token=token,
        wait_new_event=True,
    )
    w.terminate()
    page = waiting.result()
    assert history.names(page.history.events) == ["WorkflowExecutionTerminated"]
    assert not page.next_page_token


def test_wait_on_a_closed_run_does_not_wait(w):
    w.begin(c.complete())
    page = read(w, wait_new_event=True)
    assert len(page.history.events) == 5
    assert not page.next_page_token


@pytest.mark.slow
@pytest.mark.timeout(300)
def test_idle_wait_gives_the_token_back(w):
    w.begin()
    token = read(w, wait_new_event=True).next_page_token
    page = read(w, wait_new_event=True, next_page_token=token, timeout=40)
    assert not page.history.events
    assert page.next_page_token
    w.signal("s")
    page = read(w, wait_new_event=True, next_page_token=page.next_page_token)
    assert [e.event_id for e in page.history.events][0] == 5


def test_many_can_wait(w):
    w.start()
    answers = []

    def wait():
        answers.append(read(w, wait_new_event=True, history_event_filter_type=CLOSE))

    threads = [threading.Thread(target=wait) for _ in range(5)]
    for thread in threads:
        thread.start()
    w.terminate()
    for thread in threads:
        thread.join()
    assert [history.names(a.history.events) for a in answers] == [
        ["WorkflowExecutionTerminated"]
    ] * 5


# -- the close event -------------------------------------------------------------------------------


def test_close_event_of_a_closed_run(w):
    w.begin(c.complete("x"))
    page = read(w, history_event_filter_type=CLOSE)
    assert [e.event_id for e in page.history.events] == [5]
    assert not page.next_page_token


def test_close_event_of_a_running_run(w):
    w.start()
    page = read(w, history_event_filter_type=CLOSE, timeout=3)
    assert not page.history.events
    assert not page.next_page_token


@pytest.mark.quirk
def test_close_event_of_a_running_run_waits_unasked(w):
    w.start()
    waiting = w.client.future(
        "GetWorkflowExecutionHistory",
        execution=w.execution(),
        history_event_filter_type=CLOSE,
    )
    w.signal("s")
    assert not waiting.done()
    w.terminate()
    assert history.names(waiting.result().history.events) == ["WorkflowExecutionTerminated"]


def test_waiting_for_the_close_event(w):
    w.start()
    waiting = w.client.future(
        "GetWorkflowExecutionHistory",
        execution=w.execution(run_id=""),
        history_event_filter_type=CLOSE,
        wait_new_event=True,
    )
    w.signal("not the close")
    w.step(c.complete("x"))
    page = waiting.result()
    assert history.names(page.history.events) == ["WorkflowExecutionCompleted"]
    assert not page.next_page_token


@pytest.mark.slow
@pytest.mark.timeout(300)
def test_waiting_in_vain_for_the_close_event(w):
    w.start()
    page = read(w, history_event_filter_type=CLOSE, wait_new_event=True, timeout=40)
    assert not page.history.events
    assert page.next_page_token
    w.terminate()
    page = read(
        w,
        history_event_filter_type=CLOSE,
        wait_new_event=True,
        next_page_token=page.next_page_token,
    )
    assert history.names(page.history.events) == ["WorkflowExecutionTerminated"]


def failed_with_successor(w):
    w.begin(c.fail("boom"), retry_policy={"initial_interval": seconds(30)})


def test_successor_is_rewritten_for_old_clients(w):
    failed_with_successor(w)
    page = read(w, history_event_filter_type=CLOSE)
    (event,) = page.history.events
    assert history.event_name(event) == "WorkflowExecutionContinuedAsNew"
    attributes = history.attributes(event)
    assert attributes.failure.message == "boom"
    assert attributes.new_execution_run_id == w.describe().workflow_execution_info.execution.run_id


def test_successor_is_shown_to_clients_that_follow_it(w):
    failed_with_successor(w)
    page = read(w, history_event_filter_type=CLOSE, metadata=FOLLOWS)
    (event,) = page.history.events
    assert history.event_name(event) == "WorkflowExecutionFailed"
    assert history.attributes(event).new_execution_run_id


def test_only_close_event_reads_are_rewritten(w):
    failed_with_successor(w)
    assert history.names(read(w).history.events)[-1] == "WorkflowExecutionFailed"


# -- refusals --------------------------------------------------------------------------------------


def test_unknown_workflow(w):
    with refused("NOT_FOUND", f"workflow not found for ID: {w.id}", "NotFoundFailure"):
        read(w, run_id="")


def test_unknown_run(w):
    w.start()
    run_id = "11111111-1111-4111-8111-111111111111"
    message = f'workflow execution not found for workflow ID "{w.id}" and run ID "{run_id}"'
    with refused("NOT_FOUND", message, "NotFoundFailure"):
        read(w, run_id=run_id)


@pytest.mark.parametrize(
    "rpc", ["GetWorkflowExecutionHistory", "GetWorkflowExecutionHistoryReverse"]
)
def test_garbage_token(w, rpc):
    w.start()
    with refused("INVALID_ARGUMENT", "Invalid NextPageToken."):
        w.call(rpc, execution=w.execution(), next_page_token=b"garbage")


def test_token_of_another_run(w):
    last = long_history(w)
    assert last > 3
    token = read(w, maximum_page_size=1).next_page_token
    w.terminate()
    other = w.start().run_id
    with refused("INVALID_ARGUMENT", "RunId in the request does not match the NextPageToken."):
        read(w, run_id=other, next_page_token=token)


def test_run_id_must_be_a_uuid(w):
    w.start()
    with refused("INVALID_ARGUMENT", "Invalid RunId."):
        read(w, run_id="nope")
