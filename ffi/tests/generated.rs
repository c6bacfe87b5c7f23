//! What is generated is current: the typed setters from core's option table, in Rust and in C++, the header from the
//! entry points, the list of symbols from the header. `KEYLESS_GENERATE=1 cargo test --package keyless-ffi --test generated` writes
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

/// The same for C++: per option a setter that throws and one that does not.
fn cpp_setters() -> String {
    let mut code = "\
// Generated from core's option table by ffi/tests/generated.rs; do not change it here.

/**
 * @file
 * The typed setters of keyless::Options.
 *
 * Each has a form that throws keyless::Error (code KEYLESS_INVALID_OPTION, and nothing changes then) and gives the
 * options again, and a form with std::nothrow that gives a Result<void>.
 */

#ifndef KEYLESS_OPTION_SETTERS_HPP
#define KEYLESS_OPTION_SETTERS_HPP

#include \"error.hpp\"

#include <chrono>
#include <cstdint>
#include <new>
#include <optional>
#include <string_view>

namespace keyless {

/** The typed setters, for Options to inherit. One thread at a time may use them. */
template <typename Derived>
class OptionSetters {
public:
"
    .to_owned();
    for info in table().iter().filter(|info| matches!(info.effect, Effect::Used | Effect::NotInStrings(_))) {
        let verb = if matches!(info.kind, Kind::Endpoint) { "add" } else { "set" };
        let name = info.name;
        let unit = parameters(info).2;
        let (unit, added) = match info.kind {
            Kind::AutoMilliseconds { .. } => ("_ms", " std::nullopt stands for `auto`."),
            Kind::Seconds { .. } => ("_ms", ""),
            _ => (unit, ""),
        };
        let (kind, passed) = match info.kind {
            Kind::Flag => ("bool", "value"),
            Kind::Milliseconds { .. } | Kind::Seconds { .. } => {
                ("std::chrono::milliseconds", "detail::milliseconds(value)")
            }
            Kind::AutoMilliseconds { .. } => (
                "std::optional<std::chrono::milliseconds>",
                "value ? detail::milliseconds(*value) : UINT64_MAX",
            ),
            Kind::Integer { .. } => ("std::uint64_t", "value"),
            Kind::Ratio { .. } => ("double", "value"),
            _ => ("std::string_view", "detail::text(value), value.size()"),
        };
        // The type has its unit.
        let documentation =
            info.documentation.replace(", in milliseconds", "").replace(", in seconds", "").replace('`', "");
        let documentation = wrapped_as(" *", &format!("{documentation}{added}"));
        let method = if verb == "add" { "add_endpoint" } else { name };
        if kind == "bool" {
            // Any text would be true.
            let _ = write!(code, "    Derived &{method}(const char *) = delete;\n\n");
        }
        let _ = write!(
            code,
            "    /**\n{documentation}\n     */\n    Derived &{method}({kind} value) {{\n        {method}(std::nothrow, \
             value).value();\n        return static_cast<Derived &>(*this);\n    }}\n\n    /** The same, without \
             exceptions. */\n    Result<void> {method}(std::nothrow_t, {kind} value) {{\n        keyless_error *error \
             = nullptr;\n        keyless_options_{verb}_{name}{unit}(static_cast<Derived *>(this)->handle(), {passed}, \
             &error);\n        return detail::outcome(error);\n    }}\n\n",
            documentation =
                documentation.lines().map(|line| format!("    {line}")).collect::<Vec<_>>().join("\n"),
        );
    }
    code.truncate(code.trim_end().len());
    code + "\n};\n\n} // namespace keyless\n\n#endif\n"
}

/// A documentation comment of lines that are not too long.
fn wrapped(text: &str) -> String {
    wrapped_as("///", text)
}

fn wrapped_as(begin: &str, text: &str) -> String {
    let mut lines = vec![begin.to_owned()];
    for word in text.split_whitespace() {
        let line = lines.last_mut().expect("there is one");
        if line.len() + word.len() >= 110 {
            lines.push(format!("{begin} {word}"));
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
    check("include/keyless/option_setters.hpp", &cpp_setters());
    let header = header();
    check("include/keyless.h", &header);
    check("ffi/symbols.txt", &symbols(&header));
}
