//! Which rows a filter lets through.

use std::ops::Not;

use steadfast_store::{
    AttributeType, AttributeValue, Bytes, Column, Comparison, ExecutionKey, Filter, OrderBy, Row,
    Store, StoreError, Value,
};

use crate::support::*;

/// Each operation on a column that has `low < middle < high` in the runs 1, 2 and 3.
#[track_caller]
fn orders(store: &dyn Store, column: &Column, values: [Value; 3]) {
    use Comparison::{Eq, Ge, Gt, Le, Lt, Ne};
    let [low, middle, high] = &values;
    let matches = |filter: &Filter| matching(store, filter);
    assert_eq!(
        matches(&compare(column, Eq, middle.clone())),
        [2],
        "{column:?}"
    );
    assert_eq!(matches(&compare(column, Ne, middle.clone())), [1, 3]);
    assert_eq!(matches(&compare(column, Lt, middle.clone())), [1]);
    assert_eq!(matches(&compare(column, Le, middle.clone())), [1, 2]);
    assert_eq!(matches(&compare(column, Gt, middle.clone())), [3]);
    assert_eq!(matches(&compare(column, Ge, middle.clone())), [2, 3]);
    let among = |values| Filter::In {
        column: column.clone(),
        values,
    };
    assert_eq!(matches(&among(vec![low.clone(), high.clone()])), [1, 3]);
    assert_eq!(matches(&not(among(vec![low.clone(), high.clone()]))), [2]);
    assert_eq!(matches(&among(vec![])), []);
    assert_eq!(matches(&not(among(vec![]))), [1, 2, 3]);
    let between = |low: &Value, high: &Value| Filter::Between {
        column: column.clone(),
        low: low.clone(),
        high: high.clone(),
    };
    assert_eq!(matches(&between(low, middle)), [1, 2]);
    assert_eq!(matches(&between(high, low)), []);
    assert_eq!(matches(&not(between(middle, high))), [1]);
    assert_eq!(matches(&not(Filter::IsNull(column.clone()))), [1, 2, 3]);
    let order = [OrderBy {
        column: column.clone(),
        descending: false,
    }];
    assert_eq!(
        listed(store, &not(Filter::IsNull(column.clone())), &order),
        [1, 2, 3]
    );
}

/// Runs 1, 2 and 3 have something in every column; run 4 has nothing that can be missing.
fn begin_four(store: &dyn Store) {
    let shard = Shard::open(store);
    for (number, name) in [(1_u8, "x1"), (2, "x2"), (3, "x3")] {
        let key = key(name, number.into());
        let time = i64::from(number) * 100;
        let row = Row {
            current: true,
            status: number.into(),
            workflow_type: name.into(),
            task_queue: name.into(),
            start_time: time,
            execution_time: time + 1,
            close_time: Some(2 * time),
            history_length: time,
            history_size: time,
            state_transition_count: time,
            parent: Some((name.into(), run(number.into()))),
            root: (name.into(), run(number.into())),
            memo: Bytes::new(),
            search_attributes: Bytes::new(),
            attributes: Vec::new(),
            division: Some(name.into()),
        };
        shard.begin(&key, row);
    }
    let bare = key("x4", 4);
    shard.begin(&bare, row(&bare));
}

pub(crate) fn every_built_in_column_filters(store: &dyn Store) {
    begin_four(store);
    let names = ["x1", "x2", "x3"].map(text);
    let runs = [1, 2, 3].map(|number| Value::Uuid(run(number)));
    let numbers = |numbers: [i64; 3]| numbers.map(Value::Int);
    let hundreds = numbers([100, 200, 300]);
    let columns = [
        (Column::WorkflowId, &names),
        (Column::RunId, &runs),
        (Column::WorkflowType, &names),
        (Column::Status, &numbers([1, 2, 3])),
        (Column::TaskQueue, &names),
        (Column::StartTime, &hundreds),
        (Column::ExecutionTime, &numbers([101, 201, 301])),
        (Column::CloseTime, &numbers([200, 400, 600])),
        (Column::HistoryLength, &hundreds),
        (Column::HistorySize, &hundreds),
        (Column::StateTransitionCount, &hundreds),
        (Column::ExecutionDuration, &numbers([99, 199, 299])),
        (Column::ParentWorkflowId, &names),
        (Column::ParentRunId, &runs),
        (Column::RootWorkflowId, &names),
        (Column::RootRunId, &runs),
        (Column::Division, &names),
    ];
    use Comparison::{Eq, Ge, Gt, Le, Lt, Ne};
    for (column, [low, middle, high]) in columns {
        let matches = |filter| {
            let has_parent = not(Filter::IsNull(Column::ParentRunId));
            matching(
                store,
                &Filter::And(vec![filter, has_parent, any_division()]),
            )
        };
        let operations: [(Comparison, &[u128]); 6] = [
            (Eq, &[2]),
            (Ne, &[1, 3]),
            (Lt, &[1]),
            (Le, &[1, 2]),
            (Gt, &[3]),
            (Ge, &[2, 3]),
        ];
        for (op, expected) in operations {
            let found = matches(compare(&column, op, middle.clone()));
            assert_eq!(found, expected, "{column:?} {op:?}");
        }
        let values = vec![low.clone(), high.clone()];
        let among = Filter::In {
            column: column.clone(),
            values,
        };
        assert_eq!(matches(among), [1, 3], "{column:?}");
        let (low, high) = (middle.clone(), high.clone());
        let between = Filter::Between {
            column: column.clone(),
            low,
            high,
        };
        assert_eq!(matches(between.clone()), [2, 3], "{column:?}");
        assert_eq!(matches(not(between)), [1], "{column:?}");
    }
}

