//! When: pure arithmetic on durations. No clock and no random numbers here, both are arguments; `random` is
//! always a number in `0.0..1.0`.

use std::time::Duration;

/// The share of a token's life after which it is replaced, unless configured otherwise.
///
/// `Microsoft.Azure.StackExchangeRedis` uses the same 75 %: with tokens that live a day it leaves hours to
/// survive an outage of the token endpoint.
pub const REFRESH_RATIO: f64 = 0.75;
/// The share of a token's life by which a refresh may come earlier, at random, so that a fleet does not ask
/// at once. Azure's best practices for Entra sign-in ask for such a jitter.
pub const REFRESH_JITTER: f64 = 0.1;
/// How long before its expiry a token is replaced at the latest; Azure's best practices ask for 3 minutes.
pub const REFRESH_MARGIN: Duration = Duration::from_mins(5);
/// The longest wait after the first failed attempt.
pub const RETRY_MIN: Duration = Duration::from_secs(1);
/// The longest wait after any failed attempt that names none itself.
pub const RETRY_MAX: Duration = Duration::from_secs(30);
/// How long the first attempt may take.
pub const REQUEST_TIMEOUT: Duration = Duration::from_secs(10);

/// The longest wait that a token endpoint may ask for with `Retry-After`.
const RETRY_AFTER_MAX: Duration = Duration::from_mins(5);
/// A token is not handed out when it has less than this left, or [`ABOUT_TO_EXPIRE_SHARE`] of its life.
const ABOUT_TO_EXPIRE: Duration = Duration::from_secs(10);
const ABOUT_TO_EXPIRE_SHARE: f64 = 0.05;
/// Two refreshes that a tiny ratio asks for are at least this far apart, or half a life if that is less.
const REFRESH_FLOOR: Duration = Duration::from_millis(100);

/// When to replace a token, and how fast to try again.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Schedule {
    /// Share of the lifetime, in `0.0..=1.0`.
    pub(crate) refresh_ratio: f64,
    /// Share of the lifetime, in `0.0..=1.0`.
    pub(crate) refresh_jitter: f64,
    pub(crate) refresh_margin: Duration,
    pub(crate) retry_min: Duration,
    pub(crate) retry_max: Duration,
    pub(crate) request_timeout: Duration,
}

impl Default for Schedule {
    fn default() -> Self {
        Self {
            refresh_ratio: REFRESH_RATIO,
            refresh_jitter: REFRESH_JITTER,
            refresh_margin: REFRESH_MARGIN,
            retry_min: RETRY_MIN,
            retry_max: RETRY_MAX,
            request_timeout: REQUEST_TIMEOUT,
        }
    }
}

impl Schedule {
    /// How long after its receipt a token that lives for `lifetime` is due for replacement.
    ///
    /// The ratio of the lifetime, less the jitter; never later than the margin before expiry when the token
    /// lives for two margins or more (Entra's shortest configurable lifetime is 10 minutes); always so long
    /// before the token counts as about to expire that connections can still sign in again. The jitter takes
    /// at most half of what the ratio gives, so that a small ratio is not eaten up.
    pub(crate) fn refresh_after(&self, lifetime: Duration, random: f64) -> Duration {
        let share = lifetime.mul_f64(self.refresh_ratio.clamp(0.0, 1.0));
        let span = lifetime.mul_f64(self.refresh_jitter.clamp(0.0, 1.0)).min(share / 2);
        let mut due = share.saturating_sub(span.mul_f64(random));
        if lifetime >= self.refresh_margin * 2 {
            due = due.min(lifetime.saturating_sub(self.refresh_margin));
        }
        let usable = usable_for(lifetime);
        due.max(REFRESH_FLOOR.min(lifetime / 2)).min(usable.saturating_sub(lifetime.saturating_sub(usable)))
    }

    /// How long to wait when a refresh brought back the token already held, `remaining` before its expiry.
    ///
    /// Half of the way to the margin before expiry, or to the expiry when the margin has begun: a source that
    /// caches (managed identity) gets a handful of questions and not a stream of them. At least `retry_min`.
    pub(crate) fn unchanged_after(&self, remaining: Duration) -> Duration {
        let target = match remaining.checked_sub(self.refresh_margin) {
            Some(to_margin) if !to_margin.is_zero() => to_margin,
            _ => remaining,
        };
        (target / 2).max(self.retry_min)
    }

