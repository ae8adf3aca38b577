//! The conversion of messages whose fields bear the same names in the domain and on the wire.
//!
//! Knows no message; a field that is added on one side only does not compile.

/// Makes both directions for a message whose fields bear the same names on both sides. `handle` fields are 16-bit
/// numbers, `text` fields plain texts, `opt` fields optional ones, `list` fields lists of texts, `time` fields optional
/// moments of the endpoint's clock; `same` fields are taken as they are.
macro_rules! convert {
    ($name:ident { $(handle $handle:ident,)? $(text $text:ident,)* $(opt $opt:ident,)* $(list $list:ident,)*
        $(time $time:ident,)* $(same $same:ident,)* }) => {
        impl From<&$name> for v1::$name {
            fn from(value: &$name) -> Self {
                let $name { $($handle,)? $($text,)* $($opt,)* $($list,)* $($time,)* $($same,)* } = value;
                Self {
                    $($handle: u32::from(*$handle),)?
                    $($text: $text.clone(),)*
                    $($opt: $opt.clone(),)*
                    $($list: $list.clone(),)*
                    $($time: $time.map(to_timestamp_endpoint),)*
                    $($same: *$same,)*
                }
            }
        }

        impl TryFrom<v1::$name> for $name {
            type Error = Invalid;

            fn try_from(value: v1::$name) -> Result<Self, Invalid> {
                let v1::$name { $($handle,)? $($text,)* $($opt,)* $($list,)* $($time,)* $($same,)* } = value;
                Ok(Self {
                    $($handle: handle($handle)?,)?
                    $($text: text(stringify!($text), $text)?,)*
                    $($opt: optional_text(stringify!($opt), $opt)?,)*
                    $($list: texts(stringify!($list), $list)?,)*
                    $($time: $time.as_ref().map(endpoint_time),)*
                    $($same,)*
                })
            }
        }
    };
}
