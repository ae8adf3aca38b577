//! A machine as one text describes it, so that seeds can be written by hand and the walking of folders is fuzzed too.
//!
//! Knows nothing of what stands in the files. A line that begins with `=== ` begins a file, whose content are the lines
//! up to the next such line:
//!
//! ```text
//! === etc/hostname
//! box
//! === sys/class/net/eth0/device/driver -> ../../bus/pci/drivers/e1000e
//! === etc/shadow !
//! === *metadata*
//! HTTP/1.1 200 OK
//! === *sockets*
//! tcp 192.0.2.1 80 0 sys/fs/cgroup/system.slice/nginx.service
//! ```
//!
//! An arrow makes it a link, an exclamation mark a file or folder that may not be read, `*metadata*` what the metadata
//! service answers, `*sockets*` what listens for which account in which control group. A path that no file system has is
//! left out with its file.

use super::target::NAME_LIMIT;
use crate::host::{MemoryHost, Socket, SocketProtocol};

const MARK: &[u8] = b"=== ";
const ARROW: &str = " -> ";
const FORBIDDEN: &str = " !";
const METADATA: &str = "*metadata*";
const SOCKETS: &str = "*sockets*";
/// Longer paths are none.
const PATH_LIMIT: usize = 4096;

/// The machine that a text describes; a text without any file is an empty machine.
pub(super) fn described(text: &[u8]) -> MemoryHost {
    let mut host = MemoryHost::default();
    let mut path = None;
    for line in text.split_inclusive(|byte| *byte == b'\n') {
        if let Some(head) = line.strip_prefix(MARK) {
            path = begun(head, &mut host);
        } else if path.as_deref() == Some(METADATA) {
            host.metadata_service.extend_from_slice(line);
        } else if path.as_deref() == Some(SOCKETS) {
            host.sockets.extend(socket(line));
        } else if let Some(content) = path.as_ref().and_then(|path| host.files.get_mut(path)) {
            content.extend_from_slice(line);
        }
    }
    host
}

/// Puts what a head names onto the machine; its path when lines of content may follow.
fn begun(head: &[u8], host: &mut MemoryHost) -> Option<String> {
    let head = std::str::from_utf8(head).ok()?.trim_end_matches('\n');
    if matches!(head, METADATA | SOCKETS) {
        return Some(head.to_owned());
    }
    if let Some((path, place)) = head.split_once(ARROW) {
        host.links.extend(is_path(path).then(|| (path.to_owned(), place.to_owned())));
        return None;
    }
    let forbidden = head.strip_suffix(FORBIDDEN);
    let path = forbidden.unwrap_or(head);
    if !is_path(path) {
        return None;
    }
    if forbidden.is_some() {
        host.forbidden.insert(path.to_owned());
    }
    host.files.entry(path.to_owned()).or_default();
    Some(path.to_owned())
}

/// A line of the sockets: protocol, address, port, account and the control group's folder, which may be left out.
fn socket(line: &[u8]) -> Option<Socket> {
    let mut words = std::str::from_utf8(line).ok()?.split_ascii_whitespace();
    Some(Socket {
        protocol: if words.next()? == "udp" { SocketProtocol::Udp } else { SocketProtocol::Tcp },
        address: words.next()?.parse().ok()?,
        port: words.next()?.parse().ok()?,
        uid: words.next()?.parse().ok()?,
        control_group: words.next().map(MemoryHost::inode),
    })
}

/// Whether a file system could have it: sources are told no other names.
fn is_path(path: &str) -> bool {
    let is_name = |name: &str| !matches!(name, "" | "." | "..") && name.len() <= NAME_LIMIT;
    path.len() <= PATH_LIMIT && !path.contains('\0') && path.split('/').all(is_name)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::host::Host;

    #[test]
    fn a_text_makes_files_links_and_what_may_not_be_read() {
        let host = described(
            b"lost\n=== a/b\none\ntwo\n=== a/c -> ../d\nlost\n=== a/e !\nx\n=== ../f\nlost\n=== g//h\n\
              === *metadata*\nHTTP/1.1 200 OK\n\n=== *sockets*\ntcp 192.0.2.1 80 0 a\nudp ::1 x\n=== a/i",
        );
        assert_eq!(host.list("a", 9).unwrap().names, ["b", "e", "i"]);
        assert_eq!(host.read("a/b", 99).unwrap(), b"one\ntwo\n");
        assert_eq!(host.link("a/c").unwrap(), "../d");
        assert!(host.read("a/e", 9).is_err() && !host.read("a/e", 9).unwrap_err().is_missing());
        assert_eq!(host.files.len(), 3);
        let found = host.sockets().unwrap();
        assert_eq!((found.len(), found[0].port), (1, 80));
        assert_eq!(found[0].control_group, Some(host.metadata("a").unwrap().inode));
        assert_eq!(host.metadata_service, b"HTTP/1.1 200 OK\n\n");
        assert!(described(b"\xff\n=== \xff\nx").files.is_empty());
    }
}
