//! What tools and people ask, over the services themselves.

use muster_common::time::Timestamp;
use muster_proto::{
    convert::to_timestamp,
    v1::{self, admin_server::Admin as _, query_server::Query},
};
use tonic::Code;

use crate::world::{Laptop, World, by_alice, value};

fn name(outcome: &muster_collector::pipeline::observation::Outcome) -> String {
    format!("devices/{}", outcome.device)
}

async fn fleet(world: &World) {
    for (serial, host, ip) in [
        ("PF0AAAAA", "alpha", "192.0.2.1"),
        ("PF1BBBBB", "beta", "192.0.2.2"),
        ("PF2CCCCC", "gamma", "192.0.2.3"),
    ] {
        world.report(&Laptop::new(serial, host, ip)).await;
    }
}

#[tokio::test]
async fn devices_are_listed_by_filter_order_and_page() {
    let world = World::new();
    fleet(&world).await;
    assert_eq!(world.devices("").await.unwrap(), ["alpha", "beta", "gamma"]);
    assert_eq!(world.devices("serial = \"pf1bbbbb\"").await.unwrap(), ["beta"]);
    assert_eq!(world.devices("software:(name = bash AND version < 6)").await.unwrap().len(), 3);
    assert!(world.devices("NOT flag:unknown").await.unwrap().is_empty());

    let mut request =
        v1::ListDevicesRequest { page_size: 2, order_by: "hostname desc".to_owned(), ..Default::default() };
    let first = world.query.list_devices(by_alice(request.clone())).await.unwrap().into_inner();
    assert_eq!((first.devices.len(), first.total_size), (2, 3));
    assert_eq!(first.devices[0].display_name, "gamma");
    request.page_token = first.next_page_token;
    let second = world.query.list_devices(by_alice(request.clone())).await.unwrap().into_inner();
    assert_eq!(second.devices.len(), 1);
    assert_eq!((second.devices[0].display_name.as_str(), second.next_page_token.as_str()), ("alpha", ""));
    request.filter = "serial:*".to_owned();
    let other = world.query.list_devices(by_alice(request)).await.unwrap_err();
    assert_eq!(other.code(), Code::InvalidArgument, "a token of another list");
}

#[tokio::test]
async fn a_bad_question_says_where_it_is_wrong() {
    let world = World::new();
    let check = async |filter: &str, expected: &str| {
        let error = world.devices(filter).await.unwrap_err();
        assert_eq!(error.code(), Code::InvalidArgument, "{filter}");
        assert!(error.message().contains(expected), "{}", error.message());
    };
    check("serial = ", "^").await;
    check("seriall = x", "did you mean serial").await;
    check("owner = \"Jo*\"", "whole name").await;
    check("last_seen < yesterday", "yesterday").await;

    let min_position = "1000".to_owned();
    let ahead = v1::ListDevicesRequest { min_position, ..Default::default() };
    let error = world.query.list_devices(by_alice(ahead)).await.unwrap_err();
    assert_eq!(error.code(), Code::Unavailable);
    let none = v1::GetDeviceRequest { name: "devices/x".to_owned(), as_of: None };
    assert_eq!(world.query.get_device(by_alice(none)).await.unwrap_err().code(), Code::InvalidArgument);
    let name = "devices/6f1c0d52-8a6e-4b0e-9a44-0d6f9e5f2c11".to_owned();
    let none = v1::GetDeviceRequest { name, as_of: None };
    assert_eq!(world.query.get_device(by_alice(none)).await.unwrap_err().code(), Code::NotFound);
}

#[tokio::test]
async fn a_device_is_shown_now_and_as_it_was() {
    let world = World::new();
    let mut laptop = Laptop::new("PF0AAAAA", "alpha", "192.0.2.1");
    let device = name(&world.report(&laptop).await);
    let then = world.now();
    laptop.hostname = "renamed";
    laptop.ip = "192.0.2.9";
    laptop.packages = vec![("bash", "5.3-1"), ("vim", "9.1"), ("zlib1g", "1.3")];
    world.report(&laptop).await;
    world.import("serial,location\nPF0AAAAA,Berlin\n", true).await;

    let now = world.device(&device).await;
    assert_eq!((value(&now, "hostname"), now.software_count), ("renamed", 3));
    assert_eq!(value(&now, "location"), "Berlin");
    assert!(!now.flags.iter().any(|flag| flag.code == "unknown"));
    assert!(now.last_seen_time.is_some() && now.agents[0].current);

    let at = async |time: Timestamp| {
        let request = v1::GetDeviceRequest { name: device.clone(), as_of: Some(to_timestamp(time)) };
        world.query.get_device(by_alice(request)).await.map(tonic::Response::into_inner)
    };
    let past = at(then).await.unwrap();
    assert_eq!((value(&past, "hostname"), value(&past, "ip")), ("alpha", "192.0.2.1"));
    assert_eq!((past.software_count, value(&past, "location"), past.revision), (1, "", 1));
    assert!(past.flags.iter().any(|flag| flag.code == "unknown"), "the flag stood then");
    assert!(!past.seen_by.iter().any(|seen| seen.source == "purchase"));
    let before = at(Timestamp::from_millis(then.as_millis() - 1)).await.unwrap_err();
    assert_eq!(before.code(), Code::NotFound);
    assert_eq!(at(world.now()).await.unwrap().fields, now.fields);
}

