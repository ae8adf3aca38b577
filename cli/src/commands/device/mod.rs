//! `muster device`: everything about one machine, found by id, serial number, host name or another identifier.

mod history;
mod software;

use muster_common::{id::DeviceId, time::Timestamp};
use muster_proto::{
    convert::to_timestamp,
    v1::{Device, ErrorKind, GetDeviceRequest, GetInventoryRequest, Inventory, LookupRequest, SectionStatus},
};

use super::{Paging, bare_id, devices, grouped};
use crate::{
    connection::{Session, ask},
    failure::{Failure, Kind},
    output::{Answer, Cell, Column, Document, Grid, Screen, Sheet, Tone, ago, moment, short_date},
};

/// The words of the command.
#[derive(Debug, clap::Args)]
pub(crate) struct Words {
    /// Device id, serial number, host name, asset tag, MAC or IP address
    #[arg(value_name = "DEVICE")]
    device: String,
    /// The device as it was at that time
    #[arg(long, value_name = "TIME", conflicts_with_all = ["history", "software"])]
    at: Option<Timestamp>,
    /// Who says what: every source's word on every field
    #[arg(long, group = "view")]
    provenance: bool,
    /// What changed, newest first
    #[arg(long, group = "view")]
    history: bool,
    /// Every package on it
    #[arg(long, group = "view")]
    software: bool,
    #[command(flatten)]
    paging: Paging,
}

/// Finds the device and shows what was asked for.
pub(crate) async fn run(words: &Words, session: &Session, screen: &Screen) -> Result<Answer, Failure> {
    let device = find_at(&words.device, words.at, session).await?;
    let mut query = session.query.clone();
    if words.history {
        return history::run(&device, &words.paging, session, screen).await;
    }
    let inventory = query.get_inventory(ask(GetInventoryRequest { name: device.name.clone() })).await;
    let inventory = match session.explain(inventory) {
        Ok(inventory) => Some(inventory),
        Err(failure) if failure.kind() == Kind::NotFound => None,
        Err(failure) => return Err(failure),
    };
    if words.software {
        let inventory = inventory.ok_or_else(|| {
            Failure::new(
                Kind::NotFound,
                format!("no agent has reported the software of {}", device.display_name),
                "install muster-agent there: muster token create",
            )
        })?;
        return Ok(software::answer(&device, &inventory));
    }
    // What could not be read belongs to the present; it says nothing of an earlier time.
    let inventory = inventory.filter(|_| words.at.is_none());
    Ok(device_answer(&device, inventory.as_ref(), words.provenance, screen))
}

/// The device by its id, else by whatever identifier it has now.
pub(crate) async fn find(named: &str, session: &Session) -> Result<Device, Failure> {
    find_at(named, None, session).await
}

async fn find_at(named: &str, at: Option<Timestamp>, session: &Session) -> Result<Device, Failure> {
    let as_of = at.map(to_timestamp);
    let get = async |name: String| {
        let request = GetDeviceRequest { name, as_of };
        session.explain(session.query.clone().get_device(ask(request)).await)
    };
    let id = bare_id(named);
    if id.parse::<DeviceId>().is_ok() {
        match get(format!("devices/{id}")).await {
            // A machine's own UUID looks like a device id.
            Err(failure) if failure.kind() == Kind::NotFound && id == named => {}
            found => return found,
        }
    }
    let request = LookupRequest { identifier: named.to_owned(), at: as_of };
    let found = session.explain(session.query.clone().lookup(ask(request)).await)?;
    let mut candidates: Vec<(String, String)> =
        found.matches.into_iter().map(|found| (found.device, found.display_name)).collect();
    candidates.sort();
    candidates.dedup();
    match candidates.as_slice() {
        [(name, _)] => get(name.clone()).await,
        [] => Err(Failure::new(
            Kind::NotFound,
            format!("no device has the id, serial number, name or address {named:?}"),
            "see what there is: muster devices",
        )),
        several => {
            let shown: Vec<String> =
                several.iter().take(10).map(|(id, name)| format!("{} ({name})", bare_id(id))).collect();
            Err(Failure::new(
                Kind::Failed,
                format!("{named:?} is an identifier of {} devices: {}", several.len(), shown.join(", ")),
                "name the one that you mean by its id",
            ))
        }
    }
}

