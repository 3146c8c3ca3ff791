"""A scene: one workflow id on one task queue of its own, and the calls of its clients and workers.

Every test gets a fresh one, so tests never see each other's tasks and may run side by side.
"""

import time
import uuid

import grpc

import history
from client import eventually, payloads, seconds

POLL_TIMEOUT = 10  # seconds that a poll waits for a task that should come


class Scene:
    def __init__(self, client):
        self.client = client
        self.call = client
        unique = uuid.uuid4().hex[:12]
        self.id = f"wf-{unique}"
        self.queue = f"tq-{unique}"
        self.run_id = ""
        self._opened = set()
        self.endpoints = {}

    def close(self):
        """Ends what is still open, so that a long test run leaves a quiet server."""
        for workflow_id in self._opened:
            try:
                self.call(
                    "TerminateWorkflowExecution", workflow_execution={"workflow_id": workflow_id}
                )
            except grpc.RpcError:
                pass  # closed already
        for endpoint in self.endpoints.values():
            self.call("DeleteNexusEndpoint", id=endpoint.id, version=endpoint.version)

    # -- clients ---------------------------------------------------------------------------------

    def start_fields(self, **fields):
        """A start request's fields: what must be there, under what the caller gives."""
        fields.setdefault("workflow_id", self.id)
        fields.setdefault("workflow_type", {"name": "T"})
        fields.setdefault("task_queue", {"name": self.queue})
        fields.setdefault("request_id", uuid.uuid4().hex)
        self._opened.add(fields["workflow_id"])
        return fields

    def start(self, **fields):
        answer = self.call("StartWorkflowExecution", **self.start_fields(**fields))
        self.run_id = self.run_id or answer.run_id
        return answer

    def execution(self, run_id=None):
        return {"workflow_id": self.id, "run_id": self.run_id if run_id is None else run_id}

    def signal(self, name="s", *values, **fields):
        if values:
            fields["input"] = payloads(*values)
        fields.setdefault("workflow_execution", self.execution(run_id=""))
        return self.call("SignalWorkflowExecution", signal_name=name, **fields)

    def signal_with_start(self, name="s", *values, **fields):
        if values:
            fields["signal_input"] = payloads(*values)
        fields = self.start_fields(**fields)
        answer = self.call("SignalWithStartWorkflowExecution", signal_name=name, **fields)
        self.run_id = self.run_id or answer.run_id
        return answer

    def cancel(self, **fields):
        fields.setdefault("workflow_execution", self.execution(run_id=""))
        return self.call("RequestCancelWorkflowExecution", **fields)

    def terminate(self, **fields):
        fields.setdefault("workflow_execution", self.execution(run_id=""))
        return self.call("TerminateWorkflowExecution", **fields)

    def query(self, type_="q", *values, timeout=15, **fields):
        return self.query_future(type_, *values, timeout=timeout, **fields).result()

    def query_future(self, type_="q", *values, timeout=15, **fields):
        fields.setdefault("execution", self.execution(run_id=""))
        query = {"query_type": type_, "query_args": payloads(*values) if values else None}
        return self.client.future("QueryWorkflow", timeout=timeout, query=query, **fields)

    def describe(self, run_id=None, workflow_id=None):
        execution = {"workflow_id": workflow_id or self.id, "run_id": run_id or ""}
        return self.call("DescribeWorkflowExecution", execution=execution)

    def status(self, run_id=None, workflow_id=None):
        info = self.describe(run_id, workflow_id).workflow_execution_info
        field = info.DESCRIPTOR.fields_by_name["status"]
        return history.enum_name(field.enum_type, info.status)

    # -- history ---------------------------------------------------------------------------------

    def events(self, run_id=None, workflow_id=None, metadata=()):
        """All events now, of the run that was started first unless another is named."""
        execution = {
            "workflow_id": workflow_id or self.id,
            "run_id": run_id if run_id is not None or workflow_id else self.run_id,
        }
        events, token = [], b""
        while True:
            page = self.call(
                "GetWorkflowExecutionHistory",
                execution=execution,
                next_page_token=token,
                metadata=metadata,
            )
            events += page.history.events
            token = page.next_page_token
            if not token:
                return events

    def expect(self, text, run_id=None, workflow_id=None, within=0, metadata=()):
        """The history must be as the text says, at once or `within` so many seconds."""

        def look():
            events = self.events(run_id, workflow_id, metadata)
            history.check(text, events)
            return events

        return eventually(look, timeout=within) if within else look()

    def wait_for(self, name, run_id=None, workflow_id=None, count=1, timeout=15):
        """Waits for an event of that type (the `count`-th) and returns it."""

        def look():
            found = [e for e in self.events(run_id, workflow_id) if history.event_name(e) == name]
            return found[count - 1] if len(found) >= count else None

        return eventually(look, timeout=timeout)

    # -- workflow worker -------------------------------------------------------------------------

    def poll_once(self, queue=None, timeout=POLL_TIMEOUT, **fields):
        queue = queue or {"name": self.queue}
        fields.setdefault("identity", "worker")
        return self.call("PollWorkflowTaskQueue", timeout=timeout, task_queue=queue, **fields)

    def poll(self, queue=None, timeout=POLL_TIMEOUT, **fields):
        """The next workflow task; fails the test if none comes in time."""
        deadline = time.monotonic() + timeout
        while True:
            task = self.poll_once(queue, max(deadline - time.monotonic(), 3), **fields)
            if task.task_token:
                return task
            assert time.monotonic() < deadline - 3, "no workflow task came"

    def waiting_poll(self, queue=None, kind="Workflow", timeout=POLL_TIMEOUT):
        """The future of a poll that has reached the task queue: the server lists its poller."""
        queue = queue or {"name": self.queue}
        identity = f"poller-{uuid.uuid4().hex}"
        future = self.client.future(
            f"Poll{kind}TaskQueue", timeout=timeout, task_queue=queue, identity=identity
        )

        def listed():
            pollers = self.call(
                "DescribeTaskQueue",
                task_queue=queue,
                task_queue_type="TASK_QUEUE_TYPE_" + kind.upper(),
            ).pollers
            return identity in [poller.identity for poller in pollers] or None

        eventually(listed)
        return future

    def no_task(self, queue=None, kind="Workflow", timeout=3):
        """A poll comes back empty: there is no task."""
        queue = queue or {"name": self.queue}
        task = self.call(
            f"Poll{kind}TaskQueue", timeout=timeout, task_queue=queue, identity="worker"
        )
        assert not task.task_token, f"an unexpected task: {task}"

    def sticky(self, name, schedule_to_start=10):
        """A sticky queue's fields in a poll."""
        return {"name": name, "kind": "TASK_QUEUE_KIND_STICKY", "normal_name": self.queue}

    def complete(self, task, *commands, **fields):
        fields.setdefault("identity", "worker")
        return self.call(
            "RespondWorkflowTaskCompleted",
            task_token=getattr(task, "task_token", task),
            commands=[self._on_queue(command) for command in commands],
            **fields,
        )

    def _on_queue(self, command):
        """An activity command without a queue goes to the scene's own."""
        attributes = command.get("schedule_activity_task_command_attributes")
        if attributes is not None and "task_queue" not in attributes:
            attributes["task_queue"] = {"name": self.queue}
        return command

    def step(self, *commands, **fields):
        """Polls a workflow task and completes it with the commands; returns the task."""
        task = self.poll()
        self.complete(task, *commands, **fields)
        return task

    def fail_task(self, task, cause="WORKFLOW_WORKER_UNHANDLED_FAILURE", **fields):
        fields.setdefault("identity", "worker")
        return self.call(
            "RespondWorkflowTaskFailed",
            task_token=task.task_token,
            cause="WORKFLOW_TASK_FAILED_CAUSE_" + cause,
            **fields,
        )

    def begin(self, *commands, **fields):
        """Starts the workflow and completes its first workflow task with the commands."""
        self.start(**fields)
        return self.step(*commands)

    # -- activity worker -------------------------------------------------------------------------

    def poll_activity(self, queue=None, timeout=POLL_TIMEOUT, **fields):
        deadline = time.monotonic() + timeout
        fields.setdefault("identity", "worker")
        while True:
            task = self.call(
                "PollActivityTaskQueue",
                timeout=max(deadline - time.monotonic(), 3),
                task_queue=queue or {"name": self.queue},
                **fields,
            )
            if task.task_token:
                return task
            assert time.monotonic() < deadline - 3, "no activity task came"

    def complete_activity(self, task, *values, **fields):
        fields.setdefault("identity", "worker")
        if values:
            fields["result"] = payloads(*values)
        return self.call("RespondActivityTaskCompleted", task_token=task.task_token, **fields)

    def fail_activity(self, task, failure, **fields):
        fields.setdefault("identity", "worker")
        return self.call(
            "RespondActivityTaskFailed", task_token=task.task_token, failure=failure, **fields
        )

    def cancel_activity(self, task, *values, **fields):
        fields.setdefault("identity", "worker")
        if values:
            fields["details"] = payloads(*values)
        return self.call("RespondActivityTaskCanceled", task_token=task.task_token, **fields)

    def heartbeat(self, task, *values, **fields):
        fields.setdefault("identity", "worker")
        if values:
            fields["details"] = payloads(*values)
        return self.call("RecordActivityTaskHeartbeat", task_token=task.task_token, **fields)

    def pending_activity(self, activity_id="a"):
        for activity in self.describe().pending_activities:
            if activity.activity_id == activity_id:
                return activity
        return None


def sticky_attributes(name, schedule_to_start=10):
    """The sticky attributes of a completion."""
    queue = {"name": name, "kind": "TASK_QUEUE_KIND_STICKY"}
    return {
        "worker_task_queue": queue,
        "schedule_to_start_timeout": seconds(schedule_to_start),
    }
