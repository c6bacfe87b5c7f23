//! Getting a token: errors, retries, waiting callers, what a token tells.

use super::*;

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
    let seen = stage.source.state();
    assert_eq!((seen.generation, seen.refreshes, seen.expires_at), (1, 1, Some(token.expires_at)));
    assert_eq!(seen.next_refresh, Some(token.received_at + HOUR.mul_f64(0.75)));
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
async fn a_panicking_credential_is_an_error_and_the_refresher_survives_it() {
    let stage = stage([Step::Panic, Step::Issue(HOUR)]);
    assert_eq!(generation(stage.source.get(WAIT).await), 1);
    assert!(matches!(stage.event(), Event::TokenRefreshFailed { attempt: 1, .. }));
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
