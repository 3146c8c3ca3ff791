//! What an endpoint may be (behaviour, sections 3.1 and 10.2). All that is wrong is said at once.

use prost::Message as _;
use proto::temporal::api::nexus::v1::EndpointSpec;
use proto::temporal::api::nexus::v1::endpoint_target::Variant;

use crate::limits::Limits;
use crate::rejection::Rejection;

/// Bytes of a name.
const NAME_MAX: usize = 200;
/// Bytes of an external target's address.
const URL_MAX: usize = 4096;
/// Bytes of a description.
const DESCRIPTION_MAX: usize = 20_000;

/// Checks what an endpoint is to be. `namespace_exists` says whether a target's namespace is there.
///
/// # Errors
/// INVALID_ARGUMENT with all that is wrong; FAILED_PRECONDITION for an unknown namespace.
pub fn check(
    spec: Option<&EndpointSpec>,
    namespace_exists: impl Fn(&str) -> bool,
    limits: &Limits,
) -> Result<(), Rejection> {
    let none = EndpointSpec::default();
    let spec = spec.unwrap_or(&none);
    let mut issues = Vec::new();
    check_name(&spec.name, &mut issues);
    match spec.target.as_ref().and_then(|t| t.variant.as_ref()) {
        None => {
            issues.push("empty target variant".to_owned());
            return Err(Rejection::invalid(issues.join(", ")));
        }
        Some(Variant::Worker(worker)) => {
            if worker.namespace.is_empty() {
                issues.push("target namespace not set".to_owned());
            } else if !namespace_exists(&worker.namespace) {
                return Err(Rejection::FailedPrecondition(format!(
                    "could not verify namespace referenced by target exists: \
                     Namespace {} is not found.",
                    worker.namespace
                )));
            }
            if let Some(issue) = queue_issue(&worker.task_queue, limits) {
                issues.push(format!("invalid target task queue: \"{issue}\""));
            }
        }
        Some(Variant::External(external)) => issues.extend(url_issue(&external.url)),
    }
    let description = spec.description.as_ref().map_or(0, |d| d.encoded_len());
    if description > DESCRIPTION_MAX {
        issues.push(format!(
            "description size exceeds limit of {DESCRIPTION_MAX}"
        ));
    }
    if issues.is_empty() {
        return Ok(());
    }
    Err(Rejection::invalid(issues.join(", ")))
}

fn check_name(name: &str, issues: &mut Vec<String>) {
    if name.is_empty() {
        issues.push("endpoint name not set".to_owned());
        return;
    }
    if name.len() > NAME_MAX {
        issues.push(format!("endpoint name exceeds length limit of {NAME_MAX}"));
    }
    let word = |b: &u8| b.is_ascii_alphanumeric();
    let (first, last) = (name.as_bytes().first(), name.as_bytes().last());
    let sound = name.len() >= 2
        && first.is_some_and(u8::is_ascii_alphabetic)
        && last.is_some_and(word)
        && name.bytes().all(|b| word(&b) || b == b'-');
    if !sound {
        issues.push(
            r#"endpoint name must match the regex: "^[a-zA-Z][a-zA-Z0-9\\-]*[a-zA-Z0-9]$""#.into(),
        );
    }
}

fn queue_issue(name: &str, limits: &Limits) -> Option<&'static str> {
    if name.is_empty() {
        Some("taskQueue is not set")
    } else if name.len() > limits.id_length_max {
        Some("taskQueue length exceeds limit")
    } else if name.starts_with("/_sys/") {
        Some("task queue name cannot start with reserved prefix /_sys/")
    } else {
        None
    }
}

