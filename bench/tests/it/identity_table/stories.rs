//! The physical rows of the identity table, each as what happens to machines that are nobody else's.
//!
//! A story's last lines are what it must come to. It numbers its machines from `base` on, and names every device that it
//! has led to, so that at the end of a run nothing else may be there.

use std::{collections::BTreeSet, sync::Arc};

use muster_collector::testing::{
    Machine,
    machine::{mac, machine_id, part_serial, uuid},
};

use super::turns::Turns;
use crate::world::{World, has, value};

/// What a story is told with.
pub(crate) struct Setting {
    pub(crate) world: Arc<World>,
    pub(crate) base: u64,
    pub(crate) turns: Turns,
}

/// The devices that a story led to.
pub(crate) type Devices = BTreeSet<String>;

const NEW: i32 = muster_proto::v1::ImportOutcome::New as i32;
const CONFLICT: i32 = muster_proto::v1::ImportOutcome::Conflict as i32;

fn only<const N: usize>(devices: [&str; N]) -> Devices {
    devices.into_iter().map(str::to_owned).collect()
}

fn serial(machine: &Machine) -> String {
    machine.serial.clone().unwrap()
}

pub(crate) async fn re_imaged_laptop(setting: Setting) -> Devices {
    let Setting { world, base, mut turns } = setting;
    let mut machine = Machine::laptop(base);
    turns.next().await;
    let old = world.install(&machine).await;
    let before = world.report(&old, &machine).await;
    let first_id = std::mem::replace(&mut machine.machine_id, machine_id(base + 1));
    turns.next().await;
    let new = world.install(&machine).await;
    turns.next().await;
    assert_eq!(world.report(&new, &machine).await, before);

    let device = world.device(&before).await;
    let [current, replaced] = device.agents.as_slice() else { panic!("{:?}", device.agents) };
    assert!(current.current && !replaced.current, "{:?}", device.agents);
    assert_ne!(current.agent_id, replaced.agent_id);
    assert_eq!(value(&device, "machine_id"), machine.machine_id);
    assert!(!has(&device, "hardware-changed") && !has(&device, "cloned-identity"), "{:?}", device.flags);
    let changes = world.history(&before).await.into_iter().flat_map(|entry| entry.changes);
    let told: Vec<_> = changes.filter(|change| change.field == "machine_id").collect();
    assert!(told.iter().any(|it| it.before == first_id && it.after == machine.machine_id), "{told:?}");
    only([&before])
}

pub(crate) async fn mainboard_replaced(setting: Setting) -> Devices {
    let Setting { world, base, mut turns } = setting;
    let mut machine = Machine::laptop(base);
    let bought_as = serial(&machine);
    turns.next().await;
    let agent = world.install(&machine).await;
    turns.next().await;
    let before = world.report(&agent, &machine).await;
    let spare = Machine::laptop(base + 1);
    machine.uuid = spare.uuid.clone();
    machine.board = spare.board.clone();
    machine.built_in = spare.built_in.clone();
    // The workshop writes the old serial number into the new board, or does not.
    if turns.choose() {
        machine.serial = spare.serial.clone();
        machine.chassis = spare.serial;
    }
    turns.next().await;
    assert_eq!(world.report(&agent, &machine).await, before);
    let device = world.device(&before).await;
    assert!(has(&device, "hardware-changed"), "{:?}", device.flags);
    assert_eq!(value(&device, "serial"), serial(&machine));
    turns.next().await;
    assert_eq!(world.report(&agent, &machine).await, before, "and it stays so");
    // The invoice knows the number under which it was bought.
    turns.next().await;
    let row = world.import("serial,manufacturer,order", &format!("{bought_as},Lenovo,PO-{base}")).await;
    assert_eq!((row.outcome, row.device.as_str()), (NEW, before.as_str()), "{}", row.reason);
    only([&before])
}

