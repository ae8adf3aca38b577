//! Canonical JSON straight from a message's bytes, for messages of thousands of parts.
//!
//! Knows the kinds of fields that inventories have and gives up at any other; a test holds it to the general way, and
//! another the schema to these kinds. Building a dynamic message first costs more than collecting what is in it.

use prost::encoding::{WireType, decode_key, decode_varint};

use crate::schema::{AGENT, Field, Kind, Message};

/// One level of indentation.
const INDENT: &str = "  ";

/// The message of this full name as indented JSON; `None` when it has a field that this way does not know.
///
/// `bytes` are the message as prost encodes it: fields in one piece each, in no particular order.
pub(super) fn pretty(full_name: &str, bytes: &[u8]) -> Option<String> {
    let descriptor = AGENT.message(full_name)?;
    let mut writer = Writer { out: Vec::with_capacity(bytes.len().saturating_mul(4)), depth: 0 };
    writer.message(descriptor, bytes)?;
    String::from_utf8(writer.out).ok()
}

struct Writer {
    out: Vec<u8>,
    depth: usize,
}

impl Writer {
    fn message(&mut self, descriptor: &Message, mut bytes: &[u8]) -> Option<()> {
        if bytes.is_empty() {
            self.text("{}");
            return Some(());
        }
        self.open('{');
        // The field of the part before, and whether it began a list.
        let mut before: Option<(u32, bool)> = None;
        while !bytes.is_empty() {
            let (number, wire_type) = decode_key(&mut bytes).ok()?;
            let field = descriptor.fields.iter().find(|field| field.number == number)?;
            match before {
                Some((same, true)) if same == number => self.next(),
                _ => {
                    if let Some((_, list)) = before {
                        if list {
                            self.close(']');
                        }
                        self.next();
                    }
                    self.name(&field.json_name);
                    if field.is_list {
                        self.open('[');
                    }
                    before = Some((number, field.is_list));
                }
            }
            self.field(field, wire_type, &mut bytes)?;
        }
        if let Some((_, true)) = before {
            self.close(']');
        }
        self.close('}');
        Some(())
    }

    fn field(&mut self, field: &Field, wire_type: WireType, bytes: &mut &[u8]) -> Option<()> {
        match (field.kind, wire_type) {
            (Kind::Text, WireType::LengthDelimited) => {
                let text = std::str::from_utf8(piece(bytes)?).ok()?;
                serde_json::to_writer(&mut self.out, text).ok()
            }
            (Kind::Message(_), WireType::LengthDelimited) => {
                let (inner, bytes) = (AGENT.held_by(field)?, piece(bytes)?);
                match inner.full_name.as_str() {
                    "google.protobuf.Timestamp" => {
                        let time: prost_types::Timestamp = prost::Message::decode(bytes).ok()?;
                        self.text(&format!("\"{time}\""));
                        Some(())
                    }
                    // The other well-known types have forms of their own.
                    name if name.starts_with("google.protobuf.") => None,
                    _ => self.message(inner, bytes),
                }
            }
            (kind, WireType::Varint) => self.number(kind, decode_varint(bytes).ok()?),
            // Numbers of a list stand together in one piece.
            (kind, WireType::LengthDelimited) if field.is_list => {
                let mut numbers = piece(bytes)?;
                self.number(kind, decode_varint(&mut numbers).ok()?)?;
                while !numbers.is_empty() {
                    self.next();
                    self.number(kind, decode_varint(&mut numbers).ok()?)?;
                }
                Some(())
            }
            (_, _) => None,
        }
    }

    /// A value that is a varint on the wire; one of 64 bits is text in JSON.
    fn number(&mut self, kind: Kind, value: u64) -> Option<()> {
        let text = match kind {
            Kind::Bool => (value != 0).to_string(),
            // The wire extends the sign to 64 bits.
            Kind::Int32 => (value as i32).to_string(),
            Kind::Uint32 => u32::try_from(value).ok()?.to_string(),
            Kind::Int64 => format!("\"{}\"", value as i64),
            Kind::Uint64 => format!("\"{value}\""),
            Kind::Enum(place) => enum_value(place, value as i32),
            Kind::Text | Kind::Bytes | Kind::Message(_) | Kind::Other => return None,
        };
        self.text(&text);
        Some(())
    }

    fn name(&mut self, name: &str) {
        self.text("\"");
        self.text(name);
        self.text("\": ");
    }

    fn open(&mut self, bracket: char) {
        self.out.push(bracket as u8);
        self.depth += 1;
        self.line();
    }

    fn next(&mut self) {
        self.out.push(b',');
        self.line();
    }

    fn close(&mut self, bracket: char) {
        self.depth = self.depth.saturating_sub(1);
        self.line();
        self.out.push(bracket as u8);
    }

    fn line(&mut self) {
        self.out.push(b'\n');
        for _ in 0..self.depth {
            self.text(INDENT);
        }
    }

    fn text(&mut self, text: &str) {
        self.out.extend_from_slice(text.as_bytes());
    }
}

