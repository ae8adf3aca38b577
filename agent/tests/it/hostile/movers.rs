//! Files and folders that change while they are read.
//!
//! Knows nothing of sources. Whatever happens to a path, it is in the end as it was.

use std::{
    fs,
    io::Write,
    path::Path,
    sync::atomic::{AtomicBool, AtomicUsize, Ordering},
    thread,
};

use rustix::fs::{CWD, RenameFlags, renameat_with};

use super::things::climbing;
use crate::fixtures::Seeded;

/// Runs `while_it_moves` while the path is changed, or swapped with a link to `outside`, as fast as it goes.
///
/// `while_it_moves` hears how often it moved so far.
pub(super) fn moving<R>(
    path: &Path,
    outside: Option<&Path>,
    while_it_moves: impl FnOnce(&dyn Fn() -> usize) -> R,
) -> R {
    let stop = AtomicBool::new(false);
    let moves = AtomicUsize::new(0);
    thread::scope(|scope| {
        let mover = scope.spawn(|| {
            let mut seeded = Seeded(7);
            let content = fs::read(path).ok();
            let decoy = outside.map(|outside| decoy(path, outside));
            while !stop.load(Ordering::Relaxed) {
                match (&decoy, &content) {
                    (Some(decoy), _) => {
                        swap(path, decoy.as_ref());
                        swap(path, decoy.as_ref());
                    }
                    (None, Some(content)) => change_file(path, content, &mut seeded),
                    (None, None) => change_folder(path, &mut seeded),
                }
                moves.fetch_add(1, Ordering::Relaxed);
                thread::yield_now();
            }
            if let Some(decoy) = decoy {
                fs::remove_file(decoy).unwrap();
            } else if let Some(content) = content {
                fs::write(path, content).unwrap();
            }
        });
        let result = while_it_moves(&|| moves.load(Ordering::Relaxed));
        stop.store(true, Ordering::Relaxed);
        mover.join().unwrap();
        result
    })
}

/// A link to the outside beside a path.
fn decoy(path: &Path, outside: &Path) -> std::path::PathBuf {
    let decoy = path.with_file_name("decoy-7d20");
    let target = outside.join(if path.is_dir() { "folder" } else { "file" });
    std::os::unix::fs::symlink(climbing(&target), &decoy).unwrap();
    decoy
}

fn swap(left: &Path, right: &Path) {
    renameat_with(CWD, left, CWD, right, RenameFlags::EXCHANGE).unwrap();
}

fn change_file(path: &Path, content: &[u8], seeded: &mut Seeded) {
    match seeded.below(5) {
        // Shorter than when it was looked at.
        0 => fs::File::options()
            .write(true)
            .open(path)
            .unwrap()
            .set_len(seeded.below(content.len() + 1) as u64)
            .unwrap(),
        // Longer, bit by bit.
        1 => (0..20).for_each(|_| {
            let mut file = fs::File::options().append(true).open(path).unwrap();
            file.write_all(content).unwrap();
        }),
        2 => fs::write(path, vec![b'\n'; seeded.below(300_000)]).unwrap(),
        3 => fs::write(path, content).unwrap(),
        // Another file, half written and then put in its place.
        _ => {
            let next = path.with_file_name("next-7d20");
            fs::write(&next, &content[..seeded.below(content.len() + 1)]).unwrap();
            fs::rename(next, path).unwrap();
        }
    }
}

fn change_folder(path: &Path, seeded: &mut Seeded) {
    match seeded.below(2) {
        0 => {
            let elsewhere = path.with_file_name("elsewhere-7d20");
            fs::rename(path, &elsewhere).unwrap();
            fs::rename(elsewhere, path).unwrap();
        }
        _ => {
            let guest = path.join(format!("guest-{}", seeded.below(1000)));
            fs::create_dir(&guest).unwrap();
            fs::remove_dir(guest).unwrap();
        }
    }
}
