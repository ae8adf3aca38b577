//! Inventory items between the wire and the domain.

use muster_common::inventory::{
    AdapterKind, Baseboard, Chassis, Disk, ErrorKind, Firmware, InstallState, Installation, Inventory, Item,
    ItemKind, Memory, MemoryModule, NetworkAdapter, Package, Processor, Section, SectionStatus, SourceError,
    System,
};
use prost::Message;

use super::{Invalid, bounded, endpoint_time, handle, optional_text, text, texts, to_timestamp_endpoint};
use crate::{limits, v1};

impl From<&Inventory> for v1::Inventory {
    fn from(inventory: &Inventory) -> Self {
        let Inventory { collected, agent_version, sections } = inventory;
        Self {
            collected_time: collected.map(to_timestamp_endpoint),
            agent_version: agent_version.clone(),
            sections: sections.iter().map(v1::Section::from).collect(),
        }
    }
}

impl From<&Section> for v1::Section {
    fn from(section: &Section) -> Self {
        let Section { name, status, items, errors } = section;
        Self {
            name: name.as_str().to_owned(),
            status: v1::SectionStatus::from(*status).into(),
            items: items.iter().map(item_to_wire).collect(),
            errors: errors.iter().map(v1::SourceError::from).collect(),
        }
    }
}

impl From<SectionStatus> for v1::SectionStatus {
    fn from(status: SectionStatus) -> Self {
        match status {
            SectionStatus::Complete => Self::Complete,
            SectionStatus::Partial => Self::Partial,
            SectionStatus::Failed => Self::Failed,
            SectionStatus::NotAvailable => Self::NotAvailable,
        }
    }
}

/// A section's status; one that this version does not know counts as partial, which never removes anything.
pub fn status_from_wire(status: i32) -> SectionStatus {
    match v1::SectionStatus::try_from(status) {
        Ok(v1::SectionStatus::Complete) => SectionStatus::Complete,
        Ok(v1::SectionStatus::Failed) => SectionStatus::Failed,
        Ok(v1::SectionStatus::NotAvailable) => SectionStatus::NotAvailable,
        Ok(v1::SectionStatus::Partial | v1::SectionStatus::Unspecified) | Err(_) => SectionStatus::Partial,
    }
}

impl From<&SourceError> for v1::SourceError {
    fn from(error: &SourceError) -> Self {
        let SourceError { subject, kind, message } = error;
        let kind = match kind {
            ErrorKind::NotPermitted => v1::ErrorKind::NotPermitted,
            ErrorKind::NotAvailable => v1::ErrorKind::NotAvailable,
            ErrorKind::Absent => v1::ErrorKind::Absent,
            ErrorKind::Malformed => v1::ErrorKind::Malformed,
            ErrorKind::TooLarge => v1::ErrorKind::TooLarge,
            ErrorKind::TimedOut => v1::ErrorKind::TimedOut,
            ErrorKind::Io => v1::ErrorKind::Io,
        };
        Self { subject: subject.clone(), kind: kind.into(), message: message.clone() }
    }
}

/// A section's errors, at most [`limits::SECTION_ERRORS`].
pub fn section_errors_from_wire(errors: Vec<v1::SourceError>) -> Result<Vec<SourceError>, Invalid> {
    bounded("errors", &errors, limits::SECTION_ERRORS)?;
    errors
        .into_iter()
        .map(|v1::SourceError { subject, kind, message }| {
            Ok(SourceError {
                subject: text("errors.subject", subject)?,
                kind: error_kind_from_wire(kind),
                message: text("errors.message", message)?,
            })
        })
        .collect()
}

/// Why something could not be read; a reason that this version does not know counts as a failure to read.
pub fn error_kind_from_wire(kind: i32) -> ErrorKind {
    match v1::ErrorKind::try_from(kind) {
        Ok(v1::ErrorKind::NotPermitted) => ErrorKind::NotPermitted,
        Ok(v1::ErrorKind::NotAvailable) => ErrorKind::NotAvailable,
        Ok(v1::ErrorKind::Absent) => ErrorKind::Absent,
        Ok(v1::ErrorKind::Malformed) => ErrorKind::Malformed,
        Ok(v1::ErrorKind::TooLarge) => ErrorKind::TooLarge,
        Ok(v1::ErrorKind::TimedOut) => ErrorKind::TimedOut,
        Ok(v1::ErrorKind::Io | v1::ErrorKind::Unspecified) | Err(_) => ErrorKind::Io,
    }
}

