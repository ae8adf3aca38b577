//! Berkeley DB's hash format, as `Packages` of rpm before 4.16 has it: buckets of pages whose items name overflow pages.
//!
//! Knows nothing of headers. Both byte orders are read, since a database keeps that of the machine that made it.
//! Checksummed and encrypted files, which rpm never makes, are refused.

use crate::sources::software::rpm::{
    chain::{Chained, Pages},
    record::{Fault, Found, Next, Storage, Visited},
};

const HASH_MAGIC: u32 = 0x0006_1561;
/// As much of the metadata page as is needed.
const META: usize = 224;
const META_TYPE: u8 = 8;
/// The flag of files whose pages have checksums and with that longer headers.
const META_CHECKSUMMED: u8 = 1;
/// Where each doubling of the buckets starts.
const SPARES: usize = 96;
const SPARES_COUNT: u32 = 32;
const PAGE_BYTES: std::ops::RangeInclusive<u32> = 512..=65_536;

/// A page's header, before the places of its items.
const PAGE_HEADER: usize = 26;
const NEXT_PAGE: usize = 16;
const ITEM_COUNT: usize = 20;
/// On an overflow page: how many bytes of content it has.
const CONTENT_BYTES: usize = 22;
const PAGE_TYPE: usize = 25;

const TYPE_UNUSED: u8 = 0;
/// Buckets as Berkeley DB before 4.6 wrote them.
const TYPE_UNSORTED_BUCKET: u8 = 2;
const TYPE_OVERFLOW: u8 = 7;
const TYPE_BUCKET: u8 = 13;

/// An item that lies on its bucket's page.
const ITEM_HERE: u8 = 1;
/// An item that names the overflow page where it starts, and its length.
const ITEM_ELSEWHERE: u8 = 3;

/// Reads all packages.
pub(crate) fn read(file: &dyn Storage, found: &mut Found<'_>) -> Result<(), Fault> {
    let database = Database::open(file)?;
    let mut page = vec![0; database.page_bytes];
    let mut visited = Visited::new(database.pages());
    for bucket in 0..=database.max_bucket {
        let mut number = database.bucket_page(bucket);
        while number != 0 {
            let entered = visited.enter(number).and_then(|()| database.read_bucket(number, &mut page));
            match entered {
                Ok(true) => {}
                Ok(false) => break,
                Err(fault) => {
                    found.fault(fault, || format!("page {number}"));
                    break;
                }
            }
            if database.take_packages(&page, number, found) == Next::Stop {
                return Ok(());
            }
            number = database.u32(&page, NEXT_PAGE);
        }
    }
    Ok(())
}

struct Database<'a> {
    file: &'a dyn Storage,
    big_endian: bool,
    page_bytes: usize,
    max_bucket: u32,
    meta: [u8; META],
}

impl<'a> Database<'a> {
    fn open(file: &'a dyn Storage) -> Result<Self, Fault> {
        let mut meta = [0; META];
        file.read_at(0, &mut meta)?;
        let mut database = Self { file, big_endian: false, page_bytes: 0, max_bucket: 0, meta };
        if database.u32(&meta, 12) != HASH_MAGIC {
            database.big_endian = true;
        }
        if database.u32(&meta, 12) != HASH_MAGIC || meta[PAGE_TYPE] != META_TYPE {
            return Err(Fault::Malformed("this is no hash database of Berkeley DB"));
        }
        if meta[24] != 0 || meta[26] & META_CHECKSUMMED != 0 {
            return Err(Fault::Malformed("encrypted and checksummed databases of Berkeley DB are not read"));
        }
        let page_bytes = database.u32(&meta, 20);
        if !PAGE_BYTES.contains(&page_bytes) || !page_bytes.is_power_of_two() {
            return Err(Fault::Malformed("this database states an impossible page size"));
        }
        database.page_bytes = usize::try_from(page_bytes).expect("a page size is below the bound");
        database.max_bucket = database.u32(&meta, 72);
        if u64::from(database.max_bucket) >= database.pages() {
            return Err(Fault::Malformed("this database states more buckets than it has pages"));
        }
        Ok(database)
    }

    fn array<const N: usize>(&self, bytes: &[u8], at: usize) -> [u8; N] {
        let mut array = bytes.get(at..).and_then(|rest| rest.first_chunk()).copied().unwrap_or([0; N]);
        if self.big_endian {
            array.reverse();
        }
        array
    }

    fn u16(&self, bytes: &[u8], at: usize) -> usize {
        usize::from(u16::from_le_bytes(self.array(bytes, at)))
    }

    fn u32(&self, bytes: &[u8], at: usize) -> u32 {
        u32::from_le_bytes(self.array(bytes, at))
    }

