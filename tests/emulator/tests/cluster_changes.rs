//! A cluster that changes: failovers, slots that move, nodes that come and go, all under the eyes of clients.

mod common;

use std::{
    io,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::{Duration, Instant},
};

use common::{Redis, SOON, json, value};
use keyless_emulator::{
    Admission, ClusterNode, ClusterOptions, Cut, Emulator, EmulatorOptions, Failover, Freeze, NodeRole,
    NodeState,
};
use serde_json::json;
use tokio::time::timeout;

const SHORT: Duration = Duration::from_millis(200);

async fn cluster(primaries: u8, replicas: u8) -> (Emulator, Vec<ClusterNode>) {
    let cluster = ClusterOptions {
        primaries,
        replicas,
        node_timeout: Duration::from_secs(1),
        ..ClusterOptions::default()
    };
    let options = EmulatorOptions { cluster: Some(cluster), ..EmulatorOptions::default() };
    let emulator = Emulator::start(options).await.expect("an emulator");
    let nodes = emulator.cluster().nodes().await.expect("nodes");
    (emulator, nodes)
}

async fn node(emulator: &Emulator, port: u16) -> ClusterNode {
    let nodes = emulator.cluster().nodes().await.expect("nodes");
    nodes.into_iter().find(|node| node.port == port).expect("the node")
}

fn replica_of(nodes: &[ClusterNode], primary: u16) -> u16 {
    nodes.iter().find(|node| node.primary == Some(primary)).expect("a replica").port
}

#[tokio::test]
async fn a_replica_takes_over_and_the_dead_node_comes_back_as_its_replica() -> io::Result<()> {
    let (emulator, nodes) = cluster(3, 1).await;
    let cluster = emulator.cluster();
    let (primary, replica) = (nodes[0].port, replica_of(&nodes, nodes[0].port));
    let mut redis = Redis::signed_in_to(&emulator, primary).await?;
    // A key of the first slots, and proof that the replica has it.
    assert_eq!(redis.call(&["SET", "bar", "kept"]).await?, "+OK");
    assert_eq!(redis.call(&["WAIT", "1", "5000"]).await?, ":1");

    let start = Instant::now();
    cluster.kill(primary).expect("killed");
    redis.ended().await;
    assert_eq!(node_state(&emulator, primary).await, NodeState::Down);
    assert!(cluster.wait_until_healthy(Duration::from_millis(100)).await.is_err(), "slots without a node");
    cluster.wait_for_role(replica, NodeRole::Primary, SOON).await.expect("a new primary");
    cluster.wait_until_healthy(SOON).await.expect("a healthy cluster");
    println!("failover after {:?} with a node timeout of 1 s", start.elapsed());
    // The endpoint leads to a node that lives.
    Redis::signed_in_to(&emulator, emulator.port()).await?;
    let mut redis = Redis::signed_in_to(&emulator, replica).await?;
    assert_eq!(redis.value(&["GET", "bar"]).await?, "kept");

    cluster.restart(primary).expect("restarted");
    cluster.wait_for_role(primary, NodeRole::Replica, SOON).await.expect("a replica");
    cluster.wait_until_healthy(SOON).await.expect("a healthy cluster");
    assert_eq!(node(&emulator, primary).await.primary, Some(replica));

    let start = Instant::now();
    cluster.failover(primary, Failover::Graceful).await.expect("a failover");
    cluster.wait_until_healthy(SOON).await.expect("a healthy cluster");
    println!("failover on request after {:?}", start.elapsed());
    assert_eq!(node(&emulator, replica).await.primary, Some(primary));
    assert_eq!(redis.call(&["SET", "bar", "2"]).await?, format!("-MOVED 5061 127.0.0.1:{primary}"));
    Ok(())
}

async fn node_state(emulator: &Emulator, port: u16) -> NodeState {
    node(emulator, port).await.state
}

#[tokio::test]
async fn a_paused_primary_is_replaced_and_learns_of_it() -> io::Result<()> {
    let (emulator, nodes) = cluster(3, 1).await;
    let cluster = emulator.cluster();
    let (primary, replica) = (nodes[1].port, replica_of(&nodes, nodes[1].port));
    let mut redis = Redis::signed_in_to(&emulator, primary).await?;
    cluster.pause(primary).expect("paused");
    redis.send(&["PING"]).await?;
    timeout(SHORT, redis.line()).await.expect_err("no answer");
    emulator.grant("00000000-0000-0000-0000-000000000002").expect("a grant to those that run");
    cluster.wait_for_role(replica, NodeRole::Primary, SOON).await.expect("a new primary");
    cluster.resume(primary).expect("resumed");
    assert_eq!(redis.line().await?, "+PONG");
    cluster.wait_for_role(primary, NodeRole::Replica, SOON).await.expect("a replica");
    cluster.wait_until_healthy(SOON).await.expect("a healthy cluster");
    let users = cluster.command(primary, &["ACL", "GETUSER", "00000000-0000-0000-0000-000000000002"]).await;
    assert_ne!(users.expect("an answer"), keyless_emulator::Reply::Nil, "the grant is made up for");
    Ok(())
}

