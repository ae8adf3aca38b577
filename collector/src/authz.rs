//! Who may call what on the `api` listener: one table, a line for each RPC.
//!
//! Everything that has no line is refused, and a method that is served without one keeps the collector from starting.
//! The name comes from the certificate, the roles from the registry, at each call, so that a change is immediate.
//! Knows nothing of what the methods do.

use std::{
    collections::BTreeSet,
    convert::Infallible,
    fmt,
    future::Future,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll},
};

use muster_common::{
    time::{Clock, Timestamp},
    trust::name::PeerName,
};
use prost::Message;
use prost_types::FileDescriptorSet;
use tonic::Status;
use tower::{Layer, Service};

use crate::{
    registry::{Registry, Role, Sight},
    tls::{listener, peer::Caller},
};

/// What a method needs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Needs {
    /// An account that is not disabled, whatever its roles.
    Account,
    /// A role that looks at records; the answer is narrowed to those that it may see ([`Actor::sight`]).
    Sight,
    /// This role, or the one that has them all.
    Role(Role),
    /// One of these roles, or the one that has them all.
    AnyOf(&'static [Role]),
}

/// Those who work with assets, and so may ask for something to be accepted.
const STAFF: &[Role] =
    &[Role::Technician, Role::Custodian, Role::Procurement, Role::Finance, Role::Security, Role::Manager];

/// Those who see every record.
const OVERSEERS: &[Role] = &[
    Role::Reader,
    Role::Auditor,
    Role::Technician,
    Role::Procurement,
    Role::Finance,
    Role::Security,
    Role::Manager,
];

/// Who may ask for something to be bought, and sees what became of it.
const REQUESTERS: &[Role] = &[
    Role::Employee,
    Role::Technician,
    Role::Custodian,
    Role::Procurement,
    Role::Finance,
    Role::Security,
    Role::Manager,
    Role::Auditor,
];

/// Who may look at what proves a step: it is personal.
const WITNESSES: &[Role] = &[
    Role::Technician,
    Role::Custodian,
    Role::Procurement,
    Role::Finance,
    Role::Security,
    Role::Manager,
    Role::Auditor,
];

/// Who hands assets over and looks after them.
const HANDLERS: &[Role] = &[Role::Technician, Role::Custodian];

