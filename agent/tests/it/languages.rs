//! Packages of languages: what each language's own tool installs and lists is what is found.
//!
//! Everything is built and installed here from sources of a few lines, so that no test needs a network.

use std::{
    collections::BTreeSet,
    fs,
    path::{Path, PathBuf},
    process::{Command, Stdio},
};

use muster_agent::{
    collect::collect,
    host::{LiveHost, RecordedHost},
};
use muster_common::inventory::{Inventory, SectionStatus};

use crate::{fixtures::sources_of, package_managers::packages};

/// Names, namespaces included, and versions in one environment.
fn listed_in(inventory: &Inventory, section: &str, path: &str) -> BTreeSet<String> {
    packages(inventory, section)
        .into_iter()
        .filter(|(_, installation)| installation.path == path)
        .map(|(package, _)| {
            let namespace =
                if package.namespace.is_empty() { String::new() } else { format!("{}/", package.namespace) };
            format!("{namespace}{} {} {}", package.name, package.version, package.architecture)
                .trim_end()
                .to_owned()
        })
        .collect()
}

fn recorded(root: &Path, section: &str) -> Inventory {
    let found = collect(&RecordedHost::open(root).unwrap(), &sources_of(section), None);
    assert_eq!(found.section(section).unwrap().status, SectionStatus::Complete, "{found:?}");
    found
}

fn live(section: &str) -> Inventory {
    collect(&LiveHost::open().unwrap(), &sources_of(section), None)
}

/// What a tool prints; `None`, with a word on standard error, where there is no such tool.
fn output(command: &mut Command) -> Option<String> {
    let output = match command.stdin(Stdio::null()).output() {
        Ok(output) => output,
        Err(error) => {
            eprintln!("skipped: {:?} cannot be run: {error}", command.get_program());
            return None;
        }
    };
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{command:?}: {errors}");
    Some(String::from_utf8(output.stdout).unwrap())
}

fn write(path: PathBuf, content: &str) {
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    fs::write(path, content).unwrap();
}

/// The same name as package indexes compare it.
fn normalized(name: &str) -> String {
    let parts = name.split(['-', '_', '.']).filter(|part| !part.is_empty());
    parts.collect::<Vec<_>>().join("-").to_ascii_lowercase()
}

/// `None` where pip cannot be run.
fn pip(arguments: &[&str]) -> Option<String> {
    let has_pip = Command::new("python3").args(["-m", "pip", "--version"]).output();
    if !has_pip.is_ok_and(|output| output.status.success()) {
        eprintln!("skipped: there is no python3 with pip");
        return None;
    }
    let flags = ["-m", "pip", "--disable-pip-version-check", "--no-input"];
    output(Command::new("python3").args(flags).args(arguments))
}

/// What pip lists in a folder of packages.
fn listed_by_pip(folder: &str) -> Option<BTreeSet<String>> {
    let text = pip(&["list", "--format", "json", "--path", folder])?;
    let listed: Vec<serde_json::Value> = serde_json::from_str(&text).unwrap();
    let line = |package: &serde_json::Value| {
        let text = |key: &str| package[key].as_str().unwrap().to_owned();
        format!("{} {}", normalized(&text("name")), text("version"))
    };
    Some(listed.iter().map(line).collect())
}

/// Makes wheels of these names and versions.
fn wheels(folder: &Path, packages: &[(&str, &str)]) -> Vec<String> {
    const MAKE: &str = r"
import sys, zipfile
path, module, name, version = sys.argv[1:]
info = path.rsplit('/', 1)[1].split('-py3-')[0] + '.dist-info/'
files = {
    module + '.py': '',
    info + 'METADATA': f'Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n',
    info + 'WHEEL': 'Wheel-Version: 1.0\nGenerator: x\nRoot-Is-Purelib: true\nTag: py3-none-any\n',
}
files[info + 'RECORD'] = ''.join(f'{name},,\n' for name in files) + info + 'RECORD,,\n'
with zipfile.ZipFile(path, 'w') as wheel:
    for name, text in files.items():
        wheel.writestr(name, text)
";
    packages
        .iter()
        .map(|(name, version)| {
            let module = normalized(name).replace('-', "_");
            let path = folder.join(format!("{module}-{version}-py3-none-any.whl"));
            let path = path.to_str().unwrap().to_owned();
            output(Command::new("python3").args(["-c", MAKE, &path, &module, name, version])).unwrap();
            path
        })
        .collect()
}

