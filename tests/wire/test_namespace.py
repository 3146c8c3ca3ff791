"""Namespaces: register, describe, update, deprecate, delete, list, and what they refuse."""

import uuid

import grpc
import pytest
from client import Client, eventually, refused, seconds
from scene import Scene


def unique():
    return "wire-" + uuid.uuid4().hex[:12]


def patient(client, rpc, **fields):
    """Calls again while the reference's limit on namespace changes (a few a second) refuses."""

    def attempt():
        try:
            return client(rpc, **fields)
        except grpc.RpcError as error:
            if error.code() == grpc.StatusCode.RESOURCE_EXHAUSTED:
                raise AssertionError(error.details()) from None
            raise

    return eventually(attempt, timeout=60, every=0.5)


@pytest.fixture
def fresh(client):
    """The name of a namespace of this test's own."""
    name = unique()
    patient(
        client,
        "RegisterNamespace",
        namespace=name,
        description="d",
        owner_email="o@example.com",
        workflow_execution_retention_period=seconds(3 * 86400),
        data={"k": "v"},
    )
    eventually(lambda: described(client, name))
    return name


def described(client, name):
    try:
        return client("DescribeNamespace", namespace=name)
    except grpc.RpcError as error:
        if error.code() == grpc.StatusCode.NOT_FOUND:
            return None
        raise


def test_register_and_describe(client, fresh):
    answer = client("DescribeNamespace", namespace=fresh)
    info = answer.namespace_info
    assert (info.name, info.description, info.owner_email) == (fresh, "d", "o@example.com")
    assert info.state == 1  # REGISTERED
    assert dict(info.data) == {"k": "v"}
    assert uuid.UUID(info.id)
    assert answer.config.workflow_execution_retention_ttl.seconds == 3 * 86400
    assert answer.config.history_archival_state == 1  # DISABLED
    assert answer.config.visibility_archival_state == 1
    assert answer.is_global_namespace is False
    by_id = client("DescribeNamespace", namespace="", id=info.id)
    assert by_id.namespace_info.name == fresh


def test_default_namespace(client):
    answer = client("DescribeNamespace", namespace="default")
    info = answer.namespace_info
    assert info.state == 1
    assert answer.config.workflow_execution_retention_ttl.seconds == 86400
    assert info.capabilities.eager_workflow_start
    assert info.limits.blob_size_limit_error == 2 * 1024 * 1024
    assert info.limits.memo_size_limit_error == 2 * 1024 * 1024


def test_updates_are_claimed(client):
    info = client("DescribeNamespace", namespace="default").namespace_info
    assert info.capabilities.sync_update
    assert info.capabilities.async_update


def test_schedules_are_claimed(client):
    info = client("DescribeNamespace", namespace="default").namespace_info
    assert info.supports_schedules


def test_system_namespace(client):
    info = client("DescribeNamespace", namespace="temporal-system").namespace_info
    assert info.id == "32049b68-7872-4094-8e63-d0dd59896a83"


def test_list(client, fresh):
    names, token = [], b""
    while True:
        page = client("ListNamespaces", page_size=5, next_page_token=token)
        names += [n.namespace_info.name for n in page.namespaces]
        token = page.next_page_token
        if not token:
            break
    assert {"default", "temporal-system", fresh} <= set(names)
    assert len(names) == len(set(names))


def test_usable_after_registration(client, fresh):
    scene = Scene(Client(namespace=fresh))

    def start():
        try:
            return scene.start()
        except grpc.RpcError as error:
            if error.code() == grpc.StatusCode.NOT_FOUND:
                return None  # not everywhere known yet
            raise

    eventually(start)
    assert scene.poll().workflow_execution.workflow_id == scene.id
    with refused("NOT_FOUND", f"workflow not found for ID: {scene.id}", "NotFoundFailure"):
        client("DescribeWorkflowExecution", execution={"workflow_id": scene.id})
    scene.close()


def test_update(client, fresh):
    answer = patient(
        client,
        "UpdateNamespace",
        namespace=fresh,
        update_info={"description": "new", "owner_email": "x@example.com", "data": {"k2": "v2"}},
        config={"workflow_execution_retention_ttl": seconds(2 * 86400)},
    )
    assert answer.namespace_info.description == "new"
    info = client("DescribeNamespace", namespace=fresh)
    assert (info.namespace_info.description, info.namespace_info.owner_email) == (
        "new",
        "x@example.com",
    )
    assert dict(info.namespace_info.data) == {"k": "v", "k2": "v2"}
    assert info.config.workflow_execution_retention_ttl.seconds == 2 * 86400


def test_deprecate(client, fresh):
    patient(client, "DeprecateNamespace", namespace=fresh)
    scene = Scene(Client(namespace=fresh))
    message = "Namespace has invalid state: Deprecated. Must be Registered."

    def look():
        with refused("FAILED_PRECONDITION", message, "NamespaceInvalidStateFailure") as error:
            scene.start()
        return error

    error = eventually(look)
    assert error.detail.namespace == fresh
    assert (error.detail.state, list(error.detail.allowed_states)) == (2, [1])
    with refused("FAILED_PRECONDITION", message, "NamespaceInvalidStateFailure"):
        scene.signal_with_start()
    other = Scene(Client(namespace=fresh))
    with refused("NOT_FOUND", f"workflow not found for ID: {other.id}", "NotFoundFailure"):
        other.signal()  # other calls are let through
    scene.close()


