//! The collector under a fleet: enrolment, first inventories, changes, check-ins, idle agents, bytes at rest.
//!
//! Each phase prepares all its messages first, then lets the agents talk, then waits until the collector has done
//! what it put off, so that its processor time is whole and the encoding of reports is not in the way.

use std::{collections::HashSet, future::Future, path::PathBuf, sync::Arc};

use anyhow::{Context, Result, bail};
use muster_common::trust::token::EnrollmentString;
use serde::Serialize;

use super::{
    collector::{Place, SERVER_NAME, disk_usage},
    meter::Meter,
    plan::Plan,
    prepare::{prepare, with},
    results::{AtRest, MachineFacts, Memory, Phase, ocs, write_json},
    table,
};
use crate::{
    fleet::{Fleet, Shape},
    load::{
        agent::{Agent, Applicant, LoadError, Session},
        door::Door,
        drive::drive,
        reports,
        wire::Traffic,
    },
};

/// Signs of life that each idle agent gives.
const HEARTBEATS: i64 = 5;

/// Options of the scenario.
#[derive(Debug, Clone, clap::Args)]
pub struct Arguments {
    /// Devices of the fleet, each with a certificate of its own
    #[arg(long, default_value_t = 2000)]
    pub devices: u64,
    /// A small fleet, for a look: 400 devices
    #[arg(long, conflicts_with = "devices")]
    pub quick: bool,
    /// Packages on each device
    #[arg(long, default_value_t = 1000)]
    pub packages: u32,
    /// Titles that packages are drawn from
    #[arg(long, default_value_t = 50_000)]
    pub titles: u32,
    /// Agents that talk at once
    #[arg(long, default_value_t = 32)]
    pub at_once: usize,
    /// Two runs of one seed have the same fleet
    #[arg(long, default_value_t = 1)]
    pub seed: u64,
    /// Where the collector's data lies meanwhile, and the results; its last data is deleted
    #[arg(long, default_value = "target/bench", value_name = "DIR")]
    pub folder: PathBuf,
}

/// A collector that can be talked to and measured.
#[derive(Debug, Clone)]
pub struct Target {
    agents: Door,
    enroll: Door,
    traffic: Arc<Traffic>,
    meter: Meter,
}

impl Target {
    /// The collector at these addresses, whose processor time `meter` reads.
    pub fn new(agents: std::net::SocketAddr, enroll: std::net::SocketAddr, meter: Meter) -> Result<Self> {
        let traffic = Arc::<Traffic>::default();
        let door = |address| Door::new(address, SERVER_NAME, traffic.clone());
        Ok(Self { agents: door(agents)?, enroll: door(enroll)?, meter, traffic: traffic.clone() })
    }

    /// Runs one phase.
    async fn phase<T, R, F, W>(
        &self,
        name: &str,
        work: Vec<T>,
        at_once: usize,
        each: W,
    ) -> Result<(Vec<R>, Phase)>
    where
        T: Send + 'static,
        R: Send + 'static,
        F: Future<Output = Result<R, LoadError>> + Send,
        W: Fn(T) -> F + Send + Sync + 'static,
    {
        let cpu = self.meter.at_rest().await?;
        let wire = self.traffic.read();
        let driven = drive(work, at_once, each).await;
        let wire = self.traffic.read().since(wire);
        let cpu = self.meter.at_rest().await?.saturating_sub(cpu);
        let phase = Phase::new(name, &driven, cpu, wire);
        Ok((driven.done, phase))
    }
}

/// A fleet with what it does.
#[derive(Debug, Clone)]
pub struct Work {
    fleet: Arc<Fleet>,
    plan: Plan,
    at_once: usize,
}

/// What the first part left behind.
#[derive(Debug)]
pub struct Reported {
    /// Every phase so far.
    pub phases: Vec<Phase>,
    /// Devices that have a certificate, with the generation that is acknowledged.
    pub agents: Vec<(Agent, u32)>,
}

