//! The identity of an enrolled agent: names, key, certificate, trusted roots and lineage, in one text.
//!
//! One file and not five, so that a rename swaps all of it at once. What comes from the collector is checked before it
//! replaces anything: a certificate must be for our key, and a new set of roots must share one with the old.

use muster_common::{
    id::{AgentId, DeviceId},
    time::Timestamp,
    trust::token::RootPin,
};
use muster_proto::{
    client::{files::MAX_CERTIFICATES, tls::ClientIdentity},
    v1,
};
use ring::digest::{SHA256, digest};
use rustls::pki_types::{CertificateDer, PrivateKeyDer, pem::PemObject};
use serde::{Deserialize, Serialize};
use x509_parser::{certificate::X509Certificate, prelude::FromDer};
use zeroize::Zeroizing;

use crate::credentials::{pending::PendingEnrollment, renewal::Lifetime};

/// The version of the file's form.
const FORM: u32 = 1;
/// No lineage value is longer, in bytes.
pub const MAX_LINEAGE_BYTES: usize = 64;
/// No certificate is longer, in bytes.
const MAX_CERTIFICATE_BYTES: usize = 16 * 1024;

/// Why an identity is not accepted.
#[derive(Debug, thiserror::Error)]
pub enum IdentityError {
    /// The file is not as it was written.
    #[error("the identity is damaged: {0}; restore it, or remove it and enrol again with a new token")]
    Damaged(String),
    /// A later version wrote it.
    #[error(
        "the identity has form {found}, and this version knows form {FORM}; install the later version again"
    )]
    Form {
        /// The form of the file.
        found: u32,
    },
    /// The collector's answer lacks a field, or holds something else there.
    #[error("the collector's answer has no usable {field}; is it of another version?")]
    Answer {
        /// Which.
        field: &'static str,
    },
    /// No certificate, too many, or one that can't be read.
    #[error("the {what} holds no usable certificates")]
    Certificates {
        /// `certificate chain` or `trust bundle`.
        what: &'static str,
    },
    /// The certificate is for another key.
    #[error("the certificate is for another key than ours")]
    OtherKey,
    /// The private key can't be read.
    #[error("the private key can't be read")]
    Key,
    /// A set of roots without the root that enrolment was pinned on.
    #[error("the trust bundle does not hold the root that the enrolment string names")]
    PinnedRootMissing,
    /// A set of roots that shares none with ours: whoever sent it, we would trust strangers alone.
    #[error("the new trust bundle holds none of the roots that are trusted now")]
    StrangersAlone,
    /// An older set of roots than ours.
    #[error("the trust bundle has version {found}, which is not later than {ours}")]
    OldBundle {
        /// Its version.
        found: u64,
        /// Ours.
        ours: u64,
    },
    /// Longer than [`MAX_LINEAGE_BYTES`].
    #[error("the lineage value is longer than {MAX_LINEAGE_BYTES} bytes")]
    Lineage,
}

/// The roots that an agent trusts; never empty.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TrustBundle {
    version: u64,
    roots: Vec<CertificateDer<'static>>,
}

impl TrustBundle {
    /// Takes 1 to [`MAX_CERTIFICATES`] roots in DER.
    pub fn new(version: u64, roots: Vec<Vec<u8>>) -> Result<Self, IdentityError> {
        Ok(Self { version, roots: certificates("trust bundle", roots)? })
    }

    /// Counts up with each change.
    pub fn version(&self) -> u64 {
        self.version
    }

    /// The roots.
    pub fn roots(&self) -> &[CertificateDer<'static>] {
        &self.roots
    }

    /// Takes a bundle as it came over the wire.
    pub fn from_wire(bundle: v1::TrustBundle) -> Result<Self, IdentityError> {
        let v1::TrustBundle { version, roots } = bundle;
        Self::new(version, roots)
    }

    /// Refuses a first bundle that lacks the pinned root.
    pub fn check_pin(&self, pin: RootPin) -> Result<(), IdentityError> {
        if self.roots.iter().any(|root| root_pin(root) == Some(pin)) {
            Ok(())
        } else {
            Err(IdentityError::PinnedRootMissing)
        }
    }

    /// Refuses a later bundle that is not later, or that shares no root's key with this one.
    pub fn check_successor(&self, next: &Self) -> Result<(), IdentityError> {
        if next.version <= self.version {
            return Err(IdentityError::OldBundle { found: next.version, ours: self.version });
        }
        let shared = next.roots.iter().any(|root| {
            let pin = root_pin(root);
            pin.is_some() && self.roots.iter().any(|ours| root_pin(ours) == pin)
        });
        if shared { Ok(()) } else { Err(IdentityError::StrangersAlone) }
    }
}

