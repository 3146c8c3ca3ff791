//! Task tokens: the opaque return addresses that workers hold. Encoded with protobuf so that a token
//! from an older server still decodes.

use bytes::Bytes;
use prost::Message;
use uuid::Uuid;

use crate::ids::EventId;
use crate::rejection::Rejection;

/// Return address of one start of a workflow task. All of it must match (behaviour, section 4.5).
#[derive(Clone, PartialEq, Message)]
pub struct WorkflowTaskToken {
    /// 16 bytes.
    #[prost(bytes = "bytes", tag = "1")]
    pub namespace_id: Bytes,
    /// The workflow.
    #[prost(string, tag = "2")]
    pub workflow_id: String,
    /// 16 bytes.
    #[prost(bytes = "bytes", tag = "3")]
    pub run_id: Bytes,
    /// The task.
    #[prost(int64, tag = "4")]
    pub scheduled_event_id: EventId,
    /// The start.
    #[prost(int64, tag = "5")]
    pub started_event_id: EventId,
    /// The attempt.
    #[prost(int32, tag = "6")]
    pub attempt: i32,
    /// When it was started, in nanoseconds since the epoch: a start that a crash forgot has another time.
    #[prost(int64, tag = "7")]
    pub started_time: i64,
}

/// Return address of one attempt of an activity task.
#[derive(Clone, PartialEq, Message)]
pub struct ActivityTaskToken {
    /// 16 bytes.
    #[prost(bytes = "bytes", tag = "1")]
    pub namespace_id: Bytes,
    /// The workflow.
    #[prost(string, tag = "2")]
    pub workflow_id: String,
    /// 16 bytes.
    #[prost(bytes = "bytes", tag = "3")]
    pub run_id: Bytes,
    /// The activity.
    #[prost(int64, tag = "4")]
    pub scheduled_event_id: EventId,
    /// The attempt.
    #[prost(int32, tag = "5")]
    pub attempt: i32,
    /// When this attempt was started, in nanoseconds since the epoch.
    #[prost(int64, tag = "6")]
    pub started_time: i64,
    /// What kind of execution it belongs to: a workflow's number, or a standalone activity's. Then the workflow
    /// is its own id, and the scheduled event the stamp of its offer.
    #[prost(uint32, tag = "7")]
    pub kind: u32,
}

/// Return address of a query-only task. The server that holds the query is the only one that knows it.
#[derive(Clone, PartialEq, Message)]
pub struct QueryTaskToken {
    /// 16 bytes.
    #[prost(bytes = "bytes", tag = "1")]
    pub namespace_id: Bytes,
    /// The query, as the server numbered it. Tag 20 keeps these apart from the tokens above.
    #[prost(bytes = "bytes", tag = "20")]
    pub query_id: Bytes,
}

/// Return address of a request to a Nexus handler. The server that holds it is the only one that knows it.
#[derive(Clone, PartialEq, Message)]
pub struct NexusTaskToken {
    /// 16 bytes.
    #[prost(bytes = "bytes", tag = "1")]
    pub namespace_id: Bytes,
    /// The request, as the server numbered it. Tag 21 keeps these apart from the other tokens.
    #[prost(bytes = "bytes", tag = "21")]
    pub task_id: Bytes,
}

/// Decodes a workflow task's token.
///
/// # Errors
/// The documented refusals of an empty and of a garbage token (behaviour, sections 2 and 3.6).
pub fn workflow_task(bytes: &Bytes) -> Result<WorkflowTaskToken, Rejection> {
    let ours = decode(bytes, |token: &WorkflowTaskToken| {
        token.namespace_id.len() == 16 && token.run_id.len() == 16 && token.scheduled_event_id > 0
    });
    ours.or_else(|refused| {
        let (given, namespace_id, run_id) = foreign(bytes).ok_or(refused)?;
        Ok(WorkflowTaskToken {
            namespace_id,
            workflow_id: given.workflow_id,
            run_id,
            scheduled_event_id: given.scheduled_event_id,
            ..WorkflowTaskToken::default()
        })
    })
}

