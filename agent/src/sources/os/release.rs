//! The operating system: os-release(5), the distribution's own version file, machine id, and the running kernel.
//!
//! Knows nothing of installed software. In a recording the kernel's facts are read from `/proc` where it has that.

use muster_common::{
    inventory::{ErrorKind, Item, ItemKind, OperatingSystem, SectionName},
    time::EndpointTime,
};

use crate::{
    host::Host,
    sources::{
        Source, Stamp,
        os::details,
        part::{NOT_RECORDED, Problems, SectionPart},
        read, text,
    },
};

/// Where os-release may stand, by preference.
const OS_RELEASE: [&str; 2] = ["etc/os-release", "usr/lib/os-release"];
const OS_RELEASE_LIMIT: usize = 64 * 1024;
const MACHINE_ID: [&str; 2] = ["etc/machine-id", "var/lib/dbus/machine-id"];
const DEBIAN_VERSION: &str = "etc/debian_version";

/// The operating system.
#[derive(Debug)]
pub(crate) struct ReleaseSource;

impl Source for ReleaseSource {
    fn name(&self) -> &'static str {
        "release"
    }

    fn section(&self) -> SectionName {
        SectionName::known(SectionName::OS)
    }

    fn reads(&self) -> &'static [&'static str] {
        &[
            OS_RELEASE[0],
            OS_RELEASE[1],
            DEBIAN_VERSION,
            MACHINE_ID[0],
            "etc/hostname",
            "lib/modules",
            "etc/localtime",
            "etc/default/locale",
            "run/systemd/resolve/resolv.conf",
            "etc/resolv.conf",
            "the kernel",
        ]
    }

    fn stamp(&self) -> Stamp {
        Stamp::Touched
    }

    fn collect(&self, host: &dyn Host) -> SectionPart {
        let mut problems = Problems::default();
        let mut system =
            OperatingSystem { machine_id: machine_id(host, &mut problems), ..Default::default() };
        match read_os_release(host, &mut problems) {
            Some(file) => take_os_release(&mut system, &file),
            None if problems.is_empty() => {
                problems.add(
                    OS_RELEASE[0],
                    ErrorKind::NotAvailable,
                    "there is no such file, so the distribution is unknown",
                );
            }
            None => {}
        }
        system.version = version(host, &system, &mut problems);
        take_kernel(&mut system, host, &mut problems);
        let items = if system == OperatingSystem::default() {
            Vec::new()
        } else {
            details::take(&mut system, host, &mut problems);
            vec![Item::new(ItemKind::OperatingSystem(Box::new(system)))]
        };
        SectionPart { items, problems }
    }
}

/// The distribution's `ID`, which names the makers of its packages; `linux` where it is not told, as os-release(5) says.
pub(crate) fn distribution(host: &dyn Host) -> Option<String> {
    let file = read_os_release(host, &mut Problems::default())?;
    fields(&file).find(|(key, _)| *key == "ID").and_then(|(_, value)| text::clean(value.as_bytes()))
}

fn read_os_release(host: &dyn Host, problems: &mut Problems) -> Option<String> {
    let bytes =
        OS_RELEASE.into_iter().find_map(|path| read::bytes(host, path, OS_RELEASE_LIMIT, problems))?;
    Some(String::from_utf8_lossy(&bytes).into_owned())
}

fn take_os_release(system: &mut OperatingSystem, file: &str) {
    for (key, value) in fields(file) {
        let value = text::clean(value.as_bytes());
        match key {
            "ID" => system.id = value,
            "NAME" => system.name = value,
            "VERSION_ID" => system.version_id = value,
            "VERSION_CODENAME" => system.codename = value,
            "PRETTY_NAME" => system.pretty_name = value,
            "VARIANT" => system.edition = value,
            "BUILD_ID" | "IMAGE_VERSION" => system.build = value.or(system.build.take()),
            _ => {}
        }
    }
}

/// Assignments in shell style, quotes and escapes taken away.
fn fields(file: &str) -> impl Iterator<Item = (&str, String)> {
    file.lines().filter_map(|line| {
        let (key, value) = line.trim().split_once('=')?;
        (!key.starts_with('#')).then(|| (key, unquoted(value)))
    })
}

fn unquoted(value: &str) -> String {
    if let Some(literal) = value.strip_prefix('\'').and_then(|value| value.strip_suffix('\'')) {
        return literal.to_owned();
    }
    let inner = value.strip_prefix('"').and_then(|value| value.strip_suffix('"')).unwrap_or(value);
    let mut characters = inner.chars();
    let mut plain = String::with_capacity(inner.len());
    while let Some(character) = characters.next() {
        plain.extend(if character == '\\' { characters.next() } else { Some(character) });
    }
    plain
}

/// Debian's point release stands in a file of its own; its derivatives keep Debian's name in that file, not theirs.
fn version(host: &dyn Host, system: &OperatingSystem, problems: &mut Problems) -> Option<String> {
    if system.id.as_deref() != Some("debian") {
        return system.version_id.clone();
    }
    let point_release = read::value(host, DEBIAN_VERSION, problems);
    match (&system.version_id, point_release) {
        (Some(version_id), Some(point)) if !point.starts_with(version_id.as_str()) => {
            Some(version_id.clone())
        }
        (_, Some(point)) => Some(point),
        (version_id, None) => version_id.clone(),
    }
}

