//! The token gateway: a listener in front of a real `redis-server` that lets no one in without a good token.

mod connection;
pub(crate) mod scanner;
mod sign_in;

use std::{io, net::SocketAddr, path::PathBuf, sync::Arc};

use rustls::ServerConfig;
use tokio::net::{TcpListener, TcpStream};

use crate::{faults::Admission, state::Shared};

/// One gateway: how it speaks to clients, and which server stands behind it.
#[derive(Clone)]
pub(crate) struct Gateway {
    pub(crate) shared: Arc<Shared>,
    /// No TLS when `None`.
    pub(crate) tls: Option<Arc<ServerConfig>>,
    /// The socket of the server behind.
    pub(crate) upstream: PathBuf,
}

impl Gateway {
    /// Listens on a free loopback port for the life of the runtime.
    pub(crate) async fn open(self) -> io::Result<SocketAddr> {
        let listener = TcpListener::bind(("127.0.0.1", 0)).await?;
        let address = listener.local_addr()?;
        let gateway = Arc::new(self);
        tokio::spawn(gateway.listen(listener, address));
        Ok(address)
    }

    async fn listen(self: Arc<Self>, listener: TcpListener, address: SocketAddr) {
        let mut admission = self.shared.faults.admission.subscribe();
        // The port may have been closed before this task first ran.
        let mut listener = Some(listener).filter(|_| *admission.borrow() != Admission::Closed);
        while admission.wait_for(|admission| *admission != Admission::Closed).await.is_ok() {
            let current = match listener.take() {
                Some(listener) => listener,
                None => match TcpListener::bind(address).await {
                    Ok(listener) => listener,
                    Err(error) => return tracing::error!(%address, %error, "cannot listen again"),
                },
            };
            loop {
                tokio::select! {
                    biased;
                    Ok(_) = admission.wait_for(|admission| *admission == Admission::Closed) => break,
                    accepted = current.accept() => {
                        if let Ok((stream, _)) = accepted {
                            self.admit(stream);
                        }
                    }
                }
            }
        }
    }

    fn admit(self: &Arc<Self>, stream: TcpStream) {
        if *self.shared.faults.admission.borrow() == Admission::Open {
            tokio::spawn(connection::serve(self.clone(), stream));
        } else {
            self.shared.journal.turned_away();
        }
    }
}
