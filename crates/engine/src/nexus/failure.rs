//! Failures: those of the Nexus protocol, those of the API, and which of them are final (behaviour,
//! section 10.3).

use proto::temporal::api::common::v1::{Payload, Payloads};
use proto::temporal::api::enums::v1::NexusHandlerErrorRetryBehavior as Behavior;
use proto::temporal::api::failure::v1::failure::FailureInfo;
use proto::temporal::api::failure::v1::{
    ApplicationFailureInfo, CanceledFailureInfo, Failure, NexusHandlerFailureInfo,
};
use proto::temporal::api::nexus::v1::{Failure as NexusFailure, HandlerError};
use serde_json::{Map, Value, json};

/// The type of a protocol failure that carries one of the API.
pub const API_FAILURE: &str = "temporal.api.failure.v1.Failure";
/// The type of a protocol failure that is a handler's error.
pub const HANDLER_ERROR: &str = "nexus.HandlerError";
/// The type of a protocol failure that is an operation's.
pub const OPERATION_ERROR: &str = "nexus.OperationError";

/// Reads a failure of the API from its JSON, for those who can.
pub type ReadJson<'a> = &'a dyn Fn(&[u8]) -> Option<Failure>;

/// Whether a request that a handler refused so may be made again.
pub fn is_retryable(error_type: &str, behavior: i32) -> bool {
    match Behavior::try_from(behavior).unwrap_or_default() {
        Behavior::Retryable => true,
        Behavior::NonRetryable => false,
        Behavior::Unspecified => !matches!(
            error_type,
            "BAD_REQUEST"
                | "UNAUTHENTICATED"
                | "UNAUTHORIZED"
                | "NOT_FOUND"
                | "CONFLICT"
                | "NOT_IMPLEMENTED"
        ),
    }
}

/// A handler's error of the server's own making.
pub fn handler_failure(error_type: &str, message: &str) -> Failure {
    Failure {
        message: message.to_owned(),
        failure_info: Some(handler_info(error_type, 0)),
        ..Failure::default()
    }
}

fn handler_info(error_type: &str, retry_behavior: i32) -> FailureInfo {
    FailureInfo::NexusHandlerFailureInfo(NexusHandlerFailureInfo {
        r#type: error_type.to_owned(),
        retry_behavior,
    })
}

/// A handler's error as older workers send it.
pub fn from_handler_error(error: &HandlerError, read_json: ReadJson<'_>) -> Failure {
    let cause = error.failure.as_ref();
    Failure {
        failure_info: Some(handler_info(&error.error_type, error.retry_behavior)),
        cause: cause.map(|cause| Box::new(from_nexus(cause, read_json))),
        ..Failure::default()
    }
}

/// The cause of an operation's end as the caller sees it: one that was cancelled has a failure that says so.
pub fn operation_cause(failure: Failure, canceled: bool) -> Failure {
    if !canceled
        || matches!(
            failure.failure_info,
            Some(FailureInfo::CanceledFailureInfo(_))
        )
    {
        return failure;
    }
    Failure {
        message: failure.message,
        stack_trace: failure.stack_trace,
        cause: failure.cause,
        failure_info: Some(canceled_info()),
        ..Failure::default()
    }
}

fn canceled_info() -> FailureInfo {
    FailureInfo::CanceledFailureInfo(CanceledFailureInfo::default())
}

/// A failure of the protocol as one of the API.
pub fn from_nexus(failure: &NexusFailure, read_json: ReadJson<'_>) -> Failure {
    let kind = failure.metadata.get("type").map_or("", String::as_str);
    let details = || serde_json::from_slice(&failure.details).unwrap_or(Value::Null);
    let mut found = Failure::default();
    match kind {
        API_FAILURE => match read_json(&failure.details) {
            Some(read) => found = read,
            None => found.failure_info = Some(unknown(failure)),
        },
        OPERATION_ERROR => {
            let canceled = details()["state"] == "canceled";
            found.failure_info = Some(if canceled {
                canceled_info()
            } else {
                FailureInfo::ApplicationFailureInfo(ApplicationFailureInfo {
                    r#type: "OperationError".to_owned(),
                    non_retryable: true,
                    ..ApplicationFailureInfo::default()
                })
            });
        }
        HANDLER_ERROR => {
            let details = details();
            let behavior = match details["retryableOverride"].as_bool() {
                None => Behavior::Unspecified,
                Some(true) => Behavior::Retryable,
                Some(false) => Behavior::NonRetryable,
            };
            let error_type = details["type"].as_str().unwrap_or_default();
            found.failure_info = Some(handler_info(error_type, behavior.into()));
        }
        _ if !failure.metadata.is_empty() || !failure.details.is_empty() => {
            found.failure_info = Some(unknown(failure));
        }
        _ => {}
    }
    found.message.clone_from(&failure.message);
    found.stack_trace.clone_from(&failure.stack_trace);
    if let Some(cause) = &failure.cause {
        found.cause = Some(Box::new(from_nexus(cause, read_json)));
    }
    found
}

/// A failure of a type that the API does not know: kept whole, as JSON.
fn unknown(failure: &NexusFailure) -> FailureInfo {
    let mut kept = to_json(failure);
    if let Value::Object(fields) = &mut kept {
        fields.remove("message");
        fields.remove("stackTrace");
    }
    let payload = Payload {
        metadata: [("encoding".to_owned(), "json/plain".into())].into(),
        data: in_order(&kept).into(),
        ..Payload::default()
    };
    FailureInfo::ApplicationFailureInfo(ApplicationFailureInfo {
        r#type: "NexusFailure".to_owned(),
        details: Some(Payloads {
            payloads: vec![payload],
        }),
        ..ApplicationFailureInfo::default()
    })
}

