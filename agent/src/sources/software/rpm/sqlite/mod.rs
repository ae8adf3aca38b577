//! SQLite's file format, as far as one table that is read from its start to its end needs it; written from its
//! specification, "Database File Format".
//!
//! Knows nothing of headers and of SQL. A database that is being written is read as of its last commit: pages in the
//! write-ahead log go before those of the file. Files that changed meanwhile are the caller's to notice.

mod table;
mod wal;

use crate::sources::software::rpm::{
    chain::Pages,
    record::{
        Fault, Found, Next, Storage,
        number::{u16_be, u32_be},
    },
    sqlite::{table::Rows, wal::Wal},
};

pub(crate) use table::Row;

const MAGIC: &[u8; 16] = b"SQLite format 3\0";
/// The header at the start of the first page.
const HEADER: usize = 100;
const TEXT_UTF8: u32 = 1;
/// SQLite leaves every page at least this many bytes.
const USABLE_LIMIT: usize = 480;

const TABLE: &[u8] = b"table";
const PACKAGES: &[u8] = b"Packages";

/// Reads all packages of a database and of its write-ahead log, where there is one.
pub(crate) fn read(
    file: &dyn Storage,
    log: Option<&dyn Storage>,
    found: &mut Found<'_>,
) -> Result<(), Fault> {
    rows(file, log, PACKAGES, found, &mut |row, found| {
        let number = row.number;
        let place = || format!("package {number}");
        // The number itself is the row's, and the second column is all.
        match row.blob(1) {
            Ok(record) => found.take(record, place),
            Err(fault) => {
                found.fault(fault, place);
                Next::GoOn
            }
        }
    })
}

/// Visits all rows of a table, whose name is 16 bytes at most, in their order.
pub(crate) fn rows(
    file: &dyn Storage,
    log: Option<&dyn Storage>,
    table: &[u8],
    found: &mut Found<'_>,
    visit: &mut dyn FnMut(&mut Row<'_>, &mut Found<'_>) -> Next,
) -> Result<(), Fault> {
    let database = Database::open(file, log, found)?;
    let root = root_page(&database, table, found)?;
    Rows::walk(&database, root, found, visit)
}

/// The page where a table starts, as the schema says.
fn root_page(database: &Database<'_>, table: &[u8], found: &mut Found<'_>) -> Result<u32, Fault> {
    let mut root = None;
    Rows::walk(database, 1, found, &mut |row, found| {
        // Columns of the schema: type, name, table, root page, SQL.
        let matches = row.equals(0, TABLE).and_then(|is_table| Ok(is_table && row.equals(1, table)?));
        match matches.and_then(|matches| if matches { row.integer(3).map(Some) } else { Ok(None) }) {
            Ok(None) => Next::GoOn,
            Ok(Some(page)) => {
                root = u32::try_from(page).ok();
                Next::Stop
            }
            Err(fault) => {
                let number = row.number;
                found.fault(fault, || format!("schema row {number}"));
                Next::GoOn
            }
        }
    })?;
    root.ok_or(Fault::Malformed("this database has not the table that it should have"))
}

/// The pages of a database as of its last commit.
pub(super) struct Database<'a> {
    file: &'a dyn Storage,
    log: Option<Wal<'a>>,
    page_bytes: usize,
    /// What of a page is not reserved for extensions.
    usable: usize,
}

impl<'a> Database<'a> {
    fn open(
        file: &'a dyn Storage,
        log: Option<&'a dyn Storage>,
        found: &mut Found<'_>,
    ) -> Result<Self, Fault> {
        let mut header = [0; HEADER];
        file.read_at(0, &mut header)?;
        let page_bytes = page_bytes(&header)?;
        let log = match log.map(|log| Wal::open(log, page_bytes)) {
            None => None,
            Some(Ok(log)) => log,
            Some(Err(fault)) => {
                found.fault(fault, || "write-ahead log".to_owned());
                None
            }
        };
        let mut database = Self { file, log, page_bytes, usable: page_bytes };
        // A commit replaces the first page too.
        database.read_at(1, 0, &mut header)?;
        if u32_be(&header, 56) > TEXT_UTF8 {
            return Err(Fault::Malformed(
                "this database has its text in UTF-16, which nobody writes whose databases are read here",
            ));
        }
        database.usable = page_bytes.saturating_sub(usize::from(header[20]));
        if database.usable < USABLE_LIMIT {
            return Err(Fault::Malformed("this database reserves too much of its pages"));
        }
        Ok(database)
    }

    /// How many pages there can be.
    fn page_count(&self) -> u64 {
        let of_file = self.file.length() / length(self.page_bytes);
        // The log may add pages at the end, but no more than it has.
        self.log
            .as_ref()
            .map_or(of_file, |log| of_file.max(u64::from(log.pages)).min(of_file + log.page_count()))
    }

    /// Fills the buffer from place `at` of a page on; pages are numbered from 1.
    fn read_at(&self, page: u32, at: usize, buffer: &mut [u8]) -> Result<(), Fault> {
        if let Some((log, place)) = self.log.as_ref().and_then(|log| Some((log, log.place(page)?))) {
            return log.file().read_at(place + length(at), buffer);
        }
        let index = page.checked_sub(1).ok_or(Fault::Malformed("a page has the number 0"))?;
        self.file.read_at(u64::from(index) * length(self.page_bytes) + length(at), buffer)
    }
}

/// The first four bytes of an overflow page name the next one.
const NEXT_PAGE: usize = 4;

impl Pages for Database<'_> {
    fn capacity(&self) -> u64 {
        length(self.usable - NEXT_PAGE)
    }

    fn next(&self, page: u32) -> Result<u32, Fault> {
        let mut next = [0; NEXT_PAGE];
        self.read_at(page, 0, &mut next)?;
        match u32::from_be_bytes(next) {
            0 => Err(Fault::Malformed("a row ends before its content does")),
            page => Ok(page),
        }
    }

    fn content(&self, page: u32, at: u64, buffer: &mut [u8]) -> Result<(), Fault> {
        let at = usize::try_from(at).map_err(|_| Fault::Malformed("a row lies outside of its page"))?;
        self.read_at(page, NEXT_PAGE + at, buffer)
    }
}

fn page_bytes(header: &[u8; HEADER]) -> Result<usize, Fault> {
    if !header.starts_with(MAGIC) {
        return Err(Fault::Malformed("this is no SQLite database"));
    }
    match u16_be(header, 16) {
        // 65,536 does not fit into the two bytes.
        1 => Ok(65_536),
        bytes if bytes >= 512 && bytes.is_power_of_two() => Ok(usize::from(bytes)),
        _ => Err(Fault::Malformed("this database states an impossible page size")),
    }
}

pub(super) fn length(bytes: usize) -> u64 {
    u64::try_from(bytes).unwrap_or(u64::MAX)
}
