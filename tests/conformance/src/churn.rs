//! Subscriptions that come and go without a pause: each must hold from its confirmation on.

use keyless::redis::cmd;
use keyless::{Client, Delivery, SubscriberOptions};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use tokio::task::JoinHandle;
use tokio::time::timeout;

/// Workers under way.
pub struct Churn {
    stop: Arc<AtomicBool>,
    workers: Vec<JoinHandle<u64>>,
}

impl Churn {
    /// Starts workers that subscribe to a new channel, publish five messages to it, and check that each arrives.
    pub fn start(sender: &Client, listener: &Client, workers: usize) -> Self {
        let stop = Arc::new(AtomicBool::new(false));
        let workers = (0..workers)
            .map(|worker| tokio::spawn(churn(sender.clone(), listener.clone(), worker, Arc::clone(&stop))))
            .collect();
        Self { stop, workers }
    }

    /// Ends them; says how many subscriptions there were.
    ///
    /// # Panics
    /// When a message was lost, came twice or came out of order.
    pub async fn stop(self) -> u64 {
        self.stop.store(true, Ordering::Relaxed);
        let mut rounds = 0;
        for worker in self.workers {
            rounds += timeout(super::SOON, worker).await.expect("an end in time").expect("no loss");
        }
        rounds
    }
}

async fn churn(sender: Client, listener: Client, worker: usize, stop: Arc<AtomicBool>) -> u64 {
    let mut rounds = 0_u64;
    while !stop.load(Ordering::Relaxed) {
        let channel = format!("{worker}:{rounds}");
        let mut subscriber = listener.subscriber(SubscriberOptions::default());
        subscriber.subscribe(&[&channel]).await.expect("a confirmation");
        for number in 0..5 {
            let () = sender.execute(cmd("PUBLISH").arg(&channel).arg(number)).await.expect("a reply");
        }
        for expected in 0..5 {
            let delivery = timeout(super::SOON, subscriber.next()).await.expect("a delivery in time");
            let Ok(Delivery::Message(message)) = delivery else { panic!("{channel}: {delivery:?}") };
            assert_eq!(message.payload, expected.to_string(), "{channel}");
        }
        rounds += 1;
    }
    rounds
}
