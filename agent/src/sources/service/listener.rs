//! Listening sockets with the unit that opened them, its program and the package that brought it.
//!
//! The owner follows from the socket's control group, which anyone may look up; which process it is, only root may
//! ask, so no process is named, and the service's inventory is the same as root's. What a unit runs is looked up once and
//! holds while its control group and the packages are the same.

use std::{
    collections::{HashMap, HashSet},
    sync::{Mutex, PoisonError},
};

use muster_common::inventory::{Item, ItemKind, Listener, SectionName};

use crate::{
    host::{Host, Metadata, Socket, SocketProtocol},
    sources::{
        Source, Stamp,
        part::{Problems, SectionPart},
        programs, read,
        service::served::{self, Served},
    },
};

/// Where the control groups of units lie; their inode numbers are what sockets carry.
const SLICES: [&str; 2] = ["sys/fs/cgroup/system.slice", "sys/fs/cgroup/unified/system.slice"];
const UNITS_LIMIT: usize = 5000;
const LISTENERS_LIMIT: usize = 5000;

/// What the units ran that listened the last time.
static REMEMBERED: Mutex<Option<Remembered>> = Mutex::new(None);

#[derive(Debug)]
struct Remembered {
    packages: Vec<Option<Metadata>>,
    /// By the metadata of the control group, which is another one after each start.
    units: HashMap<Metadata, Served>,
}

/// Listening sockets.
#[derive(Debug)]
pub(crate) struct ListenerSource;

impl Source for ListenerSource {
    fn name(&self) -> &'static str {
        "listeners"
    }

    fn section(&self) -> SectionName {
        SectionName::known(SectionName::LISTENERS)
    }

    fn reads(&self) -> &'static [&'static str] {
        &[
            "the kernel",
            "sys/fs/cgroup",
            "proc/*/stat of services",
            "unit files",
            "the package managers' lists of files",
        ]
    }

    fn stamp(&self) -> Stamp {
        Stamp::Always
    }

    fn collect(&self, host: &dyn Host) -> SectionPart {
        let mut problems = Problems::default();
        let sockets = host.sockets().map_err(|error| problems.add_error(error)).unwrap_or_default();
        let wanted: HashSet<u64> = sockets.iter().filter_map(|socket| socket.control_group).collect();
        let units = if wanted.is_empty() { HashMap::new() } else { units(host, &wanted, &mut problems) };
        let units = with_programs(host, units);
        let items = told(&sockets, &units).into_iter().map(|found| Item::new(ItemKind::Listener(found)));
        SectionPart { items: items.collect(), problems }
    }
}

/// A unit that listens.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Unit {
    name: String,
    /// The folder of its control group, and how that looks.
    folder: String,
    look: Metadata,
}

/// The units that are wanted, by the inode of their control group. Those of a template lie in a slice of their own.
fn units(host: &dyn Host, wanted: &HashSet<u64>, problems: &mut Problems) -> HashMap<u64, Unit> {
    let mut found = HashMap::new();
    let slice =
        SLICES.into_iter().find_map(|slice| Some((slice, read::names(host, slice, UNITS_LIMIT, problems)?)));
    let Some((slice, names)) = slice else { return found };
    let mut take = |folder: String, name: &str| {
        if let Ok(look) = host.metadata(&folder)
            && wanted.contains(&look.inode)
        {
            found.insert(look.inode, Unit { name: name.to_owned(), folder, look });
        }
        found.len() == wanted.len()
    };
    let is_unit = |name: &str| name.ends_with(".service") || name.ends_with(".socket");
    for name in names.iter().filter(|name| is_unit(name)) {
        if take(format!("{slice}/{name}"), name) {
            return found;
        }
    }
    for below in names.iter().filter(|name| name.starts_with("system-") && name.ends_with(".slice")) {
        let instances =
            read::names(host, &format!("{slice}/{below}"), UNITS_LIMIT, problems).unwrap_or_default();
        for name in instances.iter().filter(|name| is_unit(name)) {
            if take(format!("{slice}/{below}/{name}"), name) {
                return found;
            }
        }
    }
    found
}

/// Adds what each unit runs: what is remembered, or else what is found now.
fn with_programs(host: &dyn Host, units: HashMap<u64, Unit>) -> HashMap<u64, (Unit, Served)> {
    if units.is_empty() {
        return HashMap::new();
    }
    let packages = programs::stamp(host).to_vec();
    let mut remembered = REMEMBERED.lock().unwrap_or_else(PoisonError::into_inner);
    let before = remembered.take().filter(|before| before.packages == packages);
    let mut known = before.map(|before| before.units).unwrap_or_default();
    let is_known = |unit: &Unit| known.contains_key(&unit.look);
    let new: Vec<&Unit> = units.values().filter(|unit| !is_known(unit)).collect();
    let asked: Vec<(&str, &str)> =
        new.iter().map(|unit| (unit.name.as_str(), unit.folder.as_str())).collect();
    let found = served::served(host, &asked);
    known.extend(new.into_iter().map(|unit| unit.look).zip(found));
    known.retain(|look, _| units.values().any(|unit| unit.look == *look));
    let units = units.into_iter().map(|(inode, unit)| {
        let served = known.get(&unit.look).cloned().unwrap_or_default();
        (inode, (unit, served))
    });
    let units = units.collect();
    *remembered = Some(Remembered { packages, units: known });
    units
}

