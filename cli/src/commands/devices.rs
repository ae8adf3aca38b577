//! `muster devices`: the list of machines.

use muster_common::time::Timestamp;
use muster_proto::{
    convert::to_timestamp,
    v1::{Device, ListDevicesRequest, ListDevicesResponse, Severity},
};

use super::{Paging, bare_id, list_note};
use crate::{
    connection::{Session, ask},
    failure::Failure,
    output::{Answer, Cell, Column, Document, Grid, Screen, Tone, ago, moment},
};

const EXAMPLES: &str = "\
Filters follow google.aip.dev/160:
  --filter 'os.name = \"debian\" AND flag:unknown'
  --filter 'software:(name = \"openssl\" AND version < \"3.0.11-1~deb12u2\")'
  --filter 'last_seen < \"2026-11-01T00:00:00Z\" AND NOT owner:*'
  --filter 'seen_by:mdm AND NOT seen_by:agent'";

/// The words of the command.
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct Words {
    #[command(flatten)]
    list: List,
}

/// What every list of records can be asked for.
#[derive(Debug, clap::Args)]
pub(crate) struct List {
    /// Only what matches
    #[arg(long, short, value_name = "FILTER", default_value = "", hide_default_value = true)]
    filter: String,
    /// Fields to sort by, such as 'last_seen desc, hostname'
    #[arg(long, value_name = "FIELDS", default_value = "", hide_default_value = true)]
    order_by: String,
    /// The list as it was at this moment, such as 2026-03-31 or 2026-03-31T12:00:00Z
    #[arg(long, value_name = "TIME")]
    at: Option<Timestamp>,
    #[command(flatten)]
    paging: Paging,
}

/// Asks for the list.
pub(crate) async fn run(words: &Words, session: &Session, screen: &Screen) -> Result<Answer, Failure> {
    let query = session.query.clone();
    let ask = |request| {
        let mut query = query.clone();
        async move { query.list_devices(request).await }
    };
    Ok(answer(&every_page(&words.list, session, ask).await?, screen))
}

/// One page, or with `--all` every page as one.
pub(super) async fn every_page<F>(
    list: &List,
    session: &Session,
    question: impl Fn(tonic::Request<ListDevicesRequest>) -> F,
) -> Result<ListDevicesResponse, Failure>
where
    F: Future<Output = Result<tonic::Response<ListDevicesResponse>, tonic::Status>>,
{
    let List { filter, order_by, at, paging } = list;
    let mut whole = ListDevicesResponse::default();
    let mut token = paging.first_token();
    loop {
        let request = ListDevicesRequest {
            page_size: paging.size(),
            page_token: token,
            filter: filter.clone(),
            order_by: order_by.clone(),
            min_position: String::new(),
            as_of: at.map(to_timestamp),
        };
        let page = session.explain(question(ask(request)).await)?;
        whole.devices.extend(page.devices);
        whole.total_size = page.total_size;
        whole.next_page_token = page.next_page_token;
        if !paging.goes_on(&whole.next_page_token) {
            return Ok(whole);
        }
        token = whole.next_page_token.clone();
    }
}

fn answer(response: &ListDevicesResponse, screen: &Screen) -> Answer {
    let mut grid = Grid::new(&[
        Column::new("name"),
        Column::new("serial"),
        Column::new("model").spare(2),
        Column::new("os"),
        Column::number("software").spare(1),
        Column::new("flags"),
        Column::new("seen"),
        Column::new("id").spare(3),
    ]);
    for device in &response.devices {
        let flags: Vec<&str> = device.flags.iter().map(|flag| flag.code.as_str()).collect();
        grid.rows.push(vec![
            Cell::text(device.display_name.clone()),
            Cell::text(value(device, "serial")),
            Cell::text(model(device)),
            Cell::text(system(device)),
            software_count(device),
            Cell::pair(flags.join(", "), flags.join(" ")).in_tone(worst(device)),
            seen(device, screen),
            Cell::text(bare_id(&device.name)).in_tone(Tone::Quiet),
        ]);
    }
    let notes = list_note(response.devices.len(), response.total_size, "device", &response.next_page_token);
    Answer { json: Document::of(response), grid, sheet: None, notes, shown_rows: None }
}

