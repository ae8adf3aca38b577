//! The pipeline over the store in memory: what observations lead to.

use std::{collections::BTreeMap, sync::Arc, time::Duration};

use arc_swap::ArcSwap;
use muster_collector::{
    index::Index,
    pipeline::{
        Pipeline,
        observation::{Attachment, Observation, Outcome, Speaker},
        presence::Presence,
    },
    records::{Read, key},
    store::{Store, memory::MemoryStore},
};
use muster_common::{
    device::{Device, Field, Value},
    flag::FlagCode,
    governance::Charter,
    id::{AgentId, DeviceId},
    inventory::{Chassis, Item, ItemKind, System},
    source::{ImportName, Source},
    time::{Clock, ManualClock, Timestamp},
};

struct World {
    store: Arc<MemoryStore>,
    clock: Arc<ManualClock>,
    pipeline: Pipeline,
}

impl World {
    fn new() -> Self {
        let clock = Arc::new(ManualClock::at("2026-11-01".parse().unwrap()));
        let store = Arc::new(MemoryStore::default());
        let pipeline = pipeline(store.clone(), clock.clone());
        Self { store, clock, pipeline }
    }

    async fn agent(&self, agent: AgentId, serial: &str) -> Outcome {
        let evidence = vec![
            Item::new(ItemKind::System(System {
                manufacturer: Some("LENOVO".to_owned()),
                product_name: Some(format!("20L8{}", &serial[serial.len() - 4..])),
                serial: Some(serial.to_owned()),
                ..System::default()
            })),
            Item::new(ItemKind::Chassis(Chassis { kind: Some(10), ..Chassis::default() })),
        ];
        let speaker = Speaker::Agent { agent, version: "0.1.0".to_owned(), evidence };
        self.pipeline.observe(&Observation::first(speaker, self.clock.now())).await.unwrap()
    }

    async fn purchase(&self, order: &str, serial: &str) -> Outcome {
        let fields = BTreeMap::from([
            (Field::Serial, Value::Text(serial.to_owned())),
            (Field::Manufacturer, Value::Text("Lenovo".to_owned())),
            (Field::OrderNumber, Value::Text(order.to_owned())),
        ]);
        let speaker = Speaker::Row {
            import: ImportName::new("purchase").unwrap(),
            row_key: format!("{order}/{serial}"),
            fields,
            vouches: true,
        };
        self.pipeline.observe(&Observation::first(speaker, self.clock.now())).await.unwrap()
    }

    async fn state(&self, who: &str, device: DeviceId, field: Field, value: Option<&str>) -> Outcome {
        self.clock.advance(Duration::from_secs(1));
        let fields = BTreeMap::from([(field, value.map(|text| Value::Text(text.to_owned())))]);
        let source = Source::Operator(who.to_owned());
        let statement = Observation::statement(source, device, fields, None, self.clock.now());
        self.pipeline.observe(&statement).await.unwrap()
    }

    async fn row(&self, import: &str, key: &str, fields: &[(Field, &str)]) -> Outcome {
        let speaker = Speaker::Row {
            import: ImportName::new(import).unwrap(),
            row_key: key.to_owned(),
            fields: fields.iter().map(|(field, text)| (*field, Value::Text((*text).to_owned()))).collect(),
            vouches: true,
        };
        self.pipeline.observe(&Observation::first(speaker, self.clock.now())).await.unwrap()
    }

    async fn device(&self, id: DeviceId) -> Device {
        let read: Read<Device> = self.pipeline.records().get(key::device(id)).await.unwrap();
        read.record.expect("the device is there")
    }

    async fn codes(&self, id: DeviceId) -> Vec<FlagCode> {
        self.device(id).await.flags.iter().map(|flag| flag.code).collect()
    }
}

fn pipeline(store: Arc<MemoryStore>, clock: Arc<ManualClock>) -> Pipeline {
    let charter = Arc::new(ArcSwap::from_pointee(Charter::default()));
    Pipeline::new(store, Arc::new(Index::new()), Arc::new(Presence::default()), charter, clock)
}

