//! What one source says about which machine it speaks of: normalised identifiers and witnesses, placeholders gone.
//!
//! Built from an agent's items or from a row of an import; knows nothing of what is already known.

use std::collections::{BTreeMap, BTreeSet};

use muster_common::{
    asset::Category,
    device::{Field, Value},
    id::AgentId,
    inventory::{
        AdapterKind, Battery, CloudInstance, Item, ItemKind, MacAddress, Monitor, NetworkAdapter, System,
    },
    source::ImportName,
};

use super::{
    identifier::{Identifier, IdentifierKind},
    maker,
    normalise::{self, RoundedNumber},
};

/// How many addresses, modules or disks of one machine are looked at.
const MAX_EACH: usize = 64;

/// Names of system containers, as hypervisor or as runtime, which show the host's SMBIOS as if it were theirs.
const SYSTEM_CONTAINERS: &[&str] = &["lxc", "lxc-libvirt", "systemd-nspawn", "openvz", "incus"];

/// Form factors, by DSP0134 table 76, of memory that is part of the board.
const SOLDERED: &[&str] = &["row of chips", "chip", "die"];

/// Who speaks.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub enum Origin {
    /// An agent on the machine itself.
    #[default]
    Agent,
    /// A row of an import.
    Import(ImportName),
    /// Somebody who names the device, and so says nothing about which one it is.
    Named,
}

/// What one source says about which machine it speaks of.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Evidence {
    /// Who speaks.
    pub origin: Origin,
    /// The agent's identity, from its certificate.
    pub agent: Option<AgentId>,
    /// System UUID, its two byte orders made one.
    pub uuid: Option<String>,
    /// System serial number.
    pub serial: Option<String>,
    /// The maker's family.
    pub maker: Option<String>,
    /// The model; breaks ties and is a weak witness.
    pub model: Option<String>,
    /// Serial number of the first main board.
    pub board_serial: Option<String>,
    /// Serial number of the first enclosure: a witness, never decisive.
    pub chassis_serial: Option<String>,
    /// Cloud instance as `provider/account/instance`.
    pub instance: Option<String>,
    /// Burnt-in addresses of built-in adapters.
    pub macs: BTreeSet<MacAddress>,
    /// Every other address that it showed: for telling which device a sighting belongs to.
    pub other_macs: BTreeSet<MacAddress>,
    /// The operating system's machine id.
    pub machine_id: Option<String>,
    /// Asset tag within its scheme: `scheme/tag`.
    pub asset_tag: Option<String>,
    /// Of an asset that is no device: what tells it from others, each `category/…`. No device has one, and what has one
    /// has nothing else here, so that a monitor never becomes part of a laptop.
    pub asset_keys: BTreeSet<String>,
    /// Serial numbers of memory modules that can be taken out: witnesses.
    pub memory_serials: BTreeSet<String>,
    /// Serial numbers of built-in disks: witnesses.
    pub disk_serials: BTreeSet<String>,
    /// Portable batteries, as maker, model and serial number: witnesses.
    pub batteries: BTreeSet<String>,
    /// Built-in panels, as maker, product and serial number: witnesses.
    pub panels: BTreeSet<String>,
    /// Serial numbers of power supplies: witnesses.
    pub supply_serials: BTreeSet<String>,
    /// Whether it runs as a virtual machine.
    pub is_virtual: bool,
}

/// What a row of an import says about which machine it means, as it is written there.
#[derive(Debug, Clone, Default)]
pub struct ImportedIdentity {
    /// Serial number.
    pub serial: Option<String>,
    /// Asset tag.
    pub asset_tag: Option<String>,
    /// Who gave the asset tag: usually the company.
    pub asset_tag_scheme: Option<String>,
    /// Maker.
    pub maker: Option<String>,
    /// Model.
    pub model: Option<String>,
    /// MAC addresses.
    pub macs: Vec<MacAddress>,
    /// Machine id.
    pub machine_id: Option<String>,
    /// System UUID.
    pub uuid: Option<String>,
    /// Cloud instance as `provider/account/instance`.
    pub instance: Option<String>,
}

