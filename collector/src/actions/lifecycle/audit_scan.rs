//! A physical audit: the tags that somebody scanned at a place, against what the records say is there.

use std::collections::{BTreeMap, BTreeSet};

use muster_common::{
    device::{Device, Field, Value},
    filter::{Comparison, FieldPath, Filter, Operator, Value as Wanted},
    id::DeviceId,
    page::OrderBy,
    source::{ImportName, Source},
    time::Timestamp,
};

use super::{By, Lifecycle, LifecycleError, audit, check_text};
use crate::{
    index::ListRequest,
    pipeline::observation::Observation,
    records::{Read, key},
    store::Commit,
};

/// The most tags of one scan.
pub const MOST_TAGS: usize = 50_000;
/// How many assets are asked for at once.
const PAGE: u32 = 1_000;
/// The longest tag, in bytes.
const TAG_BYTES: usize = 128;

/// What became of a tag, or of an asset that has none of them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Scanned {
    /// It is where it should be.
    Found,
    /// Its record says another place, or none.
    Moved,
    /// Its record says this place, and it was not scanned.
    Missing,
    /// No asset has this number.
    Unknown,
    /// Several assets have it.
    Ambiguous,
}

/// One line of an audit.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ScanResult {
    /// What became of it.
    pub scanned: Scanned,
    /// As scanned; empty for what is missing.
    pub tag: String,
    /// Which asset.
    pub asset: Option<DeviceId>,
    /// For people.
    pub display_name: String,
    /// Where its record says that it is.
    pub recorded_location: String,
}

impl Lifecycle {
    /// Compares a scan with the records, and with `apply` states of all that was found that it was seen there.
    ///
    /// # Errors
    /// When the source is no audit, a tag can't be one, or the change can't be kept; what was stated before stays so.
    pub async fn scan(
        &self,
        location: &str,
        tags: &[String],
        source: &str,
        apply: bool,
        by: &By,
    ) -> Result<Vec<ScanResult>, LifecycleError> {
        let unusable = |text: &str| LifecycleError::Unusable(text.to_owned());
        let location = location.trim();
        check_text("location", location)?;
        if location.is_empty() {
            return Err(unusable("say where it was scanned (--location PLACE)"));
        }
        if tags.len() > MOST_TAGS {
            return Err(LifecycleError::Unusable(format!(
                "{} tags are more than the {MOST_TAGS} of one scan: split it by room",
                tags.len()
            )));
        }
        let import = ImportName::new(source)
            .ok()
            .filter(|name| name.as_str() == "audit" || name.as_str().starts_with("audit-"))
            .ok_or_else(|| unusable("the source of a physical audit is called audit, or audit-NAME"))?;
        let now = self.pipeline.now();
        let mut results = Vec::new();
        let mut seen: BTreeMap<DeviceId, Device> = BTreeMap::new();
        let mut read_tags = BTreeSet::new();
        for tag in tags.iter().map(|tag| tag.trim()).filter(|tag| !tag.is_empty()) {
            if tag.len() > TAG_BYTES {
                return Err(LifecycleError::TooLong { what: "tag", most: TAG_BYTES });
            }
            if !read_tags.insert(tag.to_uppercase()) {
                continue;
            }
            results.push(self.match_tag(tag, location, by, now, &mut seen).await?);
        }
        results.extend(self.not_scanned(location, &seen, by, now).await?);
        results.sort_by(|left, right| (left.scanned, &left.tag).cmp(&(right.scanned, &right.tag)));
        if apply {
            for device in seen.keys() {
                let fields = BTreeMap::from([
                    (Field::Location, Some(Value::Text(location.to_owned()))),
                    (Field::Verified, Some(Value::Time(now))),
                ]);
                let source = Source::Import(import.clone());
                let statement =
                    Observation::statement(source, *device, fields, None, now).decided_by(&by.name);
                self.pipeline.observe(&statement).await?;
            }
            self.note(location, &results, by, now).await?;
        }
        Ok(results)
    }

