//! One frame: how an entry's bytes stand in a segment, and how a whole frame is told from a torn one.
//!
//! Knows nothing of files and of what the payload means. The layout stands at the head of the journal.

use std::io::{self, Read};

/// What every frame begins with, so that frames can be found again behind a damaged one.
pub(super) const MAGIC: [u8; 4] = *b"MJf1";
/// The bytes of a frame before its payload.
pub(super) const HEADER_BYTES: usize = 60;
/// The longest payload: the largest commit, and the catalogue items that may ride with it.
pub(super) const MAX_PAYLOAD_BYTES: usize = 48 << 20;

/// The chain up to and including a frame.
pub(super) type Chain = [u8; 32];
/// Random bytes of a segment that enter each checksum, so that no value that an endpoint sends can look like a frame.
pub(super) type Salt = [u8; 16];

/// A frame without its payload.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct FrameHeader {
    /// The length of the payload.
    pub(super) length: usize,
    /// Its place in the journal.
    pub(super) sequence: u64,
    /// The last sequence that was known to be on disk when this frame was written.
    pub(super) durable: u64,
    /// The chain up to here.
    pub(super) chain: Chain,
}

/// Why there is no whole frame at a place.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Fault {
    /// The file ends within it.
    Short,
    /// It doesn't begin like a frame.
    Magic,
    /// It claims an impossible length.
    Length,
    /// Its bytes are not those that were written.
    Checksum,
}

/// Leaves room for a header and says where the frame begins; the payload is appended, then [`finish`] is called.
pub(super) fn begin(buffer: &mut Vec<u8>) -> usize {
    let start = buffer.len();
    buffer.resize(start + HEADER_BYTES, 0);
    start
}

/// Fills in the header of the frame that begins at `start`, and returns the chain up to it.
pub(super) fn finish(
    buffer: &mut [u8],
    start: usize,
    salt: &Salt,
    sequence: u64,
    durable: u64,
    previous: &Chain,
) -> Chain {
    let (header, payload) = buffer[start..].split_at_mut(HEADER_BYTES);
    let length = u32::try_from(payload.len()).expect("entries are bounded far below 4 GiB");
    let chain = next_chain(previous, sequence, payload);
    header[..4].copy_from_slice(&MAGIC);
    header[4..8].copy_from_slice(&length.to_le_bytes());
    header[8..16].copy_from_slice(&sequence.to_le_bytes());
    header[16..24].copy_from_slice(&durable.to_le_bytes());
    header[24..56].copy_from_slice(&chain);
    let checksum = checksum(salt, &header[4..56], payload);
    header[56..60].copy_from_slice(&checksum.to_le_bytes());
    chain
}

/// The chain after a frame with this payload.
pub(super) fn next_chain(previous: &Chain, sequence: u64, payload: &[u8]) -> Chain {
    let mut hasher = blake3::Hasher::new();
    hasher.update(previous).update(&sequence.to_le_bytes()).update(payload);
    *hasher.finalize().as_bytes()
}

fn checksum(salt: &Salt, header: &[u8], payload: &[u8]) -> u32 {
    crc32c::crc32c_append(crc32c::crc32c_append(crc32c::crc32c(salt), header), payload)
}

/// The whole frame that `bytes` begin with, and its payload.
pub(super) fn parse<'a>(bytes: &'a [u8], salt: &Salt) -> Result<(FrameHeader, &'a [u8]), Fault> {
    let (raw, rest) = bytes.split_first_chunk().ok_or(Fault::Short)?;
    let header = parse_header(raw)?;
    let payload = rest.get(..header.length).ok_or(Fault::Short)?;
    verify(raw, payload, salt)?;
    Ok((header, payload))
}

fn parse_header(raw: &[u8; HEADER_BYTES]) -> Result<FrameHeader, Fault> {
    if raw[..4] != MAGIC {
        return Err(Fault::Magic);
    }
    let length = u32::from_le_bytes(array(&raw[4..8])) as usize;
    if length > MAX_PAYLOAD_BYTES {
        return Err(Fault::Length);
    }
    Ok(FrameHeader {
        length,
        sequence: u64::from_le_bytes(array(&raw[8..16])),
        durable: u64::from_le_bytes(array(&raw[16..24])),
        chain: array(&raw[24..56]),
    })
}

