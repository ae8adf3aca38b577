//! `muster-agent status --leaves`: every field that leaves this machine, which of them now, and why the others don't.
//!
//! The fields come from the schema's descriptors and the sections from the table of sources, so that what is added to
//! either stands here without anybody thinking of it.

use std::{collections::BTreeSet, io::Write};

use anyhow::Context;
use muster_common::{
    governance::{AgentSettings, Privacy},
    inventory::SectionName,
};
use muster_proto::fields;
use serde::Serialize;

use crate::{
    asked,
    config::Settings,
    permissions::{Off, Permissions, key, why_off},
    sources::{SOURCES, Source},
};

/// Where an item's own fields begin.
const ITEM: &str = "muster.v1.Item";
/// What an agent calls: each message that these take leaves the machine.
const SERVICES: [&str; 2] = ["muster.v1.Enrollment", "muster.v1.Ingest"];
/// What an envelope carries as bytes, which the schema can't tell.
const REPORT: &str = "muster.v1.Report";
/// The width of a line of fields.
const WIDTH: usize = 100;

/// Which kinds of items a section and those below it have, by their names in the schema; the longest name decides. What
/// stands in no row is listed all the same.
const KINDS: &[(&str, &[&str])] = &[
    (
        SectionName::HARDWARE,
        &[
            "system",
            "baseboard",
            "chassis",
            "firmware",
            "processor",
            "memory",
            "memory_module",
            "cache",
            "port",
            "slot",
            "onboard_device",
            "power_supply",
            "battery",
            "tpm",
        ],
    ),
    (SectionName::STORAGE, &["disk"]),
    (SectionName::NETWORK, &["network_adapter"]),
    (SectionName::OS, &["operating_system"]),
    (SectionName::PCI, &["pci_device"]),
    (SectionName::USB, &["usb_device"]),
    (SectionName::MONITORS, &["monitor"]),
    (SectionName::CLOUD, &["cloud_instance"]),
    (SectionName::VOLUMES, &["volume"]),
    (SectionName::SECURITY, &["security"]),
    (SectionName::PROTECTION, &["protection"]),
    (SectionName::CERTIFICATES, &["certificate"]),
    (SectionName::ACCOUNTS, &["account", "group"]),
    (SectionName::LOGINS, &["login"]),
    (SectionName::SERVICES, &["service"]),
    (SectionName::LISTENERS, &["listener"]),
    (SectionName::USAGE, &["usage"]),
    (SectionName::NEIGHBOURS, &["neighbour", "network_neighbours"]),
    ("software", &["package"]),
];

/// All that leaves.
#[derive(Debug, Serialize)]
struct Leaves {
    sections: Vec<Section>,
    /// With each item of any section.
    any_item: Vec<Fields>,
    /// What goes around the items.
    messages: Vec<Fields>,
}

#[derive(Debug, Serialize)]
struct Section {
    name: String,
    sources: Vec<Reading>,
    items: Vec<Fields>,
}

/// Whether a source reads.
#[derive(Debug, Serialize)]
struct Reading {
    source: &'static str,
    on: bool,
    why: String,
}

/// A message with its fields.
#[derive(Debug, Serialize)]
struct Fields {
    name: String,
    fields: Vec<String>,
}

/// Prints the list, for people.
pub(crate) fn print(settings: &Settings, out: &mut dyn Write) -> anyhow::Result<()> {
    let leaves = leaves(settings, &last_asked(settings)?, SOURCES);
    writeln!(
        out,
        "What leaves this machine goes to the collector at {} over mutual TLS, and nowhere else.",
        settings.collector.session
    )?;
    for section in &leaves.sections {
        writeln!(out, "\n{}", section.name)?;
        for Reading { source, on, why } in &section.sources {
            let state = if *on { "on" } else { "off" };
            let colon = if why.is_empty() { "" } else { ": " };
            writeln!(out, "  source {source}: {state}{colon}{why}")?;
        }
        print_fields(&section.items, out)?;
    }
    writeln!(out, "\nWith an item of any section")?;
    print_fields(&leaves.any_item, out)?;
    writeln!(
        out,
        "\nAround the items; evidence is the hardware, network and os items that tell machines apart"
    )?;
    print_fields(&leaves.messages, out)
}

