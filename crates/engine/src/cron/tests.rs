use std::time::Duration;

use super::{Cron, CronError, duration};

/// Nanoseconds since the epoch of a time such as `2012-07-09T14:45:00Z`.
fn at(text: &str) -> i64 {
    let time: jiff::Timestamp = text.parse().unwrap();
    i64::try_from(time.as_nanosecond()).unwrap()
}

/// Checks the first fire after a time; empty for never.
fn check(cases: &[(&str, &str, &str)]) {
    for (after, schedule, expected) in cases {
        let got = Cron::parse(schedule).unwrap().next_after(at(after));
        let expected = (!expected.is_empty()).then(|| at(expected));
        assert_eq!(got, expected, "{schedule} after {after}");
    }
}

#[test]
fn fields_lists_ranges_steps_and_names() {
    check(&[
        (
            "2012-07-09T14:45:00Z",
            "0/15 * * * *",
            "2012-07-09T15:00:00Z",
        ),
        (
            "2012-07-09T14:59:59.5Z",
            "0/15 * * * *",
            "2012-07-09T15:00:00Z",
        ),
        (
            "2012-07-09T15:00:00Z",
            "0/15 * * * *",
            "2012-07-09T15:15:00Z",
        ),
        (
            "2012-07-09T15:45:00Z",
            "20-35/15 * * * *",
            "2012-07-09T16:20:00Z",
        ),
        (
            "2012-07-09T23:46:00Z",
            "*/15 * * * *",
            "2012-07-10T00:00:00Z",
        ),
        (
            "2012-07-09T23:35:51Z",
            "20-35/15 1/2 */2 * *",
            "2012-07-11T01:20:00Z",
        ),
        (
            "2012-07-09T23:35:51Z",
            "20-35/15 * 9-20 Jul *",
            "2012-07-10T00:20:00Z",
        ),
        (
            "2012-07-09T23:35:00Z",
            "0 0 9 Apr-Oct ?",
            "2012-08-09T00:00:00Z",
        ),
        (
            "2012-07-09T23:35:00Z",
            "0 0 * feb MON",
            "2013-02-04T00:00:00Z",
        ),
        (
            "2012-07-09T23:35:00Z",
            "0 0 * Feb Mon/2",
            "2013-02-01T00:00:00Z",
        ),
        ("2012-12-31T23:59:45Z", "* * * * *", "2013-01-01T00:00:00Z"),
        (
            "2012-07-09T23:35:00Z",
            "0 0 29 Feb ?",
            "2016-02-29T00:00:00Z",
        ),
        (
            "2012-07-09T23:35:00Z",
            "0 0 1,,2 * *",
            "2012-08-01T00:00:00Z",
        ),
        (
            "2012-07-09T23:35:00Z",
            "30 08 15 * *",
            "2012-07-15T08:30:00Z",
        ),
        (
            "2012-07-09T23:35:00Z",
            "5,10-12,50/5 3 * * *",
            "2012-07-10T03:05:00Z",
        ),
    ]);
}

#[test]
fn day_of_month_and_day_of_week() {
    check(&[
        // Both restricted: either fits.
        (
            "2012-07-13T12:00:00Z",
            "0 0 20 * Sun",
            "2012-07-15T00:00:00Z",
        ),
        (
            "2012-07-15T12:00:00Z",
            "0 0 20 * Sun",
            "2012-07-20T00:00:00Z",
        ),
        // A star with a step is a restriction; one without, or with a step of one, is not.
        (
            "2012-07-11T12:00:00Z",
            "0 0 */10 * Sun",
            "2012-07-15T00:00:00Z",
        ),
        (
            "2012-07-11T12:00:00Z",
            "0 0 */1 * Sun",
            "2012-07-15T00:00:00Z",
        ),
        ("2012-07-13T12:00:00Z", "0 0 20 * *", "2012-07-20T00:00:00Z"),
        (
            "2012-07-13T12:00:00Z",
            "0 0 ? * Mon",
            "2012-07-16T00:00:00Z",
        ),
    ]);
}

#[test]
fn descriptors() {
    let after = "2012-07-09T15:04:05Z";
    check(&[
        (after, "@hourly", "2012-07-09T16:00:00Z"),
        (after, "@daily", "2012-07-10T00:00:00Z"),
        (after, "@midnight", "2012-07-10T00:00:00Z"),
        (after, "@weekly", "2012-07-15T00:00:00Z"),
        (after, "@monthly", "2012-08-01T00:00:00Z"),
        (after, "@yearly", "2013-01-01T00:00:00Z"),
        (after, "@annually", "2013-01-01T00:00:00Z"),
        (after, "TZ=Asia/Tokyo @daily", "2012-07-10T15:00:00Z"),
        (after, "@every 1h30m", "2012-07-09T16:34:05Z"),
        (
            "2012-07-09T15:04:05.7Z",
            "@every 10s",
            "2012-07-09T15:04:15Z",
        ),
        (after, "@every 1ms", "2012-07-09T15:04:06Z"),
        (after, "@every -1h", "2012-07-09T15:04:06Z"),
        (after, "@every 1.9s", "2012-07-09T15:04:06Z"),
    ]);
}

