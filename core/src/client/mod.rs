//! What callers hold: a handle on one cache, cheap to clone, whose commands find a connection by
//! themselves. How connections come and go is `connection`'s.

mod connect;
mod identity;
mod pipeline;
mod raw;
mod scan;
mod waiter;

pub use identity::Identity;
pub use pipeline::Pipeline;
pub use scan::{Scan, ScanOptions};

use crate::connection::blocking::wait::For;
use crate::connection::blocking::{Answers, Call};
use crate::connection::cluster::Discovery;
use crate::connection::command::would_wait;
use crate::connection::decode::decode;
use crate::connection::node::{Node, State, Wish, closed, times};
use crate::connection::settings::{Settings, SignIn};
use crate::connection::supervisor::supervise;
use crate::connection::{Batch, CompletionSink};
use crate::error::{Error, ErrorCode, Result};
use crate::event::{EventHandler, EventHub, EventMask, HandlerId};
use crate::pubsub::{Kind, Queue};
use crate::runtime;
use crate::stats::Stats;
use crate::token::TokenSource;
use bytes::Bytes;
use redis::{Cmd, FromRedisValue, Value};
use std::cell::RefCell;
use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::time::{Duration, Instant, SystemTime};
use waiter::Waiter;

/// A client of one cache.
///
/// Clones share the connection. Every method may be called from any thread and any async runtime; the
/// connection itself lives on a thread of keyless. When the last clone is dropped the connection is closed
/// at once; [`Client::close`] finishes what is under way first.
#[derive(Clone)]
pub struct Client(Arc<Inner>);

struct Inner {
    /// The connection to the endpoint itself.
    node: Arc<Node>,
    /// The endpoint's nodes, if it has turned out to be a cluster.
    discovery: Arc<Discovery>,
    events: EventHub,
    /// Commands that the options forbid, in upper case.
    disabled: Vec<String>,
    /// The source whose events this client passes on, and the handler that does so.
    source: Option<(TokenSource, HandlerId)>,
    /// Messages that subscribers lost by being slow.
    messages_dropped: Arc<AtomicU64>,
}

impl Drop for Inner {
    fn drop(&mut self) {
        if let Some((source, handler)) = &self.source {
            source.events().remove(*handler);
        }
        self.stop();
    }
}

impl Inner {
    fn stop(&self) {
        self.node.wish(Wish::Stop);
        if let Some(cluster) = self.discovery.cluster() {
            cluster.close(Wish::Stop);
        }
    }
}

/// A node that serves keys.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct NodeInfo {
    /// `host:port`, as the node announces it.
    pub endpoint: Arc<str>,
    /// How many of a cluster's 16,384 slots it serves; `None` where the server is no cluster.
    pub slots: Option<usize>,
    /// Whether it is connected and signed in.
    pub ready: bool,
}

/// What became of a command that was handed over.
enum Sent {
    /// Its reply is to come.
    Waits(Waiter),
    /// Its reply was kept here.
    Known(Bytes),
}

thread_local! {
    /// Where this thread encodes its next command: saves an allocation per command.
    static ENCODER: RefCell<Batch> = RefCell::default();
}

/// Lends this thread's encoder, empty.
fn with_encoder<T>(work: impl FnOnce(&mut Batch) -> T) -> T {
    /// A huge command that was not taken must not pin its memory for ever.
    const KEPT_BYTES: usize = 4 << 20;
    ENCODER.with_borrow_mut(|batch| {
        batch.clear();
        let done = work(batch);
        if batch.bytes.capacity() > KEPT_BYTES {
            *batch = Batch::new();
        }
        done
    })
}

static NEXT_THREAD: AtomicUsize = AtomicUsize::new(0);

