//! Scopes, clauses, and what is too large or malformed.

use super::*;

#[test]
fn what_a_query_mentions() {
    let query = parse(
        "MyInt = 1 AND ScheduleId = 'a' GROUP BY ExecutionStatus",
        &custom,
        REFERENCE,
    )
    .unwrap();
    assert!(!query.mentions_division);
    let names: Vec<_> = query.names.iter().map(String::as_str).collect();
    assert_eq!(names, ["ExecutionStatus", "MyInt", "ScheduleId"]);
    for query in [
        "TemporalNamespaceDivision = 'x'",
        "NamespaceDivision IS NULL",
        "GROUP BY TemporalNamespaceDivision",
    ] {
        assert!(
            parse(query, &custom, REFERENCE).unwrap().mentions_division,
            "{query}"
        );
    }
}

#[test]
fn groups_and_orders() {
    let status = Field::System(SystemField::ExecutionStatus);
    let grouped = parse("group by ExecutionStatus", &custom, REFERENCE).unwrap();
    assert_eq!(
        (grouped.filter, grouped.group_by),
        (Expr::True, vec![status])
    );
    let query = "MyBool = true GROUP BY MyKeyword, WorkflowType \
                 ORDER BY StartTime DESC, MyInt, RunId asc";
    let extended = parse(query, &custom, EXTENDED).unwrap();
    let names: Vec<_> = extended.group_by.iter().map(Field::name).collect();
    assert_eq!(names, ["MyKeyword", "WorkflowType"]);
    let order: Vec<_> = extended
        .order_by
        .iter()
        .map(|by| (by.field.name(), by.descending))
        .collect();
    assert_eq!(
        order,
        [("StartTime", true), ("MyInt", false), ("RunId", false)]
    );
    let not = "invalid query: operation is not supported:";
    let cases = [
        (
            "ORDER BY MyText",
            format!("{not} unable to sort by search attribute type Text"),
        ),
        (
            "ORDER BY BuildIds",
            format!("{not} unable to sort by search attribute type KeywordList"),
        ),
        (
            "GROUP BY MyText",
            format!("{not} 'GROUP BY' clause is not supported for search attribute MyText"),
        ),
        ("MyInt = 1 LIMIT 3", format!("{not} 'LIMIT' clause")),
        ("Nope = 1 LIMIT 3", format!("{not} 'LIMIT' clause")),
        (
            "ORDER BY 5",
            "invalid query: invalid expression: must be a column name but was *sqlparser.SQLVal"
                .to_owned(),
        ),
        (
            "ORDER BY",
            "invalid query: malformed SQL query: syntax error at position 30".to_owned(),
        ),
        (
            "ORDER BY RunId GROUP BY RunId",
            "invalid query: malformed SQL query: syntax error at position 42 near 'group'"
                .to_owned(),
        ),
    ];
    for (query, expected) in cases {
        assert_eq!(error(query, EXTENDED), expected, "{query}");
    }
}

#[test]
fn activities() {
    let options = Options {
        scope: Scope::Activities,
        extended: false,
    };
    check(
        options,
        &[
            (
                "ActivityId = 'a' AND ActivityType = 'b'",
                r#"(WorkflowId Eq "a" & WorkflowType Eq "b")"#,
            ),
            ("ExecutionStatus = 'Completed'", "ExecutionStatus In [2]"),
            ("ExecutionStatus != 'Completed'", "!ExecutionStatus In [2]"),
            ("ExecutionStatus = 'Bogus'", "ExecutionStatus In []"),
            (
                "ExecutionStatus IN ('Running', 'TimedOut')",
                "ExecutionStatus In [1 6]",
            ),
            (
                "ExecutionStatus STARTS_WITH 'T'",
                "ExecutionStatus In [5 6]",
            ),
            ("ExecutionStatus < 'D'", "ExecutionStatus In [2 4]"),
            (
                "ExecutionStatus BETWEEN 'R' AND 'S'",
                "ExecutionStatus In [1]",
            ),
        ],
    );
    assert_eq!(
        error("ExecutionStatus = 1", options),
        "invalid query: invalid expression: invalid value type for search attribute \
         ExecutionStatus of type Keyword: 1 (type: int64)"
    );
    assert_eq!(
        error("ActivityId = 'a'", REFERENCE),
        "invalid query: invalid search attribute: ActivityId"
    );
}

