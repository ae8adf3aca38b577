//! What a filter finds, for acts over many assets; and a filter in which persons are named by their ids alone, so that it
//! may be kept.

use muster_common::{
    filter::{Comparison, FieldPath, Filter, Operator, Value},
    flag::FlagCode,
    id::DeviceId,
};

use super::{Query, QueryFailure, page};

impl Query {
    /// The filter with each person's name replaced by the person's id.
    ///
    /// # Errors
    /// What is wrong with it.
    pub async fn filter_without_names(&self, filter: &str) -> Result<String, QueryFailure> {
        let filter = self.with_persons(page::filter(filter)?).await?;
        // Asked once, so that a field that isn't there is told to whoever writes the filter.
        self.index.read().count(&filter, self.now())?;
        Ok(filter.to_string())
    }

    /// Every asset that a filter finds, in the order of their ids.
    ///
    /// # Errors
    /// What is wrong with it.
    pub async fn devices_of(&self, filter: &str) -> Result<Vec<DeviceId>, QueryFailure> {
        let filter = self.with_persons(page::filter(filter)?).await?;
        let fleet = self.index.read();
        let rows = fleet.query(&filter, self.now())?;
        let mut devices: Vec<DeviceId> = fleet.devices(&rows).collect();
        devices.sort_unstable();
        Ok(devices)
    }

    /// How many of some assets have a finding.
    pub fn count_with_flag(&self, devices: &[DeviceId], code: FlagCode) -> u64 {
        let field = FieldPath::new("flag").expect("a word is a path");
        let value = Value::Exact(code.name().to_owned());
        let filter = Filter::Comparison(Comparison { field, operator: Operator::Has, value });
        let fleet = self.index.read();
        let Ok(rows) = fleet.query(&filter, self.now()) else { return 0 };
        let found: std::collections::HashSet<DeviceId> = fleet.devices(&rows).collect();
        devices.iter().filter(|device| found.contains(device)).count() as u64
    }
}
