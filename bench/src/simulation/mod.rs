//! Two years in the life of a fleet, with the truth known: does every machine stay one device, and none become two?
//!
//! A seeded simulation makes machines, lets happen to them what happens to machines (boards and disks are swapped,
//! systems re-installed, images copied, firmware forgets), and sends what their agents and their invoices say down a
//! [`Road`]. It alone knows which physical machine each word came from, and so can count what the road got wrong. Knows
//! nothing of how the road decides: the one in memory and the real pipeline are asked alike.

mod endpoint;
mod happening;
mod score;
mod world;

use std::fmt;

use muster_collector::testing::Road;

use world::World;

/// What is simulated.
#[derive(Debug, Clone, Copy)]
pub struct Settings {
    /// Machines at the beginning; replacements and copies come on top.
    pub machines: usize,
    /// Simulated days.
    pub days: u32,
    /// The same seed is the same history.
    pub seed: u64,
}

/// What came out.
#[derive(Debug, Clone, Default)]
pub struct Summary {
    /// Machines that existed.
    pub machines: usize,
    /// Reports and rows.
    pub observations: u64,
    /// How often each kind of thing happened, the commonest first.
    pub happenings: Vec<(&'static str, u64)>,
    /// Devices that hold what more than one machine said, counted once for each machine too many.
    pub false_merges: u64,
    /// After what.
    pub merged_after: Vec<(&'static str, u64)>,
    /// Machines known as more than one device, counted once for each device too many.
    pub false_splits: u64,
    /// After what.
    pub split_after: Vec<(&'static str, u64)>,
    /// Decisions left to a person.
    pub conflicts: u64,
    /// After what.
    pub conflicts_after: Vec<(&'static str, u64)>,
}

impl Summary {
    /// False splits for each hundred machines.
    pub fn split_percent(&self) -> f64 {
        if self.machines == 0 {
            return 0.0;
        }
        #[expect(clippy::cast_precision_loss, reason = "a rate for people; the counts are far below 2^52")]
        let percent = self.false_splits as f64 * 100.0 / self.machines as f64;
        percent
    }

    /// Whether the claim holds: no false merge, and at most one false split for each thousand machines.
    pub fn holds(&self) -> bool {
        self.false_merges == 0 && self.split_percent() <= 0.1
    }
}

impl fmt::Display for Summary {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let list = |f: &mut fmt::Formatter<'_>, counts: &[(&'static str, u64)]| {
            counts.iter().try_for_each(|(name, count)| writeln!(f, "    {name:<44} {count:>9}"))
        };
        writeln!(f, "{:<48} {:>9}", "machines", self.machines)?;
        writeln!(f, "{:<48} {:>9}", "observations", self.observations)?;
        writeln!(f, "what happened")?;
        list(f, &self.happenings)?;
        writeln!(f, "{:<48} {:>9}", "false merges", self.false_merges)?;
        list(f, &self.merged_after)?;
        writeln!(
            f,
            "{:<48} {:>9}  ({:.3} % of machines)",
            "false splits",
            self.false_splits,
            self.split_percent()
        )?;
        list(f, &self.split_after)?;
        writeln!(f, "{:<48} {:>9}", "left to a person", self.conflicts)?;
        list(f, &self.conflicts_after)
    }
}

/// Lives through the time and counts.
pub fn run(settings: &Settings, road: &mut dyn Road) -> Summary {
    World::new(settings).live(road)
}
