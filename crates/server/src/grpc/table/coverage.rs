//! `docs/api-coverage.md` is written from the dispatch table and from the suite that shows what is served.

use std::fs;
use std::path::{Path, PathBuf};

use super::Table;

/// Test files named for each RPC at most.
const SHOWN_MAX: usize = 2;

/// The wire suite: what it shows, by file.
struct Suite {
    files: Vec<(String, String)>,
    /// Calls that its helpers make for many tests.
    shared: String,
}

impl Suite {
    fn read() -> Self {
        let folder = repository().join("tests/wire");
        let read = |path: &Path| fs::read_to_string(path).unwrap();
        let mut files: Vec<_> = fs::read_dir(&folder)
            .unwrap()
            .map(|entry| entry.unwrap().path())
            .filter_map(|path| {
                let name = path.file_name()?.to_str()?;
                (name.starts_with("test_") && name.ends_with(".py"))
                    .then(|| (name.to_owned(), read(&path)))
            })
            .collect();
        files.sort();
        let shared = ["scene.py", "nexus.py"].map(|name| read(&folder.join(name)));
        Self {
            files,
            shared: shared.concat(),
        }
    }

    /// Where a call of this RPC is shown; `None` when nothing calls it.
    fn shown_by(&self, rpc: &str) -> Option<String> {
        let (quoted, in_path) = (format!("\"{rpc}\""), format!("/{rpc}\""));
        let calls = |text: &str| text.contains(&quoted) || text.contains(&in_path);
        // A file of the RPC's own area says more than one that happens to use it.
        let mut names: Vec<_> = self
            .files
            .iter()
            .filter(|(_, text)| calls(text))
            .map(|(name, text)| (text.matches(&quoted).count(), name.as_str()))
            .collect();
        names.sort_by(|one, other| other.0.cmp(&one.0).then(one.1.cmp(other.1)));
        let names: Vec<_> = names
            .iter()
            .take(SHOWN_MAX)
            .map(|(_, name)| format!("`{name}`"))
            .collect();
        match (names.is_empty(), calls(&self.shared)) {
            (false, _) => Some(names.join(", ")),
            (true, true) => Some("helpers of many tests".to_owned()),
            (true, false) => None,
        }
    }
}

fn repository() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}

/// The documentation's table says what the dispatch table says, and everything served is shown by a test.
#[test]
fn the_documented_coverage_is_the_real_one() {
    let path = repository().join("docs/api-coverage.md");
    let (table, suite) = (Table::new(), Suite::read());
    let mut expected = String::new();
    let mut untested = Vec::new();
    for (service, names, methods) in [
        (
            "WorkflowService",
            proto::WORKFLOW_SERVICE_METHODS,
            &table.workflow,
        ),
        (
            "OperatorService",
            proto::OPERATOR_SERVICE_METHODS,
            &table.operator,
        ),
    ] {
        let served = methods.values().filter(|method| method.served).count();
        expected += &format!(
            "\n## {service}: {served} of {} served\n\n| RPC | state | shown by |\n|---|---|---|\n",
            names.len()
        );
        for name in names {
            let shown = suite.shown_by(name);
            let state = if methods[name].served {
                "served"
            } else {
                "not served"
            };
            if methods[name].served && shown.is_none() {
                untested.push(*name);
            }
            expected += &format!("| {name} | {state} | {} |\n", shown.unwrap_or_default());
        }
    }
    let document = fs::read_to_string(&path).unwrap();
    let (head, body) = document.split_once("<!-- generated -->\n").unwrap();
    if std::env::var_os("UPDATE_DOCS").is_some() {
        fs::write(&path, format!("{head}<!-- generated -->\n{expected}")).unwrap();
        return;
    }
    assert_eq!(
        body, expected,
        "run this test with UPDATE_DOCS=1 and read the difference"
    );
    assert!(
        untested.is_empty(),
        "served, but no test calls it: {untested:?}"
    );
}
