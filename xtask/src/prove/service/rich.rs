//! What the small Debian gets so that a sandbox has something to hide: people with homes, software of every kind of
//! place, and files that only root may read.
//!
//! Knows nothing of what the agent makes of it: the proof compares what the service sees with what root sees, and asks
//! that the sections listed in [`FILLED`] are not empty.

use std::fs;
use std::os::unix::fs::{PermissionsExt, chown};
use std::path::Path;

use anyhow::{Context, Result};

/// Sections in which root has to find something, so that agreeing on them means something.
pub(super) const FILLED: &[&str] = &[
    "accounts",
    "accounts.logins",
    "hardware",
    "os",
    "services",
    "services.listeners",
    "software.browser",
    "software.cargo",
    "software.container",
    "software.dpkg",
    "software.editor",
    "software.gem",
    "software.java",
    "software.npm",
    "software.opt",
    "software.python",
    "software.snap",
];

const ALICE: u32 = 1000;
const BOB: u32 = 1001;
const ROOT: u32 = 0;

/// Where, whose, and what; folders are made on the way, and below a home they belong to the same person.
const FILES: &[(&str, u32, &str)] = &[
    (
        "home/alice/.local/lib/python3.11/site-packages/requests-2.31.0.dist-info/METADATA",
        ALICE,
        "Metadata-Version: 2.1\nName: requests\nVersion: 2.31.0\nAuthor: Kenneth Reitz\n",
    ),
    ("home/alice/.local/lib/python3.11/site-packages/requests-2.31.0.dist-info/INSTALLER", ALICE, "pip\n"),
    (
        "home/alice/.nvm/versions/node/v20.1.0/lib/node_modules/typescript/package.json",
        ALICE,
        r#"{"name":"typescript","version":"5.4.5","author":"Microsoft Corp."}"#,
    ),
    (
        "home/alice/.vscode/extensions/extensions.json",
        ALICE,
        r#"[{"identifier":{"id":"ms-python.python"},"version":"2025.1.0","relativeLocation":"ms-python.python-2025.1.0"}]"#,
    ),
    ("home/alice/.mozilla/firefox/profiles.ini", ALICE, "[General]\nVersion=2\n"),
    (
        "home/alice/.mozilla/firefox/abc.default/extensions.json",
        ALICE,
        r#"{"schemaVersion":37,"addons":[{"id":"uBlock0@raymondhill.net","version":"1.60.0","type":"extension","active":true,"location":"app-profile","defaultLocale":{"name":"uBlock Origin"}}]}"#,
    ),
    (
        "home/bob/.cargo/.crates.toml",
        BOB,
        "[v1]\n\"ripgrep 14.1.0 (registry+https://github.com/rust-lang/crates.io-index)\" = [\"rg\"]\n",
    ),
    ("home/bob/.config/google-chrome/Local State", BOB, "{}"),
    (
        "home/bob/.config/google-chrome/Default/Extensions/cjpalhdlnbpafiamejdnhcphjbkeiagm/1.60.0_0/manifest.json",
        BOB,
        r#"{"manifest_version":3,"name":"uBlock Origin","version":"1.60.0"}"#,
    ),
    ("home/bob/.gem/ruby/3.1.0/specifications/rake-13.0.6.gemspec", BOB, "Gem::Specification.new\n"),
    (
        "root/.local/lib/python3.11/site-packages/httpie-3.2.2.dist-info/METADATA",
        ROOT,
        "Metadata-Version: 2.1\nName: httpie\nVersion: 3.2.2\n",
    ),
    (
        "usr/local/lib/python3.11/dist-packages/flask-3.0.0.dist-info/METADATA",
        ROOT,
        "Metadata-Version: 2.1\nName: Flask\nVersion: 3.0.0\n",
    ),
    ("usr/local/lib/node_modules/npm/package.json", ROOT, r#"{"name":"npm","version":"10.8.2"}"#),
    ("usr/lib/modules/6.1.0-18-amd64/modules.dep", ROOT, ""),
    ("usr/lib/modules/6.1.0-21-amd64/modules.dep", ROOT, ""),
    (
        "usr/lib/jvm/temurin-17-jdk-amd64/release",
        ROOT,
        "IMPLEMENTOR=\"Eclipse Adoptium\"\nJAVA_RUNTIME_VERSION=\"17.0.9+9\"\nJAVA_VERSION=\"17.0.9\"\nOS_ARCH=\"x86_64\"\n",
    ),
    ("usr/lib/jvm/temurin-17-jdk-amd64/bin/javac", ROOT, ""),
    ("opt/apache-tomcat-9.0.85/bin/catalina.sh", ROOT, ""),
    // A folder that root alone may enter.
    ("opt/closed/server-2.1/VERSION", ROOT, "2.1.7\n"),
    (
        "var/lib/snapd/state.json",
        ROOT,
        r#"{"data":{"snaps":{"core22":{"type":"base","active":true,"current":"1380","channel":"latest/stable","sequence":[{"name":"core22","snap-id":"amcUKQILKXHHTlmSa7NMdnXSx02dNeeT","revision":"1380"}]}}}}"#,
    ),
    ("var/lib/snapd/snaps/core22_1380.snap", ROOT, "image"),
    ("snap/core22/1380/meta/snap.yaml", ROOT, "name: core22\nversion: '20240416'\narchitectures:\n- amd64\n"),
    (
        "var/lib/docker/image/overlay2/repositories.json",
        ROOT,
        r#"{"Repositories":{"nginx":{"nginx:1.25":"sha256:1111111111111111111111111111111111111111111111111111111111111111"}}}"#,
    ),
    (
        "var/lib/docker/image/overlay2/imagedb/content/sha256/1111111111111111111111111111111111111111111111111111111111111111",
        ROOT,
        r#"{"architecture":"amd64","os":"linux","created":"2024-01-02T03:04:05Z","rootfs":{"type":"layers","diff_ids":[]}}"#,
    ),
];

/// Folders that nobody but their owner may enter, whatever the files in them allow.
const CLOSED: &[&str] = &["home/alice", "home/bob", "root", "opt/closed", "var/lib/docker", "var/lib/snapd"];

const ACCOUNTS: &[(&str, &str)] = &[
    (
        "etc/passwd",
        "alice:x:1000:1000:Alice:/home/alice:/bin/bash\nbob:x:1001:1001:Bob:/home/bob:/bin/bash\n",
    ),
    ("etc/group", "alice:x:1000:\nbob:x:1001:\n"),
    ("etc/shadow", "alice:*:19700:0:99999:7:::\nbob:*:19700:0:99999:7:::\n"),
];

/// A `struct lastlog`: seconds in four bytes, then terminal and host.
const LASTLOG_RECORD: usize = 292;

/// Puts all of it into the machine.
pub(super) fn fill(root: &Path) -> Result<()> {
    for (path, owner, content) in FILES {
        write(root, path, *owner, content.as_bytes())?;
    }
    for (path, lines) in ACCOUNTS {
        let path = root.join(path);
        let text = fs::read_to_string(&path).with_context(|| format!("cannot read {}", path.display()))?;
        fs::write(&path, text + lines).with_context(|| format!("cannot write {}", path.display()))?;
    }
    let mut lastlog = vec![0; LASTLOG_RECORD * 1002];
    for (user, seconds) in [(ALICE, 1_790_000_000_u32), (BOB, 1_790_086_400)] {
        let at = LASTLOG_RECORD * user as usize;
        lastlog[at..at + 4].copy_from_slice(&seconds.to_le_bytes());
        lastlog[at + 4..at + 9].copy_from_slice(b"pts/0");
        lastlog[at + 36..at + 48].copy_from_slice(b"198.51.100.7");
    }
    write(root, "var/log/lastlog", ROOT, &lastlog)?;
    for folder in CLOSED {
        let path = root.join(folder);
        fs::set_permissions(&path, fs::Permissions::from_mode(0o700))
            .with_context(|| format!("cannot close {}", path.display()))?;
    }
    Ok(())
}

fn write(root: &Path, path: &str, owner: u32, content: &[u8]) -> Result<()> {
    let to = root.join(path);
    let folder = to.parent().unwrap_or(root);
    fs::create_dir_all(folder).with_context(|| format!("cannot make {}", folder.display()))?;
    fs::write(&to, content).with_context(|| format!("cannot write {}", to.display()))?;
    fs::set_permissions(&to, fs::Permissions::from_mode(0o600))?;
    if owner != ROOT {
        let home = root.join("home");
        for part in to.ancestors().take_while(|part| *part != home) {
            chown(part, Some(owner), Some(owner))
                .with_context(|| format!("cannot give {}", part.display()))?;
        }
    }
    Ok(())
}
