//! Secrets and certificates that are replaced while clients are under load: the old one is refused already when the
//! new one comes, and no command notices.

use keyless::Client;
use keyless::credential::{ClientCertificate, Credential};
use keyless::event::EventMask;
use keyless_conformance::load::{Load, flawless};
use keyless_conformance::{Events, SOON, credential_options, emulator, options};
use keyless_emulator::{Emulator, ServicePrincipal};
use parking_lot::Mutex;
use std::sync::Arc;
use std::time::Duration;

/// Long enough for a few attempts between the time a token is due and its end.
const LIFETIME: Duration = Duration::from_secs(10);

/// Puts a client under load, lets `revoke` take the old proof away, and `replace` give the new one once an attempt has
/// been refused.
async fn survives(
    emulator: &Emulator,
    credential: Credential,
    revoke: impl FnOnce(&mut ServicePrincipal),
    replace: impl FnOnce(),
) {
    let client = Client::connect_as(&options(emulator), credential).await.unwrap();
    let events = Events::of(&client);
    let load = Load::start(&client, 10);
    load.progress(100).await;
    let mut principal = emulator.service_principal();
    revoke(&mut principal);
    emulator.put_service_principal(principal).unwrap();
    events.wait(EventMask::TOKEN_REFRESH_FAILED, 1, SOON).await;
    replace();
    events.wait(EventMask::CONNECTION_REAUTHENTICATED, 1, SOON).await;
    load.progress(100).await;
    let commands = flawless(&load.stop().await);
    let (refused, lost) =
        (events.count(EventMask::TOKEN_REFRESH_FAILED), events.count(EventMask::CONNECTION_LOST));
    println!("{commands} commands, none failed; {refused} attempts refused meanwhile");
    assert_eq!((lost, emulator.stats().auth.expired_tokens_offered), (0, 0));
}

#[tokio::test]
async fn a_certificate_file_that_is_replaced() {
    let emulator = emulator(LIFETIME).await;
    let principal = emulator.service_principal();
    let write = |name: &str, certificate: &keyless_emulator::ClientCertificate| {
        let path = emulator.temp_dir().join(name);
        std::fs::write(&path, format!("{}{}", certificate.key_pem, certificate.certificate_pem)).unwrap();
        path
    };
    let file = write("client.pem", &emulator.client_certificate(&principal.client_id).unwrap());
    let credential = Credential::client_certificate_with(
        principal.tenant,
        &principal.client_id,
        ClientCertificate::file(&file),
        &credential_options(&emulator),
    )
    .unwrap();
    let new = write("new.pem", &emulator.client_certificate(&principal.client_id).unwrap());
    let revoke = |principal: &mut ServicePrincipal| drop(principal.certificates.remove(0));
    survives(&emulator, credential, revoke, || std::fs::rename(&new, &file).unwrap()).await;
}

#[tokio::test]
async fn a_secret_in_the_environment_that_is_replaced() {
    let emulator = emulator(LIFETIME).await;
    let principal = emulator.service_principal();
    let secret = Arc::new(Mutex::new(principal.secrets[0].clone()));
    let read = Arc::clone(&secret);
    let with = credential_options(&emulator).environment(move |name| match name {
        "AZURE_TENANT_ID" => Some(principal.tenant.clone()),
        "AZURE_CLIENT_ID" => Some(principal.client_id.clone()),
        "AZURE_CLIENT_SECRET" => Some(read.lock().clone()),
        _ => None,
    });
    let credential = Credential::environment_with(&with).unwrap();
    let revoke = |principal: &mut ServicePrincipal| principal.secrets = vec!["the new one".into()];
    survives(&emulator, credential, revoke, || *secret.lock() = "the new one".into()).await;
}

#[tokio::test]
async fn an_assertion_of_a_function_that_is_replaced() {
    let emulator = emulator(LIFETIME).await;
    let principal = emulator.service_principal();
    let make = |subject: &str| emulator.federated_token(subject, Duration::from_hours(1)).unwrap();
    let assertion = Arc::new(Mutex::new(make(&principal.federated_subjects[0])));
    let read = Arc::clone(&assertion);
    let function = move || std::future::ready(Ok::<_, keyless::Error>(read.lock().as_str().into()));
    let with = credential_options(&emulator);
    let credential =
        Credential::client_assertion_with(principal.tenant, principal.client_id, function, &with).unwrap();
    let new = make("system:serviceaccount:default:another");
    let revoke = |principal: &mut ServicePrincipal| {
        principal.federated_subjects = vec!["system:serviceaccount:default:another".into()];
    };
    survives(&emulator, credential, revoke, || *assertion.lock() = new).await;
}
