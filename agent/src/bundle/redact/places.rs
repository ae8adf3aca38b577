//! Paths in mount tables and control groups: words that every system has stay, all others are replaced.

use super::{Context, text};
use crate::bundle::pseudonym::Kind;

/// Words of which paths are made everywhere.
const WORDS: &[&str] = &[
    "backup",
    "blkio",
    "cpu",
    "cpuacct",
    "cpuset",
    "devices",
    "freezer",
    "memory",
    "net_cls",
    "net_prio",
    "perf_event",
    "pids",
    "unified",
    "bin",
    "binfmt_misc",
    "boot",
    "bpf",
    "cache",
    "cdrom",
    "cgroup",
    "config",
    "connections",
    "containerd",
    "containers",
    "cpuinfo",
    "credentials",
    "data",
    "debug",
    "dev",
    "diff",
    "docker",
    "efi",
    "etc",
    "firmware",
    "fs",
    "fuse",
    "home",
    "hostname",
    "hosts",
    "hugepages",
    "image",
    "io",
    "kernel",
    "kubelet",
    "kubepods",
    "lib",
    "lib64",
    "local",
    "lock",
    "log",
    "lxc",
    "lxcfs",
    "machine",
    "mapper",
    "media",
    "meminfo",
    "merged",
    "mnt",
    "mqueue",
    "net",
    "nfs",
    "opt",
    "overlay",
    "overlay-containers",
    "overlay2",
    "overlayfs",
    "pods",
    "postgresql",
    "proc",
    "pstore",
    "pts",
    "resolv.conf",
    "rootfs",
    "root",
    "rpc_pipefs",
    "run",
    "sbin",
    "security",
    "shm",
    "snap",
    "snapd",
    "snapshots",
    "spool",
    "srv",
    "stat",
    "storage",
    "sunrpc",
    "swap",
    "swapfile",
    "swap.img",
    "sys",
    "systemd",
    "tmp",
    "tracing",
    "upper",
    "user",
    "usr",
    "var",
    "volumes",
    "work",
    "www",
];
/// What runtimes put before an id or a name.
const STARTS: &[&str] = &[
    "docker-",
    "libpod-",
    "libpod_",
    "cri-containerd-",
    "kubepods-",
    "systemd-nspawn",
    "lxc.payload.",
    "lxc.payload",
    "lxc.monitor.",
    "io.containerd.",
];
/// What systemd's names end in.
const UNITS: &[&str] = &[".slice", ".scope", ".service", ".socket", ".mount"];
/// Options of mounts that have no value of their own.
const SOURCES: &[&str] = &["none", "systemd-1", "udev", "rootfs", "overlay", "shm", "composefs", "lxcfs"];

/// A path, part by part.
pub(super) fn place(path: &[u8], context: &mut Context<'_>) -> Vec<u8> {
    let parts: Vec<Vec<u8>> =
        path.split(|byte| *byte == b'/').map(|part| part_of_path(part, context)).collect();
    parts.join(&b'/')
}

fn part_of_path(part: &[u8], context: &mut Context<'_>) -> Vec<u8> {
    let Ok(text) = std::str::from_utf8(part) else { return context.of(Kind::Other, part) };
    let is_number = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    if text.is_empty() || is_number || WORDS.contains(&text) {
        return part.to_vec();
    }
    if let Some(start) = STARTS.iter().find(|start| text.starts_with(**start)) {
        let (start, rest) = part.split_at(start.len());
        let is_version = |rest: &[u8]| memchr::memchr(b'.', rest).is_some() && start == b"io.containerd.";
        return if is_version(rest) { part.to_vec() } else { [start, &ending_kept(rest, context)].concat() };
    }
    if UNITS.iter().any(|ending| text.ends_with(ending)) {
        return part.to_vec();
    }
    context.of(Kind::Other, part)
}

fn ending_kept(rest: &[u8], context: &mut Context<'_>) -> Vec<u8> {
    let ending =
        UNITS.iter().find(|ending| rest.ends_with(ending.as_bytes())).map_or(0, |ending| ending.len());
    let (name, ending) = rest.split_at(rest.len() - ending);
    [&context.of(Kind::Other, name), ending].concat()
}

/// The control groups of a process.
pub(super) fn control_groups(bytes: &[u8], context: &mut Context<'_>) -> Vec<u8> {
    text::each_line(bytes, |line| {
        let mut fields: Vec<Vec<u8>> = line.splitn(3, |byte| *byte == b':').map(<[u8]>::to_vec).collect();
        if let Some(path) = fields.get_mut(2) {
            *path = place(path, context);
        }
        fields.join(&b':')
    })
}

/// /proc/*/mountinfo.
pub(super) fn mountinfo(bytes: &[u8], context: &mut Context<'_>) -> Vec<u8> {
    text::each_line(bytes, |line| {
        let mut fields: Vec<Vec<u8>> = line.split(|byte| *byte == b' ').map(<[u8]>::to_vec).collect();
        let Some(dash) = fields.iter().position(|field| field == b"-") else { return Vec::new() };
        for (number, field) in fields.iter_mut().enumerate() {
            match number {
                3 | 4 => *field = place(field, context),
                5 => *field = options(field, context),
                _ if number == dash + 2 => *field = source(field, context),
                _ if number > dash + 2 => *field = options(field, context),
                _ => {}
            }
        }
        fields.join(&b' ')
    })
}