/// A failure of the protocol as its JSON.
pub fn to_json(failure: &NexusFailure) -> Value {
    let mut fields = Map::new();
    if !failure.message.is_empty() {
        fields.insert("message".into(), json!(failure.message));
    }
    if !failure.stack_trace.is_empty() {
        fields.insert("stackTrace".into(), json!(failure.stack_trace));
    }
    if !failure.metadata.is_empty() {
        fields.insert("metadata".into(), json!(failure.metadata));
    }
    if let Ok(details) = serde_json::from_slice::<Value>(&failure.details) {
        fields.insert("details".into(), details);
    }
    if let Some(cause) = &failure.cause {
        fields.insert("cause".into(), to_json(cause));
    }
    Value::Object(fields)
}

/// JSON text with the fields of each failure in the order of the protocol's definition.
fn in_order(value: &Value) -> String {
    let Value::Object(fields) = value else {
        return value.to_string();
    };
    let order = ["message", "stackTrace", "metadata", "details", "cause"];
    let field = |name: &&str| {
        let value = fields.get(*name)?;
        let text = if *name == "cause" {
            in_order(value)
        } else {
            value.to_string()
        };
        Some(format!("\"{name}\":{text}"))
    };
    let fields: Vec<String> = order.iter().filter_map(field).collect();
    format!("{{{}}}", fields.join(","))
}

/// A failure of the protocol from its JSON. Anything else has no failure in it.
pub fn from_json(json: &Value) -> Option<NexusFailure> {
    let fields = json.as_object()?;
    let text = |name: &str| {
        let value = fields.get(name).and_then(Value::as_str);
        value.unwrap_or_default().to_owned()
    };
    let metadata = fields.get("metadata").and_then(Value::as_object);
    let metadata = metadata.into_iter().flatten().filter_map(|(name, value)| {
        let value = value.as_str()?;
        Some((name.clone(), value.to_owned()))
    });
    let details = fields.get("details").filter(|value| !value.is_null());
    let cause = fields.get("cause").and_then(from_json);
    Some(NexusFailure {
        message: text("message"),
        stack_trace: text("stackTrace"),
        metadata: metadata.collect(),
        details: details.map_or_else(Default::default, |value| value.to_string().into()),
        cause: cause.map(Box::new),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOTHING: ReadJson<'static> = &|_| None;

    fn nexus(json: Value) -> NexusFailure {
        from_json(&json).unwrap()
    }

    #[test]
    fn the_type_decides_unless_the_handler_does() {
        let table = [
            ("BAD_REQUEST", 0, false),
            ("UNAUTHENTICATED", 0, false),
            ("UNAUTHORIZED", 0, false),
            ("NOT_FOUND", 0, false),
            ("CONFLICT", 0, false),
            ("NOT_IMPLEMENTED", 0, false),
            ("INTERNAL", 0, true),
            ("UNAVAILABLE", 0, true),
            ("RESOURCE_EXHAUSTED", 0, true),
            ("UPSTREAM_TIMEOUT", 0, true),
            ("REQUEST_TIMEOUT", 0, true),
            ("SOMETHING", 0, true),
            ("INTERNAL", Behavior::NonRetryable as i32, false),
            ("NOT_FOUND", Behavior::Retryable as i32, true),
        ];
        for (error_type, behavior, expected) in table {
            assert_eq!(is_retryable(error_type, behavior), expected, "{error_type}");
        }
    }

    #[test]
    fn an_unknown_failure_is_kept_whole() {
        let failure = from_nexus(
            &nexus(json!({
                "message": "m", "stackTrace": "s", "metadata": {"a": "b"}, "details": "d",
                "cause": {"message": "inner"},
            })),
            NOTHING,
        );
        assert_eq!((&*failure.message, &*failure.stack_trace), ("m", "s"));
        let Some(FailureInfo::ApplicationFailureInfo(info)) = &failure.failure_info else {
            unreachable!("{failure:?}")
        };
        assert_eq!(info.r#type, "NexusFailure");
        assert_eq!(
            info.details.as_ref().unwrap().payloads[0].data,
            r#"{"metadata":{"a":"b"},"details":"d","cause":{"message":"inner"}}"#
        );
        assert_eq!(failure.cause.unwrap().message, "inner");
    }

    #[test]
    fn known_types_become_the_api_s_own() {
        let handler = from_nexus(
            &nexus(json!({"message": "m", "metadata": {"type": HANDLER_ERROR},
                "details": {"type": "INTERNAL", "retryableOverride": false}})),
            NOTHING,
        );
        let expected = handler_info("INTERNAL", Behavior::NonRetryable.into());
        assert_eq!(handler.failure_info, Some(expected));
        let canceled = from_nexus(
            &nexus(
                json!({"metadata": {"type": OPERATION_ERROR}, "details": {"state": "canceled"}}),
            ),
            NOTHING,
        );
        assert_eq!(canceled.failure_info, Some(canceled_info()));
        let api = from_nexus(
            &nexus(
                json!({"message": "m", "metadata": {"type": API_FAILURE}, "details": {"source": "x"}}),
            ),
            &|bytes| {
                assert_eq!(bytes, br#"{"source":"x"}"#);
                Some(Failure {
                    source: "x".into(),
                    ..Failure::default()
                })
            },
        );
        assert_eq!((&*api.message, &*api.source), ("m", "x"));
    }

    #[test]
    fn what_was_cancelled_says_so() {
        let failure = Failure {
            message: "m".into(),
            source: "x".into(),
            ..Failure::default()
        };
        assert_eq!(operation_cause(failure.clone(), false), failure);
        let canceled = operation_cause(failure, true);
        assert_eq!(canceled.failure_info, Some(canceled_info()));
        assert_eq!(canceled.message, "m");
    }
}
