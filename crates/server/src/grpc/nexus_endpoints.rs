//! OperatorService: Nexus endpoints.

use engine::nexus::endpoint;
use engine::time::Timestamp;
use proto::temporal::api::nexus::v1::endpoint_target::{self, Variant};
use proto::temporal::api::nexus::v1::{Endpoint as Shown, EndpointSpec, EndpointTarget};
use proto::temporal::api::operatorservice::v1::{
    CreateNexusEndpointRequest, CreateNexusEndpointResponse, DeleteNexusEndpointRequest,
    DeleteNexusEndpointResponse, GetNexusEndpointRequest, GetNexusEndpointResponse,
    ListNexusEndpointsRequest, ListNexusEndpointsResponse, UpdateNexusEndpointRequest,
    UpdateNexusEndpointResponse,
};
use uuid::Uuid;

use super::call::Call;
use super::{Frontend, Server};
use crate::error::WireError;
use crate::nexus::endpoints::{Endpoint, Spec, Target, Worker};

const PAGE_DEFAULT: i32 = 100;
const PAGE_MAX: i32 = 1000;

pub(super) async fn create(
    server: Server,
    call: Call<CreateNexusEndpointRequest>,
) -> Result<CreateNexusEndpointResponse, WireError> {
    let spec = spec(&server, call.request.spec)?;
    let now = server.node.clock.now();
    let endpoint = server.node.nexus.endpoints.create(spec, now).await?;
    Ok(CreateNexusEndpointResponse {
        endpoint: Some(shown(&server, &endpoint)),
    })
}

pub(super) async fn update(
    server: Server,
    call: Call<UpdateNexusEndpointRequest>,
) -> Result<UpdateNexusEndpointResponse, WireError> {
    let UpdateNexusEndpointRequest {
        id,
        version,
        spec: wanted,
    } = call.request;
    let spec = spec(&server, wanted)?;
    let now = server.node.clock.now();
    let endpoints = &server.node.nexus.endpoints;
    let endpoint = endpoints.update(&id, version, spec, now).await?;
    Ok(UpdateNexusEndpointResponse {
        endpoint: Some(shown(&server, &endpoint)),
    })
}

pub(super) async fn delete(
    server: Server,
    call: Call<DeleteNexusEndpointRequest>,
) -> Result<DeleteNexusEndpointResponse, WireError> {
    let request = call.request;
    let mut issues: Vec<String> = id_issue(&request.id).into_iter().collect();
    if request.version <= 0 {
        issues.push("endpoint version is non-positive".to_owned());
    }
    if !issues.is_empty() {
        return Err(WireError::invalid(issues.join(", ")));
    }
    server.node.nexus.endpoints.delete(&request.id).await?;
    Ok(DeleteNexusEndpointResponse {})
}

pub(super) async fn get(
    server: Server,
    call: Call<GetNexusEndpointRequest>,
) -> Result<GetNexusEndpointResponse, WireError> {
    let id = call.request.id;
    if let Some(issue) = id_issue(&id) {
        return Err(WireError::invalid(issue));
    }
    let endpoint = server.node.nexus.endpoints.by_id(&id);
    let endpoint = endpoint
        .ok_or_else(|| WireError::not_found(format!("Nexus endpoint with ID `{id}` not found")))?;
    Ok(GetNexusEndpointResponse {
        endpoint: Some(shown(&server, &endpoint)),
    })
}

/// A page token is the id of the endpoint that begins the next page.
pub(super) async fn list(
    server: Server,
    call: Call<ListNexusEndpointsRequest>,
) -> Result<ListNexusEndpointsResponse, WireError> {
    let request = call.request;
    let endpoints = &server.node.nexus.endpoints;
    if !request.name.is_empty() {
        let found = endpoints.by_name(&request.name);
        return Ok(ListNexusEndpointsResponse {
            endpoints: found.iter().map(|e| shown(&server, e)).collect(),
            ..Default::default()
        });
    }
    let size = match request.page_size {
        0 => PAGE_DEFAULT,
        size if size < 0 => return Err(WireError::invalid("page_size is negative")),
        size if size > PAGE_MAX => {
            let text = format!("page_size exceeds limit of {PAGE_MAX}");
            return Err(WireError::invalid(text));
        }
        size => size,
    };
    let from = std::str::from_utf8(&request.next_page_token)
        .map_err(|_| WireError::invalid("Invalid NextPageToken."))?;
    // One to 1000.
    let size = usize::try_from(size).unwrap_or(1);
    let mut page = endpoints.page(from, size + 1);
    let next = page.get(size).map(|endpoint| endpoint.id.clone());
    page.truncate(size);
    Ok(ListNexusEndpointsResponse {
        next_page_token: next.unwrap_or_default().into(),
        endpoints: page.iter().map(|e| shown(&server, e)).collect(),
    })
}

fn id_issue(id: &str) -> Option<String> {
    if id.is_empty() {
        return Some("endpoint ID not set".to_owned());
    }
    let malformed = || {
        let length = id.len();
        format!("malformed endpoint ID: \"invalid UUID length: {length}\"")
    };
    Uuid::parse_str(id).is_err().then(malformed)
}

/// A checked specification, with its target's namespace by id.
fn spec(server: &Frontend, wanted: Option<EndpointSpec>) -> Result<Spec, WireError> {
    let exists = |name: &str| server.namespaces.by_name(name).is_some();
    endpoint::check(wanted.as_ref(), exists, &server.limits)?;
    let wanted = wanted.unwrap_or_default();
    let target = match wanted.target.and_then(|target| target.variant) {
        Some(Variant::Worker(worker)) => {
            let namespace = super::handler::find(server, &worker.namespace)?;
            Some(Target::Worker(Worker {
                namespace_id: namespace.namespace.id.as_bytes().to_vec(),
                task_queue: worker.task_queue,
            }))
        }
        Some(Variant::External(external)) => Some(Target::External(external.url)),
        None => None,
    };
    Ok(Spec {
        name: wanted.name,
        description: wanted.description,
        target,
    })
}

fn shown(server: &Frontend, endpoint: &Endpoint) -> Shown {
    let variant = endpoint.target.as_ref().map(|target| match target {
        Target::Worker(worker) => {
            let namespace = server.namespaces.by_id(worker.namespace());
            Variant::Worker(endpoint_target::Worker {
                namespace: namespace.map_or_else(String::new, |entry| entry.record.name.clone()),
                task_queue: worker.task_queue.clone(),
            })
        }
        Target::External(url) => Variant::External(endpoint_target::External { url: url.clone() }),
    });
    let modified = (endpoint.modified_time != 0).then_some(endpoint.modified_time);
    Shown {
        version: endpoint.version,
        id: endpoint.id.clone(),
        spec: Some(EndpointSpec {
            name: endpoint.name.clone(),
            description: endpoint.description.clone(),
            target: Some(EndpointTarget { variant }),
        }),
        created_time: Some(Timestamp(endpoint.created_time).to_proto()),
        last_modified_time: modified.map(|time| Timestamp(time).to_proto()),
        url_prefix: format!("/nexus/endpoints/{}/services", endpoint.id),
    }
}
