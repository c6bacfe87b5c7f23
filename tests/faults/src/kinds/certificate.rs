//! The server's certificate is replaced behind the same name and port.

use crate::journal::Journal;
use crate::path::Path;
use crate::report::Row;
use crate::rig::{Scale, soon};
use keyless::{Client, ErrorCode};
use keyless_conformance::{SOON, client_secret, emulator, eventually, options_at};
use keyless_emulator::{Emulator, GatewayCertificate};
use std::net::{IpAddr, Ipv4Addr};
use std::time::Duration;

/// An emulator behind a path of its own, and a client that knows the path only.
async fn behind_a_path() -> (Emulator, Path, Client) {
    let emulator = emulator(Duration::from_hours(1)).await;
    let path = Path::open(IpAddr::V4(Ipv4Addr::LOCALHOST), None, emulator.port()).await.expect("a path");
    let options = options_at(&emulator, &format!("localhost:{}", path.port()));
    let options = options.with_command_timeout(Duration::from_secs(2));
    let client = Client::connect_as(&options, client_secret(&emulator)).await.expect("a client");
    (emulator, path, client)
}

/// By another one of the same authority: nobody notices but for the new connection.
pub(super) async fn certificate_replaced(scale: Scale) -> Row {
    let (emulator, path, client) = behind_a_path().await;
    let journal = Journal::start(&client, 9);
    let times = scale.times(3, 100);
    for _ in 0..times {
        journal.progress(500).await;
        let renewed = tokio::task::block_in_place(|| emulator.open_gateway(GatewayCertificate::Right));
        let renewed = renewed.expect("a gateway");
        path.lead_to(renewed.trim_start_matches("localhost:").parse().expect("a port"));
        journal.progress(500).await;
    }
    Row { injected: times, ..journal.audit(&emulator).await }
}

/// By one of an authority that the client does not trust: a clear error, and it heals when the right one is back.
pub(super) async fn authority_replaced(scale: Scale) -> Row {
    let (emulator, path, client) = behind_a_path().await;
    let stranger = keyless_conformance::emulator(Duration::from_hours(1)).await;
    let journal = Journal::start(&client, 9);
    let times = scale.times(1, 20);
    let mut said = String::new();
    for _ in 0..times {
        journal.progress(500).await;
        path.lead_to(stranger.port());
        let told = || client.last_error().is_some_and(|error| error.code() == ErrorCode::TlsFailed);
        eventually("the certificate is refused", SOON, told).await;
        said = client.last_error().map(|error| error.message().to_owned()).unwrap_or_default();
        // Longer than a command waits.
        tokio::time::sleep(Duration::from_secs(3)).await;
        assert!(!client.is_ready());
        path.lead_to(emulator.port());
        soon("progress", journal.progress(500)).await;
    }
    assert!(said.contains("authority"), "{said}");
    assert_eq!(stranger.stats().connections.opened, 0, "nobody signed in there");
    Row { injected: times, ..journal.audit(&emulator).await }.remark("no sign-in reached the stranger")
}
