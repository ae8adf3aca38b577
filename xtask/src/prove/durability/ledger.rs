//! What the collector promised, as heard from outside, and the comparison with what it says afterwards.
//!
//! Knows nothing of processes and disks. A report counts as lost when it was acknowledged and the collector is behind
//! it, holds something else, or asks for it again; as there twice when a device, an agent or a change is.

use std::collections::{BTreeMap, BTreeSet};

use anyhow::{Result, bail};

/// Packages that every machine has.
const PACKAGES: u64 = 20;

/// What one machine was told when it came back.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Welcome {
    pub(super) machine: u64,
    pub(super) id: String,
    /// Every report up to this one is durable, says the collector.
    pub(super) sequence: u64,
    /// What the machine claimed to be there.
    pub(super) digest: String,
    /// Whether the collector holds just that.
    pub(super) agrees: bool,
}

/// A device as operators see it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Listed {
    pub(super) id: String,
    pub(super) agents: u64,
    pub(super) software: u64,
}

/// What a device's history adds up to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Told {
    pub(super) id: String,
    /// Packages that were added, the first ones included.
    pub(super) added: u64,
}

/// What was promised.
#[derive(Debug, Default)]
pub(super) struct Ledger {
    /// The newest acknowledged report of each machine, and its digest.
    acknowledged: BTreeMap<u64, (u64, String)>,
    ids: BTreeMap<u64, String>,
    /// How far the collector said that it is, by device.
    durable: BTreeMap<String, u64>,
}

/// What is wrong.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
pub(super) struct Verdict {
    pub(super) lost: u64,
    pub(super) duplicated: u64,
}

impl Welcome {
    /// Reads `welcome MACHINE ID SEQUENCE DIGEST WANTED`.
    pub(super) fn parse(line: &str) -> Option<Self> {
        let [machine, id, sequence, digest, wanted] = words(line, "welcome ")?;
        Some(Self {
            machine: machine.parse().ok()?,
            id: id.to_owned(),
            sequence: sequence.parse().ok()?,
            digest: digest.to_owned(),
            agrees: wanted == "-",
        })
    }
}

impl Listed {
    /// Reads `device ID AGENTS SOFTWARE`.
    pub(super) fn parse(line: &str) -> Option<Self> {
        let [id, agents, software] = words(line, "device ")?;
        Some(Self { id: id.to_owned(), agents: agents.parse().ok()?, software: software.parse().ok()? })
    }
}

impl Told {
    /// Reads `history ID ADDED`.
    pub(super) fn parse(line: &str) -> Option<Self> {
        let [id, added] = words(line, "history ")?;
        Some(Self { id: id.to_owned(), added: added.parse().ok()? })
    }
}

impl Verdict {
    /// Whether nothing is.
    pub(super) fn is_clean(self) -> bool {
        self == Self::default()
    }

    /// Adds another.
    pub(super) fn add(&mut self, other: Self) {
        let Self { lost, duplicated } = other;
        self.lost += lost;
        self.duplicated += duplicated;
    }
}

impl Ledger {
    /// Takes what was said while the load ran; how many reports were acknowledged for the first time.
    pub(super) fn hear(&mut self, lines: &[String]) -> Result<u64> {
        let mut count = 0;
        for line in lines {
            if let Some([machine, _, sequence, digest]) = words(line, "ack ")
                && let (Ok(machine), Ok(sequence)) = (machine.parse(), sequence.parse())
            {
                let newest = self.acknowledged.entry(machine).or_default();
                if sequence > newest.0 {
                    count += sequence - newest.0;
                    *newest = (sequence, digest.to_owned());
                }
            } else if line.starts_with("fault ") {
                bail!("the collector answered what it must not: {line}");
            }
        }
        Ok(count)
    }

    /// Every acknowledged report is lost.
    pub(super) fn all_lost(&self) -> Verdict {
        let lost = self.acknowledged.values().map(|(sequence, _)| sequence).sum();
        Verdict { lost, duplicated: 0 }
    }

    /// Compares with what the machines were told; from here on that is what is durable.
    pub(super) fn compare(&mut self, welcomes: &[Welcome]) -> Verdict {
        let mut verdict = Verdict::default();
        for (machine, (sequence, digest)) in &self.acknowledged {
            let Some(welcome) = welcomes.iter().find(|welcome| welcome.machine == *machine) else {
                // It isn't let in any more.
                verdict.lost += sequence;
                continue;
            };
            verdict.lost += sequence.saturating_sub(welcome.sequence);
            let differs = welcome.sequence == *sequence && welcome.digest != *digest;
            verdict.lost += u64::from(differs || !welcome.agrees);
        }
        for welcome in welcomes {
            let known = self.ids.entry(welcome.machine).or_insert_with(|| welcome.id.clone());
            verdict.duplicated += u64::from(*known != welcome.id);
            self.durable.insert(welcome.id.clone(), welcome.sequence);
        }
        verdict
    }

