//! Software identification tags (ISO/IEC 19770-2, SWID), which installers leave for auditors.
//!
//! Knows the places that the standard and its users name, and what of a tag says which product is installed. Tags of
//! patches and supplements describe no product of their own and installation media (`corpus`) are not installed, so
//! those are passed over. Knows nothing of signatures: a tag is a vendor's word.

use std::ops::ControlFlow;

use muster_common::inventory::{ErrorKind, Installation, Item, ItemKind, Package, SectionName};

use crate::{
    host::Host,
    sources::{
        Source, Stamp,
        part::{ITEMS_LIMIT, SectionPart},
        read, text,
        xml::{self, Step, XmlError},
    },
};

/// Folders of folders of tags, one a tag's creator; tags right in them count too.
const FOLDERS: &[&str] = &["usr/share/swidtag", "usr/lib/swidtag", "var/lib/swidtag", "etc/swid/swidtags.d"];
/// Products under /opt carry a folder `swidtag` of their own.
const OPT: &str = "opt";

/// Entries of one folder.
const FOLDER_LIMIT: usize = 2000;
/// A tag may list every file of a product; what is kept stands before that.
const TAG_LIMIT: usize = 1 << 20;

/// Tags.
#[derive(Debug)]
pub(crate) struct SwidSource;

impl Source for SwidSource {
    fn name(&self) -> &'static str {
        "swid"
    }

    fn section(&self) -> SectionName {
        SectionName::known(SectionName::SOFTWARE_SWID)
    }

    fn reads(&self) -> &'static [&'static str] {
        &[
            "usr/share/swidtag/*/*.swidtag",
            "usr/lib/swidtag/*/*.swidtag",
            "var/lib/swidtag/*/*.swidtag",
            "etc/swid/swidtags.d/*/*.swidtag",
            "opt/*/swidtag/*.swidtag",
            "opt/*/*/swidtag/*.swidtag",
        ]
    }

    fn stamp(&self) -> Stamp {
        Stamp::Touched
    }

    fn collect(&self, host: &dyn Host) -> SectionPart {
        let mut part = SectionPart::default();
        for folder in FOLDERS {
            folder_of_tags(host, folder, 1, &mut part);
        }
        let vendors = read::names(host, OPT, FOLDER_LIMIT, &mut part.problems).unwrap_or_default();
        for vendor in vendors {
            folder_of_tags(host, &format!("{OPT}/{vendor}/swidtag"), 1, &mut part);
            // `opt/VENDOR/PRODUCT/swidtag`; a vendor's folder that cannot be listed is other sources' to tell.
            let Ok(products) = host.list(&format!("{OPT}/{vendor}"), FOLDER_LIMIT) else { continue };
            for product in products.names.iter().filter(|product| *product != "swidtag") {
                folder_of_tags(host, &format!("{OPT}/{vendor}/{product}/swidtag"), 0, &mut part);
            }
        }
        part
    }
}

/// Reads the tags in a folder, and in the folders below it as deep as said.
fn folder_of_tags(host: &dyn Host, folder: &str, depth: u32, part: &mut SectionPart) {
    let Ok(listing) = host.list(folder, FOLDER_LIMIT) else { return };
    if listing.more {
        part.problems.add(folder, ErrorKind::TooLarge, format!("more than {FOLDER_LIMIT} entries"));
    }
    for name in listing.names {
        if part.items.len() >= ITEMS_LIMIT {
            return;
        }
        let path = format!("{folder}/{name}");
        if name.ends_with(".swidtag") {
            tag(host, &path, part);
        } else if depth > 0 {
            folder_of_tags(host, &path, depth - 1, part);
        }
    }
}

fn tag(host: &dyn Host, path: &str, part: &mut SectionPart) {
    let content = match host.prefix(path, TAG_LIMIT) {
        Ok(content) => content,
        Err(error) => return part.problems.add_error(error),
    };
    let (tag, result) = Tag::parse(&content.bytes);
    match (tag, result) {
        // The list of files after the product's own data does not matter.
        (Some(tag), result) => {
            if let (Err(error), false) = (result, content.more) {
                part.problems.add(path, ErrorKind::Malformed, error.to_string());
            }
            part.items.extend(tag.into_item(path));
        }
        (None, Err(error)) => part.problems.add(path, ErrorKind::Malformed, error.to_string()),
        (None, Ok(())) => {
            part.problems.add(path, ErrorKind::Malformed, "no SoftwareIdentity with a name and a tagId");
        }
    }
}

