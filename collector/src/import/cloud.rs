//! What clouds list of their accounts: AWS (describe-instances, tag editor), Azure (`az vm list`, `az resource list`, the
//! portal's export), Google Cloud (`gcloud compute instances list`, asset search).
//!
//! A virtual machine whose instance id stands in the list is the device that its agent reports by the same id; anything
//! else is a cloud resource by its own name. Labels that name an owner, cost centre, environment or service fill those
//! fields, all of them stay as `tag`.

use std::collections::BTreeMap;

use muster_common::{
    asset::Category,
    device::{Field, Value},
    inventory::MacAddress,
    observation::{AssetRecord, PersonName, Record, RecordIdentifiers, RecordValue},
};
use serde::Deserialize;

use super::{
    ImportError, ImportedFile, MAX_ROWS, Placeholders, Row, RowRefused, cells,
    columns::plain,
    named::{NamedColumn, NamedList, column},
    options::Options,
    recognise::{Head, Score},
    staff::address,
    table::{TableRow, cut},
    text,
};

/// The most labels of one resource.
const MAX_TAGS: usize = 64;

const AZURE: &[NamedColumn] = &[
    column("id", &["id", "resourceid"]),
    column("instance", &["vmid"]),
    column("name", &["name"]),
    column("type", &["type", "resourcetype"]),
    column("region", &["location"]),
    column("account", &["subscription", "subscriptionid", "subscriptionname"]),
    column("group", &["resourcegroup"]),
    column("tags", &["tags"]),
];

const GOOGLE: &[NamedColumn] = &[
    column("id", &["selflink", "name"]),
    column("instance", &["id"]),
    column("name", &["displayname", "name"]),
    column("type", &["assettype", "kind"]),
    column("region", &["location", "zone"]),
    column("account", &["project"]),
    column("state", &["state", "status"]),
];

const AWS: &[NamedColumn] = &[
    column("id", &["arn", "resourcearn", "identifier", "resourceid"]),
    column("name", &["tagname", "name"]),
    column("service", &["service"]),
    column("type", &["resourcetype", "type"]),
    column("region", &["region"]),
    column("account", &["awsaccount", "accountid", "account", "owningaccountid", "owneraccountid"]),
];

/// What is known of a resource, whichever cloud it is in.
#[derive(Debug, Default)]
struct Resource {
    provider: &'static str,
    account: Option<String>,
    region: Option<String>,
    /// Its own name in the cloud, such as an ARN.
    id: String,
    /// Of a virtual machine.
    instance: Option<String>,
    name: Option<String>,
    kind: Option<String>,
    tags: BTreeMap<String, String>,
    macs: Vec<MacAddress>,
    terminated: bool,
}

/// Reads what AWS lists.
pub(super) fn read_aws(
    content: &[u8],
    options: &Options,
    _: &Placeholders,
) -> Result<ImportedFile, ImportError> {
    let decoded = text::decode(content, options)?;
    if !decoded.text.trim_start().starts_with('{') {
        return read_list(&decoded, options, AWS, &[&["id"]], |list, row| {
            let id = list.text(row, "id").ok_or("no ARN or identifier says which resource this is")?;
            let name = list.text(row, "name").filter(|name| name != "(not tagged)");
            let kind = [list.text(row, "service"), list.text(row, "type")];
            let kind = kind.into_iter().flatten().collect::<Vec<_>>().join(" ");
            let account = list.text(row, "account").or_else(|| id.split(':').nth(4).map(str::to_owned));
            let account = account.filter(|account| !account.is_empty());
            // An instance is told within its account alone.
            let instance = id.rsplit('/').next().filter(|last| last.starts_with("i-") && account.is_some());
            Ok(Resource {
                provider: "aws",
                region: list.text(row, "region"),
                instance: instance.map(str::to_owned),
                name,
                kind: (!kind.is_empty()).then_some(kind),
                tags: labels(list, row, &["tag:", "tag.", "tags."]),
                account,
                id,
                ..Resource::default()
            })
        });
    }
    let described: Described = serde_json::from_str(&decoded.text).map_err(|error| ImportError::NotJson {
        line: error.line(),
        what: error.to_string().chars().take(120).collect(),
    })?;
    let mut rows = Vec::new();
    for Reservation { owner, instances } in described.reservations {
        for instance in instances {
            if rows.len() >= MAX_ROWS {
                return Err(ImportError::TooManyRows);
            }
            let number = u32::try_from(rows.len() + 1).unwrap_or(u32::MAX);
            let original = format!("{} {}", instance.id, instance.kind.as_deref().unwrap_or_default());
            let outcome = record(of_instance(owner.clone(), instance));
            rows.push(Row {
                number,
                outcome: outcome.map(Record::Asset).map_err(RowRefused::new),
                original: cut(&original).to_owned(),
            });
        }
    }
    let mut remarks = decoded.remarks;
    remarks.push(format!("instances of describe-instances: {}; rows are counted as those", rows.len()));
    Ok(ImportedFile { remarks, rows })
}

