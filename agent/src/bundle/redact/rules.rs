//! Which file may go into a bundle, and what becomes of it. A file without a rule is left out: a new source's files are
//! not given away because somebody forgot them.
//!
//! To let a new file in: a line in [`RULES`], or for an attribute of /sys a name in `attributes`. `Plain` is for
//! formats that hold no identity; whatever else the rule, what remains is searched for identifiers.

use super::{
    Context, accounts,
    attributes::{self, Attribute},
    json::{Json, Stays},
    places, text,
    xml::Xml,
};
use crate::{
    bundle::{patterns::Search, pseudonym::Kind},
    sources::SOURCES,
};

/// What becomes of a file.
#[derive(Debug, Clone, Copy)]
pub(super) enum Rule {
    /// It goes as it is, after a search.
    Plain(Search),
    /// It is one value.
    Value(Kind),
    /// Lines that begin with one of these stay.
    Lines(&'static [&'static str]),
    /// Values after a sign stay with these keys; others are replaced.
    Values(u8, &'static [&'static str]),
    /// Values after a sign are replaced with these keys; others stay.
    Secrets(u8, &'static [&'static str]),
    /// Values stay as the rule says.
    Json(Json),
    /// Values stay as the rule says.
    Xml(Xml),
    /// A function of its own makes it.
    Made(fn(&[u8], &mut Context<'_>) -> Vec<u8>),
}

const fn json(kept: &'static [&'static str]) -> Rule {
    Rule::Json(Json { under: &[], kept, open: false, stays: Stays::AsItIs })
}

const fn json_below(under: &'static [&'static str], kept: &'static [&'static str], stays: Stays) -> Rule {
    Rule::Json(Json { under, kept, open: true, stays })
}

const SOFTWARE: Rule = Rule::Plain(Search::Software);
const SYSTEM: Rule = Rule::Plain(Search::System);
/// Of what the kernel or a vendor alone writes; gathered values are searched for all the same.
const VOUCHED: Rule = Rule::Plain(Search::Gathered);

