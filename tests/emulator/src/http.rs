//! The HTTP server under the emulated services: plain or TLS, on a listener that can be closed, with connections
//! that a handler can cut; and a client for one request.

use std::{io, net::SocketAddr, sync::Arc};

use axum::{Extension, Router, body::Body, middleware::Next, response::Response};
use http_body_util::{BodyExt, Full};
use hyper::{Request, body::Bytes, server::conn::http1};
use hyper_util::{rt::TokioIo, service::TowerToHyperService};
use rustls::ServerConfig;
use tokio::{
    io::{AsyncRead, AsyncWrite},
    net::TcpStream,
    sync::{Notify, watch},
};
use tokio_rustls::TlsAcceptor;

use crate::{listener::Listener, stats::WireRequest};

/// Cuts the connection a request came on; an extension of every request.
#[derive(Clone, Default)]
pub(crate) struct Scissors(Arc<Notify>);

impl Scissors {
    /// Cuts the connection and never returns.
    pub(crate) async fn cut<T>(&self) -> T {
        self.0.notify_one();
        std::future::pending().await
    }
}

/// Keeps what was asked, as an extension of the request.
pub(crate) async fn keep(request: Request<Body>, next: Next) -> Response {
    let (mut parts, body) = request.into_parts();
    let body = body.collect().await.map(http_body_util::Collected::to_bytes).unwrap_or_default();
    let pairs = |text: &[u8]| serde_urlencoded::from_bytes(text).unwrap_or_default();
    let kind = parts.headers.get("content-type").map(axum::http::HeaderValue::as_bytes).unwrap_or_default();
    let is_form = kind.starts_with(b"application/x-www-form-urlencoded");
    parts.extensions.insert(Arc::new(WireRequest {
        method: parts.method.to_string(),
        path: parts.uri.path().to_owned(),
        query: pairs(parts.uri.query().unwrap_or_default().as_bytes()),
        form: if is_form { pairs(&body) } else { Vec::new() },
        headers: parts
            .headers
            .iter()
            .map(|(name, value)| (name.to_string(), String::from_utf8_lossy(value.as_bytes()).into_owned()))
            .collect(),
    }));
    next.run(Request::from_parts(parts, Body::from(body))).await
}

/// Serves `router` on a free loopback port while `open` holds `true`; returns the address.
pub(crate) async fn serve(
    router: Router,
    tls: Option<Arc<ServerConfig>>,
    open: watch::Receiver<bool>,
) -> io::Result<SocketAddr> {
    let listener = Listener::bind().await?;
    let address = listener.address();
    let acceptor = tls.map(TlsAcceptor::from);
    tokio::spawn(async move {
        let each = open.clone();
        let serve = |stream| {
            tokio::spawn(connection(stream, acceptor.clone(), router.clone(), each.clone()));
        };
        listener.accept(open, |open| *open, serve).await;
    });
    Ok(address)
}

async fn connection(
    stream: TcpStream,
    acceptor: Option<TlsAcceptor>,
    router: Router,
    mut open: watch::Receiver<bool>,
) {
    let scissors = Scissors::default();
    let router = router.layer(axum::middleware::from_fn(keep)).layer(Extension(scissors.clone()));
    tokio::select! {
        () = scissors.0.notified() => {}
        Ok(_) = open.wait_for(|open| !*open) => {}
        () = async {
            match acceptor {
                None => answer(stream, router).await,
                Some(acceptor) => match acceptor.accept(stream).await {
                    Ok(stream) => answer(stream, router).await,
                    Err(error) => tracing::debug!(%error, "TLS handshake failed"),
                },
            }
        } => {}
    }
}

async fn answer(stream: impl AsyncRead + AsyncWrite + Unpin + Send + 'static, router: Router) {
    let service = TowerToHyperService::new(router);
    if let Err(error) = http1::Builder::new().serve_connection(TokioIo::new(stream), service).await {
        tracing::debug!(%error, "HTTP connection failed");
    }
}

/// Sends one request over a connection and returns status, headers and body.
pub async fn request<S>(stream: S, request: Request<String>) -> io::Result<hyper::Response<Bytes>>
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let request = request.map(|body| Full::new(Bytes::from(body)));
    let (mut sender, connection) =
        hyper::client::conn::http1::handshake(TokioIo::new(stream)).await.map_err(io::Error::other)?;
    let connection = tokio::spawn(connection);
    let response = sender.send_request(request).await.map_err(io::Error::other)?;
    let (parts, body) = response.into_parts();
    let body = body.collect().await.map_err(io::Error::other)?.to_bytes();
    connection.abort();
    Ok(hyper::Response::from_parts(parts, body))
}
