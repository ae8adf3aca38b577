//! The index by its public interface: a table of questions over a small fleet, and a model over random ones.

mod model;
mod naive;
mod table;

use std::collections::BTreeMap;

use muster_common::{
    device::{Claimed, Device, Field, Money, Provenanced, Value},
    flag::{Flag, FlagCode, Standing},
    id::DeviceId,
    inventory::Package,
    source::Source,
    time::Timestamp,
};

/// The moment at which every question is asked.
fn now() -> Timestamp {
    "2026-11-10T12:00:00Z".parse().unwrap()
}

/// A device without any fact; its id ends in `number`.
fn device(number: u32) -> Device {
    let id = DeviceId::from_bytes((u128::from(number) | 1 << 100).to_be_bytes());
    Device {
        id,
        version: 1,
        fields: BTreeMap::new(),
        flags: Vec::new(),
        agents: Vec::new(),
        seen_by: BTreeMap::new(),
        first_seen: "2026-01-01".parse().unwrap(),
        software_count: 0,
        subjects: Vec::new(),
        aliases: Vec::new(),
        merged_into: None,
        identity_explanation: String::new(),
    }
}

fn know(device: &mut Device, field: Field, value: Value) {
    let claim = Claimed { value, source: Source::Operator("test".to_owned()), observed: now() };
    device.fields.insert(field, Provenanced { claims: vec![claim] });
}

fn raise(device: &mut Device, code: FlagCode) {
    let flag = Flag {
        code,
        severity: code.severity(),
        evidence: String::new(),
        standing: Standing::Open,
        since: now(),
    };
    device.flags.push(flag);
}

fn package(purl_type: &str, name: &str, version: &str) -> Package {
    Package {
        purl_type: purl_type.to_owned(),
        name: name.to_owned(),
        version: version.to_owned(),
        architecture: "amd64".to_owned(),
        ..Package::default()
    }
}

fn text(text: &str) -> Value {
    Value::Text(text.to_owned())
}

fn list(texts: &[&str]) -> Value {
    Value::List(texts.iter().map(|text| (*text).to_owned()).collect())
}

fn money(minor_units: i64, currency: &str) -> Value {
    Value::Money(Money { minor_units, currency: currency.to_owned() })
}
