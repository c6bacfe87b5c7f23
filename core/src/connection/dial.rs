//! From an endpoint's name to a transport: name resolution, TCP to whichever address answers first, a
//! tunnel where one is asked for, TLS. What is said on it afterwards is `handshake`'s.

use super::settings::{Settings, Target, TlsSettings};
use super::transport::{Received, Transport};
use super::{socket, tls};
use crate::error::{Error, ErrorCode, Result};
use std::io::{self, ErrorKind};
use std::net::SocketAddr;
use std::sync::atomic::{AtomicU8, Ordering};
use std::time::Duration;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::task::JoinSet;

/// How long one address has before the next is tried beside it (RFC 8305, "Happy Eyeballs").
const NEXT_ADDRESS_AFTER: Duration = Duration::from_millis(250);
/// TCP's own probes on an idle connection that is not pinged.
const TCP_KEEP_ALIVE: Duration = Duration::from_mins(1);
/// The longest answer a proxy may give to CONNECT.
const MAX_PROXY_ANSWER: usize = 8 << 10;

/// How far a connection has come, for the error when its time is up.
#[derive(Debug, Default)]
pub(crate) struct Progress(AtomicU8);

impl Progress {
    const TLS: u8 = 1;
    const SIGN_IN: u8 = 2;

    /// The transport stands; what follows is said on it.
    pub(crate) fn signs_in(&self) {
        self.0.store(Self::SIGN_IN, Ordering::Relaxed);
    }

    /// The error of a connection that was not ready in time: what it was waiting for.
    pub(crate) fn too_slow(&self, limit: Duration) -> Error {
        let limit = limit.as_millis();
        match self.0.load(Ordering::Relaxed) {
            Self::TLS => Error::new(
                ErrorCode::TlsFailed,
                format!("The other side left the TLS handshake unanswered until {limit} ms were over."),
                "Check the port: 10000 on Azure Managed Redis, 6380 on Azure Cache for Redis; a server without TLS is silent like this and needs ssl=false.",
            )
            .retryable(true),
            Self::SIGN_IN => Error::new(
                ErrorCode::HandshakeFailed,
                format!("The server left the sign-in unanswered until {limit} ms were over."),
                "The server hangs or is overloaded, or this is not a Redis port; raise connect_timeout on slow paths.",
            ),
            _ => Error::new(
                ErrorCode::ConnectFailed,
                format!("The connection was not ready within {limit} ms."),
                "Check host, port and firewall: a firewall that drops packets looks like this; raise connect_timeout on slow paths.",
            ),
        }
    }
}

/// A transport whose TLS handshake is done. The caller sets the time limit.
pub(crate) async fn dial(settings: &Settings, target: &Target, progress: &Progress) -> Result<Transport> {
    let (host, port) =
        settings.tunnel.as_ref().map_or((target.host.as_str(), target.port), |(host, port)| (host, *port));
    let addresses = resolve(host, port, target.hint.as_deref()).await?;
    let mut stream = connect(&addresses).await.map_err(|why| match &settings.tunnel {
        None => connect_failed(&why),
        Some(_) => Error::new(
            ErrorCode::ConnectFailed,
            format!("No TCP connection to the proxy {host}:{port} could be made: {why}."),
            "Check the option tunnel and that the proxy is running.",
        ),
    })?;
    if settings.tunnel.is_some() {
        open_tunnel(&mut stream, &target.host, target.port).await?;
    }
    let failed = |error: io::Error| connect_failed(&error.to_string());
    let stream = stream.into_std().map_err(failed)?;
    let keep_alive = settings.tcp_keep_alive.then_some(settings.keep_alive.unwrap_or(TCP_KEEP_ALIVE));
    socket::prepare(&stream, keep_alive, settings.command_timeout * 2).map_err(failed)?;
    match &target.tls {
        None => Ok(Transport::plain(stream)),
        Some(wanted) => {
            progress.0.store(Progress::TLS, Ordering::Relaxed);
            shake_hands(stream, &target.host, wanted).await
        }
    }
}

async fn resolve(host: &str, port: u16, hint: Option<&str>) -> Result<Vec<SocketAddr>> {
    let failed = |why: String| {
        Error::new(
            ErrorCode::NameResolution,
            format!("The host name {host} could not be resolved: {why}."),
            format!(
                "{}Check the spelling of the endpoint, the DNS of this machine, and whether a private endpoint needs a private DNS zone.",
                hint.map(|hint| format!("{hint} ")).unwrap_or_default()
            ),
        )
    };
    let found: Vec<SocketAddr> =
        tokio::net::lookup_host((host, port)).await.map_err(|error| failed(error.to_string()))?.collect();
    if found.is_empty() {
        return Err(failed("it has no address".into()));
    }
    Ok(alternate(found))
}

