//! The authority's files: made once, safe, and refused when they are not; and what its certificates say.

use std::{
    fs,
    os::unix::fs::{PermissionsExt, symlink},
    path::Path,
    time::Duration,
};

use muster_collector::tls::{
    authority::{self, AuthorityError},
    profile::{AGENT_LIFETIME, BACKDATE, ISSUING_LIFETIME},
    request::RequestedKey,
};
use muster_common::{id::AgentId, trust::name::PeerName};
use muster_proto::private_file::PrivateFileError;
use rcgen::{BasicConstraints, CertificateParams, IsCa, KeyPair, SanType};
use x509_parser::{certificate::X509Certificate, prelude::FromDer};

use super::{Bed, NOW, date, localhost, trust_domain};

fn mode(path: &Path) -> u32 {
    fs::metadata(path).unwrap().permissions().mode() & 0o7777
}

fn set_mode(path: &Path, mode: u32) {
    fs::set_permissions(path, fs::Permissions::from_mode(mode)).unwrap();
}

#[test]
fn init_makes_private_files_once() {
    let bed = Bed::new();
    assert_eq!(mode(&bed.path), 0o700);
    let mut names: Vec<_> = fs::read_dir(&bed.path)
        .unwrap()
        .map(|entry| {
            let entry = entry.unwrap();
            assert_eq!(mode(&entry.path()), 0o600, "{:?}", entry.path());
            entry.file_name().into_string().unwrap()
        })
        .collect();
    names.sort();
    assert_eq!(
        names,
        [
            "access-key.pem",
            "access.pem",
            "agents-key.pem",
            "agents.pem",
            "authority.toml",
            "root-key.pem",
            "root.pem",
            "servers-key.pem",
            "servers.pem"
        ]
    );
    let again = authority::init(&bed.path, &trust_domain(), &[localhost()], NOW);
    assert!(matches!(again, Err(AuthorityError::Exists { .. })), "{again:?}");
    assert_eq!(authority::load(&bed.path).unwrap().root(), bed.authority.root());
}

#[test]
fn an_interrupted_init_leaves_nothing_in_the_way() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("authority");
    fs::create_dir(path.with_extension("new")).unwrap();
    fs::write(path.with_extension("new").join("root.pem"), "half").unwrap();
    assert!(authority::init(&path, &trust_domain(), &[localhost()], NOW).is_ok());
    assert!(matches!(
        authority::init(&folder.path().join("b"), &trust_domain(), &[], NOW),
        Err(AuthorityError::NoNames)
    ));
}

#[test]
fn the_root_key_may_be_elsewhere() {
    let bed = Bed::new();
    fs::remove_file(bed.path.join("root-key.pem")).unwrap();
    assert!(authority::load(&bed.path).is_ok());
}

