//! JSON in and out of payloads.

use std::collections::BTreeMap;

use bytes::Bytes;
use proto::temporal::api::common::v1::{Payload, Payloads};
use serde::Serialize;
use serde::de::DeserializeOwned;

/// One payload of JSON.
pub fn of_json(value: &impl Serialize) -> Payloads {
    // Only maps with keys that are no strings fail, and no caller has one.
    of_bytes(serde_json::to_vec(value).unwrap_or_default().into())
}

/// One payload of these bytes, said to be JSON.
pub fn of_bytes(data: Bytes) -> Payloads {
    let encoding = (String::from("encoding"), Bytes::from_static(b"json/plain"));
    let metadata = BTreeMap::from([encoding]);
    Payloads {
        payloads: vec![Payload {
            metadata,
            data,
            external_payloads: vec![],
        }],
    }
}

/// The first payload as JSON, or nothing if it is none.
pub fn to_json<T: DeserializeOwned>(payloads: Option<&Payloads>) -> Option<T> {
    let payload = payloads?.payloads.first()?;
    serde_json::from_slice(&payload.data).ok()
}
