"""Commands of a workflow task completion, one function each; fields are merged over defaults."""

from client import application_failure, payloads, seconds


def command(type_, **attributes):
    return {
        "command_type": "COMMAND_TYPE_" + type_.upper(),
        type_ + "_command_attributes": attributes,
    }


def complete(*result):
    return command("complete_workflow_execution", result=payloads(*result) if result else None)


def fail(message="boom", **info):
    return command("fail_workflow_execution", failure=application_failure(message, **info))


def cancel(*details):
    return command("cancel_workflow_execution", details=payloads(*details) if details else None)


def continue_as_new(type_="T", **fields):
    return command("continue_as_new_workflow_execution", workflow_type={"name": type_}, **fields)


def timer(id_="t", after=60):
    return command("start_timer", timer_id=id_, start_to_fire_timeout=seconds(after))


def cancel_timer(id_="t"):
    return command("cancel_timer", timer_id=id_)


def activity(id_="a", queue=None, start_to_close=60, type_="A", **fields):
    if start_to_close is not None:
        fields["start_to_close_timeout"] = seconds(start_to_close)
    if queue is not None:
        fields["task_queue"] = {"name": queue}
    fields.setdefault("activity_type", {"name": type_})
    return command("schedule_activity_task", activity_id=id_, **fields)


def cancel_activity(scheduled_event_id):
    return command("request_cancel_activity_task", scheduled_event_id=scheduled_event_id)


def marker(name="m", **details):
    fields = {key: payloads(value) for key, value in details.items()}
    return command("record_marker", marker_name=name, details=fields)


def upsert(**search_attributes):
    return command(
        "upsert_workflow_search_attributes",
        search_attributes={"indexed_fields": search_attributes},
    )


def modify_memo(**fields):
    return command("modify_workflow_properties", upserted_memo={"fields": fields})


def child(id_, type_="T", **fields):
    return command(
        "start_child_workflow_execution", workflow_id=id_, workflow_type={"name": type_}, **fields
    )


def signal_external(id_, name="s", run_id="", **fields):
    return command(
        "signal_external_workflow_execution",
        execution={"workflow_id": id_, "run_id": run_id},
        signal_name=name,
        **fields,
    )


def cancel_external(id_, run_id="", **fields):
    return command(
        "request_cancel_external_workflow_execution", workflow_id=id_, run_id=run_id, **fields
    )
