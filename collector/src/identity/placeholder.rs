//! What makers write where a value belongs: texts, UUIDs and addresses that name no single machine.
//!
//! Exact lists, compared after trimming and without regard to case; never a search inside a text, since a real serial
//! may contain anything. Numbers that turn out to be shared are learned elsewhere, by counting who claims them.

use muster_common::inventory::MacAddress;

/// Serial numbers and asset tags that are none, in lower case.
const SERIALS: &[&str] = &[
    "-1",
    "n/a",
    "na",
    "none",
    "null",
    "(null)",
    "(null string)",
    "unknown",
    "unknow",
    "invalid",
    "empty",
    "not specified",
    "not present",
    "not available",
    "not applicable",
    "not installed",
    "default string",
    "default",
    "to be filled by o.e.m.",
    "to be filled by o.e.m",
    "o.e.m.",
    "oem",
    "oem_serial",
    "oem chassis serial number",
    "system serial number",
    "systemserialnumb",
    "serial number xxxxxx",
    "chassis serial number",
    "base board serial number",
    "type2 - board serial number",
    "no asset tag",
    "no asset information",
    "asset tag",
    "asset-1234567890",
    "sys-1234567890",
    "sys-9876543210",
    "sn-12345",
    "sn-1234567890",
    "mb-1234567890",
    "bsn12345678901234567",
    "1234567890.",
    "eval",
    "iatpass",
    "tulip computers",
    "<bad index>",
    "<out of spec>",
    "atn12345678901234567",
    // Every virtual machine of Azure has this chassis.
    "7783-7084-3265-9085-8269-3286-77",
    "amazon ec2",
];

/// Makers and models that are none, in lower case.
const PRODUCTS: &[&str] = &[
    "system manufacturer",
    "system product name",
    "product name",
    "system name",
    "all series",
    "system version",
    "to be filled by o.e.m.",
    "to be filled by o.e.m",
    "o.e.m.",
    "oem",
    "default string",
    "not specified",
    "not available",
    "not applicable",
    "undefined",
    "unknown",
    "none",
    "null",
    "n/a",
    "empty",
    "<bad index>",
    "<out of spec>",
];

/// UUIDs that makers and tools ship, as their 32 digits.
const UUIDS: &[&str] = &[
    "03000200040005000006000700080009",
    "6ab5b300538d10149fb5b0684d007b53",
    "123456781234567890abcddeefaabbcc",
];

/// Adapters that share one factory address, or an address that software gives to all of its kind.
const MACS: &[[u8; 6]] = &[
    [0x02, 0x80, 0x37, 0xec, 0x02, 0x00],
    [0x00, 0xa0, 0xc6, 0x00, 0x00, 0x00],
    [0x20, 0x41, 0x53, 0x59, 0x4e, 0xff],
    [0x50, 0x50, 0x54, 0x50, 0x30, 0x30],
    [0x33, 0x50, 0x6f, 0x45, 0x30, 0x30],
    [0x24, 0xb6, 0x20, 0x52, 0x41, 0x53],
    [0x02, 0x00, 0x4e, 0x43, 0x50, 0x49],
    [0x00, 0x0b, 0xca, 0xfe, 0x00, 0x00],
    [0x00, 0x01, 0x02, 0x7d, 0x9b, 0x1c],
    [0x00, 0x08, 0xa1, 0x46, 0x06, 0x35],
    [0x00, 0x08, 0xa1, 0x66, 0xe2, 0x1a],
    [0x00, 0x09, 0xdd, 0x10, 0x37, 0x68],
    [0x00, 0x0f, 0xea, 0x9a, 0xe2, 0xf0],
    [0x00, 0x10, 0x5a, 0x72, 0x71, 0xf3],
    [0x00, 0x11, 0x11, 0x85, 0x08, 0x8b],
    [0x10, 0x11, 0x11, 0x11, 0x11, 0x11],
    [0xfe, 0xff, 0xff, 0xff, 0xff, 0xff],
];