impl Work {
    /// For so many devices of one shape, of which some talk at once.
    pub fn new(shape: Shape, devices: u64, at_once: usize) -> Self {
        let fleet = Fleet::new(shape);
        Self { plan: Plan::new(&fleet, devices), fleet: Arc::new(fleet), at_once }
    }

    /// How many devices there are.
    pub fn devices(&self) -> u64 {
        self.plan.devices
    }

    /// Enrols every device, reports each in full and then what changed on the warm ones, and checks them in.
    pub async fn report(&self, target: &Target, token: EnrollmentString) -> Result<Reported> {
        let mut phases = Vec::new();
        let agents = self.enroll(target, token, &mut phases).await?;
        let sessions = self.open(target, agents, &mut phases).await?;

        let mut known = HashSet::new();
        let mut groups = [Vec::new(), Vec::new(), Vec::new()];
        for session in sessions {
            let group = if self.plan.first().contains(&session.device) {
                0
            } else {
                1 + usize::from(self.plan.warm().contains(&session.device))
            };
            groups[group].push(session);
        }
        let names = [
            "first full: first devices ever, catalogue empty",
            "first full: every title new to the catalogue",
            "first full: catalogue warm",
        ];
        let mut settled = Vec::new();
        let mut warm = Vec::new();
        for (place, (name, sessions)) in names.into_iter().zip(groups).enumerate() {
            let (full, sessions) = self.full(target, name, sessions, &mut known).await?;
            phases.push(full);
            if place == 2 {
                warm = sessions;
            } else {
                settled.extend(sessions.into_iter().map(|session| (session, 0)));
            }
        }
        let (changed, warm) = self.changed(target, warm).await?;
        phases.push(changed);
        let checked_in: Vec<Agent> = warm.iter().map(|session| session.agent.clone()).collect();
        settled.extend(warm.into_iter().map(|session| (session, 1)));
        let agents =
            settled.iter().map(|(session, generation)| (session.agent.clone(), *generation)).collect();
        drive(settled, self.at_once, async |(session, _)| {
            session.hang_up().await;
            Ok::<(), LoadError>(())
        })
        .await;
        phases.push(self.check_in(target, checked_in).await?);
        Ok(Reported { phases, agents })
    }

    async fn enroll(
        &self,
        target: &Target,
        token: EnrollmentString,
        phases: &mut Vec<Phase>,
    ) -> Result<Vec<Agent>> {
        let token = Arc::new(token);
        let (work, shared) = (self.clone(), token.clone());
        let applicants = prepare(0..self.plan.devices, move |device| {
            let evidence = reports::evidence(&work.fleet, device);
            Applicant::new(device, &shared, evidence)
        })
        .await;
        let applicants = applicants.into_iter().collect::<Result<Vec<_>, _>>()?;
        let door = target.enroll.clone();
        let (agents, phase) = target
            .phase("enrolment: connection, token, certificate", applicants, self.at_once, move |applicant| {
                let (door, token) = (door.clone(), token.clone());
                async move { applicant.enroll(&door, &token).await }
            })
            .await?;
        phases.push(phase);
        if agents.is_empty() {
            bail!("no device could be enrolled: {:?}", phases.last().map(|phase| &phase.failures));
        }
        Ok(agents)
    }

    async fn open(
        &self,
        target: &Target,
        agents: Vec<Agent>,
        phases: &mut Vec<Phase>,
    ) -> Result<Vec<Session>> {
        let work = self.with_hello(agents.into_iter().map(|agent| (agent, None)).collect()).await;
        let door = target.agents.clone();
        let (sessions, phase) = target
            .phase("session opened: handshake, Hello, Welcome", work, self.at_once, move |(agent, hello)| {
                let door = door.clone();
                async move { agent.connect(&door, hello).await.map(|(session, _)| session) }
            })
            .await?;
        phases.push(phase);
        Ok(sessions)
    }

