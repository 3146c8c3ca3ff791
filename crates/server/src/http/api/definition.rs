//! The API's definition, the paths that its annotations give to RPCs, and how a request finds one.

use std::sync::LazyLock;

use axum::http::Method;
use prost_reflect::{DescriptorPool, DynamicMessage, ExtensionDescriptor, MethodDescriptor};

use super::fields::{self, FieldPath, decoded};
use crate::descriptors;
use crate::error::WireError;

/// The services that are served here.
const SERVICES: [&str; 2] = [
    "temporal.api.workflowservice.v1.WorkflowService",
    "temporal.api.operatorservice.v1.OperatorService",
];
/// The option of a method that says its paths.
const HTTP: &str = "google.api.http";

/// The definition with its paths.
pub(super) struct Definition {
    pub(super) pool: DescriptorPool,
    pub(super) routes: Vec<Route>,
}

/// One path of an RPC.
pub(super) struct Route {
    pub(super) verb: Method,
    segments: Vec<Segment>,
    fields: Vec<FieldPath>,
    /// The rest of the message is the body, not the query.
    pub(super) has_body: bool,
    pub(super) method: MethodDescriptor,
}

/// What stands between two slashes of a path.
enum Segment {
    Literal(String),
    /// A field, by its place in [`Route::fields`].
    Field(usize),
}

/// What a path leads to.
pub(super) enum Found<'d> {
    Route(&'d Route, Vec<(&'d FieldPath, String)>),
    /// The path is known, but not with this method.
    OtherMethod,
    Nothing,
}

/// Made at the first request: many servers are never asked over HTTP.
static DEFINITION: LazyLock<Result<Definition, String>> = LazyLock::new(Definition::read);

impl Definition {
    /// The definition.
    ///
    /// # Errors
    /// None, as long as its test passes.
    pub(super) fn get() -> Result<&'static Self, WireError> {
        DEFINITION.as_ref().map_err(WireError::internal)
    }

    fn read() -> Result<Self, String> {
        let pool = descriptors::pool()?.clone();
        let http = pool.get_extension_by_name(HTTP);
        let http = http.ok_or("the definition has no annotations")?;
        let mut routes = Vec::new();
        for service in SERVICES {
            let service = pool.get_service_by_name(service).ok_or(service)?;
            for method in service.methods() {
                add_routes(&mut routes, &method, &http)?;
            }
        }
        // The more is said of a path, the earlier it is tried.
        routes.sort_by_key(|route| route.fields.len());
        Ok(Self { pool, routes })
    }

    /// What a request is for.
    pub(super) fn find(&self, verb: &Method, path: &str) -> Found<'_> {
        let segments: Vec<&str> = path.strip_prefix('/').unwrap_or(path).split('/').collect();
        let mut known = false;
        for route in &self.routes {
            if let Some(values) = route.matches(&segments) {
                if route.verb == *verb {
                    return Found::Route(route, values);
                }
                known = true;
            }
        }
        if known {
            Found::OtherMethod
        } else {
            Found::Nothing
        }
    }
}

fn add_routes(
    routes: &mut Vec<Route>,
    method: &MethodDescriptor,
    http: &ExtensionDescriptor,
) -> Result<(), String> {
    let options = method.options();
    if !options.has_extension(http) {
        return Ok(());
    }
    let rule = options.get_extension(http);
    let rule = rule.as_message().ok_or("an annotation is no message")?;
    routes.push(Route::read(method, rule)?);
    let further = rule.get_field_by_name("additional_bindings");
    for rule in further.iter().filter_map(|rules| rules.as_list()).flatten() {
        let rule = rule.as_message().ok_or("an annotation is no message")?;
        routes.push(Route::read(method, rule)?);
    }
    Ok(())
}

impl Route {
    fn read(method: &MethodDescriptor, rule: &DynamicMessage) -> Result<Self, String> {
        let text = |field: &str| {
            let value = rule.get_field_by_name(field)?;
            value
                .as_str()
                .map(str::to_owned)
                .filter(|text| !text.is_empty())
        };
        let wrong = |what: &str| format!("{}: {what}", method.full_name());
        let verbs = [
            ("get", Method::GET),
            ("post", Method::POST),
            ("put", Method::PUT),
            ("patch", Method::PATCH),
            ("delete", Method::DELETE),
        ];
        let mut verbs = verbs.into_iter();
        let (verb, template) = verbs
            .find_map(|(name, verb)| text(name).map(|template| (verb, template)))
            .ok_or_else(|| wrong("a path without a method"))?;
        let has_body = match text("body").as_deref() {
            None => false,
            Some("*") => true,
            Some(_) => return Err(wrong("a body that is one field is not known here")),
        };
        let mut fields = Vec::new();
        let mut segments = Vec::new();
        for part in template.split('/').skip(1) {
            let name = part
                .strip_prefix('{')
                .and_then(|part| part.strip_suffix('}'));
            segments.push(match name {
                None if part.contains(['{', '*', ':']) => {
                    return Err(wrong("a form of path that is not known here"));
                }
                None => Segment::Literal(part.to_owned()),
                Some(name) => {
                    let field = fields::find(&method.input(), name);
                    fields.push(field.ok_or_else(|| wrong("a path with an unknown field"))?);
                    Segment::Field(fields.len() - 1)
                }
            });
        }
        Ok(Self {
            verb,
            segments,
            fields,
            has_body,
            method: method.clone(),
        })
    }

    /// The fields that the path fills.
    pub(super) fn fields(&self) -> &[FieldPath] {
        &self.fields
    }

    /// The service and the method.
    pub(super) fn names(&self) -> (&str, &str) {
        let service = SERVICES
            .into_iter()
            .find(|name| *name == self.method.parent_service().full_name());
        (service.unwrap_or_default(), self.method.name())
    }

    /// The path as documents show it.
    pub(super) fn template(&self) -> String {
        let parts = self.segments.iter().map(|segment| match segment {
            Segment::Literal(text) => format!("/{text}"),
            Segment::Field(at) => format!("/{{{}}}", json_name(&self.fields[*at])),
        });
        parts.collect()
    }

    fn matches(&self, path: &[&str]) -> Option<Vec<(&FieldPath, String)>> {
        if path.len() != self.segments.len() {
            return None;
        }
        let mut values = Vec::new();
        for (segment, text) in self.segments.iter().zip(path) {
            match segment {
                Segment::Literal(literal) if literal == text => {}
                Segment::Field(at) if !text.is_empty() => {
                    values.push((&self.fields[*at], decoded(text, false)));
                }
                Segment::Literal(_) | Segment::Field(_) => return None,
            }
        }
        Some(values)
    }
}

/// The dotted name of a field, as in JSON.
pub(super) fn json_name(path: &FieldPath) -> String {
    let names: Vec<_> = path.iter().map(|field| field.json_name()).collect();
    names.join(".")
}
