//! `abort_on_connect_fail`: a first connection has `connect_retry` attempts, and `connect` tells how they ended.

use keyless::{Client, ErrorCode, Identity, Options};
use keyless_conformance::{client_secret, emulator, options};
use keyless_emulator::Admission;
use std::net::TcpListener;
use std::time::Duration;

#[tokio::test]
async fn connect_fails_after_its_attempts() {
    // Bound and closed again: nobody listens here now.
    let port = TcpListener::bind(("127.0.0.1", 0)).unwrap().local_addr().unwrap().port();
    let options = Options::parse(&format!("127.0.0.1:{port},ssl=false,abortConnect=true,connectRetry=3"))
        .unwrap()
        .with_reconnect_backoff_min(Duration::from_millis(5));
    let error = Client::connect_as(&options, Identity::AccessKey).await.unwrap_err();
    println!("{error}");
    assert_eq!(error.code(), ErrorCode::ConnectFailed);
}

#[tokio::test]
async fn connect_succeeds_within_its_attempts() {
    let emulator = emulator(Duration::from_hours(1)).await;
    emulator.faults().admission(Admission::AcceptThenClose);
    let options = options(&emulator)
        .with_abort_on_connect_fail(true)
        .with_connect_retry(1000)
        .with_reconnect_backoff_min(Duration::from_millis(5))
        .with_reconnect_backoff_max(Duration::from_millis(10));
    let identity = client_secret(&emulator);
    let connecting = tokio::spawn(async move { Client::connect_as(&options, identity).await });
    emulator.wait_until(|stats| stats.connections.turned_away >= 3, Duration::from_secs(30)).await.unwrap();
    emulator.faults().admission(Admission::Open);
    let client = connecting.await.unwrap().unwrap();
    assert!(client.is_ready());
}
