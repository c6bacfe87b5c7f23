//! The shortest way through everything: sign in, write, read, close.

use keyless::Client;
use keyless::redis::cmd;
use keyless_conformance::{client_secret, emulator, options};
use std::time::Duration;

#[tokio::test]
async fn a_value_written_is_read() {
    let emulator = emulator(Duration::from_hours(1)).await;
    let client = Client::connect_as(&options(&emulator), client_secret(&emulator)).await.unwrap();
    let () = client.execute(cmd("SET").arg("key").arg("value")).await.unwrap();
    let value: String = client.execute(cmd("GET").arg("key")).await.unwrap();
    assert_eq!(value, "value");
    assert_eq!(emulator.stats().auth.accepted, 1);
    client.close().await;
}
