//! How long lists and counts take among many executions.
//!
//! `cargo run --release -p steadfast-store --example list_times -- FOLDER [EXECUTIONS] [ROUNDS]`
//!
//! An empty folder is filled first. One execution in ten has a type of its own fifty, one in twenty a task
//! queue of a hundred; one in a thousand failed, one in a hundred runs and one in a hundred is a child;
//! each has a customer of ten thousand and an amount, one in ten a region of five. Each query is asked
//! `ROUNDS` times, with another value each time; the page is of 100.

#![allow(
    clippy::print_stdout,
    clippy::unwrap_used,
    reason = "a tool for developers"
)]

mod support;

use std::path::PathBuf;
use std::time::{Duration, Instant};

use steadfast_store::{
    AttributeType, AttributeValue, Batch, Bytes, Column, Comparison, ExecutionKey, Filter,
    NewRecord, OrderBy, Row, SqliteStore, Store, Uuid, Value, Write,
};

use support::wait;

const NAMESPACE: Uuid = Uuid::from_u128(0x0192_0000_0000_7000_8000_0000_0000_0001);
const START: i64 = 1_790_000_000_000_000_000;
/// Between two starts.
const STEP: i64 = 200_000;

fn mix(number: u64) -> u64 {
    let mixed = number.wrapping_add(1).wrapping_mul(0x9E37_79B9_7F4A_7C15);
    (mixed ^ (mixed >> 29)).wrapping_mul(0xBF58_476D_1CE4_E5B9) >> 16
}

fn execution(number: u64) -> (ExecutionKey, Row) {
    let chance = mix(number);
    let start_time = START + number as i64 * STEP;
    let milliseconds = (start_time / 1_000_000) as u128;
    let run_id = Uuid::from_u128((milliseconds << 80) | (7 << 76) | (2 << 62) | u128::from(number));
    let workflow_id = format!("order-{chance:012x}");
    let key = ExecutionKey {
        slot: (chance % 16384) as u16,
        namespace: NAMESPACE,
        kind: 0,
        workflow_id: workflow_id.as_str().into(),
        run_id,
    };
    let one_in = |count: u64| (chance / 7).is_multiple_of(count);
    let open = chance.is_multiple_of(100);
    let status = match (open, one_in(1000)) {
        (true, _) => 1,
        (false, true) => 3,
        (false, false) => 2,
    };
    let mut attributes: Vec<(std::sync::Arc<str>, AttributeValue)> = vec![
        (
            "Customer".into(),
            AttributeValue::Keyword(format!("customer-{}", chance / 11 % 10_000)),
        ),
        (
            "Amount".into(),
            AttributeValue::Int((chance / 13 % 1_000_000) as i64),
        ),
    ];
    if number.is_multiple_of(10) {
        let region = AttributeValue::Keyword(format!("region-{}", chance / 17 % 5));
        attributes.push(("Region".into(), region));
    }
    let parent = chance.is_multiple_of(101).then(|| {
        let parent = chance / 101 % 1000;
        (
            format!("parent-{parent}").into(),
            Uuid::from_u128(u128::from(parent)),
        )
    });
    let row = Row {
        current: true,
        status,
        workflow_type: match number % 10 {
            0 => format!("Type{}", chance / 3 % 50).into(),
            _ => "OrderWorkflow".into(),
        },
        task_queue: match number % 20 {
            0 => format!("queue-{}", chance / 5 % 100).into(),
            _ => "orders".into(),
        },
        start_time,
        execution_time: start_time,
        close_time: (!open).then_some(start_time + 1_000_000 + (chance % 50_000_000) as i64),
        history_length: 11,
        history_size: 1800,
        state_transition_count: 5,
        root: parent
            .clone()
            .unwrap_or_else(|| (key.workflow_id.clone(), run_id)),
        parent,
        memo: Bytes::new(),
        search_attributes: vec![7; 120].into(),
        attributes,
        division: None,
    };
    (key, row)
}

