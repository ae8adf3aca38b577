//! What looks like an identifier wherever it stands: e-mail addresses, passwords in addresses, MAC and IP addresses,
//! UUIDs, long hexadecimal numbers.
//!
//! For values that nobody gathered. A version may look like an IP address and a product's id like a UUID, so files about
//! software are searched for the first two alone.

use std::net::IpAddr;

use super::{
    pseudonym::Kind,
    secrets::{Secrets, Tally},
};

/// How thoroughly a text is searched.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Search {
    /// For what was gathered alone.
    Gathered,
    /// Also for e-mail addresses and passwords in addresses.
    Software,
    /// For everything.
    System,
}

/// What systemd calls units may look like the end of an e-mail address.
const UNIT_ENDINGS: [&[u8]; 10] = [
    b"service",
    b"socket",
    b"timer",
    b"path",
    b"target",
    b"mount",
    b"automount",
    b"slice",
    b"scope",
    b"swap",
];
/// Shorter numbers are versions, sizes and commits.
const LONG_NUMBER: usize = 32;

/// Whether a name that ends so is a unit's.
pub(crate) fn is_unit_ending(ending: &[u8]) -> bool {
    UNIT_ENDINGS.contains(&ending)
}

/// Replaces what is found; the length stays.
pub(crate) fn search(search: Search, bytes: &mut [u8], secrets: &Secrets<'_>, tally: &mut Tally) {
    secrets.sweep(bytes, tally);
    if search == Search::Gathered {
        return;
    }
    let mut replace = |bytes: &mut [u8], kind: Kind, range: std::ops::Range<usize>| {
        let Some(place) = bytes.get_mut(range) else { return };
        let replacement = secrets.pseudonyms().of(kind, place);
        if replacement.len() == place.len() && replacement != place {
            place.copy_from_slice(&replacement);
            tally.add(kind);
        }
    };
    let mut at = 0;
    while let Some(next) = bytes.get(at..).and_then(|rest| memchr::memchr(b'@', rest)).map(|next| at + next) {
        if let Some(range) = password(bytes, next) {
            replace(bytes, Kind::Password, range);
        } else if let Some(range) = email(bytes, next) {
            replace(bytes, Kind::Email, range);
        }
        at = next + 1;
    }
    if search == Search::System {
        let mut at = 0;
        while at < bytes.len() {
            let is_start =
                !at.checked_sub(1).and_then(|before| bytes.get(before)).is_some_and(u8::is_ascii_hexdigit);
            let found = if is_start { number(bytes, at) } else { None };
            if let Some((kind, length)) = found {
                replace(bytes, kind, at..at + length);
                at += length;
            } else {
                at += 1;
            }
        }
    }
}

/// What stands between `://` and the sign in an address.
fn password(bytes: &[u8], sign: usize) -> Option<std::ops::Range<usize>> {
    let before = bytes.get(sign.saturating_sub(512)..sign)?;
    let is_outside = |byte: &u8| {
        byte.is_ascii_whitespace() || matches!(byte, b'/' | b'"' | b'\'' | b'<' | b'>' | b'(' | 0)
    };
    let start = before.iter().rposition(is_outside)? + 1;
    let head = before.get(..start)?;
    (head.ends_with(b"://") && start < before.len()).then(|| sign - (before.len() - start)..sign)
}

fn email(bytes: &[u8], sign: usize) -> Option<std::ops::Range<usize>> {
    let is_local =
        |byte: &u8| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'_' | b'%' | b'+' | b'-');
    let is_domain = |byte: &u8| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'-');
    let before = bytes.get(sign.saturating_sub(256)..sign)?;
    let local = before.iter().rev().take_while(|byte| is_local(byte)).count();
    let after = bytes.get(sign + 1..)?;
    let domain = after.get(..after.iter().take(256).take_while(|byte| is_domain(byte)).count())?;
    let domain =
        &domain[..domain.iter().rposition(|byte| byte.is_ascii_alphanumeric()).map_or(0, |last| last + 1)];
    let (_, ending) = domain.split_at(domain.iter().rposition(|byte| *byte == b'.')?);
    let ending = ending.get(1..)?;
    let is_top = ending.len() >= 2 && ending.iter().all(u8::is_ascii_alphabetic);
    (local > 0 && is_top && !is_unit_ending(ending)).then(|| sign - local..sign + 1 + domain.len())
}

/// The number that begins at a place, and its length.
fn number(bytes: &[u8], at: usize) -> Option<(Kind, usize)> {
    let rest = bytes.get(at..)?;
    // Nothing else begins with it; most bytes are done here.
    if !(rest.first()?.is_ascii_hexdigit() || rest.first() == Some(&b':')) {
        return None;
    }
    let ends = |length: usize| !rest.get(length).is_some_and(u8::is_ascii_alphanumeric);
    let digits = rest.iter().take_while(|byte| byte.is_ascii_hexdigit()).count();
    if let Some(length) = uuid(rest, digits).filter(|length| ends(*length)) {
        return Some((Kind::Uuid, length));
    }
    if digits == 2 && mac(rest) && ends(17) && rest.get(17) != Some(&b':') {
        return Some((Kind::Mac, 17));
    }
    if digits >= LONG_NUMBER && ends(digits) {
        return Some((Kind::Uuid, digits));
    }
    address(bytes, at).map(|length| (Kind::Address, length))
}

