//! The table of devices: every field a column, a device a row.
//!
//! Knows nothing of where records come from and of locks. Row numbers are local to this process: they are given out
//! here, used again after a removal, and never leave the index.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use muster_common::{
    device::{Device, Field, Provenanced, Value as Fact},
    filter::{Comparison, FieldPath, Filter, Operator, Value},
    flag::FlagCode,
    id::{DeviceId, PersonId},
    inventory::{MacAddress, Package},
    person::PersonFacts,
    time::Timestamp,
};
use roaring::RoaringBitmap;

use super::{
    catalogue::Catalogue,
    column::Column,
    error::{QueryError, near},
    evaluate::{Table, evaluate},
    facet::{Facets, facets},
    people::People,
    schema,
};
use crate::store::CatalogueId;

/// Everything that the index knows, at one moment.
#[derive(Debug)]
pub struct Fleet {
    /// By row: the device; a free row holds the last one that it had.
    ids: Vec<DeviceId>,
    rows: HashMap<DeviceId, u32>,
    /// Devices that were merged, with the row of the one that they were merged into; and the other way round.
    aliases: HashMap<DeviceId, u32>,
    merged: HashMap<u32, Vec<DeviceId>>,
    free: Vec<u32>,
    live: RoaringBitmap,
    /// By row: the version of the record and that of its software, since writers may come in any order.
    versions: Vec<(u64, u64)>,
    columns: Vec<Column>,
    catalogue: Catalogue,
    persons: People,
    /// By row: the imports that saw the device on a network, which its record doesn't know.
    sighted: HashMap<u32, Vec<String>>,
    /// When each kind of source last said something of any device.
    last_by_source: BTreeMap<String, Timestamp>,
}

/// Which devices report an address on any adapter.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum MacHolder {
    /// None.
    Nobody,
    /// This one alone.
    One(DeviceId),
    /// More than one.
    Several,
}

impl Default for Fleet {
    fn default() -> Self {
        Self {
            ids: Vec::new(),
            rows: HashMap::new(),
            aliases: HashMap::new(),
            merged: HashMap::new(),
            free: Vec::new(),
            live: RoaringBitmap::new(),
            versions: Vec::new(),
            columns: schema::device_columns(),
            catalogue: Catalogue::new(),
            persons: People::default(),
            sighted: HashMap::new(),
            last_by_source: BTreeMap::new(),
        }
    }
}

impl Fleet {
    /// Adds a package of the catalogue; before the first device that has it. A known number keeps its package.
    pub fn add_catalogue(&mut self, id: CatalogueId, package: &Package) {
        self.catalogue.add(id.number(), package);
    }

    /// Adds a device or replaces what is known of it, presence excepted. `software` is all that it has now, in any
    /// order. A device that was merged into another is taken out; the other one's aliases find it. What is older than
    /// what is here changes nothing.
    pub fn upsert(&mut self, device: &Device, software: &[CatalogueId]) {
        let Some(row) = self.set(device) else { return };
        let version = &mut self.versions[row as usize].1;
        if device.version >= *version {
            *version = device.version;
            self.catalogue.install(row, software.iter().map(|id| id.number()));
        }
    }

    /// The same for a device whose software is what it was.
    pub fn update(&mut self, device: &Device) {
        self.set(device);
    }

    fn set(&mut self, device: &Device) -> Option<u32> {
        if device.merged_into.is_some() {
            self.remove(device.id);
            return None;
        }
        let row = self.row_for(device.id);
        let version = &mut self.versions[row as usize].0;
        if device.version < *version {
            return Some(row);
        }
        *version = device.version;
        for (column, field) in self.columns.iter_mut().zip(Field::ALL) {
            column.set(row, device.value(*field));
        }
        self.columns[schema::FLAG].set_texts(row, device.flags.iter().map(|flag| flag.code.name()));
        for (source, last) in &device.seen_by {
            match self.last_by_source.get_mut(source) {
                Some(known) => *known = (*known).max(*last),
                None => drop(self.last_by_source.insert(source.clone(), *last)),
            }
        }
        let sighted =
            self.sighted.get(&row).into_iter().flatten().filter(|it| !device.seen_by.contains_key(*it));
        let seen_by = device.seen_by.keys().chain(sighted).map(String::as_str);
        self.columns[schema::SEEN_BY].set_texts(row, seen_by);
        let excepted = device.flags.iter().filter(|flag| !flag.is_open()).map(|flag| flag.code.name());
        self.columns[schema::EXCEPTED].set_texts(row, excepted);
        self.columns[schema::DIFFERS].set_texts(row, differing(device));
        let agents: Vec<String> = device.agents.iter().map(|binding| binding.agent.to_string()).collect();
        self.columns[schema::AGENT].set_texts(row, agents.iter().map(String::as_str));
        self.columns[schema::FIRST_SEEN].set(row, Some(&Fact::Time(device.first_seen)));
        let count = u64::from(device.software_count);
        self.columns[schema::SOFTWARE_COUNT].set(row, Some(&Fact::Number(count)));
        self.persons.show(row, device, &mut self.columns);
        self.set_aliases(row, &device.aliases);
        Some(row)
    }

