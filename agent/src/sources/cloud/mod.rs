//! The cloud instance that this machine is, as its cloud's metadata service tells.
//!
//! Nobody is asked unless SMBIOS says whose machine this is, so that a machine elsewhere sends nothing. What is asked
//! of each cloud, and how answers are read, stands in [`provider`]; secrets that these services hand out (roles' keys,
//! user data, start-up scripts) are never asked for. It is asked at each boot, after a failure again, and once a day
//! with everything else: tags, which change without a boot, are a day old at most.

mod provider;

use muster_common::inventory::{CloudInstance, Item, ItemKind, SectionName};

use crate::{
    host::{Host, HostError, MetadataRequest},
    sources::{
        Source, Stamp,
        part::{Problems, SectionPart},
        read,
    },
};
use provider::Provider;

const DMI: &str = "sys/class/dmi/id";

/// Instance, account, region and tags.
#[derive(Debug)]
pub(crate) struct CloudSource;

impl Source for CloudSource {
    fn name(&self) -> &'static str {
        "cloud"
    }

    fn section(&self) -> SectionName {
        SectionName::known(SectionName::CLOUD)
    }

    fn reads(&self) -> &'static [&'static str] {
        &["sys/class/dmi/id/{sys_vendor,product_name,bios_version,chassis_asset_tag,board_asset_tag}"]
    }

    fn stamp(&self) -> Stamp {
        Stamp::Boot
    }

    fn collect(&self, host: &dyn Host) -> SectionPart {
        let mut problems = Problems::default();
        let mut dmi = |name: &str| read::value(host, &format!("{DMI}/{name}"), &mut problems);
        let Some(vendor) = dmi("sys_vendor") else {
            return SectionPart { items: Vec::new(), problems };
        };
        let Some(provider) = Provider::of(&vendor, &mut dmi) else {
            return SectionPart { items: Vec::new(), problems };
        };
        let mut instance = CloudInstance { provider: provider.name().to_owned(), ..CloudInstance::default() };
        if provider == Provider::Aws {
            // Nitro shows the id here too, so that a recording and a machine without the service have it.
            instance.instance_id = dmi("board_asset_tag").filter(|tag| tag.starts_with("i-"));
        }
        let ask = |request: &MetadataRequest<'_>| host.metadata_service(request);
        match provider.ask(&ask, &mut instance) {
            // Tags and other things that an instance need not have are told by leaving them out.
            Ok(()) | Err(HostError::NotRecorded { .. }) => {}
            Err(error) => problems.add_error(error),
        }
        instance.tags.sort();
        instance.tags.dedup();
        instance.tags.truncate(provider::TAGS_LIMIT);
        SectionPart { items: vec![Item::new(ItemKind::CloudInstance(instance))], problems }
    }
}

#[cfg(test)]
mod tests {
    use std::{
        io::{Read, Write},
        net::{SocketAddr, TcpListener, TcpStream},
        sync::{
            Arc, Mutex,
            atomic::{AtomicUsize, Ordering},
        },
        thread,
        time::{Duration, Instant},
    };

    use muster_common::{inventory::ErrorKind, time::EndpointTime};

    use super::*;
    use crate::{
        collect::{Limits, Rescan},
        host::{Content, Listing, LiveFacts, Metadata, MetadataService, RandomRead, RecordedHost},
        permissions::Permissions,
        sources::testing::recorded,
    };

    const AWS: &[(&str, &str)] =
        &[("sys/class/dmi/id/sys_vendor", "Amazon EC2\n"), ("sys/class/dmi/id/board_asset_tag", "i-0abc\n")];
    const AZURE: &[(&str, &str)] = &[
        ("sys/class/dmi/id/sys_vendor", "Microsoft Corporation\n"),
        ("sys/class/dmi/id/chassis_asset_tag", "7783-7084-3265-9085-8269-3286-77\n"),
    ];
    const GOOGLE: &[(&str, &str)] = &[
        ("sys/class/dmi/id/sys_vendor", "Google\n"),
        ("sys/class/dmi/id/product_name", "Google Compute Engine\n"),
    ];

