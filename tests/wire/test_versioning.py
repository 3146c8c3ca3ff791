"""Worker deployments: versions, routing, and what they mean for workflows (behaviour, section 6.9)."""

import uuid

import grpc
import pytest

import client as wire
from client import eventually
from commands import activity, child, complete, continue_as_new

VERSIONED = "WORKER_VERSIONING_MODE_VERSIONED"
UNVERSIONED = "__unversioned__"
PINNED = "VERSIONING_BEHAVIOR_PINNED"
AUTO_UPGRADE = "VERSIONING_BEHAVIOR_AUTO_UPGRADE"


def refused(call):
    """The error that a call ends with."""
    try:
        answer = call()
    except grpc.RpcError as error:
        return wire.Error(error)
    raise AssertionError(f"not refused: {answer}")


def name_of(message, field):
    """The name of an enum field's value."""
    descriptor = message.DESCRIPTOR.fields_by_name[field].enum_type
    return descriptor.values_by_number[getattr(message, field)].name


def holds(condition, timeout=10):
    """Waits until a condition is true."""
    eventually(lambda: condition() or None, timeout=timeout)


class Deployment:
    """A deployment of its own, whose workers poll a scene's queue."""

    def __init__(self, w):
        self.w = w
        self.name = f"dep-{uuid.uuid4().hex[:8]}"

    def options(self, build):
        return {
            "deployment_name": self.name,
            "build_id": build,
            "worker_versioning_mode": VERSIONED,
        }

    def version(self, build):
        return {"deployment_name": self.name, "build_id": build}

    def register(self, *builds, activities=False):
        """A short poll makes a version known."""
        for build in builds:
            polls = ["PollWorkflowTaskQueue"] + ["PollActivityTaskQueue"] * activities
            for poll in polls:
                future = self.w.client.future(
                    poll,
                    timeout=30,
                    task_queue={"name": self.w.queue},
                    identity="worker",
                    deployment_options=self.options(build),
                )
                kind = "WORKFLOW" if "Workflow" in poll else "ACTIVITY"
                holds(lambda: self.serves(build, f"TASK_QUEUE_TYPE_{kind}"))
                future.cancel()

    def serves(self, build, kind):
        try:
            info = self.describe_version(build).worker_deployment_version_info
        except grpc.RpcError:
            return False
        queues = [(q.name, name_of(q, "type")) for q in info.task_queue_infos]
        return (self.w.queue, kind) in queues

    def current(self, build, **fields):
        fields.setdefault("identity", "me")
        fields.setdefault("ignore_missing_task_queues", True)
        return self.w.call(
            "SetWorkerDeploymentCurrentVersion",
            deployment_name=self.name,
            build_id=build,
            **fields,
        )

    def ramp(self, build, percentage, **fields):
        fields.setdefault("identity", "me")
        fields.setdefault("ignore_missing_task_queues", True)
        return self.w.call(
            "SetWorkerDeploymentRampingVersion",
            deployment_name=self.name,
            build_id=build,
            percentage=percentage,
            **fields,
        )

    def manager(self, /, **fields):
        # A field of this request is called `self`.
        path, messages = wire._METHODS["SetWorkerDeploymentManager"]
        request = messages.SetWorkerDeploymentManagerRequest(
            namespace="default", deployment_name=self.name, **fields
        )
        name = "SetWorkerDeploymentManager"
        return self.w.client.raw(path, request.SerializeToString(), name).result()

    def describe(self):
        answer = self.w.call("DescribeWorkerDeployment", deployment_name=self.name)
        return answer.worker_deployment_info

    def describe_version(self, build, **fields):
        return self.w.call(
            "DescribeWorkerDeploymentVersion", deployment_version=self.version(build), **fields
        )

    def statuses(self):
        prefix = "WORKER_DEPLOYMENT_VERSION_STATUS_"
        return {
            summary.deployment_version.build_id: name_of(summary, "status")[len(prefix) :]
            for summary in self.describe().version_summaries
        }

    def routed(self, build):
        """Waits until the queue's tasks go to a version: the reference is not told at once."""

        def look():
            info = self.w.call("DescribeTaskQueue", task_queue={"name": self.w.queue})
            return info.versioning_info.current_deployment_version.build_id == build

        holds(look)

    def poll(self, build, timeout=10, **fields):
        return self.w.poll(timeout=timeout, deployment_options=self.options(build), **fields)

    def finish(self, task, build, behavior, *commands, **fields):
        return self.w.call(
            "RespondWorkflowTaskCompleted",
            task_token=task.task_token,
            identity="worker",
            commands=commands,
            deployment_options=self.options(build),
            versioning_behavior=behavior,
            **fields,
        )


