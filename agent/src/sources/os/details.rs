//! What an asset manager asks of a system beyond its release: kernels and reboots, updates, place and language.
//!
//! Knows nothing of packages; that updates wait is what the distribution's own file says, never a guess.

use std::cmp::Ordering;

use muster_common::{inventory::OperatingSystem, time::EndpointTime, version};

use crate::{
    host::Host,
    sources::{part::Problems, read, text},
};

/// Kernels keep their modules in one folder a release.
const MODULES: [&str; 2] = ["lib/modules", "usr/lib/modules"];
const KERNELS_LIMIT: usize = 100;
/// Debian's and Ubuntu's word that an update waits for a reboot.
const REBOOT_REQUIRED: [&str; 2] = ["run/reboot-required", "var/run/reboot-required"];
const UPDATES_AVAILABLE: &str = "var/lib/update-notifier/updates-available";
const LOCALTIME: &str = "etc/localtime";
const TIMEZONE: &str = "etc/timezone";
const LOCALE: [&str; 2] = ["etc/locale.conf", "etc/default/locale"];
/// What installers leave behind and nobody writes again; the machine id is made at the first boot at the latest.
const INSTALLED: [&str; 4] = [
    "var/log/installer/initial-status.gz",
    "var/log/installer/media-info",
    "root/anaconda-ks.cfg",
    "etc/machine-id",
];
/// Where name servers stand: systemd's stub writes itself into the usual file and the real ones into its own.
const RESOLVERS: [&str; 2] = ["run/systemd/resolve/resolv.conf", "etc/resolv.conf"];
const NAME_SERVERS_LIMIT: usize = 16;
const FILE_LIMIT: usize = 64 * 1024;

/// Adds what these files tell.
pub(super) fn take(system: &mut OperatingSystem, host: &dyn Host, problems: &mut Problems) {
    system.kernels = kernels(host, problems);
    system.reboot_required = reboot_required(host, system.kernel.as_deref(), &system.kernels);
    system.time_zone = time_zone(host, problems);
    system.locale = locale(host, problems);
    resolver(system, host, problems);
    system.install_time = INSTALLED
        .into_iter()
        .find_map(|path| host.metadata(path).ok())
        .and_then(|found| i64::try_from(found.modified_ns / 1_000_000_000).ok())
        .filter(|seconds| *seconds > 0)
        .map(|seconds| EndpointTime::from_millis(seconds.saturating_mul(1000)));
    let updates = read::bytes(host, UPDATES_AVAILABLE, FILE_LIMIT, problems);
    if let Some((all, security)) = updates.as_deref().and_then(pending) {
        (system.pending_updates, system.pending_security_updates) = (Some(all), security);
    }
}

fn kernels(host: &dyn Host, problems: &mut Problems) -> Vec<String> {
    let Some((folder, names)) = MODULES
        .into_iter()
        .find_map(|folder| Some((folder, read::names(host, folder, KERNELS_LIMIT, problems)?)))
    else {
        return Vec::new();
    };
    // A kernel that was removed leaves a folder behind when modules were built beside its own.
    names
        .into_iter()
        .filter(|name| host.metadata(&format!("{folder}/{name}/modules.dep")).is_ok())
        .filter_map(|name| text::clean(name.as_bytes()))
        .collect()
}

/// Yes by the distribution's word, or when a newer kernel of the same flavour is installed than the one that runs;
/// no only when the running kernel is seen to be the newest.
fn reboot_required(host: &dyn Host, running: Option<&str>, installed: &[String]) -> Option<bool> {
    if REBOOT_REQUIRED.into_iter().any(|path| host.metadata(path).is_ok()) {
        return Some(true);
    }
    let running = running?;
    if !installed.iter().any(|kernel| kernel == running) {
        // Containers and machines that are booted from elsewhere have kernels that say nothing of the one that runs.
        return None;
    }
    let newer = |kernel: &&String| {
        flavour(kernel) == flavour(running)
            && version::compare("deb", kernel, running).is_some_and(Ordering::is_gt)
    };
    Some(installed.iter().any(|kernel| newer(&kernel)))
}

/// The words in a release, such as `generic` in `6.8.0-45-generic`.
fn flavour(release: &str) -> Vec<&str> {
    release
        .split(['-', '.', '+', '_'])
        .filter(|part| part.starts_with(|first: char| first.is_ascii_alphabetic()))
        .filter(|part| !is_distribution_mark(part))
        .collect()
}

/// `fc40`, `el9`, `deb12`: a kernel for the next release of the distribution is newer all the same.
fn is_distribution_mark(part: &str) -> bool {
    let letters = part.trim_end_matches(|last: char| last.is_ascii_digit() || last == 'u' || last == '_');
    letters.len() < part.len() && ["fc", "el", "deb", "amzn", "bpo"].contains(&letters)
}

fn time_zone(host: &dyn Host, problems: &mut Problems) -> Option<String> {
    let target = host.link(LOCALTIME).ok();
    let named = target.as_deref().and_then(|target| target.split_once("zoneinfo/")).map(|(_, zone)| zone);
    match named {
        Some(zone) => text::clean(zone.as_bytes()),
        None => read::value(host, TIMEZONE, problems),
    }
}

fn locale(host: &dyn Host, problems: &mut Problems) -> Option<String> {
    let file = LOCALE.into_iter().find_map(|path| read::bytes(host, path, FILE_LIMIT, problems))?;
    let file = String::from_utf8_lossy(&file);
    let value = file.lines().find_map(|line| line.trim().strip_prefix("LANG="))?;
    text::clean(value.trim_matches(['"', '\'']).as_bytes())
}