    /// Compares with what operators see, of so many machines.
    pub(super) fn compare_list(&self, machines: u64, listed: &[Listed]) -> Verdict {
        let mut verdict = Verdict::default();
        let distinct: BTreeSet<&str> = listed.iter().map(|device| device.id.as_str()).collect();
        verdict.lost += machines.saturating_sub(distinct.len() as u64);
        verdict.duplicated += (listed.len() as u64).saturating_sub(machines);
        for device in listed {
            let expected =
                if self.durable.get(&device.id).is_some_and(|sequence| *sequence > 0) { PACKAGES } else { 0 };
            verdict.lost += u64::from(device.software < expected) + u64::from(device.agents == 0);
            verdict.duplicated += u64::from(device.software > expected) + device.agents.saturating_sub(1);
        }
        verdict
    }

    /// Compares with the history: the first report added every package, each later one a single one.
    pub(super) fn compare_history(&self, told: &[Told]) -> Verdict {
        let mut verdict = Verdict::default();
        for (id, sequence) in &self.durable {
            let expected = if *sequence == 0 { 0 } else { PACKAGES + sequence - 1 };
            let added = told.iter().find(|device| device.id == *id).map_or(0, |device| device.added);
            verdict.lost += expected.saturating_sub(added);
            verdict.duplicated += added.saturating_sub(expected);
        }
        verdict
    }
}

fn words<'a, const COUNT: usize>(line: &'a str, begin: &str) -> Option<[&'a str; COUNT]> {
    line.strip_prefix(begin)?.split(' ').collect::<Vec<_>>().try_into().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ledger() -> Ledger {
        let mut ledger = Ledger::default();
        let lines = ["ack 0 ee 1 aa", "ack 1 ee 1 aa", "idle", "ack 0 ee 2 bb", "ack 0 ee 2 bb"];
        assert_eq!(ledger.hear(&lines.map(str::to_owned)).unwrap(), 3);
        let first = ["welcome 0 x 2 bb -", "welcome 1 y 1 aa -"];
        assert!(ledger.compare(&first.map(|line| Welcome::parse(line).unwrap())).is_clean());
        ledger
    }

    fn check(welcomes: &[&str], lost: u64, duplicated: u64) {
        let welcomes: Vec<Welcome> = welcomes.iter().filter_map(|line| Welcome::parse(line)).collect();
        assert_eq!(ledger().compare(&welcomes), Verdict { lost, duplicated }, "{welcomes:?}");
    }

    #[test]
    fn every_kind_of_loss_is_seen() {
        check(&["welcome 0 x 2 bb -", "welcome 1 y 1 aa -"], 0, 0);
        check(&["welcome 0 x 3 cc -", "welcome 1 y 1 aa -"], 0, 0);
        check(&["welcome 0 x 1 aa -", "welcome 1 y 1 aa -"], 1, 0);
        check(&["welcome 0 x 2 cc -", "welcome 1 y 1 aa -"], 1, 0);
        check(&["welcome 0 x 3 cc software.dpkg", "welcome 1 y 1 aa -"], 1, 0);
        check(&["refused 0 not connected", "welcome 1 y 1 aa -"], 2, 0);
        check(&["welcome 0 z 2 bb -", "welcome 1 y 1 aa -"], 0, 1);
    }

    #[test]
    fn what_operators_see_is_compared() {
        let check = |lines: &[&str], lost, duplicated| {
            let listed: Vec<Listed> = lines.iter().filter_map(|line| Listed::parse(line)).collect();
            assert_eq!(ledger().compare_list(2, &listed), Verdict { lost, duplicated }, "{lines:?}");
        };
        check(&["device x 1 20", "device y 1 20"], 0, 0);
        check(&["device x 1 20"], 1, 0);
        check(&["device x 1 20", "device y 2 20"], 0, 1);
        check(&["device x 1 19", "device y 1 21"], 1, 1);
        check(&["device x 1 20", "device y 1 20", "device z 1 0"], 0, 1);
    }

    #[test]
    fn the_history_has_each_report_once() {
        let check = |lines: &[&str], lost, duplicated| {
            let told: Vec<Told> = lines.iter().filter_map(|line| Told::parse(line)).collect();
            assert_eq!(ledger().compare_history(&told), Verdict { lost, duplicated }, "{lines:?}");
        };
        check(&["history x 21", "history y 20"], 0, 0);
        check(&["history x 20", "history y 21"], 1, 1);
    }

    #[test]
    fn a_fault_is_no_silence() {
        assert!(Ledger::default().hear(&["fault 1 report refused".to_owned()]).is_err());
    }
}
