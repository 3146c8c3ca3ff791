"""Search attributes: the system's own, custom ones, what may be set and what is refused."""

import uuid

import commands as c
import grpc
import pytest
from client import Client, eventually, payload, refused, value_of
from scene import Scene
from test_namespace import patient

NAMESPACE = "wire-search-attributes"  # shared by all tests, and by later runs on the same server
TYPES = {"Text": 1, "Keyword": 2, "Int": 3, "Double": 4, "Bool": 5, "Datetime": 6, "KeywordList": 7}
CUSTOM = {f"My{name}": number for name, number in TYPES.items()}

SYSTEM = {
    "WorkflowId": "Keyword",
    "RunId": "Keyword",
    "WorkflowType": "Keyword",
    "ExecutionStatus": "Keyword",
    "TaskQueue": "Keyword",
    "ParentWorkflowId": "Keyword",
    "ParentRunId": "Keyword",
    "RootWorkflowId": "Keyword",
    "RootRunId": "Keyword",
    "TemporalScheduledById": "Keyword",
    "TemporalNamespaceDivision": "Keyword",
    "BuildIds": "KeywordList",
    "TemporalChangeVersion": "KeywordList",
    "TemporalPauseInfo": "KeywordList",
    "TemporalReportedProblems": "KeywordList",
    "HistoryLength": "Int",
    "HistorySizeBytes": "Int",
    "StateTransitionCount": "Int",
    "ExecutionDuration": "Int",
    "StartTime": "Datetime",
    "ExecutionTime": "Datetime",
    "CloseTime": "Datetime",
    "TemporalScheduledStartTime": "Datetime",
    "TemporalSchedulePaused": "Bool",
}


def prepare(client):
    """The shared namespace with one custom attribute of each type."""
    try:
        patient(
            client,
            "RegisterNamespace",
            namespace=NAMESPACE,
            workflow_execution_retention_period={"seconds": 86400},
        )
    except grpc.RpcError as error:
        if error.code() != grpc.StatusCode.ALREADY_EXISTS:
            raise

    def add():
        try:
            patient(client, "AddSearchAttributes", namespace=NAMESPACE, search_attributes=CUSTOM)
            listed = client("ListSearchAttributes", namespace=NAMESPACE).custom_attributes
            return set(CUSTOM) <= set(listed) or None
        except grpc.RpcError as error:
            # Another process may be adding them, or the namespace be not yet known.
            assert error.code() in (
                grpc.StatusCode.NOT_FOUND,
                grpc.StatusCode.UNAVAILABLE,
                grpc.StatusCode.UNKNOWN,
                grpc.StatusCode.INTERNAL,
            ), error
            return None

    eventually(add, timeout=60, every=0.5)


@pytest.fixture(scope="session")
def prepared(client):
    prepare(client)
    return Client(namespace=NAMESPACE)


@pytest.fixture
def s(prepared):
    scene = Scene(prepared)
    yield scene
    scene.close()


def test_system_attributes(client):
    system = client("ListSearchAttributes").system_attributes
    assert {name: system[name] for name in SYSTEM} == {n: TYPES[t] for n, t in SYSTEM.items()}


def test_custom_attributes_are_listed(client, prepared):
    custom = client("ListSearchAttributes", namespace=NAMESPACE).custom_attributes
    assert CUSTOM.items() <= dict(custom).items()
    assert "MyKeyword" not in client("ListSearchAttributes", namespace="default").custom_attributes


def test_aliases_are_in_the_namespace(client, prepared):
    config = client("DescribeNamespace", namespace=NAMESPACE).config
    assert set(CUSTOM) <= set(config.custom_search_attribute_aliases.values())


def test_adding_again_changes_nothing(client, prepared):
    patient(
        client,
        "AddSearchAttributes",
        namespace=NAMESPACE,
        search_attributes={"MyInt": TYPES["Text"]},
    )
    assert client("ListSearchAttributes", namespace=NAMESPACE).custom_attributes["MyInt"] == 3


def test_removing_the_unknown_is_silent(client, prepared):
    patient(
        client, "RemoveSearchAttributes", namespace=NAMESPACE, search_attributes=["NeverWasThere"]
    )


def test_add_and_remove(client, prepared):
    name = "Passing" + uuid.uuid4().hex[:8]
    add = {"namespace": NAMESPACE, "search_attributes": {name: TYPES["Keyword"]}}
    patient(client, "AddSearchAttributes", **add)

    def listed():
        return name in client("ListSearchAttributes", namespace=NAMESPACE).custom_attributes

    eventually(lambda: listed() or None)
    patient(client, "RemoveSearchAttributes", namespace=NAMESPACE, search_attributes=[name])
    eventually(lambda: not listed() or None)


@pytest.mark.parametrize(
    "attributes, message",
    [
        ({}, "SearchAttributes are not set on request."),
        ({"WorkflowId": 2}, "Search attribute WorkflowId is reserved by system."),
        ({"Odd": 99}, "Unknown search attribute type: 99."),
    ],
)
def test_bad_addition(client, attributes, message):
    with refused("INVALID_ARGUMENT", message):
        patient(client, "AddSearchAttributes", namespace="default", search_attributes=attributes)


