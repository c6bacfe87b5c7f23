//! A server for tests that does what a function says: real sockets and no Redis behind them, so that an
//! answer can be held back until something else has happened.

use super::node::Node;
use super::outbox::Limits;
use super::reauth;
use super::settings::{Settings, Target};
use super::transport::Transport;
use crate::event::EventHub;
use std::io::{BufRead, BufReader, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::Arc;
use std::time::Duration;

/// One request, as the function sees it.
pub(super) struct Request<'a> {
    /// Counts the peer's connections, from 1.
    pub(super) connection: usize,
    /// The command's name and arguments.
    pub(super) args: &'a [String],
    socket: &'a TcpStream,
}

impl Request<'_> {
    /// Whether it is this command.
    pub(super) fn is(&self, name: &str) -> bool {
        self.args[0] == name
    }

    /// Sends bytes back. The other side may be gone by now.
    pub(super) fn answer(&self, bytes: &[u8]) {
        let _ = (&mut &*self.socket).write_all(bytes);
    }

    /// Does what every server does with a handshake, a `PING` and a subscription.
    pub(super) fn answer_as_usual(&self) {
        match &*self.args[0] {
            "HELLO" => self.answer(b"%1\r\n+proto\r\n:3\r\n"),
            "PING" => self.answer(b"+PONG\r\n"),
            "SUBSCRIBE" => {
                for name in &self.args[1..] {
                    let confirmed = format!(">3\r\n$9\r\nsubscribe\r\n${}\r\n{name}\r\n:1\r\n", name.len());
                    self.answer(confirmed.as_bytes());
                }
            }
            _ => self.answer(b"+OK\r\n"),
        }
    }
}

/// Listens until the process ends; each connection has a thread, which ends with it.
pub(super) fn start(script: impl Fn(&Request<'_>) + Send + Sync + 'static) -> SocketAddr {
    let listener = TcpListener::bind(("127.0.0.1", 0)).unwrap();
    let address = listener.local_addr().unwrap();
    let script = Arc::new(script);
    std::thread::spawn(move || {
        for (index, socket) in listener.incoming().flatten().enumerate() {
            let script = Arc::clone(&script);
            std::thread::spawn(move || serve(index + 1, &socket, &*script));
        }
    });
    address
}

fn serve(connection: usize, socket: &TcpStream, script: &dyn Fn(&Request<'_>)) {
    let _ = socket.set_nodelay(true);
    let mut reader = BufReader::new(socket);
    while let Some(args) = read(&mut reader) {
        script(&Request { connection, args: &args, socket });
    }
}

/// One command; `None` at the end.
fn read(reader: &mut impl BufRead) -> Option<Vec<String>> {
    let number = |reader: &mut dyn BufRead| -> Option<usize> {
        let mut line = String::new();
        reader.read_line(&mut line).ok()?;
        line.get(1..)?.trim_end().parse().ok()
    };
    let count = number(reader)?;
    (0..count)
        .map(|_| {
            let mut bytes = vec![0; number(reader)? + 2];
            reader.read_exact(&mut bytes).ok()?;
            bytes.truncate(bytes.len() - 2);
            String::from_utf8(bytes).ok()
        })
        .collect()
}

/// Settings for a peer, quick to notice things.
pub(super) fn settings(peer: SocketAddr) -> Settings {
    let target = Target {
        label: peer.to_string().into(),
        host: peer.ip().to_string(),
        port: peer.port(),
        hint: None,
        tls: None,
    };
    Settings {
        targets: vec![target],
        connect_timeout: Duration::from_secs(10),
        command_timeout: Duration::from_secs(2),
        keep_alive: None,
        backoff_min: Duration::from_millis(10),
        backoff_max: Duration::from_millis(100),
        reauth_stagger: Some(Duration::ZERO),
        reauth_retry_min: Duration::from_millis(10),
        max_reply_bytes: 1 << 26,
        limits: Limits { requests: 1000, bytes: 1 << 20 },
        ..reauth::tests::settings()
    }
}

/// An endpoint with these settings that nobody supervises yet.
pub(super) fn node(settings: Settings) -> Arc<Node> {
    Arc::new(Node::new(settings, EventHub::new()))
}

/// A plain connection to a peer.
pub(super) fn dial(peer: SocketAddr) -> Transport {
    let socket = TcpStream::connect(peer).unwrap();
    socket.set_nonblocking(true).unwrap();
    Transport::plain(socket)
}