/// First bytes of addresses that software gives: dial-up, a VMware host, a VirtualBox host.
const MAC_PREFIXES: &[&[u8]] =
    &[&[0x44, 0x45, 0x53, 0x54], &[0x00, 0x50, 0x56, 0xc0, 0x00], &[0x0a, 0x00, 0x27, 0x00, 0x00]];

/// Whether a serial number or asset tag says nothing.
pub fn is_serial(text: &str) -> bool {
    let text = text.trim().to_lowercase();
    SERIALS.contains(&text.as_str()) || is_monotonous(&text) || is_counting(&text)
}

/// Whether a maker's or model's name says nothing.
pub fn is_product(text: &str) -> bool {
    let text = text.trim().to_lowercase();
    PRODUCTS.contains(&text.as_str()) || is_monotonous(&text)
}

/// Whether a UUID, given by its 16 bytes in either byte order, names no single machine.
pub fn is_uuid(bytes: &[u8; 16]) -> bool {
    let repeats = bytes.iter().all(|byte| *byte == bytes[0])
        // Two bytes in turn: `FEFEFEFE-…` has one, `01000100-…` and its like have two.
        || bytes.chunks_exact(2).all(|pair| pair == &bytes[..2]);
    let text: String = bytes.iter().map(|byte| format!("{byte:02x}")).collect();
    repeats || UUIDS.contains(&text.as_str())
}

/// Whether a UUID as text, in either byte order, names no single machine, or isn't one.
pub fn is_uuid_text(text: &str) -> bool {
    super::normalise::uuid(text).is_none()
}

/// Whether a MAC address names no single adapter.
pub fn is_mac(mac: MacAddress) -> bool {
    mac.is_locally_administered()
        || mac.is_multicast()
        || mac.0 == [0; 6]
        || MACS.contains(&mac.0)
        || MAC_PREFIXES.iter().any(|prefix| mac.0.starts_with(prefix))
}

/// Nothing, or one character again and again, such as `0`, `xxxxxxx`, `.....` and `***`; separators don't count.
fn is_monotonous(text: &str) -> bool {
    let mut characters = text.chars().filter(|c| !matches!(c, ' ' | '-' | '_' | ':' | '/'));
    match characters.next() {
        None => true,
        Some(first) => characters.all(|c| c == first),
    }
}

/// Digits that count up from 0 or 1, such as `0123456789` and `12345`.
fn is_counting(text: &str) -> bool {
    let bytes = text.as_bytes();
    bytes.len() >= 5
        && bytes.iter().all(u8::is_ascii_digit)
        && matches!(bytes[0], b'0' | b'1')
        && bytes.windows(2).all(|pair| (pair[0] - b'0' + 1) % 10 == pair[1] - b'0')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn known_fillers_are_none() {
        for text in [
            "",
            " ",
            "-1",
            "0",
            "00000000",
            "xxxxxxx",
            "0123456789",
            "12345",
            "123456789012345",
            "N/A",
            "None",
            "(null string)",
            "To Be Filled By O.E.M.",
            "Default string",
            "System Serial Number",
            "SystemSerialNumb",
            "NNNNNNN",
            "........",
            "***",
            " Not Specified ",
            "0000-0000-0000",
            "7783-7084-3265-9085-8269-3286-77",
        ] {
            assert!(is_serial(text), "{text:?} was taken for a serial number");
        }
    }

    #[test]
    fn real_serials_stay() {
        for text in ["PF0ABCDE", "1.2", "CZC1234567", "12346", "7Q8TXD2", "none-17", "0123456788", "oem4711"]
        {
            assert!(!is_serial(text), "{text:?} was thrown away");
        }
    }

    #[test]
    fn addresses_that_software_gives_are_none() {
        for text in [
            "00:00:00:00:00:00",
            "ff:ff:ff:ff:ff:ff",
            "44:45:53:54:00:01",
            "00:50:56:c0:00:08",
            "0a:00:27:00:00:10",
            "52:54:00:12:34:56",
            "00:a0:c6:00:00:00",
        ] {
            assert!(is_mac(text.parse().unwrap()), "{text} was taken for a factory's");
        }
        assert!(!is_mac("8c:16:45:9a:01:02".parse().unwrap()));
    }
}
