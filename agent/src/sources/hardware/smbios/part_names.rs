//! What the numbers of ports, slots, caches, on-board devices and batteries are called.
//!
//! Knows the tables of DSP0134 7.8.5, 7.9.2, 7.9.3, 7.10.1, 7.10.2, 7.23.1 and 7.42.2; a number that they do not name
//! is `None`, and so are "other", "unknown" and "none".

/// Cache associativity, from number 1.
const ASSOCIATIVITY: &[&str] = &[
    "",
    "",
    "direct mapped",
    "2-way set-associative",
    "4-way set-associative",
    "fully associative",
    "8-way set-associative",
    "16-way set-associative",
    "12-way set-associative",
    "24-way set-associative",
    "32-way set-associative",
    "48-way set-associative",
    "64-way set-associative",
    "20-way set-associative",
];

/// Connectors, from number 1.
const CONNECTORS: &[&str] = &[
    "Centronics",
    "Mini Centronics",
    "Proprietary",
    "DB-25 male",
    "DB-25 female",
    "DB-15 male",
    "DB-15 female",
    "DB-9 male",
    "DB-9 female",
    "RJ-11",
    "RJ-45",
    "50 Pin MiniSCSI",
    "Mini DIN",
    "Micro DIN",
    "PS/2",
    "Infrared",
    "HP-HIL",
    "Access Bus (USB)",
    "SSA SCSI",
    "Circular DIN-8 male",
    "Circular DIN-8 female",
    "On Board IDE",
    "On Board Floppy",
    "9 Pin Dual Inline (pin 10 cut)",
    "25 Pin Dual Inline (pin 26 cut)",
    "50 Pin Dual Inline",
    "68 Pin Dual Inline",
    "On Board Sound Input From CD-ROM",
    "Mini Centronics Type-14",
    "Mini Centronics Type-26",
    "Mini Jack (headphones)",
    "BNC",
    "IEEE 1394",
    "SAS/SATA Plug Receptacle",
    "USB Type-C Receptacle",
];

/// Connectors from number 160.
const JAPANESE_CONNECTORS: &[&str] = &["PC-98", "PC-98 Hireso", "PC-H98", "PC-98 Note", "PC-98 Full"];

/// What ports are for, from number 1.
const PORTS: &[&str] = &[
    "Parallel Port XT/AT Compatible",
    "Parallel Port PS/2",
    "Parallel Port ECP",
    "Parallel Port EPP",
    "Parallel Port ECP/EPP",
    "Serial Port XT/AT Compatible",
    "Serial Port 16450 Compatible",
    "Serial Port 16550 Compatible",
    "Serial Port 16550A Compatible",
    "SCSI Port",
    "MIDI Port",
    "Joystick Port",
    "Keyboard Port",
    "Mouse Port",
    "SSA SCSI",
    "USB",
    "Firewire (IEEE P1394)",
    "PCMCIA Type I",
    "PCMCIA Type II",
    "PCMCIA Type III",
    "Cardbus",
    "Access Bus Port",
    "SCSI II",
    "SCSI Wide",
    "PC-98",
    "PC-98 Hireso",
    "PC-H98",
    "Video Port",
    "Audio Port",
    "Modem Port",
    "Network Port",
    "SATA",
    "SAS",
    "MFDP (Multi-Function Display Port)",
    "Thunderbolt",
];

/// Ports from number 160.
const CONTROLLER_PORTS: &[&str] = &["8251 Compatible", "8251 FIFO Compatible"];

/// Slots, from number 1.
const SLOTS: &[&str] = &[
    "",
    "",
    "ISA",
    "MCA",
    "EISA",
    "PCI",
    "PC Card (PCMCIA)",
    "VLB",
    "Proprietary",
    "Processor Card",
    "Proprietary Memory Card",
    "I/O Riser Card",
    "NuBus",
    "PCI-66",
    "AGP",
    "AGP 2x",
    "AGP 4x",
    "PCI-X",
    "AGP 8x",
    "M.2 Socket 1-DP",
    "M.2 Socket 1-SD",
    "M.2 Socket 2",
    "M.2 Socket 3",
    "MXM Type I",
    "MXM Type II",
    "MXM Type III",
    "MXM Type III-HE",
    "MXM Type IV",
    "MXM 3.0 Type A",
    "MXM 3.0 Type B",
    "PCI Express 2 SFF-8639 (U.2)",
    "PCI Express 3 SFF-8639 (U.2)",
    "PCI Express Mini 52-pin with bottom-side keep-outs",
    "PCI Express Mini 52-pin without bottom-side keep-outs",
    "PCI Express Mini 76-pin",
    "PCI Express 4 SFF-8639 (U.2)",
    "PCI Express 5 SFF-8639 (U.2)",
    "OCP NIC 3.0 Small Form Factor (SFF)",
    "OCP NIC 3.0 Large Form Factor (LFF)",
    "OCP NIC Prior to 3.0",
];

