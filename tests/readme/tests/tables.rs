//! The README's tables agree with the code.

use keyless::credential::kinds;
use keyless::options::{Effect, table};
use keyless::stats::METRICS;
use keyless::{Error, ErrorCode};

const README: &str = include_str!("../../../README.md");
const ARGS: &str = include_str!("../../../examples/quickstart/src/args.rs");

/// The rows of the table under a heading, cells without blanks and backticks.
fn rows(heading: &str) -> Vec<Vec<String>> {
    let section = README.split(&format!("\n## {heading}\n")).nth(1).expect(heading);
    let section = section.split("\n## ").next().expect("text");
    section
        .lines()
        .filter(|line| line.starts_with('|'))
        .skip(2)
        .map(|line| {
            let line = line.trim_matches('|');
            line.split('|').map(|cell| cell.trim().trim_matches('`').to_owned()).collect()
        })
        .collect()
}

#[test]
fn options_have_the_names_and_defaults_that_the_readme_tells() {
    let rows = rows("Options");
    assert!(rows.len() > 5);
    for row in rows {
        let [name, in_string, default, what] = &row[..] else { panic!("four cells: {row:?}") };
        let info = table().iter().find(|info| info.name == name);
        let info = info.unwrap_or_else(|| panic!("README.md names an option {name} that does not exist"));
        assert!(matches!(info.effect, Effect::Used), "{name}");
        assert!(info.connection_string.contains(&in_string.as_str()), "{name} is not {in_string} in strings");
        let known = info.default().unwrap_or_default();
        assert_eq!(&known, default, "the default of {name} in README.md");
        assert!(!what.is_empty(), "{name}");
    }
}

/// The names that clap makes of the variants of `Method`.
#[test]
fn the_ways_to_sign_in_are_those_of_the_quickstart() {
    let variants = ARGS.split("pub(crate) enum Method {").nth(1).expect("the enum");
    let variants = variants.split('}').next().expect("its end");
    let known: Vec<String> = variants
        .lines()
        .filter_map(|line| line.trim().strip_suffix(','))
        .filter(|line| !line.starts_with("//"))
        .map(|name| {
            let mut kebab = String::new();
            for letter in name.chars() {
                if letter.is_uppercase() && !kebab.is_empty() {
                    kebab.push('-');
                }
                kebab.extend(letter.to_lowercase());
            }
            kebab
        })
        .collect();
    let told: Vec<String> = rows("Ways to sign in").into_iter().map(|mut row| row.remove(0)).collect();
    assert_eq!(told, known);
}

/// A kind's row: its name, its own options (a star where required), what it is.
#[test]
fn credentials_are_those_of_the_library() {
    const COMMON: [&str; 6] = [
        "authority_host",
        "ca_file",
        "ca_certificates",
        "connect_timeout",
        "metadata_host",
        "arc_token_directory",
    ];
    let known: Vec<_> = kinds()
        .iter()
        .map(|kind| {
            let own = kind.options.iter().filter(|option| !COMMON.contains(&option.name));
            let own = own.map(|option| {
                let star = if option.required { "*" } else { "" };
                let variable =
                    option.environment.map(|variable| format!(" ({variable})")).unwrap_or_default();
                format!("{}{star}{variable}", option.name)
            });
            vec![kind.name.to_owned(), own.collect::<Vec<_>>().join(", "), kind.summary.to_owned()]
        })
        .collect();
    // Written as the table has to be, to be taken over when something has changed.
    for row in &known {
        let options: Vec<_> = row[1].split(", ").filter(|option| !option.is_empty()).collect();
        let options: Vec<_> = options
            .iter()
            .map(|option| match option.split_once(" (") {
                Some((name, variable)) => format!("`{name}` (`{}`)", variable.trim_end_matches(')')),
                None => format!("`{option}`"),
            })
            .collect();
        println!("| `{}` | {} | {} |", row[0], options.join(", "), row[2]);
    }
    let told: Vec<Vec<String>> = rows("Credentials")
        .into_iter()
        .map(|row| {
            row.into_iter()
                .enumerate()
                .map(|(cell, text)| if cell == 1 { text.replace('`', "") } else { text })
                .collect()
        })
        .collect();
    assert_eq!(told, known);
}

#[test]
fn events_are_those_of_the_library() {
    let source = include_str!("../../../core/src/event/mod.rs");
    let events = source.split("pub enum Event {").nth(1).expect("the enum");
    let events = events.split("\n}").next().expect("its end");
    let known: Vec<_> =
        events.lines().filter_map(|line| line.strip_prefix("    ")?.strip_suffix(" {")).collect();
    let told: Vec<String> = rows("Events").into_iter().map(|mut row| row.remove(0)).collect();
    assert_eq!(told, known);
}

#[test]
fn metrics_are_those_of_the_library() {
    let told: Vec<_> = rows("Figures").into_iter().map(|row| row[..3].join(" ")).collect();
    let known: Vec<_> = METRICS
        .iter()
        .map(|metric| format!("{} {} {}", metric.name, metric.kind.name(), metric.unit))
        .collect();
    assert_eq!(told, known);
}

#[test]
fn the_readme_explains_what_errors_of_the_server_say() {
    for reply in ["WRONGPASS x", "NOPERM x", "CROSSSLOT x", "MOVED 1 x"] {
        let error = Error::from_reply(reply);
        assert_ne!(error.code(), ErrorCode::Internal);
        assert!(!error.advice().is_empty(), "{reply}");
        assert!(README.contains(error.server_code().expect("a code")), "{reply}");
    }
}

/// Each text in the first column of the troubleshooting table, up to its first gap, is one that the library says.
#[test]
fn the_texts_of_the_troubleshooting_table_are_the_library_s() {
    let core = concat!(env!("CARGO_MANIFEST_DIR"), "/../../core/src");
    let mut said = String::new();
    let mut folders = vec![std::path::PathBuf::from(core)];
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(folder).expect("core/src").flatten() {
            match entry.path() {
                path if path.is_dir() => folders.push(path),
                path if path.extension().is_some_and(|extension| extension == "rs") => {
                    said.push_str(&std::fs::read_to_string(path).expect("a source file"));
                }
                _ => {}
            }
        }
    }
    for row in rows("Troubleshooting") {
        for (index, text) in row[0].split('`').enumerate() {
            let is_code = index % 2 == 0;
            let longest = text
                .split("...")
                .map(|part| part.trim_matches([' ', '(', ')']))
                .max_by_key(|part| part.len());
            let longest = longest.unwrap_or_default();
            if is_code && longest.len() > 2 {
                assert!(said.contains(longest), "no error of keyless says \"{longest}\"");
            }
        }
    }
}
