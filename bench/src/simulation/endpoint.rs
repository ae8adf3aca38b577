//! One physical or virtual machine as it truly is, with the agent that lives on its disk.

use std::collections::BTreeMap;

use muster_collector::testing::Machine;
use muster_common::{
    device::{Field, Value},
    id::AgentId,
};
use rand::Rng;

/// What sort of machine it is: which of its numbers are good for anything.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Sort {
    /// Laptop with good numbers.
    Laptop,
    /// Laptop whose memory is part of the board.
    SolderedLaptop,
    /// Blade or twin node; its enclosure's number is shared.
    Node,
    /// Box of parts with no serial number.
    WhiteBox,
    /// Box of parts with a serial number that its whole batch has.
    JunkSerial,
    /// Box of parts with a UUID that its whole batch has.
    SharedUuid,
    /// Physical machine without SMBIOS.
    NoSmbios,
    /// Virtual machine.
    Virtual,
    /// Virtual machine that shares its UUID with others of one template.
    Stamped,
}

/// A machine as it truly is.
#[derive(Debug, Clone)]
pub(super) struct Endpoint {
    pub(super) sort: Sort,
    pub(super) machine: Machine,
    /// As it left the factory: what its label and its invoice say for ever.
    factory: Machine,
    pub(super) agent: AgentId,
    /// A second system on the same machine, with an agent of its own.
    pub(super) second: Option<(AgentId, String)>,
    pub(super) stream: Option<u64>,
    /// The second system is the one that was started.
    pub(super) in_second: bool,
    /// It exists and can be switched on.
    pub(super) alive: bool,
    /// It has been switched on at least once.
    pub(super) appeared: bool,
    /// It stays connected until something happens to it.
    pub(super) always_on: bool,
    /// The row of the invoice, and what is written in it; none before it is bought.
    pub(super) row: Option<(String, BTreeMap<Field, Value>)>,
    /// What happened to it last.
    pub(super) last: &'static str,
}

impl Endpoint {
    pub(super) fn new(sort: Sort, machine: Machine, agent: AgentId) -> Self {
        let always_on = matches!(sort, Sort::Node | Sort::Virtual | Sort::Stamped);
        Self {
            sort,
            factory: machine.clone(),
            machine,
            agent,
            second: None,
            stream: None,
            in_second: false,
            alive: true,
            appeared: false,
            always_on,
            row: None,
            last: "first boot",
        }
    }

    /// Whether its maker gave it a serial number of its own.
    pub(super) fn has_serial(&self) -> bool {
        matches!(self.sort, Sort::Laptop | Sort::SolderedLaptop | Sort::Node)
    }

    pub(super) fn is_virtual(&self) -> bool {
        matches!(self.sort, Sort::Virtual | Sort::Stamped)
    }

    /// What a buyer writes into the list: the serial number in some spelling, or the address on the label.
    pub(super) fn invoice(&self, random: &mut impl Rng) -> BTreeMap<Field, Value> {
        let text = |text: &str| Value::Text(text.to_owned());
        let mut fields = BTreeMap::from([(Field::Supplier, text("ACME Systems"))]);
        if !self.has_serial() {
            let mac = self.factory.built_in.first().map(ToString::to_string).unwrap_or_default();
            fields.insert(Field::Mac, Value::Text(mac));
            return fields;
        }
        let serial = self.factory.serial.clone().unwrap_or_default();
        let maker = self.factory.maker.as_deref().unwrap_or_default();
        let typed = match random.random_range(0..5) {
            0 => serial.to_lowercase(),
            1 => format!("\u{a0}{serial}\u{200b} "),
            2 if maker == "LENOVO" => format!("1S20L8S07A14{serial}"),
            _ => serial,
        };
        let spelled = match (maker, random.random_range(0..3)) {
            (_, 0) => None,
            ("LENOVO", _) => Some("Lenovo"),
            ("HP" | "HPE", _) => Some("Hewlett-Packard"),
            (_, _) => Some(maker),
        };
        fields.insert(Field::Serial, Value::Text(typed));
        fields.extend(spelled.map(|maker| (Field::Manufacturer, text(maker))));
        fields.insert(Field::Model, text("as in the catalogue"));
        fields
    }
}
