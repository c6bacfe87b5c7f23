//! A real redis-server for a benchmark: plain and TLS ports on loopback, ended with the value.

use crate::load::Figure;
use std::io::Write;
use std::net::{TcpListener, TcpStream};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};
use tempfile::TempDir;

/// A running redis-server.
pub(crate) struct Server {
    process: Child,
    /// Certificates and data, as long as the server runs.
    files: TempDir,
    /// The port without TLS.
    pub(crate) plain: u16,
    /// The port with TLS.
    pub(crate) tls: u16,
    /// The certificate of the authority that signed the server's, in PEM.
    pub(crate) ca: String,
}

impl Server {
    /// Starts it; panics with the reason when that fails, since a benchmark cannot go on.
    pub(crate) fn start() -> Self {
        let files = tempfile::tempdir().expect("a temporary directory");
        let ca = certificates(&files);
        let (plain, tls) = (free_port(), free_port());
        let path = |name: &str| files.path().join(name).display().to_string();
        let process = Command::new("redis-server")
            .args(["--port", &plain.to_string(), "--tls-port", &tls.to_string(), "--bind", "127.0.0.1"])
            .args(["--tls-cert-file", &path("server.pem"), "--tls-key-file", &path("server.key")])
            .args(["--tls-ca-cert-file", &path("ca.pem"), "--tls-auth-clients", "no"])
            .args(["--save", "", "--appendonly", "no", "--dir", &files.path().display().to_string()])
            .stdout(Stdio::null())
            .spawn()
            .expect("redis-server, from the package redis-server");
        let mut server = Self { process, files, plain, tls, ca };
        server.wait_until_ready();
        server
    }

    /// The file with the certificate of the authority.
    pub(crate) fn ca_file(&self) -> std::path::PathBuf {
        self.files.path().join("ca.pem")
    }

    /// Notes in a measurement how busy the server was meanwhile.
    pub(crate) fn observe(&self, measure: impl FnOnce() -> Figure) -> Figure {
        let (begun, before) = (Instant::now(), self.worked());
        let figure = measure();
        let server = self.worked().saturating_sub(before).as_secs_f64() / begun.elapsed().as_secs_f64();
        Figure { server, ..figure }
    }

    /// The processor time of the server's main thread, which does all the work on connections. Zero where
    /// the kernel does not tell.
    fn worked(&self) -> Duration {
        let path = format!("/proc/{}/schedstat", self.process.id());
        let nanoseconds = std::fs::read_to_string(path)
            .ok()
            .and_then(|text| text.split_whitespace().next().and_then(|first| first.parse().ok()));
        Duration::from_nanos(nanoseconds.unwrap_or(0))
    }

    fn wait_until_ready(&mut self) {
        let begun = Instant::now();
        while TcpStream::connect(("127.0.0.1", self.tls)).is_err() {
            assert!(begun.elapsed() < Duration::from_secs(10), "redis-server does not answer");
            assert!(self.process.try_wait().is_ok_and(|ended| ended.is_none()), "redis-server ended");
            std::thread::yield_now();
        }
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

fn free_port() -> u16 {
    TcpListener::bind(("127.0.0.1", 0)).and_then(|socket| socket.local_addr()).expect("a free port").port()
}

fn certificates(files: &TempDir) -> String {
    let make = || -> Result<_, rcgen::Error> {
        let ca_key = rcgen::KeyPair::generate()?;
        let mut ca = rcgen::CertificateParams::new(Vec::new())?;
        // Not the name of the server's: OpenSSL would take that one for signed by itself.
        ca.distinguished_name.push(rcgen::DnType::CommonName, "benchmark CA");
        ca.is_ca = rcgen::IsCa::Ca(rcgen::BasicConstraints::Unconstrained);
        let ca_certificate = ca.self_signed(&ca_key)?;
        let issuer = rcgen::Issuer::new(ca, &ca_key);
        let key = rcgen::KeyPair::generate()?;
        let certificate =
            rcgen::CertificateParams::new(vec!["localhost".into()])?.signed_by(&key, &issuer)?;
        Ok((ca_certificate.pem(), certificate.pem(), key.serialize_pem()))
    };
    let (ca, certificate, key) = make().expect("certificates");
    for (name, text) in [("ca.pem", &ca), ("server.pem", &certificate), ("server.key", &key)] {
        std::fs::File::create(files.path().join(name))
            .and_then(|mut file| file.write_all(text.as_bytes()))
            .expect("a file in the temporary directory");
    }
    ca
}