    fn set_aliases(&mut self, row: u32, aliases: &[DeviceId]) {
        for alias in self.merged.remove(&row).unwrap_or_default() {
            if self.aliases.get(&alias) == Some(&row) {
                self.aliases.remove(&alias);
            }
        }
        if !aliases.is_empty() {
            self.aliases.extend(aliases.iter().map(|alias| (*alias, row)));
            self.merged.insert(row, aliases.to_vec());
        }
    }

    fn row_for(&mut self, id: DeviceId) -> u32 {
        if let Some(row) = self.rows.get(&id) {
            return *row;
        }
        let row = match self.free.pop() {
            Some(row) => {
                self.ids[row as usize] = id;
                self.versions[row as usize] = (0, 0);
                row
            }
            None => {
                self.ids.push(id);
                self.versions.push((0, 0));
                (self.ids.len() - 1) as u32
            }
        };
        self.rows.insert(id, row);
        self.live.insert(row);
        self.columns[schema::CONNECTED].set(row, Some(&Fact::Boolean(false)));
        row
    }

    /// Takes a device out; whether it was there.
    pub fn remove(&mut self, id: DeviceId) -> bool {
        let Some(row) = self.rows.remove(&id) else { return false };
        for column in &mut self.columns {
            column.set(row, None);
        }
        self.persons.forget(row);
        self.sighted.remove(&row);
        self.catalogue.install(row, [].into_iter());
        self.set_aliases(row, &[]);
        self.live.remove(row);
        self.free.push(row);
        true
    }

    /// Notes when a device's agent was last heard and whether its stream is open; whether the device is there.
    pub fn set_presence(&mut self, id: DeviceId, last_seen: Timestamp, connected: bool) -> bool {
        let Some(row) = self.rows.get(&id).copied() else { return false };
        self.columns[schema::LAST_SEEN].set(row, Some(&Fact::Time(last_seen)));
        self.columns[schema::CONNECTED].set(row, Some(&Fact::Boolean(connected)));
        true
    }

    /// Notes which imports saw a device on a network, all of them; whether the device is there.
    pub fn set_sighted(&mut self, id: DeviceId, sources: Vec<String>) -> bool {
        let Some(row) = self.rows.get(&id).copied() else { return false };
        let known: BTreeSet<String> = self.columns[schema::SEEN_BY]
            .as_text()
            .map(|column| column.texts_of(row).map(str::to_owned).collect())
            .unwrap_or_default();
        if !sources.iter().all(|source| known.contains(source)) {
            let all = known.union(&sources.iter().cloned().collect()).cloned().collect::<Vec<_>>();
            self.columns[schema::SEEN_BY].set_texts(row, all.iter().map(String::as_str));
        }
        self.sighted.insert(row, sources);
        true
    }

    /// Which device reports an address, on whichever adapter.
    pub fn holder_of(&self, mac: MacAddress) -> MacHolder {
        let Some(column) = self.columns[Field::Mac as usize].as_text() else { return MacHolder::Nobody };
        let rows = column.matching(&Value::Exact(mac.to_string()));
        let mut rows = rows.iter().filter(|row| self.live.contains(*row));
        match (rows.next(), rows.next()) {
            (None, _) => MacHolder::Nobody,
            (Some(row), None) => MacHolder::One(self.ids[row as usize]),
            (Some(_), Some(_)) => MacHolder::Several,
        }
    }

    /// When each kind of source last said something of any device.
    pub fn last_by_source(&self) -> &BTreeMap<String, Timestamp> {
        &self.last_by_source
    }

    /// Notes what a staff list says of a person, in the rows of what they hold too.
    pub fn set_person(&mut self, id: PersonId, facts: &PersonFacts) {
        self.persons.set(id, facts, &mut self.columns);
    }

    /// Puts all terms in order now, after a load, so that the first reader doesn't wait for it.
    pub fn prepare(&mut self) {
        self.columns.iter_mut().for_each(Column::prepare);
        self.catalogue.prepare();
    }

    /// How many devices there are.
    pub fn len(&self) -> u64 {
        self.live.len()
    }

    /// Whether there is no device.
    pub fn is_empty(&self) -> bool {
        self.live.is_empty()
    }

    /// The device by its id, or by that of one which was merged into it.
    pub fn resolve(&self, id: DeviceId) -> Option<DeviceId> {
        self.row_of(id).map(|row| self.ids[row as usize])
    }

    fn row_of(&self, id: DeviceId) -> Option<u32> {
        self.rows.get(&id).or_else(|| self.aliases.get(&id)).copied()
    }

    /// The rows that match. They are good for as long as this fleet is borrowed.
    pub fn query(&self, filter: &Filter, now: Timestamp) -> Result<RoaringBitmap, QueryError> {
        evaluate(self, filter, &self.live, now)
    }

