//! TCP to a host that may have many addresses.
//!
//! The next address is tried while the last one is still silent, as RFC 8305 has it, so that a network whose IPv6 (or
//! IPv4) leads nowhere costs a moment and not the whole time. Knows nothing of names in certificates.

use std::{io, net::SocketAddr, time::Duration};

use tokio::{
    net::{TcpStream, lookup_host},
    task::JoinSet,
};

/// How long the last try may be silent before the next one begins beside it.
const STAGGER: Duration = Duration::from_millis(250);
/// No collector has more; a resolver may say anything.
const MOST_ADDRESSES: usize = 16;

/// Connects to whichever of a host's addresses answers first. `host` is a name or an address without brackets; the
/// caller has a time limit.
pub(super) async fn connect(host: &str, port: u16) -> io::Result<TcpStream> {
    let found = lookup_host((host, port)).await?.take(MOST_ADDRESSES).collect();
    race(interleaved(found)).await
}

/// The families in turns, beginning with the one that the system prefers.
fn interleaved(addresses: Vec<SocketAddr>) -> Vec<SocketAddr> {
    let preferred = addresses.first().is_some_and(SocketAddr::is_ipv6);
    let (first, second): (Vec<_>, Vec<_>) =
        addresses.into_iter().partition(|address| address.is_ipv6() == preferred);
    let mut ordered = Vec::with_capacity(first.len() + second.len());
    let (mut first, mut second) = (first.into_iter(), second.into_iter());
    loop {
        let before = ordered.len();
        ordered.extend(first.next());
        ordered.extend(second.next());
        if ordered.len() == before {
            return ordered;
        }
    }
}

async fn race(addresses: Vec<SocketAddr>) -> io::Result<TcpStream> {
    let mut waiting = addresses.into_iter();
    // Tries that are still open end when the set is dropped.
    let mut tries = JoinSet::new();
    let mut last = io::Error::new(io::ErrorKind::NotFound, "the name has no address");
    loop {
        match waiting.next() {
            Some(address) => {
                tries.spawn(TcpStream::connect(address));
            }
            None if tries.is_empty() => return Err(last),
            None => {}
        }
        tokio::select! {
            Some(ended) = tries.join_next() => match ended {
                Ok(Ok(stream)) => return Ok(stream),
                Ok(Err(error)) => last = error,
                Err(error) => last = io::Error::other(error),
            },
            () = tokio::time::sleep(STAGGER), if waiting.len() > 0 => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use tokio::net::TcpListener;

    use super::*;

    fn addresses(list: &[&str]) -> Vec<SocketAddr> {
        list.iter().map(|text| text.parse().unwrap()).collect()
    }

    #[test]
    fn families_take_turns() {
        let check = |found: &[&str], expected: &[&str]| {
            assert_eq!(interleaved(addresses(found)), addresses(expected));
        };
        check(&[], &[]);
        check(&["[::1]:1", "[::2]:1", "1.1.1.1:1"], &["[::1]:1", "1.1.1.1:1", "[::2]:1"]);
        check(&["1.1.1.1:1", "2.2.2.2:1", "[::1]:1"], &["1.1.1.1:1", "[::1]:1", "2.2.2.2:1"]);
    }

    #[tokio::test]
    async fn an_address_that_refuses_or_is_silent_costs_a_moment() {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let there = listener.local_addr().unwrap();
        let closed = {
            let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
            listener.local_addr().unwrap()
        };
        // 192.0.2.0/24 is nobody's: packets are lost, or refused at once where there is no network at all.
        let silent: SocketAddr = "192.0.2.1:9".parse().unwrap();
        for list in [vec![closed, there], vec![silent, there], vec![silent, closed, there]] {
            let begun = std::time::Instant::now();
            let stream = race(list.clone()).await.unwrap();
            assert_eq!(stream.peer_addr().unwrap(), there, "{list:?}");
            assert!(begun.elapsed() < Duration::from_secs(2), "{list:?} took {:?}", begun.elapsed());
        }
        let error = race(vec![closed]).await.unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::ConnectionRefused);
        assert!(race(Vec::new()).await.unwrap_err().to_string().contains("no address"));
    }
}
