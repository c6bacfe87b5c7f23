//! Replies: core's views behind handles. Nothing is copied.

use crate::boundary::{bytes, free, handle, look, optional, put, view};
use crate::error::keyless_error;
use keyless::{Error, ErrorCode, Reply, ReplyKind};
use std::ffi::c_char;

/// A reply, or a part of one: a view of what the server sent.
///
/// Does not change: any number of threads may look at it. Parts are borrowed from the whole; so is all text. Looking
/// for something that is not there, a number in an array say, gives NULL, 0 or false, and never reads beyond the
/// reply.
// Written so that the header shows no member.
#[cfg_attr(all(), repr(transparent))]
#[derive(Clone)]
pub struct keyless_reply(pub(crate) Reply);

/// What a reply is: the types of RESP3, under which RESP2's go too.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(C)]
pub enum keyless_reply_type {
    /// Nothing there.
    KEYLESS_REPLY_NIL = 0,
    /// A simple string, such as `OK`. Read it with `keyless_reply_string`.
    KEYLESS_REPLY_STATUS = 1,
    /// A string of any bytes. Read it with `keyless_reply_string`.
    KEYLESS_REPLY_STRING = 2,
    /// A string with its format. Read it with `keyless_reply_string` and `keyless_reply_verbatim_format`.
    KEYLESS_REPLY_VERBATIM = 3,
    /// A whole number of 64 bits. Read it with `keyless_reply_integer`.
    KEYLESS_REPLY_INTEGER = 4,
    /// A floating point number. Read it with `keyless_reply_double`.
    KEYLESS_REPLY_DOUBLE = 5,
    /// True or false. Read it with `keyless_reply_boolean`.
    KEYLESS_REPLY_BOOLEAN = 6,
    /// A whole number of any length, as decimal text. Read it with `keyless_reply_string`.
    KEYLESS_REPLY_BIG_NUMBER = 7,
    /// Replies in order. Read them with `keyless_reply_child`.
    KEYLESS_REPLY_ARRAY = 8,
    /// Pairs of a key and a value. Read them with `keyless_reply_pair`.
    KEYLESS_REPLY_MAP = 9,
    /// Replies without order, each once. Read them with `keyless_reply_child`.
    KEYLESS_REPLY_SET = 10,
    /// A message that answers no command. Read its parts with `keyless_reply_child`.
    KEYLESS_REPLY_PUSH = 11,
    /// An error, in a pipeline or inside an array. Read it with `keyless_reply_error`.
    KEYLESS_REPLY_ERROR = 12,
}

impl From<ReplyKind> for keyless_reply_type {
    fn from(kind: ReplyKind) -> Self {
        match kind {
            ReplyKind::Status => Self::KEYLESS_REPLY_STATUS,
            ReplyKind::String => Self::KEYLESS_REPLY_STRING,
            ReplyKind::Verbatim => Self::KEYLESS_REPLY_VERBATIM,
            ReplyKind::Integer => Self::KEYLESS_REPLY_INTEGER,
            ReplyKind::Double => Self::KEYLESS_REPLY_DOUBLE,
            ReplyKind::Boolean => Self::KEYLESS_REPLY_BOOLEAN,
            ReplyKind::BigNumber => Self::KEYLESS_REPLY_BIG_NUMBER,
            ReplyKind::Array => Self::KEYLESS_REPLY_ARRAY,
            ReplyKind::Map => Self::KEYLESS_REPLY_MAP,
            ReplyKind::Set => Self::KEYLESS_REPLY_SET,
            ReplyKind::Push => Self::KEYLESS_REPLY_PUSH,
            ReplyKind::Error => Self::KEYLESS_REPLY_ERROR,
            _ => Self::KEYLESS_REPLY_NIL,
        }
    }
}

fn part(reply: Option<&Reply>) -> *const keyless_reply {
    // The handle is nothing but the reply.
    reply.map_or(std::ptr::null(), |reply| std::ptr::from_ref(reply).cast())
}

/// What the reply is. `KEYLESS_REPLY_NIL` for NULL.
#[unsafe(no_mangle)]
pub extern "C" fn keyless_reply_get_type(reply: *const keyless_reply) -> keyless_reply_type {
    look(keyless_reply_type::KEYLESS_REPLY_NIL, || {
        optional(reply).map_or(keyless_reply_type::KEYLESS_REPLY_NIL, |reply| reply.0.kind().into())
    })
}

/// The bytes of a string, status, verbatim string (without its format) or big number; NULL and length 0 for anything
/// else.
///
/// `length` (may be NULL) gets how many. Redis' strings may hold any bytes, also NUL: the length counts, and no NUL is
/// added at the end. Borrowed from the reply.
#[unsafe(no_mangle)]
pub extern "C" fn keyless_reply_string(reply: *const keyless_reply, length: *mut usize) -> *const c_char {
    look(std::ptr::null(), || view(optional(reply).and_then(|reply| reply.0.bytes()), length))
}

/// The three letters of a verbatim string's format, `txt` or `mkd`, not ended by a NUL; NULL for anything else.
///
/// Borrowed from the reply.
#[unsafe(no_mangle)]
pub extern "C" fn keyless_reply_verbatim_format(
    reply: *const keyless_reply,
    length: *mut usize,
) -> *const c_char {
    look(std::ptr::null(), || view(optional(reply).and_then(|reply| reply.0.verbatim_format()), length))
}

/// Puts the number of an integer into `*value`. False, and `*value` is left alone, for anything else.
#[unsafe(no_mangle)]
pub extern "C" fn keyless_reply_integer(reply: *const keyless_reply, value: *mut i64) -> bool {
    give(value, || optional(reply)?.0.integer())
}

