//! Batteries that power the machine: the kernel's power supplies, completed by SMBIOS type 22.
//!
//! The kernel knows the health of what is in the machine now, the firmware what was there at boot, with its date of
//! making. Batteries of mice and keyboards and uninterruptible power supplies are left out.

use muster_common::inventory::{Battery, Item, ItemKind, SectionName};

use crate::{
    host::Host,
    sources::{
        Source, Stamp,
        hardware::smbios,
        part::{Problems, SectionPart},
        read,
        uevent::Uevent,
    },
};

const FOLDER: &str = "sys/class/power_supply";
const SUPPLIES_LIMIT: usize = 256;

/// Batteries.
#[derive(Debug)]
pub(crate) struct BatterySource;

impl Source for BatterySource {
    fn name(&self) -> &'static str {
        "battery"
    }

    fn section(&self) -> SectionName {
        SectionName::known(SectionName::HARDWARE)
    }

    fn reads(&self) -> &'static [&'static str] {
        &[FOLDER, smbios::TABLE]
    }

    fn stamp(&self) -> Stamp {
        Stamp::Uevents
    }

    fn collect(&self, host: &dyn Host) -> SectionPart {
        let mut problems = Problems::default();
        let mut batteries = by_kernel(host, &mut problems);
        for stated in by_firmware(host) {
            let only_one = batteries.len() == 1;
            match batteries.iter_mut().find(|battery| is_same(battery, &stated, only_one)) {
                Some(battery) => complete(battery, stated),
                None => batteries.push(stated),
            }
        }
        SectionPart { items: batteries.into_iter().map(ItemKind::Battery).map(Item::new).collect(), problems }
    }
}

fn by_kernel(host: &dyn Host, problems: &mut Problems) -> Vec<Battery> {
    let names = read::names(host, FOLDER, SUPPLIES_LIMIT, problems).unwrap_or_default();
    names
        .iter()
        .filter_map(|name| battery(&Uevent::read(host, &format!("{FOLDER}/{name}"), problems)?, name))
        .collect()
}

/// What a `uevent` file says of a battery; `None` for other supplies, empty bays and batteries of other devices.
fn battery(event: &Uevent, name: &str) -> Option<Battery> {
    let text = |key: &str| event.text(&format!("POWER_SUPPLY_{key}"));
    let number = |key: &str| event.number::<u64>(&format!("POWER_SUPPLY_{key}"));
    if text("TYPE")? != "Battery" || text("SCOPE").is_some_and(|scope| scope == "Device") {
        return None;
    }
    if number("PRESENT") == Some(0) {
        return None;
    }
    // Microwatt-hours, or microampere-hours at the rated microvolts.
    let capacity = |energy: &str, charge: &str| {
        let milliwatt_hours = match number(energy) {
            Some(microwatt_hours) => u128::from(microwatt_hours / 1000),
            None => u128::from(number(charge)?) * u128::from(number("VOLTAGE_MIN_DESIGN")?) / 1_000_000_000,
        };
        u32::try_from(milliwatt_hours).ok().filter(|capacity| *capacity > 0)
    };
    let made = match (number("MANUFACTURE_YEAR"), number("MANUFACTURE_MONTH"), number("MANUFACTURE_DAY")) {
        (Some(year), Some(month), Some(day)) => Some(format!("{year}-{month:02}-{day:02}")),
        (Some(year), _, _) => Some(year.to_string()),
        (None, _, _) => None,
    };
    Some(Battery {
        name: name.to_owned(),
        manufacturer: text("MANUFACTURER"),
        model: text("MODEL_NAME"),
        serial: text("SERIAL_NUMBER"),
        chemistry: text("TECHNOLOGY").filter(|technology| technology != "Unknown"),
        design_mwh: capacity("ENERGY_FULL_DESIGN", "CHARGE_FULL_DESIGN"),
        full_mwh: capacity("ENERGY_FULL", "CHARGE_FULL"),
        cycles: event.number("POWER_SUPPLY_CYCLE_COUNT"),
        manufactured: made,
    })
}

/// Type 22; problems with the tables are the product source's to tell.
fn by_firmware(host: &dyn Host) -> Vec<Battery> {
    let mut told_elsewhere = Problems::default();
    let Some(tables) = smbios::Smbios::read(host, &mut told_elsewhere) else { return Vec::new() };
    let structures = tables.structures(&mut told_elsewhere);
    let mut batteries: Vec<Battery> = Vec::new();
    for structure in structures.iter().filter(|structure| structure.kind == 22) {
        let mut found = smbios::battery(structure, &mut told_elsewhere);
        // Firmware that names two bays alike must not lose one of them.
        if batteries.iter().any(|battery| battery.name == found.name) {
            found.name = format!("{} {:#06x}", found.name, structure.handle);
        }
        batteries.push(found);
    }
    batteries
}

/// Whether the firmware states the battery that the kernel sees: by number, or by model where nothing contradicts.
fn is_same(seen: &Battery, stated: &Battery, only_one: bool) -> bool {
    let same = |mine: &Option<String>, theirs: &Option<String>| {
        Some(mine.as_ref()?.eq_ignore_ascii_case(theirs.as_ref()?))
    };
    let serials =
        seen.serial.as_ref().zip(stated.serial.as_ref()).map(|(seen, stated)| is_same_number(seen, stated));
    match (serials, same(&seen.model, &stated.model)) {
        (Some(true), model) => model != Some(false),
        (Some(false), model) => only_one && model == Some(true) && !has_serial(seen),
        (None, Some(model)) => model,
        (None, None) => only_one,
    }
}

