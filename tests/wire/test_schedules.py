"""Schedules: what they answer, what they start, and what they do while it runs."""

import re
import uuid
from datetime import datetime, timedelta

import commands as c
import pytest
from client import eventually, payload, payloads, refused, seconds, value_of
from google.protobuf.timestamp_pb2 import Timestamp
from test_search_attributes import indexed, prepared, s  # noqa: F401  (fixtures)

HOURLY = {"interval": [{"interval": seconds(3600)}]}
NEVER = {"calendar": [{"year": "2099"}]}


def stamp(text):
    out = Timestamp()
    out.FromJsonString(text)
    return out


class Schedule:
    """A schedule on a scene's queue."""

    def __init__(self, w):
        self.w = w
        self.call = w.call
        self.id = "s-" + uuid.uuid4().hex[:12]

    def wanted(self, spec=NEVER, policies=None, state=None, **action):
        if "action_memo" in action:
            action["memo"] = action.pop("action_memo")
        action.setdefault("workflow_id", self.w.id)
        action.setdefault("workflow_type", {"name": "T"})
        action.setdefault("task_queue", {"name": self.w.queue})
        return {
            "spec": spec,
            "action": {"start_workflow": action},
            "policies": policies or {},
            "state": state or {},
        }

    def create(self, patch=None, memo=None, search_attributes=None, **wanted):
        return self.call(
            "CreateSchedule",
            schedule_id=self.id,
            request_id=uuid.uuid4().hex,
            schedule=self.wanted(**wanted),
            **{
                name: value
                for name, value in {
                    "initial_patch": patch,
                    "memo": memo,
                    "search_attributes": search_attributes,
                }.items()
                if value is not None
            },
        )

    def describe(self):
        return self.call("DescribeSchedule", schedule_id=self.id)

    def info(self):
        return self.describe().info

    def token(self):
        return int.from_bytes(self.describe().conflict_token, "big")

    def patch(self, **patch):
        return self.call(
            "PatchSchedule", schedule_id=self.id, request_id=uuid.uuid4().hex, patch=patch
        )

    def trigger(self, policy="UNSPECIFIED"):
        return self.patch(
            trigger_immediately={"overlap_policy": "SCHEDULE_OVERLAP_POLICY_" + policy}
        )

    def backfill(self, start, end, policy="UNSPECIFIED"):
        return self.patch(
            backfill_request=[
                {
                    "start_time": stamp(start),
                    "end_time": stamp(end),
                    "overlap_policy": "SCHEDULE_OVERLAP_POLICY_" + policy,
                }
            ]
        )

    def update(self, conflict_token=b"", **wanted):
        more = {
            name: wanted.pop(name) for name in ("search_attributes", "memo") if name in wanted
        }
        return self.call(
            "UpdateSchedule",
            schedule_id=self.id,
            request_id=uuid.uuid4().hex,
            schedule=self.wanted(**wanted),
            conflict_token=conflict_token,
            **more,
        )

    def delete(self):
        return self.call("DeleteSchedule", schedule_id=self.id)

    def when(self, check):
        """The info once it is as wanted."""

        def look():
            info = self.info()
            return info if check(info) else None

        return eventually(look, timeout=20)

    def when_counts(self, **counts):
        return self.when(lambda info: all(getattr(info, k) == v for k, v in counts.items()))


@pytest.fixture
def schedule(w):
    schedule = Schedule(w)
    yield schedule
    try:
        running = schedule.info().running_workflows
        schedule.delete()
        for execution in running:
            w.call("TerminateWorkflowExecution", workflow_execution={"workflow_id": execution.workflow_id})
    except Exception:
        pass  # the test has ended it


def nothing(policy):
    return {"overlap_policy": "SCHEDULE_OVERLAP_POLICY_" + policy}


# -- create, describe, delete ----------------------------------------------------------------------


