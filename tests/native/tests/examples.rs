//! The examples in C, compiled with an installed keyless and run over several lifetimes of a token.

use keyless_emulator::{Cut, Emulator, GatewayCertificate, Stats};
use keyless_native::install::{Installed, STRICT, hiredis, succeeded};
use keyless_native::{command, emulator, root};
use std::io::Write;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::sync::LazyLock;
use std::time::Duration;

const LIFETIME: Duration = Duration::from_secs(4);
const LONG: Duration = Duration::from_mins(1);

struct Examples {
    installed: Installed,
    hiredis: PathBuf,
    programs: PathBuf,
}

/// All examples, made by their Makefile.
static EXAMPLES: LazyLock<Examples> = LazyLock::new(|| {
    let installed = Installed::moved("lib");
    let hiredis = hiredis();
    let programs = installed.build("examples");
    let packages = [installed.libdir().join("pkgconfig"), hiredis.join("lib/pkgconfig")];
    let output = Command::new("make")
        .args(["--directory".as_ref(), root().join("examples/c").as_os_str()])
        .arg(format!("OUT={}", programs.display()))
        .arg(format!("CFLAGS={STRICT}"))
        .arg(format!("PKG_CONFIG_PATH={}:{}", packages[0].display(), packages[1].display()))
        .output();
    succeeded("make", &output.expect("make"));
    Examples { installed, hiredis, programs }
});

/// Starts an example; its standard input is a pipe.
fn start(name: &str, arguments: &[&str], emulator: &Emulator) -> Child {
    command(&EXAMPLES.programs.join(name), emulator)
        .args(arguments)
        .env("LD_LIBRARY_PATH", EXAMPLES.installed.libdir())
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("the example")
}

/// Lets an example end, and gives what it printed and whether it was content.
fn end(mut child: Child) -> (String, bool) {
    drop(child.stdin.take());
    let output = child.wait_with_output().expect("the example ends");
    let text = [output.stdout, output.stderr].concat();
    (String::from_utf8_lossy(&text).into_owned(), output.status.success())
}

/// One connection that was signed in again and again, and never refused or cut.
fn unbroken(stats: &Stats, sign_ins: u64) {
    assert_eq!(stats.connections.opened, 1, "{:?}", stats.connections);
    assert_eq!(stats.connections.closed_at_expiry, 0);
    assert_eq!(stats.auth.refused, 0);
    assert!(stats.auth.accepted >= sign_ins, "{} sign-ins", stats.auth.accepted);
}

#[test]
fn blocking_outlives_its_tokens_and_tells_of_them() {
    let emulator = emulator(LIFETIME);
    let (text, content) = end(start("blocking", &["11"], &emulator));
    assert!(content, "{text}");
    assert!(text.contains(", 0 failed\n"), "{text}");
    assert!(text.matches("event: token_refreshed, expires in 4 s\n").count() >= 2, "{text}");
    assert!(text.matches("event: connection_reauthenticated, localhost:").count() >= 2, "{text}");
    unbroken(&emulator.stats(), 3);
}

#[test]
fn blocking_says_what_is_wrong_and_what_to_do() {
    let emulator = emulator(LIFETIME);
    let principal = emulator.service_principal();
    emulator.revoke(&principal.oid);
    let (text, content) = end(start("blocking", &["1"], &emulator));
    assert!(!content, "{text}");
    assert!(text.contains("WRONGPASS"), "{text}");
    assert!(!text.contains(&principal.secrets[0]), "a secret was printed");
}

#[test]
fn epoll_serves_timer_input_replies_and_messages_while_tokens_change() {
    let emulator = emulator(LIFETIME);
    let mut child = start("epoll", &[], &emulator);
    let mut input = child.stdin.take().expect("a pipe");
    let wait = |sign_ins| {
        let signed_in = move |stats: &Stats| stats.auth.accepted >= sign_ins;
        emulator.wait_until_blocking(signed_in, LONG).expect("it is signed in")
    };
    wait(1);
    // A line may come in pieces, and several at once.
    input.write_all(b"SET example:typed fir").expect("it is read");
    wait(3);
    input.write_all(b"st\nGET example:typed\nNOSUCH\nCONFIG GET maxmem").expect("it is read");
    let stats = wait(5);
    unbroken(&stats, 5);
    input.write_all(b"ory\nMULTI\n\nLRANGE example:typed 0 1\nHMGET example:none a b\n").expect("it is read");
    drop(input);
    let (text, content) = end(child);
    assert!(content, "{text}");
    let replies =
        "OK\nfirst\nERR unknown command 'NOSUCH', with args beginning with: \n1 pairs:\n  maxmemory\n    0\n";
    assert!(text.starts_with(replies), "{text}");
    for part in ["2:\n  (nil)\n  (nil)\n", "WRONGTYPE", "MULTI is not possible", " 0 failed, "] {
        assert!(text.contains(part), "{part} in {text}");
    }
    let figures: Vec<u64> = text
        .lines()
        .find(|line| line.contains(" submitted, "))
        .expect("the last line")
        .split(", ")
        .map(|part| part.split(' ').next().expect("a number").parse().expect("a number"))
        .collect();
    let [submitted, answered, _, published, received] = figures[..] else { panic!("five figures: {text}") };
    assert_eq!(submitted, answered);
    assert_eq!(published, received);
    assert!(published > 50, "{published} messages in more than ten seconds");
    assert_eq!(emulator.stats().connections.opened, 1);
}

