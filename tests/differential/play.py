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
from normal import Names
from plan import SOON, failure

# What the server does on its own account is over once nothing has changed for so long, in seconds.
QUIET = 0.25
QUIET_MAX = 6


class Player:
    def __init__(self, address, seed):
        self.unique = f"-{seed}-{uuid.uuid4().hex[:8]}"
        self.call = Client(address)
        self.names = Names(self.unique)
        self.seen = []
        self.tasks = {}
        self.activities = {}
        self.updates = []

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
        return role + self.unique

    def execution(self, role):
        return {"workflow_id": self.workflow_id(role)}

    def queue(self, role):
        return {"name": "queue-" + role + self.unique}

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
        time.sleep(0.1)
        return "sent" if not future.done() else future.result()

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
