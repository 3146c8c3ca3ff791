"""Nexus endpoints."""

import uuid

import nexus
import pytest
from client import OPERATOR_SERVICE, eventually, payload, refused, seconds
from temporalio.api.operatorservice.v1 import request_response_pb2 as operator

UNKNOWN = "11111111-1111-4111-8111-111111111111"


def name():
    return f"ep-{uuid.uuid4().hex[:12]}"


def spec(name_, queue="q", namespace="default", **fields):
    worker = {"namespace": namespace, "task_queue": queue}
    return {"name": name_, "target": {"worker": worker}, **fields}


def listed(scene, name_):
    """The endpoints of that name: none or one."""
    request = operator.ListNexusEndpointsRequest(name=name_).SerializeToString()
    path = f"/{OPERATOR_SERVICE}/ListNexusEndpoints"
    return scene.client.raw(path, request, "ListNexusEndpoints").result().endpoints


def test_life(w):
    first = nexus.endpoint(w)
    endpoint = w.endpoints[first]
    assert endpoint.version == 1
    assert endpoint.url_prefix == f"/nexus/endpoints/{endpoint.id}/services"
    assert endpoint.HasField("created_time") and not endpoint.HasField("last_modified_time")
    assert w.call("GetNexusEndpoint", id=endpoint.id).endpoint == endpoint
    assert list(listed(w, first)) == [endpoint]
    changed = w.call(
        "UpdateNexusEndpoint",
        id=endpoint.id,
        version=1,
        spec=spec(first, "other", description=payload("d")),
    ).endpoint
    w.endpoints[first] = changed
    assert changed.version == 2 and changed.HasField("last_modified_time")
    assert changed.spec.target.worker.task_queue == "other"
    assert w.call("GetNexusEndpoint", id=endpoint.id).endpoint == changed
    w.call("DeleteNexusEndpoint", id=endpoint.id, version=2)
    del w.endpoints[first]
    missing = f"Nexus endpoint with ID `{endpoint.id}` not found"
    with refused("NOT_FOUND", missing, "NotFoundFailure"):
        w.call("GetNexusEndpoint", id=endpoint.id)


def test_pages(w):
    for _ in range(3):
        nexus.endpoint(w)
    found, token = [], b""
    while True:
        page = w.call("ListNexusEndpoints", page_size=1, next_page_token=token)
        assert len(page.endpoints) <= 1
        found += [endpoint.spec.name for endpoint in page.endpoints]
        token = page.next_page_token
        if not token:
            break
    assert set(w.endpoints) <= set(found)
    assert all(found.count(name_) == 1 for name_ in w.endpoints)
    assert not listed(w, name())


REGEX = r'endpoint name must match the regex: "^[a-zA-Z][a-zA-Z0-9\\-]*[a-zA-Z0-9]$"'
UNKNOWN_NAMESPACE = (
    "could not verify namespace referenced by target exists: Namespace zz is not found."
)


@pytest.mark.parametrize(
    "given, code, message",
    [
        ({}, "INVALID_ARGUMENT", "endpoint name not set, empty target variant"),
        (spec("a_"), "INVALID_ARGUMENT", REGEX),
        (spec("a"), "INVALID_ARGUMENT", REGEX),
        (spec("a" * 201), "INVALID_ARGUMENT", "endpoint name exceeds length limit of 200"),
        (
            spec("ab", ""),
            "INVALID_ARGUMENT",
            'invalid target task queue: "taskQueue is not set"',
        ),
        (spec("ab", namespace=""), "INVALID_ARGUMENT", "target namespace not set"),
        (spec("ab", namespace="zz"), "FAILED_PRECONDITION", UNKNOWN_NAMESPACE),
        (
            spec("ab", description=payload("x" * 20000)),
            "INVALID_ARGUMENT",
            "description size exceeds limit of 20000",
        ),
        (
            {"name": "ab", "target": {"external": {"url": ""}}},
            "INVALID_ARGUMENT",
            "empty target URL",
        ),
        (
            {"name": "ab", "target": {"external": {"url": "ftp://x"}}},
            "INVALID_ARGUMENT",
            'invalid target URL scheme: "ftp", expected http or https',
        ),
    ],
)
def test_refused_specifications(client, given, code, message):
    with refused(code, message):
        client("CreateNexusEndpoint", spec=given)


def test_names_are_unique_and_versions_are_checked(w):
    first = nexus.endpoint(w)
    endpoint = w.endpoints[first]
    taken = f"error creating Nexus endpoint. Endpoint with name {first} already registered"
    with refused("ALREADY_EXISTS", taken):
        w.call("CreateNexusEndpoint", spec=spec(first))
    mismatch = "nexus endpoint version mismatch. received: 9 expected 1"
    with refused("FAILED_PRECONDITION", mismatch):
        w.call("UpdateNexusEndpoint", id=endpoint.id, version=9, spec=spec(first))
    unknown = f"error updating Nexus endpoint. endpoint ID {UNKNOWN} not found"
    with refused("NOT_FOUND", unknown, "NotFoundFailure"):
        w.call("UpdateNexusEndpoint", id=UNKNOWN, version=1, spec=spec(first))


def test_refused_requests(client):
    with refused("INVALID_ARGUMENT", "endpoint ID not set"):
        client("GetNexusEndpoint")
    with refused("INVALID_ARGUMENT", 'malformed endpoint ID: "invalid UUID length: 1"'):
        client("GetNexusEndpoint", id="x")
    both = "endpoint ID not set, endpoint version is non-positive"
    with refused("INVALID_ARGUMENT", both):
        client("DeleteNexusEndpoint")
    gone = f"error deleting nexus endpoint with ID: {UNKNOWN}"
    with refused("NOT_FOUND", gone, "NotFoundFailure"):
        client("DeleteNexusEndpoint", id=UNKNOWN, version=1)
    with refused("INVALID_ARGUMENT", "page_size is negative"):
        client("ListNexusEndpoints", page_size=-1)
    with refused("INVALID_ARGUMENT", "page_size exceeds limit of 1000"):
        client("ListNexusEndpoints", page_size=1001)


def test_a_target_namespace_stays(w):
    namespace = f"ns-{uuid.uuid4().hex[:12]}"
    w.call(
        "RegisterNamespace",
        namespace=namespace,
        workflow_execution_retention_period=seconds(86400),
    )

    def made():
        worker = {"namespace": namespace, "task_queue": "q"}
        try:
            return nexus.endpoint(w, worker=worker)
        except Exception as error:  # the reference's registry is a little behind
            raise AssertionError(str(error)) from error

    first = eventually(made)
    text = f"cannot delete a namespace that is a target of a Nexus endpoint {first}"
    with refused("FAILED_PRECONDITION", contains=text, detail="any"):
        w.call("DeleteNamespace", namespace=namespace)


def test_the_capability(client):
    assert client("GetSystemInfo").capabilities.nexus
