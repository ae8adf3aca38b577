//! Settings that protect the machine as a whole: secure boot, kernel lockdown, access control, firewall, updates.
//!
//! Says what is set to be and what the kernel shows. Whether the loaded firewall rules let something through is not
//! judged: reading them needs a capability that the agent does not have.

use muster_common::inventory::{Item, ItemKind, SectionName, Security};

use crate::{
    host::Host,
    sources::{
        Source, Stamp,
        part::{Problems, SectionPart},
        posture::unit,
        read,
    },
};

const EFI: &str = "sys/firmware/efi";
/// The variable `SecureBoot` of the global vendor (UEFI specification, section 3.3).
const SECURE_BOOT: &str = "sys/firmware/efi/efivars/SecureBoot-8be4df61-93ca-11d2-aa0d-00e098032b8c";
const LOCKDOWN: &str = "sys/kernel/security/lockdown";
const SELINUX: &str = "sys/fs/selinux/enforce";
const APPARMOR: &str = "sys/module/apparmor/parameters/enabled";
/// The kernel makes each of these only when it has what it belongs to and it isn't switched off; the last one also
/// when AppArmor is off, which its parameter says first.
const ACCESS_CONTROLS: [&str; 3] = ["sys/fs/selinux", "sys/fs/smackfs", "sys/module/apparmor"];
/// A container or an early moment of the start may be without /sys, which says nothing.
const MODULES: &str = "sys/module";
const FIPS: &str = "proc/sys/crypto/fips_enabled";
const UFW: &str = "etc/ufw/ufw.conf";
const UNATTENDED: &str = "etc/apt/apt.conf.d/20auto-upgrades";
/// Firewall managers with their units.
const FIREWALLS: [(&str, &str); 4] = [
    ("firewalld", "firewalld.service"),
    ("nftables", "nftables.service"),
    ("iptables", "netfilter-persistent.service"),
    ("iptables", "iptables.service"),
];
/// Units that install updates by themselves.
const UPDATERS: [&str; 3] = ["dnf-automatic-install.timer", "dnf5-automatic.timer", "yum-cron.service"];
const FILE_LIMIT: usize = 64 * 1024;

/// Security settings.
#[derive(Debug)]
pub(crate) struct SecuritySource;

impl Source for SecuritySource {
    fn name(&self) -> &'static str {
        "security"
    }

    fn section(&self) -> SectionName {
        SectionName::known(SectionName::SECURITY)
    }

    fn reads(&self) -> &'static [&'static str] {
        &[
            SECURE_BOOT,
            LOCKDOWN,
            SELINUX,
            APPARMOR,
            ACCESS_CONTROLS[1],
            FIPS,
            UFW,
            UNATTENDED,
            "etc/systemd/system",
        ]
    }

    fn stamp(&self) -> Stamp {
        Stamp::Always
    }

    fn collect(&self, host: &dyn Host) -> SectionPart {
        let mut problems = Problems::default();
        let boot_mode = boot_mode(host);
        let (firewall, firewall_active) = firewall(host, &mut problems);
        let security = Security {
            secure_boot: secure_boot(host, boot_mode, &mut problems),
            boot_mode: boot_mode.map(str::to_owned),
            kernel_lockdown: read::value(host, LOCKDOWN, &mut problems).as_deref().and_then(chosen),
            access_control: access_control(host, &mut problems),
            firewall,
            firewall_active,
            automatic_updates: automatic_updates(host, &mut problems),
            screen_lock: None,
            fips: fips(host, &mut problems),
        };
        let items = if security == Security::default() {
            Vec::new()
        } else {
            vec![Item::new(ItemKind::Security(security))]
        };
        SectionPart { items, problems }
    }
}

/// A running machine with firmware tables but without `efi` was booted by a BIOS; a recording may merely lack the folder.
fn boot_mode(host: &dyn Host) -> Option<&'static str> {
    if host.metadata(EFI).is_ok() {
        return Some("uefi");
    }
    host.live()?;
    host.metadata("sys/firmware/dmi").is_ok().then_some("bios")
}

