//! `cargo xtask quickstart`: a collector, this machine's own agent, and what they know, with one command.
//!
//! The story stands in [`Running::start`]; the files it keeps are in [`place`], the processes in [`process`], what it
//! prints in [`show`]. It uses the three programs as anybody would, by their command lines, and knows nothing of their
//! insides. Everything lies in one folder that may be deleted; nothing outside it is changed.

mod place;
mod process;
mod show;

use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use signal_hook::consts::{SIGHUP, SIGINT, SIGTERM};

use crate::root;
use crate::steps::{cargo, shown};

use place::Place;
use process::{Process, Program};
use show::Device;

/// How long the collector may take to read its journal back.
const READY_WITHIN: Duration = Duration::from_secs(60);
/// How long the first inventory may take.
const REPORTED_WITHIN: Duration = Duration::from_secs(60);
/// How long each program may take to finish its work when asked to stop.
const DRAINED_WITHIN: Duration = Duration::from_secs(20);

/// Options of the quick start.
#[derive(clap::Args)]
pub(crate) struct Arguments {
    /// Stop after printing instead of running until Ctrl-C
    #[arg(long)]
    once: bool,
    /// Where everything is kept between runs [default: .muster/quickstart in the repository]
    #[arg(long, value_name = "DIR")]
    data: Option<PathBuf>,
}

pub(crate) fn run(arguments: &Arguments) -> Result<()> {
    let stop = stop_signal()?;
    build()?;
    let start = Instant::now();
    let folder = arguments.data.clone().unwrap_or_else(|| root().join(".muster/quickstart"));
    let running = Running::start(&folder, &stop)?;
    show::welcome(&running, start.elapsed())?;
    if !arguments.once {
        println!("\nEverything runs until Ctrl-C.");
        while !stop.load(Ordering::Relaxed) {
            running.collector.check_running()?;
            running.agent.check_running()?;
            thread::sleep(Duration::from_millis(200));
        }
        println!("\nDraining …");
    }
    running.drain()
}

/// Builds the three programs.
pub(crate) fn build() -> Result<()> {
    shown(&mut cargo(&[
        "build",
        "--package",
        "muster-collector",
        "--package",
        "muster-agent",
        "--package",
        "muster",
    ]))
}

/// A collector and an agent that has reported.
pub(crate) struct Running {
    place: Place,
    collector: Process,
    agent: Process,
    device: Device,
    enrolled_now: bool,
}

impl Running {
    /// Starts both in this folder, making there what is missing, and waits for the first inventory.
    pub(crate) fn start(folder: &Path, stop: &AtomicBool) -> Result<Self> {
        Self::start_with(folder, stop, None)
    }

    /// The same with a command of its own for the agent as the service.
    pub(crate) fn start_with(folder: &Path, stop: &AtomicBool, agent: Option<Command>) -> Result<Self> {
        let place = Place::open(folder)?;
        if place.is_initialised() {
            // An operator's certificate is good for half a day.
            Program::Collector.run(place.operator_arguments(), None).context("cannot renew the operator")?;
        } else {
            Program::Collector.run(place.init_arguments(), None).context("cannot make the authority")?;
            place.mark_initialised()?;
        }
        let enrolled_now = !place.is_enrolled();
        let token = match enrolled_now {
            true => {
                Some(Program::Collector.run(place.token_arguments(), None).context("cannot make a token")?)
            }
            false => None,
        };
        let collector = Process::start(Program::Collector, place.serve_arguments(), place.log("collector"))?;
        collector.wait_until_ready(READY_WITHIN, stop)?;
        if let Some(token) = token {
            // By standard input: arguments are visible to every user of the machine.
            let enrolled = Program::Agent.run(place.enroll_arguments(), Some(token.trim()));
            enrolled.context("cannot enrol this machine")?;
        }
        let agent = match agent {
            Some(command) => {
                Process::start_as(command, Program::Agent, place.agent_arguments(), place.log("agent"))?
            }
            None => Process::start(Program::Agent, place.agent_arguments(), place.log("agent"))?,
        };
        let device = wait_for_device(&place, &agent, stop)?;
        Ok(Self { place, collector, agent, device, enrolled_now })
    }

    /// Stops both once their work is done.
    pub(crate) fn drain(self) -> Result<()> {
        // The agent first, so that its last report still finds a collector.
        self.agent.drain(DRAINED_WITHIN)?;
        self.collector.drain(DRAINED_WITHIN)
    }

    /// The agent's process.
    pub(crate) fn agent_id(&self) -> u32 {
        self.agent.id()
    }

    /// The collector's address for people and tools, as host and port.
    pub(crate) fn api_address(&self) -> String {
        self.place.api_address()
    }

    /// The folder with key, certificate and roots of an operator.
    pub(crate) fn operator_folder(&self) -> PathBuf {
        self.place.operator_folder()
    }

    /// The device that this machine became.
    pub(crate) fn device(&self) -> &Device {
        &self.device
    }
}

/// Set at Ctrl-C and when somebody ends this process politely.
pub(crate) fn stop_signal() -> Result<Arc<AtomicBool>> {
    let stop = Arc::new(AtomicBool::new(false));
    for signal in [SIGINT, SIGTERM, SIGHUP] {
        // A second signal ends this process at once, for whoever is out of patience.
        signal_hook::flag::register_conditional_default(signal, Arc::clone(&stop))?;
        signal_hook::flag::register(signal, Arc::clone(&stop))?;
    }
    Ok(stop)
}

/// Waits until the collector answers with this machine and its software.
fn wait_for_device(place: &Place, agent: &Process, stop: &AtomicBool) -> Result<Device> {
    let start = Instant::now();
    loop {
        agent.check_running()?;
        let answer = Program::Cli.run(place.devices_arguments(), None)?;
        if let Some(device) = Device::reporting(&answer)? {
            return Ok(device);
        }
        if stop.load(Ordering::Relaxed) {
            bail!("stopped before the first inventory arrived");
        }
        if start.elapsed() > REPORTED_WITHIN {
            bail!(
                "no inventory arrived within {} s; the agent's log:\n{}",
                REPORTED_WITHIN.as_secs(),
                agent.log_tail()
            );
        }
        thread::sleep(Duration::from_millis(100));
    }
}
