"""StartWorkflowExecution: the first events, defaults, id policies and request-id dedup."""

import uuid

import commands as c
import history
import pytest
from client import payload, payloads, refused, seconds, values_of


def test_first_events(w):
    answer = w.start(identity="me", input=payloads("x", 1))
    assert answer.started
    assert answer.status == 1  # RUNNING
    assert answer.first_execution_run_id == answer.run_id
    assert uuid.UUID(answer.run_id)
    w.expect(f"""
        1 WorkflowExecutionStarted workflow_type.name=T task_queue.name={w.queue} attempt=1 \
task_queue.kind=NORMAL input='"x",1' workflow_task_timeout=10s identity=me \
original_execution_run_id={answer.run_id} first_execution_run_id={answer.run_id} \
first_workflow_task_backoff=0s workflow_id={w.id} workflow_run_timeout=- \
workflow_execution_timeout=- retry_policy=- parent_workflow_execution=- initiator=-
        2 WorkflowTaskScheduled task_queue.name={w.queue} start_to_close_timeout=10s attempt=1
    """)


def test_answer_links_to_the_first_event(w):
    link = w.start().link.workflow_event
    assert (link.namespace, link.workflow_id, link.run_id) == ("default", w.id, w.run_id)
    assert link.event_ref.event_type == 1  # WORKFLOW_EXECUTION_STARTED


def test_run_timeout_caps_workflow_task_timeout(w):
    w.start(workflow_run_timeout=seconds(5))
    w.expect("""
        1 WorkflowExecutionStarted workflow_run_timeout=5s workflow_task_timeout=5s
        2 WorkflowTaskScheduled start_to_close_timeout=5s
    """)


def test_workflow_task_timeout_is_capped_at_two_minutes(w):
    w.start(workflow_task_timeout=seconds(500))
    w.expect("""
        1 WorkflowExecutionStarted workflow_task_timeout=120s
        2 WorkflowTaskScheduled start_to_close_timeout=120s
    """)


@pytest.mark.parametrize(
    "execution, run, expected",
    [(100, None, "100s"), (100, 50, "50s"), (50, 100, "50s")],
)
def test_run_timeout_is_bounded_by_execution_timeout(w, execution, run, expected):
    fields = {"workflow_execution_timeout": seconds(execution)}
    if run is not None:
        fields["workflow_run_timeout"] = seconds(run)
    w.start(**fields)
    w.expect(f"""
        1 WorkflowExecutionStarted workflow_run_timeout={expected} \
workflow_execution_timeout={execution}s
        2 WorkflowTaskScheduled
    """)


def test_retry_policy_is_filled(w):
    w.start(retry_policy={"maximum_attempts": 3})
    w.expect("""
        1 WorkflowExecutionStarted retry_policy.initial_interval=1s \
retry_policy.backoff_coefficient=2.0 retry_policy.maximum_interval=100s \
retry_policy.maximum_attempts=3
        2 WorkflowTaskScheduled
    """)


def test_start_fields_reach_the_first_event(w):
    w.start(
        memo={"fields": {"m": payload("memo")}},
        header={"fields": {"h": payload("header")}},
        user_metadata={"summary": payload("summary"), "details": payload("details")},
        priority={"priority_key": 2, "fairness_key": "f", "fairness_weight": 1.5},
    )
    first, _ = w.expect("""
        1 WorkflowExecutionStarted memo.fields.m='"memo"' header.fields.h='"header"' \
user_metadata.summary='"summary"' user_metadata.details='"details"' \
priority.priority_key=2 priority.fairness_key=f priority.fairness_weight=1.5
        2 WorkflowTaskScheduled
    """)
    assert first.version == 0
    info = w.describe()
    assert info.execution_config.user_metadata.summary.data == b'"summary"'
    assert info.workflow_execution_info.memo.fields["m"].data == b'"memo"'
    assert info.workflow_execution_info.priority.priority_key == 2


def test_user_metadata_of_a_start_is_not_limited(w):
    w.start(user_metadata={"summary": payload("x" * 500)})


