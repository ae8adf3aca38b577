//! Pages of software over the whole fleet: titles or versions, with how many devices have each.
//!
//! Knows nothing of single devices. A title is a name within one ecosystem; what no device has any more is not
//! listed.

use muster_common::{
    filter::Filter,
    inventory::Package,
    page::{InvalidPageToken, MAX_ORDER_KEYS, OrderBy, PageToken, SortValue, list_digest},
    time::Timestamp,
};
use roaring::RoaringBitmap;

use super::{
    catalogue::Catalogue,
    error::QueryError,
    fleet::Fleet,
    order::{Keys, Place, directed, first_after},
    schema,
};
use crate::store::CatalogueId;

/// The name of the number of devices in an order.
const DEVICES: &str = "devices";

/// What the rows of the list are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SoftwareBy {
    /// One row for all versions of a name.
    Title,
    /// One row for each package of the catalogue.
    Version,
}

/// What is asked for.
#[derive(Debug, Clone)]
pub struct SoftwareRequest<'a> {
    /// Which packages, by the fields that `software:( … )` has.
    pub filter: &'a Filter,
    /// On which devices; what none of them has is not listed, and no other is counted.
    pub on: &'a Filter,
    /// What the rows are.
    pub by: SoftwareBy,
    /// By `devices`, `name`, `type`, and for versions any other field of a package; empty for the most frequent
    /// first.
    pub order: &'a OrderBy,
    /// The content of the last page's token.
    pub token: Option<&'a [u8]>,
    /// The most rows that are wanted.
    pub size: u32,
    /// The present moment.
    pub now: Timestamp,
}

/// A row of the list.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SoftwareRow {
    /// The package; for a title only its type and name are filled in.
    pub package: Package,
    /// Its number, where the row is a version.
    pub id: Option<CatalogueId>,
    /// How many versions that match are installed anywhere; 1 where the row is a version.
    pub versions: u32,
    /// How many devices have it.
    pub devices: u64,
}

/// A page of the list.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SoftwarePage {
    /// The rows, in order.
    pub rows: Vec<SoftwareRow>,
    /// How many there are in all, now.
    pub total: u64,
    /// The content of the token for the next page; `None` at the end.
    pub next: Option<Vec<u8>>,
}

#[derive(Clone, Copy)]
enum Key {
    Devices,
    Column(usize),
}

/// A row before it is shown: any of its packages, and the number of devices.
struct Entry {
    number: u32,
    versions: u32,
    devices: u64,
}

impl Fleet {
    /// The next page of the software that matches.
    pub fn software(&self, request: &SoftwareRequest<'_>) -> Result<SoftwarePage, QueryError> {
        let SoftwareRequest { filter, on, by, order, token, size, now } = request;
        let keys = sort_keys(order, *by)?;
        let kind = match by {
            SoftwareBy::Title => "software titles",
            SoftwareBy::Version => "software versions",
        };
        let digest = match on {
            Filter::All => list_digest(kind, filter, order),
            on => list_digest(kind, &Filter::And(vec![(*on).clone(), (*filter).clone()]), order),
        };
        let token = token.map(|bytes| PageToken::from_bytes(bytes, digest)).transpose()?;
        let catalogue = self.catalogue();
        let entries = match on {
            Filter::All => entries(catalogue, filter, *by, *now)?,
            on => entries_on(catalogue, &self.query(on, *now)?, filter, *by, *now)?,
        };
        let after = token.map(|token| place(catalogue, &keys, &token)).transpose()?;
        let size = *size as usize;
        let id = |index: u32| id_of(catalogue, *by, entries[index as usize].number);
        let mut page = first_after(
            0..entries.len() as u32,
            |index| keys_of(catalogue, &keys, &entries[index as usize]),
            id,
            after,
            size.saturating_add(1),
        );
        let more = page.len() > size;
        page.truncate(size);
        let next = page.last().filter(|_| more).map(|last| {
            let entry = &entries[*last as usize];
            let value = |(key, _): &(Key, bool)| match key {
                Key::Devices => SortValue::Number(entry.devices as i64),
                Key::Column(place) => catalogue.column(*place).sort_value(entry.number),
            };
            PageToken { digest, keys: keys.iter().map(value).collect(), id: id(*last) }.to_bytes()
        });
        let rows = page.into_iter().map(|index| row(catalogue, *by, &entries[index as usize])).collect();
        Ok(SoftwarePage { rows, total: entries.len() as u64, next })
    }
}

fn sort_keys(order: &OrderBy, by: SoftwareBy) -> Result<Vec<(Key, bool)>, QueryError> {
    if order.keys().is_empty() {
        return Ok(vec![(Key::Devices, true), (Key::Column(schema::PACKAGE_NAME), false)]);
    }
    let mut keys = Vec::new();
    for key in order.keys() {
        let name = key.field.as_str();
        let by_key = if name == DEVICES { Key::Devices } else { Key::Column(schema::package_column(name)?) };
        let of_title = match by_key {
            Key::Devices => true,
            Key::Column(place) => place == schema::PACKAGE_NAME || place == schema::PACKAGE_TYPE,
        };
        if by == SoftwareBy::Title && !of_title {
            return Err(QueryError::NotCountable { field: name.to_owned() });
        }
        keys.push((by_key, key.descending));
    }
    Ok(keys)
}

