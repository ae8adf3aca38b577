//! One question to a cloud's metadata service: plain HTTP to a fixed address, never by a proxy, never redirected.
//!
//! Knows nothing of clouds. Whoever answers is not trusted: all questions of a collection together have one second,
//! an answer 64 KiB. A client library would bring redirects and proxies to switch off, a runtime into the thread that
//! reads the machine, and counts its time for each question alone; what is hard to read, heads and sizes of chunks, a
//! library reads here too.

use std::{
    borrow::Cow,
    cell::OnceCell,
    fmt::Write as _,
    io::{self, Read, Write as _},
    net::{Ipv4Addr, SocketAddr, TcpStream},
    time::{Duration, Instant},
};

use crate::host::HostError;

/// Where every cloud has its service.
pub const METADATA_ADDRESS: SocketAddr =
    SocketAddr::new(std::net::IpAddr::V4(Ipv4Addr::new(169, 254, 169, 254)), 80);

/// All questions together.
const TIME: Duration = Duration::from_secs(1);
/// Longest body in bytes.
const BODY_LIMIT: usize = 64 << 10;
/// Longest head in bytes.
const HEAD_LIMIT: usize = 8 << 10;
const HEADERS_LIMIT: usize = 64;
/// Longest answer as it comes, in bytes: a body in small chunks is a little longer than what it says.
const ANSWER_LIMIT: usize = HEAD_LIMIT + 2 * BODY_LIMIT;

/// A question.
#[derive(Debug, Clone, Copy)]
pub struct MetadataRequest<'a> {
    /// Whether it is a PUT without a body instead of a GET.
    pub put: bool,
    /// Path with its query, from the slash on.
    pub path: &'a str,
    /// The header that makes the service answer.
    pub header: (&'a str, &'a str),
}

/// The service as one collection asks it.
#[derive(Debug)]
pub(crate) struct MetadataService {
    address: SocketAddr,
    deadline: OnceCell<Instant>,
}

impl MetadataService {
    /// Nothing is asked yet.
    pub(crate) fn new(address: SocketAddr) -> Self {
        Self { address, deadline: OnceCell::new() }
    }

    /// The body of the answer; what the service does not have is missing.
    pub(crate) fn ask(&self, request: &MetadataRequest<'_>) -> Result<Vec<u8>, HostError> {
        let path = format!("http://{}{}", self.address, request.path);
        let deadline = *self.deadline.get_or_init(|| Instant::now() + TIME);
        match exchange(self.address, request, deadline) {
            Ok((200, body)) => Ok(body),
            Ok((404, _)) => Err(HostError::Missing { path }),
            Ok((status, _)) => {
                let text = match status {
                    401 | 403 => {
                        "it refuses to answer; open the metadata service to this instance, or disable the source cloud"
                            .to_owned()
                    }
                    status => format!("it answered with status {status}"),
                };
                Err(HostError::Io { path, source: io::Error::other(text) })
            }
            Err(error) if error.kind() == io::ErrorKind::FileTooLarge => {
                Err(HostError::TooLarge { path, limit: BODY_LIMIT })
            }
            Err(error) if matches!(error.kind(), io::ErrorKind::TimedOut | io::ErrorKind::WouldBlock) => {
                Err(HostError::TimedOut { path, seconds: TIME.as_secs() })
            }
            Err(source) => Err(HostError::Io { path, source }),
        }
    }
}

fn exchange(
    address: SocketAddr,
    request: &MetadataRequest<'_>,
    deadline: Instant,
) -> io::Result<(u16, Vec<u8>)> {
    let rest = || {
        let rest = deadline.saturating_duration_since(Instant::now());
        if rest.is_zero() { Err(io::Error::from(io::ErrorKind::TimedOut)) } else { Ok(rest) }
    };
    let mut stream = TcpStream::connect_timeout(&address, rest()?)?;
    stream.set_write_timeout(Some(rest()?))?;
    stream.write_all(head(address, request)?.as_bytes())?;
    let mut bytes = Vec::new();
    let mut buffer = [0; 4096];
    loop {
        stream.set_read_timeout(Some(rest()?))?;
        let count = match stream.read(&mut buffer) {
            Ok(count) => count,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
            Err(error) => return Err(error),
        };
        bytes.extend_from_slice(&buffer[..count]);
        if let Some((status, body)) = answer(&bytes, count == 0)? {
            return Ok((status, body.into_owned()));
        }
        if bytes.len() > ANSWER_LIMIT {
            return Err(io::ErrorKind::FileTooLarge.into());
        }
    }
}

