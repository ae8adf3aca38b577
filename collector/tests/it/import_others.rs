//! Lists that are no lists of devices, read from the samples: staff, seats, clouds, leases, scans.

use std::{fs, path::Path};

use muster_collector::{
    actions::import::Importer,
    import::{ImportedFile, Placeholders, options::Options, read, recognise},
};
use muster_common::observation::{AssetRecord, Record, RecordValue};

fn sample(name: &str) -> Vec<u8> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../deploy/examples/imports");
    fs::read(folder.join(name)).unwrap()
}

fn take(format: &str, content: &[u8]) -> ImportedFile {
    let placeholders = Placeholders {
        text: Importer::is_placeholder,
        uuid: Importer::is_placeholder_uuid,
        mac: Importer::is_placeholder_mac,
    };
    read(format, content, &Options::default(), &placeholders).unwrap().1
}

fn asset(record: &AssetRecord) -> String {
    let AssetRecord { row_key, category, of_person, identifiers, fields, vouches, .. } = record;
    let fields: Vec<String> = fields
        .iter()
        .map(|(field, value)| match value {
            RecordValue::Plain(value) => format!("{field}={value}"),
            RecordValue::Person(person) => format!("{field}=<{}>", person.key().unwrap_or_default()),
        })
        .collect();
    let whose = of_person.as_ref().and_then(|person| person.key()).unwrap_or_default();
    let instance = identifiers.instance.as_deref().unwrap_or_default();
    let trust = if *vouches { "vouches" } else { "sees" };
    format!("{category} {row_key} [{whose}{instance}] {trust} {}", fields.join(" "))
}

/// One line for each row: what it says, or why it is refused.
fn check(format: &str, name: &str, expected: &[&str]) {
    let content = sample(name);
    let best = recognise(&content).into_iter().next().unwrap();
    assert_eq!(best.format, format, "{name} is recognised: {}", best.why);
    let file = take(format, &content);
    let shown: Vec<String> = file
        .rows
        .iter()
        .map(|row| match &row.outcome {
            Err(refused) => format!("{} refused: {refused}", row.number),
            Ok(Record::Asset(record)) => format!("{} {}", row.number, asset(record)),
            Ok(Record::Sighting(seen)) => format!(
                "{} {} {} {} {}",
                row.number,
                seen.mac,
                seen.ip.map(|ip| ip.to_string()).unwrap_or_default(),
                seen.hostname.as_deref().unwrap_or("-"),
                seen.seen.map(|time| time.to_string()).unwrap_or_default()
            ),
            Ok(Record::Person(person)) => format!(
                "{} {} {} {} {} > {} until {}",
                row.number,
                person.employee_number.as_deref().unwrap_or("-"),
                person.name.key().unwrap_or_default(),
                person.department.as_deref().unwrap_or("-"),
                person.location.as_deref().unwrap_or("-"),
                person.manager.as_ref().and_then(|name| name.key()).unwrap_or_default(),
                person.ends.map(|time| time.to_string()).unwrap_or_default()
            ),
        })
        .collect();
    assert_eq!(shown, expected, "{name}: {:?}", file.remarks);
}

#[test]
fn a_staff_list_tells_who_works_here_and_who_left() {
    check(
        "hr-csv",
        "staff.csv",
        &[
            "2 1001 jana.koehler@example.org Vertrieb Hamburg > nadja.suess@example.org until ",
            "3 1002 mehmet.buelbuel@example.org Technik Hamburg > nadja.suess@example.org until ",
            "4 1003 lea.weiss@example.org Vertrieb Hamburg > jana.koehler@example.org until 2026-08-31T00:00:00Z",
            "5 1004 anke.osswald@example.org Verwaltung Hamburg > nadja.suess@example.org until ",
            "6 1005 chloe.lang@example.org Entwurf München > nadja.suess@example.org until ",
            "7 1006 nadja.suess@example.org Entwurf Hamburg >  until ",
            "8 refused: the status says that the person left and no last day says when: add it",
            "9 refused: \"ida.voss(at)example.org\" is not an e-mail address",
        ],
    );
}

#[test]
fn seats_are_one_for_each_product_and_person() {
    check(
        "seats-csv",
        "seats.csv",
        &[
            "2 seat microsoft 365 e3 [jana.koehler@example.org] sees last_sign_in=2026-11-20T00:00:00Z title=Microsoft 365 E3 state=deployed assigned_to=<jana.koehler@example.org>",
            "2 seat visio plan 2 [jana.koehler@example.org] sees last_sign_in=2026-11-20T00:00:00Z title=Visio Plan 2 state=deployed assigned_to=<jana.koehler@example.org>",
            "3 seat microsoft 365 e3 [mehmet.buelbuel@example.org] sees last_sign_in=2026-11-23T00:00:00Z title=Microsoft 365 E3 state=deployed assigned_to=<mehmet.buelbuel@example.org>",
            "4 seat microsoft 365 e3 [lea.weiss@example.org] sees last_sign_in=2026-08-30T00:00:00Z title=Microsoft 365 E3 state=deployed assigned_to=<lea.weiss@example.org>",
            "5 seat microsoft 365 e3 [anke.osswald@example.org] sees last_sign_in=2026-11-22T00:00:00Z title=Microsoft 365 E3 state=deployed assigned_to=<anke.osswald@example.org>",
            "6 seat microsoft 365 e3 [chloe.lang@example.org] sees last_sign_in=2026-11-23T00:00:00Z title=Microsoft 365 E3 state=deployed assigned_to=<chloe.lang@example.org>",
            "6 seat adobe creative cloud [chloe.lang@example.org] sees last_sign_in=2026-11-23T00:00:00Z title=Adobe Creative Cloud state=deployed assigned_to=<chloe.lang@example.org>",
            "7 seat microsoft 365 e3 [nadja.suess@example.org] sees last_sign_in=2026-02-11T00:00:00Z title=Microsoft 365 E3 state=deployed assigned_to=<nadja.suess@example.org>",
            "7 seat visio plan 2 [nadja.suess@example.org] sees last_sign_in=2026-02-11T00:00:00Z title=Visio Plan 2 state=deployed assigned_to=<nadja.suess@example.org>",
            "8 refused: no product says what this is a seat of",
        ],
    );
}

