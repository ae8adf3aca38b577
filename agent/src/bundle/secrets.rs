//! What identifies a machine and its people, gathered beforehand, and replaced wherever else it turns up: in other
//! files, in paths, in UTF-16, in hexadecimal, as bytes.
//!
//! Knows nothing of any file's format: this is the net below the rules, for what no rule thought of. A replacement has
//! the length of what it replaces, so that offsets in databases stay right.

use std::{
    collections::{BTreeMap, BTreeSet},
    ops::Range,
};

use aho_corasick::{AhoCorasick, MatchKind};

use super::pseudonym::{self, Kind, Pseudonyms};

/// Shorter values are replaced where they stand as a value, and not searched for.
const SHORTEST: usize = 3;
/// Shorter ones count as a whole word alone.
const ANYWHERE: usize = 8;
/// Shorter serial numbers, and those of digits alone that don't count anywhere, are not searched for.
const SHORTEST_SERIAL: usize = 5;
/// Hexadecimal digits of a shorter text may be part of any digest.
const SHORTEST_IN_HEXADECIMAL: usize = 6;
/// A machine has fewer.
const SECRETS_LIMIT: usize = 20_000;

/// Names that tell nothing of anybody, and words that every machine's files are full of.
const COMMON: &[&str] = &[
    "admin",
    "administrator",
    "alma",
    "almalinux",
    "alpine",
    "amazonaws",
    "app",
    "arch",
    "archlinux",
    "azure",
    "box",
    "build",
    "bullseye",
    "bookworm",
    "centos",
    "cloud",
    "cloudapp",
    "com",
    "compute",
    "container",
    "corp",
    "data",
    "debian",
    "default",
    "desktop",
    "dev",
    "docker",
    "domain",
    "ec2-user",
    "example",
    "fedora",
    "fritz",
    "gentoo",
    "google",
    "guest",
    "home",
    "host",
    "hostname",
    "install",
    "installed",
    "internal",
    "intranet",
    "invalid",
    "kali",
    "lan",
    "laptop",
    "linux",
    "local",
    "localdomain",
    "localhost",
    "machine",
    "main",
    "mint",
    "name",
    "net",
    "network",
    "nixos",
    "none",
    "office",
    "opensuse",
    "oracle",
    "org",
    "package",
    "pi",
    "prod",
    "raspberrypi",
    "redhat",
    "rhel",
    "rocky",
    "root",
    "server",
    "status",
    "suse",
    "system",
    "test",
    "tester",
    "the",
    "ubuntu",
    "unknown",
    "user",
    "users",
    "vagrant",
    "version",
    "virtual",
    "work",
    "workstation",
];

/// How often something of each kind was replaced.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(crate) struct Tally {
    /// By kind.
    pub(crate) by_kind: BTreeMap<Kind, usize>,
}

impl Tally {
    /// One more.
    pub(crate) fn add(&mut self, kind: Kind) {
        *self.by_kind.entry(kind).or_default() += 1;
    }
}

/// Values on their way into the net.
#[derive(Debug, Default)]
pub(crate) struct Gathered {
    /// By the value in lower case: its kind, and how it was written first.
    values: BTreeMap<Vec<u8>, (Kind, Vec<u8>)>,
}

impl Gathered {
    /// One value. Placeholders and words that everybody has are none.
    pub(crate) fn add(&mut self, kind: Kind, value: &[u8]) {
        let value = value.trim_ascii();
        let same = |left: &[u8], right: &[u8]| left == right;
        let is_nothing = match kind {
            Kind::Mac => pseudonym::hexadecimal::<6>(value).is_none(),
            // Such a number may be anything's.
            Kind::Serial => {
                value.len() < SHORTEST_SERIAL
                    || value.len() < ANYWHERE && value.iter().all(u8::is_ascii_digit)
            }
            Kind::Uuid
            | Kind::Address
            | Kind::Host
            | Kind::Person
            | Kind::Email
            | Kind::Password
            | Kind::Other => false,
        };
        let stays = same(&Pseudonyms::of_nobody().of(kind, value), value);
        if value.is_empty() || is_nothing || stays || is_common(value) || self.values.len() == SECRETS_LIMIT {
            return;
        }
        self.values.entry(value.to_ascii_lowercase()).or_insert_with(|| (kind, value.to_vec()));
    }

