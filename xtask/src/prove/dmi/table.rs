//! Writes SMBIOS tables of machines that don't exist: entry points, structures and texts, as DSP0134 lays them out.
//!
//! Knows nothing of how anybody reads them. The offsets stand here a second time on purpose: what reader and writer have in
//! common, no comparison between them would find.

/// A table, and the entry point before it.
pub(super) struct Table {
    pub(super) name: &'static str,
    version: (u8, u8),
    count: u16,
    bytes: Vec<u8>,
}

/// One structure while it is written.
pub(super) struct Structure {
    bytes: Vec<u8>,
    texts: Vec<Vec<u8>>,
}

impl Structure {
    pub(super) fn byte(&mut self, offset: usize, value: u8) -> &mut Self {
        self.put(offset, &[value])
    }

    pub(super) fn word(&mut self, offset: usize, value: u16) -> &mut Self {
        self.put(offset, &value.to_le_bytes())
    }

    pub(super) fn put(&mut self, offset: usize, value: &[u8]) -> &mut Self {
        self.bytes[offset..offset + value.len()].copy_from_slice(value);
        self
    }

    /// A text, by its number in the structure's set.
    pub(super) fn text(&mut self, offset: usize, text: impl AsRef<[u8]>) -> &mut Self {
        self.texts.push(text.as_ref().to_vec());
        let number = u8::try_from(self.texts.len()).unwrap_or(u8::MAX);
        self.byte(offset, number)
    }
}

impl Table {
    pub(super) fn new(name: &'static str, version: (u8, u8)) -> Self {
        Self { name, version, count: 0, bytes: Vec::new() }
    }

    /// Adds a structure of a type and a length; its handle is its number in the table.
    pub(super) fn add(&mut self, kind: u8, length: u8, write: impl FnOnce(&mut Structure)) -> &mut Self {
        let mut structure = Structure { bytes: vec![0; usize::from(length)], texts: Vec::new() };
        let handle = 0x0100 + self.count;
        structure.byte(0, kind).byte(1, length).word(2, handle);
        write(&mut structure);
        self.bytes.extend(&structure.bytes);
        for text in &structure.texts {
            self.bytes.extend(text);
            self.bytes.push(0);
        }
        self.bytes.extend(if structure.texts.is_empty() { &[0, 0][..] } else { &[0] });
        self.count += 1;
        self
    }

    /// Ends the table.
    pub(super) fn end(mut self) -> Self {
        self.add(127, 4, |_| {});
        self
    }

    /// The structures.
    pub(super) fn bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// The entry point for a table at an address: of 64 bits since version 3, of 32 before.
    pub(super) fn entry_point(&self, address: u8) -> Vec<u8> {
        let (major, minor) = self.version;
        let length = self.bytes.len();
        let sum = |bytes: &[u8]| bytes.iter().fold(0u8, |sum, byte| sum.wrapping_add(*byte)).wrapping_neg();
        if major >= 3 {
            let mut entry = b"_SM3_\0\x18".to_vec();
            entry.extend([major, minor, 0, 1, 0]);
            entry.extend(u32::try_from(length).unwrap_or(u32::MAX).to_le_bytes());
            entry.extend(u64::from(address).to_le_bytes());
            entry[5] = sum(&entry);
            return entry;
        }
        let mut entry = b"_SM_\0\x1f".to_vec();
        entry.extend([major, minor, 0xff, 0, 0, 0, 0, 0, 0, 0]);
        entry.extend(b"_DMI_\0");
        entry.extend(u16::try_from(length).unwrap_or(u16::MAX).to_le_bytes());
        entry.extend(u32::from(address).to_le_bytes());
        entry.extend(self.count.to_le_bytes());
        entry.push(major << 4 | minor);
        entry[0x15] = sum(&entry[0x10..]);
        entry[4] = sum(&entry);
        entry
    }

    /// As dmidecode dumps it: the entry point, then the table at byte 32.
    pub(super) fn dump(&self) -> Vec<u8> {
        let mut dump = self.entry_point(32);
        dump.resize(32, 0);
        dump.extend(&self.bytes);
        dump
    }
}