fn fill(store: &SqliteStore, count: u64) {
    let start = Instant::now();
    let epoch = wait(store.open_epoch(1)).unwrap();
    let mut writes = Vec::new();
    for number in 0..count {
        let (key, row) = execution(number);
        let mut write = Write::new(key);
        write.record = Some(NewRecord {
            seq: 1,
            bytes: vec![7; 600].into(),
        });
        write.row = Some(row);
        writes.push(write);
        if writes.len() == 2000 || number + 1 == count {
            let writes = std::mem::take(&mut writes);
            let batch = Batch {
                shard: 1,
                epoch,
                writes,
            };
            wait(store.commit(batch)).unwrap();
        }
    }
    println!("filled with {count} in {:?}", start.elapsed());
}

fn compare(column: Column, op: Comparison, value: Value) -> Filter {
    Filter::Compare { column, op, value }
}

fn is(column: Column, value: impl Into<String>) -> Filter {
    compare(column, Comparison::Eq, Value::Text(value.into()))
}

fn keyword(name: &str) -> Column {
    Column::Attribute(name.into(), AttributeType::Keyword)
}

fn amount() -> Column {
    Column::Attribute("Amount".into(), AttributeType::Int)
}

fn status(number: i64, open: bool) -> Filter {
    let is_open = Filter::IsNull(Column::CloseTime);
    Filter::And(vec![
        compare(Column::Status, Comparison::Eq, Value::Int(number)),
        if open {
            is_open
        } else {
            Filter::Not(Box::new(is_open))
        },
    ])
}

fn between(column: Column, low: i64, high: i64) -> Filter {
    Filter::Between {
        column,
        low: Value::Int(low),
        high: Value::Int(high),
    }
}

fn by(column: Column, descending: bool) -> Vec<OrderBy> {
    vec![OrderBy { column, descending }]
}

struct Times<'a> {
    store: &'a SqliteStore,
    rounds: u64,
}

impl Times<'_> {
    fn list(&self, name: &str, order: &[OrderBy], filter: impl Fn(u64) -> Filter) {
        let mut rows = 0;
        self.time(name, |round| {
            let filter = filter(round);
            let page = wait(self.store.list(NAMESPACE, &filter, order, None, 100)).unwrap();
            rows = page.rows.len();
        });
        println!("{rows} rows |");
    }

    fn count(&self, name: &str, group_by: &[Column], filter: impl Fn(u64) -> Filter) {
        let mut groups = 0;
        self.time(name, |round| {
            let filter = filter(round);
            groups = wait(self.store.count(NAMESPACE, &filter, group_by))
                .unwrap()
                .len();
        });
        println!("{groups} groups |");
    }

    fn time(&self, name: &str, mut ask: impl FnMut(u64)) {
        let mut times: Vec<Duration> = (0..self.rounds)
            .map(|round| {
                let start = Instant::now();
                ask(mix(round + 1000));
                start.elapsed()
            })
            .collect();
        times.sort();
        let at = |part: usize| times[times.len() * part / 100].as_secs_f64() * 1000.0;
        print!("| {name} | {:.1} | {:.1} | ", at(50), at(99));
    }
}

fn main() {
    let mut args = std::env::args().skip(1);
    let folder = PathBuf::from(args.next().unwrap());
    let mut number = |default: u64| args.next().map_or(default, |text| text.parse().unwrap());
    let (count, rounds) = (number(1_000_000), number(100));
    let start = Instant::now();
    let store = SqliteStore::open(&folder.join("lists.db")).unwrap();
    println!("opened in {:?}", start.elapsed());
    let stored = wait(store.count(NAMESPACE, &Filter::True, &[])).unwrap()[0].1;
    if stored == 0 {
        fill(&store, count);
    }
    let count = stored.max(count);
    let times = Times {
        store: &store,
        rounds,
    };
    println!("| query | p50 ms | p99 ms | of the last |\n|---|--:|--:|--:|");
    lists(&times, count);
    counts(&times, count);
    wait(store.close()).unwrap();
}