/// The same for programs.
pub(crate) fn print_json(settings: &Settings, out: &mut dyn Write) -> anyhow::Result<()> {
    let leaves = leaves(settings, &last_asked(settings)?, SOURCES);
    Ok(writeln!(out, "{}", serde_json::to_string_pretty(&leaves)?)?)
}

fn last_asked(settings: &Settings) -> anyhow::Result<AgentSettings> {
    asked::load(&settings.state_dir)
        .context("what the charter asks for can't be read: run this as root or as the service's user")
}

fn leaves(settings: &Settings, asked: &AgentSettings, sources: &[&dyn Source]) -> Leaves {
    let mut names: Vec<String> = sources.iter().map(|source| source.section().as_str().to_owned()).collect();
    names.sort();
    names.dedup();
    let choices = fields::choices(ITEM);
    // What no source of this version reads is listed all the same, under no section.
    let read = |family: &str| names.iter().any(|name| is_of(name, family));
    let listed: BTreeSet<&str> =
        KINDS.iter().filter(|(family, _)| read(family)).flat_map(|(_, kinds)| *kinds).copied().collect();
    let of_kind = |(name, message): &(String, String)| Fields {
        name: name.clone(),
        fields: fields::below(message, &[]),
    };
    let sections = names.into_iter().map(|name| {
        let kinds = kinds_of(&name);
        Section {
            sources: sources
                .iter()
                .filter(|source| source.section().as_str() == name)
                .map(|source| reading(*source, settings, asked))
                .collect(),
            items: choices.iter().filter(|(kind, _)| kinds.contains(&kind.as_str())).map(of_kind).collect(),
            name,
        }
    });
    let mut any_item: Vec<Fields> =
        choices.iter().filter(|(kind, _)| !listed.contains(kind.as_str())).map(of_kind).collect();
    // Fields of Item itself, which aren't one of the choices.
    let own: Vec<String> = fields::below(ITEM, &[])
        .into_iter()
        .filter(|path| !choices.iter().any(|(kind, _)| path.split('.').next() == Some(kind)))
        .collect();
    any_item.push(Fields { name: "item".to_owned(), fields: own });
    let called = SERVICES.iter().flat_map(|service| fields::taken_by(service));
    let messages = called.chain([REPORT.to_owned()]).map(|message| Fields {
        fields: fields::below(&message, &[ITEM]),
        name: message.rsplit('.').next().unwrap_or_default().to_owned(),
    });
    Leaves { sections: sections.collect(), any_item, messages: messages.collect() }
}

/// The kinds of items that a section has.
fn kinds_of(section: &str) -> &'static [&'static str] {
    let rows = KINDS.iter().filter(|(family, _)| is_of(section, family));
    rows.max_by_key(|(family, _)| family.len()).map_or(&[], |(_, kinds)| kinds)
}

/// Whether a section is of a family: `software.dpkg` is of `software`.
fn is_of(section: &str, family: &str) -> bool {
    section == family || section.strip_prefix(family).is_some_and(|rest| rest.starts_with('.'))
}

fn reading(source: &dyn Source, settings: &Settings, asked: &AgentSettings) -> Reading {
    let name = source.name();
    if settings.disabled_sources.iter().any(|disabled| disabled == name) {
        return Reading { source: name, on: false, why: "your [sources] disabled names it".to_owned() };
    }
    if source.section().as_str() == SectionName::CERTIFICATES && settings.certificate_folders.is_empty() {
        return Reading { source: name, on: false, why: "your [certificates] names no folder".to_owned() };
    }
    let Some(personal) = source.personal() else {
        return Reading { source: name, on: true, why: String::new() };
    };
    let key = key(personal);
    let (ceiling, grant): (Privacy, Privacy) = (settings.privacy, asked.privacy);
    let (on, why) = match why_off(personal, ceiling, grant) {
        Some(Off::Ceiling) => (false, format!("your [privacy] {key} is false")),
        Some(Off::Charter) => (false, format!("the organisation's charter doesn't ask for {key}")),
        None => (true, format!("your [privacy] {key} and the organisation's charter both allow it")),
    };
    let permissions = Permissions::new(ceiling, asked);
    let networks: Vec<String> = permissions.networks().iter().map(ToString::to_string).collect();
    let is_neighbours = on && personal == crate::sources::Personal::Neighbours;
    let why = if is_neighbours { format!("{why}, on {}", networks.join(", ")) } else { why };
    Reading { source: name, on, why }
}