impl Evidence {
    /// Reads what an agent reports; `agent` is the identity in its certificate.
    pub fn from_items<'a>(items: impl IntoIterator<Item = &'a Item>, agent: Option<AgentId>) -> Self {
        let mut evidence = Self { agent, ..Self::default() };
        let mut boards = BTreeMap::new();
        let mut enclosures = BTreeMap::new();
        let mut is_system_container = false;
        for item in items {
            match &item.kind {
                ItemKind::System(system) => {
                    is_system_container = [&system.hypervisor, &system.container]
                        .into_iter()
                        .flatten()
                        .any(|name| SYSTEM_CONTAINERS.contains(&name.as_str()));
                    evidence.take_system(system);
                }
                ItemKind::Baseboard(board) => {
                    let serial = board.serial.as_deref().and_then(normalise::serial);
                    boards.extend(serial.map(|serial| (board.handle, serial)));
                }
                ItemKind::Chassis(chassis) => {
                    let serial = chassis.serial.as_deref().and_then(normalise::serial);
                    enclosures.extend(serial.map(|serial| (chassis.handle, serial)));
                }
                ItemKind::MemoryModule(module) => {
                    // What is soldered goes with the board, and so is no witness beside it.
                    let form = module.form_factor.as_deref().unwrap_or_default().to_lowercase();
                    let is_soldered = SOLDERED.contains(&form.as_str());
                    let serial = module.serial.as_deref().and_then(normalise::serial);
                    evidence.memory_serials.extend(serial.filter(|_| !is_soldered));
                }
                ItemKind::Disk(disk) => {
                    let is_built_in =
                        disk.removable != Some(true) && disk.transport.as_deref() != Some("usb");
                    let serial = disk.serial.as_deref().and_then(normalise::serial);
                    evidence.disk_serials.extend(serial.filter(|_| is_built_in));
                }
                ItemKind::Battery(battery) => evidence.batteries.extend(battery_number(battery)),
                ItemKind::Monitor(monitor) => evidence.panels.extend(panel_number(monitor)),
                ItemKind::PowerSupply(supply) => {
                    evidence.supply_serials.extend(supply.serial.as_deref().and_then(normalise::serial));
                }
                ItemKind::NetworkAdapter(adapter) => evidence.take_adapter(adapter),
                ItemKind::OperatingSystem(os) => {
                    evidence.machine_id = os.machine_id.as_deref().and_then(normalise::machine_id);
                }
                ItemKind::CloudInstance(instance) => evidence.instance = instance_name(instance),
                ItemKind::Firmware(_)
                | ItemKind::Processor(_)
                | ItemKind::Memory(_)
                | ItemKind::Account(_)
                | ItemKind::Cache(_)
                | ItemKind::Certificate(_)
                | ItemKind::Group(_)
                | ItemKind::Listener(_)
                | ItemKind::Login(_)
                | ItemKind::Neighbour(_)
                | ItemKind::NetworkNeighbours(_)
                | ItemKind::OnboardDevice(_)
                | ItemKind::PciDevice(_)
                | ItemKind::Port(_)
                | ItemKind::Protection(_)
                | ItemKind::Security(_)
                | ItemKind::Service(_)
                | ItemKind::Slot(_)
                | ItemKind::Tpm(_)
                | ItemKind::Usage(_)
                | ItemKind::UsbDevice(_)
                | ItemKind::Volume(_)
                | ItemKind::Package(_) => {}
            }
        }
        evidence.board_serial = boards.into_values().next();
        evidence.chassis_serial = enclosures.into_values().next();
        if is_system_container {
            evidence.forget_hardware();
        }
        for set in [
            &mut evidence.memory_serials,
            &mut evidence.disk_serials,
            &mut evidence.batteries,
            &mut evidence.panels,
            &mut evidence.supply_serials,
        ] {
            shorten(set);
        }
        shorten(&mut evidence.macs);
        shorten(&mut evidence.other_macs);
        evidence
    }

    /// Reads a row of an import; refuses a serial number or tag that a spreadsheet has rounded.
    pub fn from_row(name: ImportName, row: &ImportedIdentity) -> Result<Self, RoundedNumber> {
        let maker = row.maker.as_deref().and_then(maker::family);
        let serial = match &row.serial {
            Some(text) => normalise::imported_serial(text, maker.as_deref())?,
            None => None,
        };
        let tag = match &row.asset_tag {
            Some(text) => normalise::imported_serial(text, Some(""))?,
            None => None,
        };
        let scheme =
            row.asset_tag_scheme.as_deref().map(normalise::visible).unwrap_or_default().to_lowercase();
        Ok(Self {
            origin: Origin::Import(name),
            serial,
            maker,
            model: row.model.as_deref().and_then(normalise::model),
            uuid: row.uuid.as_deref().and_then(normalise::uuid),
            machine_id: row.machine_id.as_deref().and_then(normalise::machine_id),
            macs: row.macs.iter().copied().filter_map(normalise::mac).take(MAX_EACH).collect(),
            asset_tag: tag.map(|tag| normalise::bounded(format!("{scheme}/{tag}"))),
            instance: row.instance.as_deref().map(|name| normalise::bounded(name.to_lowercase())),
            ..Self::default()
        })
    }

    /// The same from the fields that were kept of a row; what can't be read is left out.
    pub fn from_fields(name: ImportName, fields: &BTreeMap<Field, Value>) -> Self {
        let text = |field| text_of(fields, field);
        if let Some(asset_keys) = asset_keys(fields) {
            return Self { origin: Origin::Import(name), asset_keys, ..Self::default() };
        }
        let macs = match fields.get(&Field::Mac) {
            Some(Value::Text(mac)) => mac.parse().into_iter().collect(),
            Some(Value::List(macs)) => macs.iter().filter_map(|mac| mac.parse().ok()).collect(),
            Some(_) | None => Vec::new(),
        };
        let tag = text(Field::AssetTag);
        let (scheme, tag) = match tag.as_deref().and_then(|tag| tag.split_once('/')) {
            Some((scheme, tag)) => (Some(scheme.to_owned()), Some(tag.to_owned())),
            None => (None, tag),
        };
        let row = ImportedIdentity {
            serial: text(Field::Serial),
            asset_tag: tag,
            asset_tag_scheme: scheme,
            maker: text(Field::Manufacturer),
            model: text(Field::Model),
            macs,
            machine_id: text(Field::MachineId),
            uuid: text(Field::Uuid),
            instance: text(Field::Instance),
        };
        let without_numbers = ImportedIdentity { serial: None, asset_tag: None, ..row.clone() };
        Self::from_row(name.clone(), &row)
            .or_else(|_| Self::from_row(name, &without_numbers))
            .expect("without numbers there is none that was rounded")
    }

    /// The same of what an agent found on its machine and that is an asset of its own.
    pub fn from_found(fields: &BTreeMap<Field, Value>) -> Self {
        Self { asset_keys: asset_keys(fields).unwrap_or_default(), ..Self::default() }
    }

    /// The identifiers, sorted, by which candidates are found.
    pub fn identifiers(&self) -> Vec<Identifier> {
        use IdentifierKind as Kind;
        let texts = [
            (Kind::Uuid, &self.uuid),
            (Kind::Serial, &self.serial),
            (Kind::Instance, &self.instance),
            (Kind::BoardSerial, &self.board_serial),
            (Kind::MachineId, &self.machine_id),
            (Kind::AssetTag, &self.asset_tag),
        ];
        let mut identifiers: Vec<Identifier> = texts
            .into_iter()
            .filter_map(|(kind, value)| Some(Identifier { kind, value: value.clone()? }))
            .chain(self.agent.map(|agent| Identifier { kind: Kind::Agent, value: agent.to_string() }))
            .chain(self.macs.iter().map(|mac| Identifier { kind: Kind::Mac, value: mac.to_string() }))
            .chain(self.asset_keys.iter().map(|key| Identifier { kind: Kind::AssetKey, value: key.clone() }))
            .collect();
        identifiers.sort();
        identifiers
    }

    /// 16 hexadecimal digits over the identifiers of ranks 1 to 4, or `none`: it stays while the hardware does.
    pub fn fingerprint(&self) -> String {
        let parts = [&self.uuid, &self.serial, &self.board_serial, &self.instance];
        if parts.iter().all(|part| part.is_none()) {
            return "none".to_owned();
        }
        let mut hasher = blake3::Hasher::new();
        for part in parts {
            hasher.update(part.as_deref().unwrap_or_default().as_bytes());
            hasher.update(&[0]);
        }
        hasher.finalize().to_hex().as_str()[..16].to_owned()
    }

    /// The same without the identifiers that `keep` refuses.
    pub(super) fn only(&self, keep: impl Fn(&Identifier) -> bool) -> Self {
        use IdentifierKind as Kind;
        let text = |kind, value: &Option<String>| {
            value.clone().filter(|value| keep(&Identifier { kind, value: value.clone() }))
        };
        Self {
            uuid: text(Kind::Uuid, &self.uuid),
            serial: text(Kind::Serial, &self.serial),
            instance: text(Kind::Instance, &self.instance),
            board_serial: text(Kind::BoardSerial, &self.board_serial),
            machine_id: text(Kind::MachineId, &self.machine_id),
            asset_tag: text(Kind::AssetTag, &self.asset_tag),
            macs: self
                .macs
                .iter()
                .filter(|mac| keep(&Identifier { kind: Kind::Mac, value: mac.to_string() }))
                .copied()
                .collect(),
            asset_keys: self
                .asset_keys
                .iter()
                .filter(|key| keep(&Identifier { kind: Kind::AssetKey, value: (*key).clone() }))
                .cloned()
                .collect(),
            ..self.clone()
        }
    }

    /// Of somebody who names the device: nothing.
    pub fn named() -> Self {
        Self { origin: Origin::Named, ..Self::default() }
    }

    /// Whether an agent speaks.
    pub fn is_from_agent(&self) -> bool {
        self.origin == Origin::Agent
    }

    fn take_system(&mut self, system: &System) {
        self.uuid = system.uuid.as_deref().and_then(normalise::uuid);
        self.serial = system.serial.as_deref().and_then(normalise::serial);
        self.maker = system.manufacturer.as_deref().and_then(maker::family);
        self.model = system.product_name.as_deref().and_then(normalise::model);
        self.is_virtual = system.is_virtual == Some(true);
    }

    fn take_adapter(&mut self, adapter: &NetworkAdapter) {
        let burnt_in = adapter.permanent_mac.filter(|_| adapter.kind == AdapterKind::BuiltIn);
        match burnt_in.and_then(normalise::mac) {
            Some(mac) => drop(self.macs.insert(mac)),
            None => self.other_macs.extend(adapter.permanent_mac),
        }
        self.other_macs.extend(adapter.mac.filter(|mac| !self.macs.contains(mac)));
    }

    /// In a system container the host's hardware shows through, and would make it the host.
    fn forget_hardware(&mut self) {
        self.uuid = None;
        self.serial = None;
        self.board_serial = None;
        self.chassis_serial = None;
        self.memory_serials.clear();
        self.disk_serials.clear();
        self.batteries.clear();
        self.panels.clear();
        self.supply_serials.clear();
        self.other_macs.append(&mut self.macs);
        self.is_virtual = true;
    }
}

