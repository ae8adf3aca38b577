//! The authority: a root, and three issuing authorities under it, as files in one folder.
//!
//! `init` makes them once; `load` reads what serving needs, which is not the root's key: that may lie elsewhere. The
//! files are `authority.toml` (trust domain and the server's names), `root.pem`, `root-key.pem` and, for each of agents,
//! access and servers, `NAME.pem` and `NAME-key.pem`. Knows nothing of who should get a certificate.

use std::{
    fs,
    path::{Path, PathBuf},
};

use muster_common::{
    time::Timestamp,
    trust::{
        name::{PeerName, TrustDomain},
        token::RootPin,
    },
};
use muster_proto::{
    client::files::{IdentityFilesError, read_certificates},
    private_file::{self, PrivateFileError},
};
use rcgen::{Issuer, KeyPair, PKCS_ECDSA_P256_SHA256, PKCS_ECDSA_P384_SHA384, PublicKeyData};
use rustls::pki_types::{CertificateDer, PrivateKeyDer, PrivatePkcs8KeyDer, ServerName};
use serde::{Deserialize, Serialize};

use crate::tls::{
    peer::{self, Validity},
    profile::{self, ProfileError, Purpose},
    request::{self, RequestedKey},
};

const SETTINGS_FILE: &str = "authority.toml";

