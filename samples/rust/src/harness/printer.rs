//! How the demo writes to the terminal: one line for each thing that happens, with the seconds since the
//! sample began.

use std::io::IsTerminal;
use std::time::Instant;

/// A colour, as the number that terminals know it by.
#[derive(Debug, Clone, Copy)]
pub enum Colour {
    Bold = 1,
    Dim = 2,
    Red = 31,
    Green = 32,
    Yellow = 33,
    Cyan = 36,
}

/// The text in a colour, if the terminal shows colours.
pub fn paint(colour: Colour, text: &str) -> String {
    if std::io::stdout().is_terminal() && std::env::var_os("NO_COLOR").is_none() {
        format!("\x1b[{}m{text}\x1b[0m", colour as u8)
    } else {
        text.to_owned()
    }
}

/// Writes lines, unless it is quiet.
#[derive(Debug, Clone, Copy)]
pub struct Printer {
    began: Instant,
    quiet: bool,
}

impl Printer {
    pub fn new(quiet: bool) -> Self {
        Self { began: Instant::now(), quiet }
    }

    /// Seconds since this printer was made.
    pub fn seconds(&self) -> String {
        format!("{:.1}", self.began.elapsed().as_secs_f64())
    }

    /// A line: when, who, what.
    pub fn line(&self, who: &str, text: &str, colour: Option<Colour>) {
        if self.quiet {
            return;
        }
        let body = format!("{who:9} {text}");
        let body = colour.map_or(body.clone(), |colour| paint(colour, &body));
        println!("{}  {body}", paint(Colour::Dim, &format!("{:>6}s", self.seconds())));
    }
}

/// Rows of text as columns of equal width.
pub fn table(rows: &[Vec<String>]) -> String {
    let width = |column: usize| rows.iter().map(|row| row[column].len()).max().unwrap_or(0);
    let line = |row: &Vec<String>| {
        let cells =
            row.iter().enumerate().map(|(column, cell)| format!("{cell:0$}", width(column)));
        cells.collect::<Vec<_>>().join("  ").trim_end().to_owned()
    };
    rows.iter().map(line).collect::<Vec<_>>().join("\n")
}
