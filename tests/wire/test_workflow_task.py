"""The life of a workflow task: events, attempts, transient tasks, timeouts, heartbeats."""

import json

import commands as c
import history
from client import eventually, payload, payloads, refused, seconds, value_of
from google.protobuf import timestamp_pb2

TERMINAL = {"metadata": (("client-name", "temporal-cli"), ("client-version", "1.0.0"))}


def test_complete(w):
    w.start()
    task = w.poll()
    answer = w.complete(
        task,
        c.complete("done"),
        binary_checksum="checksum",
        sdk_metadata={"lang_used_flags": [3], "sdk_name": "s", "sdk_version": "1"},
        metering_metadata={"nonfirst_local_activity_execution_attempts": 2},
    )
    assert not answer.HasField("workflow_task") and not answer.activity_tasks
    assert answer.reset_history_event_id == 0
    w.expect("""
        1 WorkflowExecutionStarted
        2 WorkflowTaskScheduled
        3 WorkflowTaskStarted scheduled_event_id=2
        4 WorkflowTaskCompleted scheduled_event_id=2 started_event_id=3 identity=worker \
binary_checksum=checksum sdk_metadata.lang_used_flags='["3"]' sdk_metadata.sdk_name=s \
metering_metadata.nonfirst_local_activity_execution_attempts=2
        5 WorkflowExecutionCompleted result='"done"' workflow_task_completed_event_id=4 \
new_execution_run_id=-
    """)


def test_completion_without_commands_leaves_it_waiting(w):
    w.begin()
    w.expect("""
        1 WorkflowExecutionStarted
        2 WorkflowTaskScheduled
        3 WorkflowTaskStarted
        4 WorkflowTaskCompleted
    """)
    assert not w.describe().HasField("pending_workflow_task")
    assert w.status() == "RUNNING"


def test_second_task_brings_the_whole_history_and_what_came_before(w):
    w.begin()
    w.signal("s")
    task = w.poll()
    assert (task.previous_started_event_id, task.started_event_id) == (3, 7)
    assert history.names(task.history.events) == [
        "WorkflowExecutionStarted",
        "WorkflowTaskScheduled",
        "WorkflowTaskStarted",
        "WorkflowTaskCompleted",
        "WorkflowExecutionSignaled",
        "WorkflowTaskScheduled",
        "WorkflowTaskStarted",
    ]


def test_one_workflow_task_at_a_time(w):
    w.start()
    w.signal("a")
    w.signal("b")
    w.expect("""
        1 WorkflowExecutionStarted
        2 WorkflowTaskScheduled
        3 WorkflowExecutionSignaled
        4 WorkflowExecutionSignaled
    """)


def test_started_event_tells_the_history_size(w):
    w.start(input=payloads("x" * 1000))
    w.poll()
    started = history.attributes(w.events()[2])
    assert started.history_size_bytes > 1000
    assert started.request_id


# -- tokens ----------------------------------------------------------------------------------------


def test_second_completion_is_refused(w):
    task = w.begin()
    with refused("NOT_FOUND", "Workflow task not found.", "NotFoundFailure"):
        w.complete(task)


def test_completion_after_the_close_is_refused(w):
    w.start()
    task = w.poll()
    w.terminate()
    with refused("NOT_FOUND", "Workflow task not found.", "NotFoundFailure"):
        w.complete(task, c.complete())


def test_failure_of_a_stale_task_is_refused(w):
    task = w.begin()
    with refused("NOT_FOUND", "Workflow task not found.", "NotFoundFailure"):
        w.fail_task(task)


def test_stale_attempt_is_refused(w):
    w.start()
    first = w.poll()
    w.fail_task(first)
    second = w.poll()
    with refused("NOT_FOUND", "Workflow task not found.", "NotFoundFailure"):
        w.complete(first)
    w.complete(second, c.complete())


# -- failures and transient tasks ------------------------------------------------------------------


def test_failed_task(w):
    w.start()
    w.fail_task(w.poll(), "NON_DETERMINISTIC_ERROR", failure={"message": "no"}, binary_checksum="b")
    w.expect(
        """
        1 WorkflowExecutionStarted
        2 WorkflowTaskScheduled
        3 WorkflowTaskStarted
        4 WorkflowTaskFailed scheduled_event_id=2 started_event_id=3 failure.message=no \
identity=worker cause=NON_DETERMINISTIC_ERROR binary_checksum=b base_run_id=- new_run_id=-
    """,
        metadata=TERMINAL["metadata"],
    )


