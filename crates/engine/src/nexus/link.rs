//! Links between executions: the API's messages, and the addresses of the Nexus protocol.

use std::fmt::Write as _;

use proto::temporal::api::common::v1::Link;
use proto::temporal::api::common::v1::link::workflow_event::{
    EventReference, Reference, RequestIdReference,
};
use proto::temporal::api::common::v1::link::{Activity, NexusOperation, Variant, WorkflowEvent};
use proto::temporal::api::enums::v1::EventType;
use proto::temporal::api::nexus::v1::Link as NexusLink;

use crate::workflow::command::camel;

/// The types of the kinds of links that both sides know.
const ACTIVITY: &str = "temporal.api.common.v1.Link.Activity";
const WORKFLOW_EVENT: &str = "temporal.api.common.v1.Link.WorkflowEvent";
const NEXUS_OPERATION: &str = "temporal.api.common.v1.Link.NexusOperation";
const EVENT_PREFIX: &str = "EVENT_TYPE_";

/// A link to a workflow's event, as the protocol writes it.
pub fn to_nexus(event: &WorkflowEvent) -> NexusLink {
    let mut url = format!(
        "temporal:///namespaces/{}/workflows/{}/{}/history",
        escaped(&event.namespace),
        escaped(&event.workflow_id),
        escaped(&event.run_id)
    );
    let name = |number: i32| {
        let event = EventType::try_from(number).unwrap_or_default();
        camel(event.as_str_name(), EVENT_PREFIX)
    };
    // The parameters go in the order of their names. Writing into a string cannot fail.
    let _ = match &event.reference {
        Some(Reference::EventRef(event)) if event.event_id > 0 => write!(
            url,
            "?eventID={}&eventType={}&referenceType=EventReference",
            event.event_id,
            name(event.event_type)
        ),
        Some(Reference::EventRef(event)) => write!(
            url,
            "?eventType={}&referenceType=EventReference",
            name(event.event_type)
        ),
        Some(Reference::RequestIdRef(request)) => write!(
            url,
            "?eventType={}&referenceType=RequestIdReference&requestID={}",
            name(request.event_type),
            escaped(&request.request_id)
        ),
        None => Ok(()),
    };
    NexusLink {
        url,
        r#type: WORKFLOW_EVENT.to_owned(),
    }
}

/// A link to a standalone operation, as the protocol writes it.
pub fn operation_to_nexus(operation: &NexusOperation) -> NexusLink {
    NexusLink {
        url: format!(
            "temporal:///namespaces/{}/nexus-operations/{}/{}/details",
            escaped(&operation.namespace),
            escaped(&operation.operation_id),
            escaped(&operation.run_id)
        ),
        r#type: NEXUS_OPERATION.to_owned(),
    }
}

/// A link to a standalone activity, as the protocol writes it.
pub fn activity_to_nexus(activity: &Activity) -> NexusLink {
    NexusLink {
        url: format!(
            "temporal:///namespaces/{}/activities/{}/{}/details",
            escaped(&activity.namespace),
            escaped(&activity.activity_id),
            escaped(&activity.run_id)
        ),
        r#type: ACTIVITY.to_owned(),
    }
}

/// The links of the protocol that lead to executions. Others are dropped: no execution depends on them.
pub fn from_nexus(links: &[NexusLink]) -> Vec<Link> {
    let link = |link: &NexusLink| {
        let variant = match link.r#type.as_str() {
            WORKFLOW_EVENT => Variant::WorkflowEvent(workflow_event(&link.url)?),
            NEXUS_OPERATION => Variant::NexusOperation(nexus_operation(&link.url)?),
            ACTIVITY => Variant::Activity(activity(&link.url)?),
            _ => return None,
        };
        Some(Link {
            variant: Some(variant),
        })
    };
    links.iter().filter_map(link).collect()
}

fn workflow_event(url: &str) -> Option<WorkflowEvent> {
    let (path, query) = url.strip_prefix("temporal://")?.split_once('?')?;
    let [namespace, workflow_id, run_id] = parts(path, "workflows", "history")?;
    let parameter = |wanted: &str| {
        query
            .split('&')
            .filter_map(|pair| pair.split_once('='))
            .find(|(name, _)| *name == wanted)
            .and_then(|(_, value)| unescaped(&value.replace('+', " ")))
    };
    let event_type = event_type(&parameter("eventType")?)?;
    let reference = match parameter("referenceType")?.as_str() {
        "EventReference" => Reference::EventRef(EventReference {
            event_id: match parameter("eventID") {
                Some(id) => id.parse().ok()?,
                None => 0,
            },
            event_type,
        }),
        "RequestIdReference" => Reference::RequestIdRef(RequestIdReference {
            request_id: parameter("requestID").unwrap_or_default(),
            event_type,
        }),
        _ => return None,
    };
    Some(WorkflowEvent {
        namespace,
        workflow_id,
        run_id,
        reference: Some(reference),
    })
}

fn nexus_operation(url: &str) -> Option<NexusOperation> {
    let path = url.strip_prefix("temporal://")?;
    let [namespace, operation_id, run_id] = parts(path, "nexus-operations", "details")?;
    Some(NexusOperation {
        namespace,
        operation_id,
        run_id,
    })
}

