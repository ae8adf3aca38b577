//! Whether the agent runs in a container, and of which runtime.
//!
//! Knows what runtimes leave behind: a name in the first process's environment, files in `/run`, control groups, and
//! what they mount. `/.dockerenv` is not among them: images that were unpacked onto a virtual machine carry it for ever.

use crate::host::Host;

/// The namespace of processes that the kernel made at boot has this number (`PROC_PID_INIT_INO`).
const FIRST_NAMESPACE: &str = "pid:[4026531836]";
const OWN_NAMESPACE: &str = "proc/self/ns/pid";
const MANAGER: &str = "run/systemd/container";
const PODMAN: &str = "run/.containerenv";
const ENVIRONMENT: &str = "proc/1/environ";
const CONTROL_GROUPS: &str = "proc/1/cgroup";
const MOUNTS: &str = "proc/1/mountinfo";
/// Enough for any of these files where it matters; the first mounts are those of the runtime.
const LIMIT: usize = 64 * 1024;

/// Parts of a control group's path.
const GROUPS: &[(&str, &str)] = &[
    ("/kubepods", "kubernetes"),
    ("/docker/", "docker"),
    ("/docker-", "docker"),
    ("/libpod", "podman"),
    ("/lxc.payload", "lxc"),
    ("/lxc/", "lxc"),
    ("/machine.slice/systemd-nspawn", "systemd-nspawn"),
    ("/cri-containerd", "containerd"),
];

/// What is mounted over files that every runtime replaces, by parts of where it comes from.
const FILES: &[(&str, &str)] = &[
    ("/kubelet/pods/", "kubernetes"),
    ("/docker/containers/", "docker"),
    ("/overlay-containers/", "podman"),
    ("/io.containerd.", "containerd"),
];

/// Where the root of the file system is kept, by parts of the mount's options.
const ROOTS: &[(&str, &str)] = &[
    ("/docker/overlay2/", "docker"),
    ("/docker/rootfs/", "docker"),
    ("/containers/storage/overlay", "podman"),
    ("/io.containerd.snapshotter", "containerd"),
];

/// The runtime's name; `None` on a machine, real or virtual.
pub(super) fn detect(host: &dyn Host) -> Option<String> {
    // Nearly every machine is done here, with one look.
    if host.link(OWN_NAMESPACE).is_ok_and(|namespace| namespace == FIRST_NAMESPACE) {
        return None;
    }
    let read = |path: &str| host.prefix(path, LIMIT).ok().map(|content| content.bytes);
    let told = read(MANAGER)
        .and_then(|bytes| runtime(&bytes))
        .or_else(|| read(PODMAN).map(|_| "podman".to_owned()))
        .or_else(|| read(ENVIRONMENT).and_then(|bytes| by_environment(&bytes)));
    // "oci" is any of them.
    if told.as_deref().is_some_and(|name| name != "oci") {
        return told;
    }
    read(CONTROL_GROUPS)
        .and_then(|bytes| by_control_groups(&bytes))
        .or_else(|| read(MOUNTS).and_then(|bytes| by_mounts(&bytes)))
        .map(str::to_owned)
        .or(told)
}

/// The variable that runtimes set for the first process of a container; nothing else of it is looked at.
pub(crate) fn by_environment(bytes: &[u8]) -> Option<String> {
    runtime(bytes.split(|byte| *byte == 0).find_map(|variable| variable.strip_prefix(b"container="))?)
}

/// A runtime's name: lower-case letters, digits and hyphens.
fn runtime(bytes: &[u8]) -> Option<String> {
    let name = bytes.trim_ascii();
    let is_name = (1..=32).contains(&name.len())
        && name.iter().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || *byte == b'-');
    std::str::from_utf8(name).ok().filter(|_| is_name).map(str::to_owned)
}

/// The control groups of the first process. With a namespace of their own they show nothing.
pub(crate) fn by_control_groups(bytes: &[u8]) -> Option<&'static str> {
    let text = String::from_utf8_lossy(bytes);
    text.lines().filter_map(|line| line.splitn(3, ':').nth(2)).find_map(|path| among(GROUPS, path))
}

/// The mounts of the first process: what stands under `/` and what was put over a few files.
///
/// On a machine that runs containers their roots are mounted elsewhere, and count for nothing.
pub(crate) fn by_mounts(bytes: &[u8]) -> Option<&'static str> {
    let text = String::from_utf8_lossy(bytes);
    text.lines().find_map(|line| {
        let (mount, source) = line.split_once(" - ")?;
        let mut fields = mount.split(' ').skip(3);
        let (root, place) = (fields.next()?, fields.next()?);
        match place {
            "/" => among(ROOTS, source),
            "/etc/hostname" | "/etc/hosts" | "/etc/resolv.conf" => among(FILES, root),
            "/proc/cpuinfo" | "/proc/meminfo" => source.starts_with("fuse.lxcfs ").then_some("lxc"),
            _ => None,
        }
    })
}

