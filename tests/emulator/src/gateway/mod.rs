//! The token gateway: a listener in front of a real `redis-server` that lets no one in without a good token.

mod blocked;
mod connection;
pub(crate) mod scanner;
mod sign_in;

use std::{
    io::{self, Write as _},
    sync::{Arc, atomic::AtomicU64},
};

use rustls::ServerConfig;
use tokio::{
    net::{TcpStream, UnixStream},
    task::AbortHandle,
};

use crate::{
    flow::{Admission, Flow},
    listener::Listener,
    nodes::Node,
    state::Shared,
};
use blocked::Blocked;

/// Which server stands behind a gateway.
pub(crate) enum Target {
    /// The one of this node.
    Node(Arc<Node>),
    /// That of any node that runs, chosen for each connection.
    Any,
}

/// One gateway: how it speaks to clients, and which server stands behind it.
pub(crate) struct Gateway {
    shared: Arc<Shared>,
    port: u16,
    /// No TLS when `None`.
    tls: Option<Arc<ServerConfig>>,
    target: Target,
    blocked: Blocked,
    flow: Arc<Flow>,
    commands: Arc<AtomicU64>,
}

impl Gateway {
    /// Serves the clients of a port for the life of the runtime, or until the task is aborted.
    pub(crate) fn open(
        shared: Arc<Shared>,
        tls: Option<Arc<ServerConfig>>,
        target: Target,
        listener: Listener,
    ) -> AbortHandle {
        let port = listener.port();
        let gateway = Arc::new(Self {
            port,
            tls,
            target,
            blocked: Blocked::of(&shared.options),
            flow: shared.faults.flows.open(port),
            commands: shared.journal.command_counter(port),
            shared,
        });
        let admission = gateway.flow.admission.subscribe();
        let serve = move |stream| gateway.admit(stream);
        let listening = listener.accept(admission, |admission| *admission != Admission::Closed, serve);
        tokio::spawn(listening).abort_handle()
    }

    fn admit(self: &Arc<Self>, stream: TcpStream) {
        if *self.flow.admission.borrow() == Admission::Open {
            tokio::spawn(connection::serve(self.clone(), stream));
        } else {
            self.shared.journal.turned_away();
        }
    }

    async fn connect(&self) -> io::Result<UnixStream> {
        let node = match &self.target {
            Target::Node(node) => Some(node.clone()),
            Target::Any => self.shared.nodes.any(),
        };
        UnixStream::connect(node.ok_or(io::ErrorKind::NotConnected)?.socket()).await
    }
}

/// Appends a command in RESP.
fn encode<'a>(arguments: impl Iterator<Item = &'a [u8]> + Clone, out: &mut Vec<u8>) {
    // Writing to a vector cannot fail.
    let _ = write!(out, "*{}\r\n", arguments.clone().count());
    for argument in arguments {
        let _ = write!(out, "${}\r\n", argument.len());
        out.extend_from_slice(argument);
        out.extend_from_slice(b"\r\n");
    }
}