/// The pin of a certificate: SHA-256 of its SubjectPublicKeyInfo.
pub fn root_pin(certificate: &CertificateDer<'_>) -> Option<RootPin> {
    let digest = digest(&SHA256, &spki(certificate)?);
    digest.as_ref().try_into().ok().map(RootPin::from_digest)
}

/// Who this agent is. Its `Debug` hides the key.
#[derive(Clone)]
pub struct Identity {
    /// The name in the certificate.
    pub agent_id: AgentId,
    /// The device that the collector reported for it when it enrolled.
    pub device_id: DeviceId,
    /// Shown at the next connect; each session brings a new one.
    pub lineage: Vec<u8>,
    /// The roots that the collector's chain must end in.
    pub trust: TrustBundle,
    chain: Vec<CertificateDer<'static>>,
    key_pem: Zeroizing<String>,
    lifetime: Lifetime,
}

impl Identity {
    /// Puts together what the collector answered, and checks that the certificate is for our key.
    pub fn new(
        agent_id: AgentId,
        device_id: DeviceId,
        chain: Vec<Vec<u8>>,
        key_pem: Zeroizing<String>,
        trust: TrustBundle,
        lineage: Vec<u8>,
    ) -> Result<Self, IdentityError> {
        if lineage.len() > MAX_LINEAGE_BYTES {
            return Err(IdentityError::Lineage);
        }
        let chain = certificates("certificate chain", chain)?;
        let leaf = chain.first().ok_or(IdentityError::Certificates { what: "certificate chain" })?;
        let key = rcgen::KeyPair::from_pem(&key_pem).map_err(|_| IdentityError::Key)?;
        if spki(leaf) != Some(rcgen::PublicKeyData::subject_public_key_info(&key)) {
            return Err(IdentityError::OtherKey);
        }
        let lifetime = lifetime(leaf).ok_or(IdentityError::Certificates { what: "certificate chain" })?;
        Ok(Self { agent_id, device_id, lineage, trust, chain, key_pem, lifetime })
    }

    /// Takes what the collector answered to an enrolment, for the key of that enrolment and the root it was pinned on.
    pub fn from_enrolled(
        enrolled: v1::Enrolled,
        pending: &PendingEnrollment,
        pin: RootPin,
    ) -> Result<Self, IdentityError> {
        let v1::Enrolled { agent_id, device_id, certificate_chain, trust_bundle, lineage } = enrolled;
        let trust =
            TrustBundle::from_wire(trust_bundle.ok_or(IdentityError::Answer { field: "trust_bundle" })?)?;
        trust.check_pin(pin)?;
        Self::new(
            agent_id.parse().map_err(|_| IdentityError::Answer { field: "agent_id" })?,
            device_id.parse().map_err(|_| IdentityError::Answer { field: "device_id" })?,
            certificate_chain,
            pending.key_pem(),
            trust,
            lineage,
        )
    }

    /// Begin and end of the certificate.
    pub fn lifetime(&self) -> Lifetime {
        self.lifetime
    }

    /// The certificate.
    pub fn certificate(&self) -> Result<&CertificateDer<'static>, IdentityError> {
        self.chain.first().ok_or(IdentityError::Certificates { what: "certificate chain" })
    }

    /// Signs with the certificate's key: ECDSA in ASN.1, with the hash that fits the key's curve.
    pub fn sign(&self, text: &[u8]) -> Result<Vec<u8>, IdentityError> {
        let key = rcgen::KeyPair::from_pem(&self.key_pem).map_err(|_| IdentityError::Key)?;
        rcgen::SigningKey::sign(&key, text).map_err(|_| IdentityError::Key)
    }

    /// What TLS shows to the collector.
    pub fn client_identity(&self) -> Result<ClientIdentity, IdentityError> {
        let key = PrivateKeyDer::from_pem_slice(self.key_pem.as_bytes()).map_err(|_| IdentityError::Key)?;
        Ok(ClientIdentity { chain: self.chain.clone(), key })
    }

    /// Reads what [`Self::to_text`] wrote.
    pub fn from_text(text: &str) -> Result<Self, IdentityError> {
        let Form { form } = toml::from_str(text).map_err(damaged)?;
        if form != FORM {
            return Err(IdentityError::Form { found: form });
        }
        let Stored { form: _, agent_id, device_id, lineage, key, chain, bundle } =
            toml::from_str(text).map_err(damaged)?;
        let trust = TrustBundle::new(bundle.version, from_hexadecimal(&bundle.roots)?)?;
        Self::new(
            agent_id.parse().map_err(|_| IdentityError::Damaged("agent_id is not an id".into()))?,
            device_id.parse().map_err(|_| IdentityError::Damaged("device_id is not an id".into()))?,
            from_hexadecimal(&chain)?,
            Zeroizing::new(key),
            trust,
            from_hexadecimal(&[lineage])?.swap_remove(0),
        )
    }

    /// The file's content, key and all.
    pub fn to_text(&self) -> Result<Zeroizing<String>, IdentityError> {
        let stored = Stored {
            form: FORM,
            agent_id: self.agent_id.to_string(),
            device_id: self.device_id.to_string(),
            lineage: hexadecimal(&self.lineage),
            key: self.key_pem.as_str().to_owned(),
            chain: self.chain.iter().map(|der| hexadecimal(der)).collect(),
            bundle: StoredBundle {
                version: self.trust.version,
                roots: self.trust.roots.iter().map(|der| hexadecimal(der)).collect(),
            },
        };
        let text = toml::to_string(&stored).map(Zeroizing::new);
        drop(Zeroizing::new(stored.key));
        text.map_err(|error| IdentityError::Damaged(error.to_string()))
    }
}

