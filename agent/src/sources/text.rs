//! Makes text of bytes that a machine's owner, firmware or attacker chose.
//!
//! Knows nothing of where the bytes come from. Values stay as their maker wrote them except for what would break
//! keys, terminals or memory: control characters go, blanks around go, length is bounded.

use muster_proto::limits;

/// Longest value in bytes.
const VALUE_LIMIT: usize = limits::TEXT_BYTES;

/// A value: trimmed, without control characters, bounded; `None` when nothing is left.
pub(crate) fn clean(bytes: &[u8]) -> Option<String> {
    let bytes = bytes.get(..VALUE_LIMIT).unwrap_or(bytes);
    // Nearly all values are plain ASCII already, and a machine has ten thousand of them.
    let plain = bytes.trim_ascii();
    let text = if plain.iter().all(|byte| (b' '..=b'~').contains(byte)) {
        std::str::from_utf8(plain).ok()?.to_owned()
    } else {
        bounded(&String::from_utf8_lossy(bytes), VALUE_LIMIT)
    };
    (!text.is_empty()).then_some(text)
}

/// Text of at most `limit` bytes, trimmed, without control characters.
pub(crate) fn bounded(text: &str, limit: usize) -> String {
    let text = text.trim_matches(|c: char| c.is_whitespace() || c.is_control());
    let cut = &text[..text.floor_char_boundary(limit)];
    if cut.chars().any(char::is_control) {
        cut.chars().map(|c| if c.is_control() { ' ' } else { c }).collect()
    } else {
        cut.to_owned()
    }
}

/// The start of a value that is wrong, for a message.
pub(crate) fn shown(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes.get(..64).unwrap_or(bytes)).into_owned()
}

/// Whether a database's name and version can be those of a package: there, without blanks, control characters, and
/// slashes in the name. The error says what is wrong.
pub(crate) fn check_package(name: &[u8], version: &[u8]) -> Result<(), String> {
    let is_bad =
        |value: &[u8]| value.iter().any(|byte| byte.is_ascii_whitespace() || byte.is_ascii_control());
    if name.is_empty() || is_bad(name) || name.contains(&b'/') {
        return Err(format!("{:?} is no package name", shown(name)));
    }
    let name = shown(name);
    if version.is_empty() {
        return Err(format!("package {name} has no version"));
    }
    if is_bad(version) {
        return Err(format!("package {name} has a malformed version {:?}", shown(version)));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_are_harmless() {
        for (input, expected) in [
            (&b"  Dell Inc. \n"[..], Some("Dell Inc.")),
            (b"a\x1b[31m\0b", Some("a [31m b")),
            (b"\0\0", None),
            (b"   ", None),
            (b"caf\xc3\xa9", Some("caf\u{e9}")),
            (b"\xff", Some("\u{fffd}")),
        ] {
            assert_eq!(clean(input).as_deref(), expected, "{input:?}");
        }
        assert!(clean("\u{e9}".repeat(100_000).as_bytes()).unwrap().len() <= VALUE_LIMIT);
    }
}
