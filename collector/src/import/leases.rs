//! Leases of DHCP servers: ISC's `dhcpd.leases` and Kea's lease file, each a sighting of an adapter on a network.
//!
//! The grammar of dhcpd.leases(5): `lease ADDRESS { statement; … }`, comments from `#` on. Kea's file is CSV with a comma
//! in a value written as `&#x2c` (Kea ARM, memfile). A lease shows who was there when it began, not who is there now.

use std::net::IpAddr;

use muster_common::{
    observation::{Record, Sighting},
    time::Timestamp,
};

use super::{
    ImportError, ImportedFile, MAX_ROWS, Placeholders, Row, RowRefused,
    named::{NamedColumn, NamedList, column},
    options::Options,
    recognise::{Head, Score},
    table::cut,
    text,
};

/// The columns of Kea's lease files of both families.
const KEA: &[NamedColumn] = &[
    column("address", &["address"]),
    column("hardware address", &["hwaddr"]),
    column("lifetime", &["validlifetime"]),
    column("expires", &["expire"]),
    column("host name", &["hostname"]),
];

/// Reads `dhcpd.leases`.
pub(super) fn read_isc(
    content: &[u8],
    options: &Options,
    placeholders: &Placeholders,
) -> Result<ImportedFile, ImportError> {
    let decoded = text::decode(content, options)?;
    let mut rows = Vec::new();
    let mut block: Option<Block> = None;
    for (number, line) in (1u32..).zip(decoded.text.lines()) {
        let line = line.split('#').next().unwrap_or_default().trim();
        match &mut block {
            None => {
                let mut words = line.split_whitespace();
                if let (Some("lease"), Some(address), Some("{")) = (words.next(), words.next(), words.next())
                {
                    block = Some(Block { number, address: address.to_owned(), ..Block::default() });
                }
            }
            Some(open) if line.starts_with('}') => {
                if rows.len() >= MAX_ROWS {
                    return Err(ImportError::TooManyRows);
                }
                rows.push(open.row(placeholders));
                block = None;
            }
            Some(open) => open.take(line),
        }
    }
    if rows.is_empty() {
        return Err(ImportError::Empty);
    }
    let mut remarks = decoded.remarks;
    remarks.push(format!("leases: {}", rows.len()));
    Ok(ImportedFile { remarks, rows })
}

/// Reads a lease file of Kea.
pub(super) fn read_kea(
    content: &[u8],
    options: &Options,
    placeholders: &Placeholders,
) -> Result<ImportedFile, ImportError> {
    let decoded = text::decode(content, options)?;
    let mut list = NamedList::read(&decoded, options, KEA, &[&["address"], &["hardware address"]])?;
    list.note_ignored(|_| false);
    let rows = list.rows().map(|row| {
        let number = |name| list.text(row, name).and_then(|text| text.parse::<i64>().ok());
        // A lease begins its life before it expires.
        let began = number("expires").map(|expires| expires.saturating_sub(number("lifetime").unwrap_or(0)));
        let lease = Block {
            number: row.number,
            address: list.text(row, "address").unwrap_or_default(),
            mac: list.text(row, "hardware address"),
            hostname: list.text(row, "host name").map(|name| name.replace("&#x2c", ",")),
            began: began.and_then(|seconds| seconds.checked_mul(1000)).map(Timestamp::from_millis),
            original: row.original().to_owned(),
        };
        lease.row(placeholders)
    });
    Ok(ImportedFile { rows: rows.collect(), remarks: list.remarks.clone() })
}

/// How much a file looks like ISC's.
pub(super) fn recognises_isc(head: &Head) -> Option<Score> {
    let has = |start: &str| head.text.lines().any(|line| line.trim_start().starts_with(start));
    (has("lease ") && (has("hardware ethernet") || has("binding state")))
        .then(|| Score { points: 95, why: "it has lease { … } blocks of dhcpd.leases".to_owned() })
}

/// How much a file looks like Kea's.
pub(super) fn recognises_kea(head: &Head) -> Option<Score> {
    head.line_with(&["address", "hwaddr", "validlifetime", "expire"]).map(|_| Score {
        points: 95,
        why: "it has Kea's columns address, hwaddr, valid_lifetime, expire".to_owned(),
    })
}

/// One lease as it is read.
#[derive(Debug, Default)]
struct Block {
    number: u32,
    address: String,
    mac: Option<String>,
    hostname: Option<String>,
    began: Option<Timestamp>,
    original: String,
}

impl Block {
    fn take(&mut self, line: &str) {
        if self.original.len() + line.len() < super::MAX_ORIGINAL_BYTES {
            self.original.push_str(line);
            self.original.push(' ');
        }
        let statement = line.trim_end_matches(';').trim();
        if let Some(mac) = statement.strip_prefix("hardware ethernet ") {
            self.mac = Some(mac.trim().to_owned());
        } else if let Some(name) = statement.strip_prefix("client-hostname ") {
            self.hostname = Some(name.trim().trim_matches('"').chars().take(255).collect());
        } else if let Some(time) = statement.strip_prefix("starts ") {
            self.began = moment(time);
        }
    }

    fn row(&self, placeholders: &Placeholders) -> Row {
        Row {
            number: self.number,
            outcome: self.sighting(placeholders).map(Record::Sighting).map_err(RowRefused::new),
            original: cut(&format!("{} {}", self.address, self.original)).to_owned(),
        }
    }

    fn sighting(&self, placeholders: &Placeholders) -> Result<Sighting, String> {
        let text =
            self.mac.as_deref().ok_or("the lease names no hardware address, so nothing tells whose it is")?;
        sighting(text, &self.address, self.hostname.clone(), self.began, placeholders)
    }
}

/// A sighting from its texts; a placeholder's address says nothing of any device.
pub(super) fn sighting(
    mac: &str,
    address: &str,
    hostname: Option<String>,
    seen: Option<Timestamp>,
    placeholders: &Placeholders,
) -> Result<Sighting, String> {
    let macs = super::keys::macs(mac)?;
    let [mac] = macs[..] else { return Err(format!("{} is not one MAC address", super::cells::shown(mac))) };
    let is_random = mac.0[0] & 2 != 0;
    // Randomised addresses are counted by whoever takes sightings in; other placeholders belong to nobody.
    if !is_random && (placeholders.mac)(mac) {
        return Err(format!("{mac} is an address that many adapters share"));
    }
    let ip: Option<IpAddr> = match address {
        "" => None,
        text => {
            Some(text.parse().map_err(|_| format!("{} is not an IP address", super::cells::shown(text)))?)
        }
    };
    Ok(Sighting { mac, ip, hostname: hostname.filter(|name| !name.is_empty()), seen, notes: Vec::new() })
}

/// `4 2026/11/19 10:00:00`, `epoch 1795082400` or `never`.
fn moment(text: &str) -> Option<Timestamp> {
    let words: Vec<&str> = text.split_whitespace().collect();
    match words[..] {
        ["epoch", seconds, ..] => seconds.parse::<i64>().ok()?.checked_mul(1000).map(Timestamp::from_millis),
        [_, day, time, ..] => format!("{}T{time}Z", day.replace('/', "-")).parse().ok(),
        _ => None,
    }
}