fn among(table: &[(&str, &'static str)], text: &str) -> Option<&'static str> {
    table.iter().find(|(part, _)| text.contains(part)).map(|(_, name)| *name)
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::symlink;

    use super::*;
    use crate::sources::testing::recorded;

    /// A virtual machine whose disk was made of a container's image.
    const MICRO_VM: &str = "22 27 0:21 / /proc rw,relatime - proc proc rw\n\
        27 1 254:0 / / rw,relatime - ext4 /dev/root rw\n25 24 0:23 / /dev/shm rw,relatime - tmpfs tmpfs rw\n";
    const DOCKER: &str = "589 466 0:54 / / rw,relatime master:258 - overlay overlay rw,lowerdir=/var/lib/docker/overlay2/l/\
        XV:/var/lib/docker/overlay2/l/QW,upperdir=/var/lib/docker/overlay2/3f/diff,workdir=/var/lib/docker/overlay2/3f/work\n\
        600 589 254:1 /var/lib/docker/containers/4a/hostname /etc/hostname rw,relatime - ext4 /dev/vda1 rw\n";
    /// Docker with another kind of storage, told by the files alone.
    const DOCKER_ON_ZFS: &str = "589 466 0:54 / / rw,relatime - zfs rpool/var/lib/abc rw\n\
        600 589 254:1 /var/lib/docker/containers/4a/hostname /etc/hostname rw,relatime - ext4 /dev/vda1 rw\n";
    const DOCKERS_HOST: &str = "27 1 254:0 / / rw,relatime - ext4 /dev/sda1 rw\n\
        589 27 0:54 / /var/lib/docker/overlay2/3f/merged rw,relatime - overlay overlay rw,lowerdir=/var/lib/docker/overlay2/l/XV\n";
    const LXC: &str = "300 200 0:40 / / rw,relatime - zfs rpool/containers/web rw\n\
        310 300 0:50 /proc/cpuinfo /proc/cpuinfo rw,nosuid - fuse.lxcfs lxcfs rw,user_id=0\n";
    const POD: &str = "900 800 0:60 / / rw,relatime - overlay overlay rw,lowerdir=/var/lib/containerd/\
        io.containerd.snapshotter.v1.overlayfs/snapshots/1/fs\n";

    #[test]
    fn recorded_machines_and_containers() {
        type Files<'a> = &'a [(&'a str, &'a str)];
        let cases: &[(&str, Files<'_>, Option<&str>)] = &[
            (
                "a micro virtual machine",
                &[(".dockerenv", ""), (CONTROL_GROUPS, "1:cpu:/\n0::/\n"), (MOUNTS, MICRO_VM)],
                None,
            ),
            (
                "a laptop",
                &[
                    (CONTROL_GROUPS, "0::/init.scope\n"),
                    (MOUNTS, MICRO_VM),
                    (ENVIRONMENT, "HOME=/\0TERM=linux\0"),
                ],
                None,
            ),
            (
                "a machine that runs Docker",
                &[(CONTROL_GROUPS, "0::/init.scope\n"), (MOUNTS, DOCKERS_HOST)],
                None,
            ),
            (
                "Docker, version 2 groups",
                &[(".dockerenv", ""), (CONTROL_GROUPS, "0::/\n"), (MOUNTS, DOCKER)],
                Some("docker"),
            ),
            ("Docker on ZFS", &[(CONTROL_GROUPS, "0::/\n"), (MOUNTS, DOCKER_ON_ZFS)], Some("docker")),
            ("Docker, version 1 groups", &[(CONTROL_GROUPS, "12:pids:/docker/4a5b\n")], Some("docker")),
            (
                "Podman",
                &[(PODMAN, "engine=\"podman-4.3.1\"\n"), (ENVIRONMENT, "container=oci\0")],
                Some("podman"),
            ),
            ("LXC by its word", &[(ENVIRONMENT, "TERM=linux\0container=lxc\0")], Some("lxc")),
            ("LXC by its mounts", &[(CONTROL_GROUPS, "0::/init.scope\n"), (MOUNTS, LXC)], Some("lxc")),
            ("nspawn", &[(MANAGER, "systemd-nspawn\n")], Some("systemd-nspawn")),
            (
                "a pod",
                &[(CONTROL_GROUPS, "0::/kubepods.slice/kubepods-pod1.slice/cri-containerd-1.scope\n")],
                Some("kubernetes"),
            ),
            ("containerd", &[(CONTROL_GROUPS, "0::/\n"), (MOUNTS, POD)], Some("containerd")),
            ("any OCI runtime", &[(ENVIRONMENT, "container=oci\0")], Some("oci")),
            (
                "nonsense",
                &[(MANAGER, "\u{1b}[31m"), (ENVIRONMENT, "container=A B\0"), (MOUNTS, "x - y\n - \n")],
                None,
            ),
        ];
        for (name, files, expected) in cases {
            let (_folder, host) = recorded(files);
            assert_eq!(detect(&host).as_deref(), *expected, "{name}");
        }
    }

    #[test]
    fn the_first_namespace_ends_the_search() {
        let (folder, host) = recorded(&[(ENVIRONMENT, "container=lxc\0")]);
        std::fs::create_dir_all(folder.path().join("proc/self/ns")).unwrap();
        let link = folder.path().join(OWN_NAMESPACE);
        symlink("pid:[4026532201]", &link).unwrap();
        assert_eq!(detect(&host).as_deref(), Some("lxc"));
        std::fs::remove_file(&link).unwrap();
        symlink(FIRST_NAMESPACE, &link).unwrap();
        assert_eq!(detect(&host), None);
    }
}
