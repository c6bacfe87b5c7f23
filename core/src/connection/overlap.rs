//! One stream of messages out of two connections that overlap: the old one still delivers while the new
//! one is subscribed already. Nothing is lost, and what both deliver is passed on once.
//!
//! For each name both connections get the same messages in the same order, the new one from some message on. So the
//! new stream fits onto the old one's tail. Where equal messages allow several fits, the one that drops the fewest is
//! taken: twice is better than never. (One case cannot be told from its contents: two equal messages of one name in a
//! row, of which the old connection alone got the first and the new one alone the second, within the milliseconds in
//! which it subscribes. They count as one.)
//!
//! When they are exchanged, the old one must have brought what was published before the new one was subscribed, and
//! the new one all that the old one has brought since: an answer to a `PING` on the old one, then one on the new one,
//! say so.

use crate::pubsub::{Kind, Message};
use bytes::Bytes;
use std::collections::{HashMap, VecDeque};

/// What is subscribed to.
pub(crate) type Name = (Kind, Bytes);

/// What a message was subscribed by.
pub(crate) fn name(message: &Message) -> Name {
    (message.kind, message.pattern.as_ref().unwrap_or(&message.channel).clone())
}

/// The hand-over from an old connection to a new one.
#[derive(Debug, Default)]
pub(crate) struct Overlap {
    streams: HashMap<Name, Stream<Message>>,
    /// What each held message was subscribed by, in the order of their arrival.
    held: Vec<Name>,
}

impl Overlap {
    /// The old connection brought a message, which is passed on as ever.
    pub(crate) fn note(&mut self, message: &Message) {
        self.streams.entry(name(message)).or_default().delivered.push(message.clone());
    }

    /// The new connection brought a message, which waits.
    pub(crate) fn hold(&mut self, message: Message) {
        let name = name(&message);
        self.held.push(name.clone());
        self.streams.entry(name).or_default().held.push(message);
    }

    /// The new connection is only now about to be subscribed to this: what the old one has brought so far does not
    /// come again.
    pub(crate) fn begin_anew(&mut self, name: &Name) {
        if let Some(stream) = self.streams.get_mut(name) {
            stream.delivered.clear();
        }
    }

    /// What the new connection has brought and nobody has seen, in its order.
    pub(crate) fn switch(self) -> Vec<Message> {
        // How many of each stream were seen, and the others.
        let mut rests: HashMap<Name, (usize, VecDeque<Message>)> = self
            .streams
            .into_iter()
            .map(|(name, stream)| {
                let held = stream.held.len();
                let fresh = VecDeque::from(stream.switch());
                (name, (held - fresh.len(), fresh))
            })
            .collect();
        self.held
            .iter()
            .filter_map(|name| {
                let (seen, fresh) = rests.get_mut(name)?;
                match seen.checked_sub(1) {
                    Some(less) => {
                        *seen = less;
                        None
                    }
                    None => fresh.pop_front(),
                }
            })
            .collect()
    }
}

/// The messages of one name.
#[derive(Debug)]
struct Stream<T> {
    /// What the old connection delivered since the new one began to subscribe.
    delivered: Vec<T>,
    /// What the new connection has brought so far and nobody has seen.
    held: Vec<T>,
}

impl<T> Default for Stream<T> {
    fn default() -> Self {
        Self { delivered: Vec::new(), held: Vec::new() }
    }
}

impl<T: PartialEq> Stream<T> {
    /// What was not delivered yet.
    fn switch(mut self) -> Vec<T> {
        let fits = |tail: usize| {
            let tail = &self.delivered[self.delivered.len() - tail..];
            tail.iter().zip(&self.held).all(|(old, new)| old == new)
        };
        // The shortest tail that the new stream begins with; of a stream that did not reach the old one's end, all
        // there is. Nothing in common is a fit too.
        let Some(tail) =
            (1..=self.delivered.len()).find(|tail| fits(*tail)).filter(|_| !self.held.is_empty())
        else {
            return self.held;
        };
        self.held.split_off(tail.min(self.held.len()))
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
            begins in prop::collection::vec(0usize..20, 3), old_at in 20usize..40, more in 0usize..20,
            names in prop::collection::vec(0usize..3, 60),
        ) {
            // The old one delivers everything up to a point, the new one each name from some point on.
            let message = |number: usize| Message {
                kind: Kind::Channel,
                pattern: None,
                channel: Bytes::from(vec![u8::try_from(names[number]).unwrap()]),
                payload: number.to_string().into(),
            };
            let mut overlap = Overlap::default();
            let mut seen = Vec::new();
            for number in 0..old_at {
                overlap.note(&message(number));
                seen.push(message(number));
            }
            for number in 0..old_at + more {
                if number >= begins[names[number]] {
                    overlap.hold(message(number));
                }
            }
            seen.extend(overlap.switch());
            prop_assert_eq!(seen, (0..old_at + more).map(message).collect::<Vec<_>>());
        }

        /// Equal messages may come twice, but never too seldom.
        #[test]
        fn equal_messages_are_never_lost(before in 0usize..10, both in 0usize..10, after in 0usize..10) {
            let stream = Stream { delivered: vec!['x'; before + both], held: vec!['x'; both + after] };
            // Where nothing came on both, the new one's first looks like the old one's last.
            let taken_for_one = usize::from(both == 0 && before > 0);
            prop_assert!(stream.switch().len() + taken_for_one >= after);
        }
    }

    #[test]
    fn what_came_before_the_subscription_is_no_echo() {
        let message = |payload: &'static str| Message {
            kind: Kind::Channel,
            pattern: None,
            channel: "c".into(),
            payload: payload.into(),
        };
        let mut overlap = Overlap::default();
        overlap.note(&message("x"));
        overlap.begin_anew(&(Kind::Channel, "c".into()));
        overlap.hold(message("x"));
        assert_eq!(overlap.switch().len(), 1);
    }
}
