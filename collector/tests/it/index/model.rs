//! Random fleets that change, asked random questions: the index must answer as a walk over all devices does.

use std::collections::{BTreeMap, BTreeSet};

use muster_collector::{
    index::{Index, ListRequest, SoftwareBy, SoftwareRequest},
    store::CatalogueId,
};
use muster_common::{
    device::{Field, FieldKind, Value as Fact},
    filter::{Comparison, FieldPath, Filter, Operator, Value},
    flag::FlagCode,
    page::OrderBy,
    time::Timestamp,
};
use rand::{Rng, SeedableRng, seq::IndexedRandom};
use rand_chacha::ChaCha8Rng;

use super::{
    device, know, money,
    naive::{Known, Naive},
    now, package, raise,
};

const FIELDS: [Field; 13] = [
    Field::Hostname,
    Field::Serial,
    Field::Manufacturer,
    Field::OsName,
    Field::OsVersion,
    Field::Memory,
    Field::Ip,
    Field::Virtual,
    Field::Location,
    Field::Price,
    Field::PurchaseDate,
    Field::Kernel,
    Field::Cores,
];

fn word(random: &mut ChaCha8Rng, field: Field) -> String {
    match field {
        Field::Hostname | Field::Serial => {
            format!(
                "{}-{}",
                ["Host", "host", "Web", "db"].choose(random).unwrap(),
                random.random_range(0..60)
            )
        }
        Field::OsVersion | Field::Kernel => {
            let tail = ["", "~rc1", "-2", "a"].choose(random).unwrap();
            format!("{}.{}{tail}", random.random_range(1..4), random.random_range(0..12))
        }
        _ => ["alpha", "Alpha", "beta", "Größe", "GRÖSSE", "delta*", "e\"f", "g h", "long alpha"]
            .choose(random)
            .unwrap()
            .to_string(),
    }
}

fn moment(random: &mut ChaCha8Rng) -> Timestamp {
    let hour = random.random_range(0..40) * 3_600_000;
    Timestamp::from_millis(now().as_millis() - hour)
}

fn fact(random: &mut ChaCha8Rng, field: Field) -> Fact {
    match field.kind() {
        FieldKind::Text | FieldKind::Version | FieldKind::Person => Fact::Text(word(random, field)),
        FieldKind::Boolean => Fact::Boolean(random.random()),
        FieldKind::Number => Fact::Number(random.random_range(0..9)),
        FieldKind::Time => Fact::Time(moment(random)),
        FieldKind::Money => {
            money(random.random_range(-2..6) * 100, ["EUR", "USD", "JPY"].choose(random).unwrap())
        }
        FieldKind::List => {
            let count = random.random_range(1..4);
            let texts: BTreeSet<String> = (0..count).map(|_| word(random, field)).collect();
            Fact::List(texts.into_iter().collect())
        }
    }
}

fn known(random: &mut ChaCha8Rng, number: u32, packages: u32) -> Known {
    let mut device = device(number);
    for field in FIELDS {
        if random.random_bool(0.7) {
            let value = fact(random, field);
            know(&mut device, field, value);
        }
    }
    for code in [FlagCode::Unknown, FlagCode::Stale, FlagCode::Conflict] {
        if random.random_bool(0.3) {
            raise(&mut device, code);
        }
    }
    for source in ["agent", "purchase", "mdm"] {
        if random.random_bool(0.5) {
            device.seen_by.insert(source.to_owned(), now());
        }
    }
    device.first_seen = moment(random);
    let mut software: Vec<u32> =
        (0..random.random_range(0..12)).map(|_| random.random_range(1..=packages)).collect();
    software.sort_unstable();
    software.dedup();
    device.software_count = software.len() as u32;
    Known { device, software, presence: None }
}

fn pattern(random: &mut ChaCha8Rng, text: &str) -> Value {
    let characters: Vec<char> = text.chars().collect();
    let middle = random.random_range(1..=characters.len());
    let (start, end): (String, String) =
        (characters[..middle].iter().collect(), characters[middle - 1..].iter().collect());
    let upper = random.random_bool(0.3);
    let cased = |text: &str| if upper { text.to_uppercase() } else { text.to_owned() };
    match random.random_range(0..6) {
        0 => Value::Prefix(cased(&start)),
        1 => Value::Suffix(cased(&end)),
        2 => Value::Contains(cased(&end)),
        3 => Value::Any,
        _ => Value::Exact(cased(text)),
    }
}