fn machine_id(host: &dyn Host, problems: &mut Problems) -> Option<String> {
    let (path, id) =
        MACHINE_ID.into_iter().find_map(|path| Some((path, read::value(host, path, problems)?)))?;
    // systemd writes this word into images that must get an id at their first boot.
    if id == "uninitialized" {
        return None;
    }
    if id.len() == 32 && id.bytes().all(|byte| byte.is_ascii_hexdigit()) {
        return Some(id.to_ascii_lowercase());
    }
    problems.add(path, ErrorKind::Malformed, "expected 32 hexadecimal digits");
    None
}

fn take_kernel(system: &mut OperatingSystem, host: &dyn Host, problems: &mut Problems) {
    if let Some(facts) = host.live() {
        let clean = |value: &Option<String>| value.as_ref().and_then(|value| text::clean(value.as_bytes()));
        system.kernel = clean(&facts.kernel_release);
        system.kernel_build = clean(&facts.kernel_build);
        system.hostname = clean(&facts.hostname);
        system.architecture = clean(&facts.architecture);
        system.boot_time = facts.boot_time;
        facts.errors.iter().for_each(|error| problems.add_entry(error.clone()));
        return;
    }
    system.kernel = read::value(host, "proc/sys/kernel/osrelease", problems);
    system.kernel_build = read::value(host, "proc/sys/kernel/version", problems);
    system.architecture = read::value(host, "proc/sys/kernel/arch", problems);
    system.boot_time = boot_time(host, problems);
    system.hostname = ["etc/hostname", "proc/sys/kernel/hostname"]
        .into_iter()
        .find_map(|path| read::value(host, path, problems));
    for (missing, subject) in [
        (system.kernel.is_none(), "kernel"),
        (system.architecture.is_none(), "architecture"),
        (system.boot_time.is_none(), "boot time"),
    ] {
        if missing {
            problems.add(subject, ErrorKind::NotAvailable, NOT_RECORDED);
        }
    }
}

/// The `btime` line of a recorded `/proc/stat`.
fn boot_time(host: &dyn Host, problems: &mut Problems) -> Option<EndpointTime> {
    let bytes = read::bytes(host, "proc/stat", 4 << 20, problems)?;
    let text = String::from_utf8_lossy(&bytes);
    let seconds: i64 = text.lines().find_map(|line| line.strip_prefix("btime "))?.trim().parse().ok()?;
    Some(EndpointTime::from_millis(seconds.saturating_mul(1000)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sources::testing::recorded;

    fn system(files: &[(&str, &str)]) -> (Option<OperatingSystem>, usize) {
        let (_folder, host) = recorded(files);
        let part = ReleaseSource.collect(&host);
        let problems = part.problems.into_entries();
        let real = problems.iter().filter(|entry| entry.kind != ErrorKind::NotAvailable).count();
        let found = part.items.into_iter().next().map(|item| match item.kind {
            ItemKind::OperatingSystem(system) => *system,
            other => panic!("{other:?} is no operating system"),
        });
        (found, real)
    }

    #[test]
    fn debian_with_its_point_release() {
        let (found, problems) = system(&[
            (
                "usr/lib/os-release",
                "PRETTY_NAME=\"Debian GNU/Linux 12\"\nID=debian\nVERSION_ID='12'\n# ID=x\n",
            ),
            ("etc/debian_version", "12.11\n"),
            ("etc/machine-id", "3D1219c7c4c5404aaa1f6d2a48adfda4\n"),
            ("etc/hostname", "web1\n"),
            ("proc/sys/kernel/osrelease", "6.1.0-25-amd64\n"),
            ("proc/stat", "cpu 1 2\nbtime 1764000000\n"),
        ]);
        let found = found.unwrap();
        assert_eq!(problems, 0);
        assert_eq!(found.version.as_deref(), Some("12.11"));
        assert_eq!(found.pretty_name.as_deref(), Some("Debian GNU/Linux 12"));
        assert_eq!(found.machine_id.as_deref(), Some("3d1219c7c4c5404aaa1f6d2a48adfda4"));
        assert_eq!(found.hostname.as_deref(), Some("web1"));
        assert_eq!(found.kernel.as_deref(), Some("6.1.0-25-amd64"));
        assert_eq!(found.boot_time, Some(EndpointTime::from_millis(1_764_000_000_000)));
    }

    #[test]
    fn a_derivative_keeps_its_own_version() {
        let ubuntu =
            [("etc/os-release", "ID=ubuntu\nVERSION_ID=\"24.04\"\n"), ("etc/debian_version", "trixie/sid\n")];
        assert_eq!(system(&ubuntu).0.unwrap().version.as_deref(), Some("24.04"));
        let testing = [("etc/os-release", "ID=debian\n"), ("etc/debian_version", "trixie/sid\n")];
        assert_eq!(system(&testing).0.unwrap().version.as_deref(), Some("trixie/sid"));
    }

    #[test]
    fn odd_machine_ids() {
        assert_eq!(system(&[("etc/machine-id", "uninitialized\n")]), (None, 0));
        assert_eq!(system(&[("etc/machine-id", "hello\n")]), (None, 1));
        assert_eq!(system(&[]), (None, 0));
    }

    #[test]
    fn quotes_and_escapes_go() {
        for (input, expected) in
            [("a", "a"), ("\"a \\\"b\\\"\"", "a \"b\""), ("'a\\b'", "a\\b"), ("\"", "\"")]
        {
            assert_eq!(unquoted(input), expected, "{input}");
        }
    }
}