    async fn full(
        &self,
        target: &Target,
        name: &str,
        sessions: Vec<Session>,
        known: &mut HashSet<u32>,
    ) -> Result<(Phase, Vec<Session>)> {
        let mut new_packages = 0;
        for session in &sessions {
            let releases = self.fleet.releases(session.device, self.plan.choice(session.device), 0);
            let numbers = releases.into_iter().map(|release| release.number(self.fleet.shape()));
            new_packages += numbers.filter(|number| known.insert(*number)).count();
        }
        let count = sessions.len().max(1) as f64;
        let work = self.clone();
        let work = with(sessions, move |session: &Session| {
            reports::full(&work.fleet, session.device, work.plan.choice(session.device), 1)
        })
        .await;
        let (sessions, phase) = target.phase(name, work, self.at_once, acknowledged).await?;
        Ok((phase.bringing(new_packages as f64 / count).against(ocs::FIRST_FULL), sessions))
    }

    async fn changed(&self, target: &Target, sessions: Vec<Session>) -> Result<(Phase, Vec<Session>)> {
        let work = self.clone();
        let work = with(sessions, move |session: &Session| {
            reports::delta(&work.fleet, session.device, work.plan.choice(session.device), 1, 2)
        })
        .await;
        let percent = self.fleet.shape().changed_percent;
        let name = format!("{percent} % changed");
        let (sessions, phase) = target.phase(&name, work, self.at_once, acknowledged).await?;
        Ok((phase.against(ocs::UNCHANGED), sessions))
    }

    async fn check_in(&self, target: &Target, agents: Vec<Agent>) -> Result<Phase> {
        let work = self.with_hello(agents.into_iter().map(|agent| (agent, Some(1))).collect()).await;
        let door = target.agents.clone();
        let name = "unchanged check-in: handshake, Hello, Welcome";
        let (_, phase) = target
            .phase(name, work, self.at_once, move |(agent, hello)| {
                let door = door.clone();
                async move { agent.check_in(&door, hello).await }
            })
            .await?;
        Ok(phase.against(ocs::UNCHANGED))
    }

    /// Connects every agent again, claiming what was acknowledged, and leaves them idle.
    pub async fn idle(&self, target: &Target, agents: Vec<(Agent, u32)>) -> Result<Idle> {
        let before = self.resident(target).await?;
        let work = agents.into_iter().map(|(agent, generation)| (agent, Some(generation))).collect();
        let work = self.with_hello(work).await;
        let door = target.agents.clone();
        let (sessions, connected) = target
            .phase("after a restart: every device in sync", work, self.at_once, move |(agent, hello)| {
                let door = door.clone();
                async move {
                    let (session, welcome) = agent.connect(&door, hello).await?;
                    if welcome.wanted.is_empty() {
                        return Ok(session);
                    }
                    Err(LoadError::Wanted { sections: welcome.wanted.join(", ") })
                }
            })
            .await?;
        let after = self.resident(target).await?;
        let idle = sessions.len() as u64;
        let beats: Vec<(Arc<Session>, i64)> = sessions
            .into_iter()
            .map(Arc::new)
            .flat_map(|session| (0..HEARTBEATS).map(move |beat| (session.clone(), beat)))
            .collect();
        let (_sessions, beaten) = target
            .phase("heartbeat of an idle agent", beats, self.at_once, async |(session, beat)| {
                session.send(reports::heartbeat(beat)).await?;
                Ok(session)
            })
            .await?;
        let memory = Memory {
            idle_agents: idle,
            before_bytes: before,
            after_bytes: after,
            bytes_per_agent: after.saturating_sub(before) / idle.max(1),
        };
        Ok(Idle { phases: vec![connected.against(ocs::UNCHANGED), beaten], memory })
    }

    async fn resident(&self, target: &Target) -> Result<u64> {
        target.meter.at_rest().await?;
        target.meter.resident().context("cannot read the collector's memory")
    }

