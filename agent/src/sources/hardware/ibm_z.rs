//! IBM Z, which has neither SMBIOS nor a device tree: `/proc/sysinfo`.
//!
//! Knows the file's lines. Linux never runs on the bare machine there: at least a partition is below it, and all
//! partitions carry the machine's sequence code, so every system is told to be virtual.

use muster_common::inventory::System;

use crate::{
    host::Host,
    sources::{part::Problems, read, text},
};

/// What the firmware tells the kernel.
pub(super) const SYSINFO: &str = "proc/sysinfo";
const LIMIT: usize = 64 * 1024;

/// The system; `None` on other machines.
pub(super) fn system(host: &dyn Host, problems: &mut Problems) -> Option<System> {
    parse(&read::bytes(host, SYSINFO, LIMIT, problems)?)
}

/// Reads the file's content.
pub(crate) fn parse(bytes: &[u8]) -> Option<System> {
    let field = |wanted: &str| {
        bytes.split(|byte| *byte == b'\n').find_map(|line| {
            let value = line.strip_prefix(wanted.as_bytes())?.trim_ascii_start().strip_prefix(b":")?;
            text::clean(value)
        })
    };
    let manufacturer = field("Manufacturer")?;
    let kind = field("Type");
    // "704 M04": the hardware's model is the last word.
    let model = field("Model").and_then(|model| model.split_whitespace().last().map(str::to_owned));
    let product_name = match (kind, model) {
        (Some(kind), Some(model)) => Some(format!("{kind}-{model}")),
        (kind, model) => kind.or(model),
    };
    let program = field("VM00 Control Program");
    let hypervisor = match program.as_deref() {
        Some(program) if program.starts_with("z/VM") => "z/vm",
        Some(program) if program.starts_with("KVM") => "kvm",
        Some(_) | None => "pr/sm",
    };
    let uuid = if program.is_some() { field("VM00 UUID") } else { field("LPAR UUID") };
    Some(System {
        manufacturer: Some(manufacturer),
        product_name,
        serial: field("Sequence Code"),
        uuid: uuid.map(|uuid| uuid.to_ascii_lowercase()),
        hypervisor: Some(hypervisor.to_owned()),
        is_virtual: Some(true),
        ..System::default()
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const PARTITION: &str = "Manufacturer:         IBM\nType:                 3906\nModel:                704              M04\n\
        Sequence Code:        00000000000A1B2C\nPlant:                02\nModel Capacity:       704              00002345\n\n\
        CPUs Total:           24\n\nLPAR Number:          8\nLPAR Name:            LP08\n";

    fn told(text: &str) -> Option<(Option<String>, Option<String>, Option<String>)> {
        parse(text.as_bytes()).map(|system| (system.product_name, system.serial, system.hypervisor))
    }

    #[test]
    fn partitions_and_guests() {
        let expected = |hypervisor: &str| {
            let text = |text: &str| Some(text.to_owned());
            Some((text("3906-M04"), text("00000000000A1B2C"), text(hypervisor)))
        };
        assert_eq!(told(PARTITION), expected("pr/sm"));
        let guest =
            format!("{PARTITION}\nVM00 Name:            LINUX01\nVM00 Control Program: z/VM    7.1.0\n");
        assert_eq!(told(&guest), expected("z/vm"));
        let guest = format!(
            "{PARTITION}\nVM00 Control Program: KVM/Linux\nVM00 UUID:            0B8B3C52-77a0-4a43-9c8e-4d3a3a2c1c11\n"
        );
        assert_eq!(told(&guest), expected("kvm"));
        let uuid = parse(guest.as_bytes()).unwrap().uuid;
        assert_eq!(uuid.as_deref(), Some("0b8b3c52-77a0-4a43-9c8e-4d3a3a2c1c11"));
    }

    #[test]
    fn cuts_and_nonsense_are_survived() {
        for length in 0..PARTITION.len() {
            let _any_value = parse(&PARTITION.as_bytes()[..length]);
        }
        assert_eq!(told(""), None);
        assert_eq!(told("Manufacturer IBM\n\u{fffd}: :\n"), None);
        assert_eq!(parse(b"Manufacturer: IBM\n").unwrap().product_name, None);
    }
}