/// An instance id is unique within its account only.
fn text_of(fields: &BTreeMap<Field, Value>, field: Field) -> Option<String> {
    match fields.get(&field) {
        Some(Value::Text(text)) => Some(text.clone()),
        Some(Value::List(items)) => items.first().cloned(),
        Some(_) | None => None,
    }
}

/// What tells an asset that is no device from others of its category; none for a device.
fn asset_keys(fields: &BTreeMap<Field, Value>) -> Option<BTreeSet<String>> {
    let text = |field| text_of(fields, field);
    let category = text(Field::Category).filter(|name| name != Category::Device.name())?;
    let maker = text(Field::Manufacturer).and_then(|maker| maker::family(&maker));
    let serial = text(Field::Serial)
        .and_then(|serial| normalise::imported_serial(&serial, maker.as_deref()).ok().flatten());
    let serial = serial.map(|serial| format!("serial/{}/{serial}", maker.as_deref().unwrap_or_default()));
    let tag = text(Field::AssetTag).map(|tag| format!("tag/{}", normalise::visible(&tag).to_lowercase()));
    let own = text(Field::AssetKey).map(|key| format!("key/{}", normalise::visible(&key).to_lowercase()));
    let keys = [serial, tag, own].into_iter().flatten();
    Some(keys.map(|key| normalise::bounded(format!("{category}/{key}"))).collect())
}

