//! The GraphQL API: from a document to a reply. One file per feature; what they share comes first.

pub mod engine;

mod common;

mod accounts;
mod analytics;
mod checkout;
mod coupons;
mod credits;
mod gifts;
mod licences;
mod node;
mod operations;
mod payments;
mod plans;
mod subscriptions;
mod viewer;

pub use common::global_id_of;

use crate::app::App;
use crate::auth::Viewer;
use async_graphql::{Interface, MergedObject, MergedSubscription, Schema, ValidationMode};
use common::Loaders;
use engine::documents::Limits;
use engine::execute::{Attach, Engine};
use std::sync::Arc;

/// Everything that can be asked.
#[derive(MergedObject, Default)]
pub struct Query(
    viewer::Query,
    accounts::Query,
    plans::Query,
    subscriptions::Query,
    payments::Query,
    coupons::Query,
    gifts::Query,
    licences::Query,
    analytics::Query,
    operations::Query,
);

/// Everything that can be done.
#[derive(MergedObject, Default)]
pub struct Mutation(
    plans::Mutation,
    subscriptions::Mutation,
    checkout::Mutation,
    payments::Mutation,
    coupons::Mutation,
    credits::Mutation,
    gifts::Mutation,
    licences::Mutation,
    operations::Mutation,
);

/// What can be watched. Each event shows the present state of what changed, once for each change; rows that the caller
/// may not see are passed over.
#[derive(MergedSubscription, Default)]
pub struct Live(
    subscriptions::events::SubscriptionEvents,
    payments::events::PaymentEvents,
    operations::events::WebhookEvents,
);

/// What is wrong with a mutation's input, in a form that a caller can mend.
#[derive(Interface)]
#[graphql(
    field(
        name = "code",
        ty = "&String",
        desc = "The rule that refused the request, e.g. `CODE_TAKEN`. Values may be added."
    ),
    field(name = "field", ty = "&Option<Vec<String>>", desc = "The field at fault; null where no single one is."),
    field(name = "message", ty = "&String", desc = "What is wrong, and what to do about it.")
)]
enum UserError {
    AddAddon(subscriptions::plan_change_mutations::AddAddonUserError),
    ApplyPromoCode(subscriptions::plan_change_mutations::ApplyPromoCodeUserError),
    ApproveRefund(payments::refund_mutations::ApproveRefundUserError),
    BuyGift(gifts::mutations::BuyGiftUserError),
    CancelSubscription(subscriptions::mutations::CancelSubscriptionUserError),
    ChangePlan(subscriptions::plan_change_mutations::ChangePlanUserError),
    CreateApiKey(operations::api_keys::CreateApiKeyUserError),
    CreateCoupon(coupons::mutations::CreateCouponUserError),
    CreateCreditUnit(plans::payloads::CreateCreditUnitUserError),
    CreateFeature(plans::payloads::CreateFeatureUserError),
    CreatePlan(plans::payloads::CreatePlanUserError),
    CreatePlanVersion(plans::payloads::CreatePlanVersionUserError),
    CreatePromoCode(coupons::mutations::CreatePromoCodeUserError),
    CreateSubscription(checkout::mutations::CreateSubscriptionUserError),
    DeactivatePromoCode(coupons::mutations::DeactivatePromoCodeUserError),
    DenyRefund(payments::refund_mutations::DenyRefundUserError),
    ExtendTrial(subscriptions::trial_mutations::ExtendTrialUserError),
    GrantCredits(credits::mutations::GrantCreditsUserError),
    IssueLicenseKey(licences::payloads::IssueLicenseKeyUserError),
    OpenBillingPortal(checkout::mutations::OpenBillingPortalUserError),
    PauseSubscription(subscriptions::mutations::PauseSubscriptionUserError),
    PublishPlanToStripe(plans::stripe::PublishPlanToStripeUserError),
    PublishPlanVersion(plans::payloads::PublishPlanVersionUserError),
    PurchaseCredits(checkout::mutations::PurchaseCreditsUserError),
    Reconcile(operations::webhook_mutations::ReconcileUserError),
    RedeemGift(gifts::mutations::RedeemGiftUserError),
    RegisterDevice(licences::payloads::RegisterDeviceUserError),
    RemoveAddon(subscriptions::plan_change_mutations::RemoveAddonUserError),
    ReplaceGiftCode(gifts::mutations::ReplaceGiftCodeUserError),
    ReplaceLicenseKey(licences::payloads::ReplaceLicenseKeyUserError),
    ReplayWebhookEvent(operations::webhook_mutations::ReplayWebhookEventUserError),
    ReplayWebhookEvents(operations::webhook_mutations::ReplayWebhookEventsUserError),
    RequestRefund(payments::refund_mutations::RequestRefundUserError),
    ResolveSecurityEvent(operations::security_events::ResolveSecurityEventUserError),
    ResumeSubscription(subscriptions::mutations::ResumeSubscriptionUserError),
    ResyncAccount(operations::webhook_mutations::ResyncAccountUserError),
    RevealLicenseKey(licences::payloads::RevealLicenseKeyUserError),
    RevokeApiKey(operations::api_keys::RevokeApiKeyUserError),
    RevokeDevice(licences::payloads::RevokeDeviceUserError),
    RevokeLicenseKey(licences::payloads::RevokeLicenseKeyUserError),
    StartCheckout(checkout::mutations::StartCheckoutUserError),
    UndoScheduledChange(subscriptions::plan_change_mutations::UndoScheduledChangeUserError),
    UpdatePlan(plans::payloads::UpdatePlanUserError),
    UpdatePlanVersion(plans::payloads::UpdatePlanVersionUserError),
}

/// The schema, to be run by an [`Engine`], which does all the checking.
pub fn schema() -> Schema<Query, Mutation, Live> {
    Schema::build(Query::default(), Mutation::default(), Live::default())
        .limit_recursive_depth(usize::MAX)
        .register_output_type::<UserError>()
        .validation_mode(ValidationMode::Fast)
        .finish()
}

/// The schema in its definition language, as it is served and committed.
pub fn sdl() -> String {
    engine::execute::sdl(&schema())
}

/// What an operation of `viewer` finds in its context: the app, and loaders of its own.
pub fn attach(app: Arc<App>, viewer: Viewer) -> Attach {
    Box::new(move |request| {
        let loaders = Loaders::new(Arc::clone(&app), viewer.clone());
        request.data(Arc::clone(&app)).data(loaders.batches()).data(Arc::new(loaders))
    })
}

/// The engine of an app, by its limits.
pub fn engine(app: &App) -> anyhow::Result<Engine> {
    let limits = &app.config.limits;
    let document_limits = Limits {
        tokens: limits.tokens,
        depth: limits.depth,
        aliases: limits.aliases,
        selections: limits.selections,
        ..Limits::default()
    };
    Engine::new(schema(), &document_limits, limits.timeout)
}
