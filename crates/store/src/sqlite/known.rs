//! What the writer remembers between transactions.
//!
//! It alone writes, so what it wrote last is what is stored: a write to a run that it still knows
//! needs no look at the tables first. Everything here is a copy of rows. It is thrown away when a
//! transaction or a batch is taken back, and read anew when it is missing.

use std::collections::HashMap;
use std::sync::Arc;

use rusqlite::types::Value as SqlValue;
use rusqlite::{Connection, OptionalExtension, params};
use uuid::Uuid;

use super::row::{AttributeRow, COLUMNS, NUMBER, read, unsigned};
use crate::model::{ExecutionKey, Row};

/// So many runs are known at least, if they exist, and at most twice as many: about 1 KB each.
const RUNS: usize = 2048;

/// A run as the tables have it.
#[derive(Debug)]
pub(super) struct Known {
    pub(super) key: ExecutionKey,
    /// By which all tables know it.
    pub(super) number: i64,
    /// The last record of its journal.
    pub(super) seq: u64,
    /// Its row, without memo, search attributes and attributes.
    pub(super) row: Row,
    pub(super) wake_at: Option<i64>,
    /// Its rows in `attributes`: the number of the name, and the value.
    pub(super) attributes: Vec<(i64, SqlValue)>,
}

impl Known {
    fn read(conn: &Connection, run_id: Uuid) -> rusqlite::Result<Option<Self>> {
        let execution = conn
            .prepare_cached(&format!(
                "SELECT {COLUMNS} FROM executions AS e WHERE e.run_id = ?1"
            ))?
            .query_row([run_id.as_bytes().as_slice()], |row| {
                Ok((row.get(NUMBER)?, read(row)?))
            })
            .optional()?;
        let Some((number, (key, row, wake_at))) = execution else {
            return Ok(None);
        };
        let seq = conn
            .prepare_cached("SELECT ifnull(max(seq), 0) FROM journal WHERE execution = ?1")?
            .query_row([number], |row| unsigned(row, 0))?;
        let attributes = conn
            .prepare_cached("SELECT attribute, value FROM attributes WHERE execution = ?1")?
            .query_map([number], |row| Ok((row.get(0)?, row.get(1)?)))?
            .collect::<rusqlite::Result<_>>()?;
        Ok(Some(Self {
            key,
            number,
            seq,
            row: bare(&row),
            wake_at,
            attributes,
        }))
    }
}

/// A row without what no write is compared with.
pub(super) fn bare(row: &Row) -> Row {
    Row {
        memo: Default::default(),
        search_attributes: Default::default(),
        attributes: Vec::new(),
        workflow_type: row.workflow_type.clone(),
        task_queue: row.task_queue.clone(),
        parent: row.parent.clone(),
        root: row.root.clone(),
        division: row.division.clone(),
        ..*row
    }
}

/// What a row is counted by in `counts`.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(super) struct Counted {
    pub(super) namespace: Uuid,
    pub(super) division: Option<Arc<str>>,
    pub(super) workflow_type: Arc<str>,
    pub(super) task_queue: Arc<str>,
    pub(super) open: bool,
    pub(super) status: i32,
}

impl Counted {
    pub(super) fn of(namespace: Uuid, row: &Row) -> Self {
        Self {
            namespace,
            division: row.division.clone(),
            workflow_type: row.workflow_type.clone(),
            task_queue: row.task_queue.clone(),
            open: row.close_time.is_none(),
            status: row.status,
        }
    }
}

/// The writer's memory.
#[derive(Debug, Default)]
pub(super) struct Memory {
    /// The runs of late, and those before them: when the first are too many, they become the
    /// second, and those are forgotten.
    young: HashMap<Uuid, Known>,
    old: HashMap<Uuid, Known>,
    /// Numbers of search attributes, by namespace, name and number of the type.
    names: HashMap<(Uuid, i64), HashMap<Arc<str>, i64>>,
    /// Rows more or fewer of a kind, not in `counts` yet.
    counts: HashMap<Counted, i64>,
}

