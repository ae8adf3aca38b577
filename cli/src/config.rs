//! Where the collector is and who we are: a small TOML file.
//!
//! Knows nothing of TLS. The shortest file is one line, `address = "collector.example.org:7445"`, in the folder in
//! which `muster-collector operator` put key, certificate and roots.

use std::{
    env,
    path::{Path, PathBuf},
};

use muster_config::Input;
use muster_proto::client::{
    address::Address,
    files::{CERTIFICATE_FILE, KEY_FILE, ROOTS_FILE},
};

use crate::failure::{Failure, Kind};

/// The file of one person, below the home folder.
const OWN_FILE: &str = ".config/muster/config.toml";
/// The file for everybody on this machine.
const SYSTEM_FILE: &str = "/etc/muster/cli.toml";

/// What a configuration says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Settings {
    /// The collector's api listener.
    pub(crate) address: Address,
    /// The name that its certificate carries, when that is not the address's.
    pub(crate) server_name: Option<String>,
    /// The roots that it must chain to, PEM.
    pub(crate) roots: PathBuf,
    /// Our certificate and its issuer's, PEM.
    pub(crate) certificate: PathBuf,
    /// Our key, PEM.
    pub(crate) key: PathBuf,
}

/// Reads the file that was asked for, else the first of the usual ones that is there.
pub(crate) fn read(chosen: Option<&Path>) -> Result<Settings, Failure> {
    if let Some(path) = chosen {
        return read_file(path);
    }
    let places = usual_places();
    match places.iter().find(|path| path.exists()) {
        Some(path) => read_file(path),
        None => {
            let shown: Vec<String> = places.iter().map(|path| path.display().to_string()).collect();
            Err(Failure::new(
                Kind::Usage,
                format!("there is no configuration at {}", shown.join(" or ")),
                "on the collector's machine run `muster-collector operator NAME`, take the folder that it makes, and give its config.toml with --config",
            ))
        }
    }
}

fn usual_places() -> Vec<PathBuf> {
    let home = env::var_os("HOME").or_else(|| env::var_os("USERPROFILE"));
    let own = home.map(|home| Path::new(&home).join(OWN_FILE));
    own.into_iter().chain([PathBuf::from(SYSTEM_FILE)]).collect()
}

fn read_file(path: &Path) -> Result<Settings, Failure> {
    let wrong = |problems: muster_config::Problems| {
        Failure::new(
            Kind::Usage,
            problems.to_string(),
            "correct the file; every key is described in docs/cli.md",
        )
    };
    let mut input = Input::read(path).map_err(wrong)?;
    let settings = settings(&mut input);
    input.finish().map_err(wrong)?;
    settings.ok_or_else(|| {
        Failure::new(
            Kind::Usage,
            format!("{} names no collector", path.display()),
            "add a line such as address = \"collector.example.org:7445\"",
        )
    })
}

fn settings(input: &mut Input) -> Option<Settings> {
    let address = input.required::<Address>("address", "address = \"collector.example.org:7445\"");
    let server_name = input.optional::<String>("server_name");
    let roots = input.path("roots", ROOTS_FILE);
    let certificate = input.path("certificate", CERTIFICATE_FILE);
    let key = input.path("key", KEY_FILE);
    Some(Settings { address: address?, server_name, roots, certificate, key })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(text: &str) -> Result<Option<Settings>, String> {
        let mut input = Input::from_text(Path::new("/home/jo/op/config.toml"), text);
        let settings = settings(&mut input);
        input.finish().map_err(|problems| problems.to_string())?;
        Ok(settings)
    }

    #[test]
    fn one_line_is_enough() {
        let settings = parse("address = \"localhost:7445\"").unwrap().unwrap();
        assert_eq!(settings.address.to_string(), "localhost:7445");
        assert_eq!(settings.key, Path::new("/home/jo/op/key.pem"));
        assert_eq!(settings.roots, Path::new("/home/jo/op/roots.pem"));
    }

    #[test]
    fn every_file_can_lie_elsewhere() {
        let text = "address = \"10.0.0.1:7445\"\nserver_name = \"c.example.org\"\nroots = \"/a.pem\"\ncertificate = \"b.pem\"\nkey = \"../c.pem\"";
        let settings = parse(text).unwrap().unwrap();
        assert_eq!(settings.server_name.as_deref(), Some("c.example.org"));
        assert_eq!(settings.roots, Path::new("/a.pem"));
        assert_eq!(settings.certificate, Path::new("/home/jo/op/b.pem"));
    }

    #[test]
    fn problems_name_file_line_and_key() {
        for (text, word) in [
            ("", "address"),
            ("address = \"nowhere\"", "config.toml:1: address"),
            ("address = \"a:1\"\nadress = \"b:1\"", "config.toml:2: adress"),
            ("address = ", "config.toml:1"),
        ] {
            let problem = parse(text).unwrap_err();
            assert!(problem.contains(word), "{text:?}: {problem}");
        }
    }
}