pub(crate) async fn disk_moved_into_another_chassis(setting: Setting) -> Devices {
    let Setting { world, base, mut turns } = setting;
    let (one, mut two) = (Machine::laptop(base), Machine::laptop(base + 1));
    turns.next().await;
    let agent = world.install(&one).await;
    let first = world.report(&agent, &one).await;
    // The other machine is known already, or is not.
    turns.next().await;
    let known = if turns.choose() {
        let other = world.install(&two).await;
        Some(world.report(&other, &two).await)
    } else {
        None
    };
    two.disks = one.disks.clone();
    two.machine_id = one.machine_id.clone();
    turns.next().await;
    let moved = world.report(&agent, &two).await;
    assert_ne!(moved, first);
    assert_eq!(known.as_ref().unwrap_or(&moved), &moved);
    turns.next().await;
    assert_eq!(world.report(&agent, &two).await, moved);
    let (left, now) = (world.device(&first).await, world.device(&moved).await);
    for device in [&left, &now] {
        assert!(
            !has(device, "cloned-identity") && !has(device, "conflict"),
            "a move is no copy: {:?}",
            device.flags
        );
    }
    assert_eq!(value(&left, "serial"), serial(&one), "the old one keeps its record");
    assert_eq!(value(&now, "serial"), serial(&two));
    assert!(!left.connected && left.last_seen_time.unwrap().seconds <= now.last_seen_time.unwrap().seconds);
    only([&first, &moved])
}

pub(crate) async fn clones_of_one_image(setting: Setting, count: u64) -> Devices {
    let Setting { world, base, mut turns } = setting;
    let machines: Vec<Machine> = (0..count)
        .map(|number| Machine { machine_id: machine_id(base), ..Machine::laptop(base + number) })
        .collect();
    // The image is made of the first, with its agent's certificate and spool in it.
    turns.next().await;
    let agent = world.install(&machines[0]).await;
    let mut order: Vec<usize> = (0..machines.len()).collect();
    turns.shuffle(&mut order);

    // All at once, each at its first try, and each stays connected.
    turns.next().await;
    let begun = std::time::Instant::now();
    let starts = order.iter().map(|place| {
        let (world, agent, machine, place) = (world.clone(), agent.clone(), machines[*place].clone(), *place);
        tokio::spawn(async move { (place, world.stay(&agent, &machine).await) })
    });
    let starts: Vec<_> = starts.collect();
    let mut streams = Vec::new();
    for start in starts {
        streams.push(start.await.unwrap());
    }
    streams.sort_by_key(|(place, _)| *place);
    let names: Vec<String> = streams.iter().map(|(_, open)| open.device.clone()).collect();
    let devices: Devices = names.iter().cloned().collect();
    assert_eq!(devices.len(), machines.len(), "clones were merged");
    println!("{count} clones at once: {} devices after {:?}", devices.len(), begun.elapsed());

    // Each reports again beside its open stream, as after a short loss: nobody's record changes hands.
    turns.next().await;
    for place in &order {
        assert_eq!(world.report(&agent, &machines[*place]).await, names[*place]);
    }
    let mut revisions = Vec::new();
    for (machine, name) in machines.iter().zip(&names) {
        let device = world.device(name).await;
        assert_eq!(value(&device, "serial"), serial(machine));
        assert!(has(&device, "cloned-identity") && !has(&device, "conflict"), "{name}: {:?}", device.flags);
        revisions.push(device.revision);
    }
    // They hang up, and come back one after the other: nobody loops, nothing is written any more.
    for (_, open) in streams {
        open.hang_up().await;
    }
    turns.next().await;
    turns.shuffle(&mut order);
    for place in &order {
        assert_eq!(world.report(&agent, &machines[*place]).await, names[*place]);
    }
    let mut calm = 0;
    for (name, revision) in names.iter().zip(&revisions) {
        let device = world.device(name).await;
        assert!(has(&device, "cloned-identity"), "{name} is still a clone: {:?}", device.flags);
        assert!(device.revision <= revision + 1, "{name} went from {revision} to {}", device.revision);
        calm += usize::from(device.revision == *revision);
    }
    println!("{count} clones: {} devices, {calm} unchanged by coming back", devices.len());
    devices
}

pub(crate) async fn re_imaged_every_night(setting: Setting, nights: u64) -> Devices {
    let Setting { world, base, mut turns } = setting;
    let mut names = Devices::new();
    for night in 0..nights {
        let machine = Machine { machine_id: machine_id(base + night), ..Machine::laptop(base) };
        turns.next().await;
        let agent = world.install(&machine).await;
        names.insert(world.report(&agent, &machine).await);
    }
    assert_eq!(names.len(), 1, "{names:?}");
    let device = world.device(names.first().unwrap()).await;
    assert!(device.agents.len() <= 16, "its history is summarised: {} agents", device.agents.len());
    assert_eq!(value(&device, "machine_id"), machine_id(base + nights - 1));
    assert_eq!(device.agents.iter().filter(|agent| agent.current).count(), 1);
    assert!(!has(&device, "cloned-identity") && !has(&device, "conflict"), "{:?}", device.flags);
    names
}

