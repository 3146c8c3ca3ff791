//! What every part of one run shares.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use crate::cli::Options;
use crate::client::Client;
use crate::error::Error;
use crate::ledger::Ledger;
use crate::meter::{Meter, Phase};
use crate::report::Report;
use crate::script::{Plan, Script};
use crate::stats::Latencies;

/// One run: its connections, its own task queue, its book.
pub(crate) struct Context {
    pub(crate) client: Client,
    pub(crate) options: Options,
    /// Nobody else uses this task queue; workflow ids begin with its name.
    pub(crate) queue: String,
    pub(crate) ledger: Ledger,
    next_workflow: AtomicU64,
}

impl Context {
    /// Connects.
    pub(crate) async fn connect(options: Options) -> Result<Arc<Self>, Error> {
        let client =
            Client::connect(&options.target, &options.namespace, options.connections).await?;
        let run = uuid::Uuid::new_v4().simple().to_string();
        Ok(Arc::new(Self {
            client,
            queue: format!("load-{}", &run[..8]),
            options,
            ledger: Ledger::default(),
            next_workflow: AtomicU64::new(0),
        }))
    }

    /// A workflow id that was not used yet, and its plan.
    pub(crate) fn new_workflow(&self, script: Script) -> (String, Plan) {
        let number = self.next_workflow.fetch_add(1, Ordering::Relaxed);
        let workflow_id = format!("{}-{number}", self.queue);
        let padding = "x".repeat(self.options.payload_bytes);
        let echo = format!("echo-{number}{padding}");
        (workflow_id, Plan { script, echo })
    }

    /// Begins a phase.
    pub(crate) fn meter(&self) -> Result<Meter, Error> {
        Meter::start(self.options.pid, Some(&self.client))
    }

    /// Ends a phase in which each took as long as `latencies` tell.
    pub(crate) fn finish(
        &self,
        meter: Meter,
        name: impl Into<String>,
        unit: &'static str,
        latencies: &Latencies,
    ) -> Result<Phase, Error> {
        Ok(meter
            .stop(Some(&self.client))?
            .on_each(name, unit, latencies))
    }

    /// The report of a run that is over.
    pub(crate) fn report(&self, phases: Vec<Phase>) -> Report {
        let options = &self.options;
        let retries = self.client.traffic().retries;
        let findings = self.ledger.findings();
        Report::new(
            options.scenario.name(),
            options.concurrency,
            phases,
            findings,
            retries,
        )
    }
}