/// An item as it goes out, with its installation.
pub fn item_to_wire(item: &Item) -> v1::Item {
    let Item { kind, installation } = item;
    v1::Item {
        kind: Some(kind_to_wire(kind)),
        installation: installation.as_ref().map(v1::Installation::from),
    }
}

/// An item from its two encoded parts; `None` when it is of a kind that this version does not know.
pub fn item_from_body(body: &[u8], installation: &[u8]) -> Result<Option<Item>, Invalid> {
    if body.len() > limits::ITEM_BYTES {
        return Err(Invalid::TooLong { field: "body", length: body.len(), limit: limits::ITEM_BYTES });
    }
    let mut wire = v1::Item::decode(body)
        .map_err(|source| Invalid::Undecodable { message: "muster.v1.Item", source })?;
    wire.installation = if installation.is_empty() {
        None
    } else {
        let message = "muster.v1.Installation";
        Some(
            v1::Installation::decode(installation)
                .map_err(|source| Invalid::Undecodable { message, source })?,
        )
    };
    item_from_wire(wire)
}

/// An item as it came in; `None` when it is of a kind that this version does not know.
pub fn item_from_wire(wire: v1::Item) -> Result<Option<Item>, Invalid> {
    let v1::Item { kind, installation } = wire;
    let Some(kind) = kind else { return Ok(None) };
    let kind = match kind {
        v1::item::Kind::System(system) => ItemKind::System(system.try_into()?),
        v1::item::Kind::Baseboard(board) => ItemKind::Baseboard(board.try_into()?),
        v1::item::Kind::Chassis(chassis) => ItemKind::Chassis(chassis.try_into()?),
        v1::item::Kind::Firmware(firmware) => ItemKind::Firmware(firmware.try_into()?),
        v1::item::Kind::Processor(processor) => ItemKind::Processor(processor.try_into()?),
        v1::item::Kind::Memory(memory) => ItemKind::Memory(memory.try_into()?),
        v1::item::Kind::MemoryModule(module) => ItemKind::MemoryModule(module.try_into()?),
        v1::item::Kind::Disk(disk) => ItemKind::Disk(disk.try_into()?),
        v1::item::Kind::NetworkAdapter(adapter) => ItemKind::NetworkAdapter(adapter.try_into()?),
        v1::item::Kind::OperatingSystem(os) => ItemKind::OperatingSystem(Box::new(os.try_into()?)),
        v1::item::Kind::Cache(it) => ItemKind::Cache(it.try_into()?),
        v1::item::Kind::Port(it) => ItemKind::Port(it.try_into()?),
        v1::item::Kind::Slot(it) => ItemKind::Slot(it.try_into()?),
        v1::item::Kind::OnboardDevice(it) => ItemKind::OnboardDevice(it.try_into()?),
        v1::item::Kind::PowerSupply(it) => ItemKind::PowerSupply(it.try_into()?),
        v1::item::Kind::Battery(it) => ItemKind::Battery(it.try_into()?),
        v1::item::Kind::Tpm(it) => ItemKind::Tpm(it.try_into()?),
        v1::item::Kind::PciDevice(it) => ItemKind::PciDevice(it.try_into()?),
        v1::item::Kind::UsbDevice(it) => ItemKind::UsbDevice(it.try_into()?),
        v1::item::Kind::Monitor(it) => ItemKind::Monitor(it.try_into()?),
        v1::item::Kind::CloudInstance(it) => ItemKind::CloudInstance(it.try_into()?),
        v1::item::Kind::Volume(it) => ItemKind::Volume(it.try_into()?),
        v1::item::Kind::Security(it) => ItemKind::Security(it.try_into()?),
        v1::item::Kind::Protection(it) => ItemKind::Protection(it.try_into()?),
        v1::item::Kind::Certificate(it) => ItemKind::Certificate(it.try_into()?),
        v1::item::Kind::Account(it) => ItemKind::Account(it.try_into()?),
        v1::item::Kind::Group(it) => ItemKind::Group(it.try_into()?),
        v1::item::Kind::Login(it) => ItemKind::Login(it.try_into()?),
        v1::item::Kind::Service(it) => ItemKind::Service(it.try_into()?),
        v1::item::Kind::Listener(it) => ItemKind::Listener(it.try_into()?),
        v1::item::Kind::Usage(it) => ItemKind::Usage(it.try_into()?),
        v1::item::Kind::Neighbour(it) => ItemKind::Neighbour(it.try_into()?),
        v1::item::Kind::NetworkNeighbours(it) => ItemKind::NetworkNeighbours(it.try_into()?),
        v1::item::Kind::Package(package) => ItemKind::Package(package.try_into()?),
    };
    let installation = installation.map(Installation::try_from).transpose()?;
    Ok(Some(Item { kind, installation }))
}

