//! Which headers of an HTTP request a call sees: who calls, with what right, and until when.

use axum::http::{HeaderMap, HeaderName, HeaderValue};

use crate::grpc::SERVER_VERSION;

/// What clients are called that do not say their name.
const CLIENT_NAME: &str = "temporal-server-http";
/// Taken as they are.
const FORWARDED: [&str; 8] = [
    "authorization",
    "authorization-extras",
    "x-forwarded-for",
    "client-name",
    "client-version",
    "grpc-timeout",
    "host",
    "user-agent",
];
/// Taken without this.
const PREFIX: &str = "grpc-metadata-";

/// The headers of the call.
pub(super) fn forwarded(headers: &HeaderMap) -> HeaderMap {
    let mut forwarded = HeaderMap::new();
    for (name, value) in headers {
        let text = name.as_str();
        if FORWARDED.contains(&text) {
            forwarded.append(name, value.clone());
        } else if let Some(bare) = text.strip_prefix(PREFIX)
            && let Ok(name) = HeaderName::try_from(bare)
        {
            forwarded.append(name, value.clone());
        }
    }
    for (name, value) in [
        ("client-name", CLIENT_NAME),
        ("client-version", SERVER_VERSION),
    ] {
        forwarded
            .entry(name)
            .or_insert(HeaderValue::from_static(value));
    }
    forwarded
}
