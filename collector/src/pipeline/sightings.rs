//! What leases and scans show: which device was seen on a network, and what is on networks that is no device's.
//!
//! **A sighting never makes, merges or changes a device.** It belongs to the one device that reports the address on any
//! adapter, docks and virtual ones included, and says when a source last saw that; what no device reports, or several do,
//! is kept as it is, bounded, and tried again when devices have reported more. Random addresses that no device reports
//! are counted and not kept, since they name a person's phone as often as anything of ours.
//!
//! Memory, flushed in batches as presence is, so that a hundred thousand leases an hour write nothing else.

use std::{
    collections::{BTreeMap, BTreeSet, HashMap},
    net::IpAddr,
    sync::{Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use muster_common::{
    device::Device, id::DeviceId, inventory::MacAddress, observation::Sighting, source::ImportName,
    time::Timestamp,
};
use muster_proto::store::v1 as stored;
use prost::Message;

use super::{ObserveError, Pipeline};
use crate::{
    index::MacHolder,
    store::{Key, Presence as Kept, Store, StoreError},
};

/// How many endpoints that are no device's are kept.
const MOST_UNCLASSIFIED: usize = 50_000;
/// How many sources of one endpoint are kept.
const MOST_SOURCES: usize = 16;
/// A sighting that is older says nothing of who has the address now: docks go from hand to hand.
const NEAR: Duration = Duration::from_secs(7 * 24 * 60 * 60);
/// How many are kept in one batch.
const AT_ONCE: usize = 10_000;
/// Kinds of keys; a device's own presence has none.
const OF_DEVICE: &[u8] = b"s/";
const UNCLASSIFIED: &[u8] = b"n/";
const RANDOM: &[u8] = b"x/";

/// What became of a sighting.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Sighted {
    /// It belongs to a device; whether it says more than was known.
    Device(DeviceId, bool),
    /// No device reports the address; whether it is new.
    Nobody(bool),
    /// Several devices report it.
    Several(bool),
    /// It is too old to tell whose it was.
    Old,
    /// A random address: counted.
    Random,
    /// An address that names nobody, such as zeros.
    Nothing,
}

/// An endpoint that is no device's.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Unclassified {
    /// By which it is told.
    pub mac: MacAddress,
    /// The address that it had last.
    pub ip: Option<IpAddr>,
    /// The name that it gave itself.
    pub hostname: Option<String>,
    /// When each import first and last showed it.
    pub sources: BTreeMap<String, (Timestamp, Timestamp)>,
}

impl Unclassified {
    /// The network that it was seen on: an IPv4 prefix of 24 bits, of IPv6 64; none when no address is known.
    pub fn network(&self) -> Option<String> {
        match self.ip? {
            IpAddr::V4(ip) => {
                let [a, b, c, _] = ip.octets();
                Some(format!("{a}.{b}.{c}.0/24"))
            }
            IpAddr::V6(ip) => {
                let prefix = u128::from(ip) & !u128::from(u64::MAX);
                Some(format!("{}/64", std::net::Ipv6Addr::from(prefix)))
            }
        }
    }

    /// When any import last showed it.
    pub fn last(&self) -> Timestamp {
        self.sources.values().map(|(_, last)| *last).max().unwrap_or_default()
    }
}

/// What leases and scans showed.
#[derive(Debug, Default)]
pub struct Sightings {
    inner: Mutex<Inner>,
}

#[derive(Debug, Default)]
struct Inner {
    devices: HashMap<DeviceId, BTreeMap<String, Timestamp>>,
    unclassified: BTreeMap<MacAddress, Unclassified>,
    random: BTreeMap<String, (u32, Timestamp)>,
    dropped: u64,
    /// What was not kept yet.
    unflushed: Unflushed,
}

#[derive(Debug, Default)]
struct Unflushed {
    devices: BTreeSet<(DeviceId, String)>,
    macs: BTreeSet<MacAddress>,
    random: BTreeSet<String>,
}