pub(crate) async fn bought_again_after_disposal(setting: Setting) -> Devices {
    let Setting { world, base, mut turns } = setting;
    let machine = Machine::laptop(base);
    let heading = "serial,manufacturer,state,order,company";
    let first = format!("{},Lenovo,disposed,PO-{base}-1,Acme", serial(&machine));
    let again = format!("{},Lenovo,deployed,PO-{base}-2,Acme", serial(&machine));
    let mut agent = None;
    let reported_before = turns.choose();
    if reported_before {
        turns.next().await;
        let installed = agent.insert(world.install(&machine).await);
        world.report(installed, &machine).await;
    }
    turns.next().await;
    let bought = world.import(heading, &first).await;
    assert_eq!(bought.outcome, NEW, "{}", bought.reason);
    // Refurbished: another agent reports before, or after, the new invoice comes.
    let invoice_first = turns.choose();
    let renewed = Machine { machine_id: machine_id(base + 1), ..machine.clone() };
    if !invoice_first {
        turns.next().await;
        let installed = world.install(&renewed).await;
        assert_eq!(world.report(&installed, &renewed).await, bought.device);
        assert!(
            has(&world.device(&bought.device).await, "retired-active"),
            "it is recorded as disposed and reports"
        );
        agent = Some(installed);
    }
    turns.next().await;
    let row = world.import(heading, &again).await;
    assert_eq!((row.outcome, row.device.as_str()), (NEW, bought.device.as_str()), "{}", row.reason);
    turns.next().await;
    let installed = match agent {
        Some(agent) if !invoice_first => agent,
        Some(_) | None => world.install(&renewed).await,
    };
    assert_eq!(world.report(&installed, &renewed).await, bought.device);
    let device = world.device(&bought.device).await;
    assert_eq!(value(&device, "state"), "deployed");
    assert_eq!(value(&device, "order_number"), format!("PO-{base}-2"));
    let orders = device.fields.iter().find(|field| field.field == "order_number").unwrap();
    assert_eq!(orders.claims.len(), 2, "the first owner's order is kept: {orders:?}");
    assert!(!has(&device, "retired-active") && !has(&device, "conflict"), "{:?}", device.flags);
    only([&bought.device])
}

pub(crate) async fn swapped_under_warranty(setting: Setting) -> Devices {
    let Setting { world, base, mut turns } = setting;
    let broken = Machine::laptop(base);
    let mut replacement = Machine::laptop(base + 1);
    turns.next().await;
    let agent = world.install(&broken).await;
    let first = world.report(&agent, &broken).await;
    // The disk stays with the customer, or the replacement comes with its own.
    let keeps_disk = turns.choose();
    turns.next().await;
    let second = if keeps_disk {
        replacement.disks = broken.disks.clone();
        replacement.machine_id = broken.machine_id.clone();
        world.report(&agent, &replacement).await
    } else {
        let other = world.install(&replacement).await;
        world.report(&other, &replacement).await
    };
    assert_ne!(first, second);
    for name in [&first, &second] {
        assert!(!has(&world.device(name).await, "conflict"));
    }
    only([&first, &second])
}

pub(crate) async fn junk_serial(setting: Setting, count: u64, junk: &'static str, is_known: bool) -> Devices {
    let Setting { world, base, mut turns } = setting;
    let machines: Vec<Machine> = (0..count)
        .map(|number| Machine { serial: Some(junk.to_owned()), ..Machine::white_box(base + number) })
        .collect();
    let mut order: Vec<usize> = (0..machines.len()).collect();
    turns.shuffle(&mut order);
    let mut agents = vec![None; machines.len()];
    for place in &order {
        if place % 10 == 0 {
            turns.next().await;
        }
        let agent = world.install(&machines[*place]).await;
        let device = world.report(&agent, &machines[*place]).await;
        agents[*place] = Some((agent, device));
    }
    let devices: Devices = agents.iter().flatten().map(|(_, device)| device.clone()).collect();
    assert_eq!(devices.len(), machines.len(), "{junk}");
    // Re-imaged, one of them is found again.
    let place = order[order.len() / 2];
    let again = Machine { machine_id: machine_id(base + 9_000), ..machines[place].clone() };
    turns.next().await;
    let agent = world.install(&again).await;
    assert_eq!(Some(world.report(&agent, &again).await), agents[place].as_ref().map(|it| it.1.clone()));
    for (machine, (_, name)) in machines.iter().zip(agents.iter().flatten()) {
        let device = world.device(name).await;
        assert!(!has(&device, "conflict"), "{junk}: {:?}", device.flags);
        assert_eq!(has(&device, "duplicate-identifier"), !is_known, "{junk}: {:?}", device.flags);
        assert_eq!(value(&device, "uuid").to_uppercase(), machine.uuid.clone().unwrap());
        assert!(!is_known || value(&device, "serial").is_empty(), "{junk} is no serial number");
    }
    devices
}