fn device_answer(
    device: &Device,
    inventory: Option<&Inventory>,
    provenance: bool,
    screen: &Screen,
) -> Answer {
    let mut grid = Grid::new(&[
        Column::new("field"),
        Column::sentences("value"),
        Column::new("source"),
        Column::new("observed"),
    ]);
    for field in &device.fields {
        for (rank, claim) in field.claims.iter().enumerate() {
            let tone = if rank == 0 { Tone::Plain } else { Tone::Quiet };
            grid.rows.push(vec![
                Cell::pair(if rank == 0 { field.field.as_str() } else { "" }, &field.field),
                Cell::pair(short_date(&claim.value), &claim.value).in_tone(tone),
                Cell::pair(short_source(&claim.source), &claim.source).in_tone(tone),
                Cell::pair(
                    ago(claim.observed_time.as_ref(), screen.now),
                    moment(claim.observed_time.as_ref()),
                )
                .in_tone(tone),
            ]);
        }
    }
    let sheet = if provenance { None } else { Some(sheet(device, inventory, screen)) };
    Answer { json: Document::of(device), grid, sheet, notes: Vec::new(), shown_rows: None }
}

/// An agent's id is long, and a device seldom has two.
fn short_source(source: &str) -> String {
    match source.split_once(" carrying agent:") {
        Some((carrier, _)) => format!("{carrier}, carried"),
        None if source.starts_with("agent:") => "agent".to_owned(),
        None => source.to_owned(),
    }
}

fn sheet(device: &Device, inventory: Option<&Inventory>, screen: &Screen) -> String {
    let value = |field: &str| devices::value(device, field);
    let mut sheet = Sheet::new(&device.display_name, screen);
    let joined = |parts: &[String]| {
        parts.iter().filter(|part| !part.is_empty()).cloned().collect::<Vec<_>>().join(", ")
    };
    let labelled = |label: &str, field: &str| match value(field) {
        "" => String::new(),
        text => format!("{label} {}", short_date(text)),
    };
    let sized = |label: &str, field: &str| match value(field).parse() {
        Ok(bytes) => format!("{} {label}", size(bytes, label == "memory")),
        Err(_) => String::new(),
    };

    sheet.line(
        "machine",
        &joined(&[devices::model(device), value("class").to_owned(), labelled("on", "hypervisor")]),
    );
    let serial = match value("serial") {
        "" => "not known: no source reports one that is not a placeholder".to_owned(),
        serial => serial.to_owned(),
    };
    sheet.line(
        "serial",
        &joined(&[serial, labelled("board", "board_serial"), labelled("chassis", "chassis_serial")]),
    );
    sheet.line("asset tag", value("asset_tag"));
    sheet.line(
        "system",
        &joined(&[devices::system(device), labelled("kernel", "kernel"), value("architecture").to_owned()]),
    );
    let cores =
        labelled("cores", "cores").split_once(' ').map(|(_, n)| format!("{n} cores")).unwrap_or_default();
    sheet.line(
        "hardware",
        &joined(&[value("processor").to_owned(), cores, sized("memory", "memory"), sized("disk", "disk")]),
    );
    sheet.line("network", &joined(&[value("ip").to_owned(), value("mac").to_owned()]));
    sheet.line(
        "software",
        &match (device.software_count, device.agents.is_empty()) {
            (0, true) => "not known: no agent reports from it".to_owned(),
            (count, _) => format!("{} (--software lists them)", packages(count.into())),
        },
    );
    let assigned = match (value("assigned_to"), value("owner")) {
        ("", "") => "to nobody".to_owned(),
        _ => joined(&[labelled("to", "assigned_to"), labelled("owner", "owner")]),
    };
    sheet.line(
        "assigned",
        &joined(&[
            assigned,
            labelled("in", "location"),
            value("department").to_owned(),
            labelled("cost centre", "cost_center"),
        ]),
    );
    sheet.line(
        "bought",
        &joined(&[
            short_date(value("purchase_date")).to_owned(),
            labelled("from", "supplier"),
            labelled("order", "order_number"),
            labelled("for", "price"),
            labelled("by", "company"),
            labelled("warranty until", "warranty_end"),
        ]),
    );
    sheet.line("state", &joined(&[value("state").to_owned(), value("ownership").to_owned()]));
    sheet.line("seen", &joined(&seen(device, screen)));
    sheet.line("id", bare_id(&device.name));
    sheet.line("why this one", &device.identity_explanation);

    sheet.heading(if device.flags.is_empty() { "No flags" } else { "Flags" });
    for flag in &device.flags {
        let since = ago(flag.since_time.as_ref(), screen.now);
        let standing = super::flags::standing(flag);
        let standing = if standing == "open" { String::new() } else { format!("; {standing}") };
        let severity = devices_severity(flag.severity());
        sheet.line(&flag.code, &format!("{} ({severity}, {since}{standing})", flag.evidence));
    }
    let unread = unread(inventory);
    if !unread.is_empty() {
        sheet.heading("Not read");
        for (section, reason) in unread {
            sheet.line(&section, &reason);
        }
    }
    sheet.finish()
}