def test_transient_task_is_delivered_and_not_stored(w):
    w.start()
    w.fail_task(w.poll())
    task = w.poll()
    assert (task.attempt, task.previous_started_event_id, task.started_event_id) == (2, 0, 6)
    history.check(
        """
        1 WorkflowExecutionStarted
        2 WorkflowTaskScheduled
        3 WorkflowTaskStarted
        4 WorkflowTaskFailed
        5 WorkflowTaskScheduled attempt=2
        6 WorkflowTaskStarted scheduled_event_id=5
        """,
        task.history.events,
    )
    pending = w.describe()
    assert pending.pending_workflow_task.attempt == 2
    assert pending.workflow_execution_info.history_length == 4


def test_transient_task_is_shown_to_sdks_and_hidden_from_the_cli(w):
    w.start()
    w.fail_task(w.poll())
    w.poll()
    assert len(w.events()) == 6
    for name in ("temporal-cli", "temporal-ui"):
        assert len(w.events(metadata=(("client-name", name), ("client-version", "1.0.0")))) == 4


def test_scheduled_transient_task_is_shown_to_sdks(w):
    w.start()
    w.fail_task(w.poll())
    assert history.names(w.events())[4:] == ["WorkflowTaskScheduled"]


def test_transient_task_is_written_with_its_completion(w):
    w.start()
    w.fail_task(w.poll())
    w.fail_task(w.poll())  # nothing is written for the second failure
    assert len(w.events(**TERMINAL)) == 4
    task = w.poll()
    assert task.attempt == 3
    w.complete(task, c.complete())
    w.expect("""
        1 WorkflowExecutionStarted
        2 WorkflowTaskScheduled attempt=1
        3 WorkflowTaskStarted
        4 WorkflowTaskFailed
        5 WorkflowTaskScheduled attempt=3
        6 WorkflowTaskStarted scheduled_event_id=5
        7 WorkflowTaskCompleted scheduled_event_id=5 started_event_id=6
        8 WorkflowExecutionCompleted
    """)


def test_event_during_a_scheduled_transient_task(w):
    w.start()
    w.fail_task(w.poll())
    w.signal("s")
    task = w.poll()
    assert task.attempt == 1
    history.check(
        """
        1 WorkflowExecutionStarted
        2 WorkflowTaskScheduled
        3 WorkflowTaskStarted
        4 WorkflowTaskFailed
        5 WorkflowExecutionSignaled
        6 WorkflowTaskScheduled attempt=1
        7 WorkflowTaskStarted
        """,
        task.history.events,
    )


def test_event_during_a_started_transient_task(w):
    w.start()
    w.fail_task(w.poll())
    task = w.poll()
    w.signal("s")
    w.complete(task)
    w.expect("""
        1 WorkflowExecutionStarted
        2 WorkflowTaskScheduled
        3 WorkflowTaskStarted
        4 WorkflowTaskFailed
        5 WorkflowTaskScheduled attempt=2
        6 WorkflowTaskStarted
        7 WorkflowTaskCompleted
        8 WorkflowExecutionSignaled
        9 WorkflowTaskScheduled attempt=1
    """)


def test_event_buffered_before_a_failure_gives_a_first_attempt(w):
    w.start()
    task = w.poll()
    w.signal("s")
    w.fail_task(task)
    w.expect("""
        1 WorkflowExecutionStarted
        2 WorkflowTaskScheduled
        3 WorkflowTaskStarted
        4 WorkflowTaskFailed
        5 WorkflowExecutionSignaled
        6 WorkflowTaskScheduled attempt=1
    """)


def test_success_resets_the_attempt(w):
    w.start()
    w.fail_task(w.poll())
    w.step()
    w.signal("s")
    assert w.poll().attempt == 1


