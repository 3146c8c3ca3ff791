//! The Nexus protocol on HTTP: contents, links, spans of time, and codes.

use std::collections::BTreeMap;
use std::time::Duration;

use bytes::Bytes;
use http::{HeaderMap, StatusCode};
use prost::Message as _;
use proto::temporal::api::common::v1::Payload;
use proto::temporal::api::nexus::v1::Link;

/// What marks a payload that the protocol does not know.
const UNKNOWN: &str = "unknown/nexus-content";
/// The media type of a payload that is sent whole.
const WHOLE: &str = "application/x-temporal-payload";

/// A link as a header carries it.
pub(crate) fn link_header(link: &Link) -> String {
    format!("<{}>; type=\"{}\"", link.url, link.r#type)
}

/// The links of a request or an answer. `None` when one cannot be read.
pub(crate) fn links(headers: &HeaderMap) -> Option<Vec<Link>> {
    let mut links = Vec::new();
    for value in headers.get_all("nexus-link") {
        for text in value.to_str().ok()?.split(',') {
            let (url, rest) = text.trim().strip_prefix('<')?.split_once('>')?;
            let (_, kind) = rest.split_once("type=\"")?;
            links.push(Link {
                url: url.to_owned(),
                r#type: kind.split_once('"')?.0.to_owned(),
            });
        }
    }
    Some(links)
}

/// A payload as `content-*` headers, without that prefix, and a body.
pub(crate) fn content(payload: Option<Payload>) -> (BTreeMap<String, String>, Bytes) {
    let Some(payload) = payload else {
        return Default::default();
    };
    let text = |key: &str| {
        let value = payload.metadata.get(key);
        String::from_utf8_lossy(value.map_or(&[][..], |value| value)).into_owned()
    };
    let (encoding, message_type) = (text("encoding"), text("messageType"));
    let count = payload.metadata.len();
    let with_type = |media: String| [("type".to_owned(), media)].into();
    match (encoding.as_str(), count) {
        (UNKNOWN, _) => {
            let headers = payload.metadata.keys().filter(|key| *key != "encoding");
            let headers = headers.map(|key| (key.clone(), text(key))).collect();
            (headers, payload.data)
        }
        ("json/plain", 1) => (with_type("application/json".into()), payload.data),
        ("binary/plain", 1) => (with_type("application/octet-stream".into()), payload.data),
        ("binary/null", 1) => (BTreeMap::new(), payload.data),
        ("json/protobuf", 2) if !message_type.is_empty() => {
            let media =
                format!("application/json; format=protobuf; message-type=\"{message_type}\"");
            (with_type(media), payload.data)
        }
        ("binary/protobuf", 2) if !message_type.is_empty() => {
            let media = format!("application/x-protobuf; message-type=\"{message_type}\"");
            (with_type(media), payload.data)
        }
        _ => (with_type(WHOLE.into()), payload.encode_to_vec().into()),
    }
}

/// A payload from the headers and the body of a request or an answer. `None` when it cannot be read.
pub(crate) fn payload(headers: &HeaderMap, data: Bytes) -> Option<Payload> {
    let mut given = BTreeMap::new();
    for (name, value) in headers {
        if let Some(name) = name.as_str().strip_prefix("content-")
            && !matches!(name, "length" | "encoding")
        {
            given.insert(name.to_owned(), value.as_bytes().to_vec());
        }
    }
    let made = |pairs: &[(&str, &str)], data: Bytes| {
        let metadata = pairs.iter().map(|(key, value)| {
            let value = Bytes::copy_from_slice(value.as_bytes());
            ((*key).to_owned(), value)
        });
        Some(Payload {
            metadata: metadata.collect(),
            data,
            ..Payload::default()
        })
    };
    if given.is_empty() && data.is_empty() {
        return made(&[("encoding", "binary/null")], data);
    }
    let media = given
        .get("type")
        .and_then(|kind| std::str::from_utf8(kind).ok());
    let (kind, parameters) = media_type(media.unwrap_or_default());
    let parameter = |name: &str| parameters.get(name).map_or("", String::as_str);
    let message_type = parameter("message-type");
    match (given.len(), kind.as_str(), parameters.len()) {
        (1, WHOLE, _) => Payload::decode(data).ok(),
        (1, "application/json", 0) => made(&[("encoding", "json/plain")], data),
        (1, "application/octet-stream", 0) => made(&[("encoding", "binary/plain")], data),
        (1, "application/json", 2)
            if parameter("format") == "protobuf" && !message_type.is_empty() =>
        {
            let pairs = [("encoding", "json/protobuf"), ("messageType", message_type)];
            made(&pairs, data)
        }
        (1, "application/x-protobuf", 1) if !message_type.is_empty() => {
            let pairs = [
                ("encoding", "binary/protobuf"),
                ("messageType", message_type),
            ];
            made(&pairs, data)
        }
        _ => {
            let unknown = (
                "encoding".to_owned(),
                Bytes::from_static(UNKNOWN.as_bytes()),
            );
            let given = given.into_iter().map(|(key, value)| (key, value.into()));
            Some(Payload {
                metadata: given.chain([unknown]).collect(),
                data,
                ..Payload::default()
            })
        }
    }
}

fn media_type(text: &str) -> (String, BTreeMap<String, String>) {
    let mut parts = text.split(';').map(str::trim);
    let kind = parts.next().unwrap_or_default().to_ascii_lowercase();
    let parameters = parts.filter_map(|part| part.split_once('='));
    let parameters = parameters.map(|(name, value)| {
        let value = value.trim_matches('"').to_owned();
        (name.to_ascii_lowercase(), value)
    });
    (kind, parameters.collect())
}

/// Whether a body is JSON.
pub(crate) fn is_json(headers: &HeaderMap) -> bool {
    let kind = headers.get("content-type").and_then(|v| v.to_str().ok());
    kind.is_some_and(|kind| media_type(kind).0 == "application/json")
}

/// A span such as `7.5s`, `500ms` or `2m`.
pub(crate) fn span(text: &str) -> Option<Duration> {
    let digits = text.find(|c: char| c.is_ascii_alphabetic())?;
    let (number, unit) = text.split_at_checked(digits)?;
    let number: f64 = number.parse().ok()?;
    let seconds = match unit {
        "ms" => number / 1000.0,
        "s" => number,
        "m" => number * 60.0,
        _ => return None,
    };
    Duration::try_from_secs_f64(seconds).ok()
}

/// Each type of handler error, and the status of an answer that carries it.
const CODES: [(&str, u16); 11] = [
    ("BAD_REQUEST", 400),
    ("UNAUTHENTICATED", 401),
    ("UNAUTHORIZED", 403),
    ("NOT_FOUND", 404),
    ("REQUEST_TIMEOUT", 408),
    ("CONFLICT", 409),
    ("RESOURCE_EXHAUSTED", 429),
    ("INTERNAL", 500),
    ("NOT_IMPLEMENTED", 501),
    ("UNAVAILABLE", 503),
    ("UPSTREAM_TIMEOUT", 520),
];

/// An operation that failed or was cancelled is not an error of the protocol.
pub(crate) const OPERATION_UNSUCCESSFUL: StatusCode = StatusCode::FAILED_DEPENDENCY;

/// The status of a handler's error.
pub(crate) fn status_of(error_type: &str) -> StatusCode {
    let code = CODES.iter().find(|(name, _)| *name == error_type);
    code.and_then(|(_, code)| StatusCode::from_u16(*code).ok())
        .unwrap_or(StatusCode::INTERNAL_SERVER_ERROR)
}

/// The handler's error that a status stands for.
pub(crate) fn error_type_of(status: StatusCode) -> Option<&'static str> {
    let code = CODES.iter().find(|(_, code)| *code == status.as_u16());
    code.map(|(name, _)| *name)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn headers(pairs: &BTreeMap<String, String>) -> HeaderMap {
        let mut headers = HeaderMap::new();
        for (name, value) in pairs {
            let name: http::HeaderName = format!("content-{name}").parse().unwrap();
            headers.insert(name, value.parse().unwrap());
        }
        headers
    }

    #[test]
    fn a_payload_comes_back_as_it_was() {
        let payload_of = |pairs: &[(&str, &str)], data: &'static str| Payload {
            metadata: pairs
                .iter()
                .map(|(k, v)| ((*k).to_owned(), Bytes::copy_from_slice(v.as_bytes())))
                .collect(),
            data: data.into(),
            ..Payload::default()
        };
        for one in [
            payload_of(&[("encoding", "json/plain")], "1"),
            payload_of(&[("encoding", "json/plain"), ("more", "x")], "1"),
            payload_of(&[("encoding", "binary/plain")], "1"),
            payload_of(&[("encoding", "binary/null")], ""),
            payload_of(
                &[("encoding", "json/protobuf"), ("messageType", "a.B")],
                "{}",
            ),
            payload_of(
                &[("encoding", "binary/protobuf"), ("messageType", "a.B")],
                "x",
            ),
            payload_of(&[("encoding", UNKNOWN), ("type", "text/html")], "x"),
            payload_of(&[], "x"),
        ] {
            let (pairs, data) = content(Some(one.clone()));
            assert_eq!(payload(&headers(&pairs), data), Some(one));
        }
    }

    #[test]
    fn links_and_spans_are_read() {
        let link = Link {
            url: "temporal:///x?y=1".into(),
            r#type: "t".into(),
        };
        let mut headers = HeaderMap::new();
        headers.insert("nexus-link", link_header(&link).parse().unwrap());
        assert_eq!(links(&headers), Some(vec![link]));
        headers.insert("nexus-link", "nonsense".parse().unwrap());
        assert_eq!(links(&headers), None);
        assert_eq!(span("7.5s"), Some(Duration::from_millis(7500)));
        assert_eq!(span("250ms"), Some(Duration::from_millis(250)));
        assert_eq!(span("2m"), Some(Duration::from_secs(120)));
        for wrong in ["", "5", "s", "-1s", "1h2", "5d"] {
            assert_eq!(span(wrong), None, "{wrong}");
        }
    }

    #[test]
    fn each_error_has_its_status() {
        for (name, _) in CODES {
            assert_eq!(error_type_of(status_of(name)), Some(name));
        }
        assert_eq!(status_of("?"), StatusCode::INTERNAL_SERVER_ERROR);
        assert_eq!(error_type_of(StatusCode::IM_A_TEAPOT), None);
    }
}
