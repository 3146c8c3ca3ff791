//! What every test has at hand: a client, a task queue of its own, and workers for it.

use std::pin::pin;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use anyhow::{Context as _, Result, bail};
use temporalio_client::{
    Client, ClientOptions, Connection, ConnectionOptions, WorkflowHandle, WorkflowStartOptions,
};
use temporalio_common::HasWorkflowDefinition;
use temporalio_common::protos::temporal::api::enums::v1::EventType;
use temporalio_common::protos::temporal::api::history::v1::HistoryEvent;
use temporalio_sdk::{Runtime, Worker, WorkerOptions, WorkflowRegistrationError};
use url::Url;

/// How long a test waits for anything before it gives up. Nothing here takes a tenth of it.
const PATIENCE: Duration = Duration::from_secs(60);

/// Where one test plays.
#[derive(Clone)]
pub(crate) struct Scene {
    pub(crate) client: Client,
    /// New for each test and each run of it.
    pub(crate) task_queue: String,
}

impl Scene {
    /// On the server that `STEADFAST_ADDRESS` names.
    pub(crate) async fn open(name: &str) -> Result<Self> {
        let address = std::env::var("STEADFAST_ADDRESS").unwrap_or("127.0.0.1:7233".to_owned());
        Self::at(&address, name).await
    }

    /// On the server at this address, which may be just starting.
    pub(crate) async fn at(address: &str, name: &str) -> Result<Self> {
        let url = Url::parse(&format!("http://{address}"))?;
        let connection = until("the server answers", async || {
            let options = ConnectionOptions::new(url.clone()).identity("sdk-tests").build();
            Ok(Connection::connect(options).await.ok())
        })
        .await?;
        let client = Client::new(connection, ClientOptions::new("default").build())?;
        let now = SystemTime::now().duration_since(UNIX_EPOCH)?.as_nanos();
        Ok(Self { client, task_queue: format!("{name}-{now:x}") })
    }

    /// An id that no other test uses.
    pub(crate) fn id(&self, name: &str) -> String {
        format!("{}-{name}", self.task_queue)
    }

    /// How to start a workflow here under such an id.
    pub(crate) fn options(&self, name: &str) -> WorkflowStartOptions {
        WorkflowStartOptions::new(self.task_queue.clone(), self.id(name))
            .execution_timeout(Duration::from_secs(3600))
            .build()
    }

    /// A worker runs as long as the act does. The act may have another one.
    pub(crate) async fn with_worker(
        &self,
        register: impl FnOnce(&mut WorkerOptions) -> Result<(), WorkflowRegistrationError>,
        act: impl AsyncFnOnce(&Self) -> Result<()>,
    ) -> Result<()> {
        let mut options = WorkerOptions::new(self.task_queue.clone())
            .graceful_shutdown_period(Duration::from_millis(100))
            .build();
        register(&mut options)?;
        let runtime = Runtime::from_current_tokio(Default::default())?;
        let mut worker = Worker::new(&runtime, self.client.clone(), options)?;
        let stop = worker.shutdown_handle();
        let mut work = pin!(worker.run());
        let outcome = tokio::select! {
            outcome = tokio::time::timeout(PATIENCE, act(self)) => outcome,
            ended = &mut work => bail!("the worker ended by itself: {ended:?}"),
        };
        stop();
        work.await?;
        outcome.context("the act did not come to its end")?
    }
}

/// Plays one act with one worker.
pub(crate) async fn play(
    name: &str,
    register: impl FnOnce(&mut WorkerOptions) -> Result<(), WorkflowRegistrationError>,
    act: impl AsyncFnOnce(&Scene) -> Result<()>,
) -> Result<()> {
    Scene::open(name).await?.with_worker(register, act).await
}

/// Asks until there is an answer.
pub(crate) async fn until<T>(
    what: &str,
    mut ask: impl AsyncFnMut() -> Result<Option<T>>,
) -> Result<T> {
    let asking = async {
        loop {
            if let Some(answer) = ask().await? {
                return Ok(answer);
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    };
    match tokio::time::timeout(PATIENCE, asking).await {
        Ok(answer) => answer,
        Err(_) => bail!("waited in vain until {what}"),
    }
}

/// The events of a run.
pub(crate) async fn history<W: HasWorkflowDefinition>(
    handle: &WorkflowHandle<Client, W>,
) -> Result<Vec<HistoryEvent>> {
    Ok(handle.fetch_history(Default::default()).into_events().await?)
}

/// How many events of a type there are.
pub(crate) fn count(events: &[HistoryEvent], kind: EventType) -> usize {
    events.iter().filter(|event| event.event_type() == kind).count()
}