def test_terminate_with_a_scheduled_transient_task(w):
    w.start()
    w.fail_task(w.poll())
    w.terminate()
    w.expect("""
        1 WorkflowExecutionStarted
        2 WorkflowTaskScheduled
        3 WorkflowTaskStarted
        4 WorkflowTaskFailed
        5 WorkflowExecutionTerminated
    """)


def test_terminate_with_a_started_transient_task(w):
    w.start()
    w.fail_task(w.poll())
    w.poll()
    w.terminate()
    w.expect("""
        1 WorkflowExecutionStarted
        2 WorkflowTaskScheduled
        3 WorkflowTaskStarted
        4 WorkflowTaskFailed
        5 WorkflowExecutionTerminated
    """)


# -- timeouts --------------------------------------------------------------------------------------


def test_start_to_close_timeout(w):
    w.start(workflow_task_timeout=seconds(1))
    task = w.poll()
    w.wait_for("WorkflowTaskTimedOut")
    w.expect(
        """
        1 WorkflowExecutionStarted
        2 WorkflowTaskScheduled
        3 WorkflowTaskStarted
        4 WorkflowTaskTimedOut scheduled_event_id=2 started_event_id=3 timeout_type=START_TO_CLOSE
    """,
        **TERMINAL,
    )
    with refused("NOT_FOUND", "Workflow task not found.", "NotFoundFailure"):
        w.complete(task)
    assert w.poll().attempt == 2


def test_events_buffered_before_a_timeout(w):
    w.start(workflow_task_timeout=seconds(1))
    w.poll()
    w.signal("s")
    w.wait_for("WorkflowTaskTimedOut")
    w.expect("""
        1 WorkflowExecutionStarted
        2 WorkflowTaskScheduled
        3 WorkflowTaskStarted
        4 WorkflowTaskTimedOut
        5 WorkflowExecutionSignaled
        6 WorkflowTaskScheduled attempt=1
    """)


def test_run_timeout_with_a_started_task(w):
    w.start(workflow_run_timeout=seconds(2), workflow_task_timeout=seconds(2))
    w.poll()
    w.wait_for("WorkflowExecutionTimedOut")
    names = history.names(w.events())
    assert names[:3] == ["WorkflowExecutionStarted", "WorkflowTaskScheduled", "WorkflowTaskStarted"]
    assert names[3] in ("WorkflowTaskFailed", "WorkflowTaskTimedOut")
    assert names[-1] == "WorkflowExecutionTimedOut"


def test_run_timeout(w):
    w.start(workflow_run_timeout=seconds(1))
    w.wait_for("WorkflowExecutionTimedOut")
    w.expect("""
        1 WorkflowExecutionStarted
        2 WorkflowTaskScheduled
        3 WorkflowExecutionTimedOut retry_state=RETRY_POLICY_NOT_SET new_execution_run_id=-
    """)
    assert w.status() == "TIMED_OUT"


def test_run_timeout_after_a_completed_task(w):
    w.begin(c.timer(after=60), workflow_run_timeout=seconds(1))
    w.wait_for("WorkflowExecutionTimedOut")
    w.expect("""
        1 WorkflowExecutionStarted
        2 WorkflowTaskScheduled
        3 WorkflowTaskStarted
        4 WorkflowTaskCompleted
        5 TimerStarted
        6 WorkflowExecutionTimedOut
    """)


def test_execution_timeout(w):
    w.start(workflow_execution_timeout=seconds(1))
    w.wait_for("WorkflowExecutionTimedOut")
    w.expect("""
        1 WorkflowExecutionStarted workflow_execution_timeout=1s workflow_run_timeout=1s
        2 WorkflowTaskScheduled
        3 WorkflowExecutionTimedOut
    """)


# -- reported problems -----------------------------------------------------------------------------


def problems(w):
    field = w.describe().workflow_execution_info.search_attributes.indexed_fields.get(
        "TemporalReportedProblems"
    )
    return value_of(field) if field is not None else None


def test_problems_are_reported_after_five_failures(w):
    w.start()
    for attempt in range(1, 6):
        assert problems(w) is None, f"before failure {attempt}"
        w.fail_task(w.poll())
    assert problems(w) == [
        "category=WorkflowTaskFailed",
        "cause=WorkflowTaskFailedCauseWorkflowWorkerUnhandledFailure",
    ]
    w.step()
    assert problems(w) is None


