//! Types, filters and orders of accounts.

use crate::accounts as feature;
use crate::error::Result;
use crate::graphql::common::{DateTimeRange, Word, text};
use crate::{order_input, words};
use async_graphql::InputObject;

words! {
    /// Who shares an account.
    AccountKind {
        /// One person; everyone has exactly one of these.
        Individual = "individual",
        /// Two people.
        Couple = "couple",
        /// A team.
        Team = "team",
        /// An organisation.
        Organisation = "organisation",
    }
}

/// Which accounts to list.
#[derive(InputObject, Default)]
pub struct AccountFilter {
    /// This type alone.
    kind: Option<AccountKind>,
    /// The object of the host application that it stands for.
    reference: Option<ReferenceInput>,
    /// Opened in this span.
    created_at: Option<DateTimeRange>,
}

/// An object of the host application.
#[derive(InputObject)]
pub struct ReferenceInput {
    /// What kind of object it is.
    ref_type: String,
    /// Which object it is.
    ref_id: String,
}

order_input! {
    /// How to order accounts.
    AccountOrder by
    /// What accounts can be ordered by.
    AccountOrderField {
        /// When they were opened.
        CreatedAt,
    }
}

impl AccountFilter {
    pub(crate) fn list(filter: Option<Self>, order: Option<AccountOrder>) -> Result<feature::Accounts> {
        let filter = filter.unwrap_or_default();
        let reference = match filter.reference {
            Some(reference) => Some((text("refType", reference.ref_type)?, text("refId", reference.ref_id)?)),
            None => None,
        };
        Ok(feature::Accounts {
            kind: filter.kind.map(Word::word),
            reference,
            created: DateTimeRange::between(filter.created_at),
            descending: AccountOrder::descending(order, true),
        })
    }
}
