//! Settings by the environment, for containers and for a unit's `Environment=`.
//!
//! Knows nothing of which settings there are.

use std::ffi::OsStr;

/// The name of a variable with the key that it stands for: `PREFIX_A__B_C` is `a.b_c` under the prefix `PREFIX_`.
/// `None` when the name has another prefix or nothing behind it.
pub(crate) fn key(prefix: &str, name: &OsStr) -> Option<(String, String)> {
    let name = name.to_str()?;
    let parts = name.strip_prefix(prefix).filter(|rest| !rest.is_empty())?;
    Some((name.to_owned(), parts.to_ascii_lowercase().replace("__", ".")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_become_keys() {
        let check = |name: &str, expected: Option<&str>| {
            let found = key("MUSTER_AGENT__", OsStr::new(name)).map(|(_, key)| key);
            assert_eq!(found.as_deref(), expected, "{name}");
        };
        check("MUSTER_AGENT__COLLECTOR__SESSION", Some("collector.session"));
        check("MUSTER_AGENT__SCHEDULE__JITTER_PERCENT", Some("schedule.jitter_percent"));
        check("MUSTER_AGENT__LOG", Some("log"));
        check("MUSTER_AGENT__", None);
        check("MUSTER_AGENT_LOG", None);
        check("MUSTER_COLLECTOR__LOG", None);
    }
}
