//! What a client connects to and how: core's options behind a handle. The typed setters are in `setters`, generated
//! from core's option table.

pub(crate) mod functions;
mod setters;

use crate::boundary::{exclusive, free, handle, look, optional, put, reference, required, run, text, view};
use crate::error::keyless_error;
use crate::status::keyless_status;
use functions::Functions;
use keyless::options::{Kind, table};
use keyless::token::TokenSourceOptions;
use keyless::{Error, ErrorCode, Options, Result};
use std::ffi::c_char;

/// Options of a client: where the cache is, and how to reach it.
///
/// One thread at a time may change them; a client copies what it needs, so they can be freed once it is connected.
#[derive(Clone)]
pub struct keyless_options(pub(crate) Options, pub(crate) Functions);

impl keyless_options {
    /// Scope, user name and refresh figures for a source of tokens.
    pub(crate) fn token_source_options(&self) -> TokenSourceOptions {
        self.1.apply(self.0.token_source_options())
    }
}

fn new(options: Options) -> *mut keyless_options {
    handle(keyless_options(options, Functions::default()))
}

/// The defaults for a cache, from its `host` or `host:port` alone, such as `mycache.westeurope.redis.azure.net`.
///
/// Port, TLS and cloud follow from Azure's suffixes. The caller frees `*options`. Fails with
/// `KEYLESS_INVALID_ENDPOINT`. Any thread.
#[unsafe(no_mangle)]
pub extern "C" fn keyless_options_new(
    endpoint: *const c_char,
    endpoint_length: usize,
    options: *mut *mut keyless_options,
    error: *mut *mut keyless_error,
) -> keyless_status {
    run(error, || {
        let out = required(options, std::ptr::null_mut(), "options")?;
        *out = new(Options::new(text(endpoint, endpoint_length, "endpoint")?)?);
        Ok(())
    })
}

/// Reads a connection string as StackExchange.Redis takes it (`host:port,option=value,...`) or a URL
/// (`rediss://user:password@host:port/database`).
///
/// The caller frees `*options`. Fails with `KEYLESS_INVALID_ENDPOINT` or `KEYLESS_INVALID_OPTION`; the error names
/// what cannot be read, and the nearest known option, and shows no secret. Any thread.
#[unsafe(no_mangle)]
pub extern "C" fn keyless_options_parse(
    connection_string: *const c_char,
    connection_string_length: usize,
    options: *mut *mut keyless_options,
    error: *mut *mut keyless_error,
) -> keyless_status {
    run(error, || {
        let out = required(options, std::ptr::null_mut(), "options")?;
        let text = text(connection_string, connection_string_length, "connection_string")?;
        *out = new(Options::parse(text)?);
        Ok(())
    })
}

/// Reads `REDIS_HOST`, `REDIS_PORT`, `REDIS_ACCESS_KEY` and the `AZURE_...` variables from the environment.
///
/// With `REDIS_ACCESS_KEY` the access key signs in, otherwise Microsoft Entra ID. The caller frees `*options`. Fails
/// with `KEYLESS_INVALID_ENDPOINT` or `KEYLESS_INVALID_OPTION`, which name the variable. Any thread, but no other one
/// may change the environment meanwhile.
#[unsafe(no_mangle)]
pub extern "C" fn keyless_options_from_env(
    options: *mut *mut keyless_options,
    error: *mut *mut keyless_error,
) -> keyless_status {
    run(error, || {
        let out = required(options, std::ptr::null_mut(), "options")?;
        *out = new(Options::from_env()?);
        Ok(())
    })
}

/// A copy, which the caller frees. NULL for NULL.
#[unsafe(no_mangle)]
pub extern "C" fn keyless_options_clone(options: *const keyless_options) -> *mut keyless_options {
    look(std::ptr::null_mut(), || {
        optional(options).map_or(std::ptr::null_mut(), |options| handle(options.clone()))
    })
}

/// Sets any option by its name, such as `connect_timeout`, from text in the option's unit.
///
/// For programs that read their configuration from a file; `keyless_options_set_...` does the same with types. Fails
/// with `KEYLESS_INVALID_OPTION`, and nothing changes then.
#[unsafe(no_mangle)]
pub extern "C" fn keyless_options_set(
    options: *mut keyless_options,
    name: *const c_char,
    name_length: usize,
    value: *const c_char,
    value_length: usize,
    error: *mut *mut keyless_error,
) -> keyless_status {
    run(error, || {
        let options = exclusive(options, "options")?;
        options.0.set(text(name, name_length, "name")?, text(value, value_length, "value")?)
    })
}

