//! The macro that makes the option table, the fields, the getters and the setters out of one list of rows.
//! The list itself lives in `table`.

/// One getter and one setter, by how the value is handed over.
macro_rules! accessor {
    (copy<$type:ty>, $name:ident, $with:ident, $codec:ty, [$($doc:literal)+]) => {
        $(#[doc = $doc])+
        pub fn $name(&self) -> $type {
            self.values.$name
        }

        #[doc = concat!("Sets [`", stringify!($name), "`](Self::", stringify!($name), ").")]
        pub fn $with(mut self, value: $type) -> Self {
            self.values.$name = <$codec as Codec>::settle(value);
            self.settled()
        }
    };
    (string, $name:ident, $with:ident, $codec:ty, [$($doc:literal)+]) => {
        accessor!(borrowed<str, String>, $name, $with, $codec, [$($doc)+], as_deref);
    };
    (secret, $name:ident, $with:ident, $codec:ty, [$($doc:literal)+]) => {
        accessor!(borrowed<Secret, Secret>, $name, $with, $codec, [$($doc)+], as_ref);
    };
    (tunnel, $name:ident, $with:ident, $codec:ty, [$($doc:literal)+]) => {
        accessor!(borrowed<Tunnel, Tunnel>, $name, $with, $codec, [$($doc)+], as_ref);
    };
    (bytes, $name:ident, $with:ident, $codec:ty, [$($doc:literal)+]) => {
        accessor!(borrowed<[u8], Vec<u8>>, $name, $with, $codec, [$($doc)+], as_deref);
    };
    (list, $name:ident, $with:ident, $codec:ty, [$($doc:literal)+]) => {
        $(#[doc = $doc])+
        pub fn $name(&self) -> &[String] {
            &self.values.$name
        }

        #[doc = concat!("Sets [`", stringify!($name), "`](Self::", stringify!($name), ").")]
        pub fn $with<T: Into<String>>(mut self, value: impl IntoIterator<Item = T>) -> Self {
            self.values.$name = <$codec as Codec>::settle(value.into_iter().map(Into::into).collect());
            self
        }
    };
    (borrowed<$view:ty, $owned:ty>, $name:ident, $with:ident, $codec:ty, [$($doc:literal)+], $borrow:ident) => {
        $(#[doc = $doc])+
        pub fn $name(&self) -> Option<&$view> {
            self.values.$name.$borrow()
        }

        #[doc = concat!("Sets [`", stringify!($name), "`](Self::", stringify!($name), "); empty means: not set.")]
        pub fn $with(mut self, value: impl Into<$owned>) -> Self {
            self.values.$name = <$codec as Codec>::settle(Some(value.into()));
            self
        }
    };
}

/// The effect of a row: what is written, or `Used`.
macro_rules! effect {
    () => {
        Effect::Used
    };
    ($effect:expr) => {
        $effect
    };
}

/// Rows: documentation, how the value is handed over, name / setter, codec = default, names in
/// connection strings, then variables of the environment and effect where there are some.
macro_rules! options {
    (
        $(
            $(#[doc = $doc:literal])+
            $class:ident $(<$type:ty>)? $name:ident / $with:ident: $codec:ty = $default:expr,
            [$($string:literal),*] $(, env [$($env:literal),+])? $(, effect $effect:expr)?;
        )+
        also $($other:expr;)+
    ) => {
        /// The values of all options.
        #[derive(Clone, PartialEq)]
        pub(super) struct Values {
            pub(super) endpoints: Vec<Endpoint>,
            $(pub(super) $name: <$codec as Codec>::Value,)+
        }

        impl Default for Values {
            fn default() -> Self {
                Self { endpoints: Vec::new(), $($name: $default,)+ }
            }
        }

        impl Options {
            $(accessor!($class $(<$type>)?, $name, $with, $codec, [$($doc)+]);)+
        }

        static TABLE: &[OptionInfo] = &[
            $(OptionInfo {
                name: stringify!($name),
                connection_string: &[$($string),*],
                environment: &[$($($env),+)?],
                kind: <$codec as Codec>::KIND,
                documentation: concat!($($doc),+).trim_ascii_start(),
                effect: effect!($($effect)?),
                read: |values, text| {
                    values.$name = <$codec as Codec>::read(text)?;
                    Ok(())
                },
                show: |values| <$codec as Codec>::show(&values.$name),
            },)+
            $($other,)+
        ];
    };
}

pub(super) use {accessor, effect, options};
