//! Entries of the audit log. Hashes stand as hexadecimal digits on the wire, as in packs, where people read them.

use muster_common::audit::{AuditDigest, Entry, Linked};

use super::{Invalid, from_timestamp, to_timestamp};
use crate::v1;

/// An entry's wire form.
pub fn audit_entry_to_wire(linked: &Linked) -> v1::AuditEntry {
    let Linked { entry, previous, hash } = linked;
    let Entry { number, first, position, time, actor, kind, action, target, detail, writes, folded } = entry;
    v1::AuditEntry {
        number: *number,
        first_position: *first,
        position: *position,
        time: Some(to_timestamp(*time)),
        actor: actor.clone(),
        kind: kind.clone(),
        action: action.clone(),
        target: target.clone(),
        detail: detail.clone(),
        writes_sha256: writes.to_string(),
        folded_sha256: folded.iter().map(AuditDigest::to_string).collect(),
        previous_sha256: previous.to_string(),
        sha256: hash.to_string(),
    }
}

/// An entry from its wire form, as it says of itself: whether it is right is for a walk of the chain to tell.
///
/// # Errors
/// When the time is missing, or a hash is none.
pub fn audit_entry_from_wire(entry: v1::AuditEntry) -> Result<Linked, Invalid> {
    let v1::AuditEntry {
        number,
        first_position,
        position,
        time,
        actor,
        kind,
        action,
        target,
        detail,
        writes_sha256,
        folded_sha256,
        previous_sha256,
        sha256,
    } = entry;
    let digest = |field, text: &str| text.parse::<AuditDigest>().map_err(|_| Invalid::Malformed { field });
    let entry = Entry {
        number,
        first: first_position,
        position,
        time: from_timestamp(&time.ok_or(Invalid::Missing { field: "time" })?),
        actor,
        kind,
        action,
        target,
        detail,
        writes: digest("writes_sha256", &writes_sha256)?,
        folded: folded_sha256.iter().map(|text| digest("folded_sha256", text)).collect::<Result<_, _>>()?,
    };
    let previous = digest("previous_sha256", &previous_sha256)?;
    Ok(Linked { entry, previous, hash: digest("sha256", &sha256)? })
}

#[cfg(test)]
mod tests {
    use muster_common::time::Timestamp;

    use super::*;

    #[test]
    fn an_entry_comes_back_as_it_went() {
        let linked = Entry {
            number: 2,
            first: 3,
            position: 4,
            time: Timestamp::from_millis(1_700_000_000_123),
            actor: "operator/alice".to_owned(),
            kind: "token".to_owned(),
            action: "token.create".to_owned(),
            target: "tokens/1".to_owned(),
            detail: "one-time".to_owned(),
            writes: AuditDigest::of(b"writes"),
            folded: vec![AuditDigest::of(b"folded")],
        }
        .after(AuditDigest::ZERO);
        let wire = audit_entry_to_wire(&linked);
        assert_eq!(audit_entry_from_wire(wire.clone()), Ok(linked));
        for broken in [
            v1::AuditEntry { time: None, ..wire.clone() },
            v1::AuditEntry { sha256: String::new(), ..wire.clone() },
            v1::AuditEntry { folded_sha256: vec!["x".to_owned()], ..wire },
        ] {
            assert!(audit_entry_from_wire(broken).is_err());
        }
    }
}
