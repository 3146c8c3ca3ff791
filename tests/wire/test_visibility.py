"""ListWorkflowExecutions and CountWorkflowExecutions: filters, order, pages, groups, errors."""

import commands as c
import history
import pytest
from client import eventually, payload, refused, seconds, value_of
from scene import Scene
from test_search_attributes import indexed, prepared, s  # noqa: F401  (fixtures)


def listed(scene, query, rpc="ListWorkflowExecutions", **fields):
    return scene.call(rpc, query=query, **fields).executions


def ids(scene, query, **fields):
    return [e.execution.workflow_id for e in listed(scene, query, **fields)]


def count(scene, query):
    return scene.call("CountWorkflowExecutions", query=query).count


def shows(scene, query, expected):
    """The list becomes exactly these workflow ids, in any order."""

    def look():
        found = sorted(ids(scene, query))
        assert found == sorted(expected), f"{query}: {found}"
        return True

    eventually(look)


# -- one entry -------------------------------------------------------------------------------------


def test_entry_of_a_running_workflow(w):
    w.start(memo={"fields": {"m": payload(1)}})

    def entry():
        found = listed(w, f"WorkflowId = '{w.id}'")
        return found[0] if found else None

    info = eventually(entry)
    assert (info.execution.workflow_id, info.execution.run_id) == (w.id, w.run_id)
    assert (info.type.name, info.task_queue) == ("T", w.queue)
    assert history.show(info, "status") == "RUNNING"
    assert info.memo.fields["m"].data == b"1"
    assert info.start_time.seconds and info.execution_time.seconds
    assert not info.HasField("close_time")
    assert info.root_execution.workflow_id == w.id


def test_entry_of_a_closed_workflow(w):
    w.begin(c.complete())

    def entry():
        found = listed(w, f"WorkflowId = '{w.id}' AND ExecutionStatus = 'Completed'")
        return found[0] if found else None

    info = eventually(entry)
    assert info.history_length == 5
    assert info.close_time.ToNanoseconds() >= info.start_time.ToNanoseconds()
    assert info.history_size_bytes > 0 and info.state_transition_count > 0
    assert info.HasField("execution_duration")
    assert value_of(info.search_attributes.indexed_fields["BuildIds"]) == ["unversioned"]


def test_child_knows_its_parent(w):
    child = w.id + "-child"
    w.begin(c.child(child))
    shows(w, f"ParentWorkflowId = '{w.id}'", [child])
    shows(w, f"RootWorkflowId = '{w.id}'", [w.id, child])
    (info,) = listed(w, f"WorkflowId = '{child}'")
    assert info.parent_execution.run_id == w.run_id
    assert info.root_execution.workflow_id == w.id


def test_deleted_run_leaves_the_list(w):
    w.start()
    shows(w, f"WorkflowId = '{w.id}'", [w.id])
    w.call("DeleteWorkflowExecution", workflow_execution=w.execution())

    def look():
        return not ids(w, f"WorkflowId = '{w.id}'") or None

    eventually(look, timeout=30)


def test_every_run_of_a_chain_is_listed(w):
    w.begin(c.continue_as_new())
    shows(w, f"WorkflowId = '{w.id}'", [w.id, w.id])
    shows(w, f"WorkflowId = '{w.id}' AND ExecutionStatus = 'ContinuedAsNew'", [w.id])


# -- system attributes -----------------------------------------------------------------------------


@pytest.fixture(scope="module")
def zoo(client):
    """Five workflows on one queue: open, completed, failed, cancelled, terminated."""
    scene = Scene(client)
    for how in ("open", "completed", "failed", "cancelled", "terminated"):
        id_ = f"{scene.id}-{how}"
        scene.start(workflow_id=id_, workflow_type={"name": "Z" + how[0].upper()})
        if how == "terminated":
            scene.terminate(workflow_execution={"workflow_id": id_})
        elif how != "open":
            command = {"completed": c.complete, "failed": c.fail, "cancelled": c.cancel}[how]()
            scene.complete(task_for(scene, id_), command)

    def all_there():
        query = f"TaskQueue = '{scene.queue}'"
        return (
            len(ids(scene, query)) == 5 and count(scene, query + " AND CloseTime IS NOT NULL") == 4
        ) or None

    eventually(all_there)
    yield scene
    scene.close()


