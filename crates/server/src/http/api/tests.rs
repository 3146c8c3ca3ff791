use axum::http::{HeaderMap, Method};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use prost_reflect::MessageDescriptor;
use serde_json::{Value, json};

use super::definition::{Definition, Found};
use super::fields;
use super::format::Format;
use super::*;

fn definition() -> &'static Definition {
    Definition::get().unwrap()
}

fn message(name: &str) -> MessageDescriptor {
    let name = format!("temporal.api.{name}");
    definition().pool.get_message_by_name(&name).unwrap()
}

/// The RPC and the parameters of a request, as text.
fn found(verb: Method, path: &str) -> String {
    match definition().find(&verb, path) {
        Found::Nothing => "nothing".into(),
        Found::OtherMethod => "other method".into(),
        Found::Route(route, values) => {
            let values: Vec<_> = values
                .into_iter()
                .map(|(path, value)| format!(" {}={value}", definition::json_name(path)))
                .collect();
            format!("{}{}", route.method.name(), values.concat())
        }
    }
}

#[test]
fn paths_lead_to_rpcs() {
    for prefix in ["", "/api/v1"] {
        let get = |path: &str| found(Method::GET, &format!("{prefix}{path}"));
        let post = |path: &str| found(Method::POST, &format!("{prefix}{path}"));
        assert_eq!(
            get("/namespaces/n/workflows/w"),
            "DescribeWorkflowExecution namespace=n execution.workflowId=w"
        );
        assert_eq!(
            post("/namespaces/n/workflows/a%2Fb"),
            "StartWorkflowExecution namespace=n workflowId=a/b"
        );
        assert_eq!(
            post("/namespaces/n/workflows/w/signal/s+t"),
            "SignalWorkflowExecution namespace=n workflowExecution.workflowId=w signalName=s+t"
        );
        assert_eq!(
            post("/namespaces/n/workflows/w/activities/a/complete"),
            "RespondActivityTaskCompletedById namespace=n workflowId=w activityId=a"
        );
        assert_eq!(get("/namespaces/n/workflows/w/signal/s"), "other method");
        assert_eq!(get("/namespaces/n/workflows/"), "nothing");
        assert_eq!(get("/namespaces/n/workflows/w/"), "nothing");
    }
    assert_eq!(found(Method::GET, "/api/v1/cluster-info"), "GetClusterInfo");
    assert_eq!(found(Method::GET, "/cluster"), "GetClusterInfo");
    assert_eq!(found(Method::GET, "/"), "nothing");
}

#[test]
fn no_two_rpcs_share_a_path() {
    let mut seen = std::collections::HashMap::new();
    for route in &definition().routes {
        // A literal against a field in the same place would be a matter of order.
        let shape: Vec<_> = route
            .template()
            .split('/')
            .map(|part| if part.starts_with('{') { "*" } else { part }.to_owned())
            .collect();
        let before = seen.insert((route.verb.clone(), shape), route.method.name().to_owned());
        assert_eq!(before, None, "{}", route.template());
    }
    assert!(seen.len() > 200, "{}", seen.len());
}

fn query(text: &str) -> Result<Value, String> {
    let input = message("workflowservice.v1.GetWorkflowExecutionHistoryRequest");
    let in_path = [fields::find(&input, "namespace").unwrap()];
    let message = fields::from_query(&input, text, &in_path)?;
    Ok(serde_json::to_value(message).unwrap())
}

#[test]
fn query_parameters_are_fields() {
    let expected = json!({
        "execution": {"runId": "r s"},
        "maximumPageSize": 7,
        "nextPageToken": "AAE=",
        "waitNewEvent": true,
        "historyEventFilterType": "HISTORY_EVENT_FILTER_TYPE_CLOSE_EVENT",
    });
    for text in [
        "execution.runId=r+s&maximumPageSize=7&nextPageToken=AAE%3D&waitNewEvent=true\
         &historyEventFilterType=HISTORY_EVENT_FILTER_TYPE_CLOSE_EVENT",
        "execution.run_id=r%20s&maximum_page_size=7&nextPageToken=AAE&waitNewEvent=1\
         &historyEventFilterType=CloseEvent&namespace=other&pretty&unknown=1",
    ] {
        assert_eq!(query(text).unwrap(), expected);
    }
    for (text, wrong) in [
        ("maximumPageSize=x", "maximum_page_size"),
        ("waitNewEvent=maybe", "wait_new_event"),
        ("nextPageToken=%25", "next_page_token"),
        ("historyEventFilterType=No", "history_event_filter_type"),
        ("maximumPageSize=1&maximumPageSize=2", "too many values"),
    ] {
        assert!(query(text).unwrap_err().contains(wrong), "{text}");
    }
}