#[test]
fn unsafe_or_damaged_files_are_refused_with_a_reason() {
    type Case = (&'static str, fn(&Path), fn(&AuthorityError) -> bool);
    let cases: [Case; 10] = [
        (
            "a root key that others may read",
            |folder| set_mode(&folder.join("root-key.pem"), 0o640),
            |error| matches!(error, AuthorityError::File(PrivateFileError::Mode { mode: 0o640, .. })),
        ),
        (
            "a key that others may read",
            |folder| set_mode(&folder.join("agents-key.pem"), 0o644),
            |error| matches!(error, AuthorityError::File(PrivateFileError::Mode { mode: 0o644, .. })),
        ),
        (
            "a key by symbolic link",
            |folder| {
                let (key, moved) = (folder.join("access-key.pem"), folder.join("moved"));
                fs::rename(&key, &moved).unwrap();
                symlink(&moved, &key).unwrap();
            },
            |error| matches!(error, AuthorityError::File(PrivateFileError::Symlink { .. })),
        ),
        (
            "a folder that others may write into",
            |folder| set_mode(folder, 0o777),
            |error| matches!(error, AuthorityError::File(PrivateFileError::Mode { .. })),
        ),
        (
            "a folder by symbolic link",
            |folder| {
                let moved = folder.with_file_name("moved");
                fs::rename(folder, &moved).unwrap();
                symlink(&moved, folder).unwrap();
            },
            |error| matches!(error, AuthorityError::File(PrivateFileError::Symlink { .. })),
        ),
        (
            "a missing key",
            |folder| fs::remove_file(folder.join("servers-key.pem")).unwrap(),
            |error| matches!(error, AuthorityError::File(PrivateFileError::Missing { .. })),
        ),
        (
            "the key of another",
            |folder| {
                fs::copy(folder.join("access-key.pem"), folder.join("agents-key.pem")).unwrap();
            },
            |error| matches!(error, AuthorityError::Mismatch { .. }),
        ),
        (
            "a key that is none",
            |folder| fs::write(folder.join("agents-key.pem"), "hello").unwrap(),
            |error| matches!(error, AuthorityError::Key { .. }),
        ),
        (
            "settings with an unknown key",
            |folder| {
                fs::write(folder.join("authority.toml"), "trust_domain = \"a\"\nnames = [\"a\"]\nx = 1")
                    .unwrap()
            },
            |error| matches!(error, AuthorityError::Settings { .. }),
        ),
        (
            "a trust domain that is none",
            |folder| {
                fs::write(folder.join("authority.toml"), "trust_domain = \"A B\"\nnames = [\"a\"]").unwrap()
            },
            |error| matches!(error, AuthorityError::Settings { .. }),
        ),
    ];
    for (name, spoil, expected) in cases {
        let bed = Bed::new();
        spoil(&bed.path);
        let error = authority::load(&bed.path).unwrap_err();
        assert!(expected(&error), "{name}: {error:?}");
    }
}

/// A request that asks for everything.
fn greedy_request() -> RequestedKey {
    let mut params = CertificateParams::default();
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    params.subject_alt_names =
        vec![SanType::URI("spiffe://muster.example.org/operator/admin".try_into().unwrap())];
    params.not_after = date(NOW.after(Duration::from_secs(10 * 365 * 24 * 60 * 60)));
    let request = params.serialize_request(&KeyPair::generate().unwrap()).unwrap();
    RequestedKey::from_der(request.der()).unwrap()
}

#[test]
fn a_certificate_says_what_the_collector_decided_and_no_more() {
    let bed = Bed::new();
    let name = PeerName::Agent(AgentId::random());
    let key = greedy_request();
    let issued = bed.authority.issue_client(&name, &key, NOW).unwrap();
    assert_eq!(issued.chain.len(), 2);
    let (_, certificate) = X509Certificate::from_der(&issued.chain[0]).unwrap();
    assert!(!certificate.is_ca());
    assert!(certificate.subject().iter().next().is_none());
    let names = &certificate.subject_alternative_name().unwrap().unwrap().value.general_names;
    let expected = name.to_uri(&trust_domain());
    assert!(matches!(names.as_slice(), [x509_parser::extensions::GeneralName::URI(uri)] if *uri == expected));
    let usage = certificate.extended_key_usage().unwrap().unwrap().value;
    assert!(usage.client_auth && !usage.server_auth && !usage.any && usage.other.is_empty());
    assert_eq!(issued.validity.not_before, NOW.before(BACKDATE));
    assert_eq!(issued.validity.not_after, NOW.after(AGENT_LIFETIME));
    let other = bed.authority.issue_client(&name, &key, NOW).unwrap();
    assert_ne!(other.validity.serial, issued.validity.serial);
    assert!((26..=34).contains(&issued.validity.serial.len()), "{}", issued.validity.serial);
}

#[test]
fn no_certificate_outlives_its_authority() {
    let bed = Bed::new();
    let name = PeerName::Agent(AgentId::random());
    let key = greedy_request();
    let end = NOW.after(ISSUING_LIFETIME);
    let late = bed.authority.issue_client(&name, &key, end.before(Duration::from_secs(60))).unwrap();
    assert_eq!(late.validity.not_after, end);
    let ended = bed.authority.issue_client(&name, &key, end);
    assert!(matches!(ended, Err(AuthorityError::Ended { purpose: "agents", .. })), "{ended:?}");
}
