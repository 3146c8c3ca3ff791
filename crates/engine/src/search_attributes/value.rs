//! One value: from a payload to its type and back.
//!
//! Values are JSON. The texts for those that do not fit follow the reference, which prints them as
//! Go does.

use std::fmt::Write as _;

use proto::temporal::api::common::v1::Payload;
use serde_json::Value as Json;

use super::SearchAttributeType;

/// Metadata key of a payload's encoding.
pub(super) const ENCODING: &str = "encoding";
/// Metadata key of an attribute's type.
pub(super) const TYPE: &str = "type";
const JSON: &[u8] = b"json/plain";
const NONE: &[u8] = b"binary/null";

/// A value of an attribute.
#[derive(Clone, Debug, PartialEq)]
pub enum Value {
    /// Searched by word.
    Text(String),
    /// Compared as a whole.
    Keyword(String),
    /// An integer.
    Int(i64),
    /// A number.
    Double(f64),
    /// A truth value.
    Bool(bool),
    /// Nanoseconds since the epoch; years before 1678 and after 2261 are clamped.
    Datetime(i64),
    /// A set of keywords, in the order given.
    KeywordList(Vec<String>),
}

/// A payload that is not a value of the type wanted; holds the value as messages print it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Undecodable(pub String);

/// Whether a payload says that there is no value: `null`, an empty list, or no data at all.
pub(super) fn is_none(payload: &Payload) -> bool {
    match payload.metadata.get(ENCODING).map(|encoding| &encoding[..]) {
        Some(NONE) => true,
        Some(JSON) => matches!(payload.data.trim_ascii(), b"null" | b"[]"),
        _ => false,
    }
}

/// Reads a payload as a value of a type. None: it says that there is no value.
///
/// A list of one stands for its element in any type, as the reference has it.
pub fn decode(payload: &Payload, kind: SearchAttributeType) -> Result<Option<Value>, Undecodable> {
    if is_none(payload) {
        return Ok(None);
    }
    let json = (payload
        .metadata
        .get(ENCODING)
        .is_some_and(|encoding| encoding == JSON))
    .then(|| serde_json::from_slice::<Json>(&payload.data).ok())
    .flatten()
    .ok_or_else(|| Undecodable(raw(payload)))?;
    let list = match &json {
        Json::Array(list) => Some(list.as_slice()),
        _ => None,
    };
    let value = match (kind, list) {
        (SearchAttributeType::KeywordList, Some([Json::Array(inner)])) => keywords(inner),
        (SearchAttributeType::KeywordList, Some(list)) => keywords(list),
        (SearchAttributeType::KeywordList, None) => None,
        // An element that is null counts as the type's zero.
        (_, Some([element])) => single(element, kind, true),
        (_, Some(_)) => None,
        (_, None) => single(&json, kind, false),
    };
    value.map(Some).ok_or_else(|| Undecodable(printed(&json)))
}

fn keywords(list: &[Json]) -> Option<Value> {
    let words = list.iter().map(|item| match item {
        Json::String(word) => Some(word.clone()),
        Json::Null => Some(String::new()),
        _ => None,
    });
    words.collect::<Option<Vec<_>>>().map(Value::KeywordList)
}

fn single(json: &Json, kind: SearchAttributeType, null_is_zero: bool) -> Option<Value> {
    let null = null_is_zero && json.is_null();
    match kind {
        SearchAttributeType::Text => text(json, null).map(Value::Text),
        SearchAttributeType::Keyword => text(json, null).map(Value::Keyword),
        SearchAttributeType::Int => json.as_i64().or(null.then_some(0)).map(Value::Int),
        SearchAttributeType::Double => json.as_f64().or(null.then_some(0.0)).map(Value::Double),
        SearchAttributeType::Bool => json.as_bool().or(null.then_some(false)).map(Value::Bool),
        SearchAttributeType::Datetime => {
            json.as_str().and_then(parse_datetime).map(Value::Datetime)
        }
        SearchAttributeType::KeywordList => None,
    }
}

fn text(json: &Json, null: bool) -> Option<String> {
    json.as_str().or(null.then_some("")).map(str::to_owned)
}

impl Value {
    /// Its type.
    pub fn kind(&self) -> SearchAttributeType {
        match self {
            Self::Text(_) => SearchAttributeType::Text,
            Self::Keyword(_) => SearchAttributeType::Keyword,
            Self::Int(_) => SearchAttributeType::Int,
            Self::Double(_) => SearchAttributeType::Double,
            Self::Bool(_) => SearchAttributeType::Bool,
            Self::Datetime(_) => SearchAttributeType::Datetime,
            Self::KeywordList(_) => SearchAttributeType::KeywordList,
        }
    }

    /// As a payload of JSON with its type in the metadata: how the server itself sets attributes.
    pub fn to_payload(&self) -> Payload {
        let json = match self {
            Self::Text(text) | Self::Keyword(text) => Json::from(text.as_str()),
            Self::Int(number) => Json::from(*number),
            Self::Double(number) => Json::from(*number),
            Self::Bool(value) => Json::from(*value),
            Self::Datetime(nanos) => Json::from(format_datetime(*nanos)),
            Self::KeywordList(words) => Json::from(words.clone()),
        };
        let metadata = [(ENCODING, JSON), (TYPE, self.kind().name().as_bytes())];
        Payload {
            metadata: metadata
                .map(|(key, value)| (key.to_owned(), value.into()))
                .into(),
            data: json.to_string().into(),
            ..Payload::default()
        }
    }
}

