//! The other agents: how each is called, how its output is read, and which of its things are which of ours.
//!
//! To add one, add a [`Peer`] to [`PEERS`] and its fields to `fields`.

use anyhow::Result;

use super::compare::Items;
use super::fields::{self, Fields};
use super::read::{self, Thing};

/// Takes an output apart.
type Reader = fn(&str) -> Result<Vec<Thing>>;

/// Another agent, or a tool that tells a part of what an agent does.
pub(super) struct Peer {
    pub(super) name: &'static str,
    pub(super) words: &'static [&'static str],
    /// What it prints, taken apart; `None` where only its cost is of interest.
    pub(super) read: Option<Reader>,
    pub(super) fields: &'static [Fields],
    pub(super) items: &'static [Items],
}

/// The tables which together hold what OCS and GLPI agents tell.
const QUERY: &str = "select * from system_info; select * from os_version; select * from kernel_info; \
    select * from platform_info; select * from cpu_info; select * from memory_devices; select * from memory_arrays; \
    select * from interface_details; select * from interface_addresses; select * from block_devices; \
    select * from mounts; select * from pci_devices; select * from usb_devices; select * from users; \
    select * from groups; select * from logged_in_users; select * from processes; select * from deb_packages;";

pub(super) const OSQUERY_START: &str = "osquery, start only";
pub(super) const OSQUERY: &str = "osquery, 18 tables";

pub(super) const PEERS: &[Peer] = &[
    Peer {
        name: "FusionInventory",
        words: &["fusioninventory-inventory"],
        read: Some(read::xml),
        fields: &[fields::FUSION],
        items: &[
            items("software", "SOFTWARES", &["NAME", "VERSION", "ARCH"], PACKAGES),
            items("PCI devices", "CONTROLLERS", &["PCISLOT"], PCI),
            items("USB devices", "USBDEVICES", &["SERIAL"], &[("usbDevice", &["serial"])]),
            items("memory modules", "MEMORIES", &["SERIALNUMBER"], &[("memoryModule", &["serial"])]),
            items("disks", "STORAGES", &["NAME"], DISKS),
            items("volumes", "DRIVES", &["VOLUMN", "TYPE"], VOLUMES),
            items("adapters", "NETWORKS", &["DESCRIPTION"], ADAPTERS),
            items("IPv4 addresses", "NETWORKS", &["IPADDRESS"], ADDRESSES),
            items("IPv6 addresses", "NETWORKS", &["IPADDRESS6"], ADDRESSES),
            items(
                "accounts",
                "LOCAL_USERS",
                &["LOGIN", "ID", "SHELL"],
                &[("account", &["name", "uid", "shell"])],
            ),
            items("groups", "LOCAL_GROUPS", &["NAME", "ID"], &[("group", &["name", "gid"])]),
        ],
    },
    Peer {
        name: "OCS Inventory",
        words: &["ocsinventory-agent", "--stdout"],
        read: Some(read::ocs),
        fields: &[fields::OCS, fields::FUSION],
        items: &[
            items("software", "SOFTWARES", &["NAME", "VERSION", "ARCHITECTURE"], PACKAGES),
            items("PCI devices", "CONTROLLERS", &["PCISLOT"], PCI),
            items("disks", "STORAGES", &["NAME"], DISKS),
            items("volumes", "DRIVES", &["VOLUMN", "TYPE"], VOLUMES),
            items("adapters", "NETWORKS", &["DESCRIPTION"], ADAPTERS),
            items("addresses", "NETWORKS", &["IPADDRESS"], ADDRESSES),
            items("accounts", "LOCAL_USERS", &["LOGIN", "SHELL"], &[("account", &["name", "shell"])]),
            items("groups", "LOCAL_GROUPS", &["NAME"], GROUPS),
        ],
    },
    Peer {
        name: OSQUERY,
        words: &[
            "osqueryi",
            "--json",
            "--disable_events",
            "--ephemeral",
            "--disable_extensions",
            "--logger_min_status=3",
            QUERY,
        ],
        read: Some(read::osquery),
        fields: &[fields::OSQUERY],
        items: &[
            items("software", "deb_packages", &["name", "version", "arch"], PACKAGES),
            items("PCI devices", "pci_devices", &["pci_slot"], PCI),
            items("USB devices", "usb_devices", &["serial"], &[("usbDevice", &["serial"])]),
            items("memory modules", "memory_devices", &["serial_number"], &[("memoryModule", &["serial"])]),
            items("block devices", "block_devices", &["name"], BLOCK_DEVICES),
            Items {
                what: "mounts of devices",
                section: "mounts",
                key: &["device", "path"],
                only: "/dev/",
                kinds: VOLUMES,
            },
            items("adapters", "interface_details", &["interface"], ADAPTERS),
            items("addresses", "interface_addresses", &["address"], ADDRESSES),
            items("accounts", "users", &["username", "uid", "gid"], &[("account", &["name", "uid", "gid"])]),
            items("groups", "groups", &["groupname", "gid"], &[("group", &["name", "gid"])]),
        ],
    },
    Peer { name: OSQUERY_START, words: &["osqueryi", "--version"], read: None, fields: &[], items: &[] },
    Peer {
        name: "facter",
        words: &["facter", "--json"],
        read: Some(read::facter),
        fields: &[fields::FACTER],
        items: &[
            items("disks", "disks", &["name"], DISKS),
            items("partitions", "partitions", &["name"], &[("volume", &["device"])]),
            items("adapters", "interfaces", &["name"], ADAPTERS),
            items("addresses", "interfaces", &["ip"], ADDRESSES),
        ],
    },
    Peer {
        name: "lshw",
        words: &["lshw", "-json"],
        read: Some(read::lshw),
        fields: &[fields::LSHW],
        items: &[
            Items { what: "PCI devices", section: "", key: &["businfo"], only: "pci@", kinds: PCI },
            items("disks", "disk", &["logicalname"], DISKS),
            items("volumes", "volume", &["logicalname"], BLOCK_DEVICES),
            items("memory modules", "memory", &["serial"], &[("memoryModule", &["serial"])]),
            items("adapters", "network", &["logicalname"], ADAPTERS),
        ],
    },
    Peer {
        name: "hwinfo",
        words: &["hwinfo", "--all"],
        read: Some(read::hwinfo),
        fields: &[fields::HWINFO],
        items: &[
            Items { what: "PCI devices", section: "", key: &["SysFS BusID"], only: "0000:", kinds: PCI },
            items("disks", "disk", &["Device File"], DISKS),
            items("adapters", "network interface", &["Device File"], ADAPTERS),
        ],
    },
    Peer { name: "inxi", words: &["inxi", "--tty", "-c0", "-Fxxxr"], read: None, fields: &[], items: &[] },
];

const PACKAGES: Kinds = &[("package", &["name", "version", "architecture"])];
const PCI: Kinds = &[("pciDevice", &["address"])];
const DISKS: Kinds = &[("disk", &["name"])];
const VOLUMES: Kinds = &[("volume", &["device", "mountPoint"])];
const BLOCK_DEVICES: Kinds = &[("disk", &["name"]), ("volume", &["device"])];
const ADAPTERS: Kinds = &[("networkAdapter", &["name"])];
const ADDRESSES: Kinds = &[("networkAdapter", &["addresses"])];
const GROUPS: Kinds = &[("group", &["name"])];

type Kinds = &'static [(&'static str, &'static [&'static str])];

const fn items(
    what: &'static str,
    section: &'static str,
    key: &'static [&'static str],
    kinds: Kinds,
) -> Items {
    Items { what, section, key, only: "", kinds }
}
