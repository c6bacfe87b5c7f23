//! What a refusal of Microsoft Entra ID means: pure functions from status, headers and body to an error with
//! advice. Source of the codes: "Microsoft Entra authentication and authorization error codes", Microsoft Learn.

use crate::error::{Error, ErrorCode};
use serde::Deserialize;
use std::fmt::Write;
use std::time::Duration;

/// A description longer than this is cut: it goes into one log line.
const LONGEST_DESCRIPTION: usize = 600;

/// An answer that is not a success.
#[derive(Clone, Debug)]
pub(super) struct Answer {
    pub(super) status: u16,
    pub(super) retry_after: Option<Duration>,
    /// The body as far as it is an OAuth 2.0 error.
    pub(super) body: Option<Body>,
}

/// The error body of RFC 6749, 5.2, with Entra's additions.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct Body {
    pub(super) error: String,
    pub(super) error_description: String,
    error_codes: Vec<u64>,
    trace_id: String,
    correlation_id: String,
}

impl Answer {
    pub(super) fn new(status: u16, retry_after: Option<&str>, body: &[u8]) -> Self {
        let body = serde_json::from_slice::<Body>(body).ok().filter(|body| !body.error.is_empty());
        // Entra and IMDS send seconds, never a date.
        let retry_after = retry_after.and_then(|text| text.trim().parse().ok()).map(Duration::from_secs);
        Self { status, retry_after, body }
    }

    /// Whether the same request can succeed later: throttled, overloaded, or answered by something on the way.
    pub(super) fn is_temporary(&self) -> bool {
        let busy = matches!(self.status, 408 | 429 | 500..);
        busy || self.body.as_ref().is_none_or(|body| {
            body.error == "temporarily_unavailable"
                || body.code().is_some_and(|code| matches!(code, 90033 | 50196))
        })
    }

    /// The error for `credential`, which Microsoft Entra ID refused.
    pub(super) fn into_error(self, credential: &str) -> Error {
        let status = self.status;
        let temporary = self.is_temporary();
        let retry_after = self.retry_after;
        let said = self.body.map(|body| (body.text(), body.advice()));
        if temporary {
            let text = said.map(|(text, _)| format!(" {text}")).unwrap_or_default();
            return Error::new(
                ErrorCode::TokenEndpointUnavailable,
                format!("The token endpoint answered {status} to the credential ({credential}).{text}"),
                "It is tried again; if this lasts, check the proxy on the way and Azure's status page.",
            )
            .after(retry_after);
        }
        let (text, advice) = said.unwrap_or_default();
        Error::new(
            ErrorCode::SignInRefused,
            format!("Microsoft Entra ID refused the credential ({credential}): {text}"),
            advice,
        )
    }
}

impl Body {
    /// The number after `AADSTS`.
    fn code(&self) -> Option<u64> {
        self.error_codes.first().copied().or_else(|| {
            let digits = self.error_description.strip_prefix("AADSTS")?;
            digits.split(|c: char| !c.is_ascii_digit()).next()?.parse().ok()
        })
    }

    /// What Entra says, on one line, with the ids that its support asks for.
    pub(super) fn text(&self) -> String {
        let mut text = one_line(&self.error_description);
        if text.is_empty() {
            text.clone_from(&self.error);
        }
        for (name, id) in [("Trace ID", &self.trace_id), ("Correlation ID", &self.correlation_id)] {
            if !id.is_empty() && !text.contains(id.as_str()) {
                let _ = write!(text, " {name}: {id}");
            }
        }
        if !text.ends_with('.') {
            text.push('.');
        }
        text
    }

