//! The charter through its door: applied, tried, its precedence and flags over live records, roles, adoption, exceptions.

use std::{sync::Arc, time::Duration};

use muster_collector::{
    actions::{adopt::Adopter, charters::Charters, excepting::Excepting},
    authz::Actor,
    charter::CharterService,
    query::Query,
    registry::Role,
};
use muster_common::id::AgentId;
use muster_proto::v1::{self, charter_server::Charter, query_server::Query as _};
use tonic::{Code, Request, Status};

use crate::world::{Laptop, World, by_alice, value};

const DAY: Duration = Duration::from_secs(24 * 3600);
const EXAMPLE: &str = include_str!("../../../deploy/examples/charter.toml");

struct Door {
    world: World,
    charters: Arc<Charters>,
    service: CharterService,
}

impl Door {
    fn new() -> Self {
        let world = World::new();
        let charters = Arc::new(Charters::new(world.pipeline.clone(), world.registry.clone()));
        let query = Arc::new(Query::new(world.pipeline.clone(), world.index.clone(), world.persons.clone()));
        let service = CharterService::new(
            world.pipeline.clone(),
            charters.clone(),
            Excepting::new(world.pipeline.clone(), query.clone()),
            Adopter::new(world.pipeline.clone(), query.clone()),
            query,
        );
        Self { world, charters, service }
    }

    async fn apply(&self, text: &str) -> Result<v1::ApplyCharterResponse, Status> {
        let request = v1::ApplyCharterRequest {
            text: text.to_owned(),
            reason: "test".to_owned(),
            expected_version: None,
        };
        self.service.apply_charter(by_alice(request)).await.map(tonic::Response::into_inner)
    }

    async fn compare(&self, text: &str) -> v1::CharterDifference {
        let request = v1::TryCharterRequest { text: text.to_owned(), named: 0 };
        self.service.try_charter(by_alice(request)).await.unwrap().into_inner()
    }

    async fn counts(&self, filter: &str) -> Vec<(String, u64, u64)> {
        let request = v1::ListFlagsRequest { filter: filter.to_owned(), ..Default::default() };
        let listed = self.world.query.list_flags(by_alice(request)).await.unwrap().into_inner();
        let mut counts: Vec<_> = listed
            .counts
            .into_iter()
            .map(|count| (count.code, count.device_count, count.excepted_count))
            .collect();
        counts.sort();
        counts
    }

    async fn count(&self, code: &str) -> (u64, u64) {
        let counts = self.counts("").await;
        counts
            .into_iter()
            .find(|(found, _, _)| found == code)
            .map_or((0, 0), |(_, open, excepted)| (open, excepted))
    }

    async fn ask(
        &self,
        who: (&str, Role),
        code: &str,
        filter: &str,
        days: u32,
    ) -> Result<v1::Exception, Status> {
        let until = self.world.now().after(days * DAY);
        let request = v1::RequestExceptionRequest {
            code: code.to_owned(),
            scope: Some(v1::request_exception_request::Scope::Filter(filter.to_owned())),
            reason: "they are at a fair".to_owned(),
            until_time: Some(muster_proto::convert::to_timestamp(until)),
        };
        self.service.request_exception(by(who, request)).await.map(tonic::Response::into_inner)
    }

    async fn approve(&self, who: (&str, Role), name: &str) -> Result<v1::Exception, Status> {
        let request =
            v1::DecideExceptionRequest { name: name.to_owned(), approve: true, remark: String::new() };
        self.service.decide_exception(by(who, request)).await.map(tonic::Response::into_inner)
    }
}

fn by<T>((name, role): (&str, Role), message: T) -> Request<T> {
    let mut request = by_alice(message);
    let actor =
        Actor { name: format!("operator/{name}"), roles: vec![role], ..Actor::of(&request).unwrap().clone() };
    request.extensions_mut().insert(actor);
    request
}

const TINA: (&str, Role) = ("tina", Role::Technician);
const SAM: (&str, Role) = ("sam", Role::Security);

/// The same machine whenever it is asked for.
fn laptop(number: u8) -> Laptop {
    let [serial, host, address] = [
        ["SN1QWERT", "host-1", "192.0.2.1"],
        ["SN2QWERT", "host-2", "192.0.2.2"],
        ["SN3QWERT", "host-3", "192.0.2.3"],
        ["SN4QWERT", "host-4", "192.0.2.4"],
        ["SN5QWERT", "host-5", "192.0.2.5"],
    ][usize::from(number) - 1];
    Laptop { agent: AgentId::from_bytes([number; 16]), ..Laptop::new(serial, host, address) }
}