/// By path; the first that fits counts. `*` stands for a name or a part of one, `**` for any folders, `HOME` for root's
/// home and those of people.
pub(super) const RULES: &[(&str, Rule)] = &[
    // The system.
    ("etc/os-release", SYSTEM),
    ("usr/lib/os-release", SYSTEM),
    ("etc/debian_version", SYSTEM),
    ("etc/timezone", SYSTEM),
    ("etc/locale.conf", Rule::Lines(&["LANG"])),
    ("etc/default/locale", Rule::Lines(&["LANG"])),
    ("etc/hostname", Rule::Value(Kind::Host)),
    ("etc/machine-id", Rule::Value(Kind::Uuid)),
    ("var/lib/dbus/machine-id", Rule::Value(Kind::Uuid)),
    ("var/lib/update-notifier/updates-available", SYSTEM),
    ("run/systemd/container", SYSTEM),
    // That it is there is all that it tells.
    ("run/.containerenv", Rule::Lines(&[])),
    ("etc/resolv.conf", Rule::Made(text::resolvers)),
    ("run/systemd/resolve/resolv.conf", Rule::Made(text::resolvers)),
    ("run/udev/data/b*", Rule::Made(text::file_system)),
    ("proc/*/stat", SYSTEM),
    ("proc/sys/kernel/version", SYSTEM),
    ("proc/sys/crypto/fips_enabled", VOUCHED),
    ("etc/ufw/ufw.conf", Rule::Lines(&["ENABLED"])),
    ("etc/apt/apt.conf.d/20auto-upgrades", Rule::Lines(&["APT::Periodic::"])),
    ("etc/passwd", Rule::Made(accounts::passwd)),
    ("etc/group", Rule::Made(accounts::group)),
    ("etc/shadow", Rule::Made(accounts::shadow)),
    ("**/systemd/system/*", Rule::Made(|bytes, _| text::unit(bytes))),
    ("proc/cpuinfo", Rule::Secrets(b':', &["Serial"])),
    ("proc/meminfo", VOUCHED),
    ("proc/stat", Rule::Lines(&["btime "])),
    (
        "proc/sysinfo",
        Rule::Values(
            b':',
            &["Manufacturer", "Type", "Model", "Model Capacity", "VM00 Control Program", "CPUs *"],
        ),
    ),
    ("proc/sys/kernel/osrelease", VOUCHED),
    ("proc/sys/kernel/arch", VOUCHED),
    ("proc/sys/kernel/hostname", Rule::Value(Kind::Host)),
    ("proc/*/mountinfo", Rule::Made(places::mountinfo)),
    ("proc/mounts", Rule::Made(places::mounts)),
    ("proc/swaps", Rule::Made(places::swaps)),
    ("proc/1/cgroup", Rule::Made(places::control_groups)),
    ("proc/1/environ", Rule::Made(|bytes, _| text::environment(bytes))),
    // Lists that are the same on every machine.
    ("usr/share/misc/*.ids", VOUCHED),
    ("usr/share/hwdata/*.ids", VOUCHED),
    ("var/lib/pciutils/pci.ids", VOUCHED),
    // Packages of the system.
    ("var/lib/dpkg/status", SOFTWARE),
    ("var/lib/dpkg/status.d/*", SOFTWARE),
    ("var/lib/dpkg/updates/*", SOFTWARE),
    ("var/lib/dpkg/info/*.list", SOFTWARE),
    ("var/lib/rpm/*", SOFTWARE),
    ("usr/lib/sysimage/rpm/*", SOFTWARE),
    ("usr/share/rpm/*", SOFTWARE),
    ("lib/apk/db/installed", SOFTWARE),
    ("usr/lib/apk/db/installed", SOFTWARE),
    ("etc/apk/world", SOFTWARE),
    ("var/lib/pacman/local/*/desc", SOFTWARE),
    ("var/lib/pacman/local/*/files", SOFTWARE),
    ("etc/pacman.conf", Rule::Lines(&["[", "IgnorePkg"])),
    ("var/db/pkg/*/*/SIZE", SOFTWARE),
    ("var/db/pkg/*/*/BUILD_TIME", SOFTWARE),
    ("var/db/pkg/*/*/SLOT", SOFTWARE),
    ("var/db/pkg/*/*/repository", SOFTWARE),
    ("nix/var/nix/profiles/**/manifest.nix", SOFTWARE),
    ("HOME/.local/state/nix/profiles/**/manifest.nix", SOFTWARE),
    // Packages of other makers.
    (
        "var/lib/snapd/state.json",
        json_below(
            &["data", "snaps"],
            &["name", "revision", "snap-id", "current", "active", "channel", "type", "last-refresh-time"],
            Stays::AsItIs,
        ),
    ),
    (
        "var/lib/snapd/assertions/**/*",
        Rule::Lines(&["type:", "publisher-id:", "display-name:", "snap-id:", "snap-name:", "account-id:"]),
    ),
    ("snap/*/*/meta/snap.yaml", SOFTWARE),
    ("var/lib/snapd/snap/*/*/meta/snap.yaml", SOFTWARE),
    ("**/flatpak/**/active/deploy", SOFTWARE),
    (
        "**/release",
        Rule::Lines(&["JAVA_", "IMPLEMENTOR", "OS_ARCH", "IMAGE_TYPE", "BUILD_TYPE", "GRAALVM_VERSION"]),
    ),
    ("**/product-info.json", json(&["name", "version", "productCode", "productVendor", "buildNumber"])),
    ("**/.eclipseproduct", Rule::Lines(&["id", "name", "version"])),
    ("**/VersionInfo.xml", Rule::Xml(Xml { attributes: &[], texts: &["version", "release"] })),
    ("opt/**/VERSION", Rule::Made(|bytes, _| first_line(bytes))),
    ("opt/**/version.txt", Rule::Made(|bytes, _| first_line(bytes))),
    (
        "var/ibm/InstallationManager/installed.xml",
        Rule::Xml(Xml { attributes: &["path", "kind", "id", "version", "name"], texts: &[] }),
    ),
    ("etc/oraInst.loc", Rule::Lines(&["inventory_loc"])),
    ("var/opt/oracle/oraInst.loc", Rule::Lines(&["inventory_loc"])),
    (
        "**/ContentsXML/inventory.xml",
        Rule::Xml(Xml { attributes: &["NAME", "LOC", "TYPE", "IDX", "REMOVED"], texts: &[] }),
    ),
    (
        "**/ContentsXML/comps.xml",
        Rule::Xml(Xml { attributes: &["NAME", "VER", "INSTALL_TIME"], texts: &["EXT_NAME"] }),
    ),
    (
        "**/*.swidtag",
        Rule::Xml(Xml {
            attributes: &[
                "name",
                "version",
                "versionScheme",
                "tagId",
                "role",
                "regid",
                "patch",
                "corpus",
                "supplemental",
            ],
            texts: &["product_title", "name", "unique_id", "numeric", "major", "minor", "build", "review"],
        }),
    ),
    // Containers. Nothing of containerd: what it keeps beside the images may be anything.
    ("etc/docker/daemon.json", json(&["data-root"])),
    ("**/image/*/repositories.json", json_below(&["Repositories"], &["*"], Stays::Images)),
    ("**/image/*/imagedb/content/sha256/*", json(&["architecture", "variant", "os"])),
    (
        "**/*-images/images.json",
        Rule::Json(Json { under: &[], kept: &["id", "digest", "names"], open: false, stays: Stays::Images }),
    ),
    ("**/*-images/*/=*", json(&["architecture", "variant", "os"])),
    // Languages.
    ("**/*.dist-info/METADATA", PYTHON),
    ("**/*.dist-info/INSTALLER", SOFTWARE),
    ("**/*.egg-info/PKG-INFO", PYTHON),
    ("**/*.egg-info", PYTHON),
    ("**/EGG-INFO/PKG-INFO", PYTHON),
    ("**/node_modules/**/package.json", json(&["name", "version", "author"])),
    ("**/*.gemspec", Rule::Lines(&["# stub:", "s.authors"])),
    ("**/.crates.toml", Rule::Made(text::origins)),
    ("**/.crates2.json", Rule::Made(text::origins)),
    (
        "**/conda-meta/*.json",
        Rule::Json(Json {
            under: &[],
            kept: &["name", "version", "build", "channel", "subdir"],
            open: false,
            stays: Stays::Addresses,
        }),
    ),
    ("HOME/.conda/environments.txt", SOFTWARE),
    ("**/INSTALL_RECEIPT.json", json(&["time", "tap", "source", "versions", "stable"])),
    // Extensions.
    ("**/Extensions/*/*/manifest.json", json(&["name", "version", "default_locale", "author"])),
    ("**/mozilla/extensions/*/*/manifest.json", json(&["name", "version", "author"])),
    ("**/distribution/extensions/*/manifest.json", json(&["name", "version", "author"])),
    ("**/_locales/*/messages.json", json_below(&[], &["message"], Stays::AsItIs)),
    ("**/Preferences", EXTENSION_STATES),
    ("**/Secure Preferences", EXTENSION_STATES),
    ("HOME/**/extensions/extensions.json", EXTENSION_LIST),
    ("HOME/**/extensions/.obsolete", json_below(&[], &[], Stays::AsItIs)),
    ("HOME/**/extensions.json", EXTENSION_LIST),
    ("usr/share/*/extensions/*.json", json(&["external_version"])),
    ("opt/google/chrome/extensions/*.json", json(&["external_version"])),
    ("**/policies/managed/*.json", POLICIES),
    ("etc/firefox/policies/policies.json", POLICIES),
    (
        "**/manifest.json",
        json_below(&["elements"], &["active", "attrPath", "storePaths", "outputs"], Stays::AsItIs),
    ),
    // Hardware.
    ("sys/firmware/dmi/tables/smbios_entry_point", VOUCHED),
    ("sys/firmware/acpi/tables/FACP", VOUCHED),
    ("sys/firmware/efi/efivars/SecureBoot-*", VOUCHED),
    ("sys/firmware/devicetree/base/**/serial-number", Rule::Value(Kind::Serial)),
    ("sys/firmware/devicetree/base/**/system-id", Rule::Value(Kind::Serial)),
    ("sys/firmware/devicetree/base/**/ibm,partition-name", Rule::Value(Kind::Host)),
    ("sys/firmware/devicetree/base/**/*uuid", Rule::Value(Kind::Uuid)),
    ("proc/device-tree/**/serial-number", Rule::Value(Kind::Serial)),
    ("proc/device-tree/**/system-id", Rule::Value(Kind::Serial)),
    ("proc/device-tree/**/ibm,partition-name", Rule::Value(Kind::Host)),
    ("proc/device-tree/**/*uuid", Rule::Value(Kind::Uuid)),
    ("proc/device-tree/**/compatible", VOUCHED),
    ("proc/device-tree/model", VOUCHED),
    (
        "sys/firmware/dmi/tables/DMI",
        Rule::Made(|bytes, context| made(bytes, |table| super::firmware::smbios(table, context))),
    ),
    ("sys/class/drm/*/edid", Rule::Made(super::firmware::edid)),
    ("sys/**/vpd_pg80", Rule::Made(super::firmware::serial_page)),
    ("sys/**/wwid", Rule::Made(|bytes, context| after(b'.', bytes, context))),
    ("sys/**/dm/uuid", Rule::Made(device_mapper)),
    ("sys/**/uevent", Rule::Made(super::firmware::uevent)),
    // Programs of which nothing but the head is read, to see whether they are AppImages.
    ("opt/*", Rule::Made(|bytes, _| program_head(bytes))),
    ("usr/local/bin/*", Rule::Made(|bytes, _| program_head(bytes))),
    ("Applications/*", Rule::Made(|bytes, _| program_head(bytes))),
    ("HOME/Applications/*", Rule::Made(|bytes, _| program_head(bytes))),
    ("HOME/.local/bin/*", Rule::Made(|bytes, _| program_head(bytes))),
];

