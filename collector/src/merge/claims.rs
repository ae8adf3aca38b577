//! From an agent's items to the fields that it claims, and from one report to the next.
//!
//! Placeholders never become values. What a section could not read isn't taken for gone.

use std::collections::{BTreeMap, BTreeSet};

use muster_common::{
    device::{Field, Value},
    inventory::{
        AdapterKind, Chassis, Disk, Item, ItemKind, NetworkAdapter, OperatingSystem, SectionName,
        SectionStatus, System,
    },
    time::Timestamp,
};

use crate::identity::{maker, normalise, placeholder};

/// How many texts a list holds.
const MAX_LIST: usize = 64;

/// The longest text of a field, in characters.
const MAX_TEXT: usize = 256;

/// Adapters that containers and hypervisors make and drop all day; their addresses lead nowhere.
const PASSING_ADAPTERS: &[&str] =
    &["veth", "docker", "br-", "virbr", "vnet", "cni", "flannel", "cali", "tap"];

/// Host names that every machine has until it is given one.
const UNNAMED_HOSTS: &[&str] = &["localhost", "localhost.localdomain", "(none)", "none"];

/// The fields that an agent's items claim.
pub fn fields_from_items<'a>(items: impl IntoIterator<Item = &'a Item>) -> BTreeMap<Field, Value> {
    let mut reading = Reading::default();
    for item in items {
        reading.take(item);
    }
    reading.finish()
}

/// Brings a subject's fields up to date: `fields` is what its items say now, `statuses` how far each section was read.
///
/// A field keeps its moment while its value stays. A field that isn't said any more is dropped only when its section
/// was read completely, and not when it names the machine: there a placeholder follows a good value, and isn't news.
pub fn update(
    previous: &BTreeMap<Field, (Value, Timestamp)>,
    fields: BTreeMap<Field, Value>,
    statuses: &BTreeMap<SectionName, SectionStatus>,
    now: Timestamp,
) -> BTreeMap<Field, (Value, Timestamp)> {
    let status = |field: Field| {
        section(field)
            .and_then(|name| statuses.iter().find(|(section, _)| section.as_str() == name))
            .map(|it| *it.1)
    };
    let mut updated: BTreeMap<Field, (Value, Timestamp)> = BTreeMap::new();
    for (field, value) in fields {
        let value = match (previous.get(&field), status(field)) {
            (Some((old, _)), Some(SectionStatus::Partial | SectionStatus::Failed)) => {
                never_less(field, old, value)
            }
            (_, _) => value,
        };
        let observed = match previous.get(&field) {
            Some((old, observed)) if *old == value => *observed,
            Some(_) | None => now,
        };
        updated.insert(field, (value, observed));
    }
    for (field, known) in previous {
        let is_gone = match status(*field) {
            Some(SectionStatus::Complete) => !NAMES_THE_MACHINE.contains(field),
            Some(SectionStatus::Partial | SectionStatus::Failed | SectionStatus::NotAvailable) => false,
            // No section tells of it: it comes from elsewhere, and whoever brings it leaves it out on purpose.
            None => section(*field).is_none(),
        };
        if !is_gone {
            updated.entry(*field).or_insert_with(|| known.clone());
        }
    }
    updated
}

/// Fields of which a good value outlives a placeholder.
const NAMES_THE_MACHINE: &[Field] = &[
    Field::Serial,
    Field::Uuid,
    Field::BoardSerial,
    Field::ChassisSerial,
    Field::Manufacturer,
    Field::Model,
    Field::ModelName,
    Field::FirmwareAssetTag,
];