async fn named(world: &World, host: &str) -> v1::Device {
    let request = v1::ListDevicesRequest { filter: format!("hostname = {host:?}"), ..Default::default() };
    let listed = world.query.list_devices(by_alice(request)).await.unwrap().into_inner();
    listed.devices.into_iter().next().unwrap()
}

async fn fleet(door: &Door, laptops: u8) {
    for number in 1..=laptops {
        door.world.report(&laptop(number)).await;
    }
}

#[tokio::test]
async fn a_charter_is_checked_tried_applied_and_there_after_a_restart() {
    let door = Door::new();
    fleet(&door, 3).await;
    let show = |version| by_alice(v1::GetCharterRequest { version });
    let none = door.service.get_charter(show(0)).await.unwrap().into_inner();
    assert_eq!((none.version, none.text.as_str()), (0, ""));

    let wrong = door.apply("required_fields = [\"ownr\"]\ncolour = 1\n").await.unwrap_err();
    assert_eq!(wrong.code(), Code::InvalidArgument);
    assert_eq!(wrong.message().lines().count(), 2, "{}", wrong.message());

    let tried = door.compare(EXAMPLE).await;
    assert_eq!(tried.device_count, 3);
    let incomplete = tried.flags.iter().find(|flag| flag.code == "incomplete").unwrap();
    assert_eq!((incomplete.appears, incomplete.clears, incomplete.appearing.len()), (3, 0, 3));
    assert!(tried.sentences_added.iter().any(|line| line == "Every device must have owner and location."));
    assert_eq!(door.count("incomplete").await, (0, 0), "trying changes nothing");

    let applied = door.apply(EXAMPLE).await.unwrap();
    assert_eq!((applied.version, applied.judged_count, applied.changed_count), (1, 3, 3));
    assert_eq!(door.count("incomplete").await, (3, 0));
    assert_eq!(door.compare(EXAMPLE).await.flags, [], "what was tried is what came");
    assert_eq!(door.apply(EXAMPLE).await.unwrap_err().code(), Code::FailedPrecondition);

    let in_force = door.service.get_charter(show(0)).await.unwrap().into_inner();
    assert_eq!(
        (in_force.version, in_force.actor.as_str(), in_force.text.as_str()),
        (1, "operator/alice", EXAMPLE)
    );
    let again = Charters::new(door.world.pipeline.clone(), door.world.registry.clone());
    assert_eq!(again.load().await.unwrap(), 1);
    assert!(!again.settings_changed(Default::default()), "an applied charter stands above the settings");

    assert_eq!(door.apply("").await.unwrap().version, 2);
    assert_eq!(door.count("incomplete").await, (0, 0));
    assert_eq!(door.charters.version(), 2);
    let expecting = v1::ApplyCharterRequest {
        text: EXAMPLE.to_owned(),
        reason: String::new(),
        expected_version: Some(1),
    };
    let changed = door.service.apply_charter(by_alice(expecting)).await.unwrap_err();
    assert_eq!(changed.code(), Code::FailedPrecondition);
    assert!(changed.message().contains("version 2"), "{}", changed.message());
}

#[tokio::test]
async fn severities_and_switched_off_flags_are_the_charters() {
    let door = Door::new();
    fleet(&door, 2).await;
    assert_eq!(door.count("unknown").await, (2, 0));
    door.apply("[flags.severity]\nunknown = \"critical\"\n").await.unwrap();
    let device = &door.world.devices("flag:unknown").await.unwrap()[0];
    let shown = named(&door.world, device).await;
    let unknown = shown.flags.iter().find(|flag| flag.code == "unknown").unwrap();
    assert_eq!(unknown.severity(), v1::Severity::Critical);
    door.apply("[flags]\noff = [\"unknown\"]\n").await.unwrap();
    assert_eq!(door.count("unknown").await, (0, 0));
    assert_eq!(door.world.devices("flag:unknown").await.unwrap(), [""; 0]);
}

