//! Which of the 16,384 slots of a cluster a request belongs to.

use super::args::Args;
use super::keys::Keys;
use super::spec::Command;
use crc::{CRC_16_XMODEM, Crc, Table};

/// How many slots a cluster has.
pub(crate) const SLOTS: u16 = 16_384;

/// What `CRC` takes at a time.
const BLOCK: usize = 16;
static CRC: Crc<u16, Table<BLOCK>> = Crc::<u16, Table<BLOCK>>::new(&CRC_16_XMODEM);

/// Where a request belongs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Slot {
    /// It has no key.
    None,
    /// All its keys are in this slot.
    One(u16),
    /// Its keys are in more than one slot: to be split, or to be refused with `CROSSSLOT`.
    Several,
}

/// The slot of a key, or of the part of it that stands in the first `{...}` if that is not empty.
#[inline]
pub(crate) fn slot(key: &[u8]) -> u16 {
    let key = hash_tag(key);
    // Zeros in front do not change this sum, and whole blocks are summed up much faster than single bytes.
    let (head, blocks) = key.split_at(key.len() % BLOCK);
    let mut first = [0; BLOCK];
    first[BLOCK - head.len()..].copy_from_slice(head);
    let mut digest = CRC.digest();
    digest.update(&first);
    digest.update(blocks);
    digest.finalize() % SLOTS
}

#[inline]
fn hash_tag(key: &[u8]) -> &[u8] {
    let Some(open) = memchr::memchr(b'{', key) else { return key };
    let tag = &key[open + 1..];
    match memchr::memchr(b'}', tag) {
        None | Some(0) => key,
        Some(close) => &tag[..close],
    }
}

/// The slot of an encoded request. Of a command that is not in the table, the first argument is the key.
#[inline]
pub(crate) fn key_slot(request: &[u8]) -> Slot {
    let start = Args::new(request);
    let mut args = start.clone();
    let command = Command::next_of(&mut args);
    if command.is_none_or(|command| command.first_is_key) {
        return args.next().map_or(Slot::None, |key| Slot::One(slot(args.bytes(&key))));
    }
    slot_of_keys(&start, command)
}

fn slot_of_keys(start: &Args<'_>, command: Option<&'static Command>) -> Slot {
    let mut slots = Keys::new(start.clone(), command).map(|key| slot(start.bytes(&key)));
    let Some(first) = slots.next() else { return Slot::None };
    if slots.all(|other| other == first) { Slot::One(first) } else { Slot::Several }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::connection::Batch;

    fn slot_of(command: &str) -> Slot {
        let mut batch = Batch::new();
        batch.push_own(&command.split(' ').collect::<Vec<_>>());
        key_slot(&batch.bytes)
    }

    #[test]
    fn slots_are_those_of_the_cluster_specification() {
        // The check value of CRC16/XMODEM.
        assert_eq!(CRC.checksum(b"123456789"), 0x31c3);
        assert_eq!(slot(b"{user1000}.following"), slot(b"{user1000}.followers"));
        assert_eq!(slot(b"foo{}{bar}"), CRC.checksum(b"foo{}{bar}") % SLOTS);
        assert_eq!(hash_tag(b"foo{{bar}}zap"), b"{bar");
        assert_eq!(hash_tag(b"foo{bar}{zap}"), b"bar");
        assert_eq!(hash_tag(b"{a"), b"{a");
    }

    #[test]
    fn a_request_has_no_slot_or_one_or_several() {
        assert_eq!(slot_of("PING"), Slot::None);
        assert_eq!(slot_of("EVAL s 0 a"), Slot::None);
        assert_eq!(slot_of("GET"), Slot::None);
        assert_eq!(slot_of("get a"), Slot::One(slot(b"a")));
        assert_eq!(slot_of("JSON.SET a $ 1"), Slot::One(slot(b"a")));
        assert_eq!(slot_of("OBJECT ENCODING a"), Slot::One(slot(b"a")));
        assert_eq!(slot_of("MSET {t}a 1 {t}b 2"), Slot::One(slot(b"t")));
        assert_eq!(slot_of("MGET a b"), Slot::Several);
    }
}
