//! Which proxy stands between this machine and a collector, and for which addresses.
//!
//! Knows nothing of the environment but what it is handed, and nothing of passwords: they stand in a file, and an
//! address with one in it is refused.

use std::{fmt, net::IpAddr, path::PathBuf, str::FromStr, sync::Arc};

use muster_common::governance::NetworkPrefix;
use muster_config::Input;
use muster_proto::client::{
    address::Address,
    proxy::{Proxy, Way},
};

/// Exceptions in one variable; more are a mistake.
const MOST_EXEMPT: usize = 256;

/// How collectors are reached.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Proxying {
    proxy: Option<Arc<Proxy>>,
    exempt: Vec<Exempt>,
}

/// A server that is reached without the proxy.
#[derive(Debug, Clone, PartialEq)]
enum Exempt {
    All,
    /// The name itself and every name below it.
    Name(String),
    Network(NetworkPrefix),
    Address(IpAddr),
}

impl Proxying {
    /// How to reach a server.
    pub fn way_to(&self, address: &Address) -> Way {
        match &self.proxy {
            Some(proxy) if !self.exempt.iter().any(|exempt| exempt.covers(address.host())) => {
                Way::Proxy(proxy.clone())
            }
            Some(_) | None => Way::Direct,
        }
    }
}

impl Exempt {
    /// One entry of `NO_PROXY`: `*`, a name with or without a dot before it, an address, a network; a port behind a name
    /// is passed over.
    fn new(text: &str) -> Self {
        if text == "*" {
            return Self::All;
        }
        if let Ok(network) = text.parse() {
            return Self::Network(network);
        }
        if let Ok(address) = text.trim_matches(['[', ']']).parse() {
            return Self::Address(address);
        }
        let name = text.rsplit_once(':').map_or(text, |(name, _)| name);
        Self::Name(name.trim_start_matches(['*', '.']).to_ascii_lowercase())
    }

    fn covers(&self, host: &str) -> bool {
        let address: Option<IpAddr> = host.parse().ok();
        match self {
            Self::All => true,
            Self::Name(name) => {
                let host = host.to_ascii_lowercase();
                host.strip_suffix(name.as_str()).is_some_and(|rest| rest.is_empty() || rest.ends_with('.'))
                    && !name.is_empty()
            }
            Self::Network(network) => address.is_some_and(|address| network.contains(address)),
            Self::Address(exempt) => address == Some(*exempt),
        }
    }
}

/// A proxy's address: `http://host:port`, or `host:port`.
#[derive(Debug, Clone, PartialEq)]
struct ProxyUrl(Address);

impl FromStr for ProxyUrl {
    type Err = String;

    /// The text is never repeated, since somebody may have written a password into it.
    fn from_str(text: &str) -> Result<Self, String> {
        if text.contains('@') {
            return Err(
                "holds a user name: put user:password into a file of mode 0600 and its path into proxy.credentials_file"
                    .to_owned(),
            );
        }
        if text.starts_with("https://") || text.starts_with("socks") {
            return Err("is not spoken here: only http:// proxies are".to_owned());
        }
        let bare = text.strip_prefix("http://").unwrap_or(text).trim_end_matches('/');
        let has_port = bare
            .rsplit_once(':')
            .is_some_and(|(host, port)| !port.contains(']') && (!host.contains(':') || host.ends_with(']')));
        let whole = if has_port { bare.to_owned() } else { format!("{bare}:80") };
        whole
            .parse()
            .map(Self)
            .map_err(|_| "is not a proxy's address (write http://proxy.example.org:3128)".to_owned())
    }
}

impl fmt::Display for ProxyUrl {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "http://{}", self.0)
    }
}

/// Reads the keys of `[proxy]`; the environment is asked only where the configuration says so.
pub(super) fn from_input(input: &mut Input, environment: &dyn Fn(&str) -> Option<String>) -> Proxying {
    let url = input.optional::<ProxyUrl>("proxy.url");
    let credentials_file = input.optional_path("proxy.credentials_file");
    let from_environment = input.flag("proxy.from_environment", false);
    if !from_environment {
        if credentials_file.is_some() && url.is_none() {
            input.refuse("proxy.credentials_file", "is for a proxy, and proxy.url names none");
        }
        return Proxying { proxy: url.map(|url| proxy(url, credentials_file)), exempt: Vec::new() };
    }
    if url.is_some() {
        input.refuse("proxy.url", "can't be set together with proxy.from_environment");
    }
    let either = |name: &str| {
        let found = environment(name).or_else(|| environment(&name.to_ascii_lowercase()));
        found.filter(|text| !text.is_empty())
    };
    let url = either("HTTPS_PROXY").and_then(|text| match text.parse::<ProxyUrl>() {
        Ok(url) => Some(url),
        Err(message) => {
            input.refuse("proxy.from_environment", format!("HTTPS_PROXY {message}"));
            None
        }
    });
    let exempt = either("NO_PROXY").unwrap_or_default();
    let exempt = exempt.split([',', ' ']).filter(|entry| !entry.is_empty()).take(MOST_EXEMPT);
    Proxying { proxy: url.map(|url| proxy(url, credentials_file)), exempt: exempt.map(Exempt::new).collect() }
}

