//! How an option's value is read from text and printed: one type for each kind. Kinds that are free
//! text live in `text`; which option has which kind, in the table; contradictions between options live in `validate`.

use super::choices::Choice;
use super::info::Kind;
use std::borrow::Cow;
use std::marker::PhantomData;
use std::time::Duration;

/// Why a text is not a value. `None`: it is not of the kind, and the kind's own advice says what to write.
pub(super) type Refusal = Option<Cow<'static, str>>;

/// One kind of value.
pub(super) trait Codec {
    /// The value in memory.
    type Value: Clone + PartialEq;
    /// The kind as the table shows it.
    const KIND: Kind;
    /// Reads a value; the text is free of blanks around it.
    fn read(text: &str) -> Result<Self::Value, Refusal>;
    /// Prints a value so that `read` gives an equal one; `None` for what is not set.
    fn show(value: &Self::Value) -> Option<String>;
    /// Brings a value that did not come from text into the form in which it is kept.
    fn settle(value: Self::Value) -> Self::Value {
        value
    }
}

/// `true` or `false`.
pub(super) struct Flag;

impl Codec for Flag {
    type Value = bool;
    const KIND: Kind = Kind::Flag;

    fn read(text: &str) -> Result<bool, Refusal> {
        match text.to_ascii_lowercase().as_str() {
            "true" | "yes" | "on" | "1" => Ok(true),
            "false" | "no" | "off" | "0" => Ok(false),
            _ => Err(None),
        }
    }

    fn show(value: &bool) -> Option<String> {
        Some(value.to_string())
    }
}

/// The longest time an option takes: the milliseconds in .NET's `int`, about 24.8 days.
const MAX_MILLISECONDS: u64 = i32::MAX as u64;

/// A time in whole milliseconds, rounded up.
fn whole_milliseconds(value: Duration) -> Duration {
    let milliseconds = value.as_nanos().div_ceil(1_000_000);
    Duration::from_millis(u64::try_from(milliseconds).unwrap_or(u64::MAX))
}

fn read_number(text: &str, min: u64, max: u64) -> Result<u64, Refusal> {
    if text.is_empty() || !text.bytes().all(|byte| byte.is_ascii_digit()) {
        return Err(None);
    }
    text.parse().ok().filter(|value| (min..=max).contains(value)).ok_or(None)
}

/// A time in milliseconds, at least `MIN`.
pub(super) struct Milliseconds<const MIN: u64>;

impl<const MIN: u64> Codec for Milliseconds<MIN> {
    type Value = Duration;
    const KIND: Kind = Kind::Milliseconds { min: MIN, max: MAX_MILLISECONDS };

    fn read(text: &str) -> Result<Duration, Refusal> {
        read_number(text, MIN, MAX_MILLISECONDS).map(Duration::from_millis)
    }

    fn show(value: &Duration) -> Option<String> {
        Some(value.as_millis().to_string())
    }

    fn settle(value: Duration) -> Duration {
        whole_milliseconds(value)
    }
}

/// A time in milliseconds, or `auto`.
pub(super) struct AutoMilliseconds;

impl Codec for AutoMilliseconds {
    type Value = Option<Duration>;
    const KIND: Kind = Kind::AutoMilliseconds { max: MAX_MILLISECONDS };

    fn read(text: &str) -> Result<Option<Duration>, Refusal> {
        if text.eq_ignore_ascii_case("auto") {
            return Ok(None);
        }
        read_number(text, 0, MAX_MILLISECONDS).map(|value| Some(Duration::from_millis(value)))
    }

    fn show(value: &Option<Duration>) -> Option<String> {
        Some(value.map_or_else(|| "auto".to_owned(), |value| value.as_millis().to_string()))
    }

    fn settle(value: Option<Duration>) -> Option<Duration> {
        value.map(whole_milliseconds)
    }
}

/// A time in seconds, with up to three decimals, where .NET's connection string counts in seconds.
pub(super) struct Seconds;

impl Codec for Seconds {
    type Value = Duration;
    const KIND: Kind = Kind::Seconds { max: MAX_MILLISECONDS / 1_000 };

    fn read(text: &str) -> Result<Duration, Refusal> {
        let (whole, decimals) = text.split_once('.').unwrap_or((text, "0"));
        let seconds = read_number(whole, 0, MAX_MILLISECONDS / 1_000)?;
        if decimals.len() > 3 {
            return Err(None);
        }
        let milliseconds = read_number(&format!("{decimals:0<3}"), 0, 999)?;
        if decimals.is_empty() {
            return Err(None);
        }
        Ok(Duration::from_millis(seconds * 1_000 + milliseconds))
    }

    fn show(value: &Duration) -> Option<String> {
        let (seconds, milliseconds) = (value.as_secs(), value.subsec_millis());
        let decimals = format!("{milliseconds:03}");
        let decimals = decimals.trim_end_matches('0');
        Some(if decimals.is_empty() { seconds.to_string() } else { format!("{seconds}.{decimals}") })
    }

    fn settle(value: Duration) -> Duration {
        whole_milliseconds(value)
    }
}

/// A whole number from `MIN` to `MAX`.
pub(super) struct Integer<T, const MIN: u64, const MAX: u64>(PhantomData<T>);

