//! A client that is told to go on heals by itself once the cause is removed, says the cause meanwhile, and
//! commands that waited in vain fail with it.

use keyless::credential::Credential;
use keyless::event::EventMask;
use keyless::redis::cmd;
use keyless::{Client, ErrorCode, Options};
use keyless_conformance::{Events, check, client_secret, credential_options, emulator, options};
use keyless_emulator::{Admission, TokenFault};
use std::time::{Duration, Instant};

const HOUR: Duration = Duration::from_hours(1);
const PATIENCE: Duration = Duration::from_secs(20);

fn impatient(options: Options) -> Options {
    options.with_command_timeout(Duration::from_millis(400)).with_connect_timeout(Duration::from_secs(2))
}

/// Waits until the client is connected and works.
async fn healed(client: &Client, events: &Events) {
    let begun = Instant::now();
    if !client.is_ready() {
        events.wait(EventMask::CONNECTION_RESTORED, 1, PATIENCE).await;
    }
    assert!(client.last_error().is_none(), "{:?}", client.last_error());
    let () = client.execute(cmd("SET").arg("key").arg(1)).await.unwrap();
    println!("healed after {:?}", begun.elapsed());
}

#[tokio::test]
async fn an_identity_is_added_later() {
    let emulator = emulator(HOUR).await;
    let oid = emulator.service_principal().oid;
    emulator.revoke(&oid);
    let client = Client::connect_as(&impatient(options(&emulator)), client_secret(&emulator)).await.unwrap();
    let events = Events::of(&client);
    assert!(!client.is_ready());
    check(&client.last_error().unwrap(), ErrorCode::AuthRefused, &[&oid], &["Authentication"]);
    let error = client.execute::<()>(cmd("INCR").arg("count")).await.unwrap_err();
    check(&error, ErrorCode::AuthRefused, &[&oid], &["Authentication"]);
    assert!(!error.maybe_executed());
    emulator.grant(&oid).unwrap();
    healed(&client, &events).await;
    let counted: Option<u64> = client.execute(cmd("GET").arg("count")).await.unwrap();
    assert_eq!(counted, None, "a command that had failed was sent after all");
    println!("{} token requests", emulator.stats().tokens.requests.len());
}

#[tokio::test]
async fn a_secret_becomes_right() {
    let emulator = emulator(HOUR).await;
    let mut principal = emulator.service_principal();
    let credential = Credential::client_secret_with(
        &principal.tenant,
        &principal.client_id,
        "the next secret",
        &credential_options(&emulator),
    );
    let client = Client::connect_as(&impatient(options(&emulator)), credential.unwrap()).await.unwrap();
    let events = Events::of(&client);
    check(&client.last_error().unwrap(), ErrorCode::SignInRefused, &["AADSTS7000215"], &["secret"]);
    let error = client.execute::<()>(&cmd("PING")).await.unwrap_err();
    check(&error, ErrorCode::SignInRefused, &["AADSTS7000215"], &["secret"]);
    principal.secrets.push("the next secret".into());
    emulator.put_service_principal(principal).unwrap();
    healed(&client, &events).await;
}

#[tokio::test]
async fn the_token_endpoint_comes_back() {
    let emulator = emulator(HOUR).await;
    emulator.faults().token(TokenFault::Refuse, None);
    let client = Client::connect_as(&impatient(options(&emulator)), client_secret(&emulator)).await.unwrap();
    let events = Events::of(&client);
    let host = emulator.authority();
    check(&client.last_error().unwrap(), ErrorCode::TokenEndpointUnavailable, &[&host], &["firewall"]);
    let error = client.execute::<()>(&cmd("PING")).await.unwrap_err();
    check(&error, ErrorCode::Timeout, &["Not sent within 400 ms", &host], &["firewall"]);
    assert!(error.is_retryable() && !error.maybe_executed());
    emulator.faults().clear_token();
    healed(&client, &events).await;
}

#[tokio::test]
async fn the_cache_comes_back() {
    let emulator = emulator(HOUR).await;
    emulator.faults().admission(Admission::Closed);
    let client = Client::connect_as(&impatient(options(&emulator)), client_secret(&emulator)).await.unwrap();
    let events = Events::of(&client);
    let port = emulator.port().to_string();
    check(&client.last_error().unwrap(), ErrorCode::ConnectFailed, &["refused", &port], &["firewall"]);
    let error = client.execute::<()>(&cmd("PING")).await.unwrap_err();
    check(&error, ErrorCode::Timeout, &["Not sent within 400 ms", "refused"], &["firewall"]);
    emulator.faults().admission(Admission::Open);
    healed(&client, &events).await;
    assert_eq!(emulator.stats().tokens.served, 1, "an outage of the cache costs no token");
}

#[tokio::test]
async fn access_keys_are_enabled_again() {
    let emulator = emulator(HOUR).await;
    let key = emulator.access_key().unwrap();
    emulator.set_access_key(None);
    let options = impatient(options(&emulator)).with_password(key.as_str());
    let client = Client::connect(&options).await.unwrap();
    let events = Events::of(&client);
    check(&client.last_error().unwrap(), ErrorCode::AuthRefused, &["access key"], &["disabled"]);
    emulator.set_access_key(Some(key));
    healed(&client, &events).await;
    assert!(emulator.stats().tokens.requests.is_empty());
}

#[tokio::test]
async fn waiting_commands_are_sent_when_it_heals_in_time() {
    let emulator = emulator(HOUR).await;
    emulator.faults().admission(Admission::Closed);
    let options = options(&emulator).with_command_timeout(PATIENCE);
    let client = Client::connect_as(&options, client_secret(&emulator)).await.unwrap();
    let waiting: Vec<_> = (0..100)
        .map(|_| {
            let client = client.clone();
            tokio::spawn(async move { client.execute::<u64>(cmd("INCR").arg("count")).await })
        })
        .collect();
    while client.stats().queued < waiting.len() {
        tokio::task::yield_now().await;
    }
    emulator.faults().admission(Admission::Open);
    let mut counts = Vec::new();
    for one in waiting {
        counts.push(one.await.unwrap().unwrap());
    }
    assert_eq!(counts, (1..=100).collect::<Vec<_>>(), "order is kept");
}

#[tokio::test]
async fn with_fail_fast_commands_fail_at_once_and_say_why() {
    let emulator = emulator(HOUR).await;
    emulator.faults().admission(Admission::Closed);
    let options = options(&emulator).with_backlog(keyless::options::Backlog::FailFast);
    let client = Client::connect_as(&options, client_secret(&emulator)).await.unwrap();
    let begun = Instant::now();
    let error = client.execute::<()>(&cmd("PING")).await.unwrap_err();
    check(&error, ErrorCode::NotConnected, &["refused"], &["backlog"]);
    assert!(begun.elapsed() < Duration::from_secs(1));
}