#[test]
fn what_pip_installs_is_what_is_found() {
    let root = tempfile::tempdir().unwrap();
    let at = |path: &str| root.path().join(path).to_str().unwrap().to_owned();
    let Some(_) = pip(&["--version"]) else { return };
    let wheels = wheels(
        root.path(),
        &[("Zope.Interface_X", "6.1.post1"), ("plain", "1.0+local.2"), ("pre", "2.0rc1")],
    );
    let wheels: Vec<&str> = wheels.iter().map(String::as_str).collect();
    let install = |folder: &str| {
        let install = ["install", "-q", "--no-index", "--no-deps", "--no-compile", "--target", folder];
        pip(&[&install[..], &wheels].concat()).unwrap();
    };
    // One for the machine, one in the distribution's own folder, one of a user.
    let (local, distribution, user) = (
        "usr/local/lib/python3.11/dist-packages",
        "usr/lib/python3/dist-packages",
        "home/ann/.local/lib/python3.11/site-packages",
    );
    for folder in [local, distribution, user] {
        install(&at(folder));
    }
    // What older tools leave: a single file, and a folder.
    write(
        root.path().join(local).join("Old_File-0.1.egg-info"),
        "Metadata-Version: 1.1\nName: Old-File\nVersion: 0.1\n",
    );
    write(
        root.path().join(local).join("old_folder-0.2-py3.11.egg-info/PKG-INFO"),
        "Name: old.folder\nVersion: 0.2\n",
    );
    // What the distribution installed beside it.
    write(root.path().join(distribution).join("dist-1.0.dist-info/METADATA"), "Name: dist\nVersion: 1.0\n");
    write(root.path().join(distribution).join("dist-1.0.dist-info/INSTALLER"), "debian\n");

    let inventory = recorded(root.path(), "software.python");
    for (folder, listed) in [(local, 5), (user, 3)] {
        let expected = listed_by_pip(&at(folder)).unwrap();
        assert_eq!(expected.len(), listed, "{expected:?}");
        assert_eq!(listed_in(&inventory, "software.python", &format!("/{folder}")), expected, "{folder}");
    }
    let mut expected = listed_by_pip(&at(distribution)).unwrap();
    assert!(expected.remove("dist 1.0"), "{expected:?}");
    assert_eq!(listed_in(&inventory, "software.python", &format!("/{distribution}")), expected);
    let found = packages(&inventory, "software.python");
    assert!(found.iter().all(|(package, _)| package.purl_type == "pypi"));
    assert!(found.iter().all(|(_, installation)| installation.installed.is_some()));
    assert_eq!(found.iter().filter(|(_, installation)| installation.user == "ann").count(), 3);
}

#[test]
fn every_environment_of_this_machine_has_what_pip_lists() {
    let inventory = live("software.python");
    let environments: BTreeSet<&str> = packages(&inventory, "software.python")
        .into_iter()
        .map(|(_, installation)| installation.path.as_str())
        .filter(|path| !path.starts_with("/usr/lib/"))
        .collect();
    let mut count = 0;
    for environment in &environments {
        let Some(listed) = listed_by_pip(environment) else { return };
        let found = listed_in(&inventory, "software.python", environment);
        assert_eq!(found.difference(&listed).collect::<Vec<_>>(), [] as [&String; 0], "{environment}");
        assert_eq!(listed.difference(&found).collect::<Vec<_>>(), [] as [&String; 0], "{environment}");
        count += found.len();
    }
    eprintln!("{count} packages in {} environments agree", environments.len());
}

