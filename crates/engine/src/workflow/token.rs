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
    decode(bytes, |token: &WorkflowTaskToken| {
        is_id(&token.namespace_id) && is_id(&token.run_id) && token.scheduled_event_id > 0
    })
}

/// Decodes an activity task's token.
///
/// # Errors
/// As [`workflow_task`].
pub fn activity_task(bytes: &Bytes) -> Result<ActivityTaskToken, Rejection> {
    decode(bytes, |token: &ActivityTaskToken| {
        is_id(&token.namespace_id) && is_id(&token.run_id) && token.scheduled_event_id > 0
    })
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

/// The id in a token; the nil id where there is none, which decoding a token rules out.
pub fn id(bytes: &Bytes) -> Uuid {
    read_id(bytes).unwrap_or(Uuid::nil())
}

fn is_id(bytes: &Bytes) -> bool {
    read_id(bytes).is_some()
}

/// Our tokens hold the bytes of an id. The reference's hold its text, under the same tags: a worker that brings one from
/// there has a task that is not known here, and no garbage.
fn read_id(bytes: &Bytes) -> Option<Uuid> {
    let read = Uuid::from_slice(bytes).or_else(|_| Uuid::try_parse_ascii(bytes));
    read.ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_are_bytes_or_text() {
        let id = Uuid::from_u128(7);
        let text = id.to_string().into_bytes();
        for (bytes, sound) in [
            (id.as_bytes().to_vec(), true),
            (text, true),
            (vec![7; 15], false),
            (vec![7; 36], false),
        ] {
            let token = ActivityTaskToken {
                namespace_id: bytes.clone().into(),
                run_id: bytes.into(),
                scheduled_event_id: 5,
                ..Default::default()
            };
            let read = activity_task(&token.encode_to_vec().into());
            assert_eq!(read.is_ok(), sound);
            assert!(read.map_or(!sound, |token| super::id(&token.run_id) == id));
        }
    }
}
