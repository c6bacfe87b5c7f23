//! What `include/keyless.h` declares, read from its text.

use crate::root;

/// The text of the header.
pub fn text() -> String {
    std::fs::read_to_string(root().join("include/keyless.h")).expect("the header")
}

/// A function.
#[derive(Clone, Debug)]
pub struct Function {
    /// Its name.
    pub name: String,
    /// What it returns, such as `const char *`.
    pub returns: String,
    /// Types and names of its parameters.
    pub parameters: Vec<(String, String)>,
}

/// The header without comments and lines for the preprocessor.
fn plain(header: &str) -> String {
    let mut plain = String::new();
    let mut rest = header;
    while let Some((before, after)) = rest.split_once("/*") {
        plain.push_str(before);
        rest = after.split_once("*/").expect("comments end").1;
    }
    plain.push_str(rest);
    plain.lines().filter(|line| !line.starts_with('#')).collect::<Vec<_>>().join("\n")
}

/// `const char *const *argv` as type and name.
fn declared(text: &str) -> (String, String) {
    let text = text.split_whitespace().collect::<Vec<_>>().join(" ");
    let start = text.rfind([' ', '*']).map_or(0, |at| at + 1);
    (text[..start].trim().to_owned(), text[start..].to_owned())
}

/// All functions, in the order of the header.
pub fn functions(header: &str) -> Vec<Function> {
    let plain = plain(header);
    plain
        .split(';')
        .map(|statement| statement.rsplit(['{', '}']).next().unwrap_or_default())
        .filter(|statement| !statement.contains("typedef") && !statement.contains("(*"))
        .filter_map(|statement| {
            let (head, parameters) = statement.split_once('(')?;
            let (returns, name) = declared(head);
            let parameters = parameters.trim_end().strip_suffix(')')?;
            let parameters = parameters.split(',').filter(|one| one.trim() != "void").map(declared).collect();
            Some(Function { name, returns, parameters })
        })
        .filter(|function| function.name.starts_with("keyless_"))
        .collect()
}

/// Lines that declare something to users, with the line before each: what has no documentation ends no comment there.
pub fn undocumented(header: &str) -> Vec<String> {
    let mut missing = Vec::new();
    let (mut before, mut inside, mut comment) = ("", false, false);
    for line in header.lines() {
        let starts = line.trim_start();
        comment |= starts.starts_with("/*");
        if comment {
            comment = !line.trim_end().ends_with("*/");
            before = line;
            continue;
        }
        let member = inside && line.starts_with("    ") && !line.starts_with("     ");
        let constant = line.starts_with("#define KEYLESS_") && line != "#define KEYLESS_H";
        let item = constant
            || line.starts_with("typedef ")
            || (line.contains("keyless_") && !line.starts_with([' ', '}']));
        if (member || item) && !before.trim_end().ends_with("*/") {
            missing.push(line.to_owned());
        }
        inside = (inside || line.ends_with('{') && line.starts_with("typedef")) && !line.starts_with('}');
        before = line;
    }
    missing
}
