//! The parsers of machine data behind one door, for fuzzing: random bytes stand where a machine's own would.
//!
//! Knows which source reads what and nothing of how. A target runs whole sources over a machine in memory, so that what
//! it finds is what a hostile machine could do. Nothing of the product uses this.
//!
//! To add one: a line in [`TARGETS`], a file in `fuzz/targets`, its section in `fuzz/Cargo.toml` and a seed in a folder
//! of its name in `fuzz/seeds`; a test holds the four together.

mod container;
mod machine;
mod target;

use container::{http, ndb, smbios_entry};
pub use target::Target;

/// Feeds bytes to the target of this name; whether there is one.
pub fn feed(name: &str, bytes: &[u8]) -> bool {
    let target = TARGETS.iter().find(|target| target.name == name);
    target.map(|target| target.feed(bytes)).is_some()
}

const ORACLE_POINTER: (&str, &str) = ("etc/oraInst.loc", "inventory_loc=/u01/inventory\n");
const ORACLE_HOMES: (&str, &str) = (
    "u01/inventory/ContentsXML/inventory.xml",
    "<INVENTORY><HOME_LIST><HOME NAME=\"a\" LOC=\"/u01/home\" TYPE=\"O\" IDX=\"1\"/></HOME_LIST></INVENTORY>",
);
const ORACLE_COMPONENTS: (&str, &str) = (
    "u01/home/inventory/ContentsXML/comps.xml",
    "<PRD_LIST><TL_LIST><COMP NAME=\"a\" VER=\"1\"/></TL_LIST></PRD_LIST>",
);
const SYS_VENDOR: &str = "sys/class/dmi/id/sys_vendor";
const SMBIOS_SOURCES: &[&str] = &["product", "processor", "memory", "battery", "tpm"];

const BASH: &str = "7 (bash) S 1 7 7 0 -1 4194560 1 2 3 4 5 6 7 8 20 0 1 0 8231 225280 100 1844";