/// Why the authority can't be made, read or used.
#[derive(Debug, thiserror::Error)]
pub enum AuthorityError {
    /// `init` never replaces an authority.
    #[error(
        "{path} exists already; an authority is made once (to start anew, move it away: every agent must then enrol again)"
    )]
    Exists {
        /// The folder.
        path: PathBuf,
    },
    /// A server without a name can't be called.
    #[error("a collector needs at least one DNS name or address that agents call it by (give --name)")]
    NoNames,
    /// A file is missing, unsafe or unreadable.
    #[error(transparent)]
    File(#[from] PrivateFileError),
    /// A certificate file is missing, unsafe or unreadable.
    #[error(transparent)]
    Certificate(#[from] IdentityFilesError),
    /// The folder could not be prepared.
    #[error("clearing {path} failed")]
    Clear {
        /// The folder.
        path: PathBuf,
        /// The system's answer.
        #[source]
        source: std::io::Error,
    },
    /// `authority.toml` is not as `init` wrote it.
    #[error("{path} can't be used; expected trust_domain and names as init wrote them")]
    Settings {
        /// The file.
        path: PathBuf,
        /// Line and key.
        #[source]
        source: Box<dyn std::error::Error + Send + Sync>,
    },
    /// A key file holds no key that signs.
    #[error("{path} holds no usable private key")]
    Key {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        #[source]
        source: rcgen::Error,
    },
    /// A certificate that can't be read.
    #[error("{path} holds no usable authority certificate")]
    Unreadable {
        /// The file.
        path: PathBuf,
    },
    /// A key that belongs to another certificate.
    #[error("{key} is not the key of {certificate}; restore both from the same backup")]
    Mismatch {
        /// The key file.
        key: PathBuf,
        /// The certificate file.
        certificate: PathBuf,
    },
    /// An issuing authority past its end.
    #[error("the {purpose} authority ended at {ended}; rotate it with the root's key")]
    Ended {
        /// Which.
        purpose: &'static str,
        /// Its last moment.
        ended: Timestamp,
    },
    /// What the certificate should say can't be said.
    #[error(transparent)]
    Profile(#[from] ProfileError),
    /// Signing failed.
    #[error("a certificate could not be signed")]
    Sign(#[source] rcgen::Error),
}

/// `authority.toml`.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Settings {
    /// For ever: every name in every certificate begins with it.
    trust_domain: String,
    /// What agents and operators call this collector by; may be edited, and is read at the next start.
    names: Vec<String>,
}

/// A certificate that was just made.
#[derive(Debug, Clone)]
pub struct Issued {
    /// The certificate, then its issuer's.
    pub chain: Vec<CertificateDer<'static>>,
    /// Serial number, begin, end and fingerprint.
    pub validity: Validity,
}

/// A server's certificate and its key, which is never written down: each start makes a new one.
#[derive(Debug)]
pub struct IssuedServer {
    /// Certificate and issuer.
    pub issued: Issued,
    /// The private key, PKCS#8; its `Debug` hides it.
    pub key: PrivateKeyDer<'static>,
}

/// One issuing authority, able to sign.
struct Issuing {
    purpose: Purpose,
    certificate: CertificateDer<'static>,
    not_after: Timestamp,
    issuer: Issuer<'static, KeyPair>,
}

/// The root's certificate and the three issuing authorities.
pub struct Authority {
    trust_domain: TrustDomain,
    names: Vec<ServerName<'static>>,
    root: CertificateDer<'static>,
    root_pin: RootPin,
    agents: Issuing,
    access: Issuing,
    servers: Issuing,
}

impl std::fmt::Debug for Authority {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Authority")
            .field("trust_domain", &self.trust_domain)
            .field("names", &self.names)
            .field("root_pin", &self.root_pin)
            .finish_non_exhaustive()
    }
}

/// Makes a root and its three issuing authorities in a new folder, all or nothing, and loads them.
///
/// `names` are what clients call the collector by. A folder that exists is left alone.
pub fn init(
    folder: &Path,
    trust_domain: &TrustDomain,
    names: &[ServerName<'static>],
    now: Timestamp,
) -> Result<Authority, AuthorityError> {
    if names.is_empty() {
        return Err(AuthorityError::NoNames);
    }
    if fs::symlink_metadata(folder).is_ok() {
        return Err(AuthorityError::Exists { path: folder.to_owned() });
    }
    let staging = folder.with_extension("new");
    match fs::remove_dir_all(&staging) {
        Err(source) if source.kind() != std::io::ErrorKind::NotFound => {
            return Err(AuthorityError::Clear { path: staging, source });
        }
        // Gone now, or what an interrupted init left behind is.
        Ok(()) | Err(_) => {}
    }
    private_file::make_folder(&staging)?;

    let settings = Settings {
        trust_domain: trust_domain.to_string(),
        names: names.iter().map(|name| name.to_str().into_owned()).collect(),
    };
    let text =
        toml::to_string(&settings).map_err(|source| settings_error(&staging.join(SETTINGS_FILE), source))?;
    private_file::write(&staging.join(SETTINGS_FILE), text.as_bytes())?;

    let root_key = KeyPair::generate_for(&PKCS_ECDSA_P384_SHA384).map_err(AuthorityError::Sign)?;
    let root_params = profile::root(trust_domain, now)?;
    let root = root_params.self_signed(&root_key).map_err(AuthorityError::Sign)?;
    write_pair(&staging, "root", &root.pem(), &root_key)?;
    let root_issuer = Issuer::new(root_params, root_key);
    for purpose in Purpose::ALL {
        let key = KeyPair::generate_for(&PKCS_ECDSA_P256_SHA256).map_err(AuthorityError::Sign)?;
        let certificate = profile::issuing(purpose, trust_domain, now)?
            .signed_by(&key, &root_issuer)
            .map_err(AuthorityError::Sign)?;
        write_pair(&staging, purpose.as_str(), &certificate.pem(), &key)?;
    }
    private_file::rename(&staging, folder)?;
    load(folder)
}

/// Reads the authority of a folder, refusing unsafe files; the root's key is not used and may be elsewhere.
pub fn load(folder: &Path) -> Result<Authority, AuthorityError> {
    private_file::check_folder(folder)?;
    let path = folder.join(SETTINGS_FILE);
    let bytes = private_file::read(&path)?;
    let text = std::str::from_utf8(&bytes).map_err(|source| settings_error(&path, source))?;
    let settings: Settings = toml::from_str(text).map_err(|source| settings_error(&path, source))?;
    let names = settings
        .names
        .into_iter()
        .map(|name| ServerName::try_from(name).map_err(|source| settings_error(&path, source)))
        .collect::<Result<Vec<_>, _>>()?;
    if names.is_empty() {
        return Err(AuthorityError::NoNames);
    }
    let trust_domain = settings.trust_domain.parse().map_err(|source| settings_error(&path, source))?;
    match private_file::read(&folder.join("root-key.pem")) {
        // Serving does without it, but not with one that others may have read.
        Ok(_) | Err(PrivateFileError::Missing { .. }) => {}
        Err(error) => return Err(error.into()),
    }
    let (root, _) = read_authority_certificate(&folder.join("root.pem"))?;
    let root_pin = peer::spki(&root)
        .map(|spki| request::pin(&spki))
        .ok_or_else(|| AuthorityError::Unreadable { path: folder.join("root.pem") })?;
    Ok(Authority {
        trust_domain,
        names,
        root,
        root_pin,
        agents: Issuing::load(folder, Purpose::Agents)?,
        access: Issuing::load(folder, Purpose::Access)?,
        servers: Issuing::load(folder, Purpose::Servers)?,
    })
}

impl Authority {
    /// The organisation of all its names.
    pub fn trust_domain(&self) -> &TrustDomain {
        &self.trust_domain
    }

    /// What clients call this collector by.
    pub fn names(&self) -> &[ServerName<'static>] {
        &self.names
    }

    /// The root's certificate: what agents and operators trust.
    pub fn root(&self) -> &CertificateDer<'static> {
        &self.root
    }

    /// The root's pin, for enrolment strings.
    pub fn root_pin(&self) -> RootPin {
        self.root_pin
    }

    /// The issuing authorities whose clients are let in for a purpose; one now, two while one is rotated.
    pub fn anchors(&self, purpose: Purpose) -> Vec<CertificateDer<'static>> {
        vec![self.issuing(purpose).certificate.clone()]
    }

    /// Signs a client's certificate for a key whose holder has proven to have it.
    pub fn issue_client(
        &self,
        name: &PeerName,
        key: &RequestedKey,
        now: Timestamp,
    ) -> Result<Issued, AuthorityError> {
        self.sign_client(name, key.public_key(), now)
    }

    /// Signs a client's certificate for a key that was made here.
    pub(crate) fn sign_client(
        &self,
        name: &PeerName,
        key: &impl PublicKeyData,
        now: Timestamp,
    ) -> Result<Issued, AuthorityError> {
        let issuing = self.issuing(Purpose::of_client(name));
        let not_after = issuing.end(now, profile::client_lifetime(name))?;
        issuing.sign(profile::client(name, &self.trust_domain, now, not_after)?, key)
    }

    /// Makes a key and a certificate for this collector as a server.
    pub fn issue_server(&self, now: Timestamp) -> Result<IssuedServer, AuthorityError> {
        let key = KeyPair::generate_for(&PKCS_ECDSA_P256_SHA256).map_err(AuthorityError::Sign)?;
        let not_after = self.servers.end(now, profile::COLLECTOR_LIFETIME)?;
        let issued = self.servers.sign(profile::server(&self.names, now, not_after)?, &key)?;
        Ok(IssuedServer { issued, key: PrivatePkcs8KeyDer::from(key.serialize_der()).into() })
    }

    fn issuing(&self, purpose: Purpose) -> &Issuing {
        match purpose {
            Purpose::Agents => &self.agents,
            Purpose::Access => &self.access,
            Purpose::Servers => &self.servers,
        }
    }
}

