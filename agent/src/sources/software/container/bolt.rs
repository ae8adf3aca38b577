//! Reads a database file of bbolt (BoltDB), as containerd keeps its metadata in.
//!
//! Knows the file's two meta pages, its tree of branch and leaf pages and its buckets within buckets; knows nothing of
//! what is stored. Nothing is written and no lock is taken: a writer copies what it changes, so the newest whole meta
//! page leads to a whole tree, and a page that was reused in the meantime is an error, not a wrong answer for ever.
//! Every offset is checked and every walk is bounded by the pages that the file has.

/// Size of a page's header: id, flags, count, overflow.
const HEADER: usize = 16;
/// Size of an element of a page.
const ELEMENT: usize = 16;
const MAGIC: u32 = 0xED0C_DAED;
const VERSION: u32 = 2;
const BRANCH_PAGE: u16 = 0x01;
const LEAF_PAGE: u16 = 0x02;
/// Marks an element of a leaf whose value is a bucket.
const BUCKET_ELEMENT: u32 = 0x01;
/// Size of a bucket's header: root page, sequence.
const BUCKET_HEADER: usize = 16;
/// A tree of this depth would be larger than any disk.
const DEPTH_LIMIT: u32 = 16;
/// Entries of one bucket.
const ENTRIES_LIMIT: usize = 20_000;

/// Why a database cannot be read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub(crate) enum BoltError {
    /// It has no whole meta page.
    #[error("not a bbolt database")]
    NotBolt,
    /// Something points outside the file or at a page of another kind.
    #[error("a damaged bbolt database, or one that changed while it was read")]
    Damaged,
    /// A bucket has more than is read.
    #[error("a bucket with more than {ENTRIES_LIMIT} entries")]
    TooMany,
}

/// A database file.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Database<'a> {
    bytes: &'a [u8],
    page_size: usize,
    root: u64,
}

/// A bucket: a tree of pages, or a page within its parent's element.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Bucket<'a> {
    Tree(u64),
    Inline(&'a [u8]),
}

/// What stands behind a key.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Entry<'a> {
    Value(&'a [u8]),
    Bucket(Bucket<'a>),
}

impl<'a> Database<'a> {
    /// Opens the newest whole state of a file.
    pub(crate) fn open(bytes: &'a [u8]) -> Result<Self, BoltError> {
        // The second meta page lies one page on, so the first one's word is needed, or a guess where it is torn.
        let first = Meta::read(bytes, 0);
        let size = first.map_or(4096, |meta| meta.page_size);
        let second = Meta::read(bytes, size);
        let newest = first.into_iter().chain(second).max_by_key(|meta| meta.transaction);
        let Meta { page_size, root, transaction: _ } = newest.ok_or(BoltError::NotBolt)?;
        Ok(Self { bytes, page_size, root })
    }

    /// The bucket that holds all others.
    pub(crate) fn root(&self) -> Bucket<'a> {
        Bucket::Tree(self.root)
    }

    /// All entries of a bucket, in the order of their keys, at most 20,000.
    pub(crate) fn entries(&self, bucket: Bucket<'a>) -> Result<Vec<(&'a [u8], Entry<'a>)>, BoltError> {
        let mut entries = Vec::new();
        match bucket {
            Bucket::Inline(page) => leaf(page, &mut entries)?,
            Bucket::Tree(root) => {
                // A damaged tree may lead in circles, so no more pages are visited than there are.
                let mut visits = self.bytes.len() / self.page_size;
                self.visit(root, 0, &mut visits, &mut entries)?;
            }
        }
        Ok(entries)
    }

    /// The bucket of a name within another; `None` where there is none.
    pub(crate) fn bucket(&self, within: Bucket<'a>, name: &[u8]) -> Result<Option<Bucket<'a>>, BoltError> {
        let entries = self.entries(within)?;
        Ok(entries.into_iter().find_map(|(key, entry)| match entry {
            Entry::Bucket(bucket) if key == name => Some(bucket),
            Entry::Bucket(_) | Entry::Value(_) => None,
        }))
    }

    fn visit(
        &self,
        id: u64,
        depth: u32,
        visits: &mut usize,
        entries: &mut Vec<(&'a [u8], Entry<'a>)>,
    ) -> Result<(), BoltError> {
        *visits = visits.checked_sub(1).ok_or(BoltError::Damaged)?;
        let page = self.page(id).ok_or(BoltError::Damaged)?;
        match u16_at(page, 8).ok_or(BoltError::Damaged)? {
            LEAF_PAGE => leaf(page, entries),
            BRANCH_PAGE if depth < DEPTH_LIMIT => {
                let count = usize::from(u16_at(page, 10).ok_or(BoltError::Damaged)?);
                for index in 0..count {
                    // pos u32, key size u32, page u64
                    let child = u64_at(page, HEADER + index * ELEMENT + 8).ok_or(BoltError::Damaged)?;
                    self.visit(child, depth + 1, visits, entries)?;
                }
                Ok(())
            }
            _ => Err(BoltError::Damaged),
        }
    }

    /// A page with those that it overflows into; a page that is not its own number's is none.
    fn page(&self, id: u64) -> Option<&'a [u8]> {
        let start = usize::try_from(id).ok()?.checked_mul(self.page_size)?;
        let page = self.bytes.get(start..)?;
        if u64_at(page, 0)? != id {
            return None;
        }
        let overflow = usize::try_from(u32_at(page, 12)?).ok()?;
        page.get(..self.page_size.checked_mul(overflow.checked_add(1)?)?)
    }
}

