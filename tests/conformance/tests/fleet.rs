//! Fifty clients share one source of tokens: one request per refresh, and their sign-ins spread out.

use keyless::Client;
use keyless::event::EventMask;
use keyless_conformance::{Events, SOON, emulator, options, token_source};
use std::collections::BTreeMap;
use std::time::Duration;

const CLIENTS: usize = 50;
const REFRESHES: usize = 3;
const STAGGER: Duration = Duration::from_secs(1);

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn fifty_clients_ask_once_and_sign_in_spread_over_the_window() {
    let emulator = emulator(Duration::from_secs(6)).await;
    // Early enough that the whole window lies before the old token's end.
    let options = options(&emulator)
        .with_refresh_ratio(0.6)
        .with_refresh_jitter(0.05)
        .with_connect_timeout(SOON)
        .with_reauth_stagger(Some(STAGGER));
    let source = token_source(&emulator, &options);
    let events = Events::of_source(&source);
    let mut clients = Vec::new();
    for _ in 0..CLIENTS {
        clients.push(Client::connect_as(&options, source.clone()).await.unwrap());
    }
    // Connecting may have taken longer than the first token lived: what counts begins here.
    let first = usize::try_from(source.state().generation).unwrap();
    events.wait(EventMask::TOKEN_REFRESHED, first + REFRESHES, SOON * 2).await;
    let wanted = u64::try_from(first + REFRESHES).unwrap();
    eventually_signed_in(&clients, first, REFRESHES).await;
    let stats = emulator.stats();

    assert_eq!(stats.tokens.served, wanted, "one token request per refresh");
    assert_eq!(events.count(EventMask::TOKEN_REFRESHED), first + REFRESHES);
    assert_eq!((stats.tokens.failed, stats.auth.refused), (0, 0));
    assert_eq!((stats.connections.opened, stats.connections.open), (CLIENTS as u64, CLIENTS as u64));
    let mut times: BTreeMap<(u64, &str), u32> = BTreeMap::new();
    for record in &stats.auth.records {
        *times.entry((record.connection, record.uti.as_deref().unwrap_or_default())).or_default() += 1;
    }
    assert!(times.values().all(|&times| times == 1), "one AUTH per connection and token: {times:?}");
    for token in &stats.tokens.requests[first..] {
        let mut after: Vec<f64> = stats
            .auth
            .records
            .iter()
            .filter(|record| record.uti == token.uti)
            .map(|record| record.time - token.time)
            .collect();
        after.sort_by(f64::total_cmp);
        assert_eq!(after.len(), CLIENTS, "every connection signs in");
        let mut buckets = [0usize; 10];
        for seconds in &after {
            let bucket = (1..10).find(|&place| *seconds < f64::from(place) / 10.0).unwrap_or(10);
            buckets[usize::try_from(bucket).unwrap() - 1] += 1;
        }
        let spread = after[CLIENTS - 1] - after[0];
        println!("AUTHs by tenth of the window: {buckets:?}, from {:.2} s over {spread:.2} s", after[0]);
        assert!(buckets.iter().all(|&count| count <= CLIENTS / 2), "a herd: {buckets:?}");
        assert!(spread > STAGGER.as_secs_f64() * 0.6, "a narrow spread");
    }
}

/// Waits until every connection was signed in again with each of `refreshes` tokens after token `first`.
async fn eventually_signed_in(clients: &[Client], first: usize, refreshes: usize) {
    let source = clients[0].token_source().expect("a source");
    keyless_conformance::eventually("a sign-in of everybody", SOON, || {
        let latest = usize::try_from(source.state().generation).unwrap();
        assert!(latest <= first + refreshes, "the next refresh came before the last sign-in");
        clients.iter().all(|client| client.stats().reauthentications >= refreshes as u64)
    })
    .await;
}
