//! Where C ends and Rust begins: pointers become references, texts become strings, errors and panics become numbers.

use crate::error::keyless_error;
use crate::status::keyless_status;
use keyless::{Error, ErrorCode, Result};
use std::any::Any;
use std::ffi::{c_char, c_void};
use std::panic::{AssertUnwindSafe, catch_unwind};

/// Runs what may fail: the status is returned, and the error is put into `error` unless that is NULL.
pub(crate) fn run(error: *mut *mut keyless_error, work: impl FnOnce() -> Result<()>) -> keyless_status {
    let failed = match catch_unwind(AssertUnwindSafe(work)) {
        Ok(Ok(())) => None,
        Ok(Err(failed)) => Some(failed),
        Err(panic) => Some(panicked(&*panic)),
    };
    let status = failed.as_ref().map_or(keyless_status::KEYLESS_OK, |failed| failed.code().into());
    if !error.is_null() {
        put(error, failed.map_or(std::ptr::null_mut(), |failed| handle(failed.into())));
    }
    status
}

/// Runs what cannot fail, such as looking at a handle; should it panic, the answer is `otherwise`.
pub(crate) fn look<T>(otherwise: T, work: impl FnOnce() -> T) -> T {
    catch_unwind(AssertUnwindSafe(work)).unwrap_or(otherwise)
}

fn panicked(panic: &(dyn Any + Send)) -> Error {
    let text = panic
        .downcast_ref::<&str>()
        .map(|text| (*text).to_owned())
        .or_else(|| panic.downcast_ref::<String>().cloned())
        .unwrap_or_default();
    Error::new(
        ErrorCode::Internal,
        format!("keyless failed inside: {text}."),
        "Please report this with the text above.",
    )
    .executed(true)
}

/// The error of a call with an argument that cannot be taken.
pub(crate) fn bad_argument(name: &str, what: &str) -> Error {
    Error::new(
        ErrorCode::InvalidArgument,
        format!("The argument {name} {what}."),
        "Correct the call; keyless.h says what each argument takes.",
    )
}

/// What a pointer of the caller points to.
pub(crate) fn reference<'a, T>(pointer: *const T, name: &str) -> Result<&'a T> {
    // SAFETY: a handle that is not NULL was made by this library and not freed yet, as the header demands.
    unsafe { pointer.as_ref() }.ok_or_else(|| bad_argument(name, "is NULL"))
}

/// The same, for changing it: the header demands that nobody else uses it meanwhile.
pub(crate) fn exclusive<'a, T>(pointer: *mut T, name: &str) -> Result<&'a mut T> {
    // SAFETY: as above, and the header says of these handles that one thread at a time may use them.
    unsafe { pointer.as_mut() }.ok_or_else(|| bad_argument(name, "is NULL"))
}

/// A handle that may be NULL.
pub(crate) fn optional<'a, T>(pointer: *const T) -> Option<&'a T> {
    // SAFETY: as in `reference`.
    unsafe { pointer.as_ref() }
}

/// The bytes of the caller; NULL stands for none if the length is 0.
pub(crate) fn bytes<'a>(data: *const c_char, length: usize, name: &str) -> Result<&'a [u8]> {
    if data.is_null() {
        return if length == 0 {
            Ok(&[])
        } else {
            Err(bad_argument(name, "is NULL, and its length is not 0"))
        };
    }
    if isize::try_from(length).is_err() {
        return Err(bad_argument(name, "has a length that no memory has"));
    }
    // SAFETY: the header demands that so many bytes can be read until the call ends.
    Ok(unsafe { std::slice::from_raw_parts(data.cast(), length) })
}

/// Text of the caller.
pub(crate) fn text<'a>(data: *const c_char, length: usize, name: &str) -> Result<&'a str> {
    if data.is_null() {
        return Err(bad_argument(name, "is NULL"));
    }
    std::str::from_utf8(bytes(data, length, name)?).map_err(|_| bad_argument(name, "is not UTF-8"))
}