#[test]
fn clock_changes_in_new_york() {
    check(&[
        // Spring: 2 o'clock does not exist, and what is due then waits for the next day that fits.
        (
            "2012-03-11T00:00:00-05:00",
            "TZ=America/New_York 30 2 11 Mar ?",
            "2013-03-11T02:30:00-04:00",
        ),
        (
            "2012-03-11T00:00:00-05:00",
            "TZ=America/New_York 0 2 * * ?",
            "2012-03-12T02:00:00-04:00",
        ),
        (
            "2012-03-11T01:00:00-05:00",
            "CRON_TZ=America/New_York 0 * * * ?",
            "2012-03-11T03:00:00-04:00",
        ),
        (
            "2012-03-11T01:00:00-05:00",
            "CRON_TZ=America/New_York 0 1 * * ?",
            "2012-03-12T01:00:00-04:00",
        ),
        // Autumn: 1 o'clock comes twice, and so do its fires.
        (
            "2012-11-04T00:00:00-04:00",
            "TZ=America/New_York 0 1 * * ?",
            "2012-11-04T01:00:00-04:00",
        ),
        (
            "2012-11-04T01:00:00-04:00",
            "TZ=America/New_York 0 1 * * ?",
            "2012-11-04T01:00:00-05:00",
        ),
        (
            "2012-11-04T01:00:00-05:00",
            "TZ=America/New_York 0 1 * * ?",
            "2012-11-05T01:00:00-05:00",
        ),
        (
            "2012-11-04T01:45:00-04:00",
            "TZ=America/New_York 30 1 04 Nov ?",
            "2012-11-04T01:30:00-05:00",
        ),
        (
            "2012-11-04T00:00:00-04:00",
            "TZ=America/New_York 30 2 04 Nov ?",
            "2012-11-04T02:30:00-05:00",
        ),
        (
            "2012-11-04T00:00:00-04:00",
            "TZ=America/New_York 0 3 3 * ?",
            "2012-12-03T03:00:00-05:00",
        ),
        // Not restricted to the zone: intervals are real time.
        (
            "2012-11-04T01:00:00-04:00",
            "TZ=America/New_York @every 1h",
            "2012-11-04T01:00:00-05:00",
        ),
    ]);
}

#[test]
fn days_that_do_not_begin_at_midnight() {
    check(&[
        (
            "2018-10-17T05:00:00-04:00",
            "TZ=America/Sao_Paulo 0 9 10 * ?",
            "2018-11-10T06:00:00-05:00",
        ),
        (
            "2018-02-14T05:00:00-05:00",
            "TZ=America/Sao_Paulo 0 9 22 * ?",
            "2018-02-22T07:00:00-05:00",
        ),
        (
            "2018-11-01T00:00:00Z",
            "TZ=America/Sao_Paulo 0 9 4 11 ?",
            "2018-11-04T11:00:00Z",
        ),
        // East of Greenwich the day itself must not be lost.
        (
            "2018-03-20T00:00:00Z",
            "TZ=Asia/Beirut 0 5 25 3 *",
            "2018-03-25T02:00:00Z",
        ),
        // The first of a month.
        (
            "2017-09-15T00:00:00Z",
            "TZ=America/Asuncion 0 5 1 10 *",
            "2017-10-01T08:00:00Z",
        ),
    ]);
}

#[test]
fn what_is_no_schedule() {
    let invalid = [
        "",
        " ",
        "xyz",
        "60 * * * *",
        "* 24 * * *",
        "* * 0 * *",
        "* * 32 * *",
        "* * * 13 *",
        "* * * * 7",
        "* * * * XYZ",
        "* * * *",
        "* * * * * *",
        "*/0 * * * *",
        "5-1 * * * *",
        "1-2-3 * * * *",
        "1/2/3 * * * *",
        "-1 * * * *",
        "5- * * * *",
        "@every",
        "@every x",
        "@every  1h",
        "@Hourly",
        "@fortnightly",
        " @hourly",
        "TZ=Mars/Base * * * * *",
        "TZ=UTC",
        "1.5 * * * *",
    ];
    for text in invalid {
        assert_eq!(
            Cron::parse(text).map(|_| ()),
            Err(CronError::Invalid),
            "{text:?}"
        );
    }
    assert_eq!(CronError::Invalid.to_string(), "invalid CronSchedule.");
}

#[test]
fn what_never_fires() {
    let now = at("2012-07-09T23:35:00Z");
    for text in ["0 0 30 Feb ?", "0 0 31 Apr ?", "0 0 * , *"] {
        assert_eq!(Cron::parse(text).unwrap().next_after(now), None, "{text}");
        let refused = Cron::validate(text, now).map(|_| ()).unwrap_err();
        assert_eq!(
            refused.to_string(),
            "invalid CronSchedule, no time can be found to satisfy the schedule"
        );
    }
    assert!(Cron::validate("TZ=UTC 0 0 29 2 *", now).is_ok());
    assert_eq!(Cron::parse("* * * * *").unwrap().next_after(i64::MAX), None);
    assert_eq!(Cron::parse("@every 1h").unwrap().next_after(i64::MAX), None);
}

