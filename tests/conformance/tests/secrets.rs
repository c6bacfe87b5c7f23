//! Whatever happens, no token, secret or key reaches a log line, an event, an error or a `Debug`.

use keyless::credential::{AccessToken, Credential};
use keyless::event::EventMask;
use keyless::options::Backlog;
use keyless::redis::cmd;
use keyless::token::{Token, TokenSource};
use keyless::{Client, Identity, Options, Secret};
use keyless_conformance::{
    Events, SOON, client_secret, credential_options, emulator, eventually, options, token_source,
};
use keyless_emulator::{Cut, Emulator, TokenFault, TokenOverrides};
use parking_lot::Mutex;
use std::fmt::{Debug, Write as _};
use std::io;
use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

const LIFETIME: Duration = Duration::from_secs(3);
const WRONG_SECRET: &str = "wrong-secret-5h9fKq2LxZ";
const OPAQUE: &str = "opaque-token-7Wd2xQpJ4s";
const WRONG_KEY: &str = "wrong-key-8Rr3mWv0Tn";

/// All that was logged or printed.
#[derive(Clone, Default)]
struct Written(Arc<Mutex<Vec<u8>>>);

impl io::Write for Written {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl Written {
    fn show(&self, what: &dyn Debug) {
        self.0.lock().extend_from_slice(format!("{what:?}\n{what:#?}\n").as_bytes());
    }

    fn error(&self, error: &keyless::Error) {
        self.show(error);
        self.0.lock().extend_from_slice(format!("{error}\n{error:#}\n").as_bytes());
    }

    fn text(&self) -> String {
        String::from_utf8_lossy(&self.0.lock()).into_owned()
    }

