//! Judges a sign-in as Azure does, and rewrites it so that the real server gives the answer, in order.

use super::scanner::Command;
use crate::{
    state::Shared,
    stats::{AuthRecord, Refusal, now},
};

/// The outcome of a sign-in.
#[derive(Debug)]
pub(super) struct Verdict {
    /// When the connection's token expires; `None` for an access key.
    pub(super) expires_on: Option<u64>,
    oid: Option<String>,
    uti: Option<String>,
    refusal: Option<Refusal>,
}

impl Verdict {
    fn refused(refusal: Refusal) -> Self {
        Self { expires_on: None, oid: None, uti: None, refusal: Some(refusal) }
    }

    pub(super) fn accepted(&self) -> bool {
        self.refusal.is_none()
    }

    pub(super) fn record(&self, connection: u64, port: u16) -> AuthRecord {
        AuthRecord {
            connection,
            port,
            time: now(),
            oid: self.oid.clone(),
            uti: self.uti.clone(),
            expires_on: self.expires_on,
            accepted: self.accepted(),
            reason: self.refusal,
        }
    }
}

/// Where user and password stand in a command.
struct Credentials {
    user: Option<usize>,
    password: usize,
}

/// Judges the sign-in in this command and appends the rewritten command; `None` when there is none in it.
pub(super) fn sign_in(shared: &Shared, arguments: Command<'_>, out: &mut Vec<u8>) -> Option<Verdict> {
    let place = locate(arguments)?;
    let user = place.user.map_or(&b"default"[..], |at| arguments[at]);
    let verdict = judge(shared, user, arguments[place.password]);
    let password: &[u8] = if verdict.accepted() {
        shared.cache.internal_password.as_bytes()
    } else {
        // Nobody has this password; so the server refuses in its own words.
        b"refused"
    };
    let rewritten = arguments.iter().enumerate();
    super::encode(
        rewritten.map(|(at, argument)| if at == place.password { password } else { argument }),
        out,
    );
    Some(verdict)
}

fn locate(arguments: Command<'_>) -> Option<Credentials> {
    if arguments[0].eq_ignore_ascii_case(b"AUTH") {
        return match arguments.len() {
            2 => Some(Credentials { user: None, password: 1 }),
            3 => Some(Credentials { user: Some(1), password: 2 }),
            _ => None,
        };
    }
    if !arguments[0].eq_ignore_ascii_case(b"HELLO") {
        return None;
    }
    // HELLO protover [AUTH user password] [SETNAME name]
    let mut at = 2;
    while at < arguments.len() {
        if arguments[at].eq_ignore_ascii_case(b"AUTH") && at + 2 < arguments.len() {
            return Some(Credentials { user: Some(at + 1), password: at + 2 });
        }
        at += if arguments[at].eq_ignore_ascii_case(b"SETNAME") { 2 } else { 1 };
    }
    None
}

fn judge(shared: &Shared, user: &[u8], password: &[u8]) -> Verdict {
    let mut verdict = if user == b"default" {
        let good = shared.cache.access_key().is_some_and(|key| key.as_bytes() == password);
        Verdict {
            oid: Some("default".into()),
            expires_on: None,
            uti: None,
            refusal: (!good).then_some(Refusal::BadKey),
        }
    } else {
        judge_token(shared, user, password)
    };
    if shared.faults.take_auth() {
        verdict.refusal = Some(Refusal::Fault);
    }
    verdict
}

fn judge_token(shared: &Shared, user: &[u8], token: &[u8]) -> Verdict {
    let Ok(token) = std::str::from_utf8(token) else { return Verdict::refused(Refusal::BadSignature) };
    let (claims, mut refusal) = match shared.tokens.check(token) {
        Ok(claims) => (claims, None),
        Err((refusal, None)) => return Verdict::refused(refusal),
        Err((refusal, Some(claims))) => (claims, Some(refusal)),
    };
    if refusal.is_none() {
        refusal = match &claims.oid {
            Some(oid) if oid.as_bytes() != user => Some(Refusal::WrongUser),
            Some(oid) if !shared.cache.is_granted(oid) => Some(Refusal::NotGranted),
            Some(_) => None,
            None => Some(Refusal::WrongUser),
        };
    }
    Verdict { expires_on: Some(claims.exp), oid: claims.oid, uti: claims.uti, refusal }
}