/// Every method that is served on `api`.
const METHODS: &[(&str, Needs)] = &[
    ("/muster.v1.Query/ListDevices", Needs::Sight),
    ("/muster.v1.Query/ListAssets", Needs::Sight),
    ("/muster.v1.Query/GetDevice", Needs::Sight),
    ("/muster.v1.Query/GetInventory", Needs::Sight),
    ("/muster.v1.Query/ListDeviceHistory", Needs::Sight),
    ("/muster.v1.Query/ListSoftware", Needs::Sight),
    ("/muster.v1.Query/ListFlags", Needs::Sight),
    ("/muster.v1.Query/Lookup", Needs::Sight),
    ("/muster.v1.Admin/CreateToken", Needs::Role(Role::Admin)),
    ("/muster.v1.Admin/ListTokens", Needs::Role(Role::Admin)),
    ("/muster.v1.Admin/RevokeToken", Needs::Role(Role::Admin)),
    ("/muster.v1.Admin/ListAgents", Needs::Role(Role::Reader)),
    ("/muster.v1.Admin/RevokeAgent", Needs::Role(Role::Admin)),
    ("/muster.v1.Admin/Import", Needs::Role(Role::Procurement)),
    ("/muster.v1.Admin/ImportReport", Needs::Role(Role::Admin)),
    ("/muster.v1.Admin/ListRefusedRows", Needs::Role(Role::Procurement)),
    ("/muster.v1.Audit/ListAuditEntries", Needs::Role(Role::Auditor)),
    ("/muster.v1.Audit/WalkAuditLog", Needs::Role(Role::Auditor)),
    ("/muster.v1.Audit/SignAuditHead", Needs::Role(Role::Auditor)),
    ("/muster.v1.Audit/ExportAuditPack", Needs::Role(Role::Auditor)),
    ("/muster.v1.Records/ListPersons", Needs::Sight),
    ("/muster.v1.Records/GetPerson", Needs::Sight),
    ("/muster.v1.Records/ListSightings", Needs::Sight),
    ("/muster.v1.Records/Reconcile", Needs::Sight),
    ("/muster.v1.Records/GetCoverage", Needs::Sight),
    ("/muster.v1.Records/ImportFile", Needs::Role(Role::Procurement)),
    ("/muster.v1.Charter/GetCharter", Needs::AnyOf(OVERSEERS)),
    ("/muster.v1.Charter/ListCharterVersions", Needs::AnyOf(OVERSEERS)),
    ("/muster.v1.Charter/TryCharter", Needs::Role(Role::Admin)),
    ("/muster.v1.Charter/ApplyCharter", Needs::Role(Role::Admin)),
    ("/muster.v1.Charter/Adopt", Needs::Role(Role::Admin)),
    ("/muster.v1.Charter/ListWorkItems", Needs::Sight),
    ("/muster.v1.Charter/AcknowledgeFlag", Needs::AnyOf(STAFF)),
    ("/muster.v1.Charter/RequestException", Needs::AnyOf(STAFF)),
    // Who may decide is the charter's to say.
    ("/muster.v1.Charter/DecideException", Needs::Account),
    ("/muster.v1.Charter/WithdrawException", Needs::Account),
    ("/muster.v1.Charter/ListExceptions", Needs::AnyOf(OVERSEERS)),
    ("/muster.v1.Lifecycle/CreatePurchaseRequest", Needs::AnyOf(REQUESTERS)),
    ("/muster.v1.Lifecycle/ListPurchaseRequests", Needs::AnyOf(REQUESTERS)),
    ("/muster.v1.Lifecycle/GetPurchaseRequest", Needs::AnyOf(REQUESTERS)),
    // Who may decide is the charter's to say, and which role a step needs the policy's.
    ("/muster.v1.Lifecycle/DecidePurchaseRequest", Needs::AnyOf(STAFF)),
    ("/muster.v1.Lifecycle/AdvancePurchaseRequest", Needs::AnyOf(STAFF)),
    ("/muster.v1.Lifecycle/Transition", Needs::AnyOf(STAFF)),
    ("/muster.v1.Lifecycle/AddEvidence", Needs::AnyOf(STAFF)),
    ("/muster.v1.Lifecycle/ListEvidence", Needs::AnyOf(WITNESSES)),
    ("/muster.v1.Lifecycle/GetEvidence", Needs::AnyOf(WITNESSES)),
    ("/muster.v1.Lifecycle/CreateHandover", Needs::AnyOf(HANDLERS)),
    ("/muster.v1.Lifecycle/AcknowledgeHandover", Needs::AnyOf(REQUESTERS)),
    ("/muster.v1.Lifecycle/ScanAudit", Needs::AnyOf(HANDLERS)),
    ("/muster.v1.Records/SaveMapping", Needs::Role(Role::Procurement)),
    ("/muster.v1.Records/ListMappings", Needs::Role(Role::Procurement)),
    ("/grpc.health.v1.Health/Check", Needs::Account),
    ("/grpc.health.v1.Health/Watch", Needs::Account),
    ("/grpc.reflection.v1.ServerReflection/ServerReflectionInfo", Needs::Account),
];

/// The services that are served on `api`.
const SERVICES: &[&str] = &[
    "muster.v1.Query",
    "muster.v1.Admin",
    "muster.v1.Audit",
    "muster.v1.Records",
    "muster.v1.Charter",
    "muster.v1.Lifecycle",
    "grpc.health.v1.Health",
    "grpc.reflection.v1.ServerReflection",
];

/// The most characters of a peer's path in a log line.
const SHOWN_PATH: usize = 120;

/// Whose call it is: in the extensions of every request that was let through.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Actor {
    /// The account's name, such as `operator/alice`.
    pub name: String,
    /// Which records it sees. What narrows nothing must be asked for with a role that sees all.
    pub sight: Sight,
    /// What it may do at this moment.
    pub roles: Vec<Role>,
}

