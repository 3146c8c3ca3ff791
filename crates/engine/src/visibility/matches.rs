//! Filters carried out on values in memory: for lists that are not in a store, and as the measure
//! of those that are.

use std::cmp::Ordering;

use super::{CompareOp, Expr, Field, Value};
use crate::search_attributes::Value as Attribute;

impl Expr {
    /// Whether a row is let through. `value_of` gives its value of a field, none if it has none;
    /// statuses and columns of numbers are `Int`, times `Datetime` or `Int`.
    pub fn matches(&self, value_of: &dyn Fn(&Field) -> Option<Attribute>) -> bool {
        self.truth(value_of) == Some(true)
    }

    /// True, false, or unknown.
    fn truth(&self, value_of: &dyn Fn(&Field) -> Option<Attribute>) -> Option<bool> {
        match self {
            Self::True => Some(true),
            Self::And(parts) => combine(parts, value_of, false),
            Self::Or(parts) => combine(parts, value_of, true),
            Self::Not(part) => part.truth(value_of).map(|truth| !truth),
            Self::IsNull(field) => Some(value_of(field).is_none()),
            Self::Compare { field, op, value } => {
                let ordering = order(&value_of(field)?, value);
                Some(ordering.is_some_and(|ordering| op.holds(ordering)))
            }
            Self::In { field, values } => {
                let attribute = value_of(field)?;
                Some(
                    values
                        .iter()
                        .any(|value| order(&attribute, value) == Some(Ordering::Equal)),
                )
            }
            Self::Between { field, low, high } => {
                let attribute = value_of(field)?;
                let least = order(&attribute, low).is_some_and(Ordering::is_ge);
                Some(least && order(&attribute, high).is_some_and(Ordering::is_le))
            }
            Self::StartsWith { field, prefix } => match value_of(field)? {
                Attribute::Keyword(text) | Attribute::Text(text) => Some(text.starts_with(prefix)),
                _ => Some(false),
            },
            Self::AnyToken { field, tokens } => match value_of(field)? {
                Attribute::Text(text) | Attribute::Keyword(text) => {
                    let sought: Vec<String> = tokens.iter().flat_map(|t| words(t)).collect();
                    Some(words(&text).any(|word| sought.contains(&word)))
                }
                _ => Some(false),
            },
            Self::Contains { field, values } => match value_of(field)? {
                Attribute::KeywordList(list) => Some(list.iter().any(|item| values.contains(item))),
                _ => Some(false),
            },
        }
    }
}

impl CompareOp {
    fn holds(self, ordering: Ordering) -> bool {
        match self {
            Self::Eq => ordering.is_eq(),
            Self::Ne => ordering.is_ne(),
            Self::Lt => ordering.is_lt(),
            Self::Le => ordering.is_le(),
            Self::Gt => ordering.is_gt(),
            Self::Ge => ordering.is_ge(),
        }
    }
}

/// All (`decisive` false) or any (`decisive` true): one decisive part decides, else one unknown
/// part leaves it open.
fn combine(
    parts: &[Expr],
    value_of: &dyn Fn(&Field) -> Option<Attribute>,
    decisive: bool,
) -> Option<bool> {
    let mut result = Some(!decisive);
    for part in parts {
        match part.truth(value_of) {
            Some(truth) if truth == decisive => return Some(decisive),
            Some(_) => {}
            None => result = None,
        }
    }
    result
}

fn order(attribute: &Attribute, value: &Value) -> Option<Ordering> {
    match (attribute, value) {
        (Attribute::Keyword(left) | Attribute::Text(left), Value::Text(right)) => {
            Some(left.cmp(right))
        }
        (Attribute::Int(left) | Attribute::Datetime(left), Value::Int(right)) => {
            Some(left.cmp(right))
        }
        (Attribute::Double(left), Value::Double(right)) => left.partial_cmp(right),
        (Attribute::Double(left), Value::Int(right)) => left.partial_cmp(&(*right as f64)),
        (Attribute::Bool(left), Value::Bool(right)) => Some(left.cmp(right)),
        _ => None,
    }
}

/// The words of a text in lower case: what lies between characters that are neither letters nor
/// digits.
fn words(text: &str) -> impl Iterator<Item = String> + '_ {
    text.split(|ch: char| !ch.is_alphanumeric())
        .filter(|word| !word.is_empty())
        .map(str::to_lowercase)
}
