//! The one error type. Every error says what happened, what to do next, where it happened, whether a
//! retry can help and whether the command may have been executed. No other room invents error texts
//! for callers; no text here or elsewhere ever holds a token or a secret.

use std::borrow::Cow;
use std::fmt;
use std::sync::Arc;

/// What went wrong, as a stable number that every language maps to its own exception class.
///
/// Numbers are never reused. Hundreds group by the step that failed: 1xx input, 2xx sign-in, 3xx
/// connection, 4xx waiting, 5xx replies, 9xx a fault of keyless itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
#[repr(u16)]
pub enum ErrorCode {
    /// The endpoint is not a host name, `host:port` or IP address.
    InvalidEndpoint = 101,
    /// An option is unknown, has a value that cannot be read, or contradicts another one.
    InvalidOption = 102,
    /// The command cannot be sent as it is: empty, disabled, or one that would break a shared connection.
    InvalidCommand = 103,
    /// A token was about to be used on a connection without TLS.
    TlsRequired = 104,
    /// A function of a language's interface was called with an argument that it cannot take.
    InvalidArgument = 105,
    /// No credential could be used here: nothing is configured, or a tool is missing or not signed in.
    CredentialUnavailable = 201,
    /// Microsoft Entra ID refused the credential: wrong secret, unknown tenant or application.
    SignInRefused = 202,
    /// The token endpoint could not be reached, timed out, throttled, or answered with a fault.
    TokenEndpointUnavailable = 203,
    /// What came back is not a usable token: not a JWT, expired, or without the `oid` claim.
    InvalidToken = 204,
    /// The cache refused `AUTH` (`WRONGPASS`, `NOAUTH`).
    AuthRefused = 205,
    /// The host name could not be resolved.
    NameResolution = 301,
    /// No TCP connection could be made.
    ConnectFailed = 302,
    /// The TLS handshake failed: unknown certificate authority, wrong host name, no common version.
    TlsFailed = 303,
    /// The server did not complete the Redis handshake.
    HandshakeFailed = 304,
    /// The connection was lost while the command was under way.
    ConnectionLost = 305,
    /// The peer sent bytes that are not the Redis protocol.
    Protocol = 306,
    /// There is no connection now and the backlog policy is `fail_fast`.
    NotConnected = 401,
    /// Too many commands or bytes are already waiting.
    BacklogFull = 402,
    /// No answer came in time.
    Timeout = 403,
    /// The client was closed.
    Closed = 404,
    /// Redis answered with an error.
    Server = 501,
    /// Redis answered `NOPERM`: the identity's access policy does not allow the command or key.
    NoPermission = 502,
    /// The reply does not have the type that the caller asked for.
    UnexpectedReply = 503,
    /// A transaction was discarded by the server.
    TransactionAborted = 504,
    /// A fault of keyless itself.
    Internal = 901,
}

impl ErrorCode {
    /// Every code there is.
    pub const ALL: &[Self] = &[
        Self::InvalidEndpoint,
        Self::InvalidOption,
        Self::InvalidCommand,
        Self::TlsRequired,
        Self::InvalidArgument,
        Self::CredentialUnavailable,
        Self::SignInRefused,
        Self::TokenEndpointUnavailable,
        Self::InvalidToken,
        Self::AuthRefused,
        Self::NameResolution,
        Self::ConnectFailed,
        Self::TlsFailed,
        Self::HandshakeFailed,
        Self::ConnectionLost,
        Self::Protocol,
        Self::NotConnected,
        Self::BacklogFull,
        Self::Timeout,
        Self::Closed,
        Self::Server,
        Self::NoPermission,
        Self::UnexpectedReply,
        Self::TransactionAborted,
        Self::Internal,
    ];

