//! Lists of devices, and one device now or as it was.

use muster_common::{
    asset::Category,
    device::{Device, Field},
    filter::{Comparison, FieldPath, Filter, Operator, Value},
    id::DeviceId,
    page::{OrderBy, page_size},
    time::Timestamp,
};
use muster_proto::{convert::from_timestamp, v1};

use super::{
    Query, QueryFailure, View, as_of, convert, page,
    persons::{Names, of_device},
};
use crate::{
    index::ListRequest,
    pipeline::presence::Seen,
    records::{Read, key},
};

impl View<'_> {
    /// A page of the devices that match.
    ///
    /// # Errors
    /// What is wrong with the question, or why the store can't answer.
    pub async fn list_devices(
        &self,
        request: &v1::ListDevicesRequest,
    ) -> Result<v1::ListDevicesResponse, QueryFailure> {
        self.list(request, devices_alone).await
    }

    /// A page of the assets of all categories that match.
    ///
    /// # Errors
    /// As [`Self::list_devices`].
    pub async fn list_assets(
        &self,
        request: &v1::ListDevicesRequest,
    ) -> Result<v1::ListDevicesResponse, QueryFailure> {
        self.list(request, |filter| filter).await
    }

    async fn list(
        &self,
        request: &v1::ListDevicesRequest,
        of: fn(Filter) -> Filter,
    ) -> Result<v1::ListDevicesResponse, QueryFailure> {
        let v1::ListDevicesRequest { page_size: size, page_token, filter, order_by, min_position, as_of } =
            request;
        self.reach(min_position).await?;
        let filter = page::filter(filter)?;
        let at = as_of.as_ref().map(from_timestamp);
        if at.is_some() {
            as_of::check(&filter)?;
        }
        let filter = self.narrowed(of(self.with_persons(filter).await?));
        let order: OrderBy = order_by.parse()?;
        let token = page::decode(page_token)?;
        let question = ListRequest {
            filter: &filter,
            order: &order,
            token: token.as_deref(),
            size: page_size(*size),
            now: at.unwrap_or_else(|| self.now()),
        };
        let listed = match at {
            None => self.index.read().list(&question)?,
            Some(at) => self.fleet_at(at).await?.list(&question)?,
        };
        let mut devices = self.records_of(&listed.devices).await?;
        if let Some(at) = at {
            for device in &mut devices {
                self.rewind(device, at).await?;
            }
        }
        let names = self.names(devices.iter().flat_map(of_device)).await?;
        let shown = devices.iter().map(|device| match at {
            None => self.shown(device, &names),
            Some(at) => self.shown_at(device, at, &names),
        });
        Ok(v1::ListDevicesResponse {
            devices: shown.collect(),
            next_page_token: page::encode(listed.next.as_deref()),
            total_size: i64::try_from(listed.total).unwrap_or(i64::MAX),
        })
    }

    /// One device.
    ///
    /// # Errors
    /// When there is none by that name, or there was none then.
    pub async fn get_device(&self, request: &v1::GetDeviceRequest) -> Result<v1::Device, QueryFailure> {
        let v1::GetDeviceRequest { name, as_of } = request;
        let Some(at) = as_of.as_ref().map(from_timestamp) else {
            let device = self.device_named(name).await?;
            let names = self.names(of_device(&device)).await?;
            return Ok(self.shown(&device, &names));
        };
        let device = self.device_named_at(name, at).await?;
        let names = self.names(of_device(&device)).await?;
        Ok(self.shown_at(&device, at, &names))
    }
}

impl Query {
    /// A device as it is shown now.
    fn shown(&self, device: &Device, names: &Names) -> v1::Device {
        convert::device(device, self.pipeline.presence().of(device.id), names)
    }

    /// A device as it was.
    fn shown_at(&self, device: &Device, at: Timestamp, names: &Names) -> v1::Device {
        // Presence is memory and has no past: what was heard later says nothing of then.
        let seen = self.pipeline.presence().of(device.id).filter(|seen| seen.last <= at);
        convert::device(device, seen.map(|seen| Seen { connected: false, ..seen }), names)
    }

    /// The record of a device.
    pub(super) async fn record_of(&self, id: DeviceId) -> Result<Device, QueryFailure> {
        let read: Read<Device> = self.records().get(key::device(id)).await?;
        let mut device = read.record.ok_or(QueryFailure::NoDevice { device: id })?;
        self.pipeline.sightings().add_to(&mut device);
        Ok(device)
    }

    /// The records of devices, in their order; one that has just gone is left out.
    pub(super) async fn records_of(&self, ids: &[DeviceId]) -> Result<Vec<Device>, QueryFailure> {
        let read: Vec<Read<Device>> =
            self.records().get_all(ids.iter().map(|id| key::device(*id)).collect()).await?;
        let mut devices: Vec<Device> = read.into_iter().filter_map(|read| read.record).collect();
        devices.iter_mut().for_each(|device| self.pipeline.sightings().add_to(device));
        Ok(devices)
    }

    /// Takes a device back to what it was, by undoing what came later, newest first.
    pub(super) async fn rewind(&self, device: &mut Device, at: Timestamp) -> Result<(), QueryFailure> {
        let id = device.id;
        let mut back = super::past::Rewound::new(device);
        // A source may have seen it long before anybody told us: what was known by then, its history says.
        let mut was_known = false;
        self.walk_back(id, |entry| {
            if entry.time_ms <= at.as_millis() {
                was_known = true;
                back.stop_at(entry);
                return Ok(false);
            }
            back.undo(entry)?;
            Ok(true)
        })
        .await?;
        back.finish(at);
        if was_known { Ok(()) } else { Err(QueryFailure::NotYet { device: id, time: at }) }
    }
}

/// A filter that assets of other categories don't match. A record without a category is a device's.
fn devices_alone(filter: Filter) -> Filter {
    let is = |value| {
        let field = FieldPath::new(Field::Category.name()).expect("the name of a field is a path");
        Filter::Comparison(Comparison { field, operator: Operator::Equal, value })
    };
    let is_device = Filter::Or(vec![
        Filter::Not(Box::new(is(Value::Any))),
        is(Value::Exact(Category::Device.name().to_owned())),
    ]);
    Filter::And(vec![is_device, filter])
}