    /// How many devices match.
    pub fn count(&self, filter: &Filter, now: Timestamp) -> Result<u64, QueryError> {
        Ok(self.query(filter, now)?.len())
    }

    /// The devices of some rows, in no order.
    pub fn devices<'a>(&'a self, rows: &'a RoaringBitmap) -> impl Iterator<Item = DeviceId> + 'a {
        rows.iter().filter_map(|row| self.ids.get(row as usize).copied())
    }

    /// How often each value of a field occurs among `rows`; of the values, the `limit` most frequent.
    pub fn facets(&self, field: &str, rows: &RoaringBitmap, limit: usize) -> Result<Facets, QueryError> {
        if field == schema::ID || field.starts_with(schema::SOFTWARE_PREFIX) {
            return Err(QueryError::NotCountable { field: field.to_owned() });
        }
        Ok(facets(&self.columns[schema::device_column(field)?], rows, limit))
    }

    /// How many devices carry each flag, the most frequent first; flags that no device has are left out.
    pub fn flags(&self) -> Vec<(FlagCode, u64)> {
        let counted = facets(&self.columns[schema::FLAG], &self.live, FlagCode::ALL.len());
        let known = counted.values.into_iter().filter_map(|(code, count)| Some((code.parse().ok()?, count)));
        known.collect()
    }

    /// The packages.
    pub(super) fn catalogue(&self) -> &Catalogue {
        &self.catalogue
    }

    /// A column by its place.
    pub(super) fn column(&self, place: usize) -> &Column {
        &self.columns[place]
    }

    /// The device of a row.
    pub(super) fn id(&self, row: u32) -> DeviceId {
        self.ids[row as usize]
    }
}

/// The fields of which different sources say different things.
fn differing(device: &Device) -> impl Iterator<Item = &'static str> {
    let differs = |known: &Provenanced| {
        let Some(first) = known.claims.first() else { return false };
        known.claims.iter().any(|claim| {
            claim.source != first.source
                && match (&claim.value, &first.value) {
                    (Fact::Text(left), Fact::Text(right)) => !left.eq_ignore_ascii_case(right),
                    (left, right) => left != right,
                }
        })
    };
    device.fields.iter().filter(move |(_, known)| differs(known)).map(|(field, _)| field.name())
}

impl Table for Fleet {
    fn compare(
        &self,
        comparison: &Comparison,
        _within: &RoaringBitmap,
        now: Timestamp,
    ) -> Result<RoaringBitmap, QueryError> {
        let name = schema::unaliased(comparison.field.as_str());
        if let Some(field) = name.strip_prefix(schema::SOFTWARE_PREFIX) {
            let field = FieldPath::new(field)
                .map_err(|_| QueryError::unknown_field(name, "devices", schema::device_fields()))?;
            let inner = Comparison { field, ..comparison.clone() };
            return self.catalogue.devices_comparing(&inner, now);
        }
        if name == schema::ID {
            return self.compare_id(comparison);
        }
        let place = schema::device_column(name)?;
        if let (schema::FLAG | schema::EXCEPTED, Value::Exact(code)) = (place, &comparison.value)
            && code.to_ascii_lowercase().parse::<FlagCode>().is_err()
        {
            let codes: Vec<&str> = FlagCode::ALL.iter().map(|code| code.name()).collect();
            return Err(QueryError::BadValue {
                field: name.to_owned(),
                value: code.chars().take(64).collect(),
                expected: "the code of a flag",
                near: near(code, &codes),
            });
        }
        self.columns[place].compare(name, comparison, now)
    }

    fn search(&self, value: &Value) -> RoaringBitmap {
        let mut rows = RoaringBitmap::new();
        for field in schema::SEARCHED {
            rows |= self.columns[field as usize].search(value);
        }
        rows
    }

    fn software(&self, inner: &Filter, now: Timestamp) -> Result<RoaringBitmap, QueryError> {
        Ok(self.catalogue.devices_with(&self.catalogue.query(inner, now)?))
    }
}

impl Fleet {
    fn compare_id(&self, comparison: &Comparison) -> Result<RoaringBitmap, QueryError> {
        let Comparison { field, operator, value } = comparison;
        let wanted = match value {
            Value::Any => return Ok(self.live.clone()),
            Value::Exact(text) => text.to_ascii_lowercase().parse::<DeviceId>().ok(),
            Value::Prefix(_) | Value::Suffix(_) | Value::Contains(_) => None,
        };
        let Some(wanted) = wanted else {
            return Err(QueryError::bad_value(field.as_str(), &value.to_string(), "a whole device id"));
        };
        let row: RoaringBitmap = self.row_of(wanted).into_iter().collect();
        match operator {
            Operator::Equal | Operator::Has => Ok(row),
            Operator::NotEqual => Ok(&self.live - row),
            Operator::Less | Operator::LessOrEqual | Operator::Greater | Operator::GreaterOrEqual => {
                Err(QueryError::NoOrder { field: field.to_string(), operator: operator.as_str() })
            }
        }
    }
}
