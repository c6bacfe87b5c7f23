//! Client-side caching: reads that are answered without asking, and never with what has become stale by what
//! this client has seen, written or been told.

use keyless::event::EventMask;
use keyless::redis::cmd;
use keyless::{Batch, CacheStats, Client, Options, Pipeline};
use keyless_conformance::collector::Collector;
use keyless_conformance::versions::Versions;
use keyless_conformance::{Events, SOON, client_secret, emulator, eventually, options};
use keyless_emulator::{Cut, Emulator, Freeze};
use std::time::{Duration, Instant};

const GET_KEY: &[u8] = b"*2\r\n$3\r\nGET\r\n$3\r\nkey\r\n";
const HOUR: Duration = Duration::from_hours(1);

fn caching(emulator: &Emulator) -> Options {
    options(emulator).with_cache_size(1 << 20).with_command_timeout(SOON)
}

async fn connect(emulator: &Emulator, options: &Options) -> Client {
    Client::connect_as(options, client_secret(emulator)).await.unwrap()
}

/// An emulator, a client that caches, and one that does not.
async fn connected() -> (Emulator, Client, Client) {
    let emulator = emulator(HOUR).await;
    let caching = connect(&emulator, &caching(&emulator)).await;
    let plain = connect(&emulator, &options(&emulator)).await;
    (emulator, caching, plain)
}

async fn get(client: &Client, key: &str) -> Option<String> {
    client.execute(cmd("GET").arg(key)).await.unwrap()
}

async fn set(client: &Client, key: &str, value: &str) {
    client.execute::<()>(cmd("SET").arg(key).arg(value)).await.unwrap();
}

async fn length(client: &Client) -> u32 {
    client.execute(cmd("LLEN").arg("list")).await.unwrap()
}

fn cache(client: &Client) -> CacheStats {
    client.stats().cache
}

#[tokio::test]
async fn a_read_is_answered_here_until_another_client_changes_the_key() {
    let (_emulator, client, other) = connected().await;
    set(&other, "key", "1").await;
    assert_eq!(get(&client, "key").await.unwrap(), "1");
    let sent = client.stats().commands;
    for _ in 0..100 {
        assert_eq!(get(&client, "key").await.unwrap(), "1");
    }
    assert_eq!(client.stats().commands, sent, "hits reach no connection");
    let stats = cache(&client);
    assert_eq!((stats.hits, stats.misses, stats.entries), (100, 1, 1));

    set(&other, "key", "2").await;
    eventually("the invalidation", SOON, || cache(&client).invalidations == 1).await;
    assert_eq!(get(&client, "key").await.unwrap(), "2");

    // A key that does not exist is an answer, too; so are replies of other types.
    assert_eq!(get(&client, "none").await, None);
    assert_eq!(get(&client, "none").await, None);
    other.execute::<()>(cmd("HSET").arg("hash").arg("a").arg(1).arg("b").arg(2)).await.unwrap();
    for _ in 0..2 {
        let hash: std::collections::BTreeMap<String, u32> =
            client.execute(cmd("HGETALL").arg("hash")).await.unwrap();
        assert_eq!(hash, [("a".to_owned(), 1), ("b".to_owned(), 2)].into());
    }
    assert_eq!(cache(&client).hits, 102);

    other.execute::<()>(&cmd("FLUSHALL")).await.unwrap();
    eventually("the invalidation of everything", SOON, || cache(&client).entries == 0).await;
    assert_eq!(get(&client, "key").await, None);
}

