//! The short crash run that every change must pass. The long one is `steadfast-crash --kills 500`.

#![allow(clippy::unwrap_used, clippy::expect_used)]

use steadfast_sim::crash::{self, Options};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_server_keeps_its_promises_over_fifteen_lives() {
    let folder = tempfile::tempdir().unwrap();
    // A new seed each time finds more; it is shown with the findings.
    let seed = uuid::Uuid::new_v4().as_u64_pair().0 >> 16;
    println!("seed {seed}");
    let options = Options {
        kills: 15,
        seed,
        concurrency: 16,
        workers: 4,
        life_max: 800,
        check_every: 5,
        folder: folder.path().to_owned(),
    };
    let report = crash::run(&options).await.unwrap();
    let kept = if report.finding_count == 0 {
        None
    } else {
        Some(folder.keep())
    };
    assert!(
        report.findings.is_empty(),
        "seed {seed}, database in {kept:?}: {} findings, such as:\n{}",
        report.finding_count,
        report.findings.join("\n")
    );
    // A run in which nothing happened proves nothing.
    for (what, least) in [
        ("starts", 15),
        ("signals", 15),
        ("activities completed", 15),
        ("heartbeats", 15),
        ("workflows ended", 15),
        ("updates", 2),
        ("resets", 2),
        ("jobs completed", 2),
        ("batch operations ended", 1),
        ("Nexus operations ended", 1),
        ("actions of schedules", 2),
    ] {
        assert!(
            report.counts.get(what).is_some_and(|count| *count >= least),
            "{what}: {:?}",
            report.counts
        );
    }
}
