//! Stories of the workflow machine (`testdata/*.txt`) and random worlds (`fuzz.rs`).
//!
//! A story is a file of inputs in the domain's words, each with what it did. `UPDATE=1` rewrites them all;
//! read the diff against the behaviour page before you keep it. Whatever the story, every step is checked
//! against the invariants (`check.rs`, `audit.rs`).

mod audit;
mod check;
mod commands;
mod deployment;
mod dice;
pub(crate) mod file;
mod fuzz;
mod nexus;
mod operator;
mod requests;
mod scheduled;
mod script;
mod show;
mod show_event;
mod updates;
pub(crate) mod words;
mod worker;
mod world;

use std::path::Path;

#[test]
fn stories() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("testdata");
    let rewrite = std::env::var_os("UPDATE").is_some();
    let mut paths: Vec<_> = std::fs::read_dir(&folder)
        .expect("the folder of stories")
        .map(|entry| entry.expect("an entry").path())
        .filter(|path| path.extension().is_some_and(|e| e == "txt"))
        .collect();
    paths.sort();
    assert!(!paths.is_empty(), "no stories in {}", folder.display());
    let mut faults = Vec::new();
    for path in paths {
        let mut script = script::Script::new();
        faults.extend(file::run(&path, rewrite, |line| {
            script.play(line).map_err(|fault| fault.to_string())
        }));
    }
    assert!(faults.is_empty(), "{}", faults.join("\n\n"));
}