impl Memory {
    /// Forgets everything: what it came from was taken back.
    pub(super) fn forget(&mut self) {
        *self = Self::default();
    }

    /// The run, from memory or from the tables; `None` if there is none.
    pub(super) fn run(
        &mut self,
        conn: &Connection,
        run_id: Uuid,
    ) -> rusqlite::Result<Option<&mut Known>> {
        if !self.young.contains_key(&run_id) {
            let known = match self.old.remove(&run_id) {
                Some(known) => Some(known),
                None => Known::read(conn, run_id)?,
            };
            match known {
                Some(known) => self.learn(known),
                None => return Ok(None),
            }
        }
        Ok(self.young.get_mut(&run_id))
    }

    /// Remembers a run.
    pub(super) fn learn(&mut self, known: Known) {
        if self.young.len() >= RUNS {
            self.old = std::mem::take(&mut self.young);
        }
        self.young.insert(known.key.run_id, known);
    }

    /// Forgets a run that was deleted.
    pub(super) fn remove(&mut self, run_id: Uuid) {
        self.young.remove(&run_id);
        self.old.remove(&run_id);
    }

    /// The run has lost the mark of the current one to another.
    pub(super) fn lost_current(&mut self, run_id: Uuid) {
        let known = self.young.get_mut(&run_id);
        if let Some(known) = known.or_else(|| self.old.get_mut(&run_id)) {
            known.row.current = false;
        }
    }

    /// The number of a search attribute in its namespace; given to it when it is first used.
    pub(super) fn attribute(
        &mut self,
        conn: &Connection,
        namespace: Uuid,
        attribute: &AttributeRow,
    ) -> rusqlite::Result<i64> {
        let names = self
            .names
            .entry((namespace, attribute.type_number))
            .or_default();
        if let Some(id) = names.get(&attribute.name) {
            return Ok(*id);
        }
        let key = params![
            namespace.as_bytes().as_slice(),
            attribute.name,
            attribute.type_number
        ];
        let known = conn
            .prepare_cached(
                "SELECT id FROM attribute_names WHERE namespace = ?1 AND name = ?2 AND type = ?3",
            )?
            .query_row(key, |row| row.get(0))
            .optional()?;
        let id = match known {
            Some(id) => id,
            None => {
                conn.prepare_cached(
                    "INSERT INTO attribute_names (namespace, name, type) VALUES (?1, ?2, ?3)",
                )?
                .execute(key)?;
                conn.last_insert_rowid()
            }
        };
        names.insert(attribute.name.clone(), id);
        Ok(id)
    }

    /// Counts rows more or fewer, to be written by [`write_counts`](Self::write_counts).
    pub(super) fn count(&mut self, counted: Counted, by: i64) {
        *self.counts.entry(counted).or_default() += by;
    }

    /// Writes what was counted: once for all runs of a kind. Nothing is left of a kind that no row
    /// is of.
    pub(super) fn write_counts(&mut self, conn: &Connection) -> rusqlite::Result<()> {
        for (counted, by) in self.counts.drain().filter(|(_, by)| *by != 0) {
            // Without a division a number stands in its place: a key has no NULL.
            let division = match &counted.division {
                Some(division) => SqlValue::Text(division.to_string()),
                None => SqlValue::Integer(0),
            };
            let key = params![
                counted.namespace.as_bytes().as_slice(),
                division,
                counted.workflow_type,
                counted.task_queue,
                counted.open,
                counted.status,
                by,
            ];
            conn.prepare_cached(
                "INSERT INTO counts \
                 (namespace, division, workflow_type, task_queue, open, status, count) \
                 VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7) \
                 ON CONFLICT DO UPDATE SET count = count + ?7",
            )?
            .execute(key)?;
            if by < 0 {
                conn.prepare_cached(
                    "DELETE FROM counts WHERE namespace = ?1 AND division = ?2 \
                     AND workflow_type = ?3 AND task_queue = ?4 AND open = ?5 AND status = ?6 \
                     AND count = 0",
                )?
                .execute(&key[..6])?;
            }
        }
        Ok(())
    }
}
