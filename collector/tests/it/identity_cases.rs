//! The cases that identity must get right, each as observations in an order, over the road in memory.
//!
//! Each case is named after what happened; what it must come to stands in its last lines.

use std::{collections::BTreeMap, time::Duration};

use muster_collector::testing::{
    Machine, Observation, PipelineRoad, Placed, Road,
    machine::{mac, machine_id, part_serial, uuid},
};
use muster_common::{
    device::{Device, Field, Value},
    flag::FlagCode,
    governance::Charter,
    id::{AgentId, DeviceId},
    source::ImportName,
    time::Timestamp,
};

/// A road with a clock that moves an hour with each observation.
struct World {
    road: PipelineRoad,
    now: Timestamp,
    streams: u64,
}

fn agent(number: u8) -> AgentId {
    AgentId::from_bytes([number; 16])
}

impl World {
    fn new() -> Self {
        Self {
            road: PipelineRoad::new(Charter::default()).unwrap(),
            now: "2026-01-01".parse().unwrap(),
            streams: 0,
        }
    }

    /// The agent reports once and its stream ends.
    fn report(&mut self, agent: AgentId, machine: &Machine) -> Placed {
        let (placed, stream) = self.stay(agent, machine);
        self.road.hang_up(stream);
        placed
    }

    /// The agent reports and stays connected.
    fn stay(&mut self, agent: AgentId, machine: &Machine) -> (Placed, u64) {
        self.streams += 1;
        self.now = self.now.after(Duration::from_secs(3600));
        let observation = Observation::Report { agent, stream: self.streams, items: machine.items() };
        (self.road.observe(&observation, self.now), self.streams)
    }

    fn row(&mut self, row_key: &str, fields: &[(Field, &str)]) -> Placed {
        self.now = self.now.after(Duration::from_secs(3600));
        let fields: BTreeMap<Field, Value> =
            fields.iter().map(|(field, text)| (*field, Value::Text((*text).to_owned()))).collect();
        let import = ImportName::new("purchase").unwrap();
        self.road.observe(&Observation::Row { import, row_key: row_key.to_owned(), fields }, self.now)
    }

    fn device(&self, placed: Placed) -> Device {
        self.road.device(placed.device).unwrap()
    }

    fn has(&self, device: DeviceId, code: FlagCode) -> bool {
        self.road.flags(device, self.now).iter().any(|flag| flag.code == code)
    }

    fn count(&self) -> usize {
        usize::try_from(self.road.len()).unwrap()
    }
}

#[track_caller]
fn same(left: Placed, right: Placed) {
    assert_eq!(left.device, right.device);
    assert!(!left.in_conflict && !right.in_conflict, "it waits for a review");
}

#[track_caller]
fn apart(left: Placed, right: Placed) {
    assert_ne!(left.device, right.device);
    assert!(!left.in_conflict && !right.in_conflict, "it waits for a review");
}

#[test]
fn re_imaged_laptop() {
    let mut world = World::new();
    let mut machine = Machine::laptop(1);
    let before = world.report(agent(1), &machine);
    machine.machine_id = machine_id(99);
    let after = world.report(agent(2), &machine);
    same(before, after);
    let device = world.device(after);
    assert_eq!(device.agents.len(), 2, "the old agent stays in the record");
    assert_eq!((device.agents[0].agent, device.agents[0].current), (agent(2), true));
    assert_eq!(device.text(Field::MachineId), Some(machine.machine_id.as_str()));
    assert!(!world.has(after.device, FlagCode::HardwareChanged));
}

