//! Completion callbacks: where they may go, and the token that says whom one is for (behaviour, sections
//! 3.1 and 6.7).

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE;
use prost::Message;
use proto::temporal::api::common::v1::Callback;
use proto::temporal::api::common::v1::callback::{Nexus, Variant};
use serde_json::json;
use uuid::Uuid;

use super::endpoint::host;
use crate::execution::Kind;
use crate::limits::Limits;
use crate::rejection::Rejection;
use crate::workflow::input::{NexusCompletion, NexusOutcome, Peer};
use crate::workflow::transition::Send;

/// The address of a callback to this very server.
pub const SYSTEM_URL: &str = "temporal://system";
/// The header that carries the token.
pub const TOKEN_HEADER: &str = "temporal-callback-token";
/// The header in which a handler names its operation.
const OPERATION_TOKEN: &str = "nexus-operation-token";
/// Bytes of an address.
const URL_MAX: usize = 1000;
/// Bytes of all headers.
const HEADER_MAX: usize = 8192;
/// The only version of tokens.
const VERSION: i64 = 1;

/// An address that callbacks may go to (`component.callbacks.allowedAddresses`).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AllowedAddress {
    /// The host and port; `*` stands for anything.
    pub pattern: String,
    /// Without TLS, too.
    pub allow_insecure: bool,
}

/// Whether a text is as a pattern says, in which `*` stands for anything.
pub fn is_like(text: &str, pattern: &str) -> bool {
    let mut parts = pattern.split('*');
    let Some(mut rest) = parts.next().and_then(|first| text.strip_prefix(first)) else {
        return false;
    };
    let middle: Vec<&str> = parts.collect();
    let Some((last, middle)) = middle.split_last() else {
        return rest.is_empty();
    };
    for part in middle {
        match rest.split_once(part) {
            Some((_, behind)) => rest = behind,
            None => return false,
        }
    }
    rest.ends_with(last)
}

/// Checks the callbacks of a request, and writes their header names in lower case.
///
/// # Errors
/// INVALID_ARGUMENT with the documented texts.
pub fn check(callbacks: &mut [Callback], limits: &Limits) -> Result<(), Rejection> {
    let max = limits.callbacks_max;
    if callbacks.len() > max {
        return Err(Rejection::invalid(format!(
            "cannot attach more than {max} callbacks to an execution"
        )));
    }
    for callback in callbacks {
        let nexus = match &mut callback.variant {
            Some(Variant::Nexus(nexus)) => nexus,
            None => {
                let text = "unknown callback variant: <nil>".to_owned();
                return Err(Rejection::Unimplemented(text));
            }
            Some(Variant::Internal(_) | Variant::NexusHandler(_)) => {
                let text = "this kind of callback is not served".to_owned();
                return Err(Rejection::Unimplemented(text));
            }
        };
        if nexus.url.len() > URL_MAX {
            return Err(Rejection::invalid(format!(
                "invalid url: url length longer than max length allowed of {URL_MAX}"
            )));
        }
        check_url(&nexus.url, &limits.callback_addresses)?;
        let size: usize = nexus.header.iter().map(|(k, v)| k.len() + v.len()).sum();
        if size > HEADER_MAX {
            return Err(Rejection::invalid(format!(
                "invalid header: header size longer than max allowed size of {HEADER_MAX}"
            )));
        }
        nexus.header = std::mem::take(&mut nexus.header)
            .into_iter()
            .map(|(name, value)| (name.to_lowercase(), value))
            .collect();
    }
    Ok(())
}

