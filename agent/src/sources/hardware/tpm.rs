//! Trusted platform modules: the kernel's, completed by SMBIOS type 43.
//!
//! The kernel knows which it uses and of which family, the firmware whose it is and its version. The module itself is
//! never asked: that takes commands and a right that the agent doesn't need otherwise.

use muster_common::inventory::{Item, ItemKind, SectionName, Tpm};

use crate::{
    host::Host,
    sources::{
        Source, Stamp,
        hardware::smbios,
        part::{Problems, SectionPart},
        read, text,
    },
};

const FOLDER: &str = "sys/class/tpm";
const MODULES_LIMIT: usize = 16;

/// Trusted platform modules.
#[derive(Debug)]
pub(crate) struct TpmSource;

impl Source for TpmSource {
    fn name(&self) -> &'static str {
        "tpm"
    }

    fn section(&self) -> SectionName {
        SectionName::known(SectionName::HARDWARE)
    }

    fn reads(&self) -> &'static [&'static str] {
        &[FOLDER, smbios::TABLE]
    }

    fn stamp(&self) -> Stamp {
        Stamp::Boot
    }

    fn collect(&self, host: &dyn Host) -> SectionPart {
        let mut problems = Problems::default();
        let names = read::names(host, FOLDER, MODULES_LIMIT, &mut problems).unwrap_or_default();
        let mut modules: Vec<Tpm> = names.iter().map(|name| by_kernel(host, name, &mut problems)).collect();
        if let Some(stated) = by_firmware(host) {
            match &mut modules[..] {
                [] => modules.push(stated),
                [only] => complete(only, stated),
                // Which of several it is nobody tells.
                _ => {}
            }
        }
        SectionPart { items: modules.into_iter().map(ItemKind::Tpm).map(Item::new).collect(), problems }
    }
}

fn by_kernel(host: &dyn Host, name: &str, problems: &mut Problems) -> Tpm {
    let mut value = |attribute: &str| read::value(host, &format!("{FOLDER}/{name}/{attribute}"), problems);
    let major = value("tpm_version_major");
    let description = value("device/description");
    // Only the first family has a page of capabilities.
    let capabilities = if major.as_deref() == Some("2") { None } else { capabilities(host, name, problems) };
    let (manufacturer, version, firmware) = capabilities.unwrap_or_default();
    Tpm {
        name: name.to_owned(),
        version: version.or_else(|| match major.as_deref() {
            Some("1") => Some("1.2".to_owned()),
            Some("2") => Some("2.0".to_owned()),
            Some(_) | None => major,
        }),
        manufacturer,
        firmware,
        description,
    }
}

type Capabilities = (Option<String>, Option<String>, Option<String>);

fn capabilities(host: &dyn Host, name: &str, problems: &mut Problems) -> Option<Capabilities> {
    let bytes = ["device/caps", "caps"]
        .into_iter()
        .find_map(|file| read::bytes(host, &format!("{FOLDER}/{name}/{file}"), 4096, problems))?;
    let field = |key: &str| {
        let line = bytes.split(|byte| *byte == b'\n').find_map(|line| line.strip_prefix(key.as_bytes()))?;
        text::clean(line)
    };
    Some((field("Manufacturer: ").map(vendor), field("TCG version: "), field("Firmware version: ")))
}

/// Four characters in a number, such as `0x49465800` for `IFX`; any other number as it is.
fn vendor(number: String) -> String {
    let characters = number.strip_prefix("0x").and_then(|digits| u32::from_str_radix(digits, 16).ok());
    let bytes: Vec<u8> =
        characters.unwrap_or(0).to_be_bytes().into_iter().take_while(|byte| *byte != 0).collect();
    let is_name = bytes.iter().all(u8::is_ascii_graphic);
    text::clean(&bytes).filter(|_| is_name).unwrap_or(number)
}

/// Type 43; problems with the tables are the product source's to tell.
fn by_firmware(host: &dyn Host) -> Option<Tpm> {
    let mut told_elsewhere = Problems::default();
    let tables = smbios::Smbios::read(host, &mut told_elsewhere)?;
    let structures = tables.structures(&mut told_elsewhere);
    let structure = structures.iter().find(|structure| structure.kind == 43)?;
    Some(smbios::tpm(structure, &mut told_elsewhere))
}

fn complete(seen: &mut Tpm, stated: Tpm) {
    let Tpm { name: _, version, manufacturer, firmware, description } = stated;
    seen.version = seen.version.take().or(version);
    seen.manufacturer = seen.manufacturer.take().or(manufacturer);
    seen.firmware = seen.firmware.take().or(firmware);
    seen.description = seen.description.take().or(description);
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sources::testing::recorded;

    fn modules(files: &[(&str, &str)]) -> Vec<Tpm> {
        let (_folder, host) = recorded(files);
        let part = TpmSource.collect(&host);
        assert!(part.problems.is_empty());
        part.items
            .into_iter()
            .map(|item| match item.kind {
                ItemKind::Tpm(tpm) => tpm,
                other => panic!("{other:?} is no module"),
            })
            .collect()
    }

    #[test]
    fn both_families() {
        let second = modules(&[
            ("sys/class/tpm/tpm0/tpm_version_major", "2\n"),
            ("sys/class/tpm/tpm0/device/description", "TPM 2.0 Device\n"),
        ]);
        let expected = Tpm {
            name: "tpm0".to_owned(),
            version: Some("2.0".to_owned()),
            description: Some("TPM 2.0 Device".to_owned()),
            ..Tpm::default()
        };
        assert_eq!(second, [expected]);
        let first = modules(&[(
            "sys/class/tpm/tpm0/device/caps",
            "Manufacturer: 0x49465800\nTCG version: 1.2\nFirmware version: 6.43\n",
        )]);
        let expected = Tpm {
            name: "tpm0".to_owned(),
            version: Some("1.2".to_owned()),
            manufacturer: Some("IFX".to_owned()),
            firmware: Some("6.43".to_owned()),
            ..Tpm::default()
        };
        assert_eq!(first, [expected]);
        assert_eq!(modules(&[]), []);
    }

    #[test]
    fn vendors_that_are_no_name_stay_numbers() {
        for (number, expected) in
            [("0x494E5443", "INTC"), ("0x00000000", "0x00000000"), ("0xff000000", "0xff000000"), ("x", "x")]
        {
            assert_eq!(vendor(number.to_owned()), expected);
        }
    }
}