/// The section that an agent reports a field in; none for what doesn't come from a section.
fn section(field: Field) -> Option<&'static str> {
    match field {
        Field::Serial
        | Field::Uuid
        | Field::Manufacturer
        | Field::Model
        | Field::ModelName
        | Field::BoardSerial
        | Field::ChassisSerial
        | Field::FirmwareAssetTag
        | Field::Firmware
        | Field::Hypervisor
        | Field::Virtual
        | Field::Processor
        | Field::Cores
        | Field::Memory
        | Field::Class => Some(SectionName::HARDWARE),
        Field::Disk | Field::DiskSerials => Some(SectionName::STORAGE),
        Field::Mac | Field::Ip => Some(SectionName::NETWORK),
        Field::Hostname
        | Field::MachineId
        | Field::OsName
        | Field::OsVersion
        | Field::OsPretty
        | Field::Kernel
        | Field::Architecture
        | Field::BootTime => Some(SectionName::OS),
        Field::AgentVersion
        | Field::AssetTag
        | Field::State
        | Field::Ownership
        | Field::Company
        | Field::Owner
        | Field::AssignedTo
        | Field::Location
        | Field::Department
        | Field::CostCenter
        | Field::Supplier
        | Field::OrderNumber
        | Field::Price
        | Field::PurchaseDate
        | Field::WarrantyEnd
        | Field::Instance
        | Field::CloudAccount
        | Field::CloudRegion
        | Field::Fqdn
        | Field::MdmId
        | Field::DirectoryId
        | Field::AssetKey
        | Field::AttachedTo
        | Field::LastSignIn
        | Field::Category
        | Field::Title
        | Field::Invoice
        | Field::FinanceNumber
        | Field::Lessor
        | Field::LeaseEnd
        | Field::ContractEnd
        | Field::RenewalDate
        | Field::Seats
        | Field::Quantity
        | Field::Service
        | Field::Pool
        | Field::Environment
        | Field::Criticality
        | Field::DataClass
        | Field::Position
        | Field::Tags
        | Field::Custom
        | Field::Verified
        | Field::Deployed
        | Field::Acknowledged
        | Field::AwayUntil
        | Field::Retired
        | Field::WipeEvidence
        | Field::DisposalEvidence
        | Field::Request
        | Field::Replaces => None,
    }
}

/// A sum or a list of a section that was read in part is no smaller than it was.
fn never_less(field: Field, old: &Value, new: Value) -> Value {
    match (old, new) {
        (Value::List(old), Value::List(new)) => {
            let all: BTreeSet<String> = old.iter().cloned().chain(new).collect();
            list(all).unwrap_or(Value::List(Vec::new()))
        }
        (Value::Number(old), Value::Number(new))
            if matches!(field, Field::Disk | Field::Memory | Field::Cores) =>
        {
            Value::Number(new.max(*old))
        }
        (_, new) => new,
    }
}

/// What was met so far.
#[derive(Default)]
struct Reading {
    fields: BTreeMap<Field, Value>,
    macs: BTreeSet<String>,
    addresses: BTreeSet<String>,
    disk_serials: BTreeSet<String>,
    disk_bytes: Option<u64>,
    module_bytes: Option<u64>,
    usable_bytes: Option<u64>,
    cores: Option<u64>,
    enclosure: Option<(u16, u8)>,
}

impl Reading {
    fn take(&mut self, item: &Item) {
        match &item.kind {
            ItemKind::System(system) => self.take_system(system),
            ItemKind::Baseboard(board) => self.first(Field::BoardSerial, serial(board.serial.as_deref())),
            ItemKind::Chassis(chassis) => self.take_chassis(chassis),
            ItemKind::Firmware(firmware) => self.set(Field::Firmware, text(firmware.version.as_deref())),
            ItemKind::Processor(processor) => {
                self.first(Field::Processor, text(processor.model.as_deref()));
                add(&mut self.cores, processor.cores.map(u64::from));
            }
            ItemKind::Memory(memory) => {
                self.set(Field::Memory, memory.installed_bytes.map(Value::Number));
                self.usable_bytes = memory.usable_bytes;
            }
            ItemKind::MemoryModule(module) => add(&mut self.module_bytes, module.size_bytes),
            ItemKind::Disk(disk) => self.take_disk(disk),
            ItemKind::NetworkAdapter(adapter) => self.take_adapter(adapter),
            ItemKind::OperatingSystem(os) => self.take_os(os),
            ItemKind::Account(_)
            | ItemKind::Battery(_)
            | ItemKind::Cache(_)
            | ItemKind::Certificate(_)
            | ItemKind::CloudInstance(_)
            | ItemKind::Group(_)
            | ItemKind::Listener(_)
            | ItemKind::Login(_)
            | ItemKind::Monitor(_)
            | ItemKind::Neighbour(_)
            | ItemKind::NetworkNeighbours(_)
            | ItemKind::OnboardDevice(_)
            | ItemKind::PciDevice(_)
            | ItemKind::Port(_)
            | ItemKind::PowerSupply(_)
            | ItemKind::Protection(_)
            | ItemKind::Security(_)
            | ItemKind::Service(_)
            | ItemKind::Slot(_)
            | ItemKind::Tpm(_)
            | ItemKind::Usage(_)
            | ItemKind::UsbDevice(_)
            | ItemKind::Volume(_)
            | ItemKind::Package(_) => {}
        }
    }