# -- heartbeats and follow-ups ---------------------------------------------------------------------


def test_force_create(w):
    w.start()
    answer = w.complete(w.poll(), force_create_new_workflow_task=True)
    assert not answer.HasField("workflow_task")
    w.expect("""
        1 WorkflowExecutionStarted
        2 WorkflowTaskScheduled
        3 WorkflowTaskStarted
        4 WorkflowTaskCompleted
        5 WorkflowTaskScheduled attempt=1
    """)


def test_heartbeat_keeps_the_original_schedule_time(w):
    w.start()
    before = w.describe().pending_workflow_task
    w.complete(w.poll(), force_create_new_workflow_task=True)
    after = w.describe().pending_workflow_task
    assert after.original_scheduled_time == before.original_scheduled_time
    assert after.scheduled_time.ToNanoseconds() > before.scheduled_time.ToNanoseconds()


def test_return_new_workflow_task(w):
    w.start()
    answer = w.complete(
        w.poll(), c.timer(), return_new_workflow_task=True, force_create_new_workflow_task=True
    )
    task = answer.workflow_task
    assert (task.previous_started_event_id, task.started_event_id, task.attempt) == (3, 7, 1)
    history.check(
        """
        4 WorkflowTaskCompleted
        5 TimerStarted
        6 WorkflowTaskScheduled
        7 WorkflowTaskStarted identity=worker
        """,
        task.history.events,
    )
    w.complete(task, c.complete())
    assert w.status() == "COMPLETED"


def test_return_new_workflow_task_for_buffered_events(w):
    w.start()
    task = w.poll()
    w.signal("s")
    answer = w.complete(task, return_new_workflow_task=True)
    history.check(
        """
        4 WorkflowTaskCompleted
        5 WorkflowExecutionSignaled
        6 WorkflowTaskScheduled
        7 WorkflowTaskStarted
        """,
        answer.workflow_task.history.events,
    )


def test_return_new_workflow_task_without_need(w):
    w.start()
    answer = w.complete(w.poll(), return_new_workflow_task=True)
    assert not answer.HasField("workflow_task")
    assert len(w.events()) == 4


def test_terminate_with_a_started_task(w):
    w.start()
    w.poll()
    w.signal("s")
    w.terminate(reason="r", identity="me")
    w.expect("""
        1 WorkflowExecutionStarted
        2 WorkflowTaskScheduled
        3 WorkflowTaskStarted
        4 WorkflowTaskFailed cause=FORCE_CLOSE_COMMAND failure=- identity=history-service
        5 WorkflowExecutionSignaled
        6 WorkflowExecutionTerminated reason=r identity=me
    """)


def test_terminate_with_a_scheduled_task(w):
    w.start()
    w.terminate()
    w.expect("""
        1 WorkflowExecutionStarted
        2 WorkflowTaskScheduled
        3 WorkflowExecutionTerminated
    """)
    w.no_task()


def test_signals_keep_their_place_in_front_of_the_next_task(w):
    w.start()
    task = w.poll()
    w.signal("a")
    w.signal("b")
    w.complete(task, c.timer(), c.activity())
    w.expect("""
        1 WorkflowExecutionStarted
        2 WorkflowTaskScheduled
        3 WorkflowTaskStarted
        4 WorkflowTaskCompleted
        5 TimerStarted
        6 ActivityTaskScheduled
        7 WorkflowExecutionSignaled signal_name=a
        8 WorkflowExecutionSignaled signal_name=b
        9 WorkflowTaskScheduled
    """)


def test_fourth_attempt_has_a_longer_timeout(w):
    w.start(workflow_task_timeout=seconds(1))
    for _ in range(3):
        w.fail_task(w.poll())
    task = w.poll()
    assert task.attempt == 4
    started = timestamp_pb2.Timestamp()
    started.CopyFrom(task.started_time)

    def attempt_five():
        pending = w.describe().pending_workflow_task
        return pending if pending.attempt == 5 else None

    pending = eventually(attempt_five, timeout=30)
    waited = (pending.scheduled_time.ToNanoseconds() - started.ToNanoseconds()) / 1e9
    assert 4 < waited < 8  # 1 s, and 5 s with jitter


