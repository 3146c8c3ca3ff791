//! The fold of a schedule's journal: what each change does to its state.

use proto::temporal::api::common::v1::WorkflowExecution;
use proto::temporal::api::enums::v1::WorkflowExecutionStatus;
use proto::temporal::api::schedule::v1::{Schedule, ScheduleActionResult};

use super::record::{ChangeKind, Closed, Record, Start, Started, Stopped, Updated};
use super::state::{
    AskedStart, INITIAL_CONFLICT_TOKEN, Queued, RECENT_MAX, Recent, Running, State, catchup_window,
    overlap_policy,
};
use crate::time::{Timestamp, duration};

/// So many request ids are remembered.
const REQUEST_IDS_MAX: usize = 64;

impl State {
    /// Folds a whole record.
    pub(super) fn apply_record(&mut self, record: &Record) {
        for change in &record.changes {
            if let Some(kind) = &change.kind {
                self.apply(kind, Timestamp(record.time));
            }
        }
        self.core.seq += 1;
    }

    /// Folds one change.
    pub(super) fn apply(&mut self, kind: &ChangeKind, at: Timestamp) {
        let core = &mut self.core;
        match kind {
            ChangeKind::Created(created) => {
                core.namespace.clone_from(&created.namespace);
                core.schedule_id.clone_from(&created.schedule_id);
                core.request_id.clone_from(&created.request_id);
                core.memo.clone_from(&created.memo);
                core.search_attributes
                    .clone_from(&created.search_attributes);
                core.schedule = Some(complete(created.schedule.clone()));
                core.create_time = at.0;
                core.processed_to = at.0;
                core.conflict_token = INITIAL_CONFLICT_TOKEN;
                self.compile();
            }
            ChangeKind::Updated(updated) => self.update(updated, at),
            ChangeKind::Paused(paused) => {
                let state = core.schedule.get_or_insert_default();
                let state = state.state.get_or_insert_default();
                state.paused = paused.paused;
                state.notes.clone_from(&paused.notes);
                core.conflict_token += 1;
            }
            ChangeKind::RequestTaken(id) => {
                core.request_ids.push(id.clone());
                keep_last(&mut core.request_ids, REQUEST_IDS_MAX);
            }
            ChangeKind::ProcessedTo(time) => core.processed_to = *time,
            ChangeKind::Missed(count) => core.missed_catchup_window += signed(*count),
            ChangeKind::Overrun(count) => core.buffer_dropped += signed(*count),
            ChangeKind::Buffered(start) => {
                core.last_number = start.number;
                core.buffer.push(*start);
            }
            ChangeKind::Skipped(number) => {
                self.take_buffered(*number);
                self.core.overlap_skipped += 1;
            }
            ChangeKind::Dropped(number) => {
                self.take_buffered(*number);
                self.core.buffer_dropped += 1;
            }
            ChangeKind::Asked(asked) => {
                let Some(start) = self.take_buffered(asked.number) else {
                    return;
                };
                let core = &mut self.core;
                core.asked.push(AskedStart {
                    start,
                    allow_all: asked.allow_all,
                });
                if asked.counts {
                    let state = core.schedule.get_or_insert_default();
                    let state = state.state.get_or_insert_default();
                    state.remaining_actions -= 1;
                    core.conflict_token += 1;
                }
                self.post(asked.number, None, false);
            }
            ChangeKind::Started(started) => self.started(started, at),
            ChangeKind::Refused(refused) => {
                core.asked
                    .retain(|asked| asked.start.number != refused.number);
                if refused.overlaps {
                    core.overlap_skipped += 1;
                } else {
                    core.buffer_dropped += 1;
                }
            }
            ChangeKind::Stopped(stopped) => self.stop(*stopped),
            ChangeKind::Acknowledged(seq) => core.outbox.retain(|queued| queued.seq != *seq),
            ChangeKind::Closed(closed) => self.closed(closed),
            ChangeKind::Backfill(backfill) => {
                core.last_number = core.last_number.max(backfill.number);
                let known = core
                    .backfills
                    .iter()
                    .position(|b| b.number == backfill.number);
                let done = backfill.after >= backfill.until;
                if known.is_some() {
                    core.backfilled_at = at.0;
                }
                match known {
                    Some(index) if done => drop(core.backfills.remove(index)),
                    Some(index) => core.backfills[index] = *backfill,
                    None if done => {}
                    None => core.backfills.push(*backfill),
                }
            }
            ChangeKind::Ended(deleted) => {
                core.ended_time = at.0;
                core.deleted = *deleted;
                core.buffer.clear();
                core.backfills.clear();
            }
        }
    }

