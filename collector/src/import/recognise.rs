//! Which format a file is, by the headings or the first words in it.
//!
//! Each format judges the beginning of a file by itself and says why; the best judgement comes first. Knows nothing of
//! the formats but their functions.

use super::{
    columns::plain,
    formats,
    options::Options,
    profile::Profile,
    table::{MAX_PREAMBLE, Table},
    text,
};

/// How much of a file is looked at, in bytes.
const HEAD_BYTES: usize = 64 * 1024;

/// A format that a file may be.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Recognised {
    /// The format's name.
    pub format: &'static str,
    /// How sure it is, at most 100; general formats stay under 40.
    pub score: u8,
    /// Why, in a few words that name what was found.
    pub why: String,
}

/// A format's judgement of a file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Score {
    /// At most 100; general formats stay under 40.
    pub(super) points: u8,
    /// What was found.
    pub(super) why: String,
}

/// The beginning of a file.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(super) struct Head {
    /// Its text, at most 64 KiB.
    pub(super) text: String,
    /// The cells of its first lines, as `plain` leaves them, for every separator that is found; empty for JSON and XML.
    pub(super) lines: Vec<Vec<String>>,
    /// The names in its first object, with dotted paths, as they are written; empty for what is no JSON.
    pub(super) names: Vec<String>,
}

impl Head {
    /// The line that has all of these headings, as `plain` leaves them.
    pub(super) fn line_with(&self, headings: &[&str]) -> Option<&[String]> {
        let has_all =
            |line: &&Vec<String>| headings.iter().all(|heading| line.iter().any(|cell| cell == heading));
        self.lines.iter().find(has_all).map(Vec::as_slice)
    }
}

/// The formats that a file may be, the likeliest first; none when it looks like none of them. Looks at its first 64 KiB.
pub fn recognise(content: &[u8]) -> Vec<Recognised> {
    let head = head(content);
    let mut found: Vec<Recognised> = formats::all()
        .filter_map(|format| {
            let Score { points, why } = format.recognise(&head)?;
            Some(Recognised { format: format.name, score: points.min(100), why })
        })
        .collect();
    // Of equals the one that stands first among the formats.
    found.sort_by_key(|recognised| std::cmp::Reverse(recognised.score));
    found
}

/// The score of a list that has all of the headings by which a system's own lists are told.
pub(super) fn by_headings(head: &Head, profile: &Profile) -> Option<Score> {
    let (signature, line) = profile
        .signatures
        .iter()
        .find_map(|signature| head.line_with(signature).map(|line| (signature, line)))?;
    let filled = line.iter().filter(|heading| !heading.is_empty()).count().max(1);
    let known = |heading: &&String| profile.knows(heading) || profile.why_ignored(heading).is_some();
    let share = line.iter().filter(known).count() * 30 / filled;
    Some(Score {
        points: 60 + u8::try_from(share.min(30)).unwrap_or(30),
        why: format!("it has {}'s columns {}", profile.system, signature.join(", ")),
    })
}

fn head(content: &[u8]) -> Head {
    let cut = &content[..content.len().min(HEAD_BYTES)];
    // A letter that is cut in two would make the rest look like another encoding.
    let end = cut.iter().rposition(|byte| *byte == b'\n').filter(|_| cut.len() < content.len());
    let Ok(decoded) = text::decode(&cut[..end.map_or(cut.len(), |end| end + 1)], &Options::default()) else {
        return Head::default();
    };
    let text = decoded.text.into_owned();
    match text.trim_start().chars().next() {
        Some('[' | '{') => Head { names: first_names(&text), lines: Vec::new(), text },
        Some('<') | None => Head { text, ..Head::default() },
        Some(_) => {
            let mut lines = Vec::new();
            for delimiter in ["comma", "semicolon", "tab", "bar"] {
                let mut options = Options::default();
                let chosen = options.set("delimiter", delimiter);
                let table = chosen.ok().and_then(|()| Table::csv(&text, &options, &|_| true).ok());
                let Some(table) = table.filter(|table| table.headings.len() > 1) else { continue };
                lines.push(table.headings.iter().map(|heading| plain(heading)).collect());
                for row in table.rows().take(MAX_PREAMBLE) {
                    lines.push((0..row.len()).map(|place| plain(row.cell(place))).collect());
                }
            }
            if lines.is_empty() {
                lines = text.lines().take(MAX_PREAMBLE).map(|line| vec![plain(line)]).collect();
            }
            Head { lines, names: Vec::new(), text }
        }
    }
}

/// The names in the first object of JSON that may be cut off.
fn first_names(text: &str) -> Vec<String> {
    let start = text.trim_start();
    // The first object that is whole, wherever it stands.
    for (at, _) in start.match_indices('{').take(8) {
        let mut objects = serde_json::Deserializer::from_str(&start[at..]).into_iter::<serde_json::Value>();
        if let Some(Ok(object)) = objects.next()
            && let Ok(text) = serde_json::to_string(&object)
            && let Ok(table) = super::json::table(&text)
        {
            return table.headings;
        }
    }
    Vec::new()
}
