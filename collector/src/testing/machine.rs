//! A machine made of parts that can be swapped one by one, and what an agent on it would report.

use muster_common::inventory::{
    AdapterKind, Baseboard, Chassis, Disk, Item, ItemKind, MacAddress, MemoryModule, NetworkAdapter,
    OperatingSystem, System,
};

/// A machine, as its parts name themselves.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Machine {
    /// Maker, as written; none on a machine without SMBIOS.
    pub maker: Option<String>,
    /// Model.
    pub model: Option<String>,
    /// System serial number.
    pub serial: Option<String>,
    /// System UUID.
    pub uuid: Option<String>,
    /// Main board's serial number.
    pub board: Option<String>,
    /// Enclosure's serial number.
    pub chassis: Option<String>,
    /// Enclosure type.
    pub chassis_kind: u8,
    /// Memory modules' serial numbers.
    pub memory: Vec<String>,
    /// Whether the memory is part of the board.
    pub soldered: bool,
    /// Disks' serial numbers.
    pub disks: Vec<String>,
    /// Burnt-in addresses of built-in adapters.
    pub built_in: Vec<MacAddress>,
    /// Addresses of docks and dongles that are plugged in.
    pub docks: Vec<MacAddress>,
    /// Addresses that software gave to a virtual machine's adapters.
    pub given: Vec<MacAddress>,
    /// Hypervisor; none on a physical machine.
    pub hypervisor: Option<String>,
    /// The operating system's machine id.
    pub machine_id: String,
    /// Host name.
    pub hostname: String,
}

/// Sixteen bytes that look random and are the same for the same number and use.
fn bytes(number: u64, use_of: &str) -> [u8; 16] {
    let mut hasher = blake3::Hasher::new();
    hasher.update(use_of.as_bytes());
    hasher.update(&number.to_le_bytes());
    let mut bytes = [0; 16];
    bytes.copy_from_slice(&hasher.finalize().as_bytes()[..16]);
    bytes
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02X}")).collect()
}

/// The serial number of the part with this number.
pub fn part_serial(number: u64, kind: &str) -> String {
    hex(&bytes(number, kind)[..6])
}

/// The UUID with this number.
pub fn uuid(number: u64) -> String {
    let text = hex(&bytes(number, "uuid"));
    format!("{}-{}-{}-{}-{}", &text[..8], &text[8..12], &text[12..16], &text[16..20], &text[20..])
}

/// The factory's address with this number: unique for the first four thousand million.
pub fn mac(number: u64) -> MacAddress {
    let [.., a, b, c, d] = number.to_be_bytes();
    MacAddress([0x8c, 0x16, a, b, c, d])
}

/// The machine id with this number.
pub fn machine_id(number: u64) -> String {
    hex(&bytes(number, "machine-id")).to_lowercase()
}

impl Machine {
    /// A laptop whose parts are unique by its number; its enclosure has the system's serial number, as is usual.
    pub fn laptop(number: u64) -> Self {
        let serial = part_serial(number, "laptop");
        Self {
            maker: Some("LENOVO".to_owned()),
            model: Some("20L8S07A14".to_owned()),
            chassis: Some(serial.clone()),
            serial: Some(serial),
            uuid: Some(uuid(number)),
            board: Some(part_serial(number, "board")),
            chassis_kind: 10,
            memory: vec![part_serial(number * 2, "memory"), part_serial(number * 2 + 1, "memory")],
            soldered: false,
            disks: vec![part_serial(number, "disk")],
            built_in: vec![mac(number * 2), mac(number * 2 + 1)],
            docks: Vec::new(),
            given: Vec::new(),
            hypervisor: None,
            machine_id: machine_id(number),
            hostname: format!("host-{number}"),
        }
    }

    /// A blade or twin node in the enclosure with this number.
    pub fn node(number: u64, enclosure: u64) -> Self {
        Self {
            maker: Some("Supermicro".to_owned()),
            model: Some("SYS-2029TP".to_owned()),
            chassis: Some(part_serial(enclosure, "enclosure")),
            serial: Some(part_serial(number, "node")),
            chassis_kind: 23,
            ..Self::laptop(number)
        }
    }

