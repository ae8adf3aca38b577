//! A collector as a child process: made by `init`, run by `serve`, stopped as an operator would stop it.
//!
//! Knows its command line and the line that it prints when it is ready, and nothing else of it.

use std::{
    env, fs,
    io::{BufRead, BufReader},
    net::SocketAddr,
    path::{Path, PathBuf},
    process::{Child, ChildStdout, Command, Stdio},
    time::{Duration, Instant},
};

use anyhow::{Context, Result, bail};
use muster_common::trust::token::EnrollmentString;
use rustix::process::{Pid, Signal, kill_process};

use super::meter::Meter;

/// The name in the collector's certificate.
pub const SERVER_NAME: &str = "localhost";
const TRUST_DOMAIN: &str = "bench.muster.internal";
const PROGRAM: &str = "muster-collector";
/// How long a collector may take to end.
const END_WITHIN: Duration = Duration::from_secs(60);

/// Where a running collector listens.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Addresses {
    /// Sessions of agents.
    pub agents: SocketAddr,
    /// Enrolment.
    pub enroll: SocketAddr,
}

/// A folder with a collector's configuration and data.
#[derive(Debug)]
pub struct Place {
    folder: PathBuf,
    program: PathBuf,
}

/// A running collector; killed when it is dropped before [`Self::stop`].
#[derive(Debug)]
pub struct Collector {
    child: Child,
    output: Option<BufReader<ChildStdout>>,
    addresses: Addresses,
    log: PathBuf,
    started_in: Duration,
}

impl Place {
    /// Makes an authority and a configuration in a folder that must not be there yet.
    pub fn init(folder: &Path) -> Result<Self> {
        fs::create_dir_all(folder).with_context(|| format!("cannot make {}", folder.display()))?;
        let folder = folder.canonicalize().with_context(|| format!("cannot open {}", folder.display()))?;
        let here = env::current_exe().context("cannot tell where this program lies")?;
        let program = here.with_file_name(PROGRAM);
        if !program.is_file() {
            bail!("{} is not there; build it first, or use cargo xtask bench", program.display());
        }
        let place = Self { folder, program };
        // A whole fleet behind one address, which the default would rightly refuse.
        let listen = "[listen]\nagents = \"127.0.0.1:0\"\nenroll = \"127.0.0.1:0\"\napi = \"127.0.0.1:0\"\n\n\
                      [limits]\nconnections_per_address = 1000000\n";
        let drop_in = place.folder.join("collector.d");
        fs::create_dir_all(&drop_in).with_context(|| format!("cannot make {}", drop_in.display()))?;
        fs::write(drop_in.join("bench.toml"), listen).context("cannot write the configuration")?;
        let data = place.data().display().to_string();
        let names = ["init", "--data", &data, "--name", SERVER_NAME, "--trust-domain", TRUST_DOMAIN];
        place.run(&names)?;
        Ok(place)
    }

    /// The data folder.
    pub fn data(&self) -> PathBuf {
        self.folder.join("data")
    }

    /// A token for so many machines.
    pub fn token(&self, uses: u64) -> Result<EnrollmentString> {
        let printed = self.run(&["token", "create", "--bulk", &uses.to_string()])?;
        let line = printed.lines().last().unwrap_or_default().trim();
        line.parse().context("the collector printed something else than an enrolment string")
    }

    /// Starts the collector and waits until it is ready.
    pub fn serve(&self) -> Result<Collector> {
        let log = self.folder.join("collector.log");
        let errors = fs::OpenOptions::new().create(true).append(true).open(&log);
        let errors = errors.with_context(|| format!("cannot write {}", log.display()))?;
        let begun = Instant::now();
        let mut child = Command::new(&self.program)
            .args(["serve", "--config"])
            .arg(self.config())
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(errors)
            .spawn()
            .context("cannot start the collector")?;
        let mut output = child.stdout.take().map(BufReader::new);
        let mut line = String::new();
        if let Some(output) = &mut output {
            output.read_line(&mut line).context("cannot read what the collector prints")?;
        }
        match addresses(&line) {
            Some(addresses) => Ok(Collector { child, output, addresses, log, started_in: begun.elapsed() }),
            None => {
                // It has no business running any longer; that it is gone already is as good.
                let _ = child.kill();
                let _ = child.wait();
                bail!("the collector did not say that it is ready ({line:?}); its log is {}", log.display())
            }
        }
    }

