//! `cargo xtask package`: the agent as `.deb` and `.rpm` under target/package.
//!
//! What a package holds stands in [`CONTENT`]; how each format is written is in [`deb`] and [`rpm`]. It knows nothing
//! of how a service is installed: the maintainer scripts under deploy/package do that. Times inside are those of the
//! last commit, so that the same sources give the same bytes.

mod deb;
mod glibc;
mod rpm;

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, bail};

use crate::root;
use crate::steps::{cargo, output_of, shown, succeeds};

/// One file of the package.
struct File {
    /// Under the repository.
    from: &'static str,
    /// On the machine, without the first slash.
    to: &'static str,
    mode: u32,
    /// An operator may change it, and keeps the change at an upgrade.
    is_configuration: bool,
}

const PROGRAM: &str = "usr/bin/muster-agent";

/// All but the program itself.
const CONTENT: &[File] = &[
    plain("deploy/package/agent-setup", "usr/lib/muster/agent-setup", 0o755),
    plain("deploy/systemd/muster-agent.service", "usr/lib/systemd/system/muster-agent.service", 0o644),
    plain("deploy/sysusers.d/muster-agent.conf", "usr/lib/sysusers.d/muster-agent.conf", 0o644),
    plain("deploy/tmpfiles.d/muster-agent.conf", "usr/lib/tmpfiles.d/muster-agent.conf", 0o644),
    plain(
        "deploy/systemd/muster-agent.service.d/per-user.conf.example",
        "usr/share/doc/muster-agent/per-user.conf.example",
        0o644,
    ),
    plain("LICENSE", "usr/share/doc/muster-agent/copyright", 0o644),
    File {
        from: "deploy/config/agent.toml",
        to: "etc/muster/agent.toml",
        mode: 0o644,
        is_configuration: true,
    },
];

const fn plain(from: &'static str, to: &'static str, mode: u32) -> File {
    File { from, to, mode, is_configuration: false }
}

/// Options of the packages.
#[derive(clap::Args)]
pub(crate) struct Arguments {
    /// Pack the development build, which is there already, instead of a release build
    #[arg(long)]
    debug: bool,
    /// Build for machines with this version of glibc or newer, such as 2.17
    #[arg(long, value_name = "VERSION", conflicts_with = "debug")]
    glibc: Option<String>,
}

pub(crate) fn run(arguments: &Arguments) -> Result<()> {
    let program = match &arguments.glibc {
        Some(version) => glibc::build(version)?,
        None => build(arguments.debug)?,
    };
    let version = env!("CARGO_PKG_VERSION");
    println!("   {}", make_deb(&program, version)?.display());
    if !succeeds(Command::new("rpmbuild").arg("--version")) {
        println!("   skipped: no .rpm, rpmbuild is missing; run: sudo apt-get install rpm");
        return Ok(());
    }
    println!("   {}", make_rpm(&program, version)?.display());
    Ok(())
}

/// Builds the agent and says where it lies.
pub(crate) fn build(debug: bool) -> Result<PathBuf> {
    let (options, folder): (&[&str], _) = match debug {
        true => (&["build", "--package", "muster-agent"], "debug"),
        false => (&["build", "--release", "--package", "muster-agent"], "release"),
    };
    shown(&mut cargo(options))?;
    Ok(target().join(folder).join("muster-agent"))
}

/// Makes the `.deb` with this program inside.
pub(crate) fn make_deb(program: &Path, version: &str) -> Result<PathBuf> {
    deb::make(&Package::stage(program, version, "deb")?)
}

/// Makes the `.rpm` with this program inside.
pub(crate) fn make_rpm(program: &Path, version: &str) -> Result<PathBuf> {
    rpm::make(&Package::stage(program, version, "rpm")?)
}

/// The files as they will lie on the machine, and what both formats say about them.
struct Package {
    version: String,
    /// A fresh folder with the machine's tree.
    tree: PathBuf,
    /// The oldest glibc that has all symbols.
    glibc: String,
    /// Seconds since 1970, for every time inside.
    time: String,
}

