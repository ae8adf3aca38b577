//! The door to what other sources brought: files in parts, persons, sightings, and where sources differ.
//!
//! Bounds what comes in; what becomes of it is decided by `actions`, and what is shown of it by `query`, narrowed to what
//! the asker sees.

use std::{sync::Arc, time::Duration};

use muster_proto::{
    limits::{IMPORT_FILE_BYTES, IMPORT_PART_BYTES},
    v1::{self, records_server},
};
use tokio::sync::{Semaphore, mpsc};
use tokio_stream::wrappers::ReceiverStream;
use tonic::{Request, Response, Status, Streaming};

use super::service::{self, Job, ServiceError};
use crate::{
    actions::import::{Importer, Progress},
    authz::Actor,
    query::{Query, QueryFailure},
    registry::{Registry, Role},
    status,
};

/// Files that are taken in at once; each may need as much memory as the largest one.
const FILES_AT_ONCE: usize = 2;
/// How long the next part of a file may take.
const PATIENCE: Duration = Duration::from_secs(60);
/// How often it is told how far an import is.
const TELL_EVERY: Duration = Duration::from_millis(500);
/// Rows of the report in one event.
const ROWS_AT_ONCE: usize = 1_000;
/// Who may see addresses and employee numbers.
const PERSONAL: [Role; 4] = [Role::Admin, Role::Auditor, Role::Manager, Role::Technician];

/// `muster.v1.Records`.
#[derive(Debug, Clone)]
pub struct RecordsService {
    query: Arc<Query>,
    registry: Arc<Registry>,
    importer: Importer,
    turns: Arc<Semaphore>,
}

type Events = ReceiverStream<Result<v1::ImportEvent, Status>>;

impl RecordsService {
    /// Over the reads, the accounts and the importer of one collector.
    pub fn new(query: Arc<Query>, registry: Arc<Registry>, importer: Importer) -> Self {
        Self { query, registry, importer, turns: Arc::new(Semaphore::new(FILES_AT_ONCE)) }
    }

    /// The service for a tonic router.
    pub fn into_server(self) -> records_server::RecordsServer<Self> {
        records_server::RecordsServer::new(self).max_decoding_message_size(2 * IMPORT_PART_BYTES)
    }

    /// Whether the asker may see what is personal; that it was shown is logged.
    fn may_see_personal(&self, actor: &Actor, what: &str) -> bool {
        let account = self.registry.account(&actor.name, self.query.now());
        let may = account.is_some_and(|account| PERSONAL.iter().any(|role| account.may(*role)));
        if may {
            tracing::info!(actor = %actor.name, what, "personal values shown");
        }
        may
    }
}

#[tonic::async_trait]
impl records_server::Records for RecordsService {
    type ImportFileStream = Events;

    async fn list_persons(
        &self,
        request: Request<v1::ListPersonsRequest>,
    ) -> Result<Response<v1::ListPersonsResponse>, Status> {
        let actor = Actor::of(&request)?;
        let personal = self.may_see_personal(actor, "list of persons");
        answered(self.query.seen_by(&actor.sight).list_persons(request.get_ref(), personal).await)
    }

    async fn get_person(
        &self,
        request: Request<v1::GetPersonRequest>,
    ) -> Result<Response<v1::Person>, Status> {
        let actor = Actor::of(&request)?;
        let personal = self.may_see_personal(actor, "one person");
        answered(self.query.seen_by(&actor.sight).get_person(request.get_ref(), personal).await)
    }

    async fn list_sightings(
        &self,
        request: Request<v1::ListSightingsRequest>,
    ) -> Result<Response<v1::ListSightingsResponse>, Status> {
        let actor = Actor::of(&request)?;
        answered(self.query.seen_by(&actor.sight).list_sightings(request.get_ref()))
    }

    async fn reconcile(
        &self,
        request: Request<v1::ReconcileRequest>,
    ) -> Result<Response<v1::ReconcileResponse>, Status> {
        let actor = Actor::of(&request)?;
        answered(self.query.seen_by(&actor.sight).reconcile(request.get_ref()).await)
    }

    async fn get_coverage(
        &self,
        request: Request<v1::GetCoverageRequest>,
    ) -> Result<Response<v1::Coverage>, Status> {
        let actor = Actor::of(&request)?;
        answered(self.query.seen_by(&actor.sight).coverage(request.get_ref()).await)
    }

