//! Processors: SMBIOS type 4, completed by what the kernel sees.
//!
//! Firmware knows sockets and rated speeds, the kernel the model as the processor itself says it. A machine without
//! SMBIOS has one processor per `physical id` of `/proc/cpuinfo`.

use std::collections::BTreeMap;

use muster_common::inventory::{Item, ItemKind, Processor, SectionName};

use crate::{
    host::Host,
    sources::{
        Source, Stamp,
        hardware::smbios,
        part::{Problems, SectionPart},
        read, text,
    },
};

const CPUINFO: &str = "proc/cpuinfo";
/// Thousands of threads need some megabytes.
const CPUINFO_LIMIT: usize = 16 << 20;
const MAX_FREQUENCY: &str = "sys/devices/system/cpu/cpu0/cpufreq/cpuinfo_max_freq";

/// Processors.
#[derive(Debug)]
pub(crate) struct ProcessorSource;

impl Source for ProcessorSource {
    fn name(&self) -> &'static str {
        "processor"
    }

    fn section(&self) -> SectionName {
        SectionName::known(SectionName::HARDWARE)
    }

    fn reads(&self) -> &'static [&'static str] {
        &[smbios::TABLE, CPUINFO, MAX_FREQUENCY]
    }

    fn stamp(&self) -> Stamp {
        Stamp::Uevents
    }

    fn collect(&self, host: &dyn Host) -> SectionPart {
        let mut problems = Problems::default();
        let seen = by_kernel(host, &mut problems);
        let mut processors = by_firmware(host);
        if processors.is_empty() {
            processors = seen;
        } else if let Some(first) = seen.into_iter().next() {
            // All sockets of a machine carry the same model; the kernel numbers them as it likes.
            for processor in &mut processors {
                complete(processor, &first);
            }
        }
        name_apart(&mut processors);
        SectionPart {
            items: processors.into_iter().map(ItemKind::Processor).map(Item::new).collect(),
            problems,
        }
    }
}

/// Type 4; problems with the tables are the product source's to tell.
fn by_firmware(host: &dyn Host) -> Vec<Processor> {
    let mut told_elsewhere = Problems::default();
    let Some(tables) = smbios::Smbios::read(host, &mut told_elsewhere) else { return Vec::new() };
    let structures = tables.structures(&mut told_elsewhere);
    structures
        .iter()
        .filter(|structure| structure.kind == 4)
        .filter_map(|structure| smbios::processor(structure, &mut told_elsewhere))
        .collect()
}

fn by_kernel(host: &dyn Host, problems: &mut Problems) -> Vec<Processor> {
    let Some(bytes) = read::bytes(host, CPUINFO, CPUINFO_LIMIT, problems) else { return Vec::new() };
    let max_mhz = read::number::<u32>(host, MAX_FREQUENCY, problems).map(|kilohertz| kilohertz / 1000);
    let mut sockets: BTreeMap<u32, Processor> = BTreeMap::new();
    for block in String::from_utf8_lossy(&bytes).split("\n\n") {
        let field = |name: &str| {
            block.lines().find_map(|line| {
                let (key, value) = line.split_once(':')?;
                (key.trim_end() == name).then_some(value)
            })
        };
        // The last block of some architectures describes the board.
        if field("processor").is_none() {
            continue;
        }
        let number = |name: &str| field(name).and_then(|value| value.trim().parse::<u32>().ok());
        let value = |name: &str| field(name).and_then(|value| text::clean(value.as_bytes()));
        let processor =
            sockets.entry(number("physical id").unwrap_or(0)).or_insert_with_key(|physical| Processor {
                socket: format!("cpu{physical}"),
                manufacturer: value("vendor_id"),
                model: value("model name"),
                cores: number("cpu cores"),
                threads: Some(0),
                max_mhz,
                family: number("cpu family"),
                model_number: number("model"),
                stepping: number("stepping"),
                microcode: value("microcode"),
                ..Processor::default()
            });
        processor.threads = processor.threads.map(|threads| threads + 1);
    }
    sockets.into_values().collect()
}

fn complete(processor: &mut Processor, seen: &Processor) {
    processor.manufacturer = processor.manufacturer.take().or_else(|| seen.manufacturer.clone());
    processor.model = processor.model.take().or_else(|| seen.model.clone());
    processor.cores = processor.cores.or(seen.cores);
    processor.threads = processor.threads.or(seen.threads);
    processor.max_mhz = processor.max_mhz.or(seen.max_mhz);
    processor.family = seen.family;
    processor.model_number = seen.model_number;
    processor.stepping = seen.stepping;
    processor.microcode = seen.microcode.clone();
}

/// Boards that name all their sockets alike must not lose one of them.
fn name_apart(processors: &mut [Processor]) {
    let mut used: BTreeMap<String, usize> = BTreeMap::new();
    for (index, processor) in processors.iter_mut().enumerate() {
        if processor.socket.is_empty() {
            processor.socket = format!("cpu{index}");
        }
        let times = used.entry(processor.socket.clone()).or_default();
        *times += 1;
        if *times > 1 {
            processor.socket = format!("{} #{times}", processor.socket);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sources::testing::recorded;

    fn processors(cpuinfo: &str) -> Vec<Processor> {
        let (_folder, host) = recorded(&[(CPUINFO, cpuinfo), (MAX_FREQUENCY, "4200000\n")]);
        let part = ProcessorSource.collect(&host);
        assert!(part.problems.is_empty());
        part.items
            .into_iter()
            .map(|item| match item.kind {
                ItemKind::Processor(processor) => processor,
                other => panic!("{other:?} is no processor"),
            })
            .collect()
    }

    #[test]
    fn sockets_by_physical_id() {
        let block = |number: u32, socket: u32| {
            format!(
                "processor\t: {number}\nvendor_id\t: GenuineIntel\nmodel name\t: Xeon\nphysical id\t: {socket}\n\
                 cpu cores\t: 2\n\n"
            )
        };
        let found = processors(&[block(0, 0), block(1, 1), block(2, 0), block(3, 1)].concat());
        let expected = |name: &str| Processor {
            socket: name.to_owned(),
            manufacturer: Some("GenuineIntel".to_owned()),
            model: Some("Xeon".to_owned()),
            cores: Some(2),
            threads: Some(2),
            max_mhz: Some(4200),
            ..Processor::default()
        };
        assert_eq!(found, [expected("cpu0"), expected("cpu1")]);
    }

    #[test]
    fn arm_has_neither_sockets_nor_models() {
        let found = processors("processor\t: 0\nBogoMIPS\t: 50.00\n\nprocessor\t: 1\n\nHardware\t: x\n");
        assert_eq!(found.len(), 1);
        assert_eq!((found[0].socket.as_str(), found[0].threads, found[0].cores), ("cpu0", Some(2), None));
        assert_eq!(processors(""), []);
    }

    #[test]
    fn sockets_of_one_name_stay_apart() {
        let named = |socket: &str| Processor { socket: socket.to_owned(), ..Processor::default() };
        let mut found = [named("CPU"), named("CPU"), named("")];
        name_apart(&mut found);
        assert_eq!(found.map(|processor| processor.socket), ["CPU", "CPU #2", "cpu2"]);
    }
}
