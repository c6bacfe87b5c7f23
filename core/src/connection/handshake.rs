//! The first words on a connection: protocol, sign-in, name, database, all in one flight. Extras never
//! fail a connection; a server that knows no `HELLO` is spoken to in RESP2.

use super::batch::Batch;
use super::decode::decode;
use super::link::Link;
use super::one_reply::OneReply;
use super::settings::{Settings, SignIn};
use super::subscriptions::Subscriptions;
use crate::error::{Error, ErrorCode, Result};
use crate::pubsub::Kind;
use crate::secret::Secret;
use crate::token::{Claims, Token};
use bytes::Bytes;
use redis::Value;
use std::future::poll_fn;
use std::sync::Arc;
use std::task::Poll;
use std::time::{Duration, Instant};

/// User name and password for `AUTH`.
#[derive(Clone, Debug)]
pub(crate) struct Login {
    pub(crate) user: Option<Arc<str>>,
    pub(crate) password: Secret,
}

impl Login {
    /// The login of a token.
    pub(crate) fn of(token: &Token) -> Self {
        Self { user: Some(Arc::clone(&token.user)), password: token.secret.clone() }
    }

    /// What the token is for, when that is not Redis; the server does not say so.
    fn foreign_audience(&self) -> Option<String> {
        Claims::decode(self.password.expose()).ok()?.foreign_audience().map(str::to_owned)
    }

    /// Adds `AUTH user password`.
    pub(crate) fn push_auth(&self, batch: &mut Batch) {
        match &self.user {
            Some(user) => batch.push_own(&["AUTH", user, self.password.expose()]),
            None => batch.push_own(&["AUTH", self.password.expose()]),
        }
    }
}

/// Signs in on a fresh link and sets it up.
///
/// # Errors
/// [`ErrorCode::AuthRefused`] when the server refused the login, [`ErrorCode::HandshakeFailed`] for any
/// other refusal, or what ended the connection.
///
/// Gives the reply to the question whether this is a cluster, if it was asked and answered.
pub(crate) async fn handshake(
    link: &Link,
    settings: &Settings,
    login: Option<&Login>,
) -> Result<Option<Value>> {
    if settings.resp3 {
        match first_flight(link, settings, login, true).await {
            Err(error) if is_unknown_hello(&error) => {
                tracing::info!("the server does not speak RESP3: going on in RESP2");
            }
            Ok(slots) => {
                link.set_resp3();
                return Ok(slots);
            }
            refused => return refused,
        }
    }
    let map = first_flight(link, settings, login, false).await?;
    if let Some(cache) = link.cache() {
        cache.warn(&"the connection speaks RESP2, and the server tells of changes over RESP3 only");
    }
    Ok(map)
}

/// Signs in on a fresh link that shall speak RESP2; see [`handshake`].
pub(crate) async fn handshake_resp2(link: &Link, settings: &Settings, login: Option<&Login>) -> Result<()> {
    first_flight(link, settings, login, false).await.map(|_| ())
}

