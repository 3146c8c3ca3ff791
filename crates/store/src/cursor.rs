//! Page cursors: the sort key of the last row of a page, so that the next page begins behind it
//! whatever was written in between. (An offset would skip and repeat rows.)

use uuid::Uuid;

use crate::error::StoreError;
use crate::filter::{Kind, Order, Value};

const VERSION: u8 = 2;

/// Where a page ended.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Cursor {
    /// One value for each column of the order.
    pub(crate) values: Vec<Value>,
    /// The run, which breaks ties.
    pub(crate) run_id: Uuid,
}

impl Cursor {
    /// The cursor for clients. It holds on to its order: in another it means nothing.
    pub(crate) fn encode(&self, order: &Order) -> Vec<u8> {
        let mut out = vec![VERSION];
        out.extend_from_slice(&fingerprint(order));
        out.extend_from_slice(self.run_id.as_bytes());
        for value in &self.values {
            match value {
                Value::Null => out.push(0),
                Value::Bool(value) => out.extend_from_slice(&[1, u8::from(*value)]),
                Value::Int(value) => put(&mut out, 2, &value.to_be_bytes()),
                Value::Double(value) => put(&mut out, 3, &value.to_be_bytes()),
                Value::Text(value) => {
                    put(&mut out, 4, &(value.len() as u64).to_be_bytes());
                    out.extend_from_slice(value.as_bytes());
                }
                Value::Uuid(value) => put(&mut out, 5, value.as_bytes()),
            }
        }
        out
    }

    /// Reads a cursor for this order; anything else that a client may send is refused.
    pub(crate) fn decode(bytes: &[u8], order: &Order) -> Result<Self, StoreError> {
        parse(bytes, order).ok_or(StoreError::InvalidCursor)
    }
}

/// Tells orders apart (FNV-1a over how they are written).
fn fingerprint(order: &Order) -> [u8; 4] {
    let hash = format!("{order:?}")
        .bytes()
        .fold(0x811C_9DC5, |hash: u32, byte| {
            (hash ^ u32::from(byte)).wrapping_mul(0x0100_0193)
        });
    hash.to_be_bytes()
}

fn put(out: &mut Vec<u8>, tag: u8, bytes: &[u8]) {
    out.push(tag);
    out.extend_from_slice(bytes);
}

fn parse(bytes: &[u8], order: &Order) -> Option<Cursor> {
    let rest = &mut &bytes[..];
    let [VERSION] = take::<1>(rest)? else {
        return None;
    };
    if take(rest)? != fingerprint(order) {
        return None;
    }
    let run_id = Uuid::from_bytes(take(rest)?);
    let values = order
        .by
        .iter()
        .map(|by| parse_value(rest, by.column.kind()))
        .collect::<Option<Vec<_>>>()?;
    rest.is_empty().then_some(Cursor { values, run_id })
}

fn parse_value(rest: &mut &[u8], kind: Kind) -> Option<Value> {
    let [tag] = take::<1>(rest)?;
    match (tag, kind) {
        (0, _) => Some(Value::Null),
        (1, Kind::Bool) => Some(Value::Bool(take::<1>(rest)? != [0])),
        (2, Kind::Int) => Some(Value::Int(i64::from_be_bytes(take(rest)?))),
        (3, Kind::Double) => {
            let number = f64::from_be_bytes(take(rest)?);
            (!number.is_nan()).then_some(Value::Double(number))
        }
        (4, Kind::Text) => {
            let length = usize::try_from(u64::from_be_bytes(take(rest)?)).ok()?;
            let (text, after) = rest.split_at_checked(length)?;
            *rest = after;
            Some(Value::Text(String::from_utf8(text.to_vec()).ok()?))
        }
        (5, Kind::Uuid) => Some(Value::Uuid(Uuid::from_bytes(take(rest)?))),
        _ => None,
    }
}

fn take<const N: usize>(rest: &mut &[u8]) -> Option<[u8; N]> {
    let (head, after) = rest.split_first_chunk::<N>()?;
    *rest = after;
    Some(*head)
}