fn comparison(random: &mut ChaCha8Rng, path: &str, kind: FieldKind, text: &str) -> Filter {
    let like = [Operator::Equal, Operator::NotEqual, Operator::Has];
    let order = [Operator::Less, Operator::LessOrEqual, Operator::Greater, Operator::GreaterOrEqual];
    let is_text = matches!(kind, FieldKind::Text | FieldKind::Version | FieldKind::List);
    let orderly = !matches!(kind, FieldKind::List | FieldKind::Boolean | FieldKind::Person);
    let (operator, value) = if orderly && random.random_bool(0.4) {
        (*order.choose(random).unwrap(), Value::Exact(text.to_owned()))
    } else {
        let value = if is_text { pattern(random, text) } else { Value::Exact(text.to_owned()) };
        let operator = *like.choose(random).unwrap();
        (if value == Value::Any { Operator::Has } else { operator }, value)
    };
    Filter::Comparison(Comparison { field: FieldPath::new(path).unwrap(), operator, value })
}

fn leaf(random: &mut ChaCha8Rng) -> Filter {
    match random.random_range(0..10) {
        0 => Filter::Search(Value::Exact(
            ["alpha", "host-1", "WEB", "öße"].choose(random).unwrap().to_string(),
        )),
        1 => comparison(random, "seen_by", FieldKind::Boolean, "mdm"),
        2 => comparison(random, "flag", FieldKind::Boolean, "stale"),
        3 => {
            let time = moment(random).to_string();
            let path = *["last_seen", "first_seen"].choose(random).unwrap();
            comparison(random, path, FieldKind::Time, &time)
        }
        4 => Filter::Software(Box::new(tree(random, 2, package_leaf))),
        5 => package_leaf(random, "software."),
        _ => {
            let field = *FIELDS.choose(random).unwrap();
            let text = match fact(random, field) {
                Fact::List(texts) => texts[0].clone(),
                Fact::Money(money) if random.random() => {
                    format!("{} {}", money.minor_units / 50, money.currency)
                }
                Fact::Money(money) => (money.minor_units / 50).to_string(),
                fact => fact.to_string(),
            };
            comparison(random, field.name(), field.kind(), &text)
        }
    }
}

fn package_leaf(random: &mut ChaCha8Rng, before: &str) -> Filter {
    let name = format!("lib{}", random.random_range(0..8));
    let (field, text) = match random.random_range(0..3) {
        0 => ("name", name),
        1 => ("type", ["deb", "gem"].choose(random).unwrap().to_string()),
        _ => ("version", word(random, Field::OsVersion)),
    };
    let kind = if field == "version" { FieldKind::Version } else { FieldKind::Text };
    comparison(random, &format!("{before}{field}"), kind, &text)
}

fn tree(random: &mut ChaCha8Rng, depth: u32, leaf: fn(&mut ChaCha8Rng, &str) -> Filter) -> Filter {
    let parts = |random: &mut ChaCha8Rng| {
        (0..random.random_range(2..4)).map(|_| tree(random, depth - 1, leaf)).collect::<Vec<_>>()
    };
    match if depth == 0 { 9 } else { random.random_range(0..8) } {
        0 | 1 => Filter::And(parts(random)),
        2 | 3 => Filter::Or(parts(random)),
        4 => Filter::Not(Box::new(tree(random, depth - 1, leaf))),
        _ => leaf(random, ""),
    }
}