pub(crate) fn an_open_run_without_a_parent_lacks_some_columns(store: &dyn Store) {
    begin_four(store);
    let missing = |column| {
        let null = Filter::IsNull(column);
        matching(store, &Filter::And(vec![null, any_division()]))
    };
    for column in [
        Column::CloseTime,
        Column::ExecutionDuration,
        Column::ParentWorkflowId,
        Column::ParentRunId,
        Column::Division,
    ] {
        assert_eq!(missing(column.clone()), [4], "{column:?}");
    }
    for column in [
        Column::WorkflowId,
        Column::RunId,
        Column::RootWorkflowId,
        Column::StartTime,
    ] {
        assert_eq!(missing(column), []);
    }
    let open = Filter::And(vec![Filter::IsNull(Column::CloseTime), Filter::True]);
    assert_eq!(matching(store, &open), [4]);
    let running = compare(&Column::Status, Comparison::Eq, Value::Int(1));
    assert_eq!(matching(store, &Filter::And(vec![open, running])), [4]);
    // It is its own root.
    let root = compare(&Column::RootRunId, Comparison::Eq, Value::Uuid(run(4)));
    assert_eq!(matching(store, &root), [4]);
    let root = compare(&Column::RootWorkflowId, Comparison::Eq, text("x4"));
    assert_eq!(matching(store, &root), [4]);
}

/// True, and names the division.
fn any_division() -> Filter {
    Filter::Or(vec![
        Filter::IsNull(Column::Division),
        not(Filter::IsNull(Column::Division)),
    ])
}

pub(crate) fn every_attribute_type_filters(store: &dyn Store) {
    let shard = Shard::open(store);
    let words = ["B", "a", "ä"];
    for number in 1..=3_u8 {
        let key = key("a", number.into());
        let value = i64::from(number) - 2;
        let attributes = [
            (
                "Keyword",
                AttributeValue::Keyword(words[usize::from(number) - 1].into()),
            ),
            ("Int", AttributeValue::Int(value)),
            (
                "Extreme",
                AttributeValue::Int(value.checked_mul(i64::MAX).unwrap()),
            ),
            ("Double", AttributeValue::Double(f64::from(number) / 3.0)),
            (
                "Datetime",
                AttributeValue::Datetime(value * 1_700_000_000_000_000_000),
            ),
            ("Bool", AttributeValue::Bool(number == 2)),
        ];
        shard.begin(&key, with(row(&key), &attributes));
    }
    let bare = key("a", 4);
    shard.begin(&bare, row(&bare));
    orders(
        store,
        &attribute("Keyword", AttributeType::Keyword),
        words.map(text),
    );
    orders(
        store,
        &attribute("Int", AttributeType::Int),
        [-1, 0, 1].map(Value::Int),
    );
    let extremes = [-i64::MAX, 0, i64::MAX].map(Value::Int);
    orders(store, &attribute("Extreme", AttributeType::Int), extremes);
    let thirds = [1.0 / 3.0, 2.0 / 3.0, 1.0].map(Value::Double);
    orders(store, &attribute("Double", AttributeType::Double), thirds);
    let times = [-1, 0, 1].map(|sign| Value::Int(sign * 1_700_000_000_000_000_000));
    orders(
        store,
        &attribute("Datetime", AttributeType::Datetime),
        times,
    );
    let double = attribute("Double", AttributeType::Double);
    assert_eq!(
        matching(store, &compare(&double, Comparison::Eq, Value::Int(1))),
        [3]
    );
    assert_eq!(
        matching(store, &compare(&double, Comparison::Lt, Value::Int(1))),
        [1, 2]
    );
    let flag = attribute("Bool", AttributeType::Bool);
    assert_eq!(
        matching(store, &compare(&flag, Comparison::Eq, Value::Bool(true))),
        [2]
    );
    assert_eq!(
        matching(store, &compare(&flag, Comparison::Ne, Value::Bool(true))),
        [1, 3]
    );
}