async fn first_flight(
    link: &Link,
    settings: &Settings,
    login: Option<&Login>,
    resp3: bool,
) -> Result<Option<Value>> {
    let mut batch = Batch::new();
    if resp3 {
        match login {
            Some(Login { user, password }) => {
                batch.push_own(&[
                    "HELLO",
                    "3",
                    "AUTH",
                    user.as_deref().unwrap_or("default"),
                    password.expose(),
                ]);
            }
            None => batch.push_own(&["HELLO", "3"]),
        }
    } else if let Some(login) = login {
        login.push_auth(&mut batch);
    } else {
        batch.push_own(&["PING"]);
    }
    let database = (settings.database != 0).then(|| {
        batch.push_own(&["SELECT", &settings.database.to_string()]);
        batch.len() - 1
    });
    if let Some(name) = &settings.client_name {
        batch.push_own(&["CLIENT", "SETNAME", name]);
    }
    if settings.set_client_info {
        batch.push_own(&["CLIENT", "SETINFO", "LIB-NAME", "keyless"]);
        batch.push_own(&["CLIENT", "SETINFO", "LIB-VER", env!("CARGO_PKG_VERSION")]);
    }
    // The default mode: the server remembers what was read on this connection. OPTIN would cost a command more
    // per read, BCAST would tell of keys that nobody here reads, and with NOLOOP nobody would tell what a script
    // of this client changes.
    let tracking = (resp3 && link.cache().is_some()).then(|| {
        batch.push_own(&["CLIENT", "TRACKING", "ON"]);
        batch.len() - 1
    });
    if resp3 {
        // Servers that announce their maintenance do so to those who ask; all others refuse, and that is all right.
        // Without an address in the announcement, the endpoint's name leads to the new place.
        batch.push_own(&["CLIENT", "MAINT_NOTIFICATIONS", "ON", "moving-endpoint-type", "none"]);
    }
    if settings.readonly {
        batch.push_own(&["READONLY"]);
    }
    // The last two: a server that is still reading its data says so to the one, and knows to the other.
    let slots = settings.cluster.map(|_| {
        batch.push_own(&["CLUSTER", "SLOTS"]);
        batch.len() - 1
    });
    batch.push_own(&["PING"]);
    let last = batch.len() - 1;
    let replies = ask(link, batch, settings.connect_timeout).await?;
    let reply = |index: usize| {
        replies.get(index).cloned().unwrap_or_else(|| Err(incomplete())).and_then(|frame| decode(&frame))
    };
    reply(0).map_err(|error| refused(without_secret(error, login), login))?;
    if let Some(index) = database {
        reply(index).map_err(|error| {
            Error::new(
                ErrorCode::HandshakeFailed,
                format!("Database {} could not be selected: {}.", settings.database, error.message()),
                "Azure Managed Redis and clustered caches have database 0 only.",
            )
            .retryable(false)
        })?;
    }
    if let (Some(index), Some(cache)) = (tracking, link.cache()) {
        match reply(index) {
            Ok(_) => link.set_tracking(),
            Err(error) => cache.warn(&format_args!("CLIENT TRACKING was refused ({})", error.message())),
        }
    }
    if let Err(error) = reply(last)
        && let Some("LOADING" | "MASTERDOWN") = error.server_code()
    {
        return Err(Error::new(
            ErrorCode::HandshakeFailed,
            format!("The server is not ready yet: {}.", error.message()),
            "It is reading its data: keyless tries again.",
        ));
    }
    Ok(slots.and_then(|index| reply(index).ok()))
}

/// Sends keyless' own requests and drives the link until all of them are answered.
async fn ask(link: &Link, batch: Batch, wait: Duration) -> Result<Vec<Result<Bytes>>> {
    let count = batch.len();
    let replies = Arc::new(OneReply::default());
    link.submit_own(batch, replies.clone(), Instant::now() + wait);
    driven(link, &replies, count).await
}

/// Drives the link until so many replies are there.
pub(super) async fn driven(link: &Link, replies: &OneReply, count: usize) -> Result<Vec<Result<Bytes>>> {
    poll_fn(|cx| {
        if let Poll::Ready(error) = link.poll(cx) {
            // What a server says before it hangs up is the reason.
            return Poll::Ready(match replies.poll(cx, 1) {
                Poll::Ready(said) if is_error(&said) => Ok(said),
                _ => Err(error),
            });
        }
        replies.poll(cx, count).map(Ok)
    })
    .await
}

fn is_error(said: &[Result<Bytes>]) -> bool {
    matches!(said.first(), Some(Ok(frame)) if frame.starts_with(b"-"))
}

/// Subscribes a fresh link to everything that is wanted, before it takes any command.
///
/// A refusal is told to those who listen and keeps nobody else from the connection. Without `shards` shard channels
/// are left out: the endpoint is a cluster, and its nodes will have them.
pub(crate) async fn restore(
    link: &Link,
    subscriptions: &Subscriptions,
    shards: bool,
    wait: Duration,
) -> Result<()> {
    let wanted = subscriptions.prepare(link.id());
    for change in wanted.into_iter().filter(|change| shards || change.kind != Kind::Shard) {
        let answer = Arc::new(OneReply::default());
        link.submit_announced(change.batch, answer.clone(), Instant::now() + wait);
        let first = driven(link, &answer, 1).await?.into_iter().next();
        if let Some(Err(error)) = first.map(|frame| frame.and_then(|frame| decode(&frame))) {
            subscriptions.refuse(change.kind, &change.names, &error);
        }
    }
    Ok(())
}

