//! The whole data path over a real socket, against a peer that answers in arbitrary pieces.

use super::*;
use crate::connection::frame::tests_support::{aggregate, reply};
use crate::connection::outbox::Limits;
use crate::connection::outbox::tests::{Recorder, until};
use proptest::prelude::*;
use std::future::poll_fn;
use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream as Socket};
use std::thread::JoinHandle;

/// A link to a peer that reads `expects` bytes, writes `pieces`, and closes.
fn connect(expects: usize, pieces: Vec<Vec<u8>>) -> (Transport, JoinHandle<()>) {
    let listener = TcpListener::bind(("127.0.0.1", 0)).unwrap();
    let socket = Socket::connect(listener.local_addr().unwrap()).unwrap();
    let peer = std::thread::spawn(move || {
        let (mut peer, _) = listener.accept().unwrap();
        peer.set_nodelay(true).unwrap();
        let mut received = vec![0; expects];
        peer.read_exact(&mut received).unwrap();
        for piece in pieces {
            // The other side may have given up on garbage.
            if peer.write_all(&piece).is_err() {
                return;
            }
        }
    });
    socket.set_nonblocking(true).unwrap();
    (Transport::plain(socket), peer)
}

/// Submits `count` requests, drives the link to its end, and gives what the sink heard and why it ended.
fn exchange(count: usize, pieces: Vec<Vec<u8>>, limit: usize) -> (Vec<Result<Vec<u8>>>, Error) {
    let outbox = Arc::new(Mutex::new(Outbox::new(Limits { requests: 1 << 20, bytes: 1 << 30 })));
    let sink = Arc::new(Recorder::default());
    let mut batch = Batch::new();
    for _ in 0..count {
        batch.push(&["INCR", "k"]).unwrap();
    }
    let expects = batch.bytes.len();
    let deadline = Instant::now() + Duration::from_mins(1);
    outbox.lock().submit(&mut batch, sink.clone(), 0, until(deadline)).unwrap();
    let (transport, peer) = connect(expects, pieces);
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let error = runtime.block_on(async {
        let link = Link::new(
            transport,
            outbox,
            Arc::new(Subscriptions::new()),
            Rerouter::default(),
            "test",
            Arc::default(),
            limit,
        )
        .unwrap();
        link.open();
        let error = poll_fn(|cx| link.poll(cx)).await;
        link.end(&error);
        error
    });
    peer.join().unwrap();
    let mut told = sink.0.lock();
    let heard = told.drain(..).enumerate().map(|(index, (tag, outcome))| {
        assert_eq!(index as u64, tag, "in order, each once");
        outcome
    });
    (heard.collect(), error)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn any_replies_in_any_pieces_with_pushes_between_reach_their_requests(
        frames in prop::collection::vec((reply(), prop::option::of(reply())), 1..20),
        cuts in prop::collection::vec(1usize..60, 1..30),
    ) {
        let mut stream = Vec::new();
        for (frame, push) in &frames {
            if let Some(push) = push {
                stream.extend(aggregate(b'>', &[b"+message\r\n".to_vec(), push.clone()], 1));
            }
            stream.extend(frame);
        }
        let mut pieces = Vec::new();
        let (mut rest, mut cuts) = (&stream[..], cuts.iter().copied().cycle());
        while !rest.is_empty() {
            let (piece, more) = rest.split_at(cuts.next().unwrap_or(1).min(rest.len()));
            pieces.push(piece.to_vec());
            rest = more;
        }
        let (heard, _) = exchange(frames.len(), pieces, 1 << 20);
        let heard: Vec<Vec<u8>> = heard.into_iter().map(Result::unwrap).collect();
        prop_assert_eq!(heard, frames.into_iter().map(|(frame, _)| frame).collect::<Vec<_>>());
    }

    #[test]
    fn garbage_ends_the_link_and_every_request(
        good in 0usize..5,
        garbage in prop::collection::vec(any::<u8>(), 1..200),
    ) {
        let mut stream = b":1\r\n".repeat(good);
        stream.extend(garbage);
        let (heard, _) = exchange(5, vec![stream], 1 << 20);
        prop_assert_eq!(heard.len(), 5);
        for outcome in heard {
            if let Err(error) = outcome {
                prop_assert!(error.maybe_executed());
            }
        }
    }
}

#[test]
fn a_reply_of_512_mib_arrives_whole() {
    const SIZE: usize = 512 << 20;
    let mut pieces = vec![format!("${SIZE}\r\n").into_bytes()];
    pieces.extend((0..SIZE >> 20).map(|index| vec![u8::try_from(index % 256).unwrap(); 1 << 20]));
    pieces.push(b"\r\n:7\r\n".to_vec());
    let begun = Instant::now();
    let (heard, _) = exchange(2, pieces, SIZE + 64);
    let value = heard[0].as_ref().unwrap();
    assert_eq!(value.len(), SIZE + 12 + 2);
    assert!((0..SIZE >> 20).all(|index| usize::from(value[12 + (index << 20)]) == index % 256));
    assert_eq!(heard[1].as_ref().unwrap(), b":7\r\n");
    println!("512 MiB in {:?}", begun.elapsed());
}

#[test]
fn a_reply_longer_than_allowed_ends_the_link() {
    let (heard, error) = exchange(1, vec![b"$2000\r\n".to_vec()], 1000);
    assert_eq!(error.code(), ErrorCode::Protocol);
    assert!(heard[0].as_ref().is_err_and(Error::maybe_executed));
}

#[test]
fn a_reply_nobody_asked_for_ends_the_link() {
    let (heard, error) = exchange(1, vec![b":1\r\n:2\r\n".to_vec()], 1000);
    assert_eq!(error.code(), ErrorCode::Protocol);
    assert_eq!(heard[0].as_ref().unwrap(), b":1\r\n");
}
