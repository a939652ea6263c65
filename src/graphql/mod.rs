//! The GraphQL API. `engine` runs documents, `common` has the parts that types share, and each feature has a folder
//! with its own roots, which are merged here.

pub mod engine;

mod common;
mod costs;

mod accounts;
mod analytics;
mod checkout;
mod coupons;
mod credits;
mod entitlements;
mod federation;
mod gifts;
mod licences;
mod node;
mod operations;
mod payments;
mod plans;
mod rate_limits;
mod subscriptions;
mod usage;
mod viewer;

pub use common::global_id_of;

use crate::app::App;
use crate::auth::Viewer;
use async_graphql::{Interface, MergedObject, MergedSubscription, ObjectType, Schema, SchemaBuilder, ValidationMode};
use common::Loaders;
use engine::documents::Limits;
use engine::execute::{Attach, Engine};
use std::sync::Arc;

/// The query roots of the features.
#[derive(MergedObject, Default)]
pub struct QueryRoots(
    viewer::Query,
    accounts::Query,
    plans::Query,
    subscriptions::Query,
    entitlements::Query,
    rate_limits::Query,
    payments::Query,
    coupons::Query,
    gifts::Query,
    licences::Query,
    usage::Query,
    analytics::Query,
    operations::Query,
);

/// The query roots.
#[derive(MergedObject, Default)]
#[graphql(name = "Query")]
struct PublishedQuery(QueryRoots);

/// The query roots.
#[derive(MergedObject, Default)]
pub struct Query(QueryRoots, federation::FederationQuery);

/// The mutation roots.
#[derive(MergedObject, Default)]
pub struct Mutation(
    plans::Mutation,
    subscriptions::Mutation,
    entitlements::Mutation,
    rate_limits::Mutation,
    checkout::Mutation,
    payments::Mutation,
    coupons::Mutation,
    credits::Mutation,
    gifts::Mutation,
    licences::Mutation,
    usage::Mutation,
    analytics::Mutation,
    operations::Mutation,
);

/// The subscription roots. Each event shows the present state of the object that changed, once per change or, where many
/// changes are sent as one, once for them. Objects that the caller may not see are left out.
#[derive(MergedSubscription, Default)]
pub struct Live(
    subscriptions::events::SubscriptionEvents,
    payments::events::PaymentEvents,
    credits::events::BalanceEvents,
    entitlements::events::EntitlementEvents,
    operations::events::WebhookEvents,
);

