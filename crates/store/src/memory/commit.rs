//! Commits: first every write is checked against the tables and the writes before it, then all are
//! applied.

use std::collections::HashMap;

use uuid::Uuid;

use super::list::Attributes;
use super::{Execution, Shard, Tables};
use crate::error::StoreError;
use crate::model::{Batch, Check, ExecutionKey, Write};

/// The last record of each run that the batch has touched so far; `None` when the run is not there.
type Staged = HashMap<Uuid, Option<u64>>;

impl Tables {
    pub(super) fn open_epoch(&mut self, shard: u32) -> u64 {
        let shard = self.shards.entry(shard).or_default();
        *shard = Shard {
            epoch: shard.epoch + 1,
            ..Shard::default()
        };
        self.stats.transactions += 1;
        shard.epoch
    }

    pub(super) fn commit(&mut self, batch: Batch) -> Result<(), StoreError> {
        match self.admit(&batch) {
            Ok(()) => {
                self.stats.transactions += 1;
                self.stats.batches += 1;
                for write in batch.writes {
                    self.apply(write);
                }
                Ok(())
            }
            Err(refusal) => {
                self.stats.refused += 1;
                if matches!(refusal, StoreError::Conflict { .. })
                    && let Some(shard) = self.shards.get_mut(&batch.shard)
                {
                    shard
                        .refused
                        .extend(batch.writes.iter().map(|write| write.key.run_id));
                }
                Err(refusal)
            }
        }
    }

    fn admit(&self, batch: &Batch) -> Result<(), StoreError> {
        let shard = self.shards.get(&batch.shard);
        let current = shard.map_or(0, |shard| shard.epoch);
        let fenced = StoreError::Fenced {
            shard: batch.shard,
            epoch: batch.epoch,
            current,
        };
        let Some(shard) = shard.filter(|shard| shard.epoch == batch.epoch) else {
            return Err(fenced);
        };
        let mut run_ids = batch.writes.iter().map(|write| write.key.run_id);
        if let Some(refused) = run_ids.find(|run_id| shard.refused.contains(run_id)) {
            return Err(StoreError::conflict(
                refused,
                "an earlier write was refused",
            ));
        }
        let mut staged = Staged::new();
        for write in &batch.writes {
            let run_id = write.key.run_id;
            let last = staged.get(&run_id).copied().unwrap_or_else(|| {
                self.executions
                    .get(&run_id)
                    .map(|execution| execution.records.len() as u64)
            });
            let next = self.check_write(write, last);
            staged.insert(
                run_id,
                next.map_err(|cause| StoreError::conflict(run_id, cause))?,
            );
        }
        Ok(())
    }

