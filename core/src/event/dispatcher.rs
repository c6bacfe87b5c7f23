//! The one thread on which handlers run: it takes hubs that have something to deliver, in turn. What a hub
//! delivers, and to whom, is the hub's own business.

use crate::per_process::PerProcess;
use std::cell::Cell;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::thread;

/// Something with one batch of work for the dispatcher thread.
pub(super) type Work = Box<dyn FnOnce() + Send>;

/// The way to the thread. A forked child starts a thread of its own.
static DISPATCHER: PerProcess<Sender<Work>> = PerProcess::new();

thread_local! {
    static IS_DISPATCHER: Cell<bool> = const { Cell::new(false) };
}

/// Runs `work` on the dispatcher thread, after all that was given to it before.
pub(super) fn run(work: Work) {
    let dispatcher = DISPATCHER.get(|| {
        let (sender, receiver) = channel();
        // It ends when the sender is dropped, since another thread was first; otherwise with the process.
        let thread = thread::Builder::new().name("keyless-events".into());
        thread.spawn(move || turn(&receiver)).map(|_| sender)
    });
    match dispatcher {
        Ok(sender) => {
            // The channel is open as long as the process lives.
            let _ = sender.send(work);
        }
        Err(error) => tracing::warn!(%error, "no thread for events could be started; events are lost"),
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
