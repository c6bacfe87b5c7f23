//! The numbers of what went wrong: core's, with 0 for success.

use keyless::ErrorCode;

/// What a function answers: 0, or what went wrong. The numbers never change and are never used again.
///
/// Hundreds group by the step that failed: 1xx input, 2xx sign-in, 3xx connection, 4xx waiting, 5xx replies, 9xx a
/// fault of keyless itself. Later versions may add numbers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(C)]
pub enum keyless_status {
    /// Success.
    KEYLESS_OK = 0,
    /// The endpoint is not a host name, `host:port` or IP address.
    KEYLESS_INVALID_ENDPOINT = 101,
    /// An option is unknown, has a value that cannot be read, or contradicts another one.
    KEYLESS_INVALID_OPTION = 102,
    /// The command cannot be sent as it is: empty, disabled, too long, or one that would break a shared connection.
    KEYLESS_INVALID_COMMAND = 103,
    /// A token was about to be used on a connection without TLS.
    KEYLESS_TLS_REQUIRED = 104,
    /// A function was called with an argument that it cannot take: NULL, text that is not UTF-8, an unknown number.
    KEYLESS_INVALID_ARGUMENT = 105,
    /// No credential could be used here: nothing is configured, or a tool is missing or not signed in.
    KEYLESS_CREDENTIAL_UNAVAILABLE = 201,
    /// Microsoft Entra ID refused the credential: wrong secret, unknown tenant or application.
    KEYLESS_SIGN_IN_REFUSED = 202,
    /// The token endpoint could not be reached, timed out, throttled, or answered with a fault.
    KEYLESS_TOKEN_ENDPOINT_UNAVAILABLE = 203,
    /// What came back is not a usable token: not a JWT, expired, or without the `oid` claim.
    KEYLESS_INVALID_TOKEN = 204,
    /// The cache refused AUTH (`WRONGPASS`, `NOAUTH`).
    KEYLESS_AUTH_REFUSED = 205,
    /// The host name could not be resolved.
    KEYLESS_NAME_RESOLUTION = 301,
    /// No TCP connection could be made.
    KEYLESS_CONNECT_FAILED = 302,
    /// The TLS handshake failed: unknown certificate authority, wrong host name, no common version.
    KEYLESS_TLS_FAILED = 303,
    /// The server did not complete the Redis handshake.
    KEYLESS_HANDSHAKE_FAILED = 304,
    /// The connection was lost while the command was under way.
    KEYLESS_CONNECTION_LOST = 305,
    /// The peer sent bytes that are not the Redis protocol.
    KEYLESS_PROTOCOL = 306,
    /// There is no connection now and the option `backlog` is `fail_fast`.
    KEYLESS_NOT_CONNECTED = 401,
    /// Too many commands or bytes are already waiting.
    KEYLESS_BACKLOG_FULL = 402,
    /// No answer came in time.
    KEYLESS_TIMEOUT = 403,
    /// The client, or what belongs to it, was closed.
    KEYLESS_CLOSED = 404,
    /// Redis answered with an error.
    KEYLESS_SERVER = 501,
    /// Redis answered `NOPERM`: the identity's access policy does not allow the command or key.
    KEYLESS_NO_PERMISSION = 502,
    /// The reply does not have the type that the caller asked for.
    KEYLESS_UNEXPECTED_REPLY = 503,
    /// A transaction was discarded by the server.
    KEYLESS_TRANSACTION_ABORTED = 504,
    /// A fault of keyless itself. Please report it.
    KEYLESS_INTERNAL = 901,
}

impl From<ErrorCode> for keyless_status {
    fn from(code: ErrorCode) -> Self {
        match code {
            ErrorCode::InvalidEndpoint => Self::KEYLESS_INVALID_ENDPOINT,
            ErrorCode::InvalidOption => Self::KEYLESS_INVALID_OPTION,
            ErrorCode::InvalidCommand => Self::KEYLESS_INVALID_COMMAND,
            ErrorCode::TlsRequired => Self::KEYLESS_TLS_REQUIRED,
            ErrorCode::InvalidArgument => Self::KEYLESS_INVALID_ARGUMENT,
            ErrorCode::CredentialUnavailable => Self::KEYLESS_CREDENTIAL_UNAVAILABLE,
            ErrorCode::SignInRefused => Self::KEYLESS_SIGN_IN_REFUSED,
            ErrorCode::TokenEndpointUnavailable => Self::KEYLESS_TOKEN_ENDPOINT_UNAVAILABLE,
            ErrorCode::InvalidToken => Self::KEYLESS_INVALID_TOKEN,
            ErrorCode::AuthRefused => Self::KEYLESS_AUTH_REFUSED,
            ErrorCode::NameResolution => Self::KEYLESS_NAME_RESOLUTION,
            ErrorCode::ConnectFailed => Self::KEYLESS_CONNECT_FAILED,
            ErrorCode::TlsFailed => Self::KEYLESS_TLS_FAILED,
            ErrorCode::HandshakeFailed => Self::KEYLESS_HANDSHAKE_FAILED,
            ErrorCode::ConnectionLost => Self::KEYLESS_CONNECTION_LOST,
            ErrorCode::Protocol => Self::KEYLESS_PROTOCOL,
            ErrorCode::NotConnected => Self::KEYLESS_NOT_CONNECTED,
            ErrorCode::BacklogFull => Self::KEYLESS_BACKLOG_FULL,
            ErrorCode::Timeout => Self::KEYLESS_TIMEOUT,
            ErrorCode::Closed => Self::KEYLESS_CLOSED,
            ErrorCode::Server => Self::KEYLESS_SERVER,
            ErrorCode::NoPermission => Self::KEYLESS_NO_PERMISSION,
            ErrorCode::UnexpectedReply => Self::KEYLESS_UNEXPECTED_REPLY,
            ErrorCode::TransactionAborted => Self::KEYLESS_TRANSACTION_ABORTED,
            _ => Self::KEYLESS_INTERNAL,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_code_of_core_has_its_number_here() {
        for code in ErrorCode::ALL {
            assert_eq!(keyless_status::from(*code) as i32, i32::from(*code as u16), "{code}");
        }
    }
}