fn devices_severity(severity: muster_proto::v1::Severity) -> &'static str {
    use muster_proto::v1::Severity;
    match severity {
        Severity::Critical => "critical",
        Severity::Warning => "warning",
        Severity::Info => "info",
        Severity::Unspecified => "of unknown weight",
    }
}

/// Who saw it when.
fn seen(device: &Device, screen: &Screen) -> Vec<String> {
    let mut parts: Vec<String> = Vec::new();
    if device.connected {
        parts.push("agent connected now".to_owned());
    }
    for seen in &device.seen_by {
        if !(device.connected && seen.source == "agent") {
            parts.push(format!("{} {}", seen.source, ago(seen.last_time.as_ref(), screen.now)));
        }
    }
    match device.first_seen_time.as_ref() {
        Some(first) => parts.push(format!("first {}", ago(Some(first), screen.now))),
        None => parts.push("never".to_owned()),
    }
    parts
}

/// What the agent could not read, which is another thing than what is not there and need not be.
fn unread(inventory: Option<&Inventory>) -> Vec<(String, String)> {
    let mut found = Vec::new();
    for section in inventory.iter().flat_map(|inventory| &inventory.sections) {
        for error in section.errors.iter().filter(|error| error.kind() != ErrorKind::Absent) {
            found.push((section.name.clone(), format!("{}: {}", error.subject, error.message)));
        }
        match section.status() {
            SectionStatus::NotAvailable if section.errors.is_empty() => {
                found.push((section.name.clone(), "this platform can't tell".to_owned()));
            }
            SectionStatus::Failed if section.errors.is_empty() => {
                found.push((section.name.clone(), "reading it failed".to_owned()));
            }
            SectionStatus::NotAvailable
            | SectionStatus::Failed
            | SectionStatus::Partial
            | SectionStatus::Complete
            | SectionStatus::Unspecified => {}
        }
    }
    found
}

/// Bytes as a label says them: memory in powers of 1024, disks in powers of 1000.
fn size(bytes: u64, binary: bool) -> String {
    let (step, units) = if binary {
        (1024.0, ["B", "KiB", "MiB", "GiB", "TiB"])
    } else {
        (1000.0, ["B", "kB", "MB", "GB", "TB"])
    };
    let mut number = bytes as f64;
    let mut unit = 0;
    while number >= step && unit + 1 < units.len() {
        number /= step;
        unit += 1;
    }
    let text = if number >= 100.0 || number.fract() < 0.05 {
        format!("{number:.0}")
    } else {
        format!("{number:.1}")
    };
    format!("{text} {}", units[unit])
}

/// So many packages, in words.
fn packages(count: u64) -> String {
    format!("{} {}", grouped(count), if count == 1 { "package" } else { "packages" })
}

#[cfg(test)]
mod tests {
    use muster_proto::v1::{Item, Package, Section, SourceError, item};

    use super::*;
    use crate::{
        commands::devices::samples::{at, field, laptop},
        output::testing::{check_csv, check_table, screen},
    };

