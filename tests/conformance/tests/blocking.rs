//! Commands that wait: on connections of their own, through the ends of tokens, and nothing is taken for nobody.

use keyless::event::EventMask;
use keyless::redis::{Value, cmd};
use keyless::{Client, ErrorCode, Options, Pipeline};
use keyless_conformance::{Events, SOON, client_secret, emulator, eventually, options};
use keyless_emulator::{Cut, Emulator, Freeze};
use parking_lot::Mutex;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};
use tokio::task::JoinHandle;
use tokio::time::timeout;

async fn client_with(emulator: &Emulator, options: &Options) -> Client {
    Client::connect_as(options, client_secret(emulator)).await.unwrap()
}

async fn client(emulator: &Emulator) -> Client {
    client_with(emulator, &options(emulator)).await
}

/// How many connections the server has blocked.
async fn blocked(client: &Client) -> u64 {
    let info: String = client.execute(cmd("INFO").arg("clients")).await.unwrap();
    let line = info.lines().find_map(|line| line.strip_prefix("blocked_clients:")).unwrap();
    line.trim().parse().unwrap()
}

async fn until_blocked(client: &Client, count: u64) {
    let until = Instant::now() + SOON;
    while blocked(client).await != count {
        assert!(Instant::now() < until, "never {count} blocked");
    }
}

fn spawn_pop(
    client: &Client,
    key: &str,
    seconds: &str,
) -> JoinHandle<keyless::Result<Option<(String, String)>>> {
    let (client, key, seconds) = (client.clone(), key.to_owned(), seconds.to_owned());
    tokio::spawn(async move { client.execute(cmd("BLPOP").arg(key).arg(seconds)).await })
}

/// Numbers that consumers got, how often each.
#[derive(Clone, Default)]
struct Seen(Arc<Mutex<Vec<u64>>>);

impl Seen {
    fn note(&self, text: &str) {
        self.0.lock().push(text.parse().unwrap());
    }

    fn count(&self) -> u64 {
        self.0.lock().len() as u64
    }

    fn check(&self, pushed: u64) {
        let mut seen = self.0.lock().clone();
        seen.sort_unstable();
        assert_eq!(seen, (0..pushed).collect::<Vec<_>>(), "each exactly once");
    }
}

/// How a consumer gets what is pushed.
#[derive(Clone, Copy)]
enum Way {
    Pop,
    Move,
    Group(usize),
}

/// Waits again and again until it is told to stop and is given `end`.
async fn consume(client: Client, way: Way, seen: Seen, stop: Arc<AtomicBool>) {
    while !stop.load(Ordering::Relaxed) {
        let number: String = match way {
            Way::Pop => client.execute::<(String, _)>(cmd("BLPOP").arg(&["list", "0"])).await.unwrap().1,
            Way::Move => {
                client.execute(cmd("BLMOVE").arg(&["from", "to", "LEFT", "RIGHT", "0"])).await.unwrap()
            }
            Way::Group(name) => {
                let name = name.to_string();
                let args = ["GROUP", "group", &name, "COUNT", "1", "BLOCK", "0", "STREAMS", "stream", ">"];
                let found: Value = client.execute(cmd("XREADGROUP").arg(&args)).await.unwrap();
                let text = format!("{found:?}");
                text.split("number=").nth(1).unwrap().split('\'').next().unwrap().to_owned()
            }
        };
        if number != "end" {
            seen.note(&number);
        }
    }
}

