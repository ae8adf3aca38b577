//! Questions to the index of a large fleet: how long each takes, and what a device costs in memory.
//!
//! The index is filled in this very process, without a store: what is measured is the algebra alone.

use std::{
    collections::{BTreeMap, HashMap},
    path::PathBuf,
    time::{Duration, Instant},
};

use anyhow::{Context, Result};
use muster_collector::{
    index::{Fleet as Rows, Index, ListRequest, SoftwareBy, SoftwareRequest},
    merge,
    store::CatalogueId,
};
use muster_common::{
    device::{Claimed, Device, Field, Money, Provenanced, Value},
    filter::Filter,
    flag::{Flag, FlagCode, Standing},
    id::{DeviceId, PersonId},
    page::OrderBy,
    source::Source,
    time::Timestamp,
};
use serde::Serialize;

use super::{
    meter::Meter,
    results::{MachineFacts, write_json},
    table,
};
use crate::{
    fleet::{Choice, Fleet, Release, Shape},
    load::latency::Latencies,
};

/// Each question is asked so often, unless that takes too long.
const ASKED: usize = 200;
/// Enough of one question.
const ASKED_FOR: Duration = Duration::from_secs(4);
/// Devices that are made together before they are put in.
const BATCH: u64 = 10_000;
/// The moment of every question.
const NOW_MS: i64 = 1_793_100_000_000;
const DAY_MS: u64 = 86_400_000;

/// Options of the scenario.
#[derive(Debug, Clone, clap::Args)]
pub struct Arguments {
    /// Devices of the fleet
    #[arg(long, default_value_t = 100_000)]
    pub devices: u64,
    /// Packages on each device
    #[arg(long, default_value_t = 100)]
    pub packages: u32,
    /// Titles that packages are drawn from
    #[arg(long, default_value_t = 50_000)]
    pub titles: u32,
    /// Two runs of one seed have the same fleet
    #[arg(long, default_value_t = 1)]
    pub seed: u64,
    /// Where the results go
    #[arg(long, default_value = "target/bench", value_name = "DIR")]
    pub folder: PathBuf,
}

/// One question's figures.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Asked {
    /// The question.
    pub question: String,
    /// How often it was asked.
    pub times: usize,
    /// What came out, as a number: matches, values or rows.
    pub found: u64,
    /// Half of the answers took no longer.
    pub median_ms: f64,
    /// 99 of a hundred took no longer.
    pub p99_ms: f64,
}

/// Everything that the scenario found.
#[derive(Debug, Serialize)]
pub struct Results {
    /// Where.
    pub machine: MachineFacts,
    /// Devices in the index.
    pub devices: u64,
    /// Packages on each.
    pub packages: u32,
    /// Packages in the catalogue.
    pub catalogue: usize,
    /// The fleet's seed.
    pub seed: u64,
    /// One device put in, in microseconds, its making not counted.
    pub insert_us: f64,
    /// Putting all terms in order after the load.
    pub prepare_ms: f64,
    /// Memory of the index for one device, its share of the catalogue included.
    pub bytes_per_device: u64,
    /// One device's report changing nothing but its version and a flag, in microseconds.
    pub update_us: f64,
    /// The questions.
    pub asked: Vec<Asked>,
}

/// Runs the scenario.
#[expect(clippy::print_stdout, reason = "a benchmark talks to the person who started it")]
pub fn run(arguments: &Arguments) -> Result<()> {
    let results = measure(arguments)?;
    table::print_machine(&results.machine);
    println!(
        "{} devices, {} packages each, {} in the catalogue, seed {}\n",
        results.devices, results.packages, results.catalogue, results.seed
    );
    let mut shown = table::table(&["question", "asked", "found", "median ms", "p99 ms"]);
    for asked in &results.asked {
        let Asked { question, times, found, median_ms, p99_ms } = asked;
        shown.add_row([
            question.clone(),
            times.to_string(),
            found.to_string(),
            format!("{median_ms:.3}"),
            format!("{p99_ms:.3}"),
        ]);
    }
    table::align(&mut shown);
    println!("{shown}");
    println!(
        "memory: {} bytes a device; put in: {:.1} µs a device, then {:.0} ms for the order of terms; update: {:.1} µs",
        results.bytes_per_device, results.insert_us, results.prepare_ms, results.update_us
    );
    write_json(&arguments.folder.join("index.json"), &results)
}

