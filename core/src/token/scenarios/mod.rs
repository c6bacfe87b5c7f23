//! The behaviours that the shared test specification of Redis clients asks of a token manager (ids T.x.y) and
//! what other clients learned the hard way, under a virtual clock.

use super::clock::Clock;
use super::{Token, TokenSource, TokenSourceOptions, UserName};
use crate::credential::{AccessToken, Credential, TokenFuture, TokenProvider, TokenRequest};
use crate::error::{Error, ErrorCode, Result};
use crate::event::{Event, EventMask};
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use parking_lot::Mutex;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::mpsc::{Receiver, channel};
use std::time::{Duration, SystemTime};
use tokio::runtime::Handle;
use tokio::time::{Instant, sleep};

mod acquiring;
mod clocks;
mod lifecycle;
mod renewing;

const HOUR: Duration = Duration::from_hours(1);
const WAIT: Duration = Duration::from_secs(30);

fn seconds(count: u64) -> Duration {
    Duration::from_secs(count)
}

/// A wall clock that goes with tokio's and can be moved.
#[derive(Debug)]
struct TestClock {
    started: Instant,
    /// For how long the machine, and tokio's clock, stood still.
    suspended: Mutex<Duration>,
    /// By how many seconds this machine's clock is ahead of the issuer's.
    ahead: Mutex<i64>,
}

impl TestClock {
    fn suspend(&self, time: Duration) {
        *self.suspended.lock() += time;
    }

    fn set_ahead(&self, seconds: i64) {
        *self.ahead.lock() = seconds;
    }

    /// What the issuer's clock says.
    fn issuer(&self) -> SystemTime {
        // An arbitrary day, far enough from the epoch to go back from it.
        SystemTime::UNIX_EPOCH + seconds(1_700_000_000) + self.started.elapsed() + *self.suspended.lock()
    }
}

impl Clock for TestClock {
    fn wall(&self) -> SystemTime {
        let ahead = *self.ahead.lock();
        let by = seconds(ahead.unsigned_abs());
        if ahead < 0 { self.issuer() - by } else { self.issuer() + by }
    }
}

/// What the scripted credential does on one call.
#[derive(Clone, Debug)]
enum Step {
    /// A new token with this lifetime.
    Issue(Duration),
    /// The last token once more.
    Repeat,
    Fail(Error),
    Hang,
    Panic,
    /// A text in place of a token.
    Text(&'static str),
}

/// Plays its script, repeats the last step for ever, and notes when it was called.
#[derive(Debug)]
struct Script {
    steps: Mutex<Vec<Step>>,
    clock: Arc<TestClock>,
    calls: Mutex<Vec<(Instant, bool)>>,
    last: Mutex<Option<AccessToken>>,
    issued: AtomicU32,
}

impl Script {
    fn calls(&self) -> usize {
        self.calls.lock().len()
    }

    fn set(&self, steps: impl Into<Vec<Step>>) {
        *self.steps.lock() = steps.into();
    }
}

impl TokenProvider for Script {
    fn name(&self) -> &'static str {
        "script"
    }

    fn token<'a>(&'a self, request: &'a TokenRequest) -> TokenFuture<'a> {
        Box::pin(async move {
            self.calls.lock().push((Instant::now(), request.force));
            let step = {
                let mut steps = self.steps.lock();
                if steps.len() > 1 { steps.remove(0) } else { steps[0].clone() }
            };
            match step {
                Step::Issue(lifetime) => {
                    // A request takes its time, so that callers meet while it is under way.
                    sleep(Duration::from_millis(20)).await;
                    let expires_at = self.clock.wall() + lifetime;
                    let uti = self.issued.fetch_add(1, Ordering::SeqCst);
                    let issued = self.clock.issuer().duration_since(SystemTime::UNIX_EPOCH).unwrap();
                    let exp = (issued + lifetime).as_secs_f64().ceil();
                    let token = AccessToken { secret: jwt(issued.as_secs(), exp, uti).into(), expires_at };
                    *self.last.lock() = Some(token.clone());
                    Ok(token)
                }
                Step::Repeat => Ok(self.last.lock().clone().expect("a token was issued before")),
                Step::Fail(error) => Err(error),
                Step::Hang => std::future::pending().await,
                Step::Panic => panic!("on purpose"),
                Step::Text(text) => {
                    Ok(AccessToken { secret: text.into(), expires_at: self.clock.wall() + HOUR })
                }
            }
        })
    }
}

fn jwt(iat: u64, exp: f64, uti: u32) -> String {
    let payload = format!(r#"{{"oid":"object-1","uti":"{uti}","iat":{iat},"exp":{exp:.0}}}"#);
    format!("e30.{}.c2ln", URL_SAFE_NO_PAD.encode(payload))
}

struct Stage {
    source: TokenSource,
    script: Arc<Script>,
    clock: Arc<TestClock>,
    events: Receiver<Event>,
}

impl Stage {
    /// The next event; the dispatcher is a real thread, so this waits in real time.
    fn event(&self) -> Event {
        self.events.recv_timeout(Duration::from_secs(10)).expect("an event")
    }
}

fn stage(steps: impl Into<Vec<Step>>) -> Stage {
    stage_with(steps, TokenSourceOptions::new().refresh_jitter(0.0))
}

fn stage_with(steps: impl Into<Vec<Step>>, options: TokenSourceOptions) -> Stage {
    let clock =
        Arc::new(TestClock { started: Instant::now(), suspended: Mutex::default(), ahead: Mutex::default() });
    let script = Arc::new(Script {
        steps: Mutex::new(steps.into()),
        clock: Arc::clone(&clock),
        calls: Mutex::default(),
        last: Mutex::default(),
        issued: AtomicU32::new(0),
    });
    let credential = Credential::from_provider(Arc::clone(&script) as Arc<dyn TokenProvider>);
    let source = TokenSource::build(
        credential,
        options,
        Arc::clone(&clock) as Arc<dyn Clock>,
        Some(Handle::current()),
    )
    .unwrap();
    let (send, events) = channel();
    source.on_event(EventMask::ALL, Arc::new(move |event| drop(send.send(event.clone()))));
    Stage { source, script, clock, events }
}

fn down() -> Step {
    Step::Fail(Error::new(ErrorCode::TokenEndpointUnavailable, "Down.", "Wait."))
}

fn refused() -> Step {
    Step::Fail(Error::new(ErrorCode::SignInRefused, "Wrong secret.", "Make a new one."))
}

fn generation(result: Result<Token>) -> u64 {
    result.expect("a token").generation
}