    fn config(&self) -> PathBuf {
        self.folder.join("collector.toml")
    }

    fn run(&self, words: &[&str]) -> Result<String> {
        let mut command = Command::new(&self.program);
        command.args(words).arg("--config").arg(self.config()).stdin(Stdio::null());
        let output = command.output().with_context(|| format!("cannot start {}", self.program.display()))?;
        if !output.status.success() {
            let messages = String::from_utf8_lossy(&output.stderr).into_owned();
            bail!("{PROGRAM} {} ended with {}:\n{messages}", words[0], output.status);
        }
        Ok(String::from_utf8_lossy(&output.stdout).into_owned())
    }
}

impl Collector {
    /// Where it listens.
    pub fn addresses(&self) -> Addresses {
        self.addresses
    }

    /// Its processor time and memory.
    pub fn meter(&self) -> Meter {
        Meter::new(self.child.id())
    }

    /// From its start until it was ready.
    pub fn started_in(&self) -> Duration {
        self.started_in
    }

    /// Asks it to drain and waits for its end.
    pub fn stop(mut self) -> Result<()> {
        let process = i32::try_from(self.child.id()).ok().and_then(Pid::from_raw);
        kill_process(process.context("a process has an id")?, Signal::TERM)
            .context("cannot stop the collector")?;
        let begun = Instant::now();
        loop {
            match self.child.try_wait().context("cannot wait for the collector")? {
                Some(status) if status.success() => return Ok(()),
                Some(status) => bail!("the collector ended with {status}; its log is {}", self.log.display()),
                None if begun.elapsed() > END_WITHIN => {
                    bail!("the collector does not end; its log is {}", self.log.display())
                }
                None => std::thread::sleep(Duration::from_millis(20)),
            }
        }
    }
}

impl Drop for Collector {
    fn drop(&mut self) {
        drop(self.output.take());
        if matches!(self.child.try_wait(), Ok(None)) {
            // Nobody is left to tell when this fails.
            let _ = self.child.kill();
            let _ = self.child.wait();
        }
    }
}

/// Reads `ready: agents ADDRESS, enroll ADDRESS, …`.
fn addresses(line: &str) -> Option<Addresses> {
    let parts = line.trim().strip_prefix("ready: ")?.split(", ");
    let pairs: Vec<(&str, &str)> = parts.filter_map(|part| part.split_once(' ')).collect();
    let find = |name: &str| pairs.iter().find(|(door, _)| *door == name)?.1.parse().ok();
    Some(Addresses { agents: find("agents")?, enroll: find("enroll")? })
}

/// What the files below a folder take on disk, in bytes.
pub fn disk_usage(folder: &Path) -> Result<u64> {
    use std::os::unix::fs::MetadataExt;
    let mut sum = 0;
    let entries = fs::read_dir(folder).with_context(|| format!("cannot list {}", folder.display()))?;
    for entry in entries {
        let entry = entry.with_context(|| format!("cannot list {}", folder.display()))?;
        let facts = entry.metadata().with_context(|| format!("cannot read {}", entry.path().display()))?;
        sum += if facts.is_dir() { disk_usage(&entry.path())? } else { facts.blocks() * 512 };
    }
    Ok(sum)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_ready_line_names_the_doors() {
        let line = "ready: agents 127.0.0.1:1, enroll 127.0.0.1:2, api 127.0.0.1:3\n";
        let [agents, enroll] = ["127.0.0.1:1", "127.0.0.1:2"].map(|text| text.parse().unwrap());
        assert_eq!(addresses(line), Some(Addresses { agents, enroll }));
        for bad in ["", "ready: agents", "ready: agents 127.0.0.1:1", "error: no"] {
            assert_eq!(addresses(bad), None, "{bad:?}");
        }
    }
}
