//! One machine of the fleet, as an agent's sources would have read it.

use std::net::{IpAddr, Ipv4Addr};

use muster_common::{
    inventory::{
        AdapterKind, Baseboard, Chassis, Disk, Firmware, Item, ItemKind, MacAddress, Memory, MemoryModule,
        NetworkAdapter, OperatingSystem, Processor, System,
    },
    time::EndpointTime,
};
use rand::RngCore;

use super::{
    COLLECTED_MS,
    distribution::Distribution,
    draw::{Draw, mix, weighted},
    hardware::{Form, MODELS, Model, Numbering},
    serial,
};

/// The most parts of a kind that a model has, so that each part has a number of its own.
const PARTS: u64 = 16;
const GIB: u64 = 1 << 30;

/// A device without its software.
pub(super) struct Machine {
    seed: u64,
    device: u64,
    model: &'static Model,
    random: [u8; 32],
}

impl Machine {
    pub(super) fn new(seed: u64, device: u64) -> Self {
        let mut random = [0; 32];
        Draw::new(seed, "machine", device, 0).fill_bytes(&mut random);
        Self { seed, device, model: weighted(&MODELS, mix(seed, device, 0x0d)), random }
    }

    /// System, board, enclosure, firmware, processors and memory.
    pub(super) fn hardware(&self) -> Vec<Item> {
        let model = self.model;
        let manufacturer = Some(model.manufacturer.to_owned());
        let is_virtual = model.form == Form::Virtual;
        let serial = self.serial();
        let mut items = vec![
            ItemKind::System(System {
                manufacturer: manufacturer.clone(),
                product_name: Some(model.product.to_owned()),
                version: model.version.map(str::to_owned),
                serial: Some(serial.clone()),
                uuid: Some(self.uuid()),
                sku: None,
                family: model.family.map(str::to_owned),
                hypervisor: model.hypervisor.map(str::to_owned),
                is_virtual: Some(is_virtual),
                ..System::default()
            }),
            ItemKind::Baseboard(Baseboard {
                handle: 0x200,
                manufacturer: manufacturer.clone(),
                product: Some(model.board.to_owned()),
                version: None,
                serial: (!is_virtual).then(|| format!("L1{}", serial::letters(self.seed, self.device, 8))),
                asset_tag: None,
                location: None,
            }),
            ItemKind::Chassis(Chassis {
                handle: 0x300,
                manufacturer,
                kind: Some(model.form.chassis_kind()),
                version: None,
                serial: (!is_virtual).then_some(serial),
                asset_tag: None,
                sku: None,
            }),
            ItemKind::Firmware(Firmware {
                vendor: Some(model.firmware_vendor.to_owned()),
                version: Some(model.firmware.to_owned()),
                release_date: Some("03/14/2025".to_owned()),
                smbios_version: Some("3.2.0".to_owned()),
                ..Firmware::default()
            }),
            ItemKind::Memory(Memory {
                usable_bytes: Some(u64::from(model.modules) * model.module_gib * GIB - GIB / 4),
                installed_bytes: Some(u64::from(model.modules) * model.module_gib * GIB),
                slots: Some(model.modules),
                ..Memory::default()
            }),
        ];
        items.extend((0..model.sockets).map(|socket| {
            ItemKind::Processor(Processor {
                socket: format!("CPU{socket}"),
                manufacturer: Some("Intel(R) Corporation".to_owned()),
                model: Some(model.processor.to_owned()),
                cores: Some(model.cores),
                threads: Some(model.cores * 2),
                max_mhz: Some(4_700),
                ..Processor::default()
            })
        }));
        items.extend((0..model.modules).map(|slot| {
            ItemKind::MemoryModule(MemoryModule {
                handle: 0x400 + slot as u16,
                locator: format!("DIMM {slot}"),
                bank: Some(format!("BANK {slot}")),
                manufacturer: Some(if is_virtual { model.manufacturer } else { "Samsung" }.to_owned()),
                part_number: (!is_virtual).then(|| "M425R1GB4BB0-CQKOL".to_owned()),
                serial: (!is_virtual).then(|| serial::hex(self.seed, self.part(slot), 8)),
                asset_tag: None,
                size_bytes: Some(model.module_gib * GIB),
                kind: Some(model.memory_kind.to_owned()),
                form_factor: Some(if model.form == Form::Laptop { "SODIMM" } else { "DIMM" }.to_owned()),
                speed_mts: Some(4_800),
            })
        }));
        items.into_iter().map(Item::new).collect()
    }

