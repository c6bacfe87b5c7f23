//! Replies of every type in both protocols, and error replies: each to its own command, with its own code.

use keyless::options::Protocol;
use keyless::redis::{Value, VerbatimFormat, cmd};
use keyless::{Client, ErrorCode, Pipeline};
use keyless_conformance::{check, client_secret, emulator, options};
use keyless_emulator::Emulator;
use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::time::Duration;

const HOUR: Duration = Duration::from_hours(1);

async fn connected(protocol: Protocol) -> (Emulator, Client) {
    let emulator = emulator(HOUR).await;
    let options = options(&emulator).with_protocol(protocol);
    let client = Client::connect_as(&options, client_secret(&emulator)).await.unwrap();
    (emulator, client)
}

/// What a script returns that speaks RESP3.
async fn scripted(client: &Client, returns: &str) -> Value {
    let script = format!("redis.setresp(3); return {returns}");
    client.execute(cmd("EVAL").arg(script).arg(0)).await.unwrap()
}

#[tokio::test]
async fn types_of_resp3() {
    let (_emulator, client) = connected(Protocol::Resp3).await;
    let hello: HashMap<String, Value> = client.execute(cmd("CLIENT").arg("TRACKINGINFO")).await.unwrap();
    assert!(hello.contains_key("flags"), "{hello:?}");
    let () = client.execute(cmd("HSET").arg("hash").arg(&["a", "1", "b", "2"])).await.unwrap();
    let raw: Value = client.execute(cmd("HGETALL").arg("hash")).await.unwrap();
    assert!(matches!(&raw, Value::Map(pairs) if pairs.len() == 2), "{raw:?}");
    let hash: BTreeMap<String, u64> = client.execute(cmd("HGETALL").arg("hash")).await.unwrap();
    assert_eq!(hash, BTreeMap::from([("a".into(), 1), ("b".into(), 2)]));
    let () = client.execute(cmd("SADD").arg("set").arg(&["x", "y"])).await.unwrap();
    let raw: Value = client.execute(cmd("SMEMBERS").arg("set")).await.unwrap();
    assert!(matches!(&raw, Value::Set(items) if items.len() == 2), "{raw:?}");
    let () = client.execute(cmd("ZADD").arg("scores").arg(1.5).arg("one")).await.unwrap();
    let score: Value = client.execute(cmd("ZSCORE").arg("scores").arg("one")).await.unwrap();
    assert_eq!(score, Value::Double(1.5));
    let absent: Value = client.execute(cmd("GET").arg("absent")).await.unwrap();
    assert_eq!(absent, Value::Nil);
    let info: Value = client.execute(cmd("INFO").arg("server")).await.unwrap();
    assert!(matches!(&info, Value::VerbatimString { format: VerbatimFormat::Text, .. }), "{info:?}");
    let info: String = client.execute(cmd("INFO").arg("server")).await.unwrap();
    println!("{}", info.lines().find(|line| line.starts_with("redis_version")).unwrap());
    assert_eq!(scripted(&client, "{double=3.25}").await, Value::Double(3.25));
    assert_eq!(scripted(&client, "{double=-1/0}").await, Value::Double(f64::NEG_INFINITY));
    assert_eq!(scripted(&client, "true").await, Value::Boolean(true));
    let map = scripted(&client, "{map={key='value'}}").await;
    assert!(matches!(&map, Value::Map(pairs) if pairs.len() == 1), "{map:?}");
    let set = scripted(&client, "{set={one=true}}").await;
    assert!(matches!(&set, Value::Set(items) if items.len() == 1), "{set:?}");
    let big = "3492890328409238509324850943850943825024385";
    let number = scripted(&client, &format!("{{big_number='{big}'}}")).await;
    let Value::BigNumber(digits) = number else { panic!("{number:?}") };
    assert_eq!(digits, big.as_bytes());
    let text = scripted(&client, "{verbatim_string={string='# title', format='mkd'}}").await;
    let Value::VerbatimString { format: VerbatimFormat::Markdown, text } = text else { panic!("{text:?}") };
    assert_eq!(text, "# title");
    let nested = scripted(&client, "{map={list={1, {double=0.5}, {map={deep=false}}}}}").await;
    println!("{nested:?}");
    assert!(matches!(&nested, Value::Map(pairs) if matches!(pairs[0].1, Value::Array(_))), "{nested:?}");
}

