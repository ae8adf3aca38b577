//! What a process's control group tells: the snap, flatpak, desktop application or unit that it belongs to, and whether
//! it runs in a container.
//!
//! Pure. Knows the names that systemd, desktops and container runtimes give to groups. Whoever may start a unit may give
//! it any name, so nothing is believed that isn't installed.

/// What it tells.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Group {
    /// It says nothing.
    Unknown,
    /// What runs in it has a root of its own and is no program of this machine.
    Container,
    /// A snap, by its name.
    Snap(String),
    /// A flatpak, by its application id.
    Flatpak(String),
    /// An application of a desktop, by the name of its `.desktop` file without the ending.
    Desktop(String),
    /// A service of the system or of a user's.
    Service(String),
}

/// The longest name that is taken.
const NAME_LIMIT: usize = 255;

/// Reads `/proc/PID/cgroup`: a hierarchy in each line, its path behind the second colon.
pub(crate) fn group(bytes: &[u8]) -> Group {
    let text = String::from_utf8_lossy(bytes);
    let paths = || {
        text.lines().filter_map(|line| {
            let mut parts = line.splitn(3, ':');
            Some((parts.next()?, parts.next()?, parts.next()?))
        })
    };
    if paths().any(|(_, _, path)| path.split('/').any(is_container)) {
        return Group::Container;
    }
    // systemd's own hierarchy where there are several, the only one where there is one.
    let told = |path: &str| path.split('/').rev().find_map(of_segment);
    let (own, single) = (
        paths().find(|(_, name, _)| *name == "name=systemd"),
        paths().find(|(number, name, _)| *number == "0" && name.is_empty()),
    );
    [single, own].into_iter().flatten().find_map(|(_, _, path)| told(path)).unwrap_or(Group::Unknown)
}

/// Whether a group of this name holds a container.
fn is_container(segment: &str) -> bool {
    const SCOPES: [&str; 6] = ["docker-", "libpod-", "cri-containerd-", "crio-", "nerdctl-", "podman-"];
    const FOLDERS: [&str; 4] = ["kubepods", "lxc.payload", "libpod_parent", "garden"];
    let is_scope = segment.ends_with(".scope") && SCOPES.iter().any(|start| segment.starts_with(start));
    // A virtual machine's process is a program of this machine.
    let is_machine = segment.starts_with("machine-")
        && segment.ends_with(".scope")
        && !segment.starts_with("machine-qemu");
    is_scope
        || is_machine
        || matches!(segment, "docker" | "lxc")
        || FOLDERS.iter().any(|start| segment.starts_with(start))
}

fn of_segment(segment: &str) -> Option<Group> {
    if segment.len() > NAME_LIMIT {
        return None;
    }
    let (stem, kind) = segment.rsplit_once('.')?;
    if let Some(rest) = stem.strip_prefix("snap.") {
        let name = rest.split('.').next().filter(|name| is_plain(name))?;
        return Some(Group::Snap(name.to_owned()));
    }
    if let Some(rest) = stem.strip_prefix("app-") {
        let (launcher, id) = application(rest, kind)?;
        return Some(if launcher == "flatpak" { Group::Flatpak(id) } else { Group::Desktop(id) });
    }
    (kind == "service" && is_plain(segment)).then(|| Group::Service(segment.to_owned()))
}

/// Launcher and application of `[LAUNCHER-]ID-RANDOM` for scopes and slices, `[LAUNCHER-]ID[@RANDOM]` for services;
/// hyphens inside a part are escaped.
fn application(rest: &str, kind: &str) -> Option<(String, String)> {
    let parts = match kind {
        "scope" => rest.rsplit_once('-')?.0,
        "slice" => rest,
        "service" => rest.split('@').next()?,
        _ => return None,
    };
    let (launcher, id) = parts.rsplit_once('-').unwrap_or(("", parts));
    let id = unescaped(id)?;
    is_plain(&id).then(|| (launcher.to_owned(), id))
}

