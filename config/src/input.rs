//! The merged fragments, read key by key with default and bounds.
//!
//! A program asks for each of its settings once. Whatever is wrong is noted and the default is given instead, so that
//! reading goes on; [`Input::finish`] then returns every problem, and no settings that would hold a wrong value.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::fmt::Display;
use std::ops::RangeInclusive;
use std::path::{Path, PathBuf};
use std::str::FromStr;

use crate::environment;
use crate::files::{drop_ins, read_bounded};
use crate::fragment::{self, Value};
use crate::listing::{Listing, Origin, Row};
use crate::problem::{Problem, Problems};

/// One value with where it stands.
#[derive(Debug, Clone)]
struct Placed {
    value: Value,
    /// What the same text means as TOML, for a variable of the environment, which is text whatever the setting is.
    as_toml: Option<Value>,
    origin: Origin,
    is_read: bool,
}

/// The merged fragments, on their way to becoming settings.
#[derive(Debug)]
pub struct Input {
    main: PathBuf,
    entries: BTreeMap<String, Placed>,
    rows: Vec<Row>,
    problems: Vec<Problem>,
}

impl Input {
    /// Reads `path` and then each `*.toml` of the folder `path` with `.d` for its extension, in the order of names.
    ///
    /// # Errors
    /// When the main file can't be read; everything else that is wrong is told by [`Self::finish`].
    pub fn read(path: &Path) -> Result<Self, Problems> {
        let mut input =
            Self { main: path.to_owned(), entries: BTreeMap::new(), rows: Vec::new(), problems: Vec::new() };
        let text = read_bounded(path).map_err(|message| Problems::new(vec![whole_file(path, message)]))?;
        input.add(path, &text);
        match drop_ins(&path.with_extension("d")) {
            Err(message) => input.problems.push(whole_file(&path.with_extension("d"), message)),
            Ok(files) => {
                for file in files {
                    match read_bounded(&file) {
                        Ok(text) => input.add(&file, &text),
                        Err(message) => input.problems.push(whole_file(&file, message)),
                    }
                }
            }
        }
        Ok(input)
    }

    /// The same from a text in memory, for tests and for the samples in `deploy/config`.
    pub fn from_text(path: &Path, text: &str) -> Self {
        let mut input =
            Self { main: path.to_owned(), entries: BTreeMap::new(), rows: Vec::new(), problems: Vec::new() };
        input.add(path, text);
        input
    }

    fn add(&mut self, file: &Path, text: &str) {
        for entry in fragment::parse(file, text, &mut self.problems) {
            let origin = Origin::File(file.to_owned(), entry.line);
            let placed = Placed { value: entry.value, as_toml: None, origin, is_read: false };
            self.entries.insert(entry.key, placed);
        }
    }

    /// Adds the variables whose name begins with `prefix`, which win over every file: `MUSTER_AGENT__SCHEDULE__INTERVAL`
    /// is `schedule.interval` under the prefix `MUSTER_AGENT__`. A value is a text as it stands, or what it means as
    /// TOML where the setting is no text.
    #[must_use]
    pub fn with_environment(
        mut self,
        prefix: &str,
        variables: impl IntoIterator<Item = (OsString, OsString)>,
    ) -> Self {
        for (name, value) in variables {
            let Some((name, key)) = environment::key(prefix, &name) else { continue };
            let origin = Origin::Environment(name);
            match value.into_string() {
                Ok(text) => {
                    let as_toml = fragment::value(&text);
                    let placed = Placed { value: Value::Text(text), as_toml, origin, is_read: false };
                    self.entries.insert(key, placed);
                }
                Err(_) => self.problems.push(problem_at(&origin, key, "is not UTF-8".to_owned())),
            }
        }
        self
    }

    /// A setting written as a string, such as an address or a period.
    pub fn parsed<T>(&mut self, key: &str, default: T) -> T
    where
        T: FromStr + Display,
        T::Err: Display,
    {
        let shown = quoted(&default);
        self.take(key, Some(shown), text_as::<T>).unwrap_or(default)
    }