/// One line a message, broken where it gets long.
fn print_fields(messages: &[Fields], out: &mut dyn Write) -> anyhow::Result<()> {
    for Fields { name, fields } in messages {
        let mut line = format!("    {name}:");
        for (number, field) in fields.iter().enumerate() {
            if line.len() + field.len() + 2 > WIDTH {
                writeln!(out, "{line}")?;
                line = "      ".to_owned();
            }
            let comma = if number + 1 < fields.len() { "," } else { "" };
            line.push_str(&format!(" {field}{comma}"));
        }
        writeln!(out, "{line}")?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;
    use crate::{
        config,
        host::Host,
        sources::{Personal, SectionPart},
    };

    #[derive(Debug)]
    struct Usage;

    impl Source for Usage {
        fn name(&self) -> &'static str {
            "usage"
        }

        fn section(&self) -> SectionName {
            SectionName::known("usage")
        }

        fn reads(&self) -> &'static [&'static str] {
            &["proc"]
        }

        fn personal(&self) -> Option<Personal> {
            Some(Personal::Usage)
        }

        fn collect(&self, _host: &dyn Host) -> SectionPart {
            SectionPart::default()
        }
    }

    fn settings(folder: &Path, usage: bool) -> Settings {
        let path = folder.join("agent.toml");
        let text = format!(
            "state_dir = \"state\"\ncollector.session = \"a:1\"\nsources.disabled = [\"dpkg\"]\n[privacy]\nusage = {usage}\n"
        );
        std::fs::write(&path, text).unwrap();
        config::read(&path).unwrap()
    }

    #[test]
    fn no_kind_of_the_schema_is_without_a_section() {
        let unlisted: Vec<String> = fields::choices(ITEM)
            .into_iter()
            .map(|(kind, _)| kind)
            .filter(|kind| !KINDS.iter().any(|(_, kinds)| kinds.contains(&kind.as_str())))
            .collect();
        assert_eq!(unlisted, [""; 0], "say in KINDS, in this file, in which sections these items are");
        for source in SOURCES {
            let section = source.section();
            assert!(
                !kinds_of(section.as_str()).is_empty(),
                "say in KINDS, in this file, what items {section} has"
            );
        }
    }

    #[test]
    fn every_field_of_every_message_is_listed() {
        let folder = tempfile::tempdir().unwrap();
        let mut out = Vec::new();
        print(&settings(folder.path(), false), &mut out).unwrap();
        let text = String::from_utf8(out).unwrap();
        let words: Vec<&str> = text.split([' ', ',', ':', '\n']).collect();
        let read =
            |kind: &str| SOURCES.iter().any(|source| kinds_of(source.section().as_str()).contains(&kind));
        for (kind, message) in fields::choices(ITEM).into_iter().filter(|(kind, _)| read(kind)) {
            for field in fields::below(&message, &[]).into_iter().chain([kind]) {
                assert!(words.contains(&field.as_str()), "{field} is not in\n{text}");
            }
        }
        for field in [
            "installation.user",
            "hello.boot_id",
            "csr",
            "heartbeat.endpoint_time",
            "report.payload",
            "sections.errors.message",
        ] {
            assert!(words.contains(&field), "{field} is not in\n{text}");
        }
        assert!(
            text.contains("software.dpkg\n  source dpkg: off: your [sources] disabled names it\n"),
            "{text}"
        );
        assert!(text.contains("storage\n  source disk: on\n    disk: name, model,"), "{text}");
        assert!(text.lines().all(|line| line.len() <= WIDTH + 20), "{text}");
    }

    #[test]
    fn it_says_why_something_is_off() {
        let folder = tempfile::tempdir().unwrap();
        let granted =
            AgentSettings { privacy: Privacy { usage: true, ..Privacy::NONE }, ..AgentSettings::default() };
        let nothing = AgentSettings::default();
        for (ceiling, asked, on, why) in [
            (false, &nothing, false, "your [privacy] usage is false"),
            (false, &granted, false, "your [privacy] usage is false"),
            (true, &nothing, false, "the organisation's charter doesn't ask for usage"),
            (true, &granted, true, "your [privacy] usage and the organisation's charter both allow it"),
        ] {
            let leaves = leaves(&settings(folder.path(), ceiling), asked, &[&Usage]);
            let reading = &leaves.sections[0].sources[0];
            assert_eq!((reading.on, reading.why.as_str()), (on, why));
        }
    }
}