def test_create_answers_with_the_first_token(schedule):
    assert schedule.create().conflict_token == (1).to_bytes(8, "big")
    assert schedule.token() == 1


def test_an_id_is_taken_once(schedule):
    schedule.create()
    message = f'schedule "{schedule.id}" is already registered'
    with refused("ALREADY_EXISTS", message, "WorkflowExecutionAlreadyStartedFailure") as error:
        schedule.create()
    assert (error.detail.run_id, error.detail.start_request_id) == ("", "")


def test_the_same_request_creates_once(schedule):
    request = {"schedule_id": schedule.id, "request_id": "r" + schedule.id}
    first = schedule.call("CreateSchedule", schedule=schedule.wanted(), **request)
    assert schedule.call("CreateSchedule", schedule=schedule.wanted(), **request) == first


def test_a_deleted_schedule(schedule):
    schedule.create()
    schedule.delete()
    gone = lambda: refused("NOT_FOUND", "schedule not found", "NotFoundFailure")
    with gone():
        schedule.describe()
    completed = lambda: refused(
        "NOT_FOUND", "workflow execution already completed", "NotFoundFailure"
    )
    with completed():
        schedule.delete()
    with completed():
        schedule.trigger()
    with completed():
        schedule.update()
    schedule.create()
    assert schedule.token() == 1


@pytest.mark.parametrize("rpc", ["DescribeSchedule", "DeleteSchedule", "ListScheduleMatchingTimes"])
def test_an_unknown_schedule(w, rpc):
    message = "workflow not found for ID: temporal-sys-scheduler:nope"
    with refused("NOT_FOUND", message, "NotFoundFailure"):
        times = {}
        if rpc == "ListScheduleMatchingTimes":
            times = {"start_time": Timestamp(seconds=1), "end_time": Timestamp(seconds=2)}
        w.call(rpc, schedule_id="nope", **times)


def test_patching_or_updating_an_unknown_schedule(schedule):
    message = f"workflow not found for ID: temporal-sys-scheduler:{schedule.id}"
    with refused("NOT_FOUND", message, "NotFoundFailure"):
        schedule.trigger()
    with refused("NOT_FOUND", message, "NotFoundFailure"):
        schedule.update()


def test_describe_shows_defaults(schedule):
    schedule.create(spec={"cron_string": ["CRON_TZ=Asia/Tokyo 5 6 * * mon # early"]})
    shown = schedule.describe()
    spec = shown.schedule.spec
    assert (spec.timezone_name, list(spec.cron_string)) == ("Asia/Tokyo", [])
    calendar = spec.structured_calendar[0]
    assert calendar.comment == "early"
    ranges = lambda field: [(r.start, r.end, r.step) for r in getattr(calendar, field)]
    assert ranges("second") == [(0, 0, 1)]
    assert ranges("minute") == [(5, 5, 1)]
    assert ranges("hour") == [(6, 6, 1)]
    assert ranges("day_of_month") == [(1, 31, 1)]
    assert ranges("month") == [(1, 12, 1)]
    assert ranges("day_of_week") == [(1, 1, 1)]
    assert ranges("year") == []
    policies = shown.schedule.policies
    assert (policies.overlap_policy, policies.catchup_window.seconds) == (1, 31536000)
    assert shown.schedule.HasField("state")
    assert shown.schedule.action.start_workflow.task_queue.kind == 1
    info = shown.info
    assert (info.action_count, info.missed_catchup_window, info.overlap_skipped) == (0, 0, 0)
    assert (info.buffer_dropped, info.buffer_size, info.invalid_schedule_error) == (0, 0, "")
    assert info.create_time.seconds and not info.HasField("update_time")
    assert len(info.future_action_times) == 10
    assert not shown.HasField("memo") and not shown.HasField("search_attributes")


def test_a_short_catchup_window_becomes_ten_seconds(schedule):
    schedule.create(policies={"catchup_window": seconds(2)})
    assert schedule.describe().schedule.policies.catchup_window.seconds == 10


