//! What every fault begins with: an emulator, a client of it, and how long the run may be.

use keyless::{Client, Options};
use keyless_conformance::{Events, client_secret, options};
use keyless_emulator::{Emulator, EmulatorOptions};
use std::future::Future;
use std::time::Duration;

/// Lines of `redis.conf` for a server that forgets nothing that it has acknowledged.
pub const DURABLE: &str = "appendonly yes\nappendfsync always\nauto-aof-rewrite-percentage 0\n";

/// How long a run may be.
#[derive(Clone, Copy, Debug)]
pub struct Scale {
    /// The long form.
    pub soak: bool,
}

impl Scale {
    /// As the environment says: `KEYLESS_SOAK=1` asks for the long forms.
    pub fn from_env() -> Self {
        Self { soak: std::env::var("KEYLESS_SOAK").is_ok_and(|value| value == "1") }
    }

    /// The short or the long number.
    pub fn times(self, short: u64, long: u64) -> u64 {
        if self.soak { long } else { short }
    }
}

/// An emulator and a client of it.
pub struct Rig {
    /// The emulator.
    pub emulator: Emulator,
    /// The client.
    pub client: Client,
    /// The client's events.
    pub events: Events,
}

impl Rig {
    /// Starts an emulator with tokens of an hour and connects with its service principal.
    pub async fn new(
        change: impl FnOnce(&mut EmulatorOptions),
        with: impl FnOnce(Options) -> Options,
    ) -> Self {
        let mut wanted = EmulatorOptions::default();
        change(&mut wanted);
        let emulator = Emulator::start(wanted).await.expect("the emulator");
        let options = with(options(&emulator).with_command_timeout(Duration::from_secs(2)));
        let client = Client::connect_as(&options, client_secret(&emulator)).await.expect("a client");
        let events = Events::of(&client);
        Self { emulator, client, events }
    }

    /// As [`Rig::new`], with everything as it comes.
    pub async fn plain() -> Self {
        Self::new(|_| {}, |options| options).await
    }

    /// Does something with the emulator that blocks.
    pub fn block<T>(&self, work: impl FnOnce(&Emulator) -> T) -> T {
        tokio::task::block_in_place(|| work(&self.emulator))
    }

    /// Sends a command to the server itself, past the gateway.
    pub async fn direct(&self, command: &[&str]) -> String {
        let reply = self.emulator.cluster().command(self.emulator.port(), command).await.expect("a reply");
        reply.text().unwrap_or_else(|| format!("{reply:?}"))
    }
}

/// Waits for something that must happen, and says what it was if it does not.
pub async fn soon<T>(what: &str, future: impl Future<Output = T>) -> T {
    tokio::time::timeout(keyless_conformance::SOON, future)
        .await
        .unwrap_or_else(|_| panic!("not in time: {what}"))
}
