//! Messages as JSON: the canonical form, with enum values also by their short names on the way in,
//! and, unless a client does not want it, payloads that hold JSON shown as that JSON.

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, STANDARD_NO_PAD, URL_SAFE, URL_SAFE_NO_PAD};
use prost::Message;
use prost_reflect::{
    DynamicMessage, EnumDescriptor, EnumValueDescriptor, FieldDescriptor, Kind, MapKey,
    MessageDescriptor, ReflectMessage, Value as Field,
};
use serde_json::{Map, Value};

use super::definition::Definition;
use super::format::Format;
use crate::error::WireError;

const PAYLOAD: &str = "temporal.api.common.v1.Payload";
const PAYLOADS: &str = "temporal.api.common.v1.Payloads";
const ANY: &str = "google.protobuf.Any";
/// Marks JSON that is a message's.
const MESSAGE_TYPE: &str = "_protoMessageType";

/// Reads a body. An empty one is an empty message.
pub(super) fn read(
    text: &[u8],
    message: &MessageDescriptor,
    shorthand: bool,
) -> Result<DynamicMessage, String> {
    if text.iter().all(u8::is_ascii_whitespace) {
        return Ok(DynamicMessage::new(message.clone()));
    }
    // What follows the message is nobody's.
    let mut values = serde_json::Deserializer::from_slice(text).into_iter::<Value>();
    let value = values.next().unwrap_or(Ok(Value::Null));
    let mut value = value.map_err(|error| error.to_string())?;
    Reader { shorthand }.message(&mut value, message)?;
    DynamicMessage::deserialize(message.clone(), value).map_err(|error| error.to_string())
}

/// Writes a reply.
pub(super) fn write(message: &DynamicMessage, format: Format) -> Result<Vec<u8>, String> {
    let mut text = Vec::new();
    let writer = Writer {
        shorthand: format.shorthand,
    };
    writer.message(message, &mut text)?;
    if format.pretty {
        text = laid_out(&text, Some("  "));
    }
    Ok(text)
}

/// Writes an error as the status message that it is in gRPC.
pub(super) fn write_error(error: &WireError, format: Format) -> Result<Vec<u8>, String> {
    let definition = Definition::get().map_err(|error| error.message)?;
    let status = proto::google::rpc::Status {
        code: error.code as i32,
        message: error.message.clone(),
        details: error.details.clone().into_iter().collect(),
    };
    let descriptor = definition.pool.get_message_by_name("google.rpc.Status");
    let descriptor = descriptor.ok_or("the definition has no status")?;
    let bytes = status.encode_to_vec();
    let message = DynamicMessage::decode(descriptor, bytes.as_slice());
    write(&message.map_err(|error| error.to_string())?, format)
}

/// Bytes in any of the alphabets of base64, with or without padding.
pub(super) fn bytes(text: &str) -> Option<Vec<u8>> {
    let padded = text.len().is_multiple_of(4);
    let read = match (text.contains(['-', '_']), padded) {
        (false, true) => STANDARD.decode(text),
        (false, false) => STANDARD_NO_PAD.decode(text),
        (true, true) => URL_SAFE.decode(text),
        (true, false) => URL_SAFE_NO_PAD.decode(text),
    };
    read.ok()
}

/// A value of an enum by its name, or by the short one: `UseExisting` for
/// `WORKFLOW_ID_CONFLICT_POLICY_USE_EXISTING`.
pub(super) fn enum_value(known: &EnumDescriptor, name: &str) -> Option<EnumValueDescriptor> {
    if let Some(value) = known.get_value_by_name(name) {
        return Some(value);
    }
    let prefix = format!("{}_", upper_snake(known.name()));
    known.values().find(|value| {
        let short = value.name().strip_prefix(&prefix).map(pascal);
        short.as_deref() == Some(name)
    })
}

fn upper_snake(name: &str) -> String {
    let mut snake = String::new();
    for letter in name.chars() {
        if letter.is_ascii_uppercase() && !snake.is_empty() {
            snake.push('_');
        }
        snake.push(letter.to_ascii_uppercase());
    }
    snake
}

fn pascal(name: &str) -> String {
    let words = name.split('_').map(|word| {
        let (first, rest) = word.split_at(word.len().min(1));
        first.to_owned() + &rest.to_ascii_lowercase()
    });
    words.collect()
}

/// A walk over JSON along the definition of its message, which changes what our JSON has of its own into the
/// canonical form.
#[derive(Clone, Copy)]
struct Reader {
    shorthand: bool,
}

