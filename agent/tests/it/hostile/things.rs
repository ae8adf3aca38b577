//! What a hostile tree may have where a source looks: one line of a table for each.
//!
//! Knows nothing of sources. What is dear to make is made once, in the stock, and moved to where it is wanted.

use std::{
    cell::RefCell,
    ffi::OsStr,
    fs::{self, File},
    io::{self, Write},
    os::unix::{
        ffi::OsStrExt,
        fs::{PermissionsExt, symlink},
        net::UnixListener,
    },
    path::{Path, PathBuf},
};

use rustix::fs::{CWD, FileType, Mode, makedev, mknodat};
use tempfile::TempDir;

use super::outside::Outside;
use Shows::{Always, InPlaceOfFile, Never};

/// Entries of a folder that is a crowd.
pub(super) const CROWD: usize = 200_000;
const CROWD_OF_FOLDERS: usize = 20_000;
/// A size of more than any source reads.
const ENDLESS: u64 = 10 << 30;
/// A size that many sources would read.
const LARGE: u64 = 63 << 20;
/// Where the original of what is replaced lies meanwhile, inside the root.
const ASIDE: &str = "aside";

/// When a thing can be told from a machine that has less.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Shows {
    Always,
    /// Where a file stood: a file is no folder, and that is all.
    InPlaceOfFile,
    Never,
}

/// One way to be hostile.
#[derive(Clone, Copy)]
pub(super) struct Thing {
    pub(super) name: &'static str,
    /// Puts it at a path that is free.
    put: fn(&Trap, &Path) -> io::Result<()>,
    /// Whether a source that finds less because of it must say so. What looks as if nothing were there, or as if all
    /// were well, can't be told.
    shows: Shows,
    /// Whether it changes while it is looked at.
    pub(super) moves: bool,
}

const fn still(name: &'static str, shows: Shows, put: fn(&Trap, &Path) -> io::Result<()>) -> Thing {
    Thing { name, put, shows, moves: false }
}

pub(super) const THINGS: &[Thing] = &[
    still("pipe", Always, |_, at| node(at, FileType::Fifo, 0)),
    still("socket", Always, |_, at| socket(at)),
    still("endless device", Always, |_, at| node(at, FileType::CharacterDevice, makedev(1, 5))),
    still("disk device", Always, |_, at| node(at, FileType::BlockDevice, makedev(7, 0))),
    still("link to file outside", Always, |trap, at| symlink(trap.outside.path().join("file"), at)),
    still("link to folder outside", Always, |trap, at| symlink(trap.outside.path().join("folder"), at)),
    still("link up and out", Always, |trap, at| symlink(climbing(&trap.outside.path().join("file")), at)),
    still("link through /proc", Always, |_, at| symlink("/proc/self/root/etc/passwd", at)),
    still("link to itself", Always, |_, at| symlink(at.file_name().unwrap_or_default(), at)),
    still("link to all", Never, |_, at| symlink("/", at)),
    still("empty folder", Never, |_, at| fs::create_dir(at)),
    still("empty file", Never, |_, at| File::create(at).map(drop)),
    still("noise", Never, |_, at| fs::write(at, noise(300_000))),
    still("10 GB of nothing", InPlaceOfFile, |_, at| File::create(at)?.set_len(ENDLESS)),
    still("63 MB of nothing", Never, |_, at| File::create(at)?.set_len(LARGE)),
    still("itself over and over", Never, Trap::put_many),
    still("crowd of files", Never, |trap, at| fs::rename(trap.stock.path().join("crowd"), at)),
    still("crowd of folders", Never, |trap, at| fs::rename(trap.stock.path().join("folders"), at)),
    still("bottomless folder", Never, |trap, at| fs::rename(trap.stock.path().join("deep"), at)),
    still("odd names", Never, Trap::put_odd_names),
    still("unreadable", Always, Trap::put_unreadable),
    Thing { name: "changes", put: Trap::put_back, shows: Never, moves: true },
    Thing { name: "turns into a link out", put: Trap::put_back, shows: Never, moves: true },
];

/// A machine, an outside that nobody may read, and a stock of hostile things.
pub(super) struct Trap {
    pub(super) root: TempDir,
    pub(super) outside: Outside,
    stock: TempDir,
    /// The first of the folders that were made for what is put.
    made: RefCell<Option<PathBuf>>,
}

impl Trap {
    /// `lay_down` makes the machine.
    pub(super) fn new(lay_down: fn(&Path)) -> Self {
        let memory = Path::new("/dev/shm");
        let folder = || {
            let folder = if memory.is_dir() { tempfile::tempdir_in(memory) } else { tempfile::tempdir() };
            let folder = folder.unwrap();
            // Another account has to come in, to be kept out of one thing.
            fs::set_permissions(folder.path(), fs::Permissions::from_mode(0o755)).unwrap();
            folder
        };
        let trap = Self {
            root: folder(),
            outside: Outside::new(folder()),
            stock: folder(),
            made: RefCell::default(),
        };
        lay_down(trap.root.path());
        fs::create_dir(trap.root.path().join(ASIDE)).unwrap();
        let at = |path: &str| trap.stock.path().join(path);
        fs::create_dir(at("crowd")).unwrap();
        (0..CROWD).for_each(|number| drop(File::create(at("crowd").join(number.to_string())).unwrap()));
        (0..CROWD_OF_FOLDERS)
            .for_each(|number| fs::create_dir_all(at("folders").join(number.to_string())).unwrap());
        fs::create_dir_all(at("deep").join("d/".repeat(1000))).unwrap();
        symlink("..", at("deep/circle")).unwrap();
        trap
    }

