//! The reads as one asker may see them: every list, count and single record is narrowed to the asker's sight here.
//!
//! What lies outside is answered as if it weren't there: the same words as for a device that never was, no count and no
//! page token that knows of it. Knows nothing of accounts and roles.

use std::ops::Deref;

use muster_common::{
    device::{Device, Field},
    filter::Filter,
    id::DeviceId,
    time::Timestamp,
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
        let device = self.record_of(self.named(name)?).await?;
        if self.sees(&device) { Ok(device) } else { Err(nothing()) }
    }

    /// The id of a device that the asker sees, by its resource name.
    ///
    /// # Errors
    /// When there is none for them.
    pub async fn seen(&self, name: &str) -> Result<DeviceId, QueryFailure> {
        Ok(self.device_named(name).await?.id)
    }

    /// A filter that may be kept, narrowed to what the asker sees; persons stand in it by their ids.
    ///
    /// # Errors
    /// What is wrong with it.
    pub async fn filter_to_keep(&self, filter: &str) -> Result<String, QueryFailure> {
        let kept = self.filter_without_names(filter).await?;
        Ok(match self.sight.filter() {
            None => kept,
            Some(own) => format!("({own}) AND ({kept})"),
        })
    }

    /// The same as it was at a moment; whether the asker sees it is told by what it was then.
    pub(super) async fn device_named_at(&self, name: &str, at: Timestamp) -> Result<Device, QueryFailure> {
        let asked = super::id_of(name)?;
        let nothing = || QueryFailure::NoDevice { device: asked };
        let mut device = self.record_of(self.named(name)?).await?;
        let sees_now = self.sees(&device);
        match self.rewind(&mut device, at).await {
            Ok(()) if self.sees(&device) => Ok(device),
            // That it was somewhere else then is nothing to be told either.
            Ok(()) if sees_now => Err(QueryFailure::NotYet { device: device.id, time: at }),
            Err(error) if sees_now => Err(error),
            Ok(()) | Err(_) => Err(nothing()),
        }
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