/// Parses RFC 3339 with a zone, as strictly as the reference: upper-case `T` and `Z`, seconds, any
/// number of decimals. Nanoseconds since the epoch, clamped to what 64 bits hold.
pub fn parse_datetime(text: &str) -> Option<i64> {
    let (date, rest) = (text.get(..10)?, text.get(10..)?);
    let (time, rest) = (rest.get(..9)?, rest.get(9..)?);
    let [year, month, day] = numbers(date, [b'-'; 2], [4, 2, 2])?;
    let [hour, minute, second] = numbers(time.strip_prefix('T')?, [b':'; 2], [2; 3])?;
    let (fraction, zone) = match rest.strip_prefix('.') {
        Some(rest) => {
            let end = rest
                .find(|c: char| !c.is_ascii_digit())
                .unwrap_or(rest.len());
            rest.split_at_checked(end)
                .filter(|(digits, _)| !digits.is_empty())?
        }
        None => ("", rest),
    };
    // Four and two digits always fit; jiff knows which make a date and a time.
    let date = jiff::civil::Date::new(year as i16, month as i8, day as i8).ok()?;
    let time = jiff::civil::Time::new(hour as i8, minute as i8, second as i8, 0).ok()?;
    let epoch = jiff::civil::DateTime::constant(1970, 1, 1, 0, 0, 0, 0);
    let clock = date.to_datetime(time).duration_since(epoch);
    let seconds = i128::from(clock.as_secs()) - zone_seconds(zone)?;
    let nanos = seconds * 1_000_000_000 + fraction_ns(fraction);
    Some(nanos.clamp(i64::MIN.into(), i64::MAX.into()) as i64)
}

/// Three numbers of fixed widths with separators between them.
fn numbers(text: &str, separators: [u8; 2], widths: [usize; 3]) -> Option<[u16; 3]> {
    let mut parts = [0; 3];
    let mut rest = text;
    for (index, width) in widths.into_iter().enumerate() {
        let digits = rest.get(..width)?;
        if !digits.bytes().all(|byte| byte.is_ascii_digit()) {
            return None;
        }
        parts[index] = digits.parse().ok()?;
        rest = &rest[width..];
        if let Some(separator) = separators.get(index) {
            rest = rest.strip_prefix(char::from(*separator))?;
        }
    }
    rest.is_empty().then_some(parts)
}

fn fraction_ns(digits: &str) -> i128 {
    let places = digits.bytes().chain(std::iter::repeat(b'0')).take(9);
    places.fold(0, |nanos, digit| nanos * 10 + i128::from(digit - b'0'))
}

fn zone_seconds(zone: &str) -> Option<i128> {
    if zone == "Z" {
        return Some(0);
    }
    let (sign, rest) = match zone.as_bytes().first()? {
        b'+' => (1, &zone[1..]),
        b'-' => (-1, &zone[1..]),
        _ => return None,
    };
    let [hours, minutes, _] = numbers(&format!("{rest}:00"), [b':'; 2], [2; 3])?;
    (hours <= 24 && minutes < 60)
        .then(|| sign * (i128::from(hours) * 3600 + i128::from(minutes) * 60))
}

/// An instant in RFC 3339, UTC, with as many decimals as it needs.
fn format_datetime(nanos: i64) -> String {
    // Any 64-bit number of nanoseconds is within the range of jiff.
    jiff::Timestamp::from_nanosecond(nanos.into()).map_or_else(|_| String::new(), |t| t.to_string())
}

/// A value as Go prints it with `%v`.
fn printed(json: &Json) -> String {
    match json {
        Json::Null => "<nil>".to_owned(),
        Json::Bool(value) => value.to_string(),
        Json::Number(number) => go_float(number.as_f64().unwrap_or(f64::NAN)),
        Json::String(text) => text.clone(),
        Json::Array(list) => {
            let items: Vec<String> = list.iter().map(printed).collect();
            format!("[{}]", items.join(" "))
        }
        Json::Object(map) => {
            let mut items: Vec<_> = map.iter().collect();
            items.sort_by_key(|(key, _)| *key);
            let items: Vec<String> = items
                .into_iter()
                .map(|(key, value)| format!("{key}:{}", printed(value)))
                .collect();
            format!("map[{}]", items.join(" "))
        }
    }
}

/// A number as Go prints it with `%v`: the shortest digits, with an exponent of at least two
/// places when it is below −4 or above 5.
pub(crate) fn go_float(number: f64) -> String {
    let scientific = format!("{number:e}");
    let Some((mantissa, exponent)) = scientific.split_once('e') else {
        return match number {
            f64::INFINITY => "+Inf".to_owned(),
            f64::NEG_INFINITY => "-Inf".to_owned(),
            _ => "NaN".to_owned(),
        };
    };
    let exponent: i32 = exponent.parse().unwrap_or_default();
    if !(-4..6).contains(&exponent) {
        let sign = if exponent < 0 { '-' } else { '+' };
        return format!("{mantissa}e{sign}{:02}", exponent.unsigned_abs());
    }
    number.to_string()
}

/// A payload that is no JSON, as messages print it.
fn raw(payload: &Payload) -> String {
    let mut out = String::from("value from <");
    for (key, value) in &payload.metadata {
        let value = String::from_utf8_lossy(value);
        // Writing to a string cannot fail.
        let _ = write!(out, "metadata:{{key:{key:?} value:{value:?}}} ");
    }
    let _ = write!(out, "data:{:?}>", String::from_utf8_lossy(&payload.data));
    out
}
