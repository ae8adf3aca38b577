//! The machines that the proof makes: every type that has a number, twice where a board has several, and numbers that
//! look like none.
//!
//! Knows nothing of readers. To add a machine, add a function and its line in [`all`].

use super::table::{Structure, Table};

const UUID: [u8; 16] =
    [0x44, 0x45, 0x4c, 0x4c, 0x35, 0x00, 0x10, 0x44, 0x80, 0x52, 0xb7, 0xc0, 0x4f, 0x4d, 0x53, 0x32];

/// What makers write where a number should stand, and numbers that resemble it. An agent that guesses which is which is
/// wrong somewhere, so all are told.
const ODD: &[&[u8]] = &[
    b"0",
    b"00000000",
    b"-1",
    b"None",
    b"N/A",
    b".",
    b"1234567890",
    b"0123456789ABCDEF",
    b"Default string",
    b"To be filled by O.E.M.",
    b"System Serial Number",
    b"INVALID",
    b"Not Available",
    b"XXXXXXXX",
    b"FFFFFFFF",
    b"  5QDRMS2  ",
    b"/5QDRMS2/CNWS2009AB0123/",
    b"..CN7016343F00RT.",
    b"VMware-56 4d 7a 1b 0f 0c 4e 2a-8c 2d 31 5f 0a 1b 2c 3d",
    b"S\xc3\xa9rie 7",
    b"\xff\xfe7",
    b"a\tb",
    b"Not Present",
    b"a serial number of more than sixty-four characters, as nobody should ever give to anything",
];

/// All of them.
pub(super) fn all() -> Vec<Table> {
    vec![laptop(), server(), old(), odd()]
}

fn firmware(table: &mut Table) {
    table.add(0, 0x1a, |it| {
        it.text(0x04, "Peer Firmware Inc.").text(0x05, "1.27.0").text(0x08, "03/14/2025");
        it.byte(0x14, 1).byte(0x15, 27).byte(0x16, 0xff).byte(0x17, 0xff);
    });
}

fn system(table: &mut Table, length: u8, serial: &[u8]) {
    table.add(1, length, |it| {
        it.text(0x04, "Peer Computers").text(0x05, "Model 7440").text(0x06, "A07").text(0x07, serial);
        it.put(0x08, &UUID);
        if length > 0x19 {
            it.text(0x19, "0A1B").text(0x1a, "Peer family");
        }
    });
}

fn board(table: &mut Table, serial: &[u8], tag: &[u8]) {
    table.add(2, 0x0f, |it| {
        it.text(0x04, "Peer Computers").text(0x05, "0HX555").text(0x06, "A02").text(0x07, serial);
        it.text(0x08, tag).text(0x0a, "Slot 0").byte(0x0d, 0x0a);
    });
}

/// With two contained elements of three bytes before the stock-keeping unit.
fn chassis(table: &mut Table, kind: u8, serial: &[u8], tag: &[u8]) {
    table.add(3, 0x1c, |it| {
        it.text(0x04, "Peer Computers").byte(0x05, kind).text(0x06, "1.0").text(0x07, serial).text(0x08, tag);
        it.byte(0x13, 2).byte(0x14, 3).text(0x1b, "SKU-CH");
    });
}

fn processor(table: &mut Table, number: usize) {
    table.add(4, 0x30, |it| {
        it.text(0x04, format!("CPU{number}")).byte(0x05, 3).text(0x07, "Peer(R) Corporation");
        it.text(0x10, "Peer(R) Core(TM) i7").byte(0x18, 0x41);
        it.text(0x20, format!("CPUSN-{number:06}")).text(0x21, format!("CPU-ASSET-{number}"));
        it.text(0x22, format!("PN-{number}")).byte(0x23, 4).byte(0x25, 8);
    });
}