    /// The same with bounds.
    pub fn bounded<T>(&mut self, key: &str, default: T, bounds: RangeInclusive<T>) -> T
    where
        T: FromStr + Display + PartialOrd,
        T::Err: Display,
    {
        let shown = quoted(&default);
        self.take(key, Some(shown), |value| within(text_as::<T>(value)?, &bounds)).unwrap_or(default)
    }

    /// A setting written as a string that may be left out.
    pub fn optional<T>(&mut self, key: &str) -> Option<T>
    where
        T: FromStr + Display,
        T::Err: Display,
    {
        self.take(key, None, text_as::<T>)
    }

    /// The same with bounds.
    pub fn optional_bounded<T>(&mut self, key: &str, bounds: RangeInclusive<T>) -> Option<T>
    where
        T: FromStr + Display + PartialOrd,
        T::Err: Display,
    {
        self.take(key, None, |value| within(text_as::<T>(value)?, &bounds))
    }

    /// A setting written as a string that has no default; none is also returned when it is missing or wrong, and then
    /// [`Self::finish`] fails. `example` is shown to whoever left it out.
    pub fn required<T>(&mut self, key: &str, example: &str) -> Option<T>
    where
        T: FromStr + Display,
        T::Err: Display,
    {
        if !self.entries.contains_key(key) {
            self.problems.push(Problem {
                file: self.main.clone(),
                line: None,
                key: key.to_owned(),
                message: format!("is required; add it, for example {}", in_table(key, example)),
            });
        }
        self.optional(key)
    }

    /// A whole number within bounds.
    pub fn number(&mut self, key: &str, default: u64, bounds: RangeInclusive<u64>) -> u64 {
        let found = self.take(key, Some(default.to_string()), |value| whole_number(value, &bounds));
        found.and_then(|number| u64::try_from(number).ok()).unwrap_or(default)
    }

    /// A whole number within bounds that may be left out.
    pub fn optional_number(&mut self, key: &str, bounds: RangeInclusive<u64>) -> Option<u64> {
        let found = self.take(key, None, |value| whole_number(value, &bounds));
        found.and_then(|number| u64::try_from(number).ok())
    }

    /// `true` or `false`.
    pub fn flag(&mut self, key: &str, default: bool) -> bool {
        let convert = |value: &Value| match value {
            Value::Boolean(value) => Ok(*value),
            other => Err(format!("expected true or false, found {}", other.kind())),
        };
        self.take(key, Some(default.to_string()), convert).unwrap_or(default)
    }

    /// A list of at most `max` strings, each once.
    pub fn list<T>(&mut self, key: &str, default: Vec<T>, max: usize) -> Vec<T>
    where
        T: FromStr + Display + PartialEq,
        T::Err: Display,
    {
        let shown: Vec<String> = default.iter().map(quoted).collect();
        let convert = |value: &Value| {
            let Value::List(values) = value else {
                return Err(format!("expected an array of strings, found {}", value.kind()));
            };
            if values.len() > max {
                return Err(format!("{} entries, at most {max} are allowed", values.len()));
            }
            let mut found = Vec::new();
            for value in values {
                let value = text_as::<T>(value)?;
                if found.contains(&value) {
                    return Err(format!("{value} stands there twice"));
                }
                found.push(value);
            }
            Ok(found)
        };
        self.take(key, Some(format!("[{}]", shown.join(", "))), convert).unwrap_or(default)
    }

    /// A path; a relative one starts from the folder of the main file.
    pub fn path(&mut self, key: &str, default: &str) -> PathBuf {
        let folder = self.main.parent().unwrap_or(Path::new("")).to_owned();
        let found = self.take(key, Some(quoted(default)), path_text);
        folder.join(found.unwrap_or_else(|| default.to_owned()))
    }

    /// A path that may be left out.
    pub fn optional_path(&mut self, key: &str) -> Option<PathBuf> {
        let folder = self.main.parent().unwrap_or(Path::new("")).to_owned();
        self.take(key, None, path_text).map(|path| folder.join(path))
    }

