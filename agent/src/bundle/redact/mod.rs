//! Takes out of a recording what tells whose machine it is.
//!
//! First everything that identifies is gathered, wherever it was read; then each file goes through its rule or is left
//! out; then what was gathered is searched for in all that remains, paths and names included. Knows nothing of how a
//! recording is made and of where it goes.

mod accounts;
mod attributes;
mod firmware;
mod gather;
mod json;
mod places;
mod rules;
mod text;
mod xml;

use std::{
    collections::{BTreeMap, BTreeSet},
    net::{IpAddr, Ipv4Addr, Ipv6Addr},
};

use super::{
    patterns::{self, Search},
    pseudonym::{Kind, Pseudonyms},
    secrets::{self, Secrets, Tally},
};
use crate::host::{Body, Entry, Facts, Host, Outcome, Recording, Refusal};
use gather::Machine;
use rules::Rule;

/// The last logins: records here and there, of which no rule can see a whole.
const LASTLOG: &str = "var/log/lastlog";

/// A recording that may be sent.
#[derive(Debug)]
pub(crate) struct Redacted {
    /// The answers.
    pub(crate) recording: Recording,
    /// What was replaced.
    pub(crate) tally: Tally,
    /// Files that were read and are not in it.
    pub(crate) left_out: Vec<String>,
}

/// Something is still there that should have gone; nothing may be written then.
#[derive(Debug, thiserror::Error)]
#[error("{} are still in {path}; nothing was written, please report this", kind.in_words())]
pub(crate) struct Leak {
    /// Where.
    path: String,
    /// What.
    kind: Kind,
}

/// What a rule has at hand.
pub(super) struct Context<'a> {
    secrets: &'a Secrets<'a>,
    tally: Tally,
    machine: &'a Machine,
}

impl Context<'_> {
    /// A value replaced; one that tells nothing stays.
    fn of(&mut self, kind: Kind, value: &[u8]) -> Vec<u8> {
        if secrets::is_common(value.trim_ascii()) {
            return value.to_vec();
        }
        // What is known for a MAC address is one wherever it stands.
        let kind = self.secrets.kind(value).unwrap_or(kind);
        let replaced = self.secrets.pseudonyms().of(kind, value);
        if replaced != value {
            self.tally.add(kind);
        }
        replaced
    }

    fn person(&mut self, name: &[u8]) -> Vec<u8> {
        self.of(Kind::Person, name)
    }

    /// A name that stays when it is the system's own.
    fn person_or_system(&mut self, name: &[u8]) -> Vec<u8> {
        if self.machine.system_names.contains(name) { name.to_vec() } else { self.person(name) }
    }

    /// A battery's serial number: kernel and firmware tell the same one, in decimal and in hexadecimal.
    fn battery(&mut self, value: &[u8]) -> Vec<u8> {
        let text = std::str::from_utf8(value.trim_ascii()).unwrap_or_default();
        let is_kernels = self.machine.batteries.iter().any(|known| known == text.as_bytes());
        let decimal = text.parse::<u16>().ok();
        let hexadecimal = u16::from_str_radix(text, 16).ok();
        let is_kernels_number =
            |number: u16| self.machine.batteries.contains(&number.to_string().into_bytes());
        let word = |number| self.secrets.pseudonyms().word(number);
        let width = text.len();
        let replaced = match (decimal, hexadecimal) {
            (Some(number), _) if is_kernels => format!("{:0width$}", word(number)),
            (_, Some(number)) if !is_kernels && is_kernels_number(number) => {
                format!("{:0width$X}", word(number))
            }
            _ => return self.of(Kind::Serial, value),
        };
        self.tally.add(Kind::Serial);
        let start = value.len() - value.trim_ascii_start().len();
        [&value[..start], replaced.as_bytes(), &value[start + width..]].concat()
    }

    /// The instance in a unit's name may be a customer, an office or a tunnel; terminals and numbers tell nothing.
    fn unit(&mut self, name: &str) -> Vec<u8> {
        let instance = name.split_once('@').and_then(|(template, rest)| {
            let (instance, ending) = rest.rsplit_once('.')?;
            let is_unit = patterns::is_unit_ending(ending.as_bytes());
            let tells = !instance.starts_with("tty") && instance.bytes().any(|sign| !sign.is_ascii_digit());
            (is_unit && tells).then_some((template, instance, ending))
        });
        match instance {
            Some((template, instance, ending)) => {
                let instance = self.of(Kind::Other, instance.as_bytes());
                [template.as_bytes(), b"@", &instance, b".", ending.as_bytes()].concat()
            }
            None => name.as_bytes().to_vec(),
        }
    }

    fn search(&mut self, search: Search, bytes: &mut [u8]) {
        patterns::search(search, bytes, self.secrets, &mut self.tally);
    }

    /// A path or a name, below a path of which the beginning says how thoroughly it is searched.
    fn path(&mut self, path: &str, below: &str) -> String {
        let parts: Vec<Vec<u8>> = path
            .split('/')
            .map(|part| match self.secrets.kind(part.as_bytes()) {
                Some(kind) if !rules::is_word(part.as_bytes()) => self.of(kind, part.as_bytes()),
                Some(_) | None => self.unit(part),
            })
            .collect();
        let mut bytes = parts.join(&b'/');
        let is_told_by_names =
            ["sys/fs/cgroup", "sys/class/net"].iter().any(|start| below.starts_with(start));
        self.search(if is_told_by_names { Search::System } else { Search::Gathered }, &mut bytes);
        String::from_utf8_lossy(&bytes).into_owned()
    }
}

