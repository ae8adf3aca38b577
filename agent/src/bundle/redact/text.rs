//! Keeps of a text file the lines, and of a line the parts, that a source needs.
//!
//! Knows nothing of what values mean: what is kept is searched for identifiers afterwards.

use super::Context;
use crate::bundle::pseudonym::Kind;

/// Keeps the lines that begin with one of these.
pub(super) fn lines(bytes: &[u8], kept: &[&str]) -> Vec<u8> {
    let is_kept = |line: &&[u8]| {
        let line = line.trim_ascii_start();
        kept.iter().any(|start| {
            line.get(..start.len()).is_some_and(|head| head.eq_ignore_ascii_case(start.as_bytes()))
        })
    };
    bytes.split_inclusive(|byte| *byte == b'\n').filter(is_kept).flatten().copied().collect()
}

/// Replaces the values of lines `key<between>value` whose key is in none of these; a key may end in a star.
pub(super) fn values(bytes: &[u8], between: u8, kept: &[&str], context: &mut Context<'_>) -> Vec<u8> {
    let is_kept = |key: &[u8]| {
        kept.iter().any(|word| match word.strip_suffix('*') {
            Some(start) => key.starts_with(start.as_bytes()),
            None => key == word.as_bytes(),
        })
    };
    each_line(bytes, |line| match split(line, between) {
        Some((key, _)) if is_kept(key.trim_ascii()) => line.to_vec(),
        Some((key, value)) => [key, &[between], &context.of(kind_of(key), value)].concat(),
        None => context.of(Kind::Other, line),
    })
}

/// Replaces the values of lines `key<between>value` whose key is one of these.
pub(super) fn secrets(bytes: &[u8], between: u8, secret: &[&str], context: &mut Context<'_>) -> Vec<u8> {
    each_line(bytes, |line| match split(line, between) {
        Some((key, value)) if secret.iter().any(|word| key.trim_ascii() == word.as_bytes()) => {
            [key, &[between], &context.of(kind_of(key), value)].concat()
        }
        Some(_) | None => line.to_vec(),
    })
}

/// The variable that tells a container's runtime; no other is anybody's business.
pub(super) fn environment(bytes: &[u8]) -> Vec<u8> {
    bytes
        .split(|byte| *byte == 0)
        .find(|variable| variable.starts_with(b"container="))
        .unwrap_or_default()
        .to_vec()
}

/// A unit's description, user and program, without what the program is told.
pub(super) fn unit(bytes: &[u8]) -> Vec<u8> {
    let kept = lines(bytes, &["[", "Description", "ExecStart", "User"]);
    each_line(&kept, |line| match split(line, b'=') {
        Some((key, command)) if key.trim_ascii() == b"ExecStart" => {
            let command = command.trim_ascii_start();
            let quoted = command.iter().position(|byte| *byte == b'"');
            let end = match quoted {
                Some(first) if !command[..first].iter().any(u8::is_ascii_whitespace) => {
                    command[first + 1..].iter().position(|byte| *byte == b'"').map(|last| first + last + 2)
                }
                Some(_) | None => command.iter().position(u8::is_ascii_whitespace),
            };
            [key, b"=", &command[..end.unwrap_or(command.len())]].concat()
        }
        // `ExecStartPre=` and its like begin alike.
        Some((key, _)) if key.trim_ascii().starts_with(b"ExecStart") => Vec::new(),
        Some(_) | None => line.to_vec(),
    })
}

/// Servers and domains of resolv.conf(5).
pub(super) fn resolvers(bytes: &[u8], context: &mut Context<'_>) -> Vec<u8> {
    each_line(bytes, |line| {
        let words = line.split(u8::is_ascii_whitespace).filter(|word| !word.is_empty());
        let words: Vec<&[u8]> = words.collect();
        let (kind, values) = match words.split_first() {
            Some((first, values)) if *first == b"nameserver" => (Kind::Address, values),
            Some((first, values)) if [&b"search"[..], b"domain"].contains(first) => (Kind::Host, values),
            Some(_) | None => return Vec::new(),
        };
        let first = words.first().map(|first| first.to_vec());
        let values = values.iter().map(|value| context.of(kind, value));
        first.into_iter().chain(values).collect::<Vec<_>>().join(&b' ')
    })
}

/// What udev says of a file system: its type stays, its label and its UUID are somebody's.
pub(super) fn file_system(bytes: &[u8], context: &mut Context<'_>) -> Vec<u8> {
    values(&lines(bytes, &["E:ID_FS_"]), b'=', &["E:ID_FS_TYPE", "E:ID_FS_USAGE", "E:ID_FS_VERSION"], context)
}

/// What stands in parentheses, as cargo names where a crate came from; the public registry is nobody's secret.
pub(super) fn origins(bytes: &[u8], context: &mut Context<'_>) -> Vec<u8> {
    each_part(bytes, b'(', b')', |origin| {
        let is_public = memchr::memmem::find(origin, b"github.com/rust-lang/crates.io-index").is_some()
            || memchr::memmem::find(origin, b"index.crates.io").is_some();
        if is_public { origin.to_vec() } else { keeping_scheme(origin, context) }
    })
}

/// An address with nothing but its scheme.
pub(super) fn keeping_scheme(address: &[u8], context: &mut Context<'_>) -> Vec<u8> {
    let scheme = memchr::memmem::find(address, b"://").map_or(0, |place| place + 3);
    let (scheme, rest) = address.split_at(scheme);
    [scheme, &context.of(Kind::Other, rest)].concat()
}

