//! A crash run: start, load, kill, start again, and in the end compare.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use tokio::task::JoinSet;

use super::world::World;
use super::{activity_worker, client_side, scenes, verdict, workflow_worker};
use crate::check::file;
use crate::error::Error;
use crate::process::{Server, Start, copy_database};
use crate::random::Random;

/// How long all workflows may take to end after the last start. Their own timeouts are a few seconds.
const PATIENCE: Duration = Duration::from_secs(180);

/// Workflows with long histories under way at a time.
const HUBS: u64 = 2;

/// What to do.
#[derive(Debug, Clone)]
pub struct Options {
    /// How often the server is killed.
    pub kills: u64,
    /// What is random follows from it.
    pub seed: u64,
    /// Workflows under way at a time.
    pub concurrency: u64,
    /// Workers for workflow tasks; every second one has a sticky queue.
    pub workers: u64,
    /// The longest life of a server, in ms.
    pub life_max: u64,
    /// After every so many kills the database file is checked as the crash left it; 0: never.
    pub check_every: u64,
    /// Where the database lies.
    pub folder: PathBuf,
}

/// What came of it.
#[derive(Debug, Default)]
pub struct Report {
    /// What the server did wrong.
    pub findings: Vec<String>,
    /// How many there were; `findings` has only the first.
    pub finding_count: u64,
    /// What happened how often.
    pub counts: BTreeMap<&'static str, u64>,
}

/// Makes a run.
///
/// # Errors
/// When it cannot be made.
pub async fn run(options: &Options) -> Result<Report, Error> {
    let database = options.folder.join("steadfast.db");
    let start = Start::on(&database)?.on_free_ports();
    let world = World::new(options.seed);
    let (workers, clients) = people(options, &world);
    let mut server = start.serve().await?;
    world.server.send_replace(Some(server.client().await?));
    let mut random = Random::new(options.seed);
    for life in 1..=options.kills {
        live(&world, &mut random, options.life_max).await;
        match random.below(100) {
            0..15 => stop(&world, server).await?,
            15..25 => {
                server.pause()?;
                // As a machine that was put to sleep; and how long is the seed's choice.
                tokio::time::sleep(Duration::from_millis(random.below(600))).await;
                server.resume()?;
                kill(&world, server).await?;
            }
            _ => kill(&world, server).await?,
        }
        if options.check_every > 0 && life % options.check_every == 0 {
            check_copy(&world, &database, &options.folder.join("copy")).await?;
        }
        if random.percent(20) {
            let life = Duration::from_millis(random.below(150));
            note_panics(&world, &start.kill_after(life).await?);
            world.ledger.count("kills while starting");
        }
        server = start.serve().await?;
        world.server.send_replace(Some(server.client().await?));
    }
    world.stopping.send_replace(true);
    await_ends(&world, clients).await;
    drop(workers);
    verdict::of_all_histories(&world).await?;
    scenes::reckon(&world).await?;
    stop(&world, server).await?;
    let deleting = check_file(&world, &database).await?;
    if deleting > 0 {
        let text = format!("{deleting} executions that are to be deleted are still there");
        world.ledger.finding(text);
    }
    let facts = world.ledger.facts();
    Ok(Report {
        findings: facts.findings.clone(),
        finding_count: facts.finding_count,
        counts: facts.counts.clone(),
    })
}

/// Workers and clients; they end when they are dropped.
fn people(options: &Options, world: &Arc<World>) -> (JoinSet<()>, JoinSet<()>) {
    let (mut workers, mut clients) = (JoinSet::new(), JoinSet::new());
    for number in 0..options.workers {
        let name = format!("worker-{number}");
        workflow_worker::start(world, &name, number % 2 == 1, &mut workers);
        activity_worker::start(world, &name, 4, &mut workers);
    }
    for number in 0..options.concurrency {
        clients.spawn(client_side::run(Arc::clone(world), format!("w{number}")));
    }
    for number in 0..HUBS {
        clients.spawn(client_side::run_hubs(
            Arc::clone(world),
            format!("hub{number}"),
        ));
    }
    scenes::start(world, &mut clients, &mut workers);
    (workers, clients)
}

/// Lets a server live for a while, and until it has done something at all.
async fn live(world: &World, random: &mut Random, life_max: u64) {
    let mut acknowledged = world.ledger.acknowledged.subscribe();
    let goal = *acknowledged.borrow() + random.below(20);
    // A moment of the seed's choice: there is no condition to wait for.
    tokio::time::sleep(Duration::from_millis(random.below(life_max))).await;
    let progress = acknowledged.wait_for(|count| *count >= goal);
    if tokio::time::timeout(Duration::from_secs(30), progress)
        .await
        .is_err()
    {
        world
            .ledger
            .finding(String::from("a server acknowledged nothing for 30 s"));
    }
}

async fn await_ends(world: &World, mut clients: JoinSet<()>) {
    let all = async { while clients.join_next().await.is_some() {} };
    if tokio::time::timeout(PATIENCE, all).await.is_err() {
        let text = format!(
            "clients still wait {} s after the last kill",
            PATIENCE.as_secs()
        );
        world.ledger.finding(text);
        let open: Vec<String> = world
            .ledger
            .facts()
            .open()
            .into_iter()
            .map(str::to_owned)
            .collect();
        for id in open {
            world
                .ledger
                .finding(format!("{id}: it does not come to an end"));
        }
    }
}

async fn kill(world: &World, mut server: Server) -> Result<(), Error> {
    world.server.send_replace(None);
    server.kill().await?;
    note_panics(world, &server.stderr());
    world.ledger.count("kills");
    Ok(())
}

/// Tells a server to stop, which it does in order whatever goes on.
async fn stop(world: &World, mut server: Server) -> Result<(), Error> {
    server.terminate()?;
    let (status, stderr) = server.ended().await?;
    world.server.send_replace(None);
    world.ledger.count("stops");
    note_panics(world, &stderr);
    if status.code() != Some(0) {
        world
            .ledger
            .finding(format!("told to stop, the server ended with {status}"));
    }
    Ok(())
}

fn note_panics(world: &World, stderr: &str) {
    for line in stderr
        .lines()
        .filter(|line| line.contains("panicked") || line.contains("ERROR"))
    {
        world.ledger.finding(format!("the server said: {line}"));
    }
}

async fn check_copy(world: &World, database: &Path, folder: &Path) -> Result<(), Error> {
    std::fs::create_dir_all(folder).map_err(Error::io("make a folder"))?;
    let copy = folder.join("steadfast.db");
    copy_database(database, &copy)?;
    check_file(world, &copy).await?;
    world
        .ledger
        .count("database files checked as a crash left them");
    std::fs::remove_dir_all(folder).map_err(Error::io("remove a folder"))
}

/// Checks a file; answers how many executions in it wait for their deletion.
async fn check_file(world: &World, database: &Path) -> Result<u64, Error> {
    let path = database.to_owned();
    let found = tokio::spawn(async move { file::check(&path).await }).await;
    let found = found.map_err(|error| Error::Late(format!("the check of the file: {error}")))??;
    for problem in found.problems {
        world.ledger.finding(format!("file: {problem}"));
    }
    Ok(found.deleting)
}
