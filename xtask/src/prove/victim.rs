//! A process that will be killed, and every line that it printed until then.
//!
//! Knows nothing of what it does. A line that is in the pipe was printed, whatever became of the process; so what is
//! heard here is the outside record of what was promised.

use std::io::{BufRead, BufReader, Read, Write};
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};

/// The running process.
#[derive(Debug)]
pub(super) struct Victim {
    child: Child,
    ear: ChildStdin,
    heard: Arc<Mutex<Vec<String>>>,
    listener: JoinHandle<()>,
    complaint: JoinHandle<String>,
}

impl Victim {
    /// Starts it with its output heard; its input stays open and says nothing unless [`Self::say`] does.
    pub(super) fn start(command: &mut Command) -> Result<Self> {
        let name = command.get_program().to_string_lossy().into_owned();
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = command.spawn().with_context(|| format!("cannot start {name}"))?;
        let (out, err) = child.stdout.take().zip(child.stderr.take()).context("it has no output")?;
        let ear = child.stdin.take().context("it has no input")?;
        let heard = Arc::new(Mutex::new(Vec::new()));
        let kept = Arc::clone(&heard);
        let listener = thread::spawn(move || {
            // Bytes and not lines as text: the last one may be cut, and then it has no line end and isn't taken.
            let mut out = BufReader::new(out);
            let mut line = Vec::new();
            while matches!(out.read_until(b'\n', &mut line), Ok(read) if read > 0) {
                if line.pop() == Some(b'\n') {
                    let text = String::from_utf8_lossy(&line).into_owned();
                    kept.lock().unwrap_or_else(PoisonError::into_inner).push(text);
                }
                line.clear();
            }
        });
        let complaint = thread::spawn(move || {
            let mut text = String::new();
            // What it complained of is for people only.
            let _ = BufReader::new(err).take(100_000).read_to_string(&mut text);
            text
        });
        Ok(Self { child, ear, heard, listener, complaint })
    }

    /// How many lines were heard so far.
    pub(super) fn heard(&self) -> usize {
        self.heard.lock().unwrap_or_else(PoisonError::into_inner).len()
    }

    /// Tells it a line.
    pub(super) fn say(&mut self, line: &str) -> Result<()> {
        self.ear.write_all(format!("{line}\n").as_bytes()).context("it does not listen any more")
    }

    /// What it said from this line on.
    pub(super) fn lines_from(&self, first: usize) -> Vec<String> {
        self.heard.lock().unwrap_or_else(PoisonError::into_inner)[first..].to_vec()
    }

    /// Waits for a line that begins like this among those from `first` on, and returns all up to it.
    pub(super) fn wait_for_line(
        &mut self,
        first: usize,
        begin: &str,
        within: Duration,
    ) -> Result<Vec<String>> {
        let started = Instant::now();
        let mut seen = first;
        loop {
            let ended = self.child.try_wait()?.is_some();
            let fresh = self.lines_from(seen);
            if let Some(place) = fresh.iter().position(|line| line.starts_with(begin)) {
                let mut lines = self.lines_from(first);
                lines.truncate(seen - first + place + 1);
                return Ok(lines);
            }
            seen += fresh.len();
            if ended || started.elapsed() > within {
                bail!("it did not say {begin:?} within {} s", within.as_secs());
            }
            thread::sleep(Duration::from_millis(2));
        }
    }

    /// Waits for at least so many lines; an error if it ends before, or takes longer than half a minute.
    pub(super) fn wait_for(&mut self, lines: usize) -> Result<()> {
        let started = Instant::now();
        while self.heard() < lines {
            if self.child.try_wait()?.is_some() || started.elapsed() > Duration::from_secs(30) {
                bail!("it said {} lines and not {lines}", self.heard());
            }
            thread::sleep(Duration::from_millis(1));
        }
        Ok(())
    }

    /// Waits until nothing was heard for so long, at most ten seconds; whether it fell silent.
    pub(super) fn wait_for_silence(&self, quiet: Duration) -> bool {
        let started = Instant::now();
        let (mut count, mut since) = (self.heard(), Instant::now());
        while since.elapsed() < quiet {
            if started.elapsed() > Duration::from_secs(10) {
                return false;
            }
            thread::sleep(Duration::from_millis(5));
            let now = self.heard();
            if now != count {
                (count, since) = (now, Instant::now());
            }
        }
        true
    }

    /// Kills it with SIGKILL, and returns all that it said, and what it complained of.
    pub(super) fn kill(mut self) -> Result<(Vec<String>, String)> {
        // An error means that it has ended by itself.
        let _ = self.child.kill();
        self.child.wait()?;
        if self.listener.join().is_err() {
            bail!("the listener panicked");
        }
        let heard = std::mem::take(&mut *self.heard.lock().unwrap_or_else(PoisonError::into_inner));
        Ok((heard, self.complaint.join().unwrap_or_default()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_said_before_the_kill_is_heard_and_half_a_line_is_not() {
        let script = "echo one; echo two; printf thr; exec sleep 60";
        let mut victim = Victim::start(Command::new("/bin/sh").args(["-c", script])).unwrap();
        victim.wait_for(2).unwrap();
        assert!(victim.wait_for_silence(Duration::from_millis(20)));
        assert_eq!(victim.kill().unwrap().0, ["one", "two"]);
        let mut victim = Victim::start(Command::new("/bin/sh").args(["-c", "echo one"])).unwrap();
        assert!(victim.wait_for(2).is_err());
    }

    #[test]
    fn it_is_told_and_answers() {
        let script = "while read -r word; do echo \"first $word\"; echo \"then $word\"; done";
        let mut victim = Victim::start(Command::new("/bin/sh").args(["-c", script])).unwrap();
        let within = Duration::from_secs(10);
        victim.say("one").unwrap();
        assert_eq!(victim.wait_for_line(0, "then", within).unwrap(), ["first one", "then one"]);
        victim.say("two").unwrap();
        assert_eq!(victim.wait_for_line(2, "first", within).unwrap(), ["first two"]);
        assert!(victim.wait_for_line(4, "third", Duration::from_millis(20)).is_err());
        victim.kill().unwrap();
    }
}