fn memory(table: &mut Table, slots: u16, is_filled: impl Fn(u16) -> bool) {
    table.add(16, 0x17, |it| {
        it.byte(0x04, 3).byte(0x05, 3).byte(0x06, 6).put(0x07, &(1u32 << 26).to_le_bytes()).word(0x0d, slots);
    });
    for slot in 0..slots {
        table.add(17, 0x28, |it| {
            it.word(0x0c, if is_filled(slot) { 16_384 } else { 0 }).byte(0x0e, 0x09).byte(0x12, 0x1a);
            it.text(0x10, format!("DIMM {slot}")).text(0x11, format!("BANK {}", slot / 2));
            if is_filled(slot) {
                it.text(0x17, "80AD000080AD").text(0x18, format!("{:08X}", 0x2f3c_1a00u32 + u32::from(slot)));
                it.text(0x19, format!("DIMM-ASSET-{slot}")).text(0x1a, "HMA82GS6DJR8N-XN");
            }
        });
    }
}

fn battery(table: &mut Table, write: impl FnOnce(&mut Structure)) {
    table.add(22, 0x1a, |it| {
        it.text(0x04, "Sys. Battery Bay").text(0x05, "SMP").text(0x08, "PEER 68Wh").word(0x0a, 6800);
        it.byte(0x15, 10);
        write(it);
    });
}

fn supply(table: &mut Table, number: usize) {
    table.add(39, 0x16, |it| {
        it.text(0x05, format!("Bay {number}")).text(0x06, "PSU").text(0x07, "Peer Power");
        it.text(0x08, format!("PSU-SN-{number}")).text(0x09, format!("PSU-ASSET-{number}"));
        it.text(0x0a, format!("PSU-MODEL-{number}")).text(0x0b, "A").word(0x0c, 750).word(0x0e, 0x03);
    });
}

fn laptop() -> Table {
    let mut table = Table::new("laptop", (3, 2));
    firmware(&mut table);
    system(&mut table, 0x1b, b"SN-5QDRMS2");
    board(&mut table, b"/5QDRMS2/CNWS2009AB0123/", b"ASSET-B7");
    chassis(&mut table, 10, b"CH-5QDRMS2", b"ASSET-000777");
    processor(&mut table, 0);
    memory(&mut table, 4, |slot| slot % 2 == 0);
    battery(&mut table, |it| {
        it.text(0x06, "20/04/2024").text(0x07, "BATT-1234").byte(0x09, 6);
    });
    table.end()
}

fn server() -> Table {
    let mut table = Table::new("server", (3, 5));
    firmware(&mut table);
    system(&mut table, 0x1b, b"J9C0XK4");
    for number in 0..4 {
        board(&mut table, format!("BSN-{number}").as_bytes(), format!("BOARD-{number}").as_bytes());
    }
    for number in 0..2 {
        chassis(&mut table, 23, format!("CSN-{number}").as_bytes(), format!("RACK-{number}").as_bytes());
    }
    for number in 0..2 {
        processor(&mut table, number);
    }
    memory(&mut table, 32, |slot| slot != 7);
    for number in 0..2 {
        supply(&mut table, number);
    }
    table.end()
}

/// Before version 2.6 the number of the system stands in network order; the shorter structure has no stock-keeping unit,
/// and the battery numbers in place of texts.
fn old() -> Table {
    let mut table = Table::new("old", (2, 4));
    firmware(&mut table);
    system(&mut table, 0x19, b"L3AB123");
    board(&mut table, b"1ZLM4", b"B");
    chassis(&mut table, 9, b"L3AB123", b"No Asset Information");
    battery(&mut table, |it| {
        it.word(0x10, 0x070b).word(0x12, 0x4e49).text(0x14, "LION");
    });
    table.end()
}

/// Each odd text as the serial number and the asset tag of a board and a chassis of its own.
fn odd() -> Table {
    let mut table = Table::new("odd numbers", (3, 0));
    firmware(&mut table);
    system(&mut table, 0x1b, ODD[0]);
    for text in ODD {
        board(&mut table, text, text);
        chassis(&mut table, 3, text, text);
    }
    table.end()
}
