//! The header of an installed rpm package, as all database formats keep it: an index of tags over a store of values.
//!
//! Knows nothing of databases. A header has tens of kilobytes of file lists that nobody asks for, so only the index
//! and the few values that are wanted are read, in the order in which they lie there.

use crate::sources::{
    software::rpm::record::{
        Fault, Record,
        number::{u32_be, u64_be},
    },
    text,
};

/// Two counts: of index entries and of the store's bytes.
const PREAMBLE: u64 = 8;
const ENTRY: usize = 16;
/// rpm's own bounds.
const ENTRIES_LIMIT: u32 = 0xffff;
const STORE_LIMIT: u32 = 0x0fff_ffff;

/// What is read at once at the start of a header: its index and often all that is wanted.
const FIRST_WINDOW: usize = 4096;
/// What is read at once for a value that lies elsewhere.
const VALUE_WINDOW: usize = 256;
/// No text is longer; its end is not looked for beyond.
const TEXT_LIMIT: usize = FIRST_WINDOW;
/// No name, version, release or architecture is longer.
const WORD_LIMIT: usize = 512;

const TYPE_INT32: u32 = 4;
const TYPE_INT64: u32 = 5;
const TYPE_STRING: u32 = 6;
const TYPE_STRING_ARRAY: u32 = 8;
const TYPE_I18N_STRING: u32 = 9;

/// The name under which rpm keeps public keys beside packages.
const PUBLIC_KEY: &str = "gpg-pubkey";

/// What a header says of its package.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(crate) struct Header {
    /// Name.
    pub(crate) name: String,
    /// Epoch, where one is stated; zero can be.
    pub(crate) epoch: Option<u64>,
    /// Version.
    pub(crate) version: String,
    /// Release.
    pub(crate) release: String,
    /// Architecture; public keys have none.
    pub(crate) architecture: Option<String>,
    /// Vendor.
    pub(crate) vendor: Option<String>,
    /// File name of the source package.
    pub(crate) source_file: Option<String>,
    /// Seconds since the epoch.
    pub(crate) installed: Option<u64>,
    /// Installed size in bytes.
    pub(crate) size_bytes: Option<u64>,
}

impl Header {
    /// Whether it is a public key that rpm keeps among the packages.
    pub(crate) fn is_public_key(&self) -> bool {
        self.name == PUBLIC_KEY
    }
}

/// The tags that are read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Tag {
    Name,
    Version,
    Release,
    Epoch,
    InstallTime,
    Size,
    LongSize,
    Vendor,
    Architecture,
    SourceFile,
}

impl Tag {
    const COUNT: usize = 10;

    fn of(number: u32) -> Option<Self> {
        Some(match number {
            1000 => Self::Name,
            1001 => Self::Version,
            1002 => Self::Release,
            1003 => Self::Epoch,
            1008 => Self::InstallTime,
            1009 => Self::Size,
            1011 => Self::Vendor,
            1022 => Self::Architecture,
            1044 => Self::SourceFile,
            5009 => Self::LongSize,
            _ => return None,
        })
    }
}

/// Where the value of a tag lies.
#[derive(Debug, Clone, Copy)]
struct Place {
    tag: Tag,
    kind: u32,
    offset: u64,
}

