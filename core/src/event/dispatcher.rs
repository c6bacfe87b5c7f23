//! The one thread on which handlers run: it takes hubs that have something to deliver, in turn. What a hub
//! delivers, and to whom, is the hub's own business.

use parking_lot::Mutex;
use std::cell::Cell;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::thread;

/// Something with one batch of work for the dispatcher thread.
pub(super) type Work = Box<dyn FnOnce() + Send>;

/// The process the thread belongs to and the way to it: a forked child starts a thread of its own.
static DISPATCHER: Mutex<Option<(u32, Sender<Work>)>> = Mutex::new(None);

thread_local! {
    static IS_DISPATCHER: Cell<bool> = const { Cell::new(false) };
}

/// Runs `work` on the dispatcher thread, after all that was given to it before.
pub(super) fn run(work: Work) {
    let process = std::process::id();
    let mut dispatcher = DISPATCHER.lock();
    match &*dispatcher {
        Some((owner, sender)) if *owner == process => {
            // The thread ends only with the process, so the channel is open.
            let _ = sender.send(work);
        }
        _ => {
            let (sender, receiver) = channel();
            let _ = sender.send(work);
            let started = thread::Builder::new().name("keyless-events".into()).spawn(move || turn(&receiver));
            match started {
                Ok(_) => *dispatcher = Some((process, sender)),
                Err(error) => {
                    tracing::warn!(%error, "no thread for events could be started; events are lost");
                }
            }
        }
    }
}

/// Whether the calling thread is the one that runs handlers.
pub(super) fn is_current_thread() -> bool {
    IS_DISPATCHER.get()
}

fn turn(receiver: &Receiver<Work>) {
    IS_DISPATCHER.set(true);
    while let Ok(work) = receiver.recv() {
        work();
    }
}
