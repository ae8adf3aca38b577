//! What filters, orders, pages, facets and software lists give over a fleet of five that a person can check.

use muster_collector::{
    index::{Fleet, Index, ListRequest, QueryError, SoftwareBy, SoftwareRequest},
    store::CatalogueId,
};
use muster_common::{
    device::{Device, Field, Value},
    filter::Filter,
    flag::FlagCode,
    id::DeviceId,
    page::OrderBy,
    time::Timestamp,
};

use super::{device, know, list, money, now, package, raise, text};

const NAMES: [&str; 5] = ["web1", "Web2", "db1", "nina-laptop", ""];

/// web1 and Web2 are Debian servers, db1 a RHEL server, nina-laptop a laptop that nobody vouches for; the fifth is
/// known from a purchase only and has no host name.
fn fleet() -> Index {
    let index = Index::new();
    let mut fleet = index.write();
    let packages = [
        package("deb", "openssl", "3.0.11-1~deb12u1"),
        package("deb", "openssl", "3.0.11-1~deb12u2"),
        package("deb", "nginx", "1.22.1-9"),
        package("rpm", "openssl", "3.0.7-27.el9"),
        package("deb", "libc6", "2.36-9+deb12u10"),
        package("deb", "libc6", "2.36-9+deb12u4"),
    ];
    for (number, package) in (1..).zip(&packages) {
        fleet.add_catalogue(CatalogueId::from_number(number), package);
    }
    let ids = |numbers: &[u32]| -> Vec<_> {
        numbers.iter().map(|number| CatalogueId::from_number(*number)).collect()
    };
    let facts = [
        (
            vec![
                (Field::Hostname, text("web1")),
                (Field::Serial, text("ABC123")),
                (Field::Manufacturer, text("Dell Inc.")),
                (Field::OsName, text("debian")),
                (Field::OsVersion, text("12.9")),
                (Field::Memory, Value::Number(8 << 30)),
                (Field::Ip, list(&["10.0.0.1", "fe80::1"])),
                (Field::Price, money(120_000, "EUR")),
                (Field::PurchaseDate, Value::Time("2026-03-01".parse().unwrap())),
                (Field::Virtual, Value::Boolean(false)),
            ],
            vec![1, 3, 6],
        ),
        (
            vec![
                (Field::Hostname, text("Web2")),
                (Field::Serial, text("ABC124")),
                (Field::Manufacturer, text("DELL INC.")),
                (Field::OsName, text("debian")),
                (Field::OsVersion, text("12.10")),
                (Field::Memory, Value::Number(16 << 30)),
                (Field::Ip, list(&["10.0.0.2"])),
                (Field::Price, money(120_000, "USD")),
                (Field::PurchaseDate, Value::Time("2026-03-01T15:00:00Z".parse().unwrap())),
            ],
            vec![2, 5],
        ),
        (
            vec![
                (Field::Hostname, text("db1")),
                (Field::Manufacturer, text("HPE")),
                (Field::OsName, text("rhel")),
                (Field::OsVersion, text("9.3")),
                (Field::Memory, Value::Number(64 << 30)),
                (Field::Virtual, Value::Boolean(true)),
            ],
            vec![4],
        ),
        (
            vec![
                (Field::Hostname, text("nina-laptop")),
                (Field::Serial, text("PF-3X")),
                (Field::Manufacturer, text("LENOVO")),
                (Field::OsName, text("debian")),
                (Field::OsVersion, text("13~rc1")),
            ],
            vec![2, 3, 5],
        ),
        (vec![(Field::Serial, text("PF-4Y")), (Field::Price, money(99_900, "EUR"))], vec![]),
    ];
    for (number, (facts, software)) in (1..).zip(facts) {
        let mut device = device(number);
        for (field, value) in facts {
            know(&mut device, field, value);
        }
        if number == 4 {
            raise(&mut device, FlagCode::Unknown);
            raise(&mut device, FlagCode::Stale);
        }
        if number == 3 {
            raise(&mut device, FlagCode::Unknown);
        }
        device.seen_by.insert(if number == 5 { "purchase" } else { "agent" }.to_owned(), now());
        device.software_count = software.len() as u32;
        fleet.upsert(&device, &ids(&software));
        if number < 5 {
            let last_seen = now().before(std::time::Duration::from_secs(u64::from(number) * 10 * 86_400));
            assert!(fleet.set_presence(device.id, last_seen, number == 1));
        }
    }
    drop(fleet);
    index
}

fn names(fleet: &Fleet, ids: impl IntoIterator<Item = DeviceId>) -> Vec<&'static str> {
    let name = |id: DeviceId| NAMES[(1..=5).position(|number| device(number).id == id).unwrap()];
    assert!(!fleet.is_empty());
    ids.into_iter().map(name).collect()
}

