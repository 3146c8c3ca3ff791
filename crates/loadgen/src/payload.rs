//! Texts and JSON in and out of payloads.

use std::collections::BTreeMap;

use bytes::Bytes;
use proto::temporal::api::common::v1::{Payload, Payloads};
use serde::Serialize;
use serde::de::DeserializeOwned;

/// One payload in the encoding that every SDK and tool can read.
pub(crate) fn of_json(value: &impl Serialize) -> Payloads {
    // Only maps with keys that are no strings fail, and no caller has one.
    let data = serde_json::to_vec(value).unwrap_or_default();
    let encoding = (String::from("encoding"), Bytes::from_static(b"json/plain"));
    let metadata = BTreeMap::from([encoding]);
    Payloads {
        payloads: vec![Payload {
            metadata,
            data: data.into(),
            external_payloads: vec![],
        }],
    }
}

/// The first payload as JSON, or nothing if it is none.
pub(crate) fn to_json<T: DeserializeOwned>(payloads: Option<&Payloads>) -> Option<T> {
    let payload = payloads?.payloads.first()?;
    serde_json::from_slice(&payload.data).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_value_comes_back() {
        let payloads = of_json(&"echo-7");
        assert_eq!(
            to_json::<String>(Some(&payloads)).as_deref(),
            Some("echo-7")
        );
        assert_eq!(to_json::<u64>(Some(&payloads)), None);
        assert_eq!(to_json::<u64>(None), None);
    }
}