def test_last_completion_result_and_continued_failure_are_taken(w):
    w.start(last_completion_result=payloads("last"), continued_failure={"message": "before"})
    w.expect("""
        1 WorkflowExecutionStarted last_completion_result='"last"' continued_failure.message=before
        2 WorkflowTaskScheduled
    """)


def test_task_ids_rise(w):
    w.start()
    first, second = w.events()
    assert 0 < first.task_id < second.task_id


# -- request ids -----------------------------------------------------------------------------------


def test_same_request_id_gives_the_same_run(w):
    first = w.start(request_id="r")
    again = w.start(request_id="r")
    assert (again.run_id, again.started) == (first.run_id, True)
    assert len(w.events()) == 2


def test_same_request_id_gives_the_same_run_when_closed(w):
    first = w.start(request_id="r")
    w.terminate()
    again = w.start(request_id="r")
    assert (again.run_id, again.started) == (first.run_id, True)
    assert w.status() == "TERMINATED"


def test_empty_request_id_is_generated(w):
    w.start(request_id="")
    request_ids = w.describe().workflow_extended_info.request_id_infos
    assert len(request_ids) == 1 and all(request_ids)


# -- id in use -------------------------------------------------------------------------------------


def test_running_id_is_refused(w):
    w.start(request_id="r1")
    message = f"Workflow execution is already running. WorkflowId: {w.id}, RunId: {w.run_id}."
    with refused("ALREADY_EXISTS", message, "WorkflowExecutionAlreadyStartedFailure") as error:
        w.start(request_id="r2")
    assert error.detail.start_request_id == "r1"
    assert error.detail.run_id == w.run_id
    assert error.detail.first_execution_run_id == w.run_id


@pytest.mark.parametrize("policy", ["ALLOW_DUPLICATE_FAILED_ONLY", "REJECT_DUPLICATE"])
def test_running_id_is_refused_under_every_reuse_policy(w, policy):
    w.start()
    with refused(
        "ALREADY_EXISTS",
        prefix="Workflow execution is already running.",
        detail="WorkflowExecutionAlreadyStartedFailure",
    ):
        w.start(workflow_id_reuse_policy="WORKFLOW_ID_REUSE_POLICY_" + policy)


def test_use_existing(w):
    first = w.start()
    second = w.start(workflow_id_conflict_policy="WORKFLOW_ID_CONFLICT_POLICY_USE_EXISTING")
    assert (second.run_id, second.started, second.status) == (first.run_id, False, 1)
    assert second.first_execution_run_id == first.run_id
    assert len(w.events()) == 2


def test_use_existing_starts_when_closed(w):
    w.start()
    w.terminate()
    second = w.start(workflow_id_conflict_policy="WORKFLOW_ID_CONFLICT_POLICY_USE_EXISTING")
    assert second.started and second.run_id != w.run_id


@pytest.mark.parametrize(
    "fields",
    [
        {"workflow_id_conflict_policy": "WORKFLOW_ID_CONFLICT_POLICY_TERMINATE_EXISTING"},
        {"workflow_id_reuse_policy": "WORKFLOW_ID_REUSE_POLICY_TERMINATE_IF_RUNNING"},
    ],
)
def test_terminate_existing(w, fields):
    w.start()
    second = w.start(**fields)
    assert second.started and second.run_id != w.run_id
    w.expect(f"""
        1 WorkflowExecutionStarted
        2 WorkflowTaskScheduled
        3 WorkflowExecutionTerminated reason="TerminateIfRunning WorkflowIdReusePolicy" \
details='"terminated by new runID: {second.run_id}"' identity=history-service
    """)
    w.expect(
        """
        1 WorkflowExecutionStarted continued_execution_run_id=-
        2 WorkflowTaskScheduled
    """,
        run_id=second.run_id,
    )


def test_terminate_existing_with_a_started_workflow_task(w):
    w.start()
    w.poll()
    w.start(workflow_id_conflict_policy="WORKFLOW_ID_CONFLICT_POLICY_TERMINATE_EXISTING")
    w.expect("""
        1 WorkflowExecutionStarted
        2 WorkflowTaskScheduled
        3 WorkflowTaskStarted
        4 WorkflowTaskFailed cause=FORCE_CLOSE_COMMAND identity=history-service
        5 WorkflowExecutionTerminated
    """)


