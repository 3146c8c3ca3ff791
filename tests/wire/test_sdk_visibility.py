"""Search attributes, memos, lists and counts through the Python SDK."""

from datetime import datetime, timezone

import pytest
import sdk
from client import Client
from temporalio import workflow
from temporalio.client import WorkflowExecutionStatus
from temporalio.common import SearchAttributeKey, SearchAttributePair, TypedSearchAttributes
from test_search_attributes import NAMESPACE, prepare

INT = SearchAttributeKey.for_int("MyInt")
KEYWORD = SearchAttributeKey.for_keyword("MyKeyword")
KEYWORDS = SearchAttributeKey.for_keyword_list("MyKeywordList")
TEXT = SearchAttributeKey.for_text("MyText")
BOOL = SearchAttributeKey.for_bool("MyBool")
FLOAT = SearchAttributeKey.for_float("MyDouble")
WHEN = SearchAttributeKey.for_datetime("MyDatetime")


@workflow.defn
class Tagged:
    @workflow.run
    async def run(self) -> int:
        number = workflow.info().typed_search_attributes[INT]
        workflow.upsert_search_attributes([INT.value_set(number + 1), KEYWORD.value_unset()])
        return workflow.info().typed_search_attributes[INT]


@pytest.fixture(scope="module")
def namespace():
    prepare(Client())
    return NAMESPACE


@pytest.fixture
async def s(namespace):
    return await sdk.connect(namespace)


ATTRIBUTES = TypedSearchAttributes(
    [
        SearchAttributePair(INT, 1),
        SearchAttributePair(KEYWORD, "word"),
        SearchAttributePair(KEYWORDS, ["a", "b"]),
        SearchAttributePair(TEXT, "some text"),
        SearchAttributePair(BOOL, True),
        SearchAttributePair(FLOAT, 0.5),
        SearchAttributePair(WHEN, datetime(2026, 1, 2, tzinfo=timezone.utc)),
    ]
)


async def test_attributes(s):
    async with s.worker(Tagged):
        handle = await s.start(Tagged.run, search_attributes=ATTRIBUTES, memo={"m": "memo"})
        assert await handle.result() == 2
        description = await handle.describe()
    found = description.typed_search_attributes
    assert found[INT] == 2 and KEYWORD not in found
    assert (found[KEYWORDS], found[TEXT], found[BOOL], found[FLOAT]) == (
        ["a", "b"],
        "some text",
        True,
        0.5,
    )
    assert found[WHEN] == datetime(2026, 1, 2, tzinfo=timezone.utc)
    assert await description.memo() == {"m": "memo"}


async def test_list_and_count(s):
    async with s.worker(Tagged):
        handles = [await s.start(Tagged.run, search_attributes=ATTRIBUTES) for _ in range(5)]
        for handle in handles:
            await handle.result()
        query = f"TaskQueue = '{s.queue}' AND MyInt = 2 AND ExecutionStatus = 'Completed'"

        async def all_listed():
            found = [w async for w in s.client.list_workflows(query, page_size=2)]
            return found if len(found) == 5 else None

        found = await sdk.eventually(all_listed)
    assert {w.id for w in found} == {handle.id for handle in handles}
    assert all(w.status == WorkflowExecutionStatus.COMPLETED for w in found)
    assert (await s.client.count_workflows(query)).count == 5
    grouped = await s.client.count_workflows(f"TaskQueue = '{s.queue}' GROUP BY ExecutionStatus")
    assert [(g.count, g.group_values) for g in grouped.groups] == [(5, ["Completed"])]
