//! T.1 and T.2.1, T.2.4, T.2.5, T.3.1, T.4.2: who signs in, and what becomes of the first token.

use super::{HOUR, PATIENCE};
use keyless::credential::{Credential, ManagedIdentityId, TokenRequest};
use keyless::options::Options;
use keyless::redis::cmd;
use keyless::token::{TokenSource, TokenSourceOptions, UserName};
use keyless::{Client, Error, ErrorCode, Identity};
use keyless_conformance::{check, client_secret, credential_options, emulator, options, refusal};
use keyless_emulator::{Emulator, TokenFault};
use std::time::{Duration, Instant, SystemTime};

async fn signs_in_as(emulator: &Emulator, credential: Credential, oid: &str) {
    let name = credential.name().to_owned();
    let options = options(emulator).with_abort_on_connect_fail(true);
    let client = Client::connect_as(&options, credential).await.unwrap();
    let me: String = client.execute(cmd("ACL").arg("WHOAMI")).await.unwrap();
    println!("{name}: {me}");
    assert_eq!(me, oid);
    let accepted = emulator.stats().auth.accepted_by_oid;
    assert!(accepted.contains_key(oid), "{accepted:?}");
}

#[tokio::test]
async fn t_1_1_every_kind_of_identity_signs_in() {
    let emulator = emulator(HOUR).await;
    let with = credential_options(&emulator);
    let managed = |id| Credential::managed_identity_with(id, &with).unwrap();
    signs_in_as(&emulator, client_secret(&emulator), &emulator.service_principal().oid).await;
    let [system, user] = &emulator.managed_identities()[..] else { panic!("two identities") };
    signs_in_as(&emulator, managed(ManagedIdentityId::SystemAssigned), &system.oid).await;
    for id in [
        ManagedIdentityId::ClientId(user.client_id.clone()),
        ManagedIdentityId::ObjectId(user.oid.clone()),
        ManagedIdentityId::ResourceId(user.resource_id.clone()),
    ] {
        signs_in_as(&emulator, managed(id), &user.oid).await;
    }
    let unknown = managed(ManagedIdentityId::ClientId("00000000-0000-0000-0000-000000000001".into()));
    let error = refusal(&options(&emulator), unknown).await;
    check(&error, ErrorCode::CredentialUnavailable, &["answered 400"], &["Assign the managed identity"]);
}

#[tokio::test]
async fn t_1_2_faults_of_the_identity_provider_surface_as_one_typed_error() {
    let emulator = emulator(HOUR).await;
    let quick = TokenSourceOptions::new().request_timeout(Duration::from_millis(300));
    for (fault, code, says) in [
        (TokenFault::Status { status: 500 }, ErrorCode::TokenEndpointUnavailable, "answered 500"),
        (TokenFault::TooManyRequests { retry_after: 7 }, ErrorCode::TokenEndpointUnavailable, "answered 429"),
        (TokenFault::Drop, ErrorCode::TokenEndpointUnavailable, "could not be reached"),
        (TokenFault::Hang, ErrorCode::TokenEndpointUnavailable, "did not answer within 0.3 s"),
        (TokenFault::Malformed, ErrorCode::TokenEndpointUnavailable, "not a token"),
        (TokenFault::NotAJwt, ErrorCode::InvalidToken, "JSON Web Token"),
        (TokenFault::NoOid, ErrorCode::InvalidToken, "oid"),
        (TokenFault::Refuse, ErrorCode::TokenEndpointUnavailable, "could not be reached"),
    ] {
        emulator.faults().token(fault.clone(), None);
        let source = TokenSource::new(client_secret(&emulator), quick.clone()).unwrap();
        let error = source.get(Duration::from_millis(900)).await.unwrap_err();
        check(&error, code, &[says], &[]);
        if let TokenFault::TooManyRequests { retry_after } = fault {
            assert_eq!(error.retry_after(), Some(Duration::from_secs(retry_after)));
        }
        emulator.faults().clear();
    }
}

