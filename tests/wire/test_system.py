"""System and cluster info, client version headers, health, reflection, unknown methods."""

import uuid

import grpc
import pytest
from client import OPERATOR_SERVICE, WORKFLOW_SERVICE, refused
from grpc_health.v1 import health_pb2, health_pb2_grpc
from grpc_reflection.v1alpha import reflection_pb2, reflection_pb2_grpc

TRUE = [
    "signal_and_query_header",
    "internal_error_differentiation",
    "activity_failure_include_heartbeat",
    "encoded_failure_attributes",
    "upsert_memo",
    "eager_workflow_start",
    "sdk_metadata",
    "count_group_by_execution_status",
]


def test_system_info(client):
    info = client("GetSystemInfo")
    assert info.server_version.count(".") == 2
    for capability in TRUE:
        assert getattr(info.capabilities, capability), capability


def test_schedules_and_versioning_are_claimed(client):
    capabilities = client("GetSystemInfo").capabilities
    assert capabilities.supports_schedules
    assert capabilities.build_id_based_versioning


@pytest.mark.quirk
def test_server_version(client):
    assert client("GetSystemInfo").server_version == "1.32.0"


def test_cluster_info(client):
    info = client("GetClusterInfo")
    assert info.supported_clients["temporal-go"] == "<2.0.0"
    assert info.supported_clients["temporal-java"] == "<2.0.0"
    assert info.supported_clients["temporal-typescript"] == "<2.0.0"
    assert info.supported_clients["temporal-cli"] == "<2.0.0"
    assert info.supported_clients["temporal-ui"] == "<3.0.0"
    assert "temporal-python" not in info.supported_clients
    assert info.server_version == client("GetSystemInfo").server_version
    assert uuid.UUID(info.cluster_id)
    assert info.cluster_name and info.history_shard_count >= 1
    assert info.persistence_store and info.visibility_store


@pytest.mark.quirk
def test_cluster_info_of_the_dev_server(client):
    info = client("GetClusterInfo")
    assert (info.cluster_name, info.history_shard_count) == ("active", 1)
    assert (info.persistence_store, info.visibility_store) == ("sqlite", "sqlite")
    assert (info.initial_failover_version, info.failover_version_increment) == (1, 10)


def test_list_clusters(client):
    (cluster,) = client("ListClusters").clusters
    assert cluster.cluster_name == client("GetClusterInfo").cluster_name
    assert cluster.is_connection_enabled and not cluster.is_replication_enabled
    assert cluster.address


# -- headers ---------------------------------------------------------------------------------------


def described(client, *metadata):
    return client("DescribeNamespace", namespace="default", metadata=metadata)


def test_unknown_clients_are_not_checked(client):
    described(client, ("client-name", "temporal-python"), ("client-version", "99.0.0"))
    described(client, ("client-name", "anything"), ("client-version", "not a version"))


def test_old_and_new_enough_client(client):
    described(client, ("client-name", "temporal-go"), ("client-version", "1.30.0"))


def test_client_version_not_supported(client):
    message = "Client version 9.0.0 is not supported. Server supports temporal-go versions: <2.0.0"
    with refused("FAILED_PRECONDITION", message, "ClientVersionNotSupportedFailure") as error:
        described(client, ("client-name", "temporal-go"), ("client-version", "9.0.0"))
    assert error.detail.client_name == "temporal-go"
    assert error.detail.client_version == "9.0.0"
    assert error.detail.supported_versions == "<2.0.0"


def test_client_version_not_readable(client):
    message = "Unable to parse client version: No Major.Minor.Patch elements found"
    with refused("INVALID_ARGUMENT", message):
        described(client, ("client-name", "temporal-go"), ("client-version", "abc"))


def test_server_version_not_supported(client):
    version = client("GetSystemInfo").server_version
    message = f"Server version {version} is not supported. Client supports server versions: >=9.0.0"
    with refused("FAILED_PRECONDITION", message, "ServerVersionNotSupportedFailure") as error:
        described(
            client,
            ("client-name", "temporal-go"),
            ("client-version", "1.0.0"),
            ("supported-server-versions", ">=9.0.0"),
        )
    assert error.detail.server_version == version


def test_server_version_range_that_fits(client):
    described(
        client,
        ("client-name", "temporal-go"),
        ("client-version", "1.0.0"),
        ("supported-server-versions", ">=1.0.0 <2.0.0"),
    )


def test_server_version_range_not_readable(client):
    with refused("INVALID_ARGUMENT", prefix="Unable to parse supported server versions: "):
        described(
            client,
            ("client-name", "temporal-go"),
            ("client-version", "1.0.0"),
            ("supported-server-versions", "abc"),
        )


def test_unknown_headers_are_ignored(client):
    described(
        client,
        ("temporal-resource-id", "x"),
        ("temporal-experiment", "y"),
        ("supported-features", "unknown-feature,another"),
    )


# -- health and reflection -------------------------------------------------------------------------


@pytest.mark.parametrize("service", ["", WORKFLOW_SERVICE, OPERATOR_SERVICE])
def test_health(client, service):
    stub = health_pb2_grpc.HealthStub(client.channel)
    answer = stub.Check(health_pb2.HealthCheckRequest(service=service), timeout=10)
    assert answer.status == health_pb2.HealthCheckResponse.SERVING


def test_health_of_an_unknown_service(client):
    stub = health_pb2_grpc.HealthStub(client.channel)
    with refused("NOT_FOUND", "unknown service"):
        stub.Check(health_pb2.HealthCheckRequest(service="no.such.Service"), timeout=10)


def reflected(client, **request):
    stub = reflection_pb2_grpc.ServerReflectionStub(client.channel)
    requests = iter([reflection_pb2.ServerReflectionRequest(**request)])
    return next(stub.ServerReflectionInfo(requests, timeout=10))


def test_reflection_lists_the_services(client):
    answer = reflected(client, list_services="*")
    services = {service.name for service in answer.list_services_response.service}
    assert services >= {
        WORKFLOW_SERVICE,
        OPERATOR_SERVICE,
        "grpc.health.v1.Health",
        "grpc.reflection.v1.ServerReflection",
        "grpc.reflection.v1alpha.ServerReflection",
    }


def test_reflection_gives_descriptors(client):
    answer = reflected(client, file_containing_symbol=WORKFLOW_SERVICE)
    assert answer.file_descriptor_response.file_descriptor_proto


@pytest.mark.parametrize("service", [WORKFLOW_SERVICE, OPERATOR_SERVICE])
def test_unknown_method(client, service):
    with refused("UNIMPLEMENTED", f"unknown method Foo for service {service}"):
        client.raw(f"/{service}/Foo", b"").result()


def test_unknown_service(client):
    with refused("UNIMPLEMENTED", "unknown service no.such.Service"):
        client.raw("/no.such.Service/Foo", b"").result()


def test_success_sets_no_trailers(client):
    call = client.future("GetSystemInfo")
    call.result()
    names = {key for key, _ in call.trailing_metadata()}
    assert not any(name.startswith("temporal") for name in names)
    assert call.code() == grpc.StatusCode.OK


# -- the legacy list of search attributes needs no namespace ---------------------------------------


def test_get_search_attributes(client):
    keys = client("GetSearchAttributes").keys
    assert keys["WorkflowId"] == 2  # KEYWORD
    assert keys["StartTime"] == 6  # DATETIME