/// One entry for each protocol, address and port; the ports that the system hands out by chance are left out of UDP,
/// where an open one is an answer that somebody waits for.
fn told(sockets: &[Socket], units: &HashMap<u64, (Unit, Served)>) -> Vec<Listener> {
    let is_chance = |socket: &Socket| socket.protocol == SocketProtocol::Udp && socket.port >= 32_768;
    let mut found: Vec<Listener> = sockets
        .iter()
        .filter(|socket| socket.port != 0 && !is_chance(socket))
        .take(LISTENERS_LIMIT)
        .map(|socket| {
            let unit = socket.control_group.and_then(|group| units.get(&group));
            let Served { program, package } = unit.map(|(_, served)| served.clone()).unwrap_or_default();
            Listener {
                protocol: match socket.protocol {
                    SocketProtocol::Tcp => "tcp".to_owned(),
                    SocketProtocol::Udp => "udp".to_owned(),
                },
                address: socket.address.to_string(),
                port: u32::from(socket.port),
                uid: Some(socket.uid),
                service: unit.map(|(unit, _)| unit.name.clone()),
                program,
                package,
            }
        })
        .collect();
    found.sort_by(|left, right| {
        (&left.protocol, &left.address, left.port, &left.service).cmp(&(
            &right.protocol,
            &right.address,
            right.port,
            &right.service,
        ))
    });
    found.dedup_by(|later, earlier| {
        (&later.protocol, &later.address, later.port) == (&earlier.protocol, &earlier.address, earlier.port)
    });
    found
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sources::testing::recorded;

    fn socket(protocol: SocketProtocol, port: u16, control_group: Option<u64>) -> Socket {
        Socket { protocol, address: [127, 0, 0, 1].into(), port, uid: 7, control_group }
    }

    const SLICE: &str = "sys/fs/cgroup/system.slice";
    const FILES: [(&str, &str); 9] = [
        ("sys/fs/cgroup/system.slice/ssh.service/cgroup.procs", "7\n"),
        ("sys/fs/cgroup/system.slice/cron.service/cgroup.procs", "9\n"),
        ("sys/fs/cgroup/system.slice/system-postgresql.slice/postgresql@15-main.service/cgroup.procs", ""),
        ("lib/systemd/system/ssh.service", "[Service]\nExecStart=/usr/sbin/sshd -D\n"),
        ("lib/systemd/system/postgresql@.service", "[Service]\nExecStart=/usr/bin/pg_ctlcluster\n"),
        ("usr/sbin/sshd", ""),
        ("usr/bin/pg_ctlcluster", ""),
        ("var/lib/dpkg/info/openssh-server.list", "/usr/sbin/sshd\n"),
        ("var/lib/dpkg/info/postgresql-common.list", "/usr/bin/pg_ctlcluster\n"),
    ];

    #[test]
    fn sockets_with_their_units_and_packages() {
        use SocketProtocol::{Tcp, Udp};
        let (_folder, host) = recorded(&FILES);
        let inode = |path: &str| Some(host.metadata(&format!("{SLICE}/{path}")).unwrap().inode);
        let ssh = inode("ssh.service");
        let postgres = inode("system-postgresql.slice/postgresql@15-main.service");
        let sockets = [
            socket(Tcp, 22, ssh),
            socket(Tcp, 22, ssh),
            socket(Tcp, 5432, postgres),
            socket(Udp, 50_000, None),
            socket(Udp, 53, Some(9)),
        ];
        let wanted = sockets.iter().filter_map(|socket| socket.control_group).collect();
        // The second time from what is remembered.
        for _ in 0..2 {
            let units = units(&host, &wanted, &mut Problems::default());
            assert_eq!(units.len(), 2, "what does not listen is not looked at");
            let found = told(&sockets, &with_programs(&host, units));
            let rows: Vec<_> = found
                .iter()
                .map(|found| {
                    let text = |text: &Option<String>| text.clone().unwrap_or_default();
                    let (service, program) = (text(&found.service), text(&found.program));
                    format!("{} {} {service} {program} {}", found.protocol, found.port, text(&found.package))
                })
                .collect();
            assert_eq!(
                rows,
                [
                    "tcp 22 ssh.service sshd openssh-server",
                    "tcp 5432 postgresql@15-main.service pg_ctlcluster postgresql-common",
                    "udp 53   "
                ]
            );
        }
    }

    #[test]
    fn a_recording_says_so() {
        let (_folder, host) = recorded(&[]);
        let problems = ListenerSource.collect(&host).problems.into_entries();
        assert_eq!(problems[0].message, "not available from a recording");
    }
}
