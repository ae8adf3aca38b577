//! Boards, disks and whole machines that are exchanged.

use muster_collector::testing::{Machine, Road};
use muster_common::inventory::MacAddress;
use rand::{Rng, seq::IndexedRandom};

use super::{MINUTE, World};
use crate::simulation::{
    endpoint::{Endpoint, Sort},
    happening::Happening,
};

/// The numbers of a main board that was taken out.
#[derive(Debug, Clone)]
pub(super) struct Board {
    from: usize,
    serial: Option<String>,
    uuid: Option<String>,
    board: Option<String>,
    chassis: Option<String>,
    built_in: Vec<MacAddress>,
}

impl World {
    /// Puts in a board; what it replaces goes onto the pile.
    pub(super) fn new_board(&mut self, who: usize, spare: Machine, with_its_serial: bool) {
        let machine = &mut self.endpoints[who].machine;
        self.removed_boards.push(Board {
            from: who,
            serial: machine.serial.clone(),
            uuid: machine.uuid.clone(),
            board: machine.board.clone(),
            chassis: machine.chassis.clone(),
            built_in: machine.built_in.clone(),
        });
        machine.uuid = spare.uuid;
        machine.board = spare.board;
        machine.built_in = spare.built_in;
        if machine.soldered {
            machine.memory = spare.memory;
        }
        if with_its_serial && machine.serial.as_deref() != Some("To Be Filled By O.E.M.") {
            // A laptop's enclosure has no memory of its own; a node's has.
            if machine.chassis == machine.serial {
                machine.chassis.clone_from(&spare.serial);
            }
            machine.serial = spare.serial;
        }
    }

    pub(super) fn used_board(&mut self, who: usize) -> bool {
        let Some(place) = self
            .removed_boards
            .iter()
            .position(|board| board.from != who && self.endpoints[board.from].sort == Sort::Laptop)
        else {
            return false;
        };
        let used = self.removed_boards.remove(place);
        let machine = &mut self.endpoints[who].machine;
        machine.serial = used.serial;
        machine.uuid = used.uuid;
        machine.board = used.board;
        machine.chassis = used.chassis;
        machine.built_in = used.built_in;
        true
    }

    pub(super) fn exchange_disks(&mut self, road: &mut dyn Road, who: usize) -> bool {
        let is_like = |it: &Endpoint| it.sort == Sort::Laptop && it.alive && it.appeared;
        let others: Vec<usize> =
            (0..self.endpoints.len()).filter(|at| *at != who && is_like(&self.endpoints[*at])).collect();
        let Some(other) = others.choose(&mut self.random).copied() else { return false };
        self.hang_up(road, other);
        let (left, right) = (who.min(other), who.max(other));
        let (head, tail) = self.endpoints.split_at_mut(right);
        exchange(&mut head[left], &mut tail[0]);
        self.endpoints[other].last = Happening::DisksExchanged.words();
        self.plan(self.now.after(30 * MINUTE), other, Happening::Connect);
        true
    }

    /// The disk goes into a machine that was never switched on; the old one is left without.
    pub(super) fn move_disk(&mut self, who: usize, unseen: Machine) {
        let agent = self.agent();
        let mut other = Endpoint::new(Sort::Laptop, unseen, agent);
        exchange(&mut self.endpoints[who], &mut other);
        other.last = Happening::DiskToUnseen.words();
        self.endpoints[who].alive = false;
        self.join(other, 0.1);
    }

    /// The maker sends another machine; half of the time the old disk is put into it.
    pub(super) fn replace(&mut self, who: usize, fresh: Machine) {
        let agent = self.agent();
        let mut other = Endpoint::new(Sort::Laptop, fresh, agent);
        if self.random.random_bool(0.5) {
            exchange(&mut self.endpoints[who], &mut other);
        }
        other.last = Happening::Replaced.words();
        self.endpoints[who].alive = false;
        self.join(other, 0.1);
    }
}

/// What lies on a disk goes with it.
fn exchange(one: &mut Endpoint, other: &mut Endpoint) {
    std::mem::swap(&mut one.agent, &mut other.agent);
    std::mem::swap(&mut one.second, &mut other.second);
    std::mem::swap(&mut one.machine.machine_id, &mut other.machine.machine_id);
    std::mem::swap(&mut one.machine.hostname, &mut other.machine.hostname);
    std::mem::swap(&mut one.machine.disks, &mut other.machine.disks);
}
