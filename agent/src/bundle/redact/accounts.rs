//! Accounts: people are replaced, the system's own stay, and of passwords nothing is left but whether they open.

use std::collections::BTreeSet;

use super::{Context, text};
use crate::bundle::pseudonym::Kind;

/// Where distributions begin to number people; `nobody` is none.
const FIRST_PERSON: u32 = 1000;
const NOBODY: u32 = 65_534;

/// A line of /etc/passwd, as far as it is one.
#[derive(Debug)]
pub(super) struct Account<'a> {
    pub(super) name: &'a [u8],
    pub(super) full_name: &'a [u8],
    pub(super) home: &'a [u8],
    pub(super) is_person: bool,
}

/// The accounts of a passwd file.
pub(super) fn accounts(passwd: &[u8]) -> impl Iterator<Item = Account<'_>> {
    passwd.split(|byte| *byte == b'\n').filter_map(|line| {
        let fields: Vec<&[u8]> = line.split(|byte| *byte == b':').collect();
        let [name, _, uid, _, full_name, home, ..] = fields[..] else { return None };
        let uid: Option<u32> = std::str::from_utf8(uid).ok().and_then(|uid| uid.parse().ok());
        let is_system =
            uid.is_some_and(|uid| uid < FIRST_PERSON || uid == NOBODY) && !home.starts_with(b"/home/");
        Some(Account { name, full_name, home, is_person: !is_system })
    })
}

/// The names that stay.
pub(super) fn system_names(passwd: &[u8]) -> BTreeSet<Vec<u8>> {
    accounts(passwd).filter(|account| !account.is_person).map(|account| account.name.to_vec()).collect()
}

/// /etc/passwd. Comments are never needed, and may hold a telephone number.
pub(super) fn passwd(bytes: &[u8], context: &mut Context<'_>) -> Vec<u8> {
    text::each_line(bytes, |line| {
        let Some(account) = accounts(line).next() else { return context.of(Kind::Other, line) };
        let mut fields: Vec<Vec<u8>> = line.split(|byte| *byte == b':').map(<[u8]>::to_vec).collect();
        let same_as_name = account.full_name.eq_ignore_ascii_case(account.name);
        if account.is_person {
            fields[0] = context.person(account.name);
            fields[5] = home(account.home, context);
        }
        fields[4] = if same_as_name {
            context.person_or_system(account.name)
        } else {
            context.person(account.full_name)
        };
        fields[1] = password(&fields[1], context);
        fields.join(&b':')
    })
}

/// /etc/group: members as in passwd; groups of people have their names replaced.
pub(super) fn group(bytes: &[u8], context: &mut Context<'_>) -> Vec<u8> {
    text::each_line(bytes, |line| {
        let fields: Vec<&[u8]> = line.split(|byte| *byte == b':').collect();
        let [name, _, gid, members] = fields[..] else { return context.of(Kind::Other, line) };
        let gid_number: Option<u32> = std::str::from_utf8(gid).ok().and_then(|gid| gid.parse().ok());
        let is_system = gid_number.is_some_and(|gid| gid < FIRST_PERSON || gid == NOBODY);
        let name = if is_system { name.to_vec() } else { context.person(name) };
        let members: Vec<Vec<u8>> =
            members.split(|byte| *byte == b',').map(|member| context.person_or_system(member)).collect();
        [name, b"x".to_vec(), gid.to_vec(), members.join(&b',')].join(&b':')
    })
}

/// /etc/shadow: a name and whether its password opens, nothing else.
pub(super) fn shadow(bytes: &[u8], context: &mut Context<'_>) -> Vec<u8> {
    text::each_line(bytes, |line| {
        let fields: Vec<&[u8]> = line.split(|byte| *byte == b':').collect();
        let [name, hash, ..] = fields[..] else { return Vec::new() };
        [context.person_or_system(name), password(hash, context)].join(&b':')
    })
}

