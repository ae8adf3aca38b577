//! What runs by itself and what listens.

/// One unit that the service manager starts.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Service {
    /// Unit, such as `ssh.service`.
    pub name: String,
    /// `service`, `timer`, `socket` or `path`.
    pub kind: String,
    /// Description.
    pub description: Option<String>,
    /// Whether it starts by itself.
    pub enabled: Option<bool>,
    /// Program that it starts, without arguments.
    pub program: Option<String>,
    /// Account that it runs as.
    pub user: Option<String>,
}

/// One listening socket.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Listener {
    /// `tcp` or `udp`.
    pub protocol: String,
    /// Address that it is bound to; `::` and `0.0.0.0` for all.
    pub address: String,
    /// Port.
    pub port: u32,
    /// Account that owns it.
    pub uid: Option<u32>,
    /// Unit that it belongs to, by its control group.
    pub service: Option<String>,
    /// Name of the program, where that may be read.
    pub program: Option<String>,
    /// Package that the program belongs to, where that is known.
    pub package: Option<String>,
}
