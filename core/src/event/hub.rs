//! Delivery: a bounded queue per hub, handlers that come and go at any time, order kept. The thread they
//! run on is in `dispatcher`.

use super::{Event, EventMask, dispatcher};
use parking_lot::Mutex;
use std::collections::VecDeque;
use std::fmt;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

/// How many events may wait for their handlers unless configured otherwise.
pub const DEFAULT_QUEUE: usize = 1024;

/// What hears of events. Runs on the thread `keyless-events`, one call at a time; a call that blocks or
/// panics delays other handlers and nothing else.
pub type EventHandler = Arc<dyn Fn(&Event) + Send + Sync>;

/// Names a handler of one hub, to remove it with.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct HandlerId(u64);

impl HandlerId {
    /// The id as a number, for languages that keep it as one.
    pub fn as_u64(self) -> u64 {
        self.0
    }

    /// The id from a number that [`HandlerId::as_u64`] gave; any other number names no handler.
    pub fn from_u64(id: u64) -> Self {
        Self(id)
    }
}

/// Delivers the events of one owner (a token source, a client) to its handlers, in the order they were
/// emitted, on the thread `keyless-events` that all hubs of the process share.
///
/// Emitting never blocks and never runs a handler. A hub without handlers queues nothing. When the queue is
/// full the oldest event gives way and is counted. Clones share the hub; every method may be called from any
/// thread and inside a handler.
#[derive(Clone)]
pub struct EventHub(Arc<Inner>);

struct Inner {
    capacity: usize,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    handlers: Vec<Arc<Entry>>,
    /// The next handler's id.
    next_id: u64,
    /// Each event with the first handler id that came after it: later handlers do not hear of it.
    queue: VecDeque<(Event, u64)>,
    /// The process whose dispatcher thread was asked to empty the queue and has not yet done so; a forked
    /// child asks its own.
    scheduled: Option<u32>,
    dropped: u64,
}

struct Entry {
    id: u64,
    mask: EventMask,
    handler: EventHandler,
    removed: AtomicBool,
    /// Held while the handler runs, so that whoever removes it can wait for the end of a call.
    running: Mutex<()>,
}

impl Default for EventHub {
    fn default() -> Self {
        Self::new()
    }
}

impl EventHub {
    /// A hub whose queue holds [`DEFAULT_QUEUE`] events.
    pub fn new() -> Self {
        Self::with_capacity(DEFAULT_QUEUE)
    }

    /// A hub whose queue holds `capacity` events, at least one.
    pub fn with_capacity(capacity: usize) -> Self {
        Self(Arc::new(Inner { capacity: capacity.max(1), state: Mutex::default() }))
    }

    /// Adds a handler for the kinds in `mask`. It hears of events that are emitted from now on.
    pub fn add(&self, mask: EventMask, handler: EventHandler) -> HandlerId {
        let mut state = self.0.state.lock();
        let id = state.next_id;
        state.next_id += 1;
        state.handlers.push(Arc::new(Entry {
            id,
            mask,
            handler,
            removed: AtomicBool::new(false),
            running: Mutex::new(()),
        }));
        HandlerId(id)
    }

    /// Removes a handler; says whether there was one.
    ///
    /// After this returns the handler is not called again, and a call that was under way has ended. Inside a
    /// handler it does not wait: the call under way is then the caller itself. The caller must hold no lock
    /// that the handler waits for.
    pub fn remove(&self, id: HandlerId) -> bool {
        let entry = {
            let mut state = self.0.state.lock();
            let Some(place) = state.handlers.iter().position(|entry| entry.id == id.0) else { return false };
            state.handlers.remove(place)
        };
        entry.removed.store(true, Ordering::SeqCst);
        if !dispatcher::is_current_thread() {
            drop(entry.running.lock());
        }
        true
    }

    /// Writes the event's log line and queues it for the handlers that asked for its kind.
    pub fn emit(&self, event: Event) {
        event.log();
        self.forward(event);
    }

    /// Queues an event that another hub emitted, so that it is logged once.
    pub fn forward(&self, event: Event) {
        let schedule = {
            let mut state = self.0.state.lock();
            let kind = event.kind();
            if !state.handlers.iter().any(|entry| entry.mask.intersects(kind)) {
                return;
            }
            if state.queue.len() >= self.0.capacity {
                state.queue.pop_front();
                state.dropped += 1;
            }
            let before = state.next_id;
            state.queue.push_back((event, before));
            let process = Some(std::process::id());
            std::mem::replace(&mut state.scheduled, process) != process
        };
        if schedule {
            let hub = Arc::clone(&self.0);
            dispatcher::run(Box::new(move || hub.deliver()));
        }
    }

    /// How many events gave way because the queue was full.
    pub fn dropped(&self) -> u64 {
        self.0.state.lock().dropped
    }
}

impl Inner {
    /// Empties the queue. Runs on the dispatcher thread only.
    fn deliver(&self) {
        loop {
            let (event, before, handlers) = {
                let mut state = self.state.lock();
                let Some((event, before)) = state.queue.pop_front() else {
                    state.scheduled = None;
                    return;
                };
                (event, before, state.handlers.clone())
            };
            for entry in
                handlers.iter().filter(|entry| entry.id < before && entry.mask.intersects(event.kind()))
            {
                entry.call(&event);
            }
        }
    }
}

impl Entry {
    fn call(&self, event: &Event) {
        let _running = self.running.lock();
        if self.removed.load(Ordering::SeqCst) {
            return;
        }
        if catch_unwind(AssertUnwindSafe(|| (self.handler)(event))).is_err() {
            tracing::error!(event = event.name(), "an event handler panicked; other handlers go on");
        }
    }
}

