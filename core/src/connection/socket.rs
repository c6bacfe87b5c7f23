//! Options of the TCP socket, and all that differs between platforms about them.

use socket2::{SockRef, TcpKeepalive};
use std::io;
use std::net::TcpStream;
use std::time::Duration;

const SECOND: Duration = Duration::from_secs(1);

/// Prepares a connected socket: no Nagle delay, probes on an idle path, and an end to a path that
/// swallows data.
pub(crate) fn prepare(
    socket: &TcpStream,
    keep_alive: Option<Duration>,
    unacknowledged: Duration,
) -> io::Result<()> {
    socket.set_nonblocking(true)?;
    socket.set_nodelay(true)?;
    let socket = SockRef::from(socket);
    if let Some(idle) = keep_alive {
        // The system counts whole seconds and takes no 0.
        let (time, interval) = (idle.max(SECOND), (idle / 3).max(SECOND));
        socket.set_tcp_keepalive(&TcpKeepalive::new().with_time(time).with_interval(interval))?;
    }
    limit_unacknowledged(&socket, unacknowledged)
}

/// How long sent data may stay unacknowledged: keep-alive is blind while data is under way, and Linux
/// alone would go on for a quarter of an hour.
#[cfg(any(target_os = "linux", target_os = "android"))]
fn limit_unacknowledged(socket: &SockRef<'_>, limit: Duration) -> io::Result<()> {
    socket.set_tcp_user_timeout(Some(limit))
}

/// Elsewhere the watchdog on replies alone notices a dead path.
#[cfg(not(any(target_os = "linux", target_os = "android")))]
#[allow(clippy::unnecessary_wraps, reason = "one meaning on every platform")]
fn limit_unacknowledged(_socket: &SockRef<'_>, _limit: Duration) -> io::Result<()> {
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::net::TcpListener;

    #[test]
    fn short_times_are_taken() {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        for millis in [1, 600, 1_000, 2_000, 60_000] {
            let socket = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
            let time = Duration::from_millis(millis);
            prepare(&socket, Some(time), time).unwrap();
        }
    }
}