    /// A recorded machine with a service that is really asked.
    #[derive(Debug)]
    struct WithService(RecordedHost, MetadataService);

    impl Host for WithService {
        fn prefix(&self, path: &str, limit: usize) -> Result<Content, HostError> {
            self.0.prefix(path, limit)
        }

        fn list(&self, path: &str, limit: usize) -> Result<Listing, HostError> {
            self.0.list(path, limit)
        }

        fn link(&self, path: &str) -> Result<String, HostError> {
            self.0.link(path)
        }

        fn metadata(&self, path: &str) -> Result<Metadata, HostError> {
            self.0.metadata(path)
        }

        fn random(&self, path: &str) -> Result<Box<dyn RandomRead>, HostError> {
            self.0.random(path)
        }

        fn live(&self) -> Option<&LiveFacts> {
            None
        }

        fn metadata_service(&self, request: &MetadataRequest<'_>) -> Result<Vec<u8>, HostError> {
            self.1.ask(request)
        }
    }

    type Heads = Arc<Mutex<Vec<String>>>;

    /// A server whose every connection goes to `serve` with the head of its request.
    fn server(serve: impl Fn(&str, TcpStream) + Send + 'static) -> (SocketAddr, Heads) {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let (address, heads) = (listener.local_addr().unwrap(), Heads::default());
        let seen = heads.clone();
        thread::spawn(move || {
            for stream in listener.incoming() {
                let mut stream = stream.unwrap();
                let mut head = Vec::new();
                while !head.ends_with(b"\r\n\r\n") {
                    let mut byte = [0];
                    if stream.read(&mut byte).unwrap() == 0 {
                        break;
                    }
                    head.push(byte[0]);
                }
                let head = String::from_utf8(head).unwrap();
                seen.lock().unwrap().push(head.clone());
                serve(&head, stream);
            }
        });
        (address, heads)
    }

    fn reply(mut stream: TcpStream, body: Option<&str>) {
        let (status, body) = body.map_or(("404 Not Found", "no"), |body| ("200 OK", body));
        write!(stream, "HTTP/1.1 {status}\r\nContent-Length: {}\r\n\r\n{body}", body.len()).unwrap();
    }

    fn collected(dmi: &[(&str, &str)], address: SocketAddr) -> (Vec<CloudInstance>, Problems) {
        let (_folder, host) = recorded(dmi);
        let host = WithService(host, MetadataService::new(address));
        let SectionPart { items, problems } = CloudSource.collect(&host);
        let instance = |item: Item| match item.kind {
            ItemKind::CloudInstance(instance) => instance,
            other => panic!("{other:?}"),
        };
        (items.into_iter().map(instance).collect(), problems)
    }

    fn text(text: &str) -> Option<String> {
        Some(text.to_owned())
    }