    fn finish(mut self) -> BTreeMap<Field, Value> {
        let memory = self.module_bytes.or(self.usable_bytes);
        self.first(Field::Memory, memory.map(Value::Number));
        self.set(Field::Cores, self.cores.map(Value::Number));
        self.set(Field::Disk, self.disk_bytes.map(Value::Number));
        let (macs, addresses, serials) =
            (self.macs.clone(), self.addresses.clone(), self.disk_serials.clone());
        self.set(Field::Mac, list(macs));
        self.set(Field::Ip, list(addresses));
        self.set(Field::DiskSerials, list(serials));
        let class = match (self.fields.get(&Field::Virtual), self.enclosure) {
            (Some(Value::Boolean(true)), _) => Some("virtual"),
            (_, Some((_, kind))) => class(kind),
            (_, None) => None,
        };
        self.set(Field::Class, class.map(|class| Value::Text(class.to_owned())));
        self.fields
    }

    fn take_system(&mut self, system: &System) {
        let family = system.manufacturer.as_deref().and_then(maker::family);
        // Lenovo writes the type into the product's name and the name for people into its version.
        let model_name = system.version.as_deref().filter(|_| family.as_deref() == Some("lenovo"));
        self.set(Field::Serial, serial(system.serial.as_deref()));
        self.set(Field::Uuid, system.uuid.as_deref().and_then(normalise::shown_uuid).map(Value::Text));
        self.set(Field::Manufacturer, product(system.manufacturer.as_deref()));
        self.set(Field::Model, product(system.product_name.as_deref()));
        self.set(Field::ModelName, product(model_name));
        self.set(Field::Hypervisor, text(system.hypervisor.as_deref()));
        self.set(Field::Virtual, system.is_virtual.map(Value::Boolean));
    }

    fn take_chassis(&mut self, chassis: &Chassis) {
        self.first(Field::ChassisSerial, serial(chassis.serial.as_deref()));
        self.first(Field::FirmwareAssetTag, serial(chassis.asset_tag.as_deref()));
        if let Some(kind) = chassis.kind {
            let met = (chassis.handle, kind);
            self.enclosure = Some(self.enclosure.map_or(met, |known| known.min(met)));
        }
    }

    fn take_disk(&mut self, disk: &Disk) {
        if disk.removable == Some(true) || disk.transport.as_deref() == Some("usb") {
            return;
        }
        add(&mut self.disk_bytes, disk.size_bytes);
        if let Some(Value::Text(serial)) = serial(disk.serial.as_deref()) {
            self.disk_serials.insert(serial);
        }
    }

    fn take_adapter(&mut self, adapter: &NetworkAdapter) {
        let is_virtual = adapter.kind == AdapterKind::Virtual;
        if is_virtual && PASSING_ADAPTERS.iter().any(|start| adapter.name.starts_with(start)) {
            return;
        }
        if !is_virtual {
            let known = [adapter.permanent_mac, adapter.mac].into_iter().flatten();
            self.macs.extend(
                known.filter(|mac| !mac.is_multicast() && mac.0 != [0; 6]).map(|mac| mac.to_string()),
            );
        }
        let leads_here = |address: &&std::net::IpAddr| match address {
            std::net::IpAddr::V4(v4) => !v4.is_loopback() && !v4.is_link_local() && !v4.is_unspecified(),
            std::net::IpAddr::V6(v6) => {
                !v6.is_loopback() && !v6.is_unicast_link_local() && !v6.is_unspecified()
            }
        };
        self.addresses.extend(adapter.addresses.iter().filter(leads_here).map(ToString::to_string));
    }