/// The families in turn, beginning with the one that the resolver prefers.
fn alternate(addresses: Vec<SocketAddr>) -> Vec<SocketAddr> {
    let first_is_v6 = addresses.first().is_some_and(SocketAddr::is_ipv6);
    let (preferred, others): (Vec<_>, Vec<_>) =
        addresses.into_iter().partition(|address| address.is_ipv6() == first_is_v6);
    let (mut preferred, mut others) = (preferred.into_iter(), others.into_iter());
    std::iter::from_fn(|| Some([preferred.next(), others.next()]))
        .take_while(|pair| pair.iter().any(Option::is_some))
        .flatten()
        .flatten()
        .collect()
}

/// A connection to the first address that answers, or why the last one did not.
async fn connect(addresses: &[SocketAddr]) -> Result<TcpStream, String> {
    let mut attempts = JoinSet::new();
    let mut waiting = addresses.iter().copied();
    let mut last = None;
    loop {
        let more = match waiting.next() {
            Some(address) => {
                attempts.spawn(
                    async move { TcpStream::connect(address).await.map_err(|error| (address, error)) },
                );
                waiting.len() > 0
            }
            None => false,
        };
        tokio::select! {
            Some(outcome) = attempts.join_next() => match outcome {
                Ok(Ok(stream)) => return Ok(stream),
                Ok(Err((address, error))) => {
                    last = Some(format!("{address}: {error}"));
                    if attempts.is_empty() && waiting.len() == 0 {
                        break;
                    }
                }
                Err(error) => last = Some(error.to_string()),
            },
            () = tokio::time::sleep(NEXT_ADDRESS_AFTER), if more => {}
            else => break,
        }
    }
    Err(last.unwrap_or_else(|| "no address".into()))
}

/// Asks an HTTP proxy for a way through (RFC 9110, CONNECT).
async fn open_tunnel(stream: &mut TcpStream, host: &str, port: u16) -> Result<()> {
    let failed = |why: String| {
        Error::new(
            ErrorCode::ConnectFailed,
            format!("The proxy opened no tunnel to {host}:{port}: {why}."),
            "Check the option tunnel and whether the proxy allows CONNECT to this port.",
        )
    };
    let request = format!("CONNECT {host}:{port} HTTP/1.1\r\nHost: {host}:{port}\r\n\r\n");
    stream.write_all(request.as_bytes()).await.map_err(|error| failed(error.to_string()))?;
    let mut answer = Vec::new();
    while !answer.ends_with(b"\r\n\r\n") {
        if answer.len() > MAX_PROXY_ANSWER {
            return Err(failed("its answer is too long".into()));
        }
        answer.push(stream.read_u8().await.map_err(|error| failed(error.to_string()))?);
    }
    let line =
        String::from_utf8_lossy(answer.split(|byte| *byte == b'\r').next().unwrap_or_default()).into_owned();
    if line.split(' ').nth(1).is_some_and(|status| status.starts_with('2')) {
        Ok(())
    } else {
        Err(failed(line))
    }
}

async fn shake_hands(stream: std::net::TcpStream, host: &str, wanted: &TlsSettings) -> Result<Transport> {
    let explain = |error: &io::Error| {
        match error.get_ref().and_then(|inner| inner.downcast_ref::<rustls::Error>()) {
            Some(error) => tls::explain(error, host, &wanted.config.store),
            None => Error::new(
                ErrorCode::TlsFailed,
                format!("The connection ended during the TLS handshake: {error}."),
                "Check the port: 10000 on Azure Managed Redis, 6380 on Azure Cache for Redis; a firewall or a server without TLS ends it like this too.",
            )
            .retryable(true),
        }
    };
    let failed = |error: io::Error| connect_failed(&error.to_string());
    let reactor = TcpStream::from_std(stream.try_clone().map_err(failed)?).map_err(failed)?;
    let mut transport = Transport::tls(stream, wanted.config.config.clone(), wanted.name.clone())
        .map_err(|error| tls::explain(&error, host, &wanted.config.store))?;
    loop {
        if transport.shake_hands().map_err(|error| explain(&error))? {
            return Ok(transport);
        }
        let writes = !transport.flush().map_err(|error| explain(&error))?;
        if writes {
            reactor.writable().await.map_err(|error| explain(&error))?;
            continue;
        }
        reactor.readable().await.map_err(|error| explain(&error))?;
        let read = reactor.try_io(tokio::io::Interest::READABLE, || transport.read_handshake());
        match read {
            Ok(Received::End) => return Err(explain(&ErrorKind::UnexpectedEof.into())),
            Ok(_) => {}
            Err(error) if error.kind() == ErrorKind::WouldBlock => {}
            Err(error) => return Err(explain(&error)),
        }
    }
}

fn connect_failed(why: &str) -> Error {
    Error::new(
        ErrorCode::ConnectFailed,
        format!("No TCP connection could be made: {why}."),
        "Check host and port, that the cache is running, and that firewall, private endpoint or network rules let this machine through.",
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn address_families_take_turns() {
        let addresses =
            ["[::1]:1", "[::2]:1", "1.1.1.1:1", "[::3]:1"].map(|text| text.parse().unwrap()).to_vec();
        let order: Vec<String> = alternate(addresses).iter().map(ToString::to_string).collect();
        assert_eq!(order, ["[::1]:1", "1.1.1.1:1", "[::2]:1", "[::3]:1"]);
    }
}
