//! Values that stand for others: of the same length and class of characters, the same for the same value within one
//! bundle, and of no use to whoever hasn't the key.
//!
//! The key is random for each bundle and never written, so nobody can try values until one fits. Knows nothing of where
//! values stand.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use ring::rand::{SecureRandom, SystemRandom};
use zeroize::Zeroizing;

/// What a value identifies; for the summary, and for what of it is kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) enum Kind {
    /// A serial number, asset tag or world-wide name.
    Serial,
    /// A UUID, machine id or another long hexadecimal number; the version of a UUID is kept.
    Uuid,
    /// A MAC address; maker and flags are kept.
    Mac,
    /// An IP address; loopback and the class of private networks are kept.
    Address,
    /// A host or domain name.
    Host,
    /// An account, a person's name or a home folder.
    Person,
    /// An e-mail address.
    Email,
    /// A password or key, or that there is none.
    Password,
    /// Something else that nobody vouches for.
    Other,
}

impl Kind {
    /// In the plural, for people.
    pub(crate) fn in_words(self) -> &'static str {
        match self {
            Self::Serial => "serial numbers and asset tags",
            Self::Uuid => "UUIDs, machine ids and other long numbers",
            Self::Mac => "MAC addresses",
            Self::Address => "IP addresses",
            Self::Host => "host and domain names",
            Self::Person => "accounts, names and home folders",
            Self::Email => "e-mail addresses",
            Self::Password => "password fields",
            Self::Other => "values that no rule vouches for",
        }
    }
}

/// Firmware that has no number says so in these ways, which tell nothing of anybody.
const PLACEHOLDERS: &[&str] = &[
    "default string",
    "system serial number",
    "chassis serial number",
    "base board serial number",
    "not specified",
    "to be filled by o.e.m.",
    "to be filled by o.e.m",
    "none",
    "n/a",
    "na",
    "unknown",
    "not available",
    "not applicable",
    "no asset tag",
    "no asset information",
    "asset tag",
    "asset-1234567890",
    "serial number",
    "invalid",
    "empty",
    "oem",
    "o.e.m.",
    "0123456789",
    "123456789",
    "1234567890",
    "no enclosure",
    "unspecified",
    "not set",
    "null",
    "standard",
    // Every machine of these clouds says so.
    "amazon ec2",
    "7783-7084-3265-9085-8269-3286-77",
];

/// A MAC address or the bytes of one.
type MacBytes = [u8; 6];

/// Makes them.
#[derive(Debug)]
pub(crate) struct Pseudonyms {
    key: Zeroizing<[u8; 32]>,
}

/// The system gave no random bytes.
#[derive(Debug, thiserror::Error)]
#[error("the system gives no random numbers; nothing is written without them")]
pub(crate) struct NoRandomness;

impl Pseudonyms {
    /// With a key of their own.
    pub(crate) fn random() -> Result<Self, NoRandomness> {
        let mut key = Zeroizing::new([0; 32]);
        SystemRandom::new().fill(key.as_mut()).map_err(|_| NoRandomness)?;
        Ok(Self { key })
    }

    /// With a key that everybody knows, to try what is replaced at all.
    pub(crate) fn of_nobody() -> Self {
        Self { key: Zeroizing::new([0; 32]) }
    }

    /// For a value of a kind, as text in any of the ways in which it is written.
    pub(crate) fn of(&self, kind: Kind, value: &[u8]) -> Vec<u8> {
        let known = match kind {
            Kind::Mac => self.mac_text(value),
            Kind::Uuid => self.uuid_text(value),
            Kind::Address => self.address_text(value),
            Kind::Serial | Kind::Host | Kind::Person | Kind::Email | Kind::Password | Kind::Other => None,
        };
        known.unwrap_or_else(|| self.text(value))
    }

