//! Raw SMBIOS dumps of real machines give what dmidecode prints for them; broken ones give what is left.

use std::{collections::BTreeSet, fs, path::Path, process::Command};

use muster_agent::{collect::collect, host::MemoryHost};
use muster_common::inventory::{ErrorKind, Inventory, ItemKind, SectionStatus};

use crate::{
    fixtures::{self, Seeded, check_sound, inventory, sources_of},
    printed::{Comparison, Printed, printed},
    smbios_parts,
};

const ENTRY_POINT: &str = "sys/firmware/dmi/tables/smbios_entry_point";
const TABLE: &str = "sys/firmware/dmi/tables/DMI";

/// A dump in dmidecode's form: the entry point first, the table at byte 32.
struct Dump {
    name: String,
    entry: Vec<u8>,
    table: Vec<u8>,
    /// What dmidecode prints.
    printed: String,
}

fn dumps() -> Vec<Dump> {
    let Some(folder) = fixtures::folder("smbios") else { return Vec::new() };
    let mut paths: Vec<_> = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    paths.retain(|path| path.extension().is_some_and(|extension| extension == "bin"));
    paths.sort();
    assert!(!paths.is_empty());
    paths.iter().map(|path| dump(path)).collect()
}

fn dump(path: &Path) -> Dump {
    let bytes = fs::read(path).unwrap();
    let length = if bytes.starts_with(b"_SM3_") { 0x18 } else { 0x1f };
    let printed = match Command::new("dmidecode").arg("--from-dump").arg(path).output() {
        Ok(output) if output.status.success() => String::from_utf8(output.stdout).unwrap(),
        Ok(_) | Err(_) => fs::read_to_string(path.with_extension("orig.txt")).unwrap(),
    };
    Dump {
        name: path.file_name().unwrap().to_string_lossy().into_owned(),
        entry: bytes[..length].to_vec(),
        table: bytes[32..].to_vec(),
        printed,
    }
}

#[test]
fn dumps_give_what_dmidecode_prints() {
    for dump in dumps() {
        let root = tempfile::tempdir().unwrap();
        fs::create_dir_all(root.path().join("sys/firmware/dmi/tables")).unwrap();
        fs::write(root.path().join(ENTRY_POINT), &dump.entry).unwrap();
        fs::write(root.path().join(TABLE), &dump.table).unwrap();
        let inventory = inventory(root.path());
        let expected = printed(&dump.printed);
        let compared: usize = inventory.items().map(|item| compare(&dump, &item.kind, &expected)).sum();
        assert!(compared >= 40, "{}: only {compared} fields were compared", dump.name);
        eprintln!("{}: {compared} fields compared", dump.name);

        let count =
            |wanted: fn(&ItemKind) -> bool| inventory.items().filter(|item| wanted(&item.kind)).count();
        let stated = |kind: u32| expected.iter().filter(move |printed| printed.kind == kind);
        assert_eq!(count(|kind| matches!(kind, ItemKind::Baseboard(_))), stated(2).count());
        assert_eq!(count(|kind| matches!(kind, ItemKind::Chassis(_))), stated(3).count());
        let populated =
            stated(4).filter(|p| p.text("Status").is_none_or(|status| status.starts_with("Populated")));
        assert_eq!(count(|kind| matches!(kind, ItemKind::Processor(_))), populated.count());
        let modules = stated(17).filter(|printed| printed.module_bytes().is_some());
        assert_eq!(count(|kind| matches!(kind, ItemKind::MemoryModule(_))), modules.count());
        let parts = inventory.items().filter(|item| smbios_parts::place(&item.kind).is_some());
        assert_eq!(parts.count(), [7, 8, 9, 39, 41].iter().map(|kind| stated(*kind).count()).sum::<usize>());
        assert_eq!(count(|kind| matches!(kind, ItemKind::Battery(_))), stated(22).count());
        assert_eq!(count(|kind| matches!(kind, ItemKind::Tpm(_))), stated(43).count());
        let told: BTreeSet<&str> =
            inventory.items().flat_map(|item| smbios_parts::numbers(&item.kind)).collect();
        for number in expected.iter().filter(|it| !it.is_empty()).flat_map(Printed::numbers) {
            assert!(told.contains(number.as_str()), "{}: {number} is missing from {told:?}", dump.name);
        }
        let hardware = inventory.section("hardware").unwrap();
        assert!(hardware.errors.is_empty(), "{}: {:?}", dump.name, hardware.errors);
    }
}