    /// Whether anything sets a key.
    pub fn is_set(&self, key: &str) -> bool {
        self.entries.contains_key(key)
    }

    /// Whether anything sets a key below a table.
    pub fn has_table(&self, table: &str) -> bool {
        let prefix = format!("{table}.");
        self.entries.range(prefix.clone()..).next().is_some_and(|(key, _)| key.starts_with(&prefix))
    }

    /// The names that a table has, where they are the file's own words: what stands behind `table.`, points included.
    /// One that is no `K` is a problem.
    pub fn names<K>(&mut self, table: &str) -> Vec<K>
    where
        K: FromStr + PartialEq,
        K::Err: Display,
    {
        self.words(table, |rest| Some(rest))
    }

    /// The names of the tables below a table, each once: `roles.alice.until` gives `alice` of `roles`.
    pub fn tables<K>(&mut self, table: &str) -> Vec<K>
    where
        K: FromStr + PartialEq,
        K::Err: Display,
    {
        self.words(table, |rest| rest.rsplit_once('.').map(|(name, _)| name))
    }

    fn words<K>(&mut self, table: &str, name: for<'a> fn(&'a str) -> Option<&'a str>) -> Vec<K>
    where
        K: FromStr + PartialEq,
        K::Err: Display,
    {
        let prefix = format!("{table}.");
        let mut found = Vec::new();
        let mut wrong = Vec::new();
        for (key, placed) in self.entries.range_mut(prefix.clone()..) {
            let Some(rest) = key.strip_prefix(&prefix) else { break };
            // What stands beside the tables is an unknown key.
            let Some(name) = name(rest) else { continue };
            match name.parse::<K>() {
                Ok(name) if !found.contains(&name) => found.push(name),
                Ok(_) => {}
                Err(error) => {
                    placed.is_read = true;
                    wrong.push((key.clone(), error.to_string()));
                }
            }
        }
        for (key, message) in wrong {
            self.refuse(&key, message);
        }
        found
    }

    /// Notes a problem that only shows between settings, such as a second limit before the first.
    pub fn refuse(&mut self, key: &str, message: impl Into<String>) {
        let origin = self.entries.get(key).map(|placed| &placed.origin);
        let problem = match origin {
            Some(origin) => problem_at(origin, key.to_owned(), message.into()),
            None => Problem { key: key.to_owned(), ..whole_file(&self.main, message.into()) },
        };
        self.problems.push(problem);
    }

    /// Ends the reading: keys that nobody asked for are unknown.
    ///
    /// # Errors
    /// Everything that is wrong, in the order of files and lines.
    pub fn finish(mut self) -> Result<Listing, Problems> {
        let unread: Vec<String> =
            self.entries.iter().filter(|(_, placed)| !placed.is_read).map(|(key, _)| key.clone()).collect();
        for key in unread {
            let message = match nearest(&key, self.rows.iter().map(|row| row.key.as_str())) {
                Some(known) => format!("unknown key; did you mean {known}?"),
                None => "unknown key; remove it".to_owned(),
            };
            self.refuse(&key, message);
        }
        if self.problems.is_empty() {
            return Ok(Listing(self.rows));
        }
        let main = self.main;
        self.problems.sort_by(|one, other| {
            let place = |problem: &Problem| (problem.file != main, problem.file.clone(), problem.line);
            place(one).cmp(&place(other))
        });
        Err(Problems::new(self.problems))
    }

    /// Takes a key's value through `convert`, noting where it came from or what is wrong with it.
    fn take<T>(
        &mut self,
        key: &str,
        default: Option<String>,
        convert: impl Fn(&Value) -> Result<T, String>,
    ) -> Option<T> {
        let Some(placed) = self.entries.get_mut(key) else {
            self.rows.push(Row { key: key.to_owned(), value: default, origin: Origin::Default });
            return None;
        };
        placed.is_read = true;
        let (shown, converted) = match (convert(&placed.value), &placed.as_toml) {
            (Err(_), Some(other)) => (other, convert(other)),
            (converted, _) => (&placed.value, converted),
        };
        let row = Row { key: key.to_owned(), value: Some(as_toml(shown)), origin: placed.origin.clone() };
        self.rows.push(row);
        match converted {
            Ok(value) => Some(value),
            Err(message) => {
                self.refuse(key, message);
                None
            }
        }
    }
}

