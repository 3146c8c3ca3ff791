//! Runs the samples against a server, shows what happens, and tells whether all is as it should be.

use std::pin::Pin;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use anyhow::{Result, bail};

use crate::harness::connect::connect;
use crate::harness::printer::{Colour, Printer, paint, table};
use crate::harness::stage::{Setting, Stage};
use crate::outside_world::World;
use crate::{batch, loan, payment, retries, saga};

/// A sample that takes longer than this hangs.
const LIMIT: Duration = Duration::from_secs(60);

type Running<'a> = Pin<Box<dyn Future<Output = Result<()>> + 'a>>;

struct Sample {
    name: &'static str,
    title: &'static str,
    demo: for<'a> fn(&'a mut Stage) -> Running<'a>,
}

const SAMPLES: [Sample; 5] = [
    Sample {
        name: "payment",
        title: "the worker dies between charge and update",
        demo: |stage| Box::pin(payment::demo::demo(stage)),
    },
    Sample {
        name: "retries",
        title: "exponential backoff, and errors not worth retrying",
        demo: |stage| Box::pin(retries::demo::demo(stage)),
    },
    Sample {
        name: "loan",
        title: "waits up to 14 days for a person",
        demo: |stage| Box::pin(loan::demo::demo(stage)),
    },
    Sample {
        name: "saga",
        title: "undoes a trip in reverse, and dies in the middle of it",
        demo: |stage| Box::pin(saga::demo::demo(stage)),
    },
    Sample {
        name: "batch",
        title: "pause, resume, cancel, and ask how far it is",
        demo: |stage| Box::pin(batch::demo::demo(stage)),
    },
];

/// How a sample ended: its row in the summary, and what failed.
struct Outcome {
    row: Vec<String>,
    failures: Vec<String>,
}

/// Runs the samples that are wanted, or all; true if they all passed.
pub async fn run(
    address: String,
    namespace: String,
    only: Option<String>,
    quiet: bool,
) -> Result<bool> {
    let wanted: Option<Vec<&str>> = only.as_deref().map(|only| only.split(',').collect());
    for name in wanted.iter().flatten() {
        if !SAMPLES.iter().any(|sample| sample.name == *name) {
            bail!("no such sample: {name}");
        }
    }
    println!("Samples in Rust, server {address}, namespace {namespace}");
    let client = connect(&address, &namespace).await?;
    let tag = format!("{:x}", SystemTime::now().duration_since(UNIX_EPOCH)?.as_millis());
    let setting = Setting { client, address, namespace, tag };

    let mut rows = vec![vec!["sample", "result", "checks", "retried", "killed", "time"]]
        .into_iter()
        .map(|row| row.into_iter().map(str::to_owned).collect())
        .collect::<Vec<Vec<String>>>();
    let mut failures = Vec::new();
    let (mut passed, mut failed) = (0, 0);
    for sample in &SAMPLES {
        if wanted.as_ref().is_none_or(|wanted| wanted.contains(&sample.name)) {
            let outcome = run_one(sample, setting.clone(), quiet).await?;
            *if outcome.failures.is_empty() { &mut passed } else { &mut failed } += 1;
            rows.push(outcome.row);
            failures.extend(outcome.failures);
        }
    }
    println!("\n{}", table(&rows));
    for failure in failures {
        println!("{}", paint(Colour::Red, &failure));
    }
    println!("\n{passed} passed, {failed} failed");
    Ok(failed == 0)
}

async fn run_one(sample: &Sample, setting: Setting, quiet: bool) -> Result<Outcome> {
    let Sample { name, title, demo } = *sample;
    if !quiet {
        println!("\n{}: {title}", paint(Colour::Bold, name));
    }
    let folder = format!("steadfast-samples-{}-{name}", setting.tag);
    let world = World::new(std::env::temp_dir().join(folder));
    std::fs::create_dir_all(world.folder())?;
    let _removed_at_the_end = Temporary(world.clone());
    let printer = Printer::new(quiet);
    let mut stage = Stage::new(name, setting, printer, world.clone());

    let ended = tokio::time::timeout(LIMIT, demo(&mut stage)).await;
    if let Err(error) = ended.unwrap_or_else(|_| bail!("not over after {LIMIT:?}")) {
        stage.check(&format!("the sample runs to its end: {error:#}"), false);
    }
    if let Err(error) = stage.clear().await {
        stage.check(&format!("nothing is left behind: {error:#}"), false);
    }
    let verdict = if stage.failures.is_empty() { "passed" } else { "FAILED" };
    let row = vec![
        name.to_owned(),
        verdict.to_owned(),
        stage.checks.to_string(),
        stage.retries().to_string(),
        stage.kills.to_string(),
        format!("{} s", printer.seconds()),
    ];
    let failures = stage.failures.iter().map(|failure| format!("{name}: {failure}")).collect();
    Ok(Outcome { row, failures })
}

/// A world that is removed when this is dropped, however the demo ends.
struct Temporary(World);

impl Drop for Temporary {
    fn drop(&mut self) {
        if let Err(error) = std::fs::remove_dir_all(self.0.folder()) {
            eprintln!("{} is left behind: {error}", self.0.folder().display());
        }
    }
}
