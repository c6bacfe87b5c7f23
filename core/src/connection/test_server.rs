//! A real server on a Unix socket, for tests that ask it directly.

use super::Batch;
use super::decode::decode;
use super::frame::Scanner;
use crate::error::Result;
use redis::Value;
use std::io::{Read, Write};
use std::net::TcpListener;
use std::os::unix::net::UnixStream;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

/// A server, ended when it is dropped.
pub(super) struct Server {
    process: Child,
    directory: PathBuf,
}

/// A connection to it.
pub(super) struct Connection {
    stream: UnixStream,
    scanner: Scanner,
    bytes: Vec<u8>,
}

/// What a connection received.
#[derive(Debug)]
pub(super) enum Received {
    Reply(Result<Value>),
    /// A push, as it came.
    Push(Vec<u8>),
}

impl Server {
    pub(super) fn start() -> Self {
        Self::start_with(&[])
    }

    /// With cluster support, and no slots yet.
    pub(super) fn start_cluster() -> Self {
        // Nobody connects to it, but a cluster node has a bus.
        let bus = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port().to_string();
        Self::start_with(&["--bind", "127.0.0.1", "--cluster-enabled", "yes", "--cluster-port", &bus])
    }

    fn start_with(args: &[&str]) -> Self {
        let directory =
            std::env::temp_dir().join(format!("keyless-{}-{}", std::process::id(), fastrand::u64(..)));
        std::fs::create_dir(&directory).unwrap();
        let process = Command::new("redis-server")
            .args(["--port", "0", "--save", "", "--unixsocket", "redis.sock"])
            .args(args)
            .arg("--dir")
            .arg(&directory)
            .stdout(Stdio::null())
            .spawn()
            .expect("redis-server");
        Self { process, directory }
    }

    pub(super) fn connect(&self) -> Connection {
        let began = Instant::now();
        loop {
            match UnixStream::connect(self.directory.join("redis.sock")) {
                Ok(stream) => {
                    return Connection { stream, scanner: Scanner::new(1 << 24), bytes: Vec::new() };
                }
                Err(error) if began.elapsed() > Duration::from_secs(20) => panic!("{error}"),
                Err(_) => std::thread::yield_now(),
            }
        }
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
        let _ = std::fs::remove_dir_all(&self.directory);
    }
}

impl Connection {
    pub(super) fn send(&mut self, batch: &Batch) {
        self.stream.write_all(&batch.bytes).unwrap();
    }

    /// The next reply or push.
    pub(super) fn receive(&mut self) -> Received {
        loop {
            if let Some(frame) = self.scanner.scan(&self.bytes).unwrap() {
                let rest = self.bytes.split_off(frame.end);
                let bytes = std::mem::replace(&mut self.bytes, rest);
                return if frame.push { Received::Push(bytes) } else { Received::Reply(decode(&bytes)) };
            }
            let mut more = [0; 16384];
            let length = self.stream.read(&mut more).unwrap();
            assert!(length > 0, "the server closed the connection");
            self.bytes.extend_from_slice(&more[..length]);
        }
    }

    /// The replies to requests, sent as one piece; no push is expected.
    pub(super) fn ask(&mut self, batch: &Batch) -> Vec<Result<Value>> {
        self.send(batch);
        let replies = (0..batch.len()).map(|_| match self.receive() {
            Received::Reply(reply) => reply,
            Received::Push(push) => panic!("{}", String::from_utf8_lossy(&push)),
        });
        replies.collect()
    }

    /// The reply to one request.
    pub(super) fn call(&mut self, args: &[&str]) -> Value {
        let mut batch = Batch::new();
        batch.push_own(args);
        self.ask(&batch).remove(0).unwrap()
    }
}
