//! All types with a global id, and the look-up of rows by it.

use crate::error::Error;
use crate::graphql::accounts::account::Account;
use crate::graphql::accounts::member::AccountMember;
use crate::graphql::accounts::provider_customer::ProviderCustomer;
use crate::graphql::accounts::user::User;
use crate::graphql::analytics::campaign::EmailCampaign;
use crate::graphql::analytics::engagement::EngagementScore;
use crate::graphql::analytics::error_group::{ErrorGroup, LoggedError};
use crate::graphql::analytics::experiment::Experiment;
use crate::graphql::analytics::funnels::Funnel;
use crate::graphql::common::{Record, Row, SharedList, distinct, split_global_id, to_one};
use crate::graphql::coupons::coupon::{Coupon, DiscountRedemption, PromoCode};
use crate::graphql::credits::grant::CreditGrant;
use crate::graphql::credits::hold::CreditHold;
use crate::graphql::credits::ledger::{CreditBalance, LedgerEntry, LedgerTransaction};
use crate::graphql::entitlements::overrides::EntitlementOverride;
use crate::graphql::gifts::gift::Gift;
use crate::graphql::licences::device::Device;
use crate::graphql::licences::license_key::LicenseKey;
use crate::graphql::operations::api_keys::ApiKey;
use crate::graphql::operations::audit_log::AuditLogEntry;
use crate::graphql::operations::provider_calls::ProviderCall;
use crate::graphql::operations::publishable_keys::PublishableKey;
use crate::graphql::operations::security_events::SecurityEvent;
use crate::graphql::operations::webhook_events::WebhookEvent;
use crate::graphql::payments::invoice::Invoice;
use crate::graphql::payments::payment::Payment;
use crate::graphql::payments::refund::{Dispute, Refund};
use crate::graphql::plans::parts::{CreditAllowance, CreditUnit, Feature, PlanFeature, Price};
use crate::graphql::plans::plan::{Plan, PlanVersion};
use crate::graphql::plans::provider_price::ProviderPrice;
use crate::graphql::rate_limits::rate_limit::RateLimit;
use crate::graphql::subscriptions::discount::{SubscriptionArrChange, SubscriptionDiscount};
use crate::graphql::subscriptions::parts::{ScheduledChange, SubscriptionItem};
use crate::graphql::subscriptions::subscription::Subscription;
use crate::graphql::subscriptions::version::SubscriptionVersion;
use crate::graphql::usage::event::{UsageDay, UsageEvent};
use crate::graphql::usage::meter::Meter;
use crate::graphql::usage::rate_card::RateCard;
use async_graphql::{Context, ID, Interface, Union};
use futures_util::future::try_join_all;

/// Declares the tables of the types, and the interface that the types share.
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

        /// An object with a global id, which `node` finds by it.
        #[derive(Interface)]
        #[graphql(field(name = "id", ty = "ID", desc = "The global id. Opaque, unique over all types."))]
        pub enum Node { $($name($name),)* }

        /// Returns the object with a global id; `None` if there is none or the caller may not see it.
        pub async fn find(ctx: &Context<'_>, id: &ID) -> async_graphql::Result<Option<Node>> {
            let Some((name, id)) = split_global_id(id) else { return Ok(None) };
            match name.as_str() {
                $($name::NAME => Ok(to_one::<$name>(ctx, Some(id)).await?.map(Node::$name)),)*
                _ => Ok(None),
            }
        }

        /// An object that a gateway refers to.
        #[derive(Union)]
        #[graphql(name = "_Entity")]
        pub enum Entity { $($name($name),)* }

        /// Returns the object of a type with a global id; `None` if there is none or the caller may not see it.
        pub async fn find_entity(ctx: &Context<'_>, name: &str, id: &str) -> async_graphql::Result<Option<Entity>> {
            let id = split_global_id(id).filter(|(of, _)| of == name).map(|(_, id)| id);
            match name {
                $($name::NAME => Ok(to_one::<$name>(ctx, id).await?.map(Entity::$name)),)*
                _ => Err(Error::bad_input("`__typename` must be the name of an entity of this subgraph.").into()),
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
    CreditHold => credit_holds,
    CreditUnit => credit_units,
    DiscountRedemption => discount_redemptions,
    Device => devices,
    Dispute => disputes,
    EngagementScore => engagement_scores,
    EntitlementOverride => entitlement_overrides,
    Experiment => experiments,
    EmailCampaign => email_campaigns,
    ErrorGroup => error_groups,
    LoggedError => error_events,
    Feature => features,
    Funnel => funnels,
    Gift => gifts,
    Invoice => invoices,
    LedgerEntry => ledger_entries,
    LedgerTransaction => ledger_txns,
    LicenseKey => license_keys,
    Meter => meters,
    Payment => payments,
    Plan => products,
    PlanFeature => product_features,
    PlanVersion => product_versions,
    Price => prices,
    PromoCode => promo_codes,
    ProviderCall => outbox_calls,
    ProviderCustomer => provider_customers,
    ProviderPrice => provider_prices,
    PublishableKey => publishable_keys,
    RateCard => rate_cards,
    RateLimit => rate_limit_rules,
    Refund => refunds,
    SecurityEvent => security_events,
    ScheduledChange => scheduled_changes,
    SubscriptionArrChange => subscription_arr_changes,
    SubscriptionDiscount => subscription_discounts,
    Subscription => subscriptions,
    SubscriptionItem => subscription_items,
    SubscriptionVersion => subscription_versions,
    UsageDay => usage_daily,
    UsageEvent => usage_events,
    User => users,
    WebhookEvent => inbox_events,
}

/// The most ids in one look-up.
const MAX_IDS: usize = 100;

/// Returns the objects with these global ids, in their order; rows of one type are read together.
pub async fn find_all(ctx: &Context<'_>, ids: &[ID]) -> async_graphql::Result<SharedList<Option<Node>>> {
    if ids.len() > MAX_IDS {
        return Err(Error::bad_input(format!("At most {MAX_IDS} ids can be looked up at once.")).into());
    }
    let (distinct, positions) = distinct(ids);
    let found = try_join_all(distinct.into_iter().map(|id| find(ctx, id))).await?;
    Ok(SharedList::new(found, positions))
}