impl Package {
    fn stage(program: &Path, version: &str, format: &str) -> Result<Self> {
        let tree = out().join(format).join("tree");
        if tree.exists() {
            fs::remove_dir_all(&tree).with_context(|| format!("cannot remove {}", tree.display()))?;
        }
        put(program, &tree.join(PROGRAM), 0o755)?;
        for file in CONTENT {
            put(&root().join(file.from), &tree.join(file.to), file.mode)?;
        }
        let glibc = glibc::oldest(program)?;
        let time = output_of(Command::new("git").args(["log", "-1", "--format=%ct"]).current_dir(root()))?;
        Ok(Self { version: version.to_owned(), tree, glibc, time: time.trim().to_owned() })
    }
}

/// Copies a file, making its folder.
fn put(from: &Path, to: &Path, mode: u32) -> Result<()> {
    let Some(folder) = to.parent() else { bail!("{} has no folder", to.display()) };
    fs::create_dir_all(folder).with_context(|| format!("cannot make {}", folder.display()))?;
    // The caller's umask must not show in a package.
    for above in folder.ancestors().take_while(|above| *above != out()) {
        fs::set_permissions(above, fs::Permissions::from_mode(0o755))?;
    }
    fs::copy(from, to).with_context(|| format!("cannot copy {} to {}", from.display(), to.display()))?;
    fs::set_permissions(to, fs::Permissions::from_mode(mode))?;
    Ok(())
}

/// Where cargo builds.
pub(crate) fn target() -> PathBuf {
    std::env::var_os("CARGO_TARGET_DIR").map_or_else(|| root().join("target"), PathBuf::from)
}

/// Where packages are made.
pub(crate) fn out() -> PathBuf {
    target().join("package")
}

/// A text of the repository.
fn script(name: &str) -> Result<String> {
    let path = root().join("deploy/package").join(name);
    fs::read_to_string(&path).with_context(|| format!("cannot read {}", path.display()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_unit_rates_below_two_and_systemd_finds_no_fault() {
        let unit = root().join("deploy/systemd/muster-agent.service");
        let mut command = Command::new("systemd-analyze");
        let Ok(output) = command.args(["security", "--offline=true"]).arg(&unit).output() else {
            println!("skipped: there is no systemd-analyze");
            return;
        };
        let text = String::from_utf8_lossy(&output.stdout);
        let Some(line) = text.lines().find(|line| line.contains("Overall exposure level")) else {
            println!("skipped: this systemd-analyze rates no unit that is not loaded");
            return;
        };
        let words = line.rsplit(": ").next().unwrap();
        let rating: f64 = words.split(' ').next().unwrap().parse().unwrap();
        assert!(rating < 2.0, "{line}");
    }

    #[test]
    fn a_deb_holds_all_that_is_listed() {
        if !succeeds(Command::new("dpkg-deb").arg("--version")) {
            println!("skipped: there is no dpkg-deb");
            return;
        }
        // This test is a program with symbols, as good as the agent for a look inside.
        let package = make_deb(&std::env::current_exe().unwrap(), "0.0.1~test").unwrap();
        let listed = output_of(Command::new("dpkg-deb").arg("--contents").arg(&package)).unwrap();
        for path in CONTENT.iter().map(|file| file.to).chain([PROGRAM]) {
            let line = listed.lines().find(|line| line.ends_with(&format!(" ./{path}")));
            assert!(line.is_some_and(|line| line.contains(" root/root ")), "{path}:\n{listed}");
        }
        let conffiles =
            output_of(Command::new("dpkg-deb").arg("--info").arg(&package).arg("conffiles")).unwrap();
        assert_eq!(conffiles, "/etc/muster/agent.toml\n");
        fs::remove_file(package).unwrap();
    }
}
