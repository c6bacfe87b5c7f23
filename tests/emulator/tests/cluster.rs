//! A cluster behind gateways: what clients see of it.

mod common;

use std::{
    io,
    time::{Duration, Instant},
};

use common::{Redis, SOON, encode, token};
use keyless_emulator::{
    ClusterNode, ClusterOptions, ClusterPolicy, Emulator, EmulatorOptions, NodeRole, Reply,
};
use tokio::{
    io::{AsyncBufReadExt as _, AsyncWriteExt as _, BufReader},
    net::TcpStream,
};

const HOUR: Duration = Duration::from_hours(1);

async fn cluster(cluster: ClusterOptions) -> (Emulator, Vec<ClusterNode>) {
    let start = Instant::now();
    let options = EmulatorOptions { cluster: Some(cluster), ..EmulatorOptions::default() };
    let emulator = Emulator::start(options).await.expect("an emulator");
    let nodes = emulator.cluster().nodes().await.expect("nodes");
    println!("{} nodes, up after {:?}", nodes.len(), start.elapsed());
    (emulator, nodes)
}

/// First slot, last slot, and host and port of each node.
type Range = (i64, i64, Vec<(String, i64)>);

/// What `CLUSTER SLOTS` says.
fn slots(reply: Reply) -> Vec<Range> {
    let list = |reply| if let Reply::Array(items) = reply { items } else { panic!("no list: {reply:?}") };
    let number =
        |reply: &Reply| if let Reply::Integer(number) = reply { *number } else { panic!("{reply:?}") };
    let range = |range| {
        let range = list(range);
        let node = |node: &Reply| {
            let node = list(node.clone());
            (node[0].text().expect("a host"), number(&node[1]))
        };
        (number(&range[0]), number(&range[1]), range[2..].iter().map(node).collect())
    };
    list(reply).into_iter().map(range).collect()
}

#[tokio::test]
async fn a_cluster_shows_its_gateways_to_its_clients() -> io::Result<()> {
    let (emulator, nodes) = cluster(ClusterOptions { replicas: 1, ..ClusterOptions::default() }).await;
    assert_eq!(nodes.len(), 6);
    assert!(nodes.iter().all(|node| node.port != emulator.port()));
    let primaries = nodes.iter().filter(|node| node.role == NodeRole::Primary);
    assert_eq!(primaries.clone().map(ClusterNode::slot_count).sum::<usize>(), 16384);
    for node in &nodes {
        let ranges =
            slots(emulator.cluster().command(node.port, &["CLUSTER", "SLOTS"]).await.expect("slots"));
        assert_eq!(ranges.len(), 3);
        for (first, last, members) in ranges {
            let primary =
                primaries.clone().find(|node| i64::from(node.port) == members[0].1).expect("a primary");
            assert_eq!(
                (i64::from(*primary.slots[0].start()), i64::from(*primary.slots[0].end())),
                (first, last)
            );
            let replica = nodes.iter().find(|node| node.primary == Some(primary.port)).expect("a replica");
            assert_eq!(members[1].1, i64::from(replica.port));
            assert!(members.iter().all(|(host, _)| host == "127.0.0.1"), "{members:?}");
        }
    }
    // The endpoint leads to the first node, which has the first slots.
    let mut seed = Redis::signed_in_to(&emulator, emulator.port()).await?;
    let moved = seed.call(&["SET", "foo", "1"]).await?;
    let owner = primaries.clone().find(|node| node.slots[0].contains(&12182)).expect("an owner").port;
    assert_eq!(moved, format!("-MOVED 12182 127.0.0.1:{owner}"));
    let mut owner = Redis::signed_in_to(&emulator, owner).await?;
    assert_eq!(owner.call(&["SET", "foo", "1"]).await?, "+OK");
    Ok(())
}

