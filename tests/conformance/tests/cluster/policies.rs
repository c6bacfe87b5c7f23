//! Both policies of Azure, the option `cluster`, and replicas.

use super::{cluster, connect, with_replicas};
use keyless::options::{ClusterMode, ReadFrom};
use keyless::redis::cmd;
use keyless::{ErrorCode, ScanOptions};
use keyless_conformance::{check, client_secret, emulator, options, refusal};
use keyless_emulator::{ClusterOptions, ClusterPolicy};
use std::time::Duration;

const HOUR: Duration = Duration::from_hours(1);

#[tokio::test]
async fn the_enterprise_policy_looks_like_one_server() {
    let enterprise = ClusterOptions { policy: ClusterPolicy::Enterprise, ..ClusterOptions::default() };
    let emulator = cluster(HOUR, enterprise).await;
    let client = connect(&emulator, &options(&emulator)).await;
    assert_eq!(client.nodes().len(), 1);
    assert_eq!(client.nodes()[0].slots, None);
    client.execute::<()>(cmd("MSET").arg("a").arg(1).arg("b").arg(2)).await.unwrap();
    let mut scan = client.scan(ScanOptions::default());
    let mut seen = 0;
    while let Some(page) = scan.next().await.unwrap() {
        seen += page.len();
    }
    assert_eq!(seen, 2);
    client.close().await;
    let refused = refusal(&options(&emulator).with_cluster(ClusterMode::On), client_secret(&emulator)).await;
    check(&refused, ErrorCode::HandshakeFailed, &["no cluster"], &["cluster=auto"]);
}

#[tokio::test]
async fn a_single_server_is_none_where_a_cluster_is_wanted() {
    let emulator = emulator(HOUR).await;
    let refused = refusal(&options(&emulator).with_cluster(ClusterMode::On), client_secret(&emulator)).await;
    check(&refused, ErrorCode::HandshakeFailed, &["no cluster"], &["cluster=auto"]);
}

#[tokio::test]
async fn without_asking_a_cluster_shows_its_redirections() {
    let emulator = cluster(HOUR, ClusterOptions::default()).await;
    let client = connect(&emulator, &options(&emulator).with_cluster(ClusterMode::Off)).await;
    let mut moved = 0;
    for index in 0..30 {
        if let Err(error) = client.execute::<()>(cmd("SET").arg(format!("k{index}")).arg(1)).await {
            assert_eq!(error.server_code(), Some("MOVED"), "{error}");
            moved += 1;
        }
    }
    assert!(moved > 0);
    client.close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn replicas_answer_what_only_reads() {
    let emulator = cluster(HOUR, with_replicas()).await;
    let client = connect(&emulator, &options(&emulator).with_read_from(ReadFrom::Replica)).await;
    for index in 0..300 {
        client.execute::<()>(cmd("SET").arg(format!("k{index}")).arg(index)).await.unwrap();
    }
    let mut reads_of_replicas = 0;
    for node in emulator.cluster().nodes().await.unwrap() {
        if node.primary.is_some() {
            emulator.cluster().command(node.port, &["CONFIG", "RESETSTAT"]).await.unwrap();
        }
    }
    for index in 0..300 {
        let value: Option<u32> = client.execute(cmd("GET").arg(format!("k{index}"))).await.unwrap();
        // A replica may be behind, but on this machine not for long.
        assert!(value.is_none_or(|value| value == index));
    }
    for node in emulator.cluster().nodes().await.unwrap() {
        if node.primary.is_some() {
            let reply = emulator.cluster().command(node.port, &["INFO", "commandstats"]).await.unwrap();
            let text = reply.text().unwrap_or_default();
            let calls = text.lines().find_map(|line| line.strip_prefix("cmdstat_get:calls="));
            let calls = calls.and_then(|rest| rest.split(',').next()?.parse::<usize>().ok());
            reads_of_replicas += calls.unwrap_or(0);
        }
    }
    println!("{reads_of_replicas} of 300 reads were answered by replicas");
    assert_eq!(reads_of_replicas, 300);
    client.close().await;
}