fn is_unknown_hello(error: &Error) -> bool {
    match error.server_code() {
        Some("NOPROTO") => true,
        Some("ERR") => error.message().to_ascii_lowercase().contains("unknown command"),
        _ => false,
    }
}

/// What a refused first flight means. An error of the server's own is passed on when RESP2 may help.
fn refused(error: Error, login: Option<&Login>) -> Error {
    if is_unknown_hello(&error) {
        return error;
    }
    match (error.server_code(), login) {
        (Some("WRONGPASS" | "NOAUTH" | "NOPERM"), _) => auth_refused(&error, login),
        (Some(_), _) => Error::new(
            ErrorCode::HandshakeFailed,
            format!("The server refused the connection: {}.", error.message()),
            if error.is_retryable() { "The server is busy: keyless tries again." } else { "" },
        ),
        (None, _) => error,
    }
}

/// The error for a login that the server refused, with what to do about it.
fn auth_refused(error: &Error, login: Option<&Login>) -> Error {
    let said = error.message();
    match login.map(|login| login.user.as_deref()) {
        None => Error::new(
            ErrorCode::AuthRefused,
            format!("The server wants a sign-in ({said})."),
            "Give a credential (Microsoft Entra ID) or an access key.",
        ),
        Some(None | Some("default")) => Error::new(
            ErrorCode::AuthRefused,
            format!("The cache refused the access key ({said})."),
            "Check the key; access keys may be disabled on this cache: then sign in with Microsoft Entra ID.",
        ),
        Some(Some(user)) if let Some(audience) = login.and_then(Login::foreign_audience) => Error::new(
            ErrorCode::AuthRefused,
            format!(
                "The cache refused the sign-in of {user} ({said}); the token's audience is \"{audience}\"."
            ),
            "Ask for the scope https://redis.azure.com/.default (option scope) unless this cloud has another one; if the audience is right, add this object id under Authentication on the cache's Resource menu.",
        ),
        Some(Some(user)) => Error::new(
            ErrorCode::AuthRefused,
            format!("The cache refused the sign-in of {user} ({said})."),
            "Add this object id under Authentication on the cache's Resource menu (Azure portal: User or service principal); groups are not supported.",
        ),
    }
}

/// The error of a sign-in that a live connection tried, with what to do about it.
pub(super) fn reauth_refused(error: Error, login: &Login) -> Error {
    let error = without_secret(error, Some(login));
    if error.code() == ErrorCode::AuthRefused { auth_refused(&error, Some(login)) } else { error }
}

/// An error reply without what it repeats of the sign-in: Redis quotes the arguments of a command that it
/// does not know.
fn without_secret(error: Error, login: Option<&Login>) -> Error {
    let quotes = error.message().contains("args beginning with")
        || login.is_some_and(|login| error.message().contains(login.password.expose()));
    if error.server_code().is_some() && quotes {
        Error::from_reply("ERR unknown command (the server's text repeats the sign-in and is left out)")
    } else {
        error
    }
}

fn incomplete() -> Error {
    Error::new(ErrorCode::HandshakeFailed, "The server left the handshake unanswered.", "")
}

/// The login to use now, and the token it stands on. Waits for a usable token.
pub(crate) async fn login(sign_in: &SignIn, wait: Duration) -> Result<(Option<Login>, Option<Token>)> {
    Ok(match sign_in {
        SignIn::Nobody => (None, None),
        SignIn::Key { user, key } => (Some(Login { user: user.clone(), password: key.clone() }), None),
        SignIn::Token(source) => {
            let token = source.get(wait).await?;
            (Some(Login::of(&token)), Some(token))
        }
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_error_that_quotes_the_sign_in_is_not_passed_on() {
        let login = Login { user: Some("u".into()), password: Secret::new("hunter2-hunter2") };
        let quoting = "ERR unknown command `AUTH`, with args beginning with: `u` `hunter2-hunter2` ";
        for error in [
            refused(without_secret(Error::from_reply(quoting), Some(&login)), Some(&login)),
            reauth_refused(Error::from_reply(quoting), &login),
            reauth_refused(Error::from_reply("WRONGPASS hunter2-hunter2"), &login),
        ] {
            assert!(!format!("{error} {error:?}").contains("hunter2"), "{error}");
        }
    }
}
