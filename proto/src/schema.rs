//! What an agent sends, described by the schema itself: messages with their fields, and the services that take them.
//!
//! A small view of descriptor.proto, for the two things that an agent does with it: JSON of an inventory and the list of
//! what leaves the machine. The general way is prost-reflect, by the feature `reflection`; it is a third of a megabyte of
//! program, and its program is most of what an agent weighs at rest.

use std::sync::LazyLock;

use prost::Message as _;

/// The files of the schema that an agent speaks, compiled.
const AGENT_DESCRIPTORS: &[u8] = include_bytes!("gen/agent_descriptors.bin");

/// The agent's part of the schema.
pub(crate) static AGENT: LazyLock<Schema> = LazyLock::new(|| {
    let set = FileSet::decode(AGENT_DESCRIPTORS).expect("the descriptors are generated with this code");
    Schema::from(set)
});

/// Messages, enums and services, each by its full name such as `muster.v1.Item`.
#[derive(Debug, Default)]
pub(crate) struct Schema {
    messages: Vec<Message>,
    enums: Vec<Enum>,
    services: Vec<(String, Vec<String>)>,
}

/// A message with its fields in the order of the schema.
#[derive(Debug)]
pub(crate) struct Message {
    pub(crate) full_name: String,
    pub(crate) fields: Vec<Field>,
}

/// A field of a message.
#[derive(Debug)]
pub(crate) struct Field {
    pub(crate) number: u32,
    pub(crate) name: String,
    pub(crate) json_name: String,
    pub(crate) is_list: bool,
    /// Whether it is one of several, of which a message has one.
    pub(crate) is_choice: bool,
    pub(crate) kind: Kind,
}

/// What a field holds. Messages and enums by their place in the schema.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    Bool,
    Int32,
    Uint32,
    Int64,
    Uint64,
    Text,
    Bytes,
    Message(usize),
    Enum(usize),
    /// One that no message of an agent has.
    Other,
}

#[derive(Debug)]
struct Enum {
    full_name: String,
    values: Vec<(i32, String)>,
}

impl Schema {
    /// The message of this full name.
    pub(crate) fn message(&self, full_name: &str) -> Option<&Message> {
        self.messages.iter().find(|message| message.full_name == full_name)
    }

    /// The message that a field holds.
    pub(crate) fn held_by(&self, field: &Field) -> Option<&Message> {
        match field.kind {
            Kind::Message(place) => self.messages.get(place),
            Kind::Bool
            | Kind::Int32
            | Kind::Uint32
            | Kind::Int64
            | Kind::Uint64
            | Kind::Text
            | Kind::Bytes
            | Kind::Enum(_)
            | Kind::Other => None,
        }
    }

    /// The name of an enum's value.
    pub(crate) fn value_of(&self, place: usize, number: i32) -> Option<&str> {
        let (_, name) = self.enums.get(place)?.values.iter().find(|(known, _)| *known == number)?;
        Some(name)
    }

    /// The full names of the messages that the methods of a service take.
    pub(crate) fn taken_by(&self, service: &str) -> &[String] {
        self.services.iter().find(|(name, _)| name == service).map_or(&[], |(_, messages)| messages)
    }

    /// The kind of a field by the number and the name that descriptor.proto gives its type.
    fn kind(&self, number: i32, type_name: &str) -> Kind {
        let name = type_name.strip_prefix('.').unwrap_or(type_name);
        match number {
            3 => Kind::Int64,
            4 => Kind::Uint64,
            5 => Kind::Int32,
            8 => Kind::Bool,
            9 => Kind::Text,
            11 => {
                let place = self.messages.iter().position(|message| message.full_name == name);
                place.map_or(Kind::Other, Kind::Message)
            }
            12 => Kind::Bytes,
            13 => Kind::Uint32,
            14 => self.enums.iter().position(|known| known.full_name == name).map_or(Kind::Other, Kind::Enum),
            _ => Kind::Other,
        }
    }

    /// Adds the names of messages and all of enums, so that fields can say where their kind stands.
    fn name(&mut self, scope: &str, messages: &[MessageType], enums: &[EnumType]) {
        for found in enums {
            let values = found.values.iter().map(|value| (value.number, value.name.clone())).collect();
            self.enums.push(Enum { full_name: format!("{scope}.{}", found.name), values });
        }
        for found in messages {
            let full_name = format!("{scope}.{}", found.name);
            self.messages.push(Message { full_name: full_name.clone(), fields: Vec::new() });
            self.name(&full_name, &found.nested, &found.enums);
        }
    }

    /// Adds the fields, in the order in which [`Schema::name`] added the messages.
    fn fill(&mut self, place: &mut usize, messages: Vec<MessageType>) {
        for found in messages {
            let fields = found.fields.into_iter().map(|field| Field {
                kind: self.kind(field.kind, &field.type_name),
                is_list: field.label == REPEATED,
                is_choice: field.choice.is_some() && !field.is_optional,
                number: field.number.unsigned_abs(),
                name: field.name,
                json_name: field.json_name,
            });
            let fields = fields.collect();
            if let Some(message) = self.messages.get_mut(*place) {
                message.fields = fields;
            }
            *place += 1;
            self.fill(place, found.nested);
        }
    }
}

