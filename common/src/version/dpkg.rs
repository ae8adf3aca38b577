//! The order of Debian versions, as deb-version(7) describes it: `[epoch:]upstream[-revision]`.
//!
//! Own code and not the `debversion` crate, which brings chrono, big numbers and regular expressions and refuses
//! versions that real package databases hold. Takes time linear in the texts and never allocates.

use std::cmp::Ordering;

/// Compares two versions. Where the part before a colon is no number, the whole text is the upstream version of
/// epoch 0.
pub(super) fn compare(left: &str, right: &str) -> Ordering {
    let (left, right) = (Parts::of(left), Parts::of(right));
    compare_digits(left.epoch, right.epoch)
        .then_with(|| compare_part(left.upstream, right.upstream))
        .then_with(|| compare_part(left.revision, right.revision))
}

struct Parts<'a> {
    epoch: &'a [u8],
    upstream: &'a [u8],
    revision: &'a [u8],
}

impl<'a> Parts<'a> {
    fn of(version: &'a str) -> Self {
        let (epoch, rest) = match version.split_once(':') {
            Some((epoch, rest)) if epoch.bytes().all(|b| b.is_ascii_digit()) => (epoch, rest),
            _ => ("", version),
        };
        let (upstream, revision) = rest.rsplit_once('-').unwrap_or((rest, ""));
        Self { epoch: epoch.as_bytes(), upstream: upstream.as_bytes(), revision: revision.as_bytes() }
    }
}

/// Compares runs of other characters and runs of digits in turn.
fn compare_part(mut left: &[u8], mut right: &[u8]) -> Ordering {
    while !left.is_empty() || !right.is_empty() {
        let (left_text, left_rest) = split(left, |b| !b.is_ascii_digit());
        let (right_text, right_rest) = split(right, |b| !b.is_ascii_digit());
        let (left_digits, left_rest) = split(left_rest, |b| b.is_ascii_digit());
        let (right_digits, right_rest) = split(right_rest, |b| b.is_ascii_digit());
        let order =
            compare_text(left_text, right_text).then_with(|| compare_digits(left_digits, right_digits));
        if order != Ordering::Equal {
            return order;
        }
        (left, right) = (left_rest, right_rest);
    }
    Ordering::Equal
}

fn split(bytes: &[u8], belongs: impl Fn(u8) -> bool) -> (&[u8], &[u8]) {
    bytes.split_at(bytes.iter().position(|b| !belongs(*b)).unwrap_or(bytes.len()))
}

/// A tilde sorts before the end, the end before letters, letters before everything else.
fn compare_text(left: &[u8], right: &[u8]) -> Ordering {
    let weight = |byte: Option<&u8>| match byte {
        Some(b'~') => -1,
        None => 0,
        Some(letter) if letter.is_ascii_alphabetic() => i32::from(*letter),
        Some(other) => i32::from(*other) + 256,
    };
    (0..left.len().max(right.len()))
        .map(|place| weight(left.get(place)).cmp(&weight(right.get(place))))
        .find(|order| order.is_ne())
        .unwrap_or(Ordering::Equal)
}

/// Numbers of any length: without leading zeros, the longer is the greater.
fn compare_digits(left: &[u8], right: &[u8]) -> Ordering {
    let (_, left) = split(left, |b| b == b'0');
    let (_, right) = split(right, |b| b == b'0');
    left.len().cmp(&right.len()).then_with(|| left.cmp(right))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn orders_as_dpkg_does() {
        for (left, expected, right) in [
            ("1.0", Ordering::Equal, "1.0"),
            ("1.0", Ordering::Equal, "0:1.0"),
            ("1.0", Ordering::Equal, "1.0-0"),
            ("1.0", Ordering::Equal, "1.0-"),
            ("1.0", Ordering::Equal, "1.00"),
            ("001", Ordering::Equal, "1"),
            ("1.a0", Ordering::Equal, "1.a"),
            ("", Ordering::Equal, "0"),
            ("1.9", Ordering::Less, "1.10"),
            ("1.2.3", Ordering::Less, "1.2.3.1"),
            ("1:0.1", Ordering::Greater, "9.9"),
            ("10:0", Ordering::Greater, "9:9"),
            ("1.0~rc1", Ordering::Less, "1.0"),
            ("1.0~rc1", Ordering::Less, "1.0~rc2"),
            ("1.0~~", Ordering::Less, "1.0~~a"),
            ("1.0~~a", Ordering::Less, "1.0~"),
            ("1.0~", Ordering::Less, "1.0"),
            ("1.0", Ordering::Less, "1.0a"),
            ("1.0a", Ordering::Less, "1.0b"),
            ("1.0z", Ordering::Less, "1.0+"),
            ("1.0Z", Ordering::Less, "1.0a"),
            ("1.0+", Ordering::Less, "1.0-1-1"),
            ("1.0-1", Ordering::Less, "1.0-1.1"),
            ("1.0-1", Ordering::Less, "1.0.1-1"),
            ("1.0-1~bpo12+1", Ordering::Less, "1.0-1"),
            ("3.0.11-1~deb12u1", Ordering::Less, "3.0.11-1~deb12u2"),
            ("3.0.11-1~deb12u2", Ordering::Less, "3.0.11-1"),
            ("3.0.9-1", Ordering::Less, "3.0.11-1~deb12u2"),
            ("1.0-1", Ordering::Less, "1.0-1ubuntu0.1"),
            ("1.0-1+deb12u1", Ordering::Less, "1.0-1.1"),
            ("2.36-9+deb12u4", Ordering::Less, "2.36-9+deb12u10"),
            ("1.0-2-1", Ordering::Less, "1.0-10-1"),
            ("20231231", Ordering::Less, "20240101"),
            ("99999999999999999999999999999998", Ordering::Less, "99999999999999999999999999999999"),
            ("9", Ordering::Less, "100000000000000000000000000000000"),
            ("1.0.0git20200101.abc", Ordering::Less, "1.0.0git20200102.abb"),
            ("4.2.5~dfsg-1", Ordering::Less, "4.2.5-1"),
            ("a:1", Ordering::Greater, "1"),
        ] {
            assert_eq!(compare(left, right), expected, "{left} {right}");
            assert_eq!(compare(right, left), expected.reverse(), "{right} {left}");
        }
    }

    proptest! {
        #[test]
        fn is_a_total_order(a in "[0-9a:~.+-]{0,8}", b in "[0-9a:~.+-]{0,8}", c in "[0-9a:~.+-]{0,8}") {
            prop_assert_eq!(compare(&a, &b), compare(&b, &a).reverse());
            prop_assert_eq!(compare(&a, &a), Ordering::Equal);
            if compare(&a, &b).is_le() && compare(&b, &c).is_le() {
                prop_assert!(compare(&a, &c).is_le());
            }
        }
    }
}
