//! The GraphQL API: from a document to a reply. One file per feature; what they share comes first.

mod context;
pub mod document;
pub mod error;
pub mod execute;
mod inputs;
mod loaders;
mod node;
pub use node::global_id_of;
mod page;
mod scalars;
#[cfg(test)]
pub(crate) mod toy;
mod user_error;

mod account_lists;
mod accounts;
mod analytics;
mod api_keys;
mod audit;
mod batches;
mod coupon_mutations;
mod credit_mutations;
mod credits;
mod discounts;
mod gift_mutations;
mod gifts;
mod inbox;
mod inbox_mutations;
mod invoices;
mod licence_mutations;
mod licence_payloads;
mod licences;
mod live;
mod members;
mod payments;
mod plan_change_mutations;
mod plan_mutations;
mod plan_parts;
mod plan_payloads;
mod plan_preview;
mod plans;
mod provider_calls;
mod provider_customers;
mod provider_prices;
mod purchase_mutations;
mod refund_mutations;
mod refunds;
mod security;
mod stripe_catalogue;
mod subscription_lists;
mod subscription_mutations;
mod subscription_parts;
mod subscription_versions;
mod subscriptions;
mod trial_mutations;
mod users;
mod viewer;
mod viewer_plan;

use crate::app::App;
use crate::auth::Viewer;
use async_graphql::{Interface, MergedObject, Schema, ValidationMode};
use execute::{Attach, Engine};
use std::sync::Arc;

/// Everything that can be asked.
#[derive(MergedObject, Default)]
pub struct Query(
    viewer::ViewerQuery,
    plans::PlanQuery,
    users::UserQuery,
    account_lists::AccountQuery,
    subscription_lists::SubscriptionQuery,
    provider_customers::ProviderCustomerQuery,
    payments::PaymentQuery,
    refunds::RefundQuery,
    gifts::GiftQuery,
    invoices::InvoiceQuery,
    discounts::DiscountQuery,
    licences::LicenceQuery,
    analytics::AnalyticsQuery,
    inbox::InboxQuery,
    provider_calls::ProviderCallQuery,
    audit::AuditQuery,
    api_keys::ApiKeyQuery,
    security::SecurityQuery,
    plan_preview::PreviewQuery,
);

/// Everything that can be done.
#[derive(MergedObject, Default)]
pub struct Mutation(
    plan_mutations::PlanMutation,
    credit_mutations::CreditMutation,
    api_keys::ApiKeyMutation,
    licence_mutations::LicenceMutation,
    security::SecurityMutation,
    inbox_mutations::InboxMutation,
    subscription_mutations::SubscriptionMutation,
    trial_mutations::TrialMutation,
    stripe_catalogue::StripeCatalogueMutation,
    coupon_mutations::CouponMutation,
    plan_change_mutations::PlanChangeMutation,
    purchase_mutations::PurchaseMutation,
    refund_mutations::RefundMutation,
    gift_mutations::GiftMutation,
);