    /// For a text: letters for letters, digits for digits, everything else as it is; blanks around it count for nothing,
    /// and neither does case. A placeholder stays.
    pub(crate) fn text(&self, value: &[u8]) -> Vec<u8> {
        let core = value.trim_ascii();
        if is_placeholder(core) {
            return value.to_vec();
        }
        let lower = core.to_ascii_lowercase();
        let letters = if is_hexadecimal(core) { 6 } else { 26 };
        let mut replaced = core.to_vec();
        for attempt in 0_u8..16 {
            let mut stream = self.stream(&[b"text", &[attempt], &lower]);
            let mut in_number = false;
            for (to, from) in replaced.iter_mut().zip(core) {
                *to = same_class(*from, stream.next(), letters, in_number);
                in_number = from.is_ascii_digit() && (in_number || *from != b'0');
            }
            if !replaced.eq_ignore_ascii_case(core) {
                break;
            }
        }
        let start = value.len() - value.trim_ascii_start().len();
        let mut whole = value.to_vec();
        whole[start..start + replaced.len()].copy_from_slice(&replaced);
        whole
    }

    /// For a MAC address. One that software made says nothing but that, and one without meaning stays.
    pub(crate) fn mac(&self, mac: MacBytes) -> MacBytes {
        if mac.iter().all(|byte| *byte == mac[0]) {
            return mac;
        }
        let kept = if mac[0] & 0x02 == 0 { 3 } else { 1 };
        let mut replaced = mac;
        let mut stream = self.stream(&[b"mac", &mac]);
        while replaced == mac {
            replaced[kept..].fill_with(|| stream.next());
        }
        replaced
    }

    /// For the bytes of a UUID. Whoever writes its first three groups the other way round gets the same one so written.
    pub(crate) fn uuid(&self, bytes: [u8; 16]) -> [u8; 16] {
        if bytes.iter().all(|byte| *byte == bytes[0]) {
            return bytes;
        }
        let flipped = flip(bytes);
        if flipped < bytes {
            return flip(self.uuid(flipped));
        }
        let mut replaced = bytes;
        let mut stream = self.stream(&[b"uuid", &bytes]);
        while replaced == bytes {
            for (place, byte) in replaced.iter_mut().enumerate() {
                // The version is in the first half of the seventh byte, or of the eighth; the variant follows.
                let kept = if (6..=8).contains(&place) { 0xf0 } else { 0 };
                *byte = (bytes[place] & kept) | (stream.next() & !kept);
            }
        }
        replaced
    }

    /// For an IP address. Those that mean the same everywhere stay.
    pub(crate) fn address(&self, address: IpAddr) -> IpAddr {
        match address {
            IpAddr::V4(v4) => self.v4(v4).into(),
            IpAddr::V6(v6) => self.v6(v6).into(),
        }
    }

    /// For a number of 16 bits, with as many digits, decimal and hexadecimal.
    pub(crate) fn word(&self, number: u16) -> u16 {
        if number < 10 {
            return number;
        }
        let digits = |number: u16| (number.checked_ilog10(), number.leading_zeros() / 4);
        let mut stream = self.stream(&[b"word", &number.to_be_bytes()]);
        loop {
            let replaced = u16::from_be_bytes([stream.next(), stream.next()]);
            if replaced != number && digits(replaced) == digits(number) {
                return replaced;
            }
        }
    }

    /// For a number of 32 bits; none stays none.
    pub(crate) fn number(&self, number: u32) -> u32 {
        let mut stream = self.stream(&[b"number", &number.to_be_bytes()]);
        let mut replaced = number;
        while number != 0 && (replaced == number || replaced == 0) {
            replaced = u32::from_be_bytes([stream.next(), stream.next(), stream.next(), stream.next()]);
        }
        replaced
    }

