//! The load of the durability proof: a fleet that outlives its collector and says aloud what it was promised.
//!
//! It does what its standard input says, a line at a time, and prints a line for each thing that it hears; it judges
//! nothing. Knows no process but itself: whoever kills the collector also compares. Keys and certificates stay in
//! memory, so that every round is the same machines coming back.
//!
//! | told | prints |
//! |---|---|
//! | `enroll ADDRESS TOKEN` | `enrolled COUNT` |
//! | `connect ADDRESS` | `welcome DEVICE ID SEQUENCE DIGEST WANTED` or `refused DEVICE WHY` for each, then `connected` |
//! | `load` | `ack DEVICE EPOCH SEQUENCE DIGEST`, `fault DEVICE WHAT`, then `idle` once every session has ended |
//! | `list ADDRESS FOLDER` | `device ID AGENTS SOFTWARE` for each, then `listed` |
//! | `history ADDRESS FOLDER` | `history ID ADDED` for each, then `told` |

#![expect(clippy::print_stdout, reason = "what it prints is what it is for")]

use std::{io, net::SocketAddr, path::Path, sync::Arc};

use anyhow::{Context, Result, bail};
use muster_common::{time::SystemClock, trust::token::EnrollmentString};
use muster_proto::{
    client::{files::IdentityFiles, tls::session_config},
    v1::{self, query_client::QueryClient},
};
use tokio::task::JoinSet;
use tonic::transport::Channel;

use super::collector::SERVER_NAME;
use crate::load::{
    agent::{Agent, Applicant, LoadError, Session},
    door::Door,
    restless::Restless,
};

/// Entries asked for at once.
const PAGE: i32 = 1000;

/// Options of the load.
#[derive(Debug, Clone, clap::Args)]
pub struct Arguments {
    /// Machines, each with a certificate of its own
    #[arg(long, default_value_t = 40)]
    pub devices: u64,
    /// Two runs of one seed have the same machines
    #[arg(long, default_value_t = 1)]
    pub seed: u64,
}

/// A machine between two sessions.
#[derive(Debug, Clone)]
struct Machine {
    agent: Agent,
    /// The last report that was sent, whether or not it was acknowledged.
    sent: u64,
}

/// A machine in a session.
struct Open {
    machine: Machine,
    session: Session,
    welcome: v1::Welcome,
}

/// Does what standard input says until it ends.
pub async fn run(arguments: &Arguments) -> Result<()> {
    let mut load = Load {
        restless: Arc::new(Restless::new(arguments.seed)),
        devices: arguments.devices,
        machines: Vec::new(),
        open: Vec::new(),
    };
    for line in io::stdin().lines() {
        let line = line.context("cannot read what to do")?;
        match *line.split_whitespace().collect::<Vec<_>>() {
            ["enroll", address, token] => load.enroll(&door(address)?, token).await?,
            ["connect", address] => load.connect(&door(address)?).await,
            ["load"] => load.load().await,
            ["list", address, folder] => list(query(address, folder).await?).await?,
            ["history", address, folder] => history(query(address, folder).await?).await?,
            _ => bail!("{line:?} is nothing that this does; see --help"),
        }
    }
    Ok(())
}

struct Load {
    restless: Arc<Restless>,
    devices: u64,
    machines: Vec<Machine>,
    open: Vec<Open>,
}

impl Load {
    /// New certificates for all machines; earlier ones are forgotten.
    async fn enroll(&mut self, door: &Door, token: &str) -> Result<()> {
        let token: EnrollmentString = token.parse().context("the token can't be used")?;
        (self.machines, self.open) = (Vec::new(), Vec::new());
        for device in 0..self.devices {
            let applicant = Applicant::new(device, &token, self.restless.evidence(device))?;
            let agent = applicant.enroll(door, &token).await?;
            self.machines.push(Machine { agent, sent: 0 });
        }
        println!("enrolled {}", self.machines.len());
        Ok(())
    }

    /// Opens a session for every machine.
    async fn connect(&mut self, door: &Door) {
        let mut opening = JoinSet::new();
        for machine in &self.machines {
            let (restless, machine, door) = (self.restless.clone(), machine.clone(), door.clone());
            opening.spawn(async move {
                let device = machine.agent.device;
                (device, open(&restless, machine, &door).await)
            });
        }
        self.open.clear();
        while let Some(opened) = opening.join_next().await {
            match opened {
                Ok((device, Ok(open))) => {
                    let v1::Welcome { device_id, durable_sequence, wanted, .. } = &open.welcome;
                    let digest = self.restless.digests(device, *durable_sequence);
                    let wanted = if wanted.is_empty() { "-".to_owned() } else { wanted.join(",") };
                    println!("welcome {device} {device_id} {durable_sequence} {digest} {wanted}");
                    self.open.push(open);
                }
                Ok((device, Err(error))) => println!("refused {device} {:#}", anyhow::Error::from(error)),
                Err(error) => println!("refused - {error}"),
            }
        }
        println!("connected");
    }