    /// What a tag is of.
    async fn match_tag(
        &self,
        tag: &str,
        location: &str,
        by: &By,
        now: Timestamp,
        seen: &mut BTreeMap<DeviceId, Device>,
    ) -> Result<ScanResult, LifecycleError> {
        let mut found: BTreeSet<DeviceId> = BTreeSet::new();
        // A label has the tag without its scheme, or the whole of it.
        let forms = [
            (Field::Serial, Wanted::Exact(tag.to_owned())),
            (Field::AssetTag, Wanted::Exact(tag.to_owned())),
            (Field::AssetTag, Wanted::Suffix(format!("/{tag}"))),
        ];
        for (field, value) in forms {
            found.extend(self.having(field, value, None, now)?.0);
        }
        if let Ok(id) = tag.to_lowercase().parse::<DeviceId>() {
            found.extend(self.index.read().resolve(id));
        }
        let mut visible = Vec::new();
        for id in found {
            // Another department's is as unknown as one that isn't there.
            match self.asset(id, by).await {
                Ok(asset) => visible.push(asset.device),
                Err(LifecycleError::NoAsset { .. }) => {}
                Err(error) => return Err(error),
            }
        }
        let mut result = ScanResult {
            scanned: Scanned::Unknown,
            tag: tag.to_owned(),
            asset: None,
            display_name: String::new(),
            recorded_location: String::new(),
        };
        match visible.as_slice() {
            [] => {}
            [device] => {
                let recorded = device.text(Field::Location).unwrap_or_default();
                result.scanned = if same_place(recorded, location) { Scanned::Found } else { Scanned::Moved };
                result.asset = Some(device.id);
                result.display_name = device.display_name();
                recorded.clone_into(&mut result.recorded_location);
                seen.insert(device.id, device.clone());
            }
            several => {
                result.scanned = Scanned::Ambiguous;
                result.display_name =
                    several.iter().take(5).map(Device::display_name).collect::<Vec<_>>().join(", ");
            }
        }
        Ok(result)
    }

    /// What should be there and was not scanned.
    async fn not_scanned(
        &self,
        location: &str,
        seen: &BTreeMap<DeviceId, Device>,
        by: &By,
        now: Timestamp,
    ) -> Result<Vec<ScanResult>, LifecycleError> {
        let mut missing = Vec::new();
        let mut token: Option<Vec<u8>> = None;
        loop {
            let value = Wanted::Exact(location.to_owned());
            let (ids, next) = self.having(Field::Location, value, token.as_deref(), now)?;
            for id in ids.into_iter().filter(|id| !seen.contains_key(id)) {
                let read: Read<Device> = self.pipeline.records().get(key::device(id)).await?;
                let Some(device) = read.record else { continue };
                if crate::flags::is_retired(&device) || self.asset(id, by).await.is_err() {
                    continue;
                }
                missing.push(ScanResult {
                    scanned: Scanned::Missing,
                    tag: String::new(),
                    asset: Some(id),
                    display_name: device.display_name(),
                    recorded_location: location.to_owned(),
                });
            }
            match next {
                Some(next) => token = Some(next),
                None => return Ok(missing),
            }
        }
    }

    /// A page of the assets that have a value.
    fn having(
        &self,
        field: Field,
        value: Wanted,
        token: Option<&[u8]>,
        now: Timestamp,
    ) -> Result<(Vec<DeviceId>, Option<Vec<u8>>), LifecycleError> {
        let path = FieldPath::new(field.name()).expect("the name of a field is a path");
        let filter = Filter::Comparison(Comparison { field: path, operator: Operator::Equal, value });
        let order = OrderBy::default();
        let request = ListRequest { filter: &filter, order: &order, token, size: PAGE, now };
        let page = self.index.read().list(&request)?;
        Ok((page.devices, page.next))
    }

    async fn note(
        &self,
        location: &str,
        results: &[ScanResult],
        by: &By,
        now: Timestamp,
    ) -> Result<(), LifecycleError> {
        let count = |wanted| results.iter().filter(|result| result.scanned == wanted).count();
        let detail = format!(
            "{} found, {} moved here, {} missing, {} unknown, {} ambiguous",
            count(Scanned::Found),
            count(Scanned::Moved),
            count(Scanned::Missing),
            count(Scanned::Unknown),
            count(Scanned::Ambiguous)
        );
        let commit = Commit {
            kind: "audit.scan".to_owned(),
            time: now,
            actor: by.name.clone(),
            expected: Vec::new(),
            writes: Vec::new(),
            audit: Some(audit("asset.scan", format!("location {location}"), detail)),
        };
        self.pipeline.records().commit(commit).await?;
        Ok(())
    }
}

fn same_place(left: &str, right: &str) -> bool {
    left.trim().to_lowercase() == right.trim().to_lowercase()
}
