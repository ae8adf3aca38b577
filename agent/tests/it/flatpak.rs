//! Flatpak installs an application and its runtime from a repository of its own making; its listing is compared.

use std::{collections::BTreeSet, fs, path::Path, process::Command};

use crate::{
    fixtures::inventory,
    package_managers::{output, packages},
};

const PLATFORM: &str = "org.example.Platform/x86_64/23.08";

/// Makes a repository with a runtime, and an application in two branches.
fn make_repository(folder: &Path, flatpak: &dyn Fn(&[&str]) -> String) {
    let write = |path: &str, content: &str| {
        let path = folder.join(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, content).unwrap();
    };
    let runtime = format!("[Runtime]\nname=org.example.Platform\nruntime={PLATFORM}\nsdk={PLATFORM}\n");
    write("runtime/metadata", &runtime);
    write("runtime/usr/lib/library", "code");
    write("runtime/files/lib/library", "code");
    write(
        "application/metadata",
        &format!(
            "[Application]\nname=org.example.Hello\nruntime={PLATFORM}\nsdk={PLATFORM}\ncommand=hello\n"
        ),
    );
    write("application/files/bin/hello", &"code".repeat(10_000));
    write("application/export/share/empty", "");
    let information = "application/files/share/app-info/xmls/org.example.Hello.xml";
    let component = "<?xml version=\"1.0\"?><components version=\"0.8\"><component type=\"desktop\"><id>org.example.Hello\
        </id><name>Hello there</name><summary>Greets</summary><releases><release version=\"46.1~rc2\" \
        timestamp=\"1715000000\"/></releases></component></components>";
    write(information, component);
    output(Command::new("gzip").arg(folder.join(information))).unwrap();
    flatpak(&["build-export", "--disable-sandbox", "--runtime", "repository", "runtime", "23.08"]);
    flatpak(&["build-export", "--disable-sandbox", "repository", "application", "stable"]);
    flatpak(&["build-export", "--disable-sandbox", "repository", "application", "beta"]);
}

#[test]
fn what_flatpak_installs_is_what_is_found() {
    if output(Command::new("flatpak").arg("--version")).is_none() {
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let root = folder.path().join("root");
    let home = root.join("home/ann");
    fs::create_dir_all(&home).unwrap();
    let flatpak = |arguments: &[&str]| {
        let mut command = Command::new("flatpak");
        command.current_dir(folder.path()).args(arguments).env("LC_ALL", "C.UTF-8");
        command.env("HOME", &home).env_remove("XDG_DATA_HOME");
        command.env("FLATPAK_SYSTEM_DIR", root.join("var/lib/flatpak"));
        output(&mut command).unwrap()
    };
    make_repository(folder.path(), &flatpak);
    flatpak(&["--user", "remote-add", "--no-gpg-verify", "example", "repository"]);
    for branch in ["stable", "beta"] {
        let name = format!("org.example.Hello//{branch}");
        flatpak(&["--user", "install", "-y", "--noninteractive", "example", &name]);
    }

    let columns = "--columns=origin,application,version,branch,arch,name";
    let listing = flatpak(&["--user", "list", "--all", columns]);
    let listed: BTreeSet<String> = listing
        .lines()
        .map(|line| {
            let mut words: Vec<&str> = line.split('\t').collect();
            // What has no version of its own is known by its branch, and a name is made up from the identifier.
            if words[2].is_empty() {
                (words[2], words[5]) = (words[3], "");
            }
            words.join("\t")
        })
        .collect();
    assert_eq!(listed.len(), 3, "{listing}");

    let inventory = inventory(&root);
    let found = packages(&inventory, "software.flatpak");
    let collected: BTreeSet<String> = found
        .iter()
        .map(|(package, installation)| {
            assert_eq!(installation.user, "ann");
            assert!(package.size_bytes.is_some_and(|size| size > 0) && installation.installed.is_some());
            let branch = installation.path.rsplit('/').next().unwrap();
            let name = package.display_name.as_deref().unwrap_or_default();
            [&package.namespace, &package.name, &package.version, branch, &package.architecture, name]
                .join("\t")
        })
        .collect();
    assert_eq!(collected, listed);
    eprintln!("{} applications and runtimes agree", listed.len());
}
