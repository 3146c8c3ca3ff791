//! Orders, pages, counts.

use std::collections::BTreeSet;

use steadfast_store::{
    AttributeType, AttributeValue, Column, Comparison, ExecutionKey, Filter, OrderBy, Row, Store,
    StoreError, Value, Write,
};

use crate::support::*;

fn by(column: Column, descending: bool) -> OrderBy {
    OrderBy { column, descending }
}

pub(crate) fn open_runs_come_first_then_the_newest(store: &dyn Store) {
    let shard = Shard::open(store);
    let runs: [(u128, i64, Option<i64>); 7] = [
        (1, 10, Some(50)),
        (2, 20, Some(40)),
        (3, 5, None),
        (4, 30, Some(50)),
        (5, 8, None),
        (6, 8, None),
        (7, 30, Some(50)),
    ];
    for (number, start_time, close_time) in runs {
        let key = key("a", number);
        shard.begin(
            &key,
            Row {
                start_time,
                close_time,
                ..row(&key)
            },
        );
    }
    let expected = [6, 5, 3, 7, 4, 1, 2];
    assert_eq!(listed(store, &Filter::True, &[]), expected);
    let spelled_out = [by(Column::CloseTime, true), by(Column::StartTime, true)];
    assert_eq!(
        listed(store, &Filter::True, &spelled_out),
        [7, 4, 1, 2, 6, 5, 3],
        "an order that was asked for has rows without a value last"
    );
    assert_eq!(
        wait(store.list(OTHER_NAMESPACE, &Filter::True, &[], None, 5))
            .unwrap()
            .rows,
        []
    );
}

/// All pages of a list, as numbers of runs.
fn pages(store: &dyn Store, filter: &Filter, order: &[OrderBy], limit: usize) -> Vec<Vec<u128>> {
    let mut after: Option<Vec<u8>> = None;
    let mut pages = Vec::new();
    loop {
        let page = wait(store.list(NAMESPACE, filter, order, after.as_deref(), limit)).unwrap();
        pages.push(
            page.rows
                .iter()
                .map(|(key, _)| key.run_id.as_u128())
                .collect(),
        );
        after = page.next;
        if after.is_none() {
            return pages;
        }
    }
}

pub(crate) fn pages_hold_every_row_once(store: &dyn Store) {
    let shard = Shard::open(store);
    for number in 1..=12 {
        let key = key("a", number);
        let close_time = (number % 3 != 0).then_some((number % 4) as i64);
        let attributes = [("n", AttributeValue::Int((number % 2) as i64))];
        let attributes = if number % 5 == 0 {
            &attributes[..0]
        } else {
            &attributes
        };
        shard.begin(
            &key,
            with(
                Row {
                    close_time,
                    ..row(&key)
                },
                attributes,
            ),
        );
    }
    let n = attribute("n", AttributeType::Int);
    let orders = [
        vec![],
        vec![by(Column::StartTime, false)],
        vec![by(Column::CloseTime, false)],
        vec![by(Column::CloseTime, true)],
        vec![by(Column::CloseTime, true), by(Column::StartTime, true)],
        vec![by(n.clone(), true), by(Column::CloseTime, false)],
        vec![
            by(n, false),
            by(Column::WorkflowId, true),
            by(Column::CloseTime, true),
        ],
    ];
    for order in orders {
        let all = listed(store, &Filter::True, &order);
        assert_eq!(all.iter().collect::<BTreeSet<_>>().len(), 12);
        for limit in [1, 5, 6, 11, 12, 13] {
            let pages = pages(store, &Filter::True, &order, limit);
            assert_eq!(pages.concat(), all, "{order:?}");
            // No empty page at the end, and none is short but the last.
            assert_eq!(pages.len(), 12_usize.div_ceil(limit));
        }
    }
}

pub(crate) fn pages_stay_in_place_under_writes(store: &dyn Store) {
    let shard = Shard::open(store);
    let keys: Vec<ExecutionKey> = (1..=6).map(|number| key("a", number)).collect();
    for (key, start_time) in keys.iter().zip(1..) {
        shard.begin(
            key,
            Row {
                start_time,
                ..row(key)
            },
        );
    }
    let page = wait(store.list(NAMESPACE, &Filter::True, &[], None, 3)).unwrap();
    let next = page.next.unwrap();
    // A newer run comes in at the top, one that was seen goes, and so does the very last one that
    // was seen.
    let newer = key("b", 7);
    shard.begin(
        &newer,
        Row {
            start_time: 7,
            ..row(&newer)
        },
    );
    shard.commit(vec![delete(&keys[5]), delete(&keys[3])]);
    let page = wait(store.list(NAMESPACE, &Filter::True, &[], Some(&next), 3)).unwrap();
    assert_eq!(
        page.rows
            .iter()
            .map(|(key, _)| key.run_id.as_u128())
            .collect::<Vec<_>>(),
        [3, 2, 1]
    );
    assert_eq!(page.next, None);
}

