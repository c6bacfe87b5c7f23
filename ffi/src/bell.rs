//! A file descriptor that becomes readable: the one thing here that differs between systems.

use std::sync::Arc;
use std::task::Wake;

/// Rings until it is silenced.
pub(crate) struct Bell(imp::Bell);

impl Bell {
    /// Fails when the process has no descriptor to spare.
    pub(crate) fn new() -> std::io::Result<Self> {
        imp::Bell::new().map(Self)
    }

    /// What an event loop watches for reading; -1 where the system has no such thing.
    pub(crate) fn descriptor(&self) -> i32 {
        self.0.descriptor()
    }

    pub(crate) fn ring(&self) {
        self.0.ring();
    }

    pub(crate) fn silence(&self) {
        self.0.silence();
    }
}

impl Wake for Bell {
    fn wake(self: Arc<Self>) {
        self.ring();
    }

    fn wake_by_ref(self: &Arc<Self>) {
        self.ring();
    }
}

#[cfg(target_os = "linux")]
mod imp {
    use std::fs::File;
    use std::io::{Error, Read, Result, Write};
    use std::os::fd::{AsRawFd, FromRawFd};

    pub(super) struct Bell(File);

    impl Bell {
        pub(super) fn new() -> Result<Self> {
            // SAFETY: has no requirements; the descriptor is new and belongs to the file alone.
            unsafe {
                match libc::eventfd(0, libc::EFD_CLOEXEC | libc::EFD_NONBLOCK) {
                    -1 => Err(Error::last_os_error()),
                    descriptor => Ok(Self(File::from_raw_fd(descriptor))),
                }
            }
        }

        pub(super) fn descriptor(&self) -> i32 {
            self.0.as_raw_fd()
        }

        pub(super) fn ring(&self) {
            // Fails only when it has rung 2^64 times.
            let _ = (&self.0).write(&1u64.to_ne_bytes());
        }

        pub(super) fn silence(&self) {
            let _ = (&self.0).read(&mut [0; 8]);
        }
    }
}

#[cfg(all(unix, not(target_os = "linux")))]
mod imp {
    use std::io::{Read, Result, Write};
    use std::os::fd::AsRawFd;
    use std::os::unix::net::UnixStream;

    pub(super) struct Bell {
        read: UnixStream,
        write: UnixStream,
    }

    impl Bell {
        pub(super) fn new() -> Result<Self> {
            let (read, write) = UnixStream::pair()?;
            read.set_nonblocking(true)?;
            write.set_nonblocking(true)?;
            Ok(Self { read, write })
        }

        pub(super) fn descriptor(&self) -> i32 {
            self.read.as_raw_fd()
        }

        pub(super) fn ring(&self) {
            // A full one rings already.
            let _ = (&self.write).write(&[1]);
        }

        pub(super) fn silence(&self) {
            let mut rung = [0; 512];
            while matches!((&self.read).read(&mut rung), Ok(count) if count == rung.len()) {}
        }
    }
}

#[cfg(not(unix))]
mod imp {
    pub(super) struct Bell;

    impl Bell {
        pub(super) fn new() -> std::io::Result<Self> {
            Ok(Self)
        }

        pub(super) fn descriptor(&self) -> i32 {
            -1
        }

        pub(super) fn ring(&self) {}

        pub(super) fn silence(&self) {}
    }
}
