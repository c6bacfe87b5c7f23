//! How long the next slice of a wait is: pure arithmetic on durations.

use std::time::Duration;

/// A connection whose token is good for less than this is signed in again before it waits.
pub(super) const SHORTEST_LIFE: Duration = Duration::from_millis(100);

/// How long the next slice may be on a connection whose token is usable for so long (`None`: it has none).
///
/// `None`: the connection must be signed in again first. A slice takes half of the usable time at the most, so that
/// one in which a new token arrives still ends well before the old one does. `longest` keeps a connection from being
/// idle for so long that somebody on the way drops it.
pub(super) fn next(left: Option<Duration>, usable: Option<Duration>, longest: Duration) -> Option<Duration> {
    let mut slice = left.unwrap_or(longest).min(longest);
    if let Some(usable) = usable {
        if usable < SHORTEST_LIFE {
            return None;
        }
        slice = slice.min(usable / 2);
    }
    Some(slice.max(Duration::from_millis(1)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn a_slice_ends_before_the_token_the_wait_and_the_patience_of_the_path(
            left in prop::option::of(0u64..100_000_000), usable in prop::option::of(0u64..100_000_000),
        ) {
            let [left, usable] = [left, usable].map(|time| time.map(Duration::from_millis));
            let longest = Duration::from_mins(1);
            match next(left, usable, longest) {
                None => prop_assert!(usable.is_some_and(|usable| usable < SHORTEST_LIFE)),
                Some(slice) => {
                    prop_assert!(slice <= longest && slice >= Duration::from_millis(1));
                    prop_assert!(left.is_none_or(|left| slice <= left.max(Duration::from_millis(1))));
                    prop_assert!(usable.is_none_or(|usable| slice <= usable / 2));
                }
            }
        }
    }
}
