//! Charters, differences and exceptions as they go over the wire.

use std::collections::BTreeMap;

use muster_charter::explain;
use muster_common::{
    flag::{FlagCode, Severity},
    governance::{Charter, Exception, ExceptionState, Scope},
    id::ExceptionId,
    time::Timestamp,
};
use muster_proto::{convert::to_timestamp, store::v1 as stored, v1};
use tonic::Status;

use crate::{
    actions::charters::Difference,
    pipeline::trial::{FlagTrial, Named},
};

/// A version with its text and what it says.
pub(super) fn whole(
    version: stored::CharterVersion,
    charter: &Charter,
    now: Timestamp,
) -> v1::CharterVersion {
    let explanation = explain(charter, now).into_iter().map(|paragraph| v1::CharterParagraph {
        heading: paragraph.heading.to_owned(),
        lines: paragraph.lines,
    });
    v1::CharterVersion {
        text: version.text.clone(),
        explanation: explanation.collect(),
        enforced: charter.phase.is_enforced_at(now),
        ..listed(version)
    }
}

/// A version in a list.
pub(super) fn listed(version: stored::CharterVersion) -> v1::CharterVersion {
    let stored::CharterVersion { version, time_ms, actor, reason, text: _ } = version;
    v1::CharterVersion {
        version,
        apply_time: (time_ms != 0).then(|| to_timestamp(Timestamp::from_millis(time_ms))),
        actor,
        reason,
        ..v1::CharterVersion::default()
    }
}

/// What another charter would change.
pub(super) fn difference(difference: Difference) -> v1::CharterDifference {
    let Difference { trial, rights, added, removed, enforced_from, charter, compared } = difference;
    let flags = trial.flags.into_iter().map(|(code, of)| {
        let FlagTrial { appears, clears, reweighed, appearing, clearing } = of;
        v1::FlagDifference {
            code: code.name().to_owned(),
            appears,
            clears,
            reweighed,
            appearing: named(appearing),
            clearing: named(clearing),
        }
    });
    let fields = trial.fields.into_iter().map(|(field, (device_count, some))| v1::FieldDifference {
        field: field.name().to_owned(),
        device_count,
        some: named(some),
    });
    let rights =
        rights.into_iter().map(|(account, before, after)| v1::RightsDifference { account, before, after });
    let count = |of: &BTreeMap<FlagCode, u64>, code: &FlagCode| of.get(code).copied().unwrap_or(0);
    let codes = FlagCode::ALL
        .iter()
        .filter(|code| count(&trial.open, code) + count(&trial.excepted, code) > 0)
        .map(|code| v1::FlagCount {
            code: code.name().to_owned(),
            severity: severity(charter.severity(*code)).into(),
            device_count: count(&trial.open, code),
            excepted_count: count(&trial.excepted, code),
        });
    v1::CharterDifference {
        device_count: trial.devices,
        open: codes.collect(),
        flags: flags.collect(),
        fields: fields.collect(),
        rights: rights.collect(),
        sentences_added: added,
        sentences_removed: removed,
        enforce_time: enforced_from.map(to_timestamp),
        compared_version: compared,
    }
}

/// Devices with their names.
pub(super) fn named(devices: Vec<Named>) -> Vec<v1::NamedDevice> {
    let to_wire =
        |(id, display_name): Named| v1::NamedDevice { device: format!("devices/{id}"), display_name };
    devices.into_iter().map(to_wire).collect()
}

/// How much a finding matters.
pub(super) fn severity(severity: Severity) -> v1::Severity {
    match severity {
        Severity::Info => v1::Severity::Info,
        Severity::Warning => v1::Severity::Warning,
        Severity::Critical => v1::Severity::Critical,
    }
}

/// An exception; `covered` is how many assets it covers.
pub(super) fn exception(exception: &Exception, covered: u64, now: Timestamp) -> v1::Exception {
    let Exception {
        id,
        code,
        scope,
        reason,
        until,
        requester,
        requested,
        state: _,
        approver,
        decided,
        remark,
    } = exception;
    v1::Exception {
        name: format!("exceptions/{id}"),
        code: code.name().to_owned(),
        scope: Some(match scope {
            Scope::Device(device) => v1::exception::Scope::Device(format!("devices/{device}")),
            Scope::Filter(filter) => v1::exception::Scope::Filter(filter.clone()),
        }),
        reason: reason.clone(),
        until_time: Some(to_timestamp(*until)),
        requester: requester.clone(),
        request_time: Some(to_timestamp(*requested)),
        state: state(exception, now).into(),
        approver: approver.clone().unwrap_or_default(),
        decide_time: decided.map(to_timestamp),
        remark: remark.clone(),
        self_approved: exception.is_self_approved(),
        covered_count: covered,
    }
}

/// Where an exception stands at a moment.
pub(super) fn state(exception: &Exception, now: Timestamp) -> v1::ExceptionState {
    match exception.state {
        ExceptionState::Requested => v1::ExceptionState::Requested,
        ExceptionState::Approved if exception.is_good_at(now) => v1::ExceptionState::Approved,
        ExceptionState::Approved => v1::ExceptionState::Expired,
        ExceptionState::Refused => v1::ExceptionState::Refused,
        ExceptionState::Withdrawn => v1::ExceptionState::Withdrawn,
    }
}

/// The id of an exception's resource name.
pub(super) fn exception_id(name: &str) -> Result<ExceptionId, Status> {
    let id = name.strip_prefix("exceptions/").and_then(|id| id.parse().ok());
    id.ok_or_else(|| {
        Status::invalid_argument(
            "expected the name of an exception: exceptions/ and its id (muster exception list)",
        )
    })
}