    /// A name with its parts: those of a domain, or the words of a person's name.
    pub(crate) fn add_name(&mut self, kind: Kind, name: &str) {
        self.add(kind, name.as_bytes());
        let between = |sign: char| sign == '.' || sign == ',' || sign.is_whitespace();
        let mut parts: Vec<&str> = name.split(between).collect();
        if kind == Kind::Host && parts.len() > 1 {
            // The last part is a country's, or says nothing.
            parts.pop();
            if let Some((_, domain)) = name.split_once('.').filter(|(_, domain)| domain.contains('.')) {
                self.add(kind, domain.as_bytes());
            }
        }
        parts.iter().filter(|part| part.len() > SHORTEST).for_each(|part| self.add(kind, part.as_bytes()));
    }

    /// Whether a value is one.
    pub(crate) fn kind(&self, value: &[u8]) -> Option<Kind> {
        self.values.get(&value.trim_ascii().to_ascii_lowercase()).map(|(kind, _)| *kind)
    }
}

/// Whether a name tells nothing of anybody.
pub(crate) fn is_common(name: &[u8]) -> bool {
    COMMON.iter().any(|word| name.eq_ignore_ascii_case(word.as_bytes()))
}

/// How a value is written at a place.
#[derive(Debug, Clone)]
enum Form {
    /// As it is; as a whole word alone, or anywhere.
    Text { word: bool },
    /// In two bytes a character, the low one first or last.
    Wide { low_first: bool },
    /// Each byte in two hexadecimal digits.
    Hexadecimal,
    /// As these bytes become those.
    Bytes(Vec<u8>),
}

/// The net.
pub(crate) struct Secrets<'a> {
    pseudonyms: &'a Pseudonyms,
    gathered: Gathered,
    automaton: Option<AhoCorasick>,
    forms: Vec<(Kind, Form)>,
}

impl<'a> Secrets<'a> {
    /// For all values but those that `is_word` says are words of every machine.
    pub(crate) fn new(
        gathered: Gathered,
        pseudonyms: &'a Pseudonyms,
        is_word: impl Fn(&[u8]) -> bool,
    ) -> Self {
        let mut patterns: Vec<Vec<u8>> = Vec::new();
        let mut forms = Vec::new();
        let values = gathered.values.iter().filter(|(value, _)| value.len() >= SHORTEST && !is_word(value));
        for (value, (kind, first)) in values {
            for (pattern, form) in written(value, first, *kind, pseudonyms) {
                patterns.push(pattern);
                forms.push((*kind, form));
            }
        }
        let automaton = AhoCorasick::builder()
            .ascii_case_insensitive(true)
            .match_kind(MatchKind::LeftmostLongest)
            .build(&patterns)
            .ok()
            .filter(|_| !patterns.is_empty());
        Self { pseudonyms, gathered, automaton, forms }
    }

    /// What makes the replacements.
    pub(crate) fn pseudonyms(&self) -> &Pseudonyms {
        self.pseudonyms
    }

    /// Whether a whole value is secret.
    pub(crate) fn kind(&self, value: &[u8]) -> Option<Kind> {
        self.gathered.kind(value)
    }

    /// Replaces every secret.
    pub(crate) fn sweep(&self, bytes: &mut [u8], tally: &mut Tally) {
        let found: Vec<_> = self.found(bytes).collect();
        for (range, kind, form) in found {
            let Some(place) = bytes.get_mut(range) else { continue };
            let replacement = self.replacement(place, kind, form);
            if replacement.len() == place.len() && replacement != place {
                place.copy_from_slice(&replacement);
                tally.add(kind);
            }
        }
    }

