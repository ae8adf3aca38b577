//! The same questions answered device by device, without any index: what the model test compares with.

use std::{cmp::Ordering, collections::BTreeMap};

use muster_common::{
    device::{Device, Field, FieldKind, Value as Fact, minor_digits},
    filter::{Comparison, Filter, Operator, Value},
    id::DeviceId,
    inventory::Package,
    page::OrderBy,
    time::Timestamp,
    version,
};

/// A device with what the index is told of it.
#[derive(Debug, Clone)]
pub(super) struct Known {
    pub(super) device: Device,
    pub(super) software: Vec<u32>,
    pub(super) presence: Option<(Timestamp, bool)>,
}

/// The fleet and the catalogue.
#[derive(Debug, Default)]
pub(super) struct Naive {
    pub(super) devices: BTreeMap<DeviceId, Known>,
    pub(super) packages: BTreeMap<u32, Package>,
}

/// A field's values of one device: texts, or a number.
enum Values {
    Texts(Vec<String>),
    Number(Option<i64>, Option<String>),
}

impl Naive {
    pub(super) fn query(&self, filter: &Filter) -> Vec<DeviceId> {
        self.devices
            .values()
            .filter(|known| self.matches(known, filter))
            .map(|known| known.device.id)
            .collect()
    }

    fn matches(&self, known: &Known, filter: &Filter) -> bool {
        match filter {
            Filter::All => true,
            Filter::And(parts) => parts.iter().all(|part| self.matches(known, part)),
            Filter::Or(parts) => parts.iter().any(|part| self.matches(known, part)),
            Filter::Not(inner) => !self.matches(known, inner),
            Filter::Search(value) => ["hostname", "serial", "manufacturer", "ip", "location"]
                .iter()
                .any(|field| texts(known, field).iter().any(|text| is_like(text, value, true))),
            Filter::Software(inner) => {
                known.software.iter().any(|number| package_matches(&self.packages[number], inner))
            }
            Filter::Comparison(comparison) => self.compare(known, comparison),
        }
    }

    fn compare(&self, known: &Known, comparison: &Comparison) -> bool {
        let Comparison { field, operator, value } = comparison;
        if let Some(field) = field.as_str().strip_prefix("software.") {
            let any = |operator| {
                known
                    .software
                    .iter()
                    .any(|number| compare_package(&self.packages[number], field, operator, value))
            };
            return match operator {
                Operator::NotEqual => !known.software.is_empty() && !any(Operator::Equal),
                operator => any(*operator),
            };
        }
        let kind = kind(field.as_str());
        match values(known, field.as_str()) {
            Values::Texts(texts) => compare_texts(&texts, *operator, value, kind),
            Values::Number(number, currency) => {
                let Some(number) = number else { return false };
                let Some(text) = value.text() else { return true };
                let (wanted, code) = match kind {
                    FieldKind::Time => (text.parse::<Timestamp>().unwrap().as_millis(), None),
                    FieldKind::Money => {
                        let (amount, code) = text.split_once(' ').map_or((text, None), |(a, c)| (a, Some(c)));
                        (amount.parse::<i64>().unwrap() * 1000, code)
                    }
                    _ => (text.parse::<i64>().unwrap(), None),
                };
                let same = code.is_none_or(|code| currency.as_deref() == Some(code));
                match operator {
                    Operator::NotEqual => !same || number != wanted,
                    operator => same && holds(*operator, number.cmp(&wanted)),
                }
            }
        }
    }

    /// The devices that match, sorted.
    pub(super) fn list(&self, filter: &Filter, order: &OrderBy) -> Vec<DeviceId> {
        let mut found = self.query(filter);
        found.sort_by(|a, b| {
            let (left, right) = (&self.devices[a], &self.devices[b]);
            let keys = order.keys().iter().map(|key| {
                let order = sort(left, right, key.field.as_str());
                match order {
                    Some(order) if key.descending => order.reverse(),
                    Some(order) => order,
                    None => present(right, key.field.as_str()).cmp(&present(left, key.field.as_str())),
                }
            });
            keys.fold(Ordering::Equal, Ordering::then).then(a.cmp(b))
        });
        found
    }

    /// How many of the devices have each value of a field, spelled in lower case.
    pub(super) fn facets(&self, found: &[DeviceId], field: &str) -> BTreeMap<String, u64> {
        let mut counts = BTreeMap::new();
        for known in found.iter().map(|id| &self.devices[id]) {
            for text in texts(known, field) {
                *counts.entry(text.to_lowercase()).or_default() += 1;
            }
        }
        counts
    }

    /// How many devices have each title.
    pub(super) fn titles(&self) -> BTreeMap<(String, String), u64> {
        let mut counts = BTreeMap::new();
        for known in self.devices.values() {
            let mut titles: Vec<_> = known
                .software
                .iter()
                .map(|number| &self.packages[number])
                .map(|package| (package.purl_type.clone(), package.name.clone()))
                .collect();
            titles.sort();
            titles.dedup();
            for title in titles {
                *counts.entry(title).or_default() += 1;
            }
        }
        counts
    }
}

fn kind(field: &str) -> FieldKind {
    match field {
        "flag" | "seen_by" => FieldKind::List,
        "first_seen" | "last_seen" => FieldKind::Time,
        "software_count" => FieldKind::Number,
        field => field.parse::<Field>().unwrap().kind(),
    }
}

