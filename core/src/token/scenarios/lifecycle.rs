//! Subscribers and handles that come and go while tokens change.

use super::*;

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
    let handler = Arc::new(move |_: &Event| {
        let id = own.lock().take();
        send.send(id.is_some_and(|id| hub.remove(id))).unwrap();
    });
    // No event comes before the first token is asked for.
    *id.lock() = Some(stage.source.on_event(EventMask::TOKEN, handler));
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

#[test]
fn a_source_serves_callers_without_any_async_runtime() {
    let expires_at = SystemTime::now() + HOUR;
    let exp = expires_at.duration_since(SystemTime::UNIX_EPOCH).unwrap().as_secs_f64();
    let credential = Credential::custom("test", move |_| async move {
        sleep(Duration::from_millis(5)).await;
        Ok::<_, Error>(AccessToken { secret: jwt(0, exp, 1).into(), expires_at })
    });
    let source = TokenSource::new(credential, TokenSourceOptions::new()).unwrap();
    assert_eq!(source.get_blocking(WAIT).unwrap().generation, 1);
    assert_eq!(source.credential_name(), "test");
}

#[test]
fn using_and_closing_from_many_threads_ends_for_all() {
    for _ in 0..20 {
        let credential = Credential::custom("test", |_| async {
            sleep(Duration::from_millis(2)).await;
            Err::<AccessToken, _>("down")
        });
        let source = TokenSource::new(credential, TokenSourceOptions::new()).unwrap();
        let users: Vec<_> = (0..8)
            .map(|number| {
                let source = source.clone();
                std::thread::spawn(move || {
                    if number == 7 {
                        std::thread::sleep(Duration::from_millis(1));
                        source.close();
                    }
                    source.get_blocking(WAIT).unwrap_err().code()
                })
            })
            .collect();
        for user in users {
            assert_eq!(user.join().unwrap(), ErrorCode::Closed);
        }
    }
}
