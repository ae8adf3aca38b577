//! What agents find on their machines and what is an asset of its own, over the whole road.

use std::{collections::BTreeMap, time::Duration};

use muster_collector::{
    pipeline::observation::{Attachment, Observation, Outcome, Speaker, SpoolSequence},
    store::Store,
};
use muster_common::{
    device::{Field, Value},
    inventory::{Item, ItemKind, Monitor, SectionName, UsbDevice},
    source::ImportName,
    time::{Clock, Timestamp},
};
use muster_proto::{
    convert::to_timestamp,
    v1::{self, query_server::Query as _},
};

use crate::world::{Laptop, World, by_alice, section, value};

/// Monitors and USB devices on a machine.
type Hanging = (Vec<Item>, Vec<Item>);

fn monitor(serial: &str) -> Item {
    Item::new(ItemKind::Monitor(Monitor {
        connector: "card0-DP-1".to_owned(),
        manufacturer_id: Some("DEL".to_owned()),
        model: Some("DELL U2722D".to_owned()),
        product_code: Some(0x4142),
        serial: Some(serial.to_owned()),
        built_in: Some(false),
        ..Monitor::default()
    }))
}

fn headset(serial: &str) -> Item {
    Item::new(ItemKind::UsbDevice(UsbDevice {
        place: "1-2".to_owned(),
        vendor_id: 0x0b0e,
        product_id: 0x0e36,
        product: Some("Jabra Evolve2 65".to_owned()),
        serial: Some(serial.to_owned()),
        class: Some("Audio".to_owned()),
        ..UsbDevice::default()
    }))
}

impl World {
    /// A minute later, an agent reports what hangs on its machine.
    async fn report_hanging(&self, laptop: &Laptop, items: Vec<Item>, hanging: Hanging) -> Outcome {
        self.clock.advance(Duration::from_secs(60));
        let now = self.clock.now();
        let speaker = Speaker::Agent { agent: laptop.agent, version: "0.1.0".to_owned(), evidence: items };
        let mut observation = Observation::first(speaker, now);
        observation.sections = vec![
            section(SectionName::MONITORS, hanging.0.into_iter()),
            section(SectionName::USB, hanging.1.into_iter()),
        ];
        let sequence = u64::try_from(now.as_millis()).unwrap();
        observation.sequence = Some(SpoolSequence { epoch: vec![1; 16], sequence });
        self.pipeline.observe(&observation).await.unwrap()
    }

    async fn shows(&self, laptop: &Laptop, monitors: &[&str]) -> Outcome {
        let monitors = monitors.iter().map(|serial| monitor(serial)).collect();
        self.report_hanging(laptop, laptop.items(), (monitors, Vec::new())).await
    }

    async fn bought(&self, serial: &str) -> Outcome {
        let text = |text: &str| Value::Text(text.to_owned());
        let fields = BTreeMap::from([
            (Field::Category, text("peripheral")),
            (Field::Manufacturer, text("Dell Inc.")),
            (Field::Serial, text(serial)),
            (Field::OrderNumber, text("PO-7")),
        ]);
        let import = ImportName::new("purchase").unwrap();
        let speaker = Speaker::Row { import, row_key: serial.to_owned(), fields, vouches: true };
        self.pipeline.observe(&Observation::first(speaker, self.clock.now())).await.unwrap()
    }

    async fn assets(&self, filter: &str, at: Option<Timestamp>) -> Vec<v1::Device> {
        let request = v1::ListDevicesRequest {
            filter: filter.to_owned(),
            as_of: at.map(to_timestamp),
            ..Default::default()
        };
        self.query.list_assets(by_alice(request)).await.unwrap().into_inner().devices
    }

    /// The only peripheral.
    async fn only(&self) -> v1::Device {
        let mut all = self.assets("category = peripheral", None).await;
        assert_eq!(all.len(), 1, "{all:?}");
        all.remove(0)
    }
}

fn two() -> (Laptop, Laptop) {
    (Laptop::new("PF0AAAAA", "anna", "10.0.0.1"), Laptop::new("PF1BBBBB", "bert", "10.0.0.2"))
}

#[tokio::test]
async fn a_monitor_that_moves_is_one_asset_that_remembers_where_it_was() {
    let world = World::new();
    let (anna, bert) = two();
    let on_anna = world.shows(&anna, &["7H3XJ83"]).await.device.to_string();
    let found = world.only().await;
    assert_eq!(value(&found, "attached_to"), on_anna);
    assert_eq!((value(&found, "class"), value(&found, "model")), ("monitor", "DELL U2722D"));
    let then = world.now();

    let on_bert = world.shows(&bert, &["7H3XJ83"]).await.device.to_string();
    let moved = world.only().await;
    assert_eq!((&moved.name, value(&moved, "attached_to")), (&found.name, on_bert.as_str()));
    assert_eq!(world.assets(&format!("attached_to = \"{on_anna}\""), None).await.len(), 0);
    assert_eq!(world.assets(&format!("attached_to = \"{on_bert}\""), None).await.len(), 1);
    let before = world.assets("category = peripheral", Some(then)).await;
    assert_eq!(value(&before[0], "attached_to"), on_anna, "as it was then");

    // Unplugged, it stays where it was met last; plugged in at the first desk again, it is there.
    world.shows(&anna, &[]).await;
    world.shows(&bert, &[]).await;
    assert_eq!(value(&world.only().await, "attached_to"), on_bert);
    world.shows(&anna, &["7H3XJ83"]).await;
    assert_eq!(value(&world.only().await, "attached_to"), on_anna);
    assert_eq!(world.devices("").await.unwrap().len(), 2, "two laptops, and no monitor among the devices");
}