impl fmt::Debug for EventHub {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let state = self.0.state.lock();
        f.debug_struct("EventHub")
            .field("handlers", &state.handlers.len())
            .field("queued", &state.queue.len())
            .field("dropped", &state.dropped)
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::OnceLock;
    use std::sync::mpsc::{channel, sync_channel};
    use std::time::{Duration, SystemTime};

    const WAIT: Duration = Duration::from_secs(10);

    fn restored(attempts: u32) -> Event {
        Event::ConnectionRestored {
            time: SystemTime::UNIX_EPOCH,
            endpoint: "cache:10000".into(),
            outage: Duration::ZERO,
            attempts,
        }
    }

    fn attempts(event: &Event) -> u32 {
        let Event::ConnectionRestored { attempts, .. } = event else { panic!("another event: {event:?}") };
        *attempts
    }

    #[test]
    fn events_arrive_in_order_on_the_thread_for_events() {
        let hub = EventHub::new();
        let (send, receive) = channel();
        hub.add(
            EventMask::ALL,
            Arc::new(move |event| {
                let thread = std::thread::current().name().map(str::to_owned);
                send.send((attempts(event), thread)).unwrap();
            }),
        );
        for n in 0..500 {
            hub.emit(restored(n));
        }
        for n in 0..500 {
            assert_eq!(receive.recv_timeout(WAIT).unwrap(), (n, Some("keyless-events".to_owned())));
        }
        assert_eq!(hub.dropped(), 0);
    }

    #[test]
    fn a_handler_hears_only_of_the_kinds_it_asked_for_and_of_nothing_before_it_came() {
        let hub = EventHub::new();
        hub.emit(restored(0));
        let (send, receive) = channel();
        hub.add(EventMask::TOKEN, Arc::new(|_| panic!("not asked for")));
        hub.add(EventMask::CONNECTION_RESTORED, Arc::new(move |event| send.send(attempts(event)).unwrap()));
        hub.emit(restored(1));
        assert_eq!(receive.recv_timeout(WAIT).unwrap(), 1);
        assert!(receive.try_recv().is_err());
    }

    #[test]
    fn a_panicking_handler_does_not_stop_the_others() {
        let hub = EventHub::new();
        let (send, receive) = channel();
        hub.add(EventMask::ALL, Arc::new(|_| panic!("on purpose")));
        hub.add(EventMask::ALL, Arc::new(move |event| send.send(attempts(event)).unwrap()));
        hub.emit(restored(1));
        hub.emit(restored(2));
        assert_eq!(receive.recv_timeout(WAIT).unwrap(), 1);
        assert_eq!(receive.recv_timeout(WAIT).unwrap(), 2);
    }

    #[test]
    fn a_full_queue_drops_the_oldest_and_counts() {
        let hub = EventHub::with_capacity(2);
        let (entered_send, entered) = sync_channel(1);
        let (release, gate) = sync_channel::<()>(0);
        let (send, receive) = channel();
        let gate = Mutex::new(gate);
        hub.add(
            EventMask::ALL,
            Arc::new(move |event| {
                if attempts(event) == 0 {
                    entered_send.send(()).unwrap();
                    gate.lock().recv().unwrap();
                }
                send.send(attempts(event)).unwrap();
            }),
        );
        hub.emit(restored(0));
        entered.recv_timeout(WAIT).unwrap();
        for n in 1..=4 {
            hub.emit(restored(n));
        }
        release.send(()).unwrap();
        let got: Vec<_> = (0..3).map(|_| receive.recv_timeout(WAIT).unwrap()).collect();
        assert_eq!(got, [0, 3, 4]);
        assert_eq!(hub.dropped(), 2);
    }

    #[test]
    fn a_handler_may_remove_itself_and_is_not_called_again() {
        let hub = EventHub::new();
        let own_id = Arc::new(OnceLock::new());
        let (send, receive) = channel();
        let (inner_hub, inner_id) = (hub.clone(), Arc::clone(&own_id));
        let id = hub.add(
            EventMask::ALL,
            Arc::new(move |event| {
                assert!(inner_hub.remove(*inner_id.wait()));
                send.send(attempts(event)).unwrap();
            }),
        );
        own_id.set(id).unwrap();
        let (last_send, last) = channel();
        hub.add(EventMask::ALL, Arc::new(move |event| last_send.send(attempts(event)).unwrap()));
        hub.emit(restored(1));
        hub.emit(restored(2));
        assert_eq!(last.recv_timeout(WAIT).unwrap(), 1);
        assert_eq!(last.recv_timeout(WAIT).unwrap(), 2);
        assert_eq!(receive.try_iter().collect::<Vec<_>>(), [1]);
        assert!(!hub.remove(id));
    }

    #[test]
    fn once_removed_from_outside_a_handler_is_not_running() {
        let hub = EventHub::new();
        let (entered_send, entered) = sync_channel(1);
        let ended = Arc::new(AtomicBool::new(false));
        let inner = Arc::clone(&ended);
        let id = hub.add(
            EventMask::ALL,
            Arc::new(move |_| {
                entered_send.send(()).unwrap();
                std::thread::sleep(Duration::from_millis(50));
                inner.store(true, Ordering::SeqCst);
            }),
        );
        hub.emit(restored(1));
        entered.recv_timeout(WAIT).unwrap();
        assert!(hub.remove(id));
        assert!(ended.load(Ordering::SeqCst));
    }
}
