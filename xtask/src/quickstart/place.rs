//! The folder of a quick start: its files, its ports, and the command lines that point at them.
//!
//! Knows nothing of processes. Ports are chosen once and kept, so that a second run finds its agent enrolled at the
//! address that it knows; when another program took one meanwhile, all are chosen anew.

use std::fs;
use std::net::{Ipv4Addr, TcpListener};
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};

/// Written when `init` has ended well, so that a broken first try is begun again.
const INITIALISED: &str = "initialised";
const PORTS: &str = "ports";
/// Where the first operator's identity lies, with a configuration for the command line that points at the collector.
pub(super) const OPERATOR_CONFIG: &str = "collector/operator/config.toml";
const TRUST_DOMAIN: &str = "quickstart.muster.internal";

/// Where everything of a quick start lies.
pub(super) struct Place {
    folder: PathBuf,
    api_port: u16,
}

impl Place {
    /// Opens the folder, or makes it with a configuration for each program.
    pub(super) fn open(folder: &Path) -> Result<Self> {
        fs::create_dir_all(folder).with_context(|| format!("cannot make {}", folder.display()))?;
        let folder = folder.canonicalize().with_context(|| format!("cannot open {}", folder.display()))?;
        let mut place = Self { folder, api_port: 0 };
        let ports = place.ports()?;
        place.configure(ports)?;
        [_, _, place.api_port] = ports;
        Ok(place)
    }

    pub(super) fn is_initialised(&self) -> bool {
        self.folder.join(INITIALISED).exists()
    }

    pub(super) fn mark_initialised(&self) -> Result<()> {
        self.write(INITIALISED, "")
    }

    pub(super) fn is_enrolled(&self) -> bool {
        self.folder.join("agent/identity/identity.toml").exists()
    }

    pub(super) fn api_address(&self) -> String {
        format!("localhost:{}", self.api_port)
    }

    pub(super) fn operator_folder(&self) -> PathBuf {
        self.folder.join("collector/operator")
    }

    pub(super) fn log(&self, name: &str) -> PathBuf {
        self.folder.join(format!("{name}.log"))
    }

    pub(super) fn path(&self, name: &str) -> String {
        self.folder.join(name).display().to_string()
    }

    pub(super) fn init_arguments(&self) -> Vec<String> {
        let data = self.path("collector");
        let config = self.path("collector.toml");
        words(&[
            "init",
            "--data",
            &data,
            "--name",
            "localhost",
            "--trust-domain",
            TRUST_DOMAIN,
            "--config",
            &config,
        ])
    }

    pub(super) fn operator_arguments(&self) -> Vec<String> {
        words(&["operator", "admin", "--config", &self.path("collector.toml")])
    }

    pub(super) fn serve_arguments(&self) -> Vec<String> {
        words(&["serve", "--config", &self.path("collector.toml")])
    }

    pub(super) fn token_arguments(&self) -> Vec<String> {
        words(&["token", "create", "--config", &self.path("collector.toml"), "--one-time"])
    }

    pub(super) fn enroll_arguments(&self) -> Vec<String> {
        words(&["enroll", "--config", &self.path("agent.toml"), "--token-file", "-"])
    }

    pub(super) fn agent_arguments(&self) -> Vec<String> {
        words(&["run", "--config", &self.path("agent.toml")])
    }

    pub(super) fn devices_arguments(&self) -> Vec<String> {
        words(&["--config", &self.path(OPERATOR_CONFIG), "devices", "--output", "json"])
    }

    pub(super) fn device_arguments(&self, id: &str) -> Vec<String> {
        words(&["--config", &self.path(OPERATOR_CONFIG), "device", id])
    }

    /// The ports of agents, enroll and api: those of the last run where they are still free.
    fn ports(&self) -> Result<[u16; 3]> {
        let kept = fs::read_to_string(self.folder.join(PORTS)).ok().and_then(|text| parse_ports(&text));
        if let Some(ports) = kept.filter(|ports| listen(*ports).is_ok()) {
            return Ok(ports);
        }
        let ports = listen([0; 3]).context("cannot find free ports on the loopback address")?;
        self.write(PORTS, &ports.map(|port| port.to_string()).join(" "))?;
        Ok(ports)
    }

    /// Writes what depends on the ports; the collector's own file is `init`'s to write.
    fn configure(&self, [agents, enroll, api]: [u16; 3]) -> Result<()> {
        fs::create_dir_all(self.folder.join("collector.d"))?;
        self.write(
            "collector.d/quickstart.toml",
            &format!(
                "# Written by `cargo xtask quickstart`.\n[listen]\nagents = \"127.0.0.1:{agents}\"\n\
                 enroll = \"127.0.0.1:{enroll}\"\napi = \"127.0.0.1:{api}\"\n"
            ),
        )?;
        self.write(
            "agent.toml",
            &format!(
                "# Written by `cargo xtask quickstart`.\nstate_dir = \"agent\"\n\n[collector]\n\
                 session = \"localhost:{agents}\"\nenroll = \"localhost:{enroll}\"\n"
            ),
        )
    }

    fn write(&self, name: &str, text: &str) -> Result<()> {
        let path = self.folder.join(name);
        fs::write(&path, text).with_context(|| format!("cannot write {}", path.display()))
    }
}

fn parse_ports(text: &str) -> Option<[u16; 3]> {
    let ports: Vec<u16> = text.split_whitespace().map_while(|word| word.parse().ok()).collect();
    ports.try_into().ok()
}

/// Takes the three ports at once, so that no two are the same, and gives them back.
fn listen(ports: [u16; 3]) -> Result<[u16; 3]> {
    let listeners = [bind(ports[0])?, bind(ports[1])?, bind(ports[2])?];
    let mut taken = [0; 3];
    for (port, listener) in taken.iter_mut().zip(&listeners) {
        *port = listener.local_addr()?.port();
    }
    Ok(taken)
}

fn bind(port: u16) -> Result<TcpListener> {
    TcpListener::bind((Ipv4Addr::LOCALHOST, port)).with_context(|| format!("port {port} is taken"))
}

fn words(words: &[&str]) -> Vec<String> {
    words.iter().map(|word| (*word).to_owned()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ports_of(place: &Place) -> [u16; 3] {
        parse_ports(&fs::read_to_string(place.folder.join(PORTS)).unwrap()).unwrap()
    }

    #[test]
    fn ports_are_kept_until_another_program_takes_one() {
        let folder = tempfile::tempdir().unwrap();
        let first = ports_of(&Place::open(folder.path()).unwrap());
        assert_eq!(ports_of(&Place::open(folder.path()).unwrap()), first);
        let _other_program = bind(first[1]).unwrap();
        let moved = Place::open(folder.path()).unwrap();
        assert!(!ports_of(&moved).contains(&first[1]));
        let agent = fs::read_to_string(moved.path("agent.toml")).unwrap();
        assert!(agent.contains(&format!("localhost:{}", ports_of(&moved)[1])), "{agent}");
    }

    #[test]
    fn a_damaged_list_of_ports_is_written_anew() {
        let folder = tempfile::tempdir().unwrap();
        fs::write(folder.path().join(PORTS), "80 eighty 1").unwrap();
        let place = Place::open(folder.path()).unwrap();
        assert!(ports_of(&place).iter().all(|port| *port > 1023));
    }

    #[test]
    fn a_first_try_that_broke_is_begun_again() {
        let folder = tempfile::tempdir().unwrap();
        let place = Place::open(folder.path()).unwrap();
        assert!(!place.is_initialised());
        place.mark_initialised().unwrap();
        assert!(Place::open(folder.path()).unwrap().is_initialised());
    }
}