impl From<FileSet> for Schema {
    fn from(set: FileSet) -> Self {
        let mut schema = Self::default();
        for file in &set.files {
            schema.name(&file.package, &file.messages, &file.enums);
        }
        let mut place = 0;
        for file in set.files {
            schema.fill(&mut place, file.messages);
            let services = file.services.into_iter().map(|service| {
                let taken = service.methods.into_iter().map(|method| method.takes.replacen('.', "", 1));
                (format!("{}.{}", file.package, service.name), taken.collect())
            });
            schema.services.extend(services);
        }
        schema
    }
}

/// LABEL_REPEATED of descriptor.proto.
const REPEATED: i32 = 3;

// The messages of descriptor.proto, each with the fields that are asked for here.

#[derive(Clone, PartialEq, prost::Message)]
struct FileSet {
    #[prost(message, repeated, tag = "1")]
    files: Vec<File>,
}

#[derive(Clone, PartialEq, prost::Message)]
struct File {
    #[prost(string, tag = "2")]
    package: String,
    #[prost(message, repeated, tag = "4")]
    messages: Vec<MessageType>,
    #[prost(message, repeated, tag = "5")]
    enums: Vec<EnumType>,
    #[prost(message, repeated, tag = "6")]
    services: Vec<ServiceType>,
}

#[derive(Clone, PartialEq, prost::Message)]
struct MessageType {
    #[prost(string, tag = "1")]
    name: String,
    #[prost(message, repeated, tag = "2")]
    fields: Vec<FieldType>,
    #[prost(message, repeated, tag = "3")]
    nested: Vec<MessageType>,
    #[prost(message, repeated, tag = "4")]
    enums: Vec<EnumType>,
}

#[derive(Clone, PartialEq, prost::Message)]
struct FieldType {
    #[prost(string, tag = "1")]
    name: String,
    #[prost(int32, tag = "3")]
    number: i32,
    #[prost(int32, tag = "4")]
    label: i32,
    #[prost(int32, tag = "5")]
    kind: i32,
    #[prost(string, tag = "6")]
    type_name: String,
    #[prost(int32, optional, tag = "9")]
    choice: Option<i32>,
    #[prost(string, tag = "10")]
    json_name: String,
    #[prost(bool, tag = "17")]
    is_optional: bool,
}

#[derive(Clone, PartialEq, prost::Message)]
struct EnumType {
    #[prost(string, tag = "1")]
    name: String,
    #[prost(message, repeated, tag = "2")]
    values: Vec<EnumValue>,
}

#[derive(Clone, PartialEq, prost::Message)]
struct EnumValue {
    #[prost(string, tag = "1")]
    name: String,
    #[prost(int32, tag = "2")]
    number: i32,
}

#[derive(Clone, PartialEq, prost::Message)]
struct ServiceType {
    #[prost(string, tag = "1")]
    name: String,
    #[prost(message, repeated, tag = "2")]
    methods: Vec<MethodType>,
}

#[derive(Clone, PartialEq, prost::Message)]
struct MethodType {
    #[prost(string, tag = "2")]
    takes: String,
}

#[cfg(test)]
mod tests {
    use prost_reflect::{Cardinality, DescriptorPool, Kind as Reflected};

    use super::*;

    #[test]
    fn it_is_what_the_general_way_reads() {
        let pool = DescriptorPool::decode(AGENT_DESCRIPTORS).unwrap();
        let names: Vec<String> = pool.all_messages().map(|message| message.full_name().to_owned()).collect();
        assert!(names.iter().any(|name| name == "muster.v1.Inventory"), "{names:?}");
        for message in pool.all_messages() {
            let found = AGENT.message(message.full_name()).unwrap();
            assert_eq!(found.fields.len(), message.fields().len(), "{}", found.full_name);
            for field in &found.fields {
                let expected = message.get_field(field.number).unwrap();
                let choice = expected.containing_oneof().is_some_and(|choice| !choice.is_synthetic());
                assert_eq!(field.name, expected.name());
                assert_eq!(field.json_name, expected.json_name());
                assert_eq!(field.is_list, expected.cardinality() == Cardinality::Repeated);
                assert_eq!(field.is_choice, choice, "{}", expected.full_name());
                let held = AGENT.held_by(field).map(|held| held.full_name.as_str());
                assert_eq!(held, expected.kind().as_message().map(|held| held.full_name()));
                if let (Kind::Enum(place), Reflected::Enum(descriptor)) = (field.kind, expected.kind()) {
                    for value in descriptor.values() {
                        assert_eq!(AGENT.value_of(place, value.number()), Some(value.name()));
                    }
                }
            }
        }
        for service in pool.services() {
            let taken: Vec<String> =
                service.methods().map(|method| method.input().full_name().to_owned()).collect();
            assert_eq!(AGENT.taken_by(service.full_name()), taken);
        }
        assert!(AGENT.taken_by("muster.v1.Nothing").is_empty());
        assert!(AGENT.message("muster.v1.Nothing").is_none());
    }
}
