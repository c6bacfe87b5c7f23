//! `make bench-core`: the data path against the redis crate's multiplexed connection, in one alternating
//! run. Prints commands per second, processor seconds per million commands, and ratios.

mod load;
mod server;

use clap::Parser;
use keyless::{Client, Identity, Options};
use load::{Asker, Figure, Shape};
use redis::Cmd;
use redis::aio::MultiplexedConnection;
use server::Server;
use std::time::Duration;
use tokio::runtime::{Builder, Runtime};

/// Compare keyless with the redis crate.
#[derive(Parser)]
struct Args {
    /// Milliseconds per measurement.
    #[arg(long, default_value_t = 700)]
    time_ms: u64,
    /// Measurements of each client per row; the median is printed.
    #[arg(long, default_value_t = 5)]
    rounds: usize,
    /// Only these numbers of outstanding commands.
    #[arg(long, value_delimiter = ',', default_values_t = [1, 50, 1000])]
    outstanding: Vec<usize>,
    /// Only these value sizes, in bytes.
    #[arg(long, value_delimiter = ',', default_values_t = [100, 16384])]
    sizes: Vec<usize>,
    /// Only with (true) or without (false) TLS.
    #[arg(long)]
    tls: Option<bool>,
}

#[derive(Clone)]
struct Keyless(Client);

impl Asker for Keyless {
    async fn ask(&mut self, command: Cmd) {
        self.0.execute::<redis::Value>(&command).await.expect("keyless");
    }
}

#[derive(Clone)]
struct Multiplexed(MultiplexedConnection);

impl Asker for Multiplexed {
    async fn ask(&mut self, command: Cmd) {
        command.query_async::<redis::Value>(&mut self.0).await.expect("redis");
    }
}

fn runtime(workers: usize) -> Runtime {
    let mut builder = if workers == 1 { Builder::new_current_thread() } else { Builder::new_multi_thread() };
    if workers > 1 {
        builder.worker_threads(workers);
    }
    builder.enable_all().build().expect("a runtime")
}

async fn keyless(server: &Server, tls: bool) -> Client {
    let port = if tls { server.tls } else { server.plain };
    let options = Options::new(&format!("localhost:{port}"))
        .expect("an endpoint")
        .with_tls(tls)
        .with_ca_certificates(server.ca.clone().into_bytes());
    Client::connect_as(&options, Identity::AccessKey).await.expect("keyless connects")
}

async fn multiplexed(server: &Server, tls: bool) -> MultiplexedConnection {
    let (scheme, port) = if tls { ("rediss", server.tls) } else { ("redis", server.plain) };
    let address = format!("{scheme}://localhost:{port}/?protocol=resp3");
    let client = if tls {
        let certificates =
            redis::TlsCertificates { client_tls: None, root_cert: Some(server.ca.clone().into_bytes()) };
        redis::Client::build_with_tls(address, certificates)
    } else {
        redis::Client::open(address)
    };
    client.expect("an address").get_multiplexed_async_connection().await.expect("redis connects")
}

fn median(mut figures: Vec<Figure>) -> Figure {
    figures.sort_by(|a, b| a.rate.total_cmp(&b.rate));
    figures[figures.len() / 2]
}

fn row(server: &Server, tls: bool, shape: Shape, args: &Args) {
    let time = Duration::from_millis(args.time_ms);
    let (one, two) = (runtime(1), runtime(2));
    let mut figures: [Vec<Figure>; 5] = Default::default();
    let ours = one.block_on(keyless(server, tls));
    let theirs = one.block_on(multiplexed(server, tls));
    let theirs_two = two.block_on(multiplexed(server, tls));
    one.block_on(load::fill(&ours, shape.size));
    for round in 0..=args.rounds {
        let measured = [
            one.block_on(load::ask(Keyless(ours.clone()), shape, time)),
            one.block_on(load::ask(Multiplexed(theirs.clone()), shape, time)),
            two.block_on(load::ask(Keyless(ours.clone()), shape, time)),
            two.block_on(load::ask(Multiplexed(theirs_two.clone()), shape, time)),
            load::submit(&ours, shape, time),
        ];
        // The first round warms up.
        if round > 0 {
            figures.iter_mut().zip(measured).for_each(|(figures, figure)| figures.push(figure));
        }
    }
    one.block_on(ours.close());
    let [ours_one, theirs_one, ours_two, theirs_two, batch] = figures.map(median);
    let cell = |figure: Figure| format!("{:>8.1} k ({:>5.2})", figure.rate / 1000.0, figure.cpu);
    println!(
        "| {:<5} | {:>6} | {:>4} | {} | {} | {:>4.2} | {} | {} | {:>4.2} | {} | {:>4.2} |",
        if tls { "TLS" } else { "plain" },
        shape.size,
        shape.outstanding,
        cell(ours_one),
        cell(theirs_one),
        ours_one.rate / theirs_one.rate,
        cell(ours_two),
        cell(theirs_two),
        ours_two.rate / theirs_two.rate,
        cell(batch),
        batch.rate / theirs_one.rate.max(theirs_two.rate),
    );
}

fn main() {
    let args = Args::parse();
    rustls::crypto::aws_lc_rs::default_provider().install_default().expect("the first provider");
    let server = Server::start();
    println!(
        "80 % GET, 20 % SET, 10,000 keys. Commands per second (processor seconds of the client per million)."
    );
    println!("Medians of {} alternating measurements of {} ms.\n", args.rounds, args.time_ms);
    println!(
        "|       | value  | outst. | keyless, 1 thread | redis, 1 thread | ratio | keyless, 2 workers | redis, 2 workers | ratio | keyless batch | ratio to best |"
    );
    println!("| ----- | ------ | ---- | --- | --- | --- | --- | --- | --- | --- | --- |");
    for tls in [false, true] {
        if args.tls.is_some_and(|only| only != tls) {
            continue;
        }
        for &size in &args.sizes {
            for &outstanding in &args.outstanding {
                row(&server, tls, Shape { size, outstanding }, &args);
            }
        }
    }
}
