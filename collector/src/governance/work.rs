//! What there is to do: findings of one cause are one item, and there are never more than ten.
//!
//! On the first day every device of a company has findings, and a list of thousands is nobody's work. A storm, half the
//! fleet silent at once, is one finding about the network.

use muster_common::flag::{FlagCode, Severity};

/// The most items of one list.
pub const MOST_ITEMS: usize = 10;
/// Fewer assets than this are no storm.
const LEAST_STORM: u64 = 20;

/// Open findings of one kind.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Count {
    /// Which.
    pub code: FlagCode,
    /// As the charter has it.
    pub severity: Severity,
    /// On how many assets they are open.
    pub devices: u64,
}

/// One thing to do.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Item {
    /// In a sentence.
    pub title: String,
    /// The findings that it is about.
    pub codes: Vec<FlagCode>,
    /// Of the worst of them.
    pub severity: Severity,
    /// On how many assets; one that has several of the findings counts for each.
    pub devices: u64,
}

/// What findings have in common, and so who works on them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Cause {
    Identity,
    Silence,
    Lifecycle,
    Approval,
    Records,
    Dates,
    Agents,
}

/// The items of some open findings in a fleet of so many assets, the most urgent first, at most [`MOST_ITEMS`].
pub fn items(counts: &[Count], assets: u64) -> Vec<Item> {
    let mut rest: Vec<Count> = counts.iter().filter(|count| count.devices > 0).cloned().collect();
    let mut items = Vec::new();
    let silent: u64 =
        rest.iter().filter(|count| cause(count.code) == Cause::Silence).map(|count| count.devices).sum();
    if silent >= LEAST_STORM && silent * 2 >= assets {
        let (storm, others) = rest.into_iter().partition(|count| cause(count.code) == Cause::Silence);
        rest = others;
        items.push(joined(
            format!(
                "{silent} of {assets} assets are silent at once: look at the network and the collector first"
            ),
            &storm,
        ));
    }
    while items.len() + rest.len() > MOST_ITEMS {
        // The causes that have several kinds of findings are put together, the least urgent of them first.
        let several = |of: Cause| rest.iter().filter(|count| cause(count.code) == of).count() > 1;
        let urgency = |of: Cause| {
            let own = rest.iter().filter(|count| cause(count.code) == of);
            own.map(|count| count.severity).max()
        };
        let causes = rest.iter().map(|count| cause(count.code)).filter(|of| several(*of));
        let Some(least) = causes.min_by_key(|of| (urgency(*of), *of)) else { break };
        let (own, others): (Vec<Count>, Vec<Count>) =
            rest.into_iter().partition(|count| cause(count.code) == least);
        rest = others;
        items.push(joined(together(least).to_owned(), &own));
    }
    items.extend(rest.iter().map(|count| joined(alone(count.code).to_owned(), std::slice::from_ref(count))));
    items.sort_by_key(|item| std::cmp::Reverse((item.severity, item.devices)));
    items
}

fn joined(title: String, counts: &[Count]) -> Item {
    Item {
        title,
        codes: counts.iter().map(|count| count.code).collect(),
        severity: counts.iter().map(|count| count.severity).max().unwrap_or(Severity::Info),
        devices: counts.iter().map(|count| count.devices).sum(),
    }
}

fn cause(code: FlagCode) -> Cause {
    match code {
        FlagCode::Conflict
        | FlagCode::DuplicateIdentifier
        | FlagCode::ClonedIdentity
        | FlagCode::HardwareChanged => Cause::Identity,
        FlagCode::Stale | FlagCode::Missing | FlagCode::AgentSilent => Cause::Silence,
        FlagCode::RetiredActive | FlagCode::DisposalUnproven => Cause::Lifecycle,
        FlagCode::Unknown => Cause::Approval,
        FlagCode::Unassigned | FlagCode::Incomplete => Cause::Records,
        FlagCode::NeverSeen | FlagCode::Unmanaged => Cause::Agents,
        FlagCode::WarrantyEnding | FlagCode::RenewalDue => Cause::Dates,
    }
}

