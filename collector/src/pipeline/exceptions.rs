//! Which exceptions cover which device: memory, made from the records at the start and at each decision.
//!
//! A filter's devices are found again from time to time, so that a device that comes to match is covered too. What is
//! decided about exceptions is policy's; here is only where they apply.

use std::{
    collections::{BTreeSet, HashMap},
    sync::{Arc, PoisonError, RwLock},
    time::Duration,
};

use muster_common::{
    filter::Filter,
    governance::{Exception, Scope},
    id::DeviceId,
    time::Timestamp,
};

use super::{ObserveError, Pipeline};

type ByDevice = HashMap<DeviceId, Vec<Arc<Exception>>>;

/// Approved exceptions, and whom they cover.
#[derive(Debug, Default)]
pub(super) struct Exceptions {
    inner: RwLock<Inner>,
}

#[derive(Debug, Default)]
struct Inner {
    all: Vec<Arc<Exception>>,
    by_device: ByDevice,
}

impl Exceptions {
    /// Those that cover a device; some of them may have ended.
    pub(super) fn of(&self, device: DeviceId) -> Vec<Arc<Exception>> {
        let inner = self.inner.read().unwrap_or_else(PoisonError::into_inner);
        inner.by_device.get(&device).cloned().unwrap_or_default()
    }

    fn all(&self) -> Vec<Arc<Exception>> {
        self.inner.read().unwrap_or_else(PoisonError::into_inner).all.clone()
    }

    /// Takes others; returns the devices that are covered otherwise than before.
    fn replace(&self, all: Vec<Arc<Exception>>, by_device: ByDevice) -> Vec<DeviceId> {
        let mut inner = self.inner.write().unwrap_or_else(PoisonError::into_inner);
        let before = std::mem::replace(&mut *inner, Inner { all, by_device });
        let devices: BTreeSet<DeviceId> =
            before.by_device.keys().chain(inner.by_device.keys()).copied().collect();
        devices
            .into_iter()
            .filter(|device| before.by_device.get(device) != inner.by_device.get(device))
            .collect()
    }
}

impl Pipeline {
    /// Puts these exceptions in force, and no others; returns the devices that are covered otherwise than before. They
    /// are due to be judged after `within`, unless whoever asked does it first.
    pub fn set_exceptions(
        &self,
        exceptions: Vec<Exception>,
        within: Duration,
        now: Timestamp,
    ) -> Vec<DeviceId> {
        let all: Vec<Arc<Exception>> =
            exceptions.into_iter().filter(|exception| exception.is_good_at(now)).map(Arc::new).collect();
        let mut by_device = ByDevice::new();
        for exception in &all {
            for device in self.covered_by(exception, now) {
                by_device.entry(device).or_default().push(exception.clone());
            }
        }
        let changed = self.exceptions.replace(all, by_device);
        for device in &changed {
            self.due.set(*device, Some(now.after(within)));
        }
        changed
    }

    /// Finds again which devices the exceptions cover; returns how many are covered otherwise than before.
    pub fn cover_again(&self) -> usize {
        let now = self.now();
        let all = self.exceptions.all();
        if all
            .iter()
            .all(|exception| matches!(exception.scope, Scope::Device(_)) && exception.is_good_at(now))
        {
            return 0;
        }
        let all = all.iter().map(|exception| exception.as_ref().clone()).collect();
        self.set_exceptions(all, Duration::ZERO, now).len()
    }

    /// The devices in an exception's scope, whether or not they have its finding.
    pub fn covered_by(&self, exception: &Exception, now: Timestamp) -> Vec<DeviceId> {
        let fleet = self.index.read();
        match &exception.scope {
            Scope::Device(device) => fleet.resolve(*device).into_iter().collect(),
            Scope::Filter(filter) => {
                // Checked when it was asked for; a field that is gone since covers nothing.
                let rows = Filter::parse(filter).ok().and_then(|filter| fleet.query(&filter, now).ok());
                rows.map(|rows| fleet.devices(&rows).collect()).unwrap_or_default()
            }
        }
    }

    /// Judges these devices again, on somebody's behalf; returns how many records changed.
    ///
    /// # Errors
    /// When the store can't be used; those that were not judged are due.
    pub async fn judge_these(
        &self,
        devices: &[DeviceId],
        actor: &str,
        now: Timestamp,
    ) -> Result<usize, ObserveError> {
        let mut changed = 0;
        for device in devices {
            changed += usize::from(self.judge_again(*device, actor, now).await?);
        }
        Ok(changed)
    }
}
