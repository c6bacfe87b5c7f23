//! Every program in C and C++ that README.md prints compiles as printed, without a warning, and runs.

use keyless_native::{Build, command, emulator, programs, root, run};
use std::time::Duration;

/// The blocks of a language, in order.
fn blocks(language: &str) -> Vec<String> {
    let readme = std::fs::read_to_string(root().join("README.md")).expect("README.md");
    let opening = format!("```{language}\n");
    let mut rest = format!("\n{readme}");
    let mut found = Vec::new();
    while let Some((_, after)) = rest.split_once(&format!("\n{opening}")) {
        let (block, after) = after.split_once("\n```\n").expect("the block ends");
        found.push(format!("{block}\n"));
        rest = format!("\n{after}");
    }
    found
}

fn compile_and_run(language: &str) {
    let blocks = blocks(language);
    assert!(!blocks.is_empty(), "README.md has no program in {language}");
    let emulator = emulator(Duration::from_hours(1));
    for (number, block) in blocks.iter().enumerate() {
        let lines = block.lines().count();
        assert!(lines <= 40, "the program in {language} has {lines} lines");
        let source = programs().join(format!("readme{number}.{language}"));
        std::fs::write(&source, block).expect("it can be written");
        let program = Build::default().compile(source.to_str().expect("a path in UTF-8"));
        let printed = run(command(&program, &emulator));
        assert!(printed.contains("hello"), "{printed}");
    }
}

#[test]
fn the_program_in_c_compiles_and_runs_as_printed() {
    compile_and_run("c");
}

#[test]
fn the_program_in_cpp_compiles_and_runs_as_printed() {
    compile_and_run("cpp");
}
