//! How much a workflow costs the disk: bytes written, commits, time.
//!
//! `cargo run --release -p steadfast-store --example bytes_written -- FOLDER [WORKFLOWS]
//! [IN_FLIGHT] [QUEUED] [TICK]`
//!
//! Each workflow has five transitions: it begins (row and wake), three records come (the first with the
//! row), it closes (row and wake, for retention). `IN_FLIGHT` of them are open at a time, in random order; `QUEUED`
//! transitions wait for their commit at a time, so about half as many share one. With `TICK` 1
//! every transition moves the wake.

#![allow(
    clippy::print_stdout,
    clippy::unwrap_used,
    reason = "a tool for developers"
)]

mod support;

use std::collections::VecDeque;
use std::path::PathBuf;
use std::time::Instant;

use steadfast_store::{
    Answer, AttributeValue, Batch, Bytes, ExecutionKey, Filter, NewRecord, Row, SqliteStore, Store,
    Uuid, Write,
};

use support::wait;

/// `write_bytes` of this process: what reached the disk, or will.
fn bytes_written() -> u64 {
    let io = std::fs::read_to_string("/proc/self/io").unwrap();
    let line = io
        .lines()
        .find_map(|line| line.strip_prefix("write_bytes: "))
        .unwrap();
    line.parse().unwrap()
}

fn resident_kib() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let line = status
        .lines()
        .find_map(|line| line.strip_prefix("VmRSS:"))
        .unwrap();
    line.trim().trim_end_matches(" kB").parse().unwrap()
}

struct Workflow {
    key: ExecutionKey,
    seq: u64,
    start_time: i64,
}

fn row(workflow: &Workflow, close_time: Option<i64>, worked_on: bool) -> Row {
    Row {
        current: true,
        status: if close_time.is_some() { 2 } else { 1 },
        workflow_type: "OrderWorkflow".into(),
        task_queue: "orders".into(),
        start_time: workflow.start_time,
        execution_time: workflow.start_time,
        close_time,
        history_length: 11,
        history_size: 1800,
        state_transition_count: 5,
        parent: None,
        root: (workflow.key.workflow_id.clone(), workflow.key.run_id),
        memo: Bytes::new(),
        search_attributes: Bytes::new(),
        attributes: match worked_on {
            true => vec![("BuildIds".into(), build_ids())],
            false => Vec::new(),
        },
        division: None,
    }
}

fn build_ids() -> AttributeValue {
    AttributeValue::KeywordList(vec!["unversioned".into()])
}

/// The next transition of a workflow; the sizes are those of a workflow with one activity.
fn transition(workflow: &mut Workflow, now: i64, tick: bool) -> Write {
    workflow.seq += 1;
    let size = [600, 250, 350, 350, 450][workflow.seq as usize - 1];
    let mut write = Write::new(workflow.key.clone());
    write.record = Some(NewRecord {
        seq: workflow.seq,
        bytes: vec![7; size].into(),
    });
    match workflow.seq {
        1 => {
            write.row = Some(row(workflow, None, false));
            write.wake_at = Some(Some(0));
        }
        5 => {
            write.row = Some(row(workflow, Some(now), true));
            write.wake_at = Some(Some(now + 86_400_000_000_000));
        }
        // The first completed workflow task: the build that it ran on is known.
        2 => {
            write.row = Some(row(workflow, None, true));
            write.wake_at = tick.then_some(Some(now + 10_000_000_000));
        }
        _ if tick => write.wake_at = Some(Some(now + 10_000_000_000)),
        _ => {}
    }
    write
}

fn main() {
    let mut args = std::env::args().skip(1);
    let folder = PathBuf::from(args.next().unwrap_or_else(|| ".".into()));
    let mut number = |default: usize| args.next().map_or(default, |text| text.parse().unwrap());
    let (count, in_flight, queued, tick) = (number(20_000), number(1000), number(100), number(0));
    let opening = Instant::now();
    let store = SqliteStore::open(&folder.join("bytes.db")).unwrap();
    println!(
        "opened in {:?}, {} KiB resident",
        opening.elapsed(),
        resident_kib()
    );
    let epoch = wait(store.open_epoch(1)).unwrap();
    let (bytes, stats, start) = (bytes_written(), store.stats(), Instant::now());
    let mut open: Vec<Workflow> = Vec::new();
    let mut answers: VecDeque<Answer<()>> = VecDeque::new();
    let (mut begun, mut chance, mut now) = (0, 1_u64, 1_790_000_000_000_000_000);
    while begun < count || !open.is_empty() {
        chance = chance
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        let pick = (chance >> 33) as usize;
        now += 200_000;
        // One of five transitions begins a workflow, so that about as many are open all the time.
        if begun < count && (open.len() < in_flight || pick.is_multiple_of(5)) {
            let run_id = Uuid::now_v7();
            let workflow_id = format!("order-{:016x}", chance.wrapping_mul(0x9E37_79B9_7F4A_7C15));
            let key = ExecutionKey {
                slot: (pick % 16384) as u16,
                namespace: Uuid::from_u128(0x0192_0000_0000_7000_8000_0000_0000_0001),
                kind: 0,
                workflow_id: workflow_id.into(),
                run_id,
            };
            begun += 1;
            open.push(Workflow {
                key,
                seq: 0,
                start_time: now,
            });
        }
        let index = if open.last().is_some_and(|last| last.seq == 0) {
            open.len() - 1
        } else {
            pick % open.len()
        };
        let write = transition(&mut open[index], now, tick == 1);
        if open[index].seq == 5 {
            open.swap_remove(index);
        }
        answers.push_back(store.commit(Batch {
            shard: 1,
            epoch,
            writes: vec![write],
        }));
        if answers.len() >= queued {
            wait(answers.pop_front().unwrap()).unwrap();
        }
    }
    answers.into_iter().for_each(|answer| wait(answer).unwrap());
    let elapsed = start.elapsed();
    println!("{} KiB resident", resident_kib());
    let after = store.stats();
    let transactions = after.transactions - stats.transactions;
    let before_close = bytes_written() - bytes;
    let list = Instant::now();
    let page = wait(store.list(
        Uuid::from_u128(0x0192_0000_0000_7000_8000_0000_0000_0001),
        &Filter::True,
        &[],
        None,
        100,
    ))
    .unwrap();
    println!("a page of {} in {:?}", page.rows.len(), list.elapsed());
    wait(store.close()).unwrap();
    let total = bytes_written() - bytes;
    println!(
        "{count} workflows in {elapsed:?}: {transactions} commits, {:.1} transitions each, \
         {:.0} transitions/s",
        (count * 5) as f64 / transactions as f64,
        (count * 5) as f64 / elapsed.as_secs_f64(),
    );
    println!(
        "{:.1} KB written per workflow ({:.1} before the store was closed), {:.1} KB per commit",
        total as f64 / count as f64 / 1000.0,
        before_close as f64 / count as f64 / 1000.0,
        total as f64 / transactions as f64 / 1000.0,
    );
}
