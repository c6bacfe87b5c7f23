//! When a live connection says `AUTH` again and what follows from the answer. Decides only: it is told
//! the time and the answers, and says what to send.

use super::settings::Settings;
use crate::error::{Error, ErrorCode};
use crate::token::{Token, schedule};
use std::time::{Duration, Instant, SystemTime};

/// The longest wait between two attempts for the same token.
const RETRY_MAX: Duration = Duration::from_secs(30);
/// The longest automatic stagger window.
const STAGGER_MAX: Duration = Duration::from_secs(10);
/// From this refusal of one token on it is no passing trouble: a fresh token is asked for and, when the end
/// is near, a fresh connection is made.
const REFUSALS_BEFORE_DOUBT: u32 = 3;

/// What became of an `AUTH`.
#[derive(Debug)]
pub(crate) enum Outcome {
    /// The connection now stands on this token.
    Renewed(Token),
    /// It did not work; the next attempt is due after `next`.
    Failed {
        /// Counts the attempts for this token, from 1.
        attempt: u32,
        /// How long until the next attempt.
        next: Duration,
        /// The token to throw away: the server refused it more than once.
        reject: Option<u64>,
    },
}

/// The sign-in of one connection over its life.
#[derive(Debug)]
pub(crate) struct Reauth {
    /// The token the connection stands on.
    current: Token,
    /// The token it should stand on, when that is another one.
    wanted: Option<Wanted>,
    /// The token whose `AUTH` is under way.
    sent: Option<(Token, u32)>,
    /// Failed attempts since the last success, with whatever token.
    failures: u32,
}

#[derive(Debug)]
struct Wanted {
    token: Token,
    failures: u32,
    due: Instant,
}

impl Reauth {
    /// A connection that was signed in with `token`.
    pub(crate) fn new(token: Token) -> Self {
        Self { current: token, wanted: None, sent: None, failures: 0 }
    }

    /// The token the connection stands on.
    pub(crate) fn current(&self) -> &Token {
        &self.current
    }

    /// A new token is there. `random` is in `0.0..1.0`.
    pub(crate) fn offer(
        &mut self,
        token: Token,
        settings: &Settings,
        now: Instant,
        wall: SystemTime,
        random: f64,
    ) {
        let known = self.wanted.as_ref().map_or(self.current.generation, |wanted| wanted.token.generation);
        let under_way = self.sent.as_ref().map_or(0, |(token, _)| token.generation);
        if token.generation <= known.max(under_way) {
            return;
        }
        let left = self.remaining(now, wall);
        let window = settings.reauth_stagger.unwrap_or((left / 10).min(STAGGER_MAX)).min(left / 2);
        let due = now + schedule::auth_delay(0, 1, window, random);
        self.wanted = Some(Wanted { token, failures: 0, due });
    }

    /// When the next `AUTH` is due; `None` while none is wanted or one is under way.
    pub(crate) fn due(&self) -> Option<Instant> {
        if self.sent.is_some() { None } else { self.wanted.as_ref().map(|wanted| wanted.due) }
    }

    /// The token to send now, if its time has come. The answer goes to [`Reauth::answered`].
    pub(crate) fn take_due(&mut self, now: Instant) -> Option<Token> {
        if self.due()? > now {
            return None;
        }
        let wanted = self.wanted.take()?;
        self.sent = Some((wanted.token.clone(), wanted.failures));
        Some(wanted.token)
    }

    /// The answer to the `AUTH` under way. `random` is in `0.0..1.0`.
    pub(crate) fn answered(
        &mut self,
        answer: &Result<(), Error>,
        settings: &Settings,
        now: Instant,
        wall: SystemTime,
        random: f64,
    ) -> Option<Outcome> {
        let (token, failures) = self.sent.take()?;
        let Err(error) = answer else {
            self.current = token.clone();
            self.failures = 0;
            return Some(Outcome::Renewed(token));
        };
        let attempt = failures + 1;
        self.failures += 1;
        let next = retry_after(settings.reauth_retry_min, attempt, self.remaining(now, wall), random);
        let refused = error.code() == ErrorCode::AuthRefused && attempt >= REFUSALS_BEFORE_DOUBT;
        let reject = refused.then_some(token.generation);
        // A newer token that arrived meanwhile takes this one's place.
        if self.wanted.is_none() {
            self.wanted = Some(Wanted { token, failures: attempt, due: now + next });
        }
        Some(Outcome::Failed { attempt, next, reject })
    }

    /// How long the token the connection stands on is still good for use.
    ///
    /// Ends a little before the token itself: what is sent then is still answered.
    pub(crate) fn usable(&self, now: Instant, wall: SystemTime) -> Duration {
        self.current.usable(now, wall)
    }

    /// How long until the server closes the connection.
    pub(crate) fn remaining(&self, now: Instant, wall: SystemTime) -> Duration {
        self.current.remaining(now, wall)
    }

    /// Whether a fresh connection should be opened beside this one: it cannot be signed in again, and its
    /// end is near.
    pub(crate) fn wants_replacement(&self, settings: &Settings, now: Instant, wall: SystemTime) -> bool {
        let failing = self.failures >= REFUSALS_BEFORE_DOUBT;
        let lifetime = self.current.lifetime();
        let lead = (settings.connect_timeout * 2).max(lifetime / 10).min(lifetime / 4);
        failing && self.usable(now, wall) <= lead
    }
}