/// What a tag says of the product.
#[derive(Debug, PartialEq, Eq, Default)]
pub(crate) struct Tag {
    name: String,
    version: String,
    id: String,
    creator: Option<String>,
    tag_creator: Option<String>,
    /// Whether it describes an installed product itself.
    is_product: bool,
}

impl Tag {
    /// Reads a tag of the 2009 or the 2015 edition; an error says that the document ends early.
    pub(crate) fn parse(bytes: &[u8]) -> (Option<Self>, Result<(), XmlError>) {
        let mut tag = Self::default();
        let mut edition = None;
        // The elements that lead to the one being read, for the older edition, which has values as text.
        let mut path: Vec<String> = Vec::new();
        let result = xml::walk(bytes, |step| {
            match step {
                Step::Open(element) => {
                    let name = element.name();
                    match (path.len(), name) {
                        (0, "SoftwareIdentity") => {
                            edition = Some(2015);
                            tag.open(element);
                        }
                        (0, "software_identification_tag") => {
                            edition = Some(2009);
                            tag.is_product = true;
                        }
                        // No other root is a tag's.
                        (0, _) => return ControlFlow::Break(()),
                        (1, "Entity") if edition == Some(2015) => tag.entity(element),
                        _ => {}
                    }
                    path.push(name.to_owned());
                }
                Step::Text(text) if edition == Some(2009) => tag.text(&path, text),
                Step::Text(_) => {}
                Step::Close(_) => {
                    path.pop();
                }
            }
            ControlFlow::Continue(())
        });
        let usable = edition.is_some() && !tag.name.is_empty() && !tag.id.is_empty();
        (usable.then_some(tag), result)
    }

    fn open(&mut self, element: &xml::Element<'_>) {
        self.name = element.attribute("name").unwrap_or_default();
        self.version = element.attribute("version").unwrap_or_default();
        self.id = element.attribute("tagId").unwrap_or_default();
        let is = |name| element.attribute(name).is_some_and(|value| value == "true" || value == "1");
        self.is_product = !(is("patch") || is("corpus") || is("supplemental"));
    }

    fn entity(&mut self, element: &xml::Element<'_>) {
        let roles = element.attribute("role").unwrap_or_default();
        let name = element.attribute("name");
        let has = |wanted: &str| roles.split_ascii_whitespace().any(|role| role == wanted);
        if has("softwareCreator") {
            self.creator = self.creator.take().or_else(|| name.clone());
        }
        if has("tagCreator") {
            self.tag_creator = self.tag_creator.take().or(name);
        }
    }

    fn text(&mut self, path: &[String], value: &str) {
        let Some(value) = text::clean(value.as_bytes()) else { return };
        let path: Vec<&str> = path.iter().skip(1).map(String::as_str).collect();
        let place = match path[..] {
            ["product_title"] => &mut self.name,
            ["product_version", "name"] => &mut self.version,
            ["software_id", "unique_id"] => &mut self.id,
            ["software_creator", "name"] => self.creator.get_or_insert_default(),
            ["tag_creator", "name"] => self.tag_creator.get_or_insert_default(),
            _ => return,
        };
        if place.is_empty() {
            *place = value;
        }
    }

