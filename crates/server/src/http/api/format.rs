//! Which form of JSON a client sends and wants: indented or not, payloads short or not. The names
//! of the forms are part of the API, and so is that the plain one calls itself `*`.

use axum::http::{HeaderMap, Request, header};

/// A form of JSON.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Format {
    /// Indented, for people.
    pub(super) pretty: bool,
    /// Payloads that hold JSON are shown as that JSON.
    pub(super) shorthand: bool,
    /// The name of the form.
    pub(super) content_type: &'static str,
}

const FORMATS: [Format; 4] = [
    form(false, true, "*"),
    form(true, true, "application/json+pretty"),
    form(false, false, "application/json+no-payload-shorthand"),
    form(true, false, "application/json+pretty+no-payload-shorthand"),
];

const fn form(pretty: bool, shorthand: bool, content_type: &'static str) -> Format {
    Format {
        pretty,
        shorthand,
        content_type,
    }
}

impl Default for Format {
    fn default() -> Self {
        FORMATS[0]
    }
}

impl Format {
    /// The forms of a request and of its answer.
    pub(super) fn of<B>(request: &Request<B>) -> (Self, Self) {
        let inbound = named(request.headers(), header::CONTENT_TYPE).unwrap_or_default();
        let query = request.uri().query().unwrap_or_default();
        let flag = |name| {
            let mut pairs = query.split('&');
            pairs.any(|pair| pair.split('=').next() == Some(name))
        };
        let (pretty, long) = (flag("pretty"), flag("noPayloadShorthand"));
        let asked = if pretty || long {
            let mut all = FORMATS.into_iter();
            all.find(|format| format.pretty == pretty && format.shorthand != long)
        } else {
            named(request.headers(), header::ACCEPT)
        };
        (inbound, asked.unwrap_or(inbound))
    }
}

fn named(headers: &HeaderMap, header: header::HeaderName) -> Option<Format> {
    let mut values = headers.get_all(header).iter();
    values.find_map(|value| {
        let name = value.to_str().ok()?.split(';').next()?.trim();
        let mut all = FORMATS.into_iter();
        all.find(|format| format.content_type == name)
    })
}