const PYTHON: Rule = Rule::Lines(&["Metadata-Version:", "Name:", "Version:", "Author", "Maintainer"]);
const EXTENSION_STATES: Rule = json_below(
    &["extensions", "settings"],
    &["state", "disable_reasons", "first_install_time", "install_time", "location"],
    Stays::AsItIs,
);
const EXTENSION_LIST: Rule = json(&[
    // Editors'.
    "identifier",
    "metadata",
    "installedTimestamp",
    "publisherDisplayName",
    "targetPlatform",
    "size",
    // Firefox's, and both.
    "addons",
    "id",
    "version",
    "type",
    "location",
    "active",
    "defaultLocale",
    "name",
    "creator",
    "installDate",
]);
const POLICIES: Rule =
    json_below(&[], &["ExtensionInstallForcelist", "installation_mode"], Stays::Extensions);

/// Folders in which people keep programs and scripts under names of their own.
const FREE_FOLDERS: [&str; 4] = ["usr/local/bin", "Applications", "HOME/Applications", "HOME/.local/bin"];

/// Whether names in a folder, in which homes are written `HOME`, are anybody's.
pub(super) fn is_free(folder: &str) -> bool {
    FREE_FOLDERS.contains(&folder)
}

/// Whether the head of a program is an AppImage's.
pub(super) fn is_app_image(head: &[u8]) -> bool {
    head.starts_with(b"\x7fELF") && head.get(8..10) == Some(b"AI")
}

