//! Canonical proto3 JSON (ProtoJSON), by the schema's own descriptors.
//!
//! Every text form of Muster's messages comes from here, so that `collect`, the CLI and exports agree.

mod direct;

use std::sync::LazyLock;

use prost_reflect::{DescriptorPool, DynamicMessage, SerializeOptions};

pub(crate) static POOL: LazyLock<DescriptorPool> = LazyLock::new(|| {
    DescriptorPool::decode(crate::DESCRIPTORS).expect("the descriptors are generated with this code")
});

/// The files that inventories need: an agent that prints one need not read the whole schema first.
const INVENTORY_FILES: [&str; 2] = ["google/protobuf/timestamp.proto", "muster/v1/inventory.proto"];

static INVENTORY_POOL: LazyLock<DescriptorPool> = LazyLock::new(|| {
    let mut pool = DescriptorPool::new();
    let mut set = crate::DESCRIPTORS;
    while let Some(file) = next_file(&mut set) {
        if INVENTORY_FILES
            .iter()
            .any(|name| file.get(2..).is_some_and(|rest| rest.starts_with(name.as_bytes())))
        {
            pool.decode_file_descriptor_proto(file).expect("the descriptors are generated with this code");
        }
    }
    pool
});

/// The next file of a descriptor set, which is a list of them and nothing else; a file begins with its name.
fn next_file<'a>(set: &mut &'a [u8]) -> Option<&'a [u8]> {
    prost::encoding::decode_key(set).ok()?;
    let length = usize::try_from(prost::encoding::decode_varint(set).ok()?).ok()?;
    let (file, rest) = set.split_at_checked(length)?;
    *set = rest;
    Some(file)
}

/// A message as canonical JSON: lower camel case, RFC 3339 times, 64-bit numbers as text, absent fields left out.
pub fn to_value<M: prost::Name>(message: &M) -> serde_json::Value {
    described(message)
        .serialize_with_options(serde_json::value::Serializer, &SerializeOptions::new())
        .expect("canonical JSON has a form for every message")
}

/// The same as indented text, with the fields in the order of the schema.
pub fn to_string_pretty<M: prost::Name>(message: &M) -> String {
    let quick = INVENTORY_POOL
        .get_message_by_name(&M::full_name())
        .and_then(|descriptor| direct::pretty(&descriptor, &message.encode_to_vec()));
    quick.unwrap_or_else(|| described_pretty(message))
}

/// The general way, for every kind of field.
fn described_pretty<M: prost::Name>(message: &M) -> String {
    let mut text = Vec::new();
    described(message)
        .serialize_with_options(&mut serde_json::Serializer::pretty(&mut text), &SerializeOptions::new())
        .expect("canonical JSON has a form for every message");
    String::from_utf8(text).expect("JSON is UTF-8")
}

/// The message with its descriptor.
fn described<M: prost::Name>(message: &M) -> DynamicMessage {
    let descriptor = POOL
        .get_message_by_name(&M::full_name())
        .expect("every message that has a name is in the descriptors");
    let mut dynamic = DynamicMessage::new(descriptor);
    dynamic.transcode_from(message).expect("a message decodes by its own descriptor");
    dynamic
}

#[cfg(test)]
mod tests {
    use crate::v1;

    #[test]
    fn names_are_camel_case_and_zero_values_left_out() {
        let item = v1::Item {
            kind: Some(v1::item::Kind::System(v1::System {
                product_name: Some("20L8S07A14".to_owned()),
                ..v1::System::default()
            })),
            installation: None,
        };
        assert_eq!(super::to_value(&item).to_string(), r#"{"system":{"productName":"20L8S07A14"}}"#);
    }

    #[test]
    fn what_the_quick_way_does_not_know_goes_the_general_one() {
        let request = v1::ListTokensRequest { page_token: "x".to_owned(), ..Default::default() };
        assert!(super::to_string_pretty(&request).contains(r#""pageToken": "x""#));
    }
}
