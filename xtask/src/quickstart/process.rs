//! The three programs as child processes: run to the end, or kept running with a log and drained.
//!
//! Knows nothing of what they do. Long-running ones get a process group of their own, so that Ctrl-C reaches this
//! process alone, which then stops them in order.

use std::cell::RefCell;
use std::env;
use std::fs::{self, File};
use std::io::{BufRead, BufReader, Write};
use std::os::unix::process::CommandExt;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{self, Receiver, RecvTimeoutError};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use rustix::process::{Pid, Signal, kill_process};

/// Lines of a log that are shown when its program fails.
const TAIL_LINES: usize = 20;

/// One of the programs, built beside this one.
#[derive(Clone, Copy)]
pub(super) enum Program {
    Collector,
    Agent,
    Cli,
}

impl Program {
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Collector => "muster-collector",
            Self::Agent => "muster-agent",
            Self::Cli => "muster",
        }
    }

    /// Where cargo put it.
    pub(super) fn path(self) -> Result<PathBuf> {
        let here = env::current_exe().context("cannot tell where this program lies")?;
        Ok(here.with_file_name(self.name()))
    }

    fn command(self, arguments: Vec<String>) -> Result<Command> {
        let mut command = Command::new(self.path()?);
        command.args(arguments);
        Ok(command)
    }

    /// Runs the program to its end and returns what it printed; its messages are part of the error when it fails.
    pub(super) fn run(self, arguments: Vec<String>, input: Option<&str>) -> Result<String> {
        // No argument is a secret, so the whole command may be shown and tried again by hand.
        let shown = format!("{} {}", self.name(), arguments.join(" "));
        let mut command = self.command(arguments)?;
        command.stdin(if input.is_some() { Stdio::piped() } else { Stdio::null() });
        let mut child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn()?;
        if let (Some(input), Some(mut pipe)) = (input, child.stdin.take()) {
            writeln!(pipe, "{input}").with_context(|| format!("`{shown}` reads no input"))?;
        }
        let output = child.wait_with_output()?;
        if output.status.success() {
            return Ok(String::from_utf8_lossy(&output.stdout).into_owned());
        }
        let messages = String::from_utf8_lossy(&output.stderr);
        bail!("`{shown}` ended with {}:\n{}", output.status, messages.trim_end())
    }
}

/// A program that keeps running, with its output in a log file. Dropped without [`Process::drain`], it is killed.
pub(super) struct Process {
    program: Program,
    child: RefCell<Child>,
    /// What it prints on standard output, line by line, while somebody still listens.
    lines: Receiver<String>,
    log: PathBuf,
}

impl Process {
    pub(super) fn start(program: Program, arguments: Vec<String>, log: PathBuf) -> Result<Self> {
        Self::start_as(Command::new(program.path()?), program, arguments, log)
    }

    /// The same with a command of its own, to which the arguments are added.
    pub(super) fn start_as(
        mut command: Command,
        program: Program,
        arguments: Vec<String>,
        log: PathBuf,
    ) -> Result<Self> {
        let mut file = File::create(&log).with_context(|| format!("cannot write {}", log.display()))?;
        command.args(arguments);
        command.process_group(0).stdin(Stdio::null()).stdout(Stdio::piped()).stderr(file.try_clone()?);
        let mut child = command.spawn().with_context(|| format!("cannot start {}", program.name()))?;
        let (sender, lines) = mpsc::channel();
        if let Some(output) = child.stdout.take() {
            thread::spawn(move || {
                for line in BufReader::new(output).lines().map_while(Result::ok) {
                    // The log is for a person who looks for a reason; losing a line of it stops nothing.
                    let _ = writeln!(file, "{line}");
                    let _ = sender.send(line);
                }
            });
        }
        Ok(Self { program, child: RefCell::new(child), lines, log })
    }

    /// Waits for the first line on standard output, which is how a program says that it is ready.
    pub(super) fn wait_until_ready(&self, within: Duration, stop: &AtomicBool) -> Result<()> {
        let start = Instant::now();
        loop {
            match self.lines.recv_timeout(Duration::from_millis(100)) {
                Ok(_) => return Ok(()),
                // The output is closed: the process is ending, and check_running says how.
                Err(RecvTimeoutError::Disconnected) => thread::sleep(Duration::from_millis(100)),
                Err(RecvTimeoutError::Timeout) => {}
            }
            self.check_running()?;
            if stop.load(Ordering::Relaxed) {
                bail!("stopped before {} was ready", self.program.name());
            }
            if start.elapsed() > within {
                let seconds = within.as_secs();
                bail!(
                    "{} is not ready after {seconds} s; its log:\n{}",
                    self.program.name(),
                    self.log_tail()
                );
            }
        }
    }

    /// The process's id.
    pub(super) fn id(&self) -> u32 {
        self.child.borrow().id()
    }

    /// An error with the end of the log when the program has ended by itself.
    pub(super) fn check_running(&self) -> Result<()> {
        match self.child.borrow_mut().try_wait()? {
            None => Ok(()),
            Some(status) => {
                bail!("{} ended with {status}; its log:\n{}", self.program.name(), self.log_tail())
            }
        }
    }

    /// The last lines of the log.
    pub(super) fn log_tail(&self) -> String {
        let text = fs::read_to_string(&self.log).unwrap_or_default();
        let lines: Vec<&str> = text.lines().collect();
        lines[lines.len().saturating_sub(TAIL_LINES)..].join("\n")
    }

    /// Asks the program to finish and waits; an error unless it exits with 0 in time.
    pub(super) fn drain(self, within: Duration) -> Result<()> {
        let name = self.program.name();
        let pid = i32::try_from(self.child.borrow().id()).ok().and_then(Pid::from_raw);
        let pid = pid.context("a process has an id")?;
        kill_process(pid, Signal::TERM).with_context(|| format!("cannot stop {name}"))?;
        let start = Instant::now();
        loop {
            let status = self.child.borrow_mut().try_wait()?;
            match status {
                Some(status) if status.success() => return Ok(()),
                Some(status) => {
                    bail!("{name} ended with {status} while draining; its log:\n{}", self.log_tail())
                }
                None if start.elapsed() > within => {
                    bail!(
                        "{name} is still busy after {} s and was killed; its log:\n{}",
                        within.as_secs(),
                        self.log_tail()
                    )
                }
                None => thread::sleep(Duration::from_millis(20)),
            }
        }
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        let child = self.child.get_mut();
        if matches!(child.try_wait(), Ok(None)) {
            // Nobody is left to tell when this fails.
            let _ = child.kill();
            let _ = child.wait();
        }
    }
}