#[test]
fn mainboard_replaced() {
    // Its serial number is that of the new board, is written into it, or only the UUID is known to differ.
    for writes_serial in [false, true] {
        let mut world = World::new();
        let mut machine = Machine::laptop(1);
        let before = world.report(agent(1), &machine);
        let bought_as = machine.serial.clone().unwrap();
        let spare = Machine::laptop(2);
        machine.uuid = spare.uuid;
        machine.board = spare.board;
        machine.built_in = spare.built_in;
        if !writes_serial {
            machine.serial = spare.serial.clone();
            machine.chassis = spare.serial;
        }
        let after = world.report(agent(1), &machine);
        same(before, after);
        assert!(world.has(after.device, FlagCode::HardwareChanged));
        assert_eq!(world.device(after).value(Field::Serial), machine.serial.map(Value::Text).as_ref());
        // The invoice knows the serial number under which it was bought.
        let row = world.row("1", &[(Field::Serial, &bought_as), (Field::Manufacturer, "Lenovo")]);
        same(row, after);
    }
}

#[test]
fn disk_moved_into_another_chassis() {
    // That is known already, or not yet.
    for is_known in [true, false] {
        let mut world = World::new();
        let old = Machine::laptop(1);
        let mut other = Machine::laptop(2);
        let first = world.report(agent(1), &old);
        let known = is_known.then(|| world.report(agent(2), &other));
        other.disks = old.disks.clone();
        other.machine_id = old.machine_id.clone();
        let moved = world.report(agent(1), &other);
        apart(first, moved);
        if let Some(known) = known {
            same(known, moved);
        }
        assert!(!world.has(first.device, FlagCode::ClonedIdentity), "a move is no copy");
        assert!(!world.has(moved.device, FlagCode::ClonedIdentity), "a move is no copy");
    }
}

#[test]
fn many_clones_of_one_image() {
    let mut world = World::new();
    let clones: Vec<(Machine, Placed)> = (0..120)
        .map(|number| {
            let machine = Machine { machine_id: machine_id(1), ..Machine::laptop(number) };
            let (placed, _) = world.stay(agent(1), &machine);
            (machine, placed)
        })
        .collect();
    assert_eq!(world.count(), 120);
    for (machine, placed) in &clones {
        assert!(!placed.in_conflict);
        same(*placed, world.report(agent(1), machine));
        assert_eq!(
            world.device(*placed).value(Field::Serial),
            machine.serial.clone().map(Value::Text).as_ref()
        );
    }
    assert_eq!(world.count(), 120, "nobody's second report makes another device");
    assert!(world.has(clones[7].1.device, FlagCode::ClonedIdentity));
}

#[test]
fn clones_that_are_never_connected_together() {
    let mut world = World::new();
    let machines: Vec<Machine> =
        (0..50).map(|number| Machine { machine_id: machine_id(1), ..Machine::laptop(number) }).collect();
    for _ in 0..2 {
        for machine in &machines {
            assert!(!world.report(agent(1), machine).in_conflict);
        }
    }
    assert_eq!(world.count(), 50);
    let any = world.report(agent(1), &machines[3]);
    assert!(world.has(any.device, FlagCode::ClonedIdentity));
}

#[test]
fn virtual_machines_stamped_from_one_template_with_one_uuid() {
    let mut world = World::new();
    let one = Machine { uuid: Some(uuid(7)), ..Machine::virtual_machine(1) };
    let two = Machine { uuid: Some(uuid(7)), ..Machine::virtual_machine(2) };
    let (first, _) = world.stay(agent(1), &one);
    let (second, _) = world.stay(agent(2), &two);
    apart(first, second);
    assert!(world.has(first.device, FlagCode::DuplicateIdentifier));
    assert!(world.has(second.device, FlagCode::DuplicateIdentifier));
}

#[test]
fn virtual_machine_with_new_addresses() {
    let mut world = World::new();
    let mut machine = Machine::virtual_machine(1);
    let before = world.report(agent(1), &machine);
    machine.given = Machine::virtual_machine(2).given;
    same(before, world.report(agent(1), &machine));
    // Re-installed, with no other stream open.
    machine.machine_id = machine_id(55);
    same(before, world.report(agent(2), &machine));
}

