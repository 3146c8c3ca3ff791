"""A player: carries a plan out on one server and keeps what it saw.

May depend on the suite's client, on `plan` and `normal`.
"""

import time
import uuid

import grpc
from google.protobuf.any_pb2 import Any
from temporalio.api.update.v1 import message_pb2 as updates

import commands as c
import history
from client import Client, Error, payloads
from jobs import JobPlayer
from normal import Names
from plan import SOON, failure
from schedules import SchedulePlayer

# What the server does on its own account is over once nothing has changed for so long, in seconds.
QUIET = 0.4
QUIET_MAX = 6


class Player(JobPlayer, SchedulePlayer):
    def __init__(self, address, seed):
        self.unique = f"-{seed}-{uuid.uuid4().hex[:8]}"
        self.call = Client(address)
        self.names = Names(self.unique)
        self.seen = []
        self.tasks = {}
        self.activities = {}
        self.updates = []
        self.deleted = {}

    def play(self, operations):
        """Carries out all operations; gives back what was seen, in order."""
        for number, (verb, arguments) in enumerate(operations):
            answer = self.answer(getattr(self, verb), **arguments)
            self.settle()
            self.seen.append((f"{number} {verb}", answer))
        self.finish()
        return self.seen

    def answer(self, verb, **arguments):
        try:
            answer = verb(**arguments)
        except grpc.RpcError as error:
            error = Error(error)
            details = [(type(d).__name__, self.names.message(d)) for d in error.details]
            return {"code": error.code, "message": self.names.text(error.message), "details": details}
        return self.names.message(answer) if hasattr(answer, "DESCRIPTOR") else answer

    def workflow_id(self, role):
        return self.named(role)

    def named(self, what):
        """An id. What was deleted is not met again: nobody says when the reference has done it."""
        return what * (1 + self.deleted.get(what, 0)) + self.unique

    def gone(self, what):
        self.deleted[what] = self.deleted.get(what, 0) + 1
        self.tasks.pop(what, None)
        self.activities.pop(what, None)

    def execution(self, role):
        return {"workflow_id": self.workflow_id(role)}

    def queue(self, role):
        return {"name": "queue-" + self.named(role)}

    def settle(self):
        """Waits until nothing moves."""
        last, since, began = None, time.monotonic(), time.monotonic()
        while time.monotonic() - began < QUIET_MAX:
            now = [self.shape(role) for role in ("a", "b")]
            if now != last:
                last, since = now, time.monotonic()
            elif time.monotonic() - since > QUIET:
                return
            time.sleep(0.05)

    def shape(self, role):
        try:
            described = self.call("DescribeWorkflowExecution", execution=self.execution(role))
        except grpc.RpcError:
            return None
        info = described.workflow_execution_info
        task = described.pending_workflow_task
        return (info.execution.run_id, info.status, info.history_length, task.state, task.attempt)

    # -- clients ---------------------------------------------------------------------------------

    def started(self, call, role, **fields):
        return self.call(
            call,
            workflow_id=self.workflow_id(role),
            workflow_type={"name": "T"},
            task_queue=self.queue(role),
            identity="client",
            **self.own_request(fields),
        )

    def own_request(self, fields):
        """A request id may be taken by one plan only."""
        if "request_id" in fields:
            fields = {**fields, "request_id": fields["request_id"] + self.unique}
        return fields

    def start(self, role, **fields):
        answer = self.started("StartWorkflowExecution", role, **fields)
        if answer.HasField("eager_workflow_task"):
            self.tasks[role] = answer.eager_workflow_task
        return answer

    def signal_with_start(self, role, **fields):
        return self.started("SignalWithStartWorkflowExecution", role, **fields)

    def to(self, call, role, **fields):
        fields = self.own_request({"identity": "client", **fields})
        return self.call(call, workflow_execution=self.execution(role), **fields)

    def signal(self, role, **fields):
        return self.to("SignalWorkflowExecution", role, **fields)

    def cancel(self, role, **fields):
        return self.to("RequestCancelWorkflowExecution", role, **fields)

    def terminate(self, role, **fields):
        return self.to("TerminateWorkflowExecution", role, **fields)

    def reset(self, role, **fields):
        fields.pop("identity", None)
        return self.to("ResetWorkflowExecution", role, **fields)

    def sent(self, future):
        """The answer, if it comes at once: a busy machine's "at once"."""
        try:
            return future.result(timeout=1)
        except grpc.FutureTimeoutError:
            return "sent"

    def delete(self, role):
        answer = self.call("DeleteWorkflowExecution", workflow_execution=self.execution(role))
        self.gone(role)
        return answer

    def update_with_start(self, role, update_id, **fields):
        start = {
            "namespace": self.call.namespace,
            "workflow_id": self.workflow_id(role),
            "workflow_type": {"name": "T"},
            "task_queue": self.queue(role),
            "identity": "client",
            **self.own_request(fields),
        }
        update = {
            "namespace": self.call.namespace,
            "workflow_execution": self.execution(role),
            "wait_policy": {"lifecycle_stage": "UPDATE_WORKFLOW_EXECUTION_LIFECYCLE_STAGE_ACCEPTED"},
            "request": {
                "meta": {"update_id": update_id, "identity": "client"},
                "input": {"name": "up", "args": payloads(1)},
            },
        }
        future = self.call.future(
            "ExecuteMultiOperation",
            timeout=60,
            operations=[{"start_workflow": start}, {"update_workflow": update}],
        )
        self.updates.append((role, update_id, future))
        return self.sent(future)

    def query(self, role):
        """Asked, and answered by the worker that comes for it."""
        if role in self.tasks:
            return "has a task"
        shape = self.shape(role)
        # A run that has had no workflow task, or has one that waits, is answered in its own good time.
        if shape is None or shape[2] < 3 or shape[3] != 0 or shape[1] == 12:
            return "not now"
        future = self.call.future(
            "QueryWorkflow",
            timeout=10,
            execution=self.execution(role),
            query={"query_type": "q", "query_args": payloads(1)},
        )
        time.sleep(0.1)
        if future.done():
            return future.result()
        task = self.call("PollWorkflowTaskQueue", timeout=5, task_queue=self.queue(role), identity="worker")
        if not task.HasField("query"):
            if task.task_token:
                self.tasks[role] = task
            return self.names.message(task)
        self.call(
            "RespondQueryTaskCompleted",
            task_token=task.task_token,
            completed_type="QUERY_RESULT_TYPE_ANSWERED",
            query_result=payloads("answer"),
        )
        return [self.names.message(task), self.names.message(future.result())]

    def operate(self, role, what, **fields):
        calls = {
            "pause": "PauseActivity",
            "unpause": "UnpauseActivity",
            "reset": "ResetActivity",
            "options": "UpdateActivityOptions",
        }
        return self.call(calls[what], execution=self.execution(role), identity="client", **fields)

    def pause_workflow(self, role, what, **fields):
        call = "PauseWorkflowExecution" if what == "pause" else "UnpauseWorkflowExecution"
        return self.call(call, workflow_id=self.workflow_id(role), identity="client", **self.own_request(fields))

    def options(self, role, **fields):
        return self.to("UpdateWorkflowExecutionOptions", role, **fields)

    def list(self, query):
        ids = ", ".join(f"'{self.workflow_id(role)}'" for role in ("a", "b"))
        query = f"WorkflowId IN ({ids}) AND {query}"
        listed = self.call("ListWorkflowExecutions", query=query).executions
        counted = self.call("CountWorkflowExecutions", query=query + " GROUP BY ExecutionStatus")
        groups = sorted((str(self.names.message(group)) for group in counted.groups))
        return [sorted(self.names.text(run.execution.workflow_id) for run in listed), counted.count, groups]

    def query_closed(self, role):
        """Of a run that is not open: nobody else is asked."""
        shape = self.shape(role)
        if shape is None or shape[1] == 1:
            return "open"
        return self.call(
            "QueryWorkflow",
            execution=self.execution(role),
            query={"query_type": "q"},
            query_reject_condition="QUERY_REJECT_CONDITION_NOT_OPEN",
        )

    def update(self, role, update_id):
        """Sent, and left to itself: its answer is looked at in the end."""
        future = self.call.future(
            "UpdateWorkflowExecution",
            timeout=60,
            workflow_execution=self.execution(role),
            wait_policy={"lifecycle_stage": "UPDATE_WORKFLOW_EXECUTION_LIFECYCLE_STAGE_ACCEPTED"},
            request={
                "meta": {"update_id": update_id, "identity": "client"},
                "input": {"name": "up", "args": payloads(1)},
            },
        )
        self.updates.append((role, update_id, future))
        return self.sent(future)

    # -- workers ---------------------------------------------------------------------------------

    def poll(self, role):
        if role in self.tasks:
            return "has one"
        if not self.has_task(role):
            return "none"
        task = self.call("PollWorkflowTaskQueue", timeout=5, task_queue=self.queue(role), identity="worker")
        if not task.task_token:
            return "none came"
        self.tasks[role] = task
        return self.names.message(task)

    def has_task(self, role):
        shape = self.shape(role)
        if any(r == role and not future.done() for r, _, future in self.updates):
            return True
        return shape is not None and shape[3] == 1

    def complete(self, role, commands, updates, **fields):
        task = self.tasks.pop(role, None)
        if task is None:
            return "no task"
        made = [self.command(role, command) for command in commands]
        messages = []
        for message in task.messages:
            messages += self.update_messages(message, updates)
        close = made and "workflow_execution" in made[-1]["command_type"].lower()
        orders = [
            {"command_type": "COMMAND_TYPE_PROTOCOL_MESSAGE", "protocol_message_command_attributes": {"message_id": m["id"]}}
            for m in messages
            if not m["id"].endswith("/reject")
        ]
        made = orders + made if close or updates == "both" else made + orders
        answer = self.call(
            "RespondWorkflowTaskCompleted",
            task_token=task.task_token,
            commands=made,
            messages=messages,
            identity="worker",
            **fields,
        )
        if answer.HasField("workflow_task") and answer.workflow_task.task_token:
            self.tasks[role] = answer.workflow_task
        return answer

    def update_messages(self, message, how):
        """What a worker says to an update."""
        request = updates.Request()
        message.body.Unpack(request)
        about = message.protocol_instance_id
        common = {
            "accepted_request_message_id": message.id,
            "accepted_request_sequencing_event_id": message.event_id,
        }
        bodies = []
        if how in ("both", "accept"):
            bodies.append(("accept", updates.Acceptance(accepted_request=request, **common)))
        if how == "both":
            outcome = updates.Outcome(success=payloads("ok"))
            bodies.append(("complete", updates.Response(meta=request.meta, outcome=outcome)))
        if how == "reject":
            bodies.append(
                (
                    "reject",
                    updates.Rejection(
                        rejected_request_message_id=message.id,
                        rejected_request_sequencing_event_id=message.event_id,
                        rejected_request=request,
                        failure=failure(retryable=True),
                    ),
                )
            )
        made = []
        for name, body in bodies:
            packed = Any()
            packed.Pack(body)
            made.append({"id": f"{about}/{name}", "protocol_instance_id": about, "body": packed})
        return made

    def command(self, role, command):
        if isinstance(command, tuple):
            return getattr(self, "command_" + command[0])(role, *command[1:])
        attributes = command.get("schedule_activity_task_command_attributes")
        if attributes is not None:
            attributes = {"task_queue": self.queue(role), **attributes}
            return {**command, "schedule_activity_task_command_attributes": attributes}
        return command

    def command_cancel_activity(self, role, which):
        scheduled = [e for e in self.events(role) if history.event_name(e) == "ActivityTaskScheduled"]
        return c.cancel_activity(scheduled[which].event_id if which < len(scheduled) else 9999)

    def command_child(self, role, options):
        other = options["role"]
        return c.child(
            self.workflow_id(other),
            task_queue=self.queue(other),
            parent_close_policy=options["parent_close_policy"],
        )

    def command_external(self, role, what, other):
        workflow_id = self.workflow_id(other)
        if what == "signal":
            return c.signal_external(workflow_id, name="external")
        return c.cancel_external(workflow_id, reason="external")

    def fail_task(self, role, cause, **fields):
        task = self.tasks.pop(role, None)
        if task is None:
            return "no task"
        return self.call("RespondWorkflowTaskFailed", task_token=task.task_token, cause=cause, identity="worker", **fields)

    def activity(self, role, how):
        task = self.activities.pop(role, None)
        if task is None:
            pending = []
            if self.shape(role) is not None:
                pending = self.call("DescribeWorkflowExecution", execution=self.execution(role)).pending_activities
            ready = [a for a in pending if a.state == 1 and not a.HasField("next_attempt_schedule_time")]
            if not ready:
                return "none"
            task = self.call("PollActivityTaskQueue", timeout=5, task_queue=self.queue(role), identity="worker")
            if not task.task_token:
                return "none came"
            # Which of several ready ones comes first is the same everywhere: the one scheduled first.
        common = {"task_token": task.task_token, "identity": "worker"}
        if how == "keep":
            self.activities[role] = task
            return self.names.message(task)
        if how == "heartbeat":
            self.activities[role] = task
            return self.call("RecordActivityTaskHeartbeat", details=payloads("beat"), **common)
        if how == "complete":
            return self.call("RespondActivityTaskCompleted", result=payloads("r"), **common)
        if how == "cancel":
            return self.call("RespondActivityTaskCanceled", details=payloads("c"), **common)
        return self.call("RespondActivityTaskFailed", failure=failure(retryable=how == "fail"), **common)

    # -- time, mistakes, the end -----------------------------------------------------------------

    def wait(self, seconds):
        time.sleep(seconds)
        return None

    def bad(self, call, fields):
        if call.startswith("Start") or call.startswith("SignalWith"):
            base = {
                "workflow_id": "bad" + self.unique,
                "workflow_type": {"name": "T"},
                "task_queue": self.queue("bad"),
                "request_id": "bad" + self.unique,
            }
            if call.startswith("SignalWith"):
                base["signal_name"] = "s"
            if call.endswith("WorkflowExecution"):
                fields = {**base, **fields}
        return self.call(call, timeout=5, **fields)

    def events(self, role, run_id=""):
        made, token = [], b""
        while True:
            page = self.call(
                "GetWorkflowExecutionHistory",
                execution={**self.execution(role), "run_id": run_id},
                next_page_token=token,
                metadata=[("client-name", "temporal-cli"), ("client-version", "1.0.0")],
            )
            made += page.history.events
            token = page.next_page_token
            if not token:
                return made

    def finish(self):
        """The histories of all runs, what Describe says of the last ones, and what lists show."""
        self.wait(SOON + 0.4)
        self.settle()
        self.finish_jobs()
        self.finish_schedules()
        for role in ("a", "b"):
            listed = self.call("ListWorkflowExecutions", query=f"WorkflowId = '{self.workflow_id(role)}'")
            runs = sorted(listed.executions, key=lambda run: run.start_time.ToNanoseconds())
            for number, run in enumerate(runs):
                events = self.answer(self.events, role=role, run_id=run.execution.run_id)
                for event in events if isinstance(events, list) else []:
                    name = f"{role}, run {number + 1}: event {event.event_id}"
                    self.seen.append((name, self.names.message(event)))
                self.seen.append((f"{role}, run {number + 1}: listed", self.answer(lambda run=run: run)))
                described = self.answer(
                    self.call, name="DescribeWorkflowExecution", execution={**self.execution(role), "run_id": run.execution.run_id}
                )
                self.seen.append((f"{role}, run {number + 1}: described", described))
        for role in ("a", "b"):
            try:
                self.call("TerminateWorkflowExecution", workflow_execution=self.execution(role))
            except grpc.RpcError:
                pass  # closed, or never started
        for role, update_id, future in self.updates:
            self.seen.append((f"update {update_id} of {role}", self.answer(future.result)))