    fn v4(&self, address: Ipv4Addr) -> Ipv4Addr {
        let octets = address.octets();
        let kept = match octets {
            [0 | 127 | 224..=255, ..] => return address,
            [10, ..] => 1,
            [172, 16..=31, ..] | [192, 168, ..] | [169, 254, ..] => 2,
            _ => 0,
        };
        let mut stream = self.stream(&[b"v4", &octets]);
        let mut replaced = octets;
        while replaced == octets {
            for (place, octet) in octets.iter().enumerate().skip(kept) {
                let (least, most) = match (octet, place) {
                    (0..=9, 0) => (1, 9),
                    (0..=9, _) => (0, 9),
                    (10..=99, _) => (11, 99),
                    (100..=255, 0) => (128, 168),
                    (100..=255, _) => (100, 255),
                };
                let span = u16::from(most - least) + 1;
                let step = u8::try_from(u16::from(stream.next()) % span).unwrap_or(0);
                replaced[place] = least + step;
            }
        }
        replaced.into()
    }

    fn v6(&self, address: Ipv6Addr) -> Ipv6Addr {
        if let Some(v4) = address.to_ipv4_mapped() {
            return self.v4(v4).to_ipv6_mapped();
        }
        if address.is_loopback() || address.is_unspecified() || address.is_multicast() {
            return address;
        }
        let groups = address.segments();
        let mut replaced = groups;
        let mut stream = self.stream(&[b"v6", &address.octets()]);
        let first = if address.is_unicast_link_local() { 4 } else { 0 };
        // The first address of all local networks.
        if groups[first..].iter().all(|group| *group == 0) {
            return address;
        }
        while replaced == groups {
            for place in first..8 {
                let group = groups[place];
                // As many digits as before, and of the first group the class that its first digits tell.
                let width = 16 - group.leading_zeros() / 4 * 4;
                let kept: u16 = if place == 0 { 0xff00 } else { 0 };
                let mask = u16::try_from((1_u32 << width) - 1).unwrap_or(u16::MAX) & !kept;
                let top = if width == 0 || kept != 0 { 0 } else { 1_u16 << (width - 4) };
                let random = u16::from_be_bytes([stream.next(), stream.next()]);
                replaced[place] = (group & kept) | (random & mask) | top;
            }
        }
        replaced.into()
    }

    fn address_text(&self, text: &[u8]) -> Option<Vec<u8>> {
        let address: IpAddr = std::str::from_utf8(text).ok()?.parse().ok()?;
        Some(self.address(address).to_string().into_bytes()).filter(|replaced| replaced.len() == text.len())
    }

    fn mac_text(&self, text: &[u8]) -> Option<Vec<u8>> {
        let bytes: MacBytes = hexadecimal(text)?;
        Some(written_like(text, &self.mac(bytes)))
    }

    fn uuid_text(&self, text: &[u8]) -> Option<Vec<u8>> {
        let bytes: [u8; 16] = hexadecimal(text)?;
        Some(written_like(text, &self.uuid(bytes)))
    }

    fn stream(&self, parts: &[&[u8]]) -> Stream {
        let mut hasher = blake3::Hasher::new_keyed(&self.key);
        for part in parts {
            hasher.update(&u64::try_from(part.len()).unwrap_or(u64::MAX).to_le_bytes());
            hasher.update(part);
        }
        Stream { reader: hasher.finalize_xof(), bytes: [0; 64], left: 0 }
    }
}

/// Bytes without end.
struct Stream {
    reader: blake3::OutputReader,
    bytes: [u8; 64],
    left: usize,
}

impl Stream {
    fn next(&mut self) -> u8 {
        if self.left == 0 {
            self.reader.fill(&mut self.bytes);
            self.left = self.bytes.len();
        }
        self.left -= 1;
        self.bytes[self.left]
    }
}

/// Whether a value says that there is none: a known phrase, or one character all over.
pub(crate) fn is_placeholder(value: &[u8]) -> bool {
    let value = value.trim_ascii();
    let mut signs = value.iter().filter(|byte| byte.is_ascii_alphanumeric() || !byte.is_ascii());
    let Some(first) = signs.next() else { return true };
    let is_one_sign = value.len() > 2 && signs.all(|sign| sign == first);
    is_one_sign || PLACEHOLDERS.iter().any(|phrase| value.eq_ignore_ascii_case(phrase.as_bytes()))
}

/// The first three groups the other way round.
pub(crate) fn flip(mut uuid: [u8; 16]) -> [u8; 16] {
    uuid[..4].reverse();
    uuid[4..6].reverse();
    uuid[6..8].reverse();
    uuid
}