/// What a meta page says.
#[derive(Debug, Clone, Copy)]
struct Meta {
    page_size: usize,
    root: u64,
    transaction: u64,
}

impl Meta {
    /// Reads one; `None` unless its check sum is right.
    fn read(bytes: &[u8], start: usize) -> Option<Self> {
        // magic u32, version u32, page size u32, flags u32, root u64, sequence u64, free list u64, pages u64,
        // transaction u64, check sum u64
        let meta = bytes.get(start..)?.get(HEADER..HEADER + 64)?;
        let (checked, sum) = meta.split_at_checked(56)?;
        let good =
            u32_at(meta, 0)? == MAGIC && u32_at(meta, 4)? == VERSION && u64_at(sum, 0)? == fnv_1a(checked);
        let page_size = usize::try_from(u32_at(meta, 8)?).ok()?;
        let sane = page_size.is_power_of_two() && (1024..=1 << 20).contains(&page_size);
        (good && sane).then_some(Self { page_size, root: u64_at(meta, 16)?, transaction: u64_at(meta, 48)? })
    }
}

/// The elements of a leaf page.
fn leaf<'a>(page: &'a [u8], entries: &mut Vec<(&'a [u8], Entry<'a>)>) -> Result<(), BoltError> {
    if u16_at(page, 8) != Some(LEAF_PAGE) {
        return Err(BoltError::Damaged);
    }
    let count = usize::from(u16_at(page, 10).ok_or(BoltError::Damaged)?);
    if entries.len() + count > ENTRIES_LIMIT {
        return Err(BoltError::TooMany);
    }
    for index in 0..count {
        entries.push(element(page, HEADER + index * ELEMENT).ok_or(BoltError::Damaged)?);
    }
    Ok(())
}

/// One element of a leaf: flags u32, position from here u32, key size u32, value size u32.
fn element(page: &[u8], start: usize) -> Option<(&[u8], Entry<'_>)> {
    let size = |offset| usize::try_from(u32_at(page, start + offset)?).ok();
    let key_start = start.checked_add(size(4)?)?;
    let value_start = key_start.checked_add(size(8)?)?;
    let key = page.get(key_start..value_start)?;
    let value = page.get(value_start..value_start.checked_add(size(12)?)?)?;
    if u32_at(page, start)? & BUCKET_ELEMENT == 0 {
        return Some((key, Entry::Value(value)));
    }
    let bucket = match u64_at(value, 0)? {
        0 => Bucket::Inline(value.get(BUCKET_HEADER..)?),
        root => Bucket::Tree(root),
    };
    Some((key, Entry::Bucket(bucket)))
}

