//! Each fault does what it says, and stops doing it.

mod common;

use std::{io, time::Duration};

use common::{Redis, SOON, emulator, json, token, token_request, value};
use keyless_emulator::{Admission, Cut, Emulator, Freeze, TokenFault};
use serde_json::json;
use tokio::time::timeout;

const HOUR: Duration = Duration::from_hours(1);
const SHORT: Duration = Duration::from_millis(200);

async fn signed_in(emulator: &Emulator) -> io::Result<Redis> {
    let mut redis = Redis::connect(emulator).await?;
    assert_eq!(redis.call(&["AUTH", &emulator.access_key().expect("a key")]).await?, "+OK");
    Ok(redis)
}

#[tokio::test]
async fn token_requests_fail_as_asked() -> io::Result<()> {
    let emulator = emulator(HOUR).await;
    let faults = emulator.faults();
    faults.token(TokenFault::Status { status: 503 }, Some(2));
    assert_eq!(token_request(&emulator, &[]).await?.status(), 503);
    assert_eq!(token_request(&emulator, &[]).await?.status(), 503);
    assert_eq!(token_request(&emulator, &[]).await?.status(), 200);
    faults.token(TokenFault::TooManyRequests { retry_after: 7 }, Some(1));
    let response = token_request(&emulator, &[]).await?;
    assert_eq!((response.status().as_u16(), response.headers()["retry-after"].as_bytes()), (429, &b"7"[..]));
    faults.token(TokenFault::Malformed, Some(1));
    let response = token_request(&emulator, &[]).await?;
    assert_eq!(response.status(), 200);
    assert!(serde_json::from_slice::<serde_json::Value>(response.body()).is_err());
    faults.token(TokenFault::NotAJwt, Some(1));
    assert!(!token(&emulator).await.contains('.'));
    for (fault, claim) in [(TokenFault::NoOid, "oid"), (TokenFault::WrongAudience, "aud")] {
        faults.token(fault, Some(1));
        let claims: serde_json::Value =
            jsonwebtoken::dangerous::insecure_decode_claims(token(&emulator).await).expect("a JWT");
        assert!(claims[claim].is_null() || claims[claim] == "https://management.azure.com");
    }
    faults.token(TokenFault::Slow { delay_ms: 50 }, Some(1));
    let start = std::time::Instant::now();
    assert_eq!(token_request(&emulator, &[]).await?.status(), 200);
    assert!(start.elapsed() >= Duration::from_millis(50));
    faults.token(TokenFault::Drop, Some(1));
    token_request(&emulator, &[]).await.expect_err("a dropped connection");
    faults.token(TokenFault::Hang, Some(1));
    timeout(SHORT, token_request(&emulator, &[])).await.expect_err("no answer");
    faults.token_for(Some("imds"), TokenFault::Drop, None);
    assert_eq!(token_request(&emulator, &[]).await?.status(), 200);
    faults.token(TokenFault::Refuse, None);
    token_request(&emulator, &[]).await.expect_err("nobody listens");
    faults.clear();
    // The port is taken again at once; the listener may need a moment.
    while token_request(&emulator, &[]).await.is_err() {
        tokio::task::yield_now().await;
    }
    assert_eq!(emulator.stats().tokens.by_grant["client_secret"].failed, 6);
    Ok(())
}

#[tokio::test]
async fn sign_ins_are_refused_as_often_as_asked() -> io::Result<()> {
    let emulator = emulator(HOUR).await;
    let oid = emulator.service_principal().oid;
    let token = token(&emulator).await;
    let mut redis = Redis::connect(&emulator).await?;
    emulator.faults().refuse_auth(Some(2));
    for expected in ["-WRONGPASS", "-WRONGPASS", "+OK"] {
        assert!(redis.call(&["AUTH", &oid, &token]).await?.starts_with(expected));
    }
    Ok(())
}

#[tokio::test]
async fn connections_are_closed_reset_and_turned_away() -> io::Result<()> {
    let emulator = emulator(HOUR).await;
    let mut redis = signed_in(&emulator).await?;
    emulator.faults().cut_connections(Cut::Close);
    assert_eq!(redis.ended().await.kind(), io::ErrorKind::UnexpectedEof);
    let mut redis = signed_in(&emulator).await?;
    emulator.faults().cut_connections(Cut::Reset);
    assert_eq!(redis.ended().await.kind(), io::ErrorKind::ConnectionReset);
    emulator.wait_until(|stats| stats.connections.closed_by_fault == 2, SOON).await.expect("two ends");
    for admission in [Admission::AcceptThenClose, Admission::Closed] {
        emulator.faults().admission(admission);
        assert!(Redis::connect(&emulator).await.is_err(), "{admission:?}");
    }
    emulator.faults().clear();
    while Redis::connect(&emulator).await.is_err() {
        tokio::task::yield_now().await;
    }
    Ok(())
}

