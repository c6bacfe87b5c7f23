//! What the behaviour tests share: an emulator, options that point at it, and a record of events.

#![allow(clippy::missing_panics_doc, reason = "a helper of tests panics where a test would")]

pub mod churn;
pub mod collector;
pub mod identities;
pub mod load;
pub mod raw;
pub mod versions;

use keyless::credential::{Credential, CredentialOptions};
use keyless::event::{Event, EventMask};
use keyless::token::TokenSource;
use keyless::{Client, Error, ErrorCode, Identity, Options};
use keyless_emulator::{Emulator, EmulatorOptions};
use parking_lot::{Condvar, Mutex};
use std::sync::Arc;
use std::time::{Duration, Instant};

/// An emulator whose tokens live for `token_lifetime`.
pub async fn emulator(token_lifetime: Duration) -> Emulator {
    Emulator::start(EmulatorOptions { token_lifetime, ..EmulatorOptions::default() })
        .await
        .expect("the emulator")
}

/// Options for the emulator's cache, scaled to tokens that live for seconds.
pub fn options(emulator: &Emulator) -> Options {
    options_at(emulator, &emulator.endpoint())
}

/// The same for an endpoint that leads to the emulator's cache.
pub fn options_at(emulator: &Emulator, endpoint: &str) -> Options {
    Options::parse(endpoint)
        .expect("the emulator's endpoint")
        .with_ca_certificates(emulator.ca_pem().into_bytes())
        .with_refresh_retry_min(Duration::from_millis(100))
        .with_refresh_retry_max(Duration::from_secs(1))
        .with_reconnect_backoff_min(Duration::from_millis(20))
        .with_reconnect_backoff_max(Duration::from_millis(500))
}

/// How credentials reach the emulator's token endpoint.
pub fn credential_options(emulator: &Emulator) -> CredentialOptions {
    CredentialOptions::new()
        .authority_host(emulator.authority())
        .metadata_host(emulator.imds_url())
        .ca_certificates(emulator.ca_pem().into_bytes())
}

/// The emulator's service principal with its secret.
pub fn client_secret(emulator: &Emulator) -> Credential {
    let principal = emulator.service_principal();
    Credential::client_secret_with(
        &principal.tenant,
        &principal.client_id,
        principal.secrets[0].as_str(),
        &credential_options(emulator),
    )
    .expect("a credential")
}

/// Long enough for anything that must happen, on the slowest machine.
pub const SOON: Duration = Duration::from_secs(30);

/// Tries a condition that nobody announces until it holds.
pub async fn eventually(what: &str, limit: Duration, mut holds: impl FnMut() -> bool) {
    let until = Instant::now() + limit;
    while !holds() {
        assert!(Instant::now() < until, "not within {limit:?}: {what}");
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}

/// A source of tokens for the emulator's service principal, as a client with these options would make it.
pub fn token_source(emulator: &Emulator, options: &Options) -> TokenSource {
    TokenSource::new(client_secret(emulator), options.token_source_options()).expect("a token source")
}

/// Why a first connection is not made, when the client is told to give up after one attempt.
///
/// # Panics
/// When it is made after all.
pub async fn refusal(options: &Options, identity: impl Into<Identity>) -> Error {
    let options = options.clone().with_abort_on_connect_fail(true).with_connect_retry(1);
    Client::connect_as(&options, identity).await.expect_err("a refusal")
}

/// Checks that an error has its code, names what it is about and says what to do; prints it.
///
/// # Panics
/// When it does not.
pub fn check(error: &Error, code: ErrorCode, message: &[&str], advice: &[&str]) {
    println!("{code}: {error}");
    assert_eq!(error.code(), code, "{error:?}");
    for part in message {
        assert!(error.message().contains(part), "no {part:?} in the message: {error:?}");
    }
    for part in advice {
        assert!(error.advice().contains(part), "no {part:?} in the advice: {error:?}");
    }
    assert!(!error.advice().is_empty(), "no advice: {error:?}");
}

/// Checks that nobody has asked the emulator for anything yet.
///
/// # Panics
/// When somebody has.
pub fn untouched(emulator: &Emulator) {
    let stats = emulator.stats();
    let asked = stats.connections.opened + stats.connections.turned_away;
    assert_eq!((asked, stats.tokens.requests.len()), (0, 0), "{stats:?}");
}

/// Every event of a client or a token source, in order.
#[derive(Clone, Default)]
pub struct Events(Arc<(Mutex<Vec<Event>>, Condvar)>);

impl Events {
    /// Records the events of a client.
    pub fn of(client: &Client) -> Self {
        let events = Self::default();
        events.listen(|handler| {
            client.on_event(EventMask::ALL, handler);
        });
        events
    }

    /// Records the events of a source of tokens, the first token's included.
    pub fn of_source(source: &TokenSource) -> Self {
        let events = Self::default();
        events.listen(|handler| {
            source.on_event(EventMask::ALL, handler);
        });
        events
    }

    /// Hands the recording handler to whatever tells events.
    pub fn listen(&self, register: impl FnOnce(keyless::event::EventHandler)) {
        let shared = Arc::clone(&self.0);
        register(Arc::new(move |event| {
            shared.0.lock().push(event.clone());
            shared.1.notify_all();
        }));
    }

    /// All events so far.
    pub fn all(&self) -> Vec<Event> {
        self.0.0.lock().clone()
    }

    /// How many events of these kinds there are so far.
    pub fn count(&self, mask: EventMask) -> usize {
        self.0.0.lock().iter().filter(|event| event.kind().intersects(mask)).count()
    }

    /// Waits on the calling thread until there are `count` events of these kinds.
    pub fn wait_blocking(&self, mask: EventMask, count: usize, limit: Duration) {
        let until = Instant::now() + limit;
        let mut events = self.0.0.lock();
        while events.iter().filter(|event| event.kind().intersects(mask)).count() < count {
            let late = self.0.1.wait_until(&mut events, until).timed_out();
            assert!(!late, "not {count} events of {mask:?} within {limit:?}: {events:#?}");
        }
    }

    /// As [`Events::wait_blocking`] for async tests.
    pub async fn wait(&self, mask: EventMask, count: usize, limit: Duration) {
        let this = self.clone();
        tokio::task::spawn_blocking(move || this.wait_blocking(mask, count, limit)).await.expect("the wait");
    }
}