pub(crate) async fn good_value_followed_by_a_placeholder(setting: Setting) -> Devices {
    let Setting { world, base, mut turns } = setting;
    let mut machine = Machine::laptop(base);
    let good = serial(&machine);
    turns.next().await;
    let agent = world.install(&machine).await;
    let before = world.report(&agent, &machine).await;
    machine.serial = Some("Default string".to_owned());
    machine.model = Some("To Be Filled By O.E.M.".to_owned());
    for _ in 0..2 {
        turns.next().await;
        assert_eq!(world.report(&agent, &machine).await, before);
    }
    let device = world.device(&before).await;
    assert_eq!((value(&device, "serial"), value(&device, "model")), (good.as_str(), "20L8S07A14"));
    assert!(!has(&device, "hardware-changed"), "{:?}", device.flags);
    only([&before])
}

pub(crate) async fn dock_on_five_laptops(setting: Setting) -> Devices {
    let Setting { world, base, mut turns } = setting;
    let docks = vec![mac(0xf000_0000 + base), mac(0xf000_0001 + base)];
    let mut devices = Devices::new();
    for number in 0..5 {
        let machine = Machine { docks: docks.clone(), ..Machine::laptop(base + number) };
        turns.next().await;
        let agent = world.install(&machine).await;
        devices.insert(world.report(&agent, &machine).await);
    }
    assert_eq!(devices.len(), 5);
    for name in &devices {
        let device = world.device(name).await;
        assert!(!has(&device, "conflict") && !has(&device, "duplicate-identifier"), "{:?}", device.flags);
    }
    devices
}

pub(crate) async fn renamed_host(setting: Setting) -> Devices {
    let Setting { world, base, mut turns } = setting;
    let mut machine = Machine::laptop(base);
    turns.next().await;
    let agent = world.install(&machine).await;
    let before = world.report(&agent, &machine).await;
    machine.hostname = format!("renamed-{base}");
    turns.next().await;
    assert_eq!(world.report(&agent, &machine).await, before);
    let device = world.device(&before).await;
    assert_eq!(
        (value(&device, "hostname"), device.display_name.as_str()),
        (&*machine.hostname, &*machine.hostname)
    );
    assert_eq!(world.lookup(&machine.hostname).await, [before.as_str()]);
    only([&before])
}

pub(crate) async fn purchase_and_agent(setting: Setting) -> Devices {
    let Setting { world, base, mut turns } = setting;
    let machine = Machine::laptop(base);
    let heading = "serial,manufacturer,model,order";
    let row = format!("{},Lenovo,ThinkPad T480s,PO-{base}", serial(&machine).to_lowercase());
    let (bought, reported) = if turns.choose() {
        turns.next().await;
        let bought = world.import(heading, &row).await;
        turns.next().await;
        let agent = world.install(&machine).await;
        (bought, world.report(&agent, &machine).await)
    } else {
        turns.next().await;
        let agent = world.install(&machine).await;
        let reported = world.report(&agent, &machine).await;
        assert!(has(&world.device(&reported).await, "unknown"));
        turns.next().await;
        (world.import(heading, &row).await, reported)
    };
    assert_eq!((bought.outcome, bought.device.as_str()), (NEW, reported.as_str()), "{}", bought.reason);
    let device = world.device(&reported).await;
    assert!(!has(&device, "unknown") && !has(&device, "conflict"), "{:?}", device.flags);
    only([&reported])
}

