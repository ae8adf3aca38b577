//! Runs the program in a home of its own, with an identity that the test makes.

use std::{
    fs,
    path::{Path, PathBuf},
    process::Command,
};

use rcgen::{BasicConstraints, CertificateParams, ExtendedKeyUsagePurpose, IsCa, Issuer, KeyPair};
use tempfile::TempDir;
use time::{Duration, OffsetDateTime};

/// A folder with a configuration, key, certificate and roots.
pub(crate) struct Home {
    folder: TempDir,
}

/// What the program did.
pub(crate) struct Outcome {
    pub(crate) code: Option<i32>,
    pub(crate) output: String,
    pub(crate) errors: String,
}

impl Home {
    /// A home in which `authority` has given us a certificate and is trusted.
    pub(crate) fn new(address: &str, authority: &Authority, validity: Validity) -> Self {
        let home = Self { folder: tempfile::tempdir().unwrap() };
        let (certificate, key) = authority.issue(validity, ExtendedKeyUsagePurpose::ClientAuth);
        home.write("key.pem", &key);
        home.write("certificate.pem", &certificate);
        home.write("roots.pem", &authority.pem);
        home.write("config.toml", &format!("address = \"{address}\"\n"));
        home
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// Writes a private file.
    pub(crate) fn write(&self, name: &str, text: &str) {
        muster_proto::private_file::write(&self.path(name), text.as_bytes()).unwrap();
    }

    /// Runs the program with this home's configuration.
    pub(crate) fn run(&self, words: &[&str]) -> Outcome {
        let config = self.path("config.toml");
        run(self.folder.path(), &[&["--config", config.to_str().unwrap()], words].concat())
    }
}

/// Runs the program in an environment without anything of the person who runs the tests.
pub(crate) fn run(home: &Path, words: &[&str]) -> Outcome {
    let done = Command::new(env!("CARGO_BIN_EXE_muster"))
        .args(words)
        .env_clear()
        .env("HOME", home)
        .current_dir(home)
        .output()
        .unwrap();
    Outcome {
        code: done.status.code(),
        output: String::from_utf8(done.stdout).unwrap(),
        errors: String::from_utf8(done.stderr).unwrap(),
    }
}

impl Outcome {
    /// Checks the exit code and that each word stands in standard error; nothing went to standard output.
    #[track_caller]
    pub(crate) fn check_failed(&self, code: i32, words: &[&str]) {
        assert_eq!((self.code, self.output.as_str()), (Some(code), ""), "{}", self.errors);
        for word in words {
            assert!(self.errors.contains(word), "{word:?} is not in {}", self.errors);
        }
    }
}

impl Outcome {
    /// Checks the exit code and that each word stands in standard error, whatever went to standard output.
    #[track_caller]
    pub(crate) fn check_failed_beside_answer(&self, code: i32, words: &[&str]) {
        assert_eq!(self.code, Some(code), "{}", self.errors);
        for word in words {
            assert!(self.errors.contains(word), "{word:?} is not in {}", self.errors);
        }
    }
}

/// Whether a certificate is good now.
#[derive(Clone, Copy)]
pub(crate) enum Validity {
    Good,
    Expired,
}

/// A CA that the test makes.
pub(crate) struct Authority {
    issuer: Issuer<'static, KeyPair>,
    pub(crate) pem: String,
}

impl Authority {
    pub(crate) fn new() -> Self {
        let key = KeyPair::generate().unwrap();
        let mut params = CertificateParams::new(Vec::new()).unwrap();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let pem = params.self_signed(&key).unwrap().pem();
        Self { issuer: Issuer::new(params, key), pem }
    }

    /// Certificate and key in PEM form, for `localhost`.
    pub(crate) fn issue(&self, validity: Validity, usage: ExtendedKeyUsagePurpose) -> (String, String) {
        let key = KeyPair::generate().unwrap();
        let mut params = CertificateParams::new(vec!["localhost".to_owned()]).unwrap();
        let now = OffsetDateTime::now_utc();
        let end = match validity {
            Validity::Good => now + Duration::days(1),
            Validity::Expired => now - Duration::days(1),
        };
        (params.not_before, params.not_after) = (now - Duration::days(2), end);
        params.extended_key_usages = vec![usage];
        (params.signed_by(&key, &self.issuer).unwrap().pem(), key.serialize_pem())
    }
}

/// The mode of a file, for those who may have it wrong.
pub(crate) fn make_readable(path: &Path) {
    use std::os::unix::fs::PermissionsExt;
    fs::set_permissions(path, fs::Permissions::from_mode(0o644)).unwrap();
}
