mod bounds;
mod filters;

use std::collections::BTreeMap;

use super::*;
use crate::search_attributes::Value as Attribute;

fn custom(name: &str) -> Option<SearchAttributeType> {
    SearchAttributeType::from_name(name.strip_prefix("My")?)
}

const REFERENCE: Options = Options {
    scope: Scope::Workflows,
    extended: false,
};
const EXTENDED: Options = Options {
    scope: Scope::Workflows,
    extended: true,
};

fn error(query: &str, options: Options) -> String {
    parse(query, &custom, options).map_or_else(|error| error.to_string(), |_| String::new())
}

/// A filter in few words.
fn show(expr: &Expr) -> String {
    let join = |parts: &[Expr], word: &str| -> String {
        let parts: Vec<String> = parts.iter().map(show).collect();
        format!("({})", parts.join(word))
    };
    let list = |values: &[Value]| -> String {
        let values: Vec<String> = values.iter().map(show_value).collect();
        format!("[{}]", values.join(" "))
    };
    match expr {
        Expr::True => "true".to_owned(),
        Expr::And(parts) => join(parts, " & "),
        Expr::Or(parts) => join(parts, " | "),
        Expr::Not(part) => format!("!{}", show(part)),
        Expr::Compare { field, op, value } => {
            format!("{} {op:?} {}", field.name(), show_value(value))
        }
        Expr::In { field, values } => format!("{} In {}", field.name(), list(values)),
        Expr::Between { field, low, high } => {
            format!("{} {}..{}", field.name(), show_value(low), show_value(high))
        }
        Expr::IsNull(field) => format!("{} null", field.name()),
        Expr::StartsWith { field, prefix } => format!("{} begins {prefix:?}", field.name()),
        Expr::AnyToken { field, tokens } => format!("{} words {tokens:?}", field.name()),
        Expr::Contains { field, values } => format!("{} has {values:?}", field.name()),
    }
}

fn show_value(value: &Value) -> String {
    match value {
        Value::Text(text) => format!("{text:?}"),
        Value::Int(number) => number.to_string(),
        Value::Double(number) => format!("{number:?}"),
        Value::Bool(value) => value.to_string(),
    }
}

fn check(options: Options, cases: &[(&str, &str)]) {
    for (query, expected) in cases {
        let query = parse(query, &custom, options).unwrap_or_else(|e| panic!("{query}: {e}"));
        assert_eq!(show(&query.filter), *expected);
    }
}

#[test]
fn the_reference_takes_and_refuses_the_same() {
    let text = include_str!("tests/observed.txt");
    let is_case = |line: &&str| !line.is_empty() && !line.starts_with('#');
    let mut lines = text.lines().filter(is_case).peekable();
    let mut refused = 0;
    while let Some(query) = lines.next() {
        let expected = lines
            .next_if(|line| line.starts_with("    "))
            .map(str::trim_start);
        refused += usize::from(expected.is_some());
        let expected = expected
            .map(|text| format!("invalid query: {text}"))
            .unwrap_or_default();
        assert_eq!(error(query, REFERENCE), expected, "{query}");
    }
    assert!(refused > 100, "{refused}");
}

#[test]
fn where_we_differ_from_the_reference() {
    let cases = [
        // There it fails in its store.
        (
            "MyInt = (1,2)",
            "invalid query: invalid expression: unexpected value type sqlparser.ValTuple",
        ),
        // There it is ignored.
        (
            "GROUP BY ExecutionStatus HAVING ExecutionStatus = 'Running'",
            "invalid query: operation is not supported: 'HAVING' clause",
        ),
        (
            "ExecutionDuration > '01:02:03x'",
            "invalid query: invalid expression: invalid duration \
            value for search attribute ExecutionDuration: 01:02:03x",
        ),
        // There it is a column of its tables.
        (
            "Keyword01 = 'a'",
            "invalid query: invalid search attribute: Keyword01",
        ),
        // There names are of ASCII, and some are put into lower case.
        (
            "日本 = 'x'",
            "invalid query: invalid search attribute: 日本",
        ),
        (
            "Status = 'x'",
            "invalid query: invalid search attribute: Status",
        ),
    ];
    for (query, expected) in cases {
        assert_eq!(error(query, REFERENCE), expected, "{query}");
    }
}

/// A row as observed on the reference: which queries let it through there.
#[test]
fn rows_that_match() {
    let row: BTreeMap<&str, Attribute> = BTreeMap::from([
        ("WorkflowId", Attribute::Keyword("x1".to_owned())),
        (
            "MyText",
            Attribute::Text("Hello, World foo-bar Café".to_owned()),
        ),
        ("MyKeyword", Attribute::Keyword("Abc_d%e".to_owned())),
        (
            "MyKeywordList",
            Attribute::KeywordList(vec!["a b".to_owned(), "C".to_owned()]),
        ),
        ("MyDouble", Attribute::Double(2.5)),
        ("HistoryLength", Attribute::Int(7)),
        ("StartTime", Attribute::Datetime(1000)),
        ("MyBool", Attribute::Bool(true)),
    ]);
    let cases = [
        ("", true),
        ("WorkflowId = 'x1'", true),
        ("CloseTime > '2020-01-01T00:00:00Z'", false),
        ("CloseTime != '2020-01-01T00:00:00Z'", false),
        ("MyInt != 5", false),
        ("NOT MyInt = 5", false),
        ("MyInt = 5 OR WorkflowId = 'x1'", true),
        ("NOT (MyInt = 5 AND WorkflowId = 'zz')", true),
        ("NOT (MyInt = 5 AND WorkflowId = 'x1')", false),
        ("MyKeyword != 'q'", true),
        ("MyKeyword = 'abc_d%e'", false),
        ("MyKeyword STARTS_WITH 'Abc_'", true),
        ("MyKeyword STARTS_WITH 'Ab%'", false),
        ("MyText = 'hello'", true),
        ("MyText = 'HELLO'", true),
        ("MyText = 'hell'", false),
        ("MyText = 'bar zzz'", true),
        ("MyText = 'CAFÉ'", true),
        ("MyText = '!!!'", false),
        ("MyText != 'zzz'", true),
        ("MyKeywordList = 'a b'", true),
        ("MyKeywordList = 'a'", false),
        ("MyKeywordList != 'zzz'", true),
        ("MyInt IS NULL", true),
        ("MyText IS NULL", false),
        // Rows without any list or text, in the index of neither.
        ("BuildIds != 'zzz'", true),
        ("NOT BuildIds = 'zzz'", true),
        ("BuildIds = 'zzz'", false),
        ("NOT (BuildIds = 'zzz' OR MyInt = 1)", false),
        ("MyDouble > 2 AND MyDouble < 2.75", true),
        ("MyDouble BETWEEN 3 AND 4", false),
        ("MyDouble NOT BETWEEN 3 AND 4", true),
        ("HistoryLength > 6.5", true),
        ("HistoryLength != 7.5", true),
        ("HistoryLength IN (1, 7)", true),
        ("HistoryLength NOT IN (1, 7)", false),
        ("StartTime = 1000", true),
        ("MyBool = true", true),
        ("MyBool != true", false),
    ];
    for (query, expected) in cases {
        let query_parsed = parse(query, &custom, REFERENCE).unwrap();
        let value_of = |field: &Field| row.get(field.name()).cloned();
        assert_eq!(query_parsed.filter.matches(&value_of), expected, "{query}");
    }
}