#[tokio::test]
async fn a_new_precedence_refolds_all_and_taken_back_restores_the_values() {
    let door = Door::new();
    let machine = laptop(1);
    let outcome = door.world.report(&machine).await;
    let serial = machine.serial;
    door.world.import(&format!("serial,model\n{serial},Invoice Model\n"), true).await;
    let name = format!("devices/{}", outcome.device);
    let before = door.world.device(&name).await;
    assert_ne!(value(&before, "model"), "Invoice Model");

    let text = "[precedence]\nmodel = [\"procurement\", \"agent\"]\n";
    let tried = door.compare(text).await;
    let fields: Vec<(&str, u64)> =
        tried.fields.iter().map(|of| (of.field.as_str(), of.device_count)).collect();
    assert_eq!(fields, [("model", 1)]);
    door.apply(text).await.unwrap();
    let after = door.world.device(&name).await;
    assert_eq!(value(&after, "model"), "Invoice Model");
    let claims =
        |device: &v1::Device| device.fields.iter().find(|of| of.field == "model").unwrap().claims.len();
    assert_eq!(claims(&before), claims(&after), "no value is lost");
    door.apply("").await.unwrap();
    let back = door.world.device(&name).await;
    assert_eq!(back.fields, before.fields);
}

#[tokio::test]
async fn nobody_locks_themselves_out_and_rights_are_tried_too() {
    let door = Door::new();
    let alice = "alice".parse().unwrap();
    door.world.registry.set_operator(&alice, &[Role::Admin], &[], "init", door.world.now()).await.unwrap();
    let text =
        "[roles]\nalice.roles = [\"reader\"]\neve = { roles = [\"auditor\"], until = \"2027-01-31\" }\n";
    let rights: Vec<(String, String, String)> =
        door.compare(text).await.rights.into_iter().map(|of| (of.account, of.before, of.after)).collect();
    let expected = [("operator/alice", "admin", "reader"), ("operator/eve", "", "auditor until 2027-01-31")];
    assert_eq!(
        rights,
        expected.map(|(account, before, after)| (account.into(), before.into(), after.into()))
    );
    let refused = door.apply(text).await.unwrap_err();
    assert_eq!(refused.code(), Code::FailedPrecondition);
    assert!(refused.message().contains("operator/alice would lose the role admin"), "{}", refused.message());
}

#[tokio::test]
async fn adoption_vouches_in_bulk_at_a_state_and_twice_changes_nothing() {
    let door = Door::new();
    fleet(&door, 5).await;
    assert_eq!(door.count("unknown").await, (5, 0));
    let adopt = async |filter: &str, state: &str, validate_only: bool| {
        let request = v1::AdoptRequest {
            filter: filter.to_owned(),
            state: state.to_owned(),
            reason: "brownfield".to_owned(),
            validate_only,
        };
        door.service.adopt(by_alice(request)).await.map(tonic::Response::into_inner)
    };
    assert_eq!(adopt("", "", false).await.unwrap_err().code(), Code::InvalidArgument);
    assert_eq!(adopt("flag:unknown", "in-orbit", false).await.unwrap_err().code(), Code::InvalidArgument);
    let dry = adopt("flag:unknown", "deployed", true).await.unwrap();
    assert_eq!((dry.matched_count, dry.adopted_count, dry.some.len()), (5, 5, 5));
    assert_eq!(door.count("unknown").await, (5, 0), "a dry run changes nothing");
    let done = adopt("flag:unknown", "deployed", false).await.unwrap();
    assert_eq!((done.adopted_count, done.unchanged_count), (5, 0));
    assert_eq!(door.count("unknown").await, (0, 0));
    assert_eq!(door.world.devices("state = \"deployed\"").await.unwrap().len(), 5);
    let twice = adopt("state = \"deployed\"", "deployed", false).await.unwrap();
    assert_eq!((twice.adopted_count, twice.unchanged_count), (0, 5));
    let retired = adopt("state = \"deployed\"", "retired", false).await.unwrap();
    assert_eq!(retired.adopted_count, 5, "existing assets enter at any state");
}