impl Actor {
    /// The actor of a request that came through [`AuthzLayer`].
    ///
    /// # Errors
    /// `PERMISSION_DENIED` when it did not: nobody may do anything.
    pub fn of<T>(request: &tonic::Request<T>) -> Result<&Self, Status> {
        let missing = || Status::permission_denied("the call came past the door where accounts are checked");
        request.extensions().get::<Self>().ok_or_else(missing)
    }
}

/// Methods and table don't agree.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum IncompleteTable {
    /// A method is served that has no line: nobody could call it.
    #[error("the table of roles in authz.rs has no line for {path}: add one")]
    Missing {
        /// The method.
        path: String,
    },
    /// A line names a method that no service has.
    #[error("the table of roles in authz.rs has a line for {path}, which no service has: remove it")]
    Unknown {
        /// The method.
        path: String,
    },
    /// Descriptors that are built in can't be read.
    #[error("the descriptors of the services are damaged: build the collector again")]
    Descriptors(#[source] prost::DecodeError),
}

/// Compares the table with every method of the services that `api` serves; asked at the start.
///
/// # Errors
/// Names the first method that has no line, or the first line that has no method.
pub fn check_complete() -> Result<(), IncompleteTable> {
    let mut served = BTreeSet::new();
    for bytes in [
        muster_proto::DESCRIPTORS,
        tonic_health::pb::FILE_DESCRIPTOR_SET,
        tonic_reflection::pb::v1::FILE_DESCRIPTOR_SET,
    ] {
        let descriptors = FileDescriptorSet::decode(bytes).map_err(IncompleteTable::Descriptors)?;
        for file in &descriptors.file {
            for service in &file.service {
                let name = format!("{}.{}", file.package(), service.name());
                if SERVICES.contains(&name.as_str()) {
                    served.extend(service.method.iter().map(|method| format!("/{name}/{}", method.name())));
                }
            }
        }
    }
    if let Some(path) = served.iter().find(|path| needs(path).is_none()) {
        return Err(IncompleteTable::Missing { path: path.clone() });
    }
    match METHODS.iter().find(|(path, _)| !served.contains(*path)) {
        Some((path, _)) => Err(IncompleteTable::Unknown { path: (*path).to_owned() }),
        None => Ok(()),
    }
}

fn needs(path: &str) -> Option<Needs> {
    METHODS.iter().find(|(known, _)| *known == path).map(|(_, needs)| *needs)
}

/// Why a call was refused; the text goes to the caller.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
enum Refused {
    #[error("the api is for operators and services with a certificate of this collector")]
    Nobody,
    #[error(
        "{name} is no operator or service: use a certificate that muster-collector init or an admin made"
    )]
    WrongKind { name: String },
    #[error("{name} has no account here: ask an admin to make one")]
    NoAccount { name: String },
    #[error("the account {name} is disabled: ask an admin")]
    Disabled { name: String },
    #[error("there is no such method here for anybody: use a client of this collector's version")]
    NoMethod,
    #[error("{name} needs the role {role} for this: ask an admin to give it")]
    Role { name: String, role: Role },
    #[error("{name} needs a role that looks at records, such as reader: ask an admin to give it")]
    Sight { name: String },
    #[error("{name} needs one of the roles {roles} for this: ask an admin to give it")]
    NoneOf { name: String, roles: String },
}

/// Whether a call may go on, and as whom.
fn decide(
    registry: &Registry,
    caller: Option<&Caller>,
    path: &str,
    now: Timestamp,
) -> Result<Actor, Refused> {
    let peer = caller
        .filter(|caller| caller.role == listener::Role::Api)
        .and_then(|caller| caller.peer.as_ref())
        .ok_or(Refused::Nobody)?;
    let name = peer.name.to_string();
    match peer.name {
        PeerName::Operator(_) | PeerName::Service(_) => {}
        PeerName::Agent(_) | PeerName::Collector(_) => return Err(Refused::WrongKind { name }),
    }
    let Some(account) = registry.account(&name, now) else { return Err(Refused::NoAccount { name }) };
    if account.disabled {
        return Err(Refused::Disabled { name });
    }
    match needs(path).ok_or(Refused::NoMethod)? {
        Needs::Account => {}
        Needs::Sight if account.sight() != Sight::Departments(Vec::new()) => {}
        Needs::Sight => return Err(Refused::Sight { name }),
        Needs::Role(role) if account.may(role) => {}
        Needs::Role(role) => return Err(Refused::Role { name, role }),
        Needs::AnyOf(roles) if roles.iter().any(|role| account.may(*role)) => {}
        Needs::AnyOf(roles) => {
            let roles: Vec<&str> = roles.iter().map(|role| role.name()).collect();
            return Err(Refused::NoneOf { name, roles: roles.join(", ") });
        }
    }
    Ok(Actor { name, sight: account.sight(), roles: account.roles })
}