#[test]
fn schedules() {
    let options = Options {
        scope: Scope::Schedules,
        extended: false,
    };
    check(
        options,
        &[
            (
                "ScheduleId = 'x' AND TemporalSchedulePaused = true",
                r#"(WorkflowId Eq "x" & TemporalSchedulePaused Eq true)"#,
            ),
            (
                "SchedulePaused = true OR MyInt = 1",
                "(TemporalSchedulePaused Eq true | MyInt Eq 1)",
            ),
        ],
    );
    for name in [
        "WorkflowId",
        "StartTime",
        "BatcherUser",
        "TemporalNamespaceDivision",
    ] {
        assert_eq!(
            error(&format!("{name} IS NULL"), options),
            format!("invalid query filter for schedules: cannot filter on \"{name}\"")
        );
    }
    assert_eq!(
        error("Nope = 1", options),
        "invalid query: invalid search attribute: Nope"
    );
}

#[test]
fn large_queries_are_refused_and_never_overflow() {
    let deep = |open: &str, close: &str, n| format!("{}MyInt=1{}", open.repeat(n), close.repeat(n));
    assert_eq!(error(&deep("(", ")", 90), REFERENCE), "");
    let not = "invalid query: operation is not supported:";
    let nested = format!("{not} more than 100 nested expressions");
    for (open, close) in [
        ("(", ")"),
        ("NOT ", ""),
        ("(MyInt=1 OR ", ")"),
        ("NOT (", ")"),
    ] {
        assert_eq!(
            error(&deep(open, close, 20_000), REFERENCE),
            nested,
            "{open}"
        );
    }
    assert_eq!(
        error(&format!("MyInt = {}1", "- ".repeat(20_000)), REFERENCE),
        nested
    );
    assert_eq!(
        error(&format!("MyInt = {}1", "(".repeat(20_000)), REFERENCE),
        nested
    );
    let large = format!("{not} a filter of more than 500 conditions, 10000 values or 50 levels");
    let repeat = |part: &str, with: &str, n| vec![part; n].join(with);
    assert_eq!(error(&repeat("MyInt>1", " AND ", 499), REFERENCE), "");
    assert_eq!(error(&repeat("MyInt>1", " AND ", 500), REFERENCE), large);
    assert_eq!(error(&repeat("MyInt>1", " OR ", 20_000), REFERENCE), large);
    assert_eq!(error(&deep("NOT ", "", 60), REFERENCE), large);
    assert_eq!(error(&repeat("MyInt=1", " OR ", 10_000), REFERENCE), "");
    assert_eq!(
        error(
            &format!("MyInt IN ({})", repeat("1", ",", 10_000)),
            REFERENCE
        ),
        ""
    );
    assert_eq!(
        error(
            &format!("MyInt IN ({})", repeat("1", ",", 10_001)),
            REFERENCE
        ),
        large
    );
    assert_eq!(
        error(&format!("MyInt = {}", repeat("1", "+", 50_000)), REFERENCE),
        "invalid query: invalid expression: unexpected value type *sqlparser.BinaryExpr"
    );
    assert_eq!(
        error(&"a".repeat(600_000), REFERENCE),
        format!("{not} a query of more than 524288 bytes")
    );
}

#[test]
fn malformed_queries_are_refused_at_their_place() {
    let cases = [
        ("MyInt = 1 AND\n  MyBool ? 1", "52"),
        ("MyKeyword = 'é' é", "47 near 'é'"),
        ("MyInt = 1 /* no end", "47"),
        ("MyInt = 1)", "38"),
        ("MyInt = NOT 1", "39 near 'not'"),
        ("MyInt IS 5", "38 near '5'"),
        ("MyInt NOT 5", "37 near 'not'"),
        ("MyInt BETWEEN 1", "43"),
        ("MyInt BETWEEN 1 OR 2", "46 near 'or'"),
        ("} = 1", "29"),
    ];
    for (query, place) in cases {
        let got = error(query, REFERENCE);
        let expected =
            format!("invalid query: malformed SQL query: syntax error at position {place}");
        assert!(got.starts_with(&expected), "{query}: {got}");
    }
}
