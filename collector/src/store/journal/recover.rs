//! Where the newest segment really ends, after whatever stopped the process or the machine.
//!
//! Knows nothing of the view. It only reads; cutting is the journal's work.
//!
//! A frame that isn't whole is a torn tail if nobody was ever told that it is durable. It is damage when a later whole
//! frame says that this one was on disk already, or when `known_durable` says so: then nothing is cut.

use std::{
    fs::File,
    io::{BufReader, Read, Seek, SeekFrom},
    path::Path,
};

use crate::store::{
    StoreError,
    journal::{
        Mark,
        frame::{self, Chain, Fault, FrameReader, Next},
        push_mark,
        segment::{self, SegmentHeader},
    },
};

/// How the newest segment ends.
#[derive(Debug)]
pub(super) struct Recovered {
    /// The last whole frame, or the one before the segment.
    pub(super) sequence: u64,
    /// The chain up to it.
    pub(super) chain: Chain,
    /// Where it ends.
    pub(super) end: u64,
    /// How many bytes of a torn tail follow.
    pub(super) torn_bytes: u64,
    /// Places of some of the frames.
    pub(super) marks: Vec<Mark>,
}

/// Reads the segment to its end.
pub(super) fn recover(
    path: &Path,
    header: &SegmentHeader,
    known_durable: u64,
) -> Result<Recovered, StoreError> {
    let mut file = File::open(path).map_err(StoreError::io("open", path))?;
    let length = file.metadata().map_err(StoreError::io("read", path))?.len();
    file.seek(SeekFrom::Start(segment::HEADER_BYTES as u64)).map_err(StoreError::io("read", path))?;
    let mut frames = FrameReader::new(
        BufReader::with_capacity(256 << 10, &file),
        header.salt,
        segment::HEADER_BYTES as u64,
    );
    let mut recovered = Recovered {
        sequence: header.first - 1,
        chain: header.chain,
        end: segment::HEADER_BYTES as u64,
        torn_bytes: 0,
        marks: Vec::new(),
    };
    let fault = loop {
        let offset = frames.offset();
        match frames.next().map_err(StoreError::io("read", path))? {
            Next::End => break None,
            Next::Fault(fault) => break Some(fault),
            Next::Frame(found) => {
                let sequence = recovered.sequence + 1;
                let chain = frame::next_chain(&recovered.chain, sequence, frames.payload());
                if found.sequence != sequence || found.chain != chain {
                    return Err(out_of_chain(path, offset, sequence));
                }
                push_mark(&mut recovered.marks, Mark { sequence, offset });
                recovered.sequence = sequence;
                recovered.chain = chain;
                recovered.end = frames.offset();
            }
        }
    };
    if let Some(fault) = fault {
        let torn = recovered.sequence + 1;
        if let Some(later) = later_witness(&file, path, header, recovered.end, torn)? {
            return Err(StoreError::damaged(
                path,
                format!(
                    "entry {torn} at byte {} is {}, though entry {later} stands behind it: restore a backup",
                    recovered.end,
                    describe(fault)
                ),
            ));
        }
        recovered.torn_bytes = length - recovered.end;
    }
    if recovered.sequence < known_durable {
        return Err(StoreError::damaged(
            path,
            format!(
                "it ends with entry {}, though entry {known_durable} was acknowledged: restore a backup",
                recovered.sequence
            ),
        ));
    }
    Ok(recovered)
}

/// The sequence of a whole frame behind `end` that was written when `torn` was on disk already.
fn later_witness(
    mut file: &File,
    path: &Path,
    header: &SegmentHeader,
    end: u64,
    torn: u64,
) -> Result<Option<u64>, StoreError> {
    let mut rest = Vec::new();
    file.seek(SeekFrom::Start(end))
        .and_then(|_| file.read_to_end(&mut rest))
        .map_err(StoreError::io("read", path))?;
    let most = torn + (rest.len() / frame::HEADER_BYTES) as u64;
    for start in 1..rest.len().saturating_sub(frame::HEADER_BYTES - 1) {
        if rest[start..start + 4] != frame::MAGIC {
            continue;
        }
        if let Ok((found, _)) = frame::parse(&rest[start..], &header.salt)
            && found.durable >= torn
            && (torn + 1..=most).contains(&found.sequence)
        {
            return Ok(Some(found.sequence));
        }
    }
    Ok(None)
}

pub(super) fn out_of_chain(path: &Path, offset: u64, sequence: u64) -> StoreError {
    StoreError::damaged(
        path,
        format!("what stands at byte {offset} does not follow entry {}: restore a backup", sequence - 1),
    )
}

/// The fault in words.
pub(super) fn describe(fault: Fault) -> &'static str {
    match fault {
        Fault::Short => "cut short",
        Fault::Magic => "overwritten",
        Fault::Length => "of an impossible length",
        Fault::Checksum => "not what was written",
    }
}
