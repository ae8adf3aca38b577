//! `muster audit verify`: walks the whole log and does its arithmetic again here, since a collector that was tampered
//! with would say that all is well; then holds it against heads that were kept elsewhere.

use std::{
    collections::BTreeMap,
    fs::File,
    io::{BufRead, BufReader},
    path::PathBuf,
};

use muster_common::audit::{AuditDigest, SignedHead, Walk};
use muster_proto::{
    convert::audit_entry_from_wire,
    v1::{AuditEntry, SignAuditHeadRequest, WalkAuditLogRequest, WalkAuditLogResponse},
};
use serde_json::json;

use super::super::grouped;
use crate::{
    connection::{Session, ask_patiently},
    failure::{Failure, Kind},
    output::{Answer, Cell, Column, Document, Grid, Tone, visible},
};

/// Problems that are told one by one; of more, their number.
const TOLD: usize = 50;
/// The longest line of a file of heads that is looked at, in bytes; syslog's may be long.
const LINE_BYTES: usize = 64 * 1024;

/// The words of verify.
#[derive(Debug, clap::Args)]
pub(super) struct Verify {
    /// A file of signed heads that was kept where the collector's keepers can't change it; lines of syslog will do
    #[arg(long, value_name = "FILE")]
    heads: Vec<PathBuf>,
    /// The key that signs heads, as it was noted when the collector was set up (else the collector's word is taken)
    #[arg(long, value_name = "HEX")]
    key: Option<AuditDigest>,
}

/// What checking found.
#[derive(Debug, Default)]
struct Check {
    walk: Walk,
    /// Heads by the number of their entry, with the file that they are from.
    heads: BTreeMap<u64, Vec<(SignedHead, String)>>,
    /// Heads that the log was held against.
    matched: u64,
    compared: u64,
    pruned: u64,
    waiting: u64,
    key: String,
    problems: Vec<String>,
    /// Of those that are not in `problems`.
    more: u64,
}

/// Walks the log and tells what is wrong with it.
pub(super) async fn run(words: &Verify, session: &Session) -> Result<(Answer, Option<Failure>), Failure> {
    let mut audit = session.audit.clone();
    let signed = session.explain(audit.sign_audit_head(ask_patiently(SignAuditHeadRequest {})).await)?;
    let now = SignedHead::parse(&signed.line).filter(|head| head.verify().is_ok()).ok_or_else(|| {
        Failure::new(Kind::Failed, "the collector's own head is not signed", "look at the collector's log")
    })?;
    let mut check = Check { key: now.key_text(), ..Check::default() };
    let trusted = words.key.map_or_else(|| now.key_text(), |key| key.to_string());
    if now.key_text() != trusted {
        check.problem(format!("the collector signs with another key: {}", now.key_text()));
    }
    let domain = now.head.trust_domain.to_string();
    check.add_head(now, "the collector".to_owned(), &trusted, &domain);
    for path in &words.heads {
        let name = path.display().to_string();
        let unreadable = |error: std::io::Error| {
            Failure::new(Kind::Usage, format!("{name} can't be read: {error}"), "name a file of signed heads")
        };
        let heads = read_heads(path).map_err(unreadable)?;
        if heads.is_empty() {
            check.problem(format!("{name} holds no signed head"));
        }
        for head in heads {
            check.add_head(head, name.clone(), &trusted, &domain);
        }
    }
    loop {
        let request = WalkAuditLogRequest { after_number: check.walk.number() };
        let page = session.explain(audit.walk_audit_log(ask_patiently(request)).await)?;
        let before = check.walk.number();
        let is_last = page.entries.is_empty();
        check.take(page);
        if is_last || check.walk.number() == before {
            break;
        }
    }
    check.end();
    Ok(check.told())
}

fn read_heads(path: &PathBuf) -> std::io::Result<Vec<SignedHead>> {
    let mut lines = BufReader::new(File::open(path)?);
    let mut heads = Vec::new();
    let mut line = Vec::new();
    loop {
        line.clear();
        if std::io::Read::take(&mut lines, LINE_BYTES as u64).read_until(b'\n', &mut line)? == 0 {
            return Ok(heads);
        }
        heads.extend(SignedHead::parse(&String::from_utf8_lossy(&line)));
    }
}

impl Check {
    fn problem(&mut self, problem: String) {
        if self.problems.len() < TOLD {
            self.problems.push(problem);
        } else {
            self.more += 1;
        }
    }