#[test]
fn the_wait_before_the_next_run() {
    // Schedule, execution time of the previous run, now, wait in seconds.
    let cases = [
        (
            "* * * * *",
            "2020-01-01T00:00:00Z",
            "2020-01-01T00:00:10Z",
            50,
        ),
        (
            "* * * * *",
            "2020-01-01T00:00:00Z",
            "2020-01-01T00:00:00Z",
            60,
        ),
        // Rounded up to whole seconds.
        (
            "* * * * *",
            "2020-01-01T00:00:00Z",
            "2020-01-01T00:00:10.3Z",
            50,
        ),
        // A fire just now counts, missed ones do not.
        (
            "* * * * *",
            "2020-01-01T00:00:00Z",
            "2020-01-01T00:03:00Z",
            0,
        ),
        (
            "* * * * *",
            "2020-01-01T00:00:00Z",
            "2020-01-01T00:03:00.1Z",
            60,
        ),
        (
            "0 * * * *",
            "2020-01-01T00:00:00Z",
            "2020-01-03T10:30:00Z",
            1800,
        ),
        // The previous run has not even begun.
        (
            "@hourly",
            "2020-01-01T05:00:00Z",
            "2020-01-01T04:59:30Z",
            30,
        ),
        // Intervals count from the previous run's time, not from now.
        (
            "@every 10s",
            "2020-01-01T00:00:00Z",
            "2020-01-01T00:00:03Z",
            7,
        ),
        (
            "@every 10s",
            "2020-01-01T00:00:00Z",
            "2020-01-01T00:00:25Z",
            5,
        ),
        (
            "@every 10s",
            "2020-01-01T00:00:00Z",
            "2020-01-01T00:00:30Z",
            0,
        ),
        (
            "@every 10s",
            "2020-01-01T00:00:00.9Z",
            "2020-01-01T00:00:30.1Z",
            10,
        ),
        (
            "@every 1s",
            "1990-01-01T00:00:00Z",
            "2020-01-01T00:00:30Z",
            0,
        ),
    ];
    for (schedule, previous, now, seconds) in cases {
        let got = Cron::parse(schedule)
            .unwrap()
            .backoff(at(previous), at(now));
        assert_eq!(
            got,
            Some(Duration::from_secs(seconds)),
            "{schedule} {previous} {now}"
        );
    }
    let never = Cron::parse("0 0 30 2 *").unwrap();
    assert_eq!(
        never.backoff(at("2020-01-01T00:00:00Z"), at("2020-01-01T00:00:00Z")),
        None
    );
}

#[test]
fn fires_only_move_on() {
    let zones = [
        "UTC",
        "America/New_York",
        "America/Sao_Paulo",
        "Asia/Beirut",
        "Asia/Kathmandu",
    ];
    for zone in zones {
        let cron = Cron::parse(&format!("TZ={zone} 17 */5 * * *")).unwrap();
        let mut last = at("2018-01-01T00:00:00Z");
        for _ in 0..2000 {
            let next = cron.next_after(last).unwrap();
            assert!(next > last, "{zone}");
            assert_eq!(cron.next_after(next - 1), Some(next), "{zone}");
            last = next;
        }
    }
}

#[test]
fn spans_in_the_notation_of_go() {
    let cases = [
        ("0", Some(0)),
        ("1h30m", Some(5_400_000_000_000)),
        ("-1.5h", Some(-5_400_000_000_000)),
        ("+2m", Some(120_000_000_000)),
        ("300ms", Some(300_000_000)),
        ("1us2µs3μs4ns", Some(6_004)),
        (".5s", Some(500_000_000)),
        ("1.s", Some(1_000_000_000)),
        ("0.1234567891s", Some(123_456_789)),
        ("1.0000000000000000000000001h", Some(3_600_000_000_000)),
        ("0000000000000000000000001s", Some(1_000_000_000)),
        ("9223372036854775807ns", Some(i64::MAX)),
        ("9223372036854775808ns", None),
        ("99999999999999999999999h", None),
        ("", None),
        ("-", None),
        (".s", None),
        ("1", None),
        ("1.5", None),
        ("s", None),
        ("1x", None),
        ("1d", None),
        ("1 h", None),
        ("1.2.3s", None),
        ("--1s", None),
        ("1h-1m", None),
        ("é", None),
    ];
    for (text, expected) in cases {
        assert_eq!(duration::parse(text), expected, "{text:?}");
    }
    let day = 86_400_000_000_000;
    assert_eq!(
        duration::parse_with_days("1.5d2h"),
        Some(day * 3 / 2 + day / 12)
    );
    assert_eq!(duration::parse_with_days("10d"), Some(10 * day));
    assert_eq!(duration::parse_with_days("1w"), None);
}