    /// A box of parts, whose maker left every number at its placeholder but for the UUID.
    pub fn white_box(number: u64) -> Self {
        Self {
            maker: Some("System manufacturer".to_owned()),
            model: Some("System Product Name".to_owned()),
            serial: Some("To Be Filled By O.E.M.".to_owned()),
            chassis: Some("Default string".to_owned()),
            chassis_kind: 3,
            ..Self::laptop(number)
        }
    }

    /// A physical machine that shows no SMBIOS, such as a small board or one whose agent may not read it.
    pub fn without_smbios(number: u64) -> Self {
        Self {
            maker: None,
            model: None,
            serial: None,
            uuid: None,
            board: None,
            chassis: None,
            chassis_kind: 2,
            memory: Vec::new(),
            disks: Vec::new(),
            ..Self::laptop(number)
        }
    }

    /// A virtual machine, whose addresses are given by software and whose serial number is none.
    pub fn virtual_machine(number: u64) -> Self {
        let random = bytes(number, "given");
        Self {
            maker: Some("QEMU".to_owned()),
            model: Some("Standard PC (Q35 + ICH9, 2009)".to_owned()),
            serial: Some("Not Specified".to_owned()),
            board: None,
            chassis: None,
            chassis_kind: 1,
            memory: Vec::new(),
            disks: Vec::new(),
            built_in: Vec::new(),
            given: vec![MacAddress([0x52, 0x54, 0x00, random[0], random[1], random[2]])],
            hypervisor: Some("kvm".to_owned()),
            ..Self::laptop(number)
        }
    }

    /// What an agent reports of it.
    pub fn items(&self) -> Vec<Item> {
        let mut items = vec![
            Item::new(ItemKind::System(System {
                manufacturer: self.maker.clone(),
                product_name: self.model.clone(),
                serial: self.serial.clone(),
                uuid: self.uuid.as_ref().map(|uuid| uuid.to_lowercase()),
                hypervisor: self.hypervisor.clone(),
                is_virtual: Some(self.hypervisor.is_some()),
                ..System::default()
            })),
            Item::new(ItemKind::Baseboard(Baseboard { serial: self.board.clone(), ..Baseboard::default() })),
            Item::new(ItemKind::Chassis(Chassis {
                kind: Some(self.chassis_kind),
                serial: self.chassis.clone(),
                ..Chassis::default()
            })),
            Item::new(ItemKind::OperatingSystem(Box::new(OperatingSystem {
                id: Some("debian".to_owned()),
                version: Some("12.11".to_owned()),
                machine_id: Some(self.machine_id.clone()),
                hostname: Some(self.hostname.clone()),
                ..OperatingSystem::default()
            }))),
        ];
        items.extend(self.memory.iter().zip(0u16..).map(|(serial, place)| {
            Item::new(ItemKind::MemoryModule(MemoryModule {
                handle: place,
                locator: format!("DIMM{place}"),
                serial: Some(serial.clone()),
                form_factor: Some(if self.soldered { "Row Of Chips" } else { "SODIMM" }.to_owned()),
                size_bytes: Some(8 << 30),
                ..MemoryModule::default()
            }))
        }));
        items.extend(self.disks.iter().enumerate().map(|(place, serial)| {
            Item::new(ItemKind::Disk(Disk {
                name: format!("nvme{place}n1"),
                serial: Some(serial.clone()),
                size_bytes: Some(512_000_000_000),
                transport: Some("nvme".to_owned()),
                ..Disk::default()
            }))
        }));
        let adapters = [
            (AdapterKind::BuiltIn, &self.built_in),
            (AdapterKind::External, &self.docks),
            (AdapterKind::BuiltIn, &self.given),
        ];
        items.extend(adapters.into_iter().flat_map(|(kind, macs)| {
            macs.iter().map(move |mac| {
                Item::new(ItemKind::NetworkAdapter(NetworkAdapter {
                    name: format!("en{mac}"),
                    permanent_mac: Some(*mac),
                    mac: Some(*mac),
                    kind,
                    ..NetworkAdapter::default()
                }))
            })
        }));
        items
    }
}