fn instance_name(instance: &CloudInstance) -> Option<String> {
    let (account, id) = (instance.account.as_deref()?, instance.instance_id.as_deref()?);
    let name = format!("{}/{account}/{id}", instance.provider).to_lowercase();
    (!account.is_empty() && !id.is_empty() && name.len() <= 100).then_some(name)
}

/// A battery's number is unique with its maker and model only: many makers count to 65,535.
fn battery_number(battery: &Battery) -> Option<String> {
    let serial = normalise::serial(battery.serial.as_deref()?)?;
    let word =
        |text: &Option<String>| text.as_deref().map(normalise::visible).unwrap_or_default().to_lowercase();
    Some(normalise::bounded(format!("{}/{}/{serial}", word(&battery.manufacturer), word(&battery.model))))
}

/// A built-in panel's number, with its maker and product; a monitor beside the machine says nothing of the machine.
fn panel_number(monitor: &Monitor) -> Option<String> {
    if monitor.built_in != Some(true) {
        return None;
    }
    let serial = match &monitor.serial {
        Some(serial) => normalise::serial(serial)?,
        None => monitor.serial_number?.to_string(),
    };
    let maker = monitor.manufacturer_id.as_deref().unwrap_or_default();
    Some(normalise::bounded(format!("{maker}/{:04x}/{serial}", monitor.product_code.unwrap_or_default())))
}

