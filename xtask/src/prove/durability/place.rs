//! A collector's folder, and the real program run in it until somebody kills it.
//!
//! Knows its command line and the line that says it is ready, and nothing of what it keeps.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use anyhow::{Context, Result, bail};

use super::super::victim::Victim;
use crate::steps::output_of;

/// Ports are drawn, one address is a whole fleet, and only warnings are worth reading afterwards.
const SETTINGS: &str = "log = \"warn\"\n\n[listen]\nagents = \"127.0.0.1:0\"\nenroll = \"127.0.0.1:0\"\n\
                        api = \"127.0.0.1:0\"\n\n[limits]\nconnections_per_address = 1000000\n";
/// How long a start may take, a view made again included.
const READY_WITHIN: Duration = Duration::from_secs(60);

/// The programs under proof.
#[derive(Debug, Clone)]
pub(super) struct Programs {
    folder: PathBuf,
}

/// A folder that `init` has made.
#[derive(Debug)]
pub(super) struct Place {
    folder: PathBuf,
    programs: Programs,
}

/// A running collector; killed when it is dropped.
#[derive(Debug)]
pub(super) struct Collector {
    victim: Option<Victim>,
    /// Where agents have their sessions.
    pub(super) agents: String,
    /// Where they enrol.
    pub(super) enroll: String,
    /// Where people ask.
    pub(super) api: String,
}

impl Programs {
    /// Those in this folder; an error when one is missing.
    pub(super) fn in_folder(folder: &Path) -> Result<Self> {
        let programs = Self { folder: folder.to_owned() };
        for name in ["muster-collector", "muster-agent", "muster-bench"] {
            if !programs.folder.join(name).is_file() {
                bail!("{name} is not in {}; build it with cargo build --workspace", folder.display());
            }
        }
        Ok(programs)
    }

    /// One of them, ready for arguments.
    pub(super) fn command(&self, name: &str) -> Command {
        Command::new(self.folder.join(name))
    }
}

impl Place {
    /// Makes a new collector in a folder whose former content goes.
    pub(super) fn init(folder: &Path, programs: &Programs) -> Result<Self> {
        if folder.exists() {
            fs::remove_dir_all(folder).with_context(|| format!("cannot remove {}", folder.display()))?;
        }
        fs::create_dir_all(folder.join("collector.d"))?;
        fs::write(folder.join("collector.d/proof.toml"), SETTINGS)?;
        // From here on only the programs' own syncs count.
        rustix::fs::sync();
        let place = Self { folder: folder.to_owned(), programs: programs.clone() };
        let mut init = place.command(&["init"]);
        init.args(["--name", "localhost", "--trust-domain", "proof.muster.internal", "--data"]);
        output_of(init.arg(folder.join("data")))?;
        Ok(place)
    }

    /// A token for so many machines; made while the collector doesn't run.
    pub(super) fn token(&self, machines: u64) -> Result<String> {
        let printed = output_of(&mut self.command(&["token", "create", "--bulk", &machines.to_string()]))?;
        printed.lines().last().map(|line| line.trim().to_owned()).context("no token was printed")
    }

    /// Starts it with these fail points and waits until it is ready.
    pub(super) fn serve(&self, points: &str) -> Result<Collector> {
        let mut command = self.command(&["serve"]);
        let mut victim = Victim::start(command.env("FAILPOINTS", points).env("RUST_BACKTRACE", "0"))?;
        match victim.wait_for_line(0, "ready: ", READY_WITHIN) {
            Ok(lines) => {
                let line = lines.last().map(String::as_str).unwrap_or_default();
                let address = |door: &str| {
                    let (_, rest) = line.split_once(&format!("{door} "))?;
                    rest.split(',').next().map(|address| address.trim().to_owned())
                };
                let addresses = address("agents").zip(address("enroll")).zip(address("api"));
                let ((agents, enroll), api) =
                    addresses.with_context(|| format!("{line:?} names no addresses"))?;
                Ok(Collector { victim: Some(victim), agents, enroll, api })
            }
            Err(error) => {
                let (_, complaint) = victim.kill()?;
                Err(error.context(format!("the collector does not start: {}", complaint.trim())))
            }
        }
    }

    /// The first operator's identity.
    pub(super) fn operator(&self) -> PathBuf {
        self.folder.join("data/operator")
    }

    /// The view, which can be made again.
    pub(super) fn view(&self) -> PathBuf {
        self.folder.join("data/store/view")
    }

    fn command(&self, words: &[&str]) -> Command {
        let mut command = self.programs.command("muster-collector");
        command.args(words).arg("--config").arg(self.folder.join("collector.toml"));
        command
    }
}

impl Collector {
    /// Kills it with SIGKILL; what it complained of.
    pub(super) fn kill(mut self) -> Result<String> {
        let victim = self.victim.take().context("it was killed before")?;
        Ok(victim.kill()?.1)
    }
}

impl Drop for Collector {
    fn drop(&mut self) {
        if let Some(Err(error)) = self.victim.take().map(Victim::kill) {
            eprintln!("a collector could not be killed: {error:#}");
        }
    }
}
