//! Listening sockets with the unit that opened them.
//!
//! The owner follows from the socket's control group, which anyone may look up; which process it is, only root may
//! ask, so no process is named.

use std::collections::HashMap;

use muster_common::inventory::{Item, ItemKind, Listener, SectionName};

use crate::{
    host::{Host, Socket, SocketProtocol},
    sources::{
        Source, Stamp,
        part::{Problems, SectionPart},
        read,
    },
};

/// Where the control groups of units lie; their inode numbers are what sockets carry.
const SLICES: [&str; 2] = ["sys/fs/cgroup/system.slice", "sys/fs/cgroup/unified/system.slice"];
const UNITS_LIMIT: usize = 5000;
const LISTENERS_LIMIT: usize = 5000;

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
        &["the kernel", "sys/fs/cgroup"]
    }

    fn stamp(&self) -> Stamp {
        Stamp::Always
    }

    fn collect(&self, host: &dyn Host) -> SectionPart {
        let mut problems = Problems::default();
        let sockets = host.sockets().map_err(|error| problems.add_error(error)).unwrap_or_default();
        let units = if sockets.is_empty() { HashMap::new() } else { units(host, &mut problems) };
        let items = told(&sockets, &units).into_iter().map(|found| Item::new(ItemKind::Listener(found)));
        SectionPart { items: items.collect(), problems }
    }
}

/// Units by the inode of their control group.
fn units(host: &dyn Host, problems: &mut Problems) -> HashMap<u64, String> {
    let found =
        SLICES.into_iter().find_map(|slice| Some((slice, read::names(host, slice, UNITS_LIMIT, problems)?)));
    let (slice, names) = found.unwrap_or_default();
    names
        .into_iter()
        .filter(|name| name.ends_with(".service") || name.ends_with(".socket"))
        .filter_map(|name| Some((host.metadata(&format!("{slice}/{name}")).ok()?.inode, name)))
        .collect()
}

/// One entry for each protocol, address and port; the ports that the system hands out by chance are left out of UDP,
/// where an open one is an answer that somebody waits for.
fn told(sockets: &[Socket], units: &HashMap<u64, String>) -> Vec<Listener> {
    let is_chance = |socket: &Socket| socket.protocol == SocketProtocol::Udp && socket.port >= 32_768;
    let mut found: Vec<Listener> = sockets
        .iter()
        .filter(|socket| socket.port != 0 && !is_chance(socket))
        .take(LISTENERS_LIMIT)
        .map(|socket| Listener {
            protocol: match socket.protocol {
                SocketProtocol::Tcp => "tcp".to_owned(),
                SocketProtocol::Udp => "udp".to_owned(),
            },
            address: socket.address.to_string(),
            port: u32::from(socket.port),
            uid: Some(socket.uid),
            service: socket.control_group.and_then(|group| units.get(&group)).cloned(),
            program: None,
            package: None,
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

    #[test]
    fn sockets_with_their_units() {
        use SocketProtocol::{Tcp, Udp};
        let units = HashMap::from([(5, "ssh.service".to_owned())]);
        let sockets = [
            socket(Tcp, 22, Some(5)),
            socket(Tcp, 22, Some(5)),
            socket(Udp, 50_000, None),
            socket(Udp, 53, Some(9)),
        ];
        let found = told(&sockets, &units);
        let rows: Vec<_> = found
            .iter()
            .map(|found| (found.protocol.as_str(), found.port, found.service.as_deref()))
            .collect();
        assert_eq!(rows, [("tcp", 22, Some("ssh.service")), ("udp", 53, None)]);
    }

    #[test]
    fn units_are_known_by_inode() {
        let (_folder, host) = recorded(&[("sys/fs/cgroup/system.slice/ssh.service/x", "")]);
        let units = units(&host, &mut Problems::default());
        let inode = host.metadata("sys/fs/cgroup/system.slice/ssh.service").unwrap().inode;
        assert_eq!(units.get(&inode).map(String::as_str), Some("ssh.service"));
    }

    #[test]
    fn a_recording_says_so() {
        let (_folder, host) = recorded(&[]);
        let problems = ListenerSource.collect(&host).problems.into_entries();
        assert_eq!(problems[0].message, "listening sockets: not available from a recording");
    }
}