    fn take_os(&mut self, os: &OperatingSystem) {
        let named = os
            .hostname
            .as_deref()
            .filter(|name| !UNNAMED_HOSTS.contains(&name.trim().to_lowercase().as_str()));
        self.set(Field::Hostname, text(named));
        self.set(Field::MachineId, os.machine_id.as_deref().and_then(normalise::machine_id).map(Value::Text));
        self.set(Field::OsName, text(os.id.as_deref()));
        self.set(Field::OsVersion, text(os.version.as_deref().or(os.version_id.as_deref())));
        self.set(Field::OsPretty, text(os.pretty_name.as_deref()));
        self.set(Field::Kernel, text(os.kernel.as_deref()));
        self.set(Field::Architecture, text(os.architecture.as_deref()));
        let boot = os.boot_time.map(|time| Value::Time(Timestamp::from_millis(time.as_millis())));
        self.set(Field::BootTime, boot);
    }

    fn set(&mut self, field: Field, value: Option<Value>) {
        if let Some(value) = value {
            self.fields.insert(field, value);
        }
    }

    /// Of several boards, enclosures or processors the first speaks.
    fn first(&mut self, field: Field, value: Option<Value>) {
        if let Some(value) = value {
            self.fields.entry(field).or_insert(value);
        }
    }
}

/// The class of an enclosure type of DSP0134, table 17.
fn class(kind: u8) -> Option<&'static str> {
    match kind & 0x7f {
        3..=7 | 13 | 15 | 16 | 24 | 34..=36 => Some("desktop"),
        8..=10 | 14 | 30..=32 => Some("laptop"),
        17 | 22 | 23 | 25 | 28 | 29 => Some("server"),
        0..=2 => None,
        _ => Some("other"),
    }
}

fn text(text: Option<&str>) -> Option<Value> {
    let clean: String = normalise::visible(text?).chars().take(MAX_TEXT).collect();
    (!clean.is_empty()).then_some(Value::Text(clean))
}

fn serial(found: Option<&str>) -> Option<Value> {
    text(found.filter(|found| !placeholder::is_serial(&normalise::visible(found))))
}

fn product(found: Option<&str>) -> Option<Value> {
    text(found.filter(|found| !placeholder::is_product(&normalise::visible(found))))
}

fn list(texts: BTreeSet<String>) -> Option<Value> {
    (!texts.is_empty()).then(|| Value::List(texts.into_iter().take(MAX_LIST).collect()))
}

fn add(sum: &mut Option<u64>, more: Option<u64>) {
    if let Some(more) = more {
        *sum = Some(sum.unwrap_or(0).saturating_add(more));
    }
}

#[cfg(test)]
mod tests {
    use muster_common::inventory::{MemoryModule, Processor};

    use super::*;

    fn laptop() -> Vec<Item> {
        let module = |handle| {
            Item::new(ItemKind::MemoryModule(MemoryModule {
                handle,
                size_bytes: Some(8 << 30),
                ..MemoryModule::default()
            }))
        };
        let disk = |name: &str, transport: &str| {
            Item::new(ItemKind::Disk(Disk {
                name: name.into(),
                serial: Some(format!("S-{name}")),
                size_bytes: Some(500),
                transport: Some(transport.into()),
                ..Disk::default()
            }))
        };
        let adapter = |name: &str, kind, mac: &str, address: &str| {
            Item::new(ItemKind::NetworkAdapter(NetworkAdapter {
                name: name.into(),
                mac: Some(mac.parse().unwrap()),
                kind,
                addresses: vec![address.parse().unwrap()],
                ..NetworkAdapter::default()
            }))
        };
        vec![
            Item::new(ItemKind::System(System {
                manufacturer: Some("LENOVO".into()),
                product_name: Some("20L8S07A14".into()),
                version: Some("ThinkPad T480s".into()),
                serial: Some("PF0ABCDE".into()),
                uuid: Some("4C4C4544-0051-3810-8054-B7C04F584432".into()),
                is_virtual: Some(false),
                ..System::default()
            })),
            Item::new(ItemKind::Chassis(Chassis {
                kind: Some(10),
                serial: Some("Default string".into()),
                asset_tag: Some("No Asset Tag".into()),
                ..Chassis::default()
            })),
            Item::new(ItemKind::Processor(Processor { cores: Some(4), ..Processor::default() })),
            Item::new(ItemKind::Processor(Processor { cores: Some(4), ..Processor::default() })),
            module(1),
            module(2),
            disk("nvme0n1", "nvme"),
            disk("sda", "usb"),
            adapter("en0", AdapterKind::BuiltIn, "8c:16:45:00:00:02", "10.0.0.5"),
            adapter("en1", AdapterKind::External, "8c:16:45:00:00:01", "fe80::1"),
            adapter("veth7", AdapterKind::Virtual, "8a:00:00:00:00:01", "172.18.0.1"),
        ]
    }