    /// How long to wait after failed attempt `attempt` (from 1).
    ///
    /// Full jitter below a ceiling that doubles from `retry_min` to `retry_max`, but never less than half of
    /// `retry_min`. A `permanent` refusal (wrong secret, unknown tenant) goes to the upper half below
    /// `retry_max` at once: it heals when somebody changes something, not by being asked. `retry_after` is what
    /// the endpoint asked for: never undercut up to 5 minutes, and with up to a tenth more so that a throttled
    /// fleet does not come back at once.
    pub(crate) fn retry_after(
        &self,
        attempt: u32,
        permanent: bool,
        retry_after: Option<Duration>,
        random: f64,
    ) -> Duration {
        let max = self.retry_max.max(self.retry_min);
        let (floor, ceiling) = if permanent {
            (max / 2, max)
        } else {
            let doublings = attempt.saturating_sub(1).min(30);
            (self.retry_min / 2, self.retry_min.saturating_mul(1 << doublings).min(max))
        };
        let wait = floor + ceiling.saturating_sub(floor).mul_f64(random);
        match retry_after {
            Some(asked) => {
                let asked = asked.min(RETRY_AFTER_MAX);
                wait.max(asked + asked.mul_f64(0.1 * random))
            }
            None => wait,
        }
    }

    /// How long to wait before a token is asked for because the server refused the last one.
    ///
    /// The first refusal (`refusals` = 1) is acted on at once; further ones back off as failed attempts do, so
    /// that an identity without access does not hammer the token endpoint.
    pub(crate) fn refused_after(&self, refusals: u32, random: f64) -> Duration {
        match refusals {
            0 | 1 => Duration::ZERO,
            more => self.retry_after(more - 1, false, None, random).max(self.retry_min),
        }
    }

    /// How long attempt `attempt` (from 1) may take: `request_timeout`, and half of it more with every further
    /// attempt up to three times as much. By default 10 s, +5 s per attempt, up to 30 s.
    pub(crate) fn attempt_timeout(&self, attempt: u32) -> Duration {
        let steps = attempt.saturating_sub(1).min(4);
        self.request_timeout + (self.request_timeout / 2) * steps
    }
}

/// How long a token that lives for `lifetime` may be handed out: all of its life but the last 10 s, or the
/// last 5 % if that is less.
pub(crate) fn usable_for(lifetime: Duration) -> Duration {
    lifetime.saturating_sub(ABOUT_TO_EXPIRE.min(lifetime.mul_f64(ABOUT_TO_EXPIRE_SHARE)))
}

/// How long connection `index` of `count` waits before it sends its `AUTH`, when all of them share `window`.
///
/// Each connection has a slot of its own and a random place in it, so that the `AUTH`s of one process are
/// spread evenly and those of a fleet do not coincide.
#[allow(clippy::cast_precision_loss, reason = "a count of connections is far below 2^52")]
pub fn auth_delay(index: usize, count: usize, window: Duration, random: f64) -> Duration {
    let count = count.max(1);
    let place = (index % count) as f64 + random.clamp(0.0, 1.0);
    window.mul_f64((place / count as f64).min(1.0))
}

