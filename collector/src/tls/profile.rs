//! What each kind of certificate says: pure recipes from a name and a time to rcgen's parameters.
//!
//! A request's wishes play no part here; only the name that the collector decided on, and its lifetime.

use std::time::Duration;

use muster_common::{
    time::Timestamp,
    trust::name::{PeerName, TrustDomain},
};
use rcgen::{
    BasicConstraints, CertificateParams, DistinguishedName, DnType, ExtendedKeyUsagePurpose, IsCa,
    KeyUsagePurpose, SanType, SerialNumber,
};
use ring::rand::{SecureRandom, SystemRandom};
use rustls::pki_types::ServerName;
use time::OffsetDateTime;

const DAY: Duration = Duration::from_secs(24 * 60 * 60);

/// Every certificate begins this long before it is made, for clocks that run behind: dual boot, empty RTC batteries.
pub const BACKDATE: Duration = DAY;
/// The root: about twenty years.
pub const ROOT_LIFETIME: Duration = Duration::from_secs(7_305 * DAY.as_secs());
/// An issuing authority: about 18 months, rotated yearly.
pub const ISSUING_LIFETIME: Duration = Duration::from_secs(548 * DAY.as_secs());
/// An agent.
pub const AGENT_LIFETIME: Duration = Duration::from_secs(30 * DAY.as_secs());
/// A person.
pub const OPERATOR_LIFETIME: Duration = Duration::from_secs(12 * 60 * 60);
/// A tool.
pub const SERVICE_LIFETIME: Duration = Duration::from_secs(7 * DAY.as_secs());
/// A collector, as a server and towards its sisters.
pub const COLLECTOR_LIFETIME: Duration = Duration::from_secs(30 * DAY.as_secs());

/// The three authorities under the root, each for one purpose.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Purpose {
    /// Signs agents; the `agents` listener trusts it alone.
    Agents,
    /// Signs people, tools and sister collectors; the `api` listener trusts it alone.
    Access,
    /// Signs the collector's own server certificates.
    Servers,
}

impl Purpose {
    /// All, in the order in which they are made.
    pub const ALL: [Self; 3] = [Self::Agents, Self::Access, Self::Servers];

    /// The name in files and subjects.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Agents => "agents",
            Self::Access => "access",
            Self::Servers => "servers",
        }
    }

    /// Which authority signs a client of this name.
    pub fn of_client(name: &PeerName) -> Self {
        match name {
            PeerName::Agent(_) => Self::Agents,
            PeerName::Operator(_) | PeerName::Service(_) | PeerName::Collector(_) => Self::Access,
        }
    }
}

/// How long a client's certificate is good.
pub fn client_lifetime(name: &PeerName) -> Duration {
    match name {
        PeerName::Agent(_) => AGENT_LIFETIME,
        PeerName::Operator(_) => OPERATOR_LIFETIME,
        PeerName::Service(_) => SERVICE_LIFETIME,
        PeerName::Collector(_) => COLLECTOR_LIFETIME,
    }
}

/// The system gave no randomness, or a date is past what X.509 can say.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum ProfileError {
    /// Without randomness there is no serial number.
    #[error("the system gives no random numbers")]
    Random,
    /// Past the year 9999.
    #[error("the clock is too far in the future to make a certificate; set it right")]
    Clock,
    /// A name that can't stand in a certificate.
    #[error("a name can't stand in a certificate")]
    Name,
}

/// The root's own certificate.
pub fn root(trust_domain: &TrustDomain, now: Timestamp) -> Result<CertificateParams, ProfileError> {
    let mut params = base(now, now.after(ROOT_LIFETIME))?;
    params.distinguished_name = subject("Muster root", trust_domain);
    params.is_ca = IsCa::Ca(BasicConstraints::Constrained(1));
    params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
    Ok(params)
}

/// An issuing authority under the root; its extended key usage binds whatever it signs.
pub fn issuing(
    purpose: Purpose,
    trust_domain: &TrustDomain,
    now: Timestamp,
) -> Result<CertificateParams, ProfileError> {
    let mut params = base(now, now.after(ISSUING_LIFETIME))?;
    params.distinguished_name = subject(&format!("Muster {} authority", purpose.as_str()), trust_domain);
    params.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
    params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
    params.extended_key_usages = vec![match purpose {
        Purpose::Agents | Purpose::Access => ExtendedKeyUsagePurpose::ClientAuth,
        Purpose::Servers => ExtendedKeyUsagePurpose::ServerAuth,
    }];
    Ok(params)
}

/// A client: empty subject, exactly one URI, clientAuth alone, no authority.
pub fn client(
    name: &PeerName,
    trust_domain: &TrustDomain,
    now: Timestamp,
    not_after: Timestamp,
) -> Result<CertificateParams, ProfileError> {
    let mut params = base(now, not_after)?;
    let uri = name.to_uri(trust_domain).try_into().map_err(|_| ProfileError::Name)?;
    params.subject_alt_names = vec![SanType::URI(uri)];
    params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ClientAuth];
    Ok(params)
}

/// A server: the DNS names and addresses that clients call it by, serverAuth alone.
pub fn server(
    names: &[ServerName<'static>],
    now: Timestamp,
    not_after: Timestamp,
) -> Result<CertificateParams, ProfileError> {
    let mut params = base(now, not_after)?;
    params.subject_alt_names = names.iter().map(san).collect::<Result<_, _>>()?;
    params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
    Ok(params)
}

fn base(now: Timestamp, not_after: Timestamp) -> Result<CertificateParams, ProfileError> {
    let mut params = CertificateParams::default();
    params.not_before = date(now.before(BACKDATE))?;
    params.not_after = date(not_after)?;
    params.serial_number = Some(serial()?);
    params.distinguished_name = DistinguishedName::new();
    params.is_ca = IsCa::ExplicitNoCa;
    params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
    params.use_authority_key_identifier_extension = true;
    Ok(params)
}

fn date(time: Timestamp) -> Result<OffsetDateTime, ProfileError> {
    OffsetDateTime::from_unix_timestamp(time.as_millis() / 1000).map_err(|_| ProfileError::Clock)
}

fn serial() -> Result<SerialNumber, ProfileError> {
    let mut bytes = [0; 16];
    SystemRandom::new().fill(&mut bytes).map_err(|_| ProfileError::Random)?;
    Ok(SerialNumber::from_slice(&bytes))
}

fn subject(common_name: &str, trust_domain: &TrustDomain) -> DistinguishedName {
    let mut name = DistinguishedName::new();
    name.push(DnType::OrganizationName, trust_domain.as_str());
    name.push(DnType::CommonName, common_name);
    name
}

fn san(name: &ServerName<'static>) -> Result<SanType, ProfileError> {
    match name {
        ServerName::DnsName(name) => {
            Ok(SanType::DnsName(name.as_ref().try_into().map_err(|_| ProfileError::Name)?))
        }
        ServerName::IpAddress(address) => Ok(SanType::IpAddress((*address).into())),
        // rustls marks the enum as open; whatever it learns to name later is no SAN that we know how to write.
        _ => Err(ProfileError::Name),
    }
}
