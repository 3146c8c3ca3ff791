//! The RPCs about standalone Nexus operations, one file each, and what they have in common: their checks, with the
//! wire's own texts.

pub(super) mod count_nexus_operation_executions;
pub(super) mod delete_nexus_operation_execution;
pub(super) mod describe_nexus_operation_execution;
pub(super) mod list_nexus_operation_executions;
pub(super) mod poll_nexus_operation_execution;
pub(super) mod request_cancel_nexus_operation_execution;
pub(super) mod start_nexus_operation_execution;
pub(super) mod terminate_nexus_operation_execution;

use engine::limits::Limits;
use uuid::Uuid;

use super::standalone_activity::length;
use super::validate;
use crate::error::WireError;

/// Bytes of free text.
const REASON_MAX: usize = 1000;

/// Which run of which operation a request is about; without a run the current one.
fn target(operation_id: &str, run_id: &str, limits: &Limits) -> Result<Option<Uuid>, WireError> {
    id(operation_id, limits)?;
    run(run_id)
}

/// As [`target`], for requests that change something and say who asks: the request's id is made up when the
/// caller gives none.
fn changed(
    operation_id: &str,
    run_id: &str,
    request_id: &mut String,
    (identity, reason): (&str, &str),
    limits: &Limits,
) -> Result<Option<Uuid>, WireError> {
    identified(request_id, limits)?;
    id(operation_id, limits)?;
    let run_id = run(run_id)?;
    length("identity", identity, limits)?;
    let given = reason.len();
    if given > REASON_MAX {
        return Err(WireError::invalid(format!(
            "reason exceeds length limit. Length={given} Limit={REASON_MAX}"
        )));
    }
    Ok(run_id)
}

fn identified(request_id: &mut String, limits: &Limits) -> Result<(), WireError> {
    if request_id.is_empty() {
        *request_id = Uuid::new_v4().to_string();
        return Ok(());
    }
    length("request_id", request_id, limits)
}

fn id(operation_id: &str, limits: &Limits) -> Result<(), WireError> {
    required("operation_id", operation_id)?;
    length("operation_id", operation_id, limits)
}

fn required(name: &str, text: &str) -> Result<(), WireError> {
    if text.is_empty() {
        return Err(WireError::invalid(format!("{name} is required")));
    }
    Ok(())
}

fn run(run_id: &str) -> Result<Option<Uuid>, WireError> {
    validate::run_id(run_id, "run_id is not a valid UUID")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn checks() {
        let limits = Limits::default();
        let long = "x".repeat(1001);
        let too_long = |name: &str| format!("{name} exceeds length limit. Length=1001 Limit=1000");
        let run = "run_id is not a valid UUID".to_owned();
        let given = Uuid::from_u128(7).to_string();
        for (operation_id, run_id, request_id, identity, reason, expected) in [
            ("o", given.as_str(), "", "", "", None),
            (
                "",
                "x",
                "",
                "",
                "",
                Some("operation_id is required".to_owned()),
            ),
            (
                long.as_str(),
                "x",
                "",
                "",
                "",
                Some(too_long("operation_id")),
            ),
            ("o", "x", "", "", "", Some(run)),
            ("", "", long.as_str(), "", "", Some(too_long("request_id"))),
            ("o", "", "r", long.as_str(), "", Some(too_long("identity"))),
            ("o", "", "r", "", long.as_str(), Some(too_long("reason"))),
        ] {
            let mut request_id = request_id.to_owned();
            let by = (identity, reason);
            let result = changed(operation_id, run_id, &mut request_id, by, &limits);
            assert_eq!(result.err().map(|error| error.message), expected);
            assert!(!request_id.is_empty());
        }
    }
}