#[tokio::test]
async fn an_exception_is_approved_by_somebody_else_and_expiry_raises_the_flag_again() {
    let door = Door::new();
    fleet(&door, 2).await;
    assert_eq!(door.ask(TINA, "unknown", "os.name = ", 10).await.unwrap_err().code(), Code::InvalidArgument);
    assert_eq!(
        door.ask(TINA, "unknown", "NOT serial:none", 500).await.unwrap_err().code(),
        Code::InvalidArgument
    );
    let asked = door.ask(TINA, "unknown", "NOT serial:none", 10).await.unwrap();
    assert_eq!(asked.state(), v1::ExceptionState::Requested);
    assert_eq!(door.count("unknown").await, (2, 0), "a request waives nothing");
    assert_eq!(door.approve(TINA, &asked.name).await.unwrap_err().code(), Code::PermissionDenied);
    let own = door.ask(SAM, "unknown", "NOT serial:none", 10).await.unwrap();
    let refused = door.approve(SAM, &own.name).await.unwrap_err();
    assert_eq!(refused.code(), Code::PermissionDenied);
    assert!(refused.message().contains("nobody approves their own"), "{}", refused.message());

    let approved = door.approve(SAM, &asked.name).await.unwrap();
    assert_eq!((approved.covered_count, approved.self_approved), (2, false));
    assert_eq!(door.count("unknown").await, (0, 2));
    assert_eq!(door.world.devices("excepted:unknown").await.unwrap().len(), 2);
    // A device that comes later is covered too.
    door.world.report(&laptop(3)).await;
    assert_eq!(door.world.pipeline.cover_again(), 1);
    door.world.pipeline.judge_due(100).await.unwrap();
    assert_eq!(door.count("unknown").await, (0, 3));

    door.world.clock.advance(11 * DAY);
    door.world.pipeline.judge_due(100).await.unwrap();
    assert_eq!(door.count("unknown").await, (3, 0), "nothing is waived for ever");
    let device = named(&door.world, &door.world.devices("").await.unwrap()[0]).await;
    let request = v1::ListDeviceHistoryRequest { parent: device.name, ..Default::default() };
    let history = door.world.query.list_device_history(by_alice(request)).await.unwrap().into_inner();
    let words: Vec<String> = history
        .entries
        .iter()
        .rev()
        .flat_map(|entry| &entry.changes)
        .filter(|change| {
            change.field == "flag" && (change.before.contains("unknown") || change.after.contains("unknown"))
        })
        .map(|change| change.after.chars().take(22).collect())
        .collect();
    assert_eq!(words, ["unknown", "unknown (excepted unti", "unknown"], "each step is in the history");
}

#[tokio::test]
async fn self_approval_is_the_charters_to_allow_and_marked() {
    let door = Door::new();
    fleet(&door, 1).await;
    door.apply("[exceptions]\nself_approval = true\n").await.unwrap();
    let own = door.ask(SAM, "unknown", "NOT serial:none", 10).await.unwrap();
    assert!(door.approve(SAM, &own.name).await.unwrap().self_approved);
    let device = named(&door.world, &door.world.devices("").await.unwrap()[0]).await;
    let unknown = device.flags.iter().find(|flag| flag.code == "unknown").unwrap();
    assert!(unknown.self_approved && unknown.standing() == v1::FlagStanding::Excepted);
    let withdraw = v1::WithdrawExceptionRequest { name: own.name, remark: String::new() };
    door.service.withdraw_exception(by(SAM, withdraw)).await.unwrap();
    assert_eq!(door.count("unknown").await, (1, 0));
}

#[tokio::test]
async fn an_acknowledged_flag_stays_open_and_says_by_whom() {
    let door = Door::new();
    let outcome = door.world.report(&laptop(1)).await;
    let device = format!("devices/{}", outcome.device);
    let acknowledge =
        |code: &str| by(TINA, v1::AcknowledgeFlagRequest { device: device.clone(), code: code.to_owned() });
    assert_eq!(door.service.acknowledge_flag(acknowledge("stale")).await.unwrap_err().code(), Code::NotFound);
    door.service.acknowledge_flag(acknowledge("unknown")).await.unwrap();
    door.world.report(&laptop(1)).await;
    let shown = door.world.device(&device).await;
    let unknown = shown.flags.iter().find(|flag| flag.code == "unknown").unwrap();
    assert_eq!(unknown.acknowledged_by, "operator/tina");
    assert_eq!(door.count("unknown").await, (1, 0));
}

#[tokio::test]
async fn work_items_are_few_and_each_lists_its_assets() {
    let door = Door::new();
    fleet(&door, 4).await;
    door.apply(EXAMPLE).await.unwrap();
    let request = v1::ListWorkItemsRequest { filter: String::new() };
    let work = door.service.list_work_items(by_alice(request)).await.unwrap().into_inner();
    assert!((1..=10).contains(&work.items.len()), "{work:?}");
    for item in work.items {
        let listed = door.world.devices(&item.filter).await.unwrap();
        assert_eq!(listed.len() as u64, item.device_count, "{}", item.filter);
    }
}