#[test]
fn what_dpkg_owns_is_not_found_a_second_time() {
    let Ok(lists) = fs::read_dir("/var/lib/dpkg/info") else {
        eprintln!("skipped: there is no dpkg");
        return;
    };
    let mut owned = BTreeSet::new();
    for list in lists.map(|entry| entry.unwrap().path()) {
        if list.extension().is_some_and(|extension| extension == "list") {
            let text = String::from_utf8_lossy(&fs::read(list).unwrap()).into_owned();
            let entries = text.lines().filter(|line| {
                line.starts_with("/usr/") && (line.ends_with(".dist-info") || line.ends_with(".egg-info"))
            });
            owned.extend(entries.filter_map(|line| {
                let (folder, name) = line.rsplit_once('/').unwrap();
                let name = name.rsplit_once('.').unwrap().0.split('-').next().unwrap();
                // Not what other programs bring along deep in folders of their own.
                folder.ends_with("-packages").then(|| (folder.to_owned(), normalized(name)))
            }));
        }
    }
    let inventory = live("software.python");
    let twice: Vec<_> = packages(&inventory, "software.python")
        .into_iter()
        .filter(|(package, installation)| owned.contains(&(installation.path.clone(), package.name.clone())))
        .collect();
    assert_eq!(twice, []);
    eprintln!("{} packages are dpkg's alone", owned.len());

    // The same folder with one package of pip's among those of dpkg.
    let folder = "usr/lib/python3/dist-packages";
    let dpkgs =
        fs::read_dir(Path::new("/").join(folder)).into_iter().flatten().map(|entry| entry.unwrap().path());
    let dpkgs: Vec<_> =
        dpkgs.filter(|path| path.to_str().is_some_and(|path| path.ends_with("-info"))).collect();
    let root = tempfile::tempdir().unwrap();
    let target = root.path().join(folder);
    fs::create_dir_all(&target).unwrap();
    if dpkgs.is_empty() || pip(&["--version"]).is_none() {
        eprintln!("skipped: there is no package of dpkg, or no pip, to try one beside the other");
        return;
    }
    output(Command::new("cp").arg("-r").args(&dpkgs).arg(&target)).unwrap();
    let wheels = wheels(root.path(), &[("of-pip", "1.0")]);
    let install = ["install", "-q", "--no-index", "--no-deps", "--no-compile", "--target"];
    pip(&[&install[..], &[target.to_str().unwrap(), &wheels[0]]].concat()).unwrap();
    let found =
        listed_in(&recorded(root.path(), "software.python"), "software.python", &format!("/{folder}"));
    assert_eq!(found, BTreeSet::from(["of-pip 1.0".to_owned()]));
    eprintln!("one of pip is found among {} of dpkg", dpkgs.len());
}

