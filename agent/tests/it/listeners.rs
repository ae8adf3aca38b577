//! Listening sockets of this machine with unit, program and package, over a socket and a control group of the test's.

use std::{
    fs,
    net::{TcpListener, UdpSocket},
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
};

use muster_agent::{collect::collect, host::LiveHost, sources::SOURCES};
use muster_common::inventory::{ItemKind, Listener, SectionName};

/// Where systemd's control groups would be, with one hierarchy and with two.
const ROOTS: [&str; 2] = ["/sys/fs/cgroup", "/sys/fs/cgroup/unified"];
const UNIT: &str = "muster-test-listener.service";

/// A unit's control group, made for the test and gone after it.
struct Group {
    folder: PathBuf,
    before: PathBuf,
    made_slice: bool,
}

impl Group {
    /// `None` where this process may not make one.
    fn make() -> Option<Self> {
        let root = ROOTS.into_iter().map(Path::new).find(|root| root.join("cgroup.procs").exists())?;
        let own = fs::read_to_string("/proc/self/cgroup").ok()?;
        let own = own.lines().find_map(|line| line.strip_prefix("0::/"))?.to_owned();
        let slice = root.join("system.slice");
        let made_slice = fs::create_dir(&slice).is_ok();
        let folder = slice.join(UNIT);
        fs::create_dir(&folder).ok()?;
        Some(Self { folder, before: root.join(own), made_slice })
    }

    fn enter(&self, process: u32) {
        fs::write(self.folder.join("cgroup.procs"), process.to_string()).unwrap();
    }

    fn leave(&self, process: u32) {
        fs::write(self.before.join("cgroup.procs"), process.to_string()).unwrap();
    }
}

impl Drop for Group {
    fn drop(&mut self) {
        let slice = self.folder.parent().filter(|_| self.made_slice);
        for folder in [Some(self.folder.as_path()), slice].into_iter().flatten() {
            fs::remove_dir(folder).unwrap();
        }
    }
}

/// A program that does nothing, ended with the test.
struct Running(Child);

impl Drop for Running {
    fn drop(&mut self) {
        self.0.kill().unwrap();
        self.0.wait().unwrap();
    }
}

fn listeners() -> Vec<Listener> {
    let host = LiveHost::open().unwrap();
    let sources: Vec<_> = SOURCES.iter().copied().filter(|source| source.name() == "listeners").collect();
    let inventory = collect(&host, &sources, None);
    let section = inventory.section(SectionName::LISTENERS).unwrap();
    assert_eq!(section.errors, []);
    let listeners = section.items.iter().map(|item| match &item.kind {
        ItemKind::Listener(listener) => listener.clone(),
        other => panic!("{other:?}"),
    });
    listeners.collect()
}

#[test]
fn a_socket_is_told_with_unit_program_and_package() {
    let Some(group) = Group::make() else {
        println!("skipped: this process may not make a control group");
        return;
    };
    let own = std::process::id();
    group.enter(own);
    let tcp = TcpListener::bind("127.0.0.1:0").unwrap();
    let udp = UdpSocket::bind("127.0.0.1:0").unwrap();
    group.leave(own);
    let outside = TcpListener::bind("127.0.0.1:0").unwrap();
    // The test's own program is in nobody's package, so another one stands for the server.
    let server = Running(Command::new("sleep").arg("600").stdin(Stdio::null()).spawn().unwrap());
    group.enter(server.0.id());

    let found = listeners();
    let one = |port: u16| found.iter().find(|listener| listener.port == u32::from(port)).unwrap();
    let served = one(tcp.local_addr().unwrap().port());
    println!("{served:?}");
    assert_eq!((served.service.as_deref(), served.program.as_deref()), (Some(UNIT), Some("sleep")));
    if Path::new("/var/lib/dpkg/info/coreutils.list").exists() {
        assert_eq!(served.package.as_deref(), Some("coreutils"));
    }
    let unserved = one(outside.local_addr().unwrap().port());
    assert_eq!((&unserved.service, &unserved.program, &unserved.package), (&None, &None, &None));
    let udp_port = udp.local_addr().unwrap().port();
    let udp =
        found.iter().find(|listener| listener.protocol == "udp" && listener.port == u32::from(udp_port));
    assert_eq!(udp.is_some(), udp_port < 32_768, "a chance port is an answer that somebody waits for");
    drop(server);
}