fn proxy(ProxyUrl(address): ProxyUrl, credentials_file: Option<PathBuf>) -> Arc<Proxy> {
    Arc::new(Proxy { address, credentials_file })
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;

    fn parse(text: &str, environment: &[(&str, &str)]) -> Result<Proxying, String> {
        let mut input = Input::from_text(Path::new("/etc/muster/agent.toml"), text);
        let environment = |name: &str| {
            environment.iter().find(|(found, _)| *found == name).map(|(_, value)| (*value).to_owned())
        };
        let proxying = from_input(&mut input, &environment);
        input.finish().map(|_| proxying).map_err(|problems| problems.to_string())
    }

    /// The proxy by which an address is reached, empty for none.
    fn way(proxying: &Proxying, address: &str) -> String {
        match proxying.way_to(&address.parse().unwrap()) {
            Way::Direct => String::new(),
            Way::Proxy(proxy) => proxy.address.to_string(),
        }
    }

    #[test]
    fn a_proxy_is_used_where_it_is_configured() {
        let check = |text: &str, expected: &str| {
            let proxying = parse(text, &[("HTTPS_PROXY", "http://other:1")]).unwrap();
            assert_eq!(way(&proxying, "collector.example.org:7443"), expected, "{text}");
        };
        check("", "");
        check("proxy.url = \"http://proxy:3128\"", "proxy:3128");
        check("proxy.url = \"http://proxy/\"", "proxy:80");
        check("proxy.url = \"proxy:3128\"", "proxy:3128");
        check("proxy.url = \"http://[2001:db8::1]:3128\"", "[2001:db8::1]:3128");
        check("proxy.url = \"http://[2001:db8::1]\"", "[2001:db8::1]:80");
        check("proxy.from_environment = true", "other:1");
        let with_file = "proxy.url = \"http://proxy:3128\"\nproxy.credentials_file = \"proxy-login\"";
        let Way::Proxy(proxy) = parse(with_file, &[]).unwrap().way_to(&"a:1".parse().unwrap()) else {
            panic!("no proxy")
        };
        assert_eq!(proxy.credentials_file.as_deref(), Some(Path::new("/etc/muster/proxy-login")));
    }

    #[test]
    fn what_is_exempt_is_reached_directly() {
        let text = "proxy.from_environment = true";
        let exempt = "localhost, .corp.example,example.net:443 10.0.0.0/8,2001:db8::/32,192.0.2.1,[::1]";
        let proxying = parse(text, &[("https_proxy", "http://p:1"), ("no_proxy", exempt)]).unwrap();
        for (address, exempt) in [
            ("localhost:1", true),
            ("a.corp.example:1", true),
            ("corp.example:1", true),
            ("xcorp.example:1", false),
            ("A.Example.NET:1", true),
            ("10.1.2.3:1", true),
            ("11.1.2.3:1", false),
            ("192.0.2.1:1", true),
            ("192.0.2.10:1", false),
            ("[2001:db8::7]:1", true),
            ("[::1]:1", true),
            ("collector.example.org:1", false),
        ] {
            assert_eq!(way(&proxying, address).is_empty(), exempt, "{address}");
        }
        let all = parse(text, &[("HTTPS_PROXY", "p:1"), ("NO_PROXY", "*")]).unwrap();
        assert_eq!(way(&all, "a:1"), "");
    }

    #[test]
    fn mistakes_say_what_to_do_and_repeat_no_password() {
        let secret = "http://jo:secret@proxy:1";
        for (text, environment, expected) in [
            (format!("proxy.url = \"{secret}\""), "", "proxy.url: holds a user name"),
            ("proxy.from_environment = true".to_owned(), secret, "HTTPS_PROXY holds a user name"),
            ("proxy.url = \"https://proxy:1\"".to_owned(), "", "only http:// proxies"),
            ("proxy.url = \"socks5://proxy:1\"".to_owned(), "", "only http:// proxies"),
            ("proxy.url = \"http://a b\"".to_owned(), "", "is not a proxy's address"),
            ("proxy.credentials_file = \"x\"".to_owned(), "", "proxy.url names none"),
            ("proxy.url = \"p:1\"\nproxy.from_environment = true".to_owned(), "p:1", "can't be set together"),
        ] {
            let problem = parse(&text, &[("HTTPS_PROXY", environment)]).unwrap_err();
            assert!(problem.contains(expected), "{text}: {problem}");
            assert!(!problem.contains("secret"), "{problem}");
        }
    }
}
