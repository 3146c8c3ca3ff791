//! Failures of the API as JSON, for those who speak the Nexus protocol.

use std::sync::OnceLock;

use prost::Message as _;
use prost_reflect::{DynamicMessage, MessageDescriptor};
use proto::temporal::api::failure::v1::Failure;
use proto::temporal::api::nexus::v1::Failure as NexusFailure;

use engine::nexus::failure::{API_FAILURE, HANDLER_ERROR};
use proto::temporal::api::enums::v1::NexusHandlerErrorRetryBehavior as Behavior;
use proto::temporal::api::failure::v1::failure::FailureInfo;
use serde_json::json;

use crate::descriptors;

/// Read when the first failure is: most servers never meet one.
fn descriptor() -> Option<&'static MessageDescriptor> {
    static FAILURE: OnceLock<Option<MessageDescriptor>> = OnceLock::new();
    FAILURE
        .get_or_init(|| descriptors::pool().ok()?.get_message_by_name(API_FAILURE))
        .as_ref()
}

/// A failure from its JSON; fields that are not known are left out.
pub(crate) fn read_failure(json: &[u8]) -> Option<Failure> {
    let options = prost_reflect::DeserializeOptions::new().deny_unknown_fields(false);
    let mut reader = serde_json::Deserializer::from_slice(json);
    let message =
        DynamicMessage::deserialize_with_options(descriptor()?.clone(), &mut reader, &options);
    Failure::decode(message.ok()?.encode_to_vec().as_slice()).ok()
}

fn write_failure(failure: &Failure) -> Option<Vec<u8>> {
    let bytes = failure.encode_to_vec();
    let message = DynamicMessage::decode(descriptor()?.clone(), bytes.as_slice()).ok()?;
    serde_json::to_vec(&message).ok()
}

/// A failure of the API as one of the protocol.
pub(crate) fn to_nexus(mut failure: Failure) -> NexusFailure {
    let cause = failure.cause.take().map(|cause| Box::new(to_nexus(*cause)));
    let message = std::mem::take(&mut failure.message);
    let stack_trace = std::mem::take(&mut failure.stack_trace);
    let (kind, details) = match &failure.failure_info {
        Some(FailureInfo::NexusHandlerFailureInfo(info)) => {
            let mut details = json!({ "type": info.r#type });
            match Behavior::try_from(info.retry_behavior).unwrap_or_default() {
                Behavior::Retryable => details["retryableOverride"] = json!(true),
                Behavior::NonRetryable => details["retryableOverride"] = json!(false),
                Behavior::Unspecified => {}
            }
            (HANDLER_ERROR, details.to_string().into_bytes())
        }
        _ => (API_FAILURE, write_failure(&failure).unwrap_or_default()),
    };
    NexusFailure {
        message,
        stack_trace,
        metadata: [("type".to_owned(), kind.to_owned())].into(),
        details: details.into(),
        cause,
    }
}

#[cfg(test)]
mod tests {
    use engine::nexus::failure::{from_nexus, handler_failure};
    use proto::temporal::api::failure::v1::ApplicationFailureInfo;

    use super::*;

    #[test]
    fn failures_come_back_as_they_were() {
        let application = Failure {
            message: "m".into(),
            source: "s".into(),
            stack_trace: "t".into(),
            failure_info: Some(FailureInfo::ApplicationFailureInfo(
                ApplicationFailureInfo {
                    r#type: "T".into(),
                    non_retryable: true,
                    ..Default::default()
                },
            )),
            cause: Some(Box::new(handler_failure("INTERNAL", "inner"))),
            ..Failure::default()
        };
        let nexus = to_nexus(application.clone());
        assert_eq!(nexus.metadata["type"], API_FAILURE);
        assert_eq!(from_nexus(&nexus, &read_failure), application);
        assert_eq!(read_failure(b"nonsense"), None);
        let unknown = read_failure(br#"{"source":"s","newer":1}"#);
        assert_eq!(unknown.map(|failure| failure.source), Some("s".to_owned()));
    }
}