    /// Moves what is at a path aside and puts a thing there; `false` where the system doesn't let us, and the path is
    /// as it was.
    pub(super) fn put(&self, thing: &Thing, path: &str) -> bool {
        let at = self.root.path().join(path);
        if fs::symlink_metadata(&at).is_ok() {
            fs::rename(&at, self.aside()).unwrap();
        } else {
            let above = at.parent().unwrap();
            let made = above.ancestors().take_while(|folder| !folder.exists()).last().map(Path::to_owned);
            *self.made.borrow_mut() = made;
            // What should lead there may be a file.
            if fs::create_dir_all(above).is_err() {
                self.made.take();
                return false;
            }
        }
        let is_put = (thing.put)(self, &at).is_ok();
        if !is_put {
            self.take_away(thing, path);
        }
        is_put
    }

    /// Takes the thing away again and brings back what was there.
    pub(super) fn take_away(&self, thing: &Thing, path: &str) {
        let at = self.root.path().join(path);
        for (name, mark) in [("crowd", CROWD - 1), ("folders", CROWD_OF_FOLDERS - 1)] {
            let home = self.stock.path().join(name);
            if !home.exists() && at.join(mark.to_string()).exists() {
                fs::rename(&at, home).unwrap();
            }
        }
        let deep = self.stock.path().join("deep");
        if !deep.exists() {
            fs::rename(&at, deep).unwrap();
        }
        let aside = self.aside();
        let has_moved_back = thing.moves && fs::symlink_metadata(&aside).is_err();
        if !has_moved_back {
            remove(&at);
        }
        if fs::symlink_metadata(&aside).is_ok() {
            fs::rename(aside, at).unwrap();
        }
        if let Some(made) = self.made.take() {
            remove(&made);
        }
    }

    /// Whether a source that finds less, now that a thing stands at a path, has to say so.
    pub(super) fn shows(&self, thing: &Thing, path: &str) -> bool {
        match thing.shows {
            Always => true,
            // Of a large program the beginning alone is read, which says that it is none.
            InPlaceOfFile => self.aside().is_file() && !path.ends_with(".AppImage"),
            Never => false,
        }
    }

    fn aside(&self) -> PathBuf {
        self.root.path().join(ASIDE).join("original")
    }

    /// The original in place, for things that move.
    fn put_back(&self, at: &Path) -> io::Result<()> {
        fs::rename(self.aside(), at)
    }

    /// A file's own content until it is large.
    fn put_many(&self, at: &Path) -> io::Result<()> {
        let content = fs::read(self.aside())?;
        let mut file = File::create(at)?;
        let times = (8 << 20) / content.len().max(1);
        (0..times.min(100_000)).try_for_each(|_| file.write_all(&content))
    }

    /// A folder with what was there and names that nobody expects, as files, folders and links out.
    fn put_odd_names(&self, at: &Path) -> io::Result<()> {
        let entries = fs::read_dir(self.aside())?;
        fs::create_dir(at)?;
        for entry in entries {
            let name = entry?.file_name();
            symlink(Path::new("/").join(ASIDE).join("original").join(&name), at.join(&name))?;
        }
        let long = [b'n'; 255];
        let odd: [&[u8]; 12] = [
            b"\xff\xfe\x80",
            b"new\nline",
            b"\x1b]0;title\x07\x1b[31m",
            b" ",
            b"-rf",
            b"...",
            b"a\\x2db",
            b"%s%n%n",
            "\u{202e}gnp.exe".as_bytes(),
            b"x-1.0.dist-info",
            b"' OR 1=1 --",
            &long,
        ];
        for (number, name) in odd.iter().enumerate() {
            let at = at.join(OsStr::from_bytes(name));
            match number % 3 {
                0 => fs::write(at, noise(1000))?,
                1 => fs::create_dir(at)?,
                _ => symlink(climbing(self.outside.path()), at)?,
            }
        }
        Ok(())
    }

    /// The original, which only root may read.
    fn put_unreadable(&self, at: &Path) -> io::Result<()> {
        if fs::symlink_metadata(self.aside())?.is_symlink() {
            return Err(io::ErrorKind::Unsupported.into());
        }
        let is_folder = self.aside().is_dir();
        if is_folder {
            fs::create_dir(at)?
        } else {
            File::create(at).map(drop)?
        };
        fs::set_permissions(at, fs::Permissions::from_mode(0o000))
    }
}

fn remove(at: &Path) {
    match fs::symlink_metadata(at) {
        Err(_) => {}
        Ok(found) if found.is_dir() => fs::remove_dir_all(at).unwrap(),
        Ok(_) => fs::remove_file(at).unwrap(),
    }
}

fn node(at: &Path, kind: FileType, device: u64) -> io::Result<()> {
    Ok(mknodat(CWD, at, kind, Mode::RUSR | Mode::WUSR | Mode::ROTH, device)?)
}

fn socket(at: &Path) -> io::Result<()> {
    // The address of a socket is short, a path isn't.
    let folder = tempfile::tempdir_in(at.ancestors().find(|above| above.join(ASIDE).is_dir()).unwrap_or(at))?;
    UnixListener::bind(folder.path().join("s"))?;
    fs::rename(folder.path().join("s"), at)
}

/// A relative link that goes up further than any path is deep.
pub(super) fn climbing(target: &Path) -> PathBuf {
    Path::new(&"../".repeat(40)).join(target.strip_prefix("/").unwrap())
}

/// Bytes that look like nothing, the same at each run.
fn noise(length: usize) -> Vec<u8> {
    let mut state = 0x2545_f491_4f6c_dd1d_u64;
    (0..length)
        .map(|_| {
            state ^= state << 13;
            state ^= state >> 7;
            state ^= state << 17;
            state.to_le_bytes()[7]
        })
        .collect()
}