fn problem_at(origin: &Origin, key: String, message: String) -> Problem {
    let (file, line) = match origin {
        Origin::Default => (PathBuf::new(), None),
        Origin::File(file, line) => (file.clone(), Some(*line)),
        Origin::Environment(name) => (PathBuf::from(format!("${name}")), None),
    };
    Problem { file, line, key, message }
}

fn whole_file(file: &Path, message: String) -> Problem {
    Problem { file: file.to_owned(), line: None, key: String::new(), message }
}

fn text_as<T>(value: &Value) -> Result<T, String>
where
    T: FromStr,
    T::Err: Display,
{
    match value {
        Value::Text(text) => text.parse().map_err(|error: T::Err| error.to_string()),
        other => Err(format!("expected a string, found {}", other.kind())),
    }
}

fn whole_number(value: &Value, bounds: &RangeInclusive<u64>) -> Result<i64, String> {
    match value {
        Value::Integer(number) => within(*number, &(signed(*bounds.start())..=signed(*bounds.end()))),
        other => Err(format!("expected a whole number, found {}", other.kind())),
    }
}

fn path_text(value: &Value) -> Result<String, String> {
    match value {
        Value::Text(text) if text.is_empty() || text.contains('\0') => {
            Err("expected a path, found none".to_owned())
        }
        Value::Text(text) => Ok(text.clone()),
        other => Err(format!("expected a path as a string, found {}", other.kind())),
    }
}

fn within<T: PartialOrd + Display>(value: T, bounds: &RangeInclusive<T>) -> Result<T, String> {
    if bounds.contains(&value) {
        return Ok(value);
    }
    Err(format!("{value} is out of bounds: from {} to {}", bounds.start(), bounds.end()))
}

fn signed(number: u64) -> i64 {
    i64::try_from(number).unwrap_or(i64::MAX)
}

fn quoted(value: &(impl Display + ?Sized)) -> String {
    as_toml(&Value::Text(value.to_string()))
}

fn as_toml(value: &Value) -> String {
    match value {
        Value::Text(text) => format!("{text:?}"),
        Value::Integer(number) => number.to_string(),
        Value::Boolean(value) => value.to_string(),
        Value::List(values) => format!("[{}]", values.iter().map(as_toml).collect::<Vec<_>>().join(", ")),
        Value::Other(kind) => format!("<{kind}>"),
    }
}

/// How a person would write the key: its last part under the table of the others.
fn in_table(key: &str, example: &str) -> String {
    match key.rsplit_once('.') {
        Some((table, name)) => format!("{name} = {example:?} under [{table}]"),
        None => format!("{key} = {example:?}"),
    }
}

/// The known key that differs least, if it is near enough to be what was meant.
fn nearest<'a>(key: &str, known: impl Iterator<Item = &'a str>) -> Option<&'a str> {
    let last = |key: &str| key.rsplit('.').next().unwrap_or(key).to_owned();
    let scored = known.map(|candidate| {
        let moved = if last(candidate) == last(key) { 0 } else { usize::MAX };
        let far = distance(key, candidate);
        (far.min(moved), far, candidate)
    });
    scored.min().filter(|(distance, _, _)| *distance <= 3).map(|(_, _, candidate)| candidate)
}

