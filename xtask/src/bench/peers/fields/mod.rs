//! What becomes of each field that another agent has: where ours is, or why there is none.
//!
//! Knows names alone; comparing is `compare`'s. A field without a line here is printed as one that nobody has considered,
//! and fails the command, so that a newer peer's new field does not go unnoticed.
//!
//! To add a peer's field, add a line; the first that fits counts, and a pattern may end in `*`.

mod osquery;
mod tools;
mod xml;

pub(super) use osquery::OSQUERY;
pub(super) use tools::{FACTER, HWINFO, LSHW};
pub(super) use xml::{FUSION, OCS};

/// Where a field is with us: the message and the field of our JSON.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Rule {
    /// There, in the same words: each of its values is one of ours.
    Same(&'static str, &'static str),
    /// There, in other words or units.
    Told(&'static str, &'static str),
    /// Not there, and why.
    Left(&'static str),
}

pub(super) type Fields = &'static [(&'static str, Rule)];

const OWN: &str = "about the other agent and its run";
const SECRET: &str = "command lines, environment and kernel arguments may hold secrets";
const MOMENT: &str = "a measurement of the moment: monitoring, not inventory";
const FOLLOWS: &str = "follows from what is told";
const CATALOGUE: &str = "the same for everybody who has the package: a catalogue's matter";
const KERNELS: &str = "how kernel and firmware number, place and drive it";
const GUESS: &str = "a guess or a placeholder";
/// Real gaps, each of which would be a kind of item of its own.
const GAP: &str = "NOT TOLD BY US";

/// The line that fits a field.
pub(super) fn rule(fields: &[Fields], section: &str, field: &str) -> Option<Rule> {
    let name = format!("{section}/{field}");
    let fits = |pattern: &str| match pattern.split_once('/') {
        // Any section, and a field or any.
        Some(("*", "*")) => true,
        Some(("*", its)) => its == field,
        _ => match pattern.strip_suffix('*') {
            Some(start) => name.starts_with(start),
            None => pattern == name,
        },
    };
    fields.iter().flat_map(|fields| fields.iter()).find(|(pattern, _)| fits(pattern)).map(|(_, rule)| *rule)
}

#[cfg(test)]
mod tests {
    use super::Rule::{Same, Told};
    use super::*;

    #[test]
    fn the_first_line_that_fits_counts() {
        for (fields, section, field, expected) in [
            (&[OCS, FUSION][..], "NETWORKS", "IPGATEWAY", Some(Told("networkAdapter", "gateways"))),
            (&[FUSION], "NETWORKS", "IPGATEWAY", Some(Same("networkAdapter", "gateways"))),
            (&[FUSION], "NETWORKS", "IPMASK6", Some(Told("networkAdapter", "networks"))),
            (&[FUSION], "NEWS", "IPMASK", None),
            (&[FACTER], "fips_enabled", "", Some(Same("security", "fips"))),
            (&[LSHW], "generic", "businfo", Some(Told("pciDevice", "address"))),
            (&[HWINFO], "cpu", "Units/Processor", Some(Same("processor", "threads"))),
        ] {
            assert_eq!(rule(fields, section, field), expected, "{section}/{field}");
        }
    }
}
