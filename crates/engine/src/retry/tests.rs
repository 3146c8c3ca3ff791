use std::time::Duration;

use proto::temporal::api::common::v1::RetryPolicy;
use proto::temporal::api::enums::v1::{RetryState, TimeoutType};
use proto::temporal::api::failure::v1::failure::FailureInfo;
use proto::temporal::api::failure::v1::{
    ApplicationFailureInfo, CanceledFailureInfo, ChildWorkflowExecutionFailureInfo, Failure,
    ServerFailureInfo, TerminatedFailureInfo, TimeoutFailureInfo,
};

use super::timeouts::{ActivityTimeouts, DURATION_MAX, capped, normalise};
use super::*;

const SECOND: i64 = 1_000_000_000;

fn span(seconds: i64) -> Option<proto::Duration> {
    Some(proto::Duration { seconds, nanos: 0 })
}

fn with(info: FailureInfo) -> Failure {
    Failure {
        failure_info: Some(info),
        ..Failure::default()
    }
}

fn application(kind: &str, non_retryable: bool, delay: Option<proto::Duration>) -> Failure {
    with(FailureInfo::ApplicationFailureInfo(
        ApplicationFailureInfo {
            r#type: kind.to_owned(),
            non_retryable,
            next_retry_delay: delay,
            ..ApplicationFailureInfo::default()
        },
    ))
}

fn timeout(kind: TimeoutType) -> Failure {
    with(FailureInfo::TimeoutFailureInfo(TimeoutFailureInfo {
        timeout_type: kind.into(),
        ..TimeoutFailureInfo::default()
    }))
}

fn server(non_retryable: bool) -> Failure {
    with(FailureInfo::ServerFailureInfo(ServerFailureInfo {
        non_retryable,
    }))
}

#[test]
fn unset_fields_get_defaults() {
    assert_eq!(
        default_policy(),
        RetryPolicy {
            initial_interval: span(1),
            backoff_coefficient: 2.0,
            maximum_interval: span(100),
            maximum_attempts: 0,
            non_retryable_error_types: vec![],
        }
    );
    let given = RetryPolicy {
        initial_interval: span(3),
        maximum_attempts: 4,
        non_retryable_error_types: vec!["A".to_owned()],
        ..RetryPolicy::default()
    };
    let full = with_defaults(&given);
    assert_eq!(full.maximum_interval, span(300), "100 initial intervals");
    assert_eq!(full.backoff_coefficient, 2.0);
    assert_eq!(full.maximum_attempts, 4);
    let whole = RetryPolicy {
        initial_interval: span(3),
        maximum_interval: span(5),
        backoff_coefficient: 1.5,
        ..RetryPolicy::default()
    };
    assert_eq!(with_defaults(&whole), whole);
}

#[test]
fn policies_are_refused_with_exact_texts() {
    let types = |entry: &str| RetryPolicy {
        non_retryable_error_types: vec![entry.to_owned()],
        ..RetryPolicy::default()
    };
    let cases: Vec<(RetryPolicy, &str)> = vec![
        (RetryPolicy::default(), ""),
        (
            RetryPolicy {
                backoff_coefficient: 0.5,
                ..RetryPolicy::default()
            },
            "BackoffCoefficient cannot be less than 1 on retry policy.",
        ),
        (
            RetryPolicy {
                backoff_coefficient: f64::NAN,
                ..RetryPolicy::default()
            },
            "BackoffCoefficient cannot be less than 1 on retry policy.",
        ),
        (
            RetryPolicy {
                initial_interval: span(2),
                maximum_interval: span(1),
                ..RetryPolicy::default()
            },
            "MaximumInterval cannot be less than InitialInterval on retry policy.",
        ),
        (
            RetryPolicy {
                maximum_attempts: -1,
                ..RetryPolicy::default()
            },
            "MaximumAttempts cannot be negative on retry policy.",
        ),
        (
            RetryPolicy {
                initial_interval: span(-1),
                ..RetryPolicy::default()
            },
            "invalid InitialInterval set on retry policy: negative duration",
        ),
        (
            RetryPolicy {
                maximum_interval: span(-1),
                ..RetryPolicy::default()
            },
            "invalid MaximumInterval set on retry policy: negative duration",
        ),
        (
            RetryPolicy {
                maximum_interval: Some(proto::Duration {
                    seconds: 1,
                    nanos: -1,
                }),
                ..RetryPolicy::default()
            },
            "invalid MaximumInterval set on retry policy: \
             duration has seconds and nanos with different signs",
        ),
        (
            types("TemporalTimeout:Bogus"),
            "Invalid timeout type value: Bogus.",
        ),
        (types("TemporalTimeout:"), "Invalid timeout type value: ."),
        (
            types("TemporalTimeout:Unspecified"),
            "Invalid timeout type value: Unspecified.",
        ),
        (types("TemporalTimeout:StartToClose"), ""),
        (types("TemporalTimeout:TIMEOUT_TYPE_HEARTBEAT"), ""),
        (types("MyError"), ""),
        (
            RetryPolicy {
                maximum_attempts: 1,
                backoff_coefficient: 0.1,
                ..types("TemporalTimeout:x")
            },
            "",
        ),
    ];
    for (policy, expected) in cases {
        let text = completed(&policy).map_or_else(|error| error.to_string(), |_| String::new());
        assert_eq!(text, expected, "{policy:?}");
    }
}

