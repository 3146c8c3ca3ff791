//! The index row: what lists show and filters look at.

use bytes::Bytes;
use prost::Message;

use super::describe::search_attributes;
use super::state::State;
use crate::Namespace;
use crate::search_attributes::value;
use crate::time::Timestamp;
use crate::workflow::{IndexRow, attribute_type};

/// The row of an activity.
pub fn row(state: &State, namespace: &Namespace) -> IndexRow {
    let core = &state.core;
    let closed = !state.is_open();
    let search_attributes = search_attributes(state);
    let attributes = search_attributes
        .indexed_fields
        .iter()
        .filter_map(|(name, payload)| {
            let kind = attribute_type(namespace, name)?;
            Some((name.clone(), value::decode(payload, kind).ok().flatten()?))
        });
    IndexRow {
        status: state.status().shown() as i32,
        workflow_type: state.activity_type().into(),
        task_queue: state.task_queue().into(),
        start_time: Timestamp(core.schedule_time),
        execution_time: state.first_dispatch_time(),
        close_time: state.close_time(),
        history_length: 0,
        history_size: if closed { core.size } else { 0 },
        state_transition_count: if closed {
            i64::try_from(core.seq).unwrap_or(i64::MAX)
        } else {
            0
        },
        parent: None,
        root: (state.activity_id.to_string(), state.run_id.to_string()),
        memo: Bytes::new(),
        search_attributes: search_attributes.encode_to_vec().into(),
        attributes: attributes.collect(),
    }
}