/// Fills an index and asks.
pub fn measure(arguments: &Arguments) -> Result<Results> {
    let Arguments { devices, packages, titles, seed, .. } = arguments;
    let fleet = Fleet::new(Shape { seed: *seed, titles: *titles, packages: *packages, ..Shape::default() });
    let meter = Meter::new(std::process::id());
    let before = meter.resident().context("cannot read this process's memory")?;
    let index = Index::new();
    let mut filled = Filled { numbers: HashMap::new(), spent: Duration::ZERO };
    for first in (0..*devices).step_by(BATCH as usize) {
        filled.put(&index, &fleet, first..(first + BATCH).min(*devices));
    }
    let begun = Instant::now();
    index.write().prepare();
    let prepare_ms = begun.elapsed().as_secs_f64() * 1000.0;
    let Filled { numbers, spent } = filled;
    let catalogue = numbers.len();
    drop(numbers);
    let after = meter.resident().context("cannot read this process's memory")?;
    let update_us = update(&index, &fleet, *devices);
    let asked =
        questions(*devices).iter().map(|question| ask(&index, question)).collect::<Result<Vec<_>>>()?;
    Ok(Results {
        machine: MachineFacts::here(),
        devices: *devices,
        packages: fleet.shape().packages,
        catalogue,
        seed: *seed,
        insert_us: spent.as_secs_f64() * 1e6 / (*devices).max(1) as f64,
        prepare_ms,
        bytes_per_device: after.saturating_sub(before) / (*devices).max(1),
        update_us,
        asked,
    })
}

/// The catalogue as it grows, and the time spent in the index.
struct Filled {
    numbers: HashMap<Release, u32>,
    spent: Duration,
}

impl Filled {
    /// Makes some devices on all cores and puts them in.
    fn put(&mut self, index: &Index, fleet: &Fleet, devices: std::ops::Range<u64>) {
        let threads = std::thread::available_parallelism().map_or(1, usize::from) as u64;
        let share = (devices.end - devices.start).div_ceil(threads).max(1);
        let parts: Vec<_> = devices
            .clone()
            .step_by(share as usize)
            .map(|first| first..(first + share).min(devices.end))
            .collect();
        let made: Vec<(Device, Vec<Release>)> = std::thread::scope(|scope| {
            let make = |device| (record(fleet, device, 1), fleet.releases(device, Choice::Popular, 0));
            let tasks: Vec<_> = parts
                .into_iter()
                .map(|part| scope.spawn(move || part.map(make).collect::<Vec<_>>()))
                .collect();
            tasks
                .into_iter()
                .flat_map(|task| task.join().expect("making devices from numbers does not fail"))
                .collect()
        });
        let mut ids = Vec::with_capacity(made.len());
        let mut new = Vec::new();
        for (_, releases) in &made {
            ids.push(self.number(releases, &mut new));
        }
        let packages: Vec<_> =
            new.into_iter().map(|(id, release)| (id, release.package(fleet.shape()))).collect();
        let now = Timestamp::from_millis(NOW_MS);
        let begun = Instant::now();
        let mut rows = index.write();
        for (id, package) in &packages {
            rows.add_catalogue(*id, package);
        }
        for ((device, _), software) in made.iter().zip(&ids) {
            rows.upsert(device, software);
            let silent = u64::from(device.id.as_bytes()[15]) % 60;
            rows.set_presence(device.id, now.before(Duration::from_millis(silent * DAY_MS)), silent == 0);
        }
        drop(rows);
        self.spent += begun.elapsed();
    }

    /// Dense numbers for releases, as a store would give them; those that are new are added to `new`.
    fn number(&mut self, releases: &[Release], new: &mut Vec<(CatalogueId, Release)>) -> Vec<CatalogueId> {
        let mut ids = Vec::with_capacity(releases.len());
        for release in releases {
            let next = self.numbers.len() as u32 + 1;
            let number = *self.numbers.entry(*release).or_insert(next);
            let id = CatalogueId::from_number(number);
            if number == next {
                new.push((id, *release));
            }
            ids.push(id);
        }
        ids
    }
}

