//! The few lines of a snap's `meta/snap.yaml`, and of signed statements, that an inventory needs.
//!
//! Knows nothing of YAML beyond top-level keys with a word behind them and one list: snapd itself writes these files
//! flat, and a parser of the whole language would be the largest thing in the agent.

use crate::sources::text;

/// What a description says.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Description {
    pub(super) version: Option<String>,
    /// The first one that is listed.
    pub(super) architecture: Option<String>,
}

/// Reads a description; what is not there, or is written in another way, is `None`.
pub(crate) fn read(bytes: &[u8]) -> Description {
    let mut description = Description::default();
    let mut in_list = false;
    for line in bytes.split(|byte| *byte == b'\n') {
        if let Some(value) = line.strip_prefix(b"version:") {
            in_list = false;
            description.version = scalar(value);
        } else if let Some(value) = line.strip_prefix(b"architectures:") {
            let inline = value
                .trim_ascii()
                .strip_prefix(b"[")
                .map(|list| list.split(|byte| matches!(byte, b',' | b']')).next().unwrap_or_default());
            description.architecture = inline.and_then(scalar);
            in_list = inline.is_none();
        } else if in_list {
            in_list = false;
            description.architecture = line.trim_ascii().strip_prefix(b"-").and_then(scalar);
        }
    }
    description
}

/// A header of a signed statement; headers end at the first empty line.
pub(crate) fn header(bytes: &[u8], name: &str) -> Option<String> {
    bytes
        .split(|byte| *byte == b'\n')
        .take_while(|line| !line.is_empty())
        .find_map(|line| text::clean(line.strip_prefix(name.as_bytes())?.strip_prefix(b":")?))
}

/// A word, with or without quotes, without the remark behind it.
fn scalar(value: &[u8]) -> Option<String> {
    let value = value.trim_ascii();
    for quote in [b'\'', b'"'] {
        if let Some(inner) = value.strip_prefix(&[quote]) {
            return text::clean(inner.split(|byte| *byte == quote).next()?);
        }
    }
    let end = memchr::memmem::find(value, b" #").unwrap_or(value.len());
    text::clean(value.get(..end)?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn descriptions_are_read() {
        for (yaml, version, architecture) in [
            ("name: a\nversion: 1.2-3\narchitectures:\n- amd64\n- i386\n", Some("1.2-3"), Some("amd64")),
            ("version: '4.10' # x\narchitectures: [ all, y ]\n", Some("4.10"), Some("all")),
            ("version: \"1 # 2\"\narchitectures:\n  - arm64\n", Some("1 # 2"), Some("arm64")),
            ("apps:\n  version: no\nversion: git # c\n", Some("git"), None),
            ("architectures:\nversion: 1\n- x\n", Some("1"), None),
            ("version:\n", None, None),
            ("", None, None),
            ("version: '\narchitectures: [", None, None),
        ] {
            let found = read(yaml.as_bytes());
            let found = (found.version.as_deref(), found.architecture.as_deref());
            assert_eq!(found, (version, architecture), "{yaml:?}");
        }
    }

    #[test]
    fn headers_end_before_the_body() {
        let statement = b"type: account\ndisplay-name: Ann & Co\n\npublisher-id: in the body\n";
        assert_eq!(header(statement, "display-name").as_deref(), Some("Ann & Co"));
        assert_eq!(header(statement, "publisher-id"), None);
    }
}