/// Many consumers wait through three lives of a token while one producer numbers what it pushes.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nothing_is_lost_or_taken_twice_at_a_token_s_end() {
    const CONSUMERS: usize = 4;
    const LIFE: Duration = Duration::from_secs(4);
    let emulator = emulator(LIFE).await;
    let client = client_with(&emulator, &options(&emulator).with_blocking_connections(3 * 4)).await;
    let events = Events::of(&client);
    let () =
        client.execute(cmd("XGROUP").arg(&["CREATE", "stream", "group", "$", "MKSTREAM"])).await.unwrap();
    let seen: [Seen; 3] = Default::default();
    let stop = Arc::new(AtomicBool::new(false));
    let mut consumers = Vec::new();
    for name in 0..CONSUMERS {
        for (way, seen) in [Way::Pop, Way::Move, Way::Group(name)].into_iter().zip(&seen) {
            consumers.push(tokio::spawn(consume(client.clone(), way, seen.clone(), Arc::clone(&stop))));
        }
    }
    until_blocked(&client, 3 * CONSUMERS as u64).await;
    let begun = Instant::now();
    let mut pushed = 0;
    // Slowly enough for consumers to wait most of the time, also across the ends of slices.
    while begun.elapsed() < LIFE * 3 + LIFE / 2 {
        let mut pipeline = Pipeline::new();
        pipeline.add(cmd("RPUSH").arg("list").arg(pushed)).add(cmd("RPUSH").arg("from").arg(pushed));
        pipeline.add(cmd("XADD").arg("stream").arg("*").arg("f").arg(format!("number={pushed}'")));
        client.execute_pipeline(pipeline).await.unwrap();
        pushed += 1;
        if pushed % 5 == 0 {
            tokio::time::sleep(Duration::from_millis(fastrand::u64(0..12))).await;
        }
    }
    eventually("all are consumed", SOON, || seen.iter().all(|seen| seen.count() >= pushed)).await;
    stop.store(true, Ordering::Relaxed);
    for _ in 0..CONSUMERS {
        let mut pipeline = Pipeline::new();
        pipeline.add(cmd("RPUSH").arg(&["list", "end"])).add(cmd("RPUSH").arg(&["from", "end"]));
        pipeline.add(cmd("XADD").arg(&["stream", "*", "f", "number=end'"]));
        client.execute_pipeline(pipeline).await.unwrap();
    }
    for consumer in consumers {
        timeout(SOON, consumer).await.unwrap().unwrap();
    }
    for seen in &seen {
        seen.check(pushed);
    }
    let stats = emulator.stats();
    assert_eq!(stats.connections.closed_at_expiry, 0);
    assert_eq!(stats.connections.opened, 1 + 3 * CONSUMERS as u64, "signed in again, none made anew");
    assert_eq!(events.count(EventMask::CONNECTION_LOST), 0);
    println!(
        "{pushed} elements each by BLPOP, BLMOVE and XREADGROUP over {:?} with tokens of {LIFE:?}: each exactly once; \
         {} connections, {} sign-ins, 0 closed at expiry",
        begun.elapsed(),
        stats.connections.opened,
        stats.auth.accepted,
    );
}

#[tokio::test]
async fn every_command_that_waits_ends_in_its_value_or_in_nothing() {
    let emulator = emulator(Duration::from_hours(1)).await;
    let client = client(&emulator).await;
    for (command, fill) in [
        ("BLPOP k 0.2", "RPUSH k v"),
        ("BRPOP k 0.2", "RPUSH k v"),
        ("BLMOVE k d LEFT RIGHT 0.2", "RPUSH k v"),
        ("BRPOPLPUSH k d 0.2", "RPUSH k v"),
        ("BLMPOP 0.2 1 k LEFT", "RPUSH k v"),
        ("BZPOPMIN z 0.2", "ZADD z 1 v"),
        ("BZPOPMAX z 0.2", "ZADD z 1 v"),
        ("BZMPOP 0.2 1 z MIN", "ZADD z 1 v"),
        ("XREAD BLOCK 200 STREAMS s $", "XADD s * f v"),
        ("XREAD BLOCK 200 STREAMS s 0-0", "XADD s * f v"),
    ] {
        let words = |text: &str| {
            let mut words = text.split(' ');
            let mut command = cmd(words.next().unwrap());
            words.for_each(|word| _ = command.arg(word));
            command
        };
        let () = client.execute(cmd("FLUSHALL").arg("SYNC")).await.unwrap();
        let begun = Instant::now();
        let nothing: Value = client.execute(&words(command)).await.unwrap();
        assert_eq!(nothing, Value::Nil, "{command}");
        let waited = begun.elapsed();
        assert!(
            waited >= Duration::from_millis(190) && waited < Duration::from_secs(2),
            "{command}: {waited:?}"
        );
        let waits = {
            let (client, command) =
                (client.clone(), words(&command.replace("0.2", "9").replace("200", "9000")));
            tokio::spawn(async move { client.execute::<Value>(&command).await })
        };
        until_blocked(&client, 1).await;
        let () = client.execute::<Value>(&words(fill)).await.map(drop).unwrap();
        let found = timeout(SOON, waits).await.unwrap().unwrap().unwrap();
        assert!(!matches!(found, Value::Nil), "{command}: {found:?}");
    }
    assert_eq!(emulator.stats().connections.opened, 2, "one after the other on one connection");
}

