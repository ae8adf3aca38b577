//! The proof that what the embedded store acknowledged is there after kill -9 and after the loss of power.
//!
//! Knows nothing of the store's files. It runs the torture example with fail points, hears each acknowledgement through
//! a pipe, ends the process or its disk at a seeded moment, and compares what is left with what it heard. The last part
//! removes the one sync on which it all rests: then something must be lost, or the proof itself is blind.

use std::env;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use clap::Parser;

use super::disk::Disk;
use super::oracle::{Oracle, Verdict};
use super::victim::Victim;
use crate::root;
use crate::steps::{cargo, shown};

/// After so many rounds a new store begins, so that reading all of it stays quick.
const ROUNDS_OF_A_STORE: u64 = 8;
/// How large the disk is whose power is cut.
const DISK_MIB: u64 = 512;

/// Options of the proof.
#[derive(Debug, Parser)]
#[command(name = "store-durability", no_binary_name = true)]
struct Options {
    /// How often the process is killed
    #[arg(long, default_value_t = 60)]
    kills: u64,
    /// How often the power is lost
    #[arg(long, default_value_t = 20)]
    power_losses: u64,
    /// Decides each moment
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// How many tasks commit at once
    #[arg(long, default_value_t = 16)]
    tasks: u64,
}

/// When the end comes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Moment {
    /// Whatever it is doing.
    Any,
    /// A group of commits is written and not yet synced.
    BeforeSync,
}

/// How the end comes.
#[derive(Debug, Clone, Copy)]
enum End<'a> {
    Kill,
    PowerLoss(&'a Disk),
}

/// What a row of the table adds up.
#[derive(Debug, Default)]
struct Row {
    rounds: u64,
    acknowledged: u64,
    unopened: u64,
    /// Starts that found the view older than its checkpoint, or damaged.
    views_brought_up: u64,
    verdict: Verdict,
}

pub(super) fn run(words: &[String]) -> Result<()> {
    let options = Options::try_parse_from(words)?;
    shown(&mut cargo(&["build", "--package", "muster-collector", "--example", "store_torture"]))?;
    let folder = env::temp_dir().join(format!("muster-store-durability-{}", std::process::id()));
    fs::create_dir_all(&folder)?;
    let result = Proof { options, program: program(), random: 0 }.run(&folder);
    fs::remove_dir_all(&folder).with_context(|| format!("cannot remove {}", folder.display()))?;
    result
}

fn program() -> PathBuf {
    let target = env::var_os("CARGO_TARGET_DIR").map_or_else(|| root().join("target"), PathBuf::from);
    target.join("debug/examples/store_torture")
}

struct Proof {
    options: Options,
    program: PathBuf,
    random: u64,
}

impl Proof {
    fn run(mut self, folder: &Path) -> Result<()> {
        self.random = self.options.seed;
        let started = Instant::now();
        head();
        let mut holds = true;
        let kills = self.options.kills;
        for (name, moment, rounds) in [
            ("kill -9 at any moment", Moment::Any, kills - kills / 2),
            ("kill -9 between write and sync", Moment::BeforeSync, kills / 2),
        ] {
            let row = self.rounds(&folder.join("killed"), End::Kill, moment, rounds, "")?;
            holds &= show(name, &row);
        }
        let losses = self.options.power_losses;
        match Disk::missing() {
            _ if losses == 0 => {}
            Some(why) => println!("skipped: power loss: {why}"),
            None => holds &= self.power_losses(&Disk::new(folder, DISK_MIB)?, losses)?,
        }
        println!("seed {}, {:.0} s", self.options.seed, started.elapsed().as_secs_f64());
        if !holds {
            bail!("acknowledged is not durable, see the table");
        }
        Ok(())
    }

    fn power_losses(&mut self, disk: &Disk, losses: u64) -> Result<bool> {
        let mut holds = true;
        let end = End::PowerLoss(disk);
        for (name, moment, rounds) in [
            ("power loss at any moment", Moment::Any, losses - losses / 2),
            ("power loss between write and sync", Moment::BeforeSync, losses / 2),
        ] {
            let row = self.rounds(&disk.path(), end, moment, rounds, "")?;
            holds &= show(name, &row);
        }
        let without = "journal-skip-sync=return";
        let row = self.rounds(&disk.path(), end, Moment::Any, losses.min(5), without)?;
        show("power loss, the sync removed: must lose", &row);
        if row.verdict.lost == 0 {
            bail!("nothing was lost although nothing was synced: this proof sees nothing");
        }
        Ok(holds)
    }