/// Reads what Azure lists.
pub(super) fn read_azure(
    content: &[u8],
    options: &Options,
    _: &Placeholders,
) -> Result<ImportedFile, ImportError> {
    let decoded = text::decode(content, options)?;
    read_list(&decoded, options, AZURE, &[&["id", "name"], &["region"]], |list, row| {
        let id = list.text(row, "id");
        // /subscriptions/ID/resourceGroups/…
        let subscription = id.as_deref().and_then(|id| {
            let mut parts = id.split('/').skip_while(|part| !part.eq_ignore_ascii_case("subscriptions"));
            parts.nth(1).map(str::to_lowercase)
        });
        let account = subscription.or_else(|| list.text(row, "account"));
        let name = list.text(row, "name");
        let group = list.text(row, "group").unwrap_or_default();
        let own = id.or_else(|| {
            // The portal's export has no id: group, type and name tell one resource within its subscription.
            let kind = list.text(row, "type").unwrap_or_default();
            name.as_ref().map(|name| format!("{group}/{kind}/{name}"))
        });
        let mut tags = labels(list, row, &["tags."]);
        for pair in list.text(row, "tags").unwrap_or_default().split([',', ';']).take(MAX_TAGS) {
            if let Some((name, value)) = pair.split_once([':', '=']) {
                tags.insert(name.trim().to_owned(), value.trim().to_owned());
            }
        }
        Ok(Resource {
            provider: "azure",
            region: list.text(row, "region"),
            id: own.ok_or("neither an id nor a name says which resource this is")?,
            instance: list.text(row, "instance").filter(|_| account.is_some()),
            account,
            name,
            kind: list.text(row, "type"),
            tags,
            ..Resource::default()
        })
    })
}

/// Reads what Google Cloud lists.
pub(super) fn read_google(
    content: &[u8],
    options: &Options,
    _: &Placeholders,
) -> Result<ImportedFile, ImportError> {
    let decoded = text::decode(content, options)?;
    read_list(&decoded, options, GOOGLE, &[&["id"]], |list, row| {
        let id = list.text(row, "id").ok_or("no name says which resource this is")?;
        // https://…/projects/shop/zones/europe-west1-b/instances/web-1 and //compute.googleapis.com/projects/shop/…
        let after = |word: &str| id.split('/').skip_while(|part| *part != word).nth(1).map(str::to_owned);
        let account = after("projects").or_else(|| list.text(row, "account"));
        let last = |text: String| text.rsplit('/').next().unwrap_or_default().to_owned();
        let is_machine = id.contains("/instances/") && id.contains("compute");
        let instance = list.text(row, "instance").filter(|id| id.bytes().all(|byte| byte.is_ascii_digit()));
        Ok(Resource {
            provider: "gcp",
            region: list.text(row, "region").map(last),
            instance: instance.filter(|_| is_machine && account.is_some()),
            account,
            name: list.text(row, "name").map(last),
            kind: list.text(row, "type"),
            tags: labels(list, row, &["labels."]),
            terminated: list.text(row, "state").is_some_and(|state| state.eq_ignore_ascii_case("terminated")),
            id,
            ..Resource::default()
        })
    })
}

