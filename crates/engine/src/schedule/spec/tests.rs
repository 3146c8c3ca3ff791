//! The tables of `testdata/schedule`: what they say was observed on the reference.

use std::fmt::Write;

use proto::temporal::api::schedule::v1::{
    CalendarSpec, IntervalSpec, Range, ScheduleSpec, StructuredCalendarSpec,
};

use super::{Next, Spec};
use crate::time::Timestamp;

const SPEC: &str = include_str!("../../../testdata/schedule/spec.txt");
const JITTER: &str = include_str!("../../../testdata/schedule/jitter.txt");

fn time(text: &str) -> Timestamp {
    let time: jiff::Timestamp = text.parse().expect(text);
    Timestamp(i64::try_from(time.as_nanosecond()).expect(text))
}

fn span(text: &str) -> proto::Duration {
    let nanos = crate::cron::duration::parse(&format!("{text}s")).expect(text);
    proto::Duration {
        seconds: nanos / 1_000_000_000,
        nanos: (nanos % 1_000_000_000) as i32,
    }
}

fn shown(time: Timestamp) -> String {
    let time = jiff::Timestamp::from_nanosecond(time.0.into()).expect("in range");
    // The digits of a fraction come in threes, as in protobuf's JSON.
    match time.subsec_millisecond() {
        0 => time.to_string(),
        _ => format!("{time:.3}"),
    }
}

fn range(text: &str) -> Range {
    let (values, step) = text.split_once('/').unwrap_or((text, ""));
    let (start, end) = match values.starts_with('-') {
        true => (values, ""),
        false => values.split_once('-').unwrap_or((values, "")),
    };
    let number = |text: &str| match text {
        "" => 0,
        text => text.parse().expect(text),
    };
    Range {
        start: number(start),
        end: number(end),
        step: number(step),
    }
}

fn structured(fields: &str) -> StructuredCalendarSpec {
    let mut calendar = StructuredCalendarSpec::default();
    for field in fields.split_whitespace() {
        let (name, ranges) = field.split_once('=').expect(field);
        let ranges = ranges.split(',').map(range).collect();
        match name {
            "second" => calendar.second = ranges,
            "minute" => calendar.minute = ranges,
            "hour" => calendar.hour = ranges,
            "day_of_month" => calendar.day_of_month = ranges,
            "month" => calendar.month = ranges,
            "year" => calendar.year = ranges,
            "day_of_week" => calendar.day_of_week = ranges,
            _ => panic!("{field}"),
        }
    }
    calendar
}

fn calendar(fields: &str) -> CalendarSpec {
    let mut calendar = CalendarSpec::default();
    for field in fields.split_whitespace() {
        let (name, text) = field.split_once('=').expect(field);
        let text = text.to_owned();
        match name {
            "second" => calendar.second = text,
            "minute" => calendar.minute = text,
            "hour" => calendar.hour = text,
            "day_of_month" => calendar.day_of_month = text,
            "month" => calendar.month = text,
            "year" => calendar.year = text,
            "day_of_week" => calendar.day_of_week = text,
            _ => panic!("{field}"),
        }
    }
    calendar
}

fn add(spec: &mut ScheduleSpec, line: &str) {
    let (word, rest) = line.split_once(' ').unwrap_or((line, ""));
    match word {
        "differs" => {}
        "cron" => spec.cron_string.push(rest.to_owned()),
        "zone" => spec.timezone_name = rest.to_owned(),
        "calendar" => spec.calendar.push(calendar(rest)),
        "exclude" => spec.exclude_calendar.push(calendar(rest)),
        "structured" => spec.structured_calendar.push(structured(rest)),
        "start" => spec.start_time = Some(time(rest).to_proto()),
        "end" => spec.end_time = Some(time(rest).to_proto()),
        "interval" => {
            let (interval, phase) = rest.split_once(' ').unwrap_or((rest, ""));
            spec.interval.push(IntervalSpec {
                interval: Some(span(interval)),
                phase: (!phase.is_empty()).then(|| span(phase)),
            });
        }
        _ => panic!("{line}"),
    }
}

