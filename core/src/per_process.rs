//! What each process has one of, such as a thread, found without a lock: one that another thread held when the process
//! was forked would stay locked in the child for ever.

use once_cell::race::OnceBox;

/// One value per process that has asked for it; a forked child makes its own. What ancestors made stays in memory: to
/// end it would touch what they use.
pub(crate) struct PerProcess<T>(OnceBox<Entry<T>>);

struct Entry<T> {
    process: u32,
    value: T,
    next: PerProcess<T>,
}

impl<T> PerProcess<T> {
    pub(crate) const fn new() -> Self {
        Self(OnceBox::new())
    }

    /// This process' value, made when it is first asked for. If several threads are first, each makes one, and all but
    /// one of these are dropped.
    pub(crate) fn get<E>(&self, make: impl FnOnce() -> Result<T, E>) -> Result<&T, E> {
        let process = std::process::id();
        let mut make = Some(make);
        let mut list = self;
        loop {
            match (list.0.get(), make.take()) {
                (Some(entry), _) if entry.process == process => return Ok(&entry.value),
                (Some(entry), kept) => (list, make) = (&entry.next, kept),
                (None, Some(make)) => {
                    let entry = Entry { process, value: make()?, next: Self::new() };
                    // Refused if another thread was first: its value is found then.
                    let _ = list.0.set(Box::new(entry));
                }
                (None, None) => unreachable!("what was set stays"),
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::convert::Infallible;
    use std::sync::Barrier;

    #[test]
    fn all_threads_get_the_same_value() {
        let one = PerProcess::new();
        let together = Barrier::new(8);
        let found: Vec<usize> = std::thread::scope(|scope| {
            let threads: Vec<_> = (0..8usize)
                .map(|number| {
                    let (one, together) = (&one, &together);
                    scope.spawn(move || {
                        together.wait();
                        *one.get(|| Ok::<_, Infallible>(number)).unwrap()
                    })
                })
                .collect();
            threads.into_iter().map(|thread| thread.join().unwrap()).collect()
        });
        assert!(found.iter().all(|&number| number == found[0]), "{found:?}");
    }

    #[test]
    fn a_failure_is_told_and_tried_again() {
        let one = PerProcess::new();
        assert_eq!(one.get(|| Err("not now")), Err("not now"));
        assert_eq!(one.get(|| Ok::<_, &str>(7)), Ok(&7));
        assert_eq!(one.get(|| Err("not asked")), Ok(&7));
    }

    #[test]
    fn another_process_has_its_own() {
        let one = PerProcess(OnceBox::new());
        let parents = Entry { process: std::process::id() + 1, value: "parent", next: PerProcess::new() };
        assert!(one.0.set(Box::new(parents)).is_ok());
        assert_eq!(one.get(|| Ok::<_, Infallible>("child")), Ok(&"child"));
        assert_eq!(one.get(|| Ok::<_, Infallible>("again")), Ok(&"child"));
    }
}
