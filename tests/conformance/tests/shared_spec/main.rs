//! The scenarios of the specification that the Redis clients share for token-based sign-in, by their ids,
//! end to end. `acquire`: from credential to token. `renew`: tokens and connections that go on.
//! Publish and subscribe have scenarios of their own elsewhere.

mod acquire;
mod renew;

use keyless::token::{TokenSource, TokenSourceOptions};
use keyless_conformance::client_secret;
use keyless_emulator::{Emulator, Stats};
use std::collections::BTreeMap;
use std::time::Duration;

const HOUR: Duration = Duration::from_hours(1);
const PATIENCE: Duration = Duration::from_secs(30);

/// A source that asks for a new token every few hundred milliseconds although each lives for an hour.
fn restless(emulator: &Emulator) -> TokenSource {
    let options = TokenSourceOptions::new().refresh_ratio(0.000_08).refresh_jitter(0.0);
    TokenSource::new(client_secret(emulator), options).unwrap()
}

/// The tokens that each connection signed in with, in order.
fn tokens_by_connection(stats: &Stats) -> BTreeMap<u64, Vec<String>> {
    let mut tokens: BTreeMap<u64, Vec<String>> = BTreeMap::new();
    for record in &stats.auth.records {
        assert!(record.accepted, "{record:?}");
        tokens.entry(record.connection).or_default().push(record.uti.clone().unwrap());
    }
    tokens
}