    #[test]
    fn amazon_is_asked_with_a_token() {
        let (address, heads) = server(|head, stream| {
            let path = head.split(' ').nth(1).unwrap();
            let authorized = head.contains("X-aws-ec2-metadata-token: secret==\r\n");
            let body = match path {
                "/latest/api/token" if head.starts_with("PUT ") => Some("secret=="),
                "/latest/dynamic/instance-identity/document" if authorized => Some(
                    r#"{"accountId":"123456789012","availabilityZone":"eu-west-1b","imageId":"ami-1",
                        "instanceId":"i-0def","instanceType":"m5.large","region":"eu-west-1","version":"2017"}"#,
                ),
                "/latest/meta-data/tags/instance" if authorized => Some("Name\nteam\nbad key\n../../x"),
                "/latest/meta-data/tags/instance/Name" if authorized => Some("web 1"),
                "/latest/meta-data/tags/instance/team" if authorized => Some("shop"),
                _ => None,
            };
            reply(stream, body);
        });
        let (instances, problems) = collected(AWS, address);
        assert!(problems.is_empty(), "{problems:?}");
        let expected = CloudInstance {
            provider: "aws".to_owned(),
            instance_id: text("i-0def"),
            account: text("123456789012"),
            region: text("eu-west-1"),
            zone: text("eu-west-1b"),
            instance_type: text("m5.large"),
            image: text("ami-1"),
            name: text("web 1"),
            tags: vec!["Name=web 1".to_owned(), "team=shop".to_owned()],
        };
        assert_eq!(instances, [expected]);
        let heads = heads.lock().unwrap();
        assert!(heads[0].contains("X-aws-ec2-metadata-token-ttl-seconds: 60\r\n"), "{}", heads[0]);
        assert_eq!(heads.len(), 5, "{heads:?}");
    }

    #[test]
    fn azure_is_asked_with_its_header() {
        let (address, _) = server(|head, stream| {
            let asked = head.starts_with("GET /metadata/instance/compute?api-version=2021-02-01")
                && head.contains("\r\nMetadata: true\r\n");
            let body = r#"{"vmId":"02aab8a4","subscriptionId":"sub","location":"westeurope","zone":"2",
                "vmSize":"Standard_D2s_v3","name":"web1","osProfile":{"adminUsername":"ada"},
                "tagsList":[{"name":"team","value":"shop"},7],
                "storageProfile":{"imageReference":{"publisher":"Canonical","offer":"ubuntu","sku":"24_04",
                "version":"latest","id":""}}}"#;
            reply(stream, asked.then_some(body));
        });
        let (instances, problems) = collected(AZURE, address);
        assert!(problems.is_empty(), "{problems:?}");
        let expected = CloudInstance {
            provider: "azure".to_owned(),
            instance_id: text("02aab8a4"),
            account: text("sub"),
            region: text("westeurope"),
            zone: text("2"),
            instance_type: text("Standard_D2s_v3"),
            image: text("Canonical:ubuntu:24_04:latest"),
            name: text("web1"),
            tags: vec!["team=shop".to_owned()],
        };
        assert_eq!(instances, [expected]);
    }

    #[test]
    fn google_is_asked_with_its_header_and_never_for_attributes() {
        let (address, heads) = server(|head, stream| {
            let body = match head.split(' ').nth(1).unwrap().strip_prefix("/computeMetadata/v1/").unwrap() {
                _ if !head.contains("\r\nMetadata-Flavor: Google\r\n") => None,
                "instance/id" => Some("4242"),
                "instance/zone" => Some("projects/7/zones/europe-west1-b"),
                "instance/machine-type" => Some("projects/7/machineTypes/e2-small"),
                "instance/image" => Some("projects/debian-cloud/global/images/debian-13"),
                "instance/name" => Some("web1"),
                "instance/tags" => Some(r#"["http","db"]"#),
                "project/project-id" => Some("shop"),
                _ => None,
            };
            reply(stream, body);
        });
        let (instances, problems) = collected(GOOGLE, address);
        assert!(problems.is_empty(), "{problems:?}");
        let expected = CloudInstance {
            provider: "gcp".to_owned(),
            instance_id: text("4242"),
            account: text("shop"),
            region: text("europe-west1"),
            zone: text("europe-west1-b"),
            instance_type: text("e2-small"),
            image: text("projects/debian-cloud/global/images/debian-13"),
            name: text("web1"),
            tags: vec!["db=".to_owned(), "http=".to_owned()],
        };
        assert_eq!(instances, [expected]);
        assert!(!heads.lock().unwrap().iter().any(|head| head.contains("recursive")));
    }

    #[test]
    fn a_service_that_misbehaves_costs_a_second_and_a_problem() {
        let hangs = |_: &str, stream: TcpStream| std::mem::forget(stream);
        let garbage = |_: &str, mut stream: TcpStream| drop(stream.write_all(b"\0\x01{{{{\r\n\r\n"));
        let junk = |_: &str, stream: TcpStream| reply(stream, Some("[[[[\r\n\0"));
        let flood = |_: &str, mut stream: TcpStream| {
            let _ = stream.write_all(b"HTTP/1.1 200 OK\r\n\r\n");
            let _ = stream.write_all(&vec![b'x'; 10 << 20]);
        };
        let redirects = |_: &str, mut stream: TcpStream| {
            let _ = stream
                .write_all(b"HTTP/1.1 302 x\r\nLocation: http://127.0.0.1/\r\nContent-Length: 0\r\n\r\n");
        };
        let drips = |_: &str, mut stream: TcpStream| {
            // For as long as somebody listens.
            while stream.write_all(b"H").is_ok() {
                thread::yield_now();
            }
        };
        let refuses = |head: &str, mut stream: TcpStream| {
            if head.starts_with("PUT ") {
                return reply(stream, Some("token"));
            }
            let _ = stream.write_all(b"HTTP/1.1 401 Unauthorized\r\nContent-Length: 0\r\n\r\n");
        };
        let knows_nothing = |_: &str, stream: TcpStream| reply(stream, None);
        type Server = fn(&str, TcpStream);
        let servers: [(Server, &[ErrorKind]); 8] = [
            (hangs, &[ErrorKind::TimedOut]),
            (garbage, &[ErrorKind::Io]),
            (junk, &[ErrorKind::Io]),
            (flood, &[ErrorKind::TooLarge, ErrorKind::Io]),
            (redirects, &[ErrorKind::Io]),
            (drips, &[ErrorKind::TimedOut, ErrorKind::Io]),
            (refuses, &[ErrorKind::Io]),
            (knows_nothing, &[ErrorKind::NotAvailable]),
        ];
        for (serve, kinds) in servers {
            for dmi in [AWS, AZURE] {
                let (address, heads) = server(serve);
                let begun = Instant::now();
                let (instances, problems) = collected(dmi, address);
                assert!(begun.elapsed() < Duration::from_secs(2), "{:?}", begun.elapsed());
                assert_eq!(instances[0].account, None);
                let entries = problems.into_entries();
                assert!(entries.len() == 1 && kinds.contains(&entries[0].kind), "{entries:?}");
                // Nobody is asked a second time, and nobody else: not where a redirect points.
                assert!(heads.lock().unwrap().len() <= 2, "{heads:?}");
            }
        }
    }

    #[test]
    fn a_failure_is_asked_about_again_and_an_answer_holds_until_the_next_boot() {
        let asked = AtomicUsize::new(0);
        let (address, _) = server(move |_, stream| {
            if asked.fetch_add(1, Ordering::Relaxed) > 0 {
                reply(stream, Some(r#"{"vmId":"02aab8a4"}"#));
            }
        });
        let boot = ("proc/sys/kernel/random/boot_id", "1");
        let (folder, _) = recorded(&[AZURE, &[boot]].concat());
        let mut rescan = Rescan::new(Limits::default(), Duration::from_secs(3600));
        let ran = [1, 2, 3].map(|at| {
            // For each collection a host of its own, as the service has it: with a second of its own.
            let host = WithService(RecordedHost::open(folder.path()).unwrap(), MetadataService::new(address));
            let now = EndpointTime::from_millis(at);
            rescan.collect(&host, &[&CloudSource], Permissions::default(), Vec::new(), now).costs[0].ran
        });
        assert_eq!(ran, [true, true, false]);
    }

    #[test]
    fn elsewhere_nobody_is_asked() {
        let (address, heads) = server(|_, stream| reply(stream, None));
        let hyper_v = [("sys/class/dmi/id/sys_vendor", "Microsoft Corporation"), AWS[1]];
        for dmi in [&[][..], &[("sys/class/dmi/id/sys_vendor", "Dell Inc.")], &hyper_v] {
            let (instances, problems) = collected(dmi, address);
            assert!(instances.is_empty() && problems.is_empty());
        }
        assert_eq!(heads.lock().unwrap().len(), 0);
    }

    #[test]
    fn a_recording_tells_what_its_tables_tell() {
        let (_folder, host) = recorded(AWS);
        let SectionPart { items, problems } = CloudSource.collect(&host);
        assert!(problems.is_empty());
        assert!(
            matches!(&items[0].kind, ItemKind::CloudInstance(found) if found.instance_id == text("i-0abc"))
        );
    }
}