fn lists(times: &Times<'_>, count: u64) {
    let span = count as i64 * STEP;
    let some = |round: u64| execution(round % count);
    let default: &[OrderBy] = &[];
    times.list("all", default, |_| Filter::True);
    times.list("one workflow id", default, |round| {
        is(Column::WorkflowId, &*some(round).0.workflow_id)
    });
    times.list("ids with a prefix (1 of 65,536)", default, |round| {
        Filter::StartsWith {
            column: Column::WorkflowId,
            prefix: format!("order-{:04x}", round % 0x10000),
        }
    });
    times.list("ids with a prefix (1 of 16)", default, |round| {
        Filter::StartsWith {
            column: Column::WorkflowId,
            prefix: format!("order-{:x}", round % 16),
        }
    });
    times.list("running (1 %)", default, |_| status(1, true));
    times.list("completed (99 %)", default, |_| status(2, false));
    times.list("failed (0.1 %)", default, |_| status(3, false));
    times.list("timed out (none)", default, |_| status(7, false));
    times.list("a type of 90 %", default, |_| {
        is(Column::WorkflowType, "OrderWorkflow")
    });
    times.list("a type of 0.2 %", default, |round| {
        is(Column::WorkflowType, format!("Type{}", round % 50))
    });
    times.list("a type that none has", default, |_| {
        is(Column::WorkflowType, "Other")
    });
    times.list("a common type that failed", default, |_| {
        Filter::And(vec![
            is(Column::WorkflowType, "OrderWorkflow"),
            status(3, false),
        ])
    });
    times.list("a task queue of 0.05 %", default, |round| {
        is(Column::TaskQueue, format!("queue-{}", round % 100))
    });
    times.list("a task queue that none has", default, |_| {
        is(Column::TaskQueue, "other")
    });
    times.list("children of one parent", default, |round| {
        is(Column::ParentWorkflowId, format!("parent-{}", round % 1000))
    });
    times.list("a root that none has", default, |_| {
        is(Column::RootWorkflowId, "other")
    });
    times.list("started within 1 s", default, |round| {
        let low = START + (round as i64).abs() % span;
        between(Column::StartTime, low, low + 1_000_000_000)
    });
    times.list("started in the first tenth", default, |_| {
        between(Column::StartTime, START, START + span / 10)
    });
    times.list("closed within 1 s", default, |round| {
        let low = START + (round as i64).abs() % span;
        between(Column::CloseTime, low, low + 1_000_000_000)
    });
    times.list("custom keyword (0.01 %)", default, |round| {
        is(keyword("Customer"), format!("customer-{}", round % 10_000))
    });
    times.list("custom keyword (2 %)", default, |round| {
        is(keyword("Region"), format!("region-{}", round % 5))
    });
    times.list("custom keyword that none has", default, |_| {
        is(keyword("Customer"), "other")
    });
    times.list("custom int within 0.1 %", default, |round| {
        let low = (round % 999_000) as i64;
        between(amount(), low, low + 1000)
    });
    times.list("custom int within 1 %", default, |round| {
        let low = (round % 990_000) as i64;
        between(amount(), low, low + 10_000)
    });
    times.list("order by start time", &by(Column::StartTime, true), |_| {
        Filter::True
    });
    times.list("order by custom int", &by(amount(), false), |_| {
        Filter::True
    });
    times.list(
        "order by custom int, descending",
        &by(amount(), true),
        |_| Filter::True,
    );
    times.list(
        "order by custom keyword that one in ten has, descending",
        &by(keyword("Region"), true),
        |_| Filter::True,
    );
    times.list(
        "completed, order by custom int",
        &by(amount(), true),
        |_| status(2, false),
    );
    times.list(
        "order by workflow id",
        &by(Column::WorkflowId, false),
        |_| Filter::True,
    );
}

fn counts(times: &Times<'_>, _count: u64) {
    times.count("count", &[], |_| Filter::True);
    times.count("count completed", &[], |_| status(2, false));
    times.count("count by status", &[Column::Status], |_| Filter::True);
    times.count(
        "count by type and status",
        &[Column::WorkflowType, Column::Status],
        |_| Filter::True,
    );
    times.count("count a task queue", &[], |round| {
        is(Column::TaskQueue, format!("queue-{}", round % 100))
    });
    times.count("count a custom keyword (0.01 %)", &[], |round| {
        is(keyword("Customer"), format!("customer-{}", round % 10_000))
    });
    times.count("count a custom int within 0.1 %", &[], |round| {
        let low = (round % 999_000) as i64;
        between(amount(), low, low + 1000)
    });
    times.count(
        "count by custom keyword (one in ten has it)",
        &[keyword("Region")],
        |_| Filter::True,
    );
}
