//! One session with a collector: opened by the settings, and every failure of a call explained.
//!
//! Knows nothing of what is asked.

use std::{sync::Arc, time::Duration};

use muster_common::{chain::Chain, time::SystemClock};
use muster_proto::{
    client::{
        address::Address,
        channel::{self, Refusal, Timing},
        files::{IdentityFilesError, read_certificates},
        tls::{self, ClientIdentity},
    },
    private_file,
    v1::{
        admin_client::AdminClient, audit_client::AuditClient, charter_client::CharterClient,
        lifecycle_client::LifecycleClient, query_client::QueryClient, records_client::RecordsClient,
    },
};
use rustls::pki_types::{PrivateKeyDer, pem::PemObject};
use tonic::{Request, Response, Status, transport::Channel};

use crate::{
    config::Settings,
    failure::{Failure, Kind},
};

/// The largest answer that is taken, in bytes: the row report of the largest import fits.
const MAX_ANSWER_BYTES: usize = 64 * 1024 * 1024;
/// How long an answer may take.
const PATIENCE: Duration = Duration::from_secs(60);
/// How long an import may take.
const LONG_PATIENCE: Duration = Duration::from_secs(15 * 60);

/// A session with a collector; it connects at its first call.
#[derive(Debug, Clone)]
pub(crate) struct Session {
    /// What there is.
    pub(crate) query: QueryClient<Channel>,
    /// What operators change.
    pub(crate) admin: AdminClient<Channel>,
    /// What was changed, by whom.
    pub(crate) audit: AuditClient<Channel>,
    /// What other sources brought.
    pub(crate) records: RecordsClient<Channel>,
    /// The organisation's policy.
    pub(crate) charter: CharterClient<Channel>,
    /// What is decided about assets.
    pub(crate) lifecycle: LifecycleClient<Channel>,
    address: Address,
    refusal: Refusal,
}

impl Session {
    /// Reads key, certificate and roots, and prepares the connection.
    pub(crate) fn open(settings: &Settings) -> Result<Self, Failure> {
        let unusable =
            |error: IdentityFilesError| Failure::new(Kind::Usage, Chain(&error).to_string(), IDENTITY_HINT);
        let key_bytes = private_file::read(&settings.key).map_err(|error| unusable(error.into()))?;
        let key = PrivateKeyDer::from_pem_slice(&key_bytes).map_err(|source| {
            unusable(IdentityFilesError::Pem { path: settings.key.clone(), what: "private key", source })
        })?;
        let chain_of_client = read_certificates(&settings.certificate).map_err(unusable)?;
        let roots = read_certificates(&settings.roots).map_err(unusable)?;
        let identity = ClientIdentity { chain: chain_of_client, key };
        let config = tls::session_config(&roots, identity, Arc::new(SystemClock))
            .map_err(|error| Failure::new(Kind::Usage, Chain(&error).to_string(), IDENTITY_HINT))?;
        let address = match &settings.server_name {
            Some(name) => settings.address.clone().expecting(name).map_err(|error| {
                Failure::new(Kind::Usage, error.to_string(), "correct `server_name` in the configuration")
            })?,
            None => settings.address.clone(),
        };
        let opened = channel::open(&address, Arc::new(config), Timing::default()).map_err(|error| {
            Failure::new(Kind::Usage, Chain(&error).to_string(), "correct `address` in the configuration")
        })?;
        let query = QueryClient::new(opened.channel.clone()).max_decoding_message_size(MAX_ANSWER_BYTES);
        let audit = AuditClient::new(opened.channel.clone()).max_decoding_message_size(MAX_ANSWER_BYTES);
        let records = RecordsClient::new(opened.channel.clone()).max_decoding_message_size(MAX_ANSWER_BYTES);
        let admin = AdminClient::new(opened.channel.clone()).max_decoding_message_size(MAX_ANSWER_BYTES);
        let charter = CharterClient::new(opened.channel.clone()).max_decoding_message_size(MAX_ANSWER_BYTES);
        let lifecycle = LifecycleClient::new(opened.channel).max_decoding_message_size(MAX_ANSWER_BYTES);
        Ok(Self { lifecycle, query, admin, audit, records, charter, address, refusal: opened.refusal })
    }

    /// The message of an answer, or why there is none.
    pub(crate) fn explain<T>(&self, answer: Result<Response<T>, Status>) -> Result<T, Failure> {
        answer.map(Response::into_inner).map_err(|status| self.failed(&status))
    }

    /// Why a call or a stream failed.
    pub(crate) fn failed(&self, status: &Status) -> Failure {
        Failure::of_status(status, self.refusal.get().as_ref(), &self.address.to_string())
    }
}

const IDENTITY_HINT: &str =
    "get a fresh folder of key, certificate and roots: muster-collector operator NAME";

/// A question with the usual patience.
pub(crate) fn ask<T>(message: T) -> Request<T> {
    with_patience(message, PATIENCE)
}

/// A question that may take long.
pub(crate) fn ask_patiently<T>(message: T) -> Request<T> {
    with_patience(message, LONG_PATIENCE)
}

fn with_patience<T>(message: T, patience: Duration) -> Request<T> {
    let mut request = Request::new(message);
    request.set_timeout(patience);
    request
}
