//! Runs every fault, one after the other, and prints one table: `cargo test --test faults -- reset` runs those whose
//! names contain the word, `KEYLESS_SOAK=1` the long forms.

use keyless_faults::kinds;
use keyless_faults::report::table;
use keyless_faults::rig::Scale;
use std::process::ExitCode;
use std::time::Instant;

#[tokio::main(flavor = "multi_thread", worker_threads = 2)]
async fn main() -> ExitCode {
    let scale = Scale::from_env();
    if kinds::names_child(scale).await || kinds::clock_child().await {
        return ExitCode::SUCCESS;
    }
    let words: Vec<String> = std::env::args().skip(1).filter(|word| !word.starts_with('-')).collect();
    let wanted = |name: &str| words.is_empty() || words.iter().any(|word| name.contains(word.as_str()));
    let (begun, mut rows, mut failed) = (Instant::now(), Vec::new(), 0);
    for (name, fault) in kinds::ALL.iter().filter(|(name, _)| wanted(name)) {
        let from = Instant::now();
        let verdict = match tokio::spawn(fault(scale)).await {
            Ok(row) => {
                let verdict = row.failure().map_or_else(|| "ok".to_owned(), |why| format!("FAILED ({why})"));
                rows.push((*name, row));
                verdict
            }
            Err(_) => "FAILED".to_owned(),
        };
        // As Rust's own test programs say it, for those who read their output.
        failed += usize::from(verdict != "ok");
        eprintln!("    {:.1} s", from.elapsed().as_secs_f64());
        println!("test {name} ... {verdict}");
    }
    println!("\n{}\n", table(&rows));
    let result = if failed == 0 { "ok" } else { "FAILED" };
    println!(
        "test result: {result}. {} passed; {failed} failed; 0 ignored; 0 measured; 0 filtered out; finished in {:.2}s",
        kinds::ALL.iter().filter(|(name, _)| wanted(name)).count() - failed,
        begun.elapsed().as_secs_f64()
    );
    ExitCode::from(u8::from(failed > 0))
}
