//! Clocks that stand still, jump, and are wrong.

use super::*;

#[tokio::test(start_paused = true)]
async fn a_machine_that_was_suspended_has_a_fresh_token_within_30_seconds() {
    let stage = stage([Step::Issue(HOUR)]);
    let mut tokens = stage.source.subscribe().unwrap();
    tokens.changed().await.unwrap();
    sleep(seconds(100)).await;
    stage.clock.suspend(HOUR * 8);
    let woken = Instant::now();
    assert_eq!(tokens.changed().await.unwrap().generation, 2);
    assert!(woken.elapsed() <= seconds(31), "{:?}", woken.elapsed());
}

#[tokio::test(start_paused = true)]
async fn who_asks_after_a_suspension_does_not_wait_for_the_next_look_at_the_clock() {
    let stage = stage([Step::Issue(HOUR)]);
    assert_eq!(generation(stage.source.get(WAIT).await), 1);
    sleep(seconds(1)).await;
    stage.clock.suspend(HOUR * 8);
    let woken = Instant::now();
    assert_eq!(generation(stage.source.get(WAIT).await), 2);
    assert!(woken.elapsed() < seconds(1), "{:?}", woken.elapsed());
}

#[tokio::test(start_paused = true)]
async fn a_clock_that_is_set_ahead_neither_hides_tokens_nor_asks_for_many() {
    // By less than a token lives, by more, and by much more.
    for ahead in [60, 55 * 60, 2 * 3600, 30 * 86_400] {
        let stage = stage([Step::Issue(HOUR)]);
        let mut tokens = stage.source.subscribe().unwrap();
        tokens.changed().await.unwrap();
        sleep(seconds(100)).await;
        stage.clock.set_ahead(ahead);
        sleep(seconds(31)).await;
        let token = stage.source.get(WAIT).await.expect("a token");
        assert_eq!(token.generation, if ahead < 45 * 60 - 100 { 1 } else { 2 });
        let calls = stage.script.calls();
        for _ in 0..600 {
            sleep(seconds(60)).await;
            stage.source.get(Duration::ZERO).await.expect("always a token");
        }
        assert_eq!(stage.source.state().failures, 0);
        // What is left of an hour by a clock that is ahead by less is replaced after three quarters of it.
        let most = if ahead == 55 * 60 { 160 + 10 } else { 14 };
        let calls = stage.script.calls() - calls;
        assert!((12..=most).contains(&calls), "{calls} calls with the clock {ahead} s ahead");
    }
}

#[tokio::test(start_paused = true)]
async fn a_clock_that_is_set_back_prolongs_no_token() {
    for back in [60, 3600, 30 * 86_400] {
        let stage = stage([Step::Issue(HOUR), Step::Issue(HOUR), down()]);
        let mut tokens = stage.source.subscribe().unwrap();
        tokens.changed().await.unwrap();
        sleep(seconds(100)).await;
        stage.clock.set_ahead(-back);
        // The next one comes when it would have come.
        let second = tokens.changed().await.unwrap();
        assert_eq!((second.generation, stage.clock.started.elapsed().as_secs()), (2, 45 * 60));
        // And back once more while the endpoint is down: nobody is given what has expired.
        stage.clock.set_ahead(-2 * back);
        sleep(HOUR - seconds(20)).await;
        assert_eq!(generation(stage.source.get(Duration::ZERO).await), 2);
        sleep(seconds(20)).await;
        let error = stage.source.get(Duration::ZERO).await.unwrap_err();
        assert_eq!(error.code(), ErrorCode::TokenEndpointUnavailable);
    }
}
