//! Dates as spreadsheets write them, understood over a whole column: what one cell leaves open another may settle.
//!
//! `2026-03-31`, `31.03.2026`, `31 Mar 2026` and a spreadsheet's day number read in one way each and may stand in one
//! column. `03/04/2026` reads in two; it is read as the column's other cells prove, or as chosen, and never guessed.

use std::str::FromStr;

use muster_common::time::Timestamp;

use super::{
    ImportError,
    cells::shown,
    options::{DateOrder, Options},
};

/// The years that a record can speak of.
const YEARS: std::ops::RangeInclusive<u32> = 1970..=2199;
/// The day numbers of spreadsheets for these years.
const DAY_NUMBERS: std::ops::RangeInclusive<i64> = 25_569..=109_574;
/// The day number of 1970-01-01.
const EPOCH_DAY: i64 = 25_569;
const DAY_MS: i64 = 24 * 3600 * 1000;

/// Beginnings of months' names, in English, German, French and Spanish.
const MONTHS: &[(&str, u32)] = &[
    ("jan", 1),
    ("jän", 1),
    ("ene", 1),
    ("feb", 2),
    ("fév", 2),
    ("mar", 3),
    ("mär", 3),
    ("mrz", 3),
    ("apr", 4),
    ("avr", 4),
    ("abr", 4),
    ("may", 5),
    ("mai", 5),
    ("jun", 6),
    ("juin", 6),
    ("jul", 7),
    ("juil", 7),
    ("aug", 8),
    ("aoû", 8),
    ("ago", 8),
    ("sep", 9),
    ("oct", 10),
    ("okt", 10),
    ("nov", 11),
    ("dec", 12),
    ("dez", 12),
    ("déc", 12),
    ("dic", 12),
];

/// What systems write where there is no date.
const NEVER: &[&str] = &["0000-00-00", "0001-01-01", "1/1/0001", "01/01/0001", "never", "nie", "unlimited"];

/// How the dates of one column are read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Dates {
    order: Order,
    /// A cell that shows it.
    example: String,
    with_numbers: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Order {
    /// Nothing depends on it.
    Any,
    /// Chosen by whoever imports.
    Chosen(DateOrder),
    /// Some cell can't be read otherwise.
    Proven(DateOrder),
    /// Cells prove both.
    Both,
}

/// One cell, taken apart.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Form {
    Never,
    Day { year: u32, month: u32, day: u32 },
    TwoWays { first: u32, second: u32, year: u32 },
    DayNumber(i64),
    Moment(i64),
}