/// Reads a header; its length is taken from `budget` as soon as the header itself confirms it.
pub(crate) fn parse(record: &mut dyn Record, budget: &mut u64) -> Result<Header, Fault> {
    let length = record.length();
    let mut window = Window { record, length, bytes: [0; FIRST_WINDOW], start: 0, filled: 0 };
    let preamble = window.at(0, 8, FIRST_WINDOW)?;
    let (entries, store) = (u32_be(preamble, 0), u32_be(preamble, 4));
    if entries == 0 || entries > ENTRIES_LIMIT || store > STORE_LIMIT {
        return Err(Fault::Malformed("a header states impossible sizes"));
    }
    let store_start = PREAMBLE + u64::from(entries) * 16;
    if store_start + u64::from(store) != length {
        return Err(Fault::Malformed("a header is longer or shorter than it states"));
    }
    *budget = budget
        .checked_sub(length)
        .ok_or(Fault::Malformed("the packages together are longer than their database"))?;

    let mut places: [Option<Place>; Tag::COUNT] = [None; Tag::COUNT];
    for number in 0..u64::from(entries) {
        let entry = window.at(PREAMBLE + number * 16, ENTRY, FIRST_WINDOW)?;
        let Some(tag) = Tag::of(u32_be(entry, 0)) else { continue };
        let (kind, offset, count) = (u32_be(entry, 4), u32_be(entry, 8), u32_be(entry, 12));
        if offset >= store || count == 0 {
            return Err(Fault::Malformed("a tag's value lies outside of its header"));
        }
        // rpm appends what it adds at installation, and the later one replaces the earlier.
        if let Some(place) = places.get_mut(tag as usize) {
            *place = Some(Place { tag, kind, offset: store_start + u64::from(offset) });
        }
    }
    places.sort_unstable_by_key(|place| place.map(|place| place.offset));

    let mut header = Header::default();
    let mut long_size = None;
    for Place { tag, kind, offset } in places.into_iter().flatten() {
        match tag {
            Tag::Name => header.name = word(&mut window, kind, offset)?,
            Tag::Version => header.version = word(&mut window, kind, offset)?,
            Tag::Release => header.release = word(&mut window, kind, offset)?,
            Tag::Architecture => header.architecture = Some(word(&mut window, kind, offset)?),
            Tag::Vendor => header.vendor = text::clean(string(&mut window, kind, offset)?),
            Tag::SourceFile => header.source_file = text::clean(string(&mut window, kind, offset)?),
            Tag::Epoch => header.epoch = Some(integer(&mut window, kind, offset)?),
            Tag::InstallTime => header.installed = Some(integer(&mut window, kind, offset)?),
            Tag::Size => header.size_bytes = Some(integer(&mut window, kind, offset)?),
            Tag::LongSize => long_size = Some(integer(&mut window, kind, offset)?),
        }
    }
    header.size_bytes = long_size.or(header.size_bytes);
    if header.name.is_empty() || header.version.is_empty() || header.release.is_empty() {
        return Err(Fault::Malformed("a header has no name, version or release"));
    }
    Ok(header)
}

/// The part of a header that was read last.
struct Window<'a> {
    record: &'a mut dyn Record,
    length: u64,
    bytes: [u8; FIRST_WINDOW],
    start: u64,
    filled: usize,
}

impl Window<'_> {
    /// The bytes from `offset` on: at least `wanted`, and `ahead` when they must be fetched and there are so many.
    fn at(&mut self, offset: u64, wanted: usize, ahead: usize) -> Result<&[u8], Fault> {
        let inside = |start: u64, filled: usize| {
            let skip = usize::try_from(offset.checked_sub(start)?).ok()?;
            (skip.checked_add(wanted)? <= filled).then_some(skip)
        };
        if let Some(skip) = inside(self.start, self.filled) {
            return Ok(&self.bytes[skip..self.filled]);
        }
        let left = usize::try_from(self.length.saturating_sub(offset)).unwrap_or(usize::MAX);
        if left < wanted {
            return Err(Fault::Malformed("a header ends inside a value"));
        }
        let filled = left.min(ahead.max(wanted)).min(FIRST_WINDOW);
        // Nothing is left of the old content when reading fails half-way.
        self.filled = 0;
        self.record.read_at(offset, &mut self.bytes[..filled])?;
        (self.start, self.filled) = (offset, filled);
        Ok(&self.bytes[..filled])
    }
}

/// The first string of a value, without its end mark.
fn string<'w>(window: &'w mut Window<'_>, kind: u32, offset: u64) -> Result<&'w [u8], Fault> {
    if !matches!(kind, TYPE_STRING | TYPE_STRING_ARRAY | TYPE_I18N_STRING) {
        return Err(Fault::Malformed("a tag has a value of another type"));
    }
    let end = memchr::memchr(0, window.at(offset, 1, VALUE_WINDOW)?);
    let end = match end {
        Some(end) => end,
        None => {
            let left = usize::try_from(window.length - offset).unwrap_or(usize::MAX);
            memchr::memchr(0, window.at(offset, left.min(TEXT_LIMIT), 0)?)
                .ok_or(Fault::Malformed("a text in a header has no end"))?
        }
    };
    Ok(&window.at(offset, end, 0)?[..end])
}

/// A string of one word, as names, versions and architectures are.
fn word(window: &mut Window<'_>, kind: u32, offset: u64) -> Result<String, Fault> {
    let bytes = string(window, kind, offset)?;
    let is_plain = |word: &str| !word.chars().any(|c| c.is_control() || c.is_whitespace());
    match std::str::from_utf8(bytes) {
        Ok(word) if !word.is_empty() && word.len() <= WORD_LIMIT && is_plain(word) => Ok(word.to_owned()),
        Ok(_) | Err(_) => Err(Fault::Malformed("a name, version, release or architecture is no word")),
    }
}