    /// Takes a head to hold the log against, if it is what the key signed.
    fn add_head(&mut self, head: SignedHead, from: String, key: &str, domain: &str) {
        let said = format!("the head of entry {} in {from}", head.head.number);
        if head.key_text() != key {
            self.problem(format!("{said} is signed with another key: {}", head.key_text()));
        } else if head.verify().is_err() {
            self.problem(format!("{said} is forged: the signature is not the key's"));
        } else if head.head.trust_domain.to_string() != domain {
            self.problem(format!("{said} is of another collector: {}", head.head.trust_domain));
        } else {
            self.heads.entry(head.head.number).or_default().push((head, from));
        }
    }

    /// Walks on over a page.
    fn take(&mut self, page: WalkAuditLogResponse) {
        let WalkAuditLogResponse { entries, problems, compared_changes, pruned_changes, waiting_changes } =
            page;
        for problem in problems {
            self.problem(visible(&problem, 400));
        }
        self.compared += compared_changes;
        self.pruned += pruned_changes;
        self.waiting = waiting_changes;
        for entry in entries {
            self.step(entry);
        }
    }

    fn step(&mut self, entry: AuditEntry) {
        let number = entry.number;
        let linked = match audit_entry_from_wire(entry) {
            Ok(linked) => linked,
            Err(error) => return self.problem(format!("entry {number}: {error}")),
        };
        if let Err(broken) = self.walk.step(&linked) {
            self.problem(broken.to_string());
            // What follows is told of too, as if this one were right; numbers only ever rise, so that it ends.
            if number > self.walk.number() {
                self.walk = Walk::behind(number, linked.entry.position, linked.hash);
            }
        }
        for (head, from) in self.heads.remove(&number).unwrap_or_default() {
            self.matched += 1;
            if head.head.hash != linked.hash {
                self.problem(format!(
                    "entry {number} is not the one whose head was signed at {} ({from}): the log was made anew",
                    head.head.time
                ));
            }
        }
    }

    /// What is left when the log has ended.
    fn end(&mut self) {
        let last = self.walk.number();
        for (number, heads) in std::mem::take(&mut self.heads) {
            for (head, from) in heads {
                self.problem(format!(
                    "the log ends with entry {last}, but the head of entry {number} was signed at {} ({from}): its end was \
                     cut off",
                    head.head.time
                ));
            }
        }
    }

    fn told(self) -> (Answer, Option<Failure>) {
        let Self { walk, heads: _, matched, compared, pruned, waiting, key, problems, more } = self;
        let mut grid = Grid::new(&[Column::sentences("problem")]);
        for problem in &problems {
            grid.rows.push(vec![Cell::text(problem).in_tone(Tone::Critical)]);
        }
        let count = problems.len() as u64 + more;
        let document = json!({
            "whole": count == 0,
            "entries": walk.number(),
            "sha256": walk.hash().to_string(),
            "heads": matched,
            "comparedChanges": compared,
            "prunedChanges": pruned,
            "waitingChanges": waiting,
            "key": key,
            "problems": problems,
            "furtherProblems": more,
        });
        let mut notes = vec![format!(
            "{} entries walked to {}; {} changes and {} heads compared",
            grouped(walk.number()),
            walk.hash(),
            grouped(compared),
            grouped(matched)
        )];
        if pruned > 0 {
            notes.push(format!(
                "{} older changes are not kept any more and were not compared",
                grouped(pruned)
            ));
        }
        if waiting > 0 {
            notes.push(format!("{} changes of machines came in meanwhile", grouped(waiting)));
        }
        notes.push(format!("heads are signed with the key {key}"));
        let sheet = (count == 0).then(|| "the audit log is whole\n".to_owned());
        let failure = (count > 0).then(|| {
            Failure::new(
                Kind::Failed,
                format!("the audit log is not what was written: {} problems", grouped(count)),
                "keep the data folder as it is, find out who could write there, and see docs/audit.md",
            )
        });
        (Answer { json: Document::of_value(document), grid, sheet, notes, shown_rows: None }, failure)
    }
}

#[cfg(test)]
mod tests {
    use muster_common::{
        audit::{Entry, Head, Linked},
        time::Timestamp,
    };
    use muster_proto::convert::audit_entry_to_wire;

    use super::*;
    use crate::output::testing::check_table;

