//! What others refuse or break while a first connection is made: told at once when the client shall give
//! up, each with its own code, what it is about and what to do.

use keyless::credential::Credential;
use keyless::{ErrorCode, Identity, Options};
use keyless_conformance::{check, client_secret, credential_options, emulator, options, refusal};
use keyless_emulator::{Emulator, EmulatorOptions, GatewayCertificate, Profile, Refusal, TokenFault};
use std::net::TcpListener;
use std::time::{Duration, Instant};

const HOUR: Duration = Duration::from_hours(1);

async fn plain() -> Emulator {
    let options = EmulatorOptions { profile: Profile::Plain, ..EmulatorOptions::default() };
    Emulator::start(options).await.unwrap()
}

fn with_secret(emulator: &Emulator, tenant: &str, secret: &str) -> Credential {
    let client_id = emulator.service_principal().client_id;
    Credential::client_secret_with(tenant, client_id, secret, &credential_options(emulator)).unwrap()
}

#[tokio::test]
async fn tokens_that_cannot_be_used() {
    let emulator = emulator(HOUR).await;
    for (fault, message) in [(TokenFault::NoOid, "oid"), (TokenFault::NotAJwt, "JSON Web Token")] {
        emulator.faults().token(fault, None);
        let begun = Instant::now();
        let error = refusal(&options(&emulator), client_secret(&emulator)).await;
        check(&error, ErrorCode::InvalidToken, &[message], &["Entra"]);
        assert!(begun.elapsed() < Duration::from_secs(4), "{:?}", begun.elapsed());
    }
    assert_eq!(emulator.stats().auth.records.len(), 0, "a bad token was offered to the cache");
}

#[tokio::test]
async fn an_answer_of_the_token_endpoint_that_is_no_json() {
    let emulator = emulator(HOUR).await;
    emulator.faults().token(TokenFault::Malformed, None);
    let options = options(&emulator).with_connect_timeout(Duration::from_secs(2));
    let error = refusal(&options, client_secret(&emulator)).await;
    check(
        &error,
        ErrorCode::TokenEndpointUnavailable,
        &[&emulator.authority(), "not a token"],
        &["authority host"],
    );
}

#[tokio::test]
async fn a_token_for_another_audience() {
    let emulator = emulator(HOUR).await;
    emulator.faults().token(TokenFault::WrongAudience, None);
    let error = refusal(&options(&emulator), client_secret(&emulator)).await;
    check(&error, ErrorCode::AuthRefused, &["WRONGPASS", "audience"], &["scope"]);
    assert!(emulator.stats().auth.refused_by_reason.contains_key(&Refusal::WrongAudience));
}

#[tokio::test]
async fn a_certificate_of_an_unknown_authority() {
    let emulator = emulator(HOUR).await;
    let without_ca = Options::parse(&emulator.endpoint()).unwrap();
    let error = refusal(&without_ca, client_secret(&emulator)).await;
    check(&error, ErrorCode::TlsFailed, &["authority"], &["ca_file", "SSL_CERT_FILE"]);
    let store = ["the platform's root store", "SSL_CERT_FILE=", "SSL_CERT_DIR=", "Mozilla's bundled roots"];
    assert!(store.iter().any(|store| error.message().contains(store)), "no store named: {error}");
    assert_eq!(error.endpoint(), Some(emulator.endpoint().as_str()));
}

#[tokio::test]
async fn a_certificate_for_another_host() {
    let emulator = emulator(HOUR).await;
    let wrong = emulator.open_gateway(GatewayCertificate::WrongHost).unwrap();
    let options = Options::parse(&wrong).unwrap().with_ca_certificates(emulator.ca_pem());
    let error = refusal(&options, client_secret(&emulator)).await;
    check(&error, ErrorCode::TlsFailed, &["is for wrong.emulator.test, not for localhost"], &["tls_host"]);
    // The remedy that it names is one.
    let named = options.with_tls_host("wrong.emulator.test");
    keyless::Client::connect_as(&named.with_abort_on_connect_fail(true), client_secret(&emulator))
        .await
        .unwrap();
}