def test_a_schedule_without_action(w):
    schedule = Schedule(w)
    w.call("CreateSchedule", schedule_id=schedule.id, request_id="r")
    schedule.trigger()
    assert schedule.info().action_count == 0
    schedule.delete()


def test_memo_and_header_and_attributes_of_the_schedule(schedule):
    schedule.create(memo={"fields": {"m": payload("x")}})
    assert value_of(schedule.describe().memo.fields["m"]) == "x"
    assert list(schedule.describe().memo.fields) == ["m"]


# -- refused ---------------------------------------------------------------------------------------


def test_create_needs_a_request_id(schedule):
    with refused("INVALID_ARGUMENT", "RequestId is not set on request."):
        schedule.call("CreateSchedule", schedule_id=schedule.id, schedule=schedule.wanted())


def test_long_ids(schedule):
    with refused("INVALID_ARGUMENT", "RequestId length exceeds limit."):
        schedule.call("CreateSchedule", schedule_id=schedule.id, request_id="r" * 1001)
    long = "x" * 978
    message = "WorkflowId exceeds maximum allowed length (1001/1000)"
    with refused("INVALID_ARGUMENT", message):
        schedule.call("CreateSchedule", schedule_id=long, request_id="r")
    with refused("INVALID_ARGUMENT", message):
        schedule.create(workflow_id="x" * 980)


@pytest.mark.parametrize(
    "action, message",
    [
        ({"workflow_type": {}}, "WorkflowType is not set on request."),
        ({"workflow_type": {"name": "x" * 1001}}, "WorkflowType length exceeds limit."),
        ({"task_queue": {}}, "missing task queue name"),
        ({"cron_schedule": "* * * * *"}, "Scheduled workflow must not contain CronSchedule"),
        (
            {"workflow_id_reuse_policy": "WORKFLOW_ID_REUSE_POLICY_REJECT_DUPLICATE"},
            "Scheduled workflow must not contain WorkflowIDReusePolicy",
        ),
        (
            {"workflow_run_timeout": seconds(-1)},
            "An invalid WorkflowRunTimeoutSeconds is set on request. cause: negative duration",
        ),
    ],
    ids=["no-type", "long-type", "no-queue", "cron", "reuse", "timeout"],
)
def test_bad_actions(schedule, action, message):
    with refused("INVALID_ARGUMENT", message):
        schedule.create(**action)
    schedule.create()
    with refused("INVALID_ARGUMENT", message):
        schedule.update(**action)


def test_unknown_search_attributes(schedule):
    unknown = {"indexed_fields": {"Nope": payload(1)}}
    message = "Namespace default has no mapping defined for search attribute Nope"
    with refused("INVALID_ARGUMENT", message):
        schedule.create(search_attributes=unknown)
    schedule.create()
    with refused("INVALID_ARGUMENT", message):
        schedule.update(search_attributes=unknown)


def test_an_update_needs_an_action(schedule):
    schedule.create()
    with refused("INVALID_ARGUMENT", "Only StartWorkflow action is supported for schedules"):
        schedule.call("UpdateSchedule", schedule_id=schedule.id, request_id="r")


def test_a_memo_is_not_updated(schedule):
    schedule.create()
    message = "memo updates are not supported on workflow-backed schedules"
    with refused("FAILED_PRECONDITION", message):
        schedule.update(memo={"fields": {"m": payload(1)}})


def test_patches(schedule):
    schedule.create()
    with refused("INVALID_ARGUMENT", "Patch is not set on request."):
        schedule.call("PatchSchedule", schedule_id=schedule.id)
    for field in ("pause", "unpause"):
        with refused("INVALID_ARGUMENT", "Schedule notes exceeds limit."):
            schedule.patch(**{field: "x" * 1001})


# -- matching times --------------------------------------------------------------------------------


