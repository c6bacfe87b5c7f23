//! Compiles programs in C and C++ against libkeyless and runs them with an emulator to talk to.

#![allow(clippy::missing_panics_doc, reason = "a helper of tests panics where a test would")]

pub mod header;
pub mod install;
pub mod nulls;
pub mod suite;

use keyless_emulator::{Emulator, EmulatorOptions};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

/// The directory of this crate.
pub fn here() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// The workspace.
pub fn root() -> PathBuf {
    here().join("../..").canonicalize().expect("the workspace")
}

/// Where cargo has put the libkeyless of these tests: `target/debug/deps`, beside this program. The one in `target/debug`
/// is that of the last build that was asked for by name, and may be older.
pub fn library() -> PathBuf {
    let own = std::env::current_exe().expect("this program's path");
    own.parent().expect("target/debug/deps").to_owned()
}

/// Where programs are put: `target/debug/native`.
pub fn programs() -> PathBuf {
    let directory = library().parent().expect("target/debug").join("native");
    std::fs::create_dir_all(&directory).expect("a directory for programs");
    directory
}

/// How a program is compiled.
#[derive(Clone, Copy, Debug, Default)]
pub struct Build<'a> {
    /// Further arguments of the compiler: `-fsanitize=address`, `-lcmocka`.
    pub arguments: &'a [&'a str],
    /// What tells this build's program from others of the same source.
    pub name: &'a str,
}

/// Tells programs that are being compiled from each other.
static COMPILED: AtomicU32 = AtomicU32::new(0);

impl Build<'_> {
    /// Compiles a source below this crate, C99 or C++17 by its suffix, without a warning, and gives the program.
    pub fn compile(&self, source: &str) -> PathBuf {
        let cpp = Path::new(source).extension().is_some_and(|suffix| suffix == "cpp");
        let (compiler, standard) = if cpp { ("c++", "-std=c++17") } else { ("cc", "-std=c99") };
        let directory = programs();
        // Tests run at the same time: each compiles to a name of its own.
        let file = source.replace(['/', '.'], "-");
        let program = directory.join(format!("{file}{}", self.name));
        // Another thread may be compiling or running the same one: it is put there in one step.
        let number = COMPILED.fetch_add(1, Ordering::Relaxed);
        let own = directory.join(format!("{file}{}-{}-{number}", self.name, std::process::id()));
        let output = Command::new(compiler)
            .args([standard, "-O1", "-g", "-Wall", "-Wextra", "-Wpedantic", "-Werror"])
            .arg("-D_GNU_SOURCE")
            .arg("-I")
            .arg(root().join("include"))
            .arg("-o")
            .arg(&own)
            .arg(here().join(source))
            .arg("-L")
            .arg(library())
            .arg("-lkeyless")
            .args(["-pthread", "-ldl"])
            .args(self.arguments)
            .output()
            .expect("the compiler");
        assert!(
            output.status.success(),
            "{source} does not compile:\n{}",
            String::from_utf8_lossy(&output.stderr)
        );
        std::fs::rename(&own, &program).expect("the program is put in its place");
        program
    }
}

/// An emulator whose tokens live for `token_lifetime`.
pub fn emulator(token_lifetime: Duration) -> Emulator {
    Emulator::start_blocking(EmulatorOptions { token_lifetime, ..EmulatorOptions::default() })
        .expect("the emulator")
}

/// A directory with the library under the name that its soname asks for.
pub fn libraries() -> PathBuf {
    static LINKED: OnceLock<PathBuf> = OnceLock::new();
    let directory = LINKED.get_or_init(|| {
        let directory = programs();
        let version = concat!(env!("CARGO_PKG_VERSION_MAJOR"), ".", env!("CARGO_PKG_VERSION_MINOR"));
        // Tests of another program may do the same now: it is put there in one step.
        let own = directory.join(format!("link-{}", std::process::id()));
        std::os::unix::fs::symlink(library().join("libkeyless.so"), &own).expect("a link");
        std::fs::rename(&own, directory.join(format!("libkeyless.so.{version}"))).expect("a link");
        directory
    });
    directory.clone()
}

/// A command that runs a program with libkeyless, and with everything it needs to use the emulator: the environment that
/// every Azure SDK reads, `REDIS_HOST` and `REDIS_PORT`, `KEYLESS_TEST_CA` (the file with the authority),
/// `KEYLESS_TEST_CONTROL` (the emulator's control endpoint) and `KEYLESS_TEST_KEY` (the access key).
pub fn command(program: &Path, emulator: &Emulator) -> Command {
    let principal = emulator.service_principal();
    let mut command = Command::new(program);
    command
        .env("LD_LIBRARY_PATH", libraries())
        .env("REDIS_HOST", "localhost")
        .env("REDIS_PORT", emulator.port().to_string())
        .env("SSL_CERT_FILE", emulator.ca_file())
        .env("AZURE_AUTHORITY_HOST", emulator.authority())
        .env("AZURE_TENANT_ID", &principal.tenant)
        .env("AZURE_CLIENT_ID", &principal.client_id)
        .env("AZURE_CLIENT_SECRET", principal.secrets[0].as_str())
        .env("AZURE_POD_IDENTITY_AUTHORITY_HOST", emulator.imds_url())
        .env("KEYLESS_TEST_CA", emulator.ca_file())
        .env("KEYLESS_TEST_CONTROL", emulator.control_url())
        .env("KEYLESS_TEST_KEY", emulator.access_key().unwrap_or_default());
    command
}

/// Runs a command to its end, which must be a success; gives what it printed.
pub fn run(mut command: Command) -> String {
    let output = command.output().expect("the program runs");
    let printed = String::from_utf8_lossy(&output.stdout).into_owned();
    let errors = String::from_utf8_lossy(&output.stderr);
    let program = command.get_program().display();
    assert!(output.status.success(), "{program}: {}\n{printed}\n{errors}", output.status);
    printed
}
