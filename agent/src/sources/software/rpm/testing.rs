//! Headers and databases for the tests of the formats, made as rpm and its libraries lay them out.

/// A package of a test's database.
#[derive(Debug, Clone)]
pub(super) struct Sample {
    pub(super) name: String,
    pub(super) epoch: Option<u32>,
    /// Bytes of file lists that nobody asks for.
    pub(super) padding: usize,
}

/// Packages of which some have an epoch, and of which the longest needs many pages.
pub(super) fn samples(count: usize) -> Vec<Sample> {
    (0..count)
        .map(|number| Sample {
            name: format!("package-{number:05}"),
            epoch: (number % 3 == 0).then_some(u32::try_from(number % 7).expect("a small number")),
            padding: number * 7919 % 30_011,
        })
        .collect()
}

/// The bytes of a header: a region with what the package brought, and the time that rpm appended.
pub(super) fn header(sample: &Sample) -> Vec<u8> {
    let mut builder = Builder::default();
    builder.add(63, 7, 16, &[0; 16]);
    builder.text(1000, &sample.name);
    builder.text(1001, "1.2");
    builder.text(1002, "3.fc40");
    if let Some(epoch) = sample.epoch {
        builder.add(1003, 4, 1, &epoch.to_be_bytes());
    }
    builder.add(1009, 4, 1, &4096_u32.to_be_bytes());
    builder.text(1011, "Muster Works");
    builder.text(1022, "x86_64");
    builder.add(1027, 7, u32::try_from(sample.padding).expect("a small number"), &vec![b'/'; sample.padding]);
    builder.text(1044, &format!("{}-1.2-3.fc40.src.rpm", sample.name));
    builder.add(1008, 4, 1, &1_700_000_000_u32.to_be_bytes());
    builder.bytes()
}

/// Puts a header together.
#[derive(Default)]
pub(super) struct Builder {
    index: Vec<u8>,
    store: Vec<u8>,
}

impl Builder {
    /// Adds a tag with `count` values of type `kind`.
    pub(super) fn add(&mut self, tag: u32, kind: u32, count: u32, value: &[u8]) {
        if kind == 4 {
            self.store.resize(self.store.len().next_multiple_of(4), 0);
        }
        let offset = u32::try_from(self.store.len()).expect("a small header");
        for number in [tag, kind, offset, count] {
            self.index.extend(number.to_be_bytes());
        }
        self.store.extend(value);
    }

    /// Adds a text.
    pub(super) fn text(&mut self, tag: u32, text: &str) {
        self.add(tag, 6, 1, &[text.as_bytes(), &[0]].concat());
    }

    /// The header.
    pub(super) fn bytes(self) -> Vec<u8> {
        let count = |bytes: usize| u32::try_from(bytes).expect("a small header").to_be_bytes();
        [&count(self.index.len() / 16)[..], &count(self.store.len()), &self.index, &self.store].concat()
    }
}

/// An ndb database.
pub(super) fn ndb(headers: &[Vec<u8>]) -> Vec<u8> {
    let word = |number: usize| u32::try_from(number).expect("a small database").to_le_bytes();
    let slot_pages = (headers.len() + 2).div_ceil(256);
    let mut file =
        [&b"RpmP"[..], &word(0), &word(1), &word(slot_pages), &word(headers.len() + 1), &[0; 12]].concat();
    let mut blobs = Vec::new();
    for (index, header) in headers.iter().enumerate() {
        let start = slot_pages * 256 + blobs.len() / 16;
        let blocks = (16 + header.len() + 12).div_ceil(16);
        file.extend([&b"Slot"[..], &word(index + 1), &word(start), &word(blocks)].concat());
        blobs.extend([&b"BlbS"[..], &word(index + 1), &word(1), &word(header.len()), header].concat());
        blobs.resize((start + blocks - slot_pages * 256) * 16 - 12, 0);
        blobs.extend([&word(0)[..], &word(header.len()), b"BlbE"].concat());
    }
    while file.len() < slot_pages * 4096 {
        file.extend([&b"Slot"[..], &[0; 12]].concat());
    }
    file.extend(blobs);
    file
}

