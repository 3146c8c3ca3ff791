//! A worker in a process of its own, so that it can be killed like a machine that loses its power.

use std::process::Stdio;

use anyhow::{Context as _, Result, bail};
use tokio::io::{AsyncBufReadExt, BufReader};
use tokio::process::{Child, Command};
use tokio::sync::watch;

/// What a worker has printed so far.
#[derive(Debug, Default)]
struct Output {
    lines: Vec<String>,
    ended: bool,
}

/// A started worker. It is killed when this is dropped, so that none outlives the demo.
#[derive(Debug)]
pub struct WorkerProcess {
    pub identity: String,
    pub pid: u32,
    child: Child,
    output: watch::Receiver<Output>,
}

impl WorkerProcess {
    /// Starts this program as a worker, with these options and variables, and waits until it polls.
    pub async fn start(
        identity: &str,
        options: &[(&str, &str)],
        variables: &[(&str, &str)],
        on_line: impl Fn(&str) + Send + 'static,
    ) -> Result<Self> {
        let mut command = Command::new(std::env::current_exe()?);
        command.arg("worker").args(["--identity", identity]);
        for (name, value) in options {
            command.arg(format!("--{name}")).arg(value);
        }
        let mut child = command
            .envs(variables.iter().copied())
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .kill_on_drop(true)
            .spawn()?;
        let pid = child.id().context("it has just been started")?;
        let stdout = child.stdout.take().context("it was started with a pipe")?;
        let (sender, output) = watch::channel(Output::default());
        tokio::spawn(async move {
            let mut lines = BufReader::new(stdout).lines();
            while let Ok(Some(line)) = lines.next_line().await {
                on_line(&line);
                sender.send_modify(|output| output.lines.push(line));
            }
            sender.send_modify(|output| output.ended = true);
        });
        let mut worker = Self { identity: identity.to_owned(), pid, child, output };
        worker.printed("ready").await?;
        Ok(worker)
    }

    /// Waits until the worker has printed this line; fails if it ends first.
    pub async fn printed(&mut self, line: &str) -> Result<()> {
        let printed = |output: &Output| output.lines.iter().any(|printed| printed == line);
        let output = self.output.wait_for(|output| output.ended || printed(output)).await?;
        if !printed(&output) {
            bail!("{} ended before it printed {line:?}", self.identity);
        }
        Ok(())
    }

    /// Ends the process without any warning to it, as a crash would.
    pub async fn kill(&mut self) -> Result<()> {
        Ok(self.child.kill().await?)
    }

    /// Asks the process to finish what it is doing and to end.
    pub async fn stop(&mut self) -> Result<()> {
        let pid = self.pid.to_string();
        Command::new("kill").args(["-TERM", &pid]).status().await?;
        self.child.wait().await?;
        Ok(())
    }
}
