//! The few SMBIOS values that Linux shows one by one under `/sys/class/dmi/id`.
//!
//! Second best: only one board and one chassis, no memory modules, and serial numbers for root only. Used for what
//! the raw tables do not give.

use muster_common::inventory::{Baseboard, Chassis, Firmware, System};

use crate::{
    host::Host,
    sources::{part::Problems, read},
};

/// The folder.
pub(super) const FOLDER: &str = "sys/class/dmi/id";

/// Whether the folder is there.
pub(super) fn is_there(host: &dyn Host) -> bool {
    host.metadata(FOLDER).is_ok()
}

/// The system; `None` when nothing of it is shown.
pub(super) fn system(host: &dyn Host, problems: &mut Problems) -> Option<System> {
    let mut value = |name: &str| value(host, name, problems);
    let system = System {
        manufacturer: value("sys_vendor"),
        product_name: value("product_name"),
        version: value("product_version"),
        serial: value("product_serial"),
        uuid: value("product_uuid").map(|uuid| uuid.to_ascii_lowercase()),
        sku: value("product_sku"),
        family: value("product_family"),
        hypervisor: None,
        is_virtual: None,
        container: None,
    };
    (system != System::default()).then_some(system)
}

/// The board.
pub(super) fn baseboard(host: &dyn Host, problems: &mut Problems) -> Option<Baseboard> {
    let mut value = |name: &str| value(host, name, problems);
    let board = Baseboard {
        handle: 0,
        manufacturer: value("board_vendor"),
        product: value("board_name"),
        version: value("board_version"),
        serial: value("board_serial"),
        asset_tag: value("board_asset_tag"),
        location: None,
    };
    (board != Baseboard::default()).then_some(board)
}

/// The chassis.
pub(super) fn chassis(host: &dyn Host, problems: &mut Problems) -> Option<Chassis> {
    let mut value = |name: &str| value(host, name, problems);
    let chassis = Chassis {
        handle: 0,
        manufacturer: value("chassis_vendor"),
        kind: value("chassis_type").and_then(|kind| kind.parse().ok()),
        version: value("chassis_version"),
        serial: value("chassis_serial"),
        asset_tag: value("chassis_asset_tag"),
        sku: None,
    };
    (chassis != Chassis::default()).then_some(chassis)
}

/// The firmware.
pub(super) fn firmware(host: &dyn Host, problems: &mut Problems) -> Option<Firmware> {
    let mut value = |name: &str| value(host, name, problems);
    let firmware = Firmware {
        vendor: value("bios_vendor"),
        version: value("bios_version"),
        release_date: value("bios_date"),
        release: value("bios_release"),
        smbios_version: None,
        oem_strings: Vec::new(),
    };
    (firmware != Firmware::default()).then_some(firmware)
}

fn value(host: &dyn Host, name: &str, problems: &mut Problems) -> Option<String> {
    read::value(host, &format!("{FOLDER}/{name}"), problems)
}