/// Redacts. `host` is asked for what identifies and no source reads; nothing of that is written.
///
/// # Errors
/// See [`Leak`].
pub(crate) fn redact(
    recording: Recording,
    host: &dyn Host,
    pseudonyms: &Pseudonyms,
) -> Result<Redacted, Leak> {
    let (gathered, machine) = gather::gather(&recording, host);
    let secrets = Secrets::new(gathered, pseudonyms, rules::is_word);
    let mut context = Context { secrets: &secrets, tally: Tally::default(), machine: &machine };
    let Recording { mut entries, facts } = recording;
    hide_strangers(&mut entries, &mut context);

    let mut left_out = Vec::new();
    let mut redacted = BTreeMap::new();
    for (path, entry) in entries {
        let shown = context.path(&path, &path);
        let entry = redacted_entry(&path, entry, &mut context);
        if matches!(entry.content, Some(Outcome::Refused(Refusal::LeftOut))) {
            left_out.push(shown.clone());
        }
        redacted.insert(shown, entry);
    }
    let facts = facts.map(|facts| redacted_facts(facts, &mut context));
    let tally = context.tally;
    let recording = Recording { entries: redacted, facts };
    check(&recording, &secrets)?;
    Ok(Redacted { recording, tally, left_out })
}

/// In folders where people keep what they like, names that no source takes for anything are nobody's business.
fn hide_strangers(entries: &mut BTreeMap<String, Entry>, context: &mut Context<'_>) {
    let is_free = |path: &str, context: &Context<'_>| rules::is_free(&context.machine.with_home(path));
    let folders: Vec<String> = entries.keys().filter(|path| is_free(path, context)).cloned().collect();
    for folder in folders {
        let mut strangers = BTreeSet::new();
        entries.retain(|path, entry| {
            let Some(name) = path.strip_prefix(&folder).and_then(|below| below.strip_prefix('/')) else {
                return true;
            };
            let head = entry.content.as_ref().and_then(Outcome::found).map(Body::start);
            // Whoever looks at more than the head was told the name by something else.
            let is_wanted = entry.metadata.is_some() || entry.target.is_some();
            let stays = name.contains('/') || is_wanted || head.is_some_and(rules::is_app_image);
            if !stays {
                strangers.insert(name.to_owned());
            }
            stays
        });
        let has_below = |name: &str| {
            let start = format!("{folder}/{name}");
            entries.range(start.clone()..).next().is_some_and(|(path, _)| path.starts_with(&start))
        };
        let names =
            entries.get(&folder).and_then(|entry| Some(entry.folder.as_ref()?.found()?.names.clone()));
        let renamed = names.unwrap_or_default().into_iter().map(|name| {
            if strangers.contains(&name) || !has_below(&name) {
                String::from_utf8_lossy(&context.of(Kind::Other, name.as_bytes())).into_owned()
            } else {
                name
            }
        });
        let renamed: Vec<String> = renamed.collect();
        if let Some(Outcome::Found(listing)) =
            entries.get_mut(&folder).and_then(|entry| entry.folder.as_mut())
        {
            listing.names = renamed;
        }
    }
}

