//! Network adapters: the links of `/sys/class/net`, with what the running kernel says of them.
//!
//! Knows where in the device tree an adapter hangs, for a dock's adapter must not be taken for the laptop's. The
//! loopback link is left out, and so are the host's ends of containers' links: they come and go with every container
//! and are nobody's hardware.

use muster_common::inventory::{
    AdapterKind, ErrorKind, Item, ItemKind, MacAddress, NetworkAdapter, SectionName,
};

use crate::{
    host::Host,
    sources::{
        Source, Stamp,
        part::{NOT_RECORDED, Problems, SectionPart},
        read, text,
    },
};

const FOLDER: &str = "sys/class/net";
const ADAPTERS_LIMIT: usize = 4096;
const ADDRESSES_LIMIT: usize = 64;

/// Network adapters.
#[derive(Debug)]
pub(crate) struct AdapterSource;

impl Source for AdapterSource {
    fn name(&self) -> &'static str {
        "adapter"
    }

    fn section(&self) -> SectionName {
        SectionName::known(SectionName::NETWORK)
    }

    fn reads(&self) -> &'static [&'static str] {
        &[FOLDER, "the kernel's netlink"]
    }

    /// Addresses and the line's state come with the live facts, which are compared whatever the stamp.
    fn stamp(&self) -> Stamp {
        Stamp::Uevents
    }

    fn collect(&self, host: &dyn Host) -> SectionPart {
        let mut part = SectionPart::default();
        let Some(names) = read::names(host, FOLDER, ADAPTERS_LIMIT, &mut part.problems) else {
            if part.problems.is_empty() {
                part.problems.add(FOLDER, ErrorKind::NotAvailable, "this machine shows no network links");
            }
            return part;
        };
        for name in names.iter().filter(|name| *name != "lo") {
            let link = Link { host, name, place: place(host, name) };
            if link.is_of_a_container() {
                continue;
            }
            // Files such as `bonding_masters` stand among the links.
            if link.value("ifindex", &mut part.problems).is_some() || link.has("address") {
                let adapter = link.adapter(&mut part.problems);
                part.items.extend(adapter.map(ItemKind::NetworkAdapter).map(Item::new));
            }
        }
        if host.live().is_none() && !part.items.is_empty() {
            part.problems.add("addresses", ErrorKind::NotAvailable, NOT_RECORDED);
        }
        part
    }
}

/// One entry of `/sys/class/net`.
struct Link<'a> {
    host: &'a dyn Host,
    name: &'a str,
    /// Where it hangs, such as `devices/pci0000:00/0000:00:1f.6/net/enp0s31f6`; empty in a recording without links.
    place: String,
}

fn place(host: &dyn Host, name: &str) -> String {
    let target = host.link(&format!("{FOLDER}/{name}")).unwrap_or_default();
    target.trim_start_matches("../").to_owned()
}

