//! What an endpoint is and has, in named sections of items.
//!
//! A section is the unit of digest, delta and provenance; an item is one thing in it. To add a section: a struct
//! and an [`Item`] variant here with its key, a message in `proto/schema/muster/v1/inventory.proto`, an arm in
//! `proto/src/convert/inventory.rs`, and a source in the agent. CONTRIBUTING.md has the whole recipe.

mod account;
mod board;
mod cloud;
mod component;
mod hardware;
mod neighbour;
mod network;
mod os;
mod peripheral;
mod posture;
mod section;
mod service;
mod software;
mod usage;

pub use account::{Account, Group, Login};
pub use board::{Battery, Cache, OnboardDevice, Port, PowerSupply, Slot, Tpm};
pub use cloud::CloudInstance;
pub use component::{Disk, MemoryModule, Processor};
pub use hardware::{Baseboard, Chassis, Firmware, Memory, System};
pub use neighbour::{Neighbour, NetworkNeighbours};
pub use network::{AdapterKind, MacAddress, NetworkAdapter};
pub use os::OperatingSystem;
pub use peripheral::{Monitor, PciDevice, UsbDevice};
pub use posture::{Certificate, Protection, Security, Volume};
pub use section::{ErrorKind, Section, SectionName, SectionStatus, SourceError};
pub use service::{Listener, Service};
pub use software::{InstallState, Installation, Package};
pub use usage::Usage;

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
    /// One installed operating system; boxed, so that a thousand packages don't take its room each.
    OperatingSystem(Box<OperatingSystem>),
    /// SMBIOS type 7.
    Cache(Cache),
    /// SMBIOS type 8.
    Port(Port),
    /// SMBIOS type 9.
    Slot(Slot),
    /// SMBIOS type 41.
    OnboardDevice(OnboardDevice),
    /// SMBIOS type 39.
    PowerSupply(PowerSupply),
    /// A portable battery: SMBIOS type 22, and `/sys/class/power_supply`.
    Battery(Battery),
    /// A trusted platform module: SMBIOS type 43, and `/sys/class/tpm`.
    Tpm(Tpm),
    /// One function on the PCI bus.
    PciDevice(PciDevice),
    /// One device on the USB bus.
    UsbDevice(UsbDevice),
    /// One monitor: VESA E-EDID.
    Monitor(Monitor),
    /// A cloud instance, by its metadata service.
    CloudInstance(CloudInstance),
    /// One file system or swap space that keeps data, or a partition that is not in use.
    Volume(Volume),
    /// Settings of the machine as a whole.
    Security(Security),
    /// One endpoint protection program.
    Protection(Protection),
    /// One certificate that is installed on the machine.
    Certificate(Certificate),
    /// One local account.
    Account(Account),
    /// One local group.
    Group(Group),
    /// When somebody last logged in. Told only where charter and machine allow it.
    Login(Login),
    /// One unit that the service manager starts.
    Service(Service),
    /// One listening socket.
    Listener(Listener),
    /// Use of one application: never arguments, titles, files or who.
    Usage(Usage),
    /// One machine that was heard of.
    Neighbour(Neighbour),
    /// What a network holds beside those that are listed.
    NetworkNeighbours(NetworkNeighbours),
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
            ItemKind::Cache(it) => format!("cache\0{}", it.handle),
            ItemKind::Port(it) => format!("port\0{}", it.handle),
            ItemKind::Slot(it) => format!("slot\0{}", it.handle),
            ItemKind::OnboardDevice(it) => format!("onboard\0{}", it.handle),
            ItemKind::PowerSupply(it) => format!("supply\0{}", it.handle),
            ItemKind::Battery(it) => format!("battery\0{}", it.name),
            ItemKind::Tpm(it) => format!("tpm\0{}", it.name),
            ItemKind::PciDevice(it) => format!("pci\0{}", it.address),
            ItemKind::UsbDevice(it) => format!("usb\0{}", it.place),
            ItemKind::Monitor(it) => format!("monitor\0{}", it.connector),
            ItemKind::CloudInstance(_) => "cloud".to_owned(),
            ItemKind::Volume(it) => format!("volume\0{}\0{}", it.device, it.mount_point),
            ItemKind::Security(_) => "security".to_owned(),
            ItemKind::Protection(it) => format!("protection\0{}", it.name),
            ItemKind::Certificate(it) => format!("certificate\0{}", it.fingerprint),
            ItemKind::Account(it) => format!("account\0{}", it.name),
            ItemKind::Group(it) => format!("group\0{}", it.name),
            ItemKind::Login(it) => format!("login\0{}", it.user),
            ItemKind::Service(it) => format!("service\0{}", it.name),
            ItemKind::Listener(it) => format!("listener\0{}\0{}\0{}", it.protocol, it.address, it.port),
            ItemKind::Usage(it) => format!("usage\0{}\0{}", it.purl_type, it.name),
            ItemKind::Neighbour(it) => format!("neighbour\0{}", it.mac),
            ItemKind::NetworkNeighbours(it) => format!("neighbours\0{}", it.network),
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
