//! Certificates as they stand in a file: PEM, several of them among other things, or one in DER.
//!
//! Pure. Only what is marked as a certificate is decoded, so that a private key beside it stays what it is.

use std::net::{Ipv4Addr, Ipv6Addr};

use memchr::memmem;
use muster_common::{inventory::Certificate, time::EndpointTime};
use ring::digest::{SHA256, digest};
use rustls::pki_types::{CertificateDer, pem::PemObject};
use x509_parser::{certificate::X509Certificate, extensions::GeneralName, prelude::FromDer, x509::X509Name};

use crate::sources::text;

const MARK: &[u8] = b"-----BEGIN ";
const BEGIN: &[u8] = b"-----BEGIN CERTIFICATE-----";
const END: &[u8] = b"-----END CERTIFICATE-----";
/// How DER begins: a sequence whose length takes one to three bytes of its own.
const SEQUENCE: u8 = 0x30;
const LENGTHS: std::ops::RangeInclusive<u8> = 0x81..=0x83;
/// Names of one certificate.
const NAMES_LIMIT: usize = 64;

/// Each certificate of a file, or what is wrong with it; `None` when there are more than `limit`.
pub(crate) fn certificates(file: &[u8], limit: usize) -> Option<Vec<Result<Certificate, &'static str>>> {
    if let [SEQUENCE, length, ..] = file
        && LENGTHS.contains(length)
    {
        return Some(vec![certificate(file)]);
    }
    let starts: Vec<usize> = memmem::find_iter(file, BEGIN).take(limit + 1).collect();
    if starts.len() > limit {
        return None;
    }
    let ends = starts.iter().skip(1).copied().chain([file.len()]);
    let read = |(start, end): (&usize, usize)| {
        let section = &file[*start..end];
        let length = memmem::find(section, END).ok_or("a certificate in it has no end")? + END.len();
        let der = CertificateDer::from_pem_slice(&section[..length])
            .map_err(|_| "a certificate in it is not written in Base64")?;
        certificate(&der)
    };
    Some(starts.iter().zip(ends).map(read).collect())
}

/// Whether a file has any part of a PEM file.
pub(crate) fn is_pem(file: &[u8]) -> bool {
    memmem::find(file, MARK).is_some()
}

fn certificate(der: &[u8]) -> Result<Certificate, &'static str> {
    let (rest, parsed) =
        X509Certificate::from_der(der).map_err(|_| "a certificate in it does not have the form of X.509")?;
    let own = &der[..der.len() - rest.len()];
    let validity = parsed.validity();
    let time = |seconds: i64| seconds.checked_mul(1000).map(EndpointTime::from_millis);
    Ok(Certificate {
        fingerprint: hexadecimal(digest(&SHA256, own).as_ref()),
        subject: name(parsed.subject()),
        issuer: name(parsed.issuer()),
        serial: text::clean(hexadecimal(parsed.raw_serial()).as_bytes()),
        not_before: time(validity.not_before.timestamp()),
        not_after: time(validity.not_after.timestamp()),
        names: names(&parsed),
        path: None,
    })
}

fn name(name: &X509Name<'_>) -> Option<String> {
    text::clean(name.to_string().as_bytes())
}

/// Hosts and addresses that it is for; what else may stand there, such as e-mail addresses, is of people.
fn names(certificate: &X509Certificate<'_>) -> Vec<String> {
    let Ok(Some(extension)) = certificate.subject_alternative_name() else { return Vec::new() };
    let name = |name: &GeneralName<'_>| match name {
        GeneralName::DNSName(name) => text::clean(name.as_bytes()),
        GeneralName::IPAddress(bytes) => match bytes.len() {
            4 => <[u8; 4]>::try_from(*bytes).ok().map(|bytes| Ipv4Addr::from(bytes).to_string()),
            16 => <[u8; 16]>::try_from(*bytes).ok().map(|bytes| Ipv6Addr::from(bytes).to_string()),
            _ => None,
        },
        GeneralName::OtherName(..)
        | GeneralName::RFC822Name(_)
        | GeneralName::X400Address(_)
        | GeneralName::DirectoryName(_)
        | GeneralName::EDIPartyName(_)
        | GeneralName::URI(_)
        | GeneralName::RegisteredID(_)
        | GeneralName::Invalid(..) => None,
    };
    extension.value.general_names.iter().filter_map(name).take(NAMES_LIMIT).collect()
}

fn hexadecimal(bytes: &[u8]) -> String {
    const DIGITS: &[u8; 16] = b"0123456789abcdef";
    let digits = |byte: &u8| [byte >> 4, byte & 15].map(|digit| char::from(DIGITS[usize::from(digit)]));
    bytes.iter().flat_map(digits).collect()
}
