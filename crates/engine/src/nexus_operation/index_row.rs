//! The index row: what lists show and filters look at. An operation is what workflows call a type, and its
//! endpoint their task queue, so that the indexes of these serve it too.

use prost::Message;

use super::describe::search_attributes;
use super::state::State;
use crate::Namespace;
use crate::search_attributes::value::{self, Value};
use crate::visibility::{NEXUS_REQUEST_ID, NEXUS_SERVICE};
use crate::workflow::{IndexRow, attribute_type};

/// What lists show of an operation that has no column of its own; it lies in the place of a memo.
#[derive(Clone, PartialEq, Eq, Message)]
pub struct Listed {
    /// The service. Not number 1: that is what a memo begins with.
    #[prost(string, tag = "2")]
    pub service: String,
}

/// The row of an operation.
pub fn row(state: &State, namespace: &Namespace) -> IndexRow {
    let core = &state.core;
    let scheduled = &state.operation.scheduled;
    let search_attributes = search_attributes(state);
    let custom = search_attributes
        .indexed_fields
        .iter()
        .filter_map(|(name, payload)| {
            let kind = attribute_type(namespace, name)?;
            Some((name.clone(), value::decode(payload, kind).ok().flatten()?))
        });
    let own = [
        (NEXUS_SERVICE, &scheduled.service),
        (NEXUS_REQUEST_ID, &scheduled.request_id),
    ];
    let own = own.map(|(name, text)| (name.to_owned(), Value::Keyword(text.clone())));
    let listed = Listed {
        service: scheduled.service.clone(),
    };
    IndexRow {
        status: core.status,
        workflow_type: scheduled.operation.as_str().into(),
        task_queue: scheduled.endpoint.as_str().into(),
        start_time: state.operation.scheduled_time,
        execution_time: state.operation.scheduled_time,
        close_time: state.close_time(),
        history_length: 0,
        history_size: core.size,
        state_transition_count: i64::try_from(core.seq).unwrap_or(i64::MAX),
        parent: None,
        root: (state.operation_id.to_string(), state.run_id.to_string()),
        memo: listed.encode_to_vec().into(),
        search_attributes: search_attributes.encode_to_vec().into(),
        attributes: custom.chain(own).collect(),
    }
}