#[test]
fn failures_that_permit_a_retry() {
    let cases = [
        (Failure::default(), vec![], true),
        (application("A", false, None), vec![], true),
        (application("A", true, None), vec![], false),
        (application("A", false, None), vec!["A"], false),
        (application("A", false, None), vec!["B"], true),
        (timeout(TimeoutType::StartToClose), vec![], true),
        (timeout(TimeoutType::Heartbeat), vec![], true),
        (
            timeout(TimeoutType::StartToClose),
            vec!["TemporalTimeout:StartToClose"],
            false,
        ),
        (
            timeout(TimeoutType::Heartbeat),
            vec!["TemporalTimeout:StartToClose"],
            true,
        ),
        (
            timeout(TimeoutType::Heartbeat),
            vec!["TemporalTimeout:Heartbeat"],
            false,
        ),
        (timeout(TimeoutType::ScheduleToStart), vec![], false),
        (timeout(TimeoutType::ScheduleToClose), vec![], false),
        (server(false), vec![], true),
        (server(true), vec![], false),
        (
            with(FailureInfo::CanceledFailureInfo(
                CanceledFailureInfo::default(),
            )),
            vec![],
            false,
        ),
        (
            with(FailureInfo::TerminatedFailureInfo(
                TerminatedFailureInfo::default(),
            )),
            vec![],
            false,
        ),
        (
            with(FailureInfo::ChildWorkflowExecutionFailureInfo(
                ChildWorkflowExecutionFailureInfo::default(),
            )),
            vec![],
            true,
        ),
    ];
    for (failure, types, expected) in cases {
        let types: Vec<String> = types.into_iter().map(str::to_owned).collect();
        assert_eq!(
            is_retryable(&failure, &types),
            expected,
            "{failure:?} {types:?}"
        );
    }
}

#[test]
fn intervals_grow_to_the_maximum() {
    let policy = default_policy();
    let seconds: Vec<u64> = (1..=9)
        .map(|n| next_interval(&policy, n, None).as_secs())
        .collect();
    assert_eq!(seconds, [1, 2, 4, 8, 16, 32, 64, 100, 100]);
    assert_eq!(
        next_interval(&policy, 100_000, None).as_secs(),
        100,
        "overflow uses the cap"
    );
    assert_eq!(
        next_interval(&policy, 0, None).as_secs(),
        1,
        "attempts count from 1"
    );
    assert_eq!(
        next_interval(&policy, 5, Some(Duration::from_secs(7))),
        Duration::from_secs(7)
    );
    assert_eq!(
        next_interval(&policy, 5, Some(Duration::from_secs(700))),
        Duration::from_secs(100)
    );
    let half = RetryPolicy {
        backoff_coefficient: 1.5,
        ..default_policy()
    };
    assert_eq!(next_interval(&half, 3, None), Duration::from_millis(2250));
}

fn attempt(policy: Option<&RetryPolicy>, attempt: i32) -> Attempt<'_> {
    Attempt {
        policy,
        attempt,
        cancel_requested: false,
        expires_at_ns: None,
    }
}

#[test]
fn activity_decisions_in_order() {
    let policy = RetryPolicy {
        maximum_attempts: 3,
        ..default_policy()
    };
    let fails = application("A", false, None);
    let canceled = |n| Attempt {
        cancel_requested: true,
        ..attempt(Some(&policy), n)
    };
    let until = |n, at| Attempt {
        expires_at_ns: Some(at),
        ..attempt(Some(&policy), n)
    };
    let retry = |seconds| Decision::Retry {
        after: Duration::from_secs(seconds),
    };
    let cases = [
        (
            attempt(None, 1),
            fails.clone(),
            Decision::NoRetry(RetryState::RetryPolicyNotSet),
        ),
        (
            Attempt {
                cancel_requested: true,
                ..attempt(None, 1)
            },
            fails.clone(),
            Decision::NoRetry(RetryState::RetryPolicyNotSet),
        ),
        (
            attempt(None, 1),
            timeout(TimeoutType::ScheduleToStart),
            Decision::NoRetry(RetryState::RetryPolicyNotSet),
        ),
        (
            canceled(3),
            timeout(TimeoutType::ScheduleToClose),
            Decision::NoRetry(RetryState::CancelRequested),
        ),
        (
            attempt(Some(&policy), 3),
            timeout(TimeoutType::ScheduleToStart),
            Decision::NoRetry(RetryState::Timeout),
        ),
        (
            attempt(Some(&policy), 1),
            timeout(TimeoutType::ScheduleToClose),
            Decision::NoRetry(RetryState::Timeout),
        ),
        (
            attempt(Some(&policy), 3),
            application("A", true, None),
            Decision::NoRetry(RetryState::NonRetryableFailure),
        ),
        (
            attempt(Some(&policy), 3),
            fails.clone(),
            Decision::NoRetry(RetryState::MaximumAttemptsReached),
        ),
        (
            until(3, 0),
            fails.clone(),
            Decision::NoRetry(RetryState::MaximumAttemptsReached),
        ),
        (until(2, 12 * SECOND), fails.clone(), retry(2)),
        (
            until(2, 12 * SECOND - 1),
            fails.clone(),
            Decision::NoRetry(RetryState::Timeout),
        ),
        (attempt(Some(&policy), 1), fails.clone(), retry(1)),
        (
            attempt(Some(&policy), 1),
            timeout(TimeoutType::Heartbeat),
            retry(1),
        ),
        // A requested delay replaces the interval and the cap, but not the expiration.
        (
            attempt(Some(&policy), 1),
            application("A", false, span(5000)),
            retry(5000),
        ),
        (
            attempt(Some(&policy), 1),
            application("A", false, span(0)),
            retry(0),
        ),
        (
            until(1, 12 * SECOND),
            application("A", false, span(5000)),
            Decision::NoRetry(RetryState::Timeout),
        ),
    ];
    for (subject, failure, expected) in cases {
        let got = decide_activity(subject, &failure, 10 * SECOND);
        assert_eq!(got, expected, "{subject:?} {failure:?}");
    }
    assert_eq!(retry(1).retry_state(), RetryState::InProgress);
    assert_eq!(
        Decision::NoRetry(RetryState::Timeout).retry_state(),
        RetryState::Timeout
    );
}

