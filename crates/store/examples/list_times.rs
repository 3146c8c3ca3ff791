//! How long lists and counts take, and opening: on what `bytes_written` left in its folder.
//!
//! `cargo run --release -p steadfast-store --example list_times -- FOLDER`

#![allow(
    clippy::print_stdout,
    clippy::unwrap_used,
    reason = "a tool for developers"
)]

mod support;

use std::path::PathBuf;
use std::time::Instant;

use steadfast_store::{Column, Comparison, Filter, OrderBy, SqliteStore, Store, Uuid, Value};

use support::wait;

const NAMESPACE: Uuid = Uuid::from_u128(0x0192_0000_0000_7000_8000_0000_0000_0001);

fn is(column: Column, value: Value) -> Filter {
    Filter::Compare {
        column,
        op: Comparison::Eq,
        value,
    }
}

fn main() {
    let folder = PathBuf::from(std::env::args().nth(1).unwrap());
    let start = Instant::now();
    let store = SqliteStore::open(&folder.join("bytes.db")).unwrap();
    println!("opened in {:?}", start.elapsed());
    let list = |name: &str, filter: &Filter, order: &[OrderBy]| {
        let start = Instant::now();
        let page = wait(store.list(NAMESPACE, filter, order, None, 100)).unwrap();
        println!(
            "{:>10.1?}  {} rows: {name}",
            start.elapsed(),
            page.rows.len()
        );
        page
    };
    let text = |text: &str| Value::Text(text.into());
    let page = list("all", &Filter::True, &[]);
    let (key, row) = page.rows.last().unwrap().clone();
    let start = Instant::now();
    let next = wait(store.list(NAMESPACE, &Filter::True, &[], page.next.as_deref(), 100)).unwrap();
    println!(
        "{:>10.1?}  {} rows: the next page",
        start.elapsed(),
        next.rows.len()
    );
    list(
        "of one workflow id",
        &is(Column::WorkflowId, text(&key.workflow_id)),
        &[],
    );
    list(
        "of one run",
        &is(Column::RunId, Value::Uuid(key.run_id)),
        &[],
    );
    list("running (none)", &is(Column::Status, Value::Int(1)), &[]);
    list(
        "of one type (all)",
        &is(Column::WorkflowType, text("OrderWorkflow")),
        &[],
    );
    list(
        "of one type (none)",
        &is(Column::WorkflowType, text("Other")),
        &[],
    );
    list(
        "of one queue (none)",
        &is(Column::TaskQueue, text("other")),
        &[],
    );
    list(
        "of one parent (none)",
        &is(Column::ParentWorkflowId, text("other")),
        &[],
    );
    let prefix = Filter::StartsWith {
        column: Column::WorkflowId,
        prefix: "order-00".into(),
    };
    list("ids with a prefix (1 of 256)", &prefix, &[]);
    let prefix = Filter::StartsWith {
        column: Column::WorkflowId,
        prefix: "order-0000".into(),
    };
    list("ids with a prefix (1 of 65536)", &prefix, &[]);
    let early = |column| Filter::Compare {
        column,
        op: Comparison::Le,
        value: Value::Int(1_790_000_000_000_000_000 + 100_000_000),
    };
    list("started early", &early(Column::StartTime), &[]);
    list("closed early", &early(Column::CloseTime), &[]);
    let by = |column| {
        [OrderBy {
            column,
            descending: false,
        }]
    };
    list("by workflow id", &Filter::True, &by(Column::WorkflowId));
    let count = |name: &str, filter: &Filter, group_by: &[Column]| {
        let start = Instant::now();
        let groups = wait(store.count(NAMESPACE, filter, group_by)).unwrap();
        println!("{:>10.1?}  {:?}: {name}", start.elapsed(), groups.first());
    };
    count("count", &Filter::True, &[]);
    count("count by status", &Filter::True, &[Column::Status]);
    count("count by task queue", &Filter::True, &[Column::TaskQueue]);
    let start = Instant::now();
    let rounds = 10_000;
    for _ in 0..rounds {
        wait(store.current(key.slot, NAMESPACE, key.kind, &key.workflow_id)).unwrap();
    }
    println!("{:>10.1?}  current, each", start.elapsed() / rounds);
    let start = Instant::now();
    for _ in 0..rounds {
        wait(store.load(&key)).unwrap();
    }
    println!(
        "{:>10.1?}  load, each ({} transitions)",
        start.elapsed() / rounds,
        row.state_transition_count
    );
    let start = Instant::now();
    let due = wait(store.wakes(0..16384, 1_790_000_000_000_000_000, None, 100)).unwrap();
    println!("{:>10.1?}  {} wakes due", start.elapsed(), due.len());
    let start = Instant::now();
    let due = wait(store.wakes(0..10, i64::MAX, None, 100)).unwrap();
    println!(
        "{:>10.1?}  {} wakes of ten slots",
        start.elapsed(),
        due.len()
    );
    let start = Instant::now();
    let found = wait(store.check()).unwrap();
    println!("{:>10.1?}  {found:?}", start.elapsed());
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    println!(
        "{}",
        status
            .lines()
            .find(|line| line.starts_with("VmRSS"))
            .unwrap()
    );
    let start = Instant::now();
    wait(store.close()).unwrap();
    println!("closed in {:?}", start.elapsed());
}
