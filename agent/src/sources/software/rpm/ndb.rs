//! rpm's own database format "ndb" (`Packages.db`): pages of slots that name blobs, then the blobs.
//!
//! Knows nothing of headers. As when rpm itself reads a package, a blob is believed by its marks, its number and its
//! lengths at both ends; the Adler checksum behind it is what rpm's `--verifydb` looks at, and it would cost reading
//! every byte of a database of which a twentieth is wanted.

use crate::sources::software::rpm::record::{Fault, Found, Next, Record, Storage, number::u32_le};

const MAGIC: u32 = mark(*b"RpmP");
const SLOT_MAGIC: u32 = mark(*b"Slot");
const BLOB_START_MAGIC: u32 = mark(*b"BlbS");
const BLOB_END_MAGIC: u32 = mark(*b"BlbE");
const VERSION: u32 = 0;

const PAGE: u64 = 4096;
const SLOT: usize = 16;
/// The header takes the place of the first two slots.
const HEADER: usize = 32;
/// Blobs start and end at multiples of this.
const BLOCK: u64 = 16;
const BLOB_START: u64 = 16;
const BLOB_END: u64 = 12;
/// A million packages; more pages of slots than that are no database.
const SLOT_PAGES_LIMIT: u32 = 4096;

const fn mark(text: [u8; 4]) -> u32 {
    u32::from_le_bytes(text)
}

/// Reads all packages.
pub(crate) fn read(file: &dyn Storage, found: &mut Found<'_>) -> Result<(), Fault> {
    let mut header = [0; HEADER];
    file.read_at(0, &mut header)?;
    if u32_le(&header, 0) != MAGIC {
        return Err(Fault::Malformed("this is no ndb database"));
    }
    if u32_le(&header, 4) != VERSION {
        return Err(Fault::Malformed("this ndb database has an unknown version"));
    }
    let slot_pages = u32_le(&header, 12);
    if slot_pages == 0 || slot_pages > SLOT_PAGES_LIMIT {
        return Err(Fault::Malformed("this ndb database states an impossible number of slots"));
    }

    let mut page = [0; PAGE as usize];
    for number in 0..slot_pages {
        if let Err(fault) = file.read_at(u64::from(number) * PAGE, &mut page) {
            found.fault(fault, || format!("slot page {number}"));
            return Ok(());
        }
        let skip = if number == 0 { HEADER } else { 0 };
        for (index, slot) in page.as_chunks::<SLOT>().0.iter().enumerate().skip(skip / SLOT) {
            let place = || format!("slot {} of page {number}", index);
            if u32_le(slot, 0) != SLOT_MAGIC {
                found.fault(Fault::Malformed("a slot has no mark"), place);
                continue;
            }
            let (package, block, blocks) = (u32_le(slot, 4), u32_le(slot, 8), u32_le(slot, 12));
            // An empty slot.
            if block == 0 {
                continue;
            }
            match blob(file, package, u64::from(block) * BLOCK, u64::from(blocks)) {
                Ok(mut blob) => {
                    if found.take(&mut blob, || format!("package {package}")) == Next::Stop {
                        return Ok(());
                    }
                }
                Err(fault) => found.fault(fault, || format!("package {package}")),
            }
        }
    }
    Ok(())
}

/// The blob of a package: what lies between its marks.
fn blob(file: &dyn Storage, package: u32, start: u64, blocks: u64) -> Result<Blob<'_>, Fault> {
    let mut head = [0; BLOB_START as usize];
    file.read_at(start, &mut head)?;
    let stated = u32_le(&head, 12);
    let length = u64::from(stated);
    if u32_le(&head, 0) != BLOB_START_MAGIC || u32_le(&head, 4) != package {
        return Err(Fault::Malformed("a slot names a place where its package does not start"));
    }
    if (BLOB_START + length + BLOB_END).div_ceil(BLOCK) != blocks {
        return Err(Fault::Malformed("a package is longer or shorter than its slot says"));
    }
    let mut tail = [0; BLOB_END as usize];
    file.read_at(start + blocks * BLOCK - BLOB_END, &mut tail)?;
    if u32_le(&tail, 4) != stated || u32_le(&tail, 8) != BLOB_END_MAGIC {
        return Err(Fault::Malformed("a package does not end where it says"));
    }
    Ok(Blob { file, start: start + BLOB_START, length })
}

/// A stretch of the file.
struct Blob<'a> {
    file: &'a dyn Storage,
    start: u64,
    length: u64,
}

impl Record for Blob<'_> {
    fn length(&self) -> u64 {
        self.length
    }

    fn read_at(&mut self, offset: u64, buffer: &mut [u8]) -> Result<(), Fault> {
        self.file.read_at(self.start.saturating_add(offset), buffer)
    }
}