@pytest.fixture
def d(w):
    return Deployment(w)


def versioning(w, **execution):
    return w.describe(**execution).workflow_execution_info.versioning_info


# -- deployments -----------------------------------------------------------------------------------


def test_a_poll_makes_a_version(w, d):
    d.register("b1", activities=True)
    info = d.describe()
    assert info.name == d.name
    assert info.routing_config.current_version == UNVERSIONED
    assert d.statuses() == {"b1": "INACTIVE"}
    version = d.describe_version("b1").worker_deployment_version_info
    assert version.version == f"{d.name}.b1"
    queues = {(q.name, name_of(q, "type")) for q in version.task_queue_infos}
    assert queues == {
        (w.queue, "TASK_QUEUE_TYPE_WORKFLOW"),
        (w.queue, "TASK_QUEUE_TYPE_ACTIVITY"),
    }

    def listed():
        summaries = w.call("ListWorkerDeployments").worker_deployments
        return next((summary for summary in summaries if summary.name == d.name), None)

    assert eventually(listed).latest_version_summary.version == f"{d.name}.b1"


def test_current_and_ramping(w, d):
    d.register("b1", "b2")
    first = d.current("b1")
    assert first.previous_version == UNVERSIONED
    assert not first.HasField("previous_deployment_version")
    again = d.current("b1")
    assert again.previous_version == f"{d.name}.b1"
    assert again.conflict_token == first.conflict_token
    assert d.ramp("b2", 10).previous_version == ""
    more = d.ramp("b2", 25)
    assert (more.previous_version, more.previous_percentage) == (f"{d.name}.b2", 10)
    routing = d.describe().routing_config
    assert routing.current_deployment_version.build_id == "b1"
    assert routing.ramping_deployment_version.build_id == "b2"
    assert routing.ramping_version_percentage == 25
    assert routing.revision_number == 3
    assert d.statuses() == {"b1": "CURRENT", "b2": "RAMPING"}
    assert d.current("b2").previous_deployment_version.build_id == "b1"
    routing = d.describe().routing_config
    assert (routing.ramping_version, routing.ramping_version_percentage) == ("", 0)
    holds(lambda: d.statuses() == {"b1": "DRAINING", "b2": "CURRENT"})
    drainage = d.describe_version("b1").worker_deployment_version_info.drainage_info
    assert name_of(drainage, "status") == "VERSION_DRAINAGE_STATUS_DRAINING"
    d.ramp("", 30)
    assert d.describe().routing_config.ramping_version == UNVERSIONED
    unset = d.ramp("", 0)
    assert (unset.previous_version, unset.previous_percentage) == (UNVERSIONED, 30)
    d.current("")
    assert d.describe().routing_config.current_version == UNVERSIONED