# -- closed runs -----------------------------------------------------------------------------------

REUSE = "WORKFLOW_ID_REUSE_POLICY_"


def close(w, how):
    w.start()
    if how == "terminated":
        w.terminate()
    elif how == "completed":
        w.step(c.complete())
    elif how == "failed":
        w.step(c.fail())
    elif how == "cancelled":
        w.cancel()
        w.step(c.cancel())
    elif how == "timed out":
        w.wait_for("WorkflowExecutionTimedOut")


@pytest.mark.parametrize("how", ["completed", "failed", "cancelled", "terminated"])
def test_closed_id_may_be_reused_by_default(w, how):
    close(w, how)
    assert w.start().run_id != w.run_id


@pytest.mark.parametrize("how", ["failed", "cancelled", "terminated"])
def test_failed_only_allows_after_a_failure(w, how):
    close(w, how)
    assert w.start(workflow_id_reuse_policy=REUSE + "ALLOW_DUPLICATE_FAILED_ONLY").started


def test_failed_only_allows_after_a_timeout(w):
    w.start(workflow_run_timeout=seconds(1))
    w.wait_for("WorkflowExecutionTimedOut")
    assert w.start(workflow_id_reuse_policy=REUSE + "ALLOW_DUPLICATE_FAILED_ONLY").started


def test_failed_only_refuses_after_a_success(w):
    w.start(request_id="first")
    w.step(c.complete())
    message = (
        f"Workflow execution already finished successfully. WorkflowId: {w.id}, "
        f"RunId: {w.run_id}. Workflow Id reuse policy: "
        "allow duplicate workflow Id if last run failed."
    )
    with refused("ALREADY_EXISTS", message, "WorkflowExecutionAlreadyStartedFailure") as error:
        w.start(workflow_id_reuse_policy=REUSE + "ALLOW_DUPLICATE_FAILED_ONLY")
    assert (error.detail.run_id, error.detail.start_request_id) == (w.run_id, "first")


def test_reject_duplicate_refuses_after_any_close(w):
    close(w, "failed")
    message = (
        f"Workflow execution already finished. WorkflowId: {w.id}, "
        f"RunId: {w.run_id}. Workflow Id reuse policy: reject duplicate workflow Id."
    )
    with refused("ALREADY_EXISTS", message, "WorkflowExecutionAlreadyStartedFailure"):
        w.start(workflow_id_reuse_policy=REUSE + "REJECT_DUPLICATE")


@pytest.mark.parametrize(
    "reuse, conflict, message",
    [
        (
            "TERMINATE_IF_RUNNING",
            "FAIL",
            "Invalid WorkflowIDReusePolicy: WORKFLOW_ID_REUSE_POLICY_TERMINATE_IF_RUNNING "
            "cannot be used together with a WorkflowIDConflictPolicy",
        ),
        (
            "REJECT_DUPLICATE",
            "TERMINATE_EXISTING",
            "Invalid WorkflowIDReusePolicy: WORKFLOW_ID_REUSE_POLICY_REJECT_DUPLICATE "
            "cannot be used together with WorkflowIdConflictPolicy "
            "WORKFLOW_ID_CONFLICT_POLICY_TERMINATE_EXISTING",
        ),
    ],
)
def test_illegal_pairs_of_policies(w, reuse, conflict, message):
    with refused("INVALID_ARGUMENT", message):
        w.start(
            workflow_id_reuse_policy=REUSE + reuse,
            workflow_id_conflict_policy="WORKFLOW_ID_CONFLICT_POLICY_" + conflict,
        )


# -- on_conflict_options ---------------------------------------------------------------------------


def test_attach_request_id(w):
    w.start()
    second = w.start(
        request_id="attached",
        workflow_id_conflict_policy="WORKFLOW_ID_CONFLICT_POLICY_USE_EXISTING",
        on_conflict_options={"attach_request_id": True},
    )
    assert not second.started
    w.expect("""
        1 WorkflowExecutionStarted
        2 WorkflowTaskScheduled
        3 WorkflowExecutionOptionsUpdated attached_request_id=attached worker_may_ignore=true
    """)
    infos = w.describe().workflow_extended_info.request_id_infos
    assert infos["attached"].event_id == 3
    assert second.link.workflow_event.request_id_ref.request_id == "attached"