#[tokio::test]
async fn what_this_client_wrote_is_what_it_reads() {
    let (_emulator, client, _other) = connected().await;
    for round in 0..300 {
        let value = round.to_string();
        match round % 5 {
            0 => set(&client, "key", &value).await,
            1 => client
                .execute(cmd("EVAL").arg("redis.call('SET', KEYS[1], ARGV[1])").arg(1).arg("key").arg(&value))
                .await
                .unwrap(),
            2 => client.execute(cmd("MSET").arg("other").arg(1).arg("key").arg(&value)).await.unwrap(),
            3 => {
                let mut transaction = Pipeline::transaction();
                transaction.add(cmd("SET").arg("key").arg(&value));
                client.execute_pipeline(transaction).await.unwrap();
            }
            _ => {
                set(&client, "source", &value).await;
                client.execute::<()>(cmd("RENAME").arg("source").arg("key")).await.unwrap();
            }
        }
        for _ in 0..3 {
            assert_eq!(get(&client, "key").await.unwrap(), value, "round {round}");
        }
    }
    // What waits has a connection of its own, over which the server does not tell of changes.
    for _ in 0..200 {
        client.execute::<()>(cmd("RPUSH").arg("list").arg("element")).await.unwrap();
        assert_eq!(length(&client).await, 1);
        client.execute::<(String, String)>(cmd("BLPOP").arg("list").arg(0)).await.unwrap();
        assert_eq!(length(&client).await, 0);
    }
    let stats = cache(&client);
    println!("{stats:?}");
    assert!(stats.hits > 0);
}

#[tokio::test]
async fn nothing_survives_its_connection() {
    let (emulator, client, other) = connected().await;
    let (events, others) = (Events::of(&client), Events::of(&other));
    for round in 1..=5 {
        set(&other, "key", &format!("before {round}")).await;
        eventually("its value", SOON, || cache(&client).entries == 0).await;
        get(&client, "key").await;
        assert!(cache(&client).entries > 0);
        emulator.faults().cut_connections(if round % 2 == 0 { Cut::Close } else { Cut::Reset });
        events.wait(EventMask::CONNECTION_LOST, round, SOON).await;
        assert_eq!(cache(&client).entries, 0, "emptied with the connection");
        others.wait(EventMask::CONNECTION_RESTORED, round, SOON).await;
        set(&other, "key", &format!("after {round}")).await;
        assert_eq!(get(&client, "key").await.unwrap(), format!("after {round}"));
        events.wait(EventMask::CONNECTION_RESTORED, round, SOON).await;
        // The new connection's server tells of changes as well.
        get(&client, "key").await;
        let known = cache(&client).invalidations;
        set(&other, "key", "changed").await;
        eventually("the invalidation", SOON, || cache(&client).invalidations > known).await;
        assert_eq!(get(&client, "key").await.unwrap(), "changed");
    }
}

#[tokio::test]
async fn where_the_server_does_not_tell_of_changes_nothing_is_kept() {
    let emulator = emulator(HOUR).await;
    let oid = emulator.service_principal().oid;
    let resp2 =
        connect(&emulator, &caching(&emulator).with_protocol(keyless::options::Protocol::Resp2)).await;
    emulator.grant_with(&oid, "~* &* +@all -client|tracking").unwrap();
    let forbidden = connect(&emulator, &caching(&emulator)).await;
    let off = connect(&emulator, &options(&emulator)).await;
    for client in [resp2, forbidden, off] {
        for value in ["1", "2"] {
            set(&client, "key", value).await;
            assert_eq!(get(&client, "key").await.unwrap(), value);
            assert_eq!(get(&client, "key").await.unwrap(), value);
        }
        assert_eq!(cache(&client), CacheStats::default());
    }
}

#[tokio::test]
async fn commands_that_would_switch_tracking_are_refused_and_disabled_ones_are_not_answered() {
    let emulator = emulator(HOUR).await;
    let client = connect(&emulator, &caching(&emulator).with_disabled_commands(["HGET"])).await;
    for word in ["TRACKING", "CACHING"] {
        let refused = client.execute::<()>(cmd("CLIENT").arg(word).arg("OFF")).await.unwrap_err();
        assert!(refused.advice().contains("cache_size"), "{refused}");
    }
    assert!(client.execute::<()>(cmd("HGET").arg("h").arg("f")).await.is_err());
}

