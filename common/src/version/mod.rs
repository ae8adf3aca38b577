//! Versions in each ecosystem's own order.
//!
//! Knows nothing of advisories and of ranges. An ecosystem whose order is not known yet has no order here, only
//! equality: a guess would make a vulnerable machine look patched. To add one: a file with a `compare` of two
//! texts that is a total preorder, and a line in [`compare`].

mod dpkg;

use std::cmp::Ordering;

/// Compares two versions of the purl type `purl_type`, such as `deb`. `None`: this ecosystem's order is not known
/// and the texts differ. Any text has a place in the order; nothing is refused, since package databases hold
/// versions that their own policy forbids.
pub fn compare(purl_type: &str, left: &str, right: &str) -> Option<Ordering> {
    match purl_type {
        "deb" => Some(dpkg::compare(left, right)),
        _ if left == right => Some(Ordering::Equal),
        _ => None,
    }
}

/// Whether [`compare`] knows the order of this purl type.
pub fn is_ordered(purl_type: &str) -> bool {
    purl_type == "deb"
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_unknown_order_is_never_guessed() {
        assert_eq!(compare("deb", "1.10", "1.9"), Some(Ordering::Greater));
        assert_eq!(compare("gem", "1.10", "1.9"), None);
        assert_eq!(compare("gem", "1.10", "1.10"), Some(Ordering::Equal));
        assert!(is_ordered("deb") && !is_ordered("gem"));
    }
}