fn check(fleet: &Fleet, filter: &str, expected: &[&str]) {
    let rows = match Filter::parse(filter).map(|filter| fleet.query(&filter, now())) {
        Ok(Ok(rows)) => rows,
        other => panic!("{filter}: {other:?}"),
    };
    assert_eq!(names(fleet, fleet.devices(&rows)), expected, "{filter}");
}

#[test]
fn filters_find_what_they_say() {
    let index = fleet();
    let fleet = index.read();
    let (web1, web2, db1, nina, bought) = ("web1", "Web2", "db1", "nina-laptop", "");
    for (filter, expected) in [
        ("", &[web1, web2, db1, nina, bought][..]),
        ("name = WEB2", &[web2]),
        ("hostname = web*", &[web1, web2]),
        ("name = '*1'", &[web1, db1]),
        ("name:EB", &[web1, web2]),
        ("name != web1", &[web2, db1, nina]),
        ("NOT name = web1", &[web2, db1, nina, bought]),
        ("NOT name:*", &[bought]),
        ("name > db1 AND name < web1", &[nina]),
        ("name >= web1", &[web1, web2]),
        ("name <= nina-laptop", &[db1, nina]),
        ("maker = 'dell inc.'", &[web1, web2]),
        ("os.name = debian os.version >= 12.10", &[web2, nina]),
        ("os.version < 13", &[web1, web2, db1, nina]),
        ("os.version > 12.9 os.version <= 12.10", &[web2]),
        ("os.name = debian AND os.name = rhel", &[]),
        ("os.name = debian os.version = 12.9 OR os.name = rhel", &[web1]),
        ("(os.name = debian os.version = 12.9) OR os.name = rhel", &[web1, db1]),
        ("memory >= 16GiB", &[web2, db1]),
        ("memory = 8589934592", &[web1]),
        ("memory != 8GiB", &[web2, db1]),
        ("ip = 10.0.0.1", &[web1]),
        ("ip:10.0.0", &[]),
        ("ip = 10.0.*", &[web1, web2]),
        ("ip != fe80::1", &[web2]),
        ("virtual = yes", &[db1]),
        ("virtual:false", &[web1]),
        ("price >= 1200", &[web1, web2]),
        ("price = '1200 EUR'", &[web1]),
        ("price > '999 EUR'", &[web1]),
        ("price != '1200 eur'", &[web2, bought]),
        ("purchase_date = 2026-03-01", &[web1, web2]),
        ("purchase_date > 2026-03-01", &[]),
        ("purchase_date > 2026-03-01T00:00:00Z", &[web2]),
        ("purchase_date <= 2026-03-01", &[web1, web2]),
        ("last_seen < -15d", &[web2, db1, nina]),
        ("last_seen >= 2026-10-21T12:00:00Z", &[web1, web2]),
        ("NOT last_seen:*", &[bought]),
        ("connected = true", &[web1]),
        ("first_seen = 2026-01-01", &[web1, web2, db1, nina, bought]),
        ("flag:unknown", &[db1, nina]),
        ("flag:unknown -flag:stale", &[db1]),
        ("NOT flag:*", &[web1, web2, bought]),
        ("seen_by:purchase AND NOT seen_by:agent", &[bought]),
        ("software_count >= 3", &[web1, nina]),
        ("id = 00000010-0000-0000-0000-000000000003", &[db1]),
        ("dell", &[web1, web2]),
        ("PF-", &[nina, bought]),
        ("abc 10.0", &[web1, web2]),
        ("software:(name = openssl AND version < '3.0.11-1~deb12u2')", &[web1]),
        ("software:(version < '3.0.11-1~deb12u2' AND name = openssl)", &[web1]),
        ("software:(name = openssl AND version <= '3.0.11-1~deb12u2')", &[web1, web2, nina]),
        ("software:(name = openssl AND version >= '3.0.11-1~deb12u2')", &[web2, nina]),
        ("software:(name = openssl AND type = rpm AND version < 9)", &[]),
        ("software:(name = openssl AND version = 3.0.7-27.el9)", &[db1]),
        ("software:(name = libc6 AND version > 2.36-9+deb12u4)", &[web2, nina]),
        ("software:(name = openssl AND version = 2.36-9+deb12u10)", &[]),
        ("software.name = openssl AND software.version = 2.36-9+deb12u10", &[web2, nina]),
        ("software:openssl -software.name = nginx", &[web2, db1]),
        ("software.name = nginx AND software:libc6", &[web1, nina]),
        ("software:(nginx OR type = rpm)", &[web1, db1, nina]),
        ("software:(name = openssl AND NOT type = deb)", &[db1]),
        ("software.name != nginx", &[web2, db1]),
        ("software:*", &[web1, web2, db1, nina]),
        ("NOT software:*", &[bought]),
    ] {
        check(&fleet, filter, expected);
    }
}

