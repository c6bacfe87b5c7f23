//! The wall clock jumps: forward as after a suspension, back as when somebody corrects it.
//!
//! The client runs in a process of its own, this program once more, whose time of day a small library in front of
//! the C library moves (`clock.c`). The token endpoint, the gateway and the server keep the true time.

use crate::journal::{Books, Journal};
use crate::report::Row;
use crate::rig::{Scale, soon};
use keyless::credential::{Credential, CredentialOptions};
use keyless::{Client, Options};
use keyless_conformance::emulator;
use keyless_emulator::Emulator;
use std::fs::OpenOptions;
use std::io::Write;
use std::process::Stdio;
use std::time::{Duration, Instant, SystemTime};
use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader, Lines};
use tokio::process::{Child, ChildStdin, ChildStdout, Command};

/// Names the file that says by how many seconds the clock is ahead; who is given it is the child.
const AHEAD: &str = "KEYLESS_FAULTS_AHEAD";
const HOUR: i64 = 3600;
const MINUTE: i64 = 60;
const SHORT_LIFE: Duration = Duration::from_secs(4);
/// Between two commands of a writer: much of the time is spent waiting for tokens.
const PAUSE: Duration = Duration::from_millis(3);
/// A client looks at the wall clock at least this often.
const LOOK: Duration = Duration::from_secs(30);

/// First past the time of a refresh, then past the expiry of tokens that live for an hour; then to and fro with
/// tokens of a few seconds.
pub(super) async fn clock_jumps(scale: Scale) -> Row {
    let emulator = emulator(Duration::from_hours(1)).await;
    let mut subject = Subject::start(&emulator).await;
    let mut slowest = Duration::ZERO;
    // The second one begins with a clock that is ahead already.
    for by in [50 * MINUTE, 2 * HOUR] {
        subject.ask("progress").await;
        subject.jump(by).await;
        slowest = slowest.max(subject.next_tokens(1).await);
        subject.ask("progress").await;
    }
    assert!(slowest < LOOK + Duration::from_secs(2), "a fresh token came only after {slowest:?}");
    emulator.set_token_lifetime(SHORT_LIFE);
    subject.jump(2 * HOUR).await;
    subject.next_tokens(1).await;
    let (mut jumps, mut two_tokens) = (3, Duration::ZERO);
    for _ in 0..scale.times(1, 20) {
        // In all, the clock is as far ahead at the end as at the beginning.
        for by in [-6 * HOUR, MINUTE, -MINUTE, HOUR, -HOUR, -MINUTE, MINUTE, 6 * HOUR] {
            subject.ask("progress").await;
            subject.jump(by).await;
            two_tokens = two_tokens.max(subject.next_tokens(2).await);
            subject.ask("progress").await;
            jumps += 1;
        }
    }
    assert!(two_tokens < SHORT_LIFE * 3, "two tokens of {SHORT_LIFE:?} took {two_tokens:?}");
    let seen = emulator.stats();
    assert_eq!(seen.auth.expired_tokens_offered, 0, "an expired token is never used");
    assert_eq!(seen.connections.closed_at_expiry, 0, "no connection meets the end of its token");
    let row = Row { injected: jumps, ..subject.end().await.compare(&emulator).await };
    row.remark(format!("never cut by the server; a fresh token {:.1} s after waking", slowest.as_secs_f64()))
}

/// The process with the client, and its clock.
struct Subject {
    child: Child,
    orders: ChildStdin,
    answers: Lines<BufReader<ChildStdout>>,
    ahead: i64,
    directory: tempfile::TempDir,
}

impl Subject {
    async fn start(emulator: &Emulator) -> Self {
        let directory = tempfile::tempdir().expect("a directory");
        let file = |name: &str| directory.path().join(name);
        std::fs::write(file("clock.c"), include_str!("clock.c")).expect("a file");
        std::fs::write(file("ahead"), 0i64.to_ne_bytes()).expect("a file");
        let mut cc = Command::new("cc");
        cc.args(["-O2", "-shared", "-fPIC", "-o"]).arg(file("clock.so")).arg(file("clock.c"));
        let compiled = cc.output().await.expect("a C compiler");
        assert!(compiled.status.success(), "{}", String::from_utf8_lossy(&compiled.stderr));
        let mut child = Command::new(std::env::current_exe().expect("this program"))
            .env("LD_PRELOAD", file("clock.so"))
            .env(AHEAD, file("ahead"))
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .kill_on_drop(true)
            .spawn()
            .expect("a child");
        let orders = child.stdin.take().expect("its input");
        let answers = BufReader::new(child.stdout.take().expect("its output")).lines();
        let mut subject = Self { child, orders, answers, ahead: 0, directory };
        let principal = emulator.service_principal();
        let ca = emulator.ca_file();
        for word in [
            &emulator.endpoint(),
            ca.to_str().expect("a path"),
            &emulator.authority(),
            &principal.tenant,
            &principal.client_id,
            &principal.secrets[0],
        ] {
            subject.order(word).await;
        }
        assert_eq!(subject.answer().await, "connected");
        subject
    }