#[test]
fn second_operating_system_on_one_machine() {
    let mut world = World::new();
    let machine = Machine::laptop(1);
    let other = Machine { machine_id: machine_id(77), hostname: "other-os".into(), ..machine.clone() };
    let first = world.report(agent(1), &machine);
    same(first, world.report(agent(2), &other));
    // Both go on reporting in turn: the first stays the machine's own.
    world.report(agent(1), &machine);
    world.report(agent(2), &other);
    assert_eq!(world.device(first).text(Field::Hostname), Some(machine.hostname.as_str()));
}

#[test]
fn container_that_shows_its_hosts_hardware() {
    let mut world = World::new();
    let host = Machine::laptop(1);
    let (on_host, _) = world.stay(agent(1), &host);
    // An application container is an installation on its host.
    let app = Machine { machine_id: machine_id(78), ..host.clone() };
    let (in_app, _) = world.stay(agent(2), &app);
    same(on_host, in_app);
    // A system container is a machine of its own.
    let system = Machine { hypervisor: Some("lxc".into()), machine_id: machine_id(79), ..host };
    let (in_system, _) = world.stay(agent(3), &system);
    apart(on_host, in_system);
}

#[test]
fn lab_machine_re_imaged_every_night() {
    let mut world = World::new();
    let placed: Vec<Placed> = (1..=250)
        .map(|night| {
            let machine = Machine { machine_id: machine_id(u64::from(night) + 1000), ..Machine::laptop(1) };
            world.report(agent(night), &machine)
        })
        .collect();
    assert_eq!(world.count(), 1);
    let device = world.device(placed[0]);
    assert!(device.agents.len() <= 16, "the record lists {} agents", device.agents.len());
    assert_eq!(device.agents[0].agent, agent(250));
}

#[test]
fn bought_again_after_disposal() {
    let mut world = World::new();
    let machine = Machine::laptop(1);
    let serial = machine.serial.clone().unwrap();
    let bought = world.row("1", &[(Field::Serial, &serial), (Field::State, "disposed")]);
    same(bought, world.report(agent(1), &machine));
    let again = world.row("2", &[(Field::Serial, &serial), (Field::State, "deployed")]);
    same(bought, again);
}

#[test]
fn weak_evidence_onto_a_disposed_device() {
    let mut world = World::new();
    let machine = Machine::white_box(1);
    let first = world.report(agent(1), &machine);
    let uuid = machine.uuid.clone().unwrap();
    world.row("1", &[(Field::Uuid, &uuid), (Field::State, "sold")]);
    assert_eq!(world.device(first).text(Field::State), Some("sold"));
    let again = world.report(agent(2), &machine);
    assert!(again.in_conflict, "a UUID alone doesn't bring a sold machine back");
}

#[test]
fn swapped_under_warranty() {
    let mut world = World::new();
    let broken = Machine::laptop(1);
    let first = world.report(agent(1), &broken);
    let mut replacement = Machine::laptop(2);
    replacement.disks = broken.disks.clone();
    apart(first, world.report(agent(1), &replacement));
}

#[test]
fn junk_serial_on_three_hundred_white_boxes() {
    // Known junk, and junk that nobody has listed yet.
    for serial in ["To Be Filled By O.E.M.", "Type1ProductSerial"] {
        let mut world = World::new();
        let boxes: Vec<(Machine, u8)> = (0..250)
            .map(|number| {
                (Machine { serial: Some(serial.into()), ..Machine::white_box(u64::from(number)) }, number)
            })
            .collect();
        let placed: Vec<Placed> =
            boxes.iter().map(|(machine, number)| world.report(agent(*number), machine)).collect();
        assert_eq!(world.count(), 250, "{serial}");
        assert!(placed.iter().all(|placed| !placed.in_conflict), "{serial}");
        // And they are found again when they are re-imaged.
        let again = Machine { machine_id: machine_id(9_999), ..boxes[123].0.clone() };
        same(placed[123], world.report(agent(251), &again));
        let is_learned = world.has(placed[9].device, FlagCode::DuplicateIdentifier);
        assert_eq!(is_learned, serial == "Type1ProductSerial");
    }
}