def task_for(scene, id_):
    """The workflow task of that workflow; the open one's is left started."""
    while True:
        task = scene.poll()
        if task.workflow_execution.workflow_id == id_:
            return task


ALL = {"open", "completed", "failed", "cancelled", "terminated"}


@pytest.mark.parametrize(
    "condition, expected",
    [
        ("ExecutionStatus = 'Running'", {"open"}),
        ("ExecutionStatus = 'WORKFLOW_EXECUTION_STATUS_COMPLETED'", {"completed"}),
        ("ExecutionStatus = 3", {"failed"}),
        ('ExecutionStatus = "Canceled"', {"cancelled"}),
        ("ExecutionStatus != 'Running'", ALL - {"open"}),
        ("ExecutionStatus IN ('Failed', 'Terminated')", {"failed", "terminated"}),
        ("ExecutionStatus NOT IN ('Failed', 'Terminated')", ALL - {"failed", "terminated"}),
        ("CloseTime IS NULL", {"open"}),
        ("CloseTime IS NOT NULL", ALL - {"open"}),
        ("WorkflowId = 'ID-failed'", {"failed"}),
        ("`WorkflowId` = 'ID-failed'", {"failed"}),
        ("WorkflowId STARTS_WITH 'ID-c'", {"completed", "cancelled"}),
        ("WorkflowId NOT STARTS_WITH 'ID-c'", {"open", "failed", "terminated"}),
        ("WorkflowId > 'ID-failed'", {"open", "terminated"}),
        ("WorkflowType = 'ZF'", {"failed"}),
        ("WorkflowType = 'ZF' OR WorkflowType = 'ZO'", {"failed", "open"}),
        ("NOT WorkflowType = 'ZF'", ALL - {"failed"}),
        ("(WorkflowType = 'ZF' OR WorkflowType = 'ZO') AND CloseTime IS NULL", {"open"}),
        ("NOT (WorkflowType = 'ZF' OR WorkflowType = 'ZO')", ALL - {"failed", "open"}),
        ("StartTime > '2020-01-01T00:00:00Z'", ALL),
        ("StartTime < '2020-01-01T00:00:00+02:00'", set()),
        ("StartTime > 1577836800000000000", ALL),
        ("StartTime BETWEEN '2020-01-01T00:00:00Z' AND '2220-01-01T00:00:00Z'", ALL),
        ("StartTime NOT BETWEEN '2020-01-01T00:00:00Z' AND '2220-01-01T00:00:00Z'", set()),
        ("HistoryLength = 5", {"completed", "failed", "cancelled"}),
        ("HistoryLength IN (3, 5)", ALL - {"open"}),
        ("HistoryLength BETWEEN 4 AND 6", {"completed", "failed", "cancelled"}),
        ("ExecutionDuration < '1h'", ALL - {"open"}),
        ("ExecutionDuration > '10d'", set()),
        ("ExecutionDuration < '01:00:00'", ALL - {"open"}),
        ("ExecutionDuration < 3600000000000", ALL - {"open"}),
        ("ParentWorkflowId IS NULL", ALL),
    ],
)
def test_filters(zoo, condition, expected):
    query = f"TaskQueue = '{zoo.queue}' AND ({condition.replace('ID', zoo.id)})"
    query = query.replace(f"Workflow{zoo.id}", "WorkflowId").replace(
        "ParentWorkflow" + zoo.id, "ParentWorkflowId"
    )
    found = {id_.rsplit("-", 1)[1] for id_ in ids(zoo, query)}
    assert found == expected
    assert count(zoo, query) == len(expected)


def test_empty_query_lists_everything(zoo):
    assert listed(zoo, "", page_size=5)
    assert count(zoo, "") >= 5