/// A field's winning value; empty when nobody reported it.
pub(super) fn value<'a>(device: &'a Device, field: &str) -> &'a str {
    device.fields.iter().find(|known| known.field == field).map_or("", |known| known.value.as_str())
}

/// The category; of a record that names none: a device.
pub(super) fn category(asset: &Device) -> &str {
    match value(asset, "category") {
        "" => "device",
        category => category,
    }
}

/// By what people tell an asset: serial number, asset tag, or its key in the cloud or within its category.
pub(super) fn key(asset: &Device) -> &str {
    first(asset, &["serial", "asset_tag", "cloud.instance", "asset_key"])
}

/// Who has it, else who answers for it.
pub(super) fn holder(asset: &Device) -> &str {
    first(asset, &["assigned_to", "owner"])
}

/// The first of these fields that has a value.
fn first<'a>(asset: &'a Device, fields: &[&str]) -> &'a str {
    fields.iter().map(|field| value(asset, field)).find(|value| !value.is_empty()).unwrap_or_default()
}

/// Maker and model for people: the model's own name where there is one, the maker once.
pub(super) fn model(device: &Device) -> String {
    let maker = value(device, "manufacturer");
    let name = value(device, "model_name");
    let model = if name.is_empty() { value(device, "model") } else { name };
    let first = maker.split_whitespace().next().unwrap_or_default();
    if !first.is_empty() && model.to_lowercase().starts_with(&first.to_lowercase()) {
        return model.to_owned();
    }
    [maker, model].into_iter().filter(|part| !part.is_empty()).collect::<Vec<_>>().join(" ")
}

/// The operating system for people.
pub(super) fn system(device: &Device) -> String {
    let pretty = value(device, "os.pretty");
    if !pretty.is_empty() {
        return pretty.to_owned();
    }
    format!("{} {}", value(device, "os.name"), value(device, "os.version")).trim().to_owned()
}

/// How many titles; empty when no agent has ever told, which is another thing than none.
fn software_count(device: &Device) -> Cell {
    if device.software_count == 0 && device.agents.is_empty() {
        Cell::default()
    } else {
        Cell::text(device.software_count.to_string())
    }
}

fn seen(device: &Device, screen: &Screen) -> Cell {
    let time = device.last_seen_time.as_ref();
    if device.connected {
        return Cell::pair("connected", moment(time)).in_tone(Tone::Good);
    }
    let shown = if time.is_some() { ago(time, screen.now) } else { "never".to_owned() };
    Cell::pair(shown, moment(time))
}

/// The tone of the gravest finding.
pub(super) fn worst(device: &Device) -> Tone {
    device.flags.iter().map(|flag| flag.severity()).max().map_or(Tone::Plain, tone)
}

/// How a finding stands out.
pub(super) fn tone(severity: Severity) -> Tone {
    match severity {
        Severity::Critical => Tone::Critical,
        Severity::Warning => Tone::Warning,
        Severity::Info | Severity::Unspecified => Tone::Plain,
    }
}

#[cfg(test)]
pub(super) mod samples {
    //! A device as a collector sends it.

    use muster_proto::{
        convert::to_timestamp,
        v1::{AgentBinding, ClaimedValue, Device, Field, Flag, Seen, Severity},
    };

    pub(in crate::commands) fn at(text: &str) -> Option<prost_types::Timestamp> {
        Some(to_timestamp(text.parse().expect("a time")))
    }

    pub(in crate::commands) fn field(name: &str, value: &str, source: &str) -> Field {
        Field {
            field: name.to_owned(),
            value: value.to_owned(),
            claims: vec![ClaimedValue {
                value: value.to_owned(),
                source: source.to_owned(),
                observed_time: at("2026-11-24T11:00:00Z"),
            }],
        }
    }