def test_attached_request_id_is_deduplicated(w):
    w.start()
    for _ in range(2):
        w.start(
            request_id="attached",
            workflow_id_conflict_policy="WORKFLOW_ID_CONFLICT_POLICY_USE_EXISTING",
            on_conflict_options={"attach_request_id": True},
        )
    assert len(w.events()) == 3


def test_callbacks_need_a_request_id(w):
    w.start()
    with refused(
        "INVALID_ARGUMENT", "attaching request ID is required for attaching completion callbacks"
    ):
        w.start(
            workflow_id_conflict_policy="WORKFLOW_ID_CONFLICT_POLICY_USE_EXISTING",
            on_conflict_options={"attach_completion_callbacks": True},
        )


def test_callback_urls_must_be_allowed(w):
    message = "invalid url: url does not match any configured callback address: http://example.com"
    with refused("INVALID_ARGUMENT", message):
        w.start(completion_callbacks=[{"nexus": {"url": "http://example.com"}}])


# -- the first workflow task -----------------------------------------------------------------------


def test_first_poll(w):
    w.start(input=payloads("in"))
    task = w.poll()
    assert task.workflow_execution.workflow_id == w.id
    assert task.workflow_execution.run_id == w.run_id
    assert task.workflow_type.name == "T"
    assert (task.previous_started_event_id, task.started_event_id, task.attempt) == (0, 3, 1)
    assert task.workflow_execution_task_queue.name == w.queue
    assert task.scheduled_time.ToNanoseconds() <= task.started_time.ToNanoseconds()
    assert [e.event_id for e in task.history.events] == [1, 2, 3]
    assert values_of(task.history.events[0].workflow_execution_started_event_attributes.input) == [
        "in"
    ]
    assert not task.next_page_token and not task.HasField("query") and not task.queries
    w.expect("""
        1 WorkflowExecutionStarted
        2 WorkflowTaskScheduled
        3 WorkflowTaskStarted scheduled_event_id=2 identity=worker suggest_continue_as_new=-
    """)


def test_start_delay(w):
    w.start(workflow_start_delay=seconds(60))
    w.expect("1 WorkflowExecutionStarted first_workflow_task_backoff=60s")
    info = w.describe().workflow_execution_info
    assert info.execution_time.ToSeconds() - info.start_time.ToSeconds() in (60, 61)


def test_start_delay_ends(w):
    w.start(workflow_start_delay=seconds(1))
    w.expect("1 WorkflowExecutionStarted")
    assert w.poll().attempt == 1


def test_signal_does_not_end_a_start_delay(w):
    w.start(workflow_start_delay=seconds(60))
    w.signal("s")
    w.expect("""
        1 WorkflowExecutionStarted
        2 WorkflowExecutionSignaled
    """)


def test_signal_with_start_ends_a_start_delay(w):
    w.start(workflow_start_delay=seconds(60))
    assert not w.signal_with_start("s").started
    w.expect("""
        1 WorkflowExecutionStarted
        2 WorkflowExecutionSignaled
        3 WorkflowTaskScheduled
    """)


def test_cancel_ends_a_start_delay(w):
    w.start(workflow_start_delay=seconds(60))
    w.cancel()
    w.expect("""
        1 WorkflowExecutionStarted
        2 WorkflowExecutionCancelRequested
        3 WorkflowTaskScheduled
    """)


def test_terminate_during_a_start_delay(w):
    w.start(workflow_start_delay=seconds(60))
    w.terminate()
    w.expect("""
        1 WorkflowExecutionStarted
        2 WorkflowExecutionTerminated
    """)


def test_delay_and_cron_exclude_each_other(w):
    with refused(
        "INVALID_ARGUMENT", "CronSchedule and WorkflowStartDelay may not be used together."
    ):
        w.start(workflow_start_delay=seconds(1), cron_schedule="* * * * *")


