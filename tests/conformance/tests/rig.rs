//! The rig is honest: who does not sign in again is cut when the token expires. Without this every other
//! test about tokens would prove nothing.

use keyless_conformance::raw::Raw;
use keyless_conformance::{SOON, emulator};
use keyless_emulator::TokenOverrides;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

const LIFETIME: Duration = Duration::from_secs(3);

#[tokio::test]
async fn a_connection_that_does_not_sign_in_again_is_closed_when_its_token_expires() {
    let emulator = emulator(LIFETIME).await;
    let oid = emulator.service_principal().oid;
    let token = emulator.issue_token(&oid, LIFETIME, &TokenOverrides::default()).unwrap();
    let mut raw = Raw::connect(&emulator).await.unwrap();
    assert_eq!(raw.call(&["AUTH", &oid, &token.access_token]).await.unwrap(), "+OK");
    // Busy to the end: traffic alone keeps no connection.
    let (begun, mut commands) = (Instant::now(), 0);
    while raw.call(&["PING"]).await.is_ok() {
        commands += 1;
        assert!(begun.elapsed() < SOON, "the token has long expired");
    }
    raw.ended().await;
    let late = SystemTime::now().duration_since(UNIX_EPOCH + Duration::from_secs(token.expires_on)).unwrap();
    let stats = emulator.wait_until(|stats| stats.connections.open == 0, SOON).await.unwrap();
    println!("cut after {commands} commands, {:.0} ms after the expiry", late.as_secs_f64() * 1e3);
    assert_eq!(stats.connections.closed_at_expiry, 1);

    // The expired token opens no other connection, and the attempt is counted.
    let mut raw = Raw::connect(&emulator).await.unwrap();
    assert!(raw.call(&["AUTH", &oid, &token.access_token]).await.unwrap().starts_with("-WRONGPASS"));
    assert_eq!(emulator.stats().auth.expired_tokens_offered, 1);
}

#[tokio::test]
async fn a_connection_that_signs_in_again_by_hand_lives_on() {
    let emulator = emulator(LIFETIME).await;
    let oid = emulator.service_principal().oid;
    let issue = |lifetime| emulator.issue_token(&oid, lifetime, &TokenOverrides::default()).unwrap();
    let mut raw = Raw::connect(&emulator).await.unwrap();
    let first = issue(Duration::from_secs(1));
    assert_eq!(raw.call(&["AUTH", &oid, &first.access_token]).await.unwrap(), "+OK");
    assert_eq!(raw.call(&["AUTH", &oid, &issue(SOON).access_token]).await.unwrap(), "+OK");
    let expiry = UNIX_EPOCH + Duration::from_secs(first.expires_on);
    while SystemTime::now() < expiry + Duration::from_millis(500) {
        assert_eq!(raw.call(&["PING"]).await.unwrap(), "+PONG");
    }
    assert_eq!(emulator.stats().connections.closed_at_expiry, 0);
}
