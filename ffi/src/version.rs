//! Which interface and which version of the library this is.

use std::ffi::{c_char, c_int};

/// The version of this interface: raised when something that exists changes or goes away. Compare it with
/// `keyless_abi_version()` after loading the library at run time.
pub const KEYLESS_ABI_VERSION: c_int = 1;

/// The version of the interface that the library in use has.
///
/// Any thread. Equal to `KEYLESS_ABI_VERSION` unless header and library are of different versions.
#[unsafe(no_mangle)]
pub extern "C" fn keyless_abi_version() -> c_int {
    KEYLESS_ABI_VERSION
}

/// The version of the library in use, such as `0.1.0`. Belongs to the library; valid for ever. Any thread.
#[unsafe(no_mangle)]
pub extern "C" fn keyless_version() -> *const c_char {
    concat!(env!("CARGO_PKG_VERSION"), "\0").as_ptr().cast()
}