fn shorten<T: Ord>(set: &mut BTreeSet<T>) {
    while set.len() > MAX_EACH {
        set.pop_last();
    }
}

#[cfg(test)]
mod tests {
    use muster_common::inventory::{Baseboard, OperatingSystem, PowerSupply};

    use super::*;

    fn system(serial: &str, uuid: &str) -> Item {
        Item::new(ItemKind::System(System {
            manufacturer: Some("Dell Inc.".into()),
            serial: Some(serial.into()),
            uuid: Some(uuid.into()),
            ..System::default()
        }))
    }

    fn adapter(kind: AdapterKind, mac: &str) -> Item {
        let mac: MacAddress = mac.parse().unwrap();
        Item::new(ItemKind::NetworkAdapter(NetworkAdapter {
            name: mac.to_string(),
            permanent_mac: Some(mac),
            mac: Some(mac),
            kind,
            ..NetworkAdapter::default()
        }))
    }

    #[test]
    fn only_burnt_in_addresses_of_built_in_adapters_identify() {
        let items = [
            adapter(AdapterKind::BuiltIn, "8c:16:45:00:00:01"),
            adapter(AdapterKind::BuiltIn, "52:54:00:00:00:01"),
            adapter(AdapterKind::External, "8c:16:45:00:00:02"),
            adapter(AdapterKind::Bluetooth, "8c:16:45:00:00:03"),
            adapter(AdapterKind::Virtual, "8c:16:45:00:00:04"),
            adapter(AdapterKind::Unknown, "8c:16:45:00:00:05"),
        ];
        let evidence = Evidence::from_items(&items, None);
        assert_eq!(evidence.identifiers().len(), 1);
        assert_eq!(evidence.other_macs.len(), 5);
    }

    #[test]
    fn a_machine_without_smbios_has_no_fingerprint_and_no_serial() {
        let os = OperatingSystem {
            machine_id: Some("0123456789abcdef0123456789abcdef".into()),
            ..Default::default()
        };
        let evidence = Evidence::from_items(&[Item::new(ItemKind::OperatingSystem(Box::new(os)))], None);
        assert_eq!(evidence.fingerprint(), "none");
        assert_eq!(evidence.identifiers().len(), 1);
    }