    /// Everything that can be seen of a client.
    fn client(&self, client: &Client, events: &Events) {
        self.show(client);
        if let Some(source) = client.token_source() {
            self.show(source);
            self.show(&source.state());
        }
        self.show(&events.all());
        for event in events.all() {
            use keyless::event::Event::{
                ConnectionLost, ConnectionReauthenticationFailed, TokenRefreshFailed,
            };
            if let TokenRefreshFailed { error, .. }
            | ConnectionReauthenticationFailed { error, .. }
            | ConnectionLost { error, .. } = event
            {
                self.error(&error);
            }
        }
        if let Some(error) = client.last_error() {
            self.error(&error);
        }
    }
}

/// Tokens, refreshes, an outage, refused sign-ins and a cut, with the client secret and with tokens that the
/// test knows; the tokens themselves.
async fn a_hard_life(emulator: &Emulator, written: &Written) -> Vec<Token> {
    let options = options(emulator).with_command_timeout(SOON);
    let source = token_source(emulator, &options);
    let mut tokens = source.subscribe().unwrap();
    let mut seen = Vec::new();
    let client = Client::connect_as(&options, source.clone()).await.unwrap();
    let events = Events::of(&client);
    written.show(&options);
    seen.push(tokens.changed().await.unwrap());
    client.execute::<()>(cmd("SET").arg("key").arg(1)).await.unwrap();
    emulator.faults().token(TokenFault::Status { status: 500 }, Some(1));
    emulator.faults().refuse_auth(Some(3));
    events.wait(EventMask::CONNECTION_REAUTHENTICATION_FAILED, 2, SOON).await;
    seen.push(tokens.changed().await.unwrap());
    events.wait(EventMask::CONNECTION_REAUTHENTICATED, 1, SOON).await;
    emulator.faults().token(TokenFault::Malformed, Some(2));
    events.wait(EventMask::TOKEN_REFRESH_FAILED, 3, SOON).await;
    emulator.faults().cut_connections(Cut::Reset);
    events.wait(EventMask::CONNECTION_RESTORED, 1, SOON).await;
    for fault in [TokenFault::WrongAudience, TokenFault::NoOid, TokenFault::NotAJwt] {
        let failures = events.count(EventMask::TOKEN_REFRESH_FAILED | EventMask::CONNECTION_LOST);
        let refused = events.count(EventMask::CONNECTION_REAUTHENTICATION_FAILED);
        emulator.faults().token(fault, Some(1));
        eventually("a spoiled token is noticed", SOON, || {
            let now = events.count(EventMask::TOKEN_REFRESH_FAILED | EventMask::CONNECTION_LOST);
            now > failures || events.count(EventMask::CONNECTION_REAUTHENTICATION_FAILED) > refused
        })
        .await;
        let renewed = events.count(EventMask::TOKEN_REFRESHED);
        events.wait(EventMask::TOKEN_REFRESHED, renewed + 1, SOON).await;
        seen.push(tokens.current().unwrap());
    }
    let error = client.execute::<i64>(cmd("LPUSH").arg("key").arg("value")).await.unwrap_err();
    written.error(&error);
    written.client(&client, &events);
    written.show(&seen);
    written.show(&tokens);
    client.close().await;
    seen
}

/// Identities that do not get in.
async fn strangers(emulator: &Emulator, written: &Written) {
    let options = options(emulator).with_backlog(Backlog::FailFast).with_abort_on_connect_fail(true);
    let principal = emulator.service_principal();
    let with = credential_options(emulator);
    let wrong =
        Credential::client_secret_with(&principal.tenant, &principal.client_id, WRONG_SECRET, &with).unwrap();
    written.show(&wrong);
    written.error(&Client::connect_as(&options, wrong).await.unwrap_err());
    let keyed = options.clone().with_password(WRONG_KEY);
    written.show(&keyed);
    written.error(&Client::connect_as(&keyed, Identity::AccessKey).await.unwrap_err());
    let key = emulator.access_key().unwrap();
    let keyed = options.clone().with_password(key.as_str());
    let client = Client::connect_as(&keyed, Identity::AccessKey).await.unwrap();
    written.show(&keyed);
    written.show(&client);
    let text = format!("{},password={WRONG_KEY},connectTimeout=nonsense", emulator.endpoint());
    written.error(&Options::parse(&text).unwrap_err());
    emulator.faults().refuse_auth(None);
    written.error(&Client::connect_as(&options, client_secret(emulator)).await.unwrap_err());
    emulator.faults().clear_auth();
}

/// The application's own credential: tokens the test knows in full.
async fn own_tokens(emulator: &Arc<Emulator>, written: &Written) -> Vec<String> {
    let issued = Arc::new(Mutex::new(Vec::new()));
    let (record, from) = (Arc::clone(&issued), Arc::clone(emulator));
    let credential = Credential::custom("test", move |_| {
        let oid = from.service_principal().oid;
        let mut token = from.issue_token(&oid, LIFETIME, &TokenOverrides::default()).unwrap();
        // The second one cannot be read; who complains must not quote it.
        if record.lock().len() == 1 {
            OPAQUE.clone_into(&mut token.access_token);
        }
        record.lock().push(token.access_token.clone());
        let expires_at: SystemTime = UNIX_EPOCH + Duration::from_secs(token.expires_on);
        std::future::ready(Ok::<_, keyless::Error>(AccessToken {
            secret: Secret::new(token.access_token),
            expires_at,
        }))
    });
    let options = options(emulator);
    let source = TokenSource::new(credential, options.token_source_options()).unwrap();
    let client = Client::connect_as(&options, source).await.unwrap();
    let events = Events::of(&client);
    emulator.faults().refuse_auth(Some(1));
    events.wait(EventMask::CONNECTION_REAUTHENTICATED, 2, SOON).await;
    assert!(events.count(EventMask::TOKEN_REFRESH_FAILED) >= 1);
    written.client(&client, &events);
    issued.lock().clone()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_secret_is_ever_written() {
    let written = Written::default();
    let writer = written.clone();
    tracing_subscriber::fmt()
        .with_max_level(tracing::Level::TRACE)
        .with_ansi(false)
        .with_writer(move || writer.clone())
        .init();
    let emulator = Arc::new(emulator(LIFETIME).await);
    let seen = a_hard_life(&emulator, &written).await;
    strangers(&emulator, &written).await;
    let own = own_tokens(&emulator, &written).await;

    let text = written.text();
    let mut secrets: Vec<(String, String)> = Vec::new();
    for token in seen.iter().map(|token| token.secret.expose()).chain(own.iter().map(String::as_str)) {
        // A part is as bad as the whole; the header is the same for all.
        for part in token.split('.').skip(usize::from(token.contains('.'))) {
            secrets.push((part.to_owned(), format!("a part of a token: {}...", &part[..4])));
        }
    }
    secrets.push(("eyJ".into(), "what looks like a token".into()));
    secrets.push((emulator.service_principal().secrets[0].clone(), "the client secret".into()));
    secrets.push((emulator.access_key().unwrap(), "the access key".into()));
    secrets.push((WRONG_SECRET.into(), "the wrong secret".into()));
    secrets.push((WRONG_KEY.into(), "the wrong key".into()));
    let mut found = String::new();
    for (secret, what) in &secrets {
        assert!(secret.len() >= 3, "{what} is too short to be looked for");
        for line in text.lines().filter(|line| line.contains(secret.as_str())).take(3) {
            let _ = writeln!(found, "{what}: {line}");
        }
    }
    let lines = text.lines().count();
    println!("{} texts looked for in {lines} lines ({} KiB)", secrets.len(), text.len() / 1024);
    assert!(found.is_empty(), "{found}");
    assert!(seen.len() + own.len() >= 6, "tokens of both kinds");
    // The search itself works: what may be seen is found.
    for expected in ["token_refreshed", "connection_reauthentication_failed", "connection_lost", "TRACE"] {
        assert!(text.contains(expected), "{expected} was logged");
    }
    assert!(text.contains(&emulator.service_principal().client_id), "identities may be seen");
}
