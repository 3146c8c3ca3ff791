//! Lists and counts: filters evaluated row by row, with SQL's logic of three values.

use std::cmp::Ordering;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use uuid::Uuid;

use super::{Execution, Listing, Tables};
use crate::cursor::Cursor;
use crate::error::StoreError;
use crate::filter::{
    AttributeType, Column, Comparison, Filter, Order, OrderBy, Value, ties_descend, words,
};
use crate::model::{AttributeValue, Page};

/// The search attributes of one row, ready to be looked at.
#[derive(Default)]
pub(super) struct Attributes(BTreeMap<Arc<str>, (AttributeType, Stored)>);

enum Stored {
    One(Value),
    /// Words or keywords.
    Many(BTreeSet<String>),
}

impl Attributes {
    pub(super) fn new(attributes: Vec<(Arc<str>, AttributeValue)>) -> Self {
        let stored = attributes.into_iter().filter_map(|(name, value)| {
            let attribute_type = value.attribute_type();
            let stored = match value {
                AttributeValue::Keyword(value) => Stored::One(Value::Text(value)),
                AttributeValue::Text(text) => Stored::Many(words(&text).collect()),
                AttributeValue::Int(value) | AttributeValue::Datetime(value) => {
                    Stored::One(Value::Int(value))
                }
                AttributeValue::Double(value) if value.is_nan() => return None,
                // Adding 0 makes one zero of the two.
                AttributeValue::Double(value) => Stored::One(Value::Double(value + 0.0)),
                AttributeValue::Bool(value) => Stored::One(Value::Bool(value)),
                AttributeValue::KeywordList(values) if values.is_empty() => return None,
                AttributeValue::KeywordList(values) => Stored::Many(values.into_iter().collect()),
            };
            Some((name, (attribute_type, stored)))
        });
        Self(stored.collect())
    }

    fn get(&self, name: &str, attribute_type: AttributeType) -> Option<&Stored> {
        let (stored_type, stored) = self.0.get(name)?;
        (*stored_type == attribute_type).then_some(stored)
    }
}

impl Tables {
    /// The executions of a namespace, ascending in the default order, those before `end`.
    fn namespace(
        &self,
        namespace: Uuid,
        end: Option<Listing>,
    ) -> impl DoubleEndedIterator<Item = &Execution> {
        let start = Listing::least(namespace);
        let end = end.or_else(|| {
            Some(Listing::least(Uuid::from_u128(
                namespace.as_u128().checked_add(1)?,
            )))
        });
        let listings = match end {
            Some(end) => self.listing.range(start..end),
            None => self.listing.range(start..),
        };
        listings.filter_map(|listing| self.executions.get(&listing.run_id))
    }

    pub(super) fn list(
        &self,
        namespace: Uuid,
        filter: &Filter,
        order: &[OrderBy],
        after: Option<&[u8]>,
        limit: usize,
    ) -> Result<Page, StoreError> {
        filter.check()?;
        let order = Order::new(order)?;
        let after = after
            .map(|bytes| Cursor::decode(bytes, &order))
            .transpose()?;
        let see = Sight::new(filter);
        // In the default order, the listing ends where the last page did.
        let behind = |cursor: &Cursor| {
            order.is_default
                || after
                    .as_ref()
                    .is_none_or(|after| compare(cursor, after, &order.by).is_gt())
        };
        let end = after
            .as_ref()
            .filter(|_| order.is_default)
            .and_then(|after| Listing::at(namespace, after));
        let matching = self
            .namespace(namespace, end)
            .rev()
            .filter(|execution| see.passes(execution));
        let mut found = matching
            .map(|execution| (sort_key(execution, &order.by), execution))
            .filter(|(cursor, _)| behind(cursor));
        let limit = limit.max(1);
        // One more than asked for tells whether there is a next page.
        let mut found: Vec<_> = if order.is_default {
            found.by_ref().take(limit + 1).collect()
        } else {
            let mut found: Vec<_> = found.collect();
            found.sort_by(|(a, _), (b, _)| compare(a, b, &order.by));
            found
        };
        let more = found.len() > limit;
        found.truncate(limit);
        let next = found
            .last()
            .filter(|_| more)
            .map(|(cursor, _)| cursor.encode(&order));
        let row =
            |(_, execution): (Cursor, &Execution)| (execution.key.clone(), execution.row.clone());
        Ok(Page {
            rows: found.into_iter().map(row).collect(),
            next,
        })
    }