    async fn import_file(
        &self,
        request: Request<Streaming<v1::ImportPart>>,
    ) -> Result<Response<Events>, Status> {
        let actor = Actor::of(&request)?.name.clone();
        let stopping = |_| Status::unavailable("the collector is stopping");
        let turn = self.turns.clone().acquire_owned().await.map_err(stopping)?;
        let job = receive(request.into_inner()).await?;
        let (events, stream) = mpsc::channel(4);
        let importer = self.importer.clone();
        tokio::spawn(async move {
            let outcome = tell(&importer, job, &actor, &events).await;
            if let Err(status) = outcome {
                // Whoever is gone needs no answer; what was taken in is in.
                let _ = events.send(Err(status)).await;
            }
            drop(turn);
        });
        Ok(Response::new(ReceiverStream::new(stream)))
    }

    async fn save_mapping(
        &self,
        request: Request<v1::SaveMappingRequest>,
    ) -> Result<Response<v1::SaveMappingResponse>, Status> {
        let actor = Actor::of(&request)?.name.clone();
        let response = service::save_mapping(&self.importer, request.into_inner(), &actor).await;
        response.map(Response::new).map_err(|error| status::import(&error))
    }

    async fn list_mappings(
        &self,
        _request: Request<v1::ListMappingsRequest>,
    ) -> Result<Response<v1::ListMappingsResponse>, Status> {
        let response = service::list_mappings(&self.importer).await;
        response.map(Response::new).map_err(|error| status::import(&error))
    }
}

/// Puts a file together from its parts.
async fn receive(mut parts: Streaming<v1::ImportPart>) -> Result<Job, Status> {
    let mut job: Option<Job> = None;
    loop {
        let part = tokio::time::timeout(PATIENCE, parts.message())
            .await
            .map_err(|_| Status::deadline_exceeded("the rest of the file did not come: send it again"))??;
        match (part.map(|part| part.part), &mut job) {
            (None, Some(_)) => {
                return job.ok_or_else(|| Status::invalid_argument("the file did not begin"));
            }
            (None, None) => return Err(Status::invalid_argument("the first part says what the file is")),
            (Some(Some(v1::import_part::Part::Begin(begin))), None) => {
                let v1::ImportBegin { source, format, apply, mapping, settings } = begin;
                job = Some(Job { source, format, mapping, settings, content: Vec::new(), apply });
            }
            (Some(Some(v1::import_part::Part::Content(bytes))), Some(job)) => {
                if job.content.len() + bytes.len() > IMPORT_FILE_BYTES {
                    return Err(Status::invalid_argument(format!(
                        "the file is longer than {} MiB (split it into several, each with the heading)",
                        IMPORT_FILE_BYTES / (1024 * 1024)
                    )));
                }
                job.content.extend_from_slice(&bytes);
            }
            (Some(_), _) => {
                return Err(Status::invalid_argument(
                    "the first part says what the file is, the others are its bytes",
                ));
            }
        }
    }
}

/// Does the import and tells of it.
async fn tell(
    importer: &Importer,
    job: Job,
    actor: &str,
    events: &mpsc::Sender<Result<v1::ImportEvent, Status>>,
) -> Result<(), Status> {
    let apply = job.apply;
    let progress = Progress::default();
    let mut work = std::pin::pin!(service::run_job(importer, job, actor, &progress));
    let done = loop {
        tokio::select! {
            done = &mut work => break done,
            () = tokio::time::sleep(TELL_EVERY) => {
                let (done, total) = progress.rows();
                let event = v1::import_event::Event::Progress(v1::ImportProgress { done, total });
                // An import that nobody watches any more goes on.
                let _ = events.try_send(Ok(v1::ImportEvent { event: Some(event) }));
            }
        }
    };
    let mut response = done.map_err(|error: ServiceError| status::import(&error))?;
    if apply {
        service::log(&response.source, actor, &response);
    }
    let mut rows = std::mem::take(&mut response.rows).into_iter();
    loop {
        let part: Vec<v1::ImportRow> = rows.by_ref().take(ROWS_AT_ONCE).collect();
        let event = if part.is_empty() {
            v1::import_event::Event::Done(std::mem::take(&mut response))
        } else {
            v1::import_event::Event::Rows(v1::ImportRows { rows: part })
        };
        let is_last = matches!(event, v1::import_event::Event::Done(_));
        if events.send(Ok(v1::ImportEvent { event: Some(event) })).await.is_err() || is_last {
            return Ok(());
        }
    }
}

fn answered<T>(answer: Result<T, QueryFailure>) -> Result<Response<T>, Status> {
    answer.map(Response::new).map_err(|error| status::query(&error))
}
