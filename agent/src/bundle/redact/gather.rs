//! Gathers what identifies a machine and its people, from what was recorded and from a few files beside.

use std::collections::BTreeSet;

use super::{accounts, firmware, rules, rules::Rule};
use crate::{
    bundle::{pseudonym::Kind, secrets::Gathered},
    host::{Body, Entry, Host, Outcome, Recording},
};

/// No file that is read for this alone is longer.
const LIMIT: usize = 1 << 20;
const HOMES_LIMIT: usize = 10_000;
const LINKS_LIMIT: usize = 4096;
/// Where firmware's numbers stand, should no source have read them.
const FIRMWARE: [&str; 5] =
    ["product_serial", "product_uuid", "board_serial", "chassis_serial", "chassis_asset_tag"];

/// What rules must know of the machine.
#[derive(Debug, Default)]
pub(super) struct Machine {
    /// Accounts that are the system's own.
    pub(super) system_names: BTreeSet<Vec<u8>>,
    /// Serial numbers of batteries as the kernel tells them.
    pub(super) batteries: Vec<Vec<u8>>,
    /// Folders of people's homes.
    homes: Vec<String>,
}

impl Machine {
    /// A path with its home written `HOME`.
    pub(super) fn with_home(&self, path: &str) -> String {
        let below = |home: &String| path.strip_prefix(home.as_str())?.strip_prefix('/');
        match self.homes.iter().find_map(below) {
            Some(below) => format!("HOME/{below}"),
            None => path.to_owned(),
        }
    }
}

/// Gathers.
pub(super) fn gather(recording: &Recording, host: &dyn Host) -> (Gathered, Machine) {
    let mut gathered = Gathered::default();
    let mut machine = Machine { homes: vec!["root".to_owned()], ..Machine::default() };
    people(host, &mut gathered, &mut machine);
    names(host, &mut gathered);
    for attribute in FIRMWARE {
        let kind = if attribute == "product_uuid" { Kind::Uuid } else { Kind::Serial };
        if let Ok(value) = host.read(&format!("sys/class/dmi/id/{attribute}"), LIMIT) {
            gathered.add(kind, &value);
        }
    }
    if let Ok(table) = host.read("sys/firmware/dmi/tables/DMI", 4 * LIMIT) {
        firmware::smbios_secrets(&table, |kind, value| gathered.add(kind, value));
    }
    for link in host.list("sys/class/net", LINKS_LIMIT).map(|listing| listing.names).unwrap_or_default() {
        if let Ok(mac) = host.read(&format!("sys/class/net/{link}/address"), LIMIT) {
            gathered.add(Kind::Mac, &mac);
        }
    }
    if let Some(facts) = &recording.facts {
        facts.hostname.iter().for_each(|name| gathered.add_name(Kind::Host, name));
        for link in &facts.links {
            link.mac
                .iter()
                .chain(&link.permanent_mac)
                .for_each(|mac| gathered.add(Kind::Mac, mac.as_bytes()));
            let addresses = link.addresses.iter().chain(&link.gateways).map(ToString::to_string);
            addresses.for_each(|address| gathered.add(Kind::Address, address.as_bytes()));
        }
    }
    for (path, entry) in &recording.entries {
        if let Entry { content: Some(Outcome::Found(body)), .. } = entry {
            of_file(path, body, &mut gathered, &mut machine);
        }
    }
    // The deepest first, so that a home in a home is found.
    machine.homes.sort_by_key(|home| std::cmp::Reverse(home.len()));
    (gathered, machine)
}

fn people(host: &dyn Host, gathered: &mut Gathered, machine: &mut Machine) {
    let passwd = host.read("etc/passwd", 4 * LIMIT).unwrap_or_default();
    machine.system_names = accounts::system_names(&passwd);
    for account in accounts::accounts(&passwd).filter(|account| account.is_person) {
        gathered.add(Kind::Person, account.name);
        let full_name = String::from_utf8_lossy(account.full_name);
        gathered.add_name(Kind::Person, &full_name);
        full_name.split(',').for_each(|part| gathered.add_name(Kind::Person, part));
        let home = String::from_utf8_lossy(account.home);
        let home = home.trim_matches('/');
        if let Some(name) = home.rsplit('/').next() {
            gathered.add(Kind::Person, name.as_bytes());
        }
        if !home.is_empty() {
            machine.homes.push(home.to_owned());
        }
    }
    let folders = host.list("home", HOMES_LIMIT).map(|listing| listing.names).unwrap_or_default();
    for folder in folders.iter().filter(|folder| !matches!(folder.as_str(), "lost+found" | "linuxbrew")) {
        gathered.add(Kind::Person, folder.as_bytes());
        machine.homes.push(format!("home/{folder}"));
    }
}

fn names(host: &dyn Host, gathered: &mut Gathered) {
    let text = |path: &str| {
        host.read(path, LIMIT).map(|bytes| String::from_utf8_lossy(&bytes).into_owned()).unwrap_or_default()
    };
    for path in ["etc/hostname", "proc/sys/kernel/hostname"] {
        gathered.add_name(Kind::Host, text(path).trim());
    }
    for path in ["etc/machine-id", "var/lib/dbus/machine-id"] {
        gathered.add(Kind::Uuid, text(path).as_bytes());
    }
    for line in text("etc/hosts").lines().filter(|line| !line.trim_start().starts_with('#')) {
        let mut words = line.split_whitespace().take_while(|word| !word.starts_with('#'));
        if let Some(address) = words.next() {
            gathered.add(Kind::Address, address.as_bytes());
        }
        let is_usual = |name: &&str| !name.starts_with("ip6-") && !name.starts_with("localhost");
        words.filter(is_usual).for_each(|name| gathered.add_name(Kind::Host, name));
    }
    for line in text("etc/resolv.conf").lines() {
        let mut words = line.split_whitespace();
        match words.next() {
            Some("nameserver") => words.for_each(|address| gathered.add(Kind::Address, address.as_bytes())),
            Some("search" | "domain") => words
                .filter(|domain| domain.contains('.'))
                // The first label is as much of it as a host's.
                .for_each(|domain| gathered.add_name(Kind::Host, domain)),
            Some(_) | None => {}
        }
    }
}

fn of_file(path: &str, body: &Body, gathered: &mut Gathered, machine: &mut Machine) {
    let bytes = body.start();
    let value = bytes.split(|byte| *byte == 0).next().unwrap_or_default();
    if path.ends_with("/uevent") {
        if let Some(serial) = firmware::battery_serial(bytes) {
            gathered.add(Kind::Serial, serial);
            machine.batteries.push(serial.to_vec());
        }
    } else if path.ends_with("/edid") {
        firmware::edid_serial(bytes).into_iter().for_each(|serial| gathered.add(Kind::Serial, serial));
    } else if path.ends_with("/vpd_pg80") {
        gathered.add(Kind::Serial, bytes.get(4..).unwrap_or_default());
    } else if path.ends_with("/wwid") {
        gathered.add(Kind::Serial, value.split(|byte| *byte == b'.').next_back().unwrap_or_default());
    } else if let Some(Rule::Value(kind)) = rules::rule(path) {
        match kind {
            Kind::Host => gathered.add_name(kind, &String::from_utf8_lossy(value)),
            Kind::Serial
            | Kind::Uuid
            | Kind::Mac
            | Kind::Address
            | Kind::Person
            | Kind::Email
            | Kind::Password
            | Kind::Other => gathered.add(kind, value),
        }
    }
}
