//! StartNexusOperationExecution.

use engine::Namespace;
use engine::limits::Limits;
use engine::nexus::asking::{HEADER_MAX, NAME_MAX, RESERVED_HEADERS};
use engine::nexus_operation::Start;
use engine::retry::timeouts::{capped, to_wire};
use prost::Message;
use proto::temporal::api::enums::v1::{
    NexusOperationIdConflictPolicy, NexusOperationIdReusePolicy,
};
use proto::temporal::api::workflowservice::v1::{
    StartNexusOperationExecutionRequest, StartNexusOperationExecutionResponse,
};

use super::{id, identified, required};
use crate::error::WireError;
use crate::grpc::call::NamespaceCall;
use crate::grpc::standalone_activity::{length, user_metadata};
use crate::grpc::{Server, validate};

pub(in crate::grpc) async fn handle(
    server: Server,
    call: NamespaceCall<StartNexusOperationExecutionRequest>,
) -> Result<StartNexusOperationExecutionResponse, WireError> {
    let NamespaceCall {
        mut request,
        namespace,
        ..
    } = call;
    check(&mut request, &namespace, &server.limits)?;
    let endpoint = server.node.nexus.endpoints.by_name(&request.endpoint);
    let endpoint = endpoint.ok_or_else(|| {
        let name = &request.endpoint;
        WireError::not_found(format!("could not find Nexus endpoint by name: {name}"))
    })?;
    check_policies(&mut request)?;
    let start = Start {
        request,
        endpoint_id: endpoint.id.clone(),
    };
    let shards = &server.node.shards;
    let started = shards.start_nexus_operation(&namespace, start).await?;
    Ok(StartNexusOperationExecutionResponse {
        run_id: started.run_id.to_string(),
        started: started.started,
    })
}

/// Checks a request in the reference's order, and fills in what it leaves open: what comes before its endpoint is
/// looked for.
fn check(
    request: &mut StartNexusOperationExecutionRequest,
    namespace: &Namespace,
    limits: &Limits,
) -> Result<(), WireError> {
    let invalid = |text: String| Err(WireError::invalid(text));
    identified(&mut request.request_id, limits)?;
    id(&request.operation_id, limits)?;
    length("identity", &request.identity, limits)?;
    required("endpoint", &request.endpoint)?;
    named("service", &request.service)?;
    named("operation", &request.operation)?;
    timeouts(request)?;
    let (size, max) = (
        request.input.as_ref().map_or(0, Message::encoded_len),
        limits.blob_size_error,
    );
    if size > max {
        return invalid(format!(
            "input exceeds size limit. Length={size} Limit={max}"
        ));
    }
    user_metadata(request.user_metadata.as_ref())?;
    headers(request)?;
    validate::search_attributes(&mut request.search_attributes, namespace, limits)
}

/// As [`check`], what comes after.
fn check_policies(request: &mut StartNexusOperationExecutionRequest) -> Result<(), WireError> {
    policies(request)?;
    if !request.completion_callbacks.is_empty() {
        return Err(WireError::invalid(
            "completion callbacks are not enabled for this namespace",
        ));
    }
    validate::links(&request.links)
}

fn named(field: &str, name: &str) -> Result<(), WireError> {
    required(field, name)?;
    let length = name.len();
    if length > NAME_MAX {
        return Err(WireError::invalid(format!(
            "{field} exceeds length limit. Length={length} Limit={NAME_MAX}"
        )));
    }
    Ok(())
}

/// Schedule-to-close bounds the others.
fn timeouts(request: &mut StartNexusOperationExecutionRequest) -> Result<(), WireError> {
    let bound = spanned(
        "schedule_to_close_timeout",
        &mut request.schedule_to_close_timeout,
    )?;
    for (name, given) in [
        (
            "schedule_to_start_timeout",
            &mut request.schedule_to_start_timeout,
        ),
        (
            "start_to_close_timeout",
            &mut request.start_to_close_timeout,
        ),
    ] {
        let span = spanned(name, given)?;
        if !bound.is_zero() && span > bound {
            *given = Some(to_wire(bound));
        }
    }
    Ok(())
}

/// A timeout, no longer than one may be.
fn spanned(
    name: &str,
    given: &mut Option<proto::Duration>,
) -> Result<std::time::Duration, WireError> {
    let span = capped(given.as_ref())
        .map_err(|error| WireError::invalid(format!("{name} is invalid: {error}")))?;
    if given.is_some() {
        *given = Some(to_wire(span));
    }
    Ok(span)
}

/// The headers, with their names in lower case.
fn headers(request: &mut StartNexusOperationExecutionRequest) -> Result<(), WireError> {
    let mut size = 0;
    for (name, value) in std::mem::take(&mut request.nexus_header) {
        let lower = name.to_lowercase();
        if RESERVED_HEADERS.contains(&lower.as_str()) {
            return Err(WireError::invalid(format!(
                "nexus_header contains a disallowed key: {name:?}"
            )));
        }
        size += lower.len() + value.len();
        request.nexus_header.insert(lower, value);
    }
    if size > HEADER_MAX {
        return Err(WireError::invalid("nexus_header exceeds size limit"));
    }
    Ok(())
}

