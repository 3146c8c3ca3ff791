//! Measures one phase of a run: time, latencies, and what the processes spent meanwhile.

use std::time::{Duration, Instant};

use serde::Serialize;

use crate::client::{Client, Traffic};
use crate::error::Error;
use crate::stats::{Latencies, Percentiles, each};
use crate::usage::Usage;

/// A phase that is being measured.
pub(crate) struct Meter {
    pid: Option<u32>,
    started: Instant,
    server: Option<Usage>,
    own: Usage,
    traffic: Traffic,
}

/// What a phase came to.
#[derive(Debug, Clone, Serialize)]
pub(crate) struct Phase {
    /// What was done.
    pub(crate) name: String,
    /// What is counted.
    pub(crate) unit: &'static str,
    /// How many were done.
    pub(crate) count: u64,
    /// How long it took.
    pub(crate) seconds: f64,
    /// Count by seconds.
    pub(crate) per_second: f64,
    /// gRPC calls for each.
    pub(crate) calls_each: f64,
    /// CPU time of this program for each.
    pub(crate) client_cpu_ms_each: f64,
    /// How long each took, if each has a begin and an end.
    pub(crate) latency: Option<Percentiles>,
    /// What the server spent, if its process is known.
    pub(crate) server: Option<ServerCost>,
}

/// What the server's process spent in a phase.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize)]
pub(crate) struct ServerCost {
    /// CPU time, all in all.
    pub(crate) cpu_ms: u64,
    /// CPU time for each.
    pub(crate) cpu_ms_each: f64,
    /// Bytes to disk for each.
    pub(crate) disk_bytes_each: f64,
    /// Bytes in write calls (files and sockets) for each.
    pub(crate) write_call_bytes_each: f64,
    /// Resident memory at the phase's begin.
    pub(crate) rss_before_mib: f64,
    /// Resident memory at the phase's end.
    pub(crate) rss_mib: f64,
    /// The most resident memory that the process ever had.
    pub(crate) peak_mib: f64,
}

impl Meter {
    /// Begins a phase.
    pub(crate) fn start(pid: Option<u32>, client: Option<&Client>) -> Result<Self, Error> {
        Ok(Self {
            pid,
            server: pid.map(read).transpose()?,
            own: read(std::process::id())?,
            traffic: client.map(Client::traffic).unwrap_or_default(),
            started: Instant::now(),
        })
    }

    /// How long it has been running.
    pub(crate) fn elapsed(&self) -> Duration {
        self.started.elapsed()
    }

    /// Ends the phase.
    pub(crate) fn stop(self, client: Option<&Client>) -> Result<Spent, Error> {
        let seconds = self.started.elapsed().as_secs_f64();
        let own = read(std::process::id())?;
        let traffic = client.map(Client::traffic).unwrap_or_default();
        let server = match (self.pid, self.server) {
            (Some(pid), Some(before)) => Some((before, read(pid)?)),
            _ => None,
        };
        Ok(Spent {
            seconds,
            server,
            own_cpu_ms: own.cpu_ms.saturating_sub(self.own.cpu_ms),
            calls: traffic.calls - self.traffic.calls,
        })
    }
}

/// What was spent in a phase that is over.
#[derive(Debug, Clone)]
pub(crate) struct Spent {
    seconds: f64,
    /// The server's readings at the begin and the end.
    server: Option<(Usage, Usage)>,
    own_cpu_ms: u64,
    calls: u64,
}

impl Spent {
    /// Shares it among `count` of `unit`.
    pub(crate) fn on(self, name: impl Into<String>, unit: &'static str, count: u64) -> Phase {
        let seconds = self.seconds;
        Phase {
            name: name.into(),
            unit,
            count,
            seconds,
            per_second: if seconds > 0.0 {
                count as f64 / seconds
            } else {
                0.0
            },
            calls_each: each(self.calls as f64, count),
            client_cpu_ms_each: each(self.own_cpu_ms as f64, count),
            latency: None,
            server: self
                .server
                .map(|(before, after)| cost(before, after, count)),
        }
    }

    /// Shares it among all that took as long as `latencies` tell.
    pub(crate) fn on_each(
        self,
        name: impl Into<String>,
        unit: &'static str,
        latencies: &Latencies,
    ) -> Phase {
        self.on(name, unit, latencies.count()).with(latencies)
    }
}

impl Phase {
    /// With these latencies.
    pub(crate) fn with(self, latencies: &Latencies) -> Self {
        Self {
            latency: latencies.percentiles(),
            ..self
        }
    }
}

fn read(pid: u32) -> Result<Usage, Error> {
    Usage::read(pid).map_err(|source| Error::Io {
        what: "read the process in /proc",
        source,
    })
}

fn cost(before: Usage, after: Usage, count: u64) -> ServerCost {
    let cpu_ms = after.cpu_ms.saturating_sub(before.cpu_ms);
    let disk = after.disk_bytes.saturating_sub(before.disk_bytes);
    let calls = after
        .write_call_bytes
        .saturating_sub(before.write_call_bytes);
    ServerCost {
        cpu_ms,
        cpu_ms_each: each(cpu_ms as f64, count),
        disk_bytes_each: each(disk as f64, count),
        write_call_bytes_each: each(calls as f64, count),
        rss_before_mib: mib(before.rss_kib),
        rss_mib: mib(after.rss_kib),
        peak_mib: mib(after.peak_kib),
    }
}

fn mib(kib: u64) -> f64 {
    kib as f64 / 1024.0
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn costs_are_differences_shared_among_the_count() {
        let before = Usage {
            cpu_ms: 100,
            rss_kib: 1024,
            disk_bytes: 10,
            ..Usage::default()
        };
        let after = Usage {
            cpu_ms: 300,
            rss_kib: 2048,
            peak_kib: 4096,
            disk_bytes: 50,
            write_call_bytes: 8,
        };
        let expected = ServerCost {
            cpu_ms: 200,
            cpu_ms_each: 50.0,
            disk_bytes_each: 10.0,
            write_call_bytes_each: 2.0,
            rss_before_mib: 1.0,
            rss_mib: 2.0,
            peak_mib: 4.0,
        };
        assert_eq!(cost(before, after, 4), expected);
    }
}