/// Long enough to be a number and not a word.
fn is_hexadecimal(text: &[u8]) -> bool {
    let signs = || text.iter().filter(|byte| byte.is_ascii_alphanumeric() || !byte.is_ascii());
    signs().count() >= 8 && signs().all(u8::is_ascii_hexdigit)
}

/// Zeroes before a number stay, so that it has as many digits as it had.
fn same_class(byte: u8, random: u8, letters: u8, in_number: bool) -> u8 {
    match byte {
        b'0'..=b'9' if in_number => b'0' + random % 10,
        b'0' => b'0',
        b'1'..=b'9' => b'1' + random % 9,
        b'a'..=b'z' => b'a' + random % letters,
        b'A'..=b'Z' => b'A' + random % letters,
        // A letter of another script takes as many as it has bytes.
        0x80.. => b'a' + random % 26,
        _ => byte,
    }
}

/// The bytes that a text has in hexadecimal, whatever stands between them; `None` unless they are `N`.
pub(crate) fn hexadecimal<const N: usize>(text: &[u8]) -> Option<[u8; N]> {
    let digits: Vec<u8> = digits(text).map(|(_, digit)| digit).collect();
    if digits.len() != 2 * N {
        return None;
    }
    let mut bytes = [0; N];
    for (byte, pair) in bytes.iter_mut().zip(digits.chunks_exact(2)) {
        *byte = pair[0] << 4 | pair[1];
    }
    Some(bytes)
}

/// Places and values of the digits; the `x2d` that systemd writes for a hyphen has none.
fn digits(text: &[u8]) -> impl Iterator<Item = (usize, u8)> + '_ {
    text.iter().enumerate().filter_map(|(place, byte)| {
        let in_escape = (1..=3).any(|back| {
            place >= back && text.get(place - back..).is_some_and(|rest| rest.starts_with(b"\\x2d"))
        });
        let digit = char::from(*byte).to_digit(16).and_then(|digit| u8::try_from(digit).ok())?;
        (!in_escape).then_some((place, digit))
    })
}

