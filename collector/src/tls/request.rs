//! Certificate requests: the key and the proof that its holder has it, and nothing else.
//!
//! Whatever a request asks for (names, dates, powers) is not even looked at; the profile decides. The kind of key is
//! checked before the signature, so that a giant RSA key costs nothing.

use muster_common::trust::token::RootPin;
use rcgen::{PublicKeyData, SubjectPublicKeyInfo};
use ring::digest::{SHA256, digest};
use x509_parser::{certification_request::X509CertificationRequest, prelude::FromDer};

use crate::tls::peer::KeyKind;

/// A longer request is refused unread, in bytes.
pub const MAX_REQUEST_BYTES: usize = 16 * 1024;

/// Why a request gives no key.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum RequestRefused {
    /// Longer than [`MAX_REQUEST_BYTES`].
    #[error("the certificate request is longer than {MAX_REQUEST_BYTES} bytes")]
    TooLong,
    /// Not a PKCS #10 request in DER, or with something after it.
    #[error("the certificate request is not PKCS #10 in DER")]
    Malformed,
    /// RSA, an unusual curve, or something new.
    #[error(
        "the key of the certificate request is of a kind that is not accepted; use P-256, P-384 or Ed25519"
    )]
    KeyKind,
    /// Not signed by its own key.
    #[error("the certificate request is not signed by its own key")]
    Signature,
}

/// A public key whose holder has proven to have the private one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RequestedKey {
    key: SubjectPublicKeyInfo,
    digest: [u8; 32],
}

impl RequestedKey {
    /// Reads a request in DER.
    pub fn from_der(der: &[u8]) -> Result<Self, RequestRefused> {
        if der.len() > MAX_REQUEST_BYTES {
            return Err(RequestRefused::TooLong);
        }
        let (rest, request) =
            X509CertificationRequest::from_der(der).map_err(|_| RequestRefused::Malformed)?;
        if !rest.is_empty() {
            return Err(RequestRefused::Malformed);
        }
        let spki = &request.certification_request_info.subject_pki;
        if KeyKind::of(spki).is_none() {
            return Err(RequestRefused::KeyKind);
        }
        request.verify_signature().map_err(|_| RequestRefused::Signature)?;
        let key = SubjectPublicKeyInfo::from_der(spki.raw).map_err(|_| RequestRefused::KeyKind)?;
        Ok(Self { key, digest: sha256(spki.raw) })
    }

    /// SHA-256 of the key's SubjectPublicKeyInfo: what an enrolment is bound to.
    pub fn digest(&self) -> &[u8; 32] {
        &self.digest
    }

    /// The key, as the authority signs it.
    pub(crate) fn public_key(&self) -> &impl PublicKeyData {
        &self.key
    }
}

/// SHA-256, 32 bytes.
pub(crate) fn sha256(bytes: &[u8]) -> [u8; 32] {
    digest(&SHA256, bytes).as_ref().try_into().expect("SHA-256 has 32 bytes")
}

/// The pin of a root: what enrolment strings carry.
pub(crate) fn pin(spki_der: &[u8]) -> RootPin {
    RootPin::from_digest(sha256(spki_der))
}

#[cfg(test)]
mod tests {
    use rcgen::{BasicConstraints, CertificateParams, IsCa, KeyPair, SanType};

    use super::*;

    fn request(params: &CertificateParams, key: &KeyPair) -> Vec<u8> {
        params.serialize_request(key).unwrap().der().to_vec()
    }

    #[test]
    fn three_kinds_of_keys_are_accepted() {
        for kind in [&rcgen::PKCS_ECDSA_P256_SHA256, &rcgen::PKCS_ECDSA_P384_SHA384, &rcgen::PKCS_ED25519] {
            let key = KeyPair::generate_for(kind).unwrap();
            let read = RequestedKey::from_der(&request(&CertificateParams::default(), &key)).unwrap();
            assert_eq!(*read.digest(), sha256(&key.subject_public_key_info()));
        }
    }

    #[test]
    fn wishes_are_not_looked_at() {
        let key = KeyPair::generate().unwrap();
        let mut params = CertificateParams::default();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        params.subject_alt_names = vec![SanType::URI("spiffe://x/operator/admin".try_into().unwrap()); 3];
        assert!(RequestedKey::from_der(&request(&params, &key)).is_ok());
    }

    #[test]
    fn other_requests_are_refused() {
        let key = KeyPair::generate().unwrap();
        let good = request(&CertificateParams::default(), &key);
        let mut broken = good.clone();
        *broken.last_mut().unwrap() ^= 1;
        // The key is part of what is signed: another in its place breaks the proof.
        let other = KeyPair::generate().unwrap();
        let at = good.windows(65).position(|window| window == key.public_key_raw()).unwrap();
        let mut swapped = good.clone();
        swapped[at..at + 65].copy_from_slice(other.public_key_raw());
        let mut trailing = good.clone();
        trailing.push(0);
        for (name, der, expected) in [
            ("empty", Vec::new(), RequestRefused::Malformed),
            ("text", b"hello".to_vec(), RequestRefused::Malformed),
            ("truncated", good[..good.len() - 1].to_vec(), RequestRefused::Malformed),
            ("trailing", trailing, RequestRefused::Malformed),
            ("broken signature", broken, RequestRefused::Signature),
            ("swapped key", swapped, RequestRefused::Signature),
            ("1 MiB", vec![0x30; 1 << 20], RequestRefused::TooLong),
            ("RSA-16384", rsa_16384(), RequestRefused::KeyKind),
        ] {
            assert_eq!(RequestedKey::from_der(&der), Err(expected), "{name}");
        }
    }

    /// A request with an RSA key of 16,384 bits and a signature of zeros, assembled by hand: nothing here can make one.
    fn rsa_16384() -> Vec<u8> {
        fn tlv(tag: u8, content: &[u8]) -> Vec<u8> {
            let length = u16::try_from(content.len()).unwrap().to_be_bytes();
            [&[tag, 0x82], &length[..], content].concat()
        }
        let rsa = [0x30, 0x0d, 6, 9, 0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 1, 1, 1, 5, 0];
        let sha256_rsa = [0x30, 0x0d, 6, 9, 0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 1, 1, 11, 5, 0];
        let modulus = [&[0][..], &[0xff; 2048]].concat();
        let key = tlv(0x30, &[tlv(2, &modulus), tlv(2, &[1, 0, 1])].concat());
        let spki = tlv(0x30, &[rsa.to_vec(), tlv(3, &[&[0][..], &key].concat())].concat());
        let info = tlv(0x30, &[vec![2, 1, 0], vec![0x30, 0], spki, vec![0xa0, 0]].concat());
        tlv(0x30, &[info, sha256_rsa.to_vec(), tlv(3, &[0; 2049])].concat())
    }
}