#[tokio::test]
async fn t_2_1_the_first_connection_waits_for_the_first_token() {
    let emulator = emulator(HOUR).await;
    emulator.faults().token(TokenFault::Slow { delay_ms: 400 }, Some(1));
    let begun = Instant::now();
    let client = Client::connect_as(&options(&emulator), client_secret(&emulator)).await.unwrap();
    assert!(client.is_ready() && begun.elapsed() >= Duration::from_millis(400));
    assert_eq!(emulator.stats().tokens.requests.len(), 1);
}

#[tokio::test]
async fn t_2_1_a_first_token_that_fails_twice_is_asked_for_three_times() {
    let emulator = emulator(HOUR).await;
    emulator.faults().token(TokenFault::Status { status: 503 }, Some(2));
    let client = Client::connect_as(&options(&emulator), client_secret(&emulator)).await.unwrap();
    assert!(client.is_ready(), "{:?}", client.last_error());
    let tokens = emulator.stats().tokens;
    assert_eq!((tokens.failed, tokens.served), (2, 1));
}

#[tokio::test]
async fn t_2_1_a_hung_identity_provider_is_cut_and_asked_again() {
    let emulator = emulator(HOUR).await;
    emulator.faults().token(TokenFault::Hang, Some(1));
    let options = options(&emulator).with_token_request_timeout(Duration::from_secs(1));
    let begun = Instant::now();
    let client = Client::connect_as(&options, client_secret(&emulator)).await.unwrap();
    println!("ready after {:?}", begun.elapsed());
    assert!(client.is_ready() && begun.elapsed() < Duration::from_secs(2));
    assert_eq!(emulator.stats().tokens.requests.len(), 2);
}

#[tokio::test]
async fn t_2_4_an_expired_token_is_never_offered() {
    let emulator = emulator(Duration::from_secs(3)).await;
    let client = Client::connect_as(&options(&emulator), client_secret(&emulator)).await.unwrap();
    emulator.faults().token(TokenFault::Status { status: 503 }, None);
    emulator.wait_until(|stats| stats.connections.open == 0, PATIENCE).await.unwrap();
    let source = client.token_source().unwrap();
    let error = source.get(Duration::from_millis(100)).await.unwrap_err();
    check(&error, ErrorCode::TokenEndpointUnavailable, &["503"], &[]);
    emulator.faults().clear();
    emulator.wait_until(|stats| stats.connections.open == 1, PATIENCE).await.unwrap();
    let stats = emulator.stats();
    assert_eq!((stats.auth.expired_tokens_offered, stats.connections.closed_at_expiry), (0, 0), "{stats:?}");
}

#[tokio::test]
async fn t_2_5_a_token_tells_user_expiry_and_receipt_and_hides_itself() {
    let emulator = emulator(HOUR).await;
    let source = TokenSource::new(client_secret(&emulator), TokenSourceOptions::new()).unwrap();
    let (before, token) = (SystemTime::now(), source.get(PATIENCE).await.unwrap());
    assert_eq!(&*token.user, emulator.service_principal().oid);
    assert!(token.received_at >= before && token.received_at <= SystemTime::now());
    let lifetime = token.expires_at.duration_since(token.received_at).unwrap();
    assert!(lifetime > Duration::from_secs(3590) && lifetime <= Duration::from_secs(3601), "{lifetime:?}");
    let shown = format!("{token:?} {source:?} {:?}", source.state());
    let signature = token.secret.expose().rsplit('.').next().unwrap();
    assert!(!shown.contains(signature) && !shown.contains("eyJ"), "{shown}");
    // A copy that somebody holds stays what it was when the source moves on.
    let copy = token.clone();
    source.reject(token.generation);
    let next = source.get(PATIENCE).await.unwrap();
    assert!(next.generation > copy.generation && next.secret != copy.secret);
    assert_eq!(copy.secret, token.secret);
}

#[tokio::test]
async fn t_3_1_the_cache_is_empty_then_holds_the_latest() {
    let emulator = emulator(Duration::from_secs(3)).await;
    let source = TokenSource::new(client_secret(&emulator), TokenSourceOptions::new()).unwrap();
    assert_eq!((source.state().generation, source.state().expires_at), (0, None));
    assert!(emulator.stats().tokens.requests.is_empty());
    let first = source.get(PATIENCE).await.unwrap();
    assert_eq!(source.get(PATIENCE).await.unwrap().generation, first.generation);
    assert_eq!(emulator.stats().tokens.served, 1);
    let mut following = source.subscribe().unwrap();
    while following.changed().await.unwrap().generation == first.generation {}
    let second = source.get(PATIENCE).await.unwrap();
    assert!(second.generation > first.generation && second.expires_at >= first.expires_at);
    assert_eq!(source.state().expires_at, following.current().map(|token| token.expires_at));
}