/// resolv.conf(5): of `domain` and `search` the last one counts, and of what is searched the first.
fn resolver(system: &mut OperatingSystem, host: &dyn Host, problems: &mut Problems) {
    let file = RESOLVERS.into_iter().find_map(|path| read::bytes(host, path, FILE_LIMIT, problems));
    for line in String::from_utf8_lossy(&file.unwrap_or_default()).lines() {
        let mut words = line.split_whitespace();
        let (key, value) = (words.next(), words.next().and_then(|word| text::clean(word.as_bytes())));
        match (key, value) {
            (Some("nameserver"), Some(server)) if system.name_servers.len() < NAME_SERVERS_LIMIT => {
                system.name_servers.push(server);
            }
            // A dot is the root, which is no domain of one's own.
            (Some("domain" | "search"), Some(domain)) if domain != "." => system.domain = Some(domain),
            _ => {}
        }
    }
}

/// The two sentences of update-notifier: how many updates there are, and how many of them mend security.
fn pending(file: &[u8]) -> Option<(u32, Option<u32>)> {
    let file = String::from_utf8_lossy(file);
    let count = |mark: &str| {
        let line = file.lines().find(|line| line.contains(mark))?;
        line.split_whitespace().next()?.parse::<u32>().ok()
    };
    let all = count("can be applied immediately").or_else(|| count("can be installed immediately"))?;
    Some((all, count("standard security update").or_else(|| count("security update"))))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sources::testing::recorded;

    fn read(files: &[(&str, &str)], kernel: Option<&str>) -> OperatingSystem {
        let (_folder, host) = recorded(files);
        let mut system = OperatingSystem { kernel: kernel.map(str::to_owned), ..OperatingSystem::default() };
        let mut problems = Problems::default();
        take(&mut system, &host, &mut problems);
        assert!(problems.is_empty(), "{problems:?}");
        system
    }

    fn reboot(kernels: &[&str], running: Option<&str>) -> Option<bool> {
        let files: Vec<(String, &str)> =
            kernels.iter().map(|kernel| (format!("lib/modules/{kernel}/modules.dep"), "")).collect();
        let files: Vec<(&str, &str)> =
            files.iter().map(|(path, content)| (path.as_str(), *content)).collect();
        read(&files, running).reboot_required
    }

    #[test]
    fn the_resolvers_own_file_goes_before_its_stub() {
        let file = "# made by hand\nsearch a.example b.example\ndomain example.org\noptions edns0\nnameserver\n\
            nameserver 192.0.2.53\n nameserver 2001:db8::53\nsearch .\n";
        let found = read(&[(RESOLVERS[1], file)], None);
        assert_eq!(found.domain.as_deref(), Some("example.org"));
        assert_eq!(found.name_servers, ["192.0.2.53", "2001:db8::53"]);
        let stub = (RESOLVERS[1], "nameserver 127.0.0.53\n");
        let found = read(&[stub, (RESOLVERS[0], "nameserver 192.0.2.1\n")], None);
        assert_eq!((found.name_servers, found.domain), (vec!["192.0.2.1".to_owned()], None));
    }

    #[test]
    fn a_reboot_is_needed_for_a_newer_kernel_of_the_same_flavour() {
        for (kernels, running, expected) in [
            (&["6.1.0-9-amd64", "6.1.0-10-amd64"][..], Some("6.1.0-9-amd64"), Some(true)),
            (&["6.1.0-9-amd64", "6.1.0-10-amd64"], Some("6.1.0-10-amd64"), Some(false)),
            (&["6.1.0-9-amd64", "6.1.0-10-cloud-amd64"], Some("6.1.0-9-amd64"), Some(false)),
            (&["6.8.5-301.fc40.x86_64", "6.9.1-200.fc40.x86_64"], Some("6.8.5-301.fc40.x86_64"), Some(true)),
            (&["6.8.5-301.fc39.x86_64", "6.9.1-200.fc40.x86_64"], Some("6.8.5-301.fc39.x86_64"), Some(true)),
            (&["6.1.0-9-amd64"], Some("5.10.0-firecracker"), None),
            (&[], Some("6.1.0-9-amd64"), None),
            (&["6.1.0-9-amd64"], None, None),
        ] {
            assert_eq!(reboot(kernels, running), expected, "{running:?} of {kernels:?}");
        }
        assert_eq!(read(&[("run/reboot-required", "")], None).reboot_required, Some(true));
    }

    #[test]
    fn what_the_files_tell() {
        let updates =
            "\n12 updates can be applied immediately.\n5 of these updates are standard security updates.\n";
        let system = read(
            &[
                (UPDATES_AVAILABLE, updates),
                (TIMEZONE, "Europe/Vienna\n"),
                ("etc/default/locale", "#  File\nLANG=\"de_AT.UTF-8\"\n"),
                ("lib/modules/6.1.0-9-amd64/updates/dkms/x.ko", ""),
            ],
            None,
        );
        assert_eq!((system.pending_updates, system.pending_security_updates), (Some(12), Some(5)));
        assert_eq!(system.time_zone.as_deref(), Some("Europe/Vienna"));
        assert_eq!(system.locale.as_deref(), Some("de_AT.UTF-8"));
        assert_eq!(system.kernels, [] as [&str; 0], "a folder without modules.dep is no kernel");
        assert_eq!(read(&[(UPDATES_AVAILABLE, "")], None).pending_updates, None);
    }

    #[test]
    fn the_time_zone_is_where_the_link_points() {
        let (folder, host) = recorded(&[(TIMEZONE, "Etc/UTC\n")]);
        std::os::unix::fs::symlink("/usr/share/zoneinfo/America/Lima", folder.path().join(LOCALTIME))
            .unwrap();
        assert_eq!(time_zone(&host, &mut Problems::default()).as_deref(), Some("America/Lima"));
    }
}