def test_refusals(w, d):
    unknown = (
        f"no Worker Deployment found with name '{d.name}'; does your Worker Deployment have pollers?"
    )
    for call in (d.describe, lambda: d.current("b1"), lambda: d.ramp("b1", 5)):
        error = refused(call)
        assert (error.code, error.message) == ("NOT_FOUND", unknown)
    error = refused(lambda: d.describe_version("b1"))
    assert (error.code, error.message) == ("NOT_FOUND", "Worker Deployment Version not found")
    d.register("b1")
    d.current("b1")
    table = [
        (
            lambda: d.current("zz"),
            "NOT_FOUND",
            f"build ID 'zz' not found in Worker Deployment '{d.name}'",
        ),
        (
            lambda: d.current("b1", identity="you", conflict_token=b"x"),
            "FAILED_PRECONDITION",
            "conflict token mismatch",
        ),
        (
            lambda: d.ramp("b1", 5),
            "FAILED_PRECONDITION",
            f"requested ramping version {d.name}.b1 is already current",
        ),
        (
            lambda: d.ramp("b1", 101),
            "INVALID_ARGUMENT",
            "Percentage must be between 0 and 100 (inclusive)",
        ),
        (
            lambda: w.call("DeleteWorkerDeployment", deployment_name=d.name, identity="me"),
            "FAILED_PRECONDITION",
            "deployment has versions, can't be deleted",
        ),
        (
            lambda: w.call(
                "DeleteWorkerDeploymentVersion", deployment_version=d.version("b1"), identity="me"
            ),
            "FAILED_PRECONDITION",
            f"version '{d.name}:b1' cannot be deleted since it is current or ramping",
        ),
        (
            lambda: w.call("DescribeWorkerDeploymentVersion", version="nodelimiter"),
            "INVALID_ARGUMENT",
            'invalid version string "nodelimiter", expected format is "<deployment_name>.<build_id>"',
        ),
        (
            lambda: w.call("SetWorkerDeploymentManager", deployment_name=d.name),
            "INVALID_ARGUMENT",
            "Identity is required",
        ),
    ]
    for call, code, message in table:
        error = refused(call)
        assert (error.code, error.message) == (code, message)


@pytest.mark.parametrize(
    "name, message",
    [
        ("a.b", "worker deployment name cannot contain '.'"),
        ("a:b", "worker deployment name cannot contain ':'"),
        ("__a", "WorkerDeploymentName cannot start with '__'"),
        ("x" * 500, "size of WorkerDeploymentName larger than the maximum allowed"),
    ],
)
def test_names_of_deployments(w, name, message):
    error = refused(lambda: w.call("CreateWorkerDeployment", deployment_name=name))
    assert (error.code, error.message) == ("INVALID_ARGUMENT", message)


def test_deleting(w, d):
    d.register("b1", "b2")
    d.current("b1")
    d.current("b2")
    delete = lambda **fields: w.call(
        "DeleteWorkerDeploymentVersion",
        deployment_version=d.version("b1"),
        identity="me",
        **fields,
    )
    holds(lambda: d.statuses()["b1"] == "DRAINING")
    error = refused(delete)
    assert error.message == f"version '{d.name}:b1' cannot be deleted since it is draining"
    # Its poll was a moment ago.
    error = refused(lambda: delete(skip_drainage=True))
    assert error.message == f"version '{d.name}:b1' cannot be deleted since it has active pollers"
    # What is not there is as good as deleted.
    w.call("DeleteWorkerDeployment", deployment_name=d.name + "-none", identity="me")
    w.call(
        "DeleteWorkerDeploymentVersion", deployment_version=d.version("none"), identity="me"
    )


def test_a_manager_keeps_others_out(w, d):
    d.register("b1")
    assert d.manager(identity="me", self=True).previous_manager_identity == ""
    assert d.describe().manager_identity == "me"
    error = refused(lambda: d.current("b1", identity="you"))
    assert error.code == "FAILED_PRECONDITION"
    assert error.message.startswith(
        "ManagerIdentity 'me' is set and does not match user identity 'you'"
    )
    d.current("b1", identity="me")
    removed = d.manager(identity="you", manager_identity="")
    assert removed.previous_manager_identity == "me"
    d.current("", identity="you")


def test_metadata(w, d):
    d.register("b1")
    update = lambda **fields: w.call(
        "UpdateWorkerDeploymentVersionMetadata",
        deployment_version=d.version("b1"),
        identity="writer",
        **fields,
    )
    update(upsert_entries={"k": {"data": b"1"}, "l": {"data": b"2"}})
    answer = update(upsert_entries={"k": {"data": b"3"}}, remove_entries=["l"])
    assert {key: value.data for key, value in answer.metadata.entries.items()} == {"k": b"3"}
    info = d.describe_version("b1").worker_deployment_version_info
    assert info.metadata.entries["k"].data == b"3"
    assert info.last_modifier_identity == "writer"


