//! An inventory on one page, for people.
//!
//! Knows how things are called and measured. What nobody reported is said to be so and never left blank, since "not
//! reported" and "none" are different answers.

use muster_common::inventory::{
    AdapterKind, Battery, Disk, ErrorKind, InstallState, Inventory, Item, ItemKind, MemoryModule, Monitor,
    NetworkAdapter, OperatingSystem, PciDevice, Processor, Section, System,
};

use crate::{
    commands::{
        peripherals::{battery_row, graphics_row, monitor_row},
        table::aligned,
    },
    sources::NOT_RECORDED,
};

const NOT_REPORTED: &str = "not reported by this machine";
/// The PCI class of display controllers.
const DISPLAY: u32 = 0x03;
/// Addresses shown of one adapter.
const ADDRESSES_SHOWN: usize = 4;

/// The page.
pub(super) fn summary(inventory: &Inventory) -> String {
    let found = Found::of(inventory);
    let mut page = String::new();
    let mut group = |title: &str, rows: &[Vec<String>]| {
        if !rows.is_empty() {
            if !page.is_empty() {
                page.push('\n');
            }
            page.push_str(title);
            page.push('\n');
            page.push_str(&aligned("  ", rows));
        }
    };
    group("Machine", &machine(&found));
    group("Operating system", &found.system_software.map(operating_system).unwrap_or_default());
    group(
        "Processors",
        &found.processors.iter().map(|processor| processor_row(processor)).collect::<Vec<_>>(),
    );
    group("Memory", &memory(&found));
    group("Disks", &found.disks.iter().map(|disk| disk_row(disk)).collect::<Vec<_>>());
    group("Network adapters", &found.adapters.iter().map(|adapter| adapter_row(adapter)).collect::<Vec<_>>());
    group("Graphics", &found.graphics.iter().map(|device| graphics_row(device)).collect::<Vec<_>>());
    group("Monitors", &found.monitors.iter().map(|monitor| monitor_row(monitor)).collect::<Vec<_>>());
    group("Batteries", &found.batteries.iter().map(|battery| battery_row(battery)).collect::<Vec<_>>());
    group("Software", &software(inventory));
    group("Not read", &errors(inventory));
    page
}

/// The items by kind.
#[derive(Default)]
struct Found<'a> {
    system: Option<&'a System>,
    hardware: Vec<&'a ItemKind>,
    memory: Option<&'a muster_common::inventory::Memory>,
    processors: Vec<&'a Processor>,
    modules: Vec<&'a MemoryModule>,
    disks: Vec<&'a Disk>,
    adapters: Vec<&'a NetworkAdapter>,
    graphics: Vec<&'a PciDevice>,
    monitors: Vec<&'a Monitor>,
    batteries: Vec<&'a Battery>,
    system_software: Option<&'a OperatingSystem>,
}

