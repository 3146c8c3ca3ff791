use std::time::{Duration, Instant};

use anyhow::{Context as _, Result};
use temporalio_client::{Client, ClientOptions, Connection, ConnectionOptions};
use url::Url;

/// Tries to connect until it works, for half a minute: the server may be just starting.
pub async fn connect(address: &str, namespace: &str) -> Result<Client> {
    let url = Url::parse(&format!("http://{address}")).context("the address is no HOST:PORT")?;
    let began = Instant::now();
    loop {
        let options = ConnectionOptions::new(url.clone())
            .identity(format!("demo-{}", std::process::id()))
            .connect_timeout(Duration::from_secs(3))
            .build();
        match Connection::connect(options).await {
            Ok(connection) => {
                return Ok(Client::new(connection, ClientOptions::new(namespace).build())?);
            }
            Err(error) if began.elapsed() > Duration::from_secs(30) => return Err(error.into()),
            Err(_) => tokio::time::sleep(Duration::from_millis(300)).await,
        }
    }
}