fn policies(request: &mut StartNexusOperationExecutionRequest) -> Result<(), WireError> {
    if request.id_reuse_policy == 0 {
        request.set_id_reuse_policy(NexusOperationIdReusePolicy::AllowDuplicate);
    }
    if request.id_conflict_policy == 0 {
        request.set_id_conflict_policy(NexusOperationIdConflictPolicy::Fail);
    }
    let (reuse, conflict) = (request.id_reuse_policy, request.id_conflict_policy);
    if NexusOperationIdReusePolicy::try_from(reuse).is_err() {
        let text = format!("unsupported ID reuse policy: {reuse}");
        return Err(WireError::invalid(text));
    }
    if NexusOperationIdConflictPolicy::try_from(conflict).is_err() {
        let text = format!("unsupported ID conflict policy: {conflict}");
        return Err(WireError::invalid(text));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;
    use std::time::Duration;

    use proto::temporal::api::common::v1::Payload;
    use proto::temporal::api::sdk::v1::UserMetadata;
    use uuid::Uuid;

    use super::*;

    fn request() -> StartNexusOperationExecutionRequest {
        StartNexusOperationExecutionRequest {
            operation_id: "o".into(),
            endpoint: "e".into(),
            service: "s".into(),
            operation: "p".into(),
            ..Default::default()
        }
    }

    fn checked(request: &mut StartNexusOperationExecutionRequest) -> Option<String> {
        let namespace = Namespace {
            id: Uuid::nil(),
            name: "n".into(),
            retention: Duration::ZERO,
            search_attributes: BTreeMap::new(),
        };
        let limits = Limits {
            blob_size_error: 1000,
            ..Limits::default()
        };
        let checked = check(request, &namespace, &limits).and_then(|()| check_policies(request));
        let error = checked.err()?;
        Some(error.message)
    }

    #[test]
    fn each_refusal_has_its_text() {
        type Spoil = fn(&mut StartNexusOperationExecutionRequest);
        let long = "x".repeat(1001);
        let payload = || Payload {
            data: "x".repeat(1001).into(),
            ..Payload::default()
        };
        let table: [(Spoil, String); 12] = [
            (
                |r| r.operation_id.clear(),
                "operation_id is required".into(),
            ),
            (|r| r.endpoint.clear(), "endpoint is required".into()),
            (|r| r.service.clear(), "service is required".into()),
            (|r| r.operation.clear(), "operation is required".into()),
            (
                |r| r.service = "x".repeat(1001),
                "service exceeds length limit. Length=1001 Limit=1000".into(),
            ),
            (
                |r| r.operation = "x".repeat(1001),
                "operation exceeds length limit. Length=1001 Limit=1000".into(),
            ),
            (
                |r| {
                    r.schedule_to_start_timeout = Some(proto::Duration {
                        seconds: -1,
                        nanos: 0,
                    })
                },
                "schedule_to_start_timeout is invalid: negative duration".into(),
            ),
            (
                |r| {
                    drop(
                        r.nexus_header
                            .insert("Request-Timeout".into(), String::new()),
                    )
                },
                "nexus_header contains a disallowed key: \"Request-Timeout\"".into(),
            ),
            (
                |r| drop(r.nexus_header.insert("a".into(), "x".repeat(8192))),
                "nexus_header exceeds size limit".into(),
            ),
            (
                |r| r.id_reuse_policy = 9,
                "unsupported ID reuse policy: 9".into(),
            ),
            (
                |r| r.id_conflict_policy = 9,
                "unsupported ID conflict policy: 9".into(),
            ),
            (
                |r| r.completion_callbacks.push(Default::default()),
                "completion callbacks are not enabled for this namespace".into(),
            ),
        ];
        for (spoil, text) in table {
            let mut request = request();
            spoil(&mut request);
            assert_eq!(checked(&mut request), Some(text));
        }
        let mut large = request();
        large.input = Some(payload());
        let size = payload().encoded_len();
        let text = format!("input exceeds size limit. Length={size} Limit=1000");
        assert_eq!(checked(&mut large), Some(text));
        let mut described = request();
        described.user_metadata = Some(UserMetadata {
            summary: Some(payload()),
            ..UserMetadata::default()
        });
        let text = format!("user_metadata.summary exceeds size limit. Length={size} Limit=400");
        assert_eq!(checked(&mut described), Some(text));
        let mut long_id = request();
        long_id.request_id = long;
        let text = "request_id exceeds length limit. Length=1001 Limit=1000";
        assert_eq!(checked(&mut long_id).as_deref(), Some(text));
    }

    #[test]
    fn what_is_left_open_is_filled_in() {
        let mut request = request();
        request.schedule_to_close_timeout = Some(to_wire(Duration::from_secs(10)));
        request.start_to_close_timeout = Some(to_wire(Duration::from_secs(20)));
        request.nexus_header.insert("A-B".into(), "C".into());
        assert_eq!(checked(&mut request), None);
        assert!(!request.request_id.is_empty());
        assert_eq!(
            request.start_to_close_timeout,
            request.schedule_to_close_timeout
        );
        assert_eq!(request.schedule_to_start_timeout, None);
        assert_eq!(request.nexus_header["a-b"], "C");
        let reuse = NexusOperationIdReusePolicy::AllowDuplicate;
        assert_eq!(request.id_reuse_policy(), reuse);
    }
}