impl std::fmt::Debug for Identity {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Identity")
            .field("agent_id", &self.agent_id)
            .field("device_id", &self.device_id)
            .field("lifetime", &self.lifetime)
            .finish_non_exhaustive()
    }
}

/// The one field that every form of the file has.
#[derive(Deserialize)]
struct Form {
    form: u32,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Stored {
    form: u32,
    agent_id: String,
    device_id: String,
    lineage: String,
    key: String,
    chain: Vec<String>,
    bundle: StoredBundle,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct StoredBundle {
    version: u64,
    roots: Vec<String>,
}

/// toml's whole error shows the line at fault, which may be the key's.
#[expect(clippy::needless_pass_by_value, reason = "so that it fits map_err")]
fn damaged(error: toml::de::Error) -> IdentityError {
    IdentityError::Damaged(error.message().to_owned())
}

fn certificates(
    what: &'static str,
    ders: Vec<Vec<u8>>,
) -> Result<Vec<CertificateDer<'static>>, IdentityError> {
    let usable = |der: &Vec<u8>| der.len() <= MAX_CERTIFICATE_BYTES && parse(der).is_some();
    if ders.is_empty() || ders.len() > MAX_CERTIFICATES || !ders.iter().all(usable) {
        return Err(IdentityError::Certificates { what });
    }
    Ok(ders.into_iter().map(CertificateDer::from).collect())
}

fn parse(der: &[u8]) -> Option<X509Certificate<'_>> {
    match X509Certificate::from_der(der) {
        Ok(([], certificate)) => Some(certificate),
        Ok(_) | Err(_) => None,
    }
}

fn spki(der: &[u8]) -> Option<Vec<u8>> {
    Some(parse(der)?.public_key().raw.to_vec())
}

fn lifetime(der: &[u8]) -> Option<Lifetime> {
    let certificate = parse(der)?;
    let moment = |seconds: i64| Timestamp::from_millis(seconds.saturating_mul(1000));
    let validity = certificate.validity();
    Some(Lifetime {
        not_before: moment(validity.not_before.timestamp()),
        not_after: moment(validity.not_after.timestamp()),
    })
}

