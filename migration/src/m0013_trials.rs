//! Who has had a trial, told apart by keyed hashes alone, so that it outlives the person's erasure.

use crate::table::*;
use sea_orm_migration::prelude::*;

#[derive(DeriveMigrationName)]
pub(crate) struct Migration;

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        create(
            manager,
            "trial_claims",
            vec![
                id().into(),
                // Of an identity of the person: their issuer and subject, or their e-mail address.
                text("identity_hash").into(),
                reference_null("product_id", "products").into(),
                text("state").into(),
                // What holds the trial, or began it: a Checkout session or a subscription at the provider.
                text_null("holder_external_id").into(),
                instant("claimed_at").into(),
                instant_null("held_until").into(),
                one_of("state", &["held", "used"]),
                check("(state = 'held') = (held_until IS NOT NULL)"),
            ],
        )
        .await?;
        unique(manager, "trial_claims", &["identity_hash"]).await?;
        index(manager, "trial_claims", &["holder_external_id"]).await
    }

    async fn down(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        drop(manager, &["trial_claims"]).await
    }
}
