//! What the table says about one option. The rows themselves live in `table`.

use super::value::Refusal;
use super::{Options, table::Values};

/// What kind of value an option takes, and within which bounds.
#[derive(Clone, Copy, Debug)]
#[non_exhaustive]
pub enum Kind {
    /// `true` or `false` (also yes/no, on/off, 1/0).
    Flag,
    /// A time in whole milliseconds.
    Milliseconds {
        /// The shortest.
        min: u64,
        /// The longest.
        max: u64,
    },
    /// A time in whole milliseconds, or `auto`.
    AutoMilliseconds {
        /// The longest.
        max: u64,
    },
    /// A time in seconds, with up to three decimals.
    Seconds {
        /// The longest.
        max: u64,
    },
    /// A whole number.
    Integer {
        /// The smallest.
        min: u64,
        /// The largest.
        max: u64,
    },
    /// A decimal fraction.
    Ratio {
        /// The smallest.
        min: f64,
        /// The largest.
        max: f64,
    },
    /// Any text; the empty text means: not set.
    Text,
    /// A text that is never shown; the empty text means: not set.
    Secret,
    /// One of a few words, which the function lists.
    Choice(fn() -> Vec<&'static str>),
    /// Names of Redis commands with blanks between them.
    Commands,
    /// Certificates in PEM.
    Pem,
    /// An endpoint; every one that is set is added.
    Endpoint,
}

impl Kind {
    /// The kind's name, unit included: `flag`, `milliseconds`, `seconds` ...
    pub fn name(&self) -> &'static str {
        match self {
            Self::Flag => "flag",
            Self::Milliseconds { .. } => "milliseconds",
            Self::AutoMilliseconds { .. } => "auto_milliseconds",
            Self::Seconds { .. } => "seconds",
            Self::Integer { .. } => "integer",
            Self::Ratio { .. } => "ratio",
            Self::Text => "text",
            Self::Secret => "secret",
            Self::Choice(_) => "choice",
            Self::Commands => "commands",
            Self::Pem => "pem",
            Self::Endpoint => "endpoint",
        }
    }

    /// The sentence that says what to write.
    pub(super) fn advice(&self) -> String {
        match self {
            Self::Flag => "Write true or false.".to_owned(),
            Self::Milliseconds { min, max } => format!("Write whole milliseconds from {min} to {max}."),
            Self::AutoMilliseconds { max } => format!("Write auto or whole milliseconds up to {max}."),
            Self::Seconds { max } => format!("Write seconds from 0 to {max}, with up to three decimals."),
            Self::Integer { min, max } => format!("Write a whole number from {min} to {max}."),
            Self::Ratio { min, max } => {
                format!("Write a decimal fraction from {min} to {max}, such as {max}.")
            }
            Self::Text | Self::Secret => "Write a text.".to_owned(),
            Self::Choice(words) => format!("Write one of {}.", words().join(", ")),
            Self::Commands => "Write names of Redis commands with blanks between them.".to_owned(),
            Self::Pem => "Give certificates in PEM (-----BEGIN CERTIFICATE-----).".to_owned(),
            Self::Endpoint => "Write host or host:port.".to_owned(),
        }
    }
}

/// What setting an option does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Effect {
    /// It does what its documentation says.
    Used,
    /// The same, but connection strings and URLs must not hold it; the text says what to do instead.
    NotInStrings(&'static str),
    /// It is accepted and does nothing; the text is the warning that says why.
    Warned(&'static str),
    /// It is accepted and does nothing, as it has no meaning for any server of today.
    Silent,
    /// It is refused; the text says why and what to do.
    Refused(&'static str),
}

/// One option: a row of the table.
#[non_exhaustive]
pub struct OptionInfo {
    /// Its name in every language and for [`Options::set`]: `connect_timeout`.
    pub name: &'static str,
    /// Its names in connection strings and URLs; the first one is printed. Case and underscores do not count.
    pub connection_string: &'static [&'static str],
    /// The variables of the environment that [`Options::from_env`] reads it from.
    pub environment: &'static [&'static str],
    /// What kind of value it takes.
    pub kind: Kind,
    /// What it does, with its default and the source of the rule where it is not ours.
    pub documentation: &'static str,
    /// What setting it does.
    pub effect: Effect,
    pub(super) read: fn(&mut Values, &str) -> Result<(), Refusal>,
    pub(super) show: fn(&Values) -> Option<String>,
}

impl OptionInfo {
    /// The default as text, in the option's unit; `None` where the default is "not set".
    pub fn default(&self) -> Option<String> {
        (self.show)(&Values::default())
    }

    /// The value that options have, as text; secrets as `***`; `None` where it is not set.
    pub fn value(&self, options: &Options) -> Option<String> {
        (self.show)(&options.values)
    }

    /// A row for an option that other clients know and that changes nothing here.
    pub(super) const fn without_effect(
        name: &'static str,
        connection_string: &'static [&'static str],
        kind: Kind,
        effect: Effect,
        documentation: &'static str,
    ) -> Self {
        Self {
            name,
            connection_string,
            environment: &[],
            kind,
            documentation,
            effect,
            read: match kind {
                Kind::Flag => |_, text| <super::value::Flag as super::value::Codec>::read(text).map(|_| ()),
                _ => |_, _| Ok(()),
            },
            show: |_| None,
        }
    }

    /// Whether the option has this name; case, underscores and hyphens do not count.
    pub fn is_named(&self, name: &str) -> bool {
        std::iter::once(&self.name).chain(self.connection_string).any(|own| same_name(own, name))
    }
}

impl std::fmt::Debug for OptionInfo {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("OptionInfo")
            .field("name", &self.name)
            .field("connection_string", &self.connection_string)
            .field("environment", &self.environment)
            .field("kind", &self.kind)
            .field("effect", &self.effect)
            .finish_non_exhaustive()
    }
}

/// A name without what does not count in it.
pub(super) fn plain_name(name: &str) -> String {
    name.chars().filter(|c| !matches!(c, '_' | '-')).map(|c| c.to_ascii_lowercase()).collect()
}

fn same_name(a: &str, b: &str) -> bool {
    plain_name(a) == plain_name(b)
}