#[tokio::test]
async fn resp2_works_as_well() {
    let (emulator, client) = connected(Protocol::Resp2).await;
    let () = client.execute(cmd("HSET").arg("hash").arg(&["a", "1", "b", "2"])).await.unwrap();
    let raw: Value = client.execute(cmd("HGETALL").arg("hash")).await.unwrap();
    assert!(matches!(&raw, Value::Array(items) if items.len() == 4), "not RESP2: {raw:?}");
    let hash: BTreeMap<String, u64> = client.execute(cmd("HGETALL").arg("hash")).await.unwrap();
    assert_eq!(hash.len(), 2);
    let () = client.execute(cmd("SADD").arg("set").arg(&["x", "y"])).await.unwrap();
    let set: BTreeSet<String> = client.execute(cmd("SMEMBERS").arg("set")).await.unwrap();
    assert_eq!(set.len(), 2);
    let absent: Option<String> = client.execute(cmd("GET").arg("absent")).await.unwrap();
    assert_eq!(absent, None);
    let mut transaction = Pipeline::transaction();
    transaction.add(cmd("SET").arg("key").arg(1)).add(cmd("INCR").arg("key"));
    let (_, two): (Value, u64) = client.query_pipeline(transaction).await.unwrap();
    assert_eq!((two, emulator.stats().auth.accepted), (2, 1));
}

#[tokio::test]
async fn a_reply_of_another_type_than_asked_for() {
    let (_emulator, client) = connected(Protocol::Resp3).await;
    let () = client.execute(cmd("SET").arg("key").arg("hunter2")).await.unwrap();
    let error = client.execute::<u64>(cmd("GET").arg("key")).await.unwrap_err();
    check(&error, ErrorCode::UnexpectedReply, &["a string", "u64"], &["redis::Value"]);
    assert!(!error.to_string().contains("hunter2"), "values stay out of errors");
    let error = client.execute::<u64>(cmd("GET").arg("absent")).await.unwrap_err();
    check(&error, ErrorCode::UnexpectedReply, &["nil"], &["redis::Value"]);
}

#[tokio::test]
async fn commands_that_the_access_policy_forbids() {
    let (emulator, client) = connected(Protocol::Resp3).await;
    let oid = emulator.service_principal().oid;
    emulator.grant_with(&oid, "~allowed* +@read +@connection").unwrap();
    // The policy holds from the next sign-in on; the handshake needs nothing beyond it.
    let reader = Client::connect_as(&options(&emulator), client_secret(&emulator)).await.unwrap();
    let _: Option<String> = reader.execute(cmd("GET").arg("allowed:1")).await.unwrap();
    for command in [cmd("SET").arg("allowed:1").arg(1), cmd("GET").arg("other"), cmd("FLUSHALL").arg("ASYNC")]
    {
        let error = reader.execute::<()>(command).await.unwrap_err();
        check(&error, ErrorCode::NoPermission, &["NOPERM"], &["access policy"]);
        assert!(error.server_code() == Some("NOPERM") && !error.is_retryable());
    }
    assert!(client.is_ready() && reader.is_ready());
}

#[tokio::test]
async fn an_error_inside_a_pipeline_is_its_own_commands_alone() {
    let (_emulator, client) = connected(Protocol::Resp3).await;
    let mut pipeline = Pipeline::new();
    pipeline
        .add(cmd("SET").arg("text").arg("a"))
        .add(cmd("LPUSH").arg("text").arg("b"))
        .add(cmd("GET").arg("text"))
        .add(&cmd("NOSUCHCOMMAND"))
        .add(cmd("INCR").arg("text"))
        .add(cmd("ECHO").arg("last"));
    let replies = client.execute_pipeline(pipeline).await.unwrap();
    println!("{replies:?}");
    let codes: Vec<_> =
        replies.iter().map(|reply| reply.as_ref().err().and_then(|e| e.server_code())).collect();
    assert_eq!(codes, [None, Some("WRONGTYPE"), None, Some("ERR"), Some("ERR"), None]);
    assert_eq!(replies[2].as_ref().unwrap(), &Value::BulkString(b"a".to_vec()));
    assert_eq!(replies[5].as_ref().unwrap(), &Value::BulkString(b"last".to_vec()));
}

#[tokio::test]
async fn a_transaction_with_a_bad_command_is_not_executed_and_says_which() {
    let (_emulator, client) = connected(Protocol::Resp3).await;
    let mut transaction = Pipeline::transaction();
    transaction.add(cmd("SET").arg("key").arg(1)).add(cmd("GET").arg("too").arg("many"));
    let error = client.execute_pipeline(transaction).await.unwrap_err();
    check(&error, ErrorCode::TransactionAborted, &["command 2 of 2", "arguments for 'get'"], &["Correct"]);
    let exists: bool = client.execute(cmd("EXISTS").arg("key")).await.unwrap();
    assert!(!exists);
    // One that fails when it runs does not undo the others: Redis knows no rollback.
    let mut transaction = Pipeline::transaction();
    transaction
        .add(cmd("SET").arg("key").arg("a"))
        .add(cmd("INCR").arg("key"))
        .add(cmd("APPEND").arg("key").arg("b"));
    let replies = client.execute_pipeline(transaction).await.unwrap();
    assert!(replies[0].is_ok() && replies[2].is_ok());
    assert_eq!(replies[1].as_ref().unwrap_err().code(), ErrorCode::Server);
}