    fn update(&mut self, updated: &Updated, at: Timestamp) {
        let core = &mut self.core;
        core.schedule = Some(complete(updated.schedule.clone()));
        core.update_time = at.0;
        core.conflict_token += 1;
        if let Some(new) = &updated.search_attributes {
            core.search_attributes = Some(new.clone());
        }
        // Times before the update are none of the new spec's. One that it names before may be due after, by
        // jitter, but by no more than that.
        let spec = core.schedule.as_ref().and_then(|s| s.spec.as_ref());
        let jitter = duration(spec.and_then(|spec| spec.jitter.as_ref()));
        let jitter = i64::try_from(jitter.as_nanos()).unwrap_or(i64::MAX);
        let earliest = at.0.saturating_sub(jitter).saturating_sub(2_000_000_000);
        core.processed_to = core.processed_to.max(earliest);
        self.compile();
    }

    fn take_buffered(&mut self, number: u64) -> Option<Start> {
        let mut starts = self.core.buffer.iter();
        let index = starts.position(|start| start.number == number)?;
        Some(self.core.buffer.remove(index))
    }

    fn post(&mut self, number: u64, stop: Option<WorkflowExecution>, terminate: bool) {
        self.core.last_message += 1;
        self.core.outbox.push(Queued {
            seq: self.core.last_message,
            number,
            stop,
            terminate,
        });
    }

    fn started(&mut self, started: &Started, at: Timestamp) {
        let core = &mut self.core;
        let mut all = core.asked.iter();
        let Some(index) = all.position(|asked| asked.start.number == started.number) else {
            return;
        };
        let asked = core.asked.remove(index);
        let execution = WorkflowExecution {
            workflow_id: started.workflow_id.clone(),
            run_id: started.run_id.clone(),
        };
        core.action_count += 1;
        // Answers come in any order; what is shown is in that of the times.
        let after = |number: &u64| *number > started.number;
        let place = core.recent.iter().position(|r| after(&r.number));
        let place = place.unwrap_or(core.recent.len());
        let recent = Recent {
            number: started.number,
            result: ScheduleActionResult {
                schedule_time: Some(Timestamp(asked.start.actual_time).to_proto()),
                actual_time: Some(at.to_proto()),
                start_workflow_result: Some(execution.clone()),
                start_workflow_status: WorkflowExecutionStatus::Running as i32,
            },
        };
        core.recent.insert(place, recent);
        keep_last(&mut core.recent, RECENT_MAX);
        if !asked.allow_all {
            core.running.push(Running {
                number: started.number,
                execution,
                cancelled: false,
                terminated: false,
            });
        }
    }

    fn stop(&mut self, stopped: Stopped) {
        let mut running = self.core.running.iter_mut();
        let Some(running) = running.find(|running| running.number == stopped.number) else {
            return;
        };
        running.cancelled = true;
        running.terminated |= stopped.terminate;
        let execution = running.execution.clone();
        self.post(stopped.number, Some(execution), stopped.terminate);
    }

    fn closed(&mut self, closed: &Closed) {
        let core = &mut self.core;
        core.running
            .retain(|running| running.number != closed.number);
        let mut recent = core.recent.iter_mut();
        if let Some(recent) = recent.find(|recent| recent.number == closed.number) {
            recent.result.start_workflow_status = closed.status;
        }
        if let Some(result) = &closed.result {
            core.last_completion_result = Some(result.clone());
            core.continued_failure = None;
        } else if let Some(failure) = &closed.failure {
            core.continued_failure = Some(failure.clone());
        }
    }
}

/// A schedule with its defaults filled in, so that they show.
fn complete(schedule: Option<Schedule>) -> Schedule {
    let mut schedule = schedule.unwrap_or_default();
    schedule.spec.get_or_insert_default();
    schedule.action.get_or_insert_default();
    schedule.state.get_or_insert_default();
    let overlap = overlap_policy(schedule.policies.as_ref());
    let window = catchup_window(schedule.policies.as_ref());
    let policies = schedule.policies.get_or_insert_default();
    policies.overlap_policy = overlap as i32;
    policies.catchup_window = Some(crate::time::wire(window));
    schedule
}

fn keep_last<T>(all: &mut Vec<T>, count: usize) {
    all.drain(..all.len().saturating_sub(count));
}

fn signed(count: u64) -> i64 {
    i64::try_from(count).unwrap_or(i64::MAX)
}
