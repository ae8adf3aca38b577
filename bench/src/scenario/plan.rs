//! Which devices of the fleet do what.

use crate::fleet::{Choice, Fleet};

/// Of ten devices one is among the first ever, up to this many.
const MOST_FIRST: u64 = 100;

/// A fleet divided into three groups.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Plan {
    /// All devices.
    pub devices: u64,
    /// The first ones ever, drawn by the power law, on an empty catalogue.
    pub first: u64,
    /// Devices of which each brings titles that no other has; together they leave the catalogue warm.
    pub strangers: u64,
}

impl Plan {
    /// For so many devices, at least 10.
    pub fn new(fleet: &Fleet, devices: u64) -> Self {
        let devices = devices.max(10);
        let first = (devices / 10).clamp(1, MOST_FIRST);
        let strangers = u64::from(fleet.slices()).min(devices / 2);
        Self { devices, first, strangers }
    }

    /// The packages of a device.
    pub fn choice(&self, device: u64) -> Choice {
        match device.checked_sub(self.first) {
            Some(slice) if slice < self.strangers => Choice::Slice(slice as u32),
            Some(_) | None => Choice::Popular,
        }
    }

    /// The first devices ever.
    pub fn first(&self) -> std::ops::Range<u64> {
        0..self.first
    }

    /// The devices with titles of their own.
    pub fn strangers(&self) -> std::ops::Range<u64> {
        self.first..self.first + self.strangers
    }

    /// The devices that come to a catalogue which knows their titles.
    pub fn warm(&self) -> std::ops::Range<u64> {
        self.first + self.strangers..self.devices
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fleet::Shape;

    #[test]
    fn groups_cover_the_fleet_and_the_strangers_cover_the_titles() {
        let fleet = Fleet::new(Shape::default());
        let plan = Plan::new(&fleet, 2000);
        assert_eq!((plan.first(), plan.strangers(), plan.warm()), (0..100, 100..300, 300..2000));
        assert_eq!(
            [99, 100, 299, 300].map(|device| plan.choice(device)),
            [Choice::Popular, Choice::Slice(0), Choice::Slice(199), Choice::Popular]
        );
        let tiny = Plan::new(&fleet, 20);
        assert_eq!((tiny.first(), tiny.strangers(), tiny.warm()), (0..2, 2..12, 12..20));
    }
}