/// How much a file looks like AWS's.
pub(super) fn recognises_aws(head: &Head) -> Option<Score> {
    if head.text.contains("\"Reservations\"") && head.text.contains("\"Instances\"") {
        return Some(Score { points: 95, why: "it is AWS's describe-instances".to_owned() });
    }
    let tag_editor = head.line_with(&["identifier", "service", "type", "region"]);
    let explorer = head.line_with(&["arn", "resourcetype", "region"]);
    tag_editor
        .or(explorer)
        .map(|_| Score { points: 85, why: "it has the columns of AWS's tag editor".to_owned() })
}

/// How much a file looks like Azure's.
pub(super) fn recognises_azure(head: &Head) -> Option<Score> {
    if head.text.contains("/subscriptions/") && head.text.contains("/resourceGroups/") {
        return Some(Score { points: 90, why: "its ids begin with /subscriptions/".to_owned() });
    }
    head.line_with(&["name", "type", "resourcegroup", "location", "subscription"])
        .map(|_| Score { points: 85, why: "it has the columns of Azure's list of all resources".to_owned() })
}

/// How much a file looks like Google Cloud's.
pub(super) fn recognises_google(head: &Head) -> Option<Score> {
    (head.text.contains("googleapis.com/") && (head.text.contains("projects/")))
        .then(|| Score { points: 90, why: "its names lie below googleapis.com".to_owned() })
}

