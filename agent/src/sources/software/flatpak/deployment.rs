//! The description of a deployment, a serialised GVariant of type `(ssasta{sv})`.
//!
//! Knows just as much of that format as these five values need: strings end in NUL, eight-byte values begin at a
//! multiple of eight, and a container's offsets stand at its end, each as wide as the container's size demands. Nothing
//! is copied, and whatever does not fit is refused or left out.

/// What a deployment says of itself.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Deployment<'a> {
    /// The remote that it came from.
    pub(super) origin: &'a [u8],
    /// Installed size in bytes.
    pub(super) size_bytes: u64,
    pub(super) version: Option<&'a [u8]>,
    pub(super) display_name: Option<&'a [u8]>,
}

/// Reads a description; `None` when it is none.
pub(crate) fn read(bytes: &[u8]) -> Option<Deployment<'_>> {
    // Origin, commit, subpaths, size, metadata: the first three have an offset, the last ends where offsets begin.
    let width = offset_width(bytes.len());
    let end_of_values = bytes.len().checked_sub(3 * width)?;
    let origin_end = offset(bytes, bytes.len().checked_sub(width)?, width)?;
    let subpaths_end = offset(bytes, end_of_values, width)?;
    let size_start = aligned(subpaths_end)?;
    let metadata_start = size_start.checked_add(8)?;
    // flatpak stores this one number in network order.
    let size_bytes = u64::from_be_bytes(bytes.get(size_start..metadata_start)?.try_into().ok()?);
    let mut found = Deployment {
        origin: string(bytes.get(..origin_end)?)?,
        size_bytes,
        version: None,
        display_name: None,
    };
    for entry in Entries::of(bytes.get(metadata_start..end_of_values)?) {
        match key_and_string(entry) {
            Some((b"appdata-version", version)) => found.version = Some(version),
            Some((b"appdata-name", name)) => found.display_name = Some(name),
            Some(_) | None => {}
        }
    }
    Some(found)
}

/// The members of an array whose members vary in size and begin at multiples of eight.
struct Entries<'a> {
    array: &'a [u8],
    width: usize,
    /// Where the next member begins, before padding.
    at: usize,
    /// Where the offset of its end is.
    next_offset: usize,
}

impl<'a> Entries<'a> {
    fn of(array: &'a [u8]) -> Self {
        let width = offset_width(array.len());
        // The last offset is the end of the last member, and so the place where the offsets begin.
        let last = array.len().checked_sub(width).and_then(|at| offset(array, at, width));
        Self { array, width, at: 0, next_offset: last.unwrap_or(array.len()) }
    }
}

impl<'a> Iterator for Entries<'a> {
    type Item = &'a [u8];

    fn next(&mut self) -> Option<&'a [u8]> {
        let end = offset(self.array, self.next_offset, self.width)?;
        let entry = self.array.get(aligned(self.at)?..end)?;
        self.at = end;
        self.next_offset += self.width;
        Some(entry)
    }
}

/// A key and its value, when that is a string: `{sv}`, where a variant is its value, NUL and its type.
fn key_and_string(entry: &[u8]) -> Option<(&[u8], &[u8])> {
    let width = offset_width(entry.len());
    let end = entry.len().checked_sub(width)?;
    let key_end = offset(entry, end, width)?;
    let variant = entry.get(aligned(key_end)?..end)?;
    let value = variant.strip_suffix(b"\0s")?;
    Some((string(entry.get(..key_end)?)?, string(value)?))
}

/// Text that ends in its only NUL.
fn string(bytes: &[u8]) -> Option<&[u8]> {
    let text = bytes.strip_suffix(b"\0")?;
    (!text.contains(&0)).then_some(text)
}

/// How many bytes an offset has in a container of this size.
fn offset_width(size: usize) -> usize {
    match size {
        0..=0xff => 1,
        0x100..=0xffff => 2,
        _ => 4,
    }
}

/// A little-endian offset.
fn offset(bytes: &[u8], at: usize, width: usize) -> Option<usize> {
    let bytes = bytes.get(at..at.checked_add(width)?)?;
    Some(bytes.iter().rev().fold(0, |value, byte| (value << 8) | usize::from(*byte)))
}

/// The next multiple of eight.
fn aligned(at: usize) -> Option<usize> {
    at.checked_next_multiple_of(8)
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;

    /// As flatpak 1.14 wrote it for an application of two kilobytes.
    pub(crate) const APPLICATION: &[u8] = b"test\x006101e27d835c1d063cd55f15cf9d2fb5c55ebfaa5e262dae0186f9aeceb1f214\0\0\0\0\0\0\0\0\0\x18\0appdat\
        a-name\0\0\0\0Hello there\0\0s\x0d\0appdata-version\x0046.1\0\0s\x10deploy-version\0\0\x04\0\0\0\0i\
        \x0f\0appdata-license\0MIT\0\0s\x10\0runtime\0org.test.Platform/x86_64/23.08\0\0s\x08\0\0\0\0\0\0app\
        data-summary\0Greets\0\0s\x10\0\0\0\0\0\0timestamp\0\0\0\0\0\0\0iz\x05k\0\0\0\0\0t\x0a\x1f8Og\x92\
        \xb2\xd3F\0F\0\x05\0";
    /// As it wrote it for a runtime.
    pub(crate) const RUNTIME: &[u8] = b"test\0e02d8ba9c7bb92f9aede631dee0a11b4f9c8665d02e72bca4c855b4949fc04b4\0\0\0\0\0\0\0\0\0\x04\0deploy\
        -version\0\0\x04\0\0\0\0i\x0f\0timestamp\0\0\0\0\0\0\0iz\x05k\0\0\0\0\0t\x0a\x173FF\x05";

    #[test]
    fn what_flatpak_writes_is_read() {
        let application = Deployment {
            origin: b"test",
            size_bytes: 6144,
            version: Some(b"46.1"),
            display_name: Some(b"Hello there"),
        };
        assert_eq!(read(APPLICATION), Some(application));
        let runtime = Deployment { origin: b"test", size_bytes: 1024, version: None, display_name: None };
        assert_eq!(read(RUNTIME), Some(runtime));
    }

    #[test]
    fn nothing_in_it_can_do_harm() {
        for length in 0..APPLICATION.len() {
            read(&APPLICATION[..length]);
        }
        for at in 0..APPLICATION.len() {
            for value in [0, 1, 7, 0x7f, 0xff] {
                let mut bytes = APPLICATION.to_vec();
                bytes[at] = value;
                read(&bytes);
            }
        }
        for length in [0, 1, 3, 255, 256, 65_535, 65_536] {
            assert_eq!(read(&vec![0xff; length]), None, "{length}");
            assert_eq!(read(&vec![0; length]), None, "{length}");
        }
    }
}
