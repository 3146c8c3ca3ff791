//! What the RPCs about standalone activities have in common, in part also with those about standalone Nexus
//! operations: their checks, with the wire's own texts, and how long they wait (behaviour, section 10.4).

use std::time::Duration;

use engine::limits::Limits;
use prost::Message;
use proto::temporal::api::sdk::v1::UserMetadata;
use tokio::time::Instant;
use uuid::Uuid;

use super::call::Metadata;
use super::{Frontend, validate};
use crate::error::WireError;

/// An answer must be on its way before the client gives up.
const DEADLINE_MARGIN: Duration = Duration::from_secs(1);
/// Bytes of a summary, and of details, that a user may attach.
const SUMMARY_MAX: usize = 400;
const DETAILS_MAX: usize = 20_000;

/// Which run of which activity a request is about; without a run the current one.
pub(super) fn target(
    activity_id: &str,
    run_id: &str,
    limits: &Limits,
) -> Result<Option<Uuid>, WireError> {
    id(activity_id, limits)?;
    run(run_id)
}

/// As [`target`], for requests that change something and say who asks: the request's id is made up when the
/// caller gives none.
pub(super) fn changed(
    activity_id: &str,
    run_id: &str,
    request_id: &mut String,
    identity: &str,
    limits: &Limits,
) -> Result<Option<Uuid>, WireError> {
    id(activity_id, limits)?;
    if request_id.is_empty() {
        *request_id = Uuid::new_v4().to_string();
    }
    length("request ID", request_id, limits)?;
    length("identity", identity, limits)?;
    run(run_id)
}

/// Free text.
pub(super) fn reason(reason: &str, limits: &Limits) -> Result<(), WireError> {
    if reason.len() > limits.blob_size_error {
        return Err(WireError::invalid("reason exceeds length limit"));
    }
    Ok(())
}

/// Refuses what is longer than ids may be.
pub(super) fn length(name: &str, text: &str, limits: &Limits) -> Result<(), WireError> {
    let (length, max) = (text.len(), limits.id_length_max);
    if length > max {
        return Err(WireError::invalid(format!(
            "{name} exceeds length limit. Length={length} Limit={max}"
        )));
    }
    Ok(())
}

/// Refuses what is more than a user may attach.
pub(super) fn user_metadata(metadata: Option<&UserMetadata>) -> Result<(), WireError> {
    let Some(metadata) = metadata else {
        return Ok(());
    };
    let parts = [
        ("summary", &metadata.summary, SUMMARY_MAX),
        ("details", &metadata.details, DETAILS_MAX),
    ];
    for (name, payload, max) in parts {
        let size = payload.as_ref().map_or(0, Message::encoded_len);
        if size > max {
            return Err(WireError::invalid(format!(
                "user_metadata.{name} exceeds size limit. Length={size} Limit={max}"
            )));
        }
    }
    Ok(())
}

fn id(activity_id: &str, limits: &Limits) -> Result<(), WireError> {
    if activity_id.is_empty() {
        return Err(WireError::invalid("activity ID is required"));
    }
    length("activity ID", activity_id, limits)
}

fn run(run_id: &str) -> Result<Option<Uuid>, WireError> {
    validate::run_id(run_id, "invalid run id: must be a valid UUID")
}

/// Until when a long poll waits.
pub(super) fn waits_until(server: &Frontend, metadata: &Metadata) -> Instant {
    let until = Instant::now() + server.history_wait;
    // Saturates where a client gives no time at all: then there is no wait.
    let client = metadata
        .deadline
        .map(|at| at.checked_sub(DEADLINE_MARGIN).unwrap_or(at));
    client.map_or(until, |client| client.min(until))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn checks() {
        let limits = Limits::default();
        let long = "x".repeat(1001);
        let too_long = |name: &str| format!("{name} exceeds length limit. Length=1001 Limit=1000");
        let run = "invalid run id: must be a valid UUID".to_owned();
        for (activity_id, run_id, request_id, identity, expected) in [
            ("a", "", "", "", None),
            ("", "x", "", "", Some("activity ID is required".to_owned())),
            (long.as_str(), "x", "", "", Some(too_long("activity ID"))),
            ("a", "x", "", "", Some(run)),
            (
                "a",
                "x",
                long.as_str(),
                long.as_str(),
                Some(too_long("request ID")),
            ),
            ("a", "x", "r", long.as_str(), Some(too_long("identity"))),
        ] {
            let mut request_id = request_id.to_owned();
            let result = changed(activity_id, run_id, &mut request_id, identity, &limits);
            assert_eq!(result.err().map(|error| error.message), expected);
            assert!(expected.is_some() || !request_id.is_empty());
        }
        assert!(reason("why", &limits).is_ok());
        let long = "x".repeat((2 << 20) + 1);
        assert_eq!(
            reason(&long, &limits).unwrap_err().message,
            "reason exceeds length limit"
        );
    }
}
