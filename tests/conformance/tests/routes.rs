//! Other ways to the cache: through an HTTP proxy, and past an endpoint that is dead.

use keyless::redis::cmd;
use keyless::{Client, ErrorCode, Options};
use keyless_conformance::{check, client_secret, emulator, options, refusal};
use keyless_emulator::{Cut, Emulator};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};
use tokio::io::{AsyncReadExt, AsyncWriteExt, copy_bidirectional};
use tokio::net::{TcpListener, TcpStream};

const HOUR: Duration = Duration::from_hours(1);

/// A proxy that knows CONNECT and nothing else; counts the tunnels. A forbidding one opens none.
async fn proxy(forbids: bool) -> (u16, Arc<AtomicUsize>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    let tunnels = Arc::new(AtomicUsize::new(0));
    let counted = Arc::clone(&tunnels);
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            let counted = Arc::clone(&counted);
            tokio::spawn(async move { tunnel(stream, forbids, &counted).await });
        }
    });
    (port, tunnels)
}

async fn tunnel(mut client: TcpStream, forbids: bool, counted: &AtomicUsize) -> std::io::Result<()> {
    let mut request = Vec::new();
    while !request.ends_with(b"\r\n\r\n") {
        request.push(client.read_u8().await?);
    }
    let request = String::from_utf8_lossy(&request).into_owned();
    let mut words = request.split_whitespace();
    let (method, target) = (words.next().unwrap(), words.next().unwrap());
    assert_eq!(method, "CONNECT");
    assert!(request.contains(&format!("Host: {target}\r\n")), "{request}");
    if forbids {
        return client.write_all(b"HTTP/1.1 403 Forbidden by policy\r\n\r\n").await;
    }
    let mut server = TcpStream::connect(target).await?;
    client.write_all(b"HTTP/1.1 200 Connection established\r\nVia: 1.1 test\r\n\r\n").await?;
    counted.fetch_add(1, Ordering::SeqCst);
    copy_bidirectional(&mut client, &mut server).await?;
    Ok(())
}

fn through(emulator: &Emulator, port: u16) -> Options {
    let text = format!("{},tunnel=http:127.0.0.1:{port}", emulator.endpoint());
    Options::parse(&text).unwrap().with_ca_certificates(emulator.ca_pem())
}

#[tokio::test]
async fn a_tunnel_carries_every_connection() {
    let emulator = emulator(HOUR).await;
    let (port, tunnels) = proxy(false).await;
    let client = Client::connect_as(&through(&emulator, port), client_secret(&emulator)).await.unwrap();
    let () = client.execute(cmd("SET").arg("key").arg("value")).await.unwrap();
    assert_eq!(tunnels.load(Ordering::SeqCst), 1);
    emulator.faults().cut_connections(Cut::Reset);
    emulator.wait_until(|stats| stats.auth.accepted == 2, HOUR).await.unwrap();
    let value: String = client.execute(cmd("GET").arg("key")).await.unwrap();
    assert_eq!((value.as_str(), tunnels.load(Ordering::SeqCst)), ("value", 2));
}

#[tokio::test]
async fn a_proxy_that_opens_no_tunnel_is_named_as_the_cause() {
    let emulator = emulator(HOUR).await;
    let (port, _) = proxy(true).await;
    let error = refusal(&through(&emulator, port), client_secret(&emulator)).await;
    let endpoint = emulator.endpoint();
    check(&error, ErrorCode::ConnectFailed, &["proxy", "403 Forbidden", &endpoint], &["tunnel", "CONNECT"]);
    // A port that was free a moment ago.
    let free = TcpListener::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap().port();
    let error = refusal(&through(&emulator, free), client_secret(&emulator)).await;
    check(&error, ErrorCode::ConnectFailed, &["proxy", &free.to_string()], &["tunnel"]);
    assert_eq!(emulator.stats().connections.opened, 0);
}

#[tokio::test]
async fn of_two_endpoints_the_living_one_is_used() {
    let emulator = emulator(HOUR).await;
    let free = TcpListener::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap().port();
    let text = format!("127.0.0.1:{free},{},abortConnect=true,connectRetry=2", emulator.endpoint());
    let options = Options::parse(&text)
        .unwrap()
        .with_ca_certificates(emulator.ca_pem())
        .with_reconnect_backoff_min(Duration::from_millis(20));
    let begun = Instant::now();
    let client = Client::connect_as(&options, client_secret(&emulator)).await.unwrap();
    println!("past the dead endpoint in {:?}", begun.elapsed());
    let () = client.execute(cmd("SET").arg("key").arg("value")).await.unwrap();
    // Without the patience of `abort_on_connect_fail` the living one is found in the background.
    let client = Client::connect_as(&options.with_abort_on_connect_fail(false), client_secret(&emulator))
        .await
        .unwrap();
    let value: String = client.execute(cmd("GET").arg("key")).await.unwrap();
    assert_eq!(value, "value");
}

#[tokio::test]
async fn a_tunnel_and_a_token_that_is_refused_do_not_mix_up() {
    let emulator = emulator(HOUR).await;
    let (port, _) = proxy(false).await;
    let oid = emulator.service_principal().oid;
    emulator.revoke(&oid);
    let error = refusal(&through(&emulator, port), client_secret(&emulator)).await;
    check(&error, ErrorCode::AuthRefused, &[&oid], &["Authentication"]);
    let plain = refusal(&options(&emulator), client_secret(&emulator)).await;
    assert_eq!((plain.code(), plain.advice()), (error.code(), error.advice()));
}