def test_creating_without_pollers(w, d):
    create = lambda request: w.call(
        "CreateWorkerDeployment", deployment_name=d.name, identity="x", request_id=request
    )
    token = create("r1").conflict_token
    assert create("r1").conflict_token == token
    error = refused(lambda: create("r2"))
    text = f'Worker Deployment with name "{d.name}" already exists'
    assert (error.code, error.message) == ("ALREADY_EXISTS", text)
    version = lambda request, **fields: w.call(
        "CreateWorkerDeploymentVersion",
        deployment_version=d.version("b1"),
        request_id=request,
        identity="x",
        **fields,
    )
    version("r1")
    version("r1")
    error = refused(lambda: version("r2"))
    text = f'Worker Deployment Version "{d.name}.b1" already exists'
    assert (error.code, error.message) == ("ALREADY_EXISTS", text)
    assert d.statuses() == {"b1": "CREATED"}
    d.register("b1")
    holds(lambda: d.statuses() == {"b1": "INACTIVE"})


def test_compute_needs_a_provider(w, d):
    d.register("b1")
    group = {"task_queue_types": ["TASK_QUEUE_TYPE_WORKFLOW"], "provider": {"type": "aws-lambda"}}
    error = refused(
        lambda: w.call(
            "UpdateWorkerDeploymentVersionComputeConfig",
            deployment_version=d.version("b1"),
            request_id="r",
            compute_config_scaling_groups={"g": {"scaling_group": group}},
        )
    )
    text = "g: Could not instantiate compute provider with type 'aws-lambda'"
    assert (error.code, error.message) == ("INVALID_ARGUMENT", text)


def test_nothing_to_validate(w):
    error = refused(lambda: w.call("ValidateWorkerDeploymentVersionComputeConfig"))
    text = (
        "No prior compute config found, which means nothing can be removed and something needs to be"
        " added to be valid"
    )
    assert (error.code, error.message) == ("INVALID_ARGUMENT", text)


def test_a_poll_names_its_version_whole(w):
    options = {"deployment_name": "d", "build_id": "", "worker_versioning_mode": VERSIONED}
    error = refused(lambda: w.poll_once(deployment_options=options))
    text = "Deployment name and build id must be set together."
    assert (error.code, error.message) == ("INVALID_ARGUMENT", text)


# -- workflows -------------------------------------------------------------------------------------


def test_a_pinned_workflow_stays(w, d):
    d.register("b1", "b2", activities=True)
    d.current("b1")
    d.routed("b1")
    w.start()
    task = d.poll("b1")
    info = versioning(w)
    assert info.version_transition.deployment_version.build_id == "b1"
    d.finish(task, "b1", PINNED, activity("a", w.queue))
    info = versioning(w)
    assert name_of(info, "behavior") == PINNED
    assert info.version == f"{d.name}.b1"
    assert info.deployment_version.build_id == "b1"
    assert not info.HasField("version_transition")
    completed = w.wait_for("WorkflowTaskCompleted").workflow_task_completed_event_attributes
    assert name_of(completed, "versioning_behavior") == PINNED
    assert completed.worker_deployment_name == d.name
    assert completed.deployment_version.build_id == "b1"
    described = w.describe().workflow_execution_info
    assert described.worker_deployment_name == d.name
    attributes = described.search_attributes.indexed_fields
    version = f"{d.name}:b1"
    for name, value in {
        "TemporalWorkerDeployment": f'"{d.name}"',
        "TemporalWorkerDeploymentVersion": f'"{version}"',
        "TemporalWorkflowVersioningBehavior": '"Pinned"',
        "TemporalUsedWorkerDeploymentVersions": f'["{version}"]',
        "BuildIds": f'["pinned:{version}"]',
    }.items():
        assert attributes[name].data.decode() == value, name
    d.current("b2")
    d.routed("b2")
    w.signal()
    # Its activity and its next task still go to its own version, which hears of the newer one.
    assert w.poll_activity(deployment_options=d.options("b1")).activity_id == "a"
    task = d.poll("b1")
    started = task.history.events[-1].workflow_task_started_event_attributes
    assert started.target_worker_deployment_version_changed
    d.finish(task, "b1", PINNED, complete())


