//! Access keys beside Microsoft Entra ID: which of them signs in, and the fallback that has to be asked for.

use keyless::redis::cmd;
use keyless::{Client, ErrorCode, Identity, Options};
use keyless_conformance::{check, client_secret, emulator, options};
use keyless_emulator::{Emulator, TokenFault};
use parking_lot::Mutex;
use std::io;
use std::sync::Arc;
use std::time::Duration;

const HOUR: Duration = Duration::from_hours(1);

/// Options that hold the access key, and that of the emulator's application.
fn both(emulator: &Emulator) -> Options {
    let principal = emulator.service_principal();
    let ca_file = emulator.ca_file();
    options(emulator)
        .with_password(emulator.access_key().unwrap())
        .with_authority_host(emulator.authority())
        .with_token_ca_file(ca_file.to_str().unwrap())
        .with_tenant_id(principal.tenant)
        .with_client_id(principal.client_id)
        .with_client_secret(principal.secrets[0].as_str())
        .with_connect_timeout(Duration::from_secs(2))
}

async fn whoami(options: &Options, identity: Identity) -> String {
    let client = Client::connect_as(options, identity).await.unwrap();
    let me: String = client.execute(cmd("ACL").arg("WHOAMI")).await.unwrap();
    client.close().await;
    me
}

#[tokio::test]
async fn a_key_signs_in_unless_it_is_meant_as_the_fallback() {
    let emulator = emulator(HOUR).await;
    let oid = emulator.service_principal().oid;
    let options = both(&emulator);
    assert_eq!(whoami(&options, Identity::from_options(&options).unwrap()).await, "default");
    assert!(emulator.stats().tokens.requests.is_empty());
    let options = options.with_access_key_fallback(true);
    assert_eq!(whoami(&options, Identity::from_options(&options).unwrap()).await, oid);
    let keyless = options.with_password("");
    let error = Identity::from_options(&keyless).unwrap_err();
    check(&error, ErrorCode::InvalidOption, &["access_key_fallback"], &["REDIS_ACCESS_KEY"]);
    let error =
        Client::connect_as(&keyless, Identity::EntraOrAccessKey(client_secret(&emulator))).await.unwrap_err();
    check(&error, ErrorCode::InvalidOption, &["needs one"], &["password"]);
}

#[derive(Clone, Default)]
struct Log(Arc<Mutex<Vec<u8>>>);

impl io::Write for Log {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[tokio::test]
async fn without_a_token_the_key_signs_in_and_one_line_tells_it() {
    let log = Log::default();
    let writer = log.clone();
    tracing_subscriber::fmt().with_writer(move || writer.clone()).with_ansi(false).init();
    let emulator = emulator(HOUR).await;
    let options = both(&emulator).with_access_key_fallback(true);
    for fault in [TokenFault::Status { status: 503 }, TokenFault::Hang, TokenFault::Refuse] {
        log.0.lock().clear();
        emulator.faults().token(fault.clone(), None);
        assert_eq!(whoami(&options, Identity::from_options(&options).unwrap()).await, "default");
        emulator.faults().clear();
        let text = String::from_utf8(log.0.lock().clone()).unwrap();
        let told: Vec<_> = text.lines().filter(|line| line.contains("access key")).collect();
        println!("{fault:?}: {told:?}");
        assert!(told.len() == 1 && told[0].contains("WARN"), "{text}");
        assert!(!text.contains(&emulator.access_key().unwrap()));
    }
    // An identity without access is not hidden by the key.
    emulator.revoke(&emulator.service_principal().oid);
    let error = keyless_conformance::refusal(&options, Identity::from_options(&options).unwrap()).await;
    check(&error, ErrorCode::AuthRefused, &["WRONGPASS"], &["Authentication"]);
}