#[test]
fn hiredis_keeps_its_connection_over_five_lifetimes_without_a_failed_command() {
    let emulator = emulator(LIFETIME);
    let (text, content) = end(start("hiredis", &["21"], &emulator));
    assert!(content, "{text}");
    let stats = emulator.stats();
    unbroken(&stats, 6);
    let last = text.lines().last().expect("the last line");
    let sign_ins = stats.auth.accepted;
    assert!(last.ends_with(&format!(" commands, 0 failed, {sign_ins} sign-ins, 1 connections")), "{text}");
    let commands: u64 = last.split(' ').next().expect("a number").parse().expect("a number");
    // A SET and a GET a hundred times a second, less on a machine that has much to do.
    assert!(commands > 1000, "{text}");
    // Each token was used once, and each before its predecessor ended.
    let records = &stats.auth.records;
    for pair in records.windows(2) {
        assert_ne!(pair[0].uti, pair[1].uti);
        assert!(
            pair[1].time
                < pair[0].expires_on.map_or(0.0, |expiry| f64::from(u32::try_from(expiry).unwrap_or(0)))
        );
    }
    let principal = emulator.service_principal();
    assert!(!text.contains(&principal.secrets[0]), "a secret was printed");
}

#[test]
fn hiredis_asks_for_another_token_when_one_is_refused() {
    let emulator = emulator(LIFETIME);
    let child = start("hiredis", &["9"], &emulator);
    emulator.wait_until_blocking(|stats| stats.auth.accepted >= 1, LONG).expect("it is signed in");
    emulator.faults().refuse_auth(Some(1));
    let (text, content) = end(child);
    assert!(content, "{text}");
    let stats = emulator.stats();
    assert_eq!((stats.auth.refused, stats.connections.opened, stats.connections.closed_at_expiry), (1, 1, 0));
    assert!(text.contains(" 0 failed, ") && text.contains("AUTH: WRONGPASS"), "{text}");
    assert!(stats.auth.accepted >= 3, "{text}");
}

#[test]
fn hiredis_connects_and_signs_in_again_after_a_cut() {
    let emulator = emulator(LIFETIME);
    let child = start("hiredis", &["6"], &emulator);
    emulator.wait_until_blocking(|stats| stats.commands >= 20, LONG).expect("it is at work");
    emulator.faults().cut_connections(Cut::Reset);
    let (text, content) = end(child);
    // hiredis cannot know whether what it had sent was executed.
    assert_eq!(content, text.contains(" 0 failed, "), "{text}");
    assert!(text.contains(" 0 failed, ") || text.contains(" 1 failed, "), "{text}");
    assert!(text.contains(" 2 connections\n"), "{text}");
    assert_eq!(emulator.stats().connections.opened, 2);
}

#[test]
fn hiredis_shows_its_token_to_no_server_of_another_name() {
    let emulator = emulator(LIFETIME);
    let endpoint = emulator.open_gateway(GatewayCertificate::WrongHost).expect("a gateway");
    let port = endpoint.rsplit(':').next().expect("a port");
    let mut stranger = command(&EXAMPLES.programs.join("hiredis"), &emulator);
    stranger.env("REDIS_PORT", port).env("LD_LIBRARY_PATH", EXAMPLES.installed.libdir());
    let output = stranger.arg("1").output().expect("the example");
    assert!(!output.status.success());
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(errors.contains("certificate verify failed"), "{errors}");
    let stats = emulator.stats();
    assert_eq!((stats.auth.accepted, stats.auth.refused), (0, 0));
}

#[test]
fn cmake_builds_the_examples_too() {
    let build = EXAMPLES.installed.build("cmake");
    let output = Command::new("cmake")
        .args(["-S".as_ref(), root().join("examples/c").as_os_str(), "-B".as_ref(), build.as_os_str()])
        .arg(format!("-DCMAKE_PREFIX_PATH={}", EXAMPLES.installed.prefix().display()))
        .arg(format!("-DCMAKE_C_FLAGS={STRICT}"))
        .env("PKG_CONFIG_PATH", EXAMPLES.hiredis.join("lib/pkgconfig"))
        .output();
    succeeded("cmake", &output.expect("cmake"));
    let output = Command::new("cmake").arg("--build").arg(&build).output();
    succeeded("cmake --build", &output.expect("cmake"));
    for name in ["blocking", "epoll", "hiredis"] {
        assert!(build.join(name).exists(), "{name}");
    }
}