/// The number of letters to add, drop or change to make one text of the other.
fn distance(one: &str, other: &str) -> usize {
    let other: Vec<char> = other.chars().collect();
    let mut row: Vec<usize> = (0..=other.len()).collect();
    for (i, letter) in one.chars().enumerate() {
        let mut diagonal = row[0];
        row[0] = i + 1;
        for (j, against) in other.iter().enumerate() {
            let changed = diagonal + usize::from(letter != *against);
            diagonal = row[j + 1];
            row[j + 1] = changed.min(diagonal + 1).min(row[j] + 1);
        }
    }
    row[other.len()]
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;
    use crate::units::Period;

    fn read_all(mut input: Input) -> Result<(String, Period, u64, Vec<String>), Problems> {
        let address = input.required::<String>("collector.session", "collector.example.org:7443");
        let minute = Period::from_secs(60);
        let interval =
            input.bounded("schedule.interval", Period::from_secs(3600), minute..=Period::from_days(7));
        let streams = input.number("limits.streams", 8, 1..=100);
        let disabled = input.list::<String>("sources.disabled", Vec::new(), 2);
        input.finish()?;
        Ok((address.expect("a missing required key is a problem"), interval, streams, disabled))
    }

    fn check(text: &str, expected: &[&str]) {
        let problems = read_all(Input::from_text(Path::new("a.toml"), text)).unwrap_err();
        let found: Vec<String> = problems.list().iter().map(Problem::to_string).collect();
        assert_eq!(found, expected);
    }

    #[test]
    fn every_problem_is_told_at_once() {
        check(
            "[schedule]\ninterval = \"1s\"\nintervall = \"1h\"\n[limits]\nstreams = \"8\"\n",
            &[
                "a.toml: collector.session: is required; add it, for example session = \"collector.example.org:7443\" \
             under [collector]",
                "a.toml:2: schedule.interval: 1s is out of bounds: from 1m to 7d",
                "a.toml:3: schedule.intervall: unknown key; did you mean schedule.interval?",
                "a.toml:5: limits.streams: expected a whole number, found string",
            ],
        );
    }

    #[test]
    fn each_kind_of_value_is_checked() {
        let good = "collector.session = \"a:1\"\n";
        let with = |line: &str| format!("{good}{line}\n");
        check(
            &with("limits.streams = -1"),
            &["a.toml:2: limits.streams: -1 is out of bounds: from 1 to 100"],
        );
        check(
            &with("sources.disabled = [1]"),
            &["a.toml:2: sources.disabled: expected a string, found integer"],
        );
        check(
            &with("sources.disabled = [\"a\", \"a\"]"),
            &["a.toml:2: sources.disabled: a stands there twice"],
        );
        check(
            &with("sources.disabled = [\"a\", \"b\", \"c\"]"),
            &["a.toml:2: sources.disabled: 3 entries, at most 2 are allowed"],
        );
        check(
            &with("interval = \"1h\""),
            &["a.toml:2: interval: unknown key; did you mean schedule.interval?"],
        );
        check(&with("passphrase = \"x\""), &["a.toml:2: passphrase: unknown key; remove it"]);
    }

    #[test]
    fn a_syntax_error_is_one_of_the_problems() {
        let problems =
            read_all(Input::from_text(Path::new("a.toml"), "[collector\nsession = \"a:1\"\n")).unwrap_err();
        assert!(problems.to_string().starts_with("a.toml"), "{problems}");
        assert!(problems.to_string().contains("a.toml:1: not TOML: "), "{problems}");
    }

    #[test]
    fn the_environment_wins_and_is_text_or_toml_as_the_setting_needs() {
        let environment = |variables: &[(&str, &str)]| {
            let text = "collector.session = \"a:1\"\nschedule.interval = \"2h\"\n";
            let variables = variables.iter().map(|(name, value)| ((*name).into(), (*value).into()));
            Input::from_text(Path::new("agent.toml"), text).with_environment("MUSTER_AGENT__", variables)
        };
        let given = environment(&[
            ("MUSTER_AGENT__COLLECTOR__SESSION", "b:2"),
            ("MUSTER_AGENT__LIMITS__STREAMS", "12"),
            ("MUSTER_AGENT__SOURCES__DISABLED", "[\"dpkg\"]"),
            ("MUSTER_AGENT_ROOT", "x"),
            ("PATH", "/bin"),
        ]);
        let (address, interval, streams, disabled) = read_all(given).unwrap();
        assert_eq!((address.as_str(), interval, streams), ("b:2", Period::from_secs(7200), 12));
        assert_eq!(disabled, ["dpkg"]);
        let wrong = environment(&[
            ("MUSTER_AGENT__LIMITS__STREAMS", "many"),
            ("MUSTER_AGENT__SCHEDULE__INTERVAL", "1s"),
            ("MUSTER_AGENT__SCHEDULE__INTERVALL", "1h"),
            ("MUSTER_AGENT__SOURCES__DISABLED", "dpkg"),
        ]);
        let problems = read_all(wrong).unwrap_err().to_string();
        let expected = [
            "$MUSTER_AGENT__LIMITS__STREAMS: limits.streams: expected a whole number, found string",
            "$MUSTER_AGENT__SCHEDULE__INTERVAL: schedule.interval: 1s is out of bounds: from 1m to 7d",
            "$MUSTER_AGENT__SCHEDULE__INTERVALL: schedule.intervall: unknown key; did you mean schedule.interval?",
            "$MUSTER_AGENT__SOURCES__DISABLED: sources.disabled: expected an array of strings, found string",
        ];
        assert_eq!(problems.lines().collect::<Vec<_>>(), expected);
    }

    #[test]
    fn drop_ins_win_in_the_order_of_their_names() {
        let folder = tempfile::tempdir().unwrap();
        let main = folder.path().join("agent.toml");
        let drop_ins = folder.path().join("agent.d");
        fs::create_dir(&drop_ins).unwrap();
        fs::write(&main, "[collector]\nsession = \"a:1\"\n[limits]\nstreams = 1\n").unwrap();
        fs::write(drop_ins.join("20-b.toml"), "limits.streams = 3\n").unwrap();
        fs::write(drop_ins.join("10-a.toml"), "limits.streams = 2\nschedule.interval = \"2h\"\n").unwrap();
        fs::write(drop_ins.join("README"), "not a fragment").unwrap();
        let (address, interval, streams, _) = read_all(Input::read(&main).unwrap()).unwrap();
        assert_eq!((address.as_str(), interval, streams), ("a:1", Period::from_secs(7200), 3));

        fs::write(drop_ins.join("30-c.toml"), "\nlimits.streams = 0\n").unwrap();
        let problems = read_all(Input::read(&main).unwrap()).unwrap_err();
        assert!(
            problems.to_string().contains("30-c.toml:2: limits.streams: 0 is out of bounds"),
            "{problems}"
        );
    }

    #[test]
    fn a_missing_file_is_the_only_problem() {
        let problems = Input::read(Path::new("/nonexistent/agent.toml")).unwrap_err();
        assert_eq!(problems.list().len(), 1);
        assert!(problems.to_string().starts_with("/nonexistent/agent.toml: cannot be read: "), "{problems}");
    }

    #[test]
    fn relative_paths_start_from_the_folder_of_the_main_file() {
        let mut input = Input::from_text(Path::new("/etc/muster/agent.toml"), "a = \"state\"\n");
        assert_eq!(input.path("a", "/var/lib/x"), Path::new("/etc/muster/state"));
        assert_eq!(input.path("b", "/var/lib/x"), Path::new("/var/lib/x"));
        assert_eq!(input.optional_path("c"), None);
    }

    #[test]
    fn the_listing_says_where_each_value_came_from() {
        let mut input = Input::from_text(Path::new("a.toml"), "\nlimits.streams = 9\n");
        input.number("limits.streams", 8, 1..=100);
        input.parsed("schedule.interval", Period::from_secs(60));
        input.optional::<Period>("schedule.until");
        let listing = input.finish().unwrap().to_string();
        let expected = [
            "limits.streams = 9         # a.toml:2",
            "schedule.interval = \"1m\"   # default",
            "schedule.until is not set  # default",
        ];
        assert_eq!(listing.lines().collect::<Vec<_>>(), expected);
    }
}
