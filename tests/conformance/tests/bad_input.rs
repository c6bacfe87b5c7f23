//! What is wrong before anything is sent: each mistake has its own error, which names the thing and says
//! what to do, and neither the cache nor the token endpoint hears of it.

use keyless::credential::{Credential, ManagedIdentityId};
use keyless::redis::{Cmd, cmd};
use keyless::{Batch, Client, Error, ErrorCode, Identity, Options, Pipeline};
use keyless_conformance::{check, client_secret, credential_options, emulator, options, refusal, untouched};
use keyless_emulator::Emulator;
use std::fmt::Write;
use std::time::Duration;

const HOUR: Duration = Duration::from_hours(1);

#[test]
fn texts_that_cannot_be_read_are_refused_by_name() {
    use ErrorCode::{InvalidEndpoint, InvalidOption};
    for (text, code, message, advice) in [
        ("", InvalidEndpoint, "no endpoint", "host:port"),
        ("https://cache.test", InvalidEndpoint, "https://", "rediss://"),
        ("cache.test:99999", InvalidEndpoint, "99999", "10000"),
        ("cache test", InvalidEndpoint, "cache test", ""),
        ("cache.test,connectTimeoutt=5", InvalidOption, "connectTimeoutt", "connectTimeout?"),
        ("cache.test,abortConect=true", InvalidOption, "abortConect", "abortConnect?"),
        ("cache.test,quux=1", InvalidOption, "quux", "documentation"),
        ("cache.test,ssl=perhaps", InvalidOption, "perhaps", "true"),
        ("cache.test,connectTimeout=soon", InvalidOption, "soon", "millisecond"),
        ("cache.test,tunnel=socks:a:1", InvalidOption, "tunnel", "http:host:port"),
    ] {
        check(&Options::parse(text).expect_err(text), code, &[message], &[advice]);
    }
}

#[tokio::test]
async fn a_token_is_never_sent_without_tls() {
    let emulator = emulator(HOUR).await;
    for text in [format!("{},ssl=false", emulator.endpoint()), format!("redis://{}", emulator.endpoint())] {
        let error = refusal(&Options::parse(&text).unwrap(), client_secret(&emulator)).await;
        check(&error, ErrorCode::TlsRequired, &["TLS"], &["rediss://"]);
    }
    untouched(&emulator);
}

#[tokio::test]
async fn options_that_contradict_the_identity_are_refused() {
    let emulator = emulator(HOUR).await;
    let with_key = options(&emulator).with_password("hunter2");
    let error = refusal(&with_key, client_secret(&emulator)).await;
    check(&error, ErrorCode::InvalidOption, &["password"], &["Remove"]);
    assert!(!format!("{error} {error:?}").contains("hunter2"));
    let error = refusal(&options(&emulator).with_user("me"), client_secret(&emulator)).await;
    check(&error, ErrorCode::InvalidOption, &["user"], &["user_name"]);
    let half = options(&emulator).with_client_secret("hunter2");
    let error = Identity::from_options(&half).unwrap_err();
    check(&error, ErrorCode::InvalidOption, &["tenant_id", "client_id"], &["AZURE_TENANT_ID"]);
    untouched(&emulator);
}

#[tokio::test]
async fn ids_that_cannot_be_one_are_refused() {
    let emulator = emulator(HOUR).await;
    let with = credential_options(&emulator);
    for tenant in ["", "contoso/onmicrosoft", "not a tenant", "https://login.test"] {
        let error = Credential::client_secret_with(tenant, "id", "hunter2", &with).unwrap_err();
        check(&error, ErrorCode::InvalidOption, &["tenant", tenant], &["tenant"]);
    }
    let error = Credential::client_secret_with("contoso.test", " ", "hunter2", &with).unwrap_err();
    check(&error, ErrorCode::InvalidOption, &["client id"], &["App registrations"]);
    let id = ManagedIdentityId::ObjectId(String::new());
    let error = Credential::managed_identity_with(id, &with).unwrap_err();
    check(&error, ErrorCode::InvalidOption, &["managed identity"], &["system-assigned"]);
    untouched(&emulator);
}

#[tokio::test]
async fn files_that_cannot_be_used_are_named() {
    let emulator = emulator(HOUR).await;
    let absent = emulator.temp_dir().join("absent.pem");
    let absent = absent.to_str().unwrap();
    let error = refusal(&options(&emulator).with_ca_file(absent), client_secret(&emulator)).await;
    check(&error, ErrorCode::InvalidOption, &["ca_file", absent, "No such file"], &["PEM"]);
    let error = options(&emulator).with_token_ca_file(absent).credential_options().unwrap_err();
    check(&error, ErrorCode::InvalidOption, &["token_ca_file", absent], &["PEM"]);
    let empty = emulator.temp_dir().join("empty.pem");
    std::fs::write(&empty, "nothing").unwrap();
    let with_empty = Options::parse(&emulator.endpoint()).unwrap().with_ca_file(empty.to_str().unwrap());
    let error = refusal(&with_empty, client_secret(&emulator)).await;
    check(&error, ErrorCode::InvalidOption, &["certificate"], &["BEGIN CERTIFICATE"]);
    untouched(&emulator);
}

