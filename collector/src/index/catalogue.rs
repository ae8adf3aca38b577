//! The catalogue of packages, and which device has which.
//!
//! Knows nothing of devices but their row numbers. A package is a row of this table by its catalogue number, so
//! that a filter inside `software:( … )` is evaluated on it once, and the devices are the union of the packages'
//! bitmaps. Versions are compared in the order of the package's own ecosystem; where that order isn't known,
//! only equality holds.

use std::{cmp::Ordering, collections::HashMap};

use muster_common::{
    filter::{Comparison, Filter, Operator, Value},
    inventory::Package,
    time::Timestamp,
    version,
};
use roaring::RoaringBitmap;

use super::{
    column::Column,
    error::QueryError,
    evaluate::{Table, evaluate},
    packed::Packed,
    postings::{Postings, union},
    schema,
};

/// No title.
const NONE: u32 = u32::MAX;

/// Packages, titles and installs.
#[derive(Debug)]
pub(super) struct Catalogue {
    columns: Vec<Column>,
    known: RoaringBitmap,
    /// By catalogue number: the devices that have it.
    installs: Vec<Postings>,
    /// By device: its sorted catalogue numbers.
    lists: Vec<Packed>,
    /// The devices that have any package.
    installed: RoaringBitmap,
    /// By type and name: the title.
    titles: HashMap<(Box<str>, Box<str>), u32>,
    /// By catalogue number: its title.
    title_of: Vec<u32>,
    /// By title: its packages.
    members: Vec<Vec<u32>>,
    /// By title: how many devices have any of its packages.
    devices: Vec<u32>,
}

impl Catalogue {
    /// Without packages.
    pub(super) fn new() -> Self {
        Self {
            columns: schema::PACKAGE.iter().map(|(_, kind)| Column::new(*kind)).collect(),
            known: RoaringBitmap::new(),
            installs: Vec::new(),
            lists: Vec::new(),
            installed: RoaringBitmap::new(),
            titles: HashMap::new(),
            title_of: Vec::new(),
            members: Vec::new(),
            devices: Vec::new(),
        }
    }

    /// Adds a package; a number that is known already keeps its package, since numbers are for ever.
    pub(super) fn add(&mut self, number: u32, package: &Package) {
        if !self.known.insert(number) {
            return;
        }
        let values = [
            (schema::PACKAGE_NAME, Some(package.name.as_str())),
            (schema::PACKAGE_VERSION, Some(package.version.as_str())),
            (schema::PACKAGE_ARCHITECTURE, Some(package.architecture.as_str())),
            (schema::PACKAGE_TYPE, Some(package.purl_type.as_str())),
            (schema::PACKAGE_NAMESPACE, Some(package.namespace.as_str())),
            (schema::PACKAGE_VENDOR, package.vendor.as_deref()),
            (schema::PACKAGE_SOURCE_NAME, package.source_name.as_deref()),
            (schema::PACKAGE_SOURCE_VERSION, package.source_version.as_deref()),
            (schema::PACKAGE_DISPLAY_NAME, package.display_name.as_deref()),
        ];
        for (column, value) in values {
            self.columns[column].set_texts(number, value);
        }
        self.make_room(number);
        let titles = self.titles.len() as u32;
        let key = (package.purl_type.as_str().into(), package.name.as_str().into());
        let title = *self.titles.entry(key).or_insert(titles);
        if title == titles {
            self.members.push(Vec::new());
            self.devices.push(0);
        }
        self.title_of[number as usize] = title;
        self.members[title as usize].push(number);
        if !self.installs[number as usize].is_empty() {
            // It was installed before it was known.
            let devices = union(self.members[title as usize].iter().map(|n| &self.installs[*n as usize]));
            self.devices[title as usize] = devices.len() as u32;
        }
    }

    fn make_room(&mut self, number: u32) {
        let needed = number as usize + 1;
        if needed > self.installs.len() {
            self.installs.resize(needed, Postings::None);
            self.title_of.resize(needed, NONE);
        }
    }

    /// Gives a device these packages and no others.
    pub(super) fn install(&mut self, row: u32, numbers: impl Iterator<Item = u32>) {
        let mut new: Vec<u32> = numbers.collect();
        new.sort_unstable();
        new.dedup();
        let packed = Packed::new(&new);
        if self.lists.len() <= row as usize {
            self.lists.resize(row as usize + 1, Packed::default());
        }
        if self.lists[row as usize] == packed {
            return;
        }
        if let Some(greatest) = new.last() {
            self.make_room(*greatest);
        }
        let old: Vec<u32> = self.lists[row as usize].iter().collect();
        let (gone, come) = difference(&old, &new);
        for number in gone {
            self.installs[number as usize].remove(row);
        }
        for number in come {
            self.installs[number as usize].insert(row);
        }
        let (gone, come) = difference(&self.titles_among(&old), &self.titles_among(&new));
        for title in gone {
            self.devices[title as usize] -= 1;
        }
        for title in come {
            self.devices[title as usize] += 1;
        }
        if new.is_empty() {
            self.installed.remove(row);
        } else {
            self.installed.insert(row);
        }
        self.lists[row as usize] = packed;
    }

    fn titles_among(&self, numbers: &[u32]) -> Vec<u32> {
        let mut titles: Vec<u32> = numbers.iter().map(|number| self.title_of[*number as usize]).collect();
        titles.sort_unstable();
        titles.dedup();
        if titles.last() == Some(&NONE) {
            titles.pop();
        }
        titles
    }

    /// The devices that have any of these packages.
    pub(super) fn devices_with(&self, numbers: &RoaringBitmap) -> RoaringBitmap {
        union(numbers.iter().filter_map(|number| self.installs.get(number as usize)))
    }