    fn advice(&self) -> &'static str {
        match self.code().unwrap_or_default() {
            7_000_215 => {
                "The secret is wrong or expired: create a new one under Certificates & secrets; use its Value, not its Secret ID."
            }
            7_000_222 => {
                "The secret has expired: create a new one under Certificates & secrets and use its Value."
            }
            700_016 => {
                "No application with this client id in this tenant: check both under App registrations."
            }
            90_002 | 900_023 | 900_021 => {
                "No such tenant: check the directory (tenant) id, and the authority host if the tenant is in another cloud."
            }
            7_000_112 => "The application is disabled: enable it under Enterprise applications.",
            70_011 | 1_002_012 => {
                "The scope is wrong: use https://redis.azure.com/.default unless your cloud has another one."
            }
            500_011 | 650_057 => {
                "The resource in the scope is unknown in this tenant: use https://redis.azure.com/.default unless your cloud has another one."
            }
            700_027 if self.error_description.contains("expired") => {
                "The certificate has expired: upload a new one under Certificates & secrets, and give it here."
            }
            700_023 => {
                "The assertion is made for another authority: use the one that issues the tokens, by its own name."
            }
            700_027 | 7_000_214 => {
                "The certificate is not registered with the application: upload it under Certificates & secrets."
            }
            700_024 => "The signed assertion is not valid now: check this machine's clock.",
            70_021 | 700_211 | 700_212 | 700_213 => {
                "No federated identity credential matches: check its issuer, subject and audience."
            }
            53_003 => "A Conditional Access policy blocks this sign-in: ask the tenant's administrator.",
            50_076 | 50_079 | 50_078 => "Multi-factor authentication is due: run \"az login\".",
            _ => "Look the AADSTS code up at https://login.microsoftonline.com/error.",
        }
    }
}

/// A text on one line and not too long.
pub(super) fn one_line(text: &str) -> String {
    let words: Vec<_> = text.split_whitespace().collect();
    let line = words.join(" ");
    match line.char_indices().nth(LONGEST_DESCRIPTION) {
        Some((end, _)) => format!("{}...", &line[..end]),
        None => line,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn refusal(code: u64) -> Error {
        let body = format!(
            r#"{{"error":"invalid_client","error_description":"AADSTS{code}: Said Entra.\r\nTrace ID: t-1\r\nCorrelation ID: c-1\r\nTimestamp: 2026-01-01 00:00:00Z","error_codes":[{code}],"trace_id":"t-1","correlation_id":"c-1"}}"#
        );
        Answer::new(401, None, body.as_bytes()).into_error("client secret")
    }

    #[test]
    fn a_refusal_keeps_code_and_ids_and_says_what_to_do() {
        let error = refusal(7_000_215);
        assert_eq!(error.code(), ErrorCode::SignInRefused);
        assert!(!error.is_retryable());
        for part in ["client secret", "AADSTS7000215", "t-1", "c-1", "Value, not its Secret ID"] {
            assert!(error.to_string().contains(part), "{part} in {error}");
        }
        assert!(!error.to_string().contains(['\r', '\n']));
        assert!(refusal(700_016).advice().contains("client id"));
        assert!(refusal(90_002).advice().contains("tenant"));
        assert!(refusal(70_011).advice().contains("scope"));
        assert!(refusal(123).advice().contains("error"));
    }

    #[test]
    fn throttling_and_faults_are_temporary_and_keep_retry_after() {
        for status in [408, 429, 500, 503, 504] {
            let error = Answer::new(status, Some("17"), b"<html>").into_error("client secret");
            assert_eq!(error.code(), ErrorCode::TokenEndpointUnavailable);
            assert_eq!(error.retry_after(), Some(Duration::from_secs(17)));
            assert!(error.is_retryable());
        }
        let error = refusal(90_033);
        assert_eq!(error.code(), ErrorCode::TokenEndpointUnavailable);
        assert!(error.message().contains("AADSTS90033"));
    }

    #[test]
    fn what_is_not_entras_answer_is_not_entras_refusal() {
        for body in ["<html>Proxy says no</html>", "{}", r#"{"error":""}"#] {
            let error = Answer::new(403, None, body.as_bytes()).into_error("client secret");
            assert_eq!(error.code(), ErrorCode::TokenEndpointUnavailable);
        }
    }

    proptest! {
        #[test]
        fn no_answer_makes_it_panic(status: u16, retry_after in "\\PC{0,10}", body in "\\PC{0,900}") {
            let quoted = serde_json::json!({"error": "x", "error_description": body}).to_string();
            for body in [body.as_str(), quoted.as_str()] {
                let error = Answer::new(status, Some(&retry_after), body.as_bytes()).into_error("x");
                prop_assert!(error.message().chars().count() < 800);
            }
        }
    }
}
