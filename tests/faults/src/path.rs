//! A network path: a port that leads to another one, which can be changed, and so can the address it is at.

use std::io;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use tokio::io::copy_bidirectional;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio::task::JoinHandle;

/// A path; it ends, with all connections over it, when it is dropped.
pub struct Path {
    address: SocketAddr,
    to: watch::Sender<u16>,
    taken: Arc<AtomicU64>,
    task: JoinHandle<()>,
}

impl Path {
    /// Opens a path from this address, at a free port or a given one, to a port of this machine.
    pub async fn open(from: IpAddr, port: Option<u16>, to: u16) -> io::Result<Self> {
        let listener = TcpListener::bind((from, port.unwrap_or(0))).await?;
        let (to, taken) = (watch::Sender::new(to), Arc::new(AtomicU64::new(0)));
        let address = listener.local_addr()?;
        let task = tokio::spawn(accept(listener, to.subscribe(), Arc::clone(&taken)));
        Ok(Self { address, to, taken, task })
    }

    /// Its port.
    pub fn port(&self) -> u16 {
        self.address.port()
    }

    /// How many connections were made over it.
    pub fn taken(&self) -> u64 {
        self.taken.load(Ordering::Relaxed)
    }

    /// Leads to another port from now on; connections over it are cut.
    pub fn lead_to(&self, port: u16) {
        self.to.send_replace(port);
    }
}

impl Drop for Path {
    fn drop(&mut self) {
        self.task.abort();
    }
}

async fn accept(listener: TcpListener, to: watch::Receiver<u16>, taken: Arc<AtomicU64>) {
    while let Ok((stream, _)) = listener.accept().await {
        taken.fetch_add(1, Ordering::Relaxed);
        tokio::spawn(carry(stream, to.clone()));
    }
}

async fn carry(mut client: TcpStream, mut to: watch::Receiver<u16>) {
    let port = *to.borrow_and_update();
    let Ok(mut server) = TcpStream::connect((Ipv4Addr::LOCALHOST, port)).await else { return };
    tokio::select! {
        // Also when the path is dropped.
        _ = to.changed() => {}
        _ = copy_bidirectional(&mut client, &mut server) => {}
    }
}
