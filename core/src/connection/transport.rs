//! Bytes to and from a socket, with or without TLS. Never blocks and never waits: whoever drives the
//! connection asks the socket's readiness elsewhere, so any thread may drive it in turn.

use bytes::BytesMut;
use rustls::client::UnbufferedClientConnection;
use rustls::pki_types::ServerName;
use rustls::unbuffered::{ConnectionState, EncodeError, EncryptError, UnbufferedStatus};
use std::io::{self, ErrorKind, Read, Write};
use std::net::TcpStream;
use std::sync::Arc;

/// How much is read from the socket at once.
const READ_BYTES: usize = 48 << 10;
/// How much is encrypted at once; what was encrypted counts as written.
const ENCRYPT_BYTES: usize = 64 << 10;
/// Enough for the headers and tags of the records that `ENCRYPT_BYTES` are cut into.
const RECORD_OVERHEAD: usize = 1 << 10;

/// What one read brought.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Received {
    /// Bytes, and there may be more in the socket.
    Some,
    /// Bytes, and the socket was emptied.
    Drained,
    /// The peer has closed its side.
    End,
}

/// A non-blocking socket and, where TLS is used, its session.
pub(crate) struct Transport {
    socket: TcpStream,
    tls: Option<Box<Session>>,
    /// Bytes as they come from the socket: `incoming[start..end]` were not used yet.
    incoming: Box<[u8]>,
    start: usize,
    end: usize,
}

struct Session {
    connection: UnbufferedClientConnection,
    /// Bytes as they go to the socket: `outgoing[sent..filled]` are still to be written.
    outgoing: Vec<u8>,
    filled: usize,
    sent: usize,
    /// The peer said that it sends nothing more.
    closed: bool,
}

impl Transport {
    /// A transport without TLS. The socket must be non-blocking.
    pub(crate) fn plain(socket: TcpStream) -> Self {
        Self { socket, tls: None, incoming: vec![0; READ_BYTES].into(), start: 0, end: 0 }
    }

    /// A transport that begins with a TLS handshake: [`Transport::shake_hands`].
    pub(crate) fn tls(
        socket: TcpStream,
        config: Arc<rustls::ClientConfig>,
        name: ServerName<'static>,
    ) -> Result<Self, rustls::Error> {
        let session = Session {
            connection: UnbufferedClientConnection::new(config, name)?,
            outgoing: vec![0; ENCRYPT_BYTES + RECORD_OVERHEAD],
            filled: 0,
            sent: 0,
            closed: false,
        };
        Ok(Self { tls: Some(Box::new(session)), ..Self::plain(socket) })
    }

    /// The socket, to ask for its readiness and to set options.
    pub(crate) fn socket(&self) -> &TcpStream {
        &self.socket
    }

    /// Brings the TLS handshake as far as the bytes that are there allow; `true` when it is done.
    ///
    /// # Errors
    /// Of kind `InvalidData` with the `rustls::Error` inside when the handshake failed.
    pub(crate) fn shake_hands(&mut self) -> io::Result<bool> {
        let Some(session) = &mut self.tls else { return Ok(true) };
        let mut nothing = BytesMut::new();
        let outcome = session.pump(&mut self.incoming, &mut self.start, self.end, &mut nothing, &[]);
        // An alert that tells the peer why must leave before the socket is given up.
        let flushed = session.flush(&self.socket);
        outcome?;
        Ok(flushed? && !session.connection.is_handshaking())
    }

    /// Reads once from the socket without decrypting: for the handshake.
    pub(crate) fn read_handshake(&mut self) -> io::Result<Received> {
        self.read_socket()
    }

    /// Writes as much of `bytes` as goes without waiting and says how much: those bytes are gone.
    pub(crate) fn send(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let Some(session) = &mut self.tls else {
            return match (&self.socket).write(bytes) {
                Ok(0) if !bytes.is_empty() => Err(ErrorKind::WriteZero.into()),
                Err(error) if error.kind() == ErrorKind::WouldBlock => Ok(0),
                other => other,
            };
        };
        if !session.flush(&self.socket)? {
            return Ok(0);
        }
        let part = &bytes[..bytes.len().min(ENCRYPT_BYTES)];
        let mut early = BytesMut::new();
        session.pump(&mut self.incoming, &mut self.start, self.end, &mut early, part)?;
        debug_assert!(early.is_empty(), "everything that was read was decrypted when it was read");
        session.flush(&self.socket)?;
        Ok(part.len())
    }

    /// Writes what is still waiting to be written; `true` when nothing is.
    pub(crate) fn flush(&mut self) -> io::Result<bool> {
        self.tls.as_mut().map_or(Ok(true), |session| session.flush(&self.socket))
    }

    /// Reads once from the socket and appends what can be used to `into`.
    ///
    /// # Errors
    /// `WouldBlock` when nothing is there; anything else ends the connection.
    pub(crate) fn receive(&mut self, into: &mut BytesMut) -> io::Result<Received> {
        let received = self.read_socket()?;
        match &mut self.tls {
            None => {
                into.extend_from_slice(&self.incoming[self.start..self.end]);
                self.start = self.end;
            }
            Some(session) => {
                session.pump(&mut self.incoming, &mut self.start, self.end, into, &[])?;
                session.flush(&self.socket)?;
                if session.closed {
                    return Ok(Received::End);
                }
            }
        }
        Ok(received)
    }

