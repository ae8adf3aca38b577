//! What can happen to a machine, how often in a year, and to which sort of machine.

use super::endpoint::{Endpoint, Sort};

/// Something that happens to one machine.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Happening {
    /// It is switched on as often as usual, and reports.
    Routine,
    /// It is switched on, and reports.
    Connect,
    /// It is switched off.
    Disconnect,
    /// Its invoice is imported.
    Invoice,
    /// Its invoice is imported once more, unchanged.
    SameInvoice,
    /// Another invoice names the same serial number.
    SecondInvoice,
    /// A new system, and with it a new agent.
    ReImage,
    /// A second system beside the first.
    SecondSystem,
    /// A new board, into which the old serial number is written.
    BoardWithOldSerial,
    /// A new board with a serial number of its own.
    BoardWithNewSerial,
    /// A board that was taken out of another machine, numbers and all.
    BoardOfAnother,
    /// Two machines exchange their disks.
    DisksExchanged,
    /// The disk goes into a machine that nobody has seen yet.
    DiskToUnseen,
    /// The disk is copied to a larger one.
    DiskCopied,
    /// A memory module is exchanged.
    Module,
    /// Other docks.
    Docks,
    /// Another name.
    Rename,
    /// Firmware forgets the serial number.
    Placeholder,
    /// Firmware writes the UUID in the other byte order.
    UuidFlipped,
    /// Firmware writes the maker's new name.
    MakerRenamed,
    /// Swapped by its maker for another machine.
    Replaced,
    /// Sold or thrown away.
    Disposed,
    /// Bought again, refurbished.
    BoughtAgain,
    /// The hypervisor gives other addresses.
    OtherAddresses,
    /// A virtual machine is copied, agent and all.
    Copied,
}

/// How often in a year, and to which machines.
type Rate = (Happening, f64, fn(&Endpoint) -> bool);

/// Everything that happens by chance.
pub(super) const RATES: &[Rate] = &[
    (Happening::ReImage, 0.5, |it| it.sort != Sort::Stamped),
    (Happening::SecondSystem, 0.01, |it| it.has_serial()),
    (Happening::BoardWithOldSerial, 0.04, |it| it.has_serial()),
    (Happening::BoardWithNewSerial, 0.02, |it| it.has_serial() || it.sort == Sort::WhiteBox),
    (Happening::BoardOfAnother, 0.02, |it| it.sort == Sort::Laptop),
    (Happening::DisksExchanged, 0.01, |it| it.sort == Sort::Laptop),
    (Happening::DiskToUnseen, 0.01, |it| it.sort == Sort::Laptop),
    (Happening::DiskCopied, 0.05, |it| !it.is_virtual()),
    (Happening::Module, 0.1, |it| matches!(it.sort, Sort::Laptop | Sort::Node | Sort::WhiteBox)),
    (Happening::Docks, 3.0, |it| matches!(it.sort, Sort::Laptop | Sort::SolderedLaptop)),
    (Happening::Rename, 0.3, |_| true),
    (Happening::Placeholder, 0.02, |it| it.has_serial()),
    (Happening::UuidFlipped, 0.02, |it| it.machine.uuid.is_some()),
    (Happening::MakerRenamed, 0.3, |it| it.machine.maker.as_deref() == Some("HP")),
    (Happening::Replaced, 0.02, |it| it.sort == Sort::Laptop),
    (Happening::Disposed, 0.05, |it| it.has_serial()),
    (Happening::SameInvoice, 0.5, |_| true),
    (Happening::SecondInvoice, 0.002, |it| it.has_serial()),
    (Happening::OtherAddresses, 2.0, Endpoint::is_virtual),
    (Happening::Copied, 0.05, |it| it.sort == Sort::Virtual),
];

impl Happening {
    /// For the table.
    pub(super) const fn words(self) -> &'static str {
        match self {
            Self::Routine => "routine report",
            Self::Connect => "switched on",
            Self::Disconnect => "switched off",
            Self::Invoice => "purchase record",
            Self::SameInvoice => "purchase record imported again",
            Self::SecondInvoice => "second purchase record with the same serial",
            Self::ReImage => "re-imaged",
            Self::SecondSystem => "second system installed",
            Self::BoardWithOldSerial => "main board replaced, serial written into it",
            Self::BoardWithNewSerial => "main board replaced, with its own serial",
            Self::BoardOfAnother => "main board taken from another machine",
            Self::DisksExchanged => "disks of two machines exchanged",
            Self::DiskToUnseen => "disk moved into an unseen machine",
            Self::DiskCopied => "disk copied to a larger one",
            Self::Module => "memory module exchanged",
            Self::Docks => "other docks plugged in",
            Self::Rename => "host renamed",
            Self::Placeholder => "serial became a placeholder",
            Self::UuidFlipped => "UUID in the other byte order",
            Self::MakerRenamed => "maker renamed by firmware",
            Self::Replaced => "replaced under warranty",
            Self::Disposed => "disposed of",
            Self::BoughtAgain => "bought again, refurbished",
            Self::OtherAddresses => "virtual machine with other addresses",
            Self::Copied => "virtual machine copied",
        }
    }
}
