//! A device's inventory as its current agent reported it, and titles of the catalogue by their numbers.

use std::collections::{BTreeSet, HashMap};

use muster_proto::{store::v1 as stored, v1};
use prost::Message;

use super::{Query, QueryFailure, View};
use crate::{
    records::{Malformed, Read, SectionHead, Subject, content::Content, key},
    store::CatalogueId,
};

/// Titles that are read from the store in one go.
const PAGE: usize = 10_000;

/// Titles by their numbers, each an item without installation.
pub(super) type Titles = HashMap<CatalogueId, v1::Item>;

impl View<'_> {
    /// The inventory of a device.
    ///
    /// # Errors
    /// When there is no such device, or no agent reports from it.
    pub async fn get_inventory(
        &self,
        request: &v1::GetInventoryRequest,
    ) -> Result<v1::Inventory, QueryFailure> {
        let device = self.device_named(&request.name).await?;
        let none = || QueryFailure::NoInventory { device: device.id };
        let binding = device.agents.iter().find(|binding| binding.current).ok_or_else(none)?;
        let read: Read<Subject> = self.records().get(key::subject(&binding.subject)).await?;
        let subject = read.record.ok_or_else(none)?;
        let mut keys = Vec::with_capacity(subject.sections.len());
        for name in subject.sections.keys() {
            // It was kept under this key, so it is one.
            keys.push(key::content(&subject.key, name).map_err(|error| Malformed(error.to_string()))?);
        }
        let contents: Vec<Read<Content>> = self.records().get_all(keys).await?;
        let titles =
            self.titles(contents.iter().filter_map(|read| read.record.as_ref()).flat_map(title_ids)).await?;
        let sections = subject.sections.iter().zip(contents);
        Ok(v1::Inventory {
            // Sections are read at different times; when each changed stands in the history.
            collected_time: None,
            agent_version: subject.agent_version.clone(),
            sections: sections
                .map(|((name, head), content)| section(name.as_str(), head, content.record, &titles))
                .collect::<Result<_, _>>()?,
        })
    }
}

impl Query {
    /// Reads titles of the catalogue; a number that it does not know is left out.
    pub(super) async fn titles(
        &self,
        ids: impl IntoIterator<Item = CatalogueId>,
    ) -> Result<Titles, QueryFailure> {
        let ids: Vec<CatalogueId> = ids.into_iter().collect::<BTreeSet<_>>().into_iter().collect();
        let mut titles = HashMap::with_capacity(ids.len());
        for ids in ids.chunks(PAGE) {
            let values = self.records().store().catalogue(ids).await?;
            for (id, value) in ids.iter().zip(values) {
                let Some(value) = value else { continue };
                let damaged =
                    |error: prost::DecodeError| Malformed(format!("title {}: {error}", id.number()));
                let entry = stored::CatalogueEntry::decode(value.as_slice()).map_err(damaged)?;
                titles.insert(*id, v1::Item::decode(entry.body.as_slice()).map_err(damaged)?);
            }
        }
        Ok(titles)
    }
}

fn title_ids(content: &Content) -> impl Iterator<Item = CatalogueId> + '_ {
    let rows = match content {
        Content::Software(rows) => rows.as_slice(),
        Content::Items(_) => &[],
    };
    rows.iter().map(|row| row.title)
}

fn section(
    name: &str,
    head: &SectionHead,
    content: Option<Content>,
    titles: &Titles,
) -> Result<v1::Section, Malformed> {
    let SectionHead { digest: _, status, errors, observed: _, items: _ } = head;
    let mut items = Vec::new();
    match content {
        None => {}
        Some(Content::Items(raw)) => {
            for item in raw {
                let decoded = v1::Item::decode(item.body).map_err(|error| Malformed(error.to_string()))?;
                items.push(with_installation(decoded, &item.installation)?);
            }
        }
        Some(Content::Software(rows)) => {
            for row in rows {
                let Some(title) = titles.get(&row.title) else { continue };
                let installation = row.own.as_ref().map_or(&[][..], |own| &own.installation);
                items.push(with_installation(title.clone(), installation)?);
            }
        }
    }
    Ok(v1::Section {
        name: name.to_owned(),
        status: v1::SectionStatus::from(*status).into(),
        items,
        errors: errors.iter().map(v1::SourceError::from).collect(),
    })
}

fn with_installation(mut item: v1::Item, installation: &[u8]) -> Result<v1::Item, Malformed> {
    if !installation.is_empty() {
        let decoded = v1::Installation::decode(installation).map_err(|error| Malformed(error.to_string()))?;
        item.installation = Some(decoded);
    }
    Ok(item)
}