def test_describe_a_new_run(w):
    w.start(
        workflow_execution_timeout=seconds(300),
        workflow_run_timeout=seconds(200),
        workflow_task_timeout=seconds(7),
        request_id="r",
    )
    answer = w.describe()
    config = answer.execution_config
    assert config.task_queue.name == w.queue
    assert config.workflow_execution_timeout.seconds == 300
    assert config.workflow_run_timeout.seconds == 200
    assert config.default_workflow_task_timeout.seconds == 7
    info = answer.workflow_execution_info
    assert (info.execution.workflow_id, info.execution.run_id) == (w.id, w.run_id)
    assert info.type.name == "T"
    assert info.status == 1
    assert info.history_length == 2
    assert info.history_size_bytes > 0
    assert info.task_queue == w.queue
    assert info.first_run_id == w.run_id
    assert info.root_execution.run_id == w.run_id
    assert not info.HasField("close_time") and not info.HasField("parent_execution")
    assert info.execution_time.ToNanoseconds() == info.start_time.ToNanoseconds()
    task = answer.pending_workflow_task
    assert (task.state, task.attempt) == (1, 1)  # SCHEDULED
    assert (
        abs(task.scheduled_time.ToNanoseconds() - task.original_scheduled_time.ToNanoseconds())
        < 1e9
    )
    assert not task.HasField("started_time")
    extended = answer.workflow_extended_info
    start = info.start_time.ToSeconds()
    assert extended.execution_expiration_time.ToSeconds() - start in (299, 300, 301)
    assert extended.run_expiration_time.ToSeconds() - start in (199, 200, 201)
    assert not extended.cancel_requested
    request = extended.request_id_infos["r"]
    assert (request.event_type, request.event_id, request.buffered) == (1, 1, False)


def test_describe_without_timeouts(w):
    w.start()
    extended = w.describe().workflow_extended_info
    assert not extended.HasField("execution_expiration_time")
    assert extended.run_expiration_time.ToJsonString() == "0001-01-01T00:00:00Z"


def test_describe_a_started_task(w):
    w.start()
    w.poll()
    answer = w.describe()
    assert answer.pending_workflow_task.state == 2  # STARTED
    assert answer.pending_workflow_task.HasField("started_time")
    assert answer.workflow_execution_info.history_length == 3


def test_describe_a_closed_run(w):
    w.begin(c.complete("done"))
    answer = w.describe()
    info = answer.workflow_execution_info
    assert info.status == 2  # COMPLETED
    assert info.history_length == 5
    assert info.close_time.ToNanoseconds() >= info.start_time.ToNanoseconds()
    assert info.HasField("execution_duration")
    assert not answer.HasField("pending_workflow_task")


def test_run_ids_of_direct_starts_sort_by_time(w):
    first = w.start().run_id
    w.terminate()
    second = w.start().run_id
    assert uuid.UUID(first).version == uuid.UUID(second).version == 7
    assert first < second


def test_unset_run_id_means_the_current_run(w):
    w.start()
    w.terminate()
    second = w.start()
    assert w.describe().workflow_execution_info.execution.run_id == second.run_id
    assert w.describe(w.run_id).workflow_execution_info.status == 5  # TERMINATED


def test_payload_bytes_are_kept(w):
    binary = bytes(range(256))
    raw = {"metadata": {"encoding": b"binary/plain", "x": b"\x00\xff"}, "data": binary}
    w.start(input={"payloads": [raw, {"metadata": {"encoding": b"binary/null"}}]})
    kept = w.events()[0].workflow_execution_started_event_attributes.input.payloads
    assert kept[0].data == binary and kept[0].metadata["x"] == b"\x00\xff"
    assert kept[1].data == b"" and kept[1].metadata["encoding"] == b"binary/null"


def test_a_timeout_of_zero_is_shown_as_zero(w):
    """A client that sets no timeout by a zero gets the zero back, one that does not set it gets none."""
    w.start(workflow_execution_timeout=seconds(0), workflow_run_timeout=seconds(0))
    started = history.attributes(w.events()[0])
    assert started.HasField("workflow_execution_timeout")
    assert started.HasField("workflow_run_timeout")
    config = w.describe().execution_config
    assert config.HasField("workflow_execution_timeout")
    assert config.workflow_run_timeout.seconds == 0


def test_an_empty_memo_is_none(w):
    w.start(memo={"fields": {}})
    assert not history.attributes(w.events()[0]).HasField("memo")