    pub(super) fn inventory() -> Inventory {
        let package = |name: &str| Item {
            kind: Some(item::Kind::Package(Package {
                name: name.to_owned(),
                version: "1.0-1".to_owned(),
                architecture: "amd64".to_owned(),
                ..Package::default()
            })),
            installation: None,
        };
        Inventory {
            collected_time: None,
            agent_version: "0.1.0".to_owned(),
            sections: vec![
                Section {
                    name: "hardware".to_owned(),
                    status: SectionStatus::Partial.into(),
                    items: Vec::new(),
                    errors: vec![SourceError {
                        subject: "/sys/firmware/dmi/tables/DMI".to_owned(),
                        kind: ErrorKind::NotPermitted.into(),
                        message: "permission denied".to_owned(),
                    }],
                },
                Section {
                    name: "software.dpkg".to_owned(),
                    status: SectionStatus::Complete.into(),
                    items: vec![package("zlib1g"), package("bash")],
                    errors: Vec::new(),
                },
                Section {
                    name: "software.rpm".to_owned(),
                    status: SectionStatus::NotAvailable.into(),
                    items: Vec::new(),
                    errors: vec![SourceError {
                        subject: "var/lib/rpm".to_owned(),
                        kind: ErrorKind::Absent.into(),
                        message: "this system has no rpm database".to_owned(),
                    }],
                },
            ],
        }
    }

    #[test]
    fn a_device_on_one_page() {
        check_table(
            &device_answer(&laptop(), Some(&inventory()), false, &screen()),
            "
web-03
  machine        LENOVO ThinkPad T480s, laptop
  serial         PF1ABCDE
  system         Debian GNU/Linux 13 (trixie), kernel 6.12.38, x86_64
  hardware       Intel Core i5-8350U, 4 cores, 15.6 GiB memory, 512 GB disk
  network        192.0.2.7, 00:1b:21:3a:4f:5e
  software       512 packages (--software lists them)
  assigned       to nobody
  bought         warranty until 2027-04-30
  seen           agent 2 min ago, first 4 days ago
  id             6f1c0d52-8a6e-4b0e-9a44-0d6f9e5f2c11
  why this one   system UUID and serial are those of this device

Flags
  unknown        no purchase record or approval vouches for it (warning, 2 h ago)

Not read
  hardware       /sys/firmware/dmi/tables/DMI: permission denied
",
        );
    }

    #[test]
    fn what_is_not_known_says_so() {
        let bare = Device {
            name: "devices/x".to_owned(),
            display_name: "PF2XYZ".to_owned(),
            first_seen_time: at("2026-11-24T11:00:00Z"),
            ..Device::default()
        };
        check_table(
            &device_answer(&bare, None, false, &screen()),
            "
PF2XYZ
  serial         not known: no source reports one that is not a placeholder
  software       not known: no agent reports from it
  assigned       to nobody
  seen           first 1 h ago
  id             x

No flags
",
        );
    }

    #[test]
    fn provenance_names_every_source() {
        let mut device = laptop();
        device.fields = vec![field("serial", "PF1ABCDE", "agent:0b8d3a52-1111-4b0e-9a44-0d6f9e5f2c11")];
        let other = field("serial", "PF1ABCDF", "import:purchase").claims.remove(0);
        device.fields[0].claims.push(other);
        let answer = device_answer(&device, None, true, &screen());
        check_table(
            &answer,
            "
FIELD   VALUE     SOURCE           OBSERVED
serial  PF1ABCDE  agent            1 h ago
        PF1ABCDF  import:purchase  1 h ago",
        );
        check_csv(
            &answer,
            &[
                "field,value,source,observed",
                "serial,PF1ABCDE,agent:0b8d3a52-1111-4b0e-9a44-0d6f9e5f2c11,2026-11-24T11:00:00Z",
                "serial,PF1ABCDF,import:purchase,2026-11-24T11:00:00Z",
            ],
        );
    }

    #[test]
    fn sizes_are_those_on_the_label() {
        assert_eq!(size(17_179_869_184, true), "16 GiB");
        assert_eq!(size(512_110_190_592, false), "512 GB");
        assert_eq!(size(900, true), "900 B");
    }
}
