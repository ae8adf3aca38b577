//! A document for programs: indented JSON, in which nothing moves a cursor either.

use super::escape::is_hidden;

/// The document with a line end.
pub(super) fn text(value: &serde_json::Value) -> String {
    let plain = format!("{value:#}\n");
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
    use super::*;

    #[test]
    fn hidden_characters_are_escaped_and_read_back() {
        let value =
            serde_json::json!({"name": "a\u{202e}b\u{9b}c\u{1b}\n\u{e0041}", "list": [1, {"x": "é"}]});
        let text = text(&value);
        assert!(text.is_ascii() || !text.contains(['\u{202e}', '\u{9b}', '\u{1b}', '\u{e0041}']));
        assert_eq!(serde_json::from_str::<serde_json::Value>(&text).unwrap(), value);
    }
}
