//! From what a query says to what it means.

use std::collections::BTreeSet;

use super::fields::resolve;
use super::filter::Expr;
use super::literals::{invalid, keyword_statuses, status_name, typed, value};
use super::syntax::{Condition, Literal, Operand, Operator, Statement};
use super::{CompareOp, Field, FilterError, Options, OrderBy, Query, Scope, SystemField, Value};
use crate::search_attributes::SearchAttributeType;

/// Bounds of a filter, such that any store takes it.
const PARTS_MAX: usize = 500;
const VALUES_MAX: usize = 10_000;
const DEPTH_MAX: usize = 50;

/// Gives a statement its meaning.
pub(super) fn convert(
    statement: Statement,
    attributes: &dyn Fn(&str) -> Option<SearchAttributeType>,
    options: Options,
) -> Result<Query, FilterError> {
    let mut converter = Converter {
        attributes,
        options,
        names: BTreeSet::new(),
        mentions_division: false,
    };
    let filter = match statement.condition {
        Some(condition) => converter.condition(condition, false)?,
        None => Expr::True,
    };
    let size = filter.size();
    if size.parts > PARTS_MAX || size.values > VALUES_MAX || size.depth > DEPTH_MAX {
        return Err(FilterError::NotSupported(format!(
            "a filter of more than {PARTS_MAX} conditions, {VALUES_MAX} values or {DEPTH_MAX} \
             levels"
        )));
    }
    let group_by = converter.group_by(statement.group_by)?;
    let order_by = converter.order_by(statement.order_by)?;
    Ok(Query {
        filter,
        group_by,
        order_by,
        mentions_division: converter.mentions_division,
        names: converter.names,
    })
}

struct Converter<'a> {
    attributes: &'a dyn Fn(&str) -> Option<SearchAttributeType>,
    options: Options,
    names: BTreeSet<String>,
    mentions_division: bool,
}

/// A field, and how the query calls it.
struct Named {
    field: Field,
    name: String,
}