/// Every time after one and up to another.
fn times(spec: &Spec, seed: &str, after: Timestamp, until: Timestamp) -> Vec<Timestamp> {
    let mut times = Vec::new();
    let mut at = after;
    while times.len() < 1000 {
        at = match spec.next(seed, at, 10) {
            Next::Never => break,
            Next::At { actual, .. } if actual > until => break,
            Next::NotUntil(searched) if searched > until => break,
            Next::NotUntil(searched) => searched,
            Next::At { actual, .. } => {
                times.push(actual);
                actual
            }
        };
    }
    times
}

#[test]
fn table() {
    let mut wrong = String::new();
    let mut cases = 0;
    for case in SPEC.split("\nspec\n").skip(1) {
        let (lines, rest) = case.split_once("\n----\n").expect(case);
        let expected: Vec<&str> = rest.lines().take_while(|line| !line.is_empty()).collect();
        let (lines, range) = lines.rsplit_once('\n').expect(case);
        let [_, after, until] = range.split(' ').collect::<Vec<_>>()[..] else {
            panic!("{range}");
        };
        let mut spec = ScheduleSpec::default();
        lines.lines().for_each(|line| add(&mut spec, line));
        let got = match Spec::compile(&spec) {
            Err(error) => vec![format!("refused {error}")],
            Ok(spec) => {
                let times = times(&spec, &"x".repeat(40), time(after), time(until));
                times.into_iter().map(shown).collect()
            }
        };
        if got != expected {
            writeln!(wrong, "{lines}\n{range}\n got {got:?}\n not {expected:?}\n").expect("memory");
        }
        cases += 1;
    }
    assert!(wrong.is_empty(), "{wrong}");
    assert!(cases > 60);
}

#[test]
fn jitter_is_the_references_own() {
    let lines = JITTER.lines();
    for line in lines.filter(|line| !line.is_empty() && !line.starts_with('#')) {
        let words: Vec<&str> = line.split(' ').collect();
        let mut spec = ScheduleSpec {
            jitter: Some(span(words[1])),
            ..ScheduleSpec::default()
        };
        add(&mut spec, &format!("interval {}", words[2]));
        let spec = Spec::compile(&spec).expect(line);
        let after = time("2026-11-22T00:00:00Z");
        let times = times(&spec, words[0], after, Timestamp(i64::MAX));
        let times: Vec<_> = times.into_iter().map(shown).collect();
        let expected = &words[3..];
        assert_eq!(&times[..expected.len()], expected, "{line}");
    }
}

#[test]
fn what_is_compiled_compiles_to_itself() {
    let spec = ScheduleSpec {
        cron_string: vec!["CRON_TZ=Asia/Tokyo 0 9 * * mon-fri # work".to_owned()],
        ..ScheduleSpec::default()
    };
    let once = Spec::compile(&spec).expect("fine");
    let again = Spec::compile(once.canonical()).expect("fine");
    assert_eq!(once.canonical(), again.canonical());
    let shown = once.canonical();
    assert_eq!(shown.timezone_name, "Asia/Tokyo");
    assert_eq!(shown.structured_calendar[0].comment, "work");
    assert!(shown.cron_string.is_empty());
}

/// A search through excluded times can be taken up where it was given up: it finds the same.
#[test]
fn a_search_in_parts_finds_the_same() {
    let mut spec = ScheduleSpec::default();
    add(&mut spec, "interval 1");
    add(&mut spec, "exclude hour=0-22 minute=* second=*");
    let spec = Spec::compile(&spec).expect("fine");
    let after = time("2026-11-22T00:00:00Z");
    let Next::NotUntil(searched) = spec.next("", after, 1000) else {
        panic!("it is farther away");
    };
    assert_eq!(shown(searched), "2026-11-22T00:16:41Z");
    let first = time("2026-11-22T23:00:00Z");
    let found = Next::At {
        nominal: first,
        actual: first,
    };
    assert_eq!(spec.next("", after, 100_000), found);
    let mut at = after;
    loop {
        match spec.next("", at, 1000) {
            Next::NotUntil(searched) => at = searched,
            next => break assert_eq!(next, found),
        }
    }
}