#[tokio::test]
async fn inventory_and_history_name_the_packages() {
    let world = World::new();
    let mut laptop = Laptop::new("PF0AAAAA", "alpha", "192.0.2.1");
    let device = name(&world.report(&laptop).await);
    laptop.packages = vec![("bash", "5.3-1"), ("vim", "9.1")];
    world.report(&laptop).await;

    let request = v1::GetInventoryRequest { name: device.clone() };
    let inventory = world.query.get_inventory(by_alice(request)).await.unwrap().into_inner();
    assert_eq!(inventory.agent_version, "0.1.0");
    let section = inventory.sections.iter().find(|section| section.name == "software.dpkg").unwrap();
    assert_eq!(section.status(), v1::SectionStatus::Complete);
    let mut names: Vec<_> = section
        .items
        .iter()
        .map(|item| match &item.kind {
            Some(v1::item::Kind::Package(package)) => format!("{} {}", package.name, package.version),
            other => panic!("{other:?}"),
        })
        .collect();
    names.sort();
    assert_eq!(names, ["bash 5.3-1", "vim 9.1"]);

    let mut request =
        v1::ListDeviceHistoryRequest { parent: device, page_size: 1, page_token: String::new() };
    let newest = world.query.list_device_history(by_alice(request.clone())).await.unwrap().into_inner();
    let entry = &newest.entries[0];
    assert_eq!((entry.software_added, entry.software_removed), (2, 1));
    assert_eq!(
        (entry.added.as_slice(), entry.removed.as_slice()),
        (&names[..], &["bash 5.2-1".to_owned()][..])
    );
    assert!(entry.actor.starts_with("agent:"));
    request.page_token = newest.next_page_token;
    let oldest = world.query.list_device_history(by_alice(request)).await.unwrap().into_inner();
    assert_eq!((oldest.entries.len(), oldest.next_page_token.as_str()), (1, ""));
    assert!(
        oldest.entries[0].changes.iter().any(|change| change.field == "serial" && change.before.is_empty())
    );
    assert!(
        oldest.entries[0].changes.iter().any(|change| change.field == "flag" && change.after == "unknown")
    );

    let bought = world.import("serial\nPF9ZZZZZ\n", true).await.rows[0].device.clone();
    let request = v1::GetInventoryRequest { name: bought };
    let none = world.query.get_inventory(by_alice(request)).await.unwrap_err();
    assert_eq!(none.code(), Code::NotFound);
}

#[tokio::test]
async fn software_is_counted_over_the_fleet() {
    let world = World::new();
    fleet(&world).await;
    let mut newer = Laptop::new("PF3DDDDD", "delta", "192.0.2.4");
    newer.packages = vec![("bash", "5.3-1")];
    world.report(&newer).await;
    let list = async |filter: &str| {
        let request = v1::ListSoftwareRequest { filter: filter.to_owned(), ..Default::default() };
        world.query.list_software(by_alice(request)).await.unwrap().into_inner()
    };
    let all = list("").await;
    let counts: Vec<_> = all.software.iter().map(|row| (row.version.as_str(), row.device_count)).collect();
    assert_eq!((counts, all.total_size), (vec![("5.2-1", 3), ("5.3-1", 1)], 2));
    assert_eq!(all.software[0].purl, "pkg:deb/debian/bash@5.2-1?arch=amd64");
    assert_eq!(list("name = bash AND version < 5.3").await.total_size, 1);
}