/// Writes an option's value as text, in the option's unit, into `buffer`, ended by a NUL; secrets as `***`.
///
/// `*length` gets the length of the whole value without the NUL, 0 if the option is not set; what does not fit into
/// `capacity` bytes is left out. `buffer` may be NULL if `capacity` is 0. Fails with `KEYLESS_INVALID_OPTION` for an
/// unknown name.
#[unsafe(no_mangle)]
pub extern "C" fn keyless_options_get(
    options: *const keyless_options,
    name: *const c_char,
    name_length: usize,
    buffer: *mut c_char,
    capacity: usize,
    length: *mut usize,
    error: *mut *mut keyless_error,
) -> keyless_status {
    run(error, || {
        put(length, 0);
        let options = reference(options, "options")?;
        let name = text(name, name_length, "name")?;
        let info = table().iter().find(|info| info.is_named(name)).ok_or_else(|| {
            Error::new(
                ErrorCode::InvalidOption,
                "There is no option of this name.",
                "The functions keyless_options_set_... name every option.",
            )
        })?;
        let value = if matches!(info.kind, Kind::Endpoint) {
            let endpoints: Vec<String> = options.0.endpoints().iter().map(ToString::to_string).collect();
            endpoints.join(",")
        } else {
            info.value(&options.0).unwrap_or_default()
        };
        print(&value, buffer, capacity, length)
    })
}

/// Writes the options as a connection string into `buffer`, ended by a NUL; secrets as `***`.
///
/// `length`, `buffer` and `capacity` as in `keyless_options_get`.
#[unsafe(no_mangle)]
pub extern "C" fn keyless_options_print(
    options: *const keyless_options,
    buffer: *mut c_char,
    capacity: usize,
    length: *mut usize,
    error: *mut *mut keyless_error,
) -> keyless_status {
    run(error, || {
        put(length, 0);
        print(&reference(options, "options")?.0.to_string(), buffer, capacity, length)
    })
}

/// What should be told to whoever wrote the options: the warning with this index, in UTF-8, not ended by a NUL. NULL
/// when there are no more.
///
/// Borrowed until the options change. Options that have no effect are warned of, and names that are nearly Azure's.
#[unsafe(no_mangle)]
pub extern "C" fn keyless_options_warning(
    options: *const keyless_options,
    index: usize,
    length: *mut usize,
) -> *const c_char {
    look(std::ptr::null(), || {
        view(
            optional(options).and_then(|options| options.0.warnings().get(index)).map(String::as_bytes),
            length,
        )
    })
}

/// Frees options. NULL is fine.
#[unsafe(no_mangle)]
pub extern "C" fn keyless_options_free(options: *mut keyless_options) {
    free(options);
}

fn print(value: &str, buffer: *mut c_char, capacity: usize, length: *mut usize) -> Result<()> {
    if capacity > 0 {
        let mut fits = value.len().min(capacity - 1);
        while !value.is_char_boundary(fits) {
            fits -= 1;
        }
        if buffer.is_null() {
            return Err(crate::boundary::bad_argument("buffer", "is NULL, and its capacity is not 0"));
        }
        // SAFETY: the header demands that `capacity` bytes can be written; `fits` is less.
        unsafe {
            std::ptr::copy_nonoverlapping(value.as_ptr().cast(), buffer, fits);
            buffer.add(fits).write(0);
        }
    }
    put(length, value.len());
    Ok(())
}

/// What every generated setter does.
fn set(
    options: *mut keyless_options,
    name: &str,
    value: impl FnOnce() -> Result<String>,
    error: *mut *mut keyless_error,
) -> keyless_status {
    run(error, || {
        let options = exclusive(options, "options")?;
        options.0.set(name, &value()?)
    })
}

/// Milliseconds, or `auto`.
fn auto_or(milliseconds: u64) -> String {
    if milliseconds == u64::MAX { "auto".to_owned() } else { milliseconds.to_string() }
}

/// Milliseconds in an option that counts in seconds.
fn seconds(milliseconds: u64) -> String {
    format!("{}.{:03}", milliseconds / 1_000, milliseconds % 1_000)
}
