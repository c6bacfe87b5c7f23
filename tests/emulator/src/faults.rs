//! Faults on demand: the switches, and the state the services look at.

use std::{sync::Arc, time::Duration};

use parking_lot::Mutex;
use serde::{Deserialize, Serialize};
use tokio::sync::watch;

use crate::{
    error::Error,
    flow::{Admission, Cut, Flows, Freeze, GatewayFaults},
    state::Shared,
};

/// What a token endpoint does instead of answering properly.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "mode", rename_all = "snake_case")]
pub enum TokenFault {
    /// Answers with this HTTP status and an error that Entra ID would send with it.
    Status {
        /// The HTTP status.
        status: u16,
    },
    /// Answers properly, after a delay.
    Slow {
        /// The delay in milliseconds.
        delay_ms: u64,
    },
    /// Never answers.
    Hang,
    /// Answers 429 with `Retry-After`.
    TooManyRequests {
        /// The value of `Retry-After`, in seconds.
        retry_after: u64,
    },
    /// Answers 200 with half a JSON object.
    Malformed,
    /// Answers with a token for another resource.
    WrongAudience,
    /// Answers with a token without `oid`.
    NoOid,
    /// Answers with an access token that is not a JWT.
    NotAJwt,
    /// Closes the connection without an answer.
    Drop,
    /// Nobody listens: connections are refused, open ones are cut, whatever the grant and the count.
    Refuse,
}

/// Something that applies a number of times, or until it is cleared.
#[derive(Clone, Debug)]
struct Armed<T> {
    fault: T,
    remaining: Option<u32>,
}

/// The state of all switches.
pub(crate) struct FaultState {
    token: Mutex<Option<(Armed<TokenFault>, Option<String>)>>,
    auth: Mutex<Option<Armed<()>>>,
    az_logged_out: Mutex<bool>,
    pub(crate) flows: Flows,
    pub(crate) token_endpoints_open: watch::Sender<bool>,
}

impl Default for FaultState {
    fn default() -> Self {
        Self {
            token: Mutex::default(),
            auth: Mutex::default(),
            az_logged_out: Mutex::default(),
            flows: Flows::default(),
            token_endpoints_open: watch::Sender::new(true),
        }
    }
}

impl FaultState {
    /// The fault this token request meets, if any; it counts as used.
    pub(crate) fn take_token(&self, grant: &str) -> Option<TokenFault> {
        let mut slot = self.token.lock();
        let (armed, only) = slot.as_mut()?;
        if only.as_deref().is_some_and(|only| only != grant) {
            return None;
        }
        let fault = armed.fault.clone();
        let spent = use_up(&mut armed.remaining);
        if spent {
            *slot = None;
        }
        Some(fault)
    }

    /// Whether this sign-in is to be refused; it counts as used.
    pub(crate) fn take_auth(&self) -> bool {
        let mut slot = self.auth.lock();
        let Some(armed) = slot.as_mut() else { return false };
        if use_up(&mut armed.remaining) {
            *slot = None;
        }
        true
    }

    pub(crate) fn az_logged_out(&self) -> bool {
        *self.az_logged_out.lock()
    }
}

/// Counts one use; true when it was the last.
fn use_up(remaining: &mut Option<u32>) -> bool {
    let Some(count) = remaining else { return false };
    *count = count.saturating_sub(1);
    *count == 0
}

/// The switches, for tests: they act at once and hold until cleared.
#[derive(Clone)]
pub struct Faults {
    pub(crate) shared: Arc<Shared>,
}

impl Faults {
    /// The next `times` token requests (all of them when `None`) meet this fault.
    pub fn token(&self, fault: TokenFault, times: Option<u32>) {
        self.token_for(None, fault, times);
    }

    /// Like [`Faults::token`], for one grant only: `client_secret`, `client_assertion`, `imds`,
    /// `app_service` or `az`.
    pub fn token_for(&self, grant: Option<&str>, fault: TokenFault, times: Option<u32>) {
        let state = &self.shared.faults;
        if fault == TokenFault::Refuse {
            state.token_endpoints_open.send_replace(false);
            return;
        }
        *state.token.lock() =
            (times != Some(0)).then(|| (Armed { fault, remaining: times }, grant.map(Into::into)));
    }

    /// Token requests are answered properly again.
    pub fn clear_token(&self) {
        *self.shared.faults.token.lock() = None;
        self.shared.faults.token_endpoints_open.send_replace(true);
    }

    /// The next `times` sign-ins (all of them when `None`) are refused with `WRONGPASS`.
    pub fn refuse_auth(&self, times: Option<u32>) {
        *self.shared.faults.auth.lock() = (times != Some(0)).then_some(Armed { fault: (), remaining: times });
    }

    /// Sign-ins are judged properly again.
    pub fn clear_auth(&self) {
        *self.shared.faults.auth.lock() = None;
    }

    /// Whether the stand-in `az` says that nobody is signed in.
    pub fn az_logged_out(&self, logged_out: bool) {
        *self.shared.faults.az_logged_out.lock() = logged_out;
    }

    /// The switches of the one gateway on this port, such as that of one node of a cluster.
    pub fn at(&self, port: u16) -> Result<GatewayFaults, Error> {
        let shared = &self.shared;
        shared.faults.flows.at(port, &shared.runtime).ok_or(Error::UnknownPort(port))
    }

    fn each(&self, switch: impl Fn(&GatewayFaults)) {
        self.shared.faults.flows.all(&self.shared.runtime).iter().for_each(switch);
    }

    /// Ends all open connections to the gateways.
    pub fn cut_connections(&self, cut: Cut) {
        self.each(|gateway| gateway.cut_connections(cut));
    }

    /// Stops the bytes of all gateways, for a time or (`None`) until [`Faults::thaw`].
    pub fn freeze(&self, freeze: Freeze, duration: Option<Duration>) {
        // For a time: of the gateways that there are.
        self.shared.faults.flows.freeze_later_ones(if duration.is_some() { Freeze::None } else { freeze });
        self.each(|gateway| gateway.freeze(freeze, duration));
    }

    /// Lets the bytes flow again.
    pub fn thaw(&self) {
        self.freeze(Freeze::None, None);
    }

    /// What happens to new connections to the gateways.
    pub fn admission(&self, admission: Admission) {
        self.shared.faults.flows.admit_later_ones(admission);
        self.each(|gateway| gateway.admission(admission));
    }

    /// Clears every fault.
    pub fn clear(&self) {
        self.clear_token();
        self.clear_auth();
        self.az_logged_out(false);
        self.thaw();
        self.admission(Admission::Open);
    }
}