fn url_issue(url: &str) -> Option<String> {
    if url.is_empty() {
        return Some("empty target URL".to_owned());
    }
    if url.len() > URL_MAX {
        return Some(format!("target URL length exceeds limit of {URL_MAX}"));
    }
    let wrong = |why: &str| Some(format!("invalid target URL: parse {url:?}: {why}"));
    if url.bytes().any(|b| b.is_ascii_control()) {
        return wrong("net/url: invalid control character in URL");
    }
    let scheme = match url.split_once(':') {
        Some(("", _)) => return wrong("missing protocol scheme"),
        Some((scheme, _)) if is_scheme(scheme) => scheme.to_ascii_lowercase(),
        _ => String::new(),
    };
    let host = host(url);
    if let Some(odd) = host.chars().find(|c| matches!(c, ' ' | '<' | '>' | '"')) {
        return wrong(&format!(
            "invalid character {:?} in host name",
            odd.to_string()
        ));
    }
    if scheme != "http" && scheme != "https" {
        return Some(format!(
            "invalid target URL scheme: \"{scheme}\", expected http or https"
        ));
    }
    None
}

fn is_scheme(text: &str) -> bool {
    text.starts_with(|c: char| c.is_ascii_alphabetic())
        && text
            .bytes()
            .all(|b| b.is_ascii_alphanumeric() || matches!(b, b'+' | b'-' | b'.'))
}

/// The host and port of an address, without a user.
pub(super) fn host(url: &str) -> &str {
    let rest = url.split_once("://").map_or("", |(_, rest)| rest);
    let authority = rest.split(['/', '?', '#']).next().unwrap_or_default();
    authority
        .rsplit_once('@')
        .map_or(authority, |(_, host)| host)
}

#[cfg(test)]
mod tests {
    use proto::temporal::api::nexus::v1::EndpointTarget;
    use proto::temporal::api::nexus::v1::endpoint_target::{External, Worker};

    use super::*;

    fn found(name: &str, variant: Option<Variant>) -> String {
        let spec = EndpointSpec {
            name: name.into(),
            target: Some(EndpointTarget { variant }),
            ..EndpointSpec::default()
        };
        match check(Some(&spec), |n| n == "default", &Limits::default()) {
            Ok(()) => String::new(),
            Err(rejection) => rejection.to_string(),
        }
    }

    fn worker(namespace: &str, task_queue: &str) -> Option<Variant> {
        Some(Variant::Worker(Worker {
            namespace: namespace.into(),
            task_queue: task_queue.into(),
        }))
    }

    fn external(url: &str) -> Option<Variant> {
        Some(Variant::External(External { url: url.into() }))
    }

    #[test]
    fn each_issue_has_its_text() {
        let regex = r#"endpoint name must match the regex: "^[a-zA-Z][a-zA-Z0-9\\-]*[a-zA-Z0-9]$""#;
        let long = "a".repeat(201);
        let unknown =
            "could not verify namespace referenced by target exists: Namespace zz is not found.";
        let table = [
            ("", None, "endpoint name not set, empty target variant"),
            ("a_", worker("default", "q"), regex),
            ("a", worker("default", "q"), regex),
            ("a-", worker("default", "q"), regex),
            ("1a", worker("default", "q"), regex),
            ("a-1", worker("default", "q"), ""),
            (
                &long,
                worker("default", "q"),
                "endpoint name exceeds length limit of 200",
            ),
            (
                "ab",
                worker("default", ""),
                "invalid target task queue: \"taskQueue is not set\"",
            ),
            (
                "ab",
                worker("default", "/_sys/x"),
                "invalid target task queue: \"task queue name cannot start with reserved prefix /_sys/\"",
            ),
            ("ab", worker("", "q"), "target namespace not set"),
            ("", worker("zz", "q"), unknown),
            ("ab", external(""), "empty target URL"),
            (
                "ab",
                external("foo"),
                "invalid target URL scheme: \"\", expected http or https",
            ),
            (
                "ab",
                external("ftp://x"),
                "invalid target URL scheme: \"ftp\", expected http or https",
            ),
            (
                "ab",
                external(":foo"),
                "invalid target URL: parse \":foo\": missing protocol scheme",
            ),
            (
                "ab",
                external("http://a b"),
                "invalid target URL: parse \"http://a b\": invalid character \" \" in host name",
            ),
            ("ab", external("https://h:1/p?q"), ""),
        ];
        for (name, variant, text) in table {
            assert_eq!(found(name, variant.clone()), text, "{name} {variant:?}");
        }
    }
}