impl<T, const MIN: u64, const MAX: u64> Codec for Integer<T, MIN, MAX>
where
    T: Copy + PartialEq + TryFrom<u64> + ToString,
{
    type Value = T;
    const KIND: Kind = Kind::Integer { min: MIN, max: MAX };

    fn read(text: &str) -> Result<T, Refusal> {
        T::try_from(read_number(text, MIN, MAX)?).map_err(|_| None)
    }

    fn show(value: &T) -> Option<String> {
        Some(value.to_string())
    }
}

/// A fraction, bounds in per cent.
pub(super) struct Ratio<const MIN: u32, const MAX: u32>;

impl<const MIN: u32, const MAX: u32> Codec for Ratio<MIN, MAX> {
    type Value = f64;
    const KIND: Kind = Kind::Ratio { min: MIN as f64 / 100.0, max: MAX as f64 / 100.0 };

    fn read(text: &str) -> Result<f64, Refusal> {
        let plain = text.bytes().all(|byte| byte.is_ascii_digit() || byte == b'.');
        let value: f64 = text.parse().map_err(|_| None)?;
        let within = (f64::from(MIN) / 100.0..=f64::from(MAX) / 100.0).contains(&value);
        if plain && within { Ok(value) } else { Err(None) }
    }

    fn show(value: &f64) -> Option<String> {
        Some(value.to_string())
    }
}

/// One of a few words.
pub(super) struct Word<T>(PhantomData<T>);

fn read_word<T: Choice>(text: &str) -> Option<T> {
    let text = text.to_ascii_lowercase().replace('-', "_");
    T::WORDS.iter().find(|(word, _)| *word == text).map(|(_, value)| *value)
}

fn show_word<T: Choice>(value: T) -> Option<String> {
    T::WORDS.iter().find(|(_, other)| *other == value).map(|(word, _)| (*word).to_owned())
}

impl<T: Choice> Codec for Word<T> {
    type Value = T;
    const KIND: Kind = Kind::Choice(word_list::<T>);

    fn read(text: &str) -> Result<T, Refusal> {
        read_word(text).ok_or(None)
    }

    fn show(value: &T) -> Option<String> {
        show_word(*value)
    }
}

/// The spellings that are printed, without their aliases.
fn word_list<T: Choice>() -> Vec<&'static str> {
    let mut words = Vec::new();
    for (index, (word, value)) in T::WORDS.iter().enumerate() {
        if !T::WORDS[..index].iter().any(|(_, earlier)| earlier == value) {
            words.push(*word);
        }
    }
    words
}

/// One of a few words, or not set (the empty text).
pub(super) struct OptionalWord<T>(PhantomData<T>);

impl<T: Choice> Codec for OptionalWord<T> {
    type Value = Option<T>;
    const KIND: Kind = Kind::Choice(word_list::<T>);

    fn read(text: &str) -> Result<Option<T>, Refusal> {
        if text.is_empty() { Ok(None) } else { read_word(text).map(Some).ok_or(None) }
    }

    fn show(value: &Option<T>) -> Option<String> {
        value.and_then(show_word)
    }
}

/// The oldest TLS version: a word, or .NET's list with bars, of which the oldest counts.
pub(super) struct OldestTls;

impl Codec for OldestTls {
    type Value = super::TlsVersion;
    const KIND: Kind = Kind::Choice(word_list::<super::TlsVersion>);

    fn read(text: &str) -> Result<Self::Value, Refusal> {
        let mut oldest = None;
        for word in text.split('|').map(str::trim) {
            if matches!(word.to_ascii_lowercase().as_str(), "tls" | "tls10" | "tls11" | "ssl2" | "ssl3") {
                return Err(Some("Azure's caches accept TLS 1.2 and 1.3 only: write tls12 or tls13.".into()));
            }
            let version = read_word(word).ok_or(None)?;
            if oldest.is_none() || version == super::TlsVersion::Tls12 {
                oldest = Some(version);
            }
        }
        oldest.ok_or(None)
    }

    fn show(value: &Self::Value) -> Option<String> {
        show_word(*value)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::options::TlsVersion;

    #[test]
    fn seconds_keep_milliseconds() {
        for (text, milliseconds) in
            [("60", 60_000), ("0.5", 500), ("1.25", 1_250), ("0.001", 1), ("2147483", 2_147_483_000)]
        {
            let value = Seconds::read(text).unwrap();
            assert_eq!(value, Duration::from_millis(milliseconds));
            assert_eq!(Seconds::show(&value).as_deref(), Some(text));
        }
        for text in ["", ".", "1.", ".5", "1.2345", "-1", "2147484", "1e3"] {
            assert!(Seconds::read(text).is_err(), "{text}");
        }
        assert_eq!(Seconds::settle(Duration::from_nanos(1)), Duration::from_millis(1));
    }

    #[test]
    fn the_oldest_tls_version_of_a_list_counts() {
        assert_eq!(OldestTls::read("Tls12|Tls13"), Ok(TlsVersion::Tls12));
        assert_eq!(OldestTls::read("tls13"), Ok(TlsVersion::Tls13));
        assert!(matches!(OldestTls::read("tls11|tls12"), Err(Some(_))));
        assert_eq!(OldestTls::read("tls14"), Err(None));
    }

    #[test]
    fn ratios_are_plain_decimals_within_bounds() {
        assert_eq!(Ratio::<10, 90>::read("0.75"), Ok(0.75));
        for text in ["", "NaN", "inf", "1e-1", "-0.5", "0.05", "0.95"] {
            assert!(Ratio::<10, 90>::read(text).is_err(), "{text}");
        }
    }
}