pub(crate) fn any_column_orders_and_missing_values_come_last(store: &dyn Store) {
    let shard = Shard::open(store);
    let words = [Some("b"), None, Some("a"), Some("é"), Some("B")];
    for (number, word) in (1..).zip(words) {
        let key = key("a", number);
        let attributes = word.map(|word| ("word", AttributeValue::Keyword(word.into())));
        let row = Row {
            history_length: -(number as i64),
            ..row(&key)
        };
        shard.begin(&key, with(row, attributes.as_slice()));
    }
    let word = attribute("word", AttributeType::Keyword);
    assert_eq!(
        listed(store, &Filter::True, &[by(word.clone(), false)]),
        [5, 3, 1, 4, 2]
    );
    assert_eq!(
        listed(store, &Filter::True, &[by(word, true)]),
        [4, 1, 3, 5, 2]
    );
    assert_eq!(
        listed(store, &Filter::True, &[by(Column::HistoryLength, false)]),
        [5, 4, 3, 2, 1]
    );
    // Everything that can be sorted by is, without an error, and ties go by the run id, as the last column.
    let all = [
        Column::WorkflowId,
        Column::WorkflowType,
        Column::Status,
        Column::TaskQueue,
        Column::StartTime,
        Column::ExecutionTime,
        Column::CloseTime,
        Column::HistorySize,
        Column::StateTransitionCount,
        Column::ExecutionDuration,
        Column::ParentWorkflowId,
        Column::ParentRunId,
        Column::RootWorkflowId,
        Column::Division,
        attribute("other", AttributeType::Double),
        attribute("word", AttributeType::Int),
    ];
    for column in all {
        assert_eq!(
            listed(store, &Filter::True, &[by(column.clone(), false)]),
            [1, 2, 3, 4, 5]
        );
        assert_eq!(
            listed(store, &Filter::True, &[by(column, true)]),
            [5, 4, 3, 2, 1]
        );
    }
    assert_eq!(
        listed(store, &Filter::True, &[by(Column::RunId, false)]),
        [1, 2, 3, 4, 5]
    );
    assert_eq!(
        listed(store, &Filter::True, &[by(Column::RootRunId, false)]),
        [1, 2, 3, 4, 5]
    );
}

pub(crate) fn a_foreign_cursor_is_refused(store: &dyn Store) {
    let shard = Shard::open(store);
    for number in 1..=3 {
        let key = key("a", number);
        shard.begin(&key, row(&key));
    }
    let list = |order: &[OrderBy], after: &[u8]| {
        wait(store.list(NAMESPACE, &Filter::True, order, Some(after), 1))
    };
    let page = wait(store.list(NAMESPACE, &Filter::True, &[], None, 1)).unwrap();
    let good = page.next.unwrap();
    assert!(list(&[], &good).is_ok());
    let mut long = good.clone();
    long.push(0);
    let mut old = good.clone();
    old[0] = 200;
    for bad in [&b""[..], b"garbage", &good[..good.len() - 1], &long, &old] {
        assert_eq!(list(&[], bad), Err(StoreError::InvalidCursor), "{bad:?}");
    }
    assert_eq!(
        list(&[by(Column::WorkflowId, true)], &good),
        Err(StoreError::InvalidCursor)
    );
}

pub(crate) fn counts_go_by_group(store: &dyn Store) {
    let shard = Shard::open(store);
    let count = |filter: &Filter, group_by: &[Column]| {
        wait(store.count(NAMESPACE, filter, group_by)).unwrap()
    };
    assert_eq!(count(&Filter::True, &[]), [(vec![], 0)]);
    assert_eq!(count(&Filter::True, &[Column::Status]), []);
    for number in 1..=10 {
        let key = key("a", number);
        let row = Row {
            status: 1 + (number % 3) as i32,
            ..row(&key)
        };
        let flag = ("flag", AttributeValue::Bool(number > 4));
        let attributes = [flag, ("d", AttributeValue::Double(0.5))];
        shard.begin(
            &key,
            with(row, if number % 3 == 2 { &[] } else { &attributes }),
        );
    }
    assert_eq!(count(&Filter::True, &[]), [(vec![], 10)]);
    assert_eq!(
        count(&Filter::True, &[Column::Status]),
        [
            (vec![Value::Int(1)], 3),
            (vec![Value::Int(2)], 4),
            (vec![Value::Int(3)], 3)
        ]
    );
    let flag = attribute("flag", AttributeType::Bool);
    assert_eq!(
        count(&Filter::True, &[flag.clone(), Column::Status]),
        [
            (vec![Value::Bool(false), Value::Int(1)], 1),
            (vec![Value::Bool(false), Value::Int(2)], 2),
            (vec![Value::Bool(true), Value::Int(1)], 2),
            (vec![Value::Bool(true), Value::Int(2)], 2),
            (vec![Value::Null, Value::Int(3)], 3),
        ]
    );
    let op = Comparison::Eq;
    let running = Filter::Compare {
        column: Column::Status,
        op,
        value: Value::Int(1),
    };
    let d = attribute("d", AttributeType::Double);
    assert_eq!(count(&running, &[d]), [(vec![Value::Double(0.5)], 3)]);
    assert_eq!(count(&running, &[Column::RunId]).len(), 3);
    let workflow = count(&Filter::True, &[Column::WorkflowId, Column::CloseTime]);
    assert_eq!(workflow, [(vec![Value::Text("a".into()), Value::Null], 10)]);
}