/// The question as it goes out. Parts of it come from earlier answers, so that nothing may end a line in it.
fn head(address: SocketAddr, request: &MetadataRequest<'_>) -> io::Result<String> {
    let MetadataRequest { put, path, header: (name, value) } = *request;
    let is_plain = |text: &str| text.bytes().all(|byte| byte.is_ascii_graphic());
    if ![path, name, value].into_iter().all(is_plain) {
        return Err(io::Error::new(
            io::ErrorKind::InvalidInput,
            "the service gave a word that can't be sent",
        ));
    }
    let (method, length) = if put { ("PUT", "Content-Length: 0\r\n") } else { ("GET", "") };
    let mut head = String::new();
    write!(
        head,
        "{method} {path} HTTP/1.1\r\nHost: {}\r\n{name}: {value}\r\n{length}Connection: close\r\n\r\n",
        address.ip()
    )
    .map_err(io::Error::other)?;
    Ok(head)
}

/// Status and body of an answer; `None` while it goes on.
pub(crate) fn answer(bytes: &[u8], has_ended: bool) -> io::Result<Option<(u16, Cow<'_, [u8]>)>> {
    let mut headers = [httparse::EMPTY_HEADER; HEADERS_LIMIT];
    let mut response = httparse::Response::new(&mut headers);
    let length = match response.parse(bytes) {
        Ok(httparse::Status::Complete(length)) => length,
        Ok(httparse::Status::Partial) if has_ended => return wrong("the answer ends in its head"),
        Ok(httparse::Status::Partial) if bytes.len() > HEAD_LIMIT => {
            return wrong("the answer's head is too long");
        }
        Ok(httparse::Status::Partial) => return Ok(None),
        Err(_) => return wrong("the answer is not HTTP"),
    };
    let body = &bytes[length..];
    let status = response.code.unwrap_or_default();
    let header = |name: &str| response.headers.iter().find(|header| header.name.eq_ignore_ascii_case(name));
    if header("Transfer-Encoding").is_some() {
        return match chunks(body)? {
            None if has_ended => wrong("the answer ends early"),
            body => Ok(body.map(|body| (status, Cow::Owned(body)))),
        };
    }
    let stated = match header("Content-Length").map(|header| std::str::from_utf8(header.value)) {
        None => None,
        Some(text) => match text.ok().and_then(|text| text.trim().parse::<usize>().ok()) {
            None => return wrong("the answer's length is no number"),
            length => length,
        },
    };
    if stated.unwrap_or(body.len()) > BODY_LIMIT {
        return Err(io::ErrorKind::FileTooLarge.into());
    }
    match stated {
        Some(stated) if body.len() >= stated => Ok(Some((status, Cow::Borrowed(&body[..stated])))),
        Some(_) if has_ended => wrong("the answer ends early"),
        None if has_ended => Ok(Some((status, Cow::Borrowed(body)))),
        Some(_) | None => Ok(None),
    }
}

