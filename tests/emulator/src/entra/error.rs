//! The errors of Entra ID: codes, texts and the JSON they come in.

use axum::{
    Json,
    http::StatusCode,
    response::{IntoResponse, Response},
};
use serde_json::json;
use time::{OffsetDateTime, macros::format_description};

use crate::identity::guid;

/// A refusal of the token endpoint.
#[derive(Debug)]
pub(crate) struct EntraError {
    status: StatusCode,
    error: &'static str,
    pub(crate) code: u32,
    message: String,
    correlation_id: String,
}

impl EntraError {
    fn new(status: u16, error: &'static str, code: u32, message: impl Into<String>) -> Self {
        let status = StatusCode::from_u16(status).unwrap_or(StatusCode::BAD_REQUEST);
        Self { status, error, code, message: message.into(), correlation_id: guid() }
    }

    /// Answers with the correlation id the client sent.
    pub(crate) fn with_correlation_id(mut self, id: Option<&str>) -> Self {
        if let Some(id) = id {
            id.clone_into(&mut self.correlation_id);
        }
        self
    }

    pub(super) fn unknown_tenant(tenant: &str) -> Self {
        Self::new(
            400,
            "invalid_request",
            90002,
            format!(
                "Tenant '{tenant}' not found. Check to make sure you have the correct tenant ID and are signing into the \
             correct cloud. Check with your subscription administrator, this may happen if there are no active \
             subscriptions for the tenant."
            ),
        )
    }

    pub(super) fn unknown_client(client_id: &str, tenant: &str) -> Self {
        Self::new(
            400,
            "unauthorized_client",
            700_016,
            format!(
                "Application with identifier '{client_id}' was not found in the directory '{tenant}'. This can happen if \
             the application has not been installed by the administrator of the tenant or consented to by any user \
             in the tenant. You may have sent your authentication request to the wrong tenant."
            ),
        )
    }

    pub(super) fn invalid_secret(client_id: &str) -> Self {
        Self::new(
            401,
            "invalid_client",
            7_000_215,
            format!(
                "Invalid client secret provided. Ensure the secret being sent in the request is the client secret \
             value, not the client secret ID, for a secret added to app '{client_id}'."
            ),
        )
    }

    pub(super) fn no_credential() -> Self {
        Self::new(
            401,
            "invalid_client",
            7_000_218,
            "The request body must contain the following parameter: 'client_assertion' or 'client_secret'.",
        )
    }

    pub(super) fn invalid_scope(scope: &str) -> Self {
        Self::new(
            400,
            "invalid_scope",
            70011,
            format!(
                "The provided request must include a 'scope' input parameter. The provided value for the input \
             parameter 'scope' is not valid. The scope {scope} is not valid."
            ),
        )
    }

    pub(super) fn missing_parameter(name: &str) -> Self {
        Self::new(
            400,
            "invalid_request",
            900_144,
            format!("The request body must contain the following parameter: '{name}'."),
        )
    }

    pub(super) fn unsupported_grant(grant: &str) -> Self {
        Self::new(
            400,
            "unsupported_grant_type",
            70003,
            format!("The app requested an unsupported grant type '{grant}'."),
        )
    }

    pub(super) fn malformed_assertion(detail: &str) -> Self {
        Self::new(400, "invalid_request", 50027, format!("JWT token is invalid or malformed. {detail}"))
    }

    pub(super) fn unknown_certificate() -> Self {
        Self::new(
            401,
            "invalid_client",
            700_027,
            "The certificate with identifier used to sign the client assertion is not registered on application.",
        )
    }

    pub(super) fn expired_certificate() -> Self {
        Self::new(
            401,
            "invalid_client",
            700_027,
            "The certificate with identifier used to sign the client assertion is expired on application. [Reason - \
             The key used is expired.]",
        )
    }

    pub(super) fn bad_assertion_signature() -> Self {
        Self::new(401, "invalid_client", 50013, "Assertion failed signature validation.")
    }

    pub(super) fn wrong_assertion_audience(audience: &str, expected: &str) -> Self {
        Self::new(
            401,
            "invalid_client",
            700_023,
            format!(
                "Client assertion audience claim does not match Realm issuer. The audience was '{audience}', expected \
             '{expected}'."
            ),
        )
    }

    pub(super) fn assertion_out_of_time() -> Self {
        Self::new(401, "invalid_client", 700_024, "Client assertion is not within its valid time range.")
    }

    pub(super) fn unknown_federated_issuer(issuer: &str) -> Self {
        Self::new(
            401,
            "invalid_client",
            700_211,
            format!("No matching federated identity record found for presented assertion issuer '{issuer}'."),
        )
    }

    pub(super) fn unknown_federated_subject(subject: &str, audience: &str) -> Self {
        Self::new(
            401,
            "invalid_client",
            700_213,
            format!(
                "No matching federated identity record found for presented assertion subject '{subject}' and audience \
             '{audience}'."
            ),
        )
    }

    /// The resource of a managed identity request is unknown.
    pub(crate) fn unknown_resource(resource: &str, tenant: &str) -> Self {
        Self::new(
            400,
            "invalid_resource",
            500_011,
            format!("The resource principal named {resource} was not found in the tenant named {tenant}."),
        )
    }

    /// What a front end answers that is overloaded or down.
    pub(crate) fn server(status: StatusCode) -> Self {
        Self::new(
            status.as_u16(),
            "temporarily_unavailable",
            90033,
            "A transient error has occurred. Please try again.",
        )
    }
}

impl IntoResponse for EntraError {
    fn into_response(self) -> Response {
        let format = format_description!("[year]-[month]-[day] [hour]:[minute]:[second]Z");
        let timestamp = OffsetDateTime::now_utc().format(format).unwrap_or_default();
        let (code, trace_id, correlation_id) = (self.code, guid(), self.correlation_id);
        let description = format!(
            "AADSTS{code}: {message} Trace ID: {trace_id} Correlation ID: {correlation_id} Timestamp: {timestamp}",
            message = self.message,
        );
        let body = json!({
            "error": self.error,
            "error_description": description,
            "error_codes": [code],
            "timestamp": timestamp,
            "trace_id": trace_id,
            "correlation_id": correlation_id,
            "error_uri": format!("https://login.microsoftonline.com/error?code={code}"),
        });
        (self.status, Json(body)).into_response()
    }
}
