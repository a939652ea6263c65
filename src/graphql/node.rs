//! Global ids, and the things that have them.

use super::accounts::Account;
use super::api_keys::ApiKey;
use super::audit::AuditLogEntry;
use super::context::ContextExt;
use super::credits::{CreditBalance, CreditGrant, LedgerEntry, LedgerTransaction};
use super::discounts::{Coupon, DiscountRedemption, PromoCode};
use super::gifts::Gift;
use super::inbox::WebhookEvent;
use super::invoices::Invoice;
use super::licences::{Device, LicenseKey};
use super::loaders::Row;
use super::members::AccountMember;
use super::payments::Payment;
use super::plan_parts::{CreditAllowance, CreditUnit, Feature, PlanFeature, Price};
use super::plans::{Plan, PlanVersion};
use super::provider_calls::ProviderCall;
use super::provider_customers::ProviderCustomer;
use super::provider_prices::ProviderPrice;
use super::refunds::{Dispute, Refund};
use super::security::SecurityEvent;
use super::subscription_parts::{ScheduledChange, SubscriptionItem};
use super::subscription_versions::SubscriptionVersion;
use super::subscriptions::Subscription;
use super::users::User;
use crate::db::Visible;
use crate::error::{Error, Result};
use async_graphql::{Context, ID, Interface};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use futures_util::future::try_join_all;
use uuid::Uuid;

/// A type of the API that shows the rows of one table.
pub trait Record: From<Row<Self::Entity>> + Send + Sync + 'static {
    /// The table.
    type Entity: Visible;
    /// The name of the type.
    const NAME: &'static str;

    /// The row itself.
    fn row(&self) -> &Row<Self::Entity>;
}

/// The global id of the row of `T` with this id.
pub fn global_id<T: Record>(id: Uuid) -> ID {
    global_id_of(T::NAME, id)
}

/// The global id of the row with this id, of a type known by name alone.
pub fn global_id_of(name: &str, id: Uuid) -> ID {
    ID(STANDARD.encode(format!("{name}:{id}")))
}

fn parts(id: &str) -> Option<(String, Uuid)> {
    let text = String::from_utf8(STANDARD.decode(id).ok()?).ok()?;
    let (name, id) = text.split_once(':')?;
    // One form alone, so that equal things have equal ids.
    let uuid = Uuid::try_parse(id).ok().filter(|uuid| uuid.to_string() == id)?;
    Some((name.to_owned(), uuid))
}

/// The id in the table of a row of `T`, from a global id that an argument holds.
pub fn local_id<T: Record>(id: &ID) -> Result<Uuid> {
    match parts(id) {
        Some((name, uuid)) if name == T::NAME => Ok(uuid),
        Some((name, _)) => {
            Err(Error::bad_input(format!("this id is one of the type {}, not {}", printable(&name), T::NAME)))
        }
        None => Err(Error::bad_input(format!("this is not an id; take one of the type {} from the field id", T::NAME))),
    }
}

/// The id in the table from a global id of whatever type.
pub fn any_local_id(id: &ID) -> Result<Uuid> {
    let parts = parts(id).ok_or_else(|| Error::bad_input("this is not an id; take it from a field id"))?;
    Ok(parts.1)
}

/// A caller's text in a message: short, and nothing but letters.
fn printable(name: &str) -> String {
    name.chars().filter(char::is_ascii_alphanumeric).take(40).collect()
}

/// The row behind a field, or null where there is none or the caller may not see it.
pub async fn to_one<T: Record>(ctx: &Context<'_>, id: Option<Uuid>) -> async_graphql::Result<Option<T>>
where
    <T::Entity as sea_orm::EntityTrait>::Model: Send + Sync,
{
    let Some(id) = id else { return Ok(None) };
    Ok(ctx.loaders().row::<T::Entity>(id).await?.map(T::from))
}

/// The row behind a field that a foreign key promises.
pub async fn to_exactly_one<T: Record>(ctx: &Context<'_>, id: Uuid) -> async_graphql::Result<T>
where
    <T::Entity as sea_orm::EntityTrait>::Model: Send + Sync,
{
    Ok(to_one(ctx, Some(id)).await?.ok_or(Error::NotFound(T::NAME))?)
}

/// Declares which tables the types of the API show, and the interface that they share.
macro_rules! records {
    ($($name:ident => $table:ident,)*) => {
        $(
            impl From<Row<::entity::$table::Entity>> for $name {
                fn from(row: Row<::entity::$table::Entity>) -> Self {
                    $name(row)
                }
            }

            impl Record for $name {
                type Entity = ::entity::$table::Entity;
                const NAME: &'static str = stringify!($name);

                fn row(&self) -> &Row<Self::Entity> {
                    &self.0
                }
            }
        )*

        /// Something with a global id, which `node` finds again.
        #[derive(Interface)]
        #[graphql(field(name = "id", ty = "ID", desc = "The global id. Opaque, unique over all types."))]
        pub enum Node { $($name($name),)* }

        /// Finds what a global id stands for: null for nothing, and for what the caller may not see.
        pub async fn find(ctx: &Context<'_>, id: &ID) -> async_graphql::Result<Option<Node>> {
            let Some((name, id)) = parts(id) else { return Ok(None) };
            match name.as_str() {
                $($name::NAME => found(to_one::<$name>(ctx, Some(id)).await, Node::$name),)*
                _ => Ok(None),
            }
        }
    };
}

records! {
    Account => accounts,
    AccountMember => account_members,
    ApiKey => api_keys,
    AuditLogEntry => audit_log,
    Coupon => coupons,
    CreditAllowance => credit_allowances,
    CreditBalance => balances,
    CreditGrant => credit_grants,
    CreditUnit => credit_units,
    DiscountRedemption => discount_redemptions,
    Device => devices,
    Dispute => disputes,
    Feature => features,
    Gift => gifts,
    Invoice => invoices,
    LedgerEntry => ledger_entries,
    LedgerTransaction => ledger_txns,
    LicenseKey => license_keys,
    Payment => payments,
    Plan => products,
    PlanFeature => product_features,
    PlanVersion => product_versions,
    Price => prices,
    PromoCode => promo_codes,
    ProviderCall => outbox_calls,
    ProviderCustomer => provider_customers,
    ProviderPrice => provider_prices,
    Refund => refunds,
    SecurityEvent => security_events,
    ScheduledChange => scheduled_changes,
    Subscription => subscriptions,
    SubscriptionItem => subscription_items,
    SubscriptionVersion => subscription_versions,
    User => users,
    WebhookEvent => inbox_events,
}

/// A row that one may not know of is as good as none.
fn found<T>(row: async_graphql::Result<Option<T>>, node: fn(T) -> Node) -> async_graphql::Result<Option<Node>> {
    match row {
        Err(error) if is_refusal(&error) => Ok(None),
        row => Ok(row?.map(node)),
    }
}

/// Whether the caller may not know what was asked for.
pub(super) fn is_refusal(error: &async_graphql::Error) -> bool {
    let cause = super::error::cause(error.source.as_deref());
    matches!(cause, Some(Error::Forbidden(_) | Error::Unauthenticated(_)))
}

/// The most ids that are looked up at once.
const MOST_IDS: usize = 100;

/// Finds what global ids stand for, in their order; rows of one type are read at once.
pub async fn find_all(ctx: &Context<'_>, ids: &[ID]) -> async_graphql::Result<Vec<Option<Node>>> {
    if ids.len() > MOST_IDS {
        return Err(Error::bad_input(format!("at most {MOST_IDS} ids at once")).into());
    }
    try_join_all(ids.iter().map(|id| find(ctx, id))).await
}
