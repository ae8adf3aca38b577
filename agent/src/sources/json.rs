//! Reads JSON that a browser, an editor or an attacker wrote, where one bad entry must not cost the rest.
//!
//! Knows nothing of any format. A list of entries is read one by one; fields that nobody asks for are passed over.

use serde::{
    Deserialize,
    de::{DeserializeOwned, IgnoredAny},
};

/// An entry, if it has the form that is expected.
#[derive(Debug, Deserialize)]
#[serde(untagged, bound = "T: DeserializeOwned")]
pub(crate) enum Lenient<T> {
    /// It has.
    Good(T),
    /// It is well-formed and something else.
    Bad(IgnoredAny),
}

impl<T> Lenient<T> {
    /// The entry, if it is good.
    pub(crate) fn good(self) -> Option<T> {
        match self {
            Self::Good(entry) => Some(entry),
            Self::Bad(_) => None,
        }
    }
}

/// Tells the good entries of a list from the number of bad ones.
pub(crate) fn sift<T>(entries: Vec<Lenient<T>>) -> (Vec<T>, usize) {
    let all = entries.len();
    let good: Vec<T> = entries.into_iter().filter_map(Lenient::good).collect();
    let bad = all - good.len();
    (good, bad)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bad_entries_are_counted() {
        let parsed: Vec<Lenient<u32>> = serde_json::from_str(r#"[1, "x", null, {"a": [1]}, -1, 2]"#).unwrap();
        assert_eq!(sift(parsed), (vec![1, 2], 4));
    }
}
