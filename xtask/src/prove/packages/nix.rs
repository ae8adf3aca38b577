//! Nix: a store of its own in a sandbox, with packages in the default profile and in one user's.

use std::fs;
use std::path::Path;
use std::process::Command;

use anyhow::Result;
use serde_json::Value;

use super::{Made, Manager, lines, text};
use crate::steps::output_of;

pub(super) const MANAGER: Manager = Manager {
    section: "software.nix",
    tools: &[["nix-env", "--version"], ["bwrap", "--version"]],
    make,
    line,
};

/// The store must lie at `/nix`, and this machine's own is none of ours.
const SCRIPT: &str = "
set -e
export HOME=/home/ann NIX_CONFIG='sandbox = false
build-users-group =
experimental-features = nix-command'
for package in hello-2.12.1 git-with-svn-2.43.1 a-unstable-2024-01-01; do
  nix-env --quiet -p /nix/var/nix/profiles/default -i $(nix-store --add /source/$package)
done
nix profile install --profile $HOME/.local/state/nix/profiles/profile $(nix-store --add /source/openssl-3.0.13)
nix-env -p /nix/var/nix/profiles/default -q --out-path
";
const PACKAGES: [&str; 4] =
    ["hello-2.12.1", "git-with-svn-2.43.1", "a-unstable-2024-01-01", "openssl-3.0.13"];

fn make(folder: &Path) -> Result<Made> {
    let root = folder.join("root");
    for package in PACKAGES {
        let programs = root.join("source").join(package).join("bin");
        fs::create_dir_all(&programs)?;
        fs::write(programs.join(package), package)?;
    }
    for place in ["nix", "etc", "home/ann/.local/state/nix/profiles"] {
        fs::create_dir_all(root.join(place))?;
    }
    fs::write(root.join("etc/passwd"), "root:x:0:0::/root:/bin/sh\nann:x:1000:1000::/home/ann:/bin/sh\n")?;
    let mut sandbox = Command::new("bwrap");
    sandbox.arg("--bind").arg(&root).args([
        "/",
        "--ro-bind",
        "/usr",
        "/usr",
        "--proc",
        "/proc",
        "--dev",
        "/dev",
    ]);
    sandbox.args(["--tmpfs", "/tmp"]);
    for folder in ["lib", "lib64", "bin"] {
        sandbox.args(["--symlink", &format!("usr/{folder}"), &format!("/{folder}")]);
    }
    let listed = output_of(sandbox.args(["sh", "-c", SCRIPT]))?;
    // `nix-env` prints the whole name and the path; `nix profile list` prints the path alone, so its one package is known.
    let mut listing: String = listed
        .lines()
        .filter_map(|line| line.split_whitespace().collect::<Vec<_>>().try_into().ok())
        .map(|[name, path]: [&str; 2]| format!("{name} {path}\n"))
        .collect();
    listing.push_str("openssl-3.0.13 ann");
    Ok(Made { listing: lines(&listing), at_least: PACKAGES.len() })
}

fn line(item: &Value) -> Option<String> {
    let name = format!("{}-{}", text(item, "/package/name"), text(item, "/package/version"));
    let user = text(item, "/installation/user");
    Some(format!("{name} {}", if user.is_empty() { text(item, "/installation/path") } else { user }))
}
