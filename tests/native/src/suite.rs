//! The C tests with cmocka: how their programs are built, and what watches them while they run.

use crate::{Build, command, here, programs, run};
use keyless_emulator::{Emulator, EmulatorOptions};
use std::path::PathBuf;
use std::process::Command;
use std::time::Duration;

/// What watches a program.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Under {
    /// Nothing.
    Nothing,
    /// valgrind: no invalid access, no definite leak.
    Valgrind,
    /// `AddressSanitizer` with its leak check, and `UndefinedBehaviorSanitizer`, in the C side.
    Sanitizers,
    /// `ThreadSanitizer`, in the C side.
    ThreadSanitizer,
}

/// Whether `KEYLESS_SOAK=1` asks for the long forms.
pub fn soak() -> bool {
    std::env::var("KEYLESS_SOAK").is_ok_and(|value| value == "1")
}

/// One program of `c/`.
#[derive(Clone, Copy, Debug)]
pub struct Program {
    /// Its file's name without `.c`.
    pub name: &'static str,
    /// How long the emulator's tokens live.
    pub token_lifetime: Duration,
}

impl Program {
    /// Compiles it.
    pub fn compile(&self, under: Under) -> PathBuf {
        self.compile_as(under, "")
    }

    /// Compiles it under a name of its own, while another test may compile it too.
    pub fn compile_as(&self, under: Under, name: &str) -> PathBuf {
        let common = ["common.c", "peer.c"].map(|file| here().join("c").join(file).display().to_string());
        let mut arguments: Vec<&str> = common.iter().map(String::as_str).collect();
        let generated = programs().display().to_string();
        arguments.extend(["-I", &generated, "-lcmocka", "-lm"]);
        let watched = match under {
            Under::Nothing | Under::Valgrind => "",
            Under::Sanitizers => {
                arguments.extend(["-fsanitize=address,undefined", "-fno-sanitize-recover=all"]);
                "-asan"
            }
            Under::ThreadSanitizer => {
                arguments.push("-fsanitize=thread");
                "-tsan"
            }
        };
        let name = format!("{watched}{name}");
        Build { arguments: &arguments, name: &name }.compile(&format!("c/{}.c", self.name))
    }

    /// Compiles it and runs it with an emulator of its own; gives what it printed.
    pub fn run(&self, under: Under) -> String {
        self.run_with(under, &[])
    }

    /// The same with more in its environment.
    pub fn run_with(&self, under: Under, environment: &[(&str, &str)]) -> String {
        let emulator = EmulatorOptions {
            token_lifetime: self.token_lifetime,
            // The server's own examples of each type of reply.
            redis_config: "enable-debug-command yes".into(),
            ..EmulatorOptions::default()
        };
        self.run_at(under, environment, emulator)
    }

    /// The same with an emulator of another kind.
    pub fn run_at(&self, under: Under, environment: &[(&str, &str)], emulator: EmulatorOptions) -> String {
        let program = self.compile(under);
        let emulator = Emulator::start_blocking(emulator).expect("the emulator");
        let plain = command(&program, &emulator);
        let mut watched = match under {
            Under::Valgrind => {
                let mut watched = Command::new("valgrind");
                watched
                    .args([
                        "--quiet",
                        "--error-exitcode=99",
                        "--leak-check=full",
                        "--show-leak-kinds=definite",
                    ])
                    // Otherwise it frees what leads to memory of threads that still run, and calls that memory lost.
                    .arg("--run-libc-freeres=no")
                    .args([
                        "--errors-for-leak-kinds=definite",
                        "--num-callers=30",
                        "--child-silent-after-fork=yes",
                    ])
                    .arg(&program);
                for (name, value) in plain.get_envs() {
                    watched.env(name, value.unwrap_or_default());
                }
                watched
            }
            _ => plain,
        };
        watched
            .env("KEYLESS_TEST_OID", &emulator.service_principal().oid)
            .env("KEYLESS_TEST_SUBJECT", &emulator.service_principal().federated_subjects[0])
            .env("KEYLESS_TEST_UNDER", format!("{under:?}"))
            .env("ASAN_OPTIONS", "detect_stack_use_after_return=1:strict_string_checks=1")
            .env("UBSAN_OPTIONS", "print_stacktrace=1")
            .env("TSAN_OPTIONS", format!("suppressions={}", here().join("tsan.supp").display()));
        watched.envs(environment.iter().copied());
        run(watched)
    }
}