    pub(super) fn count(
        &self,
        namespace: Uuid,
        filter: &Filter,
        group_by: &[Column],
    ) -> Result<Vec<(Vec<Value>, u64)>, StoreError> {
        filter.check()?;
        group_by.iter().try_for_each(Column::check_single)?;
        let see = Sight::new(filter);
        let matching = self
            .namespace(namespace, None)
            .filter(|execution| see.passes(execution));
        let mut groups: Vec<Vec<Value>> = matching
            .map(|execution| values(execution, group_by.iter()))
            .collect();
        if group_by.is_empty() {
            return Ok(vec![(Vec::new(), groups.len() as u64)]);
        }
        let ascending = |a: &Vec<Value>, b: &Vec<Value>| {
            a.iter()
                .zip(b)
                .map(|(a, b)| order_values(a, b, false))
                .find(|o| o.is_ne())
                .unwrap_or(Ordering::Equal)
        };
        groups.sort_by(ascending);
        let mut counts: Vec<(Vec<Value>, u64)> = Vec::new();
        for group in groups {
            match counts.last_mut() {
                Some((last, count)) if ascending(last, &group).is_eq() => *count += 1,
                _ => counts.push((group, 1)),
            }
        }
        Ok(counts)
    }
}

impl Listing {
    fn least(namespace: Uuid) -> Self {
        let (close_time, start_time) = (i64::MIN, i64::MIN);
        Self {
            namespace,
            open: false,
            close_time,
            start_time,
            run_id: Uuid::nil(),
        }
    }

    /// The place of a cursor of the default order.
    fn at(namespace: Uuid, cursor: &Cursor) -> Option<Self> {
        let [close_time, Value::Int(start_time)] = &cursor.values[..] else {
            return None;
        };
        let (open, close_time) = match close_time {
            Value::Int(close_time) => (false, *close_time),
            _ => (true, 0),
        };
        Some(Self {
            namespace,
            open,
            close_time,
            start_time: *start_time,
            run_id: cursor.run_id,
        })
    }
}

fn values<'a>(execution: &Execution, columns: impl Iterator<Item = &'a Column>) -> Vec<Value> {
    columns
        .map(|column| value(execution, column).unwrap_or(Value::Null))
        .collect()
}

fn sort_key(execution: &Execution, order: &[OrderBy]) -> Cursor {
    let values = values(execution, order.iter().map(|by| &by.column));
    Cursor {
        values,
        run_id: execution.key.run_id,
    }
}

/// The order of two rows in a list.
fn compare(a: &Cursor, b: &Cursor, order: &[OrderBy]) -> Ordering {
    let columns = order
        .iter()
        .zip(a.values.iter().zip(&b.values))
        .map(|(by, (a, b))| order_values(a, b, by.descending));
    let tie = a.run_id.cmp(&b.run_id);
    let tie = if ties_descend(order) {
        tie.reverse()
    } else {
        tie
    };
    columns
        .chain([tie])
        .find(|o| o.is_ne())
        .unwrap_or(Ordering::Equal)
}

/// A missing value last, whatever the direction.
fn order_values(a: &Value, b: &Value, descending: bool) -> Ordering {
    match (a, b) {
        (Value::Null, Value::Null) => Ordering::Equal,
        (Value::Null, _) => Ordering::Greater,
        (_, Value::Null) => Ordering::Less,
        // Values of one column are of one type, so they do compare.
        _ => {
            let ascending = compare_values(a, b).unwrap_or(Ordering::Equal);
            if descending {
                ascending.reverse()
            } else {
                ascending
            }
        }
    }
}

#[expect(
    clippy::cast_precision_loss,
    reason = "integers compare with doubles as doubles"
)]
fn compare_values(a: &Value, b: &Value) -> Option<Ordering> {
    match (a, b) {
        (Value::Bool(a), Value::Bool(b)) => Some(a.cmp(b)),
        (Value::Int(a), Value::Int(b)) => Some(a.cmp(b)),
        (Value::Double(a), Value::Double(b)) => a.partial_cmp(b),
        (Value::Double(a), Value::Int(b)) => a.partial_cmp(&(*b as f64)),
        (Value::Text(a), Value::Text(b)) => Some(a.cmp(b)),
        (Value::Uuid(a), Value::Uuid(b)) => Some(a.cmp(b)),
        (Value::Uuid(a), Value::Text(b)) => Some(a.to_string().as_str().cmp(b)),
        _ => None,
    }
}

