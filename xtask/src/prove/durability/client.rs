//! The load client: a process of its own that is told what to do and says what it hears.
//!
//! Knows the lines of `muster-bench durability-load` and judges none of them.

use std::path::Path;
use std::time::Duration;

use anyhow::{Context, Result};

use super::super::victim::Victim;
use super::ledger::{Listed, Told, Welcome};
use super::place::Programs;

/// How long an answer may take on a busy machine.
const ANSWER_WITHIN: Duration = Duration::from_secs(90);

/// The running client; it ends with its owner.
#[derive(Debug)]
pub(super) struct Client {
    victim: Option<Victim>,
    /// Lines that were read already.
    read: usize,
}

impl Client {
    /// Starts it for so many machines.
    pub(super) fn start(programs: &Programs, devices: u64, seed: u64) -> Result<Self> {
        let mut command = programs.command("muster-bench");
        command.args(["durability-load", "--devices", &devices.to_string(), "--seed", &seed.to_string()]);
        Ok(Self { victim: Some(Victim::start(&mut command)?), read: 0 })
    }

    /// Enrols all machines.
    pub(super) fn enroll(&mut self, address: &str, token: &str) -> Result<()> {
        self.ask(&format!("enroll {address} {token}"), "enrolled").map(drop)
    }

    /// Opens a session for every machine; what each was told.
    pub(super) fn connect(&mut self, address: &str) -> Result<Vec<Welcome>> {
        let lines = self.ask(&format!("connect {address}"), "connected")?;
        Ok(lines.iter().filter_map(|line| Welcome::parse(line)).collect())
    }

    /// Every device that an operator sees.
    pub(super) fn list(&mut self, address: &str, operator: &Path) -> Result<Vec<Listed>> {
        let lines = self.ask(&format!("list {address} {}", operator.display()), "listed")?;
        Ok(lines.iter().filter_map(|line| Listed::parse(line)).collect())
    }

    /// What the history of every device says.
    pub(super) fn history(&mut self, address: &str, operator: &Path) -> Result<Vec<Told>> {
        let lines = self.ask(&format!("history {address} {}", operator.display()), "told")?;
        Ok(lines.iter().filter_map(|line| Told::parse(line)).collect())
    }

    /// Lets every open session report until it ends, and waits for the first answer.
    pub(super) fn begin_load(&mut self) -> Result<()> {
        let first = self.read;
        let victim = self.victim()?;
        victim.say("load")?;
        victim.wait_for_line(first, "ack", ANSWER_WITHIN).map(drop)
    }

    /// How many lines were heard, in all.
    pub(super) fn heard(&self) -> usize {
        self.victim.as_ref().map_or(0, Victim::heard)
    }

    /// Whether nothing more is said for so long.
    pub(super) fn falls_silent(&self, quiet: Duration) -> bool {
        self.victim.as_ref().is_some_and(|victim| victim.wait_for_silence(quiet))
    }

    /// Waits until every session has ended; what was said until `heard` lines were there.
    pub(super) fn end_load(&mut self, heard: usize) -> Result<Vec<String>> {
        let first = self.read;
        let mut lines = self.victim()?.wait_for_line(first, "idle", ANSWER_WITHIN)?;
        self.read += lines.len();
        lines.truncate(heard.saturating_sub(first));
        Ok(lines)
    }

    fn ask(&mut self, line: &str, end: &str) -> Result<Vec<String>> {
        let first = self.read;
        let victim = self.victim()?;
        victim.say(line)?;
        let lines = victim.wait_for_line(first, end, ANSWER_WITHIN);
        match lines {
            Ok(lines) => {
                self.read += lines.len();
                Ok(lines)
            }
            Err(error) => {
                let complaint = match self.victim.take().map(Victim::kill) {
                    Some(Ok((_, complaint))) => complaint,
                    Some(Err(_)) | None => String::new(),
                };
                Err(error.context(format!("the load client fails: {}", complaint.trim())))
            }
        }
    }

    fn victim(&mut self) -> Result<&mut Victim> {
        self.victim.as_mut().context("the load client has ended")
    }
}

impl Drop for Client {
    fn drop(&mut self) {
        if let Some(Err(error)) = self.victim.take().map(Victim::kill) {
            eprintln!("the load client could not be ended: {error:#}");
        }
    }
}
