//! The fleet, its calendar, and what each happening does to a machine.

mod parts;

use std::{
    cmp::Reverse,
    collections::{BTreeMap, BinaryHeap},
    time::Duration,
};

use muster_collector::testing::{
    Machine, Observation, Road,
    machine::{mac, machine_id, part_serial, uuid},
};
use muster_common::{
    device::{Field, Value},
    id::AgentId,
    source::ImportName,
    time::Timestamp,
};
use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;

use self::parts::Board;
use super::{
    Settings, Summary,
    endpoint::{Endpoint, Sort},
    happening::{Happening, RATES},
    score::Score,
};

const MINUTE: Duration = Duration::from_secs(60);
const DAY: Duration = Duration::from_secs(24 * 3600);

/// How the fleet is made up, in parts of a hundred.
const SORTS: &[(Sort, u32)] = &[
    (Sort::Laptop, 50),
    (Sort::SolderedLaptop, 10),
    (Sort::Node, 8),
    (Sort::WhiteBox, 6),
    (Sort::JunkSerial, 3),
    (Sort::SharedUuid, 2),
    (Sort::NoSmbios, 3),
    (Sort::Virtual, 16),
    (Sort::Stamped, 2),
];

/// The fleet and its calendar.
pub(super) struct World {
    random: ChaCha8Rng,
    end: Timestamp,
    now: Timestamp,
    endpoints: Vec<Endpoint>,
    calendar: BinaryHeap<Reverse<(Timestamp, u64, usize, Happening)>>,
    /// Entries of the calendar so far: those of one moment happen in the order in which they were made.
    entries: u64,
    /// Parts, streams and rows so far.
    parts: u64,
    streams: u64,
    rows: u64,
    removed_boards: Vec<Board>,
    score: Score,
}

impl World {
    pub(super) fn new(settings: &Settings) -> Self {
        let start = Timestamp::from_millis(1_700_000_000_000);
        let mut world = Self {
            random: ChaCha8Rng::seed_from_u64(settings.seed),
            end: start.after(settings.days * DAY),
            now: start,
            endpoints: Vec::new(),
            calendar: BinaryHeap::new(),
            entries: 0,
            parts: 0,
            streams: 0,
            rows: 0,
            removed_boards: Vec::new(),
            score: Score::default(),
        };
        while world.endpoints.len() < settings.machines {
            world.deliver();
        }
        world
    }

    pub(super) fn live(mut self, road: &mut dyn Road) -> Summary {
        while let Some(Reverse((at, _, who, what))) = self.calendar.pop() {
            if at > self.end {
                break;
            }
            self.now = at;
            self.happen(road, who, what);
        }
        let machines =
            self.endpoints.iter().filter(|endpoint| endpoint.appeared || endpoint.row.is_some()).count();
        self.score.summary(machines)
    }

    /// A delivery: one machine, or a batch that shares what batches share.
    fn deliver(&mut self) {
        let draw = self.random.random_range(0..100);
        let mut below = 0;
        let sort = SORTS
            .iter()
            .find(|(_, share)| {
                below += share;
                draw < below
            })
            .map_or(Sort::Laptop, |(sort, _)| *sort);
        let batch = match sort {
            Sort::JunkSerial | Sort::SharedUuid => self.random.random_range(2..40),
            Sort::Stamped => self.random.random_range(2..4),
            Sort::Node => 4,
            // Now and then a room full of laptops is made from one image that holds an agent.
            Sort::Laptop if self.random.random_bool(0.002) => self.random.random_range(2..60),
            _ => 1,
        };
        let shared = self.part();
        let maker = if self.random.random_bool(0.5) { "HP" } else { "Supermicro" };
        let image = (self.agent(), machine_id(shared));
        let first_day = self.random.random_range(0.0..500.0);
        for _ in 0..batch {
            let number = self.part();
            let mut machine = match sort {
                Sort::Laptop => Machine::laptop(number),
                Sort::SolderedLaptop => Machine { soldered: true, ..Machine::laptop(number) },
                Sort::Node => Machine { maker: Some(maker.to_owned()), ..Machine::node(number, shared) },
                Sort::WhiteBox => Machine::white_box(number),
                Sort::JunkSerial => {
                    Machine { serial: Some(format!("Type1Serial{shared}")), ..Machine::white_box(number) }
                }
                Sort::SharedUuid => Machine { uuid: Some(uuid(shared)), ..Machine::white_box(number) },
                Sort::NoSmbios => Machine::without_smbios(number),
                Sort::Virtual => Machine::virtual_machine(number),
                Sort::Stamped => Machine { uuid: Some(uuid(shared)), ..Machine::virtual_machine(number) },
            };
            let mut agent = self.agent();
            if sort == Sort::Laptop && batch > 1 {
                (agent, machine.machine_id) = image.clone();
            }
            let day = first_day + self.random.random_range(0.0..5.0);
            self.join(Endpoint::new(sort, machine, agent), day);
        }
    }

