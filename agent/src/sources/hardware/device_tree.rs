//! Machines that describe themselves by a device tree: arm64 boards, POWER servers and their partitions.
//!
//! Knows the properties of the tree's root and no devices below it. Used where there is no SMBIOS. Every partition of a
//! POWER server carries the server's serial number, so a partition is told to be virtual.

use muster_common::inventory::System;

use crate::{
    host::Host,
    sources::{part::Problems, read, text},
};

/// Where Linux shows the tree.
const FOLDERS: &[&str] = &["sys/firmware/devicetree/base", "proc/device-tree"];
const PROPERTY_LIMIT: usize = 4096;

/// Prefixes of `compatible` and the makers that they stand for.
const MAKERS: &[(&str, &str)] = &[
    ("amlogic", "Amlogic"),
    ("apple", "Apple"),
    ("asus", "ASUS"),
    ("friendlyarm", "FriendlyElec"),
    ("google", "Google"),
    ("hardkernel", "Hardkernel"),
    ("ibm", "IBM"),
    ("khadas", "Khadas"),
    ("lenovo", "Lenovo"),
    ("nvidia", "NVIDIA"),
    ("pine64", "Pine64"),
    ("qcom", "Qualcomm"),
    ("radxa", "Radxa"),
    ("raspberrypi", "Raspberry Pi"),
    ("rockchip", "Rockchip"),
    ("solidrun", "SolidRun"),
    ("toradex", "Toradex"),
    ("xunlong", "Xunlong"),
];

/// The system; `None` without a tree.
pub(super) fn system(host: &dyn Host, problems: &mut Problems) -> Option<System> {
    let tree = FOLDERS.iter().find_map(|folder| {
        let model = property(host, folder, "model", problems)?;
        Some(Tree { host, folder, model: first(&model)? })
    })?;
    Some(tree.system(problems))
}

struct Tree<'h> {
    host: &'h dyn Host,
    folder: &'static str,
    model: String,
}

impl Tree<'_> {
    fn system(&self, problems: &mut Problems) -> System {
        let compatible = property(self.host, self.folder, "compatible", problems).unwrap_or_default();
        let (is_virtual, hypervisor) = self.virtualization(&compatible, problems);
        let mut text = |name: &str| self.text(name, problems);
        // POWER writes "IBM,9009-42A" and "IBM,0210F2A1W"; its labels have neither the maker nor the first two digits.
        let system_id = text("system-id");
        let serial = text("serial-number").or_else(|| {
            let id = system_id.as_deref()?;
            let number = id.strip_prefix("IBM,").unwrap_or(id);
            let shown = number.strip_prefix("02").filter(|_| number.len() == 9).unwrap_or(number);
            Some(shown.to_owned())
        });
        System {
            manufacturer: maker(&self.model, &compatible),
            product_name: Some(self.model.strip_prefix("IBM,").unwrap_or(&self.model).to_owned()),
            serial,
            uuid: text("ibm,partition-uuid")
                .or_else(|| text("vm,uuid"))
                .map(|uuid| uuid.to_ascii_lowercase()),
            hypervisor: hypervisor.map(str::to_owned),
            is_virtual: Some(is_virtual),
            ..System::default()
        }
    }

    fn text(&self, name: &str, problems: &mut Problems) -> Option<String> {
        first(&property(self.host, self.folder, name, problems)?)
    }

    fn virtualization(&self, compatible: &[u8], problems: &mut Problems) -> (bool, Option<&'static str>) {
        let has = |text: &[u8], part: &[u8]| text.windows(part.len()).any(|window| window == part);
        let node = property(self.host, self.folder, "hypervisor/compatible", problems).unwrap_or_default();
        if has(&node, b"xen") {
            return (true, Some("xen"));
        }
        if has(&node, b"vmware") {
            return (true, Some("vmware"));
        }
        let is_emulated =
            self.model.contains("qemu") || has(compatible, b"linux,dummy-virt") || has(compatible, b"qemu");
        if has(&node, b"kvm") || is_emulated {
            return (true, Some("kvm"));
        }
        if self.text("ibm,partition-name", problems).is_some() {
            return (true, Some("powervm"));
        }
        (!node.is_empty(), None)
    }
}

