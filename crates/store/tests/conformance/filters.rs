//! Which rows a filter lets through.

use std::ops::Not;

use steadfast_store::{
    AttributeType, AttributeValue, Bytes, Column, Comparison, ExecutionKey, Filter, OrderBy, Row,
    Store, StoreError, Uuid, Value,
};

use crate::support::*;

fn text(value: &str) -> Value {
    Value::Text(value.into())
}

fn compare(column: &Column, op: Comparison, value: Value) -> Filter {
    Filter::Compare {
        column: column.clone(),
        op,
        value,
    }
}

fn not(filter: Filter) -> Filter {
    Filter::Not(Box::new(filter))
}

fn attribute(name: &str, attribute_type: AttributeType) -> Column {
    Column::Attribute(name.into(), attribute_type)
}

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

pub(crate) fn every_built_in_column_filters(store: &dyn Store) {
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
    // A fourth has nothing that can be missing.
    let bare = key("x4", 4);
    shard.begin(
        &bare,
        Row {
            division: None,
            ..row(&bare)
        },
    );
    let only_three = |filter| {
        Filter::And(vec![
            filter,
            not(Filter::IsNull(Column::ParentRunId)),
            any_division(),
        ])
    };
    let columns = [
        (Column::WorkflowId, [text("x1"), text("x2"), text("x3")]),
        (
            Column::RunId,
            [1, 2, 3].map(|number| Value::Uuid(run(number))),
        ),
        (Column::WorkflowType, [text("x1"), text("x2"), text("x3")]),
        (Column::Status, [1, 2, 3].map(Value::Int)),
        (Column::TaskQueue, [text("x1"), text("x2"), text("x3")]),
        (Column::StartTime, [100, 200, 300].map(Value::Int)),
        (Column::ExecutionTime, [101, 201, 301].map(Value::Int)),
        (Column::CloseTime, [200, 400, 600].map(Value::Int)),
        (Column::HistoryLength, [100, 200, 300].map(Value::Int)),
        (Column::HistorySize, [100, 200, 300].map(Value::Int)),
        (
            Column::StateTransitionCount,
            [100, 200, 300].map(Value::Int),
        ),
        (Column::ExecutionDuration, [99, 199, 299].map(Value::Int)),
        (
            Column::ParentWorkflowId,
            [text("x1"), text("x2"), text("x3")],
        ),
        (
            Column::ParentRunId,
            [1, 2, 3].map(|number| Value::Uuid(run(number))),
        ),
        (Column::RootWorkflowId, [text("x1"), text("x2"), text("x3")]),
        (
            Column::RootRunId,
            [1, 2, 3].map(|number| Value::Uuid(run(number))),
        ),
        (Column::Division, [text("x1"), text("x2"), text("x3")]),
    ];
    use Comparison::{Eq, Ge, Gt, Le, Lt, Ne};
    for (column, [low, middle, high]) in columns {
        let matches = |filter| matching(store, &only_three(filter));
        assert_eq!(
            matches(compare(&column, Eq, middle.clone())),
            [2],
            "{column:?}"
        );
        assert_eq!(
            matches(compare(&column, Ne, middle.clone())),
            [1, 3],
            "{column:?}"
        );
        assert_eq!(
            matches(compare(&column, Lt, middle.clone())),
            [1],
            "{column:?}"
        );
        assert_eq!(
            matches(compare(&column, Le, middle.clone())),
            [1, 2],
            "{column:?}"
        );
        assert_eq!(
            matches(compare(&column, Gt, middle.clone())),
            [3],
            "{column:?}"
        );
        assert_eq!(
            matches(compare(&column, Ge, middle.clone())),
            [2, 3],
            "{column:?}"
        );
        let among = Filter::In {
            column: column.clone(),
            values: vec![low.clone(), high.clone()],
        };
        assert_eq!(matches(among), [1, 3], "{column:?}");
        let between = Filter::Between {
            column: column.clone(),
            low: middle,
            high,
        };
        assert_eq!(matches(between.clone()), [2, 3], "{column:?}");
        assert_eq!(matches(not(between)), [1], "{column:?}");
    }
    let missing = |column| {
        matching(
            store,
            &Filter::And(vec![Filter::IsNull(column), any_division()]),
        )
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
    // A run without a parent is its own root.
    let root = compare(&Column::RootRunId, Eq, Value::Uuid(run(4)));
    assert_eq!(matching(store, &root), [4]);
    let root = compare(&Column::RootWorkflowId, Eq, text("x4"));
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

pub(crate) fn text_matches_by_words(store: &dyn Store) {
    let shard = Shard::open(store);
    let texts = ["Hello, World-wide web", "hello", "Grüße AUS Köln", "x_y 42"];
    for (number, value) in (1..).zip(texts) {
        let key = key("a", number);
        shard.begin(
            &key,
            with(row(&key), &[("t", AttributeValue::Text(value.into()))]),
        );
    }
    let any = |tokens: &[&str]| {
        let tokens = tokens.iter().map(|token| (*token).to_owned()).collect();
        matching(
            store,
            &Filter::AnyToken {
                column: attribute("t", AttributeType::Text),
                tokens,
            },
        )
    };
    assert_eq!(any(&["HELLO"]), [1, 2]);
    assert_eq!(any(&["wide"]), [1]);
    assert_eq!(any(&["wid"]), []);
    assert_eq!(any(&["zzz", "GRÜSSE", "köln"]), [3]);
    assert_eq!(any(&["42", "world"]), [1, 4]);
    // A token is split as the text is.
    assert_eq!(any(&["nothing of y"]), [4]);
    assert_eq!(any(&[]), []);
}

pub(crate) fn keyword_lists_match_by_member(store: &dyn Store) {
    let shard = Shard::open(store);
    let lists: [&[&str]; 3] = [&["a", "b", "b"], &["B", "c"], &["a b"]];
    for (number, list) in (1..).zip(lists) {
        let key = key("a", number);
        let list = list.iter().map(|keyword| (*keyword).to_owned()).collect();
        shard.begin(
            &key,
            with(row(&key), &[("l", AttributeValue::KeywordList(list))]),
        );
    }
    let bare = key("a", 4);
    shard.begin(&bare, row(&bare));
    let column = attribute("l", AttributeType::KeywordList);
    let contains = |value: &str| Filter::Contains {
        column: column.clone(),
        value: value.into(),
    };
    assert_eq!(matching(store, &contains("a")), [1]);
    assert_eq!(matching(store, &contains("a b")), [3]);
    assert_eq!(matching(store, &not(contains("b"))), [2, 3]);
    let among = Filter::In {
        column: column.clone(),
        values: vec![text("b"), text("c")],
    };
    assert_eq!(matching(store, &among), [1, 2]);
    assert_eq!(matching(store, &not(among)), [3]);
    assert_eq!(matching(store, &Filter::IsNull(column)), [4]);
}

pub(crate) fn prefixes_are_taken_literally(store: &dyn Store) {
    let shard = Shard::open(store);
    let ids = [
        "a",
        "a%",
        "a_",
        "ab",
        "a\u{10FFFF}",
        "a\u{10FFFF}b",
        "b",
        "A",
    ];
    for (number, id) in (1..).zip(ids) {
        let key = key(id, number);
        let keyword = ("k", AttributeValue::Keyword(id.to_owned()));
        shard.begin(&key, with(row(&key), &[keyword]));
    }
    for column in [Column::WorkflowId, attribute("k", AttributeType::Keyword)] {
        let starting = |prefix: &str| {
            let filter = Filter::StartsWith {
                column: column.clone(),
                prefix: prefix.into(),
            };
            let rest = matching(store, &not(filter.clone()));
            let found = matching(store, &filter);
            assert_eq!(rest.len() + found.len(), ids.len());
            found
        };
        assert_eq!(starting(""), [1, 2, 3, 4, 5, 6, 7, 8]);
        assert_eq!(starting("a"), [1, 2, 3, 4, 5, 6]);
        assert_eq!(starting("a%"), [2]);
        assert_eq!(starting("a_"), [3]);
        assert_eq!(starting("a\u{10FFFF}"), [5, 6]);
        assert_eq!(starting("\u{10FFFF}"), []);
        assert_eq!(starting("abc"), []);
    }
}

pub(crate) fn run_ids_compare_as_ids_and_as_text(store: &dyn Store) {
    let shard = Shard::open(store);
    let ids = [
        "0192aaaa-0000-7000-8000-000000000001",
        "0192bbbb-0000-7000-8000-000000000002",
    ];
    for id in ids {
        let key = key("a", Uuid::try_parse(id).unwrap().as_u128());
        shard.begin(&key, row(&key));
    }
    let numbers = ids.map(|id| Uuid::try_parse(id).unwrap().as_u128());
    let is = |value: Value| matching(store, &compare(&Column::RunId, Comparison::Eq, value));
    assert_eq!(is(text(ids[0])), [numbers[0]]);
    assert_eq!(is(Value::Uuid(run(numbers[1]))), [numbers[1]]);
    assert_eq!(is(text("no run")), []);
    // Text that a run id could be read from, but is not written like one.
    assert_eq!(is(text(&ids[0].to_uppercase())), []);
    assert_eq!(is(text(&ids[0].replace('-', ""))), []);
    assert_eq!(
        matching(
            store,
            &compare(&Column::RunId, Comparison::Ne, text("no run"))
        ),
        numbers
    );
    assert_eq!(
        matching(
            store,
            &compare(&Column::RunId, Comparison::Gt, text("0192b"))
        ),
        numbers[1..]
    );
    let values = vec![text("no run"), text(ids[1])];
    let among = Filter::In {
        column: Column::RunId,
        values,
    };
    assert_eq!(matching(store, &among), numbers[1..]);
    assert_eq!(matching(store, &not(among)), numbers[..1]);
    let between = Filter::Between {
        column: Column::RunId,
        low: text("0192"),
        high: text(ids[0]),
    };
    assert_eq!(matching(store, &between), numbers[..1]);
    for (prefix, expected) in [
        ("0192", &numbers[..]),
        ("0192a", &numbers[..1]),
        ("0192A", &[]),
    ] {
        let filter = Filter::StartsWith {
            column: Column::RunId,
            prefix: prefix.into(),
        };
        assert_eq!(matching(store, &filter), expected);
        let root = Filter::StartsWith {
            column: Column::RootRunId,
            prefix: prefix.into(),
        };
        assert_eq!(matching(store, &root), expected);
    }
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
    // As large and as deep as it may be.
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