    /// A machine joins the fleet after so many days, and its life is drawn.
    fn join(&mut self, endpoint: Endpoint, days: f64) -> usize {
        let who = self.endpoints.len();
        let birth = self.now.after(DAY.mul_f64(days));
        self.endpoints.push(endpoint);
        self.plan(birth, who, Happening::Routine);
        let invoice = match self.random.random_range(0..10) {
            _ if self.endpoints[who].is_virtual() => None,
            0..6 => Some(birth.before(DAY.mul_f64(self.random.random_range(0.0..30.0)))),
            6..9 => Some(birth.after(DAY.mul_f64(self.random.random_range(0.0..200.0)))),
            _ => None,
        };
        if let Some(day) = invoice {
            self.plan(day.max(self.now), who, Happening::Invoice);
        }
        for (what, yearly, applies) in RATES {
            if !applies(&self.endpoints[who]) {
                continue;
            }
            let mut at = birth;
            loop {
                let chance: f64 = self.random.random_range(f64::EPSILON..1.0);
                at = at.after(DAY.mul_f64(-chance.ln() / yearly * 365.0));
                if at > self.end {
                    break;
                }
                self.plan(at, who, *what);
            }
        }
        who
    }

    fn plan(&mut self, at: Timestamp, who: usize, what: Happening) {
        self.entries += 1;
        self.calendar.push(Reverse((at, self.entries, who, what)));
    }

    fn happen(&mut self, road: &mut dyn Road, who: usize, what: Happening) {
        if what == Happening::Disconnect {
            return self.hang_up(road, who);
        }
        let endpoint = &self.endpoints[who];
        let is_back = matches!(what, Happening::BoughtAgain | Happening::Invoice | Happening::SameInvoice);
        if !endpoint.alive && !is_back {
            return;
        }
        match what {
            Happening::Routine => {
                self.report(road, who);
                let next = DAY.mul_f64(self.random.random_range(15.0..45.0));
                return self.plan(self.now.after(next), who, Happening::Routine);
            }
            Happening::Connect => return self.report(road, who),
            Happening::Invoice | Happening::SameInvoice | Happening::SecondInvoice => {
                return self.invoice(road, who, what);
            }
            _ => {}
        }
        // What nobody has switched on yet lies in its box.
        if !endpoint.appeared {
            return;
        }
        self.hang_up(road, who);
        if self.change(road, who, what) {
            self.score.happened(what.words());
            self.endpoints[who].last = what.words();
            let soon = MINUTE * self.random.random_range(5..600);
            self.plan(self.now.after(soon), who, Happening::Connect);
        }
    }

    /// Does it to the machine; false when it can't be done.
    fn change(&mut self, road: &mut dyn Road, who: usize, what: Happening) -> bool {
        let number = self.part();
        match what {
            Happening::ReImage => {
                self.endpoints[who].agent = self.agent();
                self.endpoints[who].machine.machine_id = machine_id(number);
            }
            Happening::SecondSystem => {
                self.endpoints[who].second = Some((self.agent(), machine_id(number)));
            }
            Happening::BoardWithOldSerial => self.new_board(who, Machine::laptop(number), false),
            Happening::BoardWithNewSerial => self.new_board(who, Machine::laptop(number), true),
            Happening::BoardOfAnother => return self.used_board(who),
            Happening::DisksExchanged => return self.exchange_disks(road, who),
            Happening::DiskToUnseen => {
                let unseen = Machine::laptop(number);
                self.move_disk(who, unseen);
            }
            Happening::DiskCopied => {
                self.endpoints[who].machine.disks = vec![part_serial(number, "disk")];
            }
            Happening::Module => {
                self.endpoints[who].machine.memory[0] = part_serial(number, "exchanged module");
            }
            Happening::Docks => {
                let dock = self.random.random_range(0..200);
                self.endpoints[who].machine.docks = vec![mac(1 << 30 | dock)];
            }
            Happening::Rename => self.endpoints[who].machine.hostname = format!("renamed-{number}"),
            Happening::Placeholder => {
                let machine = &mut self.endpoints[who].machine;
                machine.serial = Some("Default string".to_owned());
                machine.chassis = Some("Default string".to_owned());
            }
            Happening::UuidFlipped => {
                let uuid = &mut self.endpoints[who].machine.uuid;
                *uuid = uuid.as_deref().map(flipped);
            }
            Happening::MakerRenamed => self.endpoints[who].machine.maker = Some("HPE".to_owned()),
            Happening::Replaced => self.replace(who, Machine::laptop(number)),
            Happening::Disposed => return self.dispose(road, who),
            Happening::BoughtAgain => self.buy_again(road, who),
            Happening::OtherAddresses => {
                self.endpoints[who].machine.given = Machine::virtual_machine(number).given;
            }
            Happening::Copied => {
                let mut copy = Endpoint::new(
                    Sort::Virtual,
                    Machine { uuid: Some(uuid(number)), ..self.endpoints[who].machine.clone() },
                    self.endpoints[who].agent,
                );
                copy.machine.given = Machine::virtual_machine(number).given;
                copy.last = what.words();
                self.join(copy, 0.1);
            }
            Happening::Routine
            | Happening::Connect
            | Happening::Disconnect
            | Happening::Invoice
            | Happening::SameInvoice
            | Happening::SecondInvoice => return false,
        }
        true
    }