fn hexadecimal(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

fn from_hexadecimal(texts: &[String]) -> Result<Vec<Vec<u8>>, IdentityError> {
    let digit = |byte: u8| char::from(byte).to_digit(16).and_then(|digit| u8::try_from(digit).ok());
    let read = |text: &String| -> Option<Vec<u8>> {
        let pairs = text.as_bytes().chunks(2);
        pairs.map(|pair| Some(digit(*pair.first()?)? << 4 | digit(*pair.get(1)?)?)).collect()
    };
    let all: Option<_> = texts.iter().map(read).collect();
    all.ok_or_else(|| IdentityError::Damaged("a value is not hexadecimal".into()))
}

#[cfg(test)]
pub(crate) mod tests {
    use rcgen::{CertificateParams, KeyPair};

    use super::*;

    fn certificate(key: &KeyPair) -> Vec<u8> {
        CertificateParams::default().self_signed(key).unwrap().der().to_vec()
    }

    pub(crate) fn sample() -> Identity {
        let key = KeyPair::generate().unwrap();
        let root = certificate(&KeyPair::generate().unwrap());
        Identity::new(
            AgentId::random(),
            DeviceId::random(),
            vec![certificate(&key)],
            Zeroizing::new(key.serialize_pem()),
            TrustBundle::new(3, vec![root]).unwrap(),
            vec![0xab; 16],
        )
        .unwrap()
    }

    #[test]
    fn it_comes_back_the_same_and_shows_no_key() {
        let identity = sample();
        let text = identity.to_text().unwrap();
        let read = Identity::from_text(&text).unwrap();
        assert_eq!(read.to_text().unwrap(), text);
        assert_eq!(read.agent_id, identity.agent_id);
        assert_eq!(read.trust, identity.trust);
        assert!(!format!("{identity:?}").contains("PRIVATE"));
    }

    #[test]
    fn damage_is_an_error_that_shows_no_key() {
        let text = sample().to_text().unwrap();
        for bad in [
            "",
            &text[..text.len() / 2],
            &text.replace("form = 1", "form = 2"),
            &text.replace("chain = [\"30", "chain = [\"3"),
            &text.replace("chain = [\"30", "chain = [\"éé"),
            &text.replace("roots = [", "roots = [] #"),
            &text.replace("BEGIN", "BEGIM"),
            &text.replace("key = ", "unknown = 1\nkey = "),
            &text.replace("MIG", "\u{1}"),
        ] {
            let shown = format!("{:?}", Identity::from_text(bad).unwrap_err());
            assert!(!shown.contains("MIG"), "{shown}");
        }
    }

    #[test]
    fn a_certificate_for_another_key_is_refused() {
        let (ours, other) = (KeyPair::generate().unwrap(), KeyPair::generate().unwrap());
        let refused = Identity::new(
            AgentId::random(),
            DeviceId::random(),
            vec![certificate(&other)],
            Zeroizing::new(ours.serialize_pem()),
            TrustBundle::new(1, vec![certificate(&other)]).unwrap(),
            Vec::new(),
        );
        assert!(matches!(refused, Err(IdentityError::OtherKey)));
    }

    #[test]
    fn an_answer_is_taken_only_for_our_key_and_under_our_pin() {
        let pending = PendingEnrollment::begin().unwrap();
        let ours = certificate(&KeyPair::from_pem(&pending.key_pem()).unwrap());
        let root = certificate(&KeyPair::generate().unwrap());
        let pin = root_pin(&root.clone().into()).unwrap();
        let good = v1::Enrolled {
            agent_id: AgentId::random().to_string(),
            device_id: DeviceId::random().to_string(),
            certificate_chain: vec![ours.clone()],
            trust_bundle: Some(v1::TrustBundle { version: 1, roots: vec![root.clone()] }),
            lineage: vec![1; 16],
        };
        type Spoil = fn(&mut v1::Enrolled);
        let cases: [(&str, Spoil); 8] = [
            ("no agent id", |answer| answer.agent_id.clear()),
            ("a path for an id", |answer| answer.device_id = "../../x".into()),
            ("no certificate", |answer| answer.certificate_chain.clear()),
            ("another's certificate", |answer| {
                answer.certificate_chain = vec![certificate(&KeyPair::generate().unwrap())];
            }),
            ("garbage", |answer| answer.certificate_chain[0] = vec![0x30; 100]),
            ("a thousand certificates", |answer| {
                answer.certificate_chain = vec![answer.certificate_chain[0].clone(); 1000];
            }),
            ("no bundle", |answer| answer.trust_bundle = None),
            ("an endless lineage", |answer| answer.lineage = vec![0; 65]),
        ];
        for (name, spoil) in cases {
            let mut answer = good.clone();
            spoil(&mut answer);
            assert!(Identity::from_enrolled(answer, &pending, pin).is_err(), "{name}");
        }
        let other_pin = RootPin::from_digest([0; 32]);
        assert!(Identity::from_enrolled(good.clone(), &pending, other_pin).is_err());
        assert!(Identity::from_enrolled(good, &pending, pin).is_ok());
    }

    #[test]
    fn roots_change_only_by_way_of_a_root_that_is_trusted() {
        let keys: Vec<_> = (0..3).map(|_| KeyPair::generate().unwrap()).collect();
        let bundle = |version, which: &[usize]| {
            TrustBundle::new(version, which.iter().map(|key| certificate(&keys[*key])).collect())
        };
        let now = bundle(5, &[0, 1]).unwrap();
        assert!(now.check_successor(&bundle(6, &[1, 2]).unwrap()).is_ok());
        assert!(matches!(now.check_successor(&bundle(6, &[2]).unwrap()), Err(IdentityError::StrangersAlone)));
        assert!(matches!(
            now.check_successor(&bundle(5, &[0, 1]).unwrap()),
            Err(IdentityError::OldBundle { .. })
        ));
        assert!(bundle(6, &[]).is_err());
        let pin = |key: usize| root_pin(&certificate(&keys[key]).into()).unwrap();
        assert!(now.check_pin(pin(1)).is_ok());
        assert!(matches!(now.check_pin(pin(2)), Err(IdentityError::PinnedRootMissing)));
    }
}
