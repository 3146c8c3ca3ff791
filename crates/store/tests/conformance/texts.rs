//! Filters over texts, keyword lists and ids.

use steadfast_store::{
    AttributeType, AttributeValue, Column, Comparison, Filter, Store, Uuid, Value,
};

use crate::support::*;

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
