//! Images in the store that Podman, Buildah, Skopeo and CRI-O share.
//!
//! Knows the list that the store keeps for each driver, of the machine and of users who run without root.

use base64::{Engine, prelude::BASE64_STANDARD};
use muster_common::inventory::{ErrorKind, SectionName};
use serde::Deserialize;

use super::{CONFIGURATION_LIMIT, Configuration, IMAGES_LIMIT, Named, Reference, rows};
use crate::{
    host::Host,
    sources::{
        Personal, Source, Stamp, homes,
        json::{self, Lenient},
        part::SectionPart,
        read, text,
    },
};

const SYSTEM: &str = "var/lib/containers/storage";
/// Below a home.
const USER: &str = ".local/share/containers/storage";
const FOLDER_LIMIT: usize = 200;
/// Some kilobytes an image.
const LIST_LIMIT: usize = 4 << 20;

/// Images of the machine.
#[derive(Debug)]
pub(crate) struct PodmanSource;

/// Images of single users.
#[derive(Debug)]
pub(crate) struct PodmanUserSource;

impl Source for PodmanSource {
    fn name(&self) -> &'static str {
        "podman"
    }

    fn section(&self) -> SectionName {
        SectionName::known(SectionName::SOFTWARE_CONTAINER)
    }

    fn reads(&self) -> &'static [&'static str] {
        &["var/lib/containers/storage/*-images/images.json", "var/lib/containers/storage/*-images/*/=*"]
    }

    fn stamp(&self) -> Stamp {
        Stamp::Touched
    }

    fn collect(&self, host: &dyn Host) -> SectionPart {
        let mut part = SectionPart::default();
        of_store(host, SYSTEM, "", &mut part);
        part
    }
}

impl Source for PodmanUserSource {
    fn name(&self) -> &'static str {
        "podman-user"
    }

    fn section(&self) -> SectionName {
        SectionName::known(SectionName::SOFTWARE_CONTAINER)
    }

    fn reads(&self) -> &'static [&'static str] {
        &["HOME/.local/share/containers/storage/*-images/images.json"]
    }

    fn personal(&self) -> Option<Personal> {
        Some(Personal::PerUser)
    }

    fn stamp(&self) -> Stamp {
        Stamp::Touched
    }

    fn collect(&self, host: &dyn Host) -> SectionPart {
        let mut part = SectionPart::default();
        for home in homes::homes(host, &mut part.problems) {
            of_store(host, &format!("{}/{USER}", home.path), &home.user, &mut part);
        }
        part
    }
}

fn of_store(host: &dyn Host, store: &str, user: &str, part: &mut SectionPart) {
    let folders = read::names(host, store, FOLDER_LIMIT, &mut part.problems).unwrap_or_default();
    for folder in folders.iter().filter(|folder| folder.ends_with("-images")) {
        let place = format!("{store}/{folder}");
        let path = format!("{place}/images.json");
        let Some(bytes) = read::guessed(host, &path, LIST_LIMIT, &mut part.problems) else { continue };
        let (mut images, bad) = match images(&bytes) {
            Ok(found) => found,
            Err(error) => {
                let message = format!("is no list of images: {error}");
                part.problems.add(&path, ErrorKind::Malformed, message);
                continue;
            }
        };
        if bad > 0 {
            part.problems.add(&path, ErrorKind::Malformed, format!("{bad} entries are no images"));
        }
        if images.len() > IMAGES_LIMIT {
            part.problems.add(&path, ErrorKind::TooLarge, format!("more than {IMAGES_LIMIT} images"));
            images.truncate(IMAGES_LIMIT);
        }
        let named = images.into_iter().flat_map(|image| of_image(host, &place, image)).collect();
        part.items.extend(rows(named, store, user));
    }
}

#[derive(Debug, Deserialize)]
pub(crate) struct Image {
    id: String,
    digest: Option<String>,
    names: Option<Vec<String>>,
}