impl Sightings {
    fn inner(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Reads what was flushed before the last stop.
    ///
    /// # Errors
    /// When the store can't be read.
    pub async fn load(&self, store: &dyn Store) -> Result<(), StoreError> {
        let kept = store.presence().await?;
        let mut inner = self.inner();
        for (key, value) in kept {
            let key = key.as_bytes();
            if let Some((id, name)) = key.strip_prefix(OF_DEVICE).and_then(<[u8]>::split_first_chunk::<16>) {
                let (Ok(ms), Ok(name)) = (<[u8; 8]>::try_from(value.as_slice()), std::str::from_utf8(name))
                else {
                    continue;
                };
                let last = Timestamp::from_millis(i64::from_le_bytes(ms));
                let device = inner.devices.entry(DeviceId::from_bytes(*id)).or_default();
                device.insert(name.to_owned(), last);
            } else if let Some(mac) = key.strip_prefix(UNCLASSIFIED).and_then(|mac| mac.try_into().ok()) {
                let Ok(stored) = stored::UnclassifiedSighting::decode(value.as_slice()) else { continue };
                inner.unclassified.insert(MacAddress(mac), from_stored(MacAddress(mac), stored));
            } else if let Some(name) =
                key.strip_prefix(RANDOM).and_then(|name| std::str::from_utf8(name).ok())
            {
                let Ok(stored) = stored::RandomSightings::decode(value.as_slice()) else { continue };
                let counted = (stored.count, Timestamp::from_millis(stored.time_ms));
                inner.random.insert(name.to_owned(), counted);
            }
        }
        Ok(())
    }

    /// When each import last saw a device on a network.
    pub fn of(&self, device: DeviceId) -> BTreeMap<String, Timestamp> {
        self.inner().devices.get(&device).cloned().unwrap_or_default()
    }

    /// When any import last saw a device on a network.
    pub fn last_of(&self, device: DeviceId) -> Option<Timestamp> {
        self.inner().devices.get(&device).and_then(|sources| sources.values().copied().max())
    }

    /// When each import last saw any device.
    pub fn last_by_source(&self) -> BTreeMap<String, Timestamp> {
        let mut last: BTreeMap<String, Timestamp> = BTreeMap::new();
        for (source, seen) in self.inner().devices.values().flatten() {
            let known = last.entry(source.clone()).or_insert(*seen);
            *known = (*known).max(*seen);
        }
        last
    }

    /// Adds to a record who saw the device.
    pub fn add_to(&self, device: &mut Device) {
        for (source, last) in self.inner().devices.get(&device.id).into_iter().flatten() {
            let seen = device.seen_by.entry(source.clone()).or_insert(*last);
            *seen = (*seen).max(*last);
        }
    }

    /// What is no device's, in the order of addresses.
    pub fn unclassified(&self) -> Vec<Unclassified> {
        self.inner().unclassified.values().cloned().collect()
    }

    /// How many random addresses the imports showed the last time each, and how many endpoints could not be kept.
    pub fn uncounted(&self) -> (u32, u64) {
        let inner = self.inner();
        (inner.random.values().map(|(count, _)| *count).fold(0, u32::saturating_add), inner.dropped)
    }

    /// Who saw each device, for the index.
    pub(super) fn all(&self) -> Vec<(DeviceId, Vec<String>)> {
        let inner = self.inner();
        inner.devices.iter().map(|(id, sources)| (*id, sources.keys().cloned().collect())).collect()
    }

    /// Keeps what changed since the last flush.
    ///
    /// # Errors
    /// When the store can't be written; what was not kept is kept by the next flush.
    pub async fn flush(&self, store: &dyn Store) -> Result<usize, StoreError> {
        let (taken, batch) = {
            let mut inner = self.inner();
            let taken = std::mem::take(&mut inner.unflushed);
            let batch = batch(&inner, &taken);
            (taken, batch)
        };
        let count = batch.len();
        let mut rest = batch.into_iter();
        loop {
            let part: Vec<Kept> = rest.by_ref().take(AT_ONCE).collect();
            if part.is_empty() {
                return Ok(count);
            }
            if let Err(error) = store.put_presence(part).await {
                let unflushed = &mut self.inner().unflushed;
                unflushed.devices.extend(taken.devices);
                unflushed.macs.extend(taken.macs);
                unflushed.random.extend(taken.random);
                return Err(error);
            }
        }
    }
}

impl Inner {
    fn saw(&mut self, device: DeviceId, source: &str, last: Timestamp) -> bool {
        let known = self.devices.entry(device).or_default().entry(source.to_owned()).or_default();
        if *known >= last {
            return false;
        }
        *known = last;
        self.unflushed.devices.insert((device, source.to_owned()));
        true
    }