    pub(in crate::commands) fn laptop() -> Device {
        const AGENT: &str = "agent:0b8d3a52-1111-4b0e-9a44-0d6f9e5f2c11";
        Device {
            name: "devices/6f1c0d52-8a6e-4b0e-9a44-0d6f9e5f2c11".to_owned(),
            display_name: "web-03".to_owned(),
            revision: 4,
            fields: vec![
                field("architecture", "x86_64", AGENT),
                field("class", "laptop", AGENT),
                field("cores", "4", AGENT),
                field("disk", "512110190592", AGENT),
                field("hostname", "web-03", AGENT),
                field("ip", "192.0.2.7", AGENT),
                field("kernel", "6.12.38", AGENT),
                field("mac", "00:1b:21:3a:4f:5e", AGENT),
                field("manufacturer", "LENOVO", AGENT),
                field("memory", "16777216000", AGENT),
                field("model", "20L8S07A14", AGENT),
                field("model_name", "ThinkPad T480s", AGENT),
                field("os.pretty", "Debian GNU/Linux 13 (trixie)", AGENT),
                field("processor", "Intel Core i5-8350U", AGENT),
                field("serial", "PF1ABCDE", AGENT),
                field("warranty_end", "2027-04-30T00:00:00Z", "import:purchase"),
            ],
            flags: vec![Flag {
                code: "unknown".to_owned(),
                severity: Severity::Warning.into(),
                evidence: "no purchase record or approval vouches for it".to_owned(),
                since_time: at("2026-11-24T10:00:00Z"),
                ..Flag::default()
            }],
            agents: vec![AgentBinding {
                agent_id: "0b8d3a52-1111-4b0e-9a44-0d6f9e5f2c11".to_owned(),
                agent_version: "0.1.0".to_owned(),
                bound_time: at("2026-11-20T10:00:00Z"),
                last_report_time: at("2026-11-24T11:58:00Z"),
                current: true,
            }],
            seen_by: vec![Seen { source: "agent".to_owned(), last_time: at("2026-11-24T11:58:00Z") }],
            software_count: 512,
            first_seen_time: at("2026-11-20T10:00:00Z"),
            last_seen_time: at("2026-11-24T11:58:00Z"),
            connected: false,
            aliases: Vec::new(),
            identity_explanation: "system UUID and serial are those of this device".to_owned(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::output::testing::{check_csv, check_table, screen};

    fn sample() -> ListDevicesResponse {
        let purchased = Device {
            name: "devices/11111111-8a6e-4b0e-9a44-0d6f9e5f2c11".to_owned(),
            display_name: "=cmd|'/C calc'!A0".to_owned(),
            fields: vec![samples::field("serial", "PF2XYZ", "import:purchase")],
            ..Device::default()
        };
        ListDevicesResponse {
            devices: vec![samples::laptop(), purchased],
            next_page_token: "abc".to_owned(),
            total_size: 1204,
        }
    }

    #[test]
    fn a_list_fits_the_terminal() {
        check_table(
            &answer(&sample(), &screen()),
            "
NAME               SERIAL    OS                            SOFTWARE  FLAGS    SEEN
web-03             PF1ABCDE  Debian GNU/Linux 13 (trixie)       512  unknown  2 min ago
=cmd|'/C calc'!A0  PF2XYZ                                                     never

2 of 1,204 devices (--all shows every one, --page-token abc the next page)",
        );
    }

    #[test]
    fn csv_has_every_column_and_no_formula() {
        check_csv(
            &answer(&sample(), &screen()),
            &[
                "name,serial,model,os,software,flags,seen,id",
                "web-03,PF1ABCDE,LENOVO ThinkPad T480s,Debian GNU/Linux 13 (trixie),512,unknown,2026-11-24T11:58:00Z,6f1c0d52-8a6e-4b0e-9a44-0d6f9e5f2c11",
                "'=cmd|'/C calc'!A0,PF2XYZ,,,,,,11111111-8a6e-4b0e-9a44-0d6f9e5f2c11",
            ],
        );
    }

    #[test]
    fn an_empty_list_says_so() {
        check_table(&answer(&ListDevicesResponse::default(), &screen()), "no device matches");
    }

    #[test]
    fn the_maker_is_named_once() {
        let device = |maker, model| Device {
            fields: vec![samples::field("manufacturer", maker, "x"), samples::field("model", model, "x")],
            ..Device::default()
        };
        assert_eq!(model(&device("HP", "HP EliteBook 840")), "HP EliteBook 840");
        assert_eq!(model(&device("Dell Inc.", "Latitude 7490")), "Dell Inc. Latitude 7490");
    }
}
