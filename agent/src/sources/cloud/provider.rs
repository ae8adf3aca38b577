//! The clouds that are known: how SMBIOS names them, what their services are asked and how answers are read.
//!
//! Knows nothing of sockets: whoever calls hands in a way to ask.

use muster_common::inventory::CloudInstance;
use serde::Deserialize;
use std::io;

use crate::{
    host::{HostError, MetadataRequest},
    sources::{json, json::Lenient, text},
};

/// The most tags of an instance.
pub(super) const TAGS_LIMIT: usize = 64;

/// What Azure writes into every chassis; Hyper-V elsewhere has the same maker and not this.
const AZURE_CHASSIS: &str = "7783-7084-3265-9085-8269-3286-77";

const AWS_DOCUMENT: &str = "/latest/dynamic/instance-identity/document";
const AWS_TAGS: &str = "/latest/meta-data/tags/instance";
const AZURE_COMPUTE: &str = "/metadata/instance/compute?api-version=2021-02-01&format=json";

/// Asks one question.
type Ask<'a> = &'a dyn Fn(&MetadataRequest<'_>) -> Result<Vec<u8>, HostError>;

/// A cloud.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Provider {
    Aws,
    Azure,
    Google,
}

impl Provider {
    /// Whose machine it is, by its maker and the other SMBIOS values, which are read when they matter.
    pub(super) fn of(vendor: &str, dmi: &mut dyn FnMut(&str) -> Option<String>) -> Option<Self> {
        let mut says = |name: &str, word: &str| dmi(name).is_some_and(|value| value.contains(word));
        match vendor {
            "Amazon EC2" => Some(Self::Aws),
            "Xen" if says("bios_version", "amazon") => Some(Self::Aws),
            "Microsoft Corporation" if says("chassis_asset_tag", AZURE_CHASSIS) => Some(Self::Azure),
            "Google" if says("product_name", "Google Compute Engine") => Some(Self::Google),
            _ => None,
        }
    }

    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Aws => "aws",
            Self::Azure => "azure",
            Self::Google => "gcp",
        }
    }

    /// Fills in what the service tells.
    pub(super) fn ask(self, ask: Ask<'_>, instance: &mut CloudInstance) -> Result<(), HostError> {
        match self {
            Self::Aws => aws(ask, instance),
            Self::Azure => {
                let header = ("Metadata", "true");
                let answer = ask(&MetadataRequest { put: false, path: AZURE_COMPUTE, header })?;
                azure_compute(&answer, instance).ok_or_else(|| unreadable(AZURE_COMPUTE))
            }
            Self::Google => google(ask, instance),
        }
    }
}

fn aws(ask: Ask<'_>, instance: &mut CloudInstance) -> Result<(), HostError> {
    let header = ("X-aws-ec2-metadata-token-ttl-seconds", "60");
    let token = ask(&MetadataRequest { put: true, path: "/latest/api/token", header })?;
    let token = String::from_utf8(token).map_err(|_| unreadable("/latest/api/token"))?;
    let get = |path: &str| {
        ask(&MetadataRequest { put: false, path, header: ("X-aws-ec2-metadata-token", token.trim()) })
    };
    aws_document(&get(AWS_DOCUMENT)?, instance).ok_or_else(|| unreadable(AWS_DOCUMENT))?;
    // Tags are only there where the instance's owner has allowed it.
    let Some(keys) = optional(get(AWS_TAGS))? else { return Ok(()) };
    for key in aws_tag_keys(&keys) {
        let value = optional(get(&format!("{AWS_TAGS}/{key}")))?.and_then(|value| text::clean(&value));
        if key == "Name" {
            instance.name.clone_from(&value);
        }
        instance.tags.push(format!("{key}={}", value.unwrap_or_default()));
    }
    Ok(())
}

fn google(ask: Ask<'_>, instance: &mut CloudInstance) -> Result<(), HostError> {
    let get = |name: &str| {
        let path = format!("/computeMetadata/v1/{name}");
        optional(ask(&MetadataRequest { put: false, path: &path, header: ("Metadata-Flavor", "Google") }))
    };
    let value = |name: &str| Ok(get(name)?.and_then(|answer| text::clean(&answer)));
    instance.instance_id = value("instance/id")?;
    instance.account = value("project/project-id")?;
    instance.zone = value("instance/zone")?.map(last);
    instance.region =
        instance.zone.as_deref().and_then(|zone| zone.rsplit_once('-')).map(|(region, _)| region.to_owned());
    instance.instance_type = value("instance/machine-type")?.map(last);
    instance.image = value("instance/image")?;
    instance.name = value("instance/name")?;
    // Network tags are bare names.
    let tags: Vec<Lenient<String>> =
        get("instance/tags")?.and_then(|answer| serde_json::from_slice(&answer).ok()).unwrap_or_default();
    let (tags, _) = json::sift(tags);
    instance.tags = tags.iter().filter_map(|tag| text::clean(tag.as_bytes())).map(|tag| tag + "=").collect();
    Ok(())
}

/// The last part of a resource's path.
fn last(path: String) -> String {
    path.rsplit_once('/').map_or(path.clone(), |(_, name)| name.to_owned())
}

