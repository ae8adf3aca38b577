//! Local accounts and groups, and which of them may do more than others: passwd(5), group(5), shadow(5).
//!
//! Of a password nothing is kept but whether there is one that opens; logins are another source.

use std::collections::{BTreeMap, BTreeSet};

use muster_common::inventory::{Account, Group, Item, ItemKind, SectionName};

use crate::{
    host::Host,
    sources::{
        Source, Stamp,
        part::{Problems, SectionPart},
        read, text,
    },
};

pub(super) const PASSWD: &str = "etc/passwd";
const GROUP: &str = "etc/group";
const SHADOW: &str = "etc/shadow";
const FILE_LIMIT: usize = 4 << 20;
const ACCOUNTS_LIMIT: usize = 10_000;
const MEMBERS_LIMIT: usize = 1000;

/// Groups that lead to root: by sudo or polkit, by a daemon that runs as root, or by the raw disk.
const PRIVILEGED: [&str; 10] =
    ["root", "sudo", "wheel", "admin", "adm", "docker", "lxd", "libvirt", "disk", "shadow"];
/// Being in these lets somebody read logs or hashes, which is worth listing and is not root.
const NOT_ROOT: [&str; 2] = ["adm", "shadow"];

/// Accounts and groups.
#[derive(Debug)]
pub(crate) struct AccountSource;

impl Source for AccountSource {
    fn name(&self) -> &'static str {
        "accounts"
    }

    fn section(&self) -> SectionName {
        SectionName::known(SectionName::ACCOUNTS)
    }

    fn reads(&self) -> &'static [&'static str] {
        &[PASSWD, GROUP, SHADOW]
    }

    fn stamp(&self) -> Stamp {
        Stamp::Touched
    }

    fn collect(&self, host: &dyn Host) -> SectionPart {
        let mut problems = Problems::default();
        let passwd = read::bytes(host, PASSWD, FILE_LIMIT, &mut problems).unwrap_or_default();
        let groups = read::bytes(host, GROUP, FILE_LIMIT, &mut problems).unwrap_or_default();
        let shadow = read::bytes(host, SHADOW, FILE_LIMIT, &mut problems);
        let shadow = shadow.as_deref().map(locks);

        let mut accounts: Vec<(Account, u32)> =
            lines(&passwd).filter_map(|line| account(&line, shadow.as_ref())).collect();
        let groups: Vec<Group> = lines(&groups).filter_map(|line| group(&line, &accounts)).collect();
        let root: BTreeSet<&str> = groups
            .iter()
            .filter(|group| group.privileged == Some(true) && !NOT_ROOT.contains(&group.name.as_str()))
            .flat_map(|group| group.members.iter().map(String::as_str))
            .collect();
        for (account, _) in &mut accounts {
            account.privileged = Some(account.uid == 0 || root.contains(account.name.as_str()));
        }
        let accounts = accounts.into_iter().map(|(account, _)| Item::new(ItemKind::Account(account)));
        let items = accounts.chain(groups.into_iter().map(|group| Item::new(ItemKind::Group(group))));
        SectionPart { items: items.collect(), problems }
    }
}

/// Names and numeric ids of the accounts.
pub(super) fn ids(host: &dyn Host, problems: &mut Problems) -> Vec<(String, u32)> {
    let passwd = read::bytes(host, PASSWD, FILE_LIMIT, problems).unwrap_or_default();
    lines(&passwd)
        .filter_map(|line| account(&line, None))
        .map(|(account, _)| (account.name, account.uid))
        .collect()
}

/// The fields of each line; comments and the lines that ask a directory service (`+`, `-`) are left out.
fn lines(file: &[u8]) -> impl Iterator<Item = Vec<String>> + '_ {
    let line = |line: &&[u8]| !line.is_empty() && !matches!(line.first(), Some(b'#' | b'+' | b'-'));
    file.split(|byte| *byte == b'\n')
        .filter(line)
        .take(ACCOUNTS_LIMIT)
        .map(|line| String::from_utf8_lossy(line).split(':').map(str::to_owned).collect())
}

/// Whose password opens; who is in the file with one that does not is locked.
fn locks(shadow: &[u8]) -> BTreeMap<String, bool> {
    lines(shadow)
        .filter_map(|fields| {
            let [name, hash, ..] = &fields[..] else { return None };
            Some((name.clone(), !hash.starts_with(['!', '*'])))
        })
        .collect()
}

