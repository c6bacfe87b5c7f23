//! One line of code for a single server and for a cluster.

use super::{cluster, connect};
use keyless::redis::{Value, cmd};
use keyless::{ErrorCode, Pipeline, ScanOptions};
use keyless_conformance::{check, options};
use keyless_emulator::ClusterOptions;
use std::collections::BTreeSet;
use std::time::Duration;

const KEYS: usize = 2_000;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn commands_find_their_nodes() {
    let emulator = cluster(Duration::from_hours(1), ClusterOptions::default()).await;
    let client = connect(&emulator, &options(&emulator)).await;
    let nodes = client.nodes();
    println!("{nodes:?}");
    assert_eq!(nodes.iter().filter_map(|node| node.slots).sum::<usize>(), 16_384);
    assert_eq!(nodes.len(), 3);

    // A pipeline over all slots, its answers in order.
    let key = |index: usize| format!("key:{index}");
    let mut pipeline = Pipeline::new();
    for index in 0..KEYS {
        pipeline.add(cmd("SET").arg(key(index)).arg(index));
    }
    for index in 0..KEYS {
        pipeline.add(cmd("GET").arg(key(index)));
    }
    let replies = client.execute_pipeline(pipeline).await.unwrap();
    for (index, reply) in replies[KEYS..].iter().enumerate() {
        assert_eq!(*reply.as_ref().unwrap(), Value::BulkString(index.to_string().into_bytes()));
    }

    // Commands with many keys are cut and put together again.
    let keys: Vec<String> = (0..100).map(key).collect();
    let values: Vec<usize> = client.execute(cmd("MGET").arg(&keys)).await.unwrap();
    assert_eq!(values, (0..100).collect::<Vec<_>>());
    let pairs: Vec<(String, usize)> = (0..100).map(|index| (key(index), index + 1)).collect();
    client.execute::<()>(cmd("MSET").arg(&pairs)).await.unwrap();
    let values: Vec<usize> = client.execute(cmd("MGET").arg(&keys)).await.unwrap();
    assert_eq!(values, (1..101).collect::<Vec<_>>());
    assert_eq!(client.execute::<usize>(cmd("EXISTS").arg(&keys)).await.unwrap(), 100);

    // What is for every node is asked of every node.
    assert_eq!(client.execute::<usize>(&cmd("DBSIZE")).await.unwrap(), KEYS);
    assert_eq!(client.execute::<Vec<String>>(cmd("KEYS").arg("*")).await.unwrap().len(), KEYS);
    let mut sizes = 0;
    for node in &nodes {
        let size: usize = client.execute_on(&node.endpoint, &cmd("DBSIZE")).await.unwrap();
        assert!(size > 0);
        sizes += size;
    }
    assert_eq!(sizes, KEYS);
    let mut scan = client.scan(ScanOptions::default());
    let (mut pages, mut seen) = (0, BTreeSet::new());
    while let Some(page) = scan.next().await.unwrap() {
        pages += 1;
        seen.extend(page);
    }
    println!("{pages} pages, {} keys", seen.len());
    assert_eq!(seen.len(), KEYS);

    assert_eq!(client.execute::<usize>(cmd("DEL").arg(&keys)).await.unwrap(), 100);
    assert_eq!(client.execute::<usize>(&cmd("DBSIZE")).await.unwrap(), KEYS - 100);
    client.execute::<()>(&cmd("FLUSHALL")).await.unwrap();
    assert_eq!(client.execute::<usize>(&cmd("DBSIZE")).await.unwrap(), 0);
    client.close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_no_node_can_do_is_refused_before_it_is_sent() {
    let emulator = cluster(Duration::from_hours(1), ClusterOptions::default()).await;
    let client = connect(&emulator, &options(&emulator)).await;
    let refused = client.execute::<Value>(cmd("RENAME").arg("a").arg("b")).await.unwrap_err();
    check(&refused, ErrorCode::InvalidCommand, &["RENAME", "CROSSSLOT"], &["hash tag"]);
    let refused = client.execute::<Value>(cmd("SCAN").arg(0)).await.unwrap_err();
    check(&refused, ErrorCode::InvalidCommand, &["SCAN"], &["Client::scan"]);
    let mut transaction = Pipeline::transaction();
    transaction.add(cmd("INCR").arg("a")).add(cmd("INCR").arg("b"));
    let refused = client.execute_pipeline(transaction).await.unwrap_err();
    check(&refused, ErrorCode::InvalidCommand, &["transaction", "CROSSSLOT"], &["hash tag"]);
    let refused = client.execute_on::<Value>("127.0.0.1:1", &cmd("PING")).await.unwrap_err();
    check(&refused, ErrorCode::InvalidEndpoint, &["127.0.0.1:1"], &["Client::nodes"]);

    let mut transaction = Pipeline::transaction();
    transaction.add(cmd("INCR").arg("{a}1")).add(cmd("INCRBY").arg("{a}2").arg(5));
    let both: (i64, i64) = client.query_pipeline(transaction).await.unwrap();
    assert_eq!(both, (1, 5));
    // Waiting commands go to the node of their keys.
    for index in 0..20 {
        let key = format!("list:{index}");
        client.execute::<()>(cmd("RPUSH").arg(&key).arg(index)).await.unwrap();
        let popped: (String, usize) = client.execute(cmd("BLPOP").arg(&key).arg(5)).await.unwrap();
        assert_eq!(popped, (key, index));
    }
    client.close().await;
}
