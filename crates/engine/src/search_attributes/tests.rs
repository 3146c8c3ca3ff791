use std::collections::BTreeMap;

use proto::temporal::api::common::v1::{Payload, SearchAttributes};

use super::value::{go_float, parse_datetime};
use super::*;

fn custom(name: &str) -> Option<SearchAttributeType> {
    SearchAttributeType::from_name(name.strip_prefix("My")?)
}

fn payload(encoding: &str, data: &str) -> Payload {
    Payload {
        metadata: [("encoding".to_owned(), encoding.to_owned().into())].into(),
        data: data.to_owned().into(),
        ..Payload::default()
    }
}

fn json(data: &str) -> Payload {
    payload("json/plain", data)
}

fn attributes<const N: usize>(fields: [(&str, Payload); N]) -> SearchAttributes {
    SearchAttributes {
        indexed_fields: fields.map(|(name, p)| (name.to_owned(), p)).into(),
    }
}

fn check(name: &str, data: &str) -> String {
    let result = validate(
        &attributes([(name, json(data))]),
        "default",
        &custom,
        Limits::default(),
    );
    result.map_or_else(|error| error.to_string(), |()| String::new())
}

#[test]
fn types_have_three_names() {
    for kind in SearchAttributeType::ALL {
        assert_eq!(
            SearchAttributeType::from_wire(kind.to_wire() as i32),
            Some(kind)
        );
        assert_eq!(SearchAttributeType::from_name(kind.name()), Some(kind));
        assert_eq!(
            SearchAttributeType::from_name(kind.to_wire().as_str_name()),
            Some(kind)
        );
    }
    assert_eq!(SearchAttributeType::from_wire(0), None);
    assert_eq!(SearchAttributeType::from_wire(99), None);
    assert_eq!(SearchAttributeType::from_name("keyword"), None);
}

#[test]
fn system_attributes_by_type() {
    let mut names: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
    for (name, kind) in system_attributes() {
        assert_eq!(system(name).unwrap().0, kind, "the table is sorted");
        names.entry(kind.name()).or_default().push(name);
    }
    let counts: Vec<_> = names
        .iter()
        .map(|(kind, names)| (*kind, names.len()))
        .collect();
    assert_eq!(
        counts,
        [
            ("Bool", 1),
            ("Datetime", 4),
            ("Int", 6),
            ("Keyword", 16),
            ("KeywordList", 6)
        ]
    );
    assert_eq!(system("Nope"), None);
}

#[test]
fn definitions() {
    let refused = |name, kind| check_definition(name, kind).unwrap_err().to_string();
    assert_eq!(
        check_definition("Mine", 2),
        Ok(SearchAttributeType::Keyword)
    );
    for name in ["WorkflowId", "BuildIds", "NamespaceId", "TemporalAnything"] {
        assert_eq!(
            refused(name, 2),
            format!("Search attribute {name} is reserved by system.")
        );
    }
    assert_eq!(refused("Mine", 99), "Unknown search attribute type: 99.");
    assert_eq!(refused("Mine", 0), "Unknown search attribute type: 0.");
}

