//! The physical rows of the identity table, end to end: real certificates, reports over TCP, answers from the api.
//!
//! Every run tells all stories at one collector, in an order that its seed draws, and in the end nothing may be there but
//! what the stories led to. The numbers are those of the gate; `cargo xtask prove identity` has five hundred clones and
//! three hundred white boxes.

mod stories;
mod turns;

use std::{
    env,
    future::Future,
    sync::{Arc, Mutex},
    time::Instant,
};

use muster_proto::v1;
use stories::{Devices, Setting};
use turns::Stories;

use crate::world::{World, has};

/// How many orders are tried.
const ORDERS: u64 = 20;
/// Machine numbers that a story may use.
const NUMBERS: u64 = 10_000;

/// How many machines the large stories have.
#[derive(Clone, Copy)]
struct Crowd {
    clones: u64,
    white_boxes: u64,
    nights: u64,
}

/// Enough to see in every order what the rules do; past the charter's limit of devices for one identifier.
const FEW: Crowd = Crowd { clones: 5, white_boxes: 12, nights: 4 };
/// The gate's one large run.
const MANY: Crowd = Crowd { clones: 30, white_boxes: 60, nights: 30 };
/// The table's own numbers.
const TABLE: Crowd = Crowd { clones: 500, white_boxes: 300, nights: 60 };

/// The stories of one run at one collector.
struct Run {
    world: Arc<World>,
    stories: Stories,
    told: u64,
    /// What the stories led to.
    expected: Arc<Mutex<Devices>>,
}

impl Run {
    fn add<F>(&mut self, name: &'static str, story: impl FnOnce(Setting) -> F + Send + 'static)
    where
        F: Future<Output = Devices> + Send + 'static,
    {
        self.told += 1;
        let (world, base, expected) = (self.world.clone(), self.told * NUMBERS, self.expected.clone());
        self.stories.add(name, move |turns| async move {
            let begun = Instant::now();
            let devices = story(Setting { world, base, turns }).await;
            println!("{name}: {} devices, told after {:?}", devices.len(), begun.elapsed());
            expected.lock().unwrap().extend(devices);
        });
    }
}

/// Tells every story at one collector; what they led to must be all that is there.
async fn tell(seed: u64, crowd: Crowd, backend: &str) {
    let folder = tempfile::tempdir().unwrap();
    let mut run = Run {
        world: Arc::new(World::start(folder.path(), backend).await),
        stories: Stories::new(seed),
        told: 0,
        expected: Arc::default(),
    };
    let Crowd { clones, white_boxes, nights } = crowd;
    run.add("re-imaged laptop", stories::re_imaged_laptop);
    run.add("mainboard replaced", stories::mainboard_replaced);
    run.add("disk moved into another chassis", stories::disk_moved_into_another_chassis);
    run.add("clones of one image", move |it| stories::clones_of_one_image(it, clones));
    run.add("re-imaged every night", move |it| stories::re_imaged_every_night(it, nights));
    run.add("bought again after disposal", stories::bought_again_after_disposal);
    run.add("swapped under warranty", stories::swapped_under_warranty);
    run.add("junk serial that is known", move |it| {
        stories::junk_serial(it, white_boxes, "To Be Filled By O.E.M.", true)
    });
    run.add("junk serial that is learned", move |it| {
        stories::junk_serial(it, white_boxes, "Type1ProductSerial", false)
    });
    run.add("good value followed by a placeholder", stories::good_value_followed_by_a_placeholder);
    run.add("dock on five laptops", stories::dock_on_five_laptops);
    run.add("renamed host", stories::renamed_host);
    run.add("purchase and agent", stories::purchase_and_agent);
    run.add("two purchases with one serial", stories::two_purchases_with_one_serial);
    run.add("machine without DMI, by its address", |it| stories::machine_without_dmi(it, "mac"));
    run.add("machine without DMI, by its machine id", |it| stories::machine_without_dmi(it, "machine_id"));
    run.add("second operating system", stories::second_operating_system);
    run.add("nodes in one enclosure", stories::nodes_in_one_enclosure);
    run.add("shared UUID", stories::shared_uuid);

    let Run { world, stories, told, expected } = run;
    let turns = stories.tell().await;
    let expected = std::mem::take(&mut *expected.lock().unwrap());
    let request = v1::ListDevicesRequest { page_size: 1, ..Default::default() };
    let listed = world.query.clone().list_devices(request).await.unwrap().into_inner();
    let count = i64::try_from(expected.len()).unwrap();
    assert_eq!(listed.total_size, count, "seed {seed}: devices that no story knows");
    println!("order {seed}: {told} stories in {turns} turns came to {count} devices");
    Arc::into_inner(world).expect("every story has ended").ended().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn every_row_comes_out_right_in_twenty_orders() {
    for seed in 0..ORDERS {
        tell(seed, FEW, "memory").await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn many_machines_come_out_right_over_the_embedded_store() {
    tell(100, MANY, "embedded").await;
}

/// Two invoices for one machine are one quarrel, and whoever looks at either record should see it.
#[tokio::test(flavor = "multi_thread")]
async fn both_of_two_purchases_with_one_serial_show_the_conflict() {
    let folder = tempfile::tempdir().unwrap();
    let world = World::start(folder.path(), "memory").await;
    let mut names = Vec::new();
    for order in ["PO-1", "PO-2"] {
        let row = world.import("serial,manufacturer,order", &format!("PF1ABCDE,Lenovo,{order}")).await;
        names.push(row.device);
    }
    for name in names.iter().rev() {
        let device = world.device(name).await;
        assert!(has(&device, "conflict"), "{name}: {:?}", device.flags);
    }
    world.ended().await;
}

/// Told by `cargo xtask prove identity`, which sets the variable to the number of clones.
#[tokio::test(flavor = "multi_thread")]
async fn the_tables_own_numbers_come_out_right() {
    let Ok(clones) = env::var("MUSTER_PROVE_CLONES") else {
        println!("skipped: cargo xtask prove identity runs it");
        return;
    };
    tell(7, Crowd { clones: clones.parse().unwrap(), ..TABLE }, "embedded").await;
}