fn kind_to_wire(kind: &ItemKind) -> v1::item::Kind {
    match kind {
        ItemKind::System(system) => v1::item::Kind::System(system.into()),
        ItemKind::Baseboard(board) => v1::item::Kind::Baseboard(board.into()),
        ItemKind::Chassis(chassis) => v1::item::Kind::Chassis(chassis.into()),
        ItemKind::Firmware(firmware) => v1::item::Kind::Firmware(firmware.into()),
        ItemKind::Processor(processor) => v1::item::Kind::Processor(processor.into()),
        ItemKind::Memory(memory) => v1::item::Kind::Memory(memory.into()),
        ItemKind::MemoryModule(module) => v1::item::Kind::MemoryModule(module.into()),
        ItemKind::Disk(disk) => v1::item::Kind::Disk(disk.into()),
        ItemKind::NetworkAdapter(adapter) => v1::item::Kind::NetworkAdapter(adapter.into()),
        ItemKind::OperatingSystem(os) => v1::item::Kind::OperatingSystem(os.as_ref().into()),
        ItemKind::Cache(it) => v1::item::Kind::Cache(it.into()),
        ItemKind::Port(it) => v1::item::Kind::Port(it.into()),
        ItemKind::Slot(it) => v1::item::Kind::Slot(it.into()),
        ItemKind::OnboardDevice(it) => v1::item::Kind::OnboardDevice(it.into()),
        ItemKind::PowerSupply(it) => v1::item::Kind::PowerSupply(it.into()),
        ItemKind::Battery(it) => v1::item::Kind::Battery(it.into()),
        ItemKind::Tpm(it) => v1::item::Kind::Tpm(it.into()),
        ItemKind::PciDevice(it) => v1::item::Kind::PciDevice(it.into()),
        ItemKind::UsbDevice(it) => v1::item::Kind::UsbDevice(it.into()),
        ItemKind::Monitor(it) => v1::item::Kind::Monitor(it.into()),
        ItemKind::CloudInstance(it) => v1::item::Kind::CloudInstance(it.into()),
        ItemKind::Volume(it) => v1::item::Kind::Volume(it.into()),
        ItemKind::Security(it) => v1::item::Kind::Security(it.into()),
        ItemKind::Protection(it) => v1::item::Kind::Protection(it.into()),
        ItemKind::Certificate(it) => v1::item::Kind::Certificate(it.into()),
        ItemKind::Account(it) => v1::item::Kind::Account(it.into()),
        ItemKind::Group(it) => v1::item::Kind::Group(it.into()),
        ItemKind::Login(it) => v1::item::Kind::Login(it.into()),
        ItemKind::Service(it) => v1::item::Kind::Service(it.into()),
        ItemKind::Listener(it) => v1::item::Kind::Listener(it.into()),
        ItemKind::Usage(it) => v1::item::Kind::Usage(it.into()),
        ItemKind::Neighbour(it) => v1::item::Kind::Neighbour(it.into()),
        ItemKind::NetworkNeighbours(it) => v1::item::Kind::NetworkNeighbours(it.into()),
        ItemKind::Package(package) => v1::item::Kind::Package(package.into()),
    }
}

convert!(System { opt manufacturer, opt product_name, opt version, opt serial, opt uuid, opt sku, opt family,
    opt hypervisor, opt container, same is_virtual, });
convert!(Baseboard { handle handle, opt manufacturer, opt product, opt version, opt serial, opt asset_tag,
    opt location, });
convert!(Firmware { opt vendor, opt version, opt release_date, opt release, opt smbios_version,
    list oem_strings, });