def test_delete(client, fresh):
    id_ = client("DescribeNamespace", namespace=fresh).namespace_info.id
    answer = patient(client, "DeleteNamespace", namespace=fresh)
    assert answer.deleted_namespace == f"{fresh}-deleted-{id_[:5]}"

    def gone():
        message = f"Namespace {fresh} is not found."
        with refused("NOT_FOUND", message, "NamespaceNotFoundFailure"):
            client("DescribeNamespace", namespace=fresh)
        return True

    eventually(gone, timeout=30)


def test_duplicate(client, fresh):
    message = f'Namespace "{fresh}" already exists'
    with refused("ALREADY_EXISTS", message, "NamespaceAlreadyExistsFailure"):
        patient(
            client,
            "RegisterNamespace",
            namespace=fresh,
            workflow_execution_retention_period=seconds(86400),
        )


@pytest.mark.parametrize(
    "fields, message",
    [
        ({}, "A valid retention period is not set on request."),
        (
            {"workflow_execution_retention_period": seconds(60)},
            "A valid retention period is not set on request.",
        ),
        ({"namespace": ""}, "Namespace not set on request."),
        ({"namespace": "n" * 1001}, "Namespace length exceeds limit."),
        (
            {"is_global_namespace": True, "workflow_execution_retention_period": seconds(86400)},
            "Cannot register global namespace when not enabled",
        ),
    ],
)
def test_bad_registration(client, fields, message):
    fields.setdefault("namespace", unique())
    with refused("INVALID_ARGUMENT", message):
        patient(client, "RegisterNamespace", **fields)


@pytest.mark.parametrize("rpc", ["DescribeNamespace", "UpdateNamespace", "DeprecateNamespace"])
def test_unknown_namespace(client, rpc):
    name = unique()
    message = f"Namespace {name} is not found."
    with refused("NOT_FOUND", message, "NamespaceNotFoundFailure") as error:
        patient(client, rpc, namespace=name)
    assert error.detail.namespace == name


def test_unknown_namespace_id(client):
    id_ = str(uuid.uuid4())
    with refused("NOT_FOUND", detail="NamespaceNotFoundFailure", contains=id_):
        client("DescribeNamespace", namespace="", id=id_)


def test_system_namespace_cannot_be_deleted(client):
    with refused("FAILED_PRECONDITION", "unable to delete system namespace", "any"):
        patient(client, "DeleteNamespace", namespace="temporal-system")


def test_name_and_id_together(client):
    id_ = client("DescribeNamespace", namespace="default").namespace_info.id
    message = "GetNamespace operation failed.  Both ID and Name specified in request."
    for given in (id_, str(uuid.uuid4())):
        with refused("INVALID_ARGUMENT", message):
            client("DescribeNamespace", namespace="default", id=given)


@pytest.mark.parametrize(
    "rpc",
    [
        "StartWorkflowExecution",
        "SignalWorkflowExecution",
        "QueryWorkflow",
        "DescribeWorkflowExecution",
        "GetWorkflowExecutionHistory",
        "PollWorkflowTaskQueue",
        "PollActivityTaskQueue",
        "ListWorkflowExecutions",
        "CountWorkflowExecutions",
        "DescribeTaskQueue",
        "TerminateWorkflowExecution",
        "RespondActivityTaskCompletedById",
    ],
)
def test_namespace_comes_before_everything_else(client, rpc):
    """An unknown namespace is told even when all other fields are missing; an empty one too."""
    message = "Namespace no-such-namespace is not found."
    with refused("NOT_FOUND", message, "NamespaceNotFoundFailure") as error:
        client(rpc, namespace="no-such-namespace")
    assert error.detail.namespace == "no-such-namespace"
    with refused("INVALID_ARGUMENT", "Namespace is empty."):
        client(rpc, namespace="")


def test_there_is_one_cluster(client, fresh):
    retention = {"workflow_execution_retention_period": seconds(86400)}
    with refused("INVALID_ARGUMENT", "Invalid cluster name: elsewhere"):
        client("RegisterNamespace", namespace=unique(), active_cluster_name="elsewhere", **retention)
    with refused("INVALID_ARGUMENT", "Invalid cluster name: elsewhere"):
        wanted = {"active_cluster_name": "elsewhere"}
        patient(client, "UpdateNamespace", namespace=fresh, replication_config=wanted)
    with refused("INVALID_ARGUMENT", "Handover can only be set for global namespace"):
        wanted = {"state": "REPLICATION_STATE_HANDOVER"}
        patient(client, "UpdateNamespace", namespace=fresh, replication_config=wanted)
    assert described(client, fresh).replication_config.state == 1  # normal