pub(crate) fn what_cannot_be_sorted_or_grouped_is_refused(store: &dyn Store) {
    for attribute_type in [AttributeType::Text, AttributeType::KeywordList] {
        let column = attribute("x", attribute_type);
        let order = [by(column.clone(), true)];
        let list = wait(store.list(NAMESPACE, &Filter::True, &order, None, 1));
        assert!(
            matches!(list, Err(StoreError::InvalidFilter { .. })),
            "{list:?}"
        );
        let count = wait(store.count(NAMESPACE, &Filter::True, &[column]));
        assert!(
            matches!(count, Err(StoreError::InvalidFilter { .. })),
            "{count:?}"
        );
    }
}

pub(crate) fn divisions_are_hidden_unless_named(store: &dyn Store) {
    let shard = Shard::open(store);
    for (number, division) in [(1, None), (2, Some("schedules")), (3, Some("batches"))] {
        let key = key("a", number);
        shard.begin(
            &key,
            Row {
                division: division.map(Into::into),
                ..row(&key)
            },
        );
    }
    assert_eq!(matching(store, &Filter::True), [1]);
    let is = |name: &str| Filter::Compare {
        column: Column::Division,
        op: Comparison::Eq,
        value: Value::Text(name.into()),
    };
    assert_eq!(matching(store, &is("schedules")), [2]);
    assert_eq!(
        matching(store, &Filter::Or(vec![is("schedules"), is("batches")])),
        [2, 3]
    );
    let null = Filter::IsNull(Column::Division);
    assert_eq!(matching(store, &null), [1]);
    assert_eq!(
        matching(store, &Filter::Not(Box::new(null.clone()))),
        [2, 3]
    );
    assert_eq!(
        matching(store, &Filter::Or(vec![null, Filter::True])),
        [1, 2, 3]
    );
    // Orders and groups are no filters.
    assert_eq!(
        listed(store, &Filter::True, &[by(Column::Division, true)]),
        [1]
    );
    let groups = wait(store.count(NAMESPACE, &Filter::True, &[Column::Division])).unwrap();
    assert_eq!(groups, [(vec![Value::Null], 1)]);
}

pub(crate) fn a_search_attribute_is_gone_with_the_next_row(store: &dyn Store) {
    let a = key("a", 1);
    let shard = Shard::open(store);
    let keyword = |value: &str| ("k", AttributeValue::Keyword(value.into()));
    let is = |value: &str| Filter::Compare {
        column: attribute("k", AttributeType::Keyword),
        op: Comparison::Eq,
        value: Value::Text(value.into()),
    };
    let update = |row| {
        shard.commit(vec![Write {
            row: Some(row),
            ..Write::new(a.clone())
        }])
    };
    shard.begin(&a, with(row(&a), &[keyword("x")]));
    assert_eq!(matching(store, &is("x")), [1]);
    update(with(row(&a), &[keyword("y")]));
    assert_eq!(
        (matching(store, &is("x")), matching(store, &is("y"))),
        (vec![], vec![1])
    );
    // The same name with another type is another attribute.
    update(with(row(&a), &[("k", AttributeValue::Int(5))]));
    assert_eq!(
        matching(
            store,
            &Filter::IsNull(attribute("k", AttributeType::Keyword))
        ),
        [1]
    );
    assert_eq!(
        matching(store, &Filter::IsNull(attribute("k", AttributeType::Int))),
        []
    );
    update(row(&a));
    assert_eq!(
        matching(store, &Filter::IsNull(attribute("k", AttributeType::Int))),
        [1]
    );
    check(store);
}