/// The rule for a path, in which homes are written `HOME`.
pub(super) fn rule(path: &str) -> Option<Rule> {
    if let Some((_, rule)) = RULES.iter().find(|(pattern, _)| fits(pattern, path)) {
        return Some(*rule);
    }
    match attributes::of(path)? {
        Attribute::Common => Some(SYSTEM),
        Attribute::Secret(kind) => Some(Rule::Value(kind)),
    }
}

/// Whether a name stands in a rule, and so in the paths of every machine.
pub(super) fn is_word(name: &[u8]) -> bool {
    let of_rules = RULES.iter().map(|(pattern, _)| *pattern);
    let of_sources = SOURCES.iter().flat_map(|source| source.reads()).copied();
    let parts = of_rules.chain(of_sources).flat_map(|path| path.split(['/', ',', '{', '}']));
    parts.chain(attributes::names()).any(|word| name.eq_ignore_ascii_case(word.as_bytes()))
}

fn fits(pattern: &str, path: &str) -> bool {
    let Some((first, rest)) = pattern.split_once('/') else {
        return !path.contains('/') && fits_name(pattern, path);
    };
    if first == "**" {
        return fits(rest, path) || path.split_once('/').is_some_and(|(_, below)| fits(pattern, below));
    }
    path.split_once('/').is_some_and(|(name, below)| fits_name(first, name) && fits(rest, below))
}