#[test]
fn wrong_questions_get_a_hint() {
    let index = fleet();
    let fleet = index.read();
    let check = |filter: &str, expected: &str| {
        let error = fleet.query(&Filter::parse(filter).unwrap(), now()).expect_err(filter).to_string();
        assert!(error.contains(expected), "{filter}: {error}");
    };
    check("hostnam = x", "no field \"hostnam\", did you mean hostname? (fields of devices: acknowledged, ");
    check("os.nam = x", "did you mean os.name?");
    check("name = nobody AND colour = red", "no field \"colour\" (fields of devices");
    check("software:(nam = x)", "did you mean name? (fields of software: name, version, ");
    check("software.nam = x", "did you mean name?");
    check("flag:stal", "\"stal\" is not a value of flag (expected the code of a flag), did you mean stale?");
    check(
        "memory > much",
        "\"much\" is not a value of memory (expected a whole number, or a size such as 8GiB",
    );
    check("last_seen < yesterday", "or a distance from now such as -30d");
    check("price > lots", "an amount such as 1200");
    check("virtual = perhaps", "yes or no");
    check("flag < stale", "flag can't be compared by <");
    check("id = 5", "a whole device id");
    let error = fleet.facets("software.name", &fleet.query(&Filter::All, now()).unwrap(), 5).unwrap_err();
    assert_eq!(error, QueryError::NotCountable { field: "software.name".to_owned() });
}

fn pages(fleet: &Fleet, filter: &str, order: &str, size: u32) -> Vec<Vec<&'static str>> {
    let (filter, order) = (Filter::parse(filter).unwrap(), order.parse::<OrderBy>().unwrap());
    let (mut pages, mut token) = (Vec::new(), None::<Vec<u8>>);
    loop {
        let request =
            ListRequest { filter: &filter, order: &order, token: token.as_deref(), size, now: now() };
        let page = fleet.list(&request).unwrap();
        assert_eq!(page.total, fleet.count(&filter, now()).unwrap());
        pages.push(names(fleet, page.devices));
        token = page.next;
        if token.is_none() {
            return pages;
        }
    }
}

#[test]
fn lists_are_sorted_and_paged() {
    let index = fleet();
    let fleet = index.read();
    for (filter, order, size, expected) in [
        ("", "", 9, &[&["db1", "nina-laptop", "web1", "Web2", ""][..]][..]),
        ("", "name desc", 2, &[&["Web2", "web1"], &["nina-laptop", "db1"], &[""]]),
        ("", "os.version", 2, &[&["db1", "web1"], &["Web2", "nina-laptop"], &[""]]),
        ("", "os.version desc", 4, &[&["nina-laptop", "Web2", "web1", "db1"], &[""]]),
        ("", "memory desc, name", 9, &[&["db1", "Web2", "web1", "nina-laptop", ""]]),
        ("", "last_seen", 3, &[&["nina-laptop", "db1", "Web2"], &["web1", ""]]),
        ("", "id", 2, &[&["web1", "Web2"], &["db1", "nina-laptop"], &[""]]),
        ("os.name=debian", "serial desc", 1, &[&["nina-laptop"], &["Web2"], &["web1"]]),
        ("name=nobody", "", 9, &[&[]]),
    ] {
        assert_eq!(pages(&fleet, filter, order, size), expected, "{filter} by {order}");
    }
}

#[test]
fn pages_stay_where_they_were_while_the_fleet_changes() {
    let index = fleet();
    let (filter, order) = (Filter::All, "name".parse::<OrderBy>().unwrap());
    let page = |fleet: &Fleet, token: Option<&[u8]>| {
        fleet.list(&ListRequest { filter: &filter, order: &order, token, size: 2, now: now() }).unwrap()
    };
    let first = page(&index.read(), None);
    assert_eq!(names(&index.read(), first.devices), ["db1", "nina-laptop"]);
    // The last row of the page and one before it go away.
    index.write().remove(device(4).id);
    index.write().remove(device(3).id);
    let second = page(&index.read(), first.next.as_deref());
    assert_eq!((names(&index.read(), second.devices), second.total), (vec!["web1", "Web2"], 3));
    let wrong = ListRequest {
        filter: &Filter::parse("web").unwrap(),
        order: &order,
        token: first.next.as_deref(),
        size: 2,
        now: now(),
    };
    assert!(matches!(index.read().list(&wrong), Err(QueryError::Token(_))));
}