/// Doubling from `first` with full jitter above half of each step, and soon enough before the end.
fn retry_after(first: Duration, attempt: u32, remaining: Duration, random: f64) -> Duration {
    let step = first.saturating_mul(1 << attempt.saturating_sub(1).min(16)).min(RETRY_MAX);
    step.mul_f64(0.5 + random / 2.0).min((remaining / 4).max(first / 2))
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;
    use crate::connection::outbox::Limits;
    use crate::connection::settings::SignIn;
    use crate::secret::Secret;
    use proptest::prelude::*;

    pub(crate) fn settings() -> Settings {
        Settings {
            targets: Vec::new(),
            resp3: true,
            connect_timeout: Duration::from_secs(5),
            command_timeout: Duration::from_secs(5),
            keep_alive: Some(Duration::from_mins(1)),
            tcp_keep_alive: true,
            client_name: None,
            set_client_info: true,
            database: 0,
            fail_fast: false,
            first_dials: None,
            backoff_min: Duration::from_millis(100),
            backoff_max: Duration::from_secs(10),
            reauth_stagger: None,
            reauth_retry_min: Duration::from_millis(100),
            max_reply_bytes: 1 << 20,
            cache: None,
            limits: Limits { requests: 10, bytes: 1000 },
            blocking_connections: 1,
            tunnel: None,
            sign_in: SignIn::Nobody,
            cluster: None,
            nodes_by_name: false,
            fixed_tls_name: false,
            readonly: false,
        }
    }

    fn token(generation: u64, wall: SystemTime, lifetime: Duration) -> Token {
        Token {
            secret: Secret::new("t"),
            user: "u".into(),
            expires_at: wall + lifetime,
            received_at: wall,
            generation,
            received: Instant::now(),
        }
    }

    const HOUR: Duration = Duration::from_hours(1);

    #[test]
    fn one_token_is_sent_once_however_often_it_is_offered() {
        let (now, wall, settings) = (Instant::now(), SystemTime::now(), settings());
        let mut reauth = Reauth::new(token(1, wall, HOUR));
        let second = token(2, wall, HOUR);
        for _ in 0..3 {
            reauth.offer(second.clone(), &settings, now, wall, 0.5);
        }
        let later = now + STAGGER_MAX;
        assert_eq!(reauth.take_due(later).map(|token| token.generation), Some(2));
        reauth.offer(second.clone(), &settings, later, wall, 0.5);
        assert!(reauth.take_due(later + HOUR).is_none());
        assert!(matches!(reauth.answered(&Ok(()), &settings, later, wall, 0.0), Some(Outcome::Renewed(_))));
        reauth.offer(second, &settings, later, wall, 0.5);
        assert!(reauth.due().is_none());
    }

    #[test]
    fn a_refused_token_is_tried_again_and_then_thrown_away() {
        let (now, wall, settings) = (Instant::now(), SystemTime::now(), settings());
        let mut reauth = Reauth::new(token(1, wall, HOUR));
        reauth.offer(token(2, wall, HOUR), &settings, now, wall, 0.0);
        let refusal = Err(Error::from_reply("WRONGPASS invalid username-password pair"));
        let mut rejected = Vec::new();
        for expected in 1..=3 {
            let due = reauth.due().unwrap();
            reauth.take_due(due).unwrap();
            match reauth.answered(&refusal, &settings, due, wall, 0.5) {
                Some(Outcome::Failed { attempt, reject, next }) => {
                    assert_eq!(attempt, expected);
                    assert!(next >= Duration::from_millis(50));
                    rejected.push(reject);
                }
                other => panic!("{other:?}"),
            }
        }
        assert_eq!(rejected, [None, None, Some(2)]);
        assert!(reauth.wants_replacement(&settings, now, wall + HOUR - Duration::from_secs(30)));
        assert!(!reauth.wants_replacement(&settings, now, wall));
    }

    #[test]
    fn a_clock_that_is_set_back_puts_no_sign_in_off() {
        let (now, wall, settings) = (Instant::now(), SystemTime::now(), settings());
        let life = Duration::from_secs(8);
        let mut reauth = Reauth::new(Token { received: now, ..token(1, wall, life) });
        let (now, back) = (now + life * 3 / 4, wall - HOUR);
        assert_eq!(reauth.remaining(now, back), life / 4);
        reauth.offer(token(2, back, life), &settings, now, back, 0.999);
        assert!(reauth.due().unwrap() < now + life / 8);
        assert_eq!(reauth.usable(now + life / 4, back), Duration::ZERO);
    }

    proptest! {
        #[test]
        fn an_offered_token_is_due_while_the_old_one_is_still_good(
            lifetime in 2u64..100_000, passed in 0.0f64..0.99, random in 0.0f64..1.0, stagger in prop::option::of(0u64..10_000),
        ) {
            let (now, wall) = (Instant::now(), SystemTime::now());
            let mut settings = settings();
            settings.reauth_stagger = stagger.map(Duration::from_secs);
            let lifetime = Duration::from_secs(lifetime);
            let mut reauth = Reauth::new(token(1, wall, lifetime));
            let wall = wall + lifetime.mul_f64(passed);
            reauth.offer(token(2, wall, lifetime), &settings, now, wall, random);
            let wait = reauth.due().unwrap() - now;
            prop_assert!(wait <= reauth.remaining(now, wall) / 2);
        }

        #[test]
        fn retries_never_wait_past_the_end(first in 1u64..1000, attempt in 1u32..100, remaining in 0u64..100_000, random in 0.0f64..1.0) {
            let (first, remaining) = (Duration::from_millis(first), Duration::from_millis(remaining));
            let wait = retry_after(first, attempt, remaining, random);
            prop_assert!(wait <= (remaining / 4).max(first / 2));
            prop_assert!(wait <= RETRY_MAX);
        }
    }
}
