//! A recorded machine may be hostile wherever a source looks: it ends in time, within bounds, tells nothing from
//! outside, and what is not hostile is read.
//!
//! Every path that any source touches is replaced in turn by every thing of a table, and the sources that may notice
//! are run. That is tens of thousands of trees: the gate tries a seeded sample, `cargo xtask prove hostile` all.

mod machine;
mod movers;
mod outside;
mod things;

use std::{
    cell::RefCell,
    collections::{BTreeMap, BTreeSet},
    env, fs,
    os::unix::process::CommandExt,
    path::Path,
    process::Command,
    time::{Duration, Instant},
};

use muster_agent::{
    collect::collect,
    host::{Content, Host, HostError, Listing, LiveFacts, Metadata, RandomRead, RecordedHost},
    sources::{SOURCES, Source},
};

use crate::fixtures::{Seeded, check_sound};
use outside::MARK;
use things::{THINGS, Thing, Trap};

/// How long one source may keep a slow and busy machine with one tree; it stops itself after ten seconds.
const PATIENCE: Duration = Duration::from_secs(15);
/// More than that in one go is hoarding, in MB; a section of 100,000 items, built and sorted, is below it.
const MEMORY_MB: u64 = 400;
/// An account that owns nothing, and how this program is told what to read as that.
const STRANGER: u32 = 65_534;
const STRANGERS_ROOT: &str = "MUSTER_STRANGERS_ROOT";
const STRANGERS_SOURCE: &str = "MUSTER_STRANGERS_SOURCE";

/// Notes the paths that are touched.
#[derive(Debug)]
struct Noting {
    host: RecordedHost,
    paths: RefCell<BTreeSet<String>>,
}

impl Noting {
    fn note(&self, path: &str) {
        self.paths.borrow_mut().insert(path.to_owned());
    }
}

impl Host for Noting {
    fn prefix(&self, path: &str, limit: usize) -> Result<Content, HostError> {
        self.note(path);
        self.host.prefix(path, limit)
    }

    fn list(&self, path: &str, limit: usize) -> Result<Listing, HostError> {
        self.note(path);
        self.host.list(path, limit)
    }

    fn link(&self, path: &str) -> Result<String, HostError> {
        self.note(path);
        self.host.link(path)
    }

    fn metadata(&self, path: &str) -> Result<Metadata, HostError> {
        self.note(path);
        self.host.metadata(path)
    }

    fn random(&self, path: &str) -> Result<Box<dyn RandomRead>, HostError> {
        self.note(path);
        self.host.random(path)
    }

    fn live(&self) -> Option<&LiveFacts> {
        None
    }
}

/// How much one source finds.
#[derive(Debug, Clone, Default)]
struct Found {
    items: usize,
    /// The subjects of its errors.
    errors: Vec<String>,
}

impl Found {
    /// Whether there is an error that has to do with a path, or one that isn't usual.
    fn tells_of(&self, path: &str, usual: &Self) -> bool {
        let below =
            |path: &str, above: &str| path.strip_prefix(above).is_some_and(|rest| rest.starts_with('/'));
        self.errors.iter().any(|error| {
            error == path || below(error, path) || below(path, error) || !usual.errors.contains(error)
        })
    }
}

/// The machine as the sources see it.
struct Seen {
    usual: BTreeMap<&'static str, Found>,
    /// Every path that is looked at or leads to one, with the sources that would notice.
    paths: BTreeMap<String, Vec<&'static dyn Source>>,
}

impl Seen {
    fn of(trap: &Trap) -> Self {
        let mut seen = Self { usual: BTreeMap::new(), paths: BTreeMap::new() };
        for source in SOURCES {
            let host =
                Noting { host: RecordedHost::open(trap.root.path()).unwrap(), paths: RefCell::default() };
            source.collect(&host);
            let mut all = BTreeSet::new();
            for path in host.paths.into_inner() {
                let path = path.trim_matches('/').to_owned();
                let above = path.match_indices('/').map(|(end, _)| path[..end].to_owned());
                all.extend(above);
                all.insert(path);
            }
            // A dot at the end asks for the folder itself.
            for path in
                all.into_iter().filter(|path| !path.is_empty() && !path.split('/').any(|part| part == "."))
            {
                seen.paths.entry(path).or_default().push(*source);
            }
            seen.usual.insert(source.name(), read(trap.root.path(), *source, source.name()));
        }
        seen
    }
}