    #[test]
    fn the_fingerprint_follows_the_hardware_and_not_the_byte_order() {
        let one = Evidence::from_items(&[system("7Q8TXD2", "4c4c4544-0051-3810-8054-b7c04f584432")], None);
        let flipped =
            Evidence::from_items(&[system("7q8txd2", "44454c4c-5100-1038-8054-b7c04f584432")], None);
        let other = Evidence::from_items(&[system("7Q8TXD3", "4c4c4544-0051-3810-8054-b7c04f584432")], None);
        assert_eq!(one.fingerprint(), flipped.fingerprint());
        assert_ne!(one.fingerprint(), other.fingerprint());
        assert_eq!(one.fingerprint().len(), 16);
    }

    #[test]
    fn a_system_container_does_not_take_its_hosts_identity() {
        let mut host = system("7Q8TXD2", "4c4c4544-0051-3810-8054-b7c04f584432");
        if let ItemKind::System(system) = &mut host.kind {
            system.container = Some("lxc".into());
        }
        let board = Baseboard { serial: Some("CN7016366C00AB".into()), ..Baseboard::default() };
        let evidence = Evidence::from_items(&[host, Item::new(ItemKind::Baseboard(board))], None);
        assert!(evidence.identifiers().is_empty());
    }

    #[test]
    fn parts_are_witnesses_with_their_makers() {
        let battery = |serial: &str| {
            Item::new(ItemKind::Battery(Battery {
                manufacturer: Some("LGC".into()),
                model: Some("01AV478".into()),
                serial: Some(serial.into()),
                ..Battery::default()
            }))
        };
        let panel = |built_in| {
            Item::new(ItemKind::Monitor(Monitor {
                manufacturer_id: Some("AUO".into()),
                product_code: Some(0x403d),
                serial_number: Some(77),
                built_in: Some(built_in),
                ..Monitor::default()
            }))
        };
        let supply = Item::new(ItemKind::PowerSupply(PowerSupply {
            serial: Some("To Be Filled By O.E.M.".into()),
            ..PowerSupply::default()
        }));
        let items = [battery("070b"), battery("0"), panel(true), panel(false), supply];
        let mut evidence = Evidence::from_items(&items, None);
        assert_eq!(evidence.batteries.iter().collect::<Vec<_>>(), ["lgc/01av478/070B"]);
        assert_eq!(evidence.panels.iter().collect::<Vec<_>>(), ["AUO/403d/77"]);
        assert!(evidence.supply_serials.is_empty() && evidence.identifiers().is_empty());
        evidence.forget_hardware();
        assert!(evidence.batteries.is_empty() && evidence.panels.is_empty());
    }

    #[test]
    fn a_cloud_instance_is_named_with_its_account() {
        let instance = |account: Option<&str>| {
            let instance = CloudInstance {
                provider: "aws".to_owned(),
                instance_id: Some("i-0ABC".to_owned()),
                account: account.map(str::to_owned),
                ..CloudInstance::default()
            };
            Evidence::from_items(&[Item::new(ItemKind::CloudInstance(instance))], None).instance
        };
        assert_eq!(instance(Some("123456789012")).as_deref(), Some("aws/123456789012/i-0abc"));
        assert_eq!(instance(None), None);
        assert_eq!(instance(Some("")), None);
    }

    #[test]
    fn a_row_reads_the_same_from_its_fields() {
        let name = ImportName::new("purchase").unwrap();
        let row = ImportedIdentity {
            serial: Some(" 7q8txd2 ".into()),
            asset_tag: Some("001234".into()),
            asset_tag_scheme: Some("Acme".into()),
            maker: Some("Dell".into()),
            ..ImportedIdentity::default()
        };
        let fields = BTreeMap::from([
            (Field::Serial, Value::Text("7Q8TXD2".into())),
            (Field::AssetTag, Value::Text("Acme/001234".into())),
            (Field::Manufacturer, Value::Text("Dell".into())),
        ]);
        let evidence = Evidence::from_row(name.clone(), &row).unwrap();
        assert_eq!(evidence, Evidence::from_fields(name, &fields));
        assert_eq!(evidence.asset_tag.as_deref(), Some("acme/001234"));
    }
}