impl Reader {
    fn message(self, value: &mut Value, message: &MessageDescriptor) -> Result<(), String> {
        match (message.full_name(), &mut *value) {
            (PAYLOAD, value) if self.shorthand => return expand(value),
            (PAYLOADS, Value::Array(list)) if self.shorthand => {
                list.iter_mut().try_for_each(expand)?;
                let list = Value::Array(std::mem::take(list));
                *value = Value::Object(Map::from_iter([("payloads".to_owned(), list)]));
                return Ok(());
            }
            (name, _) if name.starts_with("google.protobuf.") => return Ok(()),
            _ => {}
        }
        self.fields(value, message)
    }

    fn fields(self, value: &mut Value, message: &MessageDescriptor) -> Result<(), String> {
        let Value::Object(fields) = value else {
            return Ok(());
        };
        for (name, value) in fields {
            let field = message.get_field_by_json_name(name);
            if let Some(field) = field.or_else(|| message.get_field_by_name(name)) {
                self.field(value, &field)?;
            }
        }
        Ok(())
    }

    fn field(self, value: &mut Value, field: &FieldDescriptor) -> Result<(), String> {
        if field.is_map() {
            let (Value::Object(entries), Kind::Message(entry)) = (value, field.kind()) else {
                return Ok(());
            };
            let kind = entry.map_entry_value_field().kind();
            let mut values = entries.values_mut();
            return values.try_for_each(|value| self.single(value, &kind));
        }
        let kind = field.kind();
        match value {
            Value::Array(list) if field.is_list() => list
                .iter_mut()
                .try_for_each(|value| self.single(value, &kind)),
            // A field that is null is a field that is absent.
            Value::Null => Ok(()),
            value => self.single(value, &kind),
        }
    }

    fn single(self, value: &mut Value, kind: &Kind) -> Result<(), String> {
        match kind {
            Kind::Message(message) => self.message(value, message),
            Kind::Enum(known) => {
                let found = value.as_str().and_then(|name| enum_value(known, name));
                if let Some(found) = found {
                    *value = Value::String(found.name().to_owned());
                }
                Ok(())
            }
            _ => Ok(()),
        }
    }
}

/// A payload in its long form.
fn long(metadata: &[(&str, &[u8])], data: Option<&[u8]>) -> Value {
    let metadata = metadata.iter().map(|(name, value)| {
        let value = Value::String(STANDARD.encode(value));
        ((*name).to_owned(), value)
    });
    let mut payload = Map::new();
    payload.insert("metadata".to_owned(), Value::Object(metadata.collect()));
    if let Some(data) = data {
        payload.insert("data".to_owned(), Value::String(STANDARD.encode(data)));
    }
    Value::Object(payload)
}

/// Whether JSON can only be a payload's long form: metadata with an encoding, data, and all in base64.
fn is_long(value: &Value) -> bool {
    let Some(metadata) = value.get("metadata").and_then(Value::as_object) else {
        return false;
    };
    let in_base64 = |value: &Value| value.as_str().and_then(bytes);
    let encoding = metadata.get("encoding").and_then(in_base64);
    match value.get("data") {
        None => encoding.as_deref() == Some(b"binary/null"),
        Some(data) => {
            value.as_object().is_some_and(|payload| payload.len() == 2)
                && in_base64(data).is_some()
                && encoding.is_some()
                && metadata.values().all(|value| in_base64(value).is_some())
        }
    }
}

/// The long form of a payload that may be in either.
fn expand(value: &mut Value) -> Result<(), String> {
    if is_long(value) {
        return Ok(());
    }
    let kind = value
        .as_object_mut()
        .and_then(|object| object.remove(MESSAGE_TYPE));
    let text = |value: &Value| serde_json::to_vec(value).map_err(|error| error.to_string());
    *value = match (&*value, kind) {
        (Value::Null, _) => long(&[("encoding", b"binary/null")], None),
        (value, None) => long(&[("encoding", b"json/plain")], Some(&text(value)?)),
        (value, Some(Value::String(kind))) => long(
            &[
                ("encoding", b"json/protobuf"),
                ("messageType", kind.as_bytes()),
            ],
            Some(&text(value)?),
        ),
        (_, Some(_)) => return Err(format!("{MESSAGE_TYPE} must be the name of a message")),
    };
    Ok(())
}