/// A running kernel without the file was built without it.
fn fips(host: &dyn Host, problems: &mut Problems) -> Option<bool> {
    match read::value(host, FIPS, problems) {
        Some(on) => Some(on == "1"),
        None => host.live().map(|_| false),
    }
}

/// Four bytes of attributes, then the value.
fn secure_boot(host: &dyn Host, boot_mode: Option<&str>, problems: &mut Problems) -> Option<bool> {
    if boot_mode == Some("bios") {
        return Some(false);
    }
    let variable = read::bytes(host, SECURE_BOOT, FILE_LIMIT, problems)?;
    variable.get(4).map(|value| *value == 1)
}

/// The word in brackets of `[none] integrity confidentiality`.
fn chosen(line: &str) -> Option<String> {
    let (_, rest) = line.split_once('[')?;
    rest.split_once(']').map(|(word, _)| word.to_owned())
}

fn access_control(host: &dyn Host, problems: &mut Problems) -> Option<String> {
    if let Some(enforce) = read::value(host, SELINUX, problems) {
        return Some(if enforce == "1" { "selinux enforcing" } else { "selinux permissive" }.to_owned());
    }
    if let Some(apparmor) = read::value(host, APPARMOR, problems) {
        return Some(if apparmor.starts_with('Y') { "apparmor" } else { "none" }.to_owned());
    }
    // A folder of files may merely lack them. A bundle is told apart by its facts, and an older one, that was made when
    // nobody asked, by having no answer for /sys/module.
    host.live()?;
    host.metadata(MODULES).ok()?;
    let is_missing = |path: &str| host.metadata(path).is_err_and(|error| error.is_missing());
    ACCESS_CONTROLS.into_iter().all(is_missing).then(|| "none".to_owned())
}

fn firewall(host: &dyn Host, problems: &mut Problems) -> (Option<String>, Option<bool>) {
    if let Some(file) = read::bytes(host, UFW, FILE_LIMIT, problems) {
        let on = assigned(&file, "ENABLED").is_some_and(|value| value.eq_ignore_ascii_case("yes"));
        if on {
            return (Some("ufw".to_owned()), Some(true));
        }
    }
    let enabled = FIREWALLS.into_iter().find(|(_, name)| unit::is_enabled(host, name) == Some(true));
    match enabled {
        Some((name, _)) => (Some(name.to_owned()), Some(true)),
        None => (None, host.metadata("etc/systemd/system").is_ok().then_some(false)),
    }
}

fn automatic_updates(host: &dyn Host, problems: &mut Problems) -> Option<bool> {
    if let Some(file) = read::bytes(host, UNATTENDED, FILE_LIMIT, problems) {
        let file = String::from_utf8_lossy(&file);
        let on = file.lines().any(|line| {
            line.trim().strip_prefix("APT::Periodic::Unattended-Upgrade").is_some_and(|value| {
                let value = value.trim().trim_end_matches(';').trim_matches(['"', ' ']);
                !value.is_empty() && value != "0"
            })
        });
        return Some(on);
    }
    let states: Vec<bool> = UPDATERS.into_iter().filter_map(|name| unit::is_enabled(host, name)).collect();
    (!states.is_empty()).then(|| states.contains(&true))
}

