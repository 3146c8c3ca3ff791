"""Nexus in the suite: endpoints, and what the workers of a handler do."""

import uuid

from client import payload
from commands import command


def endpoint(scene, queue=None, **target):
    """A new endpoint, to the scene's own queue unless told otherwise; its name."""
    name = f"ep-{uuid.uuid4().hex[:12]}"
    worker = {"namespace": "default", "task_queue": queue or scene.queue}
    target = target or {"worker": worker}
    answer = scene.call("CreateNexusEndpoint", spec={"name": name, "target": target})
    scene.endpoints[name] = answer.endpoint
    return name


def schedule(name, **fields):
    fields.setdefault("service", "svc")
    fields.setdefault("operation", "op")
    fields.setdefault("input", payload("in"))
    return command("schedule_nexus_operation", endpoint=name, **fields)


def cancel(scheduled_event_id):
    return command("request_cancel_nexus_operation", scheduled_event_id=scheduled_event_id)


def poll(scene, timeout=10):
    """The next request to a handler on the scene's queue."""
    task = scene.call(
        "PollNexusTaskQueue",
        timeout=timeout,
        task_queue={"name": scene.queue},
        identity="handler",
    )
    assert task.task_token, "no Nexus task came"
    return task


def complete(scene, task, **response):
    return scene.call(
        "RespondNexusTaskCompleted",
        task_token=task.task_token,
        identity="handler",
        response=response,
    )


def succeed(scene, task, value="out"):
    return complete(scene, task, start_operation={"sync_success": {"payload": payload(value)}})


def start(scene, task, token="tok", **fields):
    success = {"operation_token": token, **fields}
    return complete(scene, task, start_operation={"async_success": success})


def refuse(scene, task, type_, message="no", **info):
    failure = {"message": message, "nexus_handler_failure_info": {"type": type_, **info}}
    return scene.call(
        "RespondNexusTaskFailed",
        task_token=task.task_token,
        identity="handler",
        failure=failure,
    )


def callback(task):
    """The completion callback that a request brings, as a start takes it."""
    request = task.request.start_operation
    return {"nexus": {"url": request.callback, "header": dict(request.callback_header)}}


def pending(scene):
    """The only pending operation."""
    operations = scene.describe().pending_nexus_operations
    assert len(operations) == 1, operations
    return operations[0]