impl<'a> Found<'a> {
    fn of(inventory: &'a Inventory) -> Self {
        let mut found = Self::default();
        for item in inventory.items() {
            match &item.kind {
                ItemKind::System(system) => found.system = Some(system),
                ItemKind::Baseboard(_) | ItemKind::Chassis(_) | ItemKind::Firmware(_) => {
                    found.hardware.push(&item.kind);
                }
                ItemKind::Processor(processor) => found.processors.push(processor),
                ItemKind::Memory(memory) => found.memory = Some(memory),
                ItemKind::MemoryModule(module) => found.modules.push(module),
                ItemKind::Disk(disk) => found.disks.push(disk),
                ItemKind::NetworkAdapter(adapter) => found.adapters.push(adapter),
                ItemKind::OperatingSystem(system) => found.system_software = Some(system),
                ItemKind::Monitor(monitor) => found.monitors.push(monitor),
                ItemKind::Battery(battery) => found.batteries.push(battery),
                ItemKind::PciDevice(device) if device.class_code >> 16 == DISPLAY => {
                    found.graphics.push(device);
                }
                ItemKind::Account(_)
                | ItemKind::Cache(_)
                | ItemKind::Certificate(_)
                | ItemKind::CloudInstance(_)
                | ItemKind::Group(_)
                | ItemKind::Listener(_)
                | ItemKind::Login(_)
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
        found
    }
}

fn machine(found: &Found<'_>) -> Vec<Vec<String>> {
    let none = System::default();
    let system = found.system.unwrap_or(&none);
    let reported = |value: &Option<String>| value.clone().unwrap_or_else(|| NOT_REPORTED.to_owned());
    let mut rows = vec![
        vec!["Maker".to_owned(), reported(&system.manufacturer)],
        vec!["Model".to_owned(), reported(&join([&system.product_name, &system.version], " "))],
        vec!["Serial number".to_owned(), reported(&system.serial)],
        vec!["UUID".to_owned(), reported(&system.uuid)],
    ];
    let kind = match (system.is_virtual, &system.hypervisor) {
        (Some(true), Some(hypervisor)) => Some(format!("virtual machine ({hypervisor})")),
        (Some(true), None) => Some("virtual machine".to_owned()),
        (Some(false), _) => Some("physical machine".to_owned()),
        (None, _) => None,
    };
    let kind = match &system.container {
        Some(container) => join([&kind, &Some(format!("in a container ({container})"))], ", "),
        None => kind,
    };
    rows.extend(kind.map(|kind| vec!["Kind".to_owned(), kind]));
    for hardware in &found.hardware {
        let (title, value) = match hardware {
            ItemKind::Baseboard(board) => {
                let serial = labelled("serial", &board.serial);
                let tag = labelled("asset tag", &board.asset_tag);
                let model = join([&board.manufacturer, &board.product], " ");
                ("Board", join([&model, &serial, &tag], ", "))
            }
            ItemKind::Chassis(chassis) => {
                let serial = labelled("serial", &chassis.serial);
                let tag = labelled("asset tag", &chassis.asset_tag);
                let kind = chassis.kind.and_then(chassis_type).map(str::to_owned);
                ("Chassis", join([&kind, &serial, &tag], ", "))
            }
            ItemKind::Firmware(firmware) => {
                let model = join([&firmware.vendor, &firmware.version], " ");
                let tables = labelled("SMBIOS", &firmware.smbios_version);
                ("Firmware", join([&model, &firmware.release_date, &tables], ", "))
            }
            ItemKind::System(_)
            | ItemKind::Processor(_)
            | ItemKind::Memory(_)
            | ItemKind::MemoryModule(_)
            | ItemKind::Disk(_)
            | ItemKind::NetworkAdapter(_)
            | ItemKind::OperatingSystem(_)
            | ItemKind::Account(_)
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
            | ItemKind::Package(_) => continue,
        };
        rows.extend(value.map(|value| vec![title.to_owned(), value]));
    }
    rows
}

fn operating_system(system: &OperatingSystem) -> Vec<Vec<String>> {
    let name = system.pretty_name.clone().or_else(|| join([&system.name, &system.version], " "));
    let kernel = join([&system.kernel, &system.architecture], ", ");
    [
        ("Name", name),
        ("Version", system.version.clone()),
        ("Kernel", kernel),
        ("Host name", system.hostname.clone()),
        ("Machine id", system.machine_id.clone()),
        ("Last boot", system.boot_time.map(|time| time.to_string())),
    ]
    .into_iter()
    .filter_map(|(title, value)| Some(vec![title.to_owned(), value?]))
    .collect()
}

fn processor_row(processor: &Processor) -> Vec<String> {
    let cores = processor.cores.map(|cores| plural(u64::from(cores), "core"));
    let threads = processor.threads.map(|threads| plural(u64::from(threads), "thread"));
    let speed = processor.max_mhz.map(|speed| format!("{speed} MHz"));
    vec![
        processor.socket.clone(),
        processor.model.clone().or_else(|| processor.manufacturer.clone()).unwrap_or_default(),
        join([&cores, &threads, &speed], ", ").unwrap_or_default(),
    ]
}

fn memory(found: &Found<'_>) -> Vec<Vec<String>> {
    let mut rows = Vec::new();
    if let Some(memory) = found.memory {
        let usable = memory.usable_bytes.map(|bytes| format!("{} usable", binary(bytes)));
        let installed = memory.installed_bytes.map(|bytes| format!("{} installed", binary(bytes)));
        let slots = memory
            .slots
            .map(|slots| format!("{} of {} used", found.modules.len(), plural(slots.into(), "slot")));
        rows.extend(join([&installed, &usable, &slots], ", ").map(|total| vec!["total".to_owned(), total]));
    }
    rows.extend(found.modules.iter().map(|module| {
        let size = module.size_bytes.map(binary);
        let kind = join([&size, &module.kind, &module.form_factor], " ");
        let model = join([&module.manufacturer, &module.part_number], " ");
        let serial = labelled("serial", &module.serial);
        vec![module.locator.clone(), join([&kind, &model, &serial], ", ").unwrap_or_default()]
    }));
    rows
}

fn disk_row(disk: &Disk) -> Vec<String> {
    let serial = labelled("serial", &disk.serial).or_else(|| Some("no serial".to_owned()));
    let wear = disk.wear_percent.map(|percent| format!("{percent} % worn"));
    vec![
        disk.name.clone(),
        disk.size_bytes.map(decimal).unwrap_or_default(),
        disk.transport.clone().unwrap_or_default(),
        join([&disk.vendor, &disk.model], " ").unwrap_or_default(),
        join([&serial, &wear], ", ").unwrap_or_default(),
    ]
}

fn adapter_row(adapter: &NetworkAdapter) -> Vec<String> {
    let kind = match adapter.kind {
        AdapterKind::Unknown => "",
        AdapterKind::BuiltIn => "built in",
        AdapterKind::External => "external",
        AdapterKind::Bluetooth => "bluetooth",
        AdapterKind::Virtual => "virtual",
    };
    let mac = match (adapter.permanent_mac, adapter.mac) {
        (Some(permanent), Some(mac)) if permanent != mac => format!("{permanent}, now {mac}"),
        (Some(mac), _) | (None, Some(mac)) => mac.to_string(),
        (None, None) => String::new(),
    };
    let mut addresses: Vec<String> =
        adapter.addresses.iter().take(ADDRESSES_SHOWN).map(ToString::to_string).collect();
    if adapter.addresses.len() > ADDRESSES_SHOWN {
        addresses.push(format!("{} more", adapter.addresses.len() - ADDRESSES_SHOWN));
    }
    vec![adapter.name.clone(), kind.to_owned(), mac, addresses.join(", ")]
}

fn software(inventory: &Inventory) -> Vec<Vec<String>> {
    let sections = inventory.sections.iter().filter(|section| section.name.is_software());
    let row = |section: &Section| {
        let count = |wanted: InstallState| {
            let state = |item: &&Item| {
                item.installation.as_ref().map_or(InstallState::Installed, |found| found.state) == wanted
            };
            u64::try_from(section.items.iter().filter(state).count()).unwrap_or(u64::MAX)
        };
        let some = |count: u64, what: &str| (count > 0).then(|| format!("{count} {what}"));
        let installed = Some(format!("{} installed", plural(count(InstallState::Installed), "package")));
        let incomplete = some(count(InstallState::Incomplete), "incomplete");
        let going = some(count(InstallState::RemovalPending), "to be removed");
        let left = some(count(InstallState::ConfigFiles), "removed with configuration left");
        let name = section.name.as_str().trim_start_matches("software.").to_owned();
        vec![name, join([&installed, &incomplete, &going, &left], ", ").unwrap_or_default()]
    };
    // A machine has a few kinds of software of the many that there are.
    let rows: Vec<_> = sections.filter(|section| !section.items.is_empty()).map(row).collect();
    if rows.is_empty() { vec![vec!["no packages of any kind were found".to_owned()]] } else { rows }
}

/// What should be there and could not be read. That a machine lacks what it need not have is no news, and what no
/// recording has is said once.
fn errors(inventory: &Inventory) -> Vec<Vec<String>> {
    let row = |section: &Section, error: &muster_common::inventory::SourceError| {
        let kind = match error.kind {
            ErrorKind::NotPermitted => "not permitted",
            ErrorKind::NotAvailable => "not available",
            ErrorKind::Absent => "absent",
            ErrorKind::Malformed => "malformed",
            ErrorKind::TooLarge => "too large",
            ErrorKind::TimedOut => "timed out",
            ErrorKind::Io => "failed",
        };
        vec![section.name.to_string(), kind.to_owned(), format!("{}: {}", error.subject, error.message)]
    };
    let mut rows = Vec::new();
    let mut unrecorded = Vec::new();
    for section in &inventory.sections {
        for error in section.errors.iter().filter(|error| error.kind != ErrorKind::Absent) {
            if error.message == NOT_RECORDED {
                unrecorded.push(error.subject.as_str());
            } else {
                rows.push(row(section, error));
            }
        }
    }
    if !unrecorded.is_empty() {
        let text = format!("only a running machine tells: {}", unrecorded.join(", "));
        rows.push(vec!["recording".to_owned(), "not available".to_owned(), text]);
    }
    rows
}

pub(super) fn join<const N: usize>(parts: [&Option<String>; N], between: &str) -> Option<String> {
    let parts: Vec<&str> = parts.into_iter().filter_map(|part| part.as_deref()).collect();
    (!parts.is_empty()).then(|| parts.join(between))
}

pub(super) fn labelled(label: &str, value: &Option<String>) -> Option<String> {
    value.as_ref().map(|value| format!("{label} {value}"))
}

pub(super) fn plural(count: u64, noun: &str) -> String {
    if count == 1 { format!("1 {noun}") } else { format!("{count} {noun}s") }
}

/// Memory is sold in powers of two.
fn binary(bytes: u64) -> String {
    scaled(bytes, 1024, &["bytes", "KiB", "MiB", "GiB", "TiB", "PiB"])
}

/// Disks are sold in powers of ten.
fn decimal(bytes: u64) -> String {
    scaled(bytes, 1000, &["bytes", "kB", "MB", "GB", "TB", "PB"])
}

fn scaled(bytes: u64, step: u64, units: &[&str]) -> String {
    let mut scale = 1;
    let mut index = 0;
    while index + 1 < units.len() && bytes / scale >= step {
        scale *= step;
        index += 1;
    }
    let tenths = u128::from(bytes) * 10 / u128::from(scale);
    let unit = units.get(index).copied().unwrap_or_default();
    if tenths.is_multiple_of(10) {
        format!("{} {unit}", tenths / 10)
    } else {
        format!("{}.{} {unit}", tenths / 10, tenths % 10)
    }
}

/// What an enclosure is, by DSP0134 table 17.
fn chassis_type(number: u8) -> Option<&'static str> {
    Some(match number {
        0x03 => "desktop",
        0x04 => "low-profile desktop",
        0x05 => "pizza box",
        0x06 => "mini tower",
        0x07 => "tower",
        0x08 => "portable",
        0x09 => "laptop",
        0x0a => "notebook",
        0x0b => "hand-held",
        0x0c => "docking station",
        0x0d => "all-in-one",
        0x0e => "sub-notebook",
        0x10 => "lunch box",
        0x11 => "main server chassis",
        0x17 => "rack-mount chassis",
        0x18 => "sealed-case PC",
        0x19 => "multi-system chassis",
        0x1c => "blade",
        0x1d => "blade enclosure",
        0x1e => "tablet",
        0x1f => "convertible",
        0x20 => "detachable",
        0x21 => "IoT gateway",
        0x22 => "embedded PC",
        0x23 => "mini PC",
        0x24 => "stick PC",
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use muster_common::inventory::{Installation, Package, SectionName, SectionStatus, SourceError};

    use super::*;

    fn section(name: &'static str, kinds: Vec<ItemKind>, errors: Vec<SourceError>) -> Section {
        let items = kinds.into_iter().map(Item::new).collect();
        Section { name: SectionName::known(name), status: SectionStatus::Complete, items, errors }
    }

    #[test]
    fn sizes() {
        for (bytes, expected) in
            [(0, "0 bytes"), (1023, "1023 bytes"), (8 << 30, "8 GiB"), (24_684_084 * 1024, "23.5 GiB")]
        {
            assert_eq!(binary(bytes), expected);
        }
        assert_eq!(decimal(512_110_190_592), "512.1 GB");
        assert_eq!(decimal(u64::MAX), "18446.7 PB");
    }

    #[test]
    fn what_is_not_reported_is_said() {
        let mut installed = Item::new(ItemKind::Package(Package::default()));
        installed.installation =
            Some(Installation { state: InstallState::ConfigFiles, ..Installation::default() });
        let mut software =
            section(SectionName::SOFTWARE_DPKG, vec![ItemKind::Package(Package::default())], vec![]);
        software.items.push(installed);
        let error = SourceError {
            subject: "SMBIOS".to_owned(),
            kind: ErrorKind::NotAvailable,
            message: "no tables".to_owned(),
        };
        let system = System {
            manufacturer: Some("ACME".to_owned()),
            is_virtual: Some(true),
            hypervisor: Some("kvm".to_owned()),
            container: Some("lxc".to_owned()),
            ..System::default()
        };
        let disk = Disk { name: "vda".to_owned(), size_bytes: Some(1_000_000), ..Disk::default() };
        let chip = Disk { name: "mmcblk0".to_owned(), wear_percent: Some(20), ..Disk::default() };
        let battery = Battery {
            name: "BAT0".to_owned(),
            full_mwh: Some(48_210),
            design_mwh: Some(57_000),
            cycles: Some(154),
            ..Battery::default()
        };
        let monitor = Monitor {
            connector: "card0-DP-1".to_owned(),
            manufacturer: Some("Dell".to_owned()),
            width_px: Some(1920),
            height_px: Some(1200),
            serial_number: Some(7),
            ..Monitor::default()
        };
        let graphics = PciDevice {
            address: "0000:00:02.0".to_owned(),
            class_code: 0x03_0000,
            vendor_id: 0x8086,
            device_id: 0x5917,
            driver: Some("i915".to_owned()),
            ..PciDevice::default()
        };
        let inventory = Inventory {
            collected: None,
            agent_version: String::new(),
            sections: vec![
                section(
                    SectionName::HARDWARE,
                    vec![ItemKind::System(system), ItemKind::Battery(battery)],
                    vec![error],
                ),
                section(SectionName::STORAGE, vec![ItemKind::Disk(disk), ItemKind::Disk(chip)], vec![]),
                section(SectionName::MONITORS, vec![ItemKind::Monitor(monitor)], vec![]),
                section(SectionName::PCI, vec![ItemKind::PciDevice(graphics)], vec![]),
                software,
            ],
        };
        let expected = "\
Machine
  Maker          ACME
  Model          not reported by this machine
  Serial number  not reported by this machine
  UUID           not reported by this machine
  Kind           virtual machine (kvm), in a container (lxc)

Disks
  vda      1 MB  no serial
  mmcblk0        no serial, 20 % worn

Graphics
  0000:00:02.0  8086:5917  driver i915

Monitors
  card0-DP-1  Dell  1920 x 1200, serial 7

Batteries
  BAT0  holds 84 %, 154 cycles

Software
  dpkg  1 package installed, 1 removed with configuration left

Not read
  hardware  not available  SMBIOS: no tables
";
        assert_eq!(summary(&inventory), expected);
    }
}
