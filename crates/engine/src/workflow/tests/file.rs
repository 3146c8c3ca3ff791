//! Story files. A story is a list of blocks; a block is comments, inputs (one a line; a line that begins
//! with a space goes on with the one before), `----`, and what is expected, up to an empty line.

use std::any::Any;
use std::fmt::Write as _;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;

/// One block of a file.
#[derive(Debug, Default)]
struct Block {
    /// Comments and empty lines before the inputs, as they are.
    before: Vec<String>,
    /// The inputs as they are, with the line number of the first.
    inputs: Vec<String>,
    line: usize,
    expected: String,
}

/// Runs a story. Returns what differs, with file and line; or rewrites the file.
pub(crate) fn run(
    path: &Path,
    rewrite: bool,
    mut play: impl FnMut(&str) -> Result<String, String>,
) -> Vec<String> {
    let text = std::fs::read_to_string(path).expect("a story can be read");
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    let mut faults = Vec::new();
    let mut out = String::new();
    let (blocks, tail) = read(&text);
    for block in blocks {
        let mut got = String::new();
        for input in joined(&block.inputs) {
            let played = catch_unwind(AssertUnwindSafe(|| play(&input)));
            match played.unwrap_or_else(|panic| Err(panicked(panic.as_ref()))) {
                Ok(output) => got.push_str(&output),
                Err(error) => {
                    let _ = writeln!(got, "error: {error}");
                    faults.push(format!("{name}:{}: {input}: {error}", block.line));
                }
            }
        }
        if got.is_empty() {
            got.push_str("ok\n");
        }
        if got != block.expected && !rewrite {
            faults.push(format!(
                "{name}:{}: {}\n--- expected\n{}--- got\n{got}",
                block.line,
                block.inputs.join("\n"),
                block.expected
            ));
        }
        for line in block.before.iter().chain(&block.inputs) {
            let _ = writeln!(out, "{line}");
        }
        let _ = write!(out, "----\n{got}");
    }
    for line in tail {
        let _ = writeln!(out, "{line}");
    }
    if rewrite && out != text {
        std::fs::write(path, out).expect("a story can be rewritten");
    }
    faults
}

/// The blocks of a file, and the lines after the last one.
fn read(text: &str) -> (Vec<Block>, Vec<String>) {
    let mut blocks = Vec::new();
    let mut block = Block::default();
    let mut in_expected = false;
    for (number, line) in text.lines().enumerate() {
        if in_expected && !line.is_empty() {
            block.expected.push_str(line);
            block.expected.push('\n');
            continue;
        }
        if in_expected {
            blocks.push(std::mem::take(&mut block));
            in_expected = false;
        }
        if line == "----" {
            in_expected = true;
        } else if block.inputs.is_empty() && (line.is_empty() || line.starts_with('#')) {
            block.before.push(line.to_owned());
        } else {
            if block.inputs.is_empty() {
                block.line = number + 1;
            }
            block.inputs.push(line.to_owned());
        }
    }
    if in_expected {
        blocks.push(block);
        return (blocks, Vec::new());
    }
    assert!(
        block.inputs.is_empty(),
        "inputs without ----: {:?}",
        block.inputs
    );
    (blocks, block.before)
}

/// Inputs with their continuation lines.
fn joined(lines: &[String]) -> Vec<String> {
    let mut inputs: Vec<String> = Vec::new();
    for line in lines {
        match inputs.last_mut() {
            Some(last) if line.starts_with(' ') => last.push_str(line),
            _ => inputs.push(line.clone()),
        }
    }
    inputs
}

fn panicked(panic: &(dyn Any + Send)) -> String {
    let text = panic.downcast_ref::<String>().map(String::as_str);
    let text = text.or_else(|| panic.downcast_ref::<&str>().copied());
    format!("panic: {}", text.unwrap_or("of an unknown kind"))
}
