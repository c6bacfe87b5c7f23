//! What can go wrong with the emulator itself; the errors it plays to its clients live elsewhere.

use std::{path::PathBuf, time::Duration};

/// An emulator that could not be started or asked for something.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// No `redis-server` to put the gateway in front of.
    #[error(
        "redis-server was not found ({looked_for}): install it (Debian, Ubuntu: `apt install redis-server`; \
         macOS: `brew install redis`) or name one in `EmulatorOptions::redis_server`"
    )]
    RedisMissing {
        /// Where it was looked for.
        looked_for: String,
    },
    /// `redis-server` ended before it was ready.
    #[error("{program} ended before it was ready; it said:\n{output}", program = program.display())]
    RedisFailed {
        /// The program that was started.
        program: PathBuf,
        /// What it wrote.
        output: String,
    },
    /// Certificates or keys could not be made.
    #[error("a certificate could not be made: {0}")]
    Certificate(#[from] rcgen::Error),
    /// TLS could not be set up.
    #[error("TLS could not be set up: {0}")]
    Tls(#[from] rustls::Error),
    /// A token could not be signed.
    #[error("a token could not be signed: {0}")]
    Token(#[from] jsonwebtoken::errors::Error),
    /// A socket, a file or a process refused.
    #[error("{0}")]
    Io(#[from] std::io::Error),
    /// An identity that was never registered.
    #[error("no identity {0} is registered with this emulator")]
    UnknownIdentity(String),
    /// A port that no gateway has, or whose gateway stands before no node of its own.
    #[error("no node or gateway of this emulator has port {0}")]
    UnknownPort(u16),
    /// A server refused a command of the emulator's own.
    #[error("redis-server refused {command}: {reply}")]
    Refused {
        /// The command, without its arguments where they could be secret.
        command: String,
        /// The server's error.
        reply: String,
    },
    /// A cluster that did not become what it should, or cannot do what was asked.
    #[error("{0}")]
    Cluster(String),
    /// A condition that did not come true.
    #[error("the condition did not come true within {waited:?}; the counters were: {stats}")]
    Timeout {
        /// How long it was waited for.
        waited: Duration,
        /// The counters at that time, as JSON.
        stats: String,
    },
    /// The emulator is stopping or has stopped.
    #[error("the emulator has stopped")]
    Stopped,
}
