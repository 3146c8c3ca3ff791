//! One file per kind of load.

mod backlog;
mod closed_loop;
mod idle;
mod jobs;
mod open;
mod query;
mod schedules;
mod wide;
mod workflows;

use std::time::Duration;

use tokio::sync::watch;

use closed_loop::closed_loop;
pub(crate) use closed_loop::measure;

use crate::cli::{Options, Scenario};
use crate::context::Context;
use crate::error::Error;
use crate::floor;
use crate::report::Report;
use crate::script::Script;

/// Runs what the options ask for. The hidden server of the floor has no report.
pub(crate) async fn run(options: Options) -> Result<Option<Report>, Error> {
    match options.scenario {
        Scenario::FloorServer => return floor::serve(&options).await.map(|()| None),
        Scenario::Floor => return floor::run(&options).await.map(Some),
        Scenario::Idle => return idle::run(&options).await.map(Some),
        _ => {}
    }
    let context = Context::connect(options).await?;
    let scenario = context.options.scenario;
    let phases = match scenario {
        Scenario::Backlog => backlog::run(&context).await?,
        Scenario::Query => query::run(&context).await?,
        Scenario::Jobs => jobs::run(&context).await?,
        Scenario::Schedules => schedules::run(&context).await?,
        Scenario::Open => open::run(&context).await?,
        Scenario::Wide => wide::run(&context).await?,
        _ => match script_of(scenario, context.options.size) {
            Some(script) => workflows::run(&context, script).await?,
            None => return Err(Error::Unusable(format!("{} is no load", scenario.name()))),
        },
    };
    Ok(Some(context.report(phases)))
}

/// What the workflows of a closed-loop scenario do.
pub(crate) fn script_of(scenario: Scenario, size: Option<u64>) -> Option<Script> {
    match scenario {
        Scenario::Zero => Some(Script::Sequential { activities: 0 }),
        Scenario::One => Some(Script::Sequential { activities: 1 }),
        Scenario::Sequential => Some(Script::Sequential {
            activities: size.unwrap_or(10),
        }),
        Scenario::Parallel => Some(Script::Parallel {
            activities: size.unwrap_or(20),
        }),
        Scenario::Signals => Some(Script::Signals {
            signals: size.unwrap_or(10),
        }),
        Scenario::Updates => Some(Script::Updates {
            updates: size.unwrap_or(10),
        }),
        Scenario::Timer => Some(Script::Timer {
            millis: size.unwrap_or(100),
        }),
        _ => None,
    }
}

/// Waits until a counter has reached `goal`; an error if it stands still for too long.
async fn reach(
    counter: &watch::Sender<u64>,
    goal: u64,
    patience: Duration,
    what: &str,
) -> Result<(), Error> {
    let mut counter = counter.subscribe();
    let timeout = |_| Error::Timeout {
        what: what.to_owned(),
        waited: patience,
    };
    while *counter.borrow_and_update() < goal {
        let changed = tokio::time::timeout(patience, counter.changed())
            .await
            .map_err(timeout)?;
        changed.map_err(|_| Error::Unusable(format!("nobody counts {what} any more")))?;
    }
    Ok(())
}
