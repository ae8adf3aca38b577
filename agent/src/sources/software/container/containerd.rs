//! Images in containerd's store, which Kubernetes, nerdctl and newer versions of Docker use.
//!
//! Knows the buckets of its metadata and, for the architecture, the content that an image points at. A database over
//! the bound is not read: it is a server's with thousands of images, and the memory is not worth it.

use muster_common::inventory::{ErrorKind, SectionName};
use serde::Deserialize;

use super::{
    CONFIGURATION_LIMIT, Configuration, IMAGES_LIMIT, Named, Reference,
    bolt::{BoltError, Bucket, Database, Entry},
    platform, rows, sha256,
};
use crate::{
    host::{Host, HostError},
    sources::{
        Source, Stamp,
        part::{Problems, SectionPart},
    },
};

const DATA: &str = "var/lib/containerd";
const METADATA: &str = "var/lib/containerd/io.containerd.metadata.v1.bolt/meta.db";
const BLOBS: &str = "var/lib/containerd/io.containerd.content.v1.content/blobs/sha256";
const METADATA_LIMIT: usize = 8 << 20;
/// Platforms of one image that are looked for.
const PLATFORMS_LIMIT: usize = 32;

/// containerd's images.
#[derive(Debug)]
pub(crate) struct ContainerdSource;

impl Source for ContainerdSource {
    fn name(&self) -> &'static str {
        "containerd"
    }

    fn section(&self) -> SectionName {
        SectionName::known(SectionName::SOFTWARE_CONTAINER)
    }

    fn reads(&self) -> &'static [&'static str] {
        &[METADATA, "var/lib/containerd/io.containerd.content.v1.content/blobs/sha256/*"]
    }

    fn stamp(&self) -> Stamp {
        Stamp::Touched
    }

    fn collect(&self, host: &dyn Host) -> SectionPart {
        let mut part = SectionPart::default();
        let bytes = match host.read(METADATA, METADATA_LIMIT) {
            Ok(bytes) => bytes,
            Err(error) if error.is_missing() => return part,
            Err(HostError::TooLarge { path, limit }) => {
                let message = format!("larger than {limit} bytes: containerd's images are not listed");
                part.problems.add(&path, ErrorKind::NotAvailable, message);
                return part;
            }
            Err(error) => {
                part.problems.add_error(error);
                return part;
            }
        };
        let mut images = match images(&bytes) {
            Ok(images) => images,
            Err(error) => {
                part.problems.add(METADATA, ErrorKind::Malformed, error.to_string());
                return part;
            }
        };
        if images.len() > IMAGES_LIMIT {
            part.problems.add(METADATA, ErrorKind::TooLarge, format!("more than {IMAGES_LIMIT} images"));
            images.truncate(IMAGES_LIMIT);
        }
        let names = images.into_iter().map(|(reference, target)| Named {
            architecture: architecture(host, &target, &mut part.problems),
            digest: sha256(&target).is_some().then(|| target.clone()),
            identity: target,
            reference,
        });
        let names = names.collect();
        part.items.extend(rows(names, DATA, ""));
        part
    }
}

/// The images of all namespaces with the digest that each points at.
pub(crate) fn images(bytes: &[u8]) -> Result<Vec<(Reference, String)>, BoltError> {
    let database = Database::open(bytes)?;
    let mut found = Vec::new();
    let Some(version) = database.bucket(database.root(), b"v1")? else { return Ok(found) };
    for (_, namespace) in database.entries(version)? {
        let Entry::Bucket(namespace) = namespace else { continue };
        let Some(images) = database.bucket(namespace, b"images")? else { continue };
        for (name, image) in database.entries(images)? {
            let Entry::Bucket(image) = image else { continue };
            let Some(reference) = std::str::from_utf8(name).ok().and_then(Reference::parse) else { continue };
            found.push((reference, target(&database, image)?.unwrap_or_default()));
            if found.len() > IMAGES_LIMIT {
                return Ok(found);
            }
        }
    }
    Ok(found)
}

fn target(database: &Database<'_>, image: Bucket<'_>) -> Result<Option<String>, BoltError> {
    let Some(target) = database.bucket(image, b"target")? else { return Ok(None) };
    let entries = database.entries(target)?;
    Ok(entries.into_iter().find_map(|(key, entry)| match entry {
        Entry::Value(value) if key == b"digest" => String::from_utf8(value.to_vec()).ok(),
        Entry::Value(_) | Entry::Bucket(_) => None,
    }))
}

/// An index of platforms or a single manifest, whichever a digest is of.
#[derive(Debug, Deserialize)]
struct Manifest {
    config: Option<Descriptor>,
    manifests: Option<Vec<Descriptor>>,
}

#[derive(Debug, Deserialize)]
struct Descriptor {
    digest: String,
    platform: Option<Platform>,
}

#[derive(Debug, Deserialize)]
struct Platform {
    architecture: Option<String>,
    variant: Option<String>,
}

