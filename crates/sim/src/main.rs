//! `steadfast-crash`: load while the server is killed again and again, and a comparison of what it promised with
//! what is left.

use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::Parser;
use steadfast_sim::crash::{self, Options};

/// Kills the server under load, again and again, and checks that it kept every promise.
///
/// The server is the program beside this one, or the one that STEADFAST_BIN names. Exit code 0: every
/// promise was kept. 1: the run could not be made. 2: something was wrong.
#[derive(Debug, Parser)]
#[command(name = "steadfast-crash", version)]
struct Arguments {
    /// How often the server is killed.
    #[arg(long, default_value_t = 20)]
    kills: u64,
    /// Chance follows from it; drawn and printed if it is not given.
    #[arg(long)]
    seed: Option<u64>,
    /// Workflows under way at a time.
    #[arg(long, default_value_t = 24)]
    concurrency: u64,
    /// Workers.
    #[arg(long, default_value_t = 4)]
    workers: u64,
    /// The longest time from a start to the next kill, in milliseconds.
    #[arg(long, default_value_t = 1_500)]
    life_max: u64,
    /// After every so many kills the database file is checked as the crash left it; 0: only in the end.
    #[arg(long, default_value_t = 5)]
    check_every: u64,
    /// Where the database lies, and stays. Without it, in a temporary folder that stays only if
    /// something was wrong.
    #[arg(long)]
    folder: Option<PathBuf>,
    /// Only check this database file, which no server may have open.
    #[arg(long, conflicts_with = "folder")]
    check_file: Option<PathBuf>,
}

fn main() -> ExitCode {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build();
    let outcome = match runtime {
        Ok(runtime) => runtime.block_on(run(Arguments::parse())),
        Err(error) => Err(error.to_string()),
    };
    outcome.unwrap_or_else(|message| {
        // There is nobody to tell that nobody listens.
        let _ = writeln!(std::io::stderr(), "steadfast-crash: {message}");
        ExitCode::FAILURE
    })
}

async fn check_file(path: &Path) -> Result<ExitCode, String> {
    let found = steadfast_sim::check::file::check(path)
        .await
        .map_err(|error| error.to_string())?;
    say(&format!("{} runs, {} of them open", found.runs, found.open));
    for problem in &found.problems {
        say(problem);
    }
    Ok(if found.problems.is_empty() {
        ExitCode::SUCCESS
    } else {
        ExitCode::from(2)
    })
}

async fn run(arguments: Arguments) -> Result<ExitCode, String> {
    if let Some(path) = &arguments.check_file {
        return check_file(path).await;
    }
    let temporary = tempfile::tempdir().map_err(|error| format!("no temporary folder: {error}"))?;
    let folder = arguments
        .folder
        .clone()
        .unwrap_or_else(|| temporary.path().to_owned());
    std::fs::create_dir_all(&folder).map_err(|error| format!("{}: {error}", folder.display()))?;
    let seed = arguments
        .seed
        .unwrap_or_else(|| uuid::Uuid::new_v4().as_u64_pair().0 >> 16);
    say(&format!("seed {seed}"));
    let options = Options {
        kills: arguments.kills,
        seed,
        concurrency: arguments.concurrency,
        workers: arguments.workers,
        life_max: arguments.life_max,
        check_every: arguments.check_every,
        folder,
    };
    let report = match crash::run(&options).await {
        Ok(report) => report,
        Err(error) => {
            let kept = temporary.keep();
            return Err(format!("{error}; see {}", kept.display()));
        }
    };
    for (what, count) in &report.counts {
        say(&format!("{count:>9} {what}"));
    }
    if report.finding_count == 0 {
        say("every promise was kept");
        return Ok(ExitCode::SUCCESS);
    }
    for finding in &report.findings {
        say(finding);
    }
    let kept = temporary.keep();
    let folder = arguments.folder.unwrap_or(kept);
    say(&format!(
        "{} findings; the database is in {}",
        report.finding_count,
        folder.display()
    ));
    Ok(ExitCode::from(2))
}

fn say(line: &str) {
    // A closed pipe is the reader's choice, not a failure of the run.
    let _ = writeln!(std::io::stdout(), "{line}");
}
