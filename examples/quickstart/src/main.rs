//! The console sample: signs in to a cache, writes and reads a key every second, and shows how the token is
//! replaced and the connection signed in again meanwhile.
//!
//! What can be said on the command line is in `args`, the seven ways to sign in are in `sign_in`, the traffic
//! is in `run`, what is printed meanwhile in `console`, and the table at the end in `summary`.

#![forbid(unsafe_code)]

mod args;
mod ask;
mod console;
mod run;
mod sign_in;
mod summary;

use args::Args;
use clap::Parser;
use console::Console;
use keyless::event::EventMask;
use keyless::token::TokenSource;
use keyless::{Client, Identity};
use std::error::Error;
use std::io::IsTerminal;
use std::process::ExitCode;
use std::sync::Arc;
use summary::{Counts, Summary};

#[tokio::main(worker_threads = 2)]
async fn main() -> ExitCode {
    // The library's own log lines say the same as the events below: shown on request (RUST_LOG=keyless=debug).
    tracing_subscriber::fmt()
        .with_env_filter(tracing_subscriber::EnvFilter::from_default_env())
        .with_writer(std::io::stderr)
        .with_ansi(std::io::stderr().is_terminal())
        .init();
    match start(Args::parse()).await {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => {
            eprintln!("Error: {error}");
            ExitCode::FAILURE
        }
    }
}

/// Runs the sample; whether everything went as it should.
async fn start(args: Args) -> Result<bool, Box<dyn Error>> {
    // From here on Ctrl-C and SIGTERM end the sample in good order.
    let stop = run::stop_signals(args.seconds)?;
    let console = Arc::new(Console::default());
    let counts = Arc::new(Counts::default());
    let sign_in = sign_in::resolve(&args)?;
    for warning in sign_in.options.warnings() {
        console.line(&format!("Warning: {warning}"));
    }
    console.line(&format!("Signing in to {} by {} ...", sign_in.options, sign_in.method));

    // The source is made here rather than by the client, so that its first token is heard of as well.
    let hear = console::handler(&console, &counts);
    let identity = match sign_in.identity {
        Identity::Credential(credential) => {
            let source = TokenSource::new(credential, sign_in.options.token_source_options())?;
            source.on_event(EventMask::TOKEN, Arc::clone(&hear));
            Identity::TokenSource(source)
        }
        identity => identity,
    };
    let client = tokio::select! {
        client = Client::connect_as(&sign_in.options, identity) => client?,
        () = stop.wait() => return Ok(false),
    };
    client.on_event(EventMask::from_bits(!EventMask::TOKEN.bits()), hear);
    match client.last_error() {
        None => console.line(&format!("Connected to {}. Ctrl-C ends.", client.endpoint())),
        Some(error) => console.line(&format!("Not connected yet, attempts go on: {error}")),
    }

    let latency = run::traffic(&client, &args, &stop, &console, &counts).await;
    let stats = client.stats();
    client.close().await;
    let summary = Summary { counts: &counts, stats, latency };
    console.line(&format!("\n{}", summary.table()));
    Ok(summary.verdict(args.expect_refresh).inspect_err(|why| eprintln!("Failed: {why}")).is_ok())
}