impl Dates {
    /// Looks through a column.
    ///
    /// # Errors
    /// When its dates can be read in two ways and nothing says which is meant.
    pub(super) fn of_column<'c>(
        heading: &str,
        cells: impl Iterator<Item = &'c str>,
        options: &Options,
    ) -> Result<Self, ImportError> {
        let (mut day_first, mut month_first, mut open) = (None, None, None);
        let mut with_numbers = false;
        for cell in cells {
            match take_apart(cell).map(|(form, _)| form) {
                Some(Form::TwoWays { first, second, .. }) => {
                    let example = match (first > 12, second > 12) {
                        (true, false) => &mut day_first,
                        (false, true) => &mut month_first,
                        (false, false) if first != second => &mut open,
                        (true, true) | (false, false) => continue,
                    };
                    example.get_or_insert(cell);
                }
                Some(Form::DayNumber(_)) => with_numbers = true,
                Some(Form::Never | Form::Day { .. } | Form::Moment(_)) | None => {}
            }
        }
        let (order, example) = match (options.dates, day_first, month_first, open) {
            (Some(chosen), ..) => (Order::Chosen(chosen), None),
            (None, Some(_), Some(_), _) => (Order::Both, None),
            (None, Some(example), None, _) => (Order::Proven(DateOrder::DayFirst), Some(example)),
            (None, None, Some(example), _) => (Order::Proven(DateOrder::MonthFirst), Some(example)),
            (None, None, None, Some(example)) => {
                return Err(ImportError::AmbiguousDates {
                    column: super::layout::short(heading),
                    example: example.trim().chars().take(40).collect(),
                });
            }
            (None, None, None, None) => (Order::Any, None),
        };
        let example = example.unwrap_or_default().trim().chars().take(40).collect();
        Ok(Self { order, example, with_numbers })
    }

    /// How they are read, if that had to be found out.
    pub(super) fn remark(&self, heading: &str) -> Option<String> {
        let heading = super::layout::short(heading);
        let numbers = if self.with_numbers { "; bare numbers are a spreadsheet's day numbers" } else { "" };
        let order = match self.order {
            Order::Chosen(_) | Order::Any => None,
            Order::Proven(order) => {
                let words = match order {
                    DateOrder::DayFirst => "day first",
                    DateOrder::MonthFirst => "month first",
                };
                Some(format!("dates in {heading} are read {words}, as {} shows", shown(&self.example)))
            }
            Order::Both => Some(format!(
                "dates in {heading} are written both day first and month first; those that read in two ways are refused"
            )),
        };
        match (order, self.with_numbers) {
            (Some(order), _) => Some(format!("{order}{numbers}")),
            (None, true) => {
                Some(format!("bare numbers in {heading} are read as a spreadsheet's day numbers"))
            }
            (None, false) => None,
        }
    }

    /// A calendar date as midnight UTC; a time of day behind it is let go. None: the cell says that there is none.
    pub(super) fn date(&self, cell: &str) -> Result<Option<Timestamp>, String> {
        let moment = self.moment(cell)?;
        let midnight = |ms: i64| Timestamp::from_millis(ms - ms.rem_euclid(DAY_MS));
        Ok(moment.map(|moment| midnight(moment.as_millis())))
    }

    /// A moment, as UTC where no time zone is named; midnight where no time is. None: the cell says that there is none.
    pub(super) fn moment(&self, cell: &str) -> Result<Option<Timestamp>, String> {
        let Some((form, time)) = take_apart(cell) else {
            return Err(format!(
                "{} is not a date (write year-month-day, such as 2026-03-31, or 31.03.2026)",
                shown(cell)
            ));
        };
        let (year, month, day) = match form {
            Form::Never => return Ok(None),
            Form::Moment(ms) => return Ok(Some(Timestamp::from_millis(ms))),
            Form::DayNumber(number) => {
                return Ok(Some(Timestamp::from_millis((number - EPOCH_DAY) * DAY_MS)));
            }
            Form::Day { year, month, day } => (year, month, day),
            Form::TwoWays { first, second, year } => {
                let order = match (self.order, first > 12, second > 12) {
                    (Order::Chosen(order) | Order::Proven(order), ..) => order,
                    (Order::Both | Order::Any, true, _) => DateOrder::DayFirst,
                    (Order::Both | Order::Any, false, true) => DateOrder::MonthFirst,
                    (Order::Both | Order::Any, false, false) if first == second => DateOrder::DayFirst,
                    (Order::Both | Order::Any, false, false) => {
                        return Err(format!(
                            "{} can be read day first or month first (choose with dates=day-first or dates=month-first)",
                            shown(cell)
                        ));
                    }
                };
                match order {
                    DateOrder::DayFirst => (year, second, first),
                    DateOrder::MonthFirst => (year, first, second),
                }
            }
        };
        if !YEARS.contains(&year) {
            return Err(format!(
                "{} is not a date of the years {} to {}",
                shown(cell),
                YEARS.start(),
                YEARS.end()
            ));
        }
        let midnight = Timestamp::from_str(&format!("{year:04}-{month:02}-{day:02}"))
            .map_err(|_| format!("{} is not a day of the calendar", shown(cell)))?;
        let offset = match time {
            "" => 0,
            time => time_of_day(time)
                .ok_or_else(|| format!("{} has no time of day that can be read", shown(cell)))?,
        };
        Ok(Some(Timestamp::from_millis(midnight.as_millis().saturating_add(offset))))
    }
}