fn verify(raw: &[u8; HEADER_BYTES], payload: &[u8], salt: &Salt) -> Result<(), Fault> {
    let written = u32::from_le_bytes(array(&raw[56..60]));
    if checksum(salt, &raw[4..56], payload) == written { Ok(()) } else { Err(Fault::Checksum) }
}

fn array<const N: usize>(bytes: &[u8]) -> [u8; N] {
    bytes.try_into().expect("the caller cuts as many bytes as the field has")
}

/// What [`FrameReader::next`] found.
#[derive(Debug)]
pub(super) enum Next {
    /// A whole frame; its payload is in [`FrameReader::payload`].
    Frame(FrameHeader),
    /// The file ends exactly here.
    End,
    /// No whole frame.
    Fault(Fault),
}

/// Reads frames one after the other.
#[derive(Debug)]
pub(super) struct FrameReader<R> {
    source: R,
    salt: Salt,
    offset: u64,
    payload: Vec<u8>,
}

impl<R: Read> FrameReader<R> {
    /// Reads from `source`, which stands at `offset` of its segment.
    pub(super) fn new(source: R, salt: Salt, offset: u64) -> Self {
        Self { source, salt, offset, payload: Vec::new() }
    }

    /// Where the next frame begins; after a fault, where the faulty one does.
    pub(super) fn offset(&self) -> u64 {
        self.offset
    }

    /// The payload of the frame that was returned last.
    pub(super) fn payload(&self) -> &[u8] {
        &self.payload
    }

    /// The next frame. After anything but a frame there is nothing more to read.
    pub(super) fn next(&mut self) -> io::Result<Next> {
        let mut raw = [0; HEADER_BYTES];
        match read_up_to(&mut self.source, &mut raw)? {
            0 => return Ok(Next::End),
            HEADER_BYTES => {}
            _ => return Ok(Next::Fault(Fault::Short)),
        }
        let header = match parse_header(&raw) {
            Ok(header) => header,
            Err(fault) => return Ok(Next::Fault(fault)),
        };
        self.payload.clear();
        // `take` and not a buffer of the claimed length, so that a damaged length allocates no more than there is.
        let read = (&mut self.source).take(header.length as u64).read_to_end(&mut self.payload)?;
        if read < header.length {
            return Ok(Next::Fault(Fault::Short));
        }
        if let Err(fault) = verify(&raw, &self.payload, &self.salt) {
            return Ok(Next::Fault(fault));
        }
        self.offset += (HEADER_BYTES + header.length) as u64;
        Ok(Next::Frame(header))
    }
}

fn read_up_to(source: &mut impl Read, buffer: &mut [u8]) -> io::Result<usize> {
    let mut filled = 0;
    while filled < buffer.len() {
        match source.read(&mut buffer[filled..]) {
            Ok(0) => break,
            Ok(read) => filled += read,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    Ok(filled)
}

#[cfg(test)]
mod tests {
    use super::*;

    const SALT: Salt = [3; 16];

    fn frame(payload: &[u8]) -> Vec<u8> {
        let mut buffer = Vec::new();
        let start = begin(&mut buffer);
        buffer.extend_from_slice(payload);
        finish(&mut buffer, start, &SALT, 7, 6, &[1; 32]);
        buffer
    }

    #[test]
    fn a_frame_reads_back() {
        let bytes = frame(b"payload");
        let (header, payload) = parse(&bytes, &SALT).unwrap();
        assert_eq!((header.sequence, header.durable, payload), (7, 6, b"payload".as_slice()));
        assert_eq!(header.chain, next_chain(&[1; 32], 7, b"payload"));
    }

    #[test]
    fn every_flipped_bit_and_every_cut_is_a_fault() {
        let bytes = frame(b"payload");
        for bit in 0..bytes.len() * 8 {
            let mut flipped = bytes.clone();
            flipped[bit / 8] ^= 1 << (bit % 8);
            assert!(parse(&flipped, &SALT).is_err(), "bit {bit}");
        }
        for cut in 0..bytes.len() {
            assert!(parse(&bytes[..cut], &SALT).is_err(), "cut at {cut}");
        }
    }

    #[test]
    fn a_frame_of_another_segment_is_a_fault() {
        assert_eq!(parse(&frame(b"payload"), &[4; 16]), Err(Fault::Checksum));
    }
}
