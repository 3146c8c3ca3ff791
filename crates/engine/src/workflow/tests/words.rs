//! The language of stories: `verb flag key=value list=(Name key=value, Name)`.

use std::collections::VecDeque;
use std::time::Duration;

/// One input or one list element. What is asked for is taken out; what remains is an error, so that a
/// misspelt word fails its story.
#[derive(Clone, Debug, Default)]
pub(crate) struct Words {
    bare: VecDeque<String>,
    pairs: Vec<(String, Value)>,
}

#[derive(Clone, Debug)]
enum Value {
    Text(String),
    List(Vec<Words>),
}

impl Words {
    /// Reads one line.
    pub(crate) fn parse(line: &str) -> Result<Self, String> {
        let mut parser = Parser {
            rest: line.chars().collect(),
        };
        let words = parser.words()?;
        match parser.rest.front() {
            None => Ok(words),
            Some(c) => Err(format!("unexpected {c:?}")),
        }
    }

    /// The next bare word.
    pub(crate) fn verb(&mut self) -> Result<String, String> {
        self.bare
            .pop_front()
            .ok_or_else(|| "a word is missing".to_owned())
    }

    /// Whether a bare word is there.
    pub(crate) fn flag(&mut self, name: &str) -> bool {
        match self.bare.iter().position(|word| word == name) {
            Some(at) => self.bare.remove(at).is_some(),
            None => false,
        }
    }

    fn value(&mut self, key: &str) -> Option<Value> {
        let at = self.pairs.iter().position(|(k, _)| k == key)?;
        Some(self.pairs.remove(at).1)
    }

    /// The text of a key.
    pub(crate) fn text(&mut self, key: &str) -> Option<String> {
        match self.value(key)? {
            Value::Text(text) => Some(text),
            Value::List(_) => panic!("{key} is a list"),
        }
    }

    /// The text of a key, or a default.
    pub(crate) fn text_or(&mut self, key: &str, default: &str) -> String {
        self.text(key).unwrap_or_else(|| default.to_owned())
    }

    /// The list of a key; empty without it.
    pub(crate) fn list(&mut self, key: &str) -> Vec<Words> {
        match self.value(key) {
            Some(Value::List(list)) => list,
            Some(Value::Text(text)) => panic!("{key}={text} is no list"),
            None => Vec::new(),
        }
    }

    /// The number of a key.
    pub(crate) fn number(&mut self, key: &str) -> Option<i64> {
        self.text(key)
            .map(|text| text.parse().expect("a number is expected"))
    }

    /// The span of a key.
    pub(crate) fn span(&mut self, key: &str) -> Option<Duration> {
        self.text(key).map(|text| span(&text))
    }

    /// The span of a key as on the wire; a leading minus is allowed.
    pub(crate) fn wire_span(&mut self, key: &str) -> Option<proto::Duration> {
        let text = self.text(key)?;
        Some(match text.strip_prefix('-') {
            Some(positive) => {
                let positive = crate::time::wire(span(positive));
                proto::Duration {
                    seconds: -positive.seconds,
                    nanos: -positive.nanos,
                }
            }
            None => crate::time::wire(span(&text)),
        })
    }

    /// All remaining pairs of texts.
    pub(crate) fn rest(&mut self) -> Vec<(String, String)> {
        self.pairs
            .drain(..)
            .map(|(key, value)| match value {
                Value::Text(text) => (key, text),
                Value::List(_) => panic!("{key} is a list"),
            })
            .collect()
    }

    /// Nothing may be left.
    pub(crate) fn end(self) -> Result<(), String> {
        match (self.bare.front(), self.pairs.first()) {
            (Some(word), _) => Err(format!("unknown word {word}")),
            (None, Some((key, _))) => Err(format!("unknown key {key}")),
            (None, None) => Ok(()),
        }
    }
}

/// `30s`, `500ms`, `2m`, `1h`, with an optional plus.
pub(crate) fn span(text: &str) -> Duration {
    let text = text.strip_prefix('+').unwrap_or(text);
    let digits = text
        .find(|c: char| !c.is_ascii_digit() && c != '.')
        .expect("a span has a unit");
    let number: f64 = text[..digits].parse().expect("a span begins with a number");
    let unit = match &text[digits..] {
        "ms" => 0.001,
        "s" => 1.0,
        "m" => 60.0,
        "h" => 3600.0,
        "d" => 86_400.0,
        unit => panic!("{unit} is no unit of time"),
    };
    Duration::from_millis((number * unit * 1000.0).round() as u64)
}

struct Parser {
    rest: VecDeque<char>,
}

impl Parser {
    fn words(&mut self) -> Result<Words, String> {
        let mut words = Words::default();
        loop {
            self.spaces();
            if matches!(self.rest.front(), None | Some(')' | ',')) {
                return Ok(words);
            }
            let word = self.word()?;
            if self.rest.front() == Some(&'=') {
                self.rest.pop_front();
                let value = self.value()?;
                words.pairs.push((word, value));
            } else {
                words.bare.push_back(word);
            }
        }
    }

    fn value(&mut self) -> Result<Value, String> {
        if self.rest.front() != Some(&'(') {
            return self.word().map(Value::Text);
        }
        let mut list = Vec::new();
        loop {
            // The opening parenthesis, or a comma.
            self.rest.pop_front();
            let words = self.words()?;
            if !(words.bare.is_empty() && words.pairs.is_empty()) {
                list.push(words);
            }
            match self.rest.front() {
                Some(',') => {}
                Some(')') => {
                    self.rest.pop_front();
                    return Ok(Value::List(list));
                }
                _ => return Err("a list does not end".to_owned()),
            }
        }
    }

    fn word(&mut self) -> Result<String, String> {
        let mut word = String::new();
        if self.rest.front() == Some(&'"') {
            self.rest.pop_front();
            loop {
                match self.rest.pop_front() {
                    Some('"') => return Ok(word),
                    Some(c) => word.push(c),
                    None => return Err("a quote does not end".to_owned()),
                }
            }
        }
        while let Some(&c) = self.rest.front() {
            if c.is_whitespace() || matches!(c, '=' | '(' | ')' | ',') {
                break;
            }
            word.push(c);
            self.rest.pop_front();
        }
        Ok(word)
    }

    fn spaces(&mut self) {
        while self.rest.front().is_some_and(|c| c.is_whitespace()) {
            self.rest.pop_front();
        }
    }
}