/// Applies to each line, without its end.
pub(super) fn each_line(bytes: &[u8], mut line: impl FnMut(&[u8]) -> Vec<u8>) -> Vec<u8> {
    let mut out = Vec::with_capacity(bytes.len());
    for whole in bytes.split_inclusive(|byte| *byte == b'\n') {
        let content = whole.strip_suffix(b"\n").unwrap_or(whole);
        out.extend(line(content));
        out.extend_from_slice(&whole[content.len()..]);
    }
    out
}

/// Applies to what stands between two signs, the last part perhaps without its end.
fn each_part(bytes: &[u8], open: u8, close: u8, mut part: impl FnMut(&[u8]) -> Vec<u8>) -> Vec<u8> {
    let mut out = Vec::with_capacity(bytes.len());
    let mut rest = bytes;
    while let Some(start) = memchr::memchr(open, rest) {
        let (before, after) = rest.split_at(start + 1);
        out.extend_from_slice(before);
        let end = memchr::memchr2(close, b'\n', after).unwrap_or(after.len());
        let (inner, after) = after.split_at(end);
        out.extend(part(inner));
        rest = after;
    }
    out.extend_from_slice(rest);
    out
}

fn split(line: &[u8], between: u8) -> Option<(&[u8], &[u8])> {
    let place = memchr::memchr(between, line)?;
    Some((&line[..place], &line[place + 1..]))
}

/// What a key's name says of its value.
fn kind_of(key: &[u8]) -> Kind {
    let has = |word: &str| key.to_ascii_lowercase().windows(word.len()).any(|part| part == word.as_bytes());
    if has("uuid") {
        Kind::Uuid
    } else if has("serial") || has("sequence") {
        Kind::Serial
    } else if has("name") {
        Kind::Host
    } else {
        Kind::Other
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::bundle::redact::testing::with_context;

    #[test]
    fn of_a_unit_stay_description_user_and_program() {
        let text = "[Unit]\nDescription=A thing\n[Service]\nEnvironment=TOKEN=s3cret\nUser=thing\nExecStartPre=/bin/other s3cret\n\
            ExecStart=-/usr/bin/thing --token s3cret\nExecStart=\"/opt/a thing/run\" s3cret\n";
        let after = String::from_utf8(unit(text.as_bytes())).unwrap();
        assert!(!after.contains("s3cret") && !after.contains("other"), "{after}");
        for kept in [
            "Description=A thing\n",
            "User=thing\n",
            "ExecStart=-/usr/bin/thing\n",
            "ExecStart=\"/opt/a thing/run\"\n",
        ] {
            assert!(after.contains(kept), "{kept} not in {after}");
        }
    }

    #[test]
    fn one_variable_and_one_line_stay() {
        assert_eq!(environment(b"A=s3cret\0container=lxc\0B=s3cret"), b"container=lxc");
        assert_eq!(environment(b"A=s3cret"), b"");
        assert_eq!(lines(b"cpu 1 2\nbtime 17\nctxt 4\n", &["btime "]), b"btime 17\n");
        assert_eq!(lines(b"cpu 1 2\n", &[]), b"");
    }

    #[test]
    fn resolvers_and_file_systems_are_told_without_names() {
        with_context(|context| {
            let after = resolvers(
                b"# by hand\nsearch acme.test .\nnameserver 192.0.2.53\nnameserver 127.0.0.53\n",
                context,
            );
            let after = String::from_utf8(after).unwrap();
            assert!(
                !after.contains("acme.test") && !after.contains("192.0.2.53") && !after.contains("hand"),
                "{after}"
            );
            assert!(after.contains("search "), "{after}");
            assert!(after.contains("nameserver 127.0.0.53\n"), "{after}");
            let after = file_system(b"S:disk/by-uuid/12\nE:ID_FS_TYPE=ext4\nE:ID_FS_LABEL=customers\nE:ID_FS_UUID=1234-ABCD\nE:ID_SERIAL=x17\n", context);
            let after = String::from_utf8(after).unwrap();
            assert!(after.starts_with("E:ID_FS_TYPE=ext4\nE:ID_FS_LABEL="), "{after}");
            for gone in ["customers", "1234-ABCD", "by-uuid", "x17"] {
                assert!(!after.contains(gone), "{gone} in {after}");
            }
        });
    }

    #[test]
    fn values_go_by_their_keys() {
        with_context(|context| {
            let text =
                b"Manufacturer:   IBM\nSequence Code:  0000000000012ABC\nLPAR Name:  CUSTOMER\nno key\n";
            let after = String::from_utf8(values(text, b':', &["Manufacturer"], context)).unwrap();
            assert!(after.starts_with("Manufacturer:   IBM\nSequence Code:  00000000000"), "{after}");
            assert!(
                !after.contains("12ABC") && !after.contains("CUSTOMER") && !after.contains("no key"),
                "{after}"
            );
            assert_eq!(after.len(), text.len());
            let after =
                secrets(b"model name\t: X\nSerial\t\t: 10000000abcdef12\n", b':', &["Serial"], context);
            assert!(
                after.starts_with(b"model name\t: X\nSerial\t\t: ")
                    && !after.ends_with(b"10000000abcdef12\n")
            );
        });
    }

    #[test]
    fn the_public_registry_is_no_secret() {
        with_context(|context| {
            let text = "\"a 1.0 (registry+https://github.com/rust-lang/crates.io-index)\" = [\"a\"]\n\
                \"b 2.0 (path+file:///home/annabel/b)\" = [\"b\"]\n\"c 3.0 (git+https://hub.acme.test/c";
            let after = String::from_utf8(origins(text.as_bytes(), context)).unwrap();
            assert!(
                after.contains("crates.io-index)")
                    && after.contains("\"b 2.0 (")
                    && after.contains("\"c 3.0 ("),
                "{after}"
            );
            assert!(!after.contains("annabel") && !after.contains("acme"), "{after}");
            assert_eq!(after.len(), text.len());
        });
    }
}
