//! One stream of messages out of two connections that overlap: the old one still delivers while the new
//! one is subscribed already. Nothing is lost, and what both deliver is passed on once.
//!
//! Both connections get the same messages in the same order (one server, one publisher's order), the new
//! one from some message on. So the new stream fits onto the old one's tail. Where equal messages allow
//! several fits, the one that drops the fewest is taken: twice is better than never.

use std::collections::VecDeque;

/// The hand-over from an old stream to a new one.
#[derive(Debug)]
pub(crate) struct Overlap<T> {
    /// What the old connection delivered since the new one began to subscribe.
    delivered: VecDeque<T>,
    /// What the new connection has brought so far and nobody has seen.
    held: Vec<T>,
}

impl<T: PartialEq + Clone> Overlap<T> {
    /// The new connection begins to subscribe.
    pub(crate) fn new() -> Self {
        Self { delivered: VecDeque::new(), held: Vec::new() }
    }

    /// The old connection brought a message, which is passed on as ever.
    pub(crate) fn note(&mut self, message: &T) {
        self.delivered.push_back(message.clone());
    }

    /// The new connection brought a message, which waits.
    pub(crate) fn hold(&mut self, message: T) {
        self.held.push(message);
    }

    /// From now on the new connection counts. Gives what has not been passed on yet, and what is still to
    /// come a second time.
    pub(crate) fn switch(mut self) -> (Vec<T>, Echo<T>) {
        let fits =
            |start: usize| self.delivered.iter().skip(start).zip(&self.held).all(|(old, new)| old == new);
        // The latest fit that is not a mere touching of ends; nothing in common is a fit too.
        let start = (0..self.delivered.len()).rev().find(|start| !self.held.is_empty() && fits(*start));
        match start {
            None if self.held.is_empty() => (Vec::new(), Echo { expected: self.delivered }),
            None => (self.held, Echo { expected: VecDeque::new() }),
            Some(start) => {
                let common = self.held.len().min(self.delivered.len() - start);
                let fresh = self.held.split_off(common);
                self.delivered.drain(..start + common);
                (fresh, Echo { expected: self.delivered })
            }
        }
    }
}

/// What the new connection will bring although the old one has delivered it.
#[derive(Debug)]
pub(crate) struct Echo<T> {
    expected: VecDeque<T>,
}

impl<T: PartialEq> Echo<T> {
    /// Whether the new connection's message was passed on before.
    ///
    /// Where the new connection begins after some of the expected messages, those are passed over.
    pub(crate) fn repeats(&mut self, message: &T) -> bool {
        let place = self.expected.iter().position(|expected| expected == message);
        self.expected.drain(..place.map_or(self.expected.len(), |place| place + 1));
        place.is_some()
    }

    /// Whether nothing more can repeat.
    pub(crate) fn is_over(&self) -> bool {
        self.expected.is_empty()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        /// However far each connection is at the switch: every message once, in order.
        #[test]
        fn numbered_messages_arrive_once_and_in_order(
            subscribed in 0usize..20, old_at in 0usize..40, new_at in 0usize..40, total in 40usize..60,
        ) {
            // The old one delivers 0.., recorded from 0; the new one gets `subscribed`...
            prop_assume!(subscribed <= old_at);
            let mut overlap = Overlap::new();
            let mut seen = Vec::new();
            for message in 0..old_at {
                overlap.note(&message);
                seen.push(message);
            }
            let new_at = new_at.max(subscribed);
            for message in subscribed..new_at {
                overlap.hold(message);
            }
            let (fresh, mut echo) = overlap.switch();
            seen.extend(fresh);
            for message in new_at..total {
                if !echo.repeats(&message) {
                    seen.push(message);
                }
            }
            prop_assert!(echo.is_over());
            prop_assert_eq!(seen, (0..total).collect::<Vec<_>>());
        }

        /// Equal messages may come twice, but never too seldom.
        #[test]
        fn equal_messages_are_never_lost(old in 0usize..10, new in 0usize..10, later in 0usize..10) {
            let mut overlap = Overlap::new();
            for _ in 0..old {
                overlap.note(&'x');
            }
            for _ in 0..new {
                overlap.hold('x');
            }
            let (fresh, mut echo) = overlap.switch();
            let after = (0..later).filter(|_| !echo.repeats(&'x')).count();
            prop_assert!(old + fresh.len() + after >= new + later);
        }
    }
}
