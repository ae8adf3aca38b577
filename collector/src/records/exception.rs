//! An exception's form at rest.

use muster_common::{
    governance::{Exception, Scope},
    id::{DeviceId, ExceptionId},
    time::Timestamp,
};
use muster_proto::store::v1 as stored;

use super::{Malformed, Record};

impl Record for Exception {
    type Stored = stored::Exception;

    fn to_stored(&self) -> stored::Exception {
        let Self { id, code, scope, reason, until, requester, requested, state, approver, decided, remark } =
            self;
        let (device_id, filter) = match scope {
            Scope::Device(device) => (device.as_bytes().to_vec(), String::new()),
            Scope::Filter(filter) => (Vec::new(), filter.clone()),
        };
        stored::Exception {
            id: id.as_bytes().to_vec(),
            code: code.name().to_owned(),
            device_id,
            filter,
            reason: reason.clone(),
            until_ms: until.as_millis(),
            requester: requester.clone(),
            requested_ms: requested.as_millis(),
            state: state.name().to_owned(),
            approver: approver.clone().unwrap_or_default(),
            decided_ms: decided.map_or(0, Timestamp::as_millis),
            remark: remark.clone(),
        }
    }

    fn from_stored(stored: stored::Exception) -> Result<Self, Malformed> {
        let sixteen = |what: &str, bytes: &[u8]| -> Result<[u8; 16], Malformed> {
            bytes.try_into().map_err(|_| Malformed(format!("{what} has {} bytes, not 16", bytes.len())))
        };
        let scope = if stored.device_id.is_empty() {
            Scope::Filter(stored.filter)
        } else {
            Scope::Device(DeviceId::from_bytes(sixteen("a device id", &stored.device_id)?))
        };
        Ok(Self {
            id: ExceptionId::from_bytes(sixteen("an exception id", &stored.id)?),
            code: stored.code.parse().map_err(|error| Malformed(format!("{error}")))?,
            scope,
            reason: stored.reason,
            until: Timestamp::from_millis(stored.until_ms),
            requester: stored.requester,
            requested: Timestamp::from_millis(stored.requested_ms),
            state: stored.state.parse().map_err(Malformed)?,
            approver: Some(stored.approver).filter(|approver| !approver.is_empty()),
            decided: (stored.decided_ms != 0).then(|| Timestamp::from_millis(stored.decided_ms)),
            remark: stored.remark,
        })
    }
}

#[cfg(test)]
mod tests {
    use muster_common::{flag::FlagCode, governance::ExceptionState};

    use super::*;

    #[test]
    fn it_is_read_as_it_was_written() {
        let asked = Exception {
            id: ExceptionId::random(),
            code: FlagCode::Stale,
            scope: Scope::Filter("location = \"Bonn\"".to_owned()),
            reason: "the office is shut".to_owned(),
            until: Timestamp::from_millis(9),
            requester: "operator/tina".to_owned(),
            requested: Timestamp::from_millis(5),
            state: ExceptionState::Requested,
            approver: None,
            decided: None,
            remark: String::new(),
        };
        let approved = Exception {
            scope: Scope::Device(DeviceId::random()),
            state: ExceptionState::Approved,
            approver: Some("operator/sam".to_owned()),
            decided: Some(Timestamp::from_millis(6)),
            remark: "once".to_owned(),
            ..asked.clone()
        };
        for exception in [asked, approved] {
            assert_eq!(Exception::from_stored(exception.to_stored()), Ok(exception));
        }
    }
}
