//! A listener on a loopback port that can be closed and opened again: under the gateways and the HTTP services.

use std::{io, net::SocketAddr};

use tokio::{
    net::{TcpListener, TcpStream},
    sync::watch,
};

/// A port that is taken already, before anybody is served on it.
pub(crate) struct Listener {
    listener: TcpListener,
    address: SocketAddr,
}

impl Listener {
    /// Takes a free loopback port.
    pub(crate) async fn bind() -> io::Result<Self> {
        let listener = TcpListener::bind(("127.0.0.1", 0)).await?;
        let address = listener.local_addr()?;
        Ok(Self { listener, address })
    }

    pub(crate) fn address(&self) -> SocketAddr {
        self.address
    }

    pub(crate) fn port(&self) -> u16 {
        self.address.port()
    }

    /// Gives every connection to `serve`. While `switch` holds something that is not open, nobody listens.
    pub(crate) async fn accept<T>(
        self,
        mut switch: watch::Receiver<T>,
        is_open: impl Fn(&T) -> bool,
        mut serve: impl FnMut(TcpStream),
    ) {
        let address = self.address;
        // The port may have been closed before this first ran.
        let mut listener = Some(self.listener).filter(|_| is_open(&switch.borrow()));
        while switch.wait_for(&is_open).await.is_ok() {
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
                    Ok(_) = switch.wait_for(|value| !is_open(value)) => break,
                    accepted = current.accept() => {
                        if let Ok((stream, _)) = accepted {
                            serve(stream);
                        }
                    }
                }
            }
        }
    }
}