#[test]
fn shared_uuid_on_white_boxes() {
    let mut world = World::new();
    for number in 0..20 {
        let machine = Machine { uuid: Some(uuid(1)), ..Machine::white_box(u64::from(number)) };
        assert!(!world.report(agent(number), &machine).in_conflict);
    }
    assert_eq!(world.count(), 20);
}

#[test]
fn good_value_followed_by_a_placeholder() {
    let mut world = World::new();
    let mut machine = Machine::laptop(1);
    let serial = machine.serial.clone();
    let before = world.report(agent(1), &machine);
    machine.serial = Some("Default string".into());
    machine.model = Some("To Be Filled By O.E.M.".into());
    let after = world.report(agent(1), &machine);
    same(before, after);
    assert_eq!(world.device(after).text(Field::Serial), serial.as_deref());
    assert_eq!(world.device(after).text(Field::Model), Some("20L8S07A14"));
    assert!(!world.has(after.device, FlagCode::HardwareChanged));
}

#[test]
fn dock_seen_on_five_laptops() {
    let mut world = World::new();
    for number in 1..=5 {
        let machine = Machine { docks: vec![mac(500), mac(501)], ..Machine::laptop(u64::from(number)) };
        world.report(agent(number), &machine);
    }
    assert_eq!(world.count(), 5);
}

#[test]
fn renamed_host() {
    let mut world = World::new();
    let mut machine = Machine::laptop(1);
    let before = world.report(agent(1), &machine);
    machine.hostname = "another".into();
    same(before, world.report(agent(1), &machine));
    assert_eq!(world.device(before).text(Field::Hostname), Some("another"));
}

#[test]
fn purchase_record_before_and_after_the_agent() {
    for is_first in [true, false] {
        let mut world = World::new();
        let machine = Machine::laptop(1);
        let serial = machine.serial.clone().unwrap().to_lowercase();
        let row = [
            (Field::Serial, serial.as_str()),
            (Field::Manufacturer, "Lenovo"),
            (Field::Model, "ThinkPad T480s"),
        ];
        let (bought, reported) = if is_first {
            (world.row("1", &row), world.report(agent(1), &machine))
        } else {
            let reported = world.report(agent(1), &machine);
            assert!(world.has(reported.device, FlagCode::Unknown));
            (world.row("1", &row), reported)
        };
        same(bought, reported);
        assert!(!world.has(reported.device, FlagCode::Unknown), "the purchase vouches for it");
        assert!(!world.has(reported.device, FlagCode::Conflict));
        let version = world.device(reported).version;
        world.row("1", &row);
        world.report(agent(1), &machine);
        assert_eq!(world.device(reported).version, version, "importing and reporting again changes nothing");
    }
}

#[test]
fn two_purchase_records_with_one_serial() {
    let mut world = World::new();
    let machine = Machine::laptop(1);
    let serial = machine.serial.clone().unwrap();
    let first = world.row("1", &[(Field::Serial, &serial), (Field::Supplier, "one")]);
    let second = world.row("2", &[(Field::Serial, &serial), (Field::Supplier, "two")]);
    assert!(!first.in_conflict && second.in_conflict);
    assert_ne!(first.device, second.device);
    assert!(world.has(first.device, FlagCode::Conflict) && world.has(second.device, FlagCode::Conflict));
    // The machine itself isn't held up by the quarrel of two invoices.
    same(first, world.report(agent(1), &machine));
}

#[test]
fn blades_and_twin_nodes_in_one_enclosure() {
    let mut world = World::new();
    for number in 1..=8 {
        world.report(agent(number), &Machine::node(u64::from(number), 1));
    }
    assert_eq!(world.count(), 8);
}

