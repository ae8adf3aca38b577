//! Other machines on the networks that the charter names, from this machine's own tables.
//!
//! A home's television is nobody's business: without the named prefix and the named gateway's MAC address nothing is
//! told. Machines with a randomised address belong to people; they are counted and not listed. Nothing is probed.

use std::collections::{BTreeMap, BTreeSet};

use muster_common::{
    governance::NeighbourNetwork,
    inventory::{Item, ItemKind, MacAddress, Neighbour, NetworkNeighbours, SectionName},
};

use crate::{
    host::{HeardOf, Host},
    sources::{
        Personal, Source, Stamp,
        part::{Problems, SectionPart},
    },
};

const ADDRESSES_LIMIT: usize = 16;
const NEIGHBOURS_LIMIT: usize = 4096;

/// Neighbours.
#[derive(Debug)]
pub(crate) struct NeighbourSource;

impl Source for NeighbourSource {
    fn name(&self) -> &'static str {
        "neighbours"
    }

    fn section(&self) -> SectionName {
        SectionName::known(SectionName::NEIGHBOURS)
    }

    fn reads(&self) -> &'static [&'static str] {
        &["the kernel"]
    }

    fn personal(&self) -> Option<Personal> {
        Some(Personal::Neighbours)
    }

    fn stamp(&self) -> Stamp {
        Stamp::Always
    }

    fn collect(&self, host: &dyn Host) -> SectionPart {
        let mut problems = Problems::default();
        let networks = host.named_networks();
        if networks.is_empty() {
            return SectionPart::default();
        }
        let heard = host.neighbours().map_err(|error| problems.add_error(error)).unwrap_or_default();
        let items = networks.iter().flat_map(|network| told(network, &heard)).map(Item::new).collect();
        SectionPart { items, problems }
    }
}

/// What may be told of one network: nothing, unless its gateway is seen on the link.
fn told(network: &NeighbourNetwork, heard: &[HeardOf]) -> Vec<ItemKind> {
    let links: BTreeSet<u32> = heard
        .iter()
        .filter(|one| one.gateway && one.mac == network.gateway && network.prefix.contains(one.address))
        .map(|one| one.link)
        .collect();
    let mut listed: BTreeMap<MacAddress, Neighbour> = BTreeMap::new();
    let mut randomised = BTreeSet::new();
    let here = |one: &&HeardOf| {
        links.contains(&one.link)
            && network.prefix.contains(one.address)
            && !one.mac.is_multicast()
            && one.mac.0 != [0; 6]
    };
    for one in heard.iter().filter(here) {
        if one.mac.is_locally_administered() {
            randomised.insert(one.mac);
            continue;
        }
        if listed.len() == NEIGHBOURS_LIMIT && !listed.contains_key(&one.mac) {
            continue;
        }
        let neighbour = listed.entry(one.mac).or_insert_with(|| Neighbour {
            mac: one.mac.to_string(),
            addresses: Vec::new(),
            network: network.prefix.to_string(),
            router: Some(false),
        });
        neighbour.router = Some(neighbour.router == Some(true) || one.router || one.gateway);
        let address = one.address.to_string();
        if neighbour.addresses.len() < ADDRESSES_LIMIT && !neighbour.addresses.contains(&address) {
            neighbour.addresses.push(address);
        }
    }
    if links.is_empty() {
        return Vec::new();
    }
    let count = |count: usize| u32::try_from(count).unwrap_or(u32::MAX);
    let counted = NetworkNeighbours {
        network: network.prefix.to_string(),
        listed: count(listed.len()),
        randomised: count(randomised.len()),
    };
    let neighbours = listed.into_values().map(|mut neighbour| {
        neighbour.addresses.sort_unstable();
        ItemKind::Neighbour(neighbour)
    });
    neighbours.chain([ItemKind::NetworkNeighbours(counted)]).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    const OFFICE: &str = "192.0.2.0/24 via 00:11:22:33:44:55";

    fn heard(link: u32, address: &str, mac: &str) -> HeardOf {
        HeardOf {
            link,
            address: address.parse().unwrap(),
            mac: mac.parse().unwrap(),
            router: false,
            gateway: address.ends_with(".1"),
        }
    }

    fn summary(entries: &[HeardOf]) -> Vec<String> {
        told(&OFFICE.parse().unwrap(), entries)
            .into_iter()
            .map(|kind| match kind {
                ItemKind::Neighbour(found) => {
                    let router = if found.router == Some(true) { " router" } else { "" };
                    format!("{} {}{router}", found.mac, found.addresses.join(","))
                }
                ItemKind::NetworkNeighbours(found) => {
                    format!("{}: {} listed, {} randomised", found.network, found.listed, found.randomised)
                }
                other => panic!("{other:?}"),
            })
            .collect()
    }

    #[test]
    fn the_office_is_told_and_the_home_is_not() {
        let office = heard(2, "192.0.2.1", "00:11:22:33:44:55");
        let printer = heard(2, "192.0.2.7", "00:1b:21:00:00:07");
        let phone = heard(2, "192.0.2.8", "da:a1:19:00:00:08");
        let elsewhere = heard(3, "192.0.2.9", "00:1b:21:00:00:09");
        let outside = heard(2, "198.51.100.7", "00:1b:21:00:00:10");
        let found = summary(&[office.clone(), printer.clone(), phone, elsewhere, outside]);
        assert_eq!(
            found,
            [
                "00:11:22:33:44:55 192.0.2.1 router",
                "00:1b:21:00:00:07 192.0.2.7",
                "192.0.2.0/24: 2 listed, 1 randomised",
            ]
        );

        let home = heard(2, "192.0.2.1", "66:11:22:33:44:55");
        assert_eq!(summary(&[home, printer.clone()]), [""; 0], "the same prefix behind another gateway");
        let no_route = HeardOf { gateway: false, ..office };
        assert_eq!(summary(&[no_route, printer]), [""; 0], "the MAC address without a route over it");
    }
}