fn redacted_entry(path: &str, entry: Entry, context: &mut Context<'_>) -> Entry {
    let Entry { content, folder, target, metadata } = entry;
    let content = content.map(|content| match content {
        Outcome::Found(body) => {
            redacted_body(path, body, context).map_or(Outcome::Refused(Refusal::LeftOut), Outcome::Found)
        }
        Outcome::Refused(refusal) => Outcome::Refused(refusal),
    });
    let folder = folder.map(|folder| match folder {
        Outcome::Found(mut listing) => {
            listing.names = listing.names.iter().map(|name| context.path(name, path)).collect();
            listing.names.sort_unstable();
            Outcome::Found(listing)
        }
        Outcome::Refused(refusal) => Outcome::Refused(refusal),
    });
    let target = target.map(|target| match target {
        Outcome::Found(target) => Outcome::Found(context.path(&target, path)),
        Outcome::Refused(refusal) => Outcome::Refused(refusal),
    });
    Entry { content, folder, target, metadata }
}

/// `None` when the file must be left out.
fn redacted_body(path: &str, mut body: Body, context: &mut Context<'_>) -> Option<Body> {
    if path.split('/').any(|part| matches!(part, "" | "." | "..")) {
        return None;
    }
    if path == LASTLOG {
        each_piece(&mut body, |offset, piece, context| accounts::lastlog(piece, offset, context), context);
        return Some(body);
    }
    let rule = rules::rule(&context.machine.with_home(path))?;
    if let Rule::Plain(search) = rule {
        let before = if path.ends_with("-wal") { body.bytes.clone() } else { Vec::new() };
        each_piece(&mut body, |_, piece, context| context.search(search, piece), context);
        // A write-ahead log has sums over its pages; one that is changed is void and tells less than none.
        return (before.is_empty() || before == body.bytes).then_some(body);
    }
    // A rule must see a file from its beginning on, without holes.
    let is_whole = body.pieces.len() <= 1 && body.pieces.first().is_none_or(|(offset, _)| *offset == 0);
    if !is_whole || body.size_bytes.is_some() {
        return None;
    }
    let mut bytes = apply(rule, &body.bytes, context);
    let is_systems = ["sys/", "proc/", "etc/", "run/"].iter().any(|start| path.starts_with(start));
    // An extension's id may look like an e-mail address.
    let is_list = path.ends_with("/extensions.json");
    let search = match (is_systems, is_list) {
        (true, _) => Search::System,
        (false, true) => Search::Gathered,
        (false, false) => Search::Software,
    };
    // What the rule has replaced is not replaced once more: it would no longer be the same everywhere.
    if !matches!(rule, Rule::Value(_)) {
        context.search(search, &mut bytes);
    }
    Some(Body { pieces: vec![(0, bytes.len())], size_bytes: None, more: body.more, bytes })
}