fn integer(window: &mut Window<'_>, kind: u32, offset: u64) -> Result<u64, Fault> {
    match kind {
        TYPE_INT32 => Ok(u64::from(u32_be(window.at(offset, 4, 8)?, 0))),
        TYPE_INT64 => Ok(u64_be(window.at(offset, 8, 8)?, 0)),
        _ => Err(Fault::Malformed("a tag has a value of another type")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sources::software::rpm::testing::Builder;

    /// Parses a header with name, version and release and what `more` adds.
    fn parsed(more: impl FnOnce(&mut Builder)) -> Result<Header, String> {
        let mut builder = Builder::default();
        for (tag, text) in [(1000, "name"), (1001, "1.0"), (1002, "2")] {
            builder.text(tag, text);
        }
        more(&mut builder);
        let bytes = builder.bytes();
        parse(&mut bytes.as_slice(), &mut 10_000_000).map_err(|fault| fault.to_string())
    }

    #[test]
    fn later_values_and_longer_numbers_win() {
        let header = parsed(|builder| {
            builder.add(1008, TYPE_INT32, 1, &7_u32.to_be_bytes());
            builder.add(1009, TYPE_INT32, 1, &8_u32.to_be_bytes());
            builder.add(5009, TYPE_INT64, 1, &(1_u64 << 40).to_be_bytes());
            builder.add(1011, TYPE_I18N_STRING, 2, b"Acme Inc.\0Acme GmbH\0");
            builder.add(1008, TYPE_INT32, 1, &9_u32.to_be_bytes());
        })
        .unwrap();
        assert_eq!((header.installed, header.size_bytes), (Some(9), Some(1 << 40)));
        assert_eq!(header.vendor.as_deref(), Some("Acme Inc."));
    }

    #[test]
    fn values_far_into_a_header_are_found() {
        let header = parsed(|builder| {
            builder.add(1027, 7, 1, &[b'/'; 100_000]);
            builder.text(1011, &"v".repeat(1000));
            builder.add(1028, 7, 1, &[b'/'; 100_000]);
            builder.add(1008, TYPE_INT32, 1, &9_u32.to_be_bytes());
        })
        .unwrap();
        assert_eq!((header.installed, header.vendor.map(|vendor| vendor.len())), (Some(9), Some(1000)));
    }

    #[test]
    fn what_is_wrong_is_said() {
        let no_word = "a name, version, release or architecture is no word";
        let other_type = "a tag has a value of another type";
        let check = |more: fn(&mut Builder), expected: &str| assert_eq!(parsed(more).unwrap_err(), expected);
        check(|builder| builder.text(1000, ""), no_word);
        check(|builder| builder.text(1001, "1 2"), no_word);
        check(|builder| builder.text(1002, "1\u{7}"), no_word);
        check(|builder| builder.text(1022, &"x".repeat(513)), no_word);
        check(|builder| builder.add(1000, TYPE_STRING, 1, b"\xff\0"), no_word);
        check(|builder| builder.add(1011, TYPE_STRING, 1, b"endless"), "a text in a header has no end");
        check(|builder| builder.text(1011, &"x".repeat(5000)), "a text in a header has no end");
        check(|builder| builder.add(1011, 7, 1, b"x\0"), other_type);
        check(|builder| builder.text(1003, "x"), other_type);
        check(|builder| builder.add(1003, TYPE_INT32, 1, b"x"), "a header ends inside a value");
        check(
            |builder| builder.add(1003, TYPE_INT32, 0, b"1234"),
            "a tag's value lies outside of its header",
        );
        check(|builder| builder.add(1003, TYPE_INT32, 1, b""), "a tag's value lies outside of its header");

        let mut nameless = Builder::default();
        nameless.text(1001, "1");
        let bytes = nameless.bytes();
        assert!(parse(&mut bytes.as_slice(), &mut 1000).is_err());
        for sizes in [[0, 0, 0, 0, 0, 0, 0, 0], [0xff; 8], [0, 0, 0, 1, 0x10, 0, 0, 0]] {
            let error = parse(&mut &sizes[..], &mut 1000).unwrap_err();
            assert_eq!(error.to_string(), "a header states impossible sizes");
        }
        assert!(parse(&mut &b"short"[..], &mut 1000).is_err());
    }

    #[test]
    fn the_budget_is_kept() {
        let mut builder = Builder::default();
        [(1000, "a"), (1001, "1"), (1002, "1")].into_iter().for_each(|(tag, text)| builder.text(tag, text));
        let bytes = builder.bytes();
        let mut budget = u64::try_from(bytes.len()).unwrap() + 1;
        assert!(parse(&mut bytes.as_slice(), &mut budget).is_ok());
        assert_eq!(budget, 1);
        assert!(parse(&mut bytes.as_slice(), &mut budget).is_err());
        assert_eq!(budget, 1);
    }
}
