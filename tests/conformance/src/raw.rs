//! The plainest of clients: one TLS connection that does what it is told and never signs in again.

use keyless_emulator::Emulator;
use rustls::pki_types::{CertificateDer, ServerName, pem::PemObject as _};
use rustls::{ClientConfig, RootCertStore};
use std::fmt::Write as _;
use std::io;
use std::sync::Arc;
use tokio::io::{AsyncBufReadExt as _, AsyncReadExt as _, AsyncWriteExt as _, BufReader};
use tokio::net::TcpStream;
use tokio_rustls::{TlsConnector, client::TlsStream};

/// A connection to the cache of an emulator.
pub struct Raw(BufReader<TlsStream<TcpStream>>);

impl Raw {
    /// Connects; does not sign in.
    pub async fn connect(emulator: &Emulator) -> io::Result<Self> {
        let ca = CertificateDer::from_pem_slice(emulator.ca_pem().as_bytes()).expect("a certificate");
        let mut roots = RootCertStore::empty();
        roots.add(ca).expect("a certificate authority");
        let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
        let config = ClientConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .expect("protocol versions")
            .with_root_certificates(roots)
            .with_no_client_auth();
        let stream = TcpStream::connect(("127.0.0.1", emulator.port())).await?;
        let name = ServerName::try_from("localhost").expect("a name");
        Ok(Self(BufReader::new(TlsConnector::from(Arc::new(config)).connect(name, stream).await?)))
    }

    /// Sends one command and reads the first line of the answer.
    pub async fn call(&mut self, arguments: &[&str]) -> io::Result<String> {
        let mut command = format!("*{}\r\n", arguments.len());
        for argument in arguments {
            let _ = write!(command, "${}\r\n{argument}\r\n", argument.len());
        }
        self.0.write_all(command.as_bytes()).await?;
        self.0.flush().await?;
        let mut line = String::new();
        match self.0.read_line(&mut line).await? {
            0 => Err(io::ErrorKind::UnexpectedEof.into()),
            _ => Ok(line.trim_end().to_owned()),
        }
    }

    /// Completes when the other side has ended the connection.
    pub async fn ended(&mut self) {
        if let Ok(read) = self.0.read(&mut [0]).await {
            assert_eq!(read, 0, "bytes instead of the end");
        }
    }
}
