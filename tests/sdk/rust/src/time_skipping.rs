//! The server as the SDKs' test environments start it: months pass in no time.

use std::net::TcpListener;
use std::process::Stdio;
use std::time::Duration;

use anyhow::{Context as _, Result};
use temporalio_client::Client;
use temporalio_client::tonic::Request;
use temporalio_sdk::workflows::{workflow, workflow_methods};
use temporalio_sdk::{WorkflowContext, WorkflowResult};
use tokio::process::Command;

use crate::scene::Scene;

const MONTH: Duration = Duration::from_secs(30 * 24 * 3600);

#[workflow]
#[derive(Default)]
struct Sleeps;

#[workflow_methods]
impl Sleeps {
    #[run]
    async fn run(ctx: &mut WorkflowContext<Self>) -> WorkflowResult<u64> {
        let before = ctx.workflow_time();
        ctx.timer(MONTH).await;
        let slept = ctx.workflow_time().zip(before).map(|(now, before)| now.duration_since(before));
        Ok(slept.and_then(Result::ok).unwrap_or_default().as_secs())
    }
}

/// Seconds since 1970, as the server counts them.
async fn now(client: &Client) -> Result<i64> {
    let answer = client.connection().test_service().get_current_time(Request::new(())).await?;
    Ok(answer.into_inner().time.context("no time")?.seconds)
}

#[tokio::test]
async fn a_timer_of_a_month_fires_at_once() -> Result<()> {
    let binary = std::env::var("STEADFAST_BINARY").context("STEADFAST_BINARY is not set")?;
    let port = TcpListener::bind(("127.0.0.1", 0))?.local_addr()?.port();
    let _server = Command::new(&binary)
        .args([&port.to_string(), "--enable-time-skipping"])
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .kill_on_drop(true)
        .spawn()
        .with_context(|| binary)?;
    let scene = Scene::at(&format!("127.0.0.1:{port}"), "skipping").await?;
    scene
        .with_worker(
            |worker| worker.register_workflow::<Sleeps>().map(drop),
            async |scene| {
                let began = now(&scene.client).await?;
                let mut options = scene.options("sleeps");
                options.execution_timeout = None;
                let handle = scene.client.start_workflow(Sleeps::run, (), options).await?;
                let slept = handle.get_result(Default::default()).await?;
                assert!(slept >= MONTH.as_secs(), "it slept {slept} s");
                let passed = now(&scene.client).await? - began;
                assert!(passed >= MONTH.as_secs().try_into()?, "{passed} s have passed");
                Ok(())
            },
        )
        .await
}