def test_one_that_upgrades_moves(w, d):
    d.register("b1", "b2")
    d.current("b1")
    d.routed("b1")
    w.start()
    d.finish(d.poll("b1"), "b1", AUTO_UPGRADE)
    d.current("b2")
    d.routed("b2")
    w.signal()
    task = d.poll("b2")
    info = versioning(w)
    assert info.deployment_version.build_id == "b1"
    assert info.version_transition.deployment_version.build_id == "b2"
    d.finish(task, "b2", AUTO_UPGRADE)
    info = versioning(w)
    assert info.deployment_version.build_id == "b2"
    assert not info.HasField("version_transition")
    used = w.describe().workflow_execution_info.search_attributes.indexed_fields[
        "TemporalUsedWorkerDeploymentVersions"
    ]
    assert used.data.decode() == f'["{d.name}:b1","{d.name}:b2"]'


def test_what_waits_follows_the_routing(w, d):
    """A task that waits for workers without a version goes to a version once there is one."""
    d.register("b1")
    w.start()
    d.current("b1")
    task = d.poll("b1")
    d.finish(task, "b1", PINNED, complete())


def test_ramping(w, d):
    d.register("b1", "b2")
    d.current("b1")
    d.ramp("b2", 100)
    d.routed("b1")

    def ramped():
        info = w.call("DescribeTaskQueue", task_queue={"name": w.queue}).versioning_info
        return info.ramping_version_percentage == 100

    holds(ramped)
    w.start()
    d.finish(d.poll("b2"), "b2", PINNED, complete())


def test_an_activity_waits_until_the_workflow_has_moved(w, d):
    d.register("b1", "b2", activities=True)
    d.current("b1")
    d.routed("b1")
    w.start()
    d.finish(d.poll("b1"), "b1", AUTO_UPGRADE, activity("a", w.queue))
    d.current("b2")
    d.routed("b2")
    poll = w.client.future(
        "PollActivityTaskQueue",
        timeout=30,
        task_queue={"name": w.queue},
        deployment_options=d.options("b2"),
    )
    # The activity is for the new version: the workflow moves first, by a task that it brings about.
    task = d.poll("b2", timeout=20)
    d.finish(task, "b2", AUTO_UPGRADE)
    assert poll.result().activity_id == "a"


def test_a_behavior_needs_a_version(w):
    w.start()
    task = w.poll()
    error = refused(
        lambda: w.call(
            "RespondWorkflowTaskCompleted",
            task_token=task.task_token,
            versioning_behavior=PINNED,
        )
    )
    text = (
        "versioning behavior cannot be specified without deployment options being set with "
        "versioned mode"
    )
    assert (error.code, error.message) == ("INVALID_ARGUMENT", text)


def test_an_override_at_the_start(w, d):
    d.register("b1", "b2")
    d.current("b1")
    d.routed("b1")
    pinned = {"behavior": "PINNED_OVERRIDE_BEHAVIOR_PINNED", "version": d.version("b2")}
    w.start(versioning_override={"pinned": pinned})
    started = w.events()[0].workflow_execution_started_event_attributes
    assert started.versioning_override.pinned.version.build_id == "b2"
    d.finish(d.poll("b2"), "b2", AUTO_UPGRADE)
    info = versioning(w)
    assert name_of(info, "behavior") == AUTO_UPGRADE
    assert info.versioning_override.pinned.version.build_id == "b2"
    assert info.versioning_override.pinned_version == f"{d.name}.b2"
    attributes = w.describe().workflow_execution_info.search_attributes.indexed_fields
    assert attributes["TemporalWorkflowVersioningBehavior"].data == b'"Pinned"'


@pytest.mark.parametrize(
    "override, code, message",
    [
        (
            {"pinned": {"behavior": "PINNED_OVERRIDE_BEHAVIOR_PINNED"}},
            "INVALID_ARGUMENT",
            "must provide version if override is pinned.",
        ),
        (
            {"pinned": {"version": {"deployment_name": "d", "build_id": "b"}}},
            "INVALID_ARGUMENT",
            "must specify pinned override behavior if override is pinned.",
        ),
        (
            {
                "pinned": {
                    "behavior": "PINNED_OVERRIDE_BEHAVIOR_PINNED",
                    "version": {"deployment_name": "none", "build_id": "b"},
                }
            },
            "FAILED_PRECONDITION",
            "Pinned version 'none:b' is not present in task queue '{queue}' of type 'Workflow'",
        ),
        ({}, "INVALID_ARGUMENT", "override behavior is required"),
    ],
)
def test_bad_overrides(w, override, code, message):
    error = refused(lambda: w.start(versioning_override=override))
    assert (error.code, error.message) == (code, message.format(queue=w.queue))