pub(crate) fn a_missing_value_matches_neither_way(store: &dyn Store) {
    let shard = Shard::open(store);
    let attributes = [
        ("nan", AttributeValue::Double(f64::NAN)),
        ("empty", AttributeValue::KeywordList(vec![])),
        ("blank", AttributeValue::Text("...".into())),
    ];
    let a = key("a", 1);
    shard.begin(&a, with(row(&a), &attributes));
    let nan = attribute("nan", AttributeType::Double);
    let empty = attribute("empty", AttributeType::KeywordList);
    let absent = attribute("absent", AttributeType::Text);
    let keyword = attribute("absent", AttributeType::Keyword);
    let neither = [
        compare(&nan, Comparison::Eq, Value::Int(0)),
        compare(&nan, Comparison::Ne, Value::Int(0)),
        compare(&Column::CloseTime, Comparison::Lt, Value::Int(i64::MAX)),
        compare(&Column::CloseTime, Comparison::Le, Value::Int(i64::MAX)),
        compare(&Column::ExecutionDuration, Comparison::Ge, Value::Int(0)),
        Filter::In {
            column: keyword.clone(),
            values: vec![],
        },
        Filter::In {
            column: empty.clone(),
            values: vec![],
        },
        Filter::StartsWith {
            column: keyword.clone(),
            prefix: String::new(),
        },
        Filter::Contains {
            column: empty.clone(),
            value: "x".into(),
        },
        Filter::AnyToken {
            column: absent.clone(),
            tokens: vec!["x".into()],
        },
        Filter::AnyToken {
            column: absent.clone(),
            tokens: vec![],
        },
        Filter::Between {
            column: nan.clone(),
            low: Value::Int(0),
            high: Value::Int(1),
        },
    ];
    for filter in neither {
        assert_eq!(matching(store, &filter), [], "{filter:?}");
        assert_eq!(matching(store, &not(filter.clone())), [], "not {filter:?}");
    }
    for column in [nan, empty, absent, keyword] {
        assert_eq!(matching(store, &Filter::IsNull(column)), [1]);
    }
    // A text without words is there all the same.
    let blank = attribute("blank", AttributeType::Text);
    assert_eq!(matching(store, &Filter::IsNull(blank.clone())), []);
    let any = Filter::AnyToken {
        column: blank,
        tokens: vec!["x".into(), "".into(), ".".into()],
    };
    assert_eq!(matching(store, &any), []);
    assert_eq!(matching(store, &not(any)), [1]);
}

pub(crate) fn logic_has_three_values(store: &dyn Store) {
    let a = key("a", 1);
    Shard::open(store).begin(&a, row(&a));
    let yes = Filter::True;
    let no = not(Filter::True);
    let unknown = compare(&Column::CloseTime, Comparison::Eq, Value::Int(1));
    let passes = |filter: &Filter| matching(store, filter).is_empty().not();
    let and = |a: &Filter, b: &Filter| Filter::And(vec![a.clone(), b.clone()]);
    let or = |a: &Filter, b: &Filter| Filter::Or(vec![a.clone(), b.clone()]);
    assert!(passes(&yes) && !passes(&no) && !passes(&unknown));
    assert!(passes(&Filter::And(vec![])) && !passes(&Filter::Or(vec![])));
    assert!(passes(&or(&unknown, &yes)) && !passes(&or(&unknown, &no)));
    assert!(!passes(&and(&unknown, &yes)) && !passes(&and(&unknown, &no)));
    // False and unknown is false; false or unknown is not.
    assert!(passes(&not(and(&unknown, &no))) && passes(&not(and(&no, &unknown))));
    assert!(!passes(&not(and(&unknown, &yes))) && !passes(&not(or(&unknown, &no))));
    assert!(!passes(&not(or(&unknown, &yes))));
}

