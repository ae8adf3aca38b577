//! Answers of the actions as messages.

use muster_common::{governance::State, id::DeviceId, time::Timestamp};
use muster_proto::{convert::to_timestamp, store::v1 as stored, v1};

use crate::actions::lifecycle::{
    Acknowledged, EvidenceItem, NewHandover, RequestView, ScanResult, Scanned, Taken, Wish,
};

fn name(id: DeviceId) -> String {
    format!("devices/{id}")
}

fn moment(ms: i64) -> Option<prost_types::Timestamp> {
    (ms != 0).then(|| to_timestamp(Timestamp::from_millis(ms)))
}

pub(super) fn request(view: RequestView) -> v1::PurchaseRequest {
    let RequestView { id, state, record, justification, remark, person } = view;
    let stored::PurchaseRequest {
        id: _,
        state: _,
        category,
        model,
        cost,
        quantity,
        person: _,
        requester,
        created_ms,
        approver,
        decided_ms,
        refused: _,
        order_number,
        assets,
        updated_ms,
        sealed_words: _,
        nonce: _,
    } = record;
    let assets = assets.iter().filter_map(|id| <[u8; 16]>::try_from(id.as_slice()).ok());
    v1::PurchaseRequest {
        id: id.to_string(),
        state,
        category,
        model,
        cost,
        quantity,
        person,
        justification,
        requester,
        create_time: moment(created_ms),
        approver,
        decide_time: moment(decided_ms),
        remark,
        order_number,
        assets: assets.map(|id| name(DeviceId::from_bytes(id))).collect(),
        update_time: moment(updated_ms),
    }
}

pub(super) fn taken(taken: Taken, wish: &Wish) -> v1::TransitionResponse {
    let Taken { asset, display_name, from, refused } = taken;
    v1::TransitionResponse {
        asset: name(asset),
        display_name,
        from: from.map(State::name).unwrap_or_default().to_owned(),
        to: wish.to.name().to_owned(),
        missing: refused.map(|refused| refused.sentences()).unwrap_or_default(),
        done: !wish.validate_only,
    }
}

pub(super) fn evidence(item: EvidenceItem) -> v1::Evidence {
    let EvidenceItem { hash, asset, kind, media_type, size_bytes, file_name, added_by, added, damage } = item;
    v1::Evidence {
        hash: hash.to_string(),
        asset: name(asset),
        kind,
        media_type,
        size_bytes,
        file_name,
        added_by,
        add_time: Some(to_timestamp(added)),
        damage,
    }
}

pub(super) fn handover(made: NewHandover) -> v1::CreateHandoverResponse {
    let NewHandover { code, expires, asset, display_name } = made;
    v1::CreateHandoverResponse {
        code,
        expire_time: Some(to_timestamp(expires)),
        asset: name(asset),
        display_name,
    }
}

pub(super) fn acknowledged(done: Acknowledged) -> v1::AcknowledgeHandoverResponse {
    let Acknowledged { asset, display_name, person } = done;
    v1::AcknowledgeHandoverResponse { asset: name(asset), display_name, person: person.to_string() }
}

pub(super) fn scan(results: Vec<ScanResult>) -> v1::ScanAuditResponse {
    let count = |wanted| {
        let found = results.iter().filter(|result| result.scanned == wanted).count();
        u32::try_from(found).unwrap_or(u32::MAX)
    };
    let mut response = v1::ScanAuditResponse {
        results: Vec::new(),
        found: count(Scanned::Found),
        moved: count(Scanned::Moved),
        missing: count(Scanned::Missing),
        unknown: count(Scanned::Unknown),
        ambiguous: count(Scanned::Ambiguous),
    };
    let result = |result: ScanResult| {
        let ScanResult { scanned, tag, asset, display_name, recorded_location } = result;
        let outcome = match scanned {
            Scanned::Found => v1::ScanOutcome::Found,
            Scanned::Moved => v1::ScanOutcome::Moved,
            Scanned::Missing => v1::ScanOutcome::Missing,
            Scanned::Unknown => v1::ScanOutcome::Unknown,
            Scanned::Ambiguous => v1::ScanOutcome::Ambiguous,
        };
        v1::ScanResult {
            outcome: outcome.into(),
            tag,
            asset: asset.map(name).unwrap_or_default(),
            display_name,
            recorded_location,
        }
    };
    response.results = results.into_iter().map(result).collect();
    response
}