impl Client {
    /// Starts the connection and waits for the first attempt.
    async fn start(settings: Settings, disabled: Vec<String>, io_threads: usize) -> Result<Self> {
        let events = EventHub::new();
        let source = match &settings.sign_in {
            SignIn::Token(source) => {
                let hub = events.clone();
                let forward =
                    source.on_event(EventMask::ALL, Arc::new(move |event| hub.forward(event.clone())));
                Some((source.clone(), forward))
            }
            _ => None,
        };
        let thread =
            NEXT_THREAD.fetch_add(1, Ordering::Relaxed) % io_threads.clamp(1, runtime::MAX_IO_THREADS);
        let discovery = Arc::new(Discovery::new(thread));
        let connect_timeout = settings.connect_timeout;
        let node = Arc::new(Node::new(settings, events.clone()).with_discovery(Arc::clone(&discovery)));
        let inner = Inner {
            node: Arc::clone(&node),
            discovery: Arc::clone(&discovery),
            events,
            disabled,
            source,
            messages_dropped: Arc::default(),
        };
        let client = Self(Arc::new(inner));
        runtime::io(thread)?.spawn(supervise(Arc::clone(&node)));
        if let State::Closed(reason) = node.settled().await {
            return Err(reason);
        }
        if let Some(cluster) = discovery.cluster() {
            // Nodes that are slow or down go on in the background.
            let cluster = Arc::clone(cluster);
            let settled = async move {
                let _ = tokio::time::timeout(connect_timeout, cluster.settled()).await;
            };
            let _ = runtime::io(thread)?.spawn(settled).await;
        }
        Ok(client)
    }

    /// Sends one command and waits for its reply, converted to `T` as the redis crate does.
    ///
    /// With client-side caching (option `cache_size`) a read may be answered without asking the server: see
    /// README.md. Gives up after the option `command_timeout`. Dropping the future drops the wait, not the command.
    ///
    /// A command that waits on the server (`BLPOP`, `BRPOP`, `BLMOVE`, `BLMPOP`, `BRPOPLPUSH`, `BZPOPMIN`, `BZPOPMAX`,
    /// `BZMPOP`; `XREAD` and `XREADGROUP` with `BLOCK`) has a connection of its own meanwhile, out of the node's
    /// `blocking_connections`, and its time limit is its own timeout (0: none) with `command_timeout` on top. A long
    /// wait goes over the wire in slices, so that the connection can be signed in again between two of them; with each
    /// slice it joins the end of the server's queue of those who wait for the same key. `$` in `XREAD` is looked up
    /// once, with `XREVRANGE`.
    ///
    /// Dropping the future of such a command closes its connection at once. An element that the server took out before
    /// it noticed is lost with it, as are those that were on their way: within about the time of one round trip, or
    /// until TCP gives up where the network path is gone. Where that matters use `BLMOVE` or `XREADGROUP`, which leave
    /// the element in the cache. A connection that is lost while the server waits ends the call with
    /// [`ErrorCode::ConnectionLost`] and `maybe_executed`; only `XREAD` is asked again by itself.
    ///
    /// `WAIT` and `WAITAOF` are for the end of a [`Pipeline`].
    ///
    /// # Errors
    /// [`ErrorCode::InvalidCommand`] before anything is sent; [`ErrorCode::Server`],
    /// [`ErrorCode::NoPermission`] for error replies; [`ErrorCode::Timeout`], [`ErrorCode::ConnectionLost`],
    /// [`ErrorCode::NotConnected`], [`ErrorCode::BacklogFull`], [`ErrorCode::Closed`], or what keeps the
    /// connection from being made; [`ErrorCode::UnexpectedReply`] when the reply does not convert.
    pub async fn execute<T: FromRedisValue>(&self, command: &Cmd) -> Result<T> {
        if let Some(call) = Call::of(command) {
            if call.acknowledges() {
                return Err(would_wait(call.name(), For::Acknowledgements));
            }
            let answer = Box::pin(self.block(call)).await?.pop().unwrap_or_default();
            return convert(decode(&answer)?).inspect_err(|error| self.counted(error, 1));
        }
        let value = match self.send(|batch| batch.push_cmd(command), self.command_timeout())? {
            Sent::Waits(waiter) => decode(&waiter.await?)?,
            Sent::Known(reply) => {
                // A loop of reads that are answered here must let other tasks of its runtime run.
                tokio::task::coop::consume_budget().await;
                decode(&reply)?
            }
        };
        convert(value).inspect_err(|error| self.counted(error, 1))
    }