fn values(known: &Known, field: &str) -> Values {
    let device = &known.device;
    match field {
        "flag" => Values::Texts(device.flags.iter().map(|flag| flag.code.to_string()).collect()),
        "seen_by" => Values::Texts(device.seen_by.keys().cloned().collect()),
        "first_seen" => Values::Number(Some(device.first_seen.as_millis()), None),
        "last_seen" => Values::Number(known.presence.map(|(last_seen, _)| last_seen.as_millis()), None),
        "software_count" => Values::Number(Some(i64::from(device.software_count)), None),
        field => {
            let field: Field = field.parse().unwrap();
            match (field.kind(), device.value(field)) {
                (FieldKind::Number | FieldKind::Time | FieldKind::Money, None) => Values::Number(None, None),
                (_, None) => Values::Texts(Vec::new()),
                (_, Some(Fact::Text(text))) => Values::Texts(vec![text.clone()]),
                (_, Some(Fact::List(texts))) => Values::Texts(texts.clone()),
                (_, Some(Fact::Person(person))) => Values::Texts(vec![person.to_string()]),
                (_, Some(Fact::Boolean(yes))) => {
                    Values::Texts(vec![if *yes { "yes" } else { "no" }.to_owned()])
                }
                (_, Some(Fact::Number(number))) => Values::Number(Some(*number as i64), None),
                (_, Some(Fact::Time(time))) => Values::Number(Some(time.as_millis()), None),
                (_, Some(Fact::Money(money))) => {
                    let unit = 10i64.pow(3 - minor_digits(&money.currency));
                    Values::Number(Some(money.minor_units * unit), Some(money.currency.clone()))
                }
            }
        }
    }
}

fn texts(known: &Known, field: &str) -> Vec<String> {
    match values(known, field) {
        Values::Texts(texts) => texts,
        Values::Number(..) => Vec::new(),
    }
}

fn present(known: &Known, field: &str) -> bool {
    match values(known, field) {
        Values::Texts(texts) => !texts.is_empty(),
        Values::Number(number, _) => number.is_some(),
    }
}

fn is_like(text: &str, value: &Value, part: bool) -> bool {
    let text = text.to_lowercase();
    match value {
        Value::Any => true,
        Value::Exact(wanted) if part => text.contains(&wanted.to_lowercase()),
        Value::Exact(wanted) => text == wanted.to_lowercase(),
        Value::Prefix(wanted) => text.starts_with(&wanted.to_lowercase()),
        Value::Suffix(wanted) => text.ends_with(&wanted.to_lowercase()),
        Value::Contains(wanted) => text.contains(&wanted.to_lowercase()),
    }
}

fn holds(operator: Operator, order: Ordering) -> bool {
    match operator {
        Operator::Equal | Operator::Has => order.is_eq(),
        Operator::NotEqual => order.is_ne(),
        Operator::Less => order.is_lt(),
        Operator::LessOrEqual => order.is_le(),
        Operator::Greater => order.is_gt(),
        Operator::GreaterOrEqual => order.is_ge(),
    }
}

fn compare_texts(texts: &[String], operator: Operator, value: &Value, kind: FieldKind) -> bool {
    let part = matches!(kind, FieldKind::Text | FieldKind::Version);
    let any = |part| texts.iter().any(|text| is_like(text, value, part));
    match operator {
        Operator::Equal => any(false),
        Operator::NotEqual => !texts.is_empty() && !any(false),
        Operator::Has => any(part),
        operator => {
            let wanted = value.text().unwrap().to_lowercase();
            texts.iter().any(|text| holds(operator, order_texts(&text.to_lowercase(), &wanted, kind)))
        }
    }
}

fn order_texts(left: &str, right: &str, kind: FieldKind) -> Ordering {
    match kind {
        FieldKind::Version => version::compare("deb", left, right).unwrap(),
        _ => left.cmp(right),
    }
}

/// `None` when one of them has no value.
fn sort(left: &Known, right: &Known, field: &str) -> Option<Ordering> {
    match (values(left, field), values(right, field)) {
        (Values::Number(left, _), Values::Number(right, _)) => Some(left?.cmp(&right?)),
        (Values::Texts(left), Values::Texts(right)) => {
            let compare = |a: &String, b: &String| {
                let (low_a, low_b) = (a.to_lowercase(), b.to_lowercase());
                order_texts(&low_a, &low_b, kind(field)).then(low_a.cmp(&low_b)).then(a.cmp(b))
            };
            let least = |texts: Vec<String>| texts.into_iter().min_by(|a, b| compare(a, b));
            Some(compare(&least(left)?, &least(right)?))
        }
        (_, _) => None,
    }
}

pub(super) fn package_matches(package: &Package, filter: &Filter) -> bool {
    match filter {
        Filter::All => true,
        Filter::And(parts) => parts.iter().all(|part| package_matches(package, part)),
        Filter::Or(parts) => parts.iter().any(|part| package_matches(package, part)),
        Filter::Not(inner) => !package_matches(package, inner),
        Filter::Search(value) => is_like(&package.name, value, true),
        Filter::Software(_) => false,
        Filter::Comparison(Comparison { field, operator, value }) => {
            compare_package(package, field.as_str(), *operator, value)
        }
    }
}

fn compare_package(package: &Package, field: &str, operator: Operator, value: &Value) -> bool {
    let own = match field {
        "name" => &package.name,
        "version" => &package.version,
        "type" => &package.purl_type,
        other => panic!("the model has no field {other}"),
    };
    if field == "version" && operator.is_order() {
        let order = version::compare(&package.purl_type, own, value.text().unwrap());
        return order.is_some_and(|order| holds(operator, order));
    }
    compare_texts(std::slice::from_ref(own), operator, value, FieldKind::Text)
}