impl Issuing {
    fn load(folder: &Path, purpose: Purpose) -> Result<Self, AuthorityError> {
        let (certificate_path, key_path) = pair(folder, purpose.as_str());
        let (certificate, validity) = read_authority_certificate(&certificate_path)?;
        let unreadable_key = |source| AuthorityError::Key { path: key_path.clone(), source };
        let pem = private_file::read(&key_path)?;
        let text =
            std::str::from_utf8(&pem).map_err(|_| unreadable_key(rcgen::Error::CouldNotParseKeyPair))?;
        let key = KeyPair::from_pem(text).map_err(unreadable_key)?;
        if peer::spki(&certificate) != Some(key.subject_public_key_info()) {
            return Err(AuthorityError::Mismatch { key: key_path, certificate: certificate_path });
        }
        let issuer = Issuer::from_ca_cert_der(&certificate, key)
            .map_err(|_| AuthorityError::Unreadable { path: certificate_path })?;
        Ok(Self { purpose, certificate, not_after: validity.not_after, issuer })
    }

    /// The last moment of a certificate made now: its lifetime, but never past its issuer's end.
    fn end(&self, now: Timestamp, lifetime: std::time::Duration) -> Result<Timestamp, AuthorityError> {
        if now >= self.not_after {
            return Err(AuthorityError::Ended { purpose: self.purpose.as_str(), ended: self.not_after });
        }
        Ok(now.after(lifetime).min(self.not_after))
    }

    fn sign(
        &self,
        params: rcgen::CertificateParams,
        key: &impl PublicKeyData,
    ) -> Result<Issued, AuthorityError> {
        let certificate = params.signed_by(key, &self.issuer).map_err(AuthorityError::Sign)?;
        let validity = Validity::read(certificate.der())
            .ok_or(AuthorityError::Sign(rcgen::Error::CouldNotParseCertificate))?;
        Ok(Issued { chain: vec![certificate.der().clone(), self.certificate.clone()], validity })
    }
}

fn pair(folder: &Path, name: &str) -> (PathBuf, PathBuf) {
    (folder.join(format!("{name}.pem")), folder.join(format!("{name}-key.pem")))
}

fn write_pair(folder: &Path, name: &str, certificate: &str, key: &KeyPair) -> Result<(), AuthorityError> {
    let (certificate_path, key_path) = pair(folder, name);
    let pem = zeroize::Zeroizing::new(key.serialize_pem());
    private_file::write(&key_path, pem.as_bytes())?;
    private_file::write(&certificate_path, certificate.as_bytes())?;
    Ok(())
}

fn read_authority_certificate(path: &Path) -> Result<(CertificateDer<'static>, Validity), AuthorityError> {
    let certificate = read_certificates(path)?.swap_remove(0);
    let validity =
        Validity::read(&certificate).ok_or_else(|| AuthorityError::Unreadable { path: path.to_owned() })?;
    Ok((certificate, validity))
}

fn settings_error(
    path: &Path,
    source: impl Into<Box<dyn std::error::Error + Send + Sync>>,
) -> AuthorityError {
    AuthorityError::Settings { path: path.to_owned(), source: source.into() }
}
