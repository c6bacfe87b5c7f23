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
    #[arg(long, default_value_t = 400)]
    time_ms: u64,
    /// Measurements of each client per row, in an order that turns round each time. Printed are the median
    /// of each and the median of the rounds' ratios.
    #[arg(long, default_value_t = 11)]
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
    /// Measures with this program instead: it gets the server's ports, the file with its authority, the number of
    /// rounds and the milliseconds.
    #[arg(long, value_name = "PROGRAM")]
    with: Option<std::path::PathBuf>,
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

fn median(mut figures: Vec<f64>) -> f64 {
    figures.sort_by(f64::total_cmp);
    figures[figures.len() / 2]
}

/// What one client did in each round.
#[derive(Default)]
struct Series(Vec<Figure>);

impl Series {
    fn cell(&self) -> String {
        let rate = median(self.0.iter().map(|figure| figure.rate).collect());
        let cpu = median(self.0.iter().map(|figure| figure.cpu).collect());
        format!("{:>8.1} k ({cpu:>5.2})", rate / 1000.0)
    }

    /// Round by round, since what disturbs a round disturbs both.
    fn ratio(&self, others: &[&Self]) -> f64 {
        let best = |round: usize| others.iter().map(|other| other.0[round].rate).fold(0.0, f64::max);
        median(self.0.iter().enumerate().map(|(round, figure)| figure.rate / best(round)).collect())
    }

    fn server(&self) -> f64 {
        100.0 * median(self.0.iter().map(|figure| figure.server).collect())
    }
}

fn row(server: &Server, tls: bool, shape: Shape, args: &Args) {
    let time = Duration::from_millis(args.time_ms);
    let (one, two) = (runtime(1), runtime(2));
    let ours = one.block_on(keyless(server, tls));
    let theirs = one.block_on(multiplexed(server, tls));
    let theirs_two = two.block_on(multiplexed(server, tls));
    one.block_on(load::fill(&ours, shape.size));
    let measure = |client: usize| {
        server.observe(|| match client {
            0 => one.block_on(load::ask(Keyless(ours.clone()), shape, time)),
            1 => one.block_on(load::ask(Multiplexed(theirs.clone()), shape, time)),
            2 => two.block_on(load::ask(Keyless(ours.clone()), shape, time)),
            3 => two.block_on(load::ask(Multiplexed(theirs_two.clone()), shape, time)),
            _ => load::submit(&ours, shape, time),
        })
    };
    let mut series: [Series; 5] = Default::default();
    for round in 0..=args.rounds {
        let mut order = [0, 1, 2, 3, 4];
        if round % 2 == 1 {
            order.reverse();
        }
        for client in order {
            let figure = measure(client);
            // The first round warms up.
            if round > 0 {
                series[client].0.push(figure);
            }
        }
    }
    one.block_on(ours.close());
    let [ours_one, theirs_one, ours_two, theirs_two, batch] = &series;
    println!(
        "| {:<5} | {:>6} | {:>4} | {} | {} | {:>4.2} | {} | {} | {:>4.2} | {} | {:>4.2} | {:>3.0} % |",
        if tls { "TLS" } else { "plain" },
        shape.size,
        shape.outstanding,
        ours_one.cell(),
        theirs_one.cell(),
        ours_one.ratio(&[theirs_one]),
        ours_two.cell(),
        theirs_two.cell(),
        ours_two.ratio(&[theirs_two]),
        batch.cell(),
        batch.ratio(&[theirs_one, theirs_two]),
        batch.server(),
    );
}

fn main() {
    let args = Args::parse();
    rustls::crypto::aws_lc_rs::default_provider().install_default().expect("the first provider");
    let server = Server::start();
    if let Some(program) = &args.with {
        let status = std::process::Command::new(program)
            .args([server.plain.to_string(), server.tls.to_string()])
            .arg(server.ca_file())
            .args([args.rounds.to_string(), args.time_ms.to_string()])
            .status()
            .expect("the program");
        assert!(status.success(), "{}: {status}", program.display());
        return;
    }
    println!(
        "80 % GET, 20 % SET, 10,000 keys. Commands per second (processor seconds of the client per million)."
    );
    println!("Medians of {} alternating measurements of {} ms.", args.rounds, args.time_ms);
    println!("Server: how busy its core was during the batches; near 100 % no client can be faster.\n");
    println!(
        "|       | value  | outst. | keyless, 1 thread | redis, 1 thread | ratio | keyless, 2 workers | redis, 2 workers | ratio | keyless batch | ratio to best | server |"
    );
    println!("| ----- | ------ | ---- | --- | --- | --- | --- | --- | --- | --- | --- | --- |");
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
