//! Parts of the board and its enclosure that are serviced or identify it: SMBIOS (DSP0134) types 7, 8, 9, 22, 39, 41
//! and 43, with what sysfs adds.

/// SMBIOS type 7.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Cache {
    /// The structure's handle: its place in the table.
    pub handle: u16,
    /// Socket designation, such as `L1 Cache`.
    pub designation: Option<String>,
    /// Level, from 1.
    pub level: Option<u32>,
    /// Installed size in bytes.
    pub size_bytes: Option<u64>,
    /// Associativity, such as `8-way set-associative`.
    pub associativity: Option<String>,
}

/// SMBIOS type 8.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Port {
    /// The structure's handle: its place in the table.
    pub handle: u16,
    /// Designation on the board.
    pub internal: Option<String>,
    /// Designation outside.
    pub external: Option<String>,
    /// Connector, such as `USB type C`.
    pub connector: Option<String>,
    /// What it is for, such as `Network`.
    pub kind: Option<String>,
}

/// SMBIOS type 9.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Slot {
    /// The structure's handle: its place in the table.
    pub handle: u16,
    /// Designation, such as `PCIEX16_1`.
    pub designation: Option<String>,
    /// Type, such as `PCI Express 3 x16`.
    pub kind: Option<String>,
    /// Whether something is in it.
    pub in_use: Option<bool>,
    /// Bus address of what is in it, such as `0000:01:00.0`.
    pub address: Option<String>,
}

/// SMBIOS type 41.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct OnboardDevice {
    /// The structure's handle: its place in the table.
    pub handle: u16,
    /// Designation.
    pub designation: Option<String>,
    /// Type, such as `Ethernet`.
    pub kind: Option<String>,
    /// Whether the firmware has it switched on.
    pub enabled: Option<bool>,
    /// Bus address, such as `0000:00:1f.6`.
    pub address: Option<String>,
}

/// SMBIOS type 39.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct PowerSupply {
    /// The structure's handle: its place in the table.
    pub handle: u16,
    /// Where it sits.
    pub location: Option<String>,
    /// Name.
    pub name: Option<String>,
    /// Maker.
    pub manufacturer: Option<String>,
    /// Serial number: a witness of identity.
    pub serial: Option<String>,
    /// Asset tag.
    pub asset_tag: Option<String>,
    /// Part number.
    pub model: Option<String>,
    /// Revision.
    pub revision: Option<String>,
    /// Highest output in watts.
    pub max_watts: Option<u32>,
    /// Whether it can be changed in use.
    pub hot_replaceable: Option<bool>,
    /// Whether the bay is filled.
    pub present: Option<bool>,
}

/// A portable battery: SMBIOS type 22, and `/sys/class/power_supply`.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Battery {
    /// Name in the operating system, such as `BAT0`, or the place that SMBIOS states.
    pub name: String,
    /// Maker.
    pub manufacturer: Option<String>,
    /// Model.
    pub model: Option<String>,
    /// Serial number: a witness of identity.
    pub serial: Option<String>,
    /// Chemistry, such as `Li-ion`.
    pub chemistry: Option<String>,
    /// Capacity when new, in milliwatt-hours.
    pub design_mwh: Option<u32>,
    /// Capacity when full now, in milliwatt-hours.
    pub full_mwh: Option<u32>,
    /// Charge cycles.
    pub cycles: Option<u32>,
    /// Date of making as written.
    pub manufactured: Option<String>,
}

/// A trusted platform module: SMBIOS type 43, and `/sys/class/tpm`.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Tpm {
    /// Name in the operating system, such as `tpm0`; `tpm` where only SMBIOS tells.
    pub name: String,
    /// Specification, such as `2.0`.
    pub version: Option<String>,
    /// Vendor id, such as `INTC`.
    pub manufacturer: Option<String>,
    /// Firmware version.
    pub firmware: Option<String>,
    /// Description in the firmware.
    pub description: Option<String>,
}