    /// The kind of a secret that is still there.
    pub(crate) fn left_in(&self, bytes: &[u8]) -> Option<Kind> {
        self.found(bytes).map(|(_, kind, _)| kind).next()
    }

    fn found<'s>(&'s self, bytes: &[u8]) -> impl Iterator<Item = (Range<usize>, Kind, &'s Form)> {
        let matches = self.automaton.iter().flat_map(move |automaton| automaton.find_iter(bytes));
        matches.filter_map(move |found| {
            let (kind, form) = self.forms.get(found.pattern().as_usize())?;
            let is_word = match form {
                Form::Text { word: true } => {
                    let joins = |byte: Option<&u8>| byte.is_some_and(u8::is_ascii_alphanumeric);
                    !joins(found.start().checked_sub(1).and_then(|before| bytes.get(before)))
                        && !joins(bytes.get(found.end()))
                }
                Form::Text { word: false } | Form::Wide { .. } | Form::Hexadecimal | Form::Bytes(_) => true,
            };
            is_word.then(|| (found.range(), *kind, form))
        })
    }

    fn replacement(&self, found: &[u8], kind: Kind, form: &Form) -> Vec<u8> {
        let of = |text: &[u8]| self.pseudonyms.of(kind, text);
        match form {
            Form::Text { .. } => of(found),
            Form::Wide { low_first } => {
                let text: Vec<u8> = found.iter().skip(usize::from(!low_first)).step_by(2).copied().collect();
                wide(&of(&text), *low_first)
            }
            Form::Hexadecimal => {
                let digits = std::str::from_utf8(found).unwrap_or_default();
                let byte = |place: usize| u8::from_str_radix(digits.get(place..place + 2)?, 16).ok();
                let text: Vec<u8> = (0..found.len()).step_by(2).filter_map(byte).collect();
                in_hexadecimal(&of(&text))
            }
            Form::Bytes(bytes) => bytes.clone(),
        }
    }
}

/// All ways in which a value is looked for. `value` is in lower case, `first` as it was written.
fn written(value: &[u8], first: &[u8], kind: Kind, pseudonyms: &Pseudonyms) -> Vec<(Vec<u8>, Form)> {
    let word = value.len() < ANYWHERE;
    let mut all = vec![
        (value.to_vec(), Form::Text { word }),
        (wide(value, true), Form::Wide { low_first: true }),
        (wide(value, false), Form::Wide { low_first: false }),
    ];
    if value.len() >= SHORTEST_IN_HEXADECIMAL {
        let cases = BTreeSet::from([value.to_vec(), first.to_vec(), value.to_ascii_uppercase()]);
        all.extend(cases.iter().map(|text| (in_hexadecimal(text), Form::Hexadecimal)));
    }
    // Device mapper doubles the hyphens of a name.
    if kind == Kind::Host && value.contains(&b'-') {
        let doubled: Vec<u8> =
            value.iter().flat_map(|byte| vec![*byte; if *byte == b'-' { 2 } else { 1 }]).collect();
        all.push((doubled, Form::Text { word }));
    }
    if let Some(mac) = pseudonym::hexadecimal::<6>(value).filter(|_| kind == Kind::Mac) {
        let anywhere = Form::Text { word: false };
        for between in ["", ":", "-"] {
            let text = mac.map(|byte| format!("{byte:02x}")).join(between);
            all.push((text.into_bytes(), anywhere.clone()));
        }
        all.push((mac.to_vec(), Form::Bytes(pseudonyms.mac(mac).to_vec())));
    }
    if let Some(uuid) = pseudonym::hexadecimal::<16>(value).filter(|_| kind == Kind::Uuid) {
        let flipped = pseudonym::flip(uuid);
        for bytes in [uuid, flipped] {
            let bare = in_hexadecimal(&bytes);
            let mut groups = bare.clone();
            [20, 16, 12, 8].into_iter().for_each(|place| groups.insert(place, b'-'));
            for text in [bare, groups] {
                all.push((text.clone(), Form::Text { word: false }));
                all.push((wide(&text, true), Form::Wide { low_first: true }));
            }
            all.push((bytes.to_vec(), Form::Bytes(pseudonyms.uuid(bytes).to_vec())));
        }
    }
    all
}

