//! Subscriptions that outlive tokens and connections: what a subscriber holds, and the queue its messages
//! wait in. Which connection they come from is `connection`'s.

use crate::client::Client;
use crate::connection::check_lengths;
use crate::error::{Error, ErrorCode, Result};
use bytes::Bytes;
use parking_lot::Mutex;
use std::collections::VecDeque;
use std::future::poll_fn;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::task::{Context, Poll, Waker};
use std::time::Duration;

/// What kind of name is subscribed to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Kind {
    /// A channel (`SUBSCRIBE`).
    Channel,
    /// A pattern of channel names (`PSUBSCRIBE`).
    Pattern,
    /// A shard channel (`SSUBSCRIBE`, Redis 7).
    Shard,
}

impl Kind {
    pub(crate) const ALL: [Self; 3] = [Self::Channel, Self::Pattern, Self::Shard];

    pub(crate) fn subscribe(self) -> &'static str {
        match self {
            Self::Channel => "SUBSCRIBE",
            Self::Pattern => "PSUBSCRIBE",
            Self::Shard => "SSUBSCRIBE",
        }
    }

    pub(crate) fn unsubscribe(self) -> &'static str {
        match self {
            Self::Channel => "UNSUBSCRIBE",
            Self::Pattern => "PUNSUBSCRIBE",
            Self::Shard => "SUNSUBSCRIBE",
        }
    }
}

/// A published message.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Message {
    /// What it was subscribed by.
    pub kind: Kind,
    /// The pattern that matched, of a pattern subscription.
    pub pattern: Option<Bytes>,
    /// The channel it was published to.
    pub channel: Bytes,
    /// What was published.
    pub payload: Bytes,
}

/// What a subscriber gets.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Delivery {
    /// A message.
    Message(Message),
    /// There was no connection for so long: messages published meanwhile were not received.
    Gap(Duration),
    /// So many messages were dropped here, because the subscriber took them too slowly.
    Dropped(u64),
}

/// What happens when a subscriber is too slow for its queue.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Overflow {
    /// The oldest messages give way, and the subscriber is told how many. Default.
    #[default]
    DropOldest,
    /// The subscriber is cut off with an error.
    Disconnect,
}

/// How a subscriber is made.
#[derive(Clone, Copy, Debug)]
pub struct SubscriberOptions {
    /// How many messages may wait. Default 10,000.
    pub capacity: usize,
    /// What happens when there are more.
    pub overflow: Overflow,
}

impl Default for SubscriberOptions {
    fn default() -> Self {
        Self { capacity: 10_000, overflow: Overflow::default() }
    }
}

/// Where one subscriber's messages wait.
pub(crate) struct Queue {
    options: SubscriberOptions,
    state: Mutex<Waiting>,
    /// What all subscribers of the client have dropped.
    dropped_by_all: Arc<AtomicU64>,
}

#[derive(Default)]
struct Waiting {
    items: VecDeque<Delivery>,
    /// Dropped and not yet told.
    untold: u64,
    dropped: u64,
    ended: Option<Error>,
    waker: Option<Waker>,
}

impl Waiting {
    /// Drops the oldest message, if there is any. A gap is told however slow the subscriber is.
    fn drop_oldest(&mut self) -> bool {
        let Some(oldest) = self.items.iter().position(|item| matches!(item, Delivery::Message(_))) else {
            return false;
        };
        self.items.remove(oldest);
        self.merge_gaps(oldest);
        self.untold += 1;
        self.dropped += 1;
        true
    }

    /// Makes one gap of two with nothing between them, so that there are never many.
    fn merge_gaps(&mut self, second: usize) {
        if let Some(first) = second.checked_sub(1)
            && let Some(&Delivery::Gap(before)) = self.items.get(first)
            && let Some(Delivery::Gap(after)) = self.items.get_mut(second)
        {
            *after += before;
            self.items.remove(first);
        }
    }
}

impl Queue {
    pub(crate) fn new(options: SubscriberOptions, dropped_by_all: Arc<AtomicU64>) -> Arc<Self> {
        Arc::new(Self { options, state: Mutex::default(), dropped_by_all })
    }