/// All targets.
pub const TARGETS: &[Target] = &[
    // The bytes as the table alone; the entry point is another target.
    Target::of("smbios", SMBIOS_SOURCES, &["sys/firmware/dmi/tables/DMI"], &[]),
    Target {
        container: smbios_entry,
        ..Target::of(
            "smbios-entry",
            SMBIOS_SOURCES,
            &["sys/firmware/dmi/tables/smbios_entry_point"],
            &[(
                "sys/firmware/dmi/tables/DMI",
                "\u{1}\u{4}\u{1}\u{0}\u{0}\u{0}\u{7f}\u{4}\u{2}\u{0}\u{0}\u{0}",
            )],
        )
    },
    Target::of("edid", &["monitor"], &["sys/class/drm/card0-DP-1/edid"], &[]),
    Target::of(
        "uevent",
        &["pci", "usb"],
        &[
            "sys/bus/pci/devices/0000:00:02.0/uevent",
            "sys/bus/usb/devices/1-4/uevent",
            "sys/bus/usb/devices/1-4:1.0/uevent",
            "sys/bus/usb/devices/{name}/uevent",
        ],
        &[],
    ),
    Target { container: ndb, ..Target::of("rpm-header", &["rpm"], &["var/lib/rpm/Packages.db"], &[]) },
    Target::of("rpm-sqlite", &["rpm"], &["var/lib/rpm/rpmdb.sqlite"], &[]),
    Target::of("rpm-ndb", &["rpm"], &["var/lib/rpm/Packages.db"], &[]),
    Target::of("rpm-bdb", &["rpm"], &["var/lib/rpm/Packages"], &[]),
    Target::of("dpkg", &["dpkg"], &["var/lib/dpkg/status", "var/lib/dpkg/status.d/a"], &[]),
    Target::of("apk", &["apk"], &["lib/apk/db/installed", "etc/apk/world"], &[]),
    Target::of("pacman", &["pacman"], &["var/lib/pacman/local/a-1-1/desc", "etc/pacman.conf"], &[]),
    Target::of("portage", &["portage"], &["var/db/pkg/dev-libs/{name}/SIZE", "var/db/pkg/a/b-1/SIZE"], &[]),
    Target::of(
        "nix",
        &["nix", "nix-user"],
        &[
            "nix/var/nix/profiles/default/manifest.nix",
            "home/anna/.local/state/nix/profiles/profile/manifest.json",
        ],
        &[("nix/store/a/b", "")],
    ),
    Target::of(
        "snap-state",
        &["snap"],
        &["var/lib/snapd/state.json"],
        &[("var/lib/snapd/snaps/core22_1380.snap", "x")],
    ),
    Target::of(
        "snap-yaml",
        &["snap"],
        &["snap/a/1/meta/snap.yaml"],
        &[
            (
                "var/lib/snapd/state.json",
                "{\"data\":{\"snaps\":{\"a\":{\"active\":true,\"current\":\"1\",\
            \"sequence\":[{\"name\":\"a\",\"snap-id\":\"x\",\"revision\":\"1\"}]}}}}",
            ),
            ("var/lib/snapd/snaps/a_1.snap", "x"),
        ],
    ),
    Target::of(
        "flatpak",
        &["flatpak", "flatpak-user"],
        &[
            "var/lib/flatpak/app/org.example.Hello/x86_64/stable/active/deploy",
            "home/anna/.local/share/flatpak/runtime/org.example.Hello/x86_64/1/active/deploy",
        ],
        &[],
    ),
    Target::of(
        "appimage",
        &["appimage", "appimage-user"],
        &["opt/a-1.AppImage", "home/anna/Applications/{name}"],
        &[],
    ),
    Target::of("editor", &["editor"], &["home/anna/.vscode/extensions/extensions.json"], &[]),
    Target::of(
        "browser",
        &["chromium"],
        &[
            "home/anna/.config/chromium/Default/Preferences",
            "home/anna/.config/chromium/Default/Secure Preferences",
            "home/anna/.config/chromium/Default/Extensions/cjpalhdlnbpafiamejdnhcphjbkeiagm/1_0/manifest.json",
            "home/anna/.config/chromium/Default/Extensions/cjpalhdlnbpafiamejdnhcphjbkeiagm/1_0/_locales/en/messages.json",
        ],
        &[("home/anna/.config/chromium/Local State", "{}")],
    ),
    Target::of("firefox", &["firefox"], &["home/anna/.mozilla/firefox/a.b/extensions.json"], &[]),
    Target::of(
        "browser-policy",
        &["browser-system"],
        &[
            "usr/share/chromium/extensions/cjpalhdlnbpafiamejdnhcphjbkeiagm.json",
            "etc/opt/chrome/policies/managed/a.json",
            "etc/firefox/policies/policies.json",
        ],
        &[],
    ),
    Target::of("bolt", &["containerd"], &["var/lib/containerd/io.containerd.metadata.v1.bolt/meta.db"], &[]),
    Target::of(
        "container",
        &["docker", "podman"],
        &[
            "var/lib/docker/image/overlay2/repositories.json",
            "var/lib/docker/image/overlay2/imagedb/content/sha256/aa",
            "etc/docker/daemon.json",
            "var/lib/containers/storage/overlay-images/images.json",
        ],
        &[],
    ),
    Target::of(
        "oracle",
        &["oracle"],
        &["u01/inventory/ContentsXML/inventory.xml"],
        &[ORACLE_POINTER, ORACLE_COMPONENTS],
    ),
    Target::of(
        "oracle-home",
        &["oracle"],
        &[
            "u01/home/inventory/ContentsXML/comps.xml",
            "u01/home/inventory/globalvariables/oracle.server/globalvariables.xml",
        ],
        &[ORACLE_POINTER, ORACLE_HOMES],
    ),
    Target::of("swid", &["swid"], &["usr/share/swidtag/example.com/a.swidtag"], &[]),
    Target::of(
        "opt",
        &["opt"],
        &[
            "opt/a/product-info.json",
            "opt/b/.eclipseproduct",
            "opt/c/VERSION",
            "opt/{name}/bin/a",
            "usr/local/MATLAB/a/VersionInfo.xml",
            "var/ibm/InstallationManager/installed.xml",
        ],
        &[],
    ),
    Target::of("java", &["java"], &["usr/lib/jvm/a/release"], &[]),
    Target::of(
        "python",
        &["python"],
        &[
            "usr/local/lib/python3.11/dist-packages/a-1.dist-info/METADATA",
            "usr/local/lib/python3.11/dist-packages/b.egg-info/PKG-INFO",
            "usr/local/lib/python3.11/dist-packages/{name}/METADATA",
        ],
        &[],
    ),
    Target::of("npm", &["npm"], &["usr/local/lib/node_modules/a/package.json"], &[]),
    Target::of(
        "gem",
        &["gem"],
        &["var/lib/gems/3.1.0/specifications/a-1.gemspec", "var/lib/gems/3.1.0/specifications/{name}"],
        &[],
    ),
    Target::of("cargo", &["cargo"], &["root/.cargo/.crates.toml"], &[]),
    Target::of(
        "cargo-json",
        &["cargo"],
        &["root/.cargo/.crates2.json"],
        &[("root/.cargo/.crates.toml", "[v1")],
    ),
    Target::of("homebrew", &["homebrew"], &["usr/local/Cellar/a/1/INSTALL_RECEIPT.json"], &[]),
    Target::of(
        "conda",
        &["conda", "conda-people"],
        &[
            "opt/miniforge3/conda-meta/a-1-0.json",
            "opt/miniforge3/conda-meta/{name}",
            "home/anna/.conda/environments.txt",
        ],
        &[],
    ),
    Target { container: http, ..Target::of("cloud-aws", &["cloud"], &[], &[(SYS_VENDOR, "Amazon EC2")]) },
    Target {
        container: http,
        ..Target::of(
            "cloud-azure",
            &["cloud"],
            &[],
            &[
                (SYS_VENDOR, "Microsoft Corporation"),
                ("sys/class/dmi/id/chassis_asset_tag", "7783-7084-3265-9085-8269-3286-77"),
            ],
        )
    },
    Target::of(
        "cloud-gcp",
        &["cloud"],
        &[],
        &[(SYS_VENDOR, "Google"), ("sys/class/dmi/id/product_name", "Google Compute Engine")],
    ),
    Target::of("certificate", &["certificates"], &["etc/nginx/a.pem", "etc/nginx/b.der"], &[]),
    Target::of("lastlog2", &["logins"], &["var/lib/lastlog/lastlog2.db"], &[]),
    Target::of("wtmp", &["logins"], &["var/log/wtmp"], &[]),
    Target::of("wtmpdb", &["logins"], &["var/lib/wtmpdb/wtmp.db"], &[]),
    Target {
        processes: true,
        ..Target::of(
            "processes",
            &[],
            &["proc/7/stat", "proc/8/cgroup"],
            &[
                ("proc/7/cgroup", "0::/app.slice/app-gnome-a-1.scope"),
                ("proc/8/stat", BASH),
                ("usr/share/applications/a.desktop", ""),
                ("var/lib/flatpak/app/a/x", ""),
                ("snap/a/current/x", ""),
            ],
        )
    },
    Target {
        processes: true,
        ..Target::of(
            "program-files",
            &[],
            &[
                "var/lib/dpkg/info/{name}",
                "var/lib/dpkg/info/bash.list",
                "lib/apk/db/installed",
                "var/lib/pacman/local/bash-1-1/files",
            ],
            &[("proc/7/stat", BASH), ("usr/lib/bash", ""), ("opt/bash/bin/bash", "")],
        )
    },
    Target {
        processes: true,
        container: ndb,
        ..Target::of(
            "rpm-files",
            &[],
            &["var/lib/rpm/Packages.db"],
            &[("proc/7/stat", BASH), ("usr/bin/bash", "")],
        )
    },
    Target::of(
        "system",
        &["release", "accounts", "volumes", "units", "security"],
        &[
            "etc/os-release",
            "etc/passwd",
            "etc/group",
            "etc/shadow",
            "proc/self/mountinfo",
            "proc/swaps",
            "etc/locale.conf",
            "etc/ufw/ufw.conf",
            "etc/apt/apt.conf.d/20auto-upgrades",
            "usr/lib/systemd/system/a.service",
        ],
        &[],
    ),
    // Whole machines, for what the bytes of one file don't reach: the walking of folders, what is asked of several files
    // at once, and what may not be read.
    Target::whole(
        "whole-system",
        &[
            "product",
            "processor",
            "memory",
            "battery",
            "tpm",
            "monitor",
            "pci",
            "usb",
            "disk",
            "adapter",
            "release",
            "volumes",
            "security",
            "protection",
            "accounts",
            "units",
        ],
    ),
    Target::whole(
        "whole-packages",
        &[
            "dpkg",
            "rpm",
            "apk",
            "pacman",
            "portage",
            "nix",
            "nix-user",
            "snap",
            "flatpak",
            "flatpak-user",
            "appimage",
            "appimage-user",
        ],
    ),
    Target::whole(
        "whole-extras",
        &[
            "editor",
            "chromium",
            "firefox",
            "browser-system",
            "podman",
            "podman-user",
            "docker",
            "oracle",
            "opt",
            "swid",
            "java",
            "python",
            "python-people",
            "npm",
            "npm-people",
            "gem",
            "gem-people",
            "cargo",
            "cargo-people",
            "homebrew",
            "homebrew-people",
            "conda",
            "conda-people",
        ],
    ),
    Target::whole("whole-secrets", &["cloud", "logins", "certificates", "containerd"]),
    Target { processes: true, ..Target::whole("whole-programs", &["listeners"]) },
];

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sources::SOURCES;

    #[test]
    fn every_target_has_sources_and_a_name_of_its_own() {
        let mut names: Vec<&str> = TARGETS.iter().map(|target| target.name).collect();
        names.sort_unstable();
        names.dedup();
        assert_eq!(names.len(), TARGETS.len());
        for target in TARGETS {
            for name in target.sources {
                assert!(SOURCES.iter().any(|source| source.name() == *name), "{}: {name}", target.name);
            }
        }
        assert!(feed("edid", b"x") && !feed("wishes", b"x"));
    }
}