def test_open_ones_come_first_then_the_last_closed(zoo):
    found = listed(zoo, f"TaskQueue = '{zoo.queue}'")
    assert found[0].execution.workflow_id.endswith("-open")
    closes = [e.close_time.ToNanoseconds() for e in found[1:]]
    assert closes == sorted(closes, reverse=True)


def test_pages(zoo):
    query, found, token = f"TaskQueue = '{zoo.queue}'", [], b""
    while True:
        page = zoo.call("ListWorkflowExecutions", query=query, page_size=2, next_page_token=token)
        assert len(page.executions) <= 2
        found += [e.execution.workflow_id for e in page.executions]
        token = page.next_page_token
        if not token:
            break
    assert found == ids(zoo, query)


def test_page_size_is_clamped(zoo):
    assert len(listed(zoo, f"TaskQueue = '{zoo.queue}'", page_size=5000)) == 5


def test_scan(zoo):
    found = listed(zoo, f"TaskQueue = '{zoo.queue}'", rpc="ScanWorkflowExecutions")
    assert len(found) == 5


def test_legacy_lists(zoo):
    earliest = {
        "start_time_filter": {"earliest_time": {"seconds": 0}, "latest_time": {"seconds": 1 << 33}}
    }
    answer = zoo.call(
        "ListOpenWorkflowExecutions", execution_filter={"workflow_id": zoo.id + "-open"}, **earliest
    )
    assert len(answer.executions) == 1
    answer = zoo.call("ListOpenWorkflowExecutions", type_filter={"name": "ZF"}, **earliest)
    assert not any(e.execution.workflow_id.startswith(zoo.id) for e in answer.executions)
    answer = zoo.call(
        "ListClosedWorkflowExecutions",
        execution_filter={"workflow_id": zoo.id + "-failed"},
        **earliest,
    )
    assert len(answer.executions) == 1
    answer = zoo.call(
        "ListClosedWorkflowExecutions",
        status_filter={"status": "WORKFLOW_EXECUTION_STATUS_CANCELED"},
        **earliest,
    )
    assert zoo.id + "-cancelled" in [e.execution.workflow_id for e in answer.executions]


def test_group_by_status(zoo):
    query = f"TaskQueue = '{zoo.queue}' GROUP BY ExecutionStatus"
    answer = zoo.call("CountWorkflowExecutions", query=query)
    groups = {value_of(g.group_values[0]): g.count for g in answer.groups}
    assert groups == {"Running": 1, "Completed": 1, "Failed": 1, "Canceled": 1, "Terminated": 1}
    assert answer.count == 5
    assert answer.groups[0].group_values[0].metadata["type"] == b"Keyword"


# -- custom attributes -----------------------------------------------------------------------------


@pytest.fixture(scope="module")
def shelf(prepared):  # noqa: F811
    """Three workflows with custom attributes of every type."""
    scene = Scene(prepared)
    rows = {
        "a": indexed(
            MyText="Hello world foo",
            MyKeyword="red",
            MyInt=1,
            MyDouble=0.5,
            MyBool=True,
            MyDatetime="2026-01-01T00:00:00Z",
            MyKeywordList=["x", "y"],
        ),
        "b": indexed(
            MyText="other words",
            MyKeyword="reddish",
            MyInt=2,
            MyDouble=1.5,
            MyBool=False,
            MyDatetime="2026-02-01T00:00:00Z",
            MyKeywordList=["y", "z"],
        ),
        "c": None,
    }
    for name, attributes in rows.items():
        fields = {"search_attributes": attributes} if attributes else {}
        scene.start(workflow_id=f"{scene.id}-{name}", **fields)
    eventually(lambda: count(scene, f"TaskQueue = '{scene.queue}'") == 3 or None)
    yield scene
    scene.close()