/// Lets calls through that the table allows.
#[derive(Debug, Clone)]
pub struct AuthzLayer {
    registry: Arc<Registry>,
    clock: Arc<dyn Clock>,
}

impl AuthzLayer {
    /// Over the accounts that the registry knows; roles end by the clock.
    pub fn new(registry: Arc<Registry>, clock: Arc<dyn Clock>) -> Self {
        Self { registry, clock }
    }
}

impl<S> Layer<S> for AuthzLayer {
    type Service = Authz<S>;

    fn layer(&self, inner: S) -> Authz<S> {
        Authz { registry: self.registry.clone(), clock: self.clock.clone(), inner }
    }
}

/// The services behind the door.
#[derive(Clone)]
pub struct Authz<S> {
    registry: Arc<Registry>,
    clock: Arc<dyn Clock>,
    inner: S,
}

impl<S> fmt::Debug for Authz<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Authz").finish_non_exhaustive()
    }
}

impl<S, B, R> Service<http::Request<B>> for Authz<S>
where
    S: Service<http::Request<B>, Response = http::Response<R>, Error = Infallible>,
    S::Future: Send + 'static,
    R: Default + Send + 'static,
{
    type Response = http::Response<R>;
    type Error = Infallible;
    type Future = Pin<Box<dyn Future<Output = Result<http::Response<R>, Infallible>> + Send>>;

    fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        self.inner.poll_ready(context)
    }

    fn call(&mut self, mut request: http::Request<B>) -> Self::Future {
        let caller = request.extensions().get::<Caller>();
        match decide(&self.registry, caller, request.uri().path(), self.clock.now()) {
            Ok(actor) => {
                request.extensions_mut().insert(actor);
                Box::pin(self.inner.call(request))
            }
            Err(refused) => {
                let path: String = request.uri().path().chars().take(SHOWN_PATH).collect();
                tracing::warn!(
                    peer.address = caller.map(|caller| caller.address.to_string()).unwrap_or_default(),
                    rpc.path = ?path,
                    reason = %refused,
                    "call refused"
                );
                let response = Status::permission_denied(refused.to_string()).into_http();
                Box::pin(std::future::ready(Ok(response)))
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use muster_common::{id::AgentId, time::SystemClock};
    use tokio_util::sync::CancellationToken;

    use super::*;
    use crate::{store::memory::MemoryStore, tls::peer::Peer};

    const NOW: Timestamp = Timestamp::from_millis(2);

    #[test]
    fn every_method_has_its_line() {
        assert_eq!(check_complete(), Ok(()));
        let paths: BTreeSet<&str> = METHODS.iter().map(|(path, _)| *path).collect();
        assert_eq!(paths.len(), METHODS.len(), "a path stands twice");
    }

    fn caller(name: PeerName, role: listener::Role) -> Caller {
        let address = "192.0.2.7:4711".parse().unwrap();
        let peer = Peer {
            name,
            certificate_fingerprint: [0; 32],
            serial: "01".to_owned(),
            not_after: Timestamp::from_millis(i64::MAX),
            address,
        };
        Caller { role, address, peer: Some(Arc::new(peer)), closer: CancellationToken::new() }
    }

    fn operator(name: &str) -> PeerName {
        PeerName::Operator(name.parse().unwrap())
    }

    async fn registry() -> Arc<Registry> {
        let registry = Registry::new(Arc::new(MemoryStore::default()));
        for (name, roles, department) in [
            ("alice", &[Role::Admin][..], None),
            ("rita", &[Role::Reader], None),
            ("paul", &[Role::Procurement], None),
            ("nora", &[], None),
            ("kim", &[Role::Custodian], Some("Sales".to_owned())),
            ("karl", &[Role::Custodian], None),
            ("emma", &[Role::Employee], None),
        ] {
            let departments = department.as_slice();
            registry
                .set_operator(&name.parse().unwrap(), roles, departments, "init", Timestamp::from_millis(1))
                .await
                .unwrap();
        }
        Arc::new(registry)
    }

    #[tokio::test]
    async fn the_table_of_cases() {
        use listener::Role::{Agents, Api};

        let registry = registry().await;
        let (list, token) = ("/muster.v1.Query/ListDevices", "/muster.v1.Admin/CreateToken");
        let agents = "/muster.v1.Admin/ListAgents";
        let (import, health) = ("/muster.v1.Admin/Import", "/grpc.health.v1.Health/Check");
        let agent = || PeerName::Agent(AgentId::from_bytes([7; 16]));
        let cases = [
            ("admin reads", operator("alice"), Api, list, true),
            ("admin writes", operator("alice"), Api, token, true),
            ("reader reads", operator("rita"), Api, list, true),
            ("reader on a write", operator("rita"), Api, token, false),
            ("reader imports", operator("rita"), Api, import, false),
            ("procurement imports", operator("paul"), Api, import, true),
            ("procurement reads", operator("paul"), Api, list, true),
            ("custodian reads", operator("kim"), Api, list, true),
            ("custodian reads what isn't narrowed", operator("kim"), Api, agents, false),
            ("custodian of nothing reads", operator("karl"), Api, list, false),
            ("employee reads", operator("emma"), Api, list, false),
            ("no role reads", operator("nora"), Api, list, false),
            ("no role asks for health", operator("nora"), Api, health, true),
            ("no account", operator("mallory"), Api, list, false),
            ("no account asks for health", operator("mallory"), Api, health, false),
            ("a service of the same name", PeerName::Service("alice".parse().unwrap()), Api, list, false),
            ("agent", agent(), Api, list, false),
            ("agent asks for health", agent(), Api, health, false),
            ("unknown method", operator("alice"), Api, "/muster.v1.Query/DropDevices", false),
            ("unknown service", operator("alice"), Api, "/muster.v1.Ingest/Session", false),
            ("path with another case", operator("alice"), Api, "/muster.v1.query/ListDevices", false),
            ("path with a slash", operator("alice"), Api, "/muster.v1.Query/ListDevices/", false),
            ("empty path", operator("alice"), Api, "", false),
            ("admin at another door", operator("alice"), Agents, list, false),
        ];
        for (case, name, door, path, expected) in cases {
            let caller = caller(name, door);
            assert_eq!(decide(&registry, Some(&caller), path, NOW).is_ok(), expected, "{case}");
        }
        assert_eq!(decide(&registry, None, list, NOW), Err(Refused::Nobody));
    }

    #[tokio::test]
    async fn a_refused_call_never_reaches_the_service() {
        let layer = AuthzLayer::new(registry().await, Arc::new(SystemClock));
        let inner = tower::service_fn(|request: http::Request<()>| {
            let actor = request.extensions().get::<Actor>().cloned();
            async move { Ok::<_, Infallible>(http::Response::new(actor.map(|actor| actor.name))) }
        });
        let mut service = layer.layer(inner);
        let mut call = async |name: &str, path: &str| {
            let mut request = http::Request::builder().uri(path).body(()).unwrap();
            request.extensions_mut().insert(caller(operator(name), listener::Role::Api));
            service.call(request).await.unwrap()
        };
        let answered = call("alice", "/muster.v1.Admin/CreateToken").await;
        assert_eq!(answered.into_body().as_deref(), Some("operator/alice"));
        let refused = call("rita", "/muster.v1.Admin/CreateToken").await;
        assert_eq!(refused.headers()["grpc-status"], "7");
        let message = refused.headers()["grpc-message"].to_str().unwrap();
        assert!(message.contains("admin"), "{message}");
        assert_eq!(refused.into_body(), None, "the service was called");
    }
}