fn each_piece(
    body: &mut Body,
    mut change: impl FnMut(u64, &mut [u8], &mut Context<'_>),
    context: &mut Context<'_>,
) {
    let Body { pieces, bytes, .. } = body;
    let mut rest = bytes.as_mut_slice();
    for (offset, length) in pieces {
        let (piece, after) = rest.split_at_mut((*length).min(rest.len()));
        change(*offset, piece, context);
        rest = after;
    }
}

fn apply(rule: Rule, bytes: &[u8], context: &mut Context<'_>) -> Vec<u8> {
    let mut in_place = bytes.to_vec();
    match rule {
        Rule::Plain(_) => in_place,
        Rule::Value(kind) => context.of(kind, bytes),
        Rule::Lines(kept) => text::lines(bytes, kept),
        Rule::Values(between, kept) => text::values(bytes, between, kept, context),
        Rule::Secrets(between, secret) => text::secrets(bytes, between, secret, context),
        Rule::Json(rule) => {
            json::redact(&mut in_place, &rule, context);
            in_place
        }
        Rule::Xml(rule) => {
            xml::redact(&mut in_place, &rule, context);
            in_place
        }
        Rule::Made(make) => make(bytes, context),
    }
}

fn redacted_facts(mut facts: Facts, context: &mut Context<'_>) -> Facts {
    let mut text = |kind, value: &mut Option<String>| {
        if let Some(value) = value {
            *value = String::from_utf8_lossy(&context.of(kind, value.as_bytes())).into_owned();
        }
    };
    text(Kind::Host, &mut facts.hostname);
    for link in &mut facts.links {
        text(Kind::Mac, &mut link.mac);
        text(Kind::Mac, &mut link.permanent_mac);
    }
    let sockets = facts.sockets.iter_mut().flatten().map(|socket| &mut socket.address);
    let links = facts.links.iter_mut();
    let addresses = links.flat_map(|link| link.addresses.iter_mut().chain(&mut link.gateways));
    for address in addresses.chain(sockets) {
        let replaced = context.secrets.pseudonyms().address(*address);
        if replaced != *address {
            context.tally.add(Kind::Address);
        }
        *address = replaced;
    }
    for link in &mut facts.links {
        for (first, prefix) in &mut link.networks {
            *first = masked(context.secrets.pseudonyms().address(*first), *prefix);
        }
        link.name = context.path(&link.name, "sys/class/net");
    }
    facts
}

/// The first address of the network that an address is in.
fn masked(address: IpAddr, prefix: u8) -> IpAddr {
    match address {
        IpAddr::V4(v4) => {
            let mask = u32::MAX.checked_shl(32_u32.saturating_sub(prefix.into())).unwrap_or(0);
            Ipv4Addr::from(u32::from(v4) & mask).into()
        }
        IpAddr::V6(v6) => {
            let mask = u128::MAX.checked_shl(128_u32.saturating_sub(prefix.into())).unwrap_or(0);
            Ipv6Addr::from(u128::from(v6) & mask).into()
        }
    }
}

/// The last look: nothing that was gathered may be anywhere.
fn check(recording: &Recording, secrets: &Secrets<'_>) -> Result<(), Leak> {
    let leak = |path: &str, bytes: &[u8]| match secrets.left_in(bytes) {
        Some(kind) => Err(Leak { path: path.to_owned(), kind }),
        None => Ok(()),
    };
    for (path, entry) in &recording.entries {
        for (_, piece) in entry.content.iter().filter_map(Outcome::found).flat_map(Body::pieces) {
            leak(path, piece)?;
        }
        for name in entry.folder.iter().filter_map(Outcome::found).flat_map(|folder| &folder.names) {
            leak(path, name.as_bytes())?;
        }
        if let Some(target) = entry.target.as_ref().and_then(Outcome::found) {
            leak(path, target.as_bytes())?;
        }
        leak("the name of a file", path.as_bytes())?;
    }
    let facts = serde_json::to_vec(&recording.facts).unwrap_or_default();
    leak("the facts of the running system", &facts)
}

#[cfg(test)]
mod testing {
    use super::*;
    use crate::bundle::secrets::Gathered;

    /// A context of a machine of which nothing is known.
    pub(super) fn with_context(use_it: impl FnOnce(&mut Context<'_>)) {
        let pseudonyms = Pseudonyms::random().expect("random numbers");
        let secrets = Secrets::new(Gathered::default(), &pseudonyms, |_| false);
        let machine = Machine::default();
        use_it(&mut Context { secrets: &secrets, tally: Tally::default(), machine: &machine });
    }
}

#[cfg(test)]
mod tests {
    use std::{fs, path::Path};

    use proptest::prelude::*;

    use super::{rules::RULES, *};
    use testing::with_context;

    fn check_all_rules(bytes: &[u8]) {
        with_context(|context| {
            for (pattern, rule) in RULES {
                let after = apply(*rule, bytes, context);
                assert!(after.len() <= bytes.len() + 16, "{pattern} grew to {} bytes", after.len());
            }
            let mut records = bytes.to_vec();
            accounts::lastlog(&mut records, 7, context);
            for search in [Search::Gathered, Search::Software, Search::System] {
                context.search(search, &mut bytes.to_vec());
            }
            firmware::smbios_secrets(bytes, |_, _| {});
            let (_, _) = (firmware::edid_serial(bytes), firmware::battery_serial(bytes));
        });
    }

    #[test]
    fn every_rule_takes_every_file() {
        let seeds = Path::new(env!("CARGO_MANIFEST_DIR")).join("../fuzz/seeds");
        for folder in fs::read_dir(seeds).unwrap() {
            for seed in fs::read_dir(folder.unwrap().path()).unwrap() {
                let mut bytes = fs::read(seed.unwrap().path()).unwrap();
                bytes.truncate(20_000);
                check_all_rules(&bytes);
                check_all_rules(&bytes[..bytes.len() / 2]);
            }
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(300))]
        #[test]
        fn nonsense_is_no_trouble(
            bytes in prop::collection::vec(any::<u8>(), 0..400),
            text in "[ -~\n]{0,200}",
            signs in r#"[{}\[\]"\\u:,0-9<>/='&;\-. @a]{0,200}"#,
        ) {
            check_all_rules(&bytes);
            check_all_rules(text.as_bytes());
            check_all_rules(signs.as_bytes());
        }
    }
}