#[tokio::test]
async fn flags_come_in_whole_pages_whatever_their_size() {
    let world = World::new();
    fleet(&world).await;
    let list = async |code: &str, filter: &str, page_size: i32, page_token: String| {
        let (code, filter) = (code.to_owned(), filter.to_owned());
        let request = v1::ListFlagsRequest { page_size, page_token, filter, code };
        world.query.list_flags(by_alice(request)).await.map(tonic::Response::into_inner)
    };
    let all = list("", "", 0, String::new()).await.unwrap();
    let keys = |flags: &[v1::DeviceFlag]| -> Vec<(String, String)> {
        flags.iter().map(|row| (row.display_name.clone(), row.flag.as_ref().unwrap().code.clone())).collect()
    };
    assert!(all.flags.len() > 3 && all.next_page_token.is_empty(), "each device has more than one flag");
    for size in 1..=4 {
        let (mut seen, mut token) = (Vec::new(), String::new());
        loop {
            let page = list("", "", size, token).await.unwrap();
            assert!(page.flags.len() <= size as usize);
            seen.extend(page.flags);
            token = page.next_page_token;
            if token.is_empty() {
                break;
            }
        }
        assert_eq!(keys(&seen), keys(&all.flags), "page size {size}");
    }
    let unknown = list("unknown", "hostname = beta", 0, String::new()).await.unwrap();
    assert_eq!(keys(&unknown.flags), [("beta".to_owned(), "unknown".to_owned())]);
    assert!(unknown.counts.iter().all(|count| count.device_count == 1));
    let wrong = list("stael", "", 0, String::new()).await.unwrap_err();
    assert_eq!(wrong.code(), Code::InvalidArgument);
}

#[tokio::test]
async fn lookup_tells_who_had_it_when() {
    let world = World::new();
    let mut alpha = Laptop::new("PF0AAAAA", "alpha", "192.0.2.1");
    let mut beta = Laptop::new("PF1BBBBB", "beta", "192.0.2.2");
    world.report(&alpha).await;
    world.report(&beta).await;
    world.import("serial,asset_tag,company,assigned_to\nPF0AAAAA,001234,Acme,Jo Doe\n", true).await;
    let early = world.now();
    alpha.ip = "192.0.2.77";
    world.report(&alpha).await;
    let moved = world.now();
    beta.ip = "192.0.2.1";
    world.report(&beta).await;

    let look = async |identifier: &str, at: Option<Timestamp>| {
        let request = v1::LookupRequest { identifier: identifier.to_owned(), at: at.map(to_timestamp) };
        world.query.lookup(by_alice(request)).await.unwrap().into_inner()
    };
    let now = look("192.0.2.1", None).await;
    assert_eq!((now.matches.len(), now.ambiguous), (1, false));
    assert_eq!((now.matches[0].display_name.as_str(), now.matches[0].kind.as_str()), ("beta", "ip"));
    assert_eq!(now.matches[0].from_time, Some(to_timestamp(world.now())));
    assert_eq!(now.matches[0].to_time, None);

    let then = look("192.0.2.1", Some(early)).await;
    assert_eq!(then.matches.len(), 1, "{then:?}");
    assert_eq!(then.matches[0].display_name, "alpha");
    assert_eq!(then.matches[0].to_time, Some(to_timestamp(moved)));
    assert_eq!(then.matches[0].assigned_person, "Jo Doe");
    assert!(then.matches[0].source.starts_with("agent:"));
    // What changes after the first question about the past is known too.
    beta.ip = "192.0.2.5";
    let had = world.now();
    world.report(&beta).await;
    assert_eq!(look("192.0.2.1", Some(had)).await.matches[0].display_name, "beta");
    assert!(look("192.0.2.1", None).await.matches.is_empty());

    for (identifier, kind) in [
        ("pf0aaaaa", "serial"),
        ("ALPHA", "hostname"),
        ("acme/001234", "asset_tag"),
        ("001234", "asset_tag"),
        ("jo doe", "user"),
        ("8C-16-45-01-02-30", "mac"),
    ] {
        let found = look(identifier, None).await;
        let kinds: Vec<_> = found.matches.iter().map(|found| found.kind.as_str()).collect();
        assert_eq!(kinds, [kind], "{identifier}");
        assert_eq!(found.matches[0].display_name, "alpha", "{identifier}");
    }
    world.import("serial,assigned_to\nPF1BBBBB,Jo Doe\n", true).await;
    let both = look("Jo Doe", None).await;
    assert_eq!((both.matches.len(), both.ambiguous), (2, true));
    assert_eq!(look("Jo Doe", Some(had)).await.matches.len(), 1);
    let empty = v1::LookupRequest::default();
    assert_eq!(world.query.lookup(by_alice(empty)).await.unwrap_err().code(), Code::InvalidArgument);
}