convert!(Memory { opt error_correction, same usable_bytes, same installed_bytes, same slots, same maximum_bytes,
    same swap_bytes, });
convert!(Processor { text socket, opt manufacturer, opt model, opt serial, opt asset_tag, opt part_number,
    opt microcode, same cores, same threads, same max_mhz, same family, same model_number, same stepping, });
convert!(MemoryModule { handle handle, text locator, opt bank, opt manufacturer, opt part_number, opt serial,
    opt asset_tag, opt kind, opt form_factor, same size_bytes, same speed_mts, });
convert!(Disk { text name, opt model, opt vendor, opt serial, opt wwn, opt firmware, opt transport, same size_bytes,
    same rotational, same removable, same wear_percent, });
convert!(Package { text purl_type, text namespace, text name, text version, text architecture, opt vendor,
    opt source_name, opt source_version, opt display_name, same size_bytes, });

impl From<&Chassis> for v1::Chassis {
    fn from(value: &Chassis) -> Self {
        let Chassis { handle, manufacturer, kind, version, serial, asset_tag, sku } = value;
        Self {
            handle: u32::from(*handle),
            manufacturer: manufacturer.clone(),
            kind: kind.map(u32::from),
            version: version.clone(),
            serial: serial.clone(),
            asset_tag: asset_tag.clone(),
            sku: sku.clone(),
        }
    }
}

impl TryFrom<v1::Chassis> for Chassis {
    type Error = Invalid;

    fn try_from(value: v1::Chassis) -> Result<Self, Invalid> {
        let v1::Chassis { handle: place, manufacturer, kind, version, serial, asset_tag, sku } = value;
        let kind = kind.map(u8::try_from).transpose().map_err(|_| Invalid::Malformed { field: "kind" })?;
        Ok(Self {
            handle: handle(place)?,
            manufacturer: optional_text("manufacturer", manufacturer)?,
            kind,
            version: optional_text("version", version)?,
            serial: optional_text("serial", serial)?,
            asset_tag: optional_text("asset_tag", asset_tag)?,
            sku: optional_text("sku", sku)?,
        })
    }
}

impl From<&NetworkAdapter> for v1::NetworkAdapter {
    fn from(value: &NetworkAdapter) -> Self {
        let NetworkAdapter {
            name,
            permanent_mac,
            mac,
            kind,
            wireless,
            driver,
            speed_mbps,
            addresses,
            networks,
            gateways,
            mtu,
            connected,
            bus_address,
        } = value;
        let kind = match kind {
            AdapterKind::Unknown => v1::AdapterKind::Unspecified,
            AdapterKind::BuiltIn => v1::AdapterKind::BuiltIn,
            AdapterKind::External => v1::AdapterKind::External,
            AdapterKind::Bluetooth => v1::AdapterKind::Bluetooth,
            AdapterKind::Virtual => v1::AdapterKind::Virtual,
        };
        Self {
            name: name.clone(),
            permanent_mac: permanent_mac.map(|mac| mac.to_string()),
            mac: mac.map(|mac| mac.to_string()),
            kind: kind.into(),
            wireless: *wireless,
            driver: driver.clone(),
            speed_mbps: *speed_mbps,
            addresses: addresses.iter().map(ToString::to_string).collect(),
            networks: networks.clone(),
            gateways: gateways.clone(),
            mtu: *mtu,
            connected: *connected,
            bus_address: bus_address.clone(),
        }
    }
}

impl TryFrom<v1::NetworkAdapter> for NetworkAdapter {
    type Error = Invalid;