    /// The code's name as it appears in messages, logs and every binding: `auth_refused`.
    pub fn name(self) -> &'static str {
        match self {
            Self::InvalidEndpoint => "invalid_endpoint",
            Self::InvalidOption => "invalid_option",
            Self::InvalidCommand => "invalid_command",
            Self::TlsRequired => "tls_required",
            Self::InvalidArgument => "invalid_argument",
            Self::CredentialUnavailable => "credential_unavailable",
            Self::SignInRefused => "sign_in_refused",
            Self::TokenEndpointUnavailable => "token_endpoint_unavailable",
            Self::InvalidToken => "invalid_token",
            Self::AuthRefused => "auth_refused",
            Self::NameResolution => "name_resolution",
            Self::ConnectFailed => "connect_failed",
            Self::TlsFailed => "tls_failed",
            Self::HandshakeFailed => "handshake_failed",
            Self::ConnectionLost => "connection_lost",
            Self::Protocol => "protocol",
            Self::NotConnected => "not_connected",
            Self::BacklogFull => "backlog_full",
            Self::Timeout => "timeout",
            Self::Closed => "closed",
            Self::Server => "server",
            Self::NoPermission => "no_permission",
            Self::UnexpectedReply => "unexpected_reply",
            Self::TransactionAborted => "transaction_aborted",
            Self::Internal => "internal",
        }
    }

    /// Whether the same call can succeed later without anybody changing anything.
    fn retryable_by_default(self) -> bool {
        matches!(
            self,
            Self::TokenEndpointUnavailable
                | Self::NameResolution
                | Self::ConnectFailed
                | Self::HandshakeFailed
                | Self::ConnectionLost
                | Self::NotConnected
                | Self::BacklogFull
                | Self::Timeout
        )
    }
}

impl fmt::Display for ErrorCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// An error of keyless: cheap to clone, so that one cause can end many waiting commands.
///
/// `Display` prints the endpoint (where there is one), what happened and what to do.
#[derive(Clone)]
pub struct Error(Arc<Inner>);

#[derive(Clone)]
struct Inner {
    code: ErrorCode,
    message: Cow<'static, str>,
    advice: Cow<'static, str>,
    endpoint: Option<Arc<str>>,
    server_code: Option<Box<str>>,
    retry_after: Option<std::time::Duration>,
    retryable: bool,
    maybe_executed: bool,
}

/// `Result` with keyless' error.
pub type Result<T, E = Error> = std::result::Result<T, E>;

impl Error {
    /// An error from its code, a sentence on what happened and a sentence on what to do.
    ///
    /// Both may reach logs and users: they must not hold a secret.
    pub fn new(
        code: ErrorCode,
        message: impl Into<Cow<'static, str>>,
        advice: impl Into<Cow<'static, str>>,
    ) -> Self {
        Self(Arc::new(Inner {
            code,
            message: message.into(),
            advice: advice.into(),
            endpoint: None,
            server_code: None,
            retry_after: None,
            retryable: code.retryable_by_default(),
            maybe_executed: false,
        }))
    }

    /// The stable code.
    pub fn code(&self) -> ErrorCode {
        self.0.code
    }

    /// What happened, one sentence without the advice.
    pub fn message(&self) -> &str {
        &self.0.message
    }

    /// What to do about it, one sentence; empty where nothing can be advised.
    pub fn advice(&self) -> &str {
        &self.0.advice
    }

    /// The endpoint (`host:port`) the error belongs to.
    pub fn endpoint(&self) -> Option<&str> {
        self.0.endpoint.as_deref()
    }

    /// The first word of a Redis error reply: `WRONGTYPE`, `NOPERM`, `OOM` ...
    pub fn server_code(&self) -> Option<&str> {
        self.0.server_code.as_deref()
    }

    /// Whether the same call can succeed later without anybody changing anything.
    pub fn is_retryable(&self) -> bool {
        self.0.retryable
    }

    /// Whether the command was already on its way to the server, so that it may have been executed.
    ///
    /// `false` means: it certainly was not.
    pub fn maybe_executed(&self) -> bool {
        self.0.maybe_executed
    }

    /// How long the other side asked to wait before the next attempt (`Retry-After`).
    pub fn retry_after(&self) -> Option<std::time::Duration> {
        self.0.retry_after
    }

    /// The same error, bound to an endpoint.
    pub fn at(self, endpoint: impl Into<Arc<str>>) -> Self {
        self.with(|inner| inner.endpoint = Some(endpoint.into()))
    }

    /// The same error with `retryable` set.
    pub fn retryable(self, retryable: bool) -> Self {
        self.with(|inner| inner.retryable = retryable)
    }