/// Decodes an activity task's token.
///
/// # Errors
/// As [`workflow_task`].
pub fn activity_task(bytes: &Bytes) -> Result<ActivityTaskToken, Rejection> {
    let ours = decode(bytes, |token: &ActivityTaskToken| {
        token.namespace_id.len() == 16 && token.run_id.len() == 16 && token.scheduled_event_id > 0
    });
    ours.or_else(|refused| {
        let (given, namespace_id, run_id) = foreign(bytes).ok_or(refused)?;
        Ok(ActivityTaskToken {
            namespace_id,
            workflow_id: given.workflow_id,
            run_id,
            scheduled_event_id: given.scheduled_event_id,
            ..ActivityTaskToken::default()
        })
    })
}

/// A token of the reference, as far as it matters: it has its ids as text. Whoever brings one has a task that is not
/// known here, and no garbage.
#[derive(Clone, PartialEq, Message)]
struct Foreign {
    #[prost(string, tag = "1")]
    namespace_id: String,
    #[prost(string, tag = "2")]
    workflow_id: String,
    #[prost(string, tag = "3")]
    run_id: String,
    #[prost(int64, tag = "4")]
    scheduled_event_id: EventId,
}

/// A token of the reference, with the ids of its namespace and of its run.
fn foreign(bytes: &Bytes) -> Option<(Foreign, Bytes, Bytes)> {
    let token = Foreign::decode(bytes.clone()).ok()?;
    let id = |text: &str| {
        let id = Uuid::try_parse(text).ok()?;
        Some(Bytes::copy_from_slice(id.as_bytes()))
    };
    let (namespace_id, run_id) = (id(&token.namespace_id)?, id(&token.run_id)?);
    (token.scheduled_event_id > 0).then_some((token, namespace_id, run_id))
}

/// Decodes a query task's token.
///
/// # Errors
/// As [`workflow_task`].
pub fn query_task(bytes: &Bytes) -> Result<QueryTaskToken, Rejection> {
    decode(bytes, |token: &QueryTaskToken| {
        token.namespace_id.len() == 16 && token.query_id.len() == 16
    })
}

/// Decodes the token of a request to a Nexus handler.
///
/// # Errors
/// As [`workflow_task`].
pub fn nexus_task(bytes: &Bytes) -> Result<NexusTaskToken, Rejection> {
    decode(bytes, |token: &NexusTaskToken| {
        token.namespace_id.len() == 16 && token.task_id.len() == 16
    })
}

fn decode<T: Message + Default>(bytes: &Bytes, sound: impl Fn(&T) -> bool) -> Result<T, Rejection> {
    if bytes.is_empty() {
        return Err(Rejection::invalid("Task token not set on request."));
    }
    T::decode(bytes.clone())
        .ok()
        .filter(sound)
        .ok_or_else(|| Rejection::invalid("Error deserializing task token."))
}

/// Sixteen bytes as an id; the nil id when they are not sixteen, which decoding a token rules out.
pub fn id(bytes: &Bytes) -> Uuid {
    Uuid::from_slice(bytes).unwrap_or(Uuid::nil())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_of_the_reference_is_read() {
        let (namespace_id, run_id) = (Uuid::from_u128(1), Uuid::from_u128(2));
        let token = Foreign {
            namespace_id: namespace_id.to_string(),
            workflow_id: "w".to_owned(),
            run_id: run_id.to_string(),
            scheduled_event_id: 5,
        };
        // Then come an attempt and an activity's id.
        let mut bytes = token.encode_to_vec();
        bytes.extend([5 << 3, 1, 6 << 3 | 2, 1, b'1']);
        let read = activity_task(&bytes.into()).unwrap();
        assert_eq!(id(&read.namespace_id), namespace_id);
        assert_eq!(id(&read.run_id), run_id);
        assert_eq!((&*read.workflow_id, read.scheduled_event_id), ("w", 5));

        let nowhere = Foreign {
            run_id: "x".repeat(36),
            ..token
        };
        assert!(workflow_task(&nowhere.encode_to_vec().into()).is_err());
    }
}