/// An array of the caller.
pub(crate) fn array<'a, T>(data: *const T, count: usize, name: &str) -> Result<&'a [T]> {
    if count == 0 {
        return Ok(&[]);
    }
    if data.is_null() {
        return Err(bad_argument(name, "is NULL"));
    }
    if isize::try_from(count.saturating_mul(size_of::<T>())).is_err() {
        return Err(bad_argument(name, "has a count that no memory has"));
    }
    // SAFETY: the header demands that so many elements can be read until the call ends.
    Ok(unsafe { std::slice::from_raw_parts(data, count) })
}

/// Writes to an out parameter that may be NULL.
pub(crate) fn put<T>(out: *mut T, value: T) {
    // SAFETY: the header demands that what is not NULL can be written to.
    if let Some(out) = unsafe { out.as_mut() } {
        *out = value;
    }
}

/// An out parameter that must not be NULL; it holds `first` until there is a value.
pub(crate) fn required<'a, T>(out: *mut T, first: T, name: &str) -> Result<&'a mut T> {
    // SAFETY: as above. It may not be initialised: it is written before the reference is made.
    unsafe {
        if !out.is_null() {
            out.write(first);
        }
        out.as_mut()
    }
    .ok_or_else(|| bad_argument(name, "is NULL"))
}

/// A new handle for the caller, who frees it.
pub(crate) fn handle<T>(value: T) -> *mut T {
    Box::into_raw(Box::new(value))
}

/// Frees a handle; NULL is fine.
pub(crate) fn free<T>(handle: *mut T) {
    if !handle.is_null() {
        // SAFETY: made by `handle`, and the header demands that it is freed once.
        let owned = unsafe { Box::from_raw(handle) };
        look((), || drop(owned));
    }
}

/// A view of text or bytes for the caller: where it begins, and its length in `length`.
pub(crate) fn view(content: Option<&[u8]>, length: *mut usize) -> *const c_char {
    put(length, content.map_or(0, <[u8]>::len));
    content.map_or(std::ptr::null(), |content| content.as_ptr().cast())
}

/// The arguments of one command.
pub(crate) struct Arguments<'a>(Vec<&'a [u8]>);

impl<'a> Arguments<'a> {
    /// From arrays as hiredis takes them: without lengths every argument ends with a NUL.
    pub(crate) fn new(argc: usize, argv: *const *const c_char, lengths: *const usize) -> Result<Self> {
        let argv = array(argv, argc, "argv")?;
        let lengths = if lengths.is_null() { None } else { Some(array(lengths, argc, "argvlen")?) };
        let mut args = Vec::with_capacity(argc);
        for (index, &arg) in argv.iter().enumerate() {
            let length = match lengths {
                Some(lengths) => lengths[index],
                None if arg.is_null() => return Err(bad_argument(&format!("argv[{index}]"), "is NULL")),
                // SAFETY: the header demands that arguments without a length end with a NUL.
                None => unsafe { libc::strlen(arg) },
            };
            args.push(bytes(arg, length, "argv")?);
        }
        Ok(Self(args))
    }

    pub(crate) fn as_slice(&self) -> &[&'a [u8]] {
        &self.0
    }
}

/// What the caller gave along with a callback: handed back to it, never looked at.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct UserData(pub(crate) *mut c_void);

// SAFETY: keyless only carries the pointer; the header says on which threads callbacks run.
unsafe impl Send for UserData {}
// SAFETY: as above.
unsafe impl Sync for UserData {}

/// Frees what the caller gave along with a callback. NULL: nothing to free.
pub type keyless_destructor = Option<extern "C" fn(user_data: *mut c_void)>;

/// User data with its destructor, which runs when nobody can be called with it any more.
#[derive(Debug)]
pub(crate) struct OwnedData {
    data: UserData,
    destructor: keyless_destructor,
}

impl OwnedData {
    pub(crate) fn new(data: *mut c_void, destructor: keyless_destructor) -> Self {
        Self { data: UserData(data), destructor }
    }

    pub(crate) fn pointer(&self) -> *mut c_void {
        self.data.0
    }
}

impl Drop for OwnedData {
    fn drop(&mut self) {
        if let Some(destructor) = self.destructor {
            destructor(self.data.0);
        }
    }
}
