//! Enums that text columns store.

/// Declares an enum whose values a text column stores in snake case, with `as_str` and `parse` between the two.
///
/// strum derives both directions from the names of the values, so that no list of words can differ from them. The
/// columns of the entities stay text, because a CHECK and not a database type limits them on both engines. The enum of
/// the API, which has the same values, describes each of them.
#[macro_export]
macro_rules! text_enum {
    ($(#[$doc:meta])* $name:ident { $($(#[$value_doc:meta])* $value:ident,)* }) => {
        $(#[$doc])*
        #[allow(missing_docs, reason = "the enum of the API describes each value")]
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        #[derive(strum::Display, strum::EnumString, strum::IntoStaticStr)]
        #[strum(serialize_all = "snake_case")]
        pub enum $name { $($(#[$value_doc])* $value,)* }

        impl $name {
            /// Returns the text that the database stores.
            pub fn as_str(self) -> &'static str {
                self.into()
            }

            /// Reads the text of a column. Another text than a CHECK allows is an internal error.
            pub fn parse(text: &str) -> $crate::error::Result<Self> {
                text.parse().map_err(|_| {
                    $crate::error::Error::internal(anyhow::anyhow!("{text:?} is not a {}.", stringify!($name)))
                })
            }
        }

        impl From<$name> for sea_orm::Value {
            fn from(value: $name) -> Self {
                value.as_str().into()
            }
        }

        impl serde::Serialize for $name {
            fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.serialize_str(self.as_str())
            }
        }

        impl<'de> serde::Deserialize<'de> for $name {
            fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                let text = <String as serde::Deserialize>::deserialize(deserializer)?;
                text.parse().map_err(|_| serde::de::Error::custom(format!("{text:?} is not a {}", stringify!($name))))
            }
        }
    };
}
