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

const HOUR: Duration = Duration::from_secs(3600);
const WAIT: Duration = Duration::from_secs(30);

fn seconds(count: u64) -> Duration {
    Duration::from_secs(count)
}

/// A wall clock that goes with tokio's and can be moved.
#[derive(Debug)]
struct TestClock {
    started: Instant,
    moved: Mutex<Duration>,
}

impl TestClock {
    fn jump(&self, by: Duration) {
        *self.moved.lock() += by;
    }
}

impl Clock for TestClock {
    fn wall(&self) -> SystemTime {
        // An arbitrary day, far enough from the epoch to go back from it.
        SystemTime::UNIX_EPOCH + seconds(1_700_000_000) + self.started.elapsed() + *self.moved.lock()
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
                    let exp = expires_at.duration_since(SystemTime::UNIX_EPOCH).unwrap().as_secs_f64().ceil();
                    let token = AccessToken { secret: jwt(exp, uti).into(), expires_at };
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

fn jwt(exp: f64, uti: u32) -> String {
    let payload = format!(r#"{{"oid":"object-1","uti":"{uti}","exp":{exp:.0}}}"#);
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
    let clock = Arc::new(TestClock { started: Instant::now(), moved: Mutex::default() });
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

#[tokio::test(start_paused = true)]
async fn t_1_2_errors_of_the_credential_surface_as_one_typed_error() {
    for (step, code) in [
        (down(), ErrorCode::TokenEndpointUnavailable),
        (refused(), ErrorCode::SignInRefused),
        (Step::Panic, ErrorCode::CredentialUnavailable),
        (Step::Text("not a token"), ErrorCode::InvalidToken),
        (Step::Text("e30.e30.c2ln"), ErrorCode::InvalidToken),
        (Step::Issue(Duration::ZERO), ErrorCode::InvalidToken),
    ] {
        let stage = stage([step.clone()]);
        let error = stage.source.get(WAIT).await.unwrap_err();
        assert_eq!(error.code(), code, "{step:?}: {error}");
        assert_eq!(stage.source.state().last_error.unwrap().code(), code);
        assert!(!error.to_string().contains("not a token"));
    }
}

#[tokio::test(start_paused = true)]
async fn t_2_1_initial_token_is_retried() {
    let stage = stage([down(), down(), Step::Issue(HOUR)]);
    assert_eq!(generation(stage.source.get(WAIT).await), 1);
    assert_eq!(stage.script.calls(), 3);
    let forced: Vec<_> = stage.script.calls.lock().iter().map(|(_, force)| *force).collect();
    assert_eq!(forced, [false, true, true]);
    assert_eq!(stage.source.state().failures, 2);
}

#[tokio::test(start_paused = true)]
async fn t_2_1_hung_credential_is_cut_and_retried() {
    let options = TokenSourceOptions::new().request_timeout(seconds(2));
    let stage = stage_with([Step::Hang, Step::Issue(HOUR)], options);
    let started = Instant::now();
    assert_eq!(generation(stage.source.get(WAIT).await), 1);
    assert_eq!(stage.script.calls(), 2);
    assert!(started.elapsed() < seconds(4), "{:?}", started.elapsed());
}

#[tokio::test(start_paused = true)]
async fn a_caller_out_of_time_learns_why_and_not_just_that() {
    let stage = stage([down()]);
    let started = Instant::now();
    let error = stage.source.get(seconds(5)).await.unwrap_err();
    assert_eq!((error.code(), error.message()), (ErrorCode::TokenEndpointUnavailable, "Down."));
    assert_eq!(started.elapsed().as_secs(), 5);

    let hung = self::stage([Step::Hang]);
    let error = hung.source.get(seconds(5)).await.unwrap_err();
    assert_eq!(error.code(), ErrorCode::Timeout);
    assert!(error.message().contains("script"));
}

#[tokio::test(start_paused = true)]
async fn what_no_retry_heals_is_reported_at_once_and_still_heals() {
    let stage = stage([refused(), refused(), Step::Issue(HOUR)]);
    let started = Instant::now();
    assert_eq!(stage.source.get(WAIT).await.unwrap_err().code(), ErrorCode::SignInRefused);
    assert!(started.elapsed() < seconds(1));
    // The next caller waits for the next attempt, which does not come before half of the longest wait.
    assert_eq!(stage.source.get(WAIT * 2).await.unwrap_err().code(), ErrorCode::SignInRefused);
    assert!(started.elapsed() >= seconds(15), "{:?}", started.elapsed());
    assert_eq!(generation(stage.source.get(WAIT * 2).await), 1);
}

#[tokio::test(start_paused = true)]
async fn t_2_2_background_renewal_notifies() {
    let stage = stage([Step::Issue(HOUR)]);
    let mut tokens = stage.source.subscribe().unwrap();
    for expected in 1..=12 {
        assert_eq!(tokens.changed().await.unwrap().generation, expected);
        let Event::TokenRefreshed { generation, user, expires_at, next_refresh, .. } = stage.event() else {
            panic!("another event")
        };
        assert_eq!((generation, &*user), (expected, "object-1"));
        assert!(next_refresh < expires_at);
    }
    assert_eq!(stage.script.calls(), 12);
}

#[tokio::test(start_paused = true)]
async fn t_2_2_failing_renewal_reaches_the_user_and_goes_on_past_expiry() {
    let stage = stage([Step::Issue(HOUR), down()]);
    let mut tokens = stage.source.subscribe().unwrap();
    assert_eq!(tokens.changed().await.unwrap().generation, 1);
    assert!(matches!(stage.event(), Event::TokenRefreshed { .. }));
    // The old token serves until it is about to expire.
    sleep(HOUR - seconds(60)).await;
    assert_eq!(generation(stage.source.get(WAIT).await), 1);
    sleep(seconds(120)).await;
    let error = stage.source.get(seconds(5)).await.unwrap_err();
    assert_eq!(error.code(), ErrorCode::TokenEndpointUnavailable);
    for expected in 1..=10 {
        let Event::TokenRefreshFailed { attempt, next_attempt, expires_at, .. } = stage.event() else {
            panic!("another event")
        };
        assert_eq!(attempt, expected);
        assert!(next_attempt <= seconds(30) && expires_at.is_some());
    }
    // Hours later the endpoint heals: so does the source, within the longest wait.
    sleep(HOUR * 5).await;
    let attempts = stage.source.state().attempt;
    assert!(attempts > 5 * 3600 / 30, "{attempts}");
    stage.script.set([Step::Issue(HOUR)]);
    assert_eq!(generation(stage.source.get(seconds(31)).await), 2);
    assert_eq!(stage.source.state().attempt, 0);
    assert_eq!(tokens.changed().await.unwrap().generation, 2);
}

#[tokio::test(start_paused = true)]
async fn t_2_3_renewal_comes_at_the_configured_ratio() {
    for (ratio, expected) in [(0.28, 1008), (0.5, 1800), (0.75, 2700), (0.9, 3240), (1.0, 3300)] {
        let options = TokenSourceOptions::new().refresh_ratio(ratio).refresh_jitter(0.0);
        let stage = stage_with([Step::Issue(HOUR)], options);
        let mut tokens = stage.source.subscribe().unwrap();
        tokens.changed().await.unwrap();
        let received = Instant::now();
        tokens.changed().await.unwrap();
        assert_eq!(received.elapsed().as_secs(), expected, "ratio {ratio}");
    }
}

#[tokio::test(start_paused = true)]
async fn t_4_1_edge_ratios_stay_inside_the_life_of_the_token() {
    for ratio in [0.00001, 0.0001, 0.001, 0.999, 0.9999, 1.0] {
        for lifetime in [seconds(2), seconds(60), HOUR] {
            let options = TokenSourceOptions::new().refresh_ratio(ratio);
            let stage = stage_with([Step::Issue(lifetime)], options);
            let mut tokens = stage.source.subscribe().unwrap();
            let mut before = tokens.changed().await.unwrap();
            for _ in 0..3 {
                let next = tokens.changed().await.unwrap();
                assert!(next.received_at > before.received_at);
                assert!(next.received_at < before.expires_at, "ratio {ratio}, lifetime {lifetime:?}");
                assert_ne!(next.secret, before.secret);
                before = next;
            }
        }
    }
}

#[tokio::test(start_paused = true)]
async fn t_2_4_an_expired_token_is_never_handed_out() {
    let stage = stage([Step::Issue(seconds(100)), down()]);
    assert_eq!(generation(stage.source.get(WAIT).await), 1);
    sleep(seconds(94)).await;
    assert_eq!(generation(stage.source.get(Duration::ZERO).await), 1);
    // Its last 5 % count as expired.
    sleep(seconds(2)).await;
    assert!(stage.source.get(Duration::ZERO).await.is_err());
}

#[tokio::test(start_paused = true)]
async fn t_2_5_a_token_tells_user_value_expiry_and_receipt_but_not_in_debug() {
    let stage = stage([Step::Issue(HOUR)]);
    let token = stage.source.get(WAIT).await.unwrap();
    assert_eq!(&*token.user, "object-1");
    assert_eq!(token.received_at, stage.clock.wall());
    assert_eq!(token.expires_at.duration_since(token.received_at).unwrap(), HOUR);
    let shown = format!("{token:?} {:?} {:?}", stage.source, stage.source.state());
    assert!(!shown.contains(token.secret.expose()));
    let state = stage.source.state();
    assert_eq!((state.generation, state.refreshes, state.expires_at), (1, 1, Some(token.expires_at)));
    assert_eq!(state.next_refresh, Some(token.received_at + HOUR.mul_f64(0.75)));
}

#[tokio::test(start_paused = true)]
async fn t_3_1_the_cache_is_empty_then_holds_the_latest() {
    let stage = stage([Step::Issue(HOUR)]);
    let tokens = stage.source.subscribe().unwrap();
    assert!(tokens.current().is_none());
    assert_eq!(stage.source.state().generation, 0);
    for _ in 0..5 {
        assert_eq!(generation(stage.source.get(WAIT).await), 1);
    }
    assert_eq!(stage.script.calls(), 1);
    sleep(HOUR.mul_f64(0.8)).await;
    assert_eq!(generation(stage.source.get(WAIT).await), 2);
    assert_eq!(tokens.current().unwrap().generation, 2);
    assert_eq!(stage.script.calls(), 2);
}

#[tokio::test(start_paused = true)]
async fn nothing_is_asked_for_before_the_first_use() {
    let stage = stage([Step::Issue(HOUR)]);
    sleep(HOUR).await;
    assert_eq!(stage.script.calls(), 0);
    assert_eq!(stage.source.state().next_refresh, None);
}

#[tokio::test(start_paused = true)]
async fn concurrent_callers_share_one_request() {
    let stage = stage([down(), Step::Issue(HOUR)]);
    let callers: Vec<_> = (0..50)
        .map(|_| {
            let source = stage.source.clone();
            tokio::spawn(async move { generation(source.get(WAIT).await) })
        })
        .collect();
    for caller in callers {
        assert_eq!(caller.await.unwrap(), 1);
    }
    assert_eq!(stage.script.calls(), 2);
}

#[tokio::test(start_paused = true)]
async fn a_late_subscriber_gets_the_current_token() {
    let stage = stage([Step::Issue(HOUR)]);
    let mut early = stage.source.subscribe().unwrap();
    let first = early.changed().await.unwrap();
    let mut late = stage.source.subscribe().unwrap();
    assert_eq!(late.changed().await.unwrap().secret, first.secret);
    assert_eq!(stage.script.calls(), 1);
}

#[tokio::test(start_paused = true)]
async fn a_slow_subscriber_holds_nobody_up_and_sees_the_latest() {
    let stage = stage([Step::Issue(HOUR)]);
    let mut slow = stage.source.subscribe().unwrap();
    assert_eq!(slow.changed().await.unwrap().generation, 1);
    sleep(HOUR * 10).await;
    let latest = stage.source.state().generation;
    assert!(latest > 10);
    assert_eq!(slow.changed().await.unwrap().generation, latest);
}

#[tokio::test(start_paused = true)]
async fn an_unchanged_token_wakes_nobody_and_is_asked_for_rarely() {
    let stage = stage([Step::Issue(HOUR), Step::Repeat]);
    let mut tokens = stage.source.subscribe().unwrap();
    assert_eq!(tokens.changed().await.unwrap().generation, 1);
    sleep(HOUR - seconds(30)).await;
    let calls = stage.script.calls();
    assert!((3..60).contains(&calls), "{calls}");
    assert_eq!(stage.source.state().generation, 1);
    assert!(tokio::time::timeout(Duration::from_millis(1), tokens.changed()).await.is_err());
    stage.script.set([Step::Issue(HOUR)]);
    assert_eq!(tokens.changed().await.unwrap().generation, 2);
    assert!(matches!(stage.event(), Event::TokenRefreshed { generation: 1, .. }));
    assert!(matches!(stage.event(), Event::TokenRefreshed { generation: 2, .. }));
}

#[tokio::test(start_paused = true)]
async fn a_refused_token_is_replaced_once_however_many_report_it() {
    let stage = stage([Step::Issue(HOUR)]);
    let token = stage.source.get(WAIT).await.unwrap();
    let effects = (0..20).filter(|_| stage.source.reject(token.generation)).count();
    assert_eq!(effects, 1);
    assert_eq!(generation(stage.source.get(WAIT).await), 2);
    assert!(!stage.source.reject(1), "an old generation");
    sleep(seconds(60)).await;
    assert_eq!(stage.script.calls(), 2);
}

#[tokio::test(start_paused = true)]
async fn an_identity_without_access_does_not_hammer_the_token_endpoint() {
    let stage = stage([Step::Issue(HOUR)]);
    let started = Instant::now();
    while started.elapsed() < seconds(600) {
        if let Ok(token) = stage.source.get(WAIT).await {
            stage.source.reject(token.generation);
        }
    }
    let calls = stage.script.calls();
    assert!((20..90).contains(&calls), "{calls}");
    let error = stage.source.get(Duration::ZERO).await.unwrap_err();
    assert_eq!(error.code(), ErrorCode::AuthRefused);
}

#[tokio::test(start_paused = true)]
async fn a_refused_token_that_comes_back_unchanged_is_taken_back() {
    let stage = stage([Step::Issue(HOUR), Step::Repeat]);
    let mut tokens = stage.source.subscribe().unwrap();
    let token = tokens.changed().await.unwrap();
    assert!(stage.source.reject(token.generation));
    assert_eq!(generation(stage.source.get(WAIT).await), 1);
    // Reported again: there is nothing newer to be had, so nothing is asked for.
    assert!(!stage.source.reject(token.generation));
    sleep(seconds(60)).await;
    assert_eq!(stage.script.calls(), 2);
    assert!(tokio::time::timeout(Duration::from_millis(1), tokens.changed()).await.is_err());
}

#[tokio::test(start_paused = true)]
async fn retry_after_is_honoured() {
    let throttled =
        Error::new(ErrorCode::TokenEndpointUnavailable, "Throttled.", "Wait.").after(Some(seconds(120)));
    let stage = stage([Step::Fail(throttled), Step::Issue(HOUR)]);
    let started = Instant::now();
    assert_eq!(generation(stage.source.get(HOUR).await), 1);
    assert!(
        started.elapsed() >= seconds(120) && started.elapsed() <= seconds(133),
        "{:?}",
        started.elapsed()
    );
}

#[tokio::test(start_paused = true)]
async fn a_machine_that_was_suspended_has_a_fresh_token_within_30_seconds() {
    let stage = stage([Step::Issue(HOUR)]);
    let mut tokens = stage.source.subscribe().unwrap();
    tokens.changed().await.unwrap();
    sleep(seconds(100)).await;
    stage.clock.jump(HOUR * 8);
    let woken = Instant::now();
    assert_eq!(tokens.changed().await.unwrap().generation, 2);
    assert!(woken.elapsed() <= seconds(31), "{:?}", woken.elapsed());
}

#[tokio::test(start_paused = true)]
async fn a_panicking_credential_is_an_error_and_the_refresher_survives_it() {
    let stage = stage([Step::Panic, Step::Issue(HOUR)]);
    assert_eq!(generation(stage.source.get(WAIT).await), 1);
    assert!(matches!(stage.event(), Event::TokenRefreshFailed { attempt: 1, .. }));
}

#[tokio::test(start_paused = true)]
async fn dropping_the_last_handle_ends_the_refreshing() {
    let stage = stage([Step::Issue(HOUR)]);
    let mut tokens = stage.source.subscribe().unwrap();
    tokens.changed().await.unwrap();
    let Stage { source, script, .. } = stage;
    drop(source.clone());
    sleep(HOUR).await;
    assert_eq!(script.calls(), 2);
    drop(source);
    assert!(tokens.changed().await.is_none());
    assert!(tokens.current().is_none());
    sleep(HOUR * 10).await;
    assert_eq!(script.calls(), 2);
    assert_eq!(Arc::strong_count(&script), 1, "the task let go of the credential");
}

#[tokio::test(start_paused = true)]
async fn closing_during_retries_ends_every_wait() {
    let stage = stage([down(), Step::Hang]);
    let source = stage.source.clone();
    let waiting = tokio::spawn(async move { source.get(HOUR).await });
    sleep(seconds(3)).await;
    stage.source.close();
    stage.source.close();
    assert_eq!(waiting.await.unwrap().unwrap_err().code(), ErrorCode::Closed);
    assert_eq!(stage.source.get(WAIT).await.unwrap_err().code(), ErrorCode::Closed);
    assert!(stage.source.subscribe().is_err());
    sleep(HOUR).await;
    assert_eq!(stage.script.calls(), 2);
}

#[tokio::test(start_paused = true)]
async fn unsubscribing_inside_a_callback_does_not_deadlock() {
    let stage = stage([Step::Issue(HOUR)]);
    let (send, receive) = channel();
    let id = Arc::new(Mutex::new(None));
    let (hub, own) = (stage.source.events().clone(), Arc::clone(&id));
    let guard = id.lock();
    let mut guard = guard;
    *guard = Some(stage.source.on_event(
        EventMask::TOKEN,
        Arc::new(move |_| {
            let id = own.lock().take();
            send.send(id.is_some_and(|id| hub.remove(id))).unwrap();
        }),
    ));
    drop(guard);
    stage.source.get(WAIT).await.unwrap();
    assert!(receive.recv_timeout(Duration::from_secs(10)).unwrap());
    sleep(HOUR).await;
    stage.event();
    stage.event();
    assert!(receive.try_recv().is_err());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn rapid_subscribing_while_tokens_change_loses_nothing() {
    let options = TokenSourceOptions::new().refresh_ratio(0.00001);
    let stage = stage_with([Step::Issue(seconds(1))], options);
    let mut steady = stage.source.subscribe().unwrap();
    let source = stage.source.clone();
    let busy = tokio::spawn(async move {
        for _ in 0..2000 {
            let mut tokens = source.subscribe().unwrap();
            let id = source.on_event(EventMask::ALL, Arc::new(|_| ()));
            let first = tokens.changed().await.unwrap();
            assert!(first.generation >= 1);
            assert!(source.events().remove(id));
        }
    });
    for expected in 1..=5 {
        assert_eq!(steady.changed().await.unwrap().generation, expected);
    }
    busy.await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn the_user_name_can_be_fixed_or_made_from_the_claims() {
    let fixed = TokenSourceOptions::new().user_name(UserName::Fixed("me".into()));
    let stage = stage_with([Step::Text("opaque")], fixed);
    assert_eq!(&*stage.source.get(WAIT).await.unwrap().user, "me");
    let made =
        UserName::FromClaims(Arc::new(|claims| Ok(format!("u{}", claims.uti.as_deref().unwrap_or("?")))));
    let stage = stage_with([Step::Issue(HOUR)], TokenSourceOptions::new().user_name(made));
    assert_eq!(&*stage.source.get(WAIT).await.unwrap().user, "u0");
}

#[test]
fn a_source_serves_callers_without_any_async_runtime() {
    let expires_at = SystemTime::now() + HOUR;
    let exp = expires_at.duration_since(SystemTime::UNIX_EPOCH).unwrap().as_secs_f64();
    let credential = Credential::custom("test", move |_| async move {
        sleep(Duration::from_millis(5)).await;
        Ok::<_, Error>(AccessToken { secret: jwt(exp, 1).into(), expires_at })
    });
    let source = TokenSource::new(credential, TokenSourceOptions::new()).unwrap();
    assert_eq!(source.get_blocking(WAIT).unwrap().generation, 1);
    assert_eq!(source.credential_name(), "test");
}
