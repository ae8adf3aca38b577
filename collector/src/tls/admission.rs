//! How many connections one address may hold at once.
//!
//! An IPv6 customer has a whole /64, so that is what counts as one address there. Memory is bounded by the connections
//! that are open. Knows nothing of who the peers are: a site behind one translated address needs a generous limit.

use std::{
    collections::HashMap,
    net::{IpAddr, Ipv6Addr},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

/// Counts connections by address.
#[derive(Debug)]
pub struct AddressLimit {
    held: Mutex<HashMap<IpAddr, u32>>,
    most: u32,
}

impl AddressLimit {
    /// A limit of `most` connections for each address.
    pub fn new(most: u32) -> Arc<Self> {
        Arc::new(Self { held: Mutex::new(HashMap::new()), most })
    }

    /// Takes a place for a connection; none if the address has its share. The place is free again when dropped.
    pub fn take(self: &Arc<Self>, address: IpAddr) -> Option<Place> {
        let key = network(address);
        let mut held = self.lock();
        let count = held.get(&key).copied().unwrap_or(0);
        if count >= self.most {
            return None;
        }
        held.insert(key, count + 1);
        drop(held);
        Some(Place { limit: self.clone(), key })
    }

    /// How many addresses hold connections.
    pub fn addresses(&self) -> usize {
        self.lock().len()
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<IpAddr, u32>> {
        self.held.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// One connection's place in its address's share.
#[derive(Debug)]
pub struct Place {
    limit: Arc<AddressLimit>,
    key: IpAddr,
}

impl Drop for Place {
    fn drop(&mut self) {
        let mut held = self.limit.lock();
        if let Some(count) = held.get_mut(&self.key) {
            *count = count.saturating_sub(1);
            if *count == 0 {
                held.remove(&self.key);
            }
        }
    }
}

/// An IPv4 address, or the /64 of an IPv6 address.
fn network(address: IpAddr) -> IpAddr {
    match address.to_canonical() {
        IpAddr::V4(address) => address.into(),
        IpAddr::V6(address) => {
            let [a, b, c, d, ..] = address.segments();
            Ipv6Addr::new(a, b, c, d, 0, 0, 0, 0).into()
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_address_has_its_share_and_gets_it_back() {
        let limit = AddressLimit::new(2);
        let take = |text: &str| limit.take(text.parse().unwrap());
        let first = take("192.0.2.1").unwrap();
        let _mapped = take("::ffff:192.0.2.1").unwrap();
        assert!(take("192.0.2.1").is_none());
        let _other = take("192.0.2.2").unwrap();
        let (_a, _b) = (take("2001:db8::1").unwrap(), take("2001:db8::2").unwrap());
        assert!(take("2001:db8::3:4").is_none());
        assert!(take("2001:db8:0:1::1").is_some());
        drop(first);
        assert!(take("192.0.2.1").is_some());
        assert_eq!(limit.addresses(), 3);
    }

    #[test]
    fn a_limit_of_nothing_keeps_nothing() {
        let limit = AddressLimit::new(0);
        assert!(limit.take("192.0.2.1".parse().unwrap()).is_none());
        assert_eq!(limit.addresses(), 0);
    }
}