    /// Disks.
    pub(super) fn storage(&self) -> Vec<Item> {
        let is_virtual = self.model.form == Form::Virtual;
        let disk = |place: u32| {
            let number = self.part(place);
            let text = |text: &str| Some(text.to_owned());
            if is_virtual {
                return Disk {
                    name: format!("vd{}", char::from(b'a' + place as u8)),
                    size_bytes: Some(40 * GIB),
                    transport: text("virtio"),
                    rotational: Some(false),
                    removable: Some(false),
                    ..Disk::default()
                };
            }
            Disk {
                name: format!("nvme{place}n1"),
                model: text("SAMSUNG MZVL2512HCJQ-00BL7"),
                vendor: text("Samsung"),
                serial: Some(format!("S64KNX{}", serial::letters(self.seed, number, 8))),
                wwn: Some(format!("eui.002538{}", serial::hex(self.seed, number, 10).to_lowercase())),
                firmware: text("GXA7801Q"),
                size_bytes: Some(512_110_190_592),
                transport: text("nvme"),
                rotational: Some(false),
                removable: Some(false),
                ..Disk::default()
            }
        };
        (0..self.model.disks).map(|place| Item::new(ItemKind::Disk(disk(place)))).collect()
    }

    /// Adapters with their addresses.
    pub(super) fn network(&self) -> Vec<Item> {
        let adapter = |place: u32| {
            let is_wireless = self.model.form == Form::Laptop && place == 0;
            let mac = self.mac(place);
            NetworkAdapter {
                name: if is_wireless { "wlp0s20f3".to_owned() } else { format!("enp{}s0", place + 1) },
                permanent_mac: Some(mac),
                mac: Some(mac),
                kind: AdapterKind::BuiltIn,
                wireless: Some(is_wireless),
                driver: Some(if is_wireless { "iwlwifi" } else { "igc" }.to_owned()),
                addresses: if place == 0 { vec![self.address()] } else { Vec::new() },
                ..NetworkAdapter::default()
            }
        };
        let adapters = (0..self.model.adapters).map(adapter);
        adapters.map(|adapter| Item::new(ItemKind::NetworkAdapter(adapter))).collect()
    }

    pub(super) fn operating_system(&self) -> Item {
        let release = Distribution::of(self.seed, self.device).os_release();
        let text = |text: &str| Some(text.to_owned());
        let machine_id: String = self.random[16..].iter().map(|byte| format!("{byte:02x}")).collect();
        let up_ms = (mix(self.seed, self.device, 0xb007) % (30 * 86_400)) as i64 * 1000;
        Item::new(ItemKind::OperatingSystem(Box::new(OperatingSystem {
            id: text(release.id),
            name: text(release.name),
            version: text(release.version),
            version_id: text(release.version_id),
            codename: text(release.codename),
            pretty_name: text(release.pretty_name),
            kernel: text(release.kernel),
            architecture: text("x86_64"),
            machine_id: Some(machine_id),
            hostname: Some(format!("{}-{:06}", self.model.form.prefix(), self.device)),
            boot_time: Some(EndpointTime::from_millis(COLLECTED_MS - up_ms)),
            ..OperatingSystem::default()
        })))
    }

    fn serial(&self) -> String {
        match self.model.numbering {
            Numbering::Letters(prefix, count) => {
                format!("{prefix}{}", serial::letters(self.seed, self.device, count))
            }
            Numbering::Digits(prefix, count) => {
                format!("{prefix}{}", serial::digits(self.seed, self.device, count))
            }
            Numbering::Placeholder(text) => text.to_owned(),
        }
    }

    /// Version 4, lower case.
    fn uuid(&self) -> String {
        let mut bytes = [0; 16];
        bytes.copy_from_slice(&self.random[..16]);
        bytes[6] = bytes[6] & 0x0f | 0x40;
        bytes[8] = bytes[8] & 0x3f | 0x80;
        let hex: String = bytes.iter().map(|byte| format!("{byte:02x}")).collect();
        format!("{}-{}-{}-{}-{}", &hex[..8], &hex[8..12], &hex[12..16], &hex[16..20], &hex[20..])
    }

    fn mac(&self, place: u32) -> MacAddress {
        // Four adapters a device at most: a maker's block of 2^24 addresses is used up at four million devices.
        let number = self.device * 4 + u64::from(place);
        let [_, a, b, c] = (serial::scatter(self.seed, number, 1 << 24) as u32).to_be_bytes();
        let [x, y, z] = self.model.oui;
        MacAddress([x, y, z, a, b, c])
    }

    fn address(&self) -> IpAddr {
        let [_, b, c, d] = (serial::scatter(self.seed, self.device, 1 << 24) as u32).to_be_bytes();
        IpAddr::V4(Ipv4Addr::new(10, b, c, d))
    }

    fn part(&self, place: u32) -> u64 {
        self.device * PARTS + u64::from(place)
    }
}