/// `x` stands for shadow, nothing for no password; a lock is a lock, and everything else is a password.
fn password(field: &[u8], context: &mut Context<'_>) -> Vec<u8> {
    match field {
        b"" | b"x" | b"!" | b"*" => field.to_vec(),
        [lock @ (b'!' | b'*'), ..] => {
            context.tally.add(Kind::Password);
            vec![*lock]
        }
        _ => {
            context.tally.add(Kind::Password);
            b"set".to_vec()
        }
    }
}

/// The last part of a home is its owner's; what is above it is found elsewhere if it tells anything.
fn home(path: &[u8], context: &mut Context<'_>) -> Vec<u8> {
    let end = path.iter().rposition(|byte| *byte != b'/').map_or(0, |last| last + 1);
    let start = path[..end].iter().rposition(|byte| *byte == b'/').map_or(0, |slash| slash + 1);
    [&path[..start], &context.person(&path[start..end]), &path[end..]].concat()
}

/// One record of lastlog or a piece of several: whence somebody came.
pub(super) fn lastlog(bytes: &mut [u8], offset: u64, context: &mut Context<'_>) {
    const RECORD: u64 = 292;
    const FROM: u64 = 36;
    for (place, byte) in bytes.iter_mut().enumerate() {
        let at = offset.saturating_add(u64::try_from(place).unwrap_or(u64::MAX)) % RECORD;
        // Nobody joins on it, so that every letter is the same one.
        *byte = match *byte {
            letter if at < FROM => letter,
            b'0'..=b'9' => b'1',
            b'a'..=b'z' | b'A'..=b'Z' | 0x80.. => b'x',
            other => other,
        };
    }
    context.tally.add(Kind::Host);
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::bundle::redact::testing::with_context;

    fn made(make: fn(&[u8], &mut Context<'_>) -> Vec<u8>, text: &str) -> String {
        let mut made_of_it = Vec::new();
        with_context(|context| made_of_it = make(text.as_bytes(), context));
        String::from_utf8(made_of_it).unwrap()
    }

    #[test]
    fn people_go_and_the_systems_own_stay() {
        let text = "root:x:0:0:root:/root:/bin/bash\nannabel:$6$salt$hash:1000:1000:Anna Zweistein,,,:/home/annabel:/bin/zsh\n\
            oldtimer::500:500::/home/oldtimer:/bin/sh\nbroken\n";
        let after = made(passwd, text);
        for gone in ["annabel", "Zweistein", "$6$", "oldtimer", "broken"] {
            assert!(!after.contains(gone), "{gone} in {after}");
        }
        let lines: Vec<&str> = after.lines().collect();
        assert_eq!(lines[0], "root:x:0:0:root:/root:/bin/bash");
        let fields: Vec<&str> = lines[1].split(':').collect();
        assert_eq!(
            (fields[1], fields[2], fields[5], fields[6]),
            ("set", "1000", &*format!("/home/{}", fields[0]), "/bin/zsh")
        );
        assert!(lines[2].contains("::500:500:"));
    }

    #[test]
    fn of_passwords_nothing_is_left_but_whether_they_open() {
        let text = "root:*:19000:0:99999:7:::\nannabel:$y$j9T$abcdef:19000::::::\nlocked:!$6$salt$hash:1::::::\nopen::1::::::\nnone:!!:1::::::\n";
        let after = made(shadow, text);
        let states: Vec<&str> = after.lines().map(|line| line.split_once(':').unwrap().1).collect();
        assert_eq!(states, ["*", "set", "!", "", "!"]);
        assert!(!after.contains("annabel") && !after.contains("19000"));
    }

    #[test]
    fn members_are_called_as_in_passwd() {
        let after = made(group, "sudo:x:27:annabel,root\nresearch:!:5001:annabel\nodd\n");
        let [sudo, research, _] = after.lines().collect::<Vec<_>>()[..] else { panic!("{after}") };
        let member = research.rsplit(':').next().unwrap();
        assert_eq!(sudo, format!("sudo:x:27:{member},root"));
        assert!(!after.contains("annabel") && !after.contains("research") && !after.contains("odd"));
    }
}