#[test]
fn who_may_set_what() {
    let unknown = "Namespace default has no mapping defined for search attribute";
    for name in ["Nope", "NamespaceId", "Memo", "TemporalFoo", "ScheduleId"] {
        assert_eq!(check(name, r#""x""#), format!("{unknown} {name}"));
    }
    let not_settable = [
        "ExecutionStatus",
        "WorkflowId",
        "HistoryLength",
        "TemporalWorkerDeployment",
        "TemporalWorkerDeploymentVersion",
        "TemporalWorkflowVersioningBehavior",
        "TemporalUsedWorkerDeploymentVersions",
        "TemporalExternalPayloadCount",
        "TemporalExternalPayloadSizeBytes",
    ];
    for name in not_settable {
        let text = format!("{name} attribute can't be set in SearchAttributes");
        assert_eq!(check(name, "5"), text);
    }
    let settable = [
        ("TemporalChangeVersion", r#"["a"]"#),
        ("BinaryChecksums", r#"["a"]"#),
        ("BuildIds", r#"["a"]"#),
        ("BatcherNamespace", r#""x""#),
        ("BatcherUser", r#""x""#),
        ("TemporalScheduledStartTime", r#""2026-01-01T00:00:00Z""#),
        ("TemporalScheduledById", r#""x""#),
        ("TemporalSchedulePaused", "true"),
        ("TemporalNamespaceDivision", r#""x""#),
        ("TemporalPauseInfo", r#"["x"]"#),
        ("TemporalReportedProblems", r#"["x"]"#),
    ];
    for (name, data) in settable {
        assert_eq!(check(name, data), "", "{name}");
    }
}

#[test]
fn values_of_the_wrong_type() {
    // Attribute, JSON, and the value as the message prints it; empty where it is accepted. All as
    // observed on the reference.
    let cases = [
        ("MyInt", r#""x""#, "x"),
        ("MyInt", "5.5", "5.5"),
        ("MyInt", "[5]", ""),
        ("MyInt", "[]", ""),
        ("MyInt", "null", ""),
        ("MyInt", "[5,6]", "[5 6]"),
        ("MyInt", r#"["5"]"#, "[5]"),
        ("MyInt", "[[5]]", "[[5]]"),
        ("MyInt", "true", "true"),
        ("MyInt", r#"{"b":[],"a":1}"#, "map[a:1 b:[]]"),
        ("MyInt", "99999999999999999999", "1e+20"),
        ("MyKeyword", "12345678", "1.2345678e+07"),
        ("MyKeyword", "1000000", "1e+06"),
        ("MyKeyword", "0.00001", "1e-05"),
        ("MyKeyword", "123456", "123456"),
        ("MyKeyword", "1e21", "1e+21"),
        ("MyKeyword", r#"["a"]"#, ""),
        ("MyKeyword", r#"["a","b"]"#, "[a b]"),
        ("MyKeyword", "[null]", ""),
        ("MyKeyword", r#"[1,"b",null,true]"#, "[1 b <nil> true]"),
        ("MyText", r#""x y""#, ""),
        ("MyText", "5", "5"),
        ("MyBool", r#""true""#, "true"),
        ("MyBool", "1", "1"),
        ("MyBool", "[true]", ""),
        ("MyDouble", r#""x""#, "x"),
        ("MyDouble", "5", ""),
        ("MyDouble", "[1.5,2]", "[1.5 2]"),
        ("MyDatetime", "5", "5"),
        ("MyDatetime", r#""2026-01-01""#, "2026-01-01"),
        ("MyDatetime", r#""2026-01-01T00:00:00Z""#, ""),
        ("MyDatetime", r#"["2026-01-01T00:00:00.1+01:00"]"#, ""),
        (
            "MyDatetime",
            r#""2026-01-01T24:00:00Z""#,
            "2026-01-01T24:00:00Z",
        ),
        (
            "MyDatetime",
            r#""2026-01-01t00:00:00z""#,
            "2026-01-01t00:00:00z",
        ),
        ("MyKeywordList", r#""a""#, "a"),
        ("MyKeywordList", r#"["a","b"]"#, ""),
        ("MyKeywordList", "[]", ""),
        ("MyKeywordList", "[1]", "[1]"),
        ("MyKeywordList", "5", "5"),
        ("MyKeywordList", "null", ""),
        ("MyKeywordList", "[null]", ""),
        ("MyKeywordList", r#"[["a"]]"#, ""),
        ("MyKeywordList", r#"[["a"],["b"]]"#, "[[a] [b]]"),
        ("TemporalSchedulePaused", "5", "5"),
    ];
    for (name, data, value) in cases {
        let kind = system(name)
            .map(|(kind, _)| kind)
            .or_else(|| custom(name))
            .unwrap()
            .name();
        let expected = match value {
            "" => String::new(),
            _ => format!("invalid value for search attribute {name} of type {kind}: {value}"),
        };
        assert_eq!(check(name, data), expected, "{name} {data}");
    }
}

#[test]
fn sizes_and_counts() {
    let limits = Limits::default();
    let long = "a".repeat(2100);
    assert_eq!(
        check("MyKeyword", &format!("{long:?}")),
        "search attribute MyKeyword value size 2102 exceeds size limit 2048"
    );
    let name = |index: usize| format!("My{index}");
    let many = |count: usize, data: &str| SearchAttributes {
        indexed_fields: (0..count).map(|index| (name(index), json(data))).collect(),
    };
    let keywords = |_: &str| Some(SearchAttributeType::Keyword);
    let text = |attributes: &SearchAttributes| {
        validate(attributes, "default", &keywords, limits)
            .map_or_else(|error| error.to_string(), |()| String::new())
    };
    assert_eq!(text(&many(100, "null")), "");
    assert_eq!(
        text(&many(101, "null")),
        "number of search attributes 101 exceeds limit 100"
    );
    let large = many(21, &format!("{:?}", "a".repeat(2000)));
    let size = large.encoded_len();
    assert_eq!(
        text(&large),
        format!("total size of search attributes {size} exceeds size limit 40960")
    );
}

#[test]
fn decoded_values() {
    let cases = [
        (
            json(r#""a""#),
            SearchAttributeType::Keyword,
            Value::Keyword("a".to_owned()),
        ),
        (
            json(r#"["a"]"#),
            SearchAttributeType::Text,
            Value::Text("a".to_owned()),
        ),
        (json("-7"), SearchAttributeType::Int, Value::Int(-7)),
        (json("7"), SearchAttributeType::Double, Value::Double(7.0)),
        (json("true"), SearchAttributeType::Bool, Value::Bool(true)),
        (
            json(r#""1970-01-01T00:00:01.5+00:00""#),
            SearchAttributeType::Datetime,
            Value::Datetime(1_500_000_000),
        ),
        (
            json(r#"["b", "a"]"#),
            SearchAttributeType::KeywordList,
            Value::KeywordList(vec!["b".to_owned(), "a".to_owned()]),
        ),
    ];
    for (payload, kind, value) in cases {
        assert_eq!(decode(&payload, kind), Ok(Some(value.clone())));
        let stored = value.to_payload();
        assert_eq!(decode(&stored, kind), Ok(Some(value)), "{stored:?}");
        assert_eq!(stored.metadata["type"], kind.name().as_bytes());
        assert_eq!(stored.metadata["encoding"], "json/plain");
    }
    let none = payload("binary/null", "");
    assert_eq!(decode(&none, SearchAttributeType::Int), Ok(None));
    let binary = decode(&payload("binary/plain", "x"), SearchAttributeType::Keyword).unwrap_err();
    assert_eq!(
        binary.0,
        r#"value from <metadata:{key:"encoding" value:"binary/plain"} data:"x">"#
    );
    assert!(decode(&Payload::default(), SearchAttributeType::Keyword).is_err());
}

#[test]
fn what_is_stored() {
    let given = attributes([
        ("MyInt", json("[5]")),
        ("MyKeyword", json(" null ")),
        ("MyKeywordList", json("[]")),
        ("BuildIds", json(r#"["a"]"#)),
        ("MyText", payload("binary/null", "")),
    ]);
    let started = normalise(&given, &custom);
    let shown: Vec<_> = started
        .indexed_fields
        .iter()
        .map(|(name, p)| (name.as_str(), &p.data[..], &p.metadata["type"][..]))
        .collect();
    assert_eq!(
        shown,
        [
            ("BuildIds", &br#"["a"]"#[..], &b"KeywordList"[..]),
            ("MyInt", &b"[5]"[..], &b"Int"[..]),
        ],
        "values as they came, with their type, without the empty ones"
    );
    let upserted = with_types(&given, &custom);
    assert_eq!(upserted.indexed_fields.len(), 5);
    assert_eq!(
        upserted.indexed_fields["MyKeyword"].metadata["type"],
        "Keyword"
    );
}

#[test]
fn upserts_replace_and_delete() {
    let mut current = attributes([("A", json("1")), ("B", json("2")), ("C", json("3"))]);
    let changes = attributes([
        ("A", json("9")),
        ("B", json("null")),
        ("C", json("[]")),
        ("D", json("4")),
    ]);
    upsert(&mut current.indexed_fields, &changes);
    assert_eq!(current, attributes([("A", json("9")), ("D", json("4"))]));
}

#[test]
fn datetimes() {
    let second = 1_000_000_000;
    let cases = [
        ("1970-01-01T00:00:00Z", Some(0)),
        ("1969-12-31T23:59:59Z", Some(-second)),
        ("2026-01-01T00:00:00Z", Some(1_767_225_600 * second)),
        (
            "2026-01-01T02:00:00.123456789+02:00",
            Some(1_767_225_600 * second + 123_456_789),
        ),
        ("2025-12-31T18:30:00-05:30", Some(1_767_225_600 * second)),
        (
            "2026-01-01T00:00:00.1234567899Z",
            Some(1_767_225_600 * second + 123_456_789),
        ),
        ("2024-02-29T00:00:00Z", Some(1_709_164_800 * second)),
        ("9999-12-31T23:59:59Z", Some(i64::MAX)),
        ("0001-01-01T00:00:00Z", Some(i64::MIN)),
        ("2025-02-29T00:00:00Z", None),
        ("2026-01-01T00:00:60Z", None),
        ("2026-01-01T24:00:00Z", None),
        ("2026-01-01T00:00:00", None),
        ("2026-01-01 00:00:00Z", None),
        ("2026-01-01t00:00:00z", None),
        ("2026-1-01T00:00:00Z", None),
        ("2026-01-01T00:00:00.Z", None),
        ("2026-01-01T00:00:00+0100", None),
        ("2026-01-01T00:00:00+01:60", None),
        ("2026-01-01T00:00:00Zx", None),
        ("2026-01-01T00:00Z", None),
        ("2026-01-01", None),
        ("éééééééééééé", None),
        ("", None),
    ];
    for (text, expected) in cases {
        assert_eq!(parse_datetime(text), expected, "{text}");
    }
}

#[test]
fn numbers_as_go_prints_them() {
    let cases = [
        (5.0, "5"),
        (5.5, "5.5"),
        (-0.5, "-0.5"),
        (0.0001, "0.0001"),
        (0.00001, "1e-05"),
        (123_456.0, "123456"),
        (999_999.5, "999999.5"),
        (1_234_567.0, "1.234567e+06"),
        (1e100, "1e+100"),
        (f64::INFINITY, "+Inf"),
        (f64::NAN, "NaN"),
    ];
    for (number, expected) in cases {
        assert_eq!(go_float(number), expected);
    }
}