/// The images in a store's list, and how many entries are none.
pub(crate) fn images(bytes: &[u8]) -> Result<(Vec<Image>, usize), serde_json::Error> {
    // A store that never had an image may say `null`.
    let entries: Option<Vec<Lenient<Image>>> = serde_json::from_slice(bytes)?;
    Ok(json::sift(entries.unwrap_or_default()))
}

fn of_image(host: &dyn Host, place: &str, image: Image) -> Vec<Named> {
    let Image { id, digest, names } = image;
    let references: Vec<_> = names.into_iter().flatten().filter_map(|name| Reference::parse(&name)).collect();
    let is_id = id.len() == 64 && id.bytes().all(|byte| byte.is_ascii_hexdigit());
    let architecture = if references.is_empty() || !is_id {
        String::new()
    } else {
        // The store names a file by its key in base 64, since the key has a colon.
        let file = BASE64_STANDARD.encode(format!("sha256:{id}"));
        let bytes = host.read(&format!("{place}/{id}/={file}"), CONFIGURATION_LIMIT).ok();
        bytes.map(|bytes| Configuration::architecture(&bytes)).unwrap_or_default()
    };
    let digest = digest.and_then(|digest| text::clean(digest.as_bytes()));
    let named = references.into_iter().map(|reference| Named {
        reference,
        identity: id.clone(),
        digest: digest.clone(),
        architecture: architecture.clone(),
    });
    named.collect()
}

#[cfg(test)]
mod tests {
    use super::{
        super::{shown, subjects},
        *,
    };
    use crate::sources::testing::recorded;

    const LIST: &str = r#"[
        {"id":"ID","digest":"sha256:9e99","names":["docker.io/library/nginx:1.27.4","quay.io/a/b@sha256:9e99"],
         "names-history":["docker.io/library/nginx:1.26"],"layer":"x","metadata":"{}","created":"2025-10-11T16:37:29Z"},
        {"id":"dangling","digest":"sha256:1"},
        {"id":"../../../x","names":["evil:1"]},
        {"id":7}
    ]"#;

    #[test]
    fn of_the_machine_and_of_users() {
        let id = "9".repeat(64);
        let list = LIST.replace("ID", &id);
        let file = format!("=c2hhMjU2{}", &BASE64_STANDARD.encode(format!("sha256:{id}"))[8..]);
        let configuration = format!("var/lib/containers/storage/overlay-images/{id}/{file}");
        let (_folder, host) = recorded(&[
            ("etc/passwd", "anna:x:1000:1000::/home/anna:/bin/sh\n"),
            ("var/lib/containers/storage/overlay-images/images.json", &list),
            (&configuration, r#"{"architecture":"amd64"}"#),
            ("var/lib/containers/storage/overlay-layers/layers.json", "[]"),
            ("var/lib/containers/storage/vfs-images/images.json", "null"),
            (
                "home/anna/.local/share/containers/storage/overlay-images/images.json",
                "[{\"id\":\"x\",\"names\":[\"a:1\"]}]",
            ),
        ]);
        let part = PodmanSource.collect(&host);
        assert_eq!(
            shown(&part),
            [
                " /var/lib/containers/storage /evil@1  ",
                " /var/lib/containers/storage /nginx@1.27.4 amd64 sha256:9e99",
                " /var/lib/containers/storage quay.io/a/b@sha256:9e99 amd64 ",
            ]
        );
        assert_eq!(subjects(part), ["var/lib/containers/storage/overlay-images/images.json"]);
        let part = PodmanUserSource.collect(&host);
        assert_eq!(shown(&part), ["anna /home/anna/.local/share/containers/storage /a@1  "]);
    }

    #[test]
    fn bad_lists_are_named() {
        for content in ["", "{}", "[[[", "7"] {
            let path = "var/lib/containers/storage/overlay-images/images.json";
            let (_folder, host) = recorded(&[(path, content)]);
            assert_eq!(subjects(PodmanSource.collect(&host)), [path], "{content}");
        }
        let (_folder, host) = recorded(&[]);
        let part = PodmanSource.collect(&host);
        assert!(part.items.is_empty() && part.problems.is_empty());
    }
}