#[test]
fn cloud_machines_are_known_by_their_instances_and_the_rest_by_their_names() {
    check(
        "aws",
        "aws-instances.json",
        &[
            "1 device aws/123456789012/i-0a1b2c3d4e5f60001 [aws/123456789012/i-0a1b2c3d4e5f60001] vouches class=virtual cloud.account=123456789012 cloud.region=eu-central-1 title=shop-web-1 state=running owner=<mehmet.buelbuel@example.org> cost_center=4300 environment=production tag=CostCenter=4300, Name=shop-web-1, Owner=mehmet.buelbuel@example.org, env=production",
            "2 device aws/123456789012/i-0a1b2c3d4e5f60002 [aws/123456789012/i-0a1b2c3d4e5f60002] vouches class=virtual cloud.account=123456789012 cloud.region=eu-central-1 state=running",
        ],
    );
    check(
        "azure",
        "azure-resources.csv",
        &[
            "2 cloud-resource azure/nordlicht produktion/rg-daten/storage account/nordlichtdaten [] vouches class=storage account cloud.account=Nordlicht Produktion cloud.region=Germany West Central title=nordlichtdaten state=running owner=<anke.osswald@example.org> tag=Owner=anke.osswald@example.org",
            "3 cloud-resource azure/nordlicht produktion/rg-test/sql database/alt-test-db [] vouches class=sql database cloud.account=Nordlicht Produktion cloud.region=Germany West Central title=alt-test-db state=running",
        ],
    );
}

#[test]
fn leases_and_scans_are_sightings() {
    check(
        "isc-leases",
        "dhcpd.leases",
        &[
            "2 a4:bb:6d:00:10:01 10.20.0.21 NL-LT-001 2026-11-23T07:55:12Z",
            "9 3c:22:fb:00:10:17 10.20.0.22 NL-MB-017 2026-11-23T08:10:40Z",
            "16 00:1b:a9:5e:20:77 10.20.0.77 Drucker-Flur 2026-11-23T09:30:00Z",
            "23 da:a1:19:4c:2b:01 10.20.0.90 - 2026-11-23T10:00:00Z",
            "28 refused: the lease names no hardware address, so nothing tells whose it is",
        ],
    );
    check(
        "kea-leases",
        "kea-leases4.csv",
        &[
            "2 3c:22:fb:00:10:18 10.30.0.5 nl-mb-018 2026-11-23T08:00:00Z",
            "3 00:1b:a9:5e:20:78 10.30.0.6 - 2026-11-23T08:01:40Z",
        ],
    );
    check(
        "nmap-xml",
        "nmap.xml",
        &[
            "1 a4:bb:6d:00:10:01 10.20.0.21 nl-lt-001.nordlicht.example ",
            "2 00:1b:a9:5e:20:77 10.20.0.77 - ",
            "3 refused: nmap saw no hardware address (it sees those of its own network segment only, and as root)",
        ],
    );
}

#[test]
fn hostile_files_are_refused_or_read_and_nothing_more() {
    let formats = ["hr-csv", "seats-csv", "aws", "azure", "gcp", "isc-leases", "kea-leases", "nmap-xml"];
    let placeholders = Placeholders {
        text: Importer::is_placeholder,
        uuid: Importer::is_placeholder_uuid,
        mac: Importer::is_placeholder_mac,
    };
    let deep = format!("{}{}", "[".repeat(100_000), "]".repeat(100_000));
    let nested = "<host><host>".repeat(50_000);
    let open = format!("lease 1.2.3.4 {{ {}", "hardware ethernet x;\n".repeat(50_000));
    let mut texts: Vec<Vec<u8>> = [
        "",
        "{",
        "[",
        "<",
        "lease",
        "{}",
        "[{}]",
        "\u{0}",
        "<nmaprun>",
        "a,b\n\"",
        deep.as_str(),
        nested.as_str(),
        open.as_str(),
    ]
    .iter()
    .map(|text| text.as_bytes().to_vec())
    .collect();
    for name in ["staff.csv", "seats.csv", "aws-instances.json", "dhcpd.leases", "nmap.xml"] {
        let whole = sample(name);
        texts.extend((0..whole.len()).step_by(97).map(|end| whole[..end].to_vec()));
    }
    for text in &texts {
        for format in formats {
            // Refusing is an answer; what must not happen is a panic or a row that isn't in the file.
            if let Ok(file) = read(format, text, &Options::default(), &placeholders) {
                assert!(file.1.rows.len() <= text.len());
            }
        }
    }
}
