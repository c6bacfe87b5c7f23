//! One client's connection: bytes both ways, its sign-ins, and its end.

use std::{
    future::pending,
    io,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use socket2::{SockRef, Socket};
use tokio::{
    io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _, split},
    net::{TcpStream, UnixStream},
    sync::{broadcast, watch},
    time::{Instant, sleep_until},
};
use tokio_rustls::TlsAcceptor;

use super::{Gateway, scanner::Scanner, sign_in::sign_in};
use crate::{
    flow::{Cut, Freeze},
    stats::{Ending, now},
};

const BUFFER: usize = 64 * 1024;

/// How long a client that has said all it had to say is given to read the rest of its answers.
const LINGER: Duration = Duration::from_secs(2);

/// Serves one connection to its end.
pub(super) async fn serve(gateway: Arc<Gateway>, stream: TcpStream) {
    let journal = &gateway.shared.journal;
    let cut = gateway.flow.cut.subscribe();
    if let Err(error) = admit_and_serve(&gateway, stream, cut).await {
        tracing::debug!(%error, "connection turned away");
        journal.turned_away();
    }
}

/// Errors come from before the connection is open.
async fn admit_and_serve(
    gateway: &Gateway,
    stream: TcpStream,
    mut cut: broadcast::Receiver<Cut>,
) -> io::Result<()> {
    let journal = &gateway.shared.journal;
    stream.set_nodelay(true)?;
    // A second handle to the socket, to end it under the TLS layer.
    let socket = SockRef::from(&stream).try_clone()?;
    let open = async {
        wait_for_flow(&mut gateway.flow.freeze.subscribe(), |freeze| freeze == Freeze::None).await;
        let upstream = gateway.connect().await?;
        match gateway.tls.clone() {
            None => Ok::<_, io::Error>((Client::Plain(stream), upstream)),
            Some(config) => Ok((Client::Tls(TlsAcceptor::from(config).accept(stream).await?), upstream)),
        }
    };
    let (client, upstream) = tokio::select! {
        opened = open => opened?,
        Ok(how) = cut.recv() => {
            end(&socket, how);
            return Err(io::ErrorKind::ConnectionAborted.into());
        }
    };
    let id = journal.connection_opened(gateway.port);
    tracing::info!(connection = id, port = gateway.port, "opened");
    let ending = match client {
        Client::Plain(stream) => run(gateway, id, stream, upstream, &mut cut, &socket).await,
        Client::Tls(stream) => run(gateway, id, stream, upstream, &mut cut, &socket).await,
    };
    drop(socket);
    tracing::info!(connection = id, ?ending, "ended");
    journal.connection_ended(gateway.port, ending);
    Ok(())
}

#[expect(clippy::large_enum_variant, reason = "it lives for a moment on the stack of its task")]
enum Client {
    Plain(TcpStream),
    Tls(tokio_rustls::server::TlsStream<TcpStream>),
}

/// Moves the bytes until something ends it; all sockets but `socket` are closed on return.
async fn run(
    gateway: &Gateway,
    id: u64,
    client: impl AsyncRead + AsyncWrite,
    upstream: UnixStream,
    cut: &mut broadcast::Receiver<Cut>,
    socket: &Socket,
) -> Ending {
    let (client_in, client_out) = split(client);
    let (upstream_in, upstream_out) = upstream.into_split();
    let (expiry, mut expires) = watch::channel(None);
    let client_is_done = AtomicBool::new(false);
    let to_client = to_client(gateway, upstream_in, client_out);
    let to_server = async {
        match to_server(gateway, id, client_in, upstream_out, &expiry).await {
            Half::Done => {
                client_is_done.store(true, Ordering::Relaxed);
                // The server answers what it has, and closes.
                tokio::time::sleep(LINGER).await;
                Ending::Client
            }
            Half::Broken => Ending::Client,
            // The other direction sees the server's end and says so.
            Half::ServerGone => pending().await,
        }
    };
    tokio::select! {
        biased;
        () = reached(&mut expires) => {
            // Answers may still be under way; a service that closes does not wait for them.
            let _ = socket.shutdown(std::net::Shutdown::Both);
            Ending::Expiry
        }
        Ok(how) = cut.recv() => {
            end(socket, how);
            Ending::Fault
        }
        ending = to_server => ending,
        ending = to_client => if client_is_done.load(Ordering::Relaxed) { Ending::Client } else { ending },
    }
}