impl Link<'_> {
    /// Whether it is the outer end of a pair of virtual links. Inside a container the other end is all that there is,
    /// and named like an adapter.
    fn is_of_a_container(&self) -> bool {
        let named_like_an_adapter = ["eth", "host"].iter().any(|prefix| self.name.starts_with(prefix));
        let is_pair = match self.told() {
            Some(link) => link.is_pair,
            None => self.name.starts_with("veth"),
        };
        is_pair && !named_like_an_adapter
    }

    fn told(&self) -> Option<&crate::host::Link> {
        self.host.live()?.links.iter().find(|link| link.name == self.name)
    }

    fn adapter(&self, problems: &mut Problems) -> Option<NetworkAdapter> {
        let kind = self.kind(problems);
        let mac = self.value("address", problems).and_then(|mac| mac.parse().ok()).filter(is_usable);
        let told = self.told();
        let mut addresses = told.map(|link| link.addresses.clone()).unwrap_or_default();
        addresses.sort_unstable();
        addresses.dedup();
        addresses.truncate(ADDRESSES_LIMIT);
        let sorted = |mut texts: Vec<String>| {
            texts.sort_unstable();
            texts.dedup();
            texts.truncate(ADDRESSES_LIMIT);
            texts
        };
        let networks = told.map(|link| link.networks.as_slice()).unwrap_or_default();
        let gateways = told.map(|link| link.gateways.as_slice()).unwrap_or_default();
        Some(NetworkAdapter {
            name: text::clean(self.name.as_bytes())?,
            permanent_mac: if kind == AdapterKind::Virtual {
                None
            } else {
                told.and_then(|link| link.permanent_mac)
                    .filter(is_usable)
                    .or_else(|| self.burnt_in(mac, problems))
            },
            mac,
            kind,
            wireless: Some(self.has("wireless") || self.has("phy80211")),
            driver: read::link_name(self.host, &self.path("device/driver")),
            speed_mbps: if kind == AdapterKind::Virtual { None } else { self.speed() },
            addresses,
            networks: sorted(networks.iter().map(|(first, prefix)| format!("{first}/{prefix}")).collect()),
            gateways: sorted(gateways.iter().map(ToString::to_string).collect()),
            mtu: told.and_then(|link| link.mtu),
            connected: told.map(|link| link.connected),
            bus_address: bus_address(&self.place),
        })
    }

    fn path(&self, attribute: &str) -> String {
        format!("{FOLDER}/{}/{attribute}", self.name)
    }

    fn value(&self, attribute: &str, problems: &mut Problems) -> Option<String> {
        read::value(self.host, &self.path(attribute), problems)
    }

    /// A link that is down refuses to tell, and some drivers say -1.
    fn speed(&self) -> Option<u32> {
        let content = self.host.prefix(&self.path("speed"), 32).ok()?;
        std::str::from_utf8(&content.bytes).ok()?.trim().parse().ok().filter(|speed| *speed > 0)
    }

    fn has(&self, attribute: &str) -> bool {
        self.host.metadata(&self.path(attribute)).is_ok()
    }

    /// The burnt-in address where only files tell: the present one if nobody set it, or what a bond remembers.
    fn burnt_in(&self, mac: Option<MacAddress>, problems: &mut Problems) -> Option<MacAddress> {
        if let Some(remembered) = self.value("bonding_slave/perm_hwaddr", problems) {
            return remembered.parse().ok().filter(is_usable);
        }
        // 0 is the kernel's NET_ADDR_PERM.
        mac.filter(|_| self.value("addr_assign_type", problems).as_deref() == Some("0"))
    }

    fn kind(&self, problems: &mut Problems) -> AdapterKind {
        let is_bluetooth = self.place.contains("/bluetooth/")
            || self.value("uevent", problems).is_some_and(|event| event.contains("DEVTYPE=bluetooth"));
        if is_bluetooth {
            AdapterKind::Bluetooth
        } else if self.place.contains("devices/virtual/") {
            AdapterKind::Virtual
        } else if self.place.contains("/usb") || self.is_pluggable(problems) {
            AdapterKind::External
        } else if !self.place.is_empty() && self.has("device") {
            AdapterKind::BuiltIn
        } else if self.has("device") {
            // A recording without links still tells the bus.
            match read::link_name(self.host, &self.path("device/subsystem")).as_deref() {
                Some("usb") => AdapterKind::External,
                Some("pci" | "virtio" | "platform") => AdapterKind::BuiltIn,
                Some(_) | None => AdapterKind::Unknown,
            }
        } else if self.place.is_empty() {
            AdapterKind::Unknown
        } else {
            AdapterKind::Virtual
        }
    }

    /// Whether a bridge or device on the way is marked removable, as the kernel marks what hangs on Thunderbolt.
    fn is_pluggable(&self, problems: &mut Problems) -> bool {
        if self.place.contains("thunderbolt") {
            return true;
        }
        self.place.match_indices('/').any(|(end, _)| {
            let ancestor = self.place.get(..end).unwrap_or_default();
            // Only PCI functions are asked: `0000:00:1c.0`.
            let is_function =
                ancestor.rsplit('/').next().is_some_and(|name| name.len() == 12 && name.contains('.'));
            is_function
                && read::value(self.host, &format!("sys/{ancestor}/removable"), problems).as_deref()
                    == Some("removable")
        })
    }
}

/// The PCI function that is nearest to an adapter, such as `0000:00:1f.6`.
fn bus_address(place: &str) -> Option<String> {
    let is_function = |name: &&str| {
        let bytes = name.as_bytes();
        bytes.len() == 12 && bytes[4] == b':' && bytes[7] == b':' && bytes[10] == b'.'
    };
    place.rsplit('/').find(is_function).and_then(|name| text::clean(name.as_bytes()))
}

