//! The C tests: each program of `c/` against an emulator of its own, as it is under valgrind, and with its C side under
//! AddressSanitizer and UndefinedBehaviorSanitizer.

use keyless_native::suite::{Program, Under};
use std::time::Duration;

fn short(name: &'static str, under: Under) {
    Program { name, token_lifetime: Duration::from_secs(3600) }.run(under);
}

macro_rules! programs {
    ($($name:ident)*) => {
        $(mod $name {
            #[test]
            fn under_valgrind() {
                super::short(stringify!($name), super::Under::Valgrind);
            }

            #[test]
            fn with_sanitizers() {
                super::short(stringify!($name), super::Under::Sanitizers);
            }
        })*
    };
}

programs! { options replies errors waiting credentials events subscriptions }
