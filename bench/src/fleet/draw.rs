//! Chance that follows from a seed: a generator for each use, and single numbers where a generator is too much.

use rand::{RngCore, SeedableRng};
use rand_chacha::ChaCha8Rng;

/// A generator for one use on one device.
#[derive(Debug)]
pub(super) struct Draw(ChaCha8Rng);

impl Draw {
    /// The generator for a use on a device; `round` tells several of a kind apart.
    pub(super) fn new(seed: u64, used_for: &str, device: u64, round: u64) -> Self {
        let mut hasher = blake3::Hasher::new();
        for number in [seed, device, round] {
            hasher.update(&number.to_le_bytes());
        }
        hasher.update(used_for.as_bytes());
        Self(ChaCha8Rng::from_seed(*hasher.finalize().as_bytes()))
    }
}

impl RngCore for Draw {
    fn next_u32(&mut self) -> u32 {
        self.0.next_u32()
    }

    fn next_u64(&mut self) -> u64 {
        self.0.next_u64()
    }

    fn fill_bytes(&mut self, bytes: &mut [u8]) {
        self.0.fill_bytes(bytes);
    }
}

/// One number from three: the finaliser of SplitMix64 over their sum with odd weights.
pub(super) fn mix(seed: u64, a: u64, b: u64) -> u64 {
    let mut z = seed
        .wrapping_mul(0x9e37_79b9_7f4a_7c15)
        .wrapping_add(a.wrapping_mul(0xd1b5_4a32_d192_ed03))
        .wrapping_add(b.wrapping_mul(0xaef1_7502_108e_f2d9));
    z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ (z >> 31)
}

/// The entry of a table whose weights add up to a hundred.
pub(super) fn weighted<T>(table: &[(u64, T)], chance: u64) -> &T {
    let mut left = chance % 100;
    for (weight, entry) in table {
        match left.checked_sub(*weight) {
            Some(rest) => left = rest,
            None => return entry,
        }
    }
    unreachable!("the weights of a table add up to a hundred")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn weights_are_kept() {
        let table = [(60, 'a'), (40, 'b')];
        let count = (0..100).filter(|chance| *weighted(&table, *chance) == 'a').count();
        assert_eq!(count, 60);
    }

    #[test]
    fn numbers_spread() {
        let hits = (0..10_000).filter(|number| mix(1, *number, 2) % 100 < 12).count();
        assert!((1_000..1_400).contains(&hits), "{hits}");
    }
}