fn entries(
    catalogue: &Catalogue,
    filter: &Filter,
    by: SoftwareBy,
    now: Timestamp,
) -> Result<Vec<Entry>, QueryError> {
    let installed = |numbers: &[u32]| {
        numbers.iter().filter(|number| catalogue.package_devices(**number) > 0).count() as u32
    };
    let mut entries: Vec<Entry> = match (by, filter) {
        (SoftwareBy::Title, Filter::All) => (0..catalogue.title_count())
            .filter_map(|title| {
                let members = catalogue.members(title);
                let devices = catalogue.title_devices(title);
                // The number of versions is counted when the row is shown.
                members.first().map(|number| Entry { number: *number, versions: 0, devices })
            })
            .collect(),
        (SoftwareBy::Title, _) => catalogue
            .by_title(&catalogue.query(filter, now)?)
            .into_iter()
            .filter_map(|(title, numbers)| {
                let all = numbers.len() == catalogue.members(title).len();
                let devices = if all {
                    catalogue.title_devices(title)
                } else {
                    catalogue.devices_with(&numbers.iter().copied().collect()).len()
                };
                let versions = if all { 0 } else { installed(&numbers) };
                numbers.first().map(|number| Entry { number: *number, versions, devices })
            })
            .collect(),
        (SoftwareBy::Version, _) => catalogue
            .query(filter, now)?
            .into_iter()
            .map(|number| Entry { number, versions: 1, devices: catalogue.package_devices(number) })
            .collect(),
    };
    entries.retain(|entry| entry.devices > 0);
    Ok(entries)
}

/// The same for some devices only.
fn entries_on(
    catalogue: &Catalogue,
    devices: &RoaringBitmap,
    filter: &Filter,
    by: SoftwareBy,
    now: Timestamp,
) -> Result<Vec<Entry>, QueryError> {
    let on = |numbers: &[u32]| {
        let mut with = catalogue.devices_with(&numbers.iter().copied().collect());
        with &= devices;
        with.len()
    };
    let found = catalogue.query(filter, now)?;
    let groups: Vec<Vec<u32>> = match by {
        SoftwareBy::Title => catalogue.by_title(&found).into_iter().map(|(_, numbers)| numbers).collect(),
        SoftwareBy::Version => found.iter().map(|number| vec![number]).collect(),
    };
    let entry = |numbers: Vec<u32>| {
        let versions = numbers.iter().filter(|number| on(&[**number]) > 0).count() as u32;
        let number = *numbers.first()?;
        (versions > 0).then(|| Entry { number, versions, devices: on(&numbers) })
    };
    Ok(groups.into_iter().filter_map(entry).collect())
}

fn keys_of(catalogue: &Catalogue, keys: &[(Key, bool)], entry: &Entry) -> Keys {
    let mut sorted = [0; MAX_ORDER_KEYS];
    for (sorted, (key, descending)) in sorted.iter_mut().zip(keys) {
        let own = match key {
            Key::Devices => Some(entry.devices),
            Key::Column(place) => catalogue.column(*place).sort_key(entry.number),
        };
        *sorted = directed(own, *descending);
    }
    sorted
}

fn place(catalogue: &Catalogue, keys: &[(Key, bool)], token: &PageToken) -> Result<Place, QueryError> {
    if token.keys.len() != keys.len() {
        return Err(InvalidPageToken.into());
    }
    let mut sorted = [0; MAX_ORDER_KEYS];
    for ((sorted, (key, descending)), value) in sorted.iter_mut().zip(keys).zip(&token.keys) {
        let own = match (key, value) {
            (Key::Devices, SortValue::Number(devices)) => u64::try_from(*devices).ok(),
            (Key::Devices, SortValue::Missing | SortValue::Text(_)) => None,
            (Key::Column(place), value) => catalogue.column(*place).sort_position(value),
        };
        *sorted = directed(own, *descending);
    }
    Ok(Place { keys: sorted, id: token.id })
}

/// What tells a row from others with the same keys, the same in every collector.
fn id_of(catalogue: &Catalogue, by: SoftwareBy, number: u32) -> [u8; 16] {
    match by {
        SoftwareBy::Version => u128::from(number).to_be_bytes(),
        SoftwareBy::Title => {
            let mut hasher = blake3::Hasher::new();
            hasher.update(catalogue.text(number, schema::PACKAGE_TYPE).as_bytes());
            hasher.update(&[0]);
            hasher.update(catalogue.text(number, schema::PACKAGE_NAME).as_bytes());
            let mut id = [0; 16];
            id.copy_from_slice(&hasher.finalize().as_bytes()[..16]);
            id
        }
    }
}

fn row(catalogue: &Catalogue, by: SoftwareBy, entry: &Entry) -> SoftwareRow {
    let text = |place| catalogue.text(entry.number, place).to_owned();
    let optional = |place| Some(text(place)).filter(|text| !text.is_empty());
    let title = Package {
        purl_type: text(schema::PACKAGE_TYPE),
        name: text(schema::PACKAGE_NAME),
        ..Package::default()
    };
    let Entry { number, versions, devices } = *entry;
    match by {
        SoftwareBy::Title => {
            let versions = if versions == 0 { catalogue.installed_versions(number) } else { versions };
            SoftwareRow { package: title, id: None, versions, devices }
        }
        SoftwareBy::Version => SoftwareRow {
            package: Package {
                namespace: text(schema::PACKAGE_NAMESPACE),
                version: text(schema::PACKAGE_VERSION),
                architecture: text(schema::PACKAGE_ARCHITECTURE),
                vendor: optional(schema::PACKAGE_VENDOR),
                source_name: optional(schema::PACKAGE_SOURCE_NAME),
                source_version: optional(schema::PACKAGE_SOURCE_VERSION),
                display_name: optional(schema::PACKAGE_DISPLAY_NAME),
                ..title
            },
            id: Some(CatalogueId::from_number(number)),
            versions,
            devices,
        },
    }
}