pub(crate) async fn two_purchases_with_one_serial(setting: Setting) -> Devices {
    let Setting { world, base, mut turns } = setting;
    let machine = Machine::laptop(base);
    let row = |order: u32| format!("{},Lenovo,supplier-{order},PO-{base}-{order}", serial(&machine));
    turns.next().await;
    let first = world.import("serial,manufacturer,supplier,order", &row(1)).await;
    let reports_between = turns.choose();
    if reports_between {
        turns.next().await;
        let agent = world.install(&machine).await;
        assert_eq!(world.report(&agent, &machine).await, first.device);
    }
    turns.next().await;
    let second = world.import("serial,manufacturer,supplier,order", &row(2)).await;
    assert_eq!((first.outcome, second.outcome), (NEW, CONFLICT), "{}; {}", first.reason, second.reason);
    assert_ne!(first.device, second.device);
    let (one, two) = (world.device(&first.device).await, world.device(&second.device).await);
    assert_eq!(
        (value(&one, "supplier"), value(&two, "supplier")),
        ("supplier-1", "supplier-2"),
        "both are kept"
    );
    assert!(has(&two, "conflict"), "{:?}", two.flags);
    if !reports_between {
        // The quarrel of two invoices does not hold up the machine itself.
        turns.next().await;
        let agent = world.install(&machine).await;
        assert_eq!(world.report(&agent, &machine).await, first.device);
    }
    only([&first.device, &second.device])
}

pub(crate) async fn machine_without_dmi(setting: Setting, name: &'static str) -> Devices {
    let Setting { world, base, mut turns } = setting;
    let machine = Machine::without_smbios(base);
    let address = machine.built_in[0].to_string();
    let identifier = if name == "mac" { &address } else { &machine.machine_id };
    let heading = format!("{name},asset_tag,asset_tag_scheme,order");
    let row = format!("{identifier},{base},acme,PO-{base}");
    let (bought, reported) = if turns.choose() {
        turns.next().await;
        let bought = world.import(&heading, &row).await;
        turns.next().await;
        let agent = world.install(&machine).await;
        (bought, world.report(&agent, &machine).await)
    } else {
        turns.next().await;
        let agent = world.install(&machine).await;
        let reported = world.report(&agent, &machine).await;
        turns.next().await;
        (world.import(&heading, &row).await, reported)
    };
    assert_eq!((bought.outcome, bought.device.as_str()), (NEW, reported.as_str()), "{}", bought.reason);
    // Re-imaged, its two addresses tell; and another list may name it by its tag alone.
    let again = Machine { machine_id: machine_id(base + 1), ..machine };
    turns.next().await;
    let agent = world.install(&again).await;
    assert_eq!(world.report(&agent, &again).await, reported);
    turns.next().await;
    let row = format!("{base},acme,Berlin");
    let tagged = world.import_as("facilities", "asset_tag,asset_tag_scheme,location", &row).await;
    assert_eq!(tagged.device, reported, "{}", tagged.reason);
    let device = world.device(&reported).await;
    for field in ["serial", "uuid", "board_serial", "chassis_serial"] {
        assert_eq!(value(&device, field), "", "no {field} is invented");
    }
    assert!(!has(&device, "unknown"), "{:?}", device.flags);
    only([&reported])
}

pub(crate) async fn second_operating_system(setting: Setting) -> Devices {
    let Setting { world, base, mut turns } = setting;
    let machine = Machine::laptop(base);
    let other =
        Machine { machine_id: machine_id(base + 1), hostname: format!("other-os-{base}"), ..machine.clone() };
    turns.next().await;
    let first = world.install(&machine).await;
    let device = world.report(&first, &machine).await;
    turns.next().await;
    let second = world.install(&other).await;
    for _ in 0..2 {
        turns.next().await;
        assert_eq!(world.report(&second, &other).await, device);
        turns.next().await;
        assert_eq!(world.report(&first, &machine).await, device);
    }
    only([&device])
}

pub(crate) async fn nodes_in_one_enclosure(setting: Setting) -> Devices {
    let Setting { world, base, mut turns } = setting;
    let mut devices = Devices::new();
    for number in 0..4 {
        let node = Machine::node(base + number, base);
        turns.next().await;
        let agent = world.install(&node).await;
        devices.insert(world.report(&agent, &node).await);
    }
    assert_eq!(devices.len(), 4);
    devices
}

pub(crate) async fn shared_uuid(setting: Setting) -> Devices {
    let Setting { world, base, mut turns } = setting;
    let mut devices = Devices::new();
    for number in 0..8 {
        let machine = Machine {
            uuid: Some(uuid(base)),
            board: Some(part_serial(base + number, "board")),
            ..Machine::white_box(base + number)
        };
        turns.next().await;
        let agent = world.install(&machine).await;
        devices.insert(world.report(&agent, &machine).await);
    }
    assert_eq!(devices.len(), 8);
    for name in &devices {
        let device = world.device(name).await;
        assert!(has(&device, "duplicate-identifier") && !has(&device, "conflict"), "{:?}", device.flags);
    }
    devices
}