/// What is wrong with a mutation's input, in a form that a caller can mend.
#[derive(Interface)]
#[graphql(
    field(name = "field", ty = "&Option<Vec<String>>", desc = "The field at fault; null where no single one is."),
    field(name = "message", ty = "&String", desc = "What is wrong, and what to do about it.")
)]
enum UserError {
    AddAddon(plan_change_mutations::AddAddonUserError),
    ApplyPromoCode(plan_change_mutations::ApplyPromoCodeUserError),
    ApproveRefund(refund_mutations::ApproveRefundUserError),
    BuyGift(gift_mutations::BuyGiftUserError),
    CancelSubscription(subscription_mutations::CancelSubscriptionUserError),
    ChangePlan(plan_change_mutations::ChangePlanUserError),
    CreateApiKey(api_keys::CreateApiKeyUserError),
    CreateCoupon(coupon_mutations::CreateCouponUserError),
    CreateCreditUnit(plan_payloads::CreateCreditUnitUserError),
    CreateFeature(plan_payloads::CreateFeatureUserError),
    CreatePlan(plan_payloads::CreatePlanUserError),
    CreatePlanVersion(plan_payloads::CreatePlanVersionUserError),
    CreatePromoCode(coupon_mutations::CreatePromoCodeUserError),
    CreateSubscription(purchase_mutations::CreateSubscriptionUserError),
    DeactivatePromoCode(coupon_mutations::DeactivatePromoCodeUserError),
    DenyRefund(refund_mutations::DenyRefundUserError),
    ExtendTrial(trial_mutations::ExtendTrialUserError),
    GrantCredits(credit_mutations::GrantCreditsUserError),
    IssueLicenseKey(licence_payloads::IssueLicenseKeyUserError),
    OpenBillingPortal(purchase_mutations::OpenBillingPortalUserError),
    PauseSubscription(subscription_mutations::PauseSubscriptionUserError),
    PublishPlanToStripe(stripe_catalogue::PublishPlanToStripeUserError),
    PublishPlanVersion(plan_payloads::PublishPlanVersionUserError),
    PurchaseCredits(purchase_mutations::PurchaseCreditsUserError),
    Reconcile(inbox_mutations::ReconcileUserError),
    RedeemGift(gift_mutations::RedeemGiftUserError),
    RegisterDevice(licence_payloads::RegisterDeviceUserError),
    RemoveAddon(plan_change_mutations::RemoveAddonUserError),
    ReplaceGiftCode(gift_mutations::ReplaceGiftCodeUserError),
    ReplaceLicenseKey(licence_payloads::ReplaceLicenseKeyUserError),
    ReplayWebhookEvent(inbox_mutations::ReplayWebhookEventUserError),
    ReplayWebhookEvents(inbox_mutations::ReplayWebhookEventsUserError),
    RequestRefund(refund_mutations::RequestRefundUserError),
    ResolveSecurityEvent(security::ResolveSecurityEventUserError),
    ResumeSubscription(subscription_mutations::ResumeSubscriptionUserError),
    ResyncAccount(inbox_mutations::ResyncAccountUserError),
    RevealLicenseKey(licence_payloads::RevealLicenseKeyUserError),
    RevokeApiKey(api_keys::RevokeApiKeyUserError),
    RevokeDevice(licence_payloads::RevokeDeviceUserError),
    RevokeLicenseKey(licence_payloads::RevokeLicenseKeyUserError),
    StartCheckout(purchase_mutations::StartCheckoutUserError),
    UndoScheduledChange(plan_change_mutations::UndoScheduledChangeUserError),
    UpdatePlan(plan_payloads::UpdatePlanUserError),
    UpdatePlanVersion(plan_payloads::UpdatePlanVersionUserError),
}

/// The schema, to be run by an [`Engine`], which does all the checking.
pub fn schema() -> Schema<Query, Mutation, live::LiveSubscription> {
    Schema::build(Query::default(), Mutation::default(), live::LiveSubscription)
        .limit_recursive_depth(usize::MAX)
        .register_output_type::<UserError>()
        .validation_mode(ValidationMode::Fast)
        .finish()
}

/// The schema in its definition language, as it is served and committed.
pub fn sdl() -> String {
    execute::sdl(&schema())
}

/// What an operation of `viewer` finds in its context: the app, and loaders of its own.
pub fn attach(app: Arc<App>, viewer: Viewer) -> Attach {
    Box::new(move |request| {
        let loaders = loaders::Loaders::new(Arc::clone(&app), viewer.clone());
        request.data(Arc::clone(&app)).data(Arc::new(loaders))
    })
}

/// The engine of an app, by its limits.
pub fn engine(app: &App) -> anyhow::Result<Engine> {
    let limits = &app.config.limits;
    let document_limits = document::Limits {
        tokens: limits.tokens,
        depth: limits.depth,
        aliases: limits.aliases,
        selections: limits.selections,
        ..document::Limits::default()
    };
    Engine::new(schema(), &document_limits, limits.timeout)
}