/// A cell's date, and what stands behind it.
fn take_apart(cell: &str) -> Option<(Form, &str)> {
    let cell = cell.trim();
    if cell.is_empty() || cell.len() > 64 {
        return None;
    }
    let begins = |word: &str| cell.get(..word.len()).is_some_and(|start| start.eq_ignore_ascii_case(word));
    if NEVER.iter().any(|word| begins(word)) {
        return Some((Form::Never, ""));
    }
    if let Some(form) = number(cell) {
        return Some((form, ""));
    }
    if let Some(found) = with_month_name(cell) {
        return Some(found);
    }
    let (day, time) = match cell.find(['T', ' ', ',']) {
        Some(at) => (&cell[..at], cell[at + 1..].trim()),
        None => (cell, ""),
    };
    let separator = day.chars().find(|letter| matches!(letter, '-' | '.' | '/'))?;
    let mut parts = day.split(separator);
    let (first, second, third) = (parts.next()?, parts.next()?, parts.next()?);
    if parts.next().is_some() {
        return None;
    }
    let number = |text: &str, lengths: &[usize]| {
        let good = lengths.contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_digit());
        good.then(|| text.parse::<u32>().ok()).flatten()
    };
    if let Some(year) = number(first, &[4]) {
        let (month, day) = (number(second, &[1, 2])?, number(third, &[1, 2])?);
        return Some((Form::Day { year, month, day }, time));
    }
    let (first, second) = (number(first, &[1, 2])?, number(second, &[1, 2])?);
    let year = number(third, &[4]).or_else(|| number(third, &[2]).map(whole_year))?;
    let form = match separator {
        // Nobody who separates with dots writes the month first.
        '.' => Form::Day { year, month: second, day: first },
        _ => Form::TwoWays { first, second, year },
    };
    Some((form, time))
}

/// Of two digits.
fn whole_year(year: u32) -> u32 {
    if year < 70 { 2000 + year } else { 1900 + year }
}

/// A number: a day as a spreadsheet counts, the same with a time behind the point, `20260331`, or seconds or
/// milliseconds since 1970.
fn number(cell: &str) -> Option<Form> {
    let (whole, fraction) = cell.split_once(['.', ',']).unwrap_or((cell, ""));
    let is_number = |text: &str| text.bytes().all(|byte| byte.is_ascii_digit());
    if whole.is_empty() || !is_number(whole) || !is_number(fraction) {
        return None;
    }
    let value: i64 = whole.parse().ok()?;
    match (whole.len(), fraction.is_empty()) {
        (5 | 6, _) if DAY_NUMBERS.contains(&value) => Some(Form::DayNumber(value)),
        (8, true) => {
            let part = |from: usize, to: usize| whole[from..to].parse::<u32>().ok();
            Some(Form::Day { year: part(0, 4)?, month: part(4, 6)?, day: part(6, 8)? })
        }
        (10, _) => Some(Form::Moment(value * 1000)),
        (13, true) => Some(Form::Moment(value)),
        _ => None,
    }
}

/// `31 Mar 2026`, `31-Mar-26`, `Mar 31, 2026`, `Tue Mar 31, 2026`, `31. März 2026`.
fn with_month_name(cell: &str) -> Option<(Form, &str)> {
    if !cell.chars().any(char::is_alphabetic) {
        return None;
    }
    let (mut month, mut day, mut rest) = (None, None, cell);
    for _ in 0..5 {
        rest = rest.trim_start_matches([' ', ',', '-', '.', '/']);
        let end = rest.find([' ', ',', '-', '.', '/']).unwrap_or(rest.len());
        let (word, after) = (&rest[..end], &rest[end..]);
        let is_number = !word.is_empty() && word.bytes().all(|byte| byte.is_ascii_digit());
        if is_number && word.len() <= 2 && day.is_none() {
            day = word.parse::<u32>().ok();
        } else if is_number && let (Some(month), Some(day)) = (month, day) {
            let year = match word.len() {
                2 => whole_year(word.parse().ok()?),
                4 => word.parse().ok()?,
                _ => return None,
            };
            return Some((Form::Day { year, month, day }, after.trim_start_matches([' ', ','])));
        } else if month.is_none()
            && let Some(named) = month_of(word)
        {
            month = Some(named);
        } else if !is_weekday(word) || day.is_some() {
            return None;
        }
        rest = after;
    }
    None
}

