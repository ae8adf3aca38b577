//! What leases and scans showed and no device reports: one finding for each network.

use std::collections::BTreeMap;

use muster_common::{
    inventory::MacAddress,
    page::{InvalidPageToken, page_size},
    time::Timestamp,
};
use muster_proto::{convert::to_timestamp, v1};

use super::{QueryFailure, View, page};
use crate::{index::MacHolder, pipeline::sightings::Unclassified};

/// Where the source names no address.
const NO_NETWORK: &str = "unknown";
/// How many networks an answer names.
const MOST_NETWORKS: usize = 1_000;

impl View<'_> {
    /// A page of what is no device's, in the order of addresses.
    ///
    /// # Errors
    /// When the token is of another list.
    pub fn list_sightings(
        &self,
        request: &v1::ListSightingsRequest,
    ) -> Result<v1::ListSightingsResponse, QueryFailure> {
        let v1::ListSightingsRequest { page_size: size, page_token, network } = request;
        let size = page_size(*size) as usize;
        let after = page::decode(page_token)?;
        let after = after.map(|bytes| <[u8; 6]>::try_from(bytes.as_slice()).map_err(|_| InvalidPageToken));
        let after = after.transpose()?.map(MacAddress);
        // What belongs to nobody belongs to no department either.
        if !self.is_whole() {
            return Ok(v1::ListSightingsResponse::default());
        }
        let all = self.pipeline.sightings().unclassified();
        let mut networks: BTreeMap<String, (u32, Timestamp)> = BTreeMap::new();
        for sighting in &all {
            let of_network = networks.entry(network_of(sighting)).or_default();
            *of_network = (of_network.0 + 1, of_network.1.max(sighting.last()));
        }
        let wanted: Vec<&Unclassified> =
            all.iter().filter(|it| network.is_empty() || network_of(it) == *network).collect();
        let mut page = wanted.iter().filter(|it| after.is_none_or(|after| it.mac > after));
        let shown: Vec<&Unclassified> = page.by_ref().take(size).copied().collect();
        let next = shown.last().filter(|_| page.next().is_some()).map(|it| it.mac.0);
        let fleet = self.index.read();
        let reason = |it: &Unclassified| match fleet.holder_of(it.mac) {
            MacHolder::Nobody => "no device reports this address",
            MacHolder::One(_) => "a device reports this address now: it is noted within minutes",
            MacHolder::Several => "several devices report this address",
        };
        let sightings = shown.iter().map(|it| wire(it, reason(it))).collect();
        let mut networks: Vec<v1::SightingNetwork> = networks
            .into_iter()
            .map(|(network, (count, last))| v1::SightingNetwork {
                network,
                count,
                last_time: Some(to_timestamp(last)),
            })
            .collect();
        networks.sort_by_key(|network| std::cmp::Reverse(network.count));
        networks.truncate(MOST_NETWORKS);
        let (random, dropped) = self.pipeline.sightings().uncounted();
        Ok(v1::ListSightingsResponse {
            sightings,
            next_page_token: page::encode(next.as_ref().map(<[u8; 6]>::as_slice)),
            total_size: i64::try_from(wanted.len()).unwrap_or(i64::MAX),
            networks,
            random,
            dropped,
        })
    }
}

fn network_of(sighting: &Unclassified) -> String {
    sighting.network().unwrap_or_else(|| NO_NETWORK.to_owned())
}

fn wire(sighting: &Unclassified, reason: &str) -> v1::Sighting {
    let Unclassified { mac, ip, hostname, sources } = sighting;
    let first = sources.values().map(|(first, _)| *first).min().unwrap_or_default();
    v1::Sighting {
        mac: mac.to_string(),
        ip: ip.map(|ip| ip.to_string()).unwrap_or_default(),
        hostname: hostname.clone().unwrap_or_default(),
        sources: sources.keys().cloned().collect(),
        first_time: Some(to_timestamp(first)),
        last_time: Some(to_timestamp(sighting.last())),
        network: network_of(sighting),
        reason: reason.to_owned(),
    }
}
