//! Attributes of devices in /sys, by their names: which of them may be shown.
//!
//! Knows nothing of what has a rule of its own. An attribute that is not here is left out.

use crate::bundle::pseudonym::Kind;

/// What an attribute tells.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Attribute {
    /// The same for every device of a model, or one thing today and another tomorrow.
    Common,
    /// Which device it is.
    Secret(Kind),
}

/// By the last part of a path in /sys.
pub(super) fn of(path: &str) -> Option<Attribute> {
    let name = path.strip_prefix("sys/")?.rsplit('/').next()?;
    match SECRET.iter().find(|(secret, _)| *secret == name) {
        Some((_, kind)) => Some(Attribute::Secret(*kind)),
        None => COMMON.contains(&name).then_some(Attribute::Common),
    }
}

/// The names of those that may be shown as they are.
pub(super) fn names() -> impl Iterator<Item = &'static str> {
    COMMON.iter().copied()
}

/// Attributes of devices, by the last part of their path, that are the same for every device of a model, or change all
/// the time.
const COMMON: &[&str] = &[
    "addr_assign_type",
    "available_clocksource",
    "bios_date",
    "bios_release",
    "cgroup.procs",
    "dev",
    "revision",
    "bios_vendor",
    "bios_version",
    "board_name",
    "board_vendor",
    "board_version",
    "caps",
    "chassis_type",
    "chassis_vendor",
    "chassis_version",
    "compatible",
    "cpuinfo_max_freq",
    "description",
    "enabled",
    "enforce",
    "firmware_rev",
    "fwrev",
    "hidden",
    "ifindex",
    "life_time",
    "lockdown",
    "manufacturer",
    "model",
    "name",
    "pre_eol_info",
    "product",
    "product_family",
    "product_name",
    "product_sku",
    "product_version",
    "removable",
    "rev",
    "rotational",
    "size",
    "speed",
    "sys_vendor",
    "tpm_version_major",
    "type",
    "uevent_seqnum",
    "vendor",
    "version",
];
/// Those that name a single device.
const SECRET: &[(&str, Kind)] = &[
    ("product_serial", Kind::Serial),
    ("product_uuid", Kind::Uuid),
    ("board_serial", Kind::Serial),
    ("board_asset_tag", Kind::Serial),
    ("chassis_serial", Kind::Serial),
    ("chassis_asset_tag", Kind::Serial),
    ("serial", Kind::Serial),
    ("serial_number", Kind::Serial),
    ("address", Kind::Mac),
    ("perm_hwaddr", Kind::Mac),
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn attributes_are_known_by_their_names() {
        for (path, expected) in [
            ("sys/class/dmi/id/product_serial", Some(Attribute::Secret(Kind::Serial))),
            ("sys/class/net/eth0/address", Some(Attribute::Secret(Kind::Mac))),
            ("sys/block/sda/device/model", Some(Attribute::Common)),
            ("sys/class/net/wlan0/ssid", None),
            ("etc/model", None),
        ] {
            assert_eq!(of(path), expected, "{path}");
        }
    }
}
