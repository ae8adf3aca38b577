//! Scans of nmap as XML (`nmap -oX`): each host with a hardware address is a sighting.
//!
//! By nmap's DTD: `host` with `status`, `address` of type ipv4, ipv6 or mac, `hostname`. nmap knows the hardware address
//! of hosts on its own segment only; the others are refused with that reason. What ports are open is not asked for.

use muster_common::{
    observation::{Record, Sighting},
    time::Timestamp,
};
use quick_xml::{
    Reader,
    events::{BytesStart, Event},
};

use super::{
    ImportError, ImportedFile, MAX_ROWS, Placeholders, Row, RowRefused,
    leases::sighting,
    options::Options,
    recognise::{Head, Score},
    text,
};

/// The longest value of an attribute that is looked at.
const MAX_VALUE: usize = 255;

/// Reads a scan.
pub(super) fn read(
    content: &[u8],
    options: &Options,
    placeholders: &Placeholders,
) -> Result<ImportedFile, ImportError> {
    let decoded = text::decode(content, options)?;
    let mut reader = Reader::from_str(&decoded.text);
    let mut rows: Vec<Row> = Vec::new();
    let mut host: Option<Host> = None;
    let mut down = 0usize;
    loop {
        let event = reader
            .read_event()
            .map_err(|error| ImportError::NotXml { what: error.to_string().chars().take(120).collect() })?;
        match event {
            Event::Eof => break,
            Event::Start(tag) | Event::Empty(tag) => match (tag.name().as_ref(), &mut host) {
                ("host", _) => host = Some(Host::new(&tag)),
                ("status", Some(host)) => host.is_up = value(&tag, "state").as_deref() == Some("up"),
                ("address", Some(host)) => host.take_address(&tag),
                ("hostname", Some(host)) if host.name.is_none() => host.name = value(&tag, "name"),
                _ => {}
            },
            Event::End(tag) if tag.name().as_ref() == "host" => {
                let Some(host) = host.take() else { continue };
                if !host.is_up {
                    down += 1;
                    continue;
                }
                if rows.len() >= MAX_ROWS {
                    return Err(ImportError::TooManyRows);
                }
                let number = u32::try_from(rows.len() + 1).unwrap_or(u32::MAX);
                rows.push(Row {
                    number,
                    outcome: host.sighting(placeholders).map(Record::Sighting).map_err(RowRefused::new),
                    original: host.words(),
                });
            }
            _ => {}
        }
    }
    let mut remarks = decoded.remarks;
    remarks.push(format!("hosts that were up: {}; rows are counted as those", rows.len()));
    if down > 0 {
        remarks.push(format!("hosts that were down and passed over: {down}"));
    }
    Ok(ImportedFile { remarks, rows })
}

/// How much a file looks like one.
pub(super) fn recognises(head: &Head) -> Option<Score> {
    head.text
        .contains("<nmaprun")
        .then(|| Score { points: 99, why: "it is the XML of an nmap run".to_owned() })
}

/// One host as it is read.
#[derive(Debug, Default)]
struct Host {
    is_up: bool,
    ended: Option<Timestamp>,
    ip: Option<String>,
    mac: Option<String>,
    name: Option<String>,
}

impl Host {
    fn new(tag: &BytesStart<'_>) -> Self {
        let seconds = value(tag, "endtime").or_else(|| value(tag, "starttime"));
        let ended = seconds.and_then(|text| text.parse::<i64>().ok()).and_then(|it| it.checked_mul(1000));
        Self { ended: ended.map(Timestamp::from_millis), ..Self::default() }
    }

    fn take_address(&mut self, tag: &BytesStart<'_>) {
        let address = value(tag, "addr");
        match value(tag, "addrtype").as_deref() {
            Some("mac") => self.mac = address,
            Some(_) | None => self.ip = self.ip.take().or(address),
        }
    }

    fn sighting(&self, placeholders: &Placeholders) -> Result<Sighting, String> {
        let mac = self.mac.as_deref().ok_or(
            "nmap saw no hardware address (it sees those of its own network segment only, and as root)",
        )?;
        sighting(mac, self.ip.as_deref().unwrap_or_default(), self.name.clone(), self.ended, placeholders)
    }

    fn words(&self) -> String {
        [&self.ip, &self.mac, &self.name].into_iter().flatten().cloned().collect::<Vec<_>>().join(" ")
    }
}

fn value(tag: &BytesStart<'_>, name: &str) -> Option<String> {
    let attribute = tag.try_get_attribute(name).ok()??;
    let text = attribute.value;
    Some(text.chars().take(MAX_VALUE).collect())
}