    /// Lets a command wait on a connection of its own, on the thread that has the timers.
    async fn block(&self, call: Call) -> Result<Answers> {
        call.check(&self.0.disabled)?;
        match self.0.discovery.cluster() {
            None => {
                let answers = Arc::clone(&self.0.node).block(call.clone()).await?;
                // Handed over before the endpoint was known to be a cluster.
                match self.0.discovery.cluster() {
                    Some(cluster) if answers.len() == 1 && answers[0].starts_with(b"-MOVED ") => {
                        cluster.block(call).await
                    }
                    _ => Ok(answers),
                }
            }
            Some(cluster) => cluster.block(call).await,
        }
    }

    /// Encodes one command and hands it over.
    fn send(&self, encode: impl FnOnce(&mut Batch) -> Result<()>, timeout: Duration) -> Result<Sent> {
        with_encoder(|batch| {
            encode(batch).inspect_err(|error| self.counted(error, 1))?;
            if let Some(reply) = self.recall(&batch.bytes) {
                return Ok(Sent::Known(reply));
            }
            let (waiter, sink) = Waiter::new();
            self.submit_within(batch, 0, sink, timeout)?;
            Ok(Sent::Waits(waiter))
        })
    }

    fn command_timeout(&self) -> Duration {
        self.0.node.settings.command_timeout
    }

    /// The reply to an encoded read, if client-side caching has it.
    ///
    /// For those who submit batches: what they submit is always sent. Of a batch of one command the reply is kept.
    pub fn recall(&self, request: &[u8]) -> Option<Bytes> {
        self.0.node.settings.cache?;
        match self.0.discovery.cluster() {
            None => self.0.node.recall(request),
            Some(cluster) => cluster.recall(request),
        }
    }

    /// Hands encoded commands over; their replies go to `sink`, tagged `first_tag`, `first_tag + 1`, ...
    ///
    /// Never blocks. The commands are sent as one contiguous piece. The batch is empty afterwards. Reads are sent
    /// even where client-side caching has their replies: see [`Client::recall`].
    ///
    /// # Errors
    /// [`ErrorCode::NotConnected`], [`ErrorCode::BacklogFull`] or [`ErrorCode::Closed`]: nothing was taken,
    /// the sink hears nothing, and the batch is as it was.
    pub fn submit(&self, batch: &mut Batch, first_tag: u64, sink: Arc<dyn CompletionSink>) -> Result<()> {
        self.submit_within(batch, first_tag, sink, self.0.node.settings.command_timeout)
    }

    /// As [`Client::submit`] with a time limit of its own instead of `command_timeout`.
    pub fn submit_within(
        &self,
        batch: &mut Batch,
        first_tag: u64,
        sink: Arc<dyn CompletionSink>,
        timeout: Duration,
    ) -> Result<()> {
        let count = batch.len();
        let handed_over = || {
            if !self.0.disabled.is_empty() {
                batch.check_disabled(&self.0.disabled)?;
            }
            match self.0.discovery.cluster() {
                None => self.0.node.submit(batch, first_tag, sink, timeout),
                Some(cluster) => cluster.submit(batch, first_tag, &sink, times(timeout)),
            }
        };
        match handed_over() {
            Ok(()) => {
                self.0.node.counters.submitted.fetch_add(count as u64, Ordering::Relaxed);
                Ok(())
            }
            Err(error) => {
                self.counted(&error, count);
                Err(error)
            }
        }
    }

    /// Calls `handler` for the events in `mask`: those of this client's connections and of its token source.
    ///
    /// Handlers run in order on a thread of their own; see [`EventHandler`].
    pub fn on_event(&self, mask: EventMask, handler: EventHandler) -> HandlerId {
        self.0.events.add(mask, handler)
    }

    /// Removes a handler; `false` if there is none of this id.
    pub fn remove_handler(&self, id: HandlerId) -> bool {
        self.0.events.remove(id)
    }

