//! The use of applications, by the program itself: told while both sides allow it, and gone when one doesn't.

use std::{fs, path::Path};

use muster_proto::{
    carried,
    v1::{self, item::Kind},
};
use prost::Message;
use tokio::process::Command;

use crate::service::{Answer, collector, end, enrol, program, serve, within};
use crate::session::collector::report;

/// A program that runs all the while.
const PROGRAM: &str = "sleep";

fn asking(usage: bool) -> v1::AgentSettings {
    let privacy = Some(v1::PrivacyGrants { usage: Some(usage), ..v1::PrivacyGrants::default() });
    v1::AgentSettings { privacy, ..v1::AgentSettings::default() }
}

fn uses(items: &[v1::Item]) -> Vec<v1::Usage> {
    let uses = items.iter().filter_map(|item| match item.kind.clone() {
        Some(Kind::Usage(usage)) => Some(usage),
        Some(_) | None => None,
    });
    uses.collect()
}

/// The packages whose use a carried report tells.
fn carried_uses(file: &[u8]) -> Vec<v1::Usage> {
    let signed = carried::read_file(file.to_vec().into()).unwrap();
    let chunks = carried::read_report(signed.report).unwrap().chunks;
    let sections = chunks.iter().flat_map(|chunk| report(chunk).sections);
    let items: Vec<v1::Item> = sections
        .filter(|section| section.section == "usage")
        .flat_map(|section| section.upserts)
        .map(|upsert| v1::Item::decode(upsert.body).unwrap())
        .collect();
    uses(&items)
}

#[tokio::test]
async fn what_runs_is_told_while_both_sides_allow_it() {
    if !Path::new("/var/lib/dpkg/info/coreutils.list").exists() {
        println!("skipped: the coreutils of this machine are no package of dpkg");
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let collector = collector(Answer::Enrol);
    collector.reports.ask_for(asking(true));
    let port = serve(collector.clone()).await;
    let configuration = format!(
        "state_dir = \"state\"\nlog = \"error\"\n[collector]\nsession = \"localhost:{port}\"\nenroll = \"localhost:{port}\"\n\
         [privacy]\nusage = true\n"
    );
    fs::write(folder.path().join("agent.toml"), configuration).unwrap();
    enrol(folder.path(), &collector).await;
    let state = folder.path().join("state/usage");
    let _running = Command::new(PROGRAM).arg("600").env("SECRET", "plan").kill_on_drop(true).spawn().unwrap();

    let service = program(folder.path(), "run").spawn().unwrap();
    let is_coreutils =
        |usage: &v1::Usage| (usage.purl_type.as_str(), usage.name.as_str()) == ("deb", "coreutils");
    within(90, collector.reports.until_items("usage", |items| uses(items).iter().any(is_coreutils))).await;
    let told = uses(&collector.reports.items("usage"));
    println!("{} packages, such as {:?}", told.len(), told.iter().find(|usage| is_coreutils(usage)));
    for usage in &told {
        assert_eq!((usage.days_used, usage.days_watched), (Some(1), Some(1)), "{usage:?}");
        let last = usage.last_used.unwrap();
        assert_eq!((last.seconds % 86_400, last.nanos), (0, 0), "a day and no time");
        // This test is a program in nobody's package, in a folder of its own.
        assert!(!usage.name.starts_with("it-") && !usage.name.contains("muster"), "{usage:?}");
    }
    let leaves = program(folder.path(), "status").arg("--leaves").output().await.unwrap();
    let leaves = String::from_utf8_lossy(&leaves.stdout).into_owned();
    assert!(
        leaves
            .contains("source usage: on: your [privacy] usage and the organisation's charter both allow it")
    );
    assert!(leaves.contains("usage: purl_type, name, last_used"), "{leaves}");
    end(service).await;
    let kept = fs::read(&state).unwrap();
    assert!(kept.windows(9).any(|word| word == b"coreutils"));
    assert!(!kept.windows(4).any(|word| word == b"plan"));

    // Root alone reads enough of a machine for a report that is carried.
    let file = folder.path().join("report");
    let export = program(folder.path(), "export").arg("--to").arg(&file).output().await.unwrap();
    if rustix::process::geteuid().is_root() {
        assert!(export.status.success(), "{}", String::from_utf8_lossy(&export.stderr));
        assert!(carried_uses(&fs::read(&file).unwrap()).iter().any(is_coreutils));
    }

    collector.reports.ask_for(asking(false));
    let service = program(folder.path(), "run").spawn().unwrap();
    within(90, collector.reports.until_items("usage", <[_]>::is_empty)).await;
    end(service).await;
    assert!(!state.exists(), "what may not be told is not kept");
}