/// Undoes `systemd-escape`: `\x2d` is a hyphen.
fn unescaped(text: &str) -> Option<String> {
    let mut plain = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(at) = rest.find("\\x") {
        plain.push_str(rest.get(..at)?);
        let code = u8::from_str_radix(rest.get(at + 2..at + 4)?, 16).ok()?;
        plain.push(char::from(code));
        rest = rest.get(at + 4..)?;
    }
    plain.push_str(rest);
    Some(plain)
}

/// A name that can stand in a path without leading elsewhere.
fn is_plain(name: &str) -> bool {
    let allowed = |byte: u8| {
        byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'-' | b'_' | b'@' | b':' | b'+' | b'\\')
    };
    !name.is_empty() && !name.starts_with('.') && name.bytes().all(allowed)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(path: &str, expected: Group) {
        assert_eq!(group(format!("0::{path}\n").as_bytes()), expected, "{path}");
        let old = format!("4:memory:/user.slice\n1:name=systemd:{path}\n0::/\n");
        assert_eq!(group(old.as_bytes()), expected, "{old}");
    }

    #[test]
    fn groups_tell_what_runs_in_them() {
        let user = "/user.slice/user-1000.slice/user@1000.service/app.slice";
        let desktop = |id: &str| Group::Desktop(id.to_owned());
        check(&format!("{user}/app-gnome-firefox-4242.scope"), desktop("firefox"));
        check(&format!("{user}/app-gnome-libreoffice\\x2dwriter-4242.scope"), desktop("libreoffice-writer"));
        check(&format!("{user}/app-org.kde.konsole-8f2a.scope/tab(1).scope"), desktop("org.kde.konsole"));
        check(
            &format!("{user}/app-org.gnome.Terminal.slice/vte-spawn-1.scope"),
            desktop("org.gnome.Terminal"),
        );
        check(&format!("{user}/app-org.telegram@autostart.service"), desktop("org.telegram"));
        check(
            &format!("{user}/app-flatpak-org.gimp.GIMP-77.scope"),
            Group::Flatpak("org.gimp.GIMP".to_owned()),
        );
        check(&format!("{user}/snap.firefox.firefox-1234.scope"), Group::Snap("firefox".to_owned()));
        check("/system.slice/snap.lxd.daemon.service", Group::Snap("lxd".to_owned()));
        check("/system.slice/ssh.service", Group::Service("ssh.service".to_owned()));
        let instance = "/system.slice/system-postgresql.slice/postgresql@15-main.service";
        check(instance, Group::Service("postgresql@15-main.service".to_owned()));
        check("/user.slice/user-1000.slice/session-3.scope", Group::Unknown);
        check("/init.scope", Group::Unknown);
        check("/", Group::Unknown);
    }

    #[test]
    fn containers_are_told_apart_from_their_runtimes() {
        let id = "0123456789abcdef";
        for path in [
            format!("/system.slice/docker-{id}.scope"),
            format!("/docker/{id}"),
            format!("/machine.slice/libpod-{id}.scope/container"),
            format!("/kubepods.slice/kubepods-burstable.slice/cri-containerd-{id}.scope"),
            "/lxc.payload.web/system.slice/nginx.service".to_owned(),
            "/machine.slice/machine-web.scope".to_owned(),
        ] {
            check(&path, Group::Container);
        }
        check("/system.slice/docker.service", Group::Service("docker.service".to_owned()));
        check("/machine.slice/machine-qemu\\x2d1.scope", Group::Unknown);
    }

    #[test]
    fn names_lead_nowhere() {
        for path in [
            "/app-gnome-..-1.scope",
            "/app-a\\x2f\\x2e\\x2e-1.scope",
            "/snap...scope",
            "/app-a\\xzz-1.scope",
            "/app-.scope",
            "/a b.service",
        ] {
            check(path, Group::Unknown);
        }
        assert_eq!(group(b""), Group::Unknown);
        assert_eq!(group(b"\xff\xfe:::\n::\n"), Group::Unknown);
    }
}