    /// Says good-bye as TLS wants it and closes the sending side. Errors do not matter any more.
    pub(crate) fn close(&mut self) {
        if let Some(session) = &mut self.tls {
            session.say_goodbye(&mut self.incoming[self.start..self.end]);
            let _ = session.flush(&self.socket);
        }
        let _ = self.socket.shutdown(std::net::Shutdown::Both);
    }

    fn read_socket(&mut self) -> io::Result<Received> {
        if self.start == self.end {
            (self.start, self.end) = (0, 0);
        } else if self.incoming.len() - self.end < READ_BYTES / 2 {
            self.incoming.copy_within(self.start..self.end, 0);
            (self.start, self.end) = (0, self.end - self.start);
        }
        let space = self.incoming.len() - self.end;
        let read = loop {
            match (&self.socket).read(&mut self.incoming[self.end..]) {
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                other => break other?,
            }
        };
        self.end += read;
        Ok(match read {
            0 => Received::End,
            read if read < space => Received::Drained,
            _ => Received::Some,
        })
    }
}

impl Session {
    /// Feeds `incoming[*start..end]` to the session: decrypted bytes go to `into`, what the session
    /// wants to say goes to `outgoing`, and so does `plain`, encrypted, once the handshake allows it.
    fn pump(
        &mut self,
        incoming: &mut [u8],
        start: &mut usize,
        end: usize,
        into: &mut BytesMut,
        mut plain: &[u8],
    ) -> io::Result<()> {
        loop {
            let UnbufferedStatus { mut discard, state } =
                self.connection.process_tls_records(&mut incoming[*start..end]);
            let mut done = false;
            match state.map_err(invalid)? {
                ConnectionState::ReadTraffic(mut traffic) => {
                    while let Some(record) = traffic.next_record() {
                        let record = record.map_err(invalid)?;
                        discard += record.discard;
                        into.extend_from_slice(record.payload);
                    }
                }
                ConnectionState::EncodeTlsData(mut data) => {
                    let written = encode(&mut self.outgoing, self.filled, |out| match data.encode(out) {
                        Err(EncodeError::InsufficientSize(needed)) => Ok(Err(needed.required_size)),
                        Err(error) => Err(io::Error::other(error)),
                        Ok(written) => Ok(Ok(written)),
                    })?;
                    self.filled += written;
                }
                // What was encoded leaves with the next flush; nothing can overtake it.
                ConnectionState::TransmitTlsData(data) => data.done(),
                ConnectionState::WriteTraffic(mut traffic) => {
                    if !plain.is_empty() {
                        let written = encode(&mut self.outgoing, self.filled, |out| {
                            match traffic.encrypt(plain, out) {
                                Err(EncryptError::InsufficientSize(needed)) => Ok(Err(needed.required_size)),
                                Err(error) => Err(io::Error::other(error)),
                                Ok(written) => Ok(Ok(written)),
                            }
                        })?;
                        self.filled += written;
                        plain = &[];
                    }
                    done = true;
                }
                ConnectionState::PeerClosed => self.closed = true,
                // `BlockedHandshake`, `Closed`, and what a client never sees (early data).
                _ => done = true,
            }
            *start += discard;
            if done {
                return Ok(());
            }
        }
    }

    fn say_goodbye(&mut self, incoming: &mut [u8]) {
        let UnbufferedStatus { state, .. } = self.connection.process_tls_records(incoming);
        if let Ok(ConnectionState::WriteTraffic(mut traffic)) = state {
            let written =
                encode(&mut self.outgoing, self.filled, |out| match traffic.queue_close_notify(out) {
                    Err(EncryptError::InsufficientSize(needed)) => Ok(Err(needed.required_size)),
                    Err(error) => Err(io::Error::other(error)),
                    Ok(written) => Ok(Ok(written)),
                });
            self.filled += written.unwrap_or(0);
        }
    }

    fn flush(&mut self, mut socket: &TcpStream) -> io::Result<bool> {
        while self.sent < self.filled {
            match socket.write(&self.outgoing[self.sent..self.filled]) {
                Ok(0) => return Err(ErrorKind::WriteZero.into()),
                Ok(written) => self.sent += written,
                Err(error) if error.kind() == ErrorKind::WouldBlock => return Ok(false),
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
        (self.sent, self.filled) = (0, 0);
        Ok(true)
    }
}

/// Runs an encoder on the free end of `outgoing`, which grows to what the encoder asks for.
fn encode(
    outgoing: &mut Vec<u8>,
    filled: usize,
    mut encoder: impl FnMut(&mut [u8]) -> io::Result<Result<usize, usize>>,
) -> io::Result<usize> {
    loop {
        match encoder(&mut outgoing[filled..])? {
            Ok(written) => return Ok(written),
            Err(required) => outgoing.resize(filled + required, 0),
        }
    }
}

fn invalid(error: rustls::Error) -> io::Error {
    io::Error::new(ErrorKind::InvalidData, error)
}
