//! Opens the view, but believes it only after every record was read and the whole adds up to what it says of itself.
//!
//! Knows nothing of the journal but the name of the store. Damage can make sled return an error, panic, go on for ever
//! or open with records missing: each of them is the same answer here, "not usable", and the caller makes it again.

use std::{
    fs,
    panic::{AssertUnwindSafe, catch_unwind},
    path::Path,
    sync::{RwLock, mpsc},
    thread,
    time::{Duration, Instant},
};

use sled::Db;

use crate::store::{
    StoreError, files,
    sled::{View, read_record, record, record::Head, summary::Summary},
};

/// How long reading the whole view may take at least; larger ones are given a second more for each 4 MiB.
const LEAST_TIME: Duration = Duration::from_secs(60);
/// How long to wait for the previous user of the files within this process to let go of them.
const LOCK_PATIENCE: Duration = Duration::from_secs(5);

/// A view that is as it was written.
#[derive(Debug)]
pub(crate) struct Probed {
    /// The view.
    pub(crate) view: View,
    /// The digests of the catalogue items, from number 1.
    pub(crate) catalogue: Vec<[u8; 16]>,
}

/// Opens the view in `folder` for the journal `store`, new if nothing is there.
///
/// `Ok(Err(why))` when it can't be used: it is to be moved away and made again.
pub(crate) fn open(
    folder: &Path,
    store: [u8; 16],
    cache_bytes: u64,
) -> Result<Result<Probed, String>, StoreError> {
    files::make_folder(folder)?;
    let bytes = remove_unfinished(folder)?;
    let limit = LEAST_TIME + Duration::from_secs(bytes >> 22);
    let (sender, receiver) = mpsc::channel();
    let path = folder.to_owned();
    let probe = move || {
        let probed = catch_unwind(AssertUnwindSafe(|| probe(&path, store, cache_bytes)));
        // The receiver has gone if this took too long, and then nobody wants to know.
        let _ = sender.send(probed);
    };
    thread::Builder::new()
        .name("store-probe".into())
        .spawn(probe)
        .map_err(StoreError::io("start a thread to read", folder))?;
    Ok(match receiver.recv_timeout(limit) {
        Ok(Ok(Ok(probed))) => Ok(probed),
        Ok(Ok(Err(why))) => Err(why),
        Ok(Err(_)) => Err("its engine panicked".to_owned()),
        Err(_) => Err(format!("reading it took longer than {} seconds", limit.as_secs())),
    })
}

/// Removes what a crash while opening left, which sled would take for a snapshot; returns the size of what is there.
fn remove_unfinished(folder: &Path) -> Result<u64, StoreError> {
    let mut bytes = 0;
    for entry in fs::read_dir(folder).map_err(StoreError::io("list", folder))? {
        let entry = entry.map_err(StoreError::io("list", folder))?;
        let path = entry.path();
        let unfinished = path
            .file_name()
            .and_then(|name| name.to_str())
            .is_some_and(|name| name.starts_with("snap.") && name.ends_with(".generating"));
        if unfinished {
            fs::remove_file(&path).map_err(StoreError::io("remove", &path))?;
        } else {
            bytes += entry.metadata().map_or(0, |metadata| metadata.len());
        }
    }
    Ok(bytes)
}

fn probe(folder: &Path, store: [u8; 16], cache_bytes: u64) -> Result<Probed, String> {
    let db = open_database(folder, cache_bytes)?;
    let (found, catalogue) = read_everything(&db)?;
    let kept = match db.get(record::STATE).map_err(|error| error.to_string())? {
        Some(bytes) => Summary::decode(&bytes).ok_or("its state is not as it was written")?,
        None if found == Summary::default() => Summary::new(store),
        None => return Err("it has records but no state".to_owned()),
    };
    if kept.store != store {
        return Err("it was made from another journal".to_owned());
    }
    if let Some(difference) = kept.difference(&found) {
        return Err(format!("it has {difference}"));
    }
    let view = View { db, folder: folder.to_owned(), summary: RwLock::new(kept) };
    Ok(Probed { view, catalogue })
}

fn open_database(folder: &Path, cache_bytes: u64) -> Result<Db, String> {
    let started = Instant::now();
    loop {
        // Its own timer is off: a flush that doesn't reach the drive is worth nothing, and checkpoints do both.
        let opened = sled::Config::new().path(folder).cache_capacity(cache_bytes).flush_every_ms(None).open();
        match opened {
            Ok(db) => return Ok(db),
            Err(error)
                if error.to_string().contains("could not acquire lock")
                    && started.elapsed() < LOCK_PATIENCE =>
            {
                thread::sleep(Duration::from_millis(20));
            }
            Err(error) => return Err(error.to_string()),
        }
    }
}

/// Reads every record, and says what the view's state should be if this is all.
fn read_everything(db: &Db) -> Result<(Summary, Vec<[u8; 16]>), String> {
    let mut found = Summary::default();
    let mut catalogue = Vec::new();
    let mut pieces_needed = 0_u64;
    let mut pieces_found = 0_u64;
    for item in db.iter() {
        let (place, bytes) = item.map_err(|error| error.to_string())?;
        match place.first() {
            Some(&record::RECORDS) => {
                let key = record::key_of(&place).ok_or("a key has an impossible length")?;
                let wrong = || format!("the record of key {key} is not as it was written");
                let versioned = read_record(db, key.as_bytes(), &bytes).map_err(|error| error.to_string())?;
                let (head, _) = Head::read(&bytes).ok_or_else(wrong)?;
                versioned.ok_or_else(wrong)?;
                pieces_needed += u64::from(head.further_pieces());
                found.add(key.as_bytes(), &head);
            }
            Some(&record::PIECES) => pieces_found += 1,
            Some(&record::CATALOGUE) => {
                let number =
                    u32::try_from(catalogue.len() + 1).map_err(|_| "it has too many catalogue items")?;
                if *place != record::catalogue_key(number) {
                    return Err(format!("catalogue item {number} is missing"));
                }
                let (digest, _) = record::read_catalogue(number, &bytes)
                    .ok_or_else(|| format!("catalogue item {number} is not as it was written"))?;
                found.add_catalogue(number, &bytes);
                catalogue.push(digest);
            }
            _ if *place == *record::STATE => {}
            _ => return Err(format!("it has an unknown key {}", place.escape_ascii())),
        }
    }
    if pieces_needed != pieces_found {
        return Err(format!(
            "it has {pieces_found} pieces of long values where {pieces_needed} were written"
        ));
    }
    Ok((found, catalogue))
}