/// The architecture of what was pulled of an image; empty where that is not to be found.
fn architecture(host: &dyn Host, digest: &str, problems: &mut Problems) -> String {
    let blob = |digest: &str| Some(format!("{BLOBS}/{}", sha256(digest)?));
    let mut read = |digest: &str| match host.read(&blob(digest)?, CONFIGURATION_LIMIT) {
        Ok(bytes) => Some(bytes),
        Err(error) if error.is_missing() => None,
        Err(error) => {
            problems.add_error(error);
            None
        }
    };
    let manifest = read(digest).and_then(|bytes| serde_json::from_slice::<Manifest>(&bytes).ok());
    match manifest {
        Some(Manifest { config: Some(config), .. }) => {
            read(&config.digest).map(|bytes| Configuration::architecture(&bytes)).unwrap_or_default()
        }
        // An index lists every platform; what was pulled is here.
        Some(Manifest { config: None, manifests: Some(manifests) }) => manifests
            .into_iter()
            .take(PLATFORMS_LIMIT)
            .filter(|one| blob(&one.digest).is_some_and(|path| host.metadata(&path).is_ok()))
            .filter_map(|one| one.platform)
            .map(|found| platform(found.architecture, found.variant))
            // Attestations stand as manifests of an unknown platform.
            .find(|architecture| !architecture.is_empty() && architecture != "unknown")
            .unwrap_or_default(),
        Some(Manifest { config: None, manifests: None }) | None => String::new(),
    }
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::{
        super::{
            bolt::tests::{Node, database},
            shown, subjects,
        },
        *,
    };
    use crate::sources::testing::recorded;

    fn image(digest: &'static str) -> Node {
        let target = Node::Inline(vec![("digest", Node::Value(digest)), ("mediatype", Node::Value("x"))]);
        Node::Inline(vec![("createdat", Node::Value("\u{1}")), ("target", target)])
    }

    /// What containerd finds with this database and these blobs.
    fn collected(metadata: &[u8], blobs: &[(&str, &str)]) -> SectionPart {
        let blobs: Vec<_> = blobs
            .iter()
            .map(|(digit, content)| (format!("{BLOBS}/{}", digit.repeat(64)), *content))
            .collect();
        let mut files: Vec<(&str, &str)> = blobs.iter().map(|(path, content)| (&**path, *content)).collect();
        files.push((METADATA, ""));
        let (folder, host) = recorded(&files);
        fs::write(folder.path().join(METADATA), metadata).unwrap();
        ContainerdSource.collect(&host)
    }

    #[test]
    fn images_of_all_namespaces() {
        const ONE: &str = "sha256:1111111111111111111111111111111111111111111111111111111111111111";
        const TWO: &str = "sha256:2222222222222222222222222222222222222222222222222222222222222222";
        let kubernetes = vec![
            ("registry.k8s.io/pause:3.9", image(ONE)),
            (
                "registry.k8s.io/pause@sha256:1111111111111111111111111111111111111111111111111111111111111111",
                image(ONE),
            ),
            ("sha256:e6f1816883972d4be47bd48879a08919b96afcd344132622e4d444987919323c", image(ONE)),
        ];
        let metadata = database(&[(
            "v1",
            Node::Tree(vec![
                (
                    "k8s.io",
                    Node::Inline(vec![
                        ("images", Node::Tree(kubernetes)),
                        ("leases", Node::Inline(Vec::new())),
                    ]),
                ),
                (
                    "moby",
                    Node::Inline(vec![(
                        "images",
                        Node::Inline(vec![
                            ("docker.io/library/nginx:1", image(TWO)),
                            ("odd:1", Node::Value("x")),
                        ]),
                    )]),
                ),
                ("empty", Node::Inline(Vec::new())),
                ("version", Node::Value("\u{3}")),
            ]),
        )]);
        let blobs = [
            (
                "1",
                r#"{"manifests":[{"digest":"sha256:4444","platform":{"architecture":"s390x"}},
                {"digest":"sha256:3333333333333333333333333333333333333333333333333333333333333333",
                 "platform":{"architecture":"arm64","variant":"v8","os":"linux"}}]}"#,
            ),
            ("3", "{}"),
            (
                "2",
                r#"{"config":{"digest":"sha256:5555555555555555555555555555555555555555555555555555555555555555"},"layers":[]}"#,
            ),
            ("5", r#"{"architecture":"amd64"}"#),
        ];
        let part = collected(&metadata, &blobs);
        assert_eq!(
            shown(&part),
            [
                format!(" /var/lib/containerd /nginx@1 amd64 {TWO}"),
                format!(" /var/lib/containerd registry.k8s.io/pause@3.9 arm64/v8 {ONE}"),
            ]
        );
        assert_eq!(subjects(part), [] as [&str; 0]);
    }

    #[test]
    fn what_cannot_be_read_is_said() {
        for metadata in [&b""[..], b"x", &[0; 9000]] {
            assert_eq!(subjects(collected(metadata, &[])), [METADATA]);
        }
        let part = collected(&vec![0; METADATA_LIMIT + 1], &[]);
        assert!(!part.problems.anything_missing());
        assert_eq!(subjects(part), [METADATA]);
        let part = collected(&database(&[("v0", Node::Value(""))]), &[]);
        assert!(part.items.is_empty() && part.problems.is_empty());
        let (_folder, host) = recorded(&[]);
        assert!(ContainerdSource.collect(&host).problems.is_empty());
    }
}