    async fn order(&mut self, line: &str) {
        self.orders.write_all(format!("{line}\n").as_bytes()).await.expect("a child that listens");
    }

    async fn answer(&mut self) -> String {
        let line = tokio::time::timeout(LOOK * 3, self.answers.next_line()).await;
        line.expect("an answer in time").expect("text").expect("a child that answers")
    }

    async fn ask(&mut self, order: &str) -> String {
        self.order(order).await;
        self.answer().await
    }

    /// Sets its clock ahead by so many seconds, or back, and sees to it that it has happened.
    async fn jump(&mut self, by: i64) {
        self.ahead += by;
        // In place: it is mapped into the child's memory.
        let mut file =
            OpenOptions::new().write(true).open(self.directory.path().join("ahead")).expect("a file");
        file.write_all(&self.ahead.to_ne_bytes()).expect("a file");
        let its: i64 = self.ask("clock").await.parse().expect("a time");
        let off = its - unix_seconds() - self.ahead;
        assert!(off.abs() <= 2, "its clock has not been moved: {off} s off");
    }

    /// Waits until it has so many more tokens; says for how long.
    async fn next_tokens(&mut self, count: usize) -> Duration {
        let begun = Instant::now();
        for _ in 0..count {
            assert_eq!(self.ask("token").await, "a new token");
        }
        begun.elapsed()
    }

    /// Ends its writers and gives what they noted.
    async fn end(mut self) -> Books {
        self.order("end").await;
        let mut text = String::new();
        while let Some(line) = soon("the end of the child", self.answers.next_line()).await.expect("text") {
            text += &line;
            text.push('\n');
        }
        assert!(soon("the child's end", self.child.wait()).await.expect("a status").success());
        Books::read(&text)
    }
}

/// Does the child's part, if this process is one: connects as its first lines say, writes, and obeys.
pub async fn child() -> bool {
    if std::env::var_os(AHEAD).is_none() {
        return false;
    }
    let client = connect().await;
    let source = client.token_source().expect("a token source").clone();
    let (journal, mut tokens, mut seen) =
        (Journal::paced(&client, 9, PAUSE), source.subscribe().expect("tokens"), 0);
    answer("connected");
    loop {
        match line().as_str() {
            "clock" => {
                seen = source.state().generation;
                answer(&unix_seconds().to_string());
            }
            "token" => {
                while tokens.changed().await.expect("a token").generation <= seen {}
                seen = source.state().generation;
                answer("a new token");
            }
            "progress" => {
                journal.progress(500).await;
                answer("progress");
            }
            "end" => break,
            other => panic!("{other:?} is no order"),
        }
    }
    print!("{}", journal.end().await.text());
    true
}

async fn connect() -> Client {
    let (endpoint, ca) = (line(), line());
    let (authority, tenant, client_id, secret) = (line(), line(), line(), line());
    let ca = std::fs::read(ca).expect("the authority's certificate");
    let options = CredentialOptions::new().authority_host(authority).ca_certificates(ca.clone());
    let credential = Credential::client_secret_with(&tenant, &client_id, secret.as_str(), &options);
    let options = Options::parse(&endpoint)
        .expect("the emulator's endpoint")
        .with_ca_certificates(ca)
        .with_command_timeout(Duration::from_secs(2));
    Client::connect_as(&options, credential.expect("a credential")).await.expect("a client")
}

/// The next line that the parent has written.
fn line() -> String {
    let mut line = String::new();
    tokio::task::block_in_place(|| std::io::stdin().read_line(&mut line)).expect("an order");
    line.trim_end().to_owned()
}

fn answer(text: &str) {
    println!("{text}");
}

fn unix_seconds() -> i64 {
    let since = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).expect("a time after 1970");
    i64::try_from(since.as_secs()).expect("a time of this age")
}