#[tokio::test]
async fn who_waits_delays_nobody() {
    let emulator = emulator(Duration::from_hours(1)).await;
    let client =
        client_with(&emulator, &options(&emulator).with_command_timeout(Duration::from_secs(2))).await;
    let waiting: Vec<_> = (0..8).map(|_| spawn_pop(&client, "k", "0")).collect();
    until_blocked(&client, 8).await;
    let mut slowest = Duration::ZERO;
    for number in 0..500 {
        let begun = Instant::now();
        let echo: u32 = client.execute(cmd("ECHO").arg(number)).await.unwrap();
        assert_eq!(echo, number);
        slowest = slowest.max(begun.elapsed());
    }
    println!("8 callers waiting, slowest of 500 commands {slowest:?}");
    assert!(slowest < Duration::from_secs(1));
    // Longer than `command_timeout`, which does not bound a wait.
    tokio::time::sleep(Duration::from_millis(2500)).await;
    assert_eq!(blocked(&client).await, 8);
    for number in 0..8 {
        let () = client.execute(cmd("RPUSH").arg("k").arg(number)).await.unwrap();
    }
    for pop in waiting {
        assert!(timeout(SOON, pop).await.unwrap().unwrap().unwrap().is_some());
    }
}

#[tokio::test]
async fn a_dropped_wait_takes_nothing() {
    let emulator = emulator(Duration::from_hours(1)).await;
    let client = client(&emulator).await;
    for round in 0..20 {
        let key = format!("k{round}");
        let pop = spawn_pop(&client, &key, "0");
        until_blocked(&client, 1).await;
        pop.abort();
        let _ = pop.await;
        until_blocked(&client, 0).await;
        let () = client.execute(cmd("RPUSH").arg(&key).arg(round)).await.unwrap();
        let kept: u64 = client.execute(cmd("LLEN").arg(&key)).await.unwrap();
        assert_eq!(kept, 1, "nobody took it");
    }
}

#[tokio::test]
async fn more_waits_than_connections_wait_for_one_or_say_so() {
    let emulator = emulator(Duration::from_hours(1)).await;
    let options =
        options(&emulator).with_blocking_connections(2).with_command_timeout(Duration::from_millis(400));
    let client = client_with(&emulator, &options).await;
    let first = [spawn_pop(&client, "a", "0"), spawn_pop(&client, "a", "0")];
    until_blocked(&client, 2).await;
    let error = timeout(SOON, spawn_pop(&client, "b", "0")).await.unwrap().unwrap().unwrap_err();
    println!("{error}");
    assert_eq!((error.code(), error.maybe_executed()), (ErrorCode::Timeout, false));
    assert!(error.message().contains("all 2 connections"), "{error}");
    assert!(error.advice().contains("blocking_connections"), "{error}");
    let third = spawn_pop(&client, "b", "20");
    let () = client.execute(cmd("RPUSH").arg(&["b", "1"])).await.unwrap();
    let () = client.execute(cmd("RPUSH").arg(&["a", "1"])).await.unwrap();
    assert!(timeout(SOON, third).await.unwrap().unwrap().unwrap().is_some());
    let () = client.execute(cmd("RPUSH").arg(&["a", "1"])).await.unwrap();
    for pop in first {
        assert!(timeout(SOON, pop).await.unwrap().unwrap().unwrap().is_some());
    }
    assert_eq!(emulator.stats().connections.opened, 3);
}

#[tokio::test]
async fn a_lost_connection_may_have_popped_and_a_read_goes_on() {
    let emulator = emulator(Duration::from_hours(1)).await;
    let client = client(&emulator).await;
    let pop = spawn_pop(&client, "k", "0");
    let read = {
        let client = client.clone();
        tokio::spawn(async move {
            client.execute::<Value>(cmd("XREAD").arg(&["BLOCK", "0", "STREAMS", "s", "$"])).await
        })
    };
    until_blocked(&client, 2).await;
    let () = client.execute::<Value>(cmd("XADD").arg(&["other", "*", "f", "v"])).await.map(drop).unwrap();
    emulator.faults().cut_connections(Cut::Reset);
    let error = timeout(SOON, pop).await.unwrap().unwrap().unwrap_err();
    println!("{error}");
    assert_eq!((error.code(), error.maybe_executed()), (ErrorCode::ConnectionLost, true));
    let () = client.execute::<Value>(cmd("XADD").arg(&["s", "*", "f", "v"])).await.map(drop).unwrap();
    let found = timeout(SOON, read).await.unwrap().unwrap().unwrap();
    assert!(format!("{found:?}").contains('v'), "{found:?}");
}