def test_matching_times_exclude_the_start(schedule):
    schedule.create(spec=HOURLY)
    times = schedule.call(
        "ListScheduleMatchingTimes",
        schedule_id=schedule.id,
        start_time=stamp("2026-11-22T00:00:00Z"),
        end_time=stamp("2026-11-22T02:00:00Z"),
    ).start_time
    assert [t.ToJsonString()[11:16] for t in times] == ["01:00", "02:00"]


def test_at_most_a_thousand_matching_times(schedule):
    schedule.create(spec={"interval": [{"interval": seconds(60)}]})
    times = schedule.call(
        "ListScheduleMatchingTimes",
        schedule_id=schedule.id,
        start_time=stamp("2026-11-22T00:00:00Z"),
        end_time=stamp("2026-12-22T00:00:00Z"),
    ).start_time
    assert len(times) == 1000


# -- actions ---------------------------------------------------------------------------------------


def test_an_action_starts_a_workflow(schedule, w):
    schedule.create(
        input=payloads("in"),
        action_memo={"fields": {"m": payload("x")}},
        header={"fields": {"h": payload("y")}},
        user_metadata={"summary": payload("sum")},
        priority={"priority_key": 2},
        workflow_run_timeout=seconds(100),
        workflow_execution_timeout=seconds(200),
        workflow_task_timeout=seconds(7),
        retry_policy={"maximum_attempts": 3},
    )
    schedule.trigger()
    info = schedule.when_counts(action_count=1)
    action = info.recent_actions[0]
    execution = action.start_workflow_result
    assert info.running_workflows[0] == execution
    assert action.start_workflow_status == 1
    nominal = action.schedule_time.ToDatetime().replace(microsecond=0)
    assert execution.workflow_id == f"{w.id}-{nominal.isoformat()}Z"
    event = w.events(execution.run_id, execution.workflow_id)[0]
    a = event.workflow_execution_started_event_attributes
    assert a.identity == f"temporal-scheduler-default-{schedule.id}"
    assert (a.workflow_type.name, a.task_queue.name) == ("T", w.queue)
    assert value_of(a.input.payloads[0]) == "in"
    assert value_of(a.memo.fields["m"]) == "x"
    assert value_of(a.header.fields["h"]) == "y"
    assert value_of(event.user_metadata.summary) == "sum"
    assert a.priority.priority_key == 2
    timeouts = (a.workflow_run_timeout, a.workflow_execution_timeout, a.workflow_task_timeout)
    assert [t.seconds for t in timeouts] == [100, 200, 7]
    assert (a.retry_policy.maximum_attempts, a.retry_policy.backoff_coefficient) == (3, 2)
    assert (a.attempt, a.first_execution_run_id) == (1, execution.run_id)
    attributes = a.search_attributes.indexed_fields
    assert value_of(attributes["TemporalScheduledById"]) == schedule.id
    time = value_of(attributes["TemporalScheduledStartTime"])
    assert time == f"{nominal.isoformat()}Z"
    assert attributes["TemporalScheduledStartTime"].metadata["type"] == b"Datetime"


def test_the_results_of_an_action_are_passed_on(schedule, w):
    schedule.create()
    schedule.trigger()
    w.step(c.complete("first"))
    schedule.when_counts(action_count=1)

    def second():
        schedule.trigger()
        return schedule.info().action_count == 2 or None

    eventually(second, every=1.1)
    task = w.poll()
    a = task.history.events[0].workflow_execution_started_event_attributes
    assert value_of(a.last_completion_result.payloads[0]) == "first"
    assert not a.HasField("continued_failure")
    w.complete(task, c.fail("boom"))

    def third():
        schedule.trigger()
        return schedule.info().action_count == 3 or None

    eventually(third, every=1.1)
    task = w.poll()
    a = task.history.events[0].workflow_execution_started_event_attributes
    assert value_of(a.last_completion_result.payloads[0]) == "first"
    assert a.continued_failure.message == "boom"
    w.complete(task, c.complete())