    /// Reports on every open session until it ends.
    async fn load(&mut self) {
        let mut reporting = JoinSet::new();
        for open in self.open.drain(..) {
            let restless = self.restless.clone();
            reporting.spawn(async move { report(&restless, open).await });
        }
        while let Some(ended) = reporting.join_next().await {
            match ended {
                Ok((device, sent)) => {
                    let known = self.machines.iter_mut().find(|machine| machine.agent.device == device);
                    if let Some(machine) = known {
                        machine.sent = sent;
                    }
                }
                Err(error) => println!("fault - {error}"),
            }
        }
        println!("idle");
    }
}

/// Connects, claiming what was sent last; where the collector is elsewhere, once more claiming exactly what it has.
async fn open(restless: &Restless, machine: Machine, door: &Door) -> Result<Open, LoadError> {
    let device = machine.agent.device;
    let (session, welcome) = machine.agent.connect(door, restless.hello(device, machine.sent)).await?;
    if welcome.durable_sequence == machine.sent {
        return Ok(Open { machine, session, welcome });
    }
    session.hang_up().await;
    let claimed = restless.hello(device, welcome.durable_sequence);
    let (session, welcome) = machine.agent.connect(door, claimed).await?;
    Ok(Open { machine, session, welcome })
}

/// Reports until the session ends; the last report that was sent.
///
/// The newest one that the collector has is sent again first, as after an acknowledgement that was lost on the way.
async fn report(restless: &Restless, open: Open) -> (u64, u64) {
    let Open { machine, mut session, welcome } = open;
    let device = machine.agent.device;
    let epoch: String = restless.epoch(device).iter().map(|byte| format!("{byte:02x}")).collect();
    let mut sequence = welcome.durable_sequence.max(1);
    loop {
        match session.report(restless.report(device, sequence)).await {
            Ok(()) => {
                println!("ack {device} {epoch} {sequence} {}", restless.digests(device, sequence));
                sequence += 1;
            }
            Err(LoadError::Refused { .. } | LoadError::Ended { .. }) => return (device, sequence),
            Err(error) => {
                println!("fault {device} {:#}", anyhow::Error::from(error));
                return (device, sequence);
            }
        }
    }
}

/// Every device that an operator sees.
async fn list(mut query: QueryClient<Channel>) -> Result<()> {
    for device in devices(&mut query).await? {
        let v1::Device { name, agents, software_count, .. } = device;
        println!("device {} {} {software_count}", id_of(&name), agents.len());
    }
    println!("listed");
    Ok(())
}

/// How many packages were added on each device, over all of its history.
async fn history(mut query: QueryClient<Channel>) -> Result<()> {
    for device in devices(&mut query).await? {
        let mut added = 0;
        let mut request = v1::ListDeviceHistoryRequest {
            parent: device.name.clone(),
            page_size: PAGE,
            page_token: String::new(),
        };
        loop {
            let page = query.list_device_history(request.clone()).await?.into_inner();
            added += page.entries.iter().map(|entry| u64::from(entry.software_added)).sum::<u64>();
            if page.next_page_token.is_empty() {
                break;
            }
            request.page_token = page.next_page_token;
        }
        println!("history {} {added}", id_of(&device.name));
    }
    println!("told");
    Ok(())
}

async fn devices(query: &mut QueryClient<Channel>) -> Result<Vec<v1::Device>> {
    let mut devices = Vec::new();
    let mut request = v1::ListDevicesRequest { page_size: PAGE, ..Default::default() };
    loop {
        let page = query.list_devices(request.clone()).await?.into_inner();
        devices.extend(page.devices);
        if page.next_page_token.is_empty() {
            return Ok(devices);
        }
        request.page_token = page.next_page_token;
    }
}

/// The api with the identity of an operator.
async fn query(address: &str, folder: &str) -> Result<QueryClient<Channel>> {
    let files = IdentityFiles::read(Path::new(folder))?;
    let config = session_config(&files.roots, files.identity, Arc::new(SystemClock))?;
    let channel = door(address)?.open(Arc::new(config)).await?;
    Ok(QueryClient::new(channel).max_decoding_message_size(64 << 20))
}

fn door(address: &str) -> Result<Door> {
    let address: SocketAddr = address.parse().with_context(|| format!("{address:?} is no address"))?;
    Ok(Door::new(address, SERVER_NAME, Arc::default())?)
}

fn id_of(name: &str) -> &str {
    name.strip_prefix("devices/").unwrap_or(name)
}