#[tokio::test]
async fn t_3_3_a_refused_token_is_an_error_of_the_caller() {
    let emulator = emulator(HOUR).await;
    let oid = emulator.service_principal().oid;
    let issue = |overrides: &keyless_emulator::TokenOverrides| {
        emulator.issue_token(&oid, HOUR, overrides).unwrap().access_token
    };
    let proper = keyless_emulator::TokenOverrides::default();
    let mut expired = proper.clone();
    expired.claims.insert("exp".into(), 1_700_000_000.into());
    let foreign = keyless_emulator::TokenOverrides { foreign_key: true, ..proper.clone() };
    let always = |token: String| {
        let expires_at = SystemTime::now() + HOUR;
        Credential::custom("stored", move |_: TokenRequest| {
            std::future::ready(Ok::<_, Error>(keyless::credential::AccessToken {
                secret: token.as_str().into(),
                expires_at,
            }))
        })
    };
    let error = refusal(&options(&emulator), always(issue(&foreign))).await;
    check(&error, ErrorCode::AuthRefused, &["WRONGPASS", &oid], &["Authentication"]);
    // An expired token does not even travel.
    let refused = emulator.stats().auth.refused;
    let quick = options(&emulator).with_connect_timeout(Duration::from_secs(1));
    let error = refusal(&quick, always(issue(&expired))).await;
    check(&error, ErrorCode::InvalidToken, &["expired"], &["clock"]);
    // Unless nothing but the server can tell.
    let opaque = options(&emulator).with_user_name(oid.as_str());
    let error = refusal(&opaque, always("opaque".into())).await;
    check(&error, ErrorCode::AuthRefused, &["WRONGPASS", &oid], &["Authentication"]);
    let stats = emulator.stats().auth;
    assert!(stats.refused > refused && stats.expired_tokens_offered == 0, "{stats:?}");
}

#[tokio::test]
async fn t_4_2_what_is_configured_reaches_the_token_request() {
    let emulator = emulator(HOUR).await;
    let principal = emulator.service_principal();
    let base = options(&emulator)
        .with_token_ca_file(emulator.ca_file().to_str().unwrap())
        .with_authority_host(emulator.authority());
    let by_options = base
        .clone()
        .with_tenant_id(principal.tenant.as_str())
        .with_client_id(principal.client_id.as_str())
        .with_client_secret(principal.secrets[0].as_str())
        .with_scope("acca5fbb-b7e4-4009-81f1-37e38fd66d78/.default");
    let client = Client::connect(&by_options).await.unwrap();
    assert!(client.is_ready(), "{:?}", client.last_error());
    assert_eq!(&*client.token_source().unwrap().state().user.unwrap(), principal.oid);
    // None is the default chain; more than one is refused.
    assert!(matches!(Identity::from_options(&base), Ok(Identity::Credential(_))));
    let both = by_options.clone().with_password("key");
    assert!(matches!(Identity::from_options(&both), Ok(Identity::AccessKey)));
    check(
        &refusal(&both, client_secret(&emulator)).await,
        ErrorCode::InvalidOption,
        &["password"],
        &["Remove"],
    );
    // A wrong scope is Entra's to refuse.
    let wrong = by_options.with_scope("https://graph.test/.default");
    let error = refusal(&wrong, Identity::from_options(&wrong).unwrap()).await;
    check(&error, ErrorCode::SignInRefused, &["AADSTS70011"], &["scope"]);
    assert!(Options::parse("a,authorityHost=http://login.test").is_err());
    // The user name can be made from the claims.
    let named = TokenSourceOptions::new().user_name(UserName::FromClaims(std::sync::Arc::new(|claims| {
        claims.object_id().map(str::to_uppercase)
    })));
    let source = TokenSource::new(client_secret(&emulator), named).unwrap();
    assert_eq!(&*source.get(PATIENCE).await.unwrap().user, principal.oid.to_uppercase());
}
