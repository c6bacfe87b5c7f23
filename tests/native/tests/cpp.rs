//! keyless.hpp: its programs compile without a warning, and do what they should, also under the sanitizers.

use keyless_emulator::{ClusterOptions, Emulator, EmulatorOptions};
use keyless_native::install::{Installed, STRICT, succeeded};
use keyless_native::{Build, command, emulator, root, run};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

/// Beside the warnings that every program is compiled with.
const WARNINGS: [&str; 2] = ["-Wconversion", "-Wshadow"];

/// The tests are thousands of templates: without optimisation they compile in half the time.
const FAST: [&str; 1] = ["-O0"];

/// Two programs of the same source are two compilations of half a minute: at the same time where there is room.
fn program(name: &str, more: &[&str]) -> PathBuf {
    let arguments: Vec<&str> = WARNINGS.iter().chain(&FAST).chain(more).copied().collect();
    Build { arguments: &arguments, name }.compile("cpp/tests.cpp")
}

const SANITIZERS: [&str; 3] =
    ["-fsanitize=address,undefined", "-fno-sanitize-recover=all", "-fno-omit-frame-pointer"];

/// All but the ten lifetimes.
fn everything(program: &Path) {
    let emulator = emulator(Duration::from_hours(1));
    println!("{}", run(command(program, &emulator)));
}

fn ten_lifetimes(program: &Path) {
    let emulator = emulator(Duration::from_secs(3));
    let mut command = command(program, &emulator);
    command.env("KEYLESS_TEST_LIFETIME", "3").args(["--no-skip", "--test-case=ten lifetimes"]);
    println!("{}", run(command));
}

fn clustered(program: &Path) {
    let cluster = Some(ClusterOptions::default());
    let emulator = Emulator::start_blocking(EmulatorOptions { cluster, ..EmulatorOptions::default() });
    let emulator = emulator.expect("the emulator");
    let mut command = command(program, &emulator);
    command.args(["--no-skip", "--test-case=a cluster"]);
    println!("{}", run(command));
}

#[test]
fn commands_failures_callbacks_and_ten_lifetimes() {
    let program = program("", &[]);
    everything(&program);
    ten_lifetimes(&program);
    clustered(&program);
}

#[test]
fn the_same_under_the_sanitizers() {
    let program = program("-asan", &SANITIZERS);
    everything(&program);
    ten_lifetimes(&program);
    clustered(&program);
}

#[test]
fn an_exception_that_leaves_a_callback_ends_the_process() {
    let program = Build::default().compile("cpp/uncaught.cpp");
    let emulator = emulator(Duration::from_hours(1));
    let output = command(&program, &emulator).output().expect("the program runs");
    assert_eq!(output.status.code(), None, "ended by a signal");
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(errors.contains("nobody catches this"), "{errors}");
}

/// Against an installed keyless, found by `CMake`.
#[test]
fn the_example_is_built_with_cmake_and_outlives_its_tokens() {
    let installed = Installed::moved("lib");
    let build = installed.build("cpp");
    let configured = Command::new("cmake")
        .args(["-S".as_ref(), root().join("examples/cpp").as_os_str(), "-B".as_ref(), build.as_os_str()])
        .arg(format!("-DCMAKE_PREFIX_PATH={}", installed.prefix().display()))
        .arg(format!("-DCMAKE_CXX_FLAGS={STRICT} -Wconversion"))
        .output();
    succeeded("cmake", &configured.expect("cmake"));
    succeeded("cmake", &Command::new("cmake").arg("--build").arg(&build).output().expect("cmake"));
    let emulator = emulator(Duration::from_secs(4));
    let mut example = command(&build.join("quickstart"), &emulator);
    example.env("LD_LIBRARY_PATH", installed.libdir()).arg("11");
    let printed = run(example);
    assert!(printed.matches("event: token_refreshed, user ").count() >= 2, "{printed}");
    assert!(printed.matches("event: connection_reauthenticated, localhost:").count() >= 2, "{printed}");
    assert!(printed.contains(": hello 7, 2 fields, 3 of the last rounds, counter 700\n"), "{printed}");
    assert!(printed.contains(" commands, 0 errors, "), "{printed}");
    let stats = emulator.stats();
    assert_eq!((stats.connections.opened, stats.connections.closed_at_expiry), (1, 0));
}

