//! Whether the machine is virtual, and by which hypervisor.
//!
//! Knows makers' names, and what firmware and kernel write where no maker is named. It never looks at `/.dockerenv` or at
//! control groups: a container is no machine, and its host is as physical as before.

use muster_common::inventory::System;

use crate::{
    host::Host,
    sources::{part::Problems, read},
};

/// `/proc/cpuinfo`; its first bytes hold the whole first processor.
const CPUINFO: &str = "proc/cpuinfo";
const FIRST_PROCESSOR_BYTES: usize = 16 * 1024;

/// A maker's name and, where the maker also builds real machines, the start of the model's name.
const MAKERS: &[(&str, &str, &str)] = &[
    ("qemu", "", "kvm"),
    ("bochs", "", "kvm"),
    ("red hat", "kvm", "kvm"),
    ("red hat", "rhev", "kvm"),
    ("red hat", "openstack", "kvm"),
    ("ovirt", "", "kvm"),
    ("openstack foundation", "", "kvm"),
    ("google", "google compute engine", "kvm"),
    ("digitalocean", "droplet", "kvm"),
    ("hetzner", "vserver", "kvm"),
    ("linode", "", "kvm"),
    ("upcloud", "", "kvm"),
    ("nutanix", "ahv", "kvm"),
    ("alibaba cloud", "alibaba cloud ecs", "kvm"),
    ("vmware", "", "vmware"),
    ("innotek", "", "virtualbox"),
    ("oracle corporation", "virtualbox", "virtualbox"),
    ("microsoft corporation", "virtual machine", "hyper-v"),
    ("xen", "hvm domu", "xen"),
    ("parallels", "", "parallels"),
    ("bhyve", "", "bhyve"),
    ("apple", "apple virtualization", "apple"),
    ("amazon ec2", "", "amazon"),
];

/// A table of the firmware that every machine with ACPI has; bytes 10 to 15 of its header name who wrote it.
const ACPI_TABLE: &str = "sys/firmware/acpi/tables/FACP";
const ACPI_HEADER_BYTES: usize = 36;
/// Micro virtual machines have no SMBIOS, and still ACPI.
const ACPI_WRITERS: &[(&[u8; 6], &str)] = &[
    (b"FIRECK", "firecracker"),
    (b"CLOUDH", "cloud-hypervisor"),
    (b"CROSVM", "crosvm"),
    (b"BOCHS ", "kvm"),
    (b"Google", "kvm"),
    (b"AMAZON", "amazon"),
    (b"VRTUAL", "hyper-v"),
    (b"MSFTVM", "hyper-v"),
    (b"VBOX  ", "virtualbox"),
    (b"BHYVE ", "bhyve"),
    (b"PRLS  ", "parallels"),
    (b"Xen\0\0\0", "xen"),
];

/// Clocks that a hypervisor lends to the kernel.
const CLOCKS: &str = "sys/devices/system/clocksource/clocksource0/available_clocksource";
const CLOCKS_LENT: &[(&str, &str)] =
    &[("kvm-clock", "kvm"), ("hyperv_clocksource", "hyper-v"), ("xen", "xen")];

/// What tells a virtual machine.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Virtualization {
    /// Whether it is one; `None` when nothing tells.
    pub(super) is_virtual: Option<bool>,
    /// Which hypervisor, where that is known.
    pub(super) hypervisor: Option<String>,
}

/// Judges by the maker's name, the firmware's own word and the kernel's.
pub(super) fn detect(
    host: &dyn Host,
    system: Option<&System>,
    firmware_says_virtual: bool,
    problems: &mut Problems,
) -> Virtualization {
    let flag = processor_flag(host);
    let mut hypervisor = system.and_then(by_maker).map(str::to_owned);
    // A bare-metal instance of a cloud carries the cloud's name and no flag.
    if hypervisor.as_deref() == Some("amazon") && flag != Some(true) && is_bare_metal(system) {
        hypervisor = None;
    }
    if hypervisor.is_none() {
        hypervisor = xen(host, problems);
    }
    // Only where the processor itself says so: what follows is a hint at who, and never at whether.
    if hypervisor.is_none() && flag == Some(true) {
        hypervisor = by_acpi(host).or_else(|| by_clock(host)).map(str::to_owned);
    }
    let is_virtual = if hypervisor.is_some() || firmware_says_virtual { Some(true) } else { flag };
    Virtualization { is_virtual, hypervisor }
}

fn by_maker(system: &System) -> Option<&'static str> {
    let lower = |value: &Option<String>| value.as_deref().unwrap_or_default().to_ascii_lowercase();
    let (manufacturer, product) = (lower(&system.manufacturer), lower(&system.product_name));
    MAKERS
        .iter()
        .find(|(maker, model, _)| manufacturer.starts_with(maker) && product.starts_with(model))
        .map(|(_, _, name)| *name)
}

fn is_bare_metal(system: Option<&System>) -> bool {
    system.and_then(|system| system.product_name.as_deref()).is_some_and(|product| product.contains(".metal"))
}