/// Name, password, uid, gid, comment, home, shell.
fn account(fields: &[String], open: Option<&BTreeMap<String, bool>>) -> Option<(Account, u32)> {
    let [name, password, uid, gid, comment, home, shell] = fields else { return None };
    let value = |text: &String| text::clean(text.as_bytes());
    let name = value(name)?;
    let shuts = ["nologin", "false", "sync", "shutdown", "halt"];
    let has_shell = !shuts.iter().any(|program| shell.ends_with(program));
    let has_password = match password.as_str() {
        "x" => open.map(|open| open.get(&name).copied().unwrap_or(false)),
        "" => Some(true),
        hash => Some(!hash.starts_with(['!', '*'])),
    };
    let may_log_in = match (has_shell, has_password) {
        (false, _) => Some(false),
        // Keys and sudo let somebody in whose password is locked, but not as a daemon's account.
        (true, Some(_)) => Some(true),
        (true, None) => None,
    };
    let account = Account {
        uid: uid.parse().ok()?,
        gid: gid.parse().ok(),
        full_name: comment.split(',').next().and_then(|name| text::clean(name.as_bytes())),
        home: value(home),
        shell: value(shell),
        may_log_in,
        privileged: None,
        name,
    };
    Some((account, gid.parse().ok()?))
}

/// Name, password, gid, members; those whose first group it is are members too.
fn group(fields: &[String], accounts: &[(Account, u32)]) -> Option<Group> {
    let [name, _, gid, members] = fields else { return None };
    let gid: u32 = gid.parse().ok()?;
    let listed = members.split(',').filter_map(|member| text::clean(member.as_bytes()));
    let first = accounts.iter().filter(|(_, first)| *first == gid).map(|(account, _)| account.name.clone());
    let members: BTreeSet<String> = listed.chain(first).collect();
    Some(Group {
        gid,
        members: members.into_iter().take(MEMBERS_LIMIT).collect(),
        privileged: Some(PRIVILEGED.contains(&name.as_str())),
        name: text::clean(name.as_bytes())?,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sources::testing::recorded;

    fn collected(passwd: &str, group: &str, shadow: Option<&str>) -> (Vec<Account>, Vec<Group>) {
        let mut files = vec![(PASSWD, passwd), (GROUP, group)];
        files.extend(shadow.map(|shadow| (SHADOW, shadow)));
        let (_folder, host) = recorded(&files);
        let (mut accounts, mut groups) = (Vec::new(), Vec::new());
        for item in AccountSource.collect(&host).items {
            match item.kind {
                ItemKind::Account(account) => accounts.push(account),
                ItemKind::Group(group) => groups.push(group),
                other => panic!("{other:?}"),
            }
        }
        (accounts, groups)
    }

    #[test]
    fn who_may_do_everything() {
        let passwd = "root:x:0:0:root:/root:/bin/bash\n\
            daemon:x:1:1:daemon:/usr/sbin:/usr/sbin/nologin\n\
            ada:x:1000:1000:Ada Lovelace,,,:/home/ada:/bin/zsh\n\
            bob:x:1001:998::/home/bob:/bin/bash\n\
            eve:x:1002:1002::/home/eve:/bin/bash\n\
            +nis\nbroken:line\n";
        let group = "root:x:0:\nsudo:x:27:ada\ndocker:x:998:\nadm:x:4:eve\nusers:x:100:eve\n";
        let (accounts, groups) = collected(passwd, group, Some("root:*:1::::::\nada:$y$j9T$x:1::::::\n"));
        let told: Vec<_> =
            accounts.iter().map(|found| (found.name.as_str(), found.privileged, found.may_log_in)).collect();
        assert_eq!(
            told,
            [
                ("root", Some(true), Some(true)),
                ("daemon", Some(false), Some(false)),
                ("ada", Some(true), Some(true)),
                ("bob", Some(true), Some(true)),
                ("eve", Some(false), Some(true)),
            ]
        );
        assert_eq!(accounts[2].full_name.as_deref(), Some("Ada Lovelace"));
        let members: Vec<_> =
            groups.iter().map(|group| (group.name.as_str(), group.members.join(","))).collect();
        let member = |name, members: &str| (name, members.to_owned());
        assert_eq!(
            members,
            [
                member("root", "root"),
                member("sudo", "ada"),
                member("docker", "bob"),
                member("adm", "eve"),
                member("users", "eve"),
            ]
        );
        let privileged: Vec<_> = groups.iter().map(|group| group.privileged == Some(true)).collect();
        assert_eq!(privileged, [true, true, true, true, false]);
        assert_eq!(accounts[2].gid, Some(1000));
    }

    #[test]
    fn no_hash_leaves() {
        let (accounts, _) = collected("ada:$6$secret:1000:1000::/home/ada:/bin/sh\n", "", None);
        assert!(!format!("{accounts:?}").contains("secret"));
    }

    #[test]
    fn without_shadow_it_is_unknown_who_may_log_in() {
        let (accounts, _) = collected("ada:x:1000:1000::/home/ada:/bin/sh\n", "", None);
        assert_eq!(accounts[0].may_log_in, None);
    }
}
