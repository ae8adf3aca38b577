//! XML, value by value and in its place: attributes and texts that a rule names stay, all others are replaced.
//!
//! Works on the signs and not on a tree, as with JSON.

use super::Context;
use crate::bundle::pseudonym::Kind;

/// What stays.
#[derive(Debug, Clone, Copy)]
pub(super) struct Xml {
    /// Attributes whose values stay.
    pub(super) attributes: &'static [&'static str],
    /// Elements whose texts stay; names without their prefix.
    pub(super) texts: &'static [&'static str],
}

/// Replaces in place.
pub(super) fn redact(bytes: &mut [u8], rule: &Xml, context: &mut Context<'_>) {
    let mut element: Vec<u8> = Vec::new();
    let mut at = 0;
    while at < bytes.len() {
        if bytes[at] != b'<' {
            let end = memchr::memchr(b'<', &bytes[at..]).map_or(bytes.len(), |length| at + length);
            if !is_one_of(rule.texts, &element) {
                replace(&mut bytes[at..end], context);
            }
            at = end;
            continue;
        }
        let rest = &bytes[at..];
        let (hidden, ending): (bool, &[u8]) = match rest {
            [b'<', b'!', b'-', b'-', ..] => (true, b"-->"),
            [b'<', b'!', b'[', ..] => (true, b"]]>"),
            [b'<', b'?', ..] => (false, b"?>"),
            _ => (false, b""),
        };
        if !ending.is_empty() {
            let end =
                memchr::memmem::find(rest, ending).map_or(bytes.len(), |length| at + length + ending.len());
            // What the document says of itself, or what nobody reads.
            let skip = if hidden && rest.starts_with(b"<![CDATA[") { 9 } else { 0 };
            if hidden && let Some(inner) = bytes.get_mut(at + skip..end) {
                replace(inner, context);
            }
            at = end;
            continue;
        }
        at = tag(bytes, at, rule, &mut element, context);
    }
}

/// From `<` to behind `>`.
fn tag(
    bytes: &mut [u8],
    start: usize,
    rule: &Xml,
    element: &mut Vec<u8>,
    context: &mut Context<'_>,
) -> usize {
    let mut at = start + 1;
    let name = name_at(bytes, at);
    if bytes.get(at) == Some(&b'/') {
        element.clear();
    } else {
        *element = bytes[name.clone()].to_vec();
    }
    at = name.end.max(at);
    let mut attribute: Vec<u8> = Vec::new();
    while let Some(byte) = bytes.get(at).copied() {
        match byte {
            b'>' => return at + 1,
            b'"' | b'\'' => {
                let end =
                    memchr::memchr(byte, &bytes[at + 1..]).map_or(bytes.len(), |length| at + 1 + length);
                if !is_one_of(rule.attributes, &attribute) && !attribute.starts_with(b"xmlns") {
                    replace(&mut bytes[at + 1..end], context);
                }
                attribute.clear();
                at = (end + 1).min(bytes.len());
            }
            _ if is_name(byte) => {
                let name = name_at(bytes, at);
                attribute = bytes[name.clone()].to_vec();
                at = name.end;
            }
            _ => at += 1,
        }
    }
    at
}

fn is_name(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b':' | b'-' | b'.')
}

fn name_at(bytes: &[u8], start: usize) -> std::ops::Range<usize> {
    let length = bytes.get(start..).unwrap_or_default().iter().take_while(|byte| is_name(**byte)).count();
    start..start + length
}

fn is_one_of(words: &[&str], name: &[u8]) -> bool {
    let local = name.rsplit(|byte| *byte == b':').next().unwrap_or_default();
    words.iter().any(|word| word.as_bytes() == local)
}

/// References such as `&amp;` stay what they are.
fn replace(place: &mut [u8], context: &mut Context<'_>) {
    let replaced = context.of(Kind::Other, place);
    let mut in_reference = false;
    for (to, from) in place.iter_mut().zip(replaced) {
        match *to {
            b'&' => in_reference = true,
            b';' => in_reference = false,
            byte if in_reference && (byte.is_ascii_alphanumeric() || byte == b'#') => {}
            _ => {
                in_reference = false;
                *to = from;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::bundle::redact::testing::with_context;

    #[test]
    fn what_a_rule_names_stays_and_nothing_else() {
        let rule = Xml { attributes: &["name", "version"], texts: &["title"] };
        let text = "<?xml version='1.0'?><!-- by annabel --><a:Tag xmlns:a='urn:x' name=\"Product\" key='s3cret&amp;more'>\
            annabel<title>Kept</title> annabel <b c=\"annabel\"/><![CDATA[annabel]]></a:Tag><d e='annabel";
        let mut bytes = text.as_bytes().to_vec();
        with_context(|context| redact(&mut bytes, &rule, context));
        let after = String::from_utf8(bytes).unwrap();
        assert!(!after.contains("annabel") && !after.contains("s3cret"), "{after}");
        assert!(after.contains("name=\"Product\"") && after.contains("<title>Kept</title>"), "{after}");
        assert!(after.contains("urn:x") && after.contains("&amp;") && after.contains("<![CDATA["), "{after}");
        assert_eq!(after.len(), text.len());
    }
}