def test_the_end_of_a_chain_is_the_end_of_the_action(schedule, w):
    schedule.create(policies=nothing("BUFFER_ALL"))
    schedule.trigger()
    task = w.poll()
    # A second action waits, also while the first continues as new.
    eventually(lambda: schedule.info().action_count == 1 or None)
    time_passes(schedule)
    schedule.trigger()
    schedule.when_counts(buffer_size=1)
    w.complete(task, c.continue_as_new())
    task = w.poll()
    assert schedule.info().action_count == 1
    w.complete(task, c.complete())
    info = schedule.when_counts(action_count=2, buffer_size=0)
    assert info.recent_actions[0].start_workflow_status == 2
    w.step(c.complete())


def time_passes(schedule):
    """Triggers within a second make workflow ids that are the same."""
    last = schedule.info().recent_actions[-1].schedule_time.seconds

    def later():
        now = Timestamp()
        now.GetCurrentTime()
        return now.seconds > last or None

    eventually(later)


def test_skip_counts(schedule, w):
    schedule.create()
    schedule.trigger()
    schedule.when_counts(action_count=1)
    schedule.trigger()
    schedule.when_counts(action_count=1, overlap_skipped=1)


def test_buffer_one_keeps_one(schedule, w):
    schedule.create(policies=nothing("BUFFER_ONE"))
    schedule.trigger()
    schedule.when_counts(action_count=1)
    for _ in range(2):
        time_passes(schedule)
        schedule.trigger()
    schedule.when_counts(action_count=1, overlap_skipped=1, buffer_size=1)
    w.step(c.complete())
    schedule.when_counts(action_count=2, buffer_size=0)


def test_cancel_other(schedule, w):
    schedule.create(policies=nothing("CANCEL_OTHER"))
    schedule.trigger()
    w.step(c.timer())
    schedule.when_counts(action_count=1)
    time_passes(schedule)
    schedule.trigger()
    task = w.poll()
    event = next(
        e
        for e in task.history.events
        if e.HasField("workflow_execution_cancel_requested_event_attributes")
    )
    a = event.workflow_execution_cancel_requested_event_attributes
    assert a.cause == "cancelled by schedule overlap policy"
    assert a.identity == f"temporal-scheduler-default-{schedule.id}"
    w.complete(task, c.cancel())
    info = schedule.when_counts(action_count=2)
    assert info.recent_actions[0].start_workflow_status == 4


def test_terminate_other(schedule, w):
    schedule.create(policies=nothing("TERMINATE_OTHER"))
    schedule.trigger()
    first = schedule.when_counts(action_count=1).running_workflows[0]
    time_passes(schedule)
    schedule.trigger()
    info = schedule.when_counts(action_count=2)
    assert info.recent_actions[0].start_workflow_status == 5
    close = w.events(first.run_id, first.workflow_id)[-1]
    a = close.workflow_execution_terminated_event_attributes
    assert a.reason == "terminated by schedule overlap policy"
    assert a.identity == f"temporal-scheduler-default-{schedule.id}"


def test_allow_all(schedule, w):
    schedule.create(policies=nothing("ALLOW_ALL"))
    schedule.trigger()
    schedule.when_counts(action_count=1)
    time_passes(schedule)
    schedule.trigger()
    info = schedule.when_counts(action_count=2)
    assert not info.running_workflows
    for action in info.recent_actions:
        w.call("TerminateWorkflowExecution", workflow_execution=action.start_workflow_result)


def test_an_initial_patch(schedule):
    schedule.create(
        patch={"trigger_immediately": {}, "pause": "not yet"},
    )
    schedule.when_counts(action_count=1)
    state = schedule.describe().schedule.state
    assert (state.paused, state.notes) == (True, "not yet")


