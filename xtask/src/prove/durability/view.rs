//! Damage to the view that the collector must be able to make again from its journal.
//!
//! Knows that the view is a folder of files, and nothing of what is in them.

use std::fs;
use std::path::Path;

use anyhow::{Context, Result, bail};

use super::Random;

/// Bits that are flipped.
const BITS: u64 = 64;

/// What happens to the view.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Damage {
    /// The folder is gone.
    Deleted,
    /// Some bits of its largest file are others.
    Flipped,
}

impl Damage {
    /// Does it.
    pub(super) fn apply(self, view: &Path, random: &mut Random) -> Result<()> {
        match self {
            Self::Deleted => {
                fs::remove_dir_all(view).with_context(|| format!("cannot delete {}", view.display()))
            }
            Self::Flipped => flip(view, random),
        }
    }
}

fn flip(view: &Path, random: &mut Random) -> Result<()> {
    let mut files = Vec::new();
    for entry in fs::read_dir(view).with_context(|| format!("cannot list {}", view.display()))? {
        let entry = entry?;
        let facts = entry.metadata()?;
        if facts.is_file() {
            files.push((facts.len(), entry.path()));
        }
    }
    let Some((1.., path)) = files.into_iter().max() else {
        bail!("{} has no file to damage", view.display());
    };
    let mut bytes = fs::read(&path)?;
    for _ in 0..BITS {
        let place = random.below(bytes.len() as u64) as usize;
        bytes[place] ^= 1 << random.below(8);
    }
    fs::write(&path, bytes).with_context(|| format!("cannot damage {}", path.display()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_largest_file_is_damaged_and_the_folder_can_go() {
        let folder = tempfile::tempdir().unwrap();
        let view = folder.path().join("view");
        fs::create_dir(&view).unwrap();
        fs::write(view.join("db"), [0; 4096]).unwrap();
        fs::write(view.join("conf"), [0; 10]).unwrap();
        Damage::Flipped.apply(&view, &mut Random(1)).unwrap();
        assert_ne!(fs::read(view.join("db")).unwrap(), [0; 4096]);
        assert_eq!(fs::read(view.join("conf")).unwrap(), [0; 10]);
        Damage::Deleted.apply(&view, &mut Random(1)).unwrap();
        assert!(Damage::Flipped.apply(&view, &mut Random(1)).is_err());
    }
}