fn end(socket: &Socket, how: Cut) {
    // The socket may be gone already, and then there is nothing to do.
    let _ = match how {
        Cut::Close => socket.shutdown(std::net::Shutdown::Both),
        Cut::Reset => socket.set_linger(Some(Duration::ZERO)),
    };
}

/// Completes when the token of the connection expires.
async fn reached(expires: &mut watch::Receiver<Option<Instant>>) {
    loop {
        let deadline = *expires.borrow_and_update();
        let sleep = async {
            match deadline {
                Some(deadline) => sleep_until(deadline).await,
                None => pending().await,
            }
        };
        tokio::select! {
            () = sleep => return,
            changed = expires.changed() => if changed.is_err() { return pending().await },
        }
    }
}

async fn wait_for_flow(freeze: &mut watch::Receiver<Freeze>, flows: impl Fn(Freeze) -> bool) {
    if freeze.wait_for(|freeze| flows(*freeze)).await.is_err() {
        pending::<()>().await;
    }
}

/// How the way from the client to the server ended.
enum Half {
    /// The client ended its side in good order and may still read.
    Done,
    /// The client vanished.
    Broken,
    /// The server no longer reads.
    ServerGone,
}

/// From the client to the server, sign-ins rewritten.
async fn to_server(
    gateway: &Gateway,
    id: u64,
    mut from: impl AsyncRead + Unpin,
    mut to: impl AsyncWrite + Unpin,
    expiry: &watch::Sender<Option<Instant>>,
) -> Half {
    let mut freeze = gateway.flow.freeze.subscribe();
    let flows = |freeze| freeze != Freeze::Both;
    let (shared, port) = (&*gateway.shared, gateway.port);
    let mut scanner = Scanner::looking_for(gateway.blocked.names());
    let (mut buffer, mut out) = (vec![0; BUFFER], Vec::with_capacity(2 * BUFFER));
    loop {
        wait_for_flow(&mut freeze, flows).await;
        let length = match from.read(&mut buffer).await {
            Ok(0) => {
                // If the server is gone already, so is the rest.
                let _ = to.shutdown().await;
                return Half::Done;
            }
            Ok(length) => length,
            Err(_) => return Half::Broken,
        };
        wait_for_flow(&mut freeze, flows).await;
        out.clear();
        let mut deadline = None;
        scanner.feed(&buffer[..length], &mut out, |arguments, out| {
            let Some(verdict) = sign_in(shared, arguments, out) else {
                return gateway.blocked.rewrite(arguments, out);
            };
            let record = verdict.record(id, port);
            tracing::info!(connection = id, port, oid = record.oid, refused = ?record.reason, "sign-in");
            shared.journal.auth(record);
            if verdict.accepted() {
                deadline = Some(verdict.expires_on.map(instant));
            }
            true
        });
        shared.journal.commands(&gateway.commands, scanner.take_commands());
        if let Some(deadline) = deadline {
            expiry.send_replace(deadline);
        }
        if to.write_all(&out).await.is_err() {
            return Half::ServerGone;
        }
    }
}

/// From the server to the client, untouched.
async fn to_client(
    gateway: &Gateway,
    mut from: impl AsyncRead + Unpin,
    mut to: impl AsyncWrite + Unpin,
) -> Ending {
    let mut freeze = gateway.flow.freeze.subscribe();
    let flows = |freeze| freeze == Freeze::None;
    let mut buffer = vec![0; BUFFER];
    loop {
        wait_for_flow(&mut freeze, flows).await;
        let length = match from.read(&mut buffer).await {
            Ok(0) | Err(_) => return Ending::Server,
            Ok(length) => length,
        };
        wait_for_flow(&mut freeze, flows).await;
        if to.write_all(&buffer[..length]).await.is_err() || to.flush().await.is_err() {
            return Ending::Client;
        }
    }
}

/// The moment of this second since 1970.
fn instant(expires_on: u64) -> Instant {
    let left = f64::from(u32::try_from(expires_on).unwrap_or(u32::MAX)) - now();
    Instant::now() + Duration::from_secs_f64(left.max(0.0))
}
