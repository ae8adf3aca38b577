//! The machine as a product: what its maker wrote into SMBIOS (DSP0134) types 0, 1, 2, 3 and 16.
//!
//! `None` means that nobody reported the value; placeholders stay as the maker wrote them, for the collector's
//! identity rules decide what is one.

/// SMBIOS type 1, or a device tree's counterpart.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct System {
    /// Maker, as written.
    pub manufacturer: Option<String>,
    /// Model, as written.
    pub product_name: Option<String>,
    /// Version or, with Lenovo, the model's name for people.
    pub version: Option<String>,
    /// Serial number.
    pub serial: Option<String>,
    /// UUID in the byte order that the SMBIOS version prescribes, lower case.
    pub uuid: Option<String>,
    /// Stock-keeping unit.
    pub sku: Option<String>,
    /// Product family.
    pub family: Option<String>,
    /// The hypervisor (`kvm`, `vmware`, `hyper-v`, `xen`, …) when the machine is virtual and that is known.
    pub hypervisor: Option<String>,
    /// Whether the machine is virtual; `None` when nothing tells.
    pub is_virtual: Option<bool>,
    /// The container runtime (`docker`, `podman`, `lxc`, `systemd-nspawn`, …) when the agent runs in a container.
    pub container: Option<String>,
}

/// SMBIOS type 2.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Baseboard {
    /// The structure's handle: its place in the table.
    pub handle: u16,
    /// Maker, as written.
    pub manufacturer: Option<String>,
    /// Product.
    pub product: Option<String>,
    /// Version.
    pub version: Option<String>,
    /// Serial number.
    pub serial: Option<String>,
    /// Asset tag.
    pub asset_tag: Option<String>,
    /// Where in the chassis it sits.
    pub location: Option<String>,
}

/// SMBIOS type 3.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Chassis {
    /// The structure's handle: its place in the table.
    pub handle: u16,
    /// Maker, as written.
    pub manufacturer: Option<String>,
    /// Enclosure type by DSP0134 table 17 (3 desktop, 9 laptop, 10 notebook, 17 server, 23 rack mount, …).
    pub kind: Option<u8>,
    /// Version.
    pub version: Option<String>,
    /// Serial number: a witness of identity, never decisive.
    pub serial: Option<String>,
    /// Asset tag.
    pub asset_tag: Option<String>,
    /// Stock-keeping unit.
    pub sku: Option<String>,
}

/// SMBIOS type 0.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Firmware {
    /// Vendor.
    pub vendor: Option<String>,
    /// Version.
    pub version: Option<String>,
    /// Release date as written, usually mm/dd/yyyy.
    pub release_date: Option<String>,
    /// The release in numbers, such as `1.27`, where the version is a name.
    pub release: Option<String>,
    /// The SMBIOS version of the tables, such as `3.2.0`.
    pub smbios_version: Option<String>,
    /// What the maker wrote for itself: SMBIOS type 11.
    pub oem_strings: Vec<String>,
}

/// The memory of the machine as a whole.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Memory {
    /// What the operating system can use, in bytes.
    pub usable_bytes: Option<u64>,
    /// What the modules add up to, in bytes.
    pub installed_bytes: Option<u64>,
    /// Slots on the board, populated or not.
    pub slots: Option<u32>,
    /// What the board takes at most, in bytes.
    pub maximum_bytes: Option<u64>,
    /// How the board mends errors: `none`, `parity`, `single-bit ECC`, `multi-bit ECC`, `CRC`.
    pub error_correction: Option<String>,
    /// Swap space, in bytes.
    pub swap_bytes: Option<u64>,
}
