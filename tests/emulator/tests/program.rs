//! The program: its line, and that it leaves nothing behind.

use std::{
    io::{BufRead as _, BufReader},
    path::Path,
    process::{Child, Command, Stdio},
};

use rustix::process::{Pid, Signal, kill_process};
use serde_json::Value;

fn start(arguments: &[&str]) -> (Child, Value) {
    let mut child = Command::new(env!("CARGO_BIN_EXE_keyless-emulator"))
        .args(arguments)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .expect("the program");
    let mut line = String::new();
    BufReader::new(child.stdout.as_mut().expect("stdout")).read_line(&mut line).expect("a line");
    let line = serde_json::from_str(&line).expect("JSON");
    (child, line)
}

/// Whether a process whose command line names this directory is alive.
fn any_process_in(directory: &Path) -> bool {
    let directory = directory.to_str().expect("text");
    std::fs::read_dir("/proc").expect("proc").flatten().any(|entry| {
        std::fs::read(entry.path().join("cmdline"))
            .is_ok_and(|line| String::from_utf8_lossy(&line).contains(directory))
    })
}

fn assert_nothing_is_left(mut child: Child, line: &Value) {
    assert!(child.wait().expect("an end").success());
    let directory = Path::new(line["ca_file"].as_str().expect("a file")).parent().expect("a directory");
    assert!(!directory.exists());
    assert!(!any_process_in(directory));
}

#[test]
fn it_ends_with_its_standard_input() {
    let (mut child, line) = start(&["--token-lifetime", "20s", "--client-certificate"]);
    assert_eq!(line["env"]["AZURE_TENANT_ID"], line["tenant_id"]);
    assert_eq!(line["redis"]["host"], "localhost");
    assert!(Path::new(line["client_certificate"].as_str().expect("a file")).exists());
    let directory = Path::new(line["ca_file"].as_str().expect("a file")).parent().expect("a directory");
    assert!(any_process_in(directory));
    drop(child.stdin.take());
    assert_nothing_is_left(child, &line);
}

#[test]
fn it_tells_of_the_nodes_of_a_cluster() {
    let (mut child, line) = start(&["--cluster", "1", "--replicas", "1"]);
    let nodes = line["nodes"].as_array().expect("nodes");
    println!("{}", line["nodes"]);
    assert_eq!((nodes[0]["role"].as_str(), nodes[1]["role"].as_str()), (Some("primary"), Some("replica")));
    assert_eq!(nodes[0]["slots"], serde_json::json!([{"start": 0, "end": 16383}]));
    assert_eq!(nodes[1]["primary"], nodes[0]["port"]);
    assert!(nodes.iter().all(|node| node["port"] != line["redis"]["port"]));
    drop(child.stdin.take());
    assert_nothing_is_left(child, &line);
}

#[test]
fn it_ends_on_signals() {
    for signal in [Signal::TERM, Signal::INT] {
        let (child, line) = start(&["--profile", "plain", "--refuse", "service-principal"]);
        assert_eq!(line["redis"]["tls"], false);
        let id = i32::try_from(child.id()).ok().and_then(Pid::from_raw).expect("an id");
        kill_process(id, signal).expect("a signal");
        assert_nothing_is_left(child, &line);
    }
}