#[tokio::test]
async fn what_hangs_there_still_costs_no_write() {
    let world = World::new();
    let (anna, _) = two();
    world.shows(&anna, &["7H3XJ83"]).await;
    let now = world.clock.now();
    let (asset, position) = (world.only().await, world.store.position().await);
    // The same sections in full, as after a resync.
    world.shows(&anna, &["7H3XJ83"]).await;
    assert_eq!((world.only().await, world.store.position().await), (asset, position));
    // The same report again.
    let speaker = Speaker::Agent { agent: anna.agent, version: "0.1.0".to_owned(), evidence: anna.items() };
    let mut replay = Observation::first(speaker, now);
    replay.sections = vec![section(SectionName::MONITORS, [monitor("7H3XJ83")].into_iter())];
    let sequence = u64::try_from(now.as_millis()).unwrap();
    replay.sequence = Some(SpoolSequence { epoch: vec![1; 16], sequence });
    assert!(!world.pipeline.observe(&replay).await.unwrap().changed);
    assert_eq!(world.store.position().await, position);
    // A report that was kept while the collector fell comes again, and what it found isn't missed.
    replay.sections = vec![section(SectionName::MONITORS, [monitor("9K2LM04")].into_iter())];
    assert!(!world.pipeline.observe(&replay).await.unwrap().changed);
    assert_eq!(world.assets("category = peripheral", None).await.len(), 2);
}

#[tokio::test]
async fn the_invoice_and_the_agent_speak_of_one_monitor() {
    for bought_first in [true, false] {
        let world = World::new();
        let (anna, _) = two();
        if bought_first {
            world.bought("7h3xj83").await;
        }
        world.shows(&anna, &["7H3XJ83"]).await;
        if !bought_first {
            let flags = world.only().await.flags;
            assert!(flags.iter().any(|flag| flag.code == "unknown"), "nobody vouches for it");
            assert_eq!(world.bought("7H3XJ83").await.attachment, Attachment::Matched);
        }
        let asset = world.only().await;
        assert_eq!(value(&asset, "order_number"), "PO-7", "bought first: {bought_first}");
        assert!(!value(&asset, "attached_to").is_empty());
        assert_eq!(asset.flags, [], "no agent is expected on a monitor, and it belongs to where it hangs");
        let seen_by =
            world.assets("category = peripheral AND seen_by:agent AND seen_by:purchase", None).await;
        assert_eq!(seen_by.len(), 1);
    }
}

#[tokio::test]
async fn without_a_number_of_its_own_or_on_a_guest_it_is_no_asset() {
    let world = World::new();
    let (anna, mut guest) = two();
    world.shows(&anna, &["0000000000000"]).await;
    let hanging = (vec![], vec![headset("0001")]);
    world.report_hanging(&anna, anna.items(), hanging).await;
    guest.serial = "VMware-56 4d 1c";
    let mut items = guest.items();
    for item in &mut items {
        if let ItemKind::System(system) = &mut item.kind {
            system.is_virtual = Some(true);
        }
    }
    world.report_hanging(&guest, items, (vec![monitor("7H3XJ83")], vec![])).await;
    assert_eq!(world.assets("category = peripheral", None).await.len(), 0);
    let hanging = (vec![], vec![headset("745C4B6A5F2A")]);
    world.report_hanging(&anna, anna.items(), hanging).await;
    assert_eq!(value(&world.only().await, "manufacturer"), "Jabra");
}

#[tokio::test]
async fn an_agent_that_makes_peripherals_up_is_stopped() {
    let world = World::new();
    let (anna, _) = two();
    for batch in 0..6 {
        let made_up = (0..60).map(|number| {
            let mut it = monitor(&format!("X{batch}Y{number}Z7"));
            if let ItemKind::Monitor(monitor) = &mut it.kind {
                monitor.connector = format!("card0-DP-{number}");
            }
            it
        });
        world.report_hanging(&anna, anna.items(), (made_up.collect(), vec![])).await;
    }
    let request = v1::ListDevicesRequest { page_size: 1000, ..Default::default() };
    let all = world.query.list_assets(by_alice(request)).await.unwrap().into_inner().devices;
    assert_eq!(all.len(), 1 + 256);
}