def test_a_backfill_includes_both_ends(schedule, w):
    schedule.create(spec=HOURLY, state={"paused": True})
    schedule.backfill("2026-11-01T00:00:00Z", "2026-11-01T02:00:00Z", "ALLOW_ALL")
    info = schedule.when_counts(action_count=3)
    ids = [a.start_workflow_result.workflow_id for a in info.recent_actions]
    assert ids == [f"{w.id}-2026-11-01T0{hour}:00:00Z" for hour in range(3)]
    for action in info.recent_actions:
        w.call("TerminateWorkflowExecution", workflow_execution=action.start_workflow_result)


def test_a_time_comes(schedule, w):
    schedule.create(spec={"interval": [{"interval": seconds(1)}]}, policies=nothing("SKIP"))
    task = w.poll()
    workflow_id = task.workflow_execution.workflow_id
    assert re.fullmatch(re.escape(w.id) + r"-\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ", workflow_id)
    schedule.when(lambda info: info.overlap_skipped >= 1)
    schedule.patch(pause="enough")
    w.complete(task, c.complete())
    eventually(lambda: schedule.describe().schedule.state.paused or None)


def test_limited_actions(schedule, w):
    schedule.create(
        spec={"interval": [{"interval": seconds(1)}]},
        policies=nothing("ALLOW_ALL"),
        state={"limited_actions": True, "remaining_actions": 2},
    )
    info = schedule.when_counts(action_count=2)
    assert schedule.describe().schedule.state.remaining_actions == 0
    assert not schedule.info().future_action_times
    assert schedule.token() == 3
    for action in info.recent_actions:
        w.call("TerminateWorkflowExecution", workflow_execution=action.start_workflow_result)


def test_pause_on_failure(schedule, w):
    schedule.create(
        spec={"interval": [{"interval": seconds(1)}]},
        policies={"pause_on_failure": True, **nothing("BUFFER_ONE")},
    )
    task = w.poll()
    schedule.when_counts(buffer_size=1)
    w.complete(task, c.fail("boom"))

    def paused():
        state = schedule.describe().schedule.state
        return state if state.paused else None

    notes = eventually(paused).notes
    workflow_id = task.workflow_execution.workflow_id
    assert notes == f"paused due to workflow failure: {workflow_id}: boom"


# -- pause, update, tokens -------------------------------------------------------------------------


def test_pause_and_unpause(schedule):
    schedule.create(spec=HOURLY)
    for paused, notes in [(True, "why"), (False, "go on")]:
        schedule.patch(**{"pause" if paused else "unpause": notes})

        def look():
            state = schedule.describe().schedule.state
            return (state.paused, state.notes) == (paused, notes) or None

        eventually(look)
    assert schedule.token() == 3


def test_an_update_replaces(schedule):
    schedule.create(spec=HOURLY)
    schedule.update(
        spec={"interval": [{"interval": seconds(7200)}]},
        policies={"pause_on_failure": True},
        state={"notes": "new"},
        workflow_type={"name": "Other"},
    )
    schedule.when(lambda info: info.HasField("update_time"))
    shown = schedule.describe().schedule
    assert shown.spec.interval[0].interval.seconds == 7200
    assert (shown.policies.pause_on_failure, shown.state.notes) == (True, "new")
    assert shown.action.start_workflow.workflow_type.name == "Other"
    assert schedule.token() == 2


def test_a_wrong_token_is_ignored(schedule):
    schedule.create(spec=HOURLY)
    wrong, right = ((n).to_bytes(8, "big") for n in (7, 1))
    schedule.update(conflict_token=wrong, state={"notes": "wrong"})
    schedule.update(conflict_token=right, state={"notes": "right"})
    schedule.when(lambda info: info.HasField("update_time"))
    assert schedule.describe().schedule.state.notes == "right"
    assert schedule.token() == 2
    # A short token is none.
    schedule.update(conflict_token=b"x", state={"notes": "short"})
    eventually(lambda: schedule.describe().schedule.state.notes == "short" or None)


