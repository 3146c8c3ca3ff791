//! The project's own rules about its source: what a review would otherwise say again and again.

use std::fs;
use std::path::{Path, PathBuf};

/// What a room may not mention, because its law forbids it (DESIGN section 7).
const LAWS: &[(&str, &[&str])] = &[
    (
        "crates/engine/src",
        &[
            "tokio",
            "async fn",
            "std::fs",
            "std::net",
            "SystemTime",
            "Instant::now",
            "tracing::",
        ],
    ),
    (
        "crates/store/src",
        &["engine::", "proto::", "steadfast_engine", "steadfast_proto"],
    ),
    ("crates/proto/src", &["fn "]),
];

/// Marks of work that is not finished. Spelled apart so that this file does not find itself.
const LEFTOVERS: &[&str] = &[
    concat!("FIX", "ME"),
    concat!("XX", "X:"),
    concat!("todo", "!("),
    concat!("dbg", "!("),
];

/// No file grows past this without a look at whether two things live in it.
const LINES_MAX: usize = 700;

pub(crate) fn check() -> Result<(), String> {
    let mut faults = Vec::new();
    for file in rust_files(Path::new("crates"))
        .into_iter()
        .chain(rust_files(Path::new("xtask")))
    {
        let text =
            fs::read_to_string(&file).map_err(|error| format!("{}: {error}", file.display()))?;
        check_file(&file, &text, &mut faults);
    }
    if faults.is_empty() {
        Ok(())
    } else {
        Err(format!("tidy:\n{}", faults.join("\n")))
    }
}

fn check_file(file: &Path, text: &str, faults: &mut Vec<String>) {
    let name = file.display();
    let lines = text.lines().count();
    if lines > LINES_MAX {
        faults.push(format!(
            "{name}: {lines} lines, more than {LINES_MAX}: do two things live here?"
        ));
    }
    let in_tests = name.to_string().contains("tests");
    for (number, line) in text.lines().enumerate() {
        let number = number + 1;
        let code = line.split("//").next().unwrap_or("");
        for word in LEFTOVERS.iter().filter(|word| line.contains(**word)) {
            faults.push(format!("{name}:{number}: leftover {word}"));
        }
        for (room, banned) in LAWS.iter().filter(|(room, _)| file.starts_with(room)) {
            for word in banned
                .iter()
                .filter(|word| code.contains(**word) && !in_tests)
            {
                faults.push(format!("{name}:{number}: {word} may not occur in {room}"));
            }
        }
    }
}

fn rust_files(folder: &Path) -> Vec<PathBuf> {
    let Ok(entries) = fs::read_dir(folder) else {
        return Vec::new();
    };
    let mut files = Vec::new();
    for path in entries.flatten().map(|entry| entry.path()) {
        if path.is_dir() {
            if path.file_name().is_none_or(|name| name != "target") {
                files.extend(rust_files(&path));
            }
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            files.push(path);
        }
    }
    files.sort();
    files
}
