"""A plan: a sequence of API calls drawn from a seed, without looking at any server.

An operation is a `(verb, arguments)` pair that `play.py` carries out. What depends on what the server
said (a task in hand, the id of an event) is named here and looked up there.

May depend on nothing of the suite but the builders of commands.
"""

import random

import commands as c
from client import application_failure, payload, payloads, seconds
from jobs import JobPlan
from schedules import SchedulePlan

# Workflows of one plan. Each has a task queue of its own, so that a poll's answer is never a matter of luck.
ROLES = ("a", "b")
# A plan's timers and timeouts either fire soon or never; nothing in between can be compared.
SOON = 1
NEVER = 600
SIGNALS = ("s1", "s2")
ACTIVITIES = ("x", "y")
TIMERS = ("t", "u")


def plan(seed, length=14):
    """The operations of a seed."""
    return Plan(random.Random(seed)).operations(length)


class Plan(JobPlan, SchedulePlan):
    def __init__(self, draw):
        self.draw = draw
        self.requests = 0

    def operations(self, length):
        kind = self.draw.choices(["workflow", "job", "schedule"], [7, 2, 1])[0]
        if kind == "job":
            made = self.make_job_start("j")
            operation = self.job_operation
        elif kind == "schedule":
            made = self.make_schedule_create()
            operation = self.schedule_operation
        else:
            made = [("start", self.start(role="a"))]
            operation = self.operation
        while len(made) < length:
            made += operation()
        return made

    def operation(self):
        verb = self.draw.choices(
            [
                "start",
                "signal",
                "signal_with_start",
                "cancel",
                "terminate",
                "delete",
                "work",
                "fail_task",
                "poll",
                "complete_late",
                "activity",
                "update",
                "update_with_start",
                "reset",
                "query",
                "query_closed",
                "operate",
                "pause_workflow",
                "options",
                "list",
                "wait",
                "bad",
            ],
            [4, 6, 3, 3, 1, 1, 22, 2, 3, 3, 10, 5, 3, 2, 4, 1, 6, 3, 2, 2, 2, 5],
        )[0]
        return getattr(self, "make_" + verb)()

    # -- clients ---------------------------------------------------------------------------------

    def role(self):
        return self.draw.choices(ROLES, [4, 1])[0]

    def request_id(self):
        """Mostly a new one, now and then one that was used before."""
        if self.requests and self.draw.random() < 0.15:
            return f"request-{self.draw.randint(1, self.requests)}"
        self.requests += 1
        return f"request-{self.requests}"

    def start(self, role=None):
        draw = self.draw
        fields = {"role": role or self.role(), "request_id": self.request_id()}
        if draw.random() < 0.3:
            fields["input"] = payloads(draw.randint(0, 9))
        if draw.random() < 0.15:
            fields["memo"] = {"fields": {"note": payload("n")}}
        if draw.random() < 0.2:
            fields["retry_policy"] = {
                "initial_interval": seconds(NEVER),
                "maximum_attempts": draw.randint(0, 2),
            }
        if draw.random() < 0.2:
            fields["workflow_run_timeout"] = seconds(NEVER)
        if draw.random() < 0.15:
            fields["workflow_execution_timeout"] = seconds(NEVER)
        if draw.random() < 0.1:
            fields["workflow_start_delay"] = seconds(NEVER)
        if draw.random() < 0.3:
            fields["workflow_id_reuse_policy"] = draw.randint(0, 4)
        if draw.random() < 0.3:
            fields["workflow_id_conflict_policy"] = draw.randint(0, 3)
        if draw.random() < 0.1:
            fields["request_eager_execution"] = True
        if draw.random() < 0.1:
            fields["priority"] = {"priority_key": draw.randint(0, 5), "fairness_key": "f"}
        if draw.random() < 0.1:
            fields["user_metadata"] = {"summary": payload("summary")}
        if draw.random() < 0.2:
            fields["search_attributes"] = {"indexed_fields": attributes(draw)}
        return fields

    def make_start(self):
        return [("start", self.start())]

    def signal_fields(self):
        fields = {"signal_name": self.draw.choice(SIGNALS), "request_id": self.request_id()}
        if self.draw.random() < 0.5:
            fields["input"] = payloads("in")
        return fields

    def make_signal(self):
        return [("signal", {"role": self.role(), **self.signal_fields()})]

    def make_signal_with_start(self):
        fields = self.start()
        fields.pop("request_eager_execution", None)
        return [("signal_with_start", {**fields, "signal_name": self.draw.choice(SIGNALS)})]

    def make_cancel(self):
        return [("cancel", {"role": self.role(), "request_id": self.request_id(), "reason": "why"})]

    def make_terminate(self):
        return [("terminate", {"role": self.role(), "reason": "enough", "details": payloads("d")})]

    def make_delete(self):
        return [("delete", {"role": self.role()})]

    def make_update_with_start(self):
        fields = self.start()
        fields.pop("request_eager_execution", None)
        fields.setdefault("workflow_id_conflict_policy", self.draw.randint(1, 3))
        return [("update_with_start", {**fields, "update_id": f"u{self.draw.randint(1, 4)}"})]

    def make_query(self):
        return [("query", {"role": self.role()})]

    def make_operate(self):
        """An operator's word on activities that are pending."""
        draw = self.draw
        what = draw.choices(["pause", "unpause", "reset", "options"], [4, 4, 3, 3])[0]
        fields = {"role": self.role(), "what": what}
        fields.update(draw.choice([{"id": "x"}, {"id": "x"}, {"id": "y"}, {"type": "A"}, {}]))
        if what == "unpause":
            fields["reset_attempts"] = draw.random() < 0.3
        if what == "reset":
            fields["keep_paused"] = draw.random() < 0.3
            fields["restore_original_options"] = draw.random() < 0.3
        if what == "options":
            options = [
                ("heartbeat_timeout", {"heartbeat_timeout": seconds(NEVER // 2)}),
                ("schedule_to_close_timeout", {"schedule_to_close_timeout": seconds(2 * NEVER)}),
                ("retry_policy.maximum_attempts", {"retry_policy": {"maximum_attempts": 5}}),
                ("nonsense", {}),
            ]
            path, value = draw.choice(options)
            fields.update(update_mask={"paths": [path]}, activity_options=value)
        return [("operate", fields)]

    def make_pause_workflow(self):
        what = self.draw.choice(["pause", "unpause", "unpause"])
        fields = {"role": self.role(), "what": what, "reason": "why", "request_id": self.request_id()}
        return [("pause_workflow", fields)]

    def make_options(self):
        draw = self.draw
        given, paths = draw.choice(
            [
                ({"priority": {"priority_key": 4, "fairness_key": "g"}}, ["priority"]),
                ({"priority": {"priority_key": 3}}, ["priority.priority_key"]),
                # Not none at all: the reference says that it takes the priority away, and keeps it.
                ({"priority": {"fairness_key": "h"}}, ["priority.fairness_key"]),
                ({"priority": {"priority_key": -1}}, ["priority"]),
                ({}, ["nonsense"]),
                ({}, []),
            ]
        )
        return [("options", {"role": self.role(), "workflow_execution_options": given, "update_mask": {"paths": paths}})]

    def make_list(self):
        query = self.draw.choice(
            [
                "ExecutionStatus = 'Running'",
                "ExecutionStatus != 'Running'",
                "ExecutionStatus IN ('Completed', 'Failed', 'Terminated')",
                "WorkflowType = 'Other'",
                "DiffKeyword = 'k1'",
                "DiffKeyword IS NULL",
                "DiffInt > 1",
                "DiffInt BETWEEN 0 AND 1",
                "DiffKeyword STARTS_WITH 'k' AND NOT DiffInt = 2",
                "CloseTime IS NULL",
                "ExecutionStatus = 'Bogus'",
                "Nonsense = 1",
            ]
        )
        return [("list", {"query": query})]

    def make_update(self):
        return [("update", {"role": self.role(), "update_id": f"u{self.draw.randint(1, 4)}"})]

    def make_reset(self):
        # Mostly an id of its own: the reference does not recognise a reset that is repeated.
        self.requests += 1
        own = f"reset-{self.requests}"
        request_id = f"request-{self.draw.randint(1, self.requests)}" if self.draw.random() < 0.2 else own
        fields = {"role": self.role(), "request_id": request_id, "reason": "again"}
        # Some of these are boundaries, others are not.
        fields["workflow_task_finish_event_id"] = self.draw.choice([0, 1, 3, 4, 4, 4, 5, 8, 9, 99])
        if self.draw.random() < 0.3:
            fields["reset_reapply_exclude_types"] = [self.draw.randint(1, 3)]
        return [("reset", fields)]

    def make_query_closed(self):
        return [("query_closed", {"role": self.role()})]

    # -- workers ---------------------------------------------------------------------------------

    def make_work(self):
        """A workflow task from poll to completion."""
        role = self.role()
        return [("poll", {"role": role}), ("complete", self.completion(role))]

    def make_poll(self):
        """A task that stays started while other things happen."""
        return [("poll", {"role": self.role()})]

    def make_complete_late(self):
        role = self.role()
        return [("complete", self.completion(role))]

    def make_fail_task(self):
        role = self.role()
        fields = {"role": role, "cause": self.draw.choice([1, 5, 9, 23]), "failure": {"message": "f"}}
        return [("poll", {"role": role}), ("fail_task", fields)]

    def completion(self, role):
        draw = self.draw
        made = [self.command(role) for _ in range(draw.choices([0, 1, 2, 3], [3, 6, 3, 1])[0])]
        if draw.random() < 0.18:
            made.append(self.close_command())
        # Which of several other workflows answers first is anybody's guess.
        others = [command for command in made if isinstance(command, tuple) and command[0] != "cancel_activity"]
        made = [command for command in made if command not in others[1:]]
        fields = {"role": role, "commands": made}
        fields["updates"] = draw.choices(["both", "accept", "reject", "ignore"], [4, 3, 2, 2])[0]
        if draw.random() < 0.1:
            fields["force_create_new_workflow_task"] = True
        if draw.random() < 0.1:
            fields["return_new_workflow_task"] = True
        return fields

    def close_command(self):
        draw = self.draw
        return draw.choice(
            [
                c.complete("done"),
                c.complete(),
                c.fail("no"),
                c.fail("never", non_retryable=True),
                c.cancel("c"),
                c.continue_as_new(),
                c.continue_as_new(type_="Other", input=payloads("next")),
            ]
        )

    def command(self, role):
        draw = self.draw
        other = "b" if role == "a" else "a"
        kind = draw.choices(
            ["activity", "timer", "cancel_timer", "cancel_activity", "marker", "memo", "upsert", "child", "external", "bad"],
            [8, 6, 2, 2, 2, 1, 2, 2, 2, 1],
        )[0]
        if kind == "upsert":
            return c.command("upsert_workflow_search_attributes", search_attributes={"indexed_fields": attributes(draw)})
        if kind == "activity":
            fields = {"id_": draw.choice(ACTIVITIES), "start_to_close": draw.choice([NEVER, NEVER, SOON])}
            fields["retry_policy"] = {"maximum_attempts": draw.randint(0, 2), "initial_interval": seconds(NEVER)}
            if draw.random() < 0.2:
                fields["heartbeat_timeout"] = seconds(NEVER)
            if draw.random() < 0.2:
                fields["schedule_to_close_timeout"] = seconds(NEVER)
            if draw.random() < 0.15:
                fields["priority"] = {"priority_key": draw.randint(1, 5)}
            return c.activity(**fields)
        if kind == "timer":
            timer = c.timer(draw.choice(TIMERS), draw.choice([SOON, NEVER, NEVER]))
            if draw.random() < 0.2:
                timer["user_metadata"] = {"summary": payload("a timer")}
            return timer
        if kind == "cancel_timer":
            return c.cancel_timer(draw.choice(TIMERS))
        if kind == "cancel_activity":
            # The scheduled event of one of the activities, as the history has it at that moment.
            return ("cancel_activity", draw.randint(0, 1))
        if kind == "marker":
            return c.marker("m", data=draw.randint(0, 9))
        if kind == "memo":
            return c.modify_memo(note=payload(draw.randint(0, 9)))
        if kind == "child":
            return ("child", {"role": other, "parent_close_policy": draw.randint(0, 3)})
        if kind == "external":
            return ("external", draw.choice(["signal", "cancel"]), draw.choice([other, other, "nobody", role]))
        return draw.choice(
            [
                c.activity(id_=""),
                c.activity(start_to_close=None),
                c.timer("", 5),
                c.timer("neg", -1),
                c.cancel_timer("nobody"),
                c.marker(""),
                c.cancel_activity(9999),
                c.command("fail_workflow_execution"),
            ]
        )

    def make_activity(self):
        draw = self.draw
        role = self.role()
        how = draw.choices(
            ["complete", "fail", "fail_for_good", "heartbeat", "cancel", "keep"], [6, 3, 2, 2, 2, 2]
        )[0]
        return [("activity", {"role": role, "how": how})]

    # -- time and mistakes -----------------------------------------------------------------------

    def make_wait(self):
        """Until everything that ends soon has ended."""
        return [("wait", {"seconds": SOON + 0.4})]

    def make_bad(self):
        """A request that no server may take. The same mistake comes with the same words."""
        draw = self.draw
        wrong_pair = {"workflow_id_reuse_policy": 4, "workflow_id_conflict_policy": 2}
        both_delays = {"cron_schedule": "* * * * *", "workflow_start_delay": seconds(5)}
        fields = draw.choice(
            [
                {"workflow_id": ""},
                {"workflow_id": "w" * 1001},
                {"workflow_type": {"name": ""}},
                {"workflow_type": {"name": "t" * 1001}},
                {"task_queue": {"name": ""}},
                {"task_queue": {"name": "q" * 1001}},
                {"workflow_run_timeout": seconds(-1)},
                {"workflow_task_timeout": seconds(-1)},
                {"workflow_execution_timeout": seconds(-1)},
                {"request_id": "r" * 1001},
                {"cron_schedule": "nonsense"},
                {"retry_policy": {"initial_interval": seconds(1), "backoff_coefficient": 0.5}},
                {"retry_policy": {"initial_interval": seconds(2), "maximum_interval": seconds(1)}},
                {"retry_policy": {"maximum_attempts": -1}},
                {"retry_policy": {"non_retryable_error_types": ["TemporalTimeout:X"]}},
                {"priority": {"priority_key": -1}},
                {"priority": {"fairness_key": "f" * 65}},
                wrong_pair,
                both_delays,
                {"namespace": "nowhere"},
                {"namespace": ""},
            ]
        )
        call = draw.choice(["StartWorkflowExecution", "StartWorkflowExecution", "SignalWithStartWorkflowExecution"])
        if draw.random() < 0.4:
            call, fields = draw.choice(WRONG_CALLS)
        return [("bad", {"call": call, "fields": fields})]


def attributes(draw):
    """Search attributes; those that both servers have been given."""
    made = {"DiffKeyword": payload(draw.choice(["k1", "k2", "other"]))}
    if draw.random() < 0.7:
        made["DiffInt"] = payload(draw.randint(0, 3))
    if draw.random() < 0.05:
        made["Nope"] = payload(1)
    return made


def failure(retryable):
    return application_failure("broken", type_="Broken", non_retryable=not retryable)


NOBODY = {"workflow_id": "nobody"}
WRONG_RUN = {"workflow_id": "nobody", "run_id": "no-uuid"}
UNKNOWN_RUN = {"workflow_id": "nobody", "run_id": "0194c3f0-0000-7000-8000-000000000000"}
WRONG_CALLS = [
    (call, {field: execution, **more})
    for execution in ({}, NOBODY, WRONG_RUN, UNKNOWN_RUN)
    for call, field, more in (
        ("SignalWorkflowExecution", "workflow_execution", {"signal_name": "s"}),
        ("SignalWorkflowExecution", "workflow_execution", {"signal_name": ""}),
        ("SignalWorkflowExecution", "workflow_execution", {"signal_name": "s" * 1001}),
        ("RequestCancelWorkflowExecution", "workflow_execution", {}),
        ("TerminateWorkflowExecution", "workflow_execution", {}),
        ("DeleteWorkflowExecution", "workflow_execution", {}),
        ("DescribeWorkflowExecution", "execution", {}),
        ("GetWorkflowExecutionHistory", "execution", {}),
        ("GetWorkflowExecutionHistoryReverse", "execution", {}),
        ("ResetStickyTaskQueue", "execution", {}),
        ("QueryWorkflow", "execution", {"query": {"query_type": "q"}}),
        ("QueryWorkflow", "execution", {"query": {"query_type": ""}}),
        ("UpdateWorkflowExecution", "workflow_execution", {"request": {"input": {"name": "u"}}}),
        ("UpdateWorkflowExecution", "workflow_execution", {"request": {"input": {"name": ""}}}),
        ("ResetWorkflowExecution", "workflow_execution", {"request_id": "r"}),
        ("ResetWorkflowExecution", "workflow_execution", {"request_id": "r", "workflow_task_finish_event_id": 4}),
        ("PollWorkflowExecutionUpdate", "update_ref", {}),
    )
    if field != "update_ref"
] + [
    ("RespondWorkflowTaskCompleted", {"task_token": b""}),
    ("RespondWorkflowTaskCompleted", {"task_token": b"garbage"}),
    ("RespondWorkflowTaskFailed", {"task_token": b"garbage"}),
    ("RespondActivityTaskCompleted", {"task_token": b"garbage"}),
    ("RespondActivityTaskFailed", {"task_token": b""}),
    ("RecordActivityTaskHeartbeat", {"task_token": b"garbage"}),
    ("RespondActivityTaskCompletedById", {"workflow_id": "nobody", "activity_id": "x"}),
    ("RespondActivityTaskCompletedById", {"workflow_id": "nobody"}),
    ("ListWorkflowExecutions", {"query": "Nope = 1"}),
    ("ListWorkflowExecutions", {"query": "WorkflowId = "}),
    ("CountWorkflowExecutions", {"query": "ExecutionStatus = 'Bogus'"}),
    ("DescribeTaskQueue", {}),
    ("PollWorkflowTaskQueue", {}),
    ("PollActivityTaskQueue", {}),
    ("PollWorkflowExecutionUpdate", {}),
    ("PollWorkflowExecutionUpdate", {"update_ref": {"workflow_execution": NOBODY, "update_id": "u"}}),
    ("DescribeSchedule", {"schedule_id": "nobody"}),
    ("DeleteSchedule", {"schedule_id": "nobody"}),
    ("PatchSchedule", {"schedule_id": "nobody"}),
    ("CreateSchedule", {"schedule_id": "x"}),
    ("DescribeBatchOperation", {"job_id": "nobody"}),
    ("StopBatchOperation", {"job_id": "nobody", "reason": "r"}),
    ("StartBatchOperation", {"job_id": "x"}),
    ("StartActivityExecution", {"activity_id": "x"}),
    ("DescribeActivityExecution", {"activity_id": "nobody"}),
    ("PollActivityExecution", {"activity_id": "nobody"}),
    ("RequestCancelActivityExecution", {"activity_id": "nobody"}),
    ("TerminateActivityExecution", {"activity_id": "nobody"}),
    ("PauseActivity", {"execution": NOBODY, "id": "x"}),
    ("UpdateWorkflowExecutionOptions", {"workflow_execution": NOBODY}),
    ("DescribeWorkerDeployment", {"deployment_name": "nobody"}),
    ("SetWorkerDeploymentCurrentVersion", {"deployment_name": "nobody", "build_id": "b"}),
    ("GetNexusEndpoint", {"id": "nobody"}),
    ("CreateNexusEndpoint", {}),
]