    /// So many rounds over one store after the other under `folder`.
    fn rounds(
        &mut self,
        folder: &Path,
        end: End<'_>,
        moment: Moment,
        rounds: u64,
        points: &str,
    ) -> Result<Row> {
        let mut row = Row::default();
        let mut oracle = Oracle::default();
        let store = folder.join("store");
        let mut was_clean = true;
        for round in 0..rounds {
            if round % ROUNDS_OF_A_STORE == 0 || !was_clean {
                oracle = Oracle::default();
                if store.exists() {
                    fs::remove_dir_all(&store)?;
                }
            }
            let lines = self.round(&store, end, moment, points)?;
            row.acknowledged += oracle.hear(&lines);
            row.rounds += 1;
            let dump =
                Command::new(&self.program).arg("dump").arg(&store).env("RUST_BACKTRACE", "0").output()?;
            let text = String::from_utf8_lossy(&dump.stdout);
            let verdict = if dump.status.success() {
                let found_old = |line: &str| line.contains("WentBack") || line.contains("Damaged");
                row.views_brought_up += u64::from(text.lines().next().is_some_and(found_old));
                oracle.compare(text.lines())
            } else {
                row.unopened += 1;
                println!("   {}", String::from_utf8_lossy(&dump.stderr).trim());
                oracle.all_lost()
            };
            row.verdict.add(verdict);
            was_clean = verdict.is_clean();
            if !was_clean && points.is_empty() {
                break;
            }
        }
        Ok(row)
    }

    /// Starts the torture, ends it, and returns what it said before the end began.
    fn round(&mut self, store: &Path, end: End<'_>, moment: Moment, points: &str) -> Result<Vec<String>> {
        let mut points = points.to_owned();
        if moment == Moment::BeforeSync {
            // Some groups go well, and then one lies written and unsynced until the end.
            points.push_str(&format!("journal-written={}*off->sleep(60000)", 1 + self.next() % 60));
        }
        let mut command = Command::new(&self.program);
        command.arg("run").arg(store).arg(self.options.tasks.to_string()).arg("60").env("FAILPOINTS", points);
        let mut victim = Victim::start(&mut command)?;
        let began = victim.wait_for(1);
        match (&began, moment) {
            (Err(_), _) => {}
            (Ok(()), Moment::Any) => thread::sleep(Duration::from_millis(20 + self.next() % 800)),
            (Ok(()), Moment::BeforeSync) => {
                if !victim.wait_for_silence(Duration::from_millis(200)) {
                    bail!("the fail point between write and sync was not reached");
                }
            }
        }
        let mut heard = usize::MAX;
        if let End::PowerLoss(disk) = end {
            disk.cut_power(|| heard = victim.heard())?;
        }
        let (mut lines, complaint) = victim.kill()?;
        lines.truncate(heard);
        if let End::PowerLoss(disk) = end {
            disk.restart()?;
        }
        began.with_context(|| format!("the store did not open: {complaint}"))?;
        // A disk without power makes the store fail, and it may say so; a kill gives it no time.
        if matches!(end, End::Kill) && !complaint.is_empty() {
            bail!("it complained before it was killed: {complaint}");
        }
        Ok(lines)
    }

    /// The next number of a small generator (splitmix64).
    fn next(&mut self) -> u64 {
        self.random = self.random.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mixed = (self.random ^ (self.random >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }
}

impl Verdict {
    fn add(&mut self, other: Self) {
        let Self { lost, duplicated, missing, went_back, damaged, stale } = other;
        self.lost += lost;
        self.duplicated += duplicated;
        self.missing += missing;
        self.went_back += went_back;
        self.damaged += damaged;
        self.stale += stale;
    }
}

fn head() {
    println!(
        "{:<40} {:>6} {:>12} {:>6} {:>10} {:>7} {:>7} {:>5} {:>8} {:>8}",
        "how it ended",
        "rounds",
        "acknowledged",
        "lost",
        "duplicated",
        "missing",
        "damaged",
        "stale",
        "unopened",
        "old view"
    );
}

/// Prints a row; whether nothing was wrong.
fn show(name: &str, row: &Row) -> bool {
    let Row { rounds, acknowledged, unopened, views_brought_up, verdict } = row;
    let Verdict { lost, duplicated, missing, went_back, damaged, stale } = verdict;
    println!(
        "{name:<40} {rounds:>6} {acknowledged:>12} {lost:>6} {:>10} {missing:>7} {damaged:>7} {stale:>5} {unopened:>8} \
         {views_brought_up:>8}",
        duplicated + went_back
    );
    verdict.is_clean() && *unopened == 0
}
