//! Who holds whom: a sink that owns the last handle on its own client, and waits without end.

use keyless::{Batch, Client, CompletionSink, Error, Replies};
use keyless_conformance::{SOON, client_secret, emulator, eventually, options};
use parking_lot::Mutex;
use std::sync::Arc;
use std::task::Waker;
use std::time::Duration;

/// Keeps its client alive until it is dropped itself.
struct Owner {
    _client: Client,
    reply: Arc<Mutex<Option<Vec<u8>>>>,
}

impl CompletionSink for Owner {
    fn complete(&self, _first_tag: u64, replies: Replies<'_>) -> Option<Waker> {
        *self.reply.lock() = Some(replies.bytes().to_vec());
        None
    }

    fn fail(&self, _first_tag: u64, _count: usize, error: &Error) -> Option<Waker> {
        panic!("{error}");
    }
}

#[tokio::test]
async fn a_sink_may_own_the_last_handle_on_its_client() {
    let emulator = emulator(Duration::from_hours(1)).await;
    let other = Client::connect_as(&options(&emulator), client_secret(&emulator)).await.unwrap();
    for _ in 0..20 {
        let client = Client::connect_as(&options(&emulator), client_secret(&emulator)).await.unwrap();
        let reply = Arc::new(Mutex::new(None));
        let sink = Arc::new(Owner { _client: client.clone(), reply: Arc::clone(&reply) });
        let mut batch = Batch::new();
        batch.push(&["ECHO", "x"]).unwrap();
        // No limit at all is a limit too.
        client.submit_within(&mut batch, 0, sink, Duration::MAX).unwrap();
        drop(client);
        eventually("the reply", SOON, || reply.lock().is_some()).await;
        assert_eq!(reply.lock().take().unwrap(), b"$1\r\nx\r\n");
        // The thread that serves all clients goes on.
        let pong: String = other.execute(&keyless::redis::cmd("PING")).await.unwrap();
        assert_eq!(pong, "PONG");
    }
    emulator.wait_until(|stats| stats.connections.open == 1, SOON).await.expect("each client is gone");
}
