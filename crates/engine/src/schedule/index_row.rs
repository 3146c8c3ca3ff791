//! The index row of a schedule: lists show schedules from it alone, so it carries what they show.

use std::sync::Arc;

use bytes::Bytes;
use prost::Message;
use proto::temporal::api::common::v1::{Memo, Payload, SearchAttributes};
use proto::temporal::api::schedule::v1::ScheduleListInfo;

use super::describe::future_times;
use super::spec;
use super::state::State;
use crate::Namespace;
use crate::execution::{IndexRow, Kind};
use crate::search_attributes::NAMESPACE_DIVISION;
use crate::search_attributes::value::{self, Value};
use crate::time::Timestamp;
use crate::workflow::attribute_type;

/// The memo field under which a row carries what lists show.
const INFO: &str = "ScheduleInfo";
/// Whether the schedule is paused, for queries.
const PAUSED: &str = "TemporalSchedulePaused";
/// A schedule's type, among workflows.
const WORKFLOW_TYPE: &str = "temporal-sys-scheduler-workflow";
/// The queue of the reference's own workers.
const TASK_QUEUE: &str = "temporal-sys-per-ns-tq";

/// So many actions, and times to come, are shown.
const SHOWN_MAX: usize = 5;
/// So many calendars, intervals and exclusions are shown.
const SPEC_MAX: usize = 10;

/// The row of a schedule.
pub fn row(state: &State, namespace: &Namespace) -> IndexRow {
    let core = &state.core;
    let start_time = Timestamp(core.create_time);
    let own = (state.workflow_id.to_string(), state.run_id.to_string());
    let mut memo = core.memo.clone().unwrap_or_default();
    memo.fields.insert(INFO.to_owned(), info_payload(state));
    let mut all = core.search_attributes.clone().unwrap_or_default();
    let fields = &mut all.indexed_fields;
    let paused = Value::Bool(state.paused()).to_payload();
    fields.insert(PAUSED.to_owned(), paused);
    if let Some(division) = Kind::Schedule.division() {
        let division = Value::Keyword(division.to_owned()).to_payload();
        fields.insert(NAMESPACE_DIVISION.to_owned(), division);
    }
    let typed = fields
        .iter()
        .filter(|(name, _)| *name != NAMESPACE_DIVISION);
    let attributes = typed.filter_map(|(name, payload)| {
        let kind = attribute_type(namespace, name)?;
        let value = value::decode(payload, kind).ok().flatten()?;
        Some((name.clone(), value))
    });
    let attributes = attributes.collect();
    IndexRow {
        status: state.status() as i32,
        workflow_type: Arc::from(WORKFLOW_TYPE),
        task_queue: Arc::from(TASK_QUEUE),
        start_time,
        execution_time: start_time,
        close_time: state.ended_time(),
        history_length: 0,
        history_size: 0,
        state_transition_count: 0,
        parent: None,
        root: own,
        memo: memo.encode_to_vec().into(),
        search_attributes: all.encode_to_vec().into(),
        attributes,
    }
}

fn info_payload(state: &State) -> Payload {
    let encoding = ("encoding".to_owned(), Bytes::from_static(b"binary/plain"));
    Payload {
        metadata: [encoding].into(),
        data: shown(state).encode_to_vec().into(),
        ..Payload::default()
    }
}

fn shown(state: &State) -> ScheduleListInfo {
    let core = &state.core;
    let spec = state.schedule().and_then(|schedule| schedule.spec.clone());
    let spec = spec.map(|mut spec| {
        spec.timezone_data = Bytes::new();
        spec.interval.truncate(SPEC_MAX);
        spec.structured_calendar.truncate(SPEC_MAX);
        spec.exclude_structured_calendar.truncate(SPEC_MAX);
        spec::fill_ranges(&mut spec);
        spec
    });
    let skipped = core.recent.len().saturating_sub(SHOWN_MAX);
    let recent = core.recent.iter().skip(skipped);
    ScheduleListInfo {
        spec,
        workflow_type: state
            .action()
            .and_then(|action| action.workflow_type.clone()),
        notes: state
            .schedule_state()
            .map_or_else(String::new, |s| s.notes.clone()),
        paused: state.paused(),
        recent_actions: recent.map(|recent| recent.result.clone()).collect(),
        future_action_times: future_times(state, Timestamp(core.processed_to), SHOWN_MAX),
        ..ScheduleListInfo::default()
    }
}

/// What a row's memo says of the schedule.
pub fn list_info(memo: &Memo) -> Option<ScheduleListInfo> {
    ScheduleListInfo::decode(memo.fields.get(INFO)?.data.clone()).ok()
}

/// A row's memo as its client gave it; none is an empty one.
pub fn shown_memo(mut memo: Memo) -> Memo {
    memo.fields.remove(INFO);
    memo
}

/// A row's search attributes as its client gave them.
pub fn shown_search_attributes(mut all: SearchAttributes) -> Option<SearchAttributes> {
    all.indexed_fields.remove(PAUSED);
    all.indexed_fields.remove(NAMESPACE_DIVISION);
    (!all.indexed_fields.is_empty()).then_some(all)
}
