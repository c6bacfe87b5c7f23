//! Answering a token request, whatever the endpoint: the fault it meets, the token, the record.

use std::time::Duration;

use axum::{
    Json,
    http::{StatusCode, header::RETRY_AFTER},
    response::{IntoResponse, Response},
};
use serde_json::{Value, json};

use crate::{
    entra::error::EntraError,
    faults::TokenFault,
    http::Scissors,
    identity::Subject,
    state::Shared,
    stats::{TokenRecord, WireRequest, now},
    token::{IssuedToken, TokenOverrides},
};

/// A token request on its way to an answer.
pub(crate) struct TokenRequest<'a> {
    pub(crate) shared: &'a Shared,
    pub(crate) grant: &'static str,
    pub(crate) scissors: &'a Scissors,
    pub(crate) wire: &'a WireRequest,
}

impl TokenRequest<'_> {
    /// Records a refusal.
    pub(crate) fn refused(&self, error: impl Into<String>) {
        let error = Some(error.into());
        self.record(TokenRecord { error, ..TokenRecord::default() });
    }

    fn record(&self, record: TokenRecord) {
        let request = self.wire.clone();
        let record = TokenRecord { time: now(), grant: self.grant.into(), request, ..record };
        tracing::info!(grant = self.grant, oid = record.oid, error = record.error, "token request");
        self.shared.journal.token_request(record);
    }

    /// Meets the fault that is armed, if any. `Ok` goes on, with the fault that spoils the token.
    pub(crate) async fn meet_fault(&self) -> Result<Option<TokenFault>, Response> {
        let Some(fault) = self.shared.faults.take_token(self.grant) else { return Ok(None) };
        let answer = match fault {
            TokenFault::Slow { delay_ms } => {
                tokio::time::sleep(Duration::from_millis(delay_ms)).await;
                return Ok(None);
            }
            TokenFault::WrongAudience | TokenFault::NoOid | TokenFault::NotAJwt => return Ok(Some(fault)),
            TokenFault::Status { status } => {
                self.refused(format!("fault: status {status}"));
                let status = StatusCode::from_u16(status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
                EntraError::server(status).into_response()
            }
            TokenFault::TooManyRequests { retry_after } => {
                self.refused("fault: too many requests");
                let error = EntraError::server(StatusCode::TOO_MANY_REQUESTS);
                ([(RETRY_AFTER, retry_after.to_string())], error).into_response()
            }
            TokenFault::Malformed => {
                self.refused("fault: malformed");
                ([("content-type", "application/json")], "{\"token_type\":\"Bearer\",\"access_tok")
                    .into_response()
            }
            TokenFault::Hang => {
                self.refused("fault: hang");
                std::future::pending().await
            }
            TokenFault::Drop | TokenFault::Refuse => {
                self.refused("fault: drop");
                self.scissors.cut().await
            }
        };
        Err(answer)
    }

    /// Issues a token, spoiled as the fault asks, and records it.
    pub(crate) fn issue(
        &self,
        subject: &Subject,
        audience: &str,
        spoil: Option<&TokenFault>,
    ) -> Result<IssuedToken, Box<Response>> {
        let overrides = TokenOverrides {
            claims: match spoil {
                Some(TokenFault::WrongAudience) => json!({"aud": "https://management.azure.com"}),
                Some(TokenFault::NoOid) => json!({"oid": Value::Null}),
                _ => Value::Null,
            }
            .as_object()
            .cloned()
            .unwrap_or_default(),
            foreign_key: false,
        };
        let tokens = &self.shared.tokens;
        let mut token = tokens.issue(subject, audience, tokens.lifetime(), &overrides).map_err(|error| {
            self.refused(error.to_string());
            Box::new(
                (StatusCode::INTERNAL_SERVER_ERROR, Json(json!({"error": error.to_string()})))
                    .into_response(),
            )
        })?;
        if spoil == Some(&TokenFault::NotAJwt) {
            token.access_token = "an-opaque-token".into();
        }
        self.served(&token);
        Ok(token)
    }

    /// Records a token that is handed out.
    pub(crate) fn served(&self, token: &IssuedToken) {
        let (oid, uti) = (Some(token.oid.clone()), Some(token.uti.clone()));
        self.record(TokenRecord { oid, uti, ..TokenRecord::default() });
    }
}