#[tokio::test]
async fn a_purchase_record_clears_unknown_whichever_comes_first() {
    for purchase_first in [false, true] {
        let world = World::new();
        let agent = AgentId::random();
        let device = if purchase_first {
            let bought = world.purchase("PO-1", "PF0ABCDE").await;
            assert_eq!(bought.attachment, Attachment::New);
            let seen = world.agent(agent, "PF0ABCDE").await;
            assert_eq!((seen.attachment, seen.device), (Attachment::Matched, bought.device));
            seen.device
        } else {
            let seen = world.agent(agent, "PF0ABCDE").await;
            assert!(world.codes(seen.device).await.contains(&FlagCode::Unknown));
            let bought = world.purchase("PO-1", "pf0abcde").await;
            assert_eq!((bought.attachment, bought.device), (Attachment::Matched, seen.device));
            seen.device
        };
        assert!(!world.codes(device).await.contains(&FlagCode::Unknown), "purchase first: {purchase_first}");
        assert_eq!(world.device(device).await.subjects.len(), 2);
    }
}

#[tokio::test]
async fn saying_the_same_again_writes_nothing() {
    let world = World::new();
    let agent = AgentId::random();
    let first = world.agent(agent, "PF0ABCDE").await;
    world.purchase("PO-1", "PF0ABCDE").await;
    let (position, record) = (world.store.position().await, world.device(first.device).await);
    world.clock.advance(Duration::from_secs(60));
    assert!(!world.agent(agent, "PF0ABCDE").await.changed);
    assert!(!world.purchase("PO-1", "PF0ABCDE").await.changed);
    assert_eq!(world.store.position().await, position);
    assert_eq!(world.device(first.device).await, record);
}

#[tokio::test]
async fn a_disk_in_another_chassis_leaves_the_old_machine_behind() {
    let world = World::new();
    let agent = AgentId::random();
    let old = world.agent(agent, "PF0ABCDE").await.device;
    let new = world.agent(agent, "PF0FGHIJ").await.device;
    assert_ne!(old, new);
    for device in [old, new] {
        assert!(!world.codes(device).await.contains(&FlagCode::ClonedIdentity));
    }
}

#[tokio::test]
async fn clones_are_devices_of_their_own_and_all_are_flagged() {
    for connected in [true, false] {
        let world = World::new();
        let agent = AgentId::random();
        let first = world.agent(agent, "PF0ABCDE").await;
        if connected {
            world.pipeline.connected(first.device, &first.subject, world.clock.now());
        }
        let second = world.agent(agent, "PF0FGHIJ").await;
        if !connected {
            // One that was left behind speaks again.
            assert_eq!(world.agent(agent, "PF0ABCDE").await.device, first.device);
        }
        assert_ne!(first.device, second.device);
        for device in [first.device, second.device] {
            let codes = world.codes(device).await;
            assert!(codes.contains(&FlagCode::ClonedIdentity), "connected: {connected}, {codes:?}");
        }
    }
}

#[tokio::test]
async fn first_reports_at_once_never_make_two_devices() {
    let world = Arc::new(World::new());
    let tasks: Vec<_> = (0..20)
        .map(|_| {
            let world = world.clone();
            tokio::spawn(async move { world.agent(AgentId::random(), "PF0ABCDE").await.device })
        })
        .collect();
    let mut devices = Vec::new();
    for task in tasks {
        devices.push(task.await.unwrap());
    }
    devices.dedup();
    assert_eq!(devices.len(), 1);
}

#[tokio::test]
async fn silence_is_flagged_by_the_clock_and_a_report_clears_it() {
    let world = World::new();
    let agent = AgentId::random();
    let device = world.agent(agent, "PF0ABCDE").await.device;
    world.clock.advance(Duration::from_secs(29 * 24 * 3600));
    assert_eq!(world.pipeline.judge_due(10).await.unwrap(), 0);
    world.clock.advance(Duration::from_secs(2 * 24 * 3600));
    assert_eq!(world.pipeline.judge_due(10).await.unwrap(), 1);
    assert!(world.codes(device).await.contains(&FlagCode::Stale));
    world.agent(agent, "PF0ABCDE").await;
    assert!(!world.codes(device).await.contains(&FlagCode::Stale));
}