/// /proc/mounts.
pub(super) fn mounts(bytes: &[u8], context: &mut Context<'_>) -> Vec<u8> {
    text::each_line(bytes, |line| {
        let mut fields: Vec<Vec<u8>> = line.split(|byte| *byte == b' ').map(<[u8]>::to_vec).collect();
        for (number, field) in fields.iter_mut().enumerate() {
            match number {
                0 => *field = source(field, context),
                // Homes are told by their places, which sources compare with paths that are replaced alike.
                1 => *field = place(field, context),
                3 => *field = options(field, context),
                _ => {}
            }
        }
        fields.join(&b' ')
    })
}

/// /proc/swaps.
pub(super) fn swaps(bytes: &[u8], context: &mut Context<'_>) -> Vec<u8> {
    text::each_line(bytes, |line| {
        let end = line.iter().position(u8::is_ascii_whitespace).unwrap_or(line.len());
        let (first, rest) = line.split_at(end);
        if first == b"Filename" { line.to_vec() } else { [&source(first, context), rest].concat() }
    })
}

/// A device stays, a name that every system has too; a server or a share goes.
fn source(field: &[u8], context: &mut Context<'_>) -> Vec<u8> {
    let text = String::from_utf8_lossy(field);
    let is_word = text.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit());
    if field.starts_with(b"/dev/") || SOURCES.contains(&&*text) || (is_word && text.ends_with("fs")) {
        field.to_vec()
    } else if field.starts_with(b"/") && !field.starts_with(b"//") {
        place(field, context)
    } else if is_word
        && ["proc", "cgroup", "cgroup2", "bpf", "mqueue", "devpts", "hugetlbfs", "pstore"].contains(&&*text)
    {
        field.to_vec()
    } else {
        context.of(Kind::Host, field)
    }
}

/// Flags and numbers stay, paths are taken part by part, all other values go.
fn options(field: &[u8], context: &mut Context<'_>) -> Vec<u8> {
    let option = |option: &[u8], context: &mut Context<'_>| {
        let Some(equals) = memchr::memchr(b'=', option) else {
            // A name that is no flag is the rest of a list of paths.
            let is_flag =
                option.iter().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || *byte == b'_');
            return if is_flag { option.to_vec() } else { place(option, context) };
        };
        let (key, value) = option.split_at(equals + 1);
        let value = if value.starts_with(b"/") {
            let parts: Vec<Vec<u8>> =
                value.split(|byte| *byte == b':').map(|path| place(path, context)).collect();
            parts.join(&b':')
        } else if value.iter().all(u8::is_ascii_digit) || value == b"remount-ro" {
            value.to_vec()
        } else {
            context.of(Kind::Other, value)
        };
        [key, &value].concat()
    };
    let options: Vec<Vec<u8>> = field.split(|byte| *byte == b',').map(|one| option(one, context)).collect();
    options.join(&b',')
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::bundle::redact::testing::with_context;

    /// What stands in angle brackets must go, and nothing else.
    fn check(make: fn(&[u8], &mut Context<'_>) -> Vec<u8>, text: &str) {
        let plain = text.replace(['<', '>'], "");
        let mut after = Vec::new();
        with_context(|context| after = make(plain.as_bytes(), context));
        let after = String::from_utf8(after).unwrap();
        assert_eq!(after.len(), plain.len(), "{text} became {after}");
        let mut at = 0;
        for (number, part) in text.split(['<', '>']).enumerate() {
            let now = &after[at..at + part.len()];
            assert_eq!(now == part, number % 2 == 0, "{part} became {now} in {after}");
            at += part.len();
        }
    }

    #[test]
    fn words_of_every_system_stay_and_all_others_go() {
        for text in [
            "27 1 254:0 / / rw,relatime - ext4 /dev/mapper/data rw,discard,resuid=65534",
            "28 27 0:25 / /mnt/<customers> rw - nfs4 <filer.acme.test:/export> rw,addr=<10.0.0.7>,vers=4",
            "29 27 0:26 / /home/<annabel> rw - cifs <//filer/annabel> rw,username=<annabel>,uid=1000",
            "30 1 0:50 / / rw - overlay overlay rw,lowerdir=/var/lib/docker/overlay2/<abcdef123>/diff:/var/lib/docker/overlay2/l/<XYZXYZ>",
        ] {
            // A single letter is a name like any other.
            check(mountinfo, &text.replace("/l/", "/<l>/"));
        }
        check(mounts, "<filer:/export> /srv/<projects> nfs rw,addr=<10.1.2.3> 0 0");
        check(swaps, "Filename Type\n/dev/sda2 partition 1 0 -2\n/<encrypted>/swapfile file 1 0 -3\n");
        check(control_groups, "0::/system.slice/docker-<0123456789abcdef>.scope\n1:cpu:/lxc/<customer>\n");
    }
}