fn value(execution: &Execution, column: &Column) -> Option<Value> {
    let (key, row) = (&execution.key, &execution.row);
    let text = |text: &str| Some(Value::Text(text.to_owned()));
    match column {
        Column::WorkflowId => text(&key.workflow_id),
        Column::RunId => Some(Value::Uuid(key.run_id)),
        Column::WorkflowType => text(&row.workflow_type),
        Column::Status => Some(Value::Int(row.status.into())),
        Column::TaskQueue => text(&row.task_queue),
        Column::StartTime => Some(Value::Int(row.start_time)),
        Column::ExecutionTime => Some(Value::Int(row.execution_time)),
        Column::CloseTime => row.close_time.map(Value::Int),
        Column::HistoryLength => Some(Value::Int(row.history_length)),
        Column::HistorySize => Some(Value::Int(row.history_size)),
        Column::StateTransitionCount => Some(Value::Int(row.state_transition_count)),
        Column::ExecutionDuration => row
            .close_time
            .map(|close| Value::Int(close.saturating_sub(row.execution_time).max(0))),
        Column::ParentWorkflowId => row.parent.as_ref().and_then(|(id, _)| text(id)),
        Column::ParentRunId => row.parent.as_ref().map(|(_, run_id)| Value::Uuid(*run_id)),
        Column::RootWorkflowId => text(&row.root.0),
        Column::RootRunId => Some(Value::Uuid(row.root.1)),
        Column::Division => row.division.as_deref().and_then(text),
        Column::Attribute(name, attribute_type) => {
            match execution.attributes.get(name, *attribute_type)? {
                Stored::One(value) => Some(value.clone()),
                Stored::Many(_) => None,
            }
        }
    }
}

fn many<'a>(execution: &'a Execution, column: &Column) -> Option<&'a BTreeSet<String>> {
    let Column::Attribute(name, attribute_type) = column else {
        return None;
    };
    match execution.attributes.get(name, *attribute_type)? {
        Stored::One(_) => None,
        Stored::Many(values) => Some(values),
    }
}

/// What a query may see.
struct Sight<'a> {
    filter: &'a Filter,
    divisions: bool,
}

impl<'a> Sight<'a> {
    fn new(filter: &'a Filter) -> Self {
        Self {
            filter,
            divisions: filter.names_division(),
        }
    }

    fn passes(&self, execution: &Execution) -> bool {
        (self.divisions || execution.row.division.is_none())
            && holds(execution, self.filter) == Some(true)
    }
}

/// Whether the filter is true, false or (`None`) neither for this row.
fn holds(execution: &Execution, filter: &Filter) -> Option<bool> {
    match filter {
        Filter::True => Some(true),
        Filter::And(parts) => all(parts.iter().map(|part| holds(execution, part))),
        Filter::Or(parts) => not(all(parts.iter().map(|part| not(holds(execution, part))))),
        Filter::Not(part) => not(holds(execution, part)),
        Filter::Compare {
            column,
            op,
            value: right,
        } => {
            let ordering = compare_values(&value(execution, column)?, right)?;
            Some(match op {
                Comparison::Eq => ordering.is_eq(),
                Comparison::Ne => ordering.is_ne(),
                Comparison::Lt => ordering.is_lt(),
                Comparison::Le => ordering.is_le(),
                Comparison::Gt => ordering.is_gt(),
                Comparison::Ge => ordering.is_ge(),
            })
        }
        Filter::In { column, values } => match many(execution, column) {
            Some(set) => Some(
                values
                    .iter()
                    .any(|value| matches!(value, Value::Text(keyword) if set.contains(keyword))),
            ),
            None => {
                let left = value(execution, column)?;
                Some(
                    values
                        .iter()
                        .any(|right| compare_values(&left, right) == Some(Ordering::Equal)),
                )
            }
        },
        Filter::Between { column, low, high } => {
            let value = value(execution, column)?;
            Some(compare_values(&value, low)?.is_ge() && compare_values(&value, high)?.is_le())
        }
        Filter::IsNull(column) => {
            Some(many(execution, column).is_none() && value(execution, column).is_none())
        }
        Filter::StartsWith { column, prefix } => match value(execution, column)? {
            Value::Text(text) => Some(text.starts_with(prefix)),
            Value::Uuid(run_id) => Some(run_id.to_string().starts_with(prefix)),
            _ => None,
        },
        Filter::AnyToken { column, tokens } => {
            let set = many(execution, column)?;
            Some(
                tokens
                    .iter()
                    .flat_map(|token| words(token))
                    .any(|word| set.contains(&word)),
            )
        }
        Filter::Contains { column, value } => Some(many(execution, column)?.contains(value)),
    }
}

fn not(truth: Option<bool>) -> Option<bool> {
    truth.map(|truth| !truth)
}

fn all(mut truths: impl Iterator<Item = Option<bool>>) -> Option<bool> {
    truths
        .try_fold(Some(true), |sum, truth| match truth {
            Some(false) => Err(()),
            Some(true) => Ok(sum),
            None => Ok(None),
        })
        .unwrap_or(Some(false))
}