/// A body that comes in chunks; `None` while it goes on.
fn chunks(mut rest: &[u8]) -> io::Result<Option<Vec<u8>>> {
    let mut body = Vec::new();
    loop {
        let (start, size) = match httparse::parse_chunk_size(rest) {
            Ok(httparse::Status::Complete((start, size))) => (start, usize::try_from(size).ok()),
            Ok(httparse::Status::Partial) => return Ok(None),
            Err(_) => return wrong("the answer's chunks have no sizes"),
        };
        let end = match size.and_then(|size| start.checked_add(size)) {
            Some(end) if body.len() + (end - start) <= BODY_LIMIT => end,
            Some(_) | None => return Err(io::ErrorKind::FileTooLarge.into()),
        };
        // What may follow the last one, headers of the end, says nothing that is asked for.
        if end == start {
            return Ok(Some(body));
        }
        match rest.get(end..end + 2) {
            None => return Ok(None),
            Some(b"\r\n") => body.extend_from_slice(&rest[start..end]),
            Some(_) => return wrong("the answer's chunks have other sizes than they say"),
        }
        rest = &rest[end + 2..];
    }
}

fn wrong<T>(text: &str) -> io::Result<T> {
    Err(io::Error::new(io::ErrorKind::InvalidData, text))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn answers_are_whole_or_wrong() {
        const OK: &str = "HTTP/1.1 200 OK\r\n";
        let chunked = |body: &str| format!("{OK}Transfer-Encoding: chunked\r\n\r\n{body}");
        let chunks =
            ["2\r\nab\r\n1;x\r\nc\r\n0\r\n\r\n", "2\r\nab\r\n1\r\n", "2\r\nabc\r\n", "x\r\n"].map(chunked);
        let large = ["ffffffffffffffff\r\n", "fffffff\r\nab"].map(chunked);
        let long = format!("{OK}Content-Length: 10000000\r\n\r\n");
        let endless = format!("{OK}\r\n{}", "x".repeat(BODY_LIMIT + 1));
        let head = format!("{OK}A: {}", "x".repeat(HEAD_LIMIT));
        for (text, has_ended, expected) in [
            ("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nabc", false, Ok(Some((200, "ab")))),
            ("HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\na", false, Ok(None)),
            ("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\na", true, Err(io::ErrorKind::InvalidData)),
            ("HTTP/1.1 404 No\r\n\r\n", true, Ok(Some((404, "")))),
            ("HTTP/1.1 200 OK\r\n\r\na", false, Ok(None)),
            ("HTTP/1.1 200 OK\r\n\r\na", true, Ok(Some((200, "a")))),
            ("HTTP/1.1 200", false, Ok(None)),
            ("HTTP/1.1 200", true, Err(io::ErrorKind::InvalidData)),
            ("\u{1}garbage", false, Err(io::ErrorKind::InvalidData)),
            ("HTTP/1.1 200 OK\r\nContent-Length: -1\r\n\r\n", false, Err(io::ErrorKind::InvalidData)),
            (&chunks[0], false, Ok(Some((200, "abc")))),
            (&chunks[1], false, Ok(None)),
            (&chunks[1], true, Err(io::ErrorKind::InvalidData)),
            (&chunks[2], false, Err(io::ErrorKind::InvalidData)),
            (&chunks[3], false, Err(io::ErrorKind::InvalidData)),
            (&large[0], false, Err(io::ErrorKind::FileTooLarge)),
            (&large[1], false, Err(io::ErrorKind::FileTooLarge)),
            (&long, false, Err(io::ErrorKind::FileTooLarge)),
            (&endless, false, Err(io::ErrorKind::FileTooLarge)),
            (&head, false, Err(io::ErrorKind::InvalidData)),
        ] {
            let found = answer(text.as_bytes(), has_ended).map_err(|error| error.kind());
            let expected =
                expected.map(|found| found.map(|(status, body)| (status, Cow::Borrowed(body.as_bytes()))));
            assert_eq!(found, expected, "{:?}", &text[..text.len().min(80)]);
        }
    }

    #[test]
    fn no_word_of_an_answer_adds_a_header() {
        for (path, value) in [("/a\r\nb", "c"), ("/a", "c\r\nd: e"), ("/a b", "c")] {
            let request = MetadataRequest { put: false, path, header: ("x", value) };
            assert!(head(METADATA_ADDRESS, &request).is_err(), "{request:?}");
        }
    }
}
