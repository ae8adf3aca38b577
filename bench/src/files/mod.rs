//! Files as other systems export them, made row by row: the same number of rows is always the same file.
//!
//! Knows nothing of how files are read. **To add a file**: one function here or beside, and one line in [`FILES`].

mod leases;
mod purchase;
mod staff;

use muster_common::observation::Record;

/// What an import is given.
#[derive(Debug)]
pub enum Content {
    /// The bytes of a file, for its reader.
    Bytes(Vec<u8>),
    /// Records as a reader delivers them, for what comes after it.
    Records(Vec<Record>),
}

/// One kind of file.
#[derive(Debug, Clone, Copy)]
pub struct File {
    /// The format's name; `records:…` for what has no reader here.
    pub format: &'static str,
    /// The import's name.
    pub source: &'static str,
    /// Makes it.
    pub make: fn(rows: u32) -> Content,
}

/// Every kind.
pub const FILES: &[File] = &[
    File { format: "purchase-csv", source: "purchase", make: purchase::make },
    File { format: "records:staff", source: "hr", make: staff::make },
    File { format: "records:leases", source: "dhcp", make: leases::make },
];

/// The kind by its name.
pub fn named(format: &str) -> Option<&'static File> {
    FILES.iter().find(|file| file.format == format)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_same_number_of_rows_is_the_same_file() {
        for file in FILES {
            let shown = || format!("{:?}", (file.make)(50));
            assert_eq!(shown(), shown(), "{}", file.format);
            assert!(named(file.format).is_some());
        }
    }
}
