//! Leases, as their reader delivers them: a quarter of them random addresses, the rest nobody's.

use std::net::{IpAddr, Ipv4Addr};

use muster_common::{
    inventory::MacAddress,
    observation::{Record, Sighting},
};

use super::Content;

/// So many leases.
pub(super) fn make(rows: u32) -> Content {
    Content::Records((0..rows).map(lease).collect())
}

fn lease(row: u32) -> Record {
    let [a, b, c, d] = row.to_be_bytes();
    let vendor = if row.is_multiple_of(4) { 0x02 } else { 0x8c };
    Record::Sighting(Sighting {
        mac: MacAddress([vendor, 0x16, a, b, c, d]),
        ip: Some(IpAddr::V4(Ipv4Addr::new(10, b, c, d))),
        hostname: Some(format!("host-{row}")),
        seen: None,
        notes: Vec::new(),
    })
}
