//! Property tests of the options as a whole: the round trip, the table against itself, and no panic.

use super::info::plain_name;
use super::{Effect, Kind, Options, table};
use proptest::prelude::*;
use std::collections::HashSet;

/// A text that the kind of an option accepts.
fn value_for(kind: Kind) -> BoxedStrategy<String> {
    match kind {
        Kind::Flag => any::<bool>().prop_map(|value| value.to_string()).boxed(),
        Kind::Milliseconds { min, max } | Kind::Integer { min, max } => {
            (min..=max).prop_map(|value| value.to_string()).boxed()
        }
        Kind::AutoMilliseconds { max } => {
            prop_oneof![Just("auto".to_owned()), (0..=max).prop_map(|value| value.to_string())].boxed()
        }
        Kind::Seconds { max } => (0..=max, 0u32..1000).prop_map(|(s, ms)| format!("{s}.{ms:03}")).boxed(),
        Kind::Ratio { min, max } => (min..=max).prop_map(|value| value.to_string()).boxed(),
        Kind::Choice(words) => prop::sample::select(words()).prop_map(str::to_owned).boxed(),
        Kind::Commands => "[A-Za-z]{1,8}( [A-Za-z.]{1,8}){0,3}".boxed(),
        Kind::Endpoint => "[a-z][a-z0-9]{0,8}(:[1-9][0-9]{0,3})?".boxed(),
        _ => prop_oneof!["[a-zA-Z0-9:/._-]{0,20}", "\\PC{0,20}"].boxed(),
    }
}

fn settings() -> impl Strategy<Value = Vec<(usize, String)>> {
    let row = (0..table().len()).prop_flat_map(|index| (Just(index), value_for(table()[index].kind)));
    prop::collection::vec(row, 0..12)
}

proptest! {
    #[test]
    fn what_is_printed_parses_to_equal_options(settings in settings()) {
        let mut options = Options::new("cache").unwrap();
        for (index, value) in settings {
            let info = &table()[index];
            if info.effect == Effect::Used && !matches!(info.kind, Kind::Secret) {
                // A text may be refused by the option's own rule; then nothing changed.
                let _ = options.set(info.name, &value);
            }
        }
        let printed = options.to_string();
        let parsed = Options::parse(&printed);
        prop_assert!(parsed.is_ok(), "{}: {:?}", printed, parsed);
        prop_assert_eq!(parsed.unwrap(), options, "{}", printed);
    }

    #[test]
    fn no_text_panics_and_what_parses_prints_back(text in "\\PC*") {
        if let Ok(options) = Options::parse(&text) {
            let _ = (options.validate(true), options.validate(false), format!("{options:?}"));
        }
    }

    #[test]
    fn texts_that_look_like_options_do_not_panic(
        parts in prop::collection::vec("[a-z.:\\[\\]$]{0,6}(=[a-z0-9*.|:%]{0,6})?|redis[s]?://[a-z:@/?&=%0-9]{0,20}", 0..6)
    ) {
        if let Ok(options) = Options::parse(&parts.join(",")) {
            let _ = (options.validate(true), options.validate(false), options.to_string());
        }
    }

    #[test]
    fn any_value_for_any_option_either_is_set_or_changes_nothing(index in 0..table().len(), value in "\\PC{0,40}") {
        let info = &table()[index];
        let mut options = Options::new("cache").unwrap();
        if let Err(error) = options.set(info.name, &value) {
            prop_assert!(error.message().contains(info.name));
            prop_assert!(!error.advice().is_empty());
            prop_assert_eq!(options, Options::new("cache").unwrap());
        }
    }

    #[test]
    fn a_secret_is_never_printed(secret in "[a-z]{12,20}") {
        let mut options = Options::new("cache").unwrap();
        for info in table().iter().filter(|info| matches!(info.kind, Kind::Secret)) {
            let _ = options.set(info.name, &secret);
        }
        let shown = format!("{options} {options:?} {:?}", options.warnings());
        prop_assert!(!shown.contains(&secret));
    }
}

#[test]
fn the_table_is_consistent() {
    let (mut names, mut variables) = (HashSet::new(), HashSet::new());
    for info in table() {
        let own: HashSet<_> =
            std::iter::once(&info.name).chain(info.connection_string).map(|name| plain_name(name)).collect();
        for name in own {
            assert!(names.insert(name.clone()), "{name} names two options");
        }
        for variable in info.environment {
            assert!(variables.insert(variable), "{variable} sets two options");
        }
        assert!(!info.connection_string.is_empty(), "{}", info.name);
        assert!(info.name.bytes().all(|byte| byte.is_ascii_lowercase() || byte == b'_'), "{}", info.name);
        assert!(info.documentation.ends_with('.') && !info.documentation.contains('\n'), "{}", info.name);
        if let Some(default) = info.default() {
            Options::new("a").unwrap().set(info.name, &default).unwrap();
        }
    }
}
