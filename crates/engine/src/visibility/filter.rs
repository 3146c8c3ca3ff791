//! A filter, understood: what a store carries out.

use std::collections::BTreeMap;

use super::Field;

/// A value to compare with.
#[derive(Clone, Debug, PartialEq)]
pub enum Value {
    /// For Keyword fields.
    Text(String),
    /// For Int fields and the status; nanoseconds for Datetime fields and the duration.
    Int(i64),
    /// For Double fields. Those may also be compared with integers.
    Double(f64),
    /// For Bool fields.
    Bool(bool),
}

/// How to compare.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CompareOp {
    /// `=`
    Eq,
    /// `!=`
    Ne,
    /// `<`
    Lt,
    /// `<=`
    Le,
    /// `>`
    Gt,
    /// `>=`
    Ge,
}

/// Which rows. A comparison with a missing value is neither true nor false, and so is its negation.
#[derive(Clone, Debug, PartialEq)]
pub enum Expr {
    /// All.
    True,
    /// Those for which all are true.
    And(Vec<Expr>),
    /// Those for which any is true.
    Or(Vec<Expr>),
    /// Those for which it is false.
    Not(Box<Expr>),
    /// Those whose value compares so.
    Compare {
        /// The field, not of type Text or KeywordList.
        field: Field,
        /// How.
        op: CompareOp,
        /// With what.
        value: Value,
    },
    /// Those whose value is one of these; with none, false for every row that has a value.
    In {
        /// The field, not of type Text or KeywordList.
        field: Field,
        /// The values.
        values: Vec<Value>,
    },
    /// Those whose value lies between two, both included.
    Between {
        /// The field, not of type Text, Bool or KeywordList.
        field: Field,
        /// The least.
        low: Value,
        /// The greatest.
        high: Value,
    },
    /// Those without a value.
    IsNull(Field),
    /// Those whose text begins so.
    StartsWith {
        /// A field of type Keyword.
        field: Field,
        /// The beginning, to be taken literally.
        prefix: String,
    },
    /// Those whose text has any of these words, whatever their case.
    AnyToken {
        /// A field of type Text.
        field: Field,
        /// Words; the store splits them further, as it splits texts.
        tokens: Vec<String>,
    },
    /// Those whose list has any of these keywords.
    Contains {
        /// A field of type KeywordList.
        field: Field,
        /// The keywords.
        values: Vec<String>,
    },
}

impl Expr {
    /// The negation, if wanted.
    pub(super) fn negate_if(self, negated: bool) -> Self {
        if negated {
            Self::Not(Box::new(self))
        } else {
            self
        }
    }

    /// All of these, without needless levels.
    pub(super) fn all(parts: Vec<Self>) -> Self {
        let mut flat = vec![];
        for part in parts {
            match part {
                Self::And(inner) => flat.extend(inner),
                Self::True => {}
                other => flat.push(other),
            }
        }
        match flat.len() {
            0 => Self::True,
            1 => flat.remove(0),
            _ => Self::And(flat),
        }
    }

    /// Any of these, without needless levels. What asks whether one field equals this or that
    /// becomes one list: long queries are made of such.
    pub(super) fn any(parts: Vec<Self>) -> Self {
        let mut flat: Vec<Self> = vec![];
        let mut lists: BTreeMap<Field, usize> = BTreeMap::new();
        let inner = parts.into_iter().flat_map(|part| match part {
            Self::Or(inner) => inner,
            other => vec![other],
        });
        for part in inner {
            let (field, values) = match part {
                Self::Compare {
                    field,
                    op: CompareOp::Eq,
                    value,
                } => (field, vec![value]),
                Self::In { field, values } => (field, values),
                other => {
                    flat.push(other);
                    continue;
                }
            };
            let known = lists.get(&field).and_then(|index| flat.get_mut(*index));
            if let Some(Self::In { values: known, .. }) = known {
                known.extend(values);
                continue;
            }
            lists.insert(field.clone(), flat.len());
            flat.push(Self::In { field, values });
        }
        for part in &mut flat {
            if let Self::In { field, values } = part
                && let [value] = &values[..]
            {
                let (field, value) = (field.clone(), value.clone());
                *part = Self::Compare {
                    field,
                    op: CompareOp::Eq,
                    value,
                };
            }
        }
        if flat.len() == 1 {
            flat.remove(0)
        } else {
            Self::Or(flat)
        }
    }

    /// How many parts it has, how many values, and how deep it goes.
    pub(super) fn size(&self) -> Size {
        match self {
            Self::And(parts) | Self::Or(parts) => {
                parts.iter().map(Self::size).fold(Size::one(0), Size::with)
            }
            Self::Not(part) => Size::one(0).with(part.size()),
            Self::In { values, .. } => Size::one(values.len()),
            Self::Contains { values, .. } => Size::one(values.len()),
            Self::AnyToken { tokens, .. } => Size::one(tokens.len()),
            _ => Size::one(1),
        }
    }
}

/// How large a filter is.
#[derive(Clone, Copy, Debug)]
pub(super) struct Size {
    pub(super) parts: usize,
    pub(super) values: usize,
    pub(super) depth: usize,
}

impl Size {
    fn one(values: usize) -> Self {
        Self {
            parts: 1,
            values,
            depth: 1,
        }
    }

    fn with(self, inner: Self) -> Self {
        Self {
            parts: self.parts + inner.parts,
            values: self.values + inner.values,
            depth: self.depth.max(inner.depth + 1),
        }
    }
}
