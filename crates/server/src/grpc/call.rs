//! What comes with every request besides its message: who calls, and until when.

use std::sync::Arc;
use std::time::Duration;

use engine::Namespace;
use http::{HeaderMap, HeaderName};
use proto::temporal::api::errordetails::v1::{
    ClientVersionNotSupportedFailure, ServerVersionNotSupportedFailure,
};
use tokio::time::Instant;

use super::versions::{Range, Version};
use crate::error::WireError;

/// The version of the API that is spoken: clients compare it with what they support.
pub const SERVER_VERSION: &str = "1.32.0";

/// The clients whose versions are checked, and the first major version that is not supported.
/// Unknown names are never checked (behaviour, section 1.2).
pub(super) const SUPPORTED_CLIENTS: [(&str, &str); 8] = [
    ("Nexus-go-sdk", "<2.0.0"),
    ("temporal-cli", "<2.0.0"),
    ("temporal-go", "<2.0.0"),
    ("temporal-java", "<2.0.0"),
    ("temporal-php", "<2.0.0"),
    ("temporal-server", "<2.0.0"),
    ("temporal-typescript", "<2.0.0"),
    ("temporal-ui", "<3.0.0"),
];

static CLIENT_NAME: HeaderName = HeaderName::from_static("client-name");
static CLIENT_VERSION: HeaderName = HeaderName::from_static("client-version");
static GRPC_TIMEOUT: HeaderName = HeaderName::from_static("grpc-timeout");
static SUPPORTED_FEATURES: HeaderName = HeaderName::from_static("supported-features");
static SUPPORTED_SERVER_VERSIONS: HeaderName = HeaderName::from_static("supported-server-versions");

/// What the headers of a request say.
#[derive(Debug, Clone, Default)]
pub(super) struct Metadata {
    /// The client's name, empty if it gives none.
    pub(super) client_name: String,
    /// The client's version, empty if it gives none.
    pub(super) client_version: String,
    /// The server versions that the client supports, empty for all.
    pub(super) supported_server_versions: String,
    /// The client knows that a close event may name a next run (behaviour, section 4.9).
    pub(super) follows_next_run_id: bool,
    /// When the client stops waiting.
    pub(super) deadline: Option<Instant>,
}

impl Metadata {
    /// Reads the headers of a request that arrived at `now`.
    pub(super) fn read(headers: &HeaderMap, now: Instant) -> Self {
        let text = |name: &HeaderName| {
            let value = headers.get(name).and_then(|value| value.to_str().ok());
            value.unwrap_or_default()
        };
        Self {
            client_name: text(&CLIENT_NAME).to_owned(),
            client_version: text(&CLIENT_VERSION).to_owned(),
            supported_server_versions: text(&SUPPORTED_SERVER_VERSIONS).to_owned(),
            follows_next_run_id: text(&SUPPORTED_FEATURES)
                .split(',')
                .any(|f| f.trim() == "follows-next-run-id"),
            deadline: parse_timeout(text(&GRPC_TIMEOUT)).map(|timeout| now + timeout),
        }
    }

    /// Whether events that are not stored yet are left out: command line and pages show what
    /// happened, not what is tried (behaviour, section 4.5).
    pub(super) fn shows_stored_events_only(&self) -> bool {
        matches!(self.client_name.as_str(), "temporal-cli" | "temporal-ui")
    }

    /// The documented check of client and server versions (behaviour, section 1.3).
    ///
    /// # Errors
    /// INVALID_ARGUMENT for versions that cannot be read, FAILED_PRECONDITION for unsupported ones.
    pub(super) fn check_versions(&self) -> Result<(), WireError> {
        let known = SUPPORTED_CLIENTS
            .iter()
            .find(|(name, _)| *name == self.client_name);
        if let Some((name, supported)) = known
            && !self.client_version.is_empty()
        {
            let version = Version::parse(&self.client_version).map_err(|cause| {
                WireError::invalid(format!("Unable to parse client version: {cause}"))
            })?;
            if !Range::parse(supported).is_ok_and(|range| range.contains(&version)) {
                let version = &self.client_version;
                return Err(WireError::failed_precondition(format!(
                    "Client version {version} is not supported. \
                     Server supports {name} versions: {supported}"
                ))
                .with(&ClientVersionNotSupportedFailure {
                    client_version: version.clone(),
                    client_name: self.client_name.clone(),
                    supported_versions: (*supported).to_owned(),
                }));
            }
        }
        if self.supported_server_versions.is_empty() {
            return Ok(());
        }
        let wanted = &self.supported_server_versions;
        let range = Range::parse(wanted).map_err(|cause| {
            WireError::invalid(format!(
                "Unable to parse supported server versions: {cause}"
            ))
        })?;
        if Version::parse(SERVER_VERSION).is_ok_and(|version| range.contains(&version)) {
            return Ok(());
        }
        Err(WireError::failed_precondition(format!(
            "Server version {SERVER_VERSION} is not supported. \
             Client supports server versions: {wanted}"
        ))
        .with(&ServerVersionNotSupportedFailure {
            server_version: SERVER_VERSION.to_owned(),
            client_supported_server_versions: wanted.clone(),
        }))
    }
}

