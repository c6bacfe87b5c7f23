//! The server itself: it ends, stands still, is not ready yet, or takes nobody in.

use crate::journal::Journal;
use crate::report::Row;
use crate::rig::{DURABLE, Rig, Scale, soon};
use keyless::event::EventMask;
use keyless::{Client, Options};
use keyless_conformance::raw::Raw;
use keyless_conformance::{SOON, eventually};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

const WRITERS: usize = 9;

/// Killed without warning and started again with all that it had acknowledged.
pub(super) async fn server_restarted(scale: Scale) -> Row {
    let rig = Rig::new(|emulator| emulator.redis_config = DURABLE.into(), |options| options).await;
    let journal = Journal::start(&rig.client, WRITERS);
    let times = scale.times(3, 100);
    for _ in 0..times {
        journal.progress(500).await;
        rig.block(|emulator| emulator.restart_redis().expect("a restart"));
        journal.progress(500).await;
    }
    Row { injected: times, ..journal.audit(&rig.emulator).await }
}

/// Stopped for 5 s (`SIGSTOP`): commands run out of time, and what reached the server is executed late.
pub(super) async fn server_frozen(scale: Scale) -> Row {
    let rig = Rig::plain().await;
    let journal = Journal::start(&rig.client, WRITERS);
    let times = scale.times(1, 20);
    for _ in 0..times {
        journal.progress(500).await;
        rig.block(|emulator| emulator.pause_redis().expect("SIGSTOP"));
        tokio::time::sleep(Duration::from_secs(5)).await;
        rig.block(|emulator| emulator.resume_redis().expect("SIGCONT"));
        journal.progress(500).await;
    }
    Row { injected: times, ..journal.audit(&rig.emulator).await }
}

/// Started again with so much data that reading it takes a while. It accepts connections and sign-ins meanwhile and
/// answers everything else with `LOADING`, which no caller may hear.
pub(super) async fn server_loading(scale: Scale) -> Row {
    // Reading is slowed down by a setting of the server's own.
    let config = format!("{DURABLE}key-load-delay 100\nloading-process-events-interval-bytes 1024\n");
    let patient = |options: Options| options.with_command_timeout(SOON);
    let rig = Rig::new(|emulator| emulator.redis_config = config, patient).await;
    let journal = Journal::start(&rig.client, WRITERS);
    let times = scale.times(1, 20);
    let mut said = 0;
    for _ in 0..times {
        journal.progress(10_000).await;
        let over = Arc::new(AtomicBool::new(false));
        let (cluster, port, ended) = (rig.emulator.cluster(), rig.emulator.port(), Arc::clone(&over));
        let asking = tokio::spawn(async move {
            let mut said = 0u64;
            while !ended.load(Ordering::Relaxed) {
                let asked = cluster.command(port, &["GET", "x"]).await;
                let text = asked.ok().and_then(|reply| reply.text()).unwrap_or_default();
                said += u64::from(text.starts_with("LOADING"));
                tokio::time::sleep(Duration::from_millis(20)).await;
            }
            said
        });
        rig.block(|emulator| emulator.restart_redis().expect("a restart"));
        over.store(true, Ordering::Relaxed);
        said += asking.await.expect("an end");
        journal.progress(500).await;
    }
    let errors = journal.errors();
    assert!(!errors.values().any(|(_, error)| error.server_code() == Some("LOADING")), "{errors:?}");
    assert!(said > 0, "the server was never seen loading");
    let row = Row { injected: times, ..journal.audit(&rig.emulator).await };
    row.remark(format!("LOADING seen {said} times, by no caller"))
}

/// The server takes nobody in any more, while the client has lost its connection.
pub(super) async fn maxclients_reached(scale: Scale) -> Row {
    let rig = Rig::plain().await;
    let mut administrator = Raw::connect(&rig.emulator).await.expect("a connection");
    let key = rig.emulator.access_key().expect("an access key");
    let mut order = async |arguments: &[&str]| administrator.call(arguments).await.expect("an answer");
    assert_eq!(order(&["AUTH", &key]).await, "+OK");
    let journal = Journal::start(&rig.client, WRITERS);
    let times = scale.times(3, 100);
    for round in 0..times {
        journal.progress(500).await;
        let opened = rig.emulator.stats().connections.opened;
        assert_eq!(order(&["CONFIG", "SET", "maxclients", "1"]).await, "+OK");
        let killed = order(&["CLIENT", "KILL", "TYPE", "normal", "SKIPME", "yes"]).await;
        assert!(killed.starts_with(':') && killed != ":0", "{killed}");
        let refused = move |stats: &keyless_emulator::Stats| stats.connections.opened >= opened + 3;
        rig.emulator.wait_until(refused, SOON).await.expect("attempts");
        assert!(!rig.client.is_ready());
        let why = rig.client.last_error().expect("a reason");
        assert!(why.message().contains("max number of clients"), "{why:?}");
        assert_eq!(order(&["CONFIG", "SET", "maxclients", "10000"]).await, "+OK");
        let restored = usize::try_from(round).expect("a small number") + 1;
        rig.events.wait(EventMask::CONNECTION_RESTORED, restored, SOON).await;
        journal.progress(500).await;
    }
    let client: Client = rig.client.clone();
    soon("an idle client", eventually("nothing waits", SOON, || client.is_ready())).await;
    Row { injected: times, ..journal.audit(&rig.emulator).await }
}