impl Converter<'_> {
    /// `negated`: whether a NOT is somewhere above. See [`two_valued`].
    fn condition(&mut self, condition: Condition, negated: bool) -> Result<Expr, FilterError> {
        match condition {
            Condition::All(parts) => Ok(Expr::all(self.conditions(parts, negated)?)),
            Condition::Any(parts) => Ok(Expr::any(self.conditions(parts, negated)?)),
            Condition::Not(inner) => Ok(self.condition(*inner, true)?.negate_if(true)),
            Condition::Compare {
                left,
                operator,
                right,
            } => self.comparison(left, operator, right, negated),
            Condition::Between {
                left,
                negated,
                low,
                high,
            } => self.between(left, negated, low, high),
            Condition::Is {
                left,
                negated,
                is_null,
            } => {
                let Named { field, .. } = self.named(left)?;
                if !is_null {
                    return Err(invalid(
                        "'IS' operator can only be used as 'IS NULL' or 'IS NOT NULL'".to_owned(),
                    ));
                }
                Ok(Expr::IsNull(field).negate_if(negated))
            }
            Condition::Lone(Operand::Name(_)) => Err(invalid("incomplete expression".to_owned())),
            Condition::Lone(Operand::Function { .. }) => {
                Err(FilterError::NotSupported("function expression".to_owned()))
            }
            Condition::Lone(other) => {
                let kind = type_name(&other);
                Err(FilterError::NotSupported(format!(
                    "expression of type {kind}"
                )))
            }
        }
    }

    fn conditions(
        &mut self,
        parts: Vec<Condition>,
        negated: bool,
    ) -> Result<Vec<Expr>, FilterError> {
        parts
            .into_iter()
            .map(|part| self.condition(part, negated))
            .collect()
    }

    fn named(&mut self, operand: Operand) -> Result<Named, FilterError> {
        let Operand::Name(name) = operand else {
            let kind = type_name(&operand);
            return Err(invalid(format!("must be a column name but was {kind}")));
        };
        let field = resolve(&name, self.attributes, self.options.scope)?;
        self.mentions_division |= field == Field::System(SystemField::NamespaceDivision);
        self.names.insert(name.clone());
        Ok(Named { field, name })
    }

    fn comparison(
        &mut self,
        left: Operand,
        operator: Operator,
        right: Operand,
        negated: bool,
    ) -> Result<Expr, FilterError> {
        let named = self.named(left)?;
        let values = self.values(right, &named)?;
        check_operator(&named, operator)?;
        let Named { field, name } = named;
        match field.kind() {
            SearchAttributeType::KeywordList => {
                let values = values.into_iter().filter_map(text).collect();
                let holds = Expr::Contains {
                    field: field.clone(),
                    values,
                };
                Ok(two_valued(holds, field, operator, negated))
            }
            SearchAttributeType::Text => {
                let words = values.into_iter().filter_map(text);
                let words: Vec<String> = words
                    .flat_map(|text| text.split(' ').map(str::to_owned).collect::<Vec<_>>())
                    .filter(|word| !word.is_empty())
                    .collect();
                if words.is_empty() {
                    return Err(invalid(format!(
                        "no tokens found filtering on Text type search attribute {name}"
                    )));
                }
                let holds = Expr::AnyToken {
                    field: field.clone(),
                    tokens: words,
                };
                Ok(two_valued(holds, field, operator, negated))
            }
            _ if self.is_keyword_status(&field) => {
                let scope = self.options.scope;
                Ok(keyword_status(scope, field, operator, &values))
            }
            _ => single(field, operator, values),
        }
    }

    fn is_keyword_status(&self, field: &Field) -> bool {
        matches!(
            self.options.scope,
            Scope::Activities | Scope::NexusOperations
        ) && *field == Field::System(SystemField::ExecutionStatus)
    }

    fn between(
        &mut self,
        left: Operand,
        negated: bool,
        low: Operand,
        high: Operand,
    ) -> Result<Expr, FilterError> {
        let named = self.named(left)?;
        if matches!(
            named.field.kind(),
            SearchAttributeType::Text
                | SearchAttributeType::Bool
                | SearchAttributeType::KeywordList
        ) {
            return Err(invalid(format!(
                "cannot do range condition on search attribute '{}' of type {}",
                named.name,
                named.field.kind().name()
            )));
        }
        let low = self.one_value(low, &named)?;
        let high = self.one_value(high, &named)?;
        let field = named.field;
        if let (true, Value::Text(low), Value::Text(high)) =
            (self.is_keyword_status(&field), &low, &high)
        {
            let scope = self.options.scope;
            let values = keyword_statuses(scope, |name| **low <= *name && *name <= **high);
            return Ok(Expr::In { field, values }.negate_if(negated));
        }
        let within = if matches!((&low, &high), (Value::Int(_), Value::Int(_)))
            || field.kind() != SearchAttributeType::Int
        {
            Expr::Between { field, low, high }
        } else {
            let least = compare(field.clone(), CompareOp::Ge, low);
            Expr::all(vec![least, compare(field, CompareOp::Le, high)])
        };
        Ok(within.negate_if(negated))
    }

    /// The right side of a comparison: one value, or those of a list.
    fn values(&self, operand: Operand, named: &Named) -> Result<Vec<Value>, FilterError> {
        match operand {
            Operand::List(items) => items
                .into_iter()
                .map(|item| self.one_value(item, named))
                .collect(),
            one => Ok(vec![self.one_value(one, named)?]),
        }
    }

    fn one_value(&self, operand: Operand, named: &Named) -> Result<Value, FilterError> {
        match operand {
            Operand::Literal(literal) => self.literal(literal, named),
            Operand::Name(name) => Err(FilterError::NotSupported(format!(
                "column name on the right side of comparison expression (did you forget to quote \
                 {name:?}?)"
            ))),
            Operand::Unparsable(text) => Err(invalid(format!("unable to parse value {text:?}"))),
            Operand::Function { is_group_concat } => Err(FilterError::NotSupported(
                if is_group_concat {
                    "'group_concat'"
                } else {
                    "nested func"
                }
                .to_owned(),
            )),
            other => Err(invalid(format!(
                "unexpected value type {}",
                type_name(&other)
            ))),
        }
    }

    fn literal(&self, literal: Literal, named: &Named) -> Result<Value, FilterError> {
        if self.is_keyword_status(&named.field) {
            return typed(literal, named.field.kind(), &named.name);
        }
        value(literal, &named.field, &named.name)
    }

    fn group_by(&mut self, operands: Vec<Operand>) -> Result<Vec<Field>, FilterError> {
        let not_supported = |text| Err(FilterError::NotSupported(text));
        if operands.len() > 1 && !self.options.extended {
            return not_supported("'GROUP BY' clause supports only a single field".to_owned());
        }
        let mut fields = vec![];
        for operand in operands {
            let Named { field, name } = self.named(operand)?;
            let allowed = match &field {
                Field::System(SystemField::ExecutionStatus | SystemField::NamespaceDivision) => {
                    true
                }
                other => self.options.extended && is_single(other),
            };
            if !allowed {
                return not_supported(format!(
                    "'GROUP BY' clause is not supported for search attribute {name}"
                ));
            }
            fields.push(field);
        }
        Ok(fields)
    }

    fn order_by(&mut self, operands: Vec<(Operand, bool)>) -> Result<Vec<OrderBy>, FilterError> {
        let mut order = vec![];
        for (operand, descending) in operands {
            let Named { field, .. } = self.named(operand)?;
            if !is_single(&field) {
                let kind = field.kind().name();
                return Err(FilterError::NotSupported(format!(
                    "unable to sort by search attribute type {kind}"
                )));
            }
            order.push(OrderBy { field, descending });
        }
        if !order.is_empty() && !self.options.extended {
            return Err(FilterError::NotSupported("'ORDER BY' clause".to_owned()));
        }
        Ok(order)
    }
}