    /// Keeps what is no device's; whether it is new, none when there is no room.
    fn keep(&mut self, sighting: &Sighting, source: &str, seen: Timestamp) -> Option<bool> {
        let is_new = !self.unclassified.contains_key(&sighting.mac);
        if is_new && self.unclassified.len() >= MOST_UNCLASSIFIED {
            self.dropped += 1;
            return None;
        }
        let known = self.unclassified.entry(sighting.mac).or_insert_with(|| Unclassified {
            mac: sighting.mac,
            ip: None,
            hostname: None,
            sources: BTreeMap::new(),
        });
        let is_latest = seen >= known.last();
        let room = known.sources.len() < MOST_SOURCES || known.sources.contains_key(source);
        let before = known.clone();
        if room {
            let times = known.sources.entry(source.to_owned()).or_insert((seen, seen));
            *times = (times.0.min(seen), times.1.max(seen));
        }
        if is_latest {
            known.ip = sighting.ip.or(known.ip);
            if let Some(hostname) = &sighting.hostname {
                known.hostname = Some(hostname.clone());
            }
        }
        if *known != before {
            self.unflushed.macs.insert(sighting.mac);
        }
        Some(is_new)
    }

    fn forget(&mut self, mac: &MacAddress) -> Option<Unclassified> {
        let gone = self.unclassified.remove(mac)?;
        self.unflushed.macs.insert(*mac);
        Some(gone)
    }
}

impl Pipeline {
    /// What leases and scans showed.
    pub fn sightings(&self) -> &Sightings {
        &self.sightings
    }

    /// Takes what an import saw on networks, or says what would become of it; one answer each, in their order.
    ///
    /// # Errors
    /// When findings about devices that were thought silent can't be judged again; what was seen is noted all the same.
    pub async fn sight(
        &self,
        import: &ImportName,
        sightings: &[&Sighting],
        apply: bool,
    ) -> Result<Vec<Sighted>, ObserveError> {
        let now = self.now();
        let mut outcomes = Vec::with_capacity(sightings.len());
        let mut seen_devices: BTreeSet<DeviceId> = BTreeSet::new();
        {
            let fleet = self.index.read();
            let mut inner = self.sightings.inner();
            let mut random = 0u32;
            for sighting in sightings {
                // What a source's clock says of the future is now.
                let seen = sighting.seen.map_or(now, |seen| seen.min(now));
                let outcome = match fleet.holder_of(sighting.mac) {
                    _ if sighting.mac.0 == [0; 6] || sighting.mac.is_multicast() => Sighted::Nothing,
                    MacHolder::One(_) if seen < now.before(NEAR) => Sighted::Old,
                    MacHolder::One(device) if apply => {
                        inner.forget(&sighting.mac);
                        let changed = inner.saw(device, import.as_str(), seen);
                        if changed {
                            seen_devices.insert(device);
                        }
                        Sighted::Device(device, changed)
                    }
                    MacHolder::One(device) => {
                        let known =
                            inner.devices.get(&device).and_then(|sources| sources.get(import.as_str()));
                        Sighted::Device(device, known.is_none_or(|known| *known < seen))
                    }
                    MacHolder::Nobody if sighting.mac.is_locally_administered() => {
                        random += 1;
                        Sighted::Random
                    }
                    holder @ (MacHolder::Nobody | MacHolder::Several) => {
                        let is_new = if apply {
                            inner.keep(sighting, import.as_str(), seen).unwrap_or(true)
                        } else {
                            !inner.unclassified.contains_key(&sighting.mac)
                        };
                        if holder == MacHolder::Nobody {
                            Sighted::Nobody(is_new)
                        } else {
                            Sighted::Several(is_new)
                        }
                    }
                };
                outcomes.push(outcome);
            }
            if apply && inner.random.insert(import.as_str().to_owned(), (random, now)) != Some((random, now))
            {
                inner.unflushed.random.insert(import.as_str().to_owned());
            }
        }
        self.show_sighted(&seen_devices, now).await?;
        Ok(outcomes)
    }

