//! Tokens at the gateway: accepted, refused, expired, renewed.

mod common;

use std::{io, time::Duration};

use common::{Redis, SOON, emulator, encode, token};
use keyless_emulator::{EmulatorOptions, GatewayCertificate, Profile, Refusal, Stats, TokenOverrides};
use serde_json::json;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

const HOUR: Duration = Duration::from_hours(1);
const WRONGPASS: &str = "-WRONGPASS invalid username-password pair or user is disabled.";

#[tokio::test]
async fn a_token_is_issued_and_accepted() -> io::Result<()> {
    let emulator = emulator(HOUR).await;
    let oid = emulator.service_principal().oid;
    let mut redis = Redis::connect(&emulator).await?;
    assert!(redis.call(&["GET", "key"]).await?.starts_with("-NOAUTH"));
    assert_eq!(redis.call(&["AUTH", &oid, &token(&emulator).await]).await?, "+OK");
    assert_eq!(redis.call(&["ACL", "WHOAMI"]).await?, format!("${}", oid.len()));
    assert_eq!(redis.line().await?, oid);
    redis.send(&["HELLO", "3", "AUTH", &oid, &token(&emulator).await, "SETNAME", "test"]).await?;
    assert_eq!(redis.line().await?, "%7");
    let stats = emulator.stats();
    assert_eq!((stats.auth.accepted, stats.auth.accepted_by_oid[&oid]), (2, 2));
    assert_eq!(stats.tokens.by_grant["client_secret"].served, 2);
    let issued: Vec<_> = stats.tokens.requests.iter().map(|request| request.uti.clone()).collect();
    let used: Vec<_> = stats.auth.records.iter().map(|record| record.uti.clone()).collect();
    assert_eq!(issued, used);
    assert_ne!(issued[0], issued[1]);
    assert_eq!((stats.commands, stats.connections.open), (4, 1));
    drop(redis);
    emulator.wait_until(|stats| stats.connections.closed_by_client == 1, SOON).await.expect("the end");
    Ok(())
}

#[tokio::test]
async fn access_keys_work_and_can_be_disabled() -> io::Result<()> {
    let emulator = emulator(HOUR).await;
    let key = emulator.access_key().expect("a key");
    let mut redis = Redis::connect(&emulator).await?;
    assert_eq!(redis.call(&["AUTH", "wrong"]).await?, WRONGPASS);
    assert_eq!(redis.call(&["AUTH", &key]).await?, "+OK");
    assert_eq!(redis.call(&["AUTH", "default", &key]).await?, "+OK");
    emulator.set_access_key(None);
    assert_eq!(redis.call(&["AUTH", &key]).await?, WRONGPASS);
    assert_eq!(emulator.stats().auth.refused_by_reason[&Refusal::BadKey], 2);
    Ok(())
}

#[tokio::test]
async fn bad_tokens_are_refused_by_the_real_server_in_order() -> io::Result<()> {
    let emulator = emulator(HOUR).await;
    let oid = emulator.service_principal().oid;
    let issue = |lifetime, claims: serde_json::Value, foreign_key| {
        let claims = claims.as_object().cloned().unwrap_or_default();
        let overrides = TokenOverrides { claims, foreign_key };
        emulator.issue_token(&oid, lifetime, &overrides).expect("a token").access_token
    };
    let good = issue(HOUR, json!({}), false);
    let other = emulator.managed_identities()[0].oid.clone();
    let cases = [
        (Refusal::Expired, &oid, issue(Duration::ZERO, json!({"exp": 1_000_000_000}), false)),
        (Refusal::NotYetValid, &oid, issue(HOUR, json!({"nbf": 4_000_000_000_u64}), false)),
        (Refusal::BadSignature, &oid, issue(HOUR, json!({}), true)),
        (Refusal::WrongAudience, &oid, issue(HOUR, json!({"aud": "https://management.azure.com"}), false)),
        (Refusal::WrongUser, &other, good.clone()),
        (Refusal::WrongUser, &oid, issue(HOUR, json!({"oid": null}), false)),
    ];
    let mut redis = Redis::connect(&emulator).await?;
    for (reason, user, token) in &cases {
        // Between two other commands, in one piece: the answers keep their places.
        let batch = encode(&["PING"]) + &encode(&["AUTH", user, token]) + &encode(&["UNKNOWN"]);
        redis.stream.write_all(batch.as_bytes()).await?;
        assert!(redis.line().await?.starts_with("-NOAUTH"), "{reason:?}");
        assert_eq!(redis.line().await?, WRONGPASS, "{reason:?}");
        assert!(redis.line().await?.starts_with("-ERR unknown"), "{reason:?}");
        assert_eq!(emulator.stats().auth.records.last().expect("a record").reason, Some(*reason));
    }
    emulator.revoke(&oid);
    assert_eq!(redis.call(&["AUTH", &oid, &good]).await?, WRONGPASS);
    assert_eq!(emulator.stats().auth.refused_by_reason[&Refusal::NotGranted], 1);
    assert_eq!(emulator.stats().auth.expired_tokens_offered, 1);
    emulator.grant_with(&oid, "~* +get +auth").expect("a grant");
    assert_eq!(redis.call(&["AUTH", &oid, &good]).await?, "+OK");
    assert!(redis.call(&["SET", "a", "b"]).await?.starts_with("-NOPERM"));
    Ok(())
}