    fn all(status: SectionStatus) -> BTreeMap<SectionName, SectionStatus> {
        [SectionName::HARDWARE, SectionName::STORAGE, SectionName::NETWORK, SectionName::OS]
            .into_iter()
            .map(|name| (SectionName::known(name), status))
            .collect()
    }

    #[test]
    fn items_become_fields_and_placeholders_do_not() {
        let fields = fields_from_items(&laptop());
        let list = |items: &[&str]| Value::List(items.iter().map(|item| (*item).to_owned()).collect());
        let text = |text: &str| Value::Text(text.to_owned());
        let expected = BTreeMap::from([
            (Field::Serial, text("PF0ABCDE")),
            (Field::Uuid, text("4c4c4544-0051-3810-8054-b7c04f584432")),
            (Field::Manufacturer, text("LENOVO")),
            (Field::Model, text("20L8S07A14")),
            (Field::ModelName, text("ThinkPad T480s")),
            (Field::Virtual, Value::Boolean(false)),
            (Field::Cores, Value::Number(8)),
            (Field::Memory, Value::Number(16 << 30)),
            (Field::Disk, Value::Number(500)),
            (Field::DiskSerials, list(&["S-nvme0n1"])),
            (Field::Mac, list(&["8c:16:45:00:00:01", "8c:16:45:00:00:02"])),
            (Field::Ip, list(&["10.0.0.5"])),
            (Field::Class, text("laptop")),
        ]);
        assert_eq!(fields, expected);
    }

    #[test]
    fn a_value_keeps_its_moment_while_it_stays() {
        let statuses = all(SectionStatus::Complete);
        let first =
            update(&BTreeMap::new(), fields_from_items(&laptop()), &statuses, Timestamp::from_millis(1));
        let again = update(&first, fields_from_items(&laptop()), &statuses, Timestamp::from_millis(2));
        assert_eq!(first, again);
    }

    #[test]
    fn a_partial_section_takes_nothing_away_and_a_complete_one_does() {
        let whole = update(
            &BTreeMap::new(),
            fields_from_items(&laptop()),
            &all(SectionStatus::Complete),
            Timestamp::from_millis(1),
        );
        let part = fields_from_items(&laptop()[..5]);
        for status in [SectionStatus::Partial, SectionStatus::Failed, SectionStatus::NotAvailable] {
            let kept = update(&whole, part.clone(), &all(status), Timestamp::from_millis(2));
            let keeps_sums = status != SectionStatus::NotAvailable;
            assert_eq!(kept.keys().collect::<Vec<_>>(), whole.keys().collect::<Vec<_>>(), "{status:?}");
            if keeps_sums {
                assert_eq!(kept, whole, "{status:?}");
            }
        }
        let shrunk = update(&whole, part, &all(SectionStatus::Complete), Timestamp::from_millis(2));
        assert!(!shrunk.contains_key(&Field::Disk));
        assert_eq!(shrunk[&Field::Memory], (Value::Number(8 << 30), Timestamp::from_millis(2)));
    }

    #[test]
    fn what_names_the_machine_outlives_a_placeholder() {
        let statuses = all(SectionStatus::Complete);
        let good =
            update(&BTreeMap::new(), fields_from_items(&laptop()), &statuses, Timestamp::from_millis(1));
        let mut items = laptop();
        items[0] = Item::new(ItemKind::System(System {
            serial: Some("To be filled by O.E.M.".into()),
            ..System::default()
        }));
        let after = update(&good, fields_from_items(&items), &statuses, Timestamp::from_millis(2));
        assert_eq!(after[&Field::Serial], good[&Field::Serial]);
        assert_eq!(after[&Field::Model], good[&Field::Model]);
    }
}
