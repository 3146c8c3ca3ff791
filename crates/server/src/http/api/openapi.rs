//! The API as documents for tools: OpenAPI 3 as YAML, and Swagger 2 as JSON. Both are made of the
//! definition that requests are served by, when somebody asks for them.

use std::collections::{BTreeMap, BTreeSet};

use prost_reflect::{FieldDescriptor, Kind, MessageDescriptor};
use serde_json::{Map, Value, json};

use super::definition::{Definition, Route, json_name};
use super::fields::FieldPath;
use crate::grpc::SERVER_VERSION;

/// Query parameters may be fields of fields, so deep.
const QUERY_DEPTH_MAX: usize = 3;
const STATUS: &str = "google.rpc.Status";

/// The document in version 3 of its format.
pub(super) fn v3(definition: &Definition) -> String {
    let mut text = String::from("# Made from the definition that this server serves.\n");
    yaml(&mut text, &Document::write(definition, Version::V3), 0);
    text
}

/// The document in version 2 of its format.
pub(super) fn v2(definition: &Definition) -> String {
    let document = Document::write(definition, Version::V2);
    serde_json::to_string_pretty(&document).unwrap_or_default()
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Version {
    V2,
    V3,
}

struct Document<'d> {
    definition: &'d Definition,
    version: Version,
    /// Messages that the paths refer to, and whether they are written already.
    messages: BTreeMap<String, Option<Value>>,
    operation_ids: BTreeSet<String>,
}

impl<'d> Document<'d> {
    fn write(definition: &'d Definition, version: Version) -> Value {
        let mut document = Self {
            definition,
            version,
            messages: BTreeMap::new(),
            operation_ids: BTreeSet::new(),
        };
        let mut paths: BTreeMap<String, Map<String, Value>> = BTreeMap::new();
        for route in &definition.routes {
            let operation = document.operation(route);
            let verb = route.verb.as_str().to_ascii_lowercase();
            paths
                .entry(route.template())
                .or_default()
                .insert(verb, operation);
        }
        let schemas = document.schemas();
        let info = json!({"title": "Temporal API", "version": SERVER_VERSION});
        match version {
            Version::V3 => json!({
                "openapi": "3.0.3",
                "info": info,
                "paths": paths,
                "components": {"schemas": schemas},
            }),
            Version::V2 => json!({
                "swagger": "2.0",
                "info": info,
                "consumes": ["application/json"],
                "produces": ["application/json"],
                "paths": paths,
                "definitions": schemas,
            }),
        }
    }

    fn operation(&mut self, route: &Route) -> Value {
        let method = &route.method;
        let mut parameters: Vec<Value> = Vec::new();
        for path in route.fields() {
            let schema = json!({"type": "string"});
            parameters.push(self.parameter(&json_name(path), "path", true, schema));
        }
        let mut operation = Map::new();
        operation.insert("tags".to_owned(), json!([method.parent_service().name()]));
        let id = (1..)
            .map(|count| match count {
                1 => method.name().to_owned(),
                count => format!("{}{count}", method.name()),
            })
            .find(|id| self.operation_ids.insert(id.clone()));
        operation.insert("operationId".to_owned(), json!(id));
        if route.has_body {
            let schema = self.reference(&method.input());
            match self.version {
                Version::V2 => parameters.push(
                    json!({"name": "body", "in": "body", "required": true, "schema": schema}),
                ),
                Version::V3 => {
                    let content = json!({"application/json": {"schema": schema}});
                    let body = json!({"required": true, "content": content});
                    operation.insert("requestBody".to_owned(), body);
                }
            }
        } else {
            self.query(&method.input(), route, &mut Vec::new(), &mut parameters);
        }
        if !parameters.is_empty() {
            operation.insert("parameters".to_owned(), Value::Array(parameters));
        }
        let reply = self.reference(&method.output());
        let error = self.definition.pool.get_message_by_name(STATUS);
        let error = error.map_or(Value::Null, |status| self.reference(&status));
        let responses = json!({
            "200": self.response("OK", reply),
            "default": self.response("An error", error),
        });
        operation.insert("responses".to_owned(), responses);
        Value::Object(operation)
    }

    fn response(&self, description: &str, schema: Value) -> Value {
        match self.version {
            Version::V2 => json!({"description": description, "schema": schema}),
            Version::V3 => {
                let content = json!({"application/json": {"schema": schema}});
                json!({"description": description, "content": content})
            }
        }
    }

    fn parameter(&self, name: &str, place: &str, required: bool, schema: Value) -> Value {
        let mut parameter = json!({"name": name, "in": place, "required": required});
        if let Value::Object(parameter) = &mut parameter {
            match (self.version, schema) {
                (Version::V2, Value::Object(schema)) => parameter.extend(schema),
                (_, schema) => {
                    parameter.insert("schema".to_owned(), schema);
                }
            }
        }
        parameter
    }