/// Other bytes in the form of a text.
fn written_like(text: &[u8], bytes: &[u8]) -> Vec<u8> {
    let mut written = text.to_vec();
    let values = bytes.iter().flat_map(|byte| [byte >> 4, byte & 0xf]);
    let is_upper = text.iter().any(|byte| (b'A'..=b'F').contains(byte));
    for ((place, _), value) in digits(text).zip(values) {
        let digit = char::from_digit(value.into(), 16).unwrap_or('0');
        let digit = if is_upper { digit.to_ascii_uppercase() } else { digit };
        written[place] = u8::try_from(digit).unwrap_or(b'0');
    }
    written
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn class(byte: u8) -> u8 {
        match byte {
            b'0'..=b'9' => b'0',
            b'a'..=b'z' => b'a',
            b'A'..=b'Z' => b'A',
            other => other,
        }
    }

    #[test]
    fn kinds_keep_what_they_may() {
        let made = Pseudonyms::random().unwrap();
        let of = |kind, text: &str| String::from_utf8(made.of(kind, text.as_bytes())).unwrap();
        for (kind, text, kept) in [
            (Kind::Mac, "00:1b:21:3a:4f:5e", "00:1b:21:"),
            (Kind::Mac, "02:42:ac:11:00:02", "02:"),
            (Kind::Address, "192.168.178.23", "192.168."),
            (Kind::Address, "10.20.30.40", "10."),
            (Kind::Address, "93.184.216.34", ""),
            (Kind::Address, "2a02:8109:9a80:1234:21b:21ff:fe3a:4f5e", "2a"),
            (Kind::Address, "fe80::21b:21ff:fe3a:4f5e", "fe80::"),
            (Kind::Serial, "PF0XYZ12", ""),
            (Kind::Host, "web-01.corp.example.org", ""),
        ] {
            let replaced = of(kind, text);
            assert!(replaced != text && replaced.starts_with(kept), "{text} became {replaced}");
            assert_eq!(replaced.len(), text.len());
        }
        for (kind, text) in [
            (Kind::Mac, "00:00:00:00:00:00"),
            (Kind::Mac, "ff:ff:ff:ff:ff:ff"),
            (Kind::Address, "127.0.0.53"),
            (Kind::Address, "0.0.0.0"),
            (Kind::Address, "::1"),
            (Kind::Address, "::"),
            (Kind::Address, "fe80::"),
            (Kind::Address, "ff02::1"),
            (Kind::Serial, "To Be Filled By O.E.M."),
            (Kind::Serial, "0000000000"),
            (Kind::Serial, "  "),
            (Kind::Uuid, "ffffffff-ffff-ffff-ffff-ffffffffffff"),
        ] {
            assert_eq!(of(kind, text), text);
        }
        assert_eq!(of(Kind::Serial, " abc12 ").trim(), of(Kind::Serial, "ABC12").to_lowercase());
    }

    #[test]
    fn one_value_written_in_several_ways_stays_one() {
        let made = Pseudonyms::random().unwrap();
        let of = |kind, text: &str| String::from_utf8(made.of(kind, text.as_bytes())).unwrap();
        let bare = |text: String| text.replace([':', '-'], "").replace("\\x2d", "").to_lowercase();
        let mac = of(Kind::Mac, "00:1b:21:3a:4f:5e");
        assert_eq!(bare(of(Kind::Mac, "001B213A4F5E")), bare(mac.clone()));
        assert_eq!(bare(of(Kind::Mac, "00-1b-21-3a-4f-5e")), bare(mac));
        let uuid = of(Kind::Uuid, "4c4c4544-0044-4a10-8056-b7c04f4b5a32");
        assert_eq!((&uuid[14..15], &uuid[19..20]), ("4", "8"));
        assert_eq!(bare(of(Kind::Uuid, "4C4C454400444A108056B7C04F4B5A32")), bare(uuid.clone()));
        assert_eq!(
            bare(of(Kind::Uuid, r"4c4c4544\x2d0044\x2d4a10\x2d8056\x2db7c04f4b5a32")),
            bare(uuid.clone())
        );
        let flipped: [u8; 16] = hexadecimal(b"44454c4c-4400-104a-8056-b7c04f4b5a32").unwrap();
        assert_eq!(flip(made.uuid(flipped)), hexadecimal::<16>(uuid.as_bytes()).unwrap());
    }

    proptest! {
        #[test]
        fn length_and_class_are_kept_within_a_bundle_and_no_value_between_bundles(
            text in "[ -~]{0,4}[A-Za-z1-9]{6,20}[ -~]{0,4}",
            uuid: [u8; 16],
            v4: [u8; 4],
            v6: [u16; 8],
            word: u16,
        ) {
            let (one, other) = (Pseudonyms::random().unwrap(), Pseudonyms::random().unwrap());
            let replaced = one.text(text.as_bytes());
            let classes = |bytes: &[u8]| bytes.iter().map(|byte| class(*byte)).collect::<Vec<_>>();
            prop_assert_eq!(classes(&replaced), classes(text.as_bytes()));
            prop_assert_eq!(&one.text(text.as_bytes()), &replaced);
            if !is_placeholder(text.as_bytes()) {
                prop_assert_ne!(&replaced, text.as_bytes());
                prop_assert_ne!(other.text(text.as_bytes()), replaced);
            }
            prop_assert_eq!(one.uuid(uuid), one.uuid(uuid));
            prop_assert_eq!(flip(one.uuid(flip(uuid))), one.uuid(uuid));
            let (v4, v6) = (Ipv4Addr::from(v4), Ipv6Addr::from(v6));
            prop_assert_eq!(one.v4(v4).to_string().len(), v4.to_string().len());
            prop_assert_eq!(one.v6(v6), one.v6(v6));
            prop_assert_eq!(one.word(word).to_string().len(), word.to_string().len());
        }
    }
}