/// Drivers write zeroes where the battery has no number.
fn has_serial(battery: &Battery) -> bool {
    battery.serial.as_ref().is_some_and(|serial| serial.bytes().any(|byte| byte != b'0'))
}

/// The same text, or the same number that one of them writes in hexadecimal digits, as SMBIOS does.
fn is_same_number(seen: &str, stated: &str) -> bool {
    let decimal = |text: &str| text.parse::<u64>().ok();
    let hexadecimal = |text: &str| u64::from_str_radix(text, 16).ok();
    seen.eq_ignore_ascii_case(stated)
        || decimal(seen).is_some_and(|number| hexadecimal(stated) == Some(number))
}

/// The kernel's word stands, but for the serial number: it is the same, and people look for it as firmware writes it.
fn complete(seen: &mut Battery, stated: Battery) {
    let Battery {
        name: _,
        manufacturer,
        model,
        serial,
        chemistry,
        design_mwh,
        full_mwh: _,
        cycles: _,
        manufactured,
    } = stated;
    seen.manufacturer = seen.manufacturer.take().or(manufacturer);
    seen.model = seen.model.take().or(model);
    seen.serial = serial.or_else(|| seen.serial.take());
    seen.chemistry = seen.chemistry.take().or(chemistry);
    seen.design_mwh = seen.design_mwh.or(design_mwh);
    seen.manufactured = seen.manufactured.take().or(manufactured);
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sources::testing::recorded;

    const THINKPAD: &str = "POWER_SUPPLY_NAME=BAT0\nPOWER_SUPPLY_TYPE=Battery\nPOWER_SUPPLY_STATUS=Full\n\
        POWER_SUPPLY_PRESENT=1\nPOWER_SUPPLY_TECHNOLOGY=Li-poly\nPOWER_SUPPLY_CYCLE_COUNT=154\n\
        POWER_SUPPLY_VOLTAGE_MIN_DESIGN=11520000\nPOWER_SUPPLY_ENERGY_FULL_DESIGN=57000000\n\
        POWER_SUPPLY_ENERGY_FULL=48210000\nPOWER_SUPPLY_MODEL_NAME=01AV478\nPOWER_SUPPLY_MANUFACTURER=LGC\n\
        POWER_SUPPLY_SERIAL_NUMBER= 1803\n";

    fn seen(text: &str) -> Option<Battery> {
        battery(&Uevent::new(text.as_bytes().to_vec()), "BAT0")
    }

    #[test]
    fn health_of_a_recorded_battery() {
        let (_folder, host) = recorded(&[
            ("sys/class/power_supply/BAT0/uevent", THINKPAD),
            ("sys/class/power_supply/AC/uevent", "POWER_SUPPLY_TYPE=Mains\nPOWER_SUPPLY_ONLINE=1\n"),
            (
                "sys/class/power_supply/hidpp_battery_0/uevent",
                "POWER_SUPPLY_TYPE=Battery\nPOWER_SUPPLY_SCOPE=Device\nPOWER_SUPPLY_SERIAL_NUMBER=mouse\n",
            ),
            ("sys/class/power_supply/BAT1/uevent", "POWER_SUPPLY_TYPE=Battery\nPOWER_SUPPLY_PRESENT=0\n"),
        ]);
        let part = BatterySource.collect(&host);
        assert!(part.problems.is_empty());
        let expected = Battery {
            name: "BAT0".to_owned(),
            manufacturer: Some("LGC".to_owned()),
            model: Some("01AV478".to_owned()),
            serial: Some("1803".to_owned()),
            chemistry: Some("Li-poly".to_owned()),
            design_mwh: Some(57_000),
            full_mwh: Some(48_210),
            cycles: Some(154),
            manufactured: None,
        };
        assert_eq!(part.items, [Item::new(ItemKind::Battery(expected))]);
    }

    #[test]
    fn charge_is_made_energy() {
        let found = seen(
            "POWER_SUPPLY_TYPE=Battery\nPOWER_SUPPLY_VOLTAGE_MIN_DESIGN=11400000\n\
             POWER_SUPPLY_CHARGE_FULL_DESIGN=4210000\nPOWER_SUPPLY_CHARGE_FULL=18446744073709551615\n",
        )
        .unwrap();
        assert_eq!((found.design_mwh, found.full_mwh), (Some(47_994), None));
    }

    #[test]
    fn the_firmwares_battery_is_found_again() {
        let stated = |model: &str, serial: &str| Battery {
            name: "Front".to_owned(),
            model: Some(model.to_owned()),
            serial: Some(serial.to_owned()),
            manufactured: Some("2019-02-09".to_owned()),
            ..Battery::default()
        };
        let mut battery = seen(THINKPAD).unwrap();
        for (model, serial, expected) in [
            ("01AV478", "070B", true),
            ("01av478", "1803", true),
            ("01AV478", "070C", false),
            ("01AV422", "070B", false),
        ] {
            assert_eq!(is_same(&battery, &stated(model, serial), true), expected, "{model} {serial}");
        }
        complete(&mut battery, stated("01AV478", "070B"));
        let told = (battery.serial.as_deref(), battery.manufactured.as_deref(), battery.cycles);
        assert_eq!(told, (Some("070B"), Some("2019-02-09"), Some(154)));
    }
}
