//! The files of a package, from its header: names, folders, and for each name the number of its folder.
//!
//! Read only when somebody asks whose a file is, which is seldom; the packages themselves are read without.

use crate::sources::software::rpm::record::{Fault, Record, number::u32_be};

/// Longer headers, which no package has, are passed over.
const HEADER_LIMIT: u64 = 16 << 20;
const PREAMBLE: usize = 8;
const ENTRY: usize = 16;

const FOLDER_NUMBERS: u32 = 1116;
const NAMES: u32 = 1117;
const FOLDERS: u32 = 1118;

/// Hands over each file: its folder with the closing slash, and its name.
pub(super) fn each(record: &mut dyn Record, mut each: impl FnMut(&[u8], &[u8])) -> Result<(), Fault> {
    let malformed = Fault::Malformed;
    let length = usize::try_from(record.length().min(HEADER_LIMIT + 1)).unwrap_or(usize::MAX);
    if record.length() > HEADER_LIMIT {
        return Err(Fault::TooLarge("a header's list of files"));
    }
    let mut bytes = vec![0; length];
    record.read_at(0, &mut bytes)?;
    let count = usize::try_from(u32_be(&bytes, 0)).unwrap_or(usize::MAX);
    let index = count.checked_mul(ENTRY).and_then(|end| bytes.get(PREAMBLE..PREAMBLE.checked_add(end)?));
    let index = index.ok_or(malformed("a header's index is longer than the header"))?;
    let store = bytes.get(PREAMBLE + index.len()..).unwrap_or_default();

    let value = |tag: u32| {
        let entry = index.chunks_exact(ENTRY).rfind(|entry| u32_be(entry, 0) == tag)?;
        let place = usize::try_from(u32_be(entry, 8)).ok()?;
        Some((store.get(place..)?, usize::try_from(u32_be(entry, 12)).ok()?))
    };
    let (Some((names, count)), Some((folders, folder_count)), Some((numbers, _))) =
        (value(NAMES), value(FOLDERS), value(FOLDER_NUMBERS))
    else {
        // A package without files.
        return Ok(());
    };
    let folders: Vec<&[u8]> =
        folders.split(|byte| *byte == 0).take(folder_count.min(folders.len())).collect();
    let numbers =
        numbers.chunks_exact(4).map(|number| usize::try_from(u32_be(number, 0)).unwrap_or(usize::MAX));
    for (name, number) in names.split(|byte| *byte == 0).take(count).zip(numbers) {
        let folder =
            folders.get(number).ok_or(malformed("a file lies in a folder that its header does not name"))?;
        each(folder, name);
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sources::software::rpm::testing::Builder;

    fn listed(names: &[u8], count: u32, folders: &[u8], numbers: &[u32]) -> Result<Vec<String>, String> {
        let mut builder = Builder::default();
        builder.text(1000, "bash");
        let bytes: Vec<u8> = numbers.iter().flat_map(|number| number.to_be_bytes()).collect();
        builder.add(FOLDER_NUMBERS, 4, count, &bytes);
        builder.add(NAMES, 8, count, names);
        builder.add(FOLDERS, 8, 2, folders);
        let header = builder.bytes();
        let mut found = Vec::new();
        let result = each(&mut header.as_slice(), |folder, name| {
            found.push(String::from_utf8_lossy(&[folder, name].concat()).into_owned());
        });
        result.map(|()| found).map_err(|fault| fault.to_string())
    }

    #[test]
    fn names_are_put_into_their_folders() {
        let folders = b"/usr/bin/\0/etc/\0";
        assert_eq!(
            listed(b"bash\0sh\0bashrc\0", 3, folders, &[0, 0, 1]).unwrap(),
            ["/usr/bin/bash", "/usr/bin/sh", "/etc/bashrc"]
        );
        let error = listed(b"bash\0", 1, folders, &[7]).unwrap_err();
        assert_eq!(error, "a file lies in a folder that its header does not name");
        assert!(listed(b"bash\0", u32::MAX, folders, &[0]).is_err(), "a count is no promise");
    }

    #[test]
    fn nonsense_ends() {
        for bytes in [&b""[..], &[0xff; 8], &[0, 0, 0, 1, 0, 0, 0, 0], &[0, 0, 0, 0, 0, 0, 0, 9]] {
            let mut record = bytes;
            assert!(each(&mut record, |_, _| panic!("no file")).is_err() || bytes.get(3) == Some(&0));
        }
    }
}
