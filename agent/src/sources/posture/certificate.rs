//! Certificates of the servers on this machine, with when they end.
//!
//! Off unless this machine's configuration names folders or asks for the usual ones. Private keys are never looked at:
//! folders and files that are named for them are passed over, and of a file that holds both the certificates alone are
//! decoded. Nor is the system's store of authorities told, which is no certificate of this machine. Knows nothing of
//! how near an end is.

use std::collections::BTreeMap;

use muster_common::inventory::{Certificate, ErrorKind, Item, ItemKind, SectionName};
use zeroize::Zeroizing;

use crate::{
    host::{Host, HostError},
    sources::{
        Source, Stamp,
        part::{Problems, SectionPart},
        posture::x509,
    },
};

/// Where servers have their certificates; folders in them are read too.
pub(crate) const USUAL: &[&str] = &[
    "etc/apache2",
    "etc/caddy",
    "etc/cockpit/ws-certs.d",
    "etc/dovecot",
    "etc/elasticsearch/certs",
    "etc/exim4",
    "etc/gitlab/ssl",
    "etc/haproxy",
    "etc/httpd",
    "etc/kubernetes/pki",
    "etc/ldap",
    "etc/letsencrypt/live",
    "etc/lighttpd",
    "etc/mysql",
    "etc/nginx",
    "etc/openldap/certs",
    "etc/openvpn/server",
    "etc/pki/tls/certs",
    "etc/postfix",
    "etc/postgresql",
    "etc/puppetlabs/puppet/ssl/certs",
    "etc/ssl",
    "etc/swanctl/x509",
    "var/lib/caddy/.local/share/caddy/certificates",
    "var/lib/kubelet/pki",
    "var/lib/rancher/k3s/server/tls",
    "var/lib/rancher/rke2/server/tls",
];

/// Where links lead into the system's store of authorities.
const STORES: [&str; 2] = ["etc/ssl/certs", "etc/pki/tls/certs"];
/// What stands in those without being a link.
const BUNDLES: [&str; 2] = ["ca-bundle", "ca-certificates"];
/// Folders and files of private keys.
const KEYS: [&str; 2] = ["private", "privkey"];
const EXTENSIONS: [&str; 5] = ["pem", "crt", "cer", "cert", "der"];

const FILE_LIMIT: usize = 256 << 10;
/// A file with more is a store of authorities.
const CHAIN_LIMIT: usize = 32;
const NAMES_LIMIT: usize = 1000;
const FOLDERS_LIMIT: usize = 200;
const FILES_LIMIT: usize = 4000;
const DEPTH_LIMIT: usize = 4;
const CERTIFICATES_LIMIT: usize = 2000;

/// Certificates of servers.
#[derive(Debug)]
pub(crate) struct CertificateSource;

impl Source for CertificateSource {
    fn name(&self) -> &'static str {
        "certificates"
    }

    fn section(&self) -> SectionName {
        SectionName::known(SectionName::CERTIFICATES)
    }

    fn reads(&self) -> &'static [&'static str] {
        &["the folders that [certificates] in the agent's configuration names"]
    }

    fn stamp(&self) -> Stamp {
        Stamp::Touched
    }

    fn collect(&self, host: &dyn Host) -> SectionPart {
        let mut walk =
            Walk { host, folders: 0, files: 0, found: BTreeMap::new(), problems: Problems::default() };
        let folders = host.certificate_folders();
        if folders.is_empty() {
            walk.problems.off(self.name(), "[certificates] in the agent's configuration names no folder");
        }
        for folder in folders {
            walk.folder(folder, 0);
        }
        let items = walk.found.into_values().map(|found| Item::new(ItemKind::Certificate(found)));
        SectionPart { items: items.collect(), problems: walk.problems }
    }
}

struct Walk<'a> {
    host: &'a dyn Host,
    folders: usize,
    files: usize,
    /// By fingerprint: a chain repeats what stands beside it, and the first file in the order of names tells.
    found: BTreeMap<String, Certificate>,
    problems: Problems,
}

