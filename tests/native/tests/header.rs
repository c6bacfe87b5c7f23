//! The header and the library: each compiles or exports what it says, everything is documented, and every function is
//! called by a test in C, also with NULL for each of its pointers.

use keyless_native::header::{functions, text, undocumented};
use keyless_native::suite::{Program, Under};
use keyless_native::{library, nulls, programs, root};
use std::collections::BTreeSet;
use std::path::Path;
use std::process::Command;
use std::time::Duration;

fn declared() -> BTreeSet<String> {
    let list = std::fs::read_to_string(root().join("ffi/symbols.txt")).expect("the list of symbols");
    list.lines().map(str::to_owned).collect()
}

/// The names that nm prints for a file.
fn symbols(of: &Path, arguments: &[&str]) -> BTreeSet<String> {
    let output = Command::new("nm").args(arguments).arg(of).output().expect("nm");
    assert!(output.status.success(), "nm {}: {}", of.display(), String::from_utf8_lossy(&output.stderr));
    let names = String::from_utf8_lossy(&output.stdout).into_owned();
    names
        .lines()
        .filter_map(|line| line.split_whitespace().last())
        .map(|name| name.split('@').next().unwrap_or(name).to_owned())
        .collect()
}

#[test]
fn the_library_exports_exactly_what_the_list_says() {
    let exported = symbols(&library().join("libkeyless.so"), &["--dynamic", "--defined-only"]);
    assert_eq!(exported, declared());
}

#[test]
fn the_header_declares_exactly_what_the_list_says() {
    let names: BTreeSet<String> = functions(&text()).into_iter().map(|function| function.name).collect();
    assert_eq!(names, declared());
}

#[test]
fn the_header_compiles_alone_in_c99_and_cpp17() {
    for (compiler, arguments) in [("cc", ["-std=c99", "-xc"]), ("c++", ["-std=c++17", "-xc++"])] {
        let output = Command::new(compiler)
            .args(arguments)
            .args(["-Wall", "-Wextra", "-Wpedantic", "-Werror", "-fsyntax-only"])
            .arg(root().join("include/keyless.h"))
            .output()
            .expect("the compiler");
        assert!(output.status.success(), "{compiler}: {}", String::from_utf8_lossy(&output.stderr));
    }
}

#[test]
fn everything_in_the_header_is_documented() {
    assert_eq!(undocumented(&text()), Vec::<String>::new());
    // The check itself finds what has no words.
    let bare =
        "typedef enum {\n    KEYLESS_A = 1,\n} keyless_a;\n\nint keyless_b(void);\n#define KEYLESS_C 1\n";
    assert_eq!(undocumented(bare).len(), 4);
}

fn of(name: &'static str) -> Program {
    Program { name, token_lifetime: Duration::from_hours(1) }
}

#[test]
fn a_test_in_c_calls_every_function() {
    let called: BTreeSet<String> =
        ["options", "replies", "errors", "waiting", "credentials", "events", "subscriptions", "cluster"]
            .into_iter()
            .flat_map(|name| symbols(&of(name).compile_as(Under::Nothing, "-called"), &["--undefined-only"]))
            .filter(|name| name.starts_with("keyless_"))
            .collect();
    assert_eq!(declared().difference(&called).collect::<Vec<_>>(), Vec::<&String>::new(), "never called");
}

#[test]
fn every_function_takes_null_for_each_pointer() {
    let program = nulls::program(&functions(&text()));
    std::fs::write(programs().join("nulls-generated.h"), program).expect("it can be written");
    of("nulls").run(Under::Valgrind);
    println!("{}", of("nulls").run(Under::Sanitizers));
}
