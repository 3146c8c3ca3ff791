//! The outcome of a run, as text and as JSON.

use std::collections::BTreeMap;
use std::fmt::Write;

use serde::Serialize;

use crate::ledger::Findings;
use crate::meter::Phase;

/// The outcome of a run.
#[derive(Debug, Clone, Serialize)]
pub(crate) struct Report {
    /// The scenario's name.
    pub(crate) scenario: &'static str,
    /// How much was in flight at once.
    pub(crate) concurrency: usize,
    /// What was measured.
    pub(crate) phases: Vec<Phase>,
    /// Wrong, lost and doubled results. A healthy server has none.
    pub(crate) anomaly_count: u64,
    /// The first of them.
    pub(crate) anomalies: Vec<String>,
    /// Calls that failed in the worker (a retried task, a timeout), by method and code.
    pub(crate) worker_errors: BTreeMap<String, u64>,
    /// Calls that the server refused for the time being, and that were made again.
    pub(crate) retried_calls: u64,
}

impl Report {
    /// A report of `phases`.
    pub(crate) fn new(
        scenario: &'static str,
        concurrency: usize,
        phases: Vec<Phase>,
        findings: Findings,
        retried_calls: u64,
    ) -> Self {
        let Findings {
            anomaly_count,
            anomalies,
            worker_errors,
        } = findings;
        Self {
            scenario,
            concurrency,
            phases,
            anomaly_count,
            anomalies,
            worker_errors,
            retried_calls,
        }
    }

    /// Whether every result was right.
    pub(crate) fn is_clean(&self) -> bool {
        self.anomaly_count == 0
    }

    /// As one JSON object.
    pub(crate) fn json(&self) -> String {
        // All keys are strings, so this cannot fail.
        serde_json::to_string_pretty(self).unwrap_or_default()
    }

    /// As a text for people.
    pub(crate) fn text(&self) -> String {
        let mut text = format!("{} (concurrency {})\n", self.scenario, self.concurrency);
        for phase in &self.phases {
            text += &phase_text(phase);
        }
        for (error, count) in &self.worker_errors {
            // Writing to a string cannot fail.
            let _ = writeln!(text, "  worker error: {error}: {count}");
        }
        if self.retried_calls > 0 {
            let _ = writeln!(text, "  retried calls: {}", self.retried_calls);
        }
        let _ = write!(text, "  anomalies: {}", self.anomaly_count);
        for anomaly in &self.anomalies {
            let _ = write!(text, "\n    {anomaly}");
        }
        text
    }
}

fn phase_text(phase: &Phase) -> String {
    let Phase {
        name,
        unit,
        count,
        seconds,
        per_second,
        ..
    } = phase;
    let units = plural(unit);
    let mut text = format!("  {name}: {count} {units} in {seconds:.2} s");
    if *unit != "second" {
        let _ = write!(text, ": {per_second:.1} {units}/s");
    }
    text.push('\n');
    if let Some(p) = phase.latency {
        let (p50, p90, p99, max) = (p.p50_ms, p.p90_ms, p.p99_ms, p.max_ms);
        let _ = writeln!(
            text,
            "    latency: p50 {p50:.1} ms, p90 {p90:.1} ms, p99 {p99:.1} ms, max {max:.1} ms"
        );
    }
    let _ = writeln!(
        text,
        "    client: {:.1} calls and {:.3} ms CPU for each {unit}",
        phase.calls_each, phase.client_cpu_ms_each
    );
    if let Some(s) = phase.server {
        let _ = writeln!(
            text,
            "    server: {:.3} ms CPU and {:.0} bytes to disk for each {unit} ({:.0} in write \
             calls); CPU {} ms; memory {:.1} -> {:.1} MiB, peak {:.1} MiB",
            s.cpu_ms_each,
            s.disk_bytes_each,
            s.write_call_bytes_each,
            s.cpu_ms,
            s.rss_before_mib,
            s.rss_mib,
            s.peak_mib
        );
    }
    text
}

fn plural(unit: &str) -> String {
    unit.strip_suffix('y')
        .map_or_else(|| format!("{unit}s"), |stem| format!("{stem}ies"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn report(findings: Findings) -> Report {
        let phase = Phase {
            name: String::from("ask"),
            unit: "query",
            count: 3,
            seconds: 2.0,
            per_second: 1.5,
            calls_each: 3.0,
            client_cpu_ms_each: 0.0,
            latency: None,
            server: None,
        };
        Report::new("query", 1, vec![phase], findings, 0)
    }

    #[test]
    fn the_text_tells_the_rate_and_the_anomalies() {
        let findings = Findings {
            anomaly_count: 1,
            anomalies: vec![String::from("wf-1: lost")],
            ..Findings::default()
        };
        let report = report(findings);
        let text = report.text();
        assert!(
            text.contains("ask: 3 queries in 2.00 s: 1.5 queries/s"),
            "{text}"
        );
        assert!(text.ends_with("anomalies: 1\n    wf-1: lost"), "{text}");
        assert!(!report.is_clean());
    }

    #[test]
    fn the_json_names_each_phase() {
        let json: serde_json::Value =
            serde_json::from_str(&report(Findings::default()).json()).expect("it is JSON");
        assert_eq!(json["phases"][0]["name"], "ask");
        assert_eq!(json["anomaly_count"], 0);
    }
}