    /// purl's type `swid`: the creator is the namespace; the tag's id stands as the source's name, since a purl has
    /// it as a qualifier.
    fn into_item(self, path: &str) -> Option<Item> {
        let Self { name, version, id, creator, tag_creator, is_product } = self;
        if !is_product {
            return None;
        }
        let vendor = creator.or(tag_creator);
        let package = Package {
            purl_type: "swid".to_owned(),
            namespace: vendor.clone().unwrap_or_default(),
            name,
            version,
            vendor,
            source_name: Some(id),
            ..Package::default()
        };
        let installation = Installation { path: format!("/{path}"), ..Installation::default() };
        Some(Item { kind: ItemKind::Package(package), installation: Some(installation) })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sources::testing::recorded;

    fn tag_2015(attributes: &str, inside: &str) -> String {
        format!(
            "<?xml version='1.0' encoding='UTF-8'?>\n<SoftwareIdentity \
             xmlns='http://standards.iso.org/iso/19770/-2/2015/schema.xsd' name='Server &amp; Co' \
             tagId='example.com-server-1' version='1.0.0-rc1' {attributes}>{inside}</SoftwareIdentity>"
        )
    }

    fn check(document: &str, expected: Option<(&str, &str, &str, Option<&str>)>) {
        let (tag, _) = Tag::parse(document.as_bytes());
        let found = tag.and_then(|tag| tag.into_item("x")).map(|item| {
            let ItemKind::Package(package) = item.kind else { panic!("no package") };
            assert_eq!(package.purl_type, "swid");
            (package.name, package.version, package.source_name.unwrap(), package.vendor)
        });
        let found = found.as_ref().map(|(name, version, id, vendor)| {
            (name.as_str(), version.as_str(), id.as_str(), vendor.as_deref())
        });
        assert_eq!(found, expected, "{document}");
    }

    #[test]
    fn both_editions() {
        let product = |vendor| Some(("Server & Co", "1.0.0-rc1", "example.com-server-1", vendor));
        let entities = "<Entity name='Tagger' role='tagCreator'/><Entity name='Acme' regid='acme.example' \
            role='distributor softwareCreator'/><Payload><Entity name='No' role='softwareCreator'/></Payload>";
        check(&tag_2015("", entities), product(Some("Acme")));
        check(
            &tag_2015("patch='false'", "<Entity name='Tagger' role='tagCreator'/>"),
            product(Some("Tagger")),
        );
        check(&tag_2015("", ""), product(None));
        for passed_over in ["patch='true'", "corpus='true'", "supplemental='1'"] {
            check(&tag_2015(passed_over, entities), None);
        }
        let older = "<swid:software_identification_tag xmlns:swid='urn:x'>\
            <swid:entitlement_required_indicator>true</swid:entitlement_required_indicator>\
            <swid:product_title>Flash \u{1}Pro</swid:product_title>\
            <swid:product_version><swid:name>CS6</swid:name><swid:numeric><swid:major>12</swid:major></swid:numeric>\
            </swid:product_version><swid:software_creator><swid:name>Adobe</swid:name><swid:regid>r</swid:regid>\
            </swid:software_creator><swid:software_id><swid:unique_id>Flash-CS6</swid:unique_id></swid:software_id>\
            </swid:software_identification_tag>";
        check(older, Some(("Flash  Pro", "CS6", "Flash-CS6", Some("Adobe"))));
        for useless in
            ["", "<a/>", "<SoftwareIdentity name='x'/>", "<x><SoftwareIdentity name='x' tagId='y'/></x>"]
        {
            check(useless, None);
        }
    }

    #[test]
    fn places_and_problems() {
        let good = tag_2015("", "");
        let long = tag_2015("", &"<File name='x'/>".repeat(TAG_LIMIT / 16));
        let (_folder, host) = recorded(&[
            ("usr/share/swidtag/example.com/a.swidtag", &good),
            ("usr/share/swidtag/example.com/readme.txt", "no tag"),
            ("usr/share/swidtag/direct.swidtag", &good),
            ("usr/share/swidtag/example.com/deeper/still/b.swidtag", &good),
            ("opt/acme/swidtag/c.swidtag", &good),
            ("opt/acme/server/swidtag/d.swidtag", &long),
            ("opt/file", "not a folder"),
            ("var/lib/swidtag/x/bad.swidtag", "<SoftwareIdentity name='x'"),
            ("var/lib/swidtag/x/empty.swidtag", ""),
            ("var/lib/swidtag/x/cut.swidtag", good.strip_suffix("</SoftwareIdentity>").unwrap()),
        ]);
        let part = SwidSource.collect(&host);
        let mut paths: Vec<_> =
            part.items.iter().map(|item| item.installation.as_ref().unwrap().path.as_str()).collect();
        paths.sort_unstable();
        assert_eq!(
            paths,
            [
                "/opt/acme/server/swidtag/d.swidtag",
                "/opt/acme/swidtag/c.swidtag",
                "/usr/share/swidtag/direct.swidtag",
                "/usr/share/swidtag/example.com/a.swidtag",
                "/var/lib/swidtag/x/cut.swidtag",
            ]
        );
        let subjects: Vec<_> = part.problems.into_entries().into_iter().map(|entry| entry.subject).collect();
        assert_eq!(subjects, ["var/lib/swidtag/x/bad.swidtag", "var/lib/swidtag/x/empty.swidtag"]);
    }
}