/// A value's name, or its number when this schema has none for it.
fn enum_value(place: usize, number: i32) -> String {
    AGENT.value_of(place, number).map_or_else(|| number.to_string(), |name| format!("\"{name}\""))
}

/// A length and as many bytes.
fn piece<'a>(bytes: &mut &'a [u8]) -> Option<&'a [u8]> {
    let length = usize::try_from(decode_varint(bytes).ok()?).ok()?;
    let (piece, rest) = bytes.split_at_checked(length)?;
    *bytes = rest;
    Some(piece)
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use muster_common::{inventory as domain, time::EndpointTime};
    use prost::Message as _;

    use super::*;
    use crate::{json, v1};

    /// Items of many kinds, with the values that are hard to write.
    fn items() -> Vec<domain::Item> {
        let text = || Some("a \"b\" \\ \u{e9}\u{1f600}\t/<".to_owned());
        let kinds = [
            domain::ItemKind::System(domain::System {
                serial: text(),
                is_virtual: Some(false),
                ..domain::System::default()
            }),
            domain::ItemKind::Chassis(domain::Chassis {
                handle: 0xffff,
                kind: Some(0),
                ..domain::Chassis::default()
            }),
            domain::ItemKind::Memory(domain::Memory {
                usable_bytes: Some(u64::MAX),
                installed_bytes: Some(0),
                slots: Some(u32::MAX),
                ..domain::Memory::default()
            }),
            domain::ItemKind::NetworkAdapter(domain::NetworkAdapter {
                mac: Some(domain::MacAddress([2, 0, 0, 0, 0, 1])),
                kind: domain::AdapterKind::External,
                addresses: vec!["192.0.2.1".parse().unwrap(), "::1".parse().unwrap()],
                ..domain::NetworkAdapter::default()
            }),
            domain::ItemKind::OperatingSystem(Box::new(domain::OperatingSystem {
                boot_time: Some(EndpointTime::from_millis(1_764_000_000_250)),
                ..domain::OperatingSystem::default()
            })),
            domain::ItemKind::Package(domain::Package {
                source_name: text(),
                display_name: text(),
                ..domain::Package::default()
            }),
            domain::ItemKind::Firmware(domain::Firmware::default()),
        ];
        let mut items: Vec<_> = kinds.into_iter().map(domain::Item::new).collect();
        items[5].installation = Some(domain::Installation {
            state: domain::InstallState::ConfigFiles,
            held: true,
            disabled: true,
            channel: "latest/stable".to_owned(),
            ..domain::Installation::default()
        });
        items
    }

    fn inventory() -> v1::Inventory {
        let error = domain::SourceError {
            subject: "x".to_owned(),
            kind: domain::ErrorKind::TimedOut,
            message: "y".to_owned(),
        };
        let section = |items, errors| domain::Section {
            name: domain::SectionName::known(domain::SectionName::HARDWARE),
            status: domain::SectionStatus::Partial,
            items,
            errors,
        };
        v1::Inventory::from(&domain::Inventory {
            collected: Some(EndpointTime::from_millis(1)),
            agent_version: "1".to_owned(),
            sections: vec![section(items(), vec![error.clone(), error]), section(Vec::new(), Vec::new())],
        })
    }

    const INVENTORY: &str = "muster.v1.Inventory";

    #[test]
    fn it_is_the_general_way() {
        for inventory in [inventory(), v1::Inventory::default()] {
            let quick = pretty(INVENTORY, &inventory.encode_to_vec()).unwrap();
            assert_eq!(quick, json::to_string_pretty(&inventory));
            assert_eq!(json::inventory(&inventory), quick);
        }
    }

    /// Fails with the field that the writer has to learn first.
    fn check_kinds(message: &Message, seen: &mut BTreeSet<String>) {
        if !seen.insert(message.full_name.clone()) || message.full_name == "google.protobuf.Timestamp" {
            return;
        }
        for field in &message.fields {
            let place = format!("{}.{}", message.full_name, field.name);
            assert!(!matches!(field.kind, Kind::Bytes | Kind::Other), "{place} has a kind without a form");
            if let Some(held) = AGENT.held_by(field) {
                // A map's entries are messages that the schema writer names so.
                assert!(!held.full_name.ends_with("Entry"), "{place} is a map");
                check_kinds(held, seen);
            }
        }
    }

    #[test]
    fn every_field_of_an_inventory_has_a_form() {
        let mut seen = BTreeSet::new();
        check_kinds(AGENT.message(INVENTORY).unwrap(), &mut seen);
        assert!(seen.contains("muster.v1.Package"), "{seen:?}");
        let values = seen.iter().filter(|name| name.starts_with("google.protobuf."));
        assert_eq!(values.collect::<Vec<_>>(), ["google.protobuf.Timestamp"]);
    }

    #[test]
    fn broken_bytes_are_given_up() {
        let whole = inventory().encode_to_vec();
        assert_eq!(pretty(INVENTORY, &whole[..whole.len() - 1]), None);
        assert_eq!(pretty(INVENTORY, &[0xff; 20]), None);
        assert_eq!(pretty("muster.v1.Nothing", &whole), None);
    }
}
