//! What the services answer: the token with its expiry, or what their refusals mean.

use super::super::AccessToken;
use super::super::answer::{Answer, one_line};
use super::ManagedIdentityId;
use crate::error::{Error, ErrorCode, Result};
use serde::Deserialize;
use std::time::{Duration, SystemTime};

/// The success body; numbers come as text from IMDS and as either from others.
#[derive(Deserialize)]
pub(super) struct TokenBody {
    access_token: String,
    #[serde(default)]
    expires_on: Option<Number>,
    #[serde(default)]
    expires_in: Option<Number>,
    #[serde(default)]
    client_id: Option<String>,
    #[serde(default)]
    object_id: Option<String>,
    #[serde(default, alias = "mi_res_id")]
    msi_res_id: Option<String>,
}

#[derive(Deserialize)]
#[serde(untagged)]
enum Number {
    Number(u64),
    Text(String),
}

impl Number {
    fn seconds(&self) -> Option<Duration> {
        match self {
            Self::Number(seconds) => Some(*seconds),
            Self::Text(text) => text.parse().ok(),
        }
        .map(Duration::from_secs)
    }
}

impl TokenBody {
    /// Why serde refused it could quote the token: not repeated.
    pub(super) fn read(label: &str, body: &[u8]) -> Result<Self> {
        serde_json::from_slice(body).map_err(|_| {
            Error::new(
                ErrorCode::CredentialUnavailable,
                format!("{label} answered with something that is not a managed identity's token."),
                "This does not seem to be Azure's metadata service; use another credential here.",
            )
        })
    }

    /// Fails unless the answer says that it is for this identity: older agents of Azure Arc overlook the question
    /// and answer with the system-assigned one.
    pub(super) fn confirms(&self, id: &ManagedIdentityId) -> Result<()> {
        let (said, asked) = match id {
            ManagedIdentityId::SystemAssigned => return Ok(()),
            ManagedIdentityId::ClientId(id) => (&self.client_id, id),
            ManagedIdentityId::ObjectId(id) => (&self.object_id, id),
            ManagedIdentityId::ResourceId(id) => (&self.msi_res_id, id),
        };
        if said.as_ref().is_some_and(|said| said.eq_ignore_ascii_case(asked)) {
            return Ok(());
        }
        Err(Error::new(
            ErrorCode::CredentialUnavailable,
            "Azure Arc did not confirm that the token is for the managed identity that was asked for.",
            "Update the Azure Connected Machine agent, or use its system-assigned identity.",
        ))
    }

    pub(super) fn into_token(self, now: SystemTime) -> AccessToken {
        let at = self.expires_on.as_ref().and_then(Number::seconds);
        let at = at.and_then(|at| SystemTime::UNIX_EPOCH.checked_add(at));
        let after = self.expires_in.as_ref().and_then(Number::seconds);
        // Without either the token's own claim decides; a day is what Azure issues.
        let expires_at = at.or_else(|| now.checked_add(after?)).unwrap_or(now + Duration::from_hours(24));
        AccessToken { secret: self.access_token.into(), expires_at }
    }
}

/// What a refusal means. The metadata service asks to be tried again on 404, 410, 429 and 5xx; a 404 without its
/// kind of body is somebody else's.
pub(super) fn explain(label: &str, answer: &Answer) -> Error {
    let status = answer.status;
    let text = answer.body.as_ref().map(|body| format!(" {}", one_line(&body.text()))).unwrap_or_default();
    let message = format!("The managed identity endpoint at {label} answered {status}.{text}");
    if matches!(status, 410 | 429 | 500..) || (status == 404 && answer.body.is_some()) {
        let advice = "It is tried again; right after a start or an assignment this passes.";
        return Error::new(ErrorCode::TokenEndpointUnavailable, message, advice).after(answer.retry_after);
    }
    let advice = match (status, &answer.body) {
        (400, Some(_)) => {
            "Assign the managed identity to this Azure resource (Identity, in the portal), or correct its id."
        }
        _ => "This does not seem to be Azure's metadata service; use another credential here.",
    };
    Error::new(ErrorCode::CredentialUnavailable, message, advice)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_passes_is_told_from_what_does_not() {
        let body = br#"{"error":"invalid_request","error_description":"Identity not found"}"#;
        for (status, body, code) in [
            (400, &body[..], ErrorCode::CredentialUnavailable),
            (403, b"", ErrorCode::CredentialUnavailable),
            (404, b"<html>", ErrorCode::CredentialUnavailable),
            (404, body, ErrorCode::TokenEndpointUnavailable),
            (410, b"", ErrorCode::TokenEndpointUnavailable),
            (429, b"", ErrorCode::TokenEndpointUnavailable),
            (500, b"", ErrorCode::TokenEndpointUnavailable),
            (504, body, ErrorCode::TokenEndpointUnavailable),
        ] {
            let error = explain("imds", &Answer::new(status, None, body));
            assert_eq!(error.code(), code, "{status}");
            assert_eq!(error.is_retryable(), code == ErrorCode::TokenEndpointUnavailable);
        }
    }

    #[test]
    fn an_answer_for_another_identity_is_not_taken() {
        let body = TokenBody::read("arc", br#"{"access_token":"hunter2","client_id":"C-1"}"#).unwrap();
        body.confirms(&ManagedIdentityId::ClientId("c-1".into())).unwrap();
        body.confirms(&ManagedIdentityId::SystemAssigned).unwrap();
        for id in [ManagedIdentityId::ClientId("c-2".into()), ManagedIdentityId::ObjectId("c-1".into())] {
            let error = body.confirms(&id).unwrap_err();
            assert!(error.message().contains("did not confirm") && !error.to_string().contains("hunter2"));
        }
    }
}