    /// Whether there is a signed-in connection now.
    pub fn is_ready(&self) -> bool {
        match self.0.discovery.cluster() {
            None => matches!(self.0.node.state(), State::Ready),
            Some(cluster) => cluster.is_ready(),
        }
    }

    /// Why there is no connection now; `None` while there is one or the first one is being made.
    pub fn last_error(&self) -> Option<Error> {
        match self.0.node.state() {
            State::Lost(error) | State::Closed(error) => Some(error),
            State::Connecting | State::Ready => None,
        }
    }

    /// `host:port` of the cache.
    pub fn endpoint(&self) -> &str {
        self.0.node.settings.label()
    }

    /// The endpoint's own connection and the nodes of the cluster, if it is one.
    fn all_nodes(&self) -> impl Iterator<Item = Arc<Node>> {
        let nodes = self.0.discovery.cluster().map(|cluster| cluster.nodes()).unwrap_or_default();
        std::iter::once(Arc::clone(&self.0.node)).chain(nodes)
    }

    /// The nodes that serve keys now: one entry for a single server, one per primary for a cluster.
    pub fn nodes(&self) -> Vec<NodeInfo> {
        let Some(cluster) = self.0.discovery.cluster() else {
            let node = &self.0.node;
            return vec![NodeInfo {
                endpoint: Arc::clone(node.settings.label()),
                slots: None,
                ready: matches!(node.state(), State::Ready),
            }];
        };
        let info = |(_, node, slots): (_, Arc<Node>, usize)| NodeInfo {
            endpoint: Arc::clone(node.settings.label()),
            slots: Some(slots),
            ready: matches!(node.state(), State::Ready),
        };
        cluster.primaries().into_iter().map(info).collect()
    }

    /// Sends one command to one node, by its `host:port` as [`Client::nodes`] gives it: for what is asked of
    /// a single node, such as `INFO` or `SLOWLOG GET`.
    ///
    /// # Errors
    /// [`ErrorCode::InvalidEndpoint`] when there is no such node, otherwise as [`Client::execute`].
    pub async fn execute_on<T: FromRedisValue>(&self, endpoint: &str, command: &Cmd) -> Result<T> {
        let mut batch = Batch::new();
        batch.push_cmd(command)?;
        let node = self.node_at(endpoint)?;
        convert(decode(&self.ask_node(&node, batch, self.command_timeout()).await?)?)
    }

    fn node_at(&self, endpoint: &str) -> Result<Arc<Node>> {
        self.all_nodes().find(|node| &**node.settings.label() == endpoint).ok_or_else(|| {
            let known: Vec<_> = self.nodes().iter().map(|node| node.endpoint.to_string()).collect();
            Error::new(
                ErrorCode::InvalidEndpoint,
                format!("There is no node {endpoint} now; there are: {}.", known.join(", ")),
                "Ask Client::nodes for the nodes: they change.",
            )
        })
    }

    /// Sends one command to one node, wherever its keys are; the reply is one whole frame.
    async fn ask_node(&self, node: &Node, mut batch: Batch, timeout: Duration) -> Result<Bytes> {
        let (waiter, sink) = Waiter::new();
        if !self.0.disabled.is_empty() {
            batch.check_disabled(&self.0.disabled)?;
        }
        batch.pinned = true;
        node.submit(&mut batch, 0, sink, timeout)?;
        waiter.await
    }

    /// The source of this client's tokens; `None` with an access key.
    pub fn token_source(&self) -> Option<&TokenSource> {
        self.0.source.as_ref().map(|(source, _)| source)
    }

    /// Figures since the client was made, and how things stand now.
    pub fn stats(&self) -> Stats {
        let node = &self.0.node;
        let mut stats = Stats { endpoint: Arc::clone(node.settings.label()), ..Stats::default() };
        node.counters.fill(&mut stats);
        for node in self.all_nodes() {
            stats.add(node.figures());
            let (entries, bytes) = node.cache_size();
            stats.cache.entries += entries;
            stats.cache.bytes += bytes;
        }
        stats.messages_dropped = self.0.messages_dropped.load(Ordering::Relaxed);
        stats.events_dropped = self.0.events.dropped();
        if let Some((source, _)) = &self.0.source {
            source.state().fill(&mut stats, SystemTime::now());
        }
        stats
    }

