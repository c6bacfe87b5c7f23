//! Replacing a token: when, what if it fails, what if the server refuses it.

use super::*;

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

/// What the function of the application said yes or no to: ages and remaining lives.
type Asked = Arc<Mutex<Vec<(Duration, Duration)>>>;

/// A source whose function says yes when less than `remaining` of a token's life is left.
fn asks_the_application(steps: impl Into<Vec<Step>>, remaining: Duration) -> (Stage, Asked) {
    let asked = Asked::default();
    let (kept, clock) = (Arc::clone(&asked), Arc::new(Mutex::new(None::<Arc<TestClock>>)));
    let wall = Arc::clone(&clock);
    let options = TokenSourceOptions::new().should_refresh(seconds(120), move |received, expires| {
        let now = wall.lock().as_ref().unwrap().wall();
        let (age, left) = (now.duration_since(received).unwrap(), expires.duration_since(now).unwrap());
        kept.lock().push((age, left));
        left < remaining
    });
    let stage = stage_with(steps, options);
    *clock.lock() = Some(Arc::clone(&stage.clock));
    (stage, asked)
}

#[tokio::test(start_paused = true)]
async fn the_application_decides_when_a_token_is_replaced() {
    let (stage, asked) = asks_the_application([Step::Issue(HOUR)], seconds(1200));
    let mut following = stage.source.subscribe().unwrap();
    let first = following.changed().await.unwrap();
    let began = Instant::now();
    let second = following.changed().await.unwrap();
    assert_eq!((first.generation, second.generation), (1, 2));
    let took = began.elapsed();
    assert!((seconds(2400)..seconds(2530)).contains(&took), "{took:?}");
    let asked = asked.lock();
    // Every two minutes, with the token's own times.
    assert!((20..=22).contains(&asked.len()), "{}", asked.len());
    assert!(asked.iter().all(|(age, left)| *age + *left <= HOUR + seconds(1)), "{asked:?}");
}

#[tokio::test(start_paused = true)]
async fn an_application_that_never_wants_to_refresh_is_overruled_before_the_end() {
    let (stage, _) = asks_the_application([Step::Issue(HOUR)], Duration::ZERO);
    let mut following = stage.source.subscribe().unwrap();
    following.changed().await.unwrap();
    let began = Instant::now();
    following.changed().await.unwrap();
    let took = began.elapsed();
    assert!((seconds(3290)..=seconds(3301)).contains(&took), "{took:?}");
}

#[tokio::test(start_paused = true)]
async fn an_application_that_always_wants_to_refresh_does_not_hammer() {
    for steps in [vec![Step::Issue(HOUR)], vec![Step::Issue(HOUR), Step::Repeat]] {
        let (stage, _) = asks_the_application(steps, HOUR * 2);
        stage.source.get(WAIT).await.unwrap();
        sleep(HOUR / 2).await;
        let calls = stage.script.calls();
        assert!((14..=17).contains(&calls), "{calls}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_panic_of_the_application_is_a_yes() {
    let options = TokenSourceOptions::new().should_refresh(seconds(120), |_, _| panic!("on purpose"));
    let stage = stage_with([Step::Issue(HOUR)], options);
    let mut following = stage.source.subscribe().unwrap();
    following.changed().await.unwrap();
    let began = Instant::now();
    following.changed().await.unwrap();
    assert!(began.elapsed() <= seconds(121), "{:?}", began.elapsed());
}