#[cfg(test)]
#[allow(clippy::unchecked_time_subtraction, reason = "a test that underflows has failed")]
#[allow(clippy::cast_precision_loss, reason = "the counts are small")]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const HOUR: Duration = Duration::from_hours(1);

    fn random() -> impl Strategy<Value = f64> {
        0.0..1.0_f64
    }

    fn schedule(ratio: f64, jitter: f64) -> Schedule {
        Schedule { refresh_ratio: ratio, refresh_jitter: jitter, ..Schedule::default() }
    }

    #[test]
    fn an_hour_long_token_is_replaced_between_65_and_75_percent() {
        let default = Schedule::default();
        assert_eq!(default.refresh_after(HOUR, 0.0), HOUR.mul_f64(0.75));
        let early = default.refresh_after(HOUR, 0.999_999);
        assert!(early >= HOUR.mul_f64(0.65) && early < HOUR.mul_f64(0.651), "{early:?}");
    }

    #[test]
    fn the_margin_holds_for_lives_of_two_margins_or_more() {
        assert_eq!(schedule(1.0, 0.0).refresh_after(HOUR, 0.0), HOUR - REFRESH_MARGIN);
        let minute = Duration::from_mins(1);
        assert_eq!(schedule(1.0, 0.0).refresh_after(minute, 0.0), minute.mul_f64(0.9));
        assert_eq!(schedule(0.75, 0.0).refresh_after(minute, 0.0), minute.mul_f64(0.75));
    }

    #[test]
    fn attempts_may_take_10_15_20_25_30_30_seconds() {
        let times: Vec<_> = (1..=6).map(|n| Schedule::default().attempt_timeout(n).as_secs()).collect();
        assert_eq!(times, [10, 15, 20, 25, 30, 30]);
    }

    #[test]
    fn an_unchanged_token_is_asked_for_half_way_to_the_margin() {
        let default = Schedule::default();
        assert_eq!(default.unchanged_after(HOUR), (HOUR - REFRESH_MARGIN) / 2);
        assert_eq!(default.unchanged_after(Duration::from_secs(100)), Duration::from_secs(50));
        assert_eq!(default.unchanged_after(Duration::ZERO), RETRY_MIN);
    }

    #[test]
    fn the_first_refused_token_is_replaced_at_once_and_later_ones_back_off() {
        let default = Schedule::default();
        assert_eq!(default.refused_after(1, 0.9), Duration::ZERO);
        assert!(default.refused_after(2, 0.0) >= RETRY_MIN);
        assert!(default.refused_after(20, 0.999) > RETRY_MAX / 2);
    }

    proptest! {
        #[test]
        fn a_refresh_is_due_inside_the_usable_life(
            ratio in 0.0001..=1.0_f64, jitter in 0.0..=1.0_f64, life_ms in 1..200_000_000_u64, random in random(),
        ) {
            let life = Duration::from_millis(life_ms);
            let due = schedule(ratio, jitter).refresh_after(life, random);
            prop_assert!(due > Duration::ZERO);
            prop_assert!(due <= usable_for(life));
            prop_assert!(usable_for(life) < life);
            if life >= REFRESH_MARGIN * 2 {
                prop_assert!(due <= life - REFRESH_MARGIN);
            }
        }

        #[test]
        fn a_refresh_is_never_later_than_the_ratio_nor_earlier_than_the_jitter(
            ratio in 0.0001..=1.0_f64, jitter in 0.0..=1.0_f64, life_s in 1..200_000_u64, random in random(),
        ) {
            let life = Duration::from_secs(life_s);
            let due = schedule(ratio, jitter).refresh_after(life, random);
            prop_assert!(due <= life.mul_f64(ratio).max(REFRESH_FLOOR));
            let earliest = life.mul_f64((ratio - jitter).max(ratio / 2.0)).min(usable_for(life));
            let earliest = if life >= REFRESH_MARGIN * 2 { earliest.min(life - REFRESH_MARGIN) } else { earliest };
            prop_assert!(due + Duration::from_micros(1) >= earliest, "{:?} < {:?}", due, earliest);
        }

        #[test]
        fn a_retry_stays_between_its_floor_and_its_ceiling(
            attempt in 1..u32::MAX, permanent: bool, random in random(),
        ) {
            let wait = Schedule::default().retry_after(attempt, permanent, None, random);
            prop_assert!(wait >= RETRY_MIN / 2);
            prop_assert!(wait <= RETRY_MAX);
            if permanent {
                prop_assert!(wait >= RETRY_MAX / 2);
            } else if attempt < 6 {
                prop_assert!(wait <= RETRY_MIN * 2_u32.pow(attempt - 1));
            }
        }

        #[test]
        fn retry_after_is_never_undercut_below_five_minutes_and_never_exceeded_by_much(
            attempt in 1..100_u32, permanent: bool, asked_s in 0..100_000_u64, random in random(),
        ) {
            let asked = Duration::from_secs(asked_s);
            let wait = Schedule::default().retry_after(attempt, permanent, Some(asked), random);
            prop_assert!(wait >= asked.min(RETRY_AFTER_MAX));
            prop_assert!(wait <= RETRY_AFTER_MAX.mul_f64(1.1));
        }

        #[test]
        fn odd_retry_bounds_do_not_panic(
            min_ms in 0..100_000_u64, max_ms in 0..100_000_u64, attempt in 0..u32::MAX, random in random(),
        ) {
            let odd = Schedule {
                retry_min: Duration::from_millis(min_ms), retry_max: Duration::from_millis(max_ms), ..Schedule::default()
            };
            let max = odd.retry_max.max(odd.retry_min);
            prop_assert!(odd.retry_after(attempt, false, None, random) <= max);
            prop_assert!(odd.refused_after(attempt, random) <= max);
        }

        #[test]
        fn an_unchanged_token_is_never_asked_for_without_a_pause(remaining_ms in 0..200_000_000_u64) {
            let remaining = Duration::from_millis(remaining_ms);
            let wait = Schedule::default().unchanged_after(remaining);
            prop_assert!(wait >= RETRY_MIN);
            prop_assert!(wait <= (remaining / 2).max(RETRY_MIN));
        }

        #[test]
        fn connections_are_spread_over_the_window_each_in_its_slot(
            count in 1..2000_usize, seed in 0..2000_usize, window_ms in 0..60_000_u64, random in random(),
        ) {
            let index = seed % count;
            let window = Duration::from_millis(window_ms);
            let delay = auth_delay(index, count, window, random);
            prop_assert!(delay <= window);
            let slot = window.mul_f64(1.0 / count as f64);
            let start = window.mul_f64(index as f64 / count as f64);
            let slack = Duration::from_micros(1);
            prop_assert!(delay + slack >= start && delay <= start + slot + slack);
        }
    }
}