#[test]
fn times_and_lists_may_stand_in_a_query() {
    let input = message("workflowservice.v1.ListScheduleMatchingTimesRequest");
    let text = "startTime=2026-01-02T03:04:05Z";
    let message = fields::from_query(&input, text, &[]).unwrap();
    let expected = json!({"startTime": "2026-01-02T03:04:05Z"});
    assert_eq!(serde_json::to_value(message).unwrap(), expected);
}

fn read(value: &Value, shorthand: bool) -> Result<Value, String> {
    let input = message("workflowservice.v1.StartWorkflowExecutionRequest");
    let message = json::read(value.to_string().as_bytes(), &input, shorthand)?;
    Ok(serde_json::to_value(message).unwrap())
}

#[test]
fn what_follows_a_message_is_nobodys() {
    let input = message("workflowservice.v1.StartWorkflowExecutionRequest");
    let read = |text: &str| json::read(text.as_bytes(), &input, true);
    assert_eq!(read("{} {").unwrap(), read("").unwrap());
    for text in ["null", "[]", "{", "x", "1"] {
        assert!(read(text).is_err(), "{text}");
    }
}

fn plain(data: &str) -> Value {
    json!({"metadata": {"encoding": "anNvbi9wbGFpbg=="}, "data": data})
}

#[test]
fn payloads_are_read_in_both_forms() {
    let binary = json!({"metadata": {"encoding": "YmluYXJ5L3BsYWlu"}, "data": "AAEC"});
    let void = json!({"metadata": {"encoding": "YmluYXJ5L251bGw="}});
    let given = json!({
        "input": [1, null, {"b": [], "a": null}, {"_protoMessageType": "x.Y", "z": 2}, binary],
        "memo": {"fields": {"short": "x", "long": plain("MQ==")}},
        "workflowIdConflictPolicy": "UseExisting",
    });
    let message = json!({
        "metadata": {"encoding": "anNvbi9wcm90b2J1Zg==", "messageType": "eC5Z"},
        "data": "eyJ6IjoyfQ==",
    });
    let read_back = read(&given, true).unwrap();
    let expected = [
        plain("MQ=="),
        void,
        plain("eyJhIjpudWxsLCJiIjpbXX0="),
        message,
        binary,
    ];
    assert_eq!(read_back["input"]["payloads"], json!(expected));
    assert_eq!(read_back["memo"]["fields"]["short"], plain("Ingi"));
    assert_eq!(read_back["memo"]["fields"]["long"], plain("MQ=="));
    let policy = "WORKFLOW_ID_CONFLICT_POLICY_USE_EXISTING";
    assert_eq!(read_back["workflowIdConflictPolicy"], policy);
    assert!(read(&given, false).is_err());
    assert!(read(&json!({"input": [{"_protoMessageType": 1}]}), true).is_err());
    assert!(read(&json!({"unknown": 1}), true).is_err());
}

fn written(input: &Value, shorthand: bool) -> Value {
    let attributes = message("history.v1.WorkflowExecutionStartedEventAttributes");
    let text = json!({"input": {"payloads": input}}).to_string();
    let message = json::read(text.as_bytes(), &attributes, false).unwrap();
    let format = Format {
        shorthand,
        ..Format::default()
    };
    let text = json::write(&message, format).unwrap();
    serde_json::from_slice::<Value>(&text).unwrap()["input"].clone()
}

#[test]
fn payloads_are_written_short_if_that_loses_nothing() {
    let void = json!({"metadata": {"encoding": "YmluYXJ5L251bGw="}});
    let binary = json!({"metadata": {"encoding": "YmluYXJ5L3BsYWlu"}, "data": "AAEC"});
    let with_more = json!({
        "metadata": {"encoding": "anNvbi9wbGFpbg==", "more": "AA=="}, "data": "MQ=="
    });
    let broken = plain("ew==");
    let empty_list = plain("W10=");
    let input = json!([plain("MQ=="), void, empty_list]);
    assert_eq!(written(&input, true), json!([1, void, []]));
    assert_eq!(written(&input, false), json!({"payloads": input}));
    for odd in [binary, with_more, broken] {
        let input = json!([plain("MQ=="), odd]);
        assert_eq!(written(&input, true), json!({"payloads": [1, odd]}));
    }
    assert_eq!(written(&json!([plain("bnVsbA==")]), true), json!([void]));
}