    /// Counts commands that ended in an error which nobody else has seen.
    fn counted(&self, error: &Error, count: usize) {
        self.0.node.counters.error(error.code(), count);
    }

    /// Subscribes a queue, on the thread that has the timers; see [`crate::Subscriber::subscribe`].
    pub(crate) async fn subscribe(&self, kind: Kind, names: Vec<Bytes>, queue: &Arc<Queue>) -> Result<()> {
        let (node, discovery) = (Arc::clone(&self.0.node), Arc::clone(&self.0.discovery));
        let queue = Arc::clone(queue);
        let work = async move {
            match kind {
                Kind::Shard => discovery.subscribe_shards(&node, names, &queue).await,
                _ => node.subscribe(kind, names, queue).await,
            }
        };
        runtime::io(0)?.spawn(work).await.unwrap_or_else(|_| Err(gone()))
    }

    /// Where its subscribers count what they lose.
    pub(crate) fn messages_dropped(&self) -> Arc<AtomicU64> {
        Arc::clone(&self.0.messages_dropped)
    }

    /// Arranges that a queue is closed when this client is.
    pub(crate) fn introduce(&self, queue: &Arc<Queue>) {
        self.0.node.subscriptions.introduce(queue);
    }

    /// Ends a queue's subscriptions.
    pub(crate) fn unsubscribe(&self, kind: Kind, names: Option<&[Bytes]>, queue: &Arc<Queue>) {
        match kind {
            Kind::Shard => self.0.discovery.unsubscribe_shards(&self.0.node, names, queue),
            _ => self.0.node.unsubscribe(kind, names, queue),
        }
    }

    /// Closes the connection at once, as dropping the last clone does: what is not answered fails with
    /// [`ErrorCode::Closed`]. Does not wait for that.
    pub fn stop(&self) {
        self.0.stop();
    }

    /// Takes no more commands, finishes those that were handed over, and closes the connection.
    ///
    /// Waits for `command_timeout` at the most; what is not answered then fails with [`ErrorCode::Closed`].
    /// All clones are closed. Closing twice does no harm.
    pub async fn close(&self) {
        let node = &self.0.node;
        let finish = Wish::Finish(Instant::now() + node.settings.command_timeout);
        if !matches!(node.state(), State::Closed(_)) {
            node.wish(finish);
        }
        if let Some(cluster) = self.0.discovery.cluster() {
            cluster.close(finish);
            cluster.closed().await;
        }
        node.closed().await;
    }
}

impl fmt::Debug for Client {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Client")
            .field("endpoint", &self.endpoint())
            .field("ready", &self.is_ready())
            .field("stats", &self.stats())
            .finish_non_exhaustive()
    }
}

/// The value as the caller's type.
fn convert<T: FromRedisValue>(value: Value) -> Result<T> {
    let kind = kind(&value);
    redis::from_redis_value(value).map_err(|_| {
        Error::new(
            ErrorCode::UnexpectedReply,
            format!("The reply, {kind}, cannot be read as {}.", std::any::type_name::<T>()),
            "Ask for a type that fits the command's reply; redis::Value takes any.",
        )
        .executed(true)
        .retryable(false)
    })
}

/// A reply's type, without its content.
fn kind(value: &Value) -> &'static str {
    match value {
        Value::Nil => "nil",
        Value::Int(_) => "an integer",
        Value::BulkString(_) | Value::SimpleString(_) | Value::VerbatimString { .. } => "a string",
        Value::Okay => "OK",
        Value::Array(_) => "an array",
        Value::Map(_) => "a map",
        Value::Set(_) => "a set",
        Value::Double(_) => "a double",
        Value::Boolean(_) => "a boolean",
        Value::ServerError(_) => "an error",
        _ => "of another type",
    }
}

/// The error of a wait whose client is gone.
fn gone() -> Error {
    closed()
}