#[tokio::test]
async fn bytes_stand_still_and_flow_again() -> io::Result<()> {
    let emulator = emulator(HOUR).await;
    let mut redis = signed_in(&emulator).await?;
    emulator.faults().freeze(Freeze::ToClient, None);
    redis.send(&["SET", "seen", "yes"]).await?;
    timeout(SHORT, redis.line()).await.expect_err("no answer");
    // The sign-in and this: it has gone to the server, and only its answer stands still.
    assert_eq!(emulator.stats().commands, 2);
    emulator.faults().freeze(Freeze::Both, Some(SHORT));
    assert_eq!(redis.line().await?, "+OK");
    emulator.pause_redis().expect("paused");
    redis.send(&["GET", "seen"]).await?;
    timeout(SHORT, redis.line()).await.expect_err("no answer");
    emulator.resume_redis().expect("resumed");
    assert_eq!((redis.line().await?, redis.line().await?), ("$3".into(), "yes".into()));
    Ok(())
}

#[tokio::test]
async fn the_server_dies_and_comes_back() -> io::Result<()> {
    let emulator = emulator(HOUR).await;
    let mut redis = signed_in(&emulator).await?;
    emulator.grant("00000000-0000-0000-0000-000000000001").expect("a grant");
    emulator.kill_redis().expect("killed");
    redis.ended().await;
    let stats = emulator.wait_until(|stats| stats.connections.open == 0, SOON).await.expect("the end");
    assert_eq!(stats.connections.closed_by_server, 1);
    assert!(Redis::connect(&emulator).await.is_err());
    emulator.restart_redis().expect("restarted");
    let mut redis = signed_in(&emulator).await?;
    assert_eq!(redis.call(&["PING"]).await?, "+PONG");
    assert_eq!(emulator.stats().redis_starts, 2);
    Ok(())
}

#[tokio::test]
async fn the_control_endpoint_does_the_same() -> io::Result<()> {
    let emulator = emulator(HOUR).await;
    let ok = async |method: &str, path: &str, body| {
        let response = json(&emulator, method, path, body).await;
        assert!(response.status().is_success(), "{path}: {response:?}");
        response
    };
    ok(
        "POST",
        "/faults",
        json!({"token": {"mode": "status", "status": 500, "count": 1}, "auth": {"count": 1}}),
    )
    .await;
    assert_eq!(token_request(&emulator, &[]).await?.status(), 500);
    ok("POST", "/faults", json!({"auth": null, "data": {"freeze": "both", "duration_ms": 10}})).await;
    let mut redis = signed_in(&emulator).await?;
    let oid = emulator.service_principal().oid;
    let issued = value(&ok("POST", "/tokens", json!({"oid": oid, "lifetime_seconds": 60})).await);
    assert_eq!(redis.call(&["AUTH", &oid, issued["access_token"].as_str().expect("a token")]).await?, "+OK");
    let stats = value(&ok("GET", "/wait?pointer=/auth/accepted&at_least=2", json!(null)).await);
    assert_eq!(stats["auth"]["records"][1]["uti"], issued["uti"]);
    ok("POST", "/faults", json!({"connections": "reset"})).await;
    redis.ended().await;
    ok("POST", "/redis", json!({"action": "restart"})).await;
    ok("POST", "/token-lifetime", json!({"seconds": 5})).await;
    ok("POST", "/grants", json!({"oid": "someone", "rules": "+get ~*"})).await;
    ok("DELETE", "/grants/someone", json!(null)).await;
    ok("POST", "/access-key", json!({"key": "another"})).await;
    assert_eq!(emulator.access_key().as_deref(), Some("another"));
    assert!(value(&ok("POST", "/gateways", json!({"certificate": "wrong_host"})).await)["port"].is_u64());
    ok("POST", "/reset", json!(null)).await;
    assert_eq!(value(&ok("GET", "/stats", json!(null)).await)["auth"]["accepted"], 0);
    assert_eq!(json(&emulator, "POST", "/tokens", json!({"oid": "nobody"})).await.status(), 404);
    let never = json(&emulator, "GET", "/wait?pointer=/commands&at_least=1&timeout_ms=10", json!(null)).await;
    assert_eq!(never.status(), 408);
    Ok(())
}
