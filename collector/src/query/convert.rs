//! Devices, flags and software titles as they go over the wire.

use muster_common::{
    device::{AgentBinding, Claimed, Device, Provenanced},
    flag::{Flag, Severity, Standing},
    id::DeviceId,
    inventory::Package,
};
use muster_proto::{convert::to_timestamp, v1};

use super::persons::Names;
use crate::{index::SoftwareRow, pipeline::presence::Seen};

/// The resource name of a device.
pub(super) fn name(id: DeviceId) -> String {
    format!("devices/{id}")
}

/// A device with what is known of its presence.
pub(super) fn device(device: &Device, seen: Option<Seen>, names: &Names) -> v1::Device {
    let Device {
        id,
        version,
        fields,
        flags,
        agents,
        seen_by,
        first_seen,
        software_count,
        subjects: _,
        aliases,
        merged_into: _,
        identity_explanation,
    } = device;
    let mut fields: Vec<v1::Field> = fields
        .iter()
        .map(|(field, Provenanced { claims })| v1::Field {
            field: field.name().to_owned(),
            value: claims.first().map(|claim| names.show(&claim.value)).unwrap_or_default(),
            claims: claims.iter().map(|claim| claimed(claim, names)).collect(),
        })
        .collect();
    fields.sort_by(|one, other| one.field.cmp(&other.field));
    v1::Device {
        name: name(*id),
        display_name: device.display_name(),
        revision: *version,
        fields,
        flags: flags.iter().map(flag).collect(),
        agents: agents.iter().map(binding).collect(),
        seen_by: seen_by
            .iter()
            .map(|(source, last)| {
                // An agent's presence is kept apart from what it claims.
                let heard = seen.filter(|_| source == "agent").map(|seen| seen.last);
                let last = heard.map_or(*last, |heard| heard.max(*last));
                v1::Seen { source: source.clone(), last_time: Some(to_timestamp(last)) }
            })
            .collect(),
        software_count: *software_count,
        first_seen_time: Some(to_timestamp(*first_seen)),
        last_seen_time: seen.map(|seen| to_timestamp(seen.last)),
        connected: seen.is_some_and(|seen| seen.connected),
        aliases: aliases.iter().map(|id| name(*id)).collect(),
        identity_explanation: identity_explanation.clone(),
    }
}

fn claimed(claim: &Claimed, names: &Names) -> v1::ClaimedValue {
    let Claimed { value, source, observed } = claim;
    v1::ClaimedValue {
        value: names.show(value),
        source: source.to_string(),
        observed_time: Some(to_timestamp(*observed)),
    }
}

/// A flag.
pub(super) fn flag(flag: &Flag) -> v1::Flag {
    let Flag { code, severity: how_bad, evidence, since, standing } = flag;
    let shown = v1::Flag {
        code: code.name().to_owned(),
        severity: severity(*how_bad).into(),
        evidence: evidence.clone(),
        since_time: Some(to_timestamp(*since)),
        standing: v1::FlagStanding::Open.into(),
        ..v1::Flag::default()
    };
    match standing {
        Standing::Open => shown,
        Standing::Acknowledged { by, at } => v1::Flag {
            standing: v1::FlagStanding::Acknowledged.into(),
            acknowledged_by: by.clone(),
            acknowledge_time: Some(to_timestamp(*at)),
            ..shown
        },
        Standing::Excepted { exception, until, self_approved } => v1::Flag {
            standing: v1::FlagStanding::Excepted.into(),
            exception: format!("exceptions/{exception}"),
            excepted_until_time: Some(to_timestamp(*until)),
            self_approved: *self_approved,
            ..shown
        },
    }
}

/// How much a flag matters.
pub(super) fn severity(severity: Severity) -> v1::Severity {
    match severity {
        Severity::Info => v1::Severity::Info,
        Severity::Warning => v1::Severity::Warning,
        Severity::Critical => v1::Severity::Critical,
    }
}

fn binding(binding: &AgentBinding) -> v1::AgentBinding {
    let AgentBinding { agent, version, subject: _, bound, last_report, current } = binding;
    v1::AgentBinding {
        agent_id: agent.to_string(),
        agent_version: version.clone(),
        bound_time: Some(to_timestamp(*bound)),
        last_report_time: Some(to_timestamp(*last_report)),
        current: *current,
    }
}

/// A version of a software title, with how many devices have it.
pub(super) fn title(row: &SoftwareRow) -> v1::SoftwareTitle {
    let SoftwareRow { package, id: _, versions: _, devices } = row;
    v1::SoftwareTitle {
        purl: purl(package),
        name: package.name.clone(),
        version: package.version.clone(),
        architecture: package.architecture.clone(),
        vendor: package.vendor.clone().unwrap_or_default(),
        device_count: *devices,
    }
}

/// The package URL, by ECMA-427.
fn purl(package: &Package) -> String {
    let mut purl = format!("pkg:{}", package.purl_type);
    for segment in package.namespace.split('/').filter(|segment| !segment.is_empty()) {
        purl.push('/');
        purl.push_str(&percent_encoded(segment));
    }
    purl.push('/');
    purl.push_str(&percent_encoded(&package.name));
    if !package.version.is_empty() {
        purl.push('@');
        purl.push_str(&percent_encoded(&package.version));
    }
    if !package.architecture.is_empty() {
        purl.push_str("?arch=");
        purl.push_str(&percent_encoded(&package.architecture));
    }
    purl
}

fn percent_encoded(text: &str) -> String {
    let mut encoded = String::with_capacity(text.len());
    for byte in text.bytes() {
        if byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'-' | b'_' | b'~' | b':') {
            encoded.push(char::from(byte));
        } else {
            encoded.push_str(&format!("%{byte:02X}"));
        }
    }
    encoded
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn package_urls_escape_what_they_must() {
        let package = Package {
            purl_type: "deb".to_owned(),
            namespace: "debian".to_owned(),
            name: "libstdc++6".to_owned(),
            version: "1:12.2.0-14+deb12u1~x".to_owned(),
            architecture: "amd64".to_owned(),
            ..Package::default()
        };
        assert_eq!(purl(&package), "pkg:deb/debian/libstdc%2B%2B6@1:12.2.0-14%2Bdeb12u1~x?arch=amd64");
        let bare = Package { purl_type: "pypi".to_owned(), name: "six".to_owned(), ..Package::default() };
        assert_eq!(purl(&bare), "pkg:pypi/six");
    }
}