/// A device's record, as the pipeline would fold it from its agent and a purchase.
fn record(fleet: &Fleet, device: u64, version: u64) -> Device {
    let now = Timestamp::from_millis(NOW_MS);
    let machine = fleet.machine(device);
    let known = |value, source: &Source| Provenanced {
        claims: vec![Claimed { value, source: source.clone(), observed: now }],
    };
    let agent = Source::Operator("agent".to_owned());
    let mut fields: BTreeMap<Field, Provenanced> = merge::fields_from_items(&machine)
        .into_iter()
        .map(|(field, value)| (field, known(value, &agent)))
        .collect();
    let spread = |of: u64| blake3::hash(&(device * 16 + of).to_le_bytes()).as_bytes()[0];
    let person = |number: u64| Value::Person(PersonId::from_bytes(u128::from(number + 1).to_be_bytes()));
    let text = |text: String| Value::Text(text);
    if spread(0) >= 8 {
        let bought = now.before(Duration::from_millis(u64::from(spread(1)) * 7 * DAY_MS));
        for (field, value) in [
            (Field::Location, text(format!("Site {}", spread(2)))),
            (Field::Department, text(format!("Department {}", spread(3) % 40))),
            (Field::CostCenter, text(format!("CC-{:04}", u32::from(spread(4)) * 7))),
            (Field::Company, text(format!("Company {}", spread(5) % 5))),
            (Field::OrderNumber, text(format!("PO-{:06}", device / 25))),
            (
                Field::Price,
                Value::Money(Money {
                    minor_units: i64::from(spread(6)) * 1_000 + 49_900,
                    currency: "EUR".to_owned(),
                }),
            ),
            (Field::PurchaseDate, Value::Time(bought)),
            (Field::State, text("deployed".to_owned())),
        ] {
            fields.insert(field, known(value, &agent));
        }
        if spread(7) >= 40 {
            fields.insert(Field::Owner, known(person(device / 3), &agent));
        }
    }
    let mut flags = Vec::new();
    for (code, stands) in [
        (FlagCode::Unknown, spread(0) < 8),
        (FlagCode::Stale, spread(8) < 12),
        (FlagCode::Unassigned, !fields.contains_key(&Field::Owner)),
    ] {
        if stands {
            flags.push(Flag {
                code,
                severity: code.severity(),
                evidence: String::new(),
                standing: Standing::Open,
                since: now,
            });
        }
    }
    Device {
        id: device_id(device),
        version,
        fields,
        flags,
        agents: Vec::new(),
        seen_by: BTreeMap::from([("agent".to_owned(), now)]),
        first_seen: now.before(Duration::from_millis(u64::from(spread(9)) * DAY_MS)),
        software_count: fleet.shape().packages,
        subjects: Vec::new(),
        aliases: Vec::new(),
        merged_into: None,
        identity_explanation: String::new(),
    }
}

fn device_id(device: u64) -> DeviceId {
    let mut bytes = [0; 16];
    bytes.copy_from_slice(&blake3::hash(&device.to_le_bytes()).as_bytes()[..16]);
    DeviceId::from_bytes(bytes)
}

/// One device after the other has a new version and nothing else.
fn update(index: &Index, fleet: &Fleet, devices: u64) -> f64 {
    let records: Vec<Device> = (0..devices.min(1000)).map(|device| record(fleet, device, 2)).collect();
    let begun = Instant::now();
    for device in &records {
        index.write().update(device);
    }
    begun.elapsed().as_secs_f64() * 1e6 / records.len().max(1) as f64
}