/// Compares one item with what dmidecode prints, and says how many fields that were.
fn compare(dump: &Dump, item: &ItemKind, expected: &[Printed<'_>]) -> usize {
    let find = |kind: u32, wanted: &dyn Fn(&Printed<'_>) -> bool| {
        let printed = expected.iter().find(|printed| printed.kind == kind && wanted(printed)).unwrap();
        Comparison {
            context: format!("{} type {kind} {:#x}", dump.name, printed.handle),
            printed,
            compared: 0,
        }
    };
    if let Some((kind, handle)) = smbios_parts::place(item) {
        return smbios_parts::compare(item, find(kind, &|printed| printed.handle == handle));
    }
    match item {
        ItemKind::System(system) => {
            let mut with = find(1, &|_| true);
            with.text("Manufacturer", &system.manufacturer);
            with.text("Product Name", &system.product_name);
            with.text("Version", &system.version);
            with.text("Serial Number", &system.serial);
            with.text("UUID", &system.uuid);
            with.text("SKU Number", &system.sku);
            with.text("Family", &system.family);
            with.compared
        }
        ItemKind::Baseboard(board) => {
            let mut with = find(2, &|printed| printed.handle == board.handle);
            with.text("Manufacturer", &board.manufacturer);
            with.text("Product Name", &board.product);
            with.text("Version", &board.version);
            with.text("Serial Number", &board.serial);
            with.text("Asset Tag", &board.asset_tag);
            with.text("Location In Chassis", &board.location);
            with.compared
        }
        ItemKind::Chassis(chassis) => {
            let mut with = find(3, &|printed| printed.handle == chassis.handle);
            with.text("Manufacturer", &chassis.manufacturer);
            with.text("Version", &chassis.version);
            with.text("Serial Number", &chassis.serial);
            with.text("Asset Tag", &chassis.asset_tag);
            with.text("SKU Number", &chassis.sku);
            let kind = chassis.kind.map(|kind| match kind {
                3 => "Desktop".to_owned(),
                9 => "Laptop".to_owned(),
                10 => "Notebook".to_owned(),
                17 => "Main Server Chassis".to_owned(),
                23 => "Rack Mount Chassis".to_owned(),
                other => format!("{other}"),
            });
            with.text("Type", &kind);
            with.compared
        }
        ItemKind::Firmware(firmware) => {
            let mut with = find(0, &|_| true);
            with.text("Vendor", &firmware.vendor);
            with.text("Version", &firmware.version);
            with.text("Release Date", &firmware.release_date);
            with.text("BIOS Revision", &firmware.release);
            let version = firmware.smbios_version.as_deref().unwrap();
            assert!(dump.printed.contains(&format!("SMBIOS {version} present.")), "{} {version}", dump.name);
            let own: Vec<&str> = expected
                .iter()
                .filter(|printed| printed.kind == 11)
                .flat_map(|it| it.listed.clone())
                .collect();
            with.equal(
                "maker's strings",
                firmware.oem_strings.clone(),
                own.iter().map(|it| (*it).to_owned()).collect(),
            );
            with.compared + 1
        }
        ItemKind::Battery(battery) => {
            let is_it = |printed: &Printed<'_>| printed.text("Location").as_deref() == Some(&battery.name);
            smbios_parts::compare_battery(battery, find(22, &is_it))
        }
        ItemKind::Processor(processor) => {
            let mut with =
                find(4, &|p| p.text("Socket Designation").as_deref() == Some(processor.socket.as_str()));
            with.text("Manufacturer", &processor.manufacturer);
            with.text("Version", &processor.model);
            with.number("Core Count", processor.cores);
            with.number("Thread Count", processor.threads);
            with.number("Max Speed", processor.max_mhz);
            with.text("Serial Number", &processor.serial);
            with.text("Asset Tag", &processor.asset_tag);
            with.text("Part Number", &processor.part_number);
            with.compared
        }
        ItemKind::MemoryModule(module) => {
            let mut with = find(17, &|printed| printed.handle == module.handle);
            assert_eq!(module.size_bytes, with.printed.module_bytes(), "{}", with.context);
            with.text("Locator", &Some(module.locator.clone()));
            with.text("Bank Locator", &module.bank);
            with.text("Manufacturer", &module.manufacturer);
            with.text("Serial Number", &module.serial);
            with.text("Asset Tag", &module.asset_tag);
            with.text("Part Number", &module.part_number);
            with.text("Type", &module.kind);
            with.text("Form Factor", &module.form_factor);
            with.number("Speed", module.speed_mts);
            with.compared + 1
        }
        ItemKind::Memory(memory) => {
            let arrays = expected.iter().filter(|printed| printed.kind == 16);
            let slots: u64 = arrays
                .filter(|array| array.text("Use").as_deref() == Some("System Memory"))
                .filter_map(|array| array.number("Number Of Devices"))
                .sum();
            assert_eq!(memory.slots.map(u64::from), Some(slots), "{}", dump.name);
            let modules = expected.iter().filter(|printed| printed.kind == 17);
            let installed: u64 = modules.filter_map(Printed::module_bytes).sum();
            assert_eq!(memory.installed_bytes, Some(installed), "{}", dump.name);
            let arrays = || expected.iter().filter(|printed| printed.kind == 16);
            let maximum: u64 = arrays().filter_map(|array| array.bytes("Maximum Capacity")).sum();
            assert_eq!(memory.maximum_bytes, Some(maximum), "{}", dump.name);
            let correction = arrays().find_map(|array| array.fields.get("Error Correction Type").copied());
            assert_eq!(
                memory.error_correction.as_deref().map(str::to_lowercase),
                correction.map(|correction| correction.trim().to_lowercase()),
                "{}",
                dump.name
            );
            4
        }
        ItemKind::Disk(_)
        | ItemKind::NetworkAdapter(_)
        | ItemKind::OperatingSystem(_)
        | ItemKind::Account(_)
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
        | ItemKind::Package(_) => panic!("{}: {item:?} is not in SMBIOS", dump.name),
    }
}

/// The hardware of a machine that has this entry point and table.
fn hardware(entry: &[u8], table: &[u8]) -> Inventory {
    let mut host = MemoryHost::default();
    host.files.insert(ENTRY_POINT.to_owned(), entry.to_vec());
    host.files.insert(TABLE.to_owned(), table.to_vec());
    collect(&host, &sources_of("hardware"), None)
}

fn is_noticed(inventory: &Inventory) -> bool {
    let section = inventory.section("hardware").unwrap();
    section.errors.iter().any(|error| error.kind == ErrorKind::Malformed)
}

#[test]
fn a_cut_at_every_byte_is_noticed() {
    for dump in dumps() {
        let whole = hardware(&dump.entry, &dump.table);
        assert!(!is_noticed(&whole), "{}", dump.name);
        for length in 0..dump.entry.len() {
            let context = format!("{}: entry point of {length} bytes", dump.name);
            let found = hardware(&dump.entry[..length], &dump.table);
            check_sound(&found, &context);
            // Only the checksum covers the last byte of the older form, and that byte may be zero.
            assert!(is_noticed(&found) || length == dump.entry.len() - 1, "{context}");
            assert!(found.items().count() > 3, "{context}: the table was thrown away");
        }
        for length in 0..dump.table.len() {
            let context = format!("{}: table of {length} bytes", dump.name);
            let found = hardware(&dump.entry, &dump.table[..length]);
            check_sound(&found, &context);
            let lost = found.items().count() < whole.items().count();
            assert!(is_noticed(&found) || !lost, "{context}: items are lost without an error");
        }
    }
}

#[test]
fn corruption_never_stops_a_source() {
    const SEED: u64 = 20_261_124;
    const ROUNDS: usize = 2000;
    let mut random = Seeded(SEED);
    for dump in dumps() {
        let mut noticed = 0;
        for round in 0..ROUNDS {
            let (mut entry, mut table) = (dump.entry.clone(), dump.table.clone());
            for _ in 0..=random.below(8) {
                let bytes = if random.below(8) == 0 { &mut entry } else { &mut table };
                let at = random.below(bytes.len());
                bytes[at] = u8::try_from(random.below(256)).unwrap();
            }
            if random.below(4) == 0 {
                table.truncate(random.below(table.len()));
            }
            let found = hardware(&entry, &table);
            check_sound(&found, &format!("{} seed {SEED} round {round}", dump.name));
            noticed += usize::from(is_noticed(&found));
        }
        assert!(noticed > ROUNDS / 10, "{}: only {noticed} of {ROUNDS} were noticed", dump.name);
        eprintln!("{}: {ROUNDS} corrupt tables, {noticed} noticed, no panic", dump.name);
    }
}

#[test]
fn an_agent_without_rights_says_so_and_reads_the_rest() {
    let mut host = MemoryHost::default();
    host.files.insert("sys/class/dmi/id/sys_vendor".to_owned(), b"Dell Inc.\n".to_vec());
    // As the kernel gives them to everybody else than root.
    for path in [ENTRY_POINT, TABLE, "sys/class/dmi/id/product_serial", "sys/class/dmi/id/product_uuid"] {
        host.forbidden.insert(path.to_owned());
    }
    let found = collect(&host, &sources_of("hardware"), None);
    let section = found.section("hardware").unwrap();
    assert_eq!(section.status, SectionStatus::Partial);
    let refused: Vec<_> = section.errors.iter().map(|error| (error.subject.as_str(), error.kind)).collect();
    assert_eq!(
        refused,
        [TABLE, "sys/class/dmi/id/product_serial", "sys/class/dmi/id/product_uuid"]
            .map(|path| (path, ErrorKind::NotPermitted))
    );
    let [ItemKind::System(system)] = &found.items().map(|item| item.kind.clone()).collect::<Vec<_>>()[..]
    else {
        panic!("{found:?} is not one system");
    };
    assert_eq!((system.manufacturer.as_deref(), system.serial.as_deref()), (Some("Dell Inc."), None));
}