#[test]
fn machine_without_smbios() {
    for (field, value) in [(Field::Mac, mac(2).to_string()), (Field::MachineId, machine_id(1))] {
        for is_first in [true, false] {
            let mut world = World::new();
            let machine = Machine::without_smbios(1);
            let row = [(field, value.as_str()), (Field::AssetTag, "acme/001234")];
            let (bought, reported) = if is_first {
                (world.row("1", &row), world.report(agent(1), &machine))
            } else {
                let reported = world.report(agent(1), &machine);
                (world.row("1", &row), reported)
            };
            same(bought, reported);
            assert_eq!(world.device(reported).value(Field::Serial), None, "no serial number is invented");
        }
    }
    // Re-imaged: both addresses tell; and its tag names it from then on.
    let mut world = World::new();
    let mut machine = Machine::without_smbios(1);
    let before = world.report(agent(1), &machine);
    machine.machine_id = machine_id(44);
    same(before, world.report(agent(2), &machine));
    let mac = mac(3).to_string();
    same(before, world.row("1", &[(Field::Mac, &mac), (Field::AssetTag, "acme/001234")]));
    let other = world.row("9", &[(Field::AssetTag, "other/001234")]);
    apart(before, other);
}

#[test]
fn one_address_alone_never_decides_between_agents() {
    let mut world = World::new();
    let one = Machine { built_in: vec![mac(9)], ..Machine::without_smbios(1) };
    let two = Machine { built_in: vec![mac(9)], ..Machine::without_smbios(2) };
    world.report(agent(1), &one);
    assert!(world.report(agent(2), &two).in_conflict);
}

#[test]
fn flipped_uuid_of_another_firmware() {
    let mut world = World::new();
    let machine =
        Machine { uuid: Some("4c4c4544-0051-3810-8054-b7c04f584432".into()), ..Machine::white_box(1) };
    let flipped = Machine { uuid: Some("44454c4c-5100-1038-8054-b7c04f584432".into()), ..machine.clone() };
    same(world.report(agent(1), &machine), world.report(agent(1), &flipped));
}

#[test]
fn one_serial_at_two_makers() {
    let mut world = World::new();
    let lenovo = Machine::laptop(1);
    let dell =
        Machine { maker: Some("Dell Inc.".into()), serial: lenovo.serial.clone(), ..Machine::laptop(2) };
    apart(world.report(agent(1), &lenovo), world.report(agent(2), &dell));
    // A row that names no maker could mean either.
    let serial = lenovo.serial.unwrap();
    assert!(world.row("1", &[(Field::Serial, &serial)]).in_conflict);
    let named = [(Field::Serial, serial.as_str()), (Field::Manufacturer, "DELL")];
    assert!(!world.row("2", &named).in_conflict);
}

#[test]
fn copied_virtual_machine() {
    let mut world = World::new();
    let one = Machine::virtual_machine(1);
    // Copied with its disk: the hypervisor gives it another UUID, the agent comes along.
    let two = Machine { uuid: Some(uuid(2)), ..one.clone() };
    apart(world.report(agent(1), &one), world.report(agent(1), &two));
}

#[test]
fn memory_and_disk_moved_tell_of_nothing_sure() {
    let mut world = World::new();
    let one = Machine::laptop(1);
    let first = world.report(agent(1), &one);
    let two = Machine {
        disks: one.disks.clone(),
        memory: vec![one.memory[0].clone(), part_serial(77, "memory"), part_serial(78, "memory")],
        ..Machine::laptop(2)
    };
    let second = world.report(agent(1), &two);
    assert!(second.in_conflict, "one module of three, and the model, moved along");
    assert!(world.has(first.device, FlagCode::Conflict));
}

#[test]
fn board_with_soldered_memory_or_moved_disk_is_for_a_person() {
    let mut world = World::new();
    let one = Machine { soldered: true, ..Machine::laptop(1) };
    world.report(agent(1), &one);
    let two = Machine { soldered: true, disks: one.disks.clone(), ..Machine::laptop(2) };
    assert!(world.report(agent(1), &two).in_conflict);
}
