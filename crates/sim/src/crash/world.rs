//! What all tasks of a crash run share: the server that is there just now, the ledger, the seed.

use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::watch;
use tonic::{Code, Status};

use super::ledger::Ledger;
use super::scenes::Promises;
use crate::client::{Client, is_answer};

/// How long a caller rests before it asks a server again that is there but does not answer.
const REST: Duration = Duration::from_millis(20);

/// See the module.
#[derive(Debug)]
pub(super) struct World {
    /// The server of this moment; nothing while there is none.
    pub(super) server: watch::Sender<Option<Client>>,
    /// No more new workflows.
    pub(super) stopping: watch::Sender<bool>,
    /// What is known.
    pub(super) ledger: Ledger,
    /// What the scenes were promised.
    pub(super) promises: Promises,
    /// Chance.
    pub(super) seed: u64,
    /// The task queue.
    pub(super) queue: String,
}

impl World {
    /// A world without a server yet.
    pub(super) fn new(seed: u64) -> Arc<Self> {
        Arc::new(Self {
            server: watch::Sender::new(None),
            stopping: watch::Sender::new(false),
            ledger: Ledger::default(),
            promises: Promises::default(),
            seed,
            queue: String::from("doubt"),
        })
    }

    /// The server, once there is one.
    pub(super) async fn client(&self) -> Client {
        let mut server = self.server.subscribe();
        loop {
            // The sender lives as long as the world.
            if let Ok(client) = server.wait_for(Option::is_some).await
                && let Some(client) = client.clone()
            {
                return client;
            }
        }
    }

    /// Makes a call once; a server that goes away or is away means that nobody knows.
    ///
    /// # Errors
    /// The server's answer, or that there was none.
    pub(super) async fn once<T, F>(&self, call: impl FnOnce(Client) -> F) -> Result<T, Status>
    where
        F: Future<Output = Result<T, Status>>,
    {
        let outcome = call(self.client().await).await;
        if let Err(status) = &outcome {
            self.judge(status);
            if !is_answer(status) {
                tokio::time::sleep(REST).await;
            }
        }
        outcome
    }

    /// Makes a call again and again until the server answers it. Answers too whether an earlier try may
    /// have reached it.
    pub(super) async fn insist<T, F>(
        &self,
        mut call: impl FnMut(Client) -> F,
    ) -> (Result<T, Status>, bool)
    where
        F: Future<Output = Result<T, Status>>,
    {
        let mut repeated = false;
        loop {
            let outcome = self.once(&mut call).await;
            match outcome {
                Err(status) if !is_answer(&status) || status.code() == Code::ResourceExhausted => {
                    repeated = true;
                }
                answer => return (answer, repeated),
            }
        }
    }

    /// A server that lives may say that it is busy or stops; it may not break.
    fn judge(&self, status: &Status) {
        let broke = std::error::Error::source(status).is_some();
        let inexcusable = match status.code() {
            // With a source it is our side that noticed a lost connection.
            Code::Unknown | Code::Internal => !broke && !status.message().contains("h2"),
            Code::DeadlineExceeded => true,
            _ => false,
        };
        if inexcusable {
            self.ledger.finding(format!("the server answered {status}"));
        }
    }
}