def test_failure_payloads_of_a_failed_task_are_kept(w):
    w.start()
    failure = {
        "message": "m",
        "source": "S",
        "stack_trace": "st",
        "encoded_attributes": payload("e"),
        "application_failure_info": {"type": "X", "details": payloads(1)},
        "cause": {"message": "inner"},
    }
    w.fail_task(w.poll(), failure=failure)
    failed = history.attributes(w.events()[3]).failure
    assert failed.cause.message == "inner" and failed.stack_trace == "st"
    assert failed.application_failure_info.details.payloads[0].data == b"1"
    assert failed.encoded_attributes.data == b'"e"'


def test_the_build_of_a_worker_is_in_the_events(w):
    """That of a worker that says one without being versioned."""
    build = {"build_id": "b1", "use_versioning": False}
    w.start()
    task = w.poll(worker_version_capabilities=build)
    w.complete(task, worker_version_stamp=build)
    events = {history.event_name(event): history.attributes(event) for event in w.events()}
    for name in ("WorkflowTaskStarted", "WorkflowTaskCompleted"):
        assert events[name].worker_version.build_id == "b1", name
    info = w.describe().workflow_execution_info
    assert info.most_recent_worker_version_stamp.build_id == "b1"
    assert info.auto_reset_points.points[0].build_id == "b1"
    builds = info.search_attributes.indexed_fields["BuildIds"].data
    assert json.loads(builds) == ["unversioned", "unversioned:b1"]

def test_every_build_that_worked_on_a_run_is_listed(w):
    """The first one first; and the checksums that a run can be reset to."""
    w.start()
    for build, checksum in (("b1", "c1"), ("b2", "c2"), ("b1", ""), ("", "c3"), ("b3", "c2")):
        stamp = {"build_id": build} if build else None
        task = w.poll(worker_version_capabilities=stamp)
        fields = {"worker_version_stamp": stamp, "binary_checksum": checksum}
        w.complete(task, force_create_new_workflow_task=True, **fields)
    found = w.describe().workflow_execution_info.search_attributes.indexed_fields
    builds = ["unversioned", "unversioned:b1", "unversioned:b2", "unversioned:b3"]
    assert json.loads(found["BuildIds"].data) == builds
    assert json.loads(found["BinaryChecksums"].data) == ["c1", "c2", "c3", "c2"]


def test_a_new_run_lists_builds_anew(w):
    """The checksums of the runs before come back with the first of its own."""
    w.start()
    fields = {"worker_version_stamp": {"build_id": "b1"}, "binary_checksum": "c1"}
    w.complete(w.poll(), c.continue_as_new(), **fields)
    found = w.describe().workflow_execution_info.search_attributes.indexed_fields
    assert not found
    fields = {"worker_version_stamp": {"build_id": "b2"}, "binary_checksum": "c2"}
    w.complete(w.poll(), **fields)
    found = w.describe().workflow_execution_info.search_attributes.indexed_fields
    assert json.loads(found["BuildIds"].data) == ["unversioned", "unversioned:b2"]
    assert json.loads(found["BinaryChecksums"].data) == ["c1", "c2"]


def test_the_start_of_an_activity_shows_the_build_that_ended_it(w):
    """Not the build that was given it; and none where none said so."""
    w.begin(c.activity("a"), c.activity("b", retry_policy={"maximum_attempts": 1}), c.activity("c"))
    given = {"worker_version_capabilities": {"build_id": "p"}}
    tasks = {}
    for _ in range(3):
        task = w.poll_activity(**given)
        tasks[task.activity_id] = task
    w.complete_activity(tasks["a"], worker_version={"build_id": "b1"})
    failure = {"message": "f", "application_failure_info": {}}
    w.fail_activity(tasks["b"], failure, worker_version={"build_id": "b2"})
    w.call("RespondActivityTaskCompletedById", workflow_id=w.id, activity_id="c")
    w.step()
    events = [history.attributes(e) for e in w.events() if "ActivityTask" in history.event_name(e)]
    said = {
        a.scheduled_event_id: a.worker_version.build_id
        for a in events
        if a.DESCRIPTOR.name == "ActivityTaskStartedEventAttributes"
    }
    assert said == {5: "b1", 6: "b2", 7: ""}