    const KEY: &str = "d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a";
    const DOMAIN: &str = "muster.example.org";
    /// Entry 3 of [`log`], signed with the key of RFC 8032, section 7.1, test 1.
    const HEAD: &str = "muster-audit-head 1 muster.example.org 3 5e50cc94ccd36915d30d233fb239a17bbb24affe2fef45fa381737a707fd9947 \
        1700000001000 d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a \
        13b8310838098b2734ae655751ad9f163f116bd8f300772140d126fa38b5a0987f91f3870ce429baea232f4c9d51d2b524487351054d56ff53c9fbf074904602";

    fn log(actor: &str) -> Vec<Linked> {
        let mut hash = AuditDigest::ZERO;
        (1..=4)
            .map(|number| {
                let linked = Entry {
                    number,
                    first: number,
                    position: number,
                    time: Timestamp::from_millis(1_700_000_000_000),
                    actor: actor.to_owned(),
                    kind: "token.create".to_owned(),
                    action: "token.create".to_owned(),
                    target: number.to_string(),
                    detail: String::new(),
                    writes: AuditDigest::ZERO,
                    folded: Vec::new(),
                }
                .after(hash);
                hash = linked.hash;
                linked
            })
            .collect()
    }

    fn check(log: &[Linked], heads: &[SignedHead]) -> Check {
        let mut check = Check { key: KEY.to_owned(), ..Check::default() };
        for head in heads {
            check.add_head(head.clone(), "heads".to_owned(), KEY, DOMAIN);
        }
        check.take(WalkAuditLogResponse {
            entries: log.iter().map(audit_entry_to_wire).collect(),
            compared_changes: log.len() as u64,
            ..WalkAuditLogResponse::default()
        });
        check.end();
        check
    }

    fn head() -> SignedHead {
        SignedHead::parse(HEAD).unwrap()
    }

    #[test]
    fn a_whole_log_says_so() {
        let (answer, failure) = check(&log("alice"), &[head()]).told();
        assert!(failure.is_none());
        check_table(
            &answer,
            &format!(
                "
the audit log is whole

4 entries walked to {}; 4 changes and 1 heads compared
heads are signed with the key {KEY}",
                log("alice")[3].hash
            ),
        );
    }

    #[test]
    fn each_kind_of_damage_is_told_and_fails() {
        let whole = log("alice");
        let without = |place: usize| [&whole[..place], &whole[place + 1..]].concat();
        let mut changed = whole.clone();
        changed[1].entry.actor = "bob".to_owned();
        let mut swapped = whole.clone();
        swapped.swap(1, 2);
        let mut twice = whole.clone();
        twice.insert(2, whole[1].clone());
        let forged = |change: fn(&mut SignedHead)| {
            let mut head = head();
            change(&mut head);
            vec![head]
        };
        let cases = [
            ("changed", changed, vec![], "entry 2 is not what was hashed"),
            ("removed", without(1), vec![], "entry 2 is expected here, but this is entry 3"),
            ("swapped", swapped, vec![], "entry 2 is expected here, but this is entry 3"),
            ("inserted", twice, vec![], "entry 3 is expected here, but this is entry 2"),
            ("cut off", whole[..2].to_vec(), vec![head()], "its end was cut off"),
            ("made anew", log("bob"), vec![head()], "the log was made anew"),
            ("head forged", whole.clone(), forged(|it| it.head.number = 2), "is forged"),
            ("another key", whole.clone(), forged(|it| it.key[0] ^= 1), "is signed with another key"),
        ];
        for (case, log, heads, expected) in cases {
            let check = check(&log, &heads);
            assert!(check.problems.iter().any(|it| it.contains(expected)), "{case}: {:?}", check.problems);
            let (answer, failure) = check.told();
            assert_eq!(failure.unwrap().exit_code(), 1, "{case}");
            assert!(!answer.grid.rows.is_empty(), "{case}");
        }
    }

    #[test]
    fn a_head_s_text_is_what_was_signed() {
        let Head { number, hash, .. } = head().head;
        assert_eq!((number, hash), (3, log("alice")[2].hash));
        head().verify().unwrap();
    }

    #[test]
    fn of_a_thousand_problems_fifty_are_told_and_the_others_counted() {
        let mut check = Check::default();
        (0..1000).for_each(|n| check.problem(n.to_string()));
        let (answer, failure) = check.told();
        assert_eq!(answer.grid.rows.len(), 50);
        assert!(failure.unwrap().what().contains("1,000 problems"));
    }
}
