//! The proof that every number which dmidecode prints of a machine is in the agent's inventory, and no other: serial
//! numbers, asset tags, part numbers, stock-keeping units, UUIDs.
//!
//! Knows nothing of how the agent reads. The tables are made here, taken from recordings beside the repository where they
//! are, mounted over this machine's own `/sys`, and given to a virtual machine, whose kernel then shows them as it would a
//! real one's; what can't be done here is skipped with its reason.

mod booted;
mod machines;
mod numbers;
mod table;

use std::env;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, ensure};
use serde_json::Value;

use crate::root;
use crate::steps::{Outcome, Steps, cargo, output_of, shown, succeeds};

const TABLES: &str = "sys/firmware/dmi/tables";
/// Entry points of 64 and of 32 bits.
const ENTRY_POINT_BYTES: [usize; 2] = [0x18, 0x1f];
const TABLE_AT: usize = 32;

/// Puts a folder's tables over the machine's own in a namespace of its own and runs the rest of the words there.
const MOUNTED: &str = r#"
set -e
mount --make-rprivate /
tables=$1; place=$2; shift 2
mkdir -p "$place"
mount -t tmpfs none "$place"
mkdir -p "$place/dmi/tables"
for folder in /sys/firmware/*/; do
    name=$(basename "$folder")
    [ "$name" = dmi ] || { mkdir "$place/$name"; mount --rbind "$folder" "$place/$name"; }
done
cp "$tables"/* "$place/dmi/tables"
mount --rbind "$place" /sys/firmware
exec "$@"
"#;

/// `words` may name one of the steps: made, recorded, mounted, booted.
pub(super) fn run(words: &[String]) -> Result<()> {
    shown(&mut cargo(&["build", "--package", "muster-agent"]))?;
    let folder = root().join("target/prove/dmi");
    fs::create_dir_all(&folder).with_context(|| format!("cannot make {}", folder.display()))?;
    let mut steps = Steps::only(words.first().map_or("", String::as_str));
    steps.step("made tables", || with_dmidecode(|| made(&folder)));
    steps.step("recorded tables", || with_dmidecode(|| recorded(&folder)));
    steps.step("tables mounted over this machine's", || with_dmidecode(|| mounted(&folder)));
    steps.step("a booted virtual machine", || with_dmidecode(|| booted::run(&folder)));
    steps.finish()
}

fn with_dmidecode(prove: impl FnOnce() -> Result<Outcome>) -> Result<Outcome> {
    if succeeds(Command::new("dmidecode").arg("--version")) {
        return prove();
    }
    Ok(Outcome::Skipped("needs dmidecode".to_owned()))
}

fn agent() -> Result<PathBuf> {
    Ok(env::current_exe()?.with_file_name("muster-agent"))
}

fn made(folder: &Path) -> Result<Outcome> {
    for table in machines::all() {
        compare(folder, table.name, &table.dump())?;
    }
    Ok(Outcome::Done)
}

/// What others recorded of real machines.
fn recorded(folder: &Path) -> Result<Outcome> {
    let dumps = env::var_os("MUSTER_FIXTURES")
        .map_or_else(|| root().join("../shared/fixtures"), PathBuf::from)
        .join("smbios");
    let Ok(entries) = fs::read_dir(&dumps) else {
        return Ok(Outcome::Skipped(format!("there is no {} (set MUSTER_FIXTURES)", dumps.display())));
    };
    let mut paths: Vec<PathBuf> =
        entries.map(|entry| entry.map(|entry| entry.path())).collect::<Result<_, _>>()?;
    paths.retain(|path| path.extension().is_some_and(|extension| extension == "bin"));
    paths.sort();
    ensure!(!paths.is_empty(), "{} has no dumps", dumps.display());
    for path in paths {
        let name = path.file_stem().unwrap_or_default().to_string_lossy();
        compare(folder, &name, &fs::read(&path)?)?;
    }
    Ok(Outcome::Done)
}

/// A dump as dmidecode reads it and as the agent does.
fn compare(folder: &Path, name: &str, dump: &[u8]) -> Result<()> {
    let folder = folder.join(name);
    let tables = folder.join("root").join(TABLES);
    fs::create_dir_all(&tables).with_context(|| format!("cannot make {}", tables.display()))?;
    let file = folder.join("dump.bin");
    fs::write(&file, dump)?;
    let [wide, narrow] = ENTRY_POINT_BYTES;
    let entry =
        dump.get(..if dump.starts_with(b"_SM3_") { wide } else { narrow }).context("no entry point")?;
    fs::write(tables.join("smbios_entry_point"), entry)?;
    fs::write(tables.join("DMI"), dump.get(TABLE_AT..).context("no table")?)?;
    let printed = output_of(Command::new("dmidecode").arg("--from-dump").arg(&file))?;
    let mut collect = Command::new(agent()?);
    collect.args(["collect", "--output", "json", "--root"]).arg(folder.join("root"));
    judge(name, &printed, &output_of(&mut collect)?)
}

/// Fails unless both told the same numbers.
fn judge(name: &str, printed: &str, collected: &str) -> Result<()> {
    let inventory: Value = serde_json::from_str(collected).context("the agent's output is no JSON")?;
    let (printed, collected) = (numbers::printed(printed), numbers::collected(&inventory));
    let (lost, made_up) = (numbers::missing(&printed, &collected), numbers::missing(&collected, &printed));
    ensure!(lost.is_empty(), "{name}: dmidecode prints and the agent lacks:\n     {}", lost.join("\n     "));
    ensure!(made_up.is_empty(), "{name}: only the agent has:\n     {}", made_up.join("\n     "));
    let count: usize = printed.values().sum();
    ensure!(count > 0, "{name}: dmidecode prints no number");
    println!("   {name}: all {count} numbers of dmidecode, and no other");
    Ok(())
}

/// The programs themselves on a machine that seems to have these tables.
fn mounted(folder: &Path) -> Result<Outcome> {
    if !rustix::process::geteuid().is_root() || !succeeds(Command::new("unshare").args(["-m", "true"])) {
        return Ok(Outcome::Skipped("needs root and unshare".to_owned()));
    }
    let agent = agent()?.display().to_string();
    for table in machines::all() {
        let tables = folder.join(format!("{} mounted", table.name));
        fs::create_dir_all(&tables).with_context(|| format!("cannot make {}", tables.display()))?;
        fs::write(tables.join("smbios_entry_point"), table.entry_point(0))?;
        fs::write(tables.join("DMI"), table.bytes())?;
        let within = |words: &[&str]| {
            let mut command = Command::new("unshare");
            command.args(["-m", "sh", "-c", MOUNTED, "sh"]).arg(&tables).arg(folder.join("over")).args(words);
            output_of(&mut command)
        };
        let collected = within(&[&agent, "collect", "--output", "json"])?;
        judge(table.name, &within(&["dmidecode"])?, &collected)?;
    }
    Ok(Outcome::Done)
}
