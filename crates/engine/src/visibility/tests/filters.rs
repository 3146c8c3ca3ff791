//! What queries mean.

use super::*;

#[test]
fn comparisons() {
    check(
        REFERENCE,
        &[
            ("", "true"),
            ("  \n ", "true"),
            ("WorkflowId = 'a'", r#"WorkflowId Eq "a""#),
            ("`WorkflowId` = \"a\";", r#"WorkflowId Eq "a""#),
            ("WorkflowId <> 'it''s'", r#"WorkflowId Ne "it's""#),
            (r"WorkflowId = 'a\'b\\c\n'", r#"WorkflowId Eq "a'b\\c\n""#),
            ("MyInt >= -5", "MyInt Ge -5"),
            ("MyInt < + 5", "MyInt Lt 5"),
            ("MyDouble > 5", "MyDouble Gt 5"),
            ("MyDouble <= -5.5e1", "MyDouble Le -55.0"),
            ("MyBool = TRUE", "MyBool Eq true"),
            ("MyBool != false", "MyBool Ne false"),
            (
                "MyDatetime > '1970-01-01T00:00:01.5Z'",
                "MyDatetime Gt 1500000000",
            ),
            ("StartTime < 77", "StartTime Lt 77"),
            ("CloseTime IS NULL", "CloseTime null"),
            ("CloseTime is not null", "!CloseTime null"),
            ("MyKeyword STARTS_WITH 'a%'", r#"MyKeyword begins "a%""#),
            ("MyKeyword not starts_with 'a'", r#"!MyKeyword begins "a""#),
            ("MyInt BETWEEN 1 AND 5", "MyInt 1..5"),
            ("MyInt NOT BETWEEN 1 AND 5", "!MyInt 1..5"),
            (
                "MyKeyword BETWEEN 'a' AND 'b' AND MyInt = 1",
                r#"(MyKeyword "a".."b" & MyInt Eq 1)"#,
            ),
            ("MyKeyword IN ('a', \"b\")", r#"MyKeyword In ["a" "b"]"#),
            ("MyInt NOT IN (1, -2)", "!MyInt In [1 -2]"),
            ("MyInt = 1 /* one */ -- and no more", "MyInt Eq 1"),
        ],
    );
}

#[test]
fn and_or_not_and_parentheses() {
    check(
        REFERENCE,
        &[
            (
                "MyInt=1 OR MyBool=true AND MyDouble=2",
                "(MyInt Eq 1 | (MyBool Eq true & MyDouble Eq 2))",
            ),
            (
                "(MyInt=1 OR MyBool=true) AND MyDouble=2",
                "((MyInt Eq 1 | MyBool Eq true) & MyDouble Eq 2)",
            ),
            (
                "MyInt=1 && MyBool=true || MyDouble=2",
                "((MyInt Eq 1 & MyBool Eq true) | MyDouble Eq 2)",
            ),
            (
                "NOT MyInt=1 AND MyBool=true",
                "(!MyInt Eq 1 & MyBool Eq true)",
            ),
            (
                "NOT (MyInt=1 AND MyBool=true)",
                "!(MyInt Eq 1 & MyBool Eq true)",
            ),
            ("NOT NOT MyInt=1", "!!MyInt Eq 1"),
            ("((((MyInt=1))))", "MyInt Eq 1"),
            (
                "MyInt=1 AND (MyBool=true AND MyDouble=2)",
                "(MyInt Eq 1 & MyBool Eq true & MyDouble Eq 2)",
            ),
            // Alternatives of one field become one list.
            (
                "MyInt=1 OR MyBool=true OR MyInt=2 OR (MyInt IN (3,4) OR MyInt>5)",
                "(MyInt In [1 2 3 4] | MyBool Eq true | MyInt Gt 5)",
            ),
            (
                "WorkflowId='a' OR WorkflowId='b'",
                r#"WorkflowId In ["a" "b"]"#,
            ),
        ],
    );
}

#[test]
fn fractions_and_fields_of_integers() {
    check(
        REFERENCE,
        &[
            ("MyInt = 5e3", "MyInt Eq 5000"),
            ("MyInt = 5.5", "MyInt In []"),
            ("MyInt != 5.5", "!MyInt In []"),
            ("MyInt < 5.5", "MyInt Le 5"),
            ("MyInt <= -5.5", "MyInt Le -6"),
            ("MyInt > 5.5", "MyInt Gt 5"),
            ("HistoryLength >= 5.5", "HistoryLength Gt 5"),
            ("MyInt < 99999999999999999999", "!MyInt In []"),
            ("MyInt > 99999999999999999999", "MyInt In []"),
            ("MyInt >= -99999999999999999999", "!MyInt In []"),
            ("MyInt <= -99999999999999999999", "MyInt In []"),
            ("MyInt IN (1, 2.5, 3.0)", "MyInt In [1 3]"),
            ("MyInt BETWEEN 1.5 AND 3", "(MyInt Gt 1 & MyInt Le 3)"),
            ("MyInt NOT BETWEEN 1 AND 3.5", "!(MyInt Ge 1 & MyInt Le 3)"),
            ("MyDouble BETWEEN 1 AND 3.5", "MyDouble 1..3.5"),
        ],
    );
}

#[test]
fn texts_and_lists() {
    check(
        REFERENCE,
        &[
            ("MyText = 'HELLO  zzz'", r#"MyText words ["HELLO", "zzz"]"#),
            ("MyText != 'a'", r#"(MyText null | !MyText words ["a"])"#),
            (
                "NOT MyText = 'a'",
                r#"!(!MyText null & MyText words ["a"])"#,
            ),
            ("MyKeywordList = 'a b'", r#"MyKeywordList has ["a b"]"#),
            (
                "MyKeywordList IN ('a', 'b')",
                r#"MyKeywordList has ["a", "b"]"#,
            ),
            (
                "MyKeywordList NOT IN ('a', 'b')",
                r#"(MyKeywordList null | !MyKeywordList has ["a", "b"])"#,
            ),
            (
                "NOT (MyKeywordList = 'a' AND MyInt = 1)",
                r#"!(!MyKeywordList null & MyKeywordList has ["a"] & MyInt Eq 1)"#,
            ),
            (
                "BuildIds = 'unversioned'",
                r#"BuildIds has ["unversioned"]"#,
            ),
        ],
    );
}

#[test]
fn statuses_and_durations() {
    let hour = 3_600_000_000_000_i64;
    check(
        REFERENCE,
        &[
            ("ExecutionStatus = 'Running'", "ExecutionStatus Eq 1"),
            (
                "ExecutionStatus = \"WORKFLOW_EXECUTION_STATUS_TIMED_OUT\"",
                "ExecutionStatus Eq 7",
            ),
            ("ExecutionStatus != 8", "ExecutionStatus Ne 8"),
            (
                "ExecutionStatus IN ('Failed', 'ContinuedAsNew')",
                "ExecutionStatus In [3 6]",
            ),
            (
                "ExecutionStatus = 'Running' OR ExecutionStatus = 'Paused'",
                "ExecutionStatus In [1 8]",
            ),
            ("ExecutionDuration > 1000", "ExecutionDuration Gt 1000"),
            ("ExecutionDuration > '1000'", "ExecutionDuration Gt 1000"),
            (
                "ExecutionDuration > '1h'",
                &format!("ExecutionDuration Gt {hour}"),
            ),
            (
                "ExecutionDuration > '1.5d'",
                &format!("ExecutionDuration Gt {}", 36 * hour),
            ),
            (
                "ExecutionDuration > '10:00:01'",
                &format!("ExecutionDuration Gt {}", 10 * hour + 1_000_000_000),
            ),
        ],
    );
}

#[test]
fn what_names_refer_to() {
    let prefixed = |name: &str| match name {
        "Temporal Mine" | "ScheduleId" => Some(SearchAttributeType::Int),
        _ => None,
    };
    let field = |query: &str, attributes: &dyn Fn(&str) -> Option<SearchAttributeType>| {
        let query = parse(query, attributes, REFERENCE).unwrap();
        match query.filter {
            Expr::IsNull(field) => field,
            other => panic!("{other:?}"),
        }
    };
    let none = |_: &str| None;
    let attribute = |name: &str, kind| Field::Attribute(name.into(), kind);
    let cases = [
        ("ScheduleId", Field::System(SystemField::WorkflowId)),
        ("TemporalScheduleId", Field::System(SystemField::WorkflowId)),
        ("TemporalRunId", Field::System(SystemField::RunId)),
        (
            "ScheduledById",
            attribute("TemporalScheduledById", SearchAttributeType::Keyword),
        ),
        (
            "TemporalBatcherUser",
            attribute("BatcherUser", SearchAttributeType::Keyword),
        ),
        (
            "TemporalPauseInfo",
            attribute("TemporalPauseInfo", SearchAttributeType::KeywordList),
        ),
    ];
    for (name, expected) in cases {
        assert_eq!(field(&format!("{name} IS NULL"), &none), expected);
    }
    // A custom attribute goes before an alias, and may have any name in backticks.
    let mine = field("`Temporal Mine` IS NULL", &prefixed);
    assert_eq!(mine, attribute("Temporal Mine", SearchAttributeType::Int));
    let schedule = field("ScheduleId IS NULL", &prefixed);
    assert_eq!(schedule, attribute("ScheduleId", SearchAttributeType::Int));
    // But not before one of the system.
    let all = |_: &str| Some(SearchAttributeType::Bool);
    assert_eq!(
        field("RunId IS NULL", &all),
        Field::System(SystemField::RunId)
    );
    for word in ["order", "select", "limit"] {
        let quoted = field(&format!("`{word}` IS NULL"), &all);
        assert_eq!(quoted, attribute(word, SearchAttributeType::Bool));
    }
    for word in [
        "Date", "Interval", "Position", "Case", "Exists", "Time", "Left",
    ] {
        let bare = field(&format!("{word} IS NULL"), &all);
        assert_eq!(bare, attribute(word, SearchAttributeType::Bool));
    }
    let dotted = field("My.Own IS NULL", &all);
    assert_eq!(dotted, attribute("My.Own", SearchAttributeType::Bool));
}

#[test]
fn system_fields_have_their_attributes_types() {
    for (name, kind) in crate::search_attributes::system_attributes() {
        let query = parse(&format!("{name} IS NULL"), &custom, REFERENCE).unwrap();
        let Expr::IsNull(field) = query.filter else {
            panic!("{name}")
        };
        assert_eq!((field.name(), field.kind()), (name, kind));
        let is_row = crate::search_attributes::system(name).unwrap().1
            == crate::search_attributes::Origin::Row;
        let is_column = matches!(field, Field::System(_));
        assert_eq!(
            is_column,
            is_row || name == "TemporalNamespaceDivision",
            "{name}"
        );
    }
}
