//! Stories of standalone Nexus operations (`testdata/nexus_operation/*.txt`, rewritten by `UPDATE=1`) and random
//! worlds. Whatever happens, every step is checked against the invariants (`world.rs`).

mod fuzz;
mod script;
mod world;

use std::path::Path;

use crate::workflow::tests::file;

#[test]
fn stories() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("testdata/nexus_operation");
    let rewrite = std::env::var_os("UPDATE").is_some();
    let entries = std::fs::read_dir(&folder).expect("the folder of stories");
    let mut paths: Vec<_> = entries
        .map(|entry| entry.expect("an entry").path())
        .collect();
    paths.sort();
    assert!(!paths.is_empty(), "no stories in {}", folder.display());
    let mut faults = Vec::new();
    for path in paths {
        let mut script = script::Script::default();
        faults.extend(file::run(&path, rewrite, |line| script.play(line)));
    }
    assert!(faults.is_empty(), "{}", faults.join("\n\n"));
}