fn check_url(url: &str, allowed: &[AllowedAddress]) -> Result<(), Rejection> {
    if url == SYSTEM_URL {
        return Ok(());
    }
    let refused = |why: &str| Err(Rejection::invalid(format!("invalid url: {why}")));
    let secure = url.starts_with("https://");
    if !secure && !url.starts_with("http://") {
        return refused(&format!("unknown scheme: {url}"));
    }
    let host = host(url);
    if host.is_empty() {
        return refused("missing host");
    }
    for address in allowed {
        if is_like(host, &address.pattern) {
            if secure || address.allow_insecure {
                return Ok(());
            }
            return refused(&format!(
                "callback address does not allow insecure connections: {url}"
            ));
        }
    }
    refused(&format!(
        "url does not match any configured callback address: {url}"
    ))
}

/// How something ended, said to whom a callback names. When and where it ran is for the one who says it to add.
pub(crate) fn completion_for(nexus: &Nexus, outcome: NexusOutcome) -> NexusCompletion {
    let header = |name| nexus.header.get(name);
    let token = header(TOKEN_HEADER).and_then(|text| CallbackToken::decode_header(text));
    let token = token.unwrap_or_default();
    NexusCompletion {
        scheduled_event_id: token.scheduled_event_id,
        request_id: token.request_id,
        operation_token: header(OPERATION_TOKEN).cloned().unwrap_or_default(),
        start_time: None,
        close_time: None,
        links: Vec::new(),
        outcome,
    }
}

/// The message to whoever waits: the current run of a workflow, as a reset may have carried the operation to
/// another; or one run of a standalone operation.
pub(crate) fn message_to(nexus: &Nexus, seq: u64, completion: NexusCompletion) -> Option<Send> {
    let token = CallbackToken::decode_header(nexus.header.get(TOKEN_HEADER)?)?;
    Some(Send {
        seq,
        namespace_id: Uuid::parse_str(&token.namespace_id).unwrap_or(Uuid::nil()),
        kind: token.kind().unwrap_or(Kind::Workflow),
        run_id: token.run(),
        workflow_id: token.workflow_id,
        message: Peer::NexusOperationCompleted(Box::new(completion)),
    })
}

/// Whom a completion is for: an operation that a workflow waits for.
#[derive(Clone, PartialEq, Message)]
pub struct CallbackToken {
    /// The namespace's id.
    #[prost(string, tag = "1")]
    pub namespace_id: String,
    /// The workflow, or the standalone operation itself.
    #[prost(string, tag = "2")]
    pub workflow_id: String,
    /// The run that scheduled the operation, or that of the operation.
    #[prost(string, tag = "3")]
    pub run_id: String,
    /// Its NEXUS_OPERATION_SCHEDULED event.
    #[prost(int64, tag = "4")]
    pub scheduled_event_id: i64,
    /// The operation's request id: what it is recognised by, also after a reset.
    #[prost(string, tag = "5")]
    pub request_id: String,
    /// What kind of execution waits: a [`Kind`]'s number.
    #[prost(uint32, tag = "6")]
    pub kind: u32,
}

impl CallbackToken {
    /// What kind of execution waits; `None` for one that this version does not know.
    pub fn kind(&self) -> Option<Kind> {
        u8::try_from(self.kind).ok().and_then(Kind::of)
    }

    /// Which run it is for. A workflow's operation is found in whatever run a reset has carried it to.
    pub fn run(&self) -> Option<Uuid> {
        if self.kind == 0 {
            return None;
        }
        Uuid::parse_str(&self.run_id).ok()
    }

    /// The token as a header carries it.
    pub fn encode_header(&self) -> String {
        let data = URL_SAFE.encode(self.encode_to_vec());
        json!({ "v": VERSION, "d": data }).to_string()
    }

