//! What is generated is current: the typed setters from core's option table, the header from the entry points, the
//! list of symbols from the header. `KEYLESS_GENERATE=1 cargo test --package keyless-ffi --test generated` writes
//! them.

use keyless::options::{Effect, Kind, OptionInfo, table};
use std::fmt::Write;
use std::path::{Path, PathBuf};

const PREAMBLE: &str = include_str!("preamble.h");

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("the workspace").to_owned()
}

fn check(path: &str, wanted: &str) {
    let file = root().join(path);
    if std::env::var_os("KEYLESS_GENERATE").is_some() {
        std::fs::write(&file, wanted).expect("it can be written");
        return;
    }
    let found = std::fs::read_to_string(&file).unwrap_or_default();
    let differs = found.lines().zip(wanted.lines()).position(|(found, wanted)| found != wanted);
    assert!(
        found == wanted,
        "{path} is not current (first in line {}): run KEYLESS_GENERATE=1 cargo test --package keyless-ffi --test generated",
        differs.map_or(found.lines().count(), |line| line) + 1
    );
}

/// The parameters of a setter, how they become text, and what the documentation adds.
fn parameters(info: &OptionInfo) -> (String, String, &'static str, &'static str) {
    let name = info.name;
    match info.kind {
        Kind::Flag => (format!("{name}: bool"), format!("{name}.to_string()"), "", ""),
        Kind::Milliseconds { .. } => (format!("{name}_ms: u64"), format!("{name}_ms.to_string()"), "_ms", ""),
        Kind::AutoMilliseconds { .. } => (
            format!("{name}_ms: u64"),
            format!("auto_or({name}_ms)"),
            "_ms",
            " `UINT64_MAX` stands for `auto`.",
        ),
        Kind::Seconds { .. } => {
            (format!("{name}_ms: u64"), format!("seconds({name}_ms)"), "_ms", " Here in milliseconds.")
        }
        Kind::Integer { .. } => (format!("{name}: u64"), format!("{name}.to_string()"), "", ""),
        Kind::Ratio { .. } => (format!("{name}: f64"), format!("{name}.to_string()"), "", ""),
        _ => (
            format!("{name}: *const c_char,\n    {name}_length: usize"),
            format!("text({name}, {name}_length, \"{name}\")?.to_owned()"),
            "",
            "",
        ),
    }
}

fn setters() -> String {
    let mut code = "\
//! Generated from core's option table by `ffi/tests/generated.rs`: one typed setter per option.

use super::{auto_or, keyless_options, seconds, set};
use crate::boundary::text;
use crate::error::keyless_error;
use crate::status::keyless_status;
use std::ffi::c_char;
"
    .to_owned();
    for info in table().iter().filter(|info| matches!(info.effect, Effect::Used | Effect::NotInStrings(_))) {
        let (parameters, value, unit, added) = parameters(info);
        let adds = matches!(info.kind, Kind::Endpoint);
        let verb = if adds { "add" } else { "set" };
        let name = info.name;
        let _ = write!(
            code,
            "\n{documentation}\n#[unsafe(no_mangle)]\npub extern \"C\" fn keyless_options_{verb}_{name}{unit}(\n    \
             options: *mut keyless_options,\n    {parameters},\n    error: *mut *mut keyless_error,\n) -> \
             keyless_status {{\n    set(options, \"{name}\", || Ok({value}), error)\n}}\n",
            documentation = wrapped(&format!("{}{added}", info.documentation)),
        );
    }
    code
}

/// A documentation comment of lines that are not too long.
fn wrapped(text: &str) -> String {
    let mut lines = vec!["///".to_owned()];
    for word in text.split_whitespace() {
        let line = lines.last_mut().expect("there is one");
        if line.len() + word.len() >= 110 {
            lines.push(format!("/// {word}"));
        } else {
            line.push(' ');
            line.push_str(word);
        }
    }
    lines.join("\n")
}

fn formatted(code: &str) -> String {
    use std::io::Write as _;
    let mut rustfmt = std::process::Command::new("rustfmt")
        .args(["--edition", "2024", "--config-path"])
        .arg(root())
        .stdin(std::process::Stdio::piped())
        .stdout(std::process::Stdio::piped())
        .spawn()
        .expect("rustfmt");
    rustfmt.stdin.take().expect("a pipe").write_all(code.as_bytes()).expect("rustfmt reads");
    let output = rustfmt.wait_with_output().expect("rustfmt ends");
    assert!(output.status.success(), "rustfmt cannot read the setters");
    String::from_utf8(output.stdout).expect("text")
}

fn header() -> String {
    let root = root().join("ffi");
    let mut config = cbindgen::Config::from_file(root.join("cbindgen.toml")).expect("a configuration");
    config.header = Some(PREAMBLE.trim_end().to_owned());
    let mut out = Vec::new();
    cbindgen::Builder::new()
        .with_crate(root)
        .with_config(config)
        .generate()
        .expect("a header")
        .write(&mut out);
    String::from_utf8(out).expect("text")
}

/// The functions of a header.
fn symbols(header: &str) -> String {
    let mut names: Vec<&str> = header
        .lines()
        .filter(|line| !line.starts_with([' ', '/', '#', '*']) && line.contains('('))
        .filter_map(|line| line.split('(').next()?.rsplit([' ', '*']).next())
        .filter(|name| name.starts_with("keyless_"))
        .collect();
    names.sort_unstable();
    names.dedup();
    names.join("\n") + "\n"
}

#[test]
fn what_is_generated_is_current() {
    // In this order: each is made from the one before.
    check("ffi/src/options/setters.rs", &formatted(&setters()));
    let header = header();
    check("include/keyless.h", &header);
    check("ffi/symbols.txt", &symbols(&header));
}