/// The value of a shell assignment.
fn assigned<'a>(file: &'a [u8], key: &str) -> Option<&'a str> {
    std::str::from_utf8(file).ok()?.lines().find_map(|line| {
        let (name, value) = line.trim().split_once('=')?;
        (name == key).then(|| value.trim_matches('"'))
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        host::{BundleHost, Entry, Facts, FileKind, Metadata, Outcome, Recording, Refusal},
        sources::testing::recorded,
    };

    fn read(files: &[(&str, &str)]) -> Security {
        let (_folder, host) = recorded(files);
        match SecuritySource.collect(&host).items.pop().map(|item| item.kind) {
            Some(ItemKind::Security(security)) => security,
            _ => Security::default(),
        }
    }

    #[test]
    fn nothing_is_not_no() {
        assert_eq!(read(&[]), Security::default());
    }

    #[test]
    fn secure_boot_is_the_fifth_byte() {
        for (value, expected) in
            [("\x06\0\0\0\x01", Some(true)), ("\x06\0\0\0\0", Some(false)), ("\x06\0", None)]
        {
            let security = read(&[(SECURE_BOOT, value)]);
            assert_eq!((security.secure_boot, security.boot_mode.as_deref()), (expected, Some("uefi")));
        }
        assert_eq!(read(&[("sys/firmware/dmi/tables/DMI", "")]), Security::default());
    }

    #[test]
    fn each_setting() {
        let security = read(&[
            (LOCKDOWN, "none [integrity] confidentiality\n"),
            (APPARMOR, "Y\n"),
            (UFW, "# set to yes\nENABLED=yes\nLOGLEVEL=low\n"),
            (
                UNATTENDED,
                "APT::Periodic::Update-Package-Lists \"1\";\nAPT::Periodic::Unattended-Upgrade \"1\";\n",
            ),
        ]);
        assert_eq!(security.kernel_lockdown.as_deref(), Some("integrity"));
        assert_eq!(security.access_control.as_deref(), Some("apparmor"));
        assert_eq!((security.firewall.as_deref(), security.firewall_active), (Some("ufw"), Some(true)));
        assert_eq!(security.automatic_updates, Some(true));
        let off = read(&[
            (SELINUX, "0"),
            (UFW, "ENABLED=no\n"),
            (UNATTENDED, "APT::Periodic::Unattended-Upgrade \"0\";\n"),
            ("etc/systemd/system/x", ""),
        ]);
        assert_eq!(off.access_control.as_deref(), Some("selinux permissive"));
        assert_eq!((off.firewall_active, off.automatic_updates), (Some(false), Some(false)));
    }

    #[test]
    fn no_access_control_is_told_where_its_absence_is_an_answer() {
        let folder = || {
            let answer =
                Metadata { kind: FileKind::Folder, size_bytes: 0, modified_ns: 0, changed_ns: 0, inode: 1 };
            Entry { metadata: Some(Outcome::Found((&answer).into())), ..Entry::default() }
        };
        let denied = || Entry { metadata: Some(Outcome::Refused(Refusal::NotPermitted)), ..Entry::default() };
        let check = |facts: Option<Facts>, entries: &[(&str, Entry)], expected: Option<&str>| {
            let entries = entries.iter().map(|(path, entry)| ((*path).to_owned(), entry.clone())).collect();
            let host = BundleHost::new(Recording { entries, facts });
            let found = access_control(&host, &mut Problems::default());
            assert_eq!(found.as_deref(), expected);
        };
        let running = || Some(Facts::default());
        check(running(), &[(MODULES, folder())], Some("none"));
        // Nobody asked, or nobody could have answered.
        check(running(), &[], None);
        check(None, &[(MODULES, folder())], None);
        // There and not understood, or perhaps there.
        for path in ACCESS_CONTROLS {
            check(running(), &[(MODULES, folder()), (path, folder())], None);
            check(running(), &[(MODULES, folder()), (path, denied())], None);
        }
        assert_eq!(read(&[(APPARMOR, "N\n")]).access_control.as_deref(), Some("none"));
        assert_eq!(read(&[("sys/module/x/y", "")]).access_control, None);
    }

    #[test]
    fn an_enabled_unit_is_a_link() {
        let (folder, host) = recorded(&[("etc/systemd/system/multi-user.target.wants/x", "")]);
        let link = folder.path().join("etc/systemd/system/multi-user.target.wants/firewalld.service");
        std::os::unix::fs::symlink("/usr/lib/systemd/system/firewalld.service", link).unwrap();
        let found = firewall(&host, &mut Problems::default());
        assert_eq!(found, (Some("firewalld".to_owned()), Some(true)));
    }
}