/// Five groups with hyphens between, which systemd writes `\x2d`.
fn uuid(rest: &[u8], digits: usize) -> Option<usize> {
    if digits != 8 {
        return None;
    }
    let mut at = 8;
    for group in [4, 4, 4, 12] {
        let after = rest.get(at..)?;
        at += if after.starts_with(b"-") {
            1
        } else if after.starts_with(b"\\x2d") {
            4
        } else {
            return None;
        };
        let found = rest.get(at..at + group)?;
        if !found.iter().all(u8::is_ascii_hexdigit) {
            return None;
        }
        at += group;
    }
    Some(at)
}

fn mac(rest: &[u8]) -> bool {
    let Some(text) = rest.get(..17) else { return false };
    let between = text[2];
    matches!(between, b':' | b'-')
        && text.chunks(3).all(|part| {
            part[..2].iter().all(u8::is_ascii_hexdigit) && part.get(2).is_none_or(|sign| *sign == between)
        })
}

fn address(bytes: &[u8], at: usize) -> Option<usize> {
    let is_part = |byte: &u8| byte.is_ascii_hexdigit() || matches!(byte, b':' | b'.');
    if at
        .checked_sub(1)
        .and_then(|before| bytes.get(before))
        .is_some_and(|byte| byte.is_ascii_alphanumeric() || is_part(byte))
    {
        return None;
    }
    let rest = bytes.get(at..)?;
    let run = rest.get(..rest.iter().take(46).take_while(|byte| is_part(byte)).count())?;
    let text = std::str::from_utf8(run).ok()?.trim_end_matches(['.', ':']);
    // `192.0.2.1:/export` and `192.0.2.1:80` have a part behind.
    let candidates = [Some(text), text.split_once(':').map(|(host, _)| host)];
    let found =
        candidates.into_iter().flatten().find(|text| text.len() >= 3 && text.parse::<IpAddr>().is_ok())?;
    let joins = |byte: &u8| byte.is_ascii_alphanumeric();
    (!rest.get(found.len()).is_some_and(joins)).then_some(found.len())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::bundle::{pseudonym::Pseudonyms, secrets::Gathered};

    #[test]
    fn identifiers_are_known_by_their_looks() {
        let pseudonyms = Pseudonyms::random().unwrap();
        let secrets = Secrets::new(Gathered::default(), &pseudonyms, |_| false);
        // What stands in angle brackets must go, and nothing else.
        let check = |how: Search, text: &str| {
            let plain = text.replace(['<', '>'], "");
            let mut bytes = plain.clone().into_bytes();
            search(how, &mut bytes, &secrets, &mut Tally::default());
            let after = String::from_utf8(bytes).unwrap();
            assert_eq!(after.len(), plain.len());
            let (mut at, mut secret) = (0, false);
            let mut parts: Vec<(String, String)> = Vec::new();
            for part in text.split(['<', '>']) {
                let now = &after[at..at + part.len()];
                if secret {
                    parts.push((part.to_owned(), now.to_owned()));
                } else {
                    assert_eq!(now, part, "{text} became {after}");
                }
                at += part.len();
                secret = !secret;
            }
            assert!(parts.iter().all(|(before, now)| before != now), "{text} became {after}");
        };
        for text in [
            "Maintainer: Bob <bob@acme.test>, x",
            "git+https://<bob:s3cr3t>@git.example.org/x",
            "getty@tty1.service sshd@192.service name@1.2.3 @scope/pkg a@b",
            "mail root+x@<>",
        ] {
            check(Search::Software, text.replace("@<>", "@").as_str());
        }
        for text in [
            "uuid <4c4c4544-0044-4a10-8056-b7c04f4b5a32>.",
            r"dev-disk-by\x2duuid-<4c4c4544\x2d0044\x2d4a10\x2d8056\x2db7c04f4b5a32>.swap",
            "mac <00:1b:21:3a:4f:5e> and <00-1B-21-3A-4F-5E>",
            "<192.0.2.17>:/export <192.0.2.18>,<2001:db8::17>;",
            "docker-<0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef>.scope",
            "8:1 12:34:56 1.2.3 1.2.3.4.5 127.0.0.1 pid:[4026531836] 0000:00:1f.6 x1.2.3.4y",
        ] {
            check(Search::System, text);
        }
        check(Search::Software, "1.2.3.4 4c4c4544-0044-4a10-8056-b7c04f4b5a32");
    }
}