    /// The token in a header; `None` when it is not one of ours.
    pub fn decode_header(text: &str) -> Option<Self> {
        let json: serde_json::Value = serde_json::from_str(text).ok()?;
        if json.get("v")?.as_i64()? != VERSION {
            return None;
        }
        let data = URL_SAFE.decode(json.get("d")?.as_str()?).ok()?;
        let token = Self::decode(data.as_slice()).ok()?;
        let whole = !token.namespace_id.is_empty()
            && !token.workflow_id.is_empty()
            && !token.request_id.is_empty();
        whole.then_some(token)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(url: &str, addresses: &[(&str, bool)]) -> String {
        let limits = Limits {
            callback_addresses: addresses
                .iter()
                .map(|(pattern, allow_insecure)| AllowedAddress {
                    pattern: (*pattern).into(),
                    allow_insecure: *allow_insecure,
                })
                .collect(),
            callbacks_max: 1,
            ..Limits::default()
        };
        let mut callbacks = [nexus(url)];
        match check(&mut callbacks, &limits) {
            Ok(()) => String::new(),
            Err(rejection) => rejection.to_string(),
        }
    }

    fn nexus(url: &str) -> Callback {
        Callback {
            variant: Some(Variant::Nexus(Nexus {
                url: url.into(),
                header: [("A-B".to_owned(), "C".to_owned())].into(),
            })),
            links: Vec::new(),
        }
    }

    #[test]
    fn only_known_addresses_are_called() {
        let long = format!("http://{}", "x".repeat(1000));
        type Case<'a> = (&'a str, &'a [(&'a str, bool)], &'a str);
        let table: [Case<'_>; 12] = [
            ("temporal://system", &[], ""),
            (
                "temporal://system/",
                &[],
                "invalid url: unknown scheme: temporal://system/",
            ),
            ("http:///x", &[("*", true)], "invalid url: missing host"),
            (
                "http://example.com",
                &[],
                "invalid url: url does not match any configured callback address: http://example.com",
            ),
            ("http://example.com/x", &[("*", true)], ""),
            (
                "http://example.com",
                &[("*", false)],
                "invalid url: callback address does not allow insecure connections: http://example.com",
            ),
            ("https://example.com", &[("*", false)], ""),
            ("https://a.example.com:80", &[("a.*.com:*", false)], ""),
            (
                "https://a.example.com",
                &[("a.*.com:*", false)],
                "invalid url: url does not match any configured callback address: https://a.example.com",
            ),
            (
                "https://b.com",
                &[("a", false), ("b.co", false)],
                "invalid url: url does not match any configured callback address: https://b.com",
            ),
            ("http://b.com", &[("a", false), ("b.com", true)], ""),
            (
                &long,
                &[("*", true)],
                "invalid url: url length longer than max length allowed of 1000",
            ),
        ];
        for (url, addresses, text) in table {
            assert_eq!(found(url, addresses), text, "{url}");
        }
    }

    #[test]
    fn header_names_become_lower_case_and_are_bounded() {
        let limits = Limits::default();
        let mut callbacks = [nexus(SYSTEM_URL)];
        check(&mut callbacks, &limits).unwrap();
        let Some(Variant::Nexus(found)) = &callbacks[0].variant else {
            unreachable!("as made")
        };
        assert_eq!(found.header.keys().collect::<Vec<_>>(), ["a-b"]);
        let mut large = nexus(SYSTEM_URL);
        if let Some(Variant::Nexus(nexus)) = &mut large.variant {
            nexus.header.insert("x".into(), "y".repeat(8192));
        }
        assert_eq!(
            check(&mut [large], &limits).unwrap_err().to_string(),
            "invalid header: header size longer than max allowed size of 8192"
        );
    }

    #[test]
    fn a_token_comes_back_and_garbage_does_not() {
        let token = CallbackToken {
            namespace_id: "n".into(),
            workflow_id: "w".into(),
            run_id: "r".into(),
            scheduled_event_id: 5,
            request_id: "q".into(),
            kind: 3,
        };
        let header = token.encode_header();
        assert_eq!(CallbackToken::decode_header(&header), Some(token));
        for garbage in ["", "x", "{}", r#"{"v":2,"d":""}"#, r#"{"v":1,"d":"%"}"#] {
            assert_eq!(CallbackToken::decode_header(garbage), None, "{garbage}");
        }
    }
}