    /// Each agent with its first message, claiming a generation.
    async fn with_hello(&self, agents: Vec<(Agent, Option<u32>)>) -> Vec<(Agent, muster_proto::v1::Hello)> {
        let work = self.clone();
        let said = with(agents, move |(agent, claimed): &(Agent, Option<u32>)| {
            reports::hello(&work.fleet, agent.device, work.plan.choice(agent.device), *claimed)
        })
        .await;
        said.into_iter().map(|((agent, _), hello)| (agent, hello)).collect()
    }
}

/// What the second part found.
#[derive(Debug)]
pub struct Idle {
    /// Its phases.
    pub phases: Vec<Phase>,
    /// Its memory.
    pub memory: Memory,
}

/// Everything that the scenario found.
#[derive(Debug, Serialize)]
pub struct Results {
    /// Where.
    pub machine: MachineFacts,
    /// Devices of the fleet.
    pub devices: u64,
    /// Packages on each.
    pub packages: u32,
    /// Titles that they are drawn from.
    pub titles: u32,
    /// Agents that talked at once.
    pub at_once: usize,
    /// The fleet's seed.
    pub seed: u64,
    /// In the order in which they ran.
    pub phases: Vec<Phase>,
    /// Of idle agents.
    pub memory: Memory,
    /// On disk.
    pub at_rest: AtRest,
    /// From the start of a collector that knows the fleet until it was ready.
    pub restart_ms: u64,
    /// Devices whose full report was acknowledged.
    pub acknowledged: u64,
    /// Devices that a restarted collector agrees about.
    pub in_sync_after_restart: u64,
}

/// Runs the scenario against a collector of its own.
pub async fn run(arguments: Arguments) -> Result<()> {
    let Arguments { devices, quick, packages, titles, at_once, seed, folder } = arguments;
    let devices = if quick { 400 } else { devices };
    let shape = Shape { seed, titles, packages, ..Shape::default() };
    let work = Work::new(shape, devices, at_once);
    let data = folder.join("ingest");
    if data.exists() {
        std::fs::remove_dir_all(&data).with_context(|| format!("cannot delete {}", data.display()))?;
    }
    let place = Place::init(&data)?;

    let token = place.token(work.devices())?;
    let collector = place.serve()?;
    let target = Target::new(collector.addresses().agents, collector.addresses().enroll, collector.meter())?;
    let Reported { mut phases, agents } = work.report(&target, token).await?;
    collector.stop()?;

    let store = place.data().join("store");
    let at_rest = AtRest {
        journal_bytes: disk_usage(&store.join("journal"))?,
        view_bytes: disk_usage(&store.join("view"))?,
        all_bytes: disk_usage(&place.data())?,
    };
    let acknowledged = agents.len() as u64;
    let collector = place.serve()?;
    let restart_ms = collector.started_in().as_millis() as u64;
    let target = Target::new(collector.addresses().agents, collector.addresses().enroll, collector.meter())?;
    let Idle { phases: idle, memory } = work.idle(&target, agents).await?;
    collector.stop()?;

    let in_sync_after_restart = memory.idle_agents;
    phases.extend(idle);
    let results = Results {
        machine: MachineFacts::here(),
        devices: work.devices(),
        packages: work.fleet.shape().packages,
        titles,
        at_once,
        seed,
        phases,
        memory,
        at_rest,
        restart_ms,
        acknowledged,
        in_sync_after_restart,
    };
    table::print_ingest(&results);
    write_json(&folder.join("ingest.json"), &results)?;
    if in_sync_after_restart != results.devices {
        bail!(
            "{} of {} devices are not as they were acknowledged",
            results.devices - in_sync_after_restart,
            results.devices
        );
    }
    Ok(())
}

async fn acknowledged(
    (mut session, envelopes): (Session, Vec<muster_proto::v1::Envelope>),
) -> Result<Session, LoadError> {
    session.report(envelopes).await?;
    Ok(session)
}