#[tokio::test]
async fn a_restart_finds_everything_again() {
    let world = World::new();
    let device = world.agent(AgentId::random(), "PF0ABCDE").await.device;
    world.purchase("PO-1", "PF0ABCDE").await;
    let again = pipeline(world.store.clone(), world.clock.clone());
    assert_eq!(again.load().await.unwrap(), 1);
    assert_eq!(again.presence().of(device), None, "presence is flushed by its own task");
    let read: Read<Device> = again.records().get(key::device(device)).await.unwrap();
    assert_eq!(read.record, Some(world.device(device).await));
    assert!(again.now() > Timestamp::default());
}

#[tokio::test]
async fn what_an_operator_states_wins_until_it_is_taken_back_and_contradicts_nobody() {
    let world = World::new();
    let device = world.purchase("PO-1", "PF0ABCDE").await.device;
    let before = world.device(device).await;
    for (who, model) in [("alice", "T480s"), ("bob", "T490")] {
        let outcome = world.state(who, device, Field::Model, Some(model)).await;
        assert_eq!((outcome.device, outcome.changed), (device, true));
        assert_eq!(world.device(device).await.text(Field::Model), Some(model));
    }
    assert!(!world.codes(device).await.contains(&FlagCode::Conflict));
    assert!(!world.state("bob", device, Field::Model, Some("T490")).await.changed, "it says so already");
    world.state("bob", device, Field::Model, None).await;
    assert_eq!(world.device(device).await.text(Field::Model), Some("T480s"));
    world.state("alice", device, Field::Model, None).await;
    assert_eq!(world.device(device).await.fields, before.fields);

    let nowhere = DeviceId::random();
    let fields = BTreeMap::from([(Field::Model, None)]);
    let source = Source::Operator("alice".to_owned());
    let statement = Observation::statement(source, nowhere, fields, None, world.clock.now());
    let refused = world.pipeline.observe(&statement).await.unwrap_err().to_string();
    assert!(refused.contains("there is no device"), "{refused}");
}

#[tokio::test]
async fn a_stated_serial_number_decides_no_identity() {
    let world = World::new();
    let device = world.purchase("PO-1", "PF0ABCDE").await.device;
    world.state("alice", device, Field::Serial, Some("PF0FGHIJ")).await;
    let other = world.agent(AgentId::random(), "PF0FGHIJ").await;
    assert_eq!(other.attachment, Attachment::New);
    assert_ne!(other.device, device);
}

#[tokio::test]
async fn assets_meet_within_their_category_and_never_become_part_of_a_device() {
    let world = World::new();
    let laptop = world.purchase("PO-1", "CN0ABCDE").await.device;
    let monitor = |maker, serial| {
        vec![(Field::Category, "peripheral"), (Field::Manufacturer, maker), (Field::Serial, serial)]
    };
    let bought = world.row("purchase", "PO-2/1", &monitor("Lenovo", "CN0ABCDE")).await;
    assert_eq!(bought.attachment, Attachment::New);
    assert_ne!(bought.device, laptop);
    let counted = world.row("audit", "1", &monitor("LENOVO", "cn0abcde")).await;
    assert_eq!((counted.attachment, counted.device), (Attachment::Matched, bought.device));
    let other_maker = world.row("audit", "2", &monitor("Dell", "CN0ABCDE")).await;
    assert_eq!(other_maker.attachment, Attachment::New);
    let key = [(Field::Category, "subscription"), (Field::AssetKey, "acme/mail")];
    let subscription = world.row("purchase", "PO-3/1", &key).await;
    let again = world.row("sso", "mail", &key).await;
    assert_eq!((again.attachment, again.device), (Attachment::Matched, subscription.device));
    let contract = [(Field::Category, "contract"), (Field::AssetKey, "acme/mail")];
    assert_eq!(world.row("purchase", "PO-4/1", &contract).await.attachment, Attachment::New);
}