#[tokio::test]
async fn every_node_demands_a_token_and_closes_when_it_ends() -> io::Result<()> {
    let (emulator, nodes) = cluster(ClusterOptions::default()).await;
    let oid = emulator.service_principal().oid;
    emulator.set_token_lifetime(Duration::from_secs(2));
    let token_of_seconds = token(&emulator).await;
    emulator.set_token_lifetime(HOUR);
    let token = token(&emulator).await;
    let mut clients = Vec::new();
    for node in &nodes {
        let mut redis = Redis::connect_to(&emulator, node.port).await?;
        assert!(redis.call(&["PING"]).await?.starts_with("-NOAUTH"));
        assert!(redis.call(&["AUTH", &oid, "no-token"]).await?.starts_with("-WRONGPASS"));
        assert_eq!(redis.call(&["AUTH", &oid, &token_of_seconds]).await?, "+OK");
        clients.push(redis);
    }
    // All but the first sign in again.
    for redis in &mut clients[1..] {
        assert_eq!(redis.call(&["AUTH", &oid, &token]).await?, "+OK");
    }
    clients[0].ended().await;
    for redis in &mut clients[1..] {
        assert_eq!(redis.call(&["PING"]).await?, "+PONG");
    }
    let stats = emulator.wait_until(|stats| stats.connections.open == 2, SOON).await.expect("two left");
    assert_eq!(stats.connections.closed_at_expiry, 1);
    for (number, node) in nodes.iter().enumerate() {
        assert_eq!(stats.auth.accepted_by_port[&node.port], 1 + u64::from(number > 0));
        assert_eq!(stats.connections.open_by_port[&node.port], u64::from(number > 0));
        assert!(stats.auth.records.iter().any(|record| record.port == node.port && !record.accepted));
    }
    Ok(())
}

/// Where servers reach each other there is no gateway, so nobody gets in there, with a good token or without.
#[tokio::test]
async fn the_way_between_servers_is_closed_to_clients() -> io::Result<()> {
    let (emulator, nodes) = cluster(ClusterOptions { primaries: 1, ..ClusterOptions::default() }).await;
    let cluster = emulator.cluster();
    let own = cluster.command(nodes[0].port, &["CLUSTER", "NODES"]).await.expect("its line");
    let own = own.text().expect("text");
    let (address, _) = own.split_once(' ').and_then(|(_, rest)| rest.split_once('@')).expect("an address");
    assert_ne!(address, format!("127.0.0.1:{}", nodes[0].port));
    let mut stream = BufReader::new(TcpStream::connect(address).await?);
    let (oid, token) = (emulator.service_principal().oid, token(&emulator).await);
    let key = emulator.access_key().expect("a key");
    for (command, refusal) in [
        (encode(&["PING"]), "-NOAUTH"),
        (encode(&["AUTH", &key]), "-WRONGPASS"),
        (encode(&["AUTH", &oid, &token]), "-WRONGPASS"),
        (encode(&["SYNC"]), "-NOAUTH"),
    ] {
        stream.write_all(command.as_bytes()).await?;
        let mut line = String::new();
        stream.read_line(&mut line).await?;
        assert!(line.starts_with(refusal), "{line}");
    }
    Ok(())
}

#[tokio::test]
async fn the_certificate_of_a_cluster_has_no_address() {
    let (emulator, nodes) = cluster(ClusterOptions { primaries: 1, ..ClusterOptions::default() }).await;
    for port in [emulator.port(), nodes[0].port] {
        common::tls(&emulator, &format!("localhost:{port}")).await.expect("the host name");
        let error = common::tls(&emulator, &format!("127.0.0.1:{port}")).await.expect_err("no address");
        assert!(error.to_string().contains("not valid for name"), "{error}");
    }
}

#[tokio::test]
async fn commands_that_azure_blocks_are_unknown() -> io::Result<()> {
    const BOTH: [&[&str]; 4] =
        [&["SELECT", "1"], &["select", "0"], &["SHUTDOWN", "NOW"], &["Module", "load", "x"]];
    for (policy, cluster_slots) in
        [(ClusterPolicy::Oss, "*1"), (ClusterPolicy::Enterprise, "-ERR unknown command")]
    {
        let options = ClusterOptions { policy, primaries: 1, ..ClusterOptions::default() };
        let (emulator, _) = cluster(options).await;
        let mut redis = Redis::signed_in_to(&emulator, emulator.port()).await?;
        for command in BOTH.into_iter().chain([&["CLUSTER", "RESET"][..]]) {
            let answer = redis.call(command).await?;
            println!("{policy:?} {command:?}: {answer}");
            assert!(answer.starts_with("-ERR unknown command"), "{command:?}: {answer}");
        }
        assert_eq!(redis.call(&["SET", "select", "module"]).await?, "+OK");
        assert!(redis.call(&["CLUSTER", "SLOTS"]).await?.starts_with(cluster_slots), "{policy:?}");
    }
    Ok(())
}
