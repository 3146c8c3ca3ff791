//! What a query says, before it is known what its names mean.
//!
//! ```text
//! query      = [condition] [GROUP BY names] [ORDER BY name [ASC | DESC], …]
//! condition  = all { (OR | ||) all }
//! all        = one { (AND | &&) one }
//! one        = NOT one | ( condition ) | predicate
//! predicate  = name compare value | name [NOT] (STARTS_WITH | LIKE | REGEXP) value
//!            | name [NOT] BETWEEN value AND value | name [NOT] IN ( value, … )
//!            | name IS [NOT] (NULL | TRUE | FALSE)
//! ```
//!
//! What SQL has besides is known well enough to be refused with the reference's words.

use sqlparser::tokenizer::Token;

use super::FilterError;
use super::tokens::{Tokens, is_word};

/// Parentheses and NOTs inside one another. Far more than anyone writes, far less than a stack.
const NESTING_MAX: usize = 100;

/// Words that are no names unless they are in backticks.
const RESERVED: [&str; 21] = [
    "AND", "AS", "ASC", "BETWEEN", "BY", "DESC", "FROM", "GROUP", "HAVING", "IN", "IS", "LIKE",
    "LIMIT", "NOT", "ON", "OR", "ORDER", "SELECT", "UNION", "WHERE", "XOR",
];

/// A whole query.
#[derive(Debug)]
pub(super) struct Statement {
    pub(super) condition: Option<Condition>,
    pub(super) group_by: Vec<Operand>,
    /// A name, and whether it is descending.
    pub(super) order_by: Vec<(Operand, bool)>,
}

/// A condition as it was written.
#[derive(Debug)]
pub(super) enum Condition {
    All(Vec<Condition>),
    Any(Vec<Condition>),
    Not(Box<Condition>),
    Compare {
        left: Operand,
        operator: Operator,
        right: Operand,
    },
    Between {
        left: Operand,
        negated: bool,
        low: Operand,
        high: Operand,
    },
    /// `IS NULL` and `IS NOT NULL`; anything else after `IS` is refused once the name is known.
    Is {
        left: Operand,
        negated: bool,
        is_null: bool,
    },
    /// Something that is no condition.
    Lone(Operand),
}

/// A comparison.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Operator {
    Eq,
    Ne,
    Lt,
    Le,
    Gt,
    Ge,
    In,
    NotIn,
    StartsWith,
    NotStartsWith,
    /// Known to SQL, but not to lists.
    Other(&'static str),
}

impl Operator {
    /// As messages name it.
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Eq => "=",
            Self::Ne => "!=",
            Self::Lt => "<",
            Self::Le => "<=",
            Self::Gt => ">",
            Self::Ge => ">=",
            Self::In => "IN",
            Self::NotIn => "NOT IN",
            Self::StartsWith => "STARTS_WITH",
            Self::NotStartsWith => "NOT STARTS_WITH",
            Self::Other(name) => name,
        }
    }
}

/// One side of a comparison.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Operand {
    Name(String),
    Literal(Literal),
    List(Vec<Operand>),
    /// A number or the like that is none after all.
    Unparsable(String),
    Function {
        is_group_concat: bool,
    },
    /// Other expressions, by the name that messages give them.
    Other(&'static str),
}

/// A value as it was written.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Literal {
    Text(String),
    Int(i64),
    Float(f64),
    Bool(bool),
}

/// Parses a query.
pub(super) fn parse(query: &str) -> Result<Statement, FilterError> {
    let mut parser = Parser {
        tokens: Tokens::new(query)?,
        nesting: 0,
    };
    parser.statement()
}

struct Parser<'a> {
    tokens: Tokens<'a>,
    nesting: usize,
}

