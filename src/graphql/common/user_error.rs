//! User errors: rules that a caller can meet by changing the input, returned beside the data.

use crate::error::{Error, Refusal};

/// Declares the error of one mutation: an enum of its codes, and an object with code, field and message.
///
/// The codes are those of the [`Refusal`]s that the mutation's verb returns. A refusal with another code is an internal
/// error, which the tests would show.
///
/// `declining` before `with` adds the reason why a card was declined.
#[macro_export]
macro_rules! user_error {
    ($(#[$doc:meta])* $name:ident with $($codes:tt)*) => {
        $crate::user_error!(@codes $name $($codes)*);
        $crate::user_error!(@error [$(#[$doc])*] $name $($codes)*);
    };
    ($(#[$doc:meta])* $name:ident declining with $($codes:tt)*) => {
        $crate::user_error!(@codes $name $($codes)*);
        $crate::user_error!(@error [$(#[$doc])*] $name $($codes)* {
            /// Stripe's code for a declined card, e.g. `insufficient_funds`; null if no card was declined.
            pub decline_code: Option<String>,
        });
    };
    (@codes $name:ident $(#[$code_doc:meta])* $codes:ident { $($(#[$value_doc:meta])* $value:ident = $code:literal,)+ }) => {
        $(#[$code_doc])*
        /// Values may be added.
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
            /// The rule that refused the request, e.g. `CODE_TAKEN`: the name of the value in `errorCode`. Values may
            /// be added.
            pub code: String,
            /// The rule as an enum, for clients that handle each value of this mutation. Values may be added.
            pub error_code: $codes,
            /// The path of the input field at fault, outermost first; null if there is no single one.
            pub field: Option<Vec<String>>,
            /// The rule and the way to meet it, for display.
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
    /// Converts a refusal; `None` if this mutation does not declare its code.
    fn from_refusal(refusal: &Refusal) -> Option<Self>;
}

/// Returns the path of the field at fault.
pub fn field_path(refusal: &Refusal) -> Option<Vec<String>> {
    (!refusal.field.is_empty()).then(|| refusal.field.iter().map(|part| (*part).to_owned()).collect())
}

/// Splits a result into the value, user errors and an error of the field.
pub fn split_refusal<T, E: FromRefusal>(result: Result<T, Error>) -> async_graphql::Result<(Option<T>, Vec<E>)> {
    match result {
        Ok(value) => Ok((Some(value), Vec::new())),
        Err(Error::Refused(refusal)) => match E::from_refusal(&refusal) {
            Some(error) => Ok((None, vec![error])),
            None => {
                Err(Error::internal(anyhow::anyhow!("{} is not declared as a code of this mutation", refusal.code))
                    .into())
            }
        },
        Err(error) => Err(error.into()),
    }
}