    fn dispose(&mut self, road: &mut dyn Road, who: usize) -> bool {
        let Some((key, mut fields)) = self.endpoints[who].row.clone() else { return false };
        fields.insert(Field::State, Value::Text("disposed".to_owned()));
        self.send_row(road, who, key, fields, "disposed of");
        self.endpoints[who].alive = false;
        // Some firmware has lost the number by which anybody would know it again.
        let is_known = self.endpoints[who].machine.serial.as_deref() != Some("Default string");
        if is_known && self.random.random_bool(0.5) {
            let later = DAY.mul_f64(self.random.random_range(20.0..200.0));
            self.plan(self.now.after(later), who, Happening::BoughtAgain);
        }
        true
    }

    fn buy_again(&mut self, road: &mut dyn Road, who: usize) {
        let number = self.part();
        self.endpoints[who].alive = true;
        self.endpoints[who].agent = self.agent();
        self.endpoints[who].second = None;
        self.endpoints[who].machine.machine_id = machine_id(number);
        self.endpoints[who].machine.disks = vec![part_serial(number, "disk")];
        let mut fields = self.endpoints[who].invoice(&mut self.random);
        fields.insert(Field::State, Value::Text("deployed".to_owned()));
        let key = self.row_key();
        self.endpoints[who].row = Some((key.clone(), fields.clone()));
        self.send_row(road, who, key, fields, Happening::BoughtAgain.words());
        self.plan(self.now.after(DAY), who, Happening::Routine);
    }

    fn invoice(&mut self, road: &mut dyn Road, who: usize, what: Happening) {
        let (key, fields) = match (what, self.endpoints[who].row.clone()) {
            (Happening::Invoice, None) => {
                let fields = self.endpoints[who].invoice(&mut self.random);
                let row = (self.row_key(), fields);
                self.endpoints[who].row = Some(row.clone());
                row
            }
            (Happening::SameInvoice, Some(row)) if self.endpoints[who].alive => row,
            (Happening::SecondInvoice, Some((_, fields))) => (self.row_key(), fields),
            _ => return,
        };
        self.score.happened(what.words());
        self.send_row(road, who, key, fields, what.words());
    }

    fn send_row(
        &mut self,
        road: &mut dyn Road,
        who: usize,
        row_key: String,
        fields: BTreeMap<Field, Value>,
        after: &'static str,
    ) {
        let import = ImportName::new("purchase").expect("the name is good");
        let placed = road.observe(&Observation::Row { import, row_key, fields }, self.now);
        self.score.placed(who, placed, after);
    }

    fn report(&mut self, road: &mut dyn Road, who: usize) {
        if self.endpoints[who].stream.is_none() {
            self.streams += 1;
            self.endpoints[who].stream = Some(self.streams);
            self.endpoints[who].in_second = self.random.random_bool(0.3);
        }
        let endpoint = &mut self.endpoints[who];
        endpoint.appeared = true;
        let mut agent = endpoint.agent;
        let mut machine = endpoint.machine.clone();
        if let Some((second, id)) = endpoint.second.clone()
            && endpoint.in_second
        {
            agent = second;
            machine.machine_id = id;
        }
        let stream = endpoint.stream.unwrap_or_default();
        let (last, always_on) = (endpoint.last, endpoint.always_on);
        let placed = road.observe(&Observation::Report { agent, stream, items: machine.items() }, self.now);
        self.score.placed(who, placed, last);
        if !always_on {
            let hours = MINUTE * self.random.random_range(20..600);
            self.plan(self.now.after(hours), who, Happening::Disconnect);
        }
    }

    fn hang_up(&mut self, road: &mut dyn Road, who: usize) {
        if let Some(stream) = self.endpoints[who].stream.take() {
            road.hang_up(stream);
        }
    }

    fn part(&mut self) -> u64 {
        self.parts += 1;
        self.parts
    }

    fn row_key(&mut self) -> String {
        self.rows += 1;
        format!("row-{}", self.rows)
    }

    fn agent(&mut self) -> AgentId {
        AgentId::from_bytes(self.random.random())
    }
}

/// The UUID as a firmware of the other byte order writes it.
fn flipped(uuid: &str) -> String {
    let reversed = |group: &str| -> String {
        let pairs: Vec<&str> = (0..group.len() / 2).rev().map(|at| &group[at * 2..at * 2 + 2]).collect();
        pairs.concat()
    };
    let mut groups: Vec<String> = uuid.split('-').map(str::to_owned).collect();
    for group in groups.iter_mut().take(3) {
        *group = reversed(group);
    }
    groups.join("-")
}