fn fnv_1a(bytes: &[u8]) -> u64 {
    bytes.iter().fold(0xcbf2_9ce4_8422_2325, |hash, byte| {
        (hash ^ u64::from(*byte)).wrapping_mul(0x0000_0100_0000_01b3)
    })
}

/// A number in the order of bytes of the machine that wrote it: of a big-endian one (IBM Z) the magic is not found.
fn u16_at(bytes: &[u8], offset: usize) -> Option<u16> {
    bytes.get(offset..)?.first_chunk().map(|chunk| u16::from_le_bytes(*chunk))
}

fn u32_at(bytes: &[u8], offset: usize) -> Option<u32> {
    bytes.get(offset..)?.first_chunk().map(|chunk| u32::from_le_bytes(*chunk))
}

fn u64_at(bytes: &[u8], offset: usize) -> Option<u64> {
    bytes.get(offset..)?.first_chunk().map(|chunk| u64::from_le_bytes(*chunk))
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;

    const PAGE: usize = 4096;

    /// What a test puts behind a key.
    #[derive(Clone)]
    pub(crate) enum Node {
        Value(&'static str),
        Inline(Vec<(&'static str, Node)>),
        /// A bucket with pages of its own.
        Tree(Vec<(&'static str, Node)>),
    }

    fn page(id: u64, flags: u16, count: usize, body: &[u8]) -> Vec<u8> {
        let pages = (HEADER + body.len()).div_ceil(PAGE);
        let mut page = id.to_le_bytes().to_vec();
        page.extend(flags.to_le_bytes());
        page.extend((count as u16).to_le_bytes());
        page.extend(((pages - 1) as u32).to_le_bytes());
        page.extend(body);
        page
    }

    fn leaf_body(nodes: &[(&str, Node)], file: &mut Vec<u8>) -> Vec<u8> {
        let mut heads = Vec::new();
        let mut data = Vec::new();
        for (index, (key, node)) in nodes.iter().enumerate() {
            let (flags, value) = match node {
                Node::Value(value) => (0_u32, value.as_bytes().to_vec()),
                Node::Inline(inner) => {
                    let body = leaf_body(inner, file);
                    let mut value = vec![0; BUCKET_HEADER];
                    value.extend(page(0, LEAF_PAGE, inner.len(), &body));
                    (BUCKET_ELEMENT, value)
                }
                Node::Tree(inner) => {
                    let root = add_tree(inner, file);
                    let mut value = root.to_le_bytes().to_vec();
                    value.extend(0_u64.to_le_bytes());
                    (BUCKET_ELEMENT, value)
                }
            };
            let position = (nodes.len() - index) * ELEMENT + data.len();
            for number in [flags, position as u32, key.len() as u32, value.len() as u32] {
                heads.extend(number.to_le_bytes());
            }
            data.extend(key.as_bytes());
            data.extend(value);
        }
        [heads, data].concat()
    }

    fn append(page: &[u8], file: &mut Vec<u8>) {
        file.extend(page);
        file.resize(file.len().next_multiple_of(PAGE), 0);
    }

    /// Two leaves below a branch.
    fn add_tree(nodes: &[(&str, Node)], file: &mut Vec<u8>) -> u64 {
        let (first, second) = nodes.split_at(nodes.len() / 2);
        let mut branch = Vec::new();
        for half in [first, second] {
            let body = leaf_body(half, file);
            let id = (file.len() / PAGE) as u64;
            append(&page(id, LEAF_PAGE, half.len(), &body), file);
            branch.extend([0; 8]);
            branch.extend(id.to_le_bytes());
        }
        let id = (file.len() / PAGE) as u64;
        append(&page(id, BRANCH_PAGE, 2, &branch), file);
        id
    }

    fn meta(id: u64, root: u64, transaction: u64) -> Vec<u8> {
        let mut body = Vec::new();
        for number in [MAGIC, VERSION, PAGE as u32, 0] {
            body.extend(number.to_le_bytes());
        }
        for number in [root, 0, 2, 0, transaction] {
            body.extend(number.to_le_bytes());
        }
        body.extend(fnv_1a(&body).to_le_bytes());
        page(id, 0x04, 0, &body)
    }

    /// A database whose root bucket holds `nodes`.
    pub(crate) fn database(nodes: &[(&str, Node)]) -> Vec<u8> {
        let mut file = vec![0; 3 * PAGE];
        let root = add_tree(nodes, &mut file);
        file[..HEADER + 64].copy_from_slice(&meta(0, 9_999, 4));
        file[PAGE..PAGE + HEADER + 64].copy_from_slice(&meta(1, root, 5));
        file
    }

    fn sample() -> Vec<u8> {
        database(&[
            ("a", Node::Value("1")),
            ("b", Node::Inline(vec![("x", Node::Value("2")), ("y", Node::Inline(Vec::new()))])),
            ("c", Node::Tree(vec![("k", Node::Value("3")), ("l", Node::Value("4")), ("m", Node::Value(""))])),
        ])
    }

    #[test]
    fn buckets_within_buckets() {
        let file = sample();
        let database = Database::open(&file).unwrap();
        let keys = |bucket| {
            let entries = database.entries(bucket).unwrap();
            entries.iter().map(|(key, _)| String::from_utf8_lossy(key).into_owned()).collect::<Vec<_>>()
        };
        assert_eq!(keys(database.root()), ["a", "b", "c"]);
        let inline = database.bucket(database.root(), b"b").unwrap().unwrap();
        assert_eq!(keys(inline), ["x", "y"]);
        let tree = database.bucket(database.root(), b"c").unwrap().unwrap();
        assert_eq!(keys(tree), ["k", "l", "m"]);
        assert_eq!(database.entries(tree).unwrap()[1].1, Entry::Value(b"4"));
        assert_eq!(database.bucket(database.root(), b"a").unwrap(), None);
        assert_eq!(database.bucket(database.root(), b"z").unwrap(), None);
    }

    #[test]
    fn a_torn_meta_page_leaves_the_other() {
        let mut file = sample();
        file[PAGE + 60] ^= 1;
        assert_eq!(Database::open(&file).unwrap().root, 9_999);
        let mut file = sample();
        file[60] ^= 1;
        assert_ne!(Database::open(&file).unwrap().root, 9_999);
        file[PAGE + 60] ^= 1;
        assert_eq!(Database::open(&file).unwrap_err(), BoltError::NotBolt);
    }

    fn walk(database: &Database<'_>, bucket: Bucket<'_>, depth: u32) {
        for (_, entry) in database.entries(bucket).unwrap_or_default() {
            if let (Entry::Bucket(bucket), true) = (entry, depth < 4) {
                walk(database, bucket, depth + 1);
            }
        }
    }

    #[test]
    fn no_damage_panics_or_hangs() {
        let file = sample();
        let mut damaged = file.clone();
        for place in 0..file.len() {
            // Most of a page is padding.
            if file[place] == 0 && place % 7 != 0 {
                continue;
            }
            damaged[place] ^= 0xff;
            if let Ok(database) = Database::open(&damaged) {
                walk(&database, database.root(), 0);
            }
            damaged[place] = file[place];
        }
        for length in (0..file.len()).step_by(61) {
            if let Ok(database) = Database::open(&file[..length]) {
                walk(&database, database.root(), 0);
            }
        }
    }

    #[test]
    fn a_tree_that_leads_in_circles_ends() {
        let mut file = sample();
        let root = Database::open(&file).unwrap().root;
        let start = root as usize * PAGE + HEADER;
        for child in [start + 8, start + ELEMENT + 8] {
            file[child..child + 8].copy_from_slice(&root.to_le_bytes());
        }
        let database = Database::open(&file).unwrap();
        assert_eq!(database.entries(database.root()), Err(BoltError::Damaged));
    }
}