def test_a_query_goes_to_the_workflows_version(w, d):
    d.register("b1", "b2")
    d.current("b1")
    d.routed("b1")
    w.start()
    d.finish(d.poll("b1"), "b1", PINNED)
    d.current("b2")
    d.routed("b2")
    query = w.query_future("q")
    task = d.poll("b1")
    assert task.query.query_type == "q"
    w.call(
        "RespondQueryTaskCompleted",
        task_token=task.task_token,
        completed_type="QUERY_RESULT_TYPE_ANSWERED",
        query_result={"payloads": [{"data": b"1"}]},
    )
    assert query.result().query_result.payloads[0].data == b"1"


def test_a_continued_run_inherits_a_pinned_version(w, d):
    d.register("b1", "b2")
    d.current("b1")
    d.routed("b1")
    w.start()
    d.finish(d.poll("b1"), "b1", PINNED)
    d.current("b2")
    d.routed("b2")
    w.signal()
    d.finish(d.poll("b1"), "b1", PINNED, continue_as_new())
    task = d.poll("b1")
    started = task.history.events[0].workflow_execution_started_event_attributes
    assert started.inherited_pinned_version.build_id == "b1"
    d.finish(task, "b1", PINNED, complete())


def test_a_child_inherits_a_pinned_version(w, d):
    d.register("b1", "b2")
    d.current("b1")
    d.routed("b1")
    w.start()
    id_ = w.id + "-child"
    w._opened.add(id_)
    started = child(id_, parent_close_policy="PARENT_CLOSE_POLICY_ABANDON")
    d.finish(d.poll("b1"), "b1", PINNED, started)
    w.wait_for("ChildWorkflowExecutionStarted")
    event = w.events(run_id="", workflow_id=id_)[0]
    attributes = event.workflow_execution_started_event_attributes
    assert attributes.inherited_pinned_version.build_id == "b1"
    w.terminate(workflow_execution={"workflow_id": id_})


def pinned_to(version=None):
    pinned = {"behavior": "PINNED_OVERRIDE_BEHAVIOR_PINNED"}
    if version:
        pinned["version"] = version
    return {"pinned": pinned}


def choose(w, override):
    return w.call(
        "UpdateWorkflowExecutionOptions",
        workflow_execution=w.execution(run_id=""),
        workflow_execution_options={"versioning_override": override},
        update_mask={"paths": ["versioning_override"]},
    )


def test_an_override_pins_to_a_known_version_only(w, d):
    d.register("b1")
    w.start()
    error = refused(lambda: choose(w, pinned_to(d.version("none"))))
    assert error.code == "FAILED_PRECONDITION"
    assert error.message == (
        f"Pinned version '{d.name}:none' is not present in task queue '{w.queue}' "
        "of type 'Workflow'"
    )
    error = refused(lambda: choose(w, pinned_to()))
    assert error.code == "FAILED_PRECONDITION"
    assert error.message == (
        "must specify a specific pinned override version because workflow with id "
        f"{w.id} has behavior Unspecified and is not yet pinned to any version"
    )
    choose(w, pinned_to(d.version("b1")))
    # Where it is pinned to already.
    answer = choose(w, pinned_to())
    chosen = answer.workflow_execution_options.versioning_override.pinned.version
    assert (chosen.deployment_name, chosen.build_id) == (d.name, "b1")
    choose(w, {"auto_upgrade": True})
    error = refused(lambda: choose(w, pinned_to()))
    assert "has behavior AutoUpgrade" in error.message


def test_options_take_an_idle_version_up_again(w, d):
    d.register("b1", "b2")
    w.start()
    choose(w, pinned_to(d.version("b2")))
    holds(lambda: d.statuses()["b2"] == "DRAINING")
    assert d.statuses()["b1"] == "INACTIVE"


