//! Parts that can be replaced: processors, memory modules, disks.

/// One processor package: SMBIOS type 4, or `/proc/cpuinfo`.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Processor {
    /// Socket designation, or `cpu0`, `cpu1`, … where SMBIOS is silent.
    pub socket: String,
    /// Maker.
    pub manufacturer: Option<String>,
    /// Model as the processor itself or SMBIOS says.
    pub model: Option<String>,
    /// Cores.
    pub cores: Option<u32>,
    /// Hardware threads.
    pub threads: Option<u32>,
    /// Highest speed in megahertz.
    pub max_mhz: Option<u32>,
    /// Serial number.
    pub serial: Option<String>,
    /// Asset tag.
    pub asset_tag: Option<String>,
    /// Part number.
    pub part_number: Option<String>,
    /// Family by the processor's own word, decimal.
    pub family: Option<u32>,
    /// Model by the processor's own word, decimal.
    pub model_number: Option<u32>,
    /// Stepping by the processor's own word.
    pub stepping: Option<u32>,
    /// Revision of the microcode in force, such as `0xf4`.
    pub microcode: Option<String>,
}

/// One populated memory slot: SMBIOS type 17.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct MemoryModule {
    /// The structure's handle: its place in the table.
    pub handle: u16,
    /// Slot, such as `ChannelA-DIMM0`.
    pub locator: String,
    /// Bank.
    pub bank: Option<String>,
    /// Maker.
    pub manufacturer: Option<String>,
    /// Part number.
    pub part_number: Option<String>,
    /// Serial number.
    pub serial: Option<String>,
    /// Asset tag.
    pub asset_tag: Option<String>,
    /// Size in bytes.
    pub size_bytes: Option<u64>,
    /// Type, such as `DDR4`.
    pub kind: Option<String>,
    /// Form factor, such as `SODIMM`.
    pub form_factor: Option<String>,
    /// Rated speed in megatransfers a second.
    pub speed_mts: Option<u32>,
}

/// One disk.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Disk {
    /// Kernel name, such as `nvme0n1`.
    pub name: String,
    /// Model.
    pub model: Option<String>,
    /// Maker.
    pub vendor: Option<String>,
    /// Serial number.
    pub serial: Option<String>,
    /// World-wide name, such as `eui.…` or `naa.…`.
    pub wwn: Option<String>,
    /// Firmware revision.
    pub firmware: Option<String>,
    /// Capacity in bytes.
    pub size_bytes: Option<u64>,
    /// Transport: `nvme`, `sata`, `scsi`, `virtio`, `usb`, `mmc`.
    pub transport: Option<String>,
    /// Whether it spins.
    pub rotational: Option<bool>,
    /// Whether it can be taken out in use.
    pub removable: Option<bool>,
    /// How much of its life is used, in percent; over 100 is possible.
    pub wear_percent: Option<u32>,
}