/// Writes messages in the canonical form, but for payloads. Directly, without a tree in between: what a payload
/// holds is shown as it is, with every digit of its numbers.
#[derive(Clone, Copy)]
struct Writer {
    shorthand: bool,
}

impl Writer {
    fn message(self, message: &DynamicMessage, text: &mut Vec<u8>) -> Result<(), String> {
        match message.descriptor().full_name() {
            PAYLOAD if self.shorthand => {
                if let Some(short) = short(message) {
                    text.extend(short);
                    return Ok(());
                }
            }
            PAYLOADS if self.shorthand => {
                if let Some(short) = all_short(message) {
                    text.extend(short);
                    return Ok(());
                }
            }
            ANY => return self.any(message, text),
            name if name.starts_with("google.protobuf.") => return json(message, text),
            _ => {}
        }
        self.object(None, message, text)
    }

    fn any(self, message: &DynamicMessage, text: &mut Vec<u8>) -> Result<(), String> {
        let field = |name| message.get_field_by_name(name);
        let kind = field("type_url");
        let kind = kind
            .as_deref()
            .and_then(|kind| kind.as_str())
            .unwrap_or_default();
        let value = field("value").and_then(|value| value.as_bytes().cloned());
        let name = kind.rsplit('/').next().unwrap_or_default();
        let pool = message.descriptor().parent_pool().clone();
        let known = pool.get_message_by_name(name);
        let known = known.ok_or_else(|| format!("{name} is not known"))?;
        let inner = DynamicMessage::decode(known, value.unwrap_or_default());
        self.object(Some(kind), &inner.map_err(|error| error.to_string())?, text)
    }

    fn object(
        self,
        kind: Option<&str>,
        message: &DynamicMessage,
        text: &mut Vec<u8>,
    ) -> Result<(), String> {
        text.push(b'{');
        let mut fields = Vec::new();
        if let Some(kind) = kind {
            text.extend(br#""@type":"#);
            json(kind, text)?;
            fields.push(());
        }
        for (field, value) in message.fields() {
            if !fields.is_empty() {
                text.push(b',');
            }
            fields.push(());
            json(field.json_name(), text)?;
            text.push(b':');
            self.value(value, &field.kind(), text)?;
        }
        text.push(b'}');
        Ok(())
    }

    fn value(self, value: &Field, kind: &Kind, text: &mut Vec<u8>) -> Result<(), String> {
        match (value, kind) {
            (Field::List(list), kind) => {
                text.push(b'[');
                for (at, value) in list.iter().enumerate() {
                    if at > 0 {
                        text.push(b',');
                    }
                    self.value(value, kind, text)?;
                }
                text.push(b']');
                Ok(())
            }
            (Field::Map(map), Kind::Message(entry)) => {
                let mut entries: Vec<_> = map
                    .iter()
                    .map(|(key, value)| (key_text(key), value))
                    .collect();
                entries.sort_by(|(one, _), (other, _)| one.cmp(other));
                text.push(b'{');
                for (at, (key, value)) in entries.into_iter().enumerate() {
                    if at > 0 {
                        text.push(b',');
                    }
                    json(&key, text)?;
                    text.push(b':');
                    self.value(value, &entry.map_entry_value_field().kind(), text)?;
                }
                text.push(b'}');
                Ok(())
            }
            (Field::Message(message), _) => self.message(message, text),
            (Field::EnumNumber(number), Kind::Enum(known)) => match known.get_value(*number) {
                Some(value) => json(value.name(), text),
                None => json(number, text),
            },
            (Field::Bool(value), _) => json(value, text),
            (Field::I32(value) | Field::EnumNumber(value), _) => json(value, text),
            (Field::U32(value), _) => json(value, text),
            (Field::I64(value), _) => json(&value.to_string(), text),
            (Field::U64(value), _) => json(&value.to_string(), text),
            (Field::F32(value), _) if value.is_finite() => json(value, text),
            (Field::F64(value), _) if value.is_finite() => json(value, text),
            (Field::F32(value), _) => json(odd_number(f64::from(*value)), text),
            (Field::F64(value), _) => json(odd_number(*value), text),
            (Field::String(value), _) => json(value, text),
            (Field::Bytes(value), _) => json(&STANDARD.encode(value), text),
            (Field::Map(_), _) => Err("a map whose entries are no messages".to_owned()),
        }
    }
}

fn json(value: &(impl serde::Serialize + ?Sized), text: &mut Vec<u8>) -> Result<(), String> {
    serde_json::to_writer(text, value).map_err(|error| error.to_string())
}

fn odd_number(value: f64) -> &'static str {
    if value.is_nan() {
        "NaN"
    } else if value > 0.0 {
        "Infinity"
    } else {
        "-Infinity"
    }
}