impl Walk<'_> {
    /// A folder and what is in it, where it is one.
    fn folder(&mut self, path: &str, depth: usize) {
        let is_store = STORES.contains(&path);
        if is_store && self.host.link(path).is_ok() {
            return;
        }
        let listing = match self.host.list(path, NAMES_LIMIT) {
            Ok(listing) => listing,
            Err(HostError::Missing { .. } | HostError::WrongKind { .. }) => return,
            Err(error) => return self.problems.add_error(error),
        };
        self.folders += 1;
        if listing.more {
            self.problems.add_error(HostError::TooMany { path: path.to_owned(), limit: NAMES_LIMIT });
        }
        for name in listing.names {
            if self.is_full(path) {
                return;
            }
            let is_passed_over = name.starts_with('.') || starts_with_any(&name, &KEYS);
            let inside = format!("{path}/{name}");
            if is_passed_over
                || is_store && (starts_with_any(&name, &BUNDLES) || self.host.link(&inside).is_ok())
            {
                continue;
            }
            if is_certificate(&name) && self.file(&inside, &name) {
                continue;
            }
            if depth < DEPTH_LIMIT {
                self.folder(&inside, depth + 1);
            }
        }
    }

    /// Whether a bound is reached, which is told once.
    fn is_full(&mut self, path: &str) -> bool {
        let is_full = self.folders >= FOLDERS_LIMIT
            || self.files >= FILES_LIMIT
            || self.found.len() >= CERTIFICATES_LIMIT;
        if is_full && self.files < usize::MAX {
            self.problems.add(
                path,
                ErrorKind::TooLarge,
                "more folders, files or certificates than the agent reads",
            );
            // Every other folder is full as well, without a word.
            self.files = usize::MAX;
        }
        is_full
    }

    /// A file; `false` where a folder has the name of one.
    fn file(&mut self, path: &str, name: &str) -> bool {
        let bytes = match self.host.read(path, FILE_LIMIT) {
            // A key may stand in it.
            Ok(bytes) => Zeroizing::new(bytes),
            Err(HostError::WrongKind { .. }) => return false,
            // A link to nothing.
            Err(error) if error.is_missing() => return true,
            Err(error) => {
                self.problems.add_error(error);
                return true;
            }
        };
        self.files += 1;
        let found = x509::certificates(&bytes, CHAIN_LIMIT);
        let Some(found) = found else {
            let message = format!(
                "it has more than {CHAIN_LIMIT} certificates, as stores of authorities have: not told"
            );
            self.problems.add(path, ErrorKind::NotAvailable, message);
            return true;
        };
        // What is not for certificates alone may well have none: parameters, requests.
        if found.is_empty() && !name.ends_with(".pem") && !x509::is_pem(&bytes) {
            self.problems.add(path, ErrorKind::Malformed, "it is neither a PEM file nor a DER certificate");
        }
        for certificate in found {
            match certificate {
                Ok(certificate) => {
                    let path = Some(format!("/{path}"));
                    let told = Certificate { path, ..certificate };
                    self.found.entry(told.fingerprint.clone()).or_insert(told);
                }
                Err(message) => self.problems.add(path, ErrorKind::Malformed, message),
            }
        }
        true
    }
}

fn starts_with_any(name: &str, starts: &[&str]) -> bool {
    starts.iter().any(|start| name.starts_with(start))
}

fn is_certificate(name: &str) -> bool {
    name.rsplit_once('.')
        .is_some_and(|(_, extension)| EXTENSIONS.iter().any(|known| extension.eq_ignore_ascii_case(known)))
}

#[cfg(test)]
mod tests {
    use std::{fs, os::unix::fs::symlink, path::Path};

    use rcgen::{CertificateParams, DnType, KeyPair, SanType, SerialNumber, date_time_ymd};
    use tempfile::TempDir;

    use super::*;
    use crate::{host::RecordedHost, sources::testing::recorded};

