//! `cargo xtask package`: agent, collector and command line as `.deb` and `.rpm` under target/package.
//!
//! What each package holds stands in [`content`]; how each format is written is in [`deb`] and [`rpm`]. It knows
//! nothing of how a service is installed: the maintainer scripts under deploy/package do that. Times inside are those
//! of the last commit, so that the same sources give the same bytes.

mod content;
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

pub(crate) use content::{AGENT, CONTENTS, Content};
pub(crate) use glibc::build as build_for_glibc;

/// Options of the packages.
#[derive(clap::Args)]
pub(crate) struct Arguments {
    /// Pack development builds, which are made sooner
    #[arg(long)]
    debug: bool,
    /// Build for machines with this version of glibc or newer, such as 2.17
    #[arg(long, value_name = "VERSION")]
    glibc: Option<String>,
    /// Only the package of this name: muster-agent, muster-collector or muster
    #[arg(long, value_name = "NAME")]
    only: Option<String>,
}

pub(crate) fn run(arguments: &Arguments) -> Result<()> {
    let Arguments { debug, glibc, only } = arguments;
    let wanted: Vec<&Content> = CONTENTS
        .iter()
        .copied()
        .filter(|content| only.as_ref().is_none_or(|name| name == content.name))
        .collect();
    if wanted.is_empty() {
        let names: Vec<&str> = CONTENTS.iter().map(|content| content.name).collect();
        bail!("there is no such package; there are: {}", names.join(", "));
    }
    let has_rpmbuild = succeeds(Command::new("rpmbuild").arg("--version"));
    for content in wanted {
        let program = match glibc {
            Some(version) => build_for_glibc(content, version, *debug)?,
            None => build(content, *debug)?,
        };
        let version = env!("CARGO_PKG_VERSION");
        println!("   {}", make_deb(content, &program, version)?.display());
        if has_rpmbuild {
            println!("   {}", make_rpm(content, &program, version)?.display());
        }
    }
    if !has_rpmbuild {
        println!("   skipped: no .rpm, rpmbuild is missing; run: sudo apt-get install rpm");
    }
    Ok(())
}

/// Builds a package's program and says where it lies.
pub(crate) fn build(content: &Content, debug: bool) -> Result<PathBuf> {
    let (options, folder) = content.build(debug);
    shown(cargo(&["build"]).args(options))?;
    Ok(target().join(folder).join(content.name))
}

/// Makes the `.deb` with this program inside.
pub(crate) fn make_deb(content: &'static Content, program: &Path, version: &str) -> Result<PathBuf> {
    deb::make(&Package::stage(content, program, version, "deb")?)
}

/// Makes the `.rpm` with this program inside.
pub(crate) fn make_rpm(content: &'static Content, program: &Path, version: &str) -> Result<PathBuf> {
    rpm::make(&Package::stage(content, program, version, "rpm")?)
}

/// The files as they will lie on the machine, and what both formats say about them.
struct Package {
    content: &'static Content,
    version: String,
    /// A fresh folder with the machine's tree.
    tree: PathBuf,
    /// The oldest glibc that has all symbols.
    glibc: String,
    /// Whether the program wants the compiler's own library beside.
    libgcc: bool,
    /// Seconds since 1970, for every time inside.
    time: String,
}

impl Package {
    fn stage(content: &'static Content, program: &Path, version: &str, format: &str) -> Result<Self> {
        let tree = out().join(format).join(content.name);
        if tree.exists() {
            fs::remove_dir_all(&tree).with_context(|| format!("cannot remove {}", tree.display()))?;
        }
        put(program, &tree.join(content.program()), 0o755)?;
        for file in content.files {
            put(&root().join(file.from), &tree.join(file.to), file.mode)?;
        }
        let time = output_of(Command::new("git").args(["log", "-1", "--format=%ct"]).current_dir(root()))?;
        Ok(Self {
            content,
            version: version.to_owned(),
            tree,
            glibc: glibc::oldest(program)?,
            libgcc: glibc::libraries(program)?.iter().any(|name| name.starts_with("libgcc_s.")),
            time: time.trim().to_owned(),
        })
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

/// A text of deploy/package, where there is one of this name.
fn script(name: &str) -> Result<Option<String>> {
    let path = root().join("deploy/package").join(name);
    match fs::read_to_string(&path) {
        Ok(text) => Ok(Some(text)),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error).with_context(|| format!("cannot read {}", path.display())),
    }
}

/// What the package is, as deploy/package says: a line, and a paragraph whose lines begin with a space.
fn description(content: &Content) -> Result<String> {
    let name = format!("{}.description", content.short);
    script(&name)?.with_context(|| format!("deploy/package has no {name}"))
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

    /// A small program that every Linux has is as good as ours for a look inside.
    fn made(make: fn(&'static Content, &Path, &str) -> Result<PathBuf>) -> Vec<(&'static Content, PathBuf)> {
        let program = Path::new("/bin/sh");
        CONTENTS.iter().map(|content| (*content, make(content, program, "0.0.1~test").unwrap())).collect()
    }

    #[test]
    fn a_deb_holds_all_that_is_listed() {
        if !succeeds(Command::new("dpkg-deb").arg("--version")) {
            println!("skipped: there is no dpkg-deb");
            return;
        }
        for (content, package) in made(make_deb) {
            let listed = output_of(Command::new("dpkg-deb").arg("--contents").arg(&package)).unwrap();
            let paths = content.files.iter().map(|file| file.to.to_owned());
            for path in paths.chain([content.program()]) {
                let line = listed.lines().find(|line| line.ends_with(&format!(" ./{path}")));
                assert!(line.is_some_and(|line| line.contains(" root/root ")), "{path}:\n{listed}");
            }
            let field =
                |name: &str| output_of(Command::new("dpkg-deb").arg("--info").arg(&package).arg(name));
            if content.name == "muster-agent" {
                assert_eq!(field("conffiles").unwrap(), "/etc/muster/agent.toml\n");
                assert!(field("postinst").unwrap().contains("agent-setup"));
            }
            fs::remove_file(package).unwrap();
        }
    }

    #[test]
    fn an_rpm_holds_all_that_is_listed_and_asks_for_what_the_program_needs() {
        if !succeeds(Command::new("rpmbuild").arg("--version")) {
            println!("skipped: there is no rpmbuild");
            return;
        }
        for (content, package) in made(make_rpm) {
            let asked =
                |what: &str| output_of(Command::new("rpm").args(["-qp", what]).arg(&package)).unwrap();
            let listed = asked("--list");
            let paths = content.files.iter().map(|file| file.to.to_owned());
            for path in paths.chain([content.program()]) {
                assert!(listed.lines().any(|line| line == format!("/{path}")), "{path}:\n{listed}");
            }
            assert!(asked("--requires").contains("libc.so.6(GLIBC_2."), "{}", asked("--requires"));
            assert_eq!(asked("--scripts").contains("-setup"), content.makes_user, "{}", content.name);
            if content.name == "muster-agent" {
                assert_eq!(asked("--configfiles"), "/etc/muster/agent.toml\n");
            }
            fs::remove_file(package).unwrap();
        }
    }
}
