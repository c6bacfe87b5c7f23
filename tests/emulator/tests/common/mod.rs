//! The plainest of clients: RESP and HTTP by hand over TCP or TLS, so that nothing clever hides a fault.

#![allow(dead_code, missing_docs, unreachable_pub, reason = "each test uses a part of it")]

use std::{fmt::Write as _, io, sync::Arc, time::Duration};

use hyper::{Request, Response, body::Bytes};
use keyless_emulator::{Emulator, EmulatorOptions, http_request};
use rustls::{
    ClientConfig, RootCertStore, SupportedProtocolVersion,
    crypto::CryptoProvider,
    pki_types::{CertificateDer, ServerName, pem::PemObject},
};
use serde_json::Value;
use tokio::{
    io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader},
    net::TcpStream,
    time::timeout,
};
use tokio_rustls::{TlsConnector, client::TlsStream};

pub const SOON: Duration = Duration::from_secs(20);

pub async fn emulator(lifetime: Duration) -> Emulator {
    let options = EmulatorOptions { token_lifetime: lifetime, ..EmulatorOptions::default() };
    Emulator::start(options).await.expect("an emulator")
}

pub async fn tls(emulator: &Emulator, endpoint: &str) -> io::Result<TlsStream<TcpStream>> {
    tls_with(emulator, endpoint, rustls::crypto::aws_lc_rs::default_provider(), rustls::ALL_VERSIONS).await
}

pub async fn tls_with(
    emulator: &Emulator,
    endpoint: &str,
    provider: CryptoProvider,
    versions: &[&'static SupportedProtocolVersion],
) -> io::Result<TlsStream<TcpStream>> {
    let (host, port) = endpoint.split_once(':').expect("host:port");
    let mut roots = RootCertStore::empty();
    roots.add(CertificateDer::from_pem_slice(emulator.ca_pem().as_bytes()).expect("a CA")).expect("a CA");
    let config = ClientConfig::builder_with_provider(Arc::new(provider))
        .with_protocol_versions(versions)
        .expect("protocol versions")
        .with_root_certificates(roots)
        .with_no_client_auth();
    let stream = TcpStream::connect(("127.0.0.1", port.parse::<u16>().expect("a port"))).await?;
    let name = ServerName::try_from(host.to_owned()).expect("a name");
    TlsConnector::from(Arc::new(config)).connect(name, stream).await
}

/// A client of the cache.
pub struct Redis {
    pub stream: BufReader<TlsStream<TcpStream>>,
}

impl Redis {
    pub async fn connect(emulator: &Emulator) -> io::Result<Self> {
        Self::connect_to(emulator, emulator.port()).await
    }

    /// A client of the gateway on this port.
    pub async fn connect_to(emulator: &Emulator, port: u16) -> io::Result<Self> {
        Ok(Self { stream: BufReader::new(tls(emulator, &format!("localhost:{port}")).await?) })
    }

    /// The same, signed in with the access key.
    pub async fn signed_in_to(emulator: &Emulator, port: u16) -> io::Result<Self> {
        let mut redis = Self::connect_to(emulator, port).await?;
        let answer = redis.call(&["AUTH", &emulator.access_key().expect("a key")]).await?;
        if answer == "+OK" { Ok(redis) } else { Err(io::Error::other(answer)) }
    }

    pub async fn send(&mut self, arguments: &[&str]) -> io::Result<()> {
        self.stream.write_all(encode(arguments).as_bytes()).await?;
        self.stream.flush().await
    }

    /// The next line of the answer, without its end.
    pub async fn line(&mut self) -> io::Result<String> {
        let mut line = String::new();
        match timeout(SOON, self.stream.read_line(&mut line)).await? {
            Ok(0) => Err(io::ErrorKind::UnexpectedEof.into()),
            Ok(_) => Ok(line.trim_end().to_owned()),
            Err(error) => Err(error),
        }
    }

    /// The first line of the answer.
    pub async fn call(&mut self, arguments: &[&str]) -> io::Result<String> {
        self.send(arguments).await?;
        self.line().await
    }

    /// The whole answer, if it is one value: a status, an error, a number or a string.
    pub async fn value(&mut self, arguments: &[&str]) -> io::Result<String> {
        let line = self.call(arguments).await?;
        if line.starts_with('$') && line != "$-1" { self.line().await } else { Ok(line) }
    }

    /// Completes when the other side has ended the connection.
    pub async fn ended(&mut self) -> io::Error {
        let mut byte = [0; 1];
        match timeout(SOON, self.stream.read(&mut byte)).await.expect("the connection to end") {
            Ok(0) => io::ErrorKind::UnexpectedEof.into(),
            Ok(_) => panic!("a byte instead of the end"),
            Err(error) => error,
        }
    }
}

pub fn encode(arguments: &[&str]) -> String {
    arguments.iter().fold(format!("*{}\r\n", arguments.len()), |mut command, argument| {
        write!(command, "${}\r\n{argument}\r\n", argument.len()).expect("a string");
        command
    })
}

/// One request to a URL under `http://` or `https://`.
pub async fn http(
    emulator: &Emulator,
    method: &str,
    url: &str,
    headers: &[(&str, &str)],
    body: String,
) -> io::Result<Response<Bytes>> {
    let (scheme, rest) = url.split_once("://").expect("a URL");
    let (host, path) = rest.split_at(rest.find('/').unwrap_or(rest.len()));
    let mut request = Request::builder().method(method).uri(path).header("host", host);
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    let request = request.body(body).expect("a request");
    if scheme == "https" {
        http_request(tls(emulator, host).await?, request).await
    } else {
        http_request(TcpStream::connect(host).await?, request).await
    }
}

pub async fn json(emulator: &Emulator, method: &str, path: &str, body: Value) -> Response<Bytes> {
    let url = emulator.control_url() + path;
    let headers = [("content-type", "application/json")];
    http(emulator, method, &url, &headers, body.to_string()).await.expect("an answer of the control endpoint")
}

pub fn value(response: &Response<Bytes>) -> Value {
    serde_json::from_slice(response.body()).expect("JSON")
}

pub const SCOPE: &str = "https://redis.azure.com/.default";

/// A token request with these fields changed or (empty) left out.
pub async fn token_request(emulator: &Emulator, changes: &[(&str, &str)]) -> io::Result<Response<Bytes>> {
    let principal = emulator.service_principal();
    let mut fields = vec![
        ("grant_type", "client_credentials"),
        ("client_id", &principal.client_id),
        ("client_secret", &principal.secrets[0]),
        ("scope", SCOPE),
    ];
    let mut tenant = emulator.tenant();
    for (name, value) in changes {
        fields.retain(|(field, _)| field != name);
        if *name == "tenant" {
            (*value).clone_into(&mut tenant);
        } else if !value.is_empty() {
            fields.push((name, value));
        }
    }
    let url = format!("{}/{tenant}/oauth2/v2.0/token", emulator.authority());
    let headers = [("content-type", "application/x-www-form-urlencoded")];
    http(emulator, "POST", &url, &headers, serde_urlencoded::to_string(fields).expect("a form")).await
}

pub async fn token(emulator: &Emulator) -> String {
    let response = token_request(emulator, &[]).await.expect("an answer");
    value(&response)["access_token"].as_str().expect("a token").to_owned()
}