def test_a_queue_is_described_by_version(w, d):
    d.register("b1", "b2")
    d.current("b1")
    w.start()

    def look():
        answer = w.call(
            "DescribeTaskQueue",
            api_mode="DESCRIBE_TASK_QUEUE_MODE_ENHANCED",
            task_queue={"name": w.queue},
            task_queue_types=["TASK_QUEUE_TYPE_WORKFLOW"],
            report_stats=True,
            report_pollers=True,
            versions={
                "build_ids": [f"{d.name}:b1", f"{d.name}:b2", f"{d.name}.b1"],
                "unversioned": True,
            },
        )
        shown = {
            version: (
                info.types_info[1].stats.approximate_backlog_count,
                [poller.deployment_options.build_id for poller in info.types_info[1].pollers],
            )
            for version, info in answer.versions_info.items()
        }
        expected = {
            "": (0, []),
            f"{d.name}:b1": (1, ["b1"]),
            f"{d.name}:b2": (0, ["b2"]),
            f"{d.name}.b1": (0, []),
        }
        return shown == expected or None

    eventually(look)


def test_a_schedule_may_choose_a_version(w, d):
    override = pinned_to(d.version("b1"))
    action = {
        "workflow_id": w.id,
        "workflow_type": {"name": "T"},
        "task_queue": {"name": w.queue},
        "versioning_override": override,
    }
    schedule = {"spec": {}, "action": {"start_workflow": action}}
    w.call("CreateSchedule", schedule_id=w.id, request_id=w.id, schedule=schedule)
    described = w.call("DescribeSchedule", schedule_id=w.id).schedule.action.start_workflow
    assert described.versioning_override.pinned.version.build_id == "b1"
    w.call("DeleteSchedule", schedule_id=w.id)


@pytest.mark.ours
def test_what_a_schedule_starts_has_its_version(w, d):
    """The reference keeps the override and does not hand it on."""
    d.register("b1")
    action = {
        "workflow_id": w.id,
        "workflow_type": {"name": "T"},
        "task_queue": {"name": w.queue},
        "versioning_override": pinned_to(d.version("b1")),
    }
    w.call(
        "CreateSchedule",
        schedule_id=w.id,
        request_id=w.id,
        schedule={"spec": {}, "action": {"start_workflow": action}},
        initial_patch={"trigger_immediately": {}},
    )
    query = f'WorkflowId STARTS_WITH "{w.id}-"'
    listed = lambda: w.call("ListWorkflowExecutions", query=query).executions  # noqa: E731
    (started,) = eventually(lambda: listed() or None)
    started = started.execution.workflow_id
    info = w.describe(run_id="", workflow_id=started).workflow_execution_info.versioning_info
    assert info.versioning_override.pinned.version.build_id == "b1"
    w.terminate(workflow_execution={"workflow_id": started})
    w.call("DeleteSchedule", schedule_id=w.id)


@pytest.mark.parametrize(
    "name, code",
    [
        ("UpdateWorkerBuildIdCompatibility", "PERMISSION_DENIED"),
        ("GetWorkerBuildIdCompatibility", "PERMISSION_DENIED"),
        ("UpdateWorkerVersioningRules", "PERMISSION_DENIED"),
        ("GetWorkerVersioningRules", "PERMISSION_DENIED"),
        ("GetWorkerTaskReachability", "PERMISSION_DENIED"),
        ("DescribeDeployment", "UNIMPLEMENTED"),
        ("ListDeployments", "UNIMPLEMENTED"),
        ("GetDeploymentReachability", "UNIMPLEMENTED"),
        ("GetCurrentDeployment", "UNIMPLEMENTED"),
        ("SetCurrentDeployment", "UNIMPLEMENTED"),
    ],
)
def test_older_versioning_is_off(client, name, code):
    error = refused(lambda: client(name))
    details = [type(detail).__name__ for detail in error.details]
    denied = code == "PERMISSION_DENIED"
    assert (error.code, details) == (code, ["PermissionDeniedFailure"] if denied else [])
    if "BuildIdCompatibility" in name:
        assert error.message == (
            "Worker versioning v0.1 (Version Set-based, deprecated) is disabled on this namespace."
        )
    elif denied:
        assert error.message == (
            "Worker versioning v0.2 (Rules-based, deprecated) is disabled on this namespace."
        )
    assert refused(lambda: client(name, namespace="")).message == "Namespace is empty."
    assert refused(lambda: client(name, namespace="none")).code == "NOT_FOUND"