/// Whether a row has at most one value of it, which can be sorted.
fn is_single(field: &Field) -> bool {
    !matches!(
        field.kind(),
        SearchAttributeType::Text | SearchAttributeType::KeywordList
    )
}

fn text(value: Value) -> Option<String> {
    match value {
        Value::Text(text) => Some(text),
        _ => None,
    }
}

/// Checks that the field's type has the operator.
fn check_operator(named: &Named, operator: Operator) -> Result<(), FilterError> {
    let kind = named.field.kind();
    let allowed = match (kind, operator) {
        (_, Operator::Other(_)) => false,
        (_, Operator::Eq | Operator::Ne) => true,
        (SearchAttributeType::Text, _) => false,
        (_, Operator::In | Operator::NotIn) => true,
        (SearchAttributeType::KeywordList, _) => false,
        (kind, Operator::StartsWith | Operator::NotStartsWith) => {
            kind == SearchAttributeType::Keyword
        }
        (_, Operator::Lt | Operator::Le | Operator::Gt | Operator::Ge) => true,
    };
    if allowed {
        return Ok(());
    }
    Err(FilterError::NotSupported(format!(
        "operator '{}' not supported for {} type search attribute '{}'",
        operator.name(),
        kind.name(),
        named.name
    )))
}

/// Lists and texts are searched in an index: a row without a value simply is not in it. So what
/// asks for them is false for such a row, and its negation true, unlike all other comparisons.
fn two_valued(holds: Expr, field: Field, operator: Operator, negated: bool) -> Expr {
    let missing = Expr::IsNull(field);
    if matches!(operator, Operator::Ne | Operator::NotIn) {
        return Expr::Or(vec![missing, holds.negate_if(true)]);
    }
    // Where nothing negates it, "unknown" does as well as "false".
    if negated {
        Expr::And(vec![missing.negate_if(true), holds])
    } else {
        holds
    }
}

/// A comparison of a field with one value to a row.
fn single(field: Field, operator: Operator, values: Vec<Value>) -> Result<Expr, FilterError> {
    let op = match operator {
        Operator::Eq => CompareOp::Eq,
        Operator::Ne => CompareOp::Ne,
        Operator::Lt => CompareOp::Lt,
        Operator::Le => CompareOp::Le,
        Operator::Gt => CompareOp::Gt,
        Operator::Ge => CompareOp::Ge,
        Operator::In | Operator::NotIn => {
            return Ok(is_in(field, values).negate_if(operator == Operator::NotIn));
        }
        Operator::StartsWith | Operator::NotStartsWith => {
            return starts_with(field, operator, values);
        }
        Operator::Other(_) => return Ok(Expr::True),
    };
    // Only lists have more than one.
    let comparisons = values
        .into_iter()
        .map(|value| compare(field.clone(), op, value));
    Ok(Expr::all(comparisons.collect()))
}

fn is_in(field: Field, values: Vec<Value>) -> Expr {
    let integral = field.kind() == SearchAttributeType::Int;
    let fitting = |value: Value| match value {
        Value::Double(number) if integral => as_integer(number).map(Value::Int),
        other => Some(other),
    };
    Expr::In {
        field,
        values: values.into_iter().filter_map(fitting).collect(),
    }
}