@pytest.mark.parametrize(
    "condition, expected",
    [
        ("MyKeyword = 'red'", "a"),
        ("MyKeyword != 'red'", "b"),
        ("MyKeyword STARTS_WITH 'red'", "ab"),
        ("MyKeyword IN ('red', 'blue')", "a"),
        ("MyKeyword IS NULL", "c"),
        ("MyKeyword IS NOT NULL", "ab"),
        ("MyKeyword > 'red'", "b"),
        ("MyText = 'HELLO zzz'", "a"),
        ("MyText = 'words'", "b"),
        ("MyText != 'hello'", "bc"),
        ("MyInt = 1", "a"),
        ("MyInt > 1", "b"),
        ("MyInt >= 1 AND MyInt <= 2", "ab"),
        ("MyInt BETWEEN 1 AND 5", "ab"),
        ("MyInt NOT BETWEEN 2 AND 5", "a"),
        ("MyInt IN (2, 3)", "b"),
        ("MyDouble > 1", "b"),
        ("MyDouble = 0.5", "a"),
        ("MyBool = true", "a"),
        ("MyBool = false", "b"),
        ("MyDatetime > '2026-01-15T00:00:00Z'", "b"),
        ("MyDatetime < '2026-01-01T01:30:00+01:00'", "a"),
        ("MyDatetime BETWEEN '2026-01-15T00:00:00Z' AND '2026-03-01T00:00:00Z'", "b"),
        ("MyKeywordList = 'y'", "ab"),
        ("MyKeywordList = 'x'", "a"),
        ("MyKeywordList != 'x'", "bc"),
        ("MyKeywordList IN ('x', 'z')", "ab"),
        ("MyKeywordList NOT IN ('x')", "bc"),
    ],
)
def test_custom_filters(shelf, condition, expected):
    query = f"TaskQueue = '{shelf.queue}' AND ({condition})"
    found = "".join(sorted(id_.rsplit("-", 1)[1] for id_ in ids(shelf, query)))
    assert found == expected


def test_entry_shows_custom_attributes(shelf):
    (info,) = listed(shelf, f"WorkflowId = '{shelf.id}-a'")
    fields = info.search_attributes.indexed_fields
    assert value_of(fields["MyInt"]) == 1
    assert fields["MyInt"].metadata["type"] == b"Int"
    assert value_of(fields["MyKeywordList"]) == ["x", "y"]


def pages(scene, query, page_size):
    found, token = [], b""
    while True:
        page = scene.call(
            "ListWorkflowExecutions", query=query, page_size=page_size, next_page_token=token
        )
        found += [e.execution.workflow_id.rsplit("-", 1)[1] for e in page.executions]
        token = page.next_page_token
        if not token:
            return "".join(found)


@pytest.mark.ours
@pytest.mark.parametrize(
    "order, expected",
    [
        ("MyInt", "abc"),
        ("MyInt DESC", "bac"),
        ("MyKeyword DESC", "bac"),
        ("MyDouble ASC", "abc"),
        ("MyBool", "bac"),
        ("MyDatetime DESC", "bac"),
        ("StartTime", "abc"),
        ("StartTime DESC", "cba"),
        ("WorkflowId DESC", "cba"),
        ("TaskQueue, MyInt", "abc"),
        ("ExecutionStatus, MyBool DESC", "abc"),
    ],
)
def test_order_by(shelf, order, expected):
    query = f"TaskQueue = '{shelf.queue}' ORDER BY {order}"
    assert pages(shelf, query, 100) == expected
    assert pages(shelf, query, 1) == expected


@pytest.mark.ours
def test_a_page_token_holds_on_to_its_order(shelf):
    query = f"TaskQueue = '{shelf.queue}' ORDER BY "
    page = shelf.call("ListWorkflowExecutions", query=query + "MyInt", page_size=1)
    with refused("UNKNOWN", prefix="something went wrong"):
        shelf.call(
            "ListWorkflowExecutions",
            query=query + "MyDouble",
            next_page_token=page.next_page_token,
        )


@pytest.mark.ours
@pytest.mark.parametrize("attribute, type_", [("MyText", "Text"), ("MyKeywordList", "KeywordList")])
def test_several_values_have_no_order(shelf, attribute, type_):
    message = f"operation is not supported: unable to sort by search attribute type {type_}"
    with refused("INVALID_ARGUMENT", PREFIX + message):
        listed(shelf, f"ORDER BY {attribute}")


