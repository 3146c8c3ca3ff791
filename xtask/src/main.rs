//! **xtask tends**: what a change must pass, as one command.
//!
//! `cargo xtask test` is what CI runs and what the README names; `cargo xtask test quick` is the daily
//! form. May depend on nothing: it must build in a second.

#![allow(clippy::print_stdout, clippy::print_stderr)] // This is a program for a terminal.

mod server;
mod test;
mod tidy;

use std::process::ExitCode;

const USAGE: &str = "\
cargo xtask test         everything: format, lints, tidy, unit tests, crash tests, the API's behaviour, the SDKs, samples
cargo xtask test quick   the daily form, under three minutes: format, lints, tidy, unit tests
cargo xtask tidy         the project's own rules about its source";

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let words: Vec<&str> = arguments.iter().map(String::as_str).collect();
    let outcome = match words.as_slice() {
        ["test"] => test::all(),
        ["test", "quick"] => test::quick(),
        ["tidy"] => tidy::check(),
        _ => Err(USAGE.to_owned()),
    };
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(why) => {
            eprintln!("{why}");
            ExitCode::FAILURE
        }
    }
}
