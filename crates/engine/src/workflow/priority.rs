//! Priorities: what a task's own leaves open comes from the workflow. Events keep what was asked for; the
//! two meet when a task is offered or a child is started (behaviour, section 6.7).

use proto::temporal::api::common::v1::Priority as Wire;

use super::state::State;
use super::transition::Priority;

/// What takes effect for something of this run that asks for `own`.
pub(crate) fn in_effect(own: Option<&Wire>, state: &State) -> Option<Wire> {
    let Some(base) = state.priority() else {
        return own.cloned();
    };
    let mut priority = own.cloned().unwrap_or_default();
    if priority.priority_key == 0 {
        priority.priority_key = base.priority_key;
    }
    if priority.fairness_key.is_empty() {
        priority.fairness_key.clone_from(&base.fairness_key);
    }
    if priority.fairness_weight == 0.0 {
        priority.fairness_weight = base.fairness_weight;
    }
    Some(priority)
}

/// A wire priority as matching needs it.
pub(crate) fn for_matching(wire: Option<&Wire>) -> Priority {
    wire.map_or_else(Priority::default, |p| Priority {
        key: p.priority_key,
        fairness_key: p.fairness_key.as_str().into(),
        fairness_weight: p.fairness_weight,
    })
}