@pytest.mark.ours
@pytest.mark.parametrize(
    "group_by, expected",
    [
        ("WorkflowType", {("T",): 3}),
        ("MyKeyword", {("red",): 1, ("reddish",): 1, (None,): 1}),
        ("MyBool", {(False,): 1, (True,): 1, (None,): 1}),
        ("ExecutionStatus, MyInt", {("Running", 1): 1, ("Running", 2): 1, ("Running", None): 1}),
    ],
)
def test_group_by_anything(shelf, group_by, expected):
    query = f"TaskQueue = '{shelf.queue}' GROUP BY {group_by}"
    answer = shelf.call("CountWorkflowExecutions", query=query)
    found = {tuple(value_of(v) for v in g.group_values): g.count for g in answer.groups}
    assert found == expected
    assert answer.count == 3


def test_counts_have_no_order(client):
    with refused("INVALID_ARGUMENT", PREFIX + "operation is not supported: 'ORDER BY' clause"):
        client("CountWorkflowExecutions", query="ORDER BY StartTime")


def test_upsert_reaches_the_list(s):  # noqa: F811
    s.start(search_attributes=indexed(MyInt=1))
    shows(s, f"TaskQueue = '{s.queue}' AND MyInt = 1", [s.id])
    s.step(c.upsert(MyInt=payload(2)), c.modify_memo(k=payload("v")))
    shows(s, f"TaskQueue = '{s.queue}' AND MyInt = 2", [s.id])
    shows(s, f"TaskQueue = '{s.queue}' AND MyInt = 1", [])

    def memo():
        (info,) = listed(s, f"WorkflowId = '{s.id}'")
        return info.memo.fields["k"].data == b'"v"' or None

    eventually(memo)


# -- refusals --------------------------------------------------------------------------------------

PREFIX = "invalid query: "


@pytest.mark.parametrize(
    "query, message",
    [
        ("Nope = 1", "invalid search attribute: Nope"),
        ("WorkflowId", "invalid expression: incomplete expression"),
        ("ExecutionStatus = 'Bogus'", "invalid expression: invalid ExecutionStatus value 'Bogus'"),
        ("WorkflowId = 'x' LIMIT 3", "operation is not supported: 'LIMIT' clause"),
        (
            "MyInt = 'abc'",
            'invalid expression: invalid value type for search attribute MyInt of type Int: "abc" '
            "(type: string)",
        ),
        (
            "MyText LIKE 'x%'",
            "operation is not supported: operator 'LIKE' not supported for Text type search "
            "attribute 'MyText'",
        ),
        (
            "MyKeyword = MyText",
            "operation is not supported: column name on the right side of comparison expression "
            '(did you forget to quote "MyText"?)',
        ),
    ],
)
def test_bad_query(shelf, query, message):
    with refused("INVALID_ARGUMENT", PREFIX + message):
        listed(shelf, query)
    with refused("INVALID_ARGUMENT", PREFIX + message):
        count(shelf, query)


@pytest.mark.parametrize(
    "query, message",
    [
        ("WorkflowId = lower('X')", "operation is not supported: nested func"),
        (
            "MyBool = 'true'",
            "invalid expression: invalid value type for search attribute MyBool of type Bool: "
            '"true" (type: string)',
        ),
        (
            "MyKeyword = 5",
            "invalid expression: invalid value type for search attribute MyKeyword of type "
            "Keyword: 5 (type: int64)",
        ),
        (
            "MyKeywordList STARTS_WITH 'x'",
            "operation is not supported: operator 'STARTS_WITH' not supported for KeywordList "
            "type search attribute 'MyKeywordList'",
        ),
        (
            "MyText > 'x'",
            "operation is not supported: operator '>' not supported for Text type search "
            "attribute 'MyText'",
        ),
        (
            "MyText IN ('a')",
            "operation is not supported: operator 'IN' not supported for Text type search "
            "attribute 'MyText'",
        ),
        (
            "WorkflowId LIKE 'x'",
            "operation is not supported: operator 'LIKE' not supported for Keyword type search "
            "attribute 'WorkflowId'",
        ),
        (
            "MyInt IS TRUE",
            "invalid expression: 'IS' operator can only be used as 'IS NULL' or 'IS NOT NULL'",
        ),
        ("StartTime = 'x'", "invalid expression: unable to parse datetime 'x'"),
        ("StartTime > '2026-01-01'", "invalid expression: unable to parse datetime '2026-01-01'"),
        (
            "ExecutionDuration = 'x'",
            "invalid expression: invalid duration value for search attribute ExecutionDuration: x",
        ),
        (
            "ExecutionStatus = 'running'",
            "invalid expression: invalid ExecutionStatus value 'running'",
        ),
        ("workflowid = 'x'", "invalid search attribute: workflowid"),
    ],
)
def test_bad_comparison(shelf, query, message):
    with refused("INVALID_ARGUMENT", PREFIX + message):
        listed(shelf, query)