#[tokio::test]
async fn persons_are_found_by_name_and_shown_until_they_are_erased() {
    let world = World::new();
    fleet(&world).await;
    let csv = "serial,owner,owner_email\nPF0AAAAA,Jo Doe,jo@example.org\nPF1BBBBB,Al,\n";
    world.import(csv, true).await;
    assert_eq!(world.devices("owner = \"JO@example.org\"").await.unwrap(), ["alpha"]);
    assert_eq!(world.devices("owner = al").await.unwrap(), ["beta"]);
    assert_eq!(world.devices("owner != al").await.unwrap(), ["alpha"]);
    assert!(world.devices("owner = nobody").await.unwrap().is_empty());
    assert_eq!(world.devices("NOT owner:*").await.unwrap(), ["gamma"]);

    let request = v1::ListDevicesRequest { filter: "hostname = alpha".to_owned(), ..Default::default() };
    let list = async || world.query.list_devices(by_alice(request.clone())).await.unwrap().into_inner();
    assert_eq!(value(&list().await.devices[0], "owner"), "Jo Doe");
    let person = world.persons.find("jo@example.org").await.unwrap().unwrap();
    world.persons.erase(person, "operator/alice", world.now()).await.unwrap();
    assert_eq!(value(&list().await.devices[0], "owner"), "erased person");
}

#[tokio::test]
async fn lists_and_counts_are_answered_as_they_were() {
    let world = World::new();
    let csv =
        |place: &str, rows: &str| format!("serial,location,order_number\nPF0AAAAA,{place},PO-1\n{rows}");
    world.import(&csv("Berlin", ""), true).await;
    let first = world.now();
    world.clock.advance(std::time::Duration::from_secs(3600));
    world.import(&csv("Hamburg", "PF1BBBBB,Berlin,PO-2\n"), true).await;
    let second = world.now();
    let list = async |filter: &str, at: Option<Timestamp>| {
        let request = v1::ListDevicesRequest {
            filter: filter.to_owned(),
            as_of: at.map(to_timestamp),
            ..Default::default()
        };
        let listed = world.query.list_devices(by_alice(request)).await?.into_inner();
        let places: Vec<String> =
            listed.devices.iter().map(|device| value(device, "location").to_owned()).collect();
        Ok::<_, tonic::Status>((places, listed.total_size))
    };
    let was = |places: &[&str]| {
        (places.iter().map(|place| (*place).to_owned()).collect::<Vec<_>>(), places.len() as i64)
    };
    world.clock.advance(std::time::Duration::from_secs(3600));
    assert_eq!(list("location = Berlin", Some(first)).await.unwrap(), was(&["Berlin"]));
    assert_eq!(list("location = Hamburg", Some(first)).await.unwrap(), was(&[]));
    assert_eq!(list("location = Berlin", Some(second)).await.unwrap(), was(&["Berlin"]));
    assert_eq!(list("", Some(second)).await.unwrap().1, 2);
    assert_eq!(list("", Some(first)).await.unwrap().1, 1, "the other one was not known");
    assert_eq!(list("", None).await.unwrap().1, 2);
    for filter in ["software.name = bash", "software:(name = bash)", "connected = yes"] {
        let refused = list(filter, Some(first)).await.unwrap_err();
        assert_eq!(refused.code(), Code::InvalidArgument, "{filter}");
        assert!(refused.message().contains("has no past"), "{}", refused.message());
    }
}

#[tokio::test]
async fn what_a_source_saw_before_it_told_us_was_not_known_then() {
    let world = World::new();
    let before = world.now();
    world.clock.advance(std::time::Duration::from_secs(3600));
    let list = "Device ID,Device name,Last check-in,Serial number,Manufacturer\n\
        6f1c0d52-8a6e-4b0e-9a44-000000000001,nl-1,2026-10-01 07:58:12,PF3A7K01,LENOVO\n";
    let request = v1::ImportRequest {
        source: "intune".to_owned(),
        format: "intune-csv".to_owned(),
        content: list.as_bytes().to_vec(),
        apply: true,
        ..Default::default()
    };
    world.admin.import(by_alice(request)).await.unwrap();
    let listed = async |at: Option<Timestamp>| {
        let request = v1::ListDevicesRequest { as_of: at.map(to_timestamp), ..Default::default() };
        world.query.list_devices(by_alice(request)).await.unwrap().into_inner()
    };
    let now = listed(None).await;
    assert_eq!((now.total_size, listed(Some(before)).await.total_size), (1, 0));
    let name = now.devices[0].name.clone();
    let request = v1::GetDeviceRequest { name: name.clone(), as_of: Some(to_timestamp(before)) };
    let then = world.query.get_device(by_alice(request)).await.unwrap_err();
    assert_eq!(then.code(), Code::NotFound, "{then:?}");
    // It happened when it came in, and is the import's word.
    let request = v1::ListDeviceHistoryRequest { parent: name, ..Default::default() };
    let history = world.query.list_device_history(by_alice(request)).await.unwrap().into_inner();
    assert_eq!(history.entries[0].actor, "import:intune");
    assert_eq!(history.entries[0].commit_time, Some(to_timestamp(world.now())));
}
