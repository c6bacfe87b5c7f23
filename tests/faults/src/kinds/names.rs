//! The endpoint's name leads to another address from one moment to the next, as it does on Azure after scaling.
//!
//! The product asks the system's resolver, so it is the system's `hosts` file that changes: this program runs
//! itself once more in a mount namespace of its own, where `/etc/hosts` is a file of the test. Where the system
//! allows no such namespace, the row says so.

use crate::journal::Journal;
use crate::path::Path;
use crate::report::Row;
use crate::rig::Scale;
use keyless::Client;
use keyless_conformance::{client_secret, emulator, options_at};
use std::net::{IpAddr, Ipv4Addr};
use std::time::Duration;
use tokio::process::Command;

/// A name in the emulator's certificate that no resolver knows.
const NAME: &str = "cache.emulator.test";
/// What the child says before its row.
const MARK: &str = "row of the child:";
/// The child is given the file and told that it is one.
const FILE: &str = "KEYLESS_FAULTS_HOSTS";

fn hosts(address: Ipv4Addr) -> String {
    format!("127.0.0.1 localhost\n{address} {NAME}\n")
}

/// Runs the fault where names can be changed.
pub(super) async fn address_changed(_scale: Scale) -> Row {
    let file = tempfile::NamedTempFile::new().expect("a file");
    std::fs::write(file.path(), hosts(Ipv4Addr::LOCALHOST)).expect("a file");
    let namespace = |script: &str| {
        let mut command = Command::new("unshare");
        command.args(["--user", "--map-root-user", "--mount", "--", "sh", "-c", script]).arg(file.path());
        command.kill_on_drop(true);
        command
    };
    let possible = namespace("mount --bind \"$0\" /etc/hosts").output().await;
    if !possible.is_ok_and(|output| output.status.success()) {
        return Row::default().remark("not possible here: no mount namespaces for this user");
    }
    let program = std::env::current_exe().expect("this program");
    let mut child = namespace("mount --bind \"$0\" /etc/hosts && exec \"$1\"");
    let output = child.arg(program).env(FILE, file.path()).output().await.expect("a child");
    let said = String::from_utf8_lossy(&output.stdout);
    let line = said.lines().find_map(|line| line.strip_prefix(MARK));
    let line = line.unwrap_or_else(|| panic!("{said}\n{}", String::from_utf8_lossy(&output.stderr)));
    let figures: Vec<u64> = line.split_whitespace().map(|word| word.parse().expect("a number")).collect();
    let [injected, commands, unknown, lost, denied, twice, stall] = figures[..] else { panic!("{line}") };
    let stall = Duration::from_millis(stall);
    Row {
        injected,
        commands,
        unknown,
        lost,
        denied,
        twice,
        stall,
        remark: "by the system's hosts file".into(),
    }
}

/// Does the child's part, if this process is one.
pub async fn child(scale: Scale) -> bool {
    let Some(file) = std::env::var_os(FILE) else { return false };
    let row = in_namespace(scale, file.as_ref()).await;
    let Row { injected, commands, unknown, lost, denied, twice, stall, .. } = row;
    println!("{MARK} {injected} {commands} {unknown} {lost} {denied} {twice} {}", stall.as_millis());
    true
}

async fn in_namespace(scale: Scale, file: &std::path::Path) -> Row {
    let emulator = emulator(Duration::from_hours(1)).await;
    let at = |last| Ipv4Addr::new(127, 0, 0, last);
    let mut path = Path::open(IpAddr::V4(at(1)), None, emulator.port()).await.expect("a path");
    let port = path.port();
    let options = options_at(&emulator, &format!("{NAME}:{port}"));
    let options = options.with_command_timeout(Duration::from_secs(2));
    let client = Client::connect_as(&options, client_secret(&emulator)).await.expect("a client");
    let journal = Journal::start(&client, 9);
    let times = scale.times(4, 100);
    for time in 0..times {
        journal.progress(500).await;
        let next = at(if time % 2 == 0 { 2 } else { 1 });
        let moved = Path::open(IpAddr::V4(next), Some(port), emulator.port()).await.expect("a path");
        std::fs::write(file, hosts(next)).expect("the hosts file");
        // Nobody listens at the old address any more.
        path = moved;
        journal.progress(500).await;
        assert!(path.taken() > 0, "the new address is in use");
    }
    Row { injected: times, ..journal.audit(&emulator).await }
}