#[tokio::test]
async fn tls_to_a_port_without_it_and_the_other_way_round() {
    let plain = plain().await;
    let options = options(&plain).with_connect_timeout(Duration::from_secs(2));
    let error = refusal(&options, client_secret(&plain)).await;
    check(&error, ErrorCode::TlsFailed, &["TLS"], &["port"]);
    let encrypted = emulator(HOUR).await;
    let text = format!("{},ssl=false,password=hunter2,connectTimeout=2000", encrypted.endpoint());
    let error = refusal(&Options::parse(&text).unwrap(), Identity::AccessKey).await;
    check(&error, ErrorCode::Protocol, &["Redis protocol"], &["TLS is switched on"]);
    assert!(!error.to_string().contains("hunter2"));
}

#[tokio::test]
async fn a_port_that_nobody_listens_on() {
    let emulator = emulator(HOUR).await;
    // A port that was free a moment ago.
    let free = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let nobody = Options::parse(&format!("127.0.0.1:{free}")).unwrap();
    let error = refusal(&nobody, client_secret(&emulator)).await;
    check(&error, ErrorCode::ConnectFailed, &["refused", &free.to_string()], &["firewall"]);
    assert!(error.is_retryable());
    let nowhere = Options::parse("no-such-host.invalid:10000").unwrap();
    let error = refusal(&nowhere, client_secret(&emulator)).await;
    check(&error, ErrorCode::NameResolution, &["no-such-host.invalid"], &["DNS"]);
}

#[tokio::test]
async fn a_wrong_tenant_and_a_wrong_secret() {
    let emulator = emulator(HOUR).await;
    let secret = &emulator.service_principal().secrets[0];
    let stranger = "00000000-1111-2222-3333-444444444444";
    let error = refusal(&options(&emulator), with_secret(&emulator, stranger, secret)).await;
    check(&error, ErrorCode::SignInRefused, &["AADSTS90002", stranger], &["tenant"]);
    let error = refusal(&options(&emulator), with_secret(&emulator, &emulator.tenant(), "hunter2")).await;
    check(&error, ErrorCode::SignInRefused, &["AADSTS7000215", "Trace ID"], &["Certificates & secrets"]);
    let text = format!("{error} {error:?}");
    assert!(!text.contains("hunter2") && !text.contains(secret.as_str()), "{text}");
    assert_eq!(emulator.stats().connections.opened, 0, "the cache was dialled without a token");
}

#[tokio::test]
async fn an_identity_that_was_not_added_to_the_cache() {
    let emulator = emulator(HOUR).await;
    let oid = emulator.service_principal().oid;
    emulator.revoke(&oid);
    let error = refusal(&options(&emulator), client_secret(&emulator)).await;
    check(&error, ErrorCode::AuthRefused, &["WRONGPASS", &oid], &["Authentication", "groups"]);
    let stats = emulator.stats();
    println!("{} tokens, {} refusals", stats.tokens.served, stats.auth.refused);
    assert_eq!((stats.tokens.served, stats.auth.refused), (2, 2), "one fresh token is asked for, once");
    let [first, second] = &stats.auth.records[..] else { panic!("{:?}", stats.auth) };
    assert_ne!(first.uti, second.uti);
}

#[tokio::test]
async fn access_keys_that_are_wrong_or_disabled() {
    let emulator = emulator(HOUR).await;
    let wrong = options(&emulator).with_password("hunter2");
    let error = refusal(&wrong, Identity::AccessKey).await;
    check(&error, ErrorCode::AuthRefused, &["access key", "WRONGPASS"], &["disabled", "Entra"]);
    assert!(!error.to_string().contains("hunter2"));
    let key = emulator.access_key().unwrap();
    emulator.set_access_key(None);
    let error = refusal(&options(&emulator).with_password(key.as_str()), Identity::AccessKey).await;
    check(&error, ErrorCode::AuthRefused, &["access key"], &["disabled"]);
    assert!(!error.to_string().contains(&key));
    // No password at all: the server says NOAUTH, or lets nobody do anything.
    let error = refusal(&options(&emulator), Identity::AccessKey).await;
    check(&error, ErrorCode::AuthRefused, &["sign-in"], &["credential"]);
}