fn apply(random: &mut ChaCha8Rng, index: &Index, naive: &mut Naive) {
    let number = random.random_range(0..120);
    let packages = naive.packages.len() as u32;
    let id = device(number).id;
    let mut fleet = index.write();
    match random.random_range(0..10) {
        0 | 1 => assert_eq!(fleet.remove(id), naive.devices.remove(&id).is_some()),
        2..=4 => {
            let presence = (moment(random), random.random());
            let found = naive.devices.get_mut(&id);
            assert_eq!(fleet.set_presence(id, presence.0, presence.1), found.is_some());
            if let Some(known) = found {
                known.presence = Some(presence);
            }
        }
        _ => {
            let mut new = known(random, number, packages);
            // Most reports change little: some keep what was there before.
            if let Some(old) = naive.devices.get(&id) {
                new.presence = old.presence;
                if random.random() {
                    new.software.clone_from(&old.software);
                }
            }
            let software: Vec<_> = new.software.iter().map(|n| CatalogueId::from_number(*n)).collect();
            fleet.upsert(&new.device, &software);
            naive.devices.insert(id, new);
        }
    }
}

fn check_question(random: &mut ChaCha8Rng, index: &Index, naive: &Naive) {
    let filter = tree(random, 3, |random, _| leaf(random));
    let fleet = index.read();
    let rows = fleet.query(&filter, now()).unwrap_or_else(|error| panic!("{filter}: {error}"));
    let mut found: Vec<_> = fleet.devices(&rows).collect();
    found.sort_unstable();
    assert_eq!(found, naive.query(&filter), "{filter}");

    let order = [
        "hostname",
        "os.version desc, serial",
        "ip desc",
        "manufacturer, memory desc, kernel",
        "last_seen desc",
        "price, purchase_date desc",
        "virtual, location desc, first_seen, cores",
    ];
    let order: OrderBy = order.choose(random).unwrap().parse().unwrap();
    let expected = naive.list(&filter, &order);
    let (mut listed, mut token) = (Vec::new(), None::<Vec<u8>>);
    let size = random.random_range(1..40);
    loop {
        let request =
            ListRequest { filter: &filter, order: &order, token: token.as_deref(), size, now: now() };
        let page = fleet.list(&request).unwrap();
        assert_eq!(page.total, expected.len() as u64);
        listed.extend(page.devices);
        token = page.next;
        if token.is_none() {
            break;
        }
    }
    assert_eq!(listed, expected, "{filter} by {order}");

    for field in ["manufacturer", "ip", "flag", "os.version"] {
        let facets = fleet.facets(field, &rows, usize::MAX).unwrap();
        let mut counts = BTreeMap::new();
        for (text, count) in facets.values {
            *counts.entry(text.to_lowercase()).or_default() += count;
        }
        assert_eq!(counts, naive.facets(&found, field), "{filter} by {field}");
    }
}

fn check_titles(index: &Index, naive: &Naive) {
    let order = OrderBy::default();
    let request = SoftwareRequest {
        filter: &Filter::All,
        on: &Filter::All,
        by: SoftwareBy::Title,
        order: &order,
        token: None,
        size: 1000,
        now: now(),
    };
    let page = index.read().software(&request).unwrap();
    let titles: BTreeMap<_, _> =
        page.rows.into_iter().map(|row| ((row.package.purl_type, row.package.name), row.devices)).collect();
    assert_eq!(titles, naive.titles());
}

#[test]
fn the_index_answers_as_a_walk_over_all_devices_does() {
    for seed in 0..12 {
        let mut random = ChaCha8Rng::seed_from_u64(seed);
        let (index, mut naive) = (Index::new(), Naive::default());
        for number in 1..=60 {
            let purl_type = *["deb", "deb", "gem"].choose(&mut random).unwrap();
            let name = format!("lib{}", random.random_range(0..8));
            let package = package(purl_type, &name, &word(&mut random, Field::OsVersion));
            index.write().add_catalogue(CatalogueId::from_number(number), &package);
            naive.packages.insert(number, package);
        }
        for _ in 0..40 {
            for _ in 0..random.random_range(1..60) {
                apply(&mut random, &index, &mut naive);
            }
            if random.random_bool(0.1) {
                index.write().prepare();
            }
            for _ in 0..3 {
                check_question(&mut random, &index, &naive);
            }
        }
        check_titles(&index, &naive);
        assert_eq!(index.read().len(), naive.devices.len() as u64);
    }
}