    fn try_from(value: v1::NetworkAdapter) -> Result<Self, Invalid> {
        let v1::NetworkAdapter {
            name,
            permanent_mac,
            mac,
            kind,
            wireless,
            driver,
            speed_mbps,
            addresses,
            networks,
            gateways,
            mtu,
            connected,
            bus_address,
        } = value;
        bounded("addresses", &addresses, limits::ADAPTER_ADDRESSES)?;
        bounded("networks", &networks, limits::ADAPTER_ADDRESSES)?;
        bounded("gateways", &gateways, limits::ADAPTER_ADDRESSES)?;
        let address = |field, text: Option<String>| {
            text.map(|text| text.parse()).transpose().map_err(|_| Invalid::Malformed { field })
        };
        let kind = match v1::AdapterKind::try_from(kind) {
            Ok(v1::AdapterKind::BuiltIn) => AdapterKind::BuiltIn,
            Ok(v1::AdapterKind::External) => AdapterKind::External,
            Ok(v1::AdapterKind::Bluetooth) => AdapterKind::Bluetooth,
            Ok(v1::AdapterKind::Virtual) => AdapterKind::Virtual,
            Ok(v1::AdapterKind::Unspecified) | Err(_) => AdapterKind::Unknown,
        };
        Ok(Self {
            name: text("name", name)?,
            permanent_mac: address("permanent_mac", permanent_mac)?,
            mac: address("mac", mac)?,
            kind,
            wireless,
            driver: optional_text("driver", driver)?,
            speed_mbps,
            addresses: addresses
                .iter()
                .map(|text| text.parse().map_err(|_| Invalid::Malformed { field: "addresses" }))
                .collect::<Result<_, _>>()?,
            networks: texts("networks", networks)?,
            gateways: texts("gateways", gateways)?,
            mtu,
            connected,
            bus_address: optional_text("bus_address", bus_address)?,
        })
    }
}

impl From<&Installation> for v1::Installation {
    fn from(value: &Installation) -> Self {
        let Installation { state, held, disabled, path, user, installed, channel } = value;
        let state = match state {
            InstallState::Installed => v1::InstallState::Installed,
            InstallState::Incomplete => v1::InstallState::Incomplete,
            InstallState::ConfigFiles => v1::InstallState::ConfigFiles,
            InstallState::RemovalPending => v1::InstallState::RemovalPending,
        };
        Self {
            state: state.into(),
            held: *held,
            disabled: *disabled,
            path: path.clone(),
            user: user.clone(),
            install_time: installed.map(to_timestamp_endpoint),
            channel: channel.clone(),
        }
    }
}

impl TryFrom<v1::Installation> for Installation {
    type Error = Invalid;

    fn try_from(value: v1::Installation) -> Result<Self, Invalid> {
        let v1::Installation { state, held, disabled, path, user, install_time, channel } = value;
        let state = match v1::InstallState::try_from(state) {
            Ok(v1::InstallState::Incomplete) => InstallState::Incomplete,
            Ok(v1::InstallState::ConfigFiles) => InstallState::ConfigFiles,
            Ok(v1::InstallState::RemovalPending) => InstallState::RemovalPending,
            Ok(v1::InstallState::Installed | v1::InstallState::Unspecified) | Err(_) => {
                InstallState::Installed
            }
        };
        Ok(Self {
            state,
            held,
            disabled,
            path: text("path", path)?,
            user: text("user", user)?,
            installed: install_time.as_ref().map(endpoint_time),
            channel: text("channel", channel)?,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn package() -> Item {
        Item {
            kind: ItemKind::Package(Package {
                purl_type: "deb".to_owned(),
                namespace: "debian".to_owned(),
                name: "openssl".to_owned(),
                version: "3.0.17-1~deb12u2".to_owned(),
                architecture: "amd64".to_owned(),
                ..Package::default()
            }),
            installation: Some(Installation {
                held: true,
                channel: "latest/stable".to_owned(),
                ..Installation::default()
            }),
        }
    }

    #[test]
    fn an_item_comes_back_from_its_two_parts() {
        let item = package();
        let mut wire = item_to_wire(&item);
        let installation = wire.installation.take().unwrap().encode_to_vec();
        assert_eq!(item_from_body(&wire.encode_to_vec(), &installation).unwrap(), Some(item));
    }

    #[test]
    fn a_kind_of_a_newer_agent_is_passed_over() {
        // Field 14 is not in this schema: tag (14 << 3 | 2), length 0.
        assert_eq!(item_from_body(&[0x72, 0x00], &[]).unwrap(), None);
    }

    #[test]
    fn hostile_texts_are_refused() {
        for name in ["x".repeat(limits::TEXT_BYTES + 1), "a\0b".to_owned()] {
            let mut wire = item_to_wire(&package());
            if let Some(v1::item::Kind::Package(package)) = &mut wire.kind {
                package.name = name.clone();
            }
            assert!(item_from_wire(wire).is_err());
            let mut wire = item_to_wire(&package());
            if let Some(installation) = &mut wire.installation {
                installation.channel = name;
            }
            assert!(item_from_wire(wire).is_err());
        }
    }
}