@pytest.mark.parametrize(
    "query", ["WorkflowId = 'x' AND", "(((", "WorkflowId == == 1", "'; DROP TABLE x"]
)
def test_syntax_errors(client, query):
    with refused("INVALID_ARGUMENT", prefix=PREFIX + "malformed SQL query: syntax error"):
        client("ListWorkflowExecutions", query=query)


@pytest.mark.parametrize(
    "query, contains",
    [
        ("length(WorkflowId) = 3", "must be a column name but was"),
        ("CloseTime = NULL", "unexpected value type"),
        ("1 = 1", "must be a column name but was"),
        ("WorkflowId = 'x' AND (SELECT 1) = 1", "invalid"),
    ],
)
def test_other_refusals(client, query, contains):
    with refused("INVALID_ARGUMENT", contains=contains):
        client("ListWorkflowExecutions", query=query)


def test_quotes_in_values(w):
    odd = w.id + "-it''s"
    w.start(workflow_id=odd.replace("''", "'"))
    shows(w, f"WorkflowId = '{odd}'", [odd.replace("''", "'")])


@pytest.mark.quirk
@pytest.mark.quirk
@pytest.mark.parametrize(
    "clause, message",
    [
        (
            "GROUP BY WorkflowType",
            "'GROUP BY' clause is not supported for search attribute WorkflowType",
        ),
        (
            "GROUP BY ExecutionStatus, WorkflowType",
            "'GROUP BY' clause supports only a single field",
        ),
    ],
)
def test_bad_groups(client, clause, message):
    with refused("INVALID_ARGUMENT", contains=message):
        client("CountWorkflowExecutions", query="WorkflowId = 'x' " + clause)


def test_garbage_page_token(client):
    with refused_any():
        client("ListWorkflowExecutions", next_page_token=b"garbage")


def refused_any():
    """The reference answers UNKNOWN with a masked text, where INVALID_ARGUMENT is meant."""
    return pytest.raises(Exception, match="UNKNOWN|INVALID_ARGUMENT")


def test_values_are_bound_not_pasted(client):
    client("ListWorkflowExecutions", query="WorkflowId = 'x; -- \" OR 1=1'")


def test_run_id_filter(w):
    w.start()
    shows(w, f"RunId = '{w.run_id}'", [w.id])


def test_execution_time_of_a_delayed_start(w):
    w.start(workflow_start_delay=seconds(60))

    def look():
        found = listed(w, f"WorkflowId = '{w.id}'")
        return found[0] if found else None

    info = eventually(look)
    assert 59 <= info.execution_time.ToSeconds() - info.start_time.ToSeconds() <= 61


def test_memo_is_kept_as_given(w):
    w.start(memo={"fields": {"m": {"metadata": {"encoding": b"binary/x"}, "data": b"\x00\x01"}}})

    def look():
        found = listed(w, f"WorkflowId = '{w.id}'")
        return found[0] if found else None

    memo = eventually(look).memo.fields["m"]
    assert (memo.data, memo.metadata["encoding"]) == (b"\x00\x01", b"binary/x")