fn starts_with(field: Field, operator: Operator, values: Vec<Value>) -> Result<Expr, FilterError> {
    let negated = operator == Operator::NotStartsWith;
    match values.into_iter().next() {
        Some(Value::Text(prefix)) => Ok(Expr::StartsWith { field, prefix }.negate_if(negated)),
        // The status: its value is a number by now.
        Some(Value::Int(number)) => {
            let name = i32::try_from(number).ok().and_then(status_name);
            Err(invalid(format!(
                "right-hand side of {:?} operator must be a literal string (got: {})",
                operator.name().to_lowercase(),
                name.unwrap_or_default()
            )))
        }
        _ => Ok(Expr::True),
    }
}

/// Compares; a field of integers with a fraction too, by the integers on either side of it.
fn compare(field: Field, op: CompareOp, value: Value) -> Expr {
    let number = match value {
        Value::Double(number) if field.kind() == SearchAttributeType::Int => number,
        value => return Expr::Compare { field, op, value },
    };
    if let Some(integer) = as_integer(number) {
        return Expr::Compare {
            field,
            op,
            value: Value::Int(integer),
        };
    }
    let none = Expr::In {
        field: field.clone(),
        values: vec![],
    };
    // No integer equals it. Those below it are up to its floor, if that is one.
    let (floor, above_all, below_all) = (
        number.floor(),
        number >= 2_f64.powi(63),
        number < -(2_f64.powi(63)),
    );
    match op {
        CompareOp::Eq => none,
        CompareOp::Ne => none.negate_if(true),
        CompareOp::Lt | CompareOp::Le if above_all => none.negate_if(true),
        CompareOp::Lt | CompareOp::Le if below_all => none,
        CompareOp::Gt | CompareOp::Ge if above_all => none,
        CompareOp::Gt | CompareOp::Ge if below_all => none.negate_if(true),
        CompareOp::Lt | CompareOp::Le => Expr::Compare {
            field,
            op: CompareOp::Le,
            value: Value::Int(floor as i64),
        },
        CompareOp::Gt | CompareOp::Ge => Expr::Compare {
            field,
            op: CompareOp::Gt,
            value: Value::Int(floor as i64),
        },
    }
}

/// The integer that a number is, if it is one of 64 bits.
fn as_integer(number: f64) -> Option<i64> {
    let fits = number.fract() == 0.0 && number >= -(2_f64.powi(63)) && number < 2_f64.powi(63);
    fits.then_some(number as i64)
}

/// In the scopes of standalone activities and operations the status is a keyword. There are few, so whatever is
/// asked of its name becomes a list of numbers.
fn keyword_status(scope: Scope, field: Field, operator: Operator, values: &[Value]) -> Expr {
    let texts: Vec<&str> = values
        .iter()
        .filter_map(|value| match value {
            Value::Text(text) => Some(text.as_str()),
            _ => None,
        })
        .collect();
    let any = |fits: fn(&str, &str) -> bool| {
        keyword_statuses(scope, |name| texts.iter().any(|text| fits(name, text)))
    };
    let (values, negated) = match operator {
        Operator::Eq | Operator::In => (any(|name, text| name == text), false),
        Operator::Ne | Operator::NotIn => (any(|name, text| name == text), true),
        Operator::Lt => (any(|name, text| name < text), false),
        Operator::Le => (any(|name, text| name <= text), false),
        Operator::Gt => (any(|name, text| name > text), false),
        Operator::Ge => (any(|name, text| name >= text), false),
        Operator::StartsWith => (any(|name, text| name.starts_with(text)), false),
        Operator::NotStartsWith => (any(|name, text| name.starts_with(text)), true),
        Operator::Other(_) => (vec![], false),
    };
    Expr::In { field, values }.negate_if(negated)
}

/// What the reference calls an expression that is out of place.
fn type_name(operand: &Operand) -> &'static str {
    match operand {
        Operand::Name(_) => "*sqlparser.ColName",
        Operand::Literal(Literal::Bool(_)) => "sqlparser.BoolVal",
        Operand::Literal(_) | Operand::Unparsable(_) => "*sqlparser.SQLVal",
        Operand::List(_) => "sqlparser.ValTuple",
        Operand::Function {
            is_group_concat: true,
        } => "*sqlparser.GroupConcatExpr",
        Operand::Function {
            is_group_concat: false,
        } => "*sqlparser.FuncExpr",
        Operand::Other(name) => name,
    }
}
