//! The lines `KEY=value` that the kernel keeps of every device in its `uevent` file.
//!
//! Knows nothing of keys. One such file tells what would take a dozen attribute files.

use std::str::FromStr;

use crate::{
    host::Host,
    sources::{part::Problems, read, text},
};

/// These files are one page at most.
const LIMIT: usize = 4096;

/// What one file says.
#[derive(Debug)]
pub(crate) struct Uevent {
    bytes: Vec<u8>,
}

impl Uevent {
    /// Reads the file of the device in a folder; `None` when there is none.
    pub(crate) fn read(host: &dyn Host, folder: &str, problems: &mut Problems) -> Option<Self> {
        read::guessed(host, &format!("{folder}/uevent"), LIMIT, problems).map(Self::new)
    }

    /// Takes the content of such a file.
    pub(crate) fn new(bytes: Vec<u8>) -> Self {
        Self { bytes }
    }

    /// The bytes of a key's value; empty ones are `None`.
    pub(crate) fn raw(&self, key: &str) -> Option<&[u8]> {
        self.bytes
            .split(|byte| *byte == b'\n')
            .find_map(|line| line.strip_prefix(key.as_bytes())?.strip_prefix(b"="))
            .filter(|value| !value.is_empty())
    }

    /// The value of a key.
    pub(crate) fn text(&self, key: &str) -> Option<String> {
        text::clean(self.raw(key)?)
    }

    /// The number that a key has; anything else is `None`.
    pub(crate) fn number<T: FromStr>(&self, key: &str) -> Option<T> {
        std::str::from_utf8(self.raw(key)?).ok()?.trim().parse().ok()
    }

    /// The hexadecimal numbers of a key's value, such as `8086:0d57`, at most `N`.
    pub(crate) fn hexadecimal<const N: usize>(&self, key: &str, between: u8) -> Option<[u32; N]> {
        let mut parts = self.raw(key)?.split(|byte| *byte == between);
        let mut numbers = [0; N];
        for number in &mut numbers {
            let digits = std::str::from_utf8(parts.next()?).ok()?.trim();
            *number = u32::from_str_radix(digits, 16).ok()?;
        }
        Some(numbers)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_by_key() {
        let event =
            Uevent::new(b"DRIVER=virtio-pci\nPCI_ID=8086:0D57\nN= 12\nEMPTY=\nDRIVERS=x\n\xff=\xff".to_vec());
        assert_eq!(event.text("DRIVER").as_deref(), Some("virtio-pci"));
        assert_eq!(event.hexadecimal("PCI_ID", b':'), Some([0x8086, 0x0d57]));
        assert_eq!(event.hexadecimal::<3>("PCI_ID", b':'), None);
        assert_eq!(event.number::<u32>("N"), Some(12));
        assert_eq!(
            (event.text("EMPTY"), event.text("MISSING"), event.number::<u32>("DRIVER")),
            (None, None, None)
        );
    }
}
