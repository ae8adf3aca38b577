//! A file that `muster-agent export` wrote, opened: who signed it, and what it says.
//!
//! Everything in it is hostile until certificate and signature are verified, and bounded after that too. The certificate
//! is judged as of its own end, since a file may be under way for weeks: whether it still stands for anything is the
//! registry's to say. Knows nothing of what is known of the machine.

use bytes::Bytes;
use muster_common::{
    id::AgentId,
    inventory::{Item, SectionName},
    trust::name::PeerName,
};
use muster_proto::{
    carried::{self, NotCarried},
    convert::{Invalid, endpoint_time, item_from_wire, settings_from_wire},
    v1,
};
use ring::signature::{
    ECDSA_P256_SHA256_ASN1, ECDSA_P384_SHA384_ASN1, ED25519, UnparsedPublicKey, VerificationAlgorithm,
};

use crate::{
    actions::carried::{Carried, CarriedPlace},
    ingest::decode::{self, Assembler, Unusable},
    pipeline::observation::SpoolSequence,
    tls::{
        authority::Authority,
        peer::{KeyKind, PeerRefused, PublicKey, Validity},
        profile::Purpose,
        request::sha256,
        verifier::{Admits, NotAdmitted, PeerVerifier, VerifierError},
    },
};

/// Why a file is not what an agent of this collector wrote.
#[derive(Debug, thiserror::Error)]
pub enum NotUsable {
    /// Not the file, or not whole.
    #[error(
        "the file can't be used: {0}; copy it again from the machine, or write it anew with muster-agent export"
    )]
    File(#[from] NotCarried),
    /// The certificate is of somebody else's authority, or was changed.
    #[error(
        "the file's certificate was not issued by this collector, or was changed; enrol the machine here and write the file anew"
    )]
    Authority(#[source] rustls::Error),
    /// The certificate can't be read or names nobody.
    #[error("the file's certificate can't be used: {0}")]
    Certificate(#[from] PeerRefused),
    /// The signature is not the certificate's key's, over this report.
    #[error(
        "the signature does not fit: the file was changed or damaged after it was written; copy it again from the machine, or write it anew with muster-agent export"
    )]
    Signature,
    /// What was signed can't be taken in.
    #[error("the report in the file can't be taken in ({0}); upgrade the agent, or report a bug")]
    Report(#[from] Unusable),
    /// A delta, which says nothing by itself.
    #[error(
        "the report in the file is not whole: section {section} is a difference to something; upgrade the agent"
    )]
    NotWhole {
        /// Which.
        section: SectionName,
    },
}

impl From<NotAdmitted> for NotUsable {
    fn from(error: NotAdmitted) -> Self {
        match error {
            NotAdmitted::Chain(source) => Self::Authority(source),
            NotAdmitted::Name(refused) => Self::Certificate(refused),
        }
    }
}

impl From<Invalid> for NotUsable {
    fn from(invalid: Invalid) -> Self {
        Self::Report(invalid.into())
    }
}

/// Opens files of agents of one authority.
#[derive(Debug)]
pub struct Opener {
    verifier: PeerVerifier,
}

impl Opener {
    /// For agents of this authority alone.
    ///
    /// # Errors
    /// When the authority can't be an anchor.
    pub fn new(authority: &Authority) -> Result<Self, VerifierError> {
        let anchors = authority.anchors(Purpose::Agents);
        let verifier = PeerVerifier::new(anchors, authority.trust_domain().clone(), Admits::Agents)?;
        Ok(Self { verifier })
    }

    /// Verifies a file and reads what it says. Takes a while for a large one.
    ///
    /// # Errors
    /// When it is not a report that an agent of this authority signed, whole and unchanged.
    pub fn open(&self, file: Bytes) -> Result<Carried, NotUsable> {
        let v1::SignedReport { format: _, certificate, signature, report } = carried::read_file(file)?;
        let validity = Validity::read(&certificate).ok_or(PeerRefused::Malformed)?;
        let name = self.verifier.name_at(&certificate, validity.not_after)?;
        let PeerName::Agent(agent) = name else { return Err(PeerRefused::WrongListener { name }.into()) };
        let key = PublicKey::read(&certificate).ok_or(PeerRefused::Malformed)?;
        let digest = sha256(&report);
        UnparsedPublicKey::new(algorithm(key.kind), &key.bits)
            .verify(&carried::signed_text(&digest), &signature)
            .map_err(|_| NotUsable::Signature)?;
        let report = carried::read_report(report)?;
        read(report, agent, &validity, key.digest, digest)
    }
}

fn algorithm(kind: KeyKind) -> &'static dyn VerificationAlgorithm {
    match kind {
        KeyKind::P256 => &ECDSA_P256_SHA256_ASN1,
        KeyKind::P384 => &ECDSA_P384_SHA384_ASN1,
        KeyKind::Ed25519 => &ED25519,
    }
}

fn read(
    report: v1::CarriedReport,
    agent: AgentId,
    validity: &Validity,
    key_digest: [u8; 32],
    digest: [u8; 32],
) -> Result<Carried, NotUsable> {
    let v1::CarriedReport {
        agent_version,
        export_epoch,
        sequence,
        spool_epoch,
        spool_next,
        observed_time,
        privacy,
        neighbour_networks,
        evidence,
        chunks,
        withheld,
    } = report;
    let mut assembler = Assembler::default();
    let mut payloads = None;
    for chunk in chunks {
        if payloads.is_some() {
            return Err(Invalid::Malformed { field: "chunks" }.into());
        }
        payloads = assembler.push(chunk)?;
    }
    let sections = decode::updates(payloads.ok_or(Invalid::Missing { field: "chunks" })?)?;
    if let Some(part) = sections.iter().find(|section| section.base.is_some() || !section.removed.is_empty())
    {
        return Err(NotUsable::NotWhole { section: part.name.clone() });
    }
    let granted = settings_from_wire(v1::AgentSettings {
        privacy,
        neighbour_networks,
        ..v1::AgentSettings::default()
    })?;
    let withheld = withheld
        .into_iter()
        .map(|name| SectionName::new(name).map_err(|_| Invalid::Malformed { field: "withheld" }))
        .collect::<Result<_, _>>()?;
    let mut items: Vec<Item> = Vec::with_capacity(evidence.len());
    for wire in evidence {
        items.extend(item_from_wire(wire)?);
    }
    Ok(Carried {
        agent,
        key_digest,
        certificate_end: validity.not_after,
        digest,
        version: agent_version,
        evidence: items,
        sections,
        withheld,
        place: CarriedPlace {
            epoch: export_epoch,
            sequence,
            spool: (spool_next > 0).then_some(SpoolSequence { epoch: spool_epoch, sequence: spool_next }),
        },
        endpoint_time: observed_time.as_ref().map(endpoint_time),
        granted,
    })
}