    /// A certificate of its own and its key, both in PEM, and the certificate in DER.
    fn made(name: &str) -> (String, String, Vec<u8>) {
        let mut params = CertificateParams::new(vec![name.to_owned(), "192.0.2.7".to_owned()]).unwrap();
        params.distinguished_name.push(DnType::CommonName, name);
        params.subject_alt_names.push(SanType::Rfc822Name("ada@example.org".try_into().unwrap()));
        params.not_before = date_time_ymd(2026, 1, 1);
        params.not_after = date_time_ymd(2027, 1, 1);
        params.serial_number = Some(SerialNumber::from(vec![0x0a, 0xbc]));
        let key = KeyPair::generate().unwrap();
        let certificate = params.self_signed(&key).unwrap();
        (certificate.pem(), key.serialize_pem(), certificate.der().to_vec())
    }

    fn machine(files: &[(&str, &[u8])], folders: &[&str]) -> (TempDir, RecordedHost) {
        let (folder, host) = recorded(&[]);
        for (path, bytes) in files {
            write(folder.path(), path, bytes);
        }
        (folder, host.with_certificate_folders(folders.iter().map(|folder| (*folder).to_owned()).collect()))
    }

    fn write(root: &Path, path: &str, bytes: &[u8]) {
        let path = root.join(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, bytes).unwrap();
    }

    /// Paths of the certificates, and what was wrong.
    fn told(host: &dyn Host) -> (Vec<String>, Vec<String>) {
        let SectionPart { items, problems } = CertificateSource.collect(host);
        let path = |item: Item| match item.kind {
            ItemKind::Certificate(certificate) => certificate.path.unwrap(),
            other => panic!("{other:?}"),
        };
        let mut paths: Vec<String> = items.into_iter().map(path).collect();
        paths.sort();
        let entries = problems.into_entries().into_iter();
        (paths, entries.map(|entry| format!("{}: {}", entry.subject, entry.message)).collect())
    }

    #[test]
    fn a_certificate_tells_whose_it_is_and_until_when() {
        let (pem, key, der) = made("web1.example.org");
        let both = format!("{key}# the server's own\n{pem}");
        for bytes in [pem.as_bytes(), &der, both.as_bytes(), pem.replace('\n', "\r\n").as_bytes()] {
            let (_folder, host) = machine(&[("etc/nginx/tls/web1.crt", bytes)], USUAL);
            let SectionPart { items, problems } = CertificateSource.collect(&host);
            assert!(problems.is_empty(), "{problems:?}");
            let [Item { kind: ItemKind::Certificate(found), .. }] = &items[..] else { panic!("{items:?}") };
            let digest = ring::digest::digest(&ring::digest::SHA256, &der);
            let expected = Certificate {
                fingerprint: digest.as_ref().iter().map(|byte| format!("{byte:02x}")).collect(),
                subject: Some("CN=web1.example.org".to_owned()),
                issuer: Some("CN=web1.example.org".to_owned()),
                serial: Some("0abc".to_owned()),
                not_before: Some(muster_common::time::EndpointTime::from_millis(1_767_225_600_000)),
                not_after: Some(muster_common::time::EndpointTime::from_millis(1_798_761_600_000)),
                names: vec!["web1.example.org".to_owned(), "192.0.2.7".to_owned()],
                path: Some("/etc/nginx/tls/web1.crt".to_owned()),
            };
            assert_eq!(*found, expected);
        }
    }

    #[test]
    fn off_until_folders_are_named() {
        let (pem, ..) = made("a");
        let (_folder, host) = machine(&[("etc/nginx/a.pem", pem.as_bytes())], &[]);
        let part = CertificateSource.collect(&host);
        assert!(part.items.is_empty() && !part.problems.anything_missing() && part.problems.count() == 1);
    }