/// `$` means the time of the call: what is added while the wait is between two slices is not missed.
#[tokio::test]
async fn reading_what_is_new_misses_nothing_between_slices() {
    let emulator = emulator(Duration::from_hours(1)).await;
    // Slices of a second, because idle connections are pinged as often.
    let client = client_with(&emulator, &options(&emulator).with_keep_alive(Duration::from_secs(1))).await;
    for entries in 0..3 {
        let before = Instant::now();
        let read = {
            let client = client.clone();
            tokio::spawn(async move {
                client.execute::<Value>(cmd("XREAD").arg(&["BLOCK", "20000", "STREAMS", "s", "$"])).await
            })
        };
        until_blocked(&client, 1).await;
        // The end of the first slice is kept from the client until the entry is there.
        tokio::time::sleep(Duration::from_millis(700).saturating_sub(before.elapsed())).await;
        emulator.faults().freeze(Freeze::ToClient, Some(Duration::from_millis(800)));
        tokio::time::sleep(Duration::from_millis(500)).await;
        let id: String = client.execute(cmd("XADD").arg(&["s", "*", "f", "v"])).await.unwrap();
        let found = timeout(SOON, read).await.unwrap().unwrap().unwrap();
        assert!(format!("{found:?}").contains(&id), "{entries}: {id} {found:?}");
    }
}

#[tokio::test]
async fn closing_ends_every_wait() {
    let emulator = emulator(Duration::from_hours(1)).await;
    let client = client(&emulator).await;
    let waiting: Vec<_> = (0..3).map(|_| spawn_pop(&client, "k", "0")).collect();
    until_blocked(&client, 3).await;
    client.close().await;
    for pop in waiting {
        let error = timeout(SOON, pop).await.unwrap().unwrap().unwrap_err();
        assert_eq!(error.code(), ErrorCode::Closed);
    }
    assert_eq!(spawn_pop(&client, "k", "0").await.unwrap().unwrap_err().code(), ErrorCode::Closed);
    emulator.wait_until(|stats| stats.connections.open == 0, SOON).await.unwrap();
}

#[tokio::test]
async fn errors_of_the_server_are_passed_on() {
    let emulator = emulator(Duration::from_hours(1)).await;
    let client = client(&emulator).await;
    let () = client.execute(cmd("SET").arg(&["text", "x"])).await.unwrap();
    for command in [
        cmd("BLPOP").arg(&["text", "1"]),
        cmd("BLPOP").arg(&["k", "soon"]),
        cmd("BLPOP").arg(&["k", "-1"]),
        cmd("BLPOP").arg("k"),
        cmd("XREAD").arg(&["BLOCK", "100", "STREAMS", "text", "$"]),
    ] {
        let error = client.execute::<Value>(command).await.unwrap_err();
        println!("{error}");
        assert_eq!(error.code(), ErrorCode::Server, "{error}");
    }
    assert_eq!(emulator.stats().connections.opened, 2, "the connection is still good");
}

#[tokio::test]
async fn in_pipelines_and_transactions_they_are_refused_with_the_call_to_use() {
    let emulator = emulator(Duration::from_hours(1)).await;
    let client = client(&emulator).await;
    for mut pipeline in [Pipeline::new(), Pipeline::transaction()] {
        pipeline.add(cmd("BLPOP").arg(&["k", "0"]));
        let error = client.execute_pipeline(pipeline).await.unwrap_err();
        assert_eq!(error.code(), ErrorCode::InvalidCommand);
        assert!(error.advice().contains("Client::execute"), "{error}");
    }
    let error = client.execute::<i64>(cmd("WAIT").arg(&["1", "10"])).await.unwrap_err();
    println!("{error}");
    assert!(error.advice().contains("pipeline"), "{error}");
    let mut pipeline = Pipeline::transaction();
    pipeline.add(cmd("INCR").arg("k")).add(cmd("WAIT").arg(&["1", "10"]));
    assert_eq!(client.execute_pipeline(pipeline).await.unwrap_err().code(), ErrorCode::InvalidCommand);
}

/// A pipeline that ends in `WAIT` has a connection of its own, and the wait takes as long as it says over all slices.
#[tokio::test]
async fn acknowledgements_are_counted_on_the_connection_that_wrote() {
    let emulator = emulator(Duration::from_secs(4)).await;
    let client = client(&emulator).await;
    let ask = async |replicas: &str, milliseconds: &str| {
        let mut pipeline = Pipeline::new();
        pipeline.add(cmd("INCR").arg("k")).add(cmd("WAIT").arg(&[replicas, milliseconds]));
        let begun = Instant::now();
        let replies: (i64, i64) = client.query_pipeline(pipeline).await.unwrap();
        (replies, begun.elapsed())
    };
    assert_eq!(ask("0", "1000").await.0, (1, 0));
    // There is no replica here: the whole time is waited out, longer than a token lives.
    let (replies, took) = ask("1", "5000").await;
    assert_eq!(replies, (2, 0), "written once");
    assert!(took >= Duration::from_millis(4990) && took < Duration::from_secs(8), "{took:?}");
    assert_eq!(emulator.stats().connections.closed_at_expiry, 0);
}