/// Puts the number of a double, which may be infinite or not a number, into `*value`. False, and `*value` is left
/// alone, for anything else.
#[unsafe(no_mangle)]
pub extern "C" fn keyless_reply_double(reply: *const keyless_reply, value: *mut f64) -> bool {
    give(value, || optional(reply)?.0.double())
}

/// Puts the value of a boolean into `*value`. False, and `*value` is left alone, for anything else.
#[unsafe(no_mangle)]
pub extern "C" fn keyless_reply_boolean(reply: *const keyless_reply, value: *mut bool) -> bool {
    give(value, || optional(reply)?.0.boolean())
}

fn give<T>(out: *mut T, value: impl FnOnce() -> Option<T>) -> bool {
    look(false, || {
        let Some(value) = value() else { return false };
        put(out, value);
        true
    })
}

/// How many parts an array, set or push has, or pairs a map; 0 for anything else. Not the length of a string.
#[unsafe(no_mangle)]
pub extern "C" fn keyless_reply_count(reply: *const keyless_reply) -> usize {
    look(0, || optional(reply).map_or(0, |reply| reply.0.len()))
}

/// The part of an array, set or push with this index, from 0; NULL if there is none, and for a map.
///
/// Borrowed from the whole reply.
#[unsafe(no_mangle)]
pub extern "C" fn keyless_reply_child(reply: *const keyless_reply, index: usize) -> *const keyless_reply {
    look(std::ptr::null(), || {
        let whole = optional(reply).filter(|reply| reply.0.kind() != ReplyKind::Map);
        part(whole.and_then(|reply| reply.0.parts().get(index)))
    })
}

/// Puts the key and the value of a map's pair with this index into `*key` and `*value`; either may be NULL.
///
/// False, and nothing is put, if there is no such pair. RESP2 has no maps: there a map's keys and values stand in an
/// array in turn, which this reads too. Borrowed from the whole reply.
#[unsafe(no_mangle)]
pub extern "C" fn keyless_reply_pair(
    reply: *const keyless_reply,
    index: usize,
    key: *mut *const keyless_reply,
    value: *mut *const keyless_reply,
) -> bool {
    look(false, || {
        let Some(whole) = optional(reply) else { return false };
        let pairs = matches!(whole.0.kind(), ReplyKind::Map | ReplyKind::Array);
        let at = index.checked_mul(2).filter(|_| pairs);
        let found = at.and_then(|at| whole.0.parts().get(at..at.checked_add(2)?));
        let Some([first, second]) = found else { return false };
        put(key, part(Some(first)));
        put(value, part(Some(second)));
        true
    })
}

/// The error that a part of a pipeline's reply, or of another array, is; NULL for anything else. The caller frees it.
///
/// A part whose command was never answered says why, and whether it may have been executed.
#[unsafe(no_mangle)]
pub extern "C" fn keyless_reply_error(reply: *const keyless_reply) -> *mut keyless_error {
    look(std::ptr::null_mut(), || {
        optional(reply)
            .and_then(|reply| reply.0.error())
            .map_or(std::ptr::null_mut(), |error| handle(error.into()))
    })
}

/// The error of whoever wanted another type: `KEYLESS_UNEXPECTED_REPLY`, with what the reply is and `wanted`, such as
/// `a whole number`; of a part of type `KEYLESS_REPLY_ERROR` the same as `keyless_reply_error`. The caller frees it.
///
/// For wrappers in other languages, so that all say the same. A reply of NULL stands for a part that does not exist.
#[unsafe(no_mangle)]
pub extern "C" fn keyless_reply_unexpected(
    reply: *const keyless_reply,
    wanted: *const c_char,
    wanted_length: usize,
) -> *mut keyless_error {
    look(std::ptr::null_mut(), || {
        let reply = optional(reply);
        let error = reply.and_then(|reply| reply.0.error()).unwrap_or_else(|| {
            let wanted =
                String::from_utf8_lossy(bytes(wanted, wanted_length, "wanted").unwrap_or(b"another type"));
            let what = reply.map_or("nothing", |reply| described(reply.0.kind()));
            Error::new(
                ErrorCode::UnexpectedReply,
                format!("The reply, {what}, cannot be read as {wanted}."),
                "Ask for a type that fits the command's reply.",
            )
            .executed(true)
        });
        handle(error.into())
    })
}

/// A reply's type, without its content.
fn described(kind: ReplyKind) -> &'static str {
    match kind {
        ReplyKind::Status => "a status",
        ReplyKind::String | ReplyKind::Verbatim => "a string",
        ReplyKind::Integer => "an integer",
        ReplyKind::Double => "a double",
        ReplyKind::Boolean => "a boolean",
        ReplyKind::BigNumber => "a big number",
        ReplyKind::Array => "an array",
        ReplyKind::Map => "a map",
        ReplyKind::Set => "a set",
        ReplyKind::Push => "a push",
        ReplyKind::Error => "an error",
        _ => "nil",
    }
}

/// A reply of its own from a borrowed one or a part, to keep it. Shares the memory of what was received. The caller
/// frees it. NULL for NULL.
#[unsafe(no_mangle)]
pub extern "C" fn keyless_reply_clone(reply: *const keyless_reply) -> *mut keyless_reply {
    look(std::ptr::null_mut(), || optional(reply).map_or(std::ptr::null_mut(), |reply| handle(reply.clone())))
}

/// Frees a reply that the caller owns: one that came from a call or `keyless_reply_clone`, no part and none that is
/// borrowed. NULL is fine.
#[unsafe(no_mangle)]
pub extern "C" fn keyless_reply_free(reply: *mut keyless_reply) {
    free(reply);
}
