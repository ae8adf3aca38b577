//! Canonical JSON of every message, by reflection.
//!
//! An agent has no use for it and is built without: see the feature `reflection`.

use std::sync::LazyLock;

use prost_reflect::{DescriptorPool, DynamicMessage, SerializeOptions};

static POOL: LazyLock<DescriptorPool> = LazyLock::new(|| {
    DescriptorPool::decode(crate::DESCRIPTORS).expect("the descriptors are generated with this code")
});

/// A message as canonical JSON: lower camel case, RFC 3339 times, 64-bit numbers as text, absent fields left out.
pub fn to_value<M: prost::Name>(message: &M) -> serde_json::Value {
    described(message)
        .serialize_with_options(serde_json::value::Serializer, &SerializeOptions::new())
        .expect("canonical JSON has a form for every message")
}

/// The same as indented text, with the fields in the order of the schema.
pub fn to_string_pretty<M: prost::Name>(message: &M) -> String {
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
    fn what_no_agent_speaks_has_a_form_too() {
        let request = v1::ListTokensRequest { page_token: "x".to_owned(), ..Default::default() };
        assert!(super::to_string_pretty(&request).contains(r#""pageToken": "x""#));
    }
}