/// What an instance need not have.
fn optional(answer: Result<Vec<u8>, HostError>) -> Result<Option<Vec<u8>>, HostError> {
    match answer {
        Ok(answer) => Ok(Some(answer)),
        Err(error) if error.is_missing() => Ok(None),
        Err(error) => Err(error),
    }
}

fn unreadable(path: &str) -> HostError {
    let source =
        io::Error::new(io::ErrorKind::InvalidData, "the answer does not have the form that was expected");
    HostError::Io { path: path.to_owned(), source }
}

fn value(value: Option<String>) -> Option<String> {
    text::clean(value?.as_bytes())
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct AwsDocument {
    instance_id: Option<String>,
    account_id: Option<String>,
    region: Option<String>,
    availability_zone: Option<String>,
    instance_type: Option<String>,
    image_id: Option<String>,
}

/// Reads the instance identity document; `None` when it is none.
pub(crate) fn aws_document(answer: &[u8], instance: &mut CloudInstance) -> Option<()> {
    let document: AwsDocument = serde_json::from_slice(answer).ok()?;
    instance.instance_id = value(document.instance_id);
    instance.account = value(document.account_id);
    instance.region = value(document.region);
    instance.zone = value(document.availability_zone);
    instance.instance_type = value(document.instance_type);
    instance.image = value(document.image_id);
    Some(())
}

/// The keys in the list of tags, which stand in a path when they are asked for: no others than AWS lets stand there.
pub(crate) fn aws_tag_keys(answer: &[u8]) -> Vec<&str> {
    let may_stand = |byte: u8| byte.is_ascii_alphanumeric() || b"+-=.,_:@".contains(&byte);
    let is_key = |key: &&str| {
        !key.is_empty() && key.len() <= 128 && !matches!(*key, "." | "..") && key.bytes().all(may_stand)
    };
    let lines = answer.split(|byte| *byte == b'\n');
    lines.filter_map(|line| std::str::from_utf8(line).ok()).filter(is_key).take(TAGS_LIMIT).collect()
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct AzureCompute {
    vm_id: Option<String>,
    subscription_id: Option<String>,
    location: Option<String>,
    zone: Option<String>,
    vm_size: Option<String>,
    name: Option<String>,
    #[serde(default)]
    tags_list: Vec<Lenient<AzureTag>>,
    #[serde(default)]
    storage_profile: AzureStorage,
}

#[derive(Debug, Deserialize)]
struct AzureTag {
    name: String,
    value: String,
}

#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct AzureStorage {
    image_reference: AzureImage,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct AzureImage {
    id: Option<String>,
    publisher: Option<String>,
    offer: Option<String>,
    sku: Option<String>,
    version: Option<String>,
}

/// Reads the description of a virtual machine; `None` when it is none.
pub(crate) fn azure_compute(answer: &[u8], instance: &mut CloudInstance) -> Option<()> {
    let compute: AzureCompute = serde_json::from_slice(answer).ok()?;
    instance.instance_id = value(compute.vm_id);
    instance.account = value(compute.subscription_id);
    instance.region = value(compute.location);
    instance.zone = value(compute.zone);
    instance.instance_type = value(compute.vm_size);
    instance.name = value(compute.name);
    let AzureImage { id, publisher, offer, sku, version } = compute.storage_profile.image_reference;
    let parts: Vec<String> = [publisher, offer, sku, version].into_iter().filter_map(value).collect();
    instance.image = value(id).or_else(|| (!parts.is_empty()).then(|| parts.join(":")));
    let (tags, _) = json::sift(compute.tags_list);
    let tag = |tag: &AzureTag| text::clean(format!("{}={}", tag.name, tag.value).as_bytes());
    instance.tags = tags.iter().filter_map(tag).collect();
    Some(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn makers_alone_do_not_make_a_cloud() {
        for (vendor, name, said, expected) in [
            ("Amazon EC2", "", "", Some(Provider::Aws)),
            ("Xen", "bios_version", "4.11.amazon", Some(Provider::Aws)),
            ("Xen", "bios_version", "4.11", None),
            ("Microsoft Corporation", "chassis_asset_tag", AZURE_CHASSIS, Some(Provider::Azure)),
            ("Microsoft Corporation", "chassis_asset_tag", "1234", None),
            ("Google", "product_name", "Google Compute Engine", Some(Provider::Google)),
            ("Google", "product_name", "Pixelbook", None),
            ("QEMU", "", "", None),
        ] {
            let mut dmi = |asked: &str| (asked == name).then(|| said.to_owned());
            assert_eq!(Provider::of(vendor, &mut dmi), expected, "{vendor} {said}");
        }
    }

    #[test]
    fn what_is_no_document_is_told() {
        for answer in ["", "[", "null", "[]x", "7", r#"{"vmId":7}"#, r#"{"instanceId":[]}"#] {
            let mut instance = CloudInstance::default();
            let both = (
                aws_document(answer.as_bytes(), &mut instance),
                azure_compute(answer.as_bytes(), &mut instance),
            );
            assert!(both.0.is_none() || both.1.is_none(), "{answer}");
            assert_eq!(instance.instance_id, None);
        }
        assert_eq!(aws_tag_keys(b"Name\n..\na/b\n\nk:1\r\nx"), ["Name", "x"]);
    }
}