    /// Adds a message; gives whom to wake.
    pub(crate) fn put(&self, message: Message) -> Option<Waker> {
        let mut state = self.state.lock();
        if state.ended.is_some() {
            return None;
        }
        if state.items.len() >= self.options.capacity.max(1) {
            match self.options.overflow {
                Overflow::DropOldest => {
                    if state.drop_oldest() {
                        self.dropped_by_all.fetch_add(1, Ordering::Relaxed);
                    }
                }
                Overflow::Disconnect => {
                    state.ended = Some(Error::new(
                        ErrorCode::BacklogFull,
                        format!("The subscriber was cut off: {} messages were waiting.", state.items.len()),
                        "Take messages faster, raise the subscriber's capacity, or let it drop the oldest.",
                    ));
                    return state.waker.take();
                }
            }
        }
        state.items.push_back(Delivery::Message(message));
        state.waker.take()
    }

    /// Tells of a time without connection.
    pub(crate) fn gap(&self, outage: Duration) -> Option<Waker> {
        let mut state = self.state.lock();
        state.items.push_back(Delivery::Gap(outage));
        let last = state.items.len() - 1;
        state.merge_gaps(last);
        state.waker.take()
    }

    /// Nothing comes any more.
    pub(crate) fn close(&self, error: Error) {
        let waker = {
            let mut state = self.state.lock();
            state.ended.get_or_insert(error);
            state.waker.take()
        };
        if let Some(waker) = waker {
            waker.wake();
        }
    }

    fn poll(&self, cx: &mut Context<'_>) -> Poll<Result<Delivery>> {
        let mut state = self.state.lock();
        if state.untold > 0 {
            return Poll::Ready(Ok(Delivery::Dropped(std::mem::take(&mut state.untold))));
        }
        if let Some(delivery) = state.items.pop_front() {
            return Poll::Ready(Ok(delivery));
        }
        if let Some(error) = &state.ended {
            return Poll::Ready(Err(error.clone()));
        }
        // Whoever only looks takes nobody's place.
        if !cx.waker().will_wake(Waker::noop()) {
            state.waker = Some(cx.waker().clone());
        }
        Poll::Pending
    }
}

/// Receives messages of any number of channels, patterns and shard channels.
///
/// Messages come over the client's shared connection. After a reconnect everything is subscribed again before
/// any command is sent, and a [`Delivery::Gap`] says that messages may have been missed; so does
/// [`Event::SubscriptionGap`](crate::event::Event::SubscriptionGap). Where the server speaks RESP2 subscriptions have a
/// connection of their own, which is replaced before its token ends without losing or repeating a message. Dropping
/// the subscriber ends its subscriptions.
pub struct Subscriber {
    client: Client,
    queue: Arc<Queue>,
}

impl Client {
    /// A subscriber without subscriptions yet.
    pub fn subscriber(&self, options: SubscriberOptions) -> Subscriber {
        let queue = Queue::new(options, self.messages_dropped());
        self.introduce(&queue);
        Subscriber { client: self.clone(), queue }
    }
}

impl Subscriber {
    /// Subscribes to channels and waits for the server's confirmation.
    ///
    /// # Errors
    /// The server's refusal ([`ErrorCode::NoPermission`] ...), [`ErrorCode::Timeout`] when no confirmation
    /// comes within `command_timeout` (the subscription stays wanted and is made as soon as it can be),
    /// [`ErrorCode::InvalidCommand`] for a name that is too long, [`ErrorCode::Closed`].
    pub async fn subscribe<N: AsRef<[u8]>>(&self, channels: &[N]) -> Result<()> {
        self.client.subscribe(Kind::Channel, names(channels)?, &self.queue).await
    }

    /// Subscribes to patterns such as `news.*`; see [`Subscriber::subscribe`].
    pub async fn psubscribe<N: AsRef<[u8]>>(&self, patterns: &[N]) -> Result<()> {
        self.client.subscribe(Kind::Pattern, names(patterns)?, &self.queue).await
    }

    /// Subscribes to shard channels; see [`Subscriber::subscribe`].
    pub async fn ssubscribe<N: AsRef<[u8]>>(&self, channels: &[N]) -> Result<()> {
        self.client.subscribe(Kind::Shard, names(channels)?, &self.queue).await
    }