#[test]
fn what_a_payload_holds_is_shown_as_it_is() {
    let attributes = message("history.v1.WorkflowExecutionStartedEventAttributes");
    let big = json!({"metadata": {"encoding": "anNvbi9wbGFpbg=="},
        "data": STANDARD.encode(r#"{"z": 123456789012345678901, "a": "\" }{", "e": []}"#)});
    let typed = json!({"metadata": {"encoding": "anNvbi9wcm90b2J1Zg==", "messageType": "eC5Z"},
        "data": "e30="});
    let text = json!({"input": {"payloads": [big, typed]}, "attempt": 2}).to_string();
    let message = json::read(text.as_bytes(), &attributes, true).unwrap();
    let write = |format| String::from_utf8(json::write(&message, format).unwrap()).unwrap();
    assert_eq!(
        write(Format::default()),
        r#"{"input":[{"z":123456789012345678901,"a":"\" }{","e":[]},{"_protoMessageType":"x.Y"}],"attempt":2}"#
    );
    let pretty = Format {
        pretty: true,
        ..Format::default()
    };
    assert_eq!(
        write(pretty).lines().take(4).collect::<Vec<_>>(),
        [
            "{",
            "  \"input\": [",
            "    {",
            "      \"z\": 123456789012345678901,"
        ]
    );
}

#[test]
fn errors_carry_their_details() {
    let error = WireError::not_found("gone");
    let text = json::write_error(&error, Format::default()).unwrap();
    let expected = r#"{"code":5,"message":"gone","details":[{"@type":"type.googleapis.com/temporal.api.errordetails.v1.NotFoundFailure"}]}"#;
    assert_eq!(String::from_utf8(text).unwrap(), expected);
}

#[test]
fn the_form_of_the_answer_is_asked_for_in_two_ways() {
    let form = |uri: &str, accept: &str, content_type: &str| {
        let mut request = Request::builder().uri(uri);
        for (name, value) in [("accept", accept), ("content-type", content_type)] {
            if !value.is_empty() {
                request = request.header(name, value);
            }
        }
        Format::of(&request.body(()).unwrap()).1.content_type
    };
    assert_eq!(form("/", "", ""), "*");
    assert_eq!(form("/", "application/json", ""), "*");
    assert_eq!(form("/?pretty", "", ""), "application/json+pretty");
    let both = "application/json+pretty+no-payload-shorthand";
    assert_eq!(form("/?noPayloadShorthand&a=1&pretty=", "", ""), both);
    let long = "application/json+no-payload-shorthand";
    assert_eq!(form("/", long, ""), long);
    assert_eq!(form("/", "", long), long);
    assert_eq!(form("/", "*", long), "*");
}

#[test]
fn headers_are_forwarded() {
    let mut given = HeaderMap::new();
    given.insert("grpc-metadata-x", "1".parse().unwrap());
    given.insert("authorization", "Bearer t".parse().unwrap());
    given.insert("cookie", "c".parse().unwrap());
    let forwarded = headers::forwarded(&given);
    assert_eq!(forwarded["x"], "1");
    assert_eq!(forwarded["authorization"], "Bearer t");
    assert_eq!(forwarded["client-name"], "temporal-server-http");
    assert!(!forwarded.contains_key("cookie"));
}

#[test]
fn the_documents_name_every_path() {
    let v2: Value = serde_json::from_str(&openapi::v2(definition())).unwrap();
    let v3 = openapi::v3(definition());
    for route in &definition().routes {
        let path = route.template();
        let verb = route.verb.as_str().to_ascii_lowercase();
        assert!(v2["paths"][&path][&verb].is_object(), "{path}");
        assert!(v3.contains(&format!("  \"{path}\":\n")), "{path}");
    }
    // Whatever is referred to is there.
    let text = v2.to_string();
    for reference in text.split("\"$ref\":\"#/definitions/").skip(1) {
        let name = reference.split('"').next().unwrap();
        assert!(v2["definitions"][name].is_object(), "{name}");
    }
}
