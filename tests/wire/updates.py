"""Updates in raw calls: what clients send, and what workers say of them."""

import uuid

from client import application_failure, payloads
from google.protobuf.any_pb2 import Any
from temporalio.api.update.v1 import message_pb2 as update

STAGE = "UPDATE_WORKFLOW_EXECUTION_LIFECYCLE_STAGE_"


def request(id_, name="u", *values, **meta):
    args = payloads(*values) if values else None
    return {
        "meta": {"update_id": id_, "identity": "client", **meta},
        "input": {"name": name, "args": args},
    }


def fields(w, id_, stage="COMPLETED", name="u", *values, **more):
    more.setdefault("workflow_execution", w.execution(run_id=""))
    if stage:
        more["wait_policy"] = {"lifecycle_stage": STAGE + stage}
    return {"request": request(id_, name, *values), **more}


def send(w, id_=None, stage="COMPLETED", name="u", *values, timeout=15, **more):
    """The future of an update; its id is `id_`."""
    id_ = id_ or new_id()
    return w.client.future(
        "UpdateWorkflowExecution", timeout=timeout, **fields(w, id_, stage, name, *values, **more)
    )


def new_id():
    return "u-" + uuid.uuid4().hex[:12]


def poll(w, id_, stage=None, timeout=15, run_id="", **more):
    policy = {"wait_policy": {"lifecycle_stage": STAGE + stage}} if stage else {}
    ref = {"workflow_execution": w.execution(run_id=run_id), "update_id": id_}
    return w.call(
        "PollWorkflowExecutionUpdate", timeout=timeout, update_ref=ref, **policy, **more
    )


def stage_of(answer):
    field = answer.DESCRIPTOR.fields_by_name["stage"]
    return field.enum_type.values_by_number[answer.stage].name.removeprefix(STAGE)


def said(id_, kind, body):
    any_ = Any()
    any_.Pack(body)
    return {"id": f"{id_}/{kind}", "protocol_instance_id": id_, "body": any_}


def accept(task, id_, **more):
    """The worker accepts an update that its task brought."""
    (sent,) = [m for m in task.messages if m.protocol_instance_id == id_]
    body = update.Acceptance(
        accepted_request_message_id=sent.id, accepted_request_sequencing_event_id=sent.event_id
    )
    sent.body.Unpack(body.accepted_request)
    return said(id_, "accept", body)


def reject(id_, message="no"):
    body = update.Rejection(rejected_request_message_id=f"{id_}/request")
    body.failure.CopyFrom(_failure(message))
    return said(id_, "reject", body)


def respond(id_, *values, failure=None):
    body = update.Response(meta={"update_id": id_, "identity": "client"})
    if failure is not None:
        body.outcome.failure.CopyFrom(_failure(failure))
    else:
        for value in payloads(*values)["payloads"]:
            body.outcome.success.payloads.add(**value)
    return said(id_, "complete", body)


def _failure(message):
    from temporalio.api.failure.v1 import message_pb2

    info = application_failure(message)
    info["application_failure_info"].pop("next_retry_delay", None)
    return message_pb2.Failure(**info)


def place(message):
    """The command that gives a message its place."""
    return {
        "command_type": "COMMAND_TYPE_PROTOCOL_MESSAGE",
        "protocol_message_command_attributes": {"message_id": message["id"]},
    }


def complete(w, task, *messages, commands=(), **more):
    """Completes a task with messages, each with its command but for rejections."""
    places = [place(m) for m in messages if not m["id"].endswith("/reject")]
    return w.complete(task, *places, *commands, messages=list(messages), **more)
