//! When software was last used. Told only where charter and machine allow it.

use crate::time::EndpointTime;

/// Use of one application: never arguments, titles, files or who.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Usage {
    /// purl type of the package, such as `deb`.
    pub purl_type: String,
    /// Name of the package, or of the program where no package is known.
    pub name: String,
    /// The day on which it last ran, by the endpoint's clock.
    pub last_used: Option<EndpointTime>,
    /// Days on which it ran, of the last 90 that were watched.
    pub days_used: Option<u32>,
    /// How many days were watched, at most 90.
    pub days_watched: Option<u32>,
    /// `program` where its path was seen, `name` where only its name was.
    pub confidence: Option<String>,
}