fn activity(url: &str) -> Option<Activity> {
    let path = url.strip_prefix("temporal://")?;
    let [namespace, activity_id, run_id] = parts(path, "activities", "details")?;
    Some(Activity {
        namespace,
        activity_id,
        run_id,
    })
}

/// The namespace, the id and the run in the path of an address.
fn parts(path: &str, kind: &str, view: &str) -> Option<[String; 3]> {
    let parts: Vec<&str> = path.split('/').collect();
    let ["", "namespaces", namespace, of_kind, id, run_id, of_view] = *parts else {
        return None;
    };
    let named = of_kind == kind && of_view == view;
    if !named || [namespace, id, run_id].contains(&"") {
        return None;
    }
    Some([unescaped(namespace)?, unescaped(id)?, unescaped(run_id)?])
}

/// A type by its name in camel case, or as the definitions have it.
fn event_type(name: &str) -> Option<i32> {
    if let Some(known) = EventType::from_str_name(name) {
        return Some(known.into());
    }
    let mut wire = EVENT_PREFIX.trim_end_matches('_').to_owned();
    for letter in name.chars() {
        if letter.is_ascii_uppercase() {
            wire.push('_');
        }
        wire.push(letter.to_ascii_uppercase());
    }
    EventType::from_str_name(&wire).map(Into::into)
}

fn escaped(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for byte in text.bytes() {
        if byte.is_ascii_alphanumeric() || b"-_.~$&+:=@".contains(&byte) {
            out.push(char::from(byte));
        } else {
            // Writing into a string cannot fail.
            let _ = write!(out, "%{byte:02X}");
        }
    }
    out
}

fn unescaped(text: &str) -> Option<String> {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let Some((&byte, tail)) = rest.split_first() {
        rest = tail;
        if byte == b'%' {
            let (digits, tail) = tail.split_at_checked(2)?;
            bytes.push(u8::from_str_radix(std::str::from_utf8(digits).ok()?, 16).ok()?);
            rest = tail;
        } else {
            bytes.push(byte);
        }
    }
    String::from_utf8(bytes).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn event(reference: Reference) -> WorkflowEvent {
        WorkflowEvent {
            namespace: "de fault".into(),
            workflow_id: "a/b?%".into(),
            run_id: "r".into(),
            reference: Some(reference),
        }
    }

    #[test]
    fn a_link_comes_back_as_it_was() {
        let by_id = event(Reference::EventRef(EventReference {
            event_id: 5,
            event_type: EventType::NexusOperationScheduled.into(),
        }));
        let nexus = to_nexus(&by_id);
        assert_eq!(
            nexus.url,
            "temporal:///namespaces/de%20fault/workflows/a%2Fb%3F%25/r/history\
             ?eventID=5&eventType=NexusOperationScheduled&referenceType=EventReference"
        );
        let by_request = event(Reference::RequestIdRef(RequestIdReference {
            request_id: "r 1".into(),
            event_type: EventType::WorkflowExecutionOptionsUpdated.into(),
        }));
        let links = from_nexus(&[nexus, to_nexus(&by_request)]);
        let expected = [by_id, by_request].map(|event| Link {
            variant: Some(Variant::WorkflowEvent(event)),
        });
        assert_eq!(links, expected);
        let operation = NexusOperation {
            namespace: "de fault".into(),
            operation_id: "a/b".into(),
            run_id: "r".into(),
        };
        let nexus = operation_to_nexus(&operation);
        assert_eq!(
            nexus.url,
            "temporal:///namespaces/de%20fault/nexus-operations/a%2Fb/r/details"
        );
        let variant = Some(Variant::NexusOperation(operation));
        assert_eq!(from_nexus(&[nexus]), [Link { variant }]);
        let activity = Activity {
            namespace: "de fault".into(),
            activity_id: "a/b".into(),
            run_id: "r".into(),
        };
        let nexus = activity_to_nexus(&activity);
        assert_eq!(
            nexus.url,
            "temporal:///namespaces/de%20fault/activities/a%2Fb/r/details"
        );
        let variant = Some(Variant::Activity(activity));
        assert_eq!(from_nexus(&[nexus]), [Link { variant }]);
    }

    #[test]
    fn what_leads_nowhere_is_dropped() {
        let link = |url: &str, kind: &str| NexusLink {
            url: url.into(),
            r#type: kind.into(),
        };
        let links = [
            link("https://example.com/", "text/html"),
            link(
                "temporal:///namespaces/n/workflows//r/history?eventType=TimerFired&referenceType=EventReference",
                WORKFLOW_EVENT,
            ),
            link(
                "temporal:///namespaces/n/workflows/w/r/history",
                WORKFLOW_EVENT,
            ),
            link(
                "temporal:///namespaces/n/workflows/w/r/history?eventType=Nope&referenceType=EventReference",
                WORKFLOW_EVENT,
            ),
            link(
                "temporal:///namespaces/n/workflows/%zz/r/history?eventType=TimerFired&referenceType=EventReference",
                WORKFLOW_EVENT,
            ),
        ];
        assert_eq!(from_nexus(&links), []);
    }
}
