//! PatchSchedule: trigger, backfill, pause, unpause.

use proto::temporal::api::schedule::v1::SchedulePatch;
use proto::temporal::api::workflowservice::v1::PatchScheduleRequest;

use super::update::take_request;
use crate::rejection::Rejection;
use crate::schedule::advance::{self, BUFFER_MAX};
use crate::schedule::record::{Backfill, ChangeKind, Paused};
use crate::schedule::step::Step;
use crate::time::Timestamp;

pub(in crate::schedule) fn patch(
    step: &mut Step<'_>,
    request: PatchScheduleRequest,
) -> Result<(), Rejection> {
    if !take_request(step, &request.request_id)? {
        return Ok(());
    }
    // What was due before the patch is done as if there were none.
    advance::pass_time(step);
    advance::work(step);
    apply(step, request.patch.unwrap_or_default());
    advance::advance(step);
    Ok(())
}

/// The changes that a patch asks for.
pub(super) fn apply(step: &mut Step<'_>, patch: SchedulePatch) {
    let mut overrun = 0;
    if let Some(trigger) = patch.trigger_immediately {
        let time = trigger.scheduled_time.as_ref();
        let time = time.map_or(step.time, Timestamp::from_proto);
        if !advance::wait(step, time, time, trigger.overlap_policy, true) {
            overrun += 1;
        }
    }
    for wish in patch.backfill_request {
        if step.state.core.backfills.len() >= BUFFER_MAX {
            overrun += 1;
            continue;
        }
        let time = |wire: Option<&proto::Timestamp>| wire.map_or(0, |t| Timestamp::from_proto(t).0);
        let backfill = Backfill {
            number: step.next_number(),
            // The start belongs to it.
            after: time(wish.start_time.as_ref()).saturating_sub(1_000_000),
            until: time(wish.end_time.as_ref()),
            overlap_policy: wish.overlap_policy,
        };
        step.change(ChangeKind::Backfill(backfill));
    }
    if overrun > 0 {
        step.change(ChangeKind::Overrun(overrun));
    }
    for (paused, notes) in [(true, patch.pause), (false, patch.unpause)] {
        if !notes.is_empty() {
            step.change(ChangeKind::Paused(Paused { paused, notes }));
        }
    }
}