/// What to do about findings of one cause.
fn together(cause: Cause) -> &'static str {
    match cause {
        Cause::Identity => "decide which device is which: conflicts, clones and shared identifiers",
        Cause::Silence => "find devices that have fallen silent",
        Cause::Lifecycle => "bring states and proofs of retired assets in order",
        Cause::Approval => "vouch for what is there: muster adopt",
        Cause::Records => "complete the records: owners and required fields",
        Cause::Dates => "decide about warranties, renewals and leases that end",
        Cause::Agents => "bring agents to where they are expected",
    }
}

/// What to do about findings of one kind.
fn alone(code: FlagCode) -> &'static str {
    match code {
        FlagCode::Unknown => "vouch for what no record knows: muster adopt, or import the purchases",
        FlagCode::NeverSeen => "find what was bought and never reported",
        FlagCode::Stale => "ask after devices that have fallen silent",
        FlagCode::Missing => "look for devices that nobody sees any more",
        FlagCode::RetiredActive => "find out who uses devices that are recorded as retired",
        FlagCode::Conflict => "decide between sources that contradict each other",
        FlagCode::DuplicateIdentifier => "correct identifiers that several devices claim",
        FlagCode::ClonedIdentity => "enrol clones of one image anew",
        FlagCode::HardwareChanged => "confirm repairs that changed decisive hardware",
        FlagCode::Unassigned => "name an owner, a department or a place",
        FlagCode::Incomplete => "fill in the fields that the charter requires",
        FlagCode::Unmanaged => "install agents where other sources see a device and none reports",
        FlagCode::AgentSilent => "repair agents of devices that other sources still see",
        FlagCode::WarrantyEnding => "extend or let go warranties that end",
        FlagCode::RenewalDue => "renew, cancel or return what ends",
        FlagCode::DisposalUnproven => "file the proofs of wiping and disposal of what was retired",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn count(code: FlagCode, devices: u64) -> Count {
        Count { code, severity: code.severity(), devices }
    }

    #[test]
    fn the_first_day_of_a_company_makes_at_most_ten_items() {
        let all: Vec<Count> = FlagCode::ALL.iter().map(|code| count(*code, 5_000)).collect();
        for assets in [5_000, 50_000] {
            let items = items(&all, assets);
            assert!(items.len() <= MOST_ITEMS, "{} items", items.len());
            let mut codes: Vec<FlagCode> = items.iter().flat_map(|item| item.codes.clone()).collect();
            codes.sort_unstable();
            assert_eq!(codes, FlagCode::ALL, "every finding is in one item");
        }
    }

    #[test]
    fn every_kind_at_once_still_makes_ten_items() {
        let all: Vec<Count> = FlagCode::ALL.iter().map(|code| count(*code, 1)).collect();
        assert!(items(&all, 1_000_000).len() <= MOST_ITEMS);
        assert_eq!(items(&[], 10), []);
    }

    #[test]
    fn a_storm_is_one_item_and_a_few_silent_devices_are_not() {
        let storm = items(
            &[count(FlagCode::Stale, 2_000), count(FlagCode::Missing, 700), count(FlagCode::Unknown, 3)],
            5_000,
        );
        assert_eq!(storm[0].codes, [FlagCode::Stale, FlagCode::Missing]);
        assert_eq!(
            storm[0].title,
            "2700 of 5000 assets are silent at once: look at the network and the collector first"
        );
        assert_eq!(storm.len(), 2);
        assert_eq!(items(&[count(FlagCode::Stale, 3), count(FlagCode::Missing, 1)], 4).len(), 2);
    }

    #[test]
    fn the_most_urgent_stands_first() {
        let items = items(
            &[count(FlagCode::Unassigned, 900), count(FlagCode::Missing, 1), count(FlagCode::Unknown, 5)],
            5_000,
        );
        let codes: Vec<FlagCode> = items.iter().map(|item| item.codes[0]).collect();
        assert_eq!(codes, [FlagCode::Missing, FlagCode::Unknown, FlagCode::Unassigned]);
    }
}
