//! Pages of devices: sorted by any columns, with a token for the next page.
//!
//! Knows nothing of records: a page is device ids, and the caller reads what it shows of them.

use muster_common::{
    filter::{FieldPath, Filter},
    id::DeviceId,
    page::{InvalidPageToken, MAX_ORDER_KEYS, OrderBy, OrderKey, PageToken, SortValue, list_digest},
    time::Timestamp,
};
use roaring::RoaringBitmap;

use super::{
    error::QueryError,
    fleet::Fleet,
    order::{Keys, Place, directed, first_after},
    schema,
};

/// The kind of list, for tokens.
const LIST: &str = "devices";

/// What is asked for.
#[derive(Debug, Clone)]
pub struct ListRequest<'a> {
    /// Which devices.
    pub filter: &'a Filter,
    /// In which order; empty for host names. Devices that are equal in it are in the order of their ids.
    pub order: &'a OrderBy,
    /// The content of the last page's token.
    pub token: Option<&'a [u8]>,
    /// The most devices that are wanted.
    pub size: u32,
    /// The present moment, for distances such as `-30d`.
    pub now: Timestamp,
}

/// A page of devices.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DevicePage {
    /// The devices, in order.
    pub devices: Vec<DeviceId>,
    /// How many match in all, now.
    pub total: u64,
    /// The content of the token for the next page; `None` at the end.
    pub next: Option<Vec<u8>>,
}

/// What is sorted by.
enum Key {
    Id,
    Column(usize),
}

impl Fleet {
    /// The next page of the devices that match.
    pub fn list(&self, request: &ListRequest<'_>) -> Result<DevicePage, QueryError> {
        let rows = self.query(request.filter, request.now)?;
        let digest = list_digest(LIST, request.filter, request.order);
        let token = request.token.map(|bytes| PageToken::from_bytes(bytes, digest)).transpose()?;
        self.page(&rows, request.order, token.as_ref(), request.size, digest)
    }

    fn page(
        &self,
        rows: &RoaringBitmap,
        order: &OrderBy,
        token: Option<&PageToken>,
        size: u32,
        digest: [u8; 16],
    ) -> Result<DevicePage, QueryError> {
        let keys = self.sort_columns(order)?;
        let after = token.map(|token| self.place(&keys, token)).transpose()?;
        let id = |row: u32| *self.id(row).as_bytes();
        let size = size as usize;
        let mut page =
            first_after(rows.iter(), |row| self.keys_of(&keys, row), id, after, size.saturating_add(1));
        let more = page.len() > size;
        page.truncate(size);
        let next = page.last().filter(|_| more).map(|last| {
            let value = |(key, _): &(Key, bool)| match key {
                // The token has the id anyway.
                Key::Id => SortValue::Missing,
                Key::Column(place) => self.column(*place).sort_value(*last),
            };
            PageToken { digest, keys: keys.iter().map(value).collect(), id: id(*last) }.to_bytes()
        });
        let devices = page.into_iter().map(|row| self.id(row)).collect();
        Ok(DevicePage { devices, total: rows.len(), next })
    }

    fn sort_columns(&self, order: &OrderBy) -> Result<Vec<(Key, bool)>, QueryError> {
        if order.keys().is_empty() {
            return Ok(vec![(Key::Column(schema::device_column("hostname")?), false)]);
        }
        let column = |OrderKey { field, descending }: &OrderKey| Ok((sort_column(field)?, *descending));
        order.keys().iter().map(column).collect()
    }

    fn keys_of(&self, keys: &[(Key, bool)], row: u32) -> Keys {
        let mut sorted = [0; MAX_ORDER_KEYS];
        for (sorted, (key, descending)) in sorted.iter_mut().zip(keys) {
            let own = match key {
                Key::Id => Some(id_key(self.id(row).as_bytes())),
                Key::Column(place) => self.column(*place).sort_key(row),
            };
            *sorted = directed(own, *descending);
        }
        sorted
    }

    fn place(&self, keys: &[(Key, bool)], token: &PageToken) -> Result<Place, QueryError> {
        if token.keys.len() != keys.len() {
            return Err(InvalidPageToken.into());
        }
        let mut sorted = [0; MAX_ORDER_KEYS];
        for ((sorted, (key, descending)), value) in sorted.iter_mut().zip(keys).zip(&token.keys) {
            let own = match key {
                Key::Id => Some(id_key(&token.id)),
                Key::Column(place) => self.column(*place).sort_position(value),
            };
            *sorted = directed(own, *descending);
        }
        Ok(Place { keys: sorted, id: token.id })
    }
}

fn sort_column(field: &FieldPath) -> Result<Key, QueryError> {
    let name = field.as_str();
    match name {
        schema::ID => Ok(Key::Id),
        _ if name.starts_with(schema::SOFTWARE_PREFIX) => {
            Err(QueryError::NotCountable { field: name.to_owned() })
        }
        _ => schema::device_column(name).map(Key::Column),
    }
}

/// Half of an id sorts as the whole does; the other half only tells equal ones apart.
fn id_key(id: &[u8; 16]) -> u64 {
    id.iter().take(8).fold(0, |key, byte| key << 8 | u64::from(*byte))
}