#[tokio::test]
async fn a_connection_ends_with_its_token_unless_it_signs_in_again() -> io::Result<()> {
    let emulator = emulator(Duration::from_secs(2)).await;
    let oid = emulator.service_principal().oid;
    let (mut left, mut renewed) = (Redis::connect(&emulator).await?, Redis::connect(&emulator).await?);
    let old = token(&emulator).await;
    assert_eq!(left.call(&["AUTH", &oid, &old]).await?, "+OK");
    assert_eq!(renewed.call(&["AUTH", &oid, &old]).await?, "+OK");
    emulator.set_token_lifetime(HOUR);
    assert_eq!(renewed.call(&["AUTH", &oid, &token(&emulator).await]).await?, "+OK");
    left.ended().await;
    let stats = emulator.wait_until(|stats| stats.connections.open == 1, SOON).await.expect("one left");
    assert_eq!(stats.connections.closed_at_expiry, 1);
    assert_eq!(renewed.call(&["PING"]).await?, "+PONG");
    let mut late = Redis::connect(&emulator).await?;
    assert_eq!(late.call(&["AUTH", &oid, &old]).await?, WRONGPASS);
    assert_eq!(emulator.stats().auth.expired_tokens_offered, 1);
    Ok(())
}

#[tokio::test]
async fn a_pipeline_passes_in_order_however_it_is_cut() -> io::Result<()> {
    const COMMANDS: usize = 10_000;
    let emulator = emulator(HOUR).await;
    let oid = emulator.service_principal().oid;
    let token = token(&emulator).await;
    let mut bytes = encode(&["AUTH", &oid, &token]);
    for number in 0..COMMANDS {
        bytes += &match number % 1000 {
            500 => encode(&["AUTH", &oid, &token]),
            _ => encode(&["ECHO", &number.to_string()]),
        };
    }
    let (mut reader, mut writer) = tokio::io::split(Redis::connect(&emulator).await?.stream);
    let writing = tokio::spawn(async move {
        let mut rest = bytes.as_bytes();
        while !rest.is_empty() {
            let (piece, later) = rest.split_at(fastrand::usize(1..2000).min(rest.len()));
            writer.write_all(piece).await.expect("written");
            writer.flush().await.expect("flushed");
            rest = later;
        }
        writer
    });
    let answer = |number: usize| match (number % 1000, number.to_string()) {
        (500, _) => "+OK\r\n".to_owned(),
        (_, text) => format!("${}\r\n{text}\r\n", text.len()),
    };
    let expected = "+OK\r\n".to_owned() + &(0..COMMANDS).map(answer).collect::<String>();
    let mut answers = vec![0; expected.len()];
    tokio::time::timeout(SOON, reader.read_exact(&mut answers)).await??;
    assert!(answers == expected.as_bytes());
    drop(writing.await);
    assert_eq!(emulator.stats().commands, COMMANDS as u64 + 1);
    assert_eq!(emulator.stats().auth.accepted, 11);
    Ok(())
}

#[tokio::test]
async fn the_certificate_can_be_for_another_host() {
    let emulator = emulator(HOUR).await;
    let endpoint = emulator.open_gateway(GatewayCertificate::WrongHost).expect("a gateway");
    let error = common::tls(&emulator, &endpoint).await.expect_err("a wrong name");
    assert!(error.to_string().contains("not valid for name"), "{error}");
    let right = endpoint.replace("localhost", "wrong.emulator.test");
    common::tls(&emulator, &right).await.expect("the name in the certificate");
}

#[tokio::test]
async fn the_default_profile_speaks_tls_1_3_with_aes_gcm_only() {
    use rustls::{CipherSuite, crypto::aws_lc_rs::default_provider, version::TLS12};
    let emulator = emulator(HOUR).await;
    let endpoint = emulator.endpoint();
    let old = common::tls_with(&emulator, &endpoint, default_provider(), &[&TLS12]).await;
    assert!(old.is_err());
    let mut provider = default_provider();
    provider.cipher_suites.retain(|suite| suite.suite() == CipherSuite::TLS13_CHACHA20_POLY1305_SHA256);
    let other = common::tls_with(&emulator, &endpoint, provider, rustls::ALL_VERSIONS).await;
    assert!(other.is_err());
    emulator.wait_until(|stats| stats.connections.turned_away == 2, SOON).await.expect("both counted");
}

#[tokio::test]
async fn the_plain_profile_judges_tokens_too() -> io::Result<()> {
    let options = EmulatorOptions { profile: Profile::Plain, ..EmulatorOptions::default() };
    let emulator = keyless_emulator::Emulator::start(options).await.expect("an emulator");
    let oid = emulator.service_principal().oid;
    let mut stream = tokio::net::TcpStream::connect(("127.0.0.1", emulator.port())).await?;
    let batch = encode(&["AUTH", &oid, "no-token"]) + &encode(&["AUTH", &oid, &token(&emulator).await]);
    stream.write_all(batch.as_bytes()).await?;
    let mut answers = vec![0; WRONGPASS.len() + 2 + 5];
    stream.read_exact(&mut answers).await?;
    assert_eq!(answers, format!("{WRONGPASS}\r\n+OK\r\n").as_bytes());
    Ok(())
}

#[test]
fn it_serves_code_that_is_not_asynchronous() {
    let emulator =
        keyless_emulator::Emulator::start_blocking(EmulatorOptions::default()).expect("an emulator");
    let never = emulator.wait_until_blocking(|_: &Stats| false, Duration::from_millis(10));
    assert!(never.expect_err("nothing happens").to_string().contains("connections"));
    let directory = emulator.temp_dir().to_owned();
    assert!(directory.join("ca.pem").exists());
    drop(emulator);
    assert!(!directory.exists());
}
