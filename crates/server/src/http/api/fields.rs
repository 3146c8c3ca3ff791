//! Path and query parameters as fields of a message: `execution.runId=...`.

use prost_reflect::{DynamicMessage, FieldDescriptor, Kind, MapKey, MessageDescriptor, Value};

/// A field of a message, or of a message in it, and so on.
pub(super) type FieldPath = Vec<FieldDescriptor>;

/// Finds a field by its dotted name, each part as in the definition or as in JSON.
pub(super) fn find(message: &MessageDescriptor, name: &str) -> Option<FieldPath> {
    let mut path = Vec::new();
    let mut within = message.clone();
    for part in name.split('.') {
        if let Some(Kind::Message(inner)) = path.last().map(FieldDescriptor::kind) {
            within = inner;
        } else if !path.is_empty() {
            return None;
        }
        let field = within.get_field_by_json_name(part);
        path.push(field.or_else(|| within.get_field_by_name(part))?);
    }
    Some(path)
}

/// The message that a query string describes. What names no field is ignored, as is what the path says already.
pub(super) fn from_query(
    message: &MessageDescriptor,
    query: &str,
    in_path: &[FieldPath],
) -> Result<DynamicMessage, String> {
    let mut filled = DynamicMessage::new(message.clone());
    for pair in query.split('&').filter(|pair| !pair.is_empty()) {
        let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
        let (name, value) = (decoded(name, true), decoded(value, true));
        // An entry of a map is written name[key].
        let (name, key) = match name.strip_suffix(']').and_then(|name| name.split_once('[')) {
            Some((name, key)) => (name, Some(key)),
            None => (name.as_str(), None),
        };
        match find(message, name) {
            Some(path) if in_path.contains(&path) => {}
            Some(path) => put(&mut filled, &path, key, &value)?,
            None => {}
        }
    }
    Ok(filled)
}

/// Sets one field.
pub(super) fn set(
    message: &mut DynamicMessage,
    path: &FieldPath,
    text: &str,
) -> Result<(), String> {
    if let Some(field) = path.last()
        && !field.is_list()
        && let Some(parent) = parent(message, path)
    {
        parent.clear_field(field);
    }
    put(message, path, None, text)
}

fn put(
    message: &mut DynamicMessage,
    path: &FieldPath,
    key: Option<&str>,
    text: &str,
) -> Result<(), String> {
    let (Some(field), Some(parent)) = (path.last(), parent(message, path)) else {
        return Err("a parameter is below a field that is not a message".to_owned());
    };
    let wrong = |why: String| format!("parsing field \"{}\": {why}", field.name());
    if field.is_map() {
        let Kind::Message(entry) = field.kind() else {
            return Err(wrong("not a map".to_owned()));
        };
        let key = key.ok_or_else(|| wrong("a map needs a key, as in name[key]".to_owned()))?;
        let value = scalar(&entry.map_entry_value_field().kind(), text).map_err(wrong)?;
        if !matches!(entry.map_entry_key_field().kind(), Kind::String) {
            return Err(wrong("only maps by text are taken".to_owned()));
        }
        if let Some(map) = parent.get_field_mut(field).as_map_mut() {
            map.insert(MapKey::String(key.to_owned()), value);
        }
        return Ok(());
    }
    let value = scalar(&field.kind(), text).map_err(wrong)?;
    if field.is_list() {
        if let Some(list) = parent.get_field_mut(field).as_list_mut() {
            list.push(value);
        }
    } else if parent.has_field(field) {
        return Err(format!("too many values for field \"{}\"", field.name()));
    } else {
        parent.set_field(field, value);
    }
    Ok(())
}

/// The message in which the last field of a path is.
fn parent<'m>(message: &'m mut DynamicMessage, path: &FieldPath) -> Option<&'m mut DynamicMessage> {
    let mut within = message;
    for field in path.split_last()?.1 {
        within = within.get_field_mut(field).as_message_mut()?;
    }
    Some(within)
}

fn scalar(kind: &Kind, text: &str) -> Result<Value, String> {
    fn number<N: std::str::FromStr>(text: &str) -> Result<N, String>
    where
        N::Err: std::fmt::Display,
    {
        text.parse()
            .map_err(|error| format!("\"{text}\" is no value of this field: {error}"))
    }
    Ok(match kind {
        Kind::String => Value::String(text.to_owned()),
        Kind::Bool => match text {
            "true" | "True" | "TRUE" | "t" | "T" | "1" => Value::Bool(true),
            "false" | "False" | "FALSE" | "f" | "F" | "0" => Value::Bool(false),
            _ => return Err(format!("\"{text}\" is neither true nor false")),
        },
        Kind::Int32 | Kind::Sint32 | Kind::Sfixed32 => Value::I32(number(text)?),
        Kind::Int64 | Kind::Sint64 | Kind::Sfixed64 => Value::I64(number(text)?),
        Kind::Uint32 | Kind::Fixed32 => Value::U32(number(text)?),
        Kind::Uint64 | Kind::Fixed64 => Value::U64(number(text)?),
        Kind::Float => Value::F32(number(text)?),
        Kind::Double => Value::F64(number(text)?),
        Kind::Bytes => match super::json::bytes(text) {
            Some(bytes) => Value::Bytes(bytes.into()),
            None => return Err(format!("\"{text}\" is not in base64")),
        },
        Kind::Enum(known) => {
            let named = super::json::enum_value(known, text);
            match named.map(|value| value.number()).or(text.parse().ok()) {
                Some(number) => Value::EnumNumber(number),
                None => return Err(format!("\"{text}\" is not a valid value")),
            }
        }
        // Times, durations and the like have one text each.
        Kind::Message(known) => {
            let text = serde_json::Value::String(text.to_owned());
            let message = DynamicMessage::deserialize(known.clone(), text);
            Value::Message(message.map_err(|error| error.to_string())?)
        }
    })
}

/// Text of a URL: `%2F`, and in a query also `+`.
pub(super) fn decoded(text: &str, plus_is_blank: bool) -> String {
    let text = if plus_is_blank {
        text.replace('+', " ")
    } else {
        text.to_owned()
    };
    percent_encoding::percent_decode_str(&text)
        .decode_utf8_lossy()
        .into_owned()
}