/// Who made it, by the model's prefix or by the first thing that it is compatible with.
fn maker(model: &str, compatible: &[u8]) -> Option<String> {
    if model.starts_with("IBM,") {
        return Some("IBM".to_owned());
    }
    let prefix = compatible.split(|byte| matches!(byte, b',' | 0)).next().and_then(text::clean)?;
    let known = MAKERS.iter().find(|(known, _)| *known == prefix);
    Some(known.map_or(prefix, |(_, name)| (*name).to_owned()))
}

fn property(host: &dyn Host, folder: &str, name: &str, problems: &mut Problems) -> Option<Vec<u8>> {
    read::guessed(host, &format!("{folder}/{name}"), PROPERTY_LIMIT, problems)
}

/// The first of a property's strings, which are each ended by NUL.
fn first(property: &[u8]) -> Option<String> {
    text::clean(property.split(|byte| *byte == 0).next()?)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sources::testing::recorded;

    type Told<'a> = (Option<&'a str>, Option<&'a str>, Option<&'a str>, Option<bool>, Option<&'a str>);

    fn check(folder: &str, properties: &[(&str, &str)], expected: Option<Told<'_>>) {
        let files: Vec<(String, &str)> =
            properties.iter().map(|(name, value)| (format!("{folder}/{name}"), *value)).collect();
        let files: Vec<(&str, &str)> = files.iter().map(|(path, value)| (path.as_str(), *value)).collect();
        let (_folder, host) = recorded(&files);
        let mut problems = Problems::default();
        let found = system(&host, &mut problems);
        assert!(problems.is_empty());
        let told = found.as_ref().map(|it| {
            (
                it.manufacturer.as_deref(),
                it.product_name.as_deref(),
                it.serial.as_deref(),
                it.is_virtual,
                it.hypervisor.as_deref(),
            )
        });
        assert_eq!(told, expected, "{properties:?}");
    }

    #[test]
    fn recorded_trees() {
        let [sys, proc] = FOLDERS else { panic!("there are two places") };
        check(sys, &[], None);
        check(
            sys,
            &[
                ("model", "Raspberry Pi 4 Model B Rev 1.4\0"),
                ("compatible", "raspberrypi,4-model-b\0brcm,bcm2711\0"),
                ("serial-number", "10000000a3b1c2d4\0"),
            ],
            Some((
                Some("Raspberry Pi"),
                Some("Raspberry Pi 4 Model B Rev 1.4"),
                Some("10000000a3b1c2d4"),
                Some(false),
                None,
            )),
        );
        check(
            proc,
            &[("model", "Unheard Of Board\0"), ("compatible", "acme,board\0")],
            Some((Some("acme"), Some("Unheard Of Board"), None, Some(false), None)),
        );
        check(
            sys,
            &[("model", "linux,dummy-virt\0"), ("compatible", "linux,dummy-virt\0")],
            Some((Some("linux"), Some("linux,dummy-virt"), None, Some(true), Some("kvm"))),
        );
        check(
            sys,
            &[
                ("model", "IBM,9009-42A\0"),
                ("compatible", "IBM,9009-42A\0"),
                ("system-id", "IBM,0210F2A1W\0"),
                ("ibm,partition-name", "prod-db-1\0"),
            ],
            Some((Some("IBM"), Some("9009-42A"), Some("10F2A1W"), Some(true), Some("powervm"))),
        );
        check(
            sys,
            &[
                ("model", "IBM pSeries (emulated by qemu)\0"),
                ("compatible", "qemu,pseries\0"),
                ("hypervisor/compatible", "linux,kvm\0"),
                ("vm,uuid", "2b8b3c52-77a0-4a43-9c8e-4d3a3a2c1c11\0"),
            ],
            Some((Some("qemu"), Some("IBM pSeries (emulated by qemu)"), None, Some(true), Some("kvm"))),
        );
        check(
            sys,
            &[
                ("model", "8335-GTH\0"),
                ("compatible", "ibm,powernv\0ibm,p9-openbmc\0"),
                ("system-id", "78B8ACA\0"),
            ],
            Some((Some("IBM"), Some("8335-GTH"), Some("78B8ACA"), Some(false), None)),
        );
    }
}