/// Commands that would break a connection that many share.
const UNSHAREABLE: &[&[&str]] = &[
    &["MULTI"],
    &["EXEC"],
    &["discard"],
    &["WATCH", "key"],
    &["SUBSCRIBE", "channel"],
    &["psubscribe", "*"],
    &["BLPOP", "list", "0"],
    &["XREAD", "COUNT", "1", "BLOCK", "0", "STREAMS", "s", "$"],
    &["WAIT", "1", "0"],
    &["AUTH", "hunter2"],
    &["HELLO", "3"],
    &["SELECT", "1"],
    &["CLIENT", "REPLY", "OFF"],
    &["QUIT"],
    &["MONITOR"],
];

fn command(args: &[&str]) -> Cmd {
    let mut command = Cmd::new();
    for arg in args {
        command.arg(arg);
    }
    command
}

/// How many commands the emulator has seen once everything before this call has arrived.
async fn commands_seen(emulator: &Emulator, client: &Client) -> u64 {
    let () = client.execute(&cmd("PING")).await.unwrap();
    emulator.stats().commands
}

/// Commands that wait on the server: `execute` gives them a connection of their own.
const WAITING: &[&str] = &["BLPOP", "XREAD"];

/// The error of a command on every way that leads over the shared connection.
async fn on_every_way(client: &Client, args: &[&str]) -> Vec<Error> {
    let mut encoded = format!("*{}\r\n", args.len());
    for arg in args {
        let _ = write!(encoded, "${}\r\n{arg}\r\n", arg.len());
    }
    let mut batch = Batch::new();
    let mut transaction = Pipeline::transaction();
    transaction.add(cmd("SET").arg("touched").arg(1)).add(&command(args));
    let mut errors = vec![
        batch.push(args).unwrap_err(),
        batch.push_encoded(encoded.as_bytes()).unwrap_err(),
        client.execute_pipeline(transaction).await.unwrap_err(),
    ];
    if !WAITING.contains(&args[0]) {
        errors.push(client.execute::<()>(&command(args)).await.unwrap_err());
    }
    // Acknowledgements are counted at the end of a pipeline.
    if args[0] != "WAIT" {
        let mut pipeline = Pipeline::new();
        pipeline.add(cmd("SET").arg("touched").arg(1)).add(&command(args));
        errors.push(client.execute_pipeline(pipeline).await.unwrap_err());
    }
    assert!(batch.is_empty());
    errors
}

#[tokio::test]
async fn commands_that_cannot_be_shared_are_refused_unsent() {
    let emulator = emulator(HOUR).await;
    let client = Client::connect_as(&options(&emulator), client_secret(&emulator)).await.unwrap();
    let before = commands_seen(&emulator, &client).await;
    for args in UNSHAREABLE {
        for (way, error) in on_every_way(&client, args).await.iter().enumerate() {
            if way == 0 {
                println!("{error}");
            }
            assert_eq!(error.code(), ErrorCode::InvalidCommand, "{args:?}: {error}");
            assert!(error.message().contains(&args[0].to_ascii_uppercase()), "{args:?}: {error}");
            assert!(!error.advice().is_empty() && !error.maybe_executed(), "{args:?}: {error:?}");
            assert!(!error.to_string().contains("hunter2"), "{error}");
        }
    }
    assert_eq!(commands_seen(&emulator, &client).await, before + 1);
    let touched: bool = client.execute(cmd("EXISTS").arg("touched")).await.unwrap();
    assert!(!touched, "a pipeline with a bad command was sent in part");
}

#[tokio::test]
async fn empty_and_disabled_commands_are_refused_unsent() {
    let emulator = emulator(HOUR).await;
    let text = format!("{},$FLUSHALL=,$KEYS=", emulator.endpoint());
    let options = Options::parse(&text).unwrap().with_ca_certificates(emulator.ca_pem());
    let client = Client::connect_as(&options, client_secret(&emulator)).await.unwrap();
    let before = commands_seen(&emulator, &client).await;
    let error = client.execute::<()>(&Cmd::new()).await.unwrap_err();
    check(&error, ErrorCode::InvalidCommand, &["without a name"], &["first argument"]);
    assert!(Batch::new().push::<&str>(&[]).is_err() && Batch::new().push(&[""]).is_err());
    for name in ["FLUSHALL", "flushall", "Keys"] {
        let error = client.execute::<()>(cmd(name).arg("*")).await.unwrap_err();
        check(&error, ErrorCode::InvalidCommand, &[&name.to_ascii_uppercase()], &["disabled_commands"]);
        let mut pipeline = Pipeline::transaction();
        pipeline.add(cmd("SET").arg("touched").arg(1)).add(cmd(name).arg("*"));
        let error = client.execute_pipeline(pipeline).await.unwrap_err();
        assert_eq!(error.code(), ErrorCode::InvalidCommand);
    }
    assert_eq!(commands_seen(&emulator, &client).await, before + 1);
}