fn fits_name(pattern: &str, name: &str) -> bool {
    match pattern.split_once('*') {
        Some((start, end)) => {
            name.len() >= start.len() + end.len() && name.starts_with(start) && name.ends_with(end)
        }
        None => pattern == name,
    }
}

fn made(bytes: &[u8], change: impl FnOnce(&mut [u8])) -> Vec<u8> {
    let mut bytes = bytes.to_vec();
    change(&mut bytes);
    bytes
}

/// The head of an AppImage tells its architecture; that of anything else may be the beginning of a text.
fn program_head(bytes: &[u8]) -> Vec<u8> {
    if is_app_image(bytes) { bytes.to_vec() } else { vec![0; bytes.len()] }
}

/// A version stands in the first line, and is short.
fn first_line(bytes: &[u8]) -> Vec<u8> {
    const LIMIT: usize = 64;
    let line = bytes.split(|byte| *byte == b'\n').next().unwrap_or_default();
    line.get(..LIMIT).unwrap_or(line).to_vec()
}

/// What stands after the first of a sign; all if there is none.
fn after(sign: u8, bytes: &[u8], context: &mut Context<'_>) -> Vec<u8> {
    let start = memchr::memchr(sign, bytes).map_or(0, |place| place + 1);
    let (kept, value) = bytes.split_at(start);
    [kept, &context.of(Kind::Serial, value)].concat()
}

/// `CRYPT-LUKS2-` and its like tell how a volume is encrypted; then comes which one.
fn device_mapper(bytes: &[u8], context: &mut Context<'_>) -> Vec<u8> {
    let hyphens = if bytes.starts_with(b"CRYPT-") { 2 } else { 1 };
    let start = bytes
        .iter()
        .enumerate()
        .filter(|(_, byte)| **byte == b'-')
        .nth(hyphens - 1)
        .map_or(0, |(at, _)| at + 1);
    let (kept, value) = bytes.split_at(start);
    [kept, &context.of(Kind::Uuid, value)].concat()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn patterns_fit_as_they_are_meant() {
        for (pattern, path, expected) in [
            ("etc/passwd", "etc/passwd", true),
            ("etc/passwd", "etc/passwd-", false),
            ("var/lib/dpkg/status.d/*", "var/lib/dpkg/status.d/base", true),
            ("var/lib/dpkg/status.d/*", "var/lib/dpkg/status.d/base/x", false),
            ("**/*.gemspec", "a.gemspec", true),
            ("**/*.gemspec", "x/y/a.gemspec", true),
            ("**/*-images/*/=*", "var/lib/containers/storage/overlay-images/ab/=c", true),
            ("sys/**/wwid", "sys/block/sda/device/wwid", true),
            ("sys/**/wwid", "sys/wwid", true),
            ("HOME/**/extensions.json", "home/x/extensions.json", false),
        ] {
            assert_eq!(fits(pattern, path), expected, "{pattern} {path}");
        }
    }

    #[test]
    fn what_has_no_rule_has_none() {
        for path in [
            "etc/ssh/ssh_host_ed25519_key",
            "etc/krb5.keytab",
            "etc/NetworkManager/system-connections/home.nmconnection",
            "HOME/.ssh/id_ed25519",
            "HOME/.bash_history",
            "etc/wpa_supplicant.conf",
            "proc/1/cmdline",
            "etc/hosts",
            "var/lib/containerd/io.containerd.metadata.v1.bolt/meta.db",
            "sys/class/net/wlan0/ssid",
            "etc/shadow-",
        ] {
            assert!(rule(path).is_none(), "{path}");
        }
        assert!(matches!(rule("sys/class/dmi/id/product_serial"), Some(Rule::Value(Kind::Serial))));
        assert!(matches!(rule("sys/block/sda/device/model"), Some(Rule::Plain(_))));
    }
}
