//! Kinds, filters and orders of accounts.

use crate::accounts::Accounts;
use crate::error::Result;
use crate::graphql::common::{DateTimeRange, StoredEnum, text};
use crate::{order_input, stored_enum};
use async_graphql::InputObject;

stored_enum! {
    /// The kind of an account: how many people share it.
    AccountKind: crate::accounts::AccountKind {
        /// One person. Every user has exactly one account of this kind.
        Individual,
        /// Two people.
        Couple,
        /// A team.
        Team,
        /// An organisation.
        Organisation,
    }
}

/// Conditions on accounts; an account must meet all that are given.
#[derive(InputObject, Default)]
pub struct AccountFilter {
    /// Accounts of this kind.
    kind: Option<AccountKind>,
    /// The account that stands for this object of the host application.
    reference: Option<ReferenceInput>,
    /// Accounts opened in this span.
    created_at: Option<DateTimeRange>,
}

/// An object of the host application.
#[derive(InputObject)]
pub struct ReferenceInput {
    /// The kind of object, e.g. `workspace`.
    ref_type: String,
    /// The object's id in the host application.
    ref_id: String,
}

order_input! {
    /// The order of a list of accounts.
    AccountOrder by
    /// The fields that accounts can be ordered by.
    AccountOrderField {
        /// Time of opening.
        CreatedAt,
    }
}

impl AccountFilter {
    pub(crate) fn list(filter: Option<Self>, order: Option<AccountOrder>) -> Result<Accounts> {
        let filter = filter.unwrap_or_default();
        let reference = match filter.reference {
            Some(reference) => Some((text("refType", reference.ref_type)?, text("refId", reference.ref_id)?)),
            None => None,
        };
        Ok(Accounts {
            kind: filter.kind.map(StoredEnum::stored),
            reference,
            created: DateTimeRange::between(filter.created_at),
            descending: AccountOrder::descending(order, true),
        })
    }
}
