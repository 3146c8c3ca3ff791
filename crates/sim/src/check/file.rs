//! What must hold of a database file that no server has open: the journals are the truth, and all else
//! in the file follows from them.

use std::collections::BTreeMap;
use std::path::Path;
use std::time::Duration;

use engine::Namespace;
use engine::execution::{Execution, Kind};
use engine::time::Timestamp;
use engine::workflow::Record;
use prost::Message;
use proto::temporal::api::common::v1::{Payload, SearchAttributes};
use proto::temporal::api::history::v1::History;
use server::namespaces::Record as NamespaceRecord;
use store::{Column, ExecutionKey, Filter, Loaded, RecordRange, Row, SqliteStore, Store};
use uuid::Uuid;

use super::history;
use crate::error::Error;

/// Where the store keeps namespaces.
const NAMESPACES: &str = "namespace/";
/// Search attributes that the server derives while a run is open. They reach the index with the next row.
const DERIVED: [&str; 2] = ["BuildIds", "TemporalReportedProblems"];
/// Rows read at a time.
const PAGE: usize = 500;
/// All records of a run.
const ALL: RecordRange = RecordRange {
    from: 1,
    to: u64::MAX,
    count_max: usize::MAX,
    bytes_max: usize::MAX,
    reverse: false,
};

/// What was found.
#[derive(Debug, Default)]
pub struct Found {
    /// Runs in the file.
    pub runs: u64,
    /// Those that are open.
    pub open: u64,
    /// Those that go as soon as they have told everybody that they closed.
    pub deleting: u64,
    /// What is wrong.
    pub problems: Vec<String>,
}

/// Looks at everything in a file.
///
/// # Errors
/// When it cannot be read.
pub async fn check(path: &Path) -> Result<Found, Error> {
    let store = SqliteStore::open(path)?;
    let mut found = Found::default();
    let own = store.check().await?;
    if own.orphans != 0 || own.gaps != 0 || own.doubles != 0 {
        found
            .problems
            .push(format!("the store's own check: {own:?}"));
    }
    for (_, bytes) in store.meta_scan(NAMESPACES).await? {
        match NamespaceRecord::decode(bytes) {
            Ok(record) => check_namespace(&store, &namespace(&record), &mut found).await?,
            Err(error) => found
                .problems
                .push(format!("a namespace cannot be read: {error}")),
        }
    }
    if found.runs != own.executions {
        let text = format!(
            "{} executions, but {} in namespaces",
            own.executions, found.runs
        );
        found.problems.push(text);
    }
    store.close().await?;
    Ok(found)
}

/// As far as the engine looks at it; the runs of these files have no custom search attributes.
fn namespace(record: &NamespaceRecord) -> Namespace {
    Namespace {
        id: Uuid::from_slice(&record.id).unwrap_or_default(),
        name: record.name.as_str().into(),
        retention: Duration::from_secs(record.retention_s),
        search_attributes: BTreeMap::new(),
    }
}

async fn check_namespace(
    store: &SqliteStore,
    namespace: &Namespace,
    found: &mut Found,
) -> Result<(), Error> {
    let mut after: Option<Vec<u8>> = None;
    let mut by_workflow: BTreeMap<(u8, String), Vec<(bool, bool)>> = BTreeMap::new();
    // Rows of every division.
    let all = Filter::Or(vec![
        Filter::IsNull(Column::Division),
        Filter::Not(Box::new(Filter::IsNull(Column::Division))),
    ]);
    loop {
        let page = store
            .list(namespace.id, &all, &[], after.as_deref(), PAGE)
            .await?;
        for (key, row) in page.rows {
            let problems = check_run(store, namespace, &key, &mut found.deleting).await?;
            let name = format!("{} {}", key.workflow_id, key.run_id);
            found
                .problems
                .extend(problems.into_iter().map(|text| format!("{name}: {text}")));
            found.runs += 1;
            found.open += u64::from(row.close_time.is_none());
            let id = (key.kind, key.workflow_id.to_string());
            let runs = by_workflow.entry(id).or_default();
            runs.push((row.current, row.close_time.is_none()));
        }
        after = page.next;
        if after.is_none() {
            break;
        }
    }
    for ((_, id), runs) in by_workflow {
        let current = runs.iter().filter(|(current, _)| *current).count();
        let open = runs.iter().filter(|(_, open)| *open).count();
        let hidden = runs.iter().any(|(current, open)| *open && !*current);
        if current != 1 || open > 1 || hidden {
            let text = format!("{id}: runs as (current, open): {runs:?}");
            found.problems.push(text);
        }
    }
    Ok(())
}

async fn check_run(
    store: &SqliteStore,
    namespace: &Namespace,
    key: &ExecutionKey,
    deleting: &mut u64,
) -> Result<Vec<String>, Error> {
    let mut problems = Vec::new();
    let Some(loaded) = store.load(key).await? else {
        return Ok(vec![String::from("is listed but cannot be loaded")]);
    };
    let records = store.records(key, ALL).await?;
    let journal = records.iter().map(|(_, bytes)| bytes.clone());
    let id = key.workflow_id.clone();
    let state = match Execution::load(key.kind, id, key.run_id, None, journal) {
        Ok(state) => state,
        Err(error) => return Ok(vec![format!("its journal cannot be folded: {error}")]),
    };
    *deleting += u64::from(state.is_deleting());
    if key.kind == Kind::Workflow.number() {
        problems.extend(check_events(&state, &records));
    }
    let slot = server::shard::slot_of(key.namespace, &key.workflow_id);
    if slot != key.slot {
        problems.push(format!("it lies in slot {}, not in {slot}", key.slot));
    }
    problems.extend(check_snapshots(&state, &loaded));
    problems.extend(check_row(&state, namespace, &loaded.row));
    problems.extend(check_wake(&state, namespace, loaded.wake_at));
    Ok(problems)
}

