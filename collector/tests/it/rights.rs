//! A custodian sees own departments: no other in any list, count, record, history, error or page token.

use muster_common::time::Timestamp;
use muster_proto::{
    convert::to_timestamp,
    v1::{self, query_server::Query as _},
};
use tonic::{Code, Status};

use crate::world::{Laptop, World, by_alice, by_custodian};

/// Two departments with a sub-department, one laptop each, and one of nobody's.
const PURCHASES: &str = "\
serial,department,owner,hostname,order_number
PF0AAAAA,Sales,Jo Doe,,PO-1
PF1BBBBB,Sales/EMEA,Jo Doe,,PO-1
PF2CCCCC,IT,Sam Roe,,PO-2
PF3DDDDD,,Sam Roe,,PO-3
";

async fn fleet() -> World {
    let world = World::new();
    world.import(PURCHASES, true).await;
    for (serial, host, ip, package) in [
        ("PF0AAAAA", "alpha", "192.0.2.1", "bash"),
        ("PF1BBBBB", "beta", "192.0.2.2", "bash"),
        ("PF2CCCCC", "gamma", "192.0.2.3", "nmap"),
        ("PF3DDDDD", "delta", "192.0.2.4", "bash"),
    ] {
        let mut laptop = Laptop::new(serial, host, ip);
        laptop.packages = vec![(package, "1.0-1")];
        world.report(&laptop).await;
    }
    world
}

async fn id_of(world: &World, host: &str) -> String {
    let request = v1::ListDevicesRequest { filter: format!("hostname = {host}"), ..Default::default() };
    let listed = world.query.list_devices(by_alice(request)).await.unwrap().into_inner();
    listed.devices[0].name.clone()
}

#[tokio::test]
async fn lists_counts_and_pages_know_nothing_of_other_departments() {
    let world = fleet().await;
    let list = async |department: &str, filter: &str, token: &str, size: i32| {
        let request = v1::ListDevicesRequest {
            filter: filter.to_owned(),
            page_token: token.to_owned(),
            page_size: size,
            ..Default::default()
        };
        world.query.list_devices(by_custodian(department, request)).await.map(tonic::Response::into_inner)
    };
    let names = |listed: &v1::ListDevicesResponse| -> Vec<String> {
        listed.devices.iter().map(|device| device.display_name.clone()).collect()
    };
    for (department, filter, expected) in [
        ("Sales", "", &["alpha", "beta"][..]),
        ("sales", "", &["alpha", "beta"]),
        ("Sales/EMEA", "", &["beta"]),
        ("Sale", "", &[]),
        ("IT", "", &["gamma"]),
        ("Sales", "department = IT OR serial:*", &["alpha", "beta"]),
        ("Sales", "NOT hostname = alpha", &["beta"]),
        ("Sales", "software.name = nmap", &[]),
        ("IT", "owner = \"Jo Doe\"", &[]),
    ] {
        let listed = list(department, filter, "", 50).await.unwrap();
        assert_eq!(
            (names(&listed), listed.total_size),
            (
                expected.iter().map(|name| (*name).to_owned()).collect(),
                i64::try_from(expected.len()).unwrap(),
            ),
            "{department}: {filter}"
        );
    }
    let first = list("Sales", "", "", 1).await.unwrap();
    let token = first.next_page_token;
    assert_eq!(names(&list("Sales", "", &token, 1).await.unwrap()), ["beta"]);
    assert_eq!(list("IT", "", &token, 1).await.unwrap_err().code(), Code::InvalidArgument);

    let request = v1::ListSoftwareRequest::default();
    let software =
        world.query.list_software(by_custodian("Sales", request.clone())).await.unwrap().into_inner();
    let rows: Vec<(&str, u64)> =
        software.software.iter().map(|title| (title.name.as_str(), title.device_count)).collect();
    assert_eq!((rows, software.total_size), (vec![("bash", 2)], 1));
    let all = world.query.list_software(by_alice(request)).await.unwrap().into_inner();
    assert_eq!(all.total_size, 2);

    let request = v1::ListFlagsRequest::default();
    let flags = world.query.list_flags(by_custodian("IT", request)).await.unwrap().into_inner();
    assert!(flags.flags.iter().all(|flag| flag.display_name == "gamma"), "{flags:?}");
    assert!(flags.counts.iter().all(|count| count.device_count == 1), "{flags:?}");
}

#[tokio::test]
async fn another_departments_device_is_answered_as_one_that_never_was() {
    let world = fleet().await;
    let theirs = id_of(&world, "gamma").await;
    let never = "devices/00000000-0000-4000-8000-000000000000";
    let words = |error: Status, name: &str| (error.code(), error.message().replace(&name[8..], "ID"));
    let get = async |name: &str, as_of: Option<Timestamp>| {
        let request = v1::GetDeviceRequest { name: name.to_owned(), as_of: as_of.map(to_timestamp) };
        words(world.query.get_device(by_custodian("Sales", request)).await.unwrap_err(), name)
    };
    assert_eq!(get(&theirs, None).await, get(never, None).await);
    assert_eq!(get(&theirs, Some(world.now())).await, get(never, Some(world.now())).await);
    let inventory = async |name: &str| {
        let request = v1::GetInventoryRequest { name: name.to_owned() };
        words(world.query.get_inventory(by_custodian("Sales", request)).await.unwrap_err(), name)
    };
    assert_eq!(inventory(&theirs).await, inventory(never).await);
    let history = async |name: &str| {
        let request = v1::ListDeviceHistoryRequest { parent: name.to_owned(), ..Default::default() };
        words(world.query.list_device_history(by_custodian("Sales", request)).await.unwrap_err(), name)
    };
    assert_eq!(history(&theirs).await, history(never).await);
    for identifier in ["PF2CCCCC", "gamma", "192.0.2.3", "Sam Roe"] {
        let request = v1::LookupRequest { identifier: identifier.to_owned(), at: None };
        let found = world.query.lookup(by_custodian("Sales", request)).await.unwrap().into_inner();
        assert!(found.matches.is_empty() && !found.ambiguous, "{identifier}: {found:?}");
    }
}

#[tokio::test]
async fn what_a_device_was_in_another_department_stays_there() {
    let world = fleet().await;
    let moved = id_of(&world, "gamma").await;
    let before = world.now();
    world.clock.advance(std::time::Duration::from_secs(60));
    world.import("serial,department,owner,order_number\nPF2CCCCC,Sales,Jo Doe,PO-2\n", true).await;
    let request = v1::ListDeviceHistoryRequest { parent: moved.clone(), ..Default::default() };
    let history =
        world.query.list_device_history(by_custodian("Sales", request.clone())).await.unwrap().into_inner();
    assert!(!format!("{history:?}").contains("IT"), "{history:?}");
    let whole = world.query.list_device_history(by_alice(request)).await.unwrap().into_inner();
    assert!(whole.entries.len() > history.entries.len());
    let request = v1::GetDeviceRequest { name: moved, as_of: Some(to_timestamp(before)) };
    let then = world.query.get_device(by_custodian("Sales", request)).await.unwrap_err();
    assert_eq!(then.code(), Code::NotFound, "{then:?}");
}