    /// Tries again what is no device's; how many now are. To be called now and then.
    ///
    /// # Errors
    /// As [`Self::sight`].
    pub async fn sight_again(&self) -> Result<usize, ObserveError> {
        let now = self.now();
        let mut seen_devices: BTreeSet<DeviceId> = BTreeSet::new();
        {
            let fleet = self.index.read();
            let mut inner = self.sightings.inner();
            let found: Vec<(MacAddress, DeviceId)> = inner
                .unclassified
                .values()
                .filter(|it| it.last() >= now.before(NEAR))
                .filter_map(|it| match fleet.holder_of(it.mac) {
                    MacHolder::One(device) => Some((it.mac, device)),
                    MacHolder::Nobody | MacHolder::Several => None,
                })
                .collect();
            for (mac, device) in found {
                let Some(gone) = inner.forget(&mac) else { continue };
                for (source, (_, last)) in gone.sources {
                    inner.saw(device, &source, last);
                }
                seen_devices.insert(device);
            }
        }
        let count = seen_devices.len();
        self.show_sighted(&seen_devices, now).await?;
        Ok(count)
    }

    async fn show_sighted(&self, devices: &BTreeSet<DeviceId>, now: Timestamp) -> Result<(), ObserveError> {
        for id in devices {
            let sources: Vec<String> = self.sightings.of(*id).into_keys().collect();
            self.index.write().set_sighted(*id, sources);
        }
        for id in devices {
            // Of silent devices it matters that somebody else saw them.
            if self.due.was_silent(*id) {
                self.judge_again(*id, "clock", now).await?;
            }
        }
        Ok(())
    }
}

fn batch(inner: &Inner, unflushed: &Unflushed) -> Vec<Kept> {
    let key = |kind: &[u8], rest: &[u8]| Key::new([kind, rest].concat()).expect("a short text is a key");
    let of_devices = unflushed.devices.iter().map(|(id, source)| {
        let last = inner.devices.get(id).and_then(|sources| sources.get(source));
        let value = last.map(|last| last.as_millis().to_le_bytes().to_vec());
        Kept { key: key(OF_DEVICE, &[id.as_bytes().as_slice(), source.as_bytes()].concat()), value }
    });
    let of_nobody = unflushed.macs.iter().map(|mac| {
        let value = inner.unclassified.get(mac).map(|known| to_stored(known).encode_to_vec());
        Kept { key: key(UNCLASSIFIED, &mac.0), value }
    });
    let random = unflushed.random.iter().map(|source| {
        let value = inner.random.get(source).map(|(count, time)| {
            stored::RandomSightings { count: *count, time_ms: time.as_millis() }.encode_to_vec()
        });
        Kept { key: key(RANDOM, source.as_bytes()), value }
    });
    of_devices.chain(of_nobody).chain(random).collect()
}

fn to_stored(known: &Unclassified) -> stored::UnclassifiedSighting {
    let Unclassified { mac, ip, hostname, sources } = known;
    stored::UnclassifiedSighting {
        mac: mac.0.to_vec(),
        ip: ip.map(|ip| ip.to_string()).unwrap_or_default(),
        hostname: hostname.clone().unwrap_or_default(),
        sources: sources
            .iter()
            .map(|(source, (first, last))| stored::SightingSource {
                source: source.clone(),
                first_ms: first.as_millis(),
                last_ms: last.as_millis(),
            })
            .collect(),
    }
}

fn from_stored(mac: MacAddress, stored: stored::UnclassifiedSighting) -> Unclassified {
    let stored::UnclassifiedSighting { mac: _, ip, hostname, sources } = stored;
    let times = |source: stored::SightingSource| {
        let moment = Timestamp::from_millis;
        (source.source, (moment(source.first_ms), moment(source.last_ms)))
    };
    Unclassified {
        mac,
        ip: ip.parse().ok(),
        hostname: Some(hostname).filter(|name| !name.is_empty()),
        sources: sources.into_iter().map(times).collect(),
    }
}
