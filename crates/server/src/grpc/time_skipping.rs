//! Whether a run may skip time, and what a request for it leaves open. Off unless the server's settings say
//! otherwise, as with the reference.

use engine::limits::Limits;
use engine::time::duration;
use proto::temporal::api::common::v1::TimeSkippingConfig;

use crate::error::WireError;

const NO_ID: &str = "Time skipping config invalid: fast_forward_id must be set";

/// Refuses time skipping where it is off.
pub(super) fn check_enabled(limits: &Limits) -> Result<(), WireError> {
    if limits.time_skipping_enabled {
        return Ok(());
    }
    Err(WireError::unimplemented(
        "The Time-Skipping feature is not enabled for namespace.",
    ))
}

/// Checks a configuration, if there is one, and fills in how many skips are too many.
pub(super) fn check(
    config: Option<&mut TimeSkippingConfig>,
    limits: &Limits,
) -> Result<(), WireError> {
    let Some(config) = config else {
        return Ok(());
    };
    check_enabled(limits)?;
    if config.max_session_skip_count <= 0 {
        config.max_session_skip_count = limits.time_skips_per_session_max.max(1);
    }
    let Some(fast_forward) = &config.fast_forward_config else {
        return Ok(());
    };
    if duration(fast_forward.duration.as_ref()).is_zero() {
        return Err(WireError::invalid(
            "Time skipping config invalid: fast_forward duration must be positive",
        ));
    }
    check_id(&fast_forward.id)?;
    if !config.enabled {
        return Err(WireError::invalid(
            "time_skipping_config: cannot set fast_forward when enabled is false",
        ));
    }
    Ok(())
}

/// A fast-forward has an id.
pub(super) fn check_id(id: &str) -> Result<(), WireError> {
    match id.trim() {
        "" => Err(WireError::invalid(NO_ID)),
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use proto::temporal::api::common::v1::FastForwardConfig;

    use super::*;

    fn limits() -> Limits {
        Limits {
            time_skipping_enabled: true,
            ..Limits::default()
        }
    }

    fn config(enabled: bool, fast_forward: Option<(&str, i64)>) -> TimeSkippingConfig {
        TimeSkippingConfig {
            enabled,
            fast_forward_config: fast_forward.map(|(id, seconds)| FastForwardConfig {
                id: id.to_owned(),
                duration: Some(proto::Duration { seconds, nanos: 0 }),
            }),
            ..TimeSkippingConfig::default()
        }
    }

    #[test]
    fn what_is_sound() {
        let positive = "Time skipping config invalid: fast_forward duration must be positive";
        let disabled = "time_skipping_config: cannot set fast_forward when enabled is false";
        for (mut given, expected) in [
            (config(true, None), None),
            (config(false, None), None),
            (config(true, Some(("f", 1))), None),
            (config(true, Some(("f", 0))), Some(positive)),
            (config(true, Some(("f", -1))), Some(positive)),
            (config(true, Some((" ", 1))), Some(NO_ID)),
            (config(false, Some(("f", 1))), Some(disabled)),
        ] {
            let refusal = check(Some(&mut given), &limits()).err();
            assert_eq!(refusal.map(|error| error.message).as_deref(), expected);
        }
        let mut off = config(true, None);
        assert!(check(Some(&mut off), &Limits::default()).is_err());
        assert!(check(None, &Limits::default()).is_ok());
    }

    #[test]
    fn skips_are_limited() {
        let mut given = config(true, None);
        check(Some(&mut given), &limits()).expect("it is sound");
        assert_eq!(given.max_session_skip_count, 200);
        given.max_session_skip_count = 3;
        check(Some(&mut given), &limits()).expect("it is sound");
        assert_eq!(given.max_session_skip_count, 3);
    }
}