impl Parser<'_> {
    fn statement(&mut self) -> Result<Statement, FilterError> {
        let condition = if self.tokens.has_no_condition() {
            None
        } else {
            Some(self.condition()?)
        };
        let mut group_by = vec![];
        if self.tokens.eat_words(&["GROUP", "BY"]) {
            group_by = self.list(Self::operand)?;
            if self.tokens.eat_words(&["HAVING"]) {
                return Err(not_supported("'HAVING' clause"));
            }
        }
        let mut order_by = vec![];
        if self.tokens.eat_words(&["ORDER", "BY"]) {
            order_by = self.list(|parser| {
                let operand = parser.operand()?;
                let descending = parser.tokens.eat_words(&["DESC"]);
                let _ = descending || parser.tokens.eat_words(&["ASC"]);
                Ok((operand, descending))
            })?;
        }
        if self.tokens.eat_words(&["LIMIT"]) {
            return Err(not_supported("'LIMIT' clause"));
        }
        self.tokens.expect(&Token::EOF)?;
        Ok(Statement {
            condition,
            group_by,
            order_by,
        })
    }

    fn list<T>(
        &mut self,
        mut item: impl FnMut(&mut Self) -> Result<T, FilterError>,
    ) -> Result<Vec<T>, FilterError> {
        let mut items = vec![item(self)?];
        while self.tokens.eat(&Token::Comma) {
            items.push(item(self)?);
        }
        Ok(items)
    }

    fn condition(&mut self) -> Result<Condition, FilterError> {
        let mut parts = vec![self.all()?];
        while self.tokens.eat_words(&["OR"]) || self.tokens.eat(&Token::StringConcat) {
            parts.push(self.all()?);
        }
        Ok(single_or(parts, Condition::Any))
    }

    fn all(&mut self) -> Result<Condition, FilterError> {
        let mut parts = vec![self.one()?];
        while self.tokens.eat_words(&["AND"]) || self.tokens.eat(&Token::Overlap) {
            parts.push(self.one()?);
        }
        Ok(single_or(parts, Condition::All))
    }

    fn one(&mut self) -> Result<Condition, FilterError> {
        if self.tokens.eat_words(&["NOT"]) {
            let negated = self.nested(Self::one)?;
            return Ok(Condition::Not(Box::new(negated)));
        }
        if !is_subquery(&self.tokens) && self.tokens.eat(&Token::LParen) {
            let condition = self.nested(Self::condition)?;
            self.tokens.expect(&Token::RParen)?;
            if is_operator(&self.tokens) {
                return self.predicate(Operand::Other("*sqlparser.ParenExpr"));
            }
            return Ok(condition);
        }
        let left = self.operand()?;
        self.predicate(left)
    }

    fn nested<T>(
        &mut self,
        parse: impl FnOnce(&mut Self) -> Result<T, FilterError>,
    ) -> Result<T, FilterError> {
        if self.nesting == NESTING_MAX {
            return Err(not_supported("more than 100 nested expressions"));
        }
        self.nesting += 1;
        let parsed = parse(self);
        self.nesting -= 1;
        parsed
    }

    /// What may follow the left side of a predicate.
    fn predicate(&mut self, left: Operand) -> Result<Condition, FilterError> {
        if self.tokens.eat_words(&["IS"]) {
            let negated = self.tokens.eat_words(&["NOT"]);
            let is_null = self.tokens.eat_words(&["NULL"]);
            if !is_null && !self.tokens.eat_words(&["TRUE"]) && !self.tokens.eat_words(&["FALSE"]) {
                return Err(self.tokens.unexpected());
            }
            return Ok(Condition::Is {
                left,
                negated,
                is_null,
            });
        }
        let negated = is_word(self.tokens.peek(), "NOT")
            && ["BETWEEN", "IN", "LIKE", "REGEXP", "RLIKE", "STARTS_WITH"]
                .iter()
                .any(|word| is_word(self.tokens.nth(1), word));
        if negated {
            self.tokens.skip();
        }
        if self.tokens.eat_words(&["BETWEEN"]) {
            let low = self.operand()?;
            if !self.tokens.eat_words(&["AND"]) {
                return Err(self.tokens.unexpected());
            }
            let high = self.operand()?;
            return Ok(Condition::Between {
                left,
                negated,
                low,
                high,
            });
        }
        let Some(operator) = self.operator(negated) else {
            return Ok(Condition::Lone(left));
        };
        let right = match operator {
            Operator::In | Operator::NotIn => self.in_list()?,
            _ => self.operand()?,
        };
        Ok(Condition::Compare {
            left,
            operator,
            right,
        })
    }

    fn operator(&mut self, negated: bool) -> Option<Operator> {
        let symbol = match self.tokens.peek() {
            Token::Eq => Some(Operator::Eq),
            Token::Neq => Some(Operator::Ne),
            Token::Lt => Some(Operator::Lt),
            Token::LtEq => Some(Operator::Le),
            Token::Gt => Some(Operator::Gt),
            Token::GtEq => Some(Operator::Ge),
            Token::Spaceship => Some(Operator::Other("<=>")),
            _ => None,
        };
        if symbol.is_some() {
            self.tokens.skip();
            return symbol;
        }
        let words = [
            ("IN", Operator::In, Operator::NotIn),
            ("STARTS_WITH", Operator::StartsWith, Operator::NotStartsWith),
            ("LIKE", Operator::Other("LIKE"), Operator::Other("NOT LIKE")),
            (
                "REGEXP",
                Operator::Other("REGEXP"),
                Operator::Other("NOT REGEXP"),
            ),
            (
                "RLIKE",
                Operator::Other("REGEXP"),
                Operator::Other("NOT REGEXP"),
            ),
        ];
        let (_, plain, not) = words
            .into_iter()
            .find(|(word, _, _)| self.tokens.eat_words(&[word]))?;
        Some(if negated { not } else { plain })
    }

    fn in_list(&mut self) -> Result<Operand, FilterError> {
        if is_subquery(&self.tokens) {
            return self.operand();
        }
        self.tokens.expect(&Token::LParen)?;
        let items = self.list(Self::operand)?;
        self.tokens.expect(&Token::RParen)?;
        Ok(Operand::List(items))
    }

    /// A name or a value, perhaps followed by arithmetic, which is known only to be refused.
    fn operand(&mut self) -> Result<Operand, FilterError> {
        let mut operand = self.primary()?;
        loop {
            match self.tokens.peek() {
                Token::Plus | Token::Minus | Token::Mul | Token::Div | Token::Mod => {}
                Token::Ampersand | Token::Pipe | Token::Caret => {}
                Token::ShiftLeft | Token::ShiftRight | Token::Arrow | Token::LongArrow => {}
                token if is_word(token, "COLLATE") => {
                    self.tokens.skip();
                    self.primary()?;
                    operand = Operand::Other("*sqlparser.CollateExpr");
                    continue;
                }
                _ => return Ok(operand),
            }
            self.tokens.skip();
            self.primary()?;
            operand = Operand::Other("*sqlparser.BinaryExpr");
        }
    }

    fn primary(&mut self) -> Result<Operand, FilterError> {
        let operand = match self.tokens.peek() {
            Token::SingleQuotedString(text) | Token::DoubleQuotedString(text) => {
                Operand::Literal(Literal::Text(text.clone()))
            }
            Token::Number(text, _) => number(text),
            Token::HexStringLiteral(digits) => Operand::Unparsable(format!("0x{digits}")),
            Token::Placeholder(name) => Operand::Unparsable(name.clone()),
            Token::Minus | Token::Plus => return self.signed(),
            Token::ExclamationMark | Token::Tilde => {
                while matches!(self.tokens.peek(), Token::ExclamationMark | Token::Tilde) {
                    self.tokens.skip();
                }
                self.primary_unless_nested()?;
                return Ok(Operand::Other("*sqlparser.UnaryExpr"));
            }
            Token::LParen => return self.parenthesised(),
            Token::Word(_) => return self.word(),
            _ => return Err(self.tokens.unexpected()),
        };
        self.tokens.skip();
        Ok(operand)
    }

    fn primary_unless_nested(&mut self) -> Result<Operand, FilterError> {
        self.nested(Self::primary)
    }

    fn signed(&mut self) -> Result<Operand, FilterError> {
        let sign = if *self.tokens.peek() == Token::Minus {
            "-"
        } else {
            ""
        };
        self.tokens.skip();
        if let Token::Number(text, _) = self.tokens.peek() {
            let operand = number(&format!("{sign}{text}"));
            self.tokens.skip();
            return Ok(operand);
        }
        self.primary_unless_nested()?;
        Ok(Operand::Other("*sqlparser.UnaryExpr"))
    }

    /// Parentheses around what is no condition: none of what they hold is allowed.
    fn parenthesised(&mut self) -> Result<Operand, FilterError> {
        if is_subquery(&self.tokens) {
            self.skip_parentheses()?;
            return Ok(Operand::Other("*sqlparser.Subquery"));
        }
        self.tokens.skip();
        let items = self.nested(|parser| parser.list(Self::operand))?;
        self.tokens.expect(&Token::RParen)?;
        Ok(Operand::Other(match items.len() {
            1 => "*sqlparser.ParenExpr",
            _ => "sqlparser.ValTuple",
        }))
    }

    fn skip_parentheses(&mut self) -> Result<(), FilterError> {
        let mut open = 0;
        loop {
            match self.tokens.peek() {
                Token::LParen => open += 1,
                Token::RParen => open -= 1,
                Token::EOF => return Err(self.tokens.unexpected()),
                _ => {}
            }
            self.tokens.skip();
            if open == 0 {
                return Ok(());
            }
        }
    }

    fn word(&mut self) -> Result<Operand, FilterError> {
        let Token::Word(word) = self.tokens.peek() else {
            return Err(self.tokens.unexpected());
        };
        let bare = word.quote_style.is_none();
        let name = word.value.clone();
        let is = |keyword: &str| bare && name.eq_ignore_ascii_case(keyword);
        if RESERVED.iter().any(|keyword| is(keyword)) {
            return Err(self.tokens.unexpected());
        }
        let is_called = *self.tokens.nth(1) == Token::LParen;
        if is("TRUE") || is("FALSE") {
            self.tokens.skip();
            return Ok(Operand::Literal(Literal::Bool(is("TRUE"))));
        }
        if is("NULL") {
            self.tokens.skip();
            return Ok(Operand::Other("*sqlparser.NullVal"));
        }
        if is("CASE") && !is_operator_at(&self.tokens, 1) {
            while !self.tokens.eat_words(&["END"]) {
                if *self.tokens.peek() == Token::EOF {
                    return Err(self.tokens.unexpected());
                }
                self.tokens.skip();
            }
            return Ok(Operand::Other("*sqlparser.CaseExpr"));
        }
        self.tokens.skip();
        if is_called && bare {
            self.skip_parentheses()?;
            if is("EXISTS") {
                return Ok(Operand::Other("*sqlparser.ExistsExpr"));
            }
            return Ok(Operand::Function {
                is_group_concat: is("GROUP_CONCAT"),
            });
        }
        self.qualified(name)
    }

    /// A name, with further parts after periods.
    fn qualified(&mut self, mut name: String) -> Result<Operand, FilterError> {
        while self.tokens.eat(&Token::Period) {
            let Token::Word(word) = self.tokens.peek() else {
                return Err(self.tokens.unexpected());
            };
            name.push('.');
            name.push_str(&word.value);
            self.tokens.skip();
        }
        Ok(Operand::Name(name))
    }
}