/// Neither all zeroes, as links without an address have, nor a group.
fn is_usable(mac: &MacAddress) -> bool {
    mac.0 != [0; 6] && !mac.is_multicast()
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::symlink;

    use super::*;
    use crate::sources::testing::recorded;

    /// An adapter `x0` that hangs at a place, with some files there.
    fn adapter(place: &str, files: &[(&str, &str)]) -> NetworkAdapter {
        let below: Vec<(String, &str)> = [("address", "00:1b:21:3a:4f:5e\n"), ("addr_assign_type", "0\n")]
            .iter()
            .chain(files)
            .map(|(name, content)| (format!("sys/{place}/net/x0/{name}"), *content))
            .collect();
        let below: Vec<(&str, &str)> =
            below.iter().map(|(path, content)| (path.as_str(), *content)).collect();
        let (folder, host) = recorded(&below);
        std::fs::create_dir_all(folder.path().join(FOLDER)).unwrap();
        symlink(format!("../../{place}/net/x0"), folder.path().join(FOLDER).join("x0")).unwrap();
        let part = AdapterSource.collect(&host);
        assert!(!part.problems.anything_missing(), "{:?}", part.problems);
        match &part.items[..] {
            [Item { kind: ItemKind::NetworkAdapter(adapter), .. }] => adapter.clone(),
            other => panic!("{other:?} is not one adapter"),
        }
    }

    #[test]
    fn kinds_by_place() {
        let device = ("device/vendor", "0x8086\n");
        for (place, files, expected) in [
            ("devices/pci0000:00/0000:00:1f.6", vec![device], AdapterKind::BuiltIn),
            ("devices/pci0000:00/0000:00:14.0/usb2/2-1/2-1:1.0", vec![device], AdapterKind::External),
            ("devices/virtual", vec![], AdapterKind::Virtual),
            ("devices/pci0000:00/0000:00:14.0/usb1/1-7/bluetooth/hci0", vec![], AdapterKind::Bluetooth),
            ("devices/pci0000:00/virtio2", vec![device], AdapterKind::BuiltIn),
        ] {
            assert_eq!(adapter(place, &files).kind, expected, "{place}");
        }
    }

    #[test]
    fn the_nearest_function_is_the_adapters() {
        for (place, expected) in [
            ("devices/pci0000:00/0000:00:1f.6/net/x0", Some("0000:00:1f.6")),
            ("devices/pci0000:00/0000:00:1c.0/0000:05:00.1/virtio0/net/x0", Some("0000:05:00.1")),
            ("devices/pci0000:00/net/x0", None),
            ("devices/virtual/net/x0", None),
            ("", None),
        ] {
            assert_eq!(bus_address(place).as_deref(), expected, "{place}");
        }
    }

    #[test]
    fn permanent_only_when_nobody_set_it() {
        let burnt_in = "00:1b:21:3a:4f:5e".parse().ok();
        let pci = "devices/pci0000:00/0000:00:1f.6";
        let device = ("device/vendor", "0x8086\n");
        assert_eq!(adapter(pci, &[device]).permanent_mac, burnt_in);
        let set = adapter(pci, &[device, ("addr_assign_type", "3\n")]);
        assert_eq!((set.mac, set.permanent_mac), (burnt_in, None));
        let bonded = adapter(
            pci,
            &[device, ("addr_assign_type", "3\n"), ("bonding_slave/perm_hwaddr", "00:1b:21:00:00:01\n")],
        );
        assert_eq!(bonded.permanent_mac, "00:1b:21:00:00:01".parse().ok());
        assert_eq!(adapter("devices/virtual", &[]).permanent_mac, None);
        let none = adapter(pci, &[device, ("address", "00:00:00:00:00:00\n")]);
        assert_eq!((none.mac, none.permanent_mac), (None, None));
        assert_eq!(adapter(pci, &[device, ("wireless/x", "")]).wireless, Some(true));
        assert_eq!(adapter(pci, &[device, ("speed", "1000\n")]).speed_mbps, Some(1000));
        assert_eq!(adapter(pci, &[device, ("speed", "-1\n")]).speed_mbps, None);
        assert_eq!(adapter("devices/virtual", &[("speed", "10000\n")]).speed_mbps, None);
    }

    #[test]
    fn ends_of_containers_links_are_left_out() {
        let address = "02:42:ac:11:00:02\n";
        let (_folder, host) = recorded(&[
            ("sys/class/net/veth3f2a1bc/address", address),
            ("sys/class/net/eth0/address", address),
            ("sys/class/net/docker0/address", address),
        ]);
        let names: Vec<_> = AdapterSource
            .collect(&host)
            .items
            .into_iter()
            .map(|item| match item.kind {
                ItemKind::NetworkAdapter(adapter) => adapter.name,
                other => panic!("{other:?} is no adapter"),
            })
            .collect();
        assert_eq!(names, ["docker0", "eth0"]);
    }

    #[test]
    fn thunderbolt_is_external() {
        let device = ("device/vendor", "0x8086\n");
        let (folder, host) = recorded(&[
            ("sys/devices/pci0000:00/0000:00:1c.0/removable", "fixed\n"),
            ("sys/devices/pci0000:00/0000:00:1c.0/0000:05:00.0/removable", "removable\n"),
            ("sys/devices/pci0000:00/0000:00:1c.0/0000:05:00.0/net/x0/address", "00:1b:21:3a:4f:5e\n"),
            ("sys/devices/pci0000:00/0000:00:1c.0/0000:05:00.0/net/x0/device/vendor", device.1),
        ]);
        std::fs::create_dir_all(folder.path().join(FOLDER)).unwrap();
        let target = "../../devices/pci0000:00/0000:00:1c.0/0000:05:00.0/net/x0";
        symlink(target, folder.path().join(FOLDER).join("x0")).unwrap();
        let part = AdapterSource.collect(&host);
        assert!(matches!(
            &part.items[..],
            [Item { kind: ItemKind::NetworkAdapter(NetworkAdapter { kind: AdapterKind::External, .. }), .. }]
        ));
    }
}