/// The history is sound, and the state knows its end.
fn check_events(state: &Execution, records: &[(u64, store::Bytes)]) -> Vec<String> {
    let mut problems = Vec::new();
    let mut events = Vec::new();
    for (seq, bytes) in records {
        let decoded = Record::decode(bytes.clone())
            .and_then(|record| History::decode(record.history))
            .map(|history| events.extend(history.events));
        if let Err(error) = decoded {
            problems.push(format!("record {seq} cannot be read: {error}"));
        }
    }
    problems.extend(history::check(&events));
    let last = state.next_event_id() - 1;
    if events.last().map(|event| event.event_id) != Some(last) {
        problems.push(format!("its state says it has {last} events"));
    }
    problems
}

/// A snapshot is a cache of the fold: with and without it the state is the same.
fn check_snapshots(state: &Execution, loaded: &Loaded) -> Option<String> {
    let load = |snapshot, records: &[(u64, store::Bytes)]| {
        let journal = records.iter().map(|(_, bytes)| bytes.clone());
        let (kind, id) = (state.kind().number(), state.id().clone());
        Execution::load(kind, id, state.run_id(), snapshot, journal)
    };
    if let Some(snapshot) = state.snapshot() {
        let fresh = load(Some(snapshot), &[]);
        if !fresh.is_ok_and(|fresh| fresh.same_durable(state)) {
            return Some(String::from("a snapshot of its state is not its state"));
        }
    }
    let snapshot = loaded.snapshot.as_ref()?;
    let stored = match load(Some(snapshot.bytes.clone()), &loaded.records) {
        Ok(stored) => stored,
        Err(error) => return Some(format!("its snapshot cannot be read: {error}")),
    };
    let differs = || {
        let (stored, folded) = (format!("{stored:#?}"), format!("{state:#?}"));
        let mut lines = stored.lines().zip(folded.lines());
        let first = lines
            .find(|(stored, folded)| stored != folded)
            .unwrap_or_default();
        format!(
            "its snapshot of record {} is not the fold: {} instead of {}",
            snapshot.seq,
            first.0.trim(),
            first.1.trim()
        )
    };
    (!stored.same_durable(state)).then(differs)
}

fn check_row(state: &Execution, namespace: &Namespace, row: &Row) -> Vec<String> {
    let expected = state.row(namespace);
    let mut problems = Vec::new();
    let mut compare = |what: &str, stored: &dyn std::fmt::Debug, folded: &dyn std::fmt::Debug| {
        let (stored, folded) = (format!("{stored:?}"), format!("{folded:?}"));
        if stored != folded {
            problems.push(format!(
                "the index says {what} {stored}, the journal {folded}"
            ));
        }
    };
    let named = |(id, run): &(std::sync::Arc<str>, Uuid)| (id.to_string(), run.to_string());
    compare("status", &row.status, &expected.status);
    compare("type", &row.workflow_type, &expected.workflow_type);
    compare("task queue", &row.task_queue, &expected.task_queue);
    compare("start time", &row.start_time, &expected.start_time.0);
    compare(
        "execution time",
        &row.execution_time,
        &expected.execution_time.0,
    );
    compare(
        "close time",
        &row.close_time,
        &expected.close_time.map(|at| at.0),
    );
    compare(
        "history length",
        &row.history_length,
        &expected.history_length,
    );
    compare("history size", &row.history_size, &expected.history_size);
    compare("parent", &row.parent.as_ref().map(named), &expected.parent);
    compare("root", &named(&row.root), &expected.root);
    compare("memo", &row.memo, &expected.memo);
    let attributes = |bytes: &store::Bytes| -> Vec<(String, Payload)> {
        let decoded = SearchAttributes::decode(bytes.clone()).unwrap_or_default();
        let open = state.is_open();
        let fields = decoded.indexed_fields.into_iter();
        fields
            .filter(|(name, _)| !(open && DERIVED.contains(&name.as_str())))
            .collect()
    };
    compare(
        "search attributes",
        &attributes(&row.search_attributes),
        &attributes(&expected.search_attributes),
    );
    // What a run records after its end (answers to its last messages) leaves the index alone.
    let transitions = expected.state_transition_count;
    if !(0..=transitions).contains(&row.state_transition_count) {
        let stored = row.state_transition_count;
        problems.push(format!(
            "the index says transitions {stored}, the journal {transitions}"
        ));
    }
    problems
}

/// A server that starts afresh finds in time whatever has something to do.
fn check_wake(state: &Execution, namespace: &Namespace, stored: Option<i64>) -> Option<String> {
    let expires = state.close_time().map(|closed| {
        if state.is_deleting() && !state.has_messages() {
            Timestamp::MIN
        } else {
            closed.after(namespace.retention)
        }
    });
    let needed = [state.wake_at(), expires].into_iter().flatten().min()?;
    let in_time = stored.is_some_and(|stored| stored <= needed.0);
    (!in_time).then(|| format!("it must be looked at {needed:?}, but the index says {stored:?}"))
}
