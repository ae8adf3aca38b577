//! What random bytes are put into, where a parser begins behind a frame that is another target's.
//!
//! Knows each frame just well enough that what is in it is read; nothing of what reads it.

/// An entry point cut where the kernel's file ends.
pub(super) fn smbios_entry(bytes: &[u8]) -> Vec<u8> {
    bytes[..bytes.len().min(64)].to_vec()
}

/// An answer whose body the bytes are; a head of their own makes another target.
pub(super) fn http(body: &[u8]) -> Vec<u8> {
    [b"HTTP/1.1 200 OK\r\n\r\n", body].concat()
}

/// An ndb database of one package whose header the bytes are.
pub(super) fn ndb(header: &[u8]) -> Vec<u8> {
    const PAGE: usize = 4096;
    const BLOCK: usize = 16;
    let word = |number: usize| u32::try_from(number).unwrap_or(u32::MAX).to_le_bytes();
    let blocks = (BLOCK + header.len() + 12).div_ceil(BLOCK);
    let mut file = [&b"RpmP"[..], &word(0), &word(1), &word(1), &word(2), &[0; 12]].concat();
    file.extend([&b"Slot"[..], &word(1), &word(PAGE / BLOCK), &word(blocks)].concat());
    while file.len() < PAGE {
        file.extend([&b"Slot"[..], &[0; 12]].concat());
    }
    file.extend([&b"BlbS"[..], &word(1), &word(1), &word(header.len()), header].concat());
    file.resize(PAGE + blocks * BLOCK - 12, 0);
    file.extend([&word(0)[..], &word(header.len()), b"BlbE"].concat());
    file
}