# -- lists -----------------------------------------------------------------------------------------


def listed(schedule, query=None):
    query = query or f"ScheduleId = '{schedule.id}'"
    return schedule.call("ListSchedules", query=query).schedules


def entry_when(schedule, check):
    def look():
        found = listed(schedule)
        return found[0] if found and check(found[0]) else None

    return eventually(look)


def test_an_entry(schedule):
    schedule.create(
        spec={"interval": [{"interval": seconds(3600 + n)} for n in range(12)]},
        memo={"fields": {"m": payload("x")}},
        state={"notes": "n"},
    )
    entry = entry_when(schedule, lambda e: e.info.workflow_type.name)
    assert entry.schedule_id == schedule.id
    assert list(entry.memo.fields) == ["m"]
    assert not entry.HasField("search_attributes")
    info = entry.info
    assert (info.workflow_type.name, info.notes, info.paused) == ("T", "n", False)
    assert (len(info.spec.interval), len(info.future_action_times)) == (10, 5)
    schedule.trigger()
    entry = entry_when(schedule, lambda e: e.info.recent_actions)
    assert len(entry.info.recent_actions) == 1
    schedule.patch(pause="p")
    entry_when(schedule, lambda e: e.info.paused)


def test_queries(schedule):
    schedule.create()
    entry_when(schedule, lambda e: True)
    mine = f"ScheduleId = '{schedule.id}'"
    count = lambda query: schedule.call("CountSchedules", query=query).count
    assert count(mine) == 1
    assert count(f"ScheduleId IN ('{schedule.id}', 'other')") == 1
    assert count(f"ScheduleId STARTS_WITH '{schedule.id[:-1]}'") == 1
    assert count(f"{mine} AND ScheduleId != '{schedule.id}'") == 0
    assert count(f"{mine} AND TemporalSchedulePaused = false") == 1
    assert count(f"{mine} AND TemporalSchedulePaused = true") == 0
    schedule.patch(pause="p")
    eventually(lambda: count(f"{mine} AND TemporalSchedulePaused = true") == 1 or None)
    assert count("") >= 1
    schedule.delete()
    eventually(lambda: count(mine) == 0 or None)


def test_workflow_lists_do_not_show_schedules(schedule):
    schedule.create()
    entry_when(schedule, lambda e: True)
    execution_id = f"temporal-sys-scheduler:{schedule.id}"
    workflows = lambda query: schedule.call("ListWorkflowExecutions", query=query).executions
    assert not workflows(f"WorkflowId = '{execution_id}'")
    division = "TemporalNamespaceDivision = 'TemporalScheduler'"
    (found,) = workflows(f"WorkflowId = '{execution_id}' AND {division}")
    assert found.type.name == "temporal-sys-scheduler-workflow"


def test_bad_queries(w):
    for rpc in ("ListSchedules", "CountSchedules"):
        message = 'invalid query filter for schedules: cannot filter on "WorkflowId"'
        with refused("INVALID_ARGUMENT", message):
            w.call(rpc, query="WorkflowId = 'a'")
        with refused("INVALID_ARGUMENT", "invalid query: invalid search attribute: Nope"):
            w.call(rpc, query="Nope = 'a'")


def test_workflows_by_their_schedule(schedule, w):
    schedule.create()
    schedule.trigger()
    workflows = lambda: w.call(
        "ListWorkflowExecutions", query=f"TemporalScheduledById = '{schedule.id}'"
    ).executions
    (found,) = eventually(lambda: workflows() or None)
    assert found.execution.workflow_id.startswith(w.id)


def test_namespaces_and_systems_say_that_there_are_schedules(w):
    assert w.call("GetSystemInfo").capabilities.supports_schedules
    assert w.call("DescribeNamespace", namespace="default").namespace_info.supports_schedules