/// Counts keys through whoever has them, as clients of a cluster do: `MOVED` and `ASK` are followed.
struct Follower<'a> {
    emulator: &'a Emulator,
    clients: std::collections::BTreeMap<u16, Redis>,
    asked: u32,
    moved: u32,
}

impl<'a> Follower<'a> {
    fn new(emulator: &'a Emulator) -> Self {
        Self { emulator, clients: std::collections::BTreeMap::default(), asked: 0, moved: 0 }
    }

    async fn call(&mut self, mut port: u16, command: &[&str]) -> io::Result<String> {
        let mut asking = false;
        for _ in 0..10 {
            if !self.clients.contains_key(&port) {
                self.clients.insert(port, Redis::signed_in_to(self.emulator, port).await?);
            }
            let client = self.clients.get_mut(&port).expect("a client");
            if asking {
                assert_eq!(client.call(&["ASKING"]).await?, "+OK");
            }
            let answer = client.value(command).await?;
            asking = answer.starts_with("-ASK ");
            self.asked += u32::from(asking);
            self.moved += u32::from(answer.starts_with("-MOVED "));
            match answer.strip_prefix("-ASK ").or_else(|| answer.strip_prefix("-MOVED ")) {
                None => return Ok(answer),
                Some(target) => {
                    let (_, target) = target.split_once(" 127.0.0.1:").expect("a gateway");
                    port = target.parse().expect("a port");
                }
            }
        }
        Err(io::Error::other("sent to and fro"))
    }
}

#[tokio::test]
async fn slots_move_with_their_keys_while_they_are_used() -> io::Result<()> {
    const KEYS: usize = 2000;
    let (emulator, nodes) = cluster(3, 0).await;
    let (from, to) = (nodes[0].port, nodes[2].port);
    let mut follower = Follower::new(&emulator);
    for key in 0..KEYS {
        let (key, value) = (format!("key:{key}"), key.to_string());
        assert_eq!(follower.call(from, &["SET", &key, &value]).await?, "+OK");
    }
    // Those that will move, and as many that will not.
    let mut used = Vec::new();
    let mut stay = 0;
    for key in 0..KEYS {
        let slot = follower.call(from, &["CLUSTER", "KEYSLOT", &format!("key:{key}")]).await?;
        let moves = slot.trim_start_matches(':').parse::<u16>().expect("a slot") < 1000;
        stay += usize::from(!moves);
        if moves || stay <= KEYS / 16 {
            used.push(key);
        }
    }
    (follower.asked, follower.moved) = (0, 0);
    let done = Arc::new(AtomicBool::new(false));
    let cluster = emulator.cluster();
    let moving = {
        let done = done.clone();
        tokio::spawn(async move {
            let start = Instant::now();
            let keys = cluster.migrate_slots_slowly(0..=999, from, to, Duration::from_millis(20)).await;
            done.store(true, Ordering::Relaxed);
            (keys, start.elapsed())
        })
    };
    let mut calls = 0;
    while !done.load(Ordering::Relaxed) || calls < used.len() {
        let number = used[calls % used.len()];
        let (key, value) = (format!("key:{number}"), number.to_string());
        assert_eq!(follower.call(from, &["GET", &key]).await?, value, "{key}");
        assert_eq!(follower.call(from, &["SET", &key, &value]).await?, "+OK");
        calls += 1;
    }
    let (keys, time) = moving.await.expect("no panic");
    let keys = keys.expect("moved");
    println!("1000 slots with {keys} keys moved in {time:?}; {} ASK in {} calls", follower.asked, 2 * calls);
    assert!(keys > 50 && follower.asked > 0 && follower.moved > 0);
    assert_eq!(node(&emulator, from).await.slots, [1000..=5460]);
    assert_eq!(node(&emulator, to).await.slots[0], 0..=999);
    Ok(())
}