/// What is asked, with the words that show it.
enum Question {
    Count(&'static str),
    Page {
        filter: &'static str,
        order: &'static str,
    },
    /// The page in the middle of the list.
    DeepPage {
        order: &'static str,
        devices: u64,
    },
    Facet {
        filter: &'static str,
        field: &'static str,
    },
    Flags,
    Software {
        filter: &'static str,
        by: SoftwareBy,
    },
}

fn questions(devices: u64) -> Vec<Question> {
    vec![
        Question::Count("os.name = \"debian\""),
        Question::Count("manufacturer:dell AND flag:stale"),
        Question::Count("NOT owner:*"),
        Question::Count("memory >= 16GiB AND last_seen < -30d"),
        Question::Count("flag:unknown OR flag:stale OR location = \"Site 7\""),
        Question::Count("software:(name:bababa AND version < \"9.9\")"),
        Question::Count("software.name:python3* AND os.name = \"ubuntu\""),
        Question::Count("00042"),
        Question::Page { filter: "", order: "hostname" },
        Question::Page { filter: "flag:stale", order: "location, memory desc" },
        Question::Page { filter: "os.name = \"ubuntu\"", order: "purchase_date desc" },
        Question::DeepPage { order: "hostname", devices },
        Question::DeepPage { order: "location, serial desc", devices },
        Question::Facet { filter: "", field: "manufacturer" },
        Question::Facet { filter: "", field: "location" },
        Question::Facet { filter: "flag:stale", field: "os.version" },
        Question::Facet { filter: "", field: "order_number" },
        Question::Flags,
        Question::Software { filter: "", by: SoftwareBy::Title },
        Question::Software { filter: "name:python3*", by: SoftwareBy::Version },
    ]
}

fn ask(index: &Index, question: &Question) -> Result<Asked> {
    let text = words(question);
    let token = deep_token(index, question)?;
    let mut durations = Vec::new();
    let mut found = 0;
    let begun = Instant::now();
    while durations.len() < ASKED && (begun.elapsed() < ASKED_FOR || durations.is_empty()) {
        let asked = Instant::now();
        found = answer(&index.read(), question, token.as_deref()).with_context(|| text.clone())?;
        durations.push(asked.elapsed());
    }
    let times = durations.len();
    let latencies = Latencies::of(durations);
    let millis = |share| latencies.per_mille(share).as_secs_f64() * 1000.0;
    Ok(Asked { question: text, times, found, median_ms: millis(500), p99_ms: millis(990) })
}

fn words(question: &Question) -> String {
    let all = |filter: &&str| if filter.is_empty() { "all".to_owned() } else { (*filter).to_owned() };
    match question {
        Question::Count(filter) => format!("count {filter}"),
        Question::Page { filter, order } => format!("page of 50, {}, by {order}", all(filter)),
        Question::DeepPage { order, .. } => format!("page of 50 from the middle, all, by {order}"),
        Question::Facet { filter, field } => format!("facet {field}, {}", all(filter)),
        Question::Flags => "devices by flag".to_owned(),
        Question::Software { filter, by: SoftwareBy::Title } => format!("software titles, {}", all(filter)),
        Question::Software { filter, by: SoftwareBy::Version } => {
            format!("software versions, {}", all(filter))
        }
    }
}

/// The token of the page in the middle, made by asking for everything before it.
fn deep_token(index: &Index, question: &Question) -> Result<Option<Vec<u8>>> {
    let Question::DeepPage { order, devices } = question else { return Ok(None) };
    let (filter, order) = (Filter::All, order.parse::<OrderBy>()?);
    let size = u32::try_from(devices / 2).unwrap_or(u32::MAX);
    let now = Timestamp::from_millis(NOW_MS);
    let request = ListRequest { filter: &filter, order: &order, token: None, size, now };
    Ok(index.read().list(&request)?.next)
}

/// Parses and answers, as a request would be.
fn answer(rows: &Rows, question: &Question, token: Option<&[u8]>) -> Result<u64> {
    let now = Timestamp::from_millis(NOW_MS);
    Ok(match question {
        Question::Count(filter) => rows.count(&Filter::parse(filter)?, now)?,
        Question::Page { filter, order } => page(rows, filter, order, None)?,
        Question::DeepPage { order, .. } => page(rows, "", order, token)?,
        Question::Facet { filter, field } => {
            let matching = rows.query(&Filter::parse(filter)?, now)?;
            rows.facets(field, &matching, 50)?.distinct
        }
        Question::Flags => rows.flags().iter().map(|(_, count)| count).sum(),
        Question::Software { filter, by } => {
            let (filter, order) = (Filter::parse(filter)?, "".parse::<OrderBy>()?);
            let request = SoftwareRequest {
                filter: &filter,
                on: &Filter::All,
                by: *by,
                order: &order,
                token: None,
                size: 50,
                now,
            };
            rows.software(&request)?.total
        }
    })
}

fn page(rows: &Rows, filter: &str, order: &str, token: Option<&[u8]>) -> Result<u64> {
    let (filter, order) = (Filter::parse(filter)?, order.parse::<OrderBy>()?);
    let now = Timestamp::from_millis(NOW_MS);
    let page = rows.list(&ListRequest { filter: &filter, order: &order, token, size: 50, now })?;
    Ok(page.total)
}
