//! Lines of the summary for what is plugged in or wears out: graphics, monitors, batteries.
//!
//! Knows how they are called and measured, and nothing of the page.

use muster_common::inventory::{Battery, Monitor, PciDevice};

use crate::commands::summary::{join, labelled, plural};

/// A line of the summary.
pub(super) fn graphics_row(device: &PciDevice) -> Vec<String> {
    let ids = || format!("{:04x}:{:04x}", device.vendor_id, device.device_id);
    vec![
        device.address.clone(),
        join([&device.vendor, &device.device], " ").unwrap_or_else(ids),
        device.driver.as_ref().map_or_else(|| "no driver".to_owned(), |driver| format!("driver {driver}")),
    ]
}

/// A line of the summary.
pub(super) fn monitor_row(monitor: &Monitor) -> Vec<String> {
    let maker = monitor.manufacturer.clone().or_else(|| monitor.manufacturer_id.clone());
    let pair = |width: Option<u32>, height: Option<u32>, unit: &str| {
        width.zip(height).map(|(width, height)| format!("{width} x {height}{unit}"))
    };
    let pixels = pair(monitor.width_px, monitor.height_px, "");
    let size = pair(monitor.width_mm, monitor.height_mm, " mm");
    let number = || monitor.serial_number.map(|number| number.to_string());
    let serial = labelled("serial", &monitor.serial.clone().or_else(number));
    let made = monitor.made_year.map(|year| year.to_string());
    vec![
        monitor.connector.clone(),
        join([&maker, &monitor.model], " ").unwrap_or_default(),
        join([&pixels, &size, &made, &serial], ", ").unwrap_or_default(),
    ]
}

/// A line of the summary.
pub(super) fn battery_row(battery: &Battery) -> Vec<String> {
    let health = battery.full_mwh.zip(battery.design_mwh).and_then(|(full, design)| {
        let percent = (u64::from(full) * 100).checked_div(u64::from(design))?;
        Some(format!("holds {percent} %"))
    });
    let cycles = battery.cycles.map(|cycles| plural(cycles.into(), "cycle"));
    let serial = labelled("serial", &battery.serial);
    vec![
        battery.name.clone(),
        join([&battery.manufacturer, &battery.model], " ").unwrap_or_default(),
        join([&health, &cycles, &serial], ", ").unwrap_or_default(),
    ]
}