fn single_or(mut parts: Vec<Condition>, many: fn(Vec<Condition>) -> Condition) -> Condition {
    match (parts.len(), parts.pop()) {
        (1, Some(only)) => only,
        (_, last) => {
            parts.extend(last);
            many(parts)
        }
    }
}

fn is_subquery(tokens: &Tokens<'_>) -> bool {
    *tokens.peek() == Token::LParen && is_word(tokens.nth(1), "SELECT")
}

/// Whether a comparison goes on here.
fn is_operator(tokens: &Tokens<'_>) -> bool {
    is_operator_at(tokens, 0)
}

fn is_operator_at(tokens: &Tokens<'_>, n: usize) -> bool {
    let words = [
        "IS",
        "IN",
        "LIKE",
        "BETWEEN",
        "STARTS_WITH",
        "REGEXP",
        "NOT",
    ];
    matches!(
        tokens.nth(n),
        Token::Eq | Token::Neq | Token::Lt | Token::LtEq | Token::Gt | Token::GtEq
    ) || words.iter().any(|word| is_word(tokens.nth(n), word))
}

/// A number: an integer if it fits one, else any finite number.
fn number(text: &str) -> Operand {
    if let Ok(number) = text.parse() {
        return Operand::Literal(Literal::Int(number));
    }
    match text.parse::<f64>() {
        Ok(number) if number.is_finite() => Operand::Literal(Literal::Float(number)),
        _ => Operand::Unparsable(text.to_owned()),
    }
}

fn not_supported(what: &str) -> FilterError {
    FilterError::NotSupported(what.to_owned())
}
