//! The reads as one asker may see them: every list, count and single record is narrowed to the asker's sight here.
//!
//! What lies outside is answered as if it weren't there: the same words as for a device that never was, no count and no
//! page token that knows of it. Knows nothing of accounts and roles.

use std::ops::Deref;

use muster_common::{
    device::{Device, Field},
    filter::Filter,
};

use super::{Query, QueryFailure};
use crate::registry::Sight;

/// The reads, for one asker.
#[derive(Debug, Clone, Copy)]
pub struct View<'a> {
    query: &'a Query,
    sight: &'a Sight,
}

impl Query {
    /// The reads as somebody with this sight sees them.
    pub fn seen_by<'a>(&'a self, sight: &'a Sight) -> View<'a> {
        View { query: self, sight }
    }
}

impl Deref for View<'_> {
    type Target = Query;

    fn deref(&self) -> &Query {
        self.query
    }
}

impl View<'_> {
    /// A filter narrowed to what the asker sees.
    pub(super) fn narrowed(&self, filter: Filter) -> Filter {
        match self.sight.filter() {
            None => filter,
            Some(own) => Filter::And(vec![own, filter]),
        }
    }

    /// Whether the asker sees a record.
    pub(super) fn sees(&self, device: &Device) -> bool {
        self.sight.sees(device.text(Field::Department))
    }

    /// The record of a resource name, or of the one that it was merged into.
    pub(super) async fn device_named(&self, name: &str) -> Result<Device, QueryFailure> {
        let asked = super::id_of(name)?;
        let nothing = || QueryFailure::NoDevice { device: asked };
        let id = self.named(name)?;
        // The id that was asked for, and not the one that it leads to, stands in the answer.
        let device = self.record_of(id).await.map_err(|error| match error {
            QueryFailure::NoDevice { .. } => nothing(),
            other => other,
        })?;
        if self.sees(&device) { Ok(device) } else { Err(nothing()) }
    }

    /// Whether the asker sees everything.
    pub(super) fn is_whole(&self) -> bool {
        *self.sight == Sight::Everything
    }

    /// Whether the asker sees the records of a department.
    pub(super) fn sees_department(&self, department: Option<&str>) -> bool {
        self.sight.sees(department)
    }
}
