//! A signed-in connection, from name resolution to the answer of the handshake, whatever it is for.

use super::cluster::SlotMap;
use super::dial::{Progress, dial};
use super::handshake::{Login, handshake, handshake_resp2, login, restore};
use super::link::Link;
use super::node::Node;
use super::outbox::Outbox;
use super::redirect::Rerouter;
use super::settings::{SignIn, Target};
use super::subscriptions::Subscriptions;
use crate::error::{Error, ErrorCode, Result};
use crate::token::Token;
use parking_lot::Mutex;
use std::sync::Arc;
use std::time::{Duration, Instant};

/// What a connection is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Purpose {
    /// Everybody's commands and, where it speaks RESP3, the subscriptions.
    Shared,
    /// One caller's waiting commands, one at a time.
    Waiting,
    /// The subscriptions alone, in RESP2.
    Listening,
}

/// A connection that is signed in and not yet in use.
pub(super) struct Fresh {
    pub(super) link: Arc<Link>,
    /// `host:port` of the other side.
    pub(super) label: Arc<str>,
    pub(super) token: Option<Token>,
    /// The map of the cluster it told, if it is one and was asked.
    pub(super) map: Option<SlotMap>,
}

/// A connection from name resolution to the answer of the handshake, within one deadline. A token that
/// the server refuses is thrown away, and one fresh token is tried before the refusal is reported.
pub(super) async fn establish(node: &Node, target: &Target, purpose: Purpose) -> Result<Fresh> {
    let limit = node.settings.connect_timeout;
    let begun = Instant::now();
    let mut refused = None;
    loop {
        let left = limit.saturating_sub(begun.elapsed());
        let (login, token) = match login(&node.settings.sign_in, left).await {
            Ok(found) => found,
            Err(error) => return Err(refused.unwrap_or(error)),
        };
        let progress = Progress::default();
        let attempt = sign_in(node, target, purpose, login.as_ref(), &progress);
        let left = limit.saturating_sub(begun.elapsed()).max(Duration::from_millis(1));
        let error = match tokio::time::timeout(left, attempt).await {
            Ok(Ok((link, map))) => {
                return Ok(Fresh { link, label: Arc::clone(&target.label), token, map });
            }
            Ok(Err(error)) => error,
            Err(_) => return Err(refused.unwrap_or_else(|| progress.too_slow(limit))),
        };
        match (&node.settings.sign_in, token) {
            (SignIn::Token(source), Some(token))
                if error.code() == ErrorCode::AuthRefused && refused.is_none() =>
            {
                source.reject(token.generation);
                refused = Some(error);
            }
            _ => return Err(error),
        }
    }
}

async fn sign_in(
    node: &Node,
    target: &Target,
    purpose: Purpose,
    login: Option<&Login>,
    progress: &Progress,
) -> Result<(Arc<Link>, Option<SlotMap>)> {
    let settings = &node.settings;
    let transport = dial(settings, target, progress).await?;
    progress.signs_in();
    let outbox = match purpose {
        Purpose::Shared => Arc::clone(&node.outbox),
        _ => Arc::new(Mutex::new(Outbox::new(settings.limits))),
    };
    let subscriptions = match purpose {
        Purpose::Waiting => Arc::new(Subscriptions::new()),
        _ => Arc::clone(&node.subscriptions),
    };
    let rerouter = match purpose {
        Purpose::Shared => Arc::clone(&node.rerouter),
        _ => Rerouter::default(),
    };
    let (counters, limit) = (Arc::clone(&node.counters), settings.max_reply_bytes);
    let link = Link::new(transport, outbox, subscriptions, rerouter, &target.host, counters, limit)
        .map_err(|error| {
            Error::new(
                ErrorCode::Internal,
                format!("The socket cannot be watched: {error}."),
                "Check the limit on open files.",
            )
        })?
        .with_cache(match purpose {
            Purpose::Shared => node.cache.clone(),
            _ => None,
        });
    let ready = async {
        let mut map = None;
        match purpose {
            Purpose::Listening => {
                handshake_resp2(&link, settings, login).await?;
                link.listen();
            }
            Purpose::Waiting => drop(handshake(&link, settings, login).await?),
            Purpose::Shared => {
                let slots = handshake(&link, settings, login).await?;
                map = slots.and_then(|slots| SlotMap::read(&slots, &target.host));
                if map.is_none() && settings.cluster.is_some_and(|cluster| cluster.required) {
                    return Err(no_cluster());
                }
            }
        }
        if purpose == Purpose::Listening || (purpose == Purpose::Shared && link.is_resp3()) {
            restore(&link, &node.subscriptions, map.is_none(), settings.connect_timeout).await?;
        }
        Ok(map)
    };
    match ready.await {
        Ok(map) => Ok((Arc::new(link), map)),
        Err(error) => {
            link.end(&error);
            Err(error)
        }
    }
}

fn no_cluster() -> Error {
    Error::new(
        ErrorCode::HandshakeFailed,
        "The server is no cluster, and the option cluster=on wants one.",
        "Remove the option, or set cluster=auto; with Azure's Enterprise policy there is one endpoint only.",
    )
    .retryable(false)
}