/// Slots from number 160.
const LATER_SLOTS: &[&str] = &[
    "PC-98/C20",
    "PC-98/C24",
    "PC-98/E",
    "PC-98/Local Bus",
    "PC-98/Card",
    "PCI Express",
    "PCI Express x1",
    "PCI Express x2",
    "PCI Express x4",
    "PCI Express x8",
    "PCI Express x16",
    "PCI Express 2",
    "PCI Express 2 x1",
    "PCI Express 2 x2",
    "PCI Express 2 x4",
    "PCI Express 2 x8",
    "PCI Express 2 x16",
    "PCI Express 3",
    "PCI Express 3 x1",
    "PCI Express 3 x2",
    "PCI Express 3 x4",
    "PCI Express 3 x8",
    "PCI Express 3 x16",
    "",
    "PCI Express 4",
    "PCI Express 4 x1",
    "PCI Express 4 x2",
    "PCI Express 4 x4",
    "PCI Express 4 x8",
    "PCI Express 4 x16",
    "PCI Express 5",
    "PCI Express 5 x1",
    "PCI Express 5 x2",
    "PCI Express 5 x4",
    "PCI Express 5 x8",
    "PCI Express 5 x16",
    "PCI Express 6+",
    "EDSFF E1",
    "EDSFF E3",
];

/// Lanes of a slot, from number 8.
const LANES: &[&str] = &["x1", "x2", "x4", "x8", "x12", "x16", "x32"];

/// On-board devices, from number 1.
const ONBOARD: &[&str] = &[
    "",
    "",
    "Video",
    "SCSI Controller",
    "Ethernet",
    "Token Ring",
    "Sound",
    "PATA Controller",
    "SATA Controller",
    "SAS Controller",
    "Wireless LAN",
    "Bluetooth",
    "WWAN",
    "eMMC",
    "NVMe Controller",
    "UFS Controller",
];

/// Battery chemistry, from number 1.
const CHEMISTRY: &[&str] = &[
    "",
    "",
    "Lead Acid",
    "Nickel Cadmium",
    "Nickel Metal Hydride",
    "Lithium Ion",
    "Zinc Air",
    "Lithium Polymer",
];

/// Cache associativity.
pub(super) fn associativity(number: u8) -> Option<&'static str> {
    named(ASSOCIATIVITY, 1, number)
}

/// Connector.
pub(super) fn connector(number: u8) -> Option<&'static str> {
    named(CONNECTORS, 1, number).or_else(|| named(JAPANESE_CONNECTORS, 160, number))
}

/// What a port is for.
pub(super) fn port(number: u8) -> Option<&'static str> {
    named(PORTS, 1, number).or_else(|| named(CONTROLLER_PORTS, 160, number))
}

/// Slot.
pub(super) fn slot(number: u8) -> Option<&'static str> {
    match number {
        0x30 => Some("CXL Flexbus 1.0"),
        _ => named(SLOTS, 1, number).or_else(|| named(LATER_SLOTS, 160, number)),
    }
}

/// How many lanes a slot has, where its width is counted in lanes.
pub(super) fn lanes(number: u8) -> Option<&'static str> {
    named(LANES, 8, number)
}

/// On-board device.
pub(super) fn onboard(number: u8) -> Option<&'static str> {
    named(ONBOARD, 1, number)
}

/// Battery chemistry.
pub(super) fn chemistry(number: u8) -> Option<&'static str> {
    named(CHEMISTRY, 1, number)
}

fn named(list: &[&'static str], first: u8, number: u8) -> Option<&'static str> {
    let index = number.checked_sub(first)?;
    list.get(usize::from(index)).copied().filter(|name| !name.is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_ends_of_the_tables_stand_where_the_specification_has_them() {
        for (found, expected) in [
            (associativity(0x0e), Some("20-way set-associative")),
            (connector(0), None),
            (connector(0x0b), Some("RJ-45")),
            (connector(0x23), Some("USB Type-C Receptacle")),
            (connector(0xa4), Some("PC-98 Full")),
            (connector(0xff), None),
            (port(0x1f), Some("Network Port")),
            (port(0x23), Some("Thunderbolt")),
            (port(0xa1), Some("8251 FIFO Compatible")),
            (slot(2), None),
            (slot(0x28), Some("OCP NIC Prior to 3.0")),
            (slot(0xb6), Some("PCI Express 3 x16")),
            (slot(0xb7), None),
            (slot(0xb8), Some("PCI Express 4")),
            (slot(0xc3), Some("PCI Express 5 x16")),
            (slot(0xc6), Some("EDSFF E3")),
            (slot(0xc7), None),
            (lanes(0x0e), Some("x32")),
            (lanes(0x07), None),
            (onboard(0x10), Some("UFS Controller")),
            (chemistry(8), Some("Lithium Polymer")),
        ] {
            assert_eq!(found, expected);
        }
    }
}