    fn pages(&self) -> u64 {
        self.file.length().div_ceil(self.place(1))
    }

    fn place(&self, page: u32) -> u64 {
        u64::from(page) * u64::try_from(self.page_bytes).unwrap_or(0)
    }

    /// Reads a bucket's page; whether something was ever put there.
    fn read_bucket(&self, number: u32, page: &mut [u8]) -> Result<bool, Fault> {
        self.file.read_at(self.place(number), page)?;
        match page.get(PAGE_TYPE) {
            Some(&(TYPE_BUCKET | TYPE_UNSORTED_BUCKET)) => Ok(true),
            // Buckets are made in advance, and their pages written when something is put there.
            Some(&TYPE_UNUSED) => Ok(false),
            Some(_) | None => Err(Fault::Malformed("a bucket's page is of another type")),
        }
    }

    /// The first page of a bucket: buckets lie together per doubling of the table, and `spares` says where.
    fn bucket_page(&self, bucket: u32) -> u32 {
        let doubling = u32::BITS - bucket.leading_zeros();
        let spare = usize::try_from(doubling.min(SPARES_COUNT - 1)).unwrap_or(0);
        self.u32(&self.meta, SPARES + 4 * spare).saturating_add(bucket)
    }

    /// Takes the packages of a bucket's page: pairs of items, the number of a package and its header.
    fn take_packages(&self, page: &[u8], number: u32, found: &mut Found<'_>) -> Next {
        let items = self.u16(page, ITEM_COUNT);
        for pair in 0..items / 2 {
            let place = || format!("item {} of page {number}", 2 * pair + 1);
            let (Some(key), Some(value)) = (self.item(page, 2 * pair), self.item(page, 2 * pair + 1)) else {
                found.fault(Fault::Malformed("an item lies outside of its page"), place);
                continue;
            };
            // Under number 0 rpm keeps the highest number in use.
            if matches!(key, [ITEM_HERE, 0, 0, 0, 0]) {
                continue;
            }
            let next = match value {
                [ITEM_HERE, here @ ..] => {
                    let mut here = here;
                    found.take(&mut here, place)
                }
                [ITEM_ELSEWHERE, ..] if value.len() == 12 => {
                    let (first, length) = (self.u32(value, 4), self.u32(value, 8));
                    found.take(&mut Chained::new(&[], first, u64::from(length), self), place)
                }
                _ => {
                    found.fault(Fault::Malformed("an item is of another type"), place);
                    Next::GoOn
                }
            };
            if next == Next::Stop {
                return next;
            }
        }
        Next::GoOn
    }

    /// An item: it ends where the one before starts, the first one at the page's end.
    fn item<'p>(&self, page: &'p [u8], index: usize) -> Option<&'p [u8]> {
        let place = PAGE_HEADER + 2 * index;
        let end = match index {
            0 => page.len(),
            _ => self.u16(page, place - 2),
        };
        let start = self.u16(page, place);
        // Items grow down from the end of the page towards the places.
        if start < place + 2 {
            return None;
        }
        page.get(start..end)
    }

    /// The header of an overflow page.
    fn overflow(&self, page: u32) -> Result<[u8; PAGE_HEADER], Fault> {
        let mut header = [0; PAGE_HEADER];
        self.file.read_at(self.place(page), &mut header)?;
        if page == 0 || header[PAGE_TYPE] != TYPE_OVERFLOW {
            return Err(Fault::Malformed("a package continues on a page of another type"));
        }
        Ok(header)
    }
}

impl Pages for Database<'_> {
    fn capacity(&self) -> u64 {
        u64::try_from(self.page_bytes - PAGE_HEADER).unwrap_or(u64::MAX)
    }

    fn next(&self, page: u32) -> Result<u32, Fault> {
        let header = self.overflow(page)?;
        if self.u16(&header, CONTENT_BYTES) != self.page_bytes - PAGE_HEADER {
            return Err(Fault::Malformed("a package has a gap"));
        }
        Ok(self.u32(&header, NEXT_PAGE))
    }

    fn content(&self, page: u32, at: u64, buffer: &mut [u8]) -> Result<(), Fault> {
        let header = self.overflow(page)?;
        let end = at.saturating_add(u64::try_from(buffer.len()).unwrap_or(u64::MAX));
        if end > u64::try_from(self.u16(&header, CONTENT_BYTES)).unwrap_or(0) {
            return Err(Fault::Malformed("a package ends before its content does"));
        }
        let header_bytes = u64::try_from(PAGE_HEADER).unwrap_or(u64::MAX);
        self.file.read_at(self.place(page) + header_bytes + at, buffer)
    }
}