@pytest.mark.quirk
def test_columns_run_out(client, prepared):
    message = (
        "Unable to create search attributes: cannot have more than 3 search attribute of type Bool."
    )
    with refused("INVALID_ARGUMENT", message):
        many = {f"Bool{n}": TYPES["Bool"] for n in range(4)}
        patient(client, "AddSearchAttributes", namespace=NAMESPACE, search_attributes=many)


# -- values ----------------------------------------------------------------------------------------

VALUES = {
    "MyText": "some words here",
    "MyKeyword": "word",
    "MyInt": 7,
    "MyDouble": 1.5,
    "MyBool": True,
    "MyDatetime": "2026-01-02T03:04:05Z",
    "MyKeywordList": ["a", "b"],
}


def indexed(**values):
    return {"indexed_fields": {name: payload(value) for name, value in values.items()}}


def attributes_of(scene, run_id=None):
    fields = scene.describe(run_id).workflow_execution_info.search_attributes.indexed_fields
    return {name: value_of(field) for name, field in fields.items()}


def test_values_at_the_start(s):
    s.start(search_attributes=indexed(**VALUES))
    fields = s.describe().workflow_execution_info.search_attributes.indexed_fields
    for name, value in VALUES.items():
        assert value_of(fields[name]) == value, name
        assert fields[name].metadata["type"].decode() == name.removeprefix("My")
        assert fields[name].metadata["encoding"] == b"json/plain"
    started = s.events()[0].workflow_execution_started_event_attributes
    assert value_of(started.search_attributes.indexed_fields["MyInt"]) == 7


def test_upsert(s):
    s.begin(
        c.upsert(MyInt=payload(8), MyKeyword=payload("new")),
        search_attributes=indexed(MyInt=7, MyBool=True),
    )
    values = attributes_of(s)
    assert (values["MyInt"], values["MyKeyword"], values["MyBool"]) == (8, "new", True)
    s.expect("""
        1 WorkflowExecutionStarted
        2 WorkflowTaskScheduled
        3 WorkflowTaskStarted
        4 WorkflowTaskCompleted
        5 UpsertWorkflowSearchAttributes search_attributes.indexed_fields.MyInt=8 \
workflow_task_completed_event_id=4
    """)


def test_null_removes(s):
    null = {"metadata": {"encoding": b"binary/null"}}
    s.begin(c.upsert(MyInt=null), search_attributes=indexed(MyInt=7, MyBool=True))
    assert set(attributes_of(s)) & set(CUSTOM) == {"MyBool"}


def test_empty_list_removes(s):
    s.begin(c.upsert(MyKeywordList=payload([])), search_attributes=indexed(MyKeywordList=["a"]))
    assert "MyKeywordList" not in attributes_of(s)


def test_start_attributes_are_on_the_retry(s):
    s.begin(
        c.upsert(MyInt=payload(8)),
        c.fail(),
        search_attributes=indexed(MyInt=7),
        retry_policy={"initial_interval": {"seconds": 30}},
    )
    assert attributes_of(s)["MyInt"] == 7


def test_continue_as_new_takes_only_its_own(s):
    s.begin(
        c.continue_as_new(search_attributes=indexed(MyKeyword="new")),
        search_attributes=indexed(MyInt=7),
    )
    values = attributes_of(s)
    assert values.get("MyKeyword") == "new" and "MyInt" not in values


def test_child_takes_those_of_its_command(s):
    child = s.id + "-child"
    s.begin(c.child(child, search_attributes=indexed(MyInt=9)))
    s.wait_for("ChildWorkflowExecutionStarted")
    fields = s.describe(workflow_id=child).workflow_execution_info.search_attributes.indexed_fields
    assert value_of(fields["MyInt"]) == 9


@pytest.mark.parametrize(
    "name, value, message",
    [
        (
            "Nope",
            "x",
            f"Namespace {NAMESPACE} has no mapping defined for search attribute Nope",
        ),
        ("ExecutionStatus", "x", "ExecutionStatus attribute can't be set in SearchAttributes"),
        ("MyInt", "x", "invalid value for search attribute MyInt of type Int: x"),
        ("MyBool", 3, "invalid value for search attribute MyBool of type Bool: 3"),
        (
            "MyDatetime",
            "yesterday",
            "invalid value for search attribute MyDatetime of type Datetime: yesterday",
        ),
        (
            "MyKeyword",
            "x" * 2100,
            "search attribute MyKeyword value size 2102 exceeds size limit 2048",
        ),
    ],
)
def test_bad_value(s, name, value, message):
    with refused("INVALID_ARGUMENT", message):
        s.start(search_attributes=indexed(**{name: value}))


def test_bad_value_in_an_upsert(s):
    s.start()
    message = "BadSearchAttributes: invalid value for search attribute MyInt of type Int: x"
    with refused("INVALID_ARGUMENT", message):
        s.complete(s.poll(), c.upsert(MyInt=payload("x")))
    s.expect("""
        1 WorkflowExecutionStarted
        2 WorkflowTaskScheduled
        3 WorkflowTaskStarted
        4 WorkflowTaskFailed cause=BAD_SEARCH_ATTRIBUTES
        5 WorkflowTaskScheduled attempt=2
    """)


def test_build_ids_after_the_first_task(w):
    w.begin()
    assert attributes_of(w)["BuildIds"] == ["unversioned"]
