//! What a process has used so far, as `/proc` tells it.

use std::fs;
use std::io;

use serde::Serialize;

/// Milliseconds in a clock tick: Linux shows user space 100 ticks a second, whatever the kernel's own.
const MS_PER_TICK: u64 = 10;

/// A reading of one process.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
pub(crate) struct Usage {
    /// User and system time of all its threads, in ms; steps of 10.
    pub(crate) cpu_ms: u64,
    /// Resident memory, in KiB.
    pub(crate) rss_kib: u64,
    /// The most resident memory it ever had, in KiB.
    pub(crate) peak_kib: u64,
    /// Bytes it made the disk write.
    pub(crate) disk_bytes: u64,
    /// Bytes it gave to write calls, files and sockets alike.
    pub(crate) write_call_bytes: u64,
}

impl Usage {
    /// Reads process `pid`; it must be ours to look at.
    pub(crate) fn read(pid: u32) -> io::Result<Self> {
        let read = |name: &str| fs::read_to_string(format!("/proc/{pid}/{name}"));
        let (stat, status, io) = (read("stat")?, read("status")?, read("io")?);
        let missing = || io::Error::new(io::ErrorKind::InvalidData, "a field of /proc is missing");
        Ok(Self {
            cpu_ms: cpu_ms(&stat).ok_or_else(missing)?,
            rss_kib: field(&status, "VmRSS:").ok_or_else(missing)?,
            peak_kib: field(&status, "VmHWM:").ok_or_else(missing)?,
            disk_bytes: field(&io, "write_bytes:").ok_or_else(missing)?,
            write_call_bytes: field(&io, "wchar:").ok_or_else(missing)?,
        })
    }
}

/// User and system time from the text of `/proc/PID/stat`. The process's name, in brackets, may
/// contain anything, so fields are counted after its end.
fn cpu_ms(stat: &str) -> Option<u64> {
    let (_, after_name) = stat.rsplit_once(')')?;
    let mut fields = after_name.split_ascii_whitespace();
    // utime and stime are fields 14 and 15; the first one after the name is field 3.
    let user: u64 = fields.nth(11)?.parse().ok()?;
    let system: u64 = fields.next()?.parse().ok()?;
    Some((user + system) * MS_PER_TICK)
}

/// The first number of the line that begins with `name`.
fn field(text: &str, name: &str) -> Option<u64> {
    let line = text.lines().find_map(|line| line.strip_prefix(name))?;
    line.split_ascii_whitespace().next()?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cpu_is_user_plus_system_even_with_an_odd_name() {
        let stat = "42 (a) b (c) S 1 42 42 0 -1 4194560 100 0 0 0 7 5 1 1 20 0 9 0 123 456";
        assert_eq!(cpu_ms(stat), Some(120));
        assert_eq!(cpu_ms("42 (cut"), None);
    }

    #[test]
    fn fields_are_found_by_their_whole_name() {
        let io = "rchar: 1\nwchar: 22\nwrite_bytes: 333\ncancelled_write_bytes: 4\n";
        assert_eq!(field(io, "write_bytes:"), Some(333));
        assert_eq!(field(io, "wchar:"), Some(22));
        assert_eq!(field("VmRSS:\t  146924 kB\n", "VmRSS:"), Some(146_924));
        assert_eq!(field(io, "VmRSS:"), None);
    }

    #[test]
    fn this_process_can_be_read() {
        let usage = Usage::read(std::process::id()).expect("the own process is readable");
        assert!(
            usage.peak_kib >= usage.rss_kib && usage.rss_kib > 0,
            "{usage:?}"
        );
    }
}