#[tokio::test]
async fn nodes_come_and_go() -> io::Result<()> {
    let (emulator, nodes) = cluster(2, 0).await;
    let (cluster, first) = (emulator.cluster(), nodes[0].port);
    let mut follower = Follower::new(&emulator);
    for key in 0..200 {
        assert_eq!(follower.call(first, &["SET", &format!("key:{key}"), "value"]).await?, "+OK");
    }
    let start = Instant::now();
    let added = cluster.add_node().await.expect("a node");
    println!("a node was added in {:?}", start.elapsed());
    assert_eq!(node(&emulator, added).await.slot_count(), 0);
    let mut redis = Redis::connect_to(&emulator, added).await?;
    assert!(redis.call(&["PING"]).await?.starts_with("-NOAUTH"));
    cluster.migrate_slots(0..=99, first, added).await.expect("moved");
    assert_eq!(node(&emulator, added).await.slots, [0..=99]);

    let replica = cluster.add_replica(first).await.expect("a replica");
    assert_eq!(node(&emulator, replica).await.primary, Some(first));
    let start = Instant::now();
    cluster.remove_node(first).await.expect("removed");
    println!("a node with 8092 slots was removed in {:?}", start.elapsed());
    let nodes = cluster.nodes().await.expect("nodes");
    assert!(nodes.iter().all(|node| node.port != first && node.primary != Some(first)), "{nodes:?}");
    assert_eq!(nodes.iter().map(ClusterNode::slot_count).sum::<usize>(), 16384);
    assert!(Redis::connect_to(&emulator, first).await.is_err());
    assert!(cluster.kill(first).is_err(), "a node that is gone");
    let mut follower = Follower::new(&emulator);
    for key in 0..200 {
        assert_eq!(follower.call(added, &["GET", &format!("key:{key}")]).await?, "value");
    }
    Ok(())
}

#[tokio::test]
async fn the_gateway_of_one_node_is_disturbed_and_no_other() -> io::Result<()> {
    let (emulator, nodes) = cluster(3, 0).await;
    let (one, other) = (nodes[0].port, nodes[1].port);
    let mut disturbed = Redis::signed_in_to(&emulator, one).await?;
    let mut left_alone = Redis::signed_in_to(&emulator, other).await?;
    let faults = emulator.faults().at(one).expect("its gateway");
    faults.freeze(Freeze::ToClient, None);
    disturbed.send(&["PING"]).await?;
    timeout(SHORT, disturbed.line()).await.expect_err("no answer");
    assert_eq!(left_alone.call(&["PING"]).await?, "+PONG");
    faults.thaw();
    assert_eq!(disturbed.line().await?, "+PONG");
    faults.admission(Admission::Closed);
    faults.cut_connections(Cut::Reset);
    assert_eq!(disturbed.ended().await.kind(), io::ErrorKind::ConnectionReset);
    assert!(Redis::connect_to(&emulator, one).await.is_err());
    assert_eq!(left_alone.call(&["PING"]).await?, "+PONG");
    // The servers still reach each other.
    emulator.cluster().wait_until_healthy(SOON).await.expect("a healthy cluster");
    emulator.faults().clear();
    while Redis::signed_in_to(&emulator, one).await.is_err() {
        tokio::task::yield_now().await;
    }
    Ok(())
}

#[tokio::test]
async fn the_control_endpoint_changes_a_cluster_too() -> io::Result<()> {
    let (emulator, nodes) = cluster(1, 1).await;
    let (primary, replica) = (nodes[0].port, nodes[1].port);
    let ok = async |method: &str, path: &str, body| {
        let response = json(&emulator, method, path, body).await;
        assert!(response.status().is_success(), "{method} {path}: {response:?}");
        response
    };
    let seen: Vec<ClusterNode> =
        serde_json::from_slice(ok("GET", "/nodes", json!(null)).await.body()).expect("nodes");
    assert_eq!(seen, nodes);
    ok("POST", &format!("/nodes/{replica}/failover"), json!({"mode": "takeover"})).await;
    ok("GET", "/healthy?timeout_ms=20000", json!(null)).await;
    assert_eq!(node(&emulator, primary).await.primary, Some(replica));
    let added = value(&ok("POST", "/nodes", json!({})).await)["port"].as_u64().expect("a port");
    ok("POST", "/slots", json!({"first": 0, "last": 9, "from": replica, "to": added})).await;
    let added = u16::try_from(added).expect("a port");
    assert_eq!(node(&emulator, added).await.slots, [0..=9]);
    ok("DELETE", &format!("/nodes/{added}"), json!(null)).await;
    let mut redis = Redis::signed_in_to(&emulator, primary).await?;
    ok("POST", "/faults", json!({"port": primary, "connections": "close"})).await;
    redis.ended().await;
    for action in ["stop", "continue", "kill", "restart"] {
        ok("POST", &format!("/nodes/{primary}"), json!({"action": action})).await;
    }
    assert_eq!(json(&emulator, "POST", "/nodes/1", json!({"action": "kill"})).await.status(), 404);
    assert_eq!(json(&emulator, "POST", "/faults", json!({"port": 1})).await.status(), 404);
    Ok(())
}