    /// The last record after this write, if it may be made.
    fn check_write(&self, write: &Write, last: Option<u64>) -> Result<Option<u64>, &'static str> {
        let parts = write.record.is_some()
            || write.snapshot.is_some()
            || write.row.is_some()
            || write.wake_at.is_some();
        if write.delete {
            return if parts {
                Err("a deletion with other parts")
            } else {
                Ok(None)
            };
        }
        if !parts {
            return Ok(last);
        }
        let next = match (&write.record, last) {
            (Some(record), None) if record.seq == 1 && write.row.is_some() => 1,
            (Some(record), None) if record.seq == 1 => return Err("record 1 without a row"),
            (_, None) => return Err("no such execution"),
            (Some(record), Some(last)) if record.seq == last + 1 => record.seq,
            (Some(_), Some(_)) => return Err("not the next record"),
            (None, Some(last)) => last,
        };
        if write
            .snapshot
            .as_ref()
            .is_some_and(|snapshot| !(1..=next).contains(&snapshot.seq))
        {
            return Err("a snapshot of records that are not there");
        }
        let stored = self
            .executions
            .get(&write.key.run_id)
            .map(|execution| &execution.key);
        if write.row.is_some() && last.is_some() && stored.is_some_and(|key| *key != write.key) {
            return Err("the run belongs to another workflow id");
        }
        Ok(Some(next))
    }

    fn apply(&mut self, mut write: Write) {
        let run_id = write.key.run_id;
        if write.delete {
            self.remove(run_id);
            return;
        }
        let attributes = write
            .row
            .as_mut()
            .map(|row| std::mem::take(&mut row.attributes));
        let row = write.row.take();
        if let (Some(row), false) = (&row, self.executions.contains_key(&run_id)) {
            let execution = Execution {
                key: write.key.clone(),
                row: row.clone(),
                attributes: Attributes::default(),
                snapshot: None,
                records: Vec::new(),
                wake_at: None,
            };
            self.listing.insert(execution.listing());
            self.executions.insert(run_id, execution);
        }
        let becomes_current = row.as_ref().map(|row| row.current);
        let Some(execution) = self.executions.get_mut(&run_id) else {
            return;
        };
        if let Some(row) = row {
            self.listing.remove(&execution.listing());
            execution.row = row;
            execution.attributes = Attributes::new(attributes.unwrap_or_default());
            self.listing.insert(execution.listing());
        }
        if let Some(record) = write.record {
            execution.records.push(record.bytes);
            self.stats.records += 1;
        }
        if let Some(snapshot) = write.snapshot {
            execution.snapshot = Some(snapshot);
        }
        if let Some(wake_at) = write.wake_at {
            execution.wake_at.map(|at| self.wakes.remove(&(at, run_id)));
            execution.wake_at = wake_at;
            self.wakes.extend(wake_at.map(|at| (at, run_id)));
        }
        if let Some(current) = becomes_current {
            self.mark_current(&write.key, current);
        }
    }

    fn mark_current(&mut self, key: &ExecutionKey, current: bool) {
        let workflow = (key.namespace, key.kind, key.workflow_id.clone());
        let run_id = key.run_id;
        let before = self.current.get(&workflow).copied();
        if current {
            self.current.insert(workflow, run_id);
            if let Some(before) = before.filter(|before| *before != run_id)
                && let Some(execution) = self.executions.get_mut(&before)
            {
                execution.row.current = false;
            }
        } else if before == Some(run_id) {
            self.current.remove(&workflow);
        }
    }

    fn remove(&mut self, run_id: Uuid) {
        let Some(execution) = self.executions.remove(&run_id) else {
            return;
        };
        self.listing.remove(&execution.listing());
        execution.wake_at.map(|at| self.wakes.remove(&(at, run_id)));
        if execution.row.current {
            let key = execution.key;
            self.current
                .remove(&(key.namespace, key.kind, key.workflow_id));
        }
    }

    pub(super) fn check(&self) -> Check {
        let missing = |run_id: &&Uuid| !self.executions.contains_key(run_id);
        let orphans = self.current.values().filter(missing).count()
            + self
                .wakes
                .iter()
                .map(|(_, run_id)| run_id)
                .filter(missing)
                .count()
            + self
                .listing
                .iter()
                .map(|listing| &listing.run_id)
                .filter(missing)
                .count();
        let executions = self.executions.values();
        let gaps = executions.clone().filter(|execution| {
            let last = execution.records.len() as u64;
            last == 0
                || execution
                    .snapshot
                    .as_ref()
                    .is_some_and(|snapshot| snapshot.seq > last)
        });
        let doubles = executions.clone().filter(|execution| {
            let key = &execution.key;
            let workflow = (key.namespace, key.kind, key.workflow_id.clone());
            execution.row.current && self.current.get(&workflow) != Some(&execution.key.run_id)
        });
        Check {
            executions: self.executions.len() as u64,
            records: executions
                .clone()
                .map(|execution| execution.records.len() as u64)
                .sum(),
            orphans: orphans as u64,
            gaps: gaps.count() as u64,
            doubles: doubles.count() as u64,
        }
    }
}