/// What came of things at paths.
#[derive(Debug, Default)]
struct Tally {
    paths: usize,
    runs: usize,
    items: usize,
    usual_items: usize,
    errors: usize,
    longest: Duration,
    longest_at: String,
    outside: usize,
    /// Where items were lost and nothing was said.
    silent: Vec<String>,
}

/// Puts a thing at a path and runs whoever may notice; `false` where there can be no such thing.
fn try_one(trap: &Trap, seen: &Seen, thing: &Thing, path: &str, tally: &mut Tally) -> bool {
    if !trap.put(thing, path) {
        return false;
    }
    let at = trap.root.path().join(path);
    let sources = &seen.paths[path];
    if thing.moves {
        let outside = thing.name.ends_with("out").then(|| trap.outside.path());
        movers::moving(&at, outside, |moves| {
            for _ in 0..20 {
                run(trap, seen, thing, path, sources, tally);
                if moves() >= 5 {
                    break;
                }
            }
        });
    } else {
        run(trap, seen, thing, path, sources, tally);
    }
    trap.take_away(thing, path);
    tally.outside += trap.outside.accesses();
    tally.paths += 1;
    true
}

fn run(
    trap: &Trap,
    seen: &Seen,
    thing: &Thing,
    path: &str,
    sources: &[&'static dyn Source],
    tally: &mut Tally,
) {
    for source in sources {
        let context = format!("{} at {path} for {}", thing.name, source.name());
        let begun = Instant::now();
        let is_kept_out = thing.name == "unreadable" && rustix::process::geteuid().is_root();
        let found = if is_kept_out {
            as_stranger(trap, source.name())
        } else {
            read(trap.root.path(), *source, &context)
        };
        let took = begun.elapsed();
        assert!(took < PATIENCE, "{context} took {took:?}");
        let usual = &seen.usual[source.name()];
        tally.runs += 1;
        tally.items += found.items.min(usual.items);
        tally.usual_items += usual.items;
        tally.errors += found.errors.iter().filter(|error| !usual.errors.contains(error)).count();
        if found.items < usual.items && trap.shows(thing, path) && !found.tells_of(path, usual) {
            tally.silent.push(context.clone());
        }
        if took > tally.longest {
            tally.longest = took;
            tally.longest_at = context;
        }
    }
}

/// What a source finds, told by this program run anew as somebody else: root may read everything.
fn as_stranger(trap: &Trap, source: &str) -> Found {
    let mut command = Command::new(env::current_exe().unwrap());
    command
        .args(["--exact", "hostile::a_stranger_reads", "--nocapture"])
        .env(STRANGERS_ROOT, trap.root.path());
    command.env(STRANGERS_SOURCE, source).uid(STRANGER).gid(STRANGER);
    let output = command.output().expect("this program can be started by any account");
    let text = String::from_utf8_lossy(&output.stdout);
    let told = text.lines().find_map(|line| line.split_once("the stranger found ")).expect(&text).1;
    let mut told = told.split('\t');
    let items = told.next().unwrap().parse().unwrap();
    Found { items, errors: told.map(str::to_owned).collect() }
}

/// The stranger's half; does nothing unless it is asked to.
#[test]
fn a_stranger_reads() {
    let (Some(root), Ok(name)) = (env::var_os(STRANGERS_ROOT), env::var(STRANGERS_SOURCE)) else { return };
    let source = SOURCES.iter().find(|source| source.name() == name).unwrap();
    let Found { items, errors } = read(Path::new(&root), *source, "as a stranger");
    println!("the stranger found {}", [vec![items.to_string()], errors].concat().join("\t"));
}

/// Runs one source.
fn read(root: &Path, source: &dyn Source, context: &str) -> Found {
    let found = collect(&RecordedHost::open(root).unwrap(), &[source], None);
    check_sound(&found, context);
    assert!(!format!("{found:?}").contains(MARK), "{context} was read");
    let errors = found.sections.iter().flat_map(|section| &section.errors).map(|error| error.subject.clone());
    Found { items: found.items().count(), errors: errors.collect() }
}

/// Forgets the peak of this process's memory.
fn forget_peak() {
    fs::write("/proc/self/clear_refs", "5").unwrap();
}

/// A line of this process's status, in MB.
fn memory_mb(line: &str) -> u64 {
    let status = fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find_map(|found| found.strip_prefix(line)).unwrap();
    line.trim_start_matches(':').split_whitespace().next().unwrap().parse::<u64>().unwrap() / 1024
}

/// Two paths for each thing, and things that are quick at many more.
#[test]
fn whatever_stands_where_a_source_looks_does_no_harm() {
    let trap = Trap::new(machine::lay_down);
    let seen = Seen::of(&trap);
    let paths: Vec<&String> = seen.paths.keys().collect();
    assert!(paths.len() > 500, "only {} paths are looked at", paths.len());
    let mut seeded = Seeded(20_261_124);
    for thing in THINGS {
        let mut tally = Tally::default();
        let wanted = if thing.name.starts_with("crowd") { 2 } else { 12 };
        for _ in 0..60 * wanted {
            if tally.paths < wanted {
                try_one(&trap, &seen, thing, paths[seeded.below(paths.len())], &mut tally);
            }
        }
        eprintln!("{}: {} paths, longest {:?}", thing.name, tally.paths, tally.longest);
        let may_be_refused = thing.name.ends_with("device");
        assert!(
            tally.paths == wanted || may_be_refused && tally.paths == 0,
            "{}: {}",
            thing.name,
            tally.paths
        );
        assert_eq!(tally.outside, 0, "{} led outside", thing.name);
        assert_eq!(tally.silent, [] as [&str; 0], "something was lost without a word");
    }
}

/// Every thing at every path, as a table; for `cargo xtask prove hostile`.
#[test]
#[ignore = "takes minutes: cargo xtask prove hostile"]
fn every_thing_at_every_path() {
    let trap = Trap::new(machine::lay_down);
    let seen = Seen::of(&trap);
    let only = env::var("MUSTER_PROVE_THING").ok();
    let items: usize = seen.usual.values().map(|usual| usual.items).sum();
    println!(
        "{} paths that {} sources look at; {items} items on the machine as it is",
        seen.paths.len(),
        SOURCES.len()
    );
    println!(
        "{:24} {:>6} {:>7} {:>7} {:>8} {:>8} {:>7} {:>8}",
        "what", "paths", "runs", "kept", "errors", "longest", "memory", "outside"
    );
    let mut silent = Vec::new();
    for thing in THINGS.iter().filter(|thing| only.as_ref().is_none_or(|only| thing.name == only)) {
        let mut tally = Tally::default();
        forget_peak();
        let before = memory_mb("VmRSS");
        for path in seen.paths.keys() {
            try_one(&trap, &seen, thing, path, &mut tally);
        }
        let memory = memory_mb("VmHWM").saturating_sub(before);
        let kept = 100 * tally.items / tally.usual_items.max(1);
        println!(
            "{:24} {:>6} {:>7} {:>5} % {:>8} {:>5} ms {:>4} MB {:>8}",
            thing.name,
            tally.paths,
            tally.runs,
            kept,
            tally.errors,
            tally.longest.as_millis(),
            memory,
            tally.outside
        );
        eprintln!("  longest: {}", tally.longest_at);
        assert_eq!(tally.outside, 0, "{} led outside", thing.name);
        assert!(memory < MEMORY_MB, "{}: {memory} MB at once", thing.name);
        silent.extend(tally.silent);
    }
    for line in &silent {
        println!("lost without a word: {line}");
    }
    println!("{} losses without a word", silent.len());
    assert!(silent.is_empty());
}