#[tokio::test]
async fn a_connection_from_which_no_news_can_come_is_noticed_though_all_reads_are_answered_here() {
    let emulator = emulator(HOUR).await;
    let timeout = Duration::from_millis(600);
    let client = connect(&emulator, &caching(&emulator).with_command_timeout(timeout)).await;
    let other = connect(&emulator, &options(&emulator)).await;
    set(&client, "key", "old").await;
    get(&client, "key").await;
    let events = Events::of(&client);
    emulator.faults().freeze(Freeze::ToClient, None);
    let begun = Instant::now();
    let mut hits = 0;
    // Nobody but this reader uses the connection, and it does not either.
    while events.count(EventMask::CONNECTION_LOST) == 0 {
        assert!(begun.elapsed() < SOON, "a dead connection is not noticed");
        hits += u32::from(client.recall(GET_KEY).is_some());
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
    println!("{hits} hits until the dead connection was noticed, after {:?}", begun.elapsed());
    assert_eq!(cache(&client).entries, 0);
    emulator.faults().thaw();
    set(&other, "key", "new").await;
    events.wait(EventMask::CONNECTION_RESTORED, 1, SOON).await;
    assert_eq!(get(&client, "key").await.unwrap(), "new");
}

#[tokio::test]
async fn batches_are_sent_and_what_is_kept_can_be_asked_for() {
    let (_emulator, client, other) = connected().await;
    set(&other, "key", "1").await;
    let mut batch = Batch::new();
    assert!(client.recall(GET_KEY).is_none());
    for count in [1, 1, 3] {
        let sent = client.stats().commands;
        for _ in 0..count {
            batch.push_encoded(GET_KEY).unwrap();
        }
        let collector = Collector::new(count);
        client.submit(&mut batch, 0, collector.clone()).unwrap();
        let (outcomes, _) = collector.outcomes().await;
        assert!(outcomes.iter().all(|reply| reply.as_ref().unwrap() == b"$1\r\n1\r\n"));
        assert_eq!(client.stats().commands, sent + count as u64);
        assert_eq!(client.recall(GET_KEY).unwrap(), &b"$1\r\n1\r\n"[..]);
    }
    let known = cache(&client).invalidations;
    other.execute::<()>(cmd("DEL").arg("key")).await.unwrap();
    eventually("the invalidation", SOON, || cache(&client).invalidations > known).await;
    assert!(client.recall(GET_KEY).is_none());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_read_goes_back_in_time() {
    let (_emulator, client, other) = connected().await;
    let watch = Versions::new();
    watch.run(&client, &other, tokio::time::sleep(Duration::from_secs(4))).await;
    watch.report("undisturbed", cache(&client));
    assert_eq!(watch.failed(), 0);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_read_goes_back_in_time_while_connections_are_cut() {
    let (emulator, client, other) = connected().await;
    let watch = Versions::new();
    watch
        .run(&client, &other, async {
            for round in 1..=20 {
                tokio::time::sleep(Duration::from_millis(150)).await;
                emulator.faults().cut_connections(if round % 2 == 0 { Cut::Close } else { Cut::Reset });
            }
        })
        .await;
    watch.report("cut", cache(&client));
    assert!(client.stats().reconnects >= 10, "{:?}", client.stats());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_read_is_stale_while_tokens_are_replaced() {
    const LIFETIME: Duration = Duration::from_secs(3);
    let emulator = emulator(LIFETIME).await;
    let client = connect(&emulator, &caching(&emulator)).await;
    let other = connect(&emulator, &options(&emulator)).await;
    let (events, watch) = (Events::of(&client), Versions::new());
    watch
        .run(&client, &other, async {
            let begun = Instant::now();
            events.wait(EventMask::CONNECTION_REAUTHENTICATED, 3, SOON).await;
            tokio::time::sleep((LIFETIME * 3).saturating_sub(begun.elapsed())).await;
        })
        .await;
    let stats = client.stats();
    watch.report("3 lifetimes", stats.cache);
    println!("{stats:?}");
    assert_eq!(watch.failed(), 0);
    assert_eq!((stats.connections, stats.reauthentication_failures), (1, 0));
    assert!(stats.reauthentications >= 3);
    assert_eq!(emulator.stats().connections.closed_at_expiry, 0);
}