    /// Ends the subscription to these names. Messages that wait already are still delivered.
    pub fn unsubscribe<N: AsRef<[u8]>>(&self, kind: Kind, of: &[N]) {
        // Names that cannot be subscribed to were not.
        if let Ok(names) = names(of) {
            self.client.unsubscribe(kind, Some(&names), &self.queue);
        }
    }

    /// The next message, gap or loss; waits for it.
    ///
    /// # Errors
    /// [`ErrorCode::Closed`] after the client was closed, [`ErrorCode::BacklogFull`] after this subscriber was
    /// cut off for being slow; what waited before is delivered first.
    pub async fn next(&mut self) -> Result<Delivery> {
        poll_fn(|cx| self.poll_next(cx)).await
    }

    /// The same for those who have no future to wait in: `Pending` if there is nothing now, and the waker is called
    /// when there is. One waker is kept, the last one. [`Waker::noop`] only looks.
    pub fn poll_next(&self, cx: &mut Context<'_>) -> Poll<Result<Delivery>> {
        self.queue.poll(cx)
    }

    /// How many messages this subscriber has lost by being slow.
    pub fn dropped(&self) -> u64 {
        self.queue.state.lock().dropped
    }
}

impl Drop for Subscriber {
    fn drop(&mut self) {
        for kind in Kind::ALL {
            self.client.unsubscribe(kind, None, &self.queue);
        }
    }
}

impl std::fmt::Debug for Subscriber {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let state = self.queue.state.lock();
        f.debug_struct("Subscriber")
            .field("waiting", &state.items.len())
            .field("dropped", &state.dropped)
            .finish_non_exhaustive()
    }
}

fn names<N: AsRef<[u8]>>(names: &[N]) -> Result<Vec<Bytes>> {
    check_lengths(names.iter().map(|name| name.as_ref().len()))?;
    Ok(names.iter().map(|name| Bytes::copy_from_slice(name.as_ref())).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn message(number: u8) -> Message {
        Message { kind: Kind::Channel, pattern: None, channel: "c".into(), payload: vec![number].into() }
    }

    fn queue(capacity: usize, overflow: Overflow) -> Arc<Queue> {
        Queue::new(SubscriberOptions { capacity, overflow }, Arc::default())
    }

    fn take(queue: &Queue) -> Poll<Result<Delivery>> {
        queue.poll(&mut Context::from_waker(Waker::noop()))
    }

    #[test]
    fn a_slow_subscriber_loses_the_oldest_and_is_told_how_many() {
        let queue = queue(2, Overflow::DropOldest);
        (0..5).for_each(|number| drop(queue.put(message(number))));
        assert!(matches!(take(&queue), Poll::Ready(Ok(Delivery::Dropped(3)))));
        assert_eq!(take(&queue).map(Result::unwrap), Poll::Ready(Delivery::Message(message(3))));
        assert_eq!(take(&queue).map(Result::unwrap), Poll::Ready(Delivery::Message(message(4))));
        assert!(take(&queue).is_pending());
    }

    #[test]
    fn gaps_are_told_to_a_slow_subscriber_too() {
        let queue = queue(2, Overflow::DropOldest);
        let second = Duration::from_secs(1);
        for number in 0..5 {
            drop(queue.put(message(number)));
            drop(queue.gap(second));
        }
        assert_eq!(queue.dropped_by_all.load(Ordering::Relaxed), 4);
        for expected in [
            Delivery::Dropped(4),
            Delivery::Gap(second * 4),
            Delivery::Message(message(4)),
            Delivery::Gap(second),
        ] {
            assert_eq!(take(&queue).map(Result::unwrap), Poll::Ready(expected));
        }
        assert!(take(&queue).is_pending());
    }

    #[test]
    fn a_slow_subscriber_is_cut_off_if_it_asked_for_that() {
        let queue = queue(1, Overflow::Disconnect);
        (0..3).for_each(|number| drop(queue.put(message(number))));
        assert_eq!(take(&queue).map(Result::unwrap), Poll::Ready(Delivery::Message(message(0))));
        assert!(matches!(take(&queue), Poll::Ready(Err(error)) if error.code() == ErrorCode::BacklogFull));
    }
}