/// Xen's own word; the privileged domain sits on the real machine.
fn xen(host: &dyn Host, problems: &mut Problems) -> Option<String> {
    let kind = read::value(host, "sys/hypervisor/type", problems)?;
    let capabilities = read::value(host, "proc/xen/capabilities", problems).unwrap_or_default();
    (!capabilities.contains("control_d")).then_some(kind)
}

/// By whoever wrote the firmware's tables; only root may read them.
fn by_acpi(host: &dyn Host) -> Option<&'static str> {
    let header = host.prefix(ACPI_TABLE, ACPI_HEADER_BYTES).ok()?.bytes;
    let writer = header.get(10..16)?;
    ACPI_WRITERS.iter().find(|(known, _)| known.as_slice() == writer).map(|(_, name)| *name)
}

fn by_clock(host: &dyn Host) -> Option<&'static str> {
    let clocks = host.prefix(CLOCKS, 256).ok()?.bytes;
    let clocks = String::from_utf8_lossy(&clocks);
    let lent = |prefix: &str| clocks.split_ascii_whitespace().any(|clock| clock.starts_with(prefix));
    CLOCKS_LENT.iter().find(|(prefix, _)| lent(prefix)).map(|(_, name)| *name)
}

/// Whether the first processor says that it runs under a hypervisor; `None` without such a list.
fn processor_flag(host: &dyn Host) -> Option<bool> {
    let content = host.prefix(CPUINFO, FIRST_PROCESSOR_BYTES).ok()?;
    let text = String::from_utf8_lossy(&content.bytes);
    let flags = text.lines().find_map(|line| line.strip_prefix("flags")?.trim_start().strip_prefix(':'))?;
    Some(flags.split_ascii_whitespace().any(|flag| flag == "hypervisor"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sources::testing::recorded;

    fn check(files: &[(&str, &str)], maker: &str, product: &str, expected: (Option<bool>, Option<&str>)) {
        let (_folder, host) = recorded(files);
        let system = System {
            manufacturer: Some(maker.to_owned()),
            product_name: Some(product.to_owned()),
            ..System::default()
        };
        let found = detect(&host, Some(&system), false, &mut Problems::default());
        assert_eq!((found.is_virtual, found.hypervisor.as_deref()), expected, "{maker} {product}");
    }

    #[test]
    fn makers_and_flags() {
        let physical = [("proc/cpuinfo", "processor : 0\nflags\t\t: fpu vme\n")];
        let virtual_ = [("proc/cpuinfo", "processor : 0\nflags\t\t: fpu hypervisor vme\n")];
        check(&[], "LENOVO", "20L8S07A14", (None, None));
        check(&physical, "LENOVO", "20L8S07A14", (Some(false), None));
        check(&virtual_, "Unheard of", "x", (Some(true), None));
        check(&[], "VMware, Inc.", "VMware7,1", (Some(true), Some("vmware")));
        check(&physical, "Microsoft Corporation", "Surface Pro 7", (Some(false), None));
        check(&virtual_, "Microsoft Corporation", "Virtual Machine", (Some(true), Some("hyper-v")));
        check(&physical, "Amazon EC2", "c5.metal", (Some(false), None));
        check(&virtual_, "Amazon EC2", "t3.small", (Some(true), Some("amazon")));
        check(&[("sys/hypervisor/type", "xen\n")], "x", "x", (Some(true), Some("xen")));
        let privileged = [("sys/hypervisor/type", "xen\n"), ("proc/xen/capabilities", "control_d\n")];
        check(&privileged, "Dell Inc.", "R730", (None, None));
        check(&[(".dockerenv", "")], "Dell Inc.", "R730", (None, None));
    }

    #[test]
    fn firmware_and_clocks_tell_who_and_never_whether() {
        let flag = (CPUINFO, "processor : 0\nflags\t\t: fpu hypervisor vme\n");
        let none = (CPUINFO, "processor : 0\nflags\t\t: fpu vme\n");
        let acpi = |writer: &str| format!("FACP\u{14}\u{1}\0\0\u{6}f{writer}FCVMFADT");
        let clocks = |names: &'static str| (CLOCKS, names);
        // A micro virtual machine whose disk was made of a container's image; peers take it for a container.
        let micro = acpi("FIRECK");
        let micro = [flag, (ACPI_TABLE, micro.as_str()), clocks("tsc kvm-clock \n"), (".dockerenv", "")];
        check(&micro, "", "", (Some(true), Some("firecracker")));
        check(&[flag, clocks("tsc kvm-clock \n")], "", "", (Some(true), Some("kvm")));
        check(
            &[flag, clocks("hyperv_clocksource_tsc_page acpi_pm\n")],
            "",
            "",
            (Some(true), Some("hyper-v")),
        );
        check(&[flag, clocks("tsc hpet acpi_pm\n")], "", "", (Some(true), None));
        let seabios = acpi("BOCHS ");
        check(&[none, (ACPI_TABLE, &seabios)], "Dell Inc.", "R730", (Some(false), None));
        check(&[flag, (ACPI_TABLE, "FACP")], "", "", (Some(true), None));
    }
}
