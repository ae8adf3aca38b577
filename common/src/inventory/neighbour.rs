//! Other machines on the same network, read from this one's tables; nothing is probed. Told only on networks that the
//! charter names.

/// One machine that was heard of.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Neighbour {
    /// Its MAC address; never a randomised one.
    pub mac: String,
    /// Addresses that it used, sorted, at most 16.
    pub addresses: Vec<String>,
    /// The network as the charter names it.
    pub network: String,
    /// Whether it says that it routes.
    pub router: Option<bool>,
}

/// What a network holds beside those that are listed.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct NetworkNeighbours {
    /// The network as the charter names it.
    pub network: String,
    /// Machines that are listed.
    pub listed: u32,
    /// Machines with a randomised address: counted, not listed.
    pub randomised: u32,
}