    #[test]
    fn a_chain_has_each_once_and_a_bad_one_costs_itself() {
        let ((one, key, der), (two, ..), (three, ..)) = (made("one"), made("two"), made("three"));
        let bad = two.replacen("MII", "\u{7f}II", 1);
        let mut spoilt = der.clone();
        spoilt[6] ^= 0x40;
        let cut = &three[..three.len() - 40];
        let full = format!("{one}{bad}{three}{cut}");
        let (_folder, host) = machine(
            &[
                ("etc/letsencrypt/live/a/cert.pem", one.as_bytes()),
                ("etc/letsencrypt/live/a/fullchain.pem", full.as_bytes()),
                ("etc/letsencrypt/live/a/privkey.pem", one.as_bytes()),
                ("etc/letsencrypt/live/README", b"read me"),
                ("etc/nginx/b.der", &spoilt),
                ("etc/nginx/c.crt", b"not a certificate"),
                ("etc/nginx/dhparam.pem", b"-----BEGIN DH PARAMETERS-----\n-----END DH PARAMETERS-----\n"),
                ("etc/nginx/empty.pem", b""),
                ("etc/nginx/key.crt", key.as_bytes()),
                ("etc/nginx/large.pem", &vec![b'x'; FILE_LIMIT + 1]),
                ("etc/nginx/store.pem", one.repeat(CHAIN_LIMIT + 1).as_bytes()),
                ("etc/nginx/odd.pem/x.pem", two.as_bytes()),
            ],
            &["etc/letsencrypt/live", "etc/nginx", "etc/missing"],
        );
        let (paths, problems) = told(&host);
        assert_eq!(
            paths,
            [
                "/etc/letsencrypt/live/a/cert.pem",
                "/etc/letsencrypt/live/a/fullchain.pem",
                "/etc/nginx/odd.pem/x.pem"
            ]
        );
        assert_eq!(
            problems,
            [
                "etc/letsencrypt/live/a/fullchain.pem: a certificate in it is not written in Base64",
                "etc/letsencrypt/live/a/fullchain.pem: a certificate in it has no end",
                "etc/nginx/b.der: a certificate in it does not have the form of X.509",
                "etc/nginx/c.crt: it is neither a PEM file nor a DER certificate",
                "etc/nginx/large.pem: etc/nginx/large.pem is larger than 262144 bytes",
                "etc/nginx/store.pem: it has more than 32 certificates, as stores of authorities have: not told",
            ]
        );
    }

    #[test]
    fn neither_keys_nor_the_systems_authorities_are_told() {
        let [(one, ..), (two, ..), (three, ..)] = ["one", "two", "three"].map(made);
        let (folder, host) = machine(
            &[
                ("etc/ssl/private/a.pem", one.as_bytes()),
                ("etc/ssl/certs/ca-certificates.crt", one.as_bytes()),
                ("usr/share/ca-certificates/b.crt", one.as_bytes()),
                ("etc/ssl/certs/own.pem", two.as_bytes()),
                ("etc/ssl/server.pem", three.as_bytes()),
                ("var/lib/ca-certificates/pem/d.pem", one.as_bytes()),
                ("etc/letsencrypt/archive/a/cert1.pem", one.as_bytes()),
            ],
            USUAL,
        );
        let link = |target: &str, path: &str| {
            let path = folder.path().join(path);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            symlink(target, path).unwrap();
        };
        link("/usr/share/ca-certificates/b.crt", "etc/ssl/certs/b.pem");
        link("/var/lib/ca-certificates/pem", "etc/pki/tls/certs");
        assert_eq!(
            told(&host),
            (vec!["/etc/ssl/certs/own.pem".to_owned(), "/etc/ssl/server.pem".to_owned()], Vec::new())
        );
        // Elsewhere links are how things are done.
        link("../../archive/a/cert1.pem", "etc/letsencrypt/live/a/cert.pem");
        link("/nowhere", "etc/letsencrypt/live/a/chain.pem");
        assert_eq!(told(&host).0[0], "/etc/letsencrypt/live/a/cert.pem");
    }

    #[test]
    fn a_tree_without_end_ends() {
        let (pem, ..) = made("a");
        let (folder, host) = machine(&[("etc/nginx/a/b.pem", pem.as_bytes())], USUAL);
        symlink("..", folder.path().join("etc/nginx/a/up")).unwrap();
        let (paths, problems) = told(&host);
        assert_eq!((paths.len(), problems), (1, Vec::new()));

        for number in 0..FOLDERS_LIMIT {
            fs::create_dir_all(folder.path().join(format!("etc/nginx/b{number}"))).unwrap();
        }
        let (_, problems) = told(&host);
        assert_eq!(problems.len(), 1, "{problems:?}");
        assert!(
            problems[0].ends_with("more folders, files or certificates than the agent reads"),
            "{problems:?}"
        );
    }
}
