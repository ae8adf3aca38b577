//! Findings over the fleet: one row for each device and flag, and how many devices have each.

use std::collections::HashMap;

use muster_common::{
    device::Device,
    filter::{Comparison, FieldPath, Filter, Operator, Value},
    flag::FlagCode,
    page::{InvalidPageToken, OrderBy, page_size},
    time::Timestamp,
};
use muster_proto::v1;

use super::{Query, QueryFailure, View, convert, page};
use crate::index::{DevicePage, ListRequest};

/// The column of flags.
const FLAG: &str = "flag";
/// The column of those that an exception covers.
const EXCEPTED: &str = "excepted";

impl View<'_> {
    /// A page of flags, in the order of the devices' host names.
    ///
    /// # Errors
    /// What is wrong with the question, or why the store can't answer.
    pub async fn list_flags(
        &self,
        request: &v1::ListFlagsRequest,
    ) -> Result<v1::ListFlagsResponse, QueryFailure> {
        let v1::ListFlagsRequest { page_size: size, page_token, filter, code } = request;
        let code = read_code(code)?;
        let filter = self.narrowed(self.with_persons(page::filter(filter)?).await?);
        let flagged = Filter::And(vec![filter.clone(), has_flag(code)]);
        let now = self.now();
        let size = page_size(*size);
        let (skip, token) = split(page::decode(page_token)?)?;

        let listed = self.page_of(&flagged, token.as_deref(), size, now)?;
        let devices = self.records_of(&listed.devices).await?;
        let mut flags = Vec::new();
        let mut whole = 0;
        let mut rest = 0;
        for (place, device) in devices.iter().enumerate() {
            let skipped = if place == 0 { skip } else { 0 };
            let own = rows(device, code);
            let room = (size as usize).saturating_sub(flags.len());
            let taken = own.len().saturating_sub(skipped).min(room);
            let all = own.len();
            flags.extend(own.into_iter().skip(skipped).take(taken));
            if skipped + taken < all {
                rest = skipped + taken;
                break;
            }
            whole += 1;
        }
        let next = if whole == devices.len() {
            listed.next.map(|token| join(0, Some(token)))
        } else if whole == 0 {
            Some(join(rest, token))
        } else {
            // The same list again, up to the last device whose flags are all here.
            let before = self.page_of(&flagged, token.as_deref(), whole as u32, now)?;
            before.next.map(|token| join(rest, Some(token)))
        };
        Ok(v1::ListFlagsResponse {
            flags,
            next_page_token: page::encode(next.as_deref()),
            counts: self.flag_counts(&filter, now)?,
        })
    }
}

impl Query {
    fn page_of(
        &self,
        filter: &Filter,
        token: Option<&[u8]>,
        size: u32,
        now: Timestamp,
    ) -> Result<DevicePage, QueryFailure> {
        let order = OrderBy::default();
        Ok(self.index.read().list(&ListRequest { filter, order: &order, token, size, now })?)
    }

    fn flag_counts(&self, filter: &Filter, now: Timestamp) -> Result<Vec<v1::FlagCount>, QueryFailure> {
        let fleet = self.index.read();
        let rows = fleet.query(filter, now)?;
        let counted = fleet.facets(FLAG, &rows, FlagCode::ALL.len())?;
        let excepted = fleet.facets(EXCEPTED, &rows, FlagCode::ALL.len())?;
        let excepted: HashMap<String, u64> = excepted.values.into_iter().collect();
        let charter = self.pipeline.charter();
        let count = |(code, standing): (String, u64)| {
            let excepted_count = excepted.get(&code).copied().unwrap_or(0);
            let code: FlagCode = code.parse().ok()?;
            let severity = convert::severity(charter.severity(code)).into();
            let device_count = standing.saturating_sub(excepted_count);
            Some(v1::FlagCount { code: code.name().to_owned(), severity, device_count, excepted_count })
        };
        Ok(counted.values.into_iter().filter_map(count).collect())
    }
}

fn read_code(code: &str) -> Result<Option<FlagCode>, QueryFailure> {
    if code.is_empty() {
        return Ok(None);
    }
    let known = || FlagCode::ALL.iter().map(|code| code.name()).collect::<Vec<_>>().join(", ");
    let unknown = |_| QueryFailure::Code { code: code.chars().take(64).collect(), known: known() };
    code.to_ascii_lowercase().parse().map(Some).map_err(unknown)
}

fn has_flag(code: Option<FlagCode>) -> Filter {
    let value = code.map_or(Value::Any, |code| Value::Exact(code.name().to_owned()));
    let field = FieldPath::new(FLAG).expect("a word is a path");
    Filter::Comparison(Comparison { field, operator: Operator::Has, value })
}

fn rows(device: &Device, code: Option<FlagCode>) -> Vec<v1::DeviceFlag> {
    let wanted = device.flags.iter().filter(|flag| code.is_none_or(|code| flag.code == code));
    wanted
        .map(|flag| v1::DeviceFlag {
            device: convert::name(device.id),
            display_name: device.display_name(),
            flag: Some(convert::flag(flag)),
        })
        .collect()
}

/// A token is how many flags of the next device were shown already, and the token of the list of devices.
fn join(skip: usize, token: Option<Vec<u8>>) -> Vec<u8> {
    let mut joined = vec![u8::try_from(skip).unwrap_or(0)];
    joined.extend(token.unwrap_or_default());
    joined
}

fn split(token: Option<Vec<u8>>) -> Result<(usize, Option<Vec<u8>>), InvalidPageToken> {
    let Some(token) = token else { return Ok((0, None)) };
    let (skip, rest) = token.split_first().ok_or(InvalidPageToken)?;
    Ok((usize::from(*skip), (!rest.is_empty()).then(|| rest.to_vec())))
}