    /// The same error with `maybe_executed` set.
    pub fn executed(self, maybe: bool) -> Self {
        if self.0.maybe_executed == maybe { self } else { self.with(|inner| inner.maybe_executed = maybe) }
    }

    /// The same error with the wait that the other side asked for.
    pub fn after(self, wait: Option<std::time::Duration>) -> Self {
        self.with(|inner| inner.retry_after = wait)
    }

    /// The error for an error reply of the server, `line` without its leading `-` or `!`.
    pub fn from_reply(line: &str) -> Self {
        let server_code = line.split(' ').next().unwrap_or_default();
        let (code, advice) = advice_for_reply(server_code);
        let retryable = matches!(server_code, "LOADING" | "BUSY" | "TRYAGAIN" | "CLUSTERDOWN" | "MASTERDOWN");
        Self::new(code, line.to_owned(), advice).with(|inner| {
            inner.server_code = Some(server_code.into());
            inner.retryable = retryable;
        })
    }

    fn with(mut self, change: impl FnOnce(&mut Inner)) -> Self {
        change(Arc::make_mut(&mut self.0));
        self
    }
}

/// The code of an error reply, by its first word.
pub(crate) fn code_of_reply(server_code: &str) -> ErrorCode {
    advice_for_reply(server_code).0
}

/// What to do about an error reply, by its first word. Redis' own documentation of each is the source.
fn advice_for_reply(server_code: &str) -> (ErrorCode, &'static str) {
    match server_code {
        "NOPERM" => (
            ErrorCode::NoPermission,
            "Give the identity an access policy that allows this command and key (Azure portal: Authentication, or Data Access Configuration).",
        ),
        "WRONGPASS" | "NOAUTH" => (
            ErrorCode::AuthRefused,
            "Add this object id under Authentication on the cache's Resource menu (Azure portal); groups are not supported.",
        ),
        "EXECABORT" => (
            ErrorCode::TransactionAborted,
            "Correct the command that was refused while the transaction was queued.",
        ),
        "WRONGTYPE" => (ErrorCode::Server, "Use a command that fits the type of the key's value."),
        "MOVED" | "ASK" | "CROSSSLOT" | "TRYAGAIN" | "CLUSTERDOWN" => (
            ErrorCode::Server,
            "Keys of one command must share a slot on a clustered cache: give them the same {hash tag}.",
        ),
        "OOM" => (ErrorCode::Server, "The cache is full: free memory, set an eviction policy, or scale up."),
        "LOADING" | "BUSY" | "MASTERDOWN" => (ErrorCode::Server, "The server is busy: try again shortly."),
        _ => (ErrorCode::Server, ""),
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(endpoint) = self.endpoint() {
            write!(f, "{endpoint}: ")?;
        }
        f.write_str(self.message())?;
        if !self.advice().is_empty() {
            write!(f, " {}", self.advice())?;
        }
        if self.maybe_executed() {
            f.write_str(" The command may have been executed.")?;
        }
        Ok(())
    }
}

impl fmt::Debug for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Error")
            .field("code", &self.code())
            .field("message", &self.message())
            .field("advice", &self.advice())
            .field("endpoint", &self.endpoint())
            .field("retryable", &self.is_retryable())
            .field("maybe_executed", &self.maybe_executed())
            .finish_non_exhaustive()
    }
}

impl std::error::Error for Error {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_error_reply_becomes_code_message_and_advice() {
        let error = Error::from_reply("NOPERM User x has no permissions to run the 'set' command");
        assert_eq!(error.code(), ErrorCode::NoPermission);
        assert_eq!(error.server_code(), Some("NOPERM"));
        assert!(error.advice().contains("access policy"));
        assert!(!error.is_retryable());
        assert!(Error::from_reply("LOADING Redis is loading the dataset in memory").is_retryable());
    }

    #[test]
    fn display_names_the_endpoint_then_what_happened_then_what_to_do() {
        let error = Error::new(ErrorCode::Timeout, "No answer came within 5 s.", "Raise command_timeout.")
            .at("cache:10000")
            .executed(true);
        assert_eq!(
            error.to_string(),
            "cache:10000: No answer came within 5 s. Raise command_timeout. The command may have been executed."
        );
    }
}