/// A rule that refused a mutation, with the way to correct the input.
#[derive(Interface)]
#[allow(clippy::duplicated_attributes, reason = "two fields of the interface have the same type")]
#[graphql(
    field(
        name = "code",
        ty = "&String",
        desc = "The rule that refused the request, e.g. `CODE_TAKEN`. Values may be added."
    ),
    field(
        name = "field",
        ty = "&Option<Vec<String>>",
        desc = "The path of the input field at fault, outermost first; null if there is no single one."
    ),
    field(name = "message", ty = "&String", desc = "The rule and the way to meet it, for display.")
)]
enum UserError {
    AddAddon(subscriptions::plan_change_payloads::AddAddonUserError),
    ApplyPromoCode(subscriptions::plan_change_payloads::ApplyPromoCodeUserError),
    ApproveRefund(payments::refund_mutations::ApproveRefundUserError),
    AssignVariant(analytics::experiment_mutations::AssignVariantUserError),
    BuyGift(gifts::mutations::BuyGiftUserError),
    CancelSubscription(subscriptions::mutations::CancelSubscriptionUserError),
    CaptureHold(credits::spending::CaptureHoldUserError),
    ChangeCredits(credits::batch::ChangeCreditsUserError),
    ChangePlan(subscriptions::plan_change_payloads::ChangePlanUserError),
    CorrectUsage(usage::record_mutations::CorrectUsageUserError),
    Consume(entitlements::consume_mutation::ConsumeUserError),
    CreateApiKey(operations::api_keys::CreateApiKeyUserError),
    CreateCoupon(coupons::mutations::CreateCouponUserError),
    CreateCreditUnit(plans::payloads::CreateCreditUnitUserError),
    CreateEngagementScore(analytics::engagement::CreateEngagementScoreUserError),
    CreateExperiment(analytics::experiment_mutations::CreateExperimentUserError),
    CreateFunnel(analytics::funnels::CreateFunnelUserError),
    CreateFeature(plans::payloads::CreateFeatureUserError),
    CreateMeter(usage::mutations::CreateMeterUserError),
    CreatePlan(plans::payloads::CreatePlanUserError),
    CreatePlanVersion(plans::payloads::CreatePlanVersionUserError),
    CreatePromoCode(coupons::mutations::CreatePromoCodeUserError),
    CreatePurchaseReference(checkout::references::CreatePurchaseReferenceUserError),
    CreatePublishableKey(operations::publishable_keys::CreatePublishableKeyUserError),
    CreateRateCard(usage::mutations::CreateRateCardUserError),
    CreateRateLimit(rate_limits::payloads::CreateRateLimitUserError),
    CreateSubscription(checkout::payloads::CreateSubscriptionUserError),
    DeactivatePromoCode(coupons::mutations::DeactivatePromoCodeUserError),
    DenyRefund(payments::refund_mutations::DenyRefundUserError),
    EndExperiment(analytics::experiment_mutations::EndExperimentUserError),
    EndRateCard(usage::mutations::EndRateCardUserError),
    ExtendTrial(subscriptions::trial_mutations::ExtendTrialUserError),
    GrantCredits(credits::granting::GrantCreditsUserError),
    HoldCredits(credits::spending::HoldCreditsUserError),
    Identify(analytics::event_mutations::IdentifyUserError),
    IssueLicenseKey(licences::payloads::IssueLicenseKeyUserError),
    LogErrors(analytics::error_mutations::LogErrorsUserError),
    OpenBillingPortal(checkout::payloads::OpenBillingPortalUserError),
    PauseSubscription(subscriptions::mutations::PauseSubscriptionUserError),
    PublishPlanToStripe(plans::stripe::PublishPlanToStripeUserError),
    PublishPlanVersion(plans::payloads::PublishPlanVersionUserError),
    PurchaseCredits(checkout::payloads::PurchaseCreditsUserError),
    Reconcile(operations::webhook_mutations::ReconcileUserError),
    RecordConsent(analytics::consent::RecordConsentUserError),
    RecordEmailCampaign(analytics::campaign::RecordEmailCampaignUserError),
    RecordPartnerStats(analytics::partner::RecordPartnerStatsUserError),
    RecordUsage(usage::record_mutations::RecordUsageUserError),
    RedeemGift(gifts::mutations::RedeemGiftUserError),
    RegisterDevice(licences::payloads::RegisterDeviceUserError),
    ReleaseHold(credits::spending::ReleaseHoldUserError),
    RemoveAddon(subscriptions::plan_change_payloads::RemoveAddonUserError),
    ReplaceGiftCode(gifts::mutations::ReplaceGiftCodeUserError),
    ReplaceLicenseKey(licences::payloads::ReplaceLicenseKeyUserError),
    ReplayWebhookEvent(operations::webhook_mutations::ReplayWebhookEventUserError),
    ReplayWebhookEvents(operations::webhook_mutations::ReplayWebhookEventsUserError),
    RequestRefund(payments::refund_mutations::RequestRefundUserError),
    ResolveErrorGroup(analytics::error_mutations::ResolveErrorGroupUserError),
    ResolveSecurityEvent(operations::security_events::ResolveSecurityEventUserError),
    ResumeSubscription(subscriptions::mutations::ResumeSubscriptionUserError),
    ResyncAccount(operations::webhook_mutations::ResyncAccountUserError),
    RevealLicenseKey(licences::payloads::RevealLicenseKeyUserError),
    ReverseLedgerTransaction(credits::reversal::ReverseLedgerTransactionUserError),
    RevokeApiKey(operations::api_keys::RevokeApiKeyUserError),
    RevokeDevice(licences::payloads::RevokeDeviceUserError),
    RevokeEntitlementOverride(entitlements::override_mutations::RevokeEntitlementOverrideUserError),
    RevokeLicenseKey(licences::payloads::RevokeLicenseKeyUserError),
    RevokePublishableKey(operations::publishable_keys::RevokePublishableKeyUserError),
    SetAccountTimeZone(credits::time_zone::SetAccountTimeZoneUserError),
    SetEntitlementOverride(entitlements::override_mutations::SetEntitlementOverrideUserError),
    SpendCredits(credits::spending::SpendCreditsUserError),
    StartCheckout(checkout::payloads::StartCheckoutUserError),
    TakeRateLimit(rate_limits::payloads::TakeRateLimitUserError),
    TrackEvents(analytics::event_mutations::TrackEventsUserError),
    TransferCredits(credits::reversal::TransferCreditsUserError),
    UndoScheduledChange(subscriptions::plan_change_payloads::UndoScheduledChangeUserError),
    UpdatePlan(plans::payloads::UpdatePlanUserError),
    UpdatePlanVersion(plans::payloads::UpdatePlanVersionUserError),
    UpdateRateLimit(rate_limits::payloads::UpdateRateLimitUserError),
}

/// Builds the schema with all roots. An [`Engine`] runs it and does all checking.
pub fn schema() -> Schema<Query, Mutation, Live> {
    build(Query::default()).data(federation::Published(sdl)).finish()
}

/// Returns the published schema in its definition language, as it is served and committed: without the roots for gateways.
pub fn sdl() -> String {
    let schema = build(PublishedQuery::default()).finish();
    engine::execute::sdl(&schema, &costs::RULES).expect("the rules fit the schema, as a test checks")
}

/// Returns the published schema as that of a subgraph, for the composition of a supergraph.
pub fn subgraph_sdl() -> anyhow::Result<String> {
    federation::subgraph_sdl(&sdl())
}

fn build<Q: ObjectType + 'static>(query: Q) -> SchemaBuilder<Q, Mutation, Live> {
    Schema::build(query, Mutation::default(), Live::default())
        .limit_recursive_depth(usize::MAX)
        .register_output_type::<UserError>()
        .validation_mode(ValidationMode::Fast)
}

/// Returns the function that gives a request of `viewer` its context: the app, and loaders of its own.
pub fn attach(app: Arc<App>, viewer: Viewer) -> Attach {
    Box::new(move |request| {
        let loaders = Loaders::new(Arc::clone(&app), viewer.clone());
        request.data(Arc::clone(&app)).data(loaders.scheduler()).data(Arc::new(loaders))
    })
}

/// Builds the engine with the limits of the app.
pub fn engine(app: &App) -> anyhow::Result<Engine> {
    let limits = &app.config.limits;
    let document_limits = Limits {
        tokens: limits.tokens,
        depth: limits.depth,
        aliases: limits.aliases,
        selections: limits.selections,
        costs: costs::settings(app),
        ..Limits::default()
    };
    let engine = Engine::new(schema(), &document_limits, limits.timeout)?.publishing(sdl());
    Ok(engine.with_mutations(limits.mutation_timeout, &app.detached))
}