    /// The fields of a message that a query may give, less those in the path.
    fn query(
        &mut self,
        message: &MessageDescriptor,
        route: &Route,
        above: &mut FieldPath,
        parameters: &mut Vec<Value>,
    ) {
        for field in message.fields() {
            above.push(field.clone());
            match field.kind() {
                _ if route.fields().contains(above) || field.is_map() => {}
                Kind::Message(inner) if !is_text(&inner) => {
                    if above.len() < QUERY_DEPTH_MAX && !field.is_list() {
                        self.query(&inner, route, above, parameters);
                    }
                }
                _ => {
                    let schema = self.field(&field);
                    parameters.push(self.parameter(&json_name(above), "query", false, schema));
                }
            }
            above.pop();
        }
    }

    /// All messages that are referred to, and those that they refer to.
    fn schemas(&mut self) -> Value {
        loop {
            let mut unwritten = self.messages.iter();
            let next = unwritten.find_map(|(name, schema)| schema.is_none().then(|| name.clone()));
            let Some(name) = next else { break };
            let message = self.definition.pool.get_message_by_name(&name);
            let schema = message.map_or(json!({}), |message| self.message(&message));
            self.messages.insert(name, Some(schema));
        }
        let written = self.messages.iter();
        let written = written.filter_map(|(name, schema)| Some((name.clone(), schema.clone()?)));
        Value::Object(written.collect())
    }

    fn message(&mut self, message: &MessageDescriptor) -> Value {
        let fields = message.fields().collect::<Vec<_>>();
        let properties = fields
            .iter()
            .map(|field| (field.json_name().to_owned(), self.field(field)));
        let properties: Map<String, Value> = properties.collect();
        json!({"type": "object", "properties": properties})
    }

    fn field(&mut self, field: &FieldDescriptor) -> Value {
        if field.is_map() {
            let value = match field.kind() {
                Kind::Message(entry) => self.kind(&entry.map_entry_value_field().kind()),
                _ => json!({}),
            };
            return json!({"type": "object", "additionalProperties": value});
        }
        let one = self.kind(&field.kind());
        if field.is_list() {
            return json!({"type": "array", "items": one});
        }
        one
    }

    fn kind(&mut self, kind: &Kind) -> Value {
        match kind {
            Kind::String => json!({"type": "string"}),
            Kind::Bytes => json!({"type": "string", "format": "byte"}),
            Kind::Bool => json!({"type": "boolean"}),
            Kind::Int32 | Kind::Sint32 | Kind::Sfixed32 | Kind::Uint32 | Kind::Fixed32 => {
                json!({"type": "integer", "format": "int32"})
            }
            Kind::Int64 | Kind::Sint64 | Kind::Sfixed64 => {
                json!({"type": "string", "format": "int64"})
            }
            Kind::Uint64 | Kind::Fixed64 => json!({"type": "string", "format": "uint64"}),
            Kind::Float => json!({"type": "number", "format": "float"}),
            Kind::Double => json!({"type": "number", "format": "double"}),
            Kind::Enum(known) => {
                let names: Vec<_> = known
                    .values()
                    .map(|value| value.name().to_owned())
                    .collect();
                json!({"type": "string", "enum": names})
            }
            Kind::Message(message) => self.reference(message),
        }
    }

    /// How another place of the document refers to a message.
    fn reference(&mut self, message: &MessageDescriptor) -> Value {
        match message.full_name() {
            "google.protobuf.Timestamp" => json!({"type": "string", "format": "date-time"}),
            "google.protobuf.Duration" => {
                json!({"type": "string", "pattern": "^-?(?:0|[1-9][0-9]{0,11})(?:\\.[0-9]{1,9})?s$"})
            }
            "google.protobuf.FieldMask" => json!({"type": "string", "format": "field-mask"}),
            "google.protobuf.Any" => {
                let kind = json!({"@type": {"type": "string"}});
                json!({"type": "object", "properties": kind, "additionalProperties": true})
            }
            // Any JSON, or the long form with metadata and data.
            "temporal.api.common.v1.Payload" => json!({}),
            name if name.starts_with("google.protobuf.") => json!({}),
            name => {
                self.messages.entry(name.to_owned()).or_insert(None);
                let place = match self.version {
                    Version::V2 => "definitions",
                    Version::V3 => "components/schemas",
                };
                json!({"$ref": format!("#/{place}/{name}")})
            }
        }
    }
}

/// Whether a message is one text in JSON, so that it can stand in a query.
fn is_text(message: &MessageDescriptor) -> bool {
    matches!(
        message.full_name(),
        "google.protobuf.Timestamp" | "google.protobuf.Duration" | "google.protobuf.FieldMask"
    )
}

/// Writes a value as YAML: blocks for what has parts, JSON for what has none.
fn yaml(text: &mut String, value: &Value, depth: usize) {
    let indent = "  ".repeat(depth);
    let part = |text: &mut String, part: &Value| {
        let is_empty = match part {
            Value::Object(fields) => fields.is_empty(),
            Value::Array(list) => list.is_empty(),
            _ => true,
        };
        if is_empty {
            *text += &format!(" {part}\n");
        } else {
            text.push('\n');
            yaml(text, part, depth + 1);
        }
    };
    match value {
        Value::Object(fields) => {
            for (name, value) in fields {
                *text += &format!("{indent}{}:", Value::from(name.as_str()));
                part(text, value);
            }
        }
        Value::Array(list) => {
            for value in list {
                *text += &format!("{indent}-");
                part(text, value);
            }
        }
        single => *text += &format!("{indent}{single}\n"),
    }
}