    /// The packages that match.
    pub(super) fn query(&self, filter: &Filter, now: Timestamp) -> Result<RoaringBitmap, QueryError> {
        evaluate(self, filter, &self.known, now)
    }

    /// The devices that have a package which compares so; `!=` takes devices with packages of which none is equal.
    pub(super) fn devices_comparing(
        &self,
        comparison: &Comparison,
        now: Timestamp,
    ) -> Result<RoaringBitmap, QueryError> {
        if comparison.operator == Operator::NotEqual {
            let equal = Comparison { operator: Operator::Equal, ..comparison.clone() };
            return Ok(&self.installed - self.devices_comparing(&equal, now)?);
        }
        let place = schema::package_column(comparison.field.as_str())?;
        if place == schema::PACKAGE_NAME && comparison.value == Value::Any {
            return Ok(self.installed.clone());
        }
        Ok(self.devices_with(&self.compare(comparison, &self.known, now)?))
    }

    /// A column by its place in [`schema::PACKAGE`].
    pub(super) fn column(&self, place: usize) -> &Column {
        &self.columns[place]
    }

    /// A package's text in a column; empty where it has none.
    pub(super) fn text(&self, number: u32, place: usize) -> &str {
        self.columns[place].as_text().and_then(|column| column.texts_of(number).next()).unwrap_or("")
    }

    /// How many titles there are; they are numbered from 0.
    pub(super) fn title_count(&self) -> u32 {
        self.members.len() as u32
    }

    /// A title's packages.
    pub(super) fn members(&self, title: u32) -> &[u32] {
        &self.members[title as usize]
    }

    /// How many packages of the title of this one any device has.
    pub(super) fn installed_versions(&self, number: u32) -> u32 {
        let title = self.title_of[number as usize];
        let members = self.members.get(title as usize).map_or(&[][..], Vec::as_slice);
        members.iter().filter(|number| self.package_devices(**number) > 0).count() as u32
    }

    /// How many devices have a title.
    pub(super) fn title_devices(&self, title: u32) -> u64 {
        u64::from(self.devices[title as usize])
    }

    /// How many devices have a package.
    pub(super) fn package_devices(&self, number: u32) -> u64 {
        self.installs.get(number as usize).map_or(0, Postings::len)
    }

    /// Titles with those of the packages `numbers` that are theirs.
    pub(super) fn by_title(&self, numbers: &RoaringBitmap) -> Vec<(u32, Vec<u32>)> {
        let mut pairs: Vec<(u32, u32)> =
            numbers.iter().map(|number| (self.title_of[number as usize], number)).collect();
        pairs.sort_unstable();
        pairs
            .chunk_by(|a, b| a.0 == b.0)
            .map(|chunk| (chunk[0].0, chunk.iter().map(|(_, number)| *number).collect()))
            .collect()
    }

    /// Makes ready for readers what they would else have to wait for.
    pub(super) fn prepare(&mut self) {
        self.columns.iter_mut().for_each(Column::prepare);
    }

    /// The packages among `within` whose version compares so, each in its own ecosystem's order.
    fn compare_versions(
        &self,
        place: usize,
        operator: Operator,
        wanted: &str,
        within: &RoaringBitmap,
    ) -> RoaringBitmap {
        let matches = |number: u32| {
            let purl_type = self.text(number, schema::PACKAGE_TYPE);
            match (version::compare(purl_type, self.text(number, place), wanted), operator) {
                (None, _) => false,
                (Some(order), Operator::Less) => order == Ordering::Less,
                (Some(order), Operator::LessOrEqual) => order != Ordering::Greater,
                (Some(order), Operator::Greater) => order == Ordering::Greater,
                (Some(order), Operator::GreaterOrEqual) => order != Ordering::Less,
                (Some(order), Operator::Equal | Operator::Has) => order == Ordering::Equal,
                (Some(order), Operator::NotEqual) => order != Ordering::Equal,
            }
        };
        let candidates = within & self.columns[place].present();
        candidates.iter().filter(|number| matches(*number)).collect()
    }
}

impl Table for Catalogue {
    fn compare(
        &self,
        comparison: &Comparison,
        within: &RoaringBitmap,
        now: Timestamp,
    ) -> Result<RoaringBitmap, QueryError> {
        let Comparison { field, operator, value } = comparison;
        let place = schema::package_column(field.as_str())?;
        let is_version = place == schema::PACKAGE_VERSION || place == schema::PACKAGE_SOURCE_VERSION;
        match value {
            Value::Exact(wanted) if is_version && operator.is_order() => {
                Ok(self.compare_versions(place, *operator, wanted, within))
            }
            _ => self.columns[place].compare(field.as_str(), comparison, now),
        }
    }

    fn search(&self, value: &Value) -> RoaringBitmap {
        self.columns[schema::PACKAGE_NAME].search(value)
    }

    fn software(&self, _inner: &Filter, _now: Timestamp) -> Result<RoaringBitmap, QueryError> {
        let known = schema::PACKAGE.iter().map(|(name, _)| *name).collect();
        Err(QueryError::unknown_field("software", "software", known))
    }
}

/// What is only in the first and what is only in the second of two sorted lists.
fn difference(old: &[u32], new: &[u32]) -> (Vec<u32>, Vec<u32>) {
    (only_in_first(old, new), only_in_first(new, old))
}

fn only_in_first(first: &[u32], second: &[u32]) -> Vec<u32> {
    let mut second = second.iter().copied().peekable();
    let mut only = Vec::new();
    for number in first.iter().copied() {
        while second.next_if(|other| *other < number).is_some() {}
        if second.peek() != Some(&number) {
            only.push(number);
        }
    }
    only
}
