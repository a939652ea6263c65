//! Lists of payments, refunds, invoices and disputes.

use crate::auth::Scope;
use crate::db::{Between, ChildListing, Listing, Order, Visible, accounts_of, has_external_id, in_accounts_of, within};
use crate::order;
use crate::payments::values::{InvoiceStatus, PaymentStatus, RefundStatus, RevenueStream};
use entity::{disputes, invoices, payments, refunds};
use sea_orm::sea_query::{ExprTrait, SimpleExpr};
use sea_orm::{ColumnTrait, EntityTrait, QueryFilter, Select};

impl Visible for payments::Entity {
    fn visible(scope: Scope) -> Select<Self> {
        Self::find().filter(in_accounts_of(scope, payments::Column::AccountId))
    }
}

impl Visible for refunds::Entity {
    fn visible(scope: Scope) -> Select<Self> {
        Self::find().filter(in_accounts_of(scope, refunds::Column::AccountId))
    }
}

impl Visible for invoices::Entity {
    fn visible(scope: Scope) -> Select<Self> {
        Self::find().filter(in_accounts_of(scope, invoices::Column::AccountId))
    }
}

impl Visible for disputes::Entity {
    fn visible(scope: Scope) -> Select<Self> {
        Self::find().filter(in_accounts_of(scope, disputes::Column::AccountId))
    }
}

/// Payments, by time of creation.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Payments {
    /// Only these statuses; empty for all.
    pub statuses: Vec<PaymentStatus>,
    /// Only this stream of revenue.
    pub stream: Option<RevenueStream>,
    /// Only the one with this id at its provider.
    pub external_id: Option<String>,
    /// Time of creation.
    pub created: Between,
    /// Newest first.
    pub descending: bool,
}

impl Listing for Payments {
    type Entity = payments::Entity;

    fn filter(&self, mut rows: Select<payments::Entity>) -> Select<payments::Entity> {
        use payments::Column;
        if !self.statuses.is_empty() {
            rows = rows.filter(Column::Status.is_in(self.statuses.iter().copied()));
        }
        if let Some(stream) = self.stream {
            rows = rows.filter(Column::Stream.eq(stream));
        }
        if let Some(external_id) = &self.external_id {
            rows = rows.filter(has_external_id(Column::Provider, Column::ExternalId, external_id));
        }
        within(rows, Column::CreatedAt, &self.created)
    }

    fn order(&self) -> Order<payments::Entity> {
        order!(payments, created_at, CreatedAt, self.descending)
    }
}

/// The parent of a list of payments.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum PaymentsOf {
    /// An account.
    Account,
    /// All accounts that a user is a member of.
    User,
    /// A subscription.
    Subscription,
    /// An invoice: the attempts to pay it.
    Invoice,
}

impl ChildListing for Payments {
    type Of = PaymentsOf;

    fn belongs_to(of: PaymentsOf, parent: SimpleExpr) -> SimpleExpr {
        use payments::Column;
        match of {
            PaymentsOf::Account => Column::AccountId.into_expr().eq(parent),
            PaymentsOf::User => Column::AccountId.in_subquery(accounts_of(parent)),
            PaymentsOf::Subscription => Column::SubscriptionId.into_expr().eq(parent),
            PaymentsOf::Invoice => Column::InvoiceId.into_expr().eq(parent),
        }
    }
}

/// Refunds, by time of request.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Refunds {
    /// Only these statuses; empty for all.
    pub statuses: Vec<RefundStatus>,
    /// Only the one with this id at its provider.
    pub external_id: Option<String>,
    /// Time of request.
    pub created: Between,
    /// Newest first.
    pub descending: bool,
}

impl Listing for Refunds {
    type Entity = refunds::Entity;

    fn filter(&self, mut rows: Select<refunds::Entity>) -> Select<refunds::Entity> {
        use refunds::Column;
        if !self.statuses.is_empty() {
            rows = rows.filter(Column::Status.is_in(self.statuses.iter().copied()));
        }
        if let Some(external_id) = &self.external_id {
            rows = rows.filter(has_external_id(Column::Provider, Column::ExternalId, external_id));
        }
        within(rows, Column::CreatedAt, &self.created)
    }

    fn order(&self) -> Order<refunds::Entity> {
        order!(refunds, created_at, CreatedAt, self.descending)
    }
}

/// The parent of a list of refunds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum RefundsOf {
    /// An account.
    Account,
    /// The refunded payment.
    Payment,
}

impl ChildListing for Refunds {
    type Of = RefundsOf;

    fn belongs_to(of: RefundsOf, parent: SimpleExpr) -> SimpleExpr {
        use refunds::Column;
        match of {
            RefundsOf::Account => Column::AccountId.into_expr().eq(parent),
            RefundsOf::Payment => Column::PaymentId.into_expr().eq(parent),
        }
    }
}

/// Invoices, by time of creation.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Invoices {
    /// Only these statuses; empty for all.
    pub statuses: Vec<InvoiceStatus>,
    /// Only the one with this id at its provider.
    pub external_id: Option<String>,
    /// Time of creation.
    pub created: Between,
    /// Newest first.
    pub descending: bool,
}

impl Listing for Invoices {
    type Entity = invoices::Entity;

    fn filter(&self, mut rows: Select<invoices::Entity>) -> Select<invoices::Entity> {
        use invoices::Column;
        if !self.statuses.is_empty() {
            rows = rows.filter(Column::Status.is_in(self.statuses.iter().copied()));
        }
        if let Some(external_id) = &self.external_id {
            rows = rows.filter(has_external_id(Column::Provider, Column::ExternalId, external_id));
        }
        within(rows, Column::CreatedAt, &self.created)
    }

    fn order(&self) -> Order<invoices::Entity> {
        order!(invoices, created_at, CreatedAt, self.descending)
    }
}

/// The parent of a list of invoices.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum InvoicesOf {
    /// An account.
    Account,
    /// A subscription.
    Subscription,
}

impl ChildListing for Invoices {
    type Of = InvoicesOf;

    fn belongs_to(of: InvoicesOf, parent: SimpleExpr) -> SimpleExpr {
        use invoices::Column;
        match of {
            InvoicesOf::Account => Column::AccountId.into_expr().eq(parent),
            InvoicesOf::Subscription => Column::SubscriptionId.into_expr().eq(parent),
        }
    }
}

/// Disputes over a payment, newest first.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Disputes;

impl Listing for Disputes {
    type Entity = disputes::Entity;

    fn filter(&self, rows: Select<disputes::Entity>) -> Select<disputes::Entity> {
        rows
    }

    fn order(&self) -> Order<disputes::Entity> {
        order!(disputes, created_at, CreatedAt, true)
    }
}

impl ChildListing for Disputes {
    type Of = ();

    fn belongs_to((): (), payment: SimpleExpr) -> SimpleExpr {
        disputes::Column::PaymentId.into_expr().eq(payment)
    }
}