#[test]
fn what_npm_installs_is_what_is_found() {
    let root = tempfile::tempdir().unwrap();
    let prefix = root.path().join("usr/local");
    let cache = root.path().join("cache");
    let npm = || {
        let mut command = Command::new("npm");
        command.args(["--offline", "--no-audit", "--no-fund", "--no-update-notifier", "--cache"]).arg(&cache);
        command.args(["--global", "--prefix"]).arg(&prefix).current_dir(root.path());
        command
    };
    let mut install = npm();
    install.arg("install").arg("--install-links");
    for (folder, manifest) in [
        (
            "a",
            r#"{"name":"plain-tool","version":"1.2.3-beta.1","author":"Ann <a@b>","bin":{"plain-tool":"x.js"}}"#,
        ),
        ("b", r#"{"name":"@scope/tool","version":"2.0.0"}"#),
    ] {
        write(root.path().join("sources").join(folder).join("package.json"), manifest);
        write(root.path().join("sources").join(folder).join("x.js"), "");
        install.arg(root.path().join("sources").join(folder));
    }
    fs::create_dir_all(prefix.join("lib")).unwrap();
    let Some(_) = output(&mut install) else { return };
    let listed = listed_by_npm(&mut npm()).unwrap();
    assert_eq!(listed.len(), 2, "{listed:?}");
    let inventory = recorded(root.path(), "software.npm");
    assert_eq!(listed_in(&inventory, "software.npm", "/usr/local/lib/node_modules"), listed);
    for (package, installation) in packages(&inventory, "software.npm") {
        let author = (package.name == "plain-tool").then_some("Ann");
        assert_eq!(
            (package.vendor.as_deref(), installation.installed.is_some()),
            (author, true),
            "{package:?}"
        );
    }
}

fn listed_by_npm(npm: &mut Command) -> Option<BTreeSet<String>> {
    let text = output(npm.args(["ls", "--depth", "0", "--json"]))?;
    let listed: serde_json::Value = serde_json::from_str(&text).unwrap();
    let dependencies = listed["dependencies"].as_object().cloned().unwrap_or_default();
    let line = |(name, package): (&String, &serde_json::Value)| {
        format!("{name} {}", package["version"].as_str().unwrap())
    };
    Some(dependencies.iter().map(line).collect())
}

#[test]
fn this_machine_has_what_npm_lists() {
    let Some(root) = output(Command::new("npm").args(["root", "--global"])) else { return };
    let listed = listed_by_npm(Command::new("npm").arg("--global")).unwrap();
    assert_eq!(listed_in(&live("software.npm"), "software.npm", root.trim()), listed);
    eprintln!("{} packages agree", listed.len());
}

#[test]
fn what_gem_installs_is_what_is_found() {
    let root = tempfile::tempdir().unwrap();
    let home = root.path().join("var/lib/gems/3.1.0");
    let work = root.path().join("work");
    fs::create_dir_all(&work).unwrap();
    for (name, platform) in [("plain-2-tool", "Gem::Platform::RUBY"), ("native", "Gem::Platform.local")] {
        let specification = format!(
            "Gem::Specification.new {{ |s| s.name = '{name}'; s.version = '1.0.0.pre1'; s.summary = 'x'\n\
             s.authors = ['Ann', 'Bob']; s.platform = {platform}; s.files = [] }}\n"
        );
        let file = work.join(format!("{name}.gemspec"));
        write(file.clone(), &specification);
        let build = output(Command::new("gem").arg("build").arg(&file).current_dir(&work));
        let Some(_) = build else { return };
    }
    let gems = fs::read_dir(&work).unwrap().map(|entry| entry.unwrap().path());
    let gems = gems.filter(|path| path.extension().is_some_and(|extension| extension == "gem"));
    let mut install = Command::new("gem");
    install.args(["install", "--local", "--force", "--no-document", "--install-dir"]).arg(&home).args(gems);
    output(&mut install).unwrap();

    let list = "Gem::Specification.each { |s| puts \"#{s.name} #{s.version} #{s.platform}\" if s.base_dir == ARGV[0] }";
    let mut ruby = Command::new("ruby");
    let text =
        output(ruby.args(["-e", list]).arg(&home).env("GEM_HOME", &home).env("GEM_PATH", &home)).unwrap();
    let listed: BTreeSet<String> =
        text.lines().map(|line| line.strip_suffix(" ruby").unwrap_or(line).to_owned()).collect();
    assert_eq!(listed.len(), 2, "{text}");
    let inventory = recorded(root.path(), "software.gem");
    assert_eq!(listed_in(&inventory, "software.gem", "/var/lib/gems/3.1.0"), listed);
    let found = packages(&inventory, "software.gem");
    assert!(found.iter().all(|(package, _)| package.vendor.as_deref() == Some("Ann")), "{found:?}");
}

#[test]
fn what_cargo_installs_is_what_is_found() {
    let root = tempfile::tempdir().unwrap();
    let source = root.path().join("source");
    write(
        source.join("Cargo.toml"),
        "[package]\nname = \"small-tool\"\nversion = \"0.3.0-rc.1\"\nedition = \"2021\"\n[workspace]\n",
    );
    write(source.join("src/main.rs"), "fn main() {}\n");
    let home = root.path().join("root/.cargo");
    let cargo = |verb: &[&str]| {
        let mut command = Command::new("cargo");
        command.args(verb).arg("--root").arg(&home).current_dir(root.path());
        command.env("CARGO_TARGET_DIR", root.path().join("target"));
        output(&mut command)
    };
    let install = ["install", "--quiet", "--offline", "--debug", "--path", source.to_str().unwrap()];
    let Some(_) = cargo(&install) else { return };
    // A line a crate, "name vversion (where from):", and below it one a program.
    let text = cargo(&["install", "--list"]).unwrap();
    let listed: BTreeSet<String> = text
        .lines()
        .filter(|line| !line.starts_with(' '))
        .map(|line| {
            let mut words = line.split(' ');
            let (name, version) = (words.next().unwrap(), words.next().unwrap());
            format!("{name} {}", version.trim_end_matches(':').trim_start_matches('v'))
        })
        .collect();
    assert_eq!(listed.len(), 1, "{text}");
    let inventory = recorded(root.path(), "software.cargo");
    assert_eq!(listed_in(&inventory, "software.cargo", "/root/.cargo"), listed);
    let (_, installation) = packages(&inventory, "software.cargo").pop().unwrap();
    assert!(installation.installed.is_some() && installation.user == "root");
}