#[test]
fn a_workflow_keeps_the_cap_and_retries_its_run_timeout() {
    let policy = default_policy();
    let subject = attempt(Some(&policy), 1);
    let cases = [
        (application("A", false, span(5000)), 100),
        (application("A", false, span(5)), 5),
        (timeout(TimeoutType::StartToClose), 1),
    ];
    for (failure, seconds) in cases {
        let after = Duration::from_secs(seconds);
        assert_eq!(
            decide_workflow(subject, &failure, 0),
            Decision::Retry { after }
        );
    }
    assert_eq!(
        decide_workflow(attempt(None, 1), &Failure::default(), 0),
        Decision::NoRetry(RetryState::RetryPolicyNotSet)
    );
}

#[test]
fn timeouts_are_deduced_and_capped() {
    // Columns: schedule-to-close, schedule-to-start, start-to-close, heartbeat, run timeout.
    let cases: &[([u64; 5], [u64; 4])] = &[
        ([10, 0, 0, 0, 0], [10, 10, 10, 0]),
        ([10, 4, 5, 3, 0], [10, 4, 5, 3]),
        ([10, 40, 50, 3, 0], [10, 10, 10, 3]),
        ([0, 0, 5, 9, 0], [0, 0, 5, 5]),
        ([0, 0, 5, 0, 60], [60, 60, 5, 0]),
        ([0, 7, 5, 0, 60], [60, 7, 5, 0]),
        ([0, 70, 90, 80, 60], [60, 60, 60, 60]),
        ([100, 0, 0, 100, 60], [60, 60, 60, 60]),
    ];
    for (given, expected) in cases {
        let [close, start, run, heartbeat, limit] = given.map(Duration::from_secs);
        let timeouts = ActivityTimeouts {
            schedule_to_close: close,
            schedule_to_start: start,
            start_to_close: run,
            heartbeat,
        };
        let got = normalise(timeouts, limit, "a", "A").unwrap();
        let got = [
            got.schedule_to_close,
            got.schedule_to_start,
            got.start_to_close,
            got.heartbeat,
        ];
        assert_eq!(got.map(|span| span.as_secs()), *expected, "{given:?}");
    }
}

#[test]
fn timeouts_are_refused_with_exact_texts() {
    let missing = normalise(ActivityTimeouts::default(), Duration::ZERO, "a", "A").unwrap_err();
    assert_eq!(
        missing.to_string(),
        "a valid StartToCloseTimeout or ScheduleToCloseTimeout must be set on the activity. \
         ActivityId=a ActivityType=A"
    );
    let bad = span(-1);
    let texts = [
        ActivityTimeouts::from_wire(bad.as_ref(), None, None, None),
        ActivityTimeouts::from_wire(None, bad.as_ref(), bad.as_ref(), None),
        ActivityTimeouts::from_wire(None, None, bad.as_ref(), None),
        ActivityTimeouts::from_wire(None, None, None, bad.as_ref()),
    ]
    .map(|result| result.unwrap_err().to_string());
    assert_eq!(
        texts,
        [
            "invalid ScheduleToCloseTimeout: negative duration",
            "invalid ScheduleToStartTimeout: negative duration",
            "invalid StartToCloseTimeout: negative duration",
            "invalid HeartbeatTimeout: negative duration",
        ]
    );
}

#[test]
fn long_spans_are_capped() {
    assert_eq!(capped(span(i64::MAX).as_ref()), Ok(DURATION_MAX));
    assert_eq!(capped(None), Ok(Duration::ZERO));
    assert_eq!(DURATION_MAX.as_secs(), 3_153_600_000);
}
