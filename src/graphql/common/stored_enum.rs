//! Enums of the API over the enums that features store.

use crate::error::Result;
use std::collections::BTreeSet;

/// An enum of the API whose values a text column stores, as an enum of a feature.
pub trait StoredEnum: Sized {
    /// The enum of the feature.
    type Stored: Ord;

    /// Returns the value of the feature.
    fn stored(self) -> Self::Stored;

    /// Reads the text of a column.
    fn read(text: &str) -> Result<Self>;

    /// Reads the text of a nullable column.
    fn read_option(text: Option<&str>) -> Result<Option<Self>> {
        text.map(Self::read).transpose()
    }

    /// Returns the values of the feature in an argument, each once, however long the list is.
    fn stored_list(values: Option<Vec<Self>>) -> Vec<Self::Stored> {
        let values: BTreeSet<_> = values.into_iter().flatten().map(Self::stored).collect();
        values.into_iter().collect()
    }
}

/// Declares an enum of the API with the same values as an enum that a feature stores. The description says that values may
/// be added.
#[macro_export]
macro_rules! stored_enum {
    ($(#[$doc:meta])* $name:ident: $stored:ty { $($(#[$value_doc:meta])* $value:ident,)* }) => {
        $(#[$doc])*
        /// Values may be added.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, async_graphql::Enum)]
        pub enum $name { $($(#[$value_doc])* $value,)* }

        impl $crate::graphql::common::stored_enum::StoredEnum for $name {
            type Stored = $stored;

            fn stored(self) -> $stored {
                match self { $($name::$value => <$stored>::$value,)* }
            }

            fn read(text: &str) -> $crate::error::Result<Self> {
                Ok(match <$stored>::parse(text)? { $(<$stored>::$value => $name::$value,)* })
            }
        }
    };
}
