//! What an endpoint is and has, in named sections of items.
//!
//! A section is the unit of digest, delta and provenance; an item is one thing in it. To add a section: a struct
//! and an [`Item`] variant here with its key, a message in `proto/schema/muster/v1/inventory.proto`, an arm in
//! `proto/src/convert/inventory.rs`, and a source in the agent. CONTRIBUTING.md has the whole recipe.

mod component;
mod hardware;
mod network;
mod os;
mod section;
mod software;

pub use component::{Disk, MemoryModule, Processor};
pub use hardware::{Baseboard, Chassis, Firmware, Memory, System};
pub use network::{AdapterKind, MacAddress, NetworkAdapter};
pub use os::OperatingSystem;
pub use section::{ErrorKind, Section, SectionName, SectionStatus, SourceError};
pub use software::{InstallState, Installation, Package};

use crate::time::EndpointTime;

/// Everything that one collection found.
#[derive(Debug, Clone, PartialEq)]
pub struct Inventory {
    /// When it was collected, by the endpoint's clock; `None` for a recorded machine.
    pub collected: Option<EndpointTime>,
    /// The version of the agent that collected it.
    pub agent_version: String,
    /// The sections, in the order of their names.
    pub sections: Vec<Section>,
}

/// One thing in a section, and what differs per install where it is software.
///
/// The body is the same on every machine that has the same thing, so the collector keeps it once.
#[derive(Debug, Clone, PartialEq)]
pub struct Item {
    /// What it is.
    pub kind: ItemKind,
    /// How it is installed here; `None` for anything that is not software, or when nothing is known beyond
    /// "installed".
    pub installation: Option<Installation>,
}

/// What an item can be.
#[derive(Debug, Clone, PartialEq)]
pub enum ItemKind {
    /// The machine as a product.
    System(System),
    /// Its main board.
    Baseboard(Baseboard),
    /// Its enclosure.
    Chassis(Chassis),
    /// Its BIOS or UEFI.
    Firmware(Firmware),
    /// One processor package.
    Processor(Processor),
    /// Its memory as a whole.
    Memory(Memory),
    /// One memory module.
    MemoryModule(MemoryModule),
    /// One disk.
    Disk(Disk),
    /// One network adapter.
    NetworkAdapter(NetworkAdapter),
    /// One installed operating system.
    OperatingSystem(OperatingSystem),
    /// One installed software package.
    Package(Package),
}

impl Item {
    /// An item that is no software.
    pub fn new(kind: ItemKind) -> Self {
        Self { kind, installation: None }
    }

    /// What tells this item from the others of its section, stable while the item only changes.
    ///
    /// Parts are joined by NUL, which no part contains: conversions refuse control characters.
    /// Modules, processors and disks are keyed by their place, since serials may be missing or repeated.
    pub fn key(&self) -> String {
        match &self.kind {
            ItemKind::System(_) => "system".to_owned(),
            ItemKind::Baseboard(board) => format!("board\0{}", board.handle),
            ItemKind::Chassis(chassis) => format!("chassis\0{}", chassis.handle),
            ItemKind::Firmware(_) => "firmware".to_owned(),
            ItemKind::Processor(processor) => format!("processor\0{}", processor.socket),
            ItemKind::Memory(_) => "memory".to_owned(),
            ItemKind::MemoryModule(module) => format!("module\0{}\0{}", module.handle, module.locator),
            ItemKind::Disk(disk) => format!("disk\0{}", disk.name),
            ItemKind::NetworkAdapter(adapter) => format!("adapter\0{}", adapter.name),
            ItemKind::OperatingSystem(_) => "os".to_owned(),
            ItemKind::Package(package) => {
                let place = self.installation.as_ref().map_or("", |installation| installation.path.as_str());
                format!(
                    "package\0{}\0{}\0{}\0{}\0{}\0{place}",
                    package.purl_type, package.namespace, package.name, package.version, package.architecture
                )
            }
        }
    }
}

impl Inventory {
    /// The items of all sections.
    pub fn items(&self) -> impl Iterator<Item = &Item> {
        self.sections.iter().flat_map(|section| section.items.iter())
    }

    /// A section by its name.
    pub fn section(&self, name: &str) -> Option<&Section> {
        self.sections.iter().find(|section| section.name.as_str() == name)
    }
}