fn month_of(word: &str) -> Option<u32> {
    let lower = word.to_lowercase();
    MONTHS.iter().rev().find(|(start, _)| lower.starts_with(start)).map(|(_, month)| *month)
}

fn is_weekday(word: &str) -> bool {
    const DAYS: &[&str] =
        &["mon", "tue", "wed", "thu", "fri", "sat", "sun", "mo", "di", "mi", "do", "fr", "sa", "so"];
    let lower = word.to_lowercase();
    DAYS.contains(&lower.as_str()) || lower.ends_with("day") || lower.ends_with("tag")
}

/// Milliseconds after midnight UTC of `8:12`, `08:12:44.123`, `8:12:44 AM`, with `Z`, `UTC` or an offset behind.
fn time_of_day(text: &str) -> Option<i64> {
    let lower = text.trim().trim_start_matches("at ").trim_start_matches("um ").to_ascii_lowercase();
    let (clock, rest) =
        match lower.find(|letter: char| !letter.is_ascii_digit() && !matches!(letter, ':' | '.')) {
            Some(at) => (&lower[..at], lower[at..].trim()),
            None => (lower.as_str(), ""),
        };
    let mut parts = clock.split(':');
    let two = |text: &str| {
        let good = matches!(text.len(), 1 | 2) && text.bytes().all(|byte| byte.is_ascii_digit());
        good.then(|| text.parse::<i64>().ok()).flatten()
    };
    let (mut hours, minutes) = (two(parts.next()?)?, two(parts.next()?)?);
    let seconds = match parts.next() {
        Some(text) => two(text.split('.').next()?)?,
        None => 0,
    };
    let rest = match (rest.strip_prefix("am"), rest.strip_prefix("pm")) {
        (Some(rest), _) => {
            hours %= 12;
            rest.trim()
        }
        (None, Some(rest)) => {
            hours = hours % 12 + 12;
            rest.trim()
        }
        (None, None) => rest,
    };
    if hours > 23 || minutes > 59 || seconds > 60 || parts.next().is_some() {
        return None;
    }
    let offset_minutes = match rest {
        "" | "z" | "utc" | "gmt" | "uhr" => 0,
        offset => {
            let sign = if offset.starts_with('-') { -1 } else { 1 };
            let digits: String = offset.chars().filter(char::is_ascii_digit).collect();
            if !offset.starts_with(['+', '-']) || digits.len() != 4 {
                return None;
            }
            sign * (digits[..2].parse::<i64>().ok()? * 60 + digits[2..].parse::<i64>().ok()?)
        }
    };
    Some(((hours * 60 + minutes - offset_minutes) * 60 + seconds) * 1000)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn dates(cells: &[&str]) -> Dates {
        Dates::of_column("Date", cells.iter().copied(), &Options::default()).unwrap()
    }

    #[test]
    fn what_reads_in_one_way_is_read_wherever_it_stands() {
        for (cell, expected) in [
            ("2026-03-31", "2026-03-31T00:00:00Z"),
            ("2026-3-31", "2026-03-31T00:00:00Z"),
            ("2026/03/31", "2026-03-31T00:00:00Z"),
            ("31.03.2026", "2026-03-31T00:00:00Z"),
            ("1.4.26", "2026-04-01T00:00:00Z"),
            ("31/03/2026", "2026-03-31T00:00:00Z"),
            ("3/31/2026", "2026-03-31T00:00:00Z"),
            ("05/05/2026", "2026-05-05T00:00:00Z"),
            ("31-MAR-2026", "2026-03-31T00:00:00Z"),
            ("31-OCT-25", "2025-10-31T00:00:00Z"),
            ("31 March 2026", "2026-03-31T00:00:00Z"),
            ("31. März 2026", "2026-03-31T00:00:00Z"),
            ("Mar 31, 2026", "2026-03-31T00:00:00Z"),
            ("Tue Mar 31, 2026 1:05PM", "2026-03-31T13:05:00Z"),
            ("20260331", "2026-03-31T00:00:00Z"),
            ("46112", "2026-03-31T00:00:00Z"),
            ("46112.5", "2026-03-31T00:00:00Z"),
            ("1774915200", "2026-03-31T00:00:00Z"),
            ("1774915200000", "2026-03-31T00:00:00Z"),
            ("2026-03-31T08:12:44Z", "2026-03-31T08:12:44Z"),
            ("2026-03-31T01:12:44+02:00", "2026-03-30T23:12:44Z"),
            ("2026-03-31 08:12:44.0000000", "2026-03-31T08:12:44Z"),
            ("3/31/2026 8:12:44 PM", "2026-03-31T20:12:44Z"),
            ("31.03.2026, 12:00 Uhr", "2026-03-31T12:00:00Z"),
        ] {
            let dates = dates(&[]);
            let moment = dates.moment(cell).unwrap_or_else(|error| panic!("{cell}: {error}"));
            assert_eq!(moment.map(|moment| moment.to_string()).as_deref(), Some(expected), "{cell}");
            let day = dates.date(cell).unwrap().unwrap().to_string();
            assert!(day.ends_with("T00:00:00Z") && day[..10] == expected[..10], "{cell}: {day}");
        }
        for cell in ["0000-00-00", "0001-01-01 00:00:00.0000000", "Never"] {
            assert_eq!(dates(&[]).date(cell), Ok(None), "{cell}");
        }
    }

    #[test]
    fn a_column_settles_what_a_cell_leaves_open() {
        let german = dates(&["03/04/2026", "", "2026-01-01", "28/02/2026"]);
        assert_eq!(german.date("03/04/2026").unwrap().unwrap().to_string(), "2026-04-03T00:00:00Z");
        assert!(german.remark("Date").unwrap().contains("day first, as \"28/02/2026\" shows"));
        let american = dates(&["03/04/2026", "02/28/2026"]);
        assert_eq!(american.date("03/04/2026").unwrap().unwrap().to_string(), "2026-03-04T00:00:00Z");
        assert!(american.date("28/02/2026").unwrap_err().contains("calendar"));
        let both = dates(&["28/02/2026", "02/28/2026", "03/04/2026"]);
        assert_eq!(both.date("28/02/2026").unwrap(), both.date("02/28/2026").unwrap());
        assert!(both.date("03/04/2026").unwrap_err().contains("dates=day-first"));
        assert!(both.remark("Date").unwrap().contains("both"));
        assert_eq!(dates(&["2026-01-01", "31.12.2025"]).remark("Date"), None);
        assert!(dates(&["46112"]).remark("Date").unwrap().contains("day numbers"));
    }

    #[test]
    fn a_column_that_nothing_settles_needs_a_choice() {
        let cells = ["03/04/2026", "2026-01-01", "05/05/2026"];
        let refused = Dates::of_column("Bought", cells.into_iter(), &Options::default()).unwrap_err();
        assert!(
            refused.to_string().contains("\"03/04/2026\"") && refused.to_string().contains("dates=day-first"),
            "{refused}"
        );
        let mut options = Options::default();
        options.set("dates", "month-first").unwrap();
        let dates = Dates::of_column("Bought", cells.into_iter(), &options).unwrap();
        assert_eq!(dates.date("03/04/2026").unwrap().unwrap().to_string(), "2026-03-04T00:00:00Z");
    }

    #[test]
    fn the_rest_is_refused_with_what_to_write() {
        for (bad, word) in [
            ("in spring", "year-month-day"),
            ("2026-03-31 in spring", "time of day"),
            ("2026-02-30", "calendar"),
            ("0026-02-20", "years"),
            ("２０２６-03-31", "year-month-day"),
            ("12.31.2026", "calendar"),
            ("123", "year-month-day"),
            ("99999999", "years"),
            ("2026-03-31 25:00", "time of day"),
            ("1/2/3/4", "year-month-day"),
        ] {
            let reason = dates(&[]).date(bad).unwrap_err();
            assert!(reason.contains(word), "{bad}: {reason}");
        }
    }
}
