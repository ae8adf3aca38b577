//! Endpoint protection programs: which are there, whether they run, how old their definitions are.
//!
//! Knows a table of products by the folder that their installers make. Knows nothing of what they find.

use muster_common::{
    inventory::{Item, ItemKind, Protection, SectionName},
    time::EndpointTime,
};

use crate::{
    host::Host,
    sources::{
        Source, Stamp,
        part::{Problems, SectionPart},
        posture::unit,
    },
};

/// A product: its folder or program, its unit, and files whose time is that of its definitions.
struct Product {
    name: &'static str,
    vendor: &'static str,
    path: &'static str,
    unit: &'static str,
    definitions: &'static [&'static str],
}

const fn product(
    name: &'static str,
    vendor: &'static str,
    path: &'static str,
    unit: &'static str,
    definitions: &'static [&'static str],
) -> Product {
    Product { name, vendor, path, unit, definitions }
}

/// Paths and units as the makers' own installation guides name them.
const PRODUCTS: [Product; 16] = [
    product(
        "ClamAV",
        "Cisco",
        "usr/sbin/clamd",
        "clamav-daemon.service",
        &["var/lib/clamav/daily.cld", "var/lib/clamav/daily.cvd"],
    ),
    product("Falcon Sensor", "CrowdStrike", "opt/CrowdStrike", "falcon-sensor.service", &[]),
    product("Singularity Agent", "SentinelOne", "opt/sentinelone", "sentinelone.service", &[]),
    product("Defender for Endpoint", "Microsoft", "opt/microsoft/mdatp", "mdatp.service", &[]),
    product("Protection for Linux", "Sophos", "opt/sophos-spl", "sophos-spl.service", &[]),
    product("Endpoint Antivirus", "ESET", "opt/eset/efs", "efs.service", &[]),
    product("Deep Security Agent", "Trend Micro", "opt/ds_agent", "ds_agent.service", &[]),
    product("Carbon Black", "Broadcom", "opt/carbonblack/psc", "cbagentd.service", &[]),
    product("Endpoint Security", "Trellix", "opt/McAfee/ens", "mfetpd.service", &[]),
    product("Endpoint Protection", "Symantec", "opt/Symantec", "sisamddaemon.service", &[]),
    product("Kaspersky Endpoint Security", "Kaspersky", "opt/kaspersky/kesl", "kesl.service", &[]),
    product("Cortex XDR", "Palo Alto Networks", "opt/traps", "traps_pmd.service", &[]),
    product("Elastic Endpoint", "Elastic", "opt/Elastic/Endpoint", "ElasticEndpoint.service", &[]),
    product("GravityZone", "Bitdefender", "opt/bitdefender-security-tools", "bdsec.service", &[]),
    product("Wazuh Agent", "Wazuh", "var/ossec/bin/wazuh-agentd", "wazuh-agent.service", &[]),
    product("osquery", "osquery", "opt/osquery", "osqueryd.service", &[]),
];

/// Endpoint protection.
#[derive(Debug)]
pub(crate) struct ProtectionSource;

impl Source for ProtectionSource {
    fn name(&self) -> &'static str {
        "protection"
    }

    fn section(&self) -> SectionName {
        SectionName::known(SectionName::PROTECTION)
    }

    fn reads(&self) -> &'static [&'static str] {
        &["opt", "usr/sbin/clamd", "var/lib/clamav", "var/ossec", "etc/systemd/system", "sys/fs/cgroup"]
    }

    fn stamp(&self) -> Stamp {
        Stamp::Always
    }

    fn collect(&self, host: &dyn Host) -> SectionPart {
        let items = PRODUCTS.iter().filter_map(|product| found(host, product)).map(Item::new).collect();
        SectionPart { items, problems: Problems::default() }
    }
}

fn found(host: &dyn Host, product: &Product) -> Option<ItemKind> {
    host.metadata(product.path).ok()?;
    let renewed = product.definitions.iter().filter_map(|path| host.metadata(path).ok());
    let definitions = renewed
        .map(|file| file.modified_ns / 1_000_000)
        .max()
        .and_then(|millis| i64::try_from(millis).ok())
        .map(|millis| EndpointTime::from_millis(millis / 1000 * 1000));
    Some(ItemKind::Protection(Protection {
        name: product.name.to_owned(),
        vendor: Some(product.vendor.to_owned()),
        version: None,
        enabled: unit::is_enabled(host, product.unit),
        running: unit::is_running(host, product.unit),
        definitions,
    }))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sources::testing::recorded;

    #[test]
    fn a_product_with_its_state() {
        let (_folder, host) = recorded(&[
            ("usr/sbin/clamd", ""),
            ("var/lib/clamav/daily.cld", ""),
            ("sys/fs/cgroup/system.slice/clamav-daemon.service/x", ""),
            ("etc/systemd/system/y", ""),
        ]);
        let items = ProtectionSource.collect(&host).items;
        let [Item { kind: ItemKind::Protection(found), .. }] = &items[..] else { panic!("{items:?}") };
        assert_eq!((found.name.as_str(), found.enabled, found.running), ("ClamAV", Some(false), Some(true)));
        assert!(found.definitions.is_some());
    }

    #[test]
    fn names_are_unique() {
        let names: std::collections::BTreeSet<_> = PRODUCTS.iter().map(|product| product.name).collect();
        assert_eq!(names.len(), PRODUCTS.len());
    }
}