fn read_list(
    decoded: &text::Decoded<'_>,
    options: &Options,
    columns: &'static [NamedColumn],
    needs: &[&[&'static str]],
    resource: impl Fn(&NamedList<'_>, TableRow<'_, '_>) -> Result<Resource, String>,
) -> Result<ImportedFile, ImportError> {
    let mut list = NamedList::read(decoded, options, columns, needs)?;
    list.note_ignored(|heading| {
        let heading = heading.trim().to_lowercase();
        ["tag:", "tag.", "tags.", "labels."].iter().any(|start| heading.starts_with(start))
    });
    let mut rows = Vec::new();
    for row in list.rows() {
        let outcome = resource(&list, row).and_then(record);
        rows.push(Row {
            number: row.number,
            outcome: outcome.map(Record::Asset).map_err(RowRefused::new),
            original: row.original().to_owned(),
        });
    }
    Ok(ImportedFile { rows, remarks: list.remarks.clone() })
}

/// Labels that stand in columns of their own.
fn labels(list: &NamedList<'_>, row: TableRow<'_, '_>, starts: &[&str]) -> BTreeMap<String, String> {
    let mut labels = BTreeMap::new();
    for (place, heading) in list.headings().iter().enumerate() {
        let lower = heading.trim().to_lowercase();
        let Some(start) = starts.iter().find(|start| lower.starts_with(**start)) else { continue };
        let name = heading.trim().get(start.len()..).unwrap_or_default().trim();
        let value = cells::text(row.cell(place)).filter(|text| text != "(not tagged)");
        if let Some(value) = value.filter(|_| !name.is_empty() && labels.len() < MAX_TAGS) {
            labels.insert(name.to_owned(), value);
        }
    }
    labels
}

/// The field that a label of this name fills.
fn meaning(label: &str) -> Option<Field> {
    match plain(label).as_str() {
        "owner" | "owneremail" | "contact" | "responsible" => Some(Field::Owner),
        "costcenter" | "costcentre" | "kostenstelle" => Some(Field::CostCenter),
        "environment" | "env" | "stage" => Some(Field::Environment),
        "service" | "application" | "app" | "project" => Some(Field::Service),
        "department" | "team" => Some(Field::Department),
        "criticality" => Some(Field::Criticality),
        _ => None,
    }
}

fn record(resource: Resource) -> Result<AssetRecord, String> {
    let Resource { provider, account, region, id, instance, name, kind, tags, macs, terminated } = resource;
    let (mut fields, mut notes) = (BTreeMap::new(), Vec::new());
    let mut put = |field: Field, value: Option<String>| {
        fields.extend(value.map(|value| (field, RecordValue::Plain(Value::Text(value)))));
    };
    put(Field::CloudAccount, account.clone());
    put(Field::CloudRegion, region);
    put(Field::Title, name);
    put(Field::State, Some(if terminated { "terminated" } else { "running" }.to_owned()));
    let mut shown = Vec::new();
    let mut owner = None;
    for (label, value) in &tags {
        shown.push(format!("{label}={value}"));
        match meaning(label) {
            // Who it is may be written as a name or an address.
            Some(Field::Owner) if value.contains('@') => match address(value) {
                Ok(email) => owner = Some(PersonName { email: Some(email), display: None }),
                Err(why) => notes.push(why),
            },
            Some(Field::Owner) => owner = Some(PersonName { display: Some(value.clone()), email: None }),
            Some(field) => put(field, Some(value.clone())),
            None => {}
        }
    }
    if let Some(owner) = owner {
        fields.insert(Field::Owner, RecordValue::Person(owner));
    }
    if !shown.is_empty() {
        fields.insert(Field::Tags, RecordValue::Plain(Value::List(shown)));
    }
    let own = format!("{provider}/{}/{id}", account.as_deref().unwrap_or_default()).to_lowercase();
    let identity =
        instance.map(|id| format!("{provider}/{}/{id}", account.unwrap_or_default()).to_lowercase());
    let is_machine = identity.is_some();
    let kind = if is_machine { "virtual".to_owned() } else { kind.unwrap_or_else(|| "resource".to_owned()) };
    fields.insert(Field::Class, RecordValue::Plain(Value::Text(kind.to_lowercase())));
    Ok(AssetRecord {
        row_key: own.clone(),
        category: if is_machine { Category::Device } else { Category::CloudResource },
        of_person: None,
        identifiers: RecordIdentifiers {
            asset_key: (!is_machine).then_some(own),
            instance: identity,
            macs,
            ..RecordIdentifiers::default()
        },
        fields,
        // Whoever pays for the account has it; whether anybody answers for it, owner and tags must say.
        vouches: true,
        seen: None,
        notes,
    })
}

/// The answer of `aws ec2 describe-instances`.
#[derive(Debug, Deserialize)]
struct Described {
    #[serde(rename = "Reservations")]
    reservations: Vec<Reservation>,
}

#[derive(Debug, Deserialize)]
struct Reservation {
    #[serde(rename = "OwnerId")]
    owner: Option<String>,
    #[serde(rename = "Instances", default)]
    instances: Vec<Instance>,
}

#[derive(Debug, Deserialize)]
struct Instance {
    #[serde(rename = "InstanceId")]
    id: String,
    #[serde(rename = "InstanceType")]
    kind: Option<String>,
    #[serde(rename = "State")]
    state: Option<State>,
    #[serde(rename = "Placement")]
    placement: Option<Placement>,
    #[serde(rename = "Tags", default)]
    tags: Vec<Tag>,
    #[serde(rename = "NetworkInterfaces", default)]
    interfaces: Vec<Interface>,
}

#[derive(Debug, Deserialize)]
struct State {
    #[serde(rename = "Name")]
    name: Option<String>,
}

#[derive(Debug, Deserialize)]
struct Placement {
    #[serde(rename = "AvailabilityZone")]
    zone: Option<String>,
}

#[derive(Debug, Deserialize)]
struct Tag {
    #[serde(rename = "Key")]
    key: String,
    #[serde(rename = "Value", default)]
    value: String,
}

#[derive(Debug, Deserialize)]
struct Interface {
    #[serde(rename = "MacAddress")]
    mac: Option<String>,
}

fn of_instance(owner: Option<String>, instance: Instance) -> Resource {
    let Instance { id, kind: _, state, placement, tags, interfaces } = instance;
    let tags: BTreeMap<String, String> =
        tags.into_iter().take(MAX_TAGS).map(|Tag { key, value }| (key, value)).collect();
    let zone = placement.and_then(|placement| placement.zone);
    let mut macs: Vec<MacAddress> =
        interfaces.into_iter().take(16).filter_map(|interface| interface.mac?.parse().ok()).collect();
    macs.sort_unstable();
    macs.dedup();
    Resource {
        provider: "aws",
        // A zone is its region and a letter.
        region: zone.map(|zone| zone.trim_end_matches(|letter: char| letter.is_ascii_lowercase()).to_owned()),
        instance: owner.is_some().then(|| id.clone()),
        account: owner,
        name: tags.get("Name").cloned(),
        kind: Some("instance".to_owned()),
        terminated: state.and_then(|state| state.name).as_deref() == Some("terminated"),
        id,
        tags,
        macs,
    }
}
