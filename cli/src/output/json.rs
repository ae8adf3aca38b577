//! A document for programs: indented JSON, in which nothing moves a cursor either.

use std::fmt;

use muster_proto::json;

use super::escape::is_hidden;

/// A message that is written as JSON if somebody asks for it.
pub(crate) struct Document(Box<dyn Fn() -> String>);

impl Document {
    /// The message as canonical proto3 JSON.
    pub(crate) fn of<M: prost::Name + Clone + 'static>(message: &M) -> Self {
        let message = message.clone();
        Self(Box::new(move || json::to_string_pretty(&message)))
    }

    /// A value whose parts were made that way.
    pub(crate) fn of_value(value: serde_json::Value) -> Self {
        Self(Box::new(move || format!("{value:#}")))
    }

    /// The text with a line end.
    pub(super) fn text(&self) -> String {
        without_hidden(&(self.0)()) + "\n"
    }
}

impl fmt::Debug for Document {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Document(…)")
    }
}

fn without_hidden(plain: &str) -> String {
    let mut text = String::with_capacity(plain.len());
    for letter in plain.chars() {
        // Hidden characters stand inside strings only, where JSON has an escape for each.
        if is_hidden(letter) && letter != '\n' {
            let mut units = [0u16; 2];
            for unit in letter.encode_utf16(&mut units) {
                text.push_str(&format!("\\u{unit:04x}"));
            }
        } else {
            text.push(letter);
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use muster_proto::v1::{Device, ListDevicesResponse};

    use super::*;

    #[test]
    fn hidden_characters_are_escaped_and_read_back() {
        let name = "a\u{202e}b\u{9b}c\u{1b}\n\u{e0041}é";
        let device = Device { display_name: name.to_owned(), ..Device::default() };
        let response = ListDevicesResponse { devices: vec![device], ..ListDevicesResponse::default() };
        let text = Document::of(&response).text();
        assert!(!text.contains(['\u{202e}', '\u{9b}', '\u{1b}', '\u{e0041}']), "{text:?}");
        let value: serde_json::Value = serde_json::from_str(&text).unwrap();
        assert_eq!(value["devices"][0]["displayName"], name);
    }
}
