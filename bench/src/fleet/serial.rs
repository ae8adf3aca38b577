//! Numbers that look drawn by chance and never repeat: serial numbers and addresses.

/// A prime that divides no space used here, so that multiplying by it reaches each number of a space once.
const STRIDE: u128 = 11_400_714_819_323_198_549;

/// Digits and letters without those that are read wrongly.
const ALPHABET: &[u8; 33] = b"0123456789ABCDEFGHJKLMNPQRSTVWXYZ";

/// The place of a number in a space, each place once.
pub(super) fn scatter(seed: u64, number: u64, space: u64) -> u64 {
    let offset = u128::from(super::draw::mix(seed, 0x5ca7, space));
    ((u128::from(number) * STRIDE + offset) % u128::from(space)) as u64
}

/// So many digits of a number that is unique among its kind.
pub(super) fn digits(seed: u64, number: u64, count: u32) -> String {
    format!("{:0width$}", scatter(seed, number, 10u64.pow(count)), width = count as usize)
}

/// So many letters and digits of a number that is unique among its kind.
pub(super) fn letters(seed: u64, number: u64, count: u32) -> String {
    let base = ALPHABET.len() as u64;
    let mut rest = scatter(seed, number, base.pow(count));
    let mut text = vec![b'0'; count as usize];
    for place in text.iter_mut().rev() {
        *place = ALPHABET[(rest % base) as usize];
        rest /= base;
    }
    String::from_utf8_lossy(&text).into_owned()
}

/// So many hexadecimal digits, upper case, of a number that is unique among its kind.
pub(super) fn hex(seed: u64, number: u64, count: u32) -> String {
    format!("{:0width$X}", scatter(seed, number, 1 << (4 * count)), width = count as usize)
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn a_space_is_reached_whole() {
        for space in [33 * 33, 1000, 4096] {
            let places: BTreeSet<u64> = (0..space).map(|number| scatter(7, number, space)).collect();
            assert_eq!(places.len() as u64, space);
        }
        assert_eq!((letters(1, 2, 7).len(), digits(1, 2, 9).len(), hex(1, 2, 6).len()), (7, 9, 6));
    }
}
