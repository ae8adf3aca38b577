//! Processor time and memory of another process, from `/proc`.
//!
//! The load generator shares the machine with the collector, so wall time says little about the collector; its own
//! processor time does.

use std::{fs, io, time::Duration};

use tokio::time::{Instant, sleep};

/// How often a process is looked at while it comes to rest.
const LOOK_EVERY: Duration = Duration::from_millis(100);
/// It is at rest when it used nothing over so many looks.
const QUIET_LOOKS: u32 = 4;
/// How long to wait for that.
const REST_WITHIN: Duration = Duration::from_secs(30);

/// Reads one process.
#[derive(Debug, Clone, Copy)]
pub struct Meter {
    process: u32,
    ticks_per_second: u64,
}

impl Meter {
    /// Of a process by its id.
    pub fn new(process: u32) -> Self {
        Self { process, ticks_per_second: rustix::param::clock_ticks_per_second().max(1) }
    }

    /// Processor time that the process has used, in user and kernel mode, over all its threads.
    pub fn cpu(&self) -> io::Result<Duration> {
        let text = self.read("stat")?;
        // The name in parentheses may hold anything; fields are counted after it. User time is the 14th of all.
        let fields: Vec<&str> =
            text.rsplit_once(')').map_or("", |(_, rest)| rest).split_whitespace().collect();
        let field = |place: usize| fields.get(place).and_then(|text| text.parse::<u64>().ok());
        let (Some(user), Some(system)) = (field(11), field(12)) else {
            return Err(io::Error::new(io::ErrorKind::InvalidData, "stat has no processor times"));
        };
        Ok(Duration::from_millis((user + system) * 1000 / self.ticks_per_second))
    }

    /// Resident memory in bytes.
    pub fn resident(&self) -> io::Result<u64> {
        self.status("VmRSS:")
    }

    /// The most resident memory that it ever had, in bytes.
    pub fn peak(&self) -> io::Result<u64> {
        self.status("VmHWM:")
    }

    fn status(&self, name: &str) -> io::Result<u64> {
        let text = self.read("status")?;
        let line = text.lines().find_map(|line| line.strip_prefix(name));
        let kibibytes = line.and_then(|line| line.trim().trim_end_matches("kB").trim().parse::<u64>().ok());
        kibibytes
            .map(|kibibytes| kibibytes * 1024)
            .ok_or_else(|| io::Error::new(io::ErrorKind::InvalidData, format!("status has no {name}")))
    }

    /// Waits until the process has done what it put off, and returns its processor time then.
    pub async fn at_rest(&self) -> io::Result<Duration> {
        let begun = Instant::now();
        let (mut last, mut quiet) = (self.cpu()?, 0);
        while quiet < QUIET_LOOKS && begun.elapsed() < REST_WITHIN {
            sleep(LOOK_EVERY).await;
            let now = self.cpu()?;
            quiet = if now == last { quiet + 1 } else { 0 };
            last = now;
        }
        Ok(last)
    }

    fn read(&self, name: &str) -> io::Result<String> {
        fs::read_to_string(format!("/proc/{}/{name}", self.process))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_reads_this_very_process() {
        let meter = Meter::new(std::process::id());
        let before = meter.cpu().unwrap();
        let mut number = 1u64;
        while meter.cpu().unwrap() == before {
            number = std::hint::black_box(number.wrapping_mul(3));
        }
        assert!(meter.resident().unwrap() > 1024 * 1024);
    }

    #[test]
    fn a_process_that_is_gone_is_an_error() {
        assert!(Meter::new(u32::MAX).cpu().is_err());
    }
}