#[test]
fn facets_count_values() {
    let index = fleet();
    let fleet = index.read();
    let rows = fleet.query(&Filter::All, now()).unwrap();
    let check = |field: &str, expected: &[(&str, u64)], distinct: u64, missing: u64| {
        let facets = fleet.facets(field, &rows, 2).unwrap();
        let values: Vec<(&str, u64)> = facets.values.iter().map(|(v, n)| (v.as_str(), *n)).collect();
        assert_eq!((&values[..], facets.distinct, facets.missing), (expected, distinct, missing), "{field}");
    };
    check("os.name", &[("debian", 3), ("rhel", 1)], 2, 1);
    check("maker", &[("DELL INC.", 2), ("HPE", 1)], 3, 1);
    check("flag", &[("unknown", 2), ("stale", 1)], 2, 3);
    check("memory", &[("8589934592", 1), ("17179869184", 1)], 3, 2);
    check("purchase_date", &[("2026-03-01", 2)], 1, 3);
    check("price", &[("EUR", 2), ("USD", 1)], 2, 2);
    check("virtual", &[("no", 1), ("yes", 1)], 2, 3);
    assert_eq!(fleet.flags(), [(FlagCode::Unknown, 2), (FlagCode::Stale, 1)]);
}

fn software(fleet: &Fleet, filter: &str, by: SoftwareBy, order: &str) -> Vec<String> {
    let (filter, order) = (Filter::parse(filter).unwrap(), order.parse::<OrderBy>().unwrap());
    let (mut rows, mut token) = (Vec::new(), None::<Vec<u8>>);
    loop {
        let token_bytes = token.as_deref();
        let request = SoftwareRequest {
            filter: &filter,
            on: &Filter::All,
            by,
            order: &order,
            token: token_bytes,
            size: 2,
            now: now(),
        };
        let page = fleet.software(&request).unwrap();
        rows.extend(page.rows.into_iter().map(|row| {
            let package = row.package;
            format!(
                "{} {} {} {}x{}",
                package.purl_type, package.name, package.version, row.versions, row.devices
            )
        }));
        token = page.next;
        if token.is_none() {
            assert_eq!(page.total, rows.len() as u64);
            return rows;
        }
    }
}

#[test]
fn software_is_listed_by_title_and_version() {
    let index = fleet();
    let fleet = index.read();
    assert_eq!(
        software(&fleet, "", SoftwareBy::Title, ""),
        ["deb libc6  2x3", "deb openssl  2x3", "deb nginx  1x2", "rpm openssl  1x1"]
    );
    assert_eq!(
        software(&fleet, "name:ss OR version > 2", SoftwareBy::Title, "name desc, type"),
        ["deb openssl  2x3", "rpm openssl  1x1", "deb libc6  2x3"]
    );
    assert_eq!(
        software(&fleet, "name=openssl version<'3.0.11-1~deb12u2'", SoftwareBy::Title, ""),
        ["deb openssl  1x1"]
    );
    assert_eq!(
        software(&fleet, "type=deb", SoftwareBy::Version, "name, version desc"),
        [
            "deb libc6 2.36-9+deb12u10 1x2",
            "deb libc6 2.36-9+deb12u4 1x1",
            "deb nginx 1.22.1-9 1x2",
            "deb openssl 3.0.11-1~deb12u2 1x2",
            "deb openssl 3.0.11-1~deb12u1 1x1",
        ]
    );
    drop(fleet);
    index.write().remove(device(3).id);
    assert_eq!(software(&index.read(), "type=rpm", SoftwareBy::Title, ""), Vec::<String>::new());
}

#[test]
fn a_merged_device_is_found_by_its_old_id() {
    let index = fleet();
    let mut fleet = index.write();
    let mut kept = device(1);
    kept.aliases = vec![device(2).id];
    let mut merged = device(2);
    merged.merged_into = Some(kept.id);
    fleet.upsert(&kept, &[]);
    fleet.upsert(&merged, &[]);
    assert_eq!(fleet.len(), 4);
    assert_eq!(fleet.resolve(device(2).id), Some(device(1).id));
    check(&fleet, &format!("id = {}", device(2).id), &["web1"]);
    // Split again.
    fleet.upsert(&Device { aliases: Vec::new(), ..device(1) }, &[]);
    assert_eq!(fleet.resolve(device(2).id), None);
    fleet.upsert(&device(2), &[]);
    assert_eq!(fleet.resolve(device(2).id), Some(device(2).id));
    assert!(!fleet.set_presence(device(77).id, Timestamp::default(), true));
}
