//! The steps of the test command, in the order in which they fail fastest.

use std::process::Command;
use std::time::Instant;

use crate::server::Server;
use crate::tidy;

/// Everything that a change must pass.
pub(crate) fn all() -> Result<(), String> {
    checks()?;
    step(
        "unit, machine and store tests",
        cargo(&["test", "--workspace"]),
    )?;
    step(
        "build the server",
        cargo(&["build", "--package", "steadfast"]),
    )?;
    {
        let server = Server::start()?;
        let mut suite = Command::new("tests/wire/run");
        suite.env("STEADFAST_ADDRESS", server.address());
        suite.env("STEADFAST_HTTP_ADDRESS", server.http_address());
        suite.args([
            "-n",
            "4",
            "-q",
            "-m",
            "not slow and not quirk and not pending",
        ]);
        step("the API's behaviour, on the wire", suite)?;
        let mut suite = Command::new("tests/cli/run");
        suite.env("STEADFAST_ADDRESS", server.address());
        step("the official command line, beside the reference", suite)?;
        let mut suite = Command::new("tests/sweep/run");
        suite.env("STEADFAST_ADDRESS", server.address());
        suite.env("STEADFAST_HTTP_ADDRESS", server.http_address());
        step("bad input, beside the reference", suite)?;
        let mut suite = Command::new("tests/differential/run");
        suite.env("STEADFAST_ADDRESS", server.address());
        suite.args(["--seeds", "1-12"]);
        step("generated calls, compared with the reference", suite)?;
        let mut suite = Command::new("tests/sdk/typescript/run");
        suite.env("STEADFAST_ADDRESS", server.address());
        step("end to end, with the official TypeScript SDK", suite)?;
        let mut suite = Command::new("tests/sdk/rust/run");
        suite.env("STEADFAST_ADDRESS", server.address());
        step("end to end, with the official Rust SDK", suite)?;
        let mut samples = Command::new("samples/run");
        samples.args(["--quiet", "--address", &server.address()]);
        step("the samples, with the official TypeScript SDK", samples)?;
        let mut samples = Command::new("samples/run");
        samples.args([
            "--quiet",
            "--language",
            "python",
            "--address",
            &server.address(),
        ]);
        step("the samples, with the official Python SDK", samples)?;
        let mut samples = Command::new("samples/run");
        samples.args([
            "--quiet",
            "--language",
            "rust",
            "--address",
            &server.address(),
        ]);
        step("the samples, with the official Rust SDK", samples)?;
    }
    println!("all steps passed");
    Ok(())
}

/// What a developer runs many times a day.
pub(crate) fn quick() -> Result<(), String> {
    checks()?;
    step(
        "unit, machine and store tests",
        cargo(&["test", "--workspace", "--exclude", "steadfast-sim"]),
    )
}

fn checks() -> Result<(), String> {
    step("format", cargo(&["fmt", "--all", "--check"]))?;
    tidy::check()?;
    step(
        "lints",
        cargo(&[
            "clippy",
            "--workspace",
            "--all-targets",
            "--quiet",
            "--",
            "--deny",
            "warnings",
        ]),
    )
}

fn cargo(arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO"));
    command.args(arguments);
    command
}

/// Runs one step and says how it went.
fn step(name: &str, mut command: Command) -> Result<(), String> {
    println!("== {name}");
    let began = Instant::now();
    let status = command
        .status()
        .map_err(|error| format!("{name}: cannot run {:?}: {error}", command.get_program()))?;
    if !status.success() {
        return Err(format!("{name}: failed ({status})"));
    }
    println!("== {name}: passed in {} s", began.elapsed().as_secs());
    Ok(())
}