/// A Berkeley DB hash with four buckets, the third of them never written.
pub(super) fn bdb(headers: &[Vec<u8>], page_bytes: usize, big_endian: bool) -> Vec<u8> {
    let word = |number: usize| {
        let number = u32::try_from(number).expect("a small database");
        if big_endian { number.to_be_bytes() } else { number.to_le_bytes() }
    };
    let half = |number: usize| {
        let number = u16::try_from(number).expect("less than a page");
        if big_endian { number.to_be_bytes() } else { number.to_le_bytes() }
    };
    let page = |kind: u8| {
        let mut page = vec![0; page_bytes];
        page[25] = kind;
        page
    };
    let mut meta = page(8);
    meta[12..16].copy_from_slice(&word(0x0006_1561));
    meta[16..20].copy_from_slice(&word(9));
    meta[20..24].copy_from_slice(&word(page_bytes));
    meta[72..76].copy_from_slice(&word(3));
    // Buckets 0 and 1 lie on pages 1 and 2, 2 and 3 on pages 4 and 5.
    for (doubling, spare) in [1, 1, 2].into_iter().enumerate() {
        meta[96 + 4 * doubling..][..4].copy_from_slice(&word(spare));
    }
    let mut pages = vec![meta, page(13), page(2), page(13), page(0), page(13)];
    let mut last = [1, 2, 5];
    let numbers = std::iter::once((0, &b"\x07\0\0\0"[..]));
    let headers = headers.iter().enumerate().map(|(index, header)| (index + 1, header.as_slice()));
    for (number, value) in numbers.chain(headers) {
        let key = [&[1][..], &word(number)].concat();
        let value = if value.len() < page_bytes / 4 {
            [&[1][..], value].concat()
        } else {
            let first = pages.len();
            let chunks = value.chunks(page_bytes - 26);
            let count = chunks.len();
            for (index, chunk) in chunks.enumerate() {
                let mut overflow = page(7);
                let next = if index + 1 == count { 0 } else { pages.len() + 1 };
                overflow[16..20].copy_from_slice(&word(next));
                overflow[22..24].copy_from_slice(&half(chunk.len()));
                overflow[26..][..chunk.len()].copy_from_slice(chunk);
                pages.push(overflow);
            }
            [&[3, 0, 0, 0][..], &word(first), &word(value.len())].concat()
        };
        let read_half = |bytes: &[u8]| {
            let bytes = [bytes[0], bytes[1]];
            usize::from(if big_endian { u16::from_be_bytes(bytes) } else { u16::from_le_bytes(bytes) })
        };
        let bucket = number % 3;
        let items = read_half(&pages[last[bucket]][20..]);
        let end = if items == 0 { page_bytes } else { read_half(&pages[last[bucket]][24 + 2 * items..]) };
        let (mut items, mut end) = (items, end);
        if 26 + 2 * (items + 2) + key.len() + value.len() > end {
            let next = pages.len();
            pages[last[bucket]][16..20].copy_from_slice(&word(next));
            pages.push(page(13));
            (last[bucket], items, end) = (next, 0, page_bytes);
        }
        let target = &mut pages[last[bucket]];
        for item in [key, value] {
            end -= item.len();
            target[end..][..item.len()].copy_from_slice(&item);
            target[26 + 2 * items..][..2].copy_from_slice(&half(end));
            items += 1;
        }
        target[20..22].copy_from_slice(&half(items));
    }
    pages.concat()
}

