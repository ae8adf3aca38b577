//! The proof that what the collector acknowledged is there after kill -9 and after the loss of power, once.
//!
//! Knows nothing of how anything is kept. The real programs run: a collector that is ended at a seeded moment, and a
//! fleet of its own process that speaks the real protocol, hears each acknowledgement, comes back after the restart and
//! asks. What it was promised is compared with what it and an operator are told then. The last row removes the one sync
//! on which it all rests: then something must be lost, or the proof itself is blind.

mod agent;
mod client;
mod ledger;
mod place;
mod table;
mod view;

use std::env;
use std::fs;
use std::path::{Path, PathBuf};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use clap::Parser;

use self::client::Client;
use self::ledger::{Ledger, Verdict};
use self::place::{Collector, Place, Programs};
use self::table::Row;
use self::view::Damage;
use super::disk::Disk;
use crate::root;
use crate::steps::{cargo, shown};

/// How large the disk is whose power is cut.
const DISK_MIB: u64 = 512;
/// With nobody acknowledged for so long, the collector waits at its fail point.
const QUIET: Duration = Duration::from_millis(400);
/// Groups that go well before the fail point: the sessions are open by then.
const GROUPS_FIRST: u64 = 100;
/// Losses of the last row.
const BLIND_ROUNDS: u64 = 3;
/// The proof is no proof with fewer acknowledgements over 50 kills.
const ENOUGH: u64 = 10_000;

/// Options of the proof.
#[derive(Debug, Parser)]
#[command(name = "durability", no_binary_name = true)]
struct Options {
    /// How often the collector is killed
    #[arg(long, default_value_t = 60)]
    kills: u64,
    /// How often the power is lost
    #[arg(long, default_value_t = 20)]
    power_losses: u64,
    /// How often the agent is killed
    #[arg(long, default_value_t = 24)]
    agent_kills: u64,
    /// How often the view is deleted or damaged
    #[arg(long, default_value_t = 8)]
    damaged_views: u64,
    /// Machines that report
    #[arg(long, default_value_t = 40)]
    devices: u64,
    /// Decides each moment
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// With the programs that lie beside this one, whose fail points may be missing: kills come at any moment
    #[arg(long)]
    at_hand: bool,
}

/// When the end comes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Moment {
    /// Whatever it is doing.
    Any,
    /// A group of changes is written and not yet synced.
    BeforeSync,
}

/// How the end comes.
#[derive(Debug, Clone, Copy)]
enum End<'a> {
    Kill,
    PowerLoss(&'a Disk),
}

/// One row's fault.
#[derive(Debug, Clone, Copy)]
struct Fault<'a> {
    end: End<'a>,
    moment: Moment,
    damage: bool,
    points: &'a str,
}

pub(super) fn run(words: &[String]) -> Result<()> {
    let options = Options::try_parse_from(words)?;
    let programs = if options.at_hand {
        let own = env::current_exe().context("cannot tell where this program lies")?;
        Programs::in_folder(own.parent().context("a program lies in a folder")?)?
    } else {
        let points = ["--features", "muster-collector/failpoints"];
        let build = ["build", "--workspace", "--exclude", "xtask", "--bins"];
        shown(&mut cargo(&[build.as_slice(), points.as_slice()].concat()))?;
        Programs::in_folder(&target().join("debug"))?
    };
    let folder = env::temp_dir().join(format!("muster-durability-{}", std::process::id()));
    fs::create_dir_all(&folder)?;
    let client = Client::start(&programs, options.devices, options.seed)?;
    let result = Proof { random: Random(options.seed), options, programs, client }.run(&folder);
    fs::remove_dir_all(&folder).with_context(|| format!("cannot remove {}", folder.display()))?;
    result
}

fn target() -> PathBuf {
    env::var_os("CARGO_TARGET_DIR").map_or_else(|| root().join("target"), PathBuf::from)
}

struct Proof {
    options: Options,
    programs: Programs,
    client: Client,
    random: Random,
}

impl Proof {
    fn run(mut self, folder: &Path) -> Result<()> {
        let started = Instant::now();
        table::head();
        let mut holds = true;
        let Options { kills, power_losses, agent_kills, damaged_views, at_hand, .. } = self.options;
        let before_sync = if at_hand { 0 } else { kills / 2 };
        let any = Fault { end: End::Kill, moment: Moment::Any, damage: false, points: "" };
        let mut acknowledged = 0;
        for (name, fault, rounds) in [
            ("kill -9 of the collector at any moment", any, kills - before_sync),
            ("kill -9 between append and sync", Fault { moment: Moment::BeforeSync, ..any }, before_sync),
            ("kill -9, the view deleted or damaged", Fault { damage: true, ..any }, damaged_views),
        ] {
            if rounds > 0 {
                let row = self.row(&folder.join("killed"), fault, rounds)?;
                acknowledged += row.acknowledged.unwrap_or_default();
                holds &= row.show(name);
            }
        }
        if agent_kills > 0 {
            let place = folder.join("agent-killed");
            let row = agent::row(&self.programs, &place, agent_kills, &mut self.client, &mut self.random)?;
            holds &= row.show("kill -9 of the agent");
        }
        match Disk::missing() {
            _ if power_losses == 0 => {}
            Some(why) => println!("skipped: power loss: {why}"),
            None => holds &= self.power_losses(&Disk::new(folder, DISK_MIB)?, power_losses)?,
        }
        println!("seed {}, {:.0} s", self.options.seed, started.elapsed().as_secs_f64());
        if !holds {
            bail!("acknowledged is not durable, see the table");
        }
        if kills >= 50 && acknowledged < ENOUGH {
            bail!("only {acknowledged} reports were acknowledged around the kills, which proves too little");
        }
        Ok(())
    }

