//! Enrols while the service starts, for machines that were given a token file: tries until it works or the service
//! stops.

use std::sync::Arc;

use muster_common::{time::Clock, trust::token::EnrollmentString};
use tokio_util::sync::CancellationToken;

use super::{Machine, SupervisorError, chain};
use crate::{
    config::Settings,
    credentials::{
        files::{CredentialFiles, delete_token, read_token},
        identity::Identity,
    },
    enroll::{Enrolled, Enroller},
    status::{Board, ConnectionState, Kind},
    transport::{
        backoff::{Backoff, Chance, Pace},
        disk::off_thread,
    },
};

/// Returns the identity, or `None` when the service was stopped before there was one.
pub(super) async fn enrol(
    settings: &Settings,
    files: &CredentialFiles,
    machine: &Machine,
    board: &Board,
    clock: Arc<dyn Clock>,
    stop: &CancellationToken,
) -> Result<Option<Identity>, SupervisorError> {
    let Some(path) = settings.token_file.clone().filter(|path| path.exists()) else {
        return Err(SupervisorError::NotEnrolled);
    };
    let token: EnrollmentString = {
        let path = path.clone();
        off_thread(move || read_token(&path)).await?
    };
    board.update(|status| status.connection.state = ConnectionState::Enrolling);
    let trying = async {
        let evidence = match machine.read().await {
            Ok(read) => read.inventory.evidence.clone(),
            Err(error) => {
                tracing::warn!(error = %chain(&error), "enrolling without evidence");
                Vec::new()
            }
        };
        let address = settings.collector.enroll.clone();
        let way = settings.proxying.way_to(&address);
        let enroller = Enroller { address, way, clock, files: files.clone(), evidence };
        let mut backoff = Backoff::default();
        loop {
            let pace = match enroller.attempt(&token).await {
                Ok(Enrolled::Now(identity)) => return *identity,
                Ok(Enrolled::Pending(after)) => {
                    board.problem("an operator of the collector has to approve this machine");
                    Pace::After(after)
                }
                Err(error) => {
                    let message = chain(&error);
                    tracing::warn!(error = message, "not enrolled yet");
                    board.problem(&message);
                    error.pace()
                }
            };
            let wait = backoff.next(pace, Chance::draw());
            let retry = board.time_after(wait);
            board.update(|status| status.connection.retry = Some(retry));
            tokio::time::sleep(wait).await;
        }
    };
    let identity = tokio::select! {
        () = stop.cancelled() => return Ok(None),
        identity = trying => identity,
    };
    // The token has done its work; if it can't be deleted it is still spent.
    let deleted = off_thread(move || delete_token(&path)).await;
    if let Err(error) = deleted {
        tracing::warn!(error = %chain(&error), "the used token's file stays");
    }
    tracing::info!(agent.id = %identity.agent_id, device.id = %identity.device_id, "enrolled");
    board.event(Kind::Service, &format!("enrolled as agent {}", identity.agent_id));
    board.resolved();
    Ok(Some(identity))
}
