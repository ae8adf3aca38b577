//! What changed on a device, newest first.

use std::collections::BTreeSet;

use muster_common::{
    device::{Field, Value},
    flag::{Flag, Standing},
    id::{DeviceId, PersonId},
    page::{InvalidPageToken, page_size},
    time::Timestamp,
};
use muster_proto::{convert::to_timestamp, store::v1 as stored, v1};

use super::{QueryFailure, View, inventory::Titles, page, persons::Names};
use crate::{
    records::{Malformed, claim_from_stored, flag_from_stored, key},
    store::{CatalogueId, Key},
};

/// Titles that an entry names on the wire.
const NAMED: usize = 100;

impl View<'_> {
    /// A page of a device's history, newest first.
    ///
    /// # Errors
    /// When there is no such device.
    pub async fn list_device_history(
        &self,
        request: &v1::ListDeviceHistoryRequest,
    ) -> Result<v1::ListDeviceHistoryResponse, QueryFailure> {
        let v1::ListDeviceHistoryRequest { parent, page_size: size, page_token } = request;
        let device = self.device_named(parent).await?.id;
        let oldest = self.oldest_seen(device).await?;
        let after = page::decode(page_token)?.map(|token| after(device, &token)).transpose()?;
        let size = page_size(*size) as usize;
        let mut found: Vec<(Key, stored::HistoryEntry)> =
            self.records().scan(&key::history_of(device), after.as_ref(), size + 1).await?;
        found.retain(|(_, entry)| entry.version > oldest);
        let more = found.len() > size;
        found.truncate(size);
        let next = found.last().filter(|_| more).map(|(_, last)| last.version.to_be_bytes());
        let entries: Vec<stored::HistoryEntry> = found.into_iter().map(|(_, entry)| entry).collect();
        let titles = self.titles(entries.iter().flat_map(named_titles)).await?;
        let names = self.names(persons(&entries)?).await?;
        Ok(v1::ListDeviceHistoryResponse {
            entries: entries.iter().map(|entry| shown(entry, &titles, &names)).collect::<Result<_, _>>()?,
            next_page_token: page::encode(next.as_ref().map(<[u8; 8]>::as_slice)),
        })
    }
}

impl View<'_> {
    /// The version after which the asker sees the history: where the device came from another department, what was
    /// before is that department's.
    async fn oldest_seen(&self, device: DeviceId) -> Result<u64, QueryFailure> {
        if self.is_whole() {
            return Ok(0);
        }
        let mut oldest = 0;
        self.walk_back(device, |entry| {
            let moved = entry.changes.iter().find(|change| change.name == Field::Department.name());
            let Some(moved) = moved else { return Ok(true) };
            let before = match winner(&moved.before)? {
                Some(Value::Text(text)) => Some(text),
                Some(_) | None => None,
            };
            // Before it had any department it was nobody else's.
            let sees = before.is_none() || self.sees_department(before.as_deref());
            if !sees {
                oldest = entry.version;
            }
            Ok(sees)
        })
        .await?;
        Ok(oldest)
    }
}

/// The place after which the next page starts.
fn after(device: DeviceId, token: &[u8]) -> Result<Key, InvalidPageToken> {
    let version: [u8; 8] = token.try_into().map_err(|_| InvalidPageToken)?;
    Ok(key::history(device, u64::from_be_bytes(version)))
}

fn named_titles(entry: &stored::HistoryEntry) -> impl Iterator<Item = CatalogueId> + '_ {
    let added = entry.software_added.iter().take(NAMED);
    let removed = entry.software_removed.iter().take(NAMED);
    added.chain(removed).map(|number| CatalogueId::from_number(*number))
}

fn persons(entries: &[stored::HistoryEntry]) -> Result<BTreeSet<PersonId>, Malformed> {
    let mut persons = BTreeSet::new();
    for change in entries.iter().flat_map(|entry| &entry.changes) {
        for claims in [&change.before, &change.after] {
            if let Some(Value::Person(person)) = winner(claims)? {
                persons.insert(person);
            }
        }
    }
    Ok(persons)
}

/// The value that won among claims.
pub(super) fn winner(claims: &[stored::ClaimedValue]) -> Result<Option<Value>, Malformed> {
    Ok(claims.first().cloned().map(claim_from_stored).transpose()?.map(|claim| claim.value))
}

fn shown(
    entry: &stored::HistoryEntry,
    titles: &Titles,
    names: &Names,
) -> Result<v1::HistoryEntry, Malformed> {
    let stored::HistoryEntry {
        version,
        time_ms,
        actor,
        changes,
        software_added,
        software_removed,
        flag_changes,
    } = entry;
    let text = |claims: &[stored::ClaimedValue]| {
        Ok::<_, Malformed>(winner(claims)?.map(|value| names.show(&value)).unwrap_or_default())
    };
    let mut shown = Vec::with_capacity(changes.len() + flag_changes.len());
    for stored::FieldChange { name, before, after } in changes {
        // What a newer version wrote may not be readable here.
        if name.parse::<Field>().is_err() {
            continue;
        }
        let (before, after) = (text(before)?, text(after)?);
        // Another source said something without winning: the value is what it was.
        if before != after {
            shown.push(v1::FieldChange { field: name.clone(), before, after });
        }
    }
    for stored::FlagChange { flag, raised, before } in flag_changes {
        let text = |flag: &Option<stored::Flag>| {
            flag.clone().and_then(flag_from_stored).map(|flag| standing(&flag)).unwrap_or_default()
        };
        let (before, after) = match (before, raised) {
            (Some(_), _) => (text(before), text(flag)),
            (None, true) => (String::new(), text(flag)),
            (None, false) => (text(flag), String::new()),
        };
        shown.push(v1::FieldChange { field: "flag".to_owned(), before, after });
    }
    Ok(v1::HistoryEntry {
        revision: *version,
        commit_time: Some(to_timestamp(Timestamp::from_millis(*time_ms))),
        actor: actor.clone(),
        changes: shown,
        software_added: software_added.len() as u32,
        software_removed: software_removed.len() as u32,
        added: named(software_added, titles),
        removed: named(software_removed, titles),
    })
}

/// A finding and where it stands.
fn standing(flag: &Flag) -> String {
    let code = flag.code;
    let severity =
        if flag.severity == code.severity() { String::new() } else { format!(", {}", flag.severity) };
    match &flag.standing {
        Standing::Open => format!("{code}{severity}"),
        Standing::Acknowledged { by, at: _ } => format!("{code}{severity} (acknowledged by {by})"),
        Standing::Excepted { exception: _, until, self_approved } => {
            let by = if *self_approved { ", approved by its requester" } else { "" };
            format!("{code}{severity} (excepted until {until}{by})")
        }
    }
}

/// Name and version of each title.
fn named(numbers: &[u32], titles: &Titles) -> Vec<String> {
    numbers
        .iter()
        .take(NAMED)
        .map(|number| {
            match titles.get(&CatalogueId::from_number(*number)).and_then(|item| item.kind.as_ref()) {
                Some(v1::item::Kind::Package(package)) => format!("{} {}", package.name, package.version),
                Some(_) | None => format!("title {number}"),
            }
        })
        .collect()
}