/// With each compiler that is installed, in each standard, with and without exceptions; each header alone too.
#[test]
fn the_headers_compile_without_a_warning() {
    let mut compilers = vec!["g++"];
    if Command::new("clang++").arg("--version").output().is_ok() {
        compilers.push("clang++");
    }
    let source = keyless_native::here().join("cpp/consumer.cpp");
    for compiler in compilers {
        for standard in ["-std=c++17", "-std=c++20"] {
            for exceptions in ["-fexceptions", "-fno-exceptions"] {
                let output = Command::new(compiler)
                    // Some warnings come with optimisation alone.
                    .args([standard, exceptions, "-O2", "-c", "-o", "/dev/null"])
                    .args(["-Wall", "-Wextra", "-Wpedantic", "-Werror"])
                    .args(WARNINGS)
                    .arg("-I")
                    .arg(root().join("include"))
                    .arg(&source)
                    .output()
                    .expect("the compiler");
                let said = String::from_utf8_lossy(&output.stderr);
                assert!(output.status.success(), "{compiler} {standard} {exceptions}:\n{said}");
            }
        }
    }
    let headers = root().join("include/keyless");
    let commands = headers.join("commands");
    for directory in [headers, commands] {
        for header in std::fs::read_dir(directory).expect("headers").flatten() {
            if header.path().is_dir() {
                continue;
            }
            let output = Command::new("g++")
                .args(["-std=c++17", "-fsyntax-only", "-Wall", "-Wextra", "-Werror", "-x", "c++"])
                // Its own name as the main file would be warned of for its #pragma or guard: it is included instead.
                .args(["-include".as_ref(), header.path().as_os_str()])
                .arg("/dev/null")
                .output()
                .expect("the compiler");
            let said = String::from_utf8_lossy(&output.stderr);
            assert!(output.status.success(), "{}:\n{said}", header.path().display());
        }
    }
}

/// What must not compile says why.
#[test]
fn misuse_is_refused_when_compiling() {
    for (statement, said) in [
        ("client.command(\"EXPIRE\", \"key\", std::chrono::seconds(1));", "an argument is text, a number"),
        ("client.command(\"SET\", \"key\", true);", "Redis has no truth values"),
        ("client.command<std::string_view>(\"GET\", \"key\");", "a view would outlive its reply"),
        ("client.command(\"GET\", \"key\").as<std::string_view>();", "a view would outlive its reply"),
        ("client.command(\"HGETALL\", \"key\").pairs();", "deleted"),
        ("client.del(\"a\", \"b\");", "no matching function"),
        (
            "std::vector<std::string> out; client.async().hkeys(\"h\", std::back_inserter(out));",
            "there is no reply yet",
        ),
        (
            "std::vector<std::string> out; client.pipeline().hkeys(\"h\", std::back_inserter(out));",
            "has no replies yet",
        ),
        ("keyless::Options(\"host\").tls(\"false\");", "deleted"),
        ("keyless::Client copy(client);", "deleted"),
        ("client.with(std::nothrow).get(\"key\");", "nodiscard"),
    ] {
        let mut compiler = Command::new("g++")
            .args(["-std=c++17", "-fsyntax-only", "-Wall", "-Werror", "-x", "c++", "-I"])
            .arg(root().join("include"))
            .arg("-")
            .stdin(std::process::Stdio::piped())
            .stderr(std::process::Stdio::piped())
            .spawn()
            .expect("the compiler");
        let source = format!("#include <keyless.hpp>\nvoid use(keyless::Client &client) {{ {statement} }}\n");
        std::io::Write::write_all(&mut compiler.stdin.take().expect("a pipe"), source.as_bytes())
            .expect("it reads");
        let output = compiler.wait_with_output().expect("the compiler");
        let errors = String::from_utf8_lossy(&output.stderr);
        assert!(!output.status.success(), "this compiles: {statement}");
        assert!(errors.contains(said), "{statement}: {errors}");
    }
}
