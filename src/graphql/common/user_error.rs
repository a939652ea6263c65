//! User errors: what a caller can mend, told beside the data and not in place of it.

use crate::error::{Error, Refusal};

/// Declares the error of one mutation: an enum of its codes, and an object with code, field and message.
///
/// The codes are those of the [`Refusal`]s that the mutation's verb gives; a refusal with another code is a fault of
/// ours, which the tests would show.
///
/// `declining` stands before `with` where a card may be declined: the error then says why.
#[macro_export]
macro_rules! user_error {
    ($(#[$doc:meta])* $name:ident with $($codes:tt)*) => {
        $crate::user_error!(@codes $name $($codes)*);
        $crate::user_error!(@error [$(#[$doc])*] $name $($codes)*);
    };
    ($(#[$doc:meta])* $name:ident declining with $($codes:tt)*) => {
        $crate::user_error!(@codes $name $($codes)*);
        $crate::user_error!(@error [$(#[$doc])*] $name $($codes)* {
            /// Why the card's bank declined, in Stripe's word, e.g. `insufficient_funds`; null where no card was declined.
            pub decline_code: Option<String>,
        });
    };
    (@codes $name:ident $(#[$code_doc:meta])* $codes:ident { $($(#[$value_doc:meta])* $value:ident = $code:literal,)+ }) => {
        $(#[$code_doc])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, async_graphql::Enum)]
        #[allow(clippy::enum_variant_names, reason = "the names are the codes that clients see")]
        pub enum $codes { $($(#[$value_doc])* $value,)+ }

        impl $codes {
            fn of(refusal: &$crate::error::Refusal) -> Option<Self> {
                match refusal.code {
                    $($code => Some($codes::$value),)+
                    _ => None,
                }
            }
        }
    };
    (@error [$(#[$doc:meta])*] $name:ident $(#[$code_doc:meta])* $codes:ident { $($list:tt)+ } $({ $(#[$more_doc:meta])* pub $more:ident: $kind:ty, })?) => {
        $(#[$doc])*
        #[derive(Debug, Clone, async_graphql::SimpleObject)]
        pub struct $name {
            /// The rule that refused the request, e.g. `CODE_TAKEN`: the name of the value in `errorCode`.
            pub code: String,
            /// The same rule as an enum, for clients that handle every value of this mutation. Values may be added.
            pub error_code: $codes,
            /// The field of the input at fault, from the outermost in; null where no single one is.
            pub field: Option<Vec<String>>,
            /// What is wrong, and what to do about it.
            pub message: String,
            $($(#[$more_doc])* pub $more: $kind,)?
        }

        impl $crate::graphql::common::user_error::FromRefusal for $name {
            fn from_refusal(refusal: &$crate::error::Refusal) -> Option<Self> {
                Some($name {
                    code: refusal.code.to_owned(),
                    error_code: $codes::of(refusal)?,
                    field: $crate::graphql::common::user_error::field_path(refusal),
                    message: refusal.message.to_string(),
                    $($more: refusal.$more.clone(),)?
                })
            }
        }
    };
}

/// The error of one mutation.
pub trait FromRefusal: Sized {
    /// The refusal in the words of this mutation, if it is one of its own.
    fn from_refusal(refusal: &Refusal) -> Option<Self>;
}

/// The path of the field at fault.
pub fn field_path(refusal: &Refusal) -> Option<Vec<String>> {
    (!refusal.field.is_empty()).then(|| refusal.field.iter().map(|part| (*part).to_owned()).collect())
}

/// Tells what the caller can mend from what they cannot: the value or the user errors, or an error of the field.
pub fn settle<T, E: FromRefusal>(result: Result<T, Error>) -> async_graphql::Result<(Option<T>, Vec<E>)> {
    match result {
        Ok(value) => Ok((Some(value), Vec::new())),
        Err(Error::Refused(refusal)) => match E::from_refusal(&refusal) {
            Some(error) => Ok((None, vec![error])),
            None => Err(Error::internal(anyhow::anyhow!("{} is no code of this mutation", refusal.code)).into()),
        },
        Err(error) => Err(error.into()),
    }
}
