//! Parts of the board, batteries and power supplies as dmidecode prints them.

use muster_common::inventory::{Battery, Cache, ItemKind, OnboardDevice, Port, PowerSupply, Slot};

use crate::printed::Comparison;

/// The handle and type of a part that dmidecode prints; `None` for what it prints under another type.
pub(crate) fn place(item: &ItemKind) -> Option<(u32, u16)> {
    match item {
        ItemKind::Cache(cache) => Some((7, cache.handle)),
        ItemKind::Port(port) => Some((8, port.handle)),
        ItemKind::Slot(slot) => Some((9, slot.handle)),
        ItemKind::PowerSupply(supply) => Some((39, supply.handle)),
        ItemKind::OnboardDevice(device) => Some((41, device.handle)),
        _ => None,
    }
}

/// Compares one part and says how many fields that were.
pub(crate) fn compare(item: &ItemKind, with: Comparison<'_>) -> usize {
    match item {
        ItemKind::Cache(cache) => compare_cache(cache, with),
        ItemKind::Port(port) => compare_port(port, with),
        ItemKind::Slot(slot) => compare_slot(slot, with),
        ItemKind::PowerSupply(supply) => compare_supply(supply, with),
        ItemKind::OnboardDevice(device) => compare_device(device, with),
        other => panic!("{other:?} is no part of the board"),
    }
}

fn compare_cache(cache: &Cache, mut with: Comparison<'_>) -> usize {
    with.text("Socket Designation", &cache.designation);
    let level = cache.level.map(|level| format!("Level {level}"));
    let stated = with.printed.text("Configuration");
    let stated = stated.and_then(|stated| stated.rsplit(", ").next().map(str::to_owned));
    with.equal("level", level, stated);
    with.equal("size", cache.size_bytes, with.printed.bytes("Installed Size"));
    let associativity = with.printed.text("Associativity").map(|text| text.to_lowercase());
    with.equal("associativity", cache.associativity.clone(), associativity);
    with.compared
}

fn compare_port(port: &Port, mut with: Comparison<'_>) -> usize {
    with.text("Internal Reference Designator", &port.internal);
    with.text("External Reference Designator", &port.external);
    let outside = with.printed.text("External Connector Type");
    let connector = outside.or_else(|| with.printed.text("Internal Connector Type"));
    with.equal("connector", port.connector.clone(), connector);
    with.text("Port Type", &port.kind);
    with.compared
}

fn compare_slot(slot: &Slot, mut with: Comparison<'_>) -> usize {
    with.text("Designation", &slot.designation);
    // dmidecode puts the width before the kind.
    let kind = with.printed.text("Type").map(|kind| match kind.split_once(' ') {
        Some((width, kind)) if width.ends_with("-bit") => kind.to_owned(),
        Some((width, kind)) if width.starts_with('x') && kind.contains(width) => kind.to_owned(),
        Some((width, kind)) if width.starts_with('x') => format!("{kind} {width}"),
        Some(_) | None => kind,
    });
    with.equal("kind", slot.kind.clone(), kind);
    let in_use = with.printed.text("Current Usage").map(|usage| usage == "In Use");
    with.equal("use", slot.in_use, in_use);
    with.text("Bus Address", &slot.address);
    with.compared
}

fn compare_supply(supply: &PowerSupply, mut with: Comparison<'_>) -> usize {
    with.text("Location", &supply.location);
    with.text("Name", &supply.name);
    with.text("Manufacturer", &supply.manufacturer);
    with.text("Serial Number", &supply.serial);
    with.text("Asset Tag", &supply.asset_tag);
    with.text("Model Part Number", &supply.model);
    with.text("Revision", &supply.revision);
    with.number("Max Power Capacity", supply.max_watts);
    let hot = with.printed.text("Hot Replaceable").map(|hot| hot == "Yes");
    with.equal("hot replaceable", supply.hot_replaceable, hot);
    let present = with.printed.text("Status").map(|status| status.starts_with("Present"));
    with.equal("present", supply.present, present);
    with.compared
}

fn compare_device(device: &OnboardDevice, mut with: Comparison<'_>) -> usize {
    with.text("Reference Designation", &device.designation);
    with.text("Type", &device.kind);
    let enabled = with.printed.text("Status").map(|status| status == "Enabled");
    with.equal("enabled", device.enabled, enabled);
    with.text("Bus Address", &device.address);
    with.compared
}

/// Compares a battery and says how many fields that were.
pub(crate) fn compare_battery(battery: &Battery, mut with: Comparison<'_>) -> usize {
    with.text("Location", &Some(battery.name.clone()));
    with.text("Manufacturer", &battery.manufacturer);
    with.text("Name", &battery.model);
    let either = |one: &str, other: &str| with.printed.text(one).or_else(|| with.printed.text(other));
    let serial = either("Serial Number", "SBDS Serial Number");
    let made = either("Manufacture Date", "SBDS Manufacture Date");
    let chemistry = either("Chemistry", "SBDS Chemistry");
    with.equal("serial", battery.serial.clone(), serial);
    with.equal("manufactured", battery.manufactured.clone(), made);
    with.equal("chemistry", battery.chemistry.clone(), chemistry);
    with.number("Design Capacity", battery.design_mwh);
    with.compared
}

/// Serial numbers and asset tags of an item that SMBIOS may have told.
pub(crate) fn numbers(item: &ItemKind) -> Vec<&str> {
    let numbers: [&Option<String>; 2] = match item {
        ItemKind::System(it) => [&it.serial, &None],
        ItemKind::Baseboard(it) => [&it.serial, &it.asset_tag],
        ItemKind::Chassis(it) => [&it.serial, &it.asset_tag],
        ItemKind::Processor(it) => [&it.serial, &it.asset_tag],
        ItemKind::MemoryModule(it) => [&it.serial, &it.asset_tag],
        ItemKind::PowerSupply(it) => [&it.serial, &it.asset_tag],
        ItemKind::Battery(it) => [&it.serial, &None],
        _ => [&None, &None],
    };
    numbers.into_iter().filter_map(|number| number.as_deref()).collect()
}