    fn power_losses(&mut self, disk: &Disk, losses: u64) -> Result<bool> {
        let mut holds = true;
        let folder = disk.path().join("collector");
        let any = Fault { end: End::PowerLoss(disk), moment: Moment::Any, damage: false, points: "" };
        for (name, moment, rounds) in [
            ("power loss at any moment", Moment::Any, losses - losses / 2),
            ("power loss between append and sync", Moment::BeforeSync, losses / 2),
        ] {
            if rounds > 0 {
                holds &= self.row(&folder, Fault { moment, ..any }, rounds)?.show(name);
            }
        }
        let mut blind = Row::default();
        for _ in 0..BLIND_ROUNDS {
            blind.add(self.row(&folder, Fault { points: "journal-skip-sync=return", ..any }, 1)?);
        }
        blind.show("power loss, the sync removed: must lose");
        if blind.verdict.lost == 0 {
            bail!("nothing was lost although nothing was synced: this proof sees nothing");
        }
        Ok(holds)
    }

    /// A new collector in this folder, ended so many times; after each end what is there is compared.
    fn row(&mut self, folder: &Path, fault: Fault<'_>, rounds: u64) -> Result<Row> {
        let place = Place::init(folder, &self.programs)?;
        let token = place.token(self.options.devices)?;
        let collector = place.serve("")?;
        self.client.enroll(&collector.enroll, &token)?;
        collector.kill()?;
        let mut ledger = Ledger::default();
        let mut row = Row { acknowledged: Some(0), ..Row::default() };
        for _ in 0..rounds {
            let collector = place.serve(&self.points(fault))?;
            row.verdict.add(self.compare(&place, &collector, &mut ledger)?);
            let lines = self.end(collector, fault)?;
            *row.acknowledged.get_or_insert_default() += ledger.hear(&lines)?;
            row.rounds += 1;
            if fault.damage {
                let damage = if row.rounds.is_multiple_of(2) { Damage::Deleted } else { Damage::Flipped };
                damage.apply(&place.view(), &mut self.random)?;
            }
            if !row.verdict.is_clean() {
                return Ok(row);
            }
        }
        match place.serve("") {
            Ok(collector) => {
                row.verdict.add(self.compare(&place, &collector, &mut ledger)?);
                let told = self.client.history(&collector.api, &place.operator())?;
                row.verdict.add(ledger.compare_history(&told));
                collector.kill()?;
            }
            Err(error) => {
                println!("   {error:#}");
                row.verdict.add(ledger.all_lost());
            }
        }
        Ok(row)
    }

    /// The fail points of one round.
    fn points(&mut self, fault: Fault<'_>) -> String {
        match fault.moment {
            Moment::Any => fault.points.to_owned(),
            // Some groups go well, and then one lies written and unsynced until the end.
            Moment::BeforeSync => {
                let groups = GROUPS_FIRST + self.random.below(100);
                format!("journal-written={groups}*off->sleep(60000)")
            }
        }
    }

    /// Brings every machine back, asks as an operator, and compares both with what was promised.
    fn compare(&mut self, place: &Place, collector: &Collector, ledger: &mut Ledger) -> Result<Verdict> {
        let mut verdict = ledger.compare(&self.client.connect(&collector.agents)?);
        let listed = self.client.list(&collector.api, &place.operator())?;
        verdict.add(ledger.compare_list(self.options.devices, &listed));
        Ok(verdict)
    }

    /// Lets the machines report, and ends the collector; what was said before the end began.
    fn end(&mut self, collector: Collector, fault: Fault<'_>) -> Result<Vec<String>> {
        self.client.begin_load()?;
        match fault.moment {
            Moment::Any => thread::sleep(Duration::from_millis(50 + self.random.below(1200))),
            Moment::BeforeSync => {
                if !self.client.falls_silent(QUIET) {
                    bail!("the fail point between append and sync was not reached");
                }
            }
        }
        let mut heard = usize::MAX;
        match fault.end {
            End::Kill => drop(collector.kill()?),
            End::PowerLoss(disk) => {
                disk.cut_power(|| heard = self.client.heard())?;
                collector.kill()?;
            }
        }
        let lines = self.client.end_load(heard)?;
        if let End::PowerLoss(disk) = fault.end {
            disk.restart()?;
        }
        Ok(lines)
    }
}

/// A small generator (splitmix64).
#[derive(Debug)]
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mixed = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    fn below(&mut self, limit: u64) -> u64 {
        self.next() % limit.max(1)
    }
}