fn wide(text: &[u8], low_first: bool) -> Vec<u8> {
    text.iter().flat_map(|byte| if low_first { [*byte, 0] } else { [0, *byte] }).collect()
}

fn in_hexadecimal(bytes: &[u8]) -> Vec<u8> {
    bytes.iter().flat_map(|byte| format!("{byte:02x}").into_bytes()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn secrets_are_found_however_they_are_written() {
        let pseudonyms = Pseudonyms::random().unwrap();
        let mut gathered = Gathered::default();
        gathered.add_name(Kind::Host, "web-01.acme.example.org");
        gathered.add(Kind::Person, b"anna");
        gathered.add(Kind::Serial, b"PF0XYZ12");
        gathered.add(Kind::Mac, b"00:1b:21:3a:4f:5e");
        gathered.add(Kind::Uuid, b"4c4c4544-0044-4a10-8056-b7c04f4b5a32");
        gathered.add(Kind::Serial, b"Default string");
        gathered.add(Kind::Person, b"admin");
        let secrets = Secrets::new(gathered, &pseudonyms, |_| false);
        let swept = |bytes: &[u8]| {
            let mut swept = bytes.to_vec();
            let mut tally = Tally::default();
            secrets.sweep(&mut swept, &mut tally);
            assert_eq!(swept.len(), bytes.len());
            (swept, tally.by_kind.values().sum::<usize>())
        };
        let mut raw_uuid =
            pseudonym::hexadecimal::<16>(b"4c4c454400444a108056b7c04f4b5a32").unwrap().to_vec();
        raw_uuid.push(0);
        for found in [
            &b"at WEB-01.acme.example.org!"[..],
            b"dev/mapper/web--01--vg-root",
            b"acme-agent 1.0",
            b"/home/anna/x",
            b"Anna:x",
            b"xpf0xyz12x",
            b"P\x00F\x000\x00X\x00Y\x00Z\x001\x002\x00",
            b"\x00P\x00F\x000\x00X\x00Y\x00Z\x001\x002",
            b"50463058595a3132",
            b"wlx001b213a4f5e",
            b"00-1B-21-3A-4F-5E",
            b"\0\x1b\x21\x3a\x4f\x5e",
            b"4C4C4544-0044-4A10-8056-B7C04F4B5A32",
            b"44454c4c-4400-104a-8056-b7c04f4b5a32",
            &raw_uuid,
        ] {
            let (bytes, count) = swept(found);
            assert!(count == 1 && bytes != found, "{} became {}", found.escape_ascii(), bytes.escape_ascii());
            assert_eq!(secrets.left_in(&bytes), None);
        }
        for kept in [&b"hannah"[..], b"annals", b"Default string", b"admin", b"example.org"] {
            assert_eq!(swept(kept).0, kept, "{}", kept.escape_ascii());
        }
        let expected = pseudonyms.of(Kind::Serial, b"PF0XYZ12");
        assert_eq!(swept(b"PF0XYZ12").0, expected);
    }

    #[test]
    fn words_of_every_machine_are_let_be() {
        let pseudonyms = Pseudonyms::random().unwrap();
        let mut gathered = Gathered::default();
        gathered.add(Kind::Host, b"dpkg");
        let secrets = Secrets::new(gathered, &pseudonyms, |word| word == b"dpkg");
        let mut bytes = b"var/lib/dpkg".to_vec();
        secrets.sweep(&mut bytes, &mut Tally::default());
        assert_eq!(bytes, b"var/lib/dpkg");
        assert_eq!(secrets.kind(b"DPKG"), Some(Kind::Host));
    }
}
