//! The C tests: each program of `c/` against an emulator of its own, as it is under valgrind, and with its C side under
//! `AddressSanitizer` and `UndefinedBehaviorSanitizer`.

use keyless_emulator::{ClusterOptions, EmulatorOptions};
use keyless_native::suite::{Program, Under, soak};
use keyless_native::{command, emulator, here, library, programs, root, run};
use std::process::Command;
use std::time::Duration;

fn short(name: &'static str, under: Under) {
    Program { name, token_lifetime: Duration::from_hours(1) }.run(under);
}

macro_rules! programs {
    ($($name:ident)*) => {
        $(mod $name {
            #[test]
            fn under_valgrind() {
                super::short(stringify!($name), super::Under::Valgrind);
            }

            #[test]
            fn with_sanitizers() {
                super::short(stringify!($name), super::Under::Sanitizers);
            }
        })*
    };
}

programs! { options replies errors waiting credentials events subscriptions }

/// Three nodes.
fn clustered(under: Under) {
    let program = Program { name: "cluster", token_lifetime: Duration::from_hours(1) };
    let cluster = Some(ClusterOptions::default());
    program.run_at(under, &[], EmulatorOptions { cluster, ..EmulatorOptions::default() });
}

#[test]
fn the_nodes_and_keys_of_a_cluster() {
    clustered(Under::Sanitizers);
    clustered(Under::Valgrind);
}

/// Three programs at a time, each with an emulator of its own.
fn ten_lifetimes(under: Under, seconds: u64) {
    std::thread::scope(|scope| {
        for way in ["blocking", "callback", "drain"] {
            scope.spawn(move || {
                let program = Program { name: "lifetimes", token_lifetime: Duration::from_secs(seconds) };
                let environment = [("LIFETIMES_WAY", way), ("LIFETIMES_SECONDS", &*seconds.to_string())];
                let printed = program.run_with(under, &environment);
                println!("{}", printed.lines().find(|line| line.starts_with(way)).expect("figures"));
            });
        }
    });
}

#[test]
fn ten_lifetimes_of_tokens_in_each_way_of_waiting() {
    ten_lifetimes(Under::Nothing, 3);
    if soak() {
        ten_lifetimes(Under::Sanitizers, 10);
        ten_lifetimes(Under::Valgrind, 30);
    }
}

#[test]
fn eight_threads_on_one_client() {
    short("threads", Under::ThreadSanitizer);
    if soak() {
        short("threads", Under::Sanitizers);
        short("threads", Under::Valgrind);
    }
}

#[test]
fn forked_children() {
    short("fork", Under::Nothing);
    short("fork", Under::Sanitizers);
}

#[test]
fn misuse() {
    let printed = Program { name: "misuse", token_lifetime: Duration::from_hours(1) }.run(Under::Nothing);
    printed.lines().filter(|line| line.contains(" times ")).for_each(|line| println!("{line}"));
    short("misuse", Under::Sanitizers);
    short("misuse", Under::Valgrind);
}

#[test]
fn the_library_is_loaded_and_unloaded() {
    let program = programs().join("loading");
    let compiled = Command::new("cc")
        .args(["-std=c99", "-g", "-Wall", "-Wextra", "-Wpedantic", "-Werror", "-D_GNU_SOURCE", "-I"])
        .arg(root().join("include"))
        .arg(here().join("c/loading.c"))
        .args(["-ldl", "-o"])
        .arg(&program)
        .status();
    assert!(compiled.expect("the compiler").success());
    let emulator = emulator(Duration::from_hours(1));
    let mut command = command(&program, &emulator);
    command.arg(library().join("libkeyless.so"));
    run(command);
}
