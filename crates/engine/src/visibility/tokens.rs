//! The tokens of a query, and where each is.

use sqlparser::dialect::Dialect;
use sqlparser::keywords::Keyword;
use sqlparser::tokenizer::{Location, Token, TokenWithSpan, Tokenizer};

use super::FilterError;

/// What the reference puts in front of a query to make it a statement: its errors count from there.
const PREFIX: &str = "select * from table1 ";
const PREFIX_WHERE: &str = "select * from table1 where ";

/// Queries may be as long as this, in bytes: room for the longest list of values.
const QUERY_BYTES_MAX: usize = 512 * 1024;

/// SQL as queries have it: strings in either quotes and with backslashes, names in backticks.
#[derive(Debug)]
struct QueryDialect;

impl Dialect for QueryDialect {
    fn is_delimited_identifier_start(&self, ch: char) -> bool {
        ch == '`'
    }

    fn is_identifier_start(&self, ch: char) -> bool {
        ch.is_alphabetic() || ch == '_'
    }

    fn is_identifier_part(&self, ch: char) -> bool {
        ch.is_alphanumeric() || ch == '_' || ch == '$'
    }

    fn supports_string_literal_backslash_escape(&self) -> bool {
        true
    }
}

/// The tokens of a query from some place on.
#[derive(Debug)]
pub(super) struct Tokens<'a> {
    text: &'a str,
    tokens: Vec<TokenWithSpan>,
    index: usize,
    /// The end, and whatever lies beyond it.
    end: TokenWithSpan,
}

impl<'a> Tokens<'a> {
    pub(super) fn new(query: &'a str) -> Result<Self, FilterError> {
        let text = query.trim();
        if text.len() > QUERY_BYTES_MAX {
            let limit = format!("a query of more than {QUERY_BYTES_MAX} bytes");
            return Err(FilterError::NotSupported(limit));
        }
        let mut tokens = Vec::new();
        let result =
            Tokenizer::new(&QueryDialect, text).tokenize_with_location_into_buf(&mut tokens);
        tokens.retain(|token| !matches!(token.token, Token::Whitespace(_)));
        let mut read = Self {
            text,
            tokens,
            index: 0,
            end: TokenWithSpan::new_eof(),
        };
        if let Err(error) = result {
            // What is not closed reaches to the end.
            let start = read.offset(error.location);
            let content = text.get(start + 1..).unwrap_or_default().to_owned();
            return Err(read.malformed(text.len(), &content));
        }
        // A statement may end in a semicolon, but is not one.
        if let [_, .., last] = &read.tokens[..]
            && last.token == Token::SemiColon
        {
            read.tokens.pop();
        }
        Ok(read)
    }

    pub(super) fn peek(&self) -> &Token {
        self.nth(0)
    }

    /// The token after so many others.
    pub(super) fn nth(&self, n: usize) -> &Token {
        &self.tokens.get(self.index + n).unwrap_or(&self.end).token
    }

    pub(super) fn skip(&mut self) {
        self.index += 1;
    }

    /// Goes on if the next token is this one.
    pub(super) fn eat(&mut self, token: &Token) -> bool {
        let found = self.peek() == token;
        self.index += usize::from(found);
        found
    }

    /// Goes on if the next tokens are these words, in any case.
    pub(super) fn eat_words(&mut self, words: &[&str]) -> bool {
        let found = words
            .iter()
            .enumerate()
            .all(|(n, word)| is_word(self.nth(n), word));
        self.index += if found { words.len() } else { 0 };
        found
    }

    pub(super) fn expect(&mut self, token: &Token) -> Result<(), FilterError> {
        if self.eat(token) {
            Ok(())
        } else {
            Err(self.unexpected())
        }
    }

    /// The error for the next token, which fits nowhere.
    pub(super) fn unexpected(&self) -> FilterError {
        let Some(next) = self.tokens.get(self.index) else {
            return self.malformed(self.text.len(), "");
        };
        let near = match &next.token {
            Token::Word(word) if word.keyword == Keyword::NoKeyword => word.value.clone(),
            Token::Word(word) => word.value.to_lowercase(),
            Token::Number(text, _)
            | Token::SingleQuotedString(text)
            | Token::DoubleQuotedString(text) => text.clone(),
            _ => String::new(),
        };
        self.malformed(self.offset(next.span.end), &near)
    }

    /// The reference tells where it stood when it gave up: one past the end of the token.
    fn malformed(&self, end: usize, near: &str) -> FilterError {
        let prefix = if self.begins_with_clause() {
            PREFIX
        } else {
            PREFIX_WHERE
        };
        let near = if near.is_empty() {
            String::new()
        } else {
            format!(" near '{near}'")
        };
        FilterError::Malformed {
            position: prefix.len() + end + 1,
            near,
        }
    }

    /// Whether the query is clauses only, or nothing at all.
    pub(super) fn has_no_condition(&self) -> bool {
        self.tokens.is_empty() || self.begins_with_clause()
    }

    fn begins_with_clause(&self) -> bool {
        let [first, second, ..] = &self.tokens[..] else {
            return false;
        };
        is_word(&second.token, "BY")
            && (is_word(&first.token, "ORDER") || is_word(&first.token, "GROUP"))
    }

    /// The byte at which a place in lines and columns is.
    fn offset(&self, place: Location) -> usize {
        let (mut line, mut column) = (1, 1);
        for (offset, ch) in self.text.char_indices() {
            if (line, column) >= (place.line, place.column) {
                return offset;
            }
            if ch == '\n' {
                (line, column) = (line + 1, 1);
            } else {
                column += 1;
            }
        }
        self.text.len()
    }
}

/// Whether a token is this word, bare and in any case.
pub(super) fn is_word(token: &Token, expected: &str) -> bool {
    matches!(token, Token::Word(word)
        if word.quote_style.is_none() && word.value.eq_ignore_ascii_case(expected))
}