pub(crate) fn nonsense_is_refused(store: &dyn Store) {
    let words = attribute("t", AttributeType::Text);
    let list = attribute("l", AttributeType::KeywordList);
    let int = attribute("i", AttributeType::Int);
    let nonsense = [
        compare(&Column::WorkflowId, Comparison::Eq, Value::Int(1)),
        compare(&Column::Status, Comparison::Eq, text("Running")),
        compare(&Column::StartTime, Comparison::Eq, Value::Null),
        compare(&int, Comparison::Eq, Value::Double(1.5)),
        compare(&words, Comparison::Eq, text("x")),
        compare(&list, Comparison::Eq, text("x")),
        compare(
            &attribute("d", AttributeType::Double),
            Comparison::Eq,
            Value::Double(f64::NAN),
        ),
        Filter::In {
            column: list.clone(),
            values: vec![Value::Int(1)],
        },
        Filter::In {
            column: int.clone(),
            values: vec![Value::Int(1), text("x")],
        },
        Filter::Between {
            column: int.clone(),
            low: Value::Int(1),
            high: text("x"),
        },
        Filter::StartsWith {
            column: int.clone(),
            prefix: "1".into(),
        },
        Filter::StartsWith {
            column: list,
            prefix: "1".into(),
        },
        Filter::AnyToken {
            column: Column::WorkflowId,
            tokens: vec!["x".into()],
        },
        Filter::Contains {
            column: words,
            value: "x".into(),
        },
        not(Filter::Or(vec![
            Filter::True,
            compare(&int, Comparison::Lt, Value::Bool(true)),
        ])),
        (0..1000).fold(Filter::True, |inner, _| not(inner)),
        Filter::And(vec![Filter::True; 2000]),
        Filter::In {
            column: int,
            values: vec![Value::Int(1); 20_000],
        },
    ];
    for filter in nonsense {
        let list = wait(store.list(NAMESPACE, &filter, &[], None, 1));
        assert!(
            matches!(list, Err(StoreError::InvalidFilter { .. })),
            "{list:?}"
        );
        let count = wait(store.count(NAMESPACE, &filter, &[]));
        assert!(
            matches!(count, Err(StoreError::InvalidFilter { .. })),
            "{count:?}"
        );
    }
}

pub(crate) fn a_filter_may_be_large(store: &dyn Store) {
    let deep = (0..49).fold(Filter::True, |inner, _| not(inner));
    let wide = Filter::Or(vec![deep; 9]);
    assert_eq!(matching(store, &wide), []);
    let many = Filter::Or(vec![
        compare(&Column::Status, Comparison::Eq, Value::Int(1));
        499
    ]);
    assert_eq!(matching(store, &many), []);
    let values = (0..9_999).map(Value::Int).collect();
    assert_eq!(
        matching(
            store,
            &Filter::In {
                column: Column::Status,
                values
            }
        ),
        []
    );
}

pub(crate) fn a_rare_value_is_found_among_many(store: &dyn Store) {
    let shard = Shard::open(store);
    // More than a list would start from, so both ways to find a value are taken.
    let writes = (1..=2500_u32).map(|number| {
        let key = key(&format!("id-{number:05}"), number.into());
        let attributes = [
            ("common", AttributeValue::Keyword("same".into())),
            ("rare", AttributeValue::Int((number % 1000).into())),
        ];
        begin(
            &key,
            with(closed(&key, number.into(), number.into()), &attributes),
        )
    });
    shard.commit(writes.collect());
    let common = compare(
        &attribute("common", AttributeType::Keyword),
        Comparison::Eq,
        text("same"),
    );
    let rare = compare(
        &attribute("rare", AttributeType::Int),
        Comparison::Eq,
        Value::Int(7),
    );
    let first = wait(store.list(NAMESPACE, &common, &[], None, 2)).unwrap();
    let numbers = |rows: &[(_, _)]| -> Vec<u128> {
        rows.iter()
            .map(|(key, _): &(ExecutionKey, Row)| key.run_id.as_u128())
            .collect()
    };
    assert_eq!(numbers(&first.rows), [2500, 2499]);
    let both = Filter::And(vec![common.clone(), rare]);
    assert_eq!(listed(store, &both, &[]), [2007, 1007, 7]);
    let prefix = |prefix: &str| Filter::StartsWith {
        column: Column::WorkflowId,
        prefix: prefix.into(),
    };
    let all = wait(store.list(NAMESPACE, &prefix("id-"), &[], None, 2)).unwrap();
    assert_eq!(numbers(&all.rows), [2500, 2499]);
    assert_eq!(
        listed(store, &prefix("id-0010"), &[]),
        (100..110).rev().collect::<Vec<_>>()
    );
    let late = compare(&Column::CloseTime, Comparison::Gt, Value::Int(2498));
    assert_eq!(
        listed(store, &Filter::And(vec![common, late]), &[]),
        [2500, 2499]
    );
}