/// A SQLite database with reserved bytes on every page.
pub(super) fn sqlite(headers: &[Vec<u8>], page_bytes: usize, reserved: u8) -> Vec<u8> {
    let usable = page_bytes - usize::from(reserved);
    let mut pages = vec![vec![0; page_bytes]];
    let rows: Vec<Vec<u8>> = headers
        .iter()
        .enumerate()
        .map(|(index, header)| {
            let kind = varint(12 + 2 * header.len());
            let payload = [&varint(2 + kind.len())[..], &[0], &kind, header].concat();
            cell(index + 1, &payload, usable, &mut pages)
        })
        .collect();
    let mut level: Vec<(usize, usize)> = Vec::new();
    let mut rows = rows.into_iter().enumerate().peekable();
    while rows.peek().is_some() {
        let mut leaf = Vec::new();
        let mut last = 0;
        let mut left = usable - 8;
        while let Some((index, row)) = rows.next_if(|(_, row)| row.len() + 2 <= left) {
            left -= row.len() + 2;
            last = index + 1;
            leaf.push(row);
        }
        level.push((pages.len(), last));
        pages.push(tree_page(13, 0, None, &leaf, page_bytes, usable));
    }
    while level.len() > 1 {
        let fan = (usable - 12) / 12;
        level = level
            .chunks(fan)
            .map(|children| {
                let (last, others) = children.split_last().expect("a chunk is never empty");
                let cells: Vec<_> =
                    others.iter().map(|(page, row)| [&word(page + 1)[..], &varint(*row)].concat()).collect();
                pages.push(tree_page(5, 0, Some(last.0 + 1), &cells, page_bytes, usable));
                (pages.len() - 1, last.1)
            })
            .collect();
    }
    let root = match level.first() {
        Some((page, _)) => *page,
        None => {
            pages.push(tree_page(13, 0, None, &[], page_bytes, usable));
            pages.len() - 1
        }
    };
    let mut index_row = vec![6, 23, 13 + 2 * 3, 13 + 2 * 8, 1, 13];
    index_row.extend(b"indexiiiPackages\x07");
    let mut row = vec![6, 23, 29, 29, 4, 13 + 2 * 5];
    row.extend([&b"tablePackagesPackages"[..], &word(root + 1), b"CREAT"].concat());
    let cells = [index_row, row].map(|row| [&varint(row.len())[..], &[1], &row].concat());
    pages[0] = tree_page(13, 100, None, &cells, page_bytes, usable);
    pages[0][..16].copy_from_slice(b"SQLite format 3\0");
    let stated = if page_bytes == 65_536 { 1 } else { u16::try_from(page_bytes).expect("a page size") };
    pages[0][16..18].copy_from_slice(&stated.to_be_bytes());
    pages[0][20] = reserved;
    pages[0][56..60].copy_from_slice(&word(1));
    pages.concat()
}

fn word(number: usize) -> [u8; 4] {
    u32::try_from(number).expect("a small database").to_be_bytes()
}

/// The tests have no numbers of more than three such bytes.
fn varint(number: usize) -> Vec<u8> {
    let group = |shift: usize| u8::try_from((number >> shift) & 0x7f).expect("seven bits");
    match number {
        0..0x80 => vec![group(0)],
        0x80..0x4000 => vec![group(7) | 0x80, group(0)],
        _ => vec![group(14) | 0x80, group(7) | 0x80, group(0)],
    }
}

/// A leaf's cell; what does not fit there goes into pages of its own.
fn cell(row: usize, payload: &[u8], usable: usize, pages: &mut Vec<Vec<u8>>) -> Vec<u8> {
    let (most, least) = (usable - 35, (usable - 12) * 32 / 255 - 23);
    let mut cell = [varint(payload.len()), varint(row)].concat();
    if payload.len() <= most {
        cell.extend(payload);
        return cell;
    }
    let preferred = least + (payload.len() - least) % (usable - 4);
    let (local, rest) = payload.split_at(if preferred <= most { preferred } else { least });
    cell.extend([local, &word(pages.len() + 1)].concat());
    let chunks = rest.chunks(usable - 4);
    let count = chunks.len();
    for (index, chunk) in chunks.enumerate() {
        let next = if index + 1 == count { 0 } else { pages.len() + 2 };
        let mut page = [&word(next)[..], chunk].concat();
        page.resize(pages[0].len(), 0);
        pages.push(page);
    }
    cell
}

fn tree_page(
    kind: u8,
    start: usize,
    last_child: Option<usize>,
    cells: &[Vec<u8>],
    page_bytes: usize,
    usable: usize,
) -> Vec<u8> {
    let mut page = vec![0; page_bytes];
    page[start] = kind;
    page[start + 3..start + 5].copy_from_slice(&u16::try_from(cells.len()).expect("few cells").to_be_bytes());
    let mut places = start + 8;
    if let Some(child) = last_child {
        page[start + 8..start + 12].copy_from_slice(&word(child));
        places += 4;
    }
    let mut end = usable;
    for cell in cells {
        end -= cell.len();
        page[end..][..cell.len()].copy_from_slice(cell);
        page[places..places + 2]
            .copy_from_slice(&u16::try_from(end).expect("a place on the page").to_be_bytes());
        places += 2;
    }
    page
}