fn key_text(key: &MapKey) -> String {
    match key {
        MapKey::Bool(key) => key.to_string(),
        MapKey::I32(key) => key.to_string(),
        MapKey::I64(key) => key.to_string(),
        MapKey::U32(key) => key.to_string(),
        MapKey::U64(key) => key.to_string(),
        MapKey::String(key) => key.clone(),
    }
}

/// The short form of a payload, if it has one.
fn short(payload: &DynamicMessage) -> Option<Vec<u8>> {
    let metadata = payload.get_field_by_name("metadata")?;
    let metadata = metadata.as_map()?;
    let entry = |name: &str| metadata.get(&MapKey::String(name.to_owned()))?.as_bytes();
    let data = payload.get_field_by_name("data")?;
    let data = data.as_bytes()?;
    serde_json::from_slice::<serde::de::IgnoredAny>(data).ok()?;
    let data = laid_out(data, None);
    match (entry("encoding")?.as_ref(), metadata.len()) {
        // Read back, a bare null would be a field that is absent.
        (b"json/plain", 1) if data == b"null" => Some(void()),
        (b"json/plain", 1) => Some(data),
        (b"json/protobuf", 2) => {
            let kind = std::str::from_utf8(entry("messageType")?).ok()?;
            let rest = data.strip_prefix(b"{")?;
            let mut text = format!("{{\"{MESSAGE_TYPE}\":{}", Value::from(kind)).into_bytes();
            if rest != b"}" {
                text.push(b',');
            }
            text.extend(rest);
            Some(text)
        }
        _ => None,
    }
}

/// The short form of a list of payloads: only if each of them has one, or says nothing.
fn all_short(payloads: &DynamicMessage) -> Option<Vec<u8>> {
    let list = payloads.get_field_by_name("payloads")?;
    let mut text = b"[".to_vec();
    for (at, payload) in list.as_list()?.iter().enumerate() {
        if at > 0 {
            text.push(b',');
        }
        let payload = payload.as_message()?;
        text.extend(short(payload).or_else(|| says_nothing(payload).then(void))?);
    }
    text.push(b']');
    Some(text)
}

fn says_nothing(payload: &DynamicMessage) -> bool {
    let metadata = payload.get_field_by_name("metadata");
    let encoding = metadata.as_deref().and_then(|metadata| {
        let key = MapKey::String("encoding".to_owned());
        metadata.as_map()?.get(&key)?.as_bytes()
    });
    encoding.is_some_and(|encoding| encoding.as_ref() == b"binary/null")
}

/// The payload that says nothing.
fn void() -> Vec<u8> {
    long(&[("encoding", b"binary/null")], None)
        .to_string()
        .into_bytes()
}

/// JSON without blanks, or with a line for every part.
fn laid_out(json: &[u8], indent: Option<&str>) -> Vec<u8> {
    let mut text = Vec::with_capacity(json.len());
    let mut depth: usize = 0;
    let line = |text: &mut Vec<u8>, depth: usize| {
        if let Some(indent) = indent {
            text.push(b'\n');
            text.extend(indent.repeat(depth).as_bytes());
        }
    };
    let mut all = json.iter().copied().peekable();
    while let Some(byte) = all.next() {
        match byte {
            b'"' => {
                text.push(byte);
                // To the end of the text; what is escaped ends nothing.
                while let Some(byte) = all.next() {
                    text.push(byte);
                    match byte {
                        b'"' => break,
                        b'\\' => text.extend(all.next()),
                        _ => {}
                    }
                }
            }
            byte if byte.is_ascii_whitespace() => {}
            b'{' | b'[' => {
                text.push(byte);
                while all.next_if(u8::is_ascii_whitespace).is_some() {}
                if let Some(end) = all.next_if(|next| matches!(next, b'}' | b']')) {
                    text.push(end);
                } else {
                    depth += 1;
                    line(&mut text, depth);
                }
            }
            b'}' | b']' => {
                depth = depth.saturating_sub(1);
                line(&mut text, depth);
                text.push(byte);
            }
            b',' => {
                text.push(byte);
                line(&mut text, depth);
            }
            b':' if indent.is_some() => text.extend(b": "),
            byte => text.push(byte),
        }
    }
    text
}