/// The value of `grpc-timeout`: at most eight digits and a unit. Anything else counts as absent.
fn parse_timeout(value: &str) -> Option<Duration> {
    let (digits, unit) = value.split_at_checked(value.len().checked_sub(1)?)?;
    if digits.is_empty() || digits.len() > 8 || !digits.bytes().all(|b| b.is_ascii_digit()) {
        return None;
    }
    let count: u64 = digits.parse().ok()?;
    match unit {
        "H" => Some(Duration::from_secs(count * 3600)),
        "M" => Some(Duration::from_secs(count * 60)),
        "S" => Some(Duration::from_secs(count)),
        "m" => Some(Duration::from_millis(count)),
        "u" => Some(Duration::from_micros(count)),
        "n" => Some(Duration::from_nanos(count)),
        _ => None,
    }
}

/// A request on its way to its handler. `N` is the namespace, for requests that name one.
#[derive(Debug)]
pub(super) struct Call<R, N = ()> {
    /// The message.
    pub(super) request: R,
    /// The headers.
    pub(super) metadata: Metadata,
    /// The namespace, resolved and in a state that allows the call.
    pub(super) namespace: N,
}

/// A request in a namespace.
pub(super) type NamespaceCall<R> = Call<R, Arc<Namespace>>;

#[cfg(test)]
mod tests {
    use tonic::Code;

    use super::*;

    #[test]
    fn timeouts_have_a_number_and_a_unit() {
        for (value, expected) in [
            ("5S", Some(Duration::from_secs(5))),
            ("1H", Some(Duration::from_secs(3600))),
            ("2M", Some(Duration::from_secs(120))),
            ("99999999m", Some(Duration::from_millis(99_999_999))),
            ("20u", Some(Duration::from_micros(20))),
            ("0n", Some(Duration::ZERO)),
            ("", None),
            ("S", None),
            ("5", None),
            ("123456789S", None),
            ("-1S", None),
            ("5s", None),
            ("5ä", None),
        ] {
            assert_eq!(parse_timeout(value), expected, "{value}");
        }
    }

    fn check(name: &str, version: &str, servers: &str) -> Result<(), (Code, String)> {
        let metadata = Metadata {
            client_name: name.into(),
            client_version: version.into(),
            supported_server_versions: servers.into(),
            ..Default::default()
        };
        metadata
            .check_versions()
            .map_err(|error| (error.code, error.message))
    }

    #[test]
    fn versions_are_checked_for_known_clients() {
        assert_eq!(check("", "", ""), Ok(()));
        assert_eq!(check("temporal-go", "1.35.0", ">=1.0.0 <2.0.0"), Ok(()));
        assert_eq!(check("temporal-go", "", ""), Ok(()));
        assert_eq!(check("temporal-python", "x", ""), Ok(()));
        assert_eq!(check("temporal-ui", "2.99.0", ""), Ok(()));
        let text =
            "Client version 9.0.0 is not supported. Server supports temporal-go versions: <2.0.0";
        assert_eq!(
            check("temporal-go", "9.0.0", ""),
            Err((Code::FailedPrecondition, text.into()))
        );
        let text = "Unable to parse client version: No Major.Minor.Patch elements found";
        assert_eq!(
            check("temporal-go", "1.2", ""),
            Err((Code::InvalidArgument, text.into()))
        );
        let text =
            "Server version 1.32.0 is not supported. Client supports server versions: >=9.0.0";
        assert_eq!(
            check("xx", "1.0.0", ">=9.0.0"),
            Err((Code::FailedPrecondition, text.into()))
        );
        let text =
            "Unable to parse supported server versions: Could not get version from string: \"foo\"";
        assert_eq!(
            check("xx", "1.0.0", "foo"),
            Err((Code::InvalidArgument, text.into()))
        );
    }

    #[test]
    fn headers_are_read() {
        let mut headers = HeaderMap::new();
        headers.insert("client-name", "temporal-cli".parse().unwrap());
        headers.insert(
            "supported-features",
            "a, follows-next-run-id".parse().unwrap(),
        );
        headers.insert("grpc-timeout", "3S".parse().unwrap());
        let now = Instant::now();
        let metadata = Metadata::read(&headers, now);
        assert!(metadata.follows_next_run_id && metadata.shows_stored_events_only());
        assert_eq!(metadata.deadline, Some(now + Duration::from_secs(3)));
        assert_eq!(Metadata::read(&HeaderMap::new(), now).deadline, None);
    }
}
